package exec

import (
	"math"

	"quern/engine/fn"
	"quern/storage/vec"
)

// regrAgg is corr, covar_* and regr_*: PostgreSQL's float8_regr_accum, by Youngs
// and Cramer. State: n, Sx, Sxx, Sy, Syy, Sxy. Rows with a NULL do not count.
type regrAgg struct{ kind fn.AggKind }

type regrState struct{ n, sx, sxx, sy, syy, sxy float64 }

func (regrAgg) words() int { return 6 }

func loadRegr(w []uint64) regrState {
	f := math.Float64frombits
	return regrState{f(w[0]), f(w[1]), f(w[2]), f(w[3]), f(w[4]), f(w[5])}
}

func (s *regrState) store(w []uint64) {
	for i, x := range [...]float64{s.n, s.sx, s.sxx, s.sy, s.syy, s.sxy} {
		w[i] = math.Float64bits(x)
	}
}

func (a regrAgg) update(u *aggInput) error {
	ys, xs := vec.Values[float64](&u.args[0]), vec.Values[float64](&u.args[1])
	for i, at := range u.at {
		r := int(u.pos[i])
		if u.args[1].Null(r) {
			continue
		}
		w := u.rows[int(at)+u.off : int(at)+u.off+6]
		s := loadRegr(w)
		if !s.add(xs[r], ys[r]) {
			return errFloatOverflow()
		}
		s.store(w)
	}
	return nil
}

// add takes a row in; false on overflow.
func (s *regrState) add(x, y float64) bool {
	sx0, sy0, n0 := s.sx, s.sy, s.n
	s.n++
	s.sx += x
	s.sy += y
	if n0 == 0 {
		// A lone NaN or infinity makes the variances NaN.
		if x-x != 0 {
			s.sxx, s.sxy = math.NaN(), math.NaN()
		}
		if y-y != 0 {
			s.syy, s.sxy = math.NaN(), math.NaN()
		}
		return true
	}
	dx, dy, scale := x*s.n-s.sx, y*s.n-s.sy, 1/(s.n*n0)
	s.sxx += dx * dx * scale
	s.syy += dy * dy * scale
	s.sxy += dx * dy * scale
	if !inf(s.sx, s.sxx, s.sy, s.syy, s.sxy) {
		return true
	}
	if inf(s.sx, s.sxx) && !inf(sx0, x) || inf(s.sy, s.syy) && !inf(sy0, y) || inf(s.sxy) && !inf(sx0, x, sy0, y) {
		return false
	}
	for _, p := range []*float64{&s.sxx, &s.syy, &s.sxy} {
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

// merge is float8_regr_combine.
func (a regrAgg) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		x, y := loadRegr(dst), loadRegr(src)
		switch {
		case y.n == 0:
			continue
		case x.n == 0:
			copy(dst[:6], src[:6])
			continue
		}
		n := x.n + y.n
		dx, dy := x.sx/x.n-y.sx/y.n, x.sy/x.n-y.sy/y.n
		s := regrState{
			n: n, sx: x.sx + y.sx, sy: x.sy + y.sy,
			sxx: x.sxx + y.sxx + x.n*y.n*dx*dx/n,
			syy: x.syy + y.syy + x.n*y.n*dy*dy/n,
			sxy: x.sxy + y.sxy + x.n*y.n*dx*dy/n,
		}
		for _, p := range [...][3]float64{{s.sx, x.sx, y.sx}, {s.sxx, x.sxx, y.sxx}, {s.sy, x.sy, y.sy}, {s.syy, x.syy, y.syy}, {s.sxy, x.sxy, y.sxy}} {
			if inf(p[0]) && !inf(p[1], p[2]) {
				return errFloatOverflow()
			}
		}
		s.store(dst)
	}
	return nil
}

func (a regrAgg) final(f *aggOutput) error {
	for i := range f.n {
		s := loadRegr(f.state(i, 6))
		if a.kind == fn.AggRegrCount {
			vec.Values[int64](f.out)[i] = int64(s.n)
			continue
		}
		x, ok := s.result(a.kind)
		if !ok {
			f.null(i)
			continue
		}
		vec.Values[float64](f.out)[i] = x
	}
	return nil
}

// result is the aggregate's value; not ok: NULL.
func (s *regrState) result(kind fn.AggKind) (float64, bool) {
	if s.n < 1 || kind == fn.AggCovarSamp && s.n < 2 {
		return 0, false
	}
	switch kind {
	case fn.AggCovarPop:
		return s.sxy / s.n, true
	case fn.AggCovarSamp:
		return s.sxy / (s.n - 1), true
	case fn.AggRegrAvgX:
		return s.sx / s.n, true
	case fn.AggRegrAvgY:
		return s.sy / s.n, true
	case fn.AggRegrSxx:
		return s.sxx, true
	case fn.AggRegrSyy:
		return s.syy, true
	case fn.AggRegrSxy:
		return s.sxy, true
	case fn.AggCorr:
		return s.sxy / math.Sqrt(s.sxx*s.syy), s.sxx != 0 && s.syy != 0
	}
	if s.sxx == 0 {
		return 0, false
	}
	switch kind {
	case fn.AggRegrSlope:
		return s.sxy / s.sxx, true
	case fn.AggRegrIntercept:
		return (s.sy - s.sx*s.sxy/s.sxx) / s.n, true
	}
	// regr_r2: a horizontal line fits perfectly.
	if s.syy == 0 {
		return 1, true
	}
	return s.sxy * s.sxy / (s.sxx * s.syy), true
}
