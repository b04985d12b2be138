// Package ndjson decodes newline-delimited JSON objects and JSON arrays of
// objects into column builders, and infers columns from them.
//
//	line ── locate: key → column, value → span      (strict RFC 8259 grammar)
//	     └─ convert: span → builder of the column   (types.ParseBytes)
//
// A line is one row: a syntax error rejects that line only and decoding goes on
// at the next LF. In an array a syntax error ends the payload; rows before it
// stand. Duplicate keys: the last one wins, as in jsonb. Keys meet columns by
// exact name first, then case-insensitively. The keys of the previous row are
// tried first, in order, so that rows of one shape need no map look-up.
package ndjson

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
	"unsafe"
)

// depthMax bounds nesting (INGEST.md §3.3): recursion never goes deeper.
const depthMax = 64

// scanner walks one JSON text. Errors are positions, messages are fixed: they
// never quote the input.
type scanner struct {
	b   []byte
	pos int
	msg string // why the last call failed
}

func (s *scanner) fail(msg string) bool {
	s.msg = msg
	return false
}

func (s *scanner) space() {
	for s.pos < len(s.b) {
		switch s.b[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		default:
			return
		}
	}
}

// str scans a string whose opening quote is at pos. It returns the bytes
// between the quotes and whether they hold an escape.
func (s *scanner) str() (raw []byte, escaped, ok bool) {
	start := s.pos + 1
	end := start + bytes.IndexByte(s.b[start:], '"')
	if end >= start {
		if raw = s.b[start:end]; plain(raw) {
			s.pos = end + 1
			return raw, false, true
		}
		if bytes.IndexByte(raw, '\\') >= 0 {
			escaped = true
			end = closingQuote(s.b, start)
		}
	}
	if end < start {
		return nil, false, s.fail("unterminated string")
	}
	raw = s.b[start:end]
	s.pos = end + 1
	return raw, escaped, s.checkString(raw, escaped)
}

// plain tells whether a string is ASCII without control characters and escapes.
func plain(b []byte) bool {
	const ones = 0x0101010101010101
	odd := uint64(0)
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		// A byte below ' ', or equal to '\\', borrows into its top bit, if none is set.
		odd |= w | (w - ' '*ones) | (w ^ '\\'*ones - ones)
	}
	if odd&(0x80*ones) != 0 {
		return false
	}
	for _, c := range b {
		if c < ' ' || c == '\\' || c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// closingQuote finds the first quote at or after i that no backslash escapes.
func closingQuote(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// checkString refuses control characters, bad UTF-8 and bad escapes.
func (s *scanner) checkString(raw []byte, escaped bool) bool {
	ascii := true
	for _, c := range raw {
		if c < 0x20 {
			return s.fail("control character in string")
		}
		if c >= utf8.RuneSelf {
			ascii = false
		}
	}
	if !ascii && !utf8.Valid(raw) {
		return s.fail("invalid byte sequence for encoding UTF8")
	}
	if escaped && !validEscapes(raw) {
		return s.fail("invalid escape sequence in string")
	}
	return true
}

func validEscapes(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if i == len(raw) {
			return false
		}
		switch raw[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			r, ok := hex4(raw, i+1)
			if !ok || r == 0 { // NUL cannot be stored as text
				return false
			}
			i += 4
			if r >= 0xDC00 && r < 0xE000 {
				return false
			}
			if r >= 0xD800 && r < 0xDC00 {
				if i+2 >= len(raw) || raw[i+1] != '\\' || raw[i+2] != 'u' {
					return false
				}
				low, ok := hex4(raw, i+3)
				if !ok || low < 0xDC00 || low >= 0xE000 {
					return false
				}
				i += 6
			}
		default:
			return false
		}
	}
	return true
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape appends the text of raw, whose escapes were checked, to dst.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\\' {
			dst = append(dst, c)
			continue
		}
		i++
		switch raw[i] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hex4(raw, i+1)
			i += 4
			if r >= 0xD800 && r < 0xDC00 {
				low, _ := hex4(raw, i+3)
				r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, raw[i])
		}
	}
	return dst
}

// value scans any value at pos and moves behind it.
func (s *scanner) value(depth int) bool {
	if s.pos >= len(s.b) {
		return s.fail("unexpected end of input")
	}
	switch c := s.b[s.pos]; {
	case c == '"':
		_, _, ok := s.str()
		return ok
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.array(depth + 1)
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if rest := s.b[s.pos:]; len(rest) >= len(word) && string(rest[:len(word)]) == word {
			s.pos += len(word)
			return true
		}
	}
	return s.fail("unexpected character")
}

func (s *scanner) object(depth int) bool {
	if depth > depthMax {
		return s.fail("nesting is too deep")
	}
	s.pos++
	s.space()
	if s.pos < len(s.b) && s.b[s.pos] == '}' {
		s.pos++
		return true
	}
	for {
		s.space()
		if s.pos >= len(s.b) || s.b[s.pos] != '"' {
			return s.fail("expected a key")
		}
		if _, _, ok := s.str(); !ok {
			return false
		}
		if !s.colon() || !s.value(depth) {
			return false
		}
		if done, ok := s.next('}'); !ok || done {
			return ok
		}
	}
}

func (s *scanner) array(depth int) bool {
	if depth > depthMax {
		return s.fail("nesting is too deep")
	}
	s.pos++
	s.space()
	if s.pos < len(s.b) && s.b[s.pos] == ']' {
		s.pos++
		return true
	}
	for {
		s.space()
		if !s.value(depth) {
			return false
		}
		if done, ok := s.next(']'); !ok || done {
			return ok
		}
	}
}

func (s *scanner) colon() bool {
	s.space()
	if s.pos >= len(s.b) || s.b[s.pos] != ':' {
		return s.fail("expected a colon")
	}
	s.pos++
	s.space()
	return true
}

// next steps over a comma (done false) or the closing bracket (done true).
func (s *scanner) next(closing byte) (done, ok bool) {
	s.space()
	if s.pos < len(s.b) {
		switch s.b[s.pos] {
		case closing:
			s.pos++
			return true, true
		case ',':
			s.pos++
			return false, true
		}
	}
	return false, s.fail("expected a comma or a closing bracket")
}

// number scans the JSON number grammar.
func (s *scanner) number() bool {
	b, i := s.b, s.pos
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	case i < len(b) && b[i] >= '1' && b[i] <= '9':
		i = digits(b, i)
	default:
		return s.fail("invalid number")
	}
	if i < len(b) && b[i] == '.' {
		j := digits(b, i+1)
		if j == i+1 {
			return s.fail("invalid number")
		}
		i = j
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		j := digits(b, i)
		if j == i {
			return s.fail("invalid number")
		}
		i = j
	}
	if i < len(b) && (b[i] >= '0' && b[i] <= '9' || b[i] == '.') {
		return s.fail("invalid number")
	}
	s.pos = i
	return true
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

// text views b as a string for look-ups that do not keep it.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
