package fn

import (
	"math"
	"strconv"
	"time"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

type (
	interval = types.IntervalVal
	zone     = types.Zone
)

// timeOps are + and - on dates, times and intervals, and * and / on intervals.
func timeOps() []*Func {
	out := []*Func{
		def("+", tDate, binaryE(types.AddDays), tDate, tI4).raises(),
		def("+", tDate, binaryE(func(n, d int32) (int32, error) { return types.AddDays(d, n) }), tI4, tDate).raises(),
		def("-", tDate, binaryE(subDays), tDate, tI4).raises(),
		def("-", tI4, binaryE(daysBetween), tDate, tDate).raises(),
		def("-", tIv, binaryE(types.SubTimestamps), tTs, tTs).raises(),
		def("-", tIv, binaryE(types.SubTimestamps), tTstz, tTstz).raises(),
		def("-", tIv, binary(func(a, b int64) interval { return interval{Micros: a - b} }), tTime, tTime),
		def("+", tTs, binaryE(types.MakeTimestamp), tDate, tTime).raises(),
		def("+", tTs, binaryE(func(us int64, d int32) (int64, error) { return types.MakeTimestamp(d, us) }), tTime, tDate).raises(),
		def("+", tIv, binaryE(interval.Add), tIv, tIv).raises(), def("-", tIv, binaryE(interval.Sub), tIv, tIv).raises(),
		def("-", tIv, unaryE(interval.Neg), tIv).raises(), def("+", tIv, unary(func(v interval) interval { return v }), tIv),
		def("*", tIv, binaryE(interval.Mul), tIv, tF8).raises(),
		def("*", tIv, binaryE(func(f float64, v interval) (interval, error) { return v.Mul(f) }), tF8, tIv).raises(),
		def("/", tIv, binaryE(interval.Div), tIv, tF8).raises(),
		def("+", tTime, binary(addTime), tTime, tIv), def("-", tTime, binary(func(us int64, v interval) int64 { return addTime(us, interval{Micros: -v.Micros}) }), tTime, tIv),
		def("+", tTime, binary(func(v interval, us int64) int64 { return addTime(us, v) }), tIv, tTime),
	}
	// timestamp, timestamptz and date with interval; the interval may come first.
	for _, t := range []struct {
		typ, ret types.OID
		vol      Volatility
		plus     Kernel
		rplus    Kernel
		minus    Kernel
	}{
		{tTs, tTs, Immutable, binaryE(types.AddInterval), binaryE(func(v interval, us int64) (int64, error) { return types.AddInterval(us, v) }), binaryE(subInterval)},
		{tTstz, tTstz, Stable, addZoned(false, false), addZoned(true, false), addZoned(false, true)},
		{tDate, tTs, Immutable, binaryE(dateInterval), binaryE(func(v interval, d int32) (int64, error) { return dateInterval(d, v) }), binaryE(dateMinusInterval)},
	} {
		fs := []*Func{
			def("+", t.ret, t.plus, t.typ, tIv).raises(), def("+", t.ret, t.rplus, tIv, t.typ).raises(), def("-", t.ret, t.minus, t.typ, tIv).raises(),
		}
		for _, f := range fs {
			f.Vol = t.vol
		}
		out = append(out, fs...)
	}
	return out
}

func subDays(d, n int32) (int32, error) {
	if n == math.MinInt32 {
		return 0, errs.New(errs.DatetimeOverflow, "date out of range")
	}
	return types.AddDays(d, -n)
}

func daysBetween(a, b int32) (int32, error) {
	if a == types.DatePosInf || a == types.DateNegInf || b == types.DatePosInf || b == types.DateNegInf {
		return 0, errs.New(errs.DatetimeOverflow, "cannot subtract infinite dates")
	}
	return a - b, nil
}

func addTime(us int64, v interval) int64 {
	const day = 86_400_000_000
	r := (us + v.Micros) % day
	if r < 0 {
		r += day
	}
	return r
}

func subInterval(us int64, v interval) (int64, error) {
	n, err := v.Neg()
	if err != nil {
		return 0, err
	}
	return types.AddInterval(us, n)
}

func dateInterval(d int32, v interval) (int64, error) {
	us, err := types.DateToTimestamp(d)
	if err != nil {
		return 0, err
	}
	return types.AddInterval(us, v)
}

func dateMinusInterval(d int32, v interval) (int64, error) {
	us, err := types.DateToTimestamp(d)
	if err != nil {
		return 0, err
	}
	return subInterval(us, v)
}

// addZoned is timestamptz ± interval on the session's wall clock.
func addZoned(swapped, neg bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		z := types.NewZone(env.Format)
		a, b := args[0], args[1]
		if swapped {
			a, b = b, a
		}
		us, iv, o := argOf[int64](a), argOf[interval](b), vec.Values[int64](out)
		return rows(env, sel, n, func(i int) error {
			v := iv.at(i)
			var err error
			if neg {
				if v, err = v.Neg(); err != nil {
					return err
				}
			}
			o[i], err = z.AddInterval(us.at(i), v)
			return err
		})
	}
}

// timeFuncs are the functions on dates and times.
func timeFuncs() []*Func {
	out := []*Func{
		def("now", tTstz, nowKernel).stable(), def("transaction_timestamp", tTstz, nowKernel).stable(),
		def("statement_timestamp", tTstz, nowKernel).stable(), def("current_timestamp", tTstz, nowKernel).stable(),
		def("clock_timestamp", tTstz, clockKernel).volatile(),
		def("current_date", tDate, currentDate).stable(), def("localtimestamp", tTs, localTimestamp).stable(),
		def("timeofday", tText, text(func(env *Env, _ []*vec.Vector, _ int, dst []byte) ([]byte, error) {
			return append(dst, time.Now().UTC().Format("Mon Jan 02 15:04:05.000000 2006 MST")...), nil
		})).volatile(),
		def("date_trunc", tTs, truncTimestamp, tText, tTs).raises(), def("date_trunc", tTstz, truncTstz, tText, tTstz).raises().stable(),
		def("date_trunc", tTstz, truncTstzIn, tText, tTstz, tText).raises(),
		def("date_trunc", tIv, truncInterval, tText, tIv).raises(),
		def("date_bin", tTs, dateBin, tIv, tTs, tTs).raises(), def("date_bin", tTstz, dateBin, tIv, tTstz, tTstz).raises(),
		def("age", tIv, binaryE(types.Age), tTs, tTs).raises(),
		def("age", tIv, ageZoned, tTstz, tTstz).raises().stable(),
		def("age", tIv, ageToday(false), tTs).raises().stable(), def("age", tIv, ageToday(true), tTstz).raises().stable(),
		def("make_date", tDate, makeDate, tI4, tI4, tI4).raises(),
		def("make_time", tTime, makeTime, tI4, tI4, tF8).raises(),
		def("make_timestamp", tTs, makeTimestamp(false), tI4, tI4, tI4, tI4, tI4, tF8).raises(),
		def("make_timestamptz", tTstz, makeTimestamp(true), tI4, tI4, tI4, tI4, tI4, tF8).raises().stable(),
		def("make_timestamptz", tTstz, makeTimestamptzIn, tI4, tI4, tI4, tI4, tI4, tF8, tText).raises(),
		def("to_timestamp", tTstz, unaryE(types.TimestampFromEpoch), tF8).raises(),
		def("timezone", tTs, toLocal, tText, tTstz).raises(), def("timezone", tTstz, toInstant, tText, tTs).raises(),
		def("timezone", tTs, shiftZone(1), tIv, tTstz).raises(), def("timezone", tTstz, shiftZone(-1), tIv, tTs).raises(),
		def("justify_hours", tIv, unaryE(interval.JustifyHours), tIv).raises(), def("justify_days", tIv, unaryE(interval.JustifyDays), tIv).raises(),
		def("justify_interval", tIv, unaryE(interval.Justify), tIv).raises(),
	}
	for _, x := range []struct {
		typ types.OID
		vol Volatility
		get func(env *Env, v *vec.Vector) func(u types.Unit, i int) (types.Part, bool)
	}{
		{tTs, Immutable, func(_ *Env, v *vec.Vector) func(types.Unit, int) (types.Part, bool) {
			a := argOf[int64](v)
			return func(u types.Unit, i int) (types.Part, bool) { return types.ExtractTimestamp(u, a.at(i)) }
		}},
		{tTstz, Stable, func(env *Env, v *vec.Vector) func(types.Unit, int) (types.Part, bool) {
			a, z := argOf[int64](v), types.NewZone(env.Format)
			return func(u types.Unit, i int) (types.Part, bool) { return z.Extract(u, a.at(i)) }
		}},
		{tDate, Immutable, func(_ *Env, v *vec.Vector) func(types.Unit, int) (types.Part, bool) {
			a := argOf[int32](v)
			return func(u types.Unit, i int) (types.Part, bool) { return types.ExtractDate(u, a.at(i)) }
		}},
		{tTime, Immutable, func(_ *Env, v *vec.Vector) func(types.Unit, int) (types.Part, bool) {
			a := argOf[int64](v)
			return func(u types.Unit, i int) (types.Part, bool) { return types.ExtractTime(u, a.at(i)) }
		}},
		{tIv, Immutable, func(_ *Env, v *vec.Vector) func(types.Unit, int) (types.Part, bool) {
			a := argOf[interval](v)
			return func(u types.Unit, i int) (types.Part, bool) { return types.ExtractInterval(u, a.at(i)) }
		}},
	} {
		ex := def("extract", tNum, extractKernel(x.typ, x.get, true), tText, x.typ).raises()
		part := def("date_part", tF8, extractKernel(x.typ, x.get, false), tText, x.typ).raises()
		ex.Vol, part.Vol = x.vol, x.vol
		out = append(out, ex, part)
	}
	return out
}

func constKernel[T vec.Fixedwidth](f func(env *Env) T) Kernel {
	return func(env *Env, _ []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		v, o := f(env), vec.Values[T](out)
		return rows(env, sel, n, func(i int) error { o[i] = v; return nil })
	}
}

var (
	nowKernel   = constKernel(func(env *Env) int64 { return env.Format.Now })
	clockKernel = constKernel(func(*Env) int64 { return time.Now().UnixMicro() })
	currentDate = constKernel(func(env *Env) int32 {
		z := types.NewZone(env.Format)
		return types.TimestampToDate(z.Local(env.Format.Now))
	})
	localTimestamp = constKernel(func(env *Env) int64 {
		z := types.NewZone(env.Format)
		return z.Local(env.Format.Now)
	})
)

// truncUnit is a unit as date_trunc sees it: fields that only extract knows are
// not units there.
func truncUnit(u types.Unit) types.Unit {
	switch u {
	case types.UnitEpoch, types.UnitDow, types.UnitIsodow, types.UnitDoy, types.UnitIsoyear, types.UnitJulian:
		return types.UnitNone
	}
	return u
}

// unitCache reads the unit argument; a constant one is parsed once.
type unitCache struct {
	v    *vec.Vector
	name string
	unit types.Unit
	set  bool
}

func (c *unitCache) at(i int) types.Unit {
	b := c.v.BytesAt(i)
	if !c.set || c.name != string(b) {
		c.name, c.set = string(b), true
		c.unit = types.ParseUnit(c.name)
	}
	return c.unit
}

// truncFixed truncates to a unit of fixed length; false if it is none, or a
// value is infinite.
func truncFixed(u types.Unit, a arg[int64], o []int64, sel vec.Selection, n int) bool {
	step := int64(0)
	switch u {
	case types.UnitSecond:
		step = 1_000_000
	case types.UnitMinute:
		step = 60_000_000
	case types.UnitHour:
		step = 3_600_000_000
	case types.UnitDay:
		step = 86_400_000_000
	default:
		return false
	}
	odd := false
	trunc := func(i int) {
		x := a.at(i)
		q := x / step
		if x%step < 0 {
			q--
		}
		o[i] = q * step
		odd = odd || x == types.TimePosInf || x == types.TimeNegInf
	}
	if sel == nil {
		for i := range n {
			trunc(i)
		}
	} else {
		for _, r := range sel {
			trunc(int(r))
		}
	}
	return !odd
}

func truncTimestamp(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	if args[0].Form == vec.Const {
		u := unitCache{v: args[0]}
		if truncFixed(u.at(0), argOf[int64](args[1]), vec.Values[int64](out), sel, n) {
			return nil
		}
	}
	u, a, o := unitCache{v: args[0]}, argOf[int64](args[1]), vec.Values[int64](out)
	// Neighbouring rows mostly lie in the same unit: [lo, hi) is the last day.
	lo, hi, last, lastUnit := int64(0), int64(0), int64(0), types.UnitNone
	return rows(env, sel, n, func(i int) error {
		unit, x := u.at(i), a.at(i)
		if unit == lastUnit && x >= lo && x < hi {
			o[i] = last
			return nil
		}
		r, ok := types.TruncTimestamp(unit, x)
		if !ok {
			return types.ErrUnit(truncUnit(unit), u.name, bare(args[1].Type))
		}
		o[i] = r
		if unit >= types.UnitWeek && x != types.TimePosInf && x != types.TimeNegInf {
			const day = 86_400_000_000
			d, _ := types.SplitTimestamp(x)
			lo, hi, last, lastUnit = d*day, d*day+day, r, unit
		}
		return nil
	})
}

func truncTstz(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	z := types.NewZone(env.Format)
	if z.UTC() {
		return truncTimestamp(env, args, sel, n, out)
	}
	return truncIn(env, &z, args, sel, n, out)
}

func truncIn(env *Env, z *zone, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	u, a, o := unitCache{v: args[0]}, argOf[int64](args[1]), vec.Values[int64](out)
	return rows(env, sel, n, func(i int) error {
		unit := u.at(i)
		r, ok, err := z.Trunc(unit, a.at(i))
		if !ok && err == nil {
			err = types.ErrUnit(truncUnit(unit), u.name, types.Timestamptz)
		}
		o[i] = r
		return err
	})
}

func truncTstzIn(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	c := zoneCache{v: args[2]}
	return rows(env, sel, n, func(i int) error {
		z, err := c.at(i)
		if err != nil {
			return err
		}
		return truncIn(env, z, args, vec.Selection{uint16(i)}, n, out)
	})
}

func truncInterval(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	u, a, o := unitCache{v: args[0]}, argOf[interval](args[1]), vec.Values[interval](out)
	return rows(env, sel, n, func(i int) error {
		unit := u.at(i)
		r, ok := types.TruncInterval(unit, a.at(i))
		if !ok {
			return types.ErrUnit(truncUnit(unit), u.name, types.Interval)
		}
		o[i] = r
		return nil
	})
}

// extractFast reads whole-numbered fields of UTC timestamps; false if the unit
// is another or a value is infinite.
func extractFast(args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector, numeric bool) bool {
	c := unitCache{v: args[0]}
	var f func(us int64) int64
	switch c.at(0) {
	case types.UnitMinute:
		f = func(us int64) int64 { _, m := types.SplitTimestamp(us); return m / 60_000_000 % 60 }
	case types.UnitHour:
		f = func(us int64) int64 { _, m := types.SplitTimestamp(us); return m / 3_600_000_000 }
	case types.UnitDay, types.UnitMonth, types.UnitYear:
		unit, day, last := c.unit, int64(1)<<62, int64(0)
		f = func(us int64) int64 {
			if d, _ := types.SplitTimestamp(us); d != day {
				p, _ := types.ExtractTimestamp(unit, us)
				day, last = d, p.Value
			}
			return last
		}
	default:
		return false
	}
	a, odd := argOf[int64](args[1]), false
	nums, floats := []types.Num(nil), []float64(nil)
	if numeric {
		nums = vec.Values[types.Num](out)
	} else {
		floats = vec.Values[float64](out)
	}
	put := func(i int) {
		us := a.at(i)
		v := f(us)
		odd = odd || us == types.TimePosInf || us == types.TimeNegInf
		if numeric {
			nums[i] = types.NumFromInt(v)
		} else {
			floats[i] = float64(v)
		}
	}
	if sel == nil {
		for i := range n {
			put(i)
		}
	} else {
		for _, r := range sel {
			put(int(r))
		}
	}
	return !odd
}

func extractKernel(typ types.OID, get func(*Env, *vec.Vector) func(types.Unit, int) (types.Part, bool), numeric bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		if typ == tTs || typ == tTstz {
			if z := types.NewZone(env.Format); (typ == tTs || z.UTC()) && args[0].Form == vec.Const && extractFast(args, sel, n, out, numeric) {
				return nil
			}
		}
		u, part := unitCache{v: args[0]}, get(env, args[1])
		nums, floats := []types.Num(nil), []float64(nil)
		if numeric {
			nums = vec.Values[types.Num](out)
		} else {
			floats = vec.Values[float64](out)
		}
		return rows(env, sel, n, func(i int) error {
			unit := u.at(i)
			p, ok := part(unit, i)
			switch {
			case !ok:
				return types.ErrUnit(unit, u.name, types.Type{OID: typ, Mod: -1})
			case p.Null:
				setNull(out, i)
			case numeric:
				v, err := p.Num()
				if err != nil {
					return err
				}
				nums[i] = v
			default:
				floats[i] = p.Float64()
			}
			return nil
		})
	}
}

// zoneCache loads the zone that an argument names.
type zoneCache struct {
	v    *vec.Vector
	name string
	z    zone
	set  bool
}

func (c *zoneCache) at(i int) (*zone, error) {
	b := c.v.BytesAt(i)
	if c.set && c.name == string(b) {
		return &c.z, nil
	}
	loc, err := types.LoadZone(string(b))
	if err != nil {
		return nil, err
	}
	c.name, c.z, c.set = string(b), zone{Loc: loc}, true
	return &c.z, nil
}

func toLocal(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	c, a, o := zoneCache{v: args[0]}, argOf[int64](args[1]), vec.Values[int64](out)
	return rows(env, sel, n, func(i int) error {
		z, err := c.at(i)
		if err == nil {
			o[i] = z.Local(a.at(i))
		}
		return err
	})
}

func toInstant(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	c, a, o := zoneCache{v: args[0]}, argOf[int64](args[1]), vec.Values[int64](out)
	return rows(env, sel, n, func(i int) error {
		z, err := c.at(i)
		if err == nil {
			o[i], err = z.Instant(a.at(i))
		}
		return err
	})
}

// shiftZone is AT TIME ZONE interval.
func shiftZone(sign int64) Kernel {
	return binaryE(func(v interval, us int64) (int64, error) {
		if us == types.TimePosInf || us == types.TimeNegInf {
			return us, nil
		}
		if v.Months|v.Days != 0 {
			b := v.AppendText(nil, types.IntervalPostgres)
			return 0, errs.New(errs.InvalidParameterValue, "interval time zone \"%s\" must not include months or days", b)
		}
		return types.AddInterval(us, interval{Micros: sign * v.Micros})
	})
}

func dateBin(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	s, a, g, o := argOf[interval](args[0]), argOf[int64](args[1]), argOf[int64](args[2]), vec.Values[int64](out)
	return rows(env, sel, n, func(i int) error {
		v, us, origin := s.at(i), a.at(i), g.at(i)
		if us == types.TimePosInf || us == types.TimeNegInf {
			o[i] = us
			return nil
		}
		if v.Months != 0 {
			return errs.New(errs.FeatureNotSupported, "timestamps cannot be binned into intervals containing months or years")
		}
		step := v.Micros + int64(v.Days)*86_400_000_000
		if step <= 0 {
			return errs.New(errs.DatetimeOverflow, "stride must be greater than zero")
		}
		if origin == types.TimePosInf || origin == types.TimeNegInf {
			return errs.New(errs.DatetimeOverflow, "origin out of range")
		}
		d := us - origin
		r := d % step
		if r < 0 {
			r += step
		}
		o[i] = us - r
		return nil
	})
}

func ageZoned(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	z := types.NewZone(env.Format)
	a, b, o := argOf[int64](args[0]), argOf[int64](args[1]), vec.Values[interval](out)
	return rows(env, sel, n, func(i int) (err error) {
		o[i], err = types.Age(z.Local(a.at(i)), z.Local(b.at(i)))
		return err
	})
}

// ageToday is age(current_date at midnight, x).
func ageToday(zoned bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		z := types.NewZone(env.Format)
		today, _ := types.TruncTimestamp(types.UnitDay, z.Local(env.Format.Now))
		a, o := argOf[int64](args[0]), vec.Values[interval](out)
		return rows(env, sel, n, func(i int) (err error) {
			us := a.at(i)
			if zoned {
				us = z.Local(us)
			}
			o[i], err = types.Age(today, us)
			return err
		})
	}
}

func makeDate(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	y, m, d, o := argOf[int32](args[0]), argOf[int32](args[1]), argOf[int32](args[2]), vec.Values[int32](out)
	return rows(env, sel, n, func(i int) (err error) {
		o[i], err = types.MakeDate(y.at(i), m.at(i), d.at(i))
		return err
	})
}

func clock(h, m int32, s float64) (int64, error) {
	if h < 0 || m < 0 || m > 59 || !(s >= 0 && s <= 60) || h > 24 || h == 24 && (m > 0 || s > 0) {
		return 0, errs.New(errs.DatetimeOverflow, "time field value out of range: %d:%02d:%s", h, m, secondsText(s))
	}
	return (int64(h)*3600+int64(m)*60)*1_000_000 + int64(math.RoundToEven(s*1e6)), nil
}

// secondsText is C's %02g.
func secondsText(s float64) string {
	t := strconv.FormatFloat(s, 'g', 6, 64)
	if len(t) < 2 {
		t = "0" + t
	}
	return t
}

func makeTime(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	h, m, s, o := argOf[int32](args[0]), argOf[int32](args[1]), argOf[float64](args[2]), vec.Values[int64](out)
	return rows(env, sel, n, func(i int) (err error) {
		o[i], err = clock(h.at(i), m.at(i), s.at(i))
		return err
	})
}

func makeTimestamp(zoned bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		z := types.NewZone(env.Format)
		f := [5]arg[int32]{}
		for k := range f {
			f[k] = argOf[int32](args[k])
		}
		s, o := argOf[float64](args[5]), vec.Values[int64](out)
		return rows(env, sel, n, func(i int) error {
			d, err := types.MakeDate(f[0].at(i), f[1].at(i), f[2].at(i))
			if err != nil {
				return err
			}
			us, err := clock(f[3].at(i), f[4].at(i), s.at(i))
			if err != nil {
				return err
			}
			if us, err = types.MakeTimestamp(d, us); err == nil && zoned {
				us, err = z.Instant(us)
			}
			o[i] = us
			return err
		})
	}
}

// makeTimestamptzIn is make_timestamptz in a named zone.
func makeTimestamptzIn(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	if err := makeTimestamp(false)(env, args[:6], sel, n, out); err != nil {
		return err
	}
	c, o := zoneCache{v: args[6]}, vec.Values[int64](out)
	return rows(env, sel, n, func(i int) error {
		z, err := c.at(i)
		if err == nil {
			o[i], err = z.Instant(o[i])
		}
		return err
	})
}
