package memtable

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"sync"

	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// codesMax is how many distinct values a slab's column may have and still get
// codes: they must fit u16 by far, and a query pays for every entry.
const codesMax = 4096

// slabCodes are the codes of a column of bytes, made by readers when they first
// read it, so that ingest pays nothing. Codes are given out in the order of first
// occurrence: those of a prefix of rows are a prefix of the entries.
type slabCodes struct {
	mu     sync.Mutex // guards all below
	off    bool       // too many values
	codes  []uint16   // of the first rows; NULL has 0
	tops   []uint16   // greatest code + 1 among the first (i+1)·BatchRows rows
	slots  []uint16   // code + 1 by hash, 0 = free
	views  []vec.View // by code, into the column's bytes
	hashes []uint64   // by code
	ascii  bool
	dict   *vec.Dictionary // of the last call
}

// Codes gives the codes of a column of bytes and their dictionary, which has no
// entry that the view's rows do not use. ok is false if there are too many
// values, or none.
func (v SlabView) Codes(id uint32, t types.Type) (codes []uint16, dict *vec.Dictionary, ok bool) {
	c, found := v.Data(id)
	if !found || c.Phys != types.PhysBytes {
		return nil, nil, false
	}
	k := v.Slab.codesOf(id)
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.extend(&c) {
		return nil, nil, false
	}
	codes = k.codes[:v.Rows:v.Rows]
	n := k.entries(codes, &c)
	if n == 0 {
		return nil, nil, false
	}
	if d := k.dict; d == nil || d.Values.Len != n || d.Values.Type != t {
		k.dict = &vec.Dictionary{ASCII: k.ascii, Hashes: k.hashes[:n:n], ID: rand.Uint64() | 1<<63,
			Values: vec.Vector{Type: t, Len: n, Views: k.views[:n:n], Bufs: [][]byte{c.Bytes}}}
	}
	return codes, k.dict, true
}

// codesOf is the codes of a column, which the slab has.
func (s *Slab) codesOf(id uint32) *slabCodes {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.cols[s.find(id, -1)]
	if c.codes == nil {
		c.codes = &slabCodes{ascii: true, slots: make([]uint16, 2*codesMax)}
	}
	return c.codes
}

// extend gives codes to the rows of c that have none yet.
func (k *slabCodes) extend(c *encoding.Column) bool {
	if k.off {
		return false
	}
	k.codes = slices.Grow(k.codes, max(0, c.N-len(k.codes)))
	for i := len(k.codes); i < c.N; i++ {
		code := uint16(0)
		if !c.Null(i) {
			code = k.add(c, i)
		}
		if len(k.views) > codesMax {
			k.off = true
			k.codes, k.tops, k.slots, k.views, k.hashes, k.dict = nil, nil, nil, nil, nil, nil
			return false
		}
		k.codes = append(k.codes, code)
		if (i+1)%vec.BatchRows == 0 {
			k.tops = append(k.tops, uint16(len(k.views)))
		}
	}
	return true
}

func (k *slabCodes) add(c *encoding.Column, i int) uint16 {
	v := c.Value(i)
	h := vec.HashBytes(v)
	mask := uint64(len(k.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		s := k.slots[at]
		if s == 0 {
			k.views = append(k.views, vec.MakeView(v, 0, c.Offs[i]))
			k.hashes = append(k.hashes, h)
			k.slots[at] = uint16(len(k.views))
			k.ascii = k.ascii && encoding.IsASCII(v)
			return uint16(len(k.views) - 1)
		}
		if k.hashes[s-1] == h && bytes.Equal(k.value(s-1, c), v) {
			return s - 1
		}
	}
}

// value is the bytes of an entry, which lie in c.
func (k *slabCodes) value(code uint16, c *encoding.Column) []byte {
	w := &k.views[code]
	if w.Len <= 12 {
		return w.Bytes(nil)
	}
	return c.Bytes[w.C : w.C+w.Len]
}

// entries is how many entries the rows of c, whose codes are given, use.
func (k *slabCodes) entries(codes []uint16, c *encoding.Column) int {
	n, whole := 0, len(codes)/vec.BatchRows
	if whole > 0 {
		n = int(k.tops[whole-1])
	}
	for i := whole * vec.BatchRows; i < len(codes); i++ {
		if !c.Null(i) {
			n = max(n, int(codes[i])+1)
		}
	}
	return n
}
