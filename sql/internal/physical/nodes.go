package physical

import (
	"context"

	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
	"quern/storage/vec"
)

func colTypes(cols []logical.Column) []types.Type {
	out := make([]types.Type, len(cols))
	for i := range cols {
		out[i] = cols[i].Type
	}
	return out
}

func (bd *builder) scan(n *logical.Scan) (plan.Node, layout, error) {
	lay := layoutOf(n.Cols)
	preds, err := bd.exprs(n.Filter, lay)
	if err != nil {
		return nil, nil, err
	}
	s := &plan.Scan{View: n.View(), Table: n.Table, Alias: n.Alias, Cols: n.ColIDs, Names: names(n.Cols), Typs: colTypes(n.Cols)}
	s.Filter = logical.AndOf(preds)
	if len(n.Inner) > 0 {
		s.Inner = make([]bool, len(n.Cols))
		for i, c := range n.Cols {
			s.Inner[i] = n.Inner[c.ID]
		}
	}
	return s, lay, nil
}

func virtual(n *logical.Virtual) (plan.Node, layout, error) {
	v := &plan.Virtual{Name: n.Name, Names: names(n.Cols), Typs: colTypes(n.Cols), Gen: n.Gen}
	whole := len(n.At) == len(n.All)
	for i, at := range n.At {
		whole = whole && i == at
	}
	if !whole {
		gen, at := n.Gen, n.At
		v.Gen = func(ctx context.Context) ([]*vec.Batch, error) {
			in, err := gen(ctx)
			if err != nil {
				return nil, err
			}
			out := make([]*vec.Batch, len(in))
			for i, b := range in {
				c := *b
				c.Cols = make([]vec.Vector, len(at))
				for j, k := range at {
					c.Cols[j] = b.Cols[k]
				}
				out[i] = &c
			}
			return out, nil
		}
	}
	return v, layoutOf(n.Cols), nil
}

func (bd *builder) values(n *logical.Values) (plan.Node, layout, error) {
	v := &plan.Values{Typs: colTypes(n.Cols), Rows: make([][]plan.Expr, len(n.Rows))}
	for i, r := range n.Rows {
		var err error
		if v.Rows[i], err = bd.exprs(r, nil); err != nil {
			return nil, nil, err
		}
	}
	return v, layoutOf(n.Cols), nil
}

func (bd *builder) project(n *logical.Project) (plan.Node, layout, error) {
	in, lay, err := bd.build(n.In)
	if err != nil {
		return nil, nil, err
	}
	p := &plan.Project{In: in}
	cols := make([]logical.Column, len(n.Items))
	for i := range n.Items {
		e, err := bd.expr(n.Items[i].Expr, lay)
		if err != nil {
			return nil, nil, err
		}
		p.Exprs = append(p.Exprs, e)
		cols[i] = n.Items[i].Col
	}
	p.Names = names(cols)
	return p, layoutOf(cols), nil
}

func (bd *builder) aggregate(n *logical.Aggregate) (plan.Node, layout, error) {
	in, lay, err := bd.build(n.In)
	if err != nil {
		return nil, nil, err
	}
	a := &plan.Aggregate{In: in}
	for i := range n.Keys {
		e, err := bd.expr(n.Keys[i].Expr, lay)
		if err != nil {
			return nil, nil, err
		}
		a.Keys = append(a.Keys, e)
	}
	for i := range n.Aggs {
		c := n.Aggs[i].Call
		if c.Args, err = bd.exprs(c.Args, lay); err != nil {
			return nil, nil, err
		}
		if c.Filter != nil {
			if c.Filter, err = bd.expr(c.Filter, lay); err != nil {
				return nil, nil, err
			}
		}
		if c.Order, err = bd.sortKeys(c.Order, lay); err != nil {
			return nil, nil, err
		}
		a.Aggs = append(a.Aggs, c)
	}
	out, err := canonicalGroups(a)
	return out, layoutOf(n.Out()), err
}

func (bd *builder) sortKeys(keys []plan.SortKey, lay layout) ([]plan.SortKey, error) {
	out := make([]plan.SortKey, len(keys))
	for i, k := range keys {
		e, err := bd.expr(k.Expr, lay)
		if err != nil {
			return nil, err
		}
		out[i] = k
		out[i].Expr = e
	}
	return out, nil
}

// limit makes TopN of a Limit on a Sort that has a count.
func (bd *builder) limit(n *logical.Limit) (plan.Node, layout, error) {
	bounds := func(lay layout) (count, offset plan.Expr, err error) {
		if n.Count != nil {
			if count, err = bd.expr(n.Count, nil); err != nil {
				return nil, nil, err
			}
		}
		if n.Offset != nil {
			offset, err = bd.expr(n.Offset, nil)
		}
		return count, offset, err
	}
	if s, ok := n.In.(*logical.Sort); ok && n.Count != nil {
		in, lay, err := bd.build(s.In)
		if err != nil {
			return nil, nil, err
		}
		keys, err := bd.sortKeys(s.Keys, lay)
		if err != nil {
			return nil, nil, err
		}
		count, offset, err := bounds(lay)
		return &plan.TopN{In: in, Keys: keys, Count: count, Offset: offset, Ties: n.Ties}, lay, err
	}
	in, lay, err := bd.build(n.In)
	if err != nil {
		return nil, nil, err
	}
	count, offset, err := bounds(lay)
	return &plan.Limit{In: in, Count: count, Offset: offset}, lay, err
}
