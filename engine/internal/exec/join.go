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
	leftRows   float64   // estimates of the plan, 0 = none
	rightRows  float64
	plainKeys  int // trailing keys that are not null-aware
	side       *buildSide
	spilled    *joinSpill   // instead of side
	running    atomic.Int64 // probe morsels that have not ended
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
	s := &joinStage{q: q, kind: n.Kind, leftRows: n.LeftRows, rightRows: n.RightRows, probe: l, build: r, probeTyps: n.Left.Types(), buildTyps: n.Right.Types(), plainKeys: n.PlainKeys}
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
	case plan.Inner, plan.Left, plan.Right, plan.Full, plan.Semi, plan.Anti:
	default:
		return nil
	}
	if s.leftRows > 0 && s.rightRows > 0 {
		if 1.5*s.leftRows < s.rightRows {
			s.swap()
		}
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
	s.filterProbe()
	if err := s.probe.prepare(ctx); err != nil {
		return err
	}
	if s.spilled != nil {
		return s.spilled.takeProbe(ctx)
	}
	s.probeParts = s.probe.morsels()
	if s.tracksBuild() {
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

// tracksBuild tells whether build rows come out, or not, by whether they matched.
func (s *joinStage) tracksBuild() bool {
	return s.kind == plan.Right || s.kind == plan.Full || s.buildHits()
}

// buildHits tells whether the result are the build rows that matched (Semi) or
// did not (Anti).
func (s *joinStage) buildHits() bool {
	return s.swapped && (s.kind == plan.Semi || s.kind == plan.Anti)
}

func (s *joinStage) nullAware() bool {
	return (s.kind == plan.AntiNull || s.kind == plan.Mark) && s.aware() > 0
}

// aware is the number of null-aware keys.
func (s *joinStage) aware() int { return len(s.probeKeys) - s.plainKeys }

// buildSide is the build side, or a piece of it, in memory and indexed.
type buildSide struct {
	set       *rowset
	table     *hash.Join // nil without keys
	keyCols   []vec.Vector
	nullBuild []uint32        // build rows with NULL in a null-aware key
	matched   []atomic.Uint32 // bit per build row, for right and full
	acct      *sched.Account
}

func (b *buildSide) close() {
	if b != nil {
		b.set.close()
		b.acct.Close()
	}
}

// buildOrdering is the build side's columns, then keys that are no plain column,
// and where each key lies.
func (s *joinStage) buildOrdering() (o *ordering, at []int) {
	o = &ordering{typs: s.buildTyps}
	for _, c := range s.buildKeys {
		if c.col >= 0 {
			at = append(at, c.col)
			continue
		}
		at = append(at, len(s.buildTyps)+len(o.extra))
		o.extra = append(o.extra, c)
	}
	return o, at
}

// indexBytes is the memory that a build row needs beside its columns.
func (s *joinStage) indexBytes() int {
	if len(s.buildKeys) == 0 {
		return 0
	}
	return 8*hash.NewKeys(typesOf(s.buildKeys)).Words + 4 + 32
}

func (s *joinStage) prepareBuild(ctx context.Context) error {
	if err := s.build.prepare(ctx); err != nil {
		return err
	}
	o, at := s.buildOrdering()
	c := s.q.newCollector(o.all())
	defer c.close()
	c.perRow, c.floor = s.indexBytes(), s.q.spillFloor()
	sp := newJoinSpill(s, o.all(), at)
	s.spilled = sp // close ends it also after an error
	err := s.q.consume(ctx, &keyed{s.build, o}, func(ctx context.Context, w, m int, b *vec.Batch) error {
		g := c.worker(w)
		err := g.add(m, b)
		if err != nil && s.q.disk != nil {
			err = sp.addBuild(ctx, w, g)
		}
		return err
	})
	if err != nil {
		return err
	}
	s.build.close()
	if sp.started() {
		return sp.finishBuild(ctx, c)
	}
	s.spilled = nil
	set, err := s.q.concat(ctx, c.all(), o.all())
	if err != nil {
		return err
	}
	s.side, err = s.newSide(ctx, s.q.threads, set, at)
	return err
}

// newSide indexes rows. Their memory has been granted.
func (s *joinStage) newSide(ctx context.Context, threads int, set *rowset, at []int) (*buildSide, error) {
	side := &buildSide{set: set, acct: s.q.account()}
	side.acct.Force(int64(set.rows) * int64(s.indexBytes()))
	if s.tracksBuild() {
		side.matched = make([]atomic.Uint32, (set.rows+31)/32)
	}
	if len(at) == 0 {
		return side, nil
	}
	for _, c := range at {
		side.keyCols = append(side.keyCols, set.cols[c])
	}
	var err error
	side.table, err = hash.NewJoin(ctx, threads, hash.NewKeys(typesOf(s.buildKeys)), side.keyCols, set.rows)
	if err != nil || !s.nullAware() {
		return side, err
	}
	for r := range set.rows {
		for k := range s.aware() {
			if side.keyCols[k].Null(r) {
				side.nullBuild = append(side.nullBuild, uint32(r))
				break
			}
		}
	}
	return side, nil
}

// simple tells whether a probe row's unknown matches follow from facts about the
// whole build side: that it has rows, and a NULL.
func (s *joinStage) simple() bool {
	return s.residual == nil && s.plainKeys == 0 && len(s.probeKeys) == 1
}

func (s *joinStage) morsels() int {
	if s.spilled != nil {
		return s.spilled.parts
	}
	if s.tracksBuild() {
		return s.probeParts + 1
	}
	return s.probeParts
}

func (s *joinStage) close() {
	s.probe.close()
	s.build.close()
	s.side.close()
	if s.spilled != nil {
		s.spilled.close()
	}
}

func (s *joinStage) open() runner {
	r := &joinRunner{s: s, keys: instances(s.probeKeys)}
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
	r.probeRows = make([]uint16, 0, vec.BatchRows)
	r.buildRows = make([]uint32, 0, vec.BatchRows)
	if s.spilled != nil {
		return &spilledRunner{joinRunner: r, sp: s.spilled}
	}
	r.in = s.probe.open()
	r.setSide(s.side)
	return r
}
