package ast

func (p *printer) subquery(q *Query) {
	p.s("(")
	p.query(q)
	p.s(")")
}

func (p *printer) query(q *Query) {
	if p.layout {
		p.layoutQuery(q)
		return
	}
	p.with(q.With)
	p.body(q.Body)
	if len(q.OrderBy) > 0 {
		p.s(" ORDER BY ")
		p.sort(q.OrderBy)
	}
	if q.Offset != nil {
		p.s(" OFFSET ")
		p.expr(q.Offset)
	}
	if q.Limit != nil {
		if q.WithTies {
			p.s(" FETCH FIRST (")
			p.expr(q.Limit)
			p.s(") ROWS WITH TIES")
		} else {
			p.s(" LIMIT ")
			p.expr(q.Limit)
		}
	}
	for _, l := range q.Locks {
		p.s([...]string{" FOR UPDATE", " FOR NO KEY UPDATE", " FOR SHARE", " FOR KEY SHARE"}[l.Strength])
		for i, t := range l.Of {
			p.s([...]string{" OF ", ", "}[min(i, 1)])
			p.idents(t, ".")
		}
		if l.NoWait {
			p.s(" NOWAIT")
		}
		if l.SkipLocked {
			p.s(" SKIP LOCKED")
		}
	}
}

func (p *printer) with(w *With) {
	if w == nil {
		return
	}
	p.s("WITH ")
	if w.Recursive {
		p.s("RECURSIVE ")
	}
	for i, c := range w.CTEs {
		if i > 0 {
			p.s(", ")
		}
		p.ident(c.Name)
		p.columns(c.Columns)
		p.s(" AS ", [...]string{"", "MATERIALIZED ", "NOT MATERIALIZED "}[c.Materialize])
		if c.Stmt != nil {
			p.s("(")
			p.stmt(c.Stmt)
			p.s(")")
			continue
		}
		p.subquery(c.Query)
	}
	p.s(" ")
}

func (p *printer) columns(list []string) {
	if len(list) > 0 {
		p.s("(")
		p.idents(list, ", ")
		p.s(")")
	}
}

func (p *printer) body(b Body) {
	switch b := b.(type) {
	case *Values:
		p.values(b)
	case *SetOp:
		p.setOp(b)
	case *Select:
		p.sel(b)
	}
}

func (p *printer) values(v *Values) {
	p.s("VALUES ")
	for i, r := range v.Rows {
		if i > 0 {
			p.s(", ")
		}
		p.s("(")
		if p.layout {
			p.tight(r)
		} else {
			p.list(r)
		}
		p.s(")")
	}
}

// tight is list without blanks.
func (p *printer) tight(list []Expr) {
	for i, e := range list {
		if i > 0 {
			p.s(",")
		}
		p.expr(e)
	}
}

// setOp prints operands in parentheses unless they are plain bodies; a left
// operand of the same kind needs none.
func (p *printer) setOp(o *SetOp) {
	p.setOperand(o.Left, o.Kind != Intersect)
	p.s([...]string{" UNION ", " INTERSECT ", " EXCEPT "}[o.Kind])
	if o.All {
		p.s("ALL ")
	}
	p.setOperand(o.Right, false)
}

func (p *printer) setOperand(q *Query, chain bool) {
	plain := q.With == nil && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil && len(q.Locks) == 0
	if o, ok := q.Body.(*SetOp); ok && (!chain || o.Kind == Intersect || p.full) {
		plain = false
	}
	if plain {
		p.body(q.Body)
		return
	}
	p.subquery(q)
}

func (p *printer) targets(list []*Target) {
	if p.layout {
		p.layoutTargets(list)
		return
	}
	for i, t := range list {
		if i > 0 {
			p.s(", ")
		}
		p.expr(t.Expr)
		if t.Alias != "" {
			p.s(" AS ")
			p.ident(t.Alias)
		}
	}
}

func (p *printer) sel(s *Select) {
	p.s("SELECT")
	if s.DistinctOn != nil {
		p.s(" DISTINCT ON (")
		p.list(s.DistinctOn)
		p.s(")")
	} else if s.Distinct {
		p.s(" DISTINCT")
	}
	if len(s.Targets) > 0 {
		p.s(" ")
		p.targets(s.Targets)
	}
	if p.layout && len(s.From) > 0 {
		p.line(-indentStd, indentStd, 2)
	}
	p.from(" FROM ", s.From)
	p.layoutClause(" WHERE ", s.Where, 1)
	if g := s.Group; g != nil {
		p.clauseLine(" GROUP BY ", 1)
		switch {
		case g.All:
			p.s("ALL")
		case g.Distinct:
			p.s("DISTINCT ")
		}
		p.list(g.Items)
	}
	p.layoutClause(" HAVING ", s.Having, 0)
	for i, w := range s.Windows {
		if i == 0 {
			p.clauseLine(" WINDOW ", 1)
		} else {
			p.s(", ")
		}
		p.ident(w.Name)
		p.s(" AS ")
		p.window(w)
	}
}

func (p *printer) clause(word string, e Expr) {
	if e != nil {
		p.s(word)
		p.expr(e)
	}
}

// layoutClause is clause on a line of its own; PostgreSQL's plain form has
// parentheses around every condition.
func (p *printer) layoutClause(word string, e Expr, plus int) {
	if e == nil {
		return
	}
	p.clauseLine(word, plus)
	if p.layout {
		p.operand(e, 0)
		return
	}
	p.expr(e)
}

func (p *printer) from(word string, list []TableExpr) {
	for i, t := range list {
		if i == 0 {
			p.s(word)
		} else if p.layout {
			p.s(",")
			p.line(-indentStd, indentStd, indentVar)
		} else {
			p.s(", ")
		}
		p.table(t)
	}
}

func (p *printer) alias(a *Alias) {
	if a != nil {
		if p.layout {
			p.s(" ")
		} else {
			p.s(" AS ")
		}
		p.ident(a.Name)
		p.columns(a.Columns)
	}
}

func (p *printer) table(t TableExpr) {
	switch t := t.(type) {
	case *TableRef:
		if t.Only {
			p.s("ONLY ")
		}
		name := t.Name
		if p.name != nil {
			name = p.name(name)
		}
		p.idents(name, ".")
		p.alias(t.Alias)
		if s := t.Sample; s != nil {
			p.s(" TABLESAMPLE ")
			p.ident(s.Method)
			p.s(" (")
			p.list(s.Args)
			p.s(")")
			if s.Seed != nil {
				p.s(" REPEATABLE (")
				p.expr(s.Seed)
				p.s(")")
			}
		}
	case *SubqueryRef:
		if t.Lateral {
			p.s("LATERAL ")
		}
		p.subquery(t.Query)
		p.alias(t.Alias)
	case *FuncTable:
		p.funcTable(t)
	case *Join:
		p.join(t)
	}
}

func (p *printer) funcTable(t *FuncTable) {
	if t.Lateral {
		p.s("LATERAL ")
	}
	if t.RowsFrom {
		p.s("ROWS FROM (")
	}
	for i, c := range t.Calls {
		if i > 0 {
			p.s(", ")
		}
		p.expr(c.Expr)
		if c.ColDefs != nil {
			p.s(" AS ")
			p.colDefs(c.ColDefs)
		}
	}
	if t.RowsFrom {
		p.s(")")
	}
	if t.Ordinality {
		p.s(" WITH ORDINALITY")
	}
	p.alias(t.Alias)
	if t.ColDefs != nil {
		if t.Alias == nil {
			p.s(" AS ")
		}
		p.colDefs(t.ColDefs)
	}
}

func (p *printer) colDefs(list []ColDef) {
	p.s("(")
	for i, d := range list {
		if i > 0 {
			p.s(", ")
		}
		p.ident(d.Name)
		p.s(" ")
		p.typeName(d.Type)
	}
	p.s(")")
}

func (p *printer) join(j *Join) {
	plain := p.layout && p.full && j.Alias == nil // pg_get_viewdef's plain form
	if j.Alias != nil || plain {
		p.s("(")
	}
	p.joinSide(j.Left, false)
	if p.layout {
		p.line(-indentStd, indentStd, indentJoin)
	}
	if j.Natural {
		p.s(" NATURAL")
	}
	p.s([...]string{" JOIN ", " LEFT JOIN ", " RIGHT JOIN ", " FULL JOIN ", " CROSS JOIN "}[j.Kind])
	p.joinSide(j.Right, true)
	switch {
	case j.Using != nil:
		p.s(" USING ")
		p.columns(j.Using)
		if j.UsingAlias != "" {
			p.s(" AS ")
			p.ident(j.UsingAlias)
		}
	case j.On != nil:
		p.s(" ON ")
		p.operand(j.On, 0)
	}
	if j.Alias != nil || plain {
		p.s(")")
		p.alias(j.Alias)
	}
}

// joinSide prints an operand of a join; a join on the right needs parentheses,
// one with an alias brings its own.
func (p *printer) joinSide(t TableExpr, right bool) {
	j, ok := t.(*Join)
	if ok && j.Alias == nil && (right || p.full) && !(p.layout && p.full) {
		p.s("(")
		p.table(t)
		p.s(")")
		return
	}
	p.table(t)
}

func (p *printer) returning(list []*Target) {
	if len(list) > 0 {
		p.s(" RETURNING ")
		p.targets(list)
	}
}

// stmt prints queries and DML.
func (p *printer) stmt(s Stmt) {
	switch s := s.(type) {
	case *SelectStmt:
		p.query(s.Query)
	case *Insert:
		p.insert(s)
	case *Update:
		p.with(s.With)
		p.s("UPDATE ")
		p.table(s.Table)
		p.s(" SET ")
		for i, a := range s.Set {
			if i > 0 {
				p.s(", ")
			}
			if a.Multi {
				p.columns(a.Columns)
			} else {
				p.idents(a.Columns, "")
			}
			p.s(" = ")
			p.expr(a.Value)
		}
		p.from(" FROM ", s.From)
		p.clause(" WHERE ", s.Where)
		p.returning(s.Returning)
	case *Delete:
		p.with(s.With)
		p.s("DELETE FROM ")
		p.table(s.Table)
		p.from(" USING ", s.Using)
		p.clause(" WHERE ", s.Where)
		p.returning(s.Returning)
	}
}

func (p *printer) insert(s *Insert) {
	p.with(s.With)
	p.s("INSERT INTO ")
	p.table(s.Table)
	for i, c := range s.Columns {
		p.s([...]string{" (", ", "}[min(i, 1)])
		p.ident(c.Name)
	}
	if len(s.Columns) > 0 {
		p.s(")")
	}
	p.s([...]string{"", " OVERRIDING SYSTEM VALUE", " OVERRIDING USER VALUE"}[s.Overriding])
	if s.Query == nil {
		p.s(" DEFAULT VALUES")
	} else {
		p.s(" ")
		p.query(s.Query)
	}
	if c := s.OnConflict; c != nil {
		p.s(" ON CONFLICT")
		switch {
		case c.Constraint != "":
			p.s(" ON CONSTRAINT ")
			p.ident(c.Constraint)
		case c.Columns != nil:
			p.s(" (")
			p.list(c.Columns)
			p.s(")")
			p.clause(" WHERE ", c.Where)
		}
		p.s(" DO NOTHING")
	}
	p.returning(s.Returning)
}
