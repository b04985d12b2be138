// Package canon makes equal values byte for byte equal: for types whose values = calls
// equal though they are spelled differently (jsonb 1 and 1.0, arrays of such).
package canon

import (
	"bytes"
	"math/bits"
	"strings"

	"quern/storage/types"
)

// Spelled tells whether values of t that = calls equal may differ in their bytes
// (jsonb 1 and 1.0, arrays of such): what hashes bytes needs the canonical form.
func Spelled(t types.Type) bool {
	switch {
	case t.OID == types.JSONBOID:
		return true
	case t.OID == types.AnyArrayOID || t.OID == types.RecordOID:
		return false
	case t.IsArray():
		switch e := t.Elem(); e.Phys() {
		case types.PhysNum, types.PhysF32, types.PhysF64, types.PhysInterval:
			return true
		case types.PhysBytes:
			return e.OID == types.BpcharOID || Spelled(e)
		}
	}
	return false
}

// Append appends the bytes that all values equal to s of a Spelled type
// share; it is a value of t itself.
func Append(dst []byte, t types.Type, s []byte) []byte {
	if t.OID == types.JSONBOID {
		return canonicalJSON(dst, s)
	}
	a := types.OpenArray(t.Elem(), s)
	b := types.ArrayBuilder{Elem: a.Elem}
	for {
		d, ok := a.Next()
		if !ok {
			return b.AppendShape(dst, a.Dims)
		}
		canonicalDatum(a.Elem, &d)
		b.Append(&d)
	}
}

func canonicalDatum(t types.Type, d *types.Datum) {
	if d.Null {
		return
	}
	switch t.Phys() {
	case types.PhysNum:
		d.N = d.N.Normalize()
	case types.PhysF32, types.PhysF64:
		if d.F == 0 {
			d.F = 0 // drops the sign
		}
	case types.PhysInterval:
		d.Iv = canonicalInterval(d.Iv)
	case types.PhysBytes:
		switch {
		case t.OID == types.BpcharOID:
			d.S = strings.TrimRight(d.S, " ")
		case t.OID == types.JSONBOID:
			d.S = string(canonicalJSON(nil, []byte(d.S)))
		}
	}
}

// canonicalInterval is the interval of the same total, in months of 30 days.
func canonicalInterval(v types.IntervalVal) types.IntervalVal {
	const day = 86_400_000_000
	hi, lo := v.Total()
	neg := hi < 0
	if neg {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi = -hi - int64(borrow)
	}
	months, rest := bits.Div64(uint64(hi), lo, 30*day)
	out := types.IntervalVal{Months: int32(months), Days: int32(rest / day), Micros: int64(rest % day)}
	if neg {
		out = types.IntervalVal{Months: -out.Months, Days: -out.Days, Micros: -out.Micros}
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
