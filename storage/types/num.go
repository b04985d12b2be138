package types

import (
	"math"
	"math/big"
	"math/bits"
	"strconv"

	"quern/storage/errs"
)

// u128 is the magnitude of a coefficient.
type u128 struct{ hi, lo uint64 }

// pow10 holds 10^0 … 10^38.
var pow10 = func() (t [39]u128) {
	t[0] = u128{0, 1}
	for i := 1; i < len(t); i++ {
		t[i], _ = t[i-1].mul64(10)
	}
	return t
}()

func (a u128) mul64(m uint64) (u128, bool) {
	h1, l := bits.Mul64(a.lo, m)
	h2, x := bits.Mul64(a.hi, m)
	h, c := bits.Add64(x, h1, 0)
	return u128{h, l}, h2 == 0 && c == 0
}

func (a u128) mul(b u128) (u128, bool) {
	if a.hi != 0 && b.hi != 0 {
		return u128{}, false
	}
	if a.hi == 0 {
		a, b = b, a
	}
	r, ok := a.mul64(b.lo)
	if b.hi != 0 { // a.hi == 0 too, or the test above had failed
		h, l := bits.Mul64(a.lo, b.hi)
		var c uint64
		r.hi, c = bits.Add64(r.hi, l, 0)
		ok = ok && h == 0 && c == 0
	}
	return r, ok
}

func (a u128) cmp(b u128) int {
	switch {
	case a.hi != b.hi && a.hi < b.hi, a.hi == b.hi && a.lo < b.lo:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// div64 divides by d ≠ 0.
func (a u128) div64(d uint64) (q u128, r uint64) {
	q.hi, r = a.hi/d, a.hi%d
	q.lo, r = bits.Div64(r, a.lo, d)
	return q, r
}

// digits is the number of decimal digits, 0 for zero.
func (a u128) digits() int {
	n := 0
	if b := a.hi | a.lo; b == 0 {
		return 0
	}
	if a.hi != 0 {
		n = (64 + bits.Len64(a.hi)) * 1233 >> 12
	} else {
		n = bits.Len64(a.lo) * 1233 >> 12
	}
	if n < len(pow10) && a.cmp(pow10[n]) >= 0 {
		n++
	}
	return n
}

// abs is the magnitude of the coefficient.
func (n *Num) abs() u128 {
	if n.Hi >= 0 {
		return u128{uint64(n.Hi), n.Lo}
	}
	lo, b := bits.Sub64(0, n.Lo, 0)
	hi, _ := bits.Sub64(0, uint64(n.Hi), b)
	return u128{hi, lo}
}

func makeNum(neg bool, a u128, scale int) (Num, error) {
	if a.hi>>63 != 0 || scale > math.MaxInt16 {
		return Num{}, errNumRange()
	}
	n := Num{Lo: a.lo, Hi: int64(a.hi), Scale: int16(scale)}
	if neg {
		n = n.Neg()
	}
	return n, nil
}

func errNumRange() error {
	return errs.New(errs.NumericOutOfRange, "value overflows numeric format")
}

// Special values of numeric.
var (
	NumNaNValue = Num{Kind: NumNaN}
	NumInfinity = Num{Kind: NumPosInf}
	NumNegInfin = Num{Kind: NumNegInf}
)

// NumFromInt is v with scale 0.
func NumFromInt(v int64) Num { return Num{Lo: uint64(v), Hi: v >> 63} }

// NumFrom128 is the two's complement number hi·2^64+lo times 10^-scale.
func NumFrom128(hi int64, lo uint64, scale int) Num {
	return Num{Lo: lo, Hi: hi, Scale: int16(scale)}
}

// IsZero tells whether n is 0 at any scale.
func (n Num) IsZero() bool { return n.Kind == NumFinite && n.Hi == 0 && n.Lo == 0 }

// Sign is -1, 0 or 1 (NaN counts as 1).
func (n Num) Sign() int {
	switch {
	case n.Kind == NumNegInf || n.Kind == NumFinite && n.Hi < 0:
		return -1
	case n.IsZero():
		return 0
	}
	return 1
}

// Neg is -n.
func (n Num) Neg() Num {
	switch n.Kind {
	case NumPosInf:
		n.Kind = NumNegInf
	case NumNegInf:
		n.Kind = NumPosInf
	case NumFinite:
		var b uint64
		n.Lo, b = bits.Sub64(0, n.Lo, 0)
		hi, _ := bits.Sub64(0, uint64(n.Hi), b)
		n.Hi = int64(hi)
	}
	return n
}

// Abs is |n|.
func (n Num) Abs() Num {
	if n.Sign() < 0 {
		return n.Neg()
	}
	return n
}

// align gives the magnitudes at the larger of both scales; ok is false if one
// does not fit.
func align(a, b *Num) (x, y u128, scale int, ok bool) {
	x, y = a.abs(), b.abs()
	ok = true
	switch d := int(a.Scale) - int(b.Scale); {
	case d > 0:
		y, ok = y.scaleUp(d)
		scale = int(a.Scale)
	case d < 0:
		x, ok = x.scaleUp(-d)
		scale = int(b.Scale)
	default:
		scale = int(a.Scale)
	}
	return x, y, scale, ok
}

func (a u128) scaleUp(d int) (u128, bool) {
	if a.hi|a.lo == 0 {
		return a, true
	}
	if d >= len(pow10) {
		return a, false
	}
	return a.mul(pow10[d])
}

// Add is n+m with PostgreSQL's scale (the larger one).
func (n Num) Add(m Num) (Num, error) {
	if n.Kind|m.Kind != 0 {
		return addSpecial(n, m), nil
	}
	if n.Scale == m.Scale {
		lo, c := bits.Add64(n.Lo, m.Lo, 0)
		hi, _ := bits.Add64(uint64(n.Hi), uint64(m.Hi), c)
		if h := int64(hi); (h^n.Hi)&(h^m.Hi) >= 0 {
			return Num{Lo: lo, Hi: h, Scale: n.Scale}, nil
		}
		return Num{}, errNumRange()
	}
	x, y, scale, ok := align(&n, &m)
	if !ok || x.hi>>63 != 0 || y.hi>>63 != 0 {
		return Num{}, errNumRange()
	}
	a, _ := makeNum(n.Hi < 0, x, scale)
	b, _ := makeNum(m.Hi < 0, y, scale)
	return a.Add(b)
}

func addSpecial(n, m Num) Num {
	switch {
	case n.Kind == NumNaN || m.Kind == NumNaN:
		return NumNaNValue
	case n.Kind == NumFinite:
		return m
	case m.Kind == NumFinite || n.Kind == m.Kind:
		return n
	}
	return NumNaNValue
}

// Sub is n-m.
func (n Num) Sub(m Num) (Num, error) { return n.Add(m.Neg()) }

// Mul is n·m; scales add.
func (n Num) Mul(m Num) (Num, error) {
	if n.Kind|m.Kind != 0 {
		return mulSpecial(n, m), nil
	}
	scale := int(n.Scale) + int(m.Scale)
	p, ok := n.abs().mul(m.abs())
	if !ok {
		return Num{}, errNumRange()
	}
	return makeNum((n.Hi < 0) != (m.Hi < 0), p, scale)
}

func mulSpecial(n, m Num) Num {
	if n.Kind == NumNaN || m.Kind == NumNaN || n.IsZero() || m.IsZero() {
		return NumNaNValue
	}
	if n.Sign() == m.Sign() {
		return NumInfinity
	}
	return NumNegInfin
}

// numDivScale is select_div_scale: at least 16 significant digits, and no fewer
// decimals than either operand has.
func numDivScale(n, m *Num) int {
	w1, f1 := n.lead()
	w2, f2 := m.lead()
	qw := w1 - w2
	if f1 <= f2 {
		qw--
	}
	return min(max(16-qw*4, int(n.Scale), int(m.Scale), 0), 1000)
}

// lead is the weight of the first digit in base 10000 and that digit.
func (n *Num) lead() (weight int, first uint64) {
	a := n.abs()
	nd := a.digits()
	if nd == 0 {
		return 0, 0
	}
	e := nd - int(n.Scale) - 1
	weight = e >> 2
	want := e&3 + 1
	if nd < want {
		return weight, a.lo * pow10[want-nd].lo
	}
	q, _ := a.divPow10(nd - want)
	return weight, q.lo
}

// divPow10 divides by 10^k; half tells how the rest compares with one half
// (-1 below, 0 equal, 1 above), exact remainders of 0 give -1.
func (a u128) divPow10(k int) (q u128, half int) {
	if k == 0 {
		return a, -1
	}
	if k >= len(pow10) {
		return u128{}, -1
	}
	if k <= 19 {
		d := pow10[k].lo
		q, r := a.div64(d)
		switch {
		case r < d/2:
			return q, -1
		case r == d/2:
			return q, 0
		}
		return q, 1
	}
	q, _ = a.div64(pow10[19].lo)
	q, _ = q.div64(pow10[k-19].lo)
	p, _ := q.mul(pow10[k])
	lo, b := bits.Sub64(a.lo, p.lo, 0)
	hi, _ := bits.Sub64(a.hi, p.hi, b)
	h := pow10[k]
	h = u128{h.hi >> 1, h.lo>>1 | h.hi<<63}
	return q, u128{hi, lo}.cmp(h)
}

// Div is n/m at PostgreSQL's scale. Division by zero is 22012.
func (n Num) Div(m Num) (Num, error) {
	if n.Kind|m.Kind != 0 {
		return divSpecial(n, m)
	}
	if m.IsZero() {
		return Num{}, errDivZero()
	}
	return n.DivScale(m, numDivScale(&n, &m))
}

func errDivZero() error { return errs.New(errs.DivisionByZero, "division by zero") }

func divSpecial(n, m Num) (Num, error) {
	switch {
	case n.Kind == NumNaN || m.Kind == NumNaN:
		return NumNaNValue, nil
	case m.IsZero():
		return Num{}, errDivZero()
	case m.Kind != NumFinite && n.Kind != NumFinite:
		return NumNaNValue, nil
	case m.Kind != NumFinite:
		return Num{}, nil
	case n.Sign() == m.Sign():
		return NumInfinity, nil
	}
	return NumNegInfin, nil
}

// DivScale is n/m for finite n and m ≠ 0, rounded half away from zero to scale
// decimals.
func (n Num) DivScale(m Num, scale int) (Num, error) {
	neg := (n.Hi < 0) != (m.Hi < 0)
	a, b := n.abs(), m.abs()
	shift := scale + int(m.Scale) - int(n.Scale)
	if shift >= 0 && b.hi == 0 {
		if x, ok := a.scaleUp(shift); ok {
			q, r := x.div64(b.lo)
			if r >= b.lo-r {
				q = q.inc()
			}
			return makeNum(neg, q, scale)
		}
	}
	x, y := a.big(), b.big()
	if shift >= 0 {
		x.Mul(x, bigPow10(shift))
	} else {
		y.Mul(y, bigPow10(-shift))
	}
	q, r := new(big.Int).QuoRem(x, y, new(big.Int))
	if r.Lsh(r, 1).Cmp(y) >= 0 {
		q.Add(q, big.NewInt(1))
	}
	return numFromBig(neg, q, scale)
}

func (a u128) inc() u128 {
	lo, c := bits.Add64(a.lo, 1, 0)
	return u128{a.hi + c, lo}
}

func (a u128) big() *big.Int {
	x := new(big.Int).SetUint64(a.hi)
	return x.Lsh(x, 64).Or(x, new(big.Int).SetUint64(a.lo))
}

func bigPow10(n int) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
}

func numFromBig(neg bool, x *big.Int, scale int) (Num, error) {
	if x.BitLen() > 127 {
		return Num{}, errNumRange()
	}
	lo := new(big.Int).And(x, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	return makeNum(neg, u128{new(big.Int).Rsh(x, 64).Uint64(), lo}, scale)
}

// Mod is the rest of truncating division, with n's sign.
func (n Num) Mod(m Num) (Num, error) {
	switch {
	case n.Kind == NumNaN || m.Kind == NumNaN:
		return NumNaNValue, nil
	case n.Kind != NumFinite:
		if m.IsZero() {
			return Num{}, errDivZero()
		}
		return NumNaNValue, nil
	case m.Kind != NumFinite:
		return n, nil
	case m.IsZero():
		return Num{}, errDivZero()
	}
	scale := max(int(n.Scale), int(m.Scale))
	x, y := n.abs().big(), m.abs().big()
	x.Mul(x, bigPow10(scale-int(n.Scale)))
	y.Mul(y, bigPow10(scale-int(m.Scale)))
	return numFromBig(n.Hi < 0, x.Rem(x, y), scale)
}

// Cmp orders by value; NaN is greatest and equal to itself.
func (n Num) Cmp(m Num) int {
	if n.Kind|m.Kind != 0 {
		return n.rank() - m.rank()
	}
	if n.Scale == m.Scale {
		switch {
		case n.Hi < m.Hi, n.Hi == m.Hi && n.Lo < m.Lo:
			return -1
		case n.Hi == m.Hi && n.Lo == m.Lo:
			return 0
		}
		return 1
	}
	sn, sm := n.Sign(), m.Sign()
	if sn != sm {
		return sn - sm
	}
	x, y, _, ok := align(&n, &m)
	if !ok { // the one that was scaled up is the larger one
		if n.Scale < m.Scale {
			return sn
		}
		return -sn
	}
	return sn * x.cmp(y)
}

func (n Num) rank() int { return [...]int{1, 3, 2, 0}[n.Kind] }

// Round rounds half away from zero to scale decimals; a negative scale rounds
// whole tens. The result shows max(scale, 0) decimals.
func (n Num) Round(scale int) (Num, error) { return n.rescale(scale, true) }

// Trunc cuts to scale decimals.
func (n Num) Trunc(scale int) (Num, error) { return n.rescale(scale, false) }

func (n Num) rescale(scale int, round bool) (Num, error) {
	if n.Kind != NumFinite || int(n.Scale) == scale {
		return n, nil
	}
	scale = min(max(scale, -2000), 2000)
	a := n.abs()
	if scale > int(n.Scale) {
		a, ok := a.scaleUp(scale - int(n.Scale))
		if !ok {
			return Num{}, errNumRange()
		}
		return makeNum(n.Hi < 0, a, scale)
	}
	q, half := a.divPow10(int(n.Scale) - scale)
	if round && half >= 0 {
		q = q.inc()
	}
	if scale < 0 {
		var ok bool
		if q, ok = q.scaleUp(-scale); !ok {
			return Num{}, errNumRange()
		}
		scale = 0
	}
	return makeNum(n.Hi < 0, q, scale)
}

// Floor and Ceil are the neighbouring whole numbers.
func (n Num) Floor() (Num, error) { return n.whole(-1) }

// Ceil is the smallest whole number ≥ n.
func (n Num) Ceil() (Num, error) { return n.whole(1) }

func (n Num) whole(dir int) (Num, error) {
	t, err := n.Trunc(0)
	if err != nil || n.Kind != NumFinite {
		return t, err
	}
	if n.Sign() == dir && t.Cmp(n) != 0 {
		return t.Add(NumFromInt(int64(dir)))
	}
	return t, nil
}

// Normalize strips trailing zeros of the fraction: equal values become equal
// structs (for hashing and keys).
func (n Num) Normalize() Num {
	if n.Kind != NumFinite {
		return Num{Kind: n.Kind}
	}
	neg, a, s := n.Hi < 0, n.abs(), int(n.Scale)
	if a == (u128{}) {
		return Num{}
	}
	for s > 0 {
		q, r := a.div64(10)
		if r != 0 {
			break
		}
		a, s = q, s-1
	}
	r, _ := makeNum(neg, a, s)
	return r
}

// ApplyMod rounds to numeric(p,s)'s scale and checks its precision (22003).
func (n Num) ApplyMod(t Type) (Num, error) {
	p, s, ok := t.Precision()
	if !ok || n.Kind == NumNaN {
		return n, nil
	}
	if n.Kind != NumFinite {
		return n, errs.New(errs.NumericOutOfRange, "numeric field overflow").
			WithDetail("A field with precision %d, scale %d cannot hold an infinite value.", p, s)
	}
	if p > 38 && s > int(n.Scale) {
		// Padding must not overflow what the column could hold in PostgreSQL.
		if _, ok := n.abs().scaleUp(s - int(n.Scale)); !ok {
			return n, errNumRange()
		}
	}
	r, err := n.Round(s)
	if err != nil {
		return n, err
	}
	if a := r.abs(); a.digits()-int(r.Scale) > p-s && a != (u128{}) {
		lim, base := strconv.Itoa(p-s), "10^"
		if p == s {
			lim, base = "1", ""
		}
		return n, errs.New(errs.NumericOutOfRange, "numeric field overflow").
			WithDetail("A field with precision %d, scale %d must round to an absolute value less than %s%s.", p, s, base, lim)
	}
	return r, nil
}
