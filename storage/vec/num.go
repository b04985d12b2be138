package vec

import (
	"cmp"
	"math/bits"

	"quern/storage/types"
)

// NormNum removes the trailing zeros of a decimal's fraction, so that equal
// values have equal fields. It never makes the scale negative.
func NormNum(n types.Num) types.Num {
	if n.Kind != types.NumFinite {
		return types.Num{Kind: n.Kind}
	}
	if n.Scale <= 0 {
		return n
	}
	if n.Lo == 0 && n.Hi == 0 {
		n.Scale = 0
		return n
	}
	neg := n.Hi < 0
	hi, lo := abs128(n.Hi, n.Lo)
	for n.Scale > 0 {
		if hi == 0 {
			q := lo / 10
			if q*10 != lo {
				break
			}
			lo = q
		} else {
			qh, rh := hi/10, hi%10
			ql, r := bits.Div64(rh, lo, 10)
			if r != 0 {
				break
			}
			hi, lo = qh, ql
		}
		n.Scale--
	}
	if neg {
		var b uint64
		lo, b = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, b)
	}
	n.Lo, n.Hi = lo, int64(hi)
	return n
}

func abs128(hi int64, lo uint64) (uint64, uint64) {
	h := uint64(hi)
	if hi < 0 {
		var b uint64
		lo, b = bits.Sub64(0, lo, 0)
		h, _ = bits.Sub64(0, h, b)
	}
	return h, lo
}

// numRank orders the kinds: −Infinity, finite, Infinity, NaN.
func numRank(k types.NumKind) int {
	switch k {
	case types.NumNegInf:
		return 0
	case types.NumPosInf:
		return 2
	case types.NumNaN:
		return 3
	}
	return 1
}

// CompareNum orders decimals by value, NaN greatest.
func CompareNum(a, b types.Num) int {
	if a.Kind != types.NumFinite || b.Kind != types.NumFinite {
		return cmp.Compare(numRank(a.Kind), numRank(b.Kind))
	}
	if a.Scale == b.Scale {
		if a.Hi != b.Hi {
			return cmp.Compare(a.Hi, b.Hi)
		}
		return cmp.Compare(a.Lo, b.Lo)
	}
	na, nb := a.Hi < 0, b.Hi < 0
	if na != nb {
		if na {
			return -1
		}
		return 1
	}
	ah, al := abs128(a.Hi, a.Lo)
	bh, bl := abs128(b.Hi, b.Lo)
	x, y := wide{al, ah}, wide{bl, bh}
	if a.Scale < b.Scale {
		x.scale(int(b.Scale) - int(a.Scale))
	} else {
		y.scale(int(a.Scale) - int(b.Scale))
	}
	c := x.cmp(&y)
	if na {
		return -c
	}
	return c
}

// wide is an unsigned integer of 320 bits, least word first; it saturates.
type wide [5]uint64

// scale multiplies by 10^n.
func (w *wide) scale(n int) {
	for ; n > 0; n-- {
		var carry uint64
		for i := range w {
			hi, lo := bits.Mul64(w[i], 10)
			var c uint64
			w[i], c = bits.Add64(lo, carry, 0)
			carry = hi + c
		}
		if carry != 0 {
			for i := range w {
				w[i] = ^uint64(0)
			}
			return
		}
	}
}

func (w *wide) cmp(o *wide) int {
	for i := len(w) - 1; i >= 0; i-- {
		if w[i] != o[i] {
			return cmp.Compare(w[i], o[i])
		}
	}
	return 0
}

// IntervalTotal is an interval's length in µs with months of 30 days, as a
// 128-bit integer; intervals compare by it.
func IntervalTotal(iv types.IntervalVal) (hi int64, lo uint64) {
	const dayMicros = 86400 * 1000000
	days := int64(iv.Months)*30 + int64(iv.Days)
	neg := days < 0
	u := uint64(days)
	if neg {
		u = -u
	}
	h, l := bits.Mul64(u, dayMicros)
	if neg {
		var b uint64
		l, b = bits.Sub64(0, l, 0)
		h, _ = bits.Sub64(0, h, b)
	}
	lo, c := bits.Add64(l, uint64(iv.Micros), 0)
	h, _ = bits.Add64(h, uint64(iv.Micros>>63), c)
	return int64(h), lo
}

// CompareInterval orders intervals by their total.
func CompareInterval(a, b types.IntervalVal) int {
	ah, al := IntervalTotal(a)
	bh, bl := IntervalTotal(b)
	if ah != bh {
		return cmp.Compare(ah, bh)
	}
	return cmp.Compare(al, bl)
}
