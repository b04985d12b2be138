package encoding

import (
	"encoding/binary"

	"quern/storage/types"
	"quern/storage/vec/kernel"
)

// deltaEntry is an entry of the unit table: the first value, then an entry of
// FOR for the differences.
const deltaEntry = 8 + unitEntry

// deltas writes the differences of a unit to dst. The first, which has none,
// repeats the second. Those of narrow types wrap at 32 bits, as decoding does.
func deltas(dst, v []int64, wide bool) {
	dst[0] = 0
	for i := 1; i < len(v); i++ {
		d := v[i] - v[i-1]
		if !wide {
			d = int64(int32(d))
		}
		dst[i] = d
	}
	if len(v) > 1 {
		dst[0] = dst[1]
	}
}

// deltaPays tells from up to eight units whether differences take at most three
// quarters of what values take.
func (e *Encoder) deltaPays(v []int64, phys types.Phys) bool {
	units := len(v) / kernel.Unit
	if units == 0 {
		return false
	}
	var d [kernel.Unit]int64
	direct, differences := 0, 0
	for k := range min(units, 8) {
		at := k * units / min(units, 8) * kernel.Unit
		part := v[at : at+kernel.Unit]
		deltas(d[:], part, wide(phys))
		p, _ := planUnit(part)
		direct += 128*int(p.width) + 10*int(p.exceptions)
		p, _ = planUnit(d[:])
		differences += 128*int(p.width) + 10*int(p.exceptions) + 8
	}
	return float64(differences) <= deltaGain*float64(direct)
}

func (e *Encoder) deltaPage(v []int64, phys types.Phys, scale byte, nulls int) {
	e.header(Delta, 0, scale, len(v), nulls)
	units := (len(v) + kernel.Unit - 1) / kernel.Unit
	e.dst = append(e.dst, make([]byte, pad(units*deltaEntry))...)
	var d [kernel.Unit]int64
	for u := range units {
		var entry [unitEntry]byte
		part := v[u*kernel.Unit : min(len(v), (u+1)*kernel.Unit)]
		deltas(d[:], part, wide(phys))
		p, _ := planUnit(d[:len(part)])
		e.dst = e.pack.append(e.dst, entry[:], e.at, d[:len(part)], p, wide(phys))
		at := e.at + bodyAt + u*deltaEntry
		binary.LittleEndian.PutUint64(e.dst[at:], uint64(part[0]))
		copy(e.dst[at+8:], entry[:])
	}
}

func decodeDelta[T integer](p *Page, dst []T, from int) error {
	for u := from / kernel.Unit; len(dst) > 0; u++ {
		n := min(kernel.Unit, len(dst))
		x, ok := p.unitAt(u)
		if !ok {
			return corrupt("bad unit")
		}
		unpackUnit(&x, dst[:n], wide(p.phys))
		sum := T(binary.LittleEndian.Uint64(p.units[u*deltaEntry:]))
		dst[0] = sum
		for i, d := range dst[1:n] {
			sum += d
			dst[1+i] = sum
		}
		dst = dst[n:]
	}
	return nil
}
