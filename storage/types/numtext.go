package types

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"quern/storage/errs"
)

// ParseNum is numeric_in without a modifier.
func ParseNum(s string) (Num, error) {
	n, st := parseNum(s)
	switch st {
	case intOK:
		return n, nil
	case intRange:
		return Num{}, errNumRange()
	}
	w := strings.ToLower(strings.Trim(s, blanks))
	neg := strings.HasPrefix(w, "-")
	switch strings.TrimLeft(w, "+-") {
	case "nan":
		if w == "nan" {
			return NumNaNValue, nil
		}
	case "inf", "infinity":
		if len(w)-len(strings.TrimLeft(w, "+-")) > 1 {
			break
		}
		if neg {
			return NumNegInfin, nil
		}
		return NumInfinity, nil
	}
	return Num{}, badText(Numeric, s)
}

// parseNum reads a decimal number with optional fraction and exponent.
func parseNum[S chars](s S) (Num, intState) {
	i, n := 0, len(s)
	for i < n && isSpace(s[i]) {
		i++
	}
	neg := false
	if i < n && (s[i] == '-' || s[i] == '+') {
		neg = s[i] == '-'
		i++
	}
	var a u128
	digits, scale, point, over := 0, 0, false, false
	for ; i < n; i++ {
		c := s[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c-'0' > 9 {
			break
		}
		digits++
		if point {
			scale++
		}
		over = !a.push(c-'0') || over
	}
	if digits == 0 {
		return Num{}, intBad
	}
	if i < n && s[i]|0x20 == 'e' {
		e, next, ok := parseExponent(s, i+1)
		if !ok {
			return Num{}, intBad
		}
		i, scale = next, scale-e
	}
	for i < n && isSpace(s[i]) {
		i++
	}
	if i < n {
		return Num{}, intBad
	}
	if scale < 0 {
		var ok bool
		a, ok = a.scaleUp(-scale)
		over, scale = over || !ok, 0
	}
	if over || scale > 16383 {
		return Num{}, intRange
	}
	r, err := makeNum(neg, a, scale)
	if err != nil {
		return Num{}, intRange
	}
	return r, intOK
}

// push appends a decimal digit; false if it does not fit.
func (a *u128) push(d byte) bool {
	m, ok := a.mul64(10)
	lo, c := bits.Add64(m.lo, uint64(d), 0)
	hi, over := bits.Add64(m.hi, 0, c)
	*a = u128{hi, lo}
	return ok && over == 0 && hi>>63 == 0
}

func parseExponent[S chars](s S, i int) (e, next int, ok bool) {
	neg := false
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		neg = s[i] == '-'
		i++
	}
	start := i
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		e = min(e*10+int(s[i]-'0'), 1<<20)
	}
	if neg {
		e = -e
	}
	return e, i, i > start
}

// AppendText is numeric_out: all decimals of the scale, never an exponent.
func (n Num) AppendText(dst []byte) []byte {
	switch n.Kind {
	case NumNaN:
		return append(dst, "NaN"...)
	case NumPosInf:
		return append(dst, "Infinity"...)
	case NumNegInf:
		return append(dst, "-Infinity"...)
	}
	a := n.abs()
	if n.Hi < 0 {
		dst = append(dst, '-')
	}
	var buf [40]byte
	d := a.appendDigits(buf[:0])
	s := int(n.Scale)
	if s <= 0 {
		return append(dst, d...)
	}
	if len(d) <= s {
		dst = append(dst, '0', '.')
		for range s - len(d) {
			dst = append(dst, '0')
		}
		return append(dst, d...)
	}
	dst = append(dst, d[:len(d)-s]...)
	dst = append(dst, '.')
	return append(dst, d[len(d)-s:]...)
}

func (a u128) appendDigits(dst []byte) []byte {
	if a.hi == 0 {
		return strconv.AppendUint(dst, a.lo, 10)
	}
	q, r := a.div64(1e19)
	dst = q.appendDigits(dst)
	var buf [20]byte
	low := strconv.AppendUint(buf[:0], r, 10)
	for range 19 - len(low) {
		dst = append(dst, '0')
	}
	return append(dst, low...)
}

func (n Num) String() string { return string(n.AppendText(nil)) }

// pow10f holds the powers of ten that float64 represents exactly.
var pow10f = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// Float64 is the nearest float64.
func (n Num) Float64() float64 {
	switch n.Kind {
	case NumNaN:
		return math.NaN()
	case NumPosInf:
		return math.Inf(1)
	case NumNegInf:
		return math.Inf(-1)
	}
	a := n.abs()
	if a.hi == 0 && a.lo < 1<<53 && int(n.Scale) < len(pow10f) {
		f := float64(a.lo) / pow10f[n.Scale]
		if n.Hi < 0 {
			return -f
		}
		return f
	}
	var buf [64]byte
	f, _ := strconv.ParseFloat(string(n.AppendText(buf[:0])), 64)
	return f
}

// NumFromFloat is float8_numeric (bits 64: 15 digits) or float4_numeric (6).
func NumFromFloat(f float64, bits int) (Num, error) {
	switch {
	case math.IsNaN(f):
		return NumNaNValue, nil
	case math.IsInf(f, 1):
		return NumInfinity, nil
	case math.IsInf(f, -1):
		return NumNegInfin, nil
	}
	digits := 15
	if bits == 32 {
		digits = 6
	}
	var buf [32]byte
	n, st := parseNum(appendG(buf[:0], f, digits))
	if st != intOK {
		return Num{}, errNumRange()
	}
	return n, nil
}

// appendG is C's %.*g: digits significant digits, no trailing zeros.
func appendG(dst []byte, f float64, digits int) []byte {
	if f == 0 {
		return append(dst, '0')
	}
	var buf [32]byte
	return layoutFloat(dst, strconv.AppendFloat(buf[:0], f, 'e', digits-1, 64), digits, true)
}

// Int64 rounds n to an integer of type t (int2, int4, int8). Out of range is
// 22003.
func (n Num) Int64(t Type) (int64, error) {
	if n.Kind == NumNaN {
		return 0, errs.New(errs.FeatureNotSupported, "cannot convert NaN to %s", baseName(t))
	}
	if n.Kind != NumFinite {
		return 0, errs.New(errs.FeatureNotSupported, "cannot convert infinity to %s", baseName(t))
	}
	r := n
	if n.Scale != 0 {
		var err error
		if r, err = n.Round(0); err != nil {
			return 0, err
		}
	}
	v := int64(r.Lo)
	if r.Hi != v>>63 || !fitsInt(t.OID, v) {
		return 0, IntRange(t)
	}
	return v, nil
}

// IntRange is 22003 for a result that type t cannot hold: `integer out of range`.
func IntRange(t Type) error {
	return errs.New(errs.NumericOutOfRange, "%s out of range", baseName(t))
}
