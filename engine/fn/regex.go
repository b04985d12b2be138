package fn

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"quern/engine/internal/are"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// Regular expressions are PostgreSQL's ARE, translated to Go's syntax. Look-around
// and back references have no counterpart there and are refused. A pattern that
// is constant compiles once per batch, not per row.

// regexFuncs are the operators and functions with regular expressions.
func regexFuncs() []*Func {
	out := []*Func{
		def("regexp_replace", tText, regexpReplace, tText, tText, tText).raises(),
		def("regexp_replace", tText, regexpReplace, tText, tText, tText, tText).raises(),
		def("regexp_match", types.OID(1009), regexpMatch, tText, tText).raises(),
		def("regexp_match", types.OID(1009), regexpMatch, tText, tText, tText).raises(),
		def("regexp_like", tBool, matchKernel(false, false), tText, tText).raises(),
		def("regexp_like", tBool, matchKernel(false, false), tText, tText, tText).raises(),
		def("regexp_count", tI4, regexpCount, tText, tText).raises(), def("regexp_count", tI4, regexpCount, tText, tText, tI4).raises(),
		def("regexp_count", tI4, regexpCount, tText, tText, tI4, tText).raises(),
		def("regexp_replace", tText, regexpReplaceN, tText, tText, tText, tI4).raises(),
		def("regexp_replace", tText, regexpReplaceN, tText, tText, tText, tI4, tI4).raises(),
		def("regexp_replace", tText, regexpReplaceN, tText, tText, tText, tI4, tI4, tText).raises(),
		def("regexp_substr", tText, regexpSubstr, tText, tText).raises(),
		def("regexp_split_to_array", types.OID(1009), regexpSplit, tText, tText).raises(),
		def("regexp_split_to_array", types.OID(1009), regexpSplit, tText, tText, tText).raises(),
		def("substring", tText, regexpSubstr, tText, tText).raises(),
		def("regexp_instr", tI4, regexpInstr, tText, tText).raises(),
		def("substring", tText, similarSubstr, tText, tText, tText).raises(),
		def("similar_to_escape", tText, text(similarToEscape), tText).raises(),
		def("like_escape", tText, text(likeEscape), tText, tText).raises(),
		def("similar_to_escape", tText, text(similarToEscape), tText, tText).raises(),
	}
	for _, o := range []struct {
		name      string
		fold, not bool
	}{{"~", false, false}, {"~*", true, false}, {"!~", false, true}, {"!~*", true, true}} {
		out = append(out, def(o.name, tBool, matchKernel(o.fold, o.not), tText, tText).raises(),
			def(o.name, tBool, matchKernel(o.fold, o.not), tBpchar, tText).raises()) // its padding takes part
	}
	return out
}

// regexCache keeps the last compiled pattern of one kernel call.
type regexCache struct {
	pattern, flags string
	re             *regexp.Regexp
	linear         *are.Linear // nil if the pattern is not of that kind
	loc            []int
	set            bool
}

func (c *regexCache) get(pattern []byte, flags string) (*regexp.Regexp, error) {
	if c.set && c.pattern == string(pattern) && c.flags == flags {
		return c.re, nil
	}
	re, err := are.Compile(string(pattern), flags)
	if err != nil {
		return nil, err
	}
	*c = regexCache{pattern: string(pattern), flags: flags, re: re, linear: are.NewLinear(re), set: true}
	return re, nil
}

// flagsAt reads the flags argument k, if there is one.
func flagsAt(args []*vec.Vector, k, i int) string {
	if len(args) <= k {
		return ""
	}
	return string(args[k].BytesAt(i))
}

func matchKernel(fold, not bool) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		var c regexCache
		o := out.Fixed
		return rows(env, sel, n, func(i int) error {
			flags := flagsAt(args, 2, i)
			if fold {
				flags = "i"
			}
			if strings.ContainsRune(flags, 'g') {
				return errs.New(errs.InvalidParameterValue, "regexp_like() does not support the \"global\" option")
			}
			re, err := c.get(args[1].BytesAt(i), flags)
			if err != nil {
				return err
			}
			o[i] = b2u(re.Match(args[0].BytesAt(i)) != not)
			return nil
		})
	}
}

func regexpReplace(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	w := newWriter(out)
	defer w.finish()
	var c regexCache
	var loc []int
	return w.rows(env, sel, n, func(i int) error {
		flags := flagsAt(args, 3, i)
		if flags != "" && flags[0]-'0' <= 9 {
			return errs.New(errs.InvalidParameterValue, "invalid regular expression option: \"%c\"", flags[0]).
				WithHint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.")
		}
		if _, err := c.get(args[1].BytesAt(i), flags); err != nil {
			return err
		}
		global := strings.ContainsRune(flags, 'g')
		s, repl := args[0].BytesAt(i), args[2].BytesAt(i)
		w.begin()
		last, search := 0, 0
		for search <= len(s) {
			if loc = c.matchFrom(s, search); loc == nil {
				break
			}
			w.buf = append(w.buf, s[last:loc[0]]...)
			w.buf = expand(w.buf, repl, s, loc)
			last = loc[1]
			if search = loc[1]; loc[0] == loc[1] { // an empty match: go on behind the next character
				_, k := utf8.DecodeRune(s[search:])
				search += max(k, 1)
			}
			if !global {
				break
			}
		}
		w.buf = append(w.buf, s[last:]...)
		w.end(i)
		return w.room(0)
	})
}

// matchFrom finds the first match at or behind start. A pattern that looks at
// what lies before the match must see the whole text.
func (c *regexCache) matchFrom(s []byte, start int) []int {
	switch {
	case c.linear != nil && start > 0:
		return nil // it begins with ^
	case c.linear != nil:
		loc := c.linear.Match(s, c.loc)
		if loc != nil {
			c.loc = loc
		}
		return loc
	case start == 0:
		return c.re.FindSubmatchIndex(s)
	}
	if !strings.ContainsAny(c.pattern, `^\[`) {
		loc := c.re.FindSubmatchIndex(s[start:])
		for k := range loc {
			if loc[k] >= 0 {
				loc[k] += start
			}
		}
		return loc
	}
	for _, loc := range c.re.FindAllSubmatchIndex(s, -1) {
		if loc[0] >= start {
			return loc
		}
	}
	return nil
}

// expand appends the replacement: \1 … \9 and \& stand for groups.
func expand(dst, repl, s []byte, loc []int) []byte {
	for k := 0; k < len(repl); k++ {
		c := repl[k]
		if c != '\\' || k+1 == len(repl) {
			dst = append(dst, c)
			continue
		}
		k++
		switch g := repl[k]; {
		case g == '&':
			dst = append(dst, s[loc[0]:loc[1]]...)
		case g >= '1' && g <= '9':
			if j := 2 * int(g-'0'); j < len(loc) && loc[j] >= 0 {
				dst = append(dst, s[loc[j]:loc[j+1]]...)
			}
		case g == '\\':
			dst = append(dst, '\\')
		default:
			dst = append(dst, '\\', g)
		}
	}
	return dst
}

func regexpMatch(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	var c regexCache
	w := newWriter(out)
	defer w.finish()
	b := types.ArrayBuilder{Elem: types.Text}
	return w.rows(env, sel, n, func(i int) error {
		flags := flagsAt(args, 2, i)
		if strings.ContainsRune(flags, 'g') {
			return errs.New(errs.InvalidParameterValue, "regexp_match() does not support the \"global\" option").
				WithHint("Use the regexp_matches function instead.")
		}
		re, err := c.get(args[1].BytesAt(i), flags)
		if err != nil {
			return err
		}
		s := args[0].BytesAt(i)
		loc := re.FindSubmatchIndex(s)
		if loc == nil {
			setNull(out, i)
			return nil
		}
		b.Reset()
		appendGroups(&b, s, loc)
		w.begin()
		w.buf = b.AppendTo(w.buf)
		w.end(i)
		return w.room(0)
	})
}

// appendGroups adds the groups of a match, or the whole of it without groups.
func appendGroups(b *types.ArrayBuilder, s []byte, loc []int) {
	if len(loc) == 2 {
		b.Append(&types.Datum{S: string(s[loc[0]:loc[1]])})
		return
	}
	for k := 2; k < len(loc); k += 2 {
		if loc[k] < 0 {
			b.Append(&types.NullDatum)
			continue
		}
		b.Append(&types.Datum{S: string(s[loc[k]:loc[k+1]])})
	}
}

// startOf is the byte at which the search begins: character position k of s.
func startOf(s []byte, k int32) (int, error) {
	if k < 1 {
		return 0, errs.New(errs.InvalidParameterValue, "invalid value for parameter \"start\": %d", k)
	}
	if int(k) > utf8.RuneCount(s)+1 {
		return len(s) + 1, nil
	}
	return prefixLen(s, int(k)-1), nil
}

func regexpCount(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	var c regexCache
	o := vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		if _, err := c.get(args[1].BytesAt(i), flagsAt(args, 3, i)); err != nil {
			return err
		}
		s, at := args[0].BytesAt(i), 0
		if len(args) > 2 {
			var err error
			if at, err = startOf(s, argOf[int32](args[2]).at(i)); err != nil {
				return err
			}
		}
		o[i] = 0
		for at <= len(s) {
			loc := c.matchFrom(s, at)
			if loc == nil {
				break
			}
			o[i]++
			at = next(s, loc)
		}
		return nil
	})
}

// next is where the search goes on behind a match.
func next(s []byte, loc []int) int {
	if loc[0] != loc[1] {
		return loc[1]
	}
	_, k := utf8.DecodeRune(s[loc[1]:])
	return loc[1] + max(k, 1)
}

// regexpReplaceN is regexp_replace with start, N (0 = all) and flags.
func regexpReplaceN(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	var c regexCache
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		if _, err := c.get(args[1].BytesAt(i), flagsAt(args, 5, i)); err != nil {
			return err
		}
		s, repl, want := args[0].BytesAt(i), args[2].BytesAt(i), int32(1)
		at, err := startOf(s, argOf[int32](args[3]).at(i))
		if err != nil {
			return err
		}
		if len(args) > 4 {
			if want = argOf[int32](args[4]).at(i); want < 0 {
				return errs.New(errs.InvalidParameterValue, "invalid value for parameter \"n\": %d", want)
			}
		}
		w.begin()
		last := 0
		for k := int32(1); at <= len(s); k++ {
			loc := c.matchFrom(s, at)
			if loc == nil {
				break
			}
			if want == 0 || k == want {
				w.buf = append(w.buf, s[last:loc[0]]...)
				w.buf = expand(w.buf, repl, s, loc)
				last = loc[1]
			}
			if k == want {
				break
			}
			at = next(s, loc)
		}
		w.buf = append(w.buf, s[last:]...)
		w.end(i)
		return w.room(0)
	})
}

// regexpSubstr is substring(s from pattern): the first group, or the match.
func regexpSubstr(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	var c regexCache
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		re, err := c.get(args[1].BytesAt(i), "")
		if err != nil {
			return err
		}
		s := args[0].BytesAt(i)
		loc := re.FindSubmatchIndex(s)
		k := 0
		if len(loc) > 2 {
			k = 2
		}
		if loc == nil || loc[k] < 0 {
			setNull(out, i)
			return nil
		}
		w.put(i, s[loc[k]:loc[k+1]])
		return w.room(0)
	})
}

// similarSubstr is substring(s similar pattern escape e): the part between the
// two separators, or all of s if there are none.
func similarSubstr(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	var c regexCache
	var pattern []byte
	w := newWriter(out)
	defer w.finish()
	return w.rows(env, sel, n, func(i int) error {
		var err error
		if pattern, err = similarToEscape(env, args[1:], i, pattern[:0]); err != nil {
			return err
		}
		re, err := c.get(pattern, "")
		if err != nil {
			return err
		}
		s := args[0].BytesAt(i)
		loc := re.FindSubmatchIndex(s)
		if loc == nil {
			setNull(out, i)
			return nil
		}
		w.put(i, s[loc[len(loc)-2]:loc[len(loc)-1]])
		return w.room(0)
	})
}

// regexpInstr is the position of the first match, in characters from 1; 0 if
// there is none.
func regexpInstr(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	var c regexCache
	o := vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		re, err := c.get(args[1].BytesAt(i), "")
		if err != nil {
			return err
		}
		s := args[0].BytesAt(i)
		o[i] = 0
		if loc := re.FindIndex(s); loc != nil {
			o[i] = int32(utf8.RuneCount(s[:loc[0]])) + 1
		}
		return nil
	})
}

func regexpSplit(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	var c regexCache
	w := newWriter(out)
	defer w.finish()
	b := types.ArrayBuilder{Elem: types.Text}
	return w.rows(env, sel, n, func(i int) error {
		re, err := c.get(args[1].BytesAt(i), flagsAt(args, 2, i))
		if err != nil {
			return err
		}
		b.Reset()
		_ = splitRegex(re, args[0].BytesAt(i), func(part []byte) error {
			b.Append(&types.Datum{S: string(part)})
			return nil
		})
		w.begin()
		w.buf = b.AppendTo(w.buf)
		w.end(i)
		return w.room(0)
	})
}

// splitRegex cuts s at the matches of re. An empty match at an end, or right
// behind the last one, does not cut.
func splitRegex(re *regexp.Regexp, s []byte, add func(part []byte) error) error {
	last := 0
	for _, loc := range re.FindAllIndex(s, -1) {
		if loc[1] == 0 || loc[0] == len(s) && loc[0] == loc[1] || loc[0] == loc[1] && loc[0] == last {
			continue
		}
		if err := add(s[last:loc[0]]); err != nil {
			return err
		}
		last = loc[1]
	}
	return add(s[last:])
}

// likeEscape and similarToEscape rewrite patterns whose escape is given.
func likeEscape(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	return are.LikeEscape(dst, args[0].BytesAt(i), args[1].BytesAt(i))
}

func similarToEscape(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	esc := []byte{'\\'}
	if len(args) == 2 {
		esc = args[1].BytesAt(i)
	}
	return are.SimilarEscape(dst, args[0].BytesAt(i), esc)
}
