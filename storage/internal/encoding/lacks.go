package encoding

import (
	"encoding/binary"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// Lacks tells whether no row has an integer from lo to hi, looking at the distinct
// values of the page only: its dictionary, the values of its runs, its exceptions.
// known is false if the page has no such list. It is a filter that costs no bytes: for
// look-ups of few values, where bounds say little.
func (p *Page) Lacks(lo, hi int64, unsigned bool) (lacks, known bool, err error) {
	if p.AllNull() || p.Kind != Dict && p.Kind != RLE && p.Kind != Sparse {
		return false, false, nil
	}
	var found bool
	switch {
	case p.phys == types.PhysI64:
		found, err = holdsInt[int64](p, lo, hi, powers[p.scale])
	case p.phys == types.PhysI32 && unsigned:
		found, err = holdsInt[uint32](p, lo, hi, 1)
	case p.phys == types.PhysI32:
		found, err = holdsInt[int32](p, lo, hi, 1)
	case p.phys == types.PhysI16:
		found, err = holdsInt[int16](p, lo, hi, 1)
	default:
		return false, false, nil
	}
	return !found, err == nil, err
}

func holdsInt[T integer](p *Page, lo, hi, m int64) (bool, error) {
	if p.Kind == Dict {
		if wide(p.phys) {
			for _, x := range vec.CastSlice[int64](p.body) {
				if x *= m; x >= lo && x <= hi {
					return true, nil
				}
			}
			return false, nil
		}
		for at := 0; at < len(p.body); at += 4 {
			if x := int64(T(binary.LittleEndian.Uint32(p.body[at:]))); x >= lo && x <= hi {
				return true, nil
			}
		}
		return false, nil
	}
	if x := int64(T(p.mode)) * m; p.Kind == Sparse && x >= lo && x <= hi {
		return true, nil
	}
	var part [kernel.Unit]T
	for from := 0; from < p.count; from += kernel.Unit {
		v := part[:min(kernel.Unit, p.count-from)]
		if err := decodeInts(p.sub, v, from); err != nil {
			return false, err
		}
		for _, x := range v {
			if x := int64(x) * m; x >= lo && x <= hi {
				return true, nil
			}
		}
	}
	return false, nil
}

// EqualText lists to dst the rows of [from, from+n) of a CHARS page whose text is v,
// comparing packed characters; ok is false for pages of another kind. dst has room for
// n positions. NULL rows may be among them.
func (p *Page) EqualText(v []byte, from, n int, dst []uint16) (rows []uint16, ok bool) {
	x := p.chars
	if x == nil || from < 0 || from+n > p.Rows {
		return nil, false
	}
	want, ok := x.packed(v)
	if !ok {
		return dst[:0], true
	}
	k, body := 0, p.body[from*x.stride:]
	if x.stride < 8 {
		mask := ^uint64(0) >> (64 - 8*x.stride)
		w := load(want)
		for i := range n {
			dst[k] = uint16(i)
			if (binary.LittleEndian.Uint64(body[i*x.stride:])^w)&mask == 0 {
				k++
			}
		}
		return dst[:k], true
	}
	w := binary.LittleEndian.Uint64(want)
	for i := range n {
		if binary.LittleEndian.Uint64(body[i*x.stride:]) == w && string(body[i*x.stride:][:x.stride]) == string(want) {
			dst[k] = uint16(i)
			k++
		}
	}
	return dst[:k], true
}

// packed gives v as a row holds it; ok is false if no row can.
func (p *pattern) packed(v []byte) (row []byte, ok bool) {
	if len(v) != len(p.value) || p.stride == 0 {
		return nil, false
	}
	numbers := map[byte]byte{}
	for i := range 1 << p.bits {
		if _, dup := numbers[p.letters[i]]; dup {
			break // letters behind the last one are zero
		}
		numbers[p.letters[i]] = byte(i)
	}
	row = make([]byte, p.stride)
	bit := 0
	for at, c := range v {
		if p.varies[at] == 0 {
			if c != p.value[at] {
				return nil, false
			}
			continue
		}
		k, ok := numbers[c]
		if !ok {
			return nil, false
		}
		w := uint16(k) << (bit & 7)
		row[bit>>3] |= byte(w)
		if w > 0xFF {
			row[bit>>3+1] |= byte(w >> 8)
		}
		bit += p.bits
	}
	return row, true
}
