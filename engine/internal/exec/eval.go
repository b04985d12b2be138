package exec

import (
	"context"
	"quern/engine/internal/expr"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// compiled is an expression whose parameters and subqueries are constants; it
// is shared by workers.
type compiled struct {
	q   *query
	e   plan.Expr
	typ types.Type
	col int // index of a plain column, -1 otherwise
	// prog is the program of what is neither column nor constant. It is never
	// run: instances are clones.
	prog *expr.Program
}

// instance evaluates a compiled expression for one worker.
type instance struct {
	c    *compiled
	lit  vec.Vector // of a constant; Len is set per batch
	sel  vec.Selection
	prog *expr.Program
}

func (q *query) compile(ctx context.Context, e plan.Expr) (*compiled, error) {
	e, err := q.bindConstants(ctx, e)
	if err != nil {
		return nil, err
	}
	e = expr.Fold(e, q.env)
	c := &compiled{q: q, e: e, typ: e.Type(), col: -1}
	if col, ok := e.(*plan.Col); ok {
		c.col = col.Index
	}
	switch e.(type) {
	case *plan.Col, *plan.Lit:
		return c, nil
	}
	c.prog, err = expr.Compile(e, q.env)
	return c, err
}

func (q *query) compileAll(ctx context.Context, es []plan.Expr) ([]*compiled, error) {
	out := make([]*compiled, len(es))
	for i, e := range es {
		c, err := q.compile(ctx, e)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

func instances(cs []*compiled) []*instance {
	out := make([]*instance, len(cs))
	for i, c := range cs {
		out[i] = c.instance()
	}
	return out
}

func (c *compiled) instance() *instance {
	in := &instance{c: c}
	if c.col >= 0 {
		return in
	}
	if l, ok := c.e.(*plan.Lit); ok {
		in.lit = vec.ConstVector(l.Typ, &l.Val, 1)
		return in
	}
	in.prog = c.prog.Clone()
	return in
}

// eval computes the expression for b's live rows. The vector is valid until
// the next call, or as long as b.
func (in *instance) eval(b *vec.Batch) (*vec.Vector, error) {
	switch {
	case in.c.col >= 0:
		return &b.Cols[in.c.col], nil
	case in.prog != nil:
		return in.prog.Eval(b, nil)
	}
	in.lit.Len = b.Len
	return &in.lit, nil
}

// evalAll evaluates all expressions into out, headers only.
func evalAll(es []*instance, b *vec.Batch, out []vec.Vector) error {
	for i, in := range es {
		v, err := in.eval(b)
		if err != nil {
			return err
		}
		out[i] = *v
	}
	return nil
}

// selectRows returns those of b's live rows for which the boolean expression is
// true; nil means all b.Len rows. Valid until the next call.
func (in *instance) selectRows(b *vec.Batch) (vec.Selection, error) {
	if in.prog != nil {
		return in.prog.Select(b, b.Sel, nil)
	}
	v, err := in.eval(b)
	if err != nil {
		return nil, err
	}
	return selectTrue(v, b.Sel, b.Len, &in.sel), nil
}

// selectTrue lists the rows of sel where v is true.
func selectTrue(v *vec.Vector, sel vec.Selection, n int, scratch *vec.Selection) vec.Selection {
	if v.Form == vec.Const {
		if !v.Null(0) && v.Fixed[0] != 0 {
			return sel
		}
		return vec.Selection{}
	}
	if cap(*scratch) < n {
		*scratch = make(vec.Selection, n)
	}
	out, k := (*scratch)[:n], 0
	test := func(r int) bool { return !v.Null(r) && v.Fixed[r] != 0 }
	if v.Form == vec.Dict {
		test = func(r int) bool { return !v.Null(r) && v.Dict.Values.Fixed[v.Codes()[r]] != 0 }
	}
	if sel == nil {
		for r := range n {
			if test(r) {
				out[k] = uint16(r)
				k++
			}
		}
		return out[:k]
	}
	for _, r := range sel {
		if test(int(r)) {
			out[k] = r
			k++
		}
	}
	return out[:k]
}

// bindConstants replaces parameters and uncorrelated subqueries by their values.
func (q *query) bindConstants(ctx context.Context, e plan.Expr) (plan.Expr, error) {
	return plan.Rewrite(e, func(e plan.Expr) (plan.Expr, error) {
		switch e := e.(type) {
		case *plan.Param:
			if e.Index >= len(q.params) {
				return nil, errs.New(errs.UndefinedParameter, "there is no parameter $%d", e.Index+1)
			}
			return &plan.Lit{Val: q.params[e.Index], Typ: e.Typ}, nil
		case *plan.Subquery:
			return q.runSubquery(ctx, e)
		}
		return e, nil
	})
}

// runSubquery executes an uncorrelated subquery, once per query.
func (q *query) runSubquery(ctx context.Context, e *plan.Subquery) (*plan.Lit, error) {
	if l := q.subs[e]; l != nil {
		return l, nil
	}
	s, err := q.build(ctx, e.Plan)
	if err != nil {
		return nil, err
	}
	defer s.close()
	st, err := q.stream(ctx, s)
	if err != nil {
		return nil, err
	}
	defer st.Close()
	l := &plan.Lit{Val: types.NullDatum, Typ: e.Typ}
	if e.Exists {
		l.Val = types.Datum{}
	}
	rows := 0
	var b vec.Batch
	for {
		n, err := st.Next(ctx, &b)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		if e.Exists {
			l.Val.I = 1
			break
		}
		if rows += n; rows > 1 {
			return nil, errMoreThanOneRow()
		}
		r := 0
		if b.Sel != nil {
			r = int(b.Sel[0])
		}
		l.Val = b.Cols[0].Datum(r)
	}
	q.subs[e] = l
	return l, nil
}

func errMoreThanOneRow() error {
	return errs.New(errs.CardinalityViolation, "more than one row returned by a subquery used as an expression")
}
