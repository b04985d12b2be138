package pgwire

import (
	"encoding/binary"

	"quern/storage/types"
	"quern/storage/vec"
)

// appendFunc appends value i of a Flat vector, which is not NULL.
type appendFunc func(c *column, dst []byte, v *vec.Vector, i int) []byte

// column encodes one result column of one portal. What depends on the type,
// the format and the session's settings is chosen once, in newColumn; buf and
// ends are reused for every batch.
type column struct {
	typ    types.Type
	fmt    *types.Format
	binary bool
	raw    bool // the value's bytes are its encoding
	fixed  fixedKind
	app    appendFunc
	stamp  stampCache
	err    error // first value that has no binary form

	buf  []byte  // encoded values of the rows at hand, one after the other
	ends []int32 // where each ends in buf; -1 = NULL
	pos  int32   // the place in buf of who reads it row by row
	// direct: the values at hand are stored without scratch.
	direct bool

	dict dictCache
}

// dictCache holds the encoding of the codes of one dictionary that were met.
type dictCache struct {
	of    *vec.Dictionary
	buf   []byte
	spans []span // by code; len 0 and off 0 = not yet encoded
	empty []bool // codes whose encoding is empty, once there is one
}

type span struct{ off, end int32 }

// dictCacheMax bounds the cache; a larger dictionary is encoded row by row.
const dictCacheMax = 1 << 20

// encode fills buf and ends with rows lo…hi of v; with a selection these are
// positions in it.
func (c *column) encode(v *vec.Vector, sel vec.Selection, lo, hi int) {
	c.buf, c.ends, c.pos = c.buf[:0], c.ends[:0], 0
	switch {
	case v.Form == vec.Const:
		c.encodeConst(v, hi-lo)
	case v.Form == vec.Dict:
		c.encodeDict(v, sel, lo, hi)
	case c.raw:
		c.encodeRaw(v, sel, lo, hi)
	default:
		c.encodeFlat(v, sel, lo, hi)
	}
}

func (c *column) encodeConst(v *vec.Vector, n int) {
	if v.Null(0) {
		for range n {
			c.ends = append(c.ends, -1)
		}
		return
	}
	for range n {
		c.buf = c.value(c.buf, v, 0)
		c.ends = append(c.ends, int32(len(c.buf)))
	}
}

// value appends value i of a Flat (or entry 0 of a Const) vector.
func (c *column) value(dst []byte, v *vec.Vector, i int) []byte {
	if c.raw {
		return append(dst, v.Views[i].Bytes(v.Bufs)...)
	}
	return c.app(c, dst, v, i)
}

func (c *column) encodeRaw(v *vec.Vector, sel vec.Selection, lo, hi int) {
	buf, ends := c.buf, c.ends
	for k := lo; k < hi; k++ {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if v.Null(i) {
			ends = append(ends, -1)
			continue
		}
		buf = append(buf, v.Views[i].Bytes(v.Bufs)...)
		ends = append(ends, int32(len(buf)))
	}
	c.buf, c.ends = buf, ends
}

func (c *column) encodeFlat(v *vec.Vector, sel vec.Selection, lo, hi int) {
	buf, ends := c.buf, c.ends
	for k := lo; k < hi; k++ {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if v.Null(i) {
			ends = append(ends, -1)
			continue
		}
		buf = c.app(c, buf, v, i)
		ends = append(ends, int32(len(buf)))
	}
	c.buf, c.ends = buf, ends
}

func (c *column) encodeDict(v *vec.Vector, sel vec.Selection, lo, hi int) {
	codes, values := v.Codes(), &v.Dict.Values
	cached := !c.raw && c.useDict(v.Dict)
	buf, ends := c.buf, c.ends
	for k := lo; k < hi; k++ {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if v.Null(i) {
			ends = append(ends, -1)
			continue
		}
		code := codes[i]
		switch {
		case c.raw:
			buf = append(buf, values.Views[code].Bytes(values.Bufs)...)
		case cached:
			buf = append(buf, c.entry(code)...)
		default:
			buf = c.app(c, buf, values, int(code))
		}
		ends = append(ends, int32(len(buf)))
	}
	c.buf, c.ends = buf, ends
}

// useDict makes the cache that of d; false if d is too large to be cached.
func (c *column) useDict(d *vec.Dictionary) bool {
	if d.Values.Len > dictCacheMax {
		return false
	}
	if c.dict.of != d {
		c.dict = dictCache{of: d, buf: c.dict.buf[:0], spans: make([]span, d.Values.Len)}
	}
	return true
}

// entry is the encoding of a code, made when it is first met.
func (c *column) entry(code uint32) []byte {
	d := &c.dict
	s := d.spans[code]
	if s.end == s.off && (d.empty == nil || !d.empty[code]) {
		off := int32(len(d.buf))
		d.buf = c.app(c, d.buf, &d.of.Values, int(code))
		s = span{off, int32(len(d.buf))}
		d.spans[code] = s
		if s.end == s.off {
			if d.empty == nil {
				d.empty = make([]bool, len(d.spans))
			}
			d.empty[code] = true
		}
	}
	return d.buf[s.off:s.end]
}

// textBytes estimates the encoded bytes of rows lo…hi, for bounding a chunk.
func (c *column) textBytes(v *vec.Vector, sel vec.Selection, lo, hi int) int {
	if v.Type.Phys() != types.PhysBytes {
		return 24 * (hi - lo)
	}
	if v.Form == vec.Const {
		return int(v.Views[0].Len) * (hi - lo)
	}
	n := 0
	for k := lo; k < hi; k++ {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		if v.Form == vec.Dict {
			if !v.Null(i) {
				n += int(v.Dict.Values.Views[v.Codes()[i]].Len)
			}
			continue
		}
		n += int(v.Views[i].Len)
	}
	return n
}

// addSizes adds the bytes of each encoded value to the rows' sizes.
func (c *column) addSizes(sizes []int32) {
	from := int32(0)
	for r, end := range c.ends[:len(sizes)] {
		if end >= 0 {
			sizes[r] += end - from
			from = end
		}
	}
}

// put stores each encoded value, behind its length, where at says, and moves
// at behind it.
func (c *column) put(dst []byte, at []int32) {
	from := int32(0)
	for r, end := range c.ends[:len(at)] {
		p := at[r]
		if end < 0 {
			binary.BigEndian.PutUint32(dst[p:], 0xFFFFFFFF)
			at[r] = p + 4
			continue
		}
		binary.BigEndian.PutUint32(dst[p:], uint32(end-from))
		copy(dst[p+4:], c.buf[from:end])
		at[r] = p + 4 + end - from
		from = end
	}
}
