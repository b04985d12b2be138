package pgcatalog

import (
	"quern/sql/internal/ast"
	"quern/sql/internal/parse"
	"quern/storage/catalog"
	"quern/storage/types"
)

// relKinds are pg_class.relkind by kind.
var relKinds = map[catalog.Kind]string{catalog.KindTable: "r", catalog.KindView: "v", catalog.KindMatView: "m"}

// views lists the views and materialized views of which the principal may know.
func (c *Context) views(yield func(*catalog.Table) bool) {
	for t := range c.tables {
		if t.View != nil && !yield(t) {
			return
		}
	}
}

// viewText is a view's query as PostgreSQL prints it, "" if the principal may
// not read it: it tells of what the view hides. Its owner may, and whoever sees
// all that it reads.
func (c *Context) viewText(t *catalog.Table, pretty bool) string {
	if t == nil || t.View == nil || !c.mayReadText(t) {
		return ""
	}
	st, err := parse.One(t.View.Query)
	sel, ok := st.(*ast.SelectStmt)
	if err != nil || !ok {
		return ""
	}
	return ast.PrintView(sel.Query, pretty, func(name []string) []string {
		if len(name) != 2 {
			return name
		}
		for _, s := range c.path() {
			if _, found := c.inSchema(s, name[1]); found {
				if s == name[0] {
					return name[1:]
				}
				break
			}
		}
		return name
	}) + ";"
}

func (c *Context) mayReadText(t *catalog.Table) bool {
	if c.active(t.Owner) {
		return true
	}
	for _, d := range t.View.Deps {
		on := c.Catalog.Table(d.Table)
		if on == nil {
			return false
		}
		if v := c.view(on); v == nil || v.Bound() {
			return false
		}
	}
	return true
}

// viewDef is pg_get_viewdef(view [, pretty | wrap column]).
func viewDef(c *Context, a []types.Datum) (types.Datum, error) {
	t, _ := c.tableArg(arg(a, 0))
	pretty := len(a) > 1 && arg(a, 1).I != 0
	s := c.viewText(t, pretty)
	return textOrNull(s, s != ""), nil
}

// ruleOID is the OID of a view's _RETURN rule.
func ruleOID(t *catalog.Table) uint32 { return ruleBase + t.ID - catalog.SchemaInfo }

func pgRewrite(c *Context, w *rows) error {
	for t := range c.views {
		w.add("oid", ruleOID(t), "rulename", "_RETURN", "ev_class", t.ID, "ev_type", "1", "ev_enabled", "O", "is_instead", true)
	}
	return nil
}

// Class OIDs of pg_depend.
const (
	classRelation = 1259
	classRewrite  = 2618
)

// pgDepend lists what views read, as the rules of views do in PostgreSQL.
func pgDepend(c *Context, w *rows) error {
	for t := range c.views {
		w.add("classid", classRewrite, "objid", ruleOID(t), "objsubid", 0, "refclassid", classRelation, "refobjid", t.ID, "refobjsubid", 0, "deptype", "i")
		for _, d := range t.View.Deps {
			on := c.Catalog.Table(d.Table)
			if on == nil || c.view(on) == nil {
				continue
			}
			row := func(sub int) {
				w.add("classid", classRewrite, "objid", ruleOID(t), "objsubid", 0, "refclassid", classRelation, "refobjid", d.Table, "refobjsubid", sub, "deptype", "n")
			}
			for _, col := range d.Cols {
				row(int(col))
			}
			if len(d.Cols) == 0 {
				row(0)
			}
		}
	}
	return nil
}

func pgViews(c *Context, w *rows) error {
	for t := range c.views {
		if t.Kind == catalog.KindView {
			w.add("schemaname", c.schemaName(t.Schema), "viewname", t.Name, "viewowner", c.roleName(t.Owner), "definition", opt(c.viewText(t, false)))
		}
	}
	for _, r := range sortedRelations() {
		if r.Kind == 'v' {
			w.add("schemaname", r.Schema, "viewname", r.Name, "viewowner", "admin", "definition", nil)
		}
	}
	return nil
}

func pgMatviews(c *Context, w *rows) error {
	for t := range c.views {
		if t.Kind == catalog.KindMatView {
			w.add("schemaname", c.schemaName(t.Schema), "matviewname", t.Name, "matviewowner", c.roleName(t.Owner),
				"hasindexes", len(t.Keys) > 0, "ispopulated", !t.View.Empty, "definition", opt(c.viewText(t, false)))
		}
	}
	return nil
}

func isViews(c *Context, w *rows) error {
	for t := range c.views {
		if t.Kind != catalog.KindView {
			continue
		}
		var def any
		if c.active(t.Owner) {
			def = opt(c.viewText(t, false))
		}
		w.add("table_catalog", dbName, "table_schema", c.schemaName(t.Schema), "table_name", t.Name, "view_definition", def,
			"check_option", "NONE", "is_updatable", false, "is_insertable_into", false, "is_trigger_updatable", false,
			"is_trigger_deletable", false, "is_trigger_insertable_into", false)
	}
	for _, r := range sortedRelations() {
		if r.Kind == 'v' {
			w.add("table_catalog", dbName, "table_schema", r.Schema, "table_name", r.Name, "check_option", "NONE", "is_updatable", false,
				"is_insertable_into", false, "is_trigger_updatable", false, "is_trigger_deletable", false, "is_trigger_insertable_into", false)
		}
	}
	return nil
}

// reads lists the visible relations that views of roles of the principal read.
func (c *Context) reads(yield func(view, on *catalog.Table, cols []uint32) bool) {
	for t := range c.views {
		if t.Kind != catalog.KindView {
			continue
		}
		for _, d := range t.View.Deps {
			// NB: as in PostgreSQL only the owner of what is read sees it here.
			if on := c.Catalog.Table(d.Table); on != nil && c.active(on.Owner) && !yield(t, on, d.Cols) {
				return
			}
		}
	}
}

func isViewTableUsage(c *Context, w *rows) error {
	c.reads(func(v, on *catalog.Table, _ []uint32) bool {
		w.add("view_catalog", dbName, "view_schema", c.schemaName(v.Schema), "view_name", v.Name,
			"table_catalog", dbName, "table_schema", c.schemaName(on.Schema), "table_name", on.Name)
		return true
	})
	return nil
}

func isViewColumnUsage(c *Context, w *rows) error {
	c.reads(func(v, on *catalog.Table, cols []uint32) bool {
		for _, id := range cols {
			if col := on.ColumnByID(id); col != nil {
				w.add("view_catalog", dbName, "view_schema", c.schemaName(v.Schema), "view_name", v.Name,
					"table_catalog", dbName, "table_schema", c.schemaName(on.Schema), "table_name", on.Name, "column_name", col.Name)
			}
		}
		return true
	})
	return nil
}
