package ast

import (
	"bytes"
	"strconv"
	"strings"
)

// Print gives back PostgreSQL text for an expression, a query, a FROM item, a
// type name or DML; "" for other nodes. Parentheses stand where precedence
// needs them; parsing the text gives an equal tree.
func Print(n Node) string { return printNode(n, false) }

// PrintFull is Print with parentheses around every operand that is not a
// single item.
func PrintFull(n Node) string { return printNode(n, true) }

func printNode(n Node, full bool) string {
	p := printer{full: full}
	switch n := n.(type) {
	case Expr:
		p.expr(n)
	case *Query:
		p.query(n)
	case *TypeName:
		p.typeName(n)
	case TableExpr:
		p.table(n)
	case Stmt:
		p.stmt(n)
	}
	return p.b.String()
}

type printer struct {
	b    bytes.Buffer
	full bool
	// layout is PrintView's: lines and their indent.
	layout bool
	indent int
	name   func([]string) []string // of relations; nil = as they are
}

func (p *printer) s(parts ...string) {
	for _, x := range parts {
		p.b.WriteString(x)
	}
}

// QuoteIdent quotes a name as PostgreSQL's quote_ident does, except that it
// quotes every word that is a key word anywhere in our grammar.
func QuoteIdent(s string) string {
	safe := s != ""
	for i := 0; i < len(s) && safe; i++ {
		c := s[i]
		safe = c >= 'a' && c <= 'z' || c == '_' || i > 0 && c >= '0' && c <= '9'
	}
	if safe && !keywords[s] {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// QuoteLiteral quotes a string; one with a backslash becomes E'…', so that the
// text means the same under either setting of standard_conforming_strings.
func QuoteLiteral(s string) string {
	q := strings.ReplaceAll(s, "'", "''")
	if strings.Contains(s, `\`) {
		return " E'" + strings.ReplaceAll(q, `\`, `\\`) + "'"
	}
	return "'" + q + "'"
}

func (p *printer) ident(s string) { p.s(QuoteIdent(s)) }

func (p *printer) idents(list []string, sep string) {
	for i, s := range list {
		if i > 0 {
			p.s(sep)
		}
		p.ident(s)
	}
}

// Precedences of PostgreSQL's operators, loosest first, as the walker's.
const (
	precOr = iota + 1
	precAnd
	precNot
	precIs
	precCompare
	precLike
	precOther
	precAdd
	precMul
	precPow
	precAt
	precCollate
	precSign
	precCast
	precItem
)

// precOf is the precedence of e's outermost construct.
func precOf(e Expr) int {
	switch e := e.(type) {
	case *Logic:
		return [...]int{precAnd, precOr, precNot}[e.Kind]
	case *Is, *Distinct:
		return precIs
	case *Pattern, *Between, *In:
		return precLike
	case *AnyAll, *Overlaps:
		return precOther
	case *Op:
		return opPrec(e)
	case *Collate:
		return precCollate
	case *Cast:
		if e.Syntax == CastColons {
			return precCast
		}
	case *Call:
		if e.Syntax == SyntaxAtTimeZone || e.Syntax == SyntaxAtLocal {
			return precAt
		}
	case *Literal:
		if strings.HasPrefix(e.Text, "-") && (e.Kind == LitInt || e.Kind == LitNumeric) {
			return precSign
		}
	}
	return precItem
}

func opPrec(e *Op) int {
	if e.Schema != "" {
		return precOther
	}
	switch e.Name {
	case "+", "-":
		if e.Left == nil {
			return precSign
		}
		return precAdd
	case "*", "/", "%":
		return precMul
	case "^":
		return precPow
	case "<", ">", "=", "<=", ">=", "<>":
		return precCompare
	}
	return precOther
}

// operand prints e where a precedence of at least need is taken without
// parentheses.
func (p *printer) operand(e Expr, need int) {
	pr := precOf(e)
	if p.full && pr < precItem || pr < need {
		p.s("(")
		p.expr(e)
		p.s(")")
		return
	}
	p.expr(e)
}

func (p *printer) list(list []Expr) {
	for i, e := range list {
		if i > 0 {
			p.s(", ")
		}
		p.expr(e)
	}
}

// expr prints one expression. It is a switch over all of them, and longer than
// a screen only for that.
func (p *printer) expr(e Expr) {
	switch e := e.(type) {
	case *Literal:
		p.literal(e)
	case *Param:
		p.s("$", strconv.Itoa(e.N))
	case *Column:
		p.idents(e.Parts, ".")
	case *Star:
		for _, s := range e.Parts {
			p.ident(s)
			p.s(".")
		}
		p.s("*")
	case *Default:
		p.s("DEFAULT")
	case *Cast:
		p.cast(e)
	case *Op:
		p.op(e)
	case *Logic:
		p.logic(e)
	case *Pattern:
		p.operand(e.Left, precOther)
		p.not(e.Not)
		p.s([...]string{" LIKE ", " ILIKE ", " SIMILAR TO "}[e.Kind])
		p.operand(e.Right, precOther)
		if e.Escape != nil {
			p.s(" ESCAPE ")
			p.operand(e.Escape, precOther)
		}
	case *Between:
		p.operand(e.Expr, precOther)
		p.not(e.Not)
		p.s(" BETWEEN ")
		if e.Symmetric {
			p.s("SYMMETRIC ")
		}
		p.operand(e.Low, precOther)
		p.s(" AND ")
		p.operand(e.High, precOther)
	case *In:
		p.operand(e.Expr, precOther)
		p.not(e.Not)
		p.s(" IN (")
		if e.Query != nil {
			p.query(e.Query)
		} else {
			p.list(e.List)
		}
		p.s(")")
	case *AnyAll:
		p.anyAll(e)
	case *Is:
		p.is(e)
	case *Distinct:
		p.operand(e.Left, precCompare)
		p.s(" IS")
		p.not(e.Not)
		p.s(" DISTINCT FROM ")
		p.operand(e.Right, precCompare+1)
	case *Overlaps:
		p.expr(e.Left)
		p.s(" OVERLAPS ")
		p.expr(e.Right)
	case *Exists:
		if p.layout {
			p.s("(EXISTS ")
			p.subquery(e.Query)
			p.s(")")
			return
		}
		p.s("EXISTS ")
		p.subquery(e.Query)
	case *Subquery:
		p.subquery(e.Query)
	case *ArrayQuery:
		p.s("ARRAY")
		p.subquery(e.Query)
	case *Array:
		p.s("ARRAY")
		p.array(e)
	case *Row:
		if e.Explicit || len(e.Elems) < 2 {
			p.s("ROW")
		}
		p.s("(")
		p.list(e.Elems)
		p.s(")")
	case *Case:
		p.caseExpr(e)
	case *Builtin:
		p.s([...]string{"COALESCE", "GREATEST", "LEAST", "NULLIF", "GROUPING"}[e.Kind], "(")
		p.list(e.Args)
		p.s(")")
	case *ValueFunc:
		p.s(strings.ToUpper(e.Name))
		if e.Precision >= 0 {
			p.s("(", strconv.Itoa(e.Precision), ")")
		}
	case *Call:
		p.call(e)
	case *NamedArg:
		p.ident(e.Name)
		p.s(" => ")
		p.expr(e.Expr)
	case *Subscripts:
		p.subscripts(e)
	case *Field:
		p.base(e.Expr)
		p.s(".")
		p.ident(e.Name)
	case *RowStar:
		p.base(e.Expr)
		p.s(".*")
	case *Collate:
		p.operand(e.Expr, precCollate)
		p.s(" COLLATE ")
		p.idents(e.Name, ".")
	case *GroupingSet:
		p.groupingSet(e)
	}
}

func (p *printer) not(not bool) {
	if not {
		p.s(" NOT")
	}
}

func (p *printer) literal(e *Literal) {
	if p.typedLiteral(e) {
		return
	}
	if p.layout && signedNumber(e) {
		p.layoutNumber(e)
		return
	}
	switch e.Kind {
	case LitNull:
		p.s("NULL")
	case LitBool:
		if p.layout {
			p.s(e.Text)
			return
		}
		p.s(strings.ToUpper(e.Text))
	case LitString:
		p.s(QuoteLiteral(e.Text))
	case LitBit:
		p.s(e.Text[:1], "'", e.Text[1:], "'")
	default:
		p.s(e.Text)
	}
}

func (p *printer) cast(e *Cast) {
	syntax := e.Syntax
	if p.layout && e.Type.Fields == "" {
		syntax = CastColons
	}
	switch syntax {
	case CastColons:
		// A number with a sign is one literal only in parentheses here.
		p.operand(e.Expr, precCast)
		p.s("::")
		p.typeName(e.Type)
	case CastLiteral:
		if l, ok := e.Expr.(*Literal); ok && len(e.Type.Array) == 0 {
			t := *e.Type
			fields := t.Fields
			mods := t.Mods
			if fields != "" {
				t.Fields, t.Mods = "", nil
			}
			p.typeName(&t)
			p.s(" ", QuoteLiteral(l.Text))
			p.fields(fields, mods)
			return
		}
		fallthrough
	default:
		p.s("CAST(")
		p.expr(e.Expr)
		p.s(" AS ")
		p.typeName(e.Type)
		p.s(")")
	}
}

func (p *printer) fields(fields string, mods []int) {
	if fields == "" {
		return
	}
	p.s(" ", fields)
	if len(mods) > 0 {
		p.s("(", strconv.Itoa(mods[0]), ")")
	}
}

func (p *printer) typeName(t *TypeName) {
	if t.Text != "" {
		p.s(t.Text)
		return
	}
	if t.SetOf {
		p.s("SETOF ")
	}
	for i, s := range t.Parts {
		if i > 0 {
			p.s(".")
		}
		if t.Quoted && i == len(t.Parts)-1 {
			p.s(`"`, strings.ReplaceAll(s, `"`, `""`), `"`)
		} else if len(t.Parts) == 1 && typeWords[s] {
			p.s(s)
		} else {
			p.ident(s)
		}
	}
	if t.Fields != "" {
		p.fields(t.Fields, t.Mods)
	} else if len(t.Mods) > 0 {
		p.s("(")
		for i, m := range t.Mods {
			if i > 0 {
				p.s(", ")
			}
			p.s(strconv.Itoa(m))
		}
		p.s(")")
	}
	for _, b := range t.Array {
		p.s("[")
		if b >= 0 {
			p.s(strconv.Itoa(b))
		}
		p.s("]")
	}
}

// typeWords are canonical type names that are key words.
var typeWords = map[string]bool{"bit": true, "varchar": true, "numeric": true, "timestamp": true, "time": true, "interval": true}

func (p *printer) op(e *Op) {
	pr := opPrec(e)
	name := e.Name
	if e.Schema != "" {
		name = "OPERATOR(" + QuoteIdent(e.Schema) + "." + e.Name + ")"
	}
	if e.Left == nil {
		p.s(name, " ")
		need := pr + 1
		if pr == precSign {
			need = precSign
			if l, ok := e.Right.(*Literal); ok && (l.Kind == LitInt || l.Kind == LitNumeric) {
				need = precItem + 1 // else the sign would become part of it
			}
		}
		p.operand(e.Right, need)
		return
	}
	left := pr
	if pr == precCompare {
		left++
	}
	p.operand(e.Left, left)
	p.s(" ", name, " ")
	p.operand(e.Right, pr+1)
}

func (p *printer) logic(e *Logic) {
	if e.Kind == Not {
		p.s("NOT ")
		p.operand(e.Args[0], precNot)
		return
	}
	word, need := " AND ", precAnd+1
	if e.Kind == Or {
		word, need = " OR ", precOr+1
	}
	for i, a := range e.Args {
		if i > 0 {
			p.s(word)
		}
		p.operand(a, need)
	}
}

func (p *printer) anyAll(e *AnyAll) {
	p.operand(e.Left, precAdd)
	p.s(" ")
	switch {
	case e.Schema != "":
		p.s("OPERATOR(", QuoteIdent(e.Schema), ".", e.Name, ")")
	default:
		p.s(e.Name)
	}
	if e.All {
		p.s(" ALL (")
	} else {
		p.s(" ANY (")
	}
	if e.Query != nil {
		p.query(e.Query)
	} else {
		p.expr(e.Array)
	}
	p.s(")")
}

func (p *printer) is(e *Is) {
	p.operand(e.Expr, precCompare)
	p.s(" IS")
	p.not(e.Not)
	p.s([...]string{" NULL", " TRUE", " FALSE", " UNKNOWN", " DOCUMENT", "", " JSON"}[e.Kind])
	if e.Kind == IsNormalized {
		if e.Form != "" {
			p.s(" ", strings.ToUpper(e.Form))
		}
		p.s(" NORMALIZED")
	}
}

func (p *printer) array(e *Array) {
	p.s("[")
	for i, x := range e.Elems {
		if i > 0 {
			p.s(", ")
		}
		if a, ok := x.(*Array); ok {
			p.array(a)
		} else {
			p.expr(x)
		}
	}
	p.s("]")
}

func (p *printer) caseExpr(e *Case) {
	if p.layout {
		p.layoutCase(e)
		return
	}
	p.s("CASE")
	if e.Arg != nil {
		p.s(" ")
		p.expr(e.Arg)
	}
	for _, w := range e.Whens {
		p.s(" WHEN ")
		p.expr(w.Cond)
		p.s(" THEN ")
		p.expr(w.Then)
	}
	if e.Else != nil {
		p.s(" ELSE ")
		p.expr(e.Else)
	}
	p.s(" END")
}

// base prints what a point or a subscript may follow: a column or parameter
// only before a subscript, anything else in parentheses.
func (p *printer) base(e Expr) {
	switch e := e.(type) {
	case *Field, *Subscripts, *Param, *Subquery:
		p.expr(e)
		return
	}
	p.s("(")
	p.expr(e)
	p.s(")")
}

func (p *printer) subscripts(e *Subscripts) {
	if c, ok := e.Base.(*Column); ok {
		p.expr(c)
	} else if s, ok := e.Base.(*Subscripts); ok {
		p.s("(") // else the two chains would be read as one
		p.expr(s)
		p.s(")")
	} else {
		p.base(e.Base)
	}
	for _, s := range e.Items {
		p.s("[")
		if s.Index != nil {
			p.expr(s.Index)
		}
		if s.Low != nil {
			p.expr(s.Low)
		}
		if s.Slice {
			p.s(":")
		}
		if s.High != nil {
			p.expr(s.High)
		}
		p.s("]")
	}
}

func (p *printer) groupingSet(e *GroupingSet) {
	p.s([...]string{"(", "ROLLUP (", "CUBE (", "GROUPING SETS ("}[e.Kind])
	p.list(e.Items)
	p.s(")")
}
