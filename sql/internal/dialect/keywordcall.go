package dialect

import "quern/sql/internal/ast"

// keywordCall takes EXTRACT, POSITION, SUBSTRING, OVERLAY, TRIM and NORMALIZE.
// Each becomes the call that PostgreSQL makes of it. The operands are written
// in source order; Perm says which argument each is.
func (w *Walker) keywordCall(t *Token) error {
	w.P++ // the bracket
	c := &ast.Call{At: At(t)}
	m := &KeywordMark{Call: c}
	w.open(t.Start, m)
	var err error
	switch t.Text {
	case "extract":
		err = w.extract(m)
	case "position":
		c.Name, c.Syntax = []string{"pg_catalog", "position"}, ast.SyntaxPosition
		if err = w.arg(m, 1, true); err == nil {
			if err = w.ExpectWord("in"); err == nil {
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
	return w.Expect(")")
}

// KeywordMark is the side entry of a keyword call: operand i is argument
// Perm[i] of Call; Fixed are arguments that are constants of ours.
type KeywordMark struct {
	Call  *ast.Call
	Perm  []int
	Fixed map[int]ast.Expr
}

// arg takes one operand that is argument n.
func (w *Walker) arg(m *KeywordMark, n int, restricted bool) error {
	w.b.raw(w.Cur().Start, ",")
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

func (w *Walker) extract(m *KeywordMark) error {
	m.Call.Name, m.Call.Syntax = []string{"pg_catalog", "extract"}, ast.SyntaxExtract
	t := w.Cur()
	if t.Kind != String && t.Kind != Word && t.Kind != Quoted {
		return w.Err()
	}
	if t.Kind == Word && t.Class != Unreserved {
		return w.Err()
	}
	w.P++
	m.fix(0, &ast.Literal{At: At(t), Kind: ast.LitString, Text: t.Text})
	if err := w.ExpectWord("from"); err != nil {
		return err
	}
	return w.arg(m, 1, false)
}

// more takes further positional arguments behind a comma.
func (w *Walker) more(m *KeywordMark, n int) error {
	for w.Punct(",") {
		if err := w.arg(m, n, false); err != nil {
			return err
		}
		n++
	}
	return nil
}

func (w *Walker) trim(m *KeywordMark) error {
	name := "btrim"
	switch {
	case w.Word("both"):
	case w.Word("leading"):
		name = "ltrim"
	case w.Word("trailing"):
		name = "rtrim"
	}
	m.Call.Name, m.Call.Syntax = []string{"pg_catalog", name}, ast.SyntaxTrim
	if w.Word("from") {
		if err := w.arg(m, 0, false); err != nil {
			return err
		}
		return w.more(m, 1)
	}
	// The first operand is the string, or the characters if FROM follows.
	if err := w.arg(m, 0, false); err != nil {
		return err
	}
	if w.Word("from") {
		m.Perm[0] = 1
		if err := w.arg(m, 0, false); err != nil {
			return err
		}
		return w.more(m, 2)
	}
	return w.more(m, 1)
}

func (w *Walker) normalize(m *KeywordMark) error {
	m.Call.Name, m.Call.Syntax = []string{"pg_catalog", "normalize"}, ast.SyntaxNormalize
	if err := w.arg(m, 0, false); err != nil {
		return err
	}
	if !w.Punct(",") {
		return nil
	}
	t := w.Cur()
	switch t.Text {
	case "nfc", "nfd", "nfkc", "nfkd":
		if t.Kind == Word {
			w.P++
			m.fix(1, &ast.Literal{At: At(t), Kind: ast.LitString, Text: t.Text})
			return nil
		}
	}
	return w.Err()
}

func (w *Walker) substring(m *KeywordMark) error {
	if w.Cur().Punct(")") {
		return nil
	}
	if err := w.arg(m, 0, false); err != nil {
		return err
	}
	special := func() { m.Call.Name, m.Call.Syntax = []string{"pg_catalog", "substring"}, ast.SyntaxSubstring }
	switch {
	case w.Word("from"):
		special()
		if err := w.arg(m, 1, false); err != nil {
			return err
		}
		if w.Word("for") {
			return w.arg(m, 2, false)
		}
		return nil
	case w.Word("for"):
		special()
		if err := w.arg(m, 2, false); err != nil {
			return err
		}
		if w.Word("from") {
			return w.arg(m, 1, false)
		}
		m.fix(1, &ast.Literal{At: ast.At{Pos: -1}, Kind: ast.LitInt, Text: "1"})
		return nil
	case w.Word("similar"):
		special()
		if err := w.arg(m, 1, false); err != nil {
			return err
		}
		if err := w.ExpectWord("escape"); err != nil {
			return err
		}
		return w.arg(m, 2, false)
	}
	return w.more(m, 1)
}

func (w *Walker) overlay(m *KeywordMark) error {
	if w.Cur().Punct(")") {
		return nil
	}
	if err := w.arg(m, 0, false); err != nil {
		return err
	}
	if !w.Word("placing") {
		return w.more(m, 1)
	}
	m.Call.Name, m.Call.Syntax = []string{"pg_catalog", "overlay"}, ast.SyntaxOverlay
	if err := w.arg(m, 1, false); err != nil {
		return err
	}
	if err := w.ExpectWord("from"); err != nil {
		return err
	}
	if err := w.arg(m, 2, false); err != nil {
		return err
	}
	if w.Word("for") {
		return w.arg(m, 3, false)
	}
	return nil
}
