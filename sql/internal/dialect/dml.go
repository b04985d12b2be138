package dialect

import "quern/sql/internal/ast"

// insert takes INSERT.
func (w *walker) insert(with *ast.With) (ast.Stmt, error) {
	t := w.next()
	if err := w.expectWord("into"); err != nil {
		return nil, err
	}
	n := &ast.Insert{At: at(t), With: with, Table: &ast.TableRef{At: at(w.cur())}}
	var err error
	if n.Table.Name, err = w.qualified(); err != nil {
		return nil, err
	}
	if w.word("as") {
		n.Table.Alias = &ast.Alias{At: at(w.cur())}
		if n.Table.Alias.Name, err = w.colID(); err != nil {
			return nil, err
		}
	}
	if w.cur().punct("(") && w.peek(1).punct("(") && !w.isQuery(w.p) {
		for w.punct("(") {
		}
		return nil, w.err()
	}
	if w.cur().punct("(") && !w.isQuery(w.p) {
		if n.Columns, err = w.insertColumns(); err != nil {
			return nil, err
		}
	}
	if w.word("overriding") {
		switch {
		case w.words("system", "value"):
			n.Overriding = ast.OverridingSystem
		case w.words("user", "value"):
			n.Overriding = ast.OverridingUser
		default:
			return nil, w.err()
		}
	}
	if err := w.insertSource(n); err != nil {
		return nil, err
	}
	if w.cur().is("on") {
		if n.OnConflict, err = w.onConflict(); err != nil {
			return nil, err
		}
	}
	n.Returning, err = w.returning()
	return n, err
}

// insertColumns takes (name, …); a target inside a column is refused.
func (w *walker) insertColumns() ([]ast.InsertColumn, error) {
	if err := w.expect("("); err != nil {
		return nil, err
	}
	var list []ast.InsertColumn
	for {
		c := ast.InsertColumn{At: at(w.cur())}
		var err error
		if c.Name, err = w.colID(); err != nil {
			return nil, err
		}
		if k := w.cur(); k.punct(".") || k.punct("[") {
			return nil, refuse("assignment to a part of a column", k)
		}
		list = append(list, c)
		if !w.punct(",") {
			return list, w.expect(")")
		}
	}
}

// insertSource takes DEFAULT VALUES or a query. VALUES of literals never goes
// through the grammar: its tree would take a kilobyte per row.
func (w *walker) insertSource(n *ast.Insert) error {
	if w.words("default", "values") {
		return nil
	}
	if w.cur().is("values") {
		if v := w.literalRows(); v != nil {
			n.Query = &ast.Query{At: v.At, Body: v}
			return nil
		}
	}
	k := w.cur()
	if !k.punct("(") && !w.isQueryStart(w.p) && !k.is("values") {
		return w.err()
	}
	var err error
	n.Query, err = w.parseQuery()
	return err
}

// literalRows takes VALUES whose every item is a literal, a signed number, a
// parameter, DEFAULT or a cast of one of these; else it takes nothing and
// returns nil.
func (w *walker) literalRows() *ast.Values {
	start := w.p
	v := &ast.Values{At: at(w.next())}
	for {
		row := w.literalRow(len(v.Rows), v)
		if row == nil {
			w.p = start
			return nil
		}
		v.Rows = append(v.Rows, row)
		if !w.punct(",") {
			break
		}
	}
	if t := w.cur(); !(t.Kind == EOF || t.punct(";") || t.punct(")") || t.is("on") || t.is("returning")) {
		w.p = start
		return nil
	}
	return v
}

func (w *walker) literalRow(rows int, v *ast.Values) []ast.Expr {
	if !w.punct("(") {
		return nil
	}
	size := 4
	if rows > 0 {
		size = len(v.Rows[0])
	}
	row := make([]ast.Expr, 0, size)
	for {
		e := w.literalItem()
		if e == nil {
			return nil
		}
		row = append(row, e)
		switch {
		case w.punct(","):
		case w.punct(")"):
			return row
		default:
			return nil
		}
	}
}

func (w *walker) literalItem() ast.Expr {
	t := w.cur()
	signed := t.op("-") || t.op("+")
	if signed {
		if t.Text == "+" {
			return nil // a prefix operator in the tree
		}
		w.p++
	}
	k := w.cur()
	l := &ast.Literal{At: at(t), Text: k.Text}
	switch {
	case k.Kind == Int:
		l.Kind = ast.LitInt
	case k.Kind == Number:
		l.Kind = ast.LitNumeric
	case signed:
		return nil
	case k.Kind == String:
		l.Kind = ast.LitString
	case k.is("null"):
		l.Text = ""
	case k.is("true"), k.is("false"):
		l.Kind = ast.LitBool
	case k.is("default"):
		w.p++
		return &ast.Default{At: at(k)}
	default:
		return nil
	}
	w.p++
	if signed {
		if w.cur().punct("::") {
			return nil // -1::int is -(1::int)
		}
		l.Text = "-" + l.Text
	}
	var e ast.Expr = l
	for w.cur().punct("::") {
		c := w.next()
		tn, err := w.typeName()
		if err != nil {
			return nil
		}
		e = &ast.Cast{At: at(c), Expr: e, Type: tn, Syntax: ast.CastColons}
	}
	return e
}

// onConflict takes ON CONFLICT [target] DO NOTHING.
func (w *walker) onConflict() (*ast.OnConflict, error) {
	t := w.next()
	if err := w.expectWord("conflict"); err != nil {
		return nil, err
	}
	n := &ast.OnConflict{At: at(t)}
	var err error
	switch {
	case w.words("on", "constraint"):
		if n.Constraint, err = w.colID(); err != nil {
			return nil, err
		}
	case w.cur().punct("("):
		if n.Columns, err = w.conflictTarget(); err != nil {
			return nil, err
		}
		if w.word("where") {
			if n.Where, err = w.parseExpr(); err != nil {
				return nil, err
			}
		}
	}
	if err := w.expectWord("do"); err != nil {
		return nil, err
	}
	if w.cur().is("update") {
		return nil, refuse("ON CONFLICT DO UPDATE", w.cur())
	}
	return n, w.expectWord("nothing")
}

// conflictTarget takes (column or (expr), …); collations and operator classes
// are refused.
func (w *walker) conflictTarget() ([]ast.Expr, error) {
	w.p++
	var list []ast.Expr
	for {
		e, err := w.parseExpr()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if isColID(w.cur()) {
			return nil, refuse("operator class in ON CONFLICT", w.cur())
		}
		if !w.punct(",") {
			return list, w.expect(")")
		}
	}
}

// returning takes RETURNING targets if it is there.
func (w *walker) returning() ([]*ast.Target, error) {
	t := w.cur()
	if !w.word("returning") {
		return nil, nil
	}
	q, err := w.carry(func() error {
		w.b.raw(t.Start, "SELECT ")
		return w.targets()
	})
	if err != nil {
		return nil, err
	}
	return q.Body.(*ast.Select).Targets, nil
}

// dmlTarget takes [ONLY] name [*] [[AS] alias] of UPDATE and DELETE, where the
// words in stop are no alias without AS.
func (w *walker) dmlTarget(stop string) (*ast.TableRef, error) {
	n, err := w.relationName()
	if err != nil {
		return nil, err
	}
	if w.cur().is(stop) {
		return n, nil
	}
	t := w.cur()
	if !w.word("as") && !isColID(t) {
		return n, nil
	}
	n.Alias = &ast.Alias{At: at(w.cur())}
	n.Alias.Name, err = w.colID()
	return n, err
}

// dmlWhere writes FROM items behind word from, and WHERE, to the carrier.
func (w *walker) dmlWhere(from string) error {
	if t := w.cur(); w.word(from) {
		w.b.raw(t.Start, " FROM ")
		if err := w.fromList(); err != nil {
			return err
		}
	}
	if k := w.peek(1); w.cur().is("where") && k.is("current") && w.peek(2).is("of") {
		return refuse("WHERE CURRENT OF", k)
	}
	return w.where()
}

// update takes UPDATE. Values, FROM and WHERE travel as one SELECT.
func (w *walker) update(with *ast.With) (ast.Stmt, error) {
	n := &ast.Update{At: at(w.next()), With: with}
	var err error
	if n.Table, err = w.dmlTarget("set"); err != nil {
		return nil, err
	}
	if err := w.expectWord("set"); err != nil {
		return nil, err
	}
	q, err := w.carry(func() error {
		w.b.raw(int32(n.Pos), "SELECT ")
		if err := w.assigns(n); err != nil {
			return err
		}
		return w.dmlWhere("from")
	})
	if err != nil {
		return nil, err
	}
	s := q.Body.(*ast.Select)
	for i, a := range n.Set {
		a.Value = s.Targets[i].Expr
	}
	n.From, n.Where = s.From, s.Where
	n.Returning, err = w.returning()
	return n, err
}

// assigns takes column = value, … and writes the values as fields.
func (w *walker) assigns(n *ast.Update) error {
	for {
		a := &ast.Assign{At: at(w.cur())}
		var err error
		if w.cur().punct("(") {
			a.Multi = true
			w.p++
			for {
				name, err := w.assignTarget()
				if err != nil {
					return err
				}
				a.Columns = append(a.Columns, name)
				if !w.punct(",") {
					break
				}
			}
			if err := w.expect(")"); err != nil {
				return err
			}
		} else {
			name, err := w.assignTarget()
			if err != nil {
				return err
			}
			a.Columns = []string{name}
		}
		if !w.op("=") {
			return w.err()
		}
		if _, err = w.expr(precMin, false); err != nil {
			return err
		}
		n.Set = append(n.Set, a)
		if !w.cur().punct(",") {
			return nil
		}
		w.b.raw(w.next().Start, ",")
	}
}

func (w *walker) assignTarget() (string, error) {
	name, err := w.colID()
	if err != nil {
		return "", err
	}
	if k := w.cur(); k.punct(".") || k.punct("[") {
		return "", refuse("assignment to a part of a column", k)
	}
	return name, nil
}

// delete takes DELETE.
func (w *walker) delete(with *ast.With) (ast.Stmt, error) {
	n := &ast.Delete{At: at(w.next()), With: with}
	if err := w.expectWord("from"); err != nil {
		return nil, err
	}
	var err error
	if n.Table, err = w.dmlTarget("using"); err != nil {
		return nil, err
	}
	q, err := w.carry(func() error {
		w.b.raw(int32(n.Pos), "SELECT ")
		w.b.ident(int32(n.Pos), MarkNone)
		return w.dmlWhere("using")
	})
	if err != nil {
		return nil, err
	}
	s := q.Body.(*ast.Select)
	n.Using, n.Where = s.From, s.Where
	n.Returning, err = w.returning()
	return n, err
}
