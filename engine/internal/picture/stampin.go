package picture

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"quern/storage/errs"
	"quern/storage/types"
)

// convention is what a template's dates are counted by; they do not mix.
type convention uint8

const (
	conventionNone convention = iota
	conventionGregorian
	conventionISO
)

// Fields is what a text gave by a template.
type Fields struct {
	Year, Month, Day int // 0 is 1 BC; not necessarily a day of the calendar
	Micros           int64
	Offset           int64 // seconds east of UTC, if HasOffset
	HasOffset        bool
	Precision        int // of FF1 to FF6, 0 = all
}

// scan is the state of reading.
type scan struct {
	nodes []node
	whole string
	s     string // what is left of whole
	extra int    // spaces skipped beyond what the template has
	fixed bool

	hour, min, sec, ssss, ms, us  int
	year, yearDigits, cc, j       int
	month, day, doy, dow, ww, w   int
	tzh, tzm, tzsign, ff, pm, era int
	half                          bool // a 12-hour clock
	by                            convention
}

// Read reads s. Fields that the template lacks are those of 1 January of 1 BC.
func (p *Stamp) Read(s string) (Fields, error) {
	c := &scan{nodes: p.nodes, whole: s, s: s}
	if err := c.run(); err != nil {
		return Fields{}, err
	}
	return c.resolve()
}

func (c *scan) skipSpaces() {
	for c.s != "" && space(c.s[0]) {
		c.s = c.s[1:]
		c.extra++
	}
}

func (c *scan) skip() {
	_, size := utf8.DecodeRuneInString(c.s)
	c.s = c.s[size:]
}

func (c *scan) run() error {
	for i := 0; i < len(c.nodes) && c.s != ""; i++ {
		n := &c.nodes[i]
		action := n.kind == kindAction
		if !c.fixed && (!action || upper(n.key) != "FX") && (action || i == 0) {
			c.skipSpaces()
		}
		switch {
		case n.kind == kindSpace || n.kind == kindSeparator:
			// One stands for one of either kind, or for none.
			if c.fixed {
				if c.s != "" {
					c.skip()
				}
			} else if c.extra--; c.s != "" && (space(c.s[0]) || separator(c.s[0])) {
				c.s = c.s[1:]
				c.extra++
			}
			continue
		case !action:
			// A character of the text whatever it is, if none was skipped already.
			if !c.fixed && c.extra > 0 {
				c.extra--
			} else if c.s != "" {
				c.skip()
			}
			continue
		}
		if err := c.field(i); err != nil {
			return err
		}
		if !c.fixed {
			c.extra = 0
			c.skipSpaces()
		}
	}
	return nil
}

func invalid(format string, args ...any) *errs.Error {
	return errs.New(errs.InvalidDatetimeFormat, format, args...)
}

// conventionOf tells by what a pattern counts.
func conventionOf(key string) convention {
	switch key {
	case "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I":
		return conventionISO
	case "DDD", "DD", "D", "MM", "MONTH", "MON", "RM", "WW", "W", "Y,YYY", "YYYY", "YYY", "YY", "Y":
		return conventionGregorian
	}
	return conventionNone
}

// numericKey tells whether a pattern stands for digits.
func numericKey(key string) bool {
	switch strings.ToUpper(key) {
	case "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "DAY", "DY", "FX", "MONTH", "MON", "OF", "P.M.", "PM", "RM", "TZH", "TZ":
		return false
	}
	return true
}

// nextSeparates tells that node i's number ends by itself: what follows is no digit.
func (c *scan) nextSeparates(i int) bool {
	if c.nodes[i].th() || i+1 == len(c.nodes) {
		return true
	}
	n := &c.nodes[i+1]
	if n.kind == kindAction {
		return !numericKey(n.key)
	}
	return !(len(n.key) == 1 && digit(n.key[0]))
}

// number reads the digits of node i: width of them if another number follows at
// once, else as many as there are. It gives how many characters it took.
func (c *scan) number(i, width int, dest *int) (int, error) {
	n, whole := &c.nodes[i], c.s
	s := strings.TrimLeft(c.s, " \t\n\v\f\r")
	first := s[:min(width, len(s))]
	var v int64
	var size int
	var over bool
	if n.fm() || c.nextSeparates(i) {
		v, size, over = leadingInt(whole)
		c.s = whole[size:]
	} else {
		if len(s) < width {
			return 0, invalid("source string too short for \"%s\" formatting field", n.key).
				WithDetail("Field requires %d characters, but only %d remain.", width, len(s)).
				WithHint("If your source string is not fixed-width, try using the \"FM\" modifier.")
		}
		v, size, over = leadingInt(first)
		if size > 0 && size < width {
			return 0, invalid("invalid value \"%s\" for \"%s\"", first, n.key).
				WithDetail("Field requires %d characters, but only %d could be parsed.", width, size).
				WithHint("If your source string is not fixed-width, try using the \"FM\" modifier.")
		}
		c.s = s[size:]
	}
	if len(c.s) == len(whole) {
		return 0, invalid("invalid value \"%s\" for \"%s\"", first, n.key).WithDetail("Value must be an integer.")
	}
	if over || v < math.MinInt32 || v > math.MaxInt32 {
		return 0, errs.New(errs.DatetimeOverflow, "value for \"%s\" in source string is out of range", n.key).
			WithDetail("Value must be in the range %d to %d.", math.MinInt32, math.MaxInt32)
	}
	if dest != nil {
		if err := c.set(n, dest, int(v)); err != nil {
			return 0, err
		}
	}
	return len(whole) - len(c.s), nil
}

// leadingInt reads spaces, a sign and digits; size 0 if there are no digits.
func leadingInt(s string) (v int64, size int, over bool) {
	i := 0
	for i < len(s) && space(s[i]) {
		i++
	}
	beg := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	first := i
	for i < len(s) && digit(s[i]) {
		i++
	}
	if i == first {
		return 0, 0, false
	}
	v, err := strconv.ParseInt(s[beg:i], 10, 64)
	return v, i, err != nil
}

// set stores a field that may come again only with the same value.
func (c *scan) set(n *node, dest *int, v int) error {
	if *dest != 0 && *dest != v {
		return invalid("conflicting values for \"%s\" field in formatting string", n.key).
			WithDetail("This value contradicts a previous setting for the same field type.")
	}
	*dest = v
	return nil
}

// oneOf reads one of some words in any case.
func (c *scan) oneOf(n *node, words []string) (int, error) {
	for i, w := range words {
		if len(c.s) >= len(w) && strings.EqualFold(c.s[:len(w)], w) {
			c.s = c.s[len(w):]
			return i, nil
		}
	}
	s := c.s
	if i := strings.IndexAny(s, " \t\n\r\f"); i >= 0 {
		s = s[:i]
	}
	return 0, invalid("invalid value \"%s\" for \"%s\"", s, n.key).
		WithDetail("The given value did not match any of the allowed values for this field.")
}

func abbreviations(names []string) []string {
	out := make([]string, len(names))
	for i, s := range names {
		out[i] = s[:3]
	}
	return out
}

var (
	amPM, amPMDotted = []string{"am", "pm"}, []string{"a.m.", "p.m."}
	adBC, adBCDotted = []string{"ad", "bc"}, []string{"a.d.", "b.c."}
	monthsShort      = abbreviations(monthsFull[:])
	daysShort        = abbreviations(daysFull[:])
	romanBackwards   = []string{"xii", "xi", "x", "ix", "viii", "vii", "vi", "v", "iv", "iii", "ii", "i"}
)

// field reads what pattern i stands for.
func (c *scan) field(i int) error {
	n := &c.nodes[i]
	key := strings.ToUpper(n.key)
	if by := conventionOf(key); by != conventionNone {
		if c.by != conventionNone && c.by != by {
			return invalid("invalid combination of date conventions").
				WithHint("Do not mix Gregorian and ISO week date conventions in a formatting template.")
		}
		c.by = by
	}
	if done, err := c.wordField(n, key); done || err != nil {
		return err
	}
	if err := c.numberField(i, key); err != nil {
		return err
	}
	if n.th() && key != "TZH" && key != "TZM" { // two characters, whatever they are
		for range 2 {
			if c.s != "" {
				c.skip()
			}
		}
	}
	return nil
}

func (c *scan) wordField(n *node, key string) (done bool, err error) {
	word := func(words []string, dest *int, value func(i int) int) (bool, error) {
		i, err := c.oneOf(n, words)
		if err != nil {
			return true, err
		}
		return true, c.set(n, dest, value(i))
	}
	same := func(i int) int { return i }
	switch key {
	case "FX":
		c.fixed = true
		return true, nil
	case "A.M.", "P.M.", "AM", "PM":
		c.half = true
		if len(key) > 2 {
			return word(amPMDotted, &c.pm, same)
		}
		return word(amPM, &c.pm, same)
	case "A.D.", "B.C.":
		return word(adBCDotted, &c.era, same)
	case "AD", "BC":
		return word(adBC, &c.era, same)
	case "MONTH":
		return word(monthsFull[:], &c.month, func(i int) int { return i + 1 })
	case "MON":
		return word(monthsShort, &c.month, func(i int) int { return i + 1 })
	case "RM":
		return word(romanBackwards, &c.month, func(i int) int { return 12 - i })
	case "DAY", "DY":
		words := daysFull[:]
		if key == "DY" {
			words = daysShort
		}
		if done, err = word(words, &c.dow, same); err == nil {
			c.dow++
		}
		return done, err
	case "TZ", "OF":
		return true, errs.New(errs.FeatureNotSupported, "formatting field \"%s\" is only supported in to_char", n.key)
	}
	return false, nil
}

// numberField reads a pattern of digits. One switch over all of them.
func (c *scan) numberField(i int, key string) error {
	num := func(width int, dest *int) error { _, err := c.number(i, width, dest); return err }
	part := func(places, width int, dest *int) error { // 25 is 0.25
		k, err := c.number(i, width, dest)
		for ; k < places && err == nil; k++ {
			*dest *= 10
		}
		return err
	}
	partial := func(dest *int) error {
		k, err := c.number(i, len(key), dest)
		if k < 4 && err == nil {
			*dest = nearYear(*dest)
		}
		c.yearDigits = len(key)
		return err
	}
	switch key {
	case "HH", "HH12":
		c.half = true
		return num(2, &c.hour)
	case "HH24":
		return num(2, &c.hour)
	case "MI":
		return num(2, &c.min)
	case "SS":
		return num(2, &c.sec)
	case "SSSS", "SSSSS":
		return num(len(key), &c.ssss)
	case "MS":
		return part(3, 3, &c.ms)
	case "US":
		return part(6, 6, &c.us)
	case "FF1", "FF2", "FF3", "FF4", "FF5", "FF6":
		c.ff = int(key[2] - '0')
		return part(6, c.ff, &c.us)
	case "TZH":
		return c.zoneHours(i)
	case "TZM":
		if c.tzsign == 0 {
			c.tzsign = 1
		}
		return num(2, &c.tzm)
	case "MM":
		return num(2, &c.month)
	case "DD":
		return num(2, &c.day)
	case "DDD", "IDDD":
		return num(3, &c.doy)
	case "D":
		return num(1, &c.dow)
	case "ID":
		err := num(1, &c.dow)
		if c.dow++; c.dow > 7 { // Sunday is 1 inside
			c.dow = 1
		}
		return err
	case "WW", "IW":
		return num(2, &c.ww)
	case "W":
		return num(1, &c.w)
	case "Q":
		return num(1, nil)
	case "CC":
		return num(2, &c.cc)
	case "J":
		return num(1, &c.j)
	case "Y,YYY":
		return c.groupedYear(&c.nodes[i])
	case "YYYY", "IYYY":
		c.yearDigits = 4
		return num(4, &c.year)
	}
	key = strings.TrimPrefix(key, "I")
	if key == "" {
		key = "Y"
	}
	return partial(&c.year)
}

// groupedYear reads 2,024.
func (c *scan) groupedYear(n *node) error {
	bad := invalid("invalid input string for \"Y,YYY\"")
	thousands, size, over := leadingInt(c.s)
	if size == 0 || over || size >= len(c.s) || c.s[size] != ',' {
		return bad
	}
	rest := strings.TrimLeft(c.s[size+1:], " \t\n\v\f\r")
	years, k, _ := leadingInt(rest[:min(3, len(rest))])
	if k == 0 {
		return bad
	}
	c.s, c.yearDigits = rest[k:], 4
	return c.set(n, &c.year, int(years+thousands*1000))
}

// zoneHours reads the sign and the hours of an offset. The sign may be a
// separator that was skipped.
func (c *scan) zoneHours(i int) error {
	c.tzsign = 1
	switch {
	case c.s != "" && (c.s[0] == '+' || c.s[0] == '-' || c.s[0] == ' '):
		if c.s[0] == '-' {
			c.tzsign = -1
		}
		c.s = c.s[1:]
	case c.extra > 0 && c.whole[len(c.whole)-len(c.s)-1] == '-':
		c.tzsign = -1
	}
	_, err := c.number(i, 2, &c.tzh)
	return err
}

// nearYear puts a year of fewer than four digits near 2020.
func nearYear(y int) int {
	switch {
	case y < 70:
		return y + 2000
	case y < 100:
		return y + 1900
	case y < 520:
		return y + 2000
	case y < 1000:
		return y + 1000
	}
	return y
}

// resolve makes a date and a time of the fields, as the field that says most
// asks for, and checks their ranges.
func (c *scan) resolve() (Fields, error) {
	f := Fields{Year: 0, Month: 1, Day: 1, Precision: c.ff}
	hour, minute, sec := c.ssss/3600, c.ssss%3600/60, c.ssss%60
	for _, t := range []struct {
		from int
		to   *int
	}{{c.sec, &sec}, {c.min, &minute}, {c.hour, &hour}} {
		if t.from != 0 {
			*t.to = t.from
		}
	}
	if c.half {
		if hour < 1 || hour > 12 {
			return f, invalid("hour \"%d\" is invalid for the 12-hour clock", hour).
				WithHint("Use the 24-hour clock, or give an hour between 1 and 12.")
		}
		if hour %= 12; c.pm != 0 {
			hour += 12
		}
	}
	hasYear := c.resolveYear(&f)
	hasMonth, hasDay, err := c.resolveDay(&f)
	if err != nil {
		return f, err
	}
	all := hasMonth && hasDay && (hasYear || c.j != 0 || c.by == conventionISO && (c.ww != 0 || c.doy != 0))
	bad := errs.New(errs.DatetimeOverflow, "date/time field value out of range: \"%s\"", c.whole)
	switch {
	case hasMonth && (f.Month < 1 || f.Month > 12),
		hasDay && (f.Day < 1 || f.Day > 31),
		all && f.Day > monthDays(f.Year, f.Month):
		return f, bad
	}
	micros := c.ms*1000 + c.us
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 || sec < 0 || sec > 59 || micros < 0 || micros > 999_999 {
		return f, bad
	}
	f.Micros = int64((hour*60+minute)*60+sec)*1_000_000 + int64(micros)
	if c.tzsign != 0 {
		if c.tzh < 0 || c.tzh > 15 || c.tzm < 0 || c.tzm > 59 {
			return f, errs.New("22009", "time zone displacement out of range: \"%s\"", c.whole)
		}
		f.HasOffset, f.Offset = true, int64(c.tzsign*(c.tzh*60+c.tzm)*60)
	}
	return f, nil
}

// resolveYear takes the year, or the last two digits of a century, or the
// century's first year.
func (c *scan) resolveYear(f *Fields) bool {
	bc := c.era != 0
	if bc && c.cc != 0 && (c.year == 0 || c.yearDigits <= 2) {
		c.cc = -c.cc
	}
	switch {
	case c.year != 0 && c.cc != 0 && c.yearDigits <= 2:
		switch f.Year = c.year % 100; {
		case f.Year != 0 && c.cc >= 0:
			f.Year += (c.cc - 1) * 100
		case f.Year != 0:
			f.Year = (c.cc+1)*100 - f.Year + 1
		case c.cc >= 0:
			f.Year = c.cc * 100
		default:
			f.Year = c.cc*100 + 1
		}
	case c.year != 0:
		if f.Year = c.year; bc {
			f.Year = -f.Year
		}
		if f.Year < 0 {
			f.Year++
		}
	case c.cc != 0:
		if f.Year = c.cc*100 + 1; c.cc >= 0 {
			f.Year -= 100
		}
	default:
		return false
	}
	return true
}

// resolveDay takes the day from the Julian day, the week, or the month and day.
func (c *scan) resolveDay(f *Fields) (hasMonth, hasDay bool, err error) {
	if c.j != 0 {
		f.Year, f.Month, f.Day = fromJulian(c.j)
		hasMonth, hasDay = true, true
	}
	iso := c.by == conventionISO
	switch {
	case c.ww != 0 && iso:
		day := isoWeekStart(f.Year, c.ww)
		switch {
		case c.dow > 1:
			day += c.dow - 2
		case c.dow == 1:
			day += 6
		}
		f.Year, f.Month, f.Day = fromJulian(day)
		hasMonth, hasDay = true, true
	case c.ww != 0:
		c.doy = (c.ww-1)*7 + 1
	}
	if c.w != 0 {
		c.day = (c.w-1)*7 + 1
	}
	if c.day != 0 {
		f.Day, hasDay = c.day, true
	}
	if c.month != 0 {
		f.Month, hasMonth = c.month, true
	}
	if c.doy == 0 || f.Month > 1 && f.Day > 1 {
		return hasMonth, hasDay, nil
	}
	if f.Year == 0 && c.era == 0 {
		return false, false, invalid("cannot calculate day of year without year information")
	}
	if iso {
		f.Year, f.Month, f.Day = fromJulian(isoWeekStart(f.Year, 1) - 1 + c.doy)
		return true, true, nil
	}
	before, month := 0, 1
	for ; month <= 12 && c.doy > before+monthDays(f.Year, month); month++ {
		before += monthDays(f.Year, month)
	}
	if f.Month <= 1 {
		f.Month = month
	}
	if f.Day <= 1 {
		f.Day = c.doy - before
	}
	return true, true, nil
}

func monthDays(year, month int) int {
	return int(types.DaysFromCivil(year, month+1, 1) - types.DaysFromCivil(year, month, 1))
}
