package fn

import (
	"context"
	"math"
	"math/rand/v2"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// mathFuncs are the functions on numbers.
func mathFuncs() []*Func {
	f8 := func(name string, f func(float64) float64) *Func { return def(name, tF8, unary(f), tF8) }
	f8e := func(name string, f func(float64) (float64, error)) *Func {
		return def(name, tF8, unaryE(f), tF8).raises()
	}
	num := func(name string, f func(types.Num) (types.Num, error)) *Func {
		return def(name, tNum, unaryE(f), tNum).raises()
	}
	out := []*Func{
		f8("ceil", math.Ceil), f8("ceiling", math.Ceil), f8("floor", math.Floor), f8("round", math.RoundToEven), f8("trunc", math.Trunc),
		num("ceil", types.Num.Ceil), num("ceiling", types.Num.Ceil), num("floor", types.Num.Floor),
		num("round", func(n types.Num) (types.Num, error) { return n.Round(0) }),
		num("trunc", func(n types.Num) (types.Num, error) { return n.Trunc(0) }),
		def("round", tNum, binaryE(func(n types.Num, s int32) (types.Num, error) { return n.Round(int(s)) }), tNum, tI4).raises(),
		def("trunc", tNum, binaryE(func(n types.Num, s int32) (types.Num, error) { return n.Trunc(int(s)) }), tNum, tI4).raises(),
		f8e("sqrt", sqrtFloat), f8e("dsqrt", sqrtFloat), f8("cbrt", math.Cbrt), f8e("|/", sqrtFloat), f8("||/", math.Cbrt),
		num("sqrt", types.Num.Sqrt), num("exp", types.Num.Exp), num("ln", types.Num.Ln), num("log", types.Num.Log10), num("log10", types.Num.Log10),
		def("log", tNum, binaryE(types.Num.LogBase), tNum, tNum).raises(),
		def("power", tNum, binaryE(types.Num.Pow), tNum, tNum).raises(), def("pow", tNum, binaryE(types.Num.Pow), tNum, tNum).raises(),
		def("^", tNum, binaryE(types.Num.Pow), tNum, tNum).raises(),
		def("power", tF8, binaryE(powFloat), tF8, tF8).raises(), def("pow", tF8, binaryE(powFloat), tF8, tF8).raises(),
		f8e("exp", expFloat), f8e("ln", lnFloat(math.Log)), f8e("log", lnFloat(math.Log10)), f8e("log10", lnFloat(math.Log10)),
		f8("sign", signFloat), num("sign", func(n types.Num) (types.Num, error) { return signNum(n), nil }),
		f8e("degrees", func(x float64) (float64, error) { return divFloat(x, math.Pi/180) }), f8("radians", func(x float64) float64 { return x * (math.Pi / 180) }),
		def("pi", tF8, func(env *Env, _ []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
			o := vec.Values[float64](out)
			return rows(env, sel, n, func(i int) error { o[i] = math.Pi; return nil })
		}),
		f8e("sin", trig(math.Sin)), f8e("cos", trig(math.Cos)), f8e("tan", trig(math.Tan)), f8e("cot", trig(func(x float64) float64 { return 1 / math.Tan(x) })),
		f8e("asin", arc(math.Asin)), f8e("acos", arc(math.Acos)), f8("atan", math.Atan), def("atan2", tF8, binary(math.Atan2), tF8, tF8),
		f8("sinh", math.Sinh), f8("cosh", math.Cosh), f8("tanh", math.Tanh), f8("asinh", math.Asinh),
		f8e("acosh", func(x float64) (float64, error) {
			if x < 1 {
				return 0, errInput()
			}
			return math.Acosh(x), nil
		}),
		f8e("atanh", func(x float64) (float64, error) {
			if x < -1 || x > 1 {
				return 0, errInput()
			}
			return math.Atanh(x), nil
		}),
		f8e("sind", trig(sinDeg)), f8e("cosd", trig(cosDeg)),
		f8e("tand", trig(func(x float64) float64 { return ratio(sinDeg(x), cosDeg(x)) })),
		f8e("cotd", trig(func(x float64) float64 {
			if x == 0 {
				return 1 / x // with the sign of zero
			}
			return ratio(cosDeg(x), sinDeg(x))
		})),
		f8e("asind", arc(asinDeg)), f8e("acosd", arc(func(x float64) float64 { return 90 - asinDeg(x) })),
		f8("atand", atanDeg), def("atan2d", tF8, binary(func(y, x float64) float64 { return math.Atan2(y, x) / math.Atan(1) * 45 }), tF8, tF8),
		def("factorial", tNum, unaryE(factorial), tI8).raises(),
		def("div", tNum, binaryE(divNum), tNum, tNum).raises(),
		def("gcd", tI4, binaryE(gcdInt[int32]), tI4, tI4).raises(), def("gcd", tI8, binaryE(gcdInt[int64]), tI8, tI8).raises(),
		def("lcm", tI4, binaryE(lcmInt[int32]), tI4, tI4).raises(), def("lcm", tI8, binaryE(lcmInt[int64]), tI8, tI8).raises(),
		def("scale", tI4, scaleOf(func(n types.Num) types.Num { return n }), tNum),
		def("min_scale", tI4, scaleOf(types.Num.Normalize), tNum),
		def("trim_scale", tNum, unary(types.Num.Normalize), tNum),
		def("width_bucket", tI4, widthBucket, tF8, tF8, tF8, tI4).raises(),
		def("width_bucket", tI4, widthBucketNum, tNum, tNum, tNum, tI4).raises(),
		def("random", tF8, random).volatile(),
		def("isfinite", tBool, unary(func(us int64) uint8 { return b2u(us != types.TimePosInf && us != types.TimeNegInf) }), tTs),
		def("isfinite", tBool, unary(func(us int64) uint8 { return b2u(us != types.TimePosInf && us != types.TimeNegInf) }), tTstz),
		def("isfinite", tBool, unary(func(d int32) uint8 { return b2u(d != types.DatePosInf && d != types.DateNegInf) }), tDate),
		def("isfinite", tBool, unary(func(types.IntervalVal) uint8 { return 1 }), tIv),
	}
	return append(out, hashFuncs()...)
}

func sqrtFloat(x float64) (float64, error) {
	if x < 0 {
		return 0, errs.New(errs.InvalidArgumentForPower, "cannot take square root of a negative number")
	}
	return math.Sqrt(x), nil
}

func expFloat(x float64) (float64, error) {
	r := math.Exp(x)
	if math.IsInf(r, 0) && !math.IsInf(x, 0) {
		return 0, errOverflow()
	}
	if r == 0 && !math.IsInf(x, 0) {
		return 0, errUnderflow()
	}
	return r, nil
}

func lnFloat(f func(float64) float64) func(float64) (float64, error) {
	return func(x float64) (float64, error) {
		switch {
		case x == 0:
			return 0, errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of zero")
		case x < 0:
			return 0, errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of a negative number")
		}
		return f(x), nil
	}
}

func signFloat(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0 // for NaN too
}

func signNum(n types.Num) types.Num {
	if n.Kind == types.NumNaN {
		return n
	}
	return types.NumFromInt(int64(n.Sign()))
}

func errInput() error { return errs.New(errs.NumericOutOfRange, "input is out of range") }

func trig(f func(float64) float64) func(float64) (float64, error) {
	return func(x float64) (float64, error) {
		if math.IsInf(x, 0) {
			return 0, errInput()
		}
		return f(x), nil
	}
}

func arc(f func(float64) float64) func(float64) (float64, error) {
	return func(x float64) (float64, error) {
		if x < -1 || x > 1 {
			return 0, errInput()
		}
		return f(x), nil
	}
}

// divNum is the whole quotient, truncated.
func divNum(n, m types.Num) (types.Num, error) {
	if n.Kind|m.Kind != types.NumFinite {
		return n.Div(m)
	}
	r, err := n.Mod(m)
	if err != nil {
		return r, err
	}
	if r, err = n.Sub(r); err != nil {
		return r, err
	}
	if r, err = r.DivScale(m, 0); err != nil {
		return r, err
	}
	return r, nil
}

func gcdInt[T int32 | int64](a, b T) (T, error) {
	for b != 0 {
		if b == -1 {
			return 1, nil
		}
		a, b = b, a%b
	}
	return absInt(a)
}

func lcmInt[T int32 | int64](a, b T) (T, error) {
	if a == 0 || b == 0 {
		return 0, nil
	}
	g, err := gcdInt(a, b)
	if err != nil {
		return 0, err
	}
	x := a / g
	p, over := mulWide(int64(x), int64(b))
	if over != 0 || int64(T(p)) != p {
		return 0, types.IntRange(typeOf[T]())
	}
	return absInt(T(p))
}

func errBucket(msg string) error { return errs.New(errs.InvalidArgumentForWidth, "%s", msg) }

func widthBucket(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	x, lo, hi, c, o := argOf[float64](args[0]), argOf[float64](args[1]), argOf[float64](args[2]), argOf[int32](args[3]), vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		v, a, b, k := x.at(i), lo.at(i), hi.at(i), c.at(i)
		switch {
		case k <= 0:
			return errBucket("count must be greater than zero")
		case math.IsNaN(v) || math.IsNaN(a) || math.IsNaN(b):
			return errBucket("operand, lower bound, and upper bound cannot be NaN")
		case math.IsInf(a, 0) || math.IsInf(b, 0):
			return errBucket("lower and upper bounds must be finite")
		case a == b:
			return errBucket("lower bound cannot equal upper bound")
		}
		if a > b {
			v, a, b = -v, -a, -b
		}
		switch {
		case v < a:
			o[i] = 0
		case v >= b:
			if k == math.MaxInt32 {
				return types.IntRange(types.Int4)
			}
			o[i] = k + 1
		default:
			o[i] = min(int32(float64(k)*((v-a)/(b-a)))+1, k)
		}
		return nil
	})
}

func widthBucketNum(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	x, lo, hi, c, o := argOf[types.Num](args[0]), argOf[types.Num](args[1]), argOf[types.Num](args[2]), argOf[int32](args[3]), vec.Values[int32](out)
	return rows(env, sel, n, func(i int) error {
		v, a, b, k := x.at(i), lo.at(i), hi.at(i), c.at(i)
		switch {
		case k <= 0:
			return errBucket("count must be greater than zero")
		case v.Kind == types.NumNaN || a.Kind == types.NumNaN || b.Kind == types.NumNaN:
			return errBucket("operand, lower bound, and upper bound cannot be NaN")
		case a.Kind|b.Kind != 0:
			return errBucket("lower and upper bounds must be finite")
		}
		d := a.Cmp(b)
		if d == 0 {
			return errBucket("lower bound cannot equal upper bound")
		}
		if d > 0 {
			v, a, b = v.Neg(), a.Neg(), b.Neg()
		}
		if v.Cmp(a) < 0 {
			o[i] = 0
			return nil
		}
		if v.Cmp(b) >= 0 {
			o[i] = k + 1
			return nil
		}
		off, err := v.Sub(a)
		if err != nil {
			return err
		}
		span, err := b.Sub(a)
		if err != nil {
			return err
		}
		if off, err = off.Mul(types.NumFromInt(int64(k))); err != nil {
			return err
		}
		q, err := divNum(off, span)
		if err != nil {
			return err
		}
		o[i] = int32(q.Lo) + 1
		return nil
	})
}

func random(env *Env, _ []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
	o := vec.Values[float64](out)
	return rows(env, sel, n, func(i int) error { o[i] = rand.Float64(); return nil })
}

// ctxErr is 57014 once the statement is cancelled.
func ctxErr(ctx context.Context) error {
	if ctx == nil || ctx.Err() == nil {
		return nil
	}
	return errs.New(errs.QueryCanceled, "canceling statement due to user request")
}

// scaleOf is the number of decimals of f's result; NULL for NaN and infinities.
func scaleOf(f func(types.Num) types.Num) Kernel {
	return func(env *Env, args []*vec.Vector, sel vec.Selection, n int, out *vec.Vector) error {
		a, o := argOf[types.Num](args[0]), vec.Values[int32](out)
		return rows(env, sel, n, func(i int) error {
			x := a.at(i)
			if x.Kind != types.NumFinite {
				setNull(out, i)
				return nil
			}
			o[i] = int32(f(x).Scale)
			return nil
		})
	}
}

// sinDeg is the sine of degrees, exact at multiples of 30 as in PostgreSQL.
func sinDeg(x float64) float64 {
	x = math.Mod(x, 360)
	sign := 1.0
	if x < 0 {
		x, sign = -x, -1
	}
	if x > 180 {
		x, sign = 360-x, -sign
	}
	if x > 90 {
		x = 180 - x
	}
	if x <= 30 {
		return sign * sin30(x)
	}
	return sign * cos60(90-x)
}

// cosDeg is the cosine of degrees.
func cosDeg(x float64) float64 {
	x = math.Abs(math.Mod(x, 360))
	sign := 1.0
	if x > 180 {
		x = 360 - x
	}
	if x > 90 {
		x, sign = 180-x, -1
	}
	if x <= 60 {
		return sign * cos60(x)
	}
	return sign * sin30(90-x)
}

// degree is a variable, so that no product with it is computed more exactly at
// compile time than at run time.
var degree = math.Pi / 180

// sin30 and cos60 are scaled to be exact at the end of their range.
func sin30(x float64) float64 { return math.Sin(x*degree) / math.Sin(30*degree) / 2 }

func cos60(x float64) float64 {
	return 1 - (1-math.Cos(x*degree))/(1-math.Cos(60*degree))/2
}

// ratio is a/b, exact where both are equal in size.
func ratio(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	if b == 0 {
		return math.Copysign(math.Inf(1), a)
	}
	if math.Abs(a) == math.Abs(b) {
		return math.Copysign(1, a*b)
	}
	return a / b
}

func asinDeg(x float64) float64 {
	a, r := math.Abs(x), 0.0
	if a <= 0.5 {
		r = math.Asin(a) / math.Asin(0.5) * 30
	} else {
		r = 90 - math.Acos(a)/math.Acos(0.5)*60 // NaN stays NaN
	}
	return math.Copysign(r, x)
}

func atanDeg(x float64) float64 { return math.Atan(x) / math.Atan(1) * 45 }

func factorial(n int64) (types.Num, error) {
	if n < 0 {
		return types.Num{}, errs.New(errs.NumericOutOfRange, "factorial of a negative number is undefined")
	}
	r := types.NumFromInt(1)
	for i := int64(2); i <= n; i++ {
		var err error
		if r, err = r.Mul(types.NumFromInt(i)); err != nil {
			return r, err
		}
	}
	return r, nil
}
