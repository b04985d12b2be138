// Package segment reads and writes immutable columnar files (.qseg).
//
//	Split(list, split) []Part                        rows of a MemTable by partition
//	Build(ctx, fs, tmp, path, spec, list, rows) Info sorts and writes one file, durable
//	Open(fs, path, expect) *File                     maps it; verified at first touch
//	(*File).Close()                                  after its last reader ended
//
// The byte diagram is in doc.go.
package segment

import "quern/storage/types"

// Rows of a row group, and of a granule (the grain of skipping). Only the last
// row group of a segment may be short.
const (
	GroupRows   = 131072
	GranuleRows = 8192
	RowsMax     = 16777216
)

// Column is a column to be stored.
type Column struct {
	ID   uint32
	Name string
	Type types.Type
	// Missing is what rows show that were written before the column existed
	// (they hold no value for it); NULL if there is no such default.
	Missing types.Datum
}

// SortKey is one column of the sort order.
type SortKey struct {
	Col  uint32
	Desc bool
}

// Spec says what a new segment is.
type Spec struct {
	ID      uint64
	UUID    [16]byte
	Table   uint32
	Version uint32 // schema version
	Cols    []Column
	Order   []SortKey
	TimeCol uint32 // event-time column, 0 if none
	Writer  string // product version, for ORIGIN
	Reason  string // flush, merge, purge, load
	// Cold: pages and dictionaries are also compressed where that makes them 1.3 times
	// smaller. They take longer to read and memory while they are, so this is for what
	// is seldom read: sealed partitions.
	Cold bool
	// Memory is what is known from other segments of the table; nil = nothing.
	Memory *Memory
}

// Info is what the manifest keeps of a segment.
type Info struct {
	ID          uint64
	Rows        int64
	Length      int64
	TrailerCRC  uint32
	SeqMin      uint64
	SeqMax      uint64
	TimeMin     int64 // of the effective time, see Effective
	TimeMax     int64
	ReceivedMin int64
	ReceivedMax int64
}

// Part is the rows of one partition, as positions in the list that was split
// (slab i's row r is base(i)+r, base being the rows of the slabs before it).
type Part struct {
	Name string // d20260131, h2026013114, m202601, all, null, mixed
	Rows []uint32
}

// Grain is how event time is cut into partitions.
type Grain uint8

// Grains of partitions.
const (
	GrainNone Grain = iota // one partition "all"
	GrainMonth
	GrainDay
	GrainHour
)

// SplitSpec says how Split cuts rows into partitions.
type SplitSpec struct {
	TimeCol  uint32 // 0: everything goes to "all"
	Grain    Grain
	Floor    int64 // rows whose effective time is lower are dropped
	HasFloor bool
	// Deleted tells whether a position (as in Part.Rows) was deleted; nil = none.
	Deleted func(pos uint32) bool
	// MinRows: partitions with fewer rows, and those beyond MaxParts, are put
	// together into one part "mixed", in partition order.
	MinRows  int
	MaxParts int
}

// Expect is what the manifest says of a segment; Open refuses a file that
// differs. Zero fields are not checked.
type Expect struct {
	ID         uint64
	Length     int64
	TrailerCRC uint32
	Seq        uint64 // of every row, see File.SetSeq
	Dicts      *Dicts // keeps decoded dictionaries; nil = without bound
}
