// Package keyset holds sets of integer keys that are asked for every row of a
// scan: exact ones, a bit per value of their range, and Bloom filters where the
// range is too wide. A Set is immutable and may be shared by workers.
package keyset

import (
	"math/bits"

	"quern/storage/types"
	"quern/storage/vec"
)

// Set holds int keys: those from lo to lo+64·len(bits)−1 exactly, or, where
// their range is too wide for a bit each, a Bloom filter of one word per key.
type Set struct {
	lo    int64
	bits  []uint64
	bloom bool
	shift uint // of a hash, to its word
}

const (
	// spread bounds the bits of a set: per key, and at least.
	spread   = 64
	bitsMin  = 1 << 23
	bitsMax  = 1 << 28
	bloomMax = 1 << 22 // keys
)

// New makes the set of vals, of which lo and hi are the least and the greatest.
// It is nil if they are too many to be worth it.
func New(vals []int64, lo, hi int64) *Set {
	span := uint64(hi-lo) + 1 // 0 if all of int8
	if span == 0 || span > bitsMax || span > max(bitsMin, spread*uint64(len(vals))) {
		return bloom(vals)
	}
	set := &Set{lo: lo, bits: make([]uint64, (span+63)/64)}
	for _, v := range vals {
		i := uint64(v - lo)
		set.bits[i>>6] |= 1 << (i & 63)
	}
	return set
}

func bloom(vals []int64) *Set {
	if len(vals) > bloomMax {
		return nil
	}
	n := bits.Len(uint(len(vals) - 1)) // words ≥ keys: some 2 in 1,000 pass in error
	set := &Set{bloom: true, shift: uint(64 - n), bits: make([]uint64, 1<<n)}
	for _, v := range vals {
		at, b := set.word(v)
		set.bits[at] |= b
	}
	return set
}

func (k *Set) has(v int64) bool {
	i := uint64(v - k.lo)
	return i>>6 < uint64(len(k.bits)) && k.bits[i>>6]>>(i&63)&1 != 0
}

// word gives the place of a key in a Bloom filter and the bits that it sets.
func (k *Set) word(v int64) (at, mask uint64) {
	h := uint64(v) * 0x9E3779B97F4A7C15
	return h >> k.shift, 1<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63)
}

func (k *Set) maybe(v int64) bool {
	at, mask := k.word(v)
	return k.bits[at]&mask == mask
}

// Values are the values of the first rows of keys, an integer vector, that are not
// NULL.
func Values(keys *vec.Vector, rows int) []int64 {
	switch keys.Type.Phys() {
	case types.PhysI16:
		return values(vec.Values[int16](keys), keys, rows)
	case types.PhysI32:
		if keys.Type.Unsigned() {
			return values(vec.Values[uint32](keys), keys, rows)
		}
		return values(vec.Values[int32](keys), keys, rows)
	}
	return values(vec.Values[int64](keys), keys, rows)
}

func values[T int16 | int32 | uint32 | int64](from []T, v *vec.Vector, rows int) []int64 {
	out := make([]int64, 0, rows)
	for i, x := range from[:rows] {
		if !v.Null(i) {
			out = append(out, int64(x))
		}
	}
	return out
}

// Pick writes the rows of sel (nil = all) of an integer vector to dst whose keys
// may be in the set; len(dst) live rows.
func (k *Set) Pick(dst vec.Selection, v *vec.Vector, sel vec.Selection) vec.Selection {
	if v.Form != vec.Flat {
		n := 0
		for i := range dst {
			r := i
			if sel != nil {
				r = int(sel[i])
			}
			dst[n] = uint16(r)
			if v.Null(r) {
				continue
			}
			if x := v.Datum(r).I; k.bloom && k.maybe(x) || !k.bloom && k.has(x) {
				n++
			}
		}
		return dst[:n]
	}
	switch v.Type.Phys() {
	case types.PhysI16:
		return pick(dst, vec.Values[int16](v), v, sel, k)
	case types.PhysI32:
		if v.Type.Unsigned() {
			return pick(dst, vec.Values[uint32](v), v, sel, k)
		}
		return pick(dst, vec.Values[int32](v), v, sel, k)
	}
	return pick(dst, vec.Values[int64](v), v, sel, k)
}

func pick[T int16 | int32 | uint32 | int64](dst vec.Selection, vals []T, v *vec.Vector, sel vec.Selection, set *Set) vec.Selection {
	k := 0
	if set.bloom {
		for i := range dst {
			r := i
			if sel != nil {
				r = int(sel[i])
			}
			dst[k] = uint16(r)
			if set.maybe(int64(vals[r])) && !v.Null(r) {
				k++
			}
		}
		return dst[:k]
	}
	if sel == nil && v.Valid == nil {
		for r, x := range vals[:len(dst)] {
			dst[k] = uint16(r)
			if set.has(int64(x)) {
				k++
			}
		}
		return dst[:k]
	}
	for i := range dst {
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		dst[k] = uint16(r)
		if set.has(int64(vals[r])) && !v.Null(r) {
			k++
		}
	}
	return dst[:k]
}
