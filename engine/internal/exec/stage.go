package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// stage is one operator with everything below it.
type stage interface {
	// prepare runs whatever must be complete before rows can come. Called once.
	prepare(ctx context.Context) error
	// morsels is the number of independent pieces; known after prepare.
	morsels() int
	// open makes the instance of one worker; after prepare.
	open() runner
	// close frees what the stage holds; no runner is active any more. It may
	// be called without prepare, and twice.
	close()
}

// runner is one worker's instance of a stage.
type runner interface {
	// run emits the batches of one morsel. Batches without live rows may be
	// emitted or left out. The receiver may not change the batch.
	run(ctx context.Context, morsel int, emit sched.Emit) error
}

// build makes the stage of a node and, when counters are wanted, wraps it.
func (q *query) build(ctx context.Context, n plan.Node) (stage, error) {
	s, err := q.buildNode(ctx, n)
	if err != nil || q.stats == nil {
		return s, err
	}
	return &countStage{in: s, node: q.stats.node(n)}, nil
}

func (q *query) buildNode(ctx context.Context, n plan.Node) (stage, error) {
	switch n := n.(type) {
	case *plan.Scan:
		return q.buildScan(ctx, n)
	case *plan.Virtual:
		return &memStage{typs: n.Typs, gen: n.Gen}, nil
	case *plan.Values:
		return q.buildValues(ctx, n)
	case *plan.Series:
		return q.buildSeries(ctx, n)
	case *plan.DistinctOn:
		return q.buildDistinctOn(ctx, n)
	case *plan.Recursive:
		return q.buildRecursive(ctx, n)
	case *plan.Working:
		return q.buildWorking(ctx, n)
	case *plan.Window:
		return q.buildWindow(ctx, n)
	case *plan.Expand:
		return q.buildExpand(ctx, n)
	case *plan.Filter:
		return q.buildFilter(ctx, n)
	case *plan.Project:
		return q.buildProject(ctx, n)
	case *plan.Limit:
		return q.buildLimit(ctx, n)
	case *plan.Union:
		return q.buildUnion(ctx, n)
	case *plan.Aggregate:
		return q.buildAggregate(ctx, n)
	case *plan.SetOp:
		return q.buildSetOp(ctx, n)
	case *plan.Sort:
		return q.buildSort(ctx, n)
	case *plan.TopN:
		return q.buildTopN(ctx, n)
	case *plan.Join:
		return q.buildJoin(ctx, n)
	}
	return nil, errs.New(errs.Internal, "no operator for plan node %T", n)
}

// stream prepares s and makes a stream of its batches in morsel order.
func (q *query) stream(ctx context.Context, s stage) (*sched.Stream, error) {
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	return q.streamPrepared(ctx, s), nil
}

func (q *query) streamPrepared(ctx context.Context, s stage) *sched.Stream {
	runners := make([]runner, q.threads)
	return sched.NewStream(ctx, q.threads, s.morsels(), q.account(),
		func(ctx context.Context, w, m int, emit sched.Emit) error {
			if runners[w] == nil {
				runners[w] = s.open()
			}
			return runners[w].run(ctx, m, emit)
		})
}

// consume runs all morsels of s, which is prepared, on all workers. sink gets
// each batch with live rows; it must copy what it keeps.
func (q *query) consume(ctx context.Context, s stage, sink func(ctx context.Context, worker, morsel int, b *vec.Batch) error) error {
	runners := make([]runner, q.threads)
	return sched.Run(ctx, q.threads, s.morsels(), func(ctx context.Context, w, m int) error {
		if runners[w] == nil {
			runners[w] = s.open()
		}
		return runners[w].run(ctx, m, func(b *vec.Batch) error {
			if err := sched.CheckCancel(ctx); err != nil || b.Rows() == 0 {
				return err
			}
			return sink(ctx, w, m, b)
		})
	})
}

// rowset is a materialised relation: Flat columns of any length.
type rowset struct {
	cols []vec.Vector
	rows int
	acct *sched.Account
}

func (r *rowset) close() {
	if r != nil && r.acct != nil {
		r.acct.Close()
	}
}

// collect prepares s and materialises its rows in morsel order.
func (q *query) collect(ctx context.Context, s stage, typs []types.Type) (*rowset, error) {
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	parts := make([]*part, s.morsels())
	defer func() {
		for _, p := range parts {
			p.close()
		}
	}()
	err := q.consume(ctx, s, func(_ context.Context, _, m int, b *vec.Batch) error {
		if parts[m] == nil {
			parts[m] = q.newPart(typs)
		}
		return parts[m].append(b)
	})
	if err != nil {
		return nil, err
	}
	return q.joinParts(parts, typs)
}

// part is a growing copy of rows.
type part struct {
	cols []*vec.Builder
	rows int
	acct *sched.Account
}

func (q *query) newPart(typs []types.Type) *part {
	p := &part{acct: q.account()}
	for _, t := range typs {
		p.cols = append(p.cols, vec.NewBuilder(t, 0))
	}
	return p
}

func (p *part) close() {
	if p != nil {
		p.acct.Close()
	}
}

// append copies the live rows of b's first columns.
func (p *part) append(b *vec.Batch) error {
	size := 0
	for i, bld := range p.cols {
		bld.AppendVector(&b.Cols[i], b.Sel)
		size += bld.Size()
	}
	p.rows += b.Rows()
	return p.acct.Set(int64(size))
}

// joinParts concatenates the parts in order and empties them.
func (q *query) joinParts(parts []*part, typs []types.Type) (*rowset, error) {
	var all *part
	for i, p := range parts {
		switch {
		case p == nil:
		case all == nil:
			all, parts[i] = p, nil
		default:
			b := vec.Batch{Len: p.rows}
			for _, bld := range p.cols {
				b.Cols = append(b.Cols, bld.Finish())
			}
			if err := all.append(&b); err != nil {
				all.close()
				return nil, err
			}
			p.close()
			parts[i] = nil
		}
	}
	if all == nil {
		all = q.newPart(typs)
	}
	r := &rowset{acct: all.acct, rows: all.rows}
	for _, bld := range all.cols {
		r.cols = append(r.cols, bld.Finish())
	}
	return r, nil
}

// window makes dst rows lo..hi-1 of r as a batch that aliases it.
func (r *rowset) window(dst *vec.Batch, lo, hi int) {
	if cap(dst.Cols) < len(r.cols) {
		dst.Cols = make([]vec.Vector, len(r.cols))
	}
	dst.Cols = dst.Cols[:len(r.cols)]
	for i := range r.cols {
		dst.Cols[i] = vec.Slice(&r.cols[i], lo, hi)
	}
	dst.Len, dst.Sel, dst.Base = hi-lo, nil, 0
}
