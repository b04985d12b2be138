package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// expandStage calls a set-returning function for every input row.
type expandStage struct {
	stage
	q    *query
	n    *plan.Expand
	args []*compiled
}

func (q *query) buildExpand(ctx context.Context, n *plan.Expand) (stage, error) {
	in, err := q.build(ctx, n.In)
	if err != nil {
		return nil, err
	}
	args, err := q.compileAll(ctx, n.Args)
	if err != nil {
		return nil, err
	}
	return &expandStage{in, q, n, args}, nil
}

func (s *expandStage) open() runner {
	return &expandRunner{s: s, in: s.stage.open(), args: instances(s.args), vecs: make([]vec.Vector, len(s.args))}
}

type expandRunner struct {
	s    *expandStage
	in   runner
	args []*instance
	vecs []vec.Vector
	cols []*vec.Builder
}

func (r *expandRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	err := r.in.run(ctx, morsel, func(b *vec.Batch) error {
		if b.Rows() == 0 {
			return nil
		}
		if err := evalAll(r.args, b, r.vecs); err != nil {
			return err
		}
		if b.Sel != nil {
			for _, i := range b.Sel {
				if err := r.row(ctx, b, int(i), emit); err != nil {
					return err
				}
			}
			return nil
		}
		for i := range b.Len {
			if err := r.row(ctx, b, i, emit); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.flush(emit)
}

// row emits input row i with each row of the function.
func (r *expandRunner) row(ctx context.Context, b *vec.Batch, i int, emit sched.Emit) error {
	if err := sched.CheckCancel(ctx); err != nil {
		return err
	}
	vals := make([]types.Datum, len(r.vecs))
	for k := range r.vecs {
		vals[k] = r.vecs[k].Datum(i)
	}
	out, err := r.s.n.Gen(r.s.q.env, vals)
	if err != nil {
		return err
	}
	rows := 0
	for k := range out.Batches {
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		g := out.Batch(k)
		for j := range g.Len {
			rows++
			if err := r.add(b, i, g, j, emit); err != nil {
				return err
			}
		}
	}
	if rows == 0 && r.s.n.Outer {
		return r.add(b, i, nil, 0, emit)
	}
	return nil
}

// add appends input row i and row j of g (nil = NULLs).
func (r *expandRunner) add(b *vec.Batch, i int, g *vec.Batch, j int, emit sched.Emit) error {
	if r.cols == nil {
		for _, t := range r.s.n.Types() {
			r.cols = append(r.cols, vec.NewBuilder(t, 0))
		}
	}
	for k := range b.Cols {
		d := b.Cols[k].Datum(i)
		r.cols[k].Append(&d)
	}
	for k, c := range r.cols[len(b.Cols):] {
		d := types.NullDatum
		if g != nil {
			d = g.Cols[k].Datum(j)
		}
		c.Append(&d)
	}
	if r.cols[len(r.cols)-1].Len() < vec.BatchRows {
		return nil
	}
	return r.flush(emit)
}

func (r *expandRunner) flush(emit sched.Emit) error {
	if r.cols == nil {
		return nil
	}
	out := &vec.Batch{}
	for _, c := range r.cols {
		out.Cols = append(out.Cols, c.Finish())
	}
	out.Len = out.Cols[0].Len
	r.cols = nil
	return emit(out)
}
