package storage_test

import (
	"context"
	"testing"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vfs/crashfs"
)

// TestFacts says what a scan knows without reading, and that it knows nothing
// where a predicate, retention, a policy or deletes hide rows.
func TestFacts(t *testing.T) {
	c, fsys := newClock(), crashfs.New()
	s := open(t, options(fsys, c))
	defer s.Close()
	kept := events(tab + 1)
	kept.Options = catalog.Options{Retention: 3600e6, RetentionText: "1 hour"}
	for _, table := range []*catalog.Table{events(tab), kept} {
		createTable(t, s, table)
		commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(table.ID, seq(5, 100)...)}})
		if err := s.Flush(context.Background(), table.ID); err != nil {
			t.Fatal(err)
		}
		commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(table.ID, 1000)}})
	}
	n := s.Snapshot()
	defer n.Close()
	facts := func(n *storage.Snapshot, v *policy.View, preds ...storage.Pred) (f []storage.ColumnFacts) {
		t.Helper()
		sc, err := n.Scan(context.Background(), storage.ScanSpec{View: v, Cols: []uint32{1, 2}, Preds: preds})
		if err != nil {
			t.Fatal(err)
		}
		defer sc.Close()
		for m := range sc.Morsels() {
			for col := range 2 {
				if x, ok := sc.(storage.FactScan).Facts(m, col); ok {
					f = append(f, x)
				}
			}
		}
		return f
	}
	view := adminView(t, n, tab, c.Now())
	if f := facts(n, view); len(f) != 1 || f[0] != (storage.ColumnFacts{Rows: 100, Min: 5, Max: 104}) {
		t.Errorf("facts %v", f)
	}
	if f := facts(n, view, storage.Pred{Op: storage.PredGt, Val: types.Datum{I: 50}}); f != nil {
		t.Errorf("with a predicate: %v", f)
	}
	if f := facts(n, adminView(t, n, tab+1, c.Now())); f != nil {
		t.Errorf("with retention: %v", f)
	}
	rows := addresses(t, n, tab, c, map[int64]bool{5: true})
	gone, err := n.Rows(tab, rows)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, s, &storage.Commit{Deletes: []*storage.DeleteSet{gone}})
	after := s.Snapshot()
	defer after.Close()
	if f := facts(after, adminView(t, after, tab, c.Now())); f != nil {
		t.Errorf("with a deleted row: %v", f)
	}
}
