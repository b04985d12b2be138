package bind

import (
	"strconv"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/literal"
	"quern/sql/internal/logical"
	"quern/storage/errs"
)

// aggState collects the grouping of one SELECT.
type aggState struct {
	grouped bool // GROUP BY, HAVING or an aggregate occurred
	keys    []logical.Item
	aggs    []logical.AggItem
	// sets are the grouping sets as indexes of keys; nil = one of all keys.
	sets [][]int
	// groupings are the GROUPING(…) calls.
	groupings []groupingCall
}

// group binds GROUP BY. An item is, in this order, an ordinal, an input column,
// an output name, an expression.
func (st *selectState) group() error {
	g := st.sel.Group
	if g == nil {
		return nil
	}
	st.agg.grouped = true
	st.resolveTargets()
	if g.All && len(g.Items) == 0 {
		for i := range st.targets {
			if t := &st.targets[i]; !st.hasAggregate(t.expr) && !st.hasWindow(t.expr) {
				st.addKey(t.expr)
			}
		}
		return nil
	}
	sets := [][]int{nil}
	plain := true
	for _, it := range g.Items {
		alts, err := st.alternatives(it)
		if err != nil {
			return err
		}
		if _, ok := it.(*ast.GroupingSet); ok {
			plain = false
		}
		if sets, err = crossSets(sets, alts, it); err != nil {
			return err
		}
	}
	if !plain {
		st.agg.sets = literal.NormalSets(sets, g.Distinct)
	}
	return nil
}

// groupItem binds one expression of GROUP BY and returns its key's index.
func (st *selectState) groupItem(it ast.Expr) (int, error) {
	e, err := st.groupExpr(it)
	if err != nil {
		return 0, err
	}
	return st.addKey(e), nil
}

func (st *selectState) groupExpr(it ast.Expr) (plan.Expr, error) {
	if l, ok := it.(*ast.Literal); ok {
		n, err := strconv.Atoi(l.Text)
		if l.Kind != ast.LitInt {
			return nil, at(errs.New(errs.Syntax, "non-integer constant in GROUP BY"), it)
		}
		if err != nil || n < 1 || n > len(st.targets) {
			return nil, at(errs.New(errs.InvalidColumnReference, "GROUP BY position %s is not in select list", l.Text), it)
		}
		return st.groupTarget(n-1, it)
	}
	if c, ok := it.(*ast.Column); ok && len(c.Parts) == 1 {
		in, err := st.scope.unqualified(c.Parts[0])
		if err != nil {
			return nil, at(err, c)
		}
		if in == nil {
			found := -1
			for i := range st.targets {
				if st.targets[i].col.Name != c.Parts[0] {
					continue
				}
				if found >= 0 && logical.Key(st.targets[found].expr) != logical.Key(st.targets[i].expr) {
					return nil, at(errs.New(errs.AmbiguousColumn, "GROUP BY %q is ambiguous", c.Parts[0]), it)
				}
				found = i
			}
			if found >= 0 {
				return st.groupTarget(found, it)
			}
		}
	}
	ctx := &exprCtx{scope: st.scope, clause: "GROUP BY", sets: &st.sets}
	e, err := st.b.expr(ctx, it)
	if err != nil {
		return nil, err
	}
	if e, err = st.b.known(e, it); err != nil {
		return nil, err
	}
	return e, st.b.sortable(e.Type(), it)
}

func (st *selectState) groupTarget(i int, n ast.Node) (plan.Expr, error) {
	t := &st.targets[i]
	if st.hasAggregate(t.expr) {
		return nil, at(errs.New(errs.Grouping, "aggregate functions are not allowed in GROUP BY"), t.src)
	}
	if st.hasWindow(t.expr) {
		return nil, at(errs.New(errs.Windowing, "window functions are not allowed in GROUP BY"), t.src)
	}
	return t.expr, st.b.sortable(t.expr.Type(), n)
}

func (st *selectState) hasAggregate(e plan.Expr) bool {
	refs := logical.Refs(e)
	for i := range st.agg.aggs {
		if refs[st.agg.aggs[i].Col.ID] {
			return true
		}
	}
	return false
}

func (st *selectState) addKey(e plan.Expr) int {
	k := logical.Key(e)
	for i := range st.agg.keys {
		if logical.Key(st.agg.keys[i].Expr) == k {
			return i
		}
	}
	col := logical.Column{Type: e.Type()}
	if c, ok := e.(*plan.Col); ok && logical.OutSet(st.node)[c.Index] {
		col.ID = c.Index
	} else {
		col.ID = st.b.newID()
	}
	st.agg.keys = append(st.agg.keys, logical.Item{Col: col, Expr: e})
	return len(st.agg.keys) - 1
}

// aggregate puts the Aggregate over the input and rewrites targets, HAVING and
// sort keys to its output.
func (st *selectState) aggregate() error {
	if !st.agg.grouped && len(st.agg.aggs) == 0 {
		return nil
	}
	if st.selfRef && len(st.agg.aggs) > 0 {
		return errs.New(errs.InvalidRecursion, "aggregate functions are not allowed in a recursive query's recursive term")
	}
	g := grouping{b: st.b, input: logical.OutSet(st.node), ok: logical.Set{}, keys: map[string]logical.Column{}}
	node, keyCols, err := st.groupedNode()
	if err != nil {
		return err
	}
	for i, c := range keyCols {
		g.keys[logical.Key(st.agg.keys[i].Expr)] = c
		g.ok[c.ID] = true
	}
	if err := g.checkDirect(st.agg.aggs); err != nil {
		return err
	}
	for i := range st.targets {
		if st.targets[i].expr, err = g.rewrite(st.targets[i].expr); err != nil {
			return err
		}
	}
	if st.having != nil {
		if st.having, err = g.rewrite(st.having); err != nil {
			return err
		}
	}
	for i := range st.on {
		if st.on[i], err = g.rewrite(st.on[i]); err != nil {
			return err
		}
	}
	for i := range st.keys {
		if st.keys[i].Expr, err = g.rewrite(st.keys[i].Expr); err != nil {
			return err
		}
	}
	if err := st.regroup(&g); err != nil {
		return err
	}
	if err := st.regroupSets(&g); err != nil {
		return err
	}
	st.node = node
	if st.having != nil {
		st.node = &logical.Filter{In: st.node, Preds: logical.Conjuncts(nil, st.having)}
	}
	return nil
}

// grouping rewrites expressions over the input of an Aggregate to its output.
type grouping struct {
	b     *binder
	input logical.Set
	ok    logical.Set
	keys  map[string]logical.Column
}

func (g *grouping) rewrite(e plan.Expr) (plan.Expr, error) {
	var err error
	f := func(inSub bool) func(x plan.Expr) plan.Expr {
		return func(x plan.Expr) plan.Expr {
			c, isCol := x.(*plan.Col)
			if _, lit := x.(*plan.Lit); lit || inSub && !isCol {
				return nil // in subqueries only grouped columns count, no expressions
			}
			if k, found := g.keys[logical.Key(x)]; found {
				return k.Col()
			}
			if !isCol || !g.input[c.Index] || g.ok[c.Index] || err != nil {
				return nil
			}
			name := g.b.refName[c.Index]
			if inSub {
				err = at(errs.New(errs.Grouping, "subquery uses ungrouped column %q from outer query", name), g.b.place(c))
			} else {
				err = at(errs.New(errs.Grouping,
					"column %q must appear in the GROUP BY clause or be used in an aggregate function", name), g.b.place(c))
			}
			return nil
		}
	}
	top := f(false)
	out := logical.Map(e, func(x plan.Expr) plan.Expr {
		s, isSub := x.(*logical.Sub)
		if r := top(x); r != nil || !isSub {
			return r
		}
		c := *s
		c.Node = logical.MapExprs(s.Node, f(true))
		if c.Cond != nil {
			c.Cond = logical.MapDeep(c.Cond, top)
		}
		return &c
	})
	return out, err
}

// place is where a column reference stands, nil if unknown.
func (b *binder) place(c *plan.Col) ast.Node { return b.refPos[c] }
