package storage

import (
	"testing"
	"time"

	"quern/storage/internal/compact"
	"quern/storage/internal/manifest"
)

// TestCrowdSlowsIngest: commits of a table whose partition has too many segments
// wait, longer with each, and no more once they are merged.
func TestCrowdSlowsIngest(t *testing.T) {
	s := &Store{}
	table := func(n int, rows int64) *tableState {
		ts := &tableState{}
		for range n {
			ts.segs = append(ts.segs, &segmentRef{meta: manifest.Segment{Partition: "all", Rows: rows}})
		}
		return ts
	}
	wait := func() time.Duration {
		v, _ := s.compact.slow.Load(uint32(7))
		d, _ := v.(time.Duration)
		return d
	}
	for _, c := range []struct {
		segments int
		rows     int64
		want     time.Duration
	}{{2 * compact.VisibleMax, 10, 0}, {2*compact.VisibleMax + 3, 10, 3 * slowStep}, {1000, 10, slowMax}, {1000, compact.L2Rows, 0}, {5, 10, 0}} {
		s.noteCrowd(7, table(c.segments, c.rows))
		if got := wait(); got != c.want {
			t.Errorf("%d segments of %d rows: %v, want %v", c.segments, c.rows, got, c.want)
		}
	}
}
