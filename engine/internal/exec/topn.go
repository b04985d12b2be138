package exec

import (
	"context"
	"math"
	"slices"

	"quern/engine/internal/order"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// topStage keeps the first rows of its input's order. Every worker collects
// rows that may belong to them; when it has many more than needed it sorts
// them, drops the rest, and from then on lets only rows pass whose first key
// does not lie behind that of its last one.
type topStage struct {
	q             *query
	in            stage
	order         *ordering
	count, offset *compiled
	ties          bool
	inner         *sortStage // the sorted result
}

// topMax is the most rows that are kept this way; more are sorted.
const topMax = 10_000

func (q *query) buildTopN(ctx context.Context, n *plan.TopN) (stage, error) {
	in, err := q.build(ctx, n.In)
	if err != nil {
		return nil, err
	}
	o, err := q.newOrdering(ctx, n.In.Types(), n.Keys)
	if err != nil {
		return nil, err
	}
	s := &topStage{q: q, in: in, order: o, ties: n.Ties}
	s.count, s.offset, err = q.compileLimit(ctx, n.Count, n.Offset)
	return s, err
}

func (s *topStage) prepare(ctx context.Context) error {
	n, skip, err := limitValues(s.count, s.offset)
	if err != nil {
		return err
	}
	in := s.in
	switch {
	case n == 0:
		in = &memStage{typs: s.order.typs, gen: func(context.Context) (plan.SeriesRows, error) { return plan.SeriesRows{}, nil }}
	case n > 0 && n+skip <= topMax:
		in = &topCollect{q: s.q, in: &keyed{s.in, s.order}, order: s.order, need: int(n + skip), ties: s.ties}
	}
	o := *s.order
	if c, ok := in.(*topCollect); ok {
		o = c.resultOrder()
	}
	s.inner = &sortStage{q: s.q, in: in, order: &o, limit: &sortLimit{n: n, skip: skip, ties: s.ties, keys: len(s.order.keys)}}
	return s.inner.prepare(ctx)
}

func (s *topStage) morsels() int { return s.inner.morsels() }
func (s *topStage) open() runner {
	switch r := s.inner.open().(type) {
	case *rowsRunner:
		r.n = len(s.order.typs)
		r.init()
		return r
	case *mergeRunner:
		r.n = len(s.order.typs)
		return r
	default:
		return r
	}
}

func (s *topStage) close() {
	s.in.close()
	if s.inner != nil {
		s.inner.close()
	}
}

// topCollect is a stage of one morsel: the candidates of all workers, with the
// keys' extra columns and the position in the input as the last one.
type topCollect struct {
	q      *query
	in     *keyed
	order  *ordering
	need   int
	ties   bool
	buffer []*topBuffer
	bound  *order.Bound // nil = no keys
}

func (s *topCollect) typs() []types.Type { return append(s.order.all(), types.Int8) }

// resultOrder sorts candidates: by the keys, then by position.
func (s *topCollect) resultOrder() ordering {
	o := ordering{typs: s.typs()}
	o.keys = append(s.order.keys[:len(s.order.keys):len(s.order.keys)], order.Key{Col: len(o.typs) - 1})
	return o
}

func (s *topCollect) prepare(ctx context.Context) error {
	if err := s.in.prepare(ctx); err != nil {
		return err
	}
	s.buffer = make([]*topBuffer, s.q.threads)
	if len(s.order.keys) > 0 {
		k := s.order.keys[0]
		s.bound = &order.Bound{Key: k, Strict: len(s.order.keys) == 1 && !s.ties && order.Exact(s.order.all()[k.Col])}
		raises := slices.ContainsFunc(s.order.extra, func(c *compiled) bool { return plan.MayRaise(c.e) })
		if k.Col < len(s.order.typs) && !raises {
			pushBound(s.in.stage, k.Col, s.bound)
		}
	}
	return s.q.consume(ctx, s.in, func(_ context.Context, w, m int, b *vec.Batch) error {
		if s.buffer[w] == nil {
			s.buffer[w] = s.newBuffer()
		}
		return s.buffer[w].add(m, b)
	})
}

func (s *topCollect) morsels() int { return 1 }

func (s *topCollect) close() {
	s.in.close()
	for _, b := range s.buffer {
		if b != nil {
			b.part.close()
		}
	}
}

func (s *topCollect) open() runner { return s }

func (s *topCollect) run(_ context.Context, _ int, emit sched.Emit) error {
	for _, b := range s.buffer {
		if b == nil {
			continue
		}
		set := b.finish()
		var out vec.Batch
		for lo := 0; lo < set.rows; lo += vec.BatchRows {
			set.window(&out, lo, min(lo+vec.BatchRows, set.rows))
			if err := emit(&out); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstCut is how many rows a worker collects before it knows a bound; later it
// collects more, since sorting them is dear as long as the bound gets tighter.
const firstCut = 256

// topBuffer are one worker's candidates.
type topBuffer struct {
	s      *topCollect
	part   *part
	max    int // rows at which the buffer is cut
	morsel int
	rows   int64 // of the morsel so far
	within order.BoundFilter
	seq    vec.Scratch
}

func (s *topCollect) newBuffer() *topBuffer {
	return &topBuffer{
		s: s, part: s.q.newPart(s.typs()), max: max(firstCut, 4*s.need), morsel: -1, within: order.BoundFilter{B: s.bound},
	}
}

func (b *topBuffer) add(morsel int, in *vec.Batch) error {
	if morsel != b.morsel {
		b.morsel, b.rows = morsel, 0
	}
	batch := *in
	if b.within.B.Has() {
		batch.Sel = b.within.Select(morsel, &in.Cols[b.within.B.Key.Col], in.Sel, in.Rows())
		if len(batch.Sel) == 0 {
			b.rows += int64(in.Len)
			return nil
		}
	}
	var seq vec.Vector
	b.seq.Flat(&seq, types.Int8, in.Len)
	pos := vec.Values[int64](&seq)
	for i := range pos {
		pos[i] = int64(morsel)<<32 | (b.rows + int64(i))
	}
	b.rows += int64(in.Len)
	batch.Cols = append(in.Cols[:len(in.Cols):len(in.Cols)], seq)
	if err := b.part.append(&batch); err != nil {
		return err
	}
	if b.part.rows >= b.max {
		return b.cut()
	}
	return nil
}

// finish hands the candidates over as columns.
func (b *topBuffer) finish() *rowset {
	set := &rowset{rows: b.part.rows}
	for _, c := range b.part.cols {
		set.cols = append(set.cols, c.Finish())
	}
	b.part.rows = 0
	return set
}

// cut keeps only the rows that can be in the result.
func (b *topBuffer) cut() error {
	set := b.finish()
	so := order.Sorter{Cols: set.cols, Keys: b.s.resultOrder().keys}
	rows := make([]uint32, set.rows)
	for i := range rows {
		rows[i] = uint32(i)
	}
	so.Sort(rows)
	keep := min(b.s.need, len(rows))
	for b.s.ties && keep < len(rows) && so.Equal(rows[keep-1], rows[keep], len(b.s.order.keys)) {
		keep++
	}
	if len(b.s.order.keys) > 0 {
		b.setBound(&so, rows[keep-1])
	}
	b.max = max(min(2*b.max, max(4*vec.BatchRows, 3*b.s.need)), 2*keep)
	var out vec.Batch
	var sc vec.BatchScratch
	out.Cols = make([]vec.Vector, len(set.cols))
	for lo := 0; lo < keep; lo += vec.BatchRows {
		hi := min(lo+vec.BatchRows, keep)
		for i := range set.cols {
			sc.Col(i).GatherRows(&out.Cols[i], &set.cols[i], rows[lo:hi])
		}
		out.Len = hi - lo
		if err := b.part.append(&out); err != nil {
			return err
		}
	}
	return nil
}

// setBound tells the bound of the first key of the last row kept. Behind a NULL that
// comes last nothing can be dropped.
func (b *topBuffer) setBound(so *order.Sorter, row uint32) {
	k := so.Keys[0]
	v := &so.Cols[k.Col]
	if !v.Null(int(row)) {
		var w [1]uint64
		order.Words(w[:], v, []uint32{row}, k.Desc)
		seq := vec.Values[int64](&so.Cols[len(so.Cols)-1])[row]
		b.within.B.Tighten(w[0], int(seq>>32))
	} else if k.NullsFirst {
		// No value can come before it; a value of word 0 may still pass, which
		// the next cut puts right.
		b.within.B.Tighten(0, math.MaxInt)
	}
}
