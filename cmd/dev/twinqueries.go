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
	"SELECT * FROM system.tables WHERE name = 'people'",
	"SELECT * FROM system.tables WHERE name = 'events'",
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
