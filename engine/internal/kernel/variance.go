package kernel

import (
	"math"
	"math/big"

	"quern/storage/types"
)

// BigWords is the unsigned integer of these words, least first.
func BigWords(ws ...uint64) *big.Int {
	x := new(big.Int)
	for i := len(ws) - 1; i >= 0; i-- {
		x.Lsh(x, 64)
		x.Or(x, new(big.Int).SetUint64(ws[i]))
	}
	return x
}

// BigNum is the coefficient of a finite decimal.
func BigNum(x types.Num) *big.Int {
	b := BigWords(x.Lo, uint64(x.Hi))
	if x.Hi < 0 {
		b.Sub(b, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return b
}

// Pow10 is the n-th power of ten.
func Pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// Variance is PostgreSQL's numeric_stddev_internal for n values, n > 1 for a sample:
// sum has scale digits after the point, squares twice as many. It is false on
// overflow.
func Variance(n uint64, sum, squares *big.Int, scale int, sample, stddev bool) (x types.Num, ok bool) {
	bn := new(big.Int).SetUint64(n)
	num := new(big.Int).Mul(bn, squares)
	num.Sub(num, new(big.Int).Mul(sum, sum))
	if num.Sign() <= 0 {
		return types.Num{}, true
	}
	den := new(big.Int).Set(bn)
	if sample {
		den.Sub(den, big.NewInt(1))
	}
	den.Mul(den, bn)
	digits := divScale(num, 2*scale, den, 0)
	// num/10^(2·scale)/den with digits after the point, rounded half up.
	q := new(big.Int).Mul(num, Pow10(digits))
	den.Mul(den, Pow10(2*scale))
	q.Add(q.Lsh(q, 1), den)
	q.Quo(q, den.Lsh(den, 1))
	if stddev {
		q.Mul(q, Pow10(digits))
		r := new(big.Int).Sqrt(q)
		if q.Cmp(new(big.Int).Mul(r, new(big.Int).Add(r, big.NewInt(1)))) > 0 {
			r.Add(r, big.NewInt(1))
		}
		q = r
	}
	if q.BitLen() > 127 {
		return x, false
	}
	var w [2]uint64
	w[0] = new(big.Int).And(q, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	w[1] = new(big.Int).Rsh(q, 64).Uint64()
	return types.NumFrom128(int64(w[1]), w[0], digits), true
}

// divScale is PostgreSQL's select_div_scale for positive a/10^as and b/10^bs:
// at least 16 significant digits.
func divScale(a *big.Int, as int, b *big.Int, bs int) int {
	wa, fa := lead10000(a, as)
	wb, fb := lead10000(b, bs)
	qw := wa - wb
	if fa <= fb {
		qw--
	}
	return min(max(16-4*qw, as, bs, 0), 1000)
}

// lead10000 gives the weight and the value of the first base-10000 digit.
func lead10000(x *big.Int, scale int) (weight, first int) {
	s := x.String()
	e := len(s) - 1 - scale // exponent of the first decimal digit
	weight = e / 4
	if e%4 < 0 {
		weight--
	}
	n := e - 4*weight + 1
	for i := range n {
		first *= 10
		if i < len(s) {
			first += int(s[i] - '0')
		}
	}
	return weight, first
}
