package picture

import (
	"math"
	"strconv"
	"strings"

	"quern/storage/errs"
	"quern/storage/types"
)

// value is a number ready to be shown: its digits without sign, rounded to the
// places that the template has.
type value struct {
	digits  string
	sign    byte // '+', '-', 0 with Roman numbers
	pre     int  // digit places, with those of V
	post    int
	padding int // places that no digit fills
}

// AppendNumeric is to_char of a numeric.
func (p *Number) AppendNumeric(dst []byte, n types.Num) ([]byte, error) {
	switch {
	case p.empty:
		return dst, nil
	case p.roman:
		r, err := n.Round(0)
		if err != nil {
			return dst, err
		}
		v, err := r.Int64(types.Int4)
		if err != nil {
			return dst, err
		}
		return p.appendRoman(dst, v)
	case p.scientific:
		return p.appendExponent(dst, n), nil
	}
	text := n.String()
	if n.Kind == types.NumFinite {
		text = roundText(shiftText(text, p.multi), p.post)
	}
	return p.append(dst, p.value(text, p.pre+p.multi, p.post))
}

// AppendInt4 is to_char of an int4.
func (p *Number) AppendInt4(dst []byte, n int32) ([]byte, error) {
	return p.appendInt(dst, int64(n), math.MaxInt32)
}

// AppendInt8 is to_char of an int8.
func (p *Number) AppendInt8(dst []byte, n int64) ([]byte, error) {
	return p.appendInt(dst, n, math.MaxInt64)
}

// AppendFloat4 is to_char of a float4.
func (p *Number) AppendFloat4(dst []byte, f float32) ([]byte, error) {
	return p.appendFloat(dst, float64(f), 32)
}

// AppendFloat8 is to_char of a float8.
func (p *Number) AppendFloat8(dst []byte, f float64) ([]byte, error) {
	return p.appendFloat(dst, f, 64)
}

// appendInt shows an integer; limit is the largest of its type.
func (p *Number) appendInt(dst []byte, n, limit int64) ([]byte, error) {
	name, small := "bigint", limit == math.MaxInt32
	if small {
		name = "integer"
	}
	switch {
	case p.empty:
		return dst, nil
	case p.roman:
		if n > math.MaxInt32 || n < math.MinInt32 {
			return dst, errs.New(errs.NumericOutOfRange, "integer out of range")
		}
		return p.appendRoman(dst, n)
	case p.scientific && small:
		return append(dst, exponentText(float64(n), p.post)...), nil
	case p.scientific:
		return p.appendExponent(dst, types.NumFromInt(n)), nil
	}
	for range p.multi {
		if n > limit/10 || n < -limit/10 {
			return dst, errs.New(errs.NumericOutOfRange, "%s out of range", name)
		}
		n *= 10
	}
	text := strconv.FormatInt(n, 10)
	if p.post > 0 {
		text += "." + strings.Repeat("0", p.post)
	}
	return p.append(dst, p.value(text, p.pre+p.multi, p.post))
}

// appendFloat shows a float with bits 32 or 64: no more digits than it surely has.
func (p *Number) appendFloat(dst []byte, f float64, bits int) ([]byte, error) {
	digits := 15
	if bits == 32 {
		digits = 6
	}
	switch {
	case p.empty:
		return dst, nil
	case p.roman:
		if f = math.RoundToEven(f); !(f >= 0 && f <= 4000) {
			f = 0 // shown as ###############
		}
		return p.appendRoman(dst, int64(f))
	case p.scientific && (f != f || math.IsInf(f, 0)):
		return p.appendExponent(dst, types.Num{Kind: types.NumNaN}), nil
	case p.scientific:
		return append(dst, exponentText(f, p.post)...), nil
	}
	if p.multi > 0 {
		if f *= math.Pow10(p.multi); bits == 32 {
			f = float64(float32(f))
		}
	}
	post := p.post
	switch whole := len(fixedText(math.Abs(f), 0)); {
	case whole >= digits:
		post = 0
	case whole+post > digits:
		post = digits - whole
	}
	return p.append(dst, p.value(fixedText(f, post), p.pre+p.multi, post))
}

func fixedText(f float64, post int) string {
	switch {
	case f != f:
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'f', post, 64)
}

func exponentText(f float64, post int) string {
	s := strconv.FormatFloat(f, 'e', post, 64)
	if s[0] != '-' {
		s = " " + s
	}
	return s
}

// value sees how text fits into the template's places; # stands for what does not.
func (p *Number) value(text string, pre, post int) *value {
	v := &value{sign: '+', digits: text, pre: pre, post: post}
	if text[0] == '-' {
		v.sign, v.digits = '-', text[1:]
	}
	whole, _, _ := strings.Cut(v.digits, ".")
	switch {
	case len(whole) < pre:
		v.padding = pre - len(whole)
	case len(whole) > pre:
		v.digits = strings.Repeat("#", pre) + "." + strings.Repeat("#", post)
	}
	return v
}

// appendExponent is the template 9.99EEEE of a numeric: its exponent is chosen
// before the digits are rounded, so that 9.99 may become 10.0e+00.
func (p *Number) appendExponent(dst []byte, n types.Num) []byte {
	if n.Kind != types.NumFinite {
		return append(dst, " "+strings.Repeat("#", p.pre)+"."+strings.Repeat("#", p.post+4)...)
	}
	digits, exp := n.Abs().String(), 0
	if whole, frac, ok := strings.Cut(digits, "."); ok {
		digits, exp = whole+frac, len(whole)-1
	} else {
		exp = len(whole) - 1
	}
	trimmed := strings.TrimLeft(digits, "0")
	if exp -= len(digits) - len(trimmed); trimmed == "" {
		trimmed, exp = "0", 0
	}
	text := roundText(trimmed[:1]+"."+trimmed[1:], p.post)
	switch {
	case n.Sign() < 0 && strings.Trim(text, "0.") != "":
		dst = append(dst, '-')
	default:
		dst = append(dst, ' ')
	}
	sign := byte('+')
	if exp < 0 {
		sign, exp = '-', -exp
	}
	dst = append(append(dst, text...), 'e', sign)
	if exp < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(exp), 10)
}

// shiftText multiplies a decimal text by 10^n.
func shiftText(s string, n int) string {
	if n == 0 {
		return s
	}
	neg := strings.HasPrefix(s, "-")
	whole, frac, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if len(frac) < n {
		frac += strings.Repeat("0", n-len(frac))
	}
	if whole = strings.TrimLeft(whole+frac[:n], "0"); whole == "" {
		whole = "0"
	}
	if s = whole; len(frac) > n {
		s += "." + frac[n:]
	}
	if neg {
		s = "-" + s
	}
	return s
}

// roundText gives a decimal text post digits behind the point, half away from
// zero. Texts have no bound of digits, as values have.
func roundText(s string, post int) string {
	neg := strings.HasPrefix(s, "-")
	whole, frac, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	up := false
	if len(frac) > post {
		up = frac[post] >= '5'
		frac = frac[:post]
	}
	frac += strings.Repeat("0", post-len(frac))
	b := []byte(whole + frac)
	for i := len(b) - 1; up && i >= 0; i-- {
		if up = b[i] == '9'; up {
			b[i] = '0'
		} else {
			b[i]++
		}
	}
	if up {
		b = append([]byte{'1'}, b...)
	}
	if s = string(b[:len(b)-post]); post > 0 {
		s += "." + string(b[len(b)-post:])
	}
	if neg && strings.Trim(s, "0.") != "" {
		s = "-" + s
	}
	return s
}

// appendRoman is a template with RN: 15 places, # for what has no Roman number.
func (p *Number) appendRoman(dst []byte, v int64) ([]byte, error) {
	s := "###############"
	if v >= 1 && v <= 3999 {
		s = ""
		for _, r := range []struct {
			v int64
			s string
		}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
			for v >= r.v {
				s, v = s+r.s, v-r.v
			}
		}
	}
	q := &Number{nodes: p.nodes, fill: p.fill, roman: true}
	return q.append(dst, &value{digits: s})
}

// out is the state of writing one value. The walk goes through template and
// digits side by side; a digit place behind the last digit ends the text.
type out struct {
	*value
	p        *Number
	dst      []byte
	at       int  // next digit
	place    int  // digit places seen
	places   int  // of the last digit, counted as place is
	relevant int  // with FM: the last digit that is shown; -1 = all
	signed   bool // the sign is written or not wanted
	inside   bool // the last place wrote a digit
	anchor   anchor
	bracket  bool
	ended    bool
}

func (p *Number) append(dst []byte, v *value) ([]byte, error) {
	o := &out{value: v, p: p, dst: dst, anchor: p.sign, bracket: p.bracket, relevant: -1}
	switch {
	case p.plus || p.minus: // MI, PL and SG write it
		o.signed = !p.plus || p.minus
	default:
		if v.sign != '-' && p.fill {
			o.bracket = false
		}
		o.signed = v.sign == '+' && p.fill && !p.lsign
		// S behind all digits of a template without point belongs behind them.
		if o.anchor == anchorBefore && v.pre == p.preSign {
			o.anchor = anchorBehind
		}
	}
	o.places = v.post + v.pre - 1
	if p.fill && p.point {
		o.findRelevant()
	}
	if !o.signed && v.padding == 0 {
		o.places++
	}
	for i := range p.nodes {
		if err := o.node(&p.nodes[i]); err != nil {
			return dst, err
		}
	}
	return o.dst, nil
}

// findRelevant finds the last digit behind the point that FM leaves: not 0, or
// under a 0 of the template.
func (o *out) findRelevant() {
	point := strings.IndexByte(o.digits, '.')
	if point < 0 {
		return
	}
	o.relevant = len(strings.TrimRight(o.digits, "0")) - 1
	if o.p.zeroEnd > o.padding {
		o.relevant = max(o.relevant, min(len(o.digits)-1, o.p.zeroEnd-o.padding))
	}
}

func (o *out) put(s string) {
	if !o.ended {
		o.dst = append(o.dst, s...)
	}
}

// cur is the digit under the walk, 0 behind the last.
func (o *out) cur() byte {
	if o.at < len(o.digits) {
		return o.digits[o.at]
	}
	return 0
}

// node writes one piece of the template. One switch over the patterns.
func (o *out) node(n *node) error {
	if n.kind != kindAction {
		o.put(n.key)
		return nil
	}
	switch n.key {
	case "9", "0", ".", "D", "d":
		if !o.p.roman {
			o.digitPlace(n.key == "0")
		}
	case ",", "G", "g":
		switch {
		case o.inside:
			o.put(",")
		case !o.p.fill:
			o.put(" ")
		}
	case "L", "l": // the C locale has no symbol
		o.put(" ")
	case "RN", "rn":
		s := o.digits
		if n.key == "rn" {
			s = strings.ToLower(s)
		}
		if !o.p.fill {
			s = strings.Repeat(" ", 15-len(s)) + s
		}
		o.put(s)
	case "TH", "th":
		if o.p.roman || o.digits[0] == '#' || o.sign == '-' || o.p.point {
			return nil
		}
		s, err := ordinal(o.digits, n.key == "TH")
		o.put(s)
		return err
	case "MI", "mi", "PL", "pl":
		switch want := map[byte]byte{'M': '-', 'P': '+'}[n.key[0]&^0x20]; {
		case o.sign == want:
			o.put(string(want))
		case !o.p.fill:
			o.put(" ")
		}
	case "SG", "sg":
		if o.sign == 0 { // a Roman number has none: the text ends
			o.ended = true
		}
		o.put(string(o.sign))
	}
	return nil
}

// leadingZero tells that the walk is at the only digit before the point, a 0
// that 9.9 does not show.
func (o *out) leadingZero() bool {
	return !o.p.zero && o.at == 0 && o.digits[0] == '0' && o.post != 0
}

func (o *out) atPoint() bool { return o.relevant >= 0 && o.digits[o.relevant] == '.' }

// digitPlace writes what belongs at one 9, 0, point or D.
func (o *out) digitPlace(zero bool) {
	o.inside = false
	zeroFrom := o.p.zeroStart - 1 // counted as place is
	if !o.signed && (o.place >= o.padding || o.p.zero && zeroFrom == o.place) && (!o.leadingZero() || o.atPoint()) {
		o.signBefore()
	}
	switch {
	case o.place < o.padding && (!o.p.zero || zeroFrom > o.place):
		if !o.p.fill {
			o.put(" ")
		}
	case o.place < o.padding:
		o.put("0")
		o.inside = true
	default:
		o.digit(zero)
	}
	end := o.places
	if o.padding > 0 {
		end++
	}
	if o.p.point {
		end++
	}
	if o.relevant >= 0 && o.relevant == o.at {
		end = o.place
	}
	if o.place+1 == end {
		switch {
		case o.signed && o.bracket:
			o.put(map[bool]string{true: " ", false: ">"}[o.sign == '+'])
		case o.p.lsign && o.anchor == anchorBehind:
			o.put(string(o.sign))
		}
	}
	o.place++
}

func (o *out) signBefore() {
	switch {
	case o.p.lsign:
		if o.anchor == anchorBefore {
			o.put(string(o.sign))
			o.signed = true
		}
	case o.bracket:
		o.put(map[bool]string{true: " ", false: "<"}[o.sign == '+'])
		o.signed = true
	default:
		if o.sign == '-' {
			o.put("-")
		} else if !o.p.fill {
			o.put(" ")
		}
		o.signed = true
	}
}

// digit writes the digit or point under the walk and steps on.
func (o *out) digit(zero bool) {
	c := o.cur()
	switch {
	case c == '.':
		o.put(".")
	case o.relevant >= 0 && o.at > o.relevant && !zero:
	case o.leadingZero():
		if !o.p.fill {
			o.put(" ")
		} else if o.atPoint() {
			o.put("0")
		}
	case c == 0: // the value has fewer digits than the template: what follows is not shown
		o.ended, o.inside = true, true
	default:
		o.put(string(c))
		o.inside = true
	}
	if c != 0 {
		o.at++
	}
}
