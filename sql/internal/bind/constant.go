package bind

import (
	"quern/engine"
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
)

// Constant computes a column's default of type t; ok is false if its value
// depends on more than its text.
func Constant(env *Env, e ast.Expr, column string, t types.Type) (d types.Datum, ok bool, err error) {
	b := newBinder(env)
	x, err := b.expr(&exprCtx{scope: &scope{}, clause: "DEFAULT"}, e)
	if err != nil {
		return d, false, defaultError(err)
	}
	in, from := &inserter{b: b}, bare(x.Type())
	if x, err = in.assign(x, &catalog.Column{Name: column, Type: t}, e); err != nil {
		if errs.CodeOf(err) == errs.DatatypeMismatch {
			err = at(errs.New(errs.DatatypeMismatch, "column %q is of type %s but default expression is of type %s", column, bare(t), from).
				WithHint("You will need to rewrite or cast the expression."), e)
		}
		return d, false, err
	}
	ok = true
	logical.Walk(x, func(y plan.Expr) bool {
		switch y := y.(type) {
		case *plan.Call:
			ok = ok && y.Fn.Vol == fn.Immutable
		case *plan.Subquery, *logical.Sub, *plan.Param, *plan.Col:
			ok = false
		}
		return ok
	})
	if !ok {
		return d, false, nil
	}
	d, err = engine.EvalConst(x, env.Fn, nil)
	return d, true, err
}

// defaultError words what may not stand in a default.
func defaultError(err error) error {
	if errs.CodeOf(err) == errs.UndefinedColumn {
		e := *errs.As(err)
		e.Code, e.Msg, e.Hint = errs.FeatureNotSupported, "cannot use column reference in DEFAULT expression", ""
		return &e
	}
	return err
}

// Assigned binds a query whose columns are assigned to columns of the types
// want, which may be none.
func Assigned(env *Env, q *ast.Query, want []types.Type) (*Bound, error) {
	b := newBinder(env)
	r, err := b.query(&scope{}, q)
	if err != nil {
		return nil, err
	}
	if len(want) == 0 {
		if r, err = b.resolveUnknowns(r); err != nil {
			return nil, err
		}
		return b.finish(r)
	}
	in := &inserter{b: b}
	for i := range r.cols {
		in.cols = append(in.cols, &catalog.Column{Name: r.cols[i].Name, Type: want[i]})
	}
	if r, err = in.assignAll(r, q); err != nil {
		return nil, err
	}
	return b.finish(r)
}
