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
//	bytes a row; 8 bytes zero
const (
	charsBytesMax = 1024
	charsBitsMax  = 6
	charsHead     = 16
)

// charsRoom is how many bytes lie behind the rows, and behind the last value that is
// decoded: eight characters are read and written at once.
const charsRoom = 8

// pattern is what the values of a CHARS page have in common.
type pattern struct {
	value   []byte
	varies  []byte // by place
	count   int    // places that vary
	bits    int
	stride  int // bytes of a row
	letters [64]byte
	number  [256]byte // of a letter
	pairs   []uint16  // two letters by their numbers
	runs    []place
	tail    int // where the last run ends
}

// place is a run of places that vary.
type place struct {
	lit int // where the one before ends
	at  int
	n   int
	bit int // of the row where its first character lies
}

// patternOf finds the pattern of v, nil if there is none; none tells whether more rows
// cannot make one either. NULL rows do not count.
func patternOf(v *strs) (p *pattern, none bool) {
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
				return nil, true
			}
			continue
		}
		if len(b) != len(first) {
			return nil, true
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
	p = &pattern{value: append([]byte(nil), first...), varies: make([]byte, len(first))}
	for at := range first {
		if differs[at] {
			p.varies[at], p.value[at] = 1, 0
			p.count++
		}
	}
	if p.count == 0 {
		return nil, false
	}
	for i := range v.rows() {
		for at, c := range v.value(i) {
			seen[c] = seen[c] || differs[at]
		}
	}
	if !p.alphabet(&seen) {
		return nil, true
	}
	return p, false
}

// alphabet numbers the characters seen; it does not if there are too many.
func (p *pattern) alphabet(seen *[256]bool) bool {
	n := 0
	for c := range p.number {
		p.number[c] = noLetter
	}
	for c, ok := range seen {
		if !ok {
			continue
		}
		if n == 1<<charsBitsMax {
			return false
		}
		p.letters[n], p.number[c] = byte(c), byte(n)
		n++
	}
	p.bits = max(1, bits.Len(uint(n-1)))
	p.layOut()
	return true
}

// layOut computes what follows from value, varies, count, bits and letters.
func (p *pattern) layOut() {
	p.stride = (p.count*p.bits + 7) / 8
	bit := 0
	for at := 0; at < len(p.varies); at++ {
		if p.varies[at] == 0 {
			continue
		}
		n := 1
		for at+n < len(p.varies) && p.varies[at+n] == 1 {
			n++
		}
		p.runs = append(p.runs, place{p.tail, at, n, bit})
		at += n
		p.tail, bit = at, bit+n*p.bits
	}
	p.pairs = make([]uint16, 1<<(2*p.bits))
	for k := range p.pairs {
		p.pairs[k] = uint16(p.letters[k&(1<<p.bits-1)]) | uint16(p.letters[k>>p.bits])<<8
	}
}

// noLetter is the number of what is not in the alphabet; others have not its upper bit.
const noLetter = 0x80

// charsSample rows of a page tell its pattern, nearly always.
const charsSample = 1024

// charsPages writes v as CHARS page if there is a pattern; t keeps it if it is the best.
func (e *Encoder) charsPages(t *pageTrial, v *strs, ascii byte, nulls int) (tried bool) {
	for n := min(v.rows(), charsSample); ; n = v.rows() {
		part := &strs{offs: v.offs[:n+1], data: v.data}
		if v.valid != nil {
			part.valid = v.valid[:n]
		}
		p, none := patternOf(part)
		fits := false
		if p != nil {
			t.try(charsNanos(v.rows(), v.total()), func() (bool, error) {
				fits = e.charsPage(p, v, ascii, nulls)
				return fits, nil
			})
		}
		if fits || none || n == v.rows() {
			return fits
		}
	}
}

// charsPage tells whether all values fit the pattern.
func (e *Encoder) charsPage(p *pattern, v *strs, ascii byte, nulls int) bool {
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
	e.dst = append(e.dst, make([]byte, p.stride*v.rows()+charsRoom)...)
	out := e.dst[at:]
	for i := range v.rows() {
		b := v.value(i)
		if len(b) == 0 && v.null(i) {
			continue
		}
		if len(b) != len(p.value) || !p.pack(out[i*p.stride:(i+1)*p.stride], b) {
			return false
		}
	}
	return true
}

// pack writes b, of the right length, and tells whether it fits the pattern.
func (p *pattern) pack(out, b []byte) bool {
	w, have, at, bad := uint64(0), 0, 0, byte(0)
	for i := range p.runs {
		run := &p.runs[i]
		if run.at > run.lit && string(b[run.lit:run.at]) != string(p.value[run.lit:run.at]) {
			return false
		}
		for _, c := range b[run.at : run.at+run.n] {
			k := p.number[c]
			bad |= k
			w |= uint64(k&^noLetter) << have
			if have += p.bits; have >= 32 {
				binary.LittleEndian.PutUint32(out[at:], uint32(w))
				w, have, at = w>>32, have-32, at+4
			}
		}
	}
	for ; have > 0; have, w, at = have-8, w>>8, at+1 {
		out[at] = byte(w)
	}
	return bad&noLetter == 0 && string(b[p.tail:]) == string(p.value[p.tail:])
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
	if p.body = p.part(bodyAt+2*align+pad(2*size), p.Rows*x.stride+charsRoom); p.body == nil {
		return corrupt("short body")
	}
	p.chars = x
	return nil
}

// expand makes views as Views does.
func (p *Page) expand(dst []vec.View, from int, sel []uint16, s *Space) []byte {
	x := p.chars
	size := len(x.value)
	room := size + charsRoom
	if sel == nil {
		s.buf = sized(s.buf, len(dst)*room)
		x.unpackAll(s.buf, p.body[from*x.stride:], len(dst))
		for i := range dst {
			dst[i] = vec.ViewAt(s.buf, uint32(i*room), uint32(size), 0)
		}
		return s.buf
	}
	clear(dst)
	s.buf = sized(s.buf, len(sel)*room)
	for k, i := range sel {
		row := (from + int(i)) * x.stride
		x.unpack(s.buf[k*room:(k+1)*room], p.body[row:row+x.stride+charsRoom])
		dst[i] = vec.ViewAt(s.buf, uint32(k*room), uint32(size), 0)
	}
	return s.buf
}

// unpackAll writes rows values, eight characters of all of them after the other, so
// that the loop has nothing to decide.
func (x *pattern) unpackAll(buf, body []byte, rows int) {
	room := len(x.value) + charsRoom
	for i := range x.runs {
		r := &x.runs[i]
		x.literal(buf, r.lit, r.at, room, rows)
		bit := r.bit
		for k := 0; k < r.n; k += 8 {
			x.eight(buf[r.at+k:], body[bit>>3:], room, bit&7, rows)
			bit += 8 * x.bits
		}
	}
	x.literal(buf, x.tail, len(x.value), room, rows)
}

func (x *pattern) eight(buf, body []byte, room, shift, rows int) {
	step, stride, pairs := 2*x.bits, x.stride, x.pairs
	mask := uint64(len(pairs) - 1)
	to, in := 0, 0
	for range rows {
		w := binary.LittleEndian.Uint64(body[in:]) >> shift
		// What is written too far is written again, as the literal or run behind it.
		binary.LittleEndian.PutUint64(buf[to:], uint64(pairs[w&mask])|uint64(pairs[w>>step&mask])<<16|
			uint64(pairs[w>>(2*step)&mask])<<32|uint64(pairs[w>>(3*step)&mask])<<48)
		to, in = to+room, in+stride
	}
}

// literal writes places [from, to) of all rows.
func (x *pattern) literal(buf []byte, from, to, room, rows int) {
	for ; from < to; from += 8 {
		w := load(x.value[from:to])
		for i := range rows {
			binary.LittleEndian.PutUint64(buf[i*room+from:], w)
		}
	}
}

// unpack writes a value; out and in have charsRoom bytes behind it.
func (x *pattern) unpack(out, in []byte) {
	step, mask := 2*x.bits, uint64(len(x.pairs)-1)
	pairs := x.pairs
	for i := range x.runs {
		r := &x.runs[i]
		if r.at > r.lit {
			copy(out[r.lit:r.at], x.value[r.lit:])
		}
		bit := r.bit
		for k := 0; k < r.n; k += 8 {
			w := binary.LittleEndian.Uint64(in[bit>>3:]) >> (bit & 7)
			// What is written too far is written again, as literal or next value.
			binary.LittleEndian.PutUint64(out[r.at+k:], uint64(pairs[w&mask])|uint64(pairs[w>>step&mask])<<16|
				uint64(pairs[w>>(2*step)&mask])<<32|uint64(pairs[w>>(3*step)&mask])<<48)
			bit += 8 * x.bits
		}
	}
	copy(out[x.tail:len(x.value)], x.value[x.tail:])
}
