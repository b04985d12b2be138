// Package vec holds columns in memory: Vector, Batch and Selection.
//
//	Batch ── Cols[i] Vector ── Form Flat: values in Fixed or Views
//	   │                       Form Const: one value for every row
//	   │                       Form Dict: u32 codes in Fixed, entries in Dict
//	   └── Sel: ascending positions still alive (nil = all)
//
// Layouts are little-endian and pointer-free except for the list of byte
// buffers that views refer to. Fixed-width layouts equal Arrow's but for bool,
// which takes one byte per value here (kernels stay branch-free; bits exist in
// pages and in Arrow exports), and Num.
//
// Ownership: there is no Retain/Release. A vector's memory belongs to whoever
// filled it (the pinned snapshot, an arena, the caller's scratch) and is valid
// until the next call on the reader that filled it; a sink copies what it keeps.
// NULL rows hold readable, meaningless bytes: kernels may compute on them, must
// not raise for them. Whoever hides a value (mask, join padding) zeroes it.
//
// Start reading at Vector. It knows no files, plans or policies.
package vec

import "quern/storage/types"

// BatchRows is the number of rows that sources put into a batch. Every
// operator must work with 1 ≤ Len ≤ MaxBatchRows.
const (
	BatchRows    = 2048
	MaxBatchRows = 8192
)

// Form says how a vector's values are stored.
type Form uint8

// Forms of a vector.
const (
	Flat  Form = iota // value i is at position i
	Const             // value 0 stands for every row; Valid has at most bit 0
	Dict              // Fixed holds u32 codes into Dict.Values
)

// View is a string of 16 bytes: up to 12 bytes inline in A, B, C, otherwise A
// holds the first four bytes, B the buffer's index and C the offset in it.
type View struct {
	Len, A, B, C uint32
}

// Dictionary is the shared value list of Dict vectors.
type Dictionary struct {
	Values Vector   // Flat, no NULLs
	Sorted bool     // ascending bytewise: codes compare as values
	ASCII  bool     // every entry is ASCII
	Hashes []uint64 // HashBytes of each entry under HashKey, or nil
	ID     uint64   // unique in the process; equal IDs mean equal dictionaries
}

// Vector is one column of a batch. Valid is nil when no row is NULL; otherwise
// bit i (LSB first) of word i/64 is set when row i is not NULL.
type Vector struct {
	Type  types.Type
	Form  Form
	Len   int
	Fixed []byte   // fixed widths; codes of Dict
	Views []View   // PhysBytes
	Bufs  [][]byte // what Views refer to
	Valid []uint64
	Dict  *Dictionary
	// ASCII says that every string of the Views is ASCII; for Dict see its
	// Values. Whoever puts other views in must clear it.
	ASCII bool
}

// Selection lists ascending row positions; nil means all rows.
type Selection []uint16

// RowRef is a row's address in a snapshot: store ordinal<<32 | row.
type RowRef uint64

// Batch is up to MaxBatchRows rows. Every column has Len rows; rows outside
// Sel (when not nil) are dead.
type Batch struct {
	Cols []Vector
	Len  int
	Sel  Selection
	Base RowRef
}

// Rows is the number of live rows.
func (b *Batch) Rows() int {
	if b.Sel != nil {
		return len(b.Sel)
	}
	return b.Len
}
