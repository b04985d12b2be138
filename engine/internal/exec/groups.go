package exec

import (
	"context"
	"sync"

	"quern/engine/internal/hash"
	"quern/engine/internal/order"
	"quern/engine/internal/sched"
	"quern/storage/types"
	"quern/storage/vec"
)

// groups are the groups of one aggregation, in three steps:
//
//  1. every worker has a table of its own that stays in cache. When it is full,
//     its rows (keys and states) are scattered to radix partitions and it
//     starts anew; if it did not reduce its input, later rows go straight to
//     the partitions, each as a group of its own.
//  2. finish: without partitions the workers' tables are merged into one.
//  3. groups is a stage whose morsels are the partitions: each is merged in a
//     table that its worker reuses, and streamed out.
//
// States of a row are mergeable, so it does not matter where rows meet.
type groups struct {
	q       *query
	keys    *hash.Keys
	keyTyps []types.Type
	calls   []*aggCall
	stride  int
	arenas  hash.Arenas
	workers []*groupWorker
	stores  []*collectStore // id = worker·collects + index
	nstores int             // per worker
	parted  bool
	merged  *groupWorker  // not parted
	limit   int           // bytes of a local table
	codes   bool          // a key of codes may be grouped by them
	unions  []*hash.Union // per key: strings that are numbers in keys; nil = none
	coded   *codedGroups  // nil = groups are in tables or partitions
	spilled *groupSpill   // nil = nothing was spilled
	// bound, if not nil, is that of a top-N above over call boundCall.
	bound     *order.Bound
	boundCall int
	mu        sync.Mutex
	accts     []*sched.Account // of the runners that merge partitions
	runners   int              // opened so far
}

// tableLimit is the size of a local table, in bytes: it stays in the second level
// cache with its input. Larger tables miss at every probe, which costs more than
// the way through the partitions: with 8 MiB, grouping ten million rows to two
// million groups takes three times the CPU time.
const tableLimit = 1 << 20

func (q *query) newGroups(keyTyps []types.Type, calls []*aggCall) *groups {
	g := &groups{
		q: q, keyTyps: keyTyps, calls: calls, limit: tableLimit,
		workers: make([]*groupWorker, q.threads),
	}
	g.layOut(keyTyps)
	// Those of workers, then those of runners that merge spilled partitions.
	g.stores = make([]*collectStore, 2*g.nstores*q.threads)
	return g
}

// layOut places keys, as these types, and states in rows.
func (g *groups) layOut(keyTyps []types.Type) {
	g.keys = hash.NewKeys(keyTyps)
	g.stride, g.nstores = g.keys.Words, 0
	for _, c := range g.calls {
		if c.shares != nil {
			c.off = c.shares.off
			continue
		}
		c.off = g.stride
		g.stride += c.agg.words()
		if c.collect != nil {
			c.collect.index = g.nstores
			g.nstores++
		}
	}
}

// groupWorker is one worker's part.
type groupWorker struct {
	g       *groups
	id      int
	table   *hash.Table
	parts   *hash.Parts
	arena   *hash.Arena
	acct    *sched.Account
	at      []uint32
	buf     []uint64 // rows of a batch that goes straight to the partitions
	hashes  []uint64
	through bool // no table any more
	batch   int  // rows in buf
	in      int  // rows since the table was empty
	cache   hash.CodeCache
	code    codeGroups
	coders  []hash.Coder // by key, if g has unions
	coded   []vec.Vector
	err     error // of begin; end returns it
}

// worker returns worker w's part; only w calls it.
func (g *groups) worker(w int) *groupWorker {
	if g.workers[w] == nil {
		arena := &hash.Arena{All: &g.arenas}
		g.workers[w] = &groupWorker{
			g: g, id: w, arena: arena, acct: g.q.account(),
			table: hash.NewTable(g.keys, g.stride-g.keys.Words, arena),
		}
		g.workers[w].acct.Floor = g.q.spillFloor()
		if len(g.keyTyps) == 0 {
			g.workers[w].acct.Floor = firstBytes
		}
		for _, c := range g.calls {
			if c.collect != nil {
				id := w*g.nstores + c.collect.index
				g.stores[id] = c.collect.newStore(id)
			}
		}
	}
	return g.workers[w]
}

func (g *groups) store(w int, c *aggCall) *collectStore {
	return g.stores[w*g.nstores+c.collect.index]
}

// begin finds the groups of n live rows: row i's begins at rows[at[i]]. Both
// are valid until end.
func (w *groupWorker) begin(keys []vec.Vector, sel vec.Selection, n int) (rows []uint64, at []uint32) {
	w.batch = 0
	if cap(w.at) < n {
		w.at = make([]uint32, n)
	}
	at = w.at[:n]
	if len(keys) == 0 {
		w.table.Single()
		clear(at)
		return w.table.Rows, at
	}
	if w.g.byCode(keys) {
		return w.beginCodes(&keys[0], sel, at), at
	}
	if w.g.unions != nil {
		keys = w.number(keys, sel)
	}
	w.in += n
	if !w.through {
		w.cache.Find(w.table, at, keys, sel)
		return w.table.Rows, at
	}
	g := w.g
	if cap(w.buf) < n*g.stride {
		w.buf = make([]uint64, n*g.stride)
	}
	if cap(w.hashes) < n {
		w.hashes = make([]uint64, n)
	}
	w.buf, w.batch = w.buf[:n*g.stride], n
	g.keys.Encode(w.buf, g.stride, w.hashes[:n], keys, sel)
	if g.keys.HasStrings() {
		g.keys.Store(w.buf, g.stride, n, keys, sel, w.arena, w.table.Stored())
	}
	for i := range at {
		clear(w.buf[i*g.stride+g.keys.Words : (i+1)*g.stride])
		at[i] = uint32(i * g.stride)
	}
	return w.buf, at
}

// end takes the batch's rows on. Without memory for them, all rows of the worker
// go to disk.
func (w *groupWorker) end(ctx context.Context) error {
	if w.err != nil {
		return w.err
	}
	if w.through {
		w.needParts().Scatter(w.buf, w.batch)
	} else if len(w.g.keyTyps) > 0 && w.table.Size() > w.g.limit {
		w.through = 2*w.table.Len() > w.in
		w.flushTable()
	}
	err := w.account()
	if err != nil && w.g.q.disk != nil && len(w.g.keyTyps) > 0 {
		return w.spill(ctx)
	}
	return err
}

// flush empties the worker's groups into the partitions.
func (w *groupWorker) flush() {
	_ = w.drain(true) // straight to the partitions nothing is merged
	w.flushTable()
}

// flushTable empties the table into the partitions.
func (w *groupWorker) flushTable() {
	w.needParts().Scatter(w.table.Rows, w.table.Len())
	w.table.Reset()
	w.cache.Reset()
	w.in = 0
}

func (w *groupWorker) account() error {
	size := w.table.Size() + w.arena.Size() + 8*cap(w.buf) + w.cache.Size() + w.code.size()
	for i := range w.table.Stored() {
		size += w.table.Stored()[i].Size()
	}
	for i := range w.coders {
		size += w.coders[i].Size()
	}
	if w.parts != nil {
		size += w.parts.Size()
	}
	for _, c := range w.g.calls {
		if c.collect != nil {
			size += w.g.store(w.id, c).size()
		}
	}
	return w.acct.Set(int64(size))
}

// finish ends step 1: no more rows come.
func (g *groups) finish(ctx context.Context) error {
	if g.spilled != nil {
		return g.finishSpill(ctx)
	}
	for _, s := range g.stores {
		if s != nil {
			s.seal()
		}
	}
	if g.coded != nil {
		return nil
	}
	for _, w := range g.workers {
		if w != nil && w.parts != nil {
			g.parted = true
		}
	}
	for _, w := range g.workers {
		switch {
		case w == nil:
		case g.parted:
			w.flush()
			if w.account() != nil {
				w.acct.Force(int64(w.table.Size() + w.arena.Size() + w.parts.Size()))
			}
		case g.merged == nil:
			g.merged = w
		default:
			at := make([]uint32, vec.BatchRows)
			if err := g.mergeRows(g.merged, at, w.table.Rows, w.table.Len()); err != nil {
				return err
			}
			w.table.Reset()
			if g.merged.account() != nil { // tables are small
				g.merged.acct.Force(int64(g.merged.table.Size()))
			}
		}
	}
	if g.merged == nil && !g.parted {
		g.merged = g.worker(0)
	}
	if len(g.keyTyps) == 0 {
		g.merged.table.Single()
	}
	return nil
}

// mergeRows adds n rows of keys and states to w's table.
func (g *groups) mergeRows(w *groupWorker, at []uint32, rows []uint64, n int) error {
	for lo := 0; lo < n; lo += len(at) {
		k := min(len(at), n-lo)
		src := rows[lo*g.stride : (lo+k)*g.stride]
		if len(g.keyTyps) == 0 {
			w.table.Single()
			clear(at)
		} else {
			w.table.MergeRows(at[:k], src, g.stride)
		}
		if err := g.mergeStates(w, at[:k], src); err != nil {
			return err
		}
	}
	return nil
}

// mergeStates adds the states of rows to those of w's table at at.
func (g *groups) mergeStates(w *groupWorker, at []uint32, rows []uint64) error {
	m := aggMerge{rows: w.table.Rows, at: at, src: rows, stride: g.stride, arena: w.arena, stores: g.stores}
	for _, c := range g.calls {
		if c.shares != nil {
			continue
		}
		m.off = c.off
		if err := c.agg.merge(&m); err != nil {
			return err
		}
	}
	return nil
}

func (g *groups) prepare(context.Context) error { return nil }

func (g *groups) morsels() int {
	switch {
	case g.coded != nil:
		return g.coded.morsels()
	case g.parted:
		return hash.Partitions
	}
	return 1
}

func (g *groups) close() {
	for _, a := range g.accts {
		a.Close()
	}
	if g.spilled != nil {
		g.spilled.file.Close()
	}
	for _, w := range g.workers {
		if w == nil {
			continue
		}
		w.acct.Close()
		if w.parts != nil {
			for p := range hash.Partitions {
				w.parts.Free(p)
			}
			w.parts = nil
		}
	}
}

func (g *groups) open() runner {
	r := &groupRunner{g: g, at: make([]uint32, vec.BatchRows)}
	r.out.Cols = make([]vec.Vector, len(g.keyTyps)+len(g.calls))
	r.scratch.Col(len(r.out.Cols))
	if g.coded != nil {
		r.arena = &hash.Arena{All: &g.arenas}
	}
	if g.parted {
		arena := &hash.Arena{All: &g.arenas}
		r.w = &groupWorker{g: g, arena: arena, acct: g.q.account(), table: hash.NewTable(g.keys, g.stride-g.keys.Words, arena)}
		g.mu.Lock()
		g.accts = append(g.accts, r.w.acct)
		r.w.id = g.q.threads + g.runners
		g.runners++
		g.mu.Unlock()
		if g.spilled != nil {
			// Who takes the groups may hold all other memory.
			r.w.acct.Floor = max(g.q.spillFloor(), g.q.mergeFloor, g.q.chunkBytes())
		}
	}
	return r
}

// groupRunner merges partitions and streams groups.
type groupRunner struct {
	g       *groups
	w       *groupWorker
	at      []uint32
	out     vec.Batch
	scratch vec.BatchScratch
	code    codedRun
	arena   *hash.Arena // of coded groups

	morsel   int // that it runs
	bound    order.BoundFilter
	boundCol vec.Scratch
	kept     []uint64
}

func (r *groupRunner) run(ctx context.Context, part int, emit sched.Emit) error {
	g := r.g
	r.morsel = part
	if g.coded != nil {
		return r.runCoded(ctx, part, emit)
	}
	if !g.parted {
		return r.emit(ctx, g.merged.table, emit)
	}
	if g.spilled != nil {
		return r.mergeSpilled(ctx, part, emit)
	}
	r.w.table.Reset()
	for _, w := range g.workers {
		if w == nil || w.parts == nil {
			continue
		}
		err := w.parts.Blocks(part, func(rows []uint64, n int) error {
			if err := sched.CheckCancel(ctx); err != nil {
				return err
			}
			if err := g.mergeRows(r.w, r.at, rows, n); err != nil {
				return err
			}
			return r.w.acct.Set(int64(r.w.table.Size()))
		})
		if err != nil {
			return err
		}
		w.parts.Free(part)
	}
	return r.emit(ctx, r.w.table, emit)
}

func (r *groupRunner) emit(ctx context.Context, t *hash.Table, emit sched.Emit) error {
	g := r.g
	chunks := g.arenas.Chunks()
	for lo := 0; lo < t.Len(); lo += vec.BatchRows {
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		n := min(vec.BatchRows, t.Len()-lo)
		rows, n, err := r.withinBound(r.morsel, t.Rows[lo*g.stride:(lo+n)*g.stride], n, nil)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		for i := range g.keyTyps {
			r.decodeKey(i, rows, n, chunks)
		}
		if err := r.emitStates(rows, n, emit); err != nil {
			return err
		}
	}
	return nil
}

// emitStates adds the results of n rows to the keys in r.out and emits them.
func (r *groupRunner) emitStates(rows []uint64, n int, emit sched.Emit) error {
	g := r.g
	chunks := g.arenas.Chunks()
	for i, c := range g.calls {
		i += len(g.keyTyps)
		r.scratch.Col(i).Flat(&r.out.Cols[i], c.typ, n)
		f := aggOutput{
			rows: rows, stride: g.stride, off: c.off, n: n, out: &r.out.Cols[i], s: r.scratch.Col(i),
			chunks: chunks, stores: g.stores,
		}
		if err := c.agg.final(&f); err != nil {
			return err
		}
	}
	r.out.Len, r.out.Sel = n, nil
	return emit(&r.out)
}
