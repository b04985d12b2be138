package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// twinQueries are one for every path by which a hidden value could leave; it
// grows with every path that is built.
var twinQueries = []string{
	// rows, predicates, order
	"SELECT * FROM people",
	"SELECT * FROM people ORDER BY email, id",
	"SELECT id FROM people WHERE email = 'user1@world0.example'",
	"SELECT id FROM people WHERE email LIKE 'user1%'",
	"SELECT id FROM people WHERE email IS NULL",
	"SELECT id FROM people WHERE income > 500000",
	"SELECT id FROM people WHERE income IS NULL ORDER BY id LIMIT 5",
	"SELECT id FROM people ORDER BY income DESC, id LIMIT 10",
	"SELECT id FROM people ORDER BY score, id LIMIT 10",
	"SELECT id, email || '!' , upper(email), length(email) FROM people WHERE id < 10",
	"SELECT id, CASE WHEN income > 10 THEN 'rich' ELSE 'poor' END FROM people WHERE id < 10",
	// aggregates and metadata answers
	"SELECT count(*), count(email), count(DISTINCT email), min(email), max(email) FROM people",
	"SELECT sum(income), avg(income), min(income), max(income), count(income), sum(score), min(score) FROM people",
	"SELECT email, count(*) FROM people GROUP BY email",
	"SELECT city, count(DISTINCT income) FROM people GROUP BY city ORDER BY city",
	"SELECT DISTINCT income FROM people",
	"SELECT city FROM people GROUP BY city HAVING max(income) > 3",
	// errors that could quote or reveal
	"SELECT email::int FROM people",
	"SELECT 1 / income FROM people",
	"SELECT (income - 5)::int2 FROM people",
	"SELECT id FROM people WHERE 1 / (income - 3) > 0",
	// joins and subqueries
	"SELECT p.id, c.country FROM people p JOIN cities c ON p.city = c.city ORDER BY p.id",
	"SELECT a.id FROM people a JOIN people b ON a.email = b.email WHERE a.id < 5 AND b.id < 5 ORDER BY a.id, b.id",
	"SELECT id FROM people WHERE income IN (SELECT amount FROM events)",
	"SELECT id FROM people WHERE EXISTS (SELECT 1 FROM events WHERE events.amount = people.income)",
	"SELECT (SELECT max(income) FROM people)",
	"WITH p AS (SELECT email, id FROM people) SELECT email, min(id) FROM p GROUP BY 1",
	"SELECT email FROM people UNION ALL SELECT city FROM cities",
	"SELECT p FROM people p WHERE id < 3",
	// retention
	"SELECT * FROM events ORDER BY ts, id",
	"SELECT count(*), min(ts), max(ts), sum(amount), min(id), max(id) FROM events",
	"SELECT id FROM events WHERE ts < now() - INTERVAL '90 days'",
	"SELECT id FROM events WHERE id >= 10000",
	"SELECT city, count(*) FROM events GROUP BY city ORDER BY city",
	"SELECT date_trunc('month', ts), count(*) FROM events GROUP BY 1 ORDER BY 1",
	"SELECT 1 / (10000 - id) FROM events ORDER BY id",
	// look-ups of values that only expired rows may hold, in every encoding
	"SELECT id FROM events WHERE amount = 999983",
	"SELECT id FROM events WHERE amount IN (1, 37, 500000, 999983)",
	"SELECT id, ref FROM events WHERE ref = 'order:00001eef'",
	"SELECT id FROM events WHERE ref = 'order:3b9ac9ff' OR ref > 'order:30000000'",
	"SELECT count(DISTINCT ref), min(ref), max(ref), max(length(ref)) FROM events",
	"SELECT doc->>'b', count(*) FROM events GROUP BY 1 ORDER BY 1",
	"SELECT id, doc FROM events WHERE doc->>'a' = '42'",
	"SELECT sum(price), min(price), max(price), count(price) FROM events",
	"SELECT id FROM events WHERE price = 7.19 OR price > 990",
	"SELECT note, count(*) FROM events GROUP BY note ORDER BY note",
	"SELECT id FROM events WHERE note = 'a note that stands for number 210'",
	"SELECT DISTINCT note FROM events",
	"EXPLAIN ANALYZE SELECT id FROM events WHERE amount = 999983",
	"EXPLAIN ANALYZE SELECT id FROM events WHERE ref = 'order:3b9ac9ff'",
	// COPY, EXPLAIN, prepared, cursors
	"COPY people TO STDOUT",
	"COPY (SELECT email, income FROM people ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)",
	"COPY events TO STDOUT",
	"EXPLAIN SELECT * FROM people WHERE email = 'x'",
	"EXPLAIN SELECT count(*) FROM events",
	"EXPLAIN (FORMAT JSON) SELECT city, sum(amount) FROM events GROUP BY city",
	"EXPLAIN ANALYZE SELECT id FROM people WHERE income > 3",
	"EXPLAIN ANALYZE SELECT count(*) FROM events",
	"PREPARE p1 AS SELECT email FROM people WHERE id < 3; EXECUTE p1; DEALLOCATE p1",
	"BEGIN; DECLARE c CURSOR FOR SELECT email, income FROM people ORDER BY id; FETCH 3 FROM c; COMMIT",
	// statistics, catalogs, system views
	"SELECT relname, reltuples, relpages FROM pg_class WHERE relname IN ('people', 'events', 'cities') ORDER BY relname",
	"SELECT * FROM pg_stats WHERE tablename = 'people'",
	"SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
	"SELECT * FROM system.tables WHERE table_name = 'people'",
	"SELECT * FROM system.tables WHERE table_name = 'events'",
	"SELECT * FROM system.segments",
	"SELECT * FROM system.quarantine",
	"SELECT * FROM system.masking_policies",
	"SELECT pg_relation_size('people'), pg_relation_size('events')",
	"SELECT id, _received_at IS NULL FROM people WHERE id < 3 ORDER BY id",
	// writes that could tell
	"INSERT INTO people (id) VALUES (1)",
	"DELETE FROM people WHERE email = 'user1@world0.example'",
	"UPDATE people SET city = 'x' WHERE income > 5",
	"CREATE TABLE copy_of_people AS SELECT * FROM people",
	// HTTP
	"http SELECT id, email, income FROM people ORDER BY id",
	"http SELECT count(*), sum(income) FROM people",
	"http SELECT email::int FROM people",
	"http SELECT * FROM events ORDER BY id",
	// rows, statistics, and errors on rows that a floor hides
	"SELECT * FROM ledger ORDER BY id",
	"SELECT count(*), min(amount), max(amount), sum(amount), min(at), max(at), min(id), max(id) FROM ledger",
	"SELECT count(*) FROM ledger WHERE owner <> 'analyst'",
	"SELECT id FROM ledger WHERE 1000000 / (amount - 5) > 100000",
	"SELECT memo::int FROM ledger WHERE memo LIKE 'secret%'",
	"SELECT id FROM ledger WHERE memo LIKE 'secret%' AND memo::int > 0",
	"SELECT id FROM ledger WHERE (CASE WHEN owner LIKE 'boss%' THEN 1 / 0 ELSE 1 END) = 1 ORDER BY id LIMIT 5",
	"SELECT id FROM ledger WHERE owner LIKE 'boss%' AND 1 / (id - id) = 1",
	"SELECT count(DISTINCT memo), approx_count_distinct(memo), approx_count_distinct(owner), count(DISTINCT owner) FROM ledger",
	"SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY owner), stddev(amount) FROM ledger",
	"SELECT id, _commit_seq, _received_at IS NULL FROM ledger ORDER BY id LIMIT 3",
	"SELECT * FROM ledger ORDER BY amount DESC, id LIMIT 7",
	"SELECT * FROM ledger ORDER BY at LIMIT 3",
	"SELECT id FROM ledger WHERE at < '2021-01-01' ORDER BY id",
	"SELECT doc->>'s', count(*) FROM ledger GROUP BY 1 ORDER BY 1",
	"SELECT unnest(tags) AS t, count(*) FROM ledger GROUP BY 1 ORDER BY 1",
	"SELECT DISTINCT owner FROM ledger ORDER BY owner",
	"SELECT DISTINCT ON (owner) owner, amount FROM ledger ORDER BY owner, amount DESC, id",
	"SELECT id, rank() OVER (ORDER BY amount DESC), sum(amount) OVER (), count(*) OVER (PARTITION BY owner) FROM ledger ORDER BY id LIMIT 20",
	"SELECT grouping(owner), owner, sum(amount) FROM ledger GROUP BY ROLLUP (owner) ORDER BY 1, 2",
	"SELECT c.city FROM cities c LEFT JOIN ledger l ON l.memo LIKE 'secret%' ORDER BY 1",
	"SELECT count(*) FROM ledger a JOIN ledger b ON a.owner = b.owner",
	"SELECT p.id FROM people p JOIN ledger l ON l.amount = p.income ORDER BY 1",
	"SELECT p.id FROM people p WHERE p.id IN (SELECT amount FROM ledger) ORDER BY 1",
	"SELECT p.id FROM people p WHERE p.id NOT IN (SELECT amount FROM ledger WHERE amount IS NOT NULL) ORDER BY 1 LIMIT 20",
	"SELECT id FROM cities, LATERAL (SELECT id FROM ledger WHERE memo > city ORDER BY id LIMIT 2) x ORDER BY 1",
	"WITH RECURSIVE r(n) AS (SELECT max(id) FROM ledger UNION ALL SELECT n - 50 FROM r WHERE n > 50) SELECT * FROM r ORDER BY 1",
	"SELECT id FROM ledger EXCEPT SELECT id FROM people ORDER BY 1",
	"SELECT json_agg(l ORDER BY id) FROM ledger l WHERE id % 50 = 0 OR id >= 1000",
	"SELECT row_to_json(p) FROM people p WHERE id < 2 ORDER BY id",
	"SELECT count(*) FROM ledger TABLESAMPLE BERNOULLI (100)",
	"SELECT * FROM ledger_view ORDER BY 1",
	"SELECT * FROM people_view WHERE id < 5 ORDER BY id",
	"SELECT * FROM people_view WHERE email LIKE 'USER1%' OR income > 10 ORDER BY id",
	// columns without privilege
	"SELECT id, ts FROM secrets ORDER BY id LIMIT 2",
	"SELECT * FROM secrets",
	"SELECT count(*) FROM secrets",
	"SELECT id FROM secrets WHERE pin = '1'",
	"SELECT count(s) FROM secrets s",
	"SELECT id FROM secrets ORDER BY pin",
	"SELECT s.id FROM secrets s JOIN cities c ON s.pin = c.city",
	"SELECT a.id FROM secrets a NATURAL JOIN secrets b",
	"COPY secrets TO STDOUT",
	"EXPLAIN SELECT pin FROM secrets",
	"EXPLAIN ANALYZE SELECT id FROM secrets WHERE id > 100",
	// EXPLAIN of all kinds
	"EXPLAIN SELECT * FROM ledger WHERE amount > 50",
	"EXPLAIN ANALYZE SELECT * FROM ledger WHERE amount > 50",
	"EXPLAIN (ANALYZE, FORMAT JSON) SELECT owner, count(*) FROM ledger GROUP BY owner",
	"EXPLAIN (ANALYZE, VERBOSE, BUFFERS) SELECT * FROM ledger ORDER BY amount LIMIT 3",
	"EXPLAIN (FORMAT JSON) SELECT l.id FROM ledger l JOIN people p ON l.id = p.id JOIN events e ON e.id = p.id JOIN cities c ON c.city = e.city",
	"EXPLAIN ANALYZE SELECT l.id FROM ledger l JOIN cities c ON l.owner = c.city",
	"EXPLAIN ANALYZE SELECT * FROM people_view WHERE email = 'X'",
	"EXPLAIN SELECT * FROM ledger a, ledger b, people p, events e WHERE a.id = b.id AND b.id = p.id AND e.id = p.id AND p.email = 'user1@world0.example'",
	"EXPLAIN SELECT count(*) FROM ledger",
	"EXPLAIN SELECT min(amount), max(at) FROM ledger",
	"EXPLAIN (ANALYZE, TIMING OFF) SELECT min(income), max(income) FROM people",
	"EXPLAIN ANALYZE SELECT (SELECT max(amount) FROM ledger), (SELECT count(*) FROM events)",
	"PREPARE pe AS SELECT id FROM ledger WHERE amount > $1; EXPLAIN ANALYZE EXECUTE pe(3); DEALLOCATE pe",
	"EXPLAIN ANALYZE DECLARE c CURSOR FOR SELECT * FROM ledger",
	"EXPLAIN ANALYZE CREATE TABLE cx AS SELECT * FROM ledger",
	"EXPLAIN UPDATE ledger SET amount = 1 WHERE memo LIKE 'secret%'",
	"EXPLAIN DELETE FROM people WHERE income > 3",
	"EXPLAIN ANALYZE DELETE FROM people WHERE income > 3",
	// cursors, prepared statements, COPY
	"BEGIN; DECLARE c SCROLL CURSOR FOR SELECT id, memo FROM ledger ORDER BY id; FETCH LAST FROM c; FETCH ABSOLUTE 3 FROM c; FETCH BACKWARD ALL FROM c; MOVE FORWARD ALL IN c; COMMIT",
	"DECLARE h CURSOR WITH HOLD FOR SELECT count(*) FROM ledger; FETCH ALL FROM h; CLOSE h",
	"SELECT name, statement FROM pg_cursors",
	"PREPARE pl (int) AS SELECT memo FROM ledger WHERE id >= $1 ORDER BY id; EXECUTE pl(990); EXECUTE pl(195); DEALLOCATE pl",
	"COPY ledger TO STDOUT WITH (FORMAT csv)",
	"COPY (SELECT * FROM ledger_view) TO STDOUT",
	"COPY (SELECT id, email FROM people_view ORDER BY id LIMIT 3) TO STDOUT WITH (FORMAT binary)",
	// what an analyst may make out of them
	"CREATE MATERIALIZED VIEW mv AS SELECT owner, count(*) AS n FROM ledger GROUP BY owner",
	"SELECT * FROM mv ORDER BY 1",
	"REFRESH MATERIALIZED VIEW mv",
	"CREATE TABLE lcopy AS SELECT * FROM ledger",
	"SELECT count(*), max(id) FROM lcopy",
	"CREATE TEMP TABLE tcopy AS SELECT id, amount FROM ledger; SELECT count(*), max(amount) FROM tcopy; DROP TABLE tcopy",
	"CREATE VIEW lv2 AS SELECT * FROM ledger; SELECT count(*) FROM lv2; DROP VIEW lv2",
	"INSERT INTO cities SELECT memo, owner FROM ledger",
	// catalogs and statistics
	"SELECT relname, reltuples, relpages, relallvisible, relhasindex FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY relname",
	"SELECT * FROM pg_stats",
	"SELECT * FROM pg_statistic",
	"SELECT * FROM pg_stat_user_tables ORDER BY relname",
	"SELECT * FROM pg_statio_user_tables ORDER BY relname",
	"SELECT * FROM pg_policies",
	"SELECT * FROM pg_policy",
	"SELECT pg_get_expr(polqual, polrelid) FROM pg_policy",
	"SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1",
	"SELECT pg_get_viewdef('ledger_view'::regclass)",
	"SELECT pg_relation_size('ledger'), pg_total_relation_size('ledger'), pg_table_size('secrets')",
	"SELECT pg_database_size('quern')",
	"SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
	"SELECT * FROM system.tables",
	"SELECT * FROM system.columns",
	"SELECT * FROM system.wal",
	"SELECT * FROM system.ingest_stats",
	"SELECT * FROM system.ingest_batches",
	"SELECT * FROM system.watermarks",
	"SELECT * FROM system.metrics",
	"SELECT * FROM system.audit",
	"SELECT * FROM system.erasures",
	"SELECT * FROM system.purge_certificates",
	"SELECT policy_name, table_name, retention FROM system.retention_policies ORDER BY 1, 2", // the floor moves
	"SELECT * FROM system.channels",
	"SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'",
	"SELECT attname, attnum, attstattarget, atthasmissing FROM pg_attribute WHERE attrelid = 'ledger'::regclass ORDER BY attnum",
	"SELECT has_column_privilege('secrets', 'pin', 'SELECT'), has_table_privilege('ledger', 'SELECT')",
	"SELECT col_description('people'::regclass, 3), obj_description('people'::regclass)",
	"ANALYZE ledger",
	"ANALYZE people",
	"VACUUM ledger",
	"EXPLAIN RETENTION events",
	"SHOW MASKING POLICIES FOR people",
	// HTTP
	"http SELECT * FROM ledger ORDER BY id",
	"http SELECT memo::int FROM ledger",
	"http EXPLAIN ANALYZE SELECT count(*) FROM ledger",
	"http SELECT * FROM secrets",
}

// generateTwinQueries makes random queries over the two tables.
func generateTwinQueries(n int, seed uint64) []string {
	g := &twinGenerator{rng: rand.New(rand.NewPCG(seed, 99))}
	out := make([]string, n)
	for i := range out {
		out[i] = g.query()
	}
	return out
}

type twinGenerator struct{ rng *rand.Rand }

func (g *twinGenerator) pick(s ...string) string { return s[g.rng.IntN(len(s))] }

func (g *twinGenerator) query() string {
	table, scalars := "people", []string{"id", "city", "email", "income", "score", "born", "seen", "income + id", "score * 2",
		"email || city", "upper(email)", "coalesce(income, id)", "length(email)", "nullif(email, city)", "income % 7", "born + 1"}
	if g.rng.IntN(3) == 0 {
		table, scalars = "events", []string{"id", "city", "amount", "ts", "amount / 3", "date_trunc('day', ts)", "extract(hour FROM ts)", "amount - id"}
	}
	if g.rng.IntN(3) == 0 {
		table, scalars = "ledger", []string{"id", "owner", "amount", "memo", "at", "amount % 10", "length(memo)", "doc->>'s'", "tags[1]", "date_trunc('year', at)", "1000 / (amount + 1)"}
	}
	var b strings.Builder
	expr := func() string { return scalars[g.rng.IntN(len(scalars))] }
	if g.rng.IntN(2) == 0 {
		key := expr()
		fmt.Fprintf(&b, "SELECT %s AS k, %s FROM %s", key, g.aggregates(expr), table)
		g.where(&b, table)
		b.WriteString(" GROUP BY 1")
		if g.rng.IntN(3) == 0 {
			fmt.Fprintf(&b, " HAVING count(*) > %d", g.rng.IntN(20))
		}
		return b.String()
	}
	fmt.Fprintf(&b, "SELECT %s, %s FROM %s", expr(), expr(), table)
	g.where(&b, table)
	if g.rng.IntN(2) == 0 {
		fmt.Fprintf(&b, " ORDER BY %s %s, id LIMIT %d", expr(), g.pick("", "DESC", "NULLS FIRST"), 1+g.rng.IntN(30))
	}
	return b.String()
}

func (g *twinGenerator) aggregates(expr func() string) string {
	switch g.rng.IntN(3) {
	case 0:
		return "count(*)"
	case 1:
		return fmt.Sprintf("%s(%s)", g.pick("count", "min", "max"), expr())
	}
	return fmt.Sprintf("count(DISTINCT %s)", expr())
}

func (g *twinGenerator) where(b *strings.Builder, table string) {
	people := []string{"email = 'hidden'", "email LIKE '%1%'", "income > 400000", "income BETWEEN 1 AND 100000", "score < 0.5", "email IS NOT NULL",
		"id < 100", "city = 'Oslo'", "income IS NULL", "email > 'user2'", "born > '2000-01-10'", "email IN ('user1@world0.example', 'hidden')",
		"1000000 / (income - 3) > 2"}
	events := []string{"ts < now() - INTERVAL '30 days'", "id > 5000", "amount > 500", "city <> 'Rome'", "ts > now() - INTERVAL '200 days'",
		"100 / (id - 10001) > 0"}
	list := people
	if table == "events" {
		list = events
	}
	for i := range g.rng.IntN(3) {
		word := " WHERE "
		if i > 0 {
			word = g.pick(" AND ", " OR ")
		}
		b.WriteString(word + list[g.rng.IntN(len(list))])
	}
}
