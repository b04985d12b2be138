// Package viewdml says which views can be changed through, and finds the rows of
// their table: PostgreSQL's automatically updatable views.
//
//	CREATE VIEW v AS SELECT id, a AS x, a + 1 AS y FROM t WHERE a > 0
//	UPDATE v SET x = 5 WHERE y = 3   changes a of the rows of t that v shows
//
// Such a view selects from one table or view, without anything that makes one row
// of several. Its bound query is a chain of Project, Filter and Sort over one Scan;
// the address of the scan's rows is passed up through it (AddColumn), and a column
// of the view that is a column of the table is found by going down (Expand).
package viewdml

import (
	"slices"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
)

// Base is the relation that a view's query selects from, or why the view cannot
// be changed through. root is the bound query, which tells of aggregates.
func Base(q *ast.Query, root logical.Node) (base *ast.TableRef, reason string) {
	sel, ok := q.Body.(*ast.Select)
	if !ok {
		if _, set := q.Body.(*ast.SetOp); set {
			return nil, "Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable."
		}
		return nil, single
	}
	switch {
	case sel.Distinct:
		return nil, "Views containing DISTINCT are not automatically updatable."
	case sel.Group != nil:
		return nil, "Views containing GROUP BY are not automatically updatable."
	case sel.Having != nil:
		return nil, "Views containing HAVING are not automatically updatable."
	case q.With != nil:
		return nil, "Views containing WITH are not automatically updatable."
	case q.Limit != nil || q.Offset != nil:
		return nil, "Views containing LIMIT or OFFSET are not automatically updatable."
	}
	if !slices.ContainsFunc(sel.Targets, func(t *ast.Target) bool { _, plain := t.Expr.(*ast.Column); return !plain }) {
		root = nil // what makes rows of several is a view below
	}
	for n := root; n != nil; {
		switch x := n.(type) {
		case *logical.Aggregate:
			return nil, "Views that return aggregate functions are not automatically updatable."
		case *logical.Window:
			return nil, "Views that return window functions are not automatically updatable."
		case *logical.Join:
			if _, set := x.R.(*logical.Series); set && len(sel.From) == 1 {
				if _, ref := sel.From[0].(*ast.TableRef); ref {
					return nil, "Views that return set-returning functions are not automatically updatable."
				}
			}
		}
		if ins := n.Inputs(); len(ins) == 1 {
			n = ins[0]
			continue
		}
		break
	}
	if len(sel.From) == 1 {
		if ref, ok := sel.From[0].(*ast.TableRef); ok {
			return ref, ""
		}
	}
	return nil, single
}

const single = "Views that do not select from a single table or view are not automatically updatable."

// Single is the reason for views on relations that cannot be changed.
const Single = single

// Scan is the scan under a view's query.
func Scan(n logical.Node) (*logical.Scan, bool) {
	for {
		switch x := n.(type) {
		case *logical.Scan:
			return x, true
		case *logical.Project, *logical.Filter, *logical.Sort:
			n = n.Inputs()[0]
		default:
			return nil, false
		}
	}
}

// AddColumn makes a view's query put out one more column of its table, and all that
// the scan has.
func AddColumn(n logical.Node, col logical.Column, id uint32) logical.Node {
	switch x := n.(type) {
	case *logical.Scan:
		c := *x
		c.Cols, c.ColIDs = append(c.Cols[:len(c.Cols):len(c.Cols)], col), append(c.ColIDs[:len(c.ColIDs):len(c.ColIDs)], id)
		return &c
	case *logical.Project:
		c := *x
		c.In = AddColumn(x.In, col, id)
		have, scan := logical.OutSet(x), mustScan(c.In)
		c.Items = c.Items[:len(c.Items):len(c.Items)]
		for _, col := range scan.Cols {
			if !have[col.ID] {
				c.Items = append(c.Items, logical.Item{Col: col, Expr: col.Col()})
			}
		}
		return &c
	}
	return n.WithInputs([]logical.Node{AddColumn(n.Inputs()[0], col, id)})
}

func mustScan(n logical.Node) *logical.Scan {
	s, ok := Scan(n)
	if !ok {
		return &logical.Scan{}
	}
	return s
}

// Expand is e, over the output of a view's query, as an expression over the scan.
func Expand(n logical.Node, e plan.Expr) plan.Expr {
	for {
		switch x := n.(type) {
		case *logical.Project:
			items := map[int]plan.Expr{}
			for i := range x.Items {
				items[x.Items[i].Col.ID] = x.Items[i].Expr
			}
			e = logical.MapDeep(e, func(y plan.Expr) plan.Expr {
				if c, ok := y.(*plan.Col); ok {
					return items[c.Index]
				}
				return nil
			})
			n = x.In
		case *logical.Filter, *logical.Sort:
			n = n.Inputs()[0]
		default:
			return e
		}
	}
}

// Column is the id of the table's column that column id of a view's query is,
// false if it is computed.
func Column(n logical.Node, c *logical.Column) (uint32, bool) {
	s, ok := Scan(n)
	if !ok {
		return 0, false
	}
	col, ok := Expand(n, c.Col()).(*plan.Col)
	if !ok {
		return 0, false
	}
	for i := range s.Cols {
		if s.Cols[i].ID == col.Index {
			return s.ColIDs[i], true
		}
	}
	return 0, false
}
