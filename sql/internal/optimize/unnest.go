package optimize

import (
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
	// Elsewhere (LIMIT, several VALUES rows) only constants can stand.
	return o.innerPlans(n)
}

// innerPlans unnests the plans of subqueries that stay expressions.
func (o *optimizer) innerPlans(n logical.Node) (logical.Node, error) {
	es := append([]plan.Expr(nil), n.Exprs()...)
	for i := range es {
		var err error
		es[i] = logical.Map(es[i], func(x plan.Expr) plan.Expr {
			s, ok := x.(*logical.Sub)
			if !ok {
				return nil
			}
			c := *s
			in, uerr := o.unnest(s.Node)
			if uerr != nil {
				err = uerr
				return x
			}
			c.Node = in
			return &c
		})
		if err != nil {
			return nil, err
		}
	}
	return n.WithExprs(es), nil
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
// LATERAL.
func (o *optimizer) unnestJoin(j *logical.Join) (logical.Node, error) {
	var with, plain []plan.Expr
	for _, p := range j.On {
		if logical.HasSub(p) {
			with = append(with, p)
		} else {
			plain = append(plain, p)
		}
	}
	if len(with) > 0 && (j.Kind == plan.Inner || j.Kind == plan.Left) {
		c := *j
		c.On = plain
		left := logical.OutSet(j.L)
		var above []plan.Expr
		var right []plan.Expr
		for _, p := range with {
			if j.Kind == plan.Inner || !logical.Refs(p).Meets(left) {
				if j.Kind == plan.Inner {
					above = append(above, p)
				} else {
					right = append(right, p)
				}
				continue
			}
			above = nil
			right = nil
			break
		}
		if len(above)+len(right) == len(with) {
			if len(right) > 0 {
				r, err := o.unnest(&logical.Filter{In: c.R, Preds: right})
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
	}
	if len(with) > 0 {
		n, err := o.innerPlans(j)
		if err != nil {
			return nil, err
		}
		j = n.(*logical.Join)
	}
	return o.unnestLateral(j)
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
	if r, conds, ok := pull(j.R, outer); ok {
		c.R, c.On = r, append(c.On[:len(c.On):len(c.On)], conds...)
		return &c, nil
	}
	r, eqs, err := o.dependent(j.L, j.R)
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
	if s.Cond != nil && logical.HasSub(s.Cond) {
		return in, p, nil
	}
	node, err := o.unnest(s.Node)
	if err != nil {
		return nil, nil, err
	}
	outer := logical.OutSet(in)
	correlated := len(logical.Free(node)) > 0
	if s.Kind == logical.SubExists {
		if !correlated {
			c := *s
			c.Node = node
			if not {
				return in, &plan.Not{Arg: &c}, nil
			}
			return in, &c, nil
		}
		node = stripForExists(node)
	}
	r, conds, ok := pull(node, outer)
	if !ok {
		if r, conds, err = o.dependent(in, node); err != nil {
			return nil, nil, err
		}
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
	switch x := e.(type) {
	case *logical.Sub:
		return o.replaceSub(x, in, filter)
	case *plan.And, *plan.Or:
	default:
		filter = false
	}
	if !logical.HasSub(e) {
		return e, in, nil
	}
	ch := append([]plan.Expr(nil), logical.Children(e)...)
	var err error
	for i := range ch {
		if ch[i], in, err = o.replace(ch[i], in, filter); err != nil {
			return nil, nil, err
		}
	}
	return logical.WithChildren(e, ch), in, nil
}

func (o *optimizer) replaceSub(s *logical.Sub, in logical.Node, filter bool) (plan.Expr, logical.Node, error) {
	node, err := o.unnest(s.Node)
	if err != nil {
		return nil, nil, err
	}
	c := *s
	c.Node = node
	if c.Cond != nil {
		if c.Cond, in, err = o.replace(c.Cond, in, false); err != nil {
			return nil, nil, err
		}
	}
	free := logical.Free(node)
	if len(free) == 0 && c.Kind != logical.SubAny {
		return &c, in, nil
	}
	switch c.Kind {
	case logical.SubScalar:
		return o.scalar(&c, in)
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
	r, conds, ok := pull(node, logical.OutSet(in))
	if !ok {
		var err error
		if r, conds, err = o.dependent(in, node); err != nil {
			return nil, nil, err
		}
	}
	j := &logical.Join{Kind: plan.Mark, L: in, R: r, On: append(on[:len(on):len(on)], conds...), MarkCol: o.newCol("mark", types.Bool)}
	return j.MarkCol.Col(), j, nil
}

// scalar joins a correlated scalar subquery.
func (o *optimizer) scalar(s *logical.Sub, in logical.Node) (plan.Expr, logical.Node, error) {
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
