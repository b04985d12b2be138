package stage

import (
	"testing"

	"quern/storage/catalog"
	"quern/storage/internal/segment"
)

func TestGrain(t *testing.T) {
	day := int64(dayMicros)
	for _, c := range []struct {
		option    string
		retention int64
		want      segment.Grain
		fixed     bool
	}{
		{"", 0, segment.GrainMonth, false}, {"", 1000 * day, segment.GrainMonth, false},
		{"", 90 * day, segment.GrainDay, false}, {"", 24 * day, segment.GrainDay, false},
		{"", 23 * day, segment.GrainHour, false}, {"day", 23 * day, segment.GrainDay, true},
		{"none", 0, segment.GrainNone, true}, {"month", 0, segment.GrainMonth, true}, {"hour", 0, segment.GrainHour, true},
	} {
		tb := &catalog.Table{Options: catalog.Options{PartitionBy: c.option, Retention: c.retention}}
		if g, fixed := GrainOf(tb); g != c.want || fixed != c.fixed {
			t.Errorf("partition_by %q retention %d days: grain %d %v", c.option, c.retention/day, g, fixed)
		}
	}
}
