package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// windowStage materialises its input, orders it by partition and sort keys and
// computes every call partition by partition. The results lie in the order of
// the sorted rows.
type windowStage struct {
	sortStage
	parts int // leading keys that are the partition
	calls []*windowCall
	chunk *windowChunk // nil if the rows do not fit in memory: see windowspill.go
}

// windowChunk are sorted rows in memory: all, or whole partitions, or (with a
// carry) a part of one.
type windowChunk struct {
	set     *rowset
	rows    []uint32
	results []vec.Vector
	acct    *sched.Account
	built   int64          // bytes of finished results
	carry   []*windowCarry // per call; nil = the chunk begins and ends with a partition
	open    bool           // the first partition goes on from the chunk before
}

// windowCarry is what a call knows of the rows of a partition in earlier chunks.
type windowCarry struct {
	rows, groups int
	state        *windowState
}

// windowCall is a call with its expressions as columns of the materialised
// rows: -1 = none.
type windowCall struct {
	*plan.WindowCall
	args       []int
	filter     int
	key        int // of a RANGE frame with offsets
	start, end windowBound
	agg        *aggCall
}

type windowBound struct {
	plan.FrameBound
	at     int // column of At
	offset *compiled
	rows   int // Offset's value, of ROWS and GROUPS
}

func (q *query) buildWindow(ctx context.Context, n *plan.Window) (stage, error) {
	in, err := q.build(ctx, n.In)
	if err != nil {
		return nil, err
	}
	keys := make([]plan.SortKey, 0, len(n.Partition)+len(n.Order))
	for _, e := range n.Partition {
		keys = append(keys, plan.SortKey{Expr: e})
	}
	o, err := q.newOrdering(ctx, n.In.Types(), append(keys, n.Order...))
	if err != nil {
		return nil, err
	}
	s := &windowStage{sortStage: sortStage{q: q, in: in, order: o}, parts: len(n.Partition)}
	// Results, and what computing them needs.
	s.perRow = 32 + 32*len(n.Calls)
	for i := range n.Calls {
		c, err := q.newWindowCall(ctx, o, &n.Calls[i])
		if err != nil {
			return nil, err
		}
		s.calls = append(s.calls, c)
	}
	return s, nil
}

// column is the number of the column that holds e, added if need be.
func (q *query) windowColumn(ctx context.Context, o *ordering, e plan.Expr) (int, error) {
	if e == nil {
		return -1, nil
	}
	c, err := q.compile(ctx, e)
	if err != nil {
		return -1, err
	}
	if c.col >= 0 {
		return c.col, nil
	}
	o.extra = append(o.extra, c)
	return len(o.typs) + len(o.extra) - 1, nil
}

func (q *query) newWindowCall(ctx context.Context, o *ordering, p *plan.WindowCall) (c *windowCall, err error) {
	c = &windowCall{WindowCall: p}
	for _, e := range p.Args {
		at, err := q.windowColumn(ctx, o, e)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, at)
	}
	if c.filter, err = q.windowColumn(ctx, o, p.Filter); err != nil {
		return nil, err
	}
	if c.key, err = q.windowColumn(ctx, o, p.Frame.Key); err != nil {
		return nil, err
	}
	for _, b := range []struct {
		to   *windowBound
		from *plan.FrameBound
	}{{&c.start, &p.Frame.Start}, {&c.end, &p.Frame.End}} {
		b.to.FrameBound = *b.from
		if b.to.at, err = q.windowColumn(ctx, o, b.from.At); err != nil {
			return nil, err
		}
		if b.from.Offset != nil {
			if b.to.offset, err = q.compile(ctx, b.from.Offset); err != nil {
				return nil, err
			}
		}
	}
	if p.Func == plan.WinAggregate {
		err = c.newAgg(ctx, q)
	}
	return c, err
}

// newAgg makes the aggregate over a batch that has the call's arguments as its
// columns, then the filter.
func (c *windowCall) newAgg(ctx context.Context, q *query) (err error) {
	a := c.AggCall
	a.Args = make([]plan.Expr, len(c.Args))
	for i, e := range c.Args {
		a.Args[i] = &plan.Col{Index: i, Typ: e.Type()}
	}
	if a.Filter != nil {
		a.Filter = &plan.Col{Index: len(a.Args), Typ: types.Bool}
	}
	c.agg, err = q.newCall(ctx, &a)
	return err
}

// offset evaluates the offset of a bound; which is "starting" or "ending".
func (b *windowBound) prepare(mode plan.FrameMode, which string) error {
	if b.offset == nil {
		return nil
	}
	v, err := b.offset.instance().eval(oneRow())
	if err != nil {
		return err
	}
	d := v.Datum(0)
	if d.Null {
		return errs.New(errs.NullNotAllowed, "frame %s offset must not be null", which)
	}
	if mode == plan.FrameRange {
		if negative(b.offset.typ, &d) {
			return errs.New(errs.InvalidFrame, "invalid preceding or following size in window function")
		}
		return nil
	}
	if d.I < 0 {
		return errs.New(errs.InvalidFrame, "frame %s offset must not be negative", which)
	}
	b.rows = int(min(d.I, 1<<40))
	return nil
}

func negative(t types.Type, d *types.Datum) bool {
	switch t.Phys() {
	case types.PhysF32, types.PhysF64:
		return !(d.F >= 0)
	case types.PhysNum:
		return d.N.Cmp(types.Num{}) < 0 || d.N.Kind == types.NumNaN
	case types.PhysInterval:
		return d.Iv.Cmp(types.IntervalVal{}) < 0
	}
	return d.I < 0
}

func (s *windowStage) prepare(ctx context.Context) error {
	for _, c := range s.calls {
		if err := c.start.prepare(c.Frame.Mode, "starting"); err != nil {
			return err
		}
		if err := c.end.prepare(c.Frame.Mode, "ending"); err != nil {
			return err
		}
	}
	if err := s.sortStage.prepare(ctx); err != nil {
		return err
	}
	if s.merged != nil {
		if s.parts == 0 {
			s.merged.whole()
		}
		return nil
	}
	s.chunk = &windowChunk{set: s.set, rows: s.rows, acct: s.q.account()}
	return sched.Run(ctx, 1, 1, func(ctx context.Context, _, _ int) error { return s.compute(ctx, s.chunk) })
}

// compute runs all calls over a chunk.
func (s *windowStage) compute(ctx context.Context, ch *windowChunk) error {
	for i, c := range s.calls {
		w := &windowRun{s: s, c: c, ch: ch, ctx: ctx, out: vec.NewBuilder(c.Typ, len(ch.rows))}
		if ch.carry != nil {
			w.carry = ch.carry[i]
		}
		if err := w.run(); err != nil {
			return err
		}
		ch.built += int64(w.out.Size())
		ch.results = append(ch.results, w.out.Finish())
	}
	return nil
}

func (s *windowStage) close() {
	s.sortStage.close()
	if s.chunk != nil {
		s.chunk.acct.Close()
	}
}

func (s *windowStage) open() runner {
	if s.merged != nil {
		return &windowSpillRunner{s: s, in: mergeRunner{m: s.merged}}
	}
	r := &windowRunner{s: s, in: rowsRunner{cols: s.set, n: len(s.order.typs), rows: s.rows}}
	r.in.init()
	r.out.Cols = make([]vec.Vector, len(s.order.typs)+len(s.calls))
	return r
}

// windowRunner emits the sorted rows with their results beside them.
type windowRunner struct {
	s   *windowStage
	in  rowsRunner
	out vec.Batch
}

func (r *windowRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	at := morsel * sortMorsel
	return r.in.run(ctx, morsel, func(b *vec.Batch) error {
		n := copy(r.out.Cols, b.Cols)
		for i := range r.s.chunk.results {
			r.out.Cols[n+i] = vec.Slice(&r.s.chunk.results[i], at, at+b.Len)
		}
		at += b.Len
		r.out.Len, r.out.Sel = b.Len, nil
		return emit(&r.out)
	})
}
