package exec

import (
	"context"
	"sync/atomic"

	"quern/engine/internal/hash"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage"
	"quern/storage/types"
	"quern/storage/vec"
)

// joinStage materialises one side (build), indexes it by its keys, and streams
// the other (probe). Without keys every pair of rows is a candidate. Candidates
// that the residual condition rejects do not match.
//
// Unmatched build rows (right and full joins) come in one more morsel, which
// waits for all others.
type joinStage struct {
	q          *query
	kind       plan.JoinKind
	probe      stage
	build      stage
	probeTyps  []types.Type
	buildTyps  []types.Type
	probeKeys  []*compiled
	buildKeys  []*compiled
	residual   *compiled // over left++right
	resCols    []bool    // columns of left++right that residual uses
	swapped    bool      // the probe side is the right one
	plainKeys  int       // trailing keys that are not null-aware
	set        *rowset
	table      *hash.Join // nil without keys
	keyCols    []vec.Vector
	nullBuild  []uint32 // build rows with NULL in a null-aware key
	acct       *sched.Account
	matched    []atomic.Uint32 // bit per build row, for right and full
	running    atomic.Int64    // probe morsels that have not ended
	allDone    chan struct{}
	probeParts int
}

func (q *query) buildJoin(ctx context.Context, n *plan.Join) (stage, error) {
	l, err := q.build(ctx, n.Left)
	if err != nil {
		return nil, err
	}
	r, err := q.build(ctx, n.Right)
	if err != nil {
		return nil, err
	}
	s := &joinStage{q: q, kind: n.Kind, probe: l, build: r, probeTyps: n.Left.Types(), buildTyps: n.Right.Types(), plainKeys: n.PlainKeys}
	if s.kind == plan.Cross {
		s.kind = plan.Inner
	}
	if s.probeKeys, err = q.compileAll(ctx, n.LeftKeys); err != nil {
		return nil, err
	}
	if s.buildKeys, err = q.compileAll(ctx, n.RightKeys); err != nil {
		return nil, err
	}
	if n.Residual != nil {
		if s.residual, err = q.compile(ctx, n.Residual); err != nil {
			return nil, err
		}
		s.resCols = make([]bool, len(s.probeTyps)+len(s.buildTyps))
		markCols(s.residual.e, s.resCols)
	}
	return s, nil
}

// swap exchanges the sides of a join that allows it.
func (s *joinStage) swap() {
	s.swapped = true
	s.probe, s.build = s.build, s.probe
	s.probeTyps, s.buildTyps = s.buildTyps, s.probeTyps
	s.probeKeys, s.buildKeys = s.buildKeys, s.probeKeys
	switch s.kind {
	case plan.Left:
		s.kind = plan.Right
	case plan.Right:
		s.kind = plan.Left
	}
}

// chooseSides builds on the smaller side where the join allows it.
func (s *joinStage) chooseSides(ctx context.Context) error {
	switch s.kind {
	case plan.Inner, plan.Left, plan.Right, plan.Full:
	default:
		return nil
	}
	l, err := estimate(ctx, s.probe)
	if err != nil {
		return err
	}
	r, err := estimate(ctx, s.build)
	if err != nil {
		return err
	}
	if 2*l < r {
		s.swap()
	}
	return nil
}

// estimate guesses the number of rows of a stage that is not prepared.
func estimate(ctx context.Context, s stage) (int64, error) {
	switch s := s.(type) {
	case *countStage:
		return estimate(ctx, s.in)
	case *scanStage:
		if err := s.openScan(ctx); err != nil {
			return 0, err
		}
		n := int64(0)
		for m := range s.scan.Morsels() {
			n += int64(s.scan.Info(m).Rows)
		}
		for _, p := range s.spec.Preds {
			if p.Op == storage.PredEq {
				n /= 10
			} else if p.Op != storage.PredNotNull {
				n /= 3
			}
		}
		if s.rest != nil {
			n /= 3
		}
		return n, nil
	case *filterStage:
		n, err := estimate(ctx, s.stage)
		return n / 3, err
	case *projectStage:
		return estimate(ctx, s.stage)
	case *sortStage:
		return estimate(ctx, s.in)
	case *aggStage:
		n, err := estimate(ctx, s.in)
		if len(s.keys) == 0 {
			n = 1
		}
		return n / 4, err
	case *joinStage:
		l, err := estimate(ctx, s.probe)
		if err != nil {
			return 0, err
		}
		r, err := estimate(ctx, s.build)
		return max(l, r), err
	case *unionStage:
		n := int64(0)
		for _, in := range s.ins {
			k, err := estimate(ctx, in)
			if err != nil {
				return 0, err
			}
			n += k
		}
		return n, nil
	}
	return 1000, nil
}

func (s *joinStage) prepare(ctx context.Context) error {
	if err := s.chooseSides(ctx); err != nil {
		return err
	}
	if err := s.prepareBuild(ctx); err != nil {
		return err
	}
	if err := s.probe.prepare(ctx); err != nil {
		return err
	}
	s.probeParts = s.probe.morsels()
	if s.tracksBuild() {
		s.matched = make([]atomic.Uint32, (s.set.rows+31)/32)
		s.allDone = make(chan struct{})
		s.running.Store(int64(s.probeParts) + 1)
		s.ended()
	}
	return nil
}

// ended counts the end of a probe morsel.
func (s *joinStage) ended() {
	if s.running.Add(-1) == 0 {
		close(s.allDone)
	}
}

func (s *joinStage) tracksBuild() bool { return s.kind == plan.Right || s.kind == plan.Full }

func (s *joinStage) nullAware() bool {
	return (s.kind == plan.AntiNull || s.kind == plan.Mark) && s.aware() > 0
}

// aware is the number of null-aware keys.
func (s *joinStage) aware() int { return len(s.probeKeys) - s.plainKeys }

func (s *joinStage) prepareBuild(ctx context.Context) (err error) {
	o := &ordering{typs: s.buildTyps}
	var at []int
	for _, c := range s.buildKeys {
		if c.col >= 0 {
			at = append(at, c.col)
			continue
		}
		at = append(at, len(s.buildTyps)+len(o.extra))
		o.extra = append(o.extra, c)
	}
	if s.set, err = s.q.collect(ctx, &keyed{s.build, o}, o.all()); err != nil {
		return err
	}
	s.build.close()
	s.acct = s.q.account()
	if len(at) == 0 {
		return nil
	}
	for _, c := range at {
		s.keyCols = append(s.keyCols, s.set.cols[c])
	}
	keys := hash.NewKeys(typesOf(s.buildKeys))
	if err := s.acct.Set(int64(s.set.rows) * int64(8*keys.Words+4+32)); err != nil {
		return err
	}
	s.table, err = hash.NewJoin(ctx, s.q.threads, keys, s.keyCols, s.set.rows)
	if err == nil && s.nullAware() {
		for r := range s.set.rows {
			for k := range s.aware() {
				if s.keyCols[k].Null(r) {
					s.nullBuild = append(s.nullBuild, uint32(r))
					break
				}
			}
		}
	}
	return err
}

func (s *joinStage) morsels() int {
	if s.tracksBuild() {
		return s.probeParts + 1
	}
	return s.probeParts
}

func (s *joinStage) close() {
	s.probe.close()
	s.build.close()
	s.set.close()
	if s.acct != nil {
		s.acct.Close()
	}
}

func (s *joinStage) open() runner {
	r := &joinRunner{s: s, in: s.probe.open(), keys: instances(s.probeKeys)}
	r.vecs = make([]vec.Vector, len(s.probeKeys))
	r.probeAt, r.buildAt = 0, len(s.probeTyps)
	if s.swapped {
		r.probeAt, r.buildAt = len(s.buildTyps), 0
	}
	n := len(s.probeTyps) + len(s.buildTyps)
	r.pair.Cols = make([]vec.Vector, n)
	r.scratch.Col(n)
	if s.residual != nil {
		r.residual = s.residual.instance()
	}
	if s.table != nil {
		r.prober = s.table.NewProber()
	}
	r.probeRows = make([]uint16, 0, vec.BatchRows)
	r.buildRows = make([]uint32, 0, vec.BatchRows)
	return r
}
