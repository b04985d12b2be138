package storage_test

import (
	"context"
	"testing"
	"time"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// keyed is events with dedup_key = 'id'.
func keyed(id uint32, window time.Duration) *catalog.Table {
	t := events(id)
	t.Options.DedupKey, t.Options.DedupWindow = []uint32{1}, window.Microseconds()
	return t
}

func idsFrom(from, n int64) (ids []int64) {
	for i := range n {
		ids = append(ids, from+i)
	}
	return ids
}

// TestRowDedupWindow: a key is known for the window and not longer, whether or
// not the store was opened again, its rows were flushed or the keys swept meanwhile;
// what is older is taken again, and background steps give its memory back.
func TestRowDedupWindow(t *testing.T) {
	const window = time.Hour
	for _, again := range []string{"stays open", "opened again", "flushed and opened again", "steps"} {
		t.Run(again, func(t *testing.T) {
			c, dir := newClock(), t.TempDir()
			opts := options(nil, c)
			opts.Dir = dir + "/data"
			s := open(t, opts)
			defer func() { _ = s.Close() }()
			createTable(t, s, keyed(tab, window))
			dups := func(what string, at time.Time, want int64, ids ...int64) {
				t.Helper()
				switch again {
				case "flushed and opened again":
					if err := s.Flush(context.Background(), 0); err != nil {
						t.Fatal(err)
					}
					fallthrough
				case "opened again":
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s = open(t, opts)
				}
				c.set(at)
				if again == "steps" {
					steps(t, s)
				}
				if o := commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, ids...)}}); o.Duplicates != want {
					t.Errorf("%s: %d duplicates, want %d", what, o.Duplicates, want)
				}
			}
			first := c.Now()
			dups("first", first, 0, 1, 2)
			dups("just inside", first.Add(window-20*time.Millisecond), 1, 1)
			dups("beside a later one", first.Add(window/2), 1, 2, 3)
			dups("after the window", first.Add(window+time.Second), 1, 1, 3) // 3 is inside
			dups("the window of the new copy", first.Add(2*window), 1, 1, 2)
			c.set(first.Add(4 * window))
			steps(t, s)
			if n := s.RowKeyBytes(); n != 0 {
				t.Errorf("%d bytes of keys that count no more", n)
			}
		})
	}
}

// TestRowDedupMemory: rows whose keys find no room are refused and nothing of what
// was there is lost, neither by a repeat nor over a restart; once keys are old, of
// the same table or another one, there is room again.
func TestRowDedupMemory(t *testing.T) {
	ctx := context.Background()
	const window, other = time.Hour, tab + 1
	c, dir := newClock(), t.TempDir()
	opts := options(nil, c)
	opts.Dir, opts.RowKeyBytesMax = dir+"/data", 64*1000
	s := open(t, opts)
	defer func() { _ = s.Close() }()
	createTable(t, s, keyed(tab, window))
	createTable(t, s, keyed(other, 3*window))
	put := func(table uint32, ids []int64) (storage.Outcome, error) {
		return s.Commit(ctx, &storage.Commit{Tables: []storage.TableRows{rowsOf(table, ids...)}})
	}
	refused := func(table uint32, ids []int64) {
		t.Helper()
		before := s.RowKeyBytes()
		if o, err := put(table, ids); errs.CodeOf(err) != errs.OutOfMemory {
			t.Fatalf("outcome %+v, error %v", o, err)
		}
		if n := s.RowKeyBytes(); n != before || n > opts.RowKeyBytesMax {
			t.Fatalf("%d bytes before a refusal, %d after it", before, n)
		}
	}
	accepted := func(table uint32, ids []int64, dups int64) {
		t.Helper()
		o, err := put(table, ids)
		if err != nil || o.Duplicates != dups || o.Accepted != int64(len(ids))-dups {
			t.Fatalf("outcome %+v, error %v", o, err)
		}
	}
	accepted(tab, idsFrom(0, 600), 0)
	accepted(other, idsFrom(0, 300), 0)
	refused(tab, idsFrom(600, 200))
	refused(other, idsFrom(300, 200))
	accepted(tab, idsFrom(0, 650), 600) // what fits goes on, repeats always do
	accepted(tab, idsFrom(0, 650), 650)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, opts)
	accepted(other, idsFrom(0, 300), 300)
	accepted(tab, idsFrom(0, 650), 650)
	refused(tab, idsFrom(650, 200))

	// A commit that deletes and one in a transaction need an index of their own.
	n := s.Snapshot()
	view, err := n.With(storage.Pending{Rows: []storage.TableRows{rowsOf(tab, 5000)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := view.Deduplicate(ctx, rowsOf(tab, 1)); errs.CodeOf(err) != errs.OutOfMemory {
		t.Errorf("a second index without room: %v", err)
	}
	view.Close()
	n.Close()
	if got := s.RowKeyBytes(); got != 950*64 {
		t.Errorf("%d bytes for 950 keys", got)
	}

	c.Add(window + time.Second) // the same table's keys have gone
	accepted(tab, idsFrom(650, 650), 0)
	accepted(other, idsFrom(0, 300), 300)
	c.Add(2*window - time.Minute)
	refused(other, idsFrom(300, 400)) // its own keys count for a little longer
	steps(t, s)                       // those of tab do not
	accepted(other, idsFrom(300, 400), 0)

	// Memory got smaller: what the table has does not fit. No key is forgotten.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opts.RowKeyBytesMax = 64 * 100
	s = open(t, opts)
	refused(other, idsFrom(300, 1))
	refused(other, idsFrom(300, 1))
	c.Add(4 * window)
	accepted(other, idsFrom(300, 100), 0)

	commit(t, s, &storage.Commit{Schema: []catalog.Change{{Drop: "table", ID: other}}, BaseVersion: s.Catalog().Version()})
	steps(t, s)
	if n := s.RowKeyBytes(); n != 0 {
		t.Errorf("%d bytes of keys of a table that was dropped", n)
	}
}

// TestRowDedupOfRejects: the key of a row that goes to quarantine counts for
// nothing: the corrected row is taken, from the same batch or a later one.
func TestRowDedupOfRejects(t *testing.T) {
	c := newClock()
	opts := options(nil, c)
	opts.Dir = t.TempDir() + "/data"
	s := open(t, opts)
	defer func() { _ = s.Close() }()
	table := keyed(tab, time.Hour)
	table.Columns[1].NotNull = true
	createTable(t, s, table)
	send := func(bodies []string, ids ...int64) storage.Outcome {
		t.Helper()
		id, body := vec.NewBuilder(types.Int8, 4), vec.NewBuilder(types.Text, 4)
		for i, x := range ids {
			vec.AppendFixed(id, x)
			if bodies[i] == "" {
				body.Null()
			} else {
				body.AppendBytes([]byte(bodies[i]))
			}
		}
		tr := storage.TableRows{Table: tab, Cols: []uint32{1, 2}, Raw: func(row int) []byte { return []byte("raw") },
			Batches: []*vec.Batch{{Len: len(ids), Cols: []vec.Vector{id.Finish(), body.Finish()}}}}
		return commit(t, s, &storage.Commit{Source: "http", Ingest: true, Tables: []storage.TableRows{tr}})
	}
	for i, step := range []struct {
		bodies                            []string
		ids                               []int64
		accepted, duplicates, quarantined int64
	}{
		{[]string{""}, []int64{1}, 0, 0, 1},
		{[]string{"good"}, []int64{1}, 1, 0, 0},
		{[]string{"again"}, []int64{1}, 0, 1, 0},
		{[]string{"", "good", "again"}, []int64{2, 2, 2}, 1, 1, 1},
	} {
		if o := send(step.bodies, step.ids...); o.Accepted != step.accepted || o.Duplicates != step.duplicates || o.Quarantined != step.quarantined {
			t.Errorf("step %d: %+v", i, o)
		}
	}
}
