package vec

import (
	"bytes"
	"cmp"

	"quern/storage/types"
	"quern/storage/types/orderkey"
)

// base resolves row i of v to a row of a flat vector. NULL is not looked at.
func base(v *Vector, i int) (*Vector, int) {
	switch v.Form {
	case Const:
		return v, 0
	case Dict:
		return &v.Dict.Values, int(v.Codes()[i])
	}
	return v, i
}

// Equal tells whether row i of a equals row j of b; NULL equals NULL only. Both
// have the same type, in any Form.
func Equal(a *Vector, i int, b *Vector, j int) bool {
	an, bn := a.Null(i), b.Null(j)
	if an || bn {
		return an && bn
	}
	return Compare(a, i, b, j) == 0
}

// Compare orders row i of a and row j of b, which are not NULL, as ORDER BY
// does: NaN greatest, text bytewise, char(n) without trailing blanks, intervals
// by total. Both have the same physical type, in any Form.
func Compare(a *Vector, i int, b *Vector, j int) int {
	a, i = base(a, i)
	b, j = base(b, j)
	switch a.Type.Phys() {
	case types.PhysBool:
		return cmp.Compare(a.Fixed[i], b.Fixed[j])
	case types.PhysI16:
		return cmp.Compare(Values[int16](a)[i], Values[int16](b)[j])
	case types.PhysI32:
		if a.Type.Unsigned() {
			return cmp.Compare(Values[uint32](a)[i], Values[uint32](b)[j])
		}
		return cmp.Compare(Values[int32](a)[i], Values[int32](b)[j])
	case types.PhysI64:
		return cmp.Compare(Values[int64](a)[i], Values[int64](b)[j])
	case types.PhysF32:
		return CompareFloat(float64(Values[float32](a)[i]), float64(Values[float32](b)[j]))
	case types.PhysF64:
		return CompareFloat(Values[float64](a)[i], Values[float64](b)[j])
	case types.PhysNum:
		return CompareNum(Values[types.Num](a)[i], Values[types.Num](b)[j])
	case types.PhysInterval:
		return CompareInterval(Values[types.IntervalVal](a)[i], Values[types.IntervalVal](b)[j])
	case types.PhysUUID:
		x, y := Values[[16]byte](a)[i], Values[[16]byte](b)[j]
		return bytes.Compare(x[:], y[:])
	}
	return compareBytes(a, i, b, j)
}

func compareBytes(a *Vector, i int, b *Vector, j int) int {
	x, y := a.Views[i].Bytes(a.Bufs), b.Views[j].Bytes(b.Bufs)
	if a.Type.OID == types.BpcharOID {
		x, y = trimBlanks(x), trimBlanks(y)
	}
	if a.Type.HasOrderKey() && !bytes.Equal(x, y) {
		x, y = orderkey.Append(nil, a.Type, x), orderkey.Append(nil, b.Type, y)
	}
	return bytes.Compare(x, y)
}

// CompareFloat orders floats as PostgreSQL does: NaN equals NaN and is
// greatest, −0 equals 0.
func CompareFloat(x, y float64) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	case x == y:
		return 0
	}
	xn, yn := x != x, y != y
	switch {
	case xn && yn:
		return 0
	case xn:
		return 1
	}
	return -1
}
