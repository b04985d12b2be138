package encoding

import (
	"encoding/binary"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// Single is the value of a CONST page of fixed width, in vector form.
func (p *Page) Single(dst []byte) {
	if p.phys != types.PhysNum {
		copy(dst, p.body)
		return
	}
	vec.CastSlice[types.Num](dst)[0] = p.num(int64(binary.LittleEndian.Uint64(p.body)))
}

func (p *Page) num(coef int64) types.Num {
	return types.Num{Lo: uint64(coef), Hi: coef >> 63, Scale: p.scale}
}

// Alias gives rows [from, from+n) in place if the page holds them in vector
// form (PLAIN), else nil.
func (p *Page) Alias(from, n int) []byte {
	if p.Kind != Plain || p.phys == types.PhysBytes {
		return nil
	}
	size := p.phys.Size()
	return p.body[from*size : (from+n)*size : (from+n)*size]
}

// Fixed decodes rows [from, from+n) of a page of fixed width into dst, in vector
// form; from is the start of a unit. ints is scratch for n values of PhysNum.
func (p *Page) Fixed(dst []byte, from, n int, ints []int64) error {
	if from+n > p.Rows || from < 0 {
		return corrupt("batch beyond the page")
	}
	switch {
	case p.Kind == Plain:
		copy(dst, p.Alias(from, n))
		return nil
	case p.Kind == ALP:
		return p.decodeALP(dst, from, n)
	case p.Kind == ALPRD:
		return p.decodeALPRD(dst, from, n)
	case p.Kind == Bitmap:
		kernel.UnpackBits(dst[:n], vec.CastSlice[uint64](p.body), from)
		return nil
	case p.Kind == Const:
		size := p.phys.Size()
		p.Single(dst[:size])
		for at := size; at < n*size; at *= 2 {
			copy(dst[at:n*size], dst[:at])
		}
		return nil
	}
	switch p.phys {
	case types.PhysI16:
		return decodeInts(p, vec.CastSlice[int16](dst)[:n], from)
	case types.PhysI32, types.PhysF32:
		return decodeInts(p, vec.CastSlice[int32](dst)[:n], from)
	case types.PhysI64, types.PhysF64:
		return decodeInts(p, vec.CastSlice[int64](dst)[:n], from)
	}
	if err := decodeInts(p, ints[:n], from); err != nil {
		return err
	}
	out := vec.CastSlice[types.Num](dst)[:n]
	for i, x := range ints[:n] {
		out[i] = p.num(x)
	}
	return nil
}

// Ints decodes a page that Encoder.Ints made.
func Ints(dst []uint32, data []byte) error {
	p, err := Open(data, types.PhysI32)
	if err != nil {
		return err
	}
	if p.Rows != len(dst) || p.Nulls != 0 || p.Kind != For && p.Kind != Const {
		return corrupt("bad list of numbers")
	}
	return decodeInts(p, dst, 0)
}
