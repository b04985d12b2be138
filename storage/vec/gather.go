package vec

import "quern/storage/types"

// Scratch owns the memory of one vector that is refilled batch after batch. A
// vector made from it is valid until the next call on the same Scratch.
type Scratch struct {
	fixed []uint64
	views []View
	valid []uint64
}

// NoRow in a row list of GatherRows stands for a row of NULL.
const NoRow = ^uint32(0)

// Flat makes dst a Flat vector of n rows of type t without NULLs; the values
// are unspecified.
func (s *Scratch) Flat(dst *Vector, t types.Type, n int) {
	*dst = Vector{Type: t, Len: n}
	if size := t.Phys().Size(); size > 0 {
		dst.Fixed = s.bytes(n * size)
	} else {
		dst.Views = s.view(n)
	}
}

func (s *Scratch) bytes(n int) []byte {
	w := (n + 7) / 8
	if w > cap(s.fixed) {
		s.fixed = make([]uint64, max(w, min(2*w, 3*MaxBatchRows)))
	}
	return BytesOf(s.fixed[:w])[:n]
}

func (s *Scratch) view(n int) []View {
	if n > cap(s.views) {
		s.views = make([]View, n)
	}
	return s.views[:n]
}

// Valid returns validity words with n bits set.
func (s *Scratch) Valid(n int) []uint64 {
	w := (n + 63) / 64
	if w > cap(s.valid) {
		s.valid = make([]uint64, w)
	}
	v := s.valid[:w]
	for i := range v {
		v[i] = ^uint64(0)
	}
	if r := n & 63; r != 0 {
		v[w-1] = 1<<r - 1
	}
	return v
}

// Size is the memory held, in bytes.
func (s *Scratch) Size() int { return 8*cap(s.fixed) + 16*cap(s.views) + 8*cap(s.valid) }

// index are the two ways to list rows.
type index interface{ ~uint16 | ~uint32 }

// Gather makes dst the rows sel of src, in that order; sel nil copies nothing
// and aliases src. Const and Dict keep their form; byte buffers and
// dictionaries are shared with src.
func (s *Scratch) Gather(dst, src *Vector, sel Selection) {
	if sel == nil {
		*dst = *src
		return
	}
	gather(s, dst, src, sel, false)
}

// GatherRows is Gather by a list of rows, which may repeat and may hold NoRow.
func (s *Scratch) GatherRows(dst, src *Vector, rows []uint32) {
	pad := false
	for _, r := range rows {
		if r == NoRow {
			pad = true
			break
		}
	}
	gather(s, dst, src, rows, pad)
}

func gather[I index](s *Scratch, dst, src *Vector, rows []I, pad bool) {
	n := len(rows)
	switch {
	case pad && (src.Form != Flat || src.Len == 0):
		s.gatherPadded(dst, src, n, func(i int) (int, bool) { return int(rows[i]), uint32(rows[i]) != NoRow })
		return
	case src.Form == Const:
		*dst = *src
		dst.Len = n
		return
	case src.Form == Dict:
		*dst = Vector{Type: src.Type, Form: Dict, Len: n, Dict: src.Dict, Fixed: s.bytes(4 * n)}
		gatherFixed(dst.Codes(), src.Codes(), rows, false)
	default:
		s.Flat(dst, src.Type, n)
		gatherFlat(dst, src, rows, pad)
	}
	if src.Valid == nil && !pad {
		return
	}
	dst.Valid = s.Valid(n)
	for i, r := range rows {
		if pad && uint32(r) == NoRow || src.Valid != nil && src.Valid[r>>6]>>(r&63)&1 == 0 {
			dst.Valid[i>>6] &^= 1 << (i & 63)
		}
	}
}

func gatherFlat[I index](dst, src *Vector, rows []I, pad bool) {
	switch src.Type.Phys().Size() {
	case 1:
		gatherFixed(dst.Fixed, src.Fixed, rows, pad)
	case 2:
		gatherFixed(Values[int16](dst), Values[int16](src), rows, pad)
	case 4:
		gatherFixed(Values[int32](dst), Values[int32](src), rows, pad)
	case 8:
		gatherFixed(Values[int64](dst), Values[int64](src), rows, pad)
	case 16:
		gatherFixed(Values[[16]byte](dst), Values[[16]byte](src), rows, pad)
	case 24:
		gatherFixed(Values[types.Num](dst), Values[types.Num](src), rows, pad)
	default:
		dst.Bufs = src.Bufs
		gatherFixed(dst.Views, src.Views, rows, pad)
	}
}

// gatherFixed copies elements by position. With pad, NoRow gives zero.
func gatherFixed[T any, I index](dst, src []T, rows []I, pad bool) {
	dst = dst[:len(rows)]
	if !pad {
		for i, r := range rows {
			dst[i] = src[r]
		}
		return
	}
	var zero T
	for i, r := range rows {
		if uint32(r) == NoRow {
			dst[i] = zero
		} else {
			dst[i] = src[r]
		}
	}
}

// gatherPadded is the slow path of outer joins whose source is not Flat.
func (s *Scratch) gatherPadded(dst, src *Vector, n int, row func(int) (int, bool)) {
	s.Flat(dst, src.Type, n)
	dst.Valid = s.Valid(n)
	from := src
	if src.Form == Dict {
		from = &src.Dict.Values
	}
	dst.Bufs = from.Bufs
	size := src.Type.Phys().Size()
	for i := range n {
		r, ok := row(i)
		if !ok || src.Null(r) {
			dst.Valid[i>>6] &^= 1 << (i & 63)
			if size > 0 {
				clear(dst.Fixed[i*size : (i+1)*size])
			} else {
				dst.Views[i] = View{}
			}
			continue
		}
		f, at := base(src, r)
		if size > 0 {
			copy(dst.Fixed[i*size:(i+1)*size], f.Fixed[at*size:])
		} else {
			dst.Views[i] = f.Views[at]
		}
	}
}

// Flatten makes dst the Flat form of src with the same row positions; only the
// rows of sel (nil = all) are filled. A Flat src is aliased.
func (s *Scratch) Flatten(dst, src *Vector, sel Selection) {
	if src.Form == Flat {
		*dst = *src
		return
	}
	n := src.Len
	s.Flat(dst, src.Type, n)
	from := src
	if src.Form == Dict {
		from = &src.Dict.Values
		dst.Valid = src.Valid
	} else if src.Null(0) {
		dst.Valid = s.Valid(n)
		clear(dst.Valid)
	}
	dst.Bufs = from.Bufs
	switch src.Type.Phys().Size() {
	case 1:
		flattenInto(dst.Fixed, from.Fixed, src, sel)
	case 2:
		flattenInto(Values[int16](dst), Values[int16](from), src, sel)
	case 4:
		flattenInto(Values[int32](dst), Values[int32](from), src, sel)
	case 8:
		flattenInto(Values[int64](dst), Values[int64](from), src, sel)
	case 16:
		flattenInto(Values[[16]byte](dst), Values[[16]byte](from), src, sel)
	case 24:
		flattenInto(Values[types.Num](dst), Values[types.Num](from), src, sel)
	default:
		flattenInto(dst.Views, from.Views, src, sel)
	}
}

func flattenInto[T any](dst, vals []T, src *Vector, sel Selection) {
	if src.Form == Const {
		for i := range dst {
			dst[i] = vals[0]
		}
		return
	}
	codes := src.Codes()
	if sel == nil && src.Valid == nil {
		for i, c := range codes[:len(dst)] {
			dst[i] = vals[c]
		}
		return
	}
	var zero T
	n := len(dst)
	if sel != nil {
		n = len(sel)
	}
	for i := range n {
		r := at(sel, i)
		if src.Null(r) {
			dst[r] = zero
		} else {
			dst[r] = vals[codes[r]]
		}
	}
}

// BatchScratch owns the memory of one batch's columns.
type BatchScratch struct {
	cols []Scratch
}

// Col returns the scratch of column i.
func (s *BatchScratch) Col(i int) *Scratch {
	for len(s.cols) <= i {
		s.cols = append(s.cols, Scratch{})
	}
	return &s.cols[i]
}

// Compact makes dst the live rows of src without selection. A src without
// selection is aliased.
func (s *BatchScratch) Compact(dst, src *Batch) {
	if cap(dst.Cols) < len(src.Cols) {
		dst.Cols = make([]Vector, len(src.Cols))
	}
	dst.Cols = dst.Cols[:len(src.Cols)]
	s.Col(len(src.Cols))
	for i := range src.Cols {
		s.cols[i].Gather(&dst.Cols[i], &src.Cols[i], src.Sel)
	}
	dst.Len, dst.Sel, dst.Base = src.Rows(), nil, src.Base
}

// Cut keeps the live rows lo..hi-1 of b, counted over live rows.
func (b *Batch) Cut(lo, hi int) {
	if b.Sel != nil {
		b.Sel = b.Sel[lo:hi]
		return
	}
	if lo == 0 && hi == b.Len {
		return
	}
	sel := make(Selection, hi-lo)
	for i := range sel {
		sel[i] = uint16(lo + i)
	}
	b.Sel = sel
}

// Slice is rows lo..hi-1 of v; it aliases v, but for validity words when lo is
// not a multiple of 64.
func Slice(v *Vector, lo, hi int) Vector {
	out := *v
	out.Len = hi - lo
	if v.Form == Const {
		return out
	}
	switch size := v.Type.Phys().Size(); {
	case v.Form == Dict:
		out.Fixed = v.Fixed[4*lo : 4*hi]
	case size > 0:
		out.Fixed = v.Fixed[size*lo : size*hi]
	default:
		out.Views = v.Views[lo:hi]
	}
	switch {
	case v.Valid == nil:
	case lo&63 == 0:
		out.Valid = v.Valid[lo>>6 : (hi+63)>>6]
	default:
		out.Valid = AllValid(out.Len)
		for i := range out.Len {
			if v.Null(lo + i) {
				out.Valid[i>>6] &^= 1 << (i & 63)
			}
		}
	}
	return out
}
