// Package bind resolves the names and types of a statement: AST → typed
// logical plan.
//
//	ast.Query ─ scopes, types (fn) ─► logical.Node + result Fields + parameter types
//	relation name ─ search_path ─► catalog.Table ─ policy.Resolve ─► policy.View ─► logical.Scan
//	                            └► Virtual (pg_catalog, information_schema, system)
//
// The only way from a table to a plan goes through policy.Resolve, and
// privileges are checked here on the columns that the statement uses.
//
// Files: scope.go names, from.go FROM, select.go the clauses of SELECT in the
// order of their evaluation, group.go aggregation, expr.go and its siblings
// expressions, coerce.go casts and unknown literals, insert.go DML targets,
// colname.go the names of result columns.
//
// It deliberately does not optimize: subqueries stay expressions
// (logical.Sub), predicates stay where they were written.
//
// Start reading at Query.
package bind

import (
	"context"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/sql/internal/ast"
	"quern/sql/internal/logical"
	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// Env is what the binding of one statement knows of its session. Bind anew for
// every execution: views hold the statement's retention floor.
type Env struct {
	// Catalog is the snapshot that the statement runs on.
	Catalog   *catalog.Snapshot
	Principal policy.Principal
	// SearchPath are the schemas of unqualified names, in order. pg_catalog is
	// searched first if it is not listed. Names of schemas that do not exist
	// are skipped.
	SearchPath []string
	// Now is the statement's clock in µs since 1970: retention floors use it.
	Now int64
	// Fn is what constant folding and literals see of the session; its Format
	// must be set.
	Fn *fn.Env
	// Virtual finds a relation computed from the catalog; nil = none exist.
	Virtual func(schema, name string) (*Virtual, bool)
	// Rows estimates a table's rows for join order; nil = unknown.
	Rows func(table uint32) int64
	// Stats says what is known of a column of a view's table; nil = nothing.
	Stats func(view *policy.View, col uint32) (logical.ColumnStats, bool)

	// ParseView gives the tree of a view's query, a new one each time.
	ParseView func(v *catalog.View) (*ast.Query, error)

	// Changes are the data-modifying queries of the statement's WITH.
	Changes map[*ast.CTE]*Change
	// Partial says that other parts of the statement may still give parameters
	// their types: those without one are no error.
	Partial bool

	// Params are the types that the client gave for $1…; OID 0 or Unknown =
	// to be inferred. HasParams says that parameters exist at all (extended
	// protocol, PREPARE); otherwise any $n is 42P02.
	Params    []types.Type
	HasParams bool
}

// Change is a data-modifying WITH query that the session runs: the columns of its
// RETURNING, nil without one, and its rows.
type Change struct {
	Fields []Field
	Gen    func(ctx context.Context) ([]*vec.Batch, error)
}

// VirtualColumn is a column of a Virtual.
type VirtualColumn struct {
	Name string
	Type types.Type
	// Hidden columns (tableoid, xmin, ctid) are found by name, not by *.
	Hidden bool
}

// Virtual is a relation of pg_catalog, information_schema or system.
type Virtual struct {
	Schema, Name string
	OID          uint32
	Cols         []VirtualColumn
	// Gen makes all rows that the principal may see, with all Cols.
	Gen func(ctx context.Context) ([]*vec.Batch, error)
}

// Field describes one result column as RowDescription needs it.
type Field struct {
	Name     string
	Type     types.Type
	TableOID uint32
	AttNum   int16
}

// Target is what an INSERT or COPY FROM writes.
type Target struct {
	Table *catalog.Table
	// Cols are the ids of the columns that the plan's output columns fill, in
	// order; columns of the table that are missing here take their default.
	Cols []uint32
}

// Bound is a bound statement. physical.Compile makes it runnable.
type Bound struct {
	Root logical.Node
	// Out are the ids of Root's columns that are the result, in order, with
	// Names; for an INSERT they fill Target.Cols.
	Out   []logical.Column
	Field []Field
	// Params are the types of $1…$n, all known.
	Params []types.Type
	// Target is set for INSERT.
	Target *Target
	// Returning is set for INSERT … RETURNING: the expressions over the rows
	// with their defaults (plan.Col.Index counts in the table's columns); Field
	// describes them.
	Returning []plan.Expr
	// Bound tells that a relation of the statement is seen through a mask, row
	// policy, column privilege or retention cut: EXPLAIN shows the shape only.
	Bound bool
	// Tables are the stored tables that are read, for the query log.
	Tables []uint32

	env    *Env
	lastID int
}
