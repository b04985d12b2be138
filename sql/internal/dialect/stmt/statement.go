// Package stmt parses every statement that is no query: definitions, rights,
// governance, sessions, transactions, cursors, COPY, EXPLAIN. It reads the same
// tokens as the walker of package dialect, in PostgreSQL's own grammar, and asks
// it for the queries, expressions and type names inside.
//
// What it deliberately does not do: decide what an option, a setting or a
// privilege means; that is its user's. What Quern refuses by name (CHECK,
// triggers, sequences, …) is refused here with 0A000.
//
// Start reading at statement: a table of first words.
package stmt

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
	"quern/storage/errs"
)

// parser takes statements that are no queries; the walker inside takes the
// queries, expressions and types within them.
type parser struct {
	*dialect.Walker
}

// Parse parses one statement of text.
func Parse(text string, p dialect.Part, decode dialect.Decoder) (ast.Stmt, error) {
	w := &parser{dialect.NewWalker(text, p, decode)}
	s, err := w.statement()
	if err != nil {
		return nil, err
	}
	if w.P != len(w.Toks)-1 {
		return nil, w.Err()
	}
	return s, nil
}

// statement takes a statement by its first word. It is a table of all of them,
// and longer than a screen only for that.
func (w *parser) statement() (ast.Stmt, error) {
	if err := w.Enter(); err != nil {
		return nil, err
	}
	defer w.Leave()
	t := w.Cur()
	if t.Punct("(") {
		return w.SelectStmt()
	}
	if t.Kind != dialect.Word {
		return nil, w.Err()
	}
	switch t.Text {
	case "select", "values", "table":
		return w.SelectStmt()
	case "with":
		return w.WithStmt()
	case "insert":
		return w.Insert(nil)
	case "update":
		return w.Update(nil)
	case "delete":
		return w.Delete(nil)
	case "merge":
		return nil, dialect.Refuse("MERGE", t)
	case "create":
		return w.create()
	case "alter":
		return w.alter()
	case "drop":
		return w.drop()
	case "truncate":
		return w.truncate()
	case "comment":
		return w.comment()
	case "refresh":
		return w.refresh()
	case "copy":
		return w.copy()
	case "explain":
		return w.explain()
	case "analyze", "analyse", "vacuum":
		return w.vacuum()
	case "checkpoint":
		w.P++
		return &ast.Checkpoint{At: dialect.At(t)}, nil
	case "call":
		return w.callStmt()
	case "grant":
		return w.grant()
	case "revoke":
		return w.revoke()
	case "reassign":
		return w.reassign()
	case "set":
		return w.set()
	case "reset":
		return w.reset()
	case "show":
		return w.show()
	case "discard":
		return w.discard()
	case "begin", "start":
		return w.begin()
	case "commit", "end":
		return w.commit()
	case "rollback", "abort":
		return w.rollback()
	case "savepoint", "release":
		return w.savepoint()
	case "declare":
		return w.declare()
	case "fetch", "move":
		return w.fetchCursor()
	case "close":
		return w.closeCursor()
	case "prepare":
		return w.prepare()
	case "execute":
		return w.execute()
	case "deallocate":
		return w.deallocate()
	case "unlisten":
		return w.unlisten()
	case "declassify":
		return w.declassify()
	case "attach":
		return w.attachMasking()
	case "erase":
		return w.erase()
	case "lock":
		return nil, dialect.Refuse("LOCK TABLE", t)
	case "listen", "notify", "do", "load", "cluster", "reindex", "import":
		return nil, dialect.Refuse(upper(t.Text), t)
	case "security":
		return nil, dialect.Refuse("SECURITY LABEL", t)
	}
	return nil, w.Err()
}

func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 0x20
		}
	}
	return string(b)
}

// cascade takes CASCADE or RESTRICT.
func (w *parser) cascade() bool {
	if w.Word("cascade") {
		return true
	}
	w.Word("restrict")
	return false
}

// colIDs takes name, ….
func (w *parser) colIDs() ([]string, error) {
	var list []string
	for {
		n, err := w.ColID()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if !w.Punct(",") {
			return list, nil
		}
	}
}

// optNames takes (name, …) if it is there.
func (w *parser) optNames() ([]string, error) {
	if !w.Cur().Punct("(") {
		return nil, nil
	}
	return w.NameList()
}

// option takes name [= value] or name [value] of an option list.
func (w *parser) option() (ast.Option, error) {
	o := ast.Option{At: dialect.At(w.Cur())}
	n, err := w.Label()
	if err != nil {
		return o, err
	}
	o.Name = n
	for w.Punct(".") {
		if n, err = w.Label(); err != nil {
			return o, err
		}
		o.Name += "." + n
	}
	if !w.Op("=") {
		return o, nil
	}
	err = w.optionValue(&o)
	if err == nil && (o.Kind == ast.ValueNone || o.Kind == ast.ValueList || o.Kind == ast.ValueStar) {
		err = w.Err()
	}
	return o, err
}

// genericOptions takes (name [value], …) of COPY, EXPLAIN and VACUUM, without
// =.
func (w *parser) genericOptions() ([]ast.Option, error) {
	if err := w.Expect("("); err != nil {
		return nil, err
	}
	var list []ast.Option
	for {
		o := ast.Option{At: dialect.At(w.Cur())}
		var err error
		if o.Name, err = w.Label(); err != nil {
			return nil, err
		}
		k := w.Cur()
		if k.Kind != dialect.Word || k.Class != dialect.Reserved || k.Is("true") || k.Is("false") || k.Is("on") {
			if err := w.optionValue(&o); err != nil {
				return nil, err
			}
		}
		list = append(list, o)
		if !w.Punct(",") {
			return list, w.Expect(")")
		}
	}
}

func (w *parser) optionValue(o *ast.Option) error {
	t := w.Cur()
	switch {
	case t.Kind == dialect.String:
		o.Kind, o.Value = ast.ValueString, t.Text
		w.P++
	case t.Kind == dialect.Int || t.Kind == dialect.Number:
		o.Kind, o.Value = ast.ValueNumber, t.Text
		w.P++
	case (t.Op("-") || t.Op("+")) && (w.Peek(1).Kind == dialect.Int || w.Peek(1).Kind == dialect.Number):
		o.Kind, o.Value = ast.ValueNumber, w.Peek(1).Text
		if t.Text == "-" {
			o.Value = "-" + o.Value
		}
		w.P += 2
	case t.Op("*"):
		o.Kind = ast.ValueStar
		w.P++
	case dialect.IsLabel(t):
		o.Kind, o.Value = ast.ValueWord, t.Text
		w.P++
		for w.Cur().Punct(".") && dialect.IsLabel(w.Peek(1)) {
			o.Value += "." + w.Peek(1).Text
			w.P += 2
		}
		if w.Cur().Punct("(") {
			return dialect.Refuse("option value with modifiers", w.Cur())
		}
	case t.Punct("("):
		w.P++
		o.Kind = ast.ValueList
		for {
			k := w.Cur()
			if k.Kind != dialect.String && !dialect.IsLabel(k) && k.Kind != dialect.Int {
				return w.Err()
			}
			o.List = append(o.List, w.Next().Text)
			if !w.Punct(",") {
				return w.Expect(")")
			}
		}
	}
	return nil
}

// options takes (option, …).
func (w *parser) options() ([]ast.Option, error) {
	if err := w.Expect("("); err != nil {
		return nil, err
	}
	var list []ast.Option
	for {
		o, err := w.option()
		if err != nil {
			return nil, err
		}
		list = append(list, o)
		if !w.Punct(",") {
			return list, w.Expect(")")
		}
	}
}

// withOptions takes WITH (option, …) if it is there.
func (w *parser) withOptions() ([]ast.Option, error) {
	if !w.Cur().Is("with") || !w.Peek(1).Punct("(") {
		return nil, nil
	}
	w.P++
	return w.options()
}

// signedInt takes an integer with an optional sign.
func (w *parser) signedInt() (int, error) {
	neg := w.Op("-")
	if !neg {
		w.Op("+")
	}
	n, err := w.IntLit()
	if neg {
		n = -n
	}
	return n, err
}

// invalid is 42601 with a text of its own at t.
func invalid(t *dialect.Token, format string, args ...any) error {
	return errs.New(errs.Syntax, format, args...).WithPos(int(t.Start) + 1)
}

// nameOn takes name ON table, as policies and holds begin.
func (w *parser) nameOn() (name string, table *ast.TableRef, err error) {
	if name, err = w.ColID(); err != nil {
		return "", nil, err
	}
	if err = w.ExpectWord("on"); err != nil {
		return "", nil, err
	}
	table, err = w.RelationName()
	return name, table, err
}
