package optimize

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
)

// outerToInner turns outer joins whose padded rows a filter above rejects into
// inner or one-sided ones.
func outerToInner(n logical.Node) logical.Node {
	if f, ok := n.(*logical.Filter); ok {
		if j, ok := f.In.(*logical.Join); ok {
			if k := strengthened(j, f.Preds); k != j.Kind {
				c := *j
				c.Kind = k
				n = &logical.Filter{In: &c, Preds: f.Preds}
			}
		}
	}
	return mapInputs(n, outerToInner)
}

// mapInputs applies f to the inputs of n; n itself comes back if none changed.
func mapInputs(n logical.Node, f func(logical.Node) logical.Node) logical.Node {
	ins := n.Inputs()
	var out []logical.Node
	for i, in := range ins {
		r := f(in)
		if r != in && out == nil {
			out = append([]logical.Node(nil), ins...)
		}
		if out != nil {
			out[i] = r
		}
	}
	if out == nil {
		return n
	}
	return n.WithInputs(out)
}

func strengthened(j *logical.Join, preds []plan.Expr) plan.JoinKind {
	if j.Kind != plan.Left && j.Kind != plan.Right && j.Kind != plan.Full {
		return j.Kind
	}
	rejectsL, rejectsR := false, false
	l, r := logical.OutSet(j.L), logical.OutSet(j.R)
	for _, p := range preds {
		rejectsL = rejectsL || rejectsNull(p, l)
		rejectsR = rejectsR || rejectsNull(p, r)
	}
	switch {
	case j.Kind == plan.Left && rejectsR, j.Kind == plan.Right && rejectsL, j.Kind == plan.Full && rejectsL && rejectsR:
		return plan.Inner
	case j.Kind == plan.Full && rejectsL:
		return plan.Left
	case j.Kind == plan.Full && rejectsR:
		return plan.Right
	}
	return j.Kind
}

// rejectsNull tells whether p cannot be true if all columns of s are NULL.
func rejectsNull(p plan.Expr, s logical.Set) bool {
	switch x := p.(type) {
	case *plan.And:
		for _, a := range x.Args {
			if rejectsNull(a, s) {
				return true
			}
		}
		return false
	case *plan.Or:
		for _, a := range x.Args {
			if !rejectsNull(a, s) {
				return false
			}
		}
		return true
	case *plan.IsNull:
		return x.Not && nullIfNull(x.Arg, s)
	case *plan.IsBool:
		return !x.Not && nullIfNull(x.Arg, s)
	}
	return nullIfNull(p, s)
}

// nullIfNull tells whether e is NULL if all columns of s are.
func nullIfNull(e plan.Expr, s logical.Set) bool {
	switch x := e.(type) {
	case *plan.Col:
		return s[x.Index]
	case *plan.Lit:
		return x.Val.Null
	case *plan.Cast:
		return nullIfNull(x.Arg, s)
	case *plan.Not:
		return nullIfNull(x.Arg, s)
	case *plan.In:
		return nullIfNull(x.Arg, s)
	case *plan.Like:
		return nullIfNull(x.Arg, s) || nullIfNull(x.Pattern, s)
	case *plan.Call:
		if x.Fn.NotStrict {
			return false
		}
		for _, a := range x.Args {
			if nullIfNull(a, s) {
				return true
			}
		}
	}
	return false
}
