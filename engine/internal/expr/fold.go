package expr

import (
	"quern/engine/fn"
	"quern/engine/plan"
)

// Fold replaces constant, immutable parts of e by literals. A part that raises
// is left in place. Nodes are copied, never changed.
func Fold(e plan.Expr, env *fn.Env) plan.Expr {
	f := folder{env}
	out, _ := f.fold(e)
	return out
}

type folder struct{ env *fn.Env }

// list folds es; konst tells whether all are constant.
func (f *folder) list(es []plan.Expr) (out []plan.Expr, konst bool) {
	out, konst = make([]plan.Expr, len(es)), true
	for i, e := range es {
		x, k := f.fold(e)
		out[i] = x
		konst = konst && k
	}
	return out, konst
}

// fold is one switch over all expressions. konst tells whether the result is a
// literal.
func (f *folder) fold(e plan.Expr) (res plan.Expr, konst bool) {
	switch x := e.(type) {
	case *plan.Lit:
		return x, true
	case *plan.Call:
		c := *x
		c.Args, konst = f.list(x.Args)
		konst = konst && x.Fn.Vol == fn.Immutable
		res = &c
	case *plan.Cast:
		c := *x
		c.Arg, konst = f.fold(x.Arg)
		if conv, err := fn.ConversionOf(c.Arg.Type(), c.Typ, c.Ctx); err != nil || conv.Vol != fn.Immutable {
			konst = false
		}
		res = &c
	case *plan.And:
		c := &plan.And{}
		c.Args, konst = f.list(x.Args)
		res = c
	case *plan.Or:
		c := &plan.Or{}
		c.Args, konst = f.list(x.Args)
		res = c
	case *plan.Not:
		c := &plan.Not{}
		c.Arg, konst = f.fold(x.Arg)
		res = c
	case *plan.IsNull:
		c := *x
		c.Arg, konst = f.fold(x.Arg)
		res = &c
	case *plan.IsBool:
		c := *x
		c.Arg, konst = f.fold(x.Arg)
		res = &c
	case *plan.Distinct:
		c := *x
		var k bool
		c.L, konst = f.fold(x.L)
		c.R, k = f.fold(x.R)
		konst = konst && k
		res = &c
	case *plan.Case:
		res, konst = f.branches(x)
	case *plan.Coalesce:
		c := *x
		c.Args, konst = f.list(x.Args)
		res = &c
	case *plan.In:
		c := *x
		var k bool
		c.Arg, konst = f.fold(x.Arg)
		c.List, k = f.list(x.List)
		konst = konst && k
		res = &c
	case *plan.Like:
		c := *x
		var k bool
		c.Arg, konst = f.fold(x.Arg)
		c.Pattern, k = f.fold(x.Pattern)
		konst = konst && k
		res = &c
	default:
		return e, false
	}
	if !konst {
		return res, false
	}
	d, err := EvalConst(res, f.env, nil)
	if err != nil {
		return res, false
	}
	return &plan.Lit{Val: d, Typ: res.Type()}, true
}

func (f *folder) branches(x *plan.Case) (plan.Expr, bool) {
	c, konst := *x, true
	c.Whens = make([]plan.When, len(x.Whens))
	for i, w := range x.Whens {
		var k1, k2 bool
		c.Whens[i].Cond, k1 = f.fold(w.Cond)
		c.Whens[i].Then, k2 = f.fold(w.Then)
		konst = konst && k1 && k2
	}
	if x.Else != nil {
		var k bool
		c.Else, k = f.fold(x.Else)
		konst = konst && k
	}
	return &c, konst
}
