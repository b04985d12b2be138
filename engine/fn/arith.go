package fn

import (
	"math"
	"math/bits"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// signed are the integer element types.
type signed interface{ ~int16 | ~int32 | ~int64 }

// float are the float element types.
type float interface{ ~float32 | ~float64 }

func typeOf[T any]() types.Type {
	var z T
	switch any(z).(type) {
	case int16:
		return types.Int2
	case int32:
		return types.Int4
	case float32:
		return types.Float4
	case float64:
		return types.Float8
	}
	return types.Int8
}

func errDivZero() error { return errs.New(errs.DivisionByZero, "division by zero") }

func errOverflow() error {
	return errs.New(errs.NumericOutOfRange, "value out of range: overflow")
}

func errUnderflow() error {
	return errs.New(errs.NumericOutOfRange, "value out of range: underflow")
}

// addInt adds; the sign bits of all overflows are ORed and looked at once.
func addInt[T signed](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), vec.Values[T](out)
	var over T
	if sel == nil {
		for i := range n {
			x, y := a.at(i), b.at(i)
			s := x + y
			over |= (x ^ s) & (y ^ s)
			o[i] = s
		}
	} else {
		for _, i := range sel {
			x, y := a.at(int(i)), b.at(int(i))
			s := x + y
			over |= (x ^ s) & (y ^ s)
			o[i] = s
		}
	}
	if over < 0 {
		return types.IntRange(typeOf[T]())
	}
	return nil
}

func subInt[T signed](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), vec.Values[T](out)
	var over T
	if sel == nil {
		for i := range n {
			x, y := a.at(i), b.at(i)
			s := x - y
			over |= (x ^ y) & (x ^ s)
			o[i] = s
		}
	} else {
		for _, i := range sel {
			x, y := a.at(int(i)), b.at(int(i))
			s := x - y
			over |= (x ^ y) & (x ^ s)
			o[i] = s
		}
	}
	if over < 0 {
		return types.IntRange(typeOf[T]())
	}
	return nil
}

// mulInt multiplies narrow integers in 64 bits.
func mulInt[T ~int16 | ~int32](_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[T](args[0]), argOf[T](args[1]), vec.Values[T](out)
	var over int64
	if sel == nil {
		for i := range n {
			p := int64(a.at(i)) * int64(b.at(i))
			over |= p ^ int64(T(p))
			o[i] = T(p)
		}
	} else {
		for _, i := range sel {
			p := int64(a.at(int(i))) * int64(b.at(int(i)))
			over |= p ^ int64(T(p))
			o[i] = T(p)
		}
	}
	if over != 0 {
		return types.IntRange(typeOf[T]())
	}
	return nil
}

// mulWide tells by a non-zero result that x·y does not fit 64 bits.
func mulWide(x, y int64) (p int64, over uint64) {
	hi, lo := bits.Mul64(uint64(x), uint64(y))
	// Signed high word from the unsigned one.
	hi -= uint64(x>>63)&uint64(y) + uint64(y>>63)&uint64(x)
	return int64(lo), hi ^ uint64(int64(lo)>>63)
}

func mulInt8(_ *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	a, b, o := argOf[int64](args[0]), argOf[int64](args[1]), vec.Values[int64](out)
	var over, ov uint64
	if sel == nil {
		for i := range n {
			o[i], ov = mulWide(a.at(i), b.at(i))
			over |= ov
		}
	} else {
		for _, i := range sel {
			o[i], ov = mulWide(a.at(int(i)), b.at(int(i)))
			over |= ov
		}
	}
	if over != 0 {
		return types.IntRange(types.Int8)
	}
	return nil
}

// quotients divides or takes rests; a constant divisor other than 0 and -1 needs
// no checks.
func quotients[T signed](rest bool) Kernel {
	exact := binaryE(divInt[T])
	if rest {
		exact = binaryE(modInt[T])
	}
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		if args[1].Form != vec.Const {
			return exact(env, args, sel, n, out)
		}
		a, o, d := argOf[T](args[0]), vec.Values[T](out), vec.Values[T](args[1])[0]
		if d == 0 || d == -1 {
			return exact(env, args, sel, n, out)
		}
		switch {
		case sel != nil && rest:
			for _, r := range sel {
				o[r] = a.at(int(r)) % d
			}
		case sel != nil:
			for _, r := range sel {
				o[r] = a.at(int(r)) / d
			}
		case rest:
			for i := range n {
				o[i] = a.at(i) % d
			}
		default:
			for i := range n {
				o[i] = a.at(i) / d
			}
		}
		return nil
	}
}

func divInt[T signed](x, y T) (T, error) {
	if y == 0 {
		return 0, errDivZero()
	}
	if y == -1 && x == -x && x != 0 {
		return 0, types.IntRange(typeOf[T]())
	}
	return x / y, nil
}

func modInt[T signed](x, y T) (T, error) {
	if y == 0 {
		return 0, errDivZero()
	}
	if y == -1 {
		return 0, nil
	}
	return x % y, nil
}

func negInt[T signed](x T) (T, error) {
	if x == -x && x != 0 {
		return 0, types.IntRange(typeOf[T]())
	}
	return -x, nil
}

func absInt[T signed](x T) (T, error) {
	if x < 0 {
		return negInt(x)
	}
	return x, nil
}

// Float arithmetic raises when finite operands give an infinity, or a product
// or quotient vanishes.

func addFloat[T float](x, y T) (T, error) {
	s := x + y
	if isInf(s) && !isInf(x) && !isInf(y) {
		return 0, errOverflow()
	}
	return s, nil
}

func subFloat[T float](x, y T) (T, error) { return addFloat(x, -y) }

func mulFloat[T float](x, y T) (T, error) {
	p := x * y
	if isInf(p) && !isInf(x) && !isInf(y) {
		return 0, errOverflow()
	}
	if p == 0 && x != 0 && y != 0 {
		return 0, errUnderflow()
	}
	return p, nil
}

func divFloat[T float](x, y T) (T, error) {
	if y == 0 && x == x { //nolint:staticcheck // NaN test
		return 0, errDivZero()
	}
	q := x / y
	if isInf(q) && !isInf(x) {
		return 0, errOverflow()
	}
	if q == 0 && x != 0 && !isInf(y) {
		return 0, errUnderflow()
	}
	return q, nil
}

func isInf[T float](x T) bool { return math.IsInf(float64(x), 0) }

func powFloat(x, y float64) (float64, error) {
	switch {
	case math.IsNaN(x):
		if y == 0 {
			return 1, nil
		}
		return x, nil
	case math.IsNaN(y):
		if x == 1 {
			return 1, nil
		}
		return y, nil
	case x == 0 && y < 0:
		return 0, errs.New(errs.InvalidArgumentForPower, "zero raised to a negative power is undefined")
	case x < 0 && y != math.Floor(y):
		return 0, errs.New(errs.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
	}
	r := math.Pow(x, y)
	if math.IsInf(r, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return 0, errOverflow()
	}
	if r == 0 && x != 0 && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
		return 0, errUnderflow()
	}
	return r, nil
}

func shiftLeft[T signed](x T, k int32) T {
	return x << (uint32(k) & shiftMask[T]())
}

func shiftRight[T signed](x T, k int32) T { return x >> (uint32(k) & shiftMask[T]()) }

// shiftMask makes shifts behave as the hardware does, as in PostgreSQL: int2 is
// shifted as an int.
func shiftMask[T signed]() uint32 {
	if typeOf[T]() == types.Int8 {
		return 63
	}
	return 31
}

func intOps[T signed](t types.OID, mul Kernel) []*Func {
	return []*Func{
		def("+", t, addInt[T], t, t).raises(), def("-", t, subInt[T], t, t).raises(), def("*", t, mul, t, t).raises(),
		def("/", t, quotients[T](false), t, t).raises(), def("%", t, quotients[T](true), t, t).raises(),
		def("mod", t, binaryE(modInt[T]), t, t).raises(),
		def("-", t, unaryE(negInt[T]), t).raises(), def("+", t, unary(func(x T) T { return x }), t),
		def("@", t, unaryE(absInt[T]), t).raises(), def("abs", t, unaryE(absInt[T]), t).raises(),
		def("&", t, binary(func(x, y T) T { return x & y }), t, t),
		def("|", t, binary(func(x, y T) T { return x | y }), t, t),
		def("#", t, binary(func(x, y T) T { return x ^ y }), t, t),
		def("~", t, unary(func(x T) T { return ^x }), t),
		def("<<", t, binary(shiftLeft[T]), t, tI4), def(">>", t, binary(shiftRight[T]), t, tI4),
	}
}

func floatOps[T float](t types.OID) []*Func {
	abs := unary(func(x T) T { return T(math.Abs(float64(x))) })
	return []*Func{
		def("+", t, addFloats[T], t, t).raises(), def("-", t, subFloats[T], t, t).raises(),
		def("*", t, mulFloats[T], t, t).raises(), def("/", t, binaryE(divFloat[T]), t, t).raises(),
		def("-", t, unary(func(x T) T { return -x }), t), def("+", t, unary(func(x T) T { return x }), t),
		def("@", t, abs, t), def("abs", t, abs, t),
	}
}

// mixedFloatOps are the operators between float4 and float8. They exist so that
// int4 + float4 resolves to float8, as in PostgreSQL.
func mixedFloatOps() []*Func {
	var out []*Func
	for _, o := range []struct {
		sign string
		f    func(x, y float64) (float64, error)
	}{{"+", addFloat[float64]}, {"-", subFloat[float64]}, {"*", mulFloat[float64]}, {"/", divFloat[float64]}} {
		out = append(out,
			def(o.sign, tF8, binaryE(func(x float32, y float64) (float64, error) { return o.f(float64(x), y) }), tF4, tF8).raises(),
			def(o.sign, tF8, binaryE(func(x float64, y float32) (float64, error) { return o.f(x, float64(y)) }), tF8, tF4).raises())
	}
	return out
}

// arithOps are the operators on numbers.
func arithOps() []*Func {
	out := intOps[int16](tI2, mulInt[int16])
	out = append(out, intOps[int32](tI4, mulInt[int32])...)
	out = append(out, intOps[int64](tI8, mulInt8)...)
	out = append(out, floatOps[float32](tF4)...)
	out = append(out, floatOps[float64](tF8)...)
	out = append(out, mixedFloatOps()...)
	abs := unary(types.Num.Abs)
	return append(out,
		def("+", tNum, addNums, tNum, tNum).raises(), def("-", tNum, subNums, tNum, tNum).raises(),
		def("*", tNum, mulNums, tNum, tNum).raises(), def("/", tNum, binaryE(types.Num.Div), tNum, tNum).raises(),
		def("%", tNum, binaryE(types.Num.Mod), tNum, tNum).raises(), def("mod", tNum, binaryE(types.Num.Mod), tNum, tNum).raises(),
		def("-", tNum, unary(types.Num.Neg), tNum), def("+", tNum, unary(func(x types.Num) types.Num { return x }), tNum),
		def("@", tNum, abs, tNum), def("abs", tNum, abs, tNum),
		def("^", tF8, binaryE(powFloat), tF8, tF8).raises(),
	)
}
