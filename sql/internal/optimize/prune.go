package optimize

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
)

// prune keeps only the columns that are used: need are those that the consumer
// of n reads. Projections that change nothing go, and one on another is merged.
// One switch over all kinds.
func prune(n logical.Node, need logical.Set) logical.Node {
	n = pruneSubs(n)
	switch n := n.(type) {
	case *logical.Scan:
		return pruneScan(n, need)
	case *logical.Virtual:
		c := *n
		c.Cols, c.At = nil, nil
		for i, col := range n.Cols {
			if need[col.ID] {
				c.Cols, c.At = append(c.Cols, col), append(c.At, n.At[i])
			}
		}
		return &c
	case *logical.Values:
		return pruneValues(n, need)
	case *logical.Project:
		return pruneProject(n, need)
	case *logical.Expand:
		c := *n
		c.In = prune(n.In, with(need, n.Exprs()...))
		if f := *n.Func; f.Sub != nil {
			f.Sub = exactly(prune(f.Sub, logical.OutSet(f.Sub)), f.Cols)
			c.Func = &f
		}
		return &c
	case *logical.Filter:
		c := *n
		c.In = prune(n.In, with(need, n.Preds...))
		return &c
	case *logical.Join:
		c := *n
		both := with(need, n.On...)
		c.L, c.R = prune(n.L, both), prune(n.R, both)
		return &c
	case *logical.Aggregate:
		return pruneAggregate(n, need)
	case *logical.Sort:
		c := *n
		c.In = prune(n.In, with(need, n.Exprs()...))
		return &c
	case *logical.Recursive:
		c := *n
		c.Base, c.Step = prune(n.Base, setOf(n.BaseMap)), prune(n.Step, setOf(n.StepMap))
		return &c
	case *logical.Window:
		return pruneWindow(n, need)
	case *logical.DistinctOn:
		c := *n
		c.In = prune(n.In, with(need, n.Keys...))
		return &c
	case *logical.Limit:
		c := *n
		c.In = prune(n.In, need)
		return &c
	case *logical.Union:
		return pruneUnion(n, need)
	case *logical.SetOp:
		c := *n
		c.L, c.R = prune(n.L, setOf(n.LMap)), prune(n.R, setOf(n.RMap))
		return &c
	}
	return n
}

func setOf(ids []int) logical.Set {
	s := logical.Set{}
	for _, id := range ids {
		s[id] = true
	}
	return s
}

func with(need logical.Set, es ...plan.Expr) logical.Set {
	s := logical.Refs(es...)
	s.Add(need)
	return s
}

// pruneSubs prunes the plans of subqueries that stayed expressions.
func pruneSubs(n logical.Node) logical.Node {
	es := n.Exprs()
	if !anySub(es) {
		return n
	}
	out := make([]plan.Expr, len(es))
	for i, e := range es {
		out[i] = logical.Map(e, func(x plan.Expr) plan.Expr {
			s, ok := x.(*logical.Sub)
			if !ok {
				return nil
			}
			c := *s
			need := logical.Set{}
			if s.Kind != logical.SubExists {
				need = logical.OutSet(s.Node)
			}
			if c.Node = prune(s.Node, need); s.Kind == logical.SubScalar || s.Kind == logical.SubAny && s.Applied {
				c.Node = exactly(c.Node, s.Node.Out())
			}
			return &c
		})
	}
	return n.WithExprs(out)
}

// exactly is n with the columns cols and no others: a scalar subquery's value is
// its first column, and a scan below has those of its filter too.
func exactly(n logical.Node, cols []logical.Column) logical.Node {
	out := n.Out()
	same := len(out) >= len(cols)
	for i := range cols {
		same = same && out[i].ID == cols[i].ID
	}
	if same {
		return n
	}
	p := &logical.Project{In: n}
	for _, c := range cols {
		p.Items = append(p.Items, logical.Item{Col: c, Expr: c.Col()})
	}
	return p
}

func pruneScan(n *logical.Scan, outside logical.Set) logical.Node {
	need := with(outside, n.Filter...)
	c := *n
	c.Cols, c.ColIDs, c.Inner = nil, nil, logical.Set{}
	for i, col := range n.Cols {
		if need[col.ID] {
			if !outside[col.ID] {
				c.Inner[col.ID] = true
			}
			c.Cols, c.ColIDs = append(c.Cols, col), append(c.ColIDs, n.ColIDs[i])
		}
	}
	return &c
}

func pruneValues(n *logical.Values, need logical.Set) logical.Node {
	var at []int
	c := &logical.Values{Rows: make([][]plan.Expr, len(n.Rows))}
	for i, col := range n.Cols {
		if need[col.ID] {
			at = append(at, i)
			c.Cols = append(c.Cols, col)
		}
	}
	for i, r := range n.Rows {
		c.Rows[i] = make([]plan.Expr, len(at))
		for k, j := range at {
			c.Rows[i][k] = r[j]
		}
	}
	return c
}

func pruneProject(n *logical.Project, need logical.Set) logical.Node {
	c := &logical.Project{In: n.In, Barrier: n.Barrier}
	seen := logical.Set{}
	for _, it := range n.Items {
		if need[it.Col.ID] && !seen[it.Col.ID] {
			seen[it.Col.ID] = true
			c.Items = append(c.Items, it)
		}
	}
	for {
		in, ok := c.In.(*logical.Project)
		if !ok || in.Barrier || c.Barrier {
			break
		}
		merged := merge(c, in)
		if merged == nil {
			break
		}
		c = merged
	}
	if passesThrough(c) && !c.Barrier {
		return prune(c.In, need)
	}
	c.In = prune(c.In, logical.Refs(c.Exprs()...))
	return c
}

// passesThrough tells whether p only hands columns on.
func passesThrough(p *logical.Project) bool {
	for i := range p.Items {
		c, ok := p.Items[i].Expr.(*plan.Col)
		if !ok || c.Index != p.Items[i].Col.ID {
			return false
		}
	}
	return true
}

// merge computes the expressions of two projections in one, unless something
// would be computed twice.
func merge(outer, inner *logical.Project) *logical.Project {
	uses := map[int]int{}
	for _, e := range outer.Exprs() {
		logical.Walk(e, func(x plan.Expr) bool {
			if c, ok := x.(*plan.Col); ok {
				uses[c.Index]++
			}
			return true
		})
		if logical.HasSub(e) {
			return nil
		}
	}
	by := map[int]plan.Expr{}
	for i := range inner.Items {
		it := &inner.Items[i]
		by[it.Col.ID] = it.Expr
		switch it.Expr.(type) {
		case *plan.Col, *plan.Lit:
		default:
			if uses[it.Col.ID] > 1 || logical.Volatile(it.Expr) || logical.HasSub(it.Expr) {
				return nil
			}
		}
	}
	c := &logical.Project{In: inner.In}
	for _, it := range outer.Items {
		it.Expr = substituted(it.Expr, by)
		c.Items = append(c.Items, it)
	}
	return c
}

func pruneAggregate(n *logical.Aggregate, need logical.Set) logical.Node {
	c := *n
	c.Aggs = nil
	for i := range n.Aggs {
		if need[n.Aggs[i].Col.ID] {
			c.Aggs = append(c.Aggs, n.Aggs[i])
		}
	}
	if len(c.Keys) == 0 && len(c.Aggs) == 0 && len(n.Aggs) > 0 {
		c.Aggs = n.Aggs[:1]
	}
	c.In = prune(n.In, logical.Refs(c.Exprs()...))
	return computedKeys(&c, need)
}

func pruneUnion(n *logical.Union, need logical.Set) logical.Node {
	c := &logical.Union{Maps: make([][]int, len(n.Ins)), Ins: make([]logical.Node, len(n.Ins))}
	for j, col := range n.Cols {
		if !need[col.ID] {
			continue
		}
		c.Cols = append(c.Cols, col)
		for i := range n.Ins {
			c.Maps[i] = append(c.Maps[i], n.Maps[i][j])
		}
	}
	for i, in := range n.Ins {
		c.Ins[i] = prune(in, setOf(c.Maps[i]))
	}
	return c
}
