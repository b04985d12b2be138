package fn

import (
	"bytes"
	"cmp"

	"quern/storage/types"
	"quern/storage/types/orderkey"
	"quern/storage/vec"
)

// ordered are element types whose machine order is SQL's.
type ordered interface {
	~uint8 | ~int16 | ~int32 | ~uint32 | ~int64
}

func eqK[T ordered](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), out.Fixed
	if sel == nil {
		for i := range n {
			o[i] = b2u(a.at(i) == b.at(i))
		}
		return nil
	}
	for _, i := range sel {
		o[i] = b2u(a.at(int(i)) == b.at(int(i)))
	}
	return nil
}

func neK[T ordered](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), out.Fixed
	if sel == nil {
		for i := range n {
			o[i] = b2u(a.at(i) != b.at(i))
		}
		return nil
	}
	for _, i := range sel {
		o[i] = b2u(a.at(int(i)) != b.at(int(i)))
	}
	return nil
}

func ltK[T ordered](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), out.Fixed
	if sel == nil {
		for i := range n {
			o[i] = b2u(a.at(i) < b.at(i))
		}
		return nil
	}
	for _, i := range sel {
		o[i] = b2u(a.at(int(i)) < b.at(int(i)))
	}
	return nil
}

func leK[T ordered](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), out.Fixed
	if sel == nil {
		for i := range n {
			o[i] = b2u(a.at(i) <= b.at(i))
		}
		return nil
	}
	for _, i := range sel {
		o[i] = b2u(a.at(int(i)) <= b.at(int(i)))
	}
	return nil
}

// swap exchanges the arguments: a > b is b < a.
func swap(k Kernel) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		return k(env, []*vec.Vector{args[1], args[0]}, sel, n, out)
	}
}

// comparisons defines the six operators of one type, and PostgreSQL's other
// spelling of <>.
func comparisons(t types.OID, eq, ne, lt, le Kernel) []*Func {
	ops := []*Func{
		def("=", tBool, eq, t, t), def("<>", tBool, ne, t, t), def("!=", tBool, ne, t, t),
		def("<", tBool, lt, t, t), def("<=", tBool, le, t, t),
		def(">", tBool, swap(lt), t, t), def(">=", tBool, swap(le), t, t),
	}
	for _, f := range ops {
		f.leakproof()
	}
	return ops
}

func orderedOps[T ordered](t types.OID) []*Func {
	return comparisons(t, eqK[T], neK[T], ltK[T], leK[T])
}

// mixedFloatCompare are the comparisons between float4 and float8.
func mixedFloatCompare() []*Func {
	var out []*Func
	for _, o := range []struct {
		sign string
		test func(int) bool
	}{
		{"=", func(r int) bool { return r == 0 }}, {"<>", func(r int) bool { return r != 0 }},
		{"!=", func(r int) bool { return r != 0 }}, {"<", func(r int) bool { return r < 0 }},
		{"<=", func(r int) bool { return r <= 0 }}, {">", func(r int) bool { return r > 0 }},
		{">=", func(r int) bool { return r >= 0 }},
	} {
		out = append(out,
			def(o.sign, tBool, binary(func(a float32, b float64) uint8 { return b2u(o.test(CompareFloat(float64(a), b))) }), tF4, tF8).leakproof(),
			def(o.sign, tBool, binary(func(a float64, b float32) uint8 { return b2u(o.test(CompareFloat(a, float64(b)))) }), tF8, tF4).leakproof())
	}
	return out
}

// cmpOps defines comparisons through a three-way function.
func cmpOps[T vec.Fixedwidth](t types.OID, c func(a, b T) int) []*Func {
	op := func(test func(int) bool) Kernel {
		return binary(func(a, b T) uint8 { return b2u(test(c(a, b))) })
	}
	return comparisons(t,
		op(func(r int) bool { return r == 0 }), op(func(r int) bool { return r != 0 }),
		op(func(r int) bool { return r < 0 }), op(func(r int) bool { return r <= 0 }))
}

// bytesOps defines comparisons of PhysBytes values.
func bytesOps(t types.OID, c func(a, b []byte) int) []*Func {
	op := func(test func(int) bool) Kernel {
		return fromText2(func(a, b []byte) uint8 { return b2u(test(c(a, b))) })
	}
	return comparisons(t,
		op(func(r int) bool { return r == 0 }), op(func(r int) bool { return r != 0 }),
		op(func(r int) bool { return r < 0 }), op(func(r int) bool { return r <= 0 }))
}

// CompareFloat orders as PostgreSQL does: NaN equals NaN and is greatest.
func CompareFloat[T float32 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	case a == b:
		return 0
	}
	return cmp.Compare(b2u(a != a), b2u(b != b))
}

// compareBpchar ignores trailing blanks.
func compareBpchar(a, b []byte) int {
	return bytes.Compare(bytes.TrimRight(a, " "), bytes.TrimRight(b, " "))
}

func compareUUID(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }

// compareOps are the comparison operators of every type that has them.
func compareOps() []*Func {
	var out []*Func
	out = append(out, orderedOps[uint8](tBool)...)
	out = append(out, orderedOps[int16](tI2)...)
	out = append(out, orderedOps[int32](tI4)...)
	out = append(out, orderedOps[int64](tI8)...)
	out = append(out, cmpOps(tF4, CompareFloat[float32])...)
	out = append(out, cmpOps(tF8, CompareFloat[float64])...)
	out = append(out, mixedFloatCompare()...)
	out = append(out, cmpOps(tNum, types.Num.Cmp)...)
	out = append(out, orderedOps[int32](tDate)...)
	for _, t := range []types.OID{tTime, tTs, tTstz} {
		out = append(out, orderedOps[int64](t)...)
	}
	out = append(out, cmpOps(tIv, types.IntervalVal.Cmp)...)
	out = append(out, cmpOps(tUUID, compareUUID)...)
	for _, t := range []types.OID{tOid, tXid} {
		out = append(out, orderedOps[uint32](t)...)
	}
	for _, t := range []types.OID{tText, tName, tQChar, tBytea, tTimetz} {
		out = append(out, bytesOps(t, bytes.Compare)...)
	}
	out = append(out, bytesOps(tInet, func(a, b []byte) int {
		return bytes.Compare(orderkey.Append(nil, types.Type{OID: tInet}, a), orderkey.Append(nil, types.Type{OID: tInet}, b))
	})...)
	return append(out, bytesOps(tBpchar, compareBpchar)...)
}

// OrderKey is the function from values of t, a type with HasOrderKey, to bytes
// that order as the values do. It has no name in SQL.
func OrderKey(t types.Type) *Func {
	return &Func{Name: "order_key", Args: []types.OID{t.OID}, Ret: tBytea, Leakproof: true,
		Kernel: text1(func(dst, s []byte) []byte { return orderkey.Append(dst, t, s) })}
}
