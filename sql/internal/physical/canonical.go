package physical

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// Hash tables compare bytes. Keys of types whose equal values may differ in them
// (jsonb 1 and 1.0) are replaced by their canonical form; what a query shows of
// such a key is still a value that was there.

// canonical is e as a hash key.
func canonical(e plan.Expr) plan.Expr {
	t := e.Type()
	if !types.Spelled(t) {
		return e
	}
	return &plan.Call{Fn: fn.Canonical(t), Args: []plan.Expr{e}, Typ: t}
}

// canonicalGroups makes groups of a's keys by their canonical form; the key that
// is put out is any of the group's.
func canonicalGroups(a *plan.Aggregate) (plan.Node, error) {
	var shown []int
	for i, k := range a.Keys {
		if types.Spelled(k.Type()) {
			shown = append(shown, i)
		}
	}
	for i := range a.Aggs {
		if c := &a.Aggs[i]; c.Distinct {
			for k := range c.Args {
				c.Args[k] = canonical(c.Args[k])
			}
			for k := range c.Order {
				c.Order[k].Expr = canonical(c.Order[k].Expr)
			}
		}
	}
	if len(shown) == 0 {
		return a, nil
	}
	n := len(a.Keys)
	p := &plan.Project{In: a}
	for i, k := range a.Keys {
		p.Exprs = append(p.Exprs, &plan.Col{Index: i, Typ: k.Type()})
	}
	for i := range a.Aggs {
		p.Exprs = append(p.Exprs, &plan.Col{Index: n + i, Typ: a.Aggs[i].Typ})
	}
	for _, i := range shown {
		k := a.Keys[i]
		agg, _, err := fn.LookupAgg("any_value", []types.Type{k.Type()})
		if err != nil {
			return nil, err
		}
		p.Exprs[i] = &plan.Col{Index: n + len(a.Aggs), Typ: k.Type()}
		a.Aggs = append(a.Aggs, plan.AggCall{Agg: agg, Args: []plan.Expr{k}, Typ: k.Type()})
		a.Keys[i] = canonical(k)
	}
	p.Names = make([]string, len(p.Exprs))
	return p, nil
}

// canonicalInput is mapped for inputs whose rows are compared whole.
func canonicalInput(n logical.Node, ids []int, cols []logical.Column) (plan.Node, error) {
	in, err := mapped(n, ids, cols)
	if err != nil {
		return nil, err
	}
	p := &plan.Project{In: in, Names: names(cols)}
	spelled := false
	for i, t := range in.Types() {
		spelled = spelled || types.Spelled(t)
		p.Exprs = append(p.Exprs, canonical(&plan.Col{Index: i, Typ: t}))
	}
	if !spelled {
		return in, nil
	}
	return p, nil
}
