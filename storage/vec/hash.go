package vec

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"

	"quern/storage/types"
)

// Key parametrises the hash family, so that input cannot be prepared to
// collide.
type Key [4]uint64

// HashKey is the key of this process; it never changes. Dictionary.Hashes and
// all tables use it, so hashes of entries and of computed strings agree.
var HashKey = newKey()

func newKey() Key {
	return Key{rand.Uint64(), rand.Uint64() | 1, rand.Uint64(), rand.Uint64() | 1}
}

// hashNull is the hash of NULL before keying; any constant will do.
const hashNull = 0x9E3779B97F4A7C15

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// U64 hashes one word.
func (k *Key) U64(x uint64) uint64 { return fold(x^k[0], k[1]) }

// U128 hashes two words.
func (k *Key) U128(x, y uint64) uint64 { return fold(fold(x^k[0], k[1])^y, k[3]) }

// Add combines the hash of the columns so far with that of the next one.
func (k *Key) Add(h, next uint64) uint64 { return fold(h^k[2], next^k[3]) }

// Bytes hashes b.
func (k *Key) Bytes(b []byte) uint64 {
	h := k[0] ^ uint64(len(b))
	k1, k3 := k[1], k[3]
	for len(b) >= 16 {
		h = fold(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])^k1)
		b = b[16:]
	}
	var x, y uint64
	switch n := len(b); {
	case n >= 8:
		x = binary.LittleEndian.Uint64(b)
		y = binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		x = uint64(binary.LittleEndian.Uint32(b))
		y = uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		x = uint64(b[0]) | uint64(b[n>>1])<<8
		y = uint64(b[n-1])
	}
	return fold(fold(x^h, y^k1)^k[2], k3)
}

// HashBytes is the hash of b under HashKey.
func HashBytes(b []byte) uint64 { return HashKey.Bytes(b) }

// floatBits gives equal words for values that SQL holds equal: −0 = 0, NaN = NaN.
func floatBits(f float64) uint64 {
	if f == 0 {
		return 0
	}
	if f != f {
		return 0x7FF8000000000001
	}
	return math.Float64bits(f)
}

// Num hashes a decimal by value: 1.0 = 1.00.
func (k *Key) Num(n types.Num) uint64 {
	n = NormNum(n)
	return fold(k.U128(n.Lo, uint64(n.Hi))^uint64(uint16(n.Scale))<<8^uint64(n.Kind), k[1])
}

// Interval hashes an interval by its total.
func (k *Key) Interval(iv types.IntervalVal) uint64 {
	hi, lo := IntervalTotal(iv)
	return k.U128(lo, uint64(hi))
}

// trimBlanks cuts trailing blanks, which do not count in char(n).
func trimBlanks(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

type hashMode uint8

const (
	hashSet hashMode = iota // out = hash
	hashAdd                 // out = Add(out, hash)
)

// Hash writes the hash of row sel[i] (row i if sel is nil) of v to out[i], for
// len(out) rows. Values that SQL holds equal hash equally in every Form. NULL
// has a hash of its own.
func Hash(out []uint64, v *Vector, sel Selection) { hashRows(out, v, sel, hashSet) }

// HashAdd combines the hashes in out with those of the next column.
func HashAdd(out []uint64, v *Vector, sel Selection) { hashRows(out, v, sel, hashAdd) }

// HashFixed is Hash under a key that is the same in every process, for Flat
// vectors: estimates that are made of it do not change from start to start.
func HashFixed(out []uint64, v *Vector, sel Selection) {
	k := Key{0x243F6A8885A308D3, 0x13198A2E03707345, 0xA4093822299F31D0, 0x082EFA98EC4E6C89}
	if v.Valid != nil {
		hashNullable(&k, out, v, sel, hashSet)
		return
	}
	hashFlat(&k, out, v, sel, hashSet)
}

func hashRows(out []uint64, v *Vector, sel Selection, mode hashMode) {
	k := &HashKey
	if v.Form == Const {
		h := k.U64(hashNull)
		if !v.Null(0) {
			h = hashOne(k, v, 0)
		}
		for i := range out {
			put(k, out, i, h, mode)
		}
		return
	}
	switch {
	case v.Form == Dict:
		hashDict(k, out, v, sel, mode)
	case v.Valid != nil:
		hashNullable(k, out, v, sel, mode)
	default:
		hashFlat(k, out, v, sel, mode)
	}
}

// hashDict uses the stored hashes of entries if there are any. Codes of NULL
// rows are not looked at.
func hashDict(k *Key, out []uint64, v *Vector, sel Selection, mode hashMode) {
	codes, hashes := v.Codes(), v.Dict.Hashes
	if v.Type.OID == types.BpcharOID {
		hashes = nil
	}
	null := k.U64(hashNull)
	for i := range out {
		r, h := at(sel, i), null
		switch {
		case v.Null(r):
		case hashes != nil:
			h = hashes[codes[r]]
		default:
			h = hashOne(k, &v.Dict.Values, int(codes[r]))
		}
		put(k, out, i, h, mode)
	}
}

func put(k *Key, out []uint64, i int, h uint64, mode hashMode) {
	if mode == hashAdd {
		h = k.Add(out[i], h)
	}
	out[i] = h
}

func at(sel Selection, i int) int {
	if sel == nil {
		return i
	}
	return int(sel[i])
}

func hashNullable(k *Key, out []uint64, v *Vector, sel Selection, mode hashMode) {
	null := k.U64(hashNull)
	for i := range out {
		r := at(sel, i)
		h := null
		if v.Valid[r>>6]>>(r&63)&1 != 0 {
			h = hashOne(k, v, r)
		}
		put(k, out, i, h, mode)
	}
}

// hashFlat is the loop without NULLs; integer widths hash by value, so that an
// int4 key finds an int8 key.
func hashFlat(k *Key, out []uint64, v *Vector, sel Selection, mode hashMode) {
	switch v.Type.Phys() {
	case types.PhysI16:
		hashInts(k, out, Values[int16](v), sel, mode)
	case types.PhysI32:
		if v.Type.Unsigned() {
			hashInts(k, out, Values[uint32](v), sel, mode)
		} else {
			hashInts(k, out, Values[int32](v), sel, mode)
		}
	case types.PhysI64:
		hashInts(k, out, Values[int64](v), sel, mode)
	default:
		for i := range out {
			put(k, out, i, hashOne(k, v, at(sel, i)), mode)
		}
	}
}

func hashInts[T int16 | int32 | uint32 | int64](k *Key, out []uint64, vals []T, sel Selection, mode hashMode) {
	k0, k1 := k[0], k[1]
	switch {
	case mode == hashAdd:
		for i := range out {
			out[i] = k.Add(out[i], fold(uint64(int64(vals[at(sel, i)]))^k0, k1))
		}
	case sel == nil:
		for i, x := range vals[:len(out)] {
			out[i] = fold(uint64(int64(x))^k0, k1)
		}
	default:
		for i, r := range sel[:len(out)] {
			out[i] = fold(uint64(int64(vals[r]))^k0, k1)
		}
	}
}

// hashOne hashes flat row i, which is not NULL.
func hashOne(k *Key, v *Vector, i int) uint64 {
	switch v.Type.Phys() {
	case types.PhysBool:
		return k.U64(uint64(v.Fixed[i]))
	case types.PhysI16:
		return k.U64(uint64(int64(Values[int16](v)[i])))
	case types.PhysI32:
		if v.Type.Unsigned() {
			return k.U64(uint64(Values[uint32](v)[i]))
		}
		return k.U64(uint64(int64(Values[int32](v)[i])))
	case types.PhysI64:
		return k.U64(uint64(Values[int64](v)[i]))
	case types.PhysF32:
		return k.U64(floatBits(float64(Values[float32](v)[i])))
	case types.PhysF64:
		return k.U64(floatBits(Values[float64](v)[i]))
	case types.PhysNum:
		return k.Num(Values[types.Num](v)[i])
	case types.PhysInterval:
		return k.Interval(Values[types.IntervalVal](v)[i])
	case types.PhysUUID:
		w := CastSlice[uint64](v.Fixed)
		return k.U128(w[2*i], w[2*i+1])
	}
	b := v.Views[i].Bytes(v.Bufs)
	if v.Type.OID == types.BpcharOID {
		b = trimBlanks(b)
	}
	return k.Bytes(b)
}
