package segment

import (
	"cmp"
	"slices"
	"time"

	"quern/storage/internal/encoding"
	"quern/storage/internal/memtable"
	"quern/storage/types"
)

// Split cuts the rows of l into partitions by event time, leaving out deleted
// and expired ones. A part may be empty of rows only if there are none at all:
// then Split returns nil.
func Split(l memtable.List, s SplitSpec) []Part {
	byName := map[string]*Part{}
	base := uint32(0)
	var cut cutter
	for _, v := range l {
		col, ok := v.Data(s.TimeCol)
		ok = ok && s.TimeCol != 0 && (col.Phys == types.PhysI64 || col.Phys == types.PhysI32)
		runs := v.Runs()
		run := 0
		for r := range v.Rows {
			for run+1 < len(runs) && int(runs[run+1].Start) <= r {
				run++
			}
			pos := base + uint32(r)
			if s.Deleted != nil && s.Deleted(pos) {
				continue
			}
			t, null := eventTime(&col, ok, r)
			if s.HasFloor && Effective(t, null, runs[run].ReceivedAt) < s.Floor {
				continue
			}
			name := "all"
			if s.Grain != GrainNone && s.TimeCol != 0 {
				name = cut.name(t, null, s.Grain)
			}
			p := byName[name]
			if p == nil {
				p = &Part{Name: name}
				byName[name] = p
			}
			p.Rows = append(p.Rows, pos)
		}
		base += uint32(v.Rows)
	}
	return mix(byName, s)
}

func eventTime(col *encoding.Column, ok bool, r int) (t int64, null bool) {
	if !ok || col.Null(r) {
		return 0, true
	}
	return TimeAt(col, r), false
}

// mix puts small partitions and those beyond the limit into one.
func mix(byName map[string]*Part, s SplitSpec) []Part {
	parts := make([]Part, 0, len(byName))
	for _, p := range byName {
		parts = append(parts, *p)
	}
	if len(parts) < 2 {
		return parts
	}
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Compare(len(b.Rows), len(a.Rows)) })
	keep := len(parts)
	if s.MaxParts > 0 {
		keep = min(keep, s.MaxParts)
	}
	for keep > 0 && len(parts[keep-1].Rows) < s.MinRows {
		keep--
	}
	kept, small := parts[:keep], parts[keep:]
	order := func(p []Part) { slices.SortFunc(p, func(a, b Part) int { return cmp.Compare(a.Name, b.Name) }) }
	order(kept)
	order(small)
	switch len(small) {
	case 0:
		return kept
	case 1:
		return append(slices.Clone(kept), small[0])
	}
	mixed := Part{Name: "mixed"}
	for _, p := range small {
		mixed.Rows = append(mixed.Rows, p.Rows...)
	}
	return append(slices.Clone(kept), mixed)
}

// cutter names partitions; it remembers the last one, as most rows follow in
// time.
type cutter struct {
	from, to int64
	last     string
	grain    Grain
}

const hourMicros = 3600 * 1_000_000

func (c *cutter) name(t int64, null bool, g Grain) string {
	if null || t == types.TimePosInf || t == types.TimeNegInf {
		return "null"
	}
	if c.last != "" && c.grain == g && t >= c.from && t < c.to {
		return c.last
	}
	at := time.UnixMicro(t).UTC()
	start, layout := at, ""
	switch g {
	case GrainMonth:
		start, layout = time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC), "m200601"
		c.to = start.AddDate(0, 1, 0).UnixMicro()
	case GrainDay:
		start, layout = time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC), "d20060102"
		c.to = start.AddDate(0, 0, 1).UnixMicro()
	default:
		start, layout = at.Truncate(time.Hour), "h2006010215"
		c.to = start.UnixMicro() + hourMicros
	}
	c.from, c.grain, c.last = start.UnixMicro(), g, start.Format(layout)
	return c.last
}
