package fn

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"quern/storage/errs"
	"quern/storage/types"
)

// moreTextFuncs are text functions that work on single values.
func moreTextFuncs() []*Func {
	return []*Func{
		def("normalize", tText, byValue(normalizeText), tText, tText).raises(),
		def("is_normalized", tBool, byValue(isNormalized), tText, tText).raises(),
		def("unistr", tText, byValue(unistr), tText).raises(),
		def("parse_ident", 1009, byValue(parseIdent), tText, tBool).raises(),
		def("overlay", tBytea, byValue(overlayBytes), tBytea, tBytea, tI4, tI4).raises(),
		def("overlay", tBytea, byValue(overlayBytes), tBytea, tBytea, tI4).raises(),
		def("quote_literal", tText, byValue(quoteAny), tElem).stable(),
		def("quote_nullable", tText, byValue(quoteAny), tElem).stable().seesNull(),
	}
}

func normalForm(name string) (norm.Form, error) {
	switch strings.ToUpper(name) {
	case "NFC":
		return norm.NFC, nil
	case "NFD":
		return norm.NFD, nil
	case "NFKC":
		return norm.NFKC, nil
	case "NFKD":
		return norm.NFKD, nil
	}
	return 0, errs.New(errs.InvalidParameterValue, "invalid normalization form: %s", name)
}

func normalizeText(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	f, err := normalForm(a[1].S)
	if err != nil {
		return types.NullDatum, err
	}
	return str(f.String(a[0].S)), nil
}

func isNormalized(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	f, err := normalForm(a[1].S)
	if err != nil {
		return types.NullDatum, err
	}
	return truth(f.IsNormalString(a[0].S)), nil
}

// unistr resolves \XXXX, \+XXXXXX, \uXXXX, \UXXXXXXXX and \\.
func unistr(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	s := a[0].S
	var out []byte
	var high rune
	bad := func() (types.Datum, error) {
		return types.NullDatum, errs.New(errs.Syntax, "invalid Unicode surrogate pair")
	}
	for i := 0; i < len(s); {
		if s[i] != '\\' || strings.HasPrefix(s[i:], "\\\\") {
			if high != 0 {
				return bad()
			}
			out = append(out, s[i])
			if s[i] == '\\' {
				i++
			}
			i++
			continue
		}
		skip, digits := 1, 4
		if i+1 < len(s) {
			switch s[i+1] {
			case 'u':
				skip = 2
			case '+':
				skip, digits = 2, 6
			case 'U':
				skip, digits = 2, 8
			}
		}
		if i+skip+digits > len(s) {
			return types.NullDatum, badUnicode()
		}
		n, err := strconv.ParseUint(s[i+skip:i+skip+digits], 16, 32)
		if err != nil {
			return types.NullDatum, badUnicode()
		}
		i += skip + digits
		r := rune(n)
		switch {
		case high != 0 && r>>10 == 0xDC00>>10:
			r, high = 0x10000+(high-0xD800)<<10+(r-0xDC00), 0
		case high != 0 || r>>10 == 0xDC00>>10:
			return bad()
		case r>>10 == 0xD800>>10:
			high = r
			continue
		case n == 0 || n > utf8.MaxRune:
			return types.NullDatum, errs.New(errs.InvalidParameterValue, "invalid Unicode code point: %04X", n)
		}
		out = utf8.AppendRune(out, r)
	}
	if high != 0 {
		return bad()
	}
	return str(out), nil
}

func badUnicode() error {
	return errs.New(errs.Syntax, "invalid Unicode escape").
		WithHint("Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
}

// parseIdent splits a qualified name into its parts.
func parseIdent(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	s, strict := a[0].S, a[1].I != 0
	invalid := func(detail string, args ...any) (types.Datum, error) {
		e := errs.New(errs.InvalidParameterValue, "string is not a valid identifier: \"%s\"", s)
		if detail != "" {
			return types.NullDatum, e.WithDetail(detail, args...)
		}
		return types.NullDatum, e
	}
	b := types.ArrayBuilder{Elem: types.Text}
	rest := strings.TrimLeft(s, " \t\n\r\f")
	for afterDot := false; ; afterDot = true {
		part := ""
		switch {
		case strings.HasPrefix(rest, `"`):
			rest = rest[1:]
			for {
				i := strings.IndexByte(rest, '"')
				if i < 0 {
					return invalid("String has unclosed double quotes.")
				}
				part, rest = part+rest[:i], rest[i+1:]
				if !strings.HasPrefix(rest, `"`) {
					break
				}
				part, rest = part+`"`, rest[1:]
			}
			if part == "" {
				return invalid("Quoted identifier must not be empty.")
			}
		case rest != "" && identStart(rest[0]):
			n := 1
			for n < len(rest) && (identStart(rest[n]) || rest[n]-'0' <= 9 || rest[n] == '$') {
				n++
			}
			part, rest = asciiLower(rest[:n]), rest[n:]
		case strings.HasPrefix(rest, "."):
			return invalid("No valid identifier before \".\".")
		case afterDot:
			return invalid("No valid identifier after \".\".")
		default:
			return invalid("")
		}
		b.Append(&types.Datum{S: part})
		rest = strings.TrimLeft(rest, " \t\n\r\f")
		if strings.HasPrefix(rest, ".") {
			rest = strings.TrimLeft(rest[1:], " \t\n\r\f")
			continue
		}
		if rest != "" && strict {
			return invalid("")
		}
		return str(b.AppendTo(nil)), nil
	}
}

func identStart(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c-'A' < 26 {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

func overlayBytes(_ *Env, a []types.Datum, _ []types.Type) (types.Datum, error) {
	s, by, from := a[0].S, a[1].S, a[2].I
	n := int64(len(by))
	if len(a) > 3 {
		n = a[3].I
	}
	if from <= 0 {
		return types.NullDatum, errs.New(errs.SubstringError, "negative substring length not allowed")
	}
	if from+n > 1<<31-1 {
		return types.NullDatum, types.IntRange(types.Int4)
	}
	head := s[:min(from-1, int64(len(s)))]
	tail := s[min(max(from+n-1, 0), int64(len(s))):]
	return str(head + by + tail), nil
}

func quoteAny(env *Env, a []types.Datum, t []types.Type) (types.Datum, error) {
	if a[0].Null {
		return str("NULL"), nil
	}
	d, err := ConvertDatum(env, a[0], t[0], types.Text, CastExplicit)
	if err != nil {
		return d, err
	}
	return str(appendLiteral(nil, []byte(d.S))), nil
}
