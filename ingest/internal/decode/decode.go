// Package decode is the joint of all ingest decoders: bytes in, column
// builders out. A decoder fills the builders of one batch directly; a bad row
// is taken back by truncating every builder to the row's start, so a neighbour
// row is never touched. Decoders know no storage, no HTTP and no policies.
package decode

import (
	"quern/storage/types"
	"quern/storage/vec"
)

// Column is a target column.
type Column struct {
	Name string
	Type types.Type
}

// Reject is one row that could not be decoded.
type Reject struct {
	Row     int64  // 0-based row of the body
	Offset  int64  // byte offset of the row in the decoded body
	Raw     []byte // aliases the body
	Kind    string // row or payload (rest of a body that cannot be split)
	Code    string // SQLSTATE, or unknown_column, oversize, limit
	Column  string
	Message string // names line, column and type, never the value
	// Err is the full error, which may quote the value: COPY returns it to the
	// one who sent the value; ingest answers and quarantine never show it.
	Err error
	// Line is the 1-based line of the input; Value the bad field, if one is to
	// blame. Both only for Err's context.
	Line  int64
	Value []byte
}

// Sink receives what a decoder finds. Builders has one builder per Column.
// A decoder stops early and returns io.EOF-free nil when Full reports true.
type Sink struct {
	Columns  []Column
	Builders []*vec.Builder
	// Row is called after each complete row with its raw bytes' place in the
	// body, so that a later check (NOT NULL) can still quarantine it.
	Row func(offset int64, raw []byte) error
	// Reject keeps a bad row; an error stops the decoder (on_error=abort).
	Reject func(r Reject) error
	// Unknown is called for a field without a column. It returns true if the
	// field was taken care of (captured or ignored); false rejects the row.
	// Nil means reject.
	Unknown func(name string, raw []byte) bool
	Format  *types.Format
}

// Truncate takes the row that began at n back out of every builder.
func (s *Sink) Truncate(n int) {
	for _, b := range s.Builders {
		b.Truncate(n)
	}
}
