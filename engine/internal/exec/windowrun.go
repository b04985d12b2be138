package exec

import (
	"context"
	"sort"

	"quern/engine/internal/order"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// windowRun computes one call over all partitions. Rows are counted in the
// sorted order, from 0 in the partition [lo, hi).
type windowRun struct {
	s   *windowStage
	c   *windowCall
	ch  *windowChunk
	ctx context.Context
	out *vec.Builder

	rows []uint32 // the partition's rows
	// group is the number of each row's group of peers; groups are where
	// groups begin, with the partition's length at the end.
	group  []int
	groups []int
	// first and last bound the rows whose RANGE key is not NULL.
	first, last int
	// furthest are the bounds of the rows before: adding months is not monotone
	// (February ends early), and as in PostgreSQL a bound never goes back.
	furthest [2]int
	ticks    int
	frames   [3][2]int
	back     *vec.Builder // results of a partition, last row first
	state    *windowState
	carry    *windowCarry // nil = none
	// base and baseGroup are the rows and groups of the partition in earlier chunks.
	base, baseGroup int
}

func (w *windowRun) run() error {
	srt := &order.Sorter{Cols: w.ch.set.cols, Keys: w.s.order.keys}
	if w.c.agg != nil {
		w.state = newWindowState(w)
	}
	rows := w.ch.rows
	if w.carry != nil && w.ch.open {
		w.base, w.baseGroup = w.carry.rows, w.carry.groups
		if w.state != nil {
			w.state = w.carry.state
			w.state.w = w
		}
	}
	for lo := 0; lo < len(rows); {
		hi := lo + 1
		for hi < len(rows) && srt.Equal(rows[lo], rows[hi], w.s.parts) {
			hi++
		}
		w.rows = rows[lo:hi]
		w.peers(srt)
		w.furthest = [2]int{}
		if err := w.partition(); err != nil {
			return err
		}
		if err := w.tick(); err != nil {
			return err
		}
		if hi == len(rows) && w.carry != nil {
			*w.carry = windowCarry{rows: w.base + hi - lo, groups: w.baseGroup + len(w.groups) - 1, state: w.state}
		}
		w.base, w.baseGroup = 0, 0
		lo = hi
	}
	return nil
}

// tick looks for cancellation and accounts for the results now and then.
func (w *windowRun) tick() error {
	if w.ticks++; w.ticks&1023 != 0 {
		return nil
	}
	if err := sched.CheckCancel(w.ctx); err != nil {
		return err
	}
	size := w.ch.built + int64(w.out.Size()) + int64(16*cap(w.group))
	if w.back != nil {
		size += int64(w.back.Size()) + int64(12*len(w.rows))
	}
	if w.state != nil {
		size += w.state.size()
	}
	return w.ch.acct.Set(size)
}

func (w *windowRun) peers(srt *order.Sorter) {
	w.group, w.groups = w.group[:0], append(w.groups[:0], 0)
	for i, r := range w.rows {
		if i > 0 && !srt.Equal(w.rows[i-1], r, len(srt.Keys)) {
			w.groups = append(w.groups, i)
		}
		w.group = append(w.group, len(w.groups)-1)
	}
	w.groups = append(w.groups, len(w.rows))
	if w.c.key < 0 {
		return
	}
	v := &w.ch.set.cols[w.c.key]
	w.first, w.last = 0, len(w.rows)
	for w.first < w.last && v.Null(int(w.rows[w.first])) {
		w.first++
	}
	for w.first < w.last && v.Null(int(w.rows[w.last-1])) {
		w.last--
	}
}

// partition computes the call for the rows of one partition. One switch over
// all functions.
func (w *windowRun) partition() error {
	n := len(w.rows)
	switch w.c.Func {
	case plan.WinAggregate:
		return w.aggregate()
	case plan.WinRowNumber:
		return w.each(func(i int) { vec.AppendFixed(w.out, int64(w.base+i+1)) })
	case plan.WinRank:
		return w.each(func(i int) { vec.AppendFixed(w.out, int64(w.base+w.groups[w.group[i]]+1)) })
	case plan.WinDenseRank:
		return w.each(func(i int) { vec.AppendFixed(w.out, int64(w.baseGroup+w.group[i]+1)) })
	case plan.WinPercentRank:
		return w.each(func(i int) {
			p := 0.0
			if n > 1 {
				p = float64(w.groups[w.group[i]]) / float64(n-1)
			}
			vec.AppendFixed(w.out, p)
		})
	case plan.WinCumeDist:
		return w.each(func(i int) { vec.AppendFixed(w.out, float64(w.groups[w.group[i]+1])/float64(n)) })
	case plan.WinNtile:
		return w.ntile()
	case plan.WinLag, plan.WinLead:
		return w.shifted()
	case plan.WinFirstValue, plan.WinLastValue, plan.WinNthValue:
		return w.ofFrame()
	}
	return errs.New(errs.Internal, "unknown window function %d", w.c.Func)
}

func (w *windowRun) each(f func(i int)) error {
	for i := range w.rows {
		f(i)
		if err := w.tick(); err != nil {
			return err
		}
	}
	return nil
}

// arg is argument k in row i of the partition.
func (w *windowRun) arg(k, i int) types.Datum {
	return w.ch.set.cols[w.c.args[k]].Datum(int(w.rows[i]))
}

func (w *windowRun) put(k, i int) {
	d := w.arg(k, i)
	w.out.Append(&d)
}

// ntile gives the first buckets one row more where they do not divide evenly.
func (w *windowRun) ntile() error {
	d := w.arg(0, 0)
	if d.Null {
		return w.each(func(int) { w.out.Null() })
	}
	if d.I <= 0 {
		return errs.New(errs.InvalidNtile, "argument of ntile must be greater than zero")
	}
	size, rest := len(w.rows)/int(d.I), len(w.rows)%int(d.I)
	big := rest * (size + 1)
	return w.each(func(i int) {
		b := 0
		if i < big {
			b = i / (size + 1)
		} else {
			b = rest + (i-big)/size
		}
		vec.AppendFixed(w.out, int32(b+1))
	})
}

func (w *windowRun) shifted() error {
	return w.each(func(i int) {
		off := 1
		if len(w.c.args) > 1 {
			d := w.arg(1, i)
			if d.Null {
				w.out.Null()
				return
			}
			off = int(d.I)
		}
		if w.c.Func == plan.WinLag {
			off = -off
		}
		switch at := i + off; {
		case at >= 0 && at < len(w.rows):
			w.put(0, at)
		case len(w.c.args) > 2:
			w.put(2, i)
		default:
			w.out.Null()
		}
	})
}

func (w *windowRun) ofFrame() error {
	var bad error
	err := w.each(func(i int) {
		n := 1
		if w.c.Func == plan.WinNthValue {
			d := w.arg(1, i)
			if d.Null {
				w.out.Null()
				return
			}
			if d.I <= 0 {
				bad = errs.New(errs.InvalidNthValue, "argument of nth_value must be greater than zero")
				return
			}
			n = int(d.I)
		}
		fs := w.frame(i)
		if w.c.Func == plan.WinLastValue {
			for k := len(fs) - 1; k >= 0; k-- {
				if fs[k][1] > fs[k][0] {
					w.put(0, fs[k][1]-1)
					return
				}
			}
			w.out.Null()
			return
		}
		for _, f := range fs {
			if k := max(0, f[1]-f[0]); n > k {
				n -= k
				continue
			}
			w.put(0, f[0]+n-1)
			return
		}
		w.out.Null()
	})
	if bad != nil {
		return bad
	}
	return err
}

// frame gives the rows of row i's frame as ranges in order, some perhaps empty.
func (w *windowRun) frame(i int) [][2]int {
	lo, hi := w.bounds(i)
	g := w.group[i]
	from, to := w.groups[g], w.groups[g+1]
	out := w.frames[:0]
	switch w.c.Frame.Exclude {
	case plan.ExcludeCurrentRow:
		return append(out, [2]int{lo, min(hi, i)}, [2]int{max(lo, i+1), hi})
	case plan.ExcludeGroup:
		return append(out, [2]int{lo, min(hi, from)}, [2]int{max(lo, to), hi})
	case plan.ExcludeTies:
		return append(out, [2]int{lo, min(hi, from)}, [2]int{max(lo, i), min(hi, i+1)}, [2]int{max(lo, to), hi})
	}
	return append(out, [2]int{lo, hi})
}

// bounds is the frame before exclusion: [lo, hi) inside the partition.
func (w *windowRun) bounds(i int) (lo, hi int) {
	n := len(w.rows)
	f := &w.c.Frame
	switch f.Start.Kind {
	case plan.UnboundedFollowing:
		lo = n
	case plan.CurrentRow:
		lo = i
		if f.Mode != plan.FrameRows {
			lo = w.groups[w.group[i]]
		}
	case plan.Preceding, plan.Following:
		lo = w.offset(i, &w.c.start, true)
	}
	switch f.End.Kind {
	case plan.UnboundedFollowing:
		hi = n
	case plan.CurrentRow:
		hi = i + 1
		if f.Mode != plan.FrameRows {
			hi = w.groups[w.group[i]+1]
		}
	case plan.Preceding, plan.Following:
		hi = w.offset(i, &w.c.end, false)
	}
	return lo, max(lo, hi)
}

// offset is where a bound with an offset puts the frame's first row (start) or
// the row behind its last one.
func (w *windowRun) offset(i int, b *windowBound, start bool) int {
	k := b.rows
	if b.Kind == plan.Preceding {
		k = -k
	}
	one := 1
	if start {
		one = 0
	}
	switch w.c.Frame.Mode {
	case plan.FrameRows:
		return min(max(i+k+one, 0), len(w.rows))
	case plan.FrameGroups:
		return w.groups[min(max(w.group[i]+k+one, 0), len(w.groups)-1)]
	}
	if i < w.first || i >= w.last {
		return w.groups[w.group[i]+one] // NULLs are peers of NULLs only
	}
	key, at := &w.ch.set.cols[w.c.key], &w.ch.set.cols[b.at]
	desc := w.s.order.keys[w.s.parts].Desc
	r := int(w.rows[i])
	found := w.first + sort.Search(w.last-w.first, func(j int) bool {
		c := vec.Compare(key, int(w.rows[w.first+j]), at, r)
		if desc {
			c = -c
		}
		return c > 0 || start && c == 0
	})
	w.furthest[one] = max(w.furthest[one], found)
	return w.furthest[one]
}
