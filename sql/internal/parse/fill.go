package parse

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
)

// take is the next operand; nil and no longer ok if there is none.
func take(args *[]ast.Expr) (ast.Expr, bool) {
	if len(*args) == 0 {
		return nil, false
	}
	e := (*args)[0]
	*args = (*args)[1:]
	return e, true
}

// fill puts the operands into a node that the walker made. It is a switch over
// all such nodes, and longer than a screen only for that.
func fill(n any, args []ast.Expr) (ast.Expr, error) {
	need := func(count int) bool { return len(args) == count }
	switch n := n.(type) {
	case *ast.Literal:
		if need(0) {
			return n, nil
		}
	case *ast.Star:
		if need(0) {
			return n, nil
		}
	case *ast.Column:
		if need(0) {
			return n, nil
		}
	case *ast.ValueFunc:
		if need(0) {
			return n, nil
		}
	case *ast.Cast:
		if need(1) {
			n.Expr = args[0]
			return n, nil
		}
	case *ast.Op:
		if need(1) {
			n.Right = args[0]
			return n, nil
		}
	case *ast.Pattern:
		if need(2) || need(3) {
			n.Left, n.Right = args[0], args[1]
			if need(3) {
				n.Escape = args[2]
			}
			return n, nil
		}
	case *ast.Between:
		if need(3) {
			n.Expr, n.Low, n.High = args[0], args[1], args[2]
			return n, nil
		}
	case *ast.Distinct:
		if need(2) {
			n.Left, n.Right = args[0], args[1]
			return n, nil
		}
	case *ast.Is:
		if need(1) {
			n.Expr = args[0]
			return n, nil
		}
	case *ast.AnyAll:
		if need(2) {
			n.Left = args[0]
			if q, ok := args[1].(*ast.Subquery); ok {
				n.Query = q.Query
			} else {
				n.Array = args[1]
			}
			return n, nil
		}
	case *ast.Exists:
		if need(1) {
			if q, ok := args[0].(*ast.Subquery); ok {
				n.Query = q.Query
				return n, nil
			}
		}
	case *ast.ArrayQuery:
		if need(1) {
			if q, ok := args[0].(*ast.Subquery); ok {
				n.Query = q.Query
				return n, nil
			}
		}
	case *ast.Overlaps:
		if need(2) {
			var okl, okr bool
			n.Left, okl = args[0].(*ast.Row)
			n.Right, okr = args[1].(*ast.Row)
			if okl && okr {
				return n, nil
			}
		}
	case *ast.Array:
		n.Elems = args
		return n, nil
	case *ast.Row:
		n.Elems = args
		return n, nil
	case *ast.Builtin:
		n.Args = args
		return n, nil
	case *ast.GroupingSet:
		n.Items = args
		return n, nil
	case *ast.NamedArg:
		if need(1) {
			n.Expr = args[0]
			return n, nil
		}
	case *ast.Field:
		if need(1) {
			n.Expr = args[0]
			return n, nil
		}
	case *ast.RowStar:
		if need(1) {
			n.Expr = args[0]
			return n, nil
		}
	case *ast.Collate:
		if need(1) {
			n.Expr = args[0]
			return n, nil
		}
	case *ast.Subscripts:
		return fillSubscripts(n, args)
	case *dialect.CallMark:
		return fillCall(n, args)
	case *dialect.KeywordMark:
		return fillKeyword(n, args)
	}
	return nil, unknown("operands of", n)
}

func fillSubscripts(n *ast.Subscripts, args []ast.Expr) (ast.Expr, error) {
	ok := true
	if n.Base, ok = take(&args); !ok {
		return nil, unknown("operands of", n)
	}
	put := func(e *ast.Expr) {
		if *e != nil && ok {
			*e, ok = take(&args)
		}
	}
	for i := range n.Items {
		s := &n.Items[i]
		put(&s.Index)
		put(&s.Low)
		put(&s.High)
	}
	if !ok || len(args) > 0 {
		return nil, unknown("operands of", n)
	}
	return n, nil
}

func fillCall(m *dialect.CallMark, args []ast.Expr) (ast.Expr, error) {
	c := m.Call
	if len(args) < m.Args {
		return nil, unknown("operands of", c)
	}
	if m.Args > 0 {
		c.Args = args[:m.Args:m.Args]
	}
	args = args[m.Args:]
	ok := true
	for _, o := range c.Order {
		if o.Expr, ok = take(&args); !ok {
			return nil, unknown("operands of", c)
		}
	}
	if m.Filter {
		if c.Filter, ok = take(&args); !ok {
			return nil, unknown("operands of", c)
		}
	}
	if c.Over != nil {
		if err := fillWindow(c.Over, &args); err != nil {
			return nil, err
		}
	}
	if len(args) > 0 {
		return nil, unknown("operands of", c)
	}
	return c, nil
}

// fillWindow takes the operands of a window from args.
func fillWindow(w *ast.Window, args *[]ast.Expr) error {
	ok := true
	for i := range w.Partition {
		if w.Partition[i], ok = take(args); !ok {
			return unknown("operands of", w)
		}
	}
	for _, o := range w.Order {
		if o.Expr, ok = take(args); !ok {
			return unknown("operands of", w)
		}
	}
	if w.Frame == nil {
		return nil
	}
	for _, b := range []*ast.Bound{&w.Frame.Start, &w.Frame.End} {
		if b.Offset == nil {
			continue
		}
		if b.Offset, ok = take(args); !ok {
			return unknown("operands of", w)
		}
	}
	return nil
}

func fillKeyword(m *dialect.KeywordMark, args []ast.Expr) (ast.Expr, error) {
	c := m.Call
	if len(args) != len(m.Perm) {
		return nil, unknown("operands of", c)
	}
	c.Args = make([]ast.Expr, len(args)+len(m.Fixed))
	for i, e := range m.Fixed {
		if i < len(c.Args) {
			c.Args[i] = e
		}
	}
	for i, e := range args {
		if m.Perm[i] >= len(c.Args) {
			return nil, unknown("operands of", c)
		}
		c.Args[m.Perm[i]] = e
	}
	for _, e := range c.Args {
		if e == nil {
			return nil, unknown("operands of", c)
		}
	}
	return c, nil
}
