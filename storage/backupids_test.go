package storage_test

import (
	"context"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"quern/storage"
	"quern/storage/vfs/crashfs"
)

// TestBackupKeepsIDs: rows in memory are segments in a backup; after a crash no other
// rows get their ids, as the next backup of the target would put one file in the place
// of the other before its document counts.
func TestBackupKeepsIDs(t *testing.T) {
	ctx, fsys, c := context.Background(), crashfs.New(), newClock()
	s := open(t, options(fsys, c))
	createTable(t, s, events(100))
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(100, 1, 2, 3)}})
	sent := map[string]bool{}
	put := func(rel string, _ int64, r io.Reader) error {
		sent[rel] = true
		_, err := io.Copy(io.Discard, r)
		return err
	}
	if _, err := s.Backup(ctx, nil, put); err != nil {
		t.Fatal(err)
	}
	after := fsys.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
	_ = s.Close()
	s = open(t, options(after, c))
	defer s.Close()
	commit(t, s, &storage.Commit{Tables: []storage.TableRows{rowsOf(100, 4, 5)}})
	if err := s.Flush(ctx, 0); err != nil {
		t.Fatal(err)
	}
	files := filesOf(t, after, ".qseg")
	if len(sent) != 1 || len(files) != 1 {
		t.Fatal(sent, files)
	}
	if rel := strings.TrimPrefix(files[0], "data/"); sent[rel] {
		t.Fatalf("%s are other rows in the backup", rel)
	}
}
