package diff

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
)

// RunSubqueries compares n random queries of nested correlated subqueries over
// small tables with many NULLs: every place that a subquery can stand in, every
// form that it can have, references over several levels. Missing counts our
// refusals, and errors by both.
func (p *Pair) RunSubqueries(ctx context.Context, seed uint64, n int, out io.Writer) (found []Found, missing map[string]int, err error) {
	missing = map[string]int{}
	for i := range n {
		g := &subGen{r: rand.New(rand.NewPCG(seed, uint64(i)))}
		g.left = 2 + g.r.IntN(6)
		if i%queriesPerSchema == 0 {
			for _, s := range g.schema() {
				a, b, err := p.Both(ctx, s)
				if err != nil {
					return found, missing, err
				}
				if a.Code != "" || b.Code != "" {
					return found, missing, fmt.Errorf("%s: PostgreSQL %q, quern %q", s, a.Message, b.Message)
				}
			}
		}
		sql := g.query(3, 1+g.r.IntN(3))
		a, b, err := p.Both(ctx, sql)
		if err != nil {
			return found, missing, err
		}
		switch {
		case a.Code == "0A000":
			missing["(by PostgreSQL: "+a.Message+")"]++ // FULL JOIN without an equality
			continue
		case a.Code != "" && b.Code != "":
			missing["(by both: "+a.Code+" "+a.Message[:min(len(a.Message), 40)]+")"]++
		case b.Code == "0A000":
			missing[b.Message]++
			if missing[b.Message] == 1 {
				_, _ = fmt.Fprintf(out, "%s;\n    refused: %s\n", sql, b.Message)
			}
			continue
		}
		why := Compare(&a, &b, false)
		if why == "" {
			continue
		}
		found = append(found, Found{sql, why})
		if _, err := fmt.Fprintf(out, "-- seed %d query %d\n%s;\n    %s\n", seed, i, sql, why); err != nil {
			return found, missing, err
		}
	}
	return found, missing, nil
}

// subGen writes one query. levels are the queries around the place being
// written, the innermost last.
type subGen struct {
	r      *rand.Rand
	left   int // queries that may still be nested
	alias  int
	levels []*subLevel
}

// subLevel is what expressions see of one query: columns to use as they are,
// and columns to aggregate, nil where no aggregate may stand.
type subLevel struct{ cols, grouped []string }

func (g *subGen) schema() []string {
	out := []string{"DROP SCHEMA IF EXISTS public CASCADE", "CREATE SCHEMA public"}
	for t := range 4 {
		out = append(out, fmt.Sprintf("CREATE TABLE s%d (a int, b int, c int)", t))
		for range g.r.IntN(6) {
			var vals []string
			for range 3 {
				vals = append(vals, g.pick("NULL", "0", "1", "2", "3", "1"))
			}
			out = append(out, fmt.Sprintf("INSERT INTO s%d VALUES (%s)", t, strings.Join(vals, ", ")))
		}
	}
	return out
}

func (g *subGen) pick(list ...string) string { return list[g.r.IntN(len(list))] }
func (g *subGen) one(in int) bool            { return g.r.IntN(in) == 0 }
func (g *subGen) top() *subLevel             { return g.levels[len(g.levels)-1] }

func (g *subGen) name() string {
	g.alias++
	return fmt.Sprintf("t%d", g.alias)
}

// column is one of this query or of one around it.
func (g *subGen) column() string {
	at := len(g.levels) - 1
	for at > 0 && g.one(2) {
		at--
	}
	for ; at >= 0; at-- {
		if cols := g.levels[at].cols; len(cols) > 0 {
			return g.pick(cols...)
		}
	}
	return g.pick("0", "1", "2")
}

// num is an integer expression.
func (g *subGen) num(depth int) string {
	if depth > 0 && g.left > 0 && g.one(4) {
		return g.scalar(depth - 1)
	}
	if agg := g.aggregate(); agg != "" {
		return agg
	}
	switch g.r.IntN(8) {
	case 0:
		return g.pick("0", "1", "2", "3")
	case 1:
		return "(" + g.column() + " + " + g.pick("1", g.column()) + ")"
	case 2:
		return "coalesce(" + g.column() + ", " + g.num(depth-1) + ")"
	case 3:
		if depth > 0 {
			return "CASE WHEN " + g.cond(depth-1) + " THEN " + g.num(depth-1) + " ELSE " + g.num(depth-1) + " END"
		}
	}
	return g.column()
}

// aggregate is one of a grouped query around, "" without one.
func (g *subGen) aggregate() string {
	at := g.r.IntN(len(g.levels) + 1)
	if at == len(g.levels) || g.levels[at].grouped == nil || g.one(3) {
		return ""
	}
	l := g.levels[at]
	arg := g.pick(l.grouped...)
	if g.one(3) {
		arg = "(" + arg + " + " + g.pick(append([]string{"1"}, l.grouped...)...) + ")"
	}
	f := g.pick("max", "min", "sum", "count", "count", "sum")
	call := f + "(" + g.pick("", "", "DISTINCT ") + arg + ")"
	if g.one(4) {
		call += " FILTER (WHERE " + g.pick(l.grouped...) + " " + g.pick("=", "<", ">=") + " " + g.pick("1", "2", g.pick(l.grouped...)) + ")"
	}
	return call + "::int"
}

// scalar is a subquery of at most one row and one column.
func (g *subGen) scalar(depth int) string {
	switch g.r.IntN(3) {
	case 0:
		return "(" + g.query(depth, 1) + " ORDER BY 1 LIMIT 1)"
	case 1:
		a := g.name()
		return "(SELECT " + g.pick("max", "min", "sum", "count") + "(" + a + ".x1)::int FROM (" + g.query(depth, 1) + ") " + a + "(x1))"
	}
	g.left--
	from := g.push(depth)
	defer g.pop()
	where := g.where(depth)
	g.top().grouped, g.top().cols = g.top().cols, nil
	return "(SELECT " + g.num(depth) + " + count(*)::int FROM " + from + where + ")"
}

// cond is a condition.
func (g *subGen) cond(depth int) string {
	if depth > 0 && g.left > 0 {
		switch g.r.IntN(9) {
		case 0:
			return g.pick("", "NOT ") + "EXISTS (" + g.query(depth-1, 1) + ")"
		case 1:
			return "(" + g.num(depth-1) + ") " + g.pick("IN", "NOT IN") + " (" + g.query(depth-1, 1) + ")"
		case 2:
			return g.num(0) + " " + g.pick("=", "<>", "<", ">=") + " " + g.pick("ANY", "ALL") + " (" + g.query(depth-1, 1) + ")"
		case 3:
			return "(" + g.num(0) + ", " + g.num(0) + ") " + g.pick("IN", "NOT IN") + " (" + g.query(depth-1, 2) + ")"
		case 4:
			return "(" + g.cond(depth-1) + " " + g.pick("AND", "OR") + " " + g.cond(depth-1) + ")"
		case 5:
			return "(" + g.cond(depth-1) + ") IS " + g.pick("NULL", "TRUE", "NOT TRUE", "FALSE", "NOT FALSE")
		}
	}
	if g.one(5) {
		return g.column() + " IS " + g.pick("", "NOT ") + "NULL"
	}
	return g.num(depth-1) + " " + g.pick("=", "=", "<", ">", "<=", "<>", "IS DISTINCT FROM") + " " + g.num(depth-1)
}

func (g *subGen) where(depth int) string {
	if g.one(3) {
		return ""
	}
	return " WHERE " + g.cond(depth)
}

// push opens a query level with a FROM list, which it returns.
func (g *subGen) push(depth int) string {
	l := &subLevel{}
	g.levels = append(g.levels, l)
	text, cols := g.item(depth)
	l.cols = cols
	for range g.r.IntN(3) {
		kind := g.pick("JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", ",")
		lateral := g.one(2) && (kind == "JOIN" || kind == "LEFT JOIN" || kind == ",")
		left := l.cols
		if !lateral {
			l.cols = nil
		}
		right, more := g.item(depth)
		if lateral && strings.HasPrefix(right, "(") {
			right = "LATERAL " + right
		}
		if kind == "," {
			// A comma binds weaker than the joins so far: they are one item.
			text, l.cols = text+" CROSS JOIN "+right, append(left[:len(left):len(left)], more...)
			continue
		}
		l.cols = append(left[:len(left):len(left)], more...)
		on := g.cond(depth)
		if kind == "FULL JOIN" {
			on = g.pick(left...) + " = " + g.pick(more...) + g.pick("", " AND "+on)
		}
		text += " " + kind + " " + right + " ON " + on
	}
	return text
}

func (g *subGen) pop() { g.levels = g.levels[:len(g.levels)-1] }

// item is one relation of FROM and its columns.
func (g *subGen) item(depth int) (text string, cols []string) {
	a := g.name()
	if depth > 0 && g.left > 0 {
		switch g.r.IntN(5) {
		case 0:
			return "(" + g.query(depth-1, 2) + ") " + a + "(a, b)", []string{a + ".a", a + ".b"}
		case 1:
			return "generate_series(1, least(" + g.num(depth-1) + ", 3)) " + a + "(a)", []string{a + ".a"}
		case 2:
			return "unnest(ARRAY(" + g.query(depth-1, 1) + " ORDER BY 1)) " + a + "(a)", []string{a + ".a"}
		}
	}
	return g.pick("s0", "s1", "s2", "s3") + " " + a, []string{a + ".a", a + ".b", a + ".c"}
}

// query is a query of n integer columns, without ORDER BY.
func (g *subGen) query(depth, n int) string {
	if g.left--; g.left < 0 {
		return "SELECT " + g.nums(0, n) + g.pick("", " FROM s1", " WHERE "+g.column()+" IS NOT NULL")
	}
	if depth > 0 {
		switch g.r.IntN(9) {
		case 0:
			return "(" + g.query(depth-1, n) + ") " + g.pick("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL") + " (" + g.query(depth-1, n) + ")"
		case 1:
			a := g.name()
			return "SELECT * FROM (" + g.query(depth-1, n) + " ORDER BY " + ordinals(n) + g.pick(" LIMIT 1", " LIMIT 2 OFFSET 1", " OFFSET 1", " FETCH FIRST 1 ROWS WITH TIES") + ") " + a
		case 2:
			a := g.name()
			return "SELECT " + strings.Join(names(a, n), ", ") + " FROM (WITH " + a + " AS " + g.pick("", "MATERIALIZED ") + "(" + g.query(depth-1, n) + ") SELECT * FROM " + a + g.pick("", " UNION ALL SELECT * FROM "+a) + ") " + a + "(" + strings.Join(names("", n), ", ") + ")"
		case 3:
			a := g.name()
			first, step := g.num(depth-1), g.pick("1", "1", "coalesce("+g.column()+", 1) * 0 + 1")
			return "SELECT " + strings.TrimSuffix(strings.Repeat("r.v, ", n), ", ") + " FROM (WITH RECURSIVE " + a + "(v) AS (SELECT " + first + " " + g.pick("UNION", "UNION ALL") + " SELECT v + " + step + " FROM " + a + " WHERE v < 3) SELECT v FROM " + a + ") r"
		case 4:
			var rows []string
			for range 1 + g.r.IntN(2) {
				rows = append(rows, "("+g.nums(depth-1, n)+")")
			}
			return "VALUES " + strings.Join(rows, ", ")
		}
	}
	from := g.push(max(depth-1, 0))
	defer g.pop()
	where := g.where(depth)
	switch g.r.IntN(5) {
	case 0, 1:
		all := g.top().cols
		var keys []string
		for range g.r.IntN(3) {
			keys = append(keys, g.pick(all...))
		}
		g.top().cols, g.top().grouped = keys, all
		group := ""
		if len(keys) > 0 {
			group = " GROUP BY " + g.pick("", "", "ROLLUP ") + "(" + strings.Join(keys, ", ") + ")"
		}
		sql := "SELECT " + g.nums(depth, n) + ", count(*)::int FROM " + from + where + group
		if g.one(3) {
			sql += " HAVING " + g.cond(depth)
		}
		a := g.name()
		return "SELECT " + strings.Join(names(a, n), ", ") + " FROM (" + sql + ") " + a + "(" + strings.Join(names("", n), ", ") + ")"
	case 2:
		win := g.pick("sum", "max", "count") + "(" + g.column() + ") OVER (PARTITION BY " + g.num(depth-1) + ")::int"
		if n == 1 {
			return "SELECT " + win + " FROM " + from + where
		}
		return "SELECT " + g.nums(depth-1, n-1) + ", " + win + " FROM " + from + where
	case 3:
		return "SELECT DISTINCT " + g.nums(depth, n) + " FROM " + from + where
	}
	return "SELECT " + g.nums(depth, n) + " FROM " + from + where
}

func (g *subGen) nums(depth, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = g.num(depth)
	}
	return strings.Join(out, ", ")
}

func names(alias string, n int) []string {
	out := make([]string, n)
	for i := range out {
		if out[i] = fmt.Sprintf("x%d", i+1); alias != "" {
			out[i] = alias + "." + out[i]
		}
	}
	return out
}

func ordinals(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i + 1)
	}
	return strings.Join(out, ", ")
}
