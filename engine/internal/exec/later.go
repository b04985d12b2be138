package exec

import (
	"context"

	"quern/engine/plan"
	"quern/storage/errs"
)

func (q *query) buildSetOp(ctx context.Context, n *plan.SetOp) (stage, error) {
	return nil, errs.NotSupported("INTERSECT/EXCEPT")
}
func (q *query) buildSort(ctx context.Context, n *plan.Sort) (stage, error) {
	return nil, errs.NotSupported("ORDER BY")
}
func (q *query) buildTopN(ctx context.Context, n *plan.TopN) (stage, error) {
	return nil, errs.NotSupported("ORDER BY")
}
func (q *query) buildJoin(ctx context.Context, n *plan.Join) (stage, error) {
	return nil, errs.NotSupported("JOIN")
}
