package segment

import (
	"bytes"
	"cmp"
	"slices"

	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// prefixed64 is a row or entry with the first 64 bits of its sort key.
type prefixed64 struct {
	key uint64
	idx uint32
}

// sortPrefixed sorts by key, then by compare, which holds no two equal.
func sortPrefixed(v []prefixed64, compare func(a, b uint32) int) {
	radix(v)
	equalRuns(v, func(x, y *prefixed64) bool { return x.key == y.key }, func(run []prefixed64) {
		slices.SortFunc(run, func(a, b prefixed64) int { return compare(a.idx, b.idx) })
	})
}

// radix sorts by key, stably, least byte first; bytes in which all keys agree
// are left out.
func radix(v []prefixed64) {
	if len(v) < 256 {
		slices.SortStableFunc(v, func(a, b prefixed64) int {
			switch {
			case a.key < b.key:
				return -1
			case a.key > b.key:
				return 1
			}
			return 0
		})
		return
	}
	var counts [8][256]uint32
	for i := range v {
		k := v[i].key
		for b := range 8 {
			counts[b][byte(k>>(8*b))]++
		}
	}
	src, dst := v, make([]prefixed64, len(v))
	for b := range 8 {
		c := &counts[b]
		if c[byte(v[0].key>>(8*b))] == uint32(len(v)) {
			continue
		}
		at := uint32(0)
		for d := range c {
			c[d], at = at, at+c[d]
		}
		for i := range src {
			d := byte(src[i].key >> (8 * b))
			dst[c[d]] = src[i]
			c[d]++
		}
		src, dst = dst, src
	}
	if len(src) > 0 && &src[0] != &v[0] {
		copy(v, src)
	}
}

// sort puts b.refs into spec.Order; rows with equal keys keep their order.
func (b *builder) sort() {
	keys := b.sortKeys()
	if len(keys) == 0 {
		return
	}
	v := make([]prefixed64, len(b.refs))
	for i := range v {
		v[i].idx = uint32(i)
	}
	b.sortRows(v, keys)
	out := make([]uint32, len(b.refs))
	for i := range v {
		out[i] = b.refs[v[i].idx]
	}
	b.refs = out
}

// sortRows sorts rows by keys[0], and rows that it holds equal by the others.
func (b *builder) sortRows(v []prefixed64, keys []sortKey) {
	if len(keys) == 0 || len(v) < 2 {
		return
	}
	k, refs := &keys[0], b.refs
	for i := range v {
		v[i].key = k.prefix(refs[v[i].idx])
	}
	radix(v)
	equalRuns(v, func(x, y *prefixed64) bool { return x.key == y.key }, func(run []prefixed64) {
		if k.exact(run[0].key) {
			b.sortRows(run, keys[1:])
			return
		}
		slices.SortFunc(run, func(x, y prefixed64) int {
			return cmp.Or(k.compare(refs[x.idx], refs[y.idx]), cmp.Compare(x.idx, y.idx))
		})
		equalRuns(run, func(x, y *prefixed64) bool { return k.compare(refs[x.idx], refs[y.idx]) == 0 }, func(same []prefixed64) {
			b.sortRows(same, keys[1:])
		})
	})
}

// equalRuns calls f for every run of two or more neighbours that are equal.
func equalRuns(v []prefixed64, equal func(x, y *prefixed64) bool, f func(run []prefixed64)) {
	for from := 0; from < len(v); {
		to := from + 1
		for to < len(v) && equal(&v[from], &v[to]) {
			to++
		}
		if to-from > 1 {
			f(v[from:to])
		}
		from = to
	}
}

// sortKey reads one key column of all slabs.
type sortKey struct {
	phys types.Phys
	desc bool
	cols []encoding.Column
	flat []vec.Vector // cols of fixed width as vectors, for compare
}

// sortKeys gives the key columns that every slab has in its present type; the
// order ends before one that is missing.
func (b *builder) sortKeys() []sortKey {
	var keys []sortKey
	for _, o := range b.spec.Order {
		i := slices.IndexFunc(b.spec.Cols, func(c Column) bool { return c.ID == o.Col })
		if i < 0 {
			return keys
		}
		c := &b.spec.Cols[i]
		cols, ok := b.slabColumns(c.ID)
		k := sortKey{phys: c.Type.Phys(), desc: o.Desc, cols: cols, flat: make([]vec.Vector, len(cols))}
		for s := range cols {
			if !ok[s] || cols[s].Phys != k.phys {
				return keys
			}
			k.flat[s] = vec.Vector{Type: c.Type, Len: cols[s].N, Fixed: cols[s].Fixed}
		}
		keys = append(keys, k)
	}
	return keys
}

// prefix is 64 bits of the key that order rows as compare does, up to ties.
// NULL is greatest, as PostgreSQL sorts it.
func (k *sortKey) prefix(ref uint32) uint64 {
	x := ^uint64(0)
	if c, i := &k.cols[ref>>16], int(ref&0xFFFF); !c.Null(i) {
		x = k.value(c, &k.flat[ref>>16], i)
	}
	if k.desc {
		return ^x
	}
	return x
}

// exact tells whether equal prefixes x mean equal values. The greatest prefix
// stands for NULL as well as for the greatest value.
func (k *sortKey) exact(x uint64) bool {
	return k.phys < types.PhysNum && x != 0 && x != ^uint64(0)
}

const signBit = 1 << 63

func (k *sortKey) value(c *encoding.Column, v *vec.Vector, i int) uint64 {
	switch k.phys {
	case types.PhysBool:
		return uint64(c.Fixed[i])
	case types.PhysI16, types.PhysI32, types.PhysI64:
		d := v.Datum(i)
		return uint64(d.I) ^ signBit
	case types.PhysF32, types.PhysF64:
		d := v.Datum(i)
		if d.F != d.F {
			return ^uint64(0)
		}
		return uint64(encoding.FloatKey(d.F)) ^ signBit
	case types.PhysUUID:
		return prefix64(c.Fixed[16*i : 16*i+16])
	case types.PhysBytes:
		return prefix64(c.Value(i))
	}
	return 0 // compare decides
}

// compare orders two rows by this key.
func (k *sortKey) compare(x, y uint32) int {
	cx, cy := &k.cols[x>>16], &k.cols[y>>16]
	i, j := int(x&0xFFFF), int(y&0xFFFF)
	nx, ny := cx.Null(i), cy.Null(j)
	c := 0
	switch {
	case nx && ny:
		return 0
	case nx:
		c = 1
	case ny:
		c = -1
	case k.phys == types.PhysBytes:
		c = bytes.Compare(cx.Value(i), cy.Value(j))
	default:
		c = vec.Compare(&k.flat[x>>16], i, &k.flat[y>>16], j)
	}
	if k.desc {
		return -c
	}
	return c
}
