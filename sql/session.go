package sql

import (
	"context"

	"quern/storage"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// DB is the SQL front of one store. Safe for concurrent use.
type DB struct{ o Options }

// New makes the front of a store. It creates the built-in roles if they are
// missing (one Commit).
func New(ctx context.Context, store Store, o Options) (*DB, error) { return &DB{o: o}, nil }

// Login looks up a role for authentication.
func (db *DB) Login(role string) Login { return Login{} }

// NewSession opens a session for an authenticated role. startup are the
// settings of the startup packet (options already split): an unknown one is
// 42704, a bad value 22023. A role that does not exist or may not log in is
// 28000; too many connections of a role 53300.
func (db *DB) NewSession(role string, startup []Setting) (*Session, error) {
	return nil, errs.NotSupported("session")
}

// SessionByPID finds a session for a cancel request, nil if none.
func (db *DB) SessionByPID(pid uint32) *Session { return nil }

// Session is one connection's state. One goroutine uses it; only Cancel,
// Terminate and PID may be called from others.
type Session struct{}

// PID is the backend's process id on the wire.
func (s *Session) PID() uint32 { return 0 }

// Start begins one generation of work: a Q, or the messages from the first
// after a Sync up to the next Sync. The returned context is what Prepare, Bind
// and Next get; Cancel and statement_timeout end it with cause 57014. done
// must be called; after it a late Cancel hits nothing.
func (s *Session) Start(ctx context.Context) (_ context.Context, done func()) {
	return ctx, func() {}
}

// Cancel ends the generation that runs now, if any.
func (s *Session) Cancel() {}

// Terminate ends the session's running work with 57P01; Terminated then is
// true and the layer closes the connection.
func (s *Session) Terminate() {}

// Terminated tells that the session was ended from outside.
func (s *Session) Terminated() bool { return false }

// TxStatus is ReadyForQuery's byte.
func (s *Session) TxStatus() TxStatus { return TxIdle }

// BeginImplicit starts the implicit transaction of a Q or of an extended
// sequence, unless a transaction is open.
func (s *Session) BeginImplicit() {}

// EndImplicit ends it: with nil its writes are committed, with an error they
// are dropped (inside a block: the block is failed). Portals die with it.
// Inside a healthy block it does nothing.
func (s *Session) EndImplicit(ctx context.Context, err error) error { return nil }

// DropUnnamed destroys the unnamed statement and portal, as each Q does.
func (s *Session) DropUnnamed() {}

// Script parses a whole text of any number of statements; empty ones are left
// out. A syntax error anywhere gives no statement.
func (s *Session) Script(text string) ([]Statement, error) { return nil, errs.NotSupported("script") }

// Prepare binds one statement. oids are declared parameter types, 0 = infer.
// In a failed block all but COMMIT and ROLLBACK is 25P02.
func (s *Session) Prepare(ctx context.Context, st Statement, oids []types.OID) (Prepared, error) {
	return nil, errs.NotSupported("prepare")
}

// PrepareNamed is Parse: text holds at most one statement (42601), which may
// be empty; a named duplicate is 42P05, the unnamed one is replaced.
func (s *Session) PrepareNamed(ctx context.Context, name, text string, oids []types.OID) error {
	return errs.NotSupported("prepare")
}

// PreparedByName finds a statement of PrepareNamed or PREPARE (26000).
func (s *Session) PreparedByName(name string) (Prepared, error) {
	return nil, errs.NotSupported("prepare")
}

// ClosePrepared forgets a statement and closes its portals.
func (s *Session) ClosePrepared(name string) {}

// Bind makes an execution. params have the types of p.ParamTypes (08P01 if the
// number differs). The statement is bound again if the catalog, policies or
// role changed since Prepare.
func (s *Session) Bind(ctx context.Context, p Prepared, params []types.Datum) (Portal, error) {
	return nil, errs.NotSupported("bind")
}

// BindNamed is Bind into the session's portals, which protocol portals share
// with SQL cursors: a named duplicate is 42P03.
func (s *Session) BindNamed(ctx context.Context, portal string, p Prepared, params []types.Datum, formats []int16) (Portal, error) {
	return nil, errs.NotSupported("bind")
}

// PortalByName finds a portal or cursor (34000).
func (s *Session) PortalByName(name string) (Portal, error) { return nil, errs.NotSupported("portal") }

// ClosePortal closes a portal; an unknown name is no error.
func (s *Session) ClosePortal(name string) {}

// Notices gives and forgets what piled up, already filtered by
// client_min_messages.
func (s *Session) Notices() []Notice { return nil }

// Parameters are the 13 reported settings, in the order of session start.
func (s *Session) Parameters() []Setting { return nil }

// ChangedParameters are those that changed since Parameters or the last call.
func (s *Session) ChangedParameters() []Setting { return nil }

// Setting reads a setting in SHOW's form.
func (s *Session) Setting(name string) (string, bool) { return "", false }

// Principal is who the session is now (after SET ROLE).
func (s *Session) Principal() policy.Principal { return policy.Principal{} }

// Format is what text conversion of results depends on.
func (s *Session) Format() *types.Format { return types.DefaultFormat }

// Append takes rows of COPY FROM: they are committed with the transaction
// (at EndImplicit, or at COMMIT of a block); a Commit with a BatchKey or with
// Ingest set is committed at once outside a block. The Outcome of rows that
// wait for COMMIT has Seq 0.
func (s *Session) Append(ctx context.Context, c *storage.Commit) (storage.Outcome, error) {
	return storage.Outcome{}, errs.NotSupported("append")
}

// Close ends the session: open transactions are dropped, portals closed.
func (s *Session) Close() {}
