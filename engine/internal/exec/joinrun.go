package exec

import (
	"context"

	"quern/engine/internal/expr"
	"quern/engine/internal/hash"
	"quern/engine/internal/rowplan"
	"quern/engine/internal/sched"
	"quern/engine/plan"
	"quern/storage/types"
	"quern/storage/vec"
)

// joinRunner probes for one worker. Candidates are gathered as pairs of a probe
// row of the batch and a build row, a batch of pairs at a time.
type joinRunner struct {
	s                *joinStage
	side             *buildSide
	in               runner
	keys             []*instance
	vecs             []vec.Vector
	residual         *instance
	prober           *hash.Prober
	probeAt, buildAt int // where the sides' columns begin in left++right

	// What is known of the whole build side: it has rows, and a NULL.
	anyBuild, anyNull bool

	first     []uint32 // per live row: first candidate + 1
	tried     uint32   // candidates of findUnknown
	hit       []bool   // per row of the batch: has matched
	unknown   []bool   // per row: might match if NULLs were known
	piece     piece    // of the build side that side is
	probeRows []uint16
	buildRows []uint32
	pair      vec.Batch
	scratch   vec.BatchScratch
	out       vec.Batch
	sel       vec.Selection
	mark      vec.Scratch
	emit      sched.Emit
	onPairs   func(b *vec.Batch, pairs vec.Selection) error
}

// setSide says what to probe.
func (r *joinRunner) setSide(side *buildSide) {
	r.side = side
	r.anyBuild, r.anyNull = side.set.rows > 0, len(side.nullBuild) > 0
	r.prober = nil
	if side.table != nil {
		r.prober = side.table.NewProber()
	}
}

// piece says what a batch of the probe side knows from the pieces of the build
// side that it met before, and leaves to those to come. Without either, side is
// all of the build side.
type piece struct {
	before, after bool
	seen          *probeBits
}

func (r *joinRunner) run(ctx context.Context, morsel int, emit sched.Emit) error {
	r.emit = emit
	s := r.s
	if morsel == s.probeParts {
		select {
		case <-s.allDone:
		case <-ctx.Done():
			return sched.CheckCancel(ctx)
		}
		return r.unmatchedBuild(ctx)
	}
	if s.tracksBuild() {
		defer s.ended()
	}
	each := func(b *vec.Batch) error { return r.batch(ctx, b) }
	return r.in.run(ctx, morsel, func(b *vec.Batch) error {
		if b.Rows() == 0 {
			return nil
		}
		return expr.InPieces(b, each)
	})
}

// live gives the position of live row i.
func live(b *vec.Batch, i int) int {
	if b.Sel != nil {
		return int(b.Sel[i])
	}
	return i
}

func (r *joinRunner) batch(ctx context.Context, b *vec.Batch) error {
	s := r.s
	n := b.Rows()
	if cap(r.hit) < b.Len {
		r.hit = make([]bool, b.Len)
	}
	r.hit = r.hit[:b.Len]
	if !r.piece.before {
		clear(r.hit)
	} else {
		r.piece.seen.load(r.hit, &r.piece.seen.hit)
	}
	if r.side.table != nil {
		if err := evalAll(r.keys, b, r.vecs); err != nil {
			return err
		}
		if cap(r.first) < n {
			r.first = make([]uint32, n)
		}
		r.first = r.first[:n]
		r.prober.Find(r.first, r.vecs, b.Sel)
	}
	if err := r.candidates(ctx, b, n); err != nil {
		return err
	}
	if s.buildHits() {
		return nil
	}
	if s.nullAware() {
		if err := r.findUnknown(ctx, b); err != nil {
			return err
		}
	}
	if r.piece.after {
		r.piece.seen.save(r.hit, &r.piece.seen.hit)
		return nil
	}
	switch s.kind {
	case plan.Left, plan.Full, plan.Single:
		return r.emitPadded(b)
	case plan.Semi:
		return r.emitRows(b, func(row int) bool { return r.hit[row] })
	case plan.Anti:
		return r.emitRows(b, func(row int) bool { return !r.hit[row] })
	case plan.AntiNull, plan.Mark:
		return r.emitMarked(b)
	}
	return nil
}

// onlyHits tells whether the pairs themselves are not part of the result.
func (s *joinStage) onlyHits() bool {
	switch s.kind {
	case plan.Semi, plan.Anti, plan.AntiNull, plan.Mark:
		return true
	}
	return false
}

// candidates goes through all pairs of the batch.
func (r *joinRunner) candidates(ctx context.Context, b *vec.Batch, n int) error {
	s := r.s
	r.onPairs = r.matches
	if r.side.table == nil {
		for i := range n {
			row := uint16(live(b, i))
			for build := range r.side.set.rows {
				if err := r.add(ctx, b, row, uint32(build)); err != nil {
					return err
				}
				if r.hit[row] && s.onlyHits() && !s.buildHits() {
					break
				}
			}
		}
		return r.flush(b)
	}
	if s.buildHits() && r.residual == nil {
		r.markChains(n)
		return nil
	}
	if s.onlyHits() && r.residual == nil {
		for i := range n {
			if r.first[i] != 0 {
				r.hit[live(b, i)] = true
			}
		}
		return nil
	}
	for i := range n {
		for c := r.first[i]; c != 0; c = r.side.table.Next(c - 1) {
			if err := r.add(ctx, b, uint16(live(b, i)), c-1); err != nil {
				return err
			}
		}
	}
	return r.flush(b)
}

// markChains marks all candidates of the batch as matched. Rows of one key are
// marked together, so that the first of them tells of all.
func (r *joinRunner) markChains(n int) {
	for i := range n {
		c := r.first[i]
		if c == 0 || r.side.matched[(c-1)>>5].Load()>>((c-1)&31)&1 != 0 {
			continue
		}
		for ; c != 0; c = r.side.table.Next(c - 1) {
			r.side.matched[(c-1)>>5].Or(1 << ((c - 1) & 31))
		}
	}
}

func (r *joinRunner) add(ctx context.Context, b *vec.Batch, probe uint16, build uint32) error {
	r.probeRows, r.buildRows = append(r.probeRows, probe), append(r.buildRows, build)
	if len(r.probeRows) < vec.BatchRows {
		return nil
	}
	if err := sched.CheckCancel(ctx); err != nil {
		return err
	}
	return r.flush(b)
}

// flush makes the gathered pairs a batch over left++right, applies the residual
// and hands the rest on. Columns that nobody looks at are not gathered.
func (r *joinRunner) flush(b *vec.Batch) error {
	if len(r.probeRows) == 0 {
		return nil
	}
	s := r.s
	all := !s.onlyHits()
	r.pair.Len, r.pair.Sel = len(r.probeRows), nil
	if r.residual != nil || all {
		for i := range s.probeTyps {
			if at := r.probeAt + i; all || s.resCols[at] {
				r.scratch.Col(at).Gather(&r.pair.Cols[at], &b.Cols[i], r.probeRows)
			}
		}
		for i := range s.buildTyps {
			if at := r.buildAt + i; all || s.resCols[at] {
				r.scratch.Col(at).GatherRows(&r.pair.Cols[at], &r.side.set.cols[i], r.buildRows)
			}
		}
	}
	var pairs vec.Selection
	if r.residual != nil {
		var err error
		if pairs, err = r.residual.selectRows(&r.pair); err != nil {
			return err
		}
	}
	err := r.onPairs(b, pairs)
	r.probeRows, r.buildRows = r.probeRows[:0], r.buildRows[:0]
	return err
}

// matches takes pairs that match (nil = all) into the result.
func (r *joinRunner) matches(_ *vec.Batch, pairs vec.Selection) error {
	s := r.s
	n := len(r.probeRows)
	if pairs != nil {
		n = len(pairs)
	}
	for i := range n {
		p := i
		if pairs != nil {
			p = int(pairs[i])
		}
		row := r.probeRows[p]
		if s.kind == plan.Single && r.hit[row] {
			return rowplan.TooManyRows()
		}
		r.hit[row] = true
		if r.side.matched != nil {
			word, bit := &r.side.matched[r.buildRows[p]>>5], uint32(1)<<(r.buildRows[p]&31)
			if word.Load()&bit == 0 {
				word.Or(bit)
			}
		}
	}
	if s.onlyHits() || n == 0 {
		return nil
	}
	r.pair.Sel = pairs
	return r.emit(&r.pair)
}

// emitRows passes the probe rows that keep says.
func (r *joinRunner) emitRows(b *vec.Batch, keep func(row int) bool) error {
	r.sel = r.sel[:0]
	for i := range b.Rows() {
		if row := live(b, i); keep(row) {
			r.sel = append(r.sel, uint16(row))
		}
	}
	if len(r.sel) == 0 {
		return nil
	}
	r.out = *b
	r.out.Sel = r.sel
	return r.emit(&r.out)
}

// emitPadded passes the probe rows without match, with NULLs on the other side.
func (r *joinRunner) emitPadded(b *vec.Batch) error {
	r.sel = r.sel[:0]
	for i := range b.Rows() {
		if row := live(b, i); !r.hit[row] {
			r.sel = append(r.sel, uint16(row))
		}
	}
	if len(r.sel) == 0 {
		return nil
	}
	s := r.s
	cols := make([]vec.Vector, len(s.probeTyps)+len(s.buildTyps))
	copy(cols[r.probeAt:], b.Cols[:len(s.probeTyps)])
	nulls(cols[r.buildAt:], s.buildTyps, b.Len)
	return r.emit(&vec.Batch{Cols: cols, Len: b.Len, Sel: r.sel})
}

func nulls(cols []vec.Vector, typs []types.Type, n int) {
	for i, t := range typs {
		cols[i] = vec.ConstVector(t, &types.NullDatum, n)
	}
}

// unmatchedBuild passes the build rows that no probe row matched.
func (r *joinRunner) unmatchedBuild(ctx context.Context) error {
	s := r.s
	rows := make([]uint32, 0, vec.BatchRows)
	out := vec.Batch{Cols: make([]vec.Vector, len(r.pair.Cols))}
	if s.buildHits() {
		out.Cols = out.Cols[:len(s.buildTyps)]
	}
	flush := func() error {
		if len(rows) == 0 {
			return nil
		}
		for i := range s.buildTyps {
			at := r.buildAt + i
			r.scratch.Col(at).GatherRows(&out.Cols[at], &r.side.set.cols[i], rows)
		}
		if !s.buildHits() {
			nulls(out.Cols[r.probeAt:], s.probeTyps, len(rows))
		}
		out.Len = len(rows)
		rows = rows[:0]
		if err := sched.CheckCancel(ctx); err != nil {
			return err
		}
		return r.emit(&out)
	}
	want := uint32(0)
	if s.kind == plan.Semi {
		want = 1
	}
	for b := range r.side.set.rows {
		if r.side.matched[b>>5].Load()>>(b&31)&1 != want {
			continue
		}
		if rows = append(rows, uint32(b)); len(rows) == cap(rows) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// emitMarked is the end of a batch of NOT IN (AntiNull) and of IN as a value
// (Mark): true for a match, unknown if NULLs leave it open, else false.
func (r *joinRunner) emitMarked(b *vec.Batch) error {
	s := r.s
	unknown := func(row int) bool { return s.nullAware() && r.unknown[row] }
	if s.kind == plan.AntiNull {
		return r.emitRows(b, func(row int) bool { return !r.hit[row] && !unknown(row) })
	}
	var v vec.Vector
	r.mark.Flat(&v, types.Bool, b.Len)
	v.Valid = r.mark.Valid(b.Len)
	for i := range b.Rows() {
		row := live(b, i)
		v.Fixed[row] = 0
		switch {
		case r.hit[row]:
			v.Fixed[row] = 1
		case unknown(row):
			v.SetNull(row)
		}
	}
	r.out = *b
	r.out.Cols = append(b.Cols[:len(b.Cols):len(b.Cols)], v)
	return r.emit(&r.out)
}

// findUnknown marks the rows without match for which some build row might
// match if its NULLs, or the row's own, were known.
func (r *joinRunner) findUnknown(ctx context.Context, b *vec.Batch) error {
	s := r.s
	if cap(r.unknown) < b.Len {
		r.unknown = make([]bool, b.Len)
	}
	r.unknown = r.unknown[:b.Len]
	if !r.piece.before {
		clear(r.unknown)
	} else {
		r.piece.seen.load(r.unknown, &r.piece.seen.unknown)
	}
	if !r.anyBuild {
		return nil
	}
	unknown, simple := r.unknown, s.simple()
	r.onPairs = func(_ *vec.Batch, pairs vec.Selection) error {
		if pairs == nil {
			for _, p := range r.probeRows {
				unknown[p] = true
			}
		}
		for _, p := range pairs {
			unknown[r.probeRows[p]] = true
		}
		return nil
	}
	for i := range b.Rows() {
		row := live(b, i)
		if r.hit[row] {
			continue
		}
		null := false
		for k := range s.aware() {
			null = null || r.vecs[k].Null(row)
		}
		if simple {
			unknown[row] = null || r.anyNull
			continue
		}
		try := func(build uint32) error {
			if r.tried++; r.tried&(1<<14-1) == 0 {
				if err := sched.CheckCancel(ctx); err != nil {
					return err
				}
			}
			if unknown[row] || !r.maybe(row, int(build)) {
				return nil
			}
			return r.add(ctx, b, uint16(row), build)
		}
		if !null {
			for _, build := range r.side.nullBuild {
				if err := try(build); err != nil {
					return err
				}
			}
			continue
		}
		for build := range r.side.set.rows {
			if err := try(uint32(build)); err != nil {
				return err
			}
		}
	}
	if err := r.flush(b); err != nil {
		return err
	}
	if r.piece.after {
		r.piece.seen.save(unknown, &r.piece.seen.unknown)
	}
	return nil
}

// maybe tells whether no key of the two rows is known to differ; plain keys
// must be equal.
func (r *joinRunner) maybe(row, build int) bool {
	s := r.s
	for k := range r.vecs {
		pn, bn := r.vecs[k].Null(row), r.side.keyCols[k].Null(build)
		if pn || bn {
			if k >= s.aware() {
				return false
			}
			continue
		}
		if vec.Compare(&r.vecs[k], row, &r.side.keyCols[k], build) != 0 {
			return false
		}
	}
	return true
}
