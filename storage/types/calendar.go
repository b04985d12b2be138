package types

import (
	"math"
	"time"
	_ "time/tzdata" // zones must not depend on the machine

	"quern/storage/errs"
)

// civil is a date and time of day. Years are astronomical: 0 is 1 BC.
type civil struct {
	year, month, day int
	micros           int64 // of the day
}

// Bounds of dates and timestamps, in days and µs since 1970. Timestamps end
// some decades before PostgreSQL's since they count from 1970, not 2000.
const (
	dateMin = int64(-2440588)   // 4713-11-24 BC
	dateMax = int64(2145042905) // 5874897-12-31
	tsMin   = dateMin * microsPerDay
	tsMax   = math.MaxInt64 - 1
)

// DaysFromCivil counts days since 1970 in the proleptic Gregorian calendar.
// month may be out of range; day is simply added.
func DaysFromCivil(year, month, day int) int64 {
	m := month - 1
	y := int64(year + floorDiv(m, 12))
	m -= floorDiv(m, 12) * 12
	// Years start in March, so that the leap day comes last.
	if m < 2 {
		y--
	}
	mp := (m + 10) % 12
	era := y / 400
	if y < 0 {
		era = (y - 399) / 400
	}
	yoe := y - era*400
	doy := int64((153*mp+2)/5) + int64(day) - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

// CivilFromDays is the inverse of DaysFromCivil.
func CivilFromDays(days int64) (year, month, day int) {
	z := days + 719468
	era := z / 146097
	if z < 0 {
		era = (z - 146096) / 146097
	}
	doe := z - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	year, month, day = int(yoe+era*400), int(mp)+3, int(doy-(153*mp+2)/5)+1
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

func floorDiv[T ~int | ~int32 | ~int64](a, b T) T {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

func isLeap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func daysInMonth(y, m int) int {
	if m == 2 && isLeap(y) {
		return 29
	}
	return [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[m-1]
}

// SplitTimestamp gives the day and the µs within it.
func SplitTimestamp(us int64) (days, micros int64) {
	days = floorDiv(us, microsPerDay)
	return days, us - days*microsPerDay
}

func civilOf(us int64) civil {
	d, m := SplitTimestamp(us)
	y, mo, day := CivilFromDays(d)
	return civil{y, mo, day, m}
}

// joinTimestamp makes a timestamp of a day and µs (of any size).
func joinTimestamp(days, micros int64) (int64, error) {
	if days < dateMin || days > math.MaxInt64/microsPerDay {
		return 0, errTimestampRange()
	}
	t := days*microsPerDay + micros
	if (t < days*microsPerDay) != (micros < 0) || t < tsMin || t > tsMax {
		return 0, errTimestampRange()
	}
	return t, nil
}

func errTimestampRange() error {
	return errs.New(errs.DatetimeOverflow, "timestamp out of range")
}

func errDateRange(s string) error {
	return errs.New(errs.DatetimeOverflow, "date out of range%s", s)
}

func finiteTs(us int64) bool  { return us != TimePosInf && us != TimeNegInf }
func finiteDate(d int32) bool { return d != DatePosInf && d != DateNegInf }
func validDate(d int64) bool  { return d >= dateMin && d <= dateMax }

// DateInRange tells whether a day number is that of a date.
func DateInRange(days int64) bool { return validDate(days) }
func (f *Format) utc() bool       { return f == nil || f.Location == nil || f.Location == time.UTC }
func location(f *Format) *time.Location {
	if f.utc() {
		return time.UTC
	}
	return f.Location
}

// Zone caches one span of constant offset of a time zone, since neighbouring
// rows nearly always lie in the same one. The zero Zone is UTC. Not for
// concurrent use.
type Zone struct {
	Loc        *time.Location
	start, end int64 // seconds
	off        int64
	abbrev     string
	known      bool
}

// NewZone is the zone of a format.
func NewZone(f *Format) Zone { return Zone{Loc: location(f)} }

// Offset is the zone's seconds east of UTC at an instant in µs.
func (z *Zone) Offset(us int64) int64 {
	if z.Loc == nil || z.Loc == time.UTC {
		return 0
	}
	sec := floorDiv(us, microsPerSecond)
	if !z.known || sec < z.start || sec >= z.end {
		t := time.Unix(sec, 0).In(z.Loc)
		name, off := t.Zone()
		a, b := t.ZoneBounds()
		z.start, z.end = math.MinInt64, math.MaxInt64
		if !a.IsZero() {
			z.start = a.Unix()
		}
		if !b.IsZero() {
			z.end = b.Unix()
		}
		z.off, z.abbrev, z.known = int64(off), name, true
	}
	return z.off
}

// Local is the wall clock in the zone at an instant, as a timestamp without
// zone.
func (z *Zone) Local(us int64) int64 {
	if !finiteTs(us) {
		return us
	}
	return us + z.Offset(us)*microsPerSecond
}

// Instant is the inverse of Local. A wall clock time that a transition skips is
// read with the offset before it; one that occurs twice is the later one, as in
// PostgreSQL.
func (z *Zone) Instant(local int64) (int64, error) {
	if !finiteTs(local) || z.Loc == nil || z.Loc == time.UTC {
		return local, nil
	}
	if local < tsMin || local > tsMax-microsPerDay {
		return 0, errTimestampRange()
	}
	before := z.Offset(max(local-microsPerDay, tsMin))
	after := z.Offset(local + microsPerDay)
	tb, ta := local-before*microsPerSecond, local-after*microsPerSecond
	if before != after && z.Offset(ta) == after {
		return ta, nil
	}
	return tb, nil
}

// microsUnit holds 10^(6-p).
var microsUnit = [...]int64{1_000_000, 100_000, 10_000, 1_000, 100, 10, 1}

// RoundMicros rounds half away from zero to digits decimals of a second.
func RoundMicros(us int64, digits int) int64 {
	if digits >= 6 || digits < 0 || !finiteTs(us) {
		return us
	}
	u := microsUnit[digits]
	if us < 0 {
		return -((-us + u/2) / u * u)
	}
	return (us + u/2) / u * u
}

// RoundTimestamp rounds a timestamp to digits decimals of a second, half away
// from 2000-01-01, PostgreSQL's zero.
func RoundTimestamp(us int64, digits int) int64 {
	if digits >= 6 || digits < 0 || !finiteTs(us) {
		return us
	}
	return RoundMicros(us-epochMicros, digits) + epochMicros
}

// Abbrev is the zone's abbreviation at the instant last asked for.
func (z *Zone) Abbrev() string {
	if !z.known {
		return "UTC"
	}
	return z.abbrev
}

// UTC tells whether the zone's offset is always zero.
func (z *Zone) UTC() bool { return z.Loc == nil || z.Loc == time.UTC }
