package logical

import (
	"quern/engine/fn"
	"quern/engine/plan"
)

// Children are the direct subexpressions of e; for a Sub its Cond or Args.
func Children(e plan.Expr) []plan.Expr {
	switch e := e.(type) {
	case *plan.Call:
		return e.Args
	case *plan.Cast:
		return []plan.Expr{e.Arg}
	case *plan.And:
		return e.Args
	case *plan.Or:
		return e.Args
	case *plan.Not:
		return []plan.Expr{e.Arg}
	case *plan.IsNull:
		return []plan.Expr{e.Arg}
	case *plan.IsBool:
		return []plan.Expr{e.Arg}
	case *plan.Distinct:
		return []plan.Expr{e.L, e.R}
	case *plan.Case:
		var out []plan.Expr
		for _, w := range e.Whens {
			out = append(out, w.Cond, w.Then)
		}
		if e.Else != nil {
			out = append(out, e.Else)
		}
		return out
	case *plan.Coalesce:
		return e.Args
	case *plan.In:
		return append([]plan.Expr{e.Arg}, e.List...)
	case *plan.Like:
		return []plan.Expr{e.Arg, e.Pattern}
	case *Sub:
		if e.Cond != nil {
			return []plan.Expr{e.Cond}
		}
		return e.Args
	}
	return nil
}

// WithChildren is a copy of e with other direct subexpressions.
func WithChildren(e plan.Expr, ch []plan.Expr) plan.Expr {
	switch e := e.(type) {
	case *plan.Call:
		c := *e
		c.Args = ch
		return &c
	case *plan.Cast:
		c := *e
		c.Arg = ch[0]
		return &c
	case *plan.And:
		return &plan.And{Args: ch}
	case *plan.Or:
		return &plan.Or{Args: ch}
	case *plan.Not:
		return &plan.Not{Arg: ch[0]}
	case *plan.IsNull:
		return &plan.IsNull{Arg: ch[0], Not: e.Not}
	case *plan.IsBool:
		return &plan.IsBool{Arg: ch[0], Val: e.Val, Not: e.Not}
	case *plan.Distinct:
		return &plan.Distinct{L: ch[0], R: ch[1], Not: e.Not}
	case *plan.Case:
		c := *e
		c.Whens = make([]plan.When, len(e.Whens))
		for i := range e.Whens {
			c.Whens[i] = plan.When{Cond: ch[2*i], Then: ch[2*i+1]}
		}
		if e.Else != nil {
			c.Else = ch[len(ch)-1]
		}
		return &c
	case *plan.Coalesce:
		return &plan.Coalesce{Args: ch, Typ: e.Typ}
	case *plan.In:
		return &plan.In{Arg: ch[0], List: ch[1:], Not: e.Not}
	case *plan.Like:
		c := *e
		c.Arg, c.Pattern = ch[0], ch[1]
		return &c
	case *Sub:
		if e.Cond != nil {
			c := *e
			c.Cond = ch[0]
			return &c
		}
		c := *e
		c.Args = ch
		return &c
	}
	return e
}

// Map rebuilds e from the top: f returns a replacement, which is not looked
// into, or nil to go on with the parts. It does not enter subquery plans.
func Map(e plan.Expr, f func(plan.Expr) plan.Expr) plan.Expr {
	if r := f(e); r != nil {
		return r
	}
	ch := Children(e)
	var out []plan.Expr
	for i, c := range ch {
		r := Map(c, f)
		if r != c && out == nil {
			out = append([]plan.Expr(nil), ch...)
		}
		if out != nil {
			out[i] = r
		}
	}
	if out == nil {
		return e
	}
	return WithChildren(e, out)
}

// MapDeep is Map that also rewrites the plans of subqueries.
func MapDeep(e plan.Expr, f func(plan.Expr) plan.Expr) plan.Expr {
	return Map(e, func(x plan.Expr) plan.Expr {
		if r := f(x); r != nil {
			return r
		}
		s, ok := x.(*Sub)
		if !ok {
			return nil
		}
		c := *s
		c.Node = MapExprs(s.Node, f)
		if c.Cond != nil {
			c.Cond = MapDeep(c.Cond, f)
		}
		c.Args = append([]plan.Expr(nil), s.Args...)
		for i := range c.Args {
			c.Args[i] = MapDeep(c.Args[i], f)
		}
		return &c
	})
}

// MapExprs applies f (as MapDeep) to every expression in the tree n.
func MapExprs(n Node, f func(plan.Expr) plan.Expr) Node {
	ins := n.Inputs()
	if len(ins) > 0 {
		out := make([]Node, len(ins))
		changed := false
		for i, in := range ins {
			out[i] = MapExprs(in, f)
			changed = changed || out[i] != in
		}
		if changed {
			n = n.WithInputs(out)
		}
	}
	es := n.Exprs()
	var out []plan.Expr
	for i, e := range es {
		r := MapDeep(e, f)
		if r != e && out == nil {
			out = append([]plan.Expr(nil), es...)
		}
		if out != nil {
			out[i] = r
		}
	}
	if out == nil {
		return n
	}
	return n.WithExprs(out)
}

// Walk calls f for e and its parts, until f returns false for a part. It does
// not enter subquery plans.
func Walk(e plan.Expr, f func(plan.Expr) bool) {
	if !f(e) {
		return
	}
	for _, c := range Children(e) {
		Walk(c, f)
	}
}

// Set is a set of column numbers.
type Set map[int]bool

// Has tells whether all of o are in s.
func (s Set) Has(o Set) bool {
	for id := range o {
		if !s[id] {
			return false
		}
	}
	return true
}

// Meets tells whether s and o share a column.
func (s Set) Meets(o Set) bool {
	if len(o) < len(s) {
		s, o = o, s
	}
	for id := range s {
		if o[id] {
			return true
		}
	}
	return false
}

// Add puts o's members into s.
func (s Set) Add(o Set) {
	for id := range o {
		s[id] = true
	}
}

// OutSet is the set of n's output columns.
func OutSet(n Node) Set {
	s := Set{}
	addOut(n, s)
	return s
}

func addOut(n Node, s Set) {
	j, ok := n.(*Join)
	if !ok {
		for _, c := range n.Out() {
			s[c.ID] = true
		}
		return
	}
	addOut(j.L, s)
	switch j.Kind {
	case plan.Semi, plan.Anti, plan.AntiNull:
	case plan.Mark:
		s[j.MarkCol.ID] = true
	default:
		addOut(j.R, s)
	}
}

// Refs are the columns that e refers to, the free ones of its subqueries
// included.
func Refs(es ...plan.Expr) Set {
	s := Set{}
	for _, e := range es {
		refs(e, s)
	}
	return s
}

func refs(e plan.Expr, s Set) {
	Walk(e, func(x plan.Expr) bool {
		switch x := x.(type) {
		case *plan.Col:
			s[x.Index] = true
		case *Sub:
			s.Add(Free(x.Node))
			for _, a := range x.Args {
				refs(a, s)
			}
			if x.Cond != nil {
				inner := Set{}
				refs(x.Cond, inner)
				out := OutSet(x.Node)
				for id := range inner {
					if !out[id] {
						s[id] = true
					}
				}
			}
			return false
		}
		return true
	})
}

// Free are the columns that n refers to but does not produce: its correlations.
func Free(n Node) Set {
	s := Set{}
	have := Set{}
	for _, in := range n.Inputs() {
		s.Add(Free(in))
		have.Add(OutSet(in))
	}
	if sc, ok := n.(*Scan); ok {
		have.Add(OutSet(sc))
	}
	if j, ok := n.(*Join); ok && j.Lateral {
		l := OutSet(j.L)
		for id := range s {
			if l[id] {
				delete(s, id)
			}
		}
	}
	for id := range Refs(n.Exprs()...) {
		if !have[id] {
			s[id] = true
		}
	}
	return s
}

// HasSub tells whether e contains a subquery.
func HasSub(e plan.Expr) bool {
	found := false
	Walk(e, func(x plan.Expr) bool {
		if _, ok := x.(*Sub); ok {
			found = true
		}
		return !found
	})
	return found
}

// Volatile tells whether e contains a volatile function (or a subquery with
// one). Such an expression is never moved, copied or dropped.
func Volatile(e plan.Expr) bool {
	found := false
	Walk(e, func(x plan.Expr) bool {
		switch x := x.(type) {
		case *plan.Call:
			found = found || x.Fn != nil && x.Fn.Vol == fn.Volatile
		case *Sub:
			found = found || VolatileNode(x.Node)
		}
		return !found
	})
	return found
}

// VolatileNode tells whether n contains a volatile function.
func VolatileNode(n Node) bool {
	for _, e := range n.Exprs() {
		if Volatile(e) {
			return true
		}
	}
	if x, ok := n.(*Expand); ok && x.Func.Sub != nil && VolatileNode(x.Func.Sub) {
		return true
	}
	for _, in := range n.Inputs() {
		if VolatileNode(in) {
			return true
		}
	}
	return false
}

// Conjuncts splits e at AND and appends the parts to out.
func Conjuncts(out []plan.Expr, e plan.Expr) []plan.Expr {
	if a, ok := e.(*plan.And); ok {
		for _, x := range a.Args {
			out = Conjuncts(out, x)
		}
		return out
	}
	return append(out, e)
}

// AndOf joins conjuncts: nil for none.
func AndOf(es []plan.Expr) plan.Expr {
	switch len(es) {
	case 0:
		return nil
	case 1:
		return es[0]
	}
	return &plan.And{Args: es}
}

// Equality tells whether e is the operator `=` on two values: strict and
// immutable, which `= ANY (array)` is not.
func Equality(e plan.Expr) (*plan.Call, bool) {
	c, ok := e.(*plan.Call)
	if !ok || c.Fn.Name != "=" || len(c.Args) != 2 || c.Fn.Vol != fn.Immutable || c.Fn.NotStrict {
		return nil, false
	}
	return c, true
}
