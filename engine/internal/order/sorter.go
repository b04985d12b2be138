package order

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"quern/engine/internal/kernel"
	"quern/storage/types"
	"quern/storage/vec"
)

// Key is one ORDER BY item over materialised columns.
type Key struct {
	Col        int
	Desc       bool
	NullsFirst bool
}

// Exact tells whether Words of a type are exact.
func Exact(t types.Type) bool {
	switch t.Phys() {
	case types.PhysBool, types.PhysI16, types.PhysI32, types.PhysI64, types.PhysF32, types.PhysF64:
		return true
	}
	return false
}

// Words writes a word per row such that a smaller value never has a greater
// word. exact tells that equal words mean equal values. v is Flat and no listed
// row is NULL. One switch over physical types (a table).
func Words[I uint16 | uint32](dst []uint64, v *vec.Vector, rows []I, desc bool) (exact bool) {
	exact = true
	switch v.Type.Phys() {
	case types.PhysBool:
		intWords(dst, v.Fixed, rows)
	case types.PhysI16:
		intWords(dst, vec.Values[int16](v), rows)
	case types.PhysI32:
		if v.Type.Unsigned() {
			intWords(dst, vec.Values[uint32](v), rows)
		} else {
			intWords(dst, vec.Values[int32](v), rows)
		}
	case types.PhysI64:
		intWords(dst, vec.Values[int64](v), rows)
	case types.PhysF32:
		vals := vec.Values[float32](v)
		for i, r := range rows {
			dst[i] = floatWord(float64(vals[r]))
		}
	case types.PhysF64:
		vals := vec.Values[float64](v)
		for i, r := range rows {
			dst[i] = floatWord(vals[r])
		}
	case types.PhysNum:
		vals := vec.Values[types.Num](v)
		exact = false
		for i, r := range rows {
			dst[i] = numWord(vals[r])
		}
	case types.PhysInterval:
		vals := vec.Values[types.IntervalVal](v)
		exact = false
		for i, r := range rows {
			hi, lo := vec.IntervalTotal(vals[r])
			dst[i] = uint64(hi<<40|int64(lo>>24)) ^ 1<<63
		}
	case types.PhysUUID:
		exact = false
		for i, r := range rows {
			dst[i] = binary.BigEndian.Uint64(v.Fixed[16*int(r):])
		}
	default:
		exact = false
		for i, r := range rows {
			w := &v.Views[r]
			if w.Len <= 12 && v.Type.OID != types.BpcharOID {
				// Bytes beyond the length are zero in an inline view.
				dst[i] = bits.ReverseBytes64(uint64(w.A) | uint64(w.B)<<32)
				continue
			}
			dst[i] = prefixWord(v.Type, w.Bytes(v.Bufs))
		}
	}
	if desc {
		for i := range rows {
			dst[i] = ^dst[i]
		}
	}
	return exact
}

func intWords[T kernel.Int, I uint16 | uint32](dst []uint64, vals []T, rows []I) {
	for i, r := range rows {
		dst[i] = uint64(int64(vals[r])) ^ 1<<63
	}
}

func floatWord(f float64) uint64 {
	switch {
	case f != f:
		return math.MaxUint64
	case f == 0:
		return 1 << 63
	}
	b := math.Float64bits(f)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

// Parts of numWord's image of a decimal: exponent and leading digits.
const (
	numDigits   = 15 // 10^15 < 2^50
	numExpShift = 50
	numExpBias  = 4096
)

// numWord is a monotone, inexact image of a decimal: sign, power of ten and the
// first 15 digits.
func numWord(n types.Num) uint64 {
	const zero = 1 << 63
	switch n.Kind {
	case types.NumNaN:
		return math.MaxUint64
	case types.NumPosInf:
		return math.MaxUint64 - 1
	case types.NumNegInf:
		return 0
	}
	x := vec.NormNum(n)
	hi, lo, neg := uint64(x.Hi), x.Lo, x.Hi < 0
	if neg {
		var b uint64
		lo, b = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, b)
	}
	if hi == 0 && lo == 0 {
		return zero
	}
	e := numExpBias + numDigits - int(x.Scale)
	for hi != 0 {
		q, r := hi/10, hi%10
		lo, _ = bits.Div64(r, lo, 10)
		hi = q
		e++
	}
	for ; lo >= 1e15; e++ {
		lo /= 10
	}
	for ; lo < 1e14; e-- {
		lo *= 10
	}
	if e < 1 {
		e, lo = 1, 0
	}
	w := uint64(min(e, 2*numExpBias-1))<<numExpShift | lo
	if neg {
		return zero - w
	}
	return zero + w
}

func prefixWord(t types.Type, b []byte) uint64 {
	if t.OID == types.BpcharOID {
		for len(b) > 0 && b[len(b)-1] == ' ' {
			b = b[:len(b)-1]
		}
	}
	var p [8]byte
	copy(p[:], b)
	return binary.BigEndian.Uint64(p[:])
}

// Sorter orders rows of materialised columns. Not for concurrent use.
type Sorter struct {
	Cols []vec.Vector
	Keys []Key
	k    kernel.Sorter
	w    []uint64
	tmp  []uint32
	// Stop, if set, is asked now and then: when it says true, Sort ends soon and
	// leaves rows in any order.
	Stop  func() bool
	asked int
	ended bool
}

// stopped asks Stop at every 1,024th call: a comparison is cheaper than asking.
func (s *Sorter) stopped() bool {
	if s.asked++; s.asked&1023 == 0 && s.Stop != nil && s.Stop() {
		s.ended = true
	}
	return s.ended
}

// Size is the memory of the scratch, in bytes.
func (s *Sorter) Size() int { return s.k.Size() + 8*cap(s.w) + 4*cap(s.tmp) }

// ScratchBytes is what sorting needs per row beside the row's number.
const ScratchBytes = 20

// Sort orders rows, which are ascending, by the keys; equal rows keep their
// order.
func (s *Sorter) Sort(rows []uint32) {
	s.k.Stop = s.Stop
	s.sort(rows, 0)
}

// sort orders rows, which are ascending, by the keys from level on; equal rows
// keep their order.
func (s *Sorter) sort(rows []uint32, level int) {
	if len(rows) < 2 || level == len(s.Keys) || s.stopped() {
		return
	}
	k := s.Keys[level]
	v := &s.Cols[k.Col]
	if v.Valid != nil {
		vals, nulls := s.splitNulls(rows, v, k.NullsFirst)
		s.sort(nulls, level+1)
		rows = vals
	}
	if cap(s.w) < len(rows) {
		s.w = make([]uint64, len(rows))
	}
	w := s.w[:len(rows)]
	exact := Words(w, v, rows, k.Desc)
	s.k.SortPairs(w, rows)
	if exact && level+1 == len(s.Keys) {
		return
	}
	// Runs are found before words are overwritten by deeper levels.
	var runs []int
	for lo := 0; lo < len(rows); {
		hi := lo + 1
		for hi < len(rows) && w[hi] == w[lo] {
			hi++
		}
		if hi-lo > 1 {
			runs = append(runs, lo, hi)
		}
		lo = hi
	}
	for i := 0; i < len(runs); i += 2 {
		run := rows[runs[i]:runs[i+1]]
		if exact {
			s.sort(run, level+1)
		} else {
			s.sortTies(run, v, level)
		}
	}
}

// sortTies orders rows whose words do not decide.
func (s *Sorter) sortTies(rows []uint32, v *vec.Vector, level int) {
	if v.Type.Phys() == types.PhysBytes && v.Type.OID != types.BpcharOID && len(rows) > 32 {
		s.sortBytes(rows, v, level, 8)
		return
	}
	s.sortCompare(rows, v, level)
}

// sortCompare orders rows by comparing values, then by deeper levels.
func (s *Sorter) sortCompare(rows []uint32, v *vec.Vector, level int) {
	desc := s.Keys[level].Desc
	// Rows that a word does not tell apart are mostly equal: one pass shows it.
	same := 1
	for same < len(rows) && !s.stopped() && vec.Compare(v, int(rows[0]), v, int(rows[same])) == 0 {
		same++
	}
	if same == len(rows) {
		s.sort(rows, level+1)
		return
	}
	slices.SortStableFunc(rows, func(a, b uint32) int {
		if s.stopped() {
			return 0
		}
		c := vec.Compare(v, int(a), v, int(b))
		if desc {
			return -c
		}
		return c
	})
	if level+1 == len(s.Keys) {
		return
	}
	for lo := 0; lo < len(rows); {
		hi := lo + 1
		for hi < len(rows) && !s.stopped() && vec.Compare(v, int(rows[lo]), v, int(rows[hi])) == 0 {
			hi++
		}
		s.sort(rows[lo:hi], level+1)
		lo = hi
	}
}

// sortBytes orders strings that agree in their first from bytes (zeros standing
// for bytes beyond the end), eight bytes at a time.
func (s *Sorter) sortBytes(rows []uint32, v *vec.Vector, level, from int) {
	first := v.Views[rows[0]].Bytes(v.Bufs)
	lcp := len(first)
	for _, r := range rows[1:] {
		b := v.Views[r].Bytes(v.Bufs)
		lcp = min(lcp, len(b))
		i := min(from, lcp)
		for i < lcp && b[i] == first[i] {
			i++
		}
		lcp = i
	}
	from = max(from, lcp)
	if cap(s.w) < len(rows) {
		s.w = make([]uint64, len(rows))
	}
	w := s.w[:len(rows)]
	desc := s.Keys[level].Desc
	for i, r := range rows {
		b := v.Views[r].Bytes(v.Bufs)
		w[i] = prefixWord(v.Type, b[min(from, len(b)):])
		if desc {
			w[i] = ^w[i]
		}
	}
	s.k.SortPairs(w, rows)
	var runs []int
	for lo := 0; lo < len(rows); {
		hi := lo + 1
		for hi < len(rows) && w[hi] == w[lo] {
			hi++
		}
		if hi-lo > 1 {
			runs = append(runs, lo, hi)
		}
		lo = hi
	}
	for i := 0; i < len(runs); i += 2 {
		run := rows[runs[i]:runs[i+1]]
		longer := false
		for _, r := range run {
			longer = longer || int(v.Views[r].Len) > from+8
		}
		if longer && len(run) > 32 {
			s.sortBytes(run, v, level, from+8)
		} else {
			s.sortCompare(run, v, level)
		}
	}
}

// splitNulls moves NULLs to one end, keeping the order within both parts.
func (s *Sorter) splitNulls(rows []uint32, v *vec.Vector, first bool) (vals, nulls []uint32) {
	s.tmp = s.tmp[:0]
	k := 0
	for _, r := range rows {
		if v.Null(int(r)) == first {
			// stays in front
			rows[k] = r
			k++
		} else {
			s.tmp = append(s.tmp, r)
		}
	}
	copy(rows[k:], s.tmp)
	if first {
		return rows[k:], rows[:k]
	}
	return rows[:k], rows[k:]
}

// Equal tells whether two rows are equal in the first n keys.
func (s *Sorter) Equal(a, b uint32, n int) bool {
	for _, k := range s.Keys[:n] {
		if !vec.Equal(&s.Cols[k.Col], int(a), &s.Cols[k.Col], int(b)) {
			return false
		}
	}
	return true
}

// Split reorders rows into ranges of the first key, NULLs in one of their
// own, each keeping its order, and returns the ranges' borders.
func Split(v *vec.Vector, k Key, rows []uint32, ranges int) []int {
	border := []int{0}
	s := Sorter{}
	vals := rows
	if v.Valid != nil {
		var nulls []uint32
		vals, nulls = s.splitNulls(rows, v, k.NullsFirst)
		if k.NullsFirst {
			border = append(border, len(nulls))
		}
	}
	off := border[len(border)-1]
	words := make([]uint64, len(vals))
	Words(words, v, vals, k.Desc)
	var sample []uint64
	for i := 0; i < len(words); i += max(1, len(words)/(64*ranges)) {
		sample = append(sample, words[i])
	}
	slices.Sort(sample)
	var cuts []uint64 // range i holds words < cuts[i] and ≥ cuts[i-1]
	for i := 1; i < ranges && len(sample) > 0; i++ {
		c := sample[i*len(sample)/ranges]
		if len(cuts) == 0 || c > cuts[len(cuts)-1] {
			cuts = append(cuts, c)
		}
	}
	place := make([]uint16, len(words))
	count := make([]int, len(cuts)+1)
	for i, w := range words {
		b, _ := slices.BinarySearch(cuts, w+1)
		if w == math.MaxUint64 {
			b = len(cuts)
		}
		place[i] = uint16(b)
		count[b]++
	}
	starts := make([]int, len(count))
	at := 0
	for i, c := range count {
		starts[i] = at
		at += c
		border = append(border, off+at)
	}
	out := make([]uint32, len(vals))
	for i, r := range vals {
		out[starts[place[i]]] = r
		starts[place[i]]++
	}
	copy(vals, out)
	if border[len(border)-1] < len(rows) {
		border = append(border, len(rows))
	}
	return border
}

// Compare orders two values of a sort key.
func Compare(a *vec.Vector, i int, b *vec.Vector, j int, desc, nullsFirst bool) int {
	an, bn := a.Null(i), b.Null(j)
	if an || bn {
		switch {
		case an && bn:
			return 0
		case an == nullsFirst:
			return -1
		}
		return 1
	}
	c := vec.Compare(a, i, b, j)
	if desc {
		return -c
	}
	return c
}
