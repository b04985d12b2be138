// Package optimize rewrites logical plans: same rows, less work. Each rule is
// one file and one func(logical.Node) logical.Node; Run says their order.
//
//	fold ─ unnest ─ simplify outer joins ─ push down (to a fixpoint) ─ join
//	order ─ aggregates ─ prune columns
//
// A rule may move a predicate that can raise only where PostgreSQL may move it
// too, and never moves, copies or drops volatile expressions. Policies are not
// its business: they act inside the scan, below every filter that a rule could
// place there.
package optimize

import (
	"strings"

	"quern/engine/plan"
	"quern/sql/internal/logical"
	"quern/storage/types"
)

// Options is what rules know of the statement.
type Options struct {
	// Off names rules to leave out, with commas between, or is "all". Unnesting
	// and pruning are no choice.
	Off string
	// LastID is the highest column number in use.
	LastID int
	// Eval computes a constant expression; nil = no folding.
	Eval func(e plan.Expr) (types.Datum, error)
	// Stats says what is known of a scan's column; nil = nothing.
	Stats func(scan *logical.Scan, i int) (logical.ColumnStats, bool)
}

// Rules are the names that Options.Off knows.
var Rules = []string{"fold", "outer", "pushdown", "joinorder", "aggregates", "common"}

// optimizer carries what rules share.
type optimizer struct {
	off map[string]bool
	o   Options
	est *estimator
}

func (o *optimizer) newCol(name string, t types.Type) logical.Column {
	o.o.LastID++
	return logical.Column{ID: o.o.LastID, Name: name, Type: t}
}

// Run optimizes n; out are the columns that its consumer reads. Rows estimates
// the rows of a node of the result.
func Run(n logical.Node, out []logical.Column, opts Options) (best logical.Node, rows func(logical.Node) float64, err error) {
	o := &optimizer{off: map[string]bool{}, o: opts, est: &estimator{stats: opts.Stats, cols: map[int]*columnFacts{}}}
	for name := range strings.SplitSeq(opts.Off, ",") {
		o.off[strings.TrimSpace(name)] = true
	}
	if o.off["all"] {
		for _, name := range Rules {
			o.off[name] = true
		}
	}
	if !o.off["fold"] {
		n = o.fold(n)
	}
	if n, err = o.unnest(n); err != nil {
		return nil, nil, err
	}
	n = o.arrange(n)
	need := logical.Set{}
	for _, c := range out {
		need[c.ID] = true
	}
	best = prune(n, need)
	return best, func(n logical.Node) float64 {
		o.est.seen(best)
		return o.est.rows(n)
	}, nil
}

// arrange moves predicates down and joins into order, in subqueries too.
func (o *optimizer) arrange(n logical.Node) logical.Node {
	for range pushRounds {
		before := n
		if !o.off["outer"] {
			n = outerToInner(n)
		}
		if !o.off["pushdown"] {
			n = pushDown(n)
		}
		if n == before {
			break
		}
	}
	for _, rule := range []struct {
		name string
		run  func(logical.Node) logical.Node
	}{{"joinorder", o.orderJoins}, {"aggregates", o.aggregates}, {"common", o.common}} {
		if !o.off[rule.name] {
			n = rule.run(n)
		}
	}
	return o.arrangeSubs(n)
}

// arrangeSubs arranges the plans of subqueries that stayed expressions.
func (o *optimizer) arrangeSubs(n logical.Node) logical.Node {
	n = mapInputs(n, o.arrangeSubs)
	if x, ok := n.(*logical.Expand); ok && x.Func.Sub != nil {
		c, f := *x, *x.Func
		f.Sub = o.arrange(f.Sub)
		c.Func = &f
		n = &c
	}
	if !anySub(n.Exprs()) {
		return n
	}
	es := append([]plan.Expr(nil), n.Exprs()...)
	for i := range es {
		es[i] = logical.Map(es[i], func(x plan.Expr) plan.Expr {
			s, ok := x.(*logical.Sub)
			if !ok {
				return nil
			}
			c := *s
			c.Node = o.arrange(s.Node)
			return &c
		})
	}
	return n.WithExprs(es)
}

// pushRounds bounds the fixpoint of pushdown.
const pushRounds = 5
