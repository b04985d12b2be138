package scan

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"quern/storage/catalog"
	"quern/storage/internal/memtable"
	"quern/storage/internal/segment"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

func benchTable(b *testing.B) (*catalog.Table, memtable.List, *segment.File) {
	b.Helper()
	n := segment.GroupRows
	tab := &catalog.Table{ID: 9, Name: "g"}
	for i, t := range []types.Type{types.Timestamptz, types.Int4, types.Text, types.Text, types.Float8, types.NumericType(10, 2)} {
		tab.Columns = append(tab.Columns, catalog.Column{ID: uint32(i + 1), Name: fmt.Sprint("c", i), Type: t})
	}
	rng := rand.New(rand.NewPCG(1, 1))
	mem := memtable.NewTable()
	for seq := range uint64(n / 1024) {
		var cols []vec.Vector
		for i := range tab.Columns {
			bld := vec.NewBuilder(tab.Columns[i].Type, 1024)
			for k := range 1024 {
				switch i {
				case 0:
					vec.AppendFixed(bld, int64(seq)*1e6+int64(k))
				case 1:
					vec.AppendFixed(bld, rng.Int32N(5000))
				case 2:
					bld.AppendBytes(fmt.Appendf(nil, "a repeated value, %d", rng.IntN(2000)))
				case 3:
					bld.AppendBytes(fmt.Appendf(nil, "not a repeated value, %x", rng.Uint64()))
				case 4:
					vec.AppendFixed(bld, rng.Float64())
				case 5:
					vec.AppendFixed(bld, types.Num{Lo: uint64(rng.IntN(100000)), Scale: 2})
				}
			}
			cols = append(cols, bld.Finish())
		}
		body, err := memtable.EncodeRows(nil, 1, []uint32{1, 2, 3, 4, 5, 6}, []*vec.Batch{{Len: 1024, Cols: cols}})
		if err != nil {
			b.Fatal(err)
		}
		r, err := memtable.DecodeRows(body)
		if err != nil {
			b.Fatal(err)
		}
		mem.Append(r, int64(seq), seq+1)
	}
	spec := &segment.Spec{ID: 1, Table: 9, TimeCol: 1}
	for _, c := range tab.Columns {
		spec.Cols = append(spec.Cols, segment.Column{ID: c.ID, Name: c.Name, Type: c.Type, Missing: types.NullDatum})
	}
	return tab, mem.List(), buildSegment(b, testFS(b), spec, mem.List(), nil)
}

func BenchmarkScan(b *testing.B) {
	tab, slabs, file := benchTable(b)
	g := &govern{info: policy.TableInfo{ID: 9, Grants: []policy.Grant{{Priv: policy.Select}}}}
	view := g.view(b, 0)
	for _, q := range []struct {
		name  string
		cols  []uint32
		preds []Pred
	}{
		{"ts", []uint32{1}, nil},
		{"int4", []uint32{2}, nil},
		{"dict", []uint32{3}, nil},
		{"text", []uint32{4}, nil},
		{"float8", []uint32{5}, nil},
		{"numeric", []uint32{6}, nil},
		{"int4<10", []uint32{2}, []Pred{{Op: Lt, Val: types.Datum{I: 10}}}},
		{"int4<2500", []uint32{2}, []Pred{{Op: Lt, Val: types.Datum{I: 2500}}}},
		{"dict=", []uint32{3}, []Pred{{Op: Eq, Val: types.Datum{S: "a repeated value, 77"}}}},
		{"text=", []uint32{4}, []Pred{{Op: Eq, Val: types.Datum{S: "not a repeated value, 77"}}}},
		{"int4<10,text", []uint32{2, 4}, []Pred{{Op: Lt, Val: types.Datum{I: 10}}}},
	} {
		s, err := New(&Spec{View: view, Table: tab, Cols: q.cols, Preds: q.preds})
		if err != nil {
			b.Fatal(err)
		}
		read := func(r *Reader) {
			if r == nil {
				return
			}
			for k := range r.Batches() {
				_, sel, err := r.Start(b.Context(), k)
				if err != nil {
					b.Fatal(err)
				}
				if sel != nil && len(sel) == 0 {
					continue
				}
				var v vec.Vector
				for c := range q.cols {
					if err := r.Load(c, sel, &v); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
		report := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(segment.GroupRows), "ns/row")
		}
		b.Run("slab/"+q.name, func(b *testing.B) {
			for b.Loop() {
				for _, v := range slabs {
					read(s.Slab(v, Place{}))
				}
			}
			report(b)
		})
		b.Run("segment/"+q.name, func(b *testing.B) {
			for b.Loop() {
				r, err := s.Group(file, 0, Place{})
				if err != nil {
					b.Fatal(err)
				}
				read(r)
			}
			report(b)
		})
	}
}
