package bind

import (
	"slices"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/insertrules"
	"quern/sql/internal/logical"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// Insert binds INSERT: Bound.Root makes the rows, Bound.Target says where they
// go. Columns that are not listed, or only ever DEFAULT, are left out of
// Target.Cols; RETURNING is computed on the rows as storage completed them.
func Insert(env *Env, st *ast.Insert) (*Bound, error) {
	b := newBinder(env)
	s := &scope{}
	if st.With != nil {
		w := &scope{ctes: map[string]*cte{}}
		if err := b.with(w, st.With); err != nil {
			return nil, err
		}
		s.parent = w
	}
	tab, view, through, err := b.insertTarget(st.Table)
	if err != nil {
		return nil, err
	}
	if err := insertrules.OnConflict(tab, st.OnConflict); err != nil {
		return nil, err
	}
	var cols []*catalog.Column
	var more error
	if through != nil {
		cols, more, err = through.insertColumns(st.Columns)
	} else {
		cols, err = insertColumns(tab, st.Columns)
	}
	if err != nil {
		return nil, err
	}
	if err := checkInsert(view, tab, cols); err != nil {
		return nil, at(err, st.Table)
	}
	in := &inserter{b: b, tab: tab, cols: cols, st: st, more: more}
	if in.st, err = insertrules.Identity(st, cols); err != nil {
		return nil, err
	}
	if err := in.rows(s); err != nil {
		return nil, err
	}
	out, err := b.finish(in.res)
	if err != nil {
		return nil, err
	}
	out.Target = &Target{Table: tab}
	for _, c := range in.cols {
		out.Target.Cols = append(out.Target.Cols, c.ID)
	}
	out.Field = nil
	if len(st.Returning) > 0 {
		err = b.returning(out, tab, view, through, st)
	}
	return out, err
}

// Columns resolves the column list of COPY (all columns if empty) and checks
// the privilege; Copy to a table needs INSERT, from a table SELECT.
func Columns(env *Env, tab *catalog.Table, list []ast.InsertColumn, p policy.Privilege) (cols []*catalog.Column, view *policy.View, err error) {
	view, err = policy.Resolve(env.Catalog, tab.ID, env.Principal, env.Now)
	if err != nil {
		return nil, nil, err
	}
	if cols, err = insertColumns(tab, list); err != nil {
		return nil, nil, err
	}
	for _, c := range cols {
		if !view.HasColumn(p, c.ID) {
			return nil, nil, errs.New(errs.InsufficientPrivilege, "permission denied for table %s", tab.Name)
		}
	}
	return cols, view, nil
}

func (b *binder) insertTarget(t *ast.TableRef) (*catalog.Table, *policy.View, *viewTarget, error) {
	tab, virt, err := b.lookup(t.Name)
	if err != nil {
		return nil, nil, nil, at(err, t)
	}
	if virt != nil {
		return nil, nil, nil, at(errs.New(errs.InsufficientPrivilege, "permission denied: %q is a system catalog", virt.Name), t)
	}
	if err := writable(tab); err != nil {
		return nil, nil, nil, err
	}
	if tab.Kind == catalog.KindView {
		uses := b.uses
		v, err := b.throughView(tab, t, "INSERT")
		if err != nil {
			return nil, nil, nil, err
		}
		b.uses = uses // nothing is read
		return v.base, v.view, v, nil
	}
	view, err := policy.Resolve(b.env.Catalog, tab.ID, b.env.Principal, b.env.Now)
	return tab, view, nil, err
}

// writable refuses to change materialized views.
func writable(tab *catalog.Table) error {
	if tab.Kind == catalog.KindMatView {
		return errs.New(errs.WrongObjectType, "cannot change materialized view %q", tab.Name)
	}
	return nil
}

func checkInsert(view *policy.View, tab *catalog.Table, cols []*catalog.Column) error {
	for _, c := range cols {
		if !view.HasColumn(policy.Insert, c.ID) {
			return errs.New(errs.InsufficientPrivilege, "permission denied for table %s", tab.Name)
		}
	}
	if len(cols) == 0 && !view.Has(policy.Insert) {
		return errs.New(errs.InsufficientPrivilege, "permission denied for table %s", tab.Name)
	}
	return nil
}

func insertColumns(tab *catalog.Table, list []ast.InsertColumn) ([]*catalog.Column, error) {
	var out []*catalog.Column
	if len(list) == 0 {
		for i := range tab.Columns {
			out = append(out, &tab.Columns[i])
		}
		return out, nil
	}
	for i := range list {
		c := tab.Column(list[i].Name)
		if c == nil {
			return nil, at(errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", list[i].Name, tab.Name), &list[i])
		}
		if slices.Contains(out, c) {
			return nil, at(errs.New(errs.DuplicateColumn, "column %q specified more than once", c.Name), &list[i])
		}
		out = append(out, c)
	}
	return out, nil
}

// inserter makes the rows of an INSERT.
type inserter struct {
	b    *binder
	tab  *catalog.Table
	st   *ast.Insert
	cols []*catalog.Column
	more error // why there are no more columns, nil for tables
	res  *result
}

func (in *inserter) rows(s *scope) error {
	q := in.st.Query
	if q == nil { // DEFAULT VALUES: one row without columns
		in.cols = nil
		in.res = &result{node: &logical.Values{Rows: [][]plan.Expr{{}}}}
		return nil
	}
	if v, ok := q.Body.(*ast.Values); ok && q.With == nil && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil {
		return in.values(s, v)
	}
	r, err := in.b.query(s, q)
	if err != nil {
		return err
	}
	if err := in.width(len(r.cols), r.place(len(in.cols), q)); err != nil {
		return err
	}
	in.res, err = in.assignAll(r, q)
	return err
}

// assignAll converts the columns of a query to those of the target.
func (in *inserter) assignAll(r *result, q *ast.Query) (*result, error) {
	items := make([]logical.Item, len(r.cols))
	cols := make([]outCol, len(r.cols))
	kept := make([]*catalog.Column, 0, len(cols))
	for i := range r.cols {
		if in.st != nil && in.st.Overriding == ast.OverridingUser && in.cols[i].Identity != "" {
			continue
		}
		e, err := in.assign(r.cols[i].expr(), in.cols[i], r.place(i, q))
		if err != nil {
			return nil, err
		}
		k := len(kept)
		items[k] = logical.Item{Col: in.b.newCol(in.cols[i].Name, in.cols[i].Type), Expr: e}
		cols[k] = outCol{Column: items[k].Col}
		kept = append(kept, in.cols[i])
	}
	in.cols, items, cols = kept, items[:len(kept)], cols[:len(kept)]
	return &result{node: &logical.Project{In: r.node, Items: items}, cols: cols}, nil
}

// width cuts the column list to what the rows give.
func (in *inserter) width(n int, node ast.Node) error {
	if n > len(in.cols) && in.more != nil {
		return in.more
	}
	if n > len(in.cols) {
		return at(errs.New(errs.Syntax, "INSERT has more expressions than target columns"), node)
	}
	if n < len(in.cols) {
		if len(in.st.Columns) > 0 {
			return at(errs.New(errs.Syntax, "INSERT has more target columns than expressions"), &in.st.Columns[n])
		}
		in.cols = in.cols[:n]
	}
	return nil
}

func (in *inserter) values(s *scope, v *ast.Values) error {
	n := len(v.Rows[0])
	if err := in.width(n, v.Rows[0][min(n-1, len(in.cols))]); err != nil {
		return err
	}
	node := &logical.Values{Rows: make([][]plan.Expr, len(v.Rows))}
	defaults := make([]int, n) // rows that say DEFAULT, by column
	ctx := &exprCtx{scope: s, clause: "VALUES"}
	for i, row := range v.Rows {
		if len(row) != n {
			return at(errs.New(errs.Syntax, "VALUES lists must all be the same length"), row[0])
		}
		node.Rows[i] = make([]plan.Expr, n)
		for j, e := range row {
			if _, ok := e.(*ast.Default); ok {
				defaults[j]++
				continue
			}
			x, err := in.b.expr(ctx, e)
			if err != nil {
				return err
			}
			if node.Rows[i][j], err = in.assign(x, in.cols[j], e); err != nil {
				return err
			}
		}
	}
	return in.placeDefaults(node, defaults)
}

// placeDefaults drops columns that are DEFAULT in every row and computes the
// default where only some rows say so.
func (in *inserter) placeDefaults(node *logical.Values, defaults []int) error {
	var keep []int
	for j, k := range defaults {
		if k == len(node.Rows) {
			continue
		}
		keep = append(keep, j)
		for i := range node.Rows {
			if node.Rows[i][j] != nil {
				continue
			}
			e, err := in.b.defaultExpr(in.tab.ID, in.cols[j])
			if err != nil {
				return err
			}
			node.Rows[i][j] = e
		}
	}
	in.res = &result{}
	var cols []*catalog.Column
	for _, j := range keep {
		c := in.b.newCol(in.cols[j].Name, in.cols[j].Type)
		cols = append(cols, in.cols[j])
		node.Cols = append(node.Cols, c)
		in.res.cols = append(in.res.cols, outCol{Column: c})
	}
	if len(keep) < len(defaults) {
		for i, row := range node.Rows {
			var r []plan.Expr
			for _, j := range keep {
				r = append(r, row[j])
			}
			node.Rows[i] = r
		}
	}
	in.cols, in.res.node = cols, node
	return nil
}

// assign converts a value to a column's type (assignment cast).
func (in *inserter) assign(e plan.Expr, c *catalog.Column, n ast.Node) (plan.Expr, error) {
	from := e.Type()
	x, err := in.b.coerce(e, c.Type, castAssignment, n)
	if err == nil {
		if x.Type() != c.Type {
			x = &plan.Cast{Arg: x, Typ: c.Type, Ctx: castAssignment}
		}
		return x, nil
	}
	if errs.CodeOf(err) == errs.DatatypeMismatch && from.OID != types.UnknownOID {
		return nil, at(errs.New(errs.DatatypeMismatch, "column %q is of type %s but expression is of type %s", c.Name, bare(c.Type), bare(from)).
			WithHint("You will need to rewrite or cast the expression."), n)
	}
	return nil, err
}

// defaultExpr computes a column's default in the plan.
func (b *binder) defaultExpr(table uint32, c *catalog.Column) (plan.Expr, error) {
	var name string
	switch c.Default.Kind {
	case catalog.DefaultNone:
		return &plan.Lit{Val: types.NullDatum, Typ: c.Type}, nil
	case catalog.DefaultConst:
		d, err := types.ParseText(c.Type, c.Default.Text, types.DefaultFormat)
		return &plan.Lit{Val: d, Typ: c.Type}, err
	case catalog.DefaultNow:
		name = "now"
	case catalog.DefaultUUID:
		name = "gen_random_uuid"
	case catalog.DefaultUser:
		name = "current_user"
	case catalog.DefaultCounter:
		oid := &plan.Lit{Typ: types.Type{OID: types.RegclassOID, Mod: -1}, Val: types.Datum{I: int64(catalog.SequenceOID(table, c.ID))}}
		x, err := b.function("nextval", []plan.Expr{oid}, nil)
		if err != nil {
			return nil, err
		}
		return b.coerce(x, c.Type, castExplicit, nil)
	}
	x, err := b.function(name, nil, nil)
	if err != nil {
		return nil, err
	}
	return b.coerce(x, c.Type, castExplicit, nil)
}

// returning binds RETURNING over the target's columns.
func (b *binder) returning(out *Bound, tab *catalog.Table, view *policy.View, through *viewTarget, st *ast.Insert) error {
	if through != nil {
		return b.returningView(out, through, st)
	}
	rel := &relation{alias: tab.Name, table: true}
	use := &tableUse{table: tab, view: view, used: map[uint32]bool{}}
	pos := map[int]int{}
	for i := range tab.Columns {
		c := &tab.Columns[i]
		col := &column{Column: b.newCol(c.Name, c.Type), tableOID: tab.ID, attNum: int16(c.ID), rel: rel, use: use, field: c.ID}
		pos[col.ID] = i
		rel.cols = append(rel.cols, col)
	}
	if err := rename(rel, st.Table.Alias); err != nil {
		return err
	}
	sel := &selectState{b: b, scope: &scope{rels: []*relation{rel}, cols: rel.cols}, agg: nil}
	for _, t := range st.Returning {
		if err := sel.target(t); err != nil {
			return err
		}
	}
	sel.resolveTargets()
	if err := use.check(); err != nil {
		return err
	}
	for i := range sel.targets {
		t := &sel.targets[i]
		if logical.HasSub(t.expr) {
			return at(errs.NotSupported("a subquery in RETURNING"), t.src)
		}
		if masked(view, t.expr, rel) {
			return at(errs.NotSupported("RETURNING of a masked column"), t.src)
		}
		out.Field = append(out.Field, Field{Name: t.col.Name, Type: t.expr.Type(), TableOID: t.col.tableOID, AttNum: t.col.attNum})
		out.Returning = append(out.Returning, logical.Map(t.expr, func(e plan.Expr) plan.Expr {
			if c, ok := e.(*plan.Col); ok {
				return &plan.Col{Index: pos[c.Index], Typ: c.Typ}
			}
			return nil
		}))
	}
	return nil
}

// masked tells whether e reads a column that the principal sees masked.
func masked(view *policy.View, e plan.Expr, rel *relation) bool {
	refs := logical.Refs(e)
	for _, c := range rel.cols {
		if refs[c.ID] && view.Mask(c.field) != nil {
			return true
		}
	}
	return false
}
