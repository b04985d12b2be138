package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
)

// setCalls are the set-returning functions of a SELECT list (and of GROUP BY and
// ORDER BY): their rows, side by side, are joined to every row; equal calls share them.
type setCalls struct {
	items []*logical.Series
	keys  []string
	pos   ast.Node // of the first
	ids   logical.Set
	// early says that GROUP BY uses them: they are expanded before grouping.
	early bool
}

// setInList binds a set-returning function in a SELECT list: its value, or its row.
func (b *binder) setInList(ctx *exprCtx, e *ast.Call, name string) (plan.Expr, error) {
	n, err := b.listSeries(ctx, e, name)
	if err != nil {
		return nil, err
	}
	if len(n.Cols) == 1 {
		return n.Cols[0].Col(), nil
	}
	r := &rowFields{}
	for _, c := range n.Cols {
		r.exprs, r.names = append(r.exprs, c.Col()), append(r.names, c.Name)
	}
	return b.record(r, e)
}

// listSeries is the series of a call in a SELECT list.
func (b *binder) listSeries(ctx *exprCtx, e *ast.Call, name string) (*logical.Series, error) {
	const hint = "You might be able to move the set-returning function into a LATERAL FROM item."
	switch {
	case ctx.inAgg:
		return nil, at(errs.New(errs.FeatureNotSupported, "aggregate function calls cannot contain set-returning function calls").WithHint(hint), e)
	case ctx.inWindow != 0:
		return nil, at(errs.New(errs.FeatureNotSupported, "window function calls cannot contain set-returning function calls").WithHint(hint), e)
	case ctx.sets == nil && ctx.clause == "SELECT":
		return nil, at(errs.NotSupported("a set-returning function in the arguments of another"), e)
	case ctx.sets == nil:
		clause := aggregateClauses[ctx.clause]
		if clause == "" {
			clause = ctx.clause
		}
		return nil, at(errs.New(errs.FeatureNotSupported, "set-returning functions are not allowed in %s", clause), e)
	}
	inner := &exprCtx{scope: ctx.scope, clause: "SELECT", agg: ctx.agg, win: ctx.win}
	n, err := b.series(inner, e, name)
	if err != nil {
		return nil, err
	}
	s := ctx.sets
	key := name
	for _, a := range n.Args {
		key += " " + logical.Key(a)
		if logical.Volatile(a) {
			key = ""
			break
		}
	}
	for i := range s.keys {
		if s.keys[i] == key && key != "" {
			return s.items[i], nil
		}
	}
	if s.ids == nil {
		s.pos, s.ids = e, logical.Set{}
	}
	s.items, s.keys = append(s.items, n), append(s.keys, key)
	for _, c := range n.Cols {
		s.ids[c.ID] = true
	}
	return n, nil
}

// noSets refuses set-returning functions that were found since there were n of
// them: in CASE and COALESCE, where not every row would reach them.
func (c *exprCtx) noSets(n int, what string) error {
	if c.sets == nil || len(c.sets.items) == n {
		return nil
	}
	return at(errs.New(errs.FeatureNotSupported, "set-returning functions are not allowed in %s", what).
		WithHint("You might be able to move the set-returning function into a LATERAL FROM item."), c.sets.pos)
}

func (c *exprCtx) setCount() int {
	if c.sets == nil {
		return 0
	}
	return len(c.sets.items)
}

// expandSets joins the rows of the list's set-returning functions, unless that
// happened before grouping.
func (st *selectState) expandSets() error {
	if len(st.sets.items) == 0 || st.sets.early {
		return nil
	}
	return st.joinSets()
}

// expandEarly joins them before grouping if GROUP BY uses them.
func (st *selectState) expandEarly() error {
	for i := range st.agg.keys {
		if logical.Refs(st.agg.keys[i].Expr).Meets(st.sets.ids) {
			st.sets.early = true
		}
	}
	if !st.sets.early {
		return nil
	}
	return st.joinSets()
}

func (st *selectState) joinSets() error {
	n := sideBySide(st.sets.items)
	lateral := logical.Free(n).Meets(logical.OutSet(st.node))
	st.node = &logical.Join{Kind: plan.Inner, L: st.node, R: n, Lateral: lateral}
	return nil
}

// regroupSets rewrites the functions' arguments to the output of the Aggregate.
func (st *selectState) regroupSets(g *grouping) error {
	if st.sets.early {
		return nil
	}
	for _, n := range st.sets.items {
		for i := range n.Args {
			x, err := g.rewrite(n.Args[i])
			if err != nil {
				return err
			}
			n.Args[i] = x
		}
	}
	return nil
}
