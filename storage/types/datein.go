package types

import (
	"strings"
	"time"

	"quern/storage/errs"
	"quern/storage/types/zones"
)

// fastTimestamp reads YYYY-MM-DD[( |T)HH:MM:SS[.ffffff][Z|±HH[[:]MM]]] without
// allocation. ok is false for anything else, which the general parser decides.
func fastTimestamp[S chars](s S, t Type, f *Format) (us int64, ok bool) {
	if len(s) < 10 || s[4] != '-' || s[7] != '-' {
		return 0, false
	}
	y, m, d := num4(s, 0), num2(s, 5), num2(s, 8)
	if y <= 0 || m < 1 || m > 12 || d < 1 || d > daysInMonth(y, m) {
		return 0, false
	}
	us = DaysFromCivil(y, m, d) * microsPerDay
	zoned, i := false, 10
	if len(s) > 10 {
		if len(s) < 19 || s[10] != ' ' && s[10] != 'T' || s[13] != ':' || s[16] != ':' {
			return 0, false
		}
		h, mi, sec := num2(s, 11), num2(s, 14), num2(s, 17)
		if h < 0 || h > 23 || mi < 0 || mi > 59 || sec < 0 || sec > 59 {
			return 0, false
		}
		us += int64(h)*microsPerHour + int64(mi)*microsPerMinute + int64(sec)*microsPerSecond
		i = 19
		if i < len(s) && s[i] == '.' {
			unit := int64(100_000)
			for i++; i < len(s) && s[i]-'0' <= 9; i++ {
				if unit == 0 {
					return 0, false
				}
				us += int64(s[i]-'0') * unit
				unit /= 10
			}
		}
		var off int64
		if off, zoned, ok = fastZone(s, i); !ok {
			return 0, false
		}
		if t.OID == TimestamptzOID {
			us -= off * microsPerSecond
		}
	}
	if t.OID == TimestamptzOID && !zoned && !f.utc() {
		return 0, false
	}
	return RoundTimestamp(us, t.FracDigits()), true
}

// fastZone reads what follows the time: nothing, Z, ±HH, ±HHMM or ±HH:MM.
func fastZone[S chars](s S, i int) (off int64, zoned, ok bool) {
	switch {
	case i == len(s):
		return 0, false, true
	case s[i] == 'Z' && i+1 == len(s):
		return 0, true, true
	case s[i] != '+' && s[i] != '-' || i+3 > len(s):
		return 0, false, false
	}
	h, m := num2(s, i+1), 0
	switch j := i + 3; {
	case j == len(s):
	case len(s) == j+3 && s[j] == ':':
		m = num2(s, j+1)
	case len(s) == j+2:
		m = num2(s, j)
	default:
		return 0, false, false
	}
	if h < 0 || h > 15 || m < 0 || m > 59 {
		return 0, false, false
	}
	off = int64(h*3600 + m*60)
	if s[i] == '-' {
		off = -off
	}
	return off, true, true
}

func num2[S chars](s S, i int) int {
	a, b := s[i]-'0', s[i+1]-'0'
	if a > 9 || b > 9 {
		return -1
	}
	return int(a)*10 + int(b)
}

func num4[S chars](s S, i int) int {
	a, b := num2(s, i), num2(s, i+2)
	if a < 0 || b < 0 {
		return -1
	}
	return a*100 + b
}

// dtName is how errors name a date or time type.
func dtName(t Type) string {
	switch t.OID {
	case TimeOID:
		return "time"
	case TimestampOID:
		return "timestamp"
	}
	return baseName(t)
}

// dtProblem says why a date or time does not parse.
type dtProblem uint8

const (
	dtOK dtProblem = iota
	dtBad
	dtField   // field out of range
	dtMonth   // month or day out of range: perhaps another DateStyle
	dtZone    // displacement out of range
	dtNoZone  // unknown zone name
	dtOverall // the whole is out of range
)

func (p dtProblem) err(t Type, s, zone string) error {
	switch p {
	case dtField:
		return errs.New(errs.DatetimeOverflow, "date/time field value out of range: \"%s\"", s)
	case dtMonth:
		return errs.New(errs.DatetimeOverflow, "date/time field value out of range: \"%s\"", s).
			WithHint("Perhaps you need a different \"datestyle\" setting.")
	case dtZone:
		return errs.New("22009", "time zone displacement out of range: \"%s\"", s)
	case dtNoZone:
		return errs.New(errs.InvalidParameterValue, "time zone \"%s\" not recognized", zone)
	case dtOverall:
		return errs.New(errs.DatetimeOverflow, "%s out of range: \"%s\"", strings.TrimSuffix(dtName(t), " with time zone"), s)
	}
	return errs.New(errs.InvalidDatetimeFormat, "invalid input syntax for type %s: \"%s\"", dtName(t), s)
}

// parseDateTime reads date, time, timetz, timestamp and timestamptz.
func parseDateTime(t Type, s string, f *Format) (Datum, error) {
	if t.OID == TimestampOID || t.OID == TimestamptzOID {
		if us, ok := fastTimestamp(s, t, f); ok {
			return Datum{I: us}, nil
		}
	}
	p := dtParser{f: f, want: t.OID}
	if st := p.parse(s); st != dtOK {
		return Datum{}, st.err(t, s, p.zoneName)
	}
	d, st := p.value(t)
	if st != dtOK {
		return Datum{}, st.err(t, s, p.zoneName)
	}
	return d, nil
}

// value makes the datum from the fields that parse found.
func (p *dtParser) value(t Type) (Datum, dtProblem) {
	if t.OID == TimeOID || t.OID == TimetzOID {
		return p.timeValue(t)
	}
	if p.infinite != 0 {
		switch {
		case t.OID == DateOID && p.infinite > 0:
			return Datum{I: int64(DatePosInf)}, dtOK
		case t.OID == DateOID:
			return Datum{I: int64(DateNegInf)}, dtOK
		case p.infinite > 0:
			return Datum{I: TimePosInf}, dtOK
		}
		return Datum{I: TimeNegInf}, dtOK
	}
	if !p.hasDate {
		return Datum{}, dtBad
	}
	if t.OID == DateOID {
		if !validDate(p.days) {
			return Datum{}, dtOverall
		}
		return Datum{I: p.days}, dtOK
	}
	local, err := joinTimestamp(p.days, p.micros)
	if err != nil {
		return Datum{}, dtOverall
	}
	if t.OID == TimestamptzOID {
		if p.hasZone {
			local -= p.offset * microsPerSecond
		} else {
			z := Zone{Loc: p.loc}
			if p.loc == nil {
				z = NewZone(p.f)
			}
			if local, err = z.Instant(local); err != nil {
				return Datum{}, dtOverall
			}
		}
		if local < tsMin {
			return Datum{}, dtOverall
		}
	}
	return Datum{I: RoundTimestamp(local, t.FracDigits())}, dtOK
}

func (p *dtParser) timeValue(t Type) (Datum, dtProblem) {
	if !p.hasTime || p.infinite != 0 {
		return Datum{}, dtBad
	}
	us := RoundMicros(p.micros, t.FracDigits())
	if t.OID == TimeOID {
		return Datum{I: us}, dtOK
	}
	off := p.offset
	if !p.hasZone {
		z := Zone{Loc: p.loc}
		if p.loc == nil {
			z = NewZone(p.f)
		}
		at := p.f.Now
		if p.hasDate {
			at = p.days*microsPerDay + us
		}
		off = z.Offset(at)
	}
	return Datum{S: encodeTimetz(us, int32(-off))}, dtOK
}

// LoadZone finds a time zone by IANA name (in any case), abbreviation, or
// POSIX-like offset.
func LoadZone(name string) (*time.Location, error) {
	if loc := zones.ByName(name); loc != nil {
		return loc, nil
	}
	return nil, dtNoZone.err(Type{}, "", name)
}
