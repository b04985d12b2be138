package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// memStage is a source of batches that gen makes in prepare, or promises:
// Virtual, Values, Series.
type memStage struct {
	typs []types.Type
	gen  func(ctx context.Context) (plan.SeriesRows, error)
	rows plan.SeriesRows
}

// ofBatches is a gen of batches that exist.
func ofBatches(gen func(ctx context.Context) ([]*vec.Batch, error)) func(ctx context.Context) (plan.SeriesRows, error) {
	return func(ctx context.Context) (plan.SeriesRows, error) {
		bs, err := gen(ctx)
		return plan.SeriesRows{Batches: len(bs), Batch: func(i int) *vec.Batch { return bs[i] }}, err
	}
}

// morselBatches is how many batches in memory make a morsel.
const morselBatches = 32

func (s *memStage) prepare(ctx context.Context) (err error) {
	s.rows, err = s.gen(ctx)
	return err
}

func (s *memStage) morsels() int {
	if s.rows.Each != nil {
		return 1
	}
	return (s.rows.Batches + morselBatches - 1) / morselBatches
}

func (s *memStage) close()       { s.rows = plan.SeriesRows{} }
func (s *memStage) open() runner { return s }

// run may serve all workers: batches are immutable.
func (s *memStage) run(ctx context.Context, m int, emit sched.Emit) error {
	if s.rows.Each != nil {
		return s.rows.Each(func(b *vec.Batch) error {
			if err := sched.CheckCancel(ctx); err != nil {
				return err
			}
			return emit(b)
		})
	}
	for i := m * morselBatches; i < min(s.rows.Batches, (m+1)*morselBatches); i++ {
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		if err := emit(s.rows.Batch(i)); err != nil {
			return err
		}
	}
	return nil
}

// oneRow is the input of expressions without columns.
func oneRow() *vec.Batch { return &vec.Batch{Len: 1} }

func (q *query) buildValues(ctx context.Context, n *plan.Values) (stage, error) {
	rows := make([][]*instance, len(n.Rows))
	for i, r := range n.Rows {
		cs, err := q.compileAll(ctx, r)
		if err != nil {
			return nil, err
		}
		rows[i] = instances(cs)
	}
	gen := func(ctx context.Context) ([]*vec.Batch, error) {
		var out []*vec.Batch
		in := oneRow()
		for lo := 0; lo < len(rows); lo += vec.BatchRows {
			if err := sched.CheckCancel(ctx); err != nil {
				return nil, err
			}
			p := newBuilders(n.Typs) // a statement bounds it
			row := vec.Batch{Len: 1, Cols: make([]vec.Vector, len(n.Typs))}
			for _, r := range rows[lo:min(len(rows), lo+vec.BatchRows)] {
				if err := evalAll(r, in, row.Cols); err != nil {
					return nil, err
				}
				p.add(&row)
			}
			b := &vec.Batch{Len: p.rows}
			for _, c := range p.cols {
				b.Cols = append(b.Cols, c.Finish())
			}
			out = append(out, b)
		}
		return out, nil
	}
	return &memStage{typs: n.Typs, gen: ofBatches(gen)}, nil
}

func (q *query) buildSeries(ctx context.Context, n *plan.Series) (stage, error) {
	args, err := q.compileAll(ctx, n.Args)
	if err != nil {
		return nil, err
	}
	gen := func(context.Context) (plan.SeriesRows, error) {
		vals := make([]types.Datum, len(args))
		for i, in := range instances(args) {
			v, err := in.eval(oneRow())
			if err != nil {
				return plan.SeriesRows{}, err
			}
			vals[i] = v.Datum(0)
		}
		return n.Gen(q.env, vals)
	}
	return &memStage{typs: n.Typs, gen: gen}, nil
}
