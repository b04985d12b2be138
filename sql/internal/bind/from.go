package bind

import (
	"slices"
	"strings"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// tableUse collects which columns of one table reference the statement uses:
// privileges are checked on them when the whole statement is bound.
type tableUse struct {
	table *catalog.Table
	view  *policy.View
	used  map[uint32]bool
	pos   ast.Node
}

func (u *tableUse) mark(col uint32) { u.used[col] = true }

func (u *tableUse) mayRead(col uint32) bool { return u.view.HasColumn(policy.Select, col) }

func (u *tableUse) check() error {
	cols := make([]uint32, 0, len(u.used))
	for c := range u.used {
		cols = append(cols, c)
	}
	slices.Sort(cols)
	err := u.view.CheckSelect(u.table.Name, cols)
	if err != nil && u.table.Kind != catalog.KindTable {
		return errs.New(errs.InsufficientPrivilege, "permission denied for %s %s", u.table.Noun(), u.table.Name)
	}
	return err
}

// from is a bound FROM item: its plan and the names it brings.
type from struct {
	node logical.Node
	rels []*relation
	cols []*column
}

// fromList binds the comma list into s.
func (b *binder) fromList(s *scope, items []ast.TableExpr) (logical.Node, error) {
	var node logical.Node
	for _, it := range items {
		f, err := b.tableExpr(s, it)
		if err != nil {
			return nil, err
		}
		if err := checkAliases(s.rels, f.rels); err != nil {
			return nil, err
		}
		s.rels = append(s.rels, f.rels...)
		s.cols = append(s.cols, f.cols...)
		if node == nil {
			node = f.node
			continue
		}
		node = &logical.Join{Kind: plan.Inner, L: node, R: f.node, Lateral: logical.Free(f.node).Meets(logical.OutSet(node))}
	}
	if node == nil {
		node = &logical.Values{Rows: [][]plan.Expr{{}}}
	}
	return node, nil
}

func checkAliases(have, add []*relation) error {
	for _, a := range add {
		for _, h := range have {
			if a.alias == "" || a.alias != h.alias || a.table && h.table && a.schema != h.schema {
				continue
			}
			return errs.New(errs.DuplicateAlias, "table name %q specified more than once", a.alias)
		}
	}
	return nil
}

func (b *binder) tableExpr(s *scope, t ast.TableExpr) (*from, error) {
	if err := b.enter(t); err != nil {
		return nil, err
	}
	defer b.leave()
	switch t := t.(type) {
	case *ast.TableRef:
		return b.tableRef(s, t)
	case *ast.SubqueryRef:
		return b.derived(s, t)
	case *ast.Join:
		return b.join(s, t)
	case *ast.FuncTable:
		return b.funcTable(s, t)
	}
	return nil, errs.New(errs.Internal, "unknown FROM item %T", t)
}

func (b *binder) tableRef(s *scope, t *ast.TableRef) (*from, error) {
	if t.Sample != nil {
		return nil, at(errs.NotSupported("TABLESAMPLE"), t)
	}
	if len(t.Name) == 1 {
		if c := s.findCTE(t.Name[0]); c != nil {
			return b.cteRef(c, t)
		}
	}
	tab, virt, err := b.lookup(t.Name)
	if err != nil {
		return nil, at(err, t)
	}
	if virt != nil {
		return b.virtual(virt, t)
	}
	if b.rec != nil {
		b.rec.relation(tab, t)
	}
	if tab.Kind == catalog.KindView {
		return b.viewRef(tab, t)
	}
	if tab.Kind == catalog.KindMatView && tab.View.Empty {
		return nil, errs.New(errs.ObjectNotInState, "materialized view %q has not been populated", tab.Name).
			WithHint("Use the REFRESH MATERIALIZED VIEW command.")
	}
	return b.stored(tab, t)
}

// use notes that the statement reads a stored relation or a view.
func (b *binder) use(tab *catalog.Table, view *policy.View, t *ast.TableRef) *tableUse {
	use := &tableUse{table: tab, view: view, used: map[uint32]bool{}, pos: t}
	b.uses = append(b.uses, use)
	_, _, cut := view.Floor()
	b.bound = b.bound || view.Bound() || cut
	if !slices.Contains(b.tables, tab.ID) {
		b.tables = append(b.tables, tab.ID)
	}
	return use
}

func (b *binder) schemaName(tab *catalog.Table) string {
	if sc := b.env.Catalog.SchemaByID(tab.Schema); sc != nil {
		return sc.Name
	}
	return ""
}

// lookup finds a relation by name: exactly one of the results is set.
func (b *binder) lookup(parts []string) (*catalog.Table, *Virtual, error) {
	name := parts[len(parts)-1]
	missing := errs.New(errs.UndefinedTable, "relation %q does not exist", quoteName(parts))
	if len(parts) > 3 {
		return nil, nil, errs.New(errs.Syntax, "improper relation name (too many dotted names): %s", quoteName(parts))
	}
	if len(parts) == 3 {
		if db := b.env.Fn.Database; parts[0] != db {
			return nil, nil, errs.New(errs.FeatureNotSupported, "cross-database references are not implemented: %q", quoteName(parts))
		}
		parts = parts[1:]
	}
	if len(parts) == 2 {
		schema := parts[0]
		if schema == "pg_temp" && len(b.env.SearchPath) > 0 && strings.HasPrefix(b.env.SearchPath[0], "pg_temp_") {
			schema = b.env.SearchPath[0] // the session's own
		}
		t, v := b.lookupIn(schema, name)
		if t == nil && v == nil {
			return nil, nil, missing
		}
		return t, v, nil
	}
	path := b.env.SearchPath
	if !slices.Contains(path, "pg_catalog") {
		path = append([]string{"pg_catalog"}, path...)
	}
	for _, sc := range path {
		if t, v := b.lookupIn(sc, name); t != nil || v != nil {
			return t, v, nil
		}
	}
	return nil, nil, missing
}

func (b *binder) lookupIn(schema, name string) (*catalog.Table, *Virtual) {
	if sc := b.env.Catalog.SchemaByName(schema); sc != nil {
		if t := b.env.Catalog.TableByName(sc.ID, name); t != nil {
			return t, nil
		}
	}
	if b.env.Virtual != nil {
		if v, ok := b.env.Virtual(schema, name); ok {
			return nil, v
		}
	}
	return nil, nil
}

// FindTable finds a stored table by name as the binder does, for DDL and COPY;
// 42P01 without one, 42809 for a catalog relation.
func FindTable(env *Env, name []string) (*catalog.Table, error) {
	b := newBinder(env)
	t, v, err := b.lookup(name)
	if err == nil && v != nil {
		err = errs.New(errs.InsufficientPrivilege, "permission denied: %q is a system catalog", v.Name)
	}
	return t, err
}

func (b *binder) stored(tab *catalog.Table, t *ast.TableRef) (*from, error) {
	view, err := b.resolve(tab.ID)
	if err != nil {
		return nil, at(err, t)
	}
	use := b.use(tab, view, t)
	_, _, cut := view.Floor()
	schema := b.schemaName(tab)
	rel := &relation{schema: schema, alias: tab.Name, table: true, stored: tab}
	add := func(id uint32, name string, ty types.Type, notNull, hidden bool) {
		c := &column{Column: b.newCol(name, ty), hidden: hidden, tableOID: tab.ID, attNum: int16(id),
			rel: rel, use: use, field: id}
		c.NotNull = notNull && view.Mask(id) == nil
		if hidden {
			c.attNum = 0
		}
		rel.cols = append(rel.cols, c)
	}
	for i := range tab.Columns {
		c := &tab.Columns[i]
		add(c.ID, c.Name, c.Type, c.NotNull, false)
	}
	add(catalog.ColReceivedAt, "_received_at", types.Timestamptz, false, true)
	add(catalog.ColCommitSeq, "_commit_seq", types.Int8, false, true)
	if err := rename(rel, t.Alias); err != nil {
		return nil, err
	}
	cols := make([]logical.Column, len(rel.cols))
	ids := make([]uint32, len(rel.cols))
	for i, c := range rel.cols {
		cols[i], ids[i] = c.Column, c.field
	}
	rows := int64(0)
	if b.env.Rows != nil {
		rows = b.env.Rows(tab.ID)
	}
	if view.Bound() || cut {
		rows = sizeClass(rows)
	}
	node := logical.NewScan(view, schema+"."+tab.Name, rel.alias, cols, ids, rows)
	return &from{node: node, rels: []*relation{rel}, cols: rel.cols}, nil
}

// sizeClass is all that a bound role's plans may depend on: the next power of
// ten, never below a million.
func sizeClass(rows int64) int64 {
	c := int64(1e6)
	for c < rows {
		c *= 10
	}
	return c
}

func (b *binder) virtual(v *Virtual, t *ast.TableRef) (*from, error) {
	rel := &relation{schema: v.Schema, alias: v.Name, table: true}
	n := &logical.Virtual{Name: v.Schema + "." + v.Name, Gen: v.Gen}
	for i, vc := range v.Cols {
		c := &column{Column: b.newCol(vc.Name, vc.Type), hidden: vc.Hidden, tableOID: v.OID, attNum: int16(i + 1), rel: rel}
		if vc.Hidden {
			c.attNum = 0
		}
		rel.cols = append(rel.cols, c)
		n.At = append(n.At, i)
		n.All = append(n.All, vc.Type)
	}
	if err := rename(rel, t.Alias); err != nil {
		return nil, err
	}
	for _, c := range rel.cols {
		n.Cols = append(n.Cols, c.Column)
	}
	return &from{node: n, rels: []*relation{rel}, cols: rel.cols}, nil
}

// rename applies an alias and its column list; hidden columns keep their names.
func rename(rel *relation, a *ast.Alias) error {
	if a == nil {
		return nil
	}
	rel.alias, rel.table = a.Name, false
	visible := 0
	for _, c := range rel.cols {
		if !c.hidden {
			visible++
		}
	}
	if len(a.Columns) > visible {
		return errs.New(errs.InvalidColumnReference, "table %q has %d columns available but %d columns specified",
			a.Name, visible, len(a.Columns))
	}
	i := 0
	for _, c := range rel.cols {
		if !c.hidden && i < len(a.Columns) {
			c.Name, c.renamed = a.Columns[i], true
			i++
		}
	}
	return nil
}

// cteRef binds the WITH query anew for each reference: inlining.
func (b *binder) cteRef(c *cte, t *ast.TableRef) (*from, error) {
	if c.self != nil {
		return b.selfReference(c, t)
	}
	if ch := b.env.Changes[c.def]; ch != nil {
		return b.changedRef(ch, c.def, t)
	}
	q, err := b.cteQuery(c)
	if err != nil {
		return nil, err
	}
	rel := &relation{alias: c.def.Name}
	if len(c.def.Columns) > len(q.cols) {
		return nil, at(errs.New(errs.InvalidColumnReference, "WITH query %q has %d columns available but %d columns specified",
			c.def.Name, len(q.cols), len(c.def.Columns)), c.def)
	}
	for i, qc := range q.cols {
		col := qc.asColumn(rel)
		if i < len(c.def.Columns) {
			col.Name = c.def.Columns[i]
		}
		rel.cols = append(rel.cols, col)
	}
	if err := rename(rel, t.Alias); err != nil {
		return nil, err
	}
	return &from{node: q.node, rels: []*relation{rel}, cols: rel.cols}, nil
}

// changedRef is a reference to what a data-modifying WITH query returns.
func (b *binder) changedRef(ch *Change, def *ast.CTE, t *ast.TableRef) (*from, error) {
	if ch.Fields == nil {
		return nil, at(errs.New(errs.FeatureNotSupported, "WITH query %q does not have a RETURNING clause", def.Name), t)
	}
	v := &Virtual{Name: def.Name, Gen: ch.Gen}
	for _, f := range ch.Fields {
		v.Cols = append(v.Cols, VirtualColumn{Name: f.Name, Type: f.Type})
	}
	f, err := b.virtual(v, &ast.TableRef{At: t.At, Name: t.Name, Alias: &ast.Alias{At: def.At, Name: def.Name, Columns: def.Columns}})
	if err != nil {
		return nil, err
	}
	f.node.(*logical.Virtual).Name = ChangeName(def)
	for _, c := range f.cols {
		c.attNum = 0
	}
	return f, rename(f.rels[0], t.Alias)
}

// ChangeName is the name of the relation that plans read the rows of a
// data-modifying WITH query from.
func ChangeName(def *ast.CTE) string { return "with " + def.Name }

func (b *binder) derived(s *scope, t *ast.SubqueryRef) (*from, error) {
	// Without LATERAL the subquery sees the outer queries and the CTEs, not
	// its siblings.
	inner := &scope{parent: &scope{parent: s.parent, via: s.via, ctes: s.ctes}}
	if t.Lateral {
		inner = &scope{parent: s, via: &exprCtx{scope: s, clause: "LATERAL"}}
	}
	q, err := b.query(inner, t.Query)
	if err != nil {
		return nil, err
	}
	if q, err = b.resolveUnknowns(q); err != nil {
		return nil, err
	}
	rel := &relation{}
	for _, qc := range q.cols {
		rel.cols = append(rel.cols, qc.asColumn(rel))
	}
	if err := rename(rel, t.Alias); err != nil {
		return nil, err
	}
	return &from{node: q.node, rels: []*relation{rel}, cols: rel.cols}, nil
}

func (c *outCol) asColumn(rel *relation) *column {
	col := &column{Column: c.Column, tableOID: c.tableOID, attNum: c.attNum, rel: rel}
	return col
}
