// Package rowplan makes functions of correlated subqueries: plans that run for
// the values of one row around them.
//
//	With ─► context of building: Outer values are constants there
//	Func ─► what a plan.SubPlan is for the expressions that it stands in
//
// It knows no operators: a Runner runs a plan.
package rowplan

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"quern/engine/fn"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// outerKey finds the values of the rows around in the context of building.
type outerKey struct{}

// OfBuild implements BuildKey.
func (outerKey) OfBuild() {}

// BuildKey is a key of contexts whose values belong to the place where a stage
// is built and not to the run that asks for its rows.
type BuildKey interface{ OfBuild() }

// outerRow are the values of one row around.
type outerRow struct {
	ids  []int
	vals []types.Datum
	up   *outerRow
}

func outerOf(ctx context.Context) *outerRow {
	r, _ := ctx.Value(outerKey{}).(*outerRow)
	return r
}

// With is ctx for building what runs for vals, which stand for the Outer
// expressions with ids.
func With(ctx context.Context, ids []int, vals []types.Datum) context.Context {
	return context.WithValue(ctx, outerKey{}, &outerRow{ids, vals, outerOf(ctx)})
}

// Value is the constant that e stands for under ctx.
func Value(ctx context.Context, e *plan.Outer) (plan.Expr, error) {
	for r := outerOf(ctx); r != nil; r = r.up {
		for i, id := range r.ids {
			if id == e.ID {
				return &plan.Lit{Val: r.vals[i], Typ: e.Typ}, nil
			}
		}
	}
	return nil, errs.New(errs.Internal, "no value for outer column #%d", e.ID)
}

// Under is run with built's values of BuildKeys: what is built while a query
// runs sees what its surroundings were built with.
func Under(run, built context.Context) context.Context { return under{run, built} }

type under struct {
	context.Context                 //nolint:containedctx // it is one
	built           context.Context //nolint:containedctx // for Value only
}

func (c under) Value(key any) any {
	if _, ok := key.(BuildKey); ok {
		return c.built.Value(key)
	}
	return c.Context.Value(key)
}

// Runner emits the rows of a plan for vals until emit fails, with that error.
type Runner func(ctx context.Context, vals []types.Datum, emit sched.Emit) error

// Func is the call that e is: of a function that runs e's plan for the rows that
// need it, once for equal values unless e is volatile.
func Func(e *plan.SubPlan, run Runner) *plan.Call {
	f := &subFunc{e: e, run: run}
	vol := fn.Stable
	if e.Volatile {
		vol = fn.Volatile
	}
	return &plan.Call{Args: e.Args, Typ: e.Typ,
		Fn: &fn.Func{Name: "subplan", Ret: e.Typ.OID, NotStrict: true, CanRaise: true, Vol: vol, Kernel: f.kernel}}
}

// subFunc is shared by workers.
type subFunc struct {
	e   *plan.SubPlan
	run Runner

	mu    sync.Mutex // guards what follows
	known map[string]types.Datum
	size  int
}

// knownBytesMax bounds the results that one subquery keeps: they are in no
// query's account.
const knownBytesMax = 4 << 20

func (f *subFunc) kernel(env *fn.Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	b := vec.NewBuilder(f.e.Typ, n)
	vals := make([]types.Datum, len(args))
	rows := n
	if sel != nil {
		rows = len(sel)
	}
	for k := range rows {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		for b.Len() < i {
			b.Null()
		}
		for k := range args {
			vals[k] = args[k].Datum(i)
		}
		d, err := f.value(env.Ctx, vals)
		if err != nil {
			return err
		}
		b.Append(&d)
	}
	for b.Len() < n {
		b.Null()
	}
	*out = b.Finish()
	return nil
}

func (f *subFunc) value(ctx context.Context, vals []types.Datum) (types.Datum, error) {
	if f.e.Volatile {
		return f.compute(ctx, vals)
	}
	key := valuesKey(vals)
	f.mu.Lock()
	d, ok := f.known[key]
	f.mu.Unlock()
	if ok {
		return d, nil
	}
	d, err := f.compute(ctx, vals)
	if err != nil {
		return d, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	size := len(key) + len(d.S) + 64
	if f.size += size; f.known == nil || f.size > knownBytesMax {
		f.known, f.size = map[string]types.Datum{}, size
	}
	f.known[key] = d
	return d, nil
}

// valuesKey differs for different values.
func valuesKey(vals []types.Datum) string {
	var sb strings.Builder
	for i := range vals {
		d := &vals[i]
		if d.Null {
			sb.WriteString("n;")
			continue
		}
		fmt.Fprintf(&sb, "%d,%x,%v,%v,%x,%d:%s;", d.I, d.F, d.N, d.Iv, d.U, len(d.S), d.S)
	}
	return sb.String()
}

// errEnough ends a run whose further rows decide nothing.
var errEnough = errors.New("enough rows")

func (f *subFunc) compute(ctx context.Context, vals []types.Datum) (types.Datum, error) {
	var d types.Datum
	d.Null = f.e.Kind == plan.SubScalar
	rows := 0
	err := f.run(ctx, vals, func(b *vec.Batch) error {
		if b.Rows() == 0 {
			return nil
		}
		switch f.e.Kind {
		case plan.SubExists:
			d.I = 1
			return errEnough
		case plan.SubAny:
			return anyTrue(b, &d)
		}
		if rows += b.Rows(); rows > 1 {
			return TooManyRows()
		}
		d = b.Cols[0].Datum(first(b))
		d.S = strings.Clone(d.S) // the batch's memory is used again
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return d, err
}

func anyTrue(b *vec.Batch, d *types.Datum) error {
	for i := range b.Rows() {
		at := i
		if b.Sel != nil {
			at = int(b.Sel[i])
		}
		switch v := b.Cols[0].Datum(at); {
		case v.Null:
			*d = types.NullDatum
		case v.I != 0:
			*d = types.Datum{I: 1}
			return errEnough
		}
	}
	return nil
}

func first(b *vec.Batch) int {
	if b.Sel != nil {
		return int(b.Sel[0])
	}
	return 0
}

// TooManyRows is the error of a scalar subquery with a second row.
func TooManyRows() error {
	return errs.New(errs.CardinalityViolation, "more than one row returned by a subquery used as an expression")
}

// Raise is what an expression is that raises err for the rows that need it.
// Only errors of the values that a query sees wait for such a row; for others
// ok is false.
func Raise(err error, typ types.Type) (e plan.Expr, ok bool) {
	known := errs.As(err)
	if known == nil || !strings.HasPrefix(string(known.Code), "22") && known.Code != errs.CardinalityViolation {
		return nil, false
	}
	return &plan.Call{Typ: typ, Fn: &fn.Func{Name: "raise", Ret: typ.OID, NotStrict: true, CanRaise: true, Vol: fn.Volatile,
		Kernel: func(*fn.Env, []*vec.Vector, vec.Selection, int, *vec.Vector) error { return err }}}, true
}
