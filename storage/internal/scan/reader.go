package scan

import (
	"bytes"
	"context"
	"runtime/debug"

	"quern/storage/catalog"
	"quern/storage/internal/encoding"
	"quern/storage/internal/segment"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// source is the raw content of one morsel.
type source interface {
	// rows is the number of rows.
	rows() int
	// load fills c.raw with rows [from, from+n) of column k. Views need to be
	// made for the rows of sel only (nil = all); it sets c.full if it made all.
	load(k, from, n int, sel vec.Selection, c *loaded) error
	// hides tells whether rows [from, from+n) hold rows below the floor: no,
	// some, all. It may say some when it does not know.
	expired(from, n int) extent
	// skip tells whether no row of [from, from+n) can satisfy p.
	skip(p *pred, from, n int, dicts *dictCache) bool
	// match decides p on encoded rows, as pred.match does on values; done is
	// false where it cannot.
	match(p *pred, from, n int, sel, dst vec.Selection) (out vec.Selection, done bool, err error)
	// bounds bounds rows [from, from+n) of integer column k; ok is false where
	// it does not know.
	bounds(k, from, n int) (z encoding.Zone, ok bool)
	close() error
}

type extent uint8

const (
	none extent = iota
	some
	whole
)

// loaded is a column of the current batch and the memory behind it.
type loaded struct {
	raw     vec.Vector
	full    bool // raw holds every row of the batch
	scratch memory
	wide    memory     // values of a type that was widened since
	extra   memory     // flattened dictionary values, zeroed copies
	fixed   vec.Vector // constant masks and missing columns, made once
	shown   vec.Vector
}

// Reader reads one morsel; it has the method set of storage.GroupReader.
type Reader struct {
	s     *Scan
	src   source
	at    Place
	cols  []loaded
	dicts dictCache

	from, n int
	visible vec.Selection // rows that policy shows; nil = all of the batch
	hides   bool          // visible is not all

	hidesKnown, hidesSome bool // of hidesAny

	skipped []bool // by granule: every batch so far was skipped; nil for slabs

	visBuf, selBuf [vec.BatchRows]uint16
	visBits        [vec.BatchRows / 64]uint64
	filterBatch    vec.Batch
}

func newReader(s *Scan, src source, at Place) *Reader {
	at.trim(src.rows())
	return &Reader{s: s, src: src, at: at, cols: make([]loaded, len(s.cols))}
}

// prune tells whether no row of src can be shown.
func (s *Scan) prune(src source, dicts *dictCache) bool {
	n := src.rows()
	if n == 0 || s.hasFloor && src.expired(0, n) == whole {
		return true
	}
	return s.skips(src, 0, n, dicts)
}

func (s *Scan) skips(src source, from, n int, dicts *dictCache) bool {
	for i := range s.preds {
		p := &s.preds[i]
		if !s.cols[p.col].masked() && src.skip(p, from, n, dicts) {
			return true
		}
	}
	return false
}

// Batches is the number of batches.
func (r *Reader) Batches() int { return (r.src.rows() + vec.BatchRows - 1) / vec.BatchRows }

// Bounds implements storage.BoundedReader.
func (r *Reader) Bounds(col, batch int) (lo, hi int64, nulls, ok bool) {
	c := &r.s.cols[col]
	if p := c.typ.Phys(); c.masked() || p < types.PhysI16 || p > types.PhysI64 {
		return 0, 0, false, false
	}
	from, n := batch*vec.BatchRows, min(vec.BatchRows, r.src.rows()-batch*vec.BatchRows)
	if batch < 0 {
		from, n = 0, r.src.rows()
	}
	z, ok := r.src.bounds(col, from, n)
	ok = ok && z.Flags == encoding.ZoneValues && z.Nulls < z.Rows
	return z.MinI, z.MaxI, z.Nulls > 0, ok
}

// Start goes to a batch and gives its rows and those that are visible and
// satisfy the predicates.
func (r *Reader) Start(ctx context.Context, batch int) (rows int, sel vec.Selection, err error) {
	defer segment.CatchFault(debug.SetPanicOnFault(true), &err)
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	r.from = batch * vec.BatchRows
	r.n = min(vec.BatchRows, r.src.rows()-r.from)
	for k := range r.cols {
		r.cols[k].full = false
	}
	r.visible, r.hides = nil, false
	if r.s.skips(r.src, r.from, r.n, &r.dicts) {
		r.hide(r.visBuf[:0])
		return r.n, r.selBuf[:0], nil
	}
	if g := r.from / segment.GranuleRows; g < len(r.skipped) {
		r.skipped[g] = false
	}
	r.applyDeleted()
	if err := r.applyFloor(); err != nil {
		return 0, nil, err
	}
	if err := r.applyFilter(); err != nil {
		return 0, nil, err
	}
	sel, err = r.applyPreds()
	return r.n, sel, err
}

func (r *Reader) hide(sel vec.Selection) {
	if len(sel) == r.n && sel != nil {
		sel = nil
	}
	r.visible = sel
	r.hides = sel != nil
	if !r.hides {
		return
	}
	clear(r.visBits[:])
	for _, i := range sel {
		r.visBits[i>>6] |= 1 << (i & 63)
	}
}

func (r *Reader) applyFloor() error {
	if !r.s.hasFloor || r.hides && len(r.visible) == 0 {
		return nil
	}
	switch r.src.expired(r.from, r.n) {
	case none:
		return nil
	case whole:
		r.hide(r.visBuf[:0])
		return nil
	}
	recv, err := r.raw(r.s.received, nil)
	if err != nil {
		return err
	}
	var event *vec.Vector
	if r.s.timeCol >= 0 {
		if event, err = r.raw(r.s.timeCol, nil); err != nil {
			return err
		}
	}
	sel := r.visBuf[:0]
	shown, all := r.visible, !r.hides
	for k := range r.n { // NB: sel overwrites shown behind k
		i := k
		if !all {
			if k == len(shown) {
				break
			}
			i = int(shown[k])
		}
		at := micros(recv, i)
		t := at
		if event != nil {
			null := event.Null(i)
			t = 0
			if !null {
				t = micros(event, i)
			}
			t = segment.Effective(t, null, at)
		}
		if t >= r.s.floor {
			sel = append(sel, uint16(i))
		}
	}
	r.hide(sel)
	return nil
}

// micros is the time at row i, which is not NULL.
func micros(v *vec.Vector, i int) int64 {
	if v.Form == vec.Const {
		i = 0
	}
	if v.Type.Phys() == types.PhysI64 {
		return vec.Values[int64](v)[i]
	}
	return segment.DateMicros(vec.Values[int32](v)[i])
}

func (r *Reader) applyFilter() error {
	if r.s.filter == nil || r.hides && len(r.visible) == 0 {
		return nil
	}
	b := &r.filterBatch
	b.Cols, b.Len, b.Sel = b.Cols[:0], r.n, r.visible
	for _, k := range r.s.filterCols {
		v, err := r.raw(k, nil)
		if err != nil {
			return err
		}
		b.Cols = append(b.Cols, *v)
	}
	// The filter may shorten its argument in place: give it a copy.
	sel := append(r.selBuf[:0], r.visible...)
	if r.visible == nil {
		sel = nil
	}
	out := r.s.filter.Apply(b, sel)
	if out == nil {
		return nil
	}
	r.hide(append(r.visBuf[:0], out...))
	return nil
}

func (r *Reader) applyPreds() (vec.Selection, error) {
	sel := r.visible
	for i := range r.s.preds {
		if sel != nil && len(sel) == 0 {
			break
		}
		p := &r.s.preds[i]
		if !r.cols[p.col].full && !r.s.cols[p.col].masked() {
			out, done, err := r.src.match(p, r.from, r.n, sel, r.selBuf[:])
			if err != nil {
				return nil, err
			}
			if done {
				sel = out
				continue
			}
		}
		v, err := r.show(p.col, sel, true)
		if err != nil {
			return nil, err
		}
		sel = p.match(v, sel, r.selBuf[:], &r.dicts)
	}
	if len(sel) > 0 && &sel[0] == &r.visBuf[0] {
		// The caller may shorten what it gets in place.
		sel = append(r.selBuf[:0], sel...)
	}
	return sel, nil
}

// raw loads column k unmasked.
func (r *Reader) raw(k int, sel vec.Selection) (*vec.Vector, error) {
	c := &r.cols[k]
	if c.full {
		return &c.raw, nil
	}
	if r.s.cols[k].id == catalog.ColRowAddress {
		r.loadAddress(c)
		return &c.raw, nil
	}
	if err := r.src.load(k, r.from, r.n, sel, c); err != nil {
		return nil, err
	}
	c.full = c.full || sel == nil
	return &c.raw, nil
}

// show loads column k as the principal sees it; rows outside sel are
// unspecified. With codes, a Dict vector may come out even if rows are hidden:
// it must not leave the reader.
func (r *Reader) show(k int, sel vec.Selection, codes bool) (*vec.Vector, error) {
	c, col := &r.cols[k], &r.s.cols[k]
	if col.cmask {
		return c.constant(col.typ, &col.cval, r.n), nil
	}
	v, err := r.raw(k, sel)
	if err != nil || codes && col.mask == nil {
		return v, err
	}
	if sel == nil {
		sel = r.visible
	}
	if col.mask != nil {
		c.shown = vec.Vector{}
		err := col.mask.Apply(v, sel, &c.shown)
		return &c.shown, err
	}
	return r.conceal(c, v, sel), nil
}

// constant is n rows of d; it is made once per reader.
func (c *loaded) constant(t types.Type, d *types.Datum, n int) *vec.Vector {
	if c.fixed.Form != vec.Const {
		c.fixed = vec.ConstVector(t, d, n)
	}
	c.fixed.Len = n
	return &c.fixed
}

// conceal gives v without what hidden rows hold: nothing of them may reach the
// principal, neither values nor dictionary entries that only they use.
func (r *Reader) conceal(c *loaded, v *vec.Vector, sel vec.Selection) *vec.Vector {
	if v.Form == vec.Const {
		if r.hides && len(r.visible) == 0 {
			c.shown = vec.ConstVector(v.Type, &types.NullDatum, r.n)
			return &c.shown
		}
		return v
	}
	if v.Form == vec.Dict {
		if !r.hidesAny() {
			return v
		}
		return c.flatten(v, sel)
	}
	if !r.hides {
		return v
	}
	out := &c.shown
	if v.Type.Phys() == types.PhysBytes {
		// Views exist for sel only, which hidden rows are not part of, unless
		// the column was loaded whole for the floor or the filter.
		if !c.full {
			return v
		}
		*out = *v
		c.extra.flat(out, v, v.Len)
		out.Bufs, out.Valid = v.Bufs, v.Valid
		clear(out.Views)
		for _, i := range r.visible {
			out.Views[i] = v.Views[i]
		}
		return out
	}
	c.extra.flat(out, v, v.Len)
	out.Valid = v.Valid
	clear(out.Fixed)
	size := v.Type.Phys().Size()
	switch size {
	case 8:
		keep[uint64](out, v, r.visible)
	case 4:
		keep[uint32](out, v, r.visible)
	default:
		for _, i := range r.visible {
			copy(out.Fixed[int(i)*size:], v.Fixed[int(i)*size:(int(i)+1)*size])
		}
	}
	return out
}

func keep[T vec.Fixedwidth](out, v *vec.Vector, sel vec.Selection) {
	dst, src := vec.Values[T](out), vec.Values[T](v)
	for _, i := range sel {
		dst[i] = src[i]
	}
}

// hidesAny tells whether the morsel may hold rows that the principal does not
// see: its dictionary must not be given out then.
func (r *Reader) hidesAny() bool {
	if !r.hidesKnown {
		r.hidesKnown = true
		r.hidesSome = r.at.Deleted != nil || r.s.filter != nil || r.s.hasFloor && r.src.expired(0, r.src.rows()) != none
	}
	return r.hidesSome
}

// flatten turns codes into views for the rows of sel.
func (c *loaded) flatten(v *vec.Vector, sel vec.Selection) *vec.Vector {
	out := &c.shown
	c.extra.flat(out, v, v.Len)
	entries, codes := &v.Dict.Values, v.Codes()
	out.Bufs, out.Valid = entries.Bufs, v.Valid
	if sel == nil {
		kernel.Gather(out.Views, entries.Views, codes[:v.Len])
		return out
	}
	clear(out.Views)
	for _, i := range sel {
		out.Views[i] = entries.Views[codes[i]]
	}
	return out
}

// Load fills dst with requested column col. Rows outside sel hold what the
// principal may see, or zero.
func (r *Reader) Load(col int, sel vec.Selection, dst *vec.Vector) (err error) {
	defer segment.CatchFault(debug.SetPanicOnFault(true), &err)
	if sel == nil {
		sel = r.visible
	}
	v, err := r.show(col, sel, false)
	if err != nil {
		return err
	}
	*dst = *v
	if r.hides && dst.Valid != nil && dst.Form != vec.Const {
		r.hideValid(dst)
	}
	return nil
}

// hideValid makes hidden rows valid zeros: whether they are NULL is hidden too.
func (r *Reader) hideValid(dst *vec.Vector) {
	valid := make([]uint64, len(dst.Valid))
	for w := range valid {
		valid[w] = dst.Valid[w] | ^r.visBits[w]
	}
	if rest := dst.Len & 63; rest != 0 {
		valid[len(valid)-1] &= 1<<rest - 1
	}
	dst.Valid = valid
}

// Close ends the reader.
func (r *Reader) Close() error {
	left := 0
	for _, skipped := range r.skipped {
		if skipped {
			left++
		}
	}
	r.s.granules.Add(int64(len(r.skipped)))
	r.s.granulesLeft.Add(int64(left))
	r.skipped = nil
	return r.src.close()
}

func less(a, b []byte) bool { return bytes.Compare(a, b) < 0 }

// lessPadded compares b's first 16 bytes, zero-padded, with p.
func lessPadded(b, p []byte) bool {
	var pad [16]byte
	copy(pad[:], b)
	return bytes.Compare(pad[:], p) < 0
}
