package exec

import (
	"bytes"
	"context"
	"math"
	"strings"

	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/types/canon"
	"quern/storage/vec"
)

// distinctOnStage passes the first row of each run of equal keys. It reads its
// sorted input as an ordered stream, in one morsel.
type distinctOnStage struct {
	stage
	q    *query
	keys []*compiled
}

func (q *query) buildDistinctOn(ctx context.Context, n *plan.DistinctOn) (stage, error) {
	in, err := q.build(ctx, n.In)
	if err != nil {
		return nil, err
	}
	keys, err := q.compileAll(ctx, n.Keys)
	if err != nil {
		return nil, err
	}
	return &distinctOnStage{in, q, keys}, nil
}

func (s *distinctOnStage) morsels() int { return 1 }
func (s *distinctOnStage) open() runner { return s }

// run is called once: there is one morsel.
func (s *distinctOnStage) run(ctx context.Context, _ int, emit sched.Emit) error {
	st := s.q.streamPrepared(ctx, s.stage)
	defer st.Close()
	keys := instances(s.keys)
	vecs := make([]vec.Vector, len(keys))
	last := make([]types.Datum, len(keys))
	first := true
	var b vec.Batch
	for {
		n, err := st.Next(ctx, &b)
		if err != nil || n == 0 {
			return err
		}
		if err := evalAll(keys, &b, vecs); err != nil {
			return err
		}
		sel := vec.Selection{}
		row := func(i int) {
			same := !first
			for k := range vecs {
				d := vecs[k].Datum(i)
				same = same && sameKey(vecs[k].Type, &d, &last[k])
				if !same {
					d.S = strings.Clone(d.S)
					last[k] = d
				}
			}
			if !same {
				sel = append(sel, uint16(i))
			}
			first = false
		}
		if b.Sel == nil {
			for i := range b.Len {
				row(i)
			}
		} else {
			for _, i := range b.Sel {
				row(int(i))
			}
		}
		b.Sel = sel
		if err := emit(&b); err != nil {
			return err
		}
	}
}

// sameKey tells whether two values group together: NULLs and NaNs are equal.
func sameKey(t types.Type, a, b *types.Datum) bool {
	if a.Null || b.Null {
		return a.Null && b.Null
	}
	switch t.Phys() {
	case types.PhysF32, types.PhysF64:
		return a.F == b.F || math.IsNaN(a.F) && math.IsNaN(b.F)
	case types.PhysNum:
		return a.N.Cmp(b.N) == 0
	case types.PhysInterval:
		return a.Iv.Cmp(b.Iv) == 0
	case types.PhysUUID:
		return a.U == b.U
	case types.PhysBytes:
		if t.OID == types.BpcharOID {
			return strings.TrimRight(a.S, " ") == strings.TrimRight(b.S, " ")
		}
		if a.S != b.S && canon.Spelled(t) {
			return bytes.Equal(canon.Append(nil, t, []byte(a.S)), canon.Append(nil, t, []byte(b.S)))
		}
		return a.S == b.S
	}
	return a.I == b.I
}
