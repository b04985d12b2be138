package pgcatalog

import (
	"context"
	"sync"

	"quern/sql/internal/advisory"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// Session is what catalog relations may know of the session.
type Session interface {
	// Settings lists pg_settings' rows.
	Settings() []SettingRow
	// Activity lists the sessions that the principal may see.
	Activity() []ActivityRow
	// TableSize gives rows, bytes and segments of a stored table.
	TableSize(table uint32) (rows, bytes int64, segments int)
	Segments(table uint32) []storage.SegmentInfo
	StoreInfo() (storage.Info, []storage.SourceCounts)
	Cursors() []CursorRow
	PreparedRows() []PreparedRow
	// SetConfig is set_config: the new value as SHOW prints it.
	SetConfig(name, value string, local bool) (string, error)
	// NextVal takes a value of a column's counter; CurrVal is the last one that
	// the session took of it, LastVal of any.
	NextVal(table, col uint32) (int64, error)
	CurrVal(table, col uint32) (v int64, ok bool)
	LastVal() (v int64, ok bool)
	// SetVal makes v the last value of a counter, or with called false its next.
	SetVal(table, col uint32, v int64, called bool) error
	// Signal is pg_cancel_backend and, with terminate, pg_terminate_backend.
	Signal(pid uint32, terminate bool) (bool, error)
	// Advisory runs pg_advisory_… by name; false is what a try or an unlock says.
	Advisory(name string, key advisory.Key) (bool, error)
}

// SettingRow is one row of pg_settings.
type SettingRow struct {
	Name, Value, Unit, Context, VarType, Source, Default string
}

// ActivityRow is one row of pg_stat_activity.
type ActivityRow struct {
	PID          uint32
	Role         uint32
	RoleName     string
	Application  string
	State        string
	Query        string
	BackendStart int64
	QueryStart   int64
}

// CursorRow is one row of pg_cursors.
type CursorRow struct {
	Name, Statement      string
	Hold, Binary, Scroll bool
	Created              int64
}

// PreparedRow is one row of pg_prepared_statements.
type PreparedRow struct {
	Name, Statement string
	Params          []types.Type
	FromSQL         bool
	Prepared        int64
}

// Context is one statement's view of the catalog. It implements
// fn.CatalogHandle. Not for concurrent use by several statements; its methods
// may be called by several workers of one.
type Context struct {
	Catalog   *catalog.Snapshot
	Principal policy.Principal
	Session   Session
	Version   string   // version()'s text
	Now       int64    // µs since 1970
	Start     int64    // of the server
	Path      []string // effective search_path, without the implicit pg_catalog
}

// Rows computes a relation.
func (c *Context) Rows(_ context.Context, r *Relation) ([]*vec.Batch, error) {
	name := r.Schema + "." + r.Name
	var fixed []*vec.Batch
	if b := builtins[name]; b != nil {
		fixed = b()
	}
	gen := generators[name]
	if gen == nil {
		return fixed, nil
	}
	w := newRows(r)
	if err := gen(c, w); err != nil {
		return nil, err
	}
	out, err := w.finish()
	return append(fixed[:len(fixed):len(fixed)], out...), err
}

// builtins are the rows that are the same for everybody, made once.
var builtins = map[string]func() []*vec.Batch{
	"pg_catalog.pg_class":        builtin("pg_catalog", "pg_class", builtinClasses),
	"pg_catalog.pg_attribute":    builtin("pg_catalog", "pg_attribute", builtinAttributes),
	"pg_catalog.pg_type":         builtin("pg_catalog", "pg_type", builtinTypes),
	"pg_catalog.pg_proc":         builtin("pg_catalog", "pg_proc", builtinProcs),
	"pg_catalog.pg_aggregate":    builtin("pg_catalog", "pg_aggregate", builtinAggregates),
	"pg_catalog.pg_operator":     builtin("pg_catalog", "pg_operator", builtinOperators),
	"pg_catalog.pg_cast":         builtin("pg_catalog", "pg_cast", builtinCasts),
	"information_schema.columns": builtin("information_schema", "columns", builtinColumns),
}

func builtin(schema, name string, gen func(*rows)) func() []*vec.Batch {
	return sync.OnceValue(func() []*vec.Batch {
		w := newRows(Lookup(schema, name))
		gen(w)
		out, err := w.finish()
		if err != nil {
			panic(err) // a generator that does not fit its relation is a bug
		}
		return out
	})
}

// generators make the rows of the relations that have any.
var generators = map[string]func(*Context, *rows) error{
	"pg_catalog.pg_namespace":           pgNamespace,
	"pg_catalog.pg_class":               pgClass,
	"pg_catalog.pg_attribute":           pgAttribute,
	"pg_catalog.pg_attrdef":             pgAttrdef,
	"pg_catalog.pg_index":               pgIndex,
	"pg_catalog.pg_indexes":             pgIndexes,
	"pg_catalog.pg_constraint":          pgConstraint,
	"pg_catalog.pg_description":         pgDescription,
	"pg_catalog.pg_type":                pgType,
	"pg_catalog.pg_am":                  pgAm,
	"pg_catalog.pg_database":            pgDatabase,
	"pg_catalog.pg_timezone_names":      pgTimezoneNames,
	"pg_catalog.pg_tablespace":          pgTablespace,
	"pg_catalog.pg_collation":           pgCollation,
	"pg_catalog.pg_language":            pgLanguage,
	"pg_catalog.pg_settings":            pgSettings,
	"pg_catalog.pg_roles":               pgRoles,
	"pg_catalog.pg_user":                pgUser,
	"pg_catalog.pg_auth_members":        pgAuthMembers,
	"pg_catalog.pg_tables":              pgTables,
	"pg_catalog.pg_stat_user_tables":    pgStatTables,
	"pg_catalog.pg_stat_all_tables":     pgStatTables,
	"pg_catalog.pg_stat_activity":       pgStatActivity,
	"pg_catalog.pg_rewrite":             pgRewrite,
	"pg_catalog.pg_depend":              pgDepend,
	"pg_catalog.pg_views":               pgViews,
	"pg_catalog.pg_matviews":            pgMatviews,
	"pg_catalog.pg_cursors":             pgCursors,
	"pg_catalog.pg_prepared_statements": pgPrepared,

	"information_schema.information_schema_catalog_name": isCatalogName,
	"information_schema.views":                           isViews,
	"information_schema.view_table_usage":                isViewTableUsage,
	"information_schema.view_column_usage":               isViewColumnUsage,
	"information_schema.schemata":                        isSchemata,
	"information_schema.tables":                          isTables,
	"information_schema.columns":                         isColumns,
	"information_schema.table_constraints":               isTableConstraints,
	"information_schema.key_column_usage":                isKeyColumnUsage,
	"information_schema.constraint_column_usage":         isConstraintColumnUsage,
	"information_schema.referential_constraints":         isReferential,
	"information_schema.table_privileges":                isTablePrivileges,
	"information_schema.role_table_grants":               isTablePrivileges,
	"information_schema.enabled_roles":                   isEnabledRoles,
	"information_schema.applicable_roles":                isApplicableRoles,

	"system.tables":             systemTables,
	"system.columns":            systemColumns,
	"system.segments":           systemSegments,
	"system.wal":                systemWAL,
	"system.ingest_stats":       systemIngest,
	"system.queries":            systemQueries,
	"system.settings":           systemSettings,
	"system.masking_policies":   systemMaskings,
	"system.retention_policies": systemRetention,
}

// view is what the principal sees of a table, nil if nothing.
func (c *Context) view(t *catalog.Table) *policy.View {
	v, err := policy.Resolve(c.Catalog, t.ID, c.Principal, c.Now)
	if err != nil || !v.HasAny() {
		return nil
	}
	return v
}

// tables lists the stored tables of which the principal may know.
func (c *Context) tables(yield func(*catalog.Table, *policy.View) bool) {
	for _, t := range c.Catalog.Tables() {
		if v := c.view(t); v != nil && !yield(t, v) {
			return
		}
	}
}

// active tells whether the principal acts with a role's rights.
func (c *Context) active(role uint32) bool {
	return c.Principal.Superuser || policy.Active(c.Catalog, c.Principal.RoleID)[role]
}

// schemaVisible: the system's own, and those on which the principal has a
// privilege.
func (c *Context) schemaVisible(s *catalog.Schema) bool {
	if s.ID < catalog.FirstOID || c.active(s.Owner) {
		return true
	}
	active := policy.Active(c.Catalog, c.Principal.RoleID)
	for _, g := range s.Grants {
		if g.Role == 0 || active[g.Role] {
			return true
		}
	}
	return false
}

func (c *Context) schemaName(id uint32) string {
	if s := c.Catalog.SchemaByID(id); s != nil {
		return s.Name
	}
	return ""
}

func (c *Context) roleName(id uint32) string {
	if r := c.Catalog.Role(id); r != nil {
		return r.Name
	}
	return ""
}

// OIDs of objects that exist as parts of others: bases that leave room for the
// part's number. They never reach those of tables, which count up from 16384.
const (
	ruleBase       = 1_000_000_000
	rowTypeBase    = 1_500_000_000
	defaultBase    = 2_000_000_000
	constraintBase = 2_600_000_000
	indexBase      = 3_200_000_000 // sequences: catalog.SequenceOID
)

func rowTypeOID(t *catalog.Table) uint32 { return rowTypeBase + t.ID }
func defaultOID(t *catalog.Table, col uint32) uint32 {
	return defaultBase + (t.ID-catalog.SchemaInfo)*2048 + col%2048
}
func constraintOID(t *catalog.Table, key int) uint32 {
	return constraintBase + (t.ID-catalog.SchemaInfo)*64 + uint32(key)%64
}
func indexOID(t *catalog.Table, key int) uint32 {
	return indexBase + (t.ID-catalog.SchemaInfo)*64 + uint32(key)%64
}

func sequenceOID(t *catalog.Table, col uint32) uint32 { return catalog.SequenceOID(t.ID, col) }

// sequences lists the counters of visible tables under the names that
// PostgreSQL would give their sequences.
func (c *Context) sequences(yield func(*catalog.Table, *catalog.Column) bool) {
	for t := range c.tables {
		for i := range t.Columns {
			if t.Columns[i].Default.Kind == catalog.DefaultCounter && !yield(t, &t.Columns[i]) {
				return
			}
		}
	}
}

func sequenceName(t *catalog.Table, col *catalog.Column) string {
	return t.Name + "_" + col.Name + "_seq"
}
