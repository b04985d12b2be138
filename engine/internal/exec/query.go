// Package exec holds the operators, one per file.
//
//	plan.Node ──build──► stage ──prepare──► morsels ──runner per worker──► batches
//
// A stage is one operator with everything below it. Streaming operators
// (filter, project, join probe) wrap their input's runner and work batch by
// batch on the worker that took the morsel. Breakers (aggregation, sort, join
// build, set operations) consume their whole input in prepare, with all
// workers, and are a source of morsels afterwards. Limit consumes its input as
// an ordered stream and closes it when it has enough.
//
// Expressions are compiled once per query; subqueries without correlation run
// once, while the tree is built by the first Next, and become constants. Everything that grows
// with the data is accounted for in the query's budget.
//
// Start reading at Open and stage. What it deliberately does not do: it reads
// no table but through Scanner, and evaluates no expression itself (expr).
package exec

import (
	"context"
	"runtime"
	"sync"

	"quern/engine/fn"
	"quern/engine/internal/sched"
	"quern/engine/internal/spill"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// Scanner opens scans; *storage.Snapshot is the one outside tests.
type Scanner interface {
	Scan(ctx context.Context, spec storage.ScanSpec) (storage.Scan, error)
}

// Config is one execution.
type Config struct {
	Plan    plan.Node
	Snap    Scanner
	Params  []types.Datum
	Env     *fn.Env
	Threads int
	Memory  int64
	Disk    *spill.Disk   // nil = operators cannot spill
	Parent  *sched.Budget // of all queries; nil = none
	Gate    *sched.Gate   // for queries that hold much memory; nil = none
	Blocks  *sched.Blocks // memory to use again; nil = of the process
	Stats   *Stats        // nil = not wanted
}

// defaultMemory bounds a query that asks for nothing.
const defaultMemory = 4 << 30

// keepBlocks bounds the free blocks that the process keeps (256 MiB).
const keepBlocks = 4096

// blocks serves all queries of the process: memory that was used once is
// several times faster than fresh memory.
var blocks = sched.NewBlocks(keepBlocks)

// query is what the stages of one execution share. Immutable while it runs but
// for what its fields synchronise themselves.
type query struct {
	snap    Scanner
	params  []types.Datum
	env     *fn.Env
	threads int
	budget  *sched.Budget
	pass    *sched.Pass // nil = none is needed
	blocks  *sched.Blocks
	disk    *spill.Space // nil = operators cannot spill
	stats   *Stats
	subs    *subResults
	onPass  func(passes int) // of merging groups; nil outside tests
	// mergeFloor is what the merge of a partition of groups may hold in any case.
	mergeFloor int64
	sortSplit  int // rows from which sorting uses several workers
}

func newQuery(ctx context.Context, cfg *Config) *query {
	q := &query{
		snap: cfg.Snap, params: cfg.Params, threads: cfg.Threads, stats: cfg.Stats,
		subs: &subResults{of: map[*plan.Subquery]*subResult{}}, sortSplit: parallelSortRows, mergeFloor: mergeFloor,
	}
	q.env = &fn.Env{Format: types.DefaultFormat}
	if cfg.Env != nil {
		*q.env = *cfg.Env
	}
	q.env.Ctx = ctx
	if q.threads <= 0 {
		q.threads = runtime.GOMAXPROCS(0)
	}
	limit := cfg.Memory
	if limit <= 0 {
		limit = defaultMemory
	}
	q.budget = sched.NewBudget(cfg.Parent, limit)
	if cfg.Gate != nil {
		q.pass = cfg.Gate.NewPass()
	}
	if q.blocks = cfg.Blocks; q.blocks == nil {
		q.blocks = blocks
	}
	if cfg.Disk != nil {
		q.disk = cfg.Disk.NewSpace()
	}
	if q.stats != nil {
		q.stats.budget = q.budget
	}
	return q
}

// account is a new operator's share of the budget.
func (q *query) account() *sched.Account { return &sched.Account{Budget: q.budget} }

// mergeFloor is a partition of groups that is merged whatever the budget says.
const mergeFloor = 256 << 10

// spillFloorMax is what each worker of an operator that spills may hold in any
// case: the unit in which it spills.
const spillFloorMax = 4 << 20

// firstBytes are not refused to an operator that cannot spill: a limit is for
// what grows.
const firstBytes = 1 << 20

// spillFloor is that part of a small budget.
func (q *query) spillFloor() int64 {
	if q.disk == nil {
		return 0
	}
	return min(spillFloorMax, q.budget.Limit()/16)
}

// close frees what the stages have left behind.
func (q *query) close() {
	if q.disk != nil {
		q.disk.Close()
	}
	q.budget.Close()
	if q.pass != nil {
		q.pass.Leave()
	}
}

// admit waits, once, if the query holds much memory.
func (q *query) admit(ctx context.Context) error {
	if q.pass == nil {
		return nil
	}
	return q.pass.Enter(ctx, q.budget.Used())
}

// Rows is the result of a query.
type Rows struct {
	q      *query
	plan   plan.Node
	ctx    context.Context //nolint:containedctx // of the whole query: Next's ends only that call
	cancel context.CancelFunc

	mu     sync.Mutex // Close may come from another goroutine; guards what follows
	root   stage      // nil before the first Next
	stream *sched.Stream
	err    error
	closed bool
}

// Open makes a query. Nothing of it runs before the first Next: uncorrelated
// subqueries run while the stages are built, and they must end when the caller
// of Next gives up.
func Open(ctx context.Context, cfg *Config) (*Rows, error) {
	r := &Rows{plan: cfg.Plan}
	r.ctx, r.cancel = context.WithCancel(ctx)
	r.q = newQuery(r.ctx, cfg)
	return r, nil
}

// start builds the stages and prepares them, under the contexts of the query
// and of the caller.
func (r *Rows) start(caller context.Context) error {
	ctx, stop := context.WithCancelCause(r.ctx)
	defer stop(nil)
	defer context.AfterFunc(caller, func() { stop(sched.CheckCancel(caller)) })()
	err := sched.Run(ctx, 1, 1, func(ctx context.Context, _, _ int) (err error) {
		if r.root, err = r.q.build(ctx, r.plan); err != nil {
			return err
		}
		return r.root.prepare(ctx)
	})
	if err == nil {
		r.stream = r.q.streamPrepared(r.ctx, r.root)
	}
	return err
}

// Next fills dst and returns its live rows, 0 at the end.
func (r *Rows) Next(ctx context.Context, dst *vec.Batch) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil || r.closed {
		return 0, r.err
	}
	if r.stream == nil {
		if r.err = r.start(ctx); r.err != nil {
			return 0, r.err
		}
	}
	n, err := r.stream.Next(ctx, dst)
	r.err = err
	return n, err
}

// Close stops the query and waits for its workers.
func (r *Rows) Close() error {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.stream != nil {
		r.stream.Close()
	}
	if r.root != nil {
		r.root.close()
	}
	r.q.close()
	return nil
}
