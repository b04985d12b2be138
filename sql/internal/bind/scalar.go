package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// Scalar binds an expression without columns (EXECUTE's arguments, DEFAULT,
// CALL) and converts it to type want as an assignment; want of OID 0 keeps its
// own type.
func Scalar(env *Env, e ast.Expr, want types.Type) (plan.Expr, error) {
	b := newBinder(env)
	x, err := b.expr(&exprCtx{scope: &scope{}, clause: "VALUES"}, e)
	if err != nil {
		return nil, err
	}
	if logical.HasSub(x) {
		return nil, at(errs.NotSupported("a subquery in this expression"), e)
	}
	if want.OID == 0 {
		return b.known(x, e)
	}
	from := x.Type()
	r, err := b.coerce(x, want, castAssignment, e)
	if errs.CodeOf(err) == errs.DatatypeMismatch {
		err = at(errs.New(errs.DatatypeMismatch, "expression of type %s cannot be converted to type %s", bare(from), bare(want)), e)
	}
	return r, err
}
