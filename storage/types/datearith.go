package types

import (
	"math"
	"strings"

	"quern/storage/errs"
)

// AddInterval is timestamp + interval: months (the day clipped to the month's
// length), then days, then time.
func AddInterval(us int64, iv IntervalVal) (int64, error) {
	if !finiteTs(us) {
		return us, nil
	}
	days, micros := SplitTimestamp(us)
	if iv.Months != 0 {
		y, m, d := CivilFromDays(days)
		total := int64(y)*12 + int64(m-1) + int64(iv.Months)
		if total < -12*5000 || total > 12*300000 {
			return 0, errTimestampRange()
		}
		y, m = int(floorDiv(total, 12)), int(total-floorDiv(total, 12)*12)+1
		days = DaysFromCivil(y, m, min(d, daysInMonth(y, m)))
	}
	t, err := joinTimestamp(days+int64(iv.Days), micros)
	if err != nil {
		return 0, err
	}
	r := t + iv.Micros
	if (r < t) != (iv.Micros < 0) || r < tsMin || r > tsMax {
		return 0, errTimestampRange()
	}
	return r, nil
}

// AddInterval is timestamptz + interval: months and days on the zone's wall
// clock.
func (z *Zone) AddInterval(us int64, iv IntervalVal) (int64, error) {
	if !finiteTs(us) {
		return us, nil
	}
	if iv.Months|iv.Days != 0 {
		local, err := AddInterval(z.Local(us), IntervalVal{Months: iv.Months, Days: iv.Days})
		if err != nil {
			return 0, err
		}
		if us, err = z.Instant(local); err != nil {
			return 0, err
		}
	}
	return AddInterval(us, IntervalVal{Micros: iv.Micros})
}

// SubTimestamps is timestamp - timestamp in days and time.
func SubTimestamps(a, b int64) (IntervalVal, error) {
	if !finiteTs(a) || !finiteTs(b) {
		return IntervalVal{}, errs.New(errs.DatetimeOverflow, "cannot subtract infinite timestamps")
	}
	d := a - b
	if (a^b)&(a^d) < 0 {
		return IntervalVal{}, errIntervalRange()
	}
	return IntervalVal{Micros: d % microsPerDay, Days: int32(d / microsPerDay)}, nil
}

// Age is the symbolic difference of two timestamps in years, months, days and
// time.
func Age(a, b int64) (IntervalVal, error) {
	if !finiteTs(a) || !finiteTs(b) {
		return IntervalVal{}, errs.New(errs.DatetimeOverflow, "timestamp out of range")
	}
	if a < b {
		v, err := Age(b, a)
		if err != nil {
			return v, err
		}
		return v.Neg()
	}
	x, y := civilOf(a), civilOf(b)
	months := (x.year-y.year)*12 + x.month - y.month
	days, micros := x.day-y.day, x.micros-y.micros
	if micros < 0 {
		micros += microsPerDay
		days--
	}
	// Days are borrowed from the month in which the earlier timestamp lies.
	for days < 0 {
		days += daysInMonth(y.year, y.month)
		months--
	}
	return IntervalVal{micros, int32(days), int32(months)}, nil
}

// TruncTimestamp is date_trunc on a wall clock. ok is false for units that
// cannot be truncated to.
func TruncTimestamp(u Unit, us int64) (r int64, ok bool) {
	if !finiteTs(us) {
		return us, u >= UnitMicrosecond && u <= UnitMillennium
	}
	var step int64
	switch u {
	case UnitMicrosecond:
		return us, true
	case UnitMillisecond:
		step = 1000
	case UnitSecond:
		step = microsPerSecond
	case UnitMinute:
		step = microsPerMinute
	case UnitHour:
		step = microsPerHour
	case UnitDay:
		step = microsPerDay
	case UnitWeek: // Mondays; 1970-01-01 was a Thursday
		return floorDiv(us+3*microsPerDay, 7*microsPerDay)*7*microsPerDay - 3*microsPerDay, true
	}
	if step != 0 {
		return floorDiv(us, step) * step, true
	}
	y, m, _ := CivilFromDays(floorDiv(us, microsPerDay))
	switch u {
	case UnitMonth:
	case UnitQuarter:
		m = (m-1)/3*3 + 1
	case UnitYear:
		m = 1
	case UnitDecade:
		y, m = floorDiv(y, 10)*10, 1
	case UnitCentury:
		y, m = floorDiv(y-1, 100)*100+1, 1
	case UnitMillennium:
		y, m = floorDiv(y-1, 1000)*1000+1, 1
	default:
		return 0, false
	}
	return DaysFromCivil(y, m, 1) * microsPerDay, true
}

// Trunc is date_trunc in the zone.
func (z *Zone) Trunc(u Unit, us int64) (r int64, ok bool, err error) {
	if !finiteTs(us) || z.Loc == nil {
		r, ok = TruncTimestamp(u, us)
		return r, ok, nil
	}
	off := z.Offset(us)
	r, ok = TruncTimestamp(u, us+off*microsPerSecond)
	if !ok {
		return 0, false, nil
	}
	if u < UnitDay { // a shorter unit keeps its offset (an hour may repeat)
		return r - off*microsPerSecond, true, nil
	}
	r, err = z.Instant(r)
	return r, true, err
}

// TruncInterval is date_trunc on intervals.
func TruncInterval(u Unit, v IntervalVal) (IntervalVal, bool) {
	var step int64
	switch u {
	case UnitMicrosecond:
		return v, true
	case UnitMillisecond:
		step = 1000
	case UnitSecond:
		step = microsPerSecond
	case UnitMinute:
		step = microsPerMinute
	case UnitHour:
		step = microsPerHour
	case UnitDay:
		return IntervalVal{0, v.Days, v.Months}, true
	}
	if step != 0 {
		return IntervalVal{v.Micros / step * step, v.Days, v.Months}, true
	}
	months := map[Unit]int32{UnitMonth: 1, UnitQuarter: 3, UnitYear: 12, UnitDecade: 120, UnitCentury: 1200, UnitMillennium: 12000}[u]
	if months == 0 {
		return v, false
	}
	return IntervalVal{Months: v.Months / months * months}, true
}

// ISOWeek is the ISO 8601 year and week of a day.
func ISOWeek(days int64) (year, week int) {
	thursday := floorDiv(days+3, 7)*7 - 3 + 3
	year, _, _ = CivilFromDays(thursday)
	return year, int(thursday-DaysFromCivil(year, 1, 1))/7 + 1
}

// Part is a field of a date or time: value·10^-Scale. Infinite inputs give
// Inf ±1 for ever growing fields, Null for cyclic ones.
type Part struct {
	Value int64
	Scale int
	Inf   int
	Null  bool
	// Frac is added for julian: µs of the day.
	Frac int64
}

// Num is the field as extract returns it.
func (p Part) Num() (Num, error) {
	switch {
	case p.Inf > 0:
		return NumInfinity, nil
	case p.Inf < 0:
		return NumNegInfin, nil
	}
	n := NumFrom128(p.Value>>63, uint64(p.Value), p.Scale)
	if p.Frac == 0 {
		return n, nil
	}
	return p.withFrac(n)
}

func (p Part) withFrac(n Num) (Num, error) {
	f, err := NumFromInt(p.Frac).Div(NumFromInt(microsPerDay))
	if err != nil {
		return f, err
	}
	return n.Add(f)
}

// Float64 is the field as date_part returns it.
func (p Part) Float64() float64 {
	if p.Inf != 0 {
		return math.Inf(p.Inf)
	}
	return float64(p.Value)/pow10f[p.Scale] + float64(p.Frac)/float64(microsPerDay)
}

// ErrUnit is the refusal of a unit: not recognised, or known but not supported
// for the type.
func ErrUnit(u Unit, name string, t Type) error {
	name = strings.ToLower(name)
	if u == UnitNone {
		return errs.New(errs.InvalidParameterValue, "unit \"%s\" not recognized for type %s", name, baseName(t))
	}
	return errs.New(errs.FeatureNotSupported, "unit \"%s\" not supported for type %s", name, baseName(t))
}

// ExtractTimestamp reads a field of a wall clock; epoch counts from the wall
// clock's 1970.
func ExtractTimestamp(u Unit, us int64) (Part, bool) {
	if !finiteTs(us) {
		return infinitePart(u, us > 0)
	}
	days, micros := SplitTimestamp(us)
	if p, ok := timePart(u, micros); ok {
		return p, true
	}
	if p, ok := datePart(u, days); ok {
		if u == UnitJulian {
			p.Frac = micros
		}
		return p, true
	}
	if u == UnitEpoch {
		return Part{Value: us, Scale: 6}, true
	}
	return Part{}, false
}

func infinitePart(u Unit, pos bool) (Part, bool) {
	switch u {
	case UnitYear, UnitDecade, UnitCentury, UnitMillennium, UnitJulian, UnitIsoyear, UnitEpoch:
		if pos {
			return Part{Inf: 1}, true
		}
		return Part{Inf: -1}, true
	case UnitNone:
		return Part{}, false
	}
	return Part{Null: true}, true
}

// timePart reads a field of the time of day.
func timePart(u Unit, us int64) (Part, bool) {
	switch u {
	case UnitMicrosecond:
		return Part{Value: us % microsPerMinute}, true
	case UnitMillisecond:
		return Part{Value: us % microsPerMinute, Scale: 3}, true
	case UnitSecond:
		return Part{Value: us % microsPerMinute, Scale: 6}, true
	case UnitMinute:
		return Part{Value: us / microsPerMinute % 60}, true
	case UnitHour:
		return Part{Value: us / microsPerHour}, true
	}
	return Part{}, false
}

// datePart reads a field of a day.
func datePart(u Unit, days int64) (Part, bool) {
	y, m, d := CivilFromDays(days)
	year := y
	if y <= 0 { // there is no year 0
		year = y - 1
	}
	v := 0
	switch u {
	case UnitDay:
		v = d
	case UnitWeek:
		_, v = ISOWeek(days)
	case UnitMonth:
		v = m
	case UnitQuarter:
		v = (m-1)/3 + 1
	case UnitYear:
		v = year
	case UnitDecade:
		v = floorDiv(y, 10)
	case UnitCentury:
		if v = (y + 99) / 100; y <= 0 {
			v = -((99 - (y - 1)) / 100)
		}
	case UnitMillennium:
		if v = (y + 999) / 1000; y <= 0 {
			v = -((999 - (y - 1)) / 1000)
		}
	case UnitDow:
		v = weekday(days)
	case UnitIsodow:
		if v = weekday(days); v == 0 {
			v = 7
		}
	case UnitDoy:
		v = int(days-DaysFromCivil(y, 1, 1)) + 1
	case UnitIsoyear:
		if v, _ = ISOWeek(days); v <= 0 {
			v--
		}
	case UnitJulian:
		v = int(days + julian1970)
	default:
		return Part{}, false
	}
	return Part{Value: int64(v)}, true
}

// ExtractDate reads a field of a date; fields of the time are not supported.
func ExtractDate(u Unit, d int32) (Part, bool) {
	if u == UnitEpoch && finiteDate(d) {
		return Part{Value: int64(d) * 86400}, true
	}
	if p, ok := datePart(u, int64(d)); !ok || finiteDate(d) {
		return p, ok || u == UnitEpoch && !finiteDate(d)
	}
	return infinitePart(u, d > 0)
}

// ExtractTime reads a field of a time of day.
func ExtractTime(u Unit, us int64) (Part, bool) {
	if u == UnitEpoch {
		return Part{Value: us, Scale: 6}, true
	}
	return timePart(u, us)
}

// Extract reads a field of a timestamptz in the zone.
func (z *Zone) Extract(u Unit, us int64) (Part, bool) {
	if !finiteTs(us) {
		return infinitePart(u, us > 0)
	}
	off := z.Offset(us)
	switch u {
	case UnitEpoch:
		return Part{Value: us, Scale: 6}, true
	case UnitTimezone:
		return Part{Value: off}, true
	case UnitTimezoneHour:
		return Part{Value: off / 3600}, true
	case UnitTimezoneMinute:
		return Part{Value: off / 60 % 60}, true
	}
	return ExtractTimestamp(u, us+off*microsPerSecond)
}

// ExtractInterval reads a field of an interval. epoch counts years of 365.25
// days.
func ExtractInterval(u Unit, v IntervalVal) (Part, bool) {
	if p, ok := timePart(u, v.Micros); ok {
		return p, true
	}
	m := int64(v.Months)
	switch u {
	case UnitDay:
		return Part{Value: int64(v.Days)}, true
	case UnitMonth:
		return Part{Value: m % 12}, true
	case UnitQuarter:
		return Part{Value: m%12/3 + 1}, true
	case UnitYear:
		return Part{Value: m / 12}, true
	case UnitDecade:
		return Part{Value: m / 120}, true
	case UnitCentury:
		return Part{Value: m / 1200}, true
	case UnitMillennium:
		return Part{Value: m / 12000}, true
	case UnitEpoch:
		sec := m/12*31557600 + m%12*30*86400 + int64(v.Days)*86400
		return Part{Value: sec*microsPerSecond + v.Micros, Scale: 6}, true
	}
	return Part{}, false
}

// DateToTimestamp widens a date; 22008 if out of a timestamp's range.
func DateToTimestamp(d int32) (int64, error) {
	switch d {
	case DatePosInf:
		return TimePosInf, nil
	case DateNegInf:
		return TimeNegInf, nil
	}
	us, err := joinTimestamp(int64(d), 0)
	if err != nil {
		return 0, errs.New(errs.DatetimeOverflow, "date out of range for timestamp")
	}
	return us, nil
}

// TimestampToDate cuts the time off.
func TimestampToDate(us int64) int32 {
	switch us {
	case TimePosInf:
		return DatePosInf
	case TimeNegInf:
		return DateNegInf
	}
	return int32(floorDiv(us, microsPerDay))
}

// AddDays is date + integer.
func AddDays(d, n int32) (int32, error) {
	if !finiteDate(d) {
		return d, nil
	}
	r := int64(d) + int64(n)
	if !validDate(r) {
		return 0, errDateRange("")
	}
	return int32(r), nil
}

// MakeDate is make_date; negative years are BC.
func MakeDate(y, m, d int32) (int32, error) {
	bad := func() (int32, error) {
		return 0, errs.New(errs.DatetimeOverflow, "date field value out of range: %d-%02d-%02d", y, m, d)
	}
	if y == 0 || m < 1 || m > 12 || d < 1 {
		return bad()
	}
	year := int(y)
	if y < 0 {
		year++
	}
	if int(d) > daysInMonth(year, int(m)) {
		return bad()
	}
	days := DaysFromCivil(year, int(m), int(d))
	if !validDate(days) {
		return 0, errs.New(errs.DatetimeOverflow, "date out of range: %d-%02d-%02d", y, m, d)
	}
	return int32(days), nil
}

// MakeTimestamp joins a date and a time.
func MakeTimestamp(d int32, us int64) (int64, error) {
	if !finiteDate(d) {
		return DateToTimestamp(d)
	}
	return joinTimestamp(int64(d), us)
}

// TimestampFromEpoch is to_timestamp(float8).
func TimestampFromEpoch(sec float64) (int64, error) {
	switch {
	case math.IsNaN(sec):
		return 0, errs.New(errs.DatetimeOverflow, "timestamp cannot be NaN")
	case math.IsInf(sec, 1):
		return TimePosInf, nil
	case math.IsInf(sec, -1):
		return TimeNegInf, nil
	}
	us := math.RoundToEven(sec * 1e6)
	if us < float64(tsMin) || us >= float64(tsMax) {
		return 0, errs.New(errs.DatetimeOverflow, "timestamp out of range: \"%s\"", appendG(nil, sec, 6))
	}
	return int64(us), nil
}

// Timetz packs and unpacks timetz values: µs of the day and seconds west.
func Timetz(us int64, west int32) string { return encodeTimetz(us, west) }

// SplitTimetz is the inverse of Timetz.
func SplitTimetz(s string) (us int64, west int32) { return decodeTimetz(s) }
