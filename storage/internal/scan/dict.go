package scan

import (
	"sort"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// codeSet is a predicate decided for every entry of a dictionary: a range of
// codes, or else a bit per code.
type codeSet struct {
	lo, hi uint32 // inclusive, empty if lo > hi
	not    bool
	bits   []uint64
}

// dictCache keeps what predicates mean on the dictionaries of one reader.
type dictCache struct {
	sets map[dictKey]*codeSet
}

type dictKey struct {
	p  *pred
	id uint64
}

func (d *dictCache) get(p *pred, dict *vec.Dictionary) *codeSet {
	k := dictKey{p, dict.ID}
	if s := d.sets[k]; s != nil {
		return s
	}
	s := p.codes(dict)
	if d.sets == nil {
		d.sets = map[dictKey]*codeSet{}
	}
	d.sets[k] = s
	return s
}

// codes decides c on dict: bounds by binary search if it is sorted, else one
// bit per entry.
func (c *pred) codes(dict *vec.Dictionary) *codeSet {
	n := dict.Values.Len
	if !dict.Sorted || c.op == In || c.kind != ordered || c.typ.OID == types.BpcharOID {
		s := &codeSet{bits: make([]uint64, (n+63)/64)}
		for i := range n {
			if c.holds(&dict.Values, i) {
				s.bits[i>>6] |= 1 << (i & 63)
			}
		}
		return s
	}
	lower := sort.Search(n, func(i int) bool { return vec.Compare(&dict.Values, i, &c.consts[0], 0) >= 0 })
	upper := lower
	if lower < n && vec.Compare(&dict.Values, lower, &c.consts[0], 0) == 0 {
		upper++
	}
	switch c.op {
	case Eq:
		return span(lower, upper, false)
	case Ne:
		return span(lower, upper, true)
	case Lt:
		return span(0, lower, false)
	case Le:
		return span(0, upper, false)
	case Gt:
		return span(upper, n, false)
	}
	return span(lower, n, false)
}

// span is the codes from ≤ code < to, or all others.
func span(from, to int, not bool) *codeSet {
	if from == to {
		if not {
			return &codeSet{lo: 0, hi: ^uint32(0)}
		}
		return &codeSet{lo: 1, hi: 0}
	}
	return &codeSet{lo: uint32(from), hi: uint32(to - 1), not: not}
}

// any tells whether some code from lo to hi may be in s.
func (s *codeSet) any(lo, hi uint32) bool {
	switch {
	case s.bits != nil:
		for c := lo; c <= hi && int(c>>6) < len(s.bits); c++ {
			if s.bits[c>>6]>>(c&63)&1 != 0 {
				return true
			}
		}
		return false
	case s.not:
		return lo < s.lo || hi > s.hi
	}
	return s.lo <= s.hi && lo <= s.hi && hi >= s.lo
}

func (c *pred) matchDict(v *vec.Vector, sel, dst vec.Selection, dicts *dictCache) vec.Selection {
	s := dicts.get(c, v.Dict)
	switch {
	case s.bits != nil:
		return kernel.SelectCodes(dst, v.Codes()[:v.Len], sel, s.bits)
	case s.lo > s.hi:
		return dst[:0]
	}
	return kernel.SelectRange(dst, v.Codes()[:v.Len], sel, s.lo, s.hi, s.not)
}
