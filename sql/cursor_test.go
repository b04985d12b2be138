package sql_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"quern/sql"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

func TestCursors(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "CREATE TABLE n (a int); INSERT INTO n VALUES (1),(2),(3),(4),(5)", "CREATE TABLE\nINSERT 0 5"},
		{"admin", "DECLARE c CURSOR FOR SELECT 1", "ERROR 25P01 DECLARE CURSOR can only be used in transaction blocks"},
		{"admin", "BEGIN; DECLARE c CURSOR FOR SELECT a FROM n ORDER BY a; FETCH 2 FROM c", "BEGIN\nDECLARE CURSOR\n1\n2\nFETCH 2"},
		{"admin", "FETCH c; MOVE c; FETCH ALL FROM c; FETCH c", "3\nFETCH 1\nMOVE 1\n5\nFETCH 1\nFETCH 0"},
		{"admin", "SAVEPOINT s; FETCH PRIOR FROM c", "SAVEPOINT\nERROR 55000 cursor can only scan forward"},
		{"admin", "ROLLBACK; FETCH c", "ROLLBACK\nERROR 34000 cursor \"c\" does not exist"},
		{"admin", "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT a FROM n ORDER BY a; FETCH LAST FROM c", "BEGIN\nDECLARE CURSOR\n5\nFETCH 1"},
		{"admin", "FETCH PRIOR FROM c; FETCH BACKWARD 2 FROM c; FETCH FIRST FROM c; FETCH PRIOR FROM c; FETCH NEXT FROM c", "4\nFETCH 1\n3\n2\nFETCH 2\n1\nFETCH 1\nFETCH 0\n1\nFETCH 1"},
		{"admin", "FETCH ABSOLUTE 3 FROM c; FETCH RELATIVE -2 FROM c; FETCH RELATIVE 0 FROM c; FETCH ABSOLUTE -2 FROM c", "3\nFETCH 1\n1\nFETCH 1\n1\nFETCH 1\n4\nFETCH 1"},
		{"admin", "MOVE FORWARD ALL IN c; FETCH BACKWARD ALL FROM c", "MOVE 1\n5\n4\n3\n2\n1\nFETCH 5"},
		{"admin", "CLOSE c; CLOSE c", "CLOSE CURSOR\nERROR 34000 cursor \"c\" does not exist"},
		{"admin", "ROLLBACK; BEGIN; DECLARE h CURSOR WITH HOLD FOR SELECT a FROM n ORDER BY a; FETCH h; COMMIT; FETCH 2 FROM h", "ROLLBACK\nBEGIN\nDECLARE CURSOR\n1\nFETCH 1\nCOMMIT\n2\n3\nFETCH 2"},
		{"admin", "SELECT name, is_holdable FROM pg_cursors", "h|t\nSELECT 1"},
		{"admin", "CLOSE ALL; FETCH h", "CLOSE CURSOR ALL\nERROR 34000 cursor \"h\" does not exist"},
		{"admin", "PREPARE p (int) AS SELECT a FROM n WHERE a > $1 ORDER BY a; EXECUTE p(3)", "PREPARE\n4\n5\nSELECT 2"},
		{"admin", "EXECUTE p", "ERROR 42601 wrong number of parameters for prepared statement \"p\""},
		{"admin", "PREPARE p AS SELECT 1", "ERROR 42P05 prepared statement \"p\" already exists"},
		{"admin", "PREPARE i AS INSERT INTO n VALUES ($1); EXECUTE i(6); SELECT count(*) FROM n", "PREPARE\nINSERT 0 1\n6\nSELECT 1"},
		{"admin", "DEALLOCATE p; EXECUTE p(1)", "DEALLOCATE\nERROR 26000 prepared statement \"p\" does not exist"},
		{"admin", "DEALLOCATE ALL", "DEALLOCATE ALL"},
	}...)
}

func TestSettingsOfSession(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "SET TimeZone = 'Asia/Kolkata'; SHOW TimeZone; SELECT timestamptz '2024-06-01 00:00:07.12+00'", "SET\nAsia/Kolkata\nSHOW\n2024-06-01 05:30:07.12+05:30\nSELECT 1"},
		{"admin", "BEGIN; SET LOCAL TimeZone = 'UTC'; SHOW TimeZone; COMMIT; SHOW TimeZone", "BEGIN\nSET\nUTC\nSHOW\nCOMMIT\nAsia/Kolkata\nSHOW"},
		{"admin", "BEGIN; SET TimeZone = 'UTC'; ROLLBACK; SHOW TimeZone", "BEGIN\nSET\nROLLBACK\nAsia/Kolkata\nSHOW"},
		{"admin", "SET LOCAL work_mem = '8MB'", "WARNING: SET LOCAL can only be used in transaction blocks\nSET"},
		{"admin", "SHOW work_mem", "4MB\nSHOW"},
		{"admin", "RESET ALL; SHOW TIME ZONE", "RESET\nUTC\nSHOW"},
		{"admin", "SET nope = 1", "ERROR 42704 unrecognized configuration parameter \"nope\""},
		{"admin", "SHOW nope", "ERROR 42704 unrecognized configuration parameter \"nope\""},
		{"admin", "SET app.x = 'y'; SHOW app.x", "SET\ny\nSHOW"},
		{"admin", "SET search_path TO \"$user\", public; SHOW search_path", "SET\n\"$user\", public\nSHOW"},
		{"admin", "CREATE SCHEMA s; CREATE TABLE s.t (a int); SET search_path = s; SELECT * FROM t", "CREATE SCHEMA\nCREATE TABLE\nSET\nSELECT 0"},
		{"admin", "DROP SCHEMA s", "ERROR 2BP01 cannot drop schema s because other objects depend on it"},
		{"admin", "DROP SCHEMA s CASCADE; SELECT * FROM t", "DROP SCHEMA\nERROR 42P01 relation \"t\" does not exist"},
		{"admin", "SET client_min_messages = warning; DROP TABLE IF EXISTS nope", "SET\nDROP TABLE"},
		{"admin", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SET"},
		{"admin", "CREATE SCHEMA x", "ERROR 25006 cannot execute CREATE SCHEMA in a read-only transaction"},
		{"admin", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; BEGIN; DISCARD ALL", "SET\nBEGIN\nERROR 25001 DISCARD ALL cannot run inside a transaction block"},
		{"admin", "ROLLBACK", "ROLLBACK"},
		{"admin", "DISCARD ALL; SHOW client_min_messages", "DISCARD ALL\nnotice\nSHOW"},
		{"admin", "SELECT set_config('work_mem', '16MB', false); SHOW work_mem", "16MB\nSELECT 1\n16MB\nSHOW"},
		{"admin", "SELECT current_setting('work_mem'), current_setting('nope', true)", "16MB|NULL\nSELECT 1"},
		{"admin", "SHOW server_version", "15.18 (Quern 0.1.0)\nSHOW"},
		{"admin", "ALTER ROLE admin SET work_mem = '32MB'", "ALTER ROLE"},
		{"admin#2", "SHOW work_mem", "32MB\nSHOW"},
	}...)
	s := w.as("admin")
	if got := s.Parameters(); len(got) != 13 || got[0].Name != "application_name" || got[12] != (sql.Setting{Name: "TimeZone", Value: "UTC"}) {
		t.Errorf("parameters %v", got)
	}
	w.query("admin", "SET TimeZone = 'UTC+1'; SET TimeZone = 'Europe/Berlin'; SET application_name = 'x'")
	if got := s.ChangedParameters(); len(got) != 2 || got[0].Value != "x" || got[1].Value != "Europe/Berlin" {
		t.Errorf("changed %v", got)
	}
	if got := s.ChangedParameters(); len(got) != 0 {
		t.Errorf("told twice: %v", got)
	}
	if _, err := w.db.NewSession("admin", []sql.Setting{{Name: "nope", Value: "1"}}); errs.CodeOf(err) != errs.UndefinedObject {
		t.Errorf("startup with unknown setting: %v", err)
	}
}

func TestExplain(t *testing.T) {
	w := people(t)
	if got := w.query("admin", "EXPLAIN SELECT id FROM people WHERE id > 1"); !strings.Contains(got, "Scan on public.people") || !strings.HasSuffix(got, "EXPLAIN") {
		t.Errorf("explain:\n%s", got)
	}
	if got := w.query("admin", "EXPLAIN (ANALYZE) SELECT id FROM people"); !strings.Contains(got, "actual rows=3") || !strings.Contains(got, "Execution Time") {
		t.Errorf("explain analyze:\n%s", got)
	}
	if got := w.query("alice", "EXPLAIN (ANALYZE) SELECT id FROM people"); strings.Contains(got, "actual") || strings.Contains(got, "Time") {
		t.Errorf("bound role sees counters:\n%s", got)
	}
	if got := w.query("admin", "EXPLAIN (FORMAT JSON) SELECT id FROM people"); !strings.Contains(got, `"Node Type"`) {
		t.Errorf("json:\n%s", got)
	}
	w.script([][3]string{
		{"admin", "EXPLAIN (FORMAT XML) SELECT 1", "ERROR 0A000 EXPLAIN format XML is not supported"},
		{"admin", "EXPLAIN (NONSENSE) SELECT 1", "ERROR 42601 unrecognized EXPLAIN option \"nonsense\""},
		{"admin", "EXPLAIN (FORMAT YELLOW) SELECT 1", "ERROR 22023 unrecognized value for EXPLAIN option \"format\": \"yellow\""},
	}...)
}

// TestExtended drives the extended protocol's calls.
func TestExtended(t *testing.T) {
	w := newWorld(t)
	w.query("admin", "CREATE TABLE n (a int, b text); INSERT INTO n VALUES (1,'x'),(2,'y'),(3,'z')")
	s := w.as("admin")
	ctx, done := s.Start(context.Background())
	if err := s.PrepareNamed(ctx, "p", "SELECT a, b FROM n WHERE a >= $1 ORDER BY a", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.PrepareNamed(ctx, "p", "SELECT 1", nil); errs.CodeOf(err) != errs.DuplicatePrepared {
		t.Errorf("duplicate: %v", err)
	}
	if err := s.EndImplicit(ctx, nil); err != nil {
		t.Fatal(err)
	}
	done()
	ctx, done = s.Start(context.Background())
	defer done()
	p, err := s.PreparedByName("p")
	if err != nil {
		t.Fatal(err)
	}
	if ts := p.ParamTypes(); len(ts) != 1 || ts[0] != types.Int4 {
		t.Errorf("parameters %v", ts)
	}
	if fs := p.Fields(); len(fs) != 2 || fs[1].Name != "b" || fs[1].AttNum != 2 || fs[1].TableOID == 0 {
		t.Errorf("fields %v", fs)
	}
	pt, err := s.BindNamed(ctx, "", p, []types.Datum{{I: 2}}, []int16{1})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	if err := drainPortal(ctx, s, pt, &out); err != nil || strings.Join(out, " ") != "2|y 3|z" || pt.Tag() != "SELECT 2" {
		t.Errorf("%v %v %s", out, err, pt.Tag())
	}
	if _, err := s.BindNamed(ctx, "", p, nil, nil); errs.CodeOf(err) != errs.ProtocolViolation {
		t.Errorf("wrong count: %v", err)
	}
	if _, err := s.PreparedByName("q"); errs.CodeOf(err) != errs.InvalidStatementName {
		t.Errorf("unknown statement: %v", err)
	}
	if err := s.PrepareNamed(ctx, "", "SELECT 1; SELECT 2", nil); errs.CodeOf(err) != errs.Syntax {
		t.Errorf("two statements: %v", err)
	}
	if err := s.PrepareNamed(ctx, "e", "", nil); err != nil {
		t.Errorf("empty: %v", err)
	}
	s.ClosePrepared("p")
	if _, err := s.PortalByName(""); errs.CodeOf(err) != errs.InvalidCursorName {
		t.Errorf("portal of a closed statement: %v", err)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	s := w.as("admin")
	s.Cancel() // idle: hits nothing
	if got := w.query("admin", "SELECT 1"); got != "1\nSELECT 1" {
		t.Errorf("after idle cancel: %s", got)
	}
	ctx, done := s.Start(context.Background())
	s.BeginImplicit()
	stmts, err := s.Script("SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Prepare(ctx, stmts[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	pt, err := s.Bind(ctx, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Cancel()
	var b vec.Batch
	_, err = pt.Next(ctx, &b)
	if e := errs.As(err); err == nil || e.Code != errs.QueryCanceled || e.Msg != "canceling statement due to user request" {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.EndImplicit(ctx, err); err != nil {
		t.Error(err)
	}
	done()
	if w.db.SessionByPID(s.PID()) != s {
		t.Error("session not found by PID")
	}
}

// TestCopyIn: rows of COPY wait for the transaction, and privileges are
// checked again when they come.
func TestCopyIn(t *testing.T) {
	w := newWorld(t)
	w.query("admin", "CREATE TABLE n (a int, b text DEFAULT 'd')")
	s := w.as("admin")
	rows := func() *storage.Commit {
		b := vec.NewBuilder(types.Int4, 2)
		for i := range 2 {
			b.Append(&types.Datum{I: int64(i)})
		}
		cat := w.store.Catalog()
		tab := cat.TableByName(cat.SchemaByName("public").ID, "n")
		return &storage.Commit{Tables: []storage.TableRows{{Table: tab.ID, Cols: []uint32{1},
			Batches: []*vec.Batch{{Len: 2, Cols: []vec.Vector{b.Finish()}}}}}}
	}
	w.query("admin", "BEGIN")
	ctx, done := s.Start(context.Background())
	defer done()
	stmts, err := s.Script("COPY n (a) FROM STDIN WITH (FORMAT csv, HEADER, NULL 'nil', FORCE_NOT_NULL (a))")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Prepare(ctx, stmts[0], nil)
	if err != nil {
		t.Fatal(err)
	}
	pt, err := s.Bind(ctx, p, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec := pt.CopyIn()
	if spec == nil || spec.Names[0] != "a" || spec.Options.Format != "csv" || spec.Options.Header != "true" || spec.Options.Null != "nil" {
		t.Fatalf("spec %+v", spec)
	}
	o, err := s.Append(ctx, rows())
	if err != nil || o.Accepted != 2 {
		t.Fatalf("append %+v %v", o, err)
	}
	pt.FinishCopyIn(2)
	if pt.Tag() != "COPY 2" {
		t.Error(pt.Tag())
	}
	w.script([][3]string{
		{"admin", "SELECT * FROM n", "0|d\n1|d\nSELECT 2"},
		{"admin#2", "SELECT * FROM n", "SELECT 0"},
		{"admin", "COMMIT", "COMMIT"},
		{"admin#2", "SELECT * FROM n", "0|d\n1|d\nSELECT 2"},
		{"admin", "COPY n FROM STDIN (FORMAT xml)", "ERROR 22023 COPY format \"xml\" not recognized"},
		{"admin", "COPY n FROM STDIN (DELIMITER 'ab')", "ERROR 0A000 COPY delimiter must be a single one-byte character"},
		{"admin", "COPY n (zz) FROM STDIN", "ERROR 42703 column \"zz\" of relation \"n\" does not exist"},
		{"admin", "COPY n FROM STDIN (FORCE_QUOTE (a), FORMAT csv)", "ERROR 0A000 COPY force quote only available using COPY TO"},
		{"admin", "COPY nope FROM STDIN", "ERROR 42P01 relation \"nope\" does not exist"},
		{"admin", "CREATE ROLE r LOGIN", "CREATE ROLE"},
		{"r", "COPY n FROM STDIN", "ERROR 42501 permission denied for table n"},
	}...)
	if _, err := w.as("r").Append(ctx, rows()); errs.CodeOf(err) != errs.InsufficientPrivilege {
		t.Errorf("append without INSERT: %v", err)
	}
}

// TestConcurrentDefinitions: definitions of several sessions outside blocks
// all succeed; the loser of a race plans anew.
func TestConcurrentDefinitions(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	results := make([]string, 8)
	for i := range results {
		s, err := w.db.NewSession("admin", nil)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer s.Close()
			results[i] = render(s, "CREATE TABLE t"+string(rune('a'+i))+" (a int)")
		})
	}
	wg.Wait()
	for i, r := range results {
		if r != "CREATE TABLE" {
			t.Errorf("%d: %s", i, r)
		}
	}
	if got := w.query("admin", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); got != "8\nSELECT 1" {
		t.Errorf("tables: %s", got)
	}
}

func TestStatementTimeout(t *testing.T) {
	w := newWorld(t)
	w.query("admin", "SET statement_timeout = '1ms'")
	s := w.as("admin")
	ctx, done := s.Start(context.Background())
	defer done()
	s.BeginImplicit()
	stmts, err := s.Script("SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prepare(ctx, stmts[0], nil); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the timeout did not fire")
	}
	if e := errs.As(context.Cause(ctx)); e.Msg != "canceling statement due to statement timeout" {
		t.Error(e)
	}
}
