package order

import (
	"context"

	"quern/engine/internal/sched"
	"quern/engine/internal/spill"
	"quern/storage/types"
	"quern/storage/vec"
)

// Merge gives the rows of sorted runs in order. Not for concurrent use.
type Merge struct {
	l    *Layout
	r    Range
	curs []*cursor
	// tree is a tournament: tree[0] is the cursor with the least row, the others
	// hold the losers of the matches below them; -1 has no row left.
	tree  []int
	picks []pick
	out   vec.Batch
	cols  vec.BatchScratch
}

// pick is a row of a cursor's block.
type pick struct {
	cur, row uint16
}

// cursor is the place in one run.
type cursor struct {
	rd    *spill.Reader
	b     vec.Batch
	i, n  int
	words [][]uint64 // per key
	class [][]uint8
	exact []bool
	rows  []uint32
	done  bool
}

// NewMerge starts at the beginning of the range.
func (l *Layout) NewMerge(runs []*Run, r Range) *Merge {
	m := &Merge{l: l, r: r, picks: make([]pick, 0, vec.BatchRows)}
	m.out.Cols = make([]vec.Vector, len(l.Types))
	m.cols.Col(len(l.Types))
	for _, run := range runs {
		block := 0
		if r.from != nil {
			for block < len(run.first) && run.first[block].less(*r.from) {
				block++
			}
			block = max(0, block-1)
		}
		k := len(l.Keys)
		m.curs = append(m.curs, &cursor{rd: run.NewReader(block),
			words: make([][]uint64, k), class: make([][]uint8, k), exact: make([]bool, k)})
	}
	return m
}

// Each gives all rows to emit, a batch at a time, which is valid during the call.
func (m *Merge) Each(ctx context.Context, emit func(b *vec.Batch) error) error {
	for _, c := range m.curs {
		if err := m.begin(c); err != nil {
			return err
		}
	}
	m.build()
	for len(m.tree) > 0 && m.tree[0] >= 0 {
		w := m.tree[0]
		c := m.curs[w]
		m.picks = append(m.picks, pick{uint16(w), uint16(c.i)})
		c.i++
		if c.i == c.n || len(m.picks) == vec.BatchRows {
			if err := sched.CheckCancel(ctx); err != nil {
				return err
			}
			if err := m.flush(emit); err != nil {
				return err
			}
		}
		if c.i == c.n {
			if err := m.load(c); err != nil {
				return err
			}
		} else {
			m.checkEnd(c)
		}
		m.replay(w)
	}
	return m.flush(emit)
}

// begin moves a cursor to its first row of the range.
func (m *Merge) begin(c *cursor) error {
	for {
		if err := m.load(c); err != nil || c.done {
			return err
		}
		for c.i < c.n && m.r.from != nil && c.edge().less(*m.r.from) {
			c.i++
		}
		if c.i < c.n {
			m.checkEnd(c)
			return nil
		}
	}
}

func (c *cursor) edge() edge { return edge{c.class[0][c.i], c.words[0][c.i]} }

func (m *Merge) checkEnd(c *cursor) {
	if m.r.to != nil && !c.edge().less(*m.r.to) {
		c.done = true
	}
}

// load reads the next block of a run.
func (m *Merge) load(c *cursor) error {
	n, err := c.rd.Next(&c.b)
	if err != nil {
		return err
	}
	c.i, c.n = 0, n
	if n == 0 {
		c.done = true
		return nil
	}
	for k := range c.words {
		if cap(c.words[k]) < n {
			c.words[k], c.class[k] = make([]uint64, n), make([]uint8, n)
			c.rows = make([]uint32, n)
		}
		c.words[k], c.class[k] = c.words[k][:n], c.class[k][:n]
		key := m.l.Keys[k]
		c.exact[k] = keyWords(c.words[k], c.class[k], &c.b.Cols[key.Col], key, n, c.rows)
	}
	m.checkEnd(c)
	return nil
}

// less compares the rows that two cursors stand at.
func (m *Merge) less(x, y int) bool {
	switch {
	case x < 0 || m.curs[x].done:
		return false
	case y < 0 || m.curs[y].done:
		return true
	}
	a, b := m.curs[x], m.curs[y]
	for k := range m.l.Keys {
		if p, q := a.class[k][a.i], b.class[k][b.i]; p != q {
			return p < q
		}
		if p, q := a.words[k][a.i], b.words[k][b.i]; p != q {
			return p < q
		}
		if a.exact[k] {
			continue
		}
		key := &m.l.Keys[k]
		v, w := &a.b.Cols[key.Col], &b.b.Cols[key.Col]
		if v.Null(a.i) {
			continue
		}
		if d := vec.Compare(v, a.i, w, b.i); d != 0 {
			return d < 0 != key.Desc
		}
	}
	return x < y
}

// build plays all matches. Node i of a tree over k leaves has the children 2i
// and 2i+1; leaf j is node k+j.
func (m *Merge) build() {
	k := len(m.curs)
	m.tree = make([]int, k)
	if k == 0 {
		return
	}
	win := make([]int, 2*k)
	for j := range k {
		win[k+j] = j
	}
	for i := k - 1; i >= 1; i-- {
		a, b := win[2*i], win[2*i+1]
		if m.less(b, a) {
			a, b = b, a
		}
		win[i], m.tree[i] = a, b
	}
	m.setWinner(win[1])
}

func (m *Merge) setWinner(w int) {
	m.tree[0] = w
	if m.curs[w].done {
		m.tree[0] = -1
	}
}

// replay plays the matches on the way up from the last winner's leaf.
func (m *Merge) replay(w int) {
	k := len(m.curs)
	for i := (k + w) / 2; i >= 1; i /= 2 {
		if l := m.tree[i]; m.less(l, w) {
			m.tree[i], w = w, l
		}
	}
	m.setWinner(w)
}

// flush gathers the picked rows and gives them to emit.
func (m *Merge) flush(emit func(b *vec.Batch) error) error {
	n := len(m.picks)
	if n == 0 {
		return nil
	}
	for i, t := range m.l.Types {
		m.gather(i, t)
	}
	m.out.Len = n
	m.picks = m.picks[:0]
	return emit(&m.out)
}

// gather makes column i of the picked rows. One switch over sizes.
func (m *Merge) gather(i int, t types.Type) {
	n := len(m.picks)
	dst, s := &m.out.Cols[i], m.cols.Col(i)
	s.Flat(dst, t, n)
	switch t.Phys().Size() {
	case 1:
		gatherPicks(m, i, vec.Values[uint8](dst))
	case 2:
		gatherPicks(m, i, vec.Values[int16](dst))
	case 4:
		gatherPicks(m, i, vec.Values[int32](dst))
	case 8:
		gatherPicks(m, i, vec.Values[int64](dst))
	case 16:
		gatherPicks(m, i, vec.Values[[16]byte](dst))
	case 24:
		gatherPicks(m, i, vec.Values[types.Num](dst))
	default:
		m.gatherViews(i, dst)
	}
	for _, c := range m.curs {
		if c.n > 0 && c.b.Cols[i].Valid != nil {
			dst.Valid = s.Valid(n)
			break
		}
	}
	if dst.Valid == nil {
		return
	}
	for j, p := range m.picks {
		if m.curs[p.cur].b.Cols[i].Null(int(p.row)) {
			dst.Valid[j>>6] &^= 1 << (j & 63)
		}
	}
}

func gatherPicks[T vec.Fixedwidth](m *Merge, i int, dst []T) {
	var src [256][]T // FanIn is at most this
	for j, c := range m.curs {
		if c.n > 0 {
			src[j] = vec.Values[T](&c.b.Cols[i])
		}
	}
	for j, p := range m.picks {
		dst[j] = src[p.cur][p.row]
	}
}

// gatherViews: a block's bytes lie in one buffer, which gets the cursor's number.
func (m *Merge) gatherViews(i int, dst *vec.Vector) {
	dst.Bufs = make([][]byte, len(m.curs))
	for j, c := range m.curs {
		if c.n > 0 && len(c.b.Cols[i].Bufs) > 0 {
			dst.Bufs[j] = c.b.Cols[i].Bufs[0]
		}
	}
	for j, p := range m.picks {
		v := m.curs[p.cur].b.Cols[i].Views[p.row]
		if !v.Inline() {
			v.B = uint32(p.cur)
		}
		dst.Views[j] = v
	}
}
