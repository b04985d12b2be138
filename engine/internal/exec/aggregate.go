package exec

import (
	"context"
	"reflect"

	"quern/engine/fn"
	"quern/engine/internal/expr"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// aggCall is one aggregate of an aggregation.
type aggCall struct {
	agg       aggregator
	typ       types.Type
	off       int // of its state in a group's row
	args      []*compiled
	order     []*compiled
	filter    *compiled // nil = all rows
	keepsNull bool
	countOnly bool // arguments matter only by being NULL or not
	collect   *collectAgg
	set       int // index of its distinct set, -1 = none
	// shares is an earlier call with the same state over the same values.
	shares *aggCall
}

// aggStage is the aggregation operator. Aggregates with DISTINCT do not see the
// input: their arguments are first grouped together with the keys (one set per
// distinct argument list), and the groups of that are their input.
type aggStage struct {
	q     *query
	in    stage
	keys  []*compiled
	calls []*aggCall
	sets  []*distinctSet
	*groups
}

// distinctSet is one argument list of DISTINCT aggregates.
type distinctSet struct {
	args   []*compiled
	filter *compiled
	exprs  []plan.Expr // args and filter, to recognise equal sets
	nulls  bool        // rows whose first argument is NULL count
	*groups
}

func (q *query) buildAggregate(ctx context.Context, n *plan.Aggregate) (stage, error) {
	in, err := q.build(ctx, n.In)
	if err != nil {
		return nil, err
	}
	s := &aggStage{q: q, in: in}
	if s.keys, err = q.compileAll(ctx, n.Keys); err != nil {
		return nil, err
	}
	keyTyps := typesOf(s.keys)
	for i := range n.Aggs {
		c, err := q.newCall(ctx, &n.Aggs[i])
		if err != nil {
			return nil, err
		}
		if err := s.addToSet(c, &n.Aggs[i]); err != nil {
			return nil, err
		}
		for j, d := range s.calls {
			if d.set == c.set && d.shares == nil && sharesState(d, c) && sameInput(&n.Aggs[j], &n.Aggs[i]) {
				c.shares = d
				break
			}
		}
		s.calls = append(s.calls, c)
	}
	s.groups = q.newGroups(keyTyps, s.calls)
	s.groups.codes = true
	for _, d := range s.sets {
		d.groups = q.newGroups(append(keyTyps[:len(keyTyps):len(keyTyps)], typesOf(d.args)...), nil)
		d.groups.codes = true
	}
	return s, nil
}

// sharesState tells whether the states of two calls are alike: sum and avg keep
// the same.
func sharesState(a, b *aggCall) bool {
	base := func(c *aggCall) aggregator {
		switch x := c.agg.(type) {
		case intSum:
			x.avg = false
			return x
		case bigSum:
			x.avg = false
			return x
		case numSum:
			x.avg = false
			return x
		case floatSum:
			x.avg = false
			return x
		}
		return nil
	}
	x := base(a)
	return x != nil && x == base(b)
}

// sameInput tells whether two calls see the same values.
func sameInput(a, b *plan.AggCall) bool {
	volatile := false
	for _, e := range a.Args {
		_, _ = plan.Rewrite(e, func(e plan.Expr) (plan.Expr, error) {
			c, ok := e.(*plan.Call)
			volatile = volatile || ok && c.Fn.Vol == fn.Volatile
			return e, nil
		})
	}
	return !volatile && a.Distinct == b.Distinct && len(a.Order) == 0 && len(b.Order) == 0 &&
		reflect.DeepEqual(a.Args, b.Args) && reflect.DeepEqual(a.Filter, b.Filter)
}

func typesOf(cs []*compiled) []types.Type {
	out := make([]types.Type, len(cs))
	for i, c := range cs {
		out[i] = c.typ
	}
	return out
}

func (q *query) newCall(ctx context.Context, a *plan.AggCall) (*aggCall, error) {
	c := &aggCall{typ: a.Typ, set: -1}
	var err error
	if c.agg, err = q.newAggregator(a); err != nil {
		return nil, err
	}
	if c.args, err = q.compileAll(ctx, a.Args); err != nil {
		return nil, err
	}
	if a.Filter != nil {
		if c.filter, err = q.compile(ctx, a.Filter); err != nil {
			return nil, err
		}
	}
	_, c.countOnly = c.agg.(countAgg)
	c.keepsNull = a.Agg.Kind.SeesNull()
	if col, ok := c.agg.(*collectAgg); ok {
		c.collect = col
		col.setConstants(c.args)
		for _, k := range col.order {
			e, err := q.compile(ctx, k.Expr)
			if err != nil {
				return nil, err
			}
			c.order = append(c.order, e)
		}
	}
	return c, nil
}

// addToSet finds or makes the distinct set of a call that needs one.
func (s *aggStage) addToSet(c *aggCall, a *plan.AggCall) error {
	switch a.Agg.Kind {
	case fn.AggMin, fn.AggMax, fn.AggBoolAnd, fn.AggBoolOr, fn.AggAnyValue, fn.AggBitAnd, fn.AggBitOr:
		return nil // duplicates change nothing
	}
	if !a.Distinct || len(c.args) == 0 {
		return nil
	}
	exprs := append(a.Args[:len(a.Args):len(a.Args)], a.Filter)
	nk := len(s.keys)
	for i, d := range s.sets {
		if d.nulls == c.keepsNull && reflect.DeepEqual(d.exprs, exprs) {
			c.set = i
		}
	}
	if c.set < 0 {
		c.set = len(s.sets)
		s.sets = append(s.sets, &distinctSet{args: c.args, filter: c.filter, exprs: exprs, nulls: c.keepsNull})
	}
	// From here on the call reads the set's groups.
	c.filter = nil
	args := make([]*compiled, len(c.args))
	for i, x := range c.args {
		args[i] = column(s.q, nk+i, x.typ)
	}
	for i := range c.order {
		at := -1
		for j, e := range a.Args {
			if reflect.DeepEqual(e, c.collect.order[i].Expr) {
				at = j
			}
		}
		if at < 0 {
			return errs.New(errs.InvalidColumnReference, "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list")
		}
		c.order[i] = args[at]
	}
	c.args = args
	return nil
}

func column(q *query, i int, t types.Type) *compiled {
	return &compiled{q: q, e: &plan.Col{Index: i, Typ: t}, typ: t, col: i}
}

func (s *aggStage) close() {
	s.in.close()
	s.groups.close()
	for _, d := range s.sets {
		d.groups.close()
	}
}

func (s *aggStage) prepare(ctx context.Context) error {
	if err := s.in.prepare(ctx); err != nil {
		return err
	}
	s.groups.useUnions(s.in, s.keys)
	for _, d := range s.sets {
		d.groups.useUnions(s.in, append(s.keys[:len(s.keys):len(s.keys)], d.args...))
	}
	if err := s.consumeInput(ctx); err != nil {
		return err
	}
	coded := s.groups.unions != nil
	for _, d := range s.sets {
		c, err := d.groups.drainCodes()
		if err != nil {
			return err
		}
		coded = coded || c || d.groups.unions != nil
	}
	// Sets give s.groups more rows, which may have codes, too.
	if len(s.sets) == 0 {
		c, err := s.groups.drainCodes()
		if err != nil {
			return err
		}
		coded = coded || c
	}
	for _, w := range s.groups.workers {
		coded = coded || w != nil && w.code.Codes != nil && w.code.Dict != nil
	}
	if !coded { // dictionaries are the input's
		s.in.close()
	}
	if err := s.consumeSets(ctx); err != nil {
		return err
	}
	if len(s.sets) > 0 {
		if _, err := s.groups.drainCodes(); err != nil {
			return err
		}
	}
	return s.groups.finish(ctx)
}

// consumeSets adds the groups of the distinct sets to those of the calls.
func (s *aggStage) consumeSets(ctx context.Context) error {
	for i, d := range s.sets {
		if err := d.groups.finish(ctx); err != nil {
			return err
		}
		keys := make([]*compiled, len(s.keys))
		for k := range keys {
			keys[k] = column(s.q, k, s.keys[k].typ)
		}
		feeds := make([]*feed, s.q.threads)
		err := s.q.consume(ctx, d.groups, func(ctx context.Context, w, m int, b *vec.Batch) error {
			if feeds[w] == nil {
				feeds[w] = newFeed(s.groups.worker(w), keys, s.callsOf(i))
			}
			return feeds[w].add(ctx, m, b)
		})
		if err != nil {
			return err
		}
		d.groups.close()
	}
	return nil
}

// drainCodes hands groups by code on, unless they can stay as they are.
func (g *groups) drainCodes() (coded bool, err error) {
	if g.keepCodes() {
		return true, nil
	}
	for _, w := range g.workers {
		if w != nil {
			if err := w.drain(false); err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

func (s *aggStage) callsOf(set int) (out []*aggCall) {
	for _, c := range s.calls {
		if c.set == set && c.shares == nil {
			out = append(out, c)
		}
	}
	return out
}

func (s *aggStage) consumeInput(ctx context.Context) error {
	type worker struct {
		main *feed
		sets []*setFeed
	}
	workers := make([]*worker, s.q.threads)
	direct := s.callsOf(-1)
	return s.q.consume(ctx, s.takeFacts(), func(ctx context.Context, w, m int, b *vec.Batch) error {
		if workers[w] == nil {
			workers[w] = &worker{main: newFeed(s.groups.worker(w), s.keys, direct)}
			for _, d := range s.sets {
				workers[w].sets = append(workers[w].sets, newSetFeed(d, w, s.keys))
			}
		}
		// Groups exist even if no distinct set has a row of them.
		if err := workers[w].main.add(ctx, m, b); err != nil {
			return err
		}
		for _, f := range workers[w].sets {
			if err := f.add(ctx, b); err != nil {
				return err
			}
		}
		return nil
	})
}

// feed adds batches to groups, for one worker and some of the calls.
type feed struct {
	w      *groupWorker
	keys   []*instance
	calls  []feedCall
	vecs   []vec.Vector
	morsel int
	rows   uint64 // of the morsel so far
	at     []uint32
	pos    []uint16
}

type feedCall struct {
	*aggCall
	args, order []*instance
	filter      *instance
	in          aggInput
	flat        []vec.Scratch
}

func newFeed(w *groupWorker, keys []*compiled, calls []*aggCall) *feed {
	f := &feed{w: w, keys: instances(keys), vecs: make([]vec.Vector, len(keys)), morsel: -1}
	for _, c := range calls {
		fc := feedCall{aggCall: c, args: instances(c.args), order: instances(c.order)}
		if c.filter != nil {
			fc.filter = c.filter.instance()
		}
		fc.in = aggInput{
			off: c.off, one: len(keys) == 0, arena: w.arena,
			args: make([]vec.Vector, len(c.args)), order: make([]vec.Vector, len(c.order)),
		}
		if c.collect != nil {
			fc.in.store = w.g.store(w.id, c)
		}
		fc.flat = make([]vec.Scratch, len(c.args))
		f.calls = append(f.calls, fc)
	}
	return f
}

// identity lists all rows of a batch.
var identity = func() []uint16 {
	s := make([]uint16, vec.MaxBatchRows)
	for i := range s {
		s[i] = uint16(i)
	}
	return s
}()

func (f *feed) add(ctx context.Context, morsel int, b *vec.Batch) error {
	return expr.InPieces(b, func(b *vec.Batch) error { return f.addPiece(ctx, morsel, b) })
}

func (f *feed) addPiece(ctx context.Context, morsel int, b *vec.Batch) error {
	if morsel != f.morsel {
		f.morsel, f.rows = morsel, 0
	}
	if err := evalAll(f.keys, b, f.vecs); err != nil {
		return err
	}
	rows, at := f.w.begin(f.vecs, b.Sel, b.Rows())
	for i := range f.calls {
		c := &f.calls[i]
		c.in.rows, c.in.seq = rows, uint64(morsel)<<32|f.rows
		if err := f.updateAll(c, b, at); err != nil {
			return err
		}
	}
	f.rows += uint64(b.Len)
	return f.w.end(ctx)
}

// updateAll is update, in pieces if the arguments are too wide.
func (f *feed) updateAll(c *feedCall, b *vec.Batch, at []uint32) error {
	lo := 0
	return expr.InPieces(b, func(p *vec.Batch) error {
		n := p.Rows()
		if err := f.update(c, p, at[lo:lo+n]); err != nil {
			return err
		}
		lo += n
		return nil
	})
}

// update gives one call its rows of the batch: those that pass its filter and
// are not NULL.
func (f *feed) update(c *feedCall, b *vec.Batch, at []uint32) error {
	in := *b
	if c.filter != nil {
		sel, err := c.filter.selectRows(b)
		if err != nil || sel != nil && len(sel) == 0 {
			return err
		}
		in.Sel = sel
		if sel != nil {
			at = f.subset(at, b.Sel, sel)
		}
	}
	if err := evalAll(c.args, &in, c.in.args); err != nil {
		return err
	}
	if err := evalAll(c.order, &in, c.in.order); err != nil {
		return err
	}
	pos := []uint16(in.Sel)
	if pos == nil {
		pos = identity[:in.Len]
	}
	c.in.dense = in.Sel == nil
	if len(c.args) > 0 && !c.keepsNull && c.in.args[0].Valid != nil {
		v := &c.in.args[0]
		k := 0
		if cap(f.pos) < len(pos) {
			f.pos = make([]uint16, max(len(pos), vec.BatchRows))
		}
		kept := f.at
		if len(kept) < len(at) {
			kept = make([]uint32, max(len(at), vec.BatchRows))
			f.at = kept
		}
		for i, r := range pos {
			if !v.Null(int(r)) {
				f.pos[k], kept[k] = r, at[i]
				k++
			}
		}
		pos, at = f.pos[:k], kept[:k]
		c.in.dense = false
		if k == 0 {
			return nil
		}
	}
	if !c.countOnly {
		for i := range c.in.args {
			v := c.in.args[i]
			c.flat[i].Flatten(&c.in.args[i], &v, in.Sel)
		}
	}
	c.in.pos, c.in.at = pos, at
	return c.agg.update(&c.in)
}

// subset gives the at of the rows part, a subset of sel.
func (f *feed) subset(at []uint32, sel, part vec.Selection) []uint32 {
	if len(f.at) < len(at) {
		f.at = make([]uint32, max(len(at), vec.BatchRows))
	}
	if sel == nil {
		for i, r := range part {
			f.at[i] = at[r]
		}
		return f.at[:len(part)]
	}
	j := 0
	for i, r := range part {
		for sel[j] != r {
			j++
		}
		f.at[i] = at[j]
	}
	return f.at[:len(part)]
}

// setFeed adds batches to a distinct set, for one worker.
type setFeed struct {
	d      *distinctSet
	w      *groupWorker
	exprs  []*instance // keys and arguments
	filter *instance
	first  int // the first argument
	vecs   []vec.Vector
	sel    vec.Selection
}

func newSetFeed(d *distinctSet, w int, keys []*compiled) *setFeed {
	f := &setFeed{d: d, w: d.groups.worker(w), first: len(keys)}
	f.exprs = append(instances(keys), instances(d.args)...)
	f.vecs = make([]vec.Vector, len(f.exprs))
	if d.filter != nil {
		f.filter = d.filter.instance()
	}
	return f
}

func (f *setFeed) add(ctx context.Context, b *vec.Batch) error {
	return expr.InPieces(b, func(b *vec.Batch) error { return f.addPiece(ctx, b) })
}

func (f *setFeed) addPiece(ctx context.Context, b *vec.Batch) error {
	in := *b
	if f.filter != nil {
		sel, err := f.filter.selectRows(b)
		if err != nil {
			return err
		}
		in.Sel = sel
	}
	if in.Rows() == 0 {
		return nil
	}
	if err := evalAll(f.exprs, &in, f.vecs); err != nil {
		return err
	}
	if v := &f.vecs[f.first]; v.Valid != nil && !f.d.nulls {
		f.sel = f.sel[:0]
		for i := range in.Rows() {
			r := i
			if in.Sel != nil {
				r = int(in.Sel[i])
			}
			if !v.Null(r) {
				f.sel = append(f.sel, uint16(r))
			}
		}
		if in.Sel = f.sel; len(f.sel) == 0 {
			return nil
		}
	}
	f.w.begin(f.vecs, in.Sel, in.Rows())
	return f.w.end(ctx)
}
