package exec

import (
	"math/bits"

	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// joinFilter is what the build side of a join knows of the rows of a probe scan
// that can match: the bounds of the keys, as predicates that prune by zone maps,
// and a set of them. It acts on what the scan may show, behind its policies, so
// that nothing of hidden rows takes part.
type joinFilter struct {
	col int // of the scan
	set keySet
}

// keySet holds int keys: those from lo to lo+64·len(bits)−1 exactly, or, where
// their range is too wide for a bit each, a Bloom filter of one word per key.
type keySet struct {
	lo    int64
	bits  []uint64
	bloom bool
	shift uint // of a hash, to its word
}

func (k *keySet) has(v int64) bool {
	i := uint64(v - k.lo)
	return i>>6 < uint64(len(k.bits)) && k.bits[i>>6]>>(i&63)&1 != 0
}

// word gives the place of a key in a Bloom filter and the bits that it sets.
func (k *keySet) word(v int64) (at, mask uint64) {
	h := uint64(v) * 0x9E3779B97F4A7C15
	return h >> k.shift, 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63)
}

func (k *keySet) maybe(v int64) bool {
	at, mask := k.word(v)
	return k.bits[at]&mask == mask
}

const (
	// filterList is the most keys that are compared one by one.
	filterList = 8
	// filterSpread bounds the bits of a set: per key, and at least.
	filterSpread   = 64
	filterBitsMin  = 1 << 23
	filterBitsMax  = 1 << 28
	filterBloomMax = 1 << 22 // keys
	filterUselessN = 8       // a set that keeps more than n−1 rows of n is not asked any more
	filterTrial    = 16 * vec.BatchRows
)

// filterProbe gives the scans below the probe side what the build side knows.
// The build side is complete, the probe side not prepared.
func (s *joinStage) filterProbe() {
	if s.side == nil || s.side.table == nil || !s.dropsProbe() {
		return
	}
	for i, k := range s.probeKeys {
		if k.col < 0 || s.nullAware() || s.buildKeys[i].typ.OID != k.typ.OID {
			continue
		}
		switch k.typ.Phys() {
		case types.PhysI16, types.PhysI32, types.PhysI64:
		default:
			continue
		}
		if scan, col := scanColumn(s.probe, k.col); scan != nil {
			scan.addJoinFilter(col, &s.side.keyCols[i], s.side.set.rows)
		}
	}
}

// dropsProbe tells whether a probe row without match has no part in the result.
func (s *joinStage) dropsProbe() bool {
	switch s.kind {
	case plan.Inner, plan.Right, plan.Semi:
		return true
	case plan.Anti:
		return s.swapped
	}
	return false
}

// scanColumn finds the scan that a column of s comes from, through operators
// for which it is the same to drop rows below or above them.
func scanColumn(s stage, col int) (*scanStage, int) {
	switch s := s.(type) {
	case *countStage:
		return scanColumn(s.in, col)
	case *scanStage:
		return s, col
	case *filterStage:
		return scanColumn(s.stage, col)
	case *projectStage:
		if c := s.exprs[col].col; c >= 0 {
			return scanColumn(s.stage, c)
		}
	case *aggStage:
		if col < len(s.keys) && s.keys[col].col >= 0 {
			return scanColumn(s.in, s.keys[col].col)
		}
	case *joinStage:
		return s.sideColumn(col)
	}
	return nil, 0
}

// sideColumn is scanColumn for a join that is not prepared.
func (s *joinStage) sideColumn(col int) (*scanStage, int) {
	if s.side != nil || s.spilled != nil {
		return nil, 0
	}
	left, right, nleft := s.probe, s.build, len(s.probeTyps)
	if s.swapped {
		left, right, nleft = right, left, len(s.buildTyps)
	}
	switch s.kind {
	case plan.Inner:
	case plan.Right:
		if !s.swapped && col < nleft {
			return nil, 0
		}
	case plan.Left, plan.Semi, plan.Anti, plan.AntiNull, plan.Mark, plan.Single:
		if col >= nleft {
			return nil, 0
		}
	default:
		return nil, 0
	}
	if col < nleft {
		return scanColumn(left, col)
	}
	return scanColumn(right, col-nleft)
}

// addJoinFilter lets only rows pass whose column col is one of keys.
func (s *scanStage) addJoinFilter(col int, keys *vec.Vector, rows int) {
	var vals []int64
	switch keys.Type.Phys() {
	case types.PhysI16:
		vals = validKeys(vec.Values[int16](keys), keys, rows)
	case types.PhysI32:
		if keys.Type.Unsigned() {
			vals = validKeys(vec.Values[uint32](keys), keys, rows)
		} else {
			vals = validKeys(vec.Values[int32](keys), keys, rows)
		}
	case types.PhysI64:
		vals = validKeys(vec.Values[int64](keys), keys, rows)
	}
	s.closeScan() // it was opened to estimate its rows
	if len(vals) <= filterList {
		p := storage.Pred{Col: col, Op: storage.PredIn}
		for _, v := range vals {
			p.Vals = append(p.Vals, types.Datum{I: v})
		}
		s.spec.Preds = append(s.spec.Preds, p)
		return
	}
	lo, hi := vals[0], vals[0]
	for _, v := range vals {
		lo, hi = min(lo, v), max(hi, v)
	}
	s.spec.Preds = append(s.spec.Preds,
		storage.Pred{Col: col, Op: storage.PredGe, Val: types.Datum{I: lo}},
		storage.Pred{Col: col, Op: storage.PredLe, Val: types.Datum{I: hi}})
	span := uint64(hi-lo) + 1 // 0 if all of int8
	if span == 0 || span > filterBitsMax || span > max(filterBitsMin, filterSpread*uint64(len(vals))) {
		s.addBloom(col, vals)
		return
	}
	set := keySet{lo: lo, bits: make([]uint64, (span+63)/64)}
	for _, v := range vals {
		i := uint64(v - lo)
		set.bits[i>>6] |= 1 << (i & 63)
	}
	s.filters = append(s.filters, joinFilter{col: col, set: set})
}

func (s *scanStage) addBloom(col int, vals []int64) {
	if len(vals) > filterBloomMax {
		return
	}
	n := bits.Len(uint(len(vals) - 1)) // words ≥ keys: some 2 in 1,000 pass in error
	set := keySet{bloom: true, shift: uint(64 - n), bits: make([]uint64, 1<<n)}
	for _, v := range vals {
		at, b := set.word(v)
		set.bits[at] |= b
	}
	s.filters = append(s.filters, joinFilter{col: col, set: set})
}

func validKeys[T int16 | int32 | uint32 | int64](from []T, v *vec.Vector, rows int) []int64 {
	out := make([]int64, 0, rows)
	for i, x := range from[:rows] {
		if !v.Null(i) {
			out = append(out, int64(x))
		}
	}
	return out
}

// filterRun is a joinFilter in use by one worker.
type filterRun struct {
	*joinFilter
	in, out int
	off     bool
	sel     vec.Selection
}

// apply shortens sel (nil = all rows) by the filter.
func (f *filterRun) apply(v *vec.Vector, sel vec.Selection) vec.Selection {
	n := v.Len
	if sel != nil {
		n = len(sel)
	}
	out := f.pick(v, sel, n)
	f.in += n
	f.out += len(out)
	if f.in >= filterTrial && f.out > f.in-f.in/filterUselessN {
		f.off = true
	}
	return out
}

func (f *filterRun) pick(v *vec.Vector, sel vec.Selection, n int) vec.Selection {
	if cap(f.sel) < n {
		f.sel = make(vec.Selection, max(n, vec.BatchRows))
	}
	dst := f.sel[:n]
	if v.Form != vec.Flat {
		k := 0
		for i := range n {
			r := i
			if sel != nil {
				r = int(sel[i])
			}
			dst[k] = uint16(r)
			if v.Null(r) {
				continue
			}
			if x := v.Datum(r).I; f.set.bloom && f.set.maybe(x) || !f.set.bloom && f.set.has(x) {
				k++
			}
		}
		return dst[:k]
	}
	switch v.Type.Phys() {
	case types.PhysI16:
		return pickKeys(dst, vec.Values[int16](v), v, sel, &f.set)
	case types.PhysI32:
		if v.Type.Unsigned() {
			return pickKeys(dst, vec.Values[uint32](v), v, sel, &f.set)
		}
		return pickKeys(dst, vec.Values[int32](v), v, sel, &f.set)
	}
	return pickKeys(dst, vec.Values[int64](v), v, sel, &f.set)
}

func pickKeys[T int16 | int32 | uint32 | int64](dst vec.Selection, vals []T, v *vec.Vector, sel vec.Selection, set *keySet) vec.Selection {
	k := 0
	if set.bloom {
		for i := range dst {
			r := i
			if sel != nil {
				r = int(sel[i])
			}
			dst[k] = uint16(r)
			if set.maybe(int64(vals[r])) && !v.Null(r) {
				k++
			}
		}
		return dst[:k]
	}
	if sel == nil && v.Valid == nil {
		for r, x := range vals[:len(dst)] {
			dst[k] = uint16(r)
			if set.has(int64(x)) {
				k++
			}
		}
		return dst[:k]
	}
	for i := range dst {
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		dst[k] = uint16(r)
		if set.has(int64(vals[r])) && !v.Null(r) {
			k++
		}
	}
	return dst[:k]
}
