package optimize

import (
	"slices"

	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// What no join can compute (volatile functions, recursion, a condition of an
// outer join that refers to both sides) runs row by row, as PostgreSQL does all
// of it: the subquery is closed, so that the values of the row around it are
// its parameters.

// closed is n with its outer columns replaced by parameters: args[i] is the
// value of the plan.Outer with ids[i].
func (o *optimizer) closed(n logical.Node) (out logical.Node, args []plan.Expr, ids []int) {
	free := logical.Free(n)
	if len(free) == 0 {
		return n, nil, nil
	}
	outer := map[int]*plan.Outer{}
	out = logical.MapExprs(n, func(x plan.Expr) plan.Expr {
		c, ok := x.(*plan.Col)
		if !ok || !free[c.Index] {
			return nil
		}
		p := outer[c.Index]
		if p == nil {
			p = &plan.Outer{ID: o.newCol("", c.Typ).ID, Typ: c.Typ}
			outer[c.Index] = p
			args, ids = append(args, c), append(ids, p.ID)
		}
		return p
	})
	return out, args, ids
}

// ofRound tells whether n reads the rows of a round of the recursion around it:
// what it gives is constant for one round only.
func ofRound(n logical.Node, inside ...int) bool {
	switch x := n.(type) {
	case *logical.Working:
		return !slices.Contains(inside, x.ID)
	case *logical.Recursive:
		inside = append(inside, x.ID)
	case *logical.Expand:
		if x.Func.Sub != nil && ofRound(x.Func.Sub, inside...) {
			return true
		}
	}
	found := false
	for _, e := range n.Exprs() {
		logical.Walk(e, func(x plan.Expr) bool {
			if s, ok := x.(*logical.Sub); ok {
				found = found || ofRound(s.Node, inside...)
			}
			return !found
		})
	}
	for _, in := range n.Inputs() {
		found = found || ofRound(in, inside...)
	}
	return found
}

// apply makes a subquery that runs row by row of s, whose plan is unnested.
func (o *optimizer) apply(s *logical.Sub) *logical.Sub {
	if s.Applied {
		return s
	}
	c := *s
	switch s.Kind {
	case logical.SubAny:
		c.Node = &logical.Project{In: s.Node, Items: []logical.Item{{Col: o.newCol("any", types.Bool), Expr: s.Cond}}}
		c.Cond = nil
	case logical.SubScalar:
		c.Node = exactly(s.Node, s.Node.Out()[:1])
	}
	c.Node, c.Args, c.IDs = o.closed(c.Node)
	c.Applied = true
	return &c
}

// applyJoin runs the right side of a LATERAL join for each row of the left one.
// The conditions of a left join become part of it.
func (o *optimizer) applyJoin(j *logical.Join) logical.Node {
	r := j.R
	if j.Kind == plan.Left && len(j.On) > 0 {
		r = &logical.Filter{In: r, Preds: j.On}
	}
	f := &logical.Series{Name: "lateral", Cols: j.R.Out()}
	f.Sub, f.Args, f.IDs = o.closed(r)
	x := &logical.Expand{In: j.L, Func: f, Outer: j.Kind == plan.Left}
	if j.Kind == plan.Left {
		return x
	}
	return keep(x, j.On)
}
