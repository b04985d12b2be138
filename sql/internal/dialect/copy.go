package dialect

import "quern/sql/internal/ast"

// copy takes COPY in both option styles.
func (w *walker) copy() (ast.Stmt, error) {
	n := &ast.Copy{At: at(w.next())}
	binary := w.cur()
	if w.cur().is("binary") {
		w.p++
		n.Options = append(n.Options, ast.Option{At: at(binary), Name: "format", Kind: ast.ValueWord, Value: "binary"})
	}
	var err error
	if w.cur().punct("(") {
		if err := w.copySource(n); err != nil {
			return nil, err
		}
		if err := w.expectWord("to"); err != nil {
			return nil, err
		}
	} else {
		if n.Table, err = w.relationName(); err != nil {
			return nil, err
		}
		if w.cur().punct("(") {
			if n.Columns, err = w.insertColumns(); err != nil {
				return nil, err
			}
		}
		switch {
		case w.word("from"):
			n.From = true
		case w.word("to"):
		default:
			return nil, w.err()
		}
	}
	if err := w.copyFile(n); err != nil {
		return nil, err
	}
	if err := w.copyOptions(n); err != nil {
		return nil, err
	}
	if k := w.cur(); k.is("where") {
		w.p++
		if !n.From {
			return nil, invalid(k, "WHERE clause not allowed with COPY TO")
		}
		n.Where, err = w.parseExpr()
	}
	return n, err
}

// copySource takes (query) or (DML … RETURNING).
func (w *walker) copySource(n *ast.Copy) error {
	w.p++
	var err error
	if k := w.cur(); k.is("insert") || k.is("update") || k.is("delete") {
		n.DML, err = w.statement()
	} else {
		n.Query, err = w.queryOnly()
	}
	if err != nil {
		return err
	}
	return w.expect(")")
}

// copyFile takes STDIN, STDOUT, a file name or PROGRAM.
func (w *walker) copyFile(n *ast.Copy) error {
	if w.word("program") {
		n.Program = true
	}
	t := w.cur()
	switch {
	case t.Kind == String:
		n.File = t.Text
	case !n.Program && (t.is("stdin") || t.is("stdout")):
	default:
		return w.err()
	}
	w.p++
	return nil
}

// copyOptions takes [WITH] (…) or the old form, which is given the new one's
// names.
func (w *walker) copyOptions(n *ast.Copy) error {
	if w.word("using") {
		if err := w.copyOld(n, "delimiters", "delimiter"); err != nil {
			return err
		}
	}
	w.word("with")
	if w.cur().punct("(") {
		o, err := w.genericOptions()
		n.Options = append(n.Options, o...)
		return err
	}
	for {
		done, err := w.copyOldOption(n)
		if err != nil {
			return err
		}
		if done {
			return nil
		}
	}
}

// copyOldOption takes one option of the old form.
func (w *walker) copyOldOption(n *ast.Copy) (done bool, err error) {
	t := w.cur()
	add := func(name string, kind ast.ValueKind, value string) {
		n.Options = append(n.Options, ast.Option{At: at(t), Name: name, Kind: kind, Value: value})
	}
	switch {
	case w.word("binary"):
		add("format", ast.ValueWord, "binary")
	case w.word("csv"):
		add("format", ast.ValueWord, "csv")
	case w.word("freeze"):
		add("freeze", ast.ValueNone, "")
	case w.word("header"):
		add("header", ast.ValueNone, "")
	case t.is("delimiter"), t.is("null"), t.is("quote"), t.is("escape"), t.is("encoding"):
		err = w.copyOld(n, t.Text, t.Text)
	case w.words("force", "quote"):
		err = w.copyForce(n, t, "force_quote")
	case w.words("force", "not", "null"):
		err = w.copyForce(n, t, "force_not_null")
	case w.words("force", "null"):
		err = w.copyForce(n, t, "force_null")
	default:
		return true, nil
	}
	return false, err
}

// copyOld takes word [AS] 'string'.
func (w *walker) copyOld(n *ast.Copy, word, name string) error {
	t := w.cur()
	if err := w.expectWord(word); err != nil {
		return err
	}
	w.word("as")
	s, err := w.stringLit()
	n.Options = append(n.Options, ast.Option{At: at(t), Name: name, Kind: ast.ValueString, Value: s})
	return err
}

// copyForce takes * or column, ….
func (w *walker) copyForce(n *ast.Copy, t *Token, name string) error {
	o := ast.Option{At: at(t), Name: name, Kind: ast.ValueList}
	if w.op("*") {
		o.Kind = ast.ValueStar
	} else {
		var err error
		if o.List, err = w.colIDs(); err != nil {
			return err
		}
	}
	n.Options = append(n.Options, o)
	return nil
}
