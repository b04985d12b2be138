// Package scan is the only reader of cell values: it applies a policy.View to
// slabs and row groups and yields what the view's principal may see.
//
//	New(spec) *Scan                 once per Snapshot.Scan
//	(*Scan).Slab(view) *Reader      nil if no row can match
//	(*Scan).Group(file, g) *Reader  nil if no row can match
//
// A Reader has the method set of storage.GroupReader. The order is fixed:
// deleted rows, retention floor, row filter, masks, predicates. A predicate on
// a masked column compares masked values and never meets raw statistics.
package scan

import (
	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
)

// Op is a comparison; values equal storage.PredOp's.
type Op uint8

// Operations of Pred.
const (
	Eq Op = iota + 1
	Ne
	Lt
	Le
	Gt
	Ge
	In
	IsNull
	NotNull
)

// Pred is storage.Pred: column Spec.Cols[Col] Op Val, NULL does not match.
type Pred struct {
	Col  int
	Op   Op
	Val  types.Datum
	Vals []types.Datum
}

// Spec says what to read.
type Spec struct {
	View  *policy.View
	Table *catalog.Table // of the snapshot
	Cols  []uint32       // hidden ones allowed
	Preds []Pred
}
