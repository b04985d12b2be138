package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quern/storage"
	"quern/storage/errs"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

// takeBackup backs s up into dir and says how many files were sent.
func takeBackup(t testing.TB, s *storage.Store, fsys vfs.FS, dir string) (doc *storage.BackupDocument, sent int) {
	t.Helper()
	target, err := storage.OpenBackupTarget(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	doc, err = s.Backup(context.Background(), target.Have(), func(rel string, n int64, r io.Reader) error {
		sent++
		return target.Put(rel, n, r)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := target.Finish(doc); err != nil {
		t.Fatal(err)
	}
	return doc, sent
}

// restored opens a copy of the backup.
func restored(t testing.TB, fsys vfs.FS, c *clock, dir, to string) *storage.Store {
	t.Helper()
	if _, err := storage.Restore(fsys, dir, to); err != nil {
		t.Fatal(err)
	}
	opts := options(fsys, c)
	opts.Dir = to
	return open(t, opts)
}

func closeStore(t testing.TB, s *storage.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A random history is backed up again and again into one folder. Each backup,
// restored, shows what the store showed at its sequence: rows in memory, in
// segments, deleted ones, counters, and batch keys.
func TestBackupRestore(t *testing.T) {
	fsys, c := crashfs.New(), newClock()
	s := open(t, options(fsys, c))
	defer s.Close()
	createTable(t, s, events(5001))
	rng := rand.New(rand.NewPCG(7, 7))
	next := int64(0)
	for round := range 12 {
		for range 1 + rng.IntN(4) {
			n := 1 + rng.Int64N(200)
			commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(5001, seq(next, n)...)}})
			next += n
		}
		key := &storage.BatchKey{Principal: 1, Table: 5001, Key: fmt.Sprint("k", round)}
		commit(t, s, &storage.Commit{Key: key, Tables: []storage.TableRows{rowsOf(5001, next)}})
		next++
		if rng.IntN(2) == 0 {
			if err := s.Flush(context.Background(), 0); err != nil {
				t.Fatal(err)
			}
		}
		deleteSome(t, s, c, 5001, rng, next)
		doc, _ := takeBackup(t, s, fsys, "backup")
		want := ids(t, s, 5001, c.Now())

		to := fmt.Sprint("copy", round)
		r := restored(t, fsys, c, "backup", to)
		if got := ids(t, r, 5001, c.Now()); !slices.Equal(got, want) {
			t.Fatalf("round %d: the restored table has %d rows, want %d", round, len(got), len(want))
		}
		if _, ok := r.LookupKey(key); !ok {
			t.Fatalf("round %d: the batch key was lost", round)
		}
		if a, b := r.CurrVal(5001, 4), s.CurrVal(5001, 4); a != b {
			t.Fatalf("round %d: counter is %d, want %d", round, a, b)
		}
		// The copy goes on by itself, from the sequence of the backup.
		if o := commit(t, r, &storage.Commit{Tables: []storage.TableRows{rowsOf(5001, next+1_000_000)}}); o.Seq <= doc.Seq {
			t.Fatalf("round %d: sequence %d after a backup at %d", round, o.Seq, doc.Seq)
		}
		closeStore(t, r)
	}
}

func deleteSome(t testing.TB, s *storage.Store, c *clock, table uint32, rng *rand.Rand, below int64) {
	t.Helper()
	n := s.Snapshot()
	defer n.Close()
	pick := map[int64]bool{}
	for range 10 {
		pick[rng.Int64N(below)] = true
	}
	d, err := n.Rows(table, addresses(t, n, table, c, pick))
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, &storage.Commit{Deletes: []*storage.DeleteSet{d}})
}

// A second backup into the same folder takes only what is new, and lets go of
// what the store does not have any more.
func TestBackupIsIncremental(t *testing.T) {
	fsys, c := crashfs.New(), newClock()
	s := open(t, options(fsys, c))
	defer s.Close()
	createTable(t, s, events(5001))
	add := func(n int64) {
		commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(5001, seq(n, 100)...)}})
		if err := s.Flush(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
	}
	add(0)
	add(100)
	if doc, sent := takeBackup(t, s, fsys, "backup"); sent != 2 || len(doc.Files) != 2 {
		t.Fatalf("first: %d of %d files sent", sent, len(doc.Files))
	}
	add(200)
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(5001, 1000)}}) // in memory
	if doc, sent := takeBackup(t, s, fsys, "backup"); sent != 2 || len(doc.Files) != 4 {
		t.Fatalf("second: %d of %d files sent", sent, len(doc.Files))
	}
	if doc, sent := takeBackup(t, s, fsys, "backup"); sent != 1 || len(fsys.Tree("backup/tables/")) != len(doc.Files) {
		t.Fatalf("third: %d files sent, %d named, %v there", sent, len(doc.Files), fsys.Tree("backup/tables/"))
	}
}

// Commits and flushes that go on meanwhile do not reach a backup in part: what
// a restore shows is what was committed up to one sequence.
func TestBackupUnderIngest(t *testing.T) {
	fsys, c := crashfs.New(), newClock()
	s := open(t, options(fsys, c))
	defer s.Close()
	createTable(t, s, events(5001))
	createTable(t, s, events(5002))
	seqs := map[int64]uint64{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			// One commit over both tables: whole in both or in none.
			o := commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(5001, i), rowsOf(5002, i)}})
			seqs[i] = o.Seq
			if i%64 == 63 {
				if err := s.Flush(context.Background(), 0); err != nil {
					t.Error(err)
				}
			}
		}
	})
	docs := []*storage.BackupDocument{}
	for i := range 5 {
		doc, _ := takeBackup(t, s, fsys, fmt.Sprint("backup", i))
		docs = append(docs, doc)
	}
	close(stop)
	wg.Wait()
	for i, doc := range docs {
		var want []int64
		for id, at := range seqs {
			if at <= doc.Seq {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		r := restored(t, fsys, c, fmt.Sprint("backup", i), fmt.Sprint("copy", i))
		for _, table := range []uint32{5001, 5002} {
			if got := ids(t, r, table, c.Now()); !slices.Equal(got, want) {
				t.Errorf("backup %d at sequence %d: table %d has %d rows, want %d", i, doc.Seq, table, len(got), len(want))
			}
		}
		closeStore(t, r)
	}
}

// Every flipped bit of a backup is found by check, and a damaged backup is not
// restored.
func TestBackupDamage(t *testing.T) {
	fsys, c := crashfs.New(), newClock()
	s := open(t, options(fsys, c))
	createTable(t, s, events(5001))
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(5001, seq(0, 50)...)}})
	deleteSome(t, s, c, 5001, rand.New(rand.NewPCG(1, 2)), 50)
	takeBackup(t, s, fsys, "backup")
	closeStore(t, s)
	if problems, err := storage.Check(fsys, "backup"); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	if _, err := storage.Open(options2(fsys, c, "backup")); errs.CodeOf(err) != errs.ObjectNotInState {
		t.Fatalf("a server may open a backup: %v", err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	for _, name := range fsys.Tree("backup/") {
		f, err := fsys.OpenReadWrite(name)
		if err != nil {
			t.Fatal(err)
		}
		size, _ := f.Size()
		for off := int64(0); off < size; off += 1 + rng.Int64N(97) {
			flip(t, f, off)
			problems, err := storage.Check(fsys, "backup")
			if err == nil && len(problems) == 0 {
				t.Errorf("%s: a flipped bit at %d was not found", name, off)
			}
			if _, err := storage.Restore(fsys, "backup", fmt.Sprint("bad", off, name)); err == nil {
				t.Errorf("%s: restored with a flipped bit at %d", name, off)
			}
			flip(t, f, off)
		}
		_ = f.Close()
	}
}

func options2(fsys vfs.FS, c *clock, dir string) storage.Options {
	o := options(fsys, c)
	o.Dir = dir
	return o
}

func flip(t testing.TB, f vfs.File, off int64) {
	t.Helper()
	b := []byte{0}
	if _, err := f.ReadAt(b, off); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	b[0] ^= 0x10
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

// What a backup may not do: overwrite other things, bring back what expired, or
// choose paths.
func TestBackupRefusals(t *testing.T) {
	fsys, c := crashfs.New(), newClock()
	s := open(t, options(fsys, c))
	defer s.Close()
	tab := events(5001)
	tab.Options.Retention = int64(24 * time.Hour / time.Microsecond)
	createTable(t, s, tab)
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{at(rowsOf(5001, 1), c.Now())}})
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	c.Add(23 * time.Hour)
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{at(rowsOf(5001, 2), c.Now())}})
	c.Add(2 * time.Hour)
	doc, _ := takeBackup(t, s, fsys, "backup")
	if len(doc.State.Segments) != 1 {
		t.Errorf("%d segments in the backup, want the one that has not expired", len(doc.State.Segments))
	}
	if _, err := storage.OpenBackupTarget(fsys, "data"); errs.CodeOf(err) != errs.ObjectNotInState {
		t.Errorf("a data folder as target: %v", err)
	}
	if _, err := storage.Restore(fsys, "backup", "data"); errs.CodeOf(err) != errs.ObjectNotInState {
		t.Errorf("restore over a data folder: %v", err)
	}
	if _, err := storage.Restore(fsys, "nothing", "new"); errs.CodeOf(err) != errs.UndefinedFile {
		t.Errorf("restore of nothing: %v", err)
	}
	target, err := storage.OpenBackupTarget(fsys, "other")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"../x.qseg", "tables/../../x.qseg", "/etc/passwd", "tables/00000001/all/x", "BACKUP"} {
		if err := target.Put(p, 1, strings.NewReader("x")); errs.CodeOf(err) != errs.InvalidParameterValue {
			t.Errorf("file %q: %v", p, err)
		}
	}
}
