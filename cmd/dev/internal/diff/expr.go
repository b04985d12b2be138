package diff

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// ref is a column that an expression may use.
type ref struct {
	sql, typ string
	wild     bool
}

// gen makes random expressions over refs.
type gen struct {
	r      *rand.Rand
	tables []table
	refs   []ref
	alias  int
	types  []string // of the last query made
}

func (g *gen) pick(list ...string) string { return list[g.r.IntN(len(list))] }

// rule makes an expression of one type of arguments of others. In sql, %1 to %3
// are the arguments.
type rule struct {
	sql  string
	args []string
}

// rules by result type. None of them raises on tame values, so it does not matter
// which rows and branches are evaluated.
var rules = map[string][]rule{
	"bool": {{"(NOT %1)", []string{"bool"}}, {"(%1 AND %2)", []string{"bool", "bool"}}, {"(%1 OR %2)", []string{"bool", "bool"}},
		{"(%1 IS TRUE)", []string{"bool"}}, {"(%1 IS NOT FALSE)", []string{"bool"}}, {"(%1 IS UNKNOWN)", []string{"bool"}},
		{"(%1 LIKE 'a%')", []string{"text"}}, {"(%1 ILIKE '%B%')", []string{"text"}}, {"(%1 ~ '^[a-c]')", []string{"text"}}, {"starts_with(%1, 'a')", []string{"text"}},
		{"(%1 @> %2)", []string{"jsonb", "jsonb"}}, {"(%1 ? 'a')", []string{"jsonb"}}, {"(%1 && %2)", []string{"int4[]", "int4[]"}}, {"(%1 @> %2)", []string{"int4[]", "int4[]"}},
		{"(%1 = ANY (%2))", []string{"int4", "int4[]"}}, {"(%1 <> ALL (%2))", []string{"int4", "int4[]"}}, {"(%1 BETWEEN %2 AND %3)", []string{"int4", "int4", "int4"}},
		{"(%1 IN (%2, %3, NULL))", []string{"int4", "int4", "int4"}}, {"(%1 NOT IN (%2, 5))", []string{"int4", "int4"}}, {"isfinite(%1)", []string{"timestamp"}},
		{"(%1 <<= '10.0.0.0/8')", []string{"inet"}}, {"(%1 SIMILAR TO '(a|b)%')", []string{"text"}}},
	"int4": {{"(%1 + %2)", []string{"int2", "int4"}}, {"(%1 - %2)", []string{"int4", "int4"}}, {"abs(%1)", []string{"int4"}}, {"(%1 / 3)", []string{"int4"}},
		{"(%1 % 5)", []string{"int4"}}, {"(- %1)", []string{"int4"}}, {"length(%1)", []string{"text"}}, {"octet_length(%1)", []string{"text"}}, {"ascii(%1)", []string{"text"}},
		{"(%1 - %2)", []string{"date", "date"}}, {"strpos(%1, 'b')", []string{"text"}}, {"cardinality(%1)", []string{"int4[]"}}, {"array_length(%1, 1)", []string{"text[]"}},
		{"coalesce(array_position(%1, 1), -1)", []string{"int4[]"}}, {"%1::int4", []string{"int2"}}, {"sign(%1)::int4", []string{"numeric"}}, {"(%1 # %2)", []string{"int4", "int4"}},
		{"(%1 & 6)", []string{"int4"}}, {"(%1 | 9)", []string{"int4"}}, {"(%1 << 2)", []string{"int4"}}, {"extract(dow FROM %1)::int4", []string{"date"}}, {"length(%1)", []string{"bytea"}},
		{"width_bucket(%1, 0, 100, 7)", []string{"numeric"}}, {"masklen(%1)", []string{"inet"}}, {"regexp_count(%1, 'a')", []string{"text"}}, {"(%1)[1]", []string{"int4[]"}}},
	"int2":   {{"(%1 % 7::int2)", []string{"int2"}}, {"abs(%1)", []string{"int2"}}},
	"int8":   {{"(%1 + %2)", []string{"int8", "int4"}}, {"(%1 * 3)", []string{"int8"}}, {"(%1 % 11)", []string{"int8"}}, {"%1::int8", []string{"int4"}}, {"(%1 / 7)", []string{"int8"}}, {"factorial(3)::int8 + %1", []string{"int8"}}},
	"float4": {{"(%1 + %2)", []string{"float4", "float4"}}, {"(- %1)", []string{"float4"}}},
	"float8": {{"(%1 + %2)", []string{"float8", "float8"}}, {"(%1 * %2)", []string{"float8", "float4"}}, {"abs(%1)", []string{"float8"}}, {"floor(%1)", []string{"float8"}}, {"ceil(%1)", []string{"float8"}},
		{"round(%1)", []string{"float8"}}, {"%1::float8", []string{"int4"}}, {"%1::float8", []string{"numeric"}}, {"sqrt(abs(%1))", []string{"float8"}}, {"atan(%1)", []string{"float8"}}, {"date_part('hour', %1)", []string{"timestamp"}}},
	"numeric": {{"(%1 + %2)", []string{"numeric", "numeric"}}, {"(%1 * %2)", []string{"numeric", "numeric"}}, {"(%1 - %2)", []string{"numeric", "int4"}}, {"(%1 / 7)", []string{"numeric"}},
		{"round(%1, 1)", []string{"numeric"}}, {"trunc(%1)", []string{"numeric"}}, {"abs(%1)", []string{"numeric"}}, {"%1::numeric", []string{"int8"}}, {"(%1 % 3)", []string{"numeric"}}, {"extract(year FROM %1)", []string{"date"}},
		{"extract(epoch FROM %1)", []string{"timestamp"}}, {"extract(minute FROM %1)", []string{"interval"}}, {"sqrt(abs(%1))", []string{"numeric"}}, {"(%1 ->> 'a')::numeric", []string{"jsonb"}}},
	"text": {{"(%1 || %2)", []string{"text", "text"}}, {"upper(%1)", []string{"text"}}, {"lower(%1)", []string{"text"}}, {"left(%1, 2)", []string{"text"}}, {"right(%1, 2)", []string{"text"}}, {"reverse(%1)", []string{"text"}},
		{"substring(%1 FROM 2 FOR 2)", []string{"text"}}, {"trim(%1)", []string{"text"}}, {"replace(%1, 'a', 'xy')", []string{"text"}}, {"%1::text", []string{"int4"}}, {"%1::text", []string{"numeric"}}, {"%1::text", []string{"date"}},
		{"%1::text", []string{"timestamp"}}, {"%1::text", []string{"interval"}}, {"%1::text", []string{"bool"}}, {"%1::text", []string{"jsonb"}}, {"%1::text", []string{"int4[]"}}, {"%1::text", []string{"char"}}, {"%1::text", []string{"varchar"}},
		{"concat(%1, '-', %2)", []string{"int4", "text"}}, {"md5(%1)", []string{"text"}}, {"lpad(%1, 4, '*')", []string{"text"}}, {"split_part(%1, ' ', 1)", []string{"text"}}, {"to_char(%1, 'YYYY-MM-DD HH24:MI')", []string{"timestamp"}},
		{"to_char(%1, 'FM9990.00')", []string{"numeric"}}, {"(%1 ->> 'a')", []string{"jsonb"}}, {"jsonb_typeof(%1)", []string{"jsonb"}}, {"array_to_string(%1, ',', '?')", []string{"text[]"}}, {"initcap(%1)", []string{"text"}},
		{"translate(%1, 'ab', 'z')", []string{"text"}}, {"host(%1)", []string{"inet"}}, {"encode(%1, 'hex')", []string{"bytea"}}, {"regexp_replace(%1, '[aeiou]', '_', 'g')", []string{"text"}}, {"(%1)[1]", []string{"text[]"}}, {"format('%s/%L', %1, %2)", []string{"text", "int4"}}},
	"date":        {{"(%1 + %2 % 10)", []string{"date", "int4"}}, {"%1::date", []string{"timestamp"}}},
	"time":        {{"%1::time", []string{"timestamp"}}, {"(%1 + interval '90 minutes')", []string{"time"}}},
	"timestamp":   {{"(%1 + %2)", []string{"timestamp", "interval"}}, {"date_trunc('month', %1)", []string{"timestamp"}}, {"%1::timestamp", []string{"date"}}, {"(%1 + %2)", []string{"date", "time"}}, {"date_trunc('hour', %1)", []string{"timestamp"}}},
	"timestamptz": {{"date_trunc('day', %1)", []string{"timestamptz"}}, {"%1::timestamptz", []string{"date"}}, {"(%1 + %2)", []string{"timestamptz", "interval"}}},
	"interval":    {{"(%1 + %2)", []string{"interval", "interval"}}, {"(%1 * 2)", []string{"interval"}}, {"(- %1)", []string{"interval"}}, {"justify_hours(%1)", []string{"interval"}}, {"make_interval(days => %1)", []string{"int4"}}, {"(%1 - %2)", []string{"timestamp", "timestamp"}}},
	"jsonb":       {{"(%1 -> 'a')", []string{"jsonb"}}, {"to_jsonb(%1)", []string{"int4"}}, {"to_jsonb(%1)", []string{"text[]"}}, {"jsonb_build_object('k', %1, 'l', %2)", []string{"int4", "text"}}, {"jsonb_build_array(%1, %2)", []string{"date", "bool"}}, {"jsonb_strip_nulls(%1)", []string{"jsonb"}}},
	"int4[]":      {{"array_append(%1, %2)", []string{"int4[]", "int4"}}, {"(%1 || %2)", []string{"int4[]", "int4[]"}}, {"ARRAY[%1, %2]", []string{"int4", "int4"}}, {"array_remove(%1, 1)", []string{"int4[]"}}, {"(%1)[2:]", []string{"int4[]"}}},
	"text[]":      {{"string_to_array(%1, 'b')", []string{"text"}}, {"ARRAY[%1, %2]", []string{"text", "text"}}},
	"bytea":       {{"(%1 || %2)", []string{"bytea", "bytea"}}, {"convert_to(%1, 'UTF8')", []string{"text"}}},
	"uuid":        nil, "inet": {{"network(%1)::inet", []string{"inet"}}}, "char": nil, "varchar": {{"%1::varchar", []string{"text"}}},
}

// comparable are types that = and < know.
var comparable = []string{"bool", "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "char", "bytea", "date", "time", "timestamp", "timestamptz",
	"interval", "uuid", "jsonb", "int4[]", "text[]", "inet"}

// expr makes an expression of type typ. Wild columns may stand alone if any is set.
func (g *gen) expr(typ string, depth int, any bool) string {
	switch n := g.r.IntN(10); {
	case depth > 0 && n == 0:
		return "CASE WHEN " + g.expr("bool", depth-1, false) + " THEN " + g.expr(typ, depth-1, any) + " ELSE " + g.expr(typ, depth-1, any) + " END"
	case depth > 0 && n == 1:
		return "coalesce(" + g.expr(typ, depth-1, any) + ", " + g.expr(typ, depth-1, any) + ")"
	case depth > 0 && n == 2 && slices.Contains(comparable, typ):
		if typ != "char" && g.r.IntN(2) == 0 {
			return g.pick("greatest(", "least(") + g.expr(typ, depth-1, any) + ", " + g.expr(typ, depth-1, any) + ")"
		}
		return "nullif(" + g.expr(typ, depth-1, any) + ", " + g.expr(typ, depth-1, any) + ")"
	case depth > 0 && n < 7:
		if typ == "bool" && g.r.IntN(2) == 0 {
			return g.comparison(depth - 1)
		}
		if list := rules[typ]; len(list) > 0 {
			return g.apply(list[g.r.IntN(len(list))], depth-1)
		}
	}
	return g.leaf(typ, any)
}

func (g *gen) apply(ru rule, depth int) string {
	s := ru.sql
	for i, a := range ru.args {
		s = strings.ReplaceAll(s, fmt.Sprintf("%%%d", i+1), g.expr(a, depth, false))
	}
	return s
}

func (g *gen) comparison(depth int) string {
	t := comparable[g.r.IntN(len(comparable))]
	if g.r.IntN(2) == 0 && len(g.refs) > 0 {
		t = g.refs[g.r.IntN(len(g.refs))].typ
	}
	l, r := g.expr(t, depth, true), g.expr(t, depth, true)
	switch g.r.IntN(8) {
	case 0:
		return "(" + l + " IS NULL)"
	case 1:
		return "(" + l + " IS DISTINCT FROM " + r + ")"
	case 2:
		return "(" + l + " IS NOT NULL)"
	}
	return "(" + l + " " + g.pick("=", "<>", "<", "<=", ">", ">=", "=") + " " + r + ")"
}

// leaf is a column, a literal or NULL.
func (g *gen) leaf(typ string, any bool) string {
	var fit []string
	for _, c := range g.refs {
		if c.typ == typ && (any || !c.wild) {
			fit = append(fit, c.sql)
		}
	}
	if len(fit) > 0 && g.r.IntN(6) > 0 {
		return fit[g.r.IntN(len(fit))]
	}
	for i := range kinds {
		k := &kinds[i]
		if k.base() != typ {
			continue
		}
		if g.r.IntN(12) == 0 {
			return "NULL::" + k.name
		}
		v := k.tame[g.r.IntN(len(k.tame))]
		return v + "::" + k.name
	}
	return "NULL::" + typ
}

// anyType is the type of some column in reach, or any other.
func (g *gen) anyType() string {
	if len(g.refs) > 0 && g.r.IntN(4) > 0 {
		return g.refs[g.r.IntN(len(g.refs))].typ
	}
	return kinds[g.r.IntN(len(kinds))].base()
}
