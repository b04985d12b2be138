package ddl

import (
	"strconv"
	"strings"

	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/types"
)

// systemColumns are names that a column may not take.
var systemColumns = map[string]bool{
	"_received_at": true, "_commit_seq": true,
	"tableoid": true, "xmin": true, "cmin": true, "xmax": true, "cmax": true, "ctid": true,
}

func checkNewColumn(t *catalog.Table, name string) error {
	if systemColumns[name] {
		return errs.New(errs.DuplicateColumn, "column name %q conflicts with a system column name", name)
	}
	if t.Column(name) != nil {
		return errs.New(errs.DuplicateColumn, "column %q specified more than once", name)
	}
	if len(t.Columns) >= columnsMax {
		return errs.New(errs.TooManyColumns, "tables can have at most %d columns", columnsMax)
	}
	return nil
}

func (c *Ctx) addColumn(t *catalog.Table, def *ast.ColumnDef) error {
	if err := checkNewColumn(t, def.Name); err != nil {
		return err
	}
	typ, serial := serialType(def.Type)
	if !serial {
		var err error
		if typ, err = ResolveType(def.Type); err != nil {
			return err
		}
	}
	col := catalog.Column{ID: t.NextCol, Name: def.Name, Type: typ, NotNull: def.NotNull || serial}
	if def.NotNull && def.Null {
		return pos(errs.New(errs.Syntax, "conflicting NULL/NOT NULL declarations for column %q of table %q", def.Name, t.Name), def.Pos)
	}
	if len(def.Collation) > 0 {
		if err := checkCollation(def.Collation); err != nil {
			return err
		}
	}
	if err := setGenerated(t, &col, def, serial); err != nil {
		return err
	}
	if def.Default != nil {
		d, err := c.columnDefault(def.Name, typ, def.Default)
		if err != nil {
			return err
		}
		col.Default = d
	}
	t.Columns = append(t.Columns, col)
	t.NextCol++
	for _, k := range def.Keys {
		k2 := *k
		k2.Columns = []string{def.Name}
		if err := c.addKey(t, &k2); err != nil {
			return err
		}
	}
	return nil
}

func checkCollation(name []string) error {
	switch name[len(name)-1] {
	case "C", "POSIX", "default", "ucs_basic":
		return nil
	}
	return errs.NotSupported("collation " + name[len(name)-1]).WithHint("Text compares bytewise, as with collation C.")
}

// serials are types that stand for a column with a counter.
var serials = map[string]types.Type{"serial": types.Int4, "serial4": types.Int4, "bigserial": types.Int8,
	"serial8": types.Int8, "smallserial": types.Int2, "serial2": types.Int2}

func serialType(n *ast.TypeName) (types.Type, bool) {
	if len(n.Parts) > 1 || n.Quoted || len(n.Array) > 0 {
		return types.Type{}, false
	}
	t, ok := serials[n.Parts[0]]
	return t, ok
}

// setGenerated gives serial and identity columns their counter.
func setGenerated(t *catalog.Table, col *catalog.Column, def *ast.ColumnDef, serial bool) error {
	if !serial && def.Identity == nil {
		return nil
	}
	if def.Default != nil || serial && def.Identity != nil {
		both := errs.New(errs.Syntax, "both default and identity specified for column %q of table %q", def.Name, t.Name)
		if def.Identity != nil && !serial {
			return pos(both, def.Identity.Pos)
		}
		return both
	}
	if id := def.Identity; id != nil {
		switch {
		case col.Type.OID != types.Int2OID && col.Type.OID != types.Int4OID && col.Type.OID != types.Int8OID:
			return errs.New(errs.InvalidParameterValue, "identity column type must be smallint, integer, or bigint")
		}
		col.Identity = "d"
		if id.Always {
			col.Identity = "a"
		}
	}
	col.NotNull = true
	col.Default = catalog.Default{Kind: catalog.DefaultCounter}
	if def.Identity != nil {
		if _, err := sequenceOptions(col, def.Identity.Options, 0); err != nil {
			return err
		}
	}
	if serial {
		col.Default.Expr = "nextval('" + SequenceName(t, col.Name) + "'::regclass)"
	}
	return nil
}

// SequenceName is what PostgreSQL would call the sequence of a column.
func SequenceName(t *catalog.Table, col string) string { return t.Name + "_" + col + "_seq" }

// ResolveType gives the type that a type name stands for (42704).
func ResolveType(n *ast.TypeName) (types.Type, error) {
	name := n.Parts[len(n.Parts)-1]
	unknown := pos(errs.New(errs.UndefinedObject, "type %q does not exist", strings.Join(n.Parts, ".")), n.Pos)
	if len(n.Parts) > 1 && n.Parts[0] != "pg_catalog" {
		return types.Type{}, unknown
	}
	var t types.Type
	switch {
	case n.Quoted && name == "char":
		t = types.Type{OID: types.CharOID, Mod: -1}
	default:
		var ok bool
		if t, ok = types.ByName(name); !ok {
			return types.Type{}, unknown
		}
	}
	if types.Category(t.OID) == types.CatPseudo || t.OID == types.UnknownOID {
		return types.Type{}, pos(errs.New(errs.InvalidTableDefinition, "column has pseudo-type %s", name), n.Pos)
	}
	if len(n.Mods) > 0 {
		m, err := types.WithMods(t.OID, name, n.Mods)
		if err != nil {
			return types.Type{}, pos(errs.As(err), n.Pos)
		}
		t = m
	}
	if len(n.Array) > 0 {
		a := t.Array()
		if a.OID == 0 {
			return types.Type{}, unknown
		}
		t = a
	}
	return t, nil
}

// nowCalls are the functions and key words whose default is the commit's clock.
var nowCalls = map[string]bool{
	"now": true, "transaction_timestamp": true, "statement_timestamp": true, "clock_timestamp": true,
	"current_timestamp": true, "localtimestamp": true, "current_date": true,
}

// columnDefault reads a DEFAULT expression: constants and what can be computed
// of them, now() and its forms, gen_random_uuid(), current_user.
func (c *Ctx) columnDefault(name string, t types.Type, e ast.Expr) (catalog.Default, error) {
	switch x := e.(type) {
	case *ast.Call:
		fn := x.Name[len(x.Name)-1]
		switch {
		case len(x.Args) > 0:
		case nowCalls[fn]:
			return nowDefault(name, t, fn+"()", x.Pos)
		case fn == "gen_random_uuid" || fn == "uuid_generate_v4":
			if t.OID != types.UUIDOID {
				return catalog.Default{}, mismatch(name, t, "uuid", x.Pos)
			}
			return catalog.Default{Kind: catalog.DefaultUUID, Expr: "gen_random_uuid()"}, nil
		}
		if d, err := c.computed(name, t, e); err == nil || errs.CodeOf(err) != errs.FeatureNotSupported {
			return d, err
		}
		return catalog.Default{}, pos(errs.NotSupported("function "+fn+" in a column default"), x.Pos)
	case *ast.ValueFunc:
		switch {
		case nowCalls[x.Name]:
			return nowDefault(name, t, strings.ToUpper(x.Name), x.Pos)
		case x.Name == "current_user" || x.Name == "user" || x.Name == "current_role" || x.Name == "session_user":
			if types.Category(t.OID) != types.CatString {
				return catalog.Default{}, mismatch(name, t, "name", x.Pos)
			}
			return catalog.Default{Kind: catalog.DefaultUser, Expr: "CURRENT_USER"}, nil
		}
		return catalog.Default{}, pos(errs.NotSupported(strings.ToUpper(x.Name)+" in a column default"), x.Pos)
	}
	text, isNull, lt, ok := constant(e)
	if !ok {
		return c.computed(name, t, e)
	}
	if isNull {
		return catalog.Default{}, nil
	}
	if lt == "numeric" && (t.OID == types.Int2OID || t.OID == types.Int4OID || t.OID == types.Int8OID) {
		// The assignment cast rounds.
		if d, err := types.ParseText(types.Numeric, text, types.DefaultFormat); err == nil {
			if n, err := d.N.Int64(t); err == nil {
				text = strconv.FormatInt(n, 10)
			}
		}
	}
	d, err := types.ParseText(t, text, types.DefaultFormat)
	if err != nil {
		if lt != "" && types.Category(t.OID) != types.CatString {
			return catalog.Default{}, mismatch(name, t, lt, e.Position())
		}
		return catalog.Default{}, pos(errs.As(err), e.Position())
	}
	return catalog.Default{Kind: catalog.DefaultConst,
		Text: string(types.AppendText(nil, t, &d, types.DefaultFormat)), Expr: printConst(t, text, lt)}, nil
}

// computed is a default whose value is known now: an expression of constants
// and immutable functions.
func (c *Ctx) computed(name string, t types.Type, e ast.Expr) (catalog.Default, error) {
	refused := pos(errs.NotSupported("an expression in a column default"), e.Position())
	if c.Bind == nil {
		return catalog.Default{}, refused
	}
	d, ok, err := bind.Constant(c.Bind(nil), e, name, t)
	switch {
	case err != nil:
		return catalog.Default{}, err
	case !ok:
		return catalog.Default{}, refused
	case d.Null:
		return catalog.Default{}, nil
	}
	text := string(types.AppendText(nil, t, &d, types.DefaultFormat))
	return catalog.Default{Kind: catalog.DefaultConst, Text: text, Expr: "(" + ast.Print(e) + ")"}, nil
}

func mismatch(name string, t types.Type, got string, at int) error {
	return pos(errs.New(errs.DatatypeMismatch, "column %q is of type %s but default expression is of type %s", name, t, got).
		WithHint("You will need to rewrite or cast the expression."), at)
}

func nowDefault(name string, t types.Type, expr string, at int) (catalog.Default, error) {
	switch t.OID {
	case types.TimestamptzOID, types.TimestampOID, types.DateOID:
		return catalog.Default{Kind: catalog.DefaultNow, Expr: expr}, nil
	}
	return catalog.Default{}, mismatch(name, t, "timestamp with time zone", at)
}

// constant takes a literal, perhaps signed or cast; typ is its own type's
// name, empty for a string.
func constant(e ast.Expr) (text string, null bool, typ string, ok bool) {
	switch x := e.(type) {
	case *ast.Literal:
		switch x.Kind {
		case ast.LitNull:
			return "", true, "", true
		case ast.LitBool:
			return x.Text, false, "boolean", true
		case ast.LitInt:
			return x.Text, false, "integer", true
		case ast.LitNumeric:
			return x.Text, false, "numeric", true
		case ast.LitString:
			return x.Text, false, "", true
		}
	case *ast.Op:
		if x.Left == nil && (x.Name == "-" || x.Name == "+") {
			text, null, typ, ok = constant(x.Right)
			if ok && !null && typ != "" && typ != "boolean" && x.Name == "-" {
				if rest, neg := strings.CutPrefix(text, "-"); neg {
					text = rest
				} else {
					text = "-" + text
				}
			}
			return text, null, typ, ok && typ != "boolean"
		}
	case *ast.Cast:
		text, null, typ, ok = constant(x.Expr)
		if !ok || null {
			return text, null, typ, ok
		}
		t, err := ResolveType(x.Type)
		if err != nil {
			return "", false, "", false
		}
		d, err := types.ParseText(t, text, types.DefaultFormat)
		if err != nil {
			return "", false, "", false
		}
		return string(types.AppendText(nil, t, &d, types.DefaultFormat)), false, "", true
	}
	return "", false, "", false
}

// printConst prints a constant default as pg_get_expr does.
func printConst(t types.Type, text, typ string) string {
	if typ != "" && !strings.HasPrefix(text, "-") && types.Category(t.OID) != types.CatString {
		return text
	}
	base := t
	if !t.IsArray() {
		base.Mod = -1
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'::" + base.String()
}

// CheckNewColumn checks the name of a column that a table gets (42701).
func CheckNewColumn(t *catalog.Table, name string) error { return checkNewColumn(t, name) }
