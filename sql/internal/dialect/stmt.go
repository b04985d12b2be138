package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// Part is one statement of a script: tokens [from, to], the last of which is
// the semicolon or EOF.
type Part struct {
	toks       []Token
	from       int
	Start, End int // byte offsets without white space around it
}

// Empty reports whether the part has no tokens.
func (p Part) Empty() bool { return p.from == len(p.toks)-1 }

// Split cuts a script at the semicolons outside brackets.
func Split(toks []Token) []Part {
	var parts []Part
	from := 0
	for i := 0; i < len(toks); i++ {
		t := &toks[i]
		if t.Kind == Punct && t.Match > int32(i) {
			i = int(t.Match)
			continue
		}
		if t.Kind == EOF || t.punct(";") {
			p := Part{toks: toks[:i+1], from: from, Start: int(toks[from].Start), End: int(t.Start)}
			if i > from {
				p.End = int(toks[i-1].End)
			}
			parts = append(parts, p)
			from = i + 1
		}
	}
	return parts
}

func newWalker(text string, toks []Token, from int, decode Decoder) *walker {
	return &walker{src: text, toks: toks, p: from, decode: decode}
}

// Parse parses one statement of text.
func Parse(text string, p Part, decode Decoder) (ast.Stmt, error) {
	w := newWalker(text, p.toks, p.from, decode)
	s, err := w.statement()
	if err != nil {
		return nil, err
	}
	if w.p != len(w.toks)-1 {
		return nil, w.err()
	}
	return s, nil
}

// ParseExpr parses toks as one expression.
func ParseExpr(text string, toks []Token, decode Decoder) (ast.Expr, error) {
	w := newWalker(text, toks, 0, decode)
	e, err := w.parseExpr()
	if err == nil && w.cur().Kind != EOF {
		err = w.err()
	}
	return e, err
}

// ParseType parses toks as one type name.
func ParseType(text string, toks []Token) (*ast.TypeName, error) {
	w := newWalker(text, toks, 0, nil)
	t, err := w.typeName()
	if err == nil && w.cur().Kind != EOF {
		err = w.err()
	}
	return t, err
}

// statement takes a statement by its first word. It is a table of all of them,
// and longer than a screen only for that.
func (w *walker) statement() (ast.Stmt, error) {
	if err := w.enter(); err != nil {
		return nil, err
	}
	defer w.leave()
	t := w.cur()
	if t.punct("(") {
		return w.selectStmt()
	}
	if t.Kind != Word {
		return nil, w.err()
	}
	switch t.Text {
	case "select", "values", "table":
		return w.selectStmt()
	case "with":
		return w.withStmt()
	case "insert":
		return w.insert(nil)
	case "update":
		return w.update(nil)
	case "delete":
		return w.delete(nil)
	case "merge":
		return nil, refuse("MERGE", t)
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
		w.p++
		return &ast.Checkpoint{At: at(t)}, nil
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
		return nil, refuse("LOCK TABLE", t)
	case "listen", "notify", "do", "load", "cluster", "reindex", "import":
		return nil, refuse(upper(t.Text), t)
	case "security":
		return nil, refuse("SECURITY LABEL", t)
	}
	return nil, w.err()
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

// selectStmt takes a query as a statement, SELECT INTO included.
func (w *walker) selectStmt() (ast.Stmt, error) {
	t := w.cur()
	w.allowInto = true
	q, err := w.parseQuery()
	w.allowInto = false
	if err != nil {
		return nil, err
	}
	if into := w.into; into != nil {
		w.into = nil
		into.Query = q
		return into, nil
	}
	return &ast.SelectStmt{At: at(t), Query: q}, nil
}

// withStmt takes WITH before a query or DML: what it is before stands behind
// the last query of it.
func (w *walker) withStmt() (ast.Stmt, error) {
	switch verb := w.verbBehindWith(); {
	case verb.is("insert"), verb.is("update"), verb.is("delete"):
		q, err := w.carry(func() error {
			if err := w.with(); err != nil {
				return err
			}
			w.b.raw(0, "SELECT ")
			w.b.ident(0, MarkNone)
			return nil
		})
		if err != nil {
			return nil, err
		}
		switch verb.Text {
		case "insert":
			return w.insert(q.With)
		case "update":
			return w.update(q.With)
		}
		return w.delete(q.With)
	case verb.is("merge"):
		return nil, refuse("MERGE", verb)
	}
	return w.selectStmt()
}

// verbBehindWith is the token behind the list of WITH queries, as far as it
// has the shape of one.
func (w *walker) verbBehindWith() *Token {
	last := len(w.toks) - 1
	i := w.p + 1
	if w.toks[min(i, last)].is("recursive") {
		i++
	}
	for i < last {
		i++ // the name
		if i < last && w.toks[i].punct("(") {
			i = w.matchOf(i) + 1
		}
		for i < last && (w.toks[i].is("as") || w.toks[i].is("not") || w.toks[i].is("materialized")) {
			i++
		}
		if i >= last || !w.toks[i].punct("(") {
			break
		}
		i = w.matchOf(i) + 1
		if i >= last || !w.toks[i].punct(",") {
			break
		}
		i++
	}
	return &w.toks[min(i, last)]
}

// cascade takes CASCADE or RESTRICT.
func (w *walker) cascade() bool {
	if w.word("cascade") {
		return true
	}
	w.word("restrict")
	return false
}

// colIDs takes name, ….
func (w *walker) colIDs() ([]string, error) {
	var list []string
	for {
		n, err := w.colID()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if !w.punct(",") {
			return list, nil
		}
	}
}

// optNames takes (name, …) if it is there.
func (w *walker) optNames() ([]string, error) {
	if !w.cur().punct("(") {
		return nil, nil
	}
	return w.nameList()
}

// plainRelation takes [ONLY] name [*] as a statement's target.
func (w *walker) plainRelation() (*ast.TableRef, error) { return w.relationName() }

// option takes name [= value] or name [value] of an option list.
func (w *walker) option() (ast.Option, error) {
	o := ast.Option{At: at(w.cur())}
	n, err := w.label()
	if err != nil {
		return o, err
	}
	o.Name = n
	for w.punct(".") {
		if n, err = w.label(); err != nil {
			return o, err
		}
		o.Name += "." + n
	}
	if !w.op("=") {
		return o, nil
	}
	err = w.optionValue(&o)
	if err == nil && (o.Kind == ast.ValueNone || o.Kind == ast.ValueList || o.Kind == ast.ValueStar) {
		err = w.err()
	}
	return o, err
}

// genericOptions takes (name [value], …) of COPY, EXPLAIN and VACUUM, without
// =.
func (w *walker) genericOptions() ([]ast.Option, error) {
	if err := w.expect("("); err != nil {
		return nil, err
	}
	var list []ast.Option
	for {
		o := ast.Option{At: at(w.cur())}
		var err error
		if o.Name, err = w.label(); err != nil {
			return nil, err
		}
		k := w.cur()
		if k.Kind != Word || k.Class != Reserved || k.is("true") || k.is("false") || k.is("on") {
			if err := w.optionValue(&o); err != nil {
				return nil, err
			}
		}
		list = append(list, o)
		if !w.punct(",") {
			return list, w.expect(")")
		}
	}
}

func (w *walker) optionValue(o *ast.Option) error {
	t := w.cur()
	switch {
	case t.Kind == String:
		o.Kind, o.Value = ast.ValueString, t.Text
		w.p++
	case t.Kind == Int || t.Kind == Number:
		o.Kind, o.Value = ast.ValueNumber, t.Text
		w.p++
	case (t.op("-") || t.op("+")) && (w.peek(1).Kind == Int || w.peek(1).Kind == Number):
		o.Kind, o.Value = ast.ValueNumber, w.peek(1).Text
		if t.Text == "-" {
			o.Value = "-" + o.Value
		}
		w.p += 2
	case t.op("*"):
		o.Kind = ast.ValueStar
		w.p++
	case isLabel(t):
		o.Kind, o.Value = ast.ValueWord, t.Text
		w.p++
		for w.cur().punct(".") && isLabel(w.peek(1)) {
			o.Value += "." + w.peek(1).Text
			w.p += 2
		}
		if w.cur().punct("(") {
			return refuse("option value with modifiers", w.cur())
		}
	case t.punct("("):
		w.p++
		o.Kind = ast.ValueList
		for {
			k := w.cur()
			if k.Kind != String && !isLabel(k) && k.Kind != Int {
				return w.err()
			}
			o.List = append(o.List, w.next().Text)
			if !w.punct(",") {
				return w.expect(")")
			}
		}
	}
	return nil
}

// options takes (option, …).
func (w *walker) options() ([]ast.Option, error) {
	if err := w.expect("("); err != nil {
		return nil, err
	}
	var list []ast.Option
	for {
		o, err := w.option()
		if err != nil {
			return nil, err
		}
		list = append(list, o)
		if !w.punct(",") {
			return list, w.expect(")")
		}
	}
}

// withOptions takes WITH (option, …) if it is there.
func (w *walker) withOptions() ([]ast.Option, error) {
	if !w.cur().is("with") || !w.peek(1).punct("(") {
		return nil, nil
	}
	w.p++
	return w.options()
}

// signedInt takes an integer with an optional sign.
func (w *walker) signedInt() (int, error) {
	neg := w.op("-")
	if !neg {
		w.op("+")
	}
	n, err := w.intLit()
	if neg {
		n = -n
	}
	return n, err
}

// invalid is 42601 with a text of its own at t.
func invalid(t *Token, format string, args ...any) error {
	return errs.New(errs.Syntax, format, args...).WithPos(int(t.Start) + 1)
}
