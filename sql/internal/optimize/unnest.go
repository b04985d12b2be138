package optimize

import (
	"errors"

	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// unnest turns subqueries in expressions and LATERAL items into joins:
//
//	WHERE EXISTS, IN            → semi join        NOT EXISTS → anti join
//	NOT IN                      → null-aware anti join
//	in any other expression     → mark join
//	scalar with one aggregate   → left join on grouped keys, count → coalesce 0
//	scalar of another form      → single join (a second row is 21000)
//	what no join can compute    → run row by row (apply.go)
//
// A subquery without correlation that gives one value stays an expression: the
// engine runs it once. Correlated predicates are pulled up into the join
// condition (pull.go); where that is not possible the subquery is computed for
// all distinct outer values at once (dependent.go).
func (o *optimizer) unnest(n logical.Node) (logical.Node, error) {
	if ins := n.Inputs(); len(ins) > 0 {
		out := make([]logical.Node, len(ins))
		changed := false
		for i, in := range ins {
			x, err := o.unnest(in)
			if err != nil {
				return nil, err
			}
			out[i] = x
			changed = changed || x != in
		}
		if changed {
			n = n.WithInputs(out)
		}
	}
	if j, ok := n.(*logical.Join); ok {
		return o.unnestJoin(j)
	}
	if !anySub(n.Exprs()) {
		return n, nil
	}
	switch n := n.(type) {
	case *logical.Filter:
		return o.unnestFilter(n)
	case *logical.Project, *logical.Aggregate, *logical.Window:
		return o.unnestExprs(n)
	case *logical.Values:
		if len(n.Rows) == 1 {
			p := &logical.Project{In: &logical.Values{Rows: [][]plan.Expr{{}}}}
			for i, c := range n.Cols {
				p.Items = append(p.Items, logical.Item{Col: c, Expr: n.Rows[0][i]})
			}
			return o.unnestExprs(p)
		}
	}
	// Elsewhere (LIMIT, several VALUES rows, functions in FROM) there is no input
	// to join with.
	return o.innerPlans(n)
}

// innerPlans leaves the subqueries in n's expressions there.
func (o *optimizer) innerPlans(n logical.Node) (logical.Node, error) {
	es := append([]plan.Expr(nil), n.Exprs()...)
	for i := range es {
		var err error
		if es[i], err = o.inPlace(es[i]); err != nil {
			return nil, err
		}
	}
	return n.WithExprs(es), nil
}

// inPlace unnests the plans of the subqueries in e, which stay expressions.
func (o *optimizer) inPlace(e plan.Expr) (out plan.Expr, err error) {
	out = logical.Map(e, func(x plan.Expr) plan.Expr {
		s, ok := x.(*logical.Sub)
		if !ok || s.Applied || err != nil {
			return nil
		}
		c := *s
		if c.Node, err = o.unnest(s.Node); err != nil {
			return x
		}
		if s.Cond != nil {
			if c.Cond, err = o.inPlace(s.Cond); err != nil {
				return x
			}
		}
		if c.Kind == logical.SubAny || len(logical.Free(c.Node)) > 0 || ofRound(c.Node) {
			return o.apply(&c)
		}
		return &c
	})
	return out, err
}

func anySub(es []plan.Expr) bool {
	for _, e := range es {
		if logical.HasSub(e) {
			return true
		}
	}
	return false
}

// unnestJoin moves subqueries in ON to where they can be joined, and unfolds
// LATERAL. In an outer join that is the side that a condition refers to; one
// that refers to both is evaluated pair by pair.
func (o *optimizer) unnestJoin(j *logical.Join) (logical.Node, error) {
	if !anySub(j.On) {
		return o.unnestLateral(j)
	}
	c := *j
	c.On = nil
	left, right := logical.OutSet(j.L), logical.OutSet(j.R)
	var above, below []plan.Expr
	for _, p := range j.On {
		refs := logical.Refs(p)
		var err error
		switch {
		case !logical.HasSub(p):
			c.On = append(c.On, p)
			continue
		case j.Kind == plan.Inner:
			above = append(above, p)
			continue
		case j.Kind == plan.Left && !refs.Meets(left):
			below = append(below, p)
			continue
		case !refs.Meets(right) && neverRaises(p):
			p, c.L, err = o.replace(p, c.L, true)
		case !refs.Meets(left) && neverRaises(p):
			p, c.R, err = o.replace(p, c.R, true)
		default:
			p, err = o.inPlace(p)
		}
		if err != nil {
			return nil, err
		}
		c.On = append(c.On, p)
	}
	if len(below) > 0 {
		r, err := o.unnest(&logical.Filter{In: c.R, Preds: below})
		if err != nil {
			return nil, err
		}
		c.R = r
	}
	n, err := o.unnestLateral(&c)
	if err != nil || len(above) == 0 {
		return n, err
	}
	return o.unnestFilter(&logical.Filter{In: n, Preds: above})
}

// neverRaises tells whether the subqueries in e cannot have a row too many, so
// that they may be computed for rows that a join does not ask for.
func neverRaises(e plan.Expr) bool {
	ok := true
	logical.Walk(e, func(x plan.Expr) bool {
		if s, isSub := x.(*logical.Sub); isSub {
			ok = ok && !s.Applied && (s.Kind != logical.SubScalar || oneRow(s.Node)) && !logical.VolatileNode(s.Node)
		}
		return ok
	})
	return ok
}

func (o *optimizer) unnestLateral(j *logical.Join) (logical.Node, error) {
	if !j.Lateral {
		return j, nil
	}
	c := *j
	c.Lateral = false
	outer := logical.OutSet(j.L)
	if !logical.Free(j.R).Meets(outer) {
		return &c, nil
	}
	if s, ok := j.R.(*logical.Series); ok && (j.Kind == plan.Inner || j.Kind == plan.Left && len(j.On) == 0) {
		return keep(&logical.Expand{In: j.L, Func: s, Outer: j.Kind == plan.Left}, j.On), nil
	}
	if logical.VolatileNode(j.R) {
		return o.applyJoin(j), nil
	}
	if r, conds, ok := pull(j.R, outer); ok {
		c.R, c.On = r, append(c.On[:len(c.On):len(c.On)], conds...)
		return &c, nil
	}
	r, eqs, err := o.dependent(j.L, j.R)
	if errors.Is(err, errRowByRow) {
		return o.applyJoin(j), nil
	}
	if err != nil {
		return nil, err
	}
	c.R, c.On = r, append(c.On[:len(c.On):len(c.On)], eqs...)
	return &c, nil
}

func (o *optimizer) unnestFilter(f *logical.Filter) (logical.Node, error) {
	in := f.In
	var plain, mixed []plan.Expr
	var subs []plan.Expr
	for _, p := range f.Preds {
		switch {
		case !logical.HasSub(p):
			plain = append(plain, p)
		case isQuantified(p):
			subs = append(subs, p)
		default:
			mixed = append(mixed, p)
		}
	}
	if len(plain) > 0 {
		in = &logical.Filter{In: in, Preds: plain}
	}
	var err error
	for _, p := range subs {
		var left plan.Expr
		if in, left, err = o.semi(in, p); err != nil {
			return nil, err
		}
		if left != nil {
			mixed = append(mixed, left)
		}
	}
	if len(mixed) == 0 {
		return in, nil
	}
	for i := range mixed {
		if mixed[i], in, err = o.replace(mixed[i], in, true); err != nil {
			return nil, err
		}
	}
	return &logical.Filter{In: in, Preds: mixed}, nil
}

// isQuantified tells whether a conjunct is [NOT] EXISTS or [NOT] IN/ANY itself.
func isQuantified(p plan.Expr) bool {
	if n, ok := p.(*plan.Not); ok {
		p = n.Arg
	}
	s, ok := p.(*logical.Sub)
	return ok && s.Kind != logical.SubScalar
}

// semi filters in by a quantified conjunct. What it cannot join comes back as
// an expression.
func (o *optimizer) semi(in logical.Node, p plan.Expr) (logical.Node, plan.Expr, error) {
	not := false
	x := p
	if n, ok := p.(*plan.Not); ok {
		not, x = true, n.Arg
	}
	s := x.(*logical.Sub)
	if s.Applied {
		return in, p, nil
	}
	if s.Cond != nil && logical.HasSub(s.Cond) {
		return in, p, nil
	}
	node, err := o.unnest(s.Node)
	if err != nil {
		return nil, nil, err
	}
	correlated := len(logical.Free(node)) > 0
	if s.Kind == logical.SubExists {
		if !correlated {
			c := *s
			if c.Node = node; ofRound(node) {
				c = *o.apply(&c)
			}
			if not {
				return in, &plan.Not{Arg: &c}, nil
			}
			return in, &c, nil
		}
		node = stripForExists(node)
	}
	r, conds, err := o.around(in, node)
	if errors.Is(err, errRowByRow) {
		c := *s
		c.Node = node
		var x plan.Expr = o.apply(&c)
		if not {
			x = &plan.Not{Arg: x}
		}
		return in, x, nil
	}
	if err != nil {
		return nil, nil, err
	}
	j := &logical.Join{Kind: plan.Semi, L: in, R: r}
	if not {
		j.Kind = plan.Anti
	}
	if s.Kind == logical.SubAny {
		j.On = logical.Conjuncts(nil, s.Cond)
		if not {
			if !correlated && nullAware(s.Cond, in, r) {
				j.Kind = plan.AntiNull
			} else {
				j.On = []plan.Expr{&plan.IsBool{Arg: s.Cond, Val: false, Not: true}}
			}
		}
	}
	j.On = append(j.On, conds...)
	return j, nil, nil
}

// around takes the correlations with in out of node: it returns them as the
// condition of a join of both, or errRowByRow.
func (o *optimizer) around(in, node logical.Node) (logical.Node, []plan.Expr, error) {
	outer := logical.OutSet(in)
	if logical.VolatileNode(node) && len(logical.Free(node)) > 0 {
		return nil, nil, errRowByRow
	}
	if r, conds, ok := pull(node, outer); ok {
		return r, conds, nil
	}
	return o.dependent(in, node)
}

// nullAware tells whether cond is one equality between the two sides, which the
// null-aware anti join takes as its key.
func nullAware(cond plan.Expr, l, r logical.Node) bool {
	c, ok := logical.Equality(cond)
	if !ok || c.Args[0].Type().OID != c.Args[1].Type().OID {
		return false
	}
	a, b := logical.Refs(c.Args[0]), logical.Refs(c.Args[1])
	return len(a) > 0 && len(b) > 0 && logical.OutSet(l).Has(a) && logical.OutSet(r).Has(b)
}

// stripForExists drops what does not decide whether there is a row.
func stripForExists(n logical.Node) logical.Node {
	switch x := n.(type) {
	case *logical.Project:
		return stripForExists(x.In)
	case *logical.Sort:
		return stripForExists(x.In)
	case *logical.Limit:
		if l, ok := x.Count.(*plan.Lit); ok && x.Offset == nil && !l.Val.Null && l.Val.I > 0 {
			return stripForExists(x.In)
		}
	case *logical.Aggregate:
		if len(x.Keys) > 0 && len(x.Aggs) == 0 {
			return stripForExists(x.In)
		}
	}
	return n
}

// unnestExprs replaces the subqueries in a node's expressions by joins below it.
func (o *optimizer) unnestExprs(n logical.Node) (logical.Node, error) {
	in := n.Inputs()[0]
	es := append([]plan.Expr(nil), n.Exprs()...)
	var err error
	for i := range es {
		if es[i], in, err = o.replace(es[i], in, false); err != nil {
			return nil, err
		}
	}
	return n.WithInputs([]logical.Node{in}).WithExprs(es), nil
}

// replace joins the subqueries of e to in and puts their results in their
// place. filter says that NULL counts as false where e is used.
func (o *optimizer) replace(e plan.Expr, in logical.Node, filter bool) (plan.Expr, logical.Node, error) {
	return o.replaceIf(e, in, filter, nil)
}

// replaceIf is replace where only the rows for which all of guard are true ask
// for e: for others it may not raise.
func (o *optimizer) replaceIf(e plan.Expr, in logical.Node, filter bool, guard []plan.Expr) (plan.Expr, logical.Node, error) {
	if s, ok := e.(*logical.Sub); ok {
		return o.replaceSub(s, in, filter, guard)
	}
	if !logical.HasSub(e) {
		return e, in, nil
	}
	// passed is what follows for later parts from an earlier one that did not
	// decide; reach, what makes a branch of CASE be taken.
	var passed func(done plan.Expr) plan.Expr
	isNot := func(val bool) func(plan.Expr) plan.Expr {
		return func(done plan.Expr) plan.Expr { return &plan.IsBool{Arg: done, Val: val, Not: true} }
	}
	keepsFilter, isCase, conds := false, false, 0
	switch x := e.(type) {
	case *plan.And:
		keepsFilter, passed = true, isNot(false)
	case *plan.Or:
		keepsFilter, passed = true, isNot(true)
	case *plan.Coalesce:
		passed = func(done plan.Expr) plan.Expr { return &plan.IsNull{Arg: done} }
	case *plan.Case:
		isCase, conds = true, 2*len(x.Whens)
		passed = isNot(true)
	}
	ch := append([]plan.Expr(nil), logical.Children(e)...)
	for i := range ch {
		own := guard
		if isCase && i < conds && i%2 == 1 {
			own = append(guard[:len(guard)-1:len(guard)-1], &plan.IsBool{Arg: ch[i-1], Val: true})
		}
		var err error
		if ch[i], in, err = o.replaceIf(ch[i], in, filter && keepsFilter, own); err != nil {
			return nil, nil, err
		}
		if passed != nil && (!isCase || i < conds && i%2 == 0) {
			guard = append(guard[:len(guard):len(guard)], passed(ch[i]))
		}
	}
	return logical.WithChildren(e, ch), in, nil
}

func (o *optimizer) replaceSub(s *logical.Sub, in logical.Node, filter bool, guard []plan.Expr) (plan.Expr, logical.Node, error) {
	if s.Applied {
		return s, in, nil
	}
	node, err := o.unnest(s.Node)
	if err != nil {
		return nil, nil, err
	}
	c := *s
	c.Node = node
	if c.Cond != nil {
		if c.Cond, in, err = o.replaceIf(c.Cond, in, false, guard); err != nil {
			return nil, nil, err
		}
	}
	free := logical.Free(node)
	if len(free) == 0 && c.Kind != logical.SubAny {
		if ofRound(node) {
			return o.apply(&c), in, nil
		}
		return &c, in, nil
	}
	e, out, err := o.joined(&c, in, filter, guard)
	if errors.Is(err, errRowByRow) {
		return o.apply(&c), in, nil
	}
	return e, out, err
}

// joined joins a subquery to in, or returns errRowByRow.
func (o *optimizer) joined(s *logical.Sub, in logical.Node, filter bool, guard []plan.Expr) (plan.Expr, logical.Node, error) {
	c := *s
	free := logical.Free(c.Node)
	switch c.Kind {
	case logical.SubScalar:
		return o.scalar(&c, in, guard)
	case logical.SubExists:
		c.Node = stripForExists(c.Node)
		m, in, err := o.mark(in, c.Node, nil)
		if err != nil {
			return nil, nil, err
		}
		return &plan.IsBool{Arg: m, Val: true}, in, nil
	}
	m, out, err := o.mark(in, c.Node, logical.Conjuncts(nil, c.Cond))
	if err != nil || len(free) == 0 && nullAware(c.Cond, in, c.Node) {
		return m, out, err
	}
	if filter {
		return &plan.IsBool{Arg: m, Val: true}, out, nil
	}
	// The difference between false and NULL may show, and a mark join knows it
	// for one pair of keys only: ask a second time whether a comparison was NULL.
	again, ids := logical.Clone(c.Node, func() int { return o.newCol("", types.Bool).ID })
	cond := logical.Map(c.Cond, func(x plan.Expr) plan.Expr {
		if col, ok := x.(*plan.Col); ok {
			if id, cloned := ids[col.Index]; cloned {
				return &plan.Col{Index: id, Typ: col.Typ}
			}
		}
		return nil
	})
	m2, out, err := o.mark(out, again, []plan.Expr{&plan.IsNull{Arg: cond}})
	if err != nil {
		return nil, nil, err
	}
	return &plan.Case{
		Whens: []plan.When{
			{Cond: &plan.IsBool{Arg: m, Val: true}, Then: truth(true)},
			{Cond: &plan.IsBool{Arg: m2, Val: true}, Then: &plan.Lit{Val: types.NullDatum, Typ: types.Bool}},
		},
		Else: truth(false), Typ: types.Bool,
	}, out, nil
}

func truth(v bool) *plan.Lit {
	l := &plan.Lit{Typ: types.Bool}
	if v {
		l.Val.I = 1
	}
	return l
}

// mark adds a column to in that says whether node has a row with on.
func (o *optimizer) mark(in, node logical.Node, on []plan.Expr) (plan.Expr, logical.Node, error) {
	r, conds, err := o.around(in, node)
	if err != nil {
		return nil, nil, err
	}
	j := &logical.Join{Kind: plan.Mark, L: in, R: r, On: append(on[:len(on):len(on)], conds...), MarkCol: o.newCol("mark", types.Bool)}
	return j.MarkCol.Col(), j, nil
}

// scalar joins a correlated scalar subquery.
func (o *optimizer) scalar(s *logical.Sub, in logical.Node, guard []plan.Expr) (plan.Expr, logical.Node, error) {
	if logical.VolatileNode(s.Node) {
		return nil, nil, errRowByRow
	}
	if e, n, ok := o.scalarAggregate(s, in); ok {
		return e, n, nil
	}
	kind := plan.Single
	r, conds, ok := pull(s.Node, logical.OutSet(in))
	if !ok {
		var err error
		if r, conds, err = o.dependent(in, s.Node); err != nil {
			return nil, nil, err
		}
		if oneRow(s.Node) {
			kind = plan.Left
		}
	}
	if kind == plan.Single {
		for _, g := range guard {
			if logical.Volatile(g) || logical.HasSub(g) {
				return nil, nil, errRowByRow
			}
		}
		conds = append(conds[:len(conds):len(conds)], guard...)
	}
	j := &logical.Join{Kind: kind, L: in, R: r, On: conds}
	return s.Node.Out()[0].Col(), j, nil
}

// oneRow tells whether n gives exactly one row for given outer values.
func oneRow(n logical.Node) bool {
	switch x := n.(type) {
	case *logical.Project:
		return oneRow(x.In)
	case *logical.Sort:
		return oneRow(x.In)
	case *logical.Aggregate:
		return len(x.Keys) == 0
	case *logical.Values:
		return len(x.Rows) == 1
	}
	return false
}

// scalarAggregate handles Project(Aggregate without keys): the aggregate is
// grouped by its correlations and left joined, and the projection is computed
// above, where a missing group counts as an empty one.
func (o *optimizer) scalarAggregate(s *logical.Sub, in logical.Node) (plan.Expr, logical.Node, bool) {
	p, ok := s.Node.(*logical.Project)
	if !ok || len(p.Items) != 1 {
		return nil, nil, false
	}
	a, ok := p.In.(*logical.Aggregate)
	if !ok || len(a.Keys) > 0 || len(logical.Refs(p.Items[0].Expr)) == 0 && len(a.Aggs) > 0 {
		return nil, nil, false
	}
	outer := logical.OutSet(in)
	if logical.Refs(a.Exprs()...).Meets(outer) {
		return nil, nil, false
	}
	inner, conds, ok := pull(a.In, outer)
	if !ok {
		return nil, nil, false
	}
	g := *a
	g.In = inner
	on, ok := groupByConds(&g, conds, logical.OutSet(inner))
	if !ok {
		return nil, nil, false
	}
	e := logical.Map(p.Items[0].Expr, func(x plan.Expr) plan.Expr {
		c, isCol := x.(*plan.Col)
		if !isCol {
			return nil
		}
		for i := range a.Aggs {
			if a.Aggs[i].Col.ID == c.Index && zeroWhenEmpty(&a.Aggs[i].Call) {
				return &plan.Coalesce{Args: []plan.Expr{c, &plan.Lit{Typ: c.Typ}}, Typ: c.Typ}
			}
		}
		return nil
	})
	return e, &logical.Join{Kind: plan.Left, L: in, R: &g, On: on}, true
}
