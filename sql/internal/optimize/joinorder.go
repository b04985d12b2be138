package optimize

import (
	"quern/engine/plan"
	"quern/sql/internal/logical"
)

// orderJoins reorders each tree of inner joins greedily: the pair with the
// smallest estimated result is joined first, pairs without a condition last.
// The larger side goes left, as the right one is built.
func orderJoins(n logical.Node) logical.Node {
	j, ok := n.(*logical.Join)
	if !ok || !reorderable(j) {
		return mapInputs(n, orderJoins)
	}
	var rels []logical.Node
	var conds []plan.Expr
	flatten(n, &rels, &conds)
	for i := range rels {
		rels[i] = orderJoins(rels[i])
	}
	return greedy(rels, conds)
}

func reorderable(j *logical.Join) bool { return j.Kind == plan.Inner && !j.Lateral }

func flatten(n logical.Node, rels *[]logical.Node, conds *[]plan.Expr) {
	j, ok := n.(*logical.Join)
	if !ok || !reorderable(j) {
		*rels = append(*rels, n)
		return
	}
	flatten(j.L, rels, conds)
	flatten(j.R, rels, conds)
	*conds = append(*conds, j.On...)
}

// part is a relation or a join of some, with its columns and estimated rows.
type part struct {
	id   int
	node logical.Node
	cols logical.Set
	rows float64
}

// pairing is what joined says of two parts.
type pairing struct {
	rows   float64
	linked bool
}

func greedy(rels []logical.Node, conds []plan.Expr) logical.Node {
	parts := make([]part, len(rels))
	for i, r := range rels {
		parts[i] = part{i, r, logical.OutSet(r), estimate(r)}
	}
	refs := make([]logical.Set, len(conds))
	for i, c := range conds {
		refs[i] = logical.Refs(c)
	}
	used := make([]bool, len(conds))
	// What is known of a pair stays true until one of the two is joined: a
	// condition is used up only by a part that has all of its columns.
	known := map[[2]int]pairing{}
	for next := len(rels); len(parts) > 1; next++ {
		bi, bj, best, bestLinked := 0, 1, 0.0, false
		first := true
		for i := range parts {
			for j := i + 1; j < len(parts); j++ {
				ids := [2]int{parts[i].id, parts[j].id}
				p, ok := known[ids]
				if !ok {
					p.rows, p.linked = joined(&parts[i], &parts[j], conds, refs, used)
					known[ids] = p
				}
				if first || p.linked && !bestLinked || p.linked == bestLinked && p.rows < best {
					bi, bj, best, bestLinked, first = i, j, p.rows, p.linked, false
				}
			}
		}
		l, r := parts[bi], parts[bj]
		if l.rows < r.rows {
			l, r = r, l
		}
		p := part{id: next, cols: logical.Set{}, rows: best}
		p.cols.Add(l.cols)
		p.cols.Add(r.cols)
		j := &logical.Join{Kind: plan.Inner, L: l.node, R: r.node}
		for k := range conds {
			if !used[k] && p.cols.Has(refs[k]) {
				used[k] = true
				j.On = append(j.On, conds[k])
			}
		}
		p.node = j
		parts = append(parts[:bj], parts[bj+1:]...)
		parts[bi] = p
	}
	var left []plan.Expr
	for k := range conds {
		if !used[k] { // correlated: an outer column is missing
			left = append(left, conds[k])
		}
	}
	return keep(parts[0].node, left)
}

// joined estimates the join of two parts. linked says that a condition needs
// exactly these two.
func joined(a, b *part, conds []plan.Expr, refs []logical.Set, used []bool) (rows float64, linked bool) {
	rows = a.rows * b.rows
	both := logical.Set{}
	both.Add(a.cols)
	both.Add(b.cols)
	for k, c := range conds {
		if used[k] || len(refs[k]) == 0 || !both.Has(refs[k]) {
			continue
		}
		linked = linked || refs[k].Meets(a.cols) && refs[k].Meets(b.cols)
		if isEquality(c) {
			rows /= max(1, min(a.rows, b.rows))
		} else {
			rows *= 0.5
		}
	}
	return rows, linked
}

func isEquality(e plan.Expr) bool {
	_, ok := logical.Equality(e)
	return ok
}

// estimate guesses a node's rows; only the ranks matter.
func estimate(n logical.Node) float64 {
	switch n := n.(type) {
	case *logical.Scan:
		rows := float64(n.Rows)
		if rows <= 0 {
			rows = 1000
		}
		return rows * selectivity(n.Filter)
	case *logical.Virtual:
		return 500
	case *logical.Values:
		return float64(len(n.Rows))
	case *logical.Filter:
		return estimate(n.In) * selectivity(n.Preds)
	case *logical.Aggregate:
		if len(n.Keys) == 0 {
			return 1
		}
		return max(1, estimate(n.In)/10)
	case *logical.Limit:
		rows := estimate(n.In)
		if l, ok := n.Count.(*plan.Lit); ok && !l.Val.Null {
			rows = min(rows, float64(l.Val.I))
		}
		return rows
	case *logical.Join:
		return estimateJoin(n)
	}
	total := 0.0
	for _, in := range n.Inputs() {
		total += estimate(in)
	}
	return max(1, total)
}

func estimateJoin(n *logical.Join) float64 {
	l := estimate(n.L)
	switch n.Kind {
	case plan.Semi, plan.Anti, plan.AntiNull:
		return l / 2
	case plan.Mark, plan.Single:
		return l
	}
	r := estimate(n.R)
	for _, c := range n.On {
		if isEquality(c) {
			return max(l, r)
		}
	}
	return l * r
}

func selectivity(preds []plan.Expr) float64 {
	s := 1.0
	for _, p := range preds {
		switch x := p.(type) {
		case *plan.In:
			s *= min(0.5, 0.01*float64(len(x.List)))
		case *plan.Call:
			if x.Fn.Name == "=" {
				s *= 0.01
			} else {
				s *= 0.33
			}
		case *plan.Like:
			s *= 0.1
		default:
			s *= 0.5
		}
	}
	return s
}
