package stmt

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
)

// tableConstraint takes [CONSTRAINT name] key.
func (w *parser) tableConstraint() (*ast.Constraint, error) {
	name := ""
	if w.Word("constraint") {
		var err error
		if name, err = w.ColID(); err != nil {
			return nil, err
		}
	}
	t := w.Cur()
	switch {
	case t.Is("check"):
		return nil, dialect.Refuse("CHECK", t)
	case t.Is("exclude"):
		return nil, dialect.Refuse("EXCLUDE", t)
	}
	return w.keyConstraint(name, false)
}

// keyConstraint takes PRIMARY KEY, UNIQUE, FOREIGN KEY or REFERENCES.
func (w *parser) keyConstraint(name string, column bool) (*ast.Constraint, error) {
	t := w.Cur()
	c := &ast.Constraint{At: dialect.At(t), Name: name}
	var err error
	switch {
	case w.Words("primary", "key"):
	case w.Word("unique"):
		c.Kind = ast.Unique
		if w.Words("nulls", "not", "distinct") {
			c.NullsNotDistinct = true
		} else {
			w.Words("nulls", "distinct")
		}
	case column && t.Is("references"):
		c.Kind = ast.ForeignKey
	case !column && w.Words("foreign", "key"):
		c.Kind = ast.ForeignKey
		if c.Columns, err = w.NameList(); err != nil {
			return nil, err
		}
	default:
		return nil, w.Err()
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
func (w *parser) keyColumns(c *ast.Constraint, column bool) error {
	var err error
	if !column {
		if w.Words("using", "index") {
			c.UsingIndex, err = w.ColID()
			return err
		}
		if c.Columns, err = w.NameList(); err != nil {
			return err
		}
		if w.Word("include") {
			if c.Include, err = w.NameList(); err != nil {
				return err
			}
		}
	}
	if _, err = w.withOptions(); err != nil {
		return err
	}
	if w.Words("using", "index") {
		_, err = w.tablespace()
	}
	return err
}

// references takes REFERENCES table [(cols)] [MATCH …] [ON DELETE|UPDATE …].
func (w *parser) references(c *ast.Constraint) error {
	if err := w.ExpectWord("references"); err != nil {
		return err
	}
	var err error
	if c.RefTable, err = w.Qualified(); err != nil {
		return err
	}
	if c.RefColumns, err = w.optNames(); err != nil {
		return err
	}
	if w.Word("match") {
		switch k := w.Cur(); {
		case k.Is("full"), k.Is("simple"), k.Is("partial"):
			c.Match = k.Text
			w.P++
		default:
			return w.Err()
		}
	}
	for w.Cur().Is("on") {
		w.P++
		target := &c.OnDelete
		switch {
		case w.Word("delete"):
		case w.Word("update"):
			target = &c.OnUpdate
		default:
			return w.Err()
		}
		switch {
		case w.Words("no", "action"):
			*target = "no action"
		case w.Word("restrict"):
			*target = "restrict"
		case w.Word("cascade"):
			*target = "cascade"
		case w.Words("set", "null"):
			*target = "set null"
			_, err = w.optNames()
		case w.Words("set", "default"):
			*target = "set default"
			_, err = w.optNames()
		default:
			return w.Err()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// constraintAttributes takes [NOT] DEFERRABLE, INITIALLY …, NOT VALID.
func (w *parser) constraintAttributes(c *ast.Constraint) error {
	for {
		switch {
		case w.Word("deferrable"):
			c.Deferrable = true
		case w.Words("not", "deferrable"):
		case w.Words("initially", "deferred"):
			c.Deferrable, c.Deferred = true, true
		case w.Words("initially", "immediate"):
		case w.Words("not", "valid"):
			c.NotValid = true
		default:
			return nil
		}
	}
}

// createIndex takes [UNIQUE] INDEX ….
func (w *parser) createIndex(t *dialect.Token) (ast.Stmt, error) {
	n := &ast.CreateIndex{At: dialect.At(t), Unique: w.Word("unique"), Method: "btree"}
	if err := w.ExpectWord("index"); err != nil {
		return nil, err
	}
	n.Concurrently = w.Word("concurrently")
	n.IfNotExists = w.ifNotExists()
	var err error
	if !w.Cur().Is("on") {
		if n.Name, err = w.ColID(); err != nil {
			return nil, err
		}
	} else if n.IfNotExists {
		return nil, w.Err()
	}
	if err := w.ExpectWord("on"); err != nil {
		return nil, err
	}
	if n.Table, err = w.RelationName(); err != nil {
		return nil, err
	}
	if w.Word("using") {
		k := w.Cur()
		if n.Method, err = w.ColID(); err != nil {
			return nil, err
		}
		switch n.Method {
		case "gin", "gist", "spgist", "brin":
			return nil, dialect.Refuse("access method "+n.Method, k)
		}
	}
	if err := w.Expect("("); err != nil {
		return nil, err
	}
	for {
		it, err := w.indexItem()
		if err != nil {
			return nil, err
		}
		n.Items = append(n.Items, it)
		if !w.Punct(",") {
			break
		}
	}
	if err := w.Expect(")"); err != nil {
		return nil, err
	}
	return n, w.indexSuffix(n)
}

func (w *parser) indexSuffix(n *ast.CreateIndex) error {
	var err error
	if w.Word("include") {
		if n.Include, err = w.NameList(); err != nil {
			return err
		}
	}
	if w.Words("nulls", "not", "distinct") {
		n.NullsNotDistinct = true
	} else {
		w.Words("nulls", "distinct")
	}
	if n.Options, err = w.withOptions(); err != nil {
		return err
	}
	if n.Tablespace, err = w.tablespace(); err != nil {
		return err
	}
	if w.Word("where") {
		n.Where, err = w.ParseExpr()
	}
	return err
}

// indexItem takes column, function call or (expr), with its order.
func (w *parser) indexItem() (*ast.IndexItem, error) {
	it := &ast.IndexItem{At: dialect.At(w.Cur())}
	var err error
	switch {
	case w.Cur().Punct("("):
		w.P++
		if it.Expr, err = w.ParseExpr(); err != nil {
			return nil, err
		}
		err = w.Expect(")")
	case w.IsFromFunction():
		it.Expr, err = w.ParseExpr()
	default:
		it.Column, err = w.ColID()
	}
	if err != nil {
		return nil, err
	}
	if w.Word("collate") {
		if it.Collation, err = w.AnyName(); err != nil {
			return nil, err
		}
	}
	if k := w.Cur(); dialect.IsColID(k) && !k.Is("nulls") {
		if it.OpClass, err = w.AnyName(); err != nil {
			return nil, err
		}
	}
	s := &ast.SortItem{}
	if err := w.SortTail(s); err != nil {
		return nil, err
	}
	it.Desc, it.Nulls = s.Desc, s.Nulls
	return it, nil
}
