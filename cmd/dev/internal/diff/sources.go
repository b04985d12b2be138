package diff

import (
	"fmt"
	"strings"
)

// derivedTable makes a source that is no plain table: it depends on nothing but
// its own rows, and its rows are determined.
func (g *gen) derivedTable(a string) string {
	t := &g.tables[g.r.IntN(len(g.tables))]
	cols := func(cs ...column) {
		for _, c := range cs {
			g.refs = append(g.refs, ref{a + "." + c.name, c.typ, c.wild})
		}
	}
	switch g.r.IntN(7) {
	case 0: // the first row of each group
		k := t.cols[g.r.IntN(len(t.cols))]
		cols(t.cols...)
		return fmt.Sprintf("(SELECT DISTINCT ON (%s) * FROM %s ORDER BY %s%s, id) %s", k.name, t.name, k.name, g.pick("", " DESC", " NULLS FIRST", " DESC NULLS LAST"), a)
	case 1: // some rows
		cols(t.cols...)
		return fmt.Sprintf("(SELECT * FROM %s ORDER BY id%s LIMIT %d OFFSET %d) %s", t.name, g.pick("", " DESC"), g.r.IntN(6), g.r.IntN(3), a)
	case 2:
		cols(column{name: "n", typ: "int4"})
		return fmt.Sprintf("generate_series(%d, %d, %d) %s(n)", g.r.IntN(3), 3+g.r.IntN(5), 1+g.r.IntN(2), a)
	case 3:
		cols(column{name: "v", typ: "int4"}, column{name: "w", typ: "text"})
		return fmt.Sprintf("(VALUES (1, 'a'), (2, NULL), (NULL, 'abc'), (%d, 'b')) %s(v, w)", g.r.IntN(5), a)
	case 4:
		cols(column{name: "e", typ: "int4"}, column{name: "o", typ: "int8"})
		return fmt.Sprintf("unnest(ARRAY[3, NULL, %d, 1]) WITH ORDINALITY %s(e, o)", g.r.IntN(9), a)
	case 5:
		cols(column{name: "n", typ: "int4"}, column{name: "s", typ: "int8"})
		return fmt.Sprintf("(WITH RECURSIVE r(n, s) AS (SELECT id, 1::int8 FROM %s WHERE id < %d UNION%s SELECT n + 2, s * 2 FROM r WHERE n < %d) SELECT n, s FROM r) %s",
			t.name, 1+g.r.IntN(4), g.pick("", " ALL"), 4+g.r.IntN(6), a)
	}
	k := t.cols[g.r.IntN(len(t.cols))]
	cols(column{name: "k", typ: k.typ, wild: true}, column{name: "n", typ: "int8"})
	if !exact([]string{k.typ}) { // any of equal values may stand for a group
		k = t.cols[0]
		g.refs[len(g.refs)-2].typ = k.typ
	}
	return fmt.Sprintf("(SELECT %s AS k, count(*) AS n FROM %s GROUP BY GROUPING SETS ((%s), ())) %s", k.name, t.name, k.name, a)
}

// lateral makes a join with a query that refers to what stands before it.
func (g *gen) lateral() string {
	t := &g.tables[g.r.IntN(len(g.tables))]
	g.alias++
	a := fmt.Sprintf("a%d", g.alias)
	cond := g.correlation(t, "s")
	kind, on := "CROSS JOIN LATERAL ", ""
	if g.r.IntN(2) == 0 {
		kind, on = "LEFT JOIN LATERAL ", " ON true"
	}
	var body string
	if g.r.IntN(2) == 0 {
		body = "SELECT count(*) AS n, max(s.id) AS m FROM " + t.name + " s" + cond
	} else {
		body = fmt.Sprintf("SELECT s.id::int8 AS n, s.id AS m FROM %s s%s ORDER BY s.id%s LIMIT %d", t.name, cond, g.pick("", " DESC"), 1+g.r.IntN(3))
	}
	g.refs = append(g.refs, ref{a + ".n", "int8", false}, ref{a + ".m", "int4", false})
	return kind + "(" + body + ") " + a + on
}

// correlation is a WHERE that compares a column of t, called alias, with an outer one.
func (g *gen) correlation(t *table, alias string) string {
	for range 10 {
		c := t.cols[g.r.IntN(len(t.cols))]
		if l := g.leaf(c.typ, true); strings.HasPrefix(l, "a") {
			return " WHERE " + alias + "." + c.name + g.pick(" = ", " < ", " <> ", " = ", " IS DISTINCT FROM ") + l
		}
	}
	return ""
}

// scalarQuery is a correlated subquery as a value, "" if none of the type is at hand.
func (g *gen) scalarQuery(typ string) string {
	t := &g.tables[g.r.IntN(len(g.tables))]
	g.alias++
	s := fmt.Sprintf("s%d", g.alias)
	cond := g.correlation(t, s)
	switch typ {
	case "int8":
		return fmt.Sprintf("(SELECT count(*)%s FROM %s %s%s)", g.pick("", " + sum("+s+".id)", " * 2"), t.name, s, cond)
	case "int4":
		if g.r.IntN(2) == 0 {
			return fmt.Sprintf("(SELECT %s(%s.id) FROM %s %s%s)", g.pick("min", "max"), s, t.name, s, cond)
		}
		return fmt.Sprintf("(SELECT %s.id FROM %s %s%s ORDER BY %s.id LIMIT 1)", s, t.name, s, cond, s)
	case "text":
		return fmt.Sprintf("(SELECT string_agg(%s.id::text, ',' ORDER BY %s.id DESC) FROM %s %s%s)", s, s, t.name, s, cond)
	case "int4[]":
		return fmt.Sprintf("ARRAY(SELECT %s.id FROM %s %s%s ORDER BY 1)", s, t.name, s, cond)
	}
	return ""
}

// ids are the columns that together tell the rows of the FROM clause apart, nil if
// a source has none.
func (g *gen) ids() []string {
	have := map[string]bool{}
	var out []string
	for _, r := range g.refs {
		a, name, _ := strings.Cut(r.sql, ".")
		if name == "id" {
			out = append(out, r.sql)
			have[a] = true
		} else if _, seen := have[a]; !seen {
			have[a] = false
		}
	}
	for _, ok := range have {
		if !ok {
			return nil
		}
	}
	return out
}

// framed makes a window function over any frame. ROWS frames, and functions that
// count rows, get an order without ties.
func (g *gen) framed() (sql, typ string) {
	ids := g.ids()
	part := g.pick("", "", "PARTITION BY "+g.leaf(g.pick("int4", "text", "bool"), true)+" ")
	keyTyp := g.pick("int4", "numeric", "date", "int8", "timestamp", "float8")
	key := g.leaf(keyTyp, true)
	desc := g.pick("", " DESC", " NULLS FIRST", " DESC NULLS LAST")
	order := "ORDER BY " + key + desc
	total := order
	for _, id := range ids {
		total += ", " + id
	}
	mode := g.pick("RANGE", "GROUPS", "ROWS")
	if mode == "ROWS" {
		if len(ids) == 0 {
			mode = "GROUPS"
		} else {
			order = total
		}
	}
	amount := func() string {
		n := fmt.Sprint(g.r.IntN(4))
		if mode == "RANGE" {
			switch keyTyp {
			case "date", "timestamp":
				return "interval '" + n + " days'"
			case "numeric", "float8":
				return n + ".5"
			}
		}
		return n
	}
	starts := []string{"UNBOUNDED PRECEDING", amount() + " PRECEDING", "CURRENT ROW", amount() + " FOLLOWING"}
	ends := []string{amount() + " PRECEDING", "CURRENT ROW", amount() + " FOLLOWING", "UNBOUNDED FOLLOWING"}
	i := g.r.IntN(4)
	j := max(i-1, 0) + g.r.IntN(4-max(i-1, 0)) // the end is not before the start's kind
	frame := mode + " BETWEEN " + starts[i] + " AND " + ends[j] + g.pick("", "", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES")
	switch g.r.IntN(10) {
	case 0, 1:
		if len(ids) > 0 {
			f := []struct{ sql, typ string }{{"row_number()", "int8"}, {"ntile(3)", "int4"}, {"lag(" + ids[0] + ")", "int4"}, {"lead(" + ids[0] + ", 2, -1)", "int4"}}[g.r.IntN(4)]
			return f.sql + " OVER (" + part + total + ")", f.typ
		}
	case 2, 3:
		if len(ids) > 0 {
			f := g.pick("first_value(%s)", "last_value(%s)", "nth_value(%s, 2)")
			if mode != "ROWS" {
				frame = strings.Replace(frame, mode, "ROWS", 1)
				mode = "ROWS"
				if strings.Contains(frame, "interval") || strings.Contains(frame, ".5") {
					frame = "ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING"
				}
			}
			return fmt.Sprintf(f, ids[0]) + " OVER (" + part + total + " " + frame + ")", "int4"
		}
	}
	f := []struct{ sql, typ string }{
		{"count(*)", "int8"}, {"sum(" + g.leaf("int4", false) + ")", "int8"}, {"avg(" + g.leaf("int8", false) + ")", "numeric"}, {"min(" + g.leaf("text", true) + ")", "text"},
		{"max(" + g.leaf("int4", true) + ")", "int4"}, {"bool_and(" + g.leaf("bool", true) + ")", "bool"}, {"count(" + g.leaf("date", true) + ")", "int8"}, {"sum(" + g.leaf("numeric", false) + ")", "numeric"},
		{"array_length(array_agg(" + g.leaf("int4", true) + ") OVER (" + part + order + " " + frame + "), 1)", "int4"},
	}[g.r.IntN(9)]
	if strings.HasPrefix(f.sql, "array_length") {
		return f.sql, f.typ
	}
	if g.r.IntN(5) == 0 {
		f.sql += " FILTER (WHERE " + g.leaf("bool", true) + ")"
	}
	return f.sql + " OVER (" + part + order + " " + frame + ")", f.typ
}

// change makes an INSERT, UPDATE or DELETE of t with a result that is determined.
func (g *gen) change(t *table) string {
	g.refs = nil
	for _, c := range t.cols {
		g.refs = append(g.refs, ref{"a1." + c.name, c.typ, c.wild})
	}
	where := ""
	if g.r.IntN(8) > 0 {
		where = " WHERE " + g.predicate(1)
	}
	back := g.pick("", " RETURNING a1.id", " RETURNING *")
	switch g.r.IntN(4) {
	case 0:
		return "DELETE FROM " + t.name + " a1" + where + back
	case 1:
		o := &g.tables[g.r.IntN(len(g.tables))]
		names, vals := []string{"id"}, []string{"a1.id + 1000"}
		g.refs = nil
		for _, c := range o.cols {
			g.refs = append(g.refs, ref{"a1." + c.name, c.typ, c.wild})
		}
		for _, c := range t.cols[1:] {
			if g.r.IntN(3) > 0 {
				names, vals = append(names, c.name), append(vals, g.expr(c.typ, 1, true))
			}
		}
		back = strings.ReplaceAll(back, "a1.", "")
		return "INSERT INTO " + t.name + " (" + strings.Join(names, ", ") + ") SELECT " + strings.Join(vals, ", ") + " FROM " + o.name + " a1 WHERE a1.id < 6" + back
	}
	c := t.cols[1+g.r.IntN(len(t.cols)-1)]
	set := c.name + " = " + g.expr(c.typ, 2, true)
	return "UPDATE " + t.name + " a1 SET " + set + where + back
}
