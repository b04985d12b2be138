package ddl

import (
	"quern/engine/fn"
	"quern/sql/internal/ast"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
)

// alterType changes a column's type. Where every stored value stays what it is
// only the definition changes, else all rows are written again.
func (c *Ctx) alterType(t *catalog.Table, a *ast.AlterColumnType) error {
	col, err := columnOf(t, a.Name)
	if err != nil {
		return err
	}
	if col.Masking != 0 {
		return errs.New(errs.DependentObjects, "cannot alter type of column %q because it has a masking policy", a.Name)
	}
	typ, err := ResolveType(a.Type)
	if err != nil {
		return err
	}
	if v := c.dependents(t.ID, col.ID); len(v) > 0 {
		e := errs.New(errs.FeatureNotSupported, "cannot alter type of a column used by a view or rule")
		if c.mayRead(v[0]) {
			_ = e.WithDetail("rule _RETURN on %s depends on column %q", c.describe(v[0]), col.Name)
		}
		return e
	}
	if a.Using == nil && sameBytes(col.Type, typ) {
		col.Type = typ
		return nil
	}
	switch {
	case isKeyColumn(t, a.Name) && (t.Options.TimeColumn == a.Name || t.Options.Retention > 0 || t.Floor > 0 || len(t.Options.OrderBy) > 0):
		return errs.NotSupported("ALTER COLUMN … TYPE of a column that table options name")
	case a.Using != nil && t.NewColumnMask() != 0:
		// The expression sees raw values of every column.
		return errs.NotSupported("ALTER COLUMN … TYPE … USING on a table with masked columns")
	case a.Using == nil && col.Type.OID != typ.OID && !fn.FindCast(col.Type, typ, fn.CastAssignment):
		return errs.New(errs.DatatypeMismatch, "column %q cannot be cast automatically to type %s", a.Name, typ).
			WithHint("You might need to specify \"USING %s::%s\".", ast.QuoteIdent(a.Name), typ)
	}
	if err := castDefault(col, typ); err != nil {
		return err
	}
	e := a.Using
	if e == nil {
		e = &ast.Column{At: a.At, Parts: []string{c.rewriting.Old.ColumnByID(col.ID).Name}}
	}
	c.rewriting.Rows = true
	c.rewriting.Exprs[col.ID] = e
	col.Type, col.Missing = typ, nil
	return nil
}

// sameBytes tells whether every value of from is one of to as it is stored.
func sameBytes(from, to types.Type) bool {
	if from.OID == to.OID {
		return from.Mod == to.Mod || to.Mod == -1 ||
			from.OID == types.VarcharOID && from.Mod >= 0 && to.Mod >= from.Mod
	}
	text := func(t types.Type) bool { return t.OID == types.TextOID || t.OID == types.VarcharOID && t.Mod == -1 }
	return (text(from) || from.OID == types.VarcharOID) && text(to)
}

// castDefault gives a column's default its new type.
func castDefault(col *catalog.Column, typ types.Type) error {
	integer := typ.OID == types.Int2OID || typ.OID == types.Int4OID || typ.OID == types.Int8OID
	cannot := errs.New(errs.DatatypeMismatch, "default for column %q cannot be cast automatically to type %s", col.Name, typ)
	switch col.Default.Kind {
	case catalog.DefaultNone:
		return nil
	case catalog.DefaultCounter:
		if !integer {
			return cannot
		}
		return nil
	case catalog.DefaultConst:
		if col.Type.OID != typ.OID && !fn.FindCast(col.Type, typ, fn.CastAssignment) {
			return cannot
		}
		d, err := types.ParseText(typ, col.Default.Text, types.DefaultFormat)
		if err != nil {
			return cannot
		}
		col.Default.Text = string(types.AppendText(nil, typ, &d, types.DefaultFormat))
		return nil
	}
	if types.Category(col.Type.OID) != types.Category(typ.OID) {
		return cannot
	}
	return nil
}
