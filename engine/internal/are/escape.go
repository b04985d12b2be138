package are

import (
	"bytes"
	"unicode/utf8"

	"quern/storage/errs"
)

// EscapeChar reads an ESCAPE string, 0 for an empty one.
func EscapeChar(e []byte) (rune, error) {
	if len(e) == 0 {
		return 0, nil
	}
	r, n := utf8.DecodeRune(e)
	if n < len(e) {
		return 0, errs.New(errs.InvalidEscape, "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	return r, nil
}

// LikeEscape rewrites a LIKE pattern whose escape is given so that a backslash
// escapes.
func LikeEscape(dst, pattern, escape []byte) ([]byte, error) {
	esc, err := EscapeChar(escape)
	if err != nil {
		return dst, err
	}
	escaped := false
	for _, r := range string(pattern) {
		switch {
		case escaped, esc == '\\':
			dst, escaped = utf8.AppendRune(dst, r), false
		case esc != 0 && r == esc:
			dst, escaped = append(dst, '\\'), true
		case r == '\\':
			dst = append(dst, '\\', '\\')
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst, nil
}

// SimilarEscape turns a SIMILAR TO pattern into a regular expression.
func SimilarEscape(dst, pat, escape []byte) ([]byte, error) {
	esc, err := EscapeChar(escape)
	if err != nil {
		return dst, err
	}
	dst = append(dst, "^(?:"...)
	bracket, parts := false, 0
	if esc != 0 && bytes.Contains(pat, append(utf8.AppendRune(nil, esc), '"')) {
		parts = 1 // the first part takes as little as it can
	}
	for k := 0; k < len(pat); {
		r, n := utf8.DecodeRune(pat[k:])
		lit := pat[k : k+n]
		k += n
		switch {
		case esc != 0 && r == esc:
			if k >= len(pat) {
				return dst, errs.New(errs.InvalidEscape, "invalid escape sequence")
			}
			if pat[k] == '"' { // parts of SUBSTRING … SIMILAR: the second is a group
				switch parts++; parts {
				case 2:
					dst = append(dst, ")("...)
				case 3:
					dst = append(dst, ")(?:"...)
				default:
					return dst, errs.New("2200C", "SQL regular expression may not contain more than two escape-double-quote separators")
				}
				k++
				continue
			}
			_, m := utf8.DecodeRune(pat[k:])
			dst = append(append(dst, '\\'), pat[k:k+m]...)
			k += m
		case bracket:
			if r == '\\' {
				dst = append(dst, '\\')
			}
			dst = append(dst, lit...)
			bracket = r != ']'
		case r == '[':
			dst = append(dst, '[')
			bracket = true
		case r == '%':
			dst = append(dst, ".*"...)
			if parts == 1 {
				dst = append(dst, '?')
			}
		case r == '_':
			dst = append(dst, '.')
		case r == '(':
			dst = append(dst, "(?:"...)
		case r == '\\' || r == '.' || r == '^' || r == '$':
			dst = append(append(dst, '\\'), lit...)
		default:
			dst = append(dst, lit...)
		}
	}
	return append(dst, ")$"...), nil
}
