package scan

import (
	"math"
	"sort"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/internal/memtable"
	"quern/storage/internal/segment"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// Slab returns a reader of a slab, nil if none of its rows can be shown.
func (s *Scan) Slab(v memtable.SlabView, at Place) *Reader {
	if v.Rows == 0 {
		return nil
	}
	src := &slabSource{s: s, view: v, runs: v.Runs(), cols: make([]slabCol, len(s.cols))}
	for k := range s.cols {
		c := &src.cols[k]
		c.data, c.zones, c.ok = v.Column(s.cols[k].id)
	}
	r := newReader(s, src, at)
	if r.allDeleted() || s.prune(src, &r.dicts) {
		return nil
	}
	return r
}

type slabSource struct {
	s    *Scan
	view memtable.SlabView
	runs []memtable.Run
	cols []slabCol
}

type slabCol struct {
	ok    bool // the slab has the column
	data  encoding.Column
	zones []encoding.Zone
	bufs  [][]byte // what views refer to
	codes []uint16 // of bytes with few values, once they were asked for
	dict  *vec.Dictionary
	plain bool // there are no codes
}

func (b *slabSource) rows() int    { return b.view.Rows }
func (b *slabSource) close() error { return nil }

func (b *slabSource) load(k, from, n int, sel vec.Selection, c *loaded) error {
	col, src := &b.s.cols[k], &b.cols[k]
	switch {
	case col.id == catalog.ColReceivedAt || col.id == catalog.ColCommitSeq:
		b.loadRuns(col, from, n, c)
		return nil
	case !src.ok:
		c.raw = *c.constant(col.typ, &col.missing, n)
		c.full = true
		return nil
	}
	c.raw = vec.Vector{Type: col.typ, Len: n}
	if src.data.Valid != nil {
		valid := c.scratch.Valid(n)
		if !kernel.PackBits(valid, src.data.Valid[from:from+n]) {
			c.raw.Valid = valid
		}
	}
	if size := src.data.Phys.Size(); size > 0 {
		c.full = true
		c.raw.Fixed = src.data.Fixed[from*size : (from+n)*size]
		return widen(c, src.data.Phys, src.data.Unsigned)
	}
	if col.typ.Phys() != types.PhysBytes {
		return castError(src.data.Phys, col.typ)
	}
	if b.loadCodes(col, src, from, n, c) {
		return nil
	}
	if src.bufs == nil {
		src.bufs = [][]byte{src.data.Bytes}
	}
	loadViews(c, &src.data, src.bufs, from, n, sel)
	return nil
}

// loadCodes gives a column of few values as codes. A reader that stops after
// its first batch (LIMIT) does not pay for making them.
func (b *slabSource) loadCodes(col *column, src *slabCol, from, n int, c *loaded) bool {
	if src.codes == nil {
		if src.plain || from == 0 {
			return false
		}
		var ok bool
		if src.codes, src.dict, ok = b.view.Codes(col.id, col.typ); !ok {
			src.plain = true
			return false
		}
	}
	c.raw.Form, c.raw.Dict, c.full = vec.Dict, src.dict, true
	c.raw.Fixed = c.scratch.Fixed(4 * n)
	out := c.raw.Codes()
	for i, x := range src.codes[from : from+n] {
		out[i] = uint32(x)
	}
	return true
}

// loadViews makes views of rows [from, from+n) of a bytes column.
func loadViews(c *loaded, src *encoding.Column, bufs [][]byte, from, n int, sel vec.Selection) {
	c.raw.Views = c.scratch.Views(n)
	c.raw.Bufs = bufs
	offs := src.Offs[from : from+n+1]
	if sel == nil {
		for i := range n {
			o := offs[i]
			c.raw.Views[i] = vec.ViewAt(src.Bytes, o, offs[i+1]-o, 0)
		}
		return
	}
	clear(c.raw.Views)
	for _, i := range sel {
		o := offs[i]
		c.raw.Views[i] = vec.ViewAt(src.Bytes, o, offs[i+1]-o, 0)
	}
}

// loadRuns gives a hidden column.
func (b *slabSource) loadRuns(col *column, from, n int, c *loaded) {
	at := b.runAt(from)
	value := func(run *memtable.Run) int64 {
		if col.id == catalog.ColReceivedAt {
			return run.ReceivedAt
		}
		return int64(run.Seq)
	}
	c.raw = vec.Vector{Type: col.typ, Len: n, Fixed: c.scratch.Fixed(8 * n)}
	c.full = true
	if at+1 == len(b.runs) || int(b.runs[at+1].Start) >= from+n {
		c.raw.Form = vec.Const
		vec.Values[int64](&c.raw)[0] = value(&b.runs[at])
		c.raw.Fixed = c.raw.Fixed[:8]
		return
	}
	out := vec.Values[int64](&c.raw)
	for i := range out {
		if at+1 < len(b.runs) && int(b.runs[at+1].Start) <= from+i {
			at++
		}
		out[i] = value(&b.runs[at])
	}
}

// runAt is the run that holds a row.
func (b *slabSource) runAt(row int) int {
	return sort.Search(len(b.runs), func(i int) bool { return int(b.runs[i].Start) > row }) - 1
}

func (b *slabSource) expired(from, n int) extent {
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for at := b.runAt(from); at < len(b.runs) && int(b.runs[at].Start) < from+n; at++ {
		lo, hi = min(lo, b.runs[at].ReceivedAt), max(hi, b.runs[at].ReceivedAt)
	}
	t := b.s.timeCol
	if t < 0 || !b.cols[t].ok {
		if t >= 0 && !b.s.cols[t].missing.Null {
			return some
		}
		return extentOf(b.s.floor, lo, hi)
	}
	var z encoding.Zone
	for g := from / memtable.GranuleRows; g*memtable.GranuleRows < from+n; g++ {
		z.Merge(&b.cols[t].zones[g])
	}
	return expiredZone(&z, b.cols[t].data.Phys, b.s.floor, lo, hi)
}

// expiredZone decides by the bounds of event time and receipt.
func expiredZone(z *encoding.Zone, p types.Phys, floor, recvMin, recvMax int64) extent {
	lo, hi := recvMin, recvMax
	if z.Flags&encoding.ZoneValues != 0 {
		tmin, tmax := z.MinI, z.MaxI
		if p == types.PhysI32 {
			tmin, tmax = segment.DateMicros(int32(tmin)), segment.DateMicros(int32(tmax))
		}
		lo, hi = segment.Effective(tmin, false, recvMin), segment.Effective(tmax, false, recvMax)
		if z.Nulls > 0 {
			lo, hi = min(lo, recvMin), max(hi, recvMax)
		}
	}
	return extentOf(floor, lo, hi)
}

func extentOf(floor, lo, hi int64) extent {
	switch {
	case lo >= floor:
		return none
	case hi < floor:
		return whole
	}
	return some
}

func (b *slabSource) skip(p *pred, from, n int, dicts *dictCache) bool {
	c := &b.cols[p.col]
	if !c.ok || !sameKeys(c.data.Phys, p.typ.Phys()) {
		return false
	}
	for g := from / memtable.GranuleRows; g*memtable.GranuleRows < from+n; g++ {
		if p.survives(&c.zones[g], nil) {
			return false
		}
	}
	return true
}

func (b *slabSource) bounds(k, from, n int) (z encoding.Zone, ok bool) {
	c := &b.cols[k]
	if !c.ok || !sameKeys(c.data.Phys, b.s.cols[k].typ.Phys()) {
		return z, false
	}
	for g := from / memtable.GranuleRows; g*memtable.GranuleRows < from+n; g++ {
		z.Merge(&c.zones[g])
	}
	return z, true
}

// sameKeys tells whether bounds of stored values bound the column's values too:
// widening keeps integers as they are, and floats.
func sameKeys(stored, now types.Phys) bool {
	isInt := func(p types.Phys) bool { return p >= types.PhysI16 && p <= types.PhysI64 }
	isFloat := func(p types.Phys) bool { return p == types.PhysF32 || p == types.PhysF64 }
	return stored == now || isInt(stored) && isInt(now) || isFloat(stored) && isFloat(now)
}

// widen converts c.raw from the stored physical form to its type's.
func widen(c *loaded, stored types.Phys, unsigned bool) error {
	t := c.raw.Type
	if t.Phys() == stored && (stored != types.PhysI32 || t.Unsigned() == unsigned) {
		return nil
	}
	src, n := c.raw.Fixed, c.raw.Len
	if c.raw.Form == vec.Const {
		n = 1
	}
	var wide vec.Vector
	c.wide.flat(&wide, &c.raw, n)
	wide.Form, wide.Len, wide.Valid = c.raw.Form, c.raw.Len, c.raw.Valid
	switch {
	case stored == types.PhysI16 && t.Phys() == types.PhysI32:
		convert(vec.Values[int32](&wide), vec.CastSlice[int16](src))
	case stored == types.PhysI16 && t.Phys() == types.PhysI64:
		convert(vec.Values[int64](&wide), vec.CastSlice[int16](src))
	case stored == types.PhysI32 && t.Phys() == types.PhysI64 && !unsigned:
		convert(vec.Values[int64](&wide), vec.CastSlice[int32](src))
	case stored == types.PhysI32 && t.Phys() == types.PhysI64:
		convert(vec.Values[int64](&wide), vec.CastSlice[uint32](src))
	case stored == types.PhysF32 && t.Phys() == types.PhysF64:
		convert(vec.Values[float64](&wide), vec.CastSlice[float32](src))
	default:
		return castError(stored, t)
	}
	c.raw = wide
	return nil
}

func convert[D, S int16 | int32 | uint32 | int64 | float32 | float64](dst []D, src []S) {
	for i := range dst {
		dst[i] = D(src[i])
	}
}

func castError(stored types.Phys, t types.Type) error {
	return errs.New(errs.FeatureNotSupported, "reading stored values of physical type %d as %s is not supported", stored, t)
}

func (b *slabSource) match(*pred, int, int, vec.Selection, vec.Selection) (vec.Selection, bool, error) {
	return nil, false, nil
}
