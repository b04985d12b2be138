package kernel

import (
	"math/bits"

	"quern/storage/types"
)

// AvgInt is sum/n with the scale and rounding of Num.Div, where one 128 by 64
// bit division can give it.
func AvgInt(sum int64, n uint64) (types.Num, bool) {
	u := uint64(sum)
	if sum < 0 {
		u = -u
	}
	if u == 0 {
		return types.Num{}, false
	}
	ws, fs := lead64(u)
	wn, fn := lead64(n)
	q := ws - wn
	if fs <= fn {
		q--
	}
	scale := max(16-4*q, 0)
	if scale >= len(pow10u64) {
		return types.Num{}, false
	}
	hi, lo := bits.Mul64(u, pow10u64[scale])
	if hi >= n {
		return types.Num{}, false
	}
	x, rem := bits.Div64(hi, lo, n)
	if rem >= n-rem {
		x++
		if x == 0 {
			return types.Num{}, false
		}
	}
	r := types.Num{Lo: x, Scale: int16(scale)}
	if sum < 0 && x != 0 {
		r.Lo, r.Hi = -x, -1
	}
	return r, true
}

// lead64 gives the weight and the value of the first base-10000 digit.
func lead64(x uint64) (weight int, first uint64) {
	for x >= 10000 {
		x /= 10000
		weight++
	}
	return weight, x
}

var pow10u64 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()
