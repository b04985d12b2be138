package diff

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
)

// queriesPerSchema is how many queries one random schema serves.
const queriesPerSchema = 100

// RunRandom compares n random queries. Missing counts our refusals (0A000, 42883).
func (p *Pair) RunRandom(ctx context.Context, seed uint64, n int, out io.Writer) (found []Found, missing map[string]int, err error) {
	missing = map[string]int{}
	for round := 0; round*queriesPerSchema < n; round++ {
		r := rand.New(rand.NewPCG(seed, uint64(round)))
		ts := tables(r)
		if err := p.create(ctx, ts); err != nil {
			return found, missing, err
		}
		printed := false
		for range min(queriesPerSchema, n-round*queriesPerSchema) {
			q := topQuery(r, ts)
			a, b, err := p.Both(ctx, q.SQL())
			if err != nil {
				return found, missing, err
			}
			if b.Code == "0A000" && a.Code == "" {
				missing[b.Message]++
				continue
			}
			if a.Code != "" && b.Code != "" {
				missing["(by both: "+a.Code+" "+a.Message[:min(len(a.Message), 40)]+")"]++
			}
			why := p.judge(&a, &b, q)
			if why == "" {
				continue
			}
			small, why := p.shrink(ctx, q, why)
			if !printed {
				printed = true
				if _, err := fmt.Fprintf(out, "-- schema of seed %d round %d\n", seed, round); err != nil {
					return found, missing, err
				}
				for _, t := range ts {
					for _, s := range t.ddl {
						if _, err := fmt.Fprintf(out, "%s;\n", s); err != nil {
							return found, missing, err
						}
					}
				}
			}
			found = append(found, Found{small.SQL(), why})
			if _, err := fmt.Fprintf(out, "%s;\n    %s\n", small.SQL(), why); err != nil {
				return found, missing, err
			}
		}
		more, err := p.changes(ctx, r, ts, out)
		if found = append(found, more...); err != nil {
			return found, missing, err
		}
	}
	return found, missing, nil
}

// changesPerSchema is how many INSERT, UPDATE and DELETE follow the queries of a
// schema, each looked at by reading its table.
const changesPerSchema = 12

func (p *Pair) changes(ctx context.Context, r *rand.Rand, ts []table, out io.Writer) (found []Found, err error) {
	for range changesPerSchema {
		g := &gen{r: r, tables: ts, alias: 1}
		t := &ts[r.IntN(len(ts))]
		sql := g.change(t)
		for _, s := range []string{sql, "SELECT * FROM " + t.name} {
			a, b, err := p.Both(ctx, s)
			if err != nil {
				return found, err
			}
			why := Compare(&a, &b, false)
			if why == "" || Known(s, why) {
				continue
			}
			found = append(found, Found{sql, why})
			if _, err := fmt.Fprintf(out, "%s;\n    %s: %s\n", sql, s, why); err != nil {
				return found, err
			}
			return found, nil // the tables differ from here on
		}
	}
	return found, nil
}

// judge compares; what PostgreSQL refuses to run (a generator's mistake) is no
// finding if we refuse it too, and what raises only on one side because rows were
// evaluated in another order is left out.
func (p *Pair) judge(oracle, quern *Outcome, q *query) string {
	why := Compare(oracle, quern, q.total)
	if why == "" || Known(q.SQL(), why) {
		return ""
	}
	if q.distinct || q.next != nil || len(q.group) > 0 {
		// Which of equal numbers (1.5 and 1.50) stands for them is open.
		a, b := *oracle, *quern
		a.Rows, b.Rows = plainNumbers(a.OIDs, a.Rows), plainNumbers(b.OIDs, b.Rows)
		return Compare(&a, &b, q.total)
	}
	return why
}

func (p *Pair) create(ctx context.Context, ts []table) error {
	statements := []string{"DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public"}
	for _, t := range ts {
		statements = append(statements, t.ddl...)
	}
	for _, s := range statements {
		a, b, err := p.Both(ctx, s)
		if err != nil {
			return err
		}
		if a.Code != "" || b.Code != "" {
			return fmt.Errorf("%s: PostgreSQL %q, quern %q", s, a.Message, b.Message)
		}
	}
	return nil
}

// shrink leaves out parts of a query while it still differs.
func (p *Pair) shrink(ctx context.Context, q *query, why string) (*query, string) {
	differs := func(c *query) (string, bool) {
		a, b, err := p.Both(ctx, c.SQL())
		if err != nil || b.Code == "0A000" || a.Code == "42P01" || a.Code == "42703" {
			return "", false
		}
		w := p.judge(&a, &b, c)
		return w, w != "" && (a.Code == "" || b.Code == "")
	}
	for again := true; again; {
		again = false
		for _, c := range smaller(q) {
			if w, ok := differs(c); ok {
				q, why, again = c, w, true
				break
			}
		}
	}
	return q, why
}

// smaller are the queries that lack one part of q.
func smaller(q *query) []*query {
	var out []*query
	try := func(f func(c *query)) {
		c := *q
		c.items, c.where, c.joins, c.group = slices.Clone(q.items), slices.Clone(q.where), slices.Clone(q.joins), slices.Clone(q.group)
		f(&c)
		out = append(out, &c)
	}
	if q.next != nil {
		try(func(c *query) { c.next = nil })
	}
	if q.total {
		try(func(c *query) { c.total, c.limit = false, 0 })
	}
	for i := range q.where {
		try(func(c *query) { c.where = slices.Delete(c.where, i, i+1) })
	}
	if len(q.having) > 0 {
		try(func(c *query) { c.having = nil })
	}
	if q.groupKind != "" {
		try(func(c *query) { c.groupKind = "" })
	}
	if len(q.items) > 1 && q.next == nil {
		for i := range q.items {
			try(func(c *query) { c.items = slices.Delete(c.items, i, i+1) })
		}
	}
	for i := range slices.Backward(q.joins) {
		try(func(c *query) { c.joins = slices.Delete(c.joins, i, i+1) })
	}
	if q.distinct {
		try(func(c *query) { c.distinct = false })
	}
	return out
}

// plainNumbers gives numerics without zeros at their end.
func plainNumbers(oids []uint32, rows [][]string) [][]string {
	out := make([][]string, len(rows))
	for i, r := range rows {
		out[i] = slices.Clone(r)
		for c, v := range r {
			if c < len(oids) && oids[c] == 1700 && strings.Contains(v, ".") {
				out[i][c] = strings.TrimSuffix(strings.TrimRight(v, "0"), ".")
			}
		}
	}
	return out
}
