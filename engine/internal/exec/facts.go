package exec

import (
	"context"

	"quern/engine/fn"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage"
)

// takeFacts answers what it can of an aggregation without keys from what the
// scan knows of whole morsels, and gives the input that is left to read: all of
// it unless every call is a count, a min or a max over plain columns of a scan
// without filter.
func (s *aggStage) takeFacts() stage {
	in, ok := s.in.(*scanStage)
	if !ok || len(s.keys) > 0 || len(s.sets) > 0 || in.node.Filter != nil || len(in.node.Cols) == 0 {
		return s.in
	}
	scan, ok := in.scan.(storage.FactScan)
	if !ok {
		return s.in
	}
	cols := make([]int, len(s.calls))
	for i, c := range s.calls {
		if cols[i], ok = factColumn(c); !ok {
			return s.in
		}
	}
	w := s.groups.worker(0)
	w.table.Single()
	rest := &someMorsels{stage: in}
	facts := make([]storage.ColumnFacts, len(s.calls))
	for m := range in.scan.Morsels() {
		known := true
		for i, c := range cols {
			if facts[i], ok = scan.Facts(m, max(c, 0)); !ok {
				known = false
				break
			}
		}
		if !known {
			rest.list = append(rest.list, m)
			continue
		}
		for i, c := range s.calls {
			if c.shares != nil {
				continue
			}
			c.addFacts(w.table.Rows[c.off:], &facts[i], cols[i] < 0)
		}
	}
	return rest
}

// factColumn is the scan's column that decides a call, −1 for count(*).
func factColumn(c *aggCall) (col int, ok bool) {
	if c.filter != nil || len(c.args) > 1 || len(c.order) > 0 {
		return 0, false
	}
	switch a := c.agg.(type) {
	case countAgg:
	case wordExtreme:
		if a.isFloat() || a.kind == fn.AggAnyValue {
			return 0, false
		}
	default:
		return 0, false
	}
	if len(c.args) == 0 {
		return -1, true
	}
	e, ok := c.args[0].e.(*plan.Col)
	if !ok {
		return 0, false
	}
	return e.Index, true
}

// addFacts adds a morsel to a call's state.
func (c *aggCall) addFacts(state []uint64, f *storage.ColumnFacts, star bool) {
	values := uint64(f.Rows - f.Nulls)
	if star {
		values = uint64(f.Rows)
	}
	a, extreme := c.agg.(wordExtreme)
	if !extreme {
		state[0] += values
		return
	}
	if values == 0 {
		return
	}
	x := uint64(f.Min)
	if a.kind == fn.AggMax {
		x = uint64(f.Max)
	}
	if state[1] == 0 || a.better(x, state[0]) {
		state[0] = x
	}
	state[1] += values
}

// someMorsels is a stage of which only some morsels are left.
type someMorsels struct {
	stage
	list []int
}

func (s *someMorsels) morsels() int { return len(s.list) }
func (s *someMorsels) open() runner { return &someRunner{runner: s.stage.open(), list: s.list} }

type someRunner struct {
	runner
	list []int
}

func (r *someRunner) run(ctx context.Context, m int, emit sched.Emit) error {
	return r.runner.run(ctx, r.list[m], emit)
}
