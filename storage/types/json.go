package types

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"quern/storage/errs"
)

// jsonDepthMax bounds nesting: the parser recurses.
const jsonDepthMax = 6000

// ValidateJSON checks that s is JSON (22P02).
func ValidateJSON(s string) error {
	if err := checkText(s); err != nil {
		return err
	}
	p := jsonParser{s: s}
	_, err := p.document(nil)
	return err
}

// NormalizeJSONB appends s as jsonb prints it: object keys by length, then
// bytes, the last of duplicates kept; numbers as numeric prints them; `": "` and
// `", "` between parts. jsonb values are kept in this form.
func NormalizeJSONB(dst []byte, s string) ([]byte, error) {
	if err := checkText(s); err != nil {
		return dst, err
	}
	p := jsonParser{s: s, norm: true}
	return p.document(dst)
}

type jsonParser struct {
	s     string
	i     int
	depth int
	norm  bool // write the normal form; otherwise only check
	key   []byte
}

func (p *jsonParser) document(dst []byte) ([]byte, error) {
	dst, err := p.value(dst)
	if err != nil {
		return dst, err
	}
	if p.space(); p.i < len(p.s) {
		return dst, p.badToken("Expected end of input, but found \"%s\".")
	}
	return dst, nil
}

func (p *jsonParser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

// token is the lexical unit at the position, for error texts.
func (p *jsonParser) token() string {
	rest := p.s[p.i:]
	if rest == "" {
		return ""
	}
	n := 0
	for n < len(rest) && (isAlpha(rest[n]) || isDigit(rest[n]) || strings.IndexByte("_.+-", rest[n]) >= 0 || rest[n] >= 0x80) {
		n++
	}
	if n == 0 {
		if rest[0] == '"' {
			if end := strings.IndexByte(rest[1:], '"'); end >= 0 {
				return rest[:end+2]
			}
			return rest
		}
		_, n = utf8.DecodeRuneInString(rest)
	}
	return rest[:n]
}

func (p *jsonParser) bad(format string, args ...any) error {
	e := errs.New(errs.InvalidText, "invalid input syntax for type json")
	if p.i >= len(p.s) {
		e.Detail = "The input string ended unexpectedly."
	} else {
		e.WithDetail(format, args...)
	}
	line := 1 + strings.Count(p.s[:min(p.i, len(p.s))], "\n")
	start := strings.LastIndexByte(p.s[:min(p.i, len(p.s))], '\n') + 1
	end := min(p.i+len(p.token()), len(p.s))
	dots, tail := "", ""
	if end-start >= 50 {
		start = max(start, end-50)
		for start < end && !utf8.RuneStart(p.s[start]) {
			start++
		}
		dots = "..."
	}
	if end < len(p.s) {
		tail = "..."
	}
	e.Where = "JSON data, line " + string(NumFromInt(int64(line)).AppendText(nil)) + ": " + dots + p.s[start:end] + tail
	return e
}

func (p *jsonParser) value(dst []byte) ([]byte, error) {
	p.space()
	if p.i >= len(p.s) {
		return dst, p.bad("")
	}
	switch c := p.s[p.i]; {
	case c == '{' || c == '[':
		if p.depth++; p.depth > jsonDepthMax {
			return dst, errs.New(errs.TooComplex, "stack depth limit exceeded")
		}
		var err error
		if c == '{' {
			dst, err = p.object(dst)
		} else {
			dst, err = p.array(dst)
		}
		p.depth--
		return dst, err
	case c == '"':
		return p.str(dst)
	case c == '-' || isDigit(c):
		return p.number(dst)
	}
	for _, w := range [...]string{"true", "false", "null"} {
		if p.token() == w {
			p.i += len(w)
			if p.norm {
				dst = append(dst, w...)
			}
			return dst, nil
		}
	}
	if t := p.token(); strings.ContainsRune("}],:", rune(t[0])) {
		return dst, p.bad("Expected JSON value, but found \"%s\".", t)
	}
	return dst, p.bad("Token \"%s\" is invalid.", p.token())
}

func (p *jsonParser) array(dst []byte) ([]byte, error) {
	p.i++
	if p.norm {
		dst = append(dst, '[')
	}
	p.space()
	if p.i < len(p.s) && p.s[p.i] == ']' {
		p.i++
		return p.put(dst, "]"), nil
	}
	for {
		var err error
		if dst, err = p.value(dst); err != nil {
			return dst, err
		}
		p.space()
		switch {
		case p.i < len(p.s) && p.s[p.i] == ',':
			p.i++
			dst = p.put(dst, ", ")
		case p.i < len(p.s) && p.s[p.i] == ']':
			p.i++
			return p.put(dst, "]"), nil
		default:
			return dst, p.badToken("Expected \",\" or \"]\", but found \"%s\".")
		}
	}
}

func (p *jsonParser) put(dst []byte, s string) []byte {
	if p.norm {
		return append(dst, s...)
	}
	return dst
}

// badToken is bad with the token found, or its invalidity.
func (p *jsonParser) badToken(format string) error {
	t := p.token()
	if t != "" && isAlpha(t[0]) && t != "true" && t != "false" && t != "null" {
		return p.bad("Token \"%s\" is invalid.", t)
	}
	return p.bad(format, t)
}

// member is one key and value in the output: dst[key:val] is the key's text
// with quotes, dst[val:end] the value.
type member struct{ key, val, end, order int }

func (p *jsonParser) object(dst []byte) ([]byte, error) {
	p.i++
	start := len(dst)
	dst = p.put(dst, "{")
	p.space()
	if p.i < len(p.s) && p.s[p.i] == '}' {
		p.i++
		return p.put(dst, "}"), nil
	}
	var ms []member
	for {
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != '"' {
			if len(ms) == 0 && !(p.norm) || p.norm && len(ms) == 0 {
				return dst, p.badToken("Expected string or \"}\", but found \"%s\".")
			}
			return dst, p.badToken("Expected string, but found \"%s\".")
		}
		m := member{key: len(dst), order: len(ms)}
		var err error
		if dst, err = p.str(dst); err != nil {
			return dst, err
		}
		p.space()
		if p.i >= len(p.s) || p.s[p.i] != ':' {
			return dst, p.badToken("Expected \":\", but found \"%s\".")
		}
		p.i++
		m.val = len(dst)
		if dst, err = p.value(dst); err != nil {
			return dst, err
		}
		m.end = len(dst)
		ms = append(ms, m)
		p.space()
		switch {
		case p.i < len(p.s) && p.s[p.i] == ',':
			p.i++
		case p.i < len(p.s) && p.s[p.i] == '}':
			p.i++
			if p.norm {
				return layoutObject(dst, start, ms), nil
			}
			return dst, nil
		default:
			return dst, p.badToken("Expected \",\" or \"}\", but found \"%s\".")
		}
	}
}

// layoutObject orders the members that were written to dst[start+1:].
func layoutObject(dst []byte, start int, ms []member) []byte {
	raw := slices.Clone(dst[start:])
	at := func(i, j int) []byte { return raw[i-start : j-start] }
	slices.SortFunc(ms, func(a, b member) int {
		x, y := jsonKey(at(a.key, a.val)), jsonKey(at(b.key, b.val))
		return cmp.Or(cmp.Compare(len(x), len(y)), bytes.Compare(x, y), cmp.Compare(b.order, a.order))
	})
	dst = append(dst[:start], '{')
	for i, m := range ms {
		if i > 0 && bytes.Equal(at(m.key, m.val), at(ms[i-1].key, ms[i-1].val)) {
			continue // an earlier duplicate
		}
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, at(m.key, m.val)...)
		dst = append(dst, ": "...)
		dst = append(dst, at(m.val, m.end)...)
	}
	return append(dst, '}')
}

// jsonKey is the text that a quoted key stands for (keys order by it).
func jsonKey(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	return UnquoteJSON(nil, quoted)
}

// UnquoteJSON appends the text of a JSON string as NormalizeJSONB writes it.
// Malformed escapes are kept as they are.
func UnquoteJSON(dst, quoted []byte) []byte {
	p := jsonParser{s: string(quoted)}
	n := len(dst)
	if out, err := p.decode(dst); err == nil {
		return out
	}
	return append(dst[:n], quoted...)
}

// str reads a string and writes it in normal form.
func (p *jsonParser) str(dst []byte) ([]byte, error) {
	start := p.i
	var err error
	if p.key, err = p.decode(p.key[:0]); err != nil {
		return dst, err
	}
	if !p.norm {
		return dst, nil
	}
	if raw := p.s[start:p.i]; strings.IndexByte(raw, '\\') < 0 {
		return append(dst, raw...), nil
	}
	return AppendJSONString(dst, p.key), nil
}

// AppendJSONString appends s as a JSON string.
func AppendJSONString[S chars](dst []byte, s S) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < 0x20 {
				dst = append(dst, '\\', 'u', '0', '0', '0'+c>>4, "0123456789abcdef"[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}

// decode reads a quoted string and appends the text it stands for.
func (p *jsonParser) decode(dst []byte) ([]byte, error) {
	start := p.i
	for p.i++; p.i < len(p.s); {
		c := p.s[p.i]
		switch {
		case c == '"':
			p.i++
			return dst, nil
		case c < 0x20:
			return dst, p.bad("Character with value 0x%02x must be escaped.", c)
		case c != '\\':
			dst = append(dst, c)
			p.i++
		default:
			var err error
			if dst, err = p.escape(dst); err != nil {
				return dst, err
			}
		}
	}
	p.i = start
	return dst, p.bad("Token \"%s\" is invalid.", p.s[start:])
}

func (p *jsonParser) escape(dst []byte) ([]byte, error) {
	if p.i+1 >= len(p.s) {
		p.i = len(p.s)
		return dst, p.bad("")
	}
	c := p.s[p.i+1]
	if k := strings.IndexByte(`"\/bfnrt`, c); k >= 0 {
		p.i += 2
		return append(dst, "\"\\/\b\f\n\r\t"[k]), nil
	}
	if c != 'u' {
		_, n := utf8.DecodeRuneInString(p.s[p.i+1:])
		return dst, p.bad("Escape sequence \"\\%s\" is invalid.", p.s[p.i+1:p.i+1+n])
	}
	r, ok := p.hex4(p.i + 2)
	if !ok {
		return dst, p.bad("\"\\u\" must be followed by four hexadecimal digits.")
	}
	p.i += 6
	switch {
	case r == 0:
		if !p.norm {
			return dst, nil // json keeps the escape as it is
		}
		return dst, errs.New(errs.UntranslatableCharacter, "unsupported Unicode escape sequence").
			WithDetail("\\u0000 cannot be converted to text.")
	case r >= 0xD800 && r < 0xDC00:
		lo, ok := rune(0), false
		if p.i+6 <= len(p.s) && p.s[p.i:p.i+2] == `\u` {
			lo, ok = p.hex4(p.i + 2)
		}
		if !ok || lo < 0xDC00 || lo > 0xDFFF {
			return dst, p.bad("Unicode low surrogate must follow a high surrogate.")
		}
		p.i += 6
		r = 0x10000 + (r-0xD800)<<10 + (lo - 0xDC00)
	case r >= 0xDC00 && r < 0xE000:
		return dst, p.bad("Unicode low surrogate must follow a high surrogate.")
	}
	return utf8.AppendRune(dst, r), nil
}

func (p *jsonParser) hex4(i int) (r rune, ok bool) {
	if i+4 > len(p.s) {
		return 0, false
	}
	for _, c := range []byte(p.s[i : i+4]) {
		d, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// number checks JSON's grammar and writes what numeric would print.
func (p *jsonParser) number(dst []byte) ([]byte, error) {
	t := p.token()
	i := 0
	if t[i] == '-' {
		i++
	}
	ds := i
	for i < len(t) && isDigit(t[i]) {
		i++
	}
	ok := i > ds && (t[ds] != '0' || i == ds+1)
	whole, frac, exp := t[ds:i], "", 0
	if ok && i < len(t) && t[i] == '.' {
		fs := i + 1
		for i++; i < len(t) && isDigit(t[i]); i++ {
		}
		frac, ok = t[fs:i], i > fs
	}
	if ok && i < len(t) && t[i]|0x20 == 'e' {
		exp, i, ok = parseExponent(t, i+1)
	}
	if !ok || i < len(t) {
		return dst, p.bad("Token \"%s\" is invalid.", t)
	}
	p.i += len(t)
	if !p.norm {
		return dst, nil
	}
	if exp > 131072 || exp < -16383 {
		return dst, errNumRange()
	}
	return layoutJSONNumber(dst, t[0] == '-', whole, frac, exp), nil
}

func layoutJSONNumber(dst []byte, neg bool, whole, frac string, exp int) []byte {
	if exp > 0 {
		k := min(exp, len(frac))
		whole, frac = whole+frac[:k]+strings.Repeat("0", exp-k), frac[k:]
	} else if exp < 0 {
		k := min(-exp, len(whole))
		frac = strings.Repeat("0", -exp-k) + whole[len(whole)-k:] + frac
		whole = whole[:len(whole)-k]
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if neg && (whole != "0" || strings.Trim(frac, "0") != "") {
		dst = append(dst, '-')
	}
	dst = append(dst, whole...)
	if frac != "" {
		dst = append(append(dst, '.'), frac...)
	}
	return dst
}
