package encoding

import (
	"bytes"
	"encoding/binary"
)

// Kinds of slots of a template, on disk.
const (
	slotText   = 0 // any bytes
	slotNumber = 1 // a number as JSON writes it: digits, and some behind a point
	slotBool   = 2 // false or true
)

// slot is a place in a template that a value fills.
type slot struct {
	at    uint32 // bytes of literal text before it
	field uint16
	kind  uint8
}

// token is a value that a scanner cut out of a text.
type token struct {
	at    uint32 // bytes of literal text before it
	kind  uint8
	scale uint8  // slotNumber: digits behind the point
	path  uint64 // of the field: values that are alike have the same
	num   int64  // slotNumber, slotBool
	text  []byte // slotText
}

// tokens is a text cut into literals and values: put together again in order they
// are the text, byte by byte, whatever it is.
type tokens struct {
	lits []byte
	list []token
}

const (
	jsonDepth   = 32 // of containers
	tokensMax   = 512
	litsMax     = 1 << 16
	numberBytes = 18 // digits that surely fit 64 bits
)

// json cuts a text that looks like JSON: strings that are not keys, numbers and
// bools are values, all else is literal. It need not be valid. It tells whether it
// did; not if there is too much of anything. A number that is written in another way
// than appendNumber's is a text.
func (t *tokens) json(v []byte) bool {
	t.lits, t.list = t.lits[:0], t.list[:0]
	var outer [jsonDepth]uint64
	depth, path, from := 0, uint64(1), 0
	for i := 0; i < len(v); {
		switch c := v[i]; {
		case c == '{' || c == '[':
			if depth == jsonDepth {
				return false
			}
			outer[depth] = path
			depth++
			path = join64(path, uint64(c))
			i++
		case c == '}' || c == ']':
			if depth == 0 {
				return false
			}
			depth--
			path = outer[depth]
			i++
		case c == '"':
			end := closing(v, i+1)
			if end < 0 {
				return false
			}
			if depth > 0 && isKey(v[end+1:]) {
				path = pathOf(outer[depth-1], v[i+1:end])
			} else {
				t.cut(v[from:i+1], token{kind: slotText, path: path, text: v[i+1 : end]})
				from = end
			}
			i = end + 1
		case c == 't' && bytes.HasPrefix(v[i:], []byte("true")):
			t.cut(v[from:i], token{kind: slotBool, path: path, num: 1})
			i += 4
			from = i
		case c == 'f' && bytes.HasPrefix(v[i:], []byte("false")):
			t.cut(v[from:i], token{kind: slotBool, path: path})
			i += 5
			from = i
		case c == '-' || isDigit(c):
			n := numberLen(v[i:])
			if x, scale, ok := parseNumber(v[i : i+n]); ok {
				t.cut(v[from:i], token{kind: slotNumber, path: path, num: x, scale: scale})
			} else {
				t.cut(v[from:i], token{kind: slotText, path: path, text: v[i : i+n]})
			}
			i += n
			from = i
		default:
			i++
		}
		if len(t.list) > tokensMax || len(t.lits) > litsMax {
			return false
		}
	}
	t.lits = append(t.lits, v[from:]...)
	return len(t.lits) <= litsMax
}

// cut adds a literal and the value behind it.
func (t *tokens) cut(lit []byte, x token) {
	t.lits = append(t.lits, lit...)
	x.at = uint32(len(t.lits))
	t.list = append(t.list, x)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// closing is where the string that starts at from ends, -1 if it does not.
func closing(v []byte, from int) int {
	for i := from; i < len(v); i++ {
		switch v[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// isKey tells whether a string is followed by a colon.
func isKey(rest []byte) bool {
	for _, c := range rest {
		if c != ' ' {
			return c == ':'
		}
	}
	return false
}

// join64 mixes x into a path. Two paths that collide share a field, no more.
func join64(path, x uint64) uint64 {
	h := (path ^ x) * 0x9E3779B97F4A7C15
	return h ^ h>>29
}

func pathOf(outer uint64, key []byte) uint64 {
	h := join64(outer, uint64(len(key)))
	for len(key) >= 8 {
		h = join64(h, binary.LittleEndian.Uint64(key))
		key = key[8:]
	}
	return join64(h, load(key))
}

// numberLen is how many bytes may belong to the number at the start of v.
func numberLen(v []byte) int {
	n := 1
	for n < len(v) && (isDigit(v[n]) || v[n] == '.' || v[n] == 'e' || v[n] == 'E' || v[n] == '+' || v[n] == '-') {
		n++
	}
	return n
}

// parseNumber reads a number that appendNumber writes as v, and only such.
func parseNumber(v []byte) (x int64, scale uint8, ok bool) {
	b := v
	neg := b[0] == '-'
	if neg {
		b = b[1:]
	}
	point, digits := -1, 0
	for i, c := range b {
		switch {
		case isDigit(c):
			x = x*10 + int64(c-'0')
			if digits++; digits > numberBytes {
				return 0, 0, false
			}
		case c == '.' && point < 0 && i > 0:
			point = i
		default:
			return 0, 0, false
		}
	}
	whole := len(b)
	if point >= 0 {
		whole = point
		scale = uint8(len(b) - point - 1)
		if scale == 0 {
			return 0, 0, false
		}
	}
	if whole == 0 || whole > 1 && b[0] == '0' || neg && x == 0 {
		return 0, 0, false
	}
	if neg {
		x = -x
	}
	return x, scale, true
}

// appendNumber writes x with scale digits behind the point.
func appendNumber(dst []byte, x int64, scale int) []byte {
	var b [40]byte
	u, neg := uint64(x), x < 0
	if neg {
		u = -u
	}
	at := len(b)
	for u > 0 || at > len(b)-scale-1-min(scale, 1) {
		if scale > 0 && at == len(b)-scale {
			at--
			b[at] = '.'
			continue
		}
		at--
		b[at] = '0' + byte(u%10)
		u /= 10
	}
	if neg {
		at--
		b[at] = '-'
	}
	return append(dst, b[at:]...)
}

// scaleMax is the most digits behind the point that a number may have.
const scaleMax = numberBytes - 1
