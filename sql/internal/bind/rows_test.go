package bind_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5"

	"quern/engine"
	"quern/sql/internal/parse"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs/crashfs"
)

// rowsWorld is a world with data, in Quern and in PostgreSQL.
type rowsWorld struct {
	*world
	store *storage.Store
	pg    *pgx.Conn
}

var rowsTables = map[string][]string{
	"r": {"a int4", "b int8", "c text"},
	"s": {"a int4", "x int8", "d text"},
	"q": {"x int8", "n int4 not null"},
}

// rowsData makes small tables full of repeated values and NULLs.
func rowsData(rng *rand.Rand, cols []string, n int) [][]types.Datum {
	out := make([][]types.Datum, n)
	for i := range out {
		for _, c := range cols {
			d := types.Datum{I: int64(rng.IntN(6))}
			if strings.Contains(c, "text") {
				d = types.Datum{S: string(rune('p' + rng.IntN(5)))}
			}
			if !strings.Contains(c, "not null") && rng.IntN(6) == 0 {
				d = types.NullDatum
			}
			out[i] = append(out[i], d)
		}
	}
	return out
}

func newRowsWorld(t *testing.T, url string) *rowsWorld {
	ctx := t.Context()
	w := &rowsWorld{world: newWorld(t)}
	w.env.HasParams = false
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var err error
	w.store, err = storage.Open(storage.Options{Dir: "d", FS: crashfs.New(), Manual: true,
		Now: func() time.Time { return now }, Rand: func() uint64 { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	if url != "" {
		if w.pg, err = pgx.Connect(ctx, url); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.pg.Close(context.Background()) })
		if _, err := w.pg.Exec(ctx, "set jit = off; set statement_timeout = '1s'"); err != nil {
			t.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range []string{"r", "s", "q"} {
		w.load(t, name, rowsTables[name], rowsData(rng, rowsTables[name], 12))
	}
	return w
}

func (w *rowsWorld) load(t *testing.T, name string, cols []string, rows [][]types.Datum) {
	ctx := t.Context()
	w.table(t, name, int64(len(rows)), cols)
	tab := w.cat.TableByName(catalog.SchemaPublic, name)
	b := &vec.Batch{Len: len(rows)}
	var ids []uint32
	for j, c := range tab.Columns {
		col := vec.NewBuilder(c.Type, len(rows))
		for i := range rows {
			col.Append(&rows[i][j])
		}
		b.Cols = append(b.Cols, col.Finish())
		ids = append(ids, c.ID)
	}
	snap := w.store.Snapshot()
	base := snap.Catalog()
	_, err := w.store.Commit(ctx, &storage.Commit{Schema: []catalog.Change{{Table: tab, Create: true}}, BaseVersion: base.Version(),
		Tables: []storage.TableRows{{Table: tab.ID, Cols: ids, Batches: []*vec.Batch{b}}}})
	if err != nil {
		t.Fatal(err)
	}
	snap.Close()
	if w.pg == nil {
		return
	}
	if _, err := w.pg.Exec(ctx, "drop table if exists "+name+"; create table "+name+" ("+strings.Join(cols, ", ")+")"); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		var vals []string
		for j := range r {
			vals = append(vals, sqlLiteral(tab.Columns[j].Type, &r[j]))
		}
		if _, err := w.pg.Exec(ctx, "insert into "+name+" values ("+strings.Join(vals, ", ")+")"); err != nil {
			t.Fatal(err)
		}
	}
}

func sqlLiteral(t types.Type, d *types.Datum) string {
	if d.Null {
		return "null"
	}
	return "'" + string(types.AppendText(nil, t, d, types.DefaultFormat)) + "'"
}

// quern runs a query and gives its rows as text, sorted.
func (w *rowsWorld) quern(t *testing.T, q string) ([]string, error) {
	ctx := t.Context()
	snap := w.store.Snapshot()
	defer snap.Close()
	w.cat = snap.Catalog()
	if _, err := parse.One(q); err != nil {
		return nil, err
	}
	b, err := w.statement(q)
	if err != nil {
		return nil, err
	}
	p, err := b.Compile()
	if err != nil {
		return nil, err
	}
	rows, err := engine.Run(ctx, &engine.Query{Plan: p, Snap: snap, Env: w.env.Fn, Threads: 2})
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []string
	var dst vec.Batch
	for {
		n, err := rows.Next(ctx, &dst)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		for i := range dst.Len {
			if dst.Sel != nil && !slices.Contains(dst.Sel, uint16(i)) {
				continue
			}
			var parts []string
			for j := range dst.Cols {
				d := dst.Cols[j].Datum(i)
				if d.Null {
					parts = append(parts, "∅")
					continue
				}
				parts = append(parts, string(types.AppendText(nil, b.Field[j].Type, &d, types.DefaultFormat)))
			}
			out = append(out, strings.Join(parts, "|"))
		}
	}
	slices.Sort(out)
	return out, nil
}

func (w *rowsWorld) postgres(t *testing.T, q string) ([]string, error) {
	ctx := t.Context()
	rows, err := w.pg.Query(ctx, q, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var parts []string
		for _, v := range rows.RawValues() {
			if v == nil {
				parts = append(parts, "∅")
			} else {
				parts = append(parts, string(v))
			}
		}
		out = append(out, strings.Join(parts, "|"))
	}
	slices.Sort(out)
	return out, rows.Err()
}

// TestRowStories runs the queries of testdata_rows; with QUERN_PG_URL set
// PostgreSQL must give the same rows.
func TestRowStories(t *testing.T) {
	url := os.Getenv("QUERN_PG_URL")
	w := newRowsWorld(t, url)
	datadriven.Walk(t, "testdata_rows", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			for q := range strings.SplitSeq(d.Input, ";\n") {
				q = strings.TrimSuffix(q, ";")
				rows, err := w.quern(t, q)
				if err != nil {
					out.WriteString(showError(err))
					continue
				}
				fmt.Fprintln(&out, strings.Join(rows, " "))
				if url == "" {
					continue
				}
				if want, err := w.postgres(t, q); err != nil || !slices.Equal(rows, want) {
					t.Errorf("%s\n PostgreSQL: %v %v\n      Quern: %v", q, want, err, rows)
				}
			}
			return out.String()
		})
	})
}

// TestRandomQueries runs random queries, heavy with subqueries and joins, on
// both. It needs QUERN_PG_URL; QUERN_QUERIES sets how many.
func TestRandomQueries(t *testing.T) {
	url := os.Getenv("QUERN_PG_URL")
	if url == "" {
		t.Skip("QUERN_PG_URL is not set")
	}
	n := 500
	if s := os.Getenv("QUERN_QUERIES"); s != "" {
		_, _ = fmt.Sscan(s, &n)
	}
	seed := uint64(1)
	if s := os.Getenv("QUERN_SEED"); s != "" {
		_, _ = fmt.Sscan(s, &seed)
	}
	w := newRowsWorld(t, url)
	g := &generator{rng: rand.New(rand.NewPCG(seed, 7))}
	refused := map[string]int{}
	ok, bad := 0, 0
	for range n {
		q := g.query()
		want, pgErr := w.postgres(t, q)
		if pgErr != nil && strings.Contains(pgErr.Error(), "57014") {
			continue // too much work for either
		}
		got, err := w.quern(t, q)
		switch {
		case errs.CodeOf(err) == errs.FeatureNotSupported:
			refused[errs.As(err).Msg]++
		case (err == nil) != (pgErr == nil):
			t.Errorf("%s\n PostgreSQL: %v %v\n Quern: %v %v", q, want, pgErr, got, err)
			bad++
		case err == nil && !slices.Equal(got, want):
			t.Errorf("%s\n PostgreSQL: %v\n      Quern: %v", q, want, got)
			bad++
		default:
			ok++
		}
		if bad > 15 {
			break
		}
	}
	t.Logf("%d equal, %d different, refused: %v", ok, bad, refused)
}
