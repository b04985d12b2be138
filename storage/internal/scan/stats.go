package scan

import (
	"quern/storage/internal/segment"
	"quern/storage/types"
)

// Stats gathers what segments say of one column without reading its values.
// They are estimates: deleted and expired rows count.
type Stats struct {
	Rows, Nulls int64
	// Distinct is the number of entries of the largest dictionary, 0 if a
	// segment has none.
	Distinct int64
	// Min and Max bound all values if Bounded: order-preserving integers.
	Min, Max int64
	Bounded  bool

	unknown, noDict bool
}

// Add takes a segment in. A column that the segment lacks is left out.
func (s *Stats) Add(f *segment.File, id uint32, typ types.Type) error {
	col, err := f.Column(id)
	if err != nil || col == nil {
		return err
	}
	if col.Type().OID != typ.OID {
		s.unknown, s.noDict = true, true
	}
	ints := false
	switch typ.Phys() {
	case types.PhysBool, types.PhysI16, types.PhysI32, types.PhysI64:
		ints = true
	}
	dict := col.HasDict()
	for g, group := range f.Groups() {
		z := col.Zone(g, 0, group.Rows)
		s.Rows += int64(z.Rows)
		s.Nulls += int64(z.Nulls)
		switch {
		case z.Nulls == z.Rows:
		case dict:
			s.Distinct = max(s.Distinct, z.MaxI+1)
		case ints && z.Flags&^1 == 0 && !s.unknown:
			if !s.Bounded {
				s.Min, s.Max, s.Bounded = z.MinI, z.MaxI, true
			}
			s.Min, s.Max = min(s.Min, z.MinI), max(s.Max, z.MaxI)
		default:
			s.unknown = true
		}
	}
	s.noDict = s.noDict || !dict
	return nil
}

// Done ends the gathering.
func (s *Stats) Done() {
	if s.unknown {
		s.Bounded = false
	}
	if s.noDict {
		s.Distinct = 0
	}
}
