// Package ingest is the door through which bytes become rows: HTTP bodies and
// COPY streams are decoded straight into column builders, completed with
// quarantine entries, and handed to storage.Commit as one atomic batch.
//
//	Append: authorise ─ content decode ─ sniff ─ (infer) ─ decode ─ Commit ─ Answer
//	CopyFrom: decode ─ Appender (commits, or waits for the block's COMMIT)
//
// Received = accepted + duplicates + quarantined + refused holds for every
// answer. It writes no files and runs no SQL. Start reading at Ingester.Append.
package ingest

import (
	"context"
	"io"

	"quern/storage"
	"quern/storage/policy"
	"quern/storage/types"
)

// Request is one ingest request of the HTTP route.
type Request struct {
	Principal policy.Principal
	Schema    string // empty = public
	Table     string // empty = multi-table route: lines {"table":…,"row":…}
	// Format wins over sniffing, sniffing over ContentType (INGEST.md §3.2):
	// ndjson, json, csv, parquet, arrow or empty.
	Format          string
	ContentType     string
	ContentEncoding string
	Columns         []string // restricts JSON fields, names CSV columns
	Create          bool
	// OnError is quarantine (default), abort, or limit:N.
	OnError string
	// Buffered asks for an ack before the sync (ack=buffered).
	Buffered bool
	Key      string // Idempotency-Key, empty = none
	Client   string // address, for quarantine
	Source   string // http, load, …
	Body     io.Reader
	// Length is the encoded size of Body if it is known, else 0.
	Length int64
}

// Rejected is one entry of Answer.Rejects.
type Rejected struct {
	Row          int64  `json:"row"`
	Offset       int64  `json:"offset"`
	Code         string `json:"code"`
	Column       string `json:"column,omitempty"`
	Message      string `json:"message"`
	QuarantineID string `json:"quarantine_id,omitempty"`
}

// Answer is the body of a 200.
type Answer struct {
	Received    int64      `json:"received"`
	Accepted    int64      `json:"accepted"`
	Duplicates  int64      `json:"duplicates"`
	Quarantined int64      `json:"quarantined"`
	Refused     int64      `json:"refused"`
	CommitSeq   uint64     `json:"commit_seq"`
	Replayed    bool       `json:"replayed"`
	Rejects     []Rejected `json:"rejects"` // the first 100
}

// CopySpec says what the bytes of COPY … FROM STDIN mean. The protocol layer
// fills it from sql.CopyIn.
type CopySpec struct {
	Principal  policy.Principal
	Table      uint32
	Name       string
	Cols       []uint32
	Names      []string
	Types      []types.Type
	TextFormat *types.Format

	Format                  string // text, csv, binary
	Delimiter               byte
	Null                    string
	Header                  string // "", true, match
	Quote, Escape           byte
	ForceNotNull, ForceNull map[string]bool
	OnErrorIgnore           bool
	RejectLimit             int64
	BatchKey                string
}

// CopyResult counts what COPY did.
type CopyResult struct {
	Rows        int64 // accepted: COPY's tag
	Quarantined int64
	Replayed    bool
}

// Appender takes finished batches: rows alone are committed together when the
// statement, or the block that it is in, ends; with a key, rejects or loads at
// once. sql.Session is the one outside tests.
type Appender interface {
	Append(ctx context.Context, c *storage.Commit) (storage.Outcome, error)
	// StartLoad begins a load that a later Append commits (Commit.Loads).
	StartLoad(c *storage.Commit) (*storage.Load, error)
}
