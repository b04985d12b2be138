package optimize

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
)

// pull removes from n all predicates that refer to outer columns and returns
// them as a condition for a join of the outer side with what is left. Columns
// that the condition needs are added to n's output. It gives up (ok false)
// where moving a predicate up would change which rows n has.
func pull(n logical.Node, outer logical.Set) (out logical.Node, conds []plan.Expr, ok bool) {
	free := logical.Free(n)
	if !free.Meets(outer) {
		return n, nil, true
	}
	switch n := n.(type) {
	case *logical.Filter:
		return pullFilter(n, outer)
	case *logical.Project:
		if logical.Refs(n.Exprs()...).Meets(outer) {
			return nil, nil, false
		}
		in, conds, ok := pull(n.In, outer)
		if !ok {
			return nil, nil, false
		}
		return exposed(n, in, conds), conds, true
	case *logical.Sort:
		// Without a LIMIT above, the order of a joined relation means nothing.
		return pull(n.In, outer)
	case *logical.Join:
		return pullJoin(n, outer)
	case *logical.Aggregate:
		return pullAggregate(n, outer)
	}
	return nil, nil, false
}

func pullFilter(n *logical.Filter, outer logical.Set) (logical.Node, []plan.Expr, bool) {
	in, conds, ok := pull(n.In, outer)
	if !ok {
		return nil, nil, false
	}
	var stay []plan.Expr
	for _, p := range n.Preds {
		if !logical.Refs(p).Meets(outer) {
			stay = append(stay, p)
			continue
		}
		if logical.HasSub(p) || logical.Volatile(p) {
			return nil, nil, false
		}
		conds = append(conds, p)
	}
	if len(stay) == 0 {
		return in, conds, true
	}
	return &logical.Filter{In: in, Preds: stay}, conds, true
}

// exposed adds to a Project the columns of its input that conds need.
func exposed(p *logical.Project, in logical.Node, conds []plan.Expr) logical.Node {
	c := *p
	c.In = in
	c.Items = append([]logical.Item(nil), p.Items...)
	have := logical.OutSet(p)
	need := logical.Refs(conds...)
	for _, col := range in.Out() {
		if need[col.ID] && !have[col.ID] {
			have[col.ID] = true
			c.Items = append(c.Items, logical.Item{Col: col, Expr: col.Col()})
		}
	}
	return &c
}

func pullJoin(n *logical.Join, outer logical.Set) (logical.Node, []plan.Expr, bool) {
	var stay, conds []plan.Expr
	for _, p := range n.On {
		if !logical.Refs(p).Meets(outer) {
			stay = append(stay, p)
			continue
		}
		if n.Kind != plan.Inner || logical.HasSub(p) || logical.Volatile(p) {
			return nil, nil, false
		}
		conds = append(conds, p)
	}
	switch n.Kind {
	case plan.Inner:
	case plan.Left, plan.Semi, plan.Anti, plan.AntiNull, plan.Mark, plan.Single:
		if logical.Free(n.R).Meets(outer) {
			return nil, nil, false
		}
	default:
		return nil, nil, false
	}
	l, lc, ok := pull(n.L, outer)
	if !ok {
		return nil, nil, false
	}
	r, rc, ok := pull(n.R, outer)
	if !ok {
		return nil, nil, false
	}
	c := *n
	c.L, c.R, c.On = l, r, stay
	return &c, append(append(conds, lc...), rc...), true
}

func pullAggregate(n *logical.Aggregate, outer logical.Set) (logical.Node, []plan.Expr, bool) {
	if len(n.Keys) == 0 || logical.Refs(n.Exprs()...).Meets(outer) {
		return nil, nil, false
	}
	in, conds, ok := pull(n.In, outer)
	if !ok {
		return nil, nil, false
	}
	c := *n
	c.In = in
	on, ok := groupByConds(&c, conds, logical.OutSet(in))
	return &c, on, ok
}

// groupByConds makes the inner sides of correlated equalities keys of a. It
// returns the equalities over a's output.
func groupByConds(a *logical.Aggregate, conds []plan.Expr, inner logical.Set) ([]plan.Expr, bool) {
	a.Keys = append([]logical.Item(nil), a.Keys...)
	var on []plan.Expr
	for _, p := range conds {
		c, ok := logical.Equality(p)
		if !ok {
			return nil, false
		}
		side := 0
		if !inner.Has(logical.Refs(c.Args[0])) {
			side = 1
		}
		in, out := c.Args[side], c.Args[1-side]
		ref, isCol := in.(*plan.Col)
		if !isCol || !inner[ref.Index] || logical.Refs(out).Meets(inner) {
			return nil, false
		}
		have := false
		for i := range a.Keys {
			have = have || a.Keys[i].Col.ID == ref.Index
		}
		if !have {
			a.Keys = append(a.Keys, logical.Item{Col: logical.Column{ID: ref.Index, Type: ref.Typ}, Expr: ref})
		}
		on = append(on, p)
	}
	return on, true
}

// zeroWhenEmpty tells whether an aggregate of no rows is 0 and not NULL.
func zeroWhenEmpty(c *plan.AggCall) bool {
	return c.Agg.Kind.ZeroWhenEmpty()
}
