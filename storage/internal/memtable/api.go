// Package memtable holds rows that are durable in the WAL but not yet in a
// segment, readable like a segment.
//
//	vec.Batch ──EncodeRows──► ROWS body (in the WAL frame) ──DecodeRows──► Rows
//	                                                                        │ Append
//	Table ── Slab ── Slab ── Slab (≤ 65,536 rows each) ◄────────────────────┘
//	           └── column: validity bytes, fixed values | u32 offsets + bytes
//	           └── runs: (_commit_seq, _received_at) from row on
//
// The layout of a ROWS body and of a slab is the same, so that placing rows is
// a copy of whole buffers, at commit and at replay alike. Differences to a
// vec.Vector: validity is one byte per row, because a writer that sets bits of a
// word which readers already read would race with them.
//
// Concurrency: one writer (the committer) calls Append, Freeze, Drop and List of
// a Table. What List returned is immutable and may be read by anyone for as long
// as they hold it: a SlabView shows the rows below its count, which the writer
// never changes. Growth copies to a bigger buffer; readers keep the old one.
//
// What it does not do: no durability, no defaults, no NOT NULL: the caller gives
// rows that are final. Start reading at Table.Append and SlabView.Column.
package memtable

import "quern/storage/internal/encoding"

// Sizes of slabs. GranuleRows is the grain of min/max bounds.
const (
	SlabRows     = 65536
	GranuleRows  = 8192
	slabBytesMax = 256 << 20 // of one bytes column: u32 offsets must fit
)

// Rows are rows of one table in slab layout. It aliases the ROWS body that it
// was decoded from.
type Rows struct {
	Version uint32 // schema version
	N       int
	Cols    []RowsCol
}

// RowsCol is one column of Rows.
type RowsCol struct {
	ID    uint32
	Null  bool // every row is NULL; Data has no buffers
	Const bool // Data has one value, for every row, and no validity
	Data  encoding.Column
}

// Run says that rows from Start on (up to the next run's Start) came with one
// commit. Ordinal is the place of row Start among that commit's rows of the
// table.
type Run struct {
	Start      uint32
	Ordinal    uint32
	Seq        uint64
	ReceivedAt int64 // µs since 1970
}

// List is an immutable list of slabs with their published counts.
type List []SlabView

// SlabView is a slab below a count of rows. The zero SlabView is empty.
type SlabView struct {
	Slab *Slab
	Rows int
}

// Rows is the number of rows in l.
func (l List) Rows() int {
	n := 0
	for _, v := range l {
		n += v.Rows
	}
	return n
}
