package scan

import (
	"quern/storage/types"
	"quern/storage/vec"

	"github.com/RoaringBitmap/roaring/v2"
)

// Place is where a morsel lies in its table's state.
type Place struct {
	Unit int // slab or segment
	Base int // row of the unit that is the morsel's first
	// Deleted are rows of the unit that are gone, nil if none. It is not changed.
	Deleted *roaring.Bitmap
}

// trim drops Deleted if it has no row of the morsel's n.
func (p *Place) trim(n int) {
	if p.Deleted != nil && !p.Deleted.IntersectsWithInterval(uint64(p.Base), uint64(p.Base+n)) {
		p.Deleted = nil
	}
}

// allDeleted tells whether no row of the morsel is left.
func (r *Reader) allDeleted() bool {
	n := r.src.rows()
	return r.at.Deleted != nil && r.at.Deleted.CardinalityInRange(uint64(r.at.Base), uint64(r.at.Base+n)) == uint64(n)
}

// applyDeleted takes deleted rows out of the batch.
func (r *Reader) applyDeleted() {
	from := r.at.Base + r.from
	if r.at.Deleted == nil || !r.at.Deleted.IntersectsWithInterval(uint64(from), uint64(from+r.n)) {
		return
	}
	sel, i := r.visBuf[:0], 0
	it := r.at.Deleted.Iterator()
	it.AdvanceIfNeeded(uint32(from))
	for it.HasNext() {
		gone := int(it.Next()) - from
		if gone >= r.n {
			break
		}
		for ; i < gone; i++ {
			sel = append(sel, uint16(i))
		}
		i++
	}
	for ; i < r.n; i++ {
		sel = append(sel, uint16(i))
	}
	r.hide(sel)
}

// loadAddress gives the rows' addresses: unit in the high half, row in the low.
func (r *Reader) loadAddress(c *loaded) {
	c.raw = vec.Vector{Type: types.Int8, Len: r.n, Fixed: c.scratch.Fixed(8 * r.n)}
	c.full = true
	out := vec.Values[int64](&c.raw)
	first := int64(r.at.Unit)<<32 | int64(r.at.Base+r.from)
	for i := range out {
		out[i] = first + int64(i)
	}
}
