package optimize

import (
	"quern/engine/plan"
)

// leakproof tells whether a predicate can be evaluated on rows that its author
// may not see: it raises for none, so that no error tells of them.
func leakproof(e plan.Expr) bool {
	switch x := e.(type) {
	case *plan.Col, *plan.Lit, *plan.Param:
		return true
	case *plan.And:
		return allLeakproof(x.Args)
	case *plan.Or:
		return allLeakproof(x.Args)
	case *plan.Not:
		return leakproof(x.Arg)
	case *plan.IsNull:
		return leakproof(x.Arg)
	case *plan.IsBool:
		return leakproof(x.Arg)
	case *plan.Distinct:
		return leakproof(x.L) && leakproof(x.R)
	case *plan.In:
		return leakproof(x.Arg) && allLeakproof(x.List)
	case *plan.Call:
		return !x.Fn.CanRaise && immutable(x) && allLeakproof(x.Args)
	}
	return false
}

func allLeakproof(es []plan.Expr) bool {
	for _, e := range es {
		if !leakproof(e) {
			return false
		}
	}
	return true
}
