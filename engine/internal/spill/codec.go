package spill

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"

	"quern/storage/types"
	"quern/storage/vec"
)

// errFormat says that a block does not follow the format; its reader names it.
var errFormat = errors.New("block does not follow the format")

// appendColumn appends the first n rows of a Flat vector.
func appendColumn(dst []byte, v *vec.Vector, n int) []byte {
	if v.Valid == nil {
		dst = append(dst, 0)
	} else {
		dst = append(dst, 1)
		for _, w := range v.Valid[:(n+63)/64] {
			dst = binary.LittleEndian.AppendUint64(dst, w)
		}
	}
	switch v.Type.Phys() {
	case types.PhysBool:
		return appendInts(dst, v.Fixed[:n])
	case types.PhysI16:
		return appendInts(dst, vec.Values[int16](v)[:n])
	case types.PhysI32:
		if v.Type.Unsigned() {
			return appendInts(dst, vec.Values[uint32](v)[:n])
		}
		return appendInts(dst, vec.Values[int32](v)[:n])
	case types.PhysI64:
		return appendInts(dst, vec.Values[int64](v)[:n])
	case types.PhysNum:
		return appendNums(dst, vec.Values[types.Num](v)[:n])
	case types.PhysBytes:
		return appendBytes(dst, v, n)
	}
	return append(dst, v.Fixed[:n*v.Type.Phys().Size()]...)
}

// width is the bytes that an offset up to span needs.
func width(span uint64) int {
	switch n := bits.Len64(span); {
	case n == 0:
		return 0
	case n <= 8:
		return 1
	case n <= 16:
		return 2
	case n <= 32:
		return 4
	}
	return 8
}

func appendInts[T uint8 | int16 | int32 | uint32 | int64](dst []byte, vals []T) []byte {
	lo, hi := int64(math.MaxInt64), int64(math.MinInt64)
	for _, x := range vals {
		lo, hi = min(lo, int64(x)), max(hi, int64(x))
	}
	if len(vals) == 0 {
		lo, hi = 0, 0
	}
	w := width(uint64(hi) - uint64(lo))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(lo))
	dst = append(dst, byte(w))
	at := len(dst)
	dst = extend(dst, w*len(vals))
	b := dst[at:]
	switch w {
	case 1:
		for i, x := range vals {
			b[i] = byte(int64(x) - lo)
		}
	case 2:
		for i, x := range vals {
			binary.LittleEndian.PutUint16(b[2*i:], uint16(int64(x)-lo))
		}
	case 4:
		for i, x := range vals {
			binary.LittleEndian.PutUint32(b[4*i:], uint32(int64(x)-lo))
		}
	case 8:
		for i, x := range vals {
			binary.LittleEndian.PutUint64(b[8*i:], uint64(int64(x)-lo))
		}
	}
	return dst
}

// extend lengthens b by n bytes of any content.
func extend(b []byte, n int) []byte {
	for cap(b)-len(b) < n {
		b = append(b[:cap(b)], 0)[:len(b)]
	}
	return b[:len(b)+n]
}

func appendNums(dst []byte, vals []types.Num) []byte {
	small := len(vals) > 0
	for i := range vals {
		x := &vals[i]
		small = small && x.Kind == types.NumFinite && x.Scale == vals[0].Scale && x.Hi == int64(x.Lo)>>63
	}
	if !small {
		return append(append(dst, 0), vec.BytesOf(vals)...)
	}
	dst = append(dst, 1)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(vals[0].Scale))
	ints := make([]int64, len(vals))
	for i := range vals {
		ints[i] = int64(vals[i].Lo)
	}
	return appendInts(dst, ints)
}

func appendBytes(dst []byte, v *vec.Vector, n int) []byte {
	lens := make([]int64, n)
	total := 0
	for i := range lens {
		if !v.Null(i) {
			lens[i] = int64(v.Views[i].Len)
			total += int(v.Views[i].Len)
		}
	}
	dst = appendInts(dst, lens)
	if free := cap(dst) - len(dst); free < total {
		bigger := make([]byte, len(dst), 2*(len(dst)+total))
		copy(bigger, dst)
		dst = bigger
	}
	for i := range lens {
		if lens[i] > 0 {
			dst = append(dst, v.Views[i].Bytes(v.Bufs)...)
		}
	}
	return dst
}

// decoder reads the columns of one block.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	x := d.b[:n]
	d.b = d.b[n:]
	return x
}

func (d *decoder) u8() byte {
	if x := d.take(1); x != nil {
		return x[0]
	}
	return 0
}

func (d *decoder) u64() uint64 {
	if x := d.take(8); x != nil {
		return binary.LittleEndian.Uint64(x)
	}
	return 0
}

// column makes dst the next column: n rows of type t in memory of s. Bytes are
// copied to a buffer of their own.
func (d *decoder) column(dst *vec.Vector, s *vec.Scratch, t types.Type, n int) error {
	flags := d.u8()
	s.Flat(dst, t, n)
	if flags&1 != 0 {
		dst.Valid = s.Valid(n)
		for i := range dst.Valid {
			dst.Valid[i] &= d.u64()
		}
	}
	switch t.Phys() {
	case types.PhysBool:
		decodeInts(d, dst.Fixed)
	case types.PhysI16:
		decodeInts(d, vec.Values[int16](dst))
	case types.PhysI32:
		if t.Unsigned() {
			decodeInts(d, vec.Values[uint32](dst))
		} else {
			decodeInts(d, vec.Values[int32](dst))
		}
	case types.PhysI64:
		decodeInts(d, vec.Values[int64](dst))
	case types.PhysNum:
		d.nums(vec.Values[types.Num](dst))
	case types.PhysBytes:
		d.bytes(dst)
	default:
		copy(dst.Fixed, d.take(len(dst.Fixed)))
	}
	if d.bad {
		return errFormat
	}
	return nil
}

func decodeInts[T uint8 | int16 | int32 | uint32 | int64](d *decoder, vals []T) {
	lo := int64(d.u64())
	w := int(d.u8())
	b := d.take(w * len(vals))
	if d.bad {
		return
	}
	switch w {
	case 0:
		for i := range vals {
			vals[i] = T(lo)
		}
	case 1:
		for i := range vals {
			vals[i] = T(lo + int64(b[i]))
		}
	case 2:
		for i := range vals {
			vals[i] = T(lo + int64(binary.LittleEndian.Uint16(b[2*i:])))
		}
	case 4:
		for i := range vals {
			vals[i] = T(lo + int64(binary.LittleEndian.Uint32(b[4*i:])))
		}
	case 8:
		for i := range vals {
			vals[i] = T(lo + int64(binary.LittleEndian.Uint64(b[8*i:])))
		}
	default:
		d.bad = true
	}
}

func (d *decoder) nums(vals []types.Num) {
	if d.u8() == 0 {
		copy(vec.BytesOf(vals), d.take(24*len(vals)))
		return
	}
	x := d.take(2)
	if d.bad {
		return
	}
	scale := int16(binary.LittleEndian.Uint16(x))
	ints := make([]int64, len(vals))
	decodeInts(d, ints)
	for i, x := range ints {
		vals[i] = types.Num{Lo: uint64(x), Hi: x >> 63, Scale: scale}
	}
}

func (d *decoder) bytes(dst *vec.Vector) {
	lens := make([]int64, dst.Len)
	decodeInts(d, lens)
	total := int64(0)
	for _, n := range lens {
		if n < 0 || n > int64(len(d.b)) {
			d.bad = true
			return
		}
		total += n
	}
	src := d.take(int(total))
	if d.bad {
		return
	}
	buf := append([]byte(nil), src...)
	off := uint32(0)
	for i, n := range lens {
		dst.Views[i] = vec.ViewAt(buf, off, uint32(n), 0)
		off += uint32(n)
	}
	if len(buf) > 0 {
		dst.Bufs = [][]byte{buf}
	}
}
