// Package rowfunc makes the rows of set-returning functions: generate_series,
// unnest, and several functions side by side.
package rowfunc

import (
	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// seriesRowsMax bounds series that are made before the first row is read, 8
// bytes each: all but those of integers.
const seriesRowsMax = 1 << 26

// series is one generate_series being made.
type series struct {
	batches []*vec.Batch
	col     *vec.Builder
	typ     types.Type
	rows    int
}

func (s *series) add(d *types.Datum) error {
	if s.rows++; s.rows > seriesRowsMax {
		return errs.New(errs.ProgramLimit, "generate_series of more than %d rows", seriesRowsMax)
	}
	if s.col == nil {
		s.col = vec.NewBuilder(s.typ, vec.BatchRows)
	}
	s.col.Append(d)
	if s.col.Len() == vec.BatchRows {
		s.flush()
	}
	return nil
}

// all are the rows, of which no more come.
func (s *series) all() plan.SeriesRows {
	s.flush()
	return plan.SeriesRows{Batches: len(s.batches), Batch: func(i int) *vec.Batch { return s.batches[i] }}
}

func (s *series) flush() {
	if s.col != nil {
		v := s.col.Finish()
		s.batches = append(s.batches, &vec.Batch{Cols: []vec.Vector{v}, Len: v.Len})
		s.col = nil
	}
}

// Series makes the rows of generate_series for values of type t.
func Series(t types.Type) plan.SeriesFunc {
	return func(env *fn.Env, args []types.Datum) (plan.SeriesRows, error) {
		for i := range args {
			if args[i].Null {
				return plan.SeriesRows{}, nil
			}
		}
		if t.OID == types.Int4OID || t.OID == types.Int8OID {
			return integers(t, args)
		}
		s := &series{typ: t}
		err := s.stepped(env, args)
		return s.all(), err
	}
}

// Unnest makes one row per element of an array.
func Unnest(elem types.Type) plan.SeriesFunc {
	return func(_ *fn.Env, args []types.Datum) (plan.SeriesRows, error) {
		if args[0].Null {
			return plan.SeriesRows{}, nil
		}
		s := &series{typ: elem}
		a := types.OpenArray(elem, args[0].S)
		for {
			d, ok := a.Next()
			if !ok {
				break
			}
			if err := s.add(&d); err != nil {
				return plan.SeriesRows{}, err
			}
		}
		return s.all(), nil
	}
}

// WithOrdinality numbers the rows in a further column.
func WithOrdinality(gen plan.SeriesFunc) plan.SeriesFunc {
	return func(env *fn.Env, args []types.Datum) (plan.SeriesRows, error) {
		rows, err := gen(env, args)
		batch := rows.Batch
		rows.Batch = func(i int) *vec.Batch {
			b := *batch(i)
			b.Cols = append(b.Cols[:len(b.Cols):len(b.Cols)], counting(types.Int8, int64(i)*vec.BatchRows+1, 1, b.Len))
			return &b
		}
		return rows, err
	}
}

// counting is n integers of type t from v on.
func counting(t types.Type, v, step int64, n int) vec.Vector {
	col := vec.NewBuilder(t, n)
	for range n {
		if t.OID == types.Int4OID {
			vec.AppendFixed(col, int32(v))
		} else {
			vec.AppendFixed(col, v)
		}
		v += step
	}
	return col.Finish()
}

var errZeroStep = errs.New(errs.InvalidParameterValue, "step size cannot equal zero")

// integers computes any batch of a series of integers from its number.
func integers(t types.Type, args []types.Datum) (plan.SeriesRows, error) {
	v, stop, step := args[0].I, args[1].I, int64(1)
	if len(args) == 3 {
		step = args[2].I
	}
	var rows uint64 // less one
	switch {
	case step == 0:
		return plan.SeriesRows{}, errZeroStep
	case step > 0 && v <= stop:
		rows = (uint64(stop) - uint64(v)) / uint64(step)
	case step < 0 && v >= stop:
		rows = (uint64(v) - uint64(stop)) / -uint64(step)
	default:
		return plan.SeriesRows{}, nil
	}
	last := rows / vec.BatchRows
	return plan.SeriesRows{Batches: int(last) + 1, Batch: func(i int) *vec.Batch {
		n := vec.BatchRows
		if uint64(i) == last {
			n = int(rows%vec.BatchRows) + 1
		}
		return &vec.Batch{Len: n, Cols: []vec.Vector{counting(t, v+int64(i)*vec.BatchRows*step, step, n)}}
	}}, nil
}

// stepped adds with the type's own operator: numeric, timestamps.
func (s *series) stepped(env *fn.Env, args []types.Datum) error {
	stepType := s.typ
	if s.typ.OID != types.NumericOID {
		stepType = types.Interval
		if len(args) < 3 {
			return errs.New(errs.UndefinedFunction, "generate_series of timestamps needs a step")
		}
	} else if len(args) == 2 {
		one, err := types.ParseText(types.Numeric, "1", types.DefaultFormat)
		if err != nil {
			return err
		}
		args = append(args[:2:2], one)
	}
	add, err := binaryKernel(env, "+", s.typ, stepType)
	if err != nil {
		return err
	}
	cmp := func(op string, a, b types.Datum) (bool, error) {
		f, err := binaryKernel(env, op, s.typ, s.typ)
		if err != nil {
			return false, err
		}
		d, err := f(a, b)
		return d.I != 0, err
	}
	v := args[0]
	next, err := add(v, args[2])
	if err != nil {
		return err
	}
	up, err := cmp(">", next, v)
	if err != nil {
		return err
	}
	if same, err := cmp("=", next, v); err != nil || same {
		return errZeroStep
	}
	op := ">="
	if up {
		op = "<="
	}
	inside, err := binaryKernel(env, op, s.typ, s.typ)
	if err != nil {
		return err
	}
	for {
		ok, err := inside(v, args[1])
		if err != nil || ok.I == 0 {
			return err
		}
		if err := s.add(&v); err != nil {
			return err
		}
		if v, err = add(v, args[2]); err != nil {
			return err
		}
	}
}

// binaryKernel makes an operator callable on single values.
func binaryKernel(env *fn.Env, op string, l, r types.Type) (func(a, b types.Datum) (types.Datum, error), error) {
	f, _, err := fn.LookupOp(op, l, r)
	if err != nil {
		return nil, err
	}
	ret := f.Result([]types.Type{l, r})
	return func(a, b types.Datum) (types.Datum, error) {
		va, vb := flat(l, &a), flat(r, &b)
		seed := vec.NewBuilder(ret, 1)
		seed.Append(&types.Datum{})
		out := seed.Finish()
		if err := f.Kernel(env, []*vec.Vector{&va, &vb}, nil, 1, &out); err != nil {
			return types.Datum{}, err
		}
		return out.Datum(0), nil
	}, nil
}

func flat(t types.Type, d *types.Datum) vec.Vector {
	b := vec.NewBuilder(t, 1)
	b.Append(d)
	return b.Finish()
}

// Rows are the rows that gen puts.
func Rows(typs []types.Type, gen func(put func(row ...types.Datum) error) error) (plan.SeriesRows, error) {
	bs, err := fn.SetRows(typs, gen)
	return plan.SeriesRows{Batches: len(bs), Batch: func(i int) *vec.Batch { return bs[i] }}, err
}
