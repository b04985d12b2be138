package pgwire

import (
	"context"

	"quern/sql"
	"quern/storage"
	"quern/storage/policy"
	"quern/storage/types"
)

// Session is what a connection needs of a session; *sql.Session is the one
// outside tests. The rules of use are those of package sql.
type Session interface {
	PID() uint32
	Start(ctx context.Context) (_ context.Context, done func())
	Cancel()
	Terminate()
	Terminated() bool
	TxStatus() sql.TxStatus
	BeginImplicit()
	EndImplicit(ctx context.Context, err error) error
	DropUnnamed()
	Script(text string) ([]sql.Statement, error)
	Prepare(ctx context.Context, st sql.Statement, oids []types.OID) (sql.Prepared, error)
	PrepareNamed(ctx context.Context, name, text string, oids []types.OID) error
	PreparedByName(name string) (sql.Prepared, error)
	ClosePrepared(name string)
	Bind(ctx context.Context, p sql.Prepared, params []types.Datum) (sql.Portal, error)
	BindNamed(ctx context.Context, portal string, p sql.Prepared, params []types.Datum, formats []int16) (sql.Portal, error)
	PortalByName(name string) (sql.Portal, error)
	ClosePortal(name string)
	Notices() []sql.Notice
	Parameters() []sql.Setting
	ChangedParameters() []sql.Setting
	Setting(name string) (string, bool)
	Principal() policy.Principal
	Format() *types.Format
	Append(ctx context.Context, c *storage.Commit) (storage.Outcome, error)
	StartLoad(c *storage.Commit) (*storage.Load, error)
	Close()
}

// Backend opens sessions.
type Backend interface {
	NewSession(role string, startup []sql.Setting) (Session, error)
}
