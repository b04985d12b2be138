package segment

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"quern/storage/internal/memtable"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
)

// eventCols are ten columns of an event.
var eventCols = []Column{{ID: 1, Name: "ts", Type: types.Timestamptz}, {ID: 2, Name: "user_id", Type: types.Int8},
	{ID: 3, Name: "session", Type: types.UUID}, {ID: 4, Name: "kind", Type: types.Text}, {ID: 5, Name: "country", Type: types.Text},
	{ID: 6, Name: "url", Type: types.Text}, {ID: 7, Name: "ms", Type: types.Int4}, {ID: 8, Name: "bytes", Type: types.Int8},
	{ID: 9, Name: "price", Type: types.Float8}, {ID: 10, Name: "ok", Type: types.Bool}}

// eventSegment makes a segment of n events; times overlap with the next one's.
func eventSegment(b testing.TB, fs vfs.FS, dir string, k, n int, order []SortKey) *File {
	b.Helper()
	rng := rand.New(rand.NewPCG(uint64(k), 1))
	mem := memtable.NewTable()
	for from := 0; from < n; from += 8192 {
		one := vec.Batch{Len: min(8192, n-from)}
		var ids []uint32
		for c := range eventCols {
			bld := vec.NewBuilder(eventCols[c].Type, one.Len)
			for i := range one.Len {
				x := rng.Int64N(1 << 40)
				var d types.Datum
				switch c {
				case 0:
					d.I = int64(k*n*3/4+from+i)*1000 + x%500_000
				case 1:
					d.I = x % 100_000
				case 2:
					d.U = [16]byte{byte(x), byte(x >> 8), byte(x >> 16), 7, 4}
				case 3:
					d.S = fmt.Sprintf("kind-%d", x%12)
				case 4:
					d.S = fmt.Sprintf("c%d", x%180)
				case 5:
					d.S = fmt.Sprintf("https://example.org/path/%d/item?id=%d", x%50, x%(int64(n)/5+1))
				case 9:
					d.I = x & 1
				default:
					d.I, d.F = x%4000, float64(x%10000)/100
				}
				bld.Append(&d)
			}
			one.Cols = append(one.Cols, bld.Finish())
			ids = append(ids, eventCols[c].ID)
		}
		body, err := memtable.EncodeRows(nil, 1, ids, []*vec.Batch{&one})
		if err != nil {
			b.Fatal(err)
		}
		r, err := memtable.DecodeRows(body)
		if err != nil {
			b.Fatal(err)
		}
		mem.Append(r, int64(k), uint64(k+1))
	}
	spec := &Spec{ID: uint64(k + 1), Table: 5, Version: 1, Cols: eventCols, TimeCol: 1, Order: order, Reason: "flush"}
	name := fmt.Sprintf("%s/in%d", dir, k)
	if _, err := Build(context.Background(), fs, dir+"/tmp", name, spec, mem.List(), nil); err != nil {
		b.Fatal(err)
	}
	f, err := Open(fs, name, Expect{})
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// BenchmarkMerge is F7: one compaction pass over ten columns, ns per row; by time,
// and by a key under which every input's rows interleave with all others.
func BenchmarkMerge(b *testing.B) {
	for name, order := range map[string][]SortKey{"time": {{Col: 1}}, "user": {{Col: 2}, {Col: 1}}, "text": {{Col: 5}, {Col: 1}}} {
		b.Run(name, func(b *testing.B) {
			const inputs, rows = 8, 250_000
			dir := b.TempDir()
			ms := &MergeSpec{Spec: &Spec{Table: 5, Version: 1, Cols: eventCols, TimeCol: 1, Order: order, Reason: "merge"}, Partition: "all",
				Next: func(string) (Output, error) { return Output{ID: 99, Tmp: dir + "/t", Path: dir + "/s"}, nil }}
			for k := range inputs {
				f := eventSegment(b, vfs.OS{}, dir, k, rows, order)
				defer f.Close()
				ms.Inputs = append(ms.Inputs, Input{File: f})
			}
			b.ResetTimer()
			cpu := cpuTime(b)
			for range b.N {
				if _, err := Merge(context.Background(), vfs.OS{}, ms); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/inputs/rows, "ns/row")
			b.ReportMetric(float64(cpuTime(b)-cpu)/float64(b.N)/inputs/rows, "cpu-ns/row")
			b.StopTimer()
			f, err := Open(vfs.OS{}, dir+"/s", Expect{})
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			if err := f.Verify(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// cpuTime is what the process used: of a busy machine the clock says little.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
