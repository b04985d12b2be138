package exec

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// limitStage passes count rows after offset. It reads its input as an ordered
// stream, in one morsel, and closes it as soon as it has enough.
type limitStage struct {
	q             *query
	in            stage
	count, offset *compiled // nil = none
	n, skip       int64     // n < 0 = no limit
}

func (q *query) buildLimit(ctx context.Context, n *plan.Limit) (stage, error) {
	in, err := q.build(ctx, n.In)
	if err != nil {
		return nil, err
	}
	s := &limitStage{q: q, in: in}
	s.count, s.offset, err = q.compileLimit(ctx, n.Count, n.Offset)
	return s, err
}

func (q *query) compileLimit(ctx context.Context, count, offset plan.Expr) (c, o *compiled, err error) {
	if count != nil {
		if c, err = q.compile(ctx, count); err != nil {
			return nil, nil, err
		}
	}
	if offset != nil {
		if o, err = q.compile(ctx, offset); err != nil {
			return nil, nil, err
		}
	}
	return c, o, nil
}

// limitValues evaluates LIMIT and OFFSET; n < 0 means no limit.
func limitValues(count, offset *compiled) (n, skip int64, err error) {
	n = -1
	if v, null, err := scalarInt(count); err != nil {
		return 0, 0, err
	} else if !null {
		if v < 0 {
			return 0, 0, errs.New(errs.InvalidLimit, "LIMIT must not be negative")
		}
		n = v
	}
	if v, null, err := scalarInt(offset); err != nil {
		return 0, 0, err
	} else if !null {
		if v < 0 {
			return 0, 0, errs.New(errs.InvalidOffset, "OFFSET must not be negative")
		}
		skip = v
	}
	return n, skip, nil
}

func scalarInt(c *compiled) (v int64, null bool, err error) {
	if c == nil {
		return 0, true, nil
	}
	d, err := scalar(c)
	return d.I, d.Null, err
}

// scalar evaluates an expression without columns.
func scalar(c *compiled) (types.Datum, error) {
	v, err := c.instance().eval(oneRow())
	if err != nil {
		return types.Datum{}, err
	}
	return v.Datum(0), nil
}

func (s *limitStage) prepare(ctx context.Context) (err error) {
	if s.n, s.skip, err = limitValues(s.count, s.offset); err != nil || s.n == 0 {
		return err
	}
	return s.in.prepare(ctx)
}

func (s *limitStage) morsels() int { return 1 }
func (s *limitStage) close()       { s.in.close() }
func (s *limitStage) open() runner { return s }

// run is called once: there is one morsel.
func (s *limitStage) run(ctx context.Context, _ int, emit sched.Emit) error {
	if s.n == 0 {
		return nil
	}
	st := s.q.streamPrepared(ctx, s.in)
	defer st.Close()
	left, skip := s.n, s.skip
	var b vec.Batch
	for {
		n, err := st.Next(ctx, &b)
		if err != nil || n == 0 {
			return err
		}
		if int64(n) <= skip {
			skip -= int64(n)
			continue
		}
		take := int64(n) - skip
		if left >= 0 {
			take = min(take, left)
		}
		b.Cut(int(skip), int(skip+take))
		skip = 0
		if err := emit(&b); err != nil {
			return err
		}
		if left >= 0 {
			if left -= take; left == 0 {
				return nil
			}
		}
	}
}
