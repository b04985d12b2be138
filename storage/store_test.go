package storage_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
	"quern/storage/vfs/faultfs"
)

// clock is an injected clock that moves a millisecond at each look.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
}

func options(fsys vfs.FS, c *clock) storage.Options {
	rng := rand.New(rand.NewPCG(1, 1))
	var mu sync.Mutex
	return storage.Options{Dir: "data", FS: fsys, Now: c.Now, Manual: true, WALFileBytes: 256 << 10, FlushRowsMin: 16,
		Rand:  func() uint64 { mu.Lock(); defer mu.Unlock(); return rng.Uint64() },
		After: func(time.Duration) <-chan time.Time { return nil }}
}

func open(t testing.TB, opts storage.Options) *storage.Store {
	t.Helper()
	s, err := storage.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// events is a table (id int8 not null, name text, ts timestamptz default now(),
// n bigserial).
func events(id uint32) *catalog.Table {
	return &catalog.Table{ID: id, Schema: catalog.SchemaPublic, Name: fmt.Sprintf("events%d", id), Owner: catalog.RoleAdmin,
		Version: 1, NextCol: 5, Columns: []catalog.Column{
			{ID: 1, Name: "id", Type: types.Int8, NotNull: true},
			{ID: 2, Name: "name", Type: types.Text},
			{ID: 3, Name: "ts", Type: types.Timestamptz, Default: catalog.Default{Kind: catalog.DefaultNow}},
			{ID: 4, Name: "n", Type: types.Int8, Default: catalog.Default{Kind: catalog.DefaultCounter}},
		}}
}

func columnOf(id uint32) catalog.Column {
	return catalog.Column{ID: id, Name: fmt.Sprintf("c%d", id), Type: types.Int8}
}

func createTable(t testing.TB, s *storage.Store, tab *catalog.Table) {
	t.Helper()
	_, err := s.Commit(context.Background(), &storage.Commit{
		Schema: []catalog.Change{{Table: tab, Create: true}}, BaseVersion: s.Catalog().Version()})
	if err != nil {
		t.Fatal(err)
	}
}

// rowsOf makes rows of (id, name); a negative id is NULL.
func rowsOf(table uint32, ids ...int64) storage.TableRows {
	id, name := vec.NewBuilder(types.Int8, len(ids)), vec.NewBuilder(types.Text, len(ids))
	for _, x := range ids {
		if x < 0 {
			id.Null()
		} else {
			vec.AppendFixed(id, x)
		}
		name.AppendBytes(fmt.Appendf(nil, "the name of row %d", x))
	}
	return storage.TableRows{Table: table, Cols: []uint32{1, 2}, Batches: []*vec.Batch{
		{Len: len(ids), Cols: []vec.Vector{id.Finish(), name.Finish()}}}}
}

func commit(t testing.TB, s *storage.Store, c *storage.Commit) storage.Outcome {
	t.Helper()
	o, err := s.Commit(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func adminView(t testing.TB, n *storage.Snapshot, table uint32, now time.Time) *policy.View {
	t.Helper()
	v, err := policy.Resolve(n.Catalog(), table, policy.Principal{RoleID: catalog.RoleAdmin, Superuser: true}, now.UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// read returns one column of a table as text-like values, sorted.
func read(t testing.TB, n *storage.Snapshot, table, col uint32, now time.Time) []types.Datum {
	t.Helper()
	sc, err := n.Scan(context.Background(), storage.ScanSpec{View: adminView(t, n, table, now), Cols: []uint32{col}})
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
	var out []types.Datum
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
			var v vec.Vector
			if err := r.Load(0, sel, &v); err != nil {
				t.Fatal(err)
			}
			if sel == nil {
				for i := range rows {
					out = append(out, v.Datum(i))
				}
				continue
			}
			for _, i := range sel {
				out = append(out, v.Datum(int(i)))
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func ids(t testing.TB, s *storage.Store, table uint32, now time.Time) []int64 {
	t.Helper()
	n := s.Snapshot()
	defer n.Close()
	var out []int64
	for _, d := range read(t, n, table, 1, now) {
		out = append(out, d.I)
	}
	slices.Sort(out)
	return out
}

const tab = catalog.FirstOID

func TestCommitReopen(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	before := s.Snapshot()
	o := commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 1, 2, 3)}, Source: "insert"})
	if o.Seq != 2 || o.Received != 3 || o.Accepted != 3 {
		t.Fatalf("outcome %+v", o)
	}
	if got := read(t, before, tab, 1, c.Now()); len(got) != 0 {
		t.Fatalf("an older snapshot shows %v", got)
	}
	before.Close()
	if _, err := storage.Open(options(fsys, c)); errs.CodeOf(err) != errs.ObjectInUse {
		t.Fatalf("second open: %v", err)
	}
	check := func(s *storage.Store, want ...int64) {
		t.Helper()
		if got := ids(t, s, tab, c.Now()); !slices.Equal(got, want) {
			t.Fatalf("rows %v, want %v", got, want)
		}
	}
	check(s, 1, 2, 3)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for i := int64(4); i < 8; i++ {
		s = open(t, options(fsys, c))
		commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, i)}, Source: "insert"})
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, options(fsys, c))
	check(s, 1, 2, 3, 4, 5, 6, 7)
	n := s.Snapshot()
	defer n.Close()
	for i, d := range read(t, n, tab, 4, c.Now()) {
		if d.I != int64(i+1) {
			t.Fatalf("counter of row %d is %d", i, d.I)
		}
	}
	for _, d := range read(t, n, tab, 3, c.Now()) {
		if d.Null || d.I < newClock().now.UnixMicro() {
			t.Fatalf("default now() is %+v", d)
		}
	}
	stats := s.Stats()
	if len(stats) != 1 || stats[0].Accepted != 7 || stats[0].Source != "insert" {
		t.Fatalf("stats %+v", stats)
	}
}

func TestBatchKey(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	keyed := func(key string, digest byte) *storage.Commit {
		return &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 1, 2)}, Source: "http",
			Key: &storage.BatchKey{Principal: 10, Table: tab, Key: key, Digest: [16]byte{digest}}}
	}
	first := commit(t, s, keyed("k", 1))
	for range 2 {
		again := commit(t, s, keyed("k", 1))
		if !again.Replayed || again.Seq != first.Seq || again.Accepted != 2 {
			t.Fatalf("repeat %+v of %+v", again, first)
		}
		if _, err := s.Commit(context.Background(), keyed("k", 2)); errs.CodeOf(err) != errs.InvalidParameterValue {
			t.Fatalf("other content: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, options(fsys, c))
	}
	if got := ids(t, s, tab, c.Now()); !slices.Equal(got, []int64{1, 2}) {
		t.Fatalf("rows %v", got)
	}
	// A failed attempt releases its key.
	bad := keyed("bad", 1)
	bad.Tables = []storage.TableRows{rowsOf(tab, -1)}
	for range 2 {
		if _, err := s.Commit(context.Background(), bad); errs.CodeOf(err) != errs.NotNullViolation {
			t.Fatalf("NULL: %v", err)
		}
	}
	// Many repeats at once: one commit, all others answer with it.
	var wg sync.WaitGroup
	var mu sync.Mutex
	fresh := 0
	for range 16 {
		wg.Go(func() {
			o, err := s.Commit(context.Background(), keyed("race", 9))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Error(err)
			}
			if !o.Replayed {
				fresh++
			}
		})
	}
	wg.Wait()
	if fresh != 1 || len(ids(t, s, tab, c.Now())) != 4 {
		t.Fatalf("%d fresh commits, rows %v", fresh, ids(t, s, tab, c.Now()))
	}
}

func TestIngestQuarantine(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	rows := rowsOf(tab, 1, -1, 3)
	rows.Raw = func(i int) []byte { return fmt.Appendf(nil, "raw %d", i) }
	o := commit(t, s, &storage.Commit{Tables: []storage.TableRows{rows}, Ingest: true, Source: "http", Refused: 1,
		Rejects: []storage.Reject{{Table: tab, Name: "events", Raw: []byte("bad line"), Row: 7, Kind: "row", Code: "22P02"}}})
	if o.Received != 5 || o.Accepted != 2 || o.Quarantined != 2 || o.Refused != 1 {
		t.Fatalf("outcome %+v", o)
	}
	n := s.Snapshot()
	defer n.Close()
	q := n.Catalog().Table(catalog.TableQuarantine)
	var raws, codes []string
	for _, d := range read(t, n, q.ID, q.Column("raw").ID, c.Now()) {
		raws = append(raws, d.S)
	}
	for _, d := range read(t, n, q.ID, q.Column("error_code").ID, c.Now()) {
		codes = append(codes, d.S)
	}
	if !slices.Equal(raws, []string{"bad line", "raw 1"}) || !slices.Equal(codes, []string{"22P02", "23502"}) {
		t.Fatalf("quarantine %q %q", raws, codes)
	}
}

func TestRetentionFloorRefuses(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	tb := events(tab)
	tb.Options.Retention = time.Hour.Microseconds()
	createTable(t, s, tb)
	rows := rowsOf(tab, 1, 2)
	ts := vec.NewBuilder(types.Timestamptz, 2)
	vec.AppendFixed(ts, c.Now().Add(-2*time.Hour).UnixMicro())
	vec.AppendFixed(ts, c.Now().UnixMicro())
	rows.Cols = append(rows.Cols, 3)
	rows.Batches[0].Cols = append(rows.Batches[0].Cols, ts.Finish())
	o := commit(t, s, &storage.Commit{Tables: []storage.TableRows{rows}, Ingest: true})
	if o.Received != 2 || o.Accepted != 1 || o.Refused != 1 {
		t.Fatalf("outcome %+v", o)
	}
	if got := ids(t, s, tab, c.Now()); !slices.Equal(got, []int64{2}) {
		t.Fatalf("rows %v", got)
	}
	c.Add(2 * time.Hour)
	if got := ids(t, s, tab, c.Now()); len(got) != 0 {
		t.Fatalf("expired rows %v", got)
	}
}

func TestSchemaRaces(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	stale := s.Catalog().Version()
	createTable(t, s, events(tab+1))
	_, err := s.Commit(context.Background(), &storage.Commit{
		Schema: []catalog.Change{{Table: events(tab + 2), Create: true}}, BaseVersion: stale})
	if errs.CodeOf(err) != errs.SerializationFailure {
		t.Fatalf("stale change: %v", err)
	}
	_, err = s.Commit(context.Background(), &storage.Commit{Tables: []storage.TableRows{rowsOf(999, 1)}})
	if errs.CodeOf(err) != errs.UndefinedTable {
		t.Fatalf("unknown table: %v", err)
	}
	// Rows and a new column in one commit; then a drop.
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 1)}})
	wide := events(tab)
	wide.Version = 2
	wide.Columns = append(wide.Columns, catalog.Column{ID: 5, Name: "extra", Type: types.Int4,
		Default: catalog.Default{Kind: catalog.DefaultConst, Text: "42"}})
	commit(t, s, &storage.Commit{Schema: []catalog.Change{{Table: wide}}, BaseVersion: s.Catalog().Version(),
		Tables: []storage.TableRows{rowsOf(tab, 2)}})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, options(fsys, c))
	n := s.Snapshot()
	got := read(t, n, tab, 5, c.Now())
	n.Close()
	if len(got) != 2 || !got[0].Null || got[1].I != 42 {
		t.Fatalf("extra %+v", got)
	}
	commit(t, s, &storage.Commit{Schema: []catalog.Change{{Drop: "table", ID: tab}}, BaseVersion: s.Catalog().Version()})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, options(fsys, c))
	if s.Catalog().Table(tab) != nil || s.Catalog().Table(tab+1) == nil {
		t.Fatal("dropped table is back, or its neighbour is gone")
	}
}

func TestTransactionSeesItsRows(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 1)}})
	n := s.Snapshot()
	defer n.Close()
	in := rowsOf(tab, 2, 3)
	full, err := s.Complete(n.Catalog(), &in, "ann")
	if err != nil {
		t.Fatal(err)
	}
	own, err := n.With(storage.Pending{Rows: []storage.TableRows{full}})
	if err != nil {
		t.Fatal(err)
	}
	mine := read(t, own, tab, 4, c.Now())
	if len(mine) != 3 || len(read(t, n, tab, 4, c.Now())) != 1 {
		t.Fatalf("own rows %v", mine)
	}
	own.Close()
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{full}})
	after := s.Snapshot()
	defer after.Close()
	if got := read(t, after, tab, 4, c.Now()); !slices.Equal(got, mine) {
		t.Fatalf("counters changed at COMMIT: %v, before %v", got, mine)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, options(fsys, c))
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 4)}})
	last := s.Snapshot()
	defer last.Close()
	if got := read(t, last, tab, 4, c.Now()); len(got) != 4 || got[3].I != 4 {
		t.Fatalf("counter after a restart: %v", got)
	}
}

func TestDiskFullAndFailedSync(t *testing.T) {
	c, fsys := newClock(), faultfs.New(crashfs.New())
	s := open(t, options(fsys, c))
	createTable(t, s, events(tab))
	fsys.LimitBytes(10)
	one := &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, 1)}}
	if _, err := s.Commit(context.Background(), one); errs.CodeOf(err) != errs.DiskFull {
		t.Fatalf("full disk: %v", err)
	}
	fsys.Disarm()
	commit(t, s, one)
	fsys.Arm(faultfs.Fault{Op: faultfs.Sync, Nth: 1})
	for range 2 {
		if _, err := s.Commit(context.Background(), one); errs.CodeOf(err) != errs.IO {
			t.Fatalf("failed sync: %v", err)
		}
	}
	if got := ids(t, s, tab, c.Now()); !slices.Equal(got, []int64{1}) || s.Failed() == nil {
		t.Fatalf("reads go on: %v", got)
	}
}
