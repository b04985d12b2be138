package hash

import (
	"quern/storage/types"
	"quern/storage/vec"
)

// Codes are the groups of a single key that comes as codes of a dictionary: a row
// of states per code that occurred, found without hashing and without copies of
// strings, so that a row of the input costs one look at an array whatever the
// number of groups. Not for concurrent use; the zero value is not ready.
type Codes struct {
	Dict *vec.Dictionary // nil = none
	Typ  types.Type
	Rows []uint64 // states of Len groups behind room for one row's keys: offsets are a row's
	Null int      // row of NULL, −1 = none

	keys, states int // words
	codes        []uint32
	at           []*codePage // per code: row + 1; nil = no code of the page occurred
	pages        []*codePage // not in use
	held         int         // pages made
}

// CodePage is how many codes share a piece of the list from codes to rows. Queries
// that see few entries of a large dictionary, which is sorted, make few pieces.
const (
	CodePage     = 1 << codePageBits
	codePageBits = 12
)

type codePage [CodePage]uint32

// NewCodes makes room for groups with so many words of keys and of states.
func NewCodes(keys, states int) *Codes { return &Codes{keys: keys, states: states, Null: -1} }

// Len is the number of groups.
func (c *Codes) Len() int { return len(c.codes) }

// Size is the memory held, in bytes.
func (c *Codes) Size() int {
	return 8*cap(c.Rows) + 4*cap(c.codes) + c.held*4*CodePage + 8*cap(c.at)
}

// Use begins with the dictionary of v; there are no groups.
func (c *Codes) Use(v *vec.Vector) {
	c.Dict, c.Typ = v.Dict, v.Type
	n := (v.Dict.Values.Len + CodePage - 1) >> codePageBits
	if cap(c.at) < n {
		c.at = make([]*codePage, n)
	}
	c.at = c.at[:n]
	if c.Rows == nil {
		c.Rows = make([]uint64, c.keys)
	}
}

// Reset forgets groups and dictionary and keeps the memory.
func (c *Codes) Reset() {
	c.Dict, c.Null, c.codes = nil, -1, c.codes[:0]
	for i, p := range c.at {
		if p != nil {
			clear(p[:])
			c.pages = append(c.pages, p)
			c.at[i] = nil
		}
	}
}

// Find writes to at the place in Rows of the group of each live row of v, whose
// dictionary is in use; len(at) live rows.
func (c *Codes) Find(at []uint32, v *vec.Vector, sel vec.Selection) {
	codes, states := v.Codes(), uint32(c.states)
	if sel == nil && v.Valid == nil {
		for i, code := range codes[:len(at)] {
			at[i] = c.row(code) * states
		}
		return
	}
	for i := range at {
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		if v.Valid == nil || !v.Null(r) {
			at[i] = c.row(codes[r]) * states
			continue
		}
		if c.Null < 0 {
			c.Null = int(c.add(0))
		}
		at[i] = uint32(c.Null) * states
	}
}

// row finds or makes the group of a code.
func (c *Codes) row(code uint32) uint32 {
	p := c.at[code>>codePageBits]
	if p == nil {
		p = c.page(code)
	}
	row := &p[code%CodePage]
	if *row == 0 {
		*row = c.add(code) + 1
	}
	return *row - 1
}

func (c *Codes) page(code uint32) (p *codePage) {
	if n := len(c.pages); n > 0 {
		p, c.pages = c.pages[n-1], c.pages[:n-1]
	} else {
		p = new(codePage)
		c.held++
	}
	c.at[code>>codePageBits] = p
	return p
}

func (c *Codes) add(code uint32) uint32 {
	n := len(c.codes)
	if end := c.keys + (n+1)*c.states; len(c.Rows) < end {
		bigger := make([]uint64, max(2*len(c.Rows), c.keys+1024*c.states))
		copy(bigger, c.Rows)
		c.Rows = bigger
	}
	clear(c.Rows[c.keys+n*c.states : c.keys+(n+1)*c.states])
	c.codes = append(c.codes, code)
	return uint32(n)
}

// Met tells whether a code of the page of CodePage codes from a multiple of it on
// may have a group.
func (c *Codes) Met(from int) bool { return c.at[from>>codePageBits] != nil }

// Row is the group of a code, −1 if it has none.
func (c *Codes) Row(code int) int {
	if p := c.at[code>>codePageBits]; p != nil {
		return int(p[code%CodePage]) - 1
	}
	return -1
}

// States copies the states of group r to dst.
func (c *Codes) States(dst []uint64, r int) { copy(dst[:c.states], c.Rows[c.keys+r*c.states:]) }

// Keys gives the keys of groups [lo, lo+n).
func (c *Codes) Keys(lo, n int) vec.Vector {
	v := vec.Vector{Type: c.Typ, Form: vec.Dict, Len: n, Dict: c.Dict, Fixed: vec.BytesOf(c.codes[lo : lo+n])}
	if c.Null >= lo && c.Null < lo+n {
		v.Valid = make([]uint64, (n+63)/64)
		for i := range v.Valid {
			v.Valid[i] = ^uint64(0)
		}
		v.SetNull(c.Null - lo)
	}
	return v
}
