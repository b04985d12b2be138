// Package literal reads and writes the texts of literals for the binder: array
// literals, escapes, interval fields, values whose text depends on the session, defaults of
// parameters; what makes grouping sets alike, and how far two names are apart.
package literal

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
)

// Escape reads the text of LIKE … ESCAPE, 0 for an empty one.
func Escape(s string) (rune, error) {
	if s == "" {
		return 0, nil
	}
	r, n := utf8.DecodeRuneInString(s)
	if n < len(s) {
		return 0, errs.New(errs.InvalidEscape, "invalid escape string").WithHint("Escape string must be empty or one character.")
	}
	return r, nil
}

// Array reads a one-dimensional array in text form; nil = NULL.
func Array(s string) ([]*string, error) {
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

// Interval applies the field restriction of `interval '5' day`.
func Interval(text, fields string) (string, error) {
	unit := strings.TrimSpace(strings.ToLower(fields))
	if strings.Contains(unit, " to ") {
		if strings.ContainsAny(strings.ToLower(text), "abcdefghijklmnopqrstuvwxyz") {
			return text, nil
		}
		return "", errs.NotSupported("interval " + unit)
	}
	if strings.Trim(text, "0123456789.+- ") == "" {
		return text + " " + unit, nil
	}
	return text, nil
}

// Text is the text of a value that depends on the session's format, ""
// for others.
func Text(l *plan.Lit) string {
	if l.Val.Null {
		return ""
	}
	switch l.Typ.OID {
	case types.DateOID, types.TimestampOID, types.TimestamptzOID, types.IntervalOID, types.TimeOID, types.TimetzOID:
		return string(types.AppendText(nil, l.Typ, &l.Val, types.DefaultFormat))
	}
	return ""
}

func TypeText(t types.Type) string {
	if t.OID == types.UnknownOID {
		return ""
	}
	return t.String()
}

// Distance is the Levenshtein Distance.
func Distance(a, b string) int {
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}

// Place gives p's parameters their arguments; nil if it cannot be called so.
func Place(p *fn.Proc, positional []plan.Expr, names []string, named []plan.Expr) []plan.Expr {
	if len(positional)+len(named) > len(p.Args) || len(named) > 0 && len(p.Names) != len(p.Args) || p.Variadic != 0 {
		return nil
	}
	out := make([]plan.Expr, len(p.Args))
	copy(out, positional)
	for i, n := range names {
		at := -1
		for k, have := range p.Names {
			if have == n {
				at = k
			}
		}
		if at < 0 || out[at] != nil {
			return nil
		}
		out[at] = named[i]
	}
	for i := range out {
		if out[i] != nil {
			continue
		}
		k := i - (len(out) - len(p.Defaults))
		if k < 0 {
			return nil
		}
		out[i] = defaultLiteral(p.Defaults[k])
	}
	return out
}

// defaultLiteral is a parameter's default: a number, a boolean or a quoted text
// with a cast, which the parameter's own type reads.
func defaultLiteral(s string) plan.Expr {
	if strings.HasPrefix(s, "'") {
		s = s[1:strings.LastIndexByte(s, '\'')]
	}
	return &plan.Lit{Val: types.Datum{S: s}, Typ: types.Unknown}
}

// NormalSets sorts each set and drops repeated keys; GROUP BY DISTINCT drops
// repeated sets too.
func NormalSets(sets [][]int, distinct bool) [][]int {
	seen := map[string]bool{}
	var out [][]int
	for _, s := range sets {
		slices.Sort(s)
		s = slices.Compact(s)
		k := fmt.Sprint(s)
		if distinct && seen[k] {
			continue
		}
		seen[k] = true
		out = append(out, s)
	}
	return out
}

// TypeNames lists the types of arguments for messages.
func TypeNames(args []plan.Expr) string {
	s := ""
	for i, a := range args {
		if i > 0 {
			s += ", "
		}
		s += types.Type{OID: a.Type().OID, Mod: -1}.String()
	}
	return s
}

// SeriesType chooses the overload: integers, numeric, timestamps with interval.
func SeriesType(args []plan.Expr) (t, step types.Type, err error) {
	rank := map[types.OID]int{types.Int2OID: 1, types.Int4OID: 1, types.UnknownOID: 0, types.Int8OID: 2, types.NumericOID: 3}
	best, stamps := 1, types.OID(0)
	for i, a := range args {
		o := a.Type().OID
		switch o {
		case types.DateOID, types.TimestamptzOID:
			stamps = types.TimestamptzOID
			continue
		case types.TimestampOID:
			if stamps == 0 {
				stamps = o
			}
			continue
		case types.IntervalOID:
			if i == 2 {
				continue
			}
		}
		r, ok := rank[o]
		if !ok || stamps != 0 && r > 0 {
			return t, step, errs.New(errs.UndefinedFunction, "function generate_series(%s) does not exist", TypeNames(args)).
				WithHint("No function matches the given name and argument types. You might need to add explicit type casts.")
		}
		best = max(best, r)
	}
	if stamps != 0 {
		return types.Type{OID: stamps, Mod: -1}, types.Interval, nil
	}
	t = [...]types.Type{1: types.Int4, 2: types.Int8, 3: types.Numeric}[best]
	return t, t, nil
}

// Widen converts integer constants between integer types.
func Widen(l *plan.Lit, t types.Type) (plan.Expr, bool) {
	if l.Val.Null {
		return &plan.Lit{Val: types.NullDatum, Typ: t}, true
	}
	rank := map[types.OID]int{types.Int2OID: 1, types.Int4OID: 2, types.Int8OID: 3}
	from, to := rank[l.Typ.OID], rank[t.OID]
	if from == 0 || to < from {
		return nil, false
	}
	return &plan.Lit{Val: l.Val, Typ: t}, true
}

// CannotCast is the error of a cast that does not exist.
func CannotCast(from, to types.Type, assignment bool) *errs.Error {
	if assignment {
		return errs.New(errs.DatatypeMismatch, "cannot cast type %s to %s in assignment context", from, to)
	}
	return errs.New(errs.CannotCoerce, "cannot cast type %s to %s", from, to)
}
