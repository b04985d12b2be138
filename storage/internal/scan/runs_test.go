package scan

import (
	"math"
	"testing"

	"quern/storage/policy"
	"quern/storage/types"
)

// TestPredicatesByRun: predicates on SPARSE and RLE pages, with and without NULLs,
// alone and after another, select what they select on values.
func TestPredicatesByRun(t *testing.T) {
	tab := modelTable()
	rows := make([]modelRow, 5000)
	for i := range rows {
		vals := make([]types.Datum, len(modelTypes))
		for c := range vals {
			vals[c] = types.NullDatum
		}
		vals[2] = types.Datum{I: int64(i % 14 / 13 * (i % 200))}
		vals[3] = vals[2]
		if i%100 == 7 {
			vals[3] = types.NullDatum
		}
		vals[4] = types.Datum{I: int64(i/40*4) << 30}
		rows[i] = modelRow{vals, day, 1}
	}
	f := buildSegment(t, testFS(t), modelSpec(tab, 1), modelMemtable(t, rows).List(), nil)
	g := &govern{info: policy.TableInfo{ID: tab.ID, Grants: []policy.Grant{{Role: 77, Priv: policy.Select}}}}
	m := modelCase{view: g.view(t, 0), floor: math.MinInt64, cols: []uint32{3, 4, 5}}
	for op := Eq; op <= In; op++ {
		for col := range m.cols {
			for _, v := range []int64{0, 13, 55, 400 << 30} {
				if col < 2 && v > math.MaxInt16 {
					continue
				}
				p := Pred{Col: col, Op: op, Val: types.Datum{I: v}, Vals: []types.Datum{{I: v}, {I: 27}}}
				for _, preds := range [][]Pred{{p}, {{Col: 2, Op: Ge, Val: types.Datum{I: 80 << 30}}, p}} {
					m.preds = preds
					s, err := New(&Spec{View: m.view, Table: tab, Cols: m.cols, Preds: preds})
					if err != nil {
						t.Fatal(err)
					}
					r, err := s.Group(f, 0, Place{})
					if err != nil {
						t.Fatal(err)
					}
					m.check(t, r, rows)
				}
			}
		}
	}
}
