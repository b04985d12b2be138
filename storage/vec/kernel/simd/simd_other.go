//go:build !amd64

package simd

// Enabled is false: there are no twins for this processor.
const Enabled = false

// Unpack32 must not be called.
func Unpack32(_, _ []uint32, _ int, _ uint32) {}

// Unpack64 must not be called.
func Unpack64(_, _ []uint64, _ int, _ uint64) {}

// PackInts32 must not be called.
func PackInts32(_ []uint32, _ []int64, _ int, _ int64) {}

// PackInts64 must not be called.
func PackInts64(_ []uint64, _ []int64, _ int, _ int64) {}

// SelectRange must not be called.
func SelectRange[T int16 | int32 | uint32 | int64](_ []uint16, _ []T, _, _ T, _ bool) int { return 0 }
