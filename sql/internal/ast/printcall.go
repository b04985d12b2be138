package ast

import "strings"

// call prints a call; special syntaxes are printed in their own words where
// parsing the plain call would not give the same tree.
func (p *printer) call(e *Call) {
	if p.special(e) {
		return
	}
	p.idents(e.Name, ".")
	p.s("(")
	if e.Star {
		p.s("*")
	}
	if e.Distinct {
		p.s("DISTINCT ")
	}
	for i, a := range e.Args {
		if i > 0 {
			p.s(", ")
		}
		if e.Variadic && i == len(e.Args)-1 {
			p.s("VARIADIC ")
		}
		p.expr(a)
	}
	if len(e.Order) > 0 && !e.WithinGroup {
		p.s(" ORDER BY ")
		p.sort(e.Order)
	}
	p.s(")")
	if e.WithinGroup {
		p.s(" WITHIN GROUP (ORDER BY ")
		p.sort(e.Order)
		p.s(")")
	}
	if e.Filter != nil {
		p.s(" FILTER (WHERE ")
		p.expr(e.Filter)
		p.s(")")
	}
	switch e.Nulls {
	case NullsIgnore:
		p.s(" IGNORE NULLS")
	case NullsRespect:
		p.s(" RESPECT NULLS")
	}
	if e.Over != nil {
		p.s(" OVER ")
		if e.Over.Inline {
			p.window(e.Over)
		} else {
			p.ident(e.Over.Name)
		}
	}
}

// special prints a call of a special syntax and reports whether it was one.
func (p *printer) special(e *Call) bool {
	a := e.Args
	arg := func(before string, i int) {
		p.s(before)
		p.expr(a[i])
	}
	switch {
	case e.Syntax == SyntaxAtTimeZone && len(a) == 2:
		p.operand(a[0], precAt)
		p.s(" AT TIME ZONE ")
		p.operand(a[1], precAt+1)
		return true
	case e.Syntax == SyntaxAtLocal && len(a) == 1:
		p.operand(a[0], precAt)
		p.s(" AT LOCAL")
		return true
	case e.Syntax == SyntaxExtract && len(a) == 2:
		arg("EXTRACT(", 0)
		arg(" FROM ", 1)
	case e.Syntax == SyntaxPosition && len(a) == 2:
		p.s("POSITION(")
		p.operand(a[1], precOther)
		p.s(" IN ")
		p.operand(a[0], precOther)
	case e.Syntax == SyntaxOverlay && len(a) >= 3:
		arg("OVERLAY(", 0)
		arg(" PLACING ", 1)
		arg(" FROM ", 2)
		if len(a) > 3 {
			arg(" FOR ", 3)
		}
	case e.Syntax == SyntaxSubstring && len(a) >= 2:
		arg("SUBSTRING(", 0)
		arg(" FROM ", 1)
		if len(a) > 2 {
			arg(" FOR ", 2)
		}
	case e.Syntax == SyntaxTrim && len(a) >= 1:
		p.s("TRIM(", map[string]string{"btrim": "BOTH", "ltrim": "LEADING", "rtrim": "TRAILING"}[e.Name[len(e.Name)-1]])
		if len(a) > 1 {
			arg(" ", 1)
		}
		arg(" FROM ", 0)
		for i := 2; i < len(a); i++ {
			arg(", ", i)
		}
	case e.Syntax == SyntaxNormalize && len(a) >= 1:
		arg("NORMALIZE(", 0)
		if l, ok := e.Args[len(a)-1].(*Literal); ok && len(a) == 2 {
			p.s(", ", strings.ToUpper(l.Text))
		}
	case e.Syntax == SyntaxCollationFor && len(a) == 1:
		arg("COLLATION FOR (", 0)
	default:
		return false
	}
	p.s(")")
	return true
}

func (p *printer) sort(items []*SortItem) {
	for i, it := range items {
		if i > 0 {
			p.s(", ")
		}
		p.expr(it.Expr)
		if it.Desc {
			p.s(" DESC")
		}
		if it.Using != "" {
			if schema, op, ok := strings.Cut(it.Using, "."); ok {
				p.s(" USING OPERATOR(", QuoteIdent(schema), ".", op, ")")
			} else {
				p.s(" USING ", it.Using)
			}
		}
		switch it.Nulls {
		case NullsFirst:
			p.s(" NULLS FIRST")
		case NullsLast:
			p.s(" NULLS LAST")
		}
	}
}

// window prints (ref PARTITION BY … ORDER BY … frame).
func (p *printer) window(w *Window) {
	p.s("(")
	sep := ""
	if w.Ref != "" {
		p.ident(w.Ref)
		sep = " "
	}
	if len(w.Partition) > 0 {
		p.s(sep, "PARTITION BY ")
		p.list(w.Partition)
		sep = " "
	}
	if len(w.Order) > 0 {
		p.s(sep, "ORDER BY ")
		p.sort(w.Order)
		sep = " "
	}
	if f := w.Frame; f != nil {
		p.s(sep, [...]string{"ROWS", "RANGE", "GROUPS"}[f.Mode], " BETWEEN ")
		p.bound(f.Start)
		p.s(" AND ")
		p.bound(f.End)
		p.s([...]string{"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"}[f.Exclude])
	}
	p.s(")")
}

func (p *printer) bound(b Bound) {
	if b.Offset != nil {
		// AND would end the bound.
		p.operand(b.Offset, precNot+1)
		p.s(" ")
	}
	p.s([...]string{"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING"}[b.Kind])
}
