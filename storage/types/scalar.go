package types

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"quern/storage/errs"
)

// chars is what parsers without allocation read.
type chars interface{ ~string | ~[]byte }

func isSpace(c byte) bool {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\v' || c == '\f'
}

const blanks = " \t\n\r\v\f"

// parseBool is boolin: any prefix of true, false, yes, no, and on, off, 1, 0.
func parseBool(s string) (v, ok bool) {
	s = strings.ToLower(strings.Trim(s, blanks))
	switch {
	case s == "":
		return false, false
	case s == "1", s == "on", strings.HasPrefix("true", s), strings.HasPrefix("yes", s):
		return true, true
	case s == "0", s == "of", s == "off", strings.HasPrefix("false", s), strings.HasPrefix("no", s):
		return false, true
	}
	return false, false
}

type intState uint8

const (
	intOK intState = iota
	intBad
	intRange
)

// parseInt reads a decimal integer with blanks around it.
func parseInt[S chars](s S) (int64, intState) {
	i, n := 0, len(s)
	for i < n && isSpace(s[i]) {
		i++
	}
	neg := false
	if i < n && (s[i] == '-' || s[i] == '+') {
		neg = s[i] == '-'
		i++
	}
	start, over := i, false
	var v uint64
	for ; i < n && s[i]-'0' <= 9; i++ {
		if v > (1<<63)/10 {
			over = true
		}
		v = v*10 + uint64(s[i]-'0')
		over = over || v > 1<<63
	}
	if i == start {
		return 0, intBad
	}
	for i < n && isSpace(s[i]) {
		i++
	}
	switch {
	case i < n:
		return 0, intBad
	case over || v == 1<<63 && !neg:
		return 0, intRange
	case neg:
		return -int64(v), intOK
	}
	return int64(v), intOK
}

func fitsInt(oid OID, v int64) bool {
	switch oid {
	case Int2OID:
		return v == int64(int16(v))
	case Int4OID:
		return v == int64(int32(v))
	}
	return true
}

func parseIntType(t Type, s string) (Datum, error) {
	v, st := parseInt(s)
	if st == intBad {
		return Datum{}, badText(t, s)
	}
	if st == intRange || !fitsInt(t.OID, v) {
		return Datum{}, outOfRange(t, s)
	}
	return Datum{I: v}, nil
}

func outOfRange(t Type, s string) error {
	return errs.New(errs.NumericOutOfRange, "value \"%s\" is out of range for type %s", s, baseName(t))
}

// parseOid is oidin; the reg* types accept names only through the catalog, but
// for regtype and '-'.
func parseOid(t Type, s string) (Datum, error) {
	if t.OID != OidOID && t.OID != XidOID && strings.Trim(s, blanks) == "-" {
		return Datum{}, nil
	}
	v, st := parseInt(s)
	switch {
	case st == intOK && v >= math.MinInt32 && v <= math.MaxUint32:
		return Datum{I: int64(uint32(v))}, nil
	case st != intBad:
		return Datum{}, outOfRange(Oid, s)
	case t.OID == RegtypeOID:
		typ, ok := ByName(strings.ToLower(strings.Trim(s, blanks)))
		if !ok {
			return Datum{}, errs.New(errs.UndefinedObject, "type \"%s\" does not exist", s)
		}
		return Datum{I: int64(typ.OID)}, nil
	}
	return Datum{}, badText(Oid, s)
}

// plainFloat tells whether ParseFloat's leniency (hex, underscores, words) is
// out of the question and b has no blanks.
func plainFloat(b []byte) bool {
	for _, c := range b {
		if c-'0' > 9 && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return false
		}
	}
	return true
}

func parseFloat(t Type, s string) (Datum, error) {
	bits := 64
	if t.OID == Float4OID {
		bits = 32
	}
	num := strings.Trim(s, blanks)
	if v, ok := floatWord(num); ok {
		return Datum{F: v}, nil
	}
	v, err := strconv.ParseFloat(num, bits)
	if err != nil && math.IsInf(v, 0) {
		return Datum{}, floatRange(t, num)
	}
	if err != nil || strings.ContainsAny(num, "_nN") || hasWordFloat(num) {
		return Datum{}, badText(t, s)
	}
	if v == 0 && nonZeroDigits(num) {
		return Datum{}, floatRange(t, num)
	}
	return Datum{F: v}, nil
}

func floatRange(t Type, num string) error {
	return errs.New(errs.NumericOutOfRange, "\"%s\" is out of range for type %s", num, baseName(t))
}

func hasWordFloat(s string) bool { return strings.ContainsAny(s, "iI") }

// nonZeroDigits tells whether the mantissa of a decimal number is not zero.
func nonZeroDigits(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c == 'e' || c == 'E':
			return false
		case c >= '1' && c <= '9':
			return true
		}
	}
	return false
}

func floatWord(s string) (float64, bool) {
	neg := false
	w := s
	if w != "" && (w[0] == '-' || w[0] == '+') {
		neg, w = w[0] == '-', w[1:]
	}
	switch strings.ToLower(w) {
	case "nan":
		return math.NaN(), true
	case "inf", "infinity":
		if neg {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	return 0, false
}

// appendFloat is float8out: the shortest form when extra > 0, otherwise %g with
// 15+extra (6+extra) digits. Exponents start below 1e-4 and from 1e15 (1e6).
func appendFloat(dst []byte, v float64, bits, extra int) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "NaN"...)
	case math.IsInf(v, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(v, -1):
		return append(dst, "-Infinity"...)
	case v == 0:
		if math.Signbit(v) {
			return append(dst, "-0"...)
		}
		return append(dst, '0')
	}
	digits := 15
	if bits == 32 {
		digits = 6
	}
	var buf [32]byte
	prec, top := -1, digits
	if extra <= 0 {
		top = max(1, digits+extra)
		prec = top - 1
	}
	e := strconv.AppendFloat(buf[:0], v, 'e', prec, bits)
	return layoutFloat(dst, e, top, extra <= 0)
}

// layoutFloat lays out d.ddde±xx as C's %g does: fixed if -4 ≤ exponent < top.
func layoutFloat(dst, e []byte, top int, trim bool) []byte {
	i := len(e) - 1
	for e[i] != 'e' {
		i--
	}
	exp, _ := parseInt(e[i+1:])
	m := e[:i]
	if m[0] == '-' {
		dst = append(dst, '-')
		m = m[1:]
	}
	var buf [32]byte
	d := append(buf[:0], m[0])
	if len(m) > 2 {
		d = append(d, m[2:]...)
	}
	if trim {
		for len(d) > 1 && d[len(d)-1] == '0' {
			d = d[:len(d)-1]
		}
	}
	x := int(exp)
	switch {
	case x < -4 || x >= top:
		dst = append(dst, d[0])
		if len(d) > 1 {
			dst = append(append(dst, '.'), d[1:]...)
		}
		dst = append(dst, 'e', '+')
		if x < 0 {
			dst[len(dst)-1] = '-'
			x = -x
		}
		if x < 10 {
			dst = append(dst, '0')
		}
		return strconv.AppendInt(dst, int64(x), 10)
	case x < 0:
		dst = append(dst, '0', '.')
		for range -x - 1 {
			dst = append(dst, '0')
		}
		return append(dst, d...)
	case x+1 >= len(d):
		dst = append(dst, d...)
		for range x + 1 - len(d) {
			dst = append(dst, '0')
		}
		return dst
	}
	dst = append(append(dst, d[:x+1]...), '.')
	return append(dst, d[x+1:]...)
}

func parseBytea(s string) (Datum, error) {
	if strings.HasPrefix(s, `\x`) {
		return parseHex(s[2:])
	}
	if !strings.Contains(s, `\`) {
		return Datum{S: s}, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		switch {
		case s[i] != '\\':
			out = append(out, s[i])
			i++
		case i+1 < len(s) && s[i+1] == '\\':
			out = append(out, '\\')
			i += 2
		case i+3 < len(s) && s[i+1]-'0' <= 3 && s[i+2]-'0' <= 7 && s[i+3]-'0' <= 7:
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 4
		default:
			return Datum{}, errs.New(errs.InvalidText, "invalid input syntax for type bytea")
		}
	}
	return Datum{S: string(out)}, nil
}

// parseHex reads hex digits; blanks may stand between pairs.
func parseHex(s string) (Datum, error) {
	out := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); {
		if isSpace(s[i]) && s[i] != '\v' && s[i] != '\f' {
			i++
			continue
		}
		hi, ok := hexDigit(s[i])
		if !ok {
			return Datum{}, badHex(s[i:])
		}
		if i+1 >= len(s) {
			return Datum{}, errs.New(errs.InvalidParameterValue, "invalid hexadecimal data: odd number of digits")
		}
		lo, ok := hexDigit(s[i+1])
		if !ok {
			return Datum{}, badHex(s[i+1:])
		}
		out = append(out, hi<<4|lo)
		i += 2
	}
	return Datum{S: string(out)}, nil
}

func badHex(s string) error {
	r := []rune(s)
	return errs.New(errs.InvalidParameterValue, "invalid hexadecimal digit: \"%s\"", string(r[:1]))
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c-'0' <= 9:
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

func appendBytea(dst []byte, s string, escape bool) []byte {
	if !escape {
		dst = append(dst, `\x`...)
		n := len(dst)
		dst = append(dst, make([]byte, 2*len(s))...)
		hex.Encode(dst[n:], []byte(s))
		return dst
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			dst = append(dst, `\\`...)
		case c < 0x20 || c > 0x7E:
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// parseUUID is uuid_in: 32 hex digits, a hyphen allowed after every fourth,
// braces around the whole allowed.
func parseUUID(s string) (u [16]byte, ok bool) {
	if strings.HasPrefix(s, "{") {
		if !strings.HasSuffix(s, "}") || len(s) < 2 {
			return u, false
		}
		s = s[1 : len(s)-1]
	}
	for i := range u {
		if len(s) < 2 {
			return u, false
		}
		hi, ok1 := hexDigit(s[0])
		lo, ok2 := hexDigit(s[1])
		if !ok1 || !ok2 {
			return u, false
		}
		u[i], s = hi<<4|lo, s[2:]
		if i%2 == 1 && i < 15 && s != "" && s[0] == '-' {
			s = s[1:]
		}
	}
	return u, s == ""
}

func appendUUID(dst []byte, u [16]byte) []byte {
	const digits = "0123456789abcdef"
	for i, c := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[c>>4], digits[c&15])
	}
	return dst
}
