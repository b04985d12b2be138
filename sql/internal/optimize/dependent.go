package optimize

import (
	"errors"

	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// dependent computes node, which refers to columns of outer, for all distinct
// values of those columns at once (Neumann and Kemper, Unnesting Arbitrary
// Queries). It returns a node without that correlation and the equalities that
// join it to outer.
//
//	outer ⋈dep node  =  outer ⋈(values equal) push(node, distinct values of outer)
//
// The outer side is computed twice, so this is the way for what pull cannot do.
func (o *optimizer) dependent(outer, node logical.Node) (logical.Node, []plan.Expr, error) {
	if logical.VolatileNode(outer) || logical.VolatileNode(node) {
		return nil, nil, errRowByRow
	}
	d := &dependence{o: o, outer: outer}
	free := logical.Free(node)
	for _, c := range outer.Out() {
		if free[c.ID] {
			d.cols = append(d.cols, c)
		}
	}
	n, at, err := d.push(node)
	if err != nil {
		return nil, nil, err
	}
	eqs := make([]plan.Expr, len(d.cols))
	for i, c := range d.cols {
		eqs[i] = &plan.Distinct{L: c.Col(), R: at[c.ID].Col(), Not: true}
	}
	return n, eqs, nil
}

// errRowByRow says that a subquery cannot be computed for all outer values at
// once: apply.go is the way then.
var errRowByRow = errors.New("not for all outer values at once")

// dependence is one unnesting: cols are the outer columns that are needed.
type dependence struct {
	o     *optimizer
	outer logical.Node
	cols  []logical.Column
}

// place says which column of a pushed node holds an outer column.
type place map[int]logical.Column

// values is the relation of distinct outer values, under new numbers.
func (d *dependence) values() (logical.Node, place) {
	n, ids := logical.Clone(d.outer, func() int { return d.o.newCol("", types.Bool).ID })
	a := &logical.Aggregate{In: n}
	at := place{}
	for _, c := range d.cols {
		c2 := c
		c2.ID = ids[c.ID]
		at[c.ID] = c2
		a.Keys = append(a.Keys, logical.Item{Col: c2, Expr: c2.Col()})
	}
	return a, at
}

func (d *dependence) needs(n logical.Node) bool {
	free := logical.Free(n)
	for _, c := range d.cols {
		if free[c.ID] {
			return true
		}
	}
	return false
}

// subst replaces outer columns by where they are found.
func (p place) subst(es []plan.Expr) []plan.Expr {
	out := make([]plan.Expr, len(es))
	for i, e := range es {
		out[i] = logical.MapDeep(e, func(x plan.Expr) plan.Expr {
			if c, ok := x.(*plan.Col); ok {
				if to, ok := p[c.Index]; ok {
					return &plan.Col{Index: to.ID, Typ: c.Typ}
				}
			}
			return nil
		})
	}
	return out
}

// items passes the outer values through a Project or as keys.
func (d *dependence) items(at place) []logical.Item {
	var out []logical.Item
	for _, c := range d.cols {
		out = append(out, logical.Item{Col: at[c.ID], Expr: at[c.ID].Col()})
	}
	return out
}

// equal joins two places on the same outer values.
func (d *dependence) equal(a, b place) []plan.Expr {
	var out []plan.Expr
	for _, c := range d.cols {
		out = append(out, &plan.Distinct{L: a[c.ID].Col(), R: b[c.ID].Col(), Not: true})
	}
	return out
}

// push computes n for all outer values: its output has their columns too.
func (d *dependence) push(n logical.Node) (logical.Node, place, error) {
	if !d.needs(n) {
		v, at := d.values()
		return &logical.Join{Kind: plan.Inner, L: v, R: n}, at, nil
	}
	switch n := n.(type) {
	case *logical.Filter:
		in, at, err := d.push(n.In)
		if err != nil {
			return nil, nil, err
		}
		return &logical.Filter{In: in, Preds: at.subst(n.Preds)}, at, nil
	case *logical.Project:
		in, at, err := d.push(n.In)
		if err != nil {
			return nil, nil, err
		}
		p := n.WithInputs([]logical.Node{in}).WithExprs(at.subst(n.Exprs())).(*logical.Project)
		p.Items = append(p.Items, d.items(at)...)
		return p, at, nil
	case *logical.Sort:
		return d.push(n.In)
	case *logical.Aggregate:
		return d.aggregate(n)
	case *logical.Join:
		return d.join(n)
	case *logical.Union:
		return d.union(n)
	case *logical.SetOp:
		return d.setOp(n)
	case *logical.Values:
		return d.literalRows(n)
	case *logical.Series:
		v, at := d.values()
		s := *n
		s.Args = at.subst(n.Args)
		return &logical.Expand{In: v, Func: &s}, at, nil
	case *logical.Expand:
		in, at, err := d.push(n.In)
		if err != nil {
			return nil, nil, err
		}
		return n.WithInputs([]logical.Node{in}).WithExprs(at.subst(n.Exprs())), at, nil
	case *logical.Window:
		return d.window(n)
	case *logical.DistinctOn:
		return d.firstRows(n.In, n.Keys)
	case *logical.Limit:
		if l, ok := n.Count.(*plan.Lit); ok && !l.Val.Null && l.Val.I == 1 && n.Offset == nil && !n.Ties {
			return d.firstRows(n.In, nil)
		}
		return d.limit(n)
	}
	return nil, nil, errRowByRow
}

// firstRows keeps, per outer values and keys, the first row in n's order: what
// LIMIT 1 and DISTINCT ON of a correlated subquery mean.
func (d *dependence) firstRows(n logical.Node, keys []plan.Expr) (logical.Node, place, error) {
	var order []plan.SortKey
	if s, ok := n.(*logical.Sort); ok {
		n, order = s.In, s.Keys
	}
	in, at, err := d.push(n)
	if err != nil {
		return nil, nil, err
	}
	var all []plan.Expr
	var sort []plan.SortKey
	for _, c := range d.cols {
		all = append(all, at[c.ID].Col())
		sort = append(sort, plan.SortKey{Expr: at[c.ID].Col()})
	}
	for _, k := range order {
		k.Expr = at.subst([]plan.Expr{k.Expr})[0]
		sort = append(sort, k)
	}
	return &logical.DistinctOn{In: &logical.Sort{In: in, Keys: sort}, Keys: append(all, at.subst(keys)...)}, at, nil
}

func (d *dependence) aggregate(n *logical.Aggregate) (logical.Node, place, error) {
	in, at, err := d.push(n.In)
	if err != nil {
		return nil, nil, err
	}
	a := n.WithInputs([]logical.Node{in}).WithExprs(at.subst(n.Exprs())).(*logical.Aggregate)
	keys := len(a.Keys)
	a.Keys = append(a.Keys, d.items(at)...)
	if keys > 0 {
		return a, at, nil
	}
	// Without keys there is a row for outer values without input rows, too.
	v, vat := d.values()
	p := &logical.Project{Items: d.items(vat)}
	for i := range a.Aggs {
		col := a.Aggs[i].Col
		a.Aggs[i].Col = d.o.newCol(col.Name, col.Type)
		var e plan.Expr = a.Aggs[i].Col.Col()
		if zeroWhenEmpty(&a.Aggs[i].Call) {
			e = &plan.Coalesce{Args: []plan.Expr{e, &plan.Lit{Typ: col.Type}}, Typ: col.Type}
		}
		p.Items = append(p.Items, logical.Item{Col: col, Expr: e})
	}
	p.In = &logical.Join{Kind: plan.Left, L: v, R: a, On: d.equal(vat, at)}
	return p, vat, nil
}

func (d *dependence) join(n *logical.Join) (logical.Node, place, error) {
	switch {
	case n.Lateral:
		return nil, nil, errRowByRow
	case n.Kind == plan.Right || n.Kind == plan.Full:
		return d.outerJoin(n)
	}
	c := *n
	right := d.needs(n.R)
	if n.Kind == plan.Inner && right && !d.needs(n.L) {
		r, at, err := d.push(n.R)
		if err != nil {
			return nil, nil, err
		}
		c.R, c.On = r, at.subst(n.On)
		return &c, at, nil
	}
	l, at, err := d.push(n.L)
	if err != nil {
		return nil, nil, err
	}
	c.L, c.On = l, at.subst(n.On)
	if !right {
		return &c, at, nil
	}
	r, rat, err := d.push(n.R)
	if err != nil {
		return nil, nil, err
	}
	if n.Kind == plan.AntiNull {
		// Only the original condition is null-aware.
		c.Kind = plan.Anti
		c.On = []plan.Expr{&plan.IsBool{Arg: logical.AndOf(c.On), Val: false, Not: true}}
	}
	c.R, c.On = r, append(c.On, d.equal(at, rat)...)
	return &c, at, nil
}

// outerJoin keeps rows of the right side for every outer value: both sides are
// computed for all of them.
func (d *dependence) outerJoin(n *logical.Join) (logical.Node, place, error) {
	l, lat, err := d.push(n.L)
	if err != nil {
		return nil, nil, err
	}
	r, rat, err := d.push(n.R)
	if err != nil {
		return nil, nil, err
	}
	c := *n
	c.L, c.R = l, r
	c.On = append(rat.subst(n.On), d.equal(lat, rat)...)
	if n.Kind == plan.Right {
		return &c, rat, nil
	}
	// Where one side is padded, its outer values are, too.
	at := d.newPlace()
	p := &logical.Project{In: &c}
	for _, col := range n.Out() {
		p.Items = append(p.Items, logical.Item{Col: col, Expr: col.Col()})
	}
	for _, col := range d.cols {
		e := &plan.Coalesce{Args: []plan.Expr{lat[col.ID].Col(), rat[col.ID].Col()}, Typ: col.Type}
		p.Items = append(p.Items, logical.Item{Col: at[col.ID], Expr: e})
	}
	return p, at, nil
}

func (d *dependence) union(n *logical.Union) (logical.Node, place, error) {
	u := &logical.Union{Cols: append([]logical.Column(nil), n.Cols...)}
	at := d.newPlace()
	for _, c := range d.cols {
		u.Cols = append(u.Cols, at[c.ID])
	}
	for i, in := range n.Ins {
		p, pat, err := d.push(in)
		if err != nil {
			return nil, nil, err
		}
		u.Ins = append(u.Ins, p)
		u.Maps = append(u.Maps, d.extend(n.Maps[i], pat))
	}
	return u, at, nil
}

func (d *dependence) newPlace() place {
	at := place{}
	for _, c := range d.cols {
		at[c.ID] = d.o.newCol(c.Name, c.Type)
	}
	return at
}

func (d *dependence) extend(ids []int, at place) []int {
	out := append([]int(nil), ids...)
	for _, c := range d.cols {
		out = append(out, at[c.ID].ID)
	}
	return out
}

func (d *dependence) setOp(n *logical.SetOp) (logical.Node, place, error) {
	l, lat, err := d.push(n.L)
	if err != nil {
		return nil, nil, err
	}
	r, rat, err := d.push(n.R)
	if err != nil {
		return nil, nil, err
	}
	c := *n
	at := d.newPlace()
	c.Cols = append([]logical.Column(nil), n.Cols...)
	for _, col := range d.cols {
		c.Cols = append(c.Cols, at[col.ID])
	}
	c.L, c.R, c.LMap, c.RMap = l, r, d.extend(n.LMap, lat), d.extend(n.RMap, rat)
	return &c, at, nil
}

// literalRows are one projection of the outer values per row.
func (d *dependence) literalRows(n *logical.Values) (logical.Node, place, error) {
	at := d.newPlace()
	u := &logical.Union{Cols: append([]logical.Column(nil), n.Cols...)}
	for _, c := range d.cols {
		u.Cols = append(u.Cols, at[c.ID])
	}
	for _, row := range n.Rows {
		v, vat := d.values()
		p := &logical.Project{In: v, Items: d.items(vat)}
		var ids []int
		for i, e := range vat.subst(row) {
			col := d.o.newCol(n.Cols[i].Name, n.Cols[i].Type)
			p.Items = append(p.Items, logical.Item{Col: col, Expr: e})
			ids = append(ids, col.ID)
		}
		u.Ins = append(u.Ins, p)
		u.Maps = append(u.Maps, d.extend(ids, vat))
	}
	return u, at, nil
}
