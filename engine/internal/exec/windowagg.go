package exec

import (
	"quern/engine/fn"
	"quern/engine/internal/hash"
	"quern/engine/plan"
	"quern/storage/vec"
)

// windowState is the state of one aggregate over a frame. Where the frame only
// grows, rows are added to it; else it begins anew for every frame that differs
// from the last one.
type windowState struct {
	w      *windowRun
	f      feed
	call   feedCall
	words  []uint64
	zeros  []uint32
	arenas *hash.Arenas // of strings
	seq    uint64
	cols   []int // the batch's columns
	batch  vec.Batch
	gather vec.BatchScratch
	out    vec.Vector
	final  vec.Scratch
	turn   vec.Scratch
}

func newWindowState(w *windowRun) *windowState {
	c := w.c.agg
	c.off = 0
	s := &windowState{w: w, words: make([]uint64, max(1, c.agg.words())), zeros: make([]uint32, vec.BatchRows)}
	s.call = feedCall{aggCall: c, args: instances(c.args), flat: make([]vec.Scratch, len(c.args))}
	s.cols = append(s.cols, w.c.args...)
	if c.filter != nil {
		s.call.filter = c.filter.instance()
		s.cols = append(s.cols, w.c.filter)
	}
	s.batch.Cols = make([]vec.Vector, len(s.cols))
	s.gather.Col(len(s.cols))
	s.reset()
	return s
}

func (s *windowState) reset() {
	clear(s.words)
	s.arenas = &hash.Arenas{}
	s.seq = 0
	s.call.in = aggInput{rows: s.words, one: true, arena: &hash.Arena{All: s.arenas}, args: make([]vec.Vector, len(s.call.args))}
	if s.call.collect != nil {
		s.call.in.store = s.call.collect.newStore(0)
	}
}

// add puts rows [lo, hi) of the partition into the state.
func (s *windowState) add(lo, hi int) error {
	for lo < hi {
		n := min(vec.BatchRows, hi-lo)
		for i, c := range s.cols {
			s.gather.Col(i).GatherRows(&s.batch.Cols[i], &s.w.ch.set.cols[c], s.w.rows[lo:lo+n])
		}
		s.batch.Len, s.batch.Sel = n, nil
		s.call.in.seq = s.seq
		if err := s.f.updateAll(&s.call, &s.batch, s.zeros[:n]); err != nil {
			return err
		}
		s.seq += uint64(n)
		lo += n
		if err := s.w.tick(); err != nil {
			return err
		}
	}
	return nil
}

// size is what the state holds beyond fixed words.
func (s *windowState) size() int64 {
	n := s.arenas.Size()
	if st := s.call.in.store; st != nil {
		n += int64(st.size())
	}
	return n
}

// result computes the state's value; it stands until the next call.
func (s *windowState) result() error {
	s.final.Flat(&s.out, s.call.typ, 1)
	f := aggOutput{rows: s.words, stride: len(s.words), n: 1, out: &s.out, s: &s.final, chunks: s.arenas.Chunks()}
	if st := s.call.in.store; st != nil {
		st.seal()
		f.stores = []*collectStore{st}
	}
	return s.call.agg.final(&f)
}

// shrinks tells whether the frame only loses rows from row to row, and the
// order in which the aggregate sees rows does not show.
func (w *windowRun) shrinks() bool {
	f := &w.c.Frame
	return f.End.Kind == plan.UnboundedFollowing && f.Start.Kind != plan.UnboundedPreceding &&
		f.Exclude == plan.ExcludeNothing && w.c.agg.collect == nil && w.c.Agg.Kind != fn.AggAnyValue
}

// aggregateBack computes shrinking frames from the last row back: there they
// grow.
func (w *windowRun) aggregateBack() error {
	s, n := w.state, len(w.rows)
	w.back = vec.NewBuilder(w.c.Typ, n)
	order, starts := make([]uint32, n), make([]int, n)
	for i := range starts {
		starts[i], _ = w.bounds(i)
	}
	s.reset()
	for i, last := n-1, n; i >= 0; i-- {
		order[i] = uint32(n - 1 - i)
		lo := starts[i]
		if lo != last || i == n-1 {
			if err := s.add(lo, last); err != nil {
				return err
			}
			if err := s.result(); err != nil {
				return err
			}
			last = lo
		}
		w.back.AppendVector(&s.out, nil)
		if err := w.tick(); err != nil {
			return err
		}
	}
	all := w.back.Finish()
	var out vec.Vector
	for lo := 0; lo < n; lo += vec.BatchRows {
		s.turn.GatherRows(&out, &all, order[lo:min(n, lo+vec.BatchRows)])
		w.out.AppendVector(&out, nil)
	}
	w.back = nil
	return nil
}

func (w *windowRun) aggregate() error {
	if w.shrinks() {
		return w.aggregateBack()
	}
	s := w.state
	grows := w.c.Frame.Start.Kind == plan.UnboundedPreceding && w.c.Frame.Exclude == plan.ExcludeNothing
	var last [3][2]int
	for i := range w.rows {
		fs := w.frame(i)
		var now [3][2]int
		copy(now[:], fs)
		switch {
		case i == 0 && w.base > 0: // the state holds the rows before these
			if err := s.add(0, now[0][1]); err != nil {
				return err
			}
			if err := s.result(); err != nil {
				return err
			}
		case i > 0 && now == last:
		case i > 0 && grows && now[0][1] >= last[0][1]:
			if err := s.add(last[0][1], now[0][1]); err != nil {
				return err
			}
			if err := s.result(); err != nil {
				return err
			}
		default:
			s.reset()
			for _, f := range fs {
				if err := s.add(f[0], f[1]); err != nil {
					return err
				}
			}
			if err := s.result(); err != nil {
				return err
			}
		}
		last = now
		w.out.AppendVector(&s.out, nil)
		if err := w.tick(); err != nil {
			return err
		}
	}
	return nil
}
