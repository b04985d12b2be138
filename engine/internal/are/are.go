// Package are compiles PostgreSQL's regular expressions (ARE) with Go's linear
// time engine: it translates the syntax that differs. What that engine cannot do
// (back references, look-around) is refused.
package are

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"quern/storage/errs"
)

// embeddedOptions are flags at the very start of a pattern.
var embeddedOptions = regexp.MustCompile(`^\(\?([a-z]+)\)`)

// maxRepeat is the largest count that {m,n} may name in PostgreSQL.
const maxRepeat = 255

// Compile translates and compiles a pattern. Flags are PostgreSQL's
// letters (i, c, n, s, w, x, q; g is the caller's).
func Compile(pattern, flags string) (*regexp.Regexp, error) {
	if m := embeddedOptions.FindStringSubmatch(pattern); m != nil {
		pattern, flags = pattern[len(m[0]):], flags+m[1]
	}
	fold, dotNL, multi, expanded, quote := false, true, false, false, false
	for _, f := range flags {
		switch f {
		case 'g', 'e', 't', 'b':
		case 'i':
			fold = true
		case 'c':
			fold = false
		case 'n', 'm':
			dotNL, multi = false, true
		case 's':
			dotNL, multi = true, false
		case 'p':
			dotNL = false
		case 'w':
			multi = true
		case 'x':
			expanded = true
		case 'q':
			quote = true
		default:
			return nil, errs.New(errs.InvalidParameterValue, "invalid regular expression option: \"%c\"", f)
		}
	}
	if rest, ok := strings.CutPrefix(pattern, "***="); ok {
		pattern, quote = rest, true
	}
	pattern = strings.TrimPrefix(pattern, "***:")
	longest := false
	if quote {
		pattern = regexp.QuoteMeta(pattern)
	} else {
		t := areTranslator{s: pattern, expanded: expanded}
		var err error
		if pattern, err = t.translate(); err != nil {
			return nil, err
		}
		longest = t.alternation && !t.lazy
	}
	prefix := ""
	if fold {
		prefix += "i"
	}
	if dotNL {
		prefix += "s"
	}
	if multi {
		prefix += "m"
	}
	if prefix != "" {
		pattern = "(?" + prefix + ")" + pattern
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, errRegex(err)
	}
	if longest {
		re.Longest()
	}
	return re, nil
}

// errRegex words Go's errors as PostgreSQL does.
func errRegex(err error) error {
	msg := "invalid regular expression: " + err.Error()
	s := err.Error()
	for _, m := range []struct{ in, out string }{
		{"missing closing )", "parentheses () not balanced"}, {"unexpected )", "parentheses () not balanced"},
		{"missing closing ]", "brackets [] not balanced"}, {"missing argument to repetition", "quantifier operand invalid"},
		{"invalid nested repetition", "quantifier operand invalid"}, {"invalid repeat count", "invalid repetition count(s)"},
		{"invalid escape", "invalid escape \\ sequence"}, {"trailing backslash", "invalid escape \\ sequence"},
		{"invalid character class range", "invalid character range"}, {"invalid character class", "invalid character class"},
	} {
		if strings.Contains(s, m.in) {
			msg = "invalid regular expression: " + m.out
			break
		}
	}
	return errs.New(errs.InvalidRegexp, "%s", msg)
}

// areTranslator rewrites the escapes in which ARE and RE2 differ.
type areTranslator struct {
	s                 string
	expanded          bool
	alternation, lazy bool
	out               strings.Builder
}

func (t *areTranslator) translate() (string, error) {
	for i := 0; i < len(t.s); {
		c := t.s[i]
		switch {
		case c == '\\':
			n, err := t.escape(i, false)
			if err != nil {
				return "", err
			}
			i += n
		case c == '[':
			n, err := t.bracket(i)
			if err != nil {
				return "", err
			}
			i += n
		case c == '(' && strings.HasPrefix(t.s[i:], "(?"):
			if i+2 < len(t.s) && strings.IndexByte("=!<", t.s[i+2]) >= 0 {
				return "", errs.NotSupported("look-around in a regular expression")
			}
			t.out.WriteByte(c)
			i++
		case t.expanded && strings.IndexByte(" \t\n\r", c) >= 0:
			i++
		case t.expanded && c == '#':
			for i < len(t.s) && t.s[i] != '\n' {
				i++
			}
		default:
			t.alternation = t.alternation || c == '|'
			if c == '?' && i > 0 && strings.IndexByte("*+?}", t.s[i-1]) >= 0 {
				t.lazy = true
			}
			if c == '{' && (i+1 == len(t.s) || t.s[i+1]-'0' > 9) {
				t.out.WriteByte('\\')
			} else if c == '{' && !repeatFits(t.s[i+1:]) {
				return "", errs.New(errs.InvalidRegexp, "invalid regular expression: invalid repetition count(s)")
			}
			t.out.WriteByte(c)
			i++
		}
	}
	return t.out.String(), nil
}

// repeatFits tells whether the counts of {m,n}, from m on, are small enough.
func repeatFits(s string) bool {
	n := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			if n = n*10 + int(c-'0'); n > maxRepeat {
				return false
			}
		case c == ',':
			n = 0
		default:
			return true
		}
	}
	return true
}

// escape rewrites the escape at i and returns its length.
func (t *areTranslator) escape(i int, inBracket bool) (int, error) {
	if i+1 >= len(t.s) {
		return 0, errs.New(errs.InvalidRegexp, "invalid regular expression: invalid escape \\ sequence")
	}
	switch c := t.s[i+1]; c {
	case 'm', 'M', 'y':
		t.out.WriteString(`\b`)
	case 'Y':
		t.out.WriteString(`\B`)
	case 'A':
		t.out.WriteString(`\A`)
	case 'Z':
		t.out.WriteString(`\z`)
	case 'e':
		t.out.WriteString(`\x1b`)
	case 'u', 'U':
		k := 4
		if c == 'U' {
			k = 8
		}
		if i+2+k > len(t.s) {
			return 0, errs.New(errs.InvalidRegexp, "invalid regular expression: invalid escape \\ sequence")
		}
		t.out.WriteString(`\x{` + t.s[i+2:i+2+k] + `}`)
		return 2 + k, nil
	case 'd', 'D', 'w', 'W', 's', 'S', 'n', 't', 'r', 'f', 'v', 'a':
		t.out.WriteString(t.s[i : i+2])
	case 'x':
		t.out.WriteString(t.s[i : i+2])
	case 'b', 'B':
		if c == 'b' {
			t.out.WriteString(`\x08`)
		} else {
			t.out.WriteString(`\\`)
		}
	default:
		if c >= '1' && c <= '9' && !inBracket {
			return 0, errs.NotSupported("a back reference in a regular expression")
		}
		if c == '0' {
			t.out.WriteString(`\x00`)
			return 2, nil
		}
		if c-'0' <= 9 || c|0x20 >= 'a' && c|0x20 <= 'z' {
			return 0, errs.New(errs.InvalidRegexp, "invalid regular expression: invalid escape \\ sequence")
		}
		_, n := utf8.DecodeRuneInString(t.s[i+1:])
		t.out.WriteString(regexp.QuoteMeta(t.s[i+1 : i+1+n]))
		return 1 + n, nil
	}
	return 2, nil
}

// bracket copies a bracket expression and returns its length.
func (t *areTranslator) bracket(i int) (int, error) {
	// [[:<:]] and [[:>:]] are word borders.
	for _, w := range []string{"[[:<:]]", "[[:>:]]"} {
		if strings.HasPrefix(t.s[i:], w) {
			t.out.WriteString(`\b`)
			return len(w), nil
		}
	}
	start := i
	t.out.WriteByte('[')
	i++
	if i < len(t.s) && t.s[i] == '^' {
		t.out.WriteByte('^')
		i++
	}
	for first := true; i < len(t.s); first = false {
		c := t.s[i]
		switch {
		case c == ']' && !first:
			t.out.WriteByte(']')
			return i + 1 - start, nil
		case c == '[' && i+1 < len(t.s) && strings.IndexByte(":.=", t.s[i+1]) >= 0:
			end := strings.Index(t.s[i+2:], t.s[i+1:i+2]+"]")
			if end < 0 {
				return 0, errs.New(errs.InvalidRegexp, "invalid regular expression: brackets [] not balanced")
			}
			if t.s[i+1] == ':' {
				t.out.WriteString(t.s[i : i+2+end+2])
			} else {
				t.out.WriteString(regexp.QuoteMeta(t.s[i+2 : i+2+end]))
			}
			i += 2 + end + 2
		case c == '\\':
			n, err := t.escape(i, true)
			if err != nil {
				return 0, err
			}
			i += n
		case c == ']' || c == '[':
			t.out.WriteByte('\\')
			t.out.WriteByte(c)
			i++
		default:
			t.out.WriteByte(c)
			i++
		}
	}
	return 0, errs.New(errs.InvalidRegexp, "invalid regular expression: brackets [] not balanced")
}
