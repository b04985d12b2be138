package fn

import (
	"math"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// moreTimeFuncs are OVERLAPS, make_interval, and what works on timetz.
func moreTimeFuncs() []*Func {
	out := []*Func{
		def("make_interval", tIv, byValue(makeInterval), tI4, tI4, tI4, tI4, tI4, tI4, tF8).raises(),
		def("timezone", tTimetz, byValue(timetzInZone), tText, tTimetz).raises().stable(),
		def("timezone", tTimetz, byValue(timetzInOffset), tIv, tTimetz).raises(),
		def("+", tTimetz, byValue(moveTimetz(0, 1, 1)), tTimetz, tIv), def("+", tTimetz, byValue(moveTimetz(1, 0, 1)), tIv, tTimetz),
		def("-", tTimetz, byValue(moveTimetz(0, 1, -1)), tTimetz, tIv),
		def("+", tTstz, byValue(dateTimetz(0, 1)), tDate, tTimetz).raises(), def("+", tTstz, byValue(dateTimetz(1, 0)), tTimetz, tDate).raises(),
		def("extract", tNum, extractKernel(tTimetz, timetzParts, true), tText, tTimetz).raises(),
		def("date_part", tF8, extractKernel(tTimetz, timetzParts, false), tText, tTimetz).raises(),
	}
	for _, t := range []types.OID{tTime, tTimetz, tTs, tTstz} {
		out = append(out, def("overlaps", tBool, byValue(overlaps), t, t, t, t).seesNull())
		if t == tTimetz {
			continue
		}
		for _, args := range [][]types.OID{{t, tIv, t, tIv}, {t, t, t, tIv}, {t, tIv, t, t}} {
			out = append(out, def("overlaps", tBool, byValue(overlaps), args...).seesNull().raises().stable())
		}
	}
	return out
}

// overlaps tells whether two periods have a moment in common. An end given as an
// interval counts from its start; NULL ends make it unknown only where it matters.
func overlaps(env *Env, a []types.Datum, t []types.Type) (types.Datum, error) {
	point := func(i int) (types.Datum, error) {
		if a[i].Null || t[i].OID != tIv {
			return a[i], nil
		}
		start := a[i-1]
		if start.Null {
			return types.NullDatum, nil
		}
		switch t[i-1].OID {
		case tTime:
			us := (start.I + a[i].Iv.Micros) % dayMicros
			if us < 0 {
				us += dayMicros
			}
			return integer(us), nil
		case tTs:
			us, err := types.AddInterval(start.I, a[i].Iv)
			return integer(us), err
		}
		z := types.NewZone(env.Format)
		us, err := z.AddInterval(start.I, a[i].Iv)
		return integer(us), err
	}
	s1, s2 := a[0], a[2]
	e1, err := point(1)
	if err != nil {
		return types.NullDatum, err
	}
	e2, err := point(3)
	if err != nil {
		return types.NullDatum, err
	}
	typ := t[0]
	less := func(x, y types.Datum) bool { return types.CompareDatum(typ, &x, &y) < 0 }
	// Each period as start and end in order; a NULL start takes the end's place.
	order := func(s, e types.Datum) (types.Datum, types.Datum, bool) {
		if s.Null {
			s, e = e, s
		}
		if s.Null {
			return s, e, false
		}
		if !e.Null && less(e, s) {
			s, e = e, s
		}
		return s, e, true
	}
	var ok1, ok2 bool
	s1, e1, ok1 = order(s1, e1)
	s2, e2, ok2 = order(s2, e2)
	if !ok1 || !ok2 {
		return types.NullDatum, nil
	}
	within := func(s, otherEnd types.Datum, e types.Datum) types.Datum {
		// s is the later start.
		switch {
		case otherEnd.Null:
			return types.NullDatum
		case less(s, otherEnd):
			return truth(true)
		case e.Null:
			return types.NullDatum
		}
		return truth(false)
	}
	switch {
	case less(s2, s1):
		return within(s1, e2, e1), nil
	case less(s1, s2):
		return within(s2, e1, e2), nil
	case e1.Null || e2.Null:
		return types.NullDatum, nil
	}
	return truth(true), nil
}

const dayMicros = 86_400_000_000

func makeInterval(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	fail := func() (types.Datum, error) { return types.NullDatum, errs.New("22008", "interval out of range") }
	months := a[0].I*12 + a[1].I
	days := a[2].I*7 + a[3].I
	secs := a[6].F
	if math.IsNaN(secs) || math.IsInf(secs, 0) || int64(int32(months)) != months || int64(int32(days)) != days {
		return fail()
	}
	us := math.RoundToEven(secs * 1e6)
	total := float64(a[4].I)*3.6e9 + float64(a[5].I)*6e7 + us
	if math.Abs(total) >= 9.2e18 {
		return fail()
	}
	return types.Datum{Iv: types.IntervalVal{Months: int32(months), Days: int32(days), Micros: a[4].I*3_600_000_000 + a[5].I*60_000_000 + int64(us)}}, nil
}

func wrapDay(us int64) int64 {
	if us %= dayMicros; us < 0 {
		us += dayMicros
	}
	return us
}

func moveTimetz(at, by int, sign int64) func(*Env, []types.Datum, []types.Type) (types.Datum, error) {
	return func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
		us, west := types.SplitTimetz(a[at].S)
		return str(types.Timetz(wrapDay(us+sign*(a[by].Iv.Micros%dayMicros)), west)), nil
	}
}

func dateTimetz(date, tz int) func(*Env, []types.Datum, []types.Type) (types.Datum, error) {
	return func(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
		us, west := types.SplitTimetz(a[tz].S)
		day, err := types.DateToTimestamp(int32(a[date].I))
		if err != nil || day == types.TimePosInf || day == types.TimeNegInf {
			return integer(day), err
		}
		return integer(day + us + int64(west)*1_000_000), nil
	}
}

// shiftTimetz shows the same moment at another offset, seconds west.
func shiftTimetz(s string, west int32) types.Datum {
	us, old := types.SplitTimetz(s)
	return str(types.Timetz(wrapDay(us+int64(old-west)*1_000_000), west))
}

func timetzInZone(env *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	loc, err := types.LoadZone(a[0].S)
	if err != nil {
		return types.NullDatum, err
	}
	z := types.Zone{Loc: loc}
	return shiftTimetz(a[1].S, int32(-z.Offset(env.Format.Now))), nil
}

func timetzInOffset(env *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	iv := a[0].Iv
	if iv.Months != 0 || iv.Days != 0 {
		return types.NullDatum, errs.New(errs.InvalidParameterValue, "interval time zone \"%s\" must not include months or days",
			iv.AppendText(nil, env.Format.IntervalStyle))
	}
	return shiftTimetz(a[1].S, int32(-iv.Micros/1_000_000)), nil
}

func timetzParts(_ *Env, v *vec.Vector) func(types.Unit, int) (types.Part, bool) {
	return func(u types.Unit, i int) (types.Part, bool) {
		us, west := types.SplitTimetz(string(v.BytesAt(i)))
		switch off := -int64(west); u {
		case types.UnitEpoch:
			return types.Part{Value: us + int64(west)*1_000_000, Scale: 6}, true
		case types.UnitTimezone:
			return types.Part{Value: off}, true
		case types.UnitTimezoneHour:
			return types.Part{Value: off / 3600}, true
		case types.UnitTimezoneMinute:
			return types.Part{Value: off / 60 % 60}, true
		}
		return types.ExtractTime(u, us)
	}
}
