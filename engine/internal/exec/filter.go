package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/vec"
)

// filterStage keeps the rows for which pred is true.
type filterStage struct {
	stage
	pred *compiled
}

func (q *query) buildFilter(ctx context.Context, n *plan.Filter) (stage, error) {
	in, err := q.build(ctx, n.In)
	if err != nil {
		return nil, err
	}
	pred, err := q.compile(ctx, n.Pred)
	if err != nil {
		return nil, err
	}
	return &filterStage{in, pred}, nil
}

func (s *filterStage) open() runner {
	return &filterRunner{in: s.stage.open(), pred: s.pred.instance()}
}

type filterRunner struct {
	in   runner
	pred *instance
	out  vec.Batch
}

func (r *filterRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	return r.in.run(ctx, morsel, func(b *vec.Batch) error {
		sel, err := r.pred.selectRows(b)
		if err != nil {
			return err
		}
		if sel != nil && len(sel) == 0 {
			return nil
		}
		r.out = *b
		r.out.Sel = sel
		return emit(&r.out)
	})
}
