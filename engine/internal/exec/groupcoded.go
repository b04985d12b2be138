package exec

import (
	"context"

	"quern/engine/internal/hash"
	"quern/engine/internal/sched"
	"quern/storage/vec"
)

// codedGroups are groups whose workers met one dictionary only: their groups by
// code are the result as they are. Workers' states of a code are merged without
// a look at any string, and the keys come out as codes again, so that what is
// above can go on with them and only rows of the result need their strings.
type codedGroups struct {
	workers []*groupWorker
	dict    *vec.Dictionary
}

// codedMorsel is how many codes a morsel has.
const codedMorsel = 64 << 10

// keepCodes makes g coded if its workers hold groups of one dictionary and
// nothing else.
func (g *groups) keepCodes() bool {
	c := &codedGroups{}
	for _, w := range g.workers {
		switch {
		case w == nil:
			continue
		case w.err != nil || w.parts != nil || w.table.Len() > 0 || g.spilled != nil:
			return false
		case w.code.Codes == nil || w.code.Dict == nil:
			continue
		case c.dict == nil:
			c.dict = w.code.Dict
		case c.dict.ID != w.code.Dict.ID:
			return false
		}
		c.workers = append(c.workers, w)
	}
	if c.dict == nil {
		return false
	}
	g.coded = c
	return true
}

func (c *codedGroups) morsels() int { return (c.dict.Values.Len + codedMorsel - 1) / codedMorsel }

// codedRun emits the groups of codes, morsel by morsel.
type codedRun struct {
	rows, other []uint64 // groups of a batch; states to add to them
	at          []uint32
	nOther      int
	codes       []uint32
	valid       []uint64
	n           int
}

func (r *groupRunner) runCoded(ctx context.Context, m int, emit sched.Emit) error {
	g, c := r.g, &r.code
	lo := m * codedMorsel
	hi := min(lo+codedMorsel, g.coded.dict.Values.Len)
	if c.rows == nil {
		c.rows, c.other = make([]uint64, vec.BatchRows*g.stride), make([]uint64, vec.BatchRows*g.stride)
		c.at, c.codes = make([]uint32, vec.BatchRows), make([]uint32, vec.BatchRows)
	}
	c.valid = nil
	if m == 0 {
		if err := r.addCoded(ctx, 0, func(w *groupWorker) int { return w.code.Null }, emit); err != nil {
			return err
		}
		if c.n > 0 { // the group of NULL comes alone
			c.valid = make([]uint64, 1)
			if err := r.flushCoded(ctx, emit); err != nil {
				return err
			}
			c.valid = nil
		}
	}
	for from := lo; from < hi; from += hash.CodePage {
		used := false
		for _, w := range g.coded.workers {
			used = used || w.code.Met(from)
		}
		for code := from; used && code < min(from+hash.CodePage, hi); code++ {
			place := func(w *groupWorker) int { return w.code.Row(code) }
			if err := r.addCoded(ctx, uint32(code), place, emit); err != nil {
				return err
			}
		}
	}
	return r.flushCoded(ctx, emit)
}

// addCoded takes the group of a code in; place gives its row in a worker, −1 if
// it has none.
func (r *groupRunner) addCoded(ctx context.Context, code uint32, place func(*groupWorker) int, emit sched.Emit) error {
	c, stride, keys := &r.code, r.g.stride, r.g.keys.Words
	if c.n == vec.BatchRows || c.nOther+len(r.g.coded.workers) > vec.BatchRows {
		if err := r.flushCoded(ctx, emit); err != nil {
			return err
		}
	}
	first := true
	for _, w := range r.g.coded.workers {
		row := place(w)
		switch {
		case row < 0:
		case first:
			first = false
			w.code.States(c.rows[c.n*stride+keys:], row)
		default:
			w.code.States(c.other[c.nOther*stride+keys:], row)
			c.at[c.nOther] = uint32(c.n * stride)
			c.nOther++
		}
	}
	if !first {
		c.codes[c.n] = code
		c.n++
	}
	return nil
}

// flushCoded emits the groups taken in.
func (r *groupRunner) flushCoded(ctx context.Context, emit sched.Emit) error {
	c, g := &r.code, r.g
	if c.n == 0 {
		return nil
	}
	if err := sched.CheckCancel(ctx); err != nil {
		return err
	}
	m := aggMerge{rows: c.rows, at: c.at[:c.nOther], src: c.other, stride: g.stride, arena: r.arena, stores: g.stores}
	for _, call := range g.calls {
		if call.shares != nil {
			continue
		}
		m.off = call.off
		if err := call.agg.merge(&m); err != nil {
			return err
		}
	}
	n := c.n
	c.n, c.nOther = 0, 0
	rows, n, err := r.withinBound(r.morsel, c.rows[:n*g.stride], n, c.codes)
	if err != nil || n == 0 {
		return err
	}
	typ := g.coded.workers[0].code.Typ
	r.out.Cols[0] = vec.Vector{Type: typ, Form: vec.Dict, Len: n, Dict: g.coded.dict, Fixed: vec.BytesOf(c.codes[:n]), Valid: c.valid}
	return r.emitStates(rows, n, emit)
}
