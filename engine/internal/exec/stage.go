package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/errs"
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
		return &memStage{typs: n.Typs, gen: ofBatches(n.Gen)}, nil
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
			if err := q.admit(ctx); err != nil {
				return err
			}
			return sink(ctx, w, m, b)
		})
	})
}
