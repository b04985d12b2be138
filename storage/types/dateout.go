package types

import "strconv"

var monthNames = [...]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}
var dayNames = [...]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

func append2(dst []byte, v int) []byte {
	return append(dst, byte('0'+v/10), byte('0'+v%10))
}

// appendYear writes at least four digits; year counts from 1.
func appendYear(dst []byte, y int) []byte {
	if y < 10000 {
		return append2(append2(dst, y/100), y%100)
	}
	return strconv.AppendInt(dst, int64(y), 10)
}

// displayYear turns an astronomical year into one with an era.
func displayYear(y int) (year int, bc bool) {
	if y <= 0 {
		return 1 - y, true
	}
	return y, false
}

// AppendDate is date_out.
func AppendDate(dst []byte, d int32, f *Format) []byte {
	switch d {
	case DatePosInf:
		return append(dst, "infinity"...)
	case DateNegInf:
		return append(dst, "-infinity"...)
	}
	y, m, day := CivilFromDays(int64(d))
	return appendDatePart(dst, y, m, day, f, true)
}

// appendDatePart writes a date in the session's style, with its era if asked.
func appendDatePart(dst []byte, y, m, day int, f *Format, era bool) []byte {
	year, bc := displayYear(y)
	sep, a, b := byte('-'), m, day
	switch f.DateStyle {
	case DateISO:
		dst = appendYear(dst, year)
		dst = append2(append(dst, '-'), m)
		dst = append2(append(dst, '-'), day)
		if bc && era {
			dst = append(dst, " BC"...)
		}
		return dst
	case DateSQL:
		sep = '/'
	case DateGerman:
		sep = '.'
	}
	if f.DateOrder == OrderDMY || f.DateStyle == DateGerman {
		a, b = day, m
	}
	dst = append2(dst, a)
	dst = append2(append(dst, sep), b)
	dst = appendYear(append(dst, sep), year)
	if bc && era {
		dst = append(dst, " BC"...)
	}
	return dst
}

// appendTimeOfDay is time_out.
func appendTimeOfDay(dst []byte, us int64) []byte {
	sec := us / microsPerSecond
	dst = append2(dst, int(sec/3600))
	dst = append2(append(dst, ':'), int(sec/60%60))
	dst = append2(append(dst, ':'), int(sec%60))
	return appendFraction(dst, us%microsPerSecond)
}

// appendFraction writes .ffffff without trailing zeros, nothing for 0.
func appendFraction(dst []byte, us int64) []byte {
	if us == 0 {
		return dst
	}
	dst = append(dst, '.')
	for u := int64(100_000); us > 0; u /= 10 {
		dst = append(dst, byte('0'+us/u))
		us %= u
	}
	return dst
}

// appendOffset writes +hh[:mm[:ss]].
func appendOffset(dst []byte, off int64) []byte {
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	dst = append2(append(dst, sign), int(off/3600))
	if off%3600 != 0 {
		dst = append2(append(dst, ':'), int(off/60%60))
		if off%60 != 0 {
			dst = append2(append(dst, ':'), int(off%60))
		}
	}
	return dst
}

// AppendTimestamp is timestamp_out.
func AppendTimestamp(dst []byte, us int64, f *Format) []byte {
	return appendTs(dst, us, f, nil)
}

// AppendTimestamptz is timestamptz_out in the session's zone.
func AppendTimestamptz(dst []byte, us int64, f *Format) []byte {
	z := NewZone(f)
	return z.AppendTimestamptz(dst, us, f)
}

// AppendTimestamptz is timestamptz_out in z, for many values.
func (z *Zone) AppendTimestamptz(dst []byte, us int64, f *Format) []byte {
	if f == nil {
		f = DefaultFormat
	}
	return appendTs(dst, us, f, z)
}

func appendTs(dst []byte, us int64, f *Format, z *Zone) []byte {
	switch us {
	case TimePosInf:
		return append(dst, "infinity"...)
	case TimeNegInf:
		return append(dst, "-infinity"...)
	}
	var off int64
	if z != nil {
		off = z.Offset(us)
		us += off * microsPerSecond
	}
	days, micros := SplitTimestamp(us)
	y, m, d := CivilFromDays(days)
	year, bc := displayYear(y)
	if f.DateStyle == DatePostgres {
		dst = append(dst, dayNames[weekday(days)]...)
		if f.DateOrder == OrderDMY {
			dst = append2(append(dst, ' '), d)
			dst = append(append(dst, ' '), monthNames[m-1]...)
		} else {
			dst = append(append(dst, ' '), monthNames[m-1]...)
			dst = append2(append(dst, ' '), d)
		}
		dst = appendTimeOfDay(append(dst, ' '), micros)
		dst = appendYear(append(dst, ' '), year)
	} else {
		dst = appendDatePart(dst, y, m, d, f, false)
		dst = appendTimeOfDay(append(dst, ' '), micros)
	}
	if z != nil {
		dst = z.appendName(dst, off, f)
	}
	if bc {
		dst = append(dst, " BC"...)
	}
	return dst
}

// appendName writes the zone after a time: an offset in ISO style, otherwise
// its abbreviation if it has one.
func (z *Zone) appendName(dst []byte, off int64, f *Format) []byte {
	if f.DateStyle == DateISO {
		return appendOffset(dst, off)
	}
	name := z.abbrev
	if !z.known {
		name = "UTC"
	}
	dst = append(dst, ' ')
	if name == "" || name[0] == '+' || name[0] == '-' {
		return appendOffset(dst, off)
	}
	return append(dst, name...)
}

// weekday of a day since 1970, 0 = Sunday.
func weekday(days int64) int { return int(((days+4)%7 + 7) % 7) }

// appendTimetz is timetz_out.
func appendTimetz(dst []byte, s string) []byte {
	us, west := decodeTimetz(s)
	return appendOffset(appendTimeOfDay(dst, us), -int64(west))
}

// A timetz value is 12 bytes that order as PostgreSQL orders it: by the instant
// (µs of the day plus zone, biased), then the zone's seconds west of UTC.
func encodeTimetz(us int64, west int32) string {
	u := uint64(us + int64(west)*microsPerSecond + microsPerDay)
	w := uint32(west) ^ 1<<31
	return string([]byte{byte(u >> 56), byte(u >> 48), byte(u >> 40), byte(u >> 32), byte(u >> 24), byte(u >> 16),
		byte(u >> 8), byte(u), byte(w >> 24), byte(w >> 16), byte(w >> 8), byte(w)})
}

func decodeTimetz(s string) (us int64, west int32) {
	if len(s) != 12 {
		return 0, 0
	}
	var u uint64
	for i := range 8 {
		u = u<<8 | uint64(s[i])
	}
	var w uint32
	for i := 8; i < 12; i++ {
		w = w<<8 | uint32(s[i])
	}
	west = int32(w ^ 1<<31)
	return int64(u) - microsPerDay - int64(west)*microsPerSecond, west
}
