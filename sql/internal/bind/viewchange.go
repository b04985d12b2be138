package bind

import (
	"slices"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/sql/internal/viewdml"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

// viewTarget is a view that a statement changes rows through.
type viewTarget struct {
	def  *catalog.Table
	f    *from // the view as a relation
	base *catalog.Table
	// view is the base table's: privileges of the view's owner, policies of who
	// asks.
	view *policy.View
	// top are the rights of who asks on the view, need those that it takes.
	top  *policy.View
	need policy.Privilege
}

// throughView opens the view t for verb (INSERT, UPDATE or DELETE).
func (b *binder) throughView(tab *catalog.Table, t *ast.TableRef, verb string) (*viewTarget, error) {
	f, err := b.viewRef(tab, t)
	if err != nil {
		return nil, err
	}
	need := map[string]policy.Privilege{"INSERT": policy.Insert, "UPDATE": policy.Update, "DELETE": policy.Delete}[verb]
	v, who := &viewTarget{def: tab, f: f, need: need}, b.env.Principal
	for on := tab; ; {
		view, err := policy.Resolve(b.env.Catalog, on.ID, who, b.env.Now)
		if err != nil {
			return nil, err
		}
		if !mayChange(view, on, need) {
			return nil, at(errs.New(errs.InsufficientPrivilege, "permission denied for %s %s", on.Noun(), on.Name), t)
		}
		if on == tab {
			v.top = view
		}
		if on.Kind == catalog.KindTable {
			v.base = on
			break
		}
		next, reason, err := b.under(on, f.node)
		if err != nil {
			return nil, err
		}
		if reason != "" {
			return nil, notUpdatable(on, verb, reason)
		}
		if !slices.Contains(on.View.Options, "security_invoker=true") {
			who = principalOf(b.env.Catalog, on.Owner)
		}
		on = next
	}
	scan, ok := viewdml.Scan(f.node)
	if !ok {
		return nil, notUpdatable(tab, verb, viewdml.Single)
	}
	v.view = scan.View()
	return v, nil
}

// mayChange tells whether any column of a relation may be changed.
func mayChange(view *policy.View, on *catalog.Table, need policy.Privilege) bool {
	return view.Has(need) || need != policy.Delete && slices.ContainsFunc(on.Columns, func(c catalog.Column) bool { return view.HasColumn(need, c.ID) })
}

// under is the relation that a view selects from, or why it has no single one.
func (b *binder) under(tab *catalog.Table, root logical.Node) (*catalog.Table, string, error) {
	tree, err := b.env.ParseView(tab.View)
	if err != nil {
		return nil, "", err
	}
	ref, reason := viewdml.Base(tree, root)
	if reason != "" {
		return nil, reason, nil
	}
	next, virt, err := b.lookup(ref.Name)
	switch {
	case err != nil:
		return nil, "", err
	case virt != nil || next.Kind == catalog.KindMatView:
		return nil, viewdml.Single, nil
	}
	return next, "", nil
}

func notUpdatable(tab *catalog.Table, verb, reason string) error {
	what := map[string][3]string{"INSERT": {"insert into", "inserting into", "INSERT"}, "UPDATE": {"update", "updating", "UPDATE"},
		"DELETE": {"delete from", "deleting from", "DELETE"}}[verb]
	return errs.New(errs.ObjectNotInState, "cannot %s view %q", what[0], tab.Name).WithDetail("%s", reason).
		WithHint("To enable %s the view, provide an INSTEAD OF %s trigger or an unconditional ON %s DO INSTEAD rule.", what[1], what[2], what[2])
}

// column is the table's column behind one of the view.
func (v *viewTarget) column(name, verb string, n ast.Node) (*catalog.Column, error) {
	for _, c := range v.f.rels[0].cols {
		if def := v.def.ColumnByID(c.field); def == nil || def.Name != name {
			continue
		}
		if !v.top.HasColumn(v.need, c.field) {
			return nil, errs.New(errs.InsufficientPrivilege, "permission denied for view %s", v.def.Name)
		}
		id, ok := viewdml.Column(v.f.node, &c.Column)
		if base := v.base.ColumnByID(id); ok && base != nil {
			return base, nil
		}
		return nil, at(errs.New(errs.FeatureNotSupported, "cannot %s column %q of view %q", verb, name, v.def.Name).
			WithDetail("View columns that are not columns of their base relation are not updatable."), nil)
	}
	return nil, at(errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", name, v.def.Name), n)
}

// insertColumns are the table's columns of INSERT's list. Without a list they are
// the view's up to one that is computed; more says what is wrong with that.
func (v *viewTarget) insertColumns(list []ast.InsertColumn) (out []*catalog.Column, more, err error) {
	if len(list) == 0 {
		for i := range v.def.Columns {
			c, err := v.column(v.def.Columns[i].Name, "insert into", nil)
			if err != nil {
				return out, err, nil
			}
			out = append(out, c)
		}
		return out, nil, nil
	}
	for i := range list {
		c, err := v.column(list[i].Name, "insert into", &list[i])
		if err != nil {
			return nil, nil, err
		}
		if slices.Contains(out, c) {
			return nil, nil, at(errs.New(errs.DuplicateColumn, "column %q specified more than once", list[i].Name), &list[i])
		}
		out = append(out, c)
	}
	return out, nil, nil
}

// onTable is an expression over the view's columns as one over the table's, by
// their places.
func (v *viewTarget) onTable(e plan.Expr) plan.Expr {
	scan, _ := viewdml.Scan(v.f.node)
	return logical.Map(viewdml.Expand(v.f.node, e), func(x plan.Expr) plan.Expr {
		c, ok := x.(*plan.Col)
		if !ok {
			return nil
		}
		for i := range scan.Cols {
			if scan.Cols[i].ID == c.Index {
				k := slices.IndexFunc(v.base.Columns, func(b catalog.Column) bool { return b.ID == scan.ColIDs[i] })
				return &plan.Col{Index: k, Typ: c.Typ}
			}
		}
		return nil
	})
}

// throughChanged is an expression over the view's columns with the new values of
// SET: the table's columns that SET names are replaced below the view's query.
func (c *changer) throughChanged(e plan.Expr) plan.Expr {
	root := c.through.f.node
	scan, _ := viewdml.Scan(root)
	set := map[int]plan.Expr{}
	for i, col := range scan.Cols {
		if k := slices.IndexFunc(c.cols, func(x *catalog.Column) bool { return x.ID == scan.ColIDs[i] }); k >= 0 {
			set[col.ID] = c.set[k].Col.Col()
		}
	}
	value := func(y plan.Expr) plan.Expr {
		if base, ok := y.(*plan.Col); ok {
			return set[base.Index]
		}
		return nil
	}
	return logical.MapDeep(e, func(x plan.Expr) plan.Expr {
		if ref, ok := x.(*plan.Col); ok {
			below := viewdml.Expand(root, ref)
			if now := logical.MapDeep(below, value); now != below {
				return now
			}
		}
		return nil
	})
}

// throughVisible refuses RETURNING of what the statement has changed unseen.
func (c *changer) throughVisible(t *target) error {
	scan, _ := viewdml.Scan(c.through.f.node)
	refs := logical.Refs(viewdml.Expand(c.through.f.node, t.expr))
	for i, id := range scan.ColIDs {
		switch {
		case !refs[scan.Cols[i].ID] || c.verb == "DELETE":
		case c.through.base.ColumnByID(id) == nil:
			return at(errs.NotSupported("RETURNING of a hidden column"), t.src)
		case c.view.Mask(id) != nil && slices.ContainsFunc(c.cols, func(x *catalog.Column) bool { return x.ID == id }):
			return at(errs.NotSupported("RETURNING of a masked column"), t.src)
		}
	}
	return nil
}

// returningView binds RETURNING of an INSERT over the view's columns.
func (b *binder) returningView(out *Bound, v *viewTarget, st *ast.Insert) error {
	rel := v.f.rels[0]
	sel := &selectState{b: b, scope: &scope{rels: v.f.rels, cols: v.f.cols}}
	for _, t := range st.Returning {
		if err := sel.target(t); err != nil {
			return err
		}
	}
	sel.resolveTargets()
	if err := rel.cols[0].use.check(); err != nil {
		return err
	}
	for i := range sel.targets {
		t := &sel.targets[i]
		if logical.HasSub(t.expr) {
			return at(errs.NotSupported("a subquery in RETURNING"), t.src)
		}
		e := v.onTable(t.expr)
		for id := range logical.Refs(e) {
			if id < 0 || v.view.Mask(v.base.Columns[id].ID) != nil {
				return at(errs.NotSupported("RETURNING of a masked column"), t.src)
			}
		}
		out.Field = append(out.Field, Field{Name: t.col.Name, Type: t.expr.Type(), TableOID: t.col.tableOID, AttNum: t.col.attNum})
		out.Returning = append(out.Returning, e)
	}
	return nil
}
