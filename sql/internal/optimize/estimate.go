package optimize

import (
	"math"

	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// estimator guesses row counts, for the order of joins and the side that is
// built; only ranks matter. It knows of columns what segments know where the
// view hides nothing, else only how many rows the table may have.
type estimator struct {
	stats func(scan *logical.Scan, i int) (logical.ColumnStats, bool)
	cols  map[int]*columnFacts // by column number; filled by seen
}

// columnFacts are estimates of a stored column.
type columnFacts struct {
	scan     *logical.Scan
	at       int
	asked    bool
	stats    logical.ColumnStats
	known    bool
	distinct float64 // 0 = unknown
}

// column gives what is known of a column number, nil if it is not stored.
func (e *estimator) column(id int) *columnFacts {
	c := e.cols[id]
	if c == nil || c.asked {
		return c
	}
	c.asked = true
	if e.stats == nil {
		return c
	}
	if c.stats, c.known = e.stats(c.scan, c.at); !c.known {
		return c
	}
	s := &c.stats
	values := float64(s.Rows - s.Nulls)
	switch {
	case s.Distinct > 0:
		c.distinct = min(values, float64(s.Distinct))
	case s.Bounded:
		// NB: the range is the only hint; identifiers are mostly dense.
		c.distinct = min(values, float64(s.Max)-float64(s.Min)+1)
	}
	return c
}

// seen remembers the stored columns of n's scans.
func (e *estimator) seen(n logical.Node) {
	if s, ok := n.(*logical.Scan); ok {
		for i, c := range s.Cols {
			if _, had := e.cols[c.ID]; !had {
				e.cols[c.ID] = &columnFacts{scan: s, at: i}
			}
		}
	}
	for _, in := range n.Inputs() {
		e.seen(in)
	}
}

// rows guesses a node's rows.
func (e *estimator) rows(n logical.Node) float64 {
	switch n := n.(type) {
	case *logical.Scan:
		rows := float64(n.Rows)
		if rows <= 0 {
			rows = 1000
		}
		return max(1, rows*e.selectivity(n.Filter, rows))
	case *logical.Virtual:
		return 500
	case *logical.Values:
		return float64(len(n.Rows))
	case *logical.Filter:
		in := e.rows(n.In)
		return max(1, in*e.selectivity(n.Preds, in))
	case *logical.Aggregate:
		return e.groups(n)
	case *logical.Limit:
		rows := e.rows(n.In)
		if l, ok := n.Count.(*plan.Lit); ok && !l.Val.Null {
			rows = min(rows, float64(l.Val.I))
		}
		return rows
	case *logical.Join:
		return e.join(n)
	}
	total := 0.0
	for _, in := range n.Inputs() {
		total += e.rows(in)
	}
	return max(1, total)
}

func (e *estimator) groups(n *logical.Aggregate) float64 {
	in := e.rows(n.In)
	if len(n.Keys) == 0 {
		return 1
	}
	groups := 1.0
	for i := range n.Keys {
		d := 0.0
		if c, ok := n.Keys[i].Expr.(*plan.Col); ok {
			if f := e.column(c.Index); f != nil {
				d = f.distinct
			}
		}
		if d == 0 {
			return max(1, in/10)
		}
		groups *= d
	}
	return max(1, min(groups, in))
}

func (e *estimator) join(n *logical.Join) float64 {
	l, r := e.rows(n.L), e.rows(n.R)
	switch n.Kind {
	case plan.Mark, plan.Single:
		return l
	case plan.Semi, plan.Anti, plan.AntiNull:
		// The share of left keys that the right side has.
		share := 0.5
		for _, c := range n.On {
			if eq, ok := logical.Equality(c); ok {
				if d := max(e.distinct(eq.Args[0], 0), e.distinct(eq.Args[1], 0)); d > 0 {
					share = min(share, r/d)
				}
			}
		}
		if n.Kind != plan.Semi {
			share = max(0.1, 1-share)
		}
		return max(1, l*share)
	}
	rows := max(1, l*r*e.matching(n.On, l, r))
	if n.Kind == plan.Left || n.Kind == plan.Full {
		rows = max(rows, l)
	}
	if n.Kind == plan.Right || n.Kind == plan.Full {
		rows = max(rows, r)
	}
	return rows
}

// distinct guesses how many values e takes before any filter; unknown is what
// it gives if there is no hint.
func (e *estimator) distinct(x plan.Expr, unknown float64) float64 {
	for {
		c, ok := x.(*plan.Cast)
		if !ok {
			break
		}
		x = c.Arg
	}
	if c, ok := x.(*plan.Col); ok {
		if f := e.column(c.Index); f != nil && f.distinct > 0 {
			return f.distinct
		}
	}
	return unknown
}

// matching guesses the share of the pairs of l and r rows that satisfy conds,
// which all need both sides. One equality keeps one pair in as many as there
// are values on the side that has more of them. Several together are taken for
// a key of the smaller side: their values depend on each other.
func (e *estimator) matching(conds []plan.Expr, l, r float64) float64 {
	share, equalities, key := 1.0, 0, 1.0
	for _, c := range conds {
		eq, ok := logical.Equality(c)
		if !ok {
			share *= 0.33
			continue
		}
		a, b := e.distinct(eq.Args[0], 0), e.distinct(eq.Args[1], 0)
		d := max(a, b)
		if a == 0 || b == 0 {
			d = max(d, min(l, r), 1)
		}
		key *= max(d, 1)
		equalities++
	}
	if equalities > 1 {
		key = min(key, max(1, l, r))
		key = min(key, max(1, e.tableRows(conds, l, r)))
	}
	return share / key
}

// tableRows is the size of the smaller of the tables that equalities compare,
// before filters.
func (e *estimator) tableRows(conds []plan.Expr, l, r float64) float64 {
	least := math.Inf(1)
	for _, c := range conds {
		eq, ok := logical.Equality(c)
		if !ok {
			continue
		}
		for _, x := range eq.Args {
			if col, isCol := x.(*plan.Col); isCol {
				if f := e.column(col.Index); f != nil && f.known {
					least = min(least, float64(f.stats.Rows))
				}
			}
		}
	}
	if math.IsInf(least, 1) {
		return max(l, r)
	}
	return least
}

// selectivity guesses the share of rows that satisfy all of preds.
func (e *estimator) selectivity(preds []plan.Expr, rows float64) float64 {
	s := 1.0
	ranges := map[int]float64{} // share left of each bounded column
	for _, p := range preds {
		if id, share, ok := e.rangeShare(p); ok {
			if have, two := ranges[id]; two {
				share = max(have+share-1, 0.001)
			}
			ranges[id] = share
			continue
		}
		s *= e.share(p, rows)
	}
	for _, share := range ranges {
		s *= share
	}
	return s
}

func (e *estimator) share(p plan.Expr, rows float64) float64 {
	switch x := p.(type) {
	case *plan.In:
		s := min(0.9, float64(len(x.List))*e.equal(x.Arg, rows))
		if x.Not {
			s = 1 - s
		}
		return s
	case *plan.Call:
		switch {
		case len(x.Args) != 2:
			return 0.33
		case x.Fn.Name == "=":
			_, l := x.Args[0].(*plan.Lit)
			_, r := x.Args[1].(*plan.Lit)
			if l || r {
				side := x.Args[0]
				if l {
					side = x.Args[1]
				}
				return e.equal(side, rows)
			}
			return 0.1
		case x.Fn.Name == "<>":
			return 0.9
		}
		if _, s, ok := e.rangeShare(p); ok {
			return s
		}
		return 0.33
	case *plan.Like:
		if x.Not {
			return 0.9
		}
		return 0.1
	case *plan.Not:
		return max(0.05, 1-e.share(x.Arg, rows))
	case *plan.Or:
		s := 0.0
		for _, a := range x.Args {
			s += e.share(a, rows)
		}
		return min(0.9, s)
	case *plan.And:
		return e.selectivity(x.Args, rows)
	case *plan.IsNull:
		if c, ok := x.Arg.(*plan.Col); ok {
			if f := e.column(c.Index); f != nil && f.known && f.stats.Rows > 0 {
				s := float64(f.stats.Nulls) / float64(f.stats.Rows)
				if x.Not {
					s = 1 - s
				}
				return s
			}
		}
		if x.Not {
			return 0.9
		}
		return 0.1
	}
	return 0.5
}

// equal guesses the share of rows with one value of x.
func (e *estimator) equal(x plan.Expr, rows float64) float64 {
	return 1 / max(1, e.distinct(x, min(100, max(1, rows))))
}

// rangeShare guesses the share of `col < constant` and its like from the bounds
// of the column.
func (e *estimator) rangeShare(p plan.Expr) (id int, share float64, ok bool) {
	x, isCall := p.(*plan.Call)
	if !isCall || len(x.Args) != 2 {
		return 0, 0, false
	}
	op := x.Fn.Name
	col, isCol := x.Args[0].(*plan.Col)
	lit, isLit := x.Args[1].(*plan.Lit)
	if !isCol || !isLit {
		if col, isCol = x.Args[1].(*plan.Col); !isCol {
			return 0, 0, false
		}
		if lit, isLit = x.Args[0].(*plan.Lit); !isLit {
			return 0, 0, false
		}
		op = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]
	}
	if op != "<" && op != "<=" && op != ">" && op != ">=" || lit.Val.Null || !integral(lit.Typ) {
		return 0, 0, false
	}
	f := e.column(col.Index)
	if f == nil || !f.known || !f.stats.Bounded || f.stats.Max <= f.stats.Min {
		return 0, 0, false
	}
	below := (float64(lit.Val.I) - float64(f.stats.Min)) / (float64(f.stats.Max) - float64(f.stats.Min))
	below = min(max(below, 0), 1)
	if op[0] == '>' {
		below = 1 - below
	}
	return col.Index, max(below, 0.0005), true
}

// integral tells whether a type's values are integers in the order of bounds.
func integral(t types.Type) bool {
	switch t.Phys() {
	case types.PhysI16, types.PhysI32, types.PhysI64:
		return true
	}
	return false
}
