package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// Limits of one statement, checked while it is bound.
const (
	// depthMax bounds recursion of expressions, FROM items and subqueries.
	depthMax = 5000
	// nodesMax bounds what inlining CTEs may grow a statement to.
	nodesMax = 100_000
	// targetsMax is PostgreSQL's MaxTupleAttributeNumber.
	targetsMax = 1664
)

// binder is the state of binding one statement.
type binder struct {
	env    *Env
	lastID int
	depth  int
	nodes  int
	uses   []*tableUse
	tables []uint32
	bound  bool
	// level counts the queries around the one being bound, selfLevel is that of
	// the last recursive reference; noSelf says why there may be none here.
	level, selfLevel int
	noSelf           notHere
	params           paramState
	// aggOf tells what computes an aggregate's column, subNames name scalar subqueries.
	aggOf    map[int]computed
	subNames map[*ast.Query]string
	// inView is the view whose query is being bound, nil for the statement's
	// own text; rec notes what names mean while a view is defined.
	inView *viewFrame
	rec    *recorder
	// refPos and refName tell where a column reference stands and how messages
	// call it; grouping errors need them.
	// exprPos tells where literals and parameters stand.
	exprPos map[plan.Expr]ast.Node
	// longNumbers are numeric literals beyond what numeric holds, by their text.
	longNumbers map[plan.Expr]string
	refPos      map[*plan.Col]ast.Node
	refName     map[int]string
	// rowsOf are the fields of records, records those of columns by number.
	rowsOf  map[plan.Expr]*rowFields
	records map[int]*rowFields
}

func newBinder(env *Env) *binder {
	b := &binder{env: env, refPos: map[*plan.Col]ast.Node{}, refName: map[int]string{}, exprPos: map[plan.Expr]ast.Node{},
		rowsOf: map[plan.Expr]*rowFields{}, records: map[int]*rowFields{}}
	b.params.given = env.Params
	b.params.known = append([]types.Type(nil), env.Params...)
	return b
}

// outCol is a result column of a query. unknown is set while its type is
// Unknown: the literal or parameter that a set operation or INSERT will give a
// type.
type outCol struct {
	logical.Column
	tableOID uint32
	attNum   int16
	unknown  plan.Expr
	// src is where error messages point, nil if nowhere.
	src ast.Node
}

// result is a bound query.
type result struct {
	node logical.Node
	cols []outCol
}

func (b *binder) enter(n ast.Node) error {
	b.depth++
	b.nodes++
	if b.depth > depthMax {
		return at(errs.New(errs.TooComplex, "stack depth limit exceeded"), n)
	}
	if b.nodes > 20*nodesMax {
		return at(errs.New(errs.TooComplex, "statement is too complex"), n)
	}
	return nil
}

func (b *binder) leave() { b.depth-- }

// Query binds a SELECT, VALUES or set operation.
func Query(env *Env, q *ast.Query) (*Bound, error) {
	b := newBinder(env)
	r, err := b.query(&scope{}, q)
	if err != nil {
		return nil, err
	}
	r, err = b.resolveUnknowns(r)
	if err != nil {
		return nil, err
	}
	return b.finish(r)
}

// finish checks privileges and parameters and makes the Bound of a result.
func (b *binder) finish(r *result) (*Bound, error) {
	for _, u := range b.uses {
		if err := u.check(); err != nil {
			return nil, err
		}
	}
	params, err := b.params.finish(b.env.HasParams, b.env.Partial)
	if err != nil {
		return nil, err
	}
	out := &Bound{Root: b.settleParams(r.node), Params: params, Bound: b.bound, Tables: b.tables, env: b.env, lastID: b.lastID}
	for _, c := range r.cols {
		out.Out = append(out.Out, c.Column)
		out.Field = append(out.Field, Field{Name: c.Name, Type: c.Type, TableOID: c.tableOID, AttNum: c.attNum})
	}
	return out, nil
}

// query binds q; s is a fresh scope whose parent is what q may see outside. Its
// columns may be of type Unknown.
func (b *binder) query(s *scope, q *ast.Query) (*result, error) {
	if err := b.enter(q); err != nil {
		return nil, err
	}
	defer b.leave()
	b.level++
	defer func() { b.level-- }()
	if q.With != nil {
		w := &scope{parent: s.parent, via: s.via, ctes: map[string]*cte{}}
		if err := b.with(w, q.With); err != nil {
			return nil, err
		}
		s.parent, s.via = w, nil
	}
	switch body := q.Body.(type) {
	case *ast.Select:
		return b.selectQuery(s, q, body)
	case *ast.Values:
		r, err := b.values(s, body)
		if err != nil {
			return nil, err
		}
		return b.orderOutput(s, r, q)
	case *ast.SetOp:
		r, err := b.setOp(s, body)
		if err != nil {
			return nil, err
		}
		return b.orderOutput(s, r, q)
	}
	return nil, errs.New(errs.Internal, "unknown query body %T", q.Body)
}

// with declares the WITH queries. Each sees its earlier siblings.
func (b *binder) with(w *scope, with *ast.With) error {
	sees := &scope{parent: w.parent, via: w.via}
	seen := map[string]bool{}
	for _, c := range with.CTEs {
		if seen[c.Name] {
			return at(errs.New(errs.DuplicateAlias, "WITH query name %q specified more than once", c.Name), c)
		}
		seen[c.Name] = true
		def := &cte{def: c, scope: sees, noSelf: b.noSelf}
		if c.Stmt != nil {
			if b.env.Changes[c] == nil {
				return at(errs.New(errs.FeatureNotSupported, "WITH clause containing a data-modifying statement must be at the top level"), c)
			}
			w.ctes[c.Name] = def
			sees = &scope{parent: sees, ctes: map[string]*cte{c.Name: def}}
			continue
		}
		def.recursive = with.Recursive && ast.RefersTo(c.Query, c.Name)
		w.ctes[c.Name] = def
		next := &scope{parent: sees, ctes: map[string]*cte{c.Name: def}}
		sees = next
		// An unused WITH query must still be correct.
		trial := *b
		trial.params = b.params.clone()
		trial.uses = nil
		if _, err := trial.cteQuery(def); err != nil {
			return err
		}
		b.nodes, b.lastID = trial.nodes, trial.lastID
	}
	return nil
}

// resolveUnknowns makes what is still Unknown text.
func (b *binder) resolveUnknowns(r *result) (*result, error) {
	want := make([]types.Type, len(r.cols))
	for i, c := range r.cols {
		want[i] = c.Type
		if c.Type.OID == types.UnknownOID {
			want[i] = types.Text
		}
	}
	return b.coerceResult(r, want, castImplicit, nil)
}

// coerceResult converts the columns of r to the types wanted.
func (b *binder) coerceResult(r *result, want []types.Type, ctx castContext, n ast.Node) (*result, error) {
	change := false
	items := make([]logical.Item, len(r.cols))
	cols := append([]outCol(nil), r.cols...)
	for i, c := range r.cols {
		items[i] = logical.Item{Col: c.Column, Expr: c.Col()}
		if c.Type == want[i] {
			continue
		}
		change = true
		src := items[i].Expr
		if c.unknown != nil {
			src = c.unknown
		}
		e, err := b.coerce(src, want[i], ctx, r.place(i, n))
		if err != nil {
			return nil, err
		}
		items[i] = logical.Item{Col: b.newCol(c.Name, e.Type()), Expr: e}
		cols[i].Column, cols[i].unknown = items[i].Col, nil
	}
	if !change {
		return r, nil
	}
	return &result{node: &logical.Project{In: r.node, Items: items}, cols: cols}, nil
}

// values binds VALUES as a query: column1….
func (b *binder) values(s *scope, v *ast.Values) (*result, error) {
	n := len(v.Rows[0])
	rows := make([][]plan.Expr, len(v.Rows))
	ctx := &exprCtx{scope: s, clause: "VALUES"}
	for i, r := range v.Rows {
		if len(r) != n {
			return nil, at(errs.New(errs.Syntax, "VALUES lists must all be the same length"), r[0])
		}
		for _, e := range r {
			x, err := b.expr(ctx, e)
			if err != nil {
				return nil, err
			}
			rows[i] = append(rows[i], x)
		}
	}
	node := &logical.Values{Rows: rows}
	res := &result{node: node}
	for j := range n {
		column := make([]plan.Expr, len(rows))
		places := make([]ast.Expr, len(rows))
		for i := range rows {
			column[i], places[i] = rows[i][j], v.Rows[i][j]
		}
		t, err := b.commonType("VALUES", column, places, v)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if rows[i][j], err = b.coerce(column[i], t, castImplicit, places[i]); err != nil {
				return nil, err
			}
			if t.Mod != rows[i][j].Type().Mod {
				t.Mod = -1
			}
		}
		c := b.newCol("column"+itoa(j+1), t)
		node.Cols = append(node.Cols, c)
		res.cols = append(res.cols, outCol{Column: c})
	}
	return res, nil
}

// setOp binds UNION, INTERSECT, EXCEPT: types resolve pairwise.
func (b *binder) setOp(s *scope, o *ast.SetOp) (*result, error) {
	left, right := b.noSelf, b.noSelf
	switch {
	case o.Kind == ast.Intersect && o.All:
		left, right = "INTERSECT", "INTERSECT"
	case o.Kind == ast.Except && o.All:
		left, right = "EXCEPT", "EXCEPT"
	case o.Kind == ast.Except:
		right = "EXCEPT"
	}
	var l, r *result
	err := b.forbid(left, func() (err error) {
		l, err = b.query(&scope{parent: s.parent, via: s.via}, o.Left)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = b.forbid(right, func() (err error) {
		r, err = b.query(&scope{parent: s.parent, via: s.via}, o.Right)
		return err
	})
	if err != nil {
		return nil, err
	}
	word := [...]string{"UNION", "INTERSECT", "EXCEPT"}[o.Kind]
	if len(l.cols) != len(r.cols) {
		return nil, at(errs.New(errs.Syntax, "each %s query must have the same number of columns", word), r.place(0, o.Right))
	}
	want := make([]types.Type, len(l.cols))
	for i := range want {
		le, re := l.cols[i].expr(), r.cols[i].expr()
		t, err := b.commonType(word, []plan.Expr{le, re}, nil, r.place(i, o.Right))
		if err != nil {
			return nil, err
		}
		if want[i] = t; t.OID == types.RecordOID && (o.Kind != ast.Union || !o.All) {
			return nil, at(errs.NotSupported("ordering or grouping by a row"), o.Right)
		}
	}
	if l, err = b.coerceResult(l, want, castImplicit, o.Left); err != nil {
		return nil, err
	}
	if r, err = b.coerceResult(r, want, castImplicit, o.Right); err != nil {
		return nil, err
	}
	res := &result{}
	var out []logical.Column
	for i, c := range l.cols {
		col := b.newCol(c.Name, want[i])
		out = append(out, col)
		res.cols = append(res.cols, outCol{Column: col})
	}
	if o.Kind == ast.Union {
		res.node = &logical.Union{Ins: []logical.Node{l.node, r.node}, Maps: [][]int{l.ids(), r.ids()}, Cols: out}
		if !o.All {
			res.node = distinct(res.node, out)
		}
		return res, nil
	}
	res.node = &logical.SetOp{Except: o.Kind == ast.Except, All: o.All, L: l.node, R: r.node,
		LMap: l.ids(), RMap: r.ids(), Cols: out}
	return res, nil
}

func (c *outCol) expr() plan.Expr {
	if c.unknown != nil {
		return c.unknown
	}
	return c.Col()
}

// place is where column i was written, n if unknown.
func (r *result) place(i int, n ast.Node) ast.Node {
	if i < len(r.cols) && r.cols[i].src != nil {
		return r.cols[i].src
	}
	return n
}

func (r *result) ids() []int {
	out := make([]int, len(r.cols))
	for i, c := range r.cols {
		out[i] = c.ID
	}
	return out
}

// distinct groups by all columns.
func distinct(n logical.Node, cols []logical.Column) logical.Node {
	a := &logical.Aggregate{In: n}
	seen := map[int]bool{}
	for _, c := range cols {
		if !seen[c.ID] {
			seen[c.ID] = true
			a.Keys = append(a.Keys, logical.Item{Col: c, Expr: c.Col()})
		}
	}
	return a
}

// orderOutput adds ORDER BY and LIMIT to a set operation or VALUES: only the
// result columns can be named.
func (b *binder) orderOutput(s *scope, r *result, q *ast.Query) (*result, error) {
	if len(q.OrderBy) > 0 {
		var err error
		if r, err = b.resolveUnknowns(r); err != nil {
			return nil, err
		}
		var keys []plan.SortKey
		for _, it := range q.OrderBy {
			idx, err := outputIndex(r.cols, it.Expr, "ORDER BY")
			if err != nil {
				return nil, err
			}
			if idx < 0 {
				if c, ok := it.Expr.(*ast.Column); ok && len(c.Parts) == 1 {
					return nil, at(errs.New(errs.UndefinedColumn, "column %q does not exist", c.Parts[0]), it.Expr)
				}
				return nil, at(errs.New(errs.FeatureNotSupported, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause").
					WithDetail("Only result column names can be used, not expressions or functions.").
					WithHint("Add the expression/function to every SELECT, or move the UNION into a FROM clause."), it.Expr)
			}
			k, err := b.sortKey(r.cols[idx].Col(), it)
			if err != nil {
				return nil, err
			}
			keys = append(keys, k)
		}
		r = &result{node: &logical.Sort{In: r.node, Keys: keys}, cols: r.cols}
	}
	return b.limit(s, r, q)
}
