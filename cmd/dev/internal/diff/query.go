package diff

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// query is a random SELECT in parts, so that shrinking can leave some out.
type query struct {
	with      []string
	distinct  bool
	items     []string
	from      string
	joins     []string
	where     []string
	group     []string
	groupKind string // "", ROLLUP, CUBE, GROUPING SETS
	having    []string
	setOp     string // with the next query
	next      *query
	limit     int // with a total order, 0 = none
	total     bool
}

func (q *query) body() string {
	var sb strings.Builder
	sb.WriteString("SELECT ")
	if q.distinct {
		sb.WriteString("DISTINCT ")
	}
	for i, it := range q.items {
		if i > 0 {
			sb.WriteString(", ")
		}
		fmt.Fprintf(&sb, "%s AS x%d", it, i+1)
	}
	if q.from != "" {
		sb.WriteString(" FROM " + q.from)
		for _, j := range q.joins {
			sb.WriteString(" " + j)
		}
	}
	if len(q.where) > 0 {
		sb.WriteString(" WHERE " + strings.Join(q.where, " AND "))
	}
	if len(q.group) > 0 {
		list := strings.Join(q.group, ", ")
		switch q.groupKind {
		case "":
		case "GROUPING SETS":
			list = "GROUPING SETS ((" + list + "), (" + q.group[0] + "), ())"
		default:
			list = q.groupKind + " (" + list + ")"
		}
		sb.WriteString(" GROUP BY " + list)
	}
	if len(q.having) > 0 {
		sb.WriteString(" HAVING " + strings.Join(q.having, " AND "))
	}
	return sb.String()
}

// SQL is the query's text. A LIMIT goes with an order by all columns.
func (q *query) SQL() string {
	s := ""
	if len(q.with) > 0 {
		s = "WITH " + strings.Join(q.with, ", ") + " "
	}
	s += q.body()
	if q.next != nil {
		s += " " + q.setOp + " " + q.next.body()
	}
	if q.total {
		s += " ORDER BY 1"
		for i := range q.items[1:] {
			s += fmt.Sprintf(", %d%s", i+2, []string{"", " DESC", " NULLS FIRST", " DESC NULLS LAST"}[i%4])
		}
		if q.limit > 0 {
			s += fmt.Sprintf(" LIMIT %d", q.limit)
		}
	}
	return s
}

// source puts a table, a subquery or a CTE into FROM.
func (g *gen) source(q *query, depth int) string {
	g.alias++
	a := fmt.Sprintf("a%d", g.alias)
	if depth > 0 && g.r.IntN(5) == 0 {
		inner := &gen{r: g.r, tables: g.tables, alias: g.alias * 10}
		sub := inner.selectQuery(depth-1, nil)
		types := inner.types
		for i, t := range types {
			g.refs = append(g.refs, ref{fmt.Sprintf("%s.x%d", a, i+1), t, true})
		}
		if g.r.IntN(3) == 0 && q != nil {
			q.with = append(q.with, a+" AS ("+sub.SQL()+")")
			return a
		}
		return "(" + sub.SQL() + ") " + a
	}
	if g.r.IntN(6) == 0 {
		return g.derivedTable(a)
	}
	t := &g.tables[g.r.IntN(len(g.tables))]
	for _, c := range t.cols {
		g.refs = append(g.refs, ref{a + "." + c.name, c.typ, c.wild})
	}
	return t.name + " " + a
}

// selectQuery makes a query; want are the types of its columns, nil = any.
func (g *gen) selectQuery(depth int, want []string) *query {
	q := &query{}
	q.from = g.source(q, depth)
	first := len(g.refs)
	for range g.r.IntN(3) {
		q.joins = append(q.joins, g.join(q, depth, first))
		first = len(g.refs)
	}
	if g.r.IntN(8) == 0 {
		q.joins = append(q.joins, g.lateral())
	}
	for range g.r.IntN(3) {
		q.where = append(q.where, g.predicate(depth))
	}
	n := 1 + g.r.IntN(5)
	if want != nil {
		n = len(want)
	}
	types := want
	if want == nil {
		for range n {
			types = append(types, g.anyType())
		}
	}
	g.types = types
	switch mode := g.r.IntN(6); {
	case mode < 2 && want == nil:
		g.grouped(q, n)
	case mode == 2 && want == nil:
		for i, t := range types {
			q.items = append(q.items, g.expr(t, 2, true))
			if g.r.IntN(2) == 0 {
				q.items[i], g.types[i] = g.window()
			} else if g.r.IntN(2) == 0 {
				q.items[i], g.types[i] = g.framed()
			}
		}
	default:
		for _, t := range types {
			it := ""
			if g.r.IntN(8) == 0 {
				it = g.scalarQuery(t)
			}
			if it == "" {
				it = g.expr(t, 3, true)
			}
			q.items = append(q.items, it)
		}
		q.distinct = g.r.IntN(6) == 0 && sortable(g.types)
	}
	return q
}

func (g *gen) join(q *query, depth, split int) string {
	left := append([]ref(nil), g.refs...)
	src := g.source(q, depth)
	right := g.refs[len(left):]
	if g.r.IntN(10) == 0 {
		return "CROSS JOIN " + src
	}
	kind := g.pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "JOIN", "LEFT JOIN")
	for range 20 {
		l, r := left[g.r.IntN(len(left))], right[g.r.IntN(len(right))]
		if l.typ != r.typ {
			continue
		}
		on := l.sql + " = " + r.sql
		if g.r.IntN(4) == 0 && kind != "FULL JOIN" {
			on += " AND " + g.comparison(1)
		}
		return kind + " " + src + " ON " + on
	}
	return "CROSS JOIN " + src
}

// predicate is a condition, perhaps with a subquery.
func (g *gen) predicate(depth int) string {
	if depth == 0 || g.r.IntN(3) > 0 {
		return g.expr("bool", 3, true)
	}
	t := &g.tables[g.r.IntN(len(g.tables))]
	g.alias++
	a := fmt.Sprintf("s%d", g.alias)
	c := t.cols[g.r.IntN(len(t.cols))]
	outer := g.leaf(c.typ, true)
	cond := ""
	for range 10 {
		o := t.cols[g.r.IntN(len(t.cols))]
		if l := g.leaf(o.typ, true); strings.HasPrefix(l, "a") {
			cond = " WHERE " + a + "." + o.name + g.pick(" = ", " < ", " <> ", " = ") + l
			break
		}
	}
	col := a + "." + c.name
	from := " FROM " + t.name + " " + a + cond
	switch g.r.IntN(6) {
	case 0:
		return "EXISTS (SELECT 1" + from + ")"
	case 1:
		return "NOT EXISTS (SELECT 1" + from + ")"
	case 2:
		return "(" + outer + " IN (SELECT " + col + from + "))"
	case 3:
		return "(" + outer + " NOT IN (SELECT " + col + from + "))"
	case 4:
		return "((SELECT count(*)" + from + ") > 1)"
	}
	return "(" + outer + g.pick(" >= ", " < ", " = ") + g.pick("ANY", "ALL") + " (SELECT " + col + from + "))"
}

// aggregates by the type of their argument; %1 is it.
var aggregates = []struct{ sql, arg, typ string }{
	{"count(*)", "int4", "int8"}, {"count(%1)", "", "int8"}, {"count(DISTINCT %1)", "int4", "int8"}, {"sum(%1)", "int4", "int8"}, {"sum(%1)", "int8", "numeric"}, {"sum(%1)", "numeric", "numeric"},
	{"sum(%1)", "float8", "float8"}, {"avg(%1)", "int4", "numeric"}, {"avg(%1)", "numeric", "numeric"}, {"avg(%1)", "float8", "float8"}, {"sum(DISTINCT %1)", "int4", "int8"},
	{"min(%1)", "int4", "int4"}, {"max(%1)", "text", "text"}, {"min(%1)", "timestamp", "timestamp"}, {"max(%1)", "numeric", "numeric"}, {"min(%1)", "date", "date"}, {"min(%1)", "float8", "float8"},
	{"max(%1)", "char", "char"}, {"min(%1)", "inet", "inet"}, {"max(%1)", "int4[]", "int4[]"}, {"bool_and(%1)", "bool", "bool"}, {"bool_or(%1)", "bool", "bool"}, {"bit_or(%1)", "int4", "int4"},
	{"string_agg(%1, ',' ORDER BY %1)", "text", "text"}, {"array_agg(%1 ORDER BY %1)", "int4", "int4[]"}, {"array_agg(DISTINCT %1)", "int4", "int4[]"}, {"jsonb_agg(%1 ORDER BY %1)", "int4", "jsonb"}, {"json_agg(%1 ORDER BY %1 DESC)", "text", "json"},
	{"stddev(%1)", "int4", "numeric"}, {"var_pop(%1)", "numeric", "numeric"}, {"percentile_cont(0.5) WITHIN GROUP (ORDER BY %1)", "float8", "float8"}, {"percentile_disc(0.3) WITHIN GROUP (ORDER BY %1)", "int4", "int4"},
	{"mode() WITHIN GROUP (ORDER BY %1)", "text", "text"}, {"sum(%1)", "interval", "interval"}, {"avg(%1)", "interval", "interval"}, {"corr(%1, 2)", "float8", "float8"}, {"regr_count(%1, 1)", "float8", "int8"}, {"count(*) FILTER (WHERE %1)", "bool", "int8"},
	{"rank(2) WITHIN GROUP (ORDER BY %1)", "int4", "int8"},
}

func (g *gen) aggregate() (sql, typ string) {
	a := aggregates[g.r.IntN(len(aggregates))]
	arg := a.arg
	if arg == "" {
		arg = g.anyType()
	}
	x := g.expr(arg, 1, strings.HasPrefix(a.sql, "m") || strings.HasPrefix(a.sql, "count"))
	s := strings.ReplaceAll(a.sql, "%1", x)
	if g.r.IntN(6) == 0 && !strings.Contains(s, "FILTER") {
		s += " FILTER (WHERE " + g.expr("bool", 1, true) + ")"
	}
	return s, a.typ
}

func (g *gen) grouped(q *query, n int) {
	g.types = nil
	for range g.r.IntN(3) {
		t := g.anyType()
		if !sortable([]string{t}) {
			continue
		}
		k := g.leaf(t, true)
		if !strings.HasPrefix(k, "a") {
			continue
		}
		q.group, q.items, g.types = append(q.group, k), append(q.items, k), append(g.types, t)
	}
	if len(q.group) > 1 && g.r.IntN(3) == 0 {
		q.groupKind = g.pick("ROLLUP", "CUBE", "GROUPING SETS")
	}
	for range n {
		s, t := g.aggregate()
		q.items, g.types = append(q.items, s), append(g.types, t)
	}
	if g.r.IntN(4) == 0 {
		q.having = append(q.having, "count(*) "+g.pick("> 1", "< 5", ">= 2"))
	}
}

// window makes a window function whose result does not depend on the order of
// equal rows.
func (g *gen) window() (sql, typ string) {
	part := ""
	if g.r.IntN(2) == 0 {
		part = "PARTITION BY " + g.leaf(g.pick("int4", "text", "bool", "date"), true) + " "
	}
	key := g.expr(g.pick("int4", "numeric", "date", "text"), 1, true)
	over := " OVER (" + part + "ORDER BY " + key + g.pick("", " DESC", " NULLS FIRST") + ")"
	frame := func(f string) string { return " OVER (" + part + "ORDER BY " + key + " " + f + ")" }
	switch g.r.IntN(9) {
	case 0:
		return "rank()" + over, "int8"
	case 1:
		return "dense_rank()" + over, "int8"
	case 2:
		return "percent_rank()" + over, "float8"
	case 3:
		return "sum(" + g.expr("int4", 1, false) + ")" + over, "int8"
	case 4:
		return "count(*)" + frame("RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"), "int8"
	case 5:
		return "max(" + g.expr("numeric", 1, true) + ")" + frame("GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING"), "numeric"
	case 6:
		return "min(" + g.expr("text", 1, true) + ") OVER (" + part + ")", "text"
	case 7:
		return "avg(" + g.expr("int4", 1, false) + ")" + frame("GROUPS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING EXCLUDE GROUP"), "numeric"
	}
	return "cume_dist()" + over, "float8"
}

// sortable tells whether all types have an order in which equal values look the
// same: of 30 days and 1 month either may stand for a group.
func sortable(types []string) bool {
	for _, t := range types {
		if t == "json" || t == "interval" {
			return false
		}
	}
	return true
}

// exact are types of which equal values have one text: rows that tie in an order
// by them look the same.
func exact(types []string) bool {
	for _, t := range types {
		switch t {
		case "float4", "float8", "numeric", "json", "jsonb", "interval", "char", "int4[]", "text[]":
			return false
		}
	}
	return true
}

// topQuery makes a whole statement.
func topQuery(r *rand.Rand, ts []table) *query {
	g := &gen{r: r, tables: ts}
	q := g.selectQuery(2, nil)
	if r.IntN(6) == 0 && len(q.group) == 0 && sortable(g.types) {
		other := &gen{r: r, tables: ts, alias: 500}
		q.next = other.selectQuery(1, g.types)
		q.next.with = nil
		if len(q.next.with) == 0 && !strings.Contains(q.next.from, "a") {
			q.next = nil
		}
		q.setOp = []string{"UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL"}[r.IntN(6)]
	}
	if exact(g.types) && r.IntN(2) == 0 {
		q.total = true
		q.limit = []int{0, 0, 3, 10}[r.IntN(4)]
	}
	return q
}
