package engine

import (
	"context"

	"quern/engine/internal/exec"
	"quern/engine/plan"
	"quern/storage"
)

// Run makes the rows of a query. Nothing is executed before the first Next;
// ctx must live as long as the rows.
func Run(ctx context.Context, q *Query) (Rows, error) {
	cfg := exec.Config{
		Plan: q.Plan, Snap: q.Snap, Params: q.Params, Env: q.Env, Threads: q.Threads, Memory: q.Memory,
	}
	if q.Resources != nil {
		cfg.Disk, cfg.Parent = q.Resources.disk, q.Resources.memory
		cfg.Gate, cfg.Blocks = q.Resources.gate, q.Resources.blocks
	}
	if q.Analyze != nil {
		cfg.Stats = &q.Analyze.stats
	}
	r, err := exec.Open(ctx, &cfg)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Analysis holds per node counters of one execution, complete after
// Rows.Close. The zero value is ready.
type Analysis struct {
	stats exec.Stats
}

// NodeStats are the counters of one plan node.
type NodeStats struct {
	Rows, Batches int64
	// Nanos is summed over workers and includes the node's inputs.
	Nanos int64
	Scan  storage.ScanStats // of a Scan; withhold it from bound views
}

// Node returns the counters of n; false if it was not executed.
func (a *Analysis) Node(n plan.Node) (NodeStats, bool) {
	s := a.stats.Node(n)
	if s == nil {
		return NodeStats{}, false
	}
	return NodeStats{Rows: s.Rows.Load(), Batches: s.Batches.Load(), Nanos: s.Nanos.Load(), Scan: s.Scan}, true
}

// PeakMemory is the most memory that was reserved at one time, in bytes.
func (a *Analysis) PeakMemory() int64 { return a.stats.PeakMemory() }
