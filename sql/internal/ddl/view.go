package ddl

import (
	"slices"
	"strings"

	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/sql/internal/parse"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
)

// ErrTemporary says that a view reads temporary tables: the session plans it
// again as one of its own.
var ErrTemporary = errs.New(errs.Internal, "the view reads a temporary table")

// createView plans CREATE [OR REPLACE] VIEW.
func (c *Ctx) createView(st *ast.CreateView) error {
	c.out.Tag = "CREATE VIEW"
	switch {
	case st.CheckOption != "":
		return errs.NotSupported("WITH CHECK OPTION")
	case st.Persistence == ast.Temporary && !c.Temporary:
		return errs.NotSupported("a temporary view")
	}
	old, err := c.replaced(st)
	if err != nil {
		return err
	}
	t := old
	if t == nil {
		if t, err = c.NewTable(st.Name, false); err != nil {
			return err
		}
		t.Kind = catalog.KindView
	}
	query := st.Query
	if st.Recursive {
		query = recursiveView(st)
	}
	opts, err := viewOptions(st.Options)
	if err != nil {
		return err
	}
	if err := c.DefineView(t, query, st.Columns); err != nil {
		return err
	}
	t.View.Options = opts
	if old == nil {
		c.put(catalog.Change{Table: t, Create: true})
		return nil
	}
	c.putTable(t, true)
	return nil
}

// replaced is a copy of the view that OR REPLACE replaces, nil if there is none.
func (c *Ctx) replaced(st *ast.CreateView) (*catalog.Table, error) {
	if !st.OrReplace {
		return nil, nil
	}
	sc, name, err := c.createIn(st.Name)
	if err != nil {
		return nil, err
	}
	t := c.Cat.TableByName(sc.ID, name)
	if t == nil {
		return nil, nil
	}
	if t.Kind != catalog.KindView {
		return nil, errs.New(errs.WrongObjectType, "%q is not a view", name)
	}
	if err := c.mustOwn(t); err != nil {
		return nil, err
	}
	return clone(t), nil
}

// recursiveView is CREATE RECURSIVE VIEW v (a) AS q: WITH RECURSIVE v(a) AS (q)
// SELECT a FROM v.
func recursiveView(st *ast.CreateView) *ast.Query {
	name := st.Name[len(st.Name)-1]
	sel := &ast.Select{From: []ast.TableExpr{&ast.TableRef{Name: []string{name}}}}
	for _, col := range st.Columns {
		sel.Targets = append(sel.Targets, &ast.Target{Expr: &ast.Column{Parts: []string{col}}})
	}
	return &ast.Query{At: st.Query.At, Body: sel,
		With: &ast.With{Recursive: true, CTEs: []*ast.CTE{{Name: name, Columns: st.Columns, Query: st.Query}}}}
}

func viewOptions(opts []ast.Option) ([]string, error) {
	var out []string
	for i := range opts {
		o := &opts[i]
		switch o.Name {
		case "security_barrier", "security_invoker":
			v := strings.ToLower(o.Value)
			switch v {
			case "", "true", "on", "1", "yes":
				v = "true"
			case "false", "off", "0", "no":
				v = "false"
			default:
				return nil, pos(errs.New(errs.InvalidParameterValue, "invalid value for boolean option %q: %s", o.Name, o.Value), o.Pos)
			}
			out = append(out, o.Name+"="+v)
		case "check_option":
			return nil, pos(errs.NotSupported("WITH CHECK OPTION"), o.Pos)
		case "policy_context":
			return nil, pos(errs.NotSupported("policy_context"), o.Pos)
		default:
			return nil, pos(errs.New(errs.InvalidParameterValue, "unrecognized parameter %q", o.Name), o.Pos)
		}
	}
	return out, nil
}

// DefineView gives a view its query and columns. q is not changed.
func (c *Ctx) DefineView(t *catalog.Table, q *ast.Query, columns []string) error {
	if q.With != nil && slices.ContainsFunc(q.With.CTEs, func(c *ast.CTE) bool { return c.Stmt != nil }) {
		return errs.New(errs.FeatureNotSupported, "views must not contain data-modifying statements in WITH")
	}
	env := c.Bind(nil)
	// The first binding finds errors where they stand, the second resolves
	// names in a tree of its own.
	if _, err := bind.Query(env, q); err != nil {
		return err
	}
	tree, err := Query(ast.Print(q))
	if err != nil {
		return err
	}
	def, err := bind.DefineView(env, tree, columns, env.Catalog)
	if err != nil {
		return err
	}
	if !c.Temporary {
		for _, d := range def.Deps {
			if sc := env.Catalog.SchemaByID(env.Catalog.Table(d.Table).Schema); sc != nil && strings.HasPrefix(sc.Name, "pg_temp_") {
				return ErrTemporary
			}
		}
	}
	old := t.Columns
	if err := viewColumns(t, def.Field); err != nil {
		return err
	}
	if err := compatible(old, t.Columns); err != nil {
		return err
	}
	t.View = &catalog.View{Query: def.Query, Deps: def.Deps}
	return nil
}

func viewColumns(t *catalog.Table, fields []bind.Field) error {
	old := t.Columns
	t.Columns = nil
	for i, f := range fields {
		if err := checkNewColumn(t, f.Name); err != nil {
			return err
		}
		if types.Category(f.Type.OID) == types.CatPseudo {
			return errs.New(errs.InvalidTableDefinition, "column %q has pseudo-type %s", f.Name, f.Type)
		}
		col := catalog.Column{ID: uint32(i + 1), Name: f.Name, Type: f.Type}
		if i < len(old) {
			col.ID, col.Comment = old[i].ID, old[i].Comment
		}
		t.Columns = append(t.Columns, col)
	}
	t.NextCol = uint32(len(t.Columns) + 1)
	return nil
}

// compatible checks what OR REPLACE may change: columns are added at the end.
func compatible(old, now []catalog.Column) error {
	if len(now) < len(old) {
		return errs.New(errs.InvalidTableDefinition, "cannot drop columns from view")
	}
	for i := range old {
		if old[i].Name != now[i].Name {
			return errs.New(errs.InvalidTableDefinition, "cannot change name of view column %q to %q", old[i].Name, now[i].Name).
				WithHint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead.")
		}
		if old[i].Type != now[i].Type {
			return errs.New(errs.InvalidTableDefinition, "cannot change data type of view column %q from %s to %s", old[i].Name, old[i].Type, now[i].Type)
		}
	}
	return nil
}

// Query parses the text of a query.
func Query(text string) (*ast.Query, error) {
	st, err := parse.One(text)
	if err != nil {
		return nil, err
	}
	sel, ok := st.(*ast.SelectStmt)
	if !ok {
		return nil, errs.New(errs.Internal, "a view that is not a query")
	}
	return sel.Query, nil
}

// dependents are the views that read a relation, in order of their creation;
// col limits it to readers of one column, 0 = all.
func (c *Ctx) dependents(table, col uint32) []*catalog.Table {
	var out []*catalog.Table
	for _, t := range c.Cat.Tables() {
		if t.View == nil {
			continue
		}
		for _, d := range t.View.Deps {
			if d.Table == table && (col == 0 || slices.Contains(d.Cols, col)) {
				out = append(out, t)
			}
		}
	}
	return out
}

// renamed rewrites the views that name what the planned changes renamed.
func (c *Ctx) renamed(tables ...uint32) error {
	next, err := c.Cat.Apply(c.out.Changes)
	if err != nil {
		return err
	}
	var views []*catalog.Table
	for _, id := range tables {
		if t := next.Table(id); t != nil && t.View != nil {
			views = append(views, t)
		}
		views = append(views, c.dependents(id, 0)...)
	}
	done := map[uint32]bool{}
	for _, v := range views {
		if done[v.ID] {
			continue
		}
		done[v.ID] = true
		t := clone(next.Table(v.ID))
		if err := c.rewrite(t, next); err != nil {
			return err
		}
		c.put(catalog.Change{Table: t})
	}
	return nil
}

// rewrite gives the text of a view the names of another catalog, and makes sure
// that it still means the same there.
func (c *Ctx) rewrite(t *catalog.Table, next *catalog.Snapshot) error {
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		names[i] = t.Columns[i].Name
	}
	tree, err := Query(t.View.Query)
	if err != nil {
		return err
	}
	env := c.Bind(c.Cat)
	env.Principal = principal(c.Cat, t.Owner)
	def, err := bind.DefineView(env, tree, names, next)
	if err != nil {
		return err
	}
	again, err := Query(def.Query)
	if err != nil {
		return err
	}
	env = c.Bind(next)
	env.Principal = principal(next, t.Owner)
	check, err := bind.DefineView(env, again, names, next)
	if err != nil || check.Query != def.Query || len(check.Field) != len(def.Field) {
		return errs.NotSupported("this rename of what a view reads").
			WithDetail("View %s joins by the name, or has another relation of the new one.", t.Name)
	}
	t.View = &catalog.View{Query: def.Query, Deps: def.Deps, Options: t.View.Options, Empty: t.View.Empty}
	return nil
}

// describe names an object as messages do.
func (c *Ctx) describe(t *catalog.Table) string { return t.Noun() + " " + c.nameOf(t) }

// nameOf is a relation's name, with its schema where the search path needs it.
func (c *Ctx) nameOf(t *catalog.Table) string {
	if found, err := c.findTable([]string{t.Name}); err == nil && found != nil && found.ID == t.ID {
		return ast.QuoteIdent(t.Name)
	}
	if sc := c.Cat.SchemaByID(t.Schema); sc != nil {
		return ast.QuoteIdent(sc.Name) + "." + ast.QuoteIdent(t.Name)
	}
	return t.Name
}

// alterViewOptions is ALTER VIEW … SET and RESET (…).
func alterViewOptions(t *catalog.Table, a *ast.SetOptions) error {
	opts, err := viewOptions(a.Options)
	if err != nil {
		return err
	}
	v := *t.View
	v.Options = slices.Clone(v.Options)
	for _, o := range opts {
		name, _, _ := strings.Cut(o, "=")
		v.Options = slices.DeleteFunc(v.Options, func(x string) bool { return strings.HasPrefix(x, name+"=") })
		if !a.Reset {
			v.Options = append(v.Options, o)
		}
	}
	t.View = &v
	return nil
}
