package exec

import (
	"context"
	"sync"

	"quern/engine/internal/hash"
	"quern/engine/internal/sched"
	"quern/engine/internal/spill"
	"quern/storage/types"
	"quern/storage/vec"
)

// groupSpill are groups on disk. A worker to which memory is refused writes all
// its rows (keys and states), partition by partition: states are mergeable, so
// nothing else is needed. A row is written as its words, but for
//
//	strings      two words that refer to an arena: written as text
//	collections  references to the values of a store: the values are written to a
//	             run beside the rows, with the number of the row
//
// When a partition is merged and its groups do not fit in memory, it is read
// again, once for each part of the groups.
type groupSpill struct {
	g     *groups
	plain []int // words that are written as they are
	strs  []int // first words of strings
	typs  []types.Type
	calls []*aggCall // that collect

	mu   sync.Mutex
	file *spill.File
	runs [hash.Partitions][]*groupRun
	outs []*groupWriter // by worker
}

// groupRun is what one worker wrote of one partition at one time.
type groupRun struct {
	rows *spill.Run
	vals []*spill.Run // per call that collects
}

// passesMax bounds how often a partition is read.
const passesMax = 256

func (g *groups) newSpill() (*groupSpill, error) {
	f, err := g.q.disk.Create()
	if err != nil {
		return nil, err
	}
	s := &groupSpill{g: g, file: f, outs: make([]*groupWriter, g.q.threads)}
	skip := map[int]bool{}
	text := func(off int) {
		s.strs = append(s.strs, off)
		skip[off], skip[off+1] = true, true
	}
	for _, off := range g.keys.Strings() {
		text(off)
	}
	for _, c := range g.calls {
		if x, ok := c.agg.(wideExtreme); ok && x.typ.Phys() == types.PhysBytes {
			text(c.off)
		}
		if c.collect != nil {
			s.calls = append(s.calls, c)
			skip[c.off], skip[c.off+1] = true, true
		}
	}
	for w := range g.stride {
		if !skip[w] {
			s.plain = append(s.plain, w)
			s.typs = append(s.typs, types.Int8)
		}
	}
	for range s.strs {
		s.typs = append(s.typs, types.Bytea)
	}
	return s, nil
}

// start makes the spill at first use.
func (g *groups) startSpill() (*groupSpill, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.spilled == nil {
		s, err := g.newSpill()
		if err != nil {
			return nil, err
		}
		g.spilled = s
	}
	return g.spilled, nil
}

// groupWriter is one worker's way to disk.
type groupWriter struct {
	s       *groupSpill
	enc     spill.Encoder
	rows    *spill.Writer
	vals    []*spill.Writer
	batch   vec.Batch
	scratch vec.BatchScratch
	vbatch  vec.Batch
	vcols   vec.BatchScratch
	refs    []uint32
	n       int // rows of the run so far
}

func (s *groupSpill) out(w int) *groupWriter {
	if s.outs[w] == nil {
		o := &groupWriter{s: s}
		o.rows = s.file.NewWriter(s.typs, &o.enc)
		o.batch.Cols = make([]vec.Vector, len(s.typs))
		o.scratch.Col(len(s.typs))
		for _, c := range s.calls {
			o.vals = append(o.vals, s.file.NewWriter(c.collect.spillTypes(), &o.enc))
		}
		s.outs[w] = o
	}
	return s.outs[w]
}

// spillTypes are the columns of a spilled value: its row, its place in the
// input, what a store has of it; or of a sketch: its row, 0, its bytes.
func (a *collectAgg) spillTypes() []types.Type {
	typs := []types.Type{types.Int8, types.Int8}
	if a.sketch != nil {
		return append(typs, types.Bytea)
	}
	for _, c := range a.newStore(0).cols {
		if c != nil {
			typs = append(typs, c.Type())
		}
	}
	return typs
}

// spill writes all rows of the worker. A few rows are not worth it: what is
// left then is memory of a fixed size.
func (w *groupWorker) spill(ctx context.Context) error {
	g := w.g
	held := 8*len(w.table.Rows) + w.arena.Size() + w.code.size()
	if w.parts != nil {
		held += w.parts.Size()
	}
	for _, c := range g.calls {
		if c.collect != nil {
			held += g.store(w.id, c).size()
		}
	}
	if int64(held) < g.q.spillFloor()/2 {
		w.acct.Force(int64(w.table.Size() + 8*cap(w.buf) + w.cache.Size() + held))
		return nil
	}
	return w.spillAll(ctx)
}

func (w *groupWorker) spillAll(ctx context.Context) error {
	g := w.g
	s, err := g.startSpill()
	if err != nil {
		return err
	}
	w.flush()
	o := s.out(w.id)
	chunks := g.arenas.Chunks()
	for part := range hash.Partitions {
		if w.parts.PartRows(part) == 0 {
			continue
		}
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		o.n = 0
		err := w.parts.Blocks(part, func(rows []uint64, n int) error {
			for lo := 0; lo < n; lo += vec.BatchRows {
				k := min(vec.BatchRows, n-lo)
				if err := o.write(w, rows[lo*g.stride:(lo+k)*g.stride], k, chunks); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := o.cut(part); err != nil {
			return err
		}
	}
	w.parts.Reset()
	w.arena.Reset()
	for i := range w.table.Stored() {
		w.table.Stored()[i].Reset()
	}
	for _, c := range s.calls {
		g.store(w.id, c).reset()
	}
	fixed := int64(w.table.Size() + 8*cap(w.buf) + w.cache.Size())
	w.acct.Shrink(fixed)
	w.acct.Force(fixed)
	return nil
}

// write appends n rows to the run.
func (o *groupWriter) write(w *groupWorker, rows []uint64, n int, chunks [][]byte) error {
	s, stride := o.s, o.s.g.stride
	for i, off := range s.plain {
		dst := &o.batch.Cols[i]
		o.scratch.Col(i).Flat(dst, types.Int8, n)
		vals := vec.Values[uint64](dst)
		for r := range vals {
			vals[r] = rows[r*stride+off]
		}
	}
	for i, off := range s.strs {
		i += len(s.plain)
		dst := &o.batch.Cols[i]
		o.scratch.Col(i).Flat(dst, types.Bytea, n)
		dst.Bufs = chunks
		for r := range n {
			dst.Views[r] = hash.ViewOf(rows[r*stride+off], rows[r*stride+off+1])
		}
	}
	o.batch.Len = n
	for i, c := range s.calls {
		write := o.values
		if c.collect.sketch != nil {
			write = o.sketches
		}
		if err := write(i, c, s.g.store(w.id, c), rows, n); err != nil {
			return err
		}
	}
	o.n += n
	return o.rows.Append(&o.batch, nil)
}

// values writes the values of call i of n rows.
func (o *groupWriter) values(i int, c *aggCall, st *collectStore, rows []uint64, n int) error {
	var cols []vec.Vector
	for _, b := range st.cols {
		if b != nil {
			cols = append(cols, b.Peek())
		}
	}
	row, seq := vec.NewBuilder(types.Int8, 0), vec.NewBuilder(types.Int8, 0)
	o.refs = o.refs[:0]
	flush := func() error {
		if len(o.refs) == 0 {
			return nil
		}
		b := &o.vbatch
		b.Cols = append(b.Cols[:0], row.Finish(), seq.Finish())
		for k := range cols {
			b.Cols = append(b.Cols, vec.Vector{})
			o.vcols.Col(k).GatherRows(&b.Cols[2+k], &cols[k], o.refs)
		}
		b.Len = len(o.refs)
		o.refs = o.refs[:0]
		return o.vals[i].Append(b, nil)
	}
	for r := range n {
		for ref := rows[r*o.s.g.stride+c.off]; ref != 0; {
			at := uint32(ref&(1<<refBits-1)) - 1
			vec.AppendFixed(row, int64(o.n+r))
			vec.AppendFixed(seq, int64(st.seq[at]))
			o.refs = append(o.refs, at)
			ref = st.next[at]
			if len(o.refs) == vec.BatchRows {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	return flush()
}

// sketches writes the sketches of call i of n rows.
func (o *groupWriter) sketches(i int, c *aggCall, st *collectStore, rows []uint64, n int) error {
	row, seq, text := vec.NewBuilder(types.Int8, 0), vec.NewBuilder(types.Int8, 0), vec.NewBuilder(types.Bytea, 0)
	var buf []byte
	for r := range n {
		w := rows[r*o.s.g.stride+c.off:]
		if w[2] == 0 {
			continue
		}
		buf = st.sketches[w[0]&(1<<refBits-1)-1].AppendTo(buf[:0])
		vec.AppendFixed(row, int64(o.n+r))
		vec.AppendFixed(seq, int64(0))
		text.AppendBytes(buf)
	}
	b := vec.Batch{Len: row.Len(), Cols: []vec.Vector{row.Finish(), seq.Finish(), text.Finish()}}
	return o.vals[i].Append(&b, nil)
}

// cut ends the run of a partition.
func (o *groupWriter) cut(part int) error {
	run := &groupRun{}
	var err error
	if run.rows, err = o.rows.Cut(); err != nil {
		return err
	}
	for _, w := range o.vals {
		v, err := w.Cut()
		if err != nil {
			return err
		}
		run.vals = append(run.vals, v)
	}
	o.s.mu.Lock()
	o.s.runs[part] = append(o.s.runs[part], run)
	o.s.mu.Unlock()
	return nil
}

// finishSpill writes what workers still hold: merging wants the memory.
func (g *groups) finishSpill(ctx context.Context) error {
	g.parted = true
	return sched.Run(ctx, g.q.threads, len(g.workers), func(ctx context.Context, _, i int) error {
		w := g.workers[i]
		if w == nil {
			return nil
		}
		if w.parts == nil && w.table.Len() == 0 {
			return nil
		}
		if err := w.spillAll(ctx); err != nil {
			return err
		}
		w.table, w.buf = nil, nil
		w.acct.Close()
		return nil
	})
}
