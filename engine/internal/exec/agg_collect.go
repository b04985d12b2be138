package exec

import (
	"cmp"
	"slices"

	"quern/engine/fn"
	"quern/engine/internal/order"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// collectAgg is an aggregate that needs its values in order: string_agg,
// array_agg. Values go to the worker's store, chained per group; at the end
// each chain is sorted by the aggregate's ORDER BY and the input's order.
// State: first and last reference of the chain, n.
type collectAgg struct {
	kind  fn.AggKind
	args  []types.Type
	order []plan.SortKey // directions only
	index int            // which store of a worker
}

// collectStore holds one worker's values of one aggregate.
type collectStore struct {
	id   uint64
	cols []*vec.Builder // arguments, then sort keys
	seq  []uint64
	next []uint64 // reference of the next value of the chain, 0 at its end
	// vals are cols while results are made: set when nothing is added any more.
	vals []vec.Vector
}

// A reference is the store's id and the value's number + 1; 0 is none.
const refBits = 40

func (s *collectStore) size() int {
	n := 8 * (cap(s.seq) + cap(s.next))
	for _, c := range s.cols {
		n += c.Size()
	}
	return n
}

func (q *query) newCollect(c *plan.AggCall) (aggregator, error) {
	a := &collectAgg{kind: c.Agg.Kind, order: c.Order}
	for _, e := range c.Args {
		a.args = append(a.args, e.Type())
	}
	if c.Distinct && len(c.Order) == 0 {
		// PostgreSQL sorts to find duplicates, and the order shows.
		a.order = []plan.SortKey{{Expr: c.Args[0]}}
	}
	if a.kind == fn.AggArrayAgg && a.args[0].IsArray() {
		return nil, errs.NotSupported("array_agg of arrays")
	}
	return a, nil
}

func (a *collectAgg) newStore(id int) *collectStore {
	s := &collectStore{id: uint64(id)}
	for _, t := range a.args {
		s.cols = append(s.cols, vec.NewBuilder(t, 0))
	}
	for _, k := range a.order {
		s.cols = append(s.cols, vec.NewBuilder(k.Expr.Type(), 0))
	}
	return s
}

func (*collectAgg) words() int { return 3 }

func (a *collectAgg) update(u *aggInput) error {
	s := u.store
	pos := vec.Selection(u.pos)
	for i := range u.args {
		s.cols[i].AppendVector(&u.args[i], pos)
	}
	for i := range u.order {
		s.cols[len(u.args)+i].AppendVector(&u.order[i], pos)
	}
	for i, at := range u.at {
		w := u.rows[int(at)+u.off:]
		s.seq = append(s.seq, u.seq+uint64(u.pos[i]))
		s.next = append(s.next, w[0])
		w[0] = s.id<<refBits | uint64(len(s.next))
		if w[1] == 0 {
			w[1] = w[0]
		}
		w[2]++
	}
	return nil
}

// merge appends the destination's chain to the source's.
func (a *collectAgg) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		if src[2] == 0 {
			continue
		}
		if dst[2] == 0 {
			copy(dst[:3], src[:3])
			continue
		}
		tail := src[1]
		m.stores[tail>>refBits].next[tail&(1<<refBits-1)-1] = dst[0]
		dst[0] = src[0]
		dst[2] += src[2]
	}
	return nil
}

type collected struct {
	s *collectStore
	r int
}

func (a *collectAgg) final(f *aggOutput) error {
	var refs []collected
	bld := vec.NewBuilder(f.out.Type, f.n)
	var buf []byte
	for i := range f.n {
		w := f.state(i, 3)
		if w[2] == 0 {
			bld.Null()
			continue
		}
		refs = refs[:0]
		for ref := w[0]; ref != 0; {
			c := collected{f.stores[ref>>refBits], int(ref&(1<<refBits-1)) - 1}
			refs = append(refs, c)
			ref = c.s.next[c.r]
		}
		slices.SortFunc(refs, a.compare)
		if a.kind == fn.AggArrayAgg {
			arr := types.ArrayBuilder{Elem: a.args[0]}
			for _, c := range refs {
				d := c.s.vals[0].Datum(c.r)
				arr.Append(&d)
			}
			buf = arr.AppendTo(buf[:0])
			bld.AppendBytes(buf)
			continue
		}
		buf = buf[:0]
		for j, c := range refs {
			if j > 0 && len(a.args) > 1 && !c.s.vals[1].Null(c.r) {
				buf = append(buf, c.s.vals[1].BytesAt(c.r)...)
			}
			buf = append(buf, c.s.vals[0].BytesAt(c.r)...)
		}
		bld.AppendBytes(buf)
	}
	*f.out = bld.Finish()
	return nil
}

func (a *collectAgg) compare(x, y collected) int {
	for i := range a.order {
		k := &a.order[i]
		c := order.Compare(&x.s.vals[len(a.args)+i], x.r, &y.s.vals[len(a.args)+i], y.r, k.Desc, k.NullsFirst)
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(x.s.seq[x.r], y.s.seq[y.r])
}
