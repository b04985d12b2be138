package bind_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"quern/engine/fn"
	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/sql/internal/explain"
	"quern/sql/internal/parse"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// world is a catalog without data.
type world struct {
	cat  *catalog.Snapshot
	rows map[uint32]int64
	env  bind.Env
}

func newWorld(t testing.TB) *world {
	w := &world{cat: catalog.New(), rows: map[uint32]int64{}}
	w.env = bind.Env{
		Principal:  policy.Principal{RoleID: catalog.RoleAdmin, SessionID: catalog.RoleAdmin, Superuser: true, Name: "admin"},
		SearchPath: []string{"public"},
		Fn:         &fn.Env{Ctx: t.Context(), Format: types.DefaultFormat, Database: "quern", User: "admin", SessionUser: "admin"},
		Rows:       func(id uint32) int64 { return w.rows[id] },
		HasParams:  true,
		Virtual:    virtual,
	}
	return w
}

func virtual(schema, name string) (*bind.Virtual, bool) {
	if schema != "pg_catalog" || name != "pg_class" {
		return nil, false
	}
	return &bind.Virtual{Schema: schema, Name: name, OID: 1259, Cols: []bind.VirtualColumn{
		{Name: "oid", Type: types.Oid}, {Name: "relname", Type: types.Name}, {Name: "tableoid", Type: types.Oid, Hidden: true},
	}}, true
}

// table adds a table from lines such as `a int4 not null`.
func (w *world) table(t testing.TB, name string, rows int64, lines []string) {
	tab := &catalog.Table{ID: w.cat.NextOID(), Schema: catalog.SchemaPublic, Name: name, Owner: catalog.RoleAdmin, Version: 1}
	for i, l := range lines {
		f := strings.Fields(l)
		tn, err := parse.Type(f[1])
		if err != nil {
			t.Fatal(err)
		}
		ty, err := bind.TypeOf(tn)
		if err != nil {
			t.Fatal(err)
		}
		tab.Columns = append(tab.Columns, catalog.Column{ID: uint32(i + 1), Name: f[0], Type: ty, NotNull: strings.Contains(l, "not null")})
	}
	tab.NextCol = uint32(len(lines) + 1)
	next, err := w.cat.Apply([]catalog.Change{{Table: tab, Create: true}})
	if err != nil {
		t.Fatal(err)
	}
	w.cat = next
	w.rows[tab.ID] = rows
}

// statement binds one statement.
func (w *world) statement(text string) (*bind.Bound, error) {
	st, err := parse.One(text)
	if err != nil {
		return nil, err
	}
	env := w.env
	env.Catalog = w.cat
	switch st := st.(type) {
	case *ast.SelectStmt:
		return bind.Query(&env, st.Query)
	case *ast.Insert:
		return bind.Insert(&env, st)
	case *ast.Update:
		return bind.Update(&env, st)
	case *ast.Delete:
		return bind.Delete(&env, st)
	}
	return nil, fmt.Errorf("unexpected %T", st)
}

func showError(err error) string {
	e := errs.As(err)
	s := fmt.Sprintf("ERROR %s: %s", e.Code, e.Msg)
	if e.Pos > 0 {
		s += fmt.Sprintf(" at %d", e.Pos)
	}
	if e.Detail != "" {
		s += "\nDETAIL: " + e.Detail
	}
	if e.Hint != "" {
		s += "\nHINT: " + e.Hint
	}
	return s + "\n"
}

// TestStories: `table` declares, `plan` shows the plan of a statement,
// `describe` its result columns and parameters.
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := newWorld(t)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "table" {
				var name string
				var rows int64
				d.ScanArgs(t, "name", &name)
				d.MaybeScanArgs(t, "rows", &rows)
				w.table(t, name, rows, strings.Split(d.Input, "\n"))
				return ""
			}
			var out strings.Builder
			for text := range strings.SplitSeq(d.Input, ";\n") {
				b, err := w.statement(strings.TrimSuffix(text, ";"))
				if err != nil {
					out.WriteString(showError(err))
					continue
				}
				if d.Cmd == "describe" {
					out.WriteString(describe(b) + "\n")
					continue
				}
				p, err := b.Compile()
				if err != nil {
					out.WriteString(showError(err))
					continue
				}
				out.WriteString(strings.Join(explain.Text(p, explain.Options{}), "\n") + "\n")
			}
			return out.String()
		})
	})
}

func describe(b *bind.Bound) string {
	var parts []string
	for _, f := range b.Field {
		parts = append(parts, fmt.Sprintf("%s %s", f.Name, f.Type))
	}
	s := strings.Join(parts, ", ")
	if len(b.Params) > 0 {
		s += " params"
		for _, p := range b.Params {
			s += " " + p.String()
		}
	}
	return s
}
