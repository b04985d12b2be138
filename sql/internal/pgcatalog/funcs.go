package pgcatalog

import (
	"strconv"
	"strings"

	"quern/sql/internal/advisory"
	"quern/sql/internal/settings"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// Call implements fn.CatalogHandle: args are one row's, of the types that the
// registry declares. A function that takes an object by name or by OID tells
// the two by the Datum: a text has S set. Objects that the principal may not
// see do not exist.
func (c *Context) Call(name string, args []types.Datum) (types.Datum, error) {
	if strings.Contains(name, "advisory") {
		return c.advisory(name, args)
	}
	f := functions[name]
	if f == nil {
		return types.Datum{}, errs.NotSupported("function " + name)
	}
	return f(c, args)
}

var (
	null  = types.NullDatum
	empty = types.Datum{}
)

func text(s string) types.Datum { return types.Datum{S: s} }

func textOrNull(s string, ok bool) types.Datum {
	if !ok {
		return null
	}
	return text(s)
}

func boolean(b bool) types.Datum {
	if b {
		return types.Datum{I: 1}
	}
	return types.Datum{}
}

func arg(args []types.Datum, i int) types.Datum {
	if i < len(args) {
		return args[i]
	}
	return null
}

type function func(c *Context, args []types.Datum) (types.Datum, error)

// functions by name. Those that look at nothing but their arguments are here
// too, when they belong to the catalog.
var functions map[string]function

func init() {
	yes := func(*Context, []types.Datum) (types.Datum, error) { return boolean(true), nil }
	none := func(*Context, []types.Datum) (types.Datum, error) { return null, nil }
	blank := func(*Context, []types.Datum) (types.Datum, error) { return empty, nil }
	functions = map[string]function{
		"version":                  func(c *Context, _ []types.Datum) (types.Datum, error) { return text(c.Version), nil },
		"pg_postmaster_start_time": func(c *Context, _ []types.Datum) (types.Datum, error) { return types.Datum{I: c.Start}, nil },
		"pg_conf_load_time":        func(c *Context, _ []types.Datum) (types.Datum, error) { return types.Datum{I: c.Start}, nil },
		"pg_is_in_recovery":        blank,
		"pg_table_is_visible":      tableIsVisible,
		"pg_type_is_visible":       yes,
		"pg_function_is_visible":   yes,
		"pg_operator_is_visible":   yes,
		"pg_collation_is_visible":  yes,
		"pg_conversion_is_visible": yes,
		"pg_opclass_is_visible":    yes,
		"pg_opfamily_is_visible":   yes,
		"pg_ts_config_is_visible":  yes,
		"pg_ts_dict_is_visible":    yes,
		"pg_ts_parser_is_visible":  yes,

		"pg_relation_is_publishable":         blank,
		"pg_get_userbyid":                    userByID,
		"format_type":                        formatType,
		"pg_get_expr":                        getExpr,
		"pg_get_constraintdef":               constraintDefOf,
		"pg_get_indexdef":                    indexDefOf,
		"pg_get_viewdef":                     viewDef,
		"pg_get_ruledef":                     none,
		"pg_get_triggerdef":                  none,
		"pg_get_partkeydef":                  none,
		"pg_get_statisticsobjdef_columns":    none,
		"pg_get_function_result":             functionResult,
		"pg_get_function_arguments":          functionArguments,
		"pg_get_function_identity_arguments": functionArguments,
		"pg_get_functiondef":                 none,
		"pg_get_function_sqlbody":            none,
		"pg_get_serial_sequence":             serialSequence,
		"pg_tablespace_location":             blank,
		"obj_description":                    objDescription,
		"col_description":                    colDescription,
		"shobj_description":                  shobjDescription,
		"pg_encoding_to_char":                encodingToChar,
		"pg_char_to_encoding":                charToEncoding,
		"pg_relation_size":                   relationSize(true, false),
		"pg_table_size":                      relationSize(true, false),
		"pg_total_relation_size":             relationSize(true, true),
		"pg_indexes_size":                    relationSize(false, true),
		"pg_database_size":                   databaseSize,
		"has_table_privilege":                hasTablePrivilege,
		"has_any_column_privilege":           hasTablePrivilege,
		"has_column_privilege":               hasColumnPrivilege,
		"has_schema_privilege":               hasSchemaPrivilege,
		"has_database_privilege":             yes,
		"has_function_privilege":             yes,
		"has_type_privilege":                 yes,
		"has_tablespace_privilege":           yes,
		"has_language_privilege":             yes,
		"has_sequence_privilege":             yes,
		"pg_has_role":                        hasRole,
		"current_setting":                    currentSetting,
		"set_config":                         setConfig,
		"to_regclass":                        toRegclass,
		"to_regtype":                         toRegtype,
		"to_regproc":                         toRegproc,
		"to_regnamespace":                    toRegnamespace,
		"to_regrole":                         toRegrole,
		"nextval":                            nextVal,
		"currval":                            currVal,
		"setval":                             setVal,
		"lastval":                            lastVal,
		"pg_cancel_backend":                  func(c *Context, a []types.Datum) (types.Datum, error) { return c.signal(a, false) },
		"pg_terminate_backend":               func(c *Context, a []types.Datum) (types.Datum, error) { return c.signal(a, true) },
		"pg_stat_get_numscans":               blank,
		"txid_current":                       blank,
		"pg_my_temp_schema":                  blank,
	}
}

// advisory runs the functions of advisory locks.
func (c *Context) advisory(name string, a []types.Datum) (types.Datum, error) {
	key := advisory.Key{N: arg(a, 0).I}
	if len(a) == 2 {
		key = advisory.Key{N: a[0].I<<32 | a[1].I&0xFFFFFFFF, Pair: true}
	}
	ok, err := c.Session.Advisory(name, key)
	if strings.HasPrefix(name, "pg_try_") || strings.HasPrefix(name, "pg_advisory_unlock") && name != "pg_advisory_unlock_all" {
		return boolean(ok), err
	}
	return empty, err
}

func (c *Context) signal(a []types.Datum, terminate bool) (types.Datum, error) {
	ok, err := c.Session.Signal(uint32(arg(a, 0).I), terminate)
	return boolean(ok), err
}

// relation finds a table by OID that the principal may see.
func (c *Context) table(oid int64) *catalog.Table {
	t := c.Catalog.Table(uint32(oid))
	if t == nil || c.view(t) == nil {
		return nil
	}
	return t
}

// tableArg finds a table by name or OID; ok tells whether it exists at all for
// the principal. A virtual relation has a nil table.
func (c *Context) tableArg(d types.Datum) (t *catalog.Table, ok bool) {
	oid := uint32(d.I)
	if d.S != "" {
		if oid, ok = c.RelationOID(d.S); !ok {
			return nil, false
		}
	}
	if ByOID(oid) != nil {
		return nil, true
	}
	t = c.table(int64(oid))
	return t, t != nil
}

// names splits a possibly qualified name, folding what is not quoted.
func names(s string) []string {
	var out []string
	for s = strings.TrimSpace(s); s != ""; {
		var part string
		if s[0] == '"' {
			rest := s[1:]
			var b strings.Builder
			for {
				i := strings.IndexByte(rest, '"')
				if i < 0 {
					return nil
				}
				b.WriteString(rest[:i])
				rest = rest[i+1:]
				if !strings.HasPrefix(rest, `"`) {
					break
				}
				b.WriteByte('"')
				rest = rest[1:]
			}
			part, s = b.String(), rest
		} else {
			i := strings.IndexByte(s, '.')
			if i < 0 {
				i = len(s)
			}
			part, s = strings.ToLower(strings.TrimSpace(s[:i])), s[i:]
		}
		out = append(out, part)
		s = strings.TrimPrefix(strings.TrimSpace(s), ".")
	}
	return out
}

// path is where unqualified relations are looked up.
func (c *Context) path() []string {
	for _, p := range c.Path {
		if p == "pg_catalog" {
			return c.Path
		}
	}
	return append([]string{"pg_catalog"}, c.Path...)
}

// RelationOID implements fn.CatalogHandle: regclass's input.
func (c *Context) RelationOID(name string) (uint32, bool) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n), true
	}
	parts := names(name)
	path := c.path()
	switch len(parts) {
	case 1:
	case 3:
		parts = parts[1:]
		fallthrough
	case 2:
		path = parts[:1]
	default:
		return 0, false
	}
	rel := parts[len(parts)-1]
	for _, s := range path {
		if oid, ok := c.inSchema(s, rel); ok {
			return oid, true
		}
	}
	return 0, false
}

func (c *Context) inSchema(schema, name string) (uint32, bool) {
	if r := Lookup(schema, name); r != nil {
		return r.OID, true
	}
	s := c.Catalog.SchemaByName(schema)
	if s == nil {
		return 0, false
	}
	if t := c.Catalog.TableByName(s.ID, name); t != nil && c.view(t) != nil {
		return t.ID, true
	}
	for x := range c.indexes {
		if x.table.Schema == s.ID && x.name == name {
			return x.oid, true
		}
	}
	for t, col := range c.sequences {
		if t.Schema == s.ID && sequenceName(t, col) == name {
			return sequenceOID(t, col.ID), true
		}
	}
	return 0, false
}

// RelationName implements fn.CatalogHandle: regclass's output, qualified when
// the search path does not find it.
func (c *Context) RelationName(oid uint32) (string, bool) {
	if r := ByOID(oid); r != nil {
		return c.qualify(r.Schema, r.Name, oid), true
	}
	if t := c.table(int64(oid)); t != nil {
		return c.qualified(t), true
	}
	if x := c.indexByOID(oid); x != nil {
		return c.qualify(c.schemaName(x.table.Schema), x.name, oid), true
	}
	if t, col := c.sequence(oid); t != nil {
		return c.qualify(c.schemaName(t.Schema), sequenceName(t, col), oid), true
	}
	return "", false
}

func (c *Context) sequence(oid uint32) (*catalog.Table, *catalog.Column) {
	for t, col := range c.sequences {
		if sequenceOID(t, col.ID) == oid {
			return t, col
		}
	}
	return nil, nil
}

// sequenceArg finds the counter that nextval and currval name.
func (c *Context) sequenceArg(a []types.Datum) (*catalog.Table, *catalog.Column, error) {
	oid := uint32(arg(a, 0).I)
	t, col := c.sequence(oid)
	if t == nil {
		name, ok := c.RelationName(oid)
		if !ok {
			return nil, nil, errs.New(errs.UndefinedTable, "relation with OID %d does not exist", oid)
		}
		return nil, nil, errs.New(errs.WrongObjectType, "%q is not a sequence", name)
	}
	if v := c.view(t); !v.HasColumn(policy.Insert, col.ID) {
		return nil, nil, errs.New(errs.InsufficientPrivilege, "permission denied for sequence %s", sequenceName(t, col))
	}
	return t, col, nil
}

func nextVal(c *Context, a []types.Datum) (types.Datum, error) {
	t, col, err := c.sequenceArg(a)
	if err != nil {
		return null, err
	}
	n, err := c.Session.NextVal(t.ID, col.ID)
	return types.Datum{I: n}, err
}

func currVal(c *Context, a []types.Datum) (types.Datum, error) {
	t, col, err := c.sequenceArg(a)
	if err != nil {
		return null, err
	}
	n, ok := c.Session.CurrVal(t.ID, col.ID)
	if !ok {
		return null, errs.New(errs.ObjectNotInState, "currval of sequence %q is not yet defined in this session", sequenceName(t, col))
	}
	return types.Datum{I: n}, nil
}

func setVal(c *Context, a []types.Datum) (types.Datum, error) {
	t, col, err := c.sequenceArg(a)
	if err != nil {
		return null, err
	}
	v, lowest := arg(a, 1).I, min(col.Default.First+1, 1)
	if highest := int64(1)<<(8*col.Type.Len()-1) - 1; v < lowest || v > highest {
		return null, errs.New(errs.NumericOutOfRange, "setval: value %d is out of bounds for sequence %q (%d..%d)", v, sequenceName(t, col), lowest, highest)
	}
	return types.Datum{I: v}, c.Session.SetVal(t.ID, col.ID, v, len(a) < 3 || arg(a, 2).I != 0)
}

func lastVal(c *Context, _ []types.Datum) (types.Datum, error) {
	n, ok := c.Session.LastVal()
	if !ok {
		return null, errs.New(errs.ObjectNotInState, "lastval is not yet defined in this session")
	}
	return types.Datum{I: n}, nil
}

func (c *Context) qualified(t *catalog.Table) string {
	return c.qualify(c.schemaName(t.Schema), t.Name, t.ID)
}

func (c *Context) qualify(schema, name string, oid uint32) string {
	if c.visible(name, oid) {
		return quoteIdent(name)
	}
	return quoteIdent(schema) + "." + quoteIdent(name)
}

// visible: the first relation of that name on the path is this one.
func (c *Context) visible(name string, oid uint32) bool {
	for _, s := range c.path() {
		if o, ok := c.inSchema(s, name); ok {
			return o == oid
		}
	}
	return false
}

func tableIsVisible(c *Context, a []types.Datum) (types.Datum, error) {
	oid := uint32(arg(a, 0).I)
	if r := ByOID(oid); r != nil {
		return boolean(c.visible(r.Name, oid)), nil
	}
	if t := c.table(int64(oid)); t != nil {
		return boolean(c.visible(t.Name, oid)), nil
	}
	if x := c.indexByOID(oid); x != nil {
		return boolean(c.visible(x.name, oid)), nil
	}
	if t, col := c.sequence(oid); t != nil {
		return boolean(c.visible(sequenceName(t, col), oid)), nil
	}
	return null, nil
}

func userByID(c *Context, a []types.Datum) (types.Datum, error) {
	oid := uint32(arg(a, 0).I)
	if n := c.roleName(oid); n != "" {
		return text(n), nil
	}
	return text("unknown (OID=" + strconv.FormatUint(uint64(oid), 10) + ")"), nil
}

func formatType(_ *Context, a []types.Datum) (types.Datum, error) {
	oid := arg(a, 0)
	if oid.Null {
		return null, nil
	}
	if oid.I == 0 {
		return text("-"), nil
	}
	t := types.Type{OID: types.OID(oid.I), Mod: -1}
	if m := arg(a, 1); !m.Null {
		t.Mod = int32(m.I)
	}
	if !types.Known(t.OID) {
		if r := typeByOID()[uint32(oid.I)]; r != nil {
			if base := typeByOID()[r.elem]; base != nil && strings.HasPrefix(r.f[1], "_") {
				return text(base.f[1] + "[]"), nil
			}
			return text(r.f[1]), nil
		}
		return text("???"), nil
	}
	return text(t.String()), nil
}

// getExpr: what the catalogs hold is text already.
func getExpr(_ *Context, a []types.Datum) (types.Datum, error) { return arg(a, 0), nil }

func constraintDefOf(c *Context, a []types.Datum) (types.Datum, error) {
	for t := range c.tables {
		for i := range t.Keys {
			if int64(constraintOID(t, i)) == arg(a, 0).I {
				return text(c.constraintDef(t, i)), nil
			}
		}
	}
	return null, nil
}

func serialSequence(c *Context, a []types.Datum) (types.Datum, error) {
	t, ok := c.tableArg(arg(a, 0))
	if !ok || t == nil {
		if name := arg(a, 0).S; strings.Contains(name, ".") && Lookup(strings.Trim(strings.Split(name, ".")[0], `"`), strings.Trim(strings.Split(name, ".")[1], `"`)) != nil {
			return null, nil // a relation of the catalog has none
		}
		return null, errs.New(errs.UndefinedTable, "relation %q does not exist", arg(a, 0).S)
	}
	col := t.Column(arg(a, 1).S)
	if col == nil {
		return null, errs.New(errs.UndefinedColumn, "column %q of relation %q does not exist", arg(a, 1).S, t.Name)
	}
	if col.Default.Kind != catalog.DefaultCounter {
		return null, nil
	}
	return text(quoteIdent(c.schemaName(t.Schema)) + "." + quoteIdent(sequenceName(t, col))), nil
}

func objDescription(c *Context, a []types.Datum) (types.Datum, error) {
	if t := c.table(arg(a, 0).I); t != nil && (arg(a, 1).Null || arg(a, 1).S == "pg_class") {
		return textOrNull(t.Comment, t.Comment != ""), nil
	}
	class := map[string]uint32{"pg_class": classOID, "pg_namespace": namespaceOID, "pg_constraint": constraintRel}[arg(a, 1).S]
	for d := range c.descriptions {
		if d.oid == uint32(arg(a, 0).I) && (arg(a, 1).Null || d.class == class) {
			return text(d.text), nil
		}
	}
	return null, nil
}

// shobjDescription gives the comments of roles.
func shobjDescription(c *Context, a []types.Datum) (types.Datum, error) {
	if r := c.Catalog.Role(uint32(arg(a, 0).I)); r != nil && arg(a, 1).S == "pg_authid" {
		return textOrNull(r.Comment, r.Comment != ""), nil
	}
	return null, nil
}

func colDescription(c *Context, a []types.Datum) (types.Datum, error) {
	if t := c.table(arg(a, 0).I); t != nil {
		if col := t.ColumnByID(uint32(arg(a, 1).I)); col != nil {
			return textOrNull(col.Comment, col.Comment != ""), nil
		}
	}
	return null, nil
}

func encodingToChar(_ *Context, a []types.Datum) (types.Datum, error) {
	return text(map[int64]string{0: "SQL_ASCII", 6: "UTF8", 8: "LATIN1"}[arg(a, 0).I]), nil
}

func charToEncoding(_ *Context, a []types.Datum) (types.Datum, error) {
	switch strings.ToUpper(strings.ReplaceAll(arg(a, 0).S, "-", "")) {
	case "UTF8", "UNICODE":
		return types.Datum{I: 6}, nil
	case "LATIN1":
		return types.Datum{I: 8}, nil
	case "SQL_ASCII":
		return types.Datum{}, nil
	}
	return types.Datum{I: -1}, nil
}

// relationSize is NULL for roles that a policy binds: sizes tell of hidden rows.
// indexBytes is what an index counts for: its definition takes a page.
const indexBytes = 8192

// relationSize is pg_relation_size and its kin: of a table, its indexes or both.
func relationSize(table, indexes bool) function {
	return func(c *Context, a []types.Datum) (types.Datum, error) {
		if x := c.indexByOID(uint32(arg(a, 0).I)); x != nil {
			return types.Datum{I: indexBytes}, nil
		}
		t, ok := c.tableArg(arg(a, 0))
		if !ok {
			return null, nil
		}
		if t == nil || t.Kind == catalog.KindView {
			return types.Datum{}, nil
		}
		v := c.view(t)
		if hidesSize(v) {
			return null, nil
		}
		var n int64
		if fork := arg(a, 1); table && (fork.Null || fork.S == "" || fork.S == "main") {
			_, n, _ = c.Session.TableSize(t.ID)
		}
		if indexes {
			n += indexBytes * int64(len(tableIndexes(t)))
		}
		return types.Datum{I: n}, nil
	}
}

func databaseSize(c *Context, _ []types.Datum) (types.Datum, error) {
	if !c.active(catalog.RoleMonitor) {
		return null, nil
	}
	var sum int64
	for _, t := range c.Catalog.Tables() {
		_, bytes, _ := c.Session.TableSize(t.ID)
		sum += bytes
	}
	return types.Datum{I: sum}, nil
}

func currentSetting(c *Context, a []types.Datum) (types.Datum, error) {
	name := arg(a, 0).S
	for _, s := range c.Session.Settings() {
		if strings.EqualFold(s.Name, name) {
			return text(settings.Print(s.Value, s.Unit)), nil
		}
	}
	if m := arg(a, 1); !m.Null && m.I != 0 {
		return null, nil
	}
	return null, errs.New(errs.UndefinedObject, "unrecognized configuration parameter %q", name)
}

func setConfig(c *Context, a []types.Datum) (types.Datum, error) {
	if arg(a, 0).Null {
		return null, errs.New(errs.NullNotAllowed, "SET requires parameter name")
	}
	v, err := c.Session.SetConfig(arg(a, 0).S, arg(a, 1).S, arg(a, 2).I != 0)
	return text(v), err
}

func oidOrNull(oid uint32, ok bool) types.Datum {
	if !ok {
		return null
	}
	return types.Datum{I: int64(oid)}
}

func toRegclass(c *Context, a []types.Datum) (types.Datum, error) {
	return oidOrNull(c.RelationOID(arg(a, 0).S)), nil
}

func toRegtype(_ *Context, a []types.Datum) (types.Datum, error) {
	name := strings.ToLower(arg(a, 0).S)
	if t, ok := types.ByName(name); ok {
		return oidOrNull(uint32(t.OID), true), nil
	}
	name = strings.TrimPrefix(name, "pg_catalog.")
	for _, t := range typeRows() {
		if t.f[1] == name {
			return oidOrNull(t.oid, true), nil
		}
	}
	return null, nil
}

func toRegproc(_ *Context, a []types.Datum) (types.Datum, error) {
	parts := names(arg(a, 0).S)
	if len(parts) == 0 {
		return null, nil
	}
	oid, ok := procByName()[parts[len(parts)-1]]
	return oidOrNull(oid, ok), nil
}

func toRegnamespace(c *Context, a []types.Datum) (types.Datum, error) {
	parts := names(arg(a, 0).S)
	if len(parts) != 1 {
		return null, nil
	}
	if s := c.Catalog.SchemaByName(parts[0]); s != nil && c.schemaVisible(s) {
		return types.Datum{I: int64(s.ID)}, nil
	}
	return null, nil
}

func toRegrole(c *Context, a []types.Datum) (types.Datum, error) {
	parts := names(arg(a, 0).S)
	if len(parts) != 1 {
		return null, nil
	}
	if r := c.Catalog.RoleByName(parts[0]); r != nil {
		return types.Datum{I: int64(r.ID)}, nil
	}
	return null, nil
}

// RegName implements types.Names.
func (c *Context) RegName(t types.OID, oid uint32) (string, bool) {
	switch t {
	case types.RegclassOID:
		return c.RelationName(oid)
	case types.RegprocOID:
		n, ok := procNames()[oid]
		return n, ok
	case types.RegtypeOID:
		if types.Known(types.OID(oid)) {
			return types.Type{OID: types.OID(oid), Mod: -1}.String(), true
		}
		if r := typeByOID()[oid]; r != nil {
			return r.f[1], true
		}
		if t := c.table(int64(oid) - rowTypeBase); t != nil {
			return c.qualified(t), true
		}
	case types.RegnamespaceOID:
		if n := c.schemaName(oid); n != "" {
			return quoteIdent(n), true
		}
	case types.RegroleOID:
		if n := c.roleName(oid); n != "" {
			return quoteIdent(n), true
		}
	}
	return "", false
}

// RegOID implements types.Names.
func (c *Context) RegOID(t types.OID, name string) (uint32, error) {
	find := map[types.OID]func(*Context, []types.Datum) (types.Datum, error){
		types.RegclassOID: toRegclass, types.RegprocOID: toRegproc, types.RegtypeOID: toRegtype,
		types.RegnamespaceOID: toRegnamespace, types.RegroleOID: toRegrole}[t]
	if find == nil {
		return 0, errs.New(errs.UndefinedObject, "object %q does not exist", name)
	}
	d, err := find(c, []types.Datum{text(name)})
	if err != nil || !d.Null {
		return uint32(d.I), err
	}
	switch t {
	case types.RegclassOID:
		return 0, errs.New(errs.UndefinedTable, "relation %q does not exist", strings.Join(names(name), "."))
	case types.RegprocOID:
		return 0, errs.New(errs.UndefinedFunction, "function %q does not exist", name)
	case types.RegtypeOID:
		return 0, errs.New(errs.UndefinedObject, "type %q does not exist", name)
	case types.RegnamespaceOID:
		return 0, errs.New(errs.InvalidSchemaName, "schema %q does not exist", name)
	}
	return 0, errs.New(errs.UndefinedObject, "role %q does not exist", name)
}

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
