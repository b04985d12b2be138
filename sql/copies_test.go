package sql_test

import "testing"

// TestCopiesOfMasked: what a role without mask copies stays masked for those who
// see its source masked (GOVERNANCE.md §6, D023, D024, D026).
func TestCopiesOfMasked(t *testing.T) {
	w := people(t)
	masked := func(cols ...string) string {
		out := ""
		for _, c := range cols {
			out += "NOTICE: column " + c + " is masked for you; predicates compare masked values\n"
		}
		return out
	}
	const denied = `ERROR 42501 column "e" of table "flat" would show values of masked columns`
	w.script([][3]string{
		{"admin", "GRANT CREATE ON SCHEMA public TO dana", "GRANT"},
		// Identity carries the policy, everything computed is NULL, counts and sums are clean.
		{"dana", "CREATE TABLE copy AS SELECT id, email, lower(email) AS l, salary, salary + 1 AS s1, name FROM people", "SELECT 3"},
		{"dana", "GRANT SELECT ON copy TO analyst, eng", "GRANT"},
		{"dana", "SELECT email, l, salary, s1, name FROM copy WHERE id = 1", "ann@x.test|ann@x.test|10|11|Ann\nSELECT 1"},
		{"alice", "SELECT email, l, salary, s1, name FROM copy WHERE id = 1", "xxx|NULL|0|NULL|Ann\n" + masked("copy.email", "copy.l", "copy.salary", "copy.s1") + "SELECT 1"},
		{"eng", "SELECT email FROM copy WHERE id = 1", "xxx\n" + masked("copy.email") + "SELECT 1"},
		{"admin", "SELECT email, l FROM copy WHERE id = 1", "ann@x.test|ann@x.test\nSELECT 1"},
		{"admin", "SELECT email, l INTO copy2 FROM copy; GRANT SELECT ON copy2 TO analyst", "SELECT 3\nGRANT"},
		{"alice", "SELECT DISTINCT email, l FROM copy2", "xxx|NULL\n" + masked("copy2.email", "copy2.l") + "SELECT 1"},
		// Lineage goes through derived tables, CTEs, subqueries, UNION, star, views and recursion.
		{"dana", "CREATE VIEW pv AS SELECT id, email AS mail FROM people", "CREATE VIEW"},
		{"dana", `CREATE TABLE l1 AS WITH c AS (SELECT * FROM people) SELECT (SELECT mail FROM pv WHERE id = 1) AS a, d.e AS b,
			CASE WHEN salary > 15 THEN 'hi' ELSE 'lo' END AS c, max(email) OVER () AS d, email || '!' AS e, row_number() OVER (ORDER BY id) AS f,
			email LIKE 'a%' AS g, EXISTS (SELECT 1 FROM people p WHERE p.email = c.email) AS h, coalesce(email, '') AS i
			FROM c, LATERAL (SELECT c.email AS e) d`, "SELECT 3"},
		{"dana", `CREATE TABLE l2 AS SELECT email AS a FROM people UNION SELECT 'k'; CREATE TABLE l3 AS SELECT 'k' AS a EXCEPT SELECT email FROM people;
			CREATE TABLE l4 AS WITH RECURSIVE r AS (SELECT email AS a, 1 AS n FROM people UNION ALL SELECT a, n + 1 FROM r WHERE n < 2) SELECT a, n FROM r;
			CREATE TABLE l5 AS SELECT max(email) AS a, count(email) AS b, sum(salary) AS c, avg(salary) AS d, min(salary) AS e, email AS f FROM people GROUP BY email;
			CREATE TABLE l6 AS SELECT u FROM people, unnest(ARRAY[email]) u; CREATE TABLE l7 AS VALUES ((SELECT email FROM people WHERE id = 1))`,
			"SELECT 4\nSELECT 1\nSELECT 6\nSELECT 3\nSELECT 3\nSELECT 1"},
		{"dana", "GRANT SELECT ON l1, l2, l3, l4, l5, l6, l7 TO analyst", "GRANT"},
		{"alice", "SELECT * FROM l1 LIMIT 1", "xxx|xxx|NULL|NULL|NULL|1|NULL|NULL|NULL\n" + masked("l1.a", "l1.b", "l1.c", "l1.d", "l1.e", "l1.g", "l1.h", "l1.i") + "SELECT 1"},
		{"alice", "SELECT DISTINCT a FROM l2", "xxx\n" + masked("l2.a") + "SELECT 1"},
		{"alice", "SELECT a FROM l3", "k\nSELECT 1"},
		{"alice", "SELECT DISTINCT a FROM l4", "xxx\n" + masked("l4.a") + "SELECT 1"},
		{"alice", "SELECT a, b, c, e, f FROM l5 ORDER BY c", "NULL|1|10|NULL|xxx\nNULL|1|20|NULL|xxx\nNULL|1|30|NULL|xxx\n" + masked("l5.a", "l5.e", "l5.f") + "SELECT 3"},
		{"alice", "SELECT DISTINCT u FROM l6", "NULL\n" + masked("l6.u") + "SELECT 1"},
		{"alice", "SELECT column1 FROM l7", "xxx\n" + masked("l7.column1") + "SELECT 1"},
		// Masked columns of existing tables must be masked there too.
		{"dana", "CREATE TABLE flat (e text, n int)", "CREATE TABLE"},
		{"dana", "INSERT INTO flat SELECT email FROM people", denied},
		{"dana", "EXPLAIN ANALYZE INSERT INTO flat SELECT email FROM people", denied},
		{"dana", "INSERT INTO flat SELECT upper(email) FROM people", denied},
		{"dana", "INSERT INTO flat VALUES ((SELECT email FROM people WHERE id = 1))", denied},
		{"dana", "INSERT INTO flat (n) SELECT count(*) FROM people; UPDATE flat SET e = email FROM people", "INSERT 0 1\n" + denied},
		{"dana", "UPDATE flat SET (n, e) = (SELECT 1, email FROM people WHERE id = 1)", denied},
		{"dana", "WITH x AS (INSERT INTO flat (e) SELECT email FROM people RETURNING 1) SELECT * FROM x", denied},
		{"admin", "CREATE TABLE dup AS SELECT id, email FROM people", "SELECT 3"},
		{"admin", "WITH x AS (DELETE FROM dup WHERE id = 1 RETURNING email) INSERT INTO flat (e) SELECT email FROM x", denied},
		{"admin", "WITH x AS (UPDATE dup SET id = 7 WHERE id = 1 RETURNING email || '' AS z), y AS (DELETE FROM dup WHERE false) INSERT INTO flat (e) SELECT z FROM x", "ERROR 0A000 changing rows of a table in several parts of one statement is not supported"},
		{"admin", "WITH x AS (INSERT INTO dup SELECT 8, 'lit' RETURNING email) INSERT INTO flat (e) SELECT email FROM x", denied},
		{"admin", "WITH x AS (INSERT INTO dup SELECT 8, 'lit' RETURNING id) INSERT INTO flat (n) SELECT id FROM x", "INSERT 0 1"},
		{"alice", "CREATE TABLE mine (e text); INSERT INTO mine SELECT email FROM people WHERE id = 1; SELECT e FROM mine", "CREATE TABLE\nNOTICE: column people.email is masked for you; predicates compare masked values\nINSERT 0 1\nxxx\nSELECT 1"},
		{"sec", "ALTER TABLE flat ALTER e SET MASKING POLICY m_x", "ALTER TABLE"},
		{"dana", "INSERT INTO flat (e) SELECT email FROM people", "INSERT 0 3"},
		{"dana", "INSERT INTO flat (e) SELECT upper(email) FROM people", denied},
		{"admin", "UPDATE people SET email = email, name = 'n' WHERE id = 3; UPDATE people SET name = email", "UPDATE 1\nERROR 42501 column \"name\" of table \"people\" would show values of masked columns"},
		{"sec", "GRANT UNMASK ON flat TO analyst", "GRANT"},
		{"dana", "INSERT INTO flat (e) SELECT email FROM people", denied},
		// A column that is sorted by cannot be masked.
		{"dana", "CREATE TABLE s WITH (order_by = 'email') AS SELECT email FROM people", "ERROR 0A000 a masked column as sort key or time column is not supported"},
		// Materialized views: at CREATE, at REFRESH and when a source gets its mask later.
		{"dana", "CREATE MATERIALIZED VIEW mv AS SELECT salary, max(email) AS m, min(name) AS n, count(*) AS c FROM people GROUP BY salary; GRANT SELECT ON mv TO analyst", "SELECT 3\nGRANT"},
		{"alice", "SELECT salary, m, c FROM mv LIMIT 1", "0|NULL|1\n" + masked("mv.salary", "mv.m") + "SELECT 1"},
		{"dana", "CREATE MATERIALIZED VIEW mv2 AS SELECT n, m FROM mv; GRANT SELECT ON mv2 TO analyst", "SELECT 3\nGRANT"},
		{"alice", "SELECT m FROM mv2 LIMIT 1", "NULL\n" + masked("mv2.m") + "SELECT 1"},
		{"sec", "ALTER TABLE people ALTER name SET MASKING POLICY m_x", "ALTER TABLE"},
		{"alice", "SELECT DISTINCT n FROM mv", "NULL\n" + masked("mv.n") + "SELECT 1"},
		{"alice", "SELECT DISTINCT n FROM mv2", "NULL\n" + masked("mv2.n") + "SELECT 1"},
		{"dana", "REFRESH MATERIALIZED VIEW mv", "REFRESH MATERIALIZED VIEW"},
		{"alice", "SELECT DISTINCT n, m FROM mv", "NULL|NULL\nSELECT 1"},
	}...)
}

// TestCopiesOfCorrelated: the masks go along through subqueries that run for
// every row, too.
func TestCopiesOfCorrelated(t *testing.T) {
	w := people(t)
	w.script([][3]string{
		{"admin", "GRANT CREATE ON SCHEMA public TO dana", "GRANT"},
		{"dana", `CREATE TABLE k AS SELECT o.id, l.e AS a, (SELECT max(o.email)) AS b,
			(SELECT z.e FROM (SELECT o.email AS e UNION SELECT 'k') z ORDER BY e LIMIT 1) AS c,
			ARRAY(SELECT q.email FROM people q WHERE q.id = o.id OFFSET 0) AS d
			FROM people o, LATERAL (WITH RECURSIVE t(e, n) AS (SELECT o.email, 1 UNION ALL SELECT e, n + 1 FROM t WHERE n < 2) SELECT e FROM t) l
			GROUP BY o.id, o.email, l.e`, "SELECT 3"},
		{"dana", "CREATE TABLE u AS SELECT x FROM people o, unnest((SELECT array_agg(q.email) FROM people q WHERE q.id = o.id)) x", "SELECT 3"},
		{"dana", "GRANT SELECT ON k, u TO analyst", "GRANT"},
		{"dana", "SELECT a, b, c, d FROM k WHERE id = 1", "ann@x.test|ann@x.test|ann@x.test|{ann@x.test}\nSELECT 1"},
		{"alice", "SELECT a, b, c, d FROM k WHERE id = 1", "xxx|NULL|xxx|NULL\n" +
			"NOTICE: column k.a is masked for you; predicates compare masked values\nNOTICE: column k.b is masked for you; predicates compare masked values\n" +
			"NOTICE: column k.c is masked for you; predicates compare masked values\nNOTICE: column k.d is masked for you; predicates compare masked values\nSELECT 1"},
		{"alice", "SELECT DISTINCT x FROM u", "NULL\nNOTICE: column u.x is masked for you; predicates compare masked values\nSELECT 1"},
	}...)
}
