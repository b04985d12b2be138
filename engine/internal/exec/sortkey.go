package exec

import (
	"context"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"quern/engine/internal/kernel"
	"quern/engine/internal/sched"
	"quern/storage/types"
	"quern/storage/vec"
)

// sortKey is one ORDER BY item over materialised columns.
type sortKey struct {
	col        int
	desc       bool
	nullsFirst bool
}

// sortWords writes a word per row such that a smaller value never has a greater
// word. exact tells that equal words mean equal values. v is Flat and no listed
// row is NULL. One switch over physical types (a table).
func sortWords[I uint16 | uint32](dst []uint64, v *vec.Vector, rows []I, desc bool) (exact bool) {
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

// sorter orders rows of materialised columns.
type sorter struct {
	cols []vec.Vector
	keys []sortKey
	k    kernel.Sorter
	w    []uint64
	tmp  []uint32
}

// sort orders rows, which are ascending, by the keys from level on; equal rows
// keep their order.
func (s *sorter) sort(rows []uint32, level int) {
	if len(rows) < 2 || level == len(s.keys) {
		return
	}
	k := s.keys[level]
	v := &s.cols[k.col]
	if v.Valid != nil {
		vals, nulls := s.splitNulls(rows, v, k.nullsFirst)
		s.sort(nulls, level+1)
		rows = vals
	}
	if cap(s.w) < len(rows) {
		s.w = make([]uint64, len(rows))
	}
	w := s.w[:len(rows)]
	exact := sortWords(w, v, rows, k.desc)
	s.k.SortPairs(w, rows)
	if exact && level+1 == len(s.keys) {
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
func (s *sorter) sortTies(rows []uint32, v *vec.Vector, level int) {
	if v.Type.Phys() == types.PhysBytes && v.Type.OID != types.BpcharOID && len(rows) > 32 {
		s.sortBytes(rows, v, level, 8)
		return
	}
	s.sortCompare(rows, v, level)
}

// sortCompare orders rows by comparing values, then by deeper levels.
func (s *sorter) sortCompare(rows []uint32, v *vec.Vector, level int) {
	desc := s.keys[level].desc
	slices.SortStableFunc(rows, func(a, b uint32) int {
		c := vec.Compare(v, int(a), v, int(b))
		if desc {
			return -c
		}
		return c
	})
	if level+1 == len(s.keys) {
		return
	}
	for lo := 0; lo < len(rows); {
		hi := lo + 1
		for hi < len(rows) && vec.Compare(v, int(rows[lo]), v, int(rows[hi])) == 0 {
			hi++
		}
		s.sort(rows[lo:hi], level+1)
		lo = hi
	}
}

// sortBytes orders strings that agree in their first from bytes (zeros standing
// for bytes beyond the end), eight bytes at a time.
func (s *sorter) sortBytes(rows []uint32, v *vec.Vector, level, from int) {
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
	desc := s.keys[level].desc
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
func (s *sorter) splitNulls(rows []uint32, v *vec.Vector, first bool) (vals, nulls []uint32) {
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

// equal tells whether two rows are equal in the first n keys.
func (s *sorter) equal(a, b uint32, n int) bool {
	for _, k := range s.keys[:n] {
		if !vec.Equal(&s.cols[k.col], int(a), &s.cols[k.col], int(b)) {
			return false
		}
	}
	return true
}

// parallelSortRows is the size from which sorting uses several workers.
const parallelSortRows = 1 << 16

// sortRows returns the numbers of the rows in order, accounting for them.
func (q *query) sortRows(ctx context.Context, set *rowset, keys []sortKey) ([]uint32, error) {
	rows := make([]uint32, set.rows)
	for i := range rows {
		rows[i] = uint32(i)
	}
	acct := q.account()
	defer acct.Close()
	if err := acct.Set(int64(24 * set.rows)); err != nil {
		return nil, err
	}
	if set.rows < q.sortSplit || q.threads < 2 || len(keys) == 0 {
		err := sched.Run(ctx, 1, 1, func(context.Context, int, int) error {
			s := sorter{cols: set.cols, keys: keys}
			s.sort(rows, 0)
			return nil
		})
		return rows, err
	}
	buckets := splitRange(set, keys, rows, 8*q.threads)
	sorters := make([]*sorter, q.threads)
	err := sched.Run(ctx, q.threads, len(buckets)-1, func(_ context.Context, w, m int) error {
		if sorters[w] == nil {
			sorters[w] = &sorter{cols: set.cols, keys: keys}
		}
		sorters[w].sort(rows[buckets[m]:buckets[m+1]], 0)
		return nil
	})
	return rows, err
}

// splitRange reorders rows into ranges of the first key, NULLs in one of their
// own, each keeping its order, and returns the ranges' borders.
func splitRange(set *rowset, keys []sortKey, rows []uint32, ranges int) []int {
	k := keys[0]
	v := &set.cols[k.col]
	border := []int{0}
	s := sorter{}
	vals := rows
	if v.Valid != nil {
		var nulls []uint32
		vals, nulls = s.splitNulls(rows, v, k.nullsFirst)
		if k.nullsFirst {
			border = append(border, len(nulls))
		}
	}
	off := border[len(border)-1]
	words := make([]uint64, len(vals))
	sortWords(words, v, vals, k.desc)
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
