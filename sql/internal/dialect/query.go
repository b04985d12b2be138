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

// isQueryStart reports whether a query begins at token i without a bracket.
func (w *walker) isQueryStart(i int) bool {
	t := &w.toks[i]
	if t.Kind != Word {
		return false
	}
	switch t.Text {
	case "select", "with", "table":
		return true
	case "values":
		return i+1 < len(w.toks) && w.toks[i+1].punct("(")
	}
	return false
}

// isQuery reports whether the bracket at token i holds a query rather than an
// expression or a join: for ((SELECT … that is decided by what stands behind
// the inner bracket.
func (w *walker) isQuery(i int) bool {
	open := i
	for w.toks[i].punct("(") {
		i++
	}
	if i == open || !w.isQueryStart(i) {
		return false
	}
	for i--; i > open; i-- {
		end := &w.toks[w.matchOf(i)]
		if !end.punct(")") {
			return true
		}
		after := &w.toks[w.matchOf(i)+1]
		if after.punct(")") {
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
func (w *walker) queryTop() error {
	tl := &tail{}
	if err := w.query(tl); err != nil {
		return err
	}
	w.writeTail(tl)
	return nil
}

// subquery takes (query) and writes it with its bracket.
func (w *walker) subquery() error {
	if err := w.enter(); err != nil {
		return err
	}
	defer w.leave()
	t := w.next()
	w.b.raw(t.Start, "(")
	save := w.allowInto
	w.allowInto = false
	err := w.queryTop()
	w.allowInto = save
	if err != nil {
		return err
	}
	w.b.raw(w.cur().Start, ")")
	return w.expect(")")
}

// query takes [WITH] body [ORDER BY] [LIMIT …], and writes it as far as its
// tail. Redundant brackets share the tail of what they enclose, as in
// PostgreSQL: (SELECT … ORDER BY a) LIMIT 1 is one query.
func (w *walker) query(tl *tail) error {
	if err := w.enter(); err != nil {
		return err
	}
	defer w.leave()
	if t := w.cur(); t.is("with") {
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
func (w *walker) with() error {
	t := w.next()
	n := &ast.With{At: at(t), Recursive: w.word("recursive")}
	w.b.raw(t.Start, "WITH ")
	for {
		c := &ast.CTE{At: at(w.cur())}
		var err error
		if c.Name, err = w.colID(); err != nil {
			return err
		}
		if w.cur().punct("(") {
			if c.Columns, err = w.nameList(); err != nil {
				return err
			}
		}
		if err := w.expectWord("as"); err != nil {
			return err
		}
		switch {
		case w.word("materialized"):
			c.Materialize = ast.MaterializeAlways
		case w.words("not", "materialized"):
			c.Materialize = ast.MaterializeNever
		}
		if !w.cur().punct("(") {
			return w.err()
		}
		if k := w.peek(1); k.is("insert") || k.is("update") || k.is("delete") || k.is("merge") {
			return refuse("data-modifying WITH", k)
		}
		n.CTEs = append(n.CTEs, c)
		w.b.ident(int32(c.Pos), sideName(MarkCTE, w.b.add(&CTEMark{With: n, CTE: c})))
		w.b.raw(int32(c.Pos), " AS ")
		if err := w.subquery(); err != nil {
			return err
		}
		if k := w.cur(); k.is("search") || k.is("cycle") {
			return refuse("SEARCH/CYCLE", k)
		}
		if !w.punct(",") {
			w.b.raw(t.Start, " ")
			return nil
		}
		w.b.raw(t.Start, ",")
	}
}

// setPrec is 0 for no set operation, 1 for UNION and EXCEPT, 2 for INTERSECT.
func setPrec(t *Token) int {
	switch {
	case t.is("union"), t.is("except"):
		return 1
	case t.is("intersect"):
		return 2
	}
	return 0
}

const (
	parOpen  = "SELECT `" + MarkPar + "` FROM ("
	parClose = ") AS `" + Mark + "`"
)

// setExpr takes a body: SELECT, VALUES, TABLE, set operations of these.
func (w *walker) setExpr(tl *tail) error {
	start := len(w.b.pieces)
	if w.cur().punct("(") && w.isQuery(w.p) && setPrec(&w.toks[min(w.matchOf(w.p)+1, len(w.toks)-1)]) == 0 {
		w.p++
		if err := w.query(tl); err != nil {
			return err
		}
		return w.expect(")")
	}
	if err := w.intersects(start, false); err != nil {
		return err
	}
	for setPrec(w.cur()) == 1 {
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
func (w *walker) intersects(start int, inUnion bool) error {
	if err := w.setOperand(); err != nil {
		return err
	}
	if setPrec(w.cur()) != 2 {
		return nil
	}
	for setPrec(w.cur()) == 2 {
		if err := w.setOperator(); err != nil {
			return err
		}
		if err := w.setOperand(); err != nil {
			return err
		}
	}
	if inUnion || setPrec(w.cur()) == 1 {
		src := w.b.pieces[start].src
		w.b.wrap(start, src, parOpen, -1)
		w.b.raw(src, parClose)
	}
	return nil
}

// setOperator takes UNION, INTERSECT or EXCEPT with ALL or DISTINCT.
func (w *walker) setOperator() error {
	t := w.next()
	text := " UNION "
	switch t.Text {
	case "intersect":
		text = " INTERSECT "
	case "except":
		text = " EXCEPT "
	}
	w.b.raw(t.Start, text)
	switch {
	case w.word("all"):
		w.b.raw(t.Start, "ALL ")
	case w.word("distinct"):
	}
	return nil
}

// setOperand takes one operand of a set operation or a lone body.
func (w *walker) setOperand() error {
	t := w.cur()
	switch {
	case t.is("select"):
		return w.selectBody()
	case t.is("values"):
		return w.valuesBody()
	case t.is("table"):
		w.p++
		w.b.raw(t.Start, "SELECT ")
		w.b.ident(t.Start, MarkStar)
		w.b.raw(t.Start, " FROM ")
		r := w.cur()
		n, err := w.relationName()
		if err != nil {
			return err
		}
		w.b.ident(r.Start, sideName(MarkRel, w.b.add(n)))
		return nil
	case t.punct("("):
		w.p++
		w.b.raw(t.Start, parOpen)
		if err := w.queryTop(); err != nil {
			return err
		}
		w.b.raw(t.Start, parClose)
		return w.expect(")")
	}
	return w.err()
}

// valuesBody takes VALUES (…), ….
func (w *walker) valuesBody() error {
	t := w.next()
	w.b.raw(t.Start, "SELECT ")
	w.b.ident(t.Start, MarkValues)
	for {
		r := w.cur()
		if err := w.expect("("); err != nil {
			return err
		}
		w.b.raw(r.Start, ",")
		w.b.ident(r.Start, MarkRow)
		w.b.raw(r.Start, "(")
		if err := w.exprList(); err != nil {
			return err
		}
		w.b.raw(r.Start, ")")
		if err := w.expect(")"); err != nil {
			return err
		}
		if !w.punct(",") {
			return nil
		}
	}
}

// selectBody takes SELECT without its tail.
func (w *walker) selectBody() error {
	t := w.next()
	var distinct, on bool
	switch {
	case w.word("all"):
		w.b.raw(t.Start, "SELECT ")
	case w.word("distinct"):
		distinct = true
		if on = w.word("on"); !on {
			w.b.raw(t.Start, "SELECT DISTINCT ")
			break
		}
		w.b.raw(t.Start, "SELECT ")
		w.b.ident(t.Start, MarkDistinctOn)
		w.b.raw(t.Start, "(")
		if err := w.expect("("); err != nil {
			return err
		}
		if err := w.exprList(); err != nil {
			return err
		}
		w.b.raw(t.Start, ")")
		if err := w.expect(")"); err != nil {
			return err
		}
	default:
		w.b.raw(t.Start, "SELECT ")
	}
	if w.noTargets() {
		if distinct {
			return w.err()
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
	if w.cur().is("into") {
		if err := w.intoClause(); err != nil {
			return err
		}
	}
	return w.selectClauses()
}

// noTargets reports whether the target list is empty.
func (w *walker) noTargets() bool {
	t := w.cur()
	if t.Kind == EOF || t.punct(")") || t.punct(";") {
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
func (w *walker) targets() error {
	for n := 1; ; n++ {
		if n > targetsMax {
			return errs.New(errs.TooManyColumns, "target lists can have at most %d entries", targetsMax)
		}
		t := w.cur()
		if t.op("*") {
			w.p++
			w.b.ident(t.Start, MarkStar)
		} else {
			if err := w.targetExpr(); err != nil {
				return err
			}
			if err := w.targetLabel(); err != nil {
				return err
			}
		}
		if !w.cur().punct(",") {
			return nil
		}
		w.b.raw(w.next().Start, ",")
	}
}

// targetExpr takes the expression of a target. A word that could be an operator
// is the label if nothing can follow it as one: SELECT a IS FROM t.
func (w *walker) targetExpr() error {
	start, p := len(w.b.pieces), w.p
	_, err := w.expr(precMin, false)
	if err == nil || w.p <= p {
		return err
	}
	i := w.p - 1
	t := &w.toks[i]
	if i <= p || t.Kind != Word || t.NoLabel || infixWord(t, &w.toks[w.p], false) < 0 || !w.noTargets() && !w.cur().punct(",") {
		return err
	}
	for j := p; j < i; j++ {
		if k := &w.toks[j]; k.punct("(") || k.punct("[") {
			if k.Match < 0 || int(k.Match) > i {
				return err // inside brackets
			}
			j = int(k.Match)
		}
	}
	depth := w.depth
	w.p, w.far, w.b.pieces, w.labelTok = p, 0, w.b.pieces[:start], i
	_, err = w.expr(precMin, false)
	w.labelTok, w.depth = 0, depth
	return err
}

func (w *walker) targetLabel() error {
	t := w.cur()
	var name string
	var err error
	switch {
	case w.word("as"):
		name, err = w.label()
	case isBareLabel(t):
		name, err = w.label()
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
func (w *walker) intoClause() error {
	t := w.next()
	if !w.allowInto {
		return errs.New(errs.Syntax, "SELECT ... INTO is not allowed here").WithPos(int(t.Start) + 1)
	}
	if w.into != nil {
		return w.errAt(t)
	}
	n := &ast.CreateTableAs{At: at(t), Into: true}
	switch {
	case w.word("temp"), w.word("temporary"):
		n.Persistence = ast.Temporary
	case w.word("unlogged"):
		n.Persistence = ast.Unlogged
	}
	w.word("table")
	var err error
	if n.Name, err = w.qualified(); err != nil {
		return err
	}
	w.into = n
	return nil
}

// selectClauses takes FROM, WHERE, GROUP BY, HAVING and WINDOW.
func (w *walker) selectClauses() error {
	if t := w.cur(); w.word("from") {
		w.b.raw(t.Start, " FROM ")
		if err := w.fromList(); err != nil {
			return err
		}
	} else if t.is("where") || t.is("group") || t.is("having") || t.is("window") {
		// The grammar takes some of these only behind FROM.
		w.b.raw(t.Start, " FROM ")
		w.b.ident(t.Start, MarkNone)
	}
	if err := w.where(); err != nil {
		return err
	}
	if t := w.cur(); t.is("group") {
		w.p++
		if err := w.expectWord("by"); err != nil {
			return err
		}
		w.b.raw(t.Start, " GROUP BY ")
		if err := w.groupBy(t); err != nil {
			return err
		}
	}
	if t := w.cur(); w.word("having") {
		w.b.raw(t.Start, " HAVING ")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
	}
	if t := w.cur(); w.word("window") {
		w.b.raw(t.Start, " WINDOW ")
		return w.windowClause()
	}
	return nil
}

func (w *walker) where() error {
	t := w.cur()
	if !w.word("where") {
		return nil
	}
	w.b.raw(t.Start, " WHERE ")
	_, err := w.expr(precMin, false)
	return err
}

// groupBy takes the items of GROUP BY.
func (w *walker) groupBy(t *Token) error {
	switch {
	case w.word("all"):
		w.b.ident(t.Start, MarkGroupAll)
		w.b.raw(t.Start, "()")
		if w.endOfGroupBy() {
			return nil
		}
		w.b.raw(t.Start, ",")
	case w.word("distinct"):
		w.b.ident(t.Start, MarkGroupDistinct)
		w.b.raw(t.Start, "(),")
	}
	return w.groupItems()
}

func (w *walker) endOfGroupBy() bool {
	t := w.cur()
	return w.noTargets() || t.is("having") || t.is("window")
}

func (w *walker) groupItems() error {
	for {
		if err := w.groupItem(); err != nil {
			return err
		}
		if !w.cur().punct(",") {
			return nil
		}
		w.b.raw(w.next().Start, ",")
	}
}

// groupItem takes an expression or a grouping set.
func (w *walker) groupItem() error {
	t, n := w.cur(), w.peek(1)
	set := &ast.GroupingSet{At: at(t)}
	switch {
	case t.punct("(") && n.punct(")"):
		w.p += 2
		w.leaf(t.Start, set)
		return nil
	case t.is("rollup") && n.punct("("):
		set.Kind = ast.GroupRollup
		w.p++
	case t.is("cube") && n.punct("("):
		set.Kind = ast.GroupCube
		w.p++
	case t.is("grouping") && n.is("sets"):
		set.Kind = ast.GroupSets
		w.p += 2
	default:
		_, err := w.expr(precMin, false)
		return err
	}
	if err := w.enter(); err != nil {
		return err
	}
	defer w.leave()
	if err := w.expect("("); err != nil {
		return err
	}
	w.open(t.Start, set)
	w.b.raw(t.Start, ",")
	if err := w.groupItems(); err != nil {
		return err
	}
	w.b.raw(t.Start, ")")
	return w.expect(")")
}

// windowClause takes name AS (spec), ….
func (w *walker) windowClause() error {
	for {
		t := w.cur()
		win := &ast.Window{At: at(t)}
		var err error
		if win.Name, err = w.colID(); err != nil {
			return err
		}
		if err := w.expectWord("as"); err != nil {
			return err
		}
		w.b.ident(t.Start, Mark+"w")
		w.b.raw(t.Start, " AS (PARTITION BY ")
		w.open(t.Start, win)
		if err := w.windowSpec(win, func() { w.b.raw(w.cur().Start, ",") }); err != nil {
			return err
		}
		w.b.raw(t.Start, "))")
		if !w.punct(",") {
			return nil
		}
		w.b.raw(t.Start, ",")
	}
}
