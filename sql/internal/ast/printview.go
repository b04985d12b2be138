package ast

import (
	"bytes"
	"strconv"
	"strings"
)

// PrintView prints the query of a view as PostgreSQL's pg_get_viewdef does: one
// clause a line, subqueries indented. pretty leaves out parentheses that
// precedence does not need. name says how a relation's name is written.
func PrintView(q *Query, pretty bool, name func([]string) []string) string {
	p := printer{full: !pretty, layout: true, name: name}
	p.query(q)
	return p.b.String()
}

// Indents of the layout, PostgreSQL's names and values.
const (
	indentStd  = 8
	indentVar  = 4
	indentJoin = 4
	// indentMax is where further nesting stops moving to the right.
	indentMax = 40
)

// line starts a line: the level moves by before, the line is indented by plus
// more than it, and the level moves by after. Trailing blanks go.
func (p *printer) line(before, after, plus int) {
	p.indent += before
	text := bytes.TrimRight(p.b.Bytes(), " ")
	p.b.Truncate(len(text))
	n := max(p.indent, 0) + plus
	if p.indent >= indentMax {
		n = indentMax + plus
	}
	p.s("\n", strings.Repeat(" ", max(n, 0)))
	p.indent = max(p.indent+after, 0)
}

// clauseLine starts the line of a clause.
func (p *printer) clauseLine(word string, plus int) {
	if !p.layout {
		p.s(word)
		return
	}
	p.line(-indentStd, indentStd, plus)
	p.s(word)
}

// layoutQuery is query in layout: it begins at the level of what is around it.
func (p *printer) layoutQuery(q *Query) {
	old := p.indent
	defer func() { p.indent = old }()
	if q.With != nil {
		p.layoutWith(q.With)
	}
	switch b := q.Body.(type) {
	case *Select:
		p.indent += indentStd
		p.s(" ")
		p.sel(b)
	case *Values:
		p.indent += indentStd
		p.s(" ")
		p.values(b)
	case *SetOp:
		p.layoutSetOp(b)
		p.indent += indentStd
	}
	p.layoutTail(q)
}

func (p *printer) layoutTail(q *Query) {
	if len(q.OrderBy) > 0 {
		p.clauseLine(" ORDER BY ", 1)
		p.sort(q.OrderBy)
	}
	if q.Offset != nil {
		p.clauseLine(" OFFSET ", 0)
		p.expr(q.Offset)
	}
	switch {
	case q.Limit == nil:
	case q.WithTies:
		p.clauseLine(" FETCH FIRST ", 0)
		p.expr(q.Limit)
		p.s(" ROWS WITH TIES")
	default:
		p.clauseLine(" LIMIT ", 0)
		p.expr(q.Limit)
	}
}

func (p *printer) layoutWith(w *With) {
	p.indent += indentStd
	p.s(" WITH ")
	if w.Recursive {
		p.s("RECURSIVE ")
	}
	for i, c := range w.CTEs {
		if i > 0 {
			p.s(", ")
		}
		p.ident(c.Name)
		p.columns(c.Columns)
		p.s(" AS ", [...]string{"", "MATERIALIZED ", "NOT MATERIALIZED "}[c.Materialize], "(")
		p.line(0, 0, 0)
		p.layoutQuery(c.Query)
		p.line(0, 0, 0)
		p.s(")")
	}
	p.indent -= indentStd
	p.line(0, 0, 0)
}

func (p *printer) layoutSetOp(o *SetOp) {
	p.layoutOperand(o.Left, o.Kind, o.All, true)
	if !bytes.HasSuffix(p.b.Bytes(), []byte(") ")) {
		p.line(0, 0, 0)
	}
	p.s([...]string{"UNION ", "INTERSECT ", "EXCEPT "}[o.Kind])
	if o.All {
		p.s("ALL ")
	}
	p.line(0, 0, 0)
	p.layoutOperand(o.Right, o.Kind, o.All, false)
}

func (p *printer) layoutOperand(q *Query, kind SetKind, all, left bool) {
	bare := q.With == nil && len(q.OrderBy) == 0 && q.Limit == nil && q.Offset == nil
	if o, ok := q.Body.(*SetOp); ok && bare {
		if left && o.Kind == kind && o.All == all {
			p.layoutSetOp(o)
			return
		}
		bare = false
	}
	if bare {
		p.layoutQuery(q)
		return
	}
	p.s("(")
	p.indent += indentStd
	p.line(0, 0, 0)
	p.layoutQuery(q)
	p.line(-indentStd, 0, 0)
	p.s(") ")
}

// layoutTargets puts each target on a line of its own. The name of a plain
// column that it keeps, and of a constant without one, is left out.
func (p *printer) layoutTargets(list []*Target) {
	for i, t := range list {
		if i > 0 {
			p.s(",")
			if _, own := t.Expr.(*Case); !own {
				p.line(-indentStd, indentStd, indentVar)
			}
		}
		p.expr(t.Expr)
		c, plain := t.Expr.(*Column)
		if t.Alias != "" && t.Alias != "?column?" && !(plain && c.Parts[len(c.Parts)-1] == t.Alias) {
			p.s(" AS ")
			p.ident(t.Alias)
		}
	}
}

// layoutCase puts each branch of a CASE on a line.
func (p *printer) layoutCase(e *Case) {
	p.line(0, indentVar, 0)
	p.s("CASE")
	if e.Arg != nil {
		p.s(" ")
		p.expr(e.Arg)
	}
	for _, w := range e.Whens {
		p.line(0, 0, 0)
		p.s("WHEN ")
		p.expr(w.Cond)
		p.s(" THEN ")
		p.expr(w.Then)
	}
	p.line(0, 0, 0)
	p.s("ELSE ")
	if e.Else != nil {
		p.expr(e.Else)
	} else {
		p.s("NULL")
	}
	p.line(-indentVar, 0, 0)
	p.s("END")
}

// typedLiteral prints a constant with the type that binding gave it.
func (p *printer) typedLiteral(e *Literal) bool {
	if e.As == "" {
		return false
	}
	switch e.Kind {
	case LitNull:
		p.s("NULL::", e.As)
	case LitString:
		p.s(strings.TrimPrefix(QuoteLiteral(e.Text), " "), "::", e.As)
	default:
		return false
	}
	return true
}

// signedNumber tells a number that PostgreSQL prints as a quoted constant.
func signedNumber(e *Literal) bool {
	if e.Kind != LitInt && e.Kind != LitNumeric {
		return false
	}
	return strings.HasPrefix(e.Text, "-")
}

func (p *printer) layoutNumber(e *Literal) {
	typ := "numeric"
	if _, err := strconv.ParseInt(e.Text, 10, 32); err == nil {
		typ = "integer"
	} else if _, err := strconv.ParseInt(e.Text, 10, 64); err == nil {
		typ = "bigint"
	}
	p.s("'", e.Text, "'::", typ)
}
