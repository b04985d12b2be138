package exec

import (
	"cmp"
	"reflect"
	"slices"

	"quern/engine/fn"
	"quern/engine/internal/order"
	"quern/engine/internal/sketch"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// collectAgg is an aggregate that needs its values in order: string_agg,
// array_agg, json_agg, percentiles and their like. Values go to the worker's
// store, chained per group; at the end each chain is sorted by the aggregate's
// ORDER BY and the input's order, and finish makes the result of it.
// State: first and last reference of the chain, n.
type collectAgg struct {
	kind   fn.AggKind
	env    *fn.Env
	typ    types.Type // of the result
	args   []types.Type
	direct int            // the last arguments are direct arguments
	consts []*types.Datum // per argument: its value if it is a direct constant
	order  []plan.SortKey // directions only
	keyCol []int          // the store's column of each order key
	index  int            // which store of a worker
	finish finisher
	sketch func() sketch.Sketch // of aggregates that keep a sketch instead of values
}

// finisher makes an aggregate's result of its sorted values.
type finisher func(a *collectAgg, refs []collected) (types.Datum, error)

// collectStore holds one worker's values of one aggregate.
type collectStore struct {
	id   uint64
	cols []*vec.Builder // arguments (nil: a constant), then sort keys
	seq  []uint64
	next []uint64 // reference of the next value of the chain, 0 at its end
	// vals are cols while results are made: set when nothing is added any more.
	vals []vec.Vector
	// sketches of groups, for aggregates that do not keep values.
	sketches   []sketch.Sketch
	sketchSize int
}

// A reference is the store's id and the value's number + 1; 0 is none.
const refBits = 40

func (s *collectStore) size() int {
	n := 8*(cap(s.seq)+cap(s.next)) + 16*cap(s.sketches) + s.sketchSize
	for _, c := range s.cols {
		if c != nil {
			n += c.Size()
		}
	}
	return n
}

// seal makes vals.
func (s *collectStore) seal() {
	s.vals = s.vals[:0]
	for _, c := range s.cols {
		var v vec.Vector
		if c != nil {
			v = c.Peek()
		}
		s.vals = append(s.vals, v)
	}
}

// reset empties the store: its feed goes on with it.
func (s *collectStore) reset() {
	for i, c := range s.cols {
		if c != nil {
			s.cols[i] = vec.NewBuilder(c.Type(), 0)
		}
	}
	s.seq, s.next, s.sketches, s.sketchSize = nil, nil, nil, 0
}

func (q *query) newCollect(c *plan.AggCall) (aggregator, error) {
	a := &collectAgg{kind: c.Agg.Kind, env: q.env, typ: c.Typ, direct: c.Agg.DirectOf(len(c.Args)), order: c.Order}
	for _, e := range c.Args {
		a.args = append(a.args, e.Type())
	}
	if c.Distinct {
		// PostgreSQL sorts by all arguments to find duplicates, and the order shows.
		a.order = a.order[:len(a.order):len(a.order)]
		for _, e := range c.Args {
			a.order = append(a.order, plan.SortKey{Expr: e})
		}
	}
	a.consts = make([]*types.Datum, len(a.args))
	for i, k := range a.order {
		col := slices.IndexFunc(c.Args[:len(c.Args)-a.direct], func(e plan.Expr) bool { return reflect.DeepEqual(e, k.Expr) })
		if col < 0 {
			col = len(a.args) + i
		}
		a.keyCol = append(a.keyCol, col)
	}
	if a.sketch = sketches[c.Agg.Kind]; a.sketch != nil {
		return a, nil
	}
	a.finish = finishers[c.Agg.Kind]
	if a.kind == fn.AggArrayAgg && a.args[0].IsArray() {
		a.finish = finishArrays
	}
	if a.finish == nil {
		return nil, errs.NotSupported("aggregate " + c.Agg.Name)
	}
	return a, nil
}

// setConstants notes the direct arguments that are constants, which need no room.
func (a *collectAgg) setConstants(args []*compiled) {
	for i := len(a.args) - a.direct; i < len(a.args); i++ {
		if l, ok := args[i].e.(*plan.Lit); ok {
			a.consts[i] = &l.Val
		}
	}
}

func (a *collectAgg) newStore(id int) *collectStore {
	s := &collectStore{id: uint64(id), cols: make([]*vec.Builder, len(a.args)+len(a.order))}
	if a.sketch != nil {
		return s
	}
	for i, t := range a.args {
		if a.consts[i] == nil {
			s.cols[i] = vec.NewBuilder(t, 0)
		}
	}
	for i, k := range a.order {
		if a.keyCol[i] >= len(a.args) {
			s.cols[a.keyCol[i]] = vec.NewBuilder(k.Expr.Type(), 0)
		}
	}
	return s
}

func (*collectAgg) words() int { return 3 }

func (a *collectAgg) update(u *aggInput) error {
	if a.sketch != nil {
		return a.updateSketch(u)
	}
	s := u.store
	pos := vec.Selection(u.pos)
	for i := range u.args {
		if s.cols[i] != nil {
			s.cols[i].AppendVector(&u.args[i], pos)
		}
	}
	for i := range u.order {
		if a.keyCol[i] >= len(a.args) {
			s.cols[a.keyCol[i]].AppendVector(&u.order[i], pos)
		}
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
		if a.sketch != nil {
			m.sketch(dst[0]).Merge(m.sketch(src[0]))
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

func (c collected) null(col int) bool         { return c.s.vals[col].Null(c.r) }
func (c collected) datum(col int) types.Datum { return c.s.vals[col].Datum(c.r) }

func (a *collectAgg) final(f *aggOutput) error {
	if a.sketch != nil {
		return a.finalSketch(f)
	}
	var refs []collected
	bld := vec.NewBuilder(f.out.Type, f.n)
	for i := range f.n {
		w := f.state(i, 3)
		refs = refs[:0]
		for ref := w[0]; ref != 0; {
			c := collected{f.stores[ref>>refBits], int(ref&(1<<refBits-1)) - 1}
			refs = append(refs, c)
			ref = c.s.next[c.r]
		}
		if len(refs) == 0 && a.direct == 0 && !a.hypothetical() {
			bld.Null()
			continue
		}
		slices.SortFunc(refs, a.compare)
		d, err := a.finish(a, refs)
		if err != nil {
			return err
		}
		bld.Append(&d)
	}
	*f.out = bld.Finish()
	return nil
}

func (a *collectAgg) compare(x, y collected) int {
	for i, col := range a.keyCol {
		k := &a.order[i]
		if c := order.Compare(&x.s.vals[col], x.r, &y.s.vals[col], y.r, k.Desc, k.NullsFirst); c != 0 {
			return c
		}
	}
	return cmp.Compare(x.s.seq[x.r], y.s.seq[y.r])
}

// finishers by kind.
var finishers = map[fn.AggKind]finisher{
	fn.AggStringAgg: finishString, fn.AggArrayAgg: finishArray,
	fn.AggJSONAgg: finishJSON, fn.AggJSONObjectAgg: finishObject,
	fn.AggPercentileCont: finishPercentile, fn.AggPercentileDisc: finishPercentile, fn.AggMode: finishMode,
	fn.AggHypoRank: finishHypothetical, fn.AggHypoDenseRank: finishHypothetical,
	fn.AggHypoPercentRank: finishHypothetical, fn.AggHypoCumeDist: finishHypothetical,
}

func finishString(a *collectAgg, refs []collected) (types.Datum, error) {
	var buf []byte
	for j, c := range refs {
		if j > 0 && len(a.args) > 1 && !c.null(1) {
			buf = append(buf, c.s.vals[1].BytesAt(c.r)...)
		}
		buf = append(buf, c.s.vals[0].BytesAt(c.r)...)
	}
	return types.Datum{S: string(buf)}, nil
}

func finishArray(a *collectAgg, refs []collected) (types.Datum, error) {
	arr := types.ArrayBuilder{Elem: a.args[0]}
	for _, c := range refs {
		d := c.datum(0)
		arr.Append(&d)
	}
	return types.Datum{S: string(arr.AppendTo(nil))}, nil
}

// finishArrays is array_agg of arrays, which must have equal dimensions.
func finishArrays(a *collectAgg, refs []collected) (types.Datum, error) {
	elem := a.args[0].Elem()
	arr := types.ArrayBuilder{Elem: elem}
	dims := []types.Dim{{Len: len(refs), Lower: 1}}
	for j, c := range refs {
		if c.null(0) {
			return types.NullDatum, errs.New("22004", "cannot accumulate null arrays")
		}
		x := types.OpenArray(elem, c.s.vals[0].BytesAt(c.r))
		switch {
		case len(x.Dims) == 0:
			return types.NullDatum, errs.New("2202E", "cannot accumulate empty arrays")
		case j == 0:
			dims = append(dims, x.Dims...)
		case !slices.Equal(x.Dims, dims[1:]):
			return types.NullDatum, errs.New("2202E", "cannot accumulate arrays of different dimensionality")
		}
		for {
			d, ok := x.Next()
			if !ok {
				break
			}
			arr.Append(&d)
		}
	}
	return types.Datum{S: string(arr.AppendShape(nil, dims))}, nil
}
