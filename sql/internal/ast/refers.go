package ast

// RefersTo tells whether a FROM item of q names the CTE itself.
func RefersTo(q *Query, name string) bool {
	found := false
	var body func(x Body)
	var table func(t TableExpr)
	var query func(q *Query)
	query = func(q *Query) {
		if q.With != nil {
			for _, c := range q.With.CTEs {
				if c.Stmt != nil {
					continue
				}
				query(c.Query)
			}
		}
		body(q.Body)
	}
	table = func(t TableExpr) {
		switch t := t.(type) {
		case *TableRef:
			found = found || len(t.Name) == 1 && t.Name[0] == name
		case *SubqueryRef:
			query(t.Query)
		case *Join:
			table(t.Left)
			table(t.Right)
		}
	}
	body = func(x Body) {
		switch x := x.(type) {
		case *Select:
			for _, t := range x.From {
				table(t)
			}
		case *SetOp:
			query(x.Left)
			query(x.Right)
		}
	}
	query(q)
	return found
}

// Construct names what is refused.
func Construct(e Expr) string {
	switch e.(type) {
	case *RowStar:
		return "a field of a composite value"
	case *NamedArg:
		return "a named argument"
	}
	return "this expression"
}
