package order

import (
	"sort"
	"sync/atomic"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// Bound is what a top-N knows of the rows that it still needs: their first key's
// word is at most the bound's. Workers share it and it only gets tighter, so that
// stages below can leave rows out that they have not read yet. Rows come in
// morsels; if Strict, rows that differ in their words only are wanted in the order
// of their morsels, so that those of later morsels need a smaller word.
type Bound struct {
	Key    Key
	Strict bool
	at     atomic.Pointer[boundAt]
}

type boundAt struct {
	word   uint64
	morsel int
}

// Tighten lowers the bound to the word of a row of a morsel.
func (b *Bound) Tighten(word uint64, morsel int) {
	x := &boundAt{word, morsel}
	for old := b.at.Load(); old == nil || word < old.word || word == old.word && morsel < old.morsel; old = b.at.Load() {
		if b.at.CompareAndSwap(old, x) {
			return
		}
	}
}

// Has tells whether rows may be left out at all.
func (b *Bound) Has() bool { return b != nil && b.at.Load() != nil }

// word is the greatest word that a row of a morsel may have; ok is false if none
// is small enough.
func (b *Bound) word(morsel int) (w uint64, ok bool) {
	at := b.at.Load()
	if b.Strict && morsel > at.morsel {
		return at.word - 1, at.word > 0
	}
	return at.word, true
}

// Outside tells that no row of a morsel is needed whose key, an integer, lies
// between lo and hi or, if there are any, is NULL.
func (b *Bound) Outside(morsel int, lo, hi int64, nulls bool) bool {
	if !b.Has() || nulls && b.Key.NullsFirst {
		return false
	}
	w := uint64(lo) ^ 1<<63
	if b.Key.Desc {
		w = ^(uint64(hi) ^ 1<<63)
	}
	bound, ok := b.word(morsel)
	return !ok || w > bound
}

// BoundFilter applies a bound to batches, for one worker.
type BoundFilter struct {
	B     *Bound
	flat  vec.Scratch
	sel   vec.Selection
	words []uint64
	dict  uint64 // whose codes cut belongs to
	word  uint64 // and of which bound
	cut   int
}

// Select gives the rows of sel (nil = all), n rows of a morsel, whose first key v
// may be within the bound, which is set. The selection is valid until the next
// call.
func (f *BoundFilter) Select(morsel int, v *vec.Vector, sel vec.Selection, n int) vec.Selection {
	if cap(f.sel) < n {
		f.sel, f.words = make(vec.Selection, max(n, vec.BatchRows)), make([]uint64, max(n, vec.BatchRows))
	}
	bound, ok := f.B.word(morsel)
	if !ok && (v.Valid == nil || !f.B.Key.NullsFirst) {
		return f.sel[:0]
	}
	if v.Form == vec.Dict && v.Dict.Sorted && v.Dict.ID != 0 && v.Valid == nil && v.Type.OID != types.BpcharOID {
		return f.selectCodes(v, sel, bound)
	}
	k := f.B.Key
	src := *v
	var flat vec.Vector
	f.flat.Flatten(&flat, &src, sel)
	out, j := f.sel[:n], 0
	rows := []uint16(sel)
	if rows == nil {
		rows = allRows[:n]
	}
	Words(f.words[:n], &flat, rows, k.Desc)
	if ok && flat.Valid == nil {
		for i, r := range rows {
			out[j] = r
			if f.words[i] <= bound {
				j++
			}
		}
		return out[:j]
	}
	for i, r := range rows {
		keep := ok && f.words[i] <= bound
		if flat.Null(int(r)) {
			keep = k.NullsFirst
		}
		out[j] = r
		if keep {
			j++
		}
	}
	return out[:j]
}

// selectCodes compares codes with that of the bound.
func (f *BoundFilter) selectCodes(v *vec.Vector, sel vec.Selection, bound uint64) vec.Selection {
	n, desc := v.Dict.Values.Len, f.B.Key.Desc
	if f.dict != v.Dict.ID || f.word != bound {
		f.dict, f.word = v.Dict.ID, bound
		f.cut = sort.Search(n, func(i int) bool {
			var w [1]uint64
			Words(w[:], &v.Dict.Values, []uint32{uint32(i)}, desc)
			return (w[0] > bound) != desc // ascending: the first outside; descending: the first within
		})
	}
	lo, hi := 0, f.cut
	if desc {
		lo, hi = f.cut, n
	}
	if lo >= hi {
		return f.sel[:0]
	}
	return kernel.SelectRange(f.sel[:cap(f.sel)], v.Codes()[:v.Len], sel, uint32(lo), uint32(hi-1), false)
}

// allRows lists the rows of a batch.
var allRows = func() []uint16 {
	s := make([]uint16, vec.MaxBatchRows)
	for i := range s {
		s[i] = uint16(i)
	}
	return s
}()
