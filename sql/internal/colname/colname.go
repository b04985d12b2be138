// Package colname names the result columns that have no alias.
package colname

import (
	"quern/sql/internal/ast"
	"quern/storage/types"
)

// Of is the name of a result column without alias: PostgreSQL's
// FigureColname. subs are the names of the only columns of scalar subqueries.
func Of(e ast.Expr, subs map[*ast.Query]string) string {
	if name, _ := figure(e, subs); name != "" {
		return name
	}
	return "?column?"
}

// figure gives a name and its strength: 2 = a good one, 1 = one that a cast
// around it or a CASE may replace, 0 = none. One switch over all kinds.
func figure(e ast.Expr, subs map[*ast.Query]string) (string, int) {
	switch e := e.(type) {
	case *ast.Column:
		return e.Parts[len(e.Parts)-1], 2
	case *ast.Field:
		return e.Name, 2
	case *ast.Subscripts:
		return figure(e.Base, subs)
	case *ast.Call:
		return e.Name[len(e.Name)-1], 2
	case *ast.Cast:
		if name, s := figure(e.Expr, subs); s > 1 {
			return name, s
		}
		return castName(e.Type), 1
	case *ast.Collate:
		return figure(e.Expr, subs)
	case *ast.Subquery:
		return subs[e.Query], 2
	case *ast.Exists:
		return "exists", 2
	case *ast.ArrayQuery:
		return "array", 2
	case *ast.Array:
		return "array", 2
	case *ast.Row:
		return "row", 2
	case *ast.Case:
		if e.Else != nil {
			if name, s := figure(e.Else, subs); s > 1 {
				return name, s
			}
		}
		return "case", 1
	case *ast.Builtin:
		return [...]string{"coalesce", "greatest", "least", "nullif", "grouping"}[e.Kind], 2
	case *ast.ValueFunc:
		return e.Name, 2
	}
	return "", 0
}

func castName(t *ast.TypeName) string {
	name := t.Parts[len(t.Parts)-1]
	lookup := name
	if t.Quoted && name == "char" {
		return "char"
	}
	if ty, ok := types.ByName(lookup); ok {
		return types.InternalName(ty.OID)
	}
	return name
}
