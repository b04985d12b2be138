package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
)

// unionStage concatenates the morsels of its inputs.
type unionStage struct {
	ins []stage
	end []int // morsels up to and including input i
}

func (q *query) buildUnion(ctx context.Context, n *plan.Union) (stage, error) {
	s := &unionStage{}
	for _, in := range n.Ins {
		st, err := q.build(ctx, in)
		if err != nil {
			s.close()
			return nil, err
		}
		s.ins = append(s.ins, st)
	}
	return s, nil
}

func (s *unionStage) prepare(ctx context.Context) error {
	total := 0
	for _, in := range s.ins {
		if err := in.prepare(ctx); err != nil {
			return err
		}
		total += in.morsels()
		s.end = append(s.end, total)
	}
	return nil
}

func (s *unionStage) morsels() int { return s.end[len(s.end)-1] }

func (s *unionStage) close() {
	for _, in := range s.ins {
		in.close()
	}
}

func (s *unionStage) open() runner { return &unionRunner{s: s, ins: make([]runner, len(s.ins))} }

type unionRunner struct {
	s   *unionStage
	ins []runner
}

func (r *unionRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	first := 0
	for i, end := range r.s.end {
		if morsel < end {
			if r.ins[i] == nil {
				r.ins[i] = r.s.ins[i].open()
			}
			return r.ins[i].run(ctx, morsel-first, emit)
		}
		first = end
	}
	return nil
}
