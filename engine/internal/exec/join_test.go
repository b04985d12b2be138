package exec

import (
	"fmt"
	"slices"
	"testing"

	"quern/engine/internal/exectest"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
)

// joinModel computes a join by looking at all pairs. residual compares the
// third columns for equality.
func joinModel(kind plan.JoinKind, l, r *exectest.Table, keys []int, residual bool) []string {
	typs, rows := joinRows(kind, l, r, keys, residual)
	return texts(typs, rows)
}

func joinRows(kind plan.JoinKind, l, r *exectest.Table, keys []int, residual bool) (typs []types.Type, out [][]types.Datum) {
	nl, nr := make([]types.Datum, len(l.Types)), make([]types.Datum, len(r.Types))
	for i := range nl {
		nl[i] = types.NullDatum
	}
	for i := range nr {
		nr[i] = types.NullDatum
	}
	typs = slices.Clone(l.Types)
	switch kind {
	case plan.Semi, plan.Anti, plan.AntiNull:
	case plan.Mark:
		typs = append(typs, types.Bool)
	default:
		typs = append(typs, r.Types...)
	}
	pair := func(a, b []types.Datum) { out = append(out, append(slices.Clone(a), b...)) }
	hitR := make([]bool, len(r.Rows))
	for _, a := range l.Rows {
		hit, unknown := false, false
		for j, b := range r.Rows {
			// three-valued: 1 true, 0 unknown, -1 false
			v := 1
			for _, k := range keys {
				switch {
				case a[k].Null || b[k].Null:
					v = min(v, 0)
				case exectest.Compare(l.Types[k], &a[k], &b[k]) != 0:
					v = -1
				}
			}
			if residual && (a[2].Null || b[2].Null || a[2].I != b[2].I) {
				v = -1
			}
			if v == 0 {
				unknown = true
			}
			if v == 1 {
				hit, hitR[j] = true, true
				switch kind {
				case plan.Inner, plan.Left, plan.Right, plan.Full, plan.Cross:
					pair(a, b)
				}
			}
		}
		marked := func(d types.Datum) { out = append(out, append(slices.Clone(a), d)) }
		switch {
		case (kind == plan.Left || kind == plan.Full) && !hit:
			pair(a, nr)
		case kind == plan.Semi && hit, kind == plan.Anti && !hit, kind == plan.AntiNull && !hit && !unknown:
			out = append(out, a)
		case kind == plan.Mark && hit:
			marked(types.Datum{I: 1})
		case kind == plan.Mark && unknown:
			marked(types.NullDatum)
		case kind == plan.Mark:
			marked(types.Datum{})
		}
	}
	if kind == plan.Right || kind == plan.Full {
		for j, b := range r.Rows {
			if !hitR[j] {
				pair(nl, b)
			}
		}
	}
	return typs, out
}

func TestJoin(t *testing.T) {
	typs := []types.Type{types.Int4, types.Text, types.Int2, types.Numeric}
	l, r := randTable(11, 120, typs...), randTable(12, 40, typs...)
	small, empty := randTable(13, 4, typs...), &exectest.Table{Types: typs}
	noNulls := &exectest.Table{Types: typs}
	for _, row := range r.Rows {
		if !row[0].Null && !row[1].Null {
			noNulls.Rows = append(noNulls.Rows, row)
		}
	}
	eq := &plan.Distinct{L: &plan.Col{Index: 2, Typ: types.Int2}, R: &plan.Col{Index: 6, Typ: types.Int2}, Not: true}
	notNull := &plan.IsNull{Arg: &plan.Col{Index: 2, Typ: types.Int2}, Not: true}
	residual := &plan.And{Args: []plan.Expr{eq, notNull}}
	for _, kind := range []plan.JoinKind{plan.Inner, plan.Left, plan.Right, plan.Full, plan.Semi, plan.Anti, plan.AntiNull, plan.Mark} {
		for _, keys := range [][]int{{0}, {1}, {3}, {0, 1}, {}} {
			for _, res := range []bool{false, true} {
				for ri, right := range []*exectest.Table{r, small, empty, noNulls} {
					if len(keys) == 0 && !res && ri == 0 && kind != plan.Inner {
						continue // the same as with the small table, only slow
					}
					tables := []*exectest.Table{l, right}
					n := &plan.Join{Kind: kind, Left: scanOf(tables, 0), Right: scanOf(tables, 1)}
					for _, k := range keys {
						n.LeftKeys = append(n.LeftKeys, col(n.Left, k))
						n.RightKeys = append(n.RightKeys, col(n.Right, k))
					}
					if res {
						n.Residual = residual
					}
					want := joinModel(kind, l, right, keys, res)
					t.Run(fmt.Sprint(kind, keys, res, ri), func(t *testing.T) {
						check(t, tables, n, false, want)
					})
				}
			}
		}
	}
}

// TestJoinSwaps makes the executor build on the left side.
func TestJoinSwaps(t *testing.T) {
	typs := []types.Type{types.Int4, types.Text, types.Int2}
	l, r := randTable(14, 20, typs...), randTable(15, 300, typs...)
	tables := []*exectest.Table{l, r}
	same := &plan.Distinct{L: &plan.Col{Index: 2, Typ: types.Int2}, R: &plan.Col{Index: 5, Typ: types.Int2}, Not: true}
	notNull := &plan.IsNull{Arg: &plan.Col{Index: 2, Typ: types.Int2}, Not: true}
	for _, kind := range []plan.JoinKind{plan.Inner, plan.Left, plan.Right, plan.Full, plan.Semi, plan.Anti} {
		for _, res := range []bool{false, true} {
			for _, keys := range [][]int{{0}, {0, 1}, {}} {
				if len(keys) == 0 && !res && kind != plan.Semi {
					continue
				}
				// The estimates of the plan decide if it has some.
				n := &plan.Join{Kind: kind, Left: scanOf(tables, 0), Right: scanOf(tables, 1), LeftRows: 10, RightRows: 1000}
				for _, k := range keys {
					n.LeftKeys, n.RightKeys = append(n.LeftKeys, col(n.Left, k)), append(n.RightKeys, col(n.Right, k))
				}
				if res {
					n.Residual = &plan.And{Args: []plan.Expr{same, notNull}}
				}
				check(t, tables, n, false, joinModel(kind, l, r, keys, res))
			}
		}
	}
}

// TestJoinFilter joins through operators that a filter of the build side's keys
// passes: what is dropped below must not show above.
func TestJoinFilter(t *testing.T) {
	typs := []types.Type{types.Int4, types.Text, types.Int2}
	l, r, few := randTable(16, 200, typs...), randTable(17, 60, typs...), randTable(18, 5, typs...)
	tables := []*exectest.Table{l, r, few}
	for _, inner := range []plan.JoinKind{plan.Inner, plan.Left, plan.Right, plan.Full, plan.Semi, plan.Anti} {
		for _, key := range []int{0, 3} {
			low := &plan.Join{Kind: inner, Left: scanOf(tables, 0), Right: scanOf(tables, 1)}
			low.LeftKeys, low.RightKeys = []plan.Expr{col(low.Left, 1)}, []plan.Expr{col(low.Right, 1)}
			if key >= len(low.Types()) {
				continue
			}
			pairs := &exectest.Table{}
			pairs.Types, pairs.Rows = joinRows(inner, l, r, []int{1}, false)
			for _, kind := range []plan.JoinKind{plan.Inner, plan.Semi} {
				top := &plan.Join{Kind: kind, Left: low, Right: scanOf(tables, 2), LeftRows: 1000, RightRows: 5}
				top.LeftKeys, top.RightKeys = []plan.Expr{col(low, key)}, []plan.Expr{col(top.Right, 0)}
				t.Run(fmt.Sprint(inner, key, kind), func(t *testing.T) {
					check(t, tables, top, false, keyedModel(kind, pairs, few, key, 0))
				})
			}
		}
	}
}

// keyedModel joins column lk of l with column rk of r.
func keyedModel(kind plan.JoinKind, l, r *exectest.Table, lk, rk int) []string {
	var out []string
	all := append(slices.Clone(l.Types), r.Types...)
	for _, a := range l.Rows {
		hit := false
		for _, b := range r.Rows {
			if a[lk].Null || b[rk].Null || exectest.Compare(l.Types[lk], &a[lk], &b[rk]) != 0 {
				continue
			}
			hit = true
			if kind == plan.Inner {
				out = append(out, texts(all, [][]types.Datum{append(slices.Clone(a), b...)})...)
			}
		}
		if hit && kind == plan.Semi {
			out = append(out, texts(l.Types, [][]types.Datum{a})...)
		}
	}
	return out
}

func TestSingleJoin(t *testing.T) {
	typs := []types.Type{types.Int4}
	row := func(v int64) []types.Datum { return []types.Datum{{I: v}} }
	tables := []*exectest.Table{{Types: typs, Rows: [][]types.Datum{row(1), row(2)}}, {Types: typs, Rows: [][]types.Datum{row(2), row(3)}}}
	n := &plan.Join{Kind: plan.Single, Left: scanOf(tables, 0), Right: scanOf(tables, 1)}
	n.LeftKeys, n.RightKeys = []plan.Expr{col(n.Left, 0)}, []plan.Expr{col(n.Right, 0)}
	check(t, tables, n, false, []string{"1|∅", "2|2"})
	tables[1].Rows = append(tables[1].Rows, row(2))
	if err := fails(t, tables, n, Config{}); errs.CodeOf(err) != errs.CardinalityViolation {
		t.Fatal(err)
	}
}
