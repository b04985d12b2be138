package encoding

import (
	"cmp"
	"encoding/binary"
	"slices"
	"unsafe"
)

// FSST replaces frequent substrings of up to eight bytes by codes of one byte:
// P. Boncz, T. Neumann, V. Leis, "FSST: Fast Random Access String Compression",
// PVLDB 13(11), 2020. Every value is compressed for itself and can be decoded
// alone. What follows from the paper: a table of 255 symbols, code 255 escapes one
// byte; the table is built bottom-up in five rounds over a sample, by the gain
// (occurrences × length) of symbols and of pairs of neighbours; the encoder finds
// symbols of three bytes and more in a hash table that keeps one symbol a slot.
//
// Symbol table on disk: u8 symbols, u8 length of each, their bytes.
const (
	fsstSymbols = 255
	fsstEscape  = 255
	fsstSample  = 16 << 10
	fsstRounds  = 5
	fsstSlots   = 4096
)

// symbol is 1 to 8 bytes, little-endian, zero above.
type symbol struct {
	val uint64
	n   uint8
}

func (s symbol) mask() uint64 { return ^uint64(0) >> (64 - 8*uint(s.n)) }

// join is the first eight bytes of a and b.
func join(a, b symbol) symbol {
	n := min(8, a.n+b.n)
	s := symbol{a.val | b.val<<(8*uint(a.n)), n}
	s.val &= s.mask()
	return s
}

type fsstSlot struct {
	val, mask uint64
	code      uint16
	n         uint8 // 0 = free
}

// fsstTable finds the symbol at the start of a text. Codes from 256 on are escaped
// bytes, which only training counts.
type fsstTable struct {
	symbols []symbol
	short   [65536]uint16 // by two bytes: code | length<<12
	slots   [fsstSlots]fsstSlot
}

func fsstHash(w uint64) uint64 { return (w & 0xFFFFFF) * 0x9E3779B97F4A7C15 >> 52 }

// set makes the table from symbols in order of gain; symbols that find their
// slot taken are left out.
func (t *fsstTable) set(symbols []symbol) {
	t.symbols = t.symbols[:0]
	clear(t.slots[:])
	for i := range t.short {
		t.short[i] = uint16(256+i&0xFF) | 1<<12
	}
	var pairs []int
	for _, s := range symbols {
		if len(t.symbols) == fsstSymbols {
			break
		}
		code := len(t.symbols)
		switch s.n {
		case 1:
			for hi := range 256 {
				t.short[int(s.val)|hi<<8] = uint16(code) | 1<<12
			}
		case 2:
			pairs = append(pairs, code)
		default:
			x := &t.slots[fsstHash(s.val)]
			if x.n > 0 {
				continue
			}
			*x = fsstSlot{s.val, s.mask(), uint16(code), s.n}
		}
		t.symbols = append(t.symbols, s)
	}
	for _, code := range pairs {
		t.short[t.symbols[code].val] = uint16(code) | 2<<12
	}
}

// next is the code and length of the longest symbol that is found at the start of
// w, of which n > 0 bytes are text.
func (t *fsstTable) next(w uint64, n int) (code uint16, length int) {
	x := &t.slots[fsstHash(w)]
	if x.n > 0 && w&x.mask == x.val && int(x.n) <= n {
		return x.code, int(x.n)
	}
	s := t.short[uint16(w)]
	if length = int(s >> 12); length > n {
		// A pair whose second byte is behind the end.
		s = t.single(byte(w))
		length = 1
	}
	return s & 0xFFF, length
}

// single is the code of one byte.
func (t *fsstTable) single(b byte) uint16 {
	for code, s := range t.symbols {
		if s.n == 1 && s.val == uint64(b) {
			return uint16(code)
		}
	}
	return 256 + uint16(b)
}

// load is up to 8 bytes of b.
func load(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.LittleEndian.Uint64(b)
	}
	w := uint64(0)
	for i, x := range b {
		w |= uint64(x) << (8 * i)
	}
	return w
}

// append compresses data[from:to] behind dst. It writes two bytes a step, code and
// text, and keeps the second if the code escapes. Bytes of data behind to are read
// where it has them, and do not count.
func (t *fsstTable) append(dst, data []byte, from, to int) []byte {
	at := len(dst)
	dst = slices.Grow(dst, 2*(to-from)+2)
	out := dst[:cap(dst)]
	for from < to {
		var w uint64
		left := to - from
		if from+8 <= len(data) {
			w = binary.LittleEndian.Uint64(data[from:])
			if left < 8 {
				w &= 1<<(8*uint(left)) - 1
			}
		} else {
			w = load(data[from:to])
		}
		code, n := t.next(w, left)
		escape := code >> 8
		binary.LittleEndian.PutUint16(out[at:], code&0xFF|-escape&0xFF|uint16(byte(w))<<8)
		at += 1 + int(escape)
		from += n
	}
	return out[:at]
}

// trainer keeps what training counts.
type trainer struct {
	table  fsstTable
	single [512]uint32
	pair   [512][512]uint16
	gains  []gained // of symbols, in order of appearance
	slots  [1 << 15]uint16
}

// gained is what a symbol would save in the sample.
type gained struct {
	s    symbol
	gain uint64
}

// gain adds to what s would save. A sample of 16 KiB has less symbols and pairs than
// half of the slots.
func (k *trainer) gain(s symbol, n uint64) {
	const mask = len(k.slots) - 1
	at := int((s.val^uint64(s.n))*0x9E3779B97F4A7C15>>49) & mask
	for ; k.slots[at] != 0; at = (at + 1) & mask {
		if x := &k.gains[k.slots[at]-1]; x.s == s {
			x.gain += n
			return
		}
	}
	if len(k.gains) < len(k.slots)/2 {
		k.gains = append(k.gains, gained{s, n})
		k.slots[at] = uint16(len(k.gains))
	}
}

// train builds the table for values like those of sample.
func (k *trainer) train(sample [][]byte) *fsstTable {
	k.table.set(nil)
	for range fsstRounds {
		clear(k.single[:])
		clear(k.pair[:])
		for _, v := range sample {
			k.count(v)
		}
		k.table.set(k.best())
	}
	return &k.table
}

func (k *trainer) count(v []byte) {
	prev := -1
	for len(v) > 0 {
		w := load(v)
		code, n := k.table.next(w, len(v))
		k.single[code]++
		if prev >= 0 {
			k.pair[prev][code]++
			if n > 1 {
				// The next byte alone may be the better continuation.
				k.pair[prev][256+int(byte(w))]++
			}
		}
		prev = int(code)
		v = v[n:]
	}
}

func (k *trainer) symbol(code int) symbol {
	if code >= 256 {
		return symbol{uint64(code - 256), 1}
	}
	return k.table.symbols[code]
}

// best lists symbols by what they would save in the sample, descending.
func (k *trainer) best() []symbol {
	clear(k.slots[:])
	k.gains = k.gains[:0]
	for a, n := range k.single {
		if n == 0 {
			continue
		}
		s := k.symbol(a)
		gain := uint64(n) * uint64(s.n)
		if s.n == 1 {
			gain *= 8 // without it, every occurrence takes two bytes
		}
		k.gain(s, gain)
		for b, n := range k.pair[a] {
			if n > 1 {
				s := join(s, k.symbol(b))
				k.gain(s, uint64(n)*uint64(s.n))
			}
		}
	}
	list := largest(k.gains, 2*fsstSymbols)
	slices.SortFunc(list, compareGains)
	out := make([]symbol, len(list))
	for i := range list {
		out[i] = list[i].s
	}
	return out
}

func compareGains(a, b gained) int {
	return cmp.Or(cmp.Compare(b.gain, a.gain), cmp.Compare(b.s.n, a.s.n), cmp.Compare(a.s.val, b.s.val))
}

// largest moves the n best of list, in any order, to its front and returns them.
func largest(list []gained, n int) []gained {
	if len(list) <= n {
		return list
	}
	heap := list[:n] // the worst of them is the root
	down := func(i int) {
		for c := 2*i + 1; c < n; c = 2*i + 1 {
			if c+1 < n && compareGains(heap[c+1], heap[c]) > 0 {
				c++
			}
			if compareGains(heap[c], heap[i]) <= 0 {
				return
			}
			heap[c], heap[i] = heap[i], heap[c]
			i = c
		}
	}
	for i := n/2 - 1; i >= 0; i-- {
		down(i)
	}
	for _, g := range list[n:] {
		if g.gain >= heap[0].gain && compareGains(g, heap[0]) < 0 {
			heap[0] = g
			down(0)
		}
	}
	return heap
}

// section gives the table on disk.
func (t *fsstTable) section() []byte {
	b := []byte{byte(len(t.symbols))}
	for _, s := range t.symbols {
		b = append(b, s.n)
	}
	for _, s := range t.symbols {
		var w [8]byte
		binary.LittleEndian.PutUint64(w[:], s.val)
		b = append(b, w[:s.n]...)
	}
	return b
}

// decoder is a symbol table as the reader needs it. Codes without a symbol have
// length 0.
type decoder struct{ codes [256]decoded }

type decoded struct {
	val uint64
	n   uint64
}

func openTable(b []byte) (*decoder, error) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, corrupt("short symbol table")
	}
	n := int(b[0])
	lens, b := b[1:1+n], b[1+n:]
	d := &decoder{}
	for i, size := range lens {
		if size == 0 || size > 8 || int(size) > len(b) {
			return nil, corrupt("bad symbol")
		}
		d.codes[i] = decoded{load(b[:size]), uint64(size)}
		b = b[size:]
	}
	return d, nil
}

// append decodes src behind dst, which grows to at most eight bytes a code.
func (d *decoder) append(dst, src []byte) ([]byte, error) {
	if cap(dst)-len(dst) < 8*len(src)+8 {
		dst = slices.Grow(dst, 8*len(src)+8)
	}
	n := d.expand(dst[len(dst):cap(dst)], src)
	if n < 0 {
		return nil, corrupt("escape at the end")
	}
	return dst[:len(dst)+n], nil
}

// expand decodes src to out, which has room for eight bytes a code and eight more, and
// returns how many bytes that made, -1 if src ends within an escape.
func (d *decoder) expand(out, src []byte) int {
	out = out[: 8*len(src)+8 : 8*len(src)+8]
	// NB: to is within out as it moves by at most eight bytes per byte of src.
	start := unsafe.Pointer(unsafe.SliceData(out))
	to := uintptr(0)
	for len(src) >= 4 {
		w := binary.LittleEndian.Uint32(src)
		if escapes := ^w; (escapes-0x01010101)&w&0x80808080 != 0 {
			break // some byte is 255, so escapes has a zero
		}
		a, b, c, e := &d.codes[w&0xFF], &d.codes[w>>8&0xFF], &d.codes[w>>16&0xFF], &d.codes[w>>24]
		*(*uint64)(unsafe.Add(start, to)) = a.val
		to += uintptr(a.n)
		*(*uint64)(unsafe.Add(start, to)) = b.val
		to += uintptr(b.n)
		*(*uint64)(unsafe.Add(start, to)) = c.val
		to += uintptr(c.n)
		*(*uint64)(unsafe.Add(start, to)) = e.val
		to += uintptr(e.n)
		src = src[4:]
	}
	at := int(to)
	for i := 0; i < len(src); i++ {
		c := src[i]
		if c == fsstEscape {
			if i++; i == len(src) {
				return -1
			}
			out[at] = src[i]
			at++
			continue
		}
		x := &d.codes[c]
		binary.LittleEndian.PutUint64(out[at:], x.val)
		at += int(x.n)
	}
	return at
}

// sampleValues picks whole values of about 16 KiB from all over the list.
func sampleValues(offs []uint32, data []byte) [][]byte {
	n := len(offs) - 1
	total := int(offs[n] - offs[0])
	step := max(1, total/fsstSample)
	var out [][]byte
	// Runs of four neighbours, step×4 apart.
	for i := 0; i < n; i += 4 * step {
		for k := i; k < min(n, i+4); k++ {
			if v := data[offs[k]:offs[k+1]]; len(v) > 0 {
				out = append(out, v[:min(len(v), 1024)])
			}
		}
	}
	return out
}

// Shrunk is a list of values, each compressed with one table.
type Shrunk struct {
	Table []byte
	Offs  []uint32
	Bytes []byte
}

// FSSTLimit is how much of the plain bytes FSST may take to be used.
const FSSTLimit = 0.8

// Shrink compresses the values data[offs[i]:offs[i+1]]; ok is false if too little
// is saved.
func (e *Encoder) Shrink(offs []uint32, data []byte) (s Shrunk, ok bool) {
	n := len(offs) - 1
	total := int(offs[n] - offs[0])
	if total < 1024 {
		return s, false
	}
	sample := sampleValues(offs, data)
	if e.trainer == nil {
		e.trainer = new(trainer)
	}
	t := e.trainer.train(sample)
	plain, packed := 0, []byte(nil)
	for _, v := range sample {
		plain += len(v)
		packed = t.append(packed, v, 0, len(v))
	}
	if float64(len(packed)) > FSSTLimit*float64(plain) {
		return s, false
	}
	s.Offs = make([]uint32, 1, n+1)
	s.Bytes = make([]byte, 0, total*len(packed)/max(plain, 1)+total/16)
	for i := range n {
		s.Bytes = t.append(s.Bytes, data, int(offs[i]), int(offs[i+1]))
		s.Offs = append(s.Offs, uint32(len(s.Bytes)))
	}
	s.Table = t.section()
	return s, float64(len(s.Bytes)+len(s.Table)) <= FSSTLimit*float64(total)
}

// Expander decodes what Shrink made.
type Expander struct{ d *decoder }

// OpenTable reads a symbol table.
func OpenTable(table []byte) (Expander, error) {
	d, err := openTable(table)
	return Expander{d}, err
}

// Append decodes a value behind dst, at most eight bytes for each of its own.
func (x Expander) Append(dst, value []byte) ([]byte, error) { return x.d.append(dst, value) }
