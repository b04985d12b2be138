package physical

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/types/canon"
	"quern/storage/vec"
)

// Hash tables compare bytes. Keys of types whose equal values may differ in them
// (jsonb 1 and 1.0) are replaced by their canonical form; what a query shows of
// such a key is still a value that was there.

// canonical is e as a hash key.
func canonical(e plan.Expr) plan.Expr {
	t := e.Type()
	if !canon.Spelled(t) {
		return e
	}
	return &plan.Call{Fn: canonicalFunc(t), Args: []plan.Expr{e}, Typ: t}
}

// canonicalBytesMax is what the values of one batch may take.
const canonicalBytesMax = 1 << 30

// canonicalFunc is a function without a name in SQL.
func canonicalFunc(t types.Type) *fn.Func {
	return &fn.Func{Name: "canonical", Args: []types.OID{t.OID}, Ret: t.OID, Leakproof: true,
		Kernel: func(_ *fn.Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
			if sel != nil {
				n = len(sel)
			}
			var buf []byte
			for i := range n {
				if sel != nil {
					i = int(sel[i])
				}
				at := len(buf)
				if buf = canon.Append(buf, t, args[0].BytesAt(i)); len(buf) > canonicalBytesMax {
					return errs.New(errs.ProgramLimit, "values are too large to be grouped")
				}
				out.Views[i] = vec.MakeView(buf[at:], 0, uint32(at))
			}
			out.Bufs = [][]byte{buf}
			return nil
		}}
}

// canonicalGroups makes groups of a's keys by their canonical form; the key that
// is put out is any of the group's.
func canonicalGroups(a *plan.Aggregate) (plan.Node, error) {
	var shown []int
	for i, k := range a.Keys {
		if canon.Spelled(k.Type()) {
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
func (bd *builder) canonicalInput(n logical.Node, ids []int, cols []logical.Column) (plan.Node, error) {
	in, err := bd.mapped(n, ids, cols)
	if err != nil {
		return nil, err
	}
	p := &plan.Project{In: in, Names: names(cols)}
	spelled := false
	for i, t := range in.Types() {
		spelled = spelled || canon.Spelled(t)
		p.Exprs = append(p.Exprs, canonical(&plan.Col{Index: i, Typ: t}))
	}
	if !spelled {
		return in, nil
	}
	return p, nil
}
