package exec

import (
	"fmt"
	"slices"
	"testing"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// Bounds makes the benchmarks' table one whose top-N pass over batches.
func (r *benchReader) Bounds(col, batch int) (lo, hi int64, nulls, ok bool) {
	from, to := r.lo+batch*vec.BatchRows, min(r.lo+(batch+1)*vec.BatchRows, r.hi)
	if batch < 0 {
		from, to = r.lo, r.hi
	}
	v := vec.Slice(&r.s.cols[col], from, to)
	if v.Form != vec.Flat || v.Type.Phys() != types.PhysI64 {
		return 0, 0, false, false
	}
	x := vec.Values[int64](&v)
	return slices.Min(x), slices.Max(x), false, true
}

// TestTopBound compares top-N, whose bound scans and aggregations know, with the
// first rows of the whole order: with ties, in both directions, with bounds of
// batches and on codes.
func TestTopBound(t *testing.T) {
	tab := benchTable(4*benchMorsel + 777)
	cols := []int{cSmall, cHundred, cCode, cRandom, cText}
	in := benchNode(cols...)
	in.Filter = &plan.Like{Arg: col(in, 4), Pattern: lit(types.Text, types.Datum{S: "%7%"})}
	run := func(t *testing.T, n plan.Node, threads int) (out []string) {
		r, err := Open(t.Context(), &Config{Plan: n, Snap: tab, Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var b vec.Batch
		for {
			k, err := r.Next(t.Context(), &b)
			if err != nil {
				t.Fatal(err)
			}
			if k == 0 {
				return out
			}
			for i := range k {
				row := i
				if b.Sel != nil {
					row = int(b.Sel[i])
				}
				s := ""
				for c := range b.Cols {
					d := b.Cols[c].Datum(row)
					s += fmt.Sprint(d.I, d.S, "|")
				}
				out = append(out, s)
			}
		}
	}
	for _, keys := range [][]int{{0}, {1}, {2}, {3}, {0, 2}, {2, 3}, {1, 0}} {
		for _, desc := range []bool{false, true} {
			var sort []plan.SortKey
			for _, k := range keys {
				sort = append(sort, plan.SortKey{Expr: col(in, k), Desc: desc, NullsFirst: desc})
			}
			want := run(t, &plan.Limit{In: &plan.Sort{In: in, Keys: sort}, Count: intLit(7)}, 1)
			for _, threads := range []int{1, 3} {
				got := run(t, &plan.TopN{In: in, Keys: sort, Count: intLit(7)}, threads)
				if !slices.Equal(got, want) {
					t.Errorf("keys %v desc %t threads %d:\n%v\nwant\n%v", keys, desc, threads, got, want)
				}
			}
		}
	}
	for _, c := range []int{cMany, cHuge, cHundred} {
		agg := &plan.Aggregate{In: benchNode(c, cInt4), Aggs: []plan.AggCall{aggOf(fn.AggCountStar, types.Int8)}}
		agg.Keys = []plan.Expr{col(agg.In, 0)}
		agg.Aggs = append(agg.Aggs, aggOf(fn.AggMax, types.Int4, col(agg.In, 1)))
		for i := range 2 {
			sort := []plan.SortKey{{Expr: col(agg, 1+i), Desc: true}, {Expr: col(agg, 2-i)}, {Expr: col(agg, 0)}}
			want := run(t, &plan.Limit{In: &plan.Sort{In: agg, Keys: sort}, Count: intLit(20)}, 1)
			if got := run(t, &plan.TopN{In: agg, Keys: sort, Count: intLit(20)}, 2); !slices.Equal(got, want) {
				t.Errorf("groups of %d by %d:\n%v\nwant\n%v", c, i, got, want)
			}
		}
	}
}

// DictBytes makes columns with known dictionaries ones that are grouped by numbers.
func (s *benchScan) DictBytes(col int) (int64, bool) {
	v := &s.cols[col]
	return 0, v.Form == vec.Dict && v.Dict.ID != 0
}

func (s *benchScan) LargestDict(col int) (*vec.Dictionary, error) { return s.cols[col].Dict, nil }

// TestUnionGroups groups by several keys with and without numbers for strings; the
// distinct set has them as well.
func TestUnionGroups(t *testing.T) {
	tab := benchTable(100_000)
	query := func(text int) (out []string) {
		in := benchNode(text, cSmall, cCode)
		distinct := aggOf(fn.AggCount, types.Int8, col(in, 2))
		distinct.Distinct = true
		agg := &plan.Aggregate{In: in, Keys: []plan.Expr{col(in, 0), col(in, 1)}, Aggs: []plan.AggCall{aggOf(fn.AggCountStar, types.Int8), distinct}}
		r, err := Open(t.Context(), &Config{Plan: agg, Snap: tab, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var b vec.Batch
		for {
			k, err := r.Next(t.Context(), &b)
			if err != nil {
				t.Fatal(err)
			}
			if k == 0 {
				slices.Sort(out)
				return out
			}
			for i := range k {
				out = append(out, fmt.Sprint(string(b.Cols[0].BytesAt(i)), b.Cols[1].Datum(i).I, b.Cols[2].Datum(i).I, b.Cols[3].Datum(i).I))
			}
		}
	}
	if a, b := query(cHuge), query(cNoCode); !slices.Equal(a, b) || len(a) < 50_000 {
		t.Errorf("%d groups by number, %d by string", len(a), len(b))
	}
}
