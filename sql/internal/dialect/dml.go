package dialect

import "quern/sql/internal/ast"

// Insert takes INSERT.
func (w *Walker) Insert(with *ast.With) (ast.Stmt, error) {
	t := w.Next()
	if err := w.ExpectWord("into"); err != nil {
		return nil, err
	}
	n := &ast.Insert{At: At(t), With: with, Table: &ast.TableRef{At: At(w.Cur())}}
	var err error
	if n.Table.Name, err = w.Qualified(); err != nil {
		return nil, err
	}
	if w.Word("as") {
		n.Table.Alias = &ast.Alias{At: At(w.Cur())}
		if n.Table.Alias.Name, err = w.ColID(); err != nil {
			return nil, err
		}
	}
	if w.Cur().Punct("(") && w.Peek(1).Punct("(") && !w.IsQuery(w.P) {
		for w.Punct("(") {
		}
		return nil, w.Err()
	}
	if w.Cur().Punct("(") && !w.IsQuery(w.P) {
		if n.Columns, err = w.InsertColumns(); err != nil {
			return nil, err
		}
	}
	if w.Word("overriding") {
		switch {
		case w.Words("system", "value"):
			n.Overriding = ast.OverridingSystem
		case w.Words("user", "value"):
			n.Overriding = ast.OverridingUser
		default:
			return nil, w.Err()
		}
	}
	if err := w.insertSource(n); err != nil {
		return nil, err
	}
	if w.Cur().Is("on") {
		if n.OnConflict, err = w.onConflict(); err != nil {
			return nil, err
		}
	}
	n.Returning, err = w.returning()
	return n, err
}

// InsertColumns takes (name, …); a target inside a column is refused.
func (w *Walker) InsertColumns() ([]ast.InsertColumn, error) {
	if err := w.Expect("("); err != nil {
		return nil, err
	}
	var list []ast.InsertColumn
	for {
		c := ast.InsertColumn{At: At(w.Cur())}
		var err error
		if c.Name, err = w.ColID(); err != nil {
			return nil, err
		}
		if k := w.Cur(); k.Punct(".") || k.Punct("[") {
			return nil, Refuse("assignment to a part of a column", k)
		}
		list = append(list, c)
		if !w.Punct(",") {
			return list, w.Expect(")")
		}
	}
}

// insertSource takes DEFAULT VALUES or a query. VALUES of literals never goes
// through the grammar: its tree would take a kilobyte per row.
func (w *Walker) insertSource(n *ast.Insert) error {
	if w.Words("default", "values") {
		return nil
	}
	if w.Cur().Is("values") {
		if v := w.literalRows(); v != nil {
			n.Query = &ast.Query{At: v.At, Body: v}
			return nil
		}
	}
	k := w.Cur()
	if !k.Punct("(") && !w.IsQueryStart(w.P) && !k.Is("values") {
		return w.Err()
	}
	var err error
	n.Query, err = w.ParseQuery()
	return err
}

// literalRows takes VALUES whose every item is a literal, a signed number, a
// parameter, DEFAULT or a cast of one of these; else it takes nothing and
// returns nil.
func (w *Walker) literalRows() *ast.Values {
	start := w.P
	v := &ast.Values{At: At(w.Next())}
	for {
		row := w.literalRow(len(v.Rows), v)
		if row == nil {
			w.P = start
			return nil
		}
		v.Rows = append(v.Rows, row)
		if !w.Punct(",") {
			break
		}
	}
	if t := w.Cur(); !(t.Kind == EOF || t.Punct(";") || t.Punct(")") || t.Is("on") || t.Is("returning")) {
		w.P = start
		return nil
	}
	return v
}

func (w *Walker) literalRow(rows int, v *ast.Values) []ast.Expr {
	if !w.Punct("(") {
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
		case w.Punct(","):
		case w.Punct(")"):
			return row
		default:
			return nil
		}
	}
}

func (w *Walker) literalItem() ast.Expr {
	t := w.Cur()
	signed := t.Op("-") || t.Op("+")
	if signed {
		if t.Text == "+" {
			return nil // a prefix operator in the tree
		}
		w.P++
	}
	k := w.Cur()
	l := &ast.Literal{At: At(t), Text: k.Text}
	switch {
	case k.Kind == Int:
		l.Kind = ast.LitInt
	case k.Kind == Number:
		l.Kind = ast.LitNumeric
	case signed:
		return nil
	case k.Kind == String:
		l.Kind = ast.LitString
	case k.Is("null"):
		l.Text = ""
	case k.Is("true"), k.Is("false"):
		l.Kind = ast.LitBool
	case k.Is("default"):
		w.P++
		return &ast.Default{At: At(k)}
	default:
		return nil
	}
	w.P++
	if signed {
		if w.Cur().Punct("::") {
			return nil // -1::int is -(1::int)
		}
		l.Text = "-" + l.Text
	}
	var e ast.Expr = l
	for w.Cur().Punct("::") {
		c := w.Next()
		tn, err := w.TypeName()
		if err != nil {
			return nil
		}
		e = &ast.Cast{At: At(c), Expr: e, Type: tn, Syntax: ast.CastColons}
	}
	return e
}

// onConflict takes ON CONFLICT [target] DO NOTHING.
func (w *Walker) onConflict() (*ast.OnConflict, error) {
	t := w.Next()
	if err := w.ExpectWord("conflict"); err != nil {
		return nil, err
	}
	n := &ast.OnConflict{At: At(t)}
	var err error
	switch {
	case w.Words("on", "constraint"):
		if n.Constraint, err = w.ColID(); err != nil {
			return nil, err
		}
	case w.Cur().Punct("("):
		if n.Columns, err = w.conflictTarget(); err != nil {
			return nil, err
		}
		if w.Word("where") {
			if n.Where, err = w.ParseExpr(); err != nil {
				return nil, err
			}
		}
	}
	if err := w.ExpectWord("do"); err != nil {
		return nil, err
	}
	if w.Cur().Is("update") {
		return nil, Refuse("ON CONFLICT DO UPDATE", w.Cur())
	}
	return n, w.ExpectWord("nothing")
}

// conflictTarget takes (column or (expr), …); collations and operator classes
// are refused.
func (w *Walker) conflictTarget() ([]ast.Expr, error) {
	w.P++
	var list []ast.Expr
	for {
		e, err := w.ParseExpr()
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if IsColID(w.Cur()) {
			return nil, Refuse("operator class in ON CONFLICT", w.Cur())
		}
		if !w.Punct(",") {
			return list, w.Expect(")")
		}
	}
}

// returning takes RETURNING targets if it is there.
func (w *Walker) returning() ([]*ast.Target, error) {
	t := w.Cur()
	if !w.Word("returning") {
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
func (w *Walker) dmlTarget(stop string) (*ast.TableRef, error) {
	n, err := w.RelationName()
	if err != nil {
		return nil, err
	}
	if w.Cur().Is(stop) {
		return n, nil
	}
	t := w.Cur()
	if !w.Word("as") && !IsColID(t) {
		return n, nil
	}
	n.Alias = &ast.Alias{At: At(w.Cur())}
	n.Alias.Name, err = w.ColID()
	return n, err
}

// dmlWhere writes FROM items behind word from, and WHERE, to the carrier.
func (w *Walker) dmlWhere(from string) error {
	if t := w.Cur(); w.Word(from) {
		w.b.raw(t.Start, " FROM ")
		if err := w.fromList(); err != nil {
			return err
		}
	}
	if k := w.Peek(1); w.Cur().Is("where") && k.Is("current") && w.Peek(2).Is("of") {
		return Refuse("WHERE CURRENT OF", k)
	}
	return w.where()
}

// Update takes UPDATE. Values, FROM and WHERE travel as one SELECT.
func (w *Walker) Update(with *ast.With) (ast.Stmt, error) {
	n := &ast.Update{At: At(w.Next()), With: with}
	var err error
	if n.Table, err = w.dmlTarget("set"); err != nil {
		return nil, err
	}
	if err := w.ExpectWord("set"); err != nil {
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
func (w *Walker) assigns(n *ast.Update) error {
	for {
		a := &ast.Assign{At: At(w.Cur())}
		var err error
		if w.Cur().Punct("(") {
			a.Multi = true
			w.P++
			for {
				name, err := w.assignTarget()
				if err != nil {
					return err
				}
				a.Columns = append(a.Columns, name)
				if !w.Punct(",") {
					break
				}
			}
			if err := w.Expect(")"); err != nil {
				return err
			}
		} else {
			name, err := w.assignTarget()
			if err != nil {
				return err
			}
			a.Columns = []string{name}
		}
		if !w.Op("=") {
			return w.Err()
		}
		if _, err = w.expr(precMin, false); err != nil {
			return err
		}
		n.Set = append(n.Set, a)
		if !w.Cur().Punct(",") {
			return nil
		}
		w.b.raw(w.Next().Start, ",")
	}
}

func (w *Walker) assignTarget() (string, error) {
	name, err := w.ColID()
	if err != nil {
		return "", err
	}
	if k := w.Cur(); k.Punct(".") || k.Punct("[") {
		return "", Refuse("assignment to a part of a column", k)
	}
	return name, nil
}

// Delete takes DELETE.
func (w *Walker) Delete(with *ast.With) (ast.Stmt, error) {
	n := &ast.Delete{At: At(w.Next()), With: with}
	if err := w.ExpectWord("from"); err != nil {
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
