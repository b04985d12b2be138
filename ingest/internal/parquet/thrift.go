package parquet

import (
	"encoding/binary"
	"errors"
)

// Compact protocol types of Apache Thrift (doc/specs/thrift-compact-protocol.md
// of the Thrift project).
const (
	tStop   = 0
	tTrue   = 1
	tFalse  = 2
	tByte   = 3
	tI16    = 4
	tI32    = 5
	tI64    = 6
	tDouble = 7
	tBinary = 8
	tList   = 9
	tSet    = 10
	tMap    = 11
	tStruct = 12
)

// thriftDepthMax bounds nesting of structs and lists.
const thriftDepthMax = 64

var errThrift = errors.New("malformed metadata")

// thrift reads the compact protocol. Every length is checked against the bytes
// left, so nothing is ever allocated on the word of the input. After an error
// ok is false and all reads give zero.
type thrift struct {
	b  []byte
	ok bool
}

func (t *thrift) fail() { t.ok, t.b = false, nil }

func (t *thrift) byte() byte {
	if len(t.b) == 0 {
		t.fail()
		return 0
	}
	c := t.b[0]
	t.b = t.b[1:]
	return c
}

func (t *thrift) uvarint() uint64 {
	v, n := binary.Uvarint(t.b)
	if n <= 0 {
		t.fail()
		return 0
	}
	t.b = t.b[n:]
	return v
}

func (t *thrift) int() int64 {
	v := t.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (t *thrift) binary() []byte {
	n := t.uvarint()
	if n > uint64(len(t.b)) {
		t.fail()
		return nil
	}
	v := t.b[:n]
	t.b = t.b[n:]
	return v
}

// fields calls f for each field of a struct; f must read the value (or skip
// it). Booleans carry their value in typ.
func (t *thrift) fields(f func(id int16, typ byte)) {
	id := int16(0)
	for t.ok {
		head := t.byte()
		typ := head & 0x0f
		if typ == tStop {
			return
		}
		if delta := head >> 4; delta != 0 {
			id += int16(delta)
		} else {
			id = int16(t.int())
		}
		f(id, typ)
	}
}

// list calls f for each element; every element takes at least one byte.
func (t *thrift) list(f func(typ byte)) {
	head := t.byte()
	n := uint64(head >> 4)
	if n == 15 {
		n = t.uvarint()
	}
	if n > uint64(len(t.b)) {
		t.fail()
		return
	}
	for range n {
		if !t.ok {
			return
		}
		f(head & 0x0f)
	}
}

// skip passes over a value of a field.
func (t *thrift) skip(typ byte, depth int) {
	if depth > thriftDepthMax {
		t.fail()
		return
	}
	switch typ {
	case tTrue, tFalse:
	case tByte:
		t.byte()
	case tI16, tI32, tI64:
		t.uvarint()
	case tDouble:
		if len(t.b) < 8 {
			t.fail()
			return
		}
		t.b = t.b[8:]
	case tBinary:
		t.binary()
	case tList, tSet:
		t.list(func(elem byte) { t.skipElement(elem, depth+1) })
	case tMap:
		t.skipMap(depth + 1)
	case tStruct:
		t.fields(func(_ int16, typ byte) { t.skip(typ, depth+1) })
	default:
		t.fail()
	}
}

// skipElement: booleans in lists and maps take a byte.
func (t *thrift) skipElement(typ byte, depth int) {
	if typ == tTrue || typ == tFalse {
		typ = tByte
	}
	t.skip(typ, depth)
}

func (t *thrift) skipMap(depth int) {
	n := t.uvarint()
	if n == 0 {
		return
	}
	if n > uint64(len(t.b)) {
		t.fail()
		return
	}
	kinds := t.byte()
	for range n {
		if !t.ok {
			return
		}
		t.skipElement(kinds>>4, depth)
		t.skipElement(kinds&0x0f, depth)
	}
}
