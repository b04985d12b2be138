// Package jsonb writes JSON in the normal form of jsonb, for input that needs no
// thought: no escapes, no exponents, no duplicate keys. That is nearly all that
// events hold; types.NormalizeJSONB does the rest and is what this package is
// tested against.
package jsonb

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// depthMax is how deep values may nest before the general way takes over.
const depthMax = 32

// Append is Writer.Append with memory of its own.
func Append(dst, b []byte) (out []byte, ok bool) {
	var w Writer
	return w.Append(dst, b)
}

// Writer keeps memory from value to value. Not for concurrent use.
type Writer struct{ p parser }

// Append appends the normal form of b: object keys by length, then bytes, `": "`
// and `", "` between parts. It returns false, and dst as it was, if b is not
// plain or not valid.
func (w *Writer) Append(dst, b []byte) (out []byte, ok bool) {
	out, n, ok := w.AppendFirst(dst, b)
	for ok && n < len(b) && (b[n] == ' ' || b[n] == '\n' || b[n] == '\r' || b[n] == '\t') {
		n++
	}
	if !ok || n < len(b) {
		return dst, false
	}
	return out, true
}

// AppendFirst is Append for the value that b begins with; it takes n bytes.
func (w *Writer) AppendFirst(dst, b []byte) (out []byte, n int, ok bool) {
	if len(b) > 1<<30 || len(dst) > 1<<29 { // places are 32 bits
		return dst, 0, false
	}
	w.p = parser{b: b, members: w.p.members[:0]}
	p := &w.p
	p.space()
	out, ok = p.value(dst, 0)
	if !ok || p.high && !utf8.Valid(b[:p.i]) {
		return dst, 0, false
	}
	return out, p.i, true
}

type parser struct {
	b       []byte
	i       int
	high    bool     // a byte beyond ASCII was seen
	members []member // of the objects that are open
}

// member is a key in b, and where `"key": value` lies in the output.
type member struct{ key, keyEnd, from, to int32 }

func (p *parser) space() {
	for p.i < len(p.b) && (p.b[p.i] == ' ' || p.b[p.i] == '\n' || p.b[p.i] == '\r' || p.b[p.i] == '\t') {
		p.i++
	}
}

// take passes over c.
func (p *parser) take(c byte) bool {
	if p.i < len(p.b) && p.b[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *parser) value(dst []byte, depth int) ([]byte, bool) {
	if p.i >= len(p.b) || depth > depthMax {
		return dst, false
	}
	start := p.i
	switch c := p.b[p.i]; {
	case c == '"':
		ok := p.str()
		return append(dst, p.b[start:p.i]...), ok
	case c == '{':
		return p.object(dst, depth)
	case c == '[':
		return p.array(dst, depth)
	case c == '-' || c >= '0' && c <= '9':
		ok := p.number()
		return append(dst, p.b[start:p.i]...), ok
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if bytes.HasPrefix(p.b[p.i:], []byte(word)) {
			p.i += len(word)
			return append(dst, word...), true
		}
	}
	return dst, false
}

// str passes over a string without escapes.
func (p *parser) str() bool {
	b := p.b[p.i+1:]
	n := bytes.IndexByte(b, '"')
	if n < 0 {
		return false
	}
	s := b[:n]
	p.i += n + 2
	high := uint64(0)
	for ; len(s) >= 8; s = s[8:] {
		w := binary.LittleEndian.Uint64(s)
		high |= w
		// A byte below ' ', or equal to '\\', borrows into its top bit; bytes with
		// the top bit set are looked at below.
		if ((w-spaces)|((w^slashes)-ones))&^w&tops != 0 {
			return false
		}
	}
	for _, c := range s {
		high |= uint64(c)
		if c == '\\' || c < ' ' {
			return false
		}
	}
	p.high = p.high || high&tops != 0
	return true
}

// Eight equal bytes in a word.
const (
	ones    = 0x0101010101010101
	tops    = 0x80 * ones
	spaces  = ' ' * ones
	slashes = '\\' * ones
)

// number passes over a number that is printed as it is written.
func (p *parser) number() bool {
	b, i := p.b, p.i
	neg := b[i] == '-'
	if neg {
		i++
	}
	whole := i
	some := byte('0') // not if all digits are 0
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		some |= b[i]
	}
	if i == whole || i-whole > 1 && b[whole] == '0' || i-whole > 100 {
		return false
	}
	if i < len(b) && b[i] == '.' {
		point := i
		for i++; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
			some |= b[i]
		}
		if i == point+1 || i-point > 100 {
			return false
		}
	}
	p.i = i
	if i < len(b) && (b[i]|0x20 == 'e' || b[i] == '.') {
		return false
	}
	return !neg || some != '0' // minus zero is printed without its sign
}

func (p *parser) array(dst []byte, depth int) ([]byte, bool) {
	p.i++
	dst = append(dst, '[')
	p.space()
	if p.take(']') {
		return append(dst, ']'), true
	}
	for {
		var ok bool
		if dst, ok = p.value(dst, depth+1); !ok {
			return dst, false
		}
		p.space()
		if p.take(']') {
			return append(dst, ']'), true
		}
		if !p.take(',') {
			return dst, false
		}
		p.space()
		dst = append(dst, ", "...)
	}
}

func (p *parser) object(dst []byte, depth int) ([]byte, bool) {
	p.i++
	dst = append(dst, '{')
	p.space()
	if p.take('}') {
		return append(dst, '}'), true
	}
	base, start, sorted := len(p.members), len(dst), true
	for {
		m := member{key: int32(p.i + 1), from: int32(len(dst))}
		if p.i >= len(p.b) || p.b[p.i] != '"' || !p.str() {
			return dst, false
		}
		m.keyEnd = int32(p.i - 1)
		dst = append(dst, p.b[m.key-1:p.i]...)
		p.space()
		if !p.take(':') {
			return dst, false
		}
		p.space()
		dst = append(dst, ": "...)
		var ok bool
		if dst, ok = p.value(dst, depth+1); !ok {
			return dst, false
		}
		m.to = int32(len(dst))
		if n := len(p.members); n > base && sorted {
			sorted = p.before(&p.members[n-1], &m)
		}
		p.members = append(p.members, m)
		p.space()
		if p.take('}') {
			break
		}
		if !p.take(',') {
			return dst, false
		}
		p.space()
		dst = append(dst, ", "...)
	}
	ok := true
	if !sorted {
		dst, ok = p.sort(dst, start, p.members[base:])
	}
	p.members = p.members[:base]
	return append(dst, '}'), ok
}

// before tells whether key x comes before key y, and is not equal to it.
func (p *parser) before(x, y *member) bool {
	if n, m := x.keyEnd-x.key, y.keyEnd-y.key; n != m {
		return n < m
	}
	return bytes.Compare(p.b[x.key:x.keyEnd], p.b[y.key:y.keyEnd]) < 0
}

// sort puts the members, which lie in dst from start on, in order. It returns
// false if two are equal.
func (p *parser) sort(dst []byte, start int, ms []member) ([]byte, bool) {
	if len(ms) > 64 {
		return dst, false // the general way sorts faster
	}
	for i := 1; i < len(ms); i++ {
		for j := i; j > 0 && !p.before(&ms[j-1], &ms[j]); j-- {
			if !p.before(&ms[j], &ms[j-1]) {
				return dst, false
			}
			ms[j-1], ms[j] = ms[j], ms[j-1]
		}
	}
	end := len(dst)
	for i := range ms {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, dst[ms[i].from:ms[i].to]...)
	}
	n := copy(dst[start:], dst[end:])
	return dst[:start+n], true
}
