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
func (w *walker) primary() (level, error) {
	t := w.cur()
	start := len(w.b.pieces)
	switch t.Kind {
	case Int:
		w.p++
		if len(t.Text) > carrierDigitsMax {
			w.leaf(t.Start, &ast.Literal{At: at(t), Kind: ast.LitInt, Text: t.Text})
		} else {
			w.b.raw(t.Start, t.Text)
		}
	case Number:
		w.p++
		w.leaf(t.Start, &ast.Literal{At: at(t), Kind: ast.LitNumeric, Text: t.Text})
	case String:
		w.p++
		w.b.str(t.Start, t.Text)
	case Bits:
		w.p++
		if err := checkBits(t); err != nil {
			return 0, err
		}
		w.leaf(t.Start, &ast.Literal{At: at(t), Kind: ast.LitBit, Text: t.Text})
	case Param:
		w.p++
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
		return 0, w.err()
	case Quoted:
		return w.nameExpr()
	case Word:
		return w.wordExpr(t)
	default:
		return 0, w.err()
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
func (w *walker) wordExpr(t *Token) (level, error) {
	switch t.Class {
	case Reserved:
		return w.reservedExpr(t)
	case ColName:
		if lv, done, err := w.typedLiteral(t); done || err != nil {
			return lv, err
		}
		if w.peek(1).punct("(") {
			return w.specialCall(t)
		}
		return w.nameExpr()
	case TypeFunc:
		n := w.peek(1)
		switch {
		case t.Text == "current_schema" && !n.punct("("):
			w.p++
			w.leaf(t.Start, &ast.ValueFunc{At: at(t), Name: t.Text, Precision: -1})
			return levelPrimary, nil
		case t.Text == "collation" && n.is("for"):
			return w.collationFor(t)
		case n.punct("("), n.Kind == String:
			return w.nameExpr()
		}
		return 0, w.errAt(n) // the word could only have been a function's name
	}
	if t.Text == "double" && w.peek(1).is("precision") && w.peek(2).Kind == String {
		return w.literalOf(t)
	}
	return w.nameExpr()
}

// reservedExpr takes an expression that begins with a reserved word.
func (w *walker) reservedExpr(t *Token) (level, error) {
	w.p++
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
		w.leaf(t.Start, &ast.ValueFunc{At: at(t), Name: t.Text, Precision: -1})
	case "current_time", "current_timestamp", "localtime", "localtimestamp":
		n := &ast.ValueFunc{At: at(t), Name: t.Text, Precision: -1}
		if w.punct("(") {
			p, err := w.intLit()
			if err != nil {
				return 0, err
			}
			n.Precision = p
			if err := w.expect(")"); err != nil {
				return 0, err
			}
		}
		w.leaf(t.Start, n)
	default:
		w.p--
		return 0, w.err()
	}
	return levelPrimary, nil
}

func (w *walker) collationFor(t *Token) (level, error) {
	w.p += 2
	w.open(t.Start, &CallMark{Call: &ast.Call{At: at(t), Name: []string{"pg_catalog", "pg_collation_for"},
		Syntax: ast.SyntaxCollationFor}, Args: 1})
	w.b.raw(t.Start, ",")
	if err := w.expect("("); err != nil {
		return 0, err
	}
	if _, err := w.expr(precMin, false); err != nil {
		return 0, err
	}
	w.b.raw(t.Start, ")")
	return levelPrimary, w.expect(")")
}

// caseExpr takes CASE … END behind CASE.
func (w *walker) caseExpr(t *Token) error {
	w.b.raw(t.Start, "CASE ")
	if !w.cur().is("when") {
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
	}
	if !w.cur().is("when") {
		return w.err()
	}
	for w.cur().is("when") {
		w.b.raw(w.next().Start, " WHEN ")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		k := w.cur()
		if err := w.expectWord("then"); err != nil {
			return err
		}
		w.b.raw(k.Start, " THEN ")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
	}
	if k := w.cur(); w.word("else") {
		w.b.raw(k.Start, " ELSE ")
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
	}
	w.b.raw(w.cur().Start, " END")
	return w.expectWord("end")
}

// castCall takes (x AS type) behind CAST.
func (w *walker) castCall(t *Token) error {
	if err := w.expect("("); err != nil {
		return err
	}
	n := &ast.Cast{At: at(t), Syntax: ast.CastCall}
	w.open(t.Start, n)
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precMin, false); err != nil {
		return err
	}
	w.b.raw(t.Start, ")")
	if err := w.expectWord("as"); err != nil {
		return err
	}
	var err error
	if n.Type, err = w.typeName(); err != nil {
		return err
	}
	return w.expect(")")
}

// array takes [..] or (query) behind ARRAY.
func (w *walker) array(t *Token) error {
	if w.cur().punct("(") {
		w.open(t.Start, &ast.ArrayQuery{At: at(t)})
		w.b.raw(t.Start, ",")
		if err := w.subquery(); err != nil {
			return err
		}
		w.b.raw(t.Start, ")")
		return nil
	}
	if !w.cur().punct("[") {
		return w.err()
	}
	return w.arrayList(t)
}

// arrayList takes [e, …] or [[…], …].
func (w *walker) arrayList(t *Token) error {
	if err := w.enter(); err != nil {
		return err
	}
	defer w.leave()
	w.p++
	w.open(t.Start, &ast.Array{At: at(t)})
	nested := w.cur().punct("[")
	for !w.punct("]") {
		w.b.raw(t.Start, ",")
		if nested {
			if !w.cur().punct("[") {
				return w.err()
			}
			if err := w.arrayList(w.cur()); err != nil {
				return err
			}
		} else if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if !w.punct(",") {
			if err := w.expect("]"); err != nil {
				return err
			}
			break
		}
		if w.cur().punct("]") {
			return w.err()
		}
	}
	w.b.raw(t.Start, ")")
	return nil
}

// typedLiteral takes a type key word with its string: timestamp '…'. done is
// false if t is something else.
func (w *walker) typedLiteral(t *Token) (level, bool, error) {
	if !isTypeWord(t) {
		return 0, false, nil
	}
	n := w.peek(1)
	switch {
	case n.Kind == String:
	case n.punct("("):
		// No function has such a name, so a string must come.
		switch t.Text {
		case "int", "integer", "smallint", "bigint", "real", "boolean":
			return 0, true, w.errAt(n)
		}
	case (t.Text == "timestamp" || t.Text == "time") && (n.is("with") || n.is("without")) && w.peek(2).is("time"):
	case n.is("varying") && (t.Text == "character" || t.Text == "char" || t.Text == "bit" || t.Text == "nchar"):
	case t.Text == "national" && (n.is("character") || n.is("char")):
	default:
		return 0, false, nil
	}
	lv, err := w.literalOf(t)
	return lv, true, err
}

// matchOf is the index of the bracket that closes the one at i, or of EOF.
func (w *walker) matchOf(i int) int {
	if m := w.toks[i].Match; m >= 0 {
		return int(m)
	}
	return len(w.toks) - 1
}

// literalOf takes type 'string' [interval fields].
func (w *walker) literalOf(t *Token) (level, error) {
	tn, err := w.constType(t)
	if err != nil {
		return 0, err
	}
	s := w.cur()
	if s.Kind != String {
		return 0, w.err()
	}
	w.p++
	if len(tn.Parts) == 1 && tn.Parts[0] == "interval" && tn.Mods == nil && t.is("interval") {
		if tn.Fields, tn.Mods, err = w.intervalFields(); err != nil {
			return 0, err
		}
	}
	w.literalCast(t, tn, s)
	return levelPrimary, nil
}

// constType takes the type of a typed literal: for INTERVAL only a precision.
func (w *walker) constType(t *Token) (*ast.TypeName, error) {
	if t.is("interval") {
		w.p++
		mods, err := w.precision()
		return &ast.TypeName{At: at(t), Parts: []string{"interval"}, Mods: mods}, err
	}
	tn, err := w.simpleType()
	if err != nil {
		return nil, err
	}
	tn.At = at(t)
	// char 'x' as a literal has no length, unlike char as a type.
	if t.Kind == Word && len(tn.Mods) == 1 && (tn.Parts[0] == "bpchar" || tn.Parts[0] == "bit") && !w.peek(-1).punct(")") {
		tn.Mods = nil
	}
	return tn, nil
}

func (w *walker) literalCast(t *Token, tn *ast.TypeName, s *Token) {
	w.open(t.Start, &ast.Cast{At: at(t), Type: tn, Syntax: ast.CastLiteral})
	w.b.raw(t.Start, ",")
	w.b.str(s.Start, s.Text)
	w.b.raw(s.Start, ")")
}

// nameExpr takes a column reference, a function call or a literal of a named
// type.
func (w *walker) nameExpr() (level, error) {
	t := w.cur()
	if t.Kind == Word && t.Class == Reserved {
		return 0, w.err()
	}
	start := len(w.b.pieces)
	first, err := w.name(w.next())
	if err != nil {
		return 0, err
	}
	switch n := w.cur(); {
	case n.punct("("):
		if t.Class == ColName {
			return 0, w.errAt(n)
		}
		return w.call(t, []string{first})
	case n.Kind == String:
		if t.Class == ColName {
			return 0, w.errAt(n)
		}
		w.p--
		return w.literalOf(t)
	case n.punct("["):
		w.b.ident(t.Start, first)
		return levelPrimary, w.indirection(start)
	case !n.punct("."):
		if t.Kind == Word && t.Class == TypeFunc {
			return 0, w.errAt(t)
		}
		w.b.ident(t.Start, first)
		return levelPrimary, nil
	}
	return w.dotted(t, first, start)
}

// dotted takes the rest of a name of several parts.
func (w *walker) dotted(t *Token, first string, start int) (level, error) {
	parts := append(make([]string, 0, 4), first)
	for w.cur().punct(".") {
		w.p++
		if w.op("*") {
			w.leaf(t.Start, &ast.Star{At: at(t), Parts: parts})
			return levelPrimary, nil
		}
		n, err := w.label()
		if err != nil {
			return 0, err
		}
		parts = append(parts, n)
	}
	switch {
	case w.cur().punct("("):
		return w.call(t, parts)
	case w.cur().Kind == String:
		s := w.next()
		w.literalCast(t, &ast.TypeName{At: at(t), Parts: parts}, s)
		return levelPrimary, nil
	}
	if t.Kind == Word && t.Class == TypeFunc {
		return 0, w.errAt(t)
	}
	w.column(t, parts)
	return levelPrimary, w.indirection(start)
}

// column writes a column reference.
func (w *walker) column(t *Token, parts []string) {
	if len(parts) > 3 {
		w.leaf(t.Start, &ast.Column{At: at(t), Parts: parts})
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
func (w *walker) paren() (level, error) {
	t := w.cur()
	start := len(w.b.pieces)
	if w.isQuery(w.p) {
		if err := w.subquery(); err != nil {
			return 0, err
		}
		return levelPrimary, w.indirection(start)
	}
	w.p++
	lv, err := w.expr(precMin, false)
	if err != nil {
		return 0, err
	}
	if !w.cur().punct(",") {
		if err := w.expect(")"); err != nil {
			return 0, err
		}
		if n := w.cur(); n.punct(".") || n.punct("[") {
			return levelPrimary, w.indirection(start)
		}
		return lv, nil
	}
	w.node(start, t.Start, &ast.Row{At: at(t)})
	count := 1
	for w.punct(",") {
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precMin, false); err != nil {
			return 0, err
		}
		count++
	}
	w.b.raw(t.Start, ")")
	if err := w.expect(")"); err != nil {
		return 0, err
	}
	if w.cur().is("overlaps") {
		return levelPrimary, w.overlaps(start, count)
	}
	return levelPrimary, w.indirection(start)
}

// overlaps takes OVERLAPS row behind a row of count items.
func (w *walker) overlaps(start, count int) error {
	t := w.next()
	if count != 2 {
		return errs.New(errs.Syntax, "wrong number of parameters on left side of OVERLAPS expression").WithPos(int(t.Start) + 1)
	}
	w.node(start, t.Start, &ast.Overlaps{At: at(t)})
	w.b.raw(t.Start, ",")
	r := w.cur()
	explicit := w.word("row")
	if !w.cur().punct("(") {
		return w.err()
	}
	w.p++
	w.open(r.Start, &ast.Row{At: at(r), Explicit: explicit})
	w.b.raw(r.Start, ",")
	n := 1
	for {
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if !w.punct(",") {
			break
		}
		n++
		w.b.raw(r.Start, ",")
	}
	if err := w.expect(")"); err != nil {
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
func (w *walker) indirection(start int) error {
	for n := 0; ; n++ {
		t := w.cur()
		if n > nestingMax {
			return errs.New(errs.TooComplex, "stack depth limit exceeded").WithPos(int(t.Start) + 1)
		}
		switch {
		case t.punct("."):
			w.p++
			if w.op("*") {
				w.node(start, t.Start, &ast.RowStar{At: at(t)})
				w.b.raw(t.Start, ")")
				return nil
			}
			n, err := w.label()
			if err != nil {
				return err
			}
			w.node(start, t.Start, &ast.Field{At: at(t), Name: n})
			w.b.raw(t.Start, ")")
		case t.punct("["):
			n := &ast.Subscripts{At: at(t)}
			w.node(start, t.Start, n)
			for w.cur().punct("[") {
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
func (w *walker) subscript() (ast.Subscript, error) {
	var s ast.Subscript
	t := w.next()
	part := func() (ast.Expr, error) {
		w.b.raw(t.Start, ",")
		_, err := w.expr(precMin, false)
		return placeholder, err
	}
	var err error
	if !w.cur().punct(":") {
		if w.cur().punct("]") {
			return s, w.err()
		}
		if s.Index, err = part(); err != nil {
			return s, err
		}
	}
	if w.punct(":") {
		s.Slice, s.Low, s.Index = true, s.Index, nil
		if !w.cur().punct("]") {
			if s.High, err = part(); err != nil {
				return s, err
			}
		}
	}
	return s, w.expect("]")
}
