package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// Walker reads the tokens of one statement. It holds the place in the token
// stream for both the statement parsers and the carriers they ask for.
type Walker struct {
	src string
	// Toks are the tokens and P is the place in them.
	Toks []Token
	P    int
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

// Cur is the current token.
func (w *Walker) Cur() *Token { return &w.Toks[w.P] }

// Peek is the token n places ahead, the last one behind the end.
func (w *Walker) Peek(n int) *Token {
	if w.P+n >= len(w.Toks) {
		return &w.Toks[len(w.Toks)-1]
	}
	return &w.Toks[w.P+n]
}

// Next takes the current token; the last one stays: it is EOF or ;.
func (w *Walker) Next() *Token {
	t := &w.Toks[w.P]
	if w.P < len(w.Toks)-1 {
		w.P++
	}
	return t
}

// Err is a syntax error at the current token, or where a sequence of key words
// broke off.
func (w *Walker) Err() error { return syntaxAt(w.src, &w.Toks[max(w.P, w.far)]) }

// ErrAt is a syntax error at t.
func (w *Walker) ErrAt(t *Token) error { return syntaxAt(w.src, t) }

// Refuse is 0A000 for construct at token t.
func Refuse(construct string, t *Token) error {
	return errs.NotSupported(construct).WithPos(int(t.Start) + 1)
}

// Word takes the unquoted word if it is next.
func (w *Walker) Word(s string) bool {
	if w.Cur().Is(s) {
		w.P++
		return true
	}
	return false
}

// Words takes a sequence of words if all of it is next.
func (w *Walker) Words(list ...string) bool {
	for i, s := range list {
		if w.Peek(i).Is(s) {
			continue
		}
		// WITH TIME, WITH ORDINALITY and NULLS FIRST are one token each in
		// PostgreSQL's grammar.
		if i > 1 || i == 1 && list[0] != "nulls" && s != "time" && s != "ordinality" {
			w.far = max(w.far, min(w.P+i, len(w.Toks)-1))
		}
		return false
	}
	w.P += len(list)
	return true
}

// Punct takes the punctuation if it is next.
func (w *Walker) Punct(s string) bool {
	if w.Cur().Punct(s) {
		w.P++
		return true
	}
	return false
}

// Op takes the operator if it is next.
func (w *Walker) Op(s string) bool {
	if w.Cur().Op(s) {
		w.P++
		return true
	}
	return false
}

// ExpectWord takes the word or fails at the current token.
func (w *Walker) ExpectWord(s string) error {
	if !w.Word(s) {
		return w.Err()
	}
	return nil
}

// ExpectWords takes the words or fails at the first that is not there.
func (w *Walker) ExpectWords(list ...string) error {
	for _, s := range list {
		if !w.Word(s) {
			return w.Err()
		}
	}
	return nil
}

// Expect takes the punctuation or fails at the current token.
func (w *Walker) Expect(s string) error {
	if !w.Punct(s) {
		return w.Err()
	}
	return nil
}

// Enter guards recursion; leave ends it.
func (w *Walker) Enter() error {
	w.depth++
	if w.depth > nestingMax {
		return errs.New(errs.TooComplex, "stack depth limit exceeded").WithPos(int(w.Cur().Start) + 1)
	}
	return nil
}

// Leave ends what Enter began.
func (w *Walker) Leave() { w.depth-- }

// IsColID reports whether t may be a column or table name: an unreserved or a
// column-name word, or a delimited identifier.
func IsColID(t *Token) bool {
	return t.Kind == Quoted || t.Kind == Word && (t.Class == Unreserved || t.Class == ColName)
}

// isFuncName reports whether t may be the only part of a function's name.
func isFuncName(t *Token) bool {
	return t.Kind == Quoted || t.Kind == Word && (t.Class == Unreserved || t.Class == TypeFunc)
}

// IsLabel reports whether t may stand behind AS or a point.
func IsLabel(t *Token) bool { return t.Kind == Quoted || t.Kind == Word }

// isBareLabel reports whether t may be a column label without AS.
func isBareLabel(t *Token) bool { return t.Kind == Quoted || t.Kind == Word && !t.NoLabel }

// Name checks an identifier against the marks of carriers.
func (w *Walker) Name(t *Token) (string, error) {
	for i := 0; i < len(t.Text); i++ {
		if t.Text[i] < 0x20 {
			return "", errs.New(errs.InvalidName, "identifier contains a control character").WithPos(int(t.Start) + 1)
		}
	}
	return t.Text, nil
}

// ColID takes a column or table name.
func (w *Walker) ColID() (string, error) {
	if !IsColID(w.Cur()) {
		return "", w.Err()
	}
	return w.Name(w.Next())
}

// Label takes any word or delimited identifier.
func (w *Walker) Label() (string, error) {
	if !IsLabel(w.Cur()) {
		return "", w.Err()
	}
	return w.Name(w.Next())
}

// Qualified takes a name of up to three parts.
func (w *Walker) Qualified() ([]string, error) {
	first := w.Cur()
	n, err := w.ColID()
	if err != nil {
		return nil, err
	}
	parts := []string{n}
	for w.Cur().Punct(".") {
		w.P++
		if n, err = w.Label(); err != nil {
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

// NameList takes ( name, … ).
func (w *Walker) NameList() ([]string, error) {
	if err := w.Expect("("); err != nil {
		return nil, err
	}
	var list []string
	for {
		n, err := w.ColID()
		if err != nil {
			return nil, err
		}
		list = append(list, n)
		if !w.Punct(",") {
			return list, w.Expect(")")
		}
	}
}

// StringLit takes a string literal.
func (w *Walker) StringLit() (string, error) {
	if w.Cur().Kind != String {
		return "", w.Err()
	}
	return w.Next().Text, nil
}

// At is the position node of t.
func At(t *Token) ast.At { return ast.At{Pos: int(t.Start)} }

// carry runs f with a fresh carrier and decodes what f wrote.
func (w *Walker) carry(f func() error) (*ast.Query, error) {
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

// ParseQuery takes a query and decodes it.
func (w *Walker) ParseQuery() (*ast.Query, error) {
	return w.carry(w.queryTop)
}

// ParseExpr takes an expression and decodes it.
func (w *Walker) ParseExpr() (ast.Expr, error) { return w.ParseExprMode(false) }

// ParseExprMode takes an a_expr, or PostgreSQL's restricted b_expr.
func (w *Walker) ParseExprMode(restricted bool) (ast.Expr, error) {
	q, err := w.carry(func() error {
		w.b.raw(w.Cur().Start, "SELECT ")
		_, err := w.expr(precMin, restricted)
		return err
	})
	if err != nil {
		return nil, err
	}
	return q.Body.(*ast.Select).Targets[0].Expr, nil
}

// ParseExprList takes expr, … and decodes them with one call of the grammar.
func (w *Walker) ParseExprList() ([]ast.Expr, error) {
	q, err := w.carry(func() error {
		w.b.raw(w.Cur().Start, "SELECT ")
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
