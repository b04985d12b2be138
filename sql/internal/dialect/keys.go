package dialect

import "quern/sql/internal/ast"

// tableConstraint takes [CONSTRAINT name] key.
func (w *walker) tableConstraint() (*ast.Constraint, error) {
	name := ""
	if w.word("constraint") {
		var err error
		if name, err = w.colID(); err != nil {
			return nil, err
		}
	}
	t := w.cur()
	switch {
	case t.is("check"):
		return nil, refuse("CHECK", t)
	case t.is("exclude"):
		return nil, refuse("EXCLUDE", t)
	}
	return w.keyConstraint(name, false)
}

// keyConstraint takes PRIMARY KEY, UNIQUE, FOREIGN KEY or REFERENCES.
func (w *walker) keyConstraint(name string, column bool) (*ast.Constraint, error) {
	t := w.cur()
	c := &ast.Constraint{At: at(t), Name: name}
	var err error
	switch {
	case w.words("primary", "key"):
	case w.word("unique"):
		c.Kind = ast.Unique
		if w.words("nulls", "not", "distinct") {
			c.NullsNotDistinct = true
		} else {
			w.words("nulls", "distinct")
		}
	case column && t.is("references"):
		c.Kind = ast.ForeignKey
	case !column && w.words("foreign", "key"):
		c.Kind = ast.ForeignKey
		if c.Columns, err = w.nameList(); err != nil {
			return nil, err
		}
	default:
		return nil, w.err()
	}
	if c.Kind == ast.ForeignKey {
		if err := w.references(c); err != nil {
			return nil, err
		}
	} else if err := w.keyColumns(c, column); err != nil {
		return nil, err
	}
	return c, w.constraintAttributes(c)
}

// keyColumns takes (cols) [INCLUDE (…)] [WITH (…)] [USING INDEX TABLESPACE] or
// USING INDEX name.
func (w *walker) keyColumns(c *ast.Constraint, column bool) error {
	var err error
	if !column {
		if w.words("using", "index") {
			c.UsingIndex, err = w.colID()
			return err
		}
		if c.Columns, err = w.nameList(); err != nil {
			return err
		}
		if w.word("include") {
			if c.Include, err = w.nameList(); err != nil {
				return err
			}
		}
	}
	if _, err = w.withOptions(); err != nil {
		return err
	}
	if w.words("using", "index") {
		_, err = w.tablespace()
	}
	return err
}

// references takes REFERENCES table [(cols)] [MATCH …] [ON DELETE|UPDATE …].
func (w *walker) references(c *ast.Constraint) error {
	if err := w.expectWord("references"); err != nil {
		return err
	}
	var err error
	if c.RefTable, err = w.qualified(); err != nil {
		return err
	}
	if c.RefColumns, err = w.optNames(); err != nil {
		return err
	}
	if w.word("match") {
		switch k := w.cur(); {
		case k.is("full"), k.is("simple"), k.is("partial"):
			c.Match = k.Text
			w.p++
		default:
			return w.err()
		}
	}
	for w.cur().is("on") {
		w.p++
		target := &c.OnDelete
		switch {
		case w.word("delete"):
		case w.word("update"):
			target = &c.OnUpdate
		default:
			return w.err()
		}
		switch {
		case w.words("no", "action"):
			*target = "no action"
		case w.word("restrict"):
			*target = "restrict"
		case w.word("cascade"):
			*target = "cascade"
		case w.words("set", "null"):
			*target = "set null"
			_, err = w.optNames()
		case w.words("set", "default"):
			*target = "set default"
			_, err = w.optNames()
		default:
			return w.err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// constraintAttributes takes [NOT] DEFERRABLE, INITIALLY …, NOT VALID.
func (w *walker) constraintAttributes(c *ast.Constraint) error {
	for {
		switch {
		case w.word("deferrable"):
			c.Deferrable = true
		case w.words("not", "deferrable"):
		case w.words("initially", "deferred"):
			c.Deferrable, c.Deferred = true, true
		case w.words("initially", "immediate"):
		case w.words("not", "valid"):
			c.NotValid = true
		default:
			return nil
		}
	}
}

// createIndex takes [UNIQUE] INDEX ….
func (w *walker) createIndex(t *Token) (ast.Stmt, error) {
	n := &ast.CreateIndex{At: at(t), Unique: w.word("unique"), Method: "btree"}
	if err := w.expectWord("index"); err != nil {
		return nil, err
	}
	n.Concurrently = w.word("concurrently")
	n.IfNotExists = w.ifNotExists()
	var err error
	if !w.cur().is("on") {
		if n.Name, err = w.colID(); err != nil {
			return nil, err
		}
	} else if n.IfNotExists {
		return nil, w.err()
	}
	if err := w.expectWord("on"); err != nil {
		return nil, err
	}
	if n.Table, err = w.relationName(); err != nil {
		return nil, err
	}
	if w.word("using") {
		k := w.cur()
		if n.Method, err = w.colID(); err != nil {
			return nil, err
		}
		if n.Method != "btree" && n.Method != "hash" {
			return nil, refuse("access method "+n.Method, k)
		}
	}
	if err := w.expect("("); err != nil {
		return nil, err
	}
	for {
		it, err := w.indexItem()
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, it)
		if !w.punct(",") {
			break
		}
	}
	if err := w.expect(")"); err != nil {
		return nil, err
	}
	return n, w.indexSuffix(n)
}

func (w *walker) indexSuffix(n *ast.CreateIndex) error {
	var err error
	if w.word("include") {
		if n.Include, err = w.nameList(); err != nil {
			return err
		}
	}
	if w.words("nulls", "not", "distinct") {
		n.NullsNotDistinct = true
	} else {
		w.words("nulls", "distinct")
	}
	if n.Options, err = w.withOptions(); err != nil {
		return err
	}
	if n.Tablespace, err = w.tablespace(); err != nil {
		return err
	}
	if w.word("where") {
		n.Where, err = w.parseExpr()
	}
	return err
}

// indexItem takes column, function call or (expr), with its order.
func (w *walker) indexItem() (*ast.IndexItem, error) {
	it := &ast.IndexItem{At: at(w.cur())}
	var err error
	switch {
	case w.cur().punct("("):
		w.p++
		if it.Expr, err = w.parseExpr(); err != nil {
			return nil, err
		}
		err = w.expect(")")
	case w.isFromFunction():
		it.Expr, err = w.parseExpr()
	default:
		it.Column, err = w.colID()
	}
	if err != nil {
		return nil, err
	}
	if w.word("collate") {
		if it.Collation, err = w.anyName(); err != nil {
			return nil, err
		}
	}
	if k := w.cur(); isColID(k) && !k.is("nulls") {
		if it.OpClass, err = w.anyName(); err != nil {
			return nil, err
		}
	}
	s := &ast.SortItem{}
	if err := w.sortTail(s); err != nil {
		return nil, err
	}
	it.Desc, it.Nulls = s.Desc, s.Nulls
	return it, nil
}
