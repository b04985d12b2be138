package optimize

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// fold computes constants, drops what a constant decides, moves NOT inwards and
// takes common factors out of OR. A computation that raises is left in place:
// its row may never be reached. Stable functions fold too, as a plan lives for
// one execution.
func (o *optimizer) fold(n logical.Node) logical.Node {
	if ins := n.Inputs(); len(ins) > 0 {
		out := make([]logical.Node, len(ins))
		for i, in := range ins {
			out[i] = o.fold(in)
		}
		n = n.WithInputs(out)
	}
	es := n.Exprs()
	if len(es) > 0 {
		out := make([]plan.Expr, len(es))
		for i, e := range es {
			out[i] = o.simplify(e)
		}
		n = n.WithExprs(out)
	}
	switch n := n.(type) {
	case *logical.Filter:
		return foldFilter(n)
	case *logical.Join:
		if n.Kind == plan.Inner || n.Kind == plan.Left || n.Kind == plan.Semi {
			c := *n
			c.On = nil
			for _, p := range n.On {
				for _, q := range logical.Conjuncts(nil, p) {
					if !isTrue(q) {
						c.On = append(c.On, q)
					}
				}
			}
			return &c
		}
	}
	return n
}

func foldFilter(n *logical.Filter) logical.Node {
	var preds []plan.Expr
	for _, p := range n.Preds {
		for _, q := range logical.Conjuncts(nil, p) {
			if isTrue(q) {
				continue
			}
			if l, ok := q.(*plan.Lit); ok && (l.Val.Null || l.Val.I == 0) {
				return &logical.Values{Cols: n.Out()}
			}
			preds = append(preds, q)
		}
	}
	if len(preds) == 0 {
		return n.In
	}
	return &logical.Filter{In: n.In, Preds: preds}
}

func isTrue(e plan.Expr) bool {
	l, ok := e.(*plan.Lit)
	return ok && l.Typ.OID == types.BoolOID && !l.Val.Null && l.Val.I != 0
}

func isFalse(e plan.Expr) bool {
	l, ok := e.(*plan.Lit)
	return ok && l.Typ.OID == types.BoolOID && !l.Val.Null && l.Val.I == 0
}

func isNullLit(e plan.Expr) bool {
	l, ok := e.(*plan.Lit)
	return ok && l.Val.Null
}

// simplify rewrites e from the leaves up; one switch over all kinds.
func (o *optimizer) simplify(e plan.Expr) plan.Expr {
	if s, ok := e.(*logical.Sub); ok {
		c := *s
		c.Node = o.fold(s.Node)
		if c.Cond != nil {
			c.Cond = o.simplify(c.Cond)
		}
		return &c
	}
	if ch := logical.Children(e); len(ch) > 0 {
		out := make([]plan.Expr, len(ch))
		changed := false
		for i, c := range ch {
			out[i] = o.simplify(c)
			changed = changed || out[i] != c
		}
		if changed {
			e = logical.WithChildren(e, out)
		}
	}
	switch x := e.(type) {
	case *plan.And:
		return simplifyAnd(x)
	case *plan.Or:
		return o.simplifyOr(x)
	case *plan.Not:
		return o.negate(x)
	case *plan.IsNull:
		if l, ok := x.Arg.(*plan.Lit); ok {
			return truth(l.Val.Null != x.Not)
		}
	case *plan.IsBool:
		if l, ok := x.Arg.(*plan.Lit); ok {
			is := !l.Val.Null && (l.Val.I != 0) == x.Val
			return truth(is != x.Not)
		}
	case *plan.Case:
		return simplifyCase(x)
	case *plan.Coalesce:
		return simplifyCoalesce(x)
	case *plan.Call:
		return o.simplifyCall(x)
	case *plan.Cast:
		if x.Arg.Type() == x.Typ {
			return x.Arg
		}
		if isNullLit(x.Arg) {
			return &plan.Lit{Val: types.NullDatum, Typ: x.Typ}
		}
		if _, ok := x.Arg.(*plan.Lit); ok {
			return o.eval(x)
		}
	case *plan.In:
		if isNullLit(x.Arg) {
			return &plan.Lit{Val: types.NullDatum, Typ: types.Bool}
		}
	case *plan.Like:
		if isNullLit(x.Arg) || isNullLit(x.Pattern) {
			return &plan.Lit{Val: types.NullDatum, Typ: types.Bool}
		}
	}
	return e
}

// eval computes a constant expression if it does not raise.
func (o *optimizer) eval(e plan.Expr) plan.Expr {
	if o.o.Eval == nil {
		return e
	}
	d, err := o.o.Eval(e)
	if err != nil {
		return e
	}
	return &plan.Lit{Val: d, Typ: e.Type()}
}

func simplifyAnd(x *plan.And) plan.Expr {
	var out []plan.Expr
	seen := map[string]bool{}
	for _, a := range logical.Conjuncts(nil, x) {
		if isTrue(a) {
			continue
		}
		if isFalse(a) {
			return truth(false)
		}
		if k := logical.Key(a); !seen[k] {
			seen[k] = true
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return truth(true)
	}
	return logical.AndOf(out)
}

func disjuncts(out []plan.Expr, e plan.Expr) []plan.Expr {
	if a, ok := e.(*plan.Or); ok {
		for _, x := range a.Args {
			out = disjuncts(out, x)
		}
		return out
	}
	return append(out, e)
}

// simplifyOr also takes out factors that all branches share (TPC-H Q19) and
// makes IN of equalities of one expression with constants.
func (o *optimizer) simplifyOr(x *plan.Or) plan.Expr {
	var args []plan.Expr
	seen := map[string]bool{}
	for _, a := range disjuncts(nil, x) {
		if isFalse(a) {
			continue
		}
		if isTrue(a) {
			return truth(true)
		}
		if k := logical.Key(a); !seen[k] {
			seen[k] = true
			args = append(args, a)
		}
	}
	switch len(args) {
	case 0:
		return truth(false)
	case 1:
		return args[0]
	}
	if in := equalitiesToIn(args); in != nil {
		return in
	}
	common, rest := factor(args)
	if len(common) == 0 {
		return &plan.Or{Args: args}
	}
	if rest != nil {
		common = append(common, o.simplifyOr(&plan.Or{Args: rest}))
	}
	return simplifyAnd(&plan.And{Args: common})
}

// factor splits branches into what all of them demand and the remainders; a
// branch without remainder makes the remainder of the OR true (rest nil).
func factor(args []plan.Expr) (common, rest []plan.Expr) {
	count := map[string]int{}
	parts := make([][]plan.Expr, len(args))
	for i, a := range args {
		parts[i] = logical.Conjuncts(nil, a)
		here := map[string]bool{}
		for _, p := range parts[i] {
			if k := logical.Key(p); !here[k] && !logical.Volatile(p) {
				here[k] = true
				count[k]++
			}
		}
	}
	taken := map[string]bool{}
	for _, p := range parts[0] {
		if k := logical.Key(p); count[k] == len(args) && !taken[k] {
			taken[k] = true
			common = append(common, p)
		}
	}
	if len(common) == 0 {
		return nil, nil
	}
	for i := range parts {
		var left []plan.Expr
		for _, p := range parts[i] {
			if !taken[logical.Key(p)] {
				left = append(left, p)
			}
		}
		if len(left) == 0 {
			return common, nil
		}
		rest = append(rest, logical.AndOf(left))
	}
	return common, rest
}

// equalitiesToIn makes `x IN (…)` of `x = c1 OR x = c2 OR x IN (…)`.
func equalitiesToIn(args []plan.Expr) plan.Expr {
	var arg plan.Expr
	var list []plan.Expr
	for _, a := range args {
		var l plan.Expr
		switch x := a.(type) {
		case *plan.Call:
			if x.Fn.Name != "=" || len(x.Args) != 2 || x.Args[0].Type().OID != x.Args[1].Type().OID {
				return nil
			}
			if _, ok := x.Args[1].(*plan.Lit); !ok {
				return nil
			}
			l = x.Args[0]
			list = append(list, x.Args[1])
		case *plan.In:
			if x.Not {
				return nil
			}
			l = x.Arg
			list = append(list, x.List...)
		default:
			return nil
		}
		if arg == nil {
			arg = l
		} else if logical.Key(arg) != logical.Key(l) || logical.Volatile(l) {
			return nil
		}
	}
	return &plan.In{Arg: arg, List: list}
}

var negators = map[string]string{"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

// negate moves NOT inwards.
func (o *optimizer) negate(n *plan.Not) plan.Expr {
	switch x := n.Arg.(type) {
	case *plan.Not:
		return x.Arg
	case *plan.Lit:
		if x.Val.Null {
			return x
		}
		return truth(x.Val.I == 0)
	case *plan.IsNull:
		return &plan.IsNull{Arg: x.Arg, Not: !x.Not}
	case *plan.IsBool:
		return &plan.IsBool{Arg: x.Arg, Val: x.Val, Not: !x.Not}
	case *plan.Distinct:
		return &plan.Distinct{L: x.L, R: x.R, Not: !x.Not}
	case *plan.In:
		return &plan.In{Arg: x.Arg, List: x.List, Not: !x.Not}
	case *plan.Like:
		c := *x
		c.Not = !c.Not
		return &c
	case *plan.And:
		or := &plan.Or{}
		for _, a := range x.Args {
			or.Args = append(or.Args, o.negate(&plan.Not{Arg: a}))
		}
		return or
	case *plan.Or:
		and := &plan.And{}
		for _, a := range x.Args {
			and.Args = append(and.Args, o.negate(&plan.Not{Arg: a}))
		}
		return and
	case *plan.Call:
		neg := negators[x.Fn.Name]
		if neg == "" || len(x.Args) != 2 {
			return n
		}
		f, _, err := fn.LookupOp(neg, x.Args[0].Type(), x.Args[1].Type())
		if err != nil || len(f.Args) != 2 || f.Args[0] != x.Fn.Args[0] || f.Args[1] != x.Fn.Args[1] {
			return n
		}
		return &plan.Call{Fn: f, Args: x.Args, Typ: x.Typ}
	}
	return n
}

func simplifyCase(x *plan.Case) plan.Expr {
	c := &plan.Case{Typ: x.Typ, Else: x.Else}
	for _, w := range x.Whens {
		if isFalse(w.Cond) || isNullLit(w.Cond) {
			continue
		}
		if isTrue(w.Cond) {
			c.Else = w.Then
			break
		}
		c.Whens = append(c.Whens, w)
	}
	if len(c.Whens) == len(x.Whens) {
		return x
	}
	if len(c.Whens) > 0 {
		return c
	}
	if c.Else == nil {
		return &plan.Lit{Val: types.NullDatum, Typ: x.Typ}
	}
	return c.Else
}

func simplifyCoalesce(x *plan.Coalesce) plan.Expr {
	var args []plan.Expr
	for _, a := range x.Args {
		if isNullLit(a) {
			continue
		}
		args = append(args, a)
		if _, ok := a.(*plan.Lit); ok {
			break
		}
	}
	switch {
	case len(args) == 0:
		return &plan.Lit{Val: types.NullDatum, Typ: x.Typ}
	case len(args) == 1:
		return args[0]
	case len(args) == len(x.Args):
		return x
	}
	return &plan.Coalesce{Args: args, Typ: x.Typ}
}

func (o *optimizer) simplifyCall(x *plan.Call) plan.Expr {
	constant := true
	for _, a := range x.Args {
		if isNullLit(a) && !x.Fn.NotStrict {
			return &plan.Lit{Val: types.NullDatum, Typ: x.Typ}
		}
		if _, ok := a.(*plan.Lit); !ok {
			constant = false
		}
	}
	if constant && x.Fn.Vol != fn.Volatile {
		return o.eval(x)
	}
	return o.alignConstant(x)
}

// alignConstant gives the constant of a comparison the type of the other side,
// so that storage can compare without conversion: int8 = 5 (int4) becomes
// int8 = int8.
func (o *optimizer) alignConstant(x *plan.Call) plan.Expr {
	if negators[x.Fn.Name] == "" || len(x.Args) != 2 {
		return x
	}
	at := 1
	l, ok := x.Args[1].(*plan.Lit)
	if !ok {
		if l, ok = x.Args[0].(*plan.Lit); !ok {
			return x
		}
		at = 0
	}
	want := x.Args[1-at].Type()
	want.Mod = -1
	if want.OID == l.Typ.OID {
		return x
	}
	lit := convertExactly(o, l, want)
	if lit == nil {
		return x
	}
	f, _, err := fn.LookupOp(x.Fn.Name, want, want)
	if err != nil || len(f.Args) != 2 || f.Args[0] != want.OID || f.Args[1] != want.OID {
		return x
	}
	args := []plan.Expr{x.Args[0], x.Args[1]}
	args[at] = lit
	return &plan.Call{Fn: f, Args: args, Typ: x.Typ}
}

var intBounds = map[types.OID][2]int64{
	types.Int2OID: {-1 << 15, 1<<15 - 1}, types.Int4OID: {-1 << 31, 1<<31 - 1}, types.Int8OID: {-1 << 63, 1<<63 - 1},
}

// convertExactly converts a constant without loss, nil if it cannot.
func convertExactly(o *optimizer, l *plan.Lit, t types.Type) plan.Expr {
	_, fromInt := intBounds[l.Typ.OID]
	b, toInt := intBounds[t.OID]
	if fromInt && toInt {
		if l.Val.I < b[0] || l.Val.I > b[1] {
			return nil
		}
		return &plan.Lit{Val: l.Val, Typ: t}
	}
	if l.Typ.OID == types.DateOID && (t.OID == types.TimestampOID || t.OID == types.TimestamptzOID) {
		if lit, ok := o.eval(&plan.Cast{Arg: l, Typ: t, Ctx: fn.CastImplicit}).(*plan.Lit); ok {
			return lit
		}
	}
	return nil
}
