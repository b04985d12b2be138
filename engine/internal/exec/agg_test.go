package exec

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"quern/engine/fn"
	"quern/engine/internal/exectest"
	"quern/engine/internal/kernel"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
)

// modelGroups groups rows by the columns keys, in order of first appearance.
func modelGroups(tab *exectest.Table, keys []int) (order []string, groups map[string][][]types.Datum) {
	groups = map[string][][]types.Datum{}
	for _, row := range tab.Rows {
		k := ""
		for i, c := range keys {
			if i > 0 {
				k += "|"
			}
			k += exectest.Text(tab.Types[c], &row[c])
		}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], row)
	}
	return order, groups
}

// model computes an aggregate over column c of rows.
func model(kind fn.AggKind, t types.Type, c int, rows [][]types.Datum) string {
	var vals []types.Datum
	for _, r := range rows {
		if !r[c].Null {
			vals = append(vals, r[c])
		}
	}
	switch kind {
	case fn.AggCountStar:
		return fmt.Sprint(len(rows))
	case fn.AggCount:
		return fmt.Sprint(len(vals))
	}
	if len(vals) == 0 {
		return "∅"
	}
	switch kind {
	case fn.AggMin, fn.AggMax:
		best := vals[0]
		for _, v := range vals[1:] {
			if x := exectest.Compare(t, &v, &best); kind == fn.AggMin && x < 0 || kind == fn.AggMax && x > 0 {
				best = v
			}
		}
		return exectest.Text(t, &best)
	case fn.AggSum:
		var d types.Datum
		for _, v := range vals {
			d.I += v.I
			d.F += v.F
			d.N, _ = d.N.Add(v.N)
		}
		if t.OID == types.Int8OID {
			d.N = types.NumFromInt(d.I)
			t = types.Numeric
		}
		return exectest.Text(t, &d)
	}
	panic("no model")
}

func sumType(t types.Type) types.Type {
	switch t.OID {
	case types.Int2OID, types.Int4OID:
		return types.Int8
	case types.Int8OID:
		return types.Numeric
	}
	return t
}

// TestAggregate groups by every type and pair of types, and compares with the
// model, with and without partitions.
func TestAggregate(t *testing.T) {
	tab := randTable(1, 700, allTypes...)
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	summed := []types.Type{types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.Numeric}
	keySets := [][]int{{}, {3, 9}, {9, 6, 7, 8, 1, 0}}
	for i := range allTypes {
		keySets = append(keySets, []int{i})
	}
	for _, keys := range keySets {
		n := &plan.Aggregate{In: scan}
		for _, k := range keys {
			n.Keys = append(n.Keys, col(scan, k))
		}
		var parts []func(rows [][]types.Datum) string
		add := func(kind fn.AggKind, c int, ret types.Type) {
			n.Aggs = append(n.Aggs, aggOf(kind, ret, col(scan, c)))
			parts = append(parts, func(rows [][]types.Datum) string { return model(kind, allTypes[c], c, rows) })
		}
		n.Aggs = append(n.Aggs, aggOf(fn.AggCountStar, types.Int8))
		parts = append(parts, func(rows [][]types.Datum) string { return fmt.Sprint(len(rows)) })
		for c, typ := range allTypes {
			add(fn.AggCount, c, types.Int8)
			add(fn.AggMin, c, typ)
			add(fn.AggMax, c, typ)
			if slices.Contains(summed, typ) {
				add(fn.AggSum, c, sumType(typ))
			}
		}
		order, gs := modelGroups(tab, keys)
		var want []string
		for _, k := range order {
			s := []string{k}
			if len(keys) == 0 {
				s = nil
			}
			for _, p := range parts {
				s = append(s, p(gs[k]))
			}
			want = append(want, strings.Join(s, "|"))
		}
		t.Run(fmt.Sprint(keys), func(t *testing.T) {
			check(t, tables, n, false, want)
			check(t, tables, n, false, want, smallTables)
		})
	}
}

// smallTables makes aggregations use the partitions early.
func smallTables(r *Rows) {
	var walk func(s stage)
	walk = func(s stage) {
		switch s := s.(type) {
		case *aggStage:
			s.groups.limit = 5_000
			for _, d := range s.sets {
				d.groups.limit = 5_000
			}
			walk(s.in)
		case *projectStage:
			walk(s.stage)
		case *filterStage:
			walk(s.stage)
		}
	}
	walk(r.root)
}

func TestAggregateEmpty(t *testing.T) {
	tables := []*exectest.Table{{Types: []types.Type{types.Int4}}}
	scan := scanOf(tables, 0)
	aggs := []plan.AggCall{aggOf(fn.AggCountStar, types.Int8), aggOf(fn.AggSum, types.Int8, col(scan, 0)),
		aggOf(fn.AggAvg, types.Numeric, col(scan, 0)), aggOf(fn.AggVarSamp, types.Numeric, col(scan, 0))}
	check(t, tables, &plan.Aggregate{In: scan, Aggs: aggs}, true, []string{"0|∅|∅|∅"})
	check(t, tables, &plan.Aggregate{In: scan, Keys: []plan.Expr{col(scan, 0)}, Aggs: aggs}, true, nil)
}

// TestManyGroups has more groups than rows fit a local table.
func TestManyGroups(t *testing.T) {
	tab := &exectest.Table{Types: []types.Type{types.Int8, types.Text, types.Int4}}
	r := rand.New(rand.NewPCG(3, 3))
	var want []string
	for i := range 20_000 {
		k := int64(r.Uint32())<<20 | int64(i)
		s := fmt.Sprintf("a key that is longer than inline %d", i)
		for range 1 + i%2 {
			tab.Rows = append(tab.Rows, []types.Datum{{I: k}, {S: s}, {I: 5}})
		}
		want = append(want, fmt.Sprintf("%d|%s|%d|%d", k, s, 1+i%2, 5*(1+i%2)))
	}
	r.Shuffle(len(tab.Rows), func(i, j int) { tab.Rows[i], tab.Rows[j] = tab.Rows[j], tab.Rows[i] })
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	n := &plan.Aggregate{In: scan, Keys: []plan.Expr{col(scan, 0), col(scan, 1)},
		Aggs: []plan.AggCall{aggOf(fn.AggCountStar, types.Int8), aggOf(fn.AggSum, types.Int8, col(scan, 2))}}
	slices.Sort(want)
	for _, set := range exectest.Settings()[2:] {
		src := &exectest.Source{Tables: tables, Setting: set}
		rows, err := Open(t.Context(), &Config{Plan: n, Snap: src, Threads: set.Threads})
		if err != nil {
			t.Fatal(err)
		}
		smallTables(rows)
		got, err := exectest.Collect(t.Context(), rows)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("%+v: %d groups, want %d", set, len(got), len(want))
		}
	}
}

func TestDistinctAggregates(t *testing.T) {
	tab := randTable(5, 2000, types.Int4, types.Text, types.Int2, types.Bool)
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	count := aggOf(fn.AggCount, types.Int8, col(scan, 1))
	count.Distinct = true
	sum := aggOf(fn.AggSum, types.Int8, col(scan, 2))
	sum.Distinct = true
	filtered := aggOf(fn.AggCount, types.Int8, col(scan, 2))
	filtered.Distinct, filtered.Filter = true, col(scan, 3)
	plain := aggOf(fn.AggSum, types.Int8, col(scan, 2))
	plain.Filter = col(scan, 3)
	for _, keys := range [][]int{{}, {0}} {
		n := &plan.Aggregate{In: scan, Aggs: []plan.AggCall{count, plain, sum, filtered}}
		for _, k := range keys {
			n.Keys = append(n.Keys, col(scan, k))
		}
		order, gs := modelGroups(tab, keys)
		var want []string
		for _, k := range order {
			texts, nums, fnums := map[string]bool{}, map[int64]bool{}, map[int64]bool{}
			total, distinct := int64(0), int64(0)
			some := false
			for _, r := range gs[k] {
				if !r[1].Null {
					texts[r[1].S] = true
				}
				if r[2].Null {
					continue
				}
				if !nums[r[2].I] {
					nums[r[2].I] = true
					distinct += r[2].I
				}
				if !r[3].Null && r[3].I == 1 {
					fnums[r[2].I] = true
					total += r[2].I
					some = true
				}
			}
			s := fmt.Sprintf("%d|%d|%d|%d", len(texts), total, distinct, len(fnums))
			if !some || len(nums) == 0 {
				t.Fatal("the data should not have such groups")
			}
			if len(keys) > 0 {
				s = k + "|" + s
			}
			want = append(want, s)
		}
		check(t, tables, n, false, want)
		check(t, tables, n, false, want, smallTables)
	}
}

func TestStringAgg(t *testing.T) {
	tab := randTable(6, 500, types.Int2, types.Text, types.Int4)
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	comma := lit(types.Text, types.Datum{S: ","})
	plain := aggOf(fn.AggStringAgg, types.Text, col(scan, 1), comma)
	ordered := aggOf(fn.AggStringAgg, types.Text, col(scan, 1), comma)
	ordered.Order = []plan.SortKey{{Expr: col(scan, 2), Desc: true, NullsFirst: true}}
	distinct := aggOf(fn.AggStringAgg, types.Text, col(scan, 1), comma)
	distinct.Distinct = true
	n := &plan.Aggregate{In: scan, Keys: []plan.Expr{col(scan, 0)}, Aggs: []plan.AggCall{plain, ordered, distinct}}
	order, gs := modelGroups(tab, []int{0})
	var want []string
	for _, k := range order {
		rows := slices.DeleteFunc(slices.Clone(gs[k]), func(r []types.Datum) bool { return r[1].Null })
		join := func(rows [][]types.Datum) string {
			var s []string
			for _, r := range rows {
				s = append(s, r[1].S)
			}
			return strings.Join(s, ",")
		}
		p := join(rows)
		slices.SortStableFunc(rows, func(a, b []types.Datum) int {
			if a[2].Null || b[2].Null {
				return cmp.Compare(boolInt(b[2].Null), boolInt(a[2].Null))
			}
			return cmp.Compare(b[2].I, a[2].I)
		})
		o := join(rows)
		slices.SortFunc(rows, func(a, b []types.Datum) int { return cmp.Compare(a[1].S, b[1].S) })
		rows = slices.CompactFunc(rows, func(a, b []types.Datum) bool { return a[1].S == b[1].S })
		want = append(want, k+"|"+p+"|"+o+"|"+join(rows))
	}
	check(t, tables, n, false, want)
	check(t, tables, n, false, want, smallTables)
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestAggregateValues has results that PostgreSQL 15 gave.
func TestAggregateValues(t *testing.T) {
	ints := func(vs ...int64) []types.Datum {
		var out []types.Datum
		for _, v := range vs {
			out = append(out, types.Datum{I: v})
		}
		return out
	}
	nums := func(scale int16, vs ...int64) []types.Datum {
		var out []types.Datum
		for _, v := range vs {
			out = append(out, types.Datum{N: num(v, scale)})
		}
		return out
	}
	floats := func(vs ...float64) []types.Datum {
		var out []types.Datum
		for _, v := range vs {
			out = append(out, types.Datum{F: v})
		}
		return out
	}
	for _, c := range []struct {
		kind fn.AggKind
		typ  types.Type
		ret  types.Type
		vals []types.Datum
		want string
	}{
		{fn.AggSum, types.Int8, types.Numeric, ints(1<<62, 1<<62, 1<<62), "13835058055282163712"},
		{fn.AggAvg, types.Int4, types.Numeric, ints(1, 2), "1.5000000000000000"},
		{fn.AggAvg, types.Int4, types.Numeric, ints(1, 2, 2), "1.6666666666666667"},
		{fn.AggAvg, types.Int8, types.Numeric, ints(100000, 100001), "100000.500000000000"},
		{fn.AggAvg, types.Numeric, types.Numeric, nums(2, 100, 250), "1.7500000000000000"},
		{fn.AggSum, types.Numeric, types.Numeric, append(nums(2, 100), nums(4, 1)...), "1.0001"},
		{fn.AggVarSamp, types.Int4, types.Numeric, ints(1, 2, 4), "2.3333333333333333"},
		{fn.AggVarPop, types.Int4, types.Numeric, ints(1, 2, 4), "1.5555555555555556"},
		{fn.AggStddevSamp, types.Int4, types.Numeric, ints(1, 2, 4), "1.5275252316519467"},
		{fn.AggStddevPop, types.Int8, types.Numeric, ints(1, 2, 4), "1.2472191289246471"},
		{fn.AggStddevSamp, types.Numeric, types.Numeric, nums(1, 10, 25, 40), "1.5000000000000000"},
		{fn.AggVarSamp, types.Int4, types.Numeric, ints(7), "∅"},
		{fn.AggVarPop, types.Int4, types.Numeric, ints(7), "0"},
		{fn.AggVarSamp, types.Int4, types.Numeric, ints(5, 5, 5), "0"},
		{fn.AggVarSamp, types.Float8, types.Float8, floats(1, 2, 4), "2.33333333333333"},
		{fn.AggSum, types.Float8, types.Float8, floats(1e300, 1, -1e300), "1"},
		{fn.AggBoolAnd, types.Bool, types.Bool, ints(1, 0), "0"},
		{fn.AggBoolOr, types.Bool, types.Bool, ints(1, 0), "1"},
		{fn.AggBitAnd, types.Int4, types.Int4, ints(12, 10), "8"},
		{fn.AggBitOr, types.Int2, types.Int2, ints(12, -1), "-1"},
		{fn.AggBitXor, types.Int8, types.Int8, ints(12, 10), "6"},
	} {
		tab := &exectest.Table{Types: []types.Type{c.typ}}
		for _, v := range c.vals {
			tab.Rows = append(tab.Rows, []types.Datum{v})
		}
		tables := []*exectest.Table{tab}
		scan := scanOf(tables, 0)
		n := &plan.Aggregate{In: scan, Aggs: []plan.AggCall{aggOf(c.kind, c.ret, col(scan, 0))}}
		t.Run(c.want, func(t *testing.T) { check(t, tables, n, true, []string{c.want}) })
	}
}

func TestAvgInt(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	fast := 0
	for range 20_000 {
		sum, n := int64(r.Uint64())>>r.IntN(64), 1+r.Uint64()>>(1+r.IntN(63))
		x, ok := kernel.AvgInt(sum, n)
		if !ok {
			continue
		}
		fast++
		want, err := types.NumFromInt(sum).Div(types.NumFromInt(int64(n)))
		if err != nil || x != want {
			t.Fatalf("%d/%d = %v, want %v (%v)", sum, n, x, want, err)
		}
	}
	if fast < 5000 {
		t.Fatalf("only %d fast", fast)
	}
}

func TestFloatOverflow(t *testing.T) {
	tables := []*exectest.Table{{Types: []types.Type{types.Float8}, Rows: [][]types.Datum{{{F: 1.5e308}}, {{F: 1.5e308}}}}}
	scan := scanOf(tables, 0)
	n := &plan.Aggregate{In: scan, Aggs: []plan.AggCall{aggOf(fn.AggSum, types.Float8, col(scan, 0))}}
	if err := fails(t, tables, n, Config{}); errs.CodeOf(err) != errs.NumericOutOfRange {
		t.Fatal(err)
	}
}

func TestMemoryLimit(t *testing.T) {
	tab := &exectest.Table{Types: []types.Type{types.Int8}}
	for i := range 100_000 {
		tab.Rows = append(tab.Rows, []types.Datum{{I: int64(i)}})
	}
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	n := &plan.Aggregate{In: scan, Keys: []plan.Expr{col(scan, 0)}}
	if err := fails(t, tables, n, Config{Memory: 2 << 20}); errs.CodeOf(err) != errs.OutOfMemory {
		t.Fatal(err)
	}
}

// A partition whose groups do not fit in memory is merged in several passes.
func TestSpilledGroupsInPasses(t *testing.T) {
	tab := &exectest.Table{Types: []types.Type{types.Int4, types.Text}}
	var want []string
	const groups = 40_000
	for i := range 3 * groups {
		tab.Rows = append(tab.Rows, []types.Datum{{I: int64(i % groups)}, {S: fmt.Sprintf("a long string of row %d", i)}})
		if i < groups {
			s := func(j int) string { return fmt.Sprintf("a long string of row %d", j) }
			want = append(want, fmt.Sprintf("%d|3|%s|%s", i, max(s(i), s(i+groups), s(i+2*groups)),
				strings.Join([]string{s(i), s(i + groups), s(i + 2*groups)}, ";")))
		}
	}
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	semi := lit(types.Text, types.Datum{S: ";"})
	n := &plan.Aggregate{In: scan, Keys: []plan.Expr{col(scan, 0)}, Aggs: []plan.AggCall{
		aggOf(fn.AggCount, types.Int8, col(scan, 1)), aggOf(fn.AggMax, types.Text, col(scan, 1)),
		aggOf(fn.AggStringAgg, types.Text, col(scan, 1), semi)}}
	set := exectest.Settings()[5:]
	var passes atomic.Int64
	exectest.RunWith(t, set, tables, false, want, func(src *exectest.Source, threads int) (exectest.Rows, error) {
		r, err := Open(t.Context(), &Config{Plan: n, Snap: src, Threads: threads, Disk: testDisk(t), Memory: 1})
		if err == nil {
			r.q.mergeFloor = 24 << 10
			r.q.onPass = func(n int) { passes.Store(max(passes.Load(), int64(n))) }
		}
		return r, err
	})
	if passes.Load() < 4 {
		t.Errorf("at most %d passes", passes.Load())
	}
	// What no number of passes can hold is refused.
	tab.Rows = tab.Rows[:0]
	for range 3000 {
		tab.Rows = append(tab.Rows, []types.Datum{{I: 1}, {S: strings.Repeat("x", 100)}})
	}
	err := fails(t, tables, n, Config{Disk: testDisk(t), Memory: 1})
	if errs.CodeOf(err) != errs.OutOfMemory {
		t.Errorf("one group of all memory: %v", err)
	}
}
