package kernel

import "quern/storage/vec/kernel/simd"

// Integer lists the element types of SelectRange.
type Integer interface {
	~uint8 | ~int8 | ~uint16 | ~int16 | ~int32 | ~uint32 | ~int64 | ~uint64
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// SelectRange selects the rows with lo ≤ v ≤ hi, or the others if not is set.
func SelectRange[T Integer](dst []uint16, v []T, sel []uint16, lo, hi T, not bool) []uint16 {
	if simd.Enabled && sel == nil && len(v) >= 8 {
		if n, rows := selectTwin(dst[:len(v)], v, lo, hi, not); rows > 0 {
			return selectRest(dst, v, n, rows, lo, hi, not)
		}
	}
	return selectRange(dst, v, sel, lo, hi, not)
}

// selectTwin selects among the first rows rows by the type's twin, if it has one.
func selectTwin[T Integer](dst []uint16, v []T, lo, hi T, not bool) (n, rows int) {
	switch x := any(v).(type) {
	case []int16:
		n = simd.SelectRange(dst, x, int16(lo), int16(hi), not)
	case []int32:
		n = simd.SelectRange(dst, x, int32(lo), int32(hi), not)
	case []uint32:
		n = simd.SelectRange(dst, x, uint32(lo), uint32(hi), not)
	case []int64:
		n = simd.SelectRange(dst, x, int64(lo), int64(hi), not)
	default:
		return 0, 0
	}
	return n, len(v) &^ 7
}

// selectRest goes on at row from, with n rows selected before it.
func selectRest[T Integer](dst []uint16, v []T, n, from int, lo, hi T, not bool) []uint16 {
	dst = dst[:len(v)]
	for i := from; i < len(v); i++ {
		dst[n] = uint16(i)
		if (v[i] >= lo && v[i] <= hi) != not {
			n++
		}
	}
	return dst[:n]
}

func selectRange[T Integer](dst []uint16, v []T, sel []uint16, lo, hi T, not bool) []uint16 {
	if not {
		return selectOutside(dst, v, sel, lo, hi)
	}
	n := 0
	if sel == nil {
		dst = dst[:len(v)]
		for i, x := range v {
			dst[n] = uint16(i)
			n += b2i(x >= lo) & b2i(x <= hi)
		}
		return dst[:n]
	}
	dst = dst[:len(sel)]
	for _, i := range sel {
		x := v[i]
		dst[n] = i
		n += b2i(x >= lo) & b2i(x <= hi)
	}
	return dst[:n]
}

func selectOutside[T Integer](dst []uint16, v []T, sel []uint16, lo, hi T) []uint16 {
	n := 0
	if sel == nil {
		dst = dst[:len(v)]
		for i, x := range v {
			dst[n] = uint16(i)
			n += b2i(x < lo) | b2i(x > hi)
		}
		return dst[:n]
	}
	dst = dst[:len(sel)]
	for _, i := range sel {
		x := v[i]
		dst[n] = i
		n += b2i(x < lo) | b2i(x > hi)
	}
	return dst[:n]
}

// SelectBits selects the rows whose bit is set (want true) or clear.
func SelectBits(dst []uint16, bits []uint64, rows int, sel []uint16, want bool) []uint16 {
	flip := uint64(0)
	if !want {
		flip = 1
	}
	n := 0
	if sel == nil {
		dst = dst[:rows]
		for i := range rows {
			dst[n] = uint16(i)
			n += int(bits[i>>6]>>(i&63)&1 ^ flip)
		}
		return dst[:n]
	}
	dst = dst[:len(sel)]
	for _, i := range sel {
		dst[n] = i
		n += int(bits[i>>6]>>(i&63)&1 ^ flip)
	}
	return dst[:n]
}

// SelectCodes selects the rows whose code's bit is set in set.
func SelectCodes(dst []uint16, codes []uint32, sel []uint16, set []uint64) []uint16 {
	n := 0
	if sel == nil {
		dst = dst[:len(codes)]
		for i, c := range codes {
			dst[n] = uint16(i)
			n += int(set[c>>6] >> (c & 63) & 1)
		}
		return dst[:n]
	}
	dst = dst[:len(sel)]
	for _, i := range sel {
		c := codes[i]
		dst[n] = i
		n += int(set[c>>6] >> (c & 63) & 1)
	}
	return dst[:n]
}

// PackBits sets bit i of out (LSB first) to bytes[i], which is 0 or 1, and
// tells whether every bit is set. Bits beyond len(bytes) are zero.
func PackBits(out []uint64, bytes []byte) (all bool) {
	all = true
	for w := 0; len(bytes) > 0; w++ {
		n := min(64, len(bytes))
		var x uint64
		for i, b := range bytes[:n] {
			x |= uint64(b) << i
		}
		out[w] = x
		all = all && x == ^uint64(0)>>(64-n)
		bytes = bytes[n:]
	}
	return all
}

// UnpackBits is the reverse of PackBits for rows from the bit at from.
func UnpackBits(out []byte, bits []uint64, from int) {
	for i := range out {
		k := from + i
		out[i] = byte(bits[k>>6] >> (k & 63) & 1)
	}
}

// CopyBits copies n bits of src from bit from to the start of dst; bits of dst's
// last word beyond n are zero. It tells whether all n bits are set.
func CopyBits(dst, src []uint64, from, n int) (all bool) {
	all = true
	shift := from & 63
	for w := 0; w*64 < n; w++ {
		k := from>>6 + w
		x := src[k] >> shift
		if shift > 0 && k+1 < len(src) {
			x |= src[k+1] << (64 - shift)
		}
		full := ^uint64(0)
		if rest := n - w*64; rest < 64 {
			full = 1<<rest - 1
		}
		x &= full
		dst[w] = x
		all = all && x == full
	}
	return all
}

// Gather sets dst[k] = src[idx[k]].
func Gather[T any, I uint16 | uint32](dst, src []T, idx []I) {
	dst = dst[:len(idx)]
	for k, i := range idx {
		dst[k] = src[i]
	}
}
