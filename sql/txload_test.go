package sql_test

import (
	"testing"
	"time"

	"quern/sql"
)

// TestLargeTransactions: writes beyond LoadMemory are seen by their transaction,
// by nobody else before COMMIT, and by nobody after ROLLBACK.
func TestLargeTransactions(t *testing.T) {
	w := newWorld(t)
	w.db = sql.New(w.store, sql.Options{Version: "0.1.0", Threads: 1, Now: func() time.Time { return w.now }, LoadMemory: 20_000})
	const sum = "SELECT count(*), sum(a), max(b) FROM t"
	w.script([][3]string{
		{"admin", "CREATE TABLE t (a int8, b text, n bigserial)", "CREATE TABLE"},
		{"admin", "INSERT INTO t (a, b) VALUES (0, 'first')", "INSERT 0 1"},
		{"admin", "BEGIN", "BEGIN"},
		{"admin", "INSERT INTO t (a, b) VALUES (7, 'small')", "INSERT 0 1"},
		{"admin", "INSERT INTO t (a, b) SELECT g, 'x' || g FROM generate_series(1, 20000) g", "INSERT 0 20000"},
		{"admin", sum, "20002|200010007|x9999\nSELECT 1"},
		{"admin#2", sum, "1|0|first\nSELECT 1"},
		{"admin", "SELECT count(*), count(distinct n) FROM t", "20002|20002\nSELECT 1"},
		{"admin", "SELECT a, _commit_seq FROM t WHERE a = 777", "777|0\nSELECT 1"},
		{"admin", "DELETE FROM t WHERE a = 777", "ERROR 0A000 changing rows that the same transaction wrote, of a write larger than memory is not supported"},
		{"admin", "ROLLBACK", "ROLLBACK"},
		{"admin", sum, "1|0|first\nSELECT 1"},
		{"admin", "BEGIN", "BEGIN"},
		{"admin", "SAVEPOINT s", "SAVEPOINT"},
		{"admin", "INSERT INTO t (a, b) SELECT g, 'x' || g FROM generate_series(1, 20000) g", "INSERT 0 20000"},
		{"admin", "ROLLBACK TO s", "ERROR 0A000 ROLLBACK TO SAVEPOINT after a write larger than memory is not supported"},
		{"admin", "ROLLBACK", "ROLLBACK"},
		{"admin", "BEGIN", "BEGIN"},
		{"admin", "CREATE TABLE u AS SELECT g AS a, 'x' || g AS b FROM generate_series(1, 20000) g", "SELECT 20000"},
		{"admin", "INSERT INTO u SELECT * FROM u", "INSERT 0 20000"},
		{"admin", "INSERT INTO t (a, b) SELECT a, b FROM u WHERE a <= 3000", "INSERT 0 6000"},
		{"admin", "COMMIT", "COMMIT"},
		{"admin#2", "SELECT count(*), sum(a) FROM u", "40000|400020000\nSELECT 1"},
		{"admin#2", sum, "6001|9003000|x999\nSELECT 1"},
		{"admin#2", "SELECT count(distinct _commit_seq) FROM u", "1\nSELECT 1"},
		{"admin", "UPDATE u SET b = b || 'y' WHERE a > 10", "UPDATE 39980"},
		{"admin", "SELECT count(*), sum(a), max(b) FROM u", "40000|400020000|x99y\nSELECT 1"},
		{"admin", "DELETE FROM u WHERE a <= 10000", "DELETE 20000"},
		{"admin", "SELECT count(*), min(a) FROM u", "20000|10001\nSELECT 1"},
		{"admin", "INSERT INTO u SELECT a/(a-20000), b FROM u", "ERROR 22012 division by zero"},
		{"admin", "SELECT count(*), min(a) FROM u", "20000|10001\nSELECT 1"},
	}...)
}
