package bind

import (
	"quern/engine/fn"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// seriesRowsMax bounds generate_series: its rows are made before the first is
// read, 8 bytes each.
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

func (s *series) flush() {
	if s.col != nil {
		v := s.col.Finish()
		s.batches = append(s.batches, &vec.Batch{Cols: []vec.Vector{v}, Len: v.Len})
		s.col = nil
	}
}

// seriesGen makes the rows of generate_series for values of type t.
func seriesGen(t types.Type) genFunc {
	return func(env *fn.Env, args []types.Datum) ([]*vec.Batch, error) {
		for i := range args {
			if args[i].Null {
				return nil, nil
			}
		}
		s := &series{typ: t}
		var err error
		if t.OID == types.Int4OID || t.OID == types.Int8OID {
			err = s.integers(args)
		} else {
			err = s.stepped(env, args)
		}
		s.flush()
		return s.batches, err
	}
}

// unnestGen makes one row per element of an array.
func unnestGen(elem types.Type) genFunc {
	return func(_ *fn.Env, args []types.Datum) ([]*vec.Batch, error) {
		if args[0].Null {
			return nil, nil
		}
		s := &series{typ: elem}
		a := types.OpenArray(elem, args[0].S)
		for {
			d, ok := a.Next()
			if !ok {
				break
			}
			if err := s.add(&d); err != nil {
				return nil, err
			}
		}
		s.flush()
		return s.batches, nil
	}
}

// withOrdinality numbers the rows in a further column.
func withOrdinality(gen genFunc) genFunc {
	return func(env *fn.Env, args []types.Datum) ([]*vec.Batch, error) {
		batches, err := gen(env, args)
		n := int64(0)
		for _, b := range batches {
			col := vec.NewBuilder(types.Int8, b.Len)
			for range b.Len {
				n++
				col.Append(&types.Datum{I: n})
			}
			b.Cols = append(b.Cols, col.Finish())
		}
		return batches, err
	}
}

// genFunc makes the rows of a set-returning function.
type genFunc = func(env *fn.Env, args []types.Datum) ([]*vec.Batch, error)

var errZeroStep = errs.New(errs.InvalidParameterValue, "step size cannot equal zero")

func (s *series) integers(args []types.Datum) error {
	v, stop, step := args[0].I, args[1].I, int64(1)
	if len(args) == 3 {
		step = args[2].I
	}
	if step == 0 {
		return errZeroStep
	}
	for v <= stop && step > 0 || v >= stop && step < 0 {
		if err := s.add(&types.Datum{I: v}); err != nil {
			return err
		}
		next := v + step
		if next > v != (step > 0) { // overflow ends the series
			return nil
		}
		v = next
	}
	return nil
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
