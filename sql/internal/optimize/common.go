package optimize

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// common computes expressions that several arguments of an aggregation contain
// once, in a projection below it. Only what is evaluated for every row counts:
// parts of CASE, COALESCE, AND, OR and calls with FILTER stay where they are.
func (o *optimizer) common(n logical.Node) logical.Node {
	n = mapInputs(n, o.common)
	a, ok := n.(*logical.Aggregate)
	if !ok {
		return n
	}
	uses := map[string]int{}
	for i := range a.Aggs {
		if c := &a.Aggs[i].Call; c.Filter == nil {
			for _, e := range c.Args {
				countUses(e, uses)
			}
		}
	}
	c := &commonRewrite{o: o, uses: uses, cols: map[string]*plan.Col{}}
	out := *a
	out.Aggs = append([]logical.AggItem(nil), a.Aggs...)
	for i := range out.Aggs {
		call := &out.Aggs[i].Call
		if call.Filter != nil {
			continue
		}
		call.Args = append([]plan.Expr(nil), call.Args...)
		for j, e := range call.Args {
			call.Args[j] = c.replace(e)
		}
	}
	if len(c.items) == 0 {
		return n
	}
	p := &logical.Project{In: a.In}
	for _, col := range a.In.Out() {
		p.Items = append(p.Items, logical.Item{Col: col, Expr: col.Col()})
	}
	p.Items = append(p.Items, c.items...)
	out.In = p
	return &out
}

// dear tells whether an expression costs more than passing its result on.
func dear(e plan.Expr) bool {
	c, ok := e.(*plan.Call)
	if !ok || len(logical.Refs(e)) == 0 || logical.Volatile(e) || logical.HasSub(e) {
		return false
	}
	for _, a := range c.Args {
		switch a.Type().Phys() {
		case types.PhysNum, types.PhysBytes:
			return true
		}
	}
	return false
}

// parts are the subexpressions that are evaluated whenever e is.
func parts(e plan.Expr) []plan.Expr {
	switch e.(type) {
	case *plan.Call, *plan.Cast:
		return logical.Children(e)
	}
	return nil
}

func countUses(e plan.Expr, uses map[string]int) {
	if dear(e) {
		uses[logical.Key(e)]++
	}
	for _, x := range parts(e) {
		countUses(x, uses)
	}
}

type commonRewrite struct {
	o     *optimizer
	uses  map[string]int
	cols  map[string]*plan.Col
	items []logical.Item
}

func (c *commonRewrite) replace(e plan.Expr) plan.Expr {
	if dear(e) {
		k := logical.Key(e)
		if c.uses[k] > 1 {
			col := c.cols[k]
			if col == nil {
				nc := c.o.newCol("", e.Type())
				c.items = append(c.items, logical.Item{Col: nc, Expr: e})
				col = nc.Col()
				c.cols[k] = col
			}
			return col
		}
	}
	ch := parts(e)
	if len(ch) == 0 {
		return e
	}
	out := append([]plan.Expr(nil), ch...)
	for i := range out {
		out[i] = c.replace(out[i])
	}
	return logical.WithChildren(e, out)
}
