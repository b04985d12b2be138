package encoding

import (
	"encoding/binary"
	"math/bits"
	"unsafe"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// forPhys tells which physical types have values, coefficients or bits that are
// encoded as integers.
func forPhys(p types.Phys) bool {
	switch p {
	case types.PhysI16, types.PhysI32, types.PhysI64, types.PhysNum, types.PhysF32, types.PhysF64:
		return true
	}
	return false
}

const (
	unitEntry     = 16
	widthPlain    = 0x80 // narrow values in row order instead of packed words
	exceptionsMax = 51   // of a unit, 5 %
)

// wide tells whether a type's units are packed from 64-bit words.
func wide(p types.Phys) bool { return p.Size() >= 8 }

// inner is the type of values in pages within a page of type p.
func inner(p types.Phys) types.Phys {
	if wide(p) {
		return types.PhysI64
	}
	return types.PhysI32
}

// packUnit chooses base, width and exceptions of a unit and appends its data to
// dst, whose length is a multiple of 64. v is padded to a unit with v[n-1].
type packer struct {
	v32 [kernel.Unit]uint32
	v64 [kernel.Unit]uint64
}

// plan gives the base, the width in bits, and how many values need more.
func plan(v []int64) (base int64, width, exceptions int) {
	base = v[0]
	for _, x := range v {
		base = min(base, x)
	}
	var hist [65]int
	for _, x := range v {
		hist[bits.Len64(uint64(x)-uint64(base))]++
	}
	best, above := -1, 0
	for w := 64; w >= 0; w-- {
		// above values need more than w bits.
		if above > exceptionsMax {
			break
		}
		if cost := 128*w + 10*above; best < 0 || cost < best {
			best, width, exceptions = cost, w, above
		}
		above += hist[w]
	}
	return base, width, exceptions
}

// append packs v (1 to 1,024 values) behind dst and fills its table entry.
func (k *packer) append(dst, entry []byte, start int, v []int64, wide bool) []byte {
	base, width, exceptions := plan(v)
	binary.LittleEndian.PutUint64(entry, uint64(base))
	binary.LittleEndian.PutUint32(entry[8:], uint32((len(dst)-start)/align))
	entry[12], entry[13] = byte(width), byte(exceptions)
	at := len(dst)
	switch {
	case width == 0:
	case width == 8 || width == 16 || width == 32:
		entry[12] |= widthPlain
		dst = appendNarrow(dst, v, base, width/8)
	case wide:
		mask := ^uint64(0) >> (64 - width)
		k.v64 = [kernel.Unit]uint64{}
		for i, x := range v {
			k.v64[i] = (uint64(x) - uint64(base)) & mask
		}
		dst = append(dst, make([]byte, 128*width)...)
		kernel.Pack64(vec.CastSlice[uint64](dst[at:]), &k.v64, width)
	default:
		mask := uint32(1<<width - 1)
		k.v32 = [kernel.Unit]uint32{}
		for i, x := range v {
			k.v32[i] = uint32(uint64(x)-uint64(base)) & mask
		}
		dst = append(dst, make([]byte, 128*width)...)
		kernel.Pack32(vec.CastSlice[uint32](dst[at:]), &k.v32, width)
	}
	if exceptions > 0 {
		dst = appendExceptions(dst, v, base, width)
	}
	return append(dst, make([]byte, pad(len(dst)-start)-(len(dst)-start))...)
}

func appendNarrow(dst []byte, v []int64, base int64, size int) []byte {
	for _, x := range v {
		d := uint64(x) - uint64(base)
		switch size {
		case 1:
			dst = append(dst, byte(d))
		case 2:
			dst = binary.LittleEndian.AppendUint16(dst, uint16(d))
		default:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(d))
		}
	}
	return append(dst, make([]byte, (8-len(dst)&7)&7)...)
}

// appendExceptions stores positions (padded to 8) and whole values.
func appendExceptions(dst []byte, v []int64, base int64, width int) []byte {
	for i, x := range v {
		if bits.Len64(uint64(x)-uint64(base)) > width {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(i))
		}
	}
	dst = append(dst, make([]byte, (8-len(dst)&7)&7)...)
	for _, x := range v {
		if bits.Len64(uint64(x)-uint64(base)) > width {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
		}
	}
	return dst
}

// unit is one entry of the FOR table with its data.
type unit struct {
	base   int64
	width  int
	plain  bool
	values []byte // packed words or narrow values
	excPos []byte
	excVal []byte
}

// unitAt reads unit u; rows is how many of its values exist.
func (p *Page) unitAt(u int) (x unit, ok bool) {
	e := p.units
	if p.Kind == Delta {
		e = e[u*deltaEntry+8:]
	} else {
		e = e[u*unitEntry:]
	}
	x.base = int64(binary.LittleEndian.Uint64(e))
	x.width, x.plain = int(e[12]&^widthPlain), e[12]&widthPlain != 0
	n := min(kernel.Unit, p.Rows-u*kernel.Unit)
	size := 128 * x.width
	switch {
	case x.plain && (x.width == 8 || x.width == 16 || x.width == 32):
		size = (n*x.width/8 + 7) &^ 7
	case x.plain, x.width > 64, !wide(p.phys) && x.width > 32:
		return x, false
	}
	exc := int(e[13])
	if size == 0 && exc == 0 {
		return x, true
	}
	posBytes := (2*exc + 7) &^ 7
	b := p.part(int(binary.LittleEndian.Uint32(e[8:]))*align, size+posBytes+8*exc)
	if b == nil {
		return x, false
	}
	x.values, x.excPos, x.excVal = b[:size], b[size:size+2*exc], b[size+posBytes:]
	for i := range exc {
		if int(binary.LittleEndian.Uint16(x.excPos[2*i:])) >= n {
			return x, false
		}
	}
	return x, true
}

// openFor opens FOR and DELTA.
func (p *Page) openFor() error {
	units := (p.Rows + kernel.Unit - 1) / kernel.Unit
	size := unitEntry
	if p.Kind == Delta {
		size = deltaEntry
	}
	if p.units = p.part(bodyAt, units*size); p.units == nil {
		return corrupt("short unit table")
	}
	for u := range units {
		if _, ok := p.unitAt(u); !ok {
			return corrupt("bad unit")
		}
	}
	return nil
}

// integer lists what integer pages decode to. Conversions and sums wrap: T has
// the bits that the stored values have.
type integer interface{ int16 | int32 | uint32 | int64 }

// decodeInts decodes rows [from, from+len(dst)); from is the start of a unit.
func decodeInts[T integer](p *Page, dst []T, from int) error {
	if from%kernel.Unit != 0 || from+len(dst) > p.Rows {
		return corrupt("batch inside a unit")
	}
	var err error
	switch p.Kind {
	case For:
		err = unpackFor(p, dst, from)
	case Delta:
		err = decodeDelta(p, dst, from)
	case RLE:
		err = decodeRLE(p, dst, from)
	case Sparse:
		err = decodeSparse(p, dst, from)
	case Dict:
		err = decodeIntDict(p, dst, from)
	default:
		x := p.constInt()
		for i := range dst {
			dst[i] = T(x)
		}
		return nil
	}
	if p.phys == types.PhysI64 && p.scale > 0 {
		m := T(powers[p.scale])
		for i := range dst {
			dst[i] *= m
		}
	}
	return err
}

// constInt is the value of a CONST page of integers or bits.
func (p *Page) constInt() int64 {
	var b [8]byte
	copy(b[:], p.body)
	return int64(binary.LittleEndian.Uint64(b[:]))
}

func unpackFor[T integer](p *Page, dst []T, from int) error {
	for u := from / kernel.Unit; len(dst) > 0; u++ {
		n := min(kernel.Unit, len(dst))
		x, ok := p.unitAt(u)
		if !ok {
			return corrupt("bad unit")
		}
		unpackUnit(&x, dst[:n], wide(p.phys))
		dst = dst[n:]
	}
	return nil
}

// unpackUnit decodes a unit, or its first len(dst) values.
func unpackUnit[T integer](x *unit, dst []T, wide bool) {
	base := T(x.base)
	switch {
	case x.width == 0:
		for i := range dst {
			dst[i] = base
		}
	case x.plain && x.width == 8:
		for i, d := range x.values[:len(dst)] {
			dst[i] = base + T(d)
		}
	case x.plain && x.width == 16:
		// The difference fits T's width: conversion wraps as it must.
		for i, d := range vec.CastSlice[uint16](x.values)[:len(dst)] {
			dst[i] = base + T(d)
		}
	case x.plain:
		for i, d := range vec.CastSlice[uint32](x.values)[:len(dst)] {
			dst[i] = base + T(d)
		}
	case wide:
		in := vec.CastSlice[uint64](x.values)
		if out, ok := any(dst).([]int64); ok && len(dst) == kernel.Unit {
			kernel.Unpack64((*[kernel.Unit]uint64)(vec.CastSlice[uint64](vec.BytesOf(out))), in, x.width, uint64(x.base))
			break
		}
		unpackPart64(dst, in, x)
	default:
		in := vec.CastSlice[uint32](x.values)
		if len(dst) == kernel.Unit && unsafe.Sizeof(base) == 4 {
			kernel.Unpack32((*[kernel.Unit]uint32)(vec.CastSlice[uint32](vec.BytesOf(dst))), in, x.width, uint32(x.base))
			break
		}
		unpackPart32(dst, in, x)
	}
	for i := range len(x.excPos) / 2 {
		if at := int(binary.LittleEndian.Uint16(x.excPos[2*i:])); at < len(dst) {
			dst[at] = T(binary.LittleEndian.Uint64(x.excVal[8*i:]))
		}
	}
}

// unpackPart32 and unpackPart64 go through a whole unit of scratch: for narrow
// values, and for the last unit of a page.
func unpackPart32[T integer](dst []T, in []uint32, x *unit) {
	var v [kernel.Unit]uint32
	kernel.Unpack32(&v, in, x.width, uint32(x.base))
	for i := range dst {
		dst[i] = T(v[i])
	}
}

func unpackPart64[T integer](dst []T, in []uint64, x *unit) {
	var v [kernel.Unit]uint64
	kernel.Unpack64(&v, in, x.width, uint64(x.base))
	for i := range dst {
		dst[i] = T(v[i])
	}
}
