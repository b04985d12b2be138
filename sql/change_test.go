package sql_test

import (
	"sync"
	"testing"
)

// An UPDATE keeps the raw values that its role cannot see (GOVERNANCE.md §4.6).
func TestChangesUnderMasks(t *testing.T) {
	w := people(t)
	notice := "NOTICE: column people.email is masked for you; predicates compare masked values\n"
	w.script([][3]string{
		{"alice", "UPDATE people SET name = 'x'", "ERROR 42501 permission denied for table people"},
		{"alice", "DELETE FROM people", "ERROR 42501 permission denied for table people"},
		{"alice", "TRUNCATE people", "ERROR 42501 permission denied for table people"},
		{"eng", "GRANT UPDATE (name), DELETE ON people TO analyst; GRANT DELETE ON people TO mallory", "GRANT\nGRANT"},
		{"alice", "UPDATE people SET salary = 1", "ERROR 42501 permission denied for table people"},
		{"alice", "UPDATE people SET name = 'hit' WHERE email = 'ann@x.test'", notice + "UPDATE 0"},
		{"alice", "UPDATE people SET name = name || email WHERE id = 1", "UPDATE 1"},
		{"alice", "UPDATE people SET name = upper(name) WHERE id = 2 RETURNING name, email", "BOB|xxx\nUPDATE 1"},
		{"dana", "SELECT id, name, email, salary FROM people ORDER BY id", "1|Annxxx|ann@x.test|10\n2|BOB|bob@x.test|20\n3|Cid|cid@x.test|30\nSELECT 3"},
		{"alice", "DELETE FROM people WHERE email = 'bob@x.test'", "DELETE 0"},
		{"alice", "DELETE FROM people WHERE id = 3 RETURNING id, email", "3|xxx\nDELETE 1"},
		{"eng", "UPDATE people SET email = 'new@x.test' WHERE id = 1 RETURNING email", "ERROR 0A000 RETURNING of a masked column is not supported"},
		{"mallory", "DELETE FROM people WHERE id = 1", "ERROR 42501 permission denied for table people"},
		{"mallory", "DELETE FROM people", "DELETE 2"},
		{"dana", "SELECT count(*) FROM people", "0\nSELECT 1"},
		{"admin", "DELETE FROM pg_class", "ERROR 42501 permission denied for table pg_class"},
		{"admin", "DELETE FROM system.quarantine", "ERROR 42501 permission denied for table quarantine"},
	}...)
}

func TestChangesInTransactions(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "CREATE ROLE b LOGIN; CREATE TABLE t (a int, s text); GRANT ALL ON t TO b", "CREATE ROLE\nCREATE TABLE\nGRANT"},
		{"admin", "INSERT INTO t SELECT g, 'x' FROM generate_series(1, 10) g", "INSERT 0 10"},
		// One Q is one transaction.
		{"admin", "DELETE FROM t WHERE a = 1; SELECT count(*) FROM t; SELECT 1/0", "DELETE 1\n9\nSELECT 1\nERROR 22012 division by zero"},
		{"admin", "SELECT count(*) FROM t", "10\nSELECT 1"},
		{"admin", "DELETE FROM t WHERE a = 1; DELETE FROM t WHERE a <= 2; SELECT count(*) FROM t", "DELETE 1\nDELETE 1\n8\nSELECT 1"},
		{"b", "SELECT count(*) FROM t", "8\nSELECT 1"},
		{"admin", "BEGIN; UPDATE t SET s = 'y' WHERE a = 3; SAVEPOINT p; DELETE FROM t WHERE a > 5; SELECT count(*) FROM t",
			"BEGIN\nUPDATE 1\nSAVEPOINT\nDELETE 5\n3\nSELECT 1"},
		{"b", "SELECT count(*), min(s) FROM t", "8|x\nSELECT 1"},
		{"admin", "ROLLBACK TO p; SELECT count(*) FROM t", "ROLLBACK\n8\nSELECT 1"},
		{"admin", "UPDATE t SET s = 'z' WHERE a = 3; SELECT s, count(*) FROM t GROUP BY s ORDER BY s", "UPDATE 1\nx|7\nz|1\nSELECT 2"},
		{"admin", "INSERT INTO t VALUES (50, 'i'), (51, 'i'); DELETE FROM t WHERE a = 50; UPDATE t SET a = a + 1 WHERE s = 'i' RETURNING a",
			"INSERT 0 2\nDELETE 1\n52\nUPDATE 1"},
		{"admin", "SAVEPOINT q; TRUNCATE t; INSERT INTO t VALUES (60, 'n'); DELETE FROM t; SELECT count(*) FROM t; ROLLBACK TO q; SELECT count(*), max(a) FROM t",
			"SAVEPOINT\nTRUNCATE TABLE\nINSERT 0 1\nDELETE 1\n0\nSELECT 1\nROLLBACK\n9|52\nSELECT 1"},
		{"admin", "ROLLBACK", "ROLLBACK"},
		{"admin", "BEGIN; INSERT INTO t VALUES (70, 'c'); UPDATE t SET s = 'd' WHERE a >= 10; COMMIT", "BEGIN\nINSERT 0 1\nUPDATE 2\nCOMMIT"},
		{"b", "SELECT a, s FROM t WHERE s = 'd' ORDER BY a", "10|d\n70|d\nSELECT 2"},
		{"b", "DELETE FROM t WHERE a = 70", "DELETE 1"},
		// A row that another session changed since the block's snapshot.
		{"admin", "BEGIN; SELECT count(*) FROM t", "BEGIN\n8\nSELECT 1"},
		{"b", "UPDATE t SET s = 'b' WHERE a = 4", "UPDATE 1"},
		{"admin", "SELECT s FROM t WHERE a = 4", "x\nSELECT 1"},
		{"admin", "DELETE FROM t WHERE a = 4; COMMIT", "DELETE 1\nERROR 40001 could not serialize access due to concurrent update"},
		{"b", "SELECT s FROM t WHERE a = 4", "b\nSELECT 1"},
		{"admin", "BEGIN; DELETE FROM t WHERE a = 5; UPDATE t SET s = 'w' WHERE a = 6; COMMIT", "BEGIN\nDELETE 1\nUPDATE 1\nCOMMIT"},
		{"b", "SELECT count(*), max(s) FROM t", "7|x\nSELECT 1"},
		{"b", "BEGIN; TRUNCATE t; SELECT count(*) FROM t; ROLLBACK; SELECT count(*) FROM t", "BEGIN\nTRUNCATE TABLE\n0\nSELECT 1\nROLLBACK\n7\nSELECT 1"},
		{"b", "BEGIN; TRUNCATE t; INSERT INTO t VALUES (1, 'after'); COMMIT; SELECT * FROM t", "BEGIN\nTRUNCATE TABLE\nINSERT 0 1\nCOMMIT\n1|after\nSELECT 1"},
		{"b", "BEGIN READ ONLY; DELETE FROM t", "BEGIN\nERROR 25006 cannot execute DELETE in a read-only transaction"},
		{"b", "ROLLBACK", "ROLLBACK"},
	}...)
}

// Statements outside of blocks wait for each other: no update is lost, none
// fails.
func TestConcurrentUpdates(t *testing.T) {
	w := newWorld(t)
	w.script([3]string{"admin", "CREATE TABLE t (a int, n int)", "CREATE TABLE"}, [3]string{"admin", "INSERT INTO t VALUES (1, 0), (2, 0)", "INSERT 0 2"})
	const clients, rounds = 4, 15
	names := []string{"c0", "c1", "c2", "c3"}
	for _, n := range names {
		w.query("admin", "CREATE ROLE "+n+" LOGIN; GRANT ALL ON t TO "+n)
	}
	var wg sync.WaitGroup
	for i := range clients {
		s := w.as(names[i])
		wg.Go(func() {
			for range rounds {
				if got := render(s, "UPDATE t SET n = n + 1 WHERE a = 1"); got != "UPDATE 1" {
					t.Error(got)
				}
			}
		})
	}
	wg.Wait()
	w.script([3]string{"admin", "SELECT n FROM t WHERE a = 1", "60\nSELECT 1"})
}
