package exec

import (
	"context"
	"strings"
	"sync"

	"quern/engine/internal/expr"
	"quern/engine/internal/rowplan"
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
	if in.prog == nil { // a column or a constant
		var err error
		if in.prog, err = expr.Compile(in.c.e, in.c.q.env); err != nil {
			return nil, err
		}
	}
	return in.prog.Select(b, b.Sel, nil)
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
			return q.constant(ctx, e)
		case *plan.Outer:
			return rowplan.Value(ctx, e)
		case *plan.SubPlan:
			return rowplan.Func(e, q.rowPlan(ctx, e.Plan, e.IDs)), nil
		}
		return e, nil
	})
}

// subResults are the values of the uncorrelated subqueries of a query, which any
// worker may ask for.
type subResults struct {
	mu sync.Mutex // guards of
	of map[*plan.Subquery]*subResult
}

type subResult struct {
	once sync.Once
	lit  *plan.Lit
	err  error
}

// runSubquery executes an uncorrelated subquery, once per query.
func (q *query) runSubquery(ctx context.Context, e *plan.Subquery) (*plan.Lit, error) {
	q.subs.mu.Lock()
	r := q.subs.of[e]
	if r == nil {
		r = &subResult{}
		q.subs.of[e] = r
	}
	q.subs.mu.Unlock()
	r.once.Do(func() { r.lit, r.err = q.subqueryValue(ctx, e) })
	return r.lit, r.err
}

func (q *query) subqueryValue(ctx context.Context, e *plan.Subquery) (*plan.Lit, error) {
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
			return l, nil
		}
		if e.Exists {
			l.Val.I = 1
			return l, nil
		}
		if rows += n; rows > 1 {
			return nil, rowplan.TooManyRows()
		}
		l.Val = b.Cols[0].Datum(live(&b, 0))
		l.Val.S = strings.Clone(l.Val.S)
	}
}
