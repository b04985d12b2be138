package exec

import (
	"quern/engine/internal/order"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// pushBound gives the bound of a top-N, whose key is column col of s, to the scan
// or the aggregation below that the column comes from. On the way rows may only
// be left out where nothing can raise for them: whether a bound is known when a
// row comes depends on the workers.
func pushBound(s stage, col int, b *order.Bound) {
	switch s := s.(type) {
	case *countStage:
		pushBound(s.in, col, b)
	case *filterStage:
		if !plan.MayRaise(s.pred.e) {
			pushBound(s.stage, col, b)
		}
	case *projectStage:
		for _, e := range s.exprs {
			if plan.MayRaise(e.e) {
				return
			}
		}
		if c := s.exprs[col].col; c >= 0 {
			pushBound(s.stage, c, b)
		}
	case *scanStage:
		if s.rest == nil || !plan.MayRaise(s.rest.e) {
			s.bound, s.boundCol = b, col
		}
	case *aggStage:
		if col < len(s.keys) {
			return
		}
		for _, c := range s.calls {
			if !surelyFinal(c) {
				return
			}
		}
		s.groups.bound, s.groups.boundCall = b, col-len(s.keys)
	}
}

// surelyFinal tells whether the result of a call cannot raise.
func surelyFinal(c *aggCall) bool {
	switch a := c.agg.(type) {
	case countAgg, intSum, bigSum, wordExtreme, wideExtreme, bitAgg:
		return true
	case floatSum:
		return a.ret.Phys() == types.PhysF64
	}
	return false
}

// passOver tells whether no row of a batch (−1 = of the morsel) is within the
// bound, as far as the reader knows.
func (r *scanRunner) passOver(rd storage.GroupReader, morsel, batch int) bool {
	if !r.s.bound.Has() {
		return false
	}
	z, ok := rd.(storage.BoundedReader)
	if !ok {
		return false
	}
	lo, hi, nulls, ok := z.Bounds(r.s.boundCol, batch)
	return ok && r.s.bound.Outside(morsel, lo, hi, nulls)
}

// withinBound drops rows that lie behind the bound.
func (r *scanRunner) withinBound(rd storage.GroupReader, morsel int) error {
	if !r.s.bound.Has() {
		return nil
	}
	b := &r.out
	r.one[0] = r.s.boundCol
	if err := r.load(rd, r.one[:]); err != nil {
		return err
	}
	r.bound.B = r.s.bound
	b.Sel = r.bound.Select(morsel, &b.Cols[r.s.boundCol], b.Sel, b.Rows())
	return nil
}

// withinBound gives those of n groups that are within the bound of a top-N, at
// the front of rows of its own, and moves codes (nil = none) along.
func (r *groupRunner) withinBound(morsel int, rows []uint64, n int, codes []uint32) ([]uint64, int, error) {
	g := r.g
	if !g.bound.Has() {
		return rows, n, nil
	}
	c := g.calls[g.boundCall]
	var v vec.Vector
	r.boundCol.Flat(&v, c.typ, n)
	f := aggOutput{rows: rows, stride: g.stride, off: c.off, n: n, out: &v, s: &r.boundCol, chunks: g.arenas.Chunks(), stores: g.stores}
	if err := c.agg.final(&f); err != nil {
		return nil, 0, err
	}
	r.bound.B = g.bound
	sel := r.bound.Select(morsel, &v, nil, n)
	if len(sel) == n {
		return rows, n, nil
	}
	if cap(r.kept) < len(sel)*g.stride {
		r.kept = make([]uint64, len(sel)*g.stride)
	}
	for i, x := range sel {
		copy(r.kept[i*g.stride:(i+1)*g.stride], rows[int(x)*g.stride:])
		if codes != nil {
			codes[i] = codes[x]
		}
	}
	return r.kept[:len(sel)*g.stride], len(sel), nil
}
