package dialect

import (
	"strconv"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// sideName is a name that carries the number of a side entry.
func sideName(mark string, n int) string { return mark + strconv.Itoa(n) }

// fromList takes the items of FROM.
func (w *Walker) fromList() error {
	for {
		if _, _, err := w.tableExpr(); err != nil {
			return err
		}
		if !w.Cur().Punct(",") {
			return nil
		}
		w.b.raw(w.Next().Start, ",")
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
func (w *Walker) tableExpr() (joined bool, top *ast.Join, err error) {
	if err := w.Enter(); err != nil {
		return false, nil, err
	}
	defer w.Leave()
	start := len(w.b.pieces)
	if joined, top, err = w.tablePrimary(); err != nil {
		return false, nil, err
	}
	for isJoinWord(w.Cur()) {
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
func (w *Walker) join(start int) (*ast.Join, error) {
	t := w.Cur()
	j := &ast.Join{At: At(t)}
	j.Natural = w.Word("natural")
	switch {
	case w.Word("inner"):
	case w.Word("left"):
		j.Kind = ast.JoinLeft
	case w.Word("right"):
		j.Kind = ast.JoinRight
	case w.Word("full"):
		j.Kind = ast.JoinFull
	case !j.Natural && w.Word("cross"):
		j.Kind = ast.JoinCross
	}
	if j.Kind == ast.JoinLeft || j.Kind == ast.JoinRight || j.Kind == ast.JoinFull {
		w.Word("outer")
	}
	k := w.Cur()
	if err := w.ExpectWord("join"); err != nil {
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
		for isJoinWord(w.Cur()) {
			if err := w.Enter(); err != nil {
				return nil, err
			}
			_, err := w.join(rs)
			w.Leave()
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
func (w *Walker) joinCondition(j *ast.Join) error {
	t := w.Cur()
	switch {
	case w.Word("on"):
		_, err := w.expr(precMin, false)
		return err
	case w.Word("using"):
		var err error
		if j.Using, err = w.NameList(); err != nil {
			return err
		}
		if w.Word("as") {
			if j.UsingAlias, err = w.ColID(); err != nil {
				return err
			}
		}
		w.b.raw(t.Start, "1")
		return nil
	}
	return w.Err()
}

// tablePrimary takes a FROM item without joins behind it.
func (w *Walker) tablePrimary() (joined bool, top *ast.Join, err error) {
	t := w.Cur()
	switch {
	case t.Punct("("):
		if w.IsQuery(w.P) {
			return false, nil, w.derived(t, false)
		}
		w.P++
		if joined, top, err = w.tableExpr(); err != nil {
			return false, nil, err
		}
		if !joined {
			return false, nil, w.Err()
		}
		if err := w.Expect(")"); err != nil {
			return false, nil, err
		}
		a, err := w.alias()
		if err != nil {
			return false, nil, err
		}
		if a != nil {
			if top.Alias != nil {
				return false, nil, w.ErrAt(w.Peek(-1))
			}
			top.Alias = a
		}
		return true, top, nil
	case t.Is("lateral"):
		w.P++
		if w.Cur().Punct("(") {
			return false, nil, w.derived(t, true)
		}
		if w.isRowsFrom() {
			return false, nil, w.rowsFrom(t, true)
		}
		return false, nil, w.fromFunction(t, true)
	case w.isRowsFrom():
		return false, nil, w.rowsFrom(t, false)
	case w.IsFromFunction():
		return false, nil, w.fromFunction(t, false)
	case t.Kind == Word && t.Class == TypeFunc:
		return false, nil, w.ErrAt(w.Peek(1)) // the word could only have been a function's name
	}
	return false, nil, w.relation()
}

func (w *Walker) isRowsFrom() bool {
	return w.Cur().Is("rows") && w.Peek(1).Is("from") && w.Peek(2).Punct("(")
}

// IsFromFunction reports whether a function call stands here: a possibly dotted
// name before a bracket, or a construct without one.
func (w *Walker) IsFromFunction() bool {
	t := w.Cur()
	if t.Kind == Word && t.Class == Reserved {
		switch t.Text {
		case "cast", "current_date", "current_role", "current_user", "session_user", "user", "current_catalog",
			"current_time", "current_timestamp", "localtime", "localtimestamp":
			return true
		}
		return false
	}
	if t.Is("current_schema") || t.Is("collation") && w.Peek(1).Is("for") {
		return true
	}
	if t.Kind != Word && t.Kind != Quoted {
		return false
	}
	if t.Class == ColName && t.Kind == Word && !w.Peek(1).Punct(".") {
		switch t.Text {
		case "coalesce", "extract", "greatest", "least", "nullif", "normalize", "overlay", "position", "substring", "trim":
			return w.Peek(1).Punct("(")
		}
		return false
	}
	i := 1
	for w.Peek(i).Punct(".") && IsLabel(w.Peek(i+1)) {
		i += 2
	}
	return w.Peek(i).Punct("(")
}

// derived takes (query) [alias].
func (w *Walker) derived(t *Token, lateral bool) error {
	n := &ast.SubqueryRef{At: At(t), Lateral: lateral}
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
func (w *Walker) alias() (*ast.Alias, error) {
	t := w.Cur()
	if !w.Word("as") && !IsColID(t) {
		return nil, nil
	}
	a := &ast.Alias{At: At(w.Cur())}
	var err error
	if a.Name, err = w.ColID(); err != nil {
		return nil, err
	}
	if w.Cur().Punct("(") {
		a.Columns, err = w.NameList()
	}
	return a, err
}

// RelationName takes [ONLY] name [*].
func (w *Walker) RelationName() (*ast.TableRef, error) {
	n := &ast.TableRef{At: At(w.Cur())}
	bracket := false
	if w.Word("only") {
		n.Only = true
		bracket = w.Punct("(")
		n.Pos = int(w.Cur().Start)
	}
	var err error
	if n.Name, err = w.Qualified(); err != nil {
		return nil, err
	}
	if bracket {
		if err := w.Expect(")"); err != nil {
			return nil, err
		}
	}
	if !n.Only {
		w.Op("*")
	}
	return n, nil
}

// relation takes a table with its alias and sample, and writes its mark.
func (w *Walker) relation() error {
	t := w.Cur()
	n, err := w.RelationName()
	if err != nil {
		return err
	}
	if n.Alias, err = w.alias(); err != nil {
		return err
	}
	if w.Cur().Is("tablesample") {
		return w.sample(t, n)
	}
	w.b.ident(t.Start, sideName(MarkRel, w.b.add(n)))
	return nil
}

func (w *Walker) sample(t *Token, n *ast.TableRef) error {
	s := &ast.Sample{At: At(w.Next())}
	n.Sample = s
	name, err := w.AnyName()
	if err != nil {
		return err
	}
	s.Method = name[len(name)-1]
	m := &SampleMark{Table: n}
	w.fromHead(t, m)
	if err := w.Expect("("); err != nil {
		return err
	}
	w.b.raw(t.Start, ",")
	if err := w.exprList(); err != nil {
		return err
	}
	if err := w.Expect(")"); err != nil {
		return err
	}
	if w.Word("repeatable") {
		if err := w.Expect("("); err != nil {
			return err
		}
		m.HasSeed = true
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if err := w.Expect(")"); err != nil {
			return err
		}
	}
	w.b.raw(t.Start, fromClose)
	return nil
}

const fromClose = ")) AS `" + Mark + "`"

// fromHead begins the derived table that a FROM function travels as.
func (w *Walker) fromHead(t *Token, side any) {
	w.b.raw(t.Start, "(SELECT ")
	w.b.ident(t.Start, MarkFrom)
	w.b.numbered(t.Start, "(", w.b.add(side))
}

// fromFunction takes f(…) [WITH ORDINALITY] [alias].
func (w *Walker) fromFunction(t *Token, lateral bool) error {
	n := &ast.FuncTable{At: At(t), Lateral: lateral}
	w.fromHead(t, n)
	w.b.raw(t.Start, ",")
	if err := w.windowlessCall(); err != nil {
		return err
	}
	n.Calls = make([]ast.FuncItem, 1)
	w.b.raw(t.Start, fromClose)
	n.Ordinality = w.Words("with", "ordinality")
	return w.funcAlias(n)
}

// windowlessCall takes a function call or one of the constructs that look like
// one.
func (w *Walker) windowlessCall() error {
	t := w.Cur()
	if t.Is("xmltable") {
		return Refuse("XMLTABLE", t)
	}
	if !w.IsFromFunction() {
		if IsColID(t) || isFuncName(t) {
			w.P++
			for w.Cur().Punct(".") && IsLabel(w.Peek(1)) {
				w.P += 2
			}
		}
		return w.Err()
	}
	if _, err := w.primary(); err != nil {
		return err
	}
	return nil
}

// funcAlias takes the alias of a FROM function, with columns or definitions.
func (w *Walker) funcAlias(n *ast.FuncTable) error {
	as := w.Word("as")
	t := w.Cur()
	if as && t.Punct("(") {
		var err error
		n.ColDefs, err = w.colDefs()
		return err
	}
	if !as && !IsColID(t) {
		return nil
	}
	a := &ast.Alias{At: At(t)}
	var err error
	if a.Name, err = w.ColID(); err != nil {
		return err
	}
	n.Alias = a
	if !w.Cur().Punct("(") {
		return nil
	}
	// A name followed by , or ) is a column alias, else a definition.
	if k := w.Peek(2); k.Punct(",") || k.Punct(")") {
		a.Columns, err = w.NameList()
		return err
	}
	n.ColDefs, err = w.colDefs()
	return err
}

// colDefs takes (name type, …).
func (w *Walker) colDefs() ([]ast.ColDef, error) {
	if err := w.Expect("("); err != nil {
		return nil, err
	}
	var list []ast.ColDef
	for {
		d := ast.ColDef{At: At(w.Cur())}
		var err error
		if d.Name, err = w.ColID(); err != nil {
			return nil, err
		}
		if d.Type, err = w.TypeName(); err != nil {
			return nil, err
		}
		if w.Word("collate") {
			if _, err := w.AnyName(); err != nil {
				return nil, err
			}
		}
		list = append(list, d)
		if !w.Punct(",") {
			return list, w.Expect(")")
		}
	}
}

// rowsFrom takes ROWS FROM (f(…) [AS (…)], …) [WITH ORDINALITY] [alias].
func (w *Walker) rowsFrom(t *Token, lateral bool) error {
	w.P += 3
	n := &ast.FuncTable{At: At(t), Lateral: lateral, RowsFrom: true}
	w.fromHead(t, n)
	for {
		w.b.raw(t.Start, ",")
		if err := w.windowlessCall(); err != nil {
			return err
		}
		var item ast.FuncItem
		if w.Word("as") {
			var err error
			if item.ColDefs, err = w.colDefs(); err != nil {
				return err
			}
		}
		n.Calls = append(n.Calls, item)
		if len(n.Calls) > targetsMax {
			return errs.New(errs.TooManyColumns, "functions in FROM can return at most %d columns", targetsMax)
		}
		if !w.Punct(",") {
			break
		}
	}
	if err := w.Expect(")"); err != nil {
		return err
	}
	w.b.raw(t.Start, fromClose)
	n.Ordinality = w.Words("with", "ordinality")
	return w.funcAlias(n)
}
