package hash

import (
	"bytes"
	"sync"

	"quern/storage/types"
	"quern/storage/vec"
)

// Union numbers the strings of one key column, so that tables hold an integer
// instead: the codes of one dictionary are the numbers of its entries, and strings
// that it lacks get the next ones. Workers share it; each asks by a Coder of its
// own, which remembers the numbers of other dictionaries' entries, so that the lock
// is taken once per entry and not per row.
//
// The strings stay in memory: it is for columns whose dictionaries are few or small.
type Union struct {
	base func() (*vec.Dictionary, error)
	once sync.Once
	dict *vec.Dictionary // after once
	err  error

	mu     sync.Mutex // guards the fields below
	slots  []uint32   // number + 1 of all strings; empty until one is not the base's
	hashes []uint64   // of those that are not
	views  []vec.View
	arenas Arenas
	arena  Arena
	whole  *vec.Dictionary // base and others, once wanted
}

// NewUnion makes a union; base gives the dictionary whose codes are taken over.
func NewUnion(base func() (*vec.Dictionary, error)) *Union {
	u := &Union{base: base}
	u.arena.All = &u.arenas
	return u
}

func (u *Union) load() (*vec.Dictionary, error) {
	u.once.Do(func() { u.dict, u.err = u.base() })
	return u.dict, u.err
}

// Size is the memory of strings that are not the base's, in bytes.
func (u *Union) Size() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return 4*cap(u.slots) + 8*cap(u.hashes) + 16*cap(u.views) + int(u.arenas.Size())
}

func (u *Union) hash(id uint32) uint64 {
	if n := uint32(len(u.dict.Hashes)); id >= n {
		return u.hashes[id-n]
	}
	return u.dict.Hashes[id]
}

func (u *Union) bytes(id uint32) []byte {
	if n := uint32(u.dict.Values.Len); id >= n {
		return u.views[id-n].Bytes(u.arenas.Chunks())
	}
	return u.dict.Values.BytesAt(int(id))
}

// number gives the number of b, whose hash is h.
func (u *Union) number(b []byte, h uint64) uint32 {
	u.mu.Lock()
	defer u.mu.Unlock()
	n := u.dict.Values.Len + len(u.views)
	if 2*(n+1) > len(u.slots) {
		u.grow(n)
	}
	mask := uint64(len(u.slots) - 1)
	s := h >> 20 & mask
	for ; u.slots[s] != 0; s = (s + 1) & mask {
		if id := u.slots[s] - 1; u.hash(id) == h && bytes.Equal(u.bytes(id), b) {
			return id
		}
	}
	w0, w1 := u.arena.Put(b)
	u.views = append(u.views, ViewOf(w0, w1))
	u.hashes = append(u.hashes, h)
	u.slots[s] = uint32(n + 1)
	return uint32(n)
}

func (u *Union) grow(n int) {
	size := minSlots
	for size < 4*(n+1) {
		size *= 2
	}
	u.slots = make([]uint32, size)
	mask := uint64(size - 1)
	for id := range uint32(n) {
		s := u.hash(id) >> 20 & mask
		for u.slots[s] != 0 {
			s = (s + 1) & mask
		}
		u.slots[s] = id + 1
	}
}

// Dict is a dictionary of all strings by number. No further ones come.
func (u *Union) Dict() *vec.Dictionary {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.views) == 0 {
		return u.dict
	}
	if u.whole == nil {
		d := &u.dict.Values
		bufs := append(d.Bufs[:len(d.Bufs):len(d.Bufs)], u.arenas.Chunks()...)
		views := make([]vec.View, 0, d.Len+len(u.views))
		views = append(views, d.Views[:d.Len]...)
		for _, v := range u.views {
			if v.Len > InlineMax {
				v.B += uint32(len(d.Bufs))
			}
			views = append(views, v)
		}
		hashes := append(u.dict.Hashes[:d.Len:d.Len], u.hashes...)
		u.whole = &vec.Dictionary{Values: vec.Vector{Type: d.Type, Len: len(views), Views: views, Bufs: bufs}, Hashes: hashes}
	}
	return u.whole
}

// CodeType is the type of the numbers.
var CodeType = types.Int4

// Coder turns a column's vectors into vectors of numbers, for one worker.
type Coder struct {
	U    *Union
	dict uint64 // whose numbers are remembered
	ids  []uint32
	out  []uint32
}

// Size is the memory held, that of the union included, in bytes.
func (c *Coder) Size() int {
	if c.U == nil {
		return 0
	}
	return 4*(cap(c.ids)+cap(c.out)) + c.U.Size()
}

// Code makes dst the numbers of the rows sel (nil = all) of v. It is valid until
// the next call, or as long as v.
func (c *Coder) Code(dst, v *vec.Vector, sel vec.Selection) error {
	base, err := c.U.load()
	if err != nil {
		return err
	}
	*dst = vec.Vector{Type: CodeType, Len: v.Len, Valid: v.Valid}
	if v.Form == vec.Dict && v.Dict.ID == base.ID && base.ID != 0 {
		dst.Fixed = v.Fixed
		return nil
	}
	if cap(c.out) < v.Len {
		c.out = make([]uint32, max(v.Len, vec.BatchRows))
	}
	if v.Form == vec.Const {
		dst.Form = vec.Const
		dst.Fixed = vec.BytesOf(c.out[:1])
		if !v.Null(0) {
			b := v.BytesAt(0)
			c.out[0] = c.U.number(b, vec.HashBytes(b))
		}
		return nil
	}
	dst.Fixed = vec.BytesOf(c.out[:v.Len])
	known := c.known(v)
	n := v.Len
	if sel != nil {
		n = len(sel)
	}
	for i := range n {
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		if v.Null(r) {
			c.out[r] = 0
			continue
		}
		if known == nil {
			b := v.BytesAt(r)
			c.out[r] = c.U.number(b, vec.HashBytes(b))
			continue
		}
		id := &known[v.Codes()[r]]
		if *id == 0 {
			b := v.BytesAt(r)
			*id = c.U.number(b, vec.HashBytes(b)) + 1
		}
		c.out[r] = *id - 1
	}
	return nil
}

// known gives the numbers + 1 of the entries of v's dictionary, nil if they cannot
// be remembered.
func (c *Coder) known(v *vec.Vector) []uint32 {
	if v.Form != vec.Dict || v.Dict.ID == 0 {
		return nil
	}
	if c.dict != v.Dict.ID {
		n := v.Dict.Values.Len
		if cap(c.ids) < n {
			c.ids = make([]uint32, n)
		}
		c.ids = c.ids[:n]
		clear(c.ids)
		c.dict = v.Dict.ID
	}
	return c.ids
}
