package encoding

import (
	"encoding/binary"
	"math/bits"
	"slices"
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

// unitPlan is how a unit is packed.
type unitPlan struct {
	base              int64
	width, exceptions uint8
}

// planUnit chooses base, width and exceptions of a unit; hi is its greatest value.
func planUnit(v []int64) (p unitPlan, hi int64) {
	lo, hi := bounds(v)
	p = unitPlan{base: lo, width: uint8(bits.Len64(uint64(hi) - uint64(lo)))}
	// No width below pays if more values than that need the last bit.
	if p.width == 0 || above(v, lo, uint64(1)<<(p.width-1)-1) > exceptionsMax {
		return p, hi
	}
	var hist [65]int
	for _, x := range v {
		hist[bits.Len64(uint64(x)-uint64(lo))]++
	}
	best, more := -1, 0
	for w := int(p.width); w >= 0; w-- {
		// more values need over w bits.
		if more > exceptionsMax {
			break
		}
		if cost := 128*w + 10*more; best < 0 || cost < best {
			best, p.width, p.exceptions = cost, uint8(w), uint8(more)
		}
		more += hist[w]
	}
	return p, hi
}

// bounds are the least and the greatest of v, which is not empty.
func bounds(v []int64) (lo, hi int64) {
	lo, hi = v[0], v[0]
	lo1, hi1 := lo, hi
	for len(v) >= 4 { // two chains of dependent steps instead of one
		a, b, c, d := v[0], v[1], v[2], v[3]
		lo, hi = min(lo, min(a, b)), max(hi, max(a, b))
		lo1, hi1 = min(lo1, min(c, d)), max(hi1, max(c, d))
		v = v[4:]
	}
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	return min(lo, lo1), max(hi, hi1)
}

// above counts values that are more than limit above base.
func above(v []int64, base int64, limit uint64) (n int) {
	for _, x := range v {
		if uint64(x)-uint64(base) > limit {
			n++
		}
	}
	return n
}

// bytes is what a unit of n values takes in a page.
func (p unitPlan) bytes(n int) int {
	size, exc := 128*int(p.width), int(p.exceptions)
	if w := p.width; w == 8 || w == 16 || w == 32 {
		size = (n*int(w)/8 + 7) &^ 7
	}
	if exc > 0 {
		size += (2*exc+7)&^7 + 8*exc
	}
	return pad(size)
}

// planAll appends the plans of v's units to e.plans, and gives the bounds of all
// values and the bytes of the FOR page.
func (e *Encoder) planAll(v []int64) (lo, hi int64, size int) {
	units := (len(v) + kernel.Unit - 1) / kernel.Unit
	size = bodyAt + pad(units*unitEntry)
	lo, hi = v[0], v[0]
	for len(v) > 0 {
		n := min(kernel.Unit, len(v))
		p, top := planUnit(v[:n])
		e.plans = append(e.plans, p)
		lo, hi, size = min(lo, p.base), max(hi, top), size+p.bytes(n)
		v = v[n:]
	}
	return lo, hi, size
}

// packer keeps a unit that is padded.
type packer struct{ part [kernel.Unit]int64 }

// append packs v (1 to 1,024 values) behind dst, whose length is a multiple of 64
// beyond start, and fills its table entry.
func (k *packer) append(dst, entry []byte, start int, v []int64, p unitPlan, wide bool) []byte {
	binary.LittleEndian.PutUint64(entry, uint64(p.base))
	binary.LittleEndian.PutUint32(entry[8:], uint32((len(dst)-start)/align))
	entry[12], entry[13] = p.width, p.exceptions
	at, width := len(dst), int(p.width)
	if width == 8 || width == 16 || width == 32 {
		entry[12] |= widthPlain
		dst = appendNarrow(dst, v, p.base, width/8)
	} else if width > 0 {
		dst = slices.Grow(dst, 128*width)[:at+128*width]
		unit := &k.part
		if len(v) == kernel.Unit {
			unit = (*[kernel.Unit]int64)(v)
		} else {
			for i := copy(unit[:], v); i < kernel.Unit; i++ {
				unit[i] = p.base
			}
		}
		if wide {
			kernel.PackInts64(vec.CastSlice[uint64](dst[at:]), unit, width, p.base)
		} else {
			kernel.PackInts32(vec.CastSlice[uint32](dst[at:]), unit, width, p.base)
		}
	}
	if p.exceptions > 0 {
		dst = appendExceptions(dst, v, p.base, width)
	}
	return append(dst, make([]byte, pad(len(dst)-start)-(len(dst)-start))...)
}

func appendNarrow(dst []byte, v []int64, base int64, size int) []byte {
	at := len(dst)
	dst = slices.Grow(dst, len(v)*size+8)[:at+len(v)*size]
	switch out := dst[at:]; size {
	case 1:
		narrow(out, v, base)
	case 2:
		narrow(vec.CastSlice[uint16](out), v, base)
	default:
		narrow(vec.CastSlice[uint32](out), v, base)
	}
	return append(dst, make([]byte, (8-len(dst)&7)&7)...)
}

func narrow[T uint8 | uint16 | uint32](out []T, v []int64, base int64) {
	out = out[:len(v)]
	for i, x := range v {
		out[i] = T(uint64(x) - uint64(base))
	}
}

// appendExceptions stores positions (padded to 8) and whole values.
func appendExceptions(dst []byte, v []int64, base int64, width int) []byte {
	limit := uint64(1)<<width - 1
	var at [exceptionsMax + 1]uint16
	n := 0
	for i, x := range v {
		at[n] = uint16(i)
		if uint64(x)-uint64(base) > limit {
			n++
		}
	}
	for _, i := range at[:n] {
		dst = binary.LittleEndian.AppendUint16(dst, i)
	}
	dst = append(dst, make([]byte, (8-len(dst)&7)&7)...)
	for _, i := range at[:n] {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v[i]))
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
