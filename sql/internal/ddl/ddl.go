// Package ddl turns statements that define things into catalog changes: pure
// functions of (statement, catalog snapshot, who asks), without I/O.
//
//	Plan(ctx, stmt) ─► Result{Changes, Tag, Notices} ─► sql commits Changes with
//	                   BaseVersion; on 40001 it takes a new snapshot and plans anew
//
// One file per family: table.go and column.go CREATE TABLE, options.go WITH
// (…), view.go views and what renames do to them, dropviews.go what hangs on
// them, alter.go, drop.go, role.go, grant.go, masking.go. Who may do what stands
// at the top of each function that plans a statement, before anything that
// would tell whether another object exists.
//
// What it refuses it names (0A000); nothing is silently ignored except what
// PostgreSQL's own grammar has for storage tuning.
//
// Start reading at Plan.
package ddl

import (
	"cmp"
	"fmt"

	"quern/sql/internal/ast"
	"quern/sql/internal/bind"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

// Ctx is what planning a definition knows. Not for concurrent use.
type Ctx struct {
	Cat *catalog.Snapshot
	Who policy.Principal
	// SessionUser is session_user's role.
	SessionUser uint32
	// SearchPath are the existing schemas of the session, in order.
	SearchPath []string
	// Now is the statement's clock in µs since 1970.
	Now int64
	// Bind is the session as the binder sees it, over a catalog; nil = the
	// session's, with its temporary tables. For the queries of views.
	Bind func(cat *catalog.Snapshot) *bind.Env
	// Count is what a column's counter has counted; nil = nothing.
	Count func(table, col uint32) int64
	// SaltBytes gives random bytes for password verifiers.
	SaltBytes func([]byte) error

	// Temporary says that the session's temporary schema is what is changed;
	// FirstOID is then the number of a new table.
	Temporary bool
	FirstOID  uint32

	out       Result
	next      uint32
	rewriting *Rewrite // of the ALTER TABLE that is being planned
}

// Notice is a NOTICE or WARNING for the client.
type Notice struct{ Severity, Code, Msg, Detail, Hint string }

// Result is what a statement changes.
type Result struct {
	Changes []catalog.Change
	Tag     string
	Notices []Notice
	// Rewrite is set when the rows of a table must be made anew or looked at.
	Rewrite *Rewrite
}

// Rewrite is what ALTER TABLE needs of the rows of a table.
type Rewrite struct {
	Old, New *catalog.Table
	// Rows says that all rows are written again: columns by their expressions
	// over the old row, or as they are; new ones with their default.
	Rows  bool
	Exprs map[uint32]ast.Expr
	// NotNull are columns that must hold no NULL, Empty one that may only be
	// added to a table without rows (23502).
	NotNull []string
	Empty   string
}

// Plan plans one statement. Statements of other families are not its business:
// it returns ok false for them.
func Plan(c *Ctx, st ast.Stmt) (_ Result, ok bool, err error) {
	c.out, c.next = Result{}, cmp.Or(c.FirstOID, c.Cat.NextOID())
	switch st := st.(type) {
	case *ast.CreateTable:
		err = c.createTable(st)
	case *ast.CreateView:
		err = c.createView(st)
	case *ast.AlterTable:
		err = c.alterTable(st)
	case *ast.Drop:
		err = c.drop(st)
	case *ast.CreateIndex:
		err = c.createIndex(st)
	case *ast.Comment:
		err = c.comment(st)
	case *ast.CreateSchema:
		err = c.createSchema(st)
	case *ast.AlterSchema:
		err = c.alterSchema(st)
	case *ast.CreateRole:
		err = c.createRole(st)
	case *ast.AlterRole:
		err = c.alterRole(st)
	case *ast.DropRole:
		err = c.dropRole(st)
	case *ast.Grant:
		err = c.grant(st)
	case *ast.GrantRole:
		err = c.grantRole(st)
	case *ast.CreateMaskingPolicy:
		err = c.createMasking(st)
	case *ast.DropMaskingPolicy:
		err = c.dropMasking(st)
	default:
		if name := refused(st); name != "" {
			return Result{}, true, errs.NotSupported(name)
		}
		return Result{}, false, nil
	}
	return c.out, true, err
}

// refused names the constructs of this family that are not offered.
func refused(st ast.Stmt) string {
	switch st.(type) {
	case *ast.AlterDefaultPrivileges:
		return "ALTER DEFAULT PRIVILEGES"
	case *ast.ReassignOwned:
		return "REASSIGN OWNED"
	case *ast.AlterDatabase:
		return "ALTER DATABASE"
	case *ast.CreatePolicy, *ast.AlterPolicy, *ast.DropPolicy:
		return "row-level security policy"
	case *ast.MaskingKey:
		return "MASKING KEY"
	case *ast.Declassify:
		return "DECLASSIFY"
	case *ast.RetentionPolicy, *ast.DropRetentionPolicy:
		return "RETENTION POLICY"
	case *ast.ResumeRetention:
		return "ALTER SYSTEM RESUME RETENTION"
	case *ast.ExplainRetention:
		return "EXPLAIN RETENTION"
	case *ast.CreateLegalHold, *ast.ReleaseLegalHold:
		return "LEGAL HOLD"
	case *ast.EraseSubject:
		return "ERASE SUBJECT"
	case *ast.IngestToken, *ast.ShowIngestTokens:
		return "INGEST TOKEN"
	}
	return ""
}

func (c *Ctx) notice(format string, args ...any) {
	c.out.Notices = append(c.out.Notices, Notice{Severity: "NOTICE", Code: "00000", Msg: fmt.Sprintf(format, args...)})
}

func (c *Ctx) warn(code errs.Code, format string, args ...any) {
	c.out.Notices = append(c.out.Notices, Notice{Severity: "WARNING", Code: string(code), Msg: fmt.Sprintf(format, args...)})
}

// newOID hands out the OIDs of the objects that this statement creates.
func (c *Ctx) newOID() uint32 {
	c.next++
	return c.next - 1
}

func (c *Ctx) put(ch catalog.Change) { c.out.Changes = append(c.out.Changes, ch) }

// putTable puts a changed copy of a table; columns says that rows written
// under the old definition look different now.
func (c *Ctx) putTable(t *catalog.Table, columns bool) {
	if columns {
		t.Version++
	}
	c.put(catalog.Change{Table: t})
}

// pos sets the 1-based position of a 0-based offset.
func pos(err *errs.Error, at int) *errs.Error {
	if at >= 0 {
		err.Pos = at + 1
	}
	return err
}
