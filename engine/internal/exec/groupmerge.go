package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/internal/spill"
	"quern/storage/errs"
	"quern/storage/vec"
)

// mergeSpilled merges the runs of a partition and emits its groups, in as many
// passes as memory asks for.
func (r *groupRunner) mergeSpilled(ctx context.Context, part int, emit sched.Emit) error {
	runs := r.g.spilled.runs[part]
	if len(runs) == 0 {
		return nil
	}
	for passes, done := 1, 0; done < passes; {
		if f := r.g.q.onPass; f != nil {
			f(passes)
		}
		err := r.mergePass(ctx, runs, done, passes)
		switch {
		case err == nil:
			if err := r.emit(ctx, r.w.table, emit); err != nil {
				return err
			}
			done++
		case errs.CodeOf(err) != errs.OutOfMemory || passes == passesMax:
			return err
		default:
			// Pass k of n becomes passes 4k to 4k+3 of 4n.
			passes, done = 4*passes, 4*done
		}
	}
	return nil
}

// partBits are the bits of a hash that partitions use.
const partBits = 8

// mergePass fills the runner's table with the groups of one pass: those whose
// next bits of the hash say so.
func (r *groupRunner) mergePass(ctx context.Context, runs []*groupRun, pass, passes int) error {
	g, w := r.g, r.w
	w.table.Reset()
	w.arena.Reset()
	for i := range w.table.Stored() {
		w.table.Stored()[i].Reset()
	}
	if passes > 1 {
		w.acct.Shrink(0)
	}
	for _, c := range g.spilled.calls {
		id := w.id*g.nstores + c.collect.index
		g.stores[id] = c.collect.newStore(id)
	}
	for _, run := range runs {
		in := groupReader{s: g.spilled, w: w, rows: run.rows.NewReader(0)}
		for _, v := range run.vals {
			in.vals = append(in.vals, valueReader{rd: v.NewReader(0)})
		}
		for {
			if err := sched.CheckCancel(ctx); err != nil {
				return err
			}
			rows, n, err := in.next(pass, passes)
			if err != nil {
				return err
			}
			if rows == nil {
				break
			}
			if err := g.mergeRows(w, r.at, rows, n); err != nil {
				return err
			}
			size := w.table.Size() + w.arena.Size()
			for _, c := range g.spilled.calls {
				size += g.store(w.id, c).size()
			}
			if err := w.acct.Set(int64(size)); err != nil {
				return err
			}
		}
	}
	for _, c := range g.spilled.calls {
		g.store(w.id, c).seal()
	}
	return nil
}

// groupReader reads a run back into rows of words.
type groupReader struct {
	s    *groupSpill
	w    *groupWorker
	rows *spill.Reader
	vals []valueReader
	b    vec.Batch
	buf  []uint64
	to   []int32 // per row of the block: its place in buf, -1 = another pass
	base int     // rows of the blocks before
}

// valueReader reads values in the order of their rows.
type valueReader struct {
	rd   *spill.Reader
	b    vec.Batch
	i, n int
}

// next gives the rows of a pass in the next block, nil at the end.
func (in *groupReader) next(pass, passes int) (rows []uint64, n int, err error) {
	s, stride := in.s, in.s.g.stride
	k, err := in.rows.Next(&in.b)
	if err != nil || k == 0 {
		return nil, 0, err
	}
	if cap(in.to) < k {
		in.to, in.buf = make([]int32, k), make([]uint64, k*stride)
	}
	in.to = in.to[:k]
	hashes := vec.Values[uint64](&in.b.Cols[0])
	for i, h := range hashes[:k] {
		in.to[i] = -1
		if int(h<<partBits>>32*uint64(passes)>>32) == pass {
			in.to[i] = int32(n)
			n++
		}
	}
	rows = in.buf[:n*stride]
	for c, off := range s.plain {
		for i, x := range vec.Values[uint64](&in.b.Cols[c])[:k] {
			if to := in.to[i]; to >= 0 {
				rows[int(to)*stride+off] = x
			}
		}
	}
	for c, off := range s.strs {
		v := &in.b.Cols[len(s.plain)+c]
		for i, to := range in.to {
			if to >= 0 {
				o := int(to)*stride + off
				rows[o], rows[o+1] = in.w.arena.Put(v.Views[i].Bytes(v.Bufs))
			}
		}
	}
	for c := range s.calls {
		if err := in.take(c, rows, in.base+k); err != nil {
			return nil, 0, err
		}
	}
	in.base += k
	return rows, n, nil
}

// take puts the values of call c that belong to rows before end into the
// worker's store and chains them.
func (in *groupReader) take(c int, rows []uint64, end int) error {
	call, v := in.s.calls[c], &in.vals[c]
	st := in.s.g.store(in.w.id, call)
	for _, to := range in.to {
		if to >= 0 {
			o := int(to)*in.s.g.stride + call.off
			rows[o], rows[o+1] = 0, 0
		}
	}
	for {
		if v.i == v.n {
			n, err := v.rd.Next(&v.b)
			if err != nil {
				return err
			}
			if v.i, v.n = 0, n; n == 0 {
				return nil
			}
		}
		row, seq := vec.Values[int64](&v.b.Cols[0]), vec.Values[int64](&v.b.Cols[1])
		sel := vec.Selection{}
		for ; v.i < v.n && int(row[v.i]) < end; v.i++ {
			to := in.to[int(row[v.i])-in.base]
			if to < 0 {
				continue
			}
			w := rows[int(to)*in.s.g.stride+call.off:]
			if call.collect.sketch != nil {
				k := call.collect.sketch()
				if err := k.Load(v.b.Cols[2].BytesAt(v.i)); err != nil {
					return err
				}
				st.sketches = append(st.sketches, k)
				st.sketchSize += k.Size()
				w[0] = st.id<<refBits | uint64(len(st.sketches))
				w[1] = w[0]
				continue
			}
			sel = append(sel, uint16(v.i))
			st.seq = append(st.seq, uint64(seq[v.i]))
			st.next = append(st.next, w[0])
			w[0] = st.id<<refBits | uint64(len(st.next))
			if w[1] == 0 {
				w[1] = w[0]
			}
		}
		at := 2
		for _, b := range st.cols {
			if b != nil {
				b.AppendVector(&v.b.Cols[at], sel)
				at++
			}
		}
		if v.i < v.n {
			return nil
		}
	}
}
