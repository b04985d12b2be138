package scan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"quern/storage/catalog"
	"quern/storage/internal/memtable"
	"quern/storage/internal/segment"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

func testFS(t testing.TB) vfs.FS {
	t.Helper()
	fs := crashfs.New()
	if err := fs.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	return fs
}

func modelSpec(tab *catalog.Table, id uint64) *segment.Spec {
	s := &segment.Spec{ID: id, Table: tab.ID, Version: tab.Version, TimeCol: 1, Writer: "test", Reason: "flush"}
	for _, c := range tab.Columns {
		s.Cols = append(s.Cols, segment.Column{ID: c.ID, Name: c.Name, Type: c.Type, Missing: types.NullDatum})
	}
	return s
}

func buildSegment(t testing.TB, fs vfs.FS, spec *segment.Spec, l memtable.List, rows []uint32) *segment.File {
	t.Helper()
	path := fmt.Sprintf("d/%d.qseg", spec.ID)
	info, err := segment.Build(context.Background(), fs, path+".tmp", path, spec, l, rows)
	if err != nil {
		t.Fatal(err)
	}
	f, err := segment.Open(fs, path, segment.Expect{ID: spec.ID, Length: info.Length, TrailerCRC: info.TrailerCRC})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// sortModel orders rows as Build does: NULL greatest, equal keys keep order.
func sortModel(rows []modelRow, order []segment.SortKey) []modelRow {
	out := slices.Clone(rows)
	slices.SortStableFunc(out, func(a, b modelRow) int {
		for _, o := range order {
			x, y := a.vals[o.Col-1], b.vals[o.Col-1]
			c := 0
			switch {
			case x.Null && y.Null:
			case x.Null:
				c = 1
			case y.Null:
				c = -1
			default:
				c = compareDatum(modelTypes[o.Col-1], x, y)
			}
			if o.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	return out
}

// TestSegmentsMatchModel: the same rows, sorted and partly left out, read from a
// segment, answer as the model does; so slabs and segments answer alike.
func TestSegmentsMatchModel(t *testing.T) {
	tab := modelTable()
	fs := testFS(t)
	for seed := range uint64(7) {
		rng := rand.New(rand.NewPCG(seed, 9))
		rows := modelRows(rng, 1+rng.IntN(14_000))
		mem := modelMemtable(t, rows)
		spec := modelSpec(tab, seed+1)
		for range rng.IntN(3) {
			// char(n) is stored in byte order, which its blanks make another one.
			if col := uint32(1 + rng.IntN(len(modelTypes))); modelTypes[col-1] != types.Bpchar {
				spec.Order = append(spec.Order, segment.SortKey{Col: col, Desc: rng.IntN(2) == 0})
			}
		}
		var keep []uint32
		kept := rows
		if rng.IntN(2) == 0 {
			keep, kept = []uint32{}, nil
			for i := range rows {
				if rng.IntN(3) > 0 || i == 0 {
					keep, kept = append(keep, uint32(i)), append(kept, rows[i])
				}
			}
		}
		f := buildSegment(t, fs, spec, mem.List(), keep)
		kept = sortModel(kept, spec.Order)
		for range 8 {
			m := modelScan(t, rng, tab, kept)
			s, err := New(&Spec{View: m.view, Table: tab, Cols: m.cols, Preds: m.preds})
			if err != nil {
				t.Fatal(err)
			}
			r, err := s.Group(f, 0, Place{})
			if err != nil {
				t.Fatal(err)
			}
			m.check(t, r, kept)
		}
	}
}

// TestDictionaryStaysInside: a dictionary leaves the reader only if every row of
// the row group is visible and the column has no mask.
func TestDictionaryStaysInside(t *testing.T) {
	tab := modelTable()
	rng := rand.New(rand.NewPCG(3, 9))
	rows := modelRows(rng, 8000)
	for i := range rows {
		rows[i].vals[10] = types.Datum{S: []string{"seen", "hidden, and longer than inline"}[i/4000]}
		rows[i].vals[0] = types.Datum{I: int64(2-i/4000) * day}
		rows[i].recv = 3 * day
	}
	f := buildSegment(t, testFS(t), modelSpec(tab, 1), modelMemtable(t, rows).List(), nil)
	for _, floor := range []int64{day / 2, 2 * day} {
		g := &govern{info: policy.TableInfo{ID: tab.ID, TimeCol: 1, Floor: floor, Grants: []policy.Grant{{Priv: policy.Select}}}}
		s, err := New(&Spec{View: g.view(t, 0), Table: tab, Cols: []uint32{11}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Group(f, 0, Place{})
		if err != nil {
			t.Fatal(err)
		}
		_, sel, err := r.Start(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		var v vec.Vector
		if err := r.Load(0, sel, &v); err != nil {
			t.Fatal(err)
		}
		if want := floor == day/2; (v.Form == vec.Dict) != want {
			t.Fatalf("floor %d: form %d", floor, v.Form)
		}
		if v.Form == vec.Dict && (v.Dict.Values.Len != 2 || !v.Dict.Sorted || v.Dict.Hashes[0] != vec.HashBytes([]byte("hidden, and longer than inline"))) {
			t.Fatalf("dictionary %+v", v.Dict)
		}
	}
}

// TestRowGroups reads a segment of several row groups.
func TestRowGroups(t *testing.T) {
	n := segment.GroupRows + 5000
	tab := &catalog.Table{ID: 9, Name: "g", Columns: []catalog.Column{{ID: 1, Name: "k", Type: types.Int8}, {ID: 2, Name: "s", Type: types.Text}}}
	mem := memtable.NewTable()
	a, b := vec.NewBuilder(types.Int8, n), vec.NewBuilder(types.Text, n)
	for i := range n {
		vec.AppendFixed(a, int64(n-i)*3)
		b.AppendBytes(fmt.Appendf(nil, "value %d", i%1000))
	}
	body, err := memtable.EncodeRows(nil, 1, []uint32{1, 2}, []*vec.Batch{{Len: n, Cols: []vec.Vector{a.Finish(), b.Finish()}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := memtable.DecodeRows(body)
	if err != nil {
		t.Fatal(err)
	}
	mem.Append(r, 5, 6)
	spec := &segment.Spec{ID: 7, Table: 9, Order: []segment.SortKey{{Col: 1}}, Cols: []segment.Column{{ID: 1, Type: types.Int8}, {ID: 2, Type: types.Text}}}
	f := buildSegment(t, testFS(t), spec, mem.List(), nil)
	if len(f.Groups()) != 2 || f.Groups()[1].Rows != 5000 || f.Groups()[0].SeqMax != 6 || f.Groups()[1].ReceivedMin != 5 {
		t.Fatalf("groups %+v", f.Groups())
	}
	g := &govern{info: policy.TableInfo{ID: 9, Grants: []policy.Grant{{Priv: policy.Select}}}}
	s, err := New(&Spec{View: g.view(t, 0), Table: tab, Cols: []uint32{2, 1},
		Preds: []Pred{{Col: 1, Op: Gt, Val: types.Datum{I: int64(segment.GroupRows)*3 - 30}}}})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for k := range 2 {
		r, err := s.Group(f, k, Place{})
		if err != nil {
			t.Fatal(err)
		}
		for batch := range r.Batches() {
			_, sel, err := r.Start(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			var v, key vec.Vector
			if sel == nil || len(sel) > 0 {
				if err := r.Load(0, sel, &v); err != nil {
					t.Fatal(err)
				}
				if err := r.Load(1, sel, &key); err != nil {
					t.Fatal(err)
				}
			}
			each(sel, v.Len, func(i uint16) {
				total++
				k := key.Datum(int(i)).I
				if want := fmt.Sprintf("value %d", (n-int(k/3))%1000); v.Datum(int(i)).S != want {
					t.Fatalf("key %d: %q, want %q", k, v.Datum(int(i)).S, want)
				}
			})
		}
	}
	if total != 5010 {
		t.Fatalf("%d rows", total)
	}
}

// TestReadersShareAFile is for the race detector: pages and dictionaries are
// opened by whoever comes first.
func TestReadersShareAFile(t *testing.T) {
	tab := modelTable()
	rng := rand.New(rand.NewPCG(3, 9))
	rows := modelRows(rng, 3000)
	f := buildSegment(t, testFS(t), modelSpec(tab, 1), modelMemtable(t, rows).List(), nil)
	g := &govern{info: policy.TableInfo{ID: tab.ID, Grants: []policy.Grant{{Priv: policy.Select}}}}
	s, err := New(&Spec{View: g.view(t, 0), Table: tab, Cols: []uint32{1, 8, 11, 13}})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r, err := s.Group(f, 0, Place{})
			if err != nil {
				t.Error(err)
				return
			}
			for b := range r.Batches() {
				_, sel, err := r.Start(context.Background(), b)
				for k := range 4 {
					var v vec.Vector
					if err == nil {
						err = r.Load(k, sel, &v)
					}
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
