package jsonpath

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"quern/storage/errs"
)

type tokenKind uint8

const (
	tokEnd tokenKind = iota
	tokSign
	tokWord
	tokString
	tokVariable
	tokInt
	tokNumber
)

// token is a lexical unit: raw as written, text decoded.
type token struct {
	kind      tokenKind
	raw, text string
}

const special = "?%$.[]{}()|&!=<>@#,*:-+/\\\""

func blank(c byte) bool { return strings.IndexByte(" \t\n\r\f", c) >= 0 }

func syntaxError(near string) error {
	if near == "" {
		return errs.New(errs.Syntax, "syntax error at end of jsonpath input")
	}
	return errs.New(errs.Syntax, "syntax error at or near %q of jsonpath input", near)
}

// lex cuts a path into tokens; the last one is tokEnd.
func lex(s string) ([]token, error) {
	var out []token
	for i := 0; ; {
		for i < len(s) && blank(s[i]) {
			i++
		}
		if i == len(s) {
			return append(out, token{}), nil
		}
		if strings.HasPrefix(s[i:], "/*") {
			n := strings.Index(s[i+2:], "*/")
			if n < 0 {
				return nil, errs.New(errs.Syntax, "unexpected end of comment at end of jsonpath input")
			}
			i += n + 4
			continue
		}
		t, n, err := lexOne(s[i:], len(out) > 0 && out[len(out)-1].raw == ".")
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		i += n
	}
}

// lexOne reads the token at the start of s; afterDot says that a key is expected.
func lexOne(s string, afterDot bool) (token, int, error) {
	switch c := s[0]; {
	case c == '"':
		text, n, err := quoted(s)
		return token{tokString, s[:n], text}, n, err
	case c == '$' && len(s) > 1 && s[1] == '"':
		text, n, err := quoted(s[1:])
		return token{tokVariable, s[:n+1], text}, n + 1, err
	case c == '$' && len(s) > 1 && !blank(s[1]) && strings.IndexByte(special, s[1]) < 0:
		text, n, err := word(s[1:])
		return token{tokVariable, s[:n+1], text}, n + 1, err
	case !afterDot && (c >= '0' && c <= '9' || c == '.' && len(s) > 1 && s[1] >= '0' && s[1] <= '9'):
		return number(s)
	case strings.IndexByte(special, c) >= 0 && c != '\\':
		for _, two := range [...]string{"&&", "||", "==", "!=", "<>", "<=", ">=", "**"} {
			if strings.HasPrefix(s, two) {
				return token{tokSign, two, two}, 2, nil
			}
		}
		return token{tokSign, s[:1], s[:1]}, 1, nil
	}
	text, n, err := word(s)
	return token{tokWord, s[:n], text}, n, err
}

func number(s string) (token, int, error) {
	digits := func(i int) int {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i
	}
	n, kind := digits(0), tokInt
	if n < len(s) && s[n] == '.' {
		n, kind = digits(n+1), tokNumber
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		m := n + 1
		if m < len(s) && (s[m] == '+' || s[m] == '-') {
			m++
		}
		if e := digits(m); e > m {
			n, kind = e, tokNumber
		}
	}
	m := n
	for m < len(s) && wordStart(s[m]) {
		m++
	}
	switch {
	case m > n && kind == tokInt:
		return token{}, 0, syntaxError("")
	case m > n:
		return token{}, 0, errs.New(errs.Syntax, "trailing junk after numeric literal at or near %q of jsonpath input", s[:m])
	}
	text, err := plain(s[:n])
	return token{kind, s[:n], text}, n, err
}

func wordStart(c byte) bool { return !blank(c) && strings.IndexByte(special, c) < 0 }

// exponentMax bounds how many digits an exponent may ask for.
const exponentMax = 1000

// plain writes a number without exponent.
func plain(s string) (string, error) {
	mant, exp := s, 0
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		var err error
		mant = s[:i]
		if exp, err = strconv.Atoi(s[i+1:]); err != nil || exp > exponentMax || exp < -exponentMax {
			return "", errs.New(errs.NumericOutOfRange, "value overflows numeric format")
		}
	}
	whole, frac, _ := strings.Cut(mant, ".")
	switch {
	case exp > 0:
		frac += strings.Repeat("0", max(0, exp-len(frac)))
		whole, frac = whole+frac[:exp], frac[exp:]
	case exp < 0:
		whole = strings.Repeat("0", max(0, -exp-len(whole))) + whole
		whole, frac = whole[:len(whole)+exp], whole[len(whole)+exp:]+frac
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		whole = "0"
	}
	if frac != "" {
		return whole + "." + frac, nil
	}
	return whole, nil
}

// word reads a name without quotes.
func word(s string) (string, int, error) {
	var b strings.Builder
	i := 0
	for i < len(s) && (s[i] == '\\' || wordStart(s[i])) {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		n, err := escape(&b, s[i:])
		if err != nil {
			return "", i, err
		}
		i += n
	}
	return b.String(), i, nil
}

// quoted reads a string in double quotes.
func quoted(s string) (string, int, error) {
	var b strings.Builder
	for i := 1; i < len(s); {
		switch s[i] {
		case '"':
			return b.String(), i + 1, nil
		case '\\':
			n, err := escape(&b, s[i:])
			if err != nil {
				return "", len(s), err
			}
			i += n
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return "", len(s), errs.New(errs.Syntax, "unterminated quoted string at end of jsonpath input")
}

// escape decodes the escape at the start of s and returns its length.
func escape(b *strings.Builder, s string) (int, error) {
	if len(s) < 2 {
		return 0, errs.New(errs.Syntax, "unexpected end after backslash at end of jsonpath input")
	}
	hex := func(from, to int) (rune, bool) {
		if to > len(s) {
			return 0, false
		}
		n, err := strconv.ParseUint(s[from:to], 16, 32)
		return rune(n), err == nil
	}
	switch s[1] {
	case 'b':
		b.WriteByte('\b')
	case 'f':
		b.WriteByte('\f')
	case 'n':
		b.WriteByte('\n')
	case 'r':
		b.WriteByte('\r')
	case 't':
		b.WriteByte('\t')
	case 'v':
		b.WriteByte('\v')
	case 'x':
		r, ok := hex(2, 4)
		if !ok || r == 0 {
			return 0, errs.New(errs.Syntax, "invalid hexadecimal character sequence at or near %q of jsonpath input", s[:2])
		}
		b.WriteRune(r)
		return 4, nil
	case 'u':
		return unicodeEscape(b, s, hex)
	default:
		r, n := utf8.DecodeRuneInString(s[1:])
		b.WriteRune(r)
		return 1 + n, nil
	}
	return 2, nil
}

func unicodeEscape(b *strings.Builder, s string, hex func(from, to int) (rune, bool)) (int, error) {
	bad := errs.New(errs.Syntax, "invalid Unicode escape sequence at or near %q of jsonpath input", s[:2])
	if strings.HasPrefix(s, `\u{`) {
		n := strings.IndexByte(s, '}')
		r, ok := rune(0), false
		if n > 3 && n < 10 {
			r, ok = hex(3, n)
		}
		if !ok || r == 0 || !utf8.ValidRune(r) {
			return 0, bad
		}
		b.WriteRune(r)
		return n + 1, nil
	}
	r, ok := hex(2, 6)
	if !ok {
		return 0, bad
	}
	if r == 0 {
		return 0, errs.New("22P05", "unsupported Unicode escape sequence").WithDetail("\\u0000 cannot be converted to text.")
	}
	if !utf16.IsSurrogate(r) {
		b.WriteRune(r)
		return 6, nil
	}
	if low, ok := hex(8, 12); ok && s[6:8] == `\u` {
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			b.WriteRune(r)
			return 12, nil
		}
	}
	return 0, errs.New(errs.InvalidText, "invalid input syntax for type jsonpath").
		WithDetail("Unicode low surrogate must follow a high surrogate.")
}
