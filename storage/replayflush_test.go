package storage_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"quern/storage"
	"quern/storage/vfs/crashfs"
)

// TestReplayWithinMemory opens a folder whose log holds more rows than memory may
// now: replay writes segments, and the power goes at every third operation of that start.
// Rows that frames behind a flush delete stay away, those of frames behind it come
// once.
func TestReplayWithinMemory(t *testing.T) {
	fsys, c := crashfs.New(), newClock()
	opts := options(fsys, c)
	s := open(t, opts)
	createTable(t, s, events(100))
	want := []int64{}
	for i := range int64(60) {
		commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(100, seq(1000*i, 50)...)}})
		want = append(want, seq(1000*i, 50)...)
		if i == 20 {
			createTable(t, s, events(101))
			commit(t, s, &storage.Commit{Deletes: []*storage.DeleteSet{{Table: 100, All: true}}, Tables: []storage.TableRows{rowsOf(100, 7), rowsOf(101, 8)}})
			want = []int64{7}
		}
		if i%7 == 3 { // old and new rows
			gone := map[int64]bool{want[0]: true, want[len(want)/2]: true, want[len(want)-1]: true}
			n := s.Snapshot()
			d, err := n.Rows(100, addresses(t, n, 100, c, gone))
			if err != nil {
				t.Fatal(err)
			}
			commit(t, s, &storage.Commit{Deletes: []*storage.DeleteSet{d}})
			n.Close()
			want = slices.DeleteFunc(want, func(id int64) bool { return gone[id] })
		}
	}
	closeStore(t, s)

	small := func(f *crashfs.FS) storage.Options {
		o := opts
		o.FS, o.MemBytesMax = f, 100<<10
		return o
	}
	check := func(f *crashfs.FS, when int64) {
		s := open(t, small(f))
		n := s.Snapshot()
		if got := ids(t, s, 100, c.Now()); !slices.Equal(got, want) {
			t.Fatalf("cut %d: %d rows, want %d", when, len(got), len(want))
		}
		if got := ids(t, s, 101, c.Now()); !slices.Equal(got, []int64{8}) {
			t.Fatalf("cut %d: rows %v of the other table", when, got)
		}
		if segs, used := len(n.Segments(100)), s.Info().MemBytes; segs < 2 || used > 100<<10 {
			t.Fatalf("cut %d: %d segments, %d bytes in memory", when, segs, used)
		}
		n.Close()
		closeStore(t, s)
		if problems, err := storage.Check(f, "data"); err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
	}
	rng := rand.New(rand.NewPCG(1, 5))
	cuts := 0
	for at := int64(1); ; at += 3 {
		f := fsys.CrashClone(rng, 100)
		f.CutAt(at, at%2 == 0, rng, int(at%5)*25)
		s, err := storage.Open(small(f))
		if err == nil && !f.Lost() {
			f.CutAt(1<<40, false, rng, 0)
			closeStore(t, s)
			check(f, at)
			break
		}
		if err == nil {
			_ = s.Close()
		}
		cuts++
		check(f.Cut(rng, 0), at)
	}
	if cuts < 20 {
		t.Fatalf("only %d cuts", cuts)
	}
}
