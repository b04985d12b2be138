package pgcatalog

import (
	"slices"
	"strings"

	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
)

const dbName = "quern"

func isCatalogName(_ *Context, w *rows) error {
	w.add("catalog_name", dbName)
	return nil
}

func isSchemata(c *Context, w *rows) error {
	for _, s := range c.Catalog.Schemas() {
		if c.schemaVisible(s) {
			w.add("catalog_name", dbName, "schema_name", s.Name, "schema_owner", c.roleName(s.Owner))
		}
	}
	return nil
}

func isTables(c *Context, w *rows) error {
	for t, v := range c.tables {
		if t.Kind == catalog.KindMatView {
			continue
		}
		kind := "BASE TABLE"
		switch {
		case t.Kind == catalog.KindView:
			kind = "VIEW"
		case isTempSchema(c.schemaName(t.Schema)):
			kind = "LOCAL TEMPORARY"
		}
		insert := t.Kind == catalog.KindTable && v.Has(policy.Insert)
		for i := range t.Columns {
			insert = insert || t.Kind == catalog.KindTable && v.HasColumn(policy.Insert, t.Columns[i].ID)
		}
		w.add("table_catalog", dbName, "table_schema", c.schemaName(t.Schema), "table_name", t.Name, "table_type", kind,
			"is_insertable_into", insert, "is_typed", false)
	}
	for _, r := range sortedRelations() {
		kind := "BASE TABLE"
		if r.Kind == 'v' {
			kind = "VIEW"
		}
		w.add("table_catalog", dbName, "table_schema", r.Schema, "table_name", r.Name, "table_type", kind,
			"is_insertable_into", false, "is_typed", false)
	}
	return nil
}

func isTempSchema(name string) bool { return strings.HasPrefix(name, "pg_temp_") }

func isColumns(c *Context, w *rows) error {
	for t, v := range c.tables {
		if t.Kind == catalog.KindMatView {
			continue
		}
		pos := 0
		for i := range t.Columns {
			col := &t.Columns[i]
			pos++
			if !v.HasColumn(policy.Select, col.ID) && !v.HasColumn(policy.Insert, col.ID) &&
				!v.HasColumn(policy.Update, col.ID) && !v.HasColumn(policy.References, col.ID) {
				continue
			}
			columnRow(w, c.schemaName(t.Schema), t.Name, col.Name, int(col.ID), col.Type, col.NotNull && v.Mask(col.ID) == nil,
				"column_default", opt(col.Default.Expr), "is_identity", col.Identity != "",
				"identity_generation", map[string]any{"a": "ALWAYS", "d": "BY DEFAULT"}[col.Identity], "is_updatable", t.Kind == catalog.KindTable)
		}
	}
	return nil
}

func builtinColumns(w *rows) {
	for _, r := range sortedRelations() {
		for i := range r.Cols {
			columnRow(w, r.Schema, r.Name, r.Cols[i].Name, i+1, r.Cols[i].Type, r.Cols[i].NotNull, "is_updatable", false)
		}
	}
}

// columnRow fills information_schema.columns' description of a type.
func columnRow(w *rows, schema, table, name string, pos int, t types.Type, notNull bool, more ...any) {
	bare := types.Type{OID: t.OID, Mod: -1}
	dataType := bare.String()
	if t.IsArray() {
		dataType = "ARRAY"
	}
	row := []any{"table_catalog", dbName, "table_schema", schema, "table_name", table, "column_name", name,
		"ordinal_position", pos, "is_nullable", !notNull, "data_type", dataType, "udt_catalog", dbName, "udt_schema", "pg_catalog",
		"udt_name", types.InternalName(t.OID), "dtd_identifier", pos, "is_self_referencing", false, "is_identity", false,
		"identity_cycle", false, "is_generated", "NEVER"}
	num := func(precision, radix, scale any) {
		row = append(row, "numeric_precision", precision, "numeric_precision_radix", radix, "numeric_scale", scale)
	}
	switch t.OID {
	case types.Int2OID:
		num(16, 2, 0)
	case types.Int4OID:
		num(32, 2, 0)
	case types.Int8OID:
		num(64, 2, 0)
	case types.Float4OID:
		num(24, 2, nil)
	case types.Float8OID:
		num(53, 2, nil)
	case types.NumericOID:
		if p, s, ok := t.Precision(); ok {
			num(p, 10, s)
		} else {
			num(nil, 10, nil)
		}
	case types.DateOID:
		row = append(row, "datetime_precision", 0)
	case types.TimeOID, types.TimestampOID, types.TimestamptzOID, types.IntervalOID, types.TimetzOID:
		row = append(row, "datetime_precision", t.FracDigits())
	case types.TextOID:
		row = append(row, "character_octet_length", 1<<30)
	case types.VarcharOID, types.BpcharOID:
		n, ok := t.MaxChars()
		if ok {
			row = append(row, "character_maximum_length", n, "character_octet_length", 4*n)
		} else {
			row = append(row, "character_octet_length", 1<<30)
		}
	}
	w.add(append(row, more...)...)
}

var constraintTypes = map[string]string{"p": "PRIMARY KEY", "u": "UNIQUE", "f": "FOREIGN KEY"}

// keys lists the keys of tables that the principal may see.
func (c *Context) keys(yield func(*catalog.Table, *catalog.Key) bool) {
	for t := range c.tables {
		for i := range t.Keys {
			if !yield(t, &t.Keys[i]) {
				return
			}
		}
	}
}

func isTableConstraints(c *Context, w *rows) error {
	for t, k := range c.keys {
		s := c.schemaName(t.Schema)
		w.add("constraint_catalog", dbName, "constraint_schema", s, "constraint_name", k.Name, "table_catalog", dbName,
			"table_schema", s, "table_name", t.Name, "constraint_type", constraintTypes[k.Kind], "is_deferrable", false,
			"initially_deferred", false, "enforced", false)
	}
	return nil
}

func isKeyColumnUsage(c *Context, w *rows) error {
	for t, k := range c.keys {
		s := c.schemaName(t.Schema)
		for i, id := range k.Cols {
			var ref any
			if k.Kind == "f" {
				ref = i + 1
			}
			if col := t.ColumnByID(id); col != nil {
				w.add("constraint_catalog", dbName, "constraint_schema", s, "constraint_name", k.Name, "table_catalog", dbName,
					"table_schema", s, "table_name", t.Name, "column_name", col.Name, "ordinal_position", i+1,
					"position_in_unique_constraint", ref)
			}
		}
	}
	return nil
}

func isConstraintColumnUsage(c *Context, w *rows) error {
	for t, k := range c.keys {
		of, ids := t, k.Cols
		if k.Kind == "f" {
			of, ids = c.Catalog.Table(k.RefTable), k.RefCols
		}
		if of == nil || c.view(of) == nil {
			continue
		}
		for _, id := range ids {
			if col := of.ColumnByID(id); col != nil {
				w.add("table_catalog", dbName, "table_schema", c.schemaName(of.Schema), "table_name", of.Name, "column_name", col.Name,
					"constraint_catalog", dbName, "constraint_schema", c.schemaName(t.Schema), "constraint_name", k.Name)
			}
		}
	}
	return nil
}

func isReferential(c *Context, w *rows) error {
	for t, k := range c.keys {
		ref := c.Catalog.Table(k.RefTable)
		if k.Kind != "f" || ref == nil || c.view(ref) == nil {
			continue
		}
		row := []any{"constraint_catalog", dbName, "constraint_schema", c.schemaName(t.Schema), "constraint_name", k.Name,
			"match_option", "NONE", "update_rule", "NO ACTION", "delete_rule", "NO ACTION"}
		for i := range ref.Keys {
			if ref.Keys[i].Kind != "f" && slices.Equal(ref.Keys[i].Cols, k.RefCols) {
				row = append(row, "unique_constraint_catalog", dbName, "unique_constraint_schema", c.schemaName(ref.Schema),
					"unique_constraint_name", ref.Keys[i].Name)
				break
			}
		}
		w.add(row...)
	}
	return nil
}

var privilegeNames = []string{"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}

func isTablePrivileges(c *Context, w *rows) error {
	for t := range c.tables {
		grants := append([]policy.Grant{{Role: t.Owner, Grantor: t.Owner, Priv: policy.AllTable, Option: policy.AllTable}}, t.Grants...)
		for _, g := range grants {
			grantee := "PUBLIC"
			if g.Role != 0 {
				grantee = c.roleName(g.Role)
			}
			if g.Cols != nil || g.Role != 0 && !c.active(g.Role) && !c.active(g.Grantor) {
				continue
			}
			for i, name := range privilegeNames {
				if g.Priv>>i&1 != 0 {
					w.add("grantor", c.roleName(g.Grantor), "grantee", grantee, "table_catalog", dbName,
						"table_schema", c.schemaName(t.Schema), "table_name", t.Name, "privilege_type", name,
						"is_grantable", g.Option>>i&1 != 0, "with_hierarchy", name == "SELECT")
				}
			}
		}
	}
	return nil
}

func isEnabledRoles(c *Context, w *rows) error {
	for _, r := range c.Catalog.Roles() {
		if c.active(r.ID) {
			w.add("role_name", r.Name)
		}
	}
	return nil
}

func isApplicableRoles(c *Context, w *rows) error {
	for _, r := range c.Catalog.Roles() {
		if !c.active(r.ID) {
			continue
		}
		for _, g := range r.MemberOf {
			w.add("grantee", r.Name, "role_name", c.roleName(g), "is_grantable", slices.Contains(r.AdminOf, g))
		}
	}
	return nil
}
