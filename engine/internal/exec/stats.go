package exec

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/vec"
)

// NodeStats are the counters of one plan node. Time is summed over workers and
// excludes what the receivers of its batches took; it includes its inputs.
type NodeStats struct {
	Rows, Batches, Nanos atomic.Int64
	Scan                 storage.ScanStats // of a Scan, after Close
	scan                 func() storage.ScanStats
}

// Stats are the counters of one query.
type Stats struct {
	mu     sync.Mutex
	nodes  map[plan.Node]*NodeStats
	budget *sched.Budget
}

// Node returns the counters of n, nil if it did not run.
func (s *Stats) Node(n plan.Node) *NodeStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nodes[n]
}

// PeakMemory is the most the query had reserved at one time.
func (s *Stats) PeakMemory() int64 {
	if s.budget == nil {
		return 0
	}
	return s.budget.Peak()
}

func (s *Stats) node(n plan.Node) *NodeStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodes == nil {
		s.nodes = map[plan.Node]*NodeStats{}
	}
	if s.nodes[n] == nil {
		s.nodes[n] = &NodeStats{}
	}
	return s.nodes[n]
}

// countStage counts what in emits.
type countStage struct {
	in   stage
	node *NodeStats
}

func (s *countStage) prepare(ctx context.Context) error {
	t := time.Now()
	err := s.in.prepare(ctx)
	s.node.Nanos.Add(int64(time.Since(t)))
	if sc, ok := s.in.(*scanStage); ok && err == nil {
		s.node.scan = sc.scan.Stats
	}
	return err
}

func (s *countStage) morsels() int { return s.in.morsels() }
func (s *countStage) open() runner { return &countRunner{s.in.open(), s.node} }

func (s *countStage) close() {
	if s.node.scan != nil {
		s.node.Scan, s.node.scan = s.node.scan(), nil
	}
	s.in.close()
}

type countRunner struct {
	in   runner
	node *NodeStats
}

func (r *countRunner) run(ctx context.Context, m int, emit sched.Emit) error {
	start := time.Now()
	var above time.Duration
	err := r.in.run(ctx, m, func(b *vec.Batch) error {
		n := b.Rows()
		if n == 0 {
			return nil
		}
		r.node.Rows.Add(int64(n))
		r.node.Batches.Add(1)
		t := time.Now()
		err := emit(b)
		above += time.Since(t)
		return err
	})
	r.node.Nanos.Add(int64(time.Since(start) - above))
	return err
}
