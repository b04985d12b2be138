package dialect

import (
	"quern/sql/internal/ast"
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
		if t.Kind == EOF || t.Punct(";") {
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

// NewWalker stands at the first token of a statement.
func NewWalker(text string, p Part, decode Decoder) *Walker {
	return newWalker(text, p.toks, p.from, decode)
}

func newWalker(text string, toks []Token, from int, decode Decoder) *Walker {
	return &Walker{src: text, Toks: toks, P: from, decode: decode}
}

// ParseExpr parses toks as one expression.
func ParseExpr(text string, toks []Token, decode Decoder) (ast.Expr, error) {
	w := newWalker(text, toks, 0, decode)
	e, err := w.ParseExpr()
	if err == nil && w.Cur().Kind != EOF {
		err = w.Err()
	}
	return e, err
}

// ParseType parses toks as one type name.
func ParseType(text string, toks []Token) (*ast.TypeName, error) {
	w := newWalker(text, toks, 0, nil)
	t, err := w.TypeName()
	if err == nil && w.Cur().Kind != EOF {
		err = w.Err()
	}
	return t, err
}

// SelectStmt takes a query as a statement, SELECT INTO included.
func (w *Walker) SelectStmt() (ast.Stmt, error) {
	t := w.Cur()
	w.allowInto = true
	q, err := w.ParseQuery()
	w.allowInto = false
	if err != nil {
		return nil, err
	}
	if into := w.into; into != nil {
		w.into = nil
		into.Query = q
		return into, nil
	}
	return &ast.SelectStmt{At: At(t), Query: q}, nil
}

// WithStmt takes WITH before a query or DML: what it is before stands behind
// the last query of it.
func (w *Walker) WithStmt() (ast.Stmt, error) {
	switch verb := w.verbBehindWith(); {
	case verb.Is("insert"), verb.Is("update"), verb.Is("delete"):
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
			return w.Insert(q.With)
		case "update":
			return w.Update(q.With)
		}
		return w.Delete(q.With)
	case verb.Is("merge"):
		return nil, Refuse("MERGE", verb)
	}
	return w.SelectStmt()
}

// verbBehindWith is the token behind the list of WITH queries, as far as it
// has the shape of one.
func (w *Walker) verbBehindWith() *Token {
	last := len(w.Toks) - 1
	i := w.P + 1
	if w.Toks[min(i, last)].Is("recursive") {
		i++
	}
	for i < last {
		i++ // the name
		if i < last && w.Toks[i].Punct("(") {
			i = w.MatchOf(i) + 1
		}
		for i < last && (w.Toks[i].Is("as") || w.Toks[i].Is("not") || w.Toks[i].Is("materialized")) {
			i++
		}
		if i >= last || !w.Toks[i].Punct("(") {
			break
		}
		i = w.MatchOf(i) + 1
		if i >= last || !w.Toks[i].Punct(",") {
			break
		}
		i++
	}
	return &w.Toks[min(i, last)]
}
