package picture

import "quern/storage/errs"

// Number is a compiled template of numbers.
type Number struct {
	nodes []node
	empty bool

	pre, post int // digit places before and behind the point
	multi     int // digit places behind V
	zeroStart int // first place that shows 0, from 1; 0 = none
	zeroEnd   int // last one
	sign      anchor
	preSign   int // pre when S came
	fill, zero, blank, point,
	plus, minus, bracket, lsign,
	roman, scaled, scientific bool
}

// anchor is where the sign of S stands.
type anchor uint8

const (
	anchorNone anchor = iota
	anchorBefore
	anchorBehind
)

// ParseNumber compiles a template of numbers.
func ParseNumber(f string) (*Number, error) {
	p := &Number{empty: f == ""}
	var err error
	p.nodes, err = parse(f, numberKeys, false, p.see)
	return p, err
}

func badTemplate(format string, args ...any) *errs.Error {
	return errs.New(errs.Syntax, format, args...)
}

func errNotNumber(text string) error {
	return errs.New(errs.InvalidText, "\"%s\" is not a number", text)
}

// see notes what one pattern asks for. One switch over all of them.
func (p *Number) see(key string) error {
	if p.scientific && key != "EEEE" && key != "eeee" {
		return badTemplate("\"EEEE\" must be the last pattern used")
	}
	switch key {
	case "9", "0":
		if p.bracket {
			return badTemplate("\"%s\" must be ahead of \"PR\"", key)
		}
		return p.seeDigit(key == "0")
	case "B", "b":
		if p.pre == 0 && p.post == 0 && !p.zero {
			p.blank = true
		}
	case "D", "d", ".":
		switch {
		case p.point:
			return badTemplate("multiple decimal points")
		case p.scaled:
			return badTemplate("cannot use \"V\" and decimal point together")
		}
		p.point = true
	case "FM", "fm":
		p.fill = true
	case "S", "s":
		switch {
		case p.lsign:
			return badTemplate("cannot use \"S\" twice")
		case p.plus || p.minus || p.bracket:
			return badTemplate("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together")
		}
		p.lsign = true
		if p.sign, p.preSign = anchorBefore, p.pre; p.point {
			p.sign = anchorBehind
		}
	case "MI", "mi", "PL", "pl", "SG", "sg":
		if p.lsign {
			return badTemplate("cannot use \"S\" and \"%s\" together", upper(key))
		}
		p.minus = p.minus || key[0]|0x20 != 'p'
		p.plus = p.plus || key[0]|0x20 != 'm'
	case "PR", "pr":
		if p.lsign || p.plus || p.minus {
			return badTemplate("cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together")
		}
		p.bracket = true
	case "RN", "rn":
		p.roman = true
	case "V", "v":
		if p.point {
			return badTemplate("cannot use \"V\" and decimal point together")
		}
		p.scaled = true
	case "EEEE", "eeee":
		switch {
		case p.scientific:
			return badTemplate("cannot use \"EEEE\" twice")
		case p.blank || p.fill || p.lsign || p.bracket || p.minus || p.plus || p.roman || p.scaled:
			return badTemplate("\"EEEE\" is incompatible with other formats").
				WithDetail("\"EEEE\" may only be used together with digit and decimal point patterns.")
		}
		p.scientific = true
	}
	return nil
}

func (p *Number) seeDigit(zero bool) error {
	if !zero && p.scaled {
		p.multi++
		return nil
	}
	if zero && !p.zero && !p.point {
		p.zero, p.zeroStart = true, p.pre+1
	}
	if p.point {
		p.post++
	} else {
		p.pre++
	}
	if zero {
		p.zeroEnd = p.pre + p.post
	}
	return nil
}

func upper(key string) string {
	b := []byte(key)
	for i := range b {
		b[i] &^= 0x20
	}
	return string(b)
}
