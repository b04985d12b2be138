package exec

import (
	"context"
	"quern/engine/fn"

	"quern/engine/internal/expr"
	"quern/engine/internal/order"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// sortStage materialises its input, orders row numbers and gathers the rows in
// order. Rows with equal keys keep the input's order, so the result is
// repeatable. What does not fit in memory is sorted in runs, see mergeSort.
type sortStage struct {
	q      *query
	in     stage
	order  *ordering
	set    *rowset
	rows   []uint32
	acct   *sched.Account
	limit  *sortLimit
	merged *mergeSort // instead of set and rows
	perRow int        // what rows need beside sorting, in bytes
}

// sortLimit is the part of the sorted rows that is wanted.
type sortLimit struct {
	n, skip int64 // n < 0 = all
	ties    bool  // and what is equal to the last one in the first keys
	keys    int
}

// cut gives the range of sorted rows within the limit.
func (l *sortLimit) cut(so *order.Sorter, rows []uint32) (lo, hi int) {
	lo, hi = min(int(min(l.skip, 1<<40)), len(rows)), len(rows)
	if l.n >= 0 {
		hi = int(min(int64(len(rows)), int64(lo)+l.n))
	}
	for l.ties && hi > lo && hi < len(rows) && so.Equal(rows[hi-1], rows[hi], l.keys) {
		hi++
	}
	return lo, hi
}

// ordering says how batches become rows with sort keys: the input's columns,
// then the keys that are no plain column.
type ordering struct {
	typs  []types.Type // of the input
	extra []*compiled
	keys  []order.Key
}

func (q *query) newOrdering(ctx context.Context, typs []types.Type, keys []plan.SortKey) (*ordering, error) {
	o := &ordering{typs: typs}
	for _, k := range keys {
		e := k.Expr
		if t := e.Type(); t.HasOrderKey() {
			e = &plan.Call{Fn: fn.OrderKey(t), Args: []plan.Expr{e}, Typ: types.Bytea}
		}
		c, err := q.compile(ctx, e)
		if err != nil {
			return nil, err
		}
		sk := order.Key{Col: c.col, Desc: k.Desc, NullsFirst: k.NullsFirst}
		if c.col < 0 {
			sk.Col = len(typs) + len(o.extra)
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
	each := func(b *vec.Batch) error {
		copy(r.out.Cols, b.Cols)
		if err := evalAll(r.extra, b, r.out.Cols[r.n:]); err != nil {
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

func (s *sortStage) prepare(ctx context.Context) error {
	if err := s.in.prepare(ctx); err != nil {
		return err
	}
	ext := newMergeSort(s)
	s.merged = ext // close ends it also after an error
	c := s.q.newCollector(s.order.all())
	defer c.close()
	c.perRow, c.floor = 4+order.ScratchBytes+s.perRow, s.q.spillFloor()
	in := &keyed{s.in, s.order}
	err := s.q.consume(ctx, in, func(ctx context.Context, w, m int, b *vec.Batch) error {
		g := c.worker(w)
		err := g.add(m, b)
		if err != nil && s.q.disk != nil {
			err = ext.spill(ctx, w, g)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.in.close()
	if ext.started() {
		for w, g := range c.workers {
			if g != nil {
				if err := ext.spill(ctx, w, g); err != nil {
					return err
				}
			}
		}
		return ext.finish(ctx)
	}
	s.merged = nil
	if s.set, err = s.q.concat(ctx, c.all(), s.order.all()); err != nil {
		return err
	}
	c.close()
	return s.sortSet(ctx)
}

// sortSet orders the rows in memory.
func (s *sortStage) sortSet(ctx context.Context) (err error) {
	s.acct = s.q.account()
	s.acct.Force(int64(4 * s.set.rows))
	if s.rows, err = s.q.sortRows(ctx, s.set, s.order.keys); err != nil {
		return err
	}
	if s.limit != nil {
		lo, hi := s.limit.cut(&order.Sorter{Cols: s.set.cols, Keys: s.order.keys}, s.rows)
		s.rows = s.rows[lo:hi]
	}
	return nil
}

// sortMorsel is the number of sorted rows that make a morsel.
const sortMorsel = 16 * vec.BatchRows

func (s *sortStage) morsels() int {
	if s.merged != nil {
		return len(s.merged.ranges)
	}
	return (len(s.rows) + sortMorsel - 1) / sortMorsel
}

func (s *sortStage) close() {
	s.in.close()
	s.set.close()
	if s.acct != nil {
		s.acct.Close()
	}
	if s.merged != nil {
		s.merged.close()
	}
}

func (s *sortStage) open() runner {
	if s.merged != nil {
		return &mergeRunner{m: s.merged, n: len(s.order.typs)}
	}
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

// parallelSortRows is the size from which sorting uses several workers.
const parallelSortRows = 1 << 16

// sortRows returns the numbers of the rows in order, accounting for them.
func (q *query) sortRows(ctx context.Context, set *rowset, keys []order.Key) ([]uint32, error) {
	rows := make([]uint32, set.rows)
	for i := range rows {
		rows[i] = uint32(i)
	}
	acct := q.account()
	defer acct.Close()
	acct.Force(int64(order.ScratchBytes * set.rows)) // the collector asked for it
	stop := func() bool { return ctx.Err() != nil }
	if set.rows < q.sortSplit || q.threads < 2 || len(keys) == 0 {
		err := sched.Run(ctx, 1, 1, func(ctx context.Context, _, _ int) error {
			s := order.Sorter{Cols: set.cols, Keys: keys, Stop: stop}
			s.Sort(rows)
			return sched.CheckCancel(ctx)
		})
		return rows, err
	}
	buckets := order.Split(&set.cols[keys[0].Col], keys[0], rows, 8*q.threads)
	sorters := make([]*order.Sorter, q.threads)
	err := sched.Run(ctx, q.threads, len(buckets)-1, func(ctx context.Context, w, m int) error {
		if sorters[w] == nil {
			sorters[w] = &order.Sorter{Cols: set.cols, Keys: keys, Stop: stop}
		}
		sorters[w].Sort(rows[buckets[m]:buckets[m+1]])
		return sched.CheckCancel(ctx)
	})
	return rows, err
}
