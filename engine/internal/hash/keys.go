// Package hash holds the tables of aggregation and joins.
//
// A group, or a build row's key, is a row of 64-bit words in one slice:
//
//	word 0        hash, its low 16 bits replaced by a bit per NULL key
//	key words     see Keys: 1 for integers and floats, 2 for strings (a View),
//	              3 and more where equal values may look different
//	state words   the aggregates'; all zero means "nothing seen"
//
// Row-major, because a random access then costs one cache miss whatever the
// number of keys and aggregates; pointer-free; equal keys have equal words,
// long strings excepted, whose bytes lie in the chunks of an Arenas.
//
// Table finds the rows of a batch at once: encode keys, find or insert all,
// then one loop per aggregate updates its state words. Partitions take rows out
// of tables that have outgrown the cache, by the top bits of the hash; each
// partition is merged in a table again, in cache.
package hash

import (
	"math"

	"quern/storage/types"
	"quern/storage/vec"
)

// kind says how a key's words are made.
type kind uint8

const (
	kindInt   kind = iota // 1 word
	kindFloat             // 1 word, −0 and NaN normalised
	kindUUID              // 2 words
	kindNum               // lo, hi, normal scale and kind; display scale (not compared)
	kindIval              // total lo, hi; micros, days and months (not compared)
	kindBytes             // a View: length and prefix, then inline bytes or (chunk, offset)
)

// nullBits is the room for NULL flags in word 0; more keys need more words.
const nullBits = 16

// col is one key column's place.
type col struct {
	typ  types.Type
	kind kind
	off  int
}

// Keys is the layout of a key list.
type Keys struct {
	cols  []col
	Words int // word 0 and all key words
	extra int // further words of NULL flags after word 0
	// raw: words 1..Words-1 compare as they are.
	raw     bool
	eq      []int // otherwise the words that do
	strs    []int // offsets of strings; their first word is in eq
	strCols []int // their columns
}

// NewKeys lays out keys of these types.
func NewKeys(typs []types.Type) *Keys {
	k := &Keys{Words: 1, raw: true}
	if len(typs) > nullBits {
		k.extra = (len(typs) + 63) / 64
	}
	k.Words += k.extra
	for w := range k.Words {
		k.eq = append(k.eq, w)
	}
	for _, t := range typs {
		c := col{typ: t, off: k.Words}
		words, eq := 1, 1
		switch t.Phys() {
		case types.PhysF32, types.PhysF64:
			c.kind = kindFloat
		case types.PhysUUID:
			c.kind, words, eq = kindUUID, 2, 2
		case types.PhysNum:
			c.kind, words, eq, k.raw = kindNum, 4, 3, false
		case types.PhysInterval:
			c.kind, words, eq, k.raw = kindIval, 4, 2, false
		case types.PhysBytes:
			c.kind, words, eq, k.raw = kindBytes, 2, 1, false
			k.strs, k.strCols = append(k.strs, k.Words), append(k.strCols, len(k.cols))
		}
		for w := range eq {
			k.eq = append(k.eq, k.Words+w)
		}
		k.Words += words
		k.cols = append(k.cols, c)
	}
	return k
}

// Len is the number of key columns.
func (k *Keys) Len() int { return len(k.cols) }

// HasStrings tells whether any key has bytes outside the words.
func (k *Keys) HasStrings() bool { return len(k.strs) > 0 }

// Strings are the first words of the string keys.
func (k *Keys) Strings() []int { return k.strs }

// Encode writes the keys of the rows sel (nil = all) of keys into rows, one row
// every stride words, and their hashes into hashes; len(hashes) rows. A string
// that does not fit its words has the position of its row in the second one
// instead of a place in an arena: see FromVector.
func (k *Keys) Encode(rows []uint64, stride int, hashes []uint64, keys []vec.Vector, sel vec.Selection) {
	n := len(hashes)
	for i := range keys {
		if i == 0 {
			vec.Hash(hashes, &keys[0], sel)
		} else {
			vec.HashAdd(hashes, &keys[i], sel)
		}
	}
	for i, h := range hashes {
		rows[i*stride] = h &^ (1<<nullBits - 1)
		for x := 1; x <= k.extra; x++ {
			rows[i*stride+x] = 0
		}
	}
	for i := range keys {
		k.encodeCol(rows, stride, i, &keys[i], sel, n)
	}
}

// row gives the base vector and the position in it of live row i.
func place(v *vec.Vector, sel vec.Selection, i int) int {
	r := i
	if sel != nil {
		r = int(sel[i])
	}
	switch v.Form {
	case vec.Const:
		return 0
	case vec.Dict:
		return int(v.Codes()[r])
	}
	return r
}

// encodeCol is one switch over kinds (a table, longer than other functions).
func (k *Keys) encodeCol(rows []uint64, stride, ci int, v *vec.Vector, sel vec.Selection, n int) {
	c := &k.cols[ci]
	if v.Valid != nil {
		k.encodeNullable(rows, stride, ci, v, sel, n)
		return
	}
	if v.Form == vec.Flat && c.kind == kindInt {
		off := c.off
		switch c.typ.Phys() {
		case types.PhysBool:
			encodeInts(rows, stride, off, v.Fixed, sel, n)
		case types.PhysI16:
			encodeInts(rows, stride, off, vec.Values[int16](v), sel, n)
		case types.PhysI32:
			if c.typ.Unsigned() {
				encodeInts(rows, stride, off, vec.Values[uint32](v), sel, n)
			} else {
				encodeInts(rows, stride, off, vec.Values[int32](v), sel, n)
			}
		default:
			encodeInts(rows, stride, off, vec.Values[int64](v), sel, n)
		}
		return
	}
	from := v
	if v.Form == vec.Dict {
		from = &v.Dict.Values
	}
	for i := range n {
		c.encode(rows[i*stride+c.off:], from, place(v, sel, i), i)
	}
}

func (k *Keys) encodeNullable(rows []uint64, stride, ci int, v *vec.Vector, sel vec.Selection, n int) {
	c := &k.cols[ci]
	from := v
	if v.Form == vec.Dict {
		from = &v.Dict.Values
	}
	words := k.Words
	if ci+1 < len(k.cols) {
		words = k.cols[ci+1].off
	}
	for i := range n {
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		if v.Null(r) {
			row := rows[i*stride : i*stride+words]
			if k.extra > 0 {
				row[1+ci>>6] |= 1 << (ci & 63)
			} else {
				row[0] |= 1 << ci
			}
			clear(row[c.off:])
			continue
		}
		c.encode(rows[i*stride+c.off:], from, place(v, sel, i), i)
	}
}

func encodeInts[T uint8 | int16 | int32 | uint32 | int64](rows []uint64, stride, off int, vals []T, sel vec.Selection, n int) {
	if sel == nil {
		for i, x := range vals[:n] {
			rows[off+i*stride] = uint64(int64(x))
		}
		return
	}
	for i, r := range sel[:n] {
		rows[off+i*stride] = uint64(int64(vals[r]))
	}
}

// encode writes value r of the flat vector from, which is not NULL. i is the
// row's position among the live rows.
func (c *col) encode(w []uint64, from *vec.Vector, r, i int) {
	switch c.kind {
	case kindInt:
		w[0] = intWord(c.typ, from, r)
	case kindFloat:
		f := 0.0
		if c.typ.Phys() == types.PhysF32 {
			f = float64(vec.Values[float32](from)[r])
		} else {
			f = vec.Values[float64](from)[r]
		}
		switch {
		case f != f:
			w[0] = 0x7FF8000000000001
		case f == 0:
			w[0] = 0
		default:
			w[0] = math.Float64bits(f)
		}
	case kindUUID:
		x := vec.CastSlice[uint64](from.Fixed)
		w[0], w[1] = x[2*r], x[2*r+1]
	case kindNum:
		x := vec.Values[types.Num](from)[r]
		y := vec.NormNum(x)
		w[0], w[1], w[2], w[3] = y.Lo, uint64(y.Hi), uint64(uint16(y.Scale))|uint64(y.Kind)<<16, uint64(uint16(x.Scale))
	case kindIval:
		x := vec.Values[types.IntervalVal](from)[r]
		hi, lo := vec.IntervalTotal(x)
		w[0], w[1], w[2], w[3] = lo, uint64(hi), uint64(x.Micros), uint64(uint32(x.Days))|uint64(uint32(x.Months))<<32
	case kindBytes:
		x := &from.Views[r]
		w[0], w[1] = uint64(x.Len)|uint64(x.A)<<32, uint64(x.B)|uint64(x.C)<<32
		if x.Len > InlineMax {
			w[1] = uint64(i)
		}
	}
}

func intWord(t types.Type, v *vec.Vector, r int) uint64 {
	switch t.Phys() {
	case types.PhysBool:
		return uint64(v.Fixed[r])
	case types.PhysI16:
		return uint64(int64(vec.Values[int16](v)[r]))
	case types.PhysI32:
		if t.Unsigned() {
			return uint64(vec.Values[uint32](v)[r])
		}
		return uint64(int64(vec.Values[int32](v)[r]))
	}
	return uint64(vec.Values[int64](v)[r])
}

// InlineMax is the longest string whose bytes lie in its words.
const InlineMax = 12

// Decode makes dst key column ci of n rows that lie every stride words; bufs
// are the arenas' chunks.
func (k *Keys) Decode(dst *vec.Vector, s *vec.Scratch, ci int, rows []uint64, stride, n int, bufs [][]byte) {
	c := &k.cols[ci]
	s.Flat(dst, c.typ, n)
	dst.Bufs = bufs
	for i := range n {
		row := rows[i*stride : i*stride+k.Words]
		null := row[0]>>ci&1 != 0
		if k.extra > 0 {
			null = row[1+ci>>6]>>(ci&63)&1 != 0
		}
		if null && dst.Valid == nil {
			dst.Valid = s.Valid(n)
		}
		if null {
			dst.Valid[i>>6] &^= 1 << (i & 63)
		}
	}
	switch c.kind {
	case kindInt:
		decodeInts(dst, c.typ, rows[c.off:], stride, n)
	case kindFloat:
		for i := range n {
			f := math.Float64frombits(rows[i*stride+c.off])
			if c.typ.Phys() == types.PhysF32 {
				vec.Values[float32](dst)[i] = float32(f)
			} else {
				vec.Values[float64](dst)[i] = f
			}
		}
	case kindUUID:
		out := vec.CastSlice[uint64](dst.Fixed)
		for i := range n {
			out[2*i], out[2*i+1] = rows[i*stride+c.off], rows[i*stride+c.off+1]
		}
	case kindNum:
		out := vec.Values[types.Num](dst)
		for i := range n {
			w := rows[i*stride+c.off:]
			x := types.Num{Lo: w[0], Hi: int64(w[1]), Scale: int16(w[2]), Kind: types.NumKind(w[2] >> 16)}
			out[i] = Rescale(x, int16(w[3]))
		}
	case kindIval:
		out := vec.Values[types.IntervalVal](dst)
		for i := range n {
			w := rows[i*stride+c.off:]
			out[i] = types.IntervalVal{Micros: int64(w[2]), Days: int32(w[3]), Months: int32(w[3] >> 32)}
		}
	case kindBytes:
		for i := range n {
			dst.Views[i] = ViewOf(rows[i*stride+c.off], rows[i*stride+c.off+1])
		}
	}
}

func decodeInts(dst *vec.Vector, t types.Type, rows []uint64, stride, n int) {
	switch t.Phys() {
	case types.PhysBool:
		for i := range n {
			dst.Fixed[i] = uint8(rows[i*stride])
		}
	case types.PhysI16:
		out := vec.Values[int16](dst)
		for i := range n {
			out[i] = int16(rows[i*stride])
		}
	case types.PhysI32:
		out := vec.Values[int32](dst)
		for i := range n {
			out[i] = int32(rows[i*stride])
		}
	default:
		out := vec.Values[int64](dst)
		for i := range n {
			out[i] = int64(rows[i*stride])
		}
	}
}

// ViewOf is the view in two words.
func ViewOf(a, b uint64) vec.View {
	return vec.View{Len: uint32(a), A: uint32(a >> 32), B: uint32(b), C: uint32(b >> 32)}
}

// Rescale gives x, a normalised value, more digits after the point again.
func Rescale(x types.Num, scale int16) types.Num {
	if x.Kind != types.NumFinite {
		return x
	}
	for x.Scale < scale {
		x = times10(x)
	}
	return x
}

func times10(x types.Num) types.Num {
	// x·10 = x·8 + x·2; the original value fitted, so nothing is lost.
	h8, l8 := uint64(x.Hi)<<3|x.Lo>>61, x.Lo<<3
	h2, l2 := uint64(x.Hi)<<1|x.Lo>>63, x.Lo<<1
	lo := l8 + l2
	hi := h8 + h2
	if lo < l8 {
		hi++
	}
	x.Lo, x.Hi, x.Scale = lo, int64(hi), x.Scale+1
	return x
}
