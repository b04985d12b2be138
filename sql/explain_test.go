package sql_test

import (
	"strings"
	"testing"
)

// TestExplainChanges: EXPLAIN of UPDATE and DELETE shows the operation; ANALYZE
// does it, estimates and counters beside each other; COSTS OFF leaves estimates out.
func TestExplainChanges(t *testing.T) {
	w := newWorld(t)
	for _, s := range []string{"CREATE TABLE x (a int4, b int4)", "INSERT INTO x SELECT i, i % 3 FROM generate_series(1, 10) g(i)"} {
		w.query("admin", s)
	}
	for _, c := range []struct{ sql, want, check, then string }{
		{"EXPLAIN (COSTS OFF) DELETE FROM x WHERE a = 3", "Delete on public.x\n", "SELECT count(*) FROM x", "10\nSELECT 1"},
		{"EXPLAIN UPDATE x SET b = 9 WHERE a <= 2", "Update on public.x\n", "SELECT count(*) FROM x WHERE b = 9", "0\nSELECT 1"},
		{"EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) UPDATE x SET b = 9 WHERE a <= 2", "(actual rows=2", "SELECT count(*) FROM x WHERE b = 9", "2\nSELECT 1"},
		{"EXPLAIN (ANALYZE, FORMAT JSON) DELETE FROM x WHERE a > 8", `"Operation": "Delete"`, "SELECT count(*) FROM x", "8\nSELECT 1"},
		{"EXPLAIN SELECT * FROM x", "(estimated rows=8)", "SELECT count(*) FROM x", "8\nSELECT 1"},
		{"EXPLAIN (FORMAT JSON) SELECT * FROM x", `"Plan Rows": 8`, "SELECT count(*) FROM x", "8\nSELECT 1"},
		{"EXPLAIN ANALYZE SELECT * FROM x", "Peak Memory: ", "SELECT count(*) FROM x", "8\nSELECT 1"},
	} {
		if got := w.query("admin", c.sql); !strings.Contains(got, c.want) {
			t.Errorf("%s:\n%s\nlacks %q", c.sql, got, c.want)
		}
		if got := w.query("admin", c.check); got != c.then {
			t.Errorf("after %s: %s gives %q", c.sql, c.check, got)
		}
	}
	if got := w.query("admin", "EXPLAIN (COSTS OFF) SELECT * FROM x"); strings.Contains(got, "estimated") {
		t.Errorf("COSTS OFF shows estimates:\n%s", got)
	}
}

// TestExplainHides: a principal that is bound, and anybody under a retention
// floor, sees the shape only.
func TestExplainHides(t *testing.T) {
	w := newWorld(t)
	for _, s := range []string{
		"CREATE ROLE alice LOGIN",
		"CREATE TABLE p (id int4, mail text)", "INSERT INTO p SELECT i, 'm' || i FROM generate_series(1, 10) g(i)",
		"CREATE MASKING POLICY hide FOR any AS NULL", "ALTER TABLE p ALTER COLUMN mail SET MASKING POLICY hide", "GRANT SELECT ON p TO alice",
		"CREATE TABLE k (n int4, at timestamptz) WITH (time_column = 'at', retention = '10 days')", "INSERT INTO k VALUES (1, now())",
	} {
		w.query("admin", s)
	}
	for _, c := range [][2]string{
		{"alice", "EXPLAIN ANALYZE SELECT id FROM p WHERE id < 5"}, {"alice", "EXPLAIN (ANALYZE, FORMAT JSON) SELECT id FROM p"},
		{"admin", "EXPLAIN ANALYZE SELECT * FROM k"}, {"admin", "EXPLAIN (ANALYZE, FORMAT JSON) DELETE FROM k"},
	} {
		got := w.query(c[0], c[1])
		if !strings.Contains(got, "Seq Scan") {
			t.Errorf("%s> %s: %s", c[0], c[1], got)
		}
		for _, bad := range []string{"rows=", "Rows", "ms", "Time", "Memory", "bytes", "Segments"} {
			if strings.Contains(got, bad) {
				t.Errorf("%s> %s shows %q:\n%s", c[0], c[1], bad, got)
			}
		}
	}
}
