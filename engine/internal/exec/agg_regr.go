package exec

import (
	"math"

	"quern/engine/fn"
	"quern/engine/internal/kernel"
	"quern/storage/vec"
)

// regrAgg is corr, covar_* and regr_*: PostgreSQL's float8_regr_accum, by Youngs
// and Cramer. State: n, Sx, Sxx, Sy, Syy, Sxy. Rows with a NULL do not count.
type regrAgg struct{ kind fn.AggKind }

func (regrAgg) words() int { return 6 }

func (a regrAgg) update(u *aggInput) error {
	ys, xs := vec.Values[float64](&u.args[0]), vec.Values[float64](&u.args[1])
	for i, at := range u.at {
		r := int(u.pos[i])
		if u.args[1].Null(r) {
			continue
		}
		w := u.rows[int(at)+u.off : int(at)+u.off+6]
		s := kernel.LoadRegr(w)
		if !s.Add(xs[r], ys[r]) {
			return errFloatOverflow()
		}
		s.Store(w)
	}
	return nil
}

// merge is float8_regr_combine.
func (a regrAgg) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		x, y := kernel.LoadRegr(dst), kernel.LoadRegr(src)
		switch {
		case y.N == 0:
			continue
		case x.N == 0:
			copy(dst[:6], src[:6])
			continue
		}
		s, ok := x.Combine(&y)
		if !ok {
			return errFloatOverflow()
		}
		s.Store(dst)
	}
	return nil
}

func (a regrAgg) final(f *aggOutput) error {
	for i := range f.n {
		s := kernel.LoadRegr(f.state(i, 6))
		if a.kind == fn.AggRegrCount {
			vec.Values[int64](f.out)[i] = int64(s.N)
			continue
		}
		x, ok := regrResult(&s, a.kind)
		if !ok {
			f.null(i)
			continue
		}
		vec.Values[float64](f.out)[i] = x
	}
	return nil
}

// result is the aggregate's value; not ok: NULL.
func regrResult(s *kernel.Regr, kind fn.AggKind) (float64, bool) {
	if s.N < 1 || kind == fn.AggCovarSamp && s.N < 2 {
		return 0, false
	}
	switch kind {
	case fn.AggCovarPop:
		return s.SXY / s.N, true
	case fn.AggCovarSamp:
		return s.SXY / (s.N - 1), true
	case fn.AggRegrAvgX:
		return s.SX / s.N, true
	case fn.AggRegrAvgY:
		return s.SY / s.N, true
	case fn.AggRegrSxx:
		return s.SXX, true
	case fn.AggRegrSyy:
		return s.SYY, true
	case fn.AggRegrSxy:
		return s.SXY, true
	case fn.AggCorr:
		return s.SXY / math.Sqrt(s.SXX*s.SYY), s.SXX != 0 && s.SYY != 0
	}
	if s.SXX == 0 {
		return 0, false
	}
	switch kind {
	case fn.AggRegrSlope:
		return s.SXY / s.SXX, true
	case fn.AggRegrIntercept:
		return (s.SY - s.SX*s.SXY/s.SXX) / s.N, true
	}
	// regr_r2: a horizontal line fits perfectly.
	if s.SYY == 0 {
		return 1, true
	}
	return s.SXY * s.SXY / (s.SXX * s.SYY), true
}
