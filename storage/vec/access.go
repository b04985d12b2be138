package vec

import (
	"encoding/binary"
	"unsafe"

	"quern/storage/types"
)

// Fixedwidth lists the element types of fixed-width vectors.
type Fixedwidth interface {
	~uint8 | ~int8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64 |
		types.Num | types.IntervalVal | [16]byte
}

// Values gives the fixed-width values of v as a slice of T; T must have the
// size of v's physical form. It aliases v.Fixed, whose length it relies on.
func Values[T Fixedwidth](v *Vector) []T { return CastSlice[T](v.Fixed) }

// CastSlice views b as values of T; trailing bytes that make no whole value are
// left out. b must be aligned for T, as all buffers made by this package are.
func CastSlice[T Fixedwidth](b []byte) []T {
	var t T
	n := len(b) / int(unsafe.Sizeof(t))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

// BytesOf views values as bytes.
func BytesOf[T Fixedwidth](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
}

// AlignedBytes returns n zero bytes aligned to 8.
func AlignedBytes(n int) []byte {
	if n == 0 {
		return nil
	}
	w := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), n)
}

// Codes are the codes of a Dict vector.
func (v *Vector) Codes() []uint32 { return CastSlice[uint32](v.Fixed) }

const inlineMax = 12

// Bytes returns the bytes that w stands for; they alias w itself (inline) or
// bufs. w must stay where it is while the result is used.
func (w *View) Bytes(bufs [][]byte) []byte {
	if w.Len <= inlineMax {
		return unsafe.Slice((*byte)(unsafe.Pointer(&w.A)), int(w.Len))
	}
	return bufs[w.B][w.C : w.C+w.Len : w.C+w.Len]
}

// BytesAt returns the bytes of flat or constant row i, or of its dictionary
// entry. The result aliases the vector.
func (v *Vector) BytesAt(i int) []byte {
	switch v.Form {
	case Const:
		i = 0
	case Dict:
		d := &v.Dict.Values
		return d.Views[v.Codes()[i]].Bytes(d.Bufs)
	}
	return v.Views[i].Bytes(v.Bufs)
}

// MakeView returns the view of b, which lies at bufs[buf][off:].
func MakeView(b []byte, buf, off uint32) View {
	w := View{Len: uint32(len(b))}
	if len(b) <= inlineMax {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&w.A)), inlineMax), b)
		return w
	}
	w.A = uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
	w.B, w.C = buf, off
	return w
}

// ViewAt returns the view of buf[off:off+n], where buf has the index idx among
// its vector's Bufs. It is MakeView without a call per value: it reads 12 bytes
// at once where the buffer has them.
func ViewAt(buf []byte, off, n, idx uint32) View {
	if uint64(off)+inlineMax > uint64(len(buf)) {
		return MakeView(buf[off:off+n], idx, off)
	}
	lo := binary.LittleEndian.Uint64(buf[off:])
	if n > inlineMax {
		return View{Len: n, A: uint32(lo), B: idx, C: off}
	}
	hi := binary.LittleEndian.Uint32(buf[off+8:])
	if n >= 8 {
		hi &= uint32(uint64(1)<<(8*(n-8)) - 1)
	} else {
		lo, hi = lo&(1<<(8*n)-1), 0
	}
	return View{Len: n, A: uint32(lo), B: uint32(lo >> 32), C: hi}
}

// Null tells whether row i is NULL.
func (v *Vector) Null(i int) bool {
	if v.Valid == nil {
		return false
	}
	if v.Form == Const {
		i = 0
	}
	return v.Valid[i>>6]>>(i&63)&1 == 0
}

// SetNull marks row i NULL, making the validity words if needed. The caller
// zeroes the value if it must not be seen.
func (v *Vector) SetNull(i int) {
	if v.Valid == nil {
		n := v.Len
		if v.Form == Const {
			n = 1
		}
		v.Valid = AllValid(n)
	}
	v.Valid[i>>6] &^= 1 << (i & 63)
}

// AllValid returns validity words with n bits set.
func AllValid(n int) []uint64 {
	w := make([]uint64, (n+63)/64)
	for i := range w {
		w[i] = ^uint64(0)
	}
	if r := n & 63; r != 0 {
		w[len(w)-1] = 1<<r - 1
	}
	return w
}

// Datum copies row i out of v.
func (v *Vector) Datum(i int) types.Datum {
	if v.Null(i) {
		return types.NullDatum
	}
	switch v.Form {
	case Const:
		i = 0
	case Dict:
		return v.Dict.Values.Datum(int(v.Codes()[i]))
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		return types.Datum{I: int64(v.Fixed[i])}
	case types.PhysI16:
		return types.Datum{I: int64(Values[int16](v)[i])}
	case types.PhysI32:
		if v.Type.Unsigned() {
			return types.Datum{I: int64(Values[uint32](v)[i])}
		}
		return types.Datum{I: int64(Values[int32](v)[i])}
	case types.PhysI64:
		return types.Datum{I: Values[int64](v)[i]}
	case types.PhysF32:
		return types.Datum{F: float64(Values[float32](v)[i])}
	case types.PhysF64:
		return types.Datum{F: Values[float64](v)[i]}
	case types.PhysNum:
		return types.Datum{N: Values[types.Num](v)[i]}
	case types.PhysInterval:
		return types.Datum{Iv: Values[types.IntervalVal](v)[i]}
	case types.PhysUUID:
		return types.Datum{U: Values[[16]byte](v)[i]}
	}
	return types.Datum{S: string(v.Views[i].Bytes(v.Bufs))}
}

// Inline tells whether the bytes lie in w itself.
func (w *View) Inline() bool { return w.Len <= inlineMax }
