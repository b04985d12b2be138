package kernel

import "quern/storage/vec/kernel/simd"

// Unit is the number of values that are packed together.
const Unit = 1024

// lanes32 and lanes64 are how many bit streams a unit of values is dealt to:
// value i goes to lane i mod lanes, and word k of a lane lies at k·lanes + lane,
// so that the same word of all lanes makes one 64-byte line.
const (
	lanes32 = 16
	lanes64 = 8
)

// Pack32 packs a unit of values < 2^width (1 ≤ width ≤ 32) into out, 32·width
// words.
func Pack32(out []uint32, v *[Unit]uint32, width int) {
	clear(out[:32*width])
	for lane := range lanes32 {
		for j := range Unit / lanes32 {
			bit := j * width
			x := uint64(v[j*lanes32+lane]) << (bit & 31)
			k := bit>>5*lanes32 + lane
			out[k] |= uint32(x)
			if hi := uint32(x >> 32); hi != 0 {
				out[k+lanes32] |= hi
			}
		}
	}
}

// PackInts32 packs the low width bits (1 to 32) of the differences of v from base.
func PackInts32(out []uint32, v *[Unit]int64, width int, base int64) {
	out = out[:32*width]
	if simd.Enabled {
		simd.PackInts32(out, v[:], width, base)
		return
	}
	packInts32(out, v, width, base)
}

func packInts32(out []uint32, v *[Unit]int64, width int, base int64) {
	var d [Unit]uint32
	mask := uint32(1<<width - 1)
	for i, x := range v {
		d[i] = uint32(uint64(x)-uint64(base)) & mask
	}
	Pack32(out, &d, width)
}

// PackInts64 is PackInts32 for widths up to 64.
func PackInts64(out []uint64, v *[Unit]int64, width int, base int64) {
	out = out[:16*width]
	if simd.Enabled {
		simd.PackInts64(out, v[:], width, base)
		return
	}
	packInts64(out, v, width, base)
}

func packInts64(out []uint64, v *[Unit]int64, width int, base int64) {
	var d [Unit]uint64
	mask := ^uint64(0) >> (64 - width)
	for i, x := range v {
		d[i] = (uint64(x) - uint64(base)) & mask
	}
	Pack64(out, &d, width)
}

// Unpack32 is the reverse of Pack32; it adds base to every value.
func Unpack32(v *[Unit]uint32, in []uint32, width int, base uint32) {
	in = in[:32*width]
	if simd.Enabled {
		simd.Unpack32(v[:], in, width, base)
		return
	}
	unpack32(v, in, width, base)
}

func unpack32(v *[Unit]uint32, in []uint32, width int, base uint32) {
	mask := uint32(1<<width - 1)
	for j := range Unit / lanes32 {
		bit := j * width
		k, s := bit>>5*lanes32, bit&31
		out := (*[lanes32]uint32)(v[j*lanes32:])
		lo := (*[lanes32]uint32)(in[k:])
		if s+width <= 32 {
			for i := range out {
				out[i] = base + lo[i]>>s&mask
			}
			continue
		}
		hi := (*[lanes32]uint32)(in[k+lanes32:])
		for i := range out {
			out[i] = base + (lo[i]>>s|hi[i]<<(32-s))&mask
		}
	}
}

// Pack64 packs a unit of values < 2^width (1 ≤ width ≤ 64) into out, 16·width
// words.
func Pack64(out []uint64, v *[Unit]uint64, width int) {
	clear(out[:16*width])
	for lane := range lanes64 {
		for j := range Unit / lanes64 {
			bit := j * width
			x, s := v[j*lanes64+lane], bit&63
			k := bit>>6*lanes64 + lane
			out[k] |= x << s
			if s+width > 64 {
				out[k+lanes64] |= x >> (64 - s)
			}
		}
	}
}

// Unpack64 is the reverse of Pack64; it adds base to every value.
func Unpack64(v *[Unit]uint64, in []uint64, width int, base uint64) {
	in = in[:16*width]
	if simd.Enabled {
		simd.Unpack64(v[:], in, width, base)
		return
	}
	unpack64(v, in, width, base)
}

func unpack64(v *[Unit]uint64, in []uint64, width int, base uint64) {
	mask := ^uint64(0) >> (64 - width)
	for j := range Unit / lanes64 {
		bit := j * width
		k, s := bit>>6*lanes64, bit&63
		out := (*[lanes64]uint64)(v[j*lanes64:])
		lo := (*[lanes64]uint64)(in[k:])
		if s+width <= 64 {
			for i := range out {
				out[i] = base + lo[i]>>s&mask
			}
			continue
		}
		hi := (*[lanes64]uint64)(in[k+lanes64:])
		for i := range out {
			out[i] = base + (lo[i]>>s|hi[i]<<(64-s))&mask
		}
	}
}
