package bind

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/sql/internal/rowfunc"
	"quern/storage/errs"
	"quern/storage/types"
)

// Rows: ROW(…), (a, b), a relation's name as a value, and what compares them. A
// row whose fields the statement shows is a list of expressions and compared
// field by field; only as a value is it put into a record.

// rowFields are the fields of a row that the statement shows.
type rowFields struct {
	exprs []plan.Expr
	names []string
}

// row gives the fields of e if it is a row, nil if it is anything else.
func (b *binder) row(ctx *exprCtx, e ast.Expr) (*rowFields, error) {
	switch e := e.(type) {
	case *ast.Row:
		return b.rowConstructor(ctx, e)
	case *ast.Star:
		if len(e.Parts) > 0 {
			return b.wholeRow(ctx, e.Parts, e)
		}
	case *ast.Column:
		if _, _, err := b.column(ctx.scope, e); err != nil && errs.CodeOf(err) == errs.UndefinedColumn || err != nil && len(e.Parts) > 1 {
			if rel, _, rerr := ctx.scope.relation(e.Parts); rerr == nil && rel != nil {
				return b.wholeRow(ctx, e.Parts, e)
			}
		}
	}
	return nil, nil
}

func (b *binder) rowConstructor(ctx *exprCtx, e *ast.Row) (*rowFields, error) {
	out := &rowFields{}
	for _, el := range e.Elems {
		if star, ok := el.(*ast.Star); ok && len(star.Parts) > 0 {
			all, err := b.wholeRow(ctx, star.Parts, star)
			if err != nil {
				return nil, err
			}
			out.exprs = append(out.exprs, all.exprs...)
			continue
		}
		x, err := b.expr(ctx, el)
		if err != nil {
			return nil, err
		}
		out.exprs = append(out.exprs, x)
	}
	for i := range out.exprs {
		out.names = append(out.names, "f"+itoa(i+1))
	}
	return out, nil
}

// wholeRow are the columns of a relation.
func (b *binder) wholeRow(ctx *exprCtx, parts []string, n ast.Expr) (*rowFields, error) {
	rel, _, err := ctx.scope.relation(parts)
	if err != nil {
		return nil, at(err, n)
	}
	if rel == nil {
		return nil, at(missingRelation(ctx.scope, parts), n)
	}
	out := &rowFields{}
	for _, c := range rel.cols {
		if c.hidden {
			continue
		}
		if b.rec != nil {
			b.rec.ref(b, ctx.scope, c, &ast.Column{Parts: []string{c.Name}})
		}
		out.exprs = append(out.exprs, b.named(c, n))
		out.names = append(out.names, c.Name)
	}
	return out, nil
}

// record makes one value of a row.
func (b *binder) record(r *rowFields, n ast.Node) (plan.Expr, error) {
	args := make([]plan.Expr, len(r.exprs))
	ts := make([]types.Type, len(r.exprs))
	for i, x := range r.exprs {
		x, err := b.known(x, n)
		if err != nil {
			return nil, err
		}
		args[i], ts[i] = x, x.Type()
	}
	x := &plan.Call{Fn: fn.RecordOf(ts, r.names), Args: args, Typ: types.Type{OID: types.RecordOID, Mod: -1}}
	b.rowsOf[x] = &rowFields{exprs: args, names: r.names}
	return x, nil
}

// recordField is a field of a record in a column, by way of JSON.
func (b *binder) recordField(x plan.Expr, e *ast.Field) (plan.Expr, error) {
	c, ok := x.(*plan.Col)
	if r := b.records[c.Index]; ok && r != nil {
		for i, n := range r.names {
			if n != e.Name {
				continue
			}
			doc, err := b.function("row_to_json", []plan.Expr{x}, e)
			if err != nil {
				return nil, err
			}
			text, err := b.function("json_extract_path_text", []plan.Expr{doc, &plan.Lit{Val: types.Datum{S: n}, Typ: types.Text}}, e)
			if err != nil {
				return nil, err
			}
			return b.coerce(text, bare(r.exprs[i].Type()), castExplicit, e)
		}
		return nil, at(errs.New(errs.UndefinedColumn, "could not identify column %q in record data type", e.Name), e.Expr)
	}
	return nil, at(errs.NotSupported("a field of a composite value"), e)
}

// rowValue binds a row that stands where a value is wanted.
func (b *binder) rowValue(ctx *exprCtx, e ast.Expr) (plan.Expr, error) {
	r, err := b.row(ctx, e)
	if err != nil {
		return nil, err
	}
	if rel := relationOf(ctx, e); rel != nil && rel.padded {
		// Whether the row is there at all cannot be told from its columns.
		return nil, at(errs.NotSupported("a whole-row reference to the nullable side of an outer join"), e)
	}
	return b.record(r, e)
}

func relationOf(ctx *exprCtx, e ast.Expr) *relation {
	var parts []string
	switch e := e.(type) {
	case *ast.Column:
		parts = e.Parts
	case *ast.Star:
		parts = e.Parts
	}
	if len(parts) == 0 {
		return nil
	}
	rel, _, _ := ctx.scope.relation(parts)
	return rel
}

// field binds (row).name.
func (b *binder) field(ctx *exprCtx, e *ast.Field) (plan.Expr, error) {
	if call, ok := e.Expr.(*ast.Call); ok {
		if name, err := b.functionName(call); err == nil && rowfunc.IsSet(name) && ctx.sets != nil {
			n, err := b.listSeries(ctx, call, name)
			if err != nil {
				return nil, err
			}
			for i := range n.Cols {
				if n.Cols[i].Name == e.Name {
					return n.Cols[i].Col(), nil
				}
			}
		}
	}
	r, err := b.row(ctx, e.Expr)
	if err != nil {
		return nil, err
	}
	if r == nil {
		if c, ok := e.Expr.(*ast.Column); ok {
			x, err := b.expr(ctx, c)
			if err != nil {
				return nil, err
			}
			if t := x.Type(); t.OID != types.RecordOID {
				return nil, at(errs.New(errs.WrongObjectType, "column notation .%s applied to type %s, which is not a composite type", e.Name, bare(t)), e)
			}
			return b.recordField(x, e)
		}
		return nil, at(errs.NotSupported("a field of a composite value"), e)
	}
	for i, n := range r.names {
		if n == e.Name {
			return r.exprs[i], nil
		}
	}
	if rel := relationOf(ctx, e.Expr); rel != nil {
		return nil, at(errs.New(errs.UndefinedColumn, "column %s.%s does not exist", rel.alias, e.Name), e.Expr)
	}
	return nil, at(errs.New(errs.UndefinedColumn, "could not identify column %q in record data type", e.Name), e)
}

// rowOp compares two rows; ok is false if neither side is one.
func (b *binder) rowOp(ctx *exprCtx, e *ast.Op) (x plan.Expr, ok bool, err error) {
	l, err := b.row(ctx, e.Left)
	if err != nil {
		return nil, true, err
	}
	if q, sub := e.Right.(*ast.Subquery); sub && l != nil {
		if _, plain := e.Left.(*ast.Row); plain {
			x, err = b.rowSubquery(ctx, e, l.exprs, q)
			return x, true, err
		}
	}
	r, err := b.row(ctx, e.Right)
	if err != nil || l == nil && r == nil {
		return nil, err != nil, err
	}
	if l == nil || r == nil {
		return nil, true, at(errs.NotSupported("comparison of a row with a composite value"), e)
	}
	x, err = b.compareRows(e.Name, e.Left, e.Right, l, r, e)
	return x, true, err
}

// compareRows compares row constructors field by field; where one side is a
// value of a composite type, NULLs are equal to each other.
func (b *binder) compareRows(op string, le, re ast.Expr, l, r *rowFields, n ast.Node) (plan.Expr, error) {
	_, lrow := le.(*ast.Row)
	_, rrow := re.(*ast.Row)
	if lrow && rrow {
		return b.rowCompare(op, l.exprs, r.exprs, n)
	}
	if op != "=" && op != "<>" {
		return nil, at(errs.NotSupported("ordering or grouping by a row"), n)
	}
	if len(l.exprs) != len(r.exprs) {
		return nil, at(errs.New(errs.DatatypeMismatch, "cannot compare record types with different numbers of columns"), n)
	}
	return b.rowDistinct(l, r, &ast.Distinct{At: ast.At{Pos: n.Position()}, Not: op == "="})
}

// rowSubquery compares a row with the one row of a subquery; without one the
// result is NULL.
func (b *binder) rowSubquery(ctx *exprCtx, e *ast.Op, ls []plan.Expr, q *ast.Subquery) (plan.Expr, error) {
	rs := make([]plan.Expr, len(ls))
	for i := range ls {
		r, err := b.inner(ctx, q.Query)
		if err != nil {
			return nil, err
		}
		switch {
		case len(r.cols) < len(ls):
			return nil, at(errs.New(errs.Syntax, "subquery has too few columns"), e)
		case len(r.cols) > len(ls):
			return nil, at(errs.New(errs.Syntax, "subquery has too many columns"), e)
		}
		rs[i] = nthColumn(r, i, q.Pos)
	}
	return b.rowCompare(e.Name, ls, rs, e)
}

// nthColumn is column i of a query that gives at most one row.
func nthColumn(r *result, i, pos int) plan.Expr {
	col := r.cols[i]
	one := &logical.Project{In: r.node, Items: []logical.Item{{Col: col.Column, Expr: col.Col()}}}
	return &logical.Sub{Kind: logical.SubScalar, Node: one, Typ: col.Type, Pos: pos}
}

// rowDistinct binds IS [NOT] DISTINCT FROM of rows.
func (b *binder) rowDistinct(l, r *rowFields, e *ast.Distinct) (plan.Expr, error) {
	if l == nil || r == nil {
		return nil, at(errs.NotSupported("comparison of a row with a composite value"), e)
	}
	if len(l.exprs) != len(r.exprs) {
		return nil, at(errs.New(errs.Syntax, "unequal number of entries in row expressions"), e)
	}
	var parts []plan.Expr
	for i := range l.exprs {
		p, err := b.distinctPair(l.exprs[i], r.exprs[i], e.Not, e)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	switch {
	case len(parts) == 0:
		lit := &plan.Lit{Typ: types.Bool}
		if e.Not {
			lit.Val.I = 1
		}
		return lit, nil
	case e.Not:
		return &plan.And{Args: parts}, nil
	}
	return &plan.Or{Args: parts}, nil
}

// rowNull binds IS [NOT] NULL of a row: of all its fields.
func (b *binder) rowNull(r *rowFields, e *ast.Is) (plan.Expr, error) {
	and := &plan.And{}
	for _, x := range r.exprs {
		x, err := b.known(x, e.Expr)
		if err != nil {
			return nil, err
		}
		and.Args = append(and.Args, &plan.IsNull{Arg: x, Not: e.Not})
	}
	switch len(and.Args) {
	case 0:
		return &plan.Lit{Typ: types.Bool, Val: types.Datum{I: 1}}, nil
	case 1:
		return and.Args[0], nil
	}
	return and, nil
}

// rowIn binds a row IN a list of rows.
func (b *binder) rowIn(ctx *exprCtx, e *ast.In, l *rowFields) (plan.Expr, error) {
	or := &plan.Or{}
	for _, it := range e.List {
		r, err := b.row(ctx, it)
		if err != nil {
			return nil, err
		}
		if r == nil {
			return nil, at(errs.NotSupported("comparison of a row with a composite value"), it)
		}
		eq, err := b.compareRows("=", e.Expr, it, l, r, it)
		if err != nil {
			return nil, err
		}
		or.Args = append(or.Args, eq)
	}
	var out plan.Expr = or
	if len(or.Args) == 1 {
		out = or.Args[0]
	}
	if e.Not {
		out = &plan.Not{Arg: out}
	}
	return out, nil
}

// rowStar expands (row).* in a SELECT list.
func (st *selectState) rowStar(e *ast.RowStar) error {
	r, err := st.b.row(st.ctx("SELECT"), e.Expr)
	if err != nil {
		return err
	}
	if r == nil || st.b.rec != nil {
		return at(errs.NotSupported("(…).* of a composite value"), e)
	}
	for i, x := range r.exprs {
		out := outCol{Column: logical.Column{Name: r.names[i], Type: x.Type()}, src: e}
		if x.Type().OID == types.UnknownOID {
			out.unknown = x
		}
		st.targets = append(st.targets, target{expr: x, col: out, src: e})
	}
	return nil
}
