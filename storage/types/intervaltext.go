package types

import (
	"math"
	"strconv"
	"strings"

	"quern/storage/errs"
)

// Unit is a unit of time in interval input, extract and date_trunc.
type Unit uint8

// Units. The ones after UnitMillennium exist for extract only.
const (
	UnitNone Unit = iota
	UnitMicrosecond
	UnitMillisecond
	UnitSecond
	UnitMinute
	UnitHour
	UnitDay
	UnitWeek
	UnitMonth
	UnitQuarter
	UnitYear
	UnitDecade
	UnitCentury
	UnitMillennium
	UnitEpoch
	UnitDow
	UnitIsodow
	UnitDoy
	UnitIsoyear
	UnitJulian
	UnitTimezone
	UnitTimezoneHour
	UnitTimezoneMinute
)

// unitNames are PostgreSQL's spellings of the units of intervals.
var unitNames = map[string]Unit{
	"us": UnitMicrosecond, "usec": UnitMicrosecond, "usecs": UnitMicrosecond, "usecond": UnitMicrosecond, "useconds": UnitMicrosecond,
	"microsecon": UnitMicrosecond, "microsecond": UnitMicrosecond, "microseconds": UnitMicrosecond,
	"ms": UnitMillisecond, "msec": UnitMillisecond, "msecs": UnitMillisecond, "msecond": UnitMillisecond, "mseconds": UnitMillisecond,
	"millisecon": UnitMillisecond, "millisecond": UnitMillisecond, "milliseconds": UnitMillisecond,
	"s": UnitSecond, "sec": UnitSecond, "secs": UnitSecond, "second": UnitSecond, "seconds": UnitSecond,
	"m": UnitMinute, "min": UnitMinute, "mins": UnitMinute, "minute": UnitMinute, "minutes": UnitMinute,
	"h": UnitHour, "hr": UnitHour, "hrs": UnitHour, "hour": UnitHour, "hours": UnitHour,
	"d": UnitDay, "day": UnitDay, "days": UnitDay,
	"w": UnitWeek, "week": UnitWeek, "weeks": UnitWeek,
	"mon": UnitMonth, "mons": UnitMonth, "month": UnitMonth, "months": UnitMonth,
	"qtr": UnitQuarter, "quarter": UnitQuarter,
	"y": UnitYear, "yr": UnitYear, "yrs": UnitYear, "year": UnitYear, "years": UnitYear,
	"dec": UnitDecade, "decs": UnitDecade, "decade": UnitDecade, "decades": UnitDecade,
	"c": UnitCentury, "cent": UnitCentury, "century": UnitCentury, "centuries": UnitCentury,
	"mil": UnitMillennium, "mils": UnitMillennium, "millennia": UnitMillennium, "millennium": UnitMillennium,
}

// extractNames are the units that only extract and date_part know.
var extractNames = map[string]Unit{
	"epoch": UnitEpoch, "dow": UnitDow, "isodow": UnitIsodow, "doy": UnitDoy, "isoyear": UnitIsoyear, "julian": UnitJulian,
	"j": UnitJulian, "jd": UnitJulian, "timezone": UnitTimezone, "timezone_h": UnitTimezoneHour, "timezone_hour": UnitTimezoneHour,
	"timezone_m": UnitTimezoneMinute, "timezone_minute": UnitTimezoneMinute,
}

// ParseUnit finds a unit by name in any case, UnitNone if there is none.
func ParseUnit(name string) Unit {
	name = strings.ToLower(name)
	if u, ok := unitNames[name]; ok {
		return u
	}
	return extractNames[name]
}

func errInterval(s string) error {
	return errs.New(errs.InvalidDatetimeFormat, "invalid input syntax for type interval: \"%s\"", s)
}

func errIntervalField(s string) error {
	return errs.New(errs.IntervalOverflow, "interval field value out of range: \"%s\"", s)
}

func errIntervalRange() error { return errs.New(errs.DatetimeOverflow, "interval out of range") }

// intervalSum collects the parts of an interval in wide numbers.
type intervalSum struct {
	months, days float64
	whole        int64 // µs
}

// add adds v units; a fraction goes on to smaller units as in PostgreSQL.
func (t *intervalSum) add(v int64, frac float64, u Unit) bool {
	f := float64(v)
	switch u {
	case UnitMicrosecond:
		return t.addMicros(v, 1) && t.addFrac(frac)
	case UnitMillisecond:
		return t.addMicros(v, 1000) && t.addFrac(frac*1000)
	case UnitSecond:
		return t.addMicros(v, microsPerSecond) && t.addFrac(frac*1e6)
	case UnitMinute:
		return t.addMicros(v, microsPerMinute) && t.addFrac(frac*60e6)
	case UnitHour:
		return t.addMicros(v, microsPerHour) && t.addFrac(frac*3600e6)
	case UnitDay:
		t.days += f
		return t.addFrac(frac * 86400e6)
	case UnitWeek:
		t.days += f * 7
		return t.fracDays(frac * 7)
	case UnitMonth:
		t.months += f
		return t.fracDays(frac * 30)
	case UnitYear, UnitDecade, UnitCentury, UnitMillennium:
		n := map[Unit]float64{UnitYear: 12, UnitDecade: 120, UnitCentury: 1200, UnitMillennium: 12000}[u]
		t.months += f*n + math.RoundToEven(frac*n)
		return true
	}
	return false
}

func (t *intervalSum) addMicros(v, unit int64) bool {
	p, over := v*unit, v != 0 && (v*unit)/unit != v
	s := t.whole + p
	if over || (s < t.whole) != (p < 0) {
		return false
	}
	t.whole = s
	return true
}

func (t *intervalSum) addFrac(us float64) bool {
	return t.addMicros(int64(math.RoundToEven(us)), 1)
}

func (t *intervalSum) fracDays(d float64) bool {
	w := math.Trunc(d)
	t.days += w
	return t.addFrac((d - w) * 86400e6)
}

func (t *intervalSum) value() (IntervalVal, bool) {
	fits := func(f float64) bool { return f >= math.MinInt32 && f <= math.MaxInt32 }
	if !fits(t.months) || !fits(t.days) {
		return IntervalVal{}, false
	}
	return IntervalVal{Months: int32(t.months), Days: int32(t.days), Micros: t.whole}, true
}

// ParseInterval is interval_in without a modifier.
func ParseInterval(s string, f *Format) (IntervalVal, error) {
	trim := strings.Trim(s, blanks)
	if len(trim) > 1 && (trim[0] == 'P' || trim[0] == 'p') && (trim[1]|0x20 == 't' || !isAlpha(trim[1])) {
		return parseISOInterval(trim[1:], s)
	}
	ts, ok := intervalTokens(strings.ToLower(trim))
	if !ok {
		return IntervalVal{}, errInterval(s)
	}
	var sum intervalSum
	unit, ago, labelled := UnitNone, false, false
	var seen uint32 // units given so far, each at most once
	// sql_standard: one leading minus stands for all fields if no other has a sign.
	allNeg := f != nil && f.IntervalStyle == IntervalSQLStandard && len(ts) > 0 && ts[0].s[0] == '-'
	for _, t := range ts[min(1, len(ts)):] {
		allNeg = allNeg && t.s[0] != '-' && t.s[0] != '+' && t.kind != 'w'
	}
	for i := len(ts) - 1; i >= 0; i-- {
		t := ts[i]
		switch t.kind {
		case 'w':
			if t.s == "ago" && i == len(ts)-1 && !ago {
				ago = true
				continue
			}
			u, ok := unitNames[t.s]
			if !ok || labelled || u == UnitQuarter {
				return IntervalVal{}, errInterval(s)
			}
			unit, labelled = u, true
		case 't':
			us, st := intervalClock(t.s)
			if st == intRange || !sum.addMicros(us, 1) {
				return IntervalVal{}, errIntervalField(s)
			}
			const clock = 1<<UnitHour | 1<<UnitMinute | 1<<UnitSecond
			if st == intBad || labelled || seen&clock != 0 {
				return IntervalVal{}, errInterval(s)
			}
			seen |= clock
			unit = UnitDay
		case 'n':
			if unit == UnitNone {
				if ago && i == len(ts)-2 {
					return IntervalVal{}, errInterval(s)
				}
				unit = UnitSecond
			}
			is := unit
			if strings.Contains(t.s[1:], "-") { // years-months
				is = UnitMonth
			}
			if seen>>is&1 != 0 {
				return IntervalVal{}, errInterval(s)
			}
			seen |= 1 << is
			st := sum.number(t.s, unit)
			if st != intOK {
				if st == intRange {
					return IntervalVal{}, errIntervalField(s)
				}
				return IntervalVal{}, errInterval(s)
			}
			if unit == UnitDay && !labelled { // years-months may stand before days
				unit = UnitMonth
			} else {
				unit = UnitNone
			}
			labelled = false
		}
	}
	if len(ts) == 0 || labelled || len(ts) == 1 && ago {
		return IntervalVal{}, errInterval(s)
	}
	v, ok := sum.value()
	if !ok {
		return v, errIntervalField(s)
	}
	if ago != allNeg && (ago || ts[0].kind != 't') {
		first := v
		if allNeg { // the first field already carries its sign
			if n := strings.Contains(ts[0].s[1:], "-"); n {
				first.Months = -first.Months
			} else {
				first.Days = -first.Days
			}
			return IntervalVal{Months: -abs32(first.Months), Days: -abs32(first.Days), Micros: -abs64(first.Micros)}, nil
		}
		return v.Neg()
	}
	return v, nil
}

func abs32(v int32) int32 { return max(v, -v) }
func abs64(v int64) int64 { return max(v, -v) }

// number adds a number or years-months.
func (t *intervalSum) number(s string, u Unit) intState {
	neg := s[0] == '-'
	body := strings.TrimLeft(s, "+-")
	if y, m, ok := strings.Cut(body, "-"); ok {
		yv, st1 := parseInt(y)
		mv, st2 := parseInt(m)
		if st1 != intOK || st2 != intOK || m == "" {
			return intBad
		}
		if mv > 11 {
			return intRange
		}
		v := yv*12 + mv
		if neg {
			v = -v
		}
		t.months += float64(v)
		return intOK
	}
	whole, frac, _ := strings.Cut(body, ".")
	if whole == "" {
		whole = "0"
	}
	v, st := parseInt(whole)
	if st != intOK {
		return st
	}
	ff := 0.0
	if frac != "" {
		var err error
		if ff, err = strconv.ParseFloat("0."+frac, 64); err != nil {
			return intBad
		}
	}
	if neg {
		v, ff = -v, -ff
	}
	if !t.add(v, ff, u) {
		return intRange
	}
	return intOK
}

// intervalTokens splits into words, clocks and numbers with their signs.
func intervalTokens(s string) (ts []token, ok bool) {
	for i := 0; i < len(s); {
		c := s[i]
		start := i
		if isSpace(c) || c == '@' || c == ',' {
			i++
			continue
		}
		if isAlpha(c) {
			for i < len(s) && isAlpha(s[i]) {
				i++
			}
			ts = append(ts, token{'w', s[start:i]})
			continue
		}
		sign := ""
		if c == '+' || c == '-' {
			sign = s[i : i+1]
			for i++; i < len(s) && isSpace(s[i]); i++ {
			}
		}
		start = i
		kind := byte('n')
		for i < len(s) && (isDigit(s[i]) || s[i] == '.' || s[i] == ':' || s[i] == '-' && i > start && isDigit(s[i-1])) {
			if s[i] == ':' {
				kind = 't'
			}
			i++
		}
		if i == start || s[start:i] == "." {
			return nil, false
		}
		ts = append(ts, token{kind, sign + s[start:i]})
	}
	return ts, true
}

// intervalClock is [±]hh:mm[:ss[.ffffff]] or mm:ss.ffffff.
func intervalClock(s string) (int64, intState) {
	neg := s[0] == '-'
	parts := strings.Split(strings.TrimLeft(s, "+-"), ":")
	if len(parts) > 3 {
		return 0, intBad
	}
	if len(parts) == 2 && strings.Contains(parts[1], ".") {
		parts = append([]string{"0"}, parts...)
	}
	if len(parts) == 2 {
		parts = append(parts, "0")
	}
	sec, frac, _ := strings.Cut(parts[2], ".")
	h, st := parseInt(parts[0])
	if parts[1] == "" {
		parts[1] = "0"
	}
	m, st1 := parseInt(parts[1])
	if sec == "" {
		sec = "0"
	}
	x, st2 := parseInt(sec)
	us, ok := fraction(frac)
	if st != intOK || st1 != intOK || st2 != intOK || !ok {
		return 0, max(st, st1, st2, intBad)
	}
	if m > 59 || x > 60 || h > math.MaxInt64/microsPerHour {
		return 0, intRange
	}
	v := h*microsPerHour + m*microsPerMinute + x*microsPerSecond + us
	if v < 0 {
		return 0, intRange
	}
	if neg {
		v = -v
	}
	return v, intOK
}

// parseISOInterval reads what follows P: 1Y2M3DT4H5M6.7S or 0001-02-03T04:05:06.
func parseISOInterval(s, whole string) (IntervalVal, error) {
	var sum intervalSum
	date, clock, hasT := strings.Cut(strings.ToUpper(s), "T")
	if strings.Count(date, "-")-strings.Count(date, "--") >= 2 && !strings.ContainsAny(date, "YMWD") {
		p := strings.Split(date, "-")
		for i, u := range [...]Unit{UnitYear, UnitMonth, UnitDay} {
			if len(p) != 3 || sum.number(p[i]+"", u) != intOK {
				return IntervalVal{}, errInterval(whole)
			}
		}
		date = ""
	}
	if strings.Contains(clock, ":") {
		us, st := intervalClock(clock)
		if st != intOK {
			return IntervalVal{}, errInterval(whole)
		}
		sum.whole += us
		clock = ""
	}
	if s == "" || hasT && len(s) > 1 && clock == "" && strings.HasSuffix(strings.ToUpper(s), "T") {
		return IntervalVal{}, errInterval(whole)
	}
	for _, half := range []struct {
		text  string
		units map[byte]Unit
	}{
		{date, map[byte]Unit{'Y': UnitYear, 'M': UnitMonth, 'W': UnitWeek, 'D': UnitDay}},
		{clock, map[byte]Unit{'H': UnitHour, 'M': UnitMinute, 'S': UnitSecond}},
	} {
		for t := half.text; t != ""; {
			i := strings.IndexFunc(t, func(r rune) bool { return r >= 'A' && r <= 'Z' })
			if i <= 0 {
				return IntervalVal{}, errInterval(whole)
			}
			u, ok := half.units[t[i]]
			num := t[:i]
			if !ok || strings.LastIndexAny(num, "+-") > 0 || strings.TrimLeft(num, "+-") == "" {
				return IntervalVal{}, errInterval(whole)
			}
			if st := sum.number(num, u); st == intRange {
				return IntervalVal{}, errIntervalField(whole)
			} else if st != intOK {
				return IntervalVal{}, errInterval(whole)
			}
			t = t[i+1:]
		}
	}
	v, ok := sum.value()
	if !ok {
		return v, errIntervalField(whole)
	}
	return v, nil
}

// ApplyMod rounds to interval(p)'s precision.
func (v IntervalVal) ApplyMod(t Type) (IntervalVal, error) {
	v.Micros = RoundMicros(v.Micros, t.FracDigits())
	return v, nil
}

// AppendText is interval_out.
func (v IntervalVal) AppendText(dst []byte, style IntervalStyle) []byte {
	p := v.parts()
	switch style {
	case IntervalISO8601:
		return p.iso(dst)
	case IntervalSQLStandard:
		return p.sql(dst)
	case IntervalVerbose:
		return p.verbose(dst)
	}
	start, before, zero := len(dst), false, true
	for _, u := range [...]struct {
		n    int64
		name string
	}{{p.year, "year"}, {p.mon, "mon"}, {p.day, "day"}} {
		if u.n == 0 {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		if before && u.n > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, u.n, 10)
		dst = append(append(dst, ' '), u.name...)
		if u.n != 1 {
			dst = append(dst, 's')
		}
		before, zero = u.n < 0, false
	}
	if v.Micros == 0 && !zero {
		return dst
	}
	if len(dst) > start {
		dst = append(dst, ' ')
	}
	switch {
	case v.Micros < 0:
		dst = append(dst, '-')
	case before:
		dst = append(dst, '+')
	}
	if h := uabs(p.hour); h < 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendUint(dst, uabs(p.hour), 10)
	dst = append2(append(dst, ':'), int(uabs(p.min)))
	return p.seconds(append(dst, ':'), true)
}

// ivParts are an interval's fields, all of the sign of their group.
type ivParts struct{ year, mon, day, hour, min, sec, frac int64 }

func (v IntervalVal) parts() ivParts {
	return ivParts{
		int64(v.Months / 12), int64(v.Months % 12), int64(v.Days),
		v.Micros / microsPerHour, v.Micros / microsPerMinute % 60, v.Micros / microsPerSecond % 60, v.Micros % microsPerSecond,
	}
}

func uabs(v int64) uint64 {
	if v < 0 {
		return uint64(-v)
	}
	return uint64(v)
}

// seconds writes |sec.frac|, with two digits if pad.
func (p *ivParts) seconds(dst []byte, pad bool) []byte {
	if pad {
		dst = append2(dst, int(uabs(p.sec)))
	} else {
		dst = strconv.AppendUint(dst, uabs(p.sec), 10)
	}
	return appendFraction(dst, int64(uabs(p.frac)))
}

func (p *ivParts) iso(dst []byte) []byte {
	if *p == (ivParts{}) {
		return append(dst, "PT0S"...)
	}
	dst = append(dst, 'P')
	put := func(v int64, c byte) {
		if v != 0 {
			dst = append(strconv.AppendInt(dst, v, 10), c)
		}
	}
	put(p.year, 'Y')
	put(p.mon, 'M')
	put(p.day, 'D')
	if p.hour|p.min|p.sec|p.frac != 0 {
		dst = append(dst, 'T')
	}
	put(p.hour, 'H')
	put(p.min, 'M')
	if p.sec|p.frac != 0 {
		if p.sec < 0 || p.frac < 0 {
			dst = append(dst, '-')
		}
		dst = append(p.seconds(dst, false), 'S')
	}
	return dst
}

func (p *ivParts) sql(dst []byte) []byte {
	q := [...]int64{p.year, p.mon, p.day, p.hour, p.min, p.sec, p.frac}
	neg, pos := false, false
	for _, x := range q {
		neg, pos = neg || x < 0, pos || x > 0
	}
	ym, dt := p.year|p.mon != 0, p.day|p.hour|p.min|p.sec|p.frac != 0
	clock := func(dst []byte) []byte {
		dst = strconv.AppendUint(dst, uabs(p.hour), 10)
		dst = append2(append(dst, ':'), int(uabs(p.min)))
		return p.seconds(append(dst, ':'), true)
	}
	sign := func(x bool) byte {
		if x {
			return '-'
		}
		return '+'
	}
	if !neg && !pos {
		return append(dst, '0')
	}
	if neg && pos || ym && dt {
		dst = append(dst, sign(p.year < 0 || p.mon < 0))
		dst = strconv.AppendUint(dst, uabs(p.year), 10)
		dst = strconv.AppendUint(append(dst, '-'), uabs(p.mon), 10)
		dst = append(dst, ' ', sign(p.day < 0))
		dst = strconv.AppendUint(dst, uabs(p.day), 10)
		return clock(append(dst, ' ', sign(p.hour < 0 || p.min < 0 || p.sec < 0 || p.frac < 0)))
	}
	if neg {
		dst = append(dst, '-')
	}
	switch {
	case ym:
		dst = strconv.AppendUint(dst, uabs(p.year), 10)
		return strconv.AppendUint(append(dst, '-'), uabs(p.mon), 10)
	case p.day != 0:
		dst = append(strconv.AppendUint(dst, uabs(p.day), 10), ' ')
	}
	return clock(dst)
}

func (p *ivParts) verbose(dst []byte) []byte {
	dst = append(dst, '@')
	before, zero := false, true
	for _, u := range [...]struct {
		n    int64
		name string
	}{{p.year, "year"}, {p.mon, "mon"}, {p.day, "day"}, {p.hour, "hour"}, {p.min, "min"}} {
		n := u.n
		if n == 0 {
			continue
		}
		if zero {
			before, n = n < 0, int64(uabs(n))
		} else if before {
			n = -n
		}
		dst = strconv.AppendInt(append(dst, ' '), n, 10)
		dst = append(append(dst, ' '), u.name...)
		if n != 1 {
			dst = append(dst, 's')
		}
		zero = false
	}
	if p.sec|p.frac != 0 {
		dst = append(dst, ' ')
		switch neg := p.sec < 0 || p.sec == 0 && p.frac < 0; {
		case neg && zero:
			before = true
		case neg != before:
			dst = append(dst, '-')
		}
		dst = append(p.seconds(dst, false), " sec"...)
		if uabs(p.sec) != 1 || p.frac != 0 {
			dst = append(dst, 's')
		}
		zero = false
	}
	if zero {
		dst = append(dst, " 0"...)
	}
	if before {
		dst = append(dst, " ago"...)
	}
	return dst
}
