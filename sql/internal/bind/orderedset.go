package bind

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/errs"
)

// orderedSet binds f(direct) WITHIN GROUP (ORDER BY …). The call's arguments are
// what is ordered, then the direct ones.
func (b *binder) orderedSet(inner *exprCtx, e *ast.Call, name string) (*plan.AggCall, error) {
	direct, err := b.exprs(inner, e.Args)
	if err != nil {
		return nil, err
	}
	if !e.WithinGroup {
		if err := fn.WithoutWithin(name, exprTypes(direct)); err != nil {
			return nil, at(err, e)
		}
		return nil, at(errs.New(errs.WrongObjectType, "WITHIN GROUP is required for ordered-set aggregate %s", name), e)
	}
	ordered := make([]ast.Expr, len(e.Order))
	for i, it := range e.Order {
		ordered[i] = it.Expr
	}
	args, err := b.exprs(inner, ordered)
	if err != nil {
		return nil, err
	}
	agg, want, err := fn.LookupOrderedSet(name, exprTypes(direct), exprTypes(args))
	if err != nil {
		return nil, at(err, e)
	}
	call := &plan.AggCall{Agg: agg}
	if call.Args, err = b.coerceArgs(append(args, direct...), want, e); err != nil {
		return nil, err
	}
	call.Typ = agg.Result(exprTypes(call.Args))
	for i, it := range e.Order {
		k, err := b.sortKey(call.Args[i], it)
		if err != nil {
			return nil, err
		}
		call.Order = append(call.Order, k)
	}
	return call, b.aggregateFilter(inner, call, e)
}

// checkDirect refuses direct arguments that are not the same for all rows of a
// group.
func (g *grouping) checkDirect(calls []logical.AggItem) error {
	for i := range calls {
		c := &calls[i].Call
		for _, x := range c.Args[len(c.Args)-c.Agg.DirectOf(len(c.Args)):] {
			if _, err := g.rewrite(x); err != nil {
				if e := errs.As(err); e != nil {
					return e.WithDetail("Direct arguments of an ordered-set aggregate must use only grouped columns.")
				}
				return err
			}
		}
	}
	return nil
}
