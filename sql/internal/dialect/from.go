package dialect

import (
	"strconv"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// sideName is a name that carries the number of a side entry.
func sideName(mark string, n int) string { return mark + strconv.Itoa(n) }

// fromList takes the items of FROM.
func (w *walker) fromList() error {
	for {
		if _, _, err := w.tableExpr(); err != nil {
			return err
		}
		if !w.cur().punct(",") {
			return nil
		}
		w.b.raw(w.next().Start, ",")
	}
}

// isJoinWord reports whether t begins a join.
func isJoinWord(t *Token) bool {
	if t.Kind != Word {
		return false
	}
	switch t.Text {
	case "join", "inner", "left", "right", "full", "cross", "natural":
		return true
	}
	return false
}

// tableExpr takes a FROM item with the joins that follow. joined says that it
// is a join; top is then its mark.
func (w *walker) tableExpr() (joined bool, top *ast.Join, err error) {
	if err := w.enter(); err != nil {
		return false, nil, err
	}
	defer w.leave()
	start := len(w.b.pieces)
	if joined, top, err = w.tablePrimary(); err != nil {
		return false, nil, err
	}
	for isJoinWord(w.cur()) {
		if top, err = w.join(start); err != nil {
			return false, nil, err
		}
		joined = true
	}
	return joined, top, nil
}

// join takes one join whose left side was written since start. Every join
// travels as JOIN … ON @j<i>:=condition: an assignment binds loosest of all, so
// the condition needs no parentheses, and an ON on every join keeps the
// grammar from reordering cross joins.
func (w *walker) join(start int) (*ast.Join, error) {
	t := w.cur()
	j := &ast.Join{At: at(t)}
	j.Natural = w.word("natural")
	switch {
	case w.word("inner"):
	case w.word("left"):
		j.Kind = ast.JoinLeft
	case w.word("right"):
		j.Kind = ast.JoinRight
	case w.word("full"):
		j.Kind = ast.JoinFull
	case !j.Natural && w.word("cross"):
		j.Kind = ast.JoinCross
	}
	if j.Kind == ast.JoinLeft || j.Kind == ast.JoinRight || j.Kind == ast.JoinFull {
		w.word("outer")
	}
	k := w.cur()
	if err := w.expectWord("join"); err != nil {
		return nil, err
	}
	w.b.raw(k.Start, " JOIN ")
	rs := len(w.b.pieces)
	joined, _, err := w.tablePrimary()
	if err != nil {
		return nil, err
	}
	qualified := j.Kind != ast.JoinCross && !j.Natural
	if qualified {
		// a JOIN b JOIN c ON … ON …: the inner join comes first.
		for isJoinWord(w.cur()) {
			if err := w.enter(); err != nil {
				return nil, err
			}
			_, err := w.join(rs)
			w.leave()
			if err != nil {
				return nil, err
			}
			joined = true
		}
	}
	if joined {
		src := w.b.pieces[rs].src
		w.b.wrap(rs, src, "(", -1)
		w.b.raw(src, ")")
	}
	w.b.numbered(t.Start, " ON @j", w.b.add(j))
	w.b.raw(t.Start, ":=")
	if !qualified {
		w.b.raw(t.Start, "1")
		return j, nil
	}
	return j, w.joinCondition(j)
}

// joinCondition takes ON or USING.
func (w *walker) joinCondition(j *ast.Join) error {
	t := w.cur()
	switch {
	case w.word("on"):
		_, err := w.expr(precMin, false)
		return err
	case w.word("using"):
		var err error
		if j.Using, err = w.nameList(); err != nil {
			return err
		}
		if w.word("as") {
			if j.UsingAlias, err = w.colID(); err != nil {
				return err
			}
		}
		w.b.raw(t.Start, "1")
		return nil
	}
	return w.err()
}

// tablePrimary takes a FROM item without joins behind it.
func (w *walker) tablePrimary() (joined bool, top *ast.Join, err error) {
	t := w.cur()
	switch {
	case t.punct("("):
		if w.isQuery(w.p) {
			return false, nil, w.derived(t, false)
		}
		w.p++
		if joined, top, err = w.tableExpr(); err != nil {
			return false, nil, err
		}
		if !joined {
			return false, nil, w.err()
		}
		if err := w.expect(")"); err != nil {
			return false, nil, err
		}
		a, err := w.alias()
		if err != nil {
			return false, nil, err
		}
		if a != nil {
			if top.Alias != nil {
				return false, nil, w.errAt(w.peek(-1))
			}
			top.Alias = a
		}
		return true, top, nil
	case t.is("lateral"):
		w.p++
		if w.cur().punct("(") {
			return false, nil, w.derived(t, true)
		}
		if w.isRowsFrom() {
			return false, nil, w.rowsFrom(t, true)
		}
		return false, nil, w.fromFunction(t, true)
	case w.isRowsFrom():
		return false, nil, w.rowsFrom(t, false)
	case w.isFromFunction():
		return false, nil, w.fromFunction(t, false)
	case t.Kind == Word && t.Class == TypeFunc:
		return false, nil, w.errAt(w.peek(1)) // the word could only have been a function's name
	}
	return false, nil, w.relation()
}

func (w *walker) isRowsFrom() bool {
	return w.cur().is("rows") && w.peek(1).is("from") && w.peek(2).punct("(")
}

// isFromFunction reports whether a function call stands here: a possibly dotted
// name before a bracket, or a construct without one.
func (w *walker) isFromFunction() bool {
	t := w.cur()
	if t.Kind == Word && t.Class == Reserved {
		switch t.Text {
		case "cast", "current_date", "current_role", "current_user", "session_user", "user", "current_catalog",
			"current_time", "current_timestamp", "localtime", "localtimestamp":
			return true
		}
		return false
	}
	if t.is("current_schema") || t.is("collation") && w.peek(1).is("for") {
		return true
	}
	if t.Kind != Word && t.Kind != Quoted {
		return false
	}
	if t.Class == ColName && t.Kind == Word && !w.peek(1).punct(".") {
		switch t.Text {
		case "coalesce", "extract", "greatest", "least", "nullif", "normalize", "overlay", "position", "substring", "trim":
			return w.peek(1).punct("(")
		}
		return false
	}
	i := 1
	for w.peek(i).punct(".") && isLabel(w.peek(i+1)) {
		i += 2
	}
	return w.peek(i).punct("(")
}

// derived takes (query) [alias].
func (w *walker) derived(t *Token, lateral bool) error {
	n := &ast.SubqueryRef{At: at(t), Lateral: lateral}
	if err := w.subquery(); err != nil {
		return err
	}
	var err error
	if n.Alias, err = w.alias(); err != nil {
		return err
	}
	w.b.raw(t.Start, " AS ")
	w.b.ident(t.Start, sideName(MarkSub, w.b.add(n)))
	return nil
}

// alias takes [AS] name [(columns)], nil if there is none.
func (w *walker) alias() (*ast.Alias, error) {
	t := w.cur()
	if !w.word("as") && !isColID(t) {
		return nil, nil
	}
	a := &ast.Alias{At: at(w.cur())}
	var err error
	if a.Name, err = w.colID(); err != nil {
		return nil, err
	}
	if w.cur().punct("(") {
		a.Columns, err = w.nameList()
	}
	return a, err
}

// relationName takes [ONLY] name [*].
func (w *walker) relationName() (*ast.TableRef, error) {
	n := &ast.TableRef{At: at(w.cur())}
	bracket := false
	if w.word("only") {
		n.Only = true
		bracket = w.punct("(")
		n.Pos = int(w.cur().Start)
	}
	var err error
	if n.Name, err = w.qualified(); err != nil {
		return nil, err
	}
	if bracket {
		if err := w.expect(")"); err != nil {
			return nil, err
		}
	}
	if !n.Only {
		w.op("*")
	}
	return n, nil
}

// relation takes a table with its alias and sample, and writes its mark.
func (w *walker) relation() error {
	t := w.cur()
	n, err := w.relationName()
	if err != nil {
		return err
	}
	if n.Alias, err = w.alias(); err != nil {
		return err
	}
	if w.cur().is("tablesample") {
		return w.sample(t, n)
	}
	w.b.ident(t.Start, sideName(MarkRel, w.b.add(n)))
	return nil
}

func (w *walker) sample(t *Token, n *ast.TableRef) error {
	s := &ast.Sample{At: at(w.next())}
	n.Sample = s
	name, err := w.anyName()
	if err != nil {
		return err
	}
	s.Method = name[len(name)-1]
	m := &SampleMark{Table: n}
	w.fromHead(t, m)
	if err := w.expect("("); err != nil {
		return err
	}
	w.b.raw(t.Start, ",")
	if err := w.exprList(); err != nil {
		return err
	}
	if err := w.expect(")"); err != nil {
		return err
	}
	if w.word("repeatable") {
		if err := w.expect("("); err != nil {
			return err
		}
		m.HasSeed = true
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if err := w.expect(")"); err != nil {
			return err
		}
	}
	w.b.raw(t.Start, fromClose)
	return nil
}

const fromClose = ")) AS `" + Mark + "`"

// fromHead begins the derived table that a FROM function travels as.
func (w *walker) fromHead(t *Token, side any) {
	w.b.raw(t.Start, "(SELECT ")
	w.b.ident(t.Start, MarkFrom)
	w.b.numbered(t.Start, "(", w.b.add(side))
}

// fromFunction takes f(…) [WITH ORDINALITY] [alias].
func (w *walker) fromFunction(t *Token, lateral bool) error {
	n := &ast.FuncTable{At: at(t), Lateral: lateral}
	w.fromHead(t, n)
	w.b.raw(t.Start, ",")
	if err := w.windowlessCall(); err != nil {
		return err
	}
	n.Calls = make([]ast.FuncItem, 1)
	w.b.raw(t.Start, fromClose)
	n.Ordinality = w.words("with", "ordinality")
	return w.funcAlias(n)
}

// windowlessCall takes a function call or one of the constructs that look like
// one.
func (w *walker) windowlessCall() error {
	t := w.cur()
	if t.is("xmltable") {
		return refuse("XMLTABLE", t)
	}
	if !w.isFromFunction() {
		if isColID(t) || isFuncName(t) {
			w.p++
			for w.cur().punct(".") && isLabel(w.peek(1)) {
				w.p += 2
			}
		}
		return w.err()
	}
	if _, err := w.primary(); err != nil {
		return err
	}
	return nil
}

// funcAlias takes the alias of a FROM function, with columns or definitions.
func (w *walker) funcAlias(n *ast.FuncTable) error {
	as := w.word("as")
	t := w.cur()
	if as && t.punct("(") {
		var err error
		n.ColDefs, err = w.colDefs()
		return err
	}
	if !as && !isColID(t) {
		return nil
	}
	a := &ast.Alias{At: at(t)}
	var err error
	if a.Name, err = w.colID(); err != nil {
		return err
	}
	n.Alias = a
	if !w.cur().punct("(") {
		return nil
	}
	// A name followed by , or ) is a column alias, else a definition.
	if k := w.peek(2); k.punct(",") || k.punct(")") {
		a.Columns, err = w.nameList()
		return err
	}
	n.ColDefs, err = w.colDefs()
	return err
}

// colDefs takes (name type, …).
func (w *walker) colDefs() ([]ast.ColDef, error) {
	if err := w.expect("("); err != nil {
		return nil, err
	}
	var list []ast.ColDef
	for {
		d := ast.ColDef{At: at(w.cur())}
		var err error
		if d.Name, err = w.colID(); err != nil {
			return nil, err
		}
		if d.Type, err = w.typeName(); err != nil {
			return nil, err
		}
		if w.word("collate") {
			if _, err := w.anyName(); err != nil {
				return nil, err
			}
		}
		list = append(list, d)
		if !w.punct(",") {
			return list, w.expect(")")
		}
	}
}

// rowsFrom takes ROWS FROM (f(…) [AS (…)], …) [WITH ORDINALITY] [alias].
func (w *walker) rowsFrom(t *Token, lateral bool) error {
	w.p += 3
	n := &ast.FuncTable{At: at(t), Lateral: lateral, RowsFrom: true}
	w.fromHead(t, n)
	for {
		w.b.raw(t.Start, ",")
		if err := w.windowlessCall(); err != nil {
			return err
		}
		var item ast.FuncItem
		if w.word("as") {
			var err error
			if item.ColDefs, err = w.colDefs(); err != nil {
				return err
			}
		}
		n.Calls = append(n.Calls, item)
		if len(n.Calls) > targetsMax {
			return errs.New(errs.TooManyColumns, "functions in FROM can return at most %d columns", targetsMax)
		}
		if !w.punct(",") {
			break
		}
	}
	if err := w.expect(")"); err != nil {
		return err
	}
	w.b.raw(t.Start, fromClose)
	n.Ordinality = w.words("with", "ordinality")
	return w.funcAlias(n)
}
