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
		return Rows([]types.Type{t}, func(put func(...types.Datum) error) error { return stepped(env, t, args, put) })
	}
}

// Unnest makes one row per element of an array.
func Unnest(elem types.Type) plan.SeriesFunc {
	return func(_ *fn.Env, args []types.Datum) (plan.SeriesRows, error) {
		if args[0].Null {
			return plan.SeriesRows{}, nil
		}
		return Rows([]types.Type{elem}, func(put func(...types.Datum) error) error {
			a := types.OpenArray(elem, args[0].S)
			for {
				d, ok := a.Next()
				if !ok {
					return nil
				}
				if err := put(d); err != nil {
					return err
				}
			}
		})
	}
}

// WithOrdinality numbers the rows in a further column of type t, int8 or int4.
func WithOrdinality(gen plan.SeriesFunc, t types.Type) plan.SeriesFunc {
	return func(env *fn.Env, args []types.Datum) (plan.SeriesRows, error) {
		rows, err := gen(env, args)
		numbered := func(b *vec.Batch, first int64) *vec.Batch {
			c := *b
			c.Cols = append(b.Cols[:len(b.Cols):len(b.Cols)], counting(t, first, 1, b.Len))
			return &c
		}
		if batch := rows.Batch; batch != nil {
			rows.Batch = func(i int) *vec.Batch { return numbered(batch(i), int64(i)*vec.BatchRows+1) }
		}
		if each := rows.Each; each != nil {
			rows.Each = func(emit func(*vec.Batch) error) error {
				next := int64(1)
				return each(func(b *vec.Batch) error {
					first := next
					next += int64(b.Len)
					return emit(numbered(b, first))
				})
			}
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
func stepped(env *fn.Env, t types.Type, args []types.Datum, put func(...types.Datum) error) error {
	stepType := t
	if t.OID != types.NumericOID {
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
	add, err := binaryKernel(env, "+", t, stepType)
	if err != nil {
		return err
	}
	cmp := func(op string, a, b types.Datum) (bool, error) {
		f, err := binaryKernel(env, op, t, t)
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
	inside, err := binaryKernel(env, op, t, t)
	if err != nil {
		return err
	}
	for {
		ok, err := inside(v, args[1])
		if err != nil || ok.I == 0 {
			return err
		}
		if err := put(v); err != nil {
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
	return plan.SeriesRows{Each: func(emit func(*vec.Batch) error) error { return eachBatch(typs, gen, emit) }}, nil
}

// setBytes is the text from which a batch of rows of a function is full.
const setBytes = 1 << 20

// eachBatch hands the rows that gen puts to emit, a batch at a time.
func eachBatch(typs []types.Type, gen func(put func(row ...types.Datum) error) error, emit func(b *vec.Batch) error) error {
	cols := make([]*vec.Builder, len(typs))
	for i, t := range typs {
		cols[i] = vec.NewBuilder(t, 0)
	}
	rows, bytes := 0, 0
	flush := func() error {
		if rows == 0 {
			return nil
		}
		b := &vec.Batch{Len: rows}
		for i, c := range cols {
			b.Cols = append(b.Cols, c.Finish())
			cols[i] = vec.NewBuilder(typs[i], 0)
		}
		rows, bytes = 0, 0
		return emit(b)
	}
	err := gen(func(row ...types.Datum) error {
		for i := range row {
			cols[i].Append(&row[i])
			bytes += len(row[i].S)
		}
		if rows++; rows < vec.BatchRows && bytes < setBytes {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	return flush()
}

// IsSet tells whether name is a set-returning function.
func IsSet(name string) bool {
	return name == "generate_series" || name == "unnest" || name == "_pg_expandarray" || fn.IsSet(name)
}
