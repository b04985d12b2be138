package storage_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/vfs/crashfs"
	"quern/storage/vfs/faultfs"
)

// loadRows loads ids in pieces of ten with the key, and returns the outcome.
func loadRows(t *testing.T, s *storage.Store, key *storage.BatchKey, ids []int64) storage.Outcome {
	t.Helper()
	l, err := s.StartLoad(&storage.Commit{Source: "load", Ingest: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for piece := range slices.Chunk(ids, 10) {
		tr := rowsOf(tab, piece...)
		tr.Raw = func(row int) []byte { return []byte{byte(row)} }
		if err := l.Add(context.Background(), &tr, nil); err != nil {
			t.Fatal(err)
		}
		n := s.Snapshot()
		if rows := n.Size(tab).Rows; rows != 0 {
			t.Fatalf("a load shows %d rows before its commit", rows)
		}
		n.Close()
	}
	o, err := s.Commit(context.Background(), &storage.Commit{Source: "load", Ingest: true, Key: key, Loads: []*storage.Load{l}})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestLoad: a load in many pieces is one commit with one sequence, with its bad
// rows, its key and its counts, before and after a restart, whether the manifest
// knew of its segments or only the log.
func TestLoad(t *testing.T) {
	for _, named := range []bool{false, true} {
		c, fsys := newClock(), crashfs.New()
		opts := options(fsys, c)
		opts.LoadBytes = 1 // every piece is a segment
		s := open(t, opts)
		createTable(t, s, events(tab))
		ids := append(seq(0, 95), -1, -1)
		key := &storage.BatchKey{Principal: 10, Table: tab, Key: "k"}
		o := loadRows(t, s, key, ids)
		if o.Received != 97 || o.Accepted != 95 || o.Quarantined != 2 || o.Seq == 0 {
			t.Fatalf("outcome %+v", o)
		}
		check := func(s *storage.Store) {
			t.Helper()
			n := s.Snapshot()
			defer n.Close()
			if z := n.Size(tab); z.Rows != 95 || z.Segments != 10 {
				t.Fatalf("size %+v", z)
			}
			for _, d := range read(t, n, tab, catalog.ColCommitSeq, c.Now()) {
				if d.I != int64(o.Seq) {
					t.Fatalf("a row has sequence %d, the load %d", d.I, o.Seq)
				}
			}
			if q := read(t, n, catalog.TableQuarantine, 1, c.Now()); len(q) != 2 {
				t.Fatalf("%d rows in quarantine", len(q))
			}
			again, err := s.Commit(context.Background(), &storage.Commit{Key: key, Tables: []storage.TableRows{rowsOf(tab, 1)}})
			if err != nil || !again.Replayed || again.Seq != o.Seq || again.Accepted != 95 {
				t.Fatalf("repeat of the key: %+v, %v", again, err)
			}
		}
		check(s)
		if named {
			steps(t, s)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if problems, err := storage.Check(fsys, "data"); err != nil || len(problems) > 0 {
			t.Fatalf("check: %v %v", problems, err)
		}
		s = open(t, opts)
		check(s)
		steps(t, s)
		check(s)
		if s.Info().WALFiles > 2 {
			t.Fatalf("%d log files after the steps", s.Info().WALFiles)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMergeOfLoad: rows keep the sequence of their load when its segments are
// merged, before and after a restart.
func TestMergeOfLoad(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	opts := options(fsys, c)
	opts.LoadBytes = 1
	s := open(t, opts)
	createTable(t, s, events(tab))
	first := loadRows(t, s, nil, seq(0, 40))
	steps(t, s)
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, seq(100, 20)...)}})
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		n := s.Snapshot()
		if z := n.Size(tab); z.Rows != 60 || z.Segments != 1 {
			t.Fatalf("size %+v", z)
		}
		of := map[int64]int{}
		for _, d := range read(t, n, tab, catalog.ColCommitSeq, c.Now()) {
			of[d.I]++
		}
		if of[int64(first.Seq)] != 40 || len(of) != 2 {
			t.Errorf("rows by sequence: %v, the load has %d", of, first.Seq)
		}
		n.Close()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, opts)
	}
	_ = s.Close()
}

// TestLoadLeavesNothing: a load that is given up, or whose table changes under
// it, leaves no rows, no files and no memory.
func TestLoadLeavesNothing(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	opts := options(fsys, c)
	opts.LoadBytes = 1
	s := open(t, opts)
	defer s.Close()
	createTable(t, s, events(tab))
	ctx := context.Background()
	for _, change := range []bool{false, true} {
		l, err := s.StartLoad(&storage.Commit{Source: "load"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		tr := rowsOf(tab, seq(0, 50)...)
		if err := l.Add(ctx, &tr, nil); err != nil {
			t.Fatal(err)
		}
		if len(segmentFiles(fsys)) == 0 {
			t.Fatal("nothing was staged")
		}
		if change {
			next := *s.Catalog().Table(tab)
			next.Version++
			next.Columns = append(slices.Clone(next.Columns), columnOf(9))
			next.Columns[4].NotNull = true // rows of the load have no value for it
			commit(t, s, &storage.Commit{Schema: []catalog.Change{{Table: &next}}, BaseVersion: s.Catalog().Version()})
			if _, err := s.Commit(ctx, &storage.Commit{Loads: []*storage.Load{l}}); errs.CodeOf(err) != errs.SerializationFailure {
				t.Fatalf("commit after a change of the table: %v", err)
			}
		}
		l.Close()
		if f := segmentFiles(fsys); len(f) > 0 || s.Info().MemBytes != 0 {
			t.Fatalf("files %v, %d bytes", f, s.Info().MemBytes)
		}
	}
	l, err := s.StartLoad(&storage.Commit{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	bad := rowsOf(tab, 1, -1)
	if err := l.Add(ctx, &bad, nil); errs.CodeOf(err) != errs.NotNullViolation {
		t.Fatalf("NULL in a load that may not quarantine: %v", err)
	}
	l.Close()
}

// TestLoadThenDrop: a table that goes before the manifest knew of its segments.
func TestLoadThenDrop(t *testing.T) {
	for _, restart := range []bool{false, true} {
		c, fsys := newClock(), crashfs.New()
		s := open(t, options(fsys, c))
		createTable(t, s, events(tab))
		loadRows(t, s, nil, seq(0, 30))
		commit(t, s, &storage.Commit{Schema: []catalog.Change{{Drop: "table", ID: tab}}, BaseVersion: s.Catalog().Version()})
		if restart {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, options(fsys, c))
		}
		steps(t, s)
		if f := segmentFiles(fsys); len(f) > 0 {
			t.Fatalf("files %v", f)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPatience: a commit that may not wait for ever is turned away while memory
// is full, and goes through when a flush made room.
func TestPatience(t *testing.T) {
	c, faulty := newClock(), faultfs.New(crashfs.New())
	opts := options(faulty, c)
	opts.Manual, opts.MemBytesMax = false, 1
	opts.After = func(d time.Duration) <-chan time.Time {
		ch := make(chan time.Time, 1)
		if d == 3*time.Second {
			ch <- c.Now()
		}
		return ch
	}
	s := open(t, opts)
	defer s.Close()
	createTable(t, s, events(tab))
	faulty.Arm(faultfs.Fault{Op: faultfs.Mkdir, Nth: 1, Err: syscall.ENOSPC, Sticky: true}) // no flush succeeds
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 1)}})
	if s.Pressure() < 1 {
		t.Fatalf("pressure %v", s.Pressure())
	}
	_, err := s.Commit(context.Background(), &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 2)}, Patience: 3 * time.Second})
	if errs.CodeOf(err) != errs.OutOfMemory {
		t.Fatalf("a commit into full memory: %v", err)
	}
	faulty.Disarm()
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 3)}})
}

// TestBufferedAck: a buffered commit is answered before its sync, no snapshot is
// opened without it, and it comes back after a kill.
func TestBufferedAck(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	syncing, release := make(chan struct{}, 8), make(chan struct{})
	fsys.BeforeSync(func(name string) {
		if strings.Contains(name, "/wal/") {
			syncing <- struct{}{}
			<-release
		}
	})
	key := &storage.BatchKey{Principal: 1, Table: tab, Key: "k"}
	if s.KeyInFlight(key) {
		t.Error("a key that nobody used is in flight")
	}
	o := commit(t, s, &storage.Commit{Buffered: true, Tables: []storage.TableRows{rowsOf(tab, 1)}})
	<-syncing // and it is not over
	seen := make(chan int64, 1)
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = s.Commit(context.Background(), &storage.Commit{Key: key}) })
	for !s.KeyInFlight(key) { // it waits for the same sync
		runtime.Gosched()
	}
	wg.Go(func() {
		n := s.Snapshot()
		defer n.Close()
		seen <- n.Size(tab).Rows
	})
	select {
	case n := <-seen:
		t.Fatalf("a snapshot with %d rows was opened before the sync", n)
	case <-time.After(20 * time.Millisecond):
	}
	close(release)
	if n := <-seen; n != 1 || o.Seq == 0 {
		t.Fatalf("%d rows, outcome %+v", n, o)
	}
	wg.Wait()
	if _, ok := s.LookupKey(key); !ok || s.KeyInFlight(key) {
		t.Error("the key is not known")
	}
	fsys.BeforeSync(nil)
	killed := fsys.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
	s2 := open(t, options(killed, c))
	if n := len(read(t, s2.Snapshot(), tab, 1, c.Now())); n != 1 {
		t.Fatalf("%d rows after a kill", n)
	}
}

// TestLoadsShareMemory: what one load wrote is not seen by the next, which gets its
// memory, nor by whoever reads its segments.
func TestLoadsShareMemory(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	defer s.Close()
	createTable(t, s, events(tab))
	var want []int64
	for k := range int64(6) {
		part := seq(100*k, 20+3*k)
		l, err := s.StartLoad(&storage.Commit{Source: "load"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		tr := rowsOf(tab, part...)
		if err := l.Add(context.Background(), &tr, nil); err != nil {
			t.Fatal(err)
		}
		commit(t, s, &storage.Commit{Loads: []*storage.Load{l}})
		l.Close()
		want = append(want, part...)
		if got := ids(t, s, tab, c.Now()); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Fatalf("after load %d: %d rows, want %d", k, len(got), len(want))
		}
	}
}
