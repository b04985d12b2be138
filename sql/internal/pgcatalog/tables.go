package pgcatalog

import (
	"strings"

	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
)

// schemaIDs are the namespaces of virtual relations.
var schemaIDs = map[string]uint32{"pg_catalog": catalog.SchemaCatalog,
	"information_schema": catalog.SchemaInfo, "system": catalog.SchemaSystem}

const (
	heapAM = 2
)

func pgNamespace(c *Context, w *rows) error {
	for _, s := range c.Catalog.Schemas() {
		if c.schemaVisible(s) {
			w.add("oid", s.ID, "nspname", s.Name, "nspowner", s.Owner, "nspacl", c.acl(s.Owner, s.Grants, "UC"))
		}
	}
	return nil
}

// aclLetters are PostgreSQL's, by bit of policy.Privilege; UNMASK has none.
const aclLetters = "rawdDxtUC"

// acl is an aclitem[] in text form, NULL if nothing was granted.
func (c *Context) acl(owner uint32, grants []policy.Grant, ownerHas string) any {
	var items []string
	for _, g := range grants {
		if g.Cols != nil {
			continue
		}
		var letters strings.Builder
		for i := range len(aclLetters) {
			if g.Priv>>i&1 != 0 {
				letters.WriteByte(aclLetters[i])
				if g.Option>>i&1 != 0 {
					letters.WriteByte('*')
				}
			}
		}
		if letters.Len() > 0 {
			name := ""
			if g.Role != 0 {
				name = c.roleName(g.Role)
			}
			items = append(items, name+"="+letters.String()+"/"+c.roleName(g.Grantor))
		}
	}
	if items == nil {
		return nil
	}
	o := c.roleName(owner)
	return array(append([]string{o + "=" + ownerHas + "/" + o}, items...))
}

// hidesSize tells that a table's size says more than the principal may see: rows
// are hidden from it, or expired rows are still counted.
func hidesSize(v *policy.View) bool {
	_, _, cut := v.Floor()
	return cut || v.Bound()
}

func pgClass(c *Context, w *rows) error {
	for t, v := range c.tables {
		n := int64(-1)
		if !hidesSize(v) {
			n, _, _ = c.Session.TableSize(t.ID)
		}
		indexed := len(tableIndexes(t)) > 0
		persistence := "p"
		if strings.HasPrefix(c.schemaName(t.Schema), "pg_temp_") {
			persistence = "t"
		}
		am, file := uint32(heapAM), t.ID
		if t.Kind == catalog.KindView {
			n, am, file = 0, 0, 0
		}
		w.add("oid", t.ID, "relname", t.Name, "relnamespace", t.Schema, "reltype", rowTypeOID(t), "relowner", t.Owner,
			"relam", am, "relfilenode", file, "reltuples", n, "relhasindex", indexed, "relpersistence", persistence,
			"relkind", relKinds[t.Kind], "relhasrules", t.View != nil,
			"relnatts", len(t.Columns), "relispopulated", t.View == nil || !t.View.Empty, "relreplident", "d", "reloptions", c.relOptions(t),
			"relacl", c.acl(t.Owner, t.Grants, "arwdDxt"))
		indexClasses(w, t)
	}
	for t, col := range c.sequences {
		w.add("oid", sequenceOID(t, col.ID), "relname", sequenceName(t, col), "relnamespace", t.Schema, "relowner", t.Owner,
			"reltuples", 1, "relpages", 1, "relpersistence", "p", "relkind", "S", "relnatts", 3, "relispopulated", true, "relreplident", "n")
	}
	return nil
}

func builtinClasses(w *rows) {
	for _, r := range sortedRelations() {
		w.add("oid", r.OID, "relname", r.Name, "relnamespace", schemaIDs[r.Schema], "relowner", catalog.RoleAdmin,
			"reltuples", -1, "relpersistence", "p", "relkind", r.Kind, "relnatts", len(r.Cols), "relispopulated", true,
			"relam", map[byte]int{'r': heapAM}[r.Kind], "relreplident", "n",
			"relacl", array([]string{"admin=arwdDxt/admin", "=r/admin"}))
	}
}

// relOptions are a table's options as WITH (…) shows them.
func (c *Context) relOptions(t *catalog.Table) any {
	var out []string
	if t.View != nil {
		out = append(out, t.View.Options...)
	}
	o := &t.Options
	for _, x := range []struct{ name, value string }{
		{"time_column", o.TimeColumn}, {"order_by", strings.Join(o.OrderBy, ", ")}, {"partition_by", o.PartitionBy},
		{"retention", o.RetentionText}, {"on_new_column", string(o.OnNewColumn)},
		{"dedup_key", columnList(t, o.DedupKey)}, {"dedup_window", o.DedupWindowText}, {"cold_after", o.ColdAfterText},
	} {
		if x.value != "" {
			out = append(out, x.name+"="+x.value)
		}
	}
	if out == nil {
		return nil
	}
	return array(out)
}

// typeRow is one row of types.txt.
type typeRow struct {
	oid, elem, array, base, collation uint32
	f                                 []string
}

func attribute(w *rows, rel uint32, num int, name string, t types.Type, notNull bool, more ...any) {
	tr := typeByOID()[uint32(t.OID)]
	align, storage, byVal, collation := "i", "x", false, uint32(0)
	if tr != nil {
		align, storage, byVal, collation = tr.f[13], tr.f[14], tr.f[3] == "t", tr.collation
	}
	dims := 0
	if t.IsArray() {
		dims = 1
	}
	w.add(append([]any{"attrelid", rel, "attname", name, "atttypid", t.OID, "attstattarget", -1, "attlen", t.Len(),
		"attnum", num, "attndims", dims, "attcacheoff", -1, "atttypmod", t.Mod, "attbyval", byVal, "attalign", align,
		"attstorage", storage, "attnotnull", notNull, "attislocal", true, "attcollation", collation,
		"attcompression", "", "attidentity", "", "attgenerated", ""}, more...)...)
}

func pgAttribute(c *Context, w *rows) error {
	for t, v := range c.tables {
		for i := range t.Columns {
			col := &t.Columns[i]
			var acl any
			var items []policy.Grant
			for _, g := range t.Grants {
				for _, id := range g.Cols {
					if id == col.ID {
						g.Cols = nil
						items = append(items, g)
					}
				}
			}
			if items != nil {
				acl = c.acl(t.Owner, items, "")
			}
			notNull := col.NotNull && v.Mask(col.ID) == nil
			attribute(w, t.ID, int(col.ID), col.Name, col.Type, notNull,
				"atthasdef", col.Default.Expr != "", "attidentity", col.Identity, "attacl", acl)
		}
		indexAttributes(w, t)
	}
	return nil
}

func builtinAttributes(w *rows) {
	for _, r := range sortedRelations() {
		for i := range r.Cols {
			attribute(w, r.OID, i+1, r.Cols[i].Name, r.Cols[i].Type, r.Cols[i].NotNull)
		}
	}
}

func pgAttrdef(c *Context, w *rows) error {
	for t := range c.tables {
		for i := range t.Columns {
			if col := &t.Columns[i]; col.Default.Expr != "" {
				w.add("oid", defaultOID(t, col.ID), "adrelid", t.ID, "adnum", int(col.ID), "adbin", col.Default.Expr)
			}
		}
	}
	return nil
}

func columnList(t *catalog.Table, ids []uint32) string {
	var out []string
	for _, id := range ids {
		if col := t.ColumnByID(id); col != nil {
			out = append(out, quoteIdent(col.Name))
		}
	}
	return strings.Join(out, ", ")
}

func pgConstraint(c *Context, w *rows) error {
	for t := range c.tables {
		for i := range t.Keys {
			k := &t.Keys[i]
			row := []any{"oid", constraintOID(t, i), "conname", k.Name, "connamespace", t.Schema, "contype", k.Kind,
				"convalidated", true, "conrelid", t.ID, "conislocal", true, "connoinherit", true, "conkey", array(k.Cols)}
			if k.Kind == "f" {
				row = append(row, "confrelid", k.RefTable, "confupdtype", "a", "confdeltype", "a", "confmatchtype", "s",
					"confkey", array(k.RefCols))
			} else {
				row = append(row, "conindid", indexOID(t, i), "confupdtype", " ", "confdeltype", " ", "confmatchtype", " ")
			}
			w.add(row...)
		}
	}
	return nil
}

// constraintDef is pg_get_constraintdef of a key.
func (c *Context) constraintDef(t *catalog.Table, key int) string {
	k := &t.Keys[key]
	cols := "(" + columnList(t, k.Cols) + ")"
	switch k.Kind {
	case "p":
		return "PRIMARY KEY " + cols
	case "u":
		return "UNIQUE " + cols
	}
	ref := c.Catalog.Table(k.RefTable)
	if ref == nil || c.view(ref) == nil {
		return "FOREIGN KEY " + cols
	}
	return "FOREIGN KEY " + cols + " REFERENCES " + c.qualified(ref) + "(" + columnList(ref, k.RefCols) + ")"
}

func pgDescription(c *Context, w *rows) error {
	for d := range c.descriptions {
		w.add("objoid", d.oid, "classoid", d.class, "objsubid", 0, "description", d.text)
	}
	for t := range c.tables {
		if t.Comment != "" {
			w.add("objoid", t.ID, "classoid", classOID, "objsubid", 0, "description", t.Comment)
		}
		for i := range t.Columns {
			if col := &t.Columns[i]; col.Comment != "" {
				w.add("objoid", t.ID, "classoid", classOID, "objsubid", int(col.ID), "description", col.Comment)
			}
		}
	}
	return nil
}

// Catalogs that comments belong to.
const (
	classOID      = 1259
	namespaceOID  = 2615
	constraintRel = 2606
	roleRel       = 1260
)

// description is the comment of something that is no table or column.
type description struct {
	oid, class uint32
	text       string
}

func (c *Context) descriptions(yield func(description) bool) {
	for t := range c.tables {
		for i, k := range t.Keys {
			if k.Comment != "" && !yield(description{constraintOID(t, i), constraintRel, k.Comment}) ||
				k.IndexComment != "" && !yield(description{indexOID(t, i), classOID, k.IndexComment}) {
				return
			}
		}
		for i, x := range t.Indexes {
			if x.Comment != "" && !yield(description{indexOID(t, indexSlot+i), classOID, x.Comment}) {
				return
			}
		}
	}
	for _, s := range c.Catalog.Schemas() {
		if s.Comment != "" && c.schemaVisible(s) && !yield(description{s.ID, namespaceOID, s.Comment}) {
			return
		}
	}
}

func pgTables(c *Context, w *rows) error {
	for t := range c.tables {
		if t.Kind != catalog.KindTable {
			continue
		}
		w.add("schemaname", c.schemaName(t.Schema), "tablename", t.Name, "tableowner", c.roleName(t.Owner),
			"hasindexes", len(tableIndexes(t)) > 0, "hasrules", false, "hastriggers", false, "rowsecurity", false)
	}
	for _, r := range sortedRelations() {
		if r.Kind == 'r' {
			w.add("schemaname", r.Schema, "tablename", r.Name, "tableowner", "admin",
				"hasindexes", false, "hasrules", false, "hastriggers", false, "rowsecurity", false)
		}
	}
	return nil
}

func pgStatTables(c *Context, w *rows) error {
	for t, v := range c.tables {
		if t.Schema == catalog.SchemaSystem || t.Kind == catalog.KindView {
			continue
		}
		row := []any{"relid", t.ID, "schemaname", c.schemaName(t.Schema), "relname", t.Name}
		if !hidesSize(v) {
			n, _, _ := c.Session.TableSize(t.ID)
			row = append(row, "n_live_tup", n)
		}
		w.add(row...)
	}
	return nil
}

func quoteIdent(s string) string {
	plain := s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] == '_')
	for i := range len(s) {
		c := s[i]
		plain = plain && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_')
	}
	if plain && !reserved[s] {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// reserved are the words that quote_ident must quote (PostgreSQL's reserved and
// type-function key words).
var reserved = func() map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(`all analyse analyze and any array as asc asymmetric authorization between bigint
binary bit boolean both case cast char character check coalesce collate collation column concurrently constraint
create cross current_catalog current_date current_role current_schema current_time current_timestamp current_user
dec decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign freeze
from full grant greatest group grouping having ilike in initially inner inout int integer intersect interval into is
isnull join lateral leading least left like limit localtime localtimestamp national natural nchar none normalize not
notnull null nullif numeric offset on only or order out outer overlaps overlay placing position precision primary real
references returning right row select session_user setof similar smallint some substring symmetric table tablesample
then time timestamp to trailing treat trim true union unique user using values varchar variadic verbose when where
window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize
xmltable`) {
		m[w] = true
	}
	return m
}()
