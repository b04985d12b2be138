package storage_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// BenchmarkCommit measures durable acks of small commits on the real file
// system: acks per second and latency by number of clients.
func BenchmarkCommit(b *testing.B) {
	for _, clients := range []int{1, 16, 128, 512} {
		for _, rows := range []int{1, 100} {
			b.Run(fmt.Sprintf("clients=%d/rows=%d", clients, rows), func(b *testing.B) { benchCommit(b, clients, rows) })
		}
	}
}

func benchCommit(b *testing.B, clients, rows int) {
	s := open(b, storage.Options{Dir: b.TempDir(), Manual: true})
	defer s.Close()
	createTable(b, s, events(tab))
	list := make([]int64, rows)
	for i := range list {
		list[i] = int64(i)
	}
	lat := make([][]time.Duration, clients)
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				start := time.Now()
				if _, err := s.Commit(context.Background(), &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, list...)}}); err != nil {
					b.Error(err)
					return
				}
				lat[c] = append(lat[c], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	all := slices.Concat(lat...)
	slices.Sort(all)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkBulk commits batches of 64 × 2,048 rows of ten columns.
func BenchmarkBulk(b *testing.B) {
	s := open(b, storage.Options{Dir: b.TempDir(), Manual: true})
	defer s.Close()
	t := events(tab)
	t.Columns = t.Columns[:2]
	for i := range 8 {
		t.Columns = append(t.Columns, columnOf(uint32(5+i)))
	}
	createTable(b, s, t)
	tr := rowsOf(tab, make([]int64, 2048)...)
	for i := range 8 {
		v := vec.NewBuilder(types.Int8, 2048)
		for k := range 2048 {
			vec.AppendFixed(v, int64(k*i))
		}
		tr.Cols = append(tr.Cols, uint32(5+i))
		tr.Batches[0].Cols = append(tr.Batches[0].Cols, v.Finish())
	}
	for range 63 {
		tr.Batches = append(tr.Batches, tr.Batches[0])
	}
	const rows = 64 * 2048
	b.SetBytes(rows * (9*8 + 24))
	b.ResetTimer()
	for range b.N {
		if _, err := s.Commit(context.Background(), &storage.Commit{Tables: []storage.TableRows{tr}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

// BenchmarkFlushAndRecover flushes one million rows of ten columns, and replays
// a log with as many.
func BenchmarkFlushAndRecover(b *testing.B) {
	for range b.N {
		dir := b.TempDir()
		s := open(b, storage.Options{Dir: dir, Manual: true})
		t := events(tab)
		t.Columns = t.Columns[:2]
		for i := range 8 {
			t.Columns = append(t.Columns, columnOf(uint32(5+i)))
		}
		createTable(b, s, t)
		load := func() {
			for c := range int64(16) {
				tr := storage.TableRows{Table: tab, Cols: []uint32{1, 2, 5, 6, 7, 8, 9, 10, 11, 12}}
				for k := range int64(32) {
					one := rowsOf(tab, seq((c*32+k)*2048, 2048)...)
					for i := range 8 {
						v := vec.NewBuilder(types.Int8, 2048)
						for k := range 2048 {
							vec.AppendFixed(v, int64(k*i))
						}
						one.Batches[0].Cols = append(one.Batches[0].Cols, v.Finish())
					}
					tr.Batches = append(tr.Batches, one.Batches[0])
				}
				if _, err := s.Commit(context.Background(), &storage.Commit{Tables: []storage.TableRows{tr}}); err != nil {
					b.Fatal(err)
				}
			}
		}
		load()
		start := time.Now()
		if err := s.Flush(context.Background(), 0); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(start).Nanoseconds())/(16*65536), "flush-ns/row")
		load()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		start = time.Now()
		s = open(b, storage.Options{Dir: dir, Manual: true})
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "recover-ms")
		n := s.Snapshot()
		b.ReportMetric(float64(n.Size(tab).Bytes)/(16*65536), "segment-B/row")
		n.Close()
		_ = s.Close()
	}
}

// BenchmarkOpen opens a table of 1,000 segments and 100 columns: the bar is 200 ms,
// and memory that what queries touch decides.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	opts := storage.Options{Dir: dir, Manual: true, NoCompaction: true, WALRollAge: time.Nanosecond}
	s := open(b, opts)
	t := events(tab)
	for i := range 96 {
		t.Columns = append(t.Columns, columnOf(uint32(5+i)))
	}
	t.NextCol = 101
	createTable(b, s, t)
	tr := rowsOf(tab, seq(0, 100)...)
	for i := range 96 {
		v := vec.NewBuilder(types.Int8, 100)
		for k := range 100 {
			vec.AppendFixed(v, int64(k*i))
		}
		tr.Cols = append(tr.Cols, uint32(5+i))
		tr.Batches[0].Cols = append(tr.Batches[0].Cols, v.Finish())
	}
	for range 1000 {
		commit(b, s, &storage.Commit{Tables: []storage.TableRows{tr}})
		if err := s.Flush(context.Background(), 0); err != nil {
			b.Fatal(err)
		}
	}
	for more, err := true, error(nil); more; {
		if more, err = s.Step(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	var before, after runtime.MemStats
	s = nil
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for range b.N {
		s = open(b, opts)
		if b.N == 1 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/1e6, "MB")
		}
		_ = s.Close()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/open")
}
