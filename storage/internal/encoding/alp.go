package encoding

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// ALP stores floats that were decimals as integers: A. Afroozeh, L. Kuffó, P. Boncz,
// "ALP: Adaptive Lossless floating-Point Compression", PACMMOD 1(4), 2023. A value v
// becomes d = round(v × 10^e × 10^-f) if d × 10^f × 10^-e has the very bits of v; the
// others are exceptions. ALPRD is for floats that were not: their upper bits repeat, so
// they are columns of their own. What differs from the paper: one e and f a page, and
// the integers are nested pages, of any kind.
//
//	ALP    u8 e, u8 f, u16 0, u32 length of integers, u32 exceptions; u32 first
//	       exception per unit and their number; u16 positions in the unit; their values;
//	       nested page of integers (64 bits, for float4 32)
//	ALPRD  u8 lower bits, u8[3] 0, u32 length of upper bits, of lower bits; nested page of upper bits
//	       (as 32-bit integers), nested page of lower bits (64, for float4 32)
//
// each part at a 64-byte boundary. A NULL row repeats the value before it.
const (
	alpSample     = 256
	alpExceptions = 0.1 // of the rows, at most
	alpNanos      = 0.9 // of a value; both measured by BenchmarkFloats
	alprdNanos    = 1.2
)

// alpPowers are 10^k and 10^-k.
var alpPowers, alpInverses = func() (p, n [19]float64) {
	for k := range p {
		p[k], n[k] = math.Pow10(k), math.Pow10(-k)
	}
	return p, n
}()

// alp is how the values of a page become integers.
type alp struct {
	e, f   int
	single bool // float4
}

// encode gives the integer for the bits of a value.
func (a alp) encode(x int64) (d int64, ok bool) {
	v := math.Float64frombits(uint64(x))
	if a.single {
		v = float64(math.Float32frombits(uint32(x)))
	}
	r := math.RoundToEven(v * alpPowers[a.e] * alpInverses[a.f])
	limit := float64(1 << 51)
	if a.single {
		limit = 1 << 31
	}
	if !(r > -limit && r < limit) { // also NaN
		return 0, false
	}
	d = int64(r)
	return d, a.decode(d) == x
}

// decode gives the bits of the value that d stands for.
func (a alp) decode(d int64) int64 {
	v := float64(d) * alpPowers[a.f] * alpInverses[a.e]
	if a.single {
		return int64(math.Float32bits(float32(v)))
	}
	return int64(math.Float64bits(v))
}

// alpFor finds the powers that suit a sample of v best; ok is false if too few values
// are decimals.
func alpFor(v []int64, single bool) (best alp, ok bool) {
	sample := make([]int64, 0, alpSample)
	for i := range min(len(v), alpSample) {
		sample = append(sample, v[i*len(v)/min(len(v), alpSample)])
	}
	maxE, size := 18, 64
	if single {
		maxE, size = 10, 32
	}
	least := math.MaxInt
	for e := maxE; e >= 0; e-- {
		for f := e; f >= 0; f-- {
			a := alp{e, f, single}
			lo, hi, exceptions := int64(math.MaxInt64), int64(math.MinInt64), 0
			for _, x := range sample {
				if d, ok := a.encode(x); ok {
					lo, hi = min(lo, d), max(hi, d)
				} else {
					exceptions++
				}
			}
			if float64(exceptions) > 2*alpExceptions*float64(len(sample)) {
				continue
			}
			cost := exceptions * (size + 16)
			if lo < hi {
				cost += len(sample) * bits.Len64(uint64(hi)-uint64(lo))
			}
			if cost < least {
				least, best = cost, a
			}
		}
	}
	return best, least < len(sample)*size
}

// alpPage writes the bits v; it does not if there are too many exceptions.
func (e *Encoder) alpPage(v []int64, phys types.Phys, a alp, nulls int) bool {
	ints := make([]int64, len(v))
	var positions []uint16
	var firsts []uint32
	var values []byte
	last, seen := int64(0), false
	for i, x := range v {
		if i%kernel.Unit == 0 {
			firsts = append(firsts, uint32(len(positions)))
		}
		d, ok := a.encode(x)
		if !ok {
			positions = append(positions, uint16(i%kernel.Unit))
			if a.single {
				values = binary.LittleEndian.AppendUint32(values, uint32(x))
			} else {
				values = binary.LittleEndian.AppendUint64(values, uint64(x))
			}
			d = last
		} else if !seen {
			// Exceptions before the first integer should not widen its unit.
			seen = true
			for k := range i {
				ints[k] = d
			}
		}
		ints[i], last = d, d
	}
	if float64(len(positions)) > alpExceptions*float64(len(v)) {
		return false
	}
	e.header(ALP, 0, 0, len(v), nulls)
	head := len(e.dst)
	e.dst = append(e.dst, make([]byte, align)...)
	e.dst[head], e.dst[head+1] = byte(a.e), byte(a.f)
	binary.LittleEndian.PutUint32(e.dst[head+8:], uint32(len(positions)))
	e.dst = append(e.dst, vec.BytesOf(append(firsts, uint32(len(positions))))...)
	e.close()
	e.dst = append(e.dst, vec.BytesOf(positions)...)
	e.close()
	e.dst = append(e.dst, values...)
	e.close()
	n := e.nested(ints, intsOf(phys), false)
	binary.LittleEndian.PutUint32(e.dst[head+4:], uint32(n))
	return true
}

// intsOf is the type of nested integers of floats.
func intsOf(p types.Phys) types.Phys {
	if p == types.PhysF32 {
		return types.PhysI32
	}
	return types.PhysI64
}

func (p *Page) openALP(depth int) error {
	head := p.part(bodyAt, 12)
	if head == nil || int(head[0]) >= len(alpPowers) || int(head[1]) >= len(alpPowers) {
		return corrupt("bad powers")
	}
	p.alp = alp{int(head[0]), int(head[1]), p.phys == types.PhysF32}
	p.count = int(binary.LittleEndian.Uint32(head[8:]))
	units := (p.Rows + kernel.Unit - 1) / kernel.Unit
	at := bodyAt + align
	if p.units = p.part(at, 4*(units+1)); p.units == nil || p.count > p.Rows {
		return corrupt("short body")
	}
	firsts := vec.CastSlice[uint32](p.units)
	if !slices.IsSorted(firsts) || int(firsts[units]) != p.count {
		return corrupt("bad first exception")
	}
	at += pad(4 * (units + 1))
	if p.body = p.part(at, 2*p.count); p.body == nil {
		return corrupt("short body")
	}
	for u := range units {
		for _, x := range vec.CastSlice[uint16](p.body)[firsts[u]:firsts[u+1]] {
			if u*kernel.Unit+int(x) >= p.Rows || x >= kernel.Unit {
				return corrupt("bad exception")
			}
		}
	}
	at += pad(2 * p.count)
	size := p.phys.Size()
	if p.patch = p.part(at, size*p.count); p.patch == nil {
		return corrupt("short body")
	}
	var err error
	p.sub, err = p.child(at+pad(size*p.count), int(binary.LittleEndian.Uint32(head[4:])), p.Rows, intsOf(p.phys), depth)
	return err
}

// decodeALP decodes rows [from, from+n) into dst.
func (p *Page) decodeALP(dst []byte, from, n int) error {
	if p.phys == types.PhysF32 {
		ints := vec.CastSlice[int32](dst)[:n]
		if err := decodeInts(p.sub, ints, from); err != nil {
			return err
		}
		floats := vec.CastSlice[float32](dst)[:n]
		for i, d := range ints {
			floats[i] = float32(float64(d) * alpPowers[p.alp.f] * alpInverses[p.alp.e])
		}
		patch(p, vec.CastSlice[uint32](dst)[:n], vec.CastSlice[uint32](p.patch), from)
		return nil
	}
	ints := vec.CastSlice[int64](dst)[:n]
	if err := decodeInts(p.sub, ints, from); err != nil {
		return err
	}
	floats := vec.CastSlice[float64](dst)[:n]
	up, down := alpPowers[p.alp.f], alpInverses[p.alp.e]
	for i, d := range ints {
		floats[i] = float64(d) * up * down
	}
	patch(p, vec.CastSlice[uint64](dst)[:n], vec.CastSlice[uint64](p.patch), from)
	return nil
}

// patch puts exceptions into rows [from, from+len(dst)).
func patch[T uint32 | uint64](p *Page, dst, values []T, from int) {
	firsts, positions := vec.CastSlice[uint32](p.units), vec.CastSlice[uint16](p.body)
	for u := from / kernel.Unit; u*kernel.Unit < from+len(dst); u++ {
		for k := firsts[u]; k < firsts[u+1]; k++ {
			if at := u*kernel.Unit + int(positions[k]) - from; at < len(dst) {
				dst[at] = values[k]
			}
		}
	}
}

// cutFor is how many lower bits of v ALPRD should cut off, 0 if that gains nothing: the
// upper ones take about as many bits as their distinct values in a sample need.
func cutFor(v []int64, size int) (lower int) {
	sample := make([]uint64, 0, 1024)
	for i := range min(len(v), 1024) {
		sample = append(sample, uint64(v[i*len(v)/min(len(v), 1024)]))
	}
	slices.Sort(sample)
	least := 0.85 * float64(size)
	for cut := size - 16; cut < size; cut++ {
		distinct := 0
		for i, x := range sample {
			if i == 0 || x>>cut != sample[i-1]>>cut {
				distinct++
			}
		}
		if cost := float64(cut + bits.Len(uint(distinct-1))); distinct <= 64 && cost <= least {
			least, lower = cost, cut
		}
	}
	return lower
}

func (e *Encoder) alprdPage(v []int64, phys types.Phys, lower, nulls int) {
	e.header(ALPRD, 0, 0, len(v), nulls)
	head := len(e.dst)
	e.dst = append(e.dst, make([]byte, align)...)
	e.dst[head] = byte(lower)
	part := make([]int64, len(v))
	for i, x := range v {
		part[i] = int64(uint64(x) >> lower)
	}
	n := e.nested(part, types.PhysI32, false)
	binary.LittleEndian.PutUint32(e.dst[head+4:], uint32(n))
	mask := int64(1)<<lower - 1
	for i, x := range v {
		part[i] = x & mask
	}
	n = e.nested(part, intsOf(phys), true)
	binary.LittleEndian.PutUint32(e.dst[head+8:], uint32(n))
}

func (p *Page) openALPRD(depth int) error {
	head := p.part(bodyAt, 12)
	size := 8 * p.phys.Size()
	if head == nil || int(head[0]) < size-16 || int(head[0]) >= size {
		return corrupt("bad cut")
	}
	p.cut = head[0]
	at, n := bodyAt+align, int(binary.LittleEndian.Uint32(head[4:]))
	var err error
	if p.ends, err = p.child(at, n, p.Rows, types.PhysI32, depth); err != nil {
		return err
	}
	at += pad(n)
	p.sub, err = p.child(at, int(binary.LittleEndian.Uint32(head[8:])), p.Rows, intsOf(p.phys), depth)
	return err
}

// decodeALPRD decodes rows [from, from+n) into dst.
func (p *Page) decodeALPRD(dst []byte, from, n int) error {
	if p.phys == types.PhysF32 {
		return joinParts(p, vec.CastSlice[uint32](dst)[:n], from, func(dst []uint32, from int) error { return decodeInts(p.sub, dst, from) })
	}
	return joinParts(p, vec.CastSlice[uint64](dst)[:n], from, func(dst []uint64, from int) error {
		return decodeInts(p.sub, vec.CastSlice[int64](vec.BytesOf(dst)), from)
	})
}

func joinParts[T uint32 | uint64](p *Page, dst []T, from int, lower func([]T, int) error) error {
	if err := lower(dst, from); err != nil {
		return err
	}
	var upper [kernel.Unit]uint32
	for at := 0; at < len(dst); at += kernel.Unit {
		part := dst[at:min(len(dst), at+kernel.Unit)]
		if err := decodeInts(p.ends, upper[:len(part)], from+at); err != nil {
			return err
		}
		for i, u := range upper[:len(part)] {
			part[i] |= T(u) << p.cut
		}
	}
	return nil
}

// floats writes a column of floats: as integers of their bits, ALP, ALPRD or PLAIN,
// whichever costs least.
func (e *Encoder) floats(c *Column, from, to, nulls int) error {
	rows, size := to-from, c.Phys.Size()
	v := slices.Clone(e.widen(c, from, to))
	t := pageTrial{e: e, start: e.at, best: math.Inf(1)}
	t.try(0.3*float64(rows), func() (bool, error) {
		return e.intPage(v, c.Phys, 0, nulls, floatGain*float64(rows*size), false), nil
	})
	if rows >= 16 {
		if a, ok := alpFor(v, c.Phys == types.PhysF32); ok {
			t.try(alpNanos*float64(rows), func() (bool, error) { return e.alpPage(v, c.Phys, a, nulls), nil })
		}
	}
	if lower := cutFor(v, 8*size); lower > 0 && rows >= kernel.Unit {
		t.try(alprdNanos*float64(rows), func() (bool, error) { e.alprdPage(v, c.Phys, lower, nulls); return true, nil })
	}
	t.try(0, func() (bool, error) {
		e.header(Plain, 0, 0, rows, nulls)
		e.dst = append(e.dst, c.Fixed[from*size:to*size]...)
		return true, nil
	})
	return t.err
}
