package sql_test

import "testing"

// TestChangeThroughViews: a view's owner opens its table, policies stay those of
// who asks.
func TestChangeThroughViews(t *testing.T) {
	w := people(t)
	const told = "NOTICE: column people.email is masked for you; predicates compare masked values\n"
	w.script([][3]string{
		{"admin", "CREATE ROLE app LOGIN; GRANT CREATE ON SCHEMA public TO app", "CREATE ROLE\nGRANT"},
		{"eng", "CREATE VIEW pv AS SELECT id, name, email, upper(email) AS up FROM people WHERE id < 100", "CREATE VIEW"},
		{"app", "UPDATE pv SET name = 'x' WHERE id = 1", "ERROR 42501 permission denied for view pv"},
		{"app", "DELETE FROM pv", "ERROR 42501 permission denied for view pv"},
		{"app", "INSERT INTO pv (id) VALUES (1)", "ERROR 42501 permission denied for view pv"},
		{"eng", "GRANT SELECT, INSERT, UPDATE, DELETE ON pv TO app", "GRANT"},
		{"app", "SELECT count(*) FROM people", "ERROR 42501 permission denied for table people"},
		{"app", "UPDATE pv SET name = 'x' WHERE id = 1 RETURNING id, name, up", "1|x|XXX\n" + told + "UPDATE 1"},
		{"app", "DELETE FROM pv WHERE email = 'ann@x.test'", "DELETE 0"},
		{"app", "UPDATE pv SET email = 'new' WHERE id = 1 RETURNING up", "ERROR 0A000 RETURNING of a masked column is not supported"},
		{"app", "UPDATE pv SET email = 'new' WHERE id = 1", "UPDATE 1"},
		{"app", "INSERT INTO pv (id, name) VALUES (4, 'Dee') RETURNING id, name", "4|Dee\nINSERT 0 1"},
		{"app", "INSERT INTO pv (id, email) VALUES (5, 'e') RETURNING up", "ERROR 0A000 RETURNING of a masked column is not supported"},
		{"dana", "SELECT id, name, email FROM people WHERE id IN (1, 4) ORDER BY id", "1|x|new\n4|Dee|NULL\nSELECT 2"},
		// A view on a view: the outer view's owner needs rights on the inner one.
		{"app", "CREATE VIEW pv2 AS SELECT id, name AS n FROM pv", "CREATE VIEW"},
		{"admin", "GRANT UPDATE, SELECT ON pv2 TO mallory", "GRANT"},
		{"mallory", "UPDATE pv2 SET n = 'm' WHERE id = 4", "UPDATE 1"},
		{"eng", "REVOKE UPDATE ON pv FROM app", "REVOKE"},
		{"mallory", "UPDATE pv2 SET n = 'm2' WHERE id = 4", "ERROR 42501 permission denied for view pv"},
		{"app", "CREATE VIEW pi WITH (security_invoker) AS SELECT id, name FROM people; GRANT ALL ON pi TO mallory", "ERROR 42501 permission denied for table people"},
		// Column privileges on the view.
		{"eng", "REVOKE ALL ON pv FROM app; GRANT SELECT, UPDATE (name) ON pv TO app", "REVOKE\nGRANT"},
		{"app", "UPDATE pv SET name = 'y' WHERE id = 1", "UPDATE 1"},
		{"app", "UPDATE pv SET id = 7 WHERE id = 1", "ERROR 42501 permission denied for view pv"},
		{"app", "DELETE FROM pv WHERE id = 1", "ERROR 42501 permission denied for view pv"},
	}...)
}
