package storage_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs/crashfs"
)

// addresses finds where the rows with the given ids lie.
func addresses(t testing.TB, n *storage.Snapshot, table uint32, c *clock, ids map[int64]bool) []int64 {
	t.Helper()
	all := read(t, n, table, catalog.ColRowAddress, c.Now())
	keys := readPairs(t, n, table, c)
	var out []int64
	for _, a := range all {
		if ids[keys[a.I]] {
			out = append(out, a.I)
		}
	}
	return out
}

// readPairs gives the id of each address.
func readPairs(t testing.TB, n *storage.Snapshot, table uint32, c *clock) map[int64]int64 {
	t.Helper()
	sc, err := n.Scan(context.Background(), storage.ScanSpec{View: adminView(t, n, table, c.Now()), Cols: []uint32{1, catalog.ColRowAddress}})
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
	out := map[int64]int64{}
	for m := range sc.Morsels() {
		r, err := sc.Open(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		for b := range r.Batches() {
			rows, sel, err := r.Start(context.Background(), b)
			if err != nil {
				t.Fatal(err)
			}
			var id, at vec.Vector
			if r.Load(0, sel, &id) != nil || r.Load(1, sel, &at) != nil {
				t.Fatal("load")
			}
			for i := range rows {
				if sel == nil || slices.Contains(sel, uint16(i)) {
					out[at.Datum(i).I] = id.Datum(i).I
				}
			}
		}
	}
	return out
}

func idsOf(list []types.Datum) (out []int64) {
	for _, d := range list {
		out = append(out, d.I)
	}
	slices.Sort(out)
	return out
}

// TestDeletesAgainstModel runs deletes, updates, truncates, flushes, retiring of
// the log and restarts at random.
func TestDeletesAgainstModel(t *testing.T) {
	vectors := 0
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 21))
		fsys, c := crashfs.New(), newClock()
		opts := options(fsys, c)
		opts.WALFileBytes = 32 << 10
		s := open(t, opts)
		createTable(t, s, events(100))
		live := map[int64]bool{}
		next := int64(0)
		for range 120 {
			switch rng.IntN(10) {
			case 0, 1, 2:
				var ids []int64
				for range 1 + rng.IntN(200) {
					next++
					ids, live[next] = append(ids, next), true
				}
				// Two lists of one table in one frame.
				commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(100, ids[:len(ids)/2]...), rowsOf(100, ids[len(ids)/2:]...)}})
			case 3, 4, 5, 6:
				pick := map[int64]bool{}
				for id := range live {
					if rng.IntN(6) == 0 {
						pick[id] = true
					}
				}
				n := s.Snapshot()
				addrs := addresses(t, n, 100, c, pick)
				d, err := n.Rows(100, addrs)
				if err != nil || d.Rows() != int64(len(pick)) {
					t.Fatalf("seed %d: %d of %d rows, %v", seed, d.Rows(), len(pick), err)
				}
				before := idsOf(read(t, n, 100, 1, c.Now()))
				up := &storage.Commit{Deletes: []*storage.DeleteSet{d}}
				if rng.IntN(2) == 0 && len(pick) > 0 {
					id := vec.NewBuilder(types.Int8, len(addrs))
					at := readPairs(t, n, 100, c)
					rng.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
					for _, a := range addrs {
						vec.AppendFixed(id, at[a]+1_000_000)
						live[at[a]+1_000_000] = true
					}
					rows, err := n.Updated(context.Background(), 100, addrs, []uint32{1}, []*vec.Batch{{Len: len(addrs), Cols: []vec.Vector{id.Finish()}}})
					if err != nil {
						t.Fatal(err)
					}
					up.Tables = []storage.TableRows{*rows}
				}
				commit(t, s, up)
				for id := range pick {
					delete(live, id)
				}
				if !slices.Equal(before, idsOf(read(t, n, 100, 1, c.Now()))) {
					t.Fatalf("seed %d: an older snapshot changed", seed)
				}
				if len(pick) > 0 {
					if _, err := s.Commit(context.Background(), &storage.Commit{Deletes: []*storage.DeleteSet{d}}); errs.CodeOf(err) != errs.SerializationFailure {
						t.Fatalf("seed %d: deleting twice gave %v", seed, err)
					}
				}
				n.Close()
			case 7:
				if err := s.Flush(context.Background(), 0); err != nil {
					t.Fatal(err)
				}
			case 8:
				if rng.IntN(6) == 0 {
					clear(live) // with rows of the same frame, which stay
					next++
					live[next] = true
					commit(t, s, &storage.Commit{Deletes: []*storage.DeleteSet{{Table: 100, All: true}}, Tables: []storage.TableRows{rowsOf(100, next)}})
					if err := s.Flush(context.Background(), 0); err != nil {
						t.Fatal(err)
					}
				}
				c.Add(20 * 60e9)
				for more := true; more; {
					var err error
					if more, err = s.Step(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			default:
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if problems, err := storage.Check(fsys, "data"); err != nil || len(problems) > 0 {
					t.Fatal(err, problems)
				}
				opts.MemBytesMax = rng.Int64N(2) // 1: replay writes segments, 0: it does not
				s = open(t, opts)
			}
			n := s.Snapshot()
			got := idsOf(read(t, n, 100, 1, c.Now()))
			if len(got) != len(live) || slices.ContainsFunc(got, func(id int64) bool { return !live[id] }) {
				t.Fatalf("seed %d: %d rows, want %d", seed, len(got), len(live))
			}
			names := read(t, n, 100, 2, c.Now())
			for _, d := range names { // an update keeps what SET does not name
				if !strings.HasPrefix(d.S, "the name of row ") {
					t.Fatalf("name %q", d.S)
				}
			}
			n.Close()
		}
		vectors += len(vectorFiles(t, fsys))
		s.Close()
	}
	if vectors == 0 {
		t.Fatal("no delete vector was written")
	}
}

func vectorFiles(t testing.TB, fsys *crashfs.FS) []string { return filesOf(t, fsys, ".qdv") }

// filesOf lists the files of tables whose names end with suffix.
func filesOf(t testing.TB, fsys *crashfs.FS, suffix string) (out []string) {
	t.Helper()
	var walk func(dir string)
	walk = func(dir string) {
		names, err := fsys.List(dir)
		if err != nil {
			return
		}
		for _, n := range names {
			if strings.HasSuffix(n, suffix) {
				out = append(out, dir+"/"+n)
			} else if !strings.Contains(n, ".") {
				walk(dir + "/" + n)
			}
		}
	}
	walk("data/tables")
	return out
}

// TestVectorBitFlips flips bits of a delete vector: the segment is fenced, no
// row comes back, and the check names the file.
func TestVectorBitFlips(t *testing.T) {
	fsys, c := crashfs.New(), newClock()
	opts := options(fsys, c)
	opts.WALFileBytes, opts.NoCompaction = 32<<10, true // a merge would fold the vector in
	s := open(t, opts)
	createTable(t, s, events(100))
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(100, 1, 2, 3, 4, 5, 6, 7, 8, 9)}})
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	n := s.Snapshot()
	d, err := n.Rows(100, addresses(t, n, 100, c, map[int64]bool{2: true, 5: true}))
	n.Close()
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, &storage.Commit{Deletes: []*storage.DeleteSet{d}})
	c.Add(20 * 60e9)
	for more := true; more; {
		if more, err = s.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files := vectorFiles(t, fsys)
	if len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	size, _ := fsys.Stat(files[0])
	for off := range size.Size {
		b := make([]byte, 1)
		f, err := fsys.Open(files[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.ReadAt(b, off); err != nil {
			t.Fatal(err)
		}
		f.Close()
		flipped := []byte{b[0] ^ 1<<(off%8)}
		if err := fsys.Corrupt(files[0], off, flipped); err != nil {
			t.Fatal(err)
		}
		problems, err := storage.Check(fsys, "data")
		if err != nil || len(problems) != 1 || problems[0].File != files[0] {
			t.Fatalf("offset %d: check says %v %v", off, problems, err)
		}
		if off%8 == 0 {
			s := open(t, opts)
			n := s.Snapshot()
			_, err := n.Scan(context.Background(), storage.ScanSpec{View: adminView(t, n, 100, c.Now()), Cols: []uint32{1}})
			if errs.CodeOf(err) != errs.DataCorrupted {
				t.Fatalf("offset %d: scan says %v", off, err)
			}
			n.Close()
			s.Close()
		}
		if err := fsys.Corrupt(files[0], off, b); err != nil {
			t.Fatal(err)
		}
	}
}
