package logical

import "quern/engine/plan"

// Clone copies n with new numbers for all columns that it produces, so that the
// same rows can stand twice in a plan. It returns the new number of each.
func Clone(n Node, newID func() int) (Node, map[int]int) {
	c := cloner{newID: newID, ids: map[int]int{}}
	return c.node(n), c.ids
}

type cloner struct {
	newID func() int
	ids   map[int]int
}

func (c *cloner) col(x Column) Column {
	id, ok := c.ids[x.ID]
	if !ok {
		id = c.newID()
		c.ids[x.ID] = id
	}
	x.ID = id
	return x
}

func (c *cloner) cols(xs []Column) []Column {
	out := make([]Column, len(xs))
	for i := range xs {
		out[i] = c.col(xs[i])
	}
	return out
}

func (c *cloner) nums(xs []int) []int {
	out := make([]int, len(xs))
	for i, x := range xs {
		out[i] = x
		if id, ok := c.ids[x]; ok {
			out[i] = id
		}
	}
	return out
}

// expr renumbers the columns that the clone produces; outer ones stay.
func (c *cloner) expr(e plan.Expr) plan.Expr {
	return Map(e, func(x plan.Expr) plan.Expr {
		switch x := x.(type) {
		case *plan.Col:
			if id, ok := c.ids[x.Index]; ok {
				return &plan.Col{Index: id, Typ: x.Typ}
			}
		case *Sub:
			s := *x
			s.Node = c.node(x.Node)
			if s.Cond != nil {
				s.Cond = c.expr(s.Cond)
			}
			s.Args = c.exprs(x.Args)
			return &s
		}
		return nil
	})
}

func (c *cloner) exprs(es []plan.Expr) []plan.Expr {
	out := make([]plan.Expr, len(es))
	for i, e := range es {
		out[i] = c.expr(e)
	}
	return out
}

func (c *cloner) node(n Node) Node {
	if ins := n.Inputs(); len(ins) > 0 {
		out := make([]Node, len(ins))
		for i, in := range ins {
			out[i] = c.node(in)
		}
		n = n.WithInputs(out)
	}
	switch x := n.(type) {
	case *Scan:
		s := *x
		s.Cols = c.cols(x.Cols)
		n = &s
	case *Virtual:
		s := *x
		s.Cols = c.cols(x.Cols)
		n = &s
	case *Series:
		s := *x
		s.Cols = c.cols(x.Cols)
		n = &s
	case *Values:
		s := *x
		s.Cols = c.cols(x.Cols)
		n = &s
	case *Working:
		s := *x
		s.Cols = c.cols(x.Cols)
		n = &s
	case *Recursive:
		s := *x
		s.Cols = c.cols(x.Cols)
		s.BaseMap, s.StepMap = c.nums(x.BaseMap), c.nums(x.StepMap)
		n = &s
	case *Union:
		s := *x
		s.Cols = c.cols(x.Cols)
		s.Maps = make([][]int, len(x.Maps))
		for i := range x.Maps {
			s.Maps[i] = c.nums(x.Maps[i])
		}
		n = &s
	case *SetOp:
		s := *x
		s.Cols, s.LMap, s.RMap = c.cols(x.Cols), c.nums(x.LMap), c.nums(x.RMap)
		n = &s
	}
	n = n.WithExprs(c.exprs(n.Exprs()))
	switch x := n.(type) {
	case *Expand:
		if x.Func.Sub != nil {
			x.Func.Sub = c.node(x.Func.Sub)
		}
		x.Func.Cols = c.cols(x.Func.Cols)
	case *Project:
		for i := range x.Items {
			x.Items[i].Col = c.col(x.Items[i].Col)
		}
	case *Aggregate:
		for i := range x.Keys {
			x.Keys[i].Col = c.col(x.Keys[i].Col)
		}
		for i := range x.Aggs {
			x.Aggs[i].Col = c.col(x.Aggs[i].Col)
		}
	case *Window:
		for i := range x.Calls {
			x.Calls[i].Col = c.col(x.Calls[i].Col)
		}
	case *Join:
		if x.Kind == plan.Mark {
			x.MarkCol = c.col(x.MarkCol)
		}
	}
	return n
}

// Renumbered is e over a clone's columns: ids are their numbers by the original's.
func Renumbered(e plan.Expr, ids map[int]int) plan.Expr {
	if len(ids) == 0 {
		return e
	}
	return MapDeep(e, func(x plan.Expr) plan.Expr {
		if c, ok := x.(*plan.Col); ok {
			if id, ok := ids[c.Index]; ok {
				return &plan.Col{Index: id, Typ: c.Typ}
			}
		}
		return nil
	})
}
