package diff

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// samples are boundary values of each type, as literals with their type.
var samples = map[string][]string{
	"boolean":  {"true", "false"},
	"smallint": {"0::int2", "3::int2", "(-7)::int2", "32767::int2", "(-32768)::int2"},
	"integer":  {"0", "1", "(-3)", "7", "2147483647", "(-2147483648)"},
	"bigint":   {"0::int8", "5::int8", "(-11)::int8", "9223372036854775807", "(-9223372036854775808)"},
	"real":     {"0::float4", "1.5::float4", "(-2.25)::float4", "'NaN'::float4", "'Infinity'::float4", "1e30::float4"},
	"double precision": {"0::float8", "0.5::float8", "1::float8", "(-2.75)::float8", "1e300::float8", "'NaN'::float8", "'-Infinity'::float8",
		"'-0'::float8"},
	"numeric": {"0::numeric", "1.50", "(-2.345)", "100", "1e-10", "'NaN'::numeric", "'Infinity'::numeric", "12345678901234567890.5"},
	"text": {"''", "'abc'", "'Hello, World'", "'äöü€'", "'  x '", "'123'", "'a%b_c'", "'YYYY-MM-DD'", "'2024-02-29 12:34:56'",
		"'9G999D99'", "'month'", "'Europe/Berlin'"},
	"name":                   {"'abc'::name", "'x_1'::name"},
	"character":              {"'ab  '::char(4)", "''::char(2)", "'z'::char(1)"},
	"bytea":                  {`'\x'::bytea`, `'\x00ff10'::bytea`, `'abc'::bytea`},
	"date":                   {"'2024-02-29'::date", "'1970-01-01'::date", "'0044-03-15 BC'::date", "'infinity'::date", "'2023-12-31'::date"},
	"time without time zone": {"'00:00:00'::time", "'23:59:59.999999'::time", "'12:34:56.5'::time"},
	"time with time zone":    {"'12:34:56.5+02'::timetz", "'00:00:00-08'::timetz"},
	"timestamp without time zone": {"'2024-02-29 12:34:56.789'::timestamp", "'1969-12-31 23:59:59.999999'::timestamp", "'infinity'::timestamp",
		"'2021-01-03 00:00'::timestamp"},
	"timestamp with time zone": {"'2024-02-29 12:34:56.789+00'::timestamptz", "'1999-12-31 23:30:00-01'::timestamptz", "'-infinity'::timestamptz"},
	"interval":                 {"'1 day'::interval", "'-3 mons 5 days 04:05:06.7'::interval", "'0'::interval", "'2 years 13 mons 40 days 30:00:00'::interval"},
	"uuid":                     {"'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "'00000000-0000-0000-0000-000000000000'::uuid"},
	"inet":                     {"'10.1.2.3/8'::inet", "'192.168.0.1'::inet", "'2001:db8::1/64'::inet"},
	"cidr":                     {"'10.0.0.0/8'::cidr", "'2001:db8::/32'::cidr"},
	"json":                     {`'{"a":1,"b":[1,2,{"c":null}],"a":"x"}'::json`, "'[]'::json", "'\"s\"'::json", "'null'::json", "'[3,\"x\",null,true]'::json"},
	"jsonb":                    {`'{"a":1,"b":[1,2,{"c":null}],"d":{"e":"f"}}'::jsonb`, "'[]'::jsonb", "'1.50'::jsonb", "'[\"a\",\"b\",3,null]'::jsonb", "'\"a\"'::jsonb", "'true'::jsonb"},
	"jsonpath":                 {"'$'::jsonpath", "'$.a'::jsonpath", "'$.b[*]'::jsonpath", "'strict $.x'::jsonpath"},
	"oid":                      {"25::oid", "4294967295::oid"},
	"text[]":                   {"'{}'::text[]", "array['a','b']", "array['b','2',null]"},
	"integer[]":                {"'{}'::int[]", "array[1,2,3]", "array[[1,2],[3,null]]", "'[0:1]={7,8}'::int[]"},
	"double precision[]":       {"array[1.5,2.5]::float8[]"},
	"bigint[]":                 {"array[1,5]::int8[]"},
	"numeric[]":                {"array[1.5,20]::numeric[]"},
	"\"char\"":                 {"'a'::\"char\"", "''::\"char\""},
	"anyelement":               {"1", "'x'::text", "1.5", "'2024-01-01'::date", "'{\"k\":1}'::jsonb", "array[1,2]"},
	"anynonarray":              {"1", "'x'::text", "true"},
	"anyarray":                 {"array[1,2,null]", "'{}'::text[]", "array['x','y']", "array[[1,2],[3,4]]"},
	"anycompatible":            {"1", "2.5", "'x'::text"},
	"anycompatiblearray":       {"array[1,2,3]", "array['x','y']", "array[1.5,2.5]"},
	"\"any\"":                  {"1", "'x'::text", "null", "array[1]", "1.5::float8"},
}

// matrixCallsMax bounds the calls of one overload.
const matrixCallsMax = 60

// Matrix are the sections that RunMatrix can do.
var Matrix = []string{"functions", "operators", "aggregates", "casts", "pictures"}

// RunMatrix compares one section over the whole catalog and writes the differences
// to out. What PostgreSQL has and we do not (42883, 0A000) is counted by name.
func (p *Pair) RunMatrix(ctx context.Context, section string, out io.Writer) (calls int, found []Found, missing map[string]int, err error) {
	statements, err := p.matrixStatements(ctx, section)
	if err != nil {
		return 0, nil, nil, err
	}
	missing = map[string]int{}
	for _, st := range statements {
		a, b, err := p.Both(ctx, st.sql)
		if err != nil {
			return calls, found, missing, err
		}
		calls++
		if (b.Code == "42883" || b.Code == "0A000" || b.Code == "42704" || b.Code == "42846") && a.Code != b.Code {
			missing[st.name+": "+b.Message]++
			continue
		}
		if why := Compare(&a, &b, true); why != "" && !Known(st.sql, why) {
			found = append(found, Found{st.sql, why})
			if _, err := fmt.Fprintf(out, "%s;\n    %s\n", st.sql, why); err != nil {
				return calls, found, missing, err
			}
		}
	}
	return calls, found, missing, nil
}

type statement struct{ name, sql string }

// skipped are functions that look at the session, the clock, chance or files, and
// those of the catalog's machinery.
var skipped = []string{"pg_", "has_", "lo_", "ts_", "tsq", "xml", "cursor_to", "query_to", "table_to", "schema_to", "database_to", "to_reg", "binary_upgrade",
	"current_", "gist", "brin", "spg", "gin", "bt", "hash", "ri_", "random", "setseed", "clock_", "statement_", "transaction_", "timeofday", "now",
	"gen_random", "inet_client", "inet_server", "nextval", "currval", "setval", "lastval", "set_config", "txid_", "version", "getdatabase", "obj_desc",
	"col_desc", "shobj_desc", "format_type", "row_security", "session_user", "getpgusername", "postgresql_fdw", "satisfies_hash", "amvalidate",
	"numeric_accum", "int4_avg", "unique_key", "suppress_", "icu_", "be_", "num_nonnulls", "mxid", "to_ascii", "convert", "to_ts", "plainto", "websearch", "phraseto",
	"array_to_tsvector", "json_to_ts", "jsonb_to_ts", "lowrite", "loread", "network_", "inet_merge", "inet_same"}

func (p *Pair) matrixStatements(ctx context.Context, section string) ([]statement, error) {
	switch section {
	case "functions":
		return p.callStatements(ctx, "f", func(name string, args []string) string {
			return "SELECT " + name + "(" + strings.Join(args, ", ") + ")"
		})
	case "aggregates":
		return p.callStatements(ctx, "a", nil)
	case "operators":
		return p.operatorStatements(ctx)
	case "pictures":
		return pictureStatements(1), nil
	}
	return castStatements(), nil
}

// internalNames end like functions that only the type system calls.
var internalNames = []string{"in", "out", "recv", "send", "typmodin", "typmodout", "_accum", "_combine", "_serialize", "_deserialize", "_support", "trans",
	"transfn", "finalfn", "_final", "_inv", "sel", "joinsel", "_sortsupport", "subdiff", "_agg_final", "statefunc"}

func (p *Pair) callStatements(ctx context.Context, kind string, render func(string, []string) string) ([]statement, error) {
	o, err := run(ctx, p.Oracle, `SELECT p.proname, array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY u(t, n) ORDER BY n), ','),
		p.provariadic <> 0, p.proretset, coalesce(a.aggkind::text, ''), coalesce(a.aggnumdirectargs, 0)
		FROM pg_proc p LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
		WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = '`+kind+`' ORDER BY 1, p.oid`)
	if err != nil {
		return nil, err
	}
	if o.Code != "" {
		return nil, fmt.Errorf("reading pg_proc: %s", o.Message)
	}
	var out []statement
	for _, r := range o.Rows {
		name, args := r[0], strings.Split(r[1], ",")
		if r[1] == "" {
			args = nil
		}
		if skipName(name) || r[5] != "0" && false {
			continue
		}
		choices, ok := argChoices(args)
		if !ok {
			continue
		}
		for _, vals := range combinations(choices) {
			switch {
			case kind == "a":
				out = append(out, statement{name, aggregateCall(name, args, vals, r[4], r[5])})
			case r[2] == "t":
				vals[len(vals)-1] = "VARIADIC " + vals[len(vals)-1]
				out = append(out, statement{name, render(quoteIdent(name), vals)})
			case r[3] == "t":
				out = append(out, statement{name, "SELECT * FROM " + quoteIdent(name) + "(" + strings.Join(vals, ", ") + ") LIMIT 20"})
			default:
				out = append(out, statement{name, render(quoteIdent(name), vals)})
			}
		}
	}
	return out, nil
}

// quoteIdent quotes names that PostgreSQL's grammar would read as something else.
func quoteIdent(name string) string {
	switch name {
	case "char", "overlay", "position", "substring", "interval", "time", "timestamp", "numeric", "bit", "like", "overlaps", "normalize", "timetz", "bpchar", "left", "right", "bool", "text", "date", "varchar", "varbit", "extract", "name", "notlike", "float4", "float8", "int2", "int4", "int8":
		return `pg_catalog."` + name + `"`
	}
	return name
}

func skipName(name string) bool {
	for _, s := range skipped {
		if strings.HasPrefix(name, s) {
			return true
		}
	}
	if name == "repeat" || name == "generate_series" || strings.HasSuffix(name, "pad") {
		return true // huge results; expressions and series have their own tests
	}
	for _, s := range internalNames {
		if strings.HasSuffix(name, s) && !slices.Contains([]string{"asin", "sin", "min", "begin", "btrim", "regexp_split_to_array", "asinh", "ceil", "atan", "date_bin", "ascii", "to_bin", "width_bucket", "array_in"}, name) {
			return true
		}
	}
	return false
}

func argChoices(args []string) ([][]string, bool) {
	var out [][]string
	for _, a := range args {
		s, ok := samples[a]
		if !ok {
			return nil, false
		}
		typed := "null::" + a
		if strings.HasPrefix(a, "any") || a == `"any"` {
			typed = "null::int"
		}
		if a == "anyarray" || a == "anycompatiblearray" {
			typed = "null::int[]"
		}
		out = append(out, append(slices.Clone(s), typed))
	}
	return out, true
}

// combinations are the product of the choices, thinned evenly to the maximum.
func combinations(choices [][]string) [][]string {
	total := 1
	for _, c := range choices {
		total *= len(c)
	}
	n := min(total, matrixCallsMax)
	var out [][]string
	for k := range n {
		at := k
		if total > n {
			at = int(uint64(k) * 2654435761 % uint64(total))
		}
		row := make([]string, len(choices))
		for i, c := range choices {
			row[i] = c[at%len(c)]
			at /= len(c)
		}
		out = append(out, row)
	}
	return out
}

// aggregateCall aggregates two copies of the values, NULLs and nothing.
func aggregateCall(name string, args, vals []string, kind, direct string) string {
	cols := make([]string, len(vals))
	exprs := make([]string, len(vals))
	for i := range vals {
		cols[i], exprs[i] = fmt.Sprintf("c%d", i), vals[i]
	}
	from := " FROM (SELECT " + strings.Join(exprs, ", ") + ") v(" + strings.Join(cols, ", ") + "), generate_series(1, 3) g"
	if len(vals) == 0 {
		from = " FROM generate_series(1, 3) g"
		cols = []string{"*"}
		if name != "count" {
			cols = nil
		}
	}
	call := name + "(" + strings.Join(cols, ", ") + ")"
	if kind == "o" || kind == "h" {
		nd := int(direct[0] - '0')
		if kind == "h" {
			return "SELECT " + name + "(2) WITHIN GROUP (ORDER BY g) FROM generate_series(1, 3) g"
		}
		call = name + "(" + strings.Join(exprs[:nd], ", ") + ") WITHIN GROUP (ORDER BY " + strings.Join(cols[nd:], ", ") + ")"
	}
	return "SELECT " + call + from
}

func (p *Pair) operatorStatements(ctx context.Context) ([]statement, error) {
	o, err := run(ctx, p.Oracle, `SELECT oprname, CASE WHEN oprleft = 0 THEN '' ELSE format_type(oprleft, NULL) END, format_type(oprright, NULL)
		FROM pg_operator WHERE oprright <> 0 ORDER BY 1, oid`)
	if err != nil {
		return nil, err
	}
	var out []statement
	for _, r := range o.Rows {
		args := []string{r[2]}
		if r[1] != "" {
			args = []string{r[1], r[2]}
		}
		choices, ok := argChoices(args)
		if !ok || strings.HasSuffix(r[0], "@@") && r[1] == "text" {
			continue
		}
		for _, vals := range combinations(choices) {
			sql := "SELECT " + r[0] + " " + vals[0]
			if len(vals) == 2 {
				sql = "SELECT " + vals[0] + " " + r[0] + " " + vals[1]
			}
			out = append(out, statement{r[1] + " " + r[0] + " " + r[2], sql})
		}
	}
	return out, nil
}

// castStatements casts every value of every type to every other, by :: and, for
// assignment casts, by INSERT's rules through a set operation's implicit ones.
func castStatements() []statement {
	names := slices.Sorted(maps.Keys(samples))
	var out []statement
	for _, from := range names {
		for _, to := range append(slices.Clone(names), "varchar(3)", "char(3)", "numeric(5,2)", "timestamp(0)", "interval hour to minute", "varchar", "regclass", "regtype") {
			if strings.Contains(from, "any") || strings.Contains(to, "any") || from == "jsonpath" || to == "jsonpath" {
				continue
			}
			for _, v := range append(slices.Clone(samples[from]), "null::"+from) {
				out = append(out, statement{from + " to " + to, "SELECT (" + v + ")::" + to})
			}
			v := samples[from][0]
			out = append(out, statement{from + " with " + to, "SELECT coalesce(" + v + ", null::" + to + ")"})
		}
	}
	return out
}
