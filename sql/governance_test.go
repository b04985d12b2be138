package sql_test

import (
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/types"
	"testing"
)

// people is a table with a masked column and its roles.
func people(t *testing.T) *world {
	w := newWorld(t)
	w.script([][3]string{
		{"admin", `CREATE ROLE eng LOGIN; CREATE ROLE analyst NOLOGIN; CREATE ROLE alice LOGIN IN ROLE analyst;
			CREATE ROLE mallory LOGIN; CREATE ROLE sec LOGIN IN ROLE policy_admin; CREATE ROLE ret LOGIN IN ROLE retention_admin;
			CREATE ROLE dana LOGIN; GRANT CREATE ON SCHEMA public TO eng, alice`,
			"CREATE ROLE\nCREATE ROLE\nCREATE ROLE\nCREATE ROLE\nCREATE ROLE\nCREATE ROLE\nCREATE ROLE\nGRANT"},
		{"eng", "CREATE TABLE people (id int, name text, email text, salary int, ts timestamptz)", "CREATE TABLE"},
		{"eng", `INSERT INTO people VALUES (1,'Ann','ann@x.test',10,'2025-06-29'),(2,'Bob','bob@x.test',20,'2025-06-01'),
			(3,'Cid','cid@x.test',30,'2025-01-01')`, "INSERT 0 3"},
		{"eng", "GRANT SELECT ON people TO analyst, dana", "GRANT"},
		{"sec", `CREATE MASKING POLICY m_null FOR text AS NULL; CREATE MASKING POLICY m_x FOR text AS CONSTANT 'xxx';
			CREATE MASKING POLICY m_n FOR numeric AS CONSTANT 0`, "CREATE MASKING POLICY\nCREATE MASKING POLICY\nCREATE MASKING POLICY"},
		{"sec", "ALTER TABLE people ALTER COLUMN email SET MASKING POLICY m_x, ALTER COLUMN salary SET MASKING POLICY m_n", "ALTER TABLE"},
		{"sec", "GRANT UNMASK ON people TO dana", "GRANT"},
	}...)
	return w
}

func TestMasks(t *testing.T) {
	w := people(t)
	notice := "NOTICE: column people.email is masked for you; predicates compare masked values\nNOTICE: column people.salary is masked for you; predicates compare masked values\n"
	w.script([][3]string{
		{"alice", "SELECT id, email, salary FROM people ORDER BY id", "1|xxx|0\n2|xxx|0\n3|xxx|0\n" + notice + "SELECT 3"},
		{"alice", "SELECT count(*) FROM people WHERE email = 'ann@x.test'", "0\nSELECT 1"},
		{"alice", "SELECT count(*) FROM people WHERE email = 'xxx' AND salary = 0", "3\nSELECT 1"},
		{"alice", "SELECT max(salary), min(email) FROM people", "0|xxx\nSELECT 1"},
		{"alice", "SELECT id FROM people ORDER BY salary DESC, id LIMIT 1", "1\nSELECT 1"},
		{"alice", "SELECT email, count(*) FROM people GROUP BY email", "xxx|3\nSELECT 1"},
		{"alice", "COPY (SELECT email FROM people) TO STDOUT", "xxx\nxxx\nxxx\nCOPY 3"},
		{"alice", "COPY people (id, email) TO STDOUT", "1|xxx\n2|xxx\n3|xxx\nCOPY 3"},
		{"alice", "COPY people TO '/tmp/x'", "ERROR 42501 must be superuser or have privileges of role export_admin to COPY to or from a file"},
		{"alice", "CREATE TABLE mine AS SELECT id, email FROM people; SELECT email FROM mine WHERE id = 1", "SELECT 3\nxxx\nSELECT 1"},
		{"alice", "INSERT INTO people VALUES (9)", "ERROR 42501 permission denied for table people"},
		{"alice", "COPY people FROM STDIN", "ERROR 42501 permission denied for table people"},
		{"alice", "ALTER TABLE people ALTER COLUMN email DROP MASKING POLICY", "ERROR 42501 permission denied to change masking policies"},
		{"alice", "DROP TABLE people", "ERROR 42501 must be owner of table people"},
		{"alice", "GRANT SELECT ON people TO mallory", "ERROR 42501 permission denied for table people"},
		{"mallory", "SELECT count(*) FROM people", "ERROR 42501 permission denied for table people"},
		{"mallory", "CREATE TABLE m (a int)", "ERROR 42501 permission denied for schema public"},
		{"mallory", "SELECT count(*) FROM system.tables", "0\nSELECT 1"},
		{"dana", "SELECT email, salary FROM people WHERE id = 1", "ann@x.test|10\nSELECT 1"},
		// The owner is masked without UNMASK and may not lift the mask.
		{"eng", "SELECT email FROM people WHERE id = 1", "xxx\nNOTICE: column people.email is masked for you; predicates compare masked values\nSELECT 1"},
		{"eng", "ALTER TABLE people ALTER COLUMN email DROP MASKING POLICY", "ERROR 42501 permission denied to change masking policies"},
		{"eng", "GRANT UNMASK ON people TO eng", "ERROR 42501 permission denied to change UNMASK on table people"},
		{"eng", "ALTER TABLE people DROP COLUMN email", "ERROR 2BP01 cannot drop column \"email\" of table \"people\" because it has a masking policy"},
		{"eng", "ALTER TABLE people ALTER COLUMN email TYPE varchar", "ERROR 2BP01 cannot alter type of column \"email\" because it has a masking policy"},
		{"eng", "ALTER TABLE people RENAME COLUMN email TO mail", "ALTER TABLE"},
		{"alice", "SELECT mail FROM people WHERE id = 1", "xxx\nNOTICE: column people.mail is masked for you; predicates compare masked values\nSELECT 1"},
		// Column privileges.
		{"admin", "CREATE ROLE col LOGIN; GRANT SELECT (id, name) ON people TO col", "CREATE ROLE\nGRANT"},
		{"col", "SELECT id, name FROM people WHERE id = 1", "1|Ann\nSELECT 1"},
		{"col", "SELECT count(*) FROM people", "3\nSELECT 1"},
		{"col", "SELECT mail FROM people", "ERROR 42501 permission denied for table people"},
		{"col", "SELECT * FROM people", "ERROR 42501 permission denied for table people"},
		{"admin", "REVOKE SELECT (name) ON people FROM col", "REVOKE"},
		{"col", "SELECT name FROM people", "ERROR 42501 permission denied for table people"},
		{"col", "SELECT id FROM people WHERE id = 1", "1\nSELECT 1"},
		// Rules at definition.
		{"sec", "ALTER TABLE people ALTER COLUMN ts SET MASKING POLICY m_null", "ERROR 42804 masking policy \"m_null\" is for text, column is of type timestamp with time zone"},
		{"sec", "CREATE MASKING POLICY m_any FOR any AS NULL; ALTER TABLE people ALTER COLUMN ts SET MASKING POLICY m_any", "CREATE MASKING POLICY\nERROR 0A000 a masking policy on a sort key or time column is not supported"},
		{"sec", "CREATE MASKING POLICY m_bad FOR numeric AS CONSTANT 'abc'", "ERROR 42804 constant of masking policy \"m_bad\" is not of family numeric"},
		{"sec", "CREATE MASKING POLICY m_e FOR text AS EMAIL", "ERROR 0A000 mask EMAIL is not supported"},
		{"sec", "DROP MASKING POLICY m_x", "ERROR 2BP01 cannot drop masking policy \"m_x\" because columns have it"},
		{"sec", "SELECT * FROM people", "ERROR 42501 permission denied for table people"},
		{"eng", "ALTER TABLE people SET (order_by = 'mail')", "ERROR 0A000 a masked column as sort key or time column is not supported"},
		{"alice", "CREATE MASKING POLICY m2 FOR text AS NULL", "ERROR 42501 permission denied to change masking policies"},
	}...)
}

// TestMasksInSegments: the same answers from slabs, segments and both.
func TestMasksInSegments(t *testing.T) {
	w := people(t)
	queries := []string{
		"SELECT id, email, salary FROM people ORDER BY id",
		"SELECT count(*) FROM people WHERE email = 'ann@x.test'",
		"SELECT count(*) FROM people WHERE email = 'xxx'",
		"SELECT count(*) FROM people WHERE salary > 15",
		"SELECT email, max(salary), count(*) FROM people GROUP BY email",
		"SELECT a.id FROM people a JOIN people b ON a.email = b.email WHERE b.id = 1 ORDER BY 1",
		"SELECT id FROM people ORDER BY salary DESC, id",
		"COPY (SELECT email, salary FROM people ORDER BY id) TO STDOUT",
	}
	w.query("alice", "SELECT * FROM people") // the notices come once
	var slabs []string
	for _, q := range queries {
		slabs = append(slabs, w.query("alice", q))
	}
	check := func(where string) {
		t.Helper()
		for i, q := range queries {
			if got := w.query("alice", q); got != slabs[i] {
				t.Errorf("%s: %s\ngot:\n%s\nfrom slabs:\n%s", where, q, got, slabs[i])
			}
		}
	}
	w.script([3]string{"admin", "CHECKPOINT", "CHECKPOINT"})
	check("segments")
	if got := w.query("admin", "SELECT sum(rows) FROM system.segments WHERE table_name = 'people'"); got != "NULL\nSELECT 1" && got != "3\nSELECT 1" {
		t.Error(got)
	}
	if got := w.query("admin", "SELECT segments > 0 FROM system.tables WHERE table_name = 'people'"); got != "t\nSELECT 1" {
		t.Errorf("no segment was written: %s", got)
	}
	w.script([3]string{"alice", "CHECKPOINT", "ERROR 42501 must be superuser or have privileges of pg_checkpoint to do CHECKPOINT"})
}

func TestRetention(t *testing.T) {
	w := people(t)
	w.script([][3]string{
		{"alice", "ALTER TABLE people SET (retention = '90 days')", "ERROR 42501 must be owner of table people"},
		{"ret", "ALTER TABLE people SET (retention = '90 days')", "ALTER TABLE"},
		{"admin", "SELECT id FROM people ORDER BY id", "1\n2\nSELECT 2"},
		{"eng", "ALTER TABLE people SET (retention = '10 years')", "ERROR 42501 permission denied to change the retention of table people"},
		// A longer rule brings nothing back.
		{"ret", "ALTER TABLE people SET (retention = '10 years')", "ALTER TABLE"},
		{"admin", "SELECT id FROM people ORDER BY id", "1\n2\nSELECT 2"},
		{"ret", "ALTER TABLE people RESET (retention)", "ALTER TABLE"},
		{"admin", "SELECT count(*) FROM people", "2\nSELECT 1"},
		{"ret", "ALTER TABLE people SET (retention = '10 days')", "ALTER TABLE"},
		{"admin", "SELECT id FROM people ORDER BY id", "1\nSELECT 1"},
		{"eng", "CREATE TABLE r (a int) WITH (retention = '1 day')", "ERROR 22023 option \"retention\" needs a time column"},
		{"eng", "CREATE TABLE r (a int, ts timestamptz) WITH (retention = 'soon')", "ERROR 22023 invalid value for option \"retention\": \"soon\""},
		{"eng", "CREATE TABLE r (a int, ts timestamptz) WITH (nonsense = 1)", "ERROR 22023 unrecognized parameter \"nonsense\""},
		{"eng", "ALTER TABLE people SET (time_column = 'ts')", "ERROR 0A000 changing the time column of a table with retention is not supported"},
		{"eng", "ALTER TABLE people DROP COLUMN ts", "ERROR 2BP01 cannot drop column \"ts\" of table \"people\" because table options depend on it"},
	}...)
	w.now = w.now.AddDate(0, 0, 20)
	w.script([3]string{"admin", "SELECT count(*) FROM people", "0\nSELECT 1"})
}

func TestRoles(t *testing.T) {
	w := people(t)
	w.script([][3]string{
		{"alice", "CREATE ROLE x", "ERROR 42501 permission denied to create role"},
		{"alice", "SET ROLE analyst; SELECT current_user, session_user", "SET\nanalyst|alice\nSELECT 1"},
		{"alice", "RESET ROLE; SHOW role; SET ROLE eng", "RESET\nnone\nSHOW\nERROR 42501 permission denied to set role \"eng\""},
		{"admin", "SET ROLE analyst; SHOW is_superuser", "SET\noff\nSHOW"},
		{"admin", "SELECT name FROM people WHERE id = 1", "Ann\nSELECT 1"},
		{"admin", "DROP ROLE alice", "ERROR 42501 permission denied to drop role"},
		{"admin", "RESET ROLE; DROP ROLE analyst", "RESET\nERROR 2BP01 role \"analyst\" cannot be dropped because some objects depend on it"},
		{"admin", "SET ROLE analyst NO RESET; RESET ROLE; SHOW role", "SET\nRESET\nanalyst\nSHOW"},
		{"admin", "DISCARD ALL; SHOW role; SET ROLE none; SHOW is_superuser", "DISCARD ALL\nanalyst\nSHOW\nSET\noff\nSHOW"},
		{"admin#2", "GRANT analyst TO mallory; GRANT mallory TO analyst", "GRANT ROLE\nERROR 0LP01 role \"mallory\" is a member of role \"analyst\""},
		// The Q was one transaction: the first GRANT went with it.
		{"mallory", "SELECT count(*) FROM people", "ERROR 42501 permission denied for table people"},
		{"admin#2", "GRANT analyst TO mallory", "GRANT ROLE"},
		{"mallory", "SELECT count(*) FROM people", "3\nSELECT 1"},
		{"admin#2", "REVOKE analyst FROM mallory; DROP ROLE mallory; DROP ROLE IF EXISTS mallory", "REVOKE ROLE\nDROP ROLE\nNOTICE: role \"mallory\" does not exist, skipping\nDROP ROLE"},
		{"admin#2", "DROP ROLE policy_admin", "ERROR 2BP01 cannot drop role policy_admin because it is required by the database system"},
	}...)
	if _, err := w.db.NewSession("analyst", nil); err == nil {
		t.Error("NOLOGIN role logged in")
	}
}

// TestPolicyActsAtOnce: a REVOKE acts on the next statement of an open block,
// and on a cursor that was opened before it.
func TestPolicyActsAtOnce(t *testing.T) {
	w := people(t)
	w.script([][3]string{
		{"dana", "BEGIN; DECLARE c CURSOR FOR SELECT email FROM people ORDER BY id; FETCH 1 FROM c", "BEGIN\nDECLARE CURSOR\nann@x.test\nFETCH 1"},
		{"sec", "REVOKE UNMASK ON people FROM dana", "REVOKE"},
		{"dana", "FETCH 1 FROM c", "ERROR 42501 policy changed while the cursor was open"},
		{"dana", "ROLLBACK; BEGIN; SELECT count(*) FROM people WHERE email = 'xxx'", "ROLLBACK\nBEGIN\n3\nNOTICE: column people.email is masked for you; predicates compare masked values\nSELECT 1"},
		{"eng", "REVOKE SELECT ON people FROM dana", "REVOKE"},
		{"dana", "SELECT count(*) FROM people", "ERROR 42501 permission denied for table people"},
		{"dana", "ROLLBACK", "ROLLBACK"},
		// Prepared statements too.
		{"eng", "GRANT SELECT ON people TO dana", "GRANT"},
		{"dana", "PREPARE p AS SELECT email FROM people WHERE id = $1; EXECUTE p(1)", "PREPARE\nxxx\nSELECT 1"},
		{"sec", "GRANT UNMASK (email) ON people TO dana", "GRANT"},
		{"dana", "EXECUTE p(1)", "ann@x.test\nSELECT 1"},
		{"eng", "REVOKE ALL ON people FROM dana", "REVOKE"},
		{"dana", "EXECUTE p(1)", "ERROR 42501 permission denied for table people"},
		{"eng", "ALTER TABLE people ADD COLUMN extra int; GRANT SELECT ON people TO dana", "ALTER TABLE\nGRANT"},
		{"dana", "PREPARE q AS SELECT * FROM people WHERE id = 0; EXECUTE q", "PREPARE\nNOTICE: column people.salary is masked for you; predicates compare masked values\nSELECT 0"},
		{"eng", "ALTER TABLE people ADD COLUMN more int", "ALTER TABLE"},
		{"dana", "EXECUTE q", "ERROR 0A000 cached plan must not change result type"},
	}...)
}

func TestGrants(t *testing.T) {
	w := people(t)
	w.script([][3]string{
		{"admin", "CREATE TABLE two (a int); CREATE ROLE g LOGIN; CREATE ROLE h LOGIN", "CREATE TABLE\nCREATE ROLE\nCREATE ROLE"},
		{"admin", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO g WITH GRANT OPTION", "GRANT"},
		{"g", "SELECT count(*) FROM two", "0\nSELECT 1"},
		{"g", "GRANT SELECT, INSERT ON two TO h", "WARNING: not all privileges were granted for \"two\"\nGRANT"},
		{"h", "SELECT count(*) FROM two", "0\nSELECT 1"},
		{"h", "INSERT INTO two VALUES (1)", "ERROR 42501 permission denied for table two"},
		{"h", "GRANT SELECT ON two TO eng", "ERROR 42501 permission denied for table two"},
		{"admin", "GRANT INSERT ON two TO PUBLIC; REVOKE SELECT ON two FROM h", "GRANT\nREVOKE"},
		{"h", "INSERT INTO two VALUES (1)", "INSERT 0 1"},
		{"h", "SELECT count(*) FROM two", "ERROR 42501 permission denied for table two"},
		{"h", "INSERT INTO two VALUES (2) RETURNING a", "ERROR 42501 permission denied for table two"},
		{"admin", "GRANT FLY ON two TO h", "ERROR 42601 unrecognized privilege type \"fly\""},
		{"admin", "GRANT SELECT ON nope TO h", "ERROR 42P01 relation \"nope\" does not exist"},
		{"admin", "GRANT SELECT ON two TO nope", "ERROR 42704 role \"nope\" does not exist"},
		{"admin", "GRANT USAGE, CREATE ON SCHEMA public TO h; REVOKE CREATE ON SCHEMA public FROM h", "GRANT\nREVOKE"},
		{"h", "CREATE TABLE x (a int)", "ERROR 42501 permission denied for schema public"},
		{"h", "CREATE SCHEMA x", "ERROR 42501 permission denied for database quern"},
		{"h", "INSERT INTO system.quarantine (kind) VALUES ('x')", "ERROR 42501 permission denied for table quarantine"},
		{"admin", "INSERT INTO system.quarantine (kind) VALUES ('x')", "ERROR 42501 permission denied for table quarantine"},
		{"admin", "SELECT relacl FROM pg_class WHERE relname = 'two'", "{admin=arwdDxt/admin,g=r*/admin,=a/admin}\nSELECT 1"},
		{"admin", "SELECT privilege_type, grantee FROM information_schema.table_privileges WHERE table_name = 'two' AND grantee <> 'admin' ORDER BY 1", "INSERT|PUBLIC\nSELECT|g\nSELECT 2"},
	}...)
}

// TestGuardOfNewColumns: a column that ingest adds to a table with masks reads
// NULL until policy_admin says otherwise.
func TestGuardOfNewColumns(t *testing.T) {
	w := people(t)
	cat := w.store.Catalog()
	tab := *cat.TableByName(cat.SchemaByName("public").ID, "people")
	if tab.NewColumnMask() == 0 {
		t.Fatal("no guard on a table with masks")
	}
	tab.Columns = append(tab.Columns[:len(tab.Columns):len(tab.Columns)], catalog.Column{ID: tab.NextCol, Name: "raw", Type: types.Text, Masking: tab.NewColumnMask()})
	tab.NextCol++
	tab.Version++
	if _, err := w.store.Commit(t.Context(), &storage.Commit{Schema: []catalog.Change{{Table: &tab}}, BaseVersion: cat.Version()}); err != nil {
		t.Fatal(err)
	}
	w.script([][3]string{
		{"admin", "INSERT INTO people (id, raw) VALUES (9, 'secret')", "INSERT 0 1"},
		{"alice", "SELECT raw IS NULL FROM people WHERE id = 9", "t\nNOTICE: column people.raw is masked for you; predicates compare masked values\nSELECT 1"},
		{"dana", "SELECT raw FROM people WHERE id = 9", "secret\nSELECT 1"},
		{"sec", "ALTER TABLE people ALTER COLUMN raw DROP MASKING POLICY", "ALTER TABLE"},
		{"alice", "SELECT raw FROM people WHERE id = 9", "secret\nSELECT 1"},
	}...)
}
