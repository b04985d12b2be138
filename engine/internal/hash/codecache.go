package hash

import (
	"quern/storage/types"
	"quern/storage/vec"
)

// CodeCache finds groups of a single key with few possible values without
// hashing: a dictionary code, a bool or an int2 is an index into a list of
// places in the table.
type CodeCache struct {
	at   []uint32 // per code: place + 1 in the table's Rows, 0 = unknown
	null uint32   // the same for NULL
	dict uint64   // ID of the dictionary that codes belong to
	miss vec.Selection
	tmp  []uint32
}

// cacheCodesMax bounds the list (4 MiB).
const cacheCodesMax = 1 << 20

// Reset forgets all places: the table was reset.
func (c *CodeCache) Reset() {
	clear(c.at)
	c.null, c.dict = 0, 0
}

// Size is the memory held, in bytes.
func (c *CodeCache) Size() int { return 4*cap(c.at) + 2*cap(c.miss) + 4*cap(c.tmp) }

// Find is t.FindOrInsert.
func (c *CodeCache) Find(t *Table, at []uint32, keys []vec.Vector, sel vec.Selection) {
	v := &keys[0]
	switch {
	case len(keys) > 1:
	case v.Form == vec.Dict && v.Dict.ID != 0 && v.Dict.Values.Len <= cacheCodesMax:
		if c.dict != v.Dict.ID {
			c.use(v.Dict.Values.Len)
			c.dict = v.Dict.ID
		}
		findCodes(c, t, at, v, v.Codes(), keys, sel)
		return
	case v.Form == vec.Flat && v.Type.Phys() == types.PhysBool:
		c.use(0)
		findCodes(c, t, at, v, v.Fixed, keys, sel)
		return
	case v.Form == vec.Flat && v.Type.Phys() == types.PhysI16:
		c.use(0)
		findCodes(c, t, at, v, vec.CastSlice[uint16](v.Fixed), keys, sel)
		return
	}
	t.FindOrInsert(at, keys, sel)
}

// use makes room for n codes of a new dictionary, or for all 16-bit values.
func (c *CodeCache) use(n int) {
	if n == 0 {
		if c.dict != 0 || len(c.at) != 1<<16 {
			c.at, c.dict = make([]uint32, 1<<16), 0
		}
		return
	}
	if cap(c.at) < n {
		c.at = make([]uint32, n)
	}
	c.at = c.at[:n]
	clear(c.at)
}

func findCodes[T uint8 | uint16 | uint32](c *CodeCache, t *Table, at []uint32, v *vec.Vector, codes []T, keys []vec.Vector, sel vec.Selection) {
	if cap(c.miss) < len(at) {
		c.miss, c.tmp = make(vec.Selection, len(at)), make([]uint32, len(at))
	}
	miss := c.miss[:0]
	for i := range at {
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		a := c.null
		if !v.Null(r) {
			a = c.at[codes[r]]
		}
		if a == 0 {
			miss = append(miss, uint16(r))
		}
		at[i] = a - 1
	}
	if len(miss) == 0 {
		return
	}
	t.FindOrInsert(c.tmp[:len(miss)], keys, miss)
	k := 0
	for i := range at {
		if at[i] != ^uint32(0) {
			continue
		}
		at[i] = c.tmp[k]
		if r := int(miss[k]); v.Null(r) {
			c.null = at[i] + 1
		} else {
			c.at[codes[r]] = at[i] + 1
		}
		k++
	}
}
