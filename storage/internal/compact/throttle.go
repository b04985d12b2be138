package compact

import (
	"sync"
	"sync/atomic"
	"time"
)

// Throttle decides how long merges rest: not at all while they are alone. While
// queries read or commits wait, a merge works a quarter of the time and keeps a
// bound of bytes per second.
type Throttle struct {
	reads atomic.Int64 // morsels opened by queries

	mu     sync.Mutex
	seen   int64     // reads at the last look
	until  time.Time // queries count as running until then
	worked time.Time // when the present piece of work began
	bytes  int64     // since then
}

const (
	// bytesPerSecond bounds what merges read and write beside others.
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

// Busy tells whether queries read since the last look, or shortly before.
func (t *Throttle) Busy(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lookLocked(now)
}

func (t *Throttle) lookLocked(now time.Time) bool {
	if r := t.reads.Load(); r != t.seen {
		t.seen, t.until = r, now.Add(linger)
	}
	return now.Before(t.until)
}

// Spent notes work on some bytes up to now and returns how long to rest; waiting
// says that commits wait.
func (t *Throttle) Spent(now time.Time, bytes int, waiting bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	busy := t.lookLocked(now) || waiting
	work := now.Sub(t.worked)
	t.bytes += int64(bytes)
	switch {
	case !busy || work < 0 || work >= time.Second: // alone, or between merges
	case work < pieceMin:
		return 0
	default:
		d := max(rest*work, time.Duration(t.bytes*int64(time.Second)/bytesPerSecond)-work)
		t.worked, t.bytes = now.Add(min(d, restMax)), 0
		return min(d, restMax)
	}
	t.worked, t.bytes = now, 0
	return 0
}
