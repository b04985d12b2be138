package bind_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator makes random queries over the tables of rowsTables.
type generator struct {
	rng   *rand.Rand
	alias int
	depth int
}

// item is a relation in scope: its alias and columns by type.
type item struct {
	alias      string
	ints, text []string
}

func (g *generator) pick(n int) int { return g.rng.IntN(n) }

func (g *generator) newAlias() string { g.alias++; return fmt.Sprintf("t%d", g.alias) }

func (g *generator) table() (string, item) {
	a := g.newAlias()
	switch g.pick(3) {
	case 0:
		return "r " + a, item{a, []string{"a", "b"}, []string{"c"}}
	case 1:
		return "s " + a, item{a, []string{"a", "x"}, []string{"d"}}
	}
	return "q " + a, item{a, []string{"x", "n"}, nil}
}

// relation is a table, or a derived table.
func (g *generator) relation(outer []item) (string, item) {
	if g.depth > 2 || g.pick(5) > 0 {
		return g.table()
	}
	g.depth++
	defer func() { g.depth-- }()
	lateral := ""
	scope := []item(nil)
	if len(outer) > 0 && g.pick(2) == 0 {
		lateral, scope = "lateral ", outer
	}
	q, cols := g.selectInts(scope, 2)
	a := g.newAlias()
	return lateral + "(" + q + ") as " + a, item{a, cols, nil}
}

func (g *generator) intExpr(scope []item) string {
	it := scope[g.pick(len(scope))]
	c := it.alias + "." + it.ints[g.pick(len(it.ints))]
	switch g.pick(8) {
	case 0:
		return fmt.Sprintf("(%s + %d)", c, g.pick(3))
	case 1:
		return fmt.Sprintf("coalesce(%s, %d)", c, g.pick(4))
	case 2:
		if g.depth < 3 {
			return g.scalar(scope)
		}
	}
	return c
}

func (g *generator) textExpr(scope []item) string {
	for range 4 {
		it := scope[g.pick(len(scope))]
		if len(it.text) > 0 {
			return it.alias + "." + it.text[0]
		}
	}
	return "'q'"
}

// scalar is a scalar subquery that gives one row.
func (g *generator) scalar(scope []item) string {
	g.depth++
	defer func() { g.depth-- }()
	from, in := g.from(scope)
	inner := append(append([]item(nil), scope...), in...)
	agg := []string{"count(*)", "max(%s)", "min(%s)", "sum(%s)", "count(%s)"}[g.pick(5)]
	if strings.Contains(agg, "%s") {
		it := in[g.pick(len(in))]
		agg = fmt.Sprintf(agg, it.alias+"."+it.ints[g.pick(len(it.ints))])
	}
	return "(select " + agg + " from " + from + " where " + g.cond(inner) + ")"
}

func (g *generator) compare(scope []item) string {
	op := []string{"=", "<", ">", "<>", "<=", "=", "="}[g.pick(7)]
	if g.pick(4) == 0 {
		return g.textExpr(scope) + " " + op + " " + g.textExpr(scope)
	}
	if g.pick(3) == 0 {
		return fmt.Sprintf("%s %s %d", g.intExpr(scope), op, g.pick(6))
	}
	return g.intExpr(scope) + " " + op + " " + g.intExpr(scope)
}

func (g *generator) cond(scope []item) string {
	switch g.pick(11) {
	case 0:
		return "(" + g.cond(scope) + " or " + g.cond(scope) + ")"
	case 1:
		return g.cond(scope) + " and " + g.cond(scope)
	case 2:
		return "not (" + g.cond(scope) + ")"
	case 3:
		if g.depth < 3 {
			g.depth++
			defer func() { g.depth-- }()
			from, in := g.from(scope)
			not := []string{"", "not "}[g.pick(2)]
			return not + "exists (select 1 from " + from + " where " + g.cond(append(append([]item(nil), scope...), in...)) + ")"
		}
	case 4, 5:
		if g.depth < 3 {
			left := g.intExpr(scope)
			g.depth++
			defer func() { g.depth-- }()
			q, _ := g.selectInts(scope, 1)
			op := []string{" in ", " not in ", " < any ", " >= all ", " in "}[g.pick(5)]
			return left + op + "(" + q + ")"
		}
	case 6:
		it := scope[g.pick(len(scope))]
		return it.alias + "." + it.ints[0] + []string{" is null", " is not null"}[g.pick(2)]
	case 7:
		return fmt.Sprintf("%s in (%d, %d, null)", g.intExpr(scope), g.pick(5), g.pick(5))
	}
	return g.compare(scope)
}

// from makes one to three relations with joins.
func (g *generator) from(outer []item) (string, []item) {
	text, it := g.relation(nil)
	items := []item{it}
	for g.pick(2) == 0 && len(items) < 3 {
		kind := []string{" join ", " left join ", " right join ", " full join ", " cross join ", " join ", " left join "}[g.pick(7)]
		visible := items
		if kind == " right join " || kind == " full join " {
			visible = nil
		}
		t, n := g.relation(visible)
		both := append(append([]item(nil), items...), n)
		switch kind {
		case " cross join ":
			text += kind + t
		case " full join ":
			a, b := items[g.pick(len(items))], n
			text += kind + t + " on " + a.alias + "." + a.ints[0] + " = " + b.alias + "." + b.ints[0]
		default:
			d := g.depth
			g.depth = 3 // no subqueries in ON
			text += kind + t + " on " + g.compare(both)
			g.depth = d
		}
		items = both
	}
	return text, items
}

// selectInts is a query of n integer columns, named k0, k1, ….
func (g *generator) selectInts(outer []item, n int) (string, []string) {
	from, in := g.from(outer)
	scope := append(append([]item(nil), outer...), in...)
	var names, targets []string
	for i := range n {
		names = append(names, fmt.Sprintf("k%d", i))
	}
	var q string
	switch g.pick(4) {
	case 0: // grouped
		var keys []string
		for i := range n {
			it := in[g.pick(len(in))]
			key := it.alias + "." + it.ints[g.pick(len(it.ints))]
			if i == n-1 && n > 1 {
				targets = append(targets, "count(*) as "+names[i])
				continue
			}
			keys = append(keys, key)
			targets = append(targets, key+" as "+names[i])
		}
		q = "select " + strings.Join(targets, ", ") + " from " + from + " where " + g.cond(scope) + " group by " + strings.Join(keys, ", ")
		if g.pick(2) == 0 {
			q += " having count(*) > 1"
		}
	case 1: // set operation
		op := []string{"union", "union all", "intersect", "except", "except all", "intersect all"}[g.pick(6)]
		g.depth++
		l, _ := g.plain(outer, n)
		r, _ := g.plain(outer, n)
		g.depth--
		q = l + " " + op + " " + r
	default:
		q, _ = g.plain(outer, n)
		if g.pick(3) == 0 {
			q = strings.Replace(q, "select ", "select distinct ", 1)
		}
	}
	return q, names
}

func (g *generator) plain(outer []item, n int) (string, []string) {
	from, in := g.from(outer)
	scope := append(append([]item(nil), outer...), in...)
	var names, targets []string
	for i := range n {
		names = append(names, fmt.Sprintf("k%d", i))
		targets = append(targets, g.intExpr(scope)+" as "+names[i])
	}
	return "select " + strings.Join(targets, ", ") + " from " + from + " where " + g.cond(scope), names
}

// query is a whole statement.
func (g *generator) query() string {
	g.alias, g.depth = 0, 0
	q, _ := g.selectInts(nil, 1+g.pick(3))
	return q
}
