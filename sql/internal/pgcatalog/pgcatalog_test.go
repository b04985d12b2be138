package pgcatalog

import (
	"context"
	"strings"
	"testing"

	"quern/sql/internal/advisory"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
)

type fakeSession struct{}

func (fakeSession) Settings() []SettingRow {
	return []SettingRow{{Name: "work_mem", Value: "4096", Unit: "kB"}}
}
func (fakeSession) Activity() []ActivityRow                     { return []ActivityRow{{PID: 1}} }
func (fakeSession) TableSize(uint32) (rows, bytes int64, n int) { return 7, 70, 1 }
func (fakeSession) Segments(uint32) []storage.SegmentInfo       { return []storage.SegmentInfo{{ID: 1}} }
func (fakeSession) StoreInfo() (i storage.Info, s []storage.SourceCounts) {
	return storage.Info{}, []storage.SourceCounts{{Table: catalog.FirstOID, Source: "http"}}
}
func (fakeSession) Cursors() []CursorRow { return []CursorRow{{Name: "c"}} }
func (fakeSession) PreparedRows() []PreparedRow {
	return []PreparedRow{{Name: "p", Params: []types.Type{types.Int4}}}
}
func (fakeSession) SetConfig(_, v string, _ bool) (string, error) { return v, nil }
func (fakeSession) Signal(uint32, bool) (bool, error)             { return true, nil }

func (fakeSession) Advisory(string, advisory.Key) (bool, error) { return true, nil }
func (fakeSession) NextVal(_, _ uint32) (int64, error)          { return 1, nil }
func (fakeSession) CurrVal(_, _ uint32) (int64, bool)           { return 1, true }
func (fakeSession) SetVal(uint32, uint32, int64, bool) error    { return nil }
func (fakeSession) LastVal() (int64, bool)                      { return 1, true }

func testContext(t *testing.T) *Context {
	t.Helper()
	tab := &catalog.Table{ID: catalog.FirstOID, Schema: catalog.SchemaPublic, Name: "Ev ents", Owner: catalog.RoleAdmin, Version: 1,
		NextCol: 3, Comment: "hello", Columns: []catalog.Column{
			{ID: 1, Name: "id", Type: types.Int4, NotNull: true, Default: catalog.Default{Kind: catalog.DefaultConst, Text: "0", Expr: "0"}},
			{ID: 2, Name: "ts", Type: types.Timestamptz, Comment: "when"}},
		Keys:   []catalog.Key{{Name: "ev_pkey", Kind: "p", Cols: []uint32{1}}},
		Grants: []policy.Grant{{Role: 0, Grantor: catalog.RoleAdmin, Priv: policy.Select}}}
	view := func(id uint32, name string, kind catalog.Kind) *catalog.Table {
		return &catalog.Table{ID: id, Schema: catalog.SchemaPublic, Name: name, Owner: catalog.RoleAdmin, Version: 1, NextCol: 2, Kind: kind,
			Columns: []catalog.Column{{ID: 1, Name: "id", Type: types.Int4}},
			View:    &catalog.View{Query: `SELECT "Ev ents".id AS id FROM public."Ev ents"`, Deps: []catalog.Dep{{Table: catalog.FirstOID, Cols: []uint32{1}}}}}
	}
	cat, err := catalog.New().Apply([]catalog.Change{{Table: tab, Create: true},
		{Table: view(catalog.FirstOID+1, "vw", catalog.KindView), Create: true},
		{Table: view(catalog.FirstOID+2, "mv", catalog.KindMatView), Create: true}})
	if err != nil {
		t.Fatal(err)
	}
	return &Context{Catalog: cat, Session: fakeSession{}, Version: "v", Path: []string{"public"},
		Principal: policy.Principal{RoleID: catalog.RoleAdmin, Superuser: true, Name: "admin"}}
}

// TestEveryRelation: each generator fits its relation, and every column has
// the relation's type.
func TestEveryRelation(t *testing.T) {
	c := testContext(t)
	if n := len(sortedRelations()); n < 208 {
		t.Fatalf("%d relations", n)
	}
	seen := map[uint32]string{}
	for _, r := range sortedRelations() {
		if o := seen[r.OID]; o != "" {
			t.Errorf("%s and %s have OID %d", o, r.Name, r.OID)
		}
		seen[r.OID] = r.Name
		batches, err := c.Rows(context.Background(), r)
		if err != nil {
			t.Errorf("%s.%s: %v", r.Schema, r.Name, err)
			continue
		}
		filled := generators[r.Schema+"."+r.Name] != nil || builtins[r.Schema+"."+r.Name] != nil
		if filled && len(batches) == 0 && r.Name != "referential_constraints" && r.Name != "masking_policies" &&
			r.Name != "applicable_roles" && r.Name != "pg_auth_members" {
			t.Errorf("%s.%s is empty", r.Schema, r.Name)
		}
		for _, b := range batches {
			for i := range b.Cols {
				v := &b.Cols[i]
				if v.Type != r.Cols[i].Type || v.Len != b.Len {
					t.Fatalf("%s.%s.%s: type %v, %d of %d rows", r.Schema, r.Name, r.Cols[i].Name, v.Type, v.Len, b.Len)
				}
				for row := range b.Len {
					if v.Null(row) && r.Cols[i].NotNull {
						t.Errorf("%s.%s.%s is NULL", r.Schema, r.Name, r.Cols[i].Name)
						break
					}
				}
			}
		}
	}
	for name := range generators {
		if index()[name] == nil {
			t.Errorf("generator of unknown relation %s", name)
		}
	}
}

func TestNamesOfRelations(t *testing.T) {
	c := testContext(t)
	for _, x := range []struct {
		name string
		oid  uint32
	}{{"pg_class", 1259}, {"pg_catalog.pg_class", 1259}, {`"Ev ents"`, catalog.FirstOID}, {`public."Ev ents"`, catalog.FirstOID}} {
		oid, ok := c.RelationOID(x.name)
		if !ok || oid != x.oid {
			t.Errorf("%s: %d %v", x.name, oid, ok)
		}
	}
	for _, bad := range []string{"ev ents", "nope", "a.b.c.d", `"open`, ""} {
		if oid, ok := c.RelationOID(bad); ok {
			t.Errorf("%q is %d", bad, oid)
		}
	}
	if n, _ := c.RelationName(catalog.FirstOID); n != `"Ev ents"` {
		t.Error(n)
	}
	c.Path = nil
	if n, _ := c.RelationName(catalog.FirstOID); n != `public."Ev ents"` {
		t.Error(n)
	}
	// Without a privilege the table has neither name nor number.
	c.Catalog.Table(catalog.FirstOID).Grants = nil
	c.Principal = policy.Principal{RoleID: 99}
	if _, ok := c.RelationOID(`public."Ev ents"`); ok {
		t.Error("a hidden table has a number")
	}
	if _, ok := c.RelationName(catalog.FirstOID); ok {
		t.Error("a hidden table has a name")
	}
}

func TestCatalogFunctions(t *testing.T) {
	c := testContext(t)
	text := func(s string) types.Datum { return types.Datum{S: s} }
	n := func(i int64) types.Datum { return types.Datum{I: i} }
	for _, x := range []struct {
		fn   string
		args []types.Datum
		want types.Datum
	}{
		{"pg_get_userbyid", []types.Datum{n(10)}, text("admin")},
		{"pg_get_userbyid", []types.Datum{n(77)}, text("unknown (OID=77)")},
		{"format_type", []types.Datum{n(1700), n((10<<16 | 2) + 4)}, text("numeric(10,2)")},
		{"format_type", []types.Datum{n(1009), types.NullDatum}, text("text[]")},
		{"format_type", []types.Datum{n(0), types.NullDatum}, text("-")},
		{"format_type", []types.Datum{n(999999), types.NullDatum}, text("???")},
		{"pg_table_is_visible", []types.Datum{n(1259)}, n(1)},
		{"pg_table_is_visible", []types.Datum{n(999999)}, types.NullDatum},
		{"obj_description", []types.Datum{n(catalog.FirstOID), text("pg_class")}, text("hello")},
		{"col_description", []types.Datum{n(catalog.FirstOID), n(2)}, text("when")},
		{"col_description", []types.Datum{n(catalog.FirstOID), n(1)}, types.NullDatum},
		{"pg_get_constraintdef", []types.Datum{n(int64(constraintOID(c.Catalog.Table(catalog.FirstOID), 0)))}, text("PRIMARY KEY (id)")},
		{"pg_get_indexdef", []types.Datum{n(int64(indexOID(c.Catalog.Table(catalog.FirstOID), 0)))},
			text(`CREATE UNIQUE INDEX ev_pkey ON public."Ev ents" USING btree (id)`)},
		{"pg_encoding_to_char", []types.Datum{n(6)}, text("UTF8")},
		{"has_table_privilege", []types.Datum{text(`"Ev ents"`), text("select, insert")}, n(1)},
		{"pg_has_role", []types.Datum{text("monitor"), text("usage")}, n(1)},
		{"current_setting", []types.Datum{text("WORK_MEM")}, text("4MB")},
		{"pg_relation_size", []types.Datum{n(catalog.FirstOID)}, n(70)},
	} {
		got, err := c.Call(x.fn, x.args)
		if err != nil || got != x.want {
			t.Errorf("%s(%v) = %+v, %v; want %+v", x.fn, x.args, got, err, x.want)
		}
	}
	if _, err := c.Call("no_such", nil); err == nil {
		t.Error("unknown function answers")
	}
}

// TestZoneNames: every name of the list is a zone.
func TestZoneNames(t *testing.T) {
	n := 0
	for name := range strings.Lines(zoneNames) {
		if _, err := types.LoadZone(strings.TrimSpace(name)); err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		n++
	}
	if n < 590 {
		t.Errorf("%d zones", n)
	}
}
