// Package engine runs physical plans: parallel, cancellable, memory-bounded.
//
//	Run(ctx, Query) ─► pipelines of (Source → Transforms → Sink) over morsels,
//	N workers each ─► Rows: batches to the caller
//
// Workers never outlive a query: Rows.Close waits for them. Results do not
// depend on batch size, thread count, encoding or the place of a row.
// Start reading at Run.
package engine

import (
	"context"

	"quern/engine/fn"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// Query is one execution of a plan.
type Query struct {
	Plan    plan.Node
	Snap    Scanner // what the plan's Scans read
	Params  []types.Datum
	Env     *fn.Env
	Threads int   // workers; 0 = all cores
	Memory  int64 // budget in bytes of this query; 0 = a default
	// Resources are shared with other queries. Without them an operator that does
	// not fit in Memory ends with 53200; with them it spills.
	Resources *Resources
	// Analyze collects per node counters for EXPLAIN ANALYZE.
	Analyze *Analysis
}

// Scanner opens scans; *storage.Snapshot is the one outside tests.
type Scanner interface {
	Scan(ctx context.Context, spec storage.ScanSpec) (storage.Scan, error)
}

// Rows is a stream of result batches. Next fills dst and returns the number of
// live rows, 0 at the end. dst's vectors stay valid until the next call.
// Close stops the query, waits for its workers and frees its memory; it may be
// called at any time, more than once.
type Rows interface {
	Next(ctx context.Context, dst *vec.Batch) (rows int, err error)
	Close() error
}
