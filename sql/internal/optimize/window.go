package optimize

import (
	"math"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// pruneWindow drops functions that nobody reads, and the node without any.
func pruneWindow(n *logical.Window, need logical.Set) logical.Node {
	c := *n
	c.Calls = nil
	for i := range n.Calls {
		if need[n.Calls[i].Col.ID] {
			c.Calls = append(c.Calls, n.Calls[i])
		}
	}
	if len(c.Calls) == 0 {
		return prune(n.In, need)
	}
	c.In = prune(n.In, with(need, c.Exprs()...))
	return &c
}

// limit numbers the rows of each outer value in n's order and keeps those
// between OFFSET and LIMIT.
func (d *dependence) limit(n *logical.Limit) (logical.Node, place, error) {
	count, ok := bound(n.Count)
	offset, okOffset := bound(n.Offset)
	if !ok || !okOffset || n.Ties {
		return nil, nil, errRowByRow
	}
	src := n.In
	var order []plan.SortKey
	if s, sorted := src.(*logical.Sort); sorted {
		src, order = s.In, s.Keys
	}
	in, at, err := d.push(src)
	if err != nil {
		return nil, nil, err
	}
	w := &logical.Window{In: in}
	for _, c := range d.cols {
		w.Partition = append(w.Partition, at[c.ID].Col())
	}
	for _, k := range order {
		k.Expr = at.subst([]plan.Expr{k.Expr})[0]
		w.Order = append(w.Order, k)
	}
	call := plan.WindowCall{Func: plan.WinRowNumber, Name: "row_number", AggCall: plan.AggCall{Typ: types.Int8}}
	col := d.o.newCol("row_number", types.Int8)
	w.Calls = []logical.WinItem{{Col: col, Call: call}}
	f := &logical.Filter{In: w}
	compare := func(op string, v int64) error {
		fun, _, err := fn.LookupOp(op, types.Int8, types.Int8)
		if err == nil {
			f.Preds = append(f.Preds, &plan.Call{Fn: fun, Typ: types.Bool,
				Args: []plan.Expr{col.Col(), &plan.Lit{Val: types.Datum{I: v}, Typ: types.Int8}}})
		}
		return err
	}
	if n.Offset != nil {
		if err := compare(">", offset); err != nil {
			return nil, nil, err
		}
	}
	if n.Count != nil {
		if err := compare("<=", min(count, math.MaxInt64-offset)+offset); err != nil {
			return nil, nil, err
		}
	}
	return f, at, nil
}

// bound is the value of a constant LIMIT or OFFSET; none is 0.
func bound(e plan.Expr) (int64, bool) {
	if e == nil {
		return 0, true
	}
	l, ok := e.(*plan.Lit)
	if !ok || l.Val.Null || l.Val.I < 0 {
		return 0, false
	}
	return l.Val.I, true
}

// window makes the outer values part of each partition.
func (d *dependence) window(n *logical.Window) (logical.Node, place, error) {
	in, at, err := d.push(n.In)
	if err != nil {
		return nil, nil, err
	}
	w := n.WithInputs([]logical.Node{in}).WithExprs(at.subst(n.Exprs())).(*logical.Window)
	for _, c := range d.cols {
		w.Partition = append(w.Partition, at[c.ID].Col())
	}
	return w, at, nil
}

// pushWindow moves predicates on partition columns below: they keep or drop
// whole partitions.
func pushWindow(n *logical.Window, preds []plan.Expr) logical.Node {
	parts := logical.Set{}
	for _, e := range n.Partition {
		if c, ok := e.(*plan.Col); ok {
			parts[c.Index] = true
		}
	}
	var above, below []plan.Expr
	for _, p := range preds {
		if refs := logical.Refs(p); len(refs) > 0 && parts.Has(refs) && !logical.HasSub(p) {
			below = append(below, p)
		} else {
			above = append(above, p)
		}
	}
	c := *n
	c.In = push(n.In, below)
	return keep(&c, above)
}
