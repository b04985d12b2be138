package parse

import (
	"strconv"
	"strings"

	tidb "github.com/pingcap/tidb/pkg/parser/ast"

	"quern/sql/internal/ast"
	"quern/sql/internal/dialect"
)

// decoder turns the grammar's tree for one carrier into ours.
type decoder struct {
	c *dialect.Carrier
}

func (d *decoder) statement(n tidb.StmtNode) (*ast.Query, error) {
	rs, ok := n.(tidb.ResultSetNode)
	if !ok {
		return nil, unknown("statement", n)
	}
	return d.query(rs)
}

// side is entry i of the carrier.
func (d *decoder) side(text string) (any, error) {
	i, err := strconv.Atoi(text)
	if err != nil || i < 0 || i >= len(d.c.Side) {
		return nil, unknown("side entry "+text, nil)
	}
	return d.c.Side[i], nil
}

func (d *decoder) query(n tidb.Node) (*ast.Query, error) {
	switch n := n.(type) {
	case *tidb.SelectStmt:
		return d.selectQuery(n)
	case *tidb.SetOprStmt:
		return d.setQuery(n)
	}
	return nil, unknown("query", n)
}

func (d *decoder) selectQuery(n *tidb.SelectStmt) (*ast.Query, error) {
	if n.Kind != tidb.SelectStmtKindSelect || n.Limit != nil || n.LockInfo != nil || n.SelectIntoOpt != nil {
		return nil, unknown("select", n)
	}
	q := &ast.Query{}
	var err error
	if q.With, err = d.with(n.With); err != nil {
		return nil, err
	}
	if q.Body, err = d.body(n); err != nil {
		return nil, err
	}
	q.At = ast.At{Pos: q.Body.Position()}
	return q, d.tail(q, n.OrderBy)
}

// setQuery folds the grammar's flat list from the left: the walker writes an
// INTERSECT chain inside UNION as a derived table.
func (d *decoder) setQuery(n *tidb.SetOprStmt) (*ast.Query, error) {
	if n.Limit != nil || n.SelectList == nil || len(n.SelectList.Selects) < 2 {
		return nil, unknown("set operation", n)
	}
	q := &ast.Query{}
	var err error
	if q.With, err = d.with(n.With); err != nil {
		return nil, err
	}
	var left *ast.Query
	for i, s := range n.SelectList.Selects {
		sel, ok := s.(*tidb.SelectStmt)
		if !ok {
			return nil, unknown("operand", s)
		}
		right, err := d.operand(sel)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			left = right
			continue
		}
		if sel.AfterSetOperator == nil {
			return nil, unknown("operand", s)
		}
		op := &ast.SetOp{At: left.At, Left: left, Right: right}
		switch *sel.AfterSetOperator {
		case tidb.Union:
			op.Kind = ast.Union
		case tidb.UnionAll:
			op.Kind, op.All = ast.Union, true
		case tidb.Except:
			op.Kind = ast.Except
		case tidb.ExceptAll:
			op.Kind, op.All = ast.Except, true
		case tidb.Intersect:
			op.Kind = ast.Intersect
		case tidb.IntersectAll:
			op.Kind, op.All = ast.Intersect, true
		default:
			return nil, unknown("set operator", s)
		}
		left = &ast.Query{At: op.At, Body: op}
	}
	q.Body, q.At = left.Body, left.At
	return q, d.tail(q, n.OrderBy)
}

// operand is an operand of a set operation: a SELECT, or a parenthesised query.
func (d *decoder) operand(n *tidb.SelectStmt) (*ast.Query, error) {
	if f := n.Fields.Fields; len(f) == 1 && columnMark(f[0].Expr) == dialect.MarkPar {
		src, ok := n.From.TableRefs.Left.(*tidb.TableSource)
		if !ok {
			return nil, unknown("operand", n)
		}
		return d.query(src.Source)
	}
	if n.OrderBy != nil || n.With != nil {
		return nil, unknown("operand", n)
	}
	return d.selectQuery(n)
}

// columnMark is the mark that e is as a column, or "".
func columnMark(e tidb.ExprNode) string {
	c, ok := e.(*tidb.ColumnNameExpr)
	if !ok || c.Name.Table.O != "" || !strings.HasPrefix(c.Name.Name.O, dialect.Mark) {
		return ""
	}
	return c.Name.Name.O
}

// funcMark is the mark that e is as a call, or "".
func funcMark(e tidb.ExprNode) (string, *tidb.FuncCallExpr) {
	f, ok := e.(*tidb.FuncCallExpr)
	if !ok || !strings.HasPrefix(f.FnName.O, dialect.Mark) {
		return "", nil
	}
	return f.FnName.O, f
}

func (d *decoder) with(n *tidb.WithClause) (*ast.With, error) {
	if n == nil {
		return nil, nil
	}
	var with *ast.With
	for _, c := range n.CTEs {
		num, ok := strings.CutPrefix(c.Name.O, dialect.MarkCTE)
		if !ok {
			return nil, unknown("WITH", c)
		}
		s, err := d.side(num)
		if err != nil {
			return nil, err
		}
		m, ok := s.(*dialect.CTEMark)
		if !ok {
			return nil, unknown("WITH", s)
		}
		if m.CTE.Stmt == nil {
			if m.CTE.Query, err = d.query(c.Query.Query); err != nil {
				return nil, err
			}
		}
		with = m.With
	}
	return with, nil
}

func (d *decoder) body(n *tidb.SelectStmt) (ast.Body, error) {
	fields := n.Fields.Fields
	pos := d.c.SourceBefore(fields[0].Offset)
	if columnMark(fields[0].Expr) == dialect.MarkValues {
		return d.values(fields[1:], pos)
	}
	s := &ast.Select{At: ast.At{Pos: pos}, Distinct: n.Distinct}
	var err error
	if m, f := funcMark(fields[0].Expr); m == dialect.MarkDistinctOn {
		s.Distinct = true
		if s.DistinctOn, err = d.exprs(f.Args); err != nil {
			return nil, err
		}
		fields = fields[1:]
	}
	if len(fields) != 1 || columnMark(fields[0].Expr) != dialect.MarkNone {
		if s.Targets, err = d.targets(fields); err != nil {
			return nil, err
		}
	}
	if n.From != nil && !isNoFrom(n.From.TableRefs) {
		if s.From, err = d.from(n.From.TableRefs); err != nil {
			return nil, err
		}
	}
	if n.Where != nil {
		if s.Where, err = d.expr(n.Where); err != nil {
			return nil, err
		}
	}
	if n.GroupBy != nil {
		if s.Group, err = d.groupBy(n.GroupBy); err != nil {
			return nil, err
		}
	}
	if n.Having != nil {
		if s.Having, err = d.expr(n.Having.Expr); err != nil {
			return nil, err
		}
	}
	return s, d.windows(s, n.WindowSpecs)
}

func (d *decoder) targets(fields []*tidb.SelectField) ([]*ast.Target, error) {
	list := make([]*ast.Target, len(fields))
	buf := make([]ast.Target, len(fields))
	for i, f := range fields {
		if f.WildCard != nil {
			return nil, unknown("field", f)
		}
		e, err := d.expr(f.Expr)
		if err != nil {
			return nil, err
		}
		buf[i] = ast.Target{At: ast.At{Pos: d.c.Source(f.Offset)}, Expr: e, Alias: f.AsName.O}
		list[i] = &buf[i]
	}
	return list, nil
}

func (d *decoder) values(fields []*tidb.SelectField, pos int) (ast.Body, error) {
	v := &ast.Values{At: ast.At{Pos: pos}, Rows: make([][]ast.Expr, len(fields))}
	for i, f := range fields {
		m, call := funcMark(f.Expr)
		if m != dialect.MarkRow {
			return nil, unknown("VALUES", f.Expr)
		}
		var err error
		if v.Rows[i], err = d.exprs(call.Args); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (d *decoder) groupBy(n *tidb.GroupByClause) (*ast.GroupBy, error) {
	g := &ast.GroupBy{At: ast.At{Pos: -1}}
	items := n.Items
	switch m, _ := funcMark(items[0].Expr); m {
	case dialect.MarkGroupAll:
		items = items[1:]
		g.All = len(items) == 0
	case dialect.MarkGroupDistinct:
		items = items[1:]
		g.Distinct = true
	}
	for _, it := range items {
		e, err := d.expr(it.Expr)
		if err != nil {
			return nil, err
		}
		g.Items = append(g.Items, e)
	}
	if len(g.Items) > 0 {
		g.Pos = g.Items[0].Position()
	}
	return g, nil
}

func (d *decoder) windows(s *ast.Select, specs []tidb.WindowSpec) error {
	for i := range specs {
		p := specs[i].PartitionBy
		if p == nil || len(p.Items) != 1 {
			return unknown("WINDOW", specs[i])
		}
		n, args, err := d.node(p.Items[0].Expr)
		if err != nil {
			return err
		}
		win, ok := n.(*ast.Window)
		if !ok {
			return unknown("WINDOW", n)
		}
		if err := fillWindow(win, &args); err != nil {
			return err
		}
		s.Windows = append(s.Windows, win)
	}
	return nil
}

// tail decodes ORDER BY, in which LIMIT, OFFSET and locks travel too.
func (d *decoder) tail(q *ast.Query, n *tidb.OrderByClause) error {
	if n == nil {
		return nil
	}
	for _, it := range n.Items {
		switch m, f := funcMark(it.Expr); m {
		case dialect.MarkTail:
			if err := d.tailMark(q, f); err != nil {
				return err
			}
			continue
		case dialect.MarkSort:
			s, err := d.sideOf(f)
			if err != nil {
				return err
			}
			item, ok := s.(*ast.SortItem)
			if !ok || len(f.Args) != 2 {
				return unknown("ORDER BY", s)
			}
			if item.Expr, err = d.expr(f.Args[1]); err != nil {
				return err
			}
			q.OrderBy = append(q.OrderBy, item)
			continue
		}
		e, err := d.expr(it.Expr)
		if err != nil {
			return err
		}
		q.OrderBy = append(q.OrderBy, &ast.SortItem{At: ast.At{Pos: e.Position()}, Expr: e, Desc: it.Desc})
	}
	return nil
}

func (d *decoder) tailMark(q *ast.Query, f *tidb.FuncCallExpr) error {
	s, err := d.sideOf(f)
	if err != nil {
		return err
	}
	m, ok := s.(*dialect.TailMark)
	if !ok {
		return unknown("tail", s)
	}
	q.Locks = append(q.Locks, m.Locks...)
	if !m.HasLimit && !m.HasOffset {
		return nil
	}
	if len(f.Args) != 2 {
		return unknown("tail", f)
	}
	e, err := d.expr(f.Args[1])
	if err != nil {
		return err
	}
	if m.HasOffset {
		q.Offset = e
		return nil
	}
	q.WithTies = m.WithTies
	if l, ok := e.(*ast.Literal); ok && l.Kind == ast.LitNull {
		return nil
	}
	q.Limit = e
	return nil
}

// isNoFrom reports whether n is the mark of a SELECT without FROM.
func isNoFrom(n *tidb.Join) bool {
	if n.Right != nil {
		return false
	}
	s, ok := n.Left.(*tidb.TableSource)
	if !ok {
		return false
	}
	t, ok := s.Source.(*tidb.TableName)
	return ok && t.Schema.O == "" && t.Name.O == dialect.MarkNone
}

// from decodes a comma list, which the grammar gives as left-deep joins
// without condition.
func (d *decoder) from(n tidb.ResultSetNode) ([]ast.TableExpr, error) {
	var list []ast.TableExpr
	for {
		j, ok := n.(*tidb.Join)
		if !ok || j.Right != nil && j.On != nil {
			t, err := d.table(n)
			if err != nil {
				return nil, err
			}
			list = append(list, t)
			break
		}
		if j.Right != nil {
			t, err := d.table(j.Right)
			if err != nil {
				return nil, err
			}
			list = append(list, t)
		}
		n = j.Left
	}
	for i, k := 0, len(list)-1; i < k; i, k = i+1, k-1 {
		list[i], list[k] = list[k], list[i]
	}
	return list, nil
}

func (d *decoder) table(n tidb.ResultSetNode) (ast.TableExpr, error) {
	switch n := n.(type) {
	case *tidb.Join:
		if n.Right == nil {
			return d.table(n.Left)
		}
		return d.join(n)
	case *tidb.TableSource:
		return d.source(n)
	}
	return nil, unknown("FROM", n)
}

// join decodes A JOIN B ON @j<i>:=condition. Chains are left-deep and walked
// in a loop.
func (d *decoder) join(n *tidb.Join) (ast.TableExpr, error) {
	var chain []*tidb.Join
	var left tidb.ResultSetNode = n
	for {
		j, ok := left.(*tidb.Join)
		if !ok {
			break
		}
		if j.Right != nil {
			chain = append(chain, j)
		}
		left = j.Left
	}
	t, err := d.table(left)
	if err != nil {
		return nil, err
	}
	for i := len(chain) - 1; i >= 0; i-- {
		j := chain[i]
		if j.On == nil {
			return nil, unknown("join", j)
		}
		v, ok := j.On.Expr.(*tidb.VariableExpr)
		if !ok {
			return nil, unknown("join condition", j.On.Expr)
		}
		s, err := d.side(strings.TrimPrefix(v.Name, "j"))
		if err != nil {
			return nil, err
		}
		m, ok := s.(*ast.Join)
		if !ok {
			return nil, unknown("join", s)
		}
		m.Left = t
		if m.Right, err = d.table(j.Right); err != nil {
			return nil, err
		}
		if m.Kind != ast.JoinCross && !m.Natural && m.Using == nil {
			if m.On, err = d.expr(v.Value); err != nil {
				return nil, err
			}
		}
		t = m
	}
	return t, nil
}

// source decodes a relation, a derived table or a FROM function.
func (d *decoder) source(n *tidb.TableSource) (ast.TableExpr, error) {
	if t, ok := n.Source.(*tidb.TableName); ok {
		num, ok := strings.CutPrefix(t.Name.O, dialect.MarkRel)
		if !ok || t.Schema.O != "" {
			return nil, unknown("relation", t)
		}
		s, err := d.side(num)
		if err != nil {
			return nil, err
		}
		r, ok := s.(*ast.TableRef)
		if !ok {
			return nil, unknown("relation", s)
		}
		return r, nil
	}
	if n.AsName.O == dialect.Mark {
		sel, ok := n.Source.(*tidb.SelectStmt)
		if !ok || len(sel.Fields.Fields) != 1 {
			return nil, unknown("FROM function", n.Source)
		}
		m, f := funcMark(sel.Fields.Fields[0].Expr)
		if m != dialect.MarkFrom {
			return nil, unknown("FROM function", n.Source)
		}
		return d.fromFunction(f)
	}
	num, ok := strings.CutPrefix(n.AsName.O, dialect.MarkSub)
	if !ok {
		return nil, unknown("derived table", n)
	}
	s, err := d.side(num)
	if err != nil {
		return nil, err
	}
	r, ok := s.(*ast.SubqueryRef)
	if !ok {
		return nil, unknown("derived table", s)
	}
	r.Query, err = d.query(n.Source)
	return r, err
}

func (d *decoder) fromFunction(f *tidb.FuncCallExpr) (ast.TableExpr, error) {
	s, err := d.sideOf(f)
	if err != nil {
		return nil, err
	}
	args, err := d.exprs(f.Args[1:])
	if err != nil {
		return nil, err
	}
	switch s := s.(type) {
	case *ast.FuncTable:
		if len(args) != len(s.Calls) {
			return nil, unknown("FROM function", f)
		}
		for i := range args {
			s.Calls[i].Expr = args[i]
		}
		return s, nil
	case *dialect.SampleMark:
		t := s.Table
		if s.HasSeed {
			t.Sample.Seed = args[len(args)-1]
			args = args[:len(args)-1]
		}
		t.Sample.Args = args
		return t, nil
	}
	return nil, unknown("FROM function", s)
}
