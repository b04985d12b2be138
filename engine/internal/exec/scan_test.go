package exec

import (
	"fmt"
	"testing"

	"quern/engine/fn"
	"quern/engine/internal/exectest"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
)

// TestSplitPreds says which conjuncts go to storage and how.
func TestSplitPreds(t *testing.T) {
	small, text, bp := &plan.Col{Index: 0, Typ: types.Int2}, &plan.Col{Index: 1, Typ: types.Text}, &plan.Col{Index: 2, Typ: types.Bpchar}
	call := func(op string, a, b plan.Expr) plan.Expr {
		return &plan.Call{Fn: &fn.Func{Name: op}, Args: []plan.Expr{a, b}, Typ: types.Bool}
	}
	wide := &plan.Cast{Arg: small, Typ: types.Int8}
	narrow := &plan.Cast{Arg: &plan.Col{Index: 3, Typ: types.Int8}, Typ: types.Int2}
	lt := func(v int64) plan.Expr { return lit(types.Int2, types.Datum{I: v}) }
	abc := lit(types.Text, types.Datum{S: "abc"})
	for i, c := range []struct {
		e    plan.Expr
		want string // "col op val", empty = stays here
	}{
		{call("<", small, lt(5)), "0 3 5"},
		{call("<", lt(5), small), "0 5 5"},
		{call(">=", wide, intLit(7)), "0 6 7"},
		{call("=", wide, intLit(70_000)), ""}, // not an int2
		{call("=", narrow, lt(1)), ""},        // the cast can raise
		{call("=", small, lit(types.Int2, types.NullDatum)), ""},
		{call("=", text, abc), "1 1 abc"},
		{call("=", bp, lit(types.Bpchar, types.Datum{S: "a"})), ""},
		{call("+", small, lt(5)), ""},
		{call("<", small, small), ""},
		{&plan.IsNull{Arg: text, Not: true}, "1 9 "},
		{&plan.In{Arg: small, List: []plan.Expr{lt(1), lit(types.Int2, types.NullDatum), lt(2)}}, "0 7 [1 2]"},
		{&plan.In{Arg: small, List: []plan.Expr{lt(1)}, Not: true}, ""},
	} {
		preds, rest := splitPreds(&plan.And{Args: []plan.Expr{c.e, call("~", text, abc)}})
		got := ""
		for _, p := range preds {
			switch {
			case p.Op == storage.PredIn:
				got = fmt.Sprintf("%d %d [%d %d]", p.Col, p.Op, p.Vals[0].I, p.Vals[1].I)
			case p.Val.S != "" || p.Op == storage.PredNotNull:
				got = fmt.Sprintf("%d %d %s", p.Col, p.Op, p.Val.S)
			default:
				got = fmt.Sprintf("%d %d %d", p.Col, p.Op, p.Val.I)
			}
		}
		if got != c.want || len(rest)+len(preds) != 2 {
			t.Errorf("case %d: got %q, want %q; %d stay", i, got, c.want, len(rest))
		}
	}
}

// TestScanFilter has a filter that storage decides in part.
func TestScanFilter(t *testing.T) {
	tab := randTable(41, 2000, types.Int4, types.Text, types.Bool)
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	five := lit(types.Int4, types.Datum{I: 5})
	scan.Filter = &plan.And{Args: []plan.Expr{
		col(scan, 2), &plan.In{Arg: col(scan, 0), List: []plan.Expr{five, lit(types.Int4, types.Datum{I: -3})}},
		&plan.IsNull{Arg: col(scan, 1), Not: true},
	}}
	var rows [][]types.Datum
	for _, r := range tab.Rows {
		if !r[2].Null && r[2].I == 1 && !r[0].Null && (r[0].I == 5 || r[0].I == -3) && !r[1].Null {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		t.Fatal("no such rows")
	}
	check(t, tables, scan, true, texts(tab.Types, rows))
	// A column that only the filter reads holds nothing above.
	inner := *scan
	inner.Inner = []bool{true, false, true}
	top := &plan.Project{In: &inner, Exprs: []plan.Expr{col(scan, 1)}, Names: []string{"b"}}
	var second [][]types.Datum
	for _, r := range rows {
		second = append(second, r[1:2])
	}
	check(t, tables, top, true, texts(tab.Types[1:2], second))
}
