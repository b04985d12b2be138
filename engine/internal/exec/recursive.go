package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// recursiveStage is WITH RECURSIVE: it emits each round's rows before the next
// round runs, so a limit above ends an endless recursion. The step's stages are
// built anew for every round.
type recursiveStage struct {
	q    *query
	node *plan.Recursive
	base stage
	step stage // of the next round
	work *working
	cur  *rowset
	seen *groups // rows so far, of UNION
}

// working is what Working nodes of one Recursive read.
type working struct {
	id    int
	set   *rowset
	outer *working // of the recursion around this one
}

// workingKey finds the innermost working table in the context of building.
type workingKey struct{}

// OfBuild implements rowplan.BuildKey.
func (workingKey) OfBuild() {}

func workingOf(ctx context.Context) *working {
	w, _ := ctx.Value(workingKey{}).(*working)
	return w
}

// within is ctx for building the step.
func (w *working) within(ctx context.Context) context.Context {
	return context.WithValue(ctx, workingKey{}, w)
}

func (q *query) buildRecursive(ctx context.Context, n *plan.Recursive) (stage, error) {
	s := &recursiveStage{q: q, node: n, work: &working{id: n.ID, outer: workingOf(ctx)}}
	var err error
	if s.base, err = q.build(ctx, n.Base); err != nil {
		return nil, err
	}
	// Built here, too, so that its subqueries run now.
	if s.step, err = q.build(s.work.within(ctx), n.Step); err != nil {
		s.base.close()
		return nil, err
	}
	if !n.All {
		s.seen = q.newGroups(n.Types(), nil)
	}
	return s, nil
}

func (q *query) buildWorking(ctx context.Context, n *plan.Working) (stage, error) {
	w := workingOf(ctx)
	for w != nil && w.id != n.ID {
		w = w.outer
	}
	if w == nil {
		return nil, errs.New(errs.Internal, "working table %d without its recursion", n.ID)
	}
	return &memStage{typs: n.Typs, gen: ofBatches(func(context.Context) ([]*vec.Batch, error) {
		var out []*vec.Batch
		for lo := 0; lo < w.set.rows; lo += vec.BatchRows {
			b := &vec.Batch{}
			w.set.window(b, lo, min(w.set.rows, lo+vec.BatchRows))
			out = append(out, b)
		}
		return out, nil
	})}, nil
}

func (s *recursiveStage) prepare(context.Context) error { return nil }
func (s *recursiveStage) morsels() int                  { return 1 }
func (s *recursiveStage) open() runner                  { return s }

func (s *recursiveStage) close() {
	s.base.close()
	if s.step != nil {
		s.step.close()
	}
	s.cur.close()
	if s.seen != nil {
		s.seen.close()
	}
}

// run is called once: there is one morsel.
func (s *recursiveStage) run(ctx context.Context, _ int, emit sched.Emit) error {
	typs := s.node.Types()
	in := s.base
	for {
		next, err := s.q.collect(ctx, in, typs)
		if err == nil && s.seen != nil {
			next, err = s.fresh(next, typs)
		}
		in.close()
		if err != nil {
			return err
		}
		s.cur.close()
		s.cur, s.work.set = next, next
		if next.rows == 0 {
			return nil
		}
		var b vec.Batch
		for lo := 0; lo < next.rows; lo += vec.BatchRows {
			if err := sched.CheckCancel(ctx); err != nil {
				return err
			}
			next.window(&b, lo, min(next.rows, lo+vec.BatchRows))
			if err := emit(&b); err != nil {
				return err
			}
		}
		if s.step == nil {
			if s.step, err = s.q.build(s.work.within(ctx), s.node.Step); err != nil {
				return err
			}
		}
		in, s.step = s.step, nil
	}
}

// fresh keeps the rows that no round gave before, once each.
func (s *recursiveStage) fresh(set *rowset, typs []types.Type) (*rowset, error) {
	defer set.close()
	w := s.seen.worker(0)
	w.acct.Floor = max(w.acct.Floor, firstBytes)
	p := s.q.newPart(typs)
	var b vec.Batch
	for lo := 0; lo < set.rows; lo += vec.BatchRows {
		set.window(&b, lo, min(set.rows, lo+vec.BatchRows))
		known := w.table.Len()
		_, at := w.begin(b.Cols, nil, b.Len)
		found := make([]bool, w.table.Len()-known)
		sel := vec.Selection{}
		for i, a := range at {
			if g := int(a)/s.seen.stride - known; g >= 0 && !found[g] {
				found[g] = true
				sel = append(sel, uint16(i))
			}
		}
		b.Sel = sel
		err := p.append(&b)
		if err == nil {
			err = w.account()
		}
		if err != nil {
			p.close()
			return nil, err
		}
	}
	return p.rowset(), nil
}
