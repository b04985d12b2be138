package bind

import (
	"slices"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/insertrules"
	"quern/sql/internal/logical"
	"quern/sql/internal/viewdml"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// changer binds UPDATE and DELETE. Their plan is a query on the target: first
// the row's address (catalog.ColRowAddress), then the values of SET in the
// order of Target.Cols, then RETURNING. Everything in it sees what the
// principal may see; columns without SET never pass through it: storage copies
// them raw.
type changer struct {
	b     *binder
	verb  string
	tab   *catalog.Table
	view  *policy.View
	scope *scope
	rel   *relation
	node  logical.Node
	addr  logical.Column
	// through is the view that is changed through, nil for tables.
	through *viewTarget
	sources []logical.Node // of SET (…) = (query)
	set     []logical.Item // of Target.Cols
	cols    []*catalog.Column
}

// Delete binds DELETE.
func Delete(env *Env, st *ast.Delete) (*Bound, error) {
	c := &changer{b: newBinder(env), verb: "DELETE"}
	if err := c.target(st.With, st.Table); err != nil {
		return nil, err
	}
	if !c.view.Has(policy.Delete) {
		return nil, at(c.denied(), st.Table)
	}
	if err := c.from(st.Using); err != nil {
		return nil, err
	}
	if err := c.where(st.Where); err != nil {
		return nil, err
	}
	return c.finish(st.Returning)
}

// Update binds UPDATE.
func Update(env *Env, st *ast.Update) (*Bound, error) {
	c := &changer{b: newBinder(env), verb: "UPDATE"}
	if err := c.target(st.With, st.Table); err != nil {
		return nil, err
	}
	if err := c.from(st.From); err != nil {
		return nil, err
	}
	for _, a := range st.Set {
		if err := c.assignment(a); err != nil {
			return nil, err
		}
	}
	for _, col := range c.cols {
		if !c.view.HasColumn(policy.Update, col.ID) {
			return nil, at(c.denied(), st.Table)
		}
	}
	if err := c.where(st.Where); err != nil {
		return nil, err
	}
	c.joinSources()
	return c.finish(st.Returning)
}

func (c *changer) denied() error {
	return errs.New(errs.InsufficientPrivilege, "permission denied for table %s", c.tab.Name)
}

// target opens the table that is changed.
func (c *changer) target(with *ast.With, t *ast.TableRef) error {
	b := c.b
	c.scope = &scope{}
	if with != nil {
		w := &scope{ctes: map[string]*cte{}}
		if err := b.with(w, with); err != nil {
			return err
		}
		c.scope.parent = w
	}
	tab, virt, err := b.lookup(t.Name)
	if err != nil {
		return at(err, t)
	}
	if virt != nil || tab.Schema == catalog.SchemaSystem {
		return at(errs.New(errs.InsufficientPrivilege, "permission denied for table %s", t.Name[len(t.Name)-1]), t)
	}
	if err := writable(tab); err != nil {
		return err
	}
	var f *from
	if tab.Kind == catalog.KindView {
		if c.through, err = b.throughView(tab, t, c.verb); err != nil {
			return err
		}
		f, c.tab, c.view = c.through.f, c.through.base, c.through.view
	} else {
		if f, err = b.stored(tab, t); err != nil {
			return err
		}
		c.tab, c.view = tab, f.node.(*logical.Scan).View()
	}
	c.addr = b.newCol("", types.Int8)
	f.cols[0].use.mark(catalog.ColRowAddress)
	c.rel, c.node = f.rels[0], viewdml.AddColumn(f.node, c.addr, catalog.ColRowAddress)
	c.scope.rels, c.scope.cols = f.rels, f.cols
	return nil
}

// from joins the other relations of UPDATE … FROM and DELETE … USING. A row of
// the target that meets several of theirs is changed once.
func (c *changer) from(items []ast.TableExpr) error {
	if len(items) == 0 {
		return nil
	}
	s := &scope{parent: c.scope.parent}
	node, err := c.b.fromList(s, items)
	if err != nil {
		return err
	}
	if err := checkAliases(c.scope.rels, s.rels); err != nil {
		return err
	}
	c.node = &logical.Join{Kind: plan.Inner, L: c.node, R: node}
	c.scope.rels, c.scope.cols = append(slices.Clip(c.scope.rels), s.rels...), append(slices.Clip(c.scope.cols), s.cols...)
	return nil
}

func (c *changer) where(e ast.Expr) error {
	if e == nil {
		return nil
	}
	x, err := c.b.condition(c.scope, e, "WHERE")
	if err != nil {
		return err
	}
	c.node = &logical.Filter{In: c.node, Preds: logical.Conjuncts(nil, x)}
	return nil
}

// assignment binds one item of SET.
func (c *changer) assignment(a *ast.Assign) error {
	values := []ast.Expr{a.Value}
	var query *ast.Subquery
	if a.Multi {
		switch v := a.Value.(type) {
		case *ast.Row:
			values = v.Elems
		case *ast.Subquery:
			query = v
		default:
			if len(a.Columns) > 1 {
				return at(errs.New(errs.FeatureNotSupported,
					"source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression"), a.Value)
			}
		}
		if query == nil && len(values) != len(a.Columns) {
			return at(errs.New(errs.Syntax, "number of columns does not match number of values"), a.Value)
		}
	}
	var src *result
	if query != nil {
		var err error
		if src, err = c.source(query, len(a.Columns)); err != nil {
			return err
		}
	}
	in := &inserter{b: c.b, tab: c.tab}
	for i, name := range a.Columns {
		col, err := c.column(name, a)
		if err != nil {
			return err
		}
		if slices.Contains(c.cols, col) {
			return errs.New(errs.Syntax, "multiple assignments to same column %q", name)
		}
		var x plan.Expr
		if src != nil {
			x, err = in.assign(src.cols[i].expr(), col, src.place(i, query.Query))
		} else {
			x, err = c.value(in, values[i], col)
		}
		if err != nil {
			return err
		}
		c.cols = append(c.cols, col)
		c.set = append(c.set, logical.Item{Col: c.b.newCol(name, col.Type), Expr: x})
	}
	return nil
}

func (c *changer) value(in *inserter, e ast.Expr, col *catalog.Column) (plan.Expr, error) {
	if _, ok := e.(*ast.Default); ok {
		return c.b.defaultExpr(c.tab.ID, col)
	}
	if err := insertrules.OnlyDefault(col); err != nil {
		return nil, err
	}
	x, err := c.b.expr(&exprCtx{scope: c.scope, clause: "UPDATE"}, e)
	if err != nil {
		return nil, err
	}
	return in.assign(x, col, e)
}

// source binds a subquery that gives the values of n columns, NULLs without a row.
// It is joined behind WHERE, so that it runs once for each row that is changed.
func (c *changer) source(q *ast.Subquery, n int) (*result, error) {
	r, err := c.b.inner(&exprCtx{scope: c.scope, clause: "UPDATE"}, q.Query)
	if err != nil {
		return nil, err
	}
	if len(r.cols) != n {
		return nil, at(errs.New(errs.Syntax, "number of columns does not match number of values"), q)
	}
	c.sources = append(c.sources, r.node)
	return r, nil
}

func (c *changer) joinSources() {
	for _, n := range c.sources {
		c.node = &logical.Join{Kind: plan.Single, L: c.node, R: n, Lateral: logical.Free(n).Meets(logical.OutSet(c.node))}
	}
}

// finish makes the plan. RETURNING stands on a projection of its own: it uses
// the values of SET and does not compute them again.
func (c *changer) finish(list []*ast.Target) (*Bound, error) {
	items := []logical.Item{{Col: c.addr, Expr: c.addr.Col()}}
	r := &result{cols: []outCol{{Column: c.addr}}}
	for _, it := range c.set {
		items = append(items, it)
		r.cols = append(r.cols, outCol{Column: it.Col})
	}
	targets, err := c.returning(list)
	if err != nil {
		return nil, err
	}
	items = append(items, c.kept(targets)...)
	r.node = &logical.Project{In: c.node, Items: items}
	if len(targets) > 0 {
		outer := make([]logical.Item, 0, len(r.cols)+len(targets))
		for i := range r.cols {
			outer = append(outer, logical.Item{Col: r.cols[i].Column, Expr: r.cols[i].Column.Col()})
		}
		for i := range targets {
			t := &targets[i]
			out := t.col
			out.Column = c.b.newCol(t.col.Name, t.expr.Type())
			outer = append(outer, logical.Item{Col: out.Column, Expr: c.changed(t.expr)})
			r.cols = append(r.cols, out)
		}
		r.node = &logical.Project{In: r.node, Items: outer}
	}
	out, err := c.b.finish(r)
	if err != nil {
		return nil, err
	}
	out.Target = &Target{Table: c.tab}
	for _, col := range c.cols {
		out.Target.Cols = append(out.Target.Cols, col.ID)
	}
	out.Field = out.Field[1+len(c.set):]
	if len(targets) == 0 {
		out.Field = nil
	}
	return out, nil
}

// kept are the columns that RETURNING reads.
func (c *changer) kept(targets []target) []logical.Item {
	refs := logical.Set{}
	for i := range targets {
		refs.Add(logical.Refs(c.changed(targets[i].expr)))
		refs.Add(logical.Refs(targets[i].expr))
	}
	var out []logical.Item
	for _, col := range c.node.Out() {
		if refs[col.ID] && col.ID != c.addr.ID {
			delete(refs, col.ID)
			out = append(out, logical.Item{Col: col, Expr: col.Col()})
		}
	}
	return out
}

func (c *changer) returning(list []*ast.Target) ([]target, error) {
	if len(list) == 0 {
		return nil, nil
	}
	sel := &selectState{b: c.b, scope: c.scope}
	for _, t := range list {
		if err := sel.target(t); err != nil {
			return nil, err
		}
	}
	sel.resolveTargets()
	for i := range sel.targets {
		t := &sel.targets[i]
		if c.through != nil {
			if err := c.throughVisible(t); err != nil {
				return nil, err
			}
			continue
		}
		refs := logical.Refs(t.expr)
		for _, col := range c.rel.cols {
			switch {
			case !refs[col.ID] || c.verb == "DELETE":
			case col.hidden:
				return nil, at(errs.NotSupported("RETURNING of a hidden column"), t.src)
			case c.view.Mask(col.field) != nil && c.assigned(col) >= 0:
				return nil, at(errs.NotSupported("RETURNING of a masked column"), t.src)
			}
		}
	}
	return sel.targets, nil
}

func (c *changer) column(name string, n ast.Node) (*catalog.Column, error) {
	if c.through != nil {
		return c.through.column(name, "update", n)
	}
	if col := c.tab.Column(name); col != nil {
		return col, nil
	}
	return nil, at(errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", name, c.tab.Name), n)
}

// assigned is the place of col in SET, -1 if it is not there.
func (c *changer) assigned(col *column) int {
	id, ok := col.field, true
	if c.through != nil {
		id, ok = viewdml.Column(c.through.f.node, &col.Column)
	}
	return slices.IndexFunc(c.cols, func(x *catalog.Column) bool { return ok && x.ID == id })
}

// changed is e with the new values in the place of the columns that SET names.
func (c *changer) changed(e plan.Expr) plan.Expr {
	if c.through != nil {
		return c.throughChanged(e)
	}
	return logical.MapDeep(e, func(x plan.Expr) plan.Expr {
		ref, ok := x.(*plan.Col)
		if !ok {
			return nil
		}
		for _, col := range c.rel.cols {
			if k := c.assigned(col); col.ID == ref.Index && k >= 0 {
				return c.set[k].Col.Col()
			}
		}
		return nil
	})
}
