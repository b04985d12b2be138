package types

import (
	"bytes"
	"math/bits"
	"strings"
)

// Spelled tells whether values of t that = calls equal may differ in their bytes
// (jsonb 1 and 1.0, arrays of such): what hashes bytes needs Canonical.
func Spelled(t Type) bool {
	switch {
	case t.OID == JSONBOID:
		return true
	case t.OID == AnyArrayOID || t.OID == RecordOID:
		return false
	case t.IsArray():
		switch e := t.Elem(); e.Phys() {
		case PhysNum, PhysF32, PhysF64, PhysInterval:
			return true
		case PhysBytes:
			return e.OID == BpcharOID || Spelled(e)
		}
	}
	return false
}

// AppendCanonical appends the bytes that all values equal to s of a Spelled type
// share; it is a value of t itself.
func AppendCanonical(dst []byte, t Type, s []byte) []byte {
	if t.OID == JSONBOID {
		return canonicalJSON(dst, s)
	}
	a := OpenArray(t.Elem(), s)
	b := ArrayBuilder{Elem: a.Elem}
	for {
		d, ok := a.Next()
		if !ok {
			return b.AppendShape(dst, a.Dims)
		}
		canonicalDatum(a.Elem, &d)
		b.Append(&d)
	}
}

func canonicalDatum(t Type, d *Datum) {
	if d.Null {
		return
	}
	switch t.Phys() {
	case PhysNum:
		d.N = d.N.Normalize()
	case PhysF32, PhysF64:
		if d.F == 0 {
			d.F = 0 // drops the sign
		}
	case PhysInterval:
		d.Iv = canonicalInterval(d.Iv)
	case PhysBytes:
		switch {
		case t.OID == BpcharOID:
			d.S = strings.TrimRight(d.S, " ")
		case t.OID == JSONBOID:
			d.S = string(canonicalJSON(nil, []byte(d.S)))
		}
	}
}

// canonicalInterval is the interval of the same total, in months of 30 days.
func canonicalInterval(v IntervalVal) IntervalVal {
	const day = 86_400_000_000
	hi, lo := v.Total()
	neg := hi < 0
	if neg {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi = -hi - int64(borrow)
	}
	months, rest := bits.Div64(uint64(hi), lo, 30*day)
	out := IntervalVal{Months: int32(months), Days: int32(rest / day), Micros: int64(rest % day)}
	if neg {
		out = IntervalVal{Months: -out.Months, Days: -out.Days, Micros: -out.Micros}
	}
	return out
}

// canonicalJSON drops trailing zeros after the point of every number in a jsonb
// text.
func canonicalJSON(dst, s []byte) []byte {
	for len(s) > 0 {
		i := bytes.IndexAny(s, `".`)
		if i < 0 {
			break
		}
		dst = append(dst, s[:i]...)
		if s[i] == '"' {
			n := stringEnd(s[i:])
			dst, s = append(dst, s[i:i+n]...), s[i+n:]
			continue
		}
		n := i + 1
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		if f := bytes.TrimRight(s[i+1:n], "0"); len(f) > 0 {
			dst = append(append(dst, '.'), f...)
		}
		s = s[n:]
	}
	return append(dst, s...)
}

// stringEnd is the length of the JSON string at the start of s.
func stringEnd(s []byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}
