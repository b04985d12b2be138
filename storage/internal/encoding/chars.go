package encoding

import (
	"encoding/binary"
	"math/bits"

	"quern/storage/vec"
)

// A CHARS page holds texts of one length that agree in some places and have few
// different characters in the others: identifiers in hexadecimal or base 64, with
// or without prefix, UUIDs as text. Its parts, each at a 64-byte boundary:
//
//	u32 bytes of a value, u32 characters that vary, u8 bits of one (1 to 6), u8[3] 0,
//	u8[64] alphabet
//	a value, zero where it varies; then one byte per place, 1 where it varies
//	per row the characters that vary, as numbers in the alphabet, LSB first, whole
//	bytes a row
const (
	charsBytesMax = 1024
	charsBitsMax  = 6
	charsHead     = 16
)

// pattern is what the values of a CHARS page have in common.
type pattern struct {
	value   []byte
	varies  []byte // by place
	count   int    // places that vary
	bits    int
	stride  int // bytes of a row
	letters [64]byte
	number  [256]byte // of a letter
	pairs   [][2]byte // bits = 4: letters by byte
	runs    []place   // places that vary, as runs
}

// place is a run of places that vary.
type place struct{ at, n int }

// patternOf finds the pattern of v, nil if there is none that saves anything. NULL
// and so empty rows do not count.
func patternOf(v *strs) *pattern {
	var first []byte
	var seen [256]bool
	var differs [charsBytesMax]bool
	for i := range v.rows() {
		b := v.value(i)
		if len(b) == 0 && v.null(i) {
			continue
		}
		if first == nil {
			if first = b; len(b) == 0 || len(b) > charsBytesMax {
				return nil
			}
			continue
		}
		if len(b) != len(first) {
			return nil
		}
		// Eight places at once: most values of a page share their prefix.
		at := 0
		for ; at+8 <= len(b) && binary.LittleEndian.Uint64(b[at:]) == binary.LittleEndian.Uint64(first[at:]); at += 8 {
		}
		for ; at < len(b); at++ {
			if b[at] != first[at] {
				differs[at] = true
			}
		}
	}
	if first == nil {
		return nil
	}
	p := &pattern{value: append([]byte(nil), first...), varies: make([]byte, len(first))}
	for at := range first {
		if differs[at] {
			p.varies[at], p.value[at] = 1, 0
			p.count++
		}
	}
	for i := range v.rows() {
		b := v.value(i)
		for at := range b {
			if differs[at] {
				seen[b[at]] = true
			}
		}
	}
	return p.alphabet(&seen)
}

func (p *pattern) alphabet(seen *[256]bool) *pattern {
	n := 0
	for c, ok := range seen {
		if !ok {
			continue
		}
		if n == 1<<charsBitsMax {
			return nil
		}
		p.letters[n], p.number[c] = byte(c), byte(n)
		n++
	}
	p.bits = max(1, bits.Len(uint(n-1)))
	p.layOut()
	return p
}

// layOut computes what follows from value, varies, count, bits and letters.
func (p *pattern) layOut() {
	p.stride = (p.count*p.bits + 7) / 8
	for at := 0; at < len(p.varies); at++ {
		if p.varies[at] == 0 {
			continue
		}
		n := 1
		for at+n < len(p.varies) && p.varies[at+n] == 1 {
			n++
		}
		p.runs = append(p.runs, place{at, n})
		at += n
	}
	if p.bits == 4 {
		p.pairs = make([][2]byte, 256)
		for c := range p.pairs {
			p.pairs[c] = [2]byte{p.letters[c&15], p.letters[c>>4]}
		}
	}
}

func (e *Encoder) charsPage(p *pattern, v *strs, ascii byte, nulls int) {
	e.header(Chars, ascii, 0, v.rows(), nulls)
	e.dst = binary.LittleEndian.AppendUint32(e.dst, uint32(len(p.value)))
	e.dst = binary.LittleEndian.AppendUint32(e.dst, uint32(p.count))
	e.dst = append(e.dst, byte(p.bits), 0, 0, 0, 0, 0, 0, 0)
	e.dst = append(e.dst, p.letters[:]...)
	e.close()
	e.dst = append(e.dst, p.value...)
	e.dst = append(e.dst, p.varies...)
	e.close()
	at := len(e.dst)
	e.dst = append(e.dst, make([]byte, p.stride*v.rows())...)
	out := e.dst[at:]
	for i := range v.rows() {
		if b := v.value(i); len(b) > 0 {
			p.pack(out[i*p.stride:(i+1)*p.stride], b)
		}
	}
}

func (p *pattern) pack(out, b []byte) {
	w, have, at := uint64(0), 0, 0
	for _, run := range p.runs {
		for _, c := range b[run.at : run.at+run.n] {
			w |= uint64(p.number[c]) << have
			if have += p.bits; have >= 32 {
				binary.LittleEndian.PutUint32(out[at:], uint32(w))
				w, have, at = w>>32, have-32, at+4
			}
		}
	}
	for ; have > 0; have, w, at = have-8, w>>8, at+1 {
		out[at] = byte(w)
	}
}

func (p *Page) openChars() error {
	head := p.part(bodyAt, charsHead+64)
	if head == nil {
		return corrupt("short body")
	}
	size := int(binary.LittleEndian.Uint32(head))
	x := &pattern{count: int(binary.LittleEndian.Uint32(head[4:])), bits: int(head[8])}
	copy(x.letters[:], head[charsHead:])
	common := p.part(bodyAt+2*align, 2*size)
	if size == 0 || size > charsBytesMax || x.bits == 0 || x.bits > charsBitsMax || common == nil {
		return corrupt("bad pattern")
	}
	x.value, x.varies = common[:size], common[size:]
	n := 0
	for _, b := range x.varies {
		if b > 1 {
			return corrupt("bad pattern")
		}
		n += int(b)
	}
	if n != x.count {
		return corrupt("bad pattern")
	}
	x.layOut()
	if p.body = p.part(bodyAt+2*align+pad(2*size), p.Rows*x.stride); p.body == nil {
		return corrupt("short body")
	}
	p.chars = x
	return nil
}

// expand makes views as Views does.
func (p *Page) expand(dst []vec.View, from int, sel []uint16, s *Space) []byte {
	x := p.chars
	size, rows := len(x.value), len(dst)
	if sel != nil {
		rows = len(sel)
		clear(dst)
	}
	s.buf = sized(s.buf, rows*size)
	for k := range rows {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		out := s.buf[k*size : (k+1)*size]
		x.unpack(out, p.body[(from+i)*x.stride:(from+i+1)*x.stride])
	}
	for k := range rows {
		i := k
		if sel != nil {
			i = int(sel[k])
		}
		dst[i] = vec.ViewAt(s.buf, uint32(k*size), uint32(size), 0)
	}
	return s.buf
}

func (x *pattern) unpack(out, in []byte) {
	copy(out, x.value)
	if x.bits == 4 {
		x.unpackPairs(out, in)
		return
	}
	w, have := uint64(0), 0
	mask := uint64(1)<<x.bits - 1
	for _, run := range x.runs {
		part := out[run.at : run.at+run.n]
		for i := range part {
			if have < x.bits {
				if len(in) >= 4 {
					w |= uint64(binary.LittleEndian.Uint32(in)) << have
					in, have = in[4:], have+32
				} else {
					w |= uint64(in[0]) << have
					in, have = in[1:], have+8
				}
			}
			part[i] = x.letters[w&mask]
			w, have = w>>x.bits, have-x.bits
		}
	}
}

// unpackPairs writes two characters of four bits at once.
func (x *pattern) unpackPairs(out, in []byte) {
	odd := false // half of in[0] is used
	for _, run := range x.runs {
		part := out[run.at : run.at+run.n]
		if odd {
			part[0] = x.letters[in[0]>>4]
			part, in, odd = part[1:], in[1:], false
		}
		for ; len(part) >= 2; part, in = part[2:], in[1:] {
			*(*[2]byte)(part) = x.pairs[in[0]]
		}
		if len(part) == 1 {
			part[0], odd = x.letters[in[0]&15], true
		}
	}
}
