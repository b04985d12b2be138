package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// inner binds a subquery of an expression.
func (b *binder) inner(ctx *exprCtx, q *ast.Query) (*result, error) {
	r, err := b.subquery(ctx, q)
	if err != nil {
		return nil, err
	}
	return b.resolveUnknowns(r)
}

func (b *binder) exists(ctx *exprCtx, e *ast.Exists) (plan.Expr, error) {
	r, err := b.subquery(ctx, e.Query)
	if err != nil {
		return nil, err
	}
	return &logical.Sub{Kind: logical.SubExists, Node: r.node, Typ: types.Bool, Pos: e.Pos}, nil
}

func (b *binder) scalarSubquery(ctx *exprCtx, e *ast.Subquery) (plan.Expr, error) {
	r, err := b.inner(ctx, e.Query)
	if err != nil {
		return nil, err
	}
	if len(r.cols) != 1 {
		return nil, at(errs.New(errs.Syntax, "subquery must return only one column"), e)
	}
	if b.subNames == nil {
		b.subNames = map[*ast.Query]string{}
	}
	b.subNames[e.Query] = r.cols[0].Name
	node := onlyColumns(r)
	return &logical.Sub{Kind: logical.SubScalar, Node: node, Typ: r.cols[0].Type, Pos: e.Pos}, nil
}

// onlyColumns drops hidden sort columns: the output is exactly the result.
func onlyColumns(r *result) logical.Node {
	out := r.node.Out()
	if len(out) == len(r.cols) {
		same := true
		for i := range out {
			same = same && out[i].ID == r.cols[i].ID
		}
		if same {
			return r.node
		}
	}
	p := &logical.Project{In: r.node}
	for _, c := range r.cols {
		p.Items = append(p.Items, logical.Item{Col: c.Column, Expr: c.Col()})
	}
	return p
}

// inQuery binds `left [NOT] IN (query)` and `left op ANY (query)`.
func (b *binder) inQuery(ctx *exprCtx, left ast.Expr, op string, q *ast.Query, not bool, n ast.Expr) (plan.Expr, error) {
	var ls []plan.Expr
	row, err := b.row(ctx, left)
	if err != nil {
		return nil, err
	}
	if row != nil {
		ls = row.exprs
	} else if ls, err = b.exprs(ctx, []ast.Expr{left}); err != nil {
		return nil, err
	}
	r, err := b.inner(ctx, q)
	if err != nil {
		return nil, err
	}
	switch {
	case len(r.cols) < len(ls):
		return nil, at(errs.New(errs.Syntax, "subquery has too few columns"), n)
	case len(r.cols) > len(ls):
		return nil, at(errs.New(errs.Syntax, "subquery has too many columns"), n)
	}
	rs := make([]plan.Expr, len(ls))
	for i := range r.cols {
		rs[i] = r.cols[i].Col()
	}
	var cond plan.Expr
	if len(ls) == 1 {
		switch op {
		case "~~", "!~~", "~~*", "!~~*":
			cond, err = b.like(ls[0], rs[0], '\\', op, n)
		default:
			cond, err = b.operator(op, ls[0], rs[0], n)
		}
	} else {
		cond, err = b.rowCompare(op, ls, rs, n)
	}
	if err != nil {
		return nil, err
	}
	if cond.Type().OID != types.BoolOID {
		return nil, at(errs.New(errs.DatatypeMismatch, "row comparison operator must yield type boolean, not type %s", bare(cond.Type())), n)
	}
	var out plan.Expr = &logical.Sub{Kind: logical.SubAny, Node: onlyColumns(r), Cond: cond, Typ: types.Bool, Pos: n.Position()}
	if not {
		out = &plan.Not{Arg: out}
	}
	return out, nil
}

// quantified binds op ANY/ALL (query): ALL is NOT ANY of the negation.
func (b *binder) quantified(ctx *exprCtx, e *ast.AnyAll) (plan.Expr, error) {
	x, err := b.inQuery(ctx, e.Left, e.Name, e.Query, false, e)
	if err != nil || !e.All {
		return x, err
	}
	s := *x.(*logical.Sub)
	s.Cond = &plan.Not{Arg: s.Cond}
	return &plan.Not{Arg: &s}, nil
}
