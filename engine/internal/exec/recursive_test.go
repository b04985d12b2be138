package exec

import (
	"context"
	"testing"

	"quern/engine/fn"
	"quern/engine/internal/exectest"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
)

// counting is `VALUES (1) UNION [ALL] SELECT next(n) FROM itself WHERE n < to`.
func counting(t *testing.T, all bool, to int64, step *plan.Lit) *plan.Recursive {
	typ := types.Int8
	work := &plan.Working{ID: 1, Typs: []types.Type{typ}}
	op := func(name string, r plan.Expr, ret types.Type) plan.Expr {
		f, _, err := fn.LookupOp(name, typ, typ)
		if err != nil {
			t.Fatal(err)
		}
		return &plan.Call{Fn: f, Args: []plan.Expr{&plan.Col{Typ: typ}, r}, Typ: ret}
	}
	return &plan.Recursive{ID: 1, All: all,
		Base: &plan.Values{Rows: [][]plan.Expr{{intLit(1)}, {intLit(1)}}, Typs: []types.Type{typ}},
		Step: &plan.Project{Exprs: []plan.Expr{op("+", step, typ)},
			In: &plan.Filter{In: work, Pred: op("<", intLit(to), types.Bool)}},
	}
}

func TestRecursive(t *testing.T) {
	check(t, nil, counting(t, true, 3, intLit(1)), true, []string{"1", "1", "2", "2", "3", "3"})
	check(t, nil, counting(t, false, 3, intLit(1)), true, []string{"1", "2", "3"})
	// A cycle ends where rows count once.
	check(t, nil, counting(t, false, 3, intLit(0)), true, []string{"1"})
	// A limit ends what would not end.
	endless := &plan.Limit{In: counting(t, true, 1<<60, intLit(1)), Count: intLit(5)}
	check(t, nil, endless, true, []string{"1", "1", "2", "2", "3"})
}

func TestRecursiveMemory(t *testing.T) {
	// The sort keeps every round's rows.
	n := &plan.Sort{In: counting(t, true, 1<<60, intLit(1)), Keys: []plan.SortKey{{Expr: &plan.Col{Typ: types.Int8}}}}
	rows, err := Open(t.Context(), &Config{Plan: n, Snap: &exectest.Source{}, Memory: 1 << 20, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exectest.Collect(t.Context(), rows); errs.CodeOf(err) != errs.OutOfMemory {
		t.Errorf("endless recursion: %v", err)
	}
}

func TestRecursiveCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	n := &plan.Aggregate{In: counting(t, true, 1<<60, intLit(0)), Aggs: []plan.AggCall{aggOf(fn.AggCountStar, types.Int8)}}
	rows, err := Open(ctx, &Config{Plan: n, Snap: &exectest.Source{}})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := exectest.Collect(t.Context(), rows); errs.CodeOf(err) != errs.QueryCanceled {
		t.Errorf("cancelled recursion: %v", err)
	}
}
