package exec

import (
	"context"
	"sync"
	"sync/atomic"

	"quern/engine/internal/expr"
	"quern/engine/internal/sched"
	"quern/engine/internal/spill"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// joinSpill is a join whose build side does not fit in memory: both sides are
// partitioned on disk by the hash of the keys, and each partition is a join of
// its own, a morsel. A partition whose build side is still too large (one giant
// key, a join without keys) is probed piece by piece; what the probe rows met in
// earlier pieces is kept as bits, so all kinds of join work alike.
type joinSpill struct {
	s       *joinStage
	parts   int
	at      []int // the build keys' columns
	typs    []types.Type
	rows    atomic.Int64 // of the build side
	anyNull atomic.Bool  // in a null-aware key

	mu      sync.Mutex
	file    *spill.File
	writers []*partWriter // of the build side, by worker
	build   [][]*spill.Run
	probe   [][]*spill.Run
	piece   int64 // bytes of a piece of the build side
}

// joinPartsMax is the number of partitions; 128 MiB of budget can hold the
// partitions of 8 GiB.
const joinPartsMax = 64

func newJoinSpill(s *joinStage, typs []types.Type, at []int) *joinSpill {
	sp := &joinSpill{s: s, at: at, typs: typs, parts: joinPartsMax, writers: make([]*partWriter, s.q.threads)}
	limit := s.q.budget.Limit()
	// Every worker holds a block of every partition.
	for sp.parts > 8 && int64(sp.parts*s.q.threads)<<17 > limit/4 {
		sp.parts /= 2
	}
	if len(at) == 0 || s.nullAware() && !s.simple() {
		sp.parts = 1
	}
	sp.piece = max(min(1<<16, limit), limit/int64(2*s.q.threads))
	return sp
}

func (sp *joinSpill) started() bool { return sp.file != nil }

func (sp *joinSpill) close() { sp.file.Close() }

// open makes the file at first use.
func (sp *joinSpill) open() (*spill.File, error) {
	sp.mu.Lock()
	defer sp.mu.Unlock()
	var err error
	if sp.file == nil {
		sp.file, err = sp.s.q.disk.Create()
	}
	return sp.file, err
}

// partWriter distributes one worker's rows over partitions.
type partWriter struct {
	w      []*spill.Writer
	enc    spill.Encoder
	hashes []uint64
	sels   []vec.Selection
	acct   *sched.Account
}

func (q *query) newPartWriter(f *spill.File, parts int, typs []types.Type) *partWriter {
	p := &partWriter{sels: make([]vec.Selection, parts), acct: q.account()}
	for range parts {
		p.w = append(p.w, f.NewWriter(typs, &p.enc))
	}
	return p
}

// add writes b's live rows to the partitions of their keys.
func (p *partWriter) add(b *vec.Batch, keys []vec.Vector) error {
	if len(p.w) == 1 {
		return p.w[0].Append(b, b.Sel)
	}
	n := b.Rows()
	if cap(p.hashes) < n {
		p.hashes = make([]uint64, max(n, vec.BatchRows))
	}
	hashes := p.hashes[:n]
	for i := range keys {
		if i == 0 {
			vec.Hash(hashes, &keys[0], b.Sel)
		} else {
			vec.HashAdd(hashes, &keys[i], b.Sel)
		}
	}
	for i := range p.sels {
		p.sels[i] = p.sels[i][:0]
	}
	for i, h := range hashes {
		part := int(h >> 32 * uint64(len(p.w)) >> 32)
		p.sels[part] = append(p.sels[part], uint16(live(b, i)))
	}
	for i, sel := range p.sels {
		if len(sel) > 0 {
			if err := p.w[i].Append(b, sel); err != nil {
				return err
			}
		}
	}
	size := 0
	for _, w := range p.w {
		size += w.Size()
	}
	p.acct.Force(int64(size))
	return nil
}

// finish adds the worker's runs to those of all.
func (p *partWriter) finish(runs [][]*spill.Run) error {
	defer p.acct.Close()
	for i, w := range p.w {
		r, err := w.Finish()
		if err != nil {
			return err
		}
		if r.Rows > 0 {
			runs[i] = append(runs[i], r)
		}
	}
	return nil
}

// addBuild writes the rows that worker w has gathered and frees their memory.
func (sp *joinSpill) addBuild(ctx context.Context, w int, g *gathered) error {
	f, err := sp.open()
	if err != nil {
		return err
	}
	if sp.writers[w] == nil {
		sp.writers[w] = sp.s.q.newPartWriter(f, sp.parts, sp.typs)
	}
	keys := make([]vec.Vector, len(sp.at))
	aware := 0
	if sp.s.nullAware() {
		aware = sp.s.aware()
	}
	var b vec.Batch
	for _, p := range g.take() {
		set := p.rowset()
		sp.rows.Add(int64(set.rows))
		for lo := 0; lo < set.rows; lo += vec.BatchRows {
			if err := sched.CheckCancel(ctx); err != nil {
				return err
			}
			set.window(&b, lo, min(set.rows, lo+vec.BatchRows))
			for i, c := range sp.at {
				keys[i] = b.Cols[c]
				for r := range b.Len {
					if i < aware && keys[i].Null(r) {
						sp.anyNull.Store(true)
					}
				}
			}
			if err := sp.writers[w].add(&b, keys); err != nil {
				return err
			}
		}
	}
	g.acct.Shrink(0)
	return nil
}

func (sp *joinSpill) finishBuild(ctx context.Context, c *collector) error {
	for w, g := range c.workers {
		if g != nil {
			if err := sp.addBuild(ctx, w, g); err != nil {
				return err
			}
		}
	}
	sp.build = make([][]*spill.Run, sp.parts)
	for _, w := range sp.writers {
		if w != nil {
			if err := w.finish(sp.build); err != nil {
				return err
			}
		}
	}
	sp.writers = nil
	return nil
}

// takeProbe partitions the probe side, which is prepared.
func (sp *joinSpill) takeProbe(ctx context.Context) error {
	s := sp.s
	type worker struct {
		out  *partWriter
		keys []*instance
		vecs []vec.Vector
	}
	workers := make([]*worker, s.q.threads)
	err := s.q.consume(ctx, s.probe, func(_ context.Context, w, _ int, whole *vec.Batch) error {
		x := workers[w]
		if x == nil {
			x = &worker{out: s.q.newPartWriter(sp.file, sp.parts, s.probeTyps), keys: instances(s.probeKeys), vecs: make([]vec.Vector, len(s.probeKeys))}
			workers[w] = x
		}
		return expr.InPieces(whole, func(b *vec.Batch) error {
			if sp.parts > 1 {
				if err := evalAll(x.keys, b, x.vecs); err != nil {
					return err
				}
			}
			return x.out.add(b, x.vecs)
		})
	})
	if err != nil {
		return err
	}
	s.probe.close()
	sp.probe = make([][]*spill.Run, sp.parts)
	for _, x := range workers {
		if x != nil {
			if err := x.out.finish(sp.probe); err != nil {
				return err
			}
		}
	}
	return nil
}

// probeBits are bits per row of a partition's probe side, batch after batch.
type probeBits struct {
	hit, unknown []uint64
	at           int // bits before the current batch
}

func (p *probeBits) load(dst []bool, bits *[]uint64) {
	for i := range dst {
		k := p.at + i
		dst[i] = k>>6 < len(*bits) && (*bits)[k>>6]>>(k&63)&1 != 0
	}
}

func (p *probeBits) save(src []bool, bits *[]uint64) {
	for need := (p.at + len(src) + 63) / 64; len(*bits) < need; {
		*bits = append(*bits, 0)
	}
	for i, on := range src {
		if k := p.at + i; on {
			(*bits)[k>>6] |= 1 << (k & 63)
		}
	}
}

// spilledRunner joins partitions.
type spilledRunner struct {
	*joinRunner
	sp *joinSpill
}

func (r *spilledRunner) run(ctx context.Context, part int, emit sched.Emit) error {
	sp, s := r.sp, r.s
	r.emit = emit
	build, probe := sp.build[part], sp.probe[part]
	if len(build) == 0 && (s.kind == plan.Inner || s.kind == plan.Right || s.kind == plan.Semi) {
		return nil
	}
	if len(probe) == 0 && !s.tracksBuild() {
		return nil
	}
	src := &runsReader{runs: build}
	r.piece = piece{seen: &probeBits{}}
	for first := true; first || r.piece.after; first = false {
		side, more, err := r.load(ctx, src)
		if err == nil {
			r.piece.before, r.piece.after = !first, more
			err = r.probePiece(ctx, side, probe)
		}
		side.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// load reads the next piece of the partition's build side.
func (r *spilledRunner) load(ctx context.Context, src *runsReader) (side *buildSide, more bool, err error) {
	sp := r.sp
	p := r.s.q.newPart(sp.typs)
	per := int64(r.s.indexBytes())
	var b vec.Batch
	for !more {
		if err := sched.CheckCancel(ctx); err != nil {
			return nil, false, err
		}
		n, err := src.next(&b)
		if err != nil {
			return nil, false, err
		}
		if n == 0 {
			break
		}
		p.add(&b)
		size := int64(p.size()) + per*int64(p.rows)
		p.acct.Force(int64(p.size()))
		more = size >= sp.piece && src.more()
	}
	side, err = r.s.newSide(ctx, 1, p.rowset(), sp.at)
	return side, more, err
}

// probePiece runs the partition's probe side against one piece.
func (r *spilledRunner) probePiece(ctx context.Context, side *buildSide, probe []*spill.Run) error {
	r.setSide(side)
	r.anyBuild, r.anyNull = r.sp.rows.Load() > 0, r.sp.anyNull.Load()
	src := runsReader{runs: probe}
	r.piece.seen.at = 0
	each := func(b *vec.Batch) error { return r.batch(ctx, b) }
	var b vec.Batch
	for {
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		n, err := src.next(&b)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if err := expr.InPieces(&b, each); err != nil {
			return err
		}
		r.piece.seen.at += n
	}
	if !r.s.tracksBuild() {
		return nil
	}
	return r.unmatchedBuild(ctx)
}

// runsReader reads runs one after the other.
type runsReader struct {
	runs []*spill.Run
	rd   *spill.Reader
}

func (r *runsReader) next(b *vec.Batch) (int, error) {
	for len(r.runs) > 0 {
		if r.rd == nil {
			r.rd = r.runs[0].NewReader(0)
		}
		n, err := r.rd.Next(b)
		if n > 0 || err != nil {
			return n, err
		}
		r.runs, r.rd = r.runs[1:], nil
	}
	return 0, nil
}

// more tells whether rows are left.
func (r *runsReader) more() bool {
	for i, run := range r.runs {
		if i > 0 || r.rd == nil || r.rd.Block() < run.Blocks() {
			return true
		}
	}
	return false
}
