package fn

import (
	"math/bits"

	"quern/storage/errs"
	"quern/storage/vec"
)

// Bytes and bits of bytea values. Bits count from the least significant one of
// the first byte.

func errIndex(k, n int64) error {
	return errs.New("2202E", "index %d out of valid range, 0..%d", k, n-1)
}

func getByte(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	at, o := argOf[int32](args[1]), vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		s, k := args[0].BytesAt(i), int64(at.at(i))
		if k < 0 || k >= int64(len(s)) {
			return errIndex(k, int64(len(s)))
		}
		o[i] = int32(s[k])
		return nil
	})
}

var setByte = text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	s, k, v := args[0].BytesAt(i), int64(argOf[int32](args[1]).at(i)), argOf[int32](args[2]).at(i)
	if k < 0 || k >= int64(len(s)) {
		return dst, errIndex(k, int64(len(s)))
	}
	n := len(dst)
	dst = append(dst, s...)
	dst[n+int(k)] = byte(v)
	return dst, nil
})

func getBit(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	at, o := argOf[int64](args[1]), vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		s, k := args[0].BytesAt(i), at.at(i)
		if k < 0 || k >= 8*int64(len(s)) {
			return errIndex(k, 8*int64(len(s)))
		}
		o[i] = int32(s[k/8] >> (k % 8) & 1)
		return nil
	})
}

var setBit = text(func(_ *Env, args []*vec.Vector, i int, dst []byte) ([]byte, error) {
	s, k, v := args[0].BytesAt(i), argOf[int64](args[1]).at(i), argOf[int32](args[2]).at(i)
	if k < 0 || k >= 8*int64(len(s)) {
		return dst, errIndex(k, 8*int64(len(s)))
	}
	if v != 0 && v != 1 {
		return dst, errs.New(errs.InvalidParameterValue, "new bit must be 0 or 1")
	}
	n := len(dst)
	dst = append(dst, s...)
	b := &dst[n+int(k/8)]
	*b = *b&^(1<<(k%8)) | byte(v)<<(k%8)
	return dst, nil
})

func bitCount(s []byte) int64 {
	var n int64
	for _, c := range s {
		n += int64(bits.OnesCount8(c))
	}
	return n
}
