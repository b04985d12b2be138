package storage_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
	"quern/storage/vfs/faultfs"
)

// at gives rows of (id, name) the event time ts.
func at(tr storage.TableRows, ts time.Time) storage.TableRows {
	n := tr.Batches[0].Len
	v := vec.NewBuilder(types.Timestamptz, n)
	for range n {
		vec.AppendFixed(v, ts.UnixMicro())
	}
	tr.Cols = append(tr.Cols, 3)
	tr.Batches[0].Cols = append(tr.Batches[0].Cols, v.Finish())
	return tr
}

func seq(from, n int64) []int64 {
	var out []int64
	for i := range n {
		out = append(out, from+i)
	}
	return out
}

func steps(t *testing.T, s *storage.Store) {
	t.Helper()
	for range 100 {
		more, err := s.Step(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
	t.Fatal("steps do not end")
}

func segmentFiles(f *crashfs.FS) []string { return f.Tree("data/tables/") }

// TestFlushKeepsSnapshots flushes under open snapshots, drops the table, and
// expects files to go only after the last snapshot that reads them.
func TestFlushKeepsSnapshots(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, seq(0, 100)...)}})
	before := s.Snapshot()
	if err := s.Flush(context.Background(), tab); err != nil {
		t.Fatal(err)
	}
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, seq(100, 50)...)}})
	after := s.Snapshot()
	if n := len(read(t, before, tab, 1, c.Now())); n != 100 {
		t.Fatalf("old snapshot shows %d rows", n)
	}
	if z := after.Size(tab); z.Rows != 150 || z.Segments != 1 || len(segmentFiles(fsys)) != 1 {
		t.Fatalf("size %+v, files %v", z, segmentFiles(fsys))
	}
	before.Close()
	commit(t, s, &storage.Commit{Schema: []catalog.Change{{Drop: "table", ID: tab}}, BaseVersion: s.Catalog().Version()})
	steps(t, s)
	if n := len(read(t, after, tab, 1, c.Now())); n != 150 || len(segmentFiles(fsys)) != 1 {
		t.Fatalf("snapshot of a dropped table shows %d rows, files %v", n, segmentFiles(fsys))
	}
	after.Close()
	steps(t, s)
	if files := segmentFiles(fsys); len(files) != 0 {
		t.Fatalf("files stay: %v", files)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	problems, err := storage.Check(fsys, "data")
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
}

// TestPurge lets a partition expire: its file goes, the log lets go of its
// bytes, and a clock that goes back brings nothing back.
func TestPurge(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	opts := options(fsys, c)
	s := open(t, opts)
	tb := events(tab)
	tb.Options.Retention, tb.Options.PartitionBy = (48 * time.Hour).Microseconds(), "hour"
	createTable(t, s, tb)
	start := c.Now()
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{at(rowsOf(tab, seq(0, 100)...), start)}})
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{at(rowsOf(tab, seq(100, 100)...), start.Add(20*time.Hour))}})
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	if files := segmentFiles(fsys); len(files) != 2 {
		t.Fatalf("files %v", files)
	}
	c.Add(49 * time.Hour)
	steps(t, s)
	steps(t, s) // rolled by age in the first round
	if files := segmentFiles(fsys); len(files) != 1 {
		t.Fatalf("files %v", files)
	}
	for _, name := range fsys.Tree("data/") {
		data, _ := vfs.ReadFile(fsys, name)
		if strings.Contains(string(data), "the name of row 42") {
			t.Fatalf("expired bytes in %s", name)
		}
	}
	c.Add(-49 * time.Hour)
	if got := ids(t, s, tab, c.Now()); !slices.Equal(got, seq(100, 100)) {
		t.Fatalf("after the clock went back: %v", got)
	}
	o := commit(t, s, &storage.Commit{Tables: []storage.TableRows{at(rowsOf(tab, 1), start)}})
	if o.Refused != 1 {
		t.Fatalf("a row below the stored floor: %+v", o)
	}
}

// TestKeysSurviveRetirement flushes and retires the log file of a key's frame,
// and restarts: the repeat still finds its outcome; counts stay.
func TestKeysSurviveRetirement(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	req := &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 1, 2, 3)}, Source: "http",
		Key: &storage.BatchKey{Principal: 10, Table: tab, Key: "k"}}
	first := commit(t, s, req)
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	c.Add(time.Hour)
	steps(t, s)
	steps(t, s)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, options(fsys, c))
	}
	for _, name := range fsys.Tree("data/wal/") {
		if data, _ := vfs.ReadFile(fsys, name); strings.Contains(string(data), "the name of row") {
			t.Fatalf("%s was not retired", name)
		}
	}
	again := commit(t, s, req)
	if !again.Replayed || again.Seq != first.Seq || again.Accepted != 3 {
		t.Fatalf("repeat %+v", again)
	}
	if got := ids(t, s, tab, c.Now()); !slices.Equal(got, []int64{1, 2, 3}) {
		t.Fatalf("rows %v", got)
	}
	if st := s.Stats(); len(st) != 1 || st[0].Accepted != 3 || st[0].Duplicates != 3 || st[0].Received != 6 {
		t.Fatalf("stats %+v", st)
	}
}

// TestFullDiskWhileFlushing: the flush fails with 53100, rows stay readable, and
// the next flush succeeds.
func TestFullDiskWhileFlushing(t *testing.T) {
	c, mem := newClock(), crashfs.New()
	fsys := faultfs.New(mem)
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, seq(0, 100)...)}})
	fsys.LimitBytes(500)
	if err := s.Flush(context.Background(), 0); errs.CodeOf(err) != errs.DiskFull {
		t.Fatalf("full disk: %v", err)
	}
	fsys.Disarm()
	if got := ids(t, s, tab, c.Now()); len(got) != 100 {
		t.Fatalf("%d rows", len(got))
	}
	if err := errors.Join(s.Flush(context.Background(), 0), s.Failed()); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, s, tab, c.Now()); len(got) != 100 || len(segmentFiles(mem)) != 1 {
		t.Fatalf("%d rows, files %v", len(got), segmentFiles(mem))
	}
}

// TestOperatingSystem does it once on real files.
func TestOperatingSystem(t *testing.T) {
	c, dir := newClock(), t.TempDir()
	opts := storage.Options{Dir: dir + "/data", Now: c.Now, Manual: true, WALFileBytes: 1 << 20}
	for round := range int64(3) {
		s := open(t, opts)
		if round == 0 {
			createTable(t, s, events(tab))
		}
		for i := range int64(5) {
			commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, seq(round*5000+i*1000, 1000)...)}})
		}
		if err := s.Flush(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
		c.Add(time.Hour)
		steps(t, s)
		if _, err := storage.Open(opts); errs.CodeOf(err) != errs.ObjectInUse {
			t.Fatalf("second process: %v", err)
		}
		if got := ids(t, s, tab, c.Now()); !slices.Equal(got, seq(0, (round+1)*5000)) {
			t.Fatalf("%d rows", len(got))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		problems, err := storage.Check(vfs.OS{}, opts.Dir)
		if err != nil || len(problems) > 0 {
			t.Fatal(problems, err)
		}
	}
}
