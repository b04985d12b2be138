package encoding

import (
	"bytes"
	"math"
	"math/bits"

	"quern/storage/types"
	"quern/storage/vec"
)

// ZoneFlags tell what a Zone knows.
type ZoneFlags uint8

// Flags of a Zone.
const (
	ZoneValues  ZoneFlags = 1  // at least one bounded value: the bounds are set
	ZoneInexact ZoneFlags = 2  // bounds are outside or at the true ones
	ZoneNaN     ZoneFlags = 8  // a NaN was seen; bounds leave it out
	ZoneUnknown ZoneFlags = 32 // a value without bounds was seen (interval)
)

// Zone bounds the values of some rows. Bounds are order-preserving keys: for
// integers, dates, times and bools the value; for floats FloatKey; for Num the
// FloatKey of a number just outside; for bytes and uuid the first 16 bytes,
// zero-padded (so MaxP bounds prefixes, not values).
type Zone struct {
	Flags      ZoneFlags
	Rows       uint32
	Nulls      uint32
	MinI, MaxI int64
	MinP, MaxP [16]byte
}

// FloatKey maps floats to integers of the same order; −0 is 0. NaN has no key.
func FloatKey(f float64) int64 {
	if f == 0 {
		return 0
	}
	b := int64(math.Float64bits(f))
	return b ^ int64(uint64(b>>63)>>1)
}

// numSlack is how many float steps the conversion of a Num may be off.
const numSlack = 8

// NumKey gives the FloatKeys just below and above n, which must not be NaN.
func NumKey(n *types.Num) (lo, hi int64) {
	switch n.Kind {
	case types.NumPosInf:
		k := FloatKey(math.Inf(1))
		return k, k
	case types.NumNegInf:
		k := FloatKey(math.Inf(-1))
		return k, k
	}
	if n.Lo == 0 && n.Hi == 0 {
		return 0, 0
	}
	h, l := n.Hi, n.Lo
	neg := h < 0
	if neg {
		var c uint64
		l, c = bits.Sub64(0, l, 0)
		h = int64(-uint64(h) - c)
	}
	f := (math.Ldexp(float64(uint64(h)), 64) + float64(l)) * math.Pow10(-int(n.Scale))
	if neg {
		f = -f
	}
	k := FloatKey(f)
	return k - numSlack, k + numSlack
}

// Extend takes rows [from, to) of c into z.
func (z *Zone) Extend(c *Column, from, to int) {
	z.Rows += uint32(to - from)
	var valid []byte
	if c.Valid != nil {
		valid = c.Valid[from:to]
		nulls := 0
		for _, v := range valid {
			nulls += 1 - int(v)
		}
		z.Nulls += uint32(nulls)
		if nulls == to-from {
			return
		}
		if nulls == 0 {
			valid = nil
		}
	}
	switch c.Phys {
	case types.PhysBool:
		extendInt(z, c.Fixed[from:to], valid)
	case types.PhysI16:
		extendInt(z, vec.CastSlice[int16](c.Fixed)[from:to], valid)
	case types.PhysI32:
		if c.Unsigned {
			extendInt(z, vec.CastSlice[uint32](c.Fixed)[from:to], valid)
		} else {
			extendInt(z, vec.CastSlice[int32](c.Fixed)[from:to], valid)
		}
	case types.PhysI64:
		extendInt(z, vec.CastSlice[int64](c.Fixed)[from:to], valid)
	case types.PhysF32:
		extendFloat(z, vec.CastSlice[float32](c.Fixed)[from:to], valid)
	case types.PhysF64:
		extendFloat(z, vec.CastSlice[float64](c.Fixed)[from:to], valid)
	case types.PhysNum:
		z.extendNum(vec.CastSlice[types.Num](c.Fixed)[from:to], valid)
	case types.PhysInterval:
		z.Flags |= ZoneUnknown
	case types.PhysUUID:
		z.extendUUID(c, from, to)
	default:
		z.extendBytes(c, from, to)
	}
}

func (z *Zone) span(lo, hi int64) {
	if z.Flags&ZoneValues == 0 {
		z.Flags |= ZoneValues
		z.MinI, z.MaxI = lo, hi
		return
	}
	z.MinI, z.MaxI = min(z.MinI, lo), max(z.MaxI, hi)
}

func extendInt[T uint8 | int16 | int32 | uint32 | int64](z *Zone, v []T, valid []byte) {
	if valid == nil {
		lo, hi := v[0], v[0]
		for _, x := range v[1:] {
			lo, hi = min(lo, x), max(hi, x)
		}
		z.span(int64(lo), int64(hi))
		return
	}
	any := false
	var lo, hi T
	for i, x := range v {
		if valid[i] == 0 {
			continue
		}
		if !any {
			any, lo, hi = true, x, x
		}
		lo, hi = min(lo, x), max(hi, x)
	}
	if any {
		z.span(int64(lo), int64(hi))
	}
}

func extendFloat[T float32 | float64](z *Zone, v []T, valid []byte) {
	any := false
	var lo, hi T
	for i, x := range v {
		if valid != nil && valid[i] == 0 {
			continue
		}
		if x != x {
			z.Flags |= ZoneNaN
			continue
		}
		if !any {
			any, lo, hi = true, x, x
		}
		if x < lo {
			lo = x
		}
		if x > hi {
			hi = x
		}
	}
	if any {
		z.span(FloatKey(float64(lo)), FloatKey(float64(hi)))
	}
}

func (z *Zone) extendNum(v []types.Num, valid []byte) {
	for i := range v {
		if valid != nil && valid[i] == 0 {
			continue
		}
		if v[i].Kind == types.NumNaN {
			z.Flags |= ZoneNaN
			continue
		}
		lo, hi := NumKey(&v[i])
		z.span(lo, hi)
		z.Flags |= ZoneInexact
	}
}

func (z *Zone) spanPrefix(p *[16]byte) {
	if z.Flags&ZoneValues == 0 {
		z.Flags |= ZoneValues
		z.MinP, z.MaxP = *p, *p
		return
	}
	if bytes.Compare(p[:], z.MinP[:]) < 0 {
		z.MinP = *p
	}
	if bytes.Compare(p[:], z.MaxP[:]) > 0 {
		z.MaxP = *p
	}
}

func (z *Zone) extendUUID(c *Column, from, to int) {
	for i, v := range vec.CastSlice[[16]byte](c.Fixed)[from:to] {
		if c.Valid == nil || c.Valid[from+i] != 0 {
			z.spanPrefix(&v)
		}
	}
}

func (z *Zone) extendBytes(c *Column, from, to int) {
	for i := from; i < to; i++ {
		if c.Valid != nil && c.Valid[i] == 0 {
			continue
		}
		b := c.Value(i)
		// Compare first and copy rarely: most values lie inside the bounds.
		if z.Flags&ZoneValues != 0 && bytes.Compare(b, z.MinP[:]) >= 0 {
			if bytes.Compare(b[:min(len(b), 16)], z.MaxP[:]) <= 0 {
				continue
			}
		}
		var p [16]byte
		copy(p[:], b)
		z.spanPrefix(&p)
	}
}

// Merge takes o's rows into z.
func (z *Zone) Merge(o *Zone) {
	z.Rows += o.Rows
	z.Nulls += o.Nulls
	z.Flags |= o.Flags &^ ZoneValues
	if o.Flags&ZoneValues == 0 {
		return
	}
	first := z.Flags&ZoneValues == 0
	z.span(o.MinI, o.MaxI)
	if first {
		z.MinP, z.MaxP = o.MinP, o.MaxP
		return
	}
	z.spanPrefix(&o.MinP)
	z.spanPrefix(&o.MaxP)
}
