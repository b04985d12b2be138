package bind

import (
	"slices"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/literal"
	"quern/sql/internal/logical"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// viewFrame is a view whose query is being bound: its owner's privileges open
// what it reads, the policies stay those of who asks.
type viewFrame struct {
	table  uint32
	owner  policy.Principal
	hidden bool // it reads something that who asks may not read itself
	outer  *viewFrame
}

// resolve makes the policy view of a relation that the statement names.
func (b *binder) resolve(table uint32) (*policy.View, error) {
	if b.inView == nil {
		return policy.Resolve(b.env.Catalog, table, b.env.Principal, b.env.Now)
	}
	v, err := policy.ResolveThrough(b.env.Catalog, table, b.inView.owner, b.env.Principal, b.env.Now)
	if err == nil && v.Bound() {
		b.inView.hidden = true
	}
	return v, err
}

// principalOf is a role as the one who asks.
func principalOf(cat *catalog.Snapshot, role uint32) policy.Principal {
	p := policy.Principal{RoleID: role, SessionID: role}
	if r := cat.Role(role); r != nil {
		p.Superuser, p.Name = r.Superuser, r.Name
	}
	return p
}

// viewRef binds a reference to a view: its query, under its columns' names.
func (b *binder) viewRef(tab *catalog.Table, t *ast.TableRef) (*from, error) {
	for f := b.inView; f != nil; f = f.outer {
		if f.table == tab.ID {
			return nil, at(errs.New(errs.InvalidObjectDefinition, "infinite recursion detected in rules for relation %q", tab.Name), t)
		}
	}
	view, err := b.resolve(tab.ID)
	if err != nil {
		return nil, at(err, t)
	}
	use := b.use(tab, view, t)
	q, err := b.viewQuery(tab)
	if err != nil {
		return nil, err
	}
	rel := &relation{schema: b.schemaName(tab), alias: tab.Name, table: true, stored: tab}
	for i := range tab.Columns {
		c := &tab.Columns[i]
		col := &column{Column: q.cols[i].Column, tableOID: tab.ID, attNum: int16(c.ID), rel: rel, use: use, field: c.ID}
		col.Name = c.Name
		rel.cols = append(rel.cols, col)
	}
	if err := rename(rel, t.Alias); err != nil {
		return nil, err
	}
	return &from{node: q.node, rels: []*relation{rel}, cols: rel.cols}, nil
}

// viewQuery binds the query of a view. Where it shows less than what it reads,
// nothing of the outer query that can raise may move into it.
func (b *binder) viewQuery(tab *catalog.Table) (*result, error) {
	if b.env.ParseView == nil {
		return nil, errs.New(errs.Internal, "no parser for views")
	}
	tree, err := b.env.ParseView(tab.View)
	if err != nil {
		return nil, err
	}
	frame := &viewFrame{table: tab.ID, owner: principalOf(b.env.Catalog, tab.Owner), outer: b.inView}
	if slices.Contains(tab.View.Options, "security_invoker=true") {
		frame.owner = b.env.Principal
		if b.inView != nil {
			frame.owner = b.inView.owner
		}
	}
	rec, noSelf := b.rec, b.noSelf
	b.inView, b.rec, b.noSelf = frame, nil, ""
	q, err := b.query(&scope{}, tree)
	if err == nil {
		q, err = b.resolveUnknowns(q)
	}
	b.inView, b.rec, b.noSelf = frame.outer, rec, noSelf
	if err != nil {
		// NB: no position of the view's text means anything in the statement's.
		if e, ok := err.(*errs.Error); ok {
			c := *e
			c.Pos = 0
			err = &c
		}
		return nil, err
	}
	if len(q.cols) < len(tab.Columns) {
		return nil, errs.New(errs.Internal, "view %q has %d columns and its query %d", tab.Name, len(tab.Columns), len(q.cols))
	}
	if frame.hidden {
		if b.inView != nil {
			b.inView.hidden = true
		}
		q.node = barrier(q)
	}
	return q, nil
}

func barrier(q *result) logical.Node {
	p := &logical.Project{In: q.node, Barrier: true}
	seen := logical.Set{}
	for _, c := range q.cols {
		if !seen[c.ID] {
			seen[c.ID] = true
			p.Items = append(p.Items, logical.Item{Col: c.Column, Expr: c.Col()})
		}
	}
	return p
}

// ViewDef is what CREATE VIEW stores of a query.
type ViewDef struct {
	// Query is the text in which every name is resolved.
	Query string
	Deps  []catalog.Dep
	Field []Field
}

// DefineView binds the query of a view and resolves its names. columns rename
// its first columns. names is the catalog whose names the text gets: env's, or
// one in which objects were renamed. NB: it changes q.
func DefineView(env *Env, q *ast.Query, columns []string, names *catalog.Snapshot) (*ViewDef, error) {
	b := newBinder(env)
	b.rec = &recorder{names: names, uses: map[uint32]logicalCols{}}
	r, err := b.query(&scope{}, q)
	if err != nil {
		return nil, err
	}
	if r, err = b.resolveUnknowns(r); err != nil {
		return nil, err
	}
	if len(columns) > len(r.cols) {
		return nil, errs.New(errs.Syntax, "CREATE VIEW specifies more column names than columns")
	}
	bound, err := b.finish(r)
	if err != nil {
		return nil, err
	}
	b.rec.apply()
	out := &ViewDef{Field: bound.Field, Deps: b.rec.deps()}
	for i, n := range columns {
		out.Field[i].Name = n
	}
	nameTargets(q, out.Field)
	out.Query = ast.Print(q)
	return out, nil
}

// nameTargets writes the names of the result into the query's SELECTs.
func nameTargets(q *ast.Query, fields []Field) {
	switch body := q.Body.(type) {
	case *ast.SetOp:
		nameTargets(body.Left, fields)
		nameTargets(body.Right, fields)
	case *ast.Select:
		for i, t := range body.Targets {
			if i < len(fields) {
				t.Alias = fields[i].Name
			}
		}
	}
}

type logicalCols = map[uint32]bool

// recorder notes what names and literals of a query mean, to write it so that
// it means the same everywhere. Binding reads the tree, so what it notes is
// done afterwards.
type recorder struct {
	names *catalog.Snapshot
	fixes []func()
	uses  map[uint32]logicalCols
}

func (r *recorder) apply() {
	for _, f := range r.fixes {
		f()
	}
}

func (r *recorder) deps() []catalog.Dep {
	var out []catalog.Dep
	for id, cols := range r.uses {
		d := catalog.Dep{Table: id}
		for c := range cols {
			d.Cols = append(d.Cols, c)
		}
		slices.Sort(d.Cols)
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b catalog.Dep) int { return int(a.Table) - int(b.Table) })
	return out
}

// relation notes a reference to a stored relation.
func (r *recorder) relation(tab *catalog.Table, t *ast.TableRef) {
	if r.uses[tab.ID] == nil {
		r.uses[tab.ID] = logicalCols{}
	}
	r.fixes = append(r.fixes, func() {
		n := r.names.Table(tab.ID)
		if n == nil {
			return
		}
		if sc := r.names.SchemaByID(n.Schema); sc != nil {
			t.Name = []string{sc.Name, n.Name}
		}
	})
}

// parts is how a column is written so that it is found again; nil if as it is.
func (r *recorder) parts(b *binder, s *scope, c *column) func() []string {
	if c.rel == nil || c.rel.alias == "" {
		return func() []string { return []string{c.Name} }
	}
	rel, _, err := s.relation([]string{c.rel.alias})
	if err != nil || rel != c.rel {
		return nil
	}
	twins := 0
	for _, x := range rel.cols {
		if x.Name == c.Name {
			twins++
		}
	}
	if twins != 1 {
		return nil
	}
	return func() []string { return []string{r.alias(c.rel), r.column(c)} }
}

func (r *recorder) alias(rel *relation) string {
	if rel.table && rel.stored != nil {
		if n := r.names.Table(rel.stored.ID); n != nil {
			return n.Name
		}
	}
	return rel.alias
}

func (r *recorder) column(c *column) string {
	if c.use != nil && !c.renamed {
		if n := r.names.Table(c.use.table.ID); n != nil {
			if col := n.ColumnByID(c.field); col != nil {
				return col.Name
			}
		}
	}
	return c.Name
}

// ref notes a reference to a column.
func (r *recorder) ref(b *binder, s *scope, c *column, e *ast.Column) {
	if c.use != nil && r.uses[c.use.table.ID] != nil {
		r.uses[c.use.table.ID][c.field] = true
	}
	if parts := r.parts(b, s, c); parts != nil {
		r.fixes = append(r.fixes, func() { e.Parts = parts() })
	}
}

// star notes the columns of * in a SELECT list.
func (r *recorder) star(b *binder, s *scope, sel *ast.Select, t *ast.Target, cols []*column) {
	var list []*ast.Target
	for _, c := range cols {
		e := &ast.Column{At: t.At, Parts: []string{c.Name}}
		r.ref(b, s, c, e)
		list = append(list, &ast.Target{At: t.At, Expr: e, Alias: c.Name})
	}
	r.fixes = append(r.fixes, func() {
		if i := slices.Index(sel.Targets, t); i >= 0 {
			sel.Targets = slices.Replace(slices.Clone(sel.Targets), i, i+1, list...)
		}
	})
}

// target notes the name of a result column.
func (r *recorder) target(t *ast.Target, name string) {
	r.fixes = append(r.fixes, func() { t.Alias = name })
}

// ordinal notes that an item of ORDER BY or GROUP BY is a target's number.
func (r *recorder) ordinal(sel *ast.Select, e ast.Expr, target int, set func(ast.Expr)) {
	if l, ok := e.(*ast.Literal); !ok || l.Kind != ast.LitInt || sel == nil {
		return
	}
	r.fixes = append(r.fixes, func() {
		if _, literal := sel.Targets[target].Expr.(*ast.Literal); !literal {
			set(sel.Targets[target].Expr)
		}
	})
}

// natural turns NATURAL into the columns that it means today.
func (r *recorder) natural(j *ast.Join, using []string) {
	r.fixes = append(r.fixes, func() {
		j.Natural = false
		j.Using = using
		switch {
		case len(using) > 0:
		case j.Kind == ast.JoinInner:
			j.Kind = ast.JoinCross
		default:
			j.On = &ast.Literal{Kind: ast.LitBool, Text: "true"}
		}
	})
}

// literal notes the type and value of a string or NULL: the text is the value's
// own, whatever the session's DateStyle and TimeZone.
func (r *recorder) literal(n ast.Node, l *plan.Lit) {
	lit, ok := n.(*ast.Literal)
	if !ok || lit.Kind != ast.LitString && lit.Kind != ast.LitNull {
		return
	}
	text, name := literal.Text(l), literal.TypeText(l.Typ)
	r.fixes = append(r.fixes, func() {
		if lit.Kind == ast.LitString && text != "" {
			lit.Text = text
		}
		lit.As = name
	})
}

// cast says that a literal's type is written already.
func (r *recorder) cast(e ast.Expr) {
	if lit, ok := e.(*ast.Literal); ok {
		r.fixes = append(r.fixes, func() { lit.As = "" })
	}
}

// operands notes the implicit casts of an operator's operands, which PostgreSQL
// prints.
func (r *recorder) operands(e *ast.Op, c *plan.Call, before ...plan.Expr) {
	for i, side := range []*ast.Expr{&e.Left, &e.Right} {
		if c.Args[i] == before[i] || before[i].Type().OID == types.UnknownOID {
			continue
		}
		if cast, ok := c.Args[i].(*plan.Cast); ok && cast.Arg == before[i] {
			t := &ast.TypeName{Text: literal.TypeText(cast.Typ)}
			r.fixes = append(r.fixes, func() { *side = &ast.Cast{Expr: *side, Type: t, Syntax: ast.CastColons} })
		}
	}
}
