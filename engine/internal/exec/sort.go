package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// sortStage materialises its input, orders row numbers and gathers the rows in
// order. Rows with equal keys keep the input's order, so the result is
// repeatable.
type sortStage struct {
	q     *query
	in    stage
	order *ordering
	set   *rowset
	rows  []uint32
	acct  *sched.Account
	limit func(*sorter, []uint32) (lo, hi int, err error)
}

// ordering says how batches become rows with sort keys: the input's columns,
// then the keys that are no plain column.
type ordering struct {
	typs  []types.Type // of the input
	extra []*compiled
	keys  []sortKey
}

func (q *query) newOrdering(ctx context.Context, typs []types.Type, keys []plan.SortKey) (*ordering, error) {
	o := &ordering{typs: typs}
	for _, k := range keys {
		c, err := q.compile(ctx, k.Expr)
		if err != nil {
			return nil, err
		}
		sk := sortKey{col: c.col, desc: k.Desc, nullsFirst: k.NullsFirst}
		if c.col < 0 {
			sk.col = len(typs) + len(o.extra)
			o.extra = append(o.extra, c)
		}
		o.keys = append(o.keys, sk)
	}
	return o, nil
}

// all are the types of materialised rows.
func (o *ordering) all() []types.Type {
	return append(o.typs[:len(o.typs):len(o.typs)], typesOf(o.extra)...)
}

// keyed is a stage with the ordering's extra columns.
type keyed struct {
	stage
	o *ordering
}

func (s *keyed) open() runner {
	return &keyedRunner{in: s.stage.open(), n: len(s.o.typs), extra: instances(s.o.extra),
		out: vec.Batch{Cols: make([]vec.Vector, len(s.o.typs)+len(s.o.extra))}}
}

type keyedRunner struct {
	in    runner
	n     int
	extra []*instance
	out   vec.Batch
}

func (r *keyedRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	return r.in.run(ctx, morsel, func(b *vec.Batch) error {
		if b.Rows() == 0 {
			return nil
		}
		copy(r.out.Cols, b.Cols)
		if err := evalAll(r.extra, b, r.out.Cols[r.n:]); err != nil {
			return err
		}
		r.out.Len, r.out.Sel, r.out.Base = b.Len, b.Sel, b.Base
		return emit(&r.out)
	})
}

func (q *query) buildSort(ctx context.Context, n *plan.Sort) (stage, error) {
	in, err := q.build(ctx, n.In)
	if err != nil {
		return nil, err
	}
	o, err := q.newOrdering(ctx, n.In.Types(), n.Keys)
	if err != nil {
		return nil, err
	}
	return &sortStage{q: q, in: in, order: o}, nil
}

func (s *sortStage) prepare(ctx context.Context) (err error) {
	s.set, err = s.q.collect(ctx, &keyed{s.in, s.order}, s.order.all())
	if err != nil {
		return err
	}
	s.in.close()
	s.acct = s.q.account()
	if err := s.acct.Set(int64(4 * s.set.rows)); err != nil {
		return err
	}
	if s.rows, err = s.q.sortRows(ctx, s.set, s.order.keys); err != nil {
		return err
	}
	if s.limit != nil {
		lo, hi, err := s.limit(&sorter{cols: s.set.cols, keys: s.order.keys}, s.rows)
		if err != nil {
			return err
		}
		s.rows = s.rows[lo:hi]
	}
	return nil
}

// sortMorsel is the number of sorted rows that make a morsel.
const sortMorsel = 16 * vec.BatchRows

func (s *sortStage) morsels() int { return (len(s.rows) + sortMorsel - 1) / sortMorsel }

func (s *sortStage) close() {
	s.in.close()
	s.set.close()
	if s.acct != nil {
		s.acct.Close()
	}
}

func (s *sortStage) open() runner {
	r := &rowsRunner{cols: s.set, n: len(s.order.typs), rows: s.rows}
	r.init()
	return r
}

// rowsRunner emits rows of a rowset by number.
type rowsRunner struct {
	cols    *rowset
	n       int // columns to emit
	rows    []uint32
	out     vec.Batch
	scratch vec.BatchScratch
}

func (r *rowsRunner) init() {
	r.out.Cols = make([]vec.Vector, r.n)
	r.scratch.Col(r.n)
}

func (r *rowsRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	lo := morsel * sortMorsel
	return r.emit(ctx, r.rows[lo:min(lo+sortMorsel, len(r.rows))], emit)
}

func (r *rowsRunner) emit(ctx context.Context, rows []uint32, emit sched.Emit) error {
	for len(rows) > 0 {
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		k := min(vec.BatchRows, len(rows))
		for i := range r.n {
			r.scratch.Col(i).GatherRows(&r.out.Cols[i], &r.cols.cols[i], rows[:k])
		}
		r.out.Len = k
		if err := emit(&r.out); err != nil {
			return err
		}
		rows = rows[k:]
	}
	return nil
}
