package simd

import "unsafe"

//go:noescape
func select16(dst, v *uint16, groups uint64, lo, hi, flip uint32, want uint64, lut *[256][8]uint16) (n uint64)

//go:noescape
func select32(dst *uint16, v *uint32, groups uint64, lo, hi, flip uint32, want uint64, lut *[256][8]uint16) (n uint64)

//go:noescape
func select64(dst *uint16, v *uint64, groups, lo, hi, flip, want uint64, lut *[256][8]uint16) (n uint64)

// positions lists, for 8 bits, the places of those that are set.
var positions = makePositions()

func makePositions() *[256][8]uint16 {
	var t [256][8]uint16
	for bits := range t {
		n := 0
		for i := range 8 {
			if bits>>i&1 != 0 {
				t[bits][n] = uint16(i)
				n++
			}
		}
	}
	return &t
}

func wanted(not bool) uint64 {
	if not {
		return 0
	}
	return 0xFF
}

// SelectRange is the twin of kernel.SelectRange without a selection, for the
// first len(v)&^7 rows. len(dst) ≥ len(v).
func SelectRange[T int16 | int32 | uint32 | int64](dst []uint16, v []T, lo, hi T, not bool) int {
	groups := uint64(len(v) / 8)
	d, p := unsafe.SliceData(dst), unsafe.Pointer(unsafe.SliceData(v))
	var zero T
	switch unsafe.Sizeof(zero) {
	case 2:
		return int(select16(d, (*uint16)(p), groups, uint32(lo), uint32(hi), 0, wanted(not), positions))
	case 4:
		flip := uint32(0)
		if zero-1 > zero {
			flip = 1 << 31
		}
		return int(select32(d, (*uint32)(p), groups, uint32(lo)^flip, uint32(hi)^flip, flip, wanted(not), positions))
	}
	return int(select64(d, (*uint64)(p), groups, uint64(lo), uint64(hi), 0, wanted(not), positions))
}
