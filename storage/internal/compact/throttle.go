package compact

import (
	"sync"
	"sync/atomic"
	"time"
)

// Throttle decides how long merges rest. While queries read or commits wait, a
// merge works a quarter of the time; otherwise it only keeps a bound of bytes per
// second, so that it does not push everything else out of the page cache.
type Throttle struct {
	reads atomic.Int64 // morsels opened by queries

	mu     sync.Mutex
	seen   int64     // reads at the last look
	until  time.Time // queries count as running until then
	worked time.Time // when the present piece of work began
	bytes  int64     // since second
	second time.Time
	busy   bool
}

const (
	// bytesPerSecond bounds what all merges read and write.
	bytesPerSecond = 200 << 20
	// linger is how long after its last read a query counts as running: it
	// computes between reads.
	linger = 20 * time.Millisecond
	// rest is how long a merge rests for its time of work while others wait. With
	// 3, one of two cores' worth of merging takes an eighth of the machine.
	rest = 3
	// pieceMin is the least piece of work that is rested for.
	pieceMin = time.Millisecond
	restMax  = 100 * time.Millisecond
)

// Read notes that a query reads.
func (t *Throttle) Read() { t.reads.Add(1) }

// Busy tells whether queries or commits were there at the last look.
func (t *Throttle) Busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.busy
}

// Spent notes work on some bytes up to now and returns how long to rest; waiting
// says that commits wait.
func (t *Throttle) Spent(now time.Time, bytes int, waiting bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.reads.Load(); r != t.seen {
		t.seen, t.until = r, now.Add(linger)
	}
	t.busy = waiting || now.Before(t.until)
	work := now.Sub(t.worked)
	if now.Sub(t.second) >= time.Second || now.Before(t.second) {
		t.second, t.bytes = now, 0
	}
	t.bytes += int64(bytes)
	switch {
	case t.busy && work >= pieceMin && work < time.Second:
		d := min(rest*work, restMax)
		t.worked = now.Add(d)
		return d
	case t.busy && work >= 0 && work < pieceMin:
		return 0
	case !t.busy || t.bytes <= bytesPerSecond:
		t.worked = now
		return 0
	}
	d := t.second.Add(time.Second).Sub(now)
	t.worked = now.Add(d)
	return d
}
