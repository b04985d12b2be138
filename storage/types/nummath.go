package types

import (
	"math"
	"math/big"

	"quern/storage/errs"
)

// Roots, exponentials and logarithms of numeric. The result's scale is chosen
// as PostgreSQL does: about 16 significant digits, and no fewer decimals than
// the operand has. Values are computed in math/big with guard digits and
// rounded once.

// sigDigits is PostgreSQL's NUMERIC_MIN_SIG_DIGITS.
const sigDigits = 16

func clampScale(s int) int { return min(max(s, 0), 1000) }

// prec is the working precision in bits for digits decimal digits.
func prec(digits int) uint { return uint(max(digits, 0)*10/3 + 96) }

// bigFloat is n exactly enough.
func (n Num) bigFloat(p uint) *big.Float {
	x := new(big.Float).SetPrec(p).SetInt(n.abs().big())
	if n.Hi < 0 {
		x.Neg(x)
	}
	if n.Scale == 0 {
		return x
	}
	return x.Quo(x, new(big.Float).SetPrec(p).SetInt(bigPow10(int(n.Scale))))
}

// numFromBigFloat rounds x to scale decimals.
func numFromBigFloat(x *big.Float, scale int) (Num, error) {
	y := new(big.Float).SetPrec(x.Prec()).Mul(x, new(big.Float).SetPrec(x.Prec()).SetInt(bigPow10(scale)))
	neg := y.Sign() < 0
	y.Abs(y)
	y.Add(y, big.NewFloat(0.5))
	i, _ := y.Int(nil)
	return numFromBig(neg, i, scale)
}

// Sqrt is the square root; 2201F for a negative number.
func (n Num) Sqrt() (Num, error) {
	if n.Sign() < 0 && n.Kind != NumNaN {
		return n, errs.New(errs.InvalidArgumentForPower, "cannot take square root of a negative number")
	}
	if n.Kind != NumFinite {
		return n, nil
	}
	w, _ := n.lead()
	sweight := (w+1)*2 - 1
	scale := clampScale(max(sigDigits-sweight, int(n.Scale)))
	// √(c·10^-s) at scale r is √(c·10^(2r-s))·10^-r.
	x := n.abs().big()
	if e := 2*scale + 2 - int(n.Scale); e >= 0 {
		x.Mul(x, bigPow10(e))
	} else {
		x.Quo(x, bigPow10(-e))
	}
	x.Sqrt(x)
	q, r := new(big.Int).QuoRem(x, big.NewInt(10), new(big.Int))
	if r.Int64() >= 5 {
		q.Add(q, big.NewInt(1))
	}
	return numFromBig(false, q, scale)
}

// Exp is e^n.
func (n Num) Exp() (Num, error) {
	switch n.Kind {
	case NumNegInf:
		return Num{}, nil
	case NumFinite:
	default:
		return n, nil
	}
	v := math.Max(math.Min(n.Float64()*0.434294481903252, 1000), -1000)
	scale := clampScale(max(sigDigits-int(v), int(n.Scale)))
	if v > 40 {
		return n, errNumRange()
	}
	p := prec(scale + 60)
	return numFromBigFloat(bigExp(n.bigFloat(p), p), scale)
}

// bigExp reduces by 2^k and sums the Taylor series.
func bigExp(x *big.Float, p uint) *big.Float {
	p += 64
	k := max(x.MantExp(nil)+16, 0)
	r := new(big.Float).SetPrec(p).SetMantExp(x, -k)
	sum, term := big.NewFloat(1).SetPrec(p), big.NewFloat(1).SetPrec(p)
	for i := int64(1); ; i++ {
		term.Mul(term, r)
		term.Quo(term, new(big.Float).SetInt64(i))
		if term.Sign() == 0 || term.MantExp(nil) < -int(p) {
			break
		}
		sum.Add(sum, term)
	}
	for range k {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLn finds ln(x) for x > 0: x = m·2^e, ln(m) by the series of atanh.
func bigLn(x *big.Float, p uint) *big.Float {
	p += 64
	m := new(big.Float).SetPrec(p)
	e := x.MantExp(m) // m in [0.5, 1)
	if f, _ := m.Float64(); f < 0.70710678 {
		m.Add(m, m)
		e--
	}
	r := atanhLn(m, p)
	two := atanhLn(big.NewFloat(2).SetPrec(p), p)
	return r.Add(r, two.Mul(two, new(big.Float).SetInt64(int64(e))))
}

// atanhLn is ln(m) = 2·atanh((m-1)/(m+1)).
func atanhLn(m *big.Float, p uint) *big.Float {
	one := big.NewFloat(1).SetPrec(p)
	z := new(big.Float).SetPrec(p).Sub(m, one)
	z.Quo(z, new(big.Float).SetPrec(p).Add(m, one))
	z2 := new(big.Float).SetPrec(p).Mul(z, z)
	sum, pow := new(big.Float).SetPrec(p).Set(z), new(big.Float).SetPrec(p).Set(z)
	for i := int64(3); ; i += 2 {
		pow.Mul(pow, z2)
		t := new(big.Float).SetPrec(p).Quo(pow, new(big.Float).SetInt64(i))
		if t.Sign() == 0 || t.MantExp(nil) < -int(p) {
			break
		}
		sum.Add(sum, t)
	}
	return sum.Add(sum, sum)
}

func (n Num) logDomain() error {
	switch s := n.Sign(); {
	case n.Kind == NumNaN || s > 0:
		return nil
	case s == 0:
		return errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of zero")
	}
	return errs.New(errs.InvalidArgumentForLog, "cannot take logarithm of a negative number")
}

// lnWeight estimates the decimal weight of ln(n) as PostgreSQL does.
func (n Num) lnWeight() int {
	f := n.Float64()
	if f >= 0.9 && f <= 1.1 {
		x, err := n.Sub(NumFromInt(1))
		if err != nil || x.IsZero() {
			return 0
		}
		// The weight of x's first base-10000 digit, in decimal digits.
		w, first := x.lead()
		return w*4 + int(math.Log10(float64(first)))
	}
	if f <= 0 {
		return 0
	}
	l := math.Abs(math.Log(f))
	if l == 0 {
		return 0
	}
	return int(math.Log10(l))
}

// Ln is the natural logarithm.
func (n Num) Ln() (Num, error) {
	if err := n.logDomain(); err != nil || n.Kind != NumFinite {
		return n, err
	}
	scale := clampScale(max(sigDigits-n.lnWeight(), int(n.Scale)))
	p := prec(scale + 60)
	return numFromBigFloat(bigLn(n.bigFloat(p), p), scale)
}

// Log10 is the decimal logarithm.
func (n Num) Log10() (Num, error) { return NumFromInt(10).LogBase(n) }

// LogBase is the logarithm of m to base n.
func (n Num) LogBase(m Num) (Num, error) {
	if n.Kind == NumNaN || m.Kind == NumNaN {
		return NumNaNValue, nil
	}
	if err := n.logDomain(); err != nil {
		return n, err
	}
	if err := m.logDomain(); err != nil {
		return n, err
	}
	if n.Kind != NumFinite {
		if m.Kind != NumFinite {
			return NumNaNValue, nil
		}
		return Num{}, nil
	}
	if m.Kind != NumFinite {
		return m, nil
	}
	p := prec(150)
	num, den := bigLn(m.bigFloat(p), p), bigLn(n.bigFloat(p), p)
	if den.Sign() == 0 {
		return n, errDivZero()
	}
	q := new(big.Float).SetPrec(p).Quo(num, den)
	w := m.lnWeight() - n.lnWeight()
	return numFromBigFloat(q, clampScale(max(sigDigits-w, int(n.Scale), int(m.Scale))))
}

// Pow is n^m.
func (n Num) Pow(m Num) (Num, error) {
	if n.Kind|m.Kind != 0 {
		return powSpecial(n, m)
	}
	whole, err := m.Trunc(0)
	if err != nil {
		return n, err
	}
	isInt := whole.Cmp(m) == 0
	switch {
	case n.IsZero() && m.Sign() < 0:
		return n, errs.New(errs.InvalidArgumentForPower, "zero raised to a negative power is undefined")
	case n.Sign() < 0 && !isInt:
		return n, errs.New(errs.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
	}
	if isInt {
		if e, err := whole.Int64(Int4); err == nil {
			return n.powInt(m, int(e))
		}
	}
	if n.IsZero() {
		return makeNum(false, u128{}, sigDigits)
	}
	// e^(m·ln n) with the sign of an odd power.
	p := prec(200)
	x := n.Abs().bigFloat(p)
	l := bigLn(x, p)
	l.Mul(l, m.bigFloat(p))
	f, _ := l.Float64()
	v := f * 0.434294481903252
	if v > 40 {
		return n, errNumRange()
	}
	scale := clampScale(max(sigDigits-int(v), int(n.Scale), int(m.Scale)))
	if v < -1000 {
		return makeNum(false, u128{}, scale)
	}
	r, err := numFromBigFloat(bigExp(l, p), scale)
	if err == nil && n.Sign() < 0 && whole.Lo&1 == 1 {
		r = r.Neg()
	}
	return r, err
}

// powInt is n^e. The scale follows the estimated weight of the result.
func (n Num) powInt(m Num, e int) (Num, error) {
	scale := clampScale(max(sigDigits, int(n.Scale)))
	switch {
	case e == 0:
		return NumFromInt(1).Round(scale)
	case n.IsZero():
		return makeNum(false, u128{}, scale)
	case math.Log10(math.Abs(n.Float64()))*float64(e) > 40:
		return n, errNumRange()
	}
	x := n.abs().big()
	neg := n.Hi < 0 && e&1 != 0
	exp := e
	if exp < 0 {
		exp = -exp
	}
	if exp > 100000 { // only values near 1 stay in range; go through logarithms
		p := prec(300)
		l := bigLn(n.Abs().bigFloat(p), p)
		l.Mul(l, m.bigFloat(p))
		r, err := numFromBigFloat(bigExp(l, p), scale)
		if neg {
			r = r.Neg()
		}
		return r, err
	}
	x.Exp(x, big.NewInt(int64(exp)), nil)
	den := bigPow10(int(n.Scale) * exp)
	if e < 0 {
		x, den = den, x
	}
	x.Mul(x, bigPow10(scale))
	q, r := new(big.Int).QuoRem(x, den, new(big.Int))
	if r.Lsh(r, 1).Cmp(den) >= 0 {
		q.Add(q, big.NewInt(1))
	}
	return numFromBig(neg, q, scale)
}

// powSpecial follows POSIX for NaN and infinities.
func powSpecial(n, m Num) (Num, error) {
	one := NumFromInt(1)
	switch {
	case n.Kind == NumNaN:
		if m.IsZero() {
			return one, nil
		}
		return n, nil
	case m.Kind == NumNaN:
		if n.Cmp(one) == 0 {
			return one, nil
		}
		return m, nil
	case m.IsZero() || n.Kind == NumFinite && n.Cmp(one) == 0:
		return one, nil
	case n.IsZero():
		if m.Sign() < 0 {
			return n, errs.New(errs.InvalidArgumentForPower, "zero raised to a negative power is undefined")
		}
		return Num{}, nil
	case m.Kind != NumFinite:
		c := n.Abs().Cmp(one)
		if c == 0 {
			return one, nil
		}
		if (c > 0) == (m.Kind == NumPosInf) {
			return NumInfinity, nil
		}
		return Num{}, nil
	}
	if m.Sign() < 0 {
		return Num{}, nil
	}
	if n.Kind == NumNegInf {
		w, err := m.Trunc(0)
		if err != nil || w.Cmp(m) != 0 {
			return n, errs.New(errs.InvalidArgumentForPower, "a negative number raised to a non-integer power yields a complex result")
		}
		if w.Lo&1 == 1 {
			return n, nil
		}
	}
	return NumInfinity, nil
}
