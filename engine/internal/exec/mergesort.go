package exec

import (
	"context"
	"sync"

	"quern/engine/internal/order"
	"quern/engine/internal/sched"
	"quern/engine/internal/spill"
	"quern/storage/types"
	"quern/storage/vec"
)

// mergeSort sorts what does not fit in memory: whenever memory is refused to a
// worker it sorts the rows that it holds and writes them as a run; the runs are
// merged, range by range of the first key, while the result is read. The last
// key of a run is the row's place in the input.
type mergeSort struct {
	s      *sortStage
	layout order.Layout
	encs   []spill.Encoder

	mu     sync.Mutex
	file   *spill.File
	runs   []*order.Run
	ranges []order.Range
	acct   *sched.Account
}

func newMergeSort(s *sortStage) *mergeSort {
	typs := append(s.order.all(), types.Int8)
	keys := s.order.keys
	return &mergeSort{s: s, encs: make([]spill.Encoder, s.q.threads), layout: order.Layout{
		Types: typs, Keys: append(keys[:len(keys):len(keys)], order.Key{Col: len(typs) - 1}),
	}}
}

func (m *mergeSort) started() bool { return m.file != nil }

func (m *mergeSort) close() {
	m.file.Close()
	if m.acct != nil {
		m.acct.Close()
	}
}

// open makes the file at first use.
func (m *mergeSort) open() (*spill.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var err error
	if m.file == nil {
		m.file, err = m.s.q.disk.Create()
	}
	return m.file, err
}

// spill writes the rows of worker w as a run and frees their memory.
func (m *mergeSort) spill(ctx context.Context, w int, g *gathered) error {
	f, err := m.open()
	if err != nil {
		return err
	}
	parts := g.take()
	if len(parts) == 0 {
		return nil
	}
	for _, p := range parts {
		pos := vec.NewBuilder(types.Int8, p.rows)
		for i := range p.rows {
			vec.AppendFixed(pos, int64(p.morsel)<<32|int64(p.first+i))
		}
		p.cols = append(p.cols, pos)
	}
	one := *m.s.q
	one.threads = 1 // this worker
	set, err := one.concat(ctx, parts, m.layout.Types)
	if err != nil {
		return err
	}
	defer func() {
		set.close()
		g.acct.Shrink(0)
	}()
	run, err := m.layout.Write(ctx, f, &m.encs[w], set.cols, numbers(set.rows))
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.runs = append(m.runs, run)
	m.mu.Unlock()
	return nil
}

// mergeRows is about how many rows a morsel of the merge has, per run: each
// morsel reads one block of each run for nothing.
const mergeRows = 8 * vec.BatchRows

// finish gets the runs ready to be merged.
func (m *mergeSort) finish(ctx context.Context) (err error) {
	q := m.s.q
	room := max(q.budget.Limit()-q.budget.Used(), q.budget.Limit()/4)
	fanIn := order.FanIn(m.runs, room/int64(q.threads))
	if m.runs, err = m.layout.Reduce(ctx, m.file, m.runs, fanIn, q.threads); err != nil {
		return err
	}
	m.acct = q.account()
	var each int64
	for _, r := range m.runs {
		each += r.ReaderSize()
	}
	m.acct.Force(each * int64(q.threads))
	m.ranges = order.Ranges(m.runs, max(4, len(m.runs))*mergeRows)
	if m.s.limit != nil {
		m.whole()
	}
	return nil
}

// whole makes the merge one morsel.
func (m *mergeSort) whole() { m.ranges = []order.Range{{}} }

// mergeRunner emits the first n columns of merged ranges.
type mergeRunner struct {
	m   *mergeSort
	n   int
	out vec.Batch
}

func (r *mergeRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	return r.each(ctx, morsel, func(b *vec.Batch) error {
		r.out = vec.Batch{Cols: b.Cols[:r.n], Len: b.Len, Sel: b.Sel}
		return emit(&r.out)
	})
}

// each gives all columns of the rows of a morsel.
func (r *mergeRunner) each(ctx context.Context, morsel int, emit sched.Emit) error {
	m := r.m
	merge := m.layout.NewMerge(m.runs, m.ranges[morsel])
	if m.s.limit == nil {
		return merge.Each(ctx, emit)
	}
	l := limiter{l: m.s.limit, keys: m.s.order.keys, emit: emit}
	if l.l.n == 0 {
		return nil
	}
	err := merge.Each(ctx, l.add)
	if err == errEnough {
		return nil
	}
	return err
}

// numbers lists 0..n-1.
func numbers(n int) []uint32 {
	rows := make([]uint32, n)
	for i := range rows {
		rows[i] = uint32(i)
	}
	return rows
}

// errEnough ends a merge whose rows are no longer wanted.
var errEnough = errorString("enough rows")

type errorString string

func (e errorString) Error() string { return string(e) }

// limiter passes the rows within a limit.
type limiter struct {
	l    *sortLimit
	keys []order.Key
	emit sched.Emit
	seen int64
	last []types.Datum // the keys of the last row within the limit
}

func (l *limiter) add(b *vec.Batch) error {
	lo := min(int64(b.Len), max(0, l.l.skip-l.seen))
	hi := int64(b.Len)
	if l.l.n >= 0 {
		hi = min(hi, max(lo, l.l.skip+l.l.n-l.seen))
	}
	end := l.l.n >= 0 && l.seen+int64(b.Len) > l.l.skip+l.l.n
	if l.l.ties && l.l.n >= 0 {
		if hi > lo {
			l.last = l.last[:0]
			for _, k := range l.keys[:l.l.keys] {
				l.last = append(l.last, b.Cols[k.Col].Datum(int(hi)-1))
			}
		}
		for end && hi < int64(b.Len) && l.tied(b, int(hi)) {
			hi++
		}
		end = end && hi < int64(b.Len)
	}
	l.seen += int64(b.Len)
	if hi > lo {
		out := *b
		out.Cut(int(lo), int(hi))
		if err := l.emit(&out); err != nil {
			return err
		}
	}
	if end {
		return errEnough
	}
	return nil
}

func (l *limiter) tied(b *vec.Batch, i int) bool {
	for j, k := range l.keys[:l.l.keys] {
		d := b.Cols[k.Col].Datum(i)
		if !sameKey(b.Cols[k.Col].Type, &d, &l.last[j]) {
			return false
		}
	}
	return true
}
