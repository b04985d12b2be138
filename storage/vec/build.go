package vec

import "quern/storage/types"

// Builder appends values of one type and yields a Flat vector. It owns its
// memory; Finish hands it over. Not for concurrent use.
type Builder struct {
	v   Vector
	buf []byte // current byte buffer of PhysBytes, index len(v.Bufs)
}

// builderBufBytes bounds one byte buffer, so that u32 offsets always fit.
const builderBufBytes = 1 << 20

// NewBuilder returns a builder for type t with room for n rows.
func NewBuilder(t types.Type, n int) *Builder {
	b := &Builder{v: Vector{Type: t}}
	if size := t.Phys().Size(); size > 0 {
		b.v.Fixed = AlignedBytes(n * size)[:0]
	} else {
		b.v.Views = make([]View, 0, n)
	}
	return b
}

// Len is the number of rows so far.
func (b *Builder) Len() int { return b.v.Len }

// Type is the type being built.
func (b *Builder) Type() types.Type { return b.v.Type }

// Null appends NULL (value bytes zero).
func (b *Builder) Null() {
	if b.v.Valid == nil {
		b.v.Valid = AllValid(b.v.Len)
	}
	b.grow()
	b.setValid(b.v.Len-1, false)
}

func (b *Builder) setValid(i int, ok bool) {
	if i>>6 >= len(b.v.Valid) {
		b.v.Valid = append(b.v.Valid, 0)
	}
	if ok {
		b.v.Valid[i>>6] |= 1 << (i & 63)
	}
}

// grow appends one zero value.
func (b *Builder) grow() {
	if size := b.v.Type.Phys().Size(); size > 0 {
		b.growFixed(size)
	} else {
		b.v.Views = append(b.v.Views, View{})
	}
	b.v.Len++
}

func (b *Builder) growFixed(size int) {
	n := len(b.v.Fixed)
	if n+size > cap(b.v.Fixed) {
		bigger := AlignedBytes(max(64*size, 2*cap(b.v.Fixed)))[:n]
		copy(bigger, b.v.Fixed)
		b.v.Fixed = bigger
	}
	b.v.Fixed = b.v.Fixed[:n+size]
	clear(b.v.Fixed[n:])
}

// AppendFixed appends a fixed-width value; T must have the size of b's type.
func AppendFixed[T Fixedwidth](b *Builder, x T) {
	b.grow()
	if b.v.Valid != nil {
		b.setValid(b.v.Len-1, true)
	}
	s := CastSlice[T](b.v.Fixed)
	s[len(s)-1] = x
}

// AppendBytes appends a copy of x to a PhysBytes builder.
func (b *Builder) AppendBytes(x []byte) {
	if b.v.Valid != nil {
		b.setValid(b.v.Len, true)
	}
	b.v.Len++
	if len(x) <= inlineMax {
		b.v.Views = append(b.v.Views, MakeView(x, 0, 0))
		return
	}
	if len(b.buf)+len(x) > cap(b.buf) {
		b.seal()
		b.buf = make([]byte, 0, max(len(x), min(builderBufBytes, max(4096, 2*cap(b.buf)))))
	}
	off := len(b.buf)
	b.buf = append(b.buf, x...)
	b.v.Views = append(b.v.Views, MakeView(x, uint32(len(b.v.Bufs)), uint32(off)))
}

func (b *Builder) seal() {
	if cap(b.buf) > 0 {
		b.v.Bufs = append(b.v.Bufs, b.buf)
	}
}

// Append appends d.
func (b *Builder) Append(d *types.Datum) {
	if d.Null {
		b.Null()
		return
	}
	switch b.v.Type.Phys() {
	case types.PhysBool:
		AppendFixed(b, uint8(d.I))
	case types.PhysI16:
		AppendFixed(b, int16(d.I))
	case types.PhysI32:
		AppendFixed(b, int32(d.I))
	case types.PhysI64:
		AppendFixed(b, d.I)
	case types.PhysF32:
		AppendFixed(b, float32(d.F))
	case types.PhysF64:
		AppendFixed(b, d.F)
	case types.PhysNum:
		AppendFixed(b, d.N)
	case types.PhysInterval:
		AppendFixed(b, d.Iv)
	case types.PhysUUID:
		AppendFixed(b, d.U)
	default:
		b.AppendBytes([]byte(d.S))
	}
}

// Finish returns the vector and empties the builder. An unsealed byte buffer
// becomes the last of Bufs.
func (b *Builder) Finish() Vector {
	if len(b.buf) > 0 {
		b.seal()
	}
	v := b.v
	*b = Builder{v: Vector{Type: v.Type}}
	return v
}

// ConstVector returns n rows of d.
func ConstVector(t types.Type, d *types.Datum, n int) Vector {
	b := NewBuilder(t, 1)
	b.Append(d)
	v := b.Finish()
	v.Form, v.Len = Const, n
	return v
}

// Truncate drops all rows from n on: how a decoder takes back a bad row.
func (b *Builder) Truncate(n int) {
	if n >= b.v.Len {
		return
	}
	b.v.Len = n
	if size := b.v.Type.Phys().Size(); size > 0 {
		b.v.Fixed = b.v.Fixed[:n*size]
	} else {
		b.v.Views = b.v.Views[:n]
	}
	if b.v.Valid != nil {
		b.v.Valid = b.v.Valid[:(n+63)/64]
		if r := n & 63; r != 0 {
			b.v.Valid[len(b.v.Valid)-1] &= 1<<r - 1
		}
	}
}
