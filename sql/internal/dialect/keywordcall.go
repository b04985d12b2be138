package dialect

import "quern/sql/internal/ast"

// keywordCall takes EXTRACT, POSITION, SUBSTRING, OVERLAY, TRIM and NORMALIZE.
// Each becomes the call that PostgreSQL makes of it. The operands are written
// in source order; Perm says which argument each is.
func (w *walker) keywordCall(t *Token) error {
	w.p++ // the bracket
	c := &ast.Call{At: at(t)}
	m := &KeywordMark{Call: c}
	w.open(t.Start, m)
	var err error
	switch t.Text {
	case "extract":
		err = w.extract(m)
	case "position":
		c.Name, c.Syntax = []string{"pg_catalog", "position"}, ast.SyntaxPosition
		if err = w.arg(m, 1, true); err == nil {
			if err = w.expectWord("in"); err == nil {
				err = w.arg(m, 0, true)
			}
		}
	case "trim":
		err = w.trim(m)
	case "normalize":
		err = w.normalize(m)
	case "substring":
		c.Name, c.Syntax = []string{"substring"}, ast.SyntaxCall
		err = w.substring(m)
	case "overlay":
		c.Name, c.Syntax = []string{"overlay"}, ast.SyntaxCall
		err = w.overlay(m)
	}
	if err != nil {
		return err
	}
	w.b.raw(t.Start, ")")
	return w.expect(")")
}

// KeywordMark is the side entry of a keyword call: operand i is argument
// Perm[i] of Call; Fixed are arguments that are constants of ours.
type KeywordMark struct {
	Call  *ast.Call
	Perm  []int
	Fixed map[int]ast.Expr
}

// arg takes one operand that is argument n.
func (w *walker) arg(m *KeywordMark, n int, restricted bool) error {
	w.b.raw(w.cur().Start, ",")
	_, err := w.expr(precMin, restricted)
	m.Perm = append(m.Perm, n)
	return err
}

func (m *KeywordMark) fix(n int, e ast.Expr) {
	if m.Fixed == nil {
		m.Fixed = map[int]ast.Expr{}
	}
	m.Fixed[n] = e
}

func (w *walker) extract(m *KeywordMark) error {
	m.Call.Name, m.Call.Syntax = []string{"pg_catalog", "extract"}, ast.SyntaxExtract
	t := w.cur()
	if t.Kind != String && t.Kind != Word && t.Kind != Quoted {
		return w.err()
	}
	if t.Kind == Word && t.Class != Unreserved {
		return w.err()
	}
	w.p++
	m.fix(0, &ast.Literal{At: at(t), Kind: ast.LitString, Text: t.Text})
	if err := w.expectWord("from"); err != nil {
		return err
	}
	return w.arg(m, 1, false)
}

// more takes further positional arguments behind a comma.
func (w *walker) more(m *KeywordMark, n int) error {
	for w.punct(",") {
		if err := w.arg(m, n, false); err != nil {
			return err
		}
		n++
	}
	return nil
}

func (w *walker) trim(m *KeywordMark) error {
	name := "btrim"
	switch {
	case w.word("both"):
	case w.word("leading"):
		name = "ltrim"
	case w.word("trailing"):
		name = "rtrim"
	}
	m.Call.Name, m.Call.Syntax = []string{"pg_catalog", name}, ast.SyntaxTrim
	if w.word("from") {
		if err := w.arg(m, 0, false); err != nil {
			return err
		}
		return w.more(m, 1)
	}
	// The first operand is the string, or the characters if FROM follows.
	if err := w.arg(m, 0, false); err != nil {
		return err
	}
	if w.word("from") {
		m.Perm[0] = 1
		if err := w.arg(m, 0, false); err != nil {
			return err
		}
		return w.more(m, 2)
	}
	return w.more(m, 1)
}

func (w *walker) normalize(m *KeywordMark) error {
	m.Call.Name, m.Call.Syntax = []string{"pg_catalog", "normalize"}, ast.SyntaxNormalize
	if err := w.arg(m, 0, false); err != nil {
		return err
	}
	if !w.punct(",") {
		return nil
	}
	t := w.cur()
	switch t.Text {
	case "nfc", "nfd", "nfkc", "nfkd":
		if t.Kind == Word {
			w.p++
			m.fix(1, &ast.Literal{At: at(t), Kind: ast.LitString, Text: t.Text})
			return nil
		}
	}
	return w.err()
}

func (w *walker) substring(m *KeywordMark) error {
	if w.cur().punct(")") {
		return nil
	}
	if err := w.arg(m, 0, false); err != nil {
		return err
	}
	special := func() { m.Call.Name, m.Call.Syntax = []string{"pg_catalog", "substring"}, ast.SyntaxSubstring }
	switch {
	case w.word("from"):
		special()
		if err := w.arg(m, 1, false); err != nil {
			return err
		}
		if w.word("for") {
			return w.arg(m, 2, false)
		}
		return nil
	case w.word("for"):
		special()
		if err := w.arg(m, 2, false); err != nil {
			return err
		}
		if w.word("from") {
			return w.arg(m, 1, false)
		}
		m.fix(1, &ast.Literal{At: ast.At{Pos: -1}, Kind: ast.LitInt, Text: "1"})
		return nil
	case w.word("similar"):
		special()
		if err := w.arg(m, 1, false); err != nil {
			return err
		}
		if err := w.expectWord("escape"); err != nil {
			return err
		}
		return w.arg(m, 2, false)
	}
	return w.more(m, 1)
}

func (w *walker) overlay(m *KeywordMark) error {
	if w.cur().punct(")") {
		return nil
	}
	if err := w.arg(m, 0, false); err != nil {
		return err
	}
	if !w.word("placing") {
		return w.more(m, 1)
	}
	m.Call.Name, m.Call.Syntax = []string{"pg_catalog", "overlay"}, ast.SyntaxOverlay
	if err := w.arg(m, 1, false); err != nil {
		return err
	}
	if err := w.expectWord("from"); err != nil {
		return err
	}
	if err := w.arg(m, 2, false); err != nil {
		return err
	}
	if w.word("for") {
		return w.arg(m, 3, false)
	}
	return nil
}
