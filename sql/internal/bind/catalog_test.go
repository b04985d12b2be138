package bind_test

import (
	"os"
	"strings"
	"testing"

	"quern/sql/internal/bind"
	"quern/sql/internal/pgcatalog"
)

// TestPsql binds and compiles what psql's \d commands send. A line of
// psql-later.txt names a construct or function that is still missing.
func TestPsql(t *testing.T) {
	text, err := os.ReadFile("testdata_pg/psql.sql")
	if err != nil {
		t.Fatal(err)
	}
	later, err := os.ReadFile("testdata_pg/psql-later.txt")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.table(t, "t2", 10, []string{"k int4", "x int4"})
	w.env.Virtual = func(schema, name string) (*bind.Virtual, bool) {
		r := pgcatalog.Lookup(schema, name)
		if r == nil {
			return nil, false
		}
		v := &bind.Virtual{Schema: schema, Name: name, OID: r.OID}
		for _, c := range r.Cols {
			v.Cols = append(v.Cols, bind.VirtualColumn{Name: c.Name, Type: c.Type})
		}
		return v, true
	}
	good, all := 0, 0
	for q := range strings.SplitSeq(string(text), "----\n") {
		q = strings.TrimSpace(q)
		if q == "" {
			continue
		}
		all++
		b, err := w.statement(strings.TrimSuffix(q, ";"))
		if err == nil {
			_, err = b.Compile()
		}
		if err == nil {
			good++
			continue
		}
		msg, _, _ := strings.Cut(showError(err), "\n")
		known := false
		for l := range strings.Lines(string(later)) {
			known = known || strings.Contains(msg, strings.TrimSpace(l))
		}
		if !known {
			t.Errorf("%s\n%s", msg, q)
		}
	}
	t.Logf("%d of %d compile", good, all)
}
