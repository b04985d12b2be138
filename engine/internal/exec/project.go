package exec

import (
	"context"

	"quern/engine/internal/expr"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/vec"
)

// projectStage computes expressions.
type projectStage struct {
	stage
	exprs []*compiled
}

func (q *query) buildProject(ctx context.Context, n *plan.Project) (stage, error) {
	in, err := q.build(ctx, n.In)
	if err != nil {
		return nil, err
	}
	exprs, err := q.compileAll(ctx, n.Exprs)
	if err != nil {
		return nil, err
	}
	return &projectStage{in, exprs}, nil
}

func (s *projectStage) open() runner {
	return &projectRunner{in: s.stage.open(), exprs: instances(s.exprs), out: vec.Batch{Cols: make([]vec.Vector, len(s.exprs))}}
}

type projectRunner struct {
	in    runner
	exprs []*instance
	out   vec.Batch
}

func (r *projectRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	each := func(b *vec.Batch) error {
		if err := evalAll(r.exprs, b, r.out.Cols); err != nil {
			return err
		}
		r.out.Len, r.out.Sel, r.out.Base = b.Len, b.Sel, b.Base
		return emit(&r.out)
	}
	return r.in.run(ctx, morsel, func(b *vec.Batch) error {
		if b.Rows() == 0 {
			return nil
		}
		return expr.InPieces(b, each)
	})
}
