package dialect

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"quern/storage/errs"
)

// escapeString reads E'…' with lx.pos at its quote.
func (lx *lexer) escapeString(start int) error {
	var b strings.Builder
	var high rune // first half of a surrogate pair
	for {
		i := lx.pos + 1
		for closed := false; !closed; {
			if i >= len(lx.src) {
				return lx.fail("unterminated quoted string", start, len(lx.src))
			}
			c := lx.src[i]
			if high != 0 && (c != '\\' || lx.at(i+1)|0x20 != 'u') {
				return lx.badPair(i)
			}
			switch {
			case c == '\'' && lx.at(i+1) == '\'':
				b.WriteByte('\'')
				i += 2
			case c == '\'':
				closed = true
				i++
			case c == '\\':
				n, err := lx.escape(&b, start, i, &high)
				if err != nil {
					return err
				}
				i += n
			default:
				b.WriteByte(c)
				i++
			}
		}
		lx.pos = i
		if !lx.continued() {
			break
		}
	}
	if !utf8.ValidString(b.String()) || strings.IndexByte(b.String(), 0) >= 0 {
		return badEncoding(b.String())
	}
	lx.add(String, start, b.String())
	return nil
}

// badEncoding words the first wrong byte of s.
func badEncoding(s string) error {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if s[i] == 0 || r == utf8.RuneError && n <= 1 {
			return errs.New(errs.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8": 0x%02x`, s[i])
		}
		i += n
	}
	return errs.New(errs.CharacterNotInRepertoire, `invalid byte sequence for encoding "UTF8"`)
}

// badPair is the error for a character at i where the second half of a pair
// should be.
func (lx *lexer) badPair(i int) error {
	_, n := utf8.DecodeRuneInString(lx.src[i:])
	return lx.fail("invalid Unicode surrogate pair", i, i+n)
}

// escape decodes one backslash sequence at i and returns its length.
func (lx *lexer) escape(b *strings.Builder, start, i int, high *rune) (int, error) {
	if i+1 >= len(lx.src) {
		return 0, lx.fail("unterminated quoted string", start, len(lx.src))
	}
	switch c := lx.src[i+1]; c {
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
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n := 1
		v := int(c - '0')
		for n < 3 && lx.at(i+1+n) >= '0' && lx.at(i+1+n) <= '7' {
			v = v*8 + int(lx.src[i+1+n]-'0')
			n++
		}
		b.WriteByte(byte(v))
		return 1 + n, nil
	case 'x':
		n := 0
		for n < 2 && isHex(lx.at(i+2+n)) {
			n++
		}
		if n == 0 {
			b.WriteByte('x')
			return 2, nil
		}
		v, _ := strconv.ParseUint(lx.src[i+2:i+2+n], 16, 8)
		b.WriteByte(byte(v))
		return 2 + n, nil
	case 'u', 'U':
		digits := 4
		if c == 'U' {
			digits = 8
		}
		v, ok := hexAt(lx.src, i+2, digits)
		if !ok {
			return 0, errs.New(errs.InvalidEscape, "invalid Unicode escape").WithPos(i + 1).
				WithHint(`Unicode escapes must be \uXXXX or \UXXXXXXXX.`)
		}
		if err := putRune(b, rune(v), high); err != "" {
			return 0, lx.fail(err, i, i+2+digits)
		}
		return 2 + digits, nil
	default:
		_, n := utf8.DecodeRuneInString(lx.src[i+1:])
		b.WriteString(lx.src[i+1 : i+1+n])
		return 1 + n, nil
	}
	return 2, nil
}

func isHex(c byte) bool {
	return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func hexAt(s string, i, n int) (uint64, bool) {
	if i+n > len(s) {
		return 0, false
	}
	for _, c := range []byte(s[i : i+n]) {
		if !isHex(c) {
			return 0, false
		}
	}
	v, err := strconv.ParseUint(s[i:i+n], 16, 32)
	return v, err == nil
}

// putRune writes v, joining surrogate pairs over high; it returns the error's
// wording or "".
func putRune(b *strings.Builder, v rune, high *rune) string {
	switch {
	case v >= 0xD800 && v < 0xDC00:
		if *high != 0 {
			return "invalid Unicode surrogate pair"
		}
		*high = v
	case v >= 0xDC00 && v < 0xE000:
		if *high == 0 {
			return "invalid Unicode surrogate pair"
		}
		b.WriteRune((*high-0xD800)<<10 + (v - 0xDC00) + 0x10000)
		*high = 0
	case *high != 0:
		return "invalid Unicode surrogate pair"
	case v == 0 || v > 0x10FFFF || v < 0:
		return "invalid Unicode escape value"
	default:
		b.WriteRune(v)
	}
	return ""
}

// unicodeString reads U&'…' or U&"…" with lx.pos at the quote, and UESCAPE.
func (lx *lexer) unicodeString(start int) error {
	q := lx.src[lx.pos]
	body := lx.pos + 1
	raw, ok := lx.quoted(q)
	for ok && q == '\'' && lx.continued() {
		var more string
		more, ok = lx.quoted(q)
		raw += more
	}
	if !ok {
		if q == '"' {
			return lx.fail("unterminated quoted identifier", start, len(lx.src))
		}
		return lx.fail("unterminated quoted string", start, len(lx.src))
	}
	end := lx.pos
	esc, err := lx.uescape()
	if err != nil {
		return err
	}
	text, err := decodeUnicode(raw, esc, body)
	if err != nil {
		return err
	}
	if q == '\'' {
		lx.add(String, start, text)
		return nil
	}
	if text == "" {
		return lx.fail("zero-length delimited identifier", start, end)
	}
	lx.add(Quoted, start, cutIdent(text))
	return nil
}

// uescape reads UESCAPE 'c' if it follows, else leaves lx.pos alone.
func (lx *lexer) uescape() (byte, error) {
	save := lx.pos
	if err := lx.space(); err != nil {
		return 0, err
	}
	i := lx.pos
	if i+7 > len(lx.src) || !strings.EqualFold(lx.src[i:i+7], "uescape") || isIdentPart(lx.at(i+7)) {
		lx.pos = save
		return '\\', nil
	}
	lx.pos = i + 7
	if err := lx.space(); err != nil {
		return 0, err
	}
	if lx.pos >= len(lx.src) {
		return 0, errs.New(errs.Syntax, "UESCAPE must be followed by a simple string literal at end of input").WithPos(lx.pos + 1)
	}
	if lx.at(lx.pos) != '\'' {
		return 0, lx.fail("UESCAPE must be followed by a simple string literal", lx.pos, min(lx.pos+1, len(lx.src)))
	}
	at := lx.pos
	text, ok := lx.quoted('\'')
	if !ok {
		return 0, lx.fail("unterminated quoted string", at, len(lx.src))
	}
	if len(text) != 1 || isHex(text[0]) || strings.ContainsAny(text, `+'"`) || isSpace(text[0]) || text[0] >= 0x80 {
		return 0, lx.fail("invalid Unicode escape character", at, lx.pos)
	}
	return text[0], nil
}

// decodeUnicode decodes \XXXX and \+XXXXXX of U& literals.
// body is where raw begins in the text.
func decodeUnicode(raw string, esc byte, body int) (string, error) {
	if strings.IndexByte(raw, esc) < 0 {
		return raw, nil
	}
	bad := func(msg string, i int) error {
		return errs.New(errs.Syntax, "%s", msg).WithPos(body + i + 1).
			WithHint(`Unicode escapes must be \XXXX or \+XXXXXX.`)
	}
	var b strings.Builder
	var high rune
	for i := 0; i < len(raw); {
		if raw[i] != esc {
			if high != 0 {
				return "", bad("invalid Unicode surrogate pair", i)
			}
			b.WriteByte(raw[i])
			i++
			continue
		}
		if i+1 < len(raw) && raw[i+1] == esc {
			if high != 0 {
				return "", bad("invalid Unicode surrogate pair", i)
			}
			b.WriteByte(esc)
			i += 2
			continue
		}
		digits, skip := 4, 1
		if i+1 < len(raw) && raw[i+1] == '+' {
			digits, skip = 6, 2
		}
		v, ok := hexAt(raw, i+skip, digits)
		if !ok {
			return "", bad("invalid Unicode escape", i)
		}
		if msg := putRune(&b, rune(v), &high); msg != "" {
			return "", bad(msg, i)
		}
		i += skip + digits
	}
	if high != 0 {
		return "", bad("invalid Unicode surrogate pair", len(raw))
	}
	return b.String(), nil
}
