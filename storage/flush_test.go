package storage

import (
	"testing"
	"time"
)

func TestPickFlush(t *testing.T) {
	o := Options{}
	o.defaults()
	now := int64(time.Hour / time.Microsecond)
	ago := func(d time.Duration) int64 { return now - d.Microseconds() }
	cases := []struct {
		name     string
		list     []memInfo
		mem, wal int64
		want     uint32
	}{
		{"nothing", nil, 0, 0, 0},
		{"young and small", []memInfo{{1, 10, 100, 1, ago(time.Second)}}, 0, 0, 0},
		{"rows", []memInfo{{1, 10, 100, 1, now}, {2, 1_000_000, 50, 2, now}}, 0, 0, 2},
		{"bytes", []memInfo{{1, 10, 128 << 20, 1, now}}, 0, 0, 1},
		{"old with few rows", []memInfo{{1, 100, 100, 1, ago(6 * time.Minute)}}, 0, 0, 0},
		{"old with enough rows", []memInfo{{1, 8192, 100, 1, ago(6 * time.Minute)}}, 0, 0, 1},
		{"very old", []memInfo{{1, 1, 100, 1, ago(16 * time.Minute)}}, 0, 0, 1},
		{"memory is short: the largest", []memInfo{{1, 1, 100, 1, now}, {2, 1, 200, 2, now}}, 800 << 20, 0, 2},
		{"log is long: the oldest", []memInfo{{1, 1, 100, 9, now}, {2, 1, 50, 3, now}}, 0, 1900 << 20, 2},
	}
	for _, c := range cases {
		if got := pickFlush(c.list, &o, now, c.mem, c.wal); got != c.want {
			t.Errorf("%s: table %d, want %d", c.name, got, c.want)
		}
	}
}
