package exec

import (
	"context"

	"quern/engine/internal/rowplan"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// rowPlan runs n for the values of a row, which the Outer expressions with ids
// stand for. Its stages are built anew for each, on the row's worker: other rows
// have workers of their own. ctx is what the node around is built under.
func (q *query) rowPlan(built context.Context, n plan.Node, ids []int) rowplan.Runner {
	one := *q
	one.threads = 1
	return func(ctx context.Context, vals []types.Datum, emit sched.Emit) error {
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		ctx = rowplan.With(rowplan.Under(ctx, built), ids, vals)
		s, err := one.build(ctx, n)
		if err != nil {
			return err
		}
		defer s.close()
		if err := s.prepare(ctx); err != nil {
			return err
		}
		r := s.open()
		for m := range s.morsels() {
			err := r.run(ctx, m, func(b *vec.Batch) error {
				if err := sched.CheckCancel(ctx); err != nil || b.Rows() == 0 {
					return err
				}
				return emit(b)
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// constant is the value of a subquery that refers to nothing outside, or the
// error that the rows meet that need it.
func (q *query) constant(ctx context.Context, e *plan.Subquery) (plan.Expr, error) {
	l, err := q.runSubquery(ctx, e)
	if err == nil {
		return l, nil
	}
	if x, ok := rowplan.Raise(err, e.Typ); ok {
		return x, nil
	}
	return nil, err
}
