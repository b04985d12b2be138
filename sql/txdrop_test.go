package sql_test

import "testing"

// TestDropWhatWasWritten: a transaction may drop a table or a column that it has
// written to.
func TestDropWhatWasWritten(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "CREATE TABLE t (a int8, b text)", "CREATE TABLE"},
		{"admin", "INSERT INTO t VALUES (1, 'x')", "INSERT 0 1"},
		{"admin", "BEGIN", "BEGIN"},
		{"admin", "INSERT INTO t VALUES (2, 'y')", "INSERT 0 1"},
		{"admin", "DELETE FROM t WHERE a = 1", "DELETE 1"},
		{"admin", "ALTER TABLE t DROP COLUMN b", "ALTER TABLE"},
		{"admin", "SELECT * FROM t", "2\nSELECT 1"},
		{"admin", "COMMIT", "COMMIT"},
		{"admin", "SELECT * FROM t", "2\nSELECT 1"},
		{"admin", "BEGIN", "BEGIN"},
		{"admin", "CREATE TABLE u (a int8)", "CREATE TABLE"},
		{"admin", "INSERT INTO u VALUES (1)", "INSERT 0 1"},
		{"admin", "INSERT INTO t VALUES (3)", "INSERT 0 1"},
		{"admin", "SAVEPOINT s", "SAVEPOINT"},
		{"admin", "DELETE FROM t WHERE a = 2", "DELETE 1"},
		{"admin", "DROP TABLE t", "DROP TABLE"},
		{"admin", "SELECT * FROM u", "1\nSELECT 1"},
		{"admin", "ROLLBACK TO s", "ROLLBACK"},
		{"admin", "SELECT * FROM t ORDER BY a", "2\n3\nSELECT 2"},
		{"admin", "DROP TABLE t", "DROP TABLE"},
		{"admin", "COMMIT", "COMMIT"},
		{"admin#2", "SELECT * FROM u", "1\nSELECT 1"},
		{"admin#2", "SELECT * FROM t", `ERROR 42P01 relation "t" does not exist`},
	}...)
}
