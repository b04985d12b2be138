package exec

import (
	"math"
	"math/bits"

	"quern/engine/internal/kernel"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// newSum picks the state of sum or avg; nil if there is none for the type.
func newSum(avg bool, arg, ret types.Type) aggregator {
	switch arg.OID {
	case types.Int2OID, types.Int4OID:
		return intSum{avg, arg}
	case types.Int8OID:
		return bigSum{avg}
	case types.Float4OID, types.Float8OID:
		return floatSum{avg, arg, ret}
	case types.NumericOID:
		return numSum{avg}
	case types.IntervalOID:
		return ivalSum{avg}
	}
	return nil
}

func errBigint() error { return errs.New(errs.NumericOutOfRange, "bigint out of range") }

// intSum sums int2 and int4. State: sum, n. A table cannot see so many rows
// that 64 bits overflow; merged states are checked.
type intSum struct {
	avg bool
	typ types.Type
}

func (intSum) words() int { return 2 }

func (a intSum) update(u *aggInput) error {
	v := &u.args[0]
	if a.typ.Phys() == types.PhysI16 {
		sumInts(u, vec.Values[int16](v))
	} else {
		sumInts(u, vec.Values[int32](v))
	}
	return nil
}

func sumInts[T kernel.Int](u *aggInput, vals []T) {
	if u.one && len(u.at) > 0 {
		w := u.rows[int(u.at[0])+u.off:]
		w[0] += uint64(kernel.SumIntOne(vals[:u.args[0].Len], u.values()))
		w[1] += uint64(len(u.at))
		return
	}
	kernel.SumInt(u.rows, u.at, u.off, vals, u.pos)
}

func (a intSum) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		x, y := int64(dst[0]), int64(src[0])
		s := x + y
		if (x^s)&(y^s) < 0 {
			return errBigint()
		}
		dst[0] = uint64(s)
		dst[1] += src[1]
	}
	return nil
}

func (a intSum) final(f *aggOutput) error {
	for i := range f.n {
		w := f.state(i, 2)
		switch {
		case w[1] == 0:
			f.null(i)
		case a.avg:
			if x, ok := kernel.AvgInt(int64(w[0]), w[1]); ok {
				vec.Values[types.Num](f.out)[i] = x
			} else if err := avgNum(f.out, i, types.NumFromInt(int64(w[0])), w[1]); err != nil {
				return err
			}
		default:
			vec.Values[int64](f.out)[i] = int64(w[0])
		}
	}
	return nil
}

func avgNum(out *vec.Vector, i int, sum types.Num, n uint64) error {
	x, err := sum.Div(types.NumFromInt(int64(n)))
	vec.Values[types.Num](out)[i] = x
	return err
}

// bigSum sums int8 exactly. State: low, high half, n.
type bigSum struct{ avg bool }

func (bigSum) words() int { return 3 }

func (a bigSum) update(u *aggInput) error {
	vals := vec.Values[int64](&u.args[0])
	if u.one && len(u.at) > 0 {
		w := u.rows[int(u.at[0])+u.off:]
		hi, lo := kernel.SumInt128One(vals[:u.args[0].Len], u.values())
		add128(w, lo, uint64(hi))
		w[2] += uint64(len(u.at))
		return nil
	}
	kernel.SumInt128(u.rows, u.at, u.off, vals, u.pos)
	return nil
}

func add128(w []uint64, lo, hi uint64) {
	var c uint64
	w[0], c = bits.Add64(w[0], lo, 0)
	w[1], _ = bits.Add64(w[1], hi, c)
}

func (a bigSum) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		add128(dst, src[0], src[1])
		dst[2] += src[2]
	}
	return nil
}

func (a bigSum) final(f *aggOutput) error {
	for i := range f.n {
		w := f.state(i, 3)
		if w[2] == 0 {
			f.null(i)
			continue
		}
		sum := types.NumFrom128(int64(w[1]), w[0], 0)
		if !a.avg {
			vec.Values[types.Num](f.out)[i] = sum
		} else if x, ok := kernel.AvgInt(int64(w[0]), w[2]); ok && int64(w[1]) == int64(w[0])>>63 {
			vec.Values[types.Num](f.out)[i] = x
		} else if err := avgNum(f.out, i, sum, w[2]); err != nil {
			return err
		}
	}
	return nil
}

// floatSum sums floats in double-double, so that the order of addition does
// not show. State: hi, lo, n.
type floatSum struct {
	avg      bool
	typ, ret types.Type
}

func (floatSum) words() int { return 3 }

func errFloatOverflow() error {
	return errs.New(errs.NumericOutOfRange, "value out of range: overflow")
}

func (a floatSum) update(u *aggInput) error {
	ok := false
	if a.typ.Phys() == types.PhysF32 {
		ok = kernel.SumFloat(u.rows, u.at, u.off, vec.Values[float32](&u.args[0]), u.pos)
	} else {
		ok = kernel.SumFloat(u.rows, u.at, u.off, vec.Values[float64](&u.args[0]), u.pos)
	}
	if !ok {
		return errFloatOverflow()
	}
	return nil
}

func (a floatSum) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		if src[2] == 0 {
			continue
		}
		hi, lo := math.Float64frombits(dst[0]), math.Float64frombits(dst[1])
		hi, lo, bad := kernel.AddFloat(hi, lo, math.Float64frombits(src[0]))
		if bad {
			return errFloatOverflow()
		}
		lo += math.Float64frombits(src[1])
		dst[0], dst[1] = math.Float64bits(hi), math.Float64bits(lo)
		dst[2] += src[2]
	}
	return nil
}

func (a floatSum) final(f *aggOutput) error {
	for i := range f.n {
		w := f.state(i, 3)
		if w[2] == 0 {
			f.null(i)
			continue
		}
		x := math.Float64frombits(w[0])
		if x-x == 0 {
			x += math.Float64frombits(w[1])
		}
		if a.avg {
			x /= float64(w[2])
		}
		if a.ret.Phys() == types.PhysF32 {
			y := float32(x)
			if math.IsInf(float64(y), 0) && !math.IsInf(x, 0) {
				return errFloatOverflow()
			}
			vec.Values[float32](f.out)[i] = y
		} else {
			vec.Values[float64](f.out)[i] = x
		}
	}
	return nil
}

// numSum sums numeric exactly; its scale is the greatest of the inputs'. State:
// low, high half, scale and kind, n.
type numSum struct{ avg bool }

func (numSum) words() int { return 4 }

func numOf(w []uint64) types.Num {
	return types.Num{Lo: w[0], Hi: int64(w[1]), Scale: int16(w[2]), Kind: types.NumKind(w[2] >> 16)}
}

func putNum(w []uint64, x types.Num) {
	w[0], w[1], w[2] = x.Lo, uint64(x.Hi), uint64(uint16(x.Scale))|uint64(x.Kind)<<16
}

// addNum adds x to a state; the common case has equal scales.
func addNum(w []uint64, x types.Num) error {
	if w[2] == uint64(uint16(x.Scale)) && x.Kind == types.NumFinite {
		lo, c := bits.Add64(w[0], x.Lo, 0)
		hi, _ := bits.Add64(w[1], uint64(x.Hi), c)
		if (int64(w[1])^int64(hi))&(x.Hi^int64(hi)) >= 0 {
			w[0], w[1] = lo, hi
			return nil
		}
	}
	s, err := numOf(w).Add(x)
	if err != nil {
		return err
	}
	putNum(w, s)
	return nil
}

func (a numSum) update(u *aggInput) error {
	vals := vec.Values[types.Num](&u.args[0])
	for i, at := range u.at {
		w := u.rows[int(at)+u.off : int(at)+u.off+4]
		if w[3] == 0 {
			putNum(w, vals[u.pos[i]])
		} else if err := addNum(w, vals[u.pos[i]]); err != nil {
			return err
		}
		w[3]++
	}
	return nil
}

func (a numSum) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		if src[3] == 0 {
			continue
		}
		if dst[3] == 0 {
			copy(dst[:3], src[:3])
		} else if err := addNum(dst, numOf(src)); err != nil {
			return err
		}
		dst[3] += src[3]
	}
	return nil
}

func (a numSum) final(f *aggOutput) error {
	for i := range f.n {
		w := f.state(i, 4)
		if w[3] == 0 {
			f.null(i)
		} else if !a.avg {
			vec.Values[types.Num](f.out)[i] = numOf(w)
		} else if err := avgNum(f.out, i, numOf(w), w[3]); err != nil {
			return err
		}
	}
	return nil
}

// ivalSum sums intervals field by field. State: micros, days, months, n.
type ivalSum struct{ avg bool }

func (ivalSum) words() int { return 4 }

func errInterval() error {
	return errs.New(errs.DatetimeOverflow, "interval out of range")
}

func addInterval(w []uint64, micros, days, months int64) error {
	x, d, mo := int64(w[0]), int64(w[1])+days, int64(w[2])+months
	s := x + micros
	if (x^s)&(micros^s) < 0 || d != int64(int32(d)) || mo != int64(int32(mo)) {
		return errInterval()
	}
	w[0], w[1], w[2] = uint64(s), uint64(d), uint64(mo)
	return nil
}

func (a ivalSum) update(u *aggInput) error {
	vals := vec.Values[types.IntervalVal](&u.args[0])
	for i, at := range u.at {
		w, x := u.rows[int(at)+u.off:], vals[u.pos[i]]
		if err := addInterval(w, x.Micros, int64(x.Days), int64(x.Months)); err != nil {
			return err
		}
		w[3]++
	}
	return nil
}

func (a ivalSum) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		if err := addInterval(dst, int64(src[0]), int64(src[1]), int64(src[2])); err != nil {
			return err
		}
		dst[3] += src[3]
	}
	return nil
}

func (a ivalSum) final(f *aggOutput) error {
	out := vec.Values[types.IntervalVal](f.out)
	for i := range f.n {
		w := f.state(i, 4)
		if w[3] == 0 {
			f.null(i)
			continue
		}
		out[i] = types.IntervalVal{Micros: int64(w[0]), Days: int32(w[1]), Months: int32(w[2])}
		if a.avg {
			out[i] = divInterval(out[i], float64(w[3]))
		}
	}
	return nil
}

// divInterval is PostgreSQL's interval_div: fractions of months go to days of
// 30, fractions of days to microseconds.
func divInterval(x types.IntervalVal, by float64) types.IntervalVal {
	const daySecs, dayMicros = 86400.0, 86400e6
	var r types.IntervalVal
	r.Months = int32(float64(x.Months) / by)
	r.Days = int32(float64(x.Days) / by)
	monthDays := roundMicros((float64(x.Months)/by - float64(r.Months)) * 30)
	secs := roundMicros((float64(x.Days)/by - float64(r.Days) + monthDays - math.Trunc(monthDays)) * daySecs)
	if math.Abs(secs) >= daySecs {
		d := math.Trunc(secs / daySecs)
		r.Days += int32(d)
		secs -= d * daySecs
	}
	r.Days += int32(monthDays)
	r.Micros = int64(math.RoundToEven(float64(x.Micros)/by + secs*1e6))
	return r
}

func roundMicros(x float64) float64 { return math.RoundToEven(x*1e6) / 1e6 }
