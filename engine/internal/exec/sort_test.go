package exec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"quern/engine/internal/exectest"
	"quern/engine/internal/order"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// sortModel orders rows stably by the keys.
func sortModel(tab *exectest.Table, keys []plan.SortKey) [][]types.Datum {
	rows := slices.Clone(tab.Rows)
	slices.SortStableFunc(rows, func(a, b []types.Datum) int {
		for _, k := range keys {
			c := k.Expr.(*plan.Col)
			x, y := a[c.Index], b[c.Index]
			va, vb := vec.ConstVector(c.Typ, &x, 1), vec.ConstVector(c.Typ, &y, 1)
			if r := order.Compare(&va, 0, &vb, 0, k.Desc, k.NullsFirst); r != 0 {
				return r
			}
		}
		return 0
	})
	return rows
}

func sortCases(n plan.Node) [][]plan.SortKey {
	var out [][]plan.SortKey
	for c := range n.Types() {
		out = append(out, []plan.SortKey{{Expr: col(n, c)}}, []plan.SortKey{{Expr: col(n, c), Desc: true, NullsFirst: true}})
	}
	return append(out,
		[]plan.SortKey{{Expr: col(n, 9), NullsFirst: true}, {Expr: col(n, 1), Desc: true}},
		[]plan.SortKey{{Expr: col(n, 0), Desc: true}, {Expr: col(n, 6)}, {Expr: col(n, 9), Desc: true}},
		[]plan.SortKey{{Expr: col(n, 1)}, {Expr: col(n, 7), Desc: true}, {Expr: col(n, 3)}})
}

func TestSort(t *testing.T) {
	tab := randTable(21, 700, allTypes...)
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	for i, keys := range sortCases(scan) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			check(t, tables, &plan.Sort{In: scan, Keys: keys}, true, texts(tab.Types, sortModel(tab, keys)))
		})
	}
}

func TestTopN(t *testing.T) {
	tab := randTable(22, 9000, allTypes...)
	tab.Types = tab.Types[:10]
	for i := range tab.Rows {
		tab.Rows[i] = tab.Rows[i][:10]
	}
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	for i, keys := range sortCases(scan) {
		if i%5 != 0 && i < len(sortCases(scan))-3 {
			continue
		}
		model := sortModel(tab, keys)
		for _, c := range []struct{ count, offset int }{{5, 0}, {7, 3}, {0, 2}, {3, 100_000}} {
			lo := min(c.offset, len(model))
			hi := min(lo+c.count, len(model))
			n := &plan.TopN{In: scan, Keys: keys, Count: intLit(int64(c.count)), Offset: intLit(int64(c.offset))}
			t.Run(fmt.Sprint(i, c), func(t *testing.T) {
				for _, ties := range []bool{false, true} {
					h := hi
					n.Ties = ties
					if ties {
						so := order.Sorter{Cols: columnsOf(tab.Types, model)}
						for _, k := range keys {
							so.Keys = append(so.Keys, order.Key{Col: k.Expr.(*plan.Col).Index})
						}
						for h > lo && h < len(model) && so.Equal(uint32(h-1), uint32(h), len(keys)) {
							h++
						}
					}
					for _, set := range []exectest.Setting{
						{Batch: 2048, Morsel: 1, Threads: 1},
						{Batch: 500, Morsel: 2, Threads: 3, Forms: true, Seed: 9},
					} {
						src := &exectest.Source{Tables: tables, Setting: set}
						rows, err := Open(t.Context(), &Config{Plan: n, Snap: src, Threads: set.Threads})
						if err != nil {
							t.Fatal(err)
						}
						got, err := exectest.Collect(t.Context(), rows)
						if err != nil {
							t.Fatal(err)
						}
						if want := texts(tab.Types, model[lo:h]); !slices.Equal(got, want) {
							t.Fatalf("%+v ties %v: got %q, want %q", set, ties, got, want)
						}
					}
				}
			})
		}
	}
}

func columnsOf(typs []types.Type, rows [][]types.Datum) []vec.Vector {
	var out []vec.Vector
	for c, t := range typs {
		b := vec.NewBuilder(t, len(rows))
		for _, r := range rows {
			b.Append(&r[c])
		}
		out = append(out, b.Finish())
	}
	return out
}

// TestParallelSort splits the rows into ranges for several workers.
func TestParallelSort(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	tab := &exectest.Table{Types: []types.Type{types.Int8, types.Text}}
	for i := range 5000 {
		d := types.Datum{I: int64(r.IntN(100) * r.IntN(100))}
		if r.IntN(50) == 0 {
			d = types.NullDatum
		}
		tab.Rows = append(tab.Rows, []types.Datum{d, {S: fmt.Sprint(i % 700)}})
	}
	scan := scanOf([]*exectest.Table{tab}, 0)
	q := newQuery(t.Context(), &Config{Threads: 3})
	q.sortSplit = 1000
	for _, k := range []order.Key{{Col: 0}, {Col: 0, Desc: true, NullsFirst: true}, {Col: 1}} {
		model := sortModel(tab, []plan.SortKey{{Expr: col(scan, k.Col), Desc: k.Desc, NullsFirst: k.NullsFirst}})
		set := &rowset{cols: columnsOf(tab.Types, tab.Rows), rows: len(tab.Rows)}
		rows, err := q.sortRows(t.Context(), set, []order.Key{k})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			if !slices.Equal(tab.Rows[row], model[i]) {
				t.Fatalf("%+v: row %d is %v, want %v", k, i, tab.Rows[row], model[i])
			}
		}
	}
}

// TestSortWords checks that words never contradict the order of values.
func TestSortWords(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for _, typ := range append(allTypes, types.Bpchar) {
		var ds []types.Datum
		for range 300 {
			d := randDatum(r, typ)
			switch typ.Phys() {
			case types.PhysF32, types.PhysF64:
				d.F = []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), d.F, d.F * 1e30}[r.IntN(7)]
			case types.PhysNum:
				d.N = types.Num{Lo: r.Uint64() >> r.IntN(64), Hi: int64(r.Uint64()) >> (1 + r.IntN(63)), Scale: int16(r.IntN(40))}
				if r.IntN(10) == 0 {
					d.N = types.Num{Kind: types.NumKind(r.IntN(4))}
				}
			case types.PhysInterval:
				d.Iv = types.IntervalVal{Micros: int64(r.Uint64()), Days: int32(r.Uint32()), Months: int32(r.Uint32())}
			}
			d.Null = false
			ds = append(ds, d)
		}
		v := exectest.Vector(typ, ds, vec.Flat)
		rows := make([]uint32, len(ds))
		for i := range rows {
			rows[i] = uint32(i)
		}
		for _, desc := range []bool{false, true} {
			w := make([]uint64, len(ds))
			exact := order.Words(w, &v, rows, desc)
			for i := range ds {
				for j := range ds {
					c := vec.Compare(&v, i, &v, j)
					if desc {
						c = -c
					}
					if c < 0 && w[i] > w[j] || c == 0 && w[i] != w[j] || exact && c != 0 && w[i] == w[j] {
						t.Fatalf("%v desc=%v: %+v ? %+v = %d, words %x %x", typ, desc, ds[i], ds[j], c, w[i], w[j])
					}
				}
			}
		}
	}
}

func TestLimit(t *testing.T) {
	tab := randTable(23, 1000, types.Int4, types.Text)
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	all := texts(tab.Types, tab.Rows)
	check(t, tables, scan, true, all) // plain scans are repeatable
	for _, c := range [][2]int64{{10, 0}, {0, 0}, {5, 998}, {3, 5000}, {-1, 990}} {
		n := &plan.Limit{In: scan, Count: intLit(c[0]), Offset: intLit(c[1])}
		lo := min(c[1], int64(len(all)))
		hi := min(lo+c[0], int64(len(all)))
		if c[0] < 0 {
			n.Count, hi = lit(types.Int8, types.NullDatum), int64(len(all))
		}
		check(t, tables, n, true, all[lo:hi])
	}
	if err := fails(t, tables, &plan.Limit{In: scan, Count: intLit(-1)}, Config{}); errs.CodeOf(err) != errs.InvalidLimit {
		t.Fatal(err)
	}
	if err := fails(t, tables, &plan.Limit{In: scan, Offset: intLit(-1)}, Config{}); errs.CodeOf(err) != errs.InvalidOffset {
		t.Fatal(err)
	}
}

func TestUnionAndSetOps(t *testing.T) {
	a, b := randTable(24, 400, types.Int2, types.Bool), randTable(25, 300, types.Int2, types.Bool)
	tables := []*exectest.Table{a, b}
	l, r := scanOf(tables, 0), scanOf(tables, 1)
	at, bt := texts(a.Types, a.Rows), texts(b.Types, b.Rows)
	check(t, tables, &plan.Union{Ins: []plan.Node{l, r, l}}, true, slices.Concat(at, bt, at))
	count := func(rows []string) map[string]int {
		m := map[string]int{}
		for _, s := range rows {
			m[s]++
		}
		return m
	}
	ac, bc := count(at), count(bt)
	for _, except := range []bool{false, true} {
		for _, all := range []bool{false, true} {
			var want []string
			for s, n := range ac {
				k := min(n, bc[s])
				if except {
					k = max(0, n-bc[s])
				}
				if !all {
					k = boolInt(bc[s] > 0 != except)
				}
				for range k {
					want = append(want, s)
				}
			}
			check(t, tables, &plan.SetOp{Except: except, All: all, L: l, R: r}, false, want)
		}
	}
}

func TestValuesAndProject(t *testing.T) {
	n := &plan.Values{Typs: []types.Type{types.Int4, types.Text}, Rows: [][]plan.Expr{
		{lit(types.Int4, types.Datum{I: 1}), lit(types.Text, types.Datum{S: "a longer string here"})},
		{lit(types.Int4, types.NullDatum), lit(types.Text, types.Datum{S: "b"})},
	}}
	p := &plan.Project{In: n, Exprs: []plan.Expr{col(n, 1), lit(types.Int8, types.Datum{I: 7}), col(n, 0)}}
	check(t, []*exectest.Table{{}}, p, true, []string{"a longer string here|7|1", "b|7|∅"})
}

func TestSubquery(t *testing.T) {
	tab := randTable(26, 50, types.Int4)
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	one := &plan.Values{Typs: []types.Type{types.Int4}, Rows: [][]plan.Expr{{lit(types.Int4, types.Datum{I: 1})}}}
	none := &plan.Limit{In: scan, Count: intLit(0)}
	for _, c := range []struct {
		sub  *plan.Subquery
		want string
	}{
		{&plan.Subquery{Plan: one, Typ: types.Int4}, "1"},
		{&plan.Subquery{Plan: none, Typ: types.Int4}, "∅"},
		{&plan.Subquery{Plan: scan, Exists: true, Typ: types.Bool}, "1"},
		{&plan.Subquery{Plan: none, Exists: true, Typ: types.Bool}, "0"},
	} {
		p := &plan.Project{In: one, Exprs: []plan.Expr{c.sub}}
		check(t, tables, p, true, []string{c.want})
	}
	p := &plan.Project{In: one, Exprs: []plan.Expr{&plan.Subquery{Plan: scan, Typ: types.Int4}}}
	if err := fails(t, tables, p, Config{}); errs.CodeOf(err) != errs.CardinalityViolation {
		t.Fatal(err)
	}
}

// TestSortBytes has strings with long common prefixes, zero bytes and
// duplicates.
func TestSortBytes(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	var rows [][]types.Datum
	for range 3000 {
		s := "the same beginning of all strings"[:r.IntN(2)*33]
		for range r.IntN(20) {
			s += string(rune("ab\x00"[r.IntN(3)]))
		}
		rows = append(rows, []types.Datum{{S: s}, {I: int64(r.IntN(3))}})
	}
	tab := &exectest.Table{Types: []types.Type{types.Text, types.Int4}, Rows: rows}
	tables := []*exectest.Table{tab}
	scan := scanOf(tables, 0)
	for _, desc := range []bool{false, true} {
		keys := []plan.SortKey{{Expr: col(scan, 0), Desc: desc}, {Expr: col(scan, 1)}}
		so := order.Sorter{Cols: columnsOf(tab.Types, rows), Keys: []order.Key{{Col: 0, Desc: desc}, {Col: 1}}}
		perm := make([]uint32, len(rows))
		for i := range perm {
			perm[i] = uint32(i)
		}
		so.Sort(perm)
		model := sortModel(tab, keys)
		for i, p := range perm {
			if !slices.Equal(rows[p], model[i]) {
				t.Fatalf("desc %v, row %d: %v, want %v", desc, i, rows[p], model[i])
			}
		}
	}
}
