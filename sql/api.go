// Package sql is the SQL front: text in, row streams out.
//
//	text ─ dialect (lex, walk) ─ parse (TiDB, decode) ─ ast ─ bind ─ logical ─
//	optimize ─ physical ─ engine/plan ─ engine.Run ─► Portal.Next ─► the wire
//
// A DB is one per server, a Session one per connection. The protocol layers
// (pgwire, httpapi) address prepared statements, portals, settings and
// transactions through it and keep none themselves, so both behave alike.
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
// CopyOut() != nil: rows from Next, written in COPY form;
// Fields() != nil: rows from Next; otherwise Next returns 0 at once.
// After Next has returned 0, Tag is the command tag (for SELECT the number of
// rows of all Next calls).
type Portal interface {
	Fields() []Field
	CopyIn() *CopyIn
	CopyOut() *CopyOut
	Next(ctx context.Context, dst *vec.Batch) (rows int, err error)
	FinishCopyIn(rows int64)
	Tag() string
	Close() error
}

// Appender takes decoded rows of COPY: inside a block they wait for COMMIT.
type Appender interface {
	Append(ctx context.Context, c *storage.Commit) (storage.Outcome, error)
}
