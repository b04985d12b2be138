package kernel

import "math"

// Regr is the state of corr, covar_* and regr_*: count, sums and sums of squares
// about the means.
type Regr struct{ N, SX, SXX, SY, SYY, SXY float64 }

// LoadRegr reads a state from six words.
func LoadRegr(w []uint64) Regr {
	f := math.Float64frombits
	return Regr{f(w[0]), f(w[1]), f(w[2]), f(w[3]), f(w[4]), f(w[5])}
}

// Store writes the state to six words.
func (s *Regr) Store(w []uint64) {
	for i, x := range [...]float64{s.N, s.SX, s.SXX, s.SY, s.SYY, s.SXY} {
		w[i] = math.Float64bits(x)
	}
}

// Add takes a row in; false on overflow.
func (s *Regr) Add(x, y float64) bool {
	sx0, sy0, n0 := s.SX, s.SY, s.N
	s.N++
	s.SX += x
	s.SY += y
	if n0 == 0 {
		// A lone NaN or infinity makes the variances NaN.
		if x-x != 0 {
			s.SXX, s.SXY = math.NaN(), math.NaN()
		}
		if y-y != 0 {
			s.SYY, s.SXY = math.NaN(), math.NaN()
		}
		return true
	}
	dx, dy, scale := x*s.N-s.SX, y*s.N-s.SY, 1/(s.N*n0)
	s.SXX += dx * dx * scale
	s.SYY += dy * dy * scale
	s.SXY += dx * dy * scale
	if !inf(s.SX, s.SXX, s.SY, s.SYY, s.SXY) {
		return true
	}
	if inf(s.SX, s.SXX) && !inf(sx0, x) || inf(s.SY, s.SYY) && !inf(sy0, y) || inf(s.SXY) && !inf(sx0, x, sy0, y) {
		return false
	}
	for _, p := range []*float64{&s.SXX, &s.SYY, &s.SXY} {
		if inf(*p) {
			*p = math.NaN()
		}
	}
	return true
}

func inf(xs ...float64) bool {
	for _, x := range xs {
		if math.IsInf(x, 0) {
			return true
		}
	}
	return false
}

// Combine is float8_regr_combine; false on overflow. Neither state is empty.
func (x *Regr) Combine(y *Regr) (s Regr, ok bool) {
	n := x.N + y.N
	dx, dy := x.SX/x.N-y.SX/y.N, x.SY/x.N-y.SY/y.N
	s = Regr{
		N: n, SX: x.SX + y.SX, SY: x.SY + y.SY,
		SXX: x.SXX + y.SXX + x.N*y.N*dx*dx/n,
		SYY: x.SYY + y.SYY + x.N*y.N*dy*dy/n,
		SXY: x.SXY + y.SXY + x.N*y.N*dx*dy/n,
	}
	for _, p := range [...][3]float64{{s.SX, x.SX, y.SX}, {s.SXX, x.SXX, y.SXX}, {s.SY, x.SY, y.SY}, {s.SYY, x.SYY, y.SYY}, {s.SXY, x.SXY, y.SXY}} {
		if inf(p[0]) && !inf(p[1], p[2]) {
			return s, false
		}
	}
	return s, true
}
