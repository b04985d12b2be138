package dialect

import (
	"strconv"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// carrierDigitsMax is how long an integer may be in carrier text: the grammar
// reads it as int64.
const carrierDigitsMax = 18

// primary takes PostgreSQL's c_expr: what stands between operators and casts.
func (w *Walker) primary() (level, error) {
	t := w.Cur()
	start := len(w.b.pieces)
	switch t.Kind {
	case Int:
		w.P++
		if len(t.Text) > carrierDigitsMax {
			w.leaf(t.Start, &ast.Literal{At: At(t), Kind: ast.LitInt, Text: t.Text})
		} else {
			w.b.raw(t.Start, t.Text)
		}
	case Number:
		w.P++
		w.leaf(t.Start, &ast.Literal{At: At(t), Kind: ast.LitNumeric, Text: t.Text})
	case String:
		w.P++
		w.b.str(t.Start, t.Text)
	case Bits:
		w.P++
		if err := checkBits(t); err != nil {
			return 0, err
		}
		w.leaf(t.Start, &ast.Literal{At: At(t), Kind: ast.LitBit, Text: t.Text})
	case Param:
		w.P++
		if n, err := strconv.Atoi(t.Text); err != nil || n > paramMax {
			return 0, errs.New(errs.ProgramLimit, "there is no parameter $%s", t.Text).WithPos(int(t.Start) + 1)
		} else if n == 0 {
			return 0, errs.New(errs.UndefinedParameter, "there is no parameter $0").WithPos(int(t.Start) + 1)
		}
		w.b.ident(t.Start, MarkParam+t.Text)
		return levelPrimary, w.indirection(start)
	case Punct:
		if t.Text == "(" {
			return w.paren()
		}
		return 0, w.Err()
	case Quoted:
		return w.nameExpr()
	case Word:
		return w.wordExpr(t)
	default:
		return 0, w.Err()
	}
	return levelPrimary, nil
}

func checkBits(t *Token) error {
	for _, c := range []byte(t.Text[1:]) {
		if t.Text[0] == 'b' && c != '0' && c != '1' {
			return errs.New(errs.InvalidText, "\"%c\" is not a valid binary digit", c).WithPos(int(t.Start) + 1)
		}
		if t.Text[0] == 'x' && !isHex(c) {
			return errs.New(errs.InvalidText, "\"%c\" is not a valid hexadecimal digit", c).WithPos(int(t.Start) + 1)
		}
	}
	return nil
}

// wordExpr takes an expression that begins with an unquoted word.
func (w *Walker) wordExpr(t *Token) (level, error) {
	switch t.Class {
	case Reserved:
		return w.reservedExpr(t)
	case ColName:
		if lv, done, err := w.typedLiteral(t); done || err != nil {
			return lv, err
		}
		if w.Peek(1).Punct("(") {
			return w.specialCall(t)
		}
		return w.nameExpr()
	case TypeFunc:
		n := w.Peek(1)
		switch {
		case t.Text == "current_schema" && !n.Punct("("):
			w.P++
			w.leaf(t.Start, &ast.ValueFunc{At: At(t), Name: t.Text, Precision: -1})
			return levelPrimary, nil
		case t.Text == "collation" && n.Is("for"):
			return w.collationFor(t)
		case n.Punct("("), n.Kind == String:
			return w.nameExpr()
		}
		return 0, w.ErrAt(n) // the word could only have been a function's name
	}
	if t.Text == "double" && w.Peek(1).Is("precision") && w.Peek(2).Kind == String {
		return w.literalOf(t)
	}
	return w.nameExpr()
}

// reservedExpr takes an expression that begins with a reserved word.
func (w *Walker) reservedExpr(t *Token) (level, error) {
	w.P++
	switch t.Text {
	case "null":
		w.b.raw(t.Start, " NULL ")
	case "true":
		w.b.raw(t.Start, " TRUE ")
	case "false":
		w.b.raw(t.Start, " FALSE ")
	case "default":
		w.b.ident(t.Start, MarkDefault)
	case "case":
		return levelPrimary, w.caseExpr(t)
	case "cast":
		return levelPrimary, w.castCall(t)
	case "array":
		return levelPrimary, w.array(t)
	case "current_date", "current_role", "current_user", "session_user", "user", "current_catalog":
		w.leaf(t.Start, &ast.ValueFunc{At: At(t), Name: t.Text, Precision: -1})
	case "current_time", "current_timestamp", "localtime", "localtimestamp":
		n := &ast.ValueFunc{At: At(t), Name: t.Text, Precision: -1}
		if w.Punct("(") {
			p, err := w.IntLit()
			if err != nil {
				return 0, err
			}
			n.Precision = p
			if err := w.Expect(")"); err != nil {
				return 0, err
			}
		}
		w.leaf(t.Start, n)
	default:
		w.P--
		return 0, w.Err()
	}
	return levelPrimary, nil
}

func (w *Walker) collationFor(t *Token) (level, error) {
	w.P += 2
	w.open(t.Start, &CallMark{Call: &ast.Call{At: At(t), Name: []string{"pg_catalog", "pg_collation_for"},
		Syntax: ast.SyntaxCollationFor}, Args: 1})
	w.b.raw(t.Start, ",")
	if err := w.Expect("("); err != nil {
		return 0, err
	}
	if _, err := w.expr(precMin, false); err != nil {
		return 0, err
	}
	w.b.raw(t.Start, ")")
	return levelPrimary, w.Expect(")")
}

// caseExpr takes CASE … END behind CASE.
func (w *Walker) caseExpr(t *Token) error {
	w.b.raw(t.Start, "CASE ")
	if !w.Cur().Is("when") {
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
	}
	if !w.Cur().Is("when") {
		return w.Err()
	}
	for w.Cur().Is("when") {
		w.b.raw(w.Next().Start, " WHEN ")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		k := w.Cur()
		if err := w.ExpectWord("then"); err != nil {
			return err
		}
		w.b.raw(k.Start, " THEN ")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
	}
	if k := w.Cur(); w.Word("else") {
		w.b.raw(k.Start, " ELSE ")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
	}
	w.b.raw(w.Cur().Start, " END")
	return w.ExpectWord("end")
}

// castCall takes (x AS type) behind CAST.
func (w *Walker) castCall(t *Token) error {
	if err := w.Expect("("); err != nil {
		return err
	}
	n := &ast.Cast{At: At(t), Syntax: ast.CastCall}
	w.open(t.Start, n)
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precMin, false); err != nil {
		return err
	}
	w.b.raw(t.Start, ")")
	if err := w.ExpectWord("as"); err != nil {
		return err
	}
	var err error
	if n.Type, err = w.TypeName(); err != nil {
		return err
	}
	return w.Expect(")")
}

// array takes [..] or (query) behind ARRAY.
func (w *Walker) array(t *Token) error {
	if w.Cur().Punct("(") {
		w.open(t.Start, &ast.ArrayQuery{At: At(t)})
		w.b.raw(t.Start, ",")
		if err := w.subquery(); err != nil {
			return err
		}
		w.b.raw(t.Start, ")")
		return nil
	}
	if !w.Cur().Punct("[") {
		return w.Err()
	}
	return w.arrayList(t)
}

// arrayList takes [e, …] or [[…], …].
func (w *Walker) arrayList(t *Token) error {
	if err := w.Enter(); err != nil {
		return err
	}
	defer w.Leave()
	w.P++
	w.open(t.Start, &ast.Array{At: At(t)})
	nested := w.Cur().Punct("[")
	for !w.Punct("]") {
		w.b.raw(t.Start, ",")
		if nested {
			if !w.Cur().Punct("[") {
				return w.Err()
			}
			if err := w.arrayList(w.Cur()); err != nil {
				return err
			}
		} else if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if !w.Punct(",") {
			if err := w.Expect("]"); err != nil {
				return err
			}
			break
		}
		if w.Cur().Punct("]") {
			return w.Err()
		}
	}
	w.b.raw(t.Start, ")")
	return nil
}

// typedLiteral takes a type key word with its string: timestamp '…'. done is
// false if t is something else.
func (w *Walker) typedLiteral(t *Token) (level, bool, error) {
	if !isTypeWord(t) {
		return 0, false, nil
	}
	n := w.Peek(1)
	switch {
	case n.Kind == String:
	case n.Punct("("):
		// No function has such a name, so a string must come.
		switch t.Text {
		case "int", "integer", "smallint", "bigint", "real", "boolean":
			return 0, true, w.ErrAt(n)
		}
	case (t.Text == "timestamp" || t.Text == "time") && (n.Is("with") || n.Is("without")) && w.Peek(2).Is("time"):
	case n.Is("varying") && (t.Text == "character" || t.Text == "char" || t.Text == "bit" || t.Text == "nchar"):
	case t.Text == "national" && (n.Is("character") || n.Is("char")):
	default:
		return 0, false, nil
	}
	lv, err := w.literalOf(t)
	return lv, true, err
}

// MatchOf is the index of the bracket that closes the one at i, or of EOF.
func (w *Walker) MatchOf(i int) int {
	if m := w.Toks[i].Match; m >= 0 {
		return int(m)
	}
	return len(w.Toks) - 1
}

// literalOf takes type 'string' [interval fields].
func (w *Walker) literalOf(t *Token) (level, error) {
	tn, err := w.constType(t)
	if err != nil {
		return 0, err
	}
	s := w.Cur()
	if s.Kind != String {
		return 0, w.Err()
	}
	w.P++
	if len(tn.Parts) == 1 && tn.Parts[0] == "interval" && tn.Mods == nil && t.Is("interval") {
		if tn.Fields, tn.Mods, err = w.IntervalFields(); err != nil {
			return 0, err
		}
	}
	w.literalCast(t, tn, s)
	return levelPrimary, nil
}

// constType takes the type of a typed literal: for INTERVAL only a precision.
func (w *Walker) constType(t *Token) (*ast.TypeName, error) {
	if t.Is("interval") {
		w.P++
		mods, err := w.precision()
		return &ast.TypeName{At: At(t), Parts: []string{"interval"}, Mods: mods}, err
	}
	tn, err := w.simpleType()
	if err != nil {
		return nil, err
	}
	tn.At = At(t)
	// char 'x' as a literal has no length, unlike char as a type.
	if t.Kind == Word && len(tn.Mods) == 1 && (tn.Parts[0] == "bpchar" || tn.Parts[0] == "bit") && !w.Peek(-1).Punct(")") {
		tn.Mods = nil
	}
	return tn, nil
}

func (w *Walker) literalCast(t *Token, tn *ast.TypeName, s *Token) {
	w.open(t.Start, &ast.Cast{At: At(t), Type: tn, Syntax: ast.CastLiteral})
	w.b.raw(t.Start, ",")
	w.b.str(s.Start, s.Text)
	w.b.raw(s.Start, ")")
}

// nameExpr takes a column reference, a function call or a literal of a named
// type.
func (w *Walker) nameExpr() (level, error) {
	t := w.Cur()
	if t.Kind == Word && t.Class == Reserved {
		return 0, w.Err()
	}
	start := len(w.b.pieces)
	first, err := w.Name(w.Next())
	if err != nil {
		return 0, err
	}
	switch n := w.Cur(); {
	case n.Punct("("):
		if t.Class == ColName {
			return 0, w.ErrAt(n)
		}
		return w.call(t, []string{first})
	case n.Kind == String:
		if t.Class == ColName {
			return 0, w.ErrAt(n)
		}
		w.P--
		return w.literalOf(t)
	case n.Punct("["):
		w.b.ident(t.Start, first)
		return levelPrimary, w.indirection(start)
	case !n.Punct("."):
		if t.Kind == Word && t.Class == TypeFunc {
			return 0, w.ErrAt(t)
		}
		w.b.ident(t.Start, first)
		return levelPrimary, nil
	}
	return w.dotted(t, first, start)
}

// dotted takes the rest of a name of several parts.
func (w *Walker) dotted(t *Token, first string, start int) (level, error) {
	parts := append(make([]string, 0, 4), first)
	for w.Cur().Punct(".") {
		w.P++
		if w.Op("*") {
			w.leaf(t.Start, &ast.Star{At: At(t), Parts: parts})
			return levelPrimary, nil
		}
		n, err := w.Label()
		if err != nil {
			return 0, err
		}
		parts = append(parts, n)
	}
	switch {
	case w.Cur().Punct("("):
		return w.call(t, parts)
	case w.Cur().Kind == String:
		s := w.Next()
		w.literalCast(t, &ast.TypeName{At: At(t), Parts: parts}, s)
		return levelPrimary, nil
	}
	if t.Kind == Word && t.Class == TypeFunc {
		return 0, w.ErrAt(t)
	}
	w.column(t, parts)
	return levelPrimary, w.indirection(start)
}

// column writes a column reference.
func (w *Walker) column(t *Token, parts []string) {
	if len(parts) > 3 {
		w.leaf(t.Start, &ast.Column{At: At(t), Parts: parts})
		return
	}
	for i, p := range parts {
		if i > 0 {
			w.b.raw(t.Start, ".")
		}
		w.b.ident(t.Start, p)
	}
}

// paren takes a parenthesised expression, a row or a subquery, and what may
// follow such: .field, .*, [subscript], OVERLAPS.
func (w *Walker) paren() (level, error) {
	t := w.Cur()
	start := len(w.b.pieces)
	if w.IsQuery(w.P) {
		if err := w.subquery(); err != nil {
			return 0, err
		}
		return levelPrimary, w.indirection(start)
	}
	w.P++
	lv, err := w.expr(precMin, false)
	if err != nil {
		return 0, err
	}
	if !w.Cur().Punct(",") {
		if err := w.Expect(")"); err != nil {
			return 0, err
		}
		if n := w.Cur(); n.Punct(".") || n.Punct("[") {
			return levelPrimary, w.indirection(start)
		}
		return lv, nil
	}
	w.node(start, t.Start, &ast.Row{At: At(t)})
	count := 1
	for w.Punct(",") {
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precMin, false); err != nil {
			return 0, err
		}
		count++
	}
	w.b.raw(t.Start, ")")
	if err := w.Expect(")"); err != nil {
		return 0, err
	}
	if w.Cur().Is("overlaps") {
		return levelPrimary, w.overlaps(start, count)
	}
	return levelPrimary, w.indirection(start)
}

// overlaps takes OVERLAPS row behind a row of count items.
func (w *Walker) overlaps(start, count int) error {
	t := w.Next()
	if count != 2 {
		return errs.New(errs.Syntax, "wrong number of parameters on left side of OVERLAPS expression").WithPos(int(t.Start) + 1)
	}
	w.node(start, t.Start, &ast.Overlaps{At: At(t)})
	w.b.raw(t.Start, ",")
	r := w.Cur()
	explicit := w.Word("row")
	if !w.Cur().Punct("(") {
		return w.Err()
	}
	w.P++
	w.open(r.Start, &ast.Row{At: At(r), Explicit: explicit})
	w.b.raw(r.Start, ",")
	n := 1
	for {
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if !w.Punct(",") {
			break
		}
		n++
		w.b.raw(r.Start, ",")
	}
	if err := w.Expect(")"); err != nil {
		return err
	}
	if n != 2 {
		return errs.New(errs.Syntax, "wrong number of parameters on right side of OVERLAPS expression").WithPos(int(t.Start) + 1)
	}
	w.b.raw(r.Start, "))")
	return nil
}

// indirection takes .field, .* and [subscripts] behind what was written since
// start. All subscripts of one chain are one node.
func (w *Walker) indirection(start int) error {
	for n := 0; ; n++ {
		t := w.Cur()
		if n > nestingMax {
			return errs.New(errs.TooComplex, "stack depth limit exceeded").WithPos(int(t.Start) + 1)
		}
		switch {
		case t.Punct("."):
			w.P++
			if w.Op("*") {
				w.node(start, t.Start, &ast.RowStar{At: At(t)})
				w.b.raw(t.Start, ")")
				return nil
			}
			n, err := w.Label()
			if err != nil {
				return err
			}
			w.node(start, t.Start, &ast.Field{At: At(t), Name: n})
			w.b.raw(t.Start, ")")
		case t.Punct("["):
			n := &ast.Subscripts{At: At(t)}
			w.node(start, t.Start, n)
			for w.Cur().Punct("[") {
				s, err := w.subscript()
				if err != nil {
					return err
				}
				n.Items = append(n.Items, s)
			}
			w.b.raw(t.Start, ")")
		default:
			return nil
		}
	}
}

// placeholder stands for an operand of a Subscript that is there; the decoder
// replaces it.
var placeholder ast.Expr = &ast.Default{At: ast.At{Pos: -1}}

// subscript takes [i] or [lo:hi] and writes ",operand" for each part present.
func (w *Walker) subscript() (ast.Subscript, error) {
	var s ast.Subscript
	t := w.Next()
	part := func() (ast.Expr, error) {
		w.b.raw(t.Start, ",")
		_, err := w.expr(precMin, false)
		return placeholder, err
	}
	var err error
	if !w.Cur().Punct(":") {
		if w.Cur().Punct("]") {
			return s, w.Err()
		}
		if s.Index, err = part(); err != nil {
			return s, err
		}
	}
	if w.Punct(":") {
		s.Slice, s.Low, s.Index = true, s.Index, nil
		if !w.Cur().Punct("]") {
			if s.High, err = part(); err != nil {
				return s, err
			}
		}
	}
	return s, w.Expect("]")
}
