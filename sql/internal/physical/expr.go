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
			s, serr := bd.subquery(x)
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

// subquery makes a plan of a subquery that refers to nothing outside. IN is
// rewritten by optimize and never arrives here unless it could not be.
func (bd *builder) subquery(s *logical.Sub) (plan.Expr, error) {
	if len(logical.Free(s.Node)) > 0 || s.Kind == logical.SubAny {
		return nil, errs.NotSupported("correlated subquery of this form").WithPos(s.Pos + 1)
	}
	if s.Kind == logical.SubExists {
		p, _, err := bd.build(s.Node)
		return &plan.Subquery{Plan: p, Exists: true, Typ: types.Bool}, err
	}
	p, err := bd.whole(s.Node, s.Node.Out())
	return &plan.Subquery{Plan: p, Typ: s.Typ}, err
}
