package pgcatalog

import (
	"context"

	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// Session is what catalog relations may know of the session.
type Session interface {
	// Settings lists pg_settings' rows.
	Settings() []SettingRow
	// SearchPath lists the effective schemas, pg_catalog first.
	SearchPath() []string
	// Activity lists running sessions that the principal may see.
	Activity() []ActivityRow
	// TableSize gives rows and bytes of a stored table, ok false if unknown.
	TableSize(table uint32) (rows, bytes int64, segments int, ok bool)
	Cursors() []CursorRow
	PreparedRows() []PreparedRow
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
// fn.CatalogHandle.
type Context struct {
	Catalog   *catalog.Snapshot
	Principal policy.Principal
	Session   Session
	Version   string // product version
	Now       int64  // µs since 1970
}

// Rows computes a relation.
func (c *Context) Rows(_ context.Context, r *Relation) ([]*vec.Batch, error) {
	return nil, nil
}
