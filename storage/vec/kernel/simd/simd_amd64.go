package simd

import (
	"os"
	"unsafe"
)

// Enabled tells whether the twins may be called. It never changes.
var Enabled = os.Getenv("QUERN_SIMD") != "off" && hasAVX2()

//go:noescape
func unpack32(out, in *uint32, width uint64, base uint32)

//go:noescape
func unpack64(out, in *uint64, width, base uint64)

//go:noescape
func packInts32(out *uint32, v *int64, width, base uint64)

//go:noescape
func packInts64(out *uint64, v *int64, width, base uint64)

func cpuid(leaf, sub uint32) (a, b, c, d uint32)

func xgetbv() (a uint32)

// hasAVX2 asks the processor, and whether the system saves its registers.
func hasAVX2() bool {
	if top, _, _, _ := cpuid(0, 0); top < 7 {
		return false
	}
	const osxsave, avx = 1 << 27, 1 << 28
	if _, _, c, _ := cpuid(1, 0); c&osxsave == 0 || c&avx == 0 {
		return false
	}
	const xmmAndYmm = 6
	if xgetbv()&xmmAndYmm != xmmAndYmm {
		return false
	}
	_, b, _, _ := cpuid(7, 0)
	return b&(1<<5) != 0
}

// Unpack32 is the twin of kernel.Unpack32: len(out) is 1,024, len(in) at least
// 32·width, 1 ≤ width ≤ 32.
func Unpack32(out, in []uint32, width int, base uint32) {
	unpack32(unsafe.SliceData(out), unsafe.SliceData(in), uint64(width), base)
}

// Unpack64 is the twin of kernel.Unpack64: len(out) is 1,024, len(in) at least
// 16·width, 1 ≤ width ≤ 64.
func Unpack64(out, in []uint64, width int, base uint64) {
	unpack64(unsafe.SliceData(out), unsafe.SliceData(in), uint64(width), base)
}

// PackInts32 is the twin of kernel.PackInts32: len(out) is at least 32·width,
// len(v) 1,024, 1 ≤ width ≤ 32.
func PackInts32(out []uint32, v []int64, width int, base int64) {
	packInts32(unsafe.SliceData(out), unsafe.SliceData(v), uint64(width), uint64(base))
}

// PackInts64 is the twin of kernel.PackInts64: len(out) is at least 16·width,
// len(v) 1,024, 1 ≤ width ≤ 64.
func PackInts64(out []uint64, v []int64, width int, base int64) {
	packInts64(unsafe.SliceData(out), unsafe.SliceData(v), uint64(width), uint64(base))
}
