package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"quern/storage/catalog"
	"quern/storage/errs"
)

func TestPsql(t *testing.T) {
	s := startTest(t, nil)
	csv := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(csv, []byte("3,\"q\"\"q\",2024-05-05 01:02:03.5+02\n4,,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, script, want string }{
		{"select", "select 1 as a, 'x' as b, null as n;", "1|x|\n"},
		{"create and insert", "create table t(a int, b text, ts timestamptz); insert into t values (1,'x','2024-01-01 00:00:00+00'),(2,null,null);",
			"CREATE TABLE\nINSERT 0 2\n"},
		{"copy in", `\copy t from '` + csv + `' csv`, "COPY 2\n"},
		{"copy out", `\copy (select * from t order by a) to stdout csv header`,
			"a,b,ts\n1,x,2024-01-01 00:00:00+00\n2,,\n3,\"q\"\"q\",2024-05-04 23:02:03.5+00\n4,,\n"},
		{"aggregate", "select count(*), sum(a) from t where a > 1;", "3|9\n"},
		{"fetch count", "\\set FETCH_COUNT 2\nselect a from t order by a;", "1\n2\n3\n4\n"},
		{"gdesc", `select 1 as a, 'x'::text as b \gdesc`, "a|integer\nb|text\n"},
		{"error caret", "select nope from t;", "ERROR:  column \"nope\" does not exist\nLINE 1: select nope from t;\n               ^\n"},
		{"caret counts characters", "select 'öäü', nope from t;", "LINE 1: select 'öäü', nope from t;\n                      ^\n"},
		{"block", "begin; insert into t values (9); rollback; select count(*) from t;", "BEGIN\nINSERT 0 1\nROLLBACK\n4\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _ := psql(t, s, c.script, "-A", "-t")
			if !strings.HasSuffix(out, c.want) {
				t.Errorf("got\n%s\nwant\n%s", out, c.want)
			}
		})
	}
}

// TestPsqlMeta runs psql's own catalog queries; they must not fail.
func TestPsqlMeta(t *testing.T) {
	s := startTest(t, nil)
	must(t, s, "create table t(a int, b text)")
	for cmd, want := range map[string]string{`\dt`: "t", `\l`: "quern", `\du`: "admin"} {
		out, err := psql(t, s, cmd, "-v", "ON_ERROR_STOP=1")
		if err != nil || strings.Contains(out, "ERROR") || !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", cmd, err, out)
		}
	}
}

// TestPgxModes runs the same round trip in pgx's five ways of executing.
func TestPgxModes(t *testing.T) {
	s := startTest(t, nil)
	must(t, s, "create table r(i int, b bigint, f float8, t text, ok boolean, ts timestamptz, d date, n numeric(10,2), u uuid, y bytea)")
	for name, mode := range map[string]pgx.QueryExecMode{
		"cache_statement": pgx.QueryExecModeCacheStatement, "cache_describe": pgx.QueryExecModeCacheDescribe,
		"describe_exec": pgx.QueryExecModeDescribeExec, "exec": pgx.QueryExecModeExec,
		"simple_protocol": pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			c := open(t, s)
			ts := time.Date(2024, 6, 1, 12, 0, 0, 123456000, time.UTC)
			tag, err := c.Exec(ctx, "insert into r(i,b,f,t,ok,ts,y) values ($1,$2,$3,$4,$5,$6,$7)", mode,
				int32(7), int64(1)<<40, 0.5, "é'x", true, ts, []byte{0, 1, 255})
			if err != nil || tag.String() != "INSERT 0 1" {
				t.Fatalf("%v %v", tag, err)
			}
			var i int32
			var b int64
			var f float64
			var txt string
			var ok bool
			var got time.Time
			var y []byte
			err = c.QueryRow(ctx, "select i,b,f,t,ok,ts,y from r where i = $1 limit 1", mode, int32(7)).
				Scan(&i, &b, &f, &txt, &ok, &got, &y)
			if err != nil || i != 7 || b != 1<<40 || f != 0.5 || txt != "é'x" || !ok || !got.Equal(ts) || string(y) != "\x00\x01\xff" {
				t.Fatalf("%v %v %v %q %v %v %x: %v", i, b, f, txt, ok, got, y, err)
			}
			_, err = c.Exec(ctx, "select 1/0", mode)
			if pe := (*pgconn.PgError)(nil); !errors.As(err, &pe) || pe.Code != "22012" {
				t.Fatalf("error %v", err)
			}
			if err := c.QueryRow(ctx, "select 5::int", mode).Scan(&i); err != nil || i != 5 {
				t.Fatalf("after an error: %v %v", i, err)
			}
		})
	}
}

func TestPgxCopyBatchCancel(t *testing.T) {
	s := startTest(t, nil)
	must(t, s, "create table c(a int, b text)")
	ctx := t.Context()
	c := open(t, s)
	n, err := c.CopyFrom(ctx, pgx.Identifier{"c"}, []string{"a", "b"}, pgx.CopyFromSlice(5000, func(i int) ([]any, error) {
		return []any{int32(i), fmt.Sprint("row ", i)}, nil
	}))
	if err != nil || n != 5000 {
		t.Fatalf("%d %v", n, err)
	}
	var b pgx.Batch
	for i := range 20 {
		b.Queue("select count(*) from c where a < $1", int32(i*10))
	}
	br := c.SendBatch(ctx, &b)
	for i := range 20 {
		var n int64
		if err := br.QueryRow().Scan(&n); err != nil || n != int64(i*10) {
			t.Fatalf("batch %d: %d %v", i, n, err)
		}
	}
	if err := br.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Exec(ctx, "set statement_timeout = '50ms'"); err != nil {
		t.Fatal(err)
	}
	_, err = c.Exec(ctx, "select count(*) from c x, c y, c z where x.a + y.a + z.a < 0")
	if pe := (*pgconn.PgError)(nil); !errors.As(err, &pe) || pe.Code != "57014" {
		t.Fatalf("statement_timeout: %v", err)
	}
}

func TestFirstPasswordAndLock(t *testing.T) {
	var printed strings.Builder
	dir := t.TempDir()
	s := startTest(t, func(o *Options) { o.Dir, o.Auth, o.Print = dir, "scram", &printed })
	file := filepath.Join(dir, "initial_admin_password")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pw := strings.TrimSpace(string(data))
	if len(pw) != 24 || !strings.Contains(printed.String(), pw) {
		t.Errorf("password %q, printed %q", pw, printed.String())
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	open(t, s, "password="+pw)
	_, err = pgx.Connect(t.Context(), dsn(s, "password=wrong"))
	if err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("wrong password: %v", err)
	}
	// A second process on the folder is refused.
	_, err = Start(context.WithoutCancel(t.Context()), Options{Dir: dir, PGAddr: "127.0.0.1:0"})
	if errs.CodeOf(err) != errs.ObjectInUse {
		t.Errorf("second server: %v", err)
	}
}

// TestRestart: what was acknowledged is there after a restart, and the
// password is not made anew.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	o := Options{Dir: dir, PGAddr: "127.0.0.1:0", AdminPassword: "pw1", Memory: 1 << 30}
	for round := range 2 {
		o.AdminPassword = fmt.Sprint("pw", round+1)
		s, err := Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := pgx.Connect(t.Context(), dsn(s, "password=pw1"))
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if _, err := c.Exec(t.Context(), "create table k(a int); insert into k values (1),(2)"); err != nil {
				t.Fatal(err)
			}
		}
		var n int64
		if err := c.QueryRow(t.Context(), "select count(*) from k").Scan(&n); err != nil || n != 2 {
			t.Fatalf("round %d: %d %v", round, n, err)
		}
		_ = c.Close(t.Context())
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFlushKeepsRows: rows of several slabs are the same after they have
// become a segment.
func TestFlushKeepsRows(t *testing.T) {
	s := startTest(t, nil)
	must(t, s, "create table big as select g as id, g * 2 as d from generate_series(1, 200000) g")
	c := open(t, s)
	check := func(when string) {
		t.Helper()
		var n, lo, hi, sum int64
		var same bool
		err := c.QueryRow(t.Context(), "select count(*), min(id)::int8, max(id)::int8, sum(id), sum(d) = 2 * sum(id) from big").
			Scan(&n, &lo, &hi, &sum, &same)
		if err != nil || n != 200000 || lo != 1 || hi != 200000 || sum != 20000100000 || !same {
			t.Fatalf("%s: %d rows, %d to %d, sum %d, %v: %v", when, n, lo, hi, sum, same, err)
		}
	}
	check("in memory")
	id := s.Store().Catalog().TableByName(catalog.SchemaPublic, "big").ID
	if err := s.Store().Flush(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	check("in a segment")
}
