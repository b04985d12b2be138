package exec

import (
	"context"

	"quern/engine/internal/expr"
	"quern/engine/internal/rowplan"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// expandStage calls a set-returning function, or runs a plan, for every input
// row. The input's
// columns are gathered, so that large values are not copied for each of the
// function's rows.
type expandStage struct {
	stage
	q    *query
	n    *plan.Expand
	args []*compiled
	plan rowplan.Runner // in place of the function
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
	s := &expandStage{stage: in, q: q, n: n, args: args}
	if n.Sub != nil {
		s.plan = q.rowPlan(ctx, n.Sub, n.IDs)
	}
	return s, nil
}

func (s *expandStage) open() runner {
	r := &expandRunner{s: s, in: s.stage.open(), args: instances(s.args), vecs: make([]vec.Vector, len(s.args))}
	all := s.n.Types()
	r.typs = all[len(s.n.In.Types()):]
	r.out.Cols = make([]vec.Vector, len(all))
	r.scratch.Col(len(all))
	return r
}

type expandRunner struct {
	s       *expandStage
	in      runner
	args    []*instance
	vecs    []vec.Vector
	vals    []types.Datum
	typs    []types.Type   // of the function
	cols    []*vec.Builder // of the function
	rows    []uint32       // per output row: its input row
	out     vec.Batch
	scratch vec.BatchScratch
}

// expandBytes is the size of a function's values from which a batch is full.
const expandBytes = 4 << 20

func (r *expandRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	each := func(b *vec.Batch) error {
		if err := evalAll(r.args, b, r.vecs); err != nil {
			return err
		}
		for i := range b.Rows() {
			if err := r.row(ctx, b, live(b, i), emit); err != nil {
				return err
			}
		}
		return r.flush(b, emit)
	}
	return r.in.run(ctx, morsel, func(b *vec.Batch) error {
		if b.Rows() == 0 {
			return nil
		}
		return expr.InPieces(b, each)
	})
}

// row emits input row i with each row of the function.
func (r *expandRunner) row(ctx context.Context, b *vec.Batch, i int, emit sched.Emit) error {
	if err := sched.CheckCancel(ctx); err != nil {
		return err
	}
	r.vals = r.vals[:0]
	for k := range r.vecs {
		r.vals = append(r.vals, r.vecs[k].Datum(i))
	}
	some := false
	add := func(g *vec.Batch) error {
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		some = some || g.Rows() > 0
		return r.add(b, i, g, emit)
	}
	err := r.ofRow(ctx, add)
	if err != nil {
		return err
	}
	if !some && r.s.n.Outer {
		return r.add(b, i, nil, emit)
	}
	return nil
}

// ofRow emits what belongs to r.vals.
func (r *expandRunner) ofRow(ctx context.Context, emit sched.Emit) error {
	if p := r.s.plan; p != nil {
		return p(ctx, r.vals, emit)
	}
	out, err := r.s.n.Gen(r.s.q.env, r.vals)
	if err != nil {
		return err
	}
	for k := range out.Batches {
		if err := emit(out.Batch(k)); err != nil {
			return err
		}
	}
	if out.Each != nil {
		return out.Each(emit)
	}
	return nil
}

// add appends input row i with all rows of g (nil = one of NULLs).
func (r *expandRunner) add(b *vec.Batch, i int, g *vec.Batch, emit sched.Emit) error {
	if r.cols == nil {
		for _, t := range r.typs {
			r.cols = append(r.cols, vec.NewBuilder(t, 0))
		}
	}
	n, size := 1, 0
	if g != nil {
		n = g.Rows()
	}
	for k, c := range r.cols {
		if g == nil {
			c.Null()
		} else {
			c.AppendVector(&g.Cols[k], g.Sel)
		}
		size += c.Size()
	}
	for range n {
		r.rows = append(r.rows, uint32(i))
	}
	if len(r.rows) < vec.BatchRows && size < expandBytes {
		return nil
	}
	return r.flush(b, emit)
}

// flush emits what there is. It is called before b goes.
func (r *expandRunner) flush(b *vec.Batch, emit sched.Emit) error {
	if len(r.rows) == 0 {
		return nil
	}
	at := len(r.out.Cols) - len(r.typs)
	for k := range at {
		r.scratch.Col(k).GatherRows(&r.out.Cols[k], &b.Cols[k], r.rows)
	}
	for k, c := range r.cols {
		r.out.Cols[at+k] = c.Finish()
	}
	r.out.Len, r.out.Sel = len(r.rows), nil
	r.rows, r.cols = r.rows[:0], nil
	return emit(&r.out)
}
