package sql_test

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestRowDedup(t *testing.T) {
	w := newWorld(t)
	noKey := "ERROR 0A000 ON CONFLICT on a table without dedup_key is not supported"
	w.script([][3]string{
		{"admin", "CREATE ROLE b LOGIN; CREATE TABLE plain (a int); CREATE TABLE d (id int, src text, v int) WITH (dedup_key = 'id, src', dedup_window = '7 days'); GRANT ALL ON d TO b",
			"CREATE ROLE\nCREATE TABLE\nCREATE TABLE\nGRANT"},
		{"admin", "INSERT INTO plain VALUES (1) ON CONFLICT DO NOTHING", noKey},
		{"admin", "INSERT INTO d VALUES (1, 'a', 1), (1, 'a', 2), (1, 'b', 3) ON CONFLICT DO NOTHING RETURNING v", "1\n3\nINSERT 0 2"},
		{"admin", "INSERT INTO d VALUES (1, 'a', 4), (2, 'a', 5) ON CONFLICT (src, id) DO NOTHING", "INSERT 0 1"},
		{"admin", "INSERT INTO d VALUES (2, 'a', 6)", "INSERT 0 0"},
		{"admin", "INSERT INTO d VALUES (3, 'a', 6) ON CONFLICT (id) DO NOTHING", "ERROR 42P10 there is no unique or exclusion constraint matching the ON CONFLICT specification"},
		{"admin", "INSERT INTO d VALUES (3, 'a', 6) ON CONFLICT ON CONSTRAINT x DO NOTHING", "ERROR 42704 constraint \"x\" for table \"d\" does not exist"},
		// A NULL is like no other key.
		{"admin", "INSERT INTO d VALUES (NULL, 'a', 7), (NULL, 'a', 8); INSERT INTO d (v) VALUES (9)", "INSERT 0 2\nINSERT 0 1"},
		{"admin", "SELECT v FROM d ORDER BY v", "1\n3\n5\n7\n8\n9\nSELECT 6"},
		// New versions of rows are no copies of the old ones; what is gone may come again.
		{"admin", "UPDATE d SET v = v + 10 WHERE id = 1; SELECT count(*) FROM d", "UPDATE 2\n6\nSELECT 1"},
		{"admin", "INSERT INTO d VALUES (1, 'a', 0)", "INSERT 0 0"},
		{"admin", "DELETE FROM d WHERE id = 1 AND src = 'a'; INSERT INTO d VALUES (1, 'a', 100)", "DELETE 1\nINSERT 0 1"},
		{"admin", "UPDATE d SET id = 50 WHERE id = 2; INSERT INTO d VALUES (2, 'a', 51), (50, 'a', 52) ON CONFLICT DO NOTHING", "UPDATE 1\nINSERT 0 1"},
		// A block sees what it wrote, and what others commit meanwhile counts first.
		{"admin", "BEGIN; INSERT INTO d VALUES (60, 'x', 1); INSERT INTO d VALUES (60, 'x', 2), (61, 'x', 3)", "BEGIN\nINSERT 0 1\nINSERT 0 1"},
		{"b", "INSERT INTO d VALUES (61, 'x', 4)", "INSERT 0 1"},
		{"admin", "COMMIT; SELECT v FROM d WHERE src = 'x' ORDER BY id", "COMMIT\n1\n4\nSELECT 2"},
		{"admin", "BEGIN; DELETE FROM d WHERE id = 60; INSERT INTO d VALUES (60, 'x', 9); COMMIT; SELECT v FROM d WHERE id = 60", "BEGIN\nDELETE 1\nINSERT 0 1\nCOMMIT\n9\nSELECT 1"},
		{"admin", "ALTER TABLE d DROP COLUMN src", "ERROR 2BP01 cannot drop column \"src\" of table \"d\" because table options depend on it"},
		{"admin", "SELECT unnest(reloptions) FROM pg_class WHERE relname = 'd'", "dedup_key=id, src\ndedup_window=7 days\nSELECT 2"},
		{"admin", "CHECKPOINT; INSERT INTO d VALUES (60, 'x', 10)", "CHECKPOINT\nINSERT 0 0"},
	}...)
	w.reopen()
	w.script([][3]string{
		{"admin", "INSERT INTO d VALUES (60, 'x', 10), (1, 'b', 11), (70, 'x', 12)", "INSERT 0 1"},
	}...)
	w.now = w.now.Add(8 * 24 * time.Hour)
	w.script([][3]string{
		{"admin", "INSERT INTO d VALUES (60, 'x', 13); INSERT INTO d VALUES (60, 'x', 14)", "INSERT 0 1\nINSERT 0 0"},
		{"admin", "TRUNCATE d; INSERT INTO d VALUES (60, 'x', 15)", "TRUNCATE TABLE\nINSERT 0 1"},
		{"admin", "ALTER TABLE d RESET (dedup_key); INSERT INTO d VALUES (60, 'x', 16); SELECT count(*) FROM d", "ALTER TABLE\nINSERT 0 1\n2\nSELECT 1"},
	}...)
}

// Writers that race with the same keys: of each key one row is kept.
func TestRowDedupRaces(t *testing.T) {
	w := newWorld(t)
	w.script([3]string{"admin", "CREATE TABLE d (id int) WITH (dedup_key = 'id')", "CREATE TABLE"})
	var wg sync.WaitGroup
	for c := range 4 {
		name := "c" + strconv.Itoa(c)
		w.query("admin", "CREATE ROLE "+name+" LOGIN; GRANT ALL ON d TO "+name)
		s := w.as(name)
		wg.Go(func() {
			for i := range 40 {
				render(s, "INSERT INTO d VALUES ("+strconv.Itoa(i)+"), ("+strconv.Itoa(i/2)+")")
			}
		})
	}
	wg.Wait()
	w.script([3]string{"admin", "SELECT count(*), count(DISTINCT id) FROM d", "40|40\nSELECT 1"})
}
