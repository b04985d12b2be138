package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// setOpStage is INTERSECT and EXCEPT: rows of both sides are grouped by all
// their columns, with one counter per side. NULLs are equal.
type setOpStage struct {
	q           *query
	left, right stage
	node        *plan.SetOp
	cols        []*compiled
	calls       []*aggCall
	*groups
}

func (q *query) buildSetOp(ctx context.Context, n *plan.SetOp) (stage, error) {
	l, err := q.build(ctx, n.L)
	if err != nil {
		return nil, err
	}
	r, err := q.build(ctx, n.R)
	if err != nil {
		return nil, err
	}
	s := &setOpStage{q: q, left: l, right: r, node: n}
	typs := n.Types()
	for i, t := range typs {
		s.cols = append(s.cols, column(q, i, t))
	}
	for range 2 {
		s.calls = append(s.calls, &aggCall{agg: countAgg{}, typ: types.Int8, set: -1, countOnly: true})
	}
	s.groups = q.newGroups(typs, s.calls)
	return s, nil
}

func (s *setOpStage) prepare(ctx context.Context) error {
	for i, in := range []stage{s.left, s.right} {
		if err := in.prepare(ctx); err != nil {
			return err
		}
		feeds := make([]*feed, s.q.threads)
		err := s.q.consume(ctx, in, func(ctx context.Context, w, m int, b *vec.Batch) error {
			if feeds[w] == nil {
				feeds[w] = newFeed(s.groups.worker(w), s.cols, s.calls[i:i+1])
			}
			return feeds[w].add(ctx, m, b)
		})
		if err != nil {
			return err
		}
		in.close()
	}
	return s.groups.finish(ctx)
}

func (s *setOpStage) close() {
	s.left.close()
	s.right.close()
	s.groups.close()
}

func (s *setOpStage) open() runner { return &setOpRunner{s: s, in: s.groups.open()} }

type setOpRunner struct {
	s       *setOpStage
	in      runner
	rows    []uint32
	out     vec.Batch
	scratch vec.BatchScratch
}

func (r *setOpRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	nk := len(r.s.cols)
	return r.in.run(ctx, morsel, func(b *vec.Batch) error {
		ls, rs := vec.Values[int64](&b.Cols[nk]), vec.Values[int64](&b.Cols[nk+1])
		r.rows = r.rows[:0]
		for i := range b.Len {
			for range r.s.repeat(ls[i], rs[i]) {
				if r.rows = append(r.rows, uint32(i)); len(r.rows) == vec.BatchRows {
					if err := r.flush(b, emit); err != nil {
						return err
					}
				}
			}
		}
		return r.flush(b, emit)
	})
}

// repeat is how often a row that occurs l times left and r times right occurs
// in the result.
func (s *setOpStage) repeat(l, r int64) int64 {
	var n int64
	if s.node.Except {
		n = max(0, l-r)
		if !s.node.All && r > 0 {
			n = 0
		}
	} else {
		n = min(l, r)
	}
	if !s.node.All {
		n = min(n, 1)
	}
	return n
}

func (r *setOpRunner) flush(b *vec.Batch, emit sched.Emit) error {
	if len(r.rows) == 0 {
		return nil
	}
	nk := len(r.s.cols)
	if r.out.Cols == nil {
		r.out.Cols = make([]vec.Vector, nk)
		r.scratch.Col(nk)
	}
	for i := range nk {
		r.scratch.Col(i).GatherRows(&r.out.Cols[i], &b.Cols[i], r.rows)
	}
	r.out.Len = len(r.rows)
	r.rows = r.rows[:0]
	return emit(&r.out)
}
