package expr

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// logicNode is AND (and = true) or OR in three-valued logic. The arguments'
// order is kept: a later one is evaluated only on rows that earlier ones left
// undecided.
type logicNode struct {
	args    []chooser
	and     bool
	bufs    []chooseBuf
	acc     [2]chooseBuf
	scratch vec.Scratch
	out     vec.Vector
}

func compileLogic(es []plan.Expr, env *fn.Env, and bool) (node, error) {
	args := make([]chooser, len(es))
	for i, e := range es {
		var err error
		if args[i], err = compileBool(e, env); err != nil {
			return nil, err
		}
	}
	if len(args) == 1 {
		return args[0], nil
	}
	return &logicNode{args: args, and: and, bufs: make([]chooseBuf, len(args))}, nil
}

func (l *logicNode) choose(c *frame, sel vec.Selection, want bool) (vec.Selection, error) {
	// AND is true where all are true, OR is false where all are false.
	if l.and == want {
		for _, a := range l.args {
			if sel != nil && len(sel) == 0 {
				return sel, nil
			}
			var err error
			if sel, err = a.choose(c, sel, want); err != nil {
				return nil, err
			}
		}
		return sel, nil
	}
	// Otherwise one argument decides: collect its rows, go on with the others.
	found, rest, side := empty, sel, 0
	for i, a := range l.args {
		if rest != nil && len(rest) == 0 {
			break
		}
		hit, err := a.choose(c, rest, want)
		if err != nil {
			return nil, err
		}
		rest = minus(rest, hit, c.n, &l.bufs[i])
		if hit == nil { // every row; nothing was found before
			return nil, nil
		}
		if len(found) > 0 && len(hit) > 0 {
			side ^= 1 // found may lie in the other buffer
		}
		found = union(found, hit, c.n, &l.acc[side])
	}
	return found, nil
}

func (l *logicNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	l.scratch.Flat(&l.out, types.Bool, c.n)
	decided := uint8(1) // the value that decides: false for AND, true for OR
	if l.and {
		decided = 0
	}
	fill(l.out.Fixed, sel, 1-decided)
	l.out.Valid = nil
	rest := sel
	for i, a := range l.args {
		if rest != nil && len(rest) == 0 {
			break
		}
		v, err := a.eval(c, rest)
		if err != nil {
			return nil, err
		}
		if v.Valid != nil {
			l.markNulls(v, c.n, rest)
		}
		hit := pick(v, c.n, rest, decided == 1, &l.acc[0])
		if hit == nil {
			fill(l.out.Fixed, nil, decided)
			l.setValid(nil, c.n)
			rest = empty
			continue
		}
		fill(l.out.Fixed, hit, decided)
		if l.out.Valid != nil && len(hit) > 0 {
			l.setValid(hit, c.n)
		}
		rest = minus(rest, hit, c.n, &l.bufs[i])
	}
	return &l.out, nil
}

// markNulls makes undecided rows NULL where v is.
func (l *logicNode) markNulls(v *vec.Vector, n int, sel vec.Selection) {
	if l.out.Valid == nil {
		l.out.Valid = l.scratch.Valid(n)
	}
	mark := func(i int) {
		if v.Null(i) {
			l.out.Valid[i>>6] &^= 1 << (i & 63)
		}
	}
	if sel == nil {
		for i := range n {
			mark(i)
		}
		return
	}
	for _, r := range sel {
		mark(int(r))
	}
}

func (l *logicNode) setValid(sel vec.Selection, n int) {
	if l.out.Valid == nil {
		return
	}
	if sel == nil {
		l.out.Valid = l.scratch.Valid(n)
		return
	}
	for _, r := range sel {
		l.out.Valid[r>>6] |= 1 << (r & 63)
	}
}

func fill(v []uint8, sel vec.Selection, x uint8) {
	if sel == nil {
		for i := range v {
			v[i] = x
		}
		return
	}
	for _, r := range sel {
		v[r] = x
	}
}

// notNode is NOT.
type notNode struct {
	arg     chooser
	scratch vec.Scratch
	out     vec.Vector
}

func (t *notNode) choose(c *frame, sel vec.Selection, want bool) (vec.Selection, error) {
	return t.arg.choose(c, sel, !want)
}

func (t *notNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	v, err := t.arg.eval(c, sel)
	if err != nil {
		return nil, err
	}
	if v.Form == vec.Const {
		d := v.Datum(0)
		d.I ^= 1
		if d.Null {
			d = types.NullDatum
		}
		t.out = vec.ConstVector(types.Bool, &d, c.n)
		return &t.out, nil
	}
	var flat vec.Vector
	t.scratch.Flatten(&flat, v, sel)
	if v.Form != vec.Flat { // flat is ours already
		t.out = flat
	} else {
		t.scratch.Flat(&t.out, types.Bool, c.n)
		t.out.Valid = v.Valid
	}
	for i, x := range flat.Fixed[:c.n] {
		t.out.Fixed[i] = x ^ 1
	}
	return &t.out, nil
}

// isNullNode is IS [NOT] NULL.
type isNullNode struct {
	arg     node
	not     bool
	buf     chooseBuf
	scratch vec.Scratch
	out     vec.Vector
}

func (t *isNullNode) choose(c *frame, sel vec.Selection, want bool) (vec.Selection, error) {
	v, err := t.arg.eval(c, sel)
	if err != nil {
		return nil, err
	}
	null := want != t.not
	switch {
	case v.Valid == nil && null:
		return empty, nil
	case v.Valid == nil:
		return sel, nil
	case v.Form == vec.Const:
		if v.Null(0) == null {
			return sel, nil
		}
		return empty, nil
	}
	w := uint64(0)
	if null {
		w = 1
	}
	out, k := t.buf.take(c.n), 0
	if sel == nil {
		for i := range c.n {
			out[k] = uint16(i)
			k += int(v.Valid[i>>6]>>(i&63)&1 ^ w)
		}
	} else {
		for _, r := range sel {
			out[k] = r
			k += int(v.Valid[r>>6]>>(r&63)&1 ^ w)
		}
	}
	return out[:k], nil
}

func (t *isNullNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	v, err := t.arg.eval(c, sel)
	if err != nil {
		return nil, err
	}
	t.scratch.Flat(&t.out, types.Bool, c.n)
	x := uint8(0)
	if t.not {
		x = 1
	}
	if v.Valid == nil {
		fill(t.out.Fixed, nil, x)
		return &t.out, nil
	}
	if v.Form == vec.Const {
		if v.Null(0) {
			x ^= 1
		}
		fill(t.out.Fixed, nil, x)
		return &t.out, nil
	}
	for i := range c.n {
		t.out.Fixed[i] = uint8(v.Valid[i>>6]>>(i&63)&1) ^ 1 ^ x
	}
	return &t.out, nil
}

// isBoolNode is IS [NOT] TRUE/FALSE.
type isBoolNode struct {
	arg      chooser
	val, not bool
	buf      chooseBuf
	scratch  vec.Scratch
	out      vec.Vector
}

func (t *isBoolNode) choose(c *frame, sel vec.Selection, want bool) (vec.Selection, error) {
	hit, err := t.arg.choose(c, sel, t.val)
	if err != nil || want != t.not {
		return hit, err
	}
	return minus(sel, hit, c.n, &t.buf), nil
}

func (t *isBoolNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	hit, err := t.choose(c, sel, true)
	if err != nil {
		return nil, err
	}
	return boolVector(&t.scratch, &t.out, c.n, hit), nil
}

// boolVector is true at the rows of hit (nil = all) and false elsewhere.
func boolVector(s *vec.Scratch, out *vec.Vector, n int, hit vec.Selection) *vec.Vector {
	s.Flat(out, types.Bool, n)
	if hit == nil {
		fill(out.Fixed, nil, 1)
		return out
	}
	clear(out.Fixed)
	fill(out.Fixed, hit, 1)
	return out
}

// distinctNode is IS [NOT] DISTINCT FROM.
type distinctNode struct {
	l, r    node
	not     bool
	scratch vec.Scratch
	out     vec.Vector
}

func compileDistinct(e *plan.Distinct, env *fn.Env) (node, error) {
	l, err := compile(e.L, env)
	if err != nil {
		return nil, err
	}
	r, err := compile(e.R, env)
	return &distinctNode{l: l, r: r, not: e.Not}, err
}

func (t *distinctNode) eval(c *frame, sel vec.Selection) (*vec.Vector, error) {
	l, err := t.l.eval(c, sel)
	if err != nil {
		return nil, err
	}
	r, err := t.r.eval(c, sel)
	if err != nil {
		return nil, err
	}
	t.scratch.Flat(&t.out, types.Bool, c.n)
	set := func(i int) {
		x := uint8(0)
		if vec.Equal(l, i, r, i) == t.not {
			x = 1
		}
		t.out.Fixed[i] = x
	}
	if sel == nil {
		for i := range c.n {
			set(i)
		}
	} else {
		for _, i := range sel {
			set(int(i))
		}
	}
	return &t.out, nil
}
