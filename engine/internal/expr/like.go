package expr

import (
	"bytes"
	"unicode/utf8"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/vec"
)

// likeNode is [NOT] [I]LIKE. A constant pattern is compiled once; dictionaries
// are matched once per entry.
type likeNode struct {
	arg, pattern node
	fold, not    bool
	escape       rune

	last    []byte // the pattern that m was compiled from
	m       *matcher
	buf     chooseBuf
	alive   chooseBuf
	memo    memo
	scratch vec.Scratch
	out     vec.Vector
}

func compileLike(e *plan.Like, env *fn.Env) (node, error) {
	arg, err := compile(e.Arg, env)
	if err != nil {
		return nil, err
	}
	pat, err := compile(e.Pattern, env)
	if err != nil {
		return nil, err
	}
	return &likeNode{arg: arg, pattern: pat, fold: e.Fold, not: e.Not, escape: e.Escape}, nil
}

// use compiles a pattern unless it is the last one.
func (t *likeNode) use(pattern []byte) {
	if t.m != nil && bytes.Equal(t.last, pattern) {
		return
	}
	t.m, t.last = newMatcher(pattern, t.escape, t.fold), append(t.last[:0], pattern...)
	t.memo.id = 0
}

// match lists the rows that match and the rows that are not NULL.
func (t *likeNode) match(c *frame, sel vec.Selection, want bool) (hit, rows vec.Selection, err error) {
	v, err := t.arg.eval(c, sel)
	if err != nil {
		return nil, nil, err
	}
	p, err := t.pattern.eval(c, sel)
	if err != nil {
		return nil, nil, err
	}
	if v.Form == vec.Const && v.Null(0) || p.Form == vec.Const && p.Null(0) {
		return empty, empty, nil
	}
	rows = sel
	if v.Valid != nil && v.Form != vec.Const {
		rows = validRows(v.Valid, sel, c.n, &t.alive)
	}
	if p.Form != vec.Const {
		hit, rows, err = t.rowwise(c, rows, v, p, want)
		return hit, rows, err
	}
	if rows != nil && len(rows) == 0 {
		return empty, empty, nil
	}
	t.use(p.BytesAt(0))
	w := 0
	if want {
		w = 1
	}
	switch v.Form {
	case vec.Const:
		if t.m.match(v.BytesAt(0)) == want {
			return rows, rows, t.m.err()
		}
		return empty, rows, t.m.err()
	case vec.Dict:
		vals := &v.Dict.Values
		hit = t.memo.filter(c.n, rows, v, w, &t.buf, func(code int) bool { return t.m.match(vals.Views[code].Bytes(vals.Bufs)) == want })
		return hit, rows, t.m.err()
	}
	hit = filterRows(c.n, rows, &t.buf, func(i int) bool { return t.m.match(v.Views[i].Bytes(v.Bufs)) == want })
	return hit, rows, t.m.err()
}

func (t *likeNode) rowwise(c *frame, rows vec.Selection, v, p *vec.Vector, want bool) (hit, alive vec.Selection, err error) {
	if p.Valid != nil {
		rows = filterRows(c.n, rows, &chooseBuf{}, func(i int) bool { return !p.Null(i) })
	}
	hit = filterRows(c.n, rows, &t.buf, func(i int) bool {
		t.use(p.BytesAt(i))
		ok := t.m.match(v.BytesAt(i)) == want
		if e := t.m.err(); e != nil {
			err = e
		}
		return ok
	})
	return hit, rows, err
}

func (t *likeNode) choose(c *frame, sel vec.Selection, want bool) (vec.Selection, error) {
	hit, _, err := t.match(c, sel, want != t.not)
	return hit, err
}

func (t *likeNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	hit, rows, err := t.match(c, sel, !t.not)
	if err != nil {
		return nil, err
	}
	boolVector(&t.scratch, &t.out, c.n, hit)
	if rowCount(rows, c.n) != rowCount(sel, c.n) {
		t.out.Valid = t.scratch.Valid(c.n)
		clear(t.out.Valid)
		for _, r := range rows {
			t.out.Valid[r>>6] |= 1 << (r & 63)
		}
	}
	return &t.out, nil
}

// matcher is a compiled LIKE pattern. Without _ it is a list of literal pieces:
// the first must be a prefix and the last a suffix unless % stands there, those
// between are found one after the other. With _ the parts are runes.
type matcher struct {
	pieces       [][]byte
	openL, openR bool // the pattern begins, ends with %
	any          bool // there is a %
	fold         bool
	steps        []step // for patterns with _
	low          []byte
	bad          bool // a match ran into a trailing escape character
}

func (m *matcher) err() error {
	if !m.bad {
		return nil
	}
	return errs.New(errs.InvalidEscape, "LIKE pattern must not end with escape character")
}

// step is one element of a pattern with _: a literal, one character, any run, or
// a trailing escape character ('e').
type step struct {
	kind byte // 'l', '_', '%'
	lit  []byte
}

func newMatcher(pattern []byte, escape rune, fold bool) *matcher {
	if fold {
		pattern = fn.AppendLower(nil, pattern)
	}
	var steps []step
	lit := []byte(nil)
	flush := func() {
		if len(lit) > 0 {
			steps = append(steps, step{'l', lit})
			lit = nil
		}
	}
	under := false
	for i := 0; i < len(pattern); {
		r, n := utf8.DecodeRune(pattern[i:])
		switch {
		case escape != 0 && r == escape && (r != utf8.RuneError || n > 1):
			if i+n >= len(pattern) { // an error only where matching gets here
				flush()
				steps, under = append(steps, step{kind: 'e'}), true
				i += n
				continue
			}
			i += n
			_, n = utf8.DecodeRune(pattern[i:])
			lit = append(lit, pattern[i:i+n]...)
		case r == '%':
			flush()
			if len(steps) == 0 || steps[len(steps)-1].kind != '%' {
				steps = append(steps, step{kind: '%'})
			}
		case r == '_':
			flush()
			steps = append(steps, step{kind: '_'})
			under = true
		default:
			lit = append(lit, pattern[i:i+n]...)
		}
		i += n
	}
	flush()
	m := &matcher{fold: fold}
	if under {
		m.steps = steps
		return m
	}
	for i, s := range steps {
		switch {
		case s.kind == 'l':
			m.pieces = append(m.pieces, s.lit)
		case i == 0:
			m.openL, m.any = true, true
		default:
			m.any = true
		}
		m.openR = s.kind == '%'
	}
	return m
}

func (m *matcher) match(s []byte) bool {
	if m.fold {
		m.low = fn.AppendLower(m.low[:0], s)
		s = m.low
	}
	if m.steps != nil {
		return m.matchSteps(s)
	}
	p := m.pieces
	if !m.any {
		if len(p) == 0 {
			return len(s) == 0
		}
		return bytes.Equal(s, p[0])
	}
	if !m.openL {
		if !bytes.HasPrefix(s, p[0]) {
			return false
		}
		s, p = s[len(p[0]):], p[1:]
	}
	if !m.openR {
		last := p[len(p)-1]
		if !bytes.HasSuffix(s, last) {
			return false
		}
		s, p = s[:len(s)-len(last)], p[:len(p)-1]
	}
	for _, piece := range p {
		i := bytes.Index(s, piece)
		if i < 0 {
			return false
		}
		s = s[i+len(piece):]
	}
	return true
}

// matchSteps backtracks to the last % only, which is enough for LIKE.
func (m *matcher) matchSteps(s []byte) bool {
	steps := m.steps
	i, pos := 0, 0
	back, backPos := -1, 0
	for {
		if i == len(steps) {
			if pos == len(s) {
				return true
			}
		} else {
			switch st := &steps[i]; st.kind {
			case '%':
				if i++; i == len(steps) {
					return true
				}
				back, backPos = i, pos
				continue
			case 'e':
				if pos < len(s) {
					m.bad = true
					return false
				}
			case '_':
				if pos < len(s) {
					_, n := utf8.DecodeRune(s[pos:])
					pos += n
					i++
					continue
				}
			default:
				if bytes.HasPrefix(s[pos:], st.lit) {
					pos += len(st.lit)
					i++
					continue
				}
			}
		}
		if back < 0 || backPos >= len(s) {
			return false
		}
		_, n := utf8.DecodeRune(s[backPos:])
		backPos += n
		i, pos = back, backPos
	}
}
