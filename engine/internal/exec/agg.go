package exec

import (
	"quern/engine/fn"
	"quern/engine/internal/hash"
	"quern/engine/internal/kernel"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// aggregator knows the state words of one aggregate. It is shared by workers:
// everything that changes comes in with the call.
type aggregator interface {
	// words is the size of the state; all zero means "nothing seen".
	words() int
	// update adds input values, none of them NULL in the first argument.
	update(u *aggInput) error
	// merge adds states: row i of src begins at i·stride, its state at off.
	merge(m *aggMerge) error
	// final computes the results of n rows into out, made by s.Flat.
	final(f *aggOutput) error
}

// aggInput are values to add to groups.
type aggInput struct {
	rows  []uint64
	at    []uint32 // per value: where its group's row begins
	off   int
	pos   []uint16     // per value: its row in args
	args  []vec.Vector // Flat
	order []vec.Vector // ORDER BY inside the aggregate, any form
	one   bool         // all at are 0
	dense bool         // pos lists every row of args from 0 on
	arena *hash.Arena
	store *collectStore
	seq   uint64 // of row 0 of the batch
}

// values gives pos, or nil where it lists all rows in order.
func (u *aggInput) values() []uint16 {
	if u.dense {
		return nil
	}
	return u.pos
}

// aggMerge are states to add to groups.
type aggMerge struct {
	rows   []uint64
	at     []uint32
	off    int
	src    []uint64
	stride int
	arena  *hash.Arena // for strings that must be copied; states' own are shared
	stores []*collectStore
}

// aggOutput are states to turn into results.
type aggOutput struct {
	rows   []uint64
	stride int
	off    int
	n      int
	out    *vec.Vector
	s      *vec.Scratch
	chunks [][]byte
	stores []*collectStore
}

func (f *aggOutput) state(i, words int) []uint64 {
	o := i*f.stride + f.off
	return f.rows[o : o+words : o+words]
}

// null marks result i NULL.
func (f *aggOutput) null(i int) {
	if f.out.Valid == nil {
		f.out.Valid = f.s.Valid(f.n)
	}
	f.out.Valid[i>>6] &^= 1 << (i & 63)
	if size := f.out.Type.Phys().Size(); size > 0 {
		clear(f.out.Fixed[i*size : (i+1)*size])
	} else {
		f.out.Views[i] = vec.View{}
	}
}

// newAggregator picks the state for a call.
func (q *query) newAggregator(c *plan.AggCall) (aggregator, error) {
	var arg types.Type
	if len(c.Args) > 0 {
		arg = c.Args[0].Type()
	}
	no := errs.NotSupported(c.Agg.Name + "(" + arg.String() + ")")
	switch c.Agg.Kind {
	case fn.AggCountStar, fn.AggCount:
		return countAgg{}, nil
	case fn.AggSum, fn.AggAvg:
		if a := newSum(c.Agg.Kind == fn.AggAvg, arg, c.Typ); a != nil {
			return a, nil
		}
		return nil, no
	case fn.AggMin, fn.AggMax, fn.AggAnyValue:
		return newExtreme(c.Agg.Kind, arg), nil
	case fn.AggBoolAnd:
		return newExtreme(fn.AggMin, types.Bool), nil
	case fn.AggBoolOr:
		return newExtreme(fn.AggMax, types.Bool), nil
	case fn.AggBitAnd, fn.AggBitOr, fn.AggBitXor:
		if plan.IsInt(arg) {
			return bitAgg{c.Agg.Kind, arg}, nil
		}
		return nil, no
	case fn.AggStddevSamp, fn.AggStddevPop, fn.AggVarSamp, fn.AggVarPop:
		if a := newVar(c.Agg.Kind, arg); a != nil {
			return a, nil
		}
		return nil, no
	case fn.AggCovarPop, fn.AggCovarSamp, fn.AggCorr, fn.AggRegrCount, fn.AggRegrAvgX, fn.AggRegrAvgY, fn.AggRegrSxx,
		fn.AggRegrSyy, fn.AggRegrSxy, fn.AggRegrSlope, fn.AggRegrIntercept, fn.AggRegrR2:
		return regrAgg{c.Agg.Kind}, nil
	}
	return q.newCollect(c)
}

type countAgg struct{}

func (countAgg) words() int { return 1 }

func (countAgg) update(u *aggInput) error {
	if u.one {
		if len(u.at) > 0 {
			u.rows[int(u.at[0])+u.off] += uint64(len(u.at))
		}
		return nil
	}
	kernel.Count(u.rows, u.at, u.off)
	return nil
}

func (countAgg) merge(m *aggMerge) error {
	for i, a := range m.at {
		m.rows[int(a)+m.off] += m.src[i*m.stride+m.off]
	}
	return nil
}

func (countAgg) final(f *aggOutput) error {
	out := vec.Values[int64](f.out)
	for i := range f.n {
		out[i] = int64(f.rows[i*f.stride+f.off])
	}
	return nil
}

// bitAgg is bit_and, bit_or, bit_xor. State: value, n.
type bitAgg struct {
	kind fn.AggKind
	typ  types.Type
}

func (bitAgg) words() int { return 2 }

func (a bitAgg) update(u *aggInput) error {
	v := &u.args[0]
	switch a.typ.Phys() {
	case types.PhysI16:
		bitUpdate(a.kind, u, vec.Values[int16](v))
	case types.PhysI32:
		bitUpdate(a.kind, u, vec.Values[int32](v))
	default:
		bitUpdate(a.kind, u, vec.Values[int64](v))
	}
	return nil
}

func bitUpdate[T kernel.Int](kind fn.AggKind, u *aggInput, vals []T) {
	switch kind {
	case fn.AggBitAnd:
		kernel.BitAnd(u.rows, u.at, u.off, vals, u.pos)
	case fn.AggBitOr:
		kernel.BitOr(u.rows, u.at, u.off, vals, u.pos)
	default:
		kernel.BitXor(u.rows, u.at, u.off, vals, u.pos)
	}
}

func (a bitAgg) merge(m *aggMerge) error {
	for i, at := range m.at {
		src := m.src[i*m.stride+m.off:]
		dst := m.rows[int(at)+m.off:]
		switch {
		case src[1] == 0:
			continue
		case dst[1] == 0:
			dst[0] = src[0]
		case a.kind == fn.AggBitAnd:
			dst[0] &= src[0]
		case a.kind == fn.AggBitOr:
			dst[0] |= src[0]
		default:
			dst[0] ^= src[0]
		}
		dst[1] += src[1]
	}
	return nil
}

func (a bitAgg) final(f *aggOutput) error { return finalWord(f) }

// finalWord outputs a state of {value, n} as an integer-like or float value.
func finalWord(f *aggOutput) error {
	for i := range f.n {
		w := f.state(i, 2)
		if w[1] == 0 {
			f.null(i)
			continue
		}
		putWord(f.out, i, w[0])
	}
	return nil
}
