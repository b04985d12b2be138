// Package picture formats and reads values by the template patterns of to_char,
// to_date, to_timestamp and to_number.
package picture

import (
	"quern/storage/errs"
	"quern/storage/types"
	"strconv"
	"strings"
)

var (
	monthsFull = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	daysFull   = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	roman      = [...]string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}
)

// stampKeys are the patterns of dates and times, longer ones before their
// prefixes.
var stampKeys = [...]string{
	"A.D.", "a.d.", "A.M.", "a.m.", "AD", "ad", "AM", "am", "B.C.", "b.c.", "BC", "bc", "CC", "DAY", "Day", "day", "DDD", "DD", "DY", "Dy", "dy",
	"D", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6", "FM", "FX", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J",
	"MI", "MM", "MONTH", "Month", "month", "MON", "Mon", "mon", "MS", "OF", "P.M.", "p.m.", "PM", "pm", "Q", "RM", "rm", "SSSSS", "SSSS", "SS",
	"TZH", "TZM", "TZ", "tz", "US", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y",
	"ddd", "dd", "d", "ff1", "ff2", "ff3", "ff4", "ff5", "ff6", "fm", "hh24", "hh12", "hh", "iddd", "id", "iw", "iyyy", "iyy", "iy", "i", "j",
	"mi", "mm", "ms", "of", "q", "sssss", "ssss", "ss", "us", "ww", "w", "y,yyy", "yyyy", "yyy", "yy", "y", "cc",
}

// nextKey finds the pattern at the start of f.
func nextKey(f string) string {
	for _, k := range stampKeys {
		if strings.HasPrefix(f, k) {
			return k
		}
	}
	return ""
}

// AppendStamp is to_char of a timestamp; z is nil for one without zone.
func AppendStamp(dst []byte, f string, us int64, z *types.Zone) ([]byte, error) {
	if us == types.TimePosInf || us == types.TimeNegInf {
		return dst, nil
	}
	local, off := us, int64(0)
	if z != nil {
		off = z.Offset(us)
		local = z.Local(us)
	}
	p := stampParts{off: off, z: z}
	days, micros := types.SplitTimestamp(local)
	p.days, p.micros = days, micros
	p.year, p.month, p.day = types.CivilFromDays(days)
	return formatKeys(dst, f, p.append)
}

// formatKeys walks a template: quoted text, patterns with FM before and TH
// behind, and other characters.
func formatKeys(dst []byte, f string, put func(dst []byte, key string, fill bool) ([]byte, int64)) ([]byte, error) {
	for f != "" {
		fill := true
		for strings.HasPrefix(f, "FM") || strings.HasPrefix(f, "fm") || strings.HasPrefix(f, "FX") {
			fill = fill && f[:2] == "FX"
			f = f[2:]
		}
		switch {
		case f == "":
			return dst, nil
		case f[0] == '"':
			end := strings.IndexByte(f[1:], '"')
			if end < 0 {
				return append(dst, f[1:]...), nil
			}
			dst, f = append(dst, f[1:1+end]...), f[end+2:]
			continue
		case f[0] == '\\' && len(f) > 1:
			dst, f = append(dst, f[1]), f[2:]
			continue
		}
		k := nextKey(f)
		if k == "" {
			dst, f = append(dst, f[0]), f[1:]
			continue
		}
		f = f[len(k):]
		var n int64
		dst, n = put(dst, k, fill)
		if strings.HasPrefix(f, "TH") || strings.HasPrefix(f, "th") {
			s := ordinal(n)
			if f[0] == 'T' {
				s = strings.ToUpper(s)
			}
			dst, f = append(dst, s...), f[2:]
		}
	}
	return dst, nil
}

func ordinal(n int64) string {
	if n = max(n, -n); n%100 >= 11 && n%100 <= 13 {
		return "th"
	}
	switch n % 10 {
	case 1:
		return "st"
	case 2:
		return "nd"
	case 3:
		return "rd"
	}
	return "th"
}

type stampParts struct {
	days, micros     int64
	year, month, day int
	off              int64
	z                *types.Zone
}

// number appends v with width digits unless FM was given.
func number(dst []byte, v int64, width int, fill bool) []byte {
	if v < 0 {
		dst, v = append(dst, '-'), -v
	}
	s := strconv.FormatInt(v, 10)
	if fill {
		for range width - len(s) {
			dst = append(dst, '0')
		}
	}
	return append(dst, s...)
}

// word appends a name, padded to width, in the case that the key has.
func word(dst []byte, key, s string, width int, fill bool) []byte {
	switch {
	case strings.ToUpper(key) == key:
		s = strings.ToUpper(s)
	case strings.ToLower(key) == key:
		s = strings.ToLower(s)
	}
	dst = append(dst, s...)
	if fill {
		dst = append(dst, strings.Repeat(" ", max(width-len(s), 0))...)
	}
	return dst
}

// append writes one pattern. One switch over all of them.
func (p *stampParts) append(dst []byte, key string, fill bool) ([]byte, int64) {
	sec := p.micros / 1_000_000
	frac := p.micros % 1_000_000
	hour := sec / 3600
	num := func(v int64, width int) ([]byte, int64) { return number(dst, v, width, fill), v }
	year, era := int64(p.year), "AD"
	if p.year <= 0 {
		year, era = int64(1-p.year), "BC"
	}
	isoYear, isoWeek := types.ISOWeek(p.days)
	dow := ((p.days+4)%7 + 7) % 7
	switch strings.ToUpper(key) {
	case "HH24":
		return num(hour, 2)
	case "HH", "HH12":
		return num((hour+11)%12+1, 2)
	case "MI":
		return num(sec/60%60, 2)
	case "SS":
		return num(sec%60, 2)
	case "MS", "FF3":
		return number(dst, frac/1000, 3, true), frac / 1000
	case "US", "FF6":
		return number(dst, frac, 6, true), frac
	case "FF1":
		return number(dst, frac/100000, 1, true), frac
	case "FF2":
		return number(dst, frac/10000, 2, true), frac
	case "FF4":
		return number(dst, frac/100, 4, true), frac
	case "FF5":
		return number(dst, frac/10, 5, true), frac
	case "SSSS", "SSSSS":
		return number(dst, sec, 0, false), sec
	case "AM", "PM", "A.M.", "P.M.":
		s := "am"
		if hour >= 12 {
			s = "pm"
		}
		if strings.Contains(key, ".") {
			s = s[:1] + "." + s[1:] + "."
		}
		return word(dst, key, s, 0, false), 0
	case "AD", "BC", "A.D.", "B.C.":
		if strings.Contains(key, ".") {
			era = era[:1] + "." + era[1:] + "."
		}
		return word(dst, key, era, 0, false), 0
	case "YYYY":
		return num(year, 4)
	case "Y,YYY":
		return append(strconv.AppendInt(dst, year/1000, 10), ","+string(number(nil, year%1000, 3, true))...), year
	case "YYY":
		return num(year%1000, 3)
	case "YY":
		return num(year%100, 2)
	case "Y":
		return num(year%10, 1)
	case "IYYY":
		return num(int64(isoYear), 4)
	case "IYY":
		return num(int64(isoYear%1000), 3)
	case "IY":
		return num(int64(isoYear%100), 2)
	case "I":
		return num(int64(isoYear%10), 1)
	case "MONTH":
		return word(dst, key, monthsFull[p.month-1], 9, fill), 0
	case "MON":
		return word(dst, key, monthsFull[p.month-1][:3], 3, fill), 0
	case "MM":
		return num(int64(p.month), 2)
	case "DAY":
		return word(dst, key, daysFull[dow], 9, fill), 0
	case "DY":
		return word(dst, key, daysFull[dow][:3], 3, fill), 0
	case "DDD":
		return num(p.days-types.DaysFromCivil(p.year, 1, 1)+1, 3)
	case "DD":
		return num(int64(p.day), 2)
	case "D":
		return num(dow+1, 1)
	case "ID":
		return num((dow+6)%7+1, 1)
	case "IDDD":
		// ISO weeks start on Monday of the week of 4 January.
		return num(int64(isoWeek-1)*7+(dow+6)%7+1, 3)
	case "WW":
		return num((p.days-types.DaysFromCivil(p.year, 1, 1))/7+1, 2)
	case "IW":
		return num(int64(isoWeek), 2)
	case "W":
		return num(int64(p.day-1)/7+1, 1)
	case "CC":
		c := (year + 99) / 100
		if era == "BC" {
			c = -c
		}
		return num(c, 2)
	case "J":
		return number(dst, p.days+2440588, 0, false), p.days
	case "Q":
		return num(int64(p.month-1)/3+1, 1)
	case "RM":
		return word(dst, key, roman[p.month-1], 4, fill), 0
	case "TZ":
		return word(dst, key, p.zoneName(), 0, false), 0
	case "TZH", "OF", "TZM":
		return p.appendOffset(dst, strings.ToUpper(key)), 0
	}
	return append(dst, key...), 0
}

func (p *stampParts) zoneName() string {
	if p.z == nil {
		return ""
	}
	return p.z.Abbrev()
}

func (p *stampParts) appendOffset(dst []byte, key string) []byte {
	off, sign := p.off, byte('+')
	if off < 0 {
		off, sign = -off, '-'
	}
	if key == "TZM" {
		return number(dst, off/60%60, 2, true)
	}
	dst = number(append(dst, sign), off/3600, 2, true)
	if key == "OF" && off%3600 != 0 {
		dst = number(append(dst, ':'), off/60%60, 2, true)
	}
	return dst
}

// AppendInterval is to_char of an interval: its fields, not wall clocks.
func AppendInterval(dst []byte, f string, v types.IntervalVal) ([]byte, error) {
	sec := v.Micros / 1_000_000
	p := stampParts{}
	var err error
	out, _ := formatKeys(dst, f, func(dst []byte, key string, fill bool) ([]byte, int64) {
		num := func(v int64, width int) ([]byte, int64) { return number(dst, v, width, fill), v }
		switch strings.ToUpper(key) {
		case "IYYY", "IYY", "IY", "I", "IW", "IDDD", "Q", "WW", "W", "CC", "J", "D", "ID":
			err = errs.NotSupported("the pattern " + key + " for an interval")
			return dst, 0
		case "HH24":
			return num(sec/3600, 2)
		case "HH", "HH12":
			h := sec / 3600 % 12
			if h == 0 {
				h = 12
			}
			if sec <= -3600 && h > 0 {
				return num(h, 3)
			}
			return num(h, 2)
		case "MI":
			return num(sec/60%60, 2)
		case "SS":
			return num(sec%60, 2)
		case "MS":
			return num(v.Micros%1_000_000/1000, 3)
		case "US":
			return num(v.Micros%1_000_000, 6)
		case "SSSS", "SSSSS":
			return num(sec, 0)
		case "DD":
			if v.Days < 0 {
				return num(int64(v.Days), 1) // the sign counts
			}
			return num(int64(v.Days), 2)
		case "YY":
			return num(int64(v.Months/12%100), 2)
		case "DDD":
			return num(int64(v.Days)+int64(v.Months)*30, 3)
		case "MM":
			return num(int64(v.Months%12), 2)
		case "YYYY":
			return num(int64(v.Months/12), 4)
		case "AM", "PM":
			p.micros = v.Micros
			return p.append(dst, key, fill)
		}
		return append(dst, key...), 0
	})
	return out, err
}
