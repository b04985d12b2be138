package plan

// Rewrite returns e with f applied to every node, arguments first. Nodes are
// copied, never changed: plans are shared by executions.
func Rewrite(e Expr, f func(Expr) (Expr, error)) (Expr, error) {
	w := rewriter{f: f}
	return w.expr(e), w.err
}

type rewriter struct {
	f   func(Expr) (Expr, error)
	err error
}

func (w *rewriter) list(es []Expr) []Expr {
	out := make([]Expr, len(es))
	for i, e := range es {
		out[i] = w.expr(e)
	}
	return out
}

// expr is one switch over all expressions (longer than a function should be,
// but flat).
func (w *rewriter) expr(e Expr) Expr {
	if e == nil || w.err != nil {
		return e
	}
	switch x := e.(type) {
	case *Call:
		c := *x
		c.Args = w.list(x.Args)
		e = &c
	case *Cast:
		c := *x
		c.Arg = w.expr(x.Arg)
		e = &c
	case *And:
		e = &And{Args: w.list(x.Args)}
	case *Or:
		e = &Or{Args: w.list(x.Args)}
	case *Not:
		e = &Not{Arg: w.expr(x.Arg)}
	case *IsNull:
		c := *x
		c.Arg = w.expr(x.Arg)
		e = &c
	case *IsBool:
		c := *x
		c.Arg = w.expr(x.Arg)
		e = &c
	case *Distinct:
		c := *x
		c.L, c.R = w.expr(x.L), w.expr(x.R)
		e = &c
	case *Case:
		c := *x
		c.Whens = make([]When, len(x.Whens))
		for i, wh := range x.Whens {
			c.Whens[i] = When{Cond: w.expr(wh.Cond), Then: w.expr(wh.Then)}
		}
		c.Else = w.expr(x.Else)
		e = &c
	case *Coalesce:
		c := *x
		c.Args = w.list(x.Args)
		e = &c
	case *In:
		c := *x
		c.Arg, c.List = w.expr(x.Arg), w.list(x.List)
		e = &c
	case *Like:
		c := *x
		c.Arg, c.Pattern = w.expr(x.Arg), w.expr(x.Pattern)
		e = &c
	case *SubPlan:
		c := *x
		c.Args = w.list(x.Args)
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
