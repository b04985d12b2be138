package storage_test

import (
	"context"
	"slices"
	"testing"

	"quern/storage"
	"quern/storage/internal/segment"
	"quern/storage/vfs/crashfs"
)

// TestColdAfter: a segment whose rows are older than cold_after is rewritten once,
// compressed, and shows the same rows.
func TestColdAfter(t *testing.T) {
	ctx, fsys, c := context.Background(), crashfs.New(), newClock()
	s := open(t, options(fsys, c))
	tb := events(100)
	tb.Options.TimeColumn = "ts"
	tb.Options.ColdAfter = 30 * 24 * 3600 * 1e6
	createTable(t, s, tb)
	rows := make([]int64, 5000)
	for i := range rows {
		rows[i] = int64(i)
	}
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(100, rows...)}})
	if err := s.Flush(ctx, 0); err != nil {
		t.Fatal(err)
	}
	cold := func() (list []bool) {
		if err := s.Compact(ctx, false); err != nil {
			t.Fatal(err)
		}
		for more := true; more; {
			var err error
			if more, err = s.Step(ctx); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range filesOf(t, fsys, ".qseg") {
			f, err := segment.Open(fsys, name, segment.Expect{})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, f.Cold())
			f.Close()
		}
		return list
	}
	c.Add(29 * 24 * 3600e9)
	if got := cold(); !slices.Equal(got, []bool{false}) {
		t.Fatalf("after 29 days: %v", got)
	}
	c.Add(2 * 24 * 3600e9)
	for range 2 {
		if got := cold(); !slices.Equal(got, []bool{true}) {
			t.Fatalf("after 31 days: %v", got)
		}
	}
	if jobs := s.Compaction().Jobs; jobs != 1 {
		t.Fatalf("%d merges", jobs)
	}
	if got := ids(t, s, 100, c.Now()); !slices.Equal(got, rows) {
		t.Fatalf("%d rows", len(got))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if problems, err := storage.Check(fsys, "data"); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
}
