package parse

import (
	"strconv"
	"strings"

	tidb "github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
)

// at is the place of n in the user's text.
func (d *decoder) at(n tidb.ExprNode) ast.At {
	return ast.At{Pos: d.c.Source(n.OriginTextPosition())}
}

func (d *decoder) exprs(list []tidb.ExprNode) ([]ast.Expr, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make([]ast.Expr, len(list))
	for i, n := range list {
		e, err := d.expr(n)
		if err != nil {
			return nil, err
		}
		out[i] = e
	}
	return out, nil
}

// expr decodes one expression. It is a switch over all nodes that carriers can
// give, and longer than a screen only for that.
func (d *decoder) expr(n tidb.ExprNode) (ast.Expr, error) {
	switch n := n.(type) {
	case *value:
		return d.literal(n)
	case *tidb.PositionExpr:
		return &ast.Literal{At: d.at(n), Kind: ast.LitInt, Text: strconv.Itoa(n.N)}, nil
	case *tidb.ColumnNameExpr:
		return d.column(n)
	case *tidb.ParenthesesExpr:
		return d.expr(n.Expr)
	case *tidb.FuncCallExpr:
		return d.call(n)
	case *tidb.BinaryOperationExpr:
		return d.binary(n)
	case *tidb.UnaryOperationExpr:
		return d.unary(n)
	case *tidb.SubqueryExpr:
		q, err := d.query(n.Query)
		return &ast.Subquery{At: d.at(n), Query: q}, err
	case *tidb.CaseExpr:
		return d.caseExpr(n)
	case *tidb.IsNullExpr:
		e, err := d.expr(n.Expr)
		return &ast.Is{At: d.at(n), Kind: ast.IsNull, Not: n.Not, Expr: e}, err
	case *tidb.IsTruthExpr:
		e, err := d.expr(n.Expr)
		kind := ast.IsFalse
		if n.True != 0 {
			kind = ast.IsTrue
		}
		return &ast.Is{At: d.at(n), Kind: kind, Not: n.Not, Expr: e}, err
	case *tidb.PatternInExpr:
		return d.in(n)
	}
	return nil, unknown("expression", n)
}

func (d *decoder) literal(n *value) (ast.Expr, error) {
	l := &ast.Literal{At: d.at(n)}
	switch v := n.v.(type) {
	case nil:
	case bool:
		l.Kind, l.Text = ast.LitBool, strconv.FormatBool(v)
	case int64:
		l.Kind, l.Text = ast.LitInt, strconv.FormatInt(v, 10)
	case string:
		l.Kind, l.Text = ast.LitString, v
	default:
		return nil, unknown("literal", v)
	}
	return l, nil
}

func (d *decoder) column(n *tidb.ColumnNameExpr) (ast.Expr, error) {
	at := d.at(n)
	c := n.Name
	if m := columnMark(n); m != "" {
		switch m {
		case dialect.MarkStar:
			return &ast.Star{At: at}, nil
		case dialect.MarkDefault:
			return &ast.Default{At: at}, nil
		}
		if num, ok := strings.CutPrefix(m, dialect.MarkParam); ok {
			p, err := strconv.Atoi(num)
			return &ast.Param{At: at, N: p}, err
		}
		return nil, unknown("column mark "+m[1:], n)
	}
	switch {
	case c.Schema.O != "":
		return &ast.Column{At: at, Parts: []string{c.Schema.O, c.Table.O, c.Name.O}}, nil
	case c.Table.O != "":
		return &ast.Column{At: at, Parts: []string{c.Table.O, c.Name.O}}, nil
	}
	return &ast.Column{At: at, Parts: []string{c.Name.O}}, nil
}

// binary decodes AND, OR, the native operators and chains of the others. All
// are left-deep and may be very long: the left spine is walked in a loop.
func (d *decoder) binary(n *tidb.BinaryOperationExpr) (ast.Expr, error) {
	switch n.Op {
	case opcode.LogicAnd:
		return d.logic(n, ast.And)
	case opcode.LogicOr:
		return d.logic(n, ast.Or)
	case opcode.Or:
		return d.chain(n)
	}
	var spine []*tidb.BinaryOperationExpr
	var left tidb.ExprNode = n
	for {
		b, ok := left.(*tidb.BinaryOperationExpr)
		if !ok || nativeName(b.Op) == "" {
			break
		}
		spine = append(spine, b)
		left = b.L
	}
	if len(spine) == 0 {
		return nil, unknown("operator "+n.Op.String(), n)
	}
	e, err := d.expr(left)
	if err != nil {
		return nil, err
	}
	for i := len(spine) - 1; i >= 0; i-- {
		b := spine[i]
		r, err := d.expr(b.R)
		if err != nil {
			return nil, err
		}
		e = &ast.Op{At: ast.At{Pos: d.c.SourceBefore(b.R.OriginTextPosition())}, Name: nativeName(b.Op), Left: e, Right: r}
	}
	return e, nil
}

func nativeName(op opcode.Op) string {
	switch op {
	case opcode.Plus:
		return "+"
	case opcode.Minus:
		return "-"
	case opcode.Mul:
		return "*"
	case opcode.Div:
		return "/"
	case opcode.Mod:
		return "%"
	case opcode.Xor:
		return "^"
	case opcode.EQ:
		return "="
	case opcode.NE:
		return "<>"
	case opcode.LT:
		return "<"
	case opcode.LE:
		return "<="
	case opcode.GT:
		return ">"
	case opcode.GE:
		return ">="
	}
	return ""
}

// logic flattens a left-deep AND or OR.
func (d *decoder) logic(n *tidb.BinaryOperationExpr, kind ast.LogicKind) (ast.Expr, error) {
	op := n.Op
	count := 2
	for l, ok := n.L.(*tidb.BinaryOperationExpr); ok && l.Op == op; l, ok = l.L.(*tidb.BinaryOperationExpr) {
		count++
	}
	args := make([]ast.Expr, count)
	pos := -1
	for i := count - 1; ; i-- {
		var err error
		if args[i], err = d.expr(n.R); err != nil {
			return nil, err
		}
		pos = d.c.SourceBefore(n.R.OriginTextPosition())
		if i == 1 {
			if args[0], err = d.expr(n.L); err != nil {
				return nil, err
			}
			break
		}
		n = n.L.(*tidb.BinaryOperationExpr)
	}
	return &ast.Logic{At: ast.At{Pos: pos}, Kind: kind, Args: args}, nil
}

// chain folds a | `op` | b | `op` | c by threes.
func (d *decoder) chain(n *tidb.BinaryOperationExpr) (ast.Expr, error) {
	var parts []tidb.ExprNode
	var left tidb.ExprNode = n
	for {
		b, ok := left.(*tidb.BinaryOperationExpr)
		if !ok || b.Op != opcode.Or {
			parts = append(parts, left)
			break
		}
		parts = append(parts, b.R)
		left = b.L
	}
	if len(parts)%2 == 0 {
		return nil, unknown("operator chain", n)
	}
	e, err := d.expr(parts[len(parts)-1])
	if err != nil {
		return nil, err
	}
	for i := len(parts) - 2; i > 0; i -= 2 {
		op := &ast.Op{At: d.at(parts[i]), Left: e}
		m := columnMark(parts[i])
		if name, ok := strings.CutPrefix(m, dialect.MarkOp); ok {
			op.Name = name
		} else if name, ok := strings.CutPrefix(m, dialect.MarkOpIn); ok {
			op.Schema, op.Name, _ = strings.Cut(name, "\x02")
		} else {
			return nil, unknown("operator chain", parts[i])
		}
		if op.Right, err = d.expr(parts[i-1]); err != nil {
			return nil, err
		}
		e = op
	}
	return e, nil
}

// unary decodes NOT and signs; a sign before a number becomes part of it.
func (d *decoder) unary(n *tidb.UnaryOperationExpr) (ast.Expr, error) {
	e, err := d.expr(n.V)
	if err != nil {
		return nil, err
	}
	switch n.Op {
	case opcode.Not:
		return &ast.Logic{At: d.at(n), Kind: ast.Not, Args: []ast.Expr{e}}, nil
	case opcode.Plus:
		return &ast.Op{At: d.at(n), Name: "+", Right: e}, nil
	case opcode.Minus:
		if l, ok := e.(*ast.Literal); ok && (l.Kind == ast.LitInt || l.Kind == ast.LitNumeric) {
			if t, ok := strings.CutPrefix(l.Text, "-"); ok {
				l.Text = t
			} else {
				l.Text = "-" + l.Text
			}
			l.At = d.at(n)
			return l, nil
		}
		return &ast.Op{At: d.at(n), Name: "-", Right: e}, nil
	}
	return nil, unknown("operator "+n.Op.String(), n)
}

func (d *decoder) caseExpr(n *tidb.CaseExpr) (ast.Expr, error) {
	c := &ast.Case{At: d.at(n), Whens: make([]ast.When, len(n.WhenClauses))}
	var err error
	if n.Value != nil {
		if c.Arg, err = d.expr(n.Value); err != nil {
			return nil, err
		}
	}
	for i, w := range n.WhenClauses {
		if c.Whens[i].Cond, err = d.expr(w.Expr); err != nil {
			return nil, err
		}
		if c.Whens[i].Then, err = d.expr(w.Result); err != nil {
			return nil, err
		}
	}
	if n.ElseClause != nil {
		if c.Else, err = d.expr(n.ElseClause); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (d *decoder) in(n *tidb.PatternInExpr) (ast.Expr, error) {
	e, err := d.expr(n.Expr)
	if err != nil {
		return nil, err
	}
	in := &ast.In{Not: n.Not, Expr: e}
	if n.Sel != nil {
		s, ok := n.Sel.(*tidb.SubqueryExpr)
		if !ok {
			return nil, unknown("IN", n.Sel)
		}
		in.Pos = d.c.SourceBefore(s.OriginTextPosition())
		in.Query, err = d.query(s.Query)
		return in, err
	}
	in.Pos = d.c.SourceBefore(n.List[0].OriginTextPosition())
	in.List, err = d.exprs(n.List)
	return in, err
}

// sideOf is the side entry named by the first argument of a mark's call.
func (d *decoder) sideOf(f *tidb.FuncCallExpr) (any, error) {
	if len(f.Args) == 0 {
		return nil, unknown("mark", f)
	}
	v, ok := f.Args[0].(*value)
	if !ok {
		return nil, unknown("mark", f.Args[0])
	}
	i, ok := v.v.(int64)
	if !ok || i < 0 || i >= int64(len(d.c.Side)) {
		return nil, unknown("mark", v.v)
	}
	return d.c.Side[i], nil
}

// node decodes the operands of a node's call.
func (d *decoder) node(e tidb.ExprNode) (any, []ast.Expr, error) {
	m, f := funcMark(e)
	if m != dialect.MarkNode {
		return nil, nil, unknown("node", e)
	}
	s, err := d.sideOf(f)
	if err != nil {
		return nil, nil, err
	}
	args, err := d.exprs(f.Args[1:])
	return s, args, err
}

// call decodes a function call: a plain one, or a node with its operands.
func (d *decoder) call(f *tidb.FuncCallExpr) (ast.Expr, error) {
	if !strings.HasPrefix(f.FnName.O, dialect.Mark) {
		if f.Schema.O != "" {
			return nil, unknown("call", f)
		}
		args, err := d.exprs(f.Args)
		return &ast.Call{At: d.at(f), Name: []string{f.FnName.O}, Args: args}, err
	}
	n, args, err := d.node(f)
	if err != nil {
		return nil, err
	}
	return fill(n, args)
}
