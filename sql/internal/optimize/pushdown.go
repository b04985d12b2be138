package optimize

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
)

// pushDown moves predicates towards the scans: through projections
// (substituted), both sides of inner joins, the preserved side of outer ones,
// grouping keys and set operations; not below LIMIT, nor volatile expressions.
func pushDown(n logical.Node) logical.Node { return push(n, nil) }

// keep puts preds above n.
func keep(n logical.Node, preds []plan.Expr) logical.Node {
	if len(preds) == 0 {
		return n
	}
	return &logical.Filter{In: n, Preds: preds}
}

// push pushes preds, which hold above n, into n. One switch over all kinds.
func push(n logical.Node, preds []plan.Expr) logical.Node {
	switch n := n.(type) {
	case *logical.Filter:
		var fixed, moving []plan.Expr
		for _, p := range n.Preds {
			if logical.Volatile(p) {
				fixed = append(fixed, p)
			} else {
				moving = append(moving, p)
			}
		}
		return keep(push(n.In, unique(append(moving, preds...))), fixed)
	case *logical.Project:
		return pushProject(n, preds)
	case *logical.Join:
		return pushJoin(n, preds)
	case *logical.Aggregate:
		return pushAggregate(n, preds)
	case *logical.Window:
		return pushWindow(n, preds)
	case *logical.Sort:
		c := *n
		c.In = push(n.In, preds)
		return &c
	case *logical.Union:
		c := *n
		c.Ins = make([]logical.Node, len(n.Ins))
		for i, in := range n.Ins {
			c.Ins[i] = push(in, renamed(preds, n.Cols, n.Maps[i]))
		}
		return &c
	case *logical.SetOp:
		c := *n
		c.L = push(n.L, renamed(preds, n.Cols, n.LMap))
		c.R = push(n.R, renamed(preds, n.Cols, n.RMap))
		return &c
	case *logical.Scan:
		if len(preds) == 0 {
			return n
		}
		c := *n
		c.Filter = unique(append(n.Filter[:len(n.Filter):len(n.Filter)], preds...))
		return &c
	}
	return keep(mapInputs(n, pushDown), preds)
}

func unique(preds []plan.Expr) []plan.Expr {
	seen := map[string]bool{}
	var out []plan.Expr
	for _, p := range preds {
		if k := logical.Key(p); !seen[k] {
			seen[k] = true
			out = append(out, p)
		}
	}
	return out
}

// substituted replaces columns by the expressions that compute them.
func substituted(p plan.Expr, by map[int]plan.Expr) plan.Expr {
	return logical.MapDeep(p, func(x plan.Expr) plan.Expr {
		if c, ok := x.(*plan.Col); ok {
			if e, ok := by[c.Index]; ok {
				return e
			}
		}
		return nil
	})
}

func pushProject(n *logical.Project, preds []plan.Expr) logical.Node {
	by := map[int]plan.Expr{}
	fixed := logical.Set{}
	for i := range n.Items {
		it := &n.Items[i]
		by[it.Col.ID] = it.Expr
		if logical.Volatile(it.Expr) || logical.HasSub(it.Expr) {
			fixed[it.Col.ID] = true
		}
	}
	var above, below []plan.Expr
	for _, p := range preds {
		if logical.Refs(p).Meets(fixed) || n.Barrier && !leakproof(p) {
			above = append(above, p)
		} else {
			below = append(below, substituted(p, by))
		}
	}
	c := *n
	c.In = push(n.In, below)
	return keep(&c, above)
}

func pushAggregate(n *logical.Aggregate, preds []plan.Expr) logical.Node {
	by := map[int]plan.Expr{}
	for i := range n.Keys {
		if !logical.Volatile(n.Keys[i].Expr) {
			by[n.Keys[i].Col.ID] = n.Keys[i].Expr
		}
	}
	var above, below []plan.Expr
	for _, p := range preds {
		ok := len(by) > 0
		refs := logical.Refs(p)
		for id := range refs {
			if _, isKey := by[id]; !isKey {
				ok = false
			}
		}
		if ok && len(refs) > 0 {
			below = append(below, substituted(p, by))
		} else {
			above = append(above, p)
		}
	}
	c := *n
	c.In = push(n.In, below)
	return keep(&c, above)
}

// renamed expresses predicates over the result of a set operation in the
// columns of one input.
func renamed(preds []plan.Expr, cols []logical.Column, ids []int) []plan.Expr {
	if len(preds) == 0 {
		return nil
	}
	by := map[int]plan.Expr{}
	for i, c := range cols {
		by[c.ID] = &plan.Col{Index: ids[i], Typ: c.Type}
	}
	out := make([]plan.Expr, len(preds))
	for i, p := range preds {
		out[i] = substituted(p, by)
	}
	return out
}

func pushJoin(n *logical.Join, preds []plan.Expr) logical.Node {
	if n.Lateral {
		return keep(mapInputs(n, pushDown), preds)
	}
	l, r := logical.OutSet(n.L), logical.OutSet(n.R)
	var toL, toR, on, above []plan.Expr
	leftAbove := n.Kind != plan.Right && n.Kind != plan.Full // rows of L come out as they are
	rightAbove := n.Kind == plan.Inner || n.Kind == plan.Right
	for _, p := range preds {
		refs := logical.Refs(p)
		switch {
		case leftAbove && l.Has(refs):
			toL = append(toL, p)
		case rightAbove && r.Has(refs):
			toR = append(toR, p)
		case n.Kind == plan.Inner:
			on = append(on, p)
		default:
			above = append(above, p)
		}
	}
	leftOn := n.Kind == plan.Inner || n.Kind == plan.Right || n.Kind == plan.Semi
	rightOn := n.Kind != plan.Right && n.Kind != plan.Full && n.Kind != plan.AntiNull && n.Kind != plan.Mark // a mark tells NULL from false
	for _, p := range append(n.On[:len(n.On):len(n.On)], derived(n, toL)...) {
		refs := logical.Refs(p)
		switch {
		case logical.Volatile(p) || len(refs) == 0 && n.Kind != plan.Inner:
			on = append(on, p)
		case leftOn && l.Has(refs):
			toL = append(toL, p)
		case rightOn && r.Has(refs):
			toR = append(toR, p)
		default:
			on = append(on, p)
		}
	}
	if n.Kind == plan.Inner {
		more := *n
		more.L, more.R = n.R, n.L
		toL = append(toL, derived(&more, toR)...)
	}
	c := *n
	c.L, c.R, c.On = push(n.L, unique(toL)), push(n.R, unique(toR)), unique(on)
	return keep(&c, above)
}

// derived spreads `x OP constant` on the left side over an equality x = y of
// the join condition: y OP constant holds for every row that can match.
func derived(n *logical.Join, preds []plan.Expr) []plan.Expr {
	if len(preds) == 0 || n.Kind != plan.Inner && n.Kind != plan.Left && n.Kind != plan.Semi {
		return nil
	}
	l, r := logical.OutSet(n.L), logical.OutSet(n.R)
	var out []plan.Expr
	for _, p := range n.On {
		c, ok := logical.Equality(p)
		if !ok {
			continue
		}
		a, aok := c.Args[0].(*plan.Col)
		b, bok := c.Args[1].(*plan.Col)
		if !aok || !bok || a.Typ.OID != b.Typ.OID {
			continue
		}
		if r[a.Index] && l[b.Index] {
			a, b = b, a
		}
		if !l[a.Index] || !r[b.Index] {
			continue
		}
		for _, q := range preds {
			if comparesWithConstants(q, a.Index) {
				out = append(out, substituted(q, map[int]plan.Expr{a.Index: b}))
			}
		}
	}
	return out
}

// comparesWithConstants tells whether q is a comparison of column id with
// constants, or IN a list of constants.
func comparesWithConstants(q plan.Expr, id int) bool {
	switch x := q.(type) {
	case *plan.Call:
		if negators[x.Fn.Name] == "" || len(x.Args) != 2 {
			return false
		}
		_, r := x.Args[1].(*plan.Lit)
		_, l := x.Args[0].(*plan.Lit)
		c, cl := x.Args[0].(*plan.Col)
		if l {
			c, cl = x.Args[1].(*plan.Col)
		}
		return (l || r) && cl && c.Index == id
	case *plan.In:
		c, ok := x.Arg.(*plan.Col)
		for _, e := range x.List {
			if _, lit := e.(*plan.Lit); !lit {
				return false
			}
		}
		return ok && c.Index == id
	}
	return false
}
