package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/vec"
)

// windowSpillRunner computes windows over rows that are merged from disk. They
// are gathered in chunks of whole partitions; a morsel is a range of the first
// partition key, so no partition lies in two. A partition that is too large is
// cut into chunks if all calls can go on from one to the next.
type windowSpillRunner struct {
	s  *windowStage
	in mergeRunner

	p     *part
	acct  *sched.Account
	carry []*windowCarry // of the partition that the last chunk ended in
	open  bool           // the chunk begins inside it
	emit  sched.Emit
	out   vec.Batch
}

func (r *windowSpillRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	q := r.s.q
	r.acct = q.account()
	r.acct.Floor = max(q.spillFloor(), q.mergeFloor, 3*q.chunkBytes())
	defer r.acct.Close()
	r.emit, r.open, r.p = emit, false, newBuilders(r.s.order.all())
	r.carry = nil
	if how := r.s.divisible(); how != wholeOnly {
		for range r.s.calls {
			r.carry = append(r.carry, &windowCarry{})
		}
	}
	err := r.in.each(ctx, morsel, func(b *vec.Batch) error { return r.add(ctx, b) })
	if err != nil {
		return err
	}
	return r.flush(ctx, false)
}

// How a partition may be cut into chunks.
type cutting uint8

const (
	wholeOnly cutting = iota
	byPeers           // between rows that differ in a key
	byRows            // anywhere
)

// divisible tells how far all calls can go on from chunk to chunk: ranks and
// aggregates over all rows so far.
func (s *windowStage) divisible() cutting {
	how := byRows
	for _, c := range s.calls {
		f := &c.Frame
		switch c.Func {
		case plan.WinRowNumber:
		case plan.WinRank, plan.WinDenseRank:
			how = min(how, byPeers)
		case plan.WinAggregate:
			if f.Start.Kind != plan.UnboundedPreceding || f.End.Kind != plan.CurrentRow || f.Exclude != plan.ExcludeNothing {
				return wholeOnly
			}
			if f.Mode != plan.FrameRows {
				how = min(how, byPeers)
			}
		default:
			return wholeOnly
		}
	}
	return how
}

// add takes the next sorted rows.
func (r *windowSpillRunner) add(ctx context.Context, b *vec.Batch) error {
	rest := *b
	if size := r.size(); size >= r.s.q.chunkBytes() {
		at, inside := r.cutAt(b, size >= 2*r.s.q.chunkBytes())
		if at >= 0 {
			head := *b
			head.Cut(0, at)
			if at > 0 {
				r.p.add(&head)
			}
			if err := r.flush(ctx, inside); err != nil {
				return err
			}
			rest.Cut(at, b.Len)
		}
	}
	r.p.add(&rest)
	return r.acct.Set(r.size())
}

// chunkBytes is the size from which a chunk ends at the next border.
func (q *query) chunkBytes() int64 {
	limit := q.budget.Limit()
	return max(min(1<<16, limit), limit/int64(4*q.threads))
}

func (r *windowSpillRunner) size() int64 {
	return int64(r.p.size()) + int64(r.p.rows)*int64(r.s.perRow)
}

// cutAt finds the first row of b before which the chunk can end, and tells
// whether the partition goes on there; -1 if there is none.
func (r *windowSpillRunner) cutAt(b *vec.Batch, must bool) (at int, inside bool) {
	how := wholeOnly
	if must && r.carry != nil {
		how = r.s.divisible()
	}
	last := vec.Batch{Len: r.p.rows}
	for _, c := range r.p.cols {
		last.Cols = append(last.Cols, c.Peek())
	}
	at = -1
	prev, row := &last, last.Len-1
	for i := range b.Len {
		equal := 0
		for _, k := range r.s.order.keys {
			if !vec.Equal(&prev.Cols[k.Col], row, &b.Cols[k.Col], i) {
				break
			}
			equal++
		}
		if equal < r.s.parts {
			return i, false
		}
		if at < 0 && (how == byRows || how == byPeers && equal < len(r.s.order.keys)) {
			at = i
		}
		prev, row = b, i
	}
	return at, at >= 0
}

// flush computes and emits the chunk; inside tells that its last partition goes
// on.
func (r *windowSpillRunner) flush(ctx context.Context, inside bool) error {
	n := r.p.rows
	if n == 0 {
		return nil
	}
	s := r.s
	set := r.p.rowset()
	set.acct = nil
	r.p = newBuilders(s.order.all())
	ch := &windowChunk{set: set, rows: numbers(n), acct: s.q.account(), carry: r.carry, open: r.open}
	ch.acct.Floor = r.acct.Floor
	defer ch.acct.Close()
	if err := s.compute(ctx, ch); err != nil {
		return err
	}
	r.open = inside
	nc := len(s.order.typs)
	for lo := 0; lo < n; lo += vec.BatchRows {
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		hi := min(n, lo+vec.BatchRows)
		r.out.Cols = r.out.Cols[:0]
		for i := range nc {
			r.out.Cols = append(r.out.Cols, vec.Slice(&set.cols[i], lo, hi))
		}
		for i := range ch.results {
			r.out.Cols = append(r.out.Cols, vec.Slice(&ch.results[i], lo, hi))
		}
		r.out.Len, r.out.Sel = hi-lo, nil
		if err := r.emit(&r.out); err != nil {
			return err
		}
	}
	r.acct.Shrink(0)
	return nil
}
