// Package winfunc knows the functions that exist only over windows and what may
// not be written before OVER.
package winfunc

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/rowfunc"
	"quern/storage/errs"
	"quern/storage/types"
)

// Only are functions that exist only with OVER.
var Only = map[string]bool{
	"row_number": true, "rank": true, "dense_rank": true, "percent_rank": true, "cume_dist": true,
	"ntile": true, "lag": true, "lead": true, "first_value": true, "last_value": true, "nth_value": true,
}

// Funcs are the functions that are no aggregates: how many arguments they
// take, and their type, which is the first argument's if it is not set.
var Funcs = map[string]struct {
	Func     plan.WinFunc
	Min, Max int
	Type     types.Type
}{
	"row_number":   {plan.WinRowNumber, 0, 0, types.Int8},
	"rank":         {plan.WinRank, 0, 0, types.Int8},
	"dense_rank":   {plan.WinDenseRank, 0, 0, types.Int8},
	"percent_rank": {plan.WinPercentRank, 0, 0, types.Float8},
	"cume_dist":    {plan.WinCumeDist, 0, 0, types.Float8},
	"ntile":        {plan.WinNtile, 1, 1, types.Int4},
	"lag":          {plan.WinLag, 1, 3, types.Type{}},
	"lead":         {plan.WinLead, 1, 3, types.Type{}},
	"first_value":  {plan.WinFirstValue, 1, 1, types.Type{}},
	"last_value":   {plan.WinLastValue, 1, 1, types.Type{}},
	"nth_value":    {plan.WinNthValue, 2, 2, types.Type{}},
}

// Refuse is the error of a call with OVER that has what none may have, nil
// without any.
func Refuse(e *ast.Call, name string) error {
	switch {
	case e.WithinGroup && fn.IsOrderedSet(name):
		return errs.New(errs.FeatureNotSupported, "OVER is not supported for ordered-set aggregate %s", name)
	case fn.IsOrderedSet(name) && !Only[name]:
		return errs.New(errs.WrongObjectType, "WITHIN GROUP is required for ordered-set aggregate %s", name)
	case e.Variadic:
		return errs.NotSupported("VARIADIC")
	case e.Nulls == ast.NullsIgnore:
		return errs.NotSupported("IGNORE NULLS")
	case e.Distinct:
		return errs.New(errs.FeatureNotSupported, "DISTINCT is not implemented for window functions")
	case len(e.Order) > 0:
		return errs.New(errs.FeatureNotSupported, "aggregate ORDER BY is not implemented for window functions")
	}
	if fn.IsAgg(name) && !Only[name] {
		return nil
	}
	switch {
	case !Only[name] && (fn.IsFunc(name) || rowfunc.IsSet(name)):
		return errs.New(errs.WrongObjectType,
			"OVER specified, but %s is not a window function nor an aggregate function", name)
	case Only[name] && e.Filter != nil:
		return errs.New(errs.FeatureNotSupported, "FILTER is not implemented for non-aggregate window functions")
	}
	return nil
}
