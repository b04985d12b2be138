package engine

import (
	"quern/engine/fn"
	"quern/engine/internal/expr"
	"quern/engine/plan"
	"quern/storage/types"
)

// EvalConst evaluates an expression without columns and subqueries: a literal,
// a default, a constant that the planner wants to fold.
func EvalConst(e plan.Expr, env *fn.Env, params []types.Datum) (types.Datum, error) {
	return expr.EvalConst(e, env, params)
}

// Fold replaces the constant parts of e whose value can never change by their
// values. A part that raises an error stays as it is: the error belongs to the
// rows that reach it.
func Fold(e plan.Expr, env *fn.Env) plan.Expr { return expr.Fold(e, env) }
