package types

import (
	"bytes"
	"encoding/binary"
	"math"
)

// Keys are encodings of single values whose bytes order as the values do, and
// from which the values are read back exactly.

// appendKey appends the key of d.
func appendKey(dst []byte, t Type, d *Datum) []byte {
	be := binary.BigEndian
	switch t.Phys() {
	case PhysBool:
		return append(dst, byte(d.I))
	case PhysI16:
		return be.AppendUint16(dst, uint16(d.I)^1<<15)
	case PhysI32:
		if t.Unsigned() {
			return be.AppendUint32(dst, uint32(d.I))
		}
		return be.AppendUint32(dst, uint32(d.I)^1<<31)
	case PhysI64:
		return be.AppendUint64(dst, uint64(d.I)^1<<63)
	case PhysF32, PhysF64:
		return be.AppendUint64(dst, floatKey(d.F))
	case PhysNum:
		return AppendNumKey(dst, d.N)
	case PhysInterval:
		hi, lo := d.Iv.Total()
		dst = be.AppendUint64(be.AppendUint64(dst, uint64(hi)^1<<63), lo)
		dst = be.AppendUint32(dst, uint32(d.Iv.Months))
		return be.AppendUint32(dst, uint32(d.Iv.Days))
	case PhysUUID:
		return append(dst, d.U[:]...)
	}
	// Bytes end with 0 1; a zero byte within is written 0 255.
	for s := d.S; ; {
		i := bytes.IndexByte([]byte(s), 0)
		if i < 0 {
			return append(append(dst, s...), 0, 1)
		}
		dst = append(append(dst, s[:i]...), 0, 255)
		s = s[i+1:]
	}
}

// floatKey orders NaN above infinity.
func floatKey(f float64) uint64 {
	if f != f {
		return math.MaxUint64
	}
	b := math.Float64bits(f)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

func keyFloat(k uint64) float64 {
	switch {
	case k == math.MaxUint64:
		return math.NaN()
	case k>>63 != 0:
		return math.Float64frombits(k &^ (1 << 63))
	}
	return math.Float64frombits(^k)
}

// Classes of numeric keys, in their order.
const (
	numKeyNegInf = iota
	numKeyNeg
	numKeyZero
	numKeyPos
	numKeyPosInf
	numKeyNaN
)

// AppendNumKey writes class, power of ten, digits without trailing zeros, end
// mark and scale; all but class and scale are complemented for negative values.
func AppendNumKey(dst []byte, n Num) []byte {
	be := binary.BigEndian
	switch n.Kind {
	case NumNaN:
		return append(dst, numKeyNaN)
	case NumPosInf:
		return append(dst, numKeyPosInf)
	case NumNegInf:
		return append(dst, numKeyNegInf)
	}
	if n.IsZero() {
		return be.AppendUint16(append(dst, numKeyZero), uint16(n.Scale))
	}
	var buf [40]byte
	digits := n.abs().appendDigits(buf[:0])
	class, mask := byte(numKeyPos), byte(0)
	if n.Hi < 0 {
		class, mask = numKeyNeg, 0xFF
	}
	dst = append(dst, class)
	at := len(dst)
	dst = be.AppendUint16(dst, uint16(len(digits)-int(n.Scale))^1<<15)
	dst = append(append(dst, bytes.TrimRight(digits, "0")...), 0)
	for i := at; i < len(dst); i++ {
		dst[i] ^= mask
	}
	return be.AppendUint16(dst, uint16(n.Scale))
}

// readKey is the inverse of appendKey; n is the key's size, -1 if malformed.
func readKey(t Type, b []byte) (d Datum, n int) {
	be := binary.BigEndian
	p := t.Phys()
	size := [...]int{PhysBool: 1, PhysI16: 2, PhysI32: 4, PhysI64: 8, PhysF32: 8, PhysF64: 8, PhysNum: 1, PhysInterval: 24, PhysUUID: 16, PhysBytes: 2}[p]
	if len(b) < size {
		return d, -1
	}
	switch p {
	case PhysBool:
		d.I = int64(b[0])
	case PhysI16:
		d.I = int64(int16(be.Uint16(b) ^ 1<<15))
	case PhysI32:
		if d.I = int64(int32(be.Uint32(b) ^ 1<<31)); t.Unsigned() {
			d.I = int64(be.Uint32(b))
		}
	case PhysI64:
		d.I = int64(be.Uint64(b) ^ 1<<63)
	case PhysF32, PhysF64:
		d.F = keyFloat(be.Uint64(b))
	case PhysNum:
		d.N, size = readNumKey(b)
	case PhysInterval:
		d.Iv = IntervalVal{Months: int32(be.Uint32(b[16:])), Days: int32(be.Uint32(b[20:]))}
		// The total's low word is exact modulo 2^64, which is all that is left.
		_, rest := IntervalVal{Months: d.Iv.Months, Days: d.Iv.Days}.Total()
		d.Iv.Micros = int64(be.Uint64(b[8:]) - rest)
	case PhysUUID:
		copy(d.U[:], b)
	default:
		var s []byte
		for i := 0; ; {
			j := bytes.IndexByte(b[i:], 0)
			if j < 0 || i+j+1 >= len(b) {
				return d, -1
			}
			s = append(s, b[i:i+j]...)
			i += j + 2
			if b[i-1] == 1 {
				d.S = string(s)
				return d, i
			}
			s = append(s, 0)
		}
	}
	return d, size
}

func readNumKey(b []byte) (Num, int) {
	be := binary.BigEndian
	mask := byte(0)
	switch b[0] {
	case numKeyNaN:
		return NumNaNValue, 1
	case numKeyPosInf:
		return NumInfinity, 1
	case numKeyNegInf:
		return NumNegInfin, 1
	case numKeyZero:
		if len(b) < 3 {
			return Num{}, -1
		}
		return Num{Scale: int16(be.Uint16(b[1:]))}, 3
	case numKeyNeg:
		mask = 0xFF
	case numKeyPos:
	default:
		return Num{}, -1
	}
	end := bytes.IndexByte(b[min(3, len(b)):], mask)
	if end < 0 || len(b) < 3+end+3 {
		return Num{}, -1
	}
	digits := b[3 : 3+end]
	scale := int16(be.Uint16(b[3+end+1:]))
	places := int(int16((be.Uint16(b[1:]) ^ (uint16(mask)<<8 | uint16(mask))) ^ 1<<15))
	var a u128
	for _, c := range digits {
		if !a.push((c ^ mask) - '0') {
			return Num{}, -1
		}
	}
	zeros := places + int(scale) - len(digits)
	if zeros < 0 {
		return Num{}, -1
	}
	a, ok := a.scaleUp(zeros)
	n, err := makeNum(mask != 0, a, int(scale))
	if !ok || err != nil {
		return Num{}, -1
	}
	return n, 3 + end + 3
}
