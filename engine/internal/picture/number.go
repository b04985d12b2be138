package picture

import (
	"quern/storage/errs"
	"quern/storage/types"
	"strconv"
	"strings"
)

// numberPicture is a parsed to_char template of a number.
type numberPicture struct {
	whole, frac  int // digit places before and behind the point
	zeroAt       int // first place before the point that shows 0, counted from the left; -1 = none
	group, point bool
	fm, sign     bool // FM; an explicit S, MI or PL
	lead         bool // S stands before the digits
	keys         []string
}

// AppendNumber is to_char of a number with 9 0 . , D G FM S MI PL and literals.
func AppendNumber(dst []byte, f string, n types.Num) ([]byte, error) {
	switch upper := strings.ToUpper(f); {
	case upper == "RN" || upper == "FMRN" || upper == "RNFM":
		return appendRoman(dst, n, strings.Contains(f, "rn"), len(f) > 2), nil
	case strings.HasSuffix(upper, "EEEE") && strings.Trim(upper[:len(upper)-4], "90.DFM") == "":
		return appendScientific(dst, strings.TrimSuffix(upper[:len(upper)-4], "FM"), n), nil
	}
	if i := strings.IndexAny(f, "Vv"); i >= 0 && !strings.Contains(f, `"`) {
		return appendShifted(dst, f[:i], f[i+1:], n)
	}
	p := numberPicture{zeroAt: -1}
	seen := false // behind the point
	for i := 0; i < len(f); {
		two := strings.ToUpper(f[i:min(i+2, len(f))])
		switch c := f[i]; {
		case two == "FM":
			p.fm = true
			i += 2
			continue
		case two == "MI" || two == "PL" || two == "SG" || two == "PR":
			p.sign = true
			p.keys = append(p.keys, two)
			i += 2
			continue
		case two == "TH":
			p.keys = append(p.keys, f[i:i+2])
			i += 2
			continue
		case c == '9' || c == '0':
			if seen {
				p.frac++
			} else {
				if c == '0' && p.zeroAt < 0 {
					p.zeroAt = p.whole
				}
				p.whole++
			}
			p.keys = append(p.keys, string(c))
		case c == '.' || c == 'D' || c == 'd':
			seen, p.point = true, true
			p.keys = append(p.keys, ".")
		case c == ',' || c == 'G' || c == 'g':
			p.group = true
			p.keys = append(p.keys, ",")
		case c == 'S' || c == 's':
			p.sign = true
			p.keys = append(p.keys, "S")
		case c == '"':
			end := strings.IndexByte(f[i+1:], '"')
			if end < 0 {
				end = len(f) - i - 1
			}
			p.keys = append(p.keys, `"`+f[i+1:i+1+end])
			i += end + 1
		case c == 'L' || c == 'l': // lc_monetary C has no symbol
			p.keys = append(p.keys, `" `)
		case strings.HasPrefix(strings.ToUpper(f[i:]), "EEEE") || two == "RN":
			return dst, errs.NotSupported("the number format " + f)
		default:
			p.keys = append(p.keys, `"`+string(c))
		}
		i++
	}
	return p.append(dst, n)
}

func (p *numberPicture) append(dst []byte, n types.Num) ([]byte, error) {
	if n.Kind != types.NumFinite {
		return dst, errs.NotSupported("to_char of NaN or infinity")
	}
	r, err := n.Round(p.frac)
	if err != nil {
		return dst, err
	}
	neg := r.Sign() < 0
	text := string(r.Abs().AppendText(nil))
	whole, frac, _ := strings.Cut(text, ".")
	if whole == "0" && p.whole > 0 && (p.zeroAt < 0) && p.frac > 0 {
		whole = "" // 9.99 shows .50
	}
	over := len(whole) > p.whole
	digits := strings.Repeat(" ", max(p.whole-len(whole), 0)) + whole
	if over {
		digits, frac = strings.Repeat("#", p.whole), strings.Repeat("#", p.frac)
	}
	if p.fm {
		frac = trimFraction(frac, p)
	}
	// The sign stands right before the first digit unless the template places it.
	var body []byte
	pos, fpos, started, signed := 0, 0, false, p.sign
	behind := false
	for _, key := range p.keys {
		if key == "S" && !started && pos == 0 { // stands right before the first digit
			signed, p.lead = false, true
			continue
		}
		switch {
		case key == "9" || key == "0":
			if behind {
				if fpos < len(frac) {
					body = append(body, frac[fpos])
				}
				fpos++
				continue
			}
			c := digits[pos]
			if c == ' ' && p.zeroAt >= 0 && pos >= p.zeroAt {
				c = '0'
			}
			pos++
			if c == ' ' {
				if !p.fm {
					body = append(body, ' ')
				}
				continue
			}
			if !started {
				started = true
				body = p.signBefore(body, neg, &signed)
			}
			body = append(body, c)
		case key == ".":
			behind = true
			if !started {
				started = true
				body = p.signBefore(body, neg, &signed)
			}
			body = append(body, '.')
		case key == ",":
			switch {
			case started:
				body = append(body, ',')
			case !p.fm:
				body = append(body, ' ')
			}
		case key == "S" || key == "SG":
			body = append(body, map[bool]byte{true: '-', false: '+'}[neg])
		case key == "MI":
			switch {
			case neg:
				body = append(body, '-')
			case !p.fm:
				body = append(body, ' ')
			}
		case key == "PL":
			switch {
			case !neg:
				body = append(body, '+')
			case !p.fm:
				body = append(body, ' ')
			}
		case key == "PR":
			t := strings.TrimLeft(string(body), " ")
			pad := len(body) - len(t)
			switch {
			case neg:
				body = append(append(append(body[:pad:pad], '<'), t...), '>')
			case !p.fm:
				body = append(append(append(body[:pad:pad], ' '), t...), ' ')
			}
		case strings.EqualFold(key, "TH"):
			v, _ := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
			s := ordinal(v)
			if key == "TH" {
				s = strings.ToUpper(s)
			}
			body = append(body, s...)
		default:
			body = append(body, key[1:]...)
		}
	}
	return append(dst, body...), nil
}

// signBefore writes the implied sign. Without FM its place is in front of the
// first blank, so that numbers align.
func (p *numberPicture) signBefore(body []byte, neg bool, signed *bool) []byte {
	if *signed {
		return body
	}
	*signed = true
	switch {
	case neg:
		return append(body, '-')
	case p.lead:
		return append(body, '+')
	case !p.fm:
		return append(body, ' ')
	}
	return body
}

// trimFraction drops trailing zeros that only 9s would show.
func trimFraction(frac string, p *numberPicture) string {
	keep, behind, at := 0, false, 0
	for _, k := range p.keys {
		switch {
		case k == ".":
			behind = true
		case behind && (k == "9" || k == "0"):
			if at++; k == "0" {
				keep = at
			}
		}
	}
	for len(frac) > keep && frac[len(frac)-1] == '0' {
		frac = frac[:len(frac)-1]
	}
	return frac
}

// appendRoman is the template RN: 15 places, # for what has no Roman number.
func appendRoman(dst []byte, n types.Num, lower, fm bool) []byte {
	v, err := n.Int64(types.Int8)
	if err != nil || v < 1 || v > 3999 {
		return append(dst, "###############"...)
	}
	s := ""
	for _, r := range []struct {
		v int64
		s string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for v >= r.v {
			s, v = s+r.s, v-r.v
		}
	}
	if lower {
		s = strings.ToLower(s)
	}
	if !fm {
		s = strings.Repeat(" ", 15-len(s)) + s
	}
	return append(dst, s...)
}

// appendScientific is the template 9.99EEEE: one digit before the point, as many
// behind it as the template has.
func appendScientific(dst []byte, f string, n types.Num) []byte {
	fm := strings.Contains(f, "FM")
	whole, frac, _ := strings.Cut(strings.NewReplacer("FM", "", "D", ".").Replace(f), ".")
	if n.Kind != types.NumFinite {
		s := " " + strings.Repeat("#", len(whole)) + "." + strings.Repeat("#", len(frac)+4)
		return append(dst, s...)
	}
	digits, exp := n.Abs().String(), 0
	if i := strings.IndexByte(digits, '.'); i >= 0 {
		digits, exp = digits[:i]+digits[i+1:], i-1
	} else {
		exp = len(digits) - 1
	}
	lead := len(digits) - len(strings.TrimLeft(digits, "0"))
	if lead == len(digits) {
		digits, exp = "0", 0
	} else {
		digits, exp = digits[lead:], exp-lead
	}
	keep := 1 + len(frac)
	up := len(digits) > keep && digits[keep] >= '5'
	b := []byte((digits + strings.Repeat("0", keep))[:keep])
	for i := keep - 1; up && i >= 0; i-- {
		if up = b[i] == '9'; up {
			b[i] = '0'
		} else {
			b[i]++
		}
	}
	if up {
		b, exp = append([]byte{'1'}, b[:keep-1]...), exp+1
	}
	switch {
	case n.Sign() < 0:
		dst = append(dst, '-')
	case !fm:
		dst = append(dst, ' ')
	}
	dst = append(dst, b[0])
	if len(frac) > 0 {
		dst = append(append(dst, '.'), b[1:]...)
	}
	sign := byte('+')
	if exp < 0 {
		sign, exp = '-', -exp
	}
	dst = append(dst, 'e', sign)
	if exp < 10 {
		dst = append(dst, '0')
	}
	return strconv.AppendInt(dst, int64(exp), 10)
}

// appendShifted is a template with V: the number is multiplied by ten for every
// digit behind it.
func appendShifted(dst []byte, before, behind string, n types.Num) ([]byte, error) {
	k := strings.Count(behind, "9") + strings.Count(behind, "0")
	ten := types.NumFromInt(10)
	var err error
	for range k {
		if n, err = n.Mul(ten); err != nil {
			return dst, err
		}
	}
	if n, err = n.Round(0); err != nil {
		return dst, err
	}
	return AppendNumber(dst, before+behind, n)
}
