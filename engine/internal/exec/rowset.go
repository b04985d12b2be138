package exec

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"

	"quern/engine/internal/sched"
	"quern/storage/types"
	"quern/storage/vec"
)

// rowset is a materialised relation: Flat columns of any length.
type rowset struct {
	cols []vec.Vector
	rows int
	acct *sched.Account
}

func (r *rowset) close() {
	if r != nil && r.acct != nil {
		r.acct.Close()
	}
}

// window makes dst rows lo..hi-1 of r as a batch that aliases it.
func (r *rowset) window(dst *vec.Batch, lo, hi int) {
	if cap(dst.Cols) < len(r.cols) {
		dst.Cols = make([]vec.Vector, len(r.cols))
	}
	dst.Cols = dst.Cols[:len(r.cols)]
	for i := range r.cols {
		dst.Cols[i] = vec.Slice(&r.cols[i], lo, hi)
	}
	dst.Len, dst.Sel, dst.Base = hi-lo, nil, 0
}

// part is a growing copy of rows.
type part struct {
	cols   []*vec.Builder
	rows   int
	acct   *sched.Account // nil: the owner accounts
	morsel int
	first  int // rows of the morsel before it
}

func (q *query) newPart(typs []types.Type) *part {
	p := newBuilders(typs)
	p.acct = q.account()
	p.acct.Floor = max(q.spillFloor(), firstBytes)
	return p
}

func newBuilders(typs []types.Type) *part {
	p := &part{}
	for _, t := range typs {
		p.cols = append(p.cols, vec.NewBuilder(t, 0))
	}
	return p
}

func (p *part) close() {
	if p != nil && p.acct != nil {
		p.acct.Close()
	}
}

// append copies the live rows of b's first columns.
func (p *part) append(b *vec.Batch) error {
	p.add(b)
	return p.acct.Set(int64(p.size()))
}

func (p *part) add(b *vec.Batch) {
	for i, bld := range p.cols {
		bld.AppendVector(&b.Cols[i], b.Sel)
	}
	p.rows += b.Rows()
}

func (p *part) size() (n int) {
	for _, bld := range p.cols {
		n += bld.Size()
	}
	return n
}

// rowset hands the rows over with their account.
func (p *part) rowset() *rowset {
	r := &rowset{acct: p.acct, rows: p.rows}
	for _, bld := range p.cols {
		r.cols = append(r.cols, bld.Finish())
	}
	return r
}

// collector gathers the rows of a stage in memory.
type collector struct {
	q       *query
	typs    []types.Type
	workers []*gathered
	perRow  int // what else the rows will need, in bytes
	floor   int64
}

// gathered are one worker's rows, a part per morsel.
type gathered struct {
	c     *collector
	parts []*part
	full  int // bytes of all parts but the last
	rows  int
	acct  *sched.Account
	// seen are the rows of the current morsel so far.
	morsel, seen int
}

func (q *query) newCollector(typs []types.Type) *collector {
	return &collector{q: q, typs: typs, workers: make([]*gathered, q.threads)}
}

// worker is worker w's part; only w calls it.
func (c *collector) worker(w int) *gathered {
	if c.workers[w] == nil {
		a := c.q.account()
		a.Floor = c.floor
		c.workers[w] = &gathered{c: c, acct: a, morsel: -1}
	}
	return c.workers[w]
}

func (c *collector) close() {
	for _, w := range c.workers {
		if w != nil {
			w.acct.Close()
		}
	}
}

// add copies b's live rows. An error says that the memory for them is refused;
// they are there all the same, for the caller to spill.
func (w *gathered) add(morsel int, b *vec.Batch) error {
	if morsel != w.morsel {
		w.morsel, w.seen = morsel, 0
	}
	var p *part
	if n := len(w.parts); n > 0 && w.parts[n-1].morsel == morsel {
		p = w.parts[n-1]
	} else {
		if n > 0 {
			w.full += w.parts[n-1].size()
		}
		p = newBuilders(w.c.typs)
		p.morsel, p.first = morsel, w.seen
		w.parts = append(w.parts, p)
	}
	p.add(b)
	w.rows += b.Rows()
	w.seen += b.Rows()
	return w.acct.Set(int64(w.full + p.size() + w.rows*w.c.perRow))
}

// take empties the worker and gives its rows in the order of morsels.
func (w *gathered) take() []*part {
	ps := w.parts
	w.parts, w.full, w.rows = nil, 0, 0
	return ps
}

// all gives the parts of all workers in the order of morsels.
func (c *collector) all() []*part {
	var ps []*part
	for _, w := range c.workers {
		if w != nil {
			ps = append(ps, w.take()...)
		}
	}
	slices.SortFunc(ps, func(a, b *part) int { return cmp.Or(a.morsel-b.morsel, a.first-b.first) })
	return ps
}

// collect prepares s and materialises its rows in morsel order.
func (q *query) collect(ctx context.Context, s stage, typs []types.Type) (*rowset, error) {
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	c := q.newCollector(typs)
	c.floor = firstBytes
	defer c.close()
	err := q.consume(ctx, s, func(_ context.Context, w, m int, b *vec.Batch) error {
		return c.worker(w).add(m, b)
	})
	if err != nil {
		return nil, err
	}
	return q.concat(ctx, c.all(), typs)
}

// concat makes one relation of parts, in their order, and empties them.
func (q *query) concat(ctx context.Context, parts []*part, typs []types.Type) (*rowset, error) {
	r := &rowset{acct: q.account(), cols: make([]vec.Vector, len(typs))}
	for _, p := range parts {
		r.rows += p.rows
	}
	var size atomic.Int64
	err := sched.Run(ctx, q.threads, len(typs), func(_ context.Context, _, c int) error {
		vs := make([]vec.Vector, len(parts))
		for i, p := range parts {
			vs[i] = p.cols[c].Finish()
		}
		if len(vs) == 1 {
			r.cols[c] = vs[0]
		} else {
			r.cols[c] = vec.Concat(typs[c], vs, r.rows)
		}
		size.Add(int64(vectorSize(&r.cols[c])))
		return nil
	})
	// The rows are counted already, in the parts that they were.
	r.acct.Force(size.Load())
	return r, err
}

// vectorSize is the memory that a Flat vector holds, in bytes.
func vectorSize(v *vec.Vector) int {
	n := cap(v.Fixed) + 16*cap(v.Views) + 8*cap(v.Valid)
	for _, b := range v.Bufs {
		n += cap(b)
	}
	return n
}
