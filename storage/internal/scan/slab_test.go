package scan

import (
	"math/rand/v2"
	"testing"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// TestSlabsMatchModel compares scans of slabs with the model over random rows,
// masks, floors and predicates.
func TestSlabsMatchModel(t *testing.T) {
	tab := modelTable()
	for seed := range uint64(7) {
		rng := rand.New(rand.NewPCG(seed, 7))
		rows := modelRows(rng, 1+rng.IntN(20_000))
		mem := modelMemtable(t, rows)
		for range 8 {
			m := modelScan(t, rng, tab, rows)
			s, err := New(&Spec{View: m.view, Table: tab, Cols: m.cols, Preds: m.preds})
			if err != nil {
				t.Fatal(err)
			}
			at := 0
			for _, v := range mem.List() {
				m.check(t, s.Slab(v, Place{}), rows[at:at+v.Rows])
				at += v.Rows
			}
		}
	}
}

func TestMissingColumnsAndWidening(t *testing.T) {
	tab := modelTable()
	rng := rand.New(rand.NewPCG(1, 7))
	rows := modelRows(rng, 3000)
	mem := modelMemtable(t, rows)
	five := "5"
	tab.Columns = append(tab.Columns, catalog.Column{ID: 50, Name: "later", Type: types.Int4, Missing: &five},
		catalog.Column{ID: 51, Name: "null", Type: types.Text})
	tab.Columns[3].Type = types.Int8 // was int4
	g := &govern{info: policy.TableInfo{ID: tab.ID, Grants: []policy.Grant{{Priv: policy.Select}}}}
	s, err := New(&Spec{View: g.view(t, 0), Table: tab, Cols: []uint32{50, 51, 4},
		Preds: []Pred{{Col: 0, Op: Eq, Val: types.Datum{I: 5}}, {Col: 1, Op: IsNull}, {Col: 2, Op: Ge, Val: types.Datum{I: -100}}}})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Slab(mem.List()[0], Place{})
	_, sel, err := r.Start(t.Context(), 0)
	if err != nil || len(sel) == 0 {
		t.Fatal(sel, err)
	}
	var a, b, c vec.Vector
	for k, v := range []*vec.Vector{&a, &b, &c} {
		if err := r.Load(k, sel, v); err != nil {
			t.Fatal(err)
		}
	}
	i := int(sel[3])
	if a.Datum(i).I != 5 || !b.Null(i) || c.Datum(i).I != rows[i].vals[3].I {
		t.Fatalf("row %d: %v %v %v", i, a.Datum(i), b.Datum(i), c.Datum(i))
	}
	s, _ = New(&Spec{View: g.view(t, 0), Table: tab, Cols: []uint32{50}, Preds: []Pred{{Col: 0, Op: Lt, Val: types.Datum{I: 5}}}})
	r = s.Slab(mem.List()[0], Place{})
	if _, sel, err := r.Start(t.Context(), 0); err != nil || sel == nil || len(sel) > 0 {
		t.Fatal("a default of 5 is not below 5", sel, err)
	}
}

func TestScanRefusesUnreadableColumns(t *testing.T) {
	tab := modelTable()
	g := &govern{info: policy.TableInfo{ID: tab.ID, Grants: []policy.Grant{{Priv: policy.Select, Cols: []uint32{1}}}}}
	if _, err := New(&Spec{View: g.view(t, 0), Table: tab, Cols: []uint32{1}}); err != nil {
		t.Fatal(err)
	}
	if _, err := New(&Spec{View: g.view(t, 0), Table: tab, Cols: []uint32{1, 2}}); errs.CodeOf(err) != errs.InsufficientPrivilege {
		t.Fatal(err)
	}
}
