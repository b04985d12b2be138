package encoding

import (
	"encoding/binary"
	"sort"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// rlePage writes v as runs of one value.
func (e *Encoder) rlePage(v []int64, phys types.Phys, scale byte, nulls int) {
	vals, ends := e.vals[:0], e.ends[:0]
	units := (len(v) + kernel.Unit - 1) / kernel.Unit
	firsts := make([]uint32, 0, units)
	prev := v[0]
	for at := 0; at < len(v); at += kernel.Unit {
		for i, x := range v[at:min(len(v), at+kernel.Unit)] {
			if x != prev {
				ends, vals = append(ends, int64(at+i)), append(vals, prev)
				prev = x
			}
			if i == 0 {
				firsts = append(firsts, uint32(len(vals)))
			}
		}
	}
	vals, ends = append(vals, v[len(v)-1]), append(ends, int64(len(v)))
	e.vals, e.ends = vals, ends
	e.header(RLE, 0, scale, len(v), nulls)
	head := len(e.dst)
	e.dst = append(e.dst, make([]byte, align)...)
	binary.LittleEndian.PutUint32(e.dst[head:], uint32(len(vals)))
	e.dst = append(e.dst, vec.BytesOf(firsts)...)
	e.close()
	n := e.nested(vals, inner(phys), true)
	binary.LittleEndian.PutUint32(e.dst[head+4:], uint32(n))
	n = e.nested(ends, types.PhysI32, true)
	binary.LittleEndian.PutUint32(e.dst[head+8:], uint32(n))
}

func (p *Page) openRLE(depth int) error {
	head := p.part(bodyAt, 16)
	if head == nil {
		return corrupt("short body")
	}
	p.count = int(binary.LittleEndian.Uint32(head))
	if p.count == 0 || p.count > p.Rows {
		return corrupt("bad number of runs")
	}
	units := (p.Rows + kernel.Unit - 1) / kernel.Unit
	at := bodyAt + align
	if p.units = p.part(at, 4*units); p.units == nil {
		return corrupt("short body")
	}
	last := uint32(0)
	for _, f := range vec.CastSlice[uint32](p.units) {
		if f < last || int(f) >= p.count {
			return corrupt("bad first run")
		}
		last = f
	}
	at += pad(4 * units)
	vals, ends := int(binary.LittleEndian.Uint32(head[4:])), int(binary.LittleEndian.Uint32(head[8:]))
	var err error
	if p.sub, err = p.nested(at, vals, p.count, inner(p.phys), depth, true); err != nil {
		return err
	}
	p.ends, err = p.nested(at+pad(vals), ends, p.count, types.PhysI32, depth, true)
	return err
}

// eachRun gives the runs that overlap rows [from, to); from is the start of a
// unit. Bounds are cut to the rows.
func eachRun[T integer](p *Page, from, to int, f func(lo, hi int, v T)) error {
	var vals [kernel.Unit]T
	var ends [kernel.Unit]uint32
	run := int(vec.CastSlice[uint32](p.units)[from/kernel.Unit])
	for row := from; row < to; {
		first := run &^ (kernel.Unit - 1)
		n := min(kernel.Unit, p.count-first)
		if n <= 0 {
			return corrupt("rows behind the last run")
		}
		if err := decodeInts(p.sub, vals[:n], first); err != nil {
			return err
		}
		if err := decodeInts(p.ends, ends[:n], first); err != nil {
			return err
		}
		for k := run - first; k < n && row < to; k++ {
			end := min(int(ends[k]), to)
			if end <= row {
				return corrupt("bad run")
			}
			f(row, end, vals[k])
			row = end
		}
		run = first + n
	}
	return nil
}

func decodeRLE[T integer](p *Page, dst []T, from int) error {
	return eachRun(p, from, from+len(dst), func(lo, hi int, v T) {
		part := dst[lo-from : hi-from]
		for i := range part {
			part[i] = v
		}
	})
}

// sparseGranule is how many rows share the positions of SPARSE.
const sparseGranule = 8192

// sparsePage writes v as a default and the values that differ; it does not if
// too many do.
func (e *Encoder) sparsePage(v []int64, mode int64, phys types.Phys, scale byte, nulls int) bool {
	vals, places := e.vals[:0], e.places[:0]
	limit := int((1-sparseShare)*float64(len(v)) + 1e-6)
	var firsts [PageRows/sparseGranule + 1]uint32
	granules := 0
	for rest := v; len(rest) > 0 && len(vals) <= limit; granules++ {
		part := rest[:min(len(rest), sparseGranule)]
		for i, x := range part {
			if x != mode {
				vals, places = append(vals, x), append(places, uint16(i))
			}
		}
		firsts[granules+1] = uint32(len(vals))
		rest = rest[len(part):]
	}
	e.vals, e.places = vals, places
	if len(vals) > limit || len(vals) == 0 {
		return false
	}
	e.header(Sparse, 0, scale, len(v), nulls)
	head := len(e.dst)
	e.dst = append(e.dst, make([]byte, align)...)
	binary.LittleEndian.PutUint64(e.dst[head:], uint64(mode))
	binary.LittleEndian.PutUint32(e.dst[head+8:], uint32(len(vals)))
	e.dst = append(e.dst, vec.BytesOf(firsts[:granules+1])...)
	e.close()
	e.dst = append(e.dst, vec.BytesOf(places)...)
	e.close()
	n := e.nested(vals, inner(phys), true)
	binary.LittleEndian.PutUint32(e.dst[head+12:], uint32(n))
	return true
}

func (p *Page) openSparse(depth int) error {
	head := p.part(bodyAt, 16)
	if head == nil {
		return corrupt("short body")
	}
	p.mode = int64(binary.LittleEndian.Uint64(head))
	p.count = int(binary.LittleEndian.Uint32(head[8:]))
	granules := (p.Rows + sparseGranule - 1) / sparseGranule
	at := bodyAt + align
	if p.units = p.part(at, 4*(granules+1)); p.units == nil || p.count == 0 || p.count > p.Rows {
		return corrupt("short body")
	}
	firsts := vec.CastSlice[uint32](p.units)
	for i := range granules {
		if firsts[i] > firsts[i+1] {
			return corrupt("bad first exception")
		}
	}
	if firsts[0] != 0 || int(firsts[granules]) != p.count {
		return corrupt("bad first exception")
	}
	at += pad(4 * (granules + 1))
	if p.body = p.part(at, 2*p.count); p.body == nil {
		return corrupt("short body")
	}
	var err error
	p.sub, err = p.nested(at+pad(2*p.count), int(binary.LittleEndian.Uint32(head[12:])), p.count, inner(p.phys), depth, true)
	return err
}

// eachException gives the values of rows [from, to) that are not the default.
func eachException[T integer](p *Page, from, to int, f func(row int, v T)) error {
	var vals [kernel.Unit]T
	firsts, positions := vec.CastSlice[uint32](p.units), vec.CastSlice[uint16](p.body)
	have := -1 // unit of values that vals holds
	for g := from / sparseGranule; g*sparseGranule < to; g++ {
		base := g * sparseGranule
		part := positions[firsts[g]:firsts[g+1]]
		k := sort.Search(len(part), func(i int) bool { return base+int(part[i]) >= from })
		last := from - 1
		for ; k < len(part); k++ {
			row := base + int(part[k])
			if row >= to {
				break
			}
			if row <= last {
				return corrupt("positions out of order")
			}
			last = row
			at := int(firsts[g]) + k
			if u := at / kernel.Unit; u != have {
				have = u
				if err := decodeInts(p.sub, vals[:min(kernel.Unit, p.count-u*kernel.Unit)], u*kernel.Unit); err != nil {
					return err
				}
			}
			f(row, vals[at%kernel.Unit])
		}
	}
	return nil
}

func decodeSparse[T integer](p *Page, dst []T, from int) error {
	mode := T(p.mode)
	for i := range dst {
		dst[i] = mode
	}
	return eachException(p, from, from+len(dst), func(row int, v T) { dst[row-from] = v })
}

// EachRun gives rows [from, from+n) of an RLE or SPARSE page of integers as runs of
// one value, so that predicates need not be decided per row; ok is false for pages
// of another kind. Rows count from from, which is the start of a unit.
func (p *Page) EachRun(from, n int, unsigned bool, f func(lo, hi int, v int64)) (ok bool, err error) {
	if p.Kind != RLE && p.Kind != Sparse || from%kernel.Unit != 0 || from+n > p.Rows {
		return false, nil
	}
	switch {
	case p.phys == types.PhysI64:
		m := powers[p.scale]
		return true, spans(p, from, n, func(lo, hi int, v int64) { f(lo, hi, v*m) })
	case p.phys == types.PhysI32 && unsigned:
		return true, spans(p, from, n, func(lo, hi int, v uint32) { f(lo, hi, int64(v)) })
	case p.phys == types.PhysI32:
		return true, spans(p, from, n, func(lo, hi int, v int32) { f(lo, hi, int64(v)) })
	case p.phys == types.PhysI16:
		return true, spans(p, from, n, func(lo, hi int, v int16) { f(lo, hi, int64(v)) })
	}
	return false, nil
}

func spans[T integer](p *Page, from, n int, f func(lo, hi int, v T)) error {
	if p.Kind == RLE {
		return eachRun(p, from, from+n, func(lo, hi int, v T) { f(lo-from, hi-from, v) })
	}
	at, mode := 0, T(p.mode)
	err := eachException(p, from, from+n, func(row int, v T) {
		if k := row - from; k > at {
			f(at, k, mode)
		}
		at = row - from + 1
		f(at-1, at, v)
	})
	if at < n {
		f(at, n, mode)
	}
	return err
}
