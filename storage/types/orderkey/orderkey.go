// Package orderkey turns values whose order is not that of their bytes into bytes
// that order as they do.
package orderkey

import (
	"encoding/binary"
	"net/netip"
	"quern/storage/types"
	"strconv"
	"strings"
)

// Append appends bytes that order as PostgreSQL orders values of t, one of the
// types with types.Type.HasOrderKey. Equal keys mean equal values.
func Append(dst []byte, t types.Type, s []byte) []byte {
	if t.OID == types.JSONBOID {
		p := jsonKeyer{s: s}
		return p.value(dst, true)
	}
	return inetKey(dst, string(s))
}

// inetKey: the family, the network's bits, their number, the whole address. The
// bits are written one a byte so that a network sorts before its parts.
func inetKey(dst []byte, s string) []byte {
	addr, bits, has := strings.Cut(s, "/")
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return append(dst, s...)
	}
	n := a.BitLen()
	if has {
		if v, err := strconv.Atoi(bits); err == nil && v >= 0 && v <= n {
			n = v
		}
	}
	raw := a.AsSlice()
	dst = append(dst, byte(len(raw)))
	for i := range n {
		dst = append(dst, 1+raw[i/8]>>(7-i%8)&1)
	}
	return append(append(dst, 0), raw...)
}

// jsonKeyer writes the order key of a jsonb value in normal form. Values order
// null, string, number, bool, array, object; containers by their size first. A
// scalar document counts as an array of one, before real ones of one element.
type jsonKeyer struct {
	s []byte
	i int
}

const (
	jsonKeyNull = iota + 1
	jsonKeyString
	jsonKeyNumber
	jsonKeyBool
	jsonKeyArray
	jsonKeyObject
)

func (p *jsonKeyer) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == ',' || p.s[p.i] == ':') {
		p.i++
	}
}

func (p *jsonKeyer) value(dst []byte, top bool) []byte {
	p.space()
	if p.i >= len(p.s) {
		return dst
	}
	switch c := p.s[p.i]; {
	case c == '[' || c == '{':
		return p.container(dst, c, top)
	case top:
		dst = append(dst, jsonKeyArray)
		dst = append(binary.BigEndian.AppendUint32(dst, 1), 0)
	}
	switch c := p.s[p.i]; c {
	case '"':
		return p.text(append(dst, jsonKeyString))
	case 'n':
		p.i += 4
		return append(dst, jsonKeyNull)
	case 't':
		p.i += 4
		return append(dst, jsonKeyBool, 1)
	case 'f':
		p.i += 5
		return append(dst, jsonKeyBool, 0)
	}
	start := p.i
	for p.i < len(p.s) && strings.IndexByte("+-.0123456789eE", p.s[p.i]) >= 0 {
		p.i++
	}
	dst = append(dst, jsonKeyNumber)
	n, err := types.ParseNum(string(p.s[start:p.i]))
	if err != nil {
		p.i = max(p.i, start+1)
		return append(dst, p.s[start:p.i]...)
	}
	return types.AppendNumKey(dst, n.Normalize())
}

// text writes a string or key; JSON in the database holds no zero byte.
func (p *jsonKeyer) text(dst []byte) []byte {
	start := p.i
	for p.i++; p.i < len(p.s) && p.s[p.i] != '"'; p.i++ {
		if p.s[p.i] == '\\' {
			p.i++
		}
	}
	p.i = min(p.i+1, len(p.s))
	return append(types.UnquoteJSON(dst, p.s[start:p.i]), 0)
}

func (p *jsonKeyer) container(dst []byte, open byte, top bool) []byte {
	kind := byte(jsonKeyArray)
	if open == '{' {
		kind = jsonKeyObject
	}
	dst = append(dst, kind)
	sizeAt := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if top && kind == jsonKeyArray {
		dst = append(dst, 1)
	}
	n := uint32(0)
	for p.i++; ; n++ {
		p.space()
		if p.i >= len(p.s) || p.s[p.i] == ']' || p.s[p.i] == '}' {
			p.i++
			break
		}
		if kind == jsonKeyObject {
			dst = p.text(dst)
		}
		dst = p.value(dst, false)
	}
	binary.BigEndian.PutUint32(dst[sizeAt:], n)
	return dst
}
