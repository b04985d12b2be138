package optimize

import (
	"math/bits"

	"quern/engine/plan"
	"quern/sql/internal/logical"
)

// orderJoins reorders each tree of inner joins. Up to exactMax relations the
// cheapest tree is found by dynamic programming over their subsets, beyond that
// greedily: the pair with the smallest estimated result first. Pairs without a
// condition come last. The larger side goes left, as the right one is built.
func (o *optimizer) orderJoins(n logical.Node) logical.Node {
	j, ok := n.(*logical.Join)
	if !ok {
		return mapInputs(n, o.orderJoins)
	}
	if !reorderable(j) {
		c := *j
		c.L, c.R = o.orderJoins(j.L), o.orderJoins(j.R)
		o.est.seen(j)
		c.LRows, c.RRows = o.est.rows(c.L), o.est.rows(c.R)
		return &c
	}
	var rels []logical.Node
	var conds []plan.Expr
	flatten(n, &rels, &conds)
	for i := range rels {
		rels[i] = o.orderJoins(rels[i])
		o.est.seen(rels[i])
	}
	for len(rels) > relsMax {
		first := o.est.order(rels[:relsMax], conds)
		conds = first.rest
		rels = append([]logical.Node{first.node}, rels[relsMax:]...)
	}
	all := o.est.order(rels, conds)
	return keep(all.node, all.rest)
}

const (
	// exactMax bounds the subsets of dynamic programming: 3^10 pairs are some
	// hundred microseconds.
	exactMax = 10
	relsMax  = 64 // relations that fit a set
)

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

// ordering is one problem: relations, and the conditions on sets of them.
type ordering struct {
	rels  []logical.Node
	rows  []float64
	conds []plan.Expr
	needs []uint64 // per condition: its relations; 0 = cannot be placed here
	edges []edge
}

// edge is the conditions that need exactly the relations of set.
type edge struct {
	set   uint64
	share float64
}

// joined is a set of relations as a tree, and the conditions that it leaves.
type joined struct {
	node logical.Node
	rest []plan.Expr
}

func (e *estimator) order(rels []logical.Node, conds []plan.Expr) joined {
	p := &ordering{rels: rels, conds: conds}
	sets := make([]logical.Set, len(rels))
	all := logical.Set{}
	for i, r := range rels {
		sets[i] = logical.OutSet(r)
		all.Add(sets[i])
		p.rows = append(p.rows, e.rows(r))
	}
	groups := map[uint64][]plan.Expr{}
	var order []uint64
	for _, c := range conds {
		refs := logical.Refs(c)
		set := uint64(0)
		if all.Has(refs) {
			for i := range sets {
				if refs.Meets(sets[i]) {
					set |= 1 << i
				}
			}
			if set == 0 { // no column at all
				set = 1<<len(rels) - 1
			}
		}
		p.needs = append(p.needs, set)
		if set != 0 {
			if groups[set] == nil {
				order = append(order, set)
			}
			groups[set] = append(groups[set], c)
		}
	}
	for _, set := range order {
		x := edge{set: set, share: 0.33}
		if bits.OnesCount64(set) == 2 {
			l, r := bits.TrailingZeros64(set), 63-bits.LeadingZeros64(set)
			x.share = e.matching(groups[set], p.rows[l], p.rows[r])
		}
		p.edges = append(p.edges, x)
	}
	if len(rels) <= exactMax {
		return p.exact()
	}
	return p.greedy()
}

// size estimates the join of a set.
func (p *ordering) size(set uint64) float64 {
	rows := 1.0
	for s := set; s != 0; s &= s - 1 {
		rows *= p.rows[bits.TrailingZeros64(s)]
	}
	for i := range p.edges {
		if x := &p.edges[i]; x.set&^set == 0 {
			rows *= x.share
		}
	}
	return max(1, rows)
}

// linked tells whether a condition joins the two sets.
func (p *ordering) linked(a, b uint64) bool {
	for i := range p.edges {
		if x := p.edges[i].set; x&^(a|b) == 0 && x&a != 0 && x&b != 0 {
			return true
		}
	}
	return false
}

// unlinkedCost makes any product of relations without a condition dearer than
// all joins with one.
const unlinkedCost = 1e6

// cost of joining two sets of l and r rows to out rows: a built row is hashed,
// inserted and later missed in the cache, a probed one only looked up.
func cost(l, r, out float64, linked bool) float64 {
	c := 3*min(l, r) + max(l, r) + out
	if !linked {
		c = c*unlinkedCost + l*r
	}
	return c
}

// best is the cheapest tree of a set.
type best struct {
	cost, rows  float64
	left, right uint64
}

func (p *ordering) exact() joined {
	n := len(p.rels)
	plans := make([]best, 1<<n)
	for i := range n {
		plans[1<<i].rows = p.rows[i]
	}
	for set := uint64(1); set < 1<<n; set++ {
		if set&(set-1) == 0 {
			continue
		}
		b := &plans[set]
		b.rows, b.cost = p.size(set), -1
		// Each pair once: the part with the lowest relation is the first one.
		low := set & -set
		for a := (set - 1) & set; a != 0; a = (a - 1) & set {
			if a&low == 0 {
				continue
			}
			l, r := &plans[a], &plans[set&^a]
			c := l.cost + r.cost
			if b.cost >= 0 && c >= b.cost {
				continue
			}
			c += cost(l.rows, r.rows, b.rows, p.linked(a, set&^a))
			if b.cost < 0 || c < b.cost {
				b.cost, b.left, b.right = c, a, set&^a
			}
		}
	}
	used := make([]bool, len(p.conds))
	node := p.tree(plans, 1<<n-1, used)
	return joined{node, p.rest(used)}
}

func (p *ordering) tree(plans []best, set uint64, used []bool) logical.Node {
	b := &plans[set]
	if b.left == 0 {
		return p.rels[bits.TrailingZeros64(set)]
	}
	l, r := p.tree(plans, b.left, used), p.tree(plans, b.right, used)
	return p.join(l, r, plans[b.left].rows, plans[b.right].rows, set, used)
}

// join makes the join of two trees, with all conditions that fit now.
func (p *ordering) join(l, r logical.Node, lrows, rrows float64, set uint64, used []bool) logical.Node {
	if lrows < rrows {
		l, r, lrows, rrows = r, l, rrows, lrows
	}
	j := &logical.Join{Kind: plan.Inner, L: l, R: r, LRows: lrows, RRows: rrows}
	for k, c := range p.conds {
		if !used[k] && p.needs[k] != 0 && p.needs[k]&^set == 0 {
			used[k] = true
			j.On = append(j.On, c)
		}
	}
	return j
}

// rest are the conditions that found no place: an outer column is missing.
func (p *ordering) rest(used []bool) (out []plan.Expr) {
	for k, c := range p.conds {
		if !used[k] {
			out = append(out, c)
		}
	}
	return out
}

// greedy joins the cheapest pair until one is left.
func (p *ordering) greedy() joined {
	type part struct {
		set  uint64
		node logical.Node
		rows float64
	}
	parts := make([]part, len(p.rels))
	for i, r := range p.rels {
		parts[i] = part{1 << i, r, p.rows[i]}
	}
	used := make([]bool, len(p.conds))
	type pair struct{ a, b uint64 }
	known := map[pair]best{}
	for len(parts) > 1 {
		bi, bj, least := 0, 1, best{cost: -1}
		for i := range parts {
			for j := i + 1; j < len(parts); j++ {
				k := pair{parts[i].set, parts[j].set}
				c, ok := known[k]
				if !ok {
					c.rows = p.size(k.a | k.b)
					c.cost = cost(parts[i].rows, parts[j].rows, c.rows, p.linked(k.a, k.b))
					known[k] = c
				}
				if least.cost < 0 || c.cost < least.cost {
					bi, bj, least = i, j, c
				}
			}
		}
		l, r := parts[bi], parts[bj]
		set := l.set | r.set
		parts[bi] = part{set, p.join(l.node, r.node, l.rows, r.rows, set, used), least.rows}
		parts = append(parts[:bj], parts[bj+1:]...)
	}
	return joined{parts[0].node, p.rest(used)}
}
