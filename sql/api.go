// Package sql is the SQL front: text in, row streams out.
//
//	text ─ dialect (lex, walk) ─ parse (TiDB, decode) ─ ast ─ bind ─ logical ─
//	optimize ─ physical ─ engine/plan ─ engine.Run ─► Portal.Next ─► the wire
//
// A DB is one per server, a Session one per connection. The protocol layers
// (pgwire, httpapi) address prepared statements, portals, settings and
// transactions through it and keep none themselves, so both behave alike.
//
// A statement's life, as a protocol layer drives it:
//
//	ctx, done := s.Start(ctx)          one generation: what Cancel and statement_timeout hit
//	s.BeginImplicit()                  (does nothing inside a block)
//	stmts, err := s.Script(text)       the whole string is parsed first
//	p, err := s.Prepare(ctx, stmt, nil)
//	portal, err := s.Bind(ctx, p, params)
//	for portal.Next(ctx, &batch) > 0   a command runs in its first Next, which gives 0
//	s.Notices()                        to be sent before the completion
//	s.EndImplicit(ctx, nil)            before the completion of the last statement of
//	                                   a Q, or at Sync: the Commit; its error replaces
//	                                   the completion
//	portal.Tag()
//	s.ChangedParameters()              ParameterStatus, directly before ReadyForQuery
//	s.TxStatus()
//	done()
//
// After any error of these the layer calls s.EndImplicit(ctx, err), which
// drops the implicit transaction or fails the block.
//
// Start reading at Session.Script and Session.Prepare.
package sql

import (
	"context"

	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// Field describes one result column as RowDescription needs it.
type Field struct {
	Name     string
	Type     types.Type
	TableOID uint32 // 0 unless a plain column of a table
	AttNum   int16
}

// TxStatus is ReadyForQuery's byte.
type TxStatus byte

// Transaction states.
const (
	TxIdle   TxStatus = 'I'
	TxBlock  TxStatus = 'T'
	TxFailed TxStatus = 'E'
)

// Notice is a NOTICE or WARNING; sent before the statement's completion.
type Notice struct {
	Severity string // NOTICE, WARNING
	Code     string
	Msg      string
	Detail   string
	Hint     string
}

// CopyIn says what the bytes after COPY … FROM STDIN mean. ingest decodes them
// and hands batches to Session.Append (which commits, or keeps them for COMMIT).
type CopyIn struct {
	Table   uint32
	Name    string // for error context
	Cols    []uint32
	Types   []types.Type
	Names   []string
	Options CopyOptions
}

// CopyOptions are COPY's options, validated.
type CopyOptions struct {
	Format                  string // text, csv, binary
	Delimiter               byte
	Null                    string
	Header                  string // "", "true", "match"
	Quote, Escape           byte
	ForceNotNull, ForceNull map[string]bool
	ForceQuote              map[string]bool // "*" = all
	OnErrorIgnore           bool
	RejectLimit             int64 // 0 = none
	BatchKey                string
}

// CopyOut says how the portal's rows are to be written for COPY … TO STDOUT.
type CopyOut struct{ Options CopyOptions }

// Statement is one parsed statement of a script.
type Statement interface {
	// Text is its source, Offset where it starts in the script.
	Text() string
	Offset() int
}

// Prepared is a statement that was parsed and bound.
type Prepared interface {
	ParamTypes() []types.Type
	// Fields is nil for statements that return no rows.
	Fields() []Field
}

// Portal is one execution in progress. Exactly one of these holds:
// CopyIn() != nil: stream bytes to ingest, then call FinishCopyIn;
// CopyOut() != nil: rows from Next, written in COPY form (Fields describes them);
// Fields() != nil: rows from Next; otherwise Next runs the command and returns 0.
// CopyIn and CopyOut are set by Bind, privileges checked.
// After Next has returned 0, Tag is the command tag; for a query it counts the
// rows of all Next calls, and a layer that limits rows builds its own from
// Verb. An empty statement has the tag "".
type Portal interface {
	Fields() []Field
	// Formats are the result formats given to BindNamed, or the cursor's for
	// FETCH from a BINARY cursor; nil = text.
	Formats() []int16
	CopyIn() *CopyIn
	CopyOut() *CopyOut
	// Next fills dst with at most vec.MaxBatchRows rows, valid until the next
	// call, and returns the number of live rows (dst.Rows()).
	Next(ctx context.Context, dst *vec.Batch) (rows int, err error)
	FinishCopyIn(rows int64)
	Tag() string
	// Verb is Tag without the number: "SELECT", "FETCH", "INSERT 0", "COPY".
	Verb() string
	// Suspendable tells whether a row limit may pause it. Others run to their
	// end at the first Execute.
	Suspendable() bool
	Close() error
}

// Appender takes decoded rows of COPY: inside a block they wait for COMMIT.
// *Session is one.
type Appender interface {
	Append(ctx context.Context, c *storage.Commit) (storage.Outcome, error)
	StartLoad(c *storage.Commit) (*storage.Load, error)
}

// Login is what authentication needs to know of a role.
type Login struct {
	Exists    bool
	CanLogin  bool // LOGIN, and VALID UNTIL not passed
	Superuser bool
	Verifier  string // SCRAM-SHA-256$…, "" if the role has no password
	ConnLimit int    // -1 = none
}

// Setting is one name and value of the startup packet or of ParameterStatus.
type Setting struct{ Name, Value string }
