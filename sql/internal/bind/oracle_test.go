package bind_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"quern/sql/internal/bind"
	"quern/storage/errs"
	"quern/storage/types"
)

// oracleTables are the relations of testdata_pg, as Quern's world and as DDL.
var oracleTables = map[string][]string{
	"t": {"a int4", "b int8", "c text", "s int2", "f float8", "f4 float4", "n numeric(10,2)", "ok bool", "d date",
		"ts timestamp", "tz timestamptz", "j jsonb", "u uuid", "by bytea", "ch char(4)", "v varchar(10)"},
	"t2": {"k int4", "x int4"},
	"t3": {"k int8", "y text"},
}

// show is one line for what a client is told of a prepared statement.
func show(fields []bind.Field, params []types.OID) string {
	var parts []string
	for _, f := range fields {
		table := ""
		if f.TableOID != 0 {
			table = fmt.Sprintf(" @%d", f.AttNum)
		}
		parts = append(parts, fmt.Sprintf("%s:%d:%d%s", f.Name, f.Type.OID, f.Type.Mod, table))
	}
	s := strings.Join(parts, ", ")
	if len(params) > 0 {
		s += fmt.Sprintf(" params %v", params)
	}
	return s
}

func showCode(code, msg string, pos int) string {
	return fmt.Sprintf("ERROR %s at %d: %s", code, pos, msg)
}

// TestOracle compares names, types, parameters and errors with what PostgreSQL
// 15 answers to Parse and Describe. expected.txt holds its answers; with
// QUERN_PG_URL set they are asked anew. A line of differ.txt excuses a query.
func TestOracle(t *testing.T) {
	text, err := os.ReadFile("testdata_pg/queries.sql")
	if err != nil {
		t.Fatal(err)
	}
	var queries []string
	for l := range strings.Lines(string(text)) {
		if l = strings.TrimRight(l, "\n"); l != "" && !strings.HasPrefix(l, "--") {
			queries = append(queries, l)
		}
	}
	want := expectations(t, queries)
	excused := map[string]bool{}
	if b, err := os.ReadFile("testdata_pg/differ.txt"); err == nil {
		for l := range strings.Lines(string(b)) {
			q, _, _ := strings.Cut(strings.TrimRight(l, "\n"), "\t")
			excused[q] = true
		}
	}
	w := newWorld(t)
	for name, cols := range oracleTables {
		w.table(t, name, 1000, cols)
	}
	same, missing := 0, 0
	for i, q := range queries {
		got := answer(w, q)
		switch {
		case got == want[i]:
			same++
			if excused[q] {
				t.Errorf("%s\n is in differ.txt but agrees", q)
			}
		case strings.Contains(got, "42883") && !strings.Contains(want[i], "ERROR"):
			missing++ // a function that the registry lacks is no matter of binding
			t.Logf("missing: %s", got)
		case !excused[q]:
			t.Errorf("%s\n PostgreSQL: %s\n      Quern: %s", q, want[i], got)
		}
	}
	t.Logf("%d of %d agree, %d lack a function", same, len(queries), missing)
}

func answer(w *world, q string) string {
	b, err := w.statement(q)
	if err != nil {
		e := errs.As(err)
		return showCode(string(e.Code), e.Msg, e.Pos)
	}
	if _, err := b.Compile(); err != nil {
		e := errs.As(err)
		return showCode(string(e.Code), "compile: "+e.Msg, e.Pos)
	}
	var params []types.OID
	for _, p := range b.Params {
		params = append(params, p.OID)
	}
	return show(b.Field, params)
}

// expectations reads expected.txt, or asks PostgreSQL and writes it.
func expectations(t *testing.T, queries []string) []string {
	const path = "testdata_pg/expected.txt"
	url := os.Getenv("QUERN_PG_URL")
	if url == "" {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
		if len(lines) != len(queries) {
			t.Fatalf("%d answers for %d queries: run with QUERN_PG_URL", len(lines), len(queries))
		}
		return lines
	}
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	if _, err := c.Exec(ctx, "drop table if exists r, s, q"); err != nil {
		t.Fatal(err)
	}
	for name, cols := range oracleTables {
		if _, err := c.Exec(ctx, "drop table if exists "+name+"; create table "+name+" ("+strings.Join(cols, ", ")+")"); err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for _, q := range queries {
		lines = append(lines, ask(ctx, c, q))
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return lines
}

func ask(ctx context.Context, c *pgx.Conn, q string) string {
	d, err := c.PgConn().Prepare(ctx, "", q, nil)
	if pe := (*pgconn.PgError)(nil); errors.As(err, &pe) {
		return showCode(pe.Code, pe.Message, int(pe.Position))
	}
	if err != nil {
		return err.Error()
	}
	var fields []bind.Field
	for _, f := range d.Fields {
		fields = append(fields, bind.Field{Name: f.Name, Type: types.Type{OID: types.OID(f.DataTypeOID), Mod: f.TypeModifier},
			TableOID: f.TableOID, AttNum: int16(f.TableAttributeNumber)})
	}
	var params []types.OID
	for _, p := range d.ParamOIDs {
		params = append(params, types.OID(p))
	}
	return show(fields, params)
}
