package picture

import (
	"strings"
	"unicode/utf8"

	"quern/storage/errs"
	"quern/storage/types"
)

// in is the state of reading one number. Every piece of the template takes a
// character of the text, or none.
type in struct {
	p         *Number
	s         string
	at        int
	sign      byte // ' ' until one is read
	digits    []byte
	pre, post int // digits read before and behind the point
	point     bool
	inside    bool
}

// Read is to_number; ok is false for NULL, which an empty template gives.
func (p *Number) Read(s string) (n types.Num, ok bool, err error) {
	switch {
	case p.empty:
		return n, false, nil
	case p.scientific:
		return n, false, errs.New(errs.FeatureNotSupported, "\"EEEE\" not supported for input")
	case p.roman:
		return n, false, errs.New(errs.FeatureNotSupported, "\"RN\" not supported for input")
	}
	r := &in{p: p, s: s, sign: ' '}
	for i := 0; i < len(p.nodes) && r.at < len(s); i++ {
		r.node(&p.nodes[i])
	}
	text := strings.TrimSuffix(string(r.digits), ".")
	if text == "" || text == "." {
		return n, false, errs.New(errs.InvalidText, "invalid input syntax for type numeric: \"%c%s\"", r.sign, text)
	}
	if r.sign == '-' {
		text = "-" + text
	}
	if n, err = types.ParseNum(text); err != nil {
		return n, false, err
	}
	if n, err = limit(n, p.pre+p.multi+r.post, r.post); err != nil {
		return n, false, err
	}
	if p.scaled {
		var tenth types.Num
		if tenth, err = types.NumFromInt(10).Pow(types.NumFromInt(int64(-p.multi))); err == nil {
			n, err = n.Mul(tenth)
		}
	}
	return n, true, err
}

// limit is the cast to numeric(precision, scale), whose precision may be 0 here.
func limit(n types.Num, precision, scale int) (types.Num, error) {
	whole, _, _ := strings.Cut(n.Abs().String(), ".")
	if whole = strings.TrimLeft(whole, "0"); len(whole) > precision-scale {
		return n, errs.New(errs.NumericOutOfRange, "numeric field overflow")
	}
	return n.Round(scale)
}

func (r *in) rest() string { return r.s[r.at:] }

func (r *in) cur() byte {
	if r.at < len(r.s) {
		return r.s[r.at]
	}
	return 0
}

// step skips one character.
func (r *in) step() {
	_, size := utf8.DecodeRuneInString(r.rest())
	r.at += size
}

// node reads what one piece of the template stands for.
func (r *in) node(n *node) {
	if n.kind != kindAction {
		r.step()
		return
	}
	switch n.key {
	case "9", "0", ".", "D", "d":
		r.place(n.key == "9" || n.key == "0")
		r.at++
	case ",", "G", "g":
		if (r.inside || !r.p.fill) && r.cur() == ',' {
			r.at++
		}
	case "L", "l":
		r.skipText(1)
	case "TH", "th":
		if !r.p.point {
			r.skipText(2)
		}
	case "MI", "mi":
		r.readSign("-")
	case "PL", "pl":
		r.readSign("+")
	case "SG", "sg":
		r.readSign("-+")
	}
}

func (r *in) readSign(any string) {
	if c := r.cur(); c != 0 && strings.IndexByte(any, c) >= 0 {
		r.sign = c
		r.at++
		return
	}
	r.skipText(1)
}

// skipText steps over n characters that cannot be part of a number.
func (r *in) skipText(n int) {
	for ; n > 0 && r.at < len(r.s); n-- {
		if strings.IndexByte("0123456789.,+-", r.cur()) >= 0 {
			return
		}
		r.step()
	}
}

// place reads a digit or the point, with a sign in front of the first one and
// behind the last one. It stays on the last character that it took.
func (r *in) place(digitKey bool) {
	if r.cur() == ' ' {
		r.at++
	}
	if r.at >= len(r.s) {
		return
	}
	if r.sign == ' ' && digitKey && r.pre+r.post == 0 {
		r.signBefore()
	}
	if r.at >= len(r.s) {
		return
	}
	read := false
	switch c := r.cur(); {
	case digit(c):
		if r.point && r.post == r.p.post {
			return
		}
		r.digits = append(r.digits, c)
		if r.point {
			r.post++
		} else {
			r.pre++
		}
		read = true
	case r.p.point && !r.point && c == '.':
		r.digits = append(r.digits, '.')
		r.point, read = true, true
	}
	if r.sign != ' ' || r.pre+r.post == 0 {
		return
	}
	switch {
	case r.p.lsign:
		if next := r.at + 1; read && next < len(r.s) && (r.s[next] == '-' || r.s[next] == '+') {
			r.sign, r.at = r.s[next], next
		}
	case !read && (r.p.plus || r.p.minus) && (r.cur() == '-' || r.cur() == '+'):
		r.sign = r.cur()
	}
}

func (r *in) signBefore() {
	c := r.cur()
	switch {
	case r.p.lsign && r.p.sign != anchorBefore:
	case c == '-' || !r.p.lsign && r.p.bracket && c == '<':
		r.sign = '-'
		r.at++
	case c == '+':
		r.sign = '+'
		r.at++
	}
}
