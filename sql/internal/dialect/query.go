package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// tail is what follows the body of the query being written: everything in it
// travels in ORDER BY.
type tail struct {
	opened bool // ORDER BY has been written
	sorted bool // the user's ORDER BY is there
	limit  bool // LIMIT or FETCH is there
	offset bool
	mark   *TailMark
	with   bool
}

// IsQueryStart reports whether a query begins at token i without a bracket.
func (w *Walker) IsQueryStart(i int) bool {
	t := &w.Toks[i]
	if t.Kind != Word {
		return false
	}
	switch t.Text {
	case "select", "with", "table":
		return true
	case "values":
		return i+1 < len(w.Toks) && w.Toks[i+1].Punct("(")
	}
	return false
}

// IsQuery reports whether the bracket at token i holds a query rather than an
// expression or a join: for ((SELECT … that is decided by what stands behind
// the inner bracket.
func (w *Walker) IsQuery(i int) bool {
	open := i
	for w.Toks[i].Punct("(") {
		i++
	}
	if i == open || !w.IsQueryStart(i) {
		return false
	}
	for i--; i > open; i-- {
		end := &w.Toks[w.MatchOf(i)]
		if !end.Punct(")") {
			return true
		}
		after := &w.Toks[w.MatchOf(i)+1]
		if after.Punct(")") {
			continue
		}
		if after.Kind == EOF {
			return true
		}
		if after.Kind != Word {
			return false
		}
		switch after.Text {
		case "union", "intersect", "except", "order", "limit", "offset", "fetch", "for":
		default:
			return false
		}
	}
	return true
}

// queryTop takes a query without brackets around it, or a bracketed one.
func (w *Walker) queryTop() error {
	tl := &tail{}
	if err := w.query(tl); err != nil {
		return err
	}
	w.writeTail(tl)
	return nil
}

// subquery takes (query) and writes it with its bracket.
func (w *Walker) subquery() error {
	if err := w.Enter(); err != nil {
		return err
	}
	defer w.Leave()
	t := w.Next()
	w.b.raw(t.Start, "(")
	save := w.allowInto
	w.allowInto = false
	err := w.queryTop()
	w.allowInto = save
	if err != nil {
		return err
	}
	w.b.raw(w.Cur().Start, ")")
	return w.Expect(")")
}

// query takes [WITH] body [ORDER BY] [LIMIT …], and writes it as far as its
// tail. Redundant brackets share the tail of what they enclose, as in
// PostgreSQL: (SELECT … ORDER BY a) LIMIT 1 is one query.
func (w *Walker) query(tl *tail) error {
	if err := w.Enter(); err != nil {
		return err
	}
	defer w.Leave()
	if t := w.Cur(); t.Is("with") {
		if tl.with {
			return errs.New(errs.Syntax, "multiple WITH clauses not allowed").WithPos(int(t.Start) + 1)
		}
		tl.with = true
		if err := w.with(); err != nil {
			return err
		}
	}
	if err := w.setExpr(tl); err != nil {
		return err
	}
	return w.queryTail(tl)
}

// with takes WITH [RECURSIVE] name [(cols)] AS [[NOT] MATERIALIZED] (query), ….
func (w *Walker) with() error {
	t := w.Next()
	n := &ast.With{At: At(t), Recursive: w.Word("recursive")}
	w.b.raw(t.Start, "WITH ")
	for {
		c := &ast.CTE{At: At(w.Cur())}
		var err error
		if c.Name, err = w.ColID(); err != nil {
			return err
		}
		if w.Cur().Punct("(") {
			if c.Columns, err = w.NameList(); err != nil {
				return err
			}
		}
		if err := w.ExpectWord("as"); err != nil {
			return err
		}
		switch {
		case w.Word("materialized"):
			c.Materialize = ast.MaterializeAlways
		case w.Words("not", "materialized"):
			c.Materialize = ast.MaterializeNever
		}
		if !w.Cur().Punct("(") {
			return w.Err()
		}
		n.CTEs = append(n.CTEs, c)
		w.b.ident(int32(c.Pos), sideName(MarkCTE, w.b.add(&CTEMark{With: n, CTE: c})))
		w.b.raw(int32(c.Pos), " AS ")
		body := w.subquery
		if k := w.Peek(1); k.Is("insert") || k.Is("update") || k.Is("delete") || k.Is("merge") {
			body = func() error { return w.withChange(c) }
		}
		if err := body(); err != nil {
			return err
		}
		if k := w.Cur(); k.Is("search") || k.Is("cycle") {
			return Refuse("SEARCH/CYCLE", k)
		}
		if !w.Punct(",") {
			w.b.raw(t.Start, " ")
			return nil
		}
		w.b.raw(t.Start, ",")
	}
}

// withChange takes (INSERT …), (UPDATE …) or (DELETE …) of WITH. The statement has
// carriers of its own; the query's carrier holds an empty SELECT in its place.
func (w *Walker) withChange(c *ast.CTE) error {
	w.P++
	var err error
	switch k := w.Cur(); {
	case k.Is("insert"):
		c.Stmt, err = w.Insert(nil)
	case k.Is("update"):
		c.Stmt, err = w.Update(nil)
	case k.Is("delete"):
		c.Stmt, err = w.Delete(nil)
	default:
		return Refuse("MERGE", k)
	}
	if err != nil {
		return err
	}
	w.b.raw(int32(c.Pos), "(SELECT ")
	w.b.ident(int32(c.Pos), MarkNone)
	w.b.raw(w.Cur().Start, ")")
	return w.Expect(")")
}

// setPrec is 0 for no set operation, 1 for UNION and EXCEPT, 2 for INTERSECT.
func setPrec(t *Token) int {
	switch {
	case t.Is("union"), t.Is("except"):
		return 1
	case t.Is("intersect"):
		return 2
	}
	return 0
}

const (
	parOpen  = "SELECT `" + MarkPar + "` FROM ("
	parClose = ") AS `" + Mark + "`"
)

// setExpr takes a body: SELECT, VALUES, TABLE, set operations of these.
func (w *Walker) setExpr(tl *tail) error {
	start := len(w.b.pieces)
	if w.Cur().Punct("(") && w.IsQuery(w.P) && setPrec(&w.Toks[min(w.MatchOf(w.P)+1, len(w.Toks)-1)]) == 0 {
		w.P++
		if err := w.query(tl); err != nil {
			return err
		}
		return w.Expect(")")
	}
	if err := w.intersects(start, false); err != nil {
		return err
	}
	for setPrec(w.Cur()) == 1 {
		if err := w.setOperator(); err != nil {
			return err
		}
		if err := w.intersects(len(w.b.pieces), true); err != nil {
			return err
		}
	}
	return nil
}

// intersects takes operands joined by INTERSECT. The grammar's list of
// operands is flat, so a chain of them that is an operand of UNION is written
// as a derived table.
func (w *Walker) intersects(start int, inUnion bool) error {
	if err := w.setOperand(); err != nil {
		return err
	}
	if setPrec(w.Cur()) != 2 {
		return nil
	}
	for setPrec(w.Cur()) == 2 {
		if err := w.setOperator(); err != nil {
			return err
		}
		if err := w.setOperand(); err != nil {
			return err
		}
	}
	if inUnion || setPrec(w.Cur()) == 1 {
		src := w.b.pieces[start].src
		w.b.wrap(start, src, parOpen, -1)
		w.b.raw(src, parClose)
	}
	return nil
}

// setOperator takes UNION, INTERSECT or EXCEPT with ALL or DISTINCT.
func (w *Walker) setOperator() error {
	t := w.Next()
	text := " UNION "
	switch t.Text {
	case "intersect":
		text = " INTERSECT "
	case "except":
		text = " EXCEPT "
	}
	w.b.raw(t.Start, text)
	switch {
	case w.Word("all"):
		w.b.raw(t.Start, "ALL ")
	case w.Word("distinct"):
	}
	return nil
}

// setOperand takes one operand of a set operation or a lone body.
func (w *Walker) setOperand() error {
	t := w.Cur()
	switch {
	case t.Is("select"):
		return w.selectBody()
	case t.Is("values"):
		return w.valuesBody()
	case t.Is("table"):
		w.P++
		w.b.raw(t.Start, "SELECT ")
		w.b.ident(t.Start, MarkStar)
		w.b.raw(t.Start, " FROM ")
		r := w.Cur()
		n, err := w.RelationName()
		if err != nil {
			return err
		}
		w.b.ident(r.Start, sideName(MarkRel, w.b.add(n)))
		return nil
	case t.Punct("("):
		w.P++
		w.b.raw(t.Start, parOpen)
		if err := w.queryTop(); err != nil {
			return err
		}
		w.b.raw(t.Start, parClose)
		return w.Expect(")")
	}
	return w.Err()
}

// valuesBody takes VALUES (…), ….
func (w *Walker) valuesBody() error {
	t := w.Next()
	w.b.raw(t.Start, "SELECT ")
	w.b.ident(t.Start, MarkValues)
	for {
		r := w.Cur()
		if err := w.Expect("("); err != nil {
			return err
		}
		w.b.raw(r.Start, ",")
		w.b.ident(r.Start, MarkRow)
		w.b.raw(r.Start, "(")
		if err := w.exprList(); err != nil {
			return err
		}
		w.b.raw(r.Start, ")")
		if err := w.Expect(")"); err != nil {
			return err
		}
		if !w.Punct(",") {
			return nil
		}
	}
}

// selectBody takes SELECT without its tail.
func (w *Walker) selectBody() error {
	t := w.Next()
	var distinct, on bool
	switch {
	case w.Word("all"):
		w.b.raw(t.Start, "SELECT ")
	case w.Word("distinct"):
		distinct = true
		if on = w.Word("on"); !on {
			w.b.raw(t.Start, "SELECT DISTINCT ")
			break
		}
		w.b.raw(t.Start, "SELECT ")
		w.b.ident(t.Start, MarkDistinctOn)
		w.b.raw(t.Start, "(")
		if err := w.Expect("("); err != nil {
			return err
		}
		if err := w.exprList(); err != nil {
			return err
		}
		w.b.raw(t.Start, ")")
		if err := w.Expect(")"); err != nil {
			return err
		}
	default:
		w.b.raw(t.Start, "SELECT ")
	}
	if w.noTargets() {
		if distinct {
			return w.Err()
		}
		w.b.ident(t.Start, MarkNone)
	} else {
		if on {
			w.b.raw(t.Start, ",")
		}
		if err := w.targets(); err != nil {
			return err
		}
	}
	if w.Cur().Is("into") {
		if err := w.intoClause(); err != nil {
			return err
		}
	}
	return w.selectClauses()
}

// noTargets reports whether the target list is empty.
func (w *Walker) noTargets() bool {
	t := w.Cur()
	if t.Kind == EOF || t.Punct(")") || t.Punct(";") {
		return true
	}
	if t.Kind != Word || t.Class != Reserved {
		return false
	}
	switch t.Text {
	case "from", "where", "group", "having", "window", "union", "intersect", "except", "order", "limit", "offset",
		"fetch", "for", "into":
		return true
	}
	return false
}

// targets takes a target list and writes it as fields.
func (w *Walker) targets() error {
	for n := 1; ; n++ {
		if n > targetsMax {
			return errs.New(errs.TooManyColumns, "target lists can have at most %d entries", targetsMax)
		}
		t := w.Cur()
		if t.Op("*") {
			w.P++
			w.b.ident(t.Start, MarkStar)
		} else {
			if err := w.targetExpr(); err != nil {
				return err
			}
			if err := w.targetLabel(); err != nil {
				return err
			}
		}
		if !w.Cur().Punct(",") {
			return nil
		}
		w.b.raw(w.Next().Start, ",")
	}
}

// targetExpr takes the expression of a target. A word that could be an operator
// is the label if nothing can follow it as one: SELECT a IS FROM t.
func (w *Walker) targetExpr() error {
	start, p := len(w.b.pieces), w.P
	_, err := w.expr(precMin, false)
	if err == nil || w.P <= p {
		return err
	}
	i := w.P - 1
	t := &w.Toks[i]
	if i <= p || t.Kind != Word || t.NoLabel || infixWord(t, &w.Toks[w.P], false) < 0 || !w.noTargets() && !w.Cur().Punct(",") {
		return err
	}
	for j := p; j < i; j++ {
		if k := &w.Toks[j]; k.Punct("(") || k.Punct("[") {
			if k.Match < 0 || int(k.Match) > i {
				return err // inside brackets
			}
			j = int(k.Match)
		}
	}
	depth := w.depth
	w.P, w.far, w.b.pieces, w.labelTok = p, 0, w.b.pieces[:start], i
	_, err = w.expr(precMin, false)
	w.labelTok, w.depth = 0, depth
	return err
}

func (w *Walker) targetLabel() error {
	t := w.Cur()
	var name string
	var err error
	switch {
	case w.Word("as"):
		name, err = w.Label()
	case isBareLabel(t):
		name, err = w.Label()
	default:
		return nil
	}
	if err != nil {
		return err
	}
	w.b.raw(t.Start, " AS ")
	w.b.ident(t.Start, name)
	return nil
}

// intoClause takes INTO [TEMP|UNLOGGED] [TABLE] name of a top-level SELECT.
func (w *Walker) intoClause() error {
	t := w.Next()
	if !w.allowInto {
		return errs.New(errs.Syntax, "SELECT ... INTO is not allowed here").WithPos(int(t.Start) + 1)
	}
	if w.into != nil {
		return w.ErrAt(t)
	}
	n := &ast.CreateTableAs{At: At(t), Into: true}
	switch {
	case w.Word("temp"), w.Word("temporary"):
		n.Persistence = ast.Temporary
	case w.Word("unlogged"):
		n.Persistence = ast.Unlogged
	}
	w.Word("table")
	var err error
	if n.Name, err = w.Qualified(); err != nil {
		return err
	}
	w.into = n
	return nil
}

// selectClauses takes FROM, WHERE, GROUP BY, HAVING and WINDOW.
func (w *Walker) selectClauses() error {
	if t := w.Cur(); w.Word("from") {
		w.b.raw(t.Start, " FROM ")
		if err := w.fromList(); err != nil {
			return err
		}
	} else if t.Is("where") || t.Is("group") || t.Is("having") || t.Is("window") {
		// The grammar takes some of these only behind FROM.
		w.b.raw(t.Start, " FROM ")
		w.b.ident(t.Start, MarkNone)
	}
	if err := w.where(); err != nil {
		return err
	}
	if t := w.Cur(); t.Is("group") {
		w.P++
		if err := w.ExpectWord("by"); err != nil {
			return err
		}
		w.b.raw(t.Start, " GROUP BY ")
		if err := w.groupBy(t); err != nil {
			return err
		}
	}
	if t := w.Cur(); w.Word("having") {
		w.b.raw(t.Start, " HAVING ")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
	}
	if t := w.Cur(); w.Word("window") {
		w.b.raw(t.Start, " WINDOW ")
		return w.windowClause()
	}
	return nil
}

func (w *Walker) where() error {
	t := w.Cur()
	if !w.Word("where") {
		return nil
	}
	w.b.raw(t.Start, " WHERE ")
	_, err := w.expr(precMin, false)
	return err
}

// groupBy takes the items of GROUP BY.
func (w *Walker) groupBy(t *Token) error {
	switch {
	case w.Word("all"):
		w.b.ident(t.Start, MarkGroupAll)
		w.b.raw(t.Start, "()")
		if w.endOfGroupBy() {
			return nil
		}
		w.b.raw(t.Start, ",")
	case w.Word("distinct"):
		w.b.ident(t.Start, MarkGroupDistinct)
		w.b.raw(t.Start, "(),")
	}
	return w.groupItems()
}

func (w *Walker) endOfGroupBy() bool {
	t := w.Cur()
	return w.noTargets() || t.Is("having") || t.Is("window")
}

func (w *Walker) groupItems() error {
	for {
		if err := w.ordinal(w.groupItem); err != nil {
			return err
		}
		if !w.Cur().Punct(",") {
			return nil
		}
		w.b.raw(w.Next().Start, ",")
	}
}

// groupItem takes an expression or a grouping set.
func (w *Walker) groupItem() error {
	t, n := w.Cur(), w.Peek(1)
	set := &ast.GroupingSet{At: At(t)}
	switch {
	case t.Punct("(") && n.Punct(")"):
		w.P += 2
		w.leaf(t.Start, set)
		return nil
	case t.Is("rollup") && n.Punct("("):
		set.Kind = ast.GroupRollup
		w.P++
	case t.Is("cube") && n.Punct("("):
		set.Kind = ast.GroupCube
		w.P++
	case t.Is("grouping") && n.Is("sets"):
		set.Kind = ast.GroupSets
		w.P += 2
	default:
		_, err := w.expr(precMin, false)
		return err
	}
	if err := w.Enter(); err != nil {
		return err
	}
	defer w.Leave()
	if err := w.Expect("("); err != nil {
		return err
	}
	w.open(t.Start, set)
	w.b.raw(t.Start, ",")
	if err := w.groupItems(); err != nil {
		return err
	}
	w.b.raw(t.Start, ")")
	return w.Expect(")")
}

// windowClause takes name AS (spec), ….
func (w *Walker) windowClause() error {
	for {
		t := w.Cur()
		win := &ast.Window{At: At(t)}
		var err error
		if win.Name, err = w.ColID(); err != nil {
			return err
		}
		if err := w.ExpectWord("as"); err != nil {
			return err
		}
		w.b.ident(t.Start, Mark+"w")
		w.b.raw(t.Start, " AS (PARTITION BY ")
		w.open(t.Start, win)
		if err := w.windowSpec(win, func() { w.b.raw(w.Cur().Start, ",") }); err != nil {
			return err
		}
		w.b.raw(t.Start, "))")
		if !w.Punct(",") {
			return nil
		}
		w.b.raw(t.Start, ",")
	}
}
