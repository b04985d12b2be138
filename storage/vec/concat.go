package vec

import "quern/storage/types"

// Concat returns the rows of Flat vectors of type t, one after the other, n in
// all. Byte buffers are shared with parts.
func Concat(t types.Type, parts []Vector, n int) Vector {
	out := Vector{Type: t, Len: n}
	valid := false
	for i := range parts {
		valid = valid || parts[i].Valid != nil
	}
	if valid {
		out.Valid = make([]uint64, (n+63)/64)
	}
	size := t.Phys().Size()
	if size > 0 {
		out.Fixed = AlignedBytes(n * size)
	} else {
		out.Views = make([]View, n)
	}
	at := 0
	for i := range parts {
		p := &parts[i]
		if size > 0 {
			copy(out.Fixed[at*size:], p.Fixed[:p.Len*size])
		} else {
			base := uint32(len(out.Bufs))
			dst := out.Views[at : at+p.Len]
			copy(dst, p.Views)
			if base > 0 {
				for j := range dst {
					if dst[j].Len > inlineMax {
						dst[j].B += base
					}
				}
			}
			out.Bufs = append(out.Bufs, p.Bufs...)
		}
		if valid {
			appendBits(out.Valid, at, p)
		}
		at += p.Len
	}
	return out
}

// appendBits puts p's validity at bit at of words whose later bits are zero.
func appendBits(words []uint64, at int, p *Vector) {
	src := p.Valid
	if src == nil {
		src = AllValid(p.Len)
	}
	shift := at & 63
	for i, w := range src[:(p.Len+63)/64] {
		if r := p.Len - 64*i; r < 64 {
			w &= 1<<r - 1
		}
		words[at>>6+i] |= w << shift
		if shift > 0 && w>>(64-shift) != 0 {
			words[at>>6+i+1] |= w >> (64 - shift)
		}
	}
}
