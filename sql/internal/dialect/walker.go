package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// walker reads the tokens of one statement. It holds the place in the token
// stream for both the statement parsers and the carriers they ask for.
type walker struct {
	src  string
	toks []Token
	p    int
	// far is the furthest token that a key word sequence was matched up to: a
	// syntax error stands there if nothing else could go on.
	far    int
	decode Decoder
	depth  int
	// labelTok is the index of a word that is a label though it could be an
	// operator, 0 if there is none.
	labelTok int
	b        *builder // of the carrier being written
	// into is set by SELECT INTO, which only a top-level SELECT may have.
	into      *ast.CreateTableAs
	allowInto bool
}

// Decoder turns a carrier into a tree.
type Decoder func(*Carrier) (*ast.Query, error)

func (w *walker) cur() *Token { return &w.toks[w.p] }

// peek is the token n places ahead, the last one behind the end.
func (w *walker) peek(n int) *Token {
	if w.p+n >= len(w.toks) {
		return &w.toks[len(w.toks)-1]
	}
	return &w.toks[w.p+n]
}

// next takes the current token; the last one stays: it is EOF or ;.
func (w *walker) next() *Token {
	t := &w.toks[w.p]
	if w.p < len(w.toks)-1 {
		w.p++
	}
	return t
}

// err is a syntax error at the current token, or where a sequence of key words
// broke off.
func (w *walker) err() error { return syntaxAt(w.src, &w.toks[max(w.p, w.far)]) }

func (w *walker) errAt(t *Token) error { return syntaxAt(w.src, t) }

// refuse is 0A000 for construct at token t.
func refuse(construct string, t *Token) error {
	return errs.NotSupported(construct).WithPos(int(t.Start) + 1)
}

// word takes the unquoted word if it is next.
func (w *walker) word(s string) bool {
	if w.cur().is(s) {
		w.p++
		return true
	}
	return false
}

// words takes a sequence of words if all of it is next.
func (w *walker) words(list ...string) bool {
	for i, s := range list {
		if w.peek(i).is(s) {
			continue
		}
		// WITH TIME, WITH ORDINALITY and NULLS FIRST are one token each in
		// PostgreSQL's grammar.
		if i > 1 || i == 1 && list[0] != "nulls" && s != "time" && s != "ordinality" {
			w.far = max(w.far, min(w.p+i, len(w.toks)-1))
		}
		return false
	}
	w.p += len(list)
	return true
}

// punct takes the punctuation if it is next.
func (w *walker) punct(s string) bool {
	if w.cur().punct(s) {
		w.p++
		return true
	}
	return false
}

func (w *walker) op(s string) bool {
	if w.cur().op(s) {
		w.p++
		return true
	}
	return false
}

func (w *walker) expectWord(s string) error {
	if !w.word(s) {
		return w.err()
	}
	return nil
}

func (w *walker) expectWords(list ...string) error {
	for _, s := range list {
		if !w.word(s) {
			return w.err()
		}
	}
	return nil
}

func (w *walker) expect(s string) error {
	if !w.punct(s) {
		return w.err()
	}
	return nil
}

// enter guards recursion; leave ends it.
func (w *walker) enter() error {
	w.depth++
	if w.depth > nestingMax {
		return errs.New(errs.TooComplex, "stack depth limit exceeded").WithPos(int(w.cur().Start) + 1)
	}
	return nil
}

func (w *walker) leave() { w.depth-- }

// isColID reports whether t may be a column or table name: an unreserved or a
// column-name word, or a delimited identifier.
func isColID(t *Token) bool {
	return t.Kind == Quoted || t.Kind == Word && (t.Class == Unreserved || t.Class == ColName)
}

// isFuncName reports whether t may be the only part of a function's name.
func isFuncName(t *Token) bool {
	return t.Kind == Quoted || t.Kind == Word && (t.Class == Unreserved || t.Class == TypeFunc)
}

// isLabel reports whether t may stand behind AS or a point.
func isLabel(t *Token) bool { return t.Kind == Quoted || t.Kind == Word }

// isBareLabel reports whether t may be a column label without AS.
func isBareLabel(t *Token) bool { return t.Kind == Quoted || t.Kind == Word && !t.NoLabel }

// name checks an identifier against the marks of carriers.
func (w *walker) name(t *Token) (string, error) {
	for i := 0; i < len(t.Text); i++ {
		if t.Text[i] < 0x20 {
			return "", errs.New(errs.InvalidName, "identifier contains a control character").WithPos(int(t.Start) + 1)
		}
	}
	return t.Text, nil
}

// colID takes a column or table name.
func (w *walker) colID() (string, error) {
	if !isColID(w.cur()) {
		return "", w.err()
	}
	return w.name(w.next())
}

// label takes any word or delimited identifier.
func (w *walker) label() (string, error) {
	if !isLabel(w.cur()) {
		return "", w.err()
	}
	return w.name(w.next())
}

// qualified takes a name of up to three parts.
func (w *walker) qualified() ([]string, error) {
	first := w.cur()
	n, err := w.colID()
	if err != nil {
		return nil, err
	}
	parts := []string{n}
	for w.cur().punct(".") {
		w.p++
		if n, err = w.label(); err != nil {
			return nil, err
		}
		parts = append(parts, n)
	}
	if len(parts) > 3 {
		return nil, errs.New(errs.Syntax, "improper qualified name (too many dotted names): %s", joinDots(parts)).
			WithPos(int(first.Start) + 1)
	}
	return parts, nil
}

func joinDots(parts []string) string {
	s := ""
	for i, p := range parts {
		if i > 0 {
			s += "."
		}
		s += p
	}
	return s
}

// nameList takes ( name, … ).
func (w *walker) nameList() ([]string, error) {
	if err := w.expect("("); err != nil {
		return nil, err
	}
	var list []string
	for {
		n, err := w.colID()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if !w.punct(",") {
			return list, w.expect(")")
		}
	}
}

// stringLit takes a string literal.
func (w *walker) stringLit() (string, error) {
	if w.cur().Kind != String {
		return "", w.err()
	}
	return w.next().Text, nil
}

// at is the position node of t.
func at(t *Token) ast.At { return ast.At{Pos: int(t.Start)} }

// carry runs f with a fresh carrier and decodes what f wrote.
func (w *walker) carry(f func() error) (*ast.Query, error) {
	outer := w.b
	b := builders.Get().(*builder)
	w.b = b
	err := f()
	w.b = outer
	if err != nil {
		return nil, err
	}
	q, err := w.decode(b.finish())
	b.release()
	return q, err
}

// parseQuery takes a query and decodes it.
func (w *walker) parseQuery() (*ast.Query, error) {
	return w.carry(w.queryTop)
}

// parseExpr takes an expression and decodes it.
func (w *walker) parseExpr() (ast.Expr, error) { return w.parseExprMode(false) }

// parseExprMode takes an a_expr, or PostgreSQL's restricted b_expr.
func (w *walker) parseExprMode(restricted bool) (ast.Expr, error) {
	q, err := w.carry(func() error {
		w.b.raw(w.cur().Start, "SELECT ")
		_, err := w.expr(precMin, restricted)
		return err
	})
	if err != nil {
		return nil, err
	}
	return q.Body.(*ast.Select).Targets[0].Expr, nil
}

// parseExprList takes expr, … and decodes them with one call of the grammar.
func (w *walker) parseExprList() ([]ast.Expr, error) {
	q, err := w.carry(func() error {
		w.b.raw(w.cur().Start, "SELECT ")
		return w.exprList()
	})
	if err != nil {
		return nil, err
	}
	return targetExprs(q.Body.(*ast.Select).Targets), nil
}

func targetExprs(ts []*ast.Target) []ast.Expr {
	list := make([]ast.Expr, len(ts))
	for i, t := range ts {
		list[i] = t.Expr
	}
	return list
}
