package storage_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"strings"
	"testing"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

// damageFolder makes a closed folder with a segment, log frames behind it, a
// batch key and a quarantined row.
func damageFolder(t *testing.T, c *clock) *crashfs.FS {
	t.Helper()
	fsys := crashfs.New()
	opts := options(fsys, c)
	opts.WALFileBytes = 32 << 10
	s := open(t, opts)
	tb := events(tab)
	tb.Columns = append(tb.Columns,
		catalog.Column{ID: 5, Name: "f", Type: types.Float8}, catalog.Column{ID: 6, Name: "d", Type: types.Date},
		catalog.Column{ID: 7, Name: "ok", Type: types.Bool}, catalog.Column{ID: 8, Name: "num", Type: types.Numeric},
		catalog.Column{ID: 9, Name: "u", Type: types.UUID, Default: catalog.Default{Kind: catalog.DefaultUUID}})
	createTable(t, s, tb)
	for i := range int64(6) {
		tr := rowsOf(tab, 10*i, 10*i+1, 10*i+2, -1)
		f, d := vec.NewBuilder(types.Float8, 4), vec.NewBuilder(types.Date, 4)
		ok, num := vec.NewBuilder(types.Bool, 4), vec.NewBuilder(types.Numeric, 4)
		for k := range 4 {
			vec.AppendFixed(f, float64(k)/3)
			vec.AppendFixed(d, int32(20000+k))
			vec.AppendFixed(ok, uint8(k&1))
			num.Append(&types.Datum{N: types.Num{Lo: uint64(k), Scale: 2}})
		}
		tr.Cols = append(tr.Cols, 5, 6, 7, 8)
		tr.Batches[0].Cols = append(tr.Batches[0].Cols, f.Finish(), d.Finish(), ok.Finish(), num.Finish())
		tr.Raw = func(int) []byte { return []byte("raw") }
		commit(t, s, &storage.Commit{Tables: []storage.TableRows{tr}, Ingest: true, Source: "http",
			Key: &storage.BatchKey{Table: tab, Key: fmt.Sprint("key", i)}})
		if i == 3 {
			if err := s.Flush(context.Background(), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil { // covers the last group
		t.Fatal(err)
	}
	return fsys
}

// content is everything that a reader sees, or the first error.
func content(s *storage.Store, c *clock, t *testing.T) (text string, err error) {
	n := s.Snapshot()
	defer n.Close()
	var b strings.Builder
	for _, id := range []uint32{tab, catalog.TableQuarantine} {
		tb := n.Catalog().Table(id)
		if tb == nil {
			return "", nil
		}
		for _, col := range tb.Columns {
			sc, err := n.Scan(context.Background(), storage.ScanSpec{View: adminView(t, n, id, c.Now()), Cols: []uint32{col.ID}})
			if err != nil {
				return "", err
			}
			for m := range sc.Morsels() {
				r, err := sc.Open(context.Background(), m)
				if err != nil {
					return "", err
				}
				for k := range r.Batches() {
					rows, sel, err := r.Start(context.Background(), k)
					if err != nil {
						return "", err
					}
					var v vec.Vector
					if err := r.Load(0, sel, &v); err != nil {
						return "", err
					}
					for i := range rows {
						if sel == nil {
							fmt.Fprintln(&b, col.Name, v.Datum(i))
						}
					}
					for _, i := range sel {
						fmt.Fprintln(&b, col.Name, v.Datum(int(i)))
					}
				}
				_ = r.Close()
			}
			_ = sc.Close()
		}
	}
	return b.String(), nil
}

// TestBitRot is T6 of RELIABILITY.md on a small folder: one random bit of each
// byte is flipped. The folder must refuse to start or the query must fail with
// XX001, or the answer is identical; `quern check` must name every flip in a
// segment and in acknowledged frames. The covering frame makes the last group
// safe, too: the gap before it is stated in storage/internal/wal.
// QUERN_ROT_STRIDE=1 flips every byte.
func TestBitRot(t *testing.T) {
	stride := 41
	if os.Getenv("QUERN_ROT_STRIDE") == "1" {
		stride = 1
	}
	c := newClock()
	fsys := damageFolder(t, c)
	rng := rand.New(rand.NewPCG(4, 4))
	opts := func(f vfs.FS) storage.Options { o := options(f, c); o.WALFileBytes = 32 << 10; return o }
	clean := open(t, opts(fsys.CrashClone(rng, 100)))
	want, err := content(clean, c, t)
	if err != nil || !strings.Contains(want, "the name of row 52") || !strings.Contains(want, "raw") {
		t.Fatalf("clean folder: %v\n%s", err, want)
	}
	flips, refused, fenced := 0, 0, 0
	for _, name := range fsys.Tree("data/") {
		if strings.Contains(name, "/spare/") || path.Base(name) == "LOCK" {
			continue
		}
		data, _ := vfs.ReadFile(fsys, name)
		for off := rng.IntN(stride); off < len(data); off += stride {
			if data[off] == 0 && strings.HasSuffix(name, ".wal") && off > 4096 && rng.IntN(20) > 0 {
				continue // most of a log file is empty
			}
			flips++
			f := fsys.CrashClone(rng, 100)
			if err := f.Corrupt(name, int64(off), []byte{data[off] ^ 1<<rng.IntN(8)}); err != nil {
				t.Fatal(err)
			}
			problems, err := storage.Check(f, "data")
			if err != nil && errs.CodeOf(err) != errs.FeatureNotSupported {
				t.Fatalf("%s byte %d: check: %v", name, off, err)
			}
			if strings.HasSuffix(name, ".qseg") && len(problems) == 0 && err == nil {
				t.Errorf("%s byte %d: check finds nothing", name, off)
			}
			s, err := storage.Open(opts(f))
			if err != nil {
				refused++
				if code := errs.CodeOf(err); code != errs.DataCorrupted && code != errs.FeatureNotSupported {
					t.Fatalf("%s byte %d: open: %v", name, off, err)
				}
				continue
			}
			got, err := content(s, c, t)
			switch {
			case errs.CodeOf(err) == errs.DataCorrupted || errs.CodeOf(err) == errs.FeatureNotSupported:
				fenced++
			case err != nil:
				t.Fatalf("%s byte %d: read: %v", name, off, err)
			case got != want:
				t.Fatalf("%s byte %d: another answer without an error", name, off)
			}
			_ = s.Close()
		}
	}
	t.Logf("%d flips: %d starts refused, %d queries refused, else identical", flips, refused, fenced)
	if refused == 0 || fenced == 0 {
		t.Fatal("the test met no damage")
	}
}
