package exec

import (
	"context"
	"slices"
	"testing"

	"quern/engine/fn"
	"quern/engine/internal/exectest"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
)

// windowTable has partitions of different sizes, one of more than a batch; the
// last column numbers the rows.
func windowTable() *exectest.Table {
	t := randTable(11, 3000, types.Int4, types.Int8, types.Int8)
	for i, row := range t.Rows {
		if i%3 > 0 {
			row[0] = types.Datum{I: 1}
		}
		row[2] = types.Datum{I: int64(i)}
	}
	return t
}

// modelWindow calls f with each partition's rows in order and each row's number
// in it, and returns all rows with f's result appended.
func modelWindow(t *exectest.Table, f func(part [][]types.Datum, i int) types.Datum) [][]types.Datum {
	compare := func(a, b *types.Datum) int { // NULLs last
		if a.Null || b.Null {
			switch {
			case a.Null && b.Null:
				return 0
			case a.Null:
				return 1
			}
			return -1
		}
		return int(a.I - b.I)
	}
	rows := slices.Clone(t.Rows)
	slices.SortStableFunc(rows, func(a, b []types.Datum) int {
		for c := range 3 {
			if d := compare(&a[c], &b[c]); d != 0 {
				return d
			}
		}
		return 0
	})
	var out [][]types.Datum
	for lo := 0; lo < len(rows); {
		hi := lo + 1
		for hi < len(rows) && compare(&rows[lo][0], &rows[hi][0]) == 0 {
			hi++
		}
		for i := range hi - lo {
			out = append(out, append(slices.Clone(rows[lo+i]), f(rows[lo:hi], i)))
		}
		lo = hi
	}
	return out
}

func windowOf(in plan.Node, calls ...plan.WindowCall) *plan.Window {
	return &plan.Window{In: in, Partition: []plan.Expr{col(in, 0)}, Calls: calls,
		Order: []plan.SortKey{{Expr: col(in, 1)}, {Expr: col(in, 2)}}}
}

func TestWindowFunctions(t *testing.T) {
	tables := []*exectest.Table{windowTable()}
	in := scanOf(tables, 0)
	rows := func(start, end plan.FrameBound, ex plan.FrameExclude) plan.Frame {
		return plan.Frame{Mode: plan.FrameRows, Start: start, End: end, Exclude: ex}
	}
	back := plan.FrameBound{Kind: plan.Preceding, Offset: intLit(2)}
	ahead := plan.FrameBound{Kind: plan.Following, Offset: intLit(1)}
	sum := func(f plan.Frame) plan.WindowCall {
		return plan.WindowCall{AggCall: aggOf(fn.AggSum, types.Numeric, col(in, 1)), Frame: f}
	}
	total := func(rows [][]types.Datum) types.Datum {
		s, n := int64(0), 0
		for _, r := range rows {
			if !r[1].Null {
				s, n = s+r[1].I, n+1
			}
		}
		if n == 0 {
			return types.NullDatum
		}
		return types.Datum{N: num(s, 0)}
	}
	for _, c := range []struct {
		name string
		call plan.WindowCall
		want func(part [][]types.Datum, i int) types.Datum
	}{
		{"row_number", plan.WindowCall{Func: plan.WinRowNumber, AggCall: plan.AggCall{Typ: types.Int8}},
			func(_ [][]types.Datum, i int) types.Datum { return types.Datum{I: int64(i + 1)} }},
		{"lag", plan.WindowCall{Func: plan.WinLag, AggCall: plan.AggCall{Args: []plan.Expr{col(in, 2)}, Typ: types.Int8}},
			func(p [][]types.Datum, i int) types.Datum {
				if i == 0 {
					return types.NullDatum
				}
				return p[i-1][2]
			}},
		{"whole", sum(rows(plan.FrameBound{}, plan.FrameBound{Kind: plan.UnboundedFollowing}, 0)),
			func(p [][]types.Datum, _ int) types.Datum { return total(p) }},
		{"running", sum(rows(plan.FrameBound{}, plan.FrameBound{Kind: plan.CurrentRow}, 0)),
			func(p [][]types.Datum, i int) types.Datum { return total(p[:i+1]) }},
		{"shrinking", sum(rows(back, plan.FrameBound{Kind: plan.UnboundedFollowing}, 0)),
			func(p [][]types.Datum, i int) types.Datum { return total(p[max(0, i-2):]) }},
		{"shrinking, empty", sum(rows(ahead, plan.FrameBound{Kind: plan.UnboundedFollowing}, 0)),
			func(p [][]types.Datum, i int) types.Datum { return total(p[i+1:]) }},
		{"sliding", sum(rows(back, ahead, 0)),
			func(p [][]types.Datum, i int) types.Datum { return total(p[max(0, i-2):min(len(p), i+2)]) }},
		{"excluding", sum(rows(back, ahead, plan.ExcludeCurrentRow)),
			func(p [][]types.Datum, i int) types.Datum {
				return total(append(slices.Clone(p[max(0, i-2):i]), p[i+1:min(len(p), i+2)]...))
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := windowOf(in, c.call)
			want := texts(n.Types(), modelWindow(tables[0], c.want))
			check(t, tables, n, false, want)
		})
	}
}

func TestWindowErrors(t *testing.T) {
	tables := []*exectest.Table{windowTable()}
	in := scanOf(tables, 0)
	call := plan.WindowCall{AggCall: aggOf(fn.AggCount, types.Int8, col(in, 1)),
		Frame: plan.Frame{Start: plan.FrameBound{Kind: plan.Preceding, Offset: intLit(-1)}}}
	if got := errs.CodeOf(fails(t, tables, windowOf(in, call), Config{})); got != errs.InvalidFrame {
		t.Errorf("negative offset: %s", got)
	}
	call.Frame.Start.Offset = lit(types.Int8, types.NullDatum)
	if got := errs.CodeOf(fails(t, tables, windowOf(in, call), Config{})); got != errs.NullNotAllowed {
		t.Errorf("NULL offset: %s", got)
	}
	ntile := plan.WindowCall{Func: plan.WinNtile, AggCall: plan.AggCall{Args: []plan.Expr{lit(types.Int4, types.Datum{})}, Typ: types.Int4}}
	if got := errs.CodeOf(fails(t, tables, windowOf(in, ntile), Config{})); got != errs.InvalidNtile {
		t.Errorf("ntile(0): %s", got)
	}
	rn := plan.WindowCall{Func: plan.WinRowNumber, AggCall: plan.AggCall{Typ: types.Int8}}
	if got := errs.CodeOf(fails(t, tables, windowOf(in, rn), Config{Memory: 40 << 10})); got != errs.OutOfMemory {
		t.Errorf("memory: %s", got)
	}
}

func TestWindowCancel(t *testing.T) {
	tables := []*exectest.Table{windowTable()}
	in := scanOf(tables, 0)
	n := windowOf(in, plan.WindowCall{Func: plan.WinRowNumber, AggCall: plan.AggCall{Typ: types.Int8}})
	ctx, cancel := context.WithCancel(t.Context())
	rows, err := Open(ctx, &Config{Plan: n, Snap: &exectest.Source{Tables: tables, Setting: exectest.Settings()[0]}})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := exectest.Collect(t.Context(), rows); errs.CodeOf(err) != errs.QueryCanceled {
		t.Errorf("after cancellation: %v", err)
	}
}
