// Package kernel holds loops over slices that only operators need: updating
// aggregates' state words, and sorting.
//
// Aggregates: a group is a row of words in rows; at[i] is where the row of the
// i-th input value begins, off the state's first word in it, pos[i] the value's
// position in vals. Words are two's complement or IEEE bits. One generic
// function per operation with the operator written in its body; types meet once
// per batch. Imports the standard library only.
package kernel

import (
	"math"
	"math/bits"
)

// Int are the element types of integer-like columns.
type Int interface {
	~uint8 | ~int16 | ~int32 | ~uint32 | ~int64
}

// Float are the element types of float columns.
type Float interface{ ~float32 | ~float64 }

// Count adds one per row. State: n.
func Count(rows []uint64, at []uint32, off int) {
	for _, a := range at {
		rows[int(a)+off]++
	}
}

// SumInt adds values. State: sum as int64, n. The caller makes sure that the
// sum cannot leave 64 bits within one table (values of at most 32 bits).
func SumInt[T Int](rows []uint64, at []uint32, off int, vals []T, pos []uint16) {
	pos = pos[:len(at)]
	for i, a := range at {
		w := rows[int(a)+off : int(a)+off+2 : int(a)+off+2]
		w[0] += uint64(int64(vals[pos[i]]))
		w[1]++
	}
}

// SumInt128 adds values. State: low, high half of the sum, n.
func SumInt128(rows []uint64, at []uint32, off int, vals []int64, pos []uint16) {
	pos = pos[:len(at)]
	for i, a := range at {
		x := vals[pos[i]]
		w := rows[int(a)+off : int(a)+off+3 : int(a)+off+3]
		var c uint64
		w[0], c = bits.Add64(w[0], uint64(x), 0)
		w[1], _ = bits.Add64(w[1], uint64(x>>63), c)
		w[2]++
	}
}

// MinInt keeps the least value. State: value, n.
func MinInt[T Int](rows []uint64, at []uint32, off int, vals []T, pos []uint16) {
	pos = pos[:len(at)]
	for i, a := range at {
		x := int64(vals[pos[i]])
		w := rows[int(a)+off : int(a)+off+2 : int(a)+off+2]
		if w[1] == 0 || x < int64(w[0]) {
			w[0] = uint64(x)
		}
		w[1]++
	}
}

// MaxInt keeps the greatest value. State: value, n.
func MaxInt[T Int](rows []uint64, at []uint32, off int, vals []T, pos []uint16) {
	pos = pos[:len(at)]
	for i, a := range at {
		x := int64(vals[pos[i]])
		w := rows[int(a)+off : int(a)+off+2 : int(a)+off+2]
		if w[1] == 0 || x > int64(w[0]) {
			w[0] = uint64(x)
		}
		w[1]++
	}
}

// FloatLess orders floats as SQL does: NaN greatest.
func FloatLess(x, y float64) bool { return x < y || y != y && x == x }

// MinFloat keeps the least value, NaN being greatest. State: value, n.
func MinFloat[T Float](rows []uint64, at []uint32, off int, vals []T, pos []uint16) {
	pos = pos[:len(at)]
	for i, a := range at {
		x := float64(vals[pos[i]])
		w := rows[int(a)+off : int(a)+off+2 : int(a)+off+2]
		if w[1] == 0 || FloatLess(x, math.Float64frombits(w[0])) {
			w[0] = math.Float64bits(x)
		}
		w[1]++
	}
}

// MaxFloat keeps the greatest value, NaN being greatest. State: value, n.
func MaxFloat[T Float](rows []uint64, at []uint32, off int, vals []T, pos []uint16) {
	pos = pos[:len(at)]
	for i, a := range at {
		x := float64(vals[pos[i]])
		w := rows[int(a)+off : int(a)+off+2 : int(a)+off+2]
		if w[1] == 0 || FloatLess(math.Float64frombits(w[0]), x) {
			w[0] = math.Float64bits(x)
		}
		w[1]++
	}
}

// BitAnd, BitOr, BitXor. State: value, n.
func BitAnd[T Int](rows []uint64, at []uint32, off int, vals []T, pos []uint16) {
	pos = pos[:len(at)]
	for i, a := range at {
		x := uint64(int64(vals[pos[i]]))
		w := rows[int(a)+off : int(a)+off+2 : int(a)+off+2]
		if w[1] == 0 {
			w[0] = x
		}
		w[0] &= x
		w[1]++
	}
}

// BitOr ors values. State: value, n.
func BitOr[T Int](rows []uint64, at []uint32, off int, vals []T, pos []uint16) {
	pos = pos[:len(at)]
	for i, a := range at {
		w := rows[int(a)+off : int(a)+off+2 : int(a)+off+2]
		w[0] |= uint64(int64(vals[pos[i]]))
		w[1]++
	}
}

// BitXor xors values. State: value, n.
func BitXor[T Int](rows []uint64, at []uint32, off int, vals []T, pos []uint16) {
	pos = pos[:len(at)]
	for i, a := range at {
		w := rows[int(a)+off : int(a)+off+2 : int(a)+off+2]
		w[0] ^= uint64(int64(vals[pos[i]]))
		w[1]++
	}
}

// AddFloat adds x to the double-double (hi, lo) and tells whether finite
// values overflowed.
func AddFloat(hi, lo, x float64) (h, l float64, overflow bool) {
	s := hi + x
	if s-s != 0 { // infinite or NaN
		return s, 0, s == s && hi-hi == 0 && x-x == 0
	}
	b := s - hi
	return s, lo + ((hi - (s - b)) + (x - b)), false
}

// SumFloat adds values in double-double. State: hi, lo, n. It returns false if
// finite values overflowed.
func SumFloat[T Float](rows []uint64, at []uint32, off int, vals []T, pos []uint16) bool {
	pos = pos[:len(at)]
	ok := true
	for i, a := range at {
		w := rows[int(a)+off : int(a)+off+3 : int(a)+off+3]
		hi, lo, bad := AddFloat(math.Float64frombits(w[0]), math.Float64frombits(w[1]), float64(vals[pos[i]]))
		w[0], w[1] = math.Float64bits(hi), math.Float64bits(lo)
		w[2]++
		if bad {
			ok = false
		}
	}
	return ok
}

// VarFloat adds values by Youngs and Cramer, as PostgreSQL. State: n, Sx, Sxx.
// It returns false if finite values overflowed.
func VarFloat[T Float](rows []uint64, at []uint32, off int, vals []T, pos []uint16) bool {
	pos = pos[:len(at)]
	ok := true
	for i, a := range at {
		w := rows[int(a)+off : int(a)+off+3 : int(a)+off+3]
		x := float64(vals[pos[i]])
		w[0]++
		n := float64(w[0])
		sx0, sxx := math.Float64frombits(w[1]), math.Float64frombits(w[2])
		sx := sx0 + x
		switch {
		case w[0] > 1:
			d := x*n - sx
			sxx += d * d / (n * (n - 1))
			if math.IsInf(sx, 0) || math.IsInf(sxx, 0) {
				if !math.IsInf(sx0, 0) && !math.IsInf(x, 0) {
					ok = false
				}
				sxx = math.NaN()
			}
		case x-x != 0:
			sxx = math.NaN()
		}
		w[1], w[2] = math.Float64bits(sx), math.Float64bits(sxx)
	}
	return ok
}

// MergeVar combines two states of VarFloat into dst; false on overflow.
func MergeVar(dst, src []uint64) bool {
	if src[0] == 0 {
		return true
	}
	if dst[0] == 0 {
		copy(dst[:3], src[:3])
		return true
	}
	n1, n2 := float64(dst[0]), float64(src[0])
	s1, s2 := math.Float64frombits(dst[1]), math.Float64frombits(src[1])
	x1, x2 := math.Float64frombits(dst[2]), math.Float64frombits(src[2])
	d := s1/n1 - s2/n2
	sx := s1 + s2
	sxx := x1 + x2 + n1*n2*d*d/(n1+n2)
	dst[0] += src[0]
	dst[1], dst[2] = math.Float64bits(sx), math.Float64bits(sxx)
	return !math.IsInf(sx, 0) || math.IsInf(s1, 0) || math.IsInf(s2, 0)
}

// One-group forms: the state stays in registers. pos nil means all of vals.

// SumIntOne returns the sum of values of at most 32 bits.
func SumIntOne[T Int](vals []T, pos []uint16) (sum int64) {
	if pos != nil {
		for _, p := range pos {
			sum += int64(vals[p])
		}
		return sum
	}
	var a, b, c, d int64
	for len(vals) >= 4 {
		a += int64(vals[0])
		b += int64(vals[1])
		c += int64(vals[2])
		d += int64(vals[3])
		vals = vals[4:]
	}
	for _, x := range vals {
		a += int64(x)
	}
	return a + b + c + d
}

// SumInt128One returns the sum of 64-bit values.
func SumInt128One(vals []int64, pos []uint16) (hi int64, lo uint64) {
	var c, h uint64
	if pos != nil {
		for _, p := range pos {
			x := vals[p]
			lo, c = bits.Add64(lo, uint64(x), 0)
			h, _ = bits.Add64(h, uint64(x>>63), c)
		}
		return int64(h), lo
	}
	for _, x := range vals {
		lo, c = bits.Add64(lo, uint64(x), 0)
		h, _ = bits.Add64(h, uint64(x>>63), c)
	}
	return int64(h), lo
}

// MinMaxIntOne returns the least and greatest of at least one value.
func MinMaxIntOne[T Int](vals []T, pos []uint16) (lo, hi T) {
	if pos != nil {
		lo, hi = vals[pos[0]], vals[pos[0]]
		for _, p := range pos {
			lo, hi = min(lo, vals[p]), max(hi, vals[p])
		}
		return lo, hi
	}
	lo, hi = vals[0], vals[0]
	for _, x := range vals {
		lo, hi = min(lo, x), max(hi, x)
	}
	return lo, hi
}
