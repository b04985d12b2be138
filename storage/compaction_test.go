package storage_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/segment"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

// history is a random table beside a model of it: rows by id as text.
type history struct {
	t     *testing.T
	rng   *rand.Rand
	fs    *crashfs.FS
	clock *clock
	opts  storage.Options
	s     *storage.Store
	live  map[int64]string
	times map[int64]time.Time
	next  int64
	added bool // column 6 exists
	wide  bool // column 5 is int8
}

const historyTable = 100

func newHistory(t *testing.T, seed uint64) *history {
	h := &history{t: t, rng: rand.New(rand.NewPCG(seed, 77)), fs: crashfs.New(), clock: newClock(), live: map[int64]string{}, times: map[int64]time.Time{}}
	h.opts = options(h.fs, h.clock)
	h.opts.WALFileBytes = 32 << 10
	h.s = open(t, h.opts)
	tab := events(historyTable)
	tab.Columns = append(tab.Columns, catalog.Column{ID: 5, Name: "v", Type: types.Int4})
	tab.NextCol = 6
	switch h.rng.IntN(3) {
	case 0:
		tab.Options.PartitionBy = "day"
	case 1:
		tab.Options.OrderBy = []string{"name", "v desc"}
	}
	if h.rng.IntN(3) == 0 {
		tab.Options.Retention = 40 * 24 * time.Hour.Microseconds()
	}
	createTable(t, h.s, tab)
	return h
}

// rows makes rows with the given ids, all columns set.
func (h *history) rows(ids []int64) storage.TableRows {
	tr := rowsOf(historyTable, ids...)
	n := len(ids)
	ts, v := vec.NewBuilder(types.Timestamptz, n), vec.NewBuilder(types.Int4, n)
	if h.wide {
		v = vec.NewBuilder(types.Int8, n)
	}
	extra := vec.NewBuilder(types.Text, n)
	name := vec.NewBuilder(types.Text, n)
	for _, id := range ids {
		at := h.clock.Now().Add(-time.Duration(h.rng.IntN(30*24)) * time.Hour)
		if h.rng.IntN(3) > 0 {
			at = h.clock.Now()
		}
		vec.AppendFixed(ts, at.UnixMicro())
		label := fmt.Sprintf("label %d", h.rng.IntN(12))
		if h.rng.IntN(3) == 0 {
			label = fmt.Sprintf("unique %d", h.rng.Int64())
		}
		name.AppendBytes([]byte(label))
		row := fmt.Sprintf("%d %s", id, label)
		if x := h.rng.Int64N(1000); x < 100 {
			v.Null()
			row += " NULL"
		} else {
			if h.wide {
				vec.AppendFixed(v, x)
			} else {
				vec.AppendFixed(v, int32(x))
			}
			row += fmt.Sprintf(" %d", x)
		}
		if h.added {
			extra.AppendBytes([]byte(label[:3]))
			row += " " + label[:3]
		} else {
			row += " before"
		}
		h.live[id], h.times[id] = row, at
	}
	b := tr.Batches[0]
	b.Cols = []vec.Vector{b.Cols[0], name.Finish(), ts.Finish(), v.Finish()}
	tr.Cols = []uint32{1, 2, 3, 5}
	if h.added {
		tr.Cols, b.Cols = append(tr.Cols, 6), append(b.Cols, extra.Finish())
	}
	return tr
}

func (h *history) ids(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		h.next++
		out[i] = h.next
	}
	return out
}

// alter adds a column, or makes one wider.
func (h *history) alter() {
	tab := *h.s.Catalog().Table(historyTable)
	tab.Columns = slices.Clone(tab.Columns)
	switch {
	case !h.added:
		before := "before"
		tab.Columns = append(tab.Columns, catalog.Column{ID: 6, Name: "extra", Type: types.Text, Missing: &before})
		tab.NextCol, h.added = 7, true
	case !h.wide:
		tab.Columns[slices.IndexFunc(tab.Columns, func(c catalog.Column) bool { return c.ID == 5 })].Type = types.Int8
		h.wide = true
	default:
		tab.Options.OrderBy = []string{"id desc"}
	}
	tab.Version++
	commit(h.t, h.s, &storage.Commit{Schema: []catalog.Change{{Table: &tab}}, BaseVersion: h.s.Catalog().Version()})
}

// change deletes or updates some rows, sometimes by addresses that flushes and
// merges have moved since.
func (h *history) change() {
	n := h.s.Snapshot()
	defer n.Close()
	pick := map[int64]bool{}
	for id := range h.visible() {
		if h.rng.IntN(5) == 0 {
			pick[id] = true
		}
	}
	d, err := n.Rows(historyTable, addresses(h.t, n, historyTable, h.clock, pick))
	if err != nil || d.Rows() != int64(len(pick)) {
		h.t.Fatalf("%d of %d rows: %v", d.Rows(), len(pick), err)
	}
	for range h.rng.IntN(3) {
		h.move()
	}
	c := &storage.Commit{Deletes: []*storage.DeleteSet{d}}
	if h.rng.IntN(2) == 0 && len(pick) > 0 {
		c.Tables = []storage.TableRows{h.rows(slices.Sorted(maps.Keys(pick)))}
	} else {
		for id := range pick {
			delete(h.live, id)
		}
	}
	commit(h.t, h.s, c)
	if len(pick) > 0 && h.rng.IntN(4) == 0 { // the rows are gone now
		h.move()
		if _, err := h.s.Commit(context.Background(), &storage.Commit{Deletes: []*storage.DeleteSet{d}}); errs.CodeOf(err) != errs.SerializationFailure {
			h.t.Fatalf("deleted twice: %v", err)
		}
	}
}

// move flushes or merges.
func (h *history) move() {
	ctx := context.Background()
	var err error
	switch h.rng.IntN(3) {
	case 0:
		err = h.s.Flush(ctx, 0)
	case 1:
		err = h.s.Compact(ctx, true)
	default:
		_, err = h.s.Step(ctx)
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// visible are the rows above the retention floor.
func (h *history) visible() map[int64]string {
	tab := h.s.Catalog().Table(historyTable)
	if tab.Options.Retention == 0 {
		return h.live
	}
	floor := h.clock.Now().UnixMicro() - tab.Options.Retention
	out := map[int64]string{}
	for id, row := range h.live {
		if h.times[id].UnixMicro() >= floor {
			out[id] = row
		}
	}
	return out
}

func (h *history) check(when string) {
	h.t.Helper()
	n := h.s.Snapshot()
	defer n.Close()
	cols := []uint32{1, 2, 5}
	if h.added {
		cols = append(cols, 6)
	}
	var got [][]types.Datum
	for _, c := range append(cols, catalog.ColRowAddress) {
		got = append(got, readInOrder(h.t, n, historyTable, c, h.clock.Now()))
	}
	want := h.visible()
	seen := map[int64]bool{}
	for i, id := range got[0] {
		row := fmt.Sprintf("%d %s", id.I, got[1][i].S)
		if got[2][i].Null {
			row += " NULL"
		} else {
			row += fmt.Sprintf(" %d", got[2][i].I)
		}
		if h.added {
			row += " " + got[3][i].S
		} else {
			row += " before"
		}
		if want[id.I] != row || seen[id.I] {
			h.t.Fatalf("%s: row %q, want %q, seen before: %v", when, row, want[id.I], seen[id.I])
		}
		seen[id.I] = true
	}
	if len(seen) != len(want) {
		h.t.Fatalf("%s: %d rows, want %d", when, len(seen), len(want))
	}
	if z := n.Size(historyTable); z.Rows < int64(len(want)) {
		h.t.Fatalf("%s: size says %d rows, %d are there", when, z.Rows, len(want))
	}
}

// readInOrder is read without sorting.
func readInOrder(t testing.TB, n *storage.Snapshot, table, col uint32, now time.Time) (out []types.Datum) {
	t.Helper()
	sc, err := n.Scan(context.Background(), storage.ScanSpec{View: adminView(t, n, table, now), Cols: []uint32{col}})
	if err != nil {
		t.Fatal(err)
	}
	defer sc.Close()
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
			for i := range rows {
				if sel == nil || slices.Contains(sel, uint16(i)) {
					d := v.Datum(i)
					d.S = strings.Clone(d.S)
					out = append(out, d)
				}
			}
		}
	}
	return out
}

// TestCompactionKeepsTable: merging any random history (inserts over several
// partitions, deletes and updates by old addresses, added and widened columns, a
// new sort key, retention, restarts) gives the same table.
func TestCompactionKeepsTable(t *testing.T) {
	merges := int64(0)
	for seed := range uint64(10) {
		h := newHistory(t, seed)
		for step := range 60 {
			switch h.rng.IntN(12) {
			case 0, 1, 2:
				commit(t, h.s, &storage.Commit{Tables: []storage.TableRows{h.rows(h.ids(1 + h.rng.IntN(150)))}})
			case 3, 4, 5:
				h.change()
			case 6:
				h.alter()
			case 7:
				h.clock.Add(time.Duration(h.rng.IntN(3*24)) * time.Hour)
			case 8:
				merges += h.s.Compaction().Jobs
				if err := h.s.Close(); err != nil {
					t.Fatal(err)
				}
				h.s = open(t, h.opts)
			default:
				h.move()
			}
			h.check(fmt.Sprintf("seed %d step %d", seed, step))
		}
		merges += h.s.Compaction().Jobs
		if f := h.s.Compaction().Failed; f > 0 {
			t.Errorf("seed %d: %d merges failed", seed, f)
		}
		if err := h.s.Close(); err != nil {
			t.Fatal(err)
		}
		if problems, err := storage.Check(h.fs, "data"); err != nil || len(problems) > 0 {
			t.Fatal(seed, problems, err)
		}
	}
	if merges < 50 {
		t.Fatalf("only %d merges", merges)
	}
}

// TestDeletedBytesGo deletes rows with a marker: after merges and the retiring of
// the log the marker is in no file, not in dictionaries and bounds either.
func TestDeletedBytesGo(t *testing.T) {
	const marker = "zZ9-marker-of-the-deleted-rows"
	fsys, c := crashfs.New(), newClock()
	opts := options(fsys, c)
	opts.WALFileBytes = 32 << 10
	s := open(t, opts)
	createTable(t, s, events(100))
	name, id := vec.NewBuilder(types.Text, 100), vec.NewBuilder(types.Int8, 100)
	gone := map[int64]bool{}
	for i := range int64(100) {
		vec.AppendFixed(id, i)
		label := fmt.Sprintf("kept %d", i%7)
		if i%3 == 0 {
			label, gone[i] = marker, true
		}
		name.AppendBytes([]byte(label))
	}
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{{Table: 100, Cols: []uint32{1, 2}, Batches: []*vec.Batch{
		{Len: 100, Cols: []vec.Vector{id.Finish(), name.Finish()}}}}}})
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	if !markerIn(t, fsys, marker) {
		t.Fatal("the search finds nothing")
	}
	n := s.Snapshot()
	before := n.Size(100)
	d, err := n.Rows(100, addresses(t, n, 100, c, gone))
	n.Close()
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, &storage.Commit{Deletes: []*storage.DeleteSet{d}})
	n = s.Snapshot()
	if z := n.Size(100); before.Rows != 100 || z.Rows != int64(100-len(gone)) {
		t.Fatalf("size %+v, then %+v", before, z)
	}
	n.Close()
	c.Add(20 * time.Minute)
	steps(t, s)
	if markerIn(t, fsys, marker) {
		t.Fatalf("deleted bytes are still there: %v", fsys.Tree("data/"))
	}
	if got := ids(t, s, 100, c.Now()); len(got) != 100-len(gone) {
		t.Fatalf("%d rows", len(got))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// markerIn looks for a value in all files: in their bytes, and in what segments
// hold encoded.
func markerIn(t *testing.T, fsys *crashfs.FS, marker string) bool {
	t.Helper()
	for _, name := range fsys.Tree("data/") {
		b, err := vfs.ReadFile(fsys, name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), marker) || strings.Contains(string(b), marker[:16]) {
			return true
		}
		if !strings.HasSuffix(name, ".qseg") {
			continue
		}
		f, err := segment.Open(fsys, name, segment.Expect{})
		if err != nil {
			t.Fatal(err)
		}
		col, err := f.Column(2)
		if err != nil {
			t.Fatal(err)
		}
		for g := range f.Groups() {
			z := col.Zone(g, 0, f.Groups()[g].Rows)
			if strings.HasPrefix(marker, string(z.MaxP[:])) {
				return true
			}
		}
		if col.HasDict() {
			dict, err := col.Dict()
			if err != nil {
				t.Fatal(err)
			}
			for i := range dict.Values.Len {
				if string(dict.Values.BytesAt(i)) == marker {
					return true
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return false
}

// TestConcurrentChanges is the race test: writers, a deleter with old snapshots,
// readers, flushes, merges and retention at once. Batches of ten rows come and go
// whole.
func TestConcurrentChanges(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	opts := options(fsys, c)
	opts.Manual, opts.FlushRows, opts.WALFileBytes, opts.WALRollAge = false, 200, 64<<10, time.Millisecond
	opts.After = func(d time.Duration) <-chan time.Time { return time.After(min(d, time.Millisecond)) }
	s := open(t, opts)
	createTable(t, s, events(tab))
	const writers, batches, rows = 3, 40, 10
	var writing, others sync.WaitGroup
	stop := make(chan struct{})
	var mu sync.Mutex
	var done []int64          // batches that are there
	for i := range int64(2) { // segments to begin with
		commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, seq(i*rows, rows)...)}})
		done = append(done, i*rows)
		if err := s.Flush(context.Background(), 0); err != nil {
			t.Fatal(err)
		}
	}
	for w := range int64(writers) {
		writing.Go(func() {
			for b := range int64(batches) {
				first := (2 + w*batches + b) * rows
				commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, seq(first, rows)...)}})
				mu.Lock()
				done = append(done, first)
				mu.Unlock()
			}
		})
	}
	deleted := 0
	writing.Go(func() {
		for range 40 {
			n := s.Snapshot()
			mu.Lock()
			pick := map[int64]bool{}
			for i, first := range done {
				if i%4 == 0 {
					for k := range int64(rows) {
						pick[first+k] = true
					}
				}
			}
			mu.Unlock()
			d, err := n.Rows(tab, addresses(t, n, tab, c, pick))
			if err != nil {
				t.Error(err)
			}
			if int(d.Rows())%rows == 0 && int(d.Rows()) == len(pick) { // the snapshot has them all
				if _, err := s.Commit(context.Background(), &storage.Commit{Deletes: []*storage.DeleteSet{d}}); err != nil {
					t.Error(err)
				}
				deleted += len(pick)
				mu.Lock()
				done = slices.DeleteFunc(done, func(f int64) bool { return pick[f] })
				mu.Unlock()
			}
			n.Close()
		}
	})
	for _, fn := range []func(){
		func() { _ = s.Compact(context.Background(), true) },
		func() { _ = s.Flush(context.Background(), 0) },
		func() {
			if got := ids(t, s, tab, c.Now()); len(got)%rows != 0 {
				t.Errorf("%d rows", len(got))
			}
		},
	} {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					fn()
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	others.Wait()
	if got := ids(t, s, tab, c.Now()); len(got) != (2+writers*batches)*rows-deleted || deleted == 0 {
		t.Errorf("%d rows, %d deleted", len(got), deleted)
	}
	if f := s.Compaction(); f.Failed > 0 || f.Jobs == 0 {
		t.Errorf("%+v", f)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if problems, err := storage.Check(fsys, "data"); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
}

// TestPartialPurge: a segment of a month holds rows that expire weeks before the
// others. Their bytes are gone within a day of their expiry, the others stay.
func TestPartialPurge(t *testing.T) {
	const marker = "zZ9-marker-of-the-expired-rows"
	fsys, c := crashfs.New(), newClock()
	s := open(t, options(fsys, c))
	tb := events(100)
	tb.Options.Retention = 30 * 24 * time.Hour.Microseconds()
	tb.Options.PartitionBy = "month"
	createTable(t, s, tb)
	id, name, ts := vec.NewBuilder(types.Int8, 60), vec.NewBuilder(types.Text, 60), vec.NewBuilder(types.Timestamptz, 60)
	for i := range int64(60) {
		vec.AppendFixed(id, i)
		label, age := "kept", time.Hour
		if i < 10 {
			label, age = marker, 29*24*time.Hour+12*time.Hour
		}
		name.AppendBytes([]byte(label))
		vec.AppendFixed(ts, c.Now().Add(-age).UnixMicro())
	}
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{{Table: 100, Cols: []uint32{1, 2, 3}, Batches: []*vec.Batch{
		{Len: 60, Cols: []vec.Vector{id.Finish(), name.Finish(), ts.Finish()}}}}}})
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	for hour := range 12 + 24 {
		steps(t, s)
		c.Add(time.Hour)
		if got := len(ids(t, s, 100, c.Now())); got != 60 && (hour < 11 || got != 50) {
			t.Fatalf("%d rows after %d hours", got, hour)
		}
	}
	if markerIn(t, fsys, marker) {
		t.Fatalf("expired bytes are still there a day after: %v", fsys.Tree("data/"))
	}
	if got := len(ids(t, s, 100, c.Now())); got != 50 {
		t.Fatalf("%d rows", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestFloorOutlivesClock: what a statement did not show stays away although the
// clock went back.
func TestFloorOutlivesClock(t *testing.T) {
	fsys, c := crashfs.New(), newClock()
	opts := options(fsys, c)
	s := open(t, opts)
	tb := events(100)
	tb.Options.Retention = time.Hour.Microseconds()
	createTable(t, s, tb)
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(100, 1, 2, 3)}})
	c.Add(2 * time.Hour)
	if got := len(ids(t, s, 100, c.Now())); got != 0 {
		t.Fatalf("%d rows", got)
	}
	c.Add(9 * time.Second)
	steps(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.Add(-2 * time.Hour)
	s = open(t, opts)
	if got := len(ids(t, s, 100, c.Now())); got != 0 {
		t.Fatalf("%d rows are back", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestOldSnapshots: a snapshot that keeps bytes that must go is canceled.
func TestOldSnapshots(t *testing.T) {
	fsys, c := crashfs.New(), newClock()
	s := open(t, options(fsys, c))
	createTable(t, s, events(100))
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(100, seq(0, 50)...)}})
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	files := func() (n int) {
		for _, name := range segmentFiles(fsys) {
			if strings.HasSuffix(name, ".qseg") {
				n++
			}
		}
		return n
	}
	idle, busy := s.Snapshot(), s.Snapshot()
	sc, err := busy.Scan(context.Background(), storage.ScanSpec{View: adminView(t, busy, 100, c.Now()), Cols: []uint32{1}})
	if err != nil {
		t.Fatal(err)
	}
	n := s.Snapshot()
	gone := map[int64]bool{1: true}
	for i := range int64(20) {
		gone[i] = true
	}
	d, err := n.Rows(100, addresses(t, n, 100, c, gone))
	n.Close()
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, &storage.Commit{Deletes: []*storage.DeleteSet{d}})
	steps(t, s)
	if n := files(); n != 2 {
		t.Fatalf("%d files while snapshots hold the old one", n)
	}
	c.Add(5 * time.Hour)
	steps(t, s)
	if _, err := sc.Open(context.Background(), 0); err != nil || files() != 2 {
		t.Fatalf("canceled too early: %v", err)
	}
	c.Add(2 * time.Hour)
	steps(t, s)
	if _, err := sc.Open(context.Background(), 0); errs.CodeOf(err) != errs.QueryCanceled {
		t.Fatalf("a scan of an old snapshot says %v", err)
	}
	if _, err := idle.Scan(context.Background(), storage.ScanSpec{View: adminView(t, idle, 100, c.Now()), Cols: []uint32{1}}); errs.CodeOf(err) != errs.QueryCanceled {
		t.Fatalf("an old snapshot says %v", err)
	}
	if n := files(); n != 2 {
		t.Fatalf("%d files: a reader still has one mapped", n)
	}
	_ = sc.Close()
	steps(t, s)
	if n := files(); n != 1 {
		t.Fatalf("%d files", n)
	}
	idle.Close()
	busy.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
