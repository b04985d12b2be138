package compact

import (
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	var th Throttle
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	step := func(work time.Duration, bytes int, waiting bool) time.Duration {
		now = now.Add(work)
		d := th.Spent(now, bytes, waiting)
		now = now.Add(d)
		return d
	}
	step(0, 0, false)
	if d := step(10*time.Millisecond, 1<<20, false); d != 0 {
		t.Errorf("nobody is there, and it rests %v", d)
	}
	th.Read()
	if !th.Busy(now) {
		t.Error("a read makes no work")
	}
	if d := step(10*time.Millisecond, 1<<20, false); d != 30*time.Millisecond {
		t.Errorf("a query reads, and it rests %v", d)
	}
	if d := step(10*time.Millisecond, 1<<20, false); d != 0 || th.Busy(now) {
		t.Errorf("the query is long gone, and it rests %v", d)
	}
	if d := step(10*time.Millisecond, 1<<20, true); d != 30*time.Millisecond {
		t.Errorf("commits wait, and it rests %v", d)
	}
	if d := step(500*time.Microsecond, 1<<10, true); d != 0 {
		t.Errorf("a short piece rests %v", d)
	}
	if d := step(500*time.Microsecond, 1<<10, true); d != 3*time.Millisecond {
		t.Errorf("short pieces add up, and it rests %v", d)
	}
	// A merge that did nothing for long does not owe rest for that time.
	if d := step(time.Hour, 1<<20, true); d > restMax {
		t.Errorf("it rests %v", d)
	}
	now = now.Add(time.Hour)
	step(0, 0, false)
	if d := step(2*time.Millisecond, bytesPerSecond/50, true); d != 18*time.Millisecond {
		t.Errorf("a fiftieth of the bytes of a second in 2 ms, and it rests %v", d)
	}
}
