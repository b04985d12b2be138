package storage_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/vfs/crashfs"
)

// TestConcurrent runs writers, readers, DDL, flushes and log retirement at once
// with the background goroutine on. Batches have ten rows: a reader must never
// see a part of one, and what it saw must not go away.
func TestConcurrent(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	opts := options(fsys, c)
	opts.Manual, opts.FlushRows, opts.WALFileBytes, opts.WALRollAge = false, 300, 64<<10, time.Millisecond
	opts.After = func(d time.Duration) <-chan time.Time { return time.After(min(d, 2*time.Millisecond)) }
	s := open(t, opts)
	createTable(t, s, events(tab))
	const writers, batches, rows = 4, 60, 10
	var writing, reading sync.WaitGroup
	stop := make(chan struct{})
	for w := range int64(writers) {
		writing.Go(func() {
			for b := range int64(batches) {
				ids := make([]int64, rows)
				for i := range ids {
					ids[i] = (w*batches+b)*rows + int64(i)
				}
				req := &storage.Commit{Tables: []storage.TableRows{rowsOf(tab, ids...)}, Source: "test",
					Key: &storage.BatchKey{Table: tab, Key: fmt.Sprint(w, b)}}
				for range 2 { // each batch is sent twice
					if _, err := s.Commit(context.Background(), req); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writing.Go(func() {
		for i := range uint32(20) {
			tb := events(tab + 1 + i)
			for _, change := range []catalog.Change{{Table: tb, Create: true}, {Drop: "table", ID: tb.ID}} {
				if _, err := s.Commit(context.Background(), &storage.Commit{Schema: []catalog.Change{change},
					BaseVersion: s.Catalog().Version()}); err != nil && errs.CodeOf(err) != errs.SerializationFailure {
					t.Error(err)
				}
				if change.Create {
					_, err := s.Commit(context.Background(), &storage.Commit{Tables: []storage.TableRows{rowsOf(tb.ID, 1)}})
					if err != nil && errs.CodeOf(err) != errs.UndefinedTable {
						t.Error(err)
					}
				}
			}
		}
	})
	for range 2 {
		reading.Go(func() {
			seen := 0
			for {
				select {
				case <-stop:
					return
				default:
				}
				got := ids(t, s, tab, c.Now())
				if len(got)%rows != 0 || len(got) < seen {
					t.Errorf("%d rows after %d", len(got), seen)
				}
				seen = len(got)
			}
		})
	}
	writing.Wait()
	close(stop)
	reading.Wait()
	if err := s.Flush(context.Background(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, opts)
	got := ids(t, s, tab, c.Now())
	for i, id := range got {
		if id != int64(i) {
			t.Fatalf("row %d has id %d", i, id)
		}
	}
	if len(got) != writers*batches*rows {
		t.Fatalf("%d rows", len(got))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	problems, err := storage.Check(fsys, "data")
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
}
