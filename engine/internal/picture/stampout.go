package picture

import (
	"strconv"
	"strings"

	"quern/storage/errs"
	"quern/storage/types"
)

var (
	monthsFull = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
	daysFull   = [...]string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"}
	roman      = [...]string{"I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"}
)

// Stamp is a compiled template of dates and times.
type Stamp struct {
	nodes []node
	empty bool
}

// ParseStamp compiles a template of dates and times.
func ParseStamp(f string) *Stamp {
	nodes, _ := parse(f, stampKeys, true, nil) // only see makes errors
	return &Stamp{nodes: nodes, empty: f == ""}
}

// parts are the fields of a time stamp or an interval as to_char shows them.
// Years count astronomically: 0 is 1 BC.
type parts struct {
	year, month, day, yday, wday int
	hour, min, sec, micros       int64
	off                          int64
	z                            *types.Zone
	interval                     bool
}

// AppendStamp is to_char of a timestamp; z is nil for one without zone. ok is
// false for NULL: an infinite one, or an empty template.
func (p *Stamp) AppendStamp(dst []byte, us int64, z *types.Zone) (out []byte, ok bool, err error) {
	if p.empty || us == types.TimePosInf || us == types.TimeNegInf {
		return dst, false, nil
	}
	local, v := us, parts{z: z}
	if z != nil {
		v.off = z.Offset(us)
		local = z.Local(us)
	}
	days, micros := types.SplitTimestamp(local)
	v.year, v.month, v.day = types.CivilFromDays(days)
	v.yday = int(days-types.DaysFromCivil(v.year, 1, 1)) + 1
	v.wday = int(((days+4)%7 + 7) % 7)
	v.clock(micros)
	out, err = p.append(dst, &v)
	return out, true, err
}

// AppendLocal is to_char of a timestamp without zone.
func (p *Stamp) AppendLocal(dst []byte, us int64, _ *types.Zone) (out []byte, ok bool, err error) {
	return p.AppendStamp(dst, us, nil)
}

// AppendInterval is to_char of an interval: its fields, not wall clocks.
func (p *Stamp) AppendInterval(dst []byte, iv types.IntervalVal, _ *types.Zone) (out []byte, ok bool, err error) {
	if p.empty {
		return dst, false, nil
	}
	v := parts{interval: true, year: int(iv.Months / 12), month: int(iv.Months % 12), day: int(iv.Days)}
	v.yday = (v.year*12+v.month)*30 + v.day
	v.clock(iv.Micros)
	out, err = p.append(dst, &v)
	return out, true, err
}

func (v *parts) clock(us int64) {
	v.hour, us = us/3_600_000_000, us%3_600_000_000
	v.min, us = us/60_000_000, us%60_000_000
	v.sec, v.micros = us/1_000_000, us%1_000_000
}

func (p *Stamp) append(dst []byte, v *parts) ([]byte, error) {
	for i := range p.nodes {
		n := &p.nodes[i]
		if n.kind != kindAction {
			dst = append(dst, n.key...)
			continue
		}
		beg := len(dst)
		var numeric bool
		var err error
		if dst, numeric, err = v.field(dst, n); err != nil {
			return dst, err
		}
		if numeric && n.th() {
			s, err := ordinal(string(dst[beg:]), n.suf&sufTHUpper != 0)
			if err != nil {
				return dst, err
			}
			dst = append(dst, s...)
		}
	}
	return dst, nil
}

// padded appends v with width places, the sign being one of them; with FM bare.
func padded(dst []byte, n *node, v int64, width int) []byte {
	if n.fm() {
		width = 0
	}
	if v < 0 {
		dst, v, width = append(dst, '-'), -v, width-1
	}
	s := strconv.FormatInt(v, 10)
	for range width - len(s) {
		dst = append(dst, '0')
	}
	return append(dst, s...)
}

// signed is the width of a field that gives a negative number one place more.
func signed(v int64, width int) int {
	if v < 0 {
		return width + 1
	}
	return width
}

// word appends a name in the case that the pattern has.
func word(dst []byte, n *node, s string, width int) []byte {
	switch {
	case strings.ToUpper(n.key) == n.key:
		s = strings.ToUpper(s)
	case strings.ToLower(n.key) == n.key:
		s = strings.ToLower(s)
	}
	dst = append(dst, s...)
	if n.suf&(sufFM|sufTM) != 0 {
		return dst
	}
	return append(dst, strings.Repeat(" ", max(width-len(s), 0))...)
}

// dotted is a two-letter word with points if the pattern has them.
func dotted(dst []byte, n *node, s string) []byte {
	if strings.Contains(n.key, ".") {
		s = s[:1] + "." + s[1:] + "."
	}
	return word(dst, n, s, 0)
}

// field writes one pattern and tells whether TH may follow it.
func (v *parts) field(dst []byte, n *node) (_ []byte, numeric bool, err error) {
	key := strings.ToUpper(n.key)
	if v.interval {
		switch key {
		case "TZ", "TZH", "TZM", "OF", "A.D.", "B.C.", "AD", "BC", "MONTH", "MON", "DAY", "DY", "D", "ID":
			return dst, false, errs.New(errs.InvalidDatetimeFormat, "invalid format specification for an interval value").
				WithHint("Intervals are not tied to specific calendar dates.")
		}
	}
	if out, ok := v.name(dst, n, key); ok {
		return out, false, nil
	}
	if out, ok := v.clockField(dst, n, key); ok {
		return out, true, nil
	}
	dst, numeric = v.dateField(dst, n, key)
	return dst, numeric, nil
}

// name writes what is no number.
func (v *parts) name(dst []byte, n *node, key string) ([]byte, bool) {
	switch key {
	case "A.M.", "P.M.", "AM", "PM":
		if v.hour%24 >= 12 {
			return dotted(dst, n, "pm"), true
		}
		return dotted(dst, n, "am"), true
	case "A.D.", "B.C.", "AD", "BC":
		if v.year <= 0 {
			return dotted(dst, n, "bc"), true
		}
		return dotted(dst, n, "ad"), true
	case "MONTH":
		return word(dst, n, monthsFull[v.month-1], 9), true
	case "MON":
		return word(dst, n, monthsFull[v.month-1][:3], 0), true
	case "DAY":
		return word(dst, n, daysFull[v.wday], 9), true
	case "DY":
		return word(dst, n, daysFull[v.wday][:3], 0), true
	case "RM":
		switch month := v.month; {
		case month == 0 && v.year == 0:
			return dst, true
		case month == 0 && v.year < 0:
			return word(dst, n, "I", 4), true
		case month <= 0: // -1 is December, 0 of whole years too
			return word(dst, n, roman[min(month+12, 11)], 4), true
		default:
			return word(dst, n, roman[month-1], 4), true
		}
	case "TZ":
		if v.z == nil {
			return dst, true
		}
		if s := v.z.Abbrev(); n.key == "tz" {
			return append(dst, strings.ToLower(s)...), true
		} else {
			return append(dst, s...), true
		}
	case "TZH", "TZM", "OF":
		return v.offset(dst, n, key), true
	case "FX":
		return dst, true
	}
	return dst, false
}

func (v *parts) offset(dst []byte, n *node, key string) []byte {
	off, sign := v.off, byte('+')
	if off < 0 {
		off, sign = -off, '-'
	}
	exact := &node{}
	switch {
	case key == "TZM":
		return padded(dst, exact, off%3600/60, 2)
	case key == "TZH":
		return padded(append(dst, sign), exact, off/3600, 2)
	}
	if dst = padded(append(dst, sign), n, off/3600, 2); off%3600 != 0 {
		dst = padded(append(dst, ':'), exact, off%3600/60, 2)
	}
	return dst
}

func (v *parts) clockField(dst []byte, n *node, key string) ([]byte, bool) {
	exact := &node{}
	switch key {
	case "HH", "HH12":
		h := v.hour % 12
		if h == 0 {
			h = 12
		}
		return padded(dst, n, h, signed(v.hour, 2)), true
	case "HH24":
		return padded(dst, n, v.hour, signed(v.hour, 2)), true
	case "MI":
		return padded(dst, n, v.min, signed(v.min, 2)), true
	case "SS":
		return padded(dst, n, v.sec, signed(v.sec, 2)), true
	case "SSSS", "SSSSS":
		return strconv.AppendInt(dst, (v.hour*60+v.min)*60+v.sec, 10), true
	case "MS", "FF3":
		return padded(dst, exact, v.micros/1000, 3), true
	case "US", "FF6":
		return padded(dst, exact, v.micros, 6), true
	case "FF1":
		return padded(dst, exact, v.micros/100000, 1), true
	case "FF2":
		return padded(dst, exact, v.micros/10000, 2), true
	case "FF4":
		return padded(dst, exact, v.micros/100, 4), true
	case "FF5":
		return padded(dst, exact, v.micros/10, 5), true
	}
	return dst, false
}

func (v *parts) dateField(dst []byte, n *node, key string) ([]byte, bool) {
	bare := func(x int64) ([]byte, bool) { return strconv.AppendInt(dst, x, 10), true }
	year := func(y int) int64 {
		if !v.interval && y <= 0 {
			y = 1 - y
		}
		return int64(y)
	}
	y := year(v.year)
	switch key {
	case "YYYY":
		return padded(dst, n, y, signed(y, 4)), true
	case "YYY":
		return padded(dst, n, y%1000, signed(y, 3)), true
	case "YY":
		return padded(dst, n, y%100, signed(y, 2)), true
	case "Y":
		return bare(y % 10)
	case "Y,YYY":
		return padded(append(strconv.AppendInt(dst, y/1000, 10), ','), &node{}, y%1000, 3), true
	case "IYYY":
		return padded(dst, n, year(isoYear(v.date())), signed(y, 4)), true
	case "IYY":
		return padded(dst, n, year(isoYear(v.date()))%1000, signed(y, 3)), true
	case "IY":
		return padded(dst, n, year(isoYear(v.date()))%100, signed(y, 2)), true
	case "I":
		return bare(year(isoYear(v.date())) % 10)
	case "MM":
		return padded(dst, n, int64(v.month), signed(int64(v.month), 2)), true
	case "DDD":
		return padded(dst, n, int64(v.yday), 3), true
	case "IDDD":
		day := julian(v.date())
		return padded(dst, n, int64(day-isoWeekStart(isoYear(v.date()), 1)+1), 3), true
	case "DD":
		return padded(dst, n, int64(v.day), 2), true
	case "D":
		return bare(int64(v.wday) + 1)
	case "ID":
		return bare(int64(v.wday+6)%7 + 1)
	case "WW":
		return padded(dst, n, int64((v.yday-1)/7+1), 2), true
	case "IW":
		return padded(dst, n, int64(isoWeek(v.date())), 2), true
	case "W":
		return bare(int64((v.day-1)/7 + 1))
	case "Q":
		if v.month == 0 {
			return dst, false
		}
		return bare(int64((v.month-1)/3 + 1))
	case "CC":
		c := v.year / 100
		if !v.interval {
			if c--; v.year > 0 {
				c = (v.year-1)/100 + 1
			}
		}
		if c > 99 || c < -99 {
			return bare(int64(c))
		}
		return padded(dst, n, int64(c), signed(int64(c), 2)), true
	case "J":
		return bare(int64(julian(v.date())))
	}
	return dst, false
}

func (v *parts) date() (y, m, d int) { return v.year, v.month, v.day }
