package bind

import (
	"strings"

	"quern/storage/errs"
)

// arrayLiteral reads a one-dimensional array in text form; nil = NULL.
func arrayLiteral(s string) ([]*string, error) {
	bad := errs.New(errs.InvalidText, "malformed array literal: %q", s)
	t := strings.TrimSpace(s)
	if len(t) < 2 || t[0] != '{' || t[len(t)-1] != '}' {
		return nil, bad.WithDetail("Array value must start with \"{\" or dimension information.")
	}
	t = t[1 : len(t)-1]
	if strings.TrimSpace(t) == "" {
		return nil, nil
	}
	var out []*string
	for i := 0; ; {
		v, quoted, next, ok := arrayElem(t, i)
		if !ok || v == "" && !quoted {
			return nil, bad
		}
		if !quoted && strings.EqualFold(v, "null") {
			out = append(out, nil)
		} else {
			out = append(out, &v)
		}
		if next == len(t) {
			return out, nil
		}
		i = next + 1
	}
}

// arrayElem reads one element from i up to its comma or the end.
func arrayElem(t string, i int) (v string, quoted bool, next int, ok bool) {
	var sb strings.Builder
	for i < len(t) && strings.ContainsRune(" \t\n\r", rune(t[i])) {
		i++
	}
	if i < len(t) && t[i] == '"' {
		for i++; i < len(t) && t[i] != '"'; i++ {
			if t[i] == '\\' {
				i++
				if i == len(t) {
					return "", false, 0, false
				}
			}
			sb.WriteByte(t[i])
		}
		if i == len(t) {
			return "", false, 0, false
		}
		for i++; i < len(t) && t[i] != ','; i++ {
			if !strings.ContainsRune(" \t\n\r", rune(t[i])) {
				return "", false, 0, false
			}
		}
		return sb.String(), true, i, true
	}
	for ; i < len(t) && t[i] != ','; i++ {
		switch t[i] {
		case '{', '}', '"':
			return "", false, 0, false
		case '\\':
			i++
			if i == len(t) {
				return "", false, 0, false
			}
		}
		sb.WriteByte(t[i])
	}
	return strings.TrimRight(sb.String(), " \t\n\r"), false, i, true
}
