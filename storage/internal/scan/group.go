package scan

import (
	"slices"

	"quern/storage/internal/encoding"
	"quern/storage/internal/segment"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// Group returns a reader of row group g of a segment, nil if none of its rows
// can be shown.
func (s *Scan) Group(f *segment.File, g int, at Place) (*Reader, error) {
	src := &groupSource{s: s, g: g, n: f.Groups()[g].Rows, cols: make([]groupCol, len(s.cols))}
	for k := range s.cols {
		var err error
		if src.cols[k].col, err = f.Column(s.cols[k].id); err != nil {
			return nil, err
		}
	}
	r := newReader(s, src, at)
	if r.allDeleted() || s.prune(src, &r.dicts) {
		return nil, src.err
	}
	r.skipped = slices.Repeat([]bool{true}, (src.n+segment.GranuleRows-1)/segment.GranuleRows)
	return r, src.err
}

// Zone bounds all values of requested column k in row group g, whoever may see
// them. ok is false unless the bounds are values of the column.
func (s *Scan) Zone(f *segment.File, g, k int) (z encoding.Zone, ok bool) {
	col, err := f.Column(s.cols[k].id)
	if err != nil || col == nil || s.cols[k].masked() || col.Type().OID != s.cols[k].typ.OID {
		return z, false
	}
	switch s.cols[k].typ.Phys() {
	case types.PhysBool, types.PhysI16, types.PhysI32, types.PhysI64:
	default:
		return z, false
	}
	z = col.Zone(g, 0, f.Groups()[g].Rows)
	exact := z.Flags&^encoding.ZoneValues == 0 && (z.Flags != 0) == (z.Nulls < z.Rows)
	return z, exact && int(z.Rows) == f.Groups()[g].Rows
}

type groupSource struct {
	s    *Scan
	g, n int
	cols []groupCol
	ints []int64
	err  error // of a dictionary that skip needed
}

type groupCol struct {
	col   *segment.Col // nil if the segment is older than the column
	page  *encoding.Page
	bufs  [][]byte
	own   *vec.Dictionary // of the page
	whole *vec.Dictionary // the segment\'s
	read  encoding.Space
}

// page gives a column's page and counts its bytes; it is asked once for each.
func (b *groupSource) page(src *groupCol) (*encoding.Page, error) {
	b.s.bytes.Add(src.col.PageBytes(b.g))
	return src.col.Page(b.g)
}

func (b *groupSource) rows() int    { return b.n }
func (b *groupSource) close() error { return nil }

func (b *groupSource) load(k, from, n int, sel vec.Selection, c *loaded) error {
	col, src := &b.s.cols[k], &b.cols[k]
	if src.col == nil {
		c.raw = *c.constant(col.typ, &col.missing, n)
		c.full = true
		return nil
	}
	if src.page == nil {
		p, err := b.page(src)
		if err != nil {
			return err
		}
		src.page = p
	}
	p, stored := src.page, src.col.Type()
	c.raw = vec.Vector{Type: col.typ, Len: n}
	if p.AllNull() {
		c.raw = vec.ConstVector(col.typ, &types.NullDatum, n)
		c.full = true
		return nil
	}
	valid := p.Valid(c.scratch.Valid(n), from, n)
	if stored.Phys() == types.PhysBytes {
		if col.typ.Phys() != types.PhysBytes {
			return castError(stored.Phys(), col.typ)
		}
		err := b.loadBytes(src, from, n, sel, c)
		c.raw.Valid = valid
		return err
	}
	if err := b.loadFixed(p, stored, from, n, c); err != nil {
		return err
	}
	c.raw.Valid = valid
	if c.raw.Form == vec.Const {
		c.raw.Valid = nil
	}
	c.full = true
	return widen(c, stored.Phys(), stored.Unsigned())
}

// loadFixed fills c.raw in the stored physical form.
func (b *groupSource) loadFixed(p *encoding.Page, stored types.Type, from, n int, c *loaded) error {
	size := stored.Phys().Size()
	if p.Kind == encoding.Const && p.Nulls == 0 {
		c.raw.Form = vec.Const
		c.raw.Fixed = c.scratch.Fixed(size)
		p.Single(c.raw.Fixed)
		return nil
	}
	if a := p.Alias(from, n); a != nil {
		c.raw.Fixed = a
		return nil
	}
	if b.ints == nil && stored.Phys() == types.PhysNum {
		b.ints = make([]int64, vec.BatchRows)
	}
	c.raw.Fixed = c.scratch.Fixed(n * size)
	return p.Fixed(c.raw.Fixed, from, n, b.ints)
}

func (b *groupSource) loadBytes(src *groupCol, from, n int, sel vec.Selection, c *loaded) error {
	p := src.page
	switch p.Kind {
	case encoding.Const:
		return b.loadConst(src, n, c)
	case encoding.Dict:
		d, err := b.dict(src)
		if err != nil {
			return err
		}
		c.raw.Form, c.raw.Dict, c.full = vec.Dict, d, true
		c.raw.Fixed = c.scratch.Fixed(4 * n)
		return p.Codes(c.raw.Codes(), from, d.Values.Len)
	}
	if src.bufs == nil {
		src.bufs = make([][]byte, 1)
	}
	c.raw.Views = c.scratch.Views(n)
	c.raw.Bufs = src.bufs
	c.raw.ASCII = p.ASCII
	// NB: decoded bytes go where those of the batch before were.
	buf, err := p.Views(c.raw.Views, from, sel, &src.read)
	src.bufs[0] = buf
	return err
}

// shared is the segment's dictionary. It is held: the store may let go of it.
func (c *groupCol) shared() (*vec.Dictionary, error) {
	if c.whole == nil {
		d, err := c.col.Dict()
		if err != nil {
			return nil, err
		}
		c.whole = d
	}
	return c.whole, nil
}

// dict is the dictionary of the page, or the segment's.
func (b *groupSource) dict(src *groupCol) (*vec.Dictionary, error) {
	if src.page.Own() == 0 {
		return src.shared()
	}
	if src.own == nil {
		d, err := src.col.PageDict(b.g)
		if err != nil {
			return nil, err
		}
		src.own = d
	}
	return src.own, nil
}

// loadConst gives one value; with NULLs it stands at every row.
func (b *groupSource) loadConst(src *groupCol, n int, c *loaded) error {
	v := src.page.ConstBytes()
	if src.bufs == nil {
		src.bufs = [][]byte{v}
	}
	c.raw.Bufs, c.full = src.bufs, true
	w := vec.MakeView(v, 0, 0)
	if src.page.Nulls == 0 {
		c.raw.Form = vec.Const
		c.raw.Views = c.scratch.Views(1)
		c.raw.Views[0] = w
		return nil
	}
	c.raw.Views = c.scratch.Views(n)
	for i := range c.raw.Views {
		c.raw.Views[i] = w
	}
	return nil
}

func (b *groupSource) expired(from, n int) extent {
	recv := b.cols[b.s.received].col.Zone(b.g, from, from+n)
	t := b.s.timeCol
	if t < 0 {
		return extentOf(b.s.floor, recv.MinI, recv.MaxI)
	}
	col := b.cols[t].col
	if col == nil {
		if !b.s.cols[t].missing.Null {
			return some
		}
		return extentOf(b.s.floor, recv.MinI, recv.MaxI)
	}
	z := col.Zone(b.g, from, from+n)
	return expiredZone(&z, col.Type().Phys(), b.s.floor, recv.MinI, recv.MaxI)
}

func (b *groupSource) bounds(k, from, n int) (z encoding.Zone, ok bool) {
	col := b.cols[k].col
	if col == nil || !sameKeys(col.Type().Phys(), b.s.cols[k].typ.Phys()) || col.Type().Unsigned() != b.s.cols[k].typ.Unsigned() {
		return z, false
	}
	return col.Zone(b.g, from, from+n), true
}

func (b *groupSource) skip(p *pred, from, n int, dicts *dictCache) bool {
	col := b.cols[p.col].col
	if col == nil || !sameKeys(col.Type().Phys(), p.typ.Phys()) {
		return false
	}
	z := col.Zone(b.g, from, from+n)
	if !col.HasDict() {
		return !p.survives(&z, nil) || from == 0 && n == b.n && b.lacks(p, dicts)
	}
	if p.kind != ordered {
		return !p.survives(&z, &codeSet{hi: ^uint32(0)})
	}
	d, err := b.cols[p.col].shared()
	if err != nil {
		b.err = err
		return false
	}
	return !p.survives(&z, dicts.get(p, d))
}

// lookUpMax is how many values a predicate may ask for to be looked up in the page's
// distinct values: each look reads all of them.
const lookUpMax = 4

// lacks tells whether the page's own distinct values say that no row satisfies p.
func (b *groupSource) lacks(p *pred, dicts *dictCache) bool {
	src := &b.cols[p.col]
	point := p.kind == ranged && p.lo == p.hi && !p.not || p.kind == listed && len(p.keys) <= lookUpMax
	text := p.kind == ordered && (p.op == Eq || p.op == In) && p.typ.Phys() == types.PhysBytes
	if !point && !text || b.err != nil {
		return false
	}
	if src.page == nil {
		if src.page, b.err = b.page(src); b.err != nil {
			return false
		}
	}
	if text {
		if src.page.Own() == 0 {
			return false
		}
		d, err := b.dict(src)
		if err != nil {
			b.err = err
			return false
		}
		return !dicts.get(p, d).any(0, uint32(d.Values.Len-1))
	}
	t := src.col.Type()
	if p.typ.Phys() >= types.PhysF32 || t.Phys() >= types.PhysF32 {
		return false
	}
	keys := p.keys
	if p.kind == ranged {
		keys = []int64{p.lo}
	}
	for _, k := range keys {
		lacks, known, err := src.page.Lacks(k, k, t.Unsigned())
		if err != nil {
			b.err = err
		}
		if !known || !lacks {
			return false
		}
	}
	return true
}

// match decides predicates on RLE and SPARSE pages of integers by run, and equality on
// CHARS pages by their packed characters.
func (b *groupSource) match(p *pred, from, n int, sel, dst vec.Selection) (vec.Selection, bool, error) {
	src := &b.cols[p.col]
	if p.kind == ordered && p.op == Eq {
		return b.matchText(p, from, n, sel, dst)
	}
	if src.col == nil || p.kind != ranged && p.kind != listed || src.col.Type().Phys() != p.typ.Phys() || src.col.Type().Unsigned() != p.typ.Unsigned() {
		return nil, false, nil
	}
	if src.page == nil {
		page, err := b.page(src)
		if err != nil {
			return nil, false, err
		}
		src.page = page
	}
	k, rest, all := 0, sel, sel == nil
	ok, err := src.page.EachRun(from, n, p.typ.Unsigned(), func(lo, hi int, v int64) {
		holds := p.holdsKey(v)
		if all {
			for i := lo; i < hi && holds; i++ {
				dst[k] = uint16(i)
				k++
			}
			return
		}
		for len(rest) > 0 && int(rest[0]) < hi {
			i := rest[0]
			rest = rest[1:]
			if holds {
				dst[k] = i
				k++
			}
		}
	})
	if !ok || err != nil {
		return nil, false, err
	}
	return src.notNull(dst[:k], from, n), true, nil
}

// notNull shortens sel to rows of [from, from+n) that are not NULL.
func (c *groupCol) notNull(sel vec.Selection, from, n int) vec.Selection {
	var words [vec.BatchRows / 64]uint64
	if valid := c.page.Valid(words[:], from, n); valid != nil {
		return kernel.SelectBits(sel, valid, n, sel, true)
	}
	return sel
}

func (b *groupSource) matchText(p *pred, from, n int, sel, dst vec.Selection) (vec.Selection, bool, error) {
	src := &b.cols[p.col]
	if src.col == nil || src.col.Type().Phys() != types.PhysBytes || p.typ.Phys() != types.PhysBytes || p.typ.OID == types.BpcharOID {
		return nil, false, nil
	}
	if src.page == nil {
		page, err := b.page(src)
		if err != nil {
			return nil, false, err
		}
		src.page = page
	}
	if src.page.Kind != encoding.Chars {
		return nil, false, nil
	}
	var rows [vec.BatchRows]uint16
	out, _ := src.page.EqualText(p.consts[0].BytesAt(0), from, n, rows[:])
	out = src.notNull(out, from, n)
	if sel == nil {
		return dst[:copy(dst, out)], true, nil
	}
	k := 0
	for _, i := range sel {
		for len(out) > 0 && out[0] < i {
			out = out[1:]
		}
		if len(out) > 0 && out[0] == i {
			dst[k] = i
			k++
		}
	}
	return dst[:k], true, nil
}
