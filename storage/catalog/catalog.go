// Package catalog holds definitions: schemas, tables, columns, roles, masking
// policies. A Snapshot is immutable and versioned; a query pins one.
//
//	Change (JSON, in a WAL frame's SCHEMA section) ── Snapshot.Apply ──► next Snapshot
//
// A Change puts or drops one whole object, so applying it twice is harmless
// and replay needs no history. Names are resolved here; policies hang on ids,
// so renaming or re-creating an object gives nobody anything.
//
// It imports policy, types and errs. It does no I/O: storage writes changes to
// the WAL and the manifest.
package catalog

import (
	"cmp"
	"quern/storage/policy"
	"quern/storage/types"
)

// First OID of user objects, as in PostgreSQL.
const FirstOID = 16384

// Well-known ids.
const (
	RoleAdmin       uint32 = 10   // the bootstrap superuser "admin" (PostgreSQL's 10)
	SchemaCatalog   uint32 = 11   // pg_catalog
	SchemaPublic    uint32 = 2200 // public
	SchemaInfo      uint32 = 13000
	SchemaSystem    uint32 = 13001
	TableQuarantine uint32 = 13100 // system.quarantine, an ordinary stored table
)

// Built-in roles (GOVERNANCE.md §2.3). They cannot log in and cannot be dropped.
const (
	RolePolicyAdmin uint32 = 13201 + iota
	RoleRetentionAdmin
	RoleAuditReader
	RoleMonitor
	RoleIngest
	RoleExportAdmin
)

var builtinRoles = map[uint32]string{
	RolePolicyAdmin: "policy_admin", RoleRetentionAdmin: "retention_admin", RoleAuditReader: "audit_reader",
	RoleMonitor: "monitor", RoleIngest: "ingest", RoleExportAdmin: "export_admin",
}

// IsBuiltinRole tells roles that every data folder has.
func IsBuiltinRole(id uint32) bool { return id == RoleAdmin || builtinRoles[id] != "" }

// Ids of the hidden columns that every stored table has.
const (
	ColReceivedAt uint32 = 0xFFFFFFF0 // _received_at timestamptz
	ColCommitSeq  uint32 = 0xFFFFFFF1 // _commit_seq int8
	// ColRowAddress int8 is where a row lies in one snapshot. It has no name:
	// only UPDATE and DELETE read it.
	ColRowAddress uint32 = 0xFFFFFFF2
)

// Schema is a namespace.
type Schema struct {
	ID     uint32         `json:"id"`
	Name   string         `json:"name"`
	Owner  uint32         `json:"owner"`
	Grants []policy.Grant `json:"grants,omitempty"`
	// Comment is COMMENT ON's text.
	Comment string `json:"comment,omitempty"`
}

// DefaultKind says where a column's default comes from.
type DefaultKind string

// Kinds of defaults.
const (
	DefaultNone    DefaultKind = ""
	DefaultConst   DefaultKind = "const"   // Text in the type's text form
	DefaultNow     DefaultKind = "now"     // the commit's clock
	DefaultUUID    DefaultKind = "uuid"    // gen_random_uuid()
	DefaultUser    DefaultKind = "user"    // current_user
	DefaultCounter DefaultKind = "counter" // serial, identity: the table's counter
)

// Default is a column default.
type Default struct {
	Kind DefaultKind `json:"kind"`
	Text string      `json:"text,omitempty"` // DefaultConst: value; else nothing
	Expr string      `json:"expr,omitempty"` // as PostgreSQL prints it
	// A counter's value is Offset + count × (Step, 0 = 1); First is what RESTART
	// begins with, less one.
	Offset int64 `json:"offset,omitempty"`
	Step   int64 `json:"step,omitempty"`
	First  int64 `json:"first,omitempty"`
}

func (d *Default) step() int64 { return cmp.Or(d.Step, 1) }

// Value is the value of a counter's count.
func (d *Default) Value(count int64) int64 { return d.Offset + count*d.step() }

// Restarted is the default whose next value after count is v.
func (d Default) Restarted(v, count int64) Default {
	d.Offset = v - (count+1)*d.step()
	return d
}

// After is Restarted so that v is the value before the next.
func (d Default) After(v, count int64) Default { return d.Restarted(v+d.step(), count) }

// SequenceOID is the OID of the sequence that a column's counter appears as.
func SequenceOID(table, col uint32) uint32 { return sequenceBase + (table-SchemaInfo)*64 + col%64 }

const sequenceBase = 3_800_000_000

// Column is one column. ID is unique in its table and never reused; it is the
// column id of WAL frames and segments, and the attribute number on the wire.
type Column struct {
	ID      uint32     `json:"id"`
	Name    string     `json:"name"`
	Type    types.Type `json:"type"`
	NotNull bool       `json:"notnull,omitempty"`
	Default Default    `json:"default,omitzero"`
	Masking uint32     `json:"masking,omitempty"`
	Comment string     `json:"comment,omitempty"`
	// Missing is what rows show that were written before the column existed, in
	// the type's text form (pg_attribute.attmissingval); nil is NULL.
	Missing *string `json:"missing,omitempty"`
	// Identity is pg_attribute.attidentity: "a" (ALWAYS), "d" (BY DEFAULT) or
	// "". The values come from the column's counter.
	Identity string `json:"identity,omitempty"`
}

// Key is a primary, unique or foreign key: metadata only, never enforced.
type Key struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"` // "p", "u", "f" as in pg_constraint.contype
	Cols     []uint32 `json:"cols"`
	RefTable uint32   `json:"reftable,omitempty"`
	RefCols  []uint32 `json:"refcols,omitempty"`
	// Comment is the constraint's, IndexComment its index's.
	Comment      string `json:"comment,omitempty"`
	IndexComment string `json:"indexcomment,omitempty"`
}

// Index is an index: metadata only, nothing is built.
type Index struct {
	Name   string `json:"name"`
	Method string `json:"method"` // btree, hash, …
	Unique bool   `json:"unique,omitempty"`
	// Items are the keys, then Include's columns.
	Items   []IndexItem `json:"items"`
	Include int         `json:"include,omitempty"` // how many of Items are only carried
	Where   string      `json:"where,omitempty"`
	Comment string      `json:"comment,omitempty"`
}

// IndexItem is a column, or an expression as PostgreSQL prints it.
type IndexItem struct {
	Col        uint32 `json:"col,omitempty"`
	Expr       string `json:"expr,omitempty"`
	Desc       bool   `json:"desc,omitempty"`
	NullsFirst bool   `json:"nullsfirst,omitempty"`
}

// OnNewColumn says what ingest does with unknown fields.
type OnNewColumn string

// Values of on_new_column.
const (
	Strict  OnNewColumn = "strict"
	Evolve  OnNewColumn = "evolve"
	Capture OnNewColumn = "capture"
)

// Options are a table's WITH options, validated.
type Options struct {
	TimeColumn    string      `json:"time_column,omitempty"`
	OrderBy       []string    `json:"order_by,omitempty"`       // column names, "" suffix " desc"
	PartitionBy   string      `json:"partition_by,omitempty"`   // hour day month none, "" = automatic
	Retention     int64       `json:"retention,omitempty"`      // µs
	RetentionText string      `json:"retention_text,omitempty"` // as written
	OnNewColumn   OnNewColumn `json:"on_new_column,omitempty"`
	// DedupKey are the columns by which copies of a row are known, DedupWindow
	// for how long (µs, 0 = for ever).
	DedupKey        []uint32 `json:"dedup_key,omitempty"`
	DedupWindow     int64    `json:"dedup_window,omitempty"`
	DedupWindowText string   `json:"dedup_window_text,omitempty"`
	ColdAfter       int64    `json:"cold_after,omitempty"`      // µs; older segments are compressed
	ColdAfterText   string   `json:"cold_after_text,omitempty"` // as written
}

// Kind is what a Table is.
type Kind string

// Kinds of Table. Views have no rows of their own; those of a materialized view
// are written by REFRESH only.
const (
	KindTable   Kind = ""
	KindView    Kind = "v"
	KindMatView Kind = "m"
)

// View is the definition of a view.
type View struct {
	// Query is PostgreSQL text in which every relation has its schema and every
	// column its relation, so that it means the same under any search_path.
	Query string `json:"query"`
	// Deps are what the query reads: dropping these breaks it.
	Deps []Dep `json:"deps,omitempty"`
	// Options are WITH (…) as name=value.
	Options []string `json:"options,omitempty"`
	// Empty says that a materialized view has not been populated.
	Empty bool `json:"empty,omitempty"`
}

// Dep is a relation that a view reads, with the columns that it names.
type Dep struct {
	Table uint32   `json:"table"`
	Cols  []uint32 `json:"cols,omitempty"`
}

// Table is a stored table or a view. ID is also its OID.
type Table struct {
	ID      uint32         `json:"id"`
	Schema  uint32         `json:"schema"`
	Name    string         `json:"name"`
	Owner   uint32         `json:"owner"`
	Version uint32         `json:"version"` // raised by every change of columns
	Columns []Column       `json:"columns"` // live columns in order
	NextCol uint32         `json:"nextcol"`
	Keys    []Key          `json:"keys,omitempty"`
	Indexes []Index        `json:"indexes,omitempty"`
	Options Options        `json:"options,omitzero"`
	Grants  []policy.Grant `json:"grants,omitempty"`
	Floor   int64          `json:"floor,omitempty"` // persisted retention floor, µs
	Comment string         `json:"comment,omitempty"`
	// BornByWrite is set for tables that ingest created (on_new_column evolve).
	BornByWrite bool `json:"born,omitempty"`
	Kind        Kind `json:"kind,omitempty"`
	// View is set for views and materialized views.
	View *View `json:"view,omitempty"`
}

// Noun is how messages call it: table, view, materialized view.
func (t *Table) Noun() string {
	switch t.Kind {
	case KindView:
		return "view"
	case KindMatView:
		return "materialized view"
	}
	return "table"
}

// MaskGuard is the masking "policy" of columns that ingest added to a table
// with masks: it never exists, and a policy that does not exist hides
// (GOVERNANCE.md §4.2.5). policy_admin lifts it with SET or DROP MASKING POLICY.
const MaskGuard uint32 = 1

// NewColumnMask is what Column.Masking of a column that a write adds must be.
func (t *Table) NewColumnMask() uint32 {
	for i := range t.Columns {
		if t.Columns[i].Masking != 0 {
			return MaskGuard
		}
	}
	return 0
}

// Column finds a live column by exact name, nil if none.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// ColumnByID finds a live column, nil if none. Hidden columns are not listed.
func (t *Table) ColumnByID(id uint32) *Column {
	for i := range t.Columns {
		if t.Columns[i].ID == id {
			return &t.Columns[i]
		}
	}
	return nil
}

// TimeColumn is the event-time column: the option, else the first timestamptz
// or timestamp column, else nil.
func (t *Table) TimeColumn() *Column {
	if t.Options.TimeColumn != "" {
		return t.Column(t.Options.TimeColumn)
	}
	for i := range t.Columns {
		if o := t.Columns[i].Type.OID; o == types.TimestamptzOID || o == types.TimestampOID {
			return &t.Columns[i]
		}
	}
	return nil
}
