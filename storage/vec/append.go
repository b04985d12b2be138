package vec

import "quern/storage/types"

// AppendVector appends copies of the rows sel (nil = all) of src, which has b's
// type and any Form. Bytes are copied; src may be reused afterwards.
func (b *Builder) AppendVector(src *Vector, sel Selection) {
	n := src.Len
	if sel != nil {
		n = len(sel)
	}
	if n == 0 {
		return
	}
	b.appendValid(src, sel, n)
	if b.v.Type.Phys() == types.PhysBytes {
		b.appendViews(src, sel, n)
		return
	}
	size := b.v.Type.Phys().Size()
	off := len(b.v.Fixed)
	b.extendFixed(n * size)
	dst := b.v.Fixed[off:]
	b.v.Len += n
	switch size {
	case 1:
		appendInto(dst, src, sel)
	case 2:
		appendInto(CastSlice[int16](dst), src, sel)
	case 4:
		appendInto(CastSlice[int32](dst), src, sel)
	case 8:
		appendInto(CastSlice[int64](dst), src, sel)
	case 16:
		appendInto(CastSlice[[16]byte](dst), src, sel)
	case 24:
		appendInto(CastSlice[types.Num](dst), src, sel)
	}
}

func appendInto[T Fixedwidth](dst []T, src *Vector, sel Selection) {
	switch src.Form {
	case Const:
		x := CastSlice[T](src.Fixed)[0]
		for i := range dst {
			dst[i] = x
		}
	case Dict:
		vals, codes := CastSlice[T](src.Dict.Values.Fixed), src.Codes()
		for i := range dst {
			if r := at(sel, i); !src.Null(r) {
				dst[i] = vals[codes[r]]
			}
		}
	default:
		vals := CastSlice[T](src.Fixed)
		if sel == nil {
			copy(dst, vals)
			return
		}
		for i, r := range sel {
			dst[i] = vals[r]
		}
	}
}

// extendFixed appends n zero bytes.
func (b *Builder) extendFixed(n int) {
	old := len(b.v.Fixed)
	if old+n > cap(b.v.Fixed) {
		bigger := AlignedBytes(max(512, old+n, 2*cap(b.v.Fixed)))[:old]
		copy(bigger, b.v.Fixed)
		b.v.Fixed = bigger
	}
	b.v.Fixed = b.v.Fixed[:old+n]
	clear(b.v.Fixed[old:])
}

// appendValid extends validity by n rows; b.v.Len is still the old length.
func (b *Builder) appendValid(src *Vector, sel Selection, n int) {
	if src.Valid == nil && b.v.Valid == nil {
		return
	}
	old := b.v.Len
	if b.v.Valid == nil {
		b.v.Valid = AllValid(old)
	}
	for len(b.v.Valid) < (old+n+63)/64 {
		b.v.Valid = append(b.v.Valid, 0)
	}
	for i := range n {
		if !src.Null(at(sel, i)) {
			b.v.Valid[(old+i)>>6] |= 1 << ((old + i) & 63)
		}
	}
}

func (b *Builder) appendViews(src *Vector, sel Selection, n int) {
	from, codes := src, []uint32(nil)
	if src.Form == Dict {
		from, codes = &src.Dict.Values, src.Codes()
	}
	for i := range n {
		r := at(sel, i)
		if src.Null(r) {
			b.v.Views = append(b.v.Views, View{})
			b.v.Len++
			continue
		}
		switch src.Form {
		case Const:
			r = 0
		case Dict:
			r = int(codes[r])
		}
		w := &from.Views[r]
		if w.Len <= inlineMax {
			b.v.Views = append(b.v.Views, *w)
			b.v.Len++
			continue
		}
		b.appendLong(w.Bytes(from.Bufs))
	}
}

// appendLong appends a value that does not fit a view; validity is set already.
func (b *Builder) appendLong(x []byte) {
	if len(b.buf)+len(x) > cap(b.buf) {
		b.seal()
		b.buf = make([]byte, 0, max(len(x), min(builderBufBytes, max(4096, 2*cap(b.buf)))))
	}
	off := len(b.buf)
	b.buf = append(b.buf, x...)
	b.v.Views = append(b.v.Views, MakeView(x, uint32(len(b.v.Bufs)), uint32(off)))
	b.v.Len++
}

// Peek returns the rows so far; they stay valid, appended rows are not seen.
func (b *Builder) Peek() Vector {
	v := b.v
	if len(b.buf) > 0 {
		v.Bufs = append(v.Bufs[:len(v.Bufs):len(v.Bufs)], b.buf)
	}
	return v
}

// Size is the memory held, in bytes.
func (b *Builder) Size() int {
	n := cap(b.v.Fixed) + 16*cap(b.v.Views) + 8*cap(b.v.Valid) + cap(b.buf)
	for _, x := range b.v.Bufs {
		n += cap(x)
	}
	return n
}

// Reset empties the builder and keeps its memory: what Peek gave is no longer
// valid.
func (b *Builder) Reset() {
	if b.v.Bufs != nil {
		b.v.Bufs, b.buf = nil, nil
	}
	b.v.Fixed, b.v.Views, b.buf = b.v.Fixed[:0], b.v.Views[:0], b.buf[:0]
	b.v.Valid, b.v.Len = nil, 0
}
