package stmt

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
)

// copy takes COPY in both option styles.
func (w *parser) copy() (ast.Stmt, error) {
	n := &ast.Copy{At: dialect.At(w.Next())}
	binary := w.Cur()
	if w.Cur().Is("binary") {
		w.P++
		n.Options = append(n.Options, ast.Option{At: dialect.At(binary), Name: "format", Kind: ast.ValueWord, Value: "binary"})
	}
	var err error
	if w.Cur().Punct("(") {
		if err := w.copySource(n); err != nil {
			return nil, err
		}
		if err := w.ExpectWord("to"); err != nil {
			return nil, err
		}
	} else {
		if n.Table, err = w.RelationName(); err != nil {
			return nil, err
		}
		if w.Cur().Punct("(") {
			if n.Columns, err = w.InsertColumns(); err != nil {
				return nil, err
			}
		}
		switch {
		case w.Word("from"):
			n.From = true
		case w.Word("to"):
		default:
			return nil, w.Err()
		}
	}
	if err := w.copyFile(n); err != nil {
		return nil, err
	}
	if err := w.copyOptions(n); err != nil {
		return nil, err
	}
	if k := w.Cur(); k.Is("where") {
		w.P++
		if !n.From {
			return nil, invalid(k, "WHERE clause not allowed with COPY TO")
		}
		n.Where, err = w.ParseExpr()
	}
	return n, err
}

// copySource takes (query) or (DML … RETURNING).
func (w *parser) copySource(n *ast.Copy) error {
	w.P++
	var err error
	if k := w.Cur(); k.Is("insert") || k.Is("update") || k.Is("delete") {
		n.DML, err = w.statement()
	} else {
		n.Query, err = w.queryOnly()
	}
	if err != nil {
		return err
	}
	return w.Expect(")")
}

// copyFile takes STDIN, STDOUT, a file name or PROGRAM.
func (w *parser) copyFile(n *ast.Copy) error {
	if w.Word("program") {
		n.Program = true
	}
	t := w.Cur()
	switch {
	case t.Kind == dialect.String:
		n.File = t.Text
	case !n.Program && (t.Is("stdin") || t.Is("stdout")):
	default:
		return w.Err()
	}
	w.P++
	return nil
}

// copyOptions takes [WITH] (…) or the old form, which is given the new one's
// names.
func (w *parser) copyOptions(n *ast.Copy) error {
	if w.Word("using") {
		if err := w.copyOld(n, "delimiters", "delimiter"); err != nil {
			return err
		}
	}
	w.Word("with")
	if w.Cur().Punct("(") {
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
func (w *parser) copyOldOption(n *ast.Copy) (done bool, err error) {
	t := w.Cur()
	add := func(name string, kind ast.ValueKind, value string) {
		n.Options = append(n.Options, ast.Option{At: dialect.At(t), Name: name, Kind: kind, Value: value})
	}
	switch {
	case w.Word("binary"):
		add("format", ast.ValueWord, "binary")
	case w.Word("csv"):
		add("format", ast.ValueWord, "csv")
	case w.Word("freeze"):
		add("freeze", ast.ValueNone, "")
	case w.Word("header"):
		add("header", ast.ValueNone, "")
	case t.Is("delimiter"), t.Is("null"), t.Is("quote"), t.Is("escape"), t.Is("encoding"):
		err = w.copyOld(n, t.Text, t.Text)
	case w.Words("force", "quote"):
		err = w.copyForce(n, t, "force_quote")
	case w.Words("force", "not", "null"):
		err = w.copyForce(n, t, "force_not_null")
	case w.Words("force", "null"):
		err = w.copyForce(n, t, "force_null")
	default:
		return true, nil
	}
	return false, err
}

// copyOld takes word [AS] 'string'.
func (w *parser) copyOld(n *ast.Copy, word, name string) error {
	t := w.Cur()
	if err := w.ExpectWord(word); err != nil {
		return err
	}
	w.Word("as")
	s, err := w.StringLit()
	n.Options = append(n.Options, ast.Option{At: dialect.At(t), Name: name, Kind: ast.ValueString, Value: s})
	return err
}

// copyForce takes * or column, ….
func (w *parser) copyForce(n *ast.Copy, t *dialect.Token, name string) error {
	o := ast.Option{At: dialect.At(t), Name: name, Kind: ast.ValueList}
	if w.Op("*") {
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
