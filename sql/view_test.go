package sql_test

import "testing"

// TestViewRights: a view runs with its owner's privileges and under the
// policies of who asks.
func TestViewRights(t *testing.T) {
	w := people(t)
	notice := "NOTICE: column people.email is masked for you; predicates compare masked values\n"
	w.script([][3]string{
		{"dana", "CREATE VIEW dv AS SELECT id, email FROM people", "ERROR 42501 permission denied for schema public"},
		{"eng", "CREATE VIEW ev AS SELECT id, name, email FROM people WHERE id < 3; GRANT SELECT ON ev TO mallory, dana, analyst", "CREATE VIEW\nGRANT"},
		// mallory has no right on people; the mask is hers, not the owner's.
		{"mallory", "SELECT * FROM people", "ERROR 42501 permission denied for table people"},
		{"mallory", "SELECT id, email FROM ev ORDER BY id", "1|xxx\n2|xxx\n" + notice + "SELECT 2"},
		{"mallory", "SELECT count(*) FROM ev WHERE email = 'ann@x.test'", "0\nSELECT 1"},
		{"dana", "SELECT id, email FROM ev ORDER BY id", "1|ann@x.test\n2|bob@x.test\nSELECT 2"},
		{"alice", "SELECT name FROM ev ORDER BY id", "Ann\nBob\nSELECT 2"},
		{"sec", "SELECT * FROM ev", "ERROR 42501 permission denied for view ev"},
		// What the view leaves out must not reach expressions of the query.
		{"mallory", "SELECT id FROM ev WHERE 1 / (id - 3) < 0 ORDER BY id", "2\nSELECT 1"},
		{"mallory", "SELECT id FROM ev WHERE id = 3 OR id = 1", "1\nSELECT 1"},
		{"mallory", "SELECT count(*) FROM ev JOIN (VALUES (1), (3)) x(n) ON 10 / (n - ev.id + 7) > 0 AND ev.id = x.n", "1\nSELECT 1"},
		// Nor must the text of the view, for whoever may not read what it reads.
		{"mallory", "SELECT pg_get_viewdef('ev'::regclass) IS NULL, (SELECT definition IS NULL FROM pg_views WHERE viewname = 'ev')", "t|t\nSELECT 1"},
		{"mallory", "SELECT count(*) FROM pg_class WHERE relname IN ('ev', 'people')", "1\nSELECT 1"},
		{"eng", "SELECT pg_get_viewdef('ev'::regclass, true) LIKE '%FROM people%'", "t\nSELECT 1"},
		// A view of a view: each level with its owner's rights.
		{"admin", "GRANT CREATE ON SCHEMA public TO mallory", "GRANT"},
		{"mallory", "CREATE VIEW mv AS SELECT email FROM ev; GRANT SELECT ON mv TO sec", "CREATE VIEW\nGRANT"},
		{"sec", "SELECT DISTINCT email FROM mv", "xxx\n" + notice + "SELECT 1"},
		{"eng", "REVOKE SELECT ON ev FROM mallory", "REVOKE"},
		{"sec", "SELECT email FROM mv", "ERROR 42501 permission denied for view ev"},
		// The invoker's own rights where the view says so.
		{"eng", "ALTER VIEW ev SET (security_invoker = true); GRANT SELECT ON ev TO mallory", "ALTER VIEW\nGRANT"},
		{"mallory", "SELECT id FROM ev", "ERROR 42501 permission denied for table people"},
		{"alice", "SELECT name FROM ev ORDER BY id", "Ann\nBob\nSELECT 2"},
		{"mallory", "DROP VIEW ev", "ERROR 42501 must be owner of view ev"},
		{"eng", "DROP TABLE people", "ERROR 2BP01 cannot drop table people because other objects depend on it"},
		{"eng", "DROP TABLE people CASCADE", "NOTICE: drop cascades to view ev\nDROP TABLE"},
		{"mallory", "SELECT * FROM mv", "ERROR 42P01 relation \"mv\" does not exist"},
	}...)
}

// TestRefreshAsOwner: REFRESH runs with the rights of the view's owner, whoever
// asks for it.
func TestRefreshAsOwner(t *testing.T) {
	w := people(t)
	w.script([][3]string{
		{"admin", "CREATE TABLE own (a int); INSERT INTO own VALUES (1)", "CREATE TABLE\nINSERT 0 1"},
		{"admin", "GRANT SELECT ON own TO eng", "GRANT"},
		{"eng", "CREATE MATERIALIZED VIEW m AS SELECT a FROM own", "SELECT 1"},
		{"admin", "INSERT INTO own VALUES (2); REVOKE SELECT ON own FROM eng", "INSERT 0 1\nREVOKE"},
		{"admin", "REFRESH MATERIALIZED VIEW m", "ERROR 42501 permission denied for table own"},
		{"eng", "SELECT count(*) FROM m", "1\nSELECT 1"},
		{"admin", "GRANT SELECT ON own TO eng; REFRESH MATERIALIZED VIEW m; SELECT count(*) FROM m", "GRANT\nREFRESH MATERIALIZED VIEW\n2\nSELECT 1"},
		{"alice", "REFRESH MATERIALIZED VIEW m", "ERROR 42501 must be owner of materialized view m"},
		{"eng", "CREATE MATERIALIZED VIEW masked AS SELECT email FROM people; SELECT DISTINCT email FROM masked",
			"NOTICE: column people.email is masked for you; predicates compare masked values\nSELECT 3\nxxx\nSELECT 1"},
		{"eng", "BEGIN; REFRESH MATERIALIZED VIEW m; INSERT INTO m VALUES (1)", "BEGIN\nREFRESH MATERIALIZED VIEW\nERROR 42809 cannot change materialized view \"m\""},
		{"eng", "ROLLBACK", "ROLLBACK"},
	}...)
}
