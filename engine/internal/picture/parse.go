package picture

import (
	"math"
	"quern/storage/errs"
	"quern/storage/types"
	"strconv"
	"strings"
)

const NoOffset = math.MinInt64

// stampFields is what a template read.
type stampFields struct {
	year, month, day, doy, hour, min, sec, micros int64
	pm, bc, hour12, hasOff                        bool
	off                                           int64
}

// ParseStamp reads s by template f.
func ParseStamp(s, f string) (us, off int64, err error) {
	v := stampFields{year: 1, month: 1, day: 1}
	whole := s
	for f != "" {
		if strings.HasPrefix(f, "FM") || strings.HasPrefix(f, "FX") {
			f = f[2:]
			continue
		}
		k := nextKey(f)
		if k == "" {
			sep := f[0]
			f = f[1:]
			if sep == '"' {
				end := max(strings.IndexByte(f, '"'), 0)
				s = s[min(len(s), end):]
				f = f[min(len(f), end+1):]
				continue
			}
			if s != "" && (s[0] == sep || !isAlnum(s[0]) && !isAlnum(sep)) {
				s = s[1:]
			}
			continue
		}
		f = f[len(k):]
		s = strings.TrimLeft(s, " ")
		// A pattern right behind another takes no more digits than it has.
		fixed := f != "" && nextKey(f) != ""
		if s, err = v.read(s, strings.ToUpper(k), fixed); err != nil {
			return 0, 0, err
		}
	}
	if v.hour12 {
		if v.hour < 1 || v.hour > 12 {
			return 0, 0, errs.New(errs.InvalidDatetimeFormat, "hour \"%d\" is invalid for the 12-hour clock", v.hour).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		if v.hour %= 12; v.pm {
			v.hour += 12
		}
	}
	switch {
	case v.bc:
		v.year = 1 - v.year
	case v.year < 0: // -1 is 1 BC
		v.year++
	}
	bad := errs.New(errs.DatetimeOverflow, "date/time field value out of range: \"%s\"", whole)
	if v.doy > 0 {
		v.month, v.day = 1, v.doy
	} else if v.month < 1 || v.month > 12 || v.day < 1 || v.day > 31 ||
		v.day > types.DaysFromCivil(int(v.year), int(v.month)+1, 1)-types.DaysFromCivil(int(v.year), int(v.month), 1) {
		return 0, 0, bad
	}
	if v.hour > 23 || v.min > 59 || v.sec > 59 {
		return 0, 0, bad
	}
	days := types.DaysFromCivil(int(v.year), int(v.month), int(v.day))
	us, err = types.MakeTimestamp(int32(days), ((v.hour*60+v.min)*60+v.sec)*1_000_000+v.micros)
	if off = NoOffset; v.hasOff {
		off = v.off
	}
	return us, off, err
}

func isAlnum(c byte) bool { return c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// read takes one pattern's value off s. One switch over the patterns.
func (v *stampFields) read(s, key string, fixed bool) (string, error) {
	num := func(width int) (int64, error) {
		k := 0
		if k < len(s) && (s[k] == '-' || s[k] == '+') {
			k++
		}
		for k < len(s) && s[k]-'0' <= 9 && (!fixed || k < width) {
			k++
		}
		n, err := strconv.ParseInt(s[:k], 10, 32)
		if err != nil {
			return 0, errs.New(errs.InvalidDatetimeFormat, "invalid value \"%s\" for \"%s\"", s[:min(len(s), max(k, width))], key).
				WithDetail("Value must be an integer.")
		}
		s = s[k:]
		return n, nil
	}
	var err error
	switch key {
	case "YYYY", "IYYY":
		v.year, err = num(4)
	case "YY", "YYY":
		if v.year, err = num(len(key)); v.year < 70 {
			v.year += 2000
		} else if v.year < 100 {
			v.year += 1900
		}
	case "MM":
		v.month, err = num(2)
	case "DD":
		v.day, err = num(2)
	case "DDD":
		v.doy, err = num(3)
	case "HH24":
		v.hour, err = num(2)
	case "HH", "HH12":
		v.hour12 = true
		v.hour, err = num(2)
	case "MI":
		v.min, err = num(2)
	case "SS":
		v.sec, err = num(2)
	case "MS", "US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		k, width := 0, 6
		if key == "MS" {
			width = 3
		}
		for k < len(s) && s[k]-'0' <= 9 && k < width {
			k++
		}
		t := s[:k] + "000000"
		v.micros, _ = strconv.ParseInt(t[:6], 10, 64)
		s = s[k:]
	case "MON", "MONTH":
		for i, m := range monthsFull {
			n := 3
			if key == "MONTH" && len(s) >= len(m) && strings.EqualFold(s[:len(m)], m) {
				n = len(m)
			}
			if len(s) >= n && strings.EqualFold(s[:n], m[:n]) {
				v.month, s = int64(i+1), s[n:]
				return s, nil
			}
		}
		return s, errs.New(errs.InvalidDatetimeFormat, "invalid value \"%s\" for \"%s\"", s[:min(len(s), 3)], key).
			WithDetail("The given value did not match any of the allowed values for this field.")
	case "DAY", "DY":
		for _, d := range daysFull {
			n := 3
			if key == "DAY" {
				n = len(d)
			}
			if len(s) >= n && strings.EqualFold(s[:n], d[:n]) {
				return s[n:], nil
			}
		}
	case "AM", "PM":
		if len(s) >= 2 {
			v.pm, v.hour12 = strings.EqualFold(s[:2], "pm"), true
			s = s[2:]
		}
	case "AD", "BC":
		if len(s) >= 2 {
			v.bc, s = strings.EqualFold(s[:2], "bc"), s[2:]
		}
	case "TZH":
		v.hasOff = true
		var h int64
		h, err = num(3)
		v.off = h * 3600
	case "TZM":
		var m int64
		m, err = num(2)
		if v.off < 0 {
			m = -m
		}
		v.off += m * 60
	default:
		return s, errs.NotSupported("the pattern " + key + " in to_date and to_timestamp")
	}
	return s, err
}
