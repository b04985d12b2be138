package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"quern/ingest"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs/crashfs"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func open(t *testing.T) (*storage.Store, *ingest.Ingester) {
	t.Helper()
	clock := func() time.Time { return now }
	s, err := storage.Open(storage.Options{Dir: "data", FS: crashfs.New(), Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s, ingest.New(s, ingest.Options{Now: clock})
}

var admin = policy.Principal{RoleID: catalog.RoleAdmin, SessionID: catalog.RoleAdmin, Superuser: true, Name: "admin"}

// dump renders all rows of a table's columns.
func dump(t *testing.T, s *storage.Store, schema, table string, cols ...string) string {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	cat := snap.Catalog()
	tab := cat.TableByName(cat.SchemaByName(schema).ID, table)
	if tab == nil {
		return "no table\n"
	}
	view, err := policy.Resolve(cat, tab.ID, admin, now.UnixMicro())
	if err != nil {
		t.Fatal(err)
	}
	spec := storage.ScanSpec{View: view}
	for _, c := range cols {
		spec.Cols = append(spec.Cols, tab.Column(c).ID)
	}
	scan, err := snap.Scan(context.Background(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer scan.Close()
	var out strings.Builder
	for m := range scan.Morsels() {
		r, err := scan.Open(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		for b := range r.Batches() {
			rows, sel, err := r.Start(context.Background(), b)
			if err != nil {
				t.Fatal(err)
			}
			vs := make([]vec.Vector, len(cols))
			for i := range vs {
				if err := r.Load(i, sel, &vs[i]); err != nil {
					t.Fatal(err)
				}
			}
			for i := range rows {
				if sel != nil && !slices.Contains(sel, uint16(i)) {
					continue
				}
				for c := range vs {
					if c > 0 {
						out.WriteByte('|')
					}
					d := vs[c].Datum(i)
					if d.Null {
						out.WriteString("NULL")
						continue
					}
					out.Write(types.AppendText(nil, vs[c].Type, &d, types.DefaultFormat))
				}
				out.WriteByte('\n')
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func post(g *ingest.Ingester, table, body string, change func(*ingest.Request)) (*ingest.Answer, error) {
	r := &ingest.Request{Principal: admin, Table: table, Source: "http", Body: strings.NewReader(body)}
	if change != nil {
		change(r)
	}
	return g.Append(context.Background(), r)
}

func create(r *ingest.Request) { r.Create = true }

func counts(a *ingest.Answer) string {
	if a == nil {
		return "no answer"
	}
	return fmt.Sprintf("received=%d accepted=%d duplicates=%d quarantined=%d refused=%d replayed=%v rejects=%d",
		a.Received, a.Accepted, a.Duplicates, a.Quarantined, a.Refused, a.Replayed, len(a.Rejects))
}

func TestAppendCreatesEvolvesAndQuarantines(t *testing.T) {
	s, g := open(t)
	a, err := post(g, "events", `{"id":1,"user":{"name":"ann"},"ts":"2026-01-02T00:00:00Z"}`+"\n"+`{"id":2,"ts":"2026-01-02T00:00:01Z"}`, create)
	if err != nil || counts(a) != "received=2 accepted=2 duplicates=0 quarantined=0 refused=0 replayed=false rejects=0" {
		t.Fatal(counts(a), err)
	}
	if got := dump(t, s, "public", "events", "id", "user", "ts"); got != "1|{\"name\": \"ann\"}|2026-01-02 00:00:00+00\n2|NULL|2026-01-02 00:00:01+00\n" {
		t.Error(got)
	}
	a, err = post(g, "events", `{"id":"x"}`+"\n"+`{"id":3,"new":true}`+"\nnot json", nil)
	if err != nil || counts(a) != "received=3 accepted=1 duplicates=0 quarantined=2 refused=0 replayed=false rejects=2" {
		t.Fatal(counts(a), err)
	}
	if got := dump(t, s, "public", "events", "id", "new"); got != "1|NULL\n2|NULL\n3|t\n" {
		t.Error(got)
	}
	if got := dump(t, s, "system", "quarantine", "table_name", "raw", "error_code", "error_column"); got !=
		"events|\\x7b226964223a2278227d|22P02|id\nevents|\\x6e6f74206a736f6e|22P02|NULL\n" {
		t.Error(got)
	}
}

func TestAppendKeyIsExactlyOnce(t *testing.T) {
	s, g := open(t)
	key := func(r *ingest.Request) { r.Create, r.Key = true, "k1" }
	first, err := post(g, "t", `{"a":1}`, key)
	if err != nil {
		t.Fatal(err)
	}
	again, err := post(g, "t", `{"a":1}`, key)
	if err != nil || !again.Replayed || again.CommitSeq != first.CommitSeq {
		t.Fatal(counts(again), err)
	}
	if _, err := post(g, "t", `{"a":2}`, key); errs.CodeOf(err) != errs.InvalidParameterValue {
		t.Errorf("other content under the same key: %v", err)
	}
	if got := dump(t, s, "public", "t", "a"); got != "1\n" {
		t.Error(got)
	}
}

func TestAppendFormats(t *testing.T) {
	flights, err := os.ReadFile("../testdata/demo/flights.parquet")
	if err != nil {
		t.Fatal(err)
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, `{"a":1}`)
	z.Close()
	for _, c := range []struct {
		name, body string
		change     func(*ingest.Request)
		accepted   int64
	}{
		{"array", `[{"a":1},{"a":2}]`, create, 2},
		{"csv with header", "a,b\n1,x\n2,\n", func(r *ingest.Request) { r.Create, r.ContentType = true, "text/csv" }, 2},
		{"csv without header", "1,x\n", func(r *ingest.Request) { r.Create, r.ContentType = true, "text/csv; header=absent" }, 1},
		{"tsv", "a\tb\n1\tx\n", func(r *ingest.Request) { r.Create, r.ContentType = true, "text/tab-separated-values" }, 1},
		{"gzip by magic", zipped.String(), create, 1},
		{"parquet", string(flights), create, 200_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, g := open(t)
			a, err := post(g, "t", c.body, c.change)
			if err != nil || a.Accepted != c.accepted || a.Received != c.accepted {
				t.Errorf("%s, %v", counts(a), err)
			}
		})
	}
}

func TestAppendErrors(t *testing.T) {
	_, g := open(t)
	if _, err := post(g, "t", `{"a":1}`, create); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, table, body string
		change            func(*ingest.Request)
		want              errs.Code
	}{
		{"no table", "none", `{"a":1}`, nil, errs.UndefinedTable},
		{"no schema", "t", `{"a":1}`, func(r *ingest.Request) { r.Schema = "none" }, errs.InvalidSchemaName},
		{"abort", "t", "{\"a\":1}\n{\"a\":\"x\"}", func(r *ingest.Request) { r.OnError = "abort" }, errs.InvalidText},
		{"limit", "t", "{\"a\":\"x\"}\n{\"a\":\"y\"}", func(r *ingest.Request) { r.OnError = "limit:1" }, errs.InvalidText},
		{"bad on_error", "t", "{}", func(r *ingest.Request) { r.OnError = "maybe" }, errs.InvalidParameterValue},
		{"no right", "t", `{"a":1}`, func(r *ingest.Request) { r.Principal = policy.Principal{RoleID: 99} }, errs.UndefinedTable},
		{"no right to create", "u", `{"a":1}`, func(r *ingest.Request) { r.Create, r.Principal = true, policy.Principal{RoleID: 99} }, errs.InsufficientPrivilege},
		{"bad gzip", "t", "\x1f\x8bxx", nil, errs.InvalidText},
		{"brotli", "t", "{}", func(r *ingest.Request) { r.ContentEncoding = "br" }, errs.FeatureNotSupported},
		{"too large", "t", strings.Repeat(" ", 65<<20), nil, errs.ProgramLimit},
		{"broken parquet", "t", "PAR1xxxxxxxxPAR1", nil, errs.BadCopyFormat},
		{"nothing to infer", "v", `{"a":null}`, create, errs.InvalidTableDefinition},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a, err := post(g, c.table, c.body, c.change); errs.CodeOf(err) != c.want {
				t.Errorf("%s, %v, wanted %s", counts(a), err, c.want)
			}
		})
	}
}

type appender struct{ s *storage.Store }

func (a appender) Append(ctx context.Context, c *storage.Commit) (storage.Outcome, error) {
	return a.s.Commit(ctx, c)
}

func (a appender) StartLoad(c *storage.Commit) (*storage.Load, error) { return a.s.StartLoad(c, nil) }

func TestCopy(t *testing.T) {
	s, g := open(t)
	if _, err := post(g, "t", `{"a":0,"b":"x"}`, create); err != nil {
		t.Fatal(err)
	}
	cat := s.Catalog()
	tab := cat.TableByName(catalog.SchemaPublic, "t")
	spec := func() *ingest.CopySpec {
		return &ingest.CopySpec{Principal: admin, Table: tab.ID, Name: "t", Cols: []uint32{1, 2}, Names: []string{"a", "b"},
			Types: []types.Type{types.Int8, types.Text}, TextFormat: types.DefaultFormat, Format: "text", Delimiter: '\t', Null: `\N`}
	}
	res, err := g.CopyFrom(context.Background(), spec(), strings.NewReader("1\ty\n2\t\\N\n"), appender{s})
	if err != nil || res.Rows != 2 {
		t.Fatal(res, err)
	}
	_, err = g.CopyFrom(context.Background(), spec(), strings.NewReader("3\tz\nabc\tq\n"), appender{s})
	if e := errs.As(err); e.Code != errs.InvalidText || e.Where != `COPY t, line 2, column a: "abc"` {
		t.Errorf("%s %q in %q", e.Code, e.Msg, e.Where)
	}
	ignore := spec()
	ignore.OnErrorIgnore = true
	res, err = g.CopyFrom(context.Background(), ignore, strings.NewReader("4\tz\nabc\tq\n5\n"), appender{s})
	if err != nil || res.Rows != 1 || res.Quarantined != 2 {
		t.Error(res, err)
	}
	if got := dump(t, s, "public", "t", "a", "b"); got != "0|x\n1|y\n2|NULL\n4|z\n" {
		t.Error(got)
	}
	keyed := spec()
	keyed.BatchKey = "k"
	for want := range 2 {
		res, err = g.CopyFrom(context.Background(), keyed, strings.NewReader("6\tz\n"), appender{s})
		if err != nil || res.Replayed != (want == 1) {
			t.Error(res, err)
		}
	}
}

// TestCut: pieces together are the input, cut at row borders, always alike.
func TestCut(t *testing.T) {
	in := "h1,h2\n1,\"a\nb\"\n2,c\n\n3,\"d\"\"\n\"\n4,e"
	var pieces []string
	rows := int64(0)
	head, err := ingest.Cut(strings.NewReader(in), true, true, 8, func(p ingest.Piece) error {
		pieces = append(pieces, string(p.Body))
		rows += p.Rows
		return nil
	})
	if err != nil || string(head) != "h1,h2\n" || string(head)+strings.Join(pieces, "") != in || rows != 5 {
		t.Errorf("%q + %q, %d rows, %v", head, pieces, rows, err)
	}
	for _, p := range pieces {
		if strings.Count(p, `"`)%2 != 0 {
			t.Errorf("piece %q ends inside quotes", p)
		}
	}
}

func TestAppendMulti(t *testing.T) {
	s, g := open(t)
	body := `{"table":"a","row":{"x":1}}
{"table":"b","row":{"y":"z"}}
{"table":"a","row":{"x":"bad"}}
{"table":"a","row":{"x":2}}
{"tabel":"a"}
`
	send := func() (*ingest.Answer, error) {
		return g.AppendMulti(context.Background(), &ingest.Request{Principal: admin, Create: true, Key: "k", Source: "http", Body: strings.NewReader(body)})
	}
	// x is an integer and a text in the same batch: text takes both.
	a, err := send()
	if err != nil || counts(a) != "received=5 accepted=4 duplicates=0 quarantined=1 refused=0 replayed=false rejects=1" || a.Rejects[0].Row != 4 {
		t.Fatal(counts(a), err)
	}
	if got := dump(t, s, "public", "a", "x") + dump(t, s, "public", "b", "y"); got != "1\nbad\n2\nz\n" {
		t.Error(got)
	}
	if again, err := send(); err != nil || !again.Replayed || again.CommitSeq != a.CommitSeq {
		t.Error(counts(again), err)
	}
	before := s.Catalog().Version()
	if _, err := g.AppendMulti(context.Background(), &ingest.Request{Principal: admin, Source: "http",
		Body: strings.NewReader(`{"table":"a","row":{"x":"q"}}` + "\n" + `{"table":"none","row":{"x":1}}`)}); errs.CodeOf(err) != errs.UndefinedTable {
		t.Error(err)
	}
	if got := dump(t, s, "public", "a", "x"); got != "1\nbad\n2\n" || s.Catalog().Version() != before {
		t.Errorf("a failed batch left rows: %s", got)
	}
}
