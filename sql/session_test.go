package sql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"quern/sql"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs/crashfs"
)

// world is a store on a memory file system with sessions by role.
type world struct {
	t     *testing.T
	db    *sql.DB
	store *storage.Store
	now   time.Time
	fs    *crashfs.FS
	open  map[string]*sql.Session
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2025, 6, 30, 0, 0, 0, 0, time.UTC), open: map[string]*sql.Session{}}
	w.fs = crashfs.New()
	w.start()
	t.Cleanup(func() {
		for _, s := range w.open {
			s.Close()
		}
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) start() {
	w.t.Helper()
	clock := func() time.Time { return w.now }
	store, err := storage.Open(storage.Options{Dir: "/data", FS: w.fs, Now: clock, Manual: true, WALFileBytes: 256 << 10,
		After: func(time.Duration) <-chan time.Time { return nil }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = store
	w.db = sql.New(store, sql.Options{Version: "0.1.0", Threads: 1, Now: clock})
}

// reopen closes all sessions and the store, and starts again from its files.
func (w *world) reopen() {
	w.t.Helper()
	for _, s := range w.open {
		s.Close()
	}
	w.open = map[string]*sql.Session{}
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
	w.start()
}

func (w *world) as(role string) *sql.Session {
	w.t.Helper()
	name, _, _ := strings.Cut(role, "#")
	if w.open[role] == nil {
		s, err := w.db.NewSession(name, nil)
		if err != nil {
			w.t.Fatalf("session of %s: %v", role, err)
		}
		w.open[role] = s
	}
	return w.open[role]
}

// query sends text as a simple query and renders what a client would get: rows
// with | between columns, notices, tags or the error.
func (w *world) query(role, text string) string {
	w.t.Helper()
	return render(w.as(role), text)
}

func render(s *sql.Session, text string) string {
	var out []string
	ctx, done := s.Start(context.Background())
	defer done()
	s.DropUnnamed()
	err := func() error {
		stmts, err := s.Script(text)
		if err != nil {
			return err
		}
		for i, st := range stmts {
			s.BeginImplicit()
			p, err := s.Prepare(ctx, st, nil)
			if err != nil {
				return err
			}
			pt, err := s.Bind(ctx, p, nil)
			if err != nil {
				return err
			}
			if err := drainPortal(ctx, s, pt, &out); err != nil {
				return err
			}
			if i == len(stmts)-1 {
				if err := s.EndImplicit(ctx, nil); err != nil {
					return err
				}
			}
			for _, n := range s.Notices() {
				out = append(out, n.Severity+": "+n.Msg)
			}
			out = append(out, pt.Tag())
		}
		return nil
	}()
	if err != nil {
		if eerr := s.EndImplicit(ctx, err); eerr != nil {
			out = append(out, "end: "+eerr.Error())
		}
		for _, n := range s.Notices() {
			out = append(out, n.Severity+": "+n.Msg)
		}
		e := errs.As(err)
		out = append(out, fmt.Sprintf("ERROR %s %s", e.Code, e.Msg))
	}
	return strings.Join(out, "\n")
}

func drainPortal(ctx context.Context, s *sql.Session, pt sql.Portal, out *[]string) error {
	defer pt.Close()
	var b vec.Batch
	for {
		n, err := pt.Next(ctx, &b)
		if err != nil || n == 0 {
			return err
		}
		*out = append(*out, rowsOf(s, &b)...)
	}
}

func rowsOf(s *sql.Session, b *vec.Batch) []string {
	var out []string
	f := s.Format()
	for i := range b.Rows() {
		r := i
		if b.Sel != nil {
			r = int(b.Sel[i])
		}
		var cols []string
		for k := range b.Cols {
			d := b.Cols[k].Datum(r)
			if d.Null {
				cols = append(cols, "NULL")
				continue
			}
			cols = append(cols, string(types.AppendText(nil, b.Cols[k].Type, &d, f)))
		}
		out = append(out, strings.Join(cols, "|"))
	}
	return out
}

// script runs lines "role: statements" and compares what follows "--" lines.
func (w *world) script(steps ...[3]string) {
	w.t.Helper()
	for _, st := range steps {
		got := w.query(st[0], st[1])
		if want := strings.TrimSpace(st[2]); got != want {
			w.t.Errorf("%s> %s\ngot:\n%s\nwant:\n%s\n", st[0], st[1], got, want)
		}
	}
}

func TestTransactions(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1,'x'),(2,'y')", "CREATE TABLE\nINSERT 0 2"},
		{"admin", "SELECT a, b FROM t ORDER BY a", "1|x\n2|y\nSELECT 2"},
		{"admin", "BEGIN", "BEGIN"},
		{"admin", "INSERT INTO t VALUES (3,'z')", "INSERT 0 1"},
		{"admin", "SELECT count(*) FROM t", "3\nSELECT 1"},
		{"admin#2", "SELECT count(*) FROM t", "2\nSELECT 1"},
		{"admin", "BEGIN", "WARNING: there is already a transaction in progress\nBEGIN"},
		{"admin", "COMMIT", "COMMIT"},
		{"admin#2", "SELECT count(*) FROM t", "3\nSELECT 1"},
		{"admin", "COMMIT", "WARNING: there is no transaction in progress\nCOMMIT"},
		{"admin", "BEGIN; INSERT INTO t VALUES (4,'w'); ROLLBACK", "BEGIN\nINSERT 0 1\nROLLBACK"},
		{"admin", "SELECT count(*) FROM t", "3\nSELECT 1"},
		// A failed block lets only its end pass.
		{"admin", "BEGIN", "BEGIN"},
		{"admin", "SELECT nope", "ERROR 42703 column \"nope\" does not exist"},
		{"admin", "SELECT 1", "ERROR 25P02 current transaction is aborted, commands ignored until end of transaction block"},
		{"admin", "COMMIT", "ROLLBACK"},
		// Savepoints.
		{"admin", "BEGIN; INSERT INTO t VALUES (5,'s'); SAVEPOINT a; INSERT INTO t VALUES (6,'s')", "BEGIN\nINSERT 0 1\nSAVEPOINT\nINSERT 0 1"},
		{"admin", "SELECT 1/0", "ERROR 22012 division by zero"},
		{"admin", "ROLLBACK TO a", "ROLLBACK"},
		{"admin", "SELECT count(*) FROM t", "4\nSELECT 1"},
		{"admin", "ROLLBACK TO nope", "ERROR 3B001 savepoint \"nope\" does not exist"},
		{"admin", "ROLLBACK TO a; RELEASE a; COMMIT", "ROLLBACK\nRELEASE\nCOMMIT"},
		{"admin", "SELECT count(*) FROM t", "4\nSELECT 1"},
		// An error in a Q drops the whole implicit transaction.
		{"admin", "INSERT INTO t VALUES (7,'q'); SELECT 1/0", "INSERT 0 1\nERROR 22012 division by zero"},
		{"admin", "SELECT count(*) FROM t", "4\nSELECT 1"},
		{"admin", "INSERT INTO t VALUES (8,'q'); SELECT (", "ERROR 42601 syntax error at end of input"},
		// Read only and serializable.
		{"admin", "BEGIN READ ONLY; INSERT INTO t VALUES (9,'r')", "BEGIN\nERROR 25006 cannot execute INSERT in a read-only transaction"},
		{"admin", "ROLLBACK", "ROLLBACK"},
		{"admin", "BEGIN ISOLATION LEVEL SERIALIZABLE; SHOW transaction_isolation", "BEGIN\nserializable\nSHOW"},
		{"admin", "INSERT INTO t VALUES (9,'r')", "ERROR 0A000 writing in a SERIALIZABLE transaction is not supported"},
		{"admin", "ROLLBACK; SHOW transaction_isolation", "ROLLBACK\nrepeatable read\nSHOW"},
		{"admin", "SAVEPOINT x", "ERROR 25P01 SAVEPOINT can only be used in transaction blocks"},
		{"admin", "INSERT INTO t VALUES (10,'i') RETURNING a + 1 AS n, b", "11|i\nINSERT 0 1"},
	}...)
	if got := w.as("admin").TxStatus(); got != sql.TxIdle {
		t.Errorf("status %c, want I", got)
	}
}

// TestSnapshot: a block reads one state, whatever others commit.
func TestSnapshot(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "CREATE TABLE t (a int)", "CREATE TABLE"},
		{"admin", "BEGIN; SELECT count(*) FROM t", "BEGIN\n0\nSELECT 1"},
		{"admin#2", "INSERT INTO t VALUES (1)", "INSERT 0 1"},
		{"admin", "SELECT count(*) FROM t", "0\nSELECT 1"},
		{"admin", "INSERT INTO t VALUES (2), (3)", "INSERT 0 2"},
		{"admin", "SELECT a FROM t ORDER BY a", "2\n3\nSELECT 2"},
		{"admin", "COMMIT; SELECT a FROM t ORDER BY a", "COMMIT\n1\n2\n3\nSELECT 3"},
	}...)
}

// TestDefinitionsInBlocks: definitions belong to the transaction as rows do.
func TestDefinitionsInBlocks(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "BEGIN; CREATE TABLE t (a int, b int DEFAULT 7); INSERT INTO t (a) VALUES (1); SELECT * FROM t", "BEGIN\nCREATE TABLE\nINSERT 0 1\n1|7\nSELECT 1"},
		{"admin#2", "SELECT * FROM t", "ERROR 42P01 relation \"t\" does not exist"},
		{"admin", "ROLLBACK; SELECT * FROM t", "ROLLBACK\nERROR 42P01 relation \"t\" does not exist"},
		{"admin", "BEGIN; CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN c text DEFAULT 'n'; INSERT INTO t VALUES (1); COMMIT", "BEGIN\nCREATE TABLE\nALTER TABLE\nINSERT 0 1\nCOMMIT"},
		{"admin", "SELECT * FROM t", "1|n\nSELECT 1"},
		{"admin", "ALTER TABLE t ADD COLUMN d int DEFAULT 5; SELECT * FROM t", "ALTER TABLE\n1|n|5\nSELECT 1"},
		{"admin", "CREATE TABLE u AS SELECT a, c AS d FROM t", "SELECT 1"},
		{"admin", "SELECT * FROM u", "1|n\nSELECT 1"},
		{"admin", "ALTER TABLE u RENAME TO v; SELECT d FROM v; DROP TABLE v; SELECT 1 FROM v", "ALTER TABLE\nn\nSELECT 1\nDROP TABLE\nERROR 42P01 relation \"v\" does not exist"},
		// The failed Q took nothing with it.
		{"admin", "SELECT d FROM u", "n\nSELECT 1"},
		{"admin", "CREATE TABLE s (id serial, x text NOT NULL); INSERT INTO s (x) VALUES ('a'), ('b'); SELECT * FROM s ORDER BY id", "CREATE TABLE\nINSERT 0 2\n1|a\n2|b\nSELECT 2"},
		{"admin", "INSERT INTO s (x) VALUES ('c') RETURNING id, x || '!' AS y", "3|c!\nINSERT 0 1"},
		{"admin", "SELECT currval('s_id_seq'), lastval(), pg_get_serial_sequence('s', 'id')", "3|3|public.s_id_seq\nSELECT 1"},
		{"admin", "SELECT nextval('public.s_id_seq'::regclass)", "4\nSELECT 1"},
		{"admin", "SELECT relname FROM pg_class WHERE relkind = 'S' AND pg_table_is_visible(oid)", "s_id_seq\nSELECT 1"},
		{"admin#2", "SELECT currval('s_id_seq')", "ERROR 55000 currval of sequence \"s_id_seq\" is not yet defined in this session"},
		{"admin", "SELECT nextval('s')", "ERROR 42809 \"s\" is not a sequence"},
		{"admin", "INSERT INTO s (x) VALUES (NULL)", "ERROR 23502 null value in column \"x\" of relation \"s\" violates not-null constraint"},
	}...)
}

// TestCopyChanges: COPY of what statements return.
func TestCopyChanges(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "CREATE TABLE cc (id int, a int)", "CREATE TABLE"},
		{"admin", "COPY (INSERT INTO cc VALUES (9, 9), (8, 8) RETURNING id) TO STDOUT", "9\n8\nCOPY 2"},
		{"admin", "COPY (UPDATE cc SET a = 5 WHERE id = 9 RETURNING id, a) TO STDOUT", "9|5\nCOPY 1"},
		{"admin", "COPY (WITH x AS (INSERT INTO cc VALUES (4, 4) RETURNING *) SELECT id FROM x) TO STDOUT", "4\nCOPY 1"},
		{"admin", "COPY (DELETE FROM cc WHERE id < 9 RETURNING 1) TO STDOUT WITH CSV HEADER", "1\n1\nCOPY 2"},
		{"admin", "COPY (DELETE FROM cc) TO STDOUT", "ERROR 0A000 COPY query must have a RETURNING clause"},
		{"admin", "SELECT count(*) FROM cc", "1\nSELECT 1"},
		{"admin", "PREPARE s (int) AS SELECT $1 + 1 AS n; CREATE TABLE ce AS EXECUTE s (41); SELECT n FROM ce", "PREPARE\nSELECT 1\n42\nSELECT 1"},
	}...)
}
