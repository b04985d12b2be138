package physical

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

func (bd *builder) exprs(es []plan.Expr, lay layout) ([]plan.Expr, error) {
	out := make([]plan.Expr, len(es))
	for i, e := range es {
		x, err := bd.expr(e, lay)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

// expr turns column numbers into positions and subqueries into plans.
func (bd *builder) expr(e plan.Expr, lay layout) (plan.Expr, error) {
	var err error
	out := logical.Map(e, func(x plan.Expr) plan.Expr {
		switch x := x.(type) {
		case *plan.Col:
			at, ok := lay[x.Index]
			if !ok {
				err = missing(x.Index)
				return x
			}
			return &plan.Col{Index: at, Typ: x.Typ}
		case *logical.Sub:
			s, serr := bd.subquery(x, lay)
			if serr != nil {
				err = serr
				return x
			}
			return s
		}
		return nil
	})
	return out, err
}

// subquery makes a plan of a subquery: of one that refers to nothing outside, a
// constant; of another, a plan to run by row. optimize sees to it that there are
// no others.
func (bd *builder) subquery(s *logical.Sub, lay layout) (plan.Expr, error) {
	if s.Applied {
		return bd.subPlan(s, lay)
	}
	if len(logical.Free(s.Node)) > 0 || s.Kind == logical.SubAny {
		return nil, errs.New(errs.Internal, "correlated subquery without its values").WithPos(s.Pos + 1)
	}
	if s.Kind == logical.SubExists {
		p, _, err := bd.build(s.Node)
		return &plan.Subquery{Plan: p, Exists: true, Typ: types.Bool}, err
	}
	p, err := bd.whole(s.Node, s.Node.Out())
	return &plan.Subquery{Plan: p, Typ: s.Typ}, err
}

func (bd *builder) subPlan(s *logical.Sub, lay layout) (plan.Expr, error) {
	args, err := bd.exprs(s.Args, lay)
	if err != nil {
		return nil, err
	}
	out := &plan.SubPlan{Args: args, IDs: s.IDs, Typ: s.Typ, Volatile: logical.Volatile(s)}
	if s.Kind == logical.SubExists {
		out.Kind = plan.SubExists
		out.Plan, _, err = bd.build(s.Node)
		return out, err
	}
	if s.Kind == logical.SubAny {
		out.Kind = plan.SubAny
	}
	out.Plan, err = bd.whole(s.Node, s.Node.Out()[:1])
	return out, err
}
