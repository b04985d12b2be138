package optimize

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
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
