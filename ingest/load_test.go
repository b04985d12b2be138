package ingest_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quern/ingest"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vfs/crashfs"
)

// openSmall is a store whose requests become loads of many pieces.
func openSmall(t *testing.T, loadBytes int64) (*storage.Store, *ingest.Ingester, *crashfs.FS) {
	t.Helper()
	clock := func() time.Time { return now }
	fsys := crashfs.New()
	s, err := storage.Open(storage.Options{Dir: "data", FS: fsys, Now: clock, LoadBytes: loadBytes, Manual: true, WALFileBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, ingest.New(s, ingest.Options{Now: clock, LoadBytes: loadBytes}), fsys
}

func manyLines(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
	}
	return b.String()
}

func sorted(lines string) string {
	l := strings.SplitAfter(lines, "\n")
	slices.Sort(l)
	return strings.Join(l, "")
}

func ndjsonLine(i int) string {
	switch {
	case i == 31:
		return "{\"a\":oops}\n"
	case i == 40:
		return "\n"
	case i == 77:
		return fmt.Sprintf("{\"a\":%d,\"later\":[1,%d]}\n", i, i)
	}
	return fmt.Sprintf("{\"a\":%d,\"b\":\"text of row %d\"}\n", i, i)
}

// TestLoadEqualsBatch: a body that is cut into windows and pieces gives the same
// answer and the same table as one that is decoded whole.
func TestLoadEqualsBatch(t *testing.T) {
	array := "[" + strings.TrimSuffix(manyLines(100, func(i int) string {
		return fmt.Sprintf(" {\"a\" : %d,\"b\":\"x[]{},%d\"}\n,", i, i)
	}), ",")
	csv := "a,b\n" + manyLines(100, func(i int) string { return fmt.Sprintf("%d,\"line\nof \"\"%d\"\"\"\n", i, i) })
	for name, c := range map[string]struct{ body, format, onError string }{
		"ndjson":          {manyLines(100, ndjsonLine), "ndjson", ""},
		"no last newline": {strings.TrimSuffix(manyLines(90, ndjsonLine), "\n"), "ndjson", ""},
		"limit":           {manyLines(100, ndjsonLine), "ndjson", "limit:0"},
		"array":           {array + "]", "json", ""},
		"array, space":    {array + "]" + strings.Repeat(" \n", 900), "json", ""},
		"array, cut off":  {array, "json", ""},
		"array, garbage":  {array + "] x", "json", ""},
		"array, broken":   {array + ", {\"a\":7} {", "json", ""},
		"csv":             {csv, "csv", ""},
		"csv, bad rows":   {csv + "x,y\n7\n", "csv", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var want, wantRows string
			for _, size := range []int64{1 << 20, 700, 1100, 2900} {
				s, g, fsys := openSmall(t, size)
				if _, err := g.Append(context.Background(), &ingest.Request{Principal: admin, Table: "t", Format: "ndjson", Source: "http",
					Create: true, Body: strings.NewReader(`{"a":-1,"b":"first"}`)}); err != nil {
					t.Fatal(err)
				}
				send := func() (*ingest.Answer, error) {
					return g.Append(context.Background(), &ingest.Request{Principal: admin, Table: "t", Format: c.format,
						Source: "http", OnError: c.onError, Key: "key", Body: strings.NewReader(c.body)})
				}
				a, err := send()
				got := fmt.Sprint(counts(a), err)
				if a != nil {
					got += fmt.Sprint(a.Rejects)
				}
				cols := []string{"a", "b"}
				tab := s.Catalog().TableByName(catalog.SchemaPublic, "t")
				if tab.Column("later") != nil {
					cols = append(cols, "later")
				}
				rows := sorted(dump(t, s, "public", "t", cols...)) + dump(t, s, "system", "quarantine", "raw", "row_number", "byte_offset", "error_code")
				if want == "" {
					want, wantRows = got, rows
					if err == nil && !strings.Contains(rows, "99") && !strings.Contains(rows, "89") {
						t.Fatalf("the last row is missing: %s", rows)
					}
					continue
				}
				if got != want {
					t.Errorf("pieces of %d bytes: %s\nwhole: %s", size, got, want)
				}
				if rows != wantRows {
					t.Errorf("pieces of %d bytes: table is\n%s\nwhole:\n%s", size, rows, wantRows)
				}
				if err != nil {
					if f := fsys.Tree("data/tables/"); len(f) > 0 || s.Info().MemBytes > 10_000_000 {
						t.Errorf("a failed load left %v", f)
					}
					continue
				}
				if size < int64(len(c.body)) && len(fsys.Tree("data/tables/")) == 0 {
					t.Error("nothing was staged")
				}
				if again, err := send(); err != nil || !again.Replayed || again.CommitSeq != a.CommitSeq || again.Accepted != a.Accepted {
					t.Errorf("repeat: %s %v", counts(again), err)
				}
				if now := sorted(dump(t, s, "public", "t", cols...)); !strings.HasPrefix(rows, now) {
					t.Errorf("the repeat changed the table")
				}
			}
		})
	}
}

// TestLoadCreates: the first window makes the table, later ones add columns.
func TestLoadCreates(t *testing.T) {
	s, g, _ := openSmall(t, 900)
	a, err := g.Append(context.Background(), &ingest.Request{Principal: admin, Table: "n", Source: "http", Create: true,
		Body: strings.NewReader(manyLines(100, ndjsonLine))})
	if err != nil || a.Accepted != 98 || a.Quarantined != 1 {
		t.Fatal(counts(a), err)
	}
	if got := dump(t, s, "public", "n", "a", "later"); !strings.Contains(got, "77|[1, 77]\n") || !strings.Contains(got, "99|NULL") {
		t.Error(got)
	}
}

// TestCopyLoads: COPY of any size is one commit; rejects and keys too.
func TestCopyLoads(t *testing.T) {
	s, g, fsys := openSmall(t, 512)
	if _, err := post(g, "t", `{"a":0,"b":"x"}`, create); err != nil {
		t.Fatal(err)
	}
	tab := s.Catalog().TableByName(catalog.SchemaPublic, "t")
	spec := &ingest.CopySpec{Principal: admin, Table: tab.ID, Name: "t", Cols: []uint32{1, 2}, Names: []string{"a", "b"},
		Types: []types.Type{types.Int8, types.Text}, TextFormat: types.DefaultFormat, Format: "text", Delimiter: '\t', Null: `\N`,
		OnErrorIgnore: true, BatchKey: "k", RejectLimit: 60}
	in := manyLines(1000, func(i int) string {
		if i%20 == 7 {
			return "bad\tx\n"
		}
		return fmt.Sprintf("%d\tabcdefghijklmnopqrstuvwxyz %d\n", i, i)
	})
	for i := range 2 {
		res, err := g.CopyFrom(context.Background(), spec, strings.NewReader(in), appender{s})
		if err != nil || res.Rows != 950 || res.Quarantined != 50 || res.Replayed != (i == 1) {
			t.Fatal(res, err)
		}
	}
	if n := strings.Count(dump(t, s, "public", "t", "a"), "\n"); n != 951 {
		t.Errorf("%d rows", n)
	}
	files := len(fsys.Tree("data/tables/"))
	spec.BatchKey, spec.RejectLimit = "other", 30
	if _, err := g.CopyFrom(context.Background(), spec, strings.NewReader(in), appender{s}); errs.CodeOf(err) != errs.InvalidText {
		t.Error(err)
	}
	if n := len(fsys.Tree("data/tables/")); n != files {
		t.Errorf("%d files before the failed COPY, %d after it", files, n)
	}
}

// TestBodiesShareMemory: a body larger than the budget goes alone; a second one
// waits, and is turned away with the code of an overload.
func TestBodiesShareMemory(t *testing.T) {
	clock := func() time.Time { return now }
	s, err := storage.Open(storage.Options{Dir: "data", FS: crashfs.New(), Now: clock, Manual: true, WALFileBytes: 256 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := ingest.New(s, ingest.Options{Now: clock, LoadBytes: 64 << 10, Memory: 40 << 10})
	body := manyLines(1000, func(i int) string { return fmt.Sprintf("{\"a\":%d,\"b\":\"text of row %d\"}\n", i, i) })
	r, w := io.Pipe()
	first := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := g.Append(context.Background(), &ingest.Request{Principal: admin, Table: "t", Create: true, Source: "http", Body: r})
		first <- err
	})
	defer wg.Wait()
	_, _ = io.WriteString(w, body) // in a buffer of the decoder
	_, _ = io.WriteString(w, body) // the first is in the body's memory now
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // no patience
	if _, err := g.Append(ctx, &ingest.Request{Principal: admin, Table: "t", Source: "http", Body: strings.NewReader(body)}); errs.CodeOf(err) != errs.OutOfMemory {
		t.Errorf("second body: %v", err)
	}
	_ = w.Close()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if a, err := post(g, "t", body, nil); err != nil || a.Accepted != 1000 {
		t.Error(counts(a), err)
	}
}

// TestReplay: rows that were kept aside come back once, after the reason is gone;
// the others stay, with the reason of the day.
func TestReplay(t *testing.T) {
	s, g := open(t)
	if _, err := post(g, "t", `{"a":1}`, create); err != nil {
		t.Fatal(err)
	}
	strict := *s.Catalog().TableByName(catalog.SchemaPublic, "t")
	strict.Options.OnNewColumn, strict.Version = catalog.Strict, strict.Version+1
	change := func(tab *catalog.Table) {
		t.Helper()
		if _, err := s.Commit(context.Background(), &storage.Commit{Schema: []catalog.Change{{Table: tab}}, BaseVersion: s.Catalog().Version()}); err != nil {
			t.Fatal(err)
		}
	}
	change(&strict)
	a, err := post(g, "t", "{\"a\":2,\"c\":20}\n{\"a\":3,\"c\":30}\n{\"a\":\"no\"}\nno json\n{\"a\":4}", nil)
	if err != nil || a.Quarantined != 4 {
		t.Fatal(counts(a), err)
	}
	ids := func() (out [][16]byte) {
		for _, line := range strings.Fields(dump(t, s, "system", "quarantine", "id")) {
			var d types.Datum
			if err := types.ParseBytes(types.UUID, []byte(line), types.DefaultFormat, &d); err != nil {
				t.Fatal(err)
			}
			out = append(out, d.U)
		}
		return out
	}
	replay := func(want ingest.ReplayAnswer) {
		t.Helper()
		got, err := g.Replay(context.Background(), &ingest.ReplayRequest{Principal: admin, Table: "t", IDs: ids()})
		if err != nil {
			t.Fatal(err)
		}
		got.CommitSeq = 0
		if *got != want {
			t.Errorf("replay %+v, want %+v", *got, want)
		}
	}
	replay(ingest.ReplayAnswer{Failed: 4})
	wide := strict
	wide.Version++
	wide.Columns = append(slices.Clone(wide.Columns), catalog.Column{ID: 9, Name: "c", Type: types.Int8})
	change(&wide)
	replay(ingest.ReplayAnswer{Replayed: 2, Failed: 2})
	replay(ingest.ReplayAnswer{Failed: 2, Skipped: 2})
	if got := sorted(dump(t, s, "public", "t", "a", "c")); got != sorted("1|NULL\n4|NULL\n2|20\n3|30\n") {
		t.Error(got)
	}
	if got := sorted(dump(t, s, "system", "quarantine", "state", "error_code")); got != sorted("replayed|unknown_column\nreplayed|unknown_column\nnew|22P02\nnew|22P02\n") {
		t.Error(got)
	}
	if _, err := g.Replay(context.Background(), &ingest.ReplayRequest{Principal: policy.Principal{RoleID: 99}, Table: "t", IDs: ids()}); errs.CodeOf(err) != errs.UndefinedTable {
		t.Error(err)
	}
}
