// Package storage is the door to everything durable: one Commit makes a batch
// durable and visible, one Snapshot shows a consistent state, one Scan reads
// it through a policy view.
//
//	Commit ─► frame ─► WAL write ─► fsync ─► slabs + publish State ─► ack
//	                                            │ flush (background)
//	Snapshot ◄── State {catalog, slabs, segments} ◄── manifest FLUSH
//	   └── Scan(view, columns, predicates) ─► morsels ─► GroupReader
//
// The WAL frame is the only commit point. commit_seq is one u64 sequence for
// the whole data folder. A State is immutable and swapped atomically: a batch
// is seen whole or not at all. Files are removed only after the last snapshot
// that holds them ended.
//
// Deleted rows are named by their address in a snapshot (Snapshot.Rows) and
// kept as bitmaps in the State until a flush leaves them out; of segments, they
// go into .qdv files before the log retires (deletes.go, vectors.go). An UPDATE
// is a delete and rows in one frame.
//
// Start reading at Store.Commit, then Store.Snapshot and Snapshot.Scan.
package storage

import (
	"context"
	"time"

	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// Commit is one atomic change: all of it or nothing.
type Commit struct {
	// Schema changes apply before the rows. When it is not empty, BaseVersion
	// is the catalog version that they were computed from; if another change
	// won the race, Commit fails with 40001 and the caller computes anew.
	Schema      []catalog.Change
	BaseVersion uint64
	Deletes     []*DeleteSet // before Tables' rows come; see Snapshot.Rows
	Tables      []TableRows
	// Loads bring rows that are in segments already. They stay the caller's, to
	// be closed.
	Loads   []*Load
	Key     *BatchKey
	Rejects []Reject
	Source  string // http, copy, insert, …: for ingest statistics
	User    string // role name, for DEFAULT current_user
	// Ingest marks the routes where a row that breaks a rule (NOT NULL) goes
	// to quarantine instead of failing the commit.
	Ingest bool
	// Buffered acknowledges the commit when its frame is written, before the sync:
	// it survives the end of the process, not of the machine. Snapshots opened
	// after it wait for the sync.
	Buffered bool
	// Patience is how long the commit waits while memory or the log is full, before
	// it fails with 53200; 0 = as long as it takes.
	Patience time.Duration
	Refused  int64 // rows already refused by the decoder (on_error=abort has none)
}

// TableRows are rows of one table. Commit copies what it keeps of Batches.
type TableRows struct {
	Table uint32   // id; may be created by Schema of the same commit
	Cols  []uint32 // column ids of Batches' columns; missing ones take their default
	// Batches hold live rows per Sel; types equal the columns' types.
	Batches []*vec.Batch
	// Update says that these are new versions of rows that Deletes names: the
	// table's dedup_key does not judge them.
	Update bool
	// Raw returns the raw bytes of row i (counted over all batches), for
	// quarantine; nil on SQL routes.
	Raw func(row int) []byte
}

// BatchKey makes a commit idempotent per (principal, table, key).
type BatchKey struct {
	Principal uint32
	Table     uint32   // 0 for the multi-table route
	Key       string   // 1..256 bytes
	Digest    [16]byte // of the decoded content
}

// Reject is one row that could not be stored as asked.
type Reject struct {
	Table   uint32 // 0 if the table is unknown
	Name    string // table name as asked
	Raw     []byte
	Row     int64
	Offset  int64
	Format  string
	Kind    string // row, payload
	Code    string // SQLSTATE or oversize, limit, unknown_column, …
	Column  string
	Message string // names line, column, type; never the value
	Client  string
}

// Outcome is what became of a commit. For a repeated key it is the first
// commit's outcome, with Replayed set.
type Outcome struct {
	Seq         uint64
	Received    int64
	Accepted    int64
	Duplicates  int64
	Quarantined int64
	Refused     int64
	Replayed    bool
}

// PredOp is a comparison that the scan can decide on encoded data.
type PredOp uint8

// Operations of Pred.
const (
	PredEq PredOp = iota + 1
	PredNe
	PredLt
	PredLe
	PredGt
	PredGe
	PredIn // Vals
	PredIsNull
	PredNotNull
)

// Pred is a conjunct `column OP constant` with SQL's NULL semantics (NULL does
// not match) that cannot raise. The constant has the column's type. Text
// compares bytewise (collation C).
type Pred struct {
	Col  int // index into ScanSpec.Cols
	Op   PredOp
	Val  types.Datum
	Vals []types.Datum
}

// ScanSpec says what to read.
type ScanSpec struct {
	// View is mandatory; its table is the one that is read.
	View *policy.View
	Cols []uint32 // column ids, hidden ones allowed
	// Preds are a hint and a filter: all rows that a reader yields satisfy
	// them, and granules are skipped by them. On a masked column they compare
	// masked values and never use raw statistics.
	Preds []Pred
}

// GroupReader reads one morsel: a slab or a row group, in batches of at most
// vec.BatchRows. Not for concurrent use; vectors are valid until the next
// Start. Retention, row filter and masks are already applied: it shows only
// what the view's principal may see. See ENGINE.md §7.
type GroupReader interface {
	// Batches is the number of batches in the morsel.
	Batches() int
	// Start goes to a batch and gives its physical rows and the rows that are
	// visible and satisfy ScanSpec.Preds (nil = all; empty = none).
	Start(ctx context.Context, batch int) (rows int, sel vec.Selection, err error)
	// Load fills dst with column col (index into ScanSpec.Cols). Rows outside
	// sel may hold anything that the principal may see, or zero.
	Load(col int, sel vec.Selection, dst *vec.Vector) error
	Close() error
}

// BoundedReader is a GroupReader that may know bounds of an integer column in a
// batch (−1 = all), hidden rows included, and whether some may be NULL.
type BoundedReader interface {
	Bounds(col, batch int) (lo, hi int64, nulls, ok bool)
}

// MorselInfo describes a morsel for planning and EXPLAIN.
type MorselInfo struct {
	Rows    int
	Segment bool // else a slab
}

// Scan is an opened scan of one table in one snapshot. It pins the snapshot
// until Close. Open may be called concurrently; each reader belongs to one
// worker.
type Scan interface {
	Morsels() int
	Info(morsel int) MorselInfo
	Open(ctx context.Context, morsel int) (GroupReader, error)
	// Stats counts what the scan skipped, for EXPLAIN ANALYZE of unbound roles.
	Stats() ScanStats
	Close() error
}

// FactScan is what a Scan may implement on top: to know of whole morsels without
// reading them.
type FactScan interface {
	// Facts bounds the values of column col (index into ScanSpec.Cols) that a
	// reader of the morsel would yield. ok is false if that takes reading: where
	// the view is bound or has a retention floor, predicates apply, rows are
	// deleted, and for slabs, columns that the segment lacks or that are no
	// integers, dates, times or bools.
	Facts(morsel, col int) (f ColumnFacts, ok bool)
}

// DictScan is what a Scan may implement on top: to know a column's dictionaries.
type DictScan interface {
	// DictBytes is their size but for the largest; not ok: masked, or few have one.
	DictBytes(col int) (others int64, ok bool)
	LargestDict(col int) (*vec.Dictionary, error)
}

// ColumnFacts are exact: Min and Max occur, as order-preserving integers (days,
// microseconds, 0 and 1), unless all rows are NULL.
type ColumnFacts struct {
	Rows, Nulls int
	Min, Max    int64
}

// ScanStats are counters of one scan.
type ScanStats struct {
	Segments, SegmentsSkipped   int
	RowGroups, RowGroupsSkipped int
	Granules, GranulesSkipped   int
	Bytes                       int64
}

// Pending is what an open transaction adds to its snapshot, for Snapshot.With.
type Pending struct {
	// Rows are what Store.Complete made: defaults applied, NOT NULL checked.
	Rows []TableRows
	// Deletes are rows that it deletes; they come before Rows.
	Deletes []*DeleteSet
	// Loads hold further rows of the transaction.
	Loads []*Load
	// Catalog is the catalog to read by; nil = the snapshot's. A newer one is
	// what PostgreSQL reads inside a transaction too, so that a REVOKE acts on
	// the next statement of an open block; or it holds changes that are not
	// committed yet. A table that the snapshot does not know has no committed
	// rows; a column that rows do not have shows Column.Missing.
	Catalog *catalog.Snapshot
}
