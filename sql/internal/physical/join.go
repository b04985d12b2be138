package physical

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/errs"
)

// join splits the condition into hash keys (equality of one expression per
// side, of one type) and the rest.
func join(n *logical.Join) (plan.Node, layout, error) {
	if n.Lateral {
		return nil, nil, errs.NotSupported("LATERAL of this form")
	}
	l, llay, err := build(n.L)
	if err != nil {
		return nil, nil, err
	}
	r, rlay, err := build(n.R)
	if err != nil {
		return nil, nil, err
	}
	j := &plan.Join{Kind: n.Kind, Left: l, Right: r}
	left, right := logical.OutSet(n.L), logical.OutSet(n.R)
	both := layout{}
	for id, at := range llay {
		both[id] = at
	}
	shift := len(l.Types())
	for id, at := range rlay {
		both[id] = at + shift
	}
	var rest []plan.Expr
	for _, p := range n.On {
		lk, rk, ok := hashKey(p, left, right)
		if !ok {
			e, err := expr(p, both)
			if err != nil {
				return nil, nil, err
			}
			rest = append(rest, e)
			continue
		}
		if lk, err = expr(lk, llay); err != nil {
			return nil, nil, err
		}
		if rk, err = expr(rk, rlay); err != nil {
			return nil, nil, err
		}
		j.LeftKeys, j.RightKeys = append(j.LeftKeys, lk), append(j.RightKeys, rk)
	}
	j.Residual = logical.AndOf(rest)
	if n.Kind == plan.Inner && len(n.On) == 0 {
		j.Kind = plan.Cross
	}
	return j, layoutOf(n.Out()), nil
}

// hashKey tells whether p is `x = y` with x over the left and y over the right
// (or the reverse) and equality means equal hashes.
func hashKey(p plan.Expr, left, right logical.Set) (l, r plan.Expr, ok bool) {
	c, isCall := p.(*plan.Call)
	if !isCall || c.Fn.Name != "=" || len(c.Args) != 2 || c.Fn.Vol != fn.Immutable {
		return nil, nil, false
	}
	l, r = c.Args[0], c.Args[1]
	if l.Type().Phys() != r.Type().Phys() || l.Type().OID != r.Type().OID {
		return nil, nil, false
	}
	if logical.HasSub(p) || logical.Volatile(p) {
		return nil, nil, false
	}
	lr, rr := logical.Refs(l), logical.Refs(r)
	if len(lr) == 0 || len(rr) == 0 {
		return nil, nil, false
	}
	switch {
	case left.Has(lr) && right.Has(rr):
		return l, r, true
	case left.Has(rr) && right.Has(lr):
		return r, l, true
	}
	return nil, nil, false
}
