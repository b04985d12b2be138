package physical

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
)

func (bd *builder) window(n *logical.Window) (plan.Node, layout, error) {
	in, lay, err := bd.build(n.In)
	if err != nil {
		return nil, nil, err
	}
	w := &plan.Window{In: in}
	if w.Partition, err = bd.exprs(n.Partition, lay); err != nil {
		return nil, nil, err
	}
	if w.Order, err = bd.sortKeys(n.Order, lay); err != nil {
		return nil, nil, err
	}
	cols := ordered(lay, len(in.Types()))
	for i := range n.Calls {
		c := &n.Calls[i].Call
		es, err := bd.exprs(c.Exprs(), lay)
		if err != nil {
			return nil, nil, err
		}
		w.Calls = append(w.Calls, c.WithExprs(es))
		cols = append(cols, n.Calls[i].Col)
	}
	return w, layoutOf(cols), nil
}
