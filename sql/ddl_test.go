package sql_test

import (
	"strings"
	"testing"
)

func TestTableDefinitions(t *testing.T) {
	w := newWorld(t)
	key := "NOTICE: PRIMARY KEY of table \"k\" is kept as metadata and not enforced\n"
	w.script([][3]string{
		{"admin", "CREATE TABLE t (a int, a text)", "ERROR 42701 column \"a\" specified more than once"},
		{"admin", "CREATE TABLE t (a nonsense)", "ERROR 42704 type \"nonsense\" does not exist"},
		{"admin", "CREATE TABLE t (a record)", "ERROR 42P16 column has pseudo-type record"},
		{"admin", "CREATE TABLE t (_received_at int)", "ERROR 42701 column name \"_received_at\" conflicts with a system column name"},
		{"admin", "CREATE TABLE nope.t (a int)", "ERROR 3F000 schema \"nope\" does not exist"},
		{"admin", "CREATE TABLE pg_catalog.t (a int)", "ERROR 42501 permission denied for schema pg_catalog"},
		{"admin", "CREATE TABLE t (a int CHECK (a > 0))", "ERROR 0A000 CHECK is not supported"},
		{"admin", "CREATE TABLE t (a int DEFAULT 'x')", "ERROR 22P02 invalid input syntax for type integer: \"x\""},
		{"admin", "CREATE TABLE t (a int DEFAULT now())", "ERROR 42804 column \"a\" is of type integer but default expression is of type timestamp with time zone"},
		{"admin", "CREATE TABLE t (a int DEFAULT random())", "ERROR 0A000 function random in a column default is not supported"},
		{"admin", `CREATE TABLE t (a int DEFAULT -5, b text DEFAULT 'it''s' NOT NULL, c timestamptz DEFAULT now(), d uuid DEFAULT gen_random_uuid(),
			e bool DEFAULT true, f numeric(5,2) DEFAULT 1.5, g text DEFAULT current_user, h date DEFAULT '2024-02-29', i int[] DEFAULT '{1,2}')`, "CREATE TABLE"},
		{"admin", "INSERT INTO t DEFAULT VALUES; SELECT a, b, c = now() IS NOT NULL, d IS NOT NULL, e, f, g, h, i FROM t", "INSERT 0 1\n-5|it's|t|t|t|1.50|admin|2024-02-29|{1,2}\nSELECT 1"},
		{"admin", "SELECT column_name, column_default FROM information_schema.columns WHERE table_name = 't' AND column_default IS NOT NULL ORDER BY ordinal_position",
			"a|'-5'::integer\nb|'it''s'::text\nc|now()\nd|gen_random_uuid()\ne|true\nf|1.5\ng|CURRENT_USER\nh|'2024-02-29'::date\ni|'{1,2}'::integer[]\nSELECT 9"},
		{"admin", "CREATE TABLE t (a int)", "ERROR 42P07 relation \"t\" already exists"},
		{"admin", "CREATE TABLE IF NOT EXISTS t (a int)", "NOTICE: relation \"t\" already exists, skipping\nCREATE TABLE"},
		{"admin", "CREATE TABLE k (a int PRIMARY KEY, b text)", key + "CREATE TABLE"},
		{"admin", "INSERT INTO k VALUES (NULL, 'x')", "ERROR 23502 null value in column \"a\" of relation \"k\" violates not-null constraint"},
		{"admin", "CREATE TABLE f (a int REFERENCES k, b int)", "NOTICE: FOREIGN KEY of table \"f\" is kept as metadata and not enforced\nCREATE TABLE"},
		{"admin", "SELECT conname, contype FROM pg_constraint ORDER BY conname", "f_a_fkey|f\nk_pkey|p\nSELECT 2"},
		{"admin", "DROP TABLE k", "ERROR 2BP01 cannot drop table because other objects depend on it"},
		{"admin", "DROP TABLE k, f", "DROP TABLE"},
		{"admin", "DROP TABLE k", "ERROR 42P01 table \"k\" does not exist"},
		{"admin", "DROP TABLE IF EXISTS k", "NOTICE: table \"k\" does not exist, skipping\nDROP TABLE"},
		{"admin", "TRUNCATE t", "TRUNCATE TABLE"},
		{"admin", "CREATE INDEX i ON t (a)", "NOTICE: indexes are not needed: CREATE INDEX is accepted and changes nothing\nCREATE INDEX"},
		{"admin", "CREATE INDEX i ON t (zz)", "ERROR 42703 column \"zz\" does not exist"},
		{"admin", "COMMENT ON TABLE t IS 'hello'; COMMENT ON COLUMN t.a IS 'number'", "COMMENT\nCOMMENT"},
		{"admin", "SELECT obj_description('t'::regclass), col_description('t'::regclass, 1)", "hello|number\nSELECT 1"},
		{"admin", "SELECT 't'::regclass, 'pg_catalog.pg_class'::regclass, 16384::regclass IS NOT NULL", "t|pg_class|t\nSELECT 1"},
		{"admin", "SELECT 'nope'::regclass", "ERROR 42P01 relation \"nope\" does not exist"},
	}...)
}

func TestAlterTable(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x')", "CREATE TABLE\nINSERT 0 1"},
		{"admin", "ALTER TABLE t ADD COLUMN c int DEFAULT 7, ADD COLUMN d text", "ALTER TABLE"},
		{"admin", "SELECT * FROM t", "1|x|7|NULL\nSELECT 1"},
		{"admin", "ALTER TABLE t ADD COLUMN c int", "ERROR 42701 column \"c\" of relation \"t\" already exists"},
		{"admin", "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int", "NOTICE: column \"c\" of relation \"t\" already exists, skipping\nALTER TABLE"},
		{"admin", "ALTER TABLE t ADD COLUMN e int NOT NULL", "ERROR 23502 column \"e\" of relation \"t\" contains null values"},
		{"admin", "ALTER TABLE t DROP COLUMN b; SELECT * FROM t", "ALTER TABLE\n1|7|NULL\nSELECT 1"},
		{"admin", "ALTER TABLE t ADD COLUMN b text; SELECT * FROM t", "ALTER TABLE\n1|7|NULL|NULL\nSELECT 1"},
		{"admin", "ALTER TABLE t RENAME COLUMN a TO z; SELECT z FROM t", "ALTER TABLE\n1\nSELECT 1"},
		{"admin", "ALTER TABLE t RENAME COLUMN nope TO y", "ERROR 42703 column \"nope\" does not exist"},
		{"admin", "ALTER TABLE t ALTER COLUMN c SET DEFAULT 9; INSERT INTO t (z) VALUES (2); SELECT c FROM t ORDER BY z", "ALTER TABLE\nINSERT 0 1\n7\n9\nSELECT 2"},
		{"admin", "ALTER TABLE t ALTER COLUMN c DROP DEFAULT; INSERT INTO t (z) VALUES (3); SELECT c FROM t ORDER BY z", "ALTER TABLE\nINSERT 0 1\n7\n9\nNULL\nSELECT 3"},
		{"admin", "ALTER TABLE t SET (order_by = 'z, c desc', partition_by = 'none', on_new_column = 'evolve')", "ALTER TABLE"},
		{"admin", "SELECT order_by, partition_by, on_new_column FROM system.tables WHERE table_name = 't'", "z, c desc|none|evolve\nSELECT 1"},
		{"admin", "CREATE TABLE d (n int, day date) WITH (time_column = 'day', partition_by = 'month', retention = '10000 days'); SELECT time_column FROM system.tables WHERE table_name = 'd'", "CREATE TABLE\nday\nSELECT 1"},
		{"admin", "INSERT INTO d VALUES (1, '1950-01-01'), (2, current_date), (3, 'infinity'), (4, NULL); SELECT n FROM d ORDER BY n", "INSERT 0 3\n2\n3\n4\nSELECT 3"},
		{"admin", "CREATE TABLE e (n int) WITH (time_column = 'n')", "ERROR 22023 option \"time_column\" needs a column of type date, timestamp or timestamp with time zone"},
		{"admin", "ALTER TABLE t SET (partition_by = 'week')", "ERROR 22023 invalid value for option \"partition_by\": \"week\""},
		{"admin", "ALTER TABLE t DROP COLUMN z", "ERROR 2BP01 cannot drop column \"z\" of table \"t\" because table options depend on it"},
		{"admin", "ALTER TABLE t RESET (order_by); ALTER TABLE t DROP COLUMN z", "ALTER TABLE\nALTER TABLE"},
		{"admin", "ALTER TABLE nope ADD COLUMN a int", "ERROR 42P01 relation \"nope\" does not exist"},
		{"admin", "ALTER TABLE IF EXISTS nope ADD COLUMN a int", "NOTICE: relation \"nope\" does not exist, skipping\nALTER TABLE"},
		{"admin", "CREATE ROLE o LOGIN; ALTER TABLE t OWNER TO o; SELECT tableowner FROM pg_tables WHERE tablename = 't'", "CREATE ROLE\nALTER TABLE\no\nSELECT 1"},
		{"o", "SELECT count(*) FROM t", "3\nSELECT 1"},
		{"o", "ALTER TABLE t OWNER TO admin", "ERROR 42501 must be member of role \"admin\""},
	}...)
}

func TestPasswords(t *testing.T) {
	w := newWorld(t)
	w.query("admin", "CREATE ROLE p LOGIN PASSWORD 'secret-1'")
	l := w.db.Login("p")
	if !l.Exists || !l.CanLogin || !strings.HasPrefix(l.Verifier, "SCRAM-SHA-256$16384:") || strings.Contains(l.Verifier, "secret") {
		t.Errorf("login %+v", l)
	}
	if got := w.query("p", "ALTER ROLE p PASSWORD 'other'"); got != "ALTER ROLE" {
		t.Error(got)
	}
	if w.db.Login("p").Verifier == l.Verifier {
		t.Error("the verifier did not change")
	}
	if got := w.query("p", "ALTER ROLE admin PASSWORD 'other'"); got != "ERROR 42501 must be superuser to alter superuser roles or change superuser attribute" {
		t.Error(got)
	}
	if err := w.db.SetPassword(t.Context(), "admin", "first"); err != nil || w.db.Login("admin").Verifier == "" {
		t.Errorf("SetPassword: %v", err)
	}
	if l := w.db.Login("nobody"); l.Exists || l.CanLogin {
		t.Errorf("unknown role: %+v", l)
	}
	w.query("admin", "ALTER ROLE p VALID UNTIL '2020-01-01'")
	if w.db.Login("p").CanLogin {
		t.Error("expired password logs in")
	}
}

// TestCatalogHides: what a role has no right on does not appear.
func TestCatalogHides(t *testing.T) {
	w := people(t)
	for _, q := range []string{
		"SELECT count(*) FROM pg_class WHERE relname = 'people'",
		"SELECT count(*) FROM pg_attribute WHERE attname = 'salary'",
		"SELECT count(*) FROM pg_tables WHERE tablename = 'people'",
		"SELECT count(*) FROM information_schema.tables WHERE table_name = 'people'",
		"SELECT count(*) FROM information_schema.columns WHERE table_name = 'people'",
		"SELECT count(*) FROM system.tables WHERE table_name = 'people'",
		"SELECT count(*) FROM system.columns WHERE table_name = 'people'",
		"SELECT count(*) FROM system.masking_policies",
	} {
		if got := w.query("mallory", q); got != "0\nSELECT 1" {
			t.Errorf("mallory> %s: %s", q, got)
		}
		if got := w.query("alice", q); got == "0\nSELECT 1" {
			t.Errorf("alice> %s: %s", q, got)
		}
	}
	w.script([][3]string{
		{"mallory", "SELECT to_regclass('people') IS NULL, 'x'", "t|x\nSELECT 1"},
		{"alice", "SELECT reltuples FROM pg_class WHERE relname = 'people'", "-1\nSELECT 1"},
		// Under a retention floor a size counts rows that nobody may see any more.
		{"admin", "CREATE TABLE kept (n int, at timestamptz) WITH (time_column = 'at', retention = '10 days'); GRANT SELECT ON kept TO alice", "CREATE TABLE\nGRANT"},
		{"alice", "SELECT reltuples, n_live_tup FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid WHERE c.relname = 'kept'", "-1|NULL\nSELECT 1"},
		{"alice", "SELECT rows, bytes, segments FROM system.tables WHERE table_name = 'people'", "NULL|NULL|NULL\nSELECT 1"},
		{"admin", "SELECT rows FROM system.tables WHERE table_name = 'people'", "3\nSELECT 1"},
		{"alice", "SELECT mask FROM system.masking_policies ORDER BY column_name", "NULL\nNULL\nSELECT 2"},
		{"admin", "SELECT mask FROM system.masking_policies WHERE column_name = 'email'", "CONSTANT 'xxx'\nSELECT 1"},
		{"alice", "SELECT * FROM system.segments", "ERROR 42501 permission denied for view segments"},
		{"alice", "SELECT * FROM system.wal", "ERROR 42501 permission denied for view wal"},
		{"alice", "SELECT count(*) FROM system.quarantine", "ERROR 42501 permission denied for table quarantine"},
		{"alice", "SELECT count(*) FROM pg_stats", "0\nSELECT 1"},
		{"alice", "SELECT usename FROM system.queries", "alice\nSELECT 1"},
		{"alice", "SELECT has_table_privilege('people', 'select'), has_table_privilege('people', 'insert'), has_column_privilege('people', 'id', 'SELECT')", "t|f|t\nSELECT 1"},
		{"alice", "SELECT pg_relation_size('people'::regclass)", "NULL\nSELECT 1"},
	}...)
}

// TestTwins: two worlds that differ only in masked and expired values give a
// bound role the same bytes.
func TestTwins(t *testing.T) {
	script := []string{
		"SELECT * FROM people ORDER BY id",
		"SELECT email, count(*), sum(salary) FROM people GROUP BY email",
		"SELECT count(*) FROM people WHERE salary > 15",
		"SELECT id FROM people ORDER BY salary, email, id",
		"SELECT a.id, b.id FROM people a JOIN people b ON a.email = b.email AND a.id < b.id ORDER BY 1, 2",
		"SELECT salary / (salary - 10) FROM people",
		"SELECT email::int FROM people",
		"EXPLAIN SELECT * FROM people WHERE salary = 20",
		"EXPLAIN (ANALYZE) SELECT * FROM people WHERE salary = 20",
		"COPY people TO STDOUT",
		"SELECT * FROM system.tables",
		"SELECT * FROM system.columns",
		"SELECT relname, reltuples, relpages FROM pg_class WHERE relnamespace = 2200",
		"CREATE TABLE mine AS SELECT * FROM people",
		"SELECT * FROM mine ORDER BY id",
		"SELECT min(salary), max(email), count(DISTINCT salary) FROM people",
		"BEGIN; DECLARE c CURSOR FOR SELECT email FROM people ORDER BY salary, id; FETCH 2 FROM c; COMMIT",
		"PREPARE p AS SELECT id FROM people WHERE salary = $1; EXECUTE p (20); EXECUTE p (0)",
	}
	run := func(values string) string {
		w := newWorld(t)
		for _, q := range []string{
			"CREATE ROLE alice LOGIN; GRANT CREATE ON SCHEMA public TO alice",
			"CREATE TABLE people (id int, email text, salary int, ts timestamptz)",
			"INSERT INTO people VALUES " + values,
			"GRANT SELECT ON people TO alice",
			"CREATE MASKING POLICY m_x FOR text AS NULL; CREATE MASKING POLICY m_n FOR numeric AS CONSTANT 10",
			"ALTER TABLE people ALTER COLUMN email SET MASKING POLICY m_x, ALTER COLUMN salary SET MASKING POLICY m_n",
			"ALTER TABLE people SET (retention = '90 days')",
		} {
			if got := w.query("admin", q); strings.Contains(got, "ERROR") {
				t.Fatalf("%s: %s", q, got)
			}
		}
		var out []string
		for _, q := range script {
			out = append(out, "> "+q+"\n"+w.query("alice", q))
		}
		return strings.Join(out, "\n")
	}
	a := run("(1,'a@x',20,'2025-06-29'), (2,'b@x',21,'2025-06-28'), (3,'expired',5,'2020-01-01'), (4,NULL,NULL,'2025-06-27')")
	b := run("(1,'zz',7,'2025-06-29'), (2,'zz',99,'2025-06-28'), (4,'d',20,'2025-06-27'), (5,'x',1,'2019-01-01'), (6,'x',1,'2019-01-01')")
	if a != b {
		la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
		for i := range min(len(la), len(lb)) {
			if la[i] != lb[i] {
				t.Fatalf("line %d differs:\n%s\n%s", i, la[i], lb[i])
			}
		}
		t.Fatal("one world says more")
	}
	if !strings.Contains(a, "22012") {
		t.Error("the script does not reach the division")
	}
}

func TestTemporaryTables(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "CREATE TABLE t (a int); INSERT INTO t VALUES (1)", "CREATE TABLE\nINSERT 0 1"},
		{"admin", "CREATE TEMP TABLE t (a int, b text DEFAULT 'd')", "CREATE TABLE"},
		{"admin", "INSERT INTO t (a) VALUES (7), (8) RETURNING b; SELECT * FROM t ORDER BY a", "d\nd\nINSERT 0 2\n7|d\n8|d\nSELECT 2"},
		{"admin", "SELECT * FROM public.t; SELECT count(*) FROM pg_temp.t", "1\nSELECT 1\n2\nSELECT 1"},
		{"admin#2", "SELECT * FROM t", "1\nSELECT 1"},
		{"admin#2", "SELECT count(*) FROM pg_class WHERE relpersistence = 't'", "0\nSELECT 1"},
		{"admin", "SELECT relname FROM pg_class WHERE relpersistence = 't'", "t\nSELECT 1"},
		{"admin", "BEGIN; INSERT INTO t (a) VALUES (9); CREATE TEMP TABLE u AS SELECT a FROM t; SELECT count(*) FROM u", "BEGIN\nINSERT 0 1\nSELECT 3\n3\nSELECT 1"},
		{"admin", "SAVEPOINT s; INSERT INTO u VALUES (1); ROLLBACK TO s; SELECT count(*) FROM u", "SAVEPOINT\nINSERT 0 1\nROLLBACK\n3\nSELECT 1"},
		{"admin", "ROLLBACK; SELECT count(*) FROM t; SELECT * FROM u", "ROLLBACK\n2\nSELECT 1\nERROR 42P01 relation \"u\" does not exist"},
		// Permanent and temporary writes of one block.
		{"admin", "BEGIN; INSERT INTO t (a) SELECT a + 10 FROM public.t; INSERT INTO public.t SELECT a FROM t WHERE a > 10; COMMIT", "BEGIN\nINSERT 0 1\nINSERT 0 1\nCOMMIT"},
		{"admin#2", "SELECT a FROM t ORDER BY a", "1\n11\nSELECT 2"},
		{"admin", "CREATE TABLE perm (a int); ALTER TABLE t ADD COLUMN c int; SELECT count(c) FROM t", "CREATE TABLE\nALTER TABLE\n0\nSELECT 1"},
		{"admin", "BEGIN; CREATE TEMP TABLE d (a int) ON COMMIT DROP; CREATE TEMP TABLE e (a int) ON COMMIT DELETE ROWS; INSERT INTO e VALUES (1); SELECT count(*) FROM e; COMMIT", "BEGIN\nCREATE TABLE\nCREATE TABLE\nINSERT 0 1\n1\nSELECT 1\nCOMMIT"},
		{"admin", "SELECT count(*) FROM e", "0\nSELECT 1"},
		{"admin", "SELECT count(*) FROM d", "ERROR 42P01 relation \"d\" does not exist"},
		{"admin", "DROP TABLE t; SELECT a FROM t ORDER BY a", "DROP TABLE\n1\n11\nSELECT 2"},
		{"admin", "CREATE TEMP TABLE public.x (a int)", "ERROR 42P16 cannot create temporary relation in non-temporary schema"},
		{"admin", "CREATE TEMP TABLE z (a serial, b int); INSERT INTO z (b) VALUES (5), (6) RETURNING a; SELECT currval('z_a_seq'), nextval('z_a_seq')", "CREATE TABLE\n1\n2\nINSERT 0 2\n2|3\nSELECT 1"},
		{"admin", "CREATE TEMP TABLE x (a int); CREATE TEMP TABLE IF NOT EXISTS x (a int)", "CREATE TABLE\nNOTICE: relation \"x\" already exists, skipping\nCREATE TABLE"},
		{"admin", "DISCARD TEMP; SELECT * FROM x", "DISCARD TEMP\nERROR 42P01 relation \"x\" does not exist"},
	}...)
	// Nothing of it was stored: a new table's number does not follow theirs.
	if id := w.store.Catalog().NextOID(); id > 20000 {
		t.Errorf("next OID %d", id)
	}
}

// TestAlterMeetsWriters: rows that another session commits while a block alters
// the table are neither lost nor left with a NULL.
func TestAlterMeetsWriters(t *testing.T) {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", "CREATE ROLE b LOGIN; CREATE TABLE t (a int, s text); GRANT ALL ON t TO b; INSERT INTO t VALUES (1, 'x')", "CREATE ROLE\nCREATE TABLE\nGRANT\nINSERT 0 1"},
		{"admin", "BEGIN; ALTER TABLE t ALTER a TYPE text USING 'n' || a; SELECT a FROM t", "BEGIN\nALTER TABLE\nn1\nSELECT 1"},
		{"b", "INSERT INTO t VALUES (2, NULL)", "INSERT 0 1"},
		{"admin", "COMMIT", "ERROR 40001 could not serialize access due to concurrent update"},
		{"admin", "SELECT count(*), sum(a) FROM t", "2|3\nSELECT 1"},
		{"admin", "ALTER TABLE t ALTER s SET NOT NULL", "ERROR 23502 column \"s\" of relation \"t\" contains null values"},
		{"b", "DELETE FROM t WHERE s IS NULL", "DELETE 1"},
		{"admin", "BEGIN; ALTER TABLE t ALTER s SET NOT NULL", "BEGIN\nALTER TABLE"},
		{"b", "INSERT INTO t VALUES (3, NULL)", "INSERT 0 1"},
		{"admin", "COMMIT", "ERROR 40001 could not serialize access due to concurrent update"},
		{"b", "DELETE FROM t WHERE s IS NULL", "DELETE 1"},
		{"admin", "ALTER TABLE t ALTER s SET NOT NULL", "ALTER TABLE"},
		{"b", "INSERT INTO t VALUES (4, NULL)", "ERROR 23502 null value in column \"s\" of relation \"t\" violates not-null constraint"},
		{"b", "BEGIN; DELETE FROM t WHERE a = 1", "BEGIN\nDELETE 1"},
		{"admin", "CHECKPOINT; ALTER TABLE t ALTER a TYPE bigint", "CHECKPOINT\nALTER TABLE"},
		{"b", "COMMIT", "ERROR 40001 could not serialize access due to concurrent update"},
		{"admin", "SELECT a, pg_typeof(a) FROM t", "1|bigint\nSELECT 1"},
		{"b", "INSERT INTO t VALUES (3000000000, 'y')", "INSERT 0 1"},
	}...)
	w.reopen()
	w.script([3]string{"admin", "SELECT sum(a), count(*) FROM t", "3000000001|2\nSELECT 1"})
}
