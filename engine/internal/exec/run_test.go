package exec

import (
	"context"
	"fmt"
	"testing"
	"time"

	"quern/engine/fn"
	"quern/engine/internal/exectest"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// bigCross is a join of 10^10 pairs: nothing ends it but cancellation.
func bigCross() ([]*exectest.Table, plan.Node) {
	tab := &exectest.Table{Types: []types.Type{types.Int4}}
	for i := range 100_000 {
		tab.Rows = append(tab.Rows, []types.Datum{{I: int64(i)}})
	}
	tables := []*exectest.Table{tab}
	return tables, &plan.Join{Kind: plan.Cross, Left: scanOf(tables, 0), Right: scanOf(tables, 0)}
}

// TestCancel cancels queries in all ways; a query that goes on would time out.
func TestCancel(t *testing.T) {
	tables, cross := bigCross()
	count := &plan.Aggregate{In: cross, Aggs: []plan.AggCall{aggOf(fn.AggCountStar, types.Int8)}}
	sorted := &plan.Sort{In: count, Keys: []plan.SortKey{{Expr: col(count, 0)}}}
	for _, threads := range []int{1, 3} {
		for _, n := range []plan.Node{count, sorted} {
			for _, own := range []bool{false, true} {
				ctx, cancel := context.WithCancel(t.Context())
				src := &exectest.Source{Tables: tables, Setting: exectest.Setting{Batch: 2048, Morsel: 1}}
				runCtx, nextCtx := ctx, t.Context()
				if own {
					runCtx, nextCtx = t.Context(), ctx
				}
				rows, err := Open(runCtx, &Config{Plan: n, Snap: src, Threads: threads})
				if err != nil {
					t.Fatal(err)
				}
				stop := time.AfterFunc(20*time.Millisecond, cancel)
				var b vec.Batch
				_, err = rows.Next(nextCtx, &b)
				if errs.CodeOf(err) != errs.QueryCanceled {
					t.Errorf("threads %d own %v: %v", threads, own, err)
				}
				rows.Close()
				stop.Stop()
				cancel()
			}
		}
	}
	// A result that nobody reads to its end.
	for _, threads := range []int{1, 3} {
		src := &exectest.Source{Tables: tables, Setting: exectest.Setting{Batch: 2048, Morsel: 1}}
		rows, err := Open(t.Context(), &Config{Plan: cross, Snap: src, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		var b vec.Batch
		if n, err := rows.Next(t.Context(), &b); n == 0 || err != nil {
			t.Fatal(n, err)
		}
		rows.Close()
		rows.Close()
		if n, err := rows.Next(t.Context(), &b); n != 0 || err != nil {
			t.Fatal("rows after Close", n, err)
		}
	}
}

func TestStats(t *testing.T) {
	tab := randTable(31, 1000, types.Int4, types.Bool)
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	filter := &plan.Filter{In: scan, Pred: col(scan, 1)}
	agg := &plan.Aggregate{In: filter, Keys: []plan.Expr{col(scan, 0)}}
	order := &plan.Sort{In: agg, Keys: []plan.SortKey{{Expr: col(agg, 0)}}}
	passed, groups := 0, map[types.Datum]bool{}
	for _, r := range tab.Rows {
		if !r[1].Null && r[1].I == 1 {
			passed++
			groups[r[0]] = true
		}
	}
	for _, set := range exectest.Settings() {
		var st Stats
		rows, err := Open(t.Context(), &Config{Plan: order, Snap: &exectest.Source{Tables: tables, Setting: set}, Threads: set.Threads, Stats: &st})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exectest.Collect(t.Context(), rows); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			n    plan.Node
			want int
		}{{scan, 1000}, {filter, passed}, {agg, len(groups)}, {order, len(groups)}} {
			if got := st.Node(c.n).Rows.Load(); got != int64(c.want) {
				t.Errorf("%+v: %T has %d rows, want %d", set, c.n, got, c.want)
			}
		}
		if st.PeakMemory() == 0 {
			t.Error("no memory counted")
		}
		if st.Node(scan).Scan.RowGroups == 0 {
			t.Error("no scan counters")
		}
	}
}

// TestMemoryComesBack runs queries and looks at what stays reserved.
func TestMemoryComesBack(t *testing.T) {
	tab := randTable(32, 3000, types.Int4, types.Text, types.Int2)
	tables := []*exectest.Table{tab}
	l := scanOf(tables, 0)
	join := &plan.Join{Kind: plan.Full, Left: l, Right: l, LeftKeys: []plan.Expr{col(l, 1)}, RightKeys: []plan.Expr{col(l, 1)}}
	agg := &plan.Aggregate{In: join, Keys: []plan.Expr{col(join, 0)}, Aggs: []plan.AggCall{aggOf(fn.AggCountStar, types.Int8)}}
	key := []plan.SortKey{{Expr: col(agg, 0)}}
	for _, n := range []plan.Node{
		&plan.Sort{In: agg, Keys: key}, &plan.TopN{In: agg, Keys: key, Count: intLit(3)}, &plan.SetOp{L: l, R: l},
	} {
		for _, threads := range []int{1, 3} {
			var st Stats
			src := &exectest.Source{Tables: tables, Setting: exectest.Setting{Batch: 100, Morsel: 2, Threads: threads}}
			rows, err := Open(t.Context(), &Config{Plan: n, Snap: src, Threads: threads, Stats: &st})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := exectest.Collect(t.Context(), rows); err != nil {
				t.Fatal(err)
			}
			if st.PeakMemory() == 0 || st.budget.Used() != 0 {
				t.Errorf("%T: peak %d, still reserved %d", n, st.PeakMemory(), st.budget.Used())
			}
		}
	}
}

// TestCancelSubquery ends a query in its uncorrelated subquery, which runs
// before anything else: by the caller of Next, whose context alone ends.
func TestCancelSubquery(t *testing.T) {
	tables, cross := bigCross()
	count := &plan.Aggregate{In: cross, Aggs: []plan.AggCall{aggOf(fn.AggCountStar, types.Int8)}}
	n := &plan.Project{In: &plan.Values{Rows: [][]plan.Expr{{}}}, Exprs: []plan.Expr{&plan.Subquery{Plan: count, Typ: types.Int8}}, Names: []string{"n"}}
	for _, threads := range []int{1, 3} {
		ctx, cancel := context.WithCancel(t.Context())
		src := &exectest.Source{Tables: tables, Setting: exectest.Setting{Batch: 2048, Morsel: 1}}
		rows, err := Open(t.Context(), &Config{Plan: n, Snap: src, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		stop := time.AfterFunc(20*time.Millisecond, cancel)
		var b vec.Batch
		if _, err = rows.Next(ctx, &b); errs.CodeOf(err) != errs.QueryCanceled {
			t.Errorf("threads %d: %v", threads, err)
		}
		rows.Close()
		stop.Stop()
		cancel()
	}
}

// callOf calls a function by name.
func callOf(t *testing.T, name string, ret types.Type, args ...plan.Expr) *plan.Call {
	t.Helper()
	var typs []types.Type
	for _, a := range args {
		typs = append(typs, a.Type())
	}
	f, _, err := fn.LookupFunc(name, typs)
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Call{Fn: f, Args: args, Typ: ret}
}

// TestWideTexts evaluates expressions whose texts are larger than a batch may
// make: operators take the batch apart, and nothing shows.
func TestWideTexts(t *testing.T) {
	tab := &exectest.Table{Types: []types.Type{types.Int4}}
	var sizes, odd []string
	const rows, per = 60, 1 << 20
	for i := range rows {
		tab.Rows = append(tab.Rows, []types.Datum{{I: int64(per + i%7)}})
		sizes = append(sizes, fmt.Sprint(per+i%7))
		if i%7 == 3 {
			odd = append(odd, fmt.Sprint(per+3))
		}
	}
	tables := []*exectest.Table{tab}
	in := scanOf(tables, 0)
	wide := callOf(t, "repeat", types.Text, lit(types.Text, types.Datum{S: "x"}), col(in, 0))
	project := &plan.Project{In: in, Exprs: []plan.Expr{wide}, Names: []string{"s"}}
	length := &plan.Project{In: project, Exprs: []plan.Expr{callOf(t, "length", types.Int4, col(project, 0))}, Names: []string{"n"}}
	eq, _, err := fn.LookupOp("=", types.Int4, types.Int4)
	if err != nil {
		t.Fatal(err)
	}
	filter := &plan.Filter{In: in, Pred: &plan.Call{Fn: eq, Typ: types.Bool,
		Args: []plan.Expr{callOf(t, "length", types.Int4, wide), lit(types.Int4, types.Datum{I: per + 3})}}}
	groups := &plan.Aggregate{In: in, Keys: []plan.Expr{wide},
		Aggs: []plan.AggCall{aggOf(fn.AggCountStar, types.Int8), aggOf(fn.AggCount, types.Int8, wide), aggOf(fn.AggMax, types.Text, wide)}}
	counts := &plan.Project{In: groups, Names: []string{"n", "m", "l"},
		Exprs: []plan.Expr{col(groups, 1), col(groups, 2), callOf(t, "length", types.Int4, col(groups, 3))}}
	var perGroup []string
	for k := range 7 {
		n := (rows-k-1)/7 + 1
		perGroup = append(perGroup, fmt.Sprintf("%d|%d|%d", n, n, per+k))
	}
	settings := []exectest.Setting{{Batch: rows, Morsel: 1, Threads: 1}, {Batch: rows, Morsel: 1, Threads: 1, Dead: true}}
	for _, c := range []struct {
		n    plan.Node
		want []string
	}{{length, sizes}, {filter, odd}, {counts, perGroup}} {
		exectest.RunWith(t, settings, tables, false, c.want, func(src *exectest.Source, threads int) (exectest.Rows, error) {
			return Open(t.Context(), &Config{Plan: c.n, Snap: src, Threads: threads})
		})
	}
}
