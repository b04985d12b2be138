package types

import (
	"math"
	"strings"
	"time"

	"quern/storage/types/zones"
)

// dtParser collects the fields of a date, time or timestamp. It accepts what
// PostgreSQL's DecodeDateTime does for the usual forms: ISO 8601, numbers in
// the order of DateStyle, month names, eras, am/pm, zones and special words.
type dtParser struct {
	f    *Format
	want OID

	days     int64
	micros   int64
	offset   int64 // seconds east
	loc      *time.Location
	infinite int
	zoneName string

	hasDate, hasTime, hasZone bool

	// Parts of a date not yet assembled.
	year, month, day    int
	hasY, hasM, hasD    bool
	twoDigit, bc, words bool
	dayOfYear           bool // day counts from January 1
	pm                  int  // 1 = am, 2 = pm
	textMonth           bool
}

// token is a run of characters of one kind.
type token struct {
	kind byte // 'n' number, 'd' date with separators, 't' time, 'w' word, 'z' signed offset
	s    string
}

func isDigit(c byte) bool { return c-'0' <= 9 }
func isAlpha(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isPunct(c byte) bool { return c > ' ' && c < 0x7f && !isDigit(c) && !isAlpha(c) }

// tokens splits s; ok is false for characters that no form has.
func dtTokens(s string) (ts []token, ok bool) {
	for i := 0; i < len(s); {
		c := s[i]
		start := i
		switch {
		case isSpace(c):
			i++
			continue
		case isDigit(c):
			i++
			for i < len(s) && isDigit(s[i]) {
				i++
			}
			kind := byte('n')
			if i < len(s) {
				switch c := s[i]; {
				case c == ':':
					kind = 't'
					for i < len(s) && (isDigit(s[i]) || s[i] == ':' || s[i] == '.') {
						i++
					}
				case c == '-' || c == '/' || c == '.':
					i, kind = dateToken(s, i)
				}
			}
			ts = append(ts, token{kind, s[start:i]})
		case isAlpha(c):
			if isMonthAt(s, i) && monthDate(s, i) { // Jan-08-1999
				i = monthToken(s, i)
				ts = append(ts, token{'d', s[start:i]})
				continue
			}
			i = wordEnd(s, i)
			ts = append(ts, token{'w', strings.ToLower(s[start:i])})
		case (c == '+' || c == '-') && i+1 < len(s) && isDigit(s[i+1]):
			i++
			for i < len(s) && (isDigit(s[i]) || s[i] == ':' || s[i] == '.' || s[i] == '-') {
				i++
			}
			ts = append(ts, token{'z', s[start:i]})
		case (c == '+' || c == '-') && i+1 < len(s) && isAlpha(s[i+1]):
			i = wordEnd(s, i+1)
			ts = append(ts, token{'w', strings.ToLower(s[start:i])})
		case isPunct(c) && c != '+' && c != '-' && c != '.':
			i++ // parts fields, as in "44-03-15 (BC)"
			continue
		default:
			return nil, false
		}
		if len(ts) > 25 {
			return nil, false
		}
	}
	return ts, len(ts) > 0
}

// wordEnd ends a word; a zone name holds slashes, underscores, signs and
// digits, a word that has a meaning of its own does not.
func wordEnd(s string, i int) int {
	start := i
	for i < len(s) && isAlpha(s[i]) {
		i++
	}
	if i == len(s) || isDateWord(strings.ToLower(s[start:i])) && strings.IndexByte("/-.", s[i]) < 0 {
		return i
	}
	if isDigit(s[i]) || s[i] == '/' || s[i] == '_' || (s[i] == '+' || s[i] == '-') && i+1 < len(s) && isDigit(s[i+1]) {
		for i < len(s) && (isAlpha(s[i]) || isDigit(s[i]) || strings.IndexByte("/_-+", s[i]) >= 0) {
			i++
		}
	}
	return i
}

// isDateWord tells whether a word is something else than a zone.
func isDateWord(w string) bool {
	switch w {
	case "am", "pm", "bc", "ad", "t", "j", "at", "on", "now", "today", "tomorrow", "yesterday", "epoch", "infinity", "allballs":
		return true
	}
	_, month := monthByName(w)
	return month || isWeekday(w)
}

// monthDate tells whether a month name at i begins a date with separators.
func monthDate(s string, i int) bool {
	for i < len(s) && isAlpha(s[i]) {
		i++
	}
	return i+1 < len(s) && strings.IndexByte("-/.", s[i]) >= 0 && isDigit(s[i+1])
}

// dateToken reads on from the first separator of a date that began with
// digits: a month in digits is followed by digits only, one in letters by
// letters and digits; the second separator equals the first.
func dateToken(s string, i int) (end int, kind byte) {
	sep := s[i]
	j := i + 1
	if j == len(s) || !isDigit(s[j]) {
		for j < len(s) && (isDigit(s[j]) || isAlpha(s[j]) || s[j] == sep) {
			j++
		}
		return j, 'd'
	}
	for j < len(s) && isDigit(s[j]) {
		j++
	}
	if j < len(s) && s[j] == sep {
		for j < len(s) && (isDigit(s[j]) || s[j] == sep) {
			j++
		}
		return j, 'd'
	}
	if sep == '.' {
		return j, 'n'
	}
	return j, 'd'
}

// monthToken ends a date that begins with the name of a month.
func monthToken(s string, i int) int {
	for i < len(s) && (isAlpha(s[i]) || isDigit(s[i]) || strings.IndexByte("-/.", s[i]) >= 0) {
		i++
	}
	return i
}

func isMonthAt(s string, i int) bool {
	if i+3 > len(s) || !isAlpha(s[i]) || i > 0 && isAlpha(s[i-1]) {
		return false
	}
	_, ok := monthByName(strings.ToLower(s[i : i+3]))
	return ok
}

func monthByName(w string) (int, bool) {
	if w == "sept" {
		return 9, true
	}
	for i, full := range [...]string{"january", "february", "march", "april", "may", "june", "july", "august",
		"september", "october", "november", "december"} {
		if w == full || w == full[:3] {
			return i + 1, true
		}
	}
	return 0, false
}

func isWeekday(w string) bool {
	switch w {
	case "sun", "sunday", "mon", "monday", "tue", "tues", "tuesday", "wed", "weds", "wednesday",
		"thu", "thur", "thurs", "thursday", "fri", "friday", "sat", "saturday":
		return true
	}
	return false
}

func (p *dtParser) parse(s string) dtProblem {
	ts, ok := dtTokens(s)
	if !ok {
		return dtBad
	}
	for i := range ts {
		// A number right after T or before a zone may be a time without colons.
		var st dtProblem
		switch t := ts[i]; t.kind {
		case 'w':
			st = p.word(t.s)
		case 't':
			st = p.clock(t.s)
		case 'd':
			if cut := strings.IndexByte(t.s, '-'); cut >= 0 && isDigit(t.s[0]) && (p.dateKnown() || i > 0 && ts[i-1].s == "t") {
				if st = p.displacement(t.s[cut:]); st == dtOK { // 101112-05
					st = p.number(t.s[:cut], true)
				}
				break
			}
			if p.timeOnly() && (i > 0 || len(ts) < 2 || ts[1].kind != 't' && ts[len(ts)-1].kind != 'd') {
				return dtBad // a date before a time of day stands directly before it
			}
			st = p.date(t.s)
		case 'z':
			st = p.displacement(t.s)
		case 'n':
			if i > 0 && ts[i-1].kind == 'w' && ts[i-1].s == "j" {
				st = p.julian(t.s)
				break
			}
			st = p.number(t.s, i > 0 && ts[i-1].kind == 'w' && ts[i-1].s == "t")
		}
		if st != dtOK {
			return st
		}
	}
	return p.assemble()
}

// word handles month names, eras, zones and special values.
func (p *dtParser) word(w string) dtProblem {
	if m, ok := monthByName(w); ok {
		if p.textMonth {
			return dtBad
		}
		if p.hasM && !p.hasD { // "8 January": the number before was the day
			p.day, p.hasD = p.month, true
		} else if p.hasM {
			return dtBad
		}
		p.month, p.hasM, p.textMonth = m, true, true
		return dtOK
	}
	switch w {
	case "t", "j", "at", "on":
		return dtOK
	case "am", "pm":
		if p.pm != 0 {
			return dtBad
		}
		p.pm = 1
		if w == "pm" {
			p.pm = 2
		}
		return dtOK
	case "bc", "ad":
		p.bc = w == "bc"
		return dtOK
	case "infinity", "-infinity":
		p.infinite = 1
		if w[0] == '-' {
			p.infinite = -1
		}
		return dtOK
	case "allballs":
		p.hasTime, p.micros, p.hasZone, p.offset = true, 0, true, 0
		return dtOK
	case "epoch":
		p.days, p.micros, p.hasDate, p.hasTime, p.words = 0, 0, true, true, true
		p.hasZone, p.offset = true, 0
		return dtOK
	case "now", "today", "tomorrow", "yesterday":
		p.special(w)
		return dtOK
	}
	if isWeekday(w) {
		return dtOK
	}
	return p.zone(w)
}

// julian is the day count after J.
func (p *dtParser) julian(s string) dtProblem {
	v, st := parseInt(s)
	if st != intOK || p.hasDate || v > math.MaxInt32 {
		return dtBad
	}
	p.days, p.hasDate, p.words = v-julian1970, true, true
	return dtOK
}

// julian1970 is the Julian day of 1970-01-01.
const julian1970 = 2440588

func (p *dtParser) special(w string) {
	z := NewZone(p.f)
	days, micros := SplitTimestamp(z.Local(p.f.Now))
	p.days, p.hasDate, p.words = days, true, true
	switch w {
	case "now":
		p.micros, p.hasTime = micros, true
		if p.want == TimestamptzOID {
			p.hasZone, p.offset = true, z.Offset(p.f.Now)
		}
	case "tomorrow":
		p.days++
	case "yesterday":
		p.days--
	}
}

func (p *dtParser) zone(w string) dtProblem {
	if p.hasZone || p.loc != nil {
		return dtBad
	}
	if off, ok := posixZone(w); ok {
		p.hasZone, p.offset = true, off
		return dtOK
	}
	loc := zones.ByName(w)
	if loc == nil {
		if strings.ContainsAny(w, "/_+-") {
			p.zoneName = w
			return dtNoZone
		}
		return dtBad
	}
	if loc == time.UTC {
		p.hasZone, p.offset = true, 0
		return dtOK
	}
	if off, ok := zones.Abbrevs[strings.ToUpper(w)]; ok {
		p.hasZone, p.offset = true, int64(off)
		return dtOK
	}
	p.loc = loc
	return dtOK
}

// posixZone reads UTC+3, which is three hours west.
func posixZone(w string) (off int64, ok bool) {
	i := strings.IndexAny(w, "+-")
	if i < 3 || strings.ContainsAny(w[:i], "/_") {
		return 0, false
	}
	h, st := parseInt(w[i:])
	return -h * 3600, st == intOK && h >= -24 && h <= 24
}

// displacement is ±hh[[:]mm[:ss]].
func (p *dtParser) displacement(s string) dtProblem {
	if p.hasZone {
		return dtBad
	}
	var parts [3]int64 // hours, minutes, seconds
	rest, n := s[1:], 0
	for {
		end := 0
		for end < len(rest) && isDigit(rest[end]) {
			end++
		}
		v, st := parseInt("0" + rest[:end])
		if st != intOK || v > math.MaxInt32 {
			return dtZone
		}
		parts[n], rest = v, rest[end:]
		n++
		if n == len(parts) || rest == "" || rest[0] != ':' {
			break
		}
		rest = rest[1:]
	}
	if n == 1 && rest == "" && len(s) > 3 {
		parts[0], parts[1] = parts[0]/100, parts[0]%100
	}
	if parts[0] > 15 || parts[1] > 59 || parts[2] > 59 {
		return dtZone
	}
	if rest != "" {
		return dtBad
	}
	p.offset = parts[0]*3600 + parts[1]*60 + parts[2]
	if s[0] == '-' {
		p.offset = -p.offset
	}
	p.hasZone = true
	return dtOK
}

// clock is hh:mm[:ss[.ffffff]].
func (p *dtParser) clock(s string) dtProblem {
	if p.hasTime {
		return dtBad
	}
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return dtBad
	}
	h, st1 := parseInt(parts[0])
	sec, frac := "0", ""
	mtext := parts[1]
	if len(parts) == 3 {
		sec = parts[2]
	} else if i := strings.IndexByte(mtext, '.'); i >= 0 {
		// mm:ss.ff is what PostgreSQL takes two fields with a fraction for.
		p.setTime(0, 0, 0, 0)
		return p.minutesSeconds(h, mtext)
	}
	if i := strings.IndexByte(sec, '.'); i >= 0 {
		sec, frac = sec[:i], sec[i+1:]
		if sec == "" {
			sec = "0"
		}
	}
	m, st2 := parseInt("0" + mtext) // "11:" is eleven o'clock
	x, st3 := parseInt("0" + sec)
	us, ok := fraction(frac)
	if st1 != intOK || st2 != intOK || st3 != intOK || !ok {
		return dtBad
	}
	return p.setTime(h, m, x, us)
}

func (p *dtParser) minutesSeconds(m int64, s string) dtProblem {
	i := strings.IndexByte(s, '.')
	x, st := parseInt(s[:i])
	us, ok := fraction(s[i+1:])
	if st != intOK || !ok {
		return dtBad
	}
	return p.setTime(0, m, x, us)
}

func (p *dtParser) setTime(h, m, s, us int64) dtProblem {
	if h > 24 || m > 59 || s > 60 || h == 24 && (m != 0 || s != 0 || us != 0) {
		return dtField
	}
	p.micros = h*microsPerHour + m*microsPerMinute + s*microsPerSecond + us
	p.hasTime = true
	return dtOK
}

// fraction rounds decimal digits to µs, half to even.
func fraction(s string) (int64, bool) {
	var us int64
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		if i < 6 {
			us = us*10 + int64(s[i]-'0')
		}
	}
	for i := len(s); i < 6; i++ {
		us *= 10
	}
	if len(s) > 6 {
		switch rest := strings.TrimRight(s[6:], "0"); {
		case rest == "5":
			us += us & 1
		case rest >= "5":
			us++
		}
	}
	return us, true
}

// date is a token with separators: 2024-06-01, 1/8/1999, 8-Jan-1999, 2024.155.
func (p *dtParser) date(s string) dtProblem {
	if p.hasDate || p.hasY {
		return dtBad
	}
	sep := "-"
	for _, c := range "-/." {
		if strings.ContainsRune(s, c) {
			sep = string(c)
			break
		}
	}
	parts := strings.Split(strings.TrimSuffix(s, sep), sep)
	if len(parts) != 3 {
		if len(parts) == 2 && p.textMonth {
			return p.numbers(parts)
		}
		return dtBad
	}
	for i, part := range parts {
		if m, ok := monthByName(strings.ToLower(part)); ok {
			if p.hasM {
				return dtBad
			}
			p.month, p.hasM, p.textMonth = m, true, true
			parts = append(parts[:i:i], parts[i+1:]...)
			break
		}
	}
	return p.numbers(parts)
}

// numbers gives the numeric parts of one date their meaning.
func (p *dtParser) numbers(parts []string) dtProblem {
	for _, s := range parts {
		if st := p.datePart(s); st != dtOK {
			return st
		}
	}
	return dtOK
}

func (p *dtParser) dateKnown() bool { return p.hasDate || p.hasY && p.hasM && p.hasD }
func (p *dtParser) timeOnly() bool  { return p.want == TimeOID || p.want == TimetzOID }

// datePart places one number: a long one is the year, the others follow
// DateStyle's order.
func (p *dtParser) datePart(s string) dtProblem {
	v64, st := parseInt(s)
	if st == intRange || st == intOK && v64 > math.MaxInt32 {
		return dtField
	}
	if st != intOK || s == "" || !isDigit(s[0]) {
		return dtBad
	}
	v := int(v64)
	setYear := func() dtProblem {
		if p.hasY {
			return dtBad
		}
		p.year, p.hasY, p.twoDigit = v, true, len(s) <= 2
		return dtOK
	}
	setDay := func() dtProblem { p.day, p.hasD = v, true; return dtOK }
	setMonth := func() dtProblem { p.month, p.hasM = v, true; return dtOK }
	if len(s) == 3 && p.hasY && !p.hasM && !p.hasD { // day of the year
		p.month, p.hasM, p.day, p.hasD, p.dayOfYear = 1, true, v, true, true
		if v < 1 || v > 366 {
			return dtField
		}
		return dtOK
	}
	if len(s) > 2 {
		return setYear()
	}
	order := p.f.DateOrder
	switch {
	case p.hasY && !p.hasM:
		return setMonth()
	case p.hasY && !p.hasD:
		return setDay()
	case p.textMonth && !p.hasD && !(order == OrderYMD && !p.hasY):
		return setDay()
	case p.textMonth && !p.hasY:
		return setYear()
	case order == OrderYMD && !p.hasY:
		return setYear()
	case order == OrderDMY && !p.hasD:
		return setDay()
	case !p.hasM:
		return setMonth()
	case !p.hasD:
		return setDay()
	}
	return setYear()
}

// number is a token of digits (with one point): 20240601, 240601, 120000 after
// T, a year, a day, 2024.155.
func (p *dtParser) number(s string, afterT bool) dtProblem {
	whole, frac, hasFrac := strings.Cut(s, ".")
	if hasFrac && len(whole) == 4 && len(frac) == 3 && !p.hasDate && !p.hasY {
		return p.numbers([]string{whole, frac})
	}
	dateKnown := p.dateKnown()
	timeOnly := p.timeOnly() && !p.hasY && !p.hasM
	if (afterT || dateKnown || timeOnly) && !p.hasTime && (len(whole) == 6 || len(whole) == 4 || len(whole) == 2 && afterT) {
		h, m, x := num2(whole, 0), 0, 0
		if len(whole) >= 4 {
			m = num2(whole, 2)
		}
		if len(whole) == 6 {
			x = num2(whole, 4)
		}
		us, ok := fraction(frac)
		if !ok || hasFrac && len(whole) < 6 {
			return dtBad
		}
		return p.setTime(int64(h), int64(m), int64(x), us)
	}
	if hasFrac {
		return dtBad
	}
	if !dateKnown && !p.hasM && (len(whole) == 8 || len(whole) == 6) {
		n := len(whole)
		p.hasY, p.hasM, p.hasD = true, true, true
		y, _ := parseInt(whole[:n-4])
		p.year, p.month, p.day = int(y), num2(whole, n-4), num2(whole, n-2)
		p.twoDigit = n == 6
		return dtOK
	}
	if len(whole) > 8 {
		return dtField
	}
	return p.datePart(whole)
}

// assemble checks the fields against each other and makes days and micros.
func (p *dtParser) assemble() dtProblem {
	if p.infinite != 0 {
		if p.hasDate || p.hasTime || p.hasY || p.hasM {
			return dtBad
		}
		return dtOK
	}
	if p.pm != 0 {
		h := p.micros / microsPerHour
		if !p.hasTime || h > 12 || h == 0 {
			if h > 12 {
				return dtField
			}
			if !p.hasTime {
				return dtBad
			}
		}
		if p.pm == 1 && h == 12 {
			p.micros -= 12 * microsPerHour
		} else if p.pm == 2 && h < 12 {
			p.micros += 12 * microsPerHour
		}
	}
	if p.words || !(p.hasY || p.hasM || p.hasD) {
		return dtOK
	}
	if !p.hasY || !p.hasM || !p.hasD {
		return dtBad
	}
	if p.twoDigit && !p.bc {
		if p.year < 70 {
			p.year += 2000
		} else {
			p.year += 1900
		}
	}
	if p.year == 0 {
		return dtField
	}
	if p.bc {
		p.year = 1 - p.year
	}
	switch {
	case p.dayOfYear:
	case p.month < 1 || p.month > 12 || p.day < 1 || p.day > 31:
		return dtMonth
	case p.day > daysInMonth(p.year, p.month):
		return dtField
	}
	p.days, p.hasDate = DaysFromCivil(p.year, p.month, p.day), true
	if p.days < dateMin {
		return dtOverall
	}
	return dtOK
}
