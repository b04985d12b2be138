package encoding

import (
	"encoding/binary"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// intDictPage writes v as codes into the page's own list of values, in order of
// appearance: where rows are sorted, codes near each other are alike. It does
// not if there are too many values, or if the page would take more than budget.
func (e *Encoder) intDictPage(v []int64, phys types.Phys, scale byte, nulls int, budget float64) bool {
	limit := min(intDictMax, len(v)/2)
	if len(e.slots) == 0 {
		e.slots = make([]uint32, 2*intDictMax)
	}
	clear(e.slots)
	if cap(e.coded) < len(v) {
		e.coded = make([]int64, len(v))
	}
	codes, vals := e.coded[:len(v)], e.vals[:0]
	const shift, mask = 64 - 17, 2*intDictMax - 1
	for i, x := range v {
		at := uint64(x) * 0x9E3779B97F4A7C15 >> shift
		for e.slots[at] != 0 && vals[e.slots[at]-1] != x {
			at = (at + 1) & mask
		}
		if e.slots[at] == 0 {
			if vals = append(vals, x); len(vals) > limit {
				e.vals = vals
				return false
			}
			e.slots[at] = uint32(len(vals))
		}
		codes[i] = int64(e.slots[at] - 1)
	}
	e.vals = vals
	e.header(Dict, 0, scale, len(v), nulls)
	head := len(e.dst)
	e.dst = append(e.dst, make([]byte, align)...)
	e.dst[head] = scopePage
	binary.LittleEndian.PutUint32(e.dst[head+8:], uint32(len(vals)))
	for _, x := range vals {
		if wide(phys) {
			e.dst = binary.LittleEndian.AppendUint64(e.dst, uint64(x))
		} else {
			e.dst = binary.LittleEndian.AppendUint32(e.dst, uint32(x))
		}
	}
	e.close()
	e.codes = true
	n, ok := e.nestedWithin(codes, types.PhysI32, false, budget-float64(len(e.dst)-e.at)-bodyAt)
	e.codes = false
	binary.LittleEndian.PutUint32(e.dst[head+4:], uint32(n))
	return ok
}

func (p *Page) openIntDict(depth int) error {
	head := p.part(bodyAt, 12)
	if head == nil || head[0] != scopePage {
		return corrupt("bad dictionary of integers")
	}
	size := 4
	if wide(p.phys) {
		size = 8
	}
	p.count = int(binary.LittleEndian.Uint32(head[8:]))
	if p.count > intDictMax {
		return corrupt("bad dictionary of integers")
	}
	if p.body = p.part(bodyAt+align, p.count*size); p.body == nil {
		return corrupt("short dictionary")
	}
	var err error
	p.sub, err = p.nested(bodyAt+align+pad(p.count*size), int(binary.LittleEndian.Uint32(head[4:])), p.Rows, types.PhysI32, depth, false)
	return err
}

func decodeIntDict[T integer](p *Page, dst []T, from int) error {
	var codes [kernel.Unit]uint32
	for len(dst) > 0 {
		n := min(kernel.Unit, len(dst))
		if err := p.Codes(codes[:n], from, p.count); err != nil {
			return err
		}
		if wide(p.phys) {
			pick(dst[:n], vec.CastSlice[int64](p.body), codes[:n])
		} else {
			pick(dst[:n], vec.CastSlice[int32](p.body), codes[:n])
		}
		dst, from = dst[n:], from+n
	}
	return nil
}

func pick[T integer, S int32 | int64](dst []T, src []S, codes []uint32) {
	for i, c := range codes {
		dst[i] = T(src[c])
	}
}
