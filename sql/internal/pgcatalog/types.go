package pgcatalog

import (
	_ "embed" // the tables are text files
	"slices"
	"strconv"
	"strings"
	"sync"

	"quern/storage/catalog"
)

//go:embed types.txt
var typesText string

//go:embed procs.txt
var procsText string

func num(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

var typeRows = sync.OnceValue(func() []*typeRow {
	var out []*typeRow
	for line := range strings.Lines(typesText) {
		f := strings.Fields(line)
		if len(f) < 21 || f[0] == "#" {
			continue
		}
		out = append(out, &typeRow{oid: num(f[0]), elem: num(f[8]), array: num(f[9]), base: num(f[10]), collation: num(f[12]), f: f})
	}
	return out
})

var typeByOID = sync.OnceValue(func() map[uint32]*typeRow {
	out := map[uint32]*typeRow{}
	for _, t := range typeRows() {
		out[t.oid] = t
	}
	return out
})

var procByName = sync.OnceValue(func() map[string]uint32 {
	out := map[string]uint32{}
	for _, p := range procs() {
		if _, ok := out[p.name]; !ok {
			out[p.name] = p.oid
		}
	}
	return out
})

var procNames = sync.OnceValue(func() map[uint32]string {
	out := map[uint32]string{}
	for _, p := range procs() {
		out[p.oid] = p.name
	}
	return out
})

var sortedRelations = sync.OnceValue(func() []*Relation {
	out := make([]*Relation, 0, len(index()))
	for _, r := range index() {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *Relation) int { return int(a.OID) - int(b.OID) })
	return out
})

func builtinTypes(w *rows) {
	for _, t := range typeRows() {
		f := t.f
		in := func(i int) uint32 { return procByName()[f[i]] }
		w.add("oid", t.oid, "typname", f[1], "typnamespace", catalog.SchemaCatalog, "typowner", catalog.RoleAdmin,
			"typlen", signed(f[2]), "typbyval", f[3] == "t", "typtype", f[4], "typcategory", f[5], "typispreferred", f[6] == "t",
			"typisdefined", true, "typdelim", f[7], "typelem", t.elem, "typarray", t.array, "typbasetype", t.base,
			"typtypmod", signed(f[11]), "typcollation", t.collation, "typalign", f[13], "typstorage", f[14],
			"typinput", in(15), "typoutput", in(16), "typreceive", in(17), "typsend", in(18), "typmodin", in(19), "typmodout", in(20))
	}
}

func pgType(c *Context, w *rows) error {
	for t := range c.tables {
		w.add("oid", rowTypeOID(t), "typname", t.Name, "typnamespace", t.Schema, "typowner", t.Owner, "typlen", -1,
			"typtype", "c", "typcategory", "C", "typisdefined", true, "typdelim", ",", "typrelid", t.ID, "typtypmod", -1,
			"typalign", "d", "typstorage", "x", "typinput", procByName()["record_in"], "typoutput", procByName()["record_out"],
			"typreceive", procByName()["record_recv"], "typsend", procByName()["record_send"])
	}
	return nil
}

func signed(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

func pgAm(_ *Context, w *rows) error {
	w.add("oid", heapAM, "amname", "heap", "amtype", "t")
	for _, name := range []string{"btree", "hash", "gist", "gin", "spgist", "brin"} {
		w.add("oid", indexAMs[name], "amname", name, "amtype", "i")
	}
	return nil
}

func pgDatabase(_ *Context, w *rows) error {
	w.add("oid", databaseOID, "datname", "quern", "datdba", catalog.RoleAdmin, "encoding", 6, "datlocprovider", "c",
		"datallowconn", true, "datconnlimit", -1, "dattablespace", 1663, "datcollate", "C", "datctype", "C")
	return nil
}

const databaseOID = 5

func pgTablespace(_ *Context, w *rows) error {
	w.add("oid", 1663, "spcname", "pg_default", "spcowner", catalog.RoleAdmin)
	w.add("oid", 1664, "spcname", "pg_global", "spcowner", catalog.RoleAdmin)
	return nil
}

func pgCollation(_ *Context, w *rows) error {
	for _, x := range []struct {
		oid      int
		name     string
		provider string
		enc      int
	}{{100, "default", "d", -1}, {950, "C", "c", -1}, {951, "POSIX", "c", -1}} {
		row := []any{"oid", x.oid, "collname", x.name, "collnamespace", catalog.SchemaCatalog, "collowner", catalog.RoleAdmin,
			"collprovider", x.provider, "collisdeterministic", true, "collencoding", x.enc}
		if x.oid != 100 {
			row = append(row, "collcollate", x.name, "collctype", x.name)
		}
		w.add(row...)
	}
	return nil
}

func pgLanguage(_ *Context, w *rows) error {
	for i, n := range []string{"internal", "c", "sql"} {
		w.add("oid", 12+i, "lanname", n, "lanowner", catalog.RoleAdmin, "lanpltrusted", n == "sql")
	}
	return nil
}
