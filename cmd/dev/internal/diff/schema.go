package diff

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind is a column type of random tables with the values that its columns draw
// from. Tame values are safe in arithmetic; wild ones are extremes, which only
// comparisons, sorting, grouping and aggregates see.
type kind struct {
	name       string
	tame, wild []string
}

var kinds = []kind{
	{"bool", []string{"true", "false"}, nil},
	{"int2", []string{"0", "1", "2", "3", "-4", "17"}, []string{"32767", "-32768"}},
	{"int4", []string{"0", "1", "2", "3", "5", "-7", "42"}, []string{"2147483647", "-2147483648"}},
	{"int8", []string{"0", "1", "2", "3", "-9", "1000"}, []string{"9223372036854775807", "-9223372036854775808"}},
	{"float4", []string{"0", "0.5", "-1.25", "3", "64"}, []string{"'NaN'", "'Infinity'", "'-0'", "3e38"}},
	{"float8", []string{"0", "0.25", "-2.5", "3", "1024"}, []string{"'NaN'", "'-Infinity'", "'-0'", "1e300"}},
	{"numeric", []string{"0", "1", "1.50", "-2.345", "100", "0.001"}, []string{"'NaN'", "'Infinity'", "12345678901234567890.123"}},
	{"numeric(8,2)", []string{"0", "1", "2.5", "-3.25", "999.99"}, []string{"999999.99"}},
	{"text", []string{"''", "'a'", "'b'", "'abc'", "'Abc'", "'äö'", "'a b'", "'10'"}, []string{"'\U0001F600 x'", "'zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz'"}},
	{"varchar(6)", []string{"''", "'a'", "'xyz'", "'b '"}, nil},
	{"char(4)", []string{"'a'", "'ab'", "'abcd'", "''"}, nil},
	{"bytea", []string{`'\x'`, `'\x00'`, `'\xff01'`, `'abc'`}, nil},
	{"date", []string{"'2024-01-01'", "'2024-02-29'", "'1999-12-31'", "'2024-01-02'"}, []string{"'infinity'", "'0044-03-15 BC'", "'5000-01-01'"}},
	{"time", []string{"'00:00'", "'12:34:56.789'", "'23:59:59'"}, nil},
	{"timestamp", []string{"'2024-01-01 00:00'", "'2024-01-01 12:00:00.5'", "'1969-12-31 23:59:59'", "'2024-03-31 02:30'"}, []string{"'infinity'", "'-infinity'"}},
	{"timestamptz", []string{"'2024-01-01 00:00+00'", "'2024-06-15 10:00+02'", "'1999-12-31 23:59:59+00'"}, []string{"'infinity'"}},
	{"interval", []string{"'1 day'", "'-2 hours'", "'1 mon'", "'30 days'", "'0'"}, nil},
	{"uuid", []string{"'00000000-0000-0000-0000-000000000001'", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"}, nil},
	{"jsonb", []string{`'{"a":1}'`, `'{"a":2,"b":[1,2]}'`, `'[1,"x",null]'`, `'"s"'`, `'null'`, `'3'`}, nil},
	{"int4[]", []string{"'{}'", "'{1,2}'", "'{3,NULL}'", "'{1}'"}, nil},
	{"text[]", []string{"'{}'", "'{a,b}'", "'{NULL,x}'"}, nil},
	{"inet", []string{"'10.0.0.1'", "'10.0.0.0/8'", "'::1'", "'192.168.1.5/24'"}, nil},
}

// base is the type's name without modifier, as expressions know it.
func (k *kind) base() string {
	b, _, _ := strings.Cut(k.name, "(")
	return b
}

// column of a random table.
type column struct {
	name string
	typ  string // base
	wild bool
}

// table is a random table; its first column, id, is unique.
type table struct {
	name string
	cols []column
	ddl  []string // statements that make and fill it
}

// tables makes a random schema and its data.
func tables(r *rand.Rand) []table {
	var out []table
	for i := range 3 + r.IntN(2) {
		t := table{name: fmt.Sprintf("t%d", i+1), cols: []column{{name: "id", typ: "int4"}}}
		defs := []string{"id int4"}
		ks := []*kind{nil}
		for c := range 4 + r.IntN(9) {
			k := &kinds[r.IntN(len(kinds))]
			if r.IntN(3) == 0 {
				k = &kinds[1+r.IntN(3)] // joins need something to join on
			}
			col := column{name: fmt.Sprintf("c%d", c+1), typ: k.base(), wild: r.IntN(4) == 0 && k.wild != nil}
			t.cols = append(t.cols, col)
			ks = append(ks, k)
			defs = append(defs, col.name+" "+k.name)
		}
		t.ddl = append(t.ddl, "CREATE TABLE "+t.name+" ("+strings.Join(defs, ", ")+")")
		rows := []int{0, 1, 3, 8, 20, 40}[r.IntN(6)]
		nulls := make([]int, len(t.cols))
		for c := range nulls {
			nulls[c] = []int{0, 0, 10, 10, 50, 100}[r.IntN(6)]
		}
		var values []string
		for id := range rows {
			vals := []string{fmt.Sprint(id + 1)}
			for c := 1; c < len(t.cols); c++ {
				pool := ks[c].tame
				if t.cols[c].wild && r.IntN(3) == 0 {
					pool = ks[c].wild
				}
				v := pool[r.IntN(len(pool))]
				if r.IntN(100) < nulls[c] {
					v = "NULL"
				}
				vals = append(vals, v)
			}
			values = append(values, "("+strings.Join(vals, ", ")+")")
		}
		if len(values) > 0 {
			t.ddl = append(t.ddl, "INSERT INTO "+t.name+" VALUES "+strings.Join(values, ", "))
		}
		out = append(out, t)
	}
	return out
}
