package exec

import "quern/engine/plan"

// rewrite returns e with f applied to every node, arguments first. Nodes are
// copied, never changed: plans are shared by executions.
func rewrite(e plan.Expr, f func(plan.Expr) (plan.Expr, error)) (plan.Expr, error) {
	w := rewriter{f: f}
	return w.expr(e), w.err
}

type rewriter struct {
	f   func(plan.Expr) (plan.Expr, error)
	err error
}

func (w *rewriter) list(es []plan.Expr) []plan.Expr {
	out := make([]plan.Expr, len(es))
	for i, e := range es {
		out[i] = w.expr(e)
	}
	return out
}

// expr is one switch over all expressions (longer than a function should be,
// but flat).
func (w *rewriter) expr(e plan.Expr) plan.Expr {
	if e == nil || w.err != nil {
		return e
	}
	switch x := e.(type) {
	case *plan.Call:
		c := *x
		c.Args = w.list(x.Args)
		e = &c
	case *plan.Cast:
		c := *x
		c.Arg = w.expr(x.Arg)
		e = &c
	case *plan.And:
		e = &plan.And{Args: w.list(x.Args)}
	case *plan.Or:
		e = &plan.Or{Args: w.list(x.Args)}
	case *plan.Not:
		e = &plan.Not{Arg: w.expr(x.Arg)}
	case *plan.IsNull:
		c := *x
		c.Arg = w.expr(x.Arg)
		e = &c
	case *plan.IsBool:
		c := *x
		c.Arg = w.expr(x.Arg)
		e = &c
	case *plan.Distinct:
		c := *x
		c.L, c.R = w.expr(x.L), w.expr(x.R)
		e = &c
	case *plan.Case:
		c := *x
		c.Whens = make([]plan.When, len(x.Whens))
		for i, wh := range x.Whens {
			c.Whens[i] = plan.When{Cond: w.expr(wh.Cond), Then: w.expr(wh.Then)}
		}
		c.Else = w.expr(x.Else)
		e = &c
	case *plan.Coalesce:
		c := *x
		c.Args = w.list(x.Args)
		e = &c
	case *plan.In:
		c := *x
		c.Arg, c.List = w.expr(x.Arg), w.list(x.List)
		e = &c
	case *plan.Like:
		c := *x
		c.Arg, c.Pattern = w.expr(x.Arg), w.expr(x.Pattern)
		e = &c
	}
	if w.err != nil {
		return e
	}
	out, err := w.f(e)
	if err != nil {
		w.err = err
	}
	return out
}
