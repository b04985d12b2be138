package scan

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// predKind is how a predicate is decided for rows that are not NULL.
type predKind uint8

const (
	never   predKind = iota
	always           // IS NOT NULL
	onNull           // IS NULL
	ranged           // lo ≤ key ≤ hi, or outside if not; keys of ints and floats
	listed           // key in keys (IN over ints and floats)
	ordered          // compare with consts
)

// pred is a compiled Pred.
type pred struct {
	col    int
	op     Op
	typ    types.Type
	kind   predKind
	lo, hi int64
	not    bool
	keys   []int64
	consts []vec.Vector // of one row; one, or IN's list in ascending order
}

// keyed tells whether a type's values have exact integer keys.
func keyed(p types.Phys) bool { return p < types.PhysNum }

// key is the integer that stands for a value; NaN is greatest.
func key(p types.Phys, d *types.Datum) int64 {
	if p == types.PhysF32 || p == types.PhysF64 {
		return floatKey(d.F)
	}
	return d.I
}

func floatKey(f float64) int64 {
	if f != f {
		return math.MaxInt64
	}
	return encoding.FloatKey(f)
}

func compile(p *Pred, t types.Type) pred {
	c := pred{col: p.Col, op: p.Op, typ: t}
	switch p.Op {
	case IsNull:
		c.kind = onNull
		return c
	case NotNull:
		c.kind = always
		return c
	case In:
		c.in(p.Vals)
		return c
	}
	if p.Val.Null {
		return c
	}
	if !keyed(t.Phys()) {
		c.kind = ordered
		c.consts = []vec.Vector{vec.ConstVector(t, &p.Val, 1)}
		return c
	}
	c.rangeOf(p.Op, key(t.Phys(), &p.Val))
	return c
}

func (c *pred) rangeOf(op Op, k int64) {
	c.kind = ranged
	c.lo, c.hi = math.MinInt64, math.MaxInt64
	switch op {
	case Eq:
		c.lo, c.hi = k, k
	case Ne:
		c.lo, c.hi, c.not = k, k, true
	case Lt:
		if k == math.MinInt64 {
			c.kind = never
		}
		c.hi = k - 1
	case Le:
		c.hi = k
	case Gt:
		if k == math.MaxInt64 {
			c.kind = never
		}
		c.lo = k + 1
	case Ge:
		c.lo = k
	}
}

func (c *pred) in(vals []types.Datum) {
	if keyed(c.typ.Phys()) {
		for i := range vals {
			if !vals[i].Null {
				c.keys = append(c.keys, key(c.typ.Phys(), &vals[i]))
			}
		}
		slices.Sort(c.keys)
		c.keys = slices.Compact(c.keys)
		switch len(c.keys) {
		case 0:
		case 1:
			c.rangeOf(Eq, c.keys[0])
		default:
			c.kind = listed
		}
		return
	}
	for i := range vals {
		if !vals[i].Null {
			c.consts = append(c.consts, vec.ConstVector(c.typ, &vals[i], 1))
		}
	}
	slices.SortFunc(c.consts, func(a, b vec.Vector) int { return vec.Compare(&a, 0, &b, 0) })
	if len(c.consts) > 0 {
		c.kind = ordered
	}
}

// holds decides a value that is not NULL, at row i of v.
func (c *pred) holds(v *vec.Vector, i int) bool {
	switch c.kind {
	case always:
		return true
	case ranged, listed:
		d := v.Datum(i)
		return c.holdsKey(key(v.Type.Phys(), &d))
	case ordered:
		if c.op == In {
			_, ok := slices.BinarySearchFunc(c.consts, 0, func(x vec.Vector, _ int) int {
				return vec.Compare(&x, 0, v, i)
			})
			return ok
		}
		return c.op.holds(vec.Compare(v, i, &c.consts[0], 0))
	}
	return false
}

func (c *pred) holdsKey(k int64) bool {
	if c.kind == listed {
		_, ok := slices.BinarySearch(c.keys, k)
		return ok
	}
	return (k >= c.lo && k <= c.hi) != c.not
}

// holds tells whether a comparison result satisfies op.
func (op Op) holds(cmp int) bool {
	switch op {
	case Eq:
		return cmp == 0
	case Ne:
		return cmp != 0
	case Lt:
		return cmp < 0
	case Le:
		return cmp <= 0
	case Gt:
		return cmp > 0
	case Ge:
		return cmp >= 0
	}
	return false
}

// match shortens sel (nil = all rows of v) to the rows that satisfy c. dst has
// room for v.Len positions and may be sel's own memory.
func (c *pred) match(v *vec.Vector, sel, dst vec.Selection, dicts *dictCache) vec.Selection {
	if v.Form == vec.Const {
		null := v.Null(0)
		if c.kind == onNull && null || c.kind != onNull && !null && c.holds(v, 0) {
			return sel
		}
		return dst[:0]
	}
	switch {
	case c.kind == never:
		return dst[:0]
	case c.kind == onNull:
		if v.Valid == nil {
			return dst[:0]
		}
		return kernel.SelectBits(dst, v.Valid, v.Len, sel, false)
	}
	if v.Valid != nil {
		sel = kernel.SelectBits(dst, v.Valid, v.Len, sel, true)
	}
	if c.kind == always {
		return sel
	}
	if v.Form == vec.Dict {
		return c.matchDict(v, sel, dst, dicts)
	}
	switch {
	case c.kind == ranged && v.Type.Phys() < types.PhysF32:
		return c.matchInts(v, sel, dst)
	case c.kind == ranged && v.Type.Phys() == types.PhysF64:
		return matchFloats(c, vec.Values[float64](v), sel, dst)
	case c.kind == ranged && v.Type.Phys() == types.PhysF32:
		return matchFloats(c, vec.Values[float32](v), sel, dst)
	case c.kind == listed:
		return c.matchListed(v, sel, dst)
	case c.kind == ordered && v.Type.Phys() == types.PhysNum && c.op != In:
		return c.matchNums(vec.Values[types.Num](v), sel, dst)
	case c.kind == ordered && v.Type.Phys() == types.PhysBytes && c.typ.OID != types.BpcharOID && c.op != In:
		return c.matchBytes(v, sel, dst)
	}
	n := 0
	each(sel, v.Len, func(i uint16) {
		dst[n] = i
		if c.holds(v, int(i)) {
			n++
		}
	})
	return dst[:n]
}

func each(sel vec.Selection, rows int, f func(i uint16)) {
	if sel == nil {
		for i := range rows {
			f(uint16(i))
		}
		return
	}
	for _, i := range sel {
		f(i)
	}
}

func (c *pred) matchInts(v *vec.Vector, sel, dst vec.Selection) vec.Selection {
	switch v.Type.Phys() {
	case types.PhysBool:
		return selectClamped(dst, v.Fixed[:v.Len], sel, c, 0, math.MaxUint8)
	case types.PhysI16:
		return selectClamped(dst, vec.Values[int16](v)[:v.Len], sel, c, math.MinInt16, math.MaxInt16)
	case types.PhysI32:
		if v.Type.Unsigned() {
			return selectClamped(dst, vec.Values[uint32](v)[:v.Len], sel, c, 0, math.MaxUint32)
		}
		return selectClamped(dst, vec.Values[int32](v)[:v.Len], sel, c, math.MinInt32, math.MaxInt32)
	}
	return kernel.SelectRange(dst, vec.Values[int64](v)[:v.Len], sel, c.lo, c.hi, c.not)
}

// selectClamped cuts the predicate's range to the type's.
func selectClamped[T uint8 | int16 | int32 | uint32](dst vec.Selection, v []T, sel vec.Selection, c *pred, tmin, tmax int64) vec.Selection {
	lo, hi := max(c.lo, tmin), min(c.hi, tmax)
	if lo > hi {
		if c.not {
			return sel
		}
		return dst[:0]
	}
	return kernel.SelectRange(dst, v, sel, T(lo), T(hi), c.not)
}

func matchFloats[T float32 | float64](c *pred, v []T, sel, dst vec.Selection) vec.Selection {
	n := 0
	each(sel, len(v), func(i uint16) {
		dst[n] = i
		if c.holdsKey(floatKey(float64(v[i]))) {
			n++
		}
	})
	return dst[:n]
}

// matchListed decides IN over integers and floats.
func (c *pred) matchListed(v *vec.Vector, sel, dst vec.Selection) vec.Selection {
	switch v.Type.Phys() {
	case types.PhysBool:
		return matchKeys(c, v.Fixed[:v.Len], sel, dst)
	case types.PhysI16:
		return matchKeys(c, vec.Values[int16](v)[:v.Len], sel, dst)
	case types.PhysI32:
		if v.Type.Unsigned() {
			return matchKeys(c, vec.Values[uint32](v)[:v.Len], sel, dst)
		}
		return matchKeys(c, vec.Values[int32](v)[:v.Len], sel, dst)
	case types.PhysI64:
		return matchKeys(c, vec.Values[int64](v)[:v.Len], sel, dst)
	case types.PhysF32:
		return matchFloats(c, vec.Values[float32](v)[:v.Len], sel, dst)
	}
	return matchFloats(c, vec.Values[float64](v)[:v.Len], sel, dst)
}

func matchKeys[T uint8 | int16 | int32 | uint32 | int64](c *pred, v []T, sel, dst vec.Selection) vec.Selection {
	keys := c.keys
	least, most := keys[0], keys[len(keys)-1]
	n := 0
	each(sel, len(v), func(i uint16) {
		k := int64(v[i])
		if k < least || k > most {
			return
		}
		if len(keys) <= 8 {
			for _, x := range keys {
				if x == k {
					dst[n] = i
					n++
					return
				}
			}
			return
		}
		if _, ok := slices.BinarySearch(keys, k); ok {
			dst[n] = i
			n++
		}
	})
	return dst[:n]
}

// matchNums compares coefficients where the scale is the constant's.
func (c *pred) matchNums(v []types.Num, sel, dst vec.Selection) vec.Selection {
	k := vec.Values[types.Num](&c.consts[0])[0]
	n := 0
	each(sel, len(v), func(i uint16) {
		x := &v[i]
		r := 0
		switch {
		case x.Scale != k.Scale || x.Kind != types.NumFinite || k.Kind != types.NumFinite:
			r = vec.CompareNum(*x, k)
		case x.Hi != k.Hi:
			r = cmp.Compare(x.Hi, k.Hi)
		default:
			r = cmp.Compare(x.Lo, k.Lo)
		}
		dst[n] = i
		if c.op.holds(r) {
			n++
		}
	})
	return dst[:n]
}

func (c *pred) matchBytes(v *vec.Vector, sel, dst vec.Selection) vec.Selection {
	val := c.consts[0].BytesAt(0)
	n := 0
	if c.op == Eq {
		head := vec.MakeView(val, 0, 0)
		each(sel, v.Len, func(i uint16) {
			w := &v.Views[i]
			dst[n] = i
			if w.Len == head.Len && w.A == head.A && bytes.Equal(w.Bytes(v.Bufs), val) {
				n++
			}
		})
		return dst[:n]
	}
	each(sel, v.Len, func(i uint16) {
		dst[n] = i
		if c.op.holds(bytes.Compare(v.Views[i].Bytes(v.Bufs), val)) {
			n++
		}
	})
	return dst[:n]
}
