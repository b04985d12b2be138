package pgcatalog

import (
	"strings"

	"quern/storage/catalog"
	"quern/storage/types"
)

// Indexes are the keys of a table and what CREATE INDEX noted: both are
// metadata without anything behind it.

// indexRow is one index as catalogs show it.
type indexRow struct {
	table           *catalog.Table
	oid             uint32
	name, method    string
	unique, primary bool
	items           []catalog.IndexItem
	include         int
	where           string
}

// tableIndexes are the indexes of one table: those of keys first.
func tableIndexes(t *catalog.Table) []indexRow {
	var out []indexRow
	for i := range t.Keys {
		k := &t.Keys[i]
		if k.Kind == "f" {
			continue
		}
		x := indexRow{table: t, oid: indexOID(t, i), name: k.Name, method: "btree", unique: true, primary: k.Kind == "p"}
		for _, id := range k.Cols {
			x.items = append(x.items, catalog.IndexItem{Col: id})
		}
		out = append(out, x)
	}
	for i := range t.Indexes {
		x := &t.Indexes[i]
		out = append(out, indexRow{table: t, oid: indexOID(t, indexSlot+i), name: x.Name, method: x.Method, unique: x.Unique,
			items: x.Items, include: x.Include, where: x.Where})
	}
	return out
}

// indexSlot is where CREATE INDEX's numbers begin among a table's 64.
const indexSlot = 32

// indexes lists those of visible tables.
func (c *Context) indexes(yield func(indexRow) bool) {
	for t := range c.tables {
		for _, x := range tableIndexes(t) {
			if !yield(x) {
				return
			}
		}
	}
}

func (c *Context) indexByOID(oid uint32) *indexRow {
	for x := range c.indexes {
		if x.oid == oid {
			return &x
		}
	}
	return nil
}

// indexAMs are pg_am's OIDs.
var indexAMs = map[string]int{"btree": 403, "hash": 405, "gist": 783, "gin": 2742, "spgist": 4000, "brin": 3580}

// item is one key of an index as pg_get_indexdef prints it.
func (x *indexRow) item(i int, order bool) string {
	it := x.items[i]
	s := it.Expr
	if col := x.table.ColumnByID(it.Col); col != nil {
		s = quoteIdent(col.Name)
	} else if !strings.HasSuffix(s, ")") {
		s = "(" + s + ")"
	}
	if !order {
		return s
	}
	if it.Desc {
		s += " DESC"
	}
	switch {
	case it.Desc && !it.NullsFirst:
		s += " NULLS LAST"
	case !it.Desc && it.NullsFirst:
		s += " NULLS FIRST"
	}
	return s
}

// def is pg_get_indexdef.
func (c *Context) def(x *indexRow) string {
	var b strings.Builder
	b.WriteString("CREATE ")
	if x.unique {
		b.WriteString("UNIQUE ")
	}
	b.WriteString("INDEX " + quoteIdent(x.name) + " ON " + quoteIdent(c.schemaName(x.table.Schema)) + "." +
		quoteIdent(x.table.Name) + " USING " + x.method + " (")
	keys := len(x.items) - x.include
	for i := range x.items {
		switch {
		case i == keys:
			b.WriteString(") INCLUDE (")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(x.item(i, i < keys))
	}
	b.WriteString(")")
	if x.where != "" {
		b.WriteString(" WHERE (" + x.where + ")")
	}
	return b.String()
}

func (x *indexRow) numbers(f func(it catalog.IndexItem) string) string {
	out := make([]string, 0, len(x.items))
	for _, it := range x.items {
		out = append(out, f(it))
	}
	return strings.Join(out, " ")
}

func pgIndex(c *Context, w *rows) error {
	for x := range c.indexes {
		keys := make([]uint32, len(x.items))
		var exprs any
		for i, it := range x.items {
			keys[i] = it.Col
			if it.Expr != "" {
				exprs = it.Expr
			}
		}
		zeros := x.numbers(func(catalog.IndexItem) string { return "0" })
		option := x.numbers(func(it catalog.IndexItem) string {
			return map[[2]bool]string{{false, false}: "0", {true, true}: "3", {true, false}: "1", {false, true}: "2"}[[2]bool{it.Desc, it.NullsFirst}]
		})
		w.add("indexrelid", x.oid, "indrelid", x.table.ID, "indnatts", len(x.items), "indnkeyatts", len(x.items)-x.include, "indisunique", x.unique,
			"indisprimary", x.primary, "indimmediate", true, "indisvalid", true, "indisready", true, "indislive", true,
			"indkey", array(keys), "indcollation", zeros, "indclass", zeros, "indoption", option, "indexprs", exprs, "indpred", opt(x.where))
	}
	return nil
}

func pgIndexes(c *Context, w *rows) error {
	for x := range c.indexes {
		w.add("schemaname", c.schemaName(x.table.Schema), "tablename", x.table.Name, "indexname", x.name, "indexdef", c.def(&x))
	}
	return nil
}

// indexAttributes are pg_attribute's rows of a table's indexes.
func indexAttributes(w *rows, t *catalog.Table) {
	for _, x := range tableIndexes(t) {
		for k, it := range x.items {
			if col := t.ColumnByID(it.Col); col != nil {
				attribute(w, x.oid, k+1, col.Name, col.Type, false)
			} else {
				attribute(w, x.oid, k+1, "expr", types.Text, false)
			}
		}
	}
}

// indexClasses are pg_class' rows of a table's indexes.
func indexClasses(w *rows, t *catalog.Table) {
	for _, x := range tableIndexes(t) {
		w.add("oid", x.oid, "relname", x.name, "relnamespace", t.Schema, "relowner", t.Owner, "relam", indexAMs[x.method],
			"relfilenode", x.oid, "reltuples", -1, "relpersistence", "p", "relkind", "i",
			"relnatts", len(x.items), "relispopulated", true, "relreplident", "n")
	}
}

func indexDefOf(c *Context, a []types.Datum) (types.Datum, error) {
	x := c.indexByOID(uint32(arg(a, 0).I))
	if x == nil {
		return null, nil
	}
	if n := arg(a, 1); !n.Null && n.I > 0 {
		if int(n.I) > len(x.items) {
			return empty, nil
		}
		return text(x.item(int(n.I)-1, false)), nil
	}
	return text(c.def(x)), nil
}
