package dialect

import (
	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// Precedences of PostgreSQL's grammar, loosest first.
const (
	precMin = iota
	precOr
	precAnd
	precNot
	precIs
	precCompare
	precLike // BETWEEN IN LIKE ILIKE SIMILAR
	precOther
	precAdd
	precMul
	precPow
	precAt
	precCollate
	precSign
	precCast
)

// level is the place in the carrier grammar of what was written last; an
// operand of a lower level than its place allows gets parentheses.
type level int8

const (
	levelOr level = iota
	levelAnd
	levelNot   // NOT x, x IS TRUE
	levelBool  // comparisons, IS NULL
	levelPred  // IN, BETWEEN
	levelChain // a | op | b
	levelAdd
	levelMul
	levelPow
	levelPrimary
)

const nodeOpen = "`" + MarkNode + "`("

// parens puts what was written since start into parentheses if its level is
// below need.
func (w *Walker) parens(start int, have, need level) level {
	if have >= need {
		return have
	}
	w.b.wrap(start, w.b.pieces[start].src, "(", -1)
	w.b.raw(w.b.pieces[start].src, ")")
	return levelPrimary
}

// node wraps what was written since start as the first operand of n. The
// caller writes further operands and ")".
func (w *Walker) node(start int, src int32, n any) {
	w.b.wrap(start, src, nodeOpen, w.b.add(n))
}

// leaf writes a node without operands.
func (w *Walker) leaf(src int32, n any) {
	w.b.numbered(src, nodeOpen, w.b.add(n))
	w.b.raw(src, ")")
}

// open begins a node whose operands follow; each must be preceded by a comma.
func (w *Walker) open(src int32, n any) {
	w.b.numbered(src, nodeOpen, w.b.add(n))
}

// expr takes an expression of PostgreSQL's a_expr whose operators bind at
// least as tightly as min, and writes its carrier. With restricted it is the
// b_expr of BETWEEN's lower bound and of DEFAULT: no AND, OR, NOT, LIKE, IN,
// IS NULL, AT, COLLATE.
func (w *Walker) expr(min int, restricted bool) (level, error) {
	if err := w.Enter(); err != nil {
		return 0, err
	}
	defer w.Leave()
	start := len(w.b.pieces)
	lv, err := w.operand(restricted)
	if err != nil {
		return 0, err
	}
	// nonassoc is the precedence of the operator just closed if it may not be
	// followed by another of its own: a < b < c.
	nonassoc := -1
	wraps := 0
	for {
		t := w.Cur()
		prec := infix(t, w.Peek(1), restricted)
		if prec < 0 && t.Is("similar") {
			w.far = max(w.far, w.P+1) // TO must follow
		}
		if prec < 0 || prec < min || min == precMin && w.labelTok != 0 && w.P == w.labelTok {
			return lv, nil
		}
		if prec == nonassoc {
			return 0, w.Err()
		}
		// Operator chains stay flat; everything else nests in the tree.
		if t.Kind != Op && prec > precAnd {
			wraps++
		}
		if wraps > nestingMax {
			return 0, errs.New(errs.TooComplex, "stack depth limit exceeded").WithPos(int(t.Start) + 1)
		}
		open := false
		if lv, open, err = w.infix(start, lv, t, prec, restricted); err != nil {
			return 0, err
		}
		nonassoc = -1
		if open && (prec == precIs || prec == precCompare || prec == precLike) {
			nonassoc = prec
		}
	}
}

// infix is the precedence of t as an infix or postfix operator, -1 if it is
// none. n is the token behind it.
func infix(t, n *Token, restricted bool) int {
	switch t.Kind {
	case Op:
		switch t.Text {
		case "+", "-":
			return precAdd
		case "*", "/", "%":
			return precMul
		case "^":
			return precPow
		case "<", ">", "=", "<=", ">=", "<>":
			return precCompare
		}
		return precOther
	case Word:
		return infixWord(t, n, restricted)
	case Punct:
		// Behind a predicate that ends with a bracket or a key word a cast
		// takes all of it: a IN (1)::text is (a IN (1))::text.
		if t.Text == "::" {
			return precCast
		}
	}
	return -1
}

func infixWord(t, n *Token, restricted bool) int {
	switch t.Text {
	case "is":
		if restricted && !n.Is("distinct") && !n.Is("not") && !n.Is("document") {
			return -1
		}
		return precIs
	case "operator":
		if n.Punct("(") {
			return precOther
		}
		return -1
	}
	if restricted {
		return -1
	}
	switch t.Text {
	case "and":
		return precAnd
	case "or":
		return precOr
	case "isnull", "notnull":
		return precIs
	case "between", "in", "like", "ilike":
		return precLike
	case "similar":
		if n.Is("to") {
			return precLike
		}
	case "not":
		if n.Kind == Word {
			switch n.Text {
			case "between", "in", "like", "ilike", "similar":
				return precLike
			}
		}
	case "at":
		return precAt
	case "collate":
		return precCollate
	}
	return -1
}

// infix takes the operator at t with what stands to its right. open says that
// it ended with an operand.
func (w *Walker) infix(start int, lv level, t *Token, prec int, restricted bool) (out level, open bool, err error) {
	if t.Kind == Op || prec == precOther {
		return w.operator(start, lv, t, prec, restricted)
	}
	switch t.Text {
	case "::":
		lv, err = w.cast(start, t)
		return lv, false, err
	case "and":
		w.P++
		lv, err = w.binary(start, lv, levelAnd, levelNot, t, " AND ", precAnd, restricted)
		return lv, true, err
	case "or":
		w.P++
		lv, err = w.binary(start, lv, levelOr, levelAnd, t, " OR ", precOr, restricted)
		return lv, true, err
	case "is":
		return w.is(start, lv, t, restricted)
	case "isnull", "notnull":
		w.P++
		return w.isNull(start, lv, t, t.Text == "notnull"), false, nil
	case "at":
		return w.atZone(start, t)
	case "collate":
		w.P++
		name, err := w.AnyName()
		if err != nil {
			return 0, false, err
		}
		w.node(start, t.Start, &ast.Collate{At: At(t), Name: name})
		w.b.raw(t.Start, ")")
		return levelPrimary, false, nil
	}
	w.P++
	not := t.Is("not")
	k := t
	if not {
		k = w.Next()
	}
	switch k.Text {
	case "in":
		return w.in(start, lv, k, not)
	case "between":
		return w.between(start, lv, k, not)
	}
	return w.pattern(start, t, k, not)
}

// cast takes :: type behind what was written since start.
func (w *Walker) cast(start int, t *Token) (level, error) {
	w.P++
	tn, err := w.TypeName()
	if err != nil {
		return 0, err
	}
	w.node(start, t.Start, &ast.Cast{At: At(t), Type: tn, Syntax: ast.CastColons})
	w.b.raw(t.Start, ")")
	return levelPrimary, nil
}

// AnyName takes a possibly qualified name of an object that may be any word
// behind the first point.
func (w *Walker) AnyName() ([]string, error) {
	n, err := w.ColID()
	if err != nil {
		return nil, err
	}
	parts := []string{n}
	for w.Punct(".") {
		if n, err = w.Label(); err != nil {
			return nil, err
		}
		parts = append(parts, n)
	}
	return parts, nil
}

// binary writes a native left-associative operator. Its left operand may be
// of level result, its right one must be of level right.
func (w *Walker) binary(start int, lv, result, right level, t *Token, text string, prec int, restricted bool) (level, error) {
	w.parens(start, lv, result)
	w.b.raw(t.Start, text)
	rs := len(w.b.pieces)
	rl, err := w.expr(prec+1, restricted)
	if err != nil {
		return 0, err
	}
	w.parens(rs, rl, right)
	return result, nil
}

// operator takes a symbolic operator, OPERATOR(…) or either with ANY/ALL.
func (w *Walker) operator(start int, lv level, t *Token, prec int, restricted bool) (level, bool, error) {
	schema, name, err := w.anyOperator()
	if err != nil {
		return 0, false, err
	}
	if a := w.Cur(); a.Kind == Word && (a.Text == "any" || a.Text == "some" || a.Text == "all") {
		w.P++
		n := &ast.AnyAll{At: At(t), Schema: schema, Name: name, All: a.Text == "all"}
		lv, err := w.anyAll(start, t, n)
		return lv, false, err
	}
	if t.Kind == Op {
		switch prec {
		case precAdd:
			lv, err = w.binary(start, lv, levelAdd, levelMul, t, nativeOp(name), prec, restricted)
			return lv, true, err
		case precMul:
			lv, err = w.binary(start, lv, levelMul, levelPow, t, nativeOp(name), prec, restricted)
			return lv, true, err
		case precPow:
			lv, err = w.binary(start, lv, levelPow, levelPrimary, t, nativeOp(name), prec, restricted)
			return lv, true, err
		case precCompare:
			lv, err = w.binary(start, lv, levelBool, levelPred, t, nativeOp(name), prec, restricted)
			return lv, true, err
		}
	}
	w.parens(start, lv, levelChain)
	w.b.raw(t.Start, "|")
	if schema == "" {
		w.b.ident(t.Start, MarkOp+name)
	} else {
		w.b.ident(t.Start, MarkOpIn+schema+"\x02"+name)
	}
	w.b.raw(t.Start, "|")
	rs := len(w.b.pieces)
	rl, err := w.expr(precOther+1, restricted)
	if err != nil {
		return 0, false, err
	}
	w.parens(rs, rl, levelAdd)
	return levelChain, true, nil
}

// nativeOp is the carrier text of an operator that both grammars know.
func nativeOp(name string) string {
	switch name {
	case "+":
		return " + "
	case "-":
		return " - "
	case "*":
		return " * "
	case "/":
		return " / "
	case "%":
		return " % "
	case "^":
		return " ^ "
	case "=":
		return " = "
	case "<>":
		return " <> "
	case "<":
		return " < "
	case ">":
		return " > "
	case "<=":
		return " <= "
	}
	return " >= "
}

// anyOperator takes an operator or OPERATOR(schema.op).
func (w *Walker) anyOperator() (schema, name string, err error) {
	t := w.Next()
	if t.Kind == Op {
		return "", t.Text, nil
	}
	if err := w.Expect("("); err != nil {
		return "", "", err
	}
	for w.Cur().Kind != Op {
		n, err := w.ColID()
		if err != nil {
			return "", "", err
		}
		if schema != "" {
			return "", "", Refuse("cross-database reference", w.Peek(-1))
		}
		schema = n
		if err := w.Expect("."); err != nil {
			return "", "", err
		}
	}
	name = w.Next().Text
	return schema, name, w.Expect(")")
}

// anyAll takes (array or query) behind OP ANY.
func (w *Walker) anyAll(start int, t *Token, n *ast.AnyAll) (level, error) {
	w.node(start, t.Start, n)
	w.b.raw(t.Start, ",")
	if !w.Cur().Punct("(") {
		return 0, w.Err()
	}
	if err := w.queryOrExprInParens(); err != nil {
		return 0, err
	}
	w.b.raw(t.Start, ")")
	return levelPrimary, nil
}

// queryOrExprInParens takes (query), written with its parentheses, or (expr),
// written without.
func (w *Walker) queryOrExprInParens() error {
	if w.IsQuery(w.P) {
		return w.subquery()
	}
	w.P++
	if _, err := w.expr(precMin, false); err != nil {
		return err
	}
	return w.Expect(")")
}

func (w *Walker) isNull(start int, lv level, t *Token, not bool) level {
	w.parens(start, lv, levelBool)
	if not {
		w.b.raw(t.Start, " IS NOT NULL")
	} else {
		w.b.raw(t.Start, " IS NULL")
	}
	return levelBool
}

// is takes IS with its test.
func (w *Walker) is(start int, lv level, t *Token, restricted bool) (level, bool, error) {
	w.P++
	not := w.Word("not")
	k := w.Cur()
	if k.Kind != Word || restricted && k.Text != "distinct" && k.Text != "document" {
		return 0, false, w.Err()
	}
	w.P++
	n := &ast.Is{At: At(t), Not: not}
	switch k.Text {
	case "null":
		return w.isNull(start, lv, t, not), false, nil
	case "true", "false":
		w.parens(start, lv, levelBool)
		text := " IS TRUE"
		switch {
		case not && k.Text == "true":
			text = " IS NOT TRUE"
		case not:
			text = " IS NOT FALSE"
		case k.Text == "false":
			text = " IS FALSE"
		}
		w.b.raw(t.Start, text)
		return levelNot, false, nil
	case "distinct":
		if err := w.ExpectWord("from"); err != nil {
			return 0, false, err
		}
		w.node(start, t.Start, &ast.Distinct{At: At(t), Not: not})
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precIs+1, restricted); err != nil {
			return 0, false, err
		}
		w.b.raw(t.Start, ")")
		return levelPrimary, true, nil
	case "unknown":
		n.Kind = ast.IsUnknown
	case "document":
		n.Kind = ast.IsDocument
	case "normalized":
		n.Kind = ast.IsNormalized
	case "nfc", "nfd", "nfkc", "nfkd":
		n.Kind, n.Form = ast.IsNormalized, k.Text
		if err := w.ExpectWord("normalized"); err != nil {
			return 0, false, err
		}
	case "json":
		return 0, false, Refuse("IS JSON", t)
	default:
		w.P--
		return 0, false, w.Err()
	}
	w.node(start, t.Start, n)
	w.b.raw(t.Start, ")")
	return levelPrimary, false, nil
}

// atZone takes AT TIME ZONE z or AT LOCAL.
func (w *Walker) atZone(start int, t *Token) (level, bool, error) {
	w.P++
	name := []string{"pg_catalog", "timezone"}
	if w.Word("local") {
		w.node(start, t.Start, &CallMark{Call: &ast.Call{At: At(t), Name: name, Syntax: ast.SyntaxAtLocal}, Args: 1})
		w.b.raw(t.Start, ")")
		return levelPrimary, false, nil
	}
	if err := w.ExpectWords("time", "zone"); err != nil {
		return 0, false, err
	}
	w.node(start, t.Start, &CallMark{Call: &ast.Call{At: At(t), Name: name, Syntax: ast.SyntaxAtTimeZone}, Args: 2})
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precAt+1, false); err != nil {
		return 0, false, err
	}
	w.b.raw(t.Start, ")")
	return levelPrimary, false, nil
}

// in takes (list) or (query) behind [NOT] IN.
func (w *Walker) in(start int, lv level, t *Token, not bool) (level, bool, error) {
	w.parens(start, lv, levelChain)
	if not {
		w.b.raw(t.Start, " NOT IN ")
	} else {
		w.b.raw(t.Start, " IN ")
	}
	if !w.Cur().Punct("(") {
		return 0, false, w.Err()
	}
	if w.IsQuery(w.P) {
		return levelPred, false, w.subquery()
	}
	w.P++
	w.b.raw(t.Start, "(")
	if err := w.exprList(); err != nil {
		return 0, false, err
	}
	w.b.raw(t.Start, ")")
	return levelPred, false, w.Expect(")")
}

// between takes [SYMMETRIC] low AND high.
func (w *Walker) between(start int, lv level, t *Token, not bool) (level, bool, error) {
	symmetric := w.Word("symmetric")
	if !symmetric {
		w.Word("asymmetric")
	}
	n := &ast.Between{At: At(t), Not: not, Symmetric: symmetric}
	w.node(start, t.Start, n)
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precMin, true); err != nil {
		return 0, false, err
	}
	if err := w.ExpectWord("and"); err != nil {
		return 0, false, err
	}
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precLike+1, false); err != nil {
		return 0, false, err
	}
	w.b.raw(t.Start, ")")
	return levelPrimary, true, nil
}

// pattern takes the right side of LIKE, ILIKE and SIMILAR TO, or ANY/ALL.
func (w *Walker) pattern(start int, t, k *Token, not bool) (level, bool, error) {
	n := &ast.Pattern{At: At(t), Not: not}
	op := "~~"
	switch k.Text {
	case "ilike":
		n.Kind, op = ast.ILike, "~~*"
	case "similar":
		n.Kind = ast.Similar
		if err := w.ExpectWord("to"); err != nil {
			return 0, false, err
		}
	}
	if a := w.Cur(); n.Kind != ast.Similar && a.Kind == Word && (a.Text == "any" || a.Text == "some" || a.Text == "all") {
		w.P++
		if not {
			op = "!" + op
		}
		lv, err := w.anyAll(start, t, &ast.AnyAll{At: At(t), Name: op, All: a.Text == "all"})
		return lv, false, err
	}
	w.node(start, t.Start, n)
	w.b.raw(t.Start, ",")
	if _, err := w.expr(precLike+1, false); err != nil {
		return 0, false, err
	}
	if w.Word("escape") {
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precLike+1, false); err != nil {
			return 0, false, err
		}
	}
	w.b.raw(t.Start, ")")
	return levelPrimary, true, nil
}

// exprList takes expr, … and writes them with commas.
func (w *Walker) exprList() error {
	for {
		if _, err := w.expr(precMin, false); err != nil {
			return err
		}
		if !w.Cur().Punct(",") {
			return nil
		}
		w.b.raw(w.Next().Start, ",")
	}
}

// operand takes a prefix operator with its operand, or a primary.
func (w *Walker) operand(restricted bool) (level, error) {
	t := w.Cur()
	switch {
	case t.Kind == Op && (t.Text == "-" || t.Text == "+"):
		w.P++
		if t.Text == "-" {
			w.b.raw(t.Start, " -")
		} else {
			w.b.raw(t.Start, " +")
		}
		rs := len(w.b.pieces)
		lv, err := w.expr(precSign, restricted)
		if err != nil {
			return 0, err
		}
		w.parens(rs, lv, levelPrimary)
		return levelPrimary, nil
	case t.Kind == Op && infix(t, t, false) != precOther:
		return 0, w.Err()
	case t.Kind == Op, t.Is("operator") && w.Peek(1).Punct("("):
		schema, name, err := w.anyOperator()
		if err != nil {
			return 0, err
		}
		w.open(t.Start, &ast.Op{At: At(t), Schema: schema, Name: name})
		w.b.raw(t.Start, ",")
		if _, err := w.expr(precOther+1, restricted); err != nil {
			return 0, err
		}
		w.b.raw(t.Start, ")")
		return levelPrimary, nil
	case t.Is("not"):
		if restricted {
			return 0, w.Err()
		}
		w.P++
		w.b.raw(t.Start, "NOT ")
		rs := len(w.b.pieces)
		lv, err := w.expr(precNot, false)
		if err != nil {
			return 0, err
		}
		w.parens(rs, lv, levelNot)
		return levelNot, nil
	}
	return w.primary()
}
