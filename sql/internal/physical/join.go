package physical

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// join splits the condition into hash keys (equality of one expression per
// side, of one type) and the rest.
func (bd *builder) join(n *logical.Join) (plan.Node, layout, error) {
	if n.Lateral {
		return nil, nil, errs.NotSupported("LATERAL of this form")
	}
	l, llay, err := bd.build(n.L)
	if err != nil {
		return nil, nil, err
	}
	r, rlay, err := bd.build(n.R)
	if err != nil {
		return nil, nil, err
	}
	j := &plan.Join{Kind: n.Kind, Left: l, Right: r, LeftRows: n.LRows, RightRows: n.RRows}
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
		if d, isDistinct := p.(*plan.Distinct); isDistinct && d.Not {
			done, err := bd.nullSafeKeys(j, d, n, llay, rlay)
			if err != nil {
				return nil, nil, err
			}
			if done {
				continue
			}
		}
		lk, rk, ok := hashKey(p, left, right)
		if !ok || n.Kind == plan.AntiNull && len(n.On) > 1 {
			e, err := bd.expr(p, both)
			if err != nil {
				return nil, nil, err
			}
			rest = append(rest, e)
			continue
		}
		if lk, err = bd.expr(lk, llay); err != nil {
			return nil, nil, err
		}
		if rk, err = bd.expr(rk, rlay); err != nil {
			return nil, nil, err
		}
		j.LeftKeys, j.RightKeys = append(j.LeftKeys, canonical(lk)), append(j.RightKeys, canonical(rk))
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
	c, isEq := logical.Equality(p)
	if !isEq || logical.HasSub(p) || logical.Volatile(p) {
		return nil, nil, false
	}
	l, r, ok = sides(c.Args[0], c.Args[1], left, right)
	if !ok {
		return nil, nil, false
	}
	return sameType(l, r)
}

// sides orders two expressions by the join side that they belong to.
func sides(a, b plan.Expr, left, right logical.Set) (l, r plan.Expr, ok bool) {
	ar, br := logical.Refs(a), logical.Refs(b)
	if len(ar) == 0 || len(br) == 0 {
		return nil, nil, false
	}
	switch {
	case left.Has(ar) && right.Has(br):
		return a, b, true
	case left.Has(br) && right.Has(ar):
		return b, a, true
	}
	return nil, nil, false
}

// sameType makes keys of different integer or string types alike; the
// conversions keep equality and cannot raise.
func sameType(l, r plan.Expr) (plan.Expr, plan.Expr, bool) {
	a, b := l.Type(), r.Type()
	if a.OID == b.OID {
		return l, r, true
	}
	rank := map[types.OID]int{types.Int2OID: 1, types.Int4OID: 2, types.Int8OID: 3}
	ra, rb := rank[a.OID], rank[b.OID]
	switch {
	case ra > 0 && rb > ra:
		return &plan.Cast{Arg: l, Typ: types.Type{OID: b.OID, Mod: -1}}, r, true
	case rb > 0 && ra > rb:
		return l, &plan.Cast{Arg: r, Typ: types.Type{OID: a.OID, Mod: -1}}, true
	}
	return nil, nil, false
}

// nullSafeKeys makes `l IS NOT DISTINCT FROM r` of a decorrelated subquery hash
// keys: the value with NULL replaced, and whether it was NULL.
func (bd *builder) nullSafeKeys(j *plan.Join, d *plan.Distinct, n *logical.Join, llay, rlay layout) (bool, error) {
	l, r, ok := sides(d.L, d.R, logical.OutSet(n.L), logical.OutSet(n.R))
	if !ok || l.Type().OID != r.Type().OID || logical.HasSub(d) || logical.Volatile(d) {
		return false, nil
	}
	sure := notNull(l, n.L) || notNull(r, n.R)
	l, err := bd.expr(l, llay)
	if err != nil {
		return false, err
	}
	if r, err = bd.expr(r, rlay); err != nil {
		return false, err
	}
	l, r = canonical(l), canonical(r)
	if sure {
		j.LeftKeys, j.RightKeys = append(j.LeftKeys, l), append(j.RightKeys, r)
		return true, nil
	}
	zero := &plan.Lit{Typ: l.Type()}
	j.LeftKeys = append(j.LeftKeys, &plan.Coalesce{Args: []plan.Expr{l, zero}, Typ: l.Type()}, &plan.IsNull{Arg: l})
	j.RightKeys = append(j.RightKeys, &plan.Coalesce{Args: []plan.Expr{r, zero}, Typ: r.Type()}, &plan.IsNull{Arg: r})
	return true, nil
}

// notNull tells whether e is a column of n without NULLs: equality then decides
// as IS NOT DISTINCT FROM would.
func notNull(e plan.Expr, n logical.Node) bool {
	c, ok := e.(*plan.Col)
	if !ok {
		return false
	}
	for _, col := range n.Out() {
		if col.ID == c.Index {
			return col.NotNull
		}
	}
	return false
}
