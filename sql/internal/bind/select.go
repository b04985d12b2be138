package bind

import (
	"strconv"
	"strings"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/colname"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// target is one item of a SELECT list being bound.
type target struct {
	expr plan.Expr
	col  outCol
	src  ast.Expr // nil for a column of *
}

// selectState is a SELECT while its clauses are bound in order of evaluation.
type selectState struct {
	b       *binder
	scope   *scope
	q       *ast.Query
	sel     *ast.Select
	node    logical.Node
	agg     *aggState
	win     *windowState
	sets    setCalls
	targets []target
	having  plan.Expr
	keys    []plan.SortKey // ORDER BY
	on      []plan.Expr    // DISTINCT ON
	selfRef bool           // FROM has a recursive reference
}

func (b *binder) selectQuery(s *scope, q *ast.Query, sel *ast.Select) (*result, error) {
	st := &selectState{b: b, scope: s, q: q, sel: sel, agg: &aggState{}}
	st.win = &windowState{st: st, calls: map[string]logical.Column{}, ids: logical.Set{}}
	for _, step := range []func() error{
		st.from, st.list, st.where, st.havingClause, st.order, st.group, st.expandEarly, st.aggregate, st.windows, st.expandSets, st.project,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	r := &result{node: st.node}
	for i := range st.targets {
		r.cols = append(r.cols, st.targets[i].col)
	}
	return b.limit(s, r, q)
}

func (st *selectState) from() error {
	old := st.b.selfLevel
	st.b.selfLevel = 0
	node, err := st.b.fromList(st.scope, st.sel.From)
	st.node, st.selfRef = node, st.b.selfLevel == st.b.level
	st.b.selfLevel = old
	return err
}

func (st *selectState) where() error {
	if st.sel.Where == nil {
		return nil
	}
	e, err := st.b.condition(st.scope, st.sel.Where, "WHERE")
	if err != nil {
		return err
	}
	st.node = &logical.Filter{In: st.node, Preds: logical.Conjuncts(nil, e)}
	return nil
}

func (st *selectState) ctx(clause string) *exprCtx {
	return &exprCtx{scope: st.scope, clause: clause, agg: st.agg}
}

// list binds the SELECT list.
func (st *selectState) list() error {
	for _, t := range st.sel.Targets {
		if err := st.target(t); err != nil {
			return err
		}
	}
	if len(st.targets) > targetsMax {
		return errs.New(errs.TooManyColumns, "target lists can have at most %d entries", targetsMax)
	}
	return nil
}

func (st *selectState) target(t *ast.Target) error {
	if rs, ok := t.Expr.(*ast.RowStar); ok {
		return st.rowStar(rs)
	}
	if star, ok := t.Expr.(*ast.Star); ok {
		cols, err := st.b.star(st.scope, star.Parts, star)
		if err != nil {
			return err
		}
		if st.b.rec != nil {
			st.b.rec.star(st.b, st.scope, st.sel, t, cols)
		}
		for _, c := range cols {
			e := st.b.named(c, star)
			st.targets = append(st.targets, target{expr: e, col: outCol{Column: c.Column, tableOID: c.tableOID, attNum: c.attNum, src: star}})
		}
		return nil
	}
	ctx := st.ctx("SELECT")
	ctx.sets, ctx.win = &st.sets, st.win
	e, err := st.b.expr(ctx, t.Expr)
	if err != nil {
		return err
	}
	name := t.Alias
	if name == "" {
		name = colname.Of(t.Expr, st.b.subNames)
	}
	if st.b.rec != nil {
		st.b.rec.target(t, name)
	}
	out := outCol{Column: logical.Column{Name: name, Type: e.Type()}, src: t.Expr}
	if c, ok := t.Expr.(*ast.Column); ok {
		if col, _, err := st.b.column(st.scope, c); err == nil && col != nil {
			out.tableOID, out.attNum, out.NotNull = col.tableOID, col.attNum, col.NotNull
		}
	}
	if e.Type().OID == types.UnknownOID {
		out.unknown = e
	}
	st.targets = append(st.targets, target{expr: e, col: out, src: t.Expr})
	return nil
}

func (st *selectState) havingClause() error {
	if st.sel.Having == nil {
		return nil
	}
	st.agg.grouped = true
	ctx := st.ctx("HAVING")
	e, err := st.b.boolExpr(ctx, st.sel.Having, "HAVING")
	st.having = e
	return err
}

// order binds ORDER BY: output names and ordinals first, else expressions over
// the input.
func (st *selectState) order() error {
	if len(st.q.OrderBy) == 0 && !st.sel.Distinct {
		return nil
	}
	st.resolveTargets()
	for _, it := range st.q.OrderBy {
		if l, ok := it.Expr.(*ast.Literal); ok && st.b.rec != nil {
			if n, err := strconv.Atoi(l.Text); err == nil && n > 0 && n <= len(st.targets) {
				st.b.rec.ordinal(st.sel, l, n-1, func(e ast.Expr) { it.Expr = e })
			}
		}
		e, err := st.sortExpr(it.Expr)
		if err != nil {
			return err
		}
		k, err := st.b.sortKey(e, it)
		if err != nil {
			return err
		}
		st.keys = append(st.keys, k)
	}
	return st.distinctOn()
}

// distinctOn binds DISTINCT ON: its expressions are the leading sort keys, or
// become further ones.
func (st *selectState) distinctOn() error {
	if len(st.sel.DistinctOn) == 0 {
		return nil
	}
	on := map[string]bool{}
	var places []ast.Expr
	for _, e := range st.sel.DistinctOn {
		x, err := st.sortExpr(e)
		if e, ok := err.(*errs.Error); ok {
			e.Msg = strings.Replace(e.Msg, "ORDER BY", "DISTINCT ON", 1)
		}
		if err != nil {
			return err
		}
		if k := logical.Key(x); !on[k] {
			on[k] = true
			st.on, places = append(st.on, x), append(places, e)
		}
	}
	sorted := map[string]bool{}
	for i, k := range st.keys {
		if key := logical.Key(k.Expr); on[key] {
			if i > len(sorted) {
				return at(errs.New(errs.InvalidColumnReference,
					"SELECT DISTINCT ON expressions must match initial ORDER BY expressions"), st.sel.DistinctOn[0])
			}
			sorted[key] = true
		}
	}
	ordered := len(st.keys)
	for i, x := range st.on {
		if !sorted[logical.Key(x)] {
			if len(sorted) < ordered {
				return at(errs.New(errs.InvalidColumnReference,
					"SELECT DISTINCT ON expressions must match initial ORDER BY expressions"), places[i])
			}
			st.keys = append(st.keys, plan.SortKey{Expr: x})
		}
	}
	return nil
}

// resolveTargets gives Unknown targets the type text, as sorting needs a type.
func (st *selectState) resolveTargets() {
	for i := range st.targets {
		t := &st.targets[i]
		if t.col.unknown == nil {
			continue
		}
		if e, err := st.b.coerce(t.expr, types.Text, castImplicit, t.src); err == nil {
			t.expr, t.col.Type, t.col.unknown = e, types.Text, nil
		}
	}
}

func (st *selectState) sortExpr(e ast.Expr) (plan.Expr, error) {
	cols := make([]outCol, len(st.targets))
	for i := range st.targets {
		cols[i] = st.targets[i].col
	}
	idx, err := st.outputIndex(cols, e)
	if err != nil {
		return nil, err
	}
	if idx >= 0 {
		return st.targets[idx].expr, nil
	}
	ctx := st.ctx("ORDER BY")
	ctx.win, ctx.sets = st.win, &st.sets
	x, err := st.b.expr(ctx, e)
	if err != nil {
		return nil, err
	}
	if x, err = st.b.known(x, e); err != nil {
		return nil, err
	}
	if st.sel.Distinct && len(st.sel.DistinctOn) == 0 {
		for i := range st.targets {
			if logical.Key(st.targets[i].expr) == logical.Key(x) {
				return st.targets[i].expr, nil
			}
		}
		return nil, at(errs.New(errs.InvalidColumnReference,
			"for SELECT DISTINCT, ORDER BY expressions must appear in select list"), e)
	}
	return x, nil
}

// outputIndex finds the target that an ORDER BY item names. Two targets of the
// same name are no conflict if they are the same expression.
func (st *selectState) outputIndex(cols []outCol, e ast.Expr) (int, error) {
	if c, ok := e.(*ast.Column); ok && len(c.Parts) == 1 {
		found := -1
		for i := range cols {
			if cols[i].Name != c.Parts[0] {
				continue
			}
			if found >= 0 && logical.Key(st.targets[i].expr) != logical.Key(st.targets[found].expr) {
				return 0, at(errs.New(errs.AmbiguousColumn, "ORDER BY %q is ambiguous", c.Parts[0]), e)
			}
			if found < 0 {
				found = i
			}
		}
		return found, nil
	}
	return outputIndex(cols, e, "ORDER BY")
}

// outputIndex finds a result column by name or ordinal: -1 if e is neither.
func outputIndex(cols []outCol, e ast.Expr, clause string) (int, error) {
	switch e := e.(type) {
	case *ast.Column:
		if len(e.Parts) != 1 {
			return -1, nil
		}
		found := -1
		for i := range cols {
			if cols[i].Name != e.Parts[0] {
				continue
			}
			if found >= 0 && cols[found].ID != cols[i].ID {
				return 0, at(errs.New(errs.AmbiguousColumn, "%s %q is ambiguous", clause, e.Parts[0]), e)
			}
			if found < 0 {
				found = i
			}
		}
		return found, nil
	case *ast.Literal:
		n, err := strconv.Atoi(e.Text)
		if e.Kind != ast.LitInt {
			return 0, at(errs.New(errs.Syntax, "non-integer constant in %s", clause), e)
		}
		if err != nil || n < 1 || n > len(cols) {
			return 0, at(errs.New(errs.InvalidColumnReference, "%s position %s is not in select list", clause, e.Text), e)
		}
		return n - 1, nil
	}
	return -1, nil
}

// project computes the targets, then DISTINCT and ORDER BY.
func (st *selectState) project() error {
	items := make([]logical.Item, 0, len(st.targets))
	byKey := map[string]logical.Column{}
	// An outer query's column gets a number of its own: the old one would be
	// the outer row's value wherever both are in reach.
	input := logical.OutSet(st.node)
	for i := range st.targets {
		t := &st.targets[i]
		if c, ok := t.expr.(*plan.Col); ok && input[c.Index] {
			t.col.ID = c.Index
		} else {
			t.col.ID = st.b.newID()
		}
		if r := st.b.rowsOf[t.expr]; r != nil {
			st.b.records[t.col.ID] = r
		}
		t.col.Type = t.expr.Type()
		items = append(items, logical.Item{Col: t.col.Column, Expr: t.expr})
		if k := logical.Key(t.expr); byKey[k].ID == 0 {
			byKey[k] = t.col.Column
		}
	}
	for i, k := range st.keys {
		key := logical.Key(k.Expr)
		col, ok := byKey[key]
		if !ok {
			col = st.b.newCol("", k.Expr.Type())
			if c, plain := k.Expr.(*plan.Col); plain && input[c.Index] {
				col.ID = c.Index
			}
			items = append(items, logical.Item{Col: col, Expr: k.Expr})
			byKey[key] = col
		}
		st.keys[i].Expr = col.Col()
	}
	st.node = &logical.Project{In: st.node, Items: items}
	if st.sel.Distinct && len(st.on) == 0 {
		cols := make([]logical.Column, len(st.targets))
		for i := range st.targets {
			if err := st.b.sortable(st.targets[i].col.Type, st.targets[i].src); err != nil {
				return err
			}
			cols[i] = st.targets[i].col.Column
		}
		st.node = distinct(st.node, cols)
	}
	if len(st.keys) > 0 {
		st.node = &logical.Sort{In: st.node, Keys: st.keys}
	}
	if len(st.on) > 0 {
		on := make([]plan.Expr, len(st.on))
		for i, x := range st.on {
			c := byKey[logical.Key(x)]
			on[i] = c.Col()
		}
		st.node = &logical.DistinctOn{In: st.node, Keys: on}
	}
	return nil
}

func (b *binder) sortKey(e plan.Expr, it *ast.SortItem) (plan.SortKey, error) {
	k := plan.SortKey{Expr: e, Desc: it.Desc}
	switch it.Using {
	case "", "<":
	case ">":
		k.Desc = true
	default:
		return k, at(errs.New(errs.WrongObjectType, "operator %s is not a valid ordering operator", it.Using).
			WithHint("Ordering operators must be \"<\" or \">\" members of btree operator families."), it)
	}
	k.NullsFirst = k.Desc
	if it.Nulls != ast.NullsUnset {
		k.NullsFirst = it.Nulls == ast.NullsFirst
	}
	return k, b.ordered(e.Type(), it.Expr)
}

// ordered refuses to sort by types whose order is not their bytes' and which
// nobody compares yet.
func (b *binder) ordered(t types.Type, n ast.Node) error {
	if t.IsArray() && t.Elem().HasOrderKey() {
		return at(errs.NotSupported("ORDER BY of type "+bare(t).String()), n)
	}
	return b.sortable(t, n)
}

// sortable refuses types without an order.
func (b *binder) sortable(t types.Type, n ast.Node) error {
	switch t.OID {
	case types.RecordOID:
		return at(errs.NotSupported("ordering or grouping by a row"), n)
	case types.JSONOID, types.XMLOID, types.AclItemOID, types.XidOID, types.NodeTreeOID:
		e := errs.New(errs.UndefinedFunction, "could not identify an ordering operator for type %s", t).
			WithHint("Use an explicit ordering operator or modify the query.")
		if n == nil || n == ast.Node(ast.Expr(nil)) {
			return e
		}
		return at(e, n)
	}
	return nil
}

// limit binds LIMIT, OFFSET and FETCH.
func (b *binder) limit(s *scope, r *result, q *ast.Query) (*result, error) {
	if q.Limit == nil && q.Offset == nil {
		return r, nil
	}
	l := &logical.Limit{In: r.node, Ties: q.WithTies}
	var err error
	if l.Count, err = b.limitExpr(s, q.Limit, "LIMIT"); err != nil {
		return nil, err
	}
	if l.Offset, err = b.limitExpr(s, q.Offset, "OFFSET"); err != nil {
		return nil, err
	}
	if q.WithTies && len(q.OrderBy) == 0 {
		return nil, errs.New(errs.Syntax, "WITH TIES cannot be specified without ORDER BY clause")
	}
	return &result{node: l, cols: r.cols}, nil
}

func (b *binder) limitExpr(s *scope, e ast.Expr, clause string) (plan.Expr, error) {
	if e == nil {
		return nil, nil
	}
	x, err := b.expr(&exprCtx{scope: s, clause: clause}, e)
	if err != nil {
		return nil, err
	}
	t := x.Type()
	r, err := b.coerce(x, types.Int8, castAssignment, e)
	if err != nil && errs.CodeOf(err) != errs.InvalidText {
		return nil, at(errs.New(errs.DatatypeMismatch, "argument of %s must be type bigint, not type %s", clause, t), e)
	}
	if err == nil && !b.freeOf(s, x) {
		return nil, at(errs.New(errs.InvalidColumnReference, "argument of %s must not contain variables", clause), e)
	}
	return r, err
}

func itoa(n int) string { return strconv.Itoa(n) }
