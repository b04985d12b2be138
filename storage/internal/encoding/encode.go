package encoding

import (
	"bytes"
	"encoding/binary"
	"math"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// Encoder makes pages; it keeps scratch between them. Not for concurrent use.
type Encoder struct {
	// SortKey says that rows are sorted by this column, among others.
	SortKey bool
	// Choices is what is remembered of the column's pages; nil = nothing.
	Choices *Choices

	pack   packer
	ints   []int64
	vals   []int64 // values of runs, exceptions, entries
	ends   []int64 // of runs
	coded  []int64 // codes of a page's own dictionary
	places []uint16
	plans  []unitPlan
	tally  tally
	slots  []uint32
	// trainer is made for the first texts.
	trainer *trainer
	dst     []byte
	at      int  // where the open page starts in dst
	codes   bool // values are codes: a dictionary of codes gains nothing
}

// Page encodes rows [from, to) of c, at most PageRows and at least one, in the
// smallest form. The result is padded to 64 bytes and valid until the next call.
func (e *Encoder) Page(c *Column, from, to int) ([]byte, error) {
	e.dst, e.at = e.dst[:0], 0
	err := e.page(c, from, to)
	return e.dst, err
}

// Codes encodes rows of a dictionary column: codes[i] is the code of row i,
// whatever it is where valid (nil = all valid) says NULL.
func (e *Encoder) Codes(codes []uint32, valid []byte, ascii bool) ([]byte, error) {
	e.dst, e.at = e.dst[:0], 0
	nulls := countNulls(valid, 0, len(codes))
	if nulls == len(codes) {
		e.header(Const, flagAllNull, 0, len(codes), nulls)
		e.close()
		return e.dst, nil
	}
	e.header(Dict, asciiFlag(ascii), 0, len(codes), nulls)
	e.dst = append(e.dst, make([]byte, align)...)
	head := e.at + bodyAt
	v := e.intsFor(len(codes))
	prev := int64(0)
	for i, x := range codes {
		if valid == nil || valid[i] != 0 {
			prev = int64(x)
		}
		v[i] = prev
	}
	e.codes = true
	n := e.nested(v, types.PhysI32, false)
	e.codes = false
	binary.LittleEndian.PutUint32(e.dst[head+4:], uint32(n))
	e.validity(valid, 0, len(codes), nulls)
	e.close()
	return e.dst, nil
}

func asciiFlag(ascii bool) byte {
	if ascii {
		return flagASCII
	}
	return 0
}

func countNulls(valid []byte, from, to int) int {
	if valid == nil {
		return 0
	}
	n := 0
	for _, v := range valid[from:to] {
		n += 1 - int(v)
	}
	return n
}

func (e *Encoder) intsFor(n int) []int64 {
	if n > cap(e.ints) {
		e.ints = make([]int64, max(n, kernel.Unit))
	}
	return e.ints[:n]
}

// header opens a page at e.at.
func (e *Encoder) header(k Kind, flags, scale byte, rows, nulls int) {
	e.dst = append(e.dst, byte(k), flags, 0, scale)
	e.dst = binary.LittleEndian.AppendUint32(e.dst, uint32(rows))
	e.dst = binary.LittleEndian.AppendUint32(e.dst, uint32(nulls))
	e.dst = append(e.dst, make([]byte, bodyAt-12)...)
}

// close pads the open page to a 64-byte boundary.
func (e *Encoder) close() {
	n := len(e.dst) - e.at
	e.dst = append(e.dst, make([]byte, pad(n)-n)...)
}

func (e *Encoder) validity(valid []byte, from, to, nulls int) {
	if nulls == 0 {
		return
	}
	e.close()
	e.dst[e.at+1] |= flagValidity
	at := len(e.dst)
	binary.LittleEndian.PutUint32(e.dst[e.at+12:], uint32(at-e.at))
	e.dst = append(e.dst, make([]byte, 8*((to-from+63)/64))...)
	kernel.PackBits(vec.CastSlice[uint64](e.dst[at:]), valid[from:to])
}

func (e *Encoder) page(c *Column, from, to int) error {
	rows, nulls := to-from, countNulls(c.Valid, from, to)
	if nulls == rows {
		e.header(Const, flagAllNull, 0, rows, nulls)
		e.close()
		return nil
	}
	if c.Phys == types.PhysBytes {
		if err := e.bytes(c, from, to, nulls); err != nil {
			return err
		}
	} else if err := e.fixed(c, from, to, nulls); err != nil {
		return err
	}
	e.validity(c.Valid, from, to, nulls)
	e.close()
	return nil
}

func (e *Encoder) fixed(c *Column, from, to, nulls int) error {
	rows, size := to-from, c.Phys.Size()
	if e.isConst(c, from, to) {
		first := from
		for c.Null(first) {
			first++
		}
		if c.Phys != types.PhysNum {
			e.header(Const, 0, 0, rows, nulls)
			e.dst = append(e.dst, c.Fixed[first*size:(first+1)*size]...)
			return nil
		}
	}
	switch c.Phys {
	case types.PhysBool:
		e.header(Bitmap, 0, 0, rows, nulls)
		at := len(e.dst)
		e.dst = append(e.dst, make([]byte, 8*((rows+63)/64))...)
		kernel.PackBits(vec.CastSlice[uint64](e.dst[at:]), c.Fixed[from:to])
		return nil
	case types.PhysI16, types.PhysI32, types.PhysI64:
		v, scale := e.widen(c, from, to), byte(0)
		if c.Phys == types.PhysI64 {
			if scale = scaleOf(v); scale > 0 {
				for i := range v {
					v[i] /= powers[scale]
				}
			}
		}
		if e.intPage(v, c.Phys, scale, nulls, float64(rows*size), false) {
			return nil
		}
	case types.PhysF32, types.PhysF64:
		return e.floats(c, from, to, nulls)
	case types.PhysNum:
		if v, scale, ok := e.coefficients(c, from, to); ok && e.intPage(v, c.Phys, scale, nulls, float64(rows*size), false) {
			return nil
		}
	}
	e.header(Plain, 0, 0, rows, nulls)
	e.dst = append(e.dst, c.Fixed[from*size:to*size]...)
	return nil
}

// isConst tells whether all values but NULLs have the same bytes.
func (e *Encoder) isConst(c *Column, from, to int) bool {
	size := c.Phys.Size()
	var first []byte
	for i := from; i < to; i++ {
		if c.Null(i) {
			continue
		}
		b := c.Fixed[i*size : (i+1)*size]
		if first == nil {
			first = b
		} else if !bytes.Equal(first, b) {
			return false
		}
	}
	return true
}

// widen gives integers, and bits of floats, as int64; a NULL row repeats the value before it.
func (e *Encoder) widen(c *Column, from, to int) []int64 {
	v := e.intsFor(to - from)
	switch {
	case c.Phys == types.PhysI16:
		widenAs(v, vec.CastSlice[int16](c.Fixed)[from:to])
	case c.Phys == types.PhysI32 && c.Unsigned, c.Phys == types.PhysF32:
		widenAs(v, vec.CastSlice[uint32](c.Fixed)[from:to])
	case c.Phys == types.PhysI32:
		widenAs(v, vec.CastSlice[int32](c.Fixed)[from:to])
	default:
		copy(v, vec.CastSlice[int64](c.Fixed)[from:to])
	}
	repeatNulls(v, c.Valid, from)
	return v
}

func widenAs[T int16 | int32 | uint32](dst []int64, src []T) {
	for i, x := range src {
		dst[i] = int64(x)
	}
}

// repeatNulls gives NULL rows the value before them, or the first value.
func repeatNulls(v []int64, valid []byte, from int) {
	if valid == nil {
		return
	}
	first := 0
	for valid[from+first] == 0 {
		first++
	}
	prev := v[first]
	for i := range v {
		if valid[from+i] == 0 {
			v[i] = prev
		} else {
			prev = v[i]
		}
	}
}

// coefficients gives decimals as 64-bit coefficients if all fit and share a
// scale. The sign of the scale and its size must fit the header's byte.
func (e *Encoder) coefficients(c *Column, from, to int) (v []int64, scale byte, ok bool) {
	nums := vec.CastSlice[types.Num](c.Fixed)[from:to]
	v = e.intsFor(to - from)
	seen := false
	for i := range nums {
		n := &nums[i]
		v[i] = int64(n.Lo)
		if c.Null(from + i) {
			continue
		}
		if n.Kind != types.NumFinite || n.Hi != int64(n.Lo)>>63 || n.Scale < 0 || n.Scale > math.MaxInt8 || seen && n.Scale != int16(scale) {
			return nil, 0, false
		}
		seen, scale = true, byte(n.Scale)
	}
	repeatNulls(v, c.Valid, from)
	return v, scale, true
}

// constPage writes the value x of every row.
func (e *Encoder) constPage(x int64, scale byte, rows, nulls int) {
	e.header(Const, 0, scale, rows, nulls)
	e.dst = binary.LittleEndian.AppendUint64(e.dst, uint64(x))
}

// forPage writes v as FOR page.
func (e *Encoder) forPage(v []int64, plans []unitPlan, phys types.Phys, scale byte, nulls int) {
	e.header(For, 0, scale, len(v), nulls)
	e.dst = append(e.dst, make([]byte, pad(len(plans)*unitEntry))...)
	for u, p := range plans {
		var entry [unitEntry]byte
		part := v[u*kernel.Unit : min(len(v), (u+1)*kernel.Unit)]
		e.dst = e.pack.append(e.dst, entry[:], e.at, part, p, wide(phys))
		copy(e.dst[e.at+bodyAt+u*unitEntry:], entry[:])
	}
}

// nested writes v as a page within the open one and returns its length.
func (e *Encoder) nested(v []int64, phys types.Phys, leaf bool) int {
	n, _ := e.nestedWithin(v, phys, leaf, math.Inf(1))
	return n
}

// nestedWithin does so unless the page would take more than limit bytes. NB: a page
// of less than a unit is written anyway.
func (e *Encoder) nestedWithin(v []int64, phys types.Phys, leaf bool, limit float64) (n int, ok bool) {
	outer := e.at
	e.at = len(e.dst)
	ok = e.intPage(v, phys, 0, 0, limit, leaf)
	e.close()
	n = len(e.dst) - e.at
	e.at = outer
	return n, ok
}

// IsASCII tells whether b has no byte above 0x7F.
func IsASCII(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b)&0x8080808080808080 != 0 {
			return false
		}
		b = b[8:]
	}
	for _, x := range b {
		if x >= 0x80 {
			return false
		}
	}
	return true
}

// Ints encodes numbers as a page without NULLs.
func (e *Encoder) Ints(v []uint32) []byte {
	e.dst, e.at = e.dst[:0], 0
	w := e.intsFor(len(v))
	for i, x := range v {
		w[i] = int64(x)
	}
	e.intPage(w, types.PhysI32, 0, 0, math.Inf(1), true)
	e.close()
	return e.dst
}
