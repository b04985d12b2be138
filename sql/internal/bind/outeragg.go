package bind

import (
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
)

// level is a query around an expression: the expression's own is number 0, ctx
// is the expression of that query through which one gets to it.
type level struct {
	n   int
	ctx *exprCtx
}

// noLevel is the level of what has no columns.
const noLevel = 1 << 30

// computed is an aggregate that a query has: its column's owner and place.
type computed struct {
	by *aggState
	at ast.Node
}

// levelOf finds the innermost query that a column or an aggregate in es belongs
// to; agg is where an aggregate of that very query among them stands.
func (b *binder) levelOf(ctx *exprCtx, es ...plan.Expr) (l level, agg ast.Node) {
	l = level{noLevel, ctx}
	for id := range logical.Refs(es...) {
		c := b.aggOf[id]
		at := level{ctx: ctx}
		for s := ctx.scope; s != nil; s = s.parent {
			if s.owns(id) { // a column here, though a subquery may have computed it
				c = computed{}
				break
			}
			if c.by != nil && at.ctx.agg == c.by {
				break
			}
			if s.via != nil {
				at = level{at.n + 1, s.via}
			}
		}
		if at.n < l.n {
			l, agg = at, c.at
		} else if at.n == l.n && c.at != nil {
			agg = c.at
		}
	}
	return l, agg
}

func (s *scope) owns(id int) bool {
	for _, r := range s.rels {
		for _, c := range r.cols {
			if c.ID == id {
				return true
			}
		}
	}
	for _, c := range s.cols {
		if c.ID == id {
			return true
		}
	}
	return false
}

// aggLevel is the query that computes an aggregate (or GROUPING, as what says)
// of es: the innermost one whose columns they use, its own without any. The
// error tells where in that query no aggregate may stand.
func (b *binder) aggLevel(ctx *exprCtx, what string, n ast.Node, es ...plan.Expr) (level, error) {
	l, nested := b.levelOf(ctx, es...)
	l.n %= noLevel // without columns it is its own query's
	switch {
	case l.ctx.agg == nil:
		return l, at(errs.New(errs.Grouping, "%s are not allowed in %s", what, aggregateClauses[l.ctx.clause]), n)
	case nested != nil:
		return l, at(errs.New(errs.Grouping, "aggregate function calls cannot be nested"), nested)
	}
	return l, nil
}

// addAggregate gives call to the query that computes it.
func (b *binder) addAggregate(ctx *exprCtx, name string, call *plan.AggCall, e *ast.Call) (plan.Expr, error) {
	own := len(call.Args) - call.Agg.DirectOf(len(call.Args))
	es := append([]plan.Expr(nil), call.Args[:own]...)
	for _, k := range call.Order {
		es = append(es, k.Expr)
	}
	if call.Filter != nil {
		es = append(es, call.Filter)
	}
	l, err := b.aggLevel(ctx, "aggregate functions", e, es...)
	if err != nil {
		return nil, err
	}
	if direct, nested := b.levelOf(ctx, call.Args[own:]...); direct.n < l.n {
		return nil, at(errs.New(errs.Grouping, "outer-level aggregate cannot contain a lower-level variable in its direct arguments"),
			b.firstPlace(e, call.Args[own:]))
	} else if nested != nil && direct.n == l.n {
		return nil, at(errs.New(errs.Grouping, "aggregate function calls cannot be nested"), nested)
	}
	x := l.ctx.agg.add(b, name, *call)
	if b.aggOf == nil {
		b.aggOf = map[int]computed{}
	}
	b.aggOf[x.(*plan.Col).Index] = computed{l.ctx.agg, e}
	return x, nil
}

// firstPlace is where the first column or aggregate in es stands, n if unknown.
func (b *binder) firstPlace(n ast.Node, es []plan.Expr) ast.Node {
	for _, e := range es {
		var found ast.Node
		logical.Walk(e, func(x plan.Expr) bool {
			if c, ok := x.(*plan.Col); ok && found == nil {
				if found = b.place(c); found == nil {
					found = b.aggOf[c.Index].at
				}
			}
			return found == nil
		})
		if found != nil {
			return found
		}
	}
	return n
}
