package bind

import (
	"slices"

	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
	"quern/storage/types"
)

// setsMax is PostgreSQL's bound on grouping sets.
const setsMax = 4096

// groupingCall is GROUPING(args): a bit per argument, 1 = not grouped by it.
type groupingCall struct {
	col  logical.Column
	args []plan.Expr
	pos  []ast.Expr
}

func (b *binder) groupingExpr(ctx *exprCtx, e *ast.Builtin) (plan.Expr, error) {
	if len(e.Args) > 31 {
		return nil, at(errs.New(errs.ProgramLimit, "GROUPING must have fewer than 32 arguments"), e)
	}
	args, err := b.exprs(ctx, e.Args)
	if err != nil {
		return nil, err
	}
	l, err := b.aggLevel(&exprCtx{scope: ctx.scope, clause: ctx.clause, agg: ctx.agg}, "grouping operations", e, args...)
	if err != nil {
		return nil, err
	}
	c := b.newCol("grouping", types.Int4)
	l.ctx.agg.grouped = true
	l.ctx.agg.groupings = append(l.ctx.agg.groupings, groupingCall{c, args, e.Args})
	return c.Col(), nil
}

// alternatives are the sets that one item of GROUP BY stands for.
func (st *selectState) alternatives(it ast.Expr) ([][]int, error) {
	switch x := it.(type) {
	case *ast.GroupingSet:
		return st.setAlternatives(x)
	case *ast.Row:
		if !x.Explicit {
			var set []int
			for _, e := range x.Elems {
				k, err := st.groupItem(e)
				if err != nil {
					return nil, err
				}
				set = append(set, k)
			}
			return [][]int{set}, nil
		}
	}
	k, err := st.groupItem(it)
	return [][]int{{k}}, err
}

func (st *selectState) setAlternatives(g *ast.GroupingSet) ([][]int, error) {
	if g.Kind == ast.GroupEmpty {
		return [][]int{nil}, nil
	}
	var parts [][]int // of ROLLUP and CUBE
	var all [][]int
	for _, it := range g.Items {
		alts, err := st.alternatives(it)
		if err != nil {
			return nil, err
		}
		all = append(all, alts...)
		parts = append(parts, alts[0])
	}
	switch g.Kind {
	case ast.GroupRollup:
		var out [][]int
		for n := len(parts); n >= 0; n-- {
			out = append(out, slices.Concat(parts[:n]...))
		}
		return out, nil
	case ast.GroupCube:
		if len(parts) > 12 {
			return nil, at(errs.New(errs.TooManyColumns, "CUBE is limited to 12 elements"), g)
		}
		var out [][]int
		for mask := 1<<len(parts) - 1; mask >= 0; mask-- {
			var set []int
			for i, p := range parts {
				if mask&(1<<(len(parts)-1-i)) != 0 {
					set = append(set, p...)
				}
			}
			out = append(out, set)
		}
		return out, nil
	}
	return all, nil
}

func crossSets(sets, alts [][]int, n ast.Node) ([][]int, error) {
	if len(sets)*len(alts) > setsMax {
		return nil, at(errs.New(errs.TooComplex, "too many grouping sets present (maximum %d)", setsMax), n)
	}
	var out [][]int
	for _, s := range sets {
		for _, a := range alts {
			out = append(out, slices.Concat(s, a))
		}
	}
	return out, nil
}

// groupedNode groups the input and says in which column each key comes out.
// Several grouping sets are a UNION ALL of one aggregation each.
func (st *selectState) groupedNode() (logical.Node, []logical.Column, error) {
	a := st.agg
	masks, err := st.groupingMasks()
	if err != nil {
		return nil, nil, err
	}
	if a.sets == nil {
		cols := make([]logical.Column, len(a.keys))
		for i := range a.keys {
			cols[i] = a.keys[i].Col
		}
		var n logical.Node = &logical.Aggregate{In: st.node, Keys: a.keys, Aggs: a.aggs}
		if len(a.groupings) > 0 {
			p := &logical.Project{In: n}
			for _, c := range n.Out() {
				p.Items = append(p.Items, logical.Item{Col: c, Expr: c.Col()})
			}
			for _, g := range a.groupings {
				p.Items = append(p.Items, logical.Item{Col: g.col, Expr: &plan.Lit{Typ: types.Int4}})
			}
			n = p
		}
		return n, cols, nil
	}
	u := &logical.Union{}
	var keys []logical.Column
	for i := range a.keys {
		keys = append(keys, st.b.newCol("", a.keys[i].Expr.Type()))
	}
	u.Cols = append(u.Cols, keys...)
	for i := range a.aggs {
		u.Cols = append(u.Cols, a.aggs[i].Col)
	}
	for _, g := range a.groupings {
		u.Cols = append(u.Cols, g.col)
	}
	for i, set := range a.sets {
		in, ids := st.node, map[int]int{}
		if i > 0 {
			in, ids = logical.Clone(st.node, st.b.newID)
		}
		n, m := st.oneSet(in, ids, set, masks)
		u.Ins, u.Maps = append(u.Ins, n), append(u.Maps, m)
	}
	return u, keys, nil
}

// oneSet aggregates in by one grouping set; ids renumber the input's columns.
func (st *selectState) oneSet(in logical.Node, ids map[int]int, set []int, masks [][]int) (logical.Node, []int) {
	b, a := st.b, st.agg
	agg := &logical.Aggregate{In: in}
	p := &logical.Project{In: agg}
	var m []int
	add := func(c logical.Column, e plan.Expr) {
		p.Items = append(p.Items, logical.Item{Col: c, Expr: e})
		m = append(m, c.ID)
	}
	for i := range a.keys {
		t := a.keys[i].Expr.Type()
		if !slices.Contains(set, i) {
			add(b.newCol("", t), &plan.Lit{Val: types.NullDatum, Typ: t})
			continue
		}
		k := logical.Item{Expr: logical.Renumbered(a.keys[i].Expr, ids)}
		if c, ok := k.Expr.(*plan.Col); ok && logical.OutSet(in)[c.Index] {
			k.Col = logical.Column{ID: c.Index, Type: t}
		} else {
			k.Col = b.newCol("", t)
		}
		agg.Keys = append(agg.Keys, k)
		add(k.Col, k.Col.Col())
	}
	whole := &logical.Aggregate{Aggs: a.aggs}
	es := whole.Exprs()
	for i := range es {
		es[i] = logical.Renumbered(es[i], ids)
	}
	agg.Aggs = whole.WithExprs(es).(*logical.Aggregate).Aggs
	for i := range agg.Aggs {
		agg.Aggs[i].Col = b.newCol(a.aggs[i].Col.Name, a.aggs[i].Col.Type)
		add(agg.Aggs[i].Col, agg.Aggs[i].Col.Col())
	}
	for _, keys := range masks {
		bits := int64(0)
		for _, k := range keys {
			bits <<= 1
			if !slices.Contains(set, k) {
				bits |= 1
			}
		}
		add(b.newCol("grouping", types.Int4), &plan.Lit{Typ: types.Int4, Val: types.Datum{I: bits}})
	}
	return p, m
}

// groupingMasks finds the keys of each GROUPING call's arguments.
func (st *selectState) groupingMasks() ([][]int, error) {
	var out [][]int
	for _, g := range st.agg.groupings {
		var keys []int
		for i, a := range g.args {
			at1 := slices.IndexFunc(st.agg.keys, func(k logical.Item) bool { return logical.Key(k.Expr) == logical.Key(a) })
			if at1 < 0 {
				return nil, at(errs.New(errs.Grouping, "arguments to GROUPING must be grouping expressions of the associated query level"), g.pos[i])
			}
			keys = append(keys, at1)
		}
		out = append(out, keys)
	}
	return out, nil
}
