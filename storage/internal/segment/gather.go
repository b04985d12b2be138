package segment

import (
	"math"

	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// slabColumns gives a column of every slab; ok[s] is false where it is missing.
func (b *builder) slabColumns(id uint32) (cols []encoding.Column, ok []bool) {
	cols, ok = make([]encoding.Column, len(b.list)), make([]bool, len(b.list))
	for s, v := range b.list {
		cols[s], ok[s] = v.Data(id)
	}
	return cols, ok
}

// gather copies a column in the segment's order.
func (b *builder) gather(c *Column) (*encoding.Column, error) {
	cols, ok := b.slabColumns(c.ID)
	out := &encoding.Column{Phys: c.Type.Phys(), Unsigned: c.Type.Unsigned(), N: len(b.refs)}
	for s := range cols {
		if !ok[s] {
			cols[s] = constant(c, b.list[s].Rows)
		} else if cols[s].Phys != out.Phys {
			wide, err := widen(&cols[s], c.Type)
			if err != nil {
				return nil, err
			}
			cols[s] = *wide
		}
		if cols[s].Valid != nil && out.Valid == nil {
			out.Valid = b.buffer(out.N)
		}
	}
	if out.Valid != nil {
		for i, ref := range b.refs {
			out.Valid[i] = 1
			if v := cols[ref>>16].Valid; v != nil {
				out.Valid[i] = v[ref&0xFFFF]
			}
		}
	}
	size := out.Phys.Size()
	if size == 0 {
		return out, b.gatherBytes(out, cols)
	}
	out.Fixed = b.buffer(out.N * size)
	switch size {
	case 1:
		gatherAs[uint8](out.Fixed, cols, b.refs)
	case 2:
		gatherAs[int16](out.Fixed, cols, b.refs)
	case 4:
		gatherAs[uint32](out.Fixed, cols, b.refs)
	case 8:
		gatherAs[uint64](out.Fixed, cols, b.refs)
	case 16:
		gatherAs[[16]byte](out.Fixed, cols, b.refs)
	default:
		gatherAs[types.Num](out.Fixed, cols, b.refs)
	}
	return out, nil
}

func gatherAs[T vec.Fixedwidth](out []byte, cols []encoding.Column, refs []uint32) {
	src := make([][]T, len(cols))
	for s := range cols {
		src[s] = vec.CastSlice[T](cols[s].Fixed)
	}
	dst := vec.CastSlice[T](out)
	for i, ref := range refs {
		dst[i] = src[ref>>16][ref&0xFFFF]
	}
}

func (b *builder) gatherBytes(out *encoding.Column, cols []encoding.Column) error {
	out.Offs = make([]uint32, out.N+1)
	total := 0
	for i, ref := range b.refs {
		c := &cols[ref>>16]
		r := ref & 0xFFFF
		total += int(c.Offs[r+1] - c.Offs[r])
		if total > math.MaxUint32 {
			return errs.New(errs.ProgramLimit, "segment holds more than 4 GiB in one column")
		}
		out.Offs[i+1] = uint32(total)
	}
	out.Bytes = b.buffer(total)[:0]
	for _, ref := range b.refs {
		out.Bytes = append(out.Bytes, cols[ref>>16].Value(int(ref&0xFFFF))...)
	}
	return nil
}

// constant is rows rows of a column's missing value.
func constant(c *Column, rows int) encoding.Column {
	v := vec.ConstVector(c.Type, &c.Missing, rows)
	out := encoding.Column{Phys: c.Type.Phys(), Unsigned: c.Type.Unsigned(), N: rows}
	if c.Missing.Null {
		out.Valid = make([]byte, rows)
	}
	if size := out.Phys.Size(); size > 0 {
		out.Fixed = vec.AlignedBytes(rows * size)
		if !c.Missing.Null {
			for r := range rows {
				copy(out.Fixed[r*size:], v.Fixed[:size])
			}
		}
		return out
	}
	out.Offs = make([]uint32, rows+1)
	for r := range rows {
		if !c.Missing.Null {
			out.Bytes = append(out.Bytes, v.BytesAt(0)...)
		}
		out.Offs[r+1] = uint32(len(out.Bytes))
	}
	return out
}

// widen converts integers and floats that a column of a narrower type held.
func widen(c *encoding.Column, t types.Type) (*encoding.Column, error) {
	out := &encoding.Column{Phys: t.Phys(), Unsigned: t.Unsigned(), N: c.N, Valid: c.Valid}
	if size := out.Phys.Size(); size > 0 {
		out.Fixed = vec.AlignedBytes(c.N * size)
	}
	switch {
	case c.Phys == types.PhysI16 && out.Phys == types.PhysI32:
		convert(vec.CastSlice[int32](out.Fixed), vec.CastSlice[int16](c.Fixed))
	case c.Phys == types.PhysI16 && out.Phys == types.PhysI64:
		convert(vec.CastSlice[int64](out.Fixed), vec.CastSlice[int16](c.Fixed))
	case c.Phys == types.PhysI32 && out.Phys == types.PhysI64 && c.Unsigned:
		convert(vec.CastSlice[int64](out.Fixed), vec.CastSlice[uint32](c.Fixed))
	case c.Phys == types.PhysI32 && out.Phys == types.PhysI64:
		convert(vec.CastSlice[int64](out.Fixed), vec.CastSlice[int32](c.Fixed))
	case c.Phys == types.PhysF32 && out.Phys == types.PhysF64:
		convert(vec.CastSlice[float64](out.Fixed), vec.CastSlice[float32](c.Fixed))
	default:
		return nil, errs.New(errs.FeatureNotSupported, "rewriting stored values of physical type %d as %s is not supported", c.Phys, t)
	}
	return out, nil
}

func convert[D, S int16 | int32 | uint32 | int64 | float32 | float64](dst []D, src []S) {
	for i := range src {
		dst[i] = D(src[i])
	}
}
