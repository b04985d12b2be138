package exec

import (
	"math"
	"math/big"
	"math/bits"

	"quern/engine/fn"
	"quern/engine/internal/kernel"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// newVar picks the state of the variance family; nil if there is none.
func newVar(kind fn.AggKind, arg types.Type) aggregator {
	switch arg.OID {
	case types.Float4OID, types.Float8OID:
		return floatVar{kind, arg}
	case types.Int2OID, types.Int4OID, types.Int8OID:
		return intVar{kind, arg}
	case types.NumericOID:
		return numVar{kind}
	}
	return nil
}

func isSample(k fn.AggKind) bool { return k == fn.AggStddevSamp || k == fn.AggVarSamp }
func isStddev(k fn.AggKind) bool { return k == fn.AggStddevSamp || k == fn.AggStddevPop }

// floatVar works as PostgreSQL's float8_accum. State: n, Sx, Sxx.
type floatVar struct {
	kind fn.AggKind
	typ  types.Type
}

func (floatVar) words() int { return 3 }

func (a floatVar) update(u *aggInput) error {
	ok := false
	if a.typ.Phys() == types.PhysF32 {
		ok = kernel.VarFloat(u.rows, u.at, u.off, vec.Values[float32](&u.args[0]), u.pos)
	} else {
		ok = kernel.VarFloat(u.rows, u.at, u.off, vec.Values[float64](&u.args[0]), u.pos)
	}
	if !ok {
		return errFloatOverflow()
	}
	return nil
}

func (a floatVar) merge(m *aggMerge) error {
	for i, at := range m.at {
		if !kernel.MergeVar(m.rows[int(at)+m.off:], m.src[i*m.stride+m.off:]) {
			return errFloatOverflow()
		}
	}
	return nil
}

func (a floatVar) final(f *aggOutput) error {
	out := vec.Values[float64](f.out)
	for i := range f.n {
		w := f.state(i, 3)
		n := float64(w[0])
		if isSample(a.kind) {
			n--
		}
		if w[0] == 0 || n <= 0 {
			f.null(i)
			continue
		}
		x := math.Float64frombits(w[2]) / n
		if isStddev(a.kind) {
			x = math.Sqrt(x)
		}
		out[i] = x
	}
	return nil
}

// intVar keeps exact sums. State: n, sum (128 bits), sum of squares (192 bits).
type intVar struct {
	kind fn.AggKind
	typ  types.Type
}

func (intVar) words() int { return 6 }

func (a intVar) update(u *aggInput) error {
	v := &u.args[0]
	switch a.typ.Phys() {
	case types.PhysI16:
		varInts(u, vec.Values[int16](v))
	case types.PhysI32:
		varInts(u, vec.Values[int32](v))
	default:
		varInts(u, vec.Values[int64](v))
	}
	return nil
}

func varInts[T kernel.Int](u *aggInput, vals []T) {
	for i, at := range u.at {
		w := u.rows[int(at)+u.off : int(at)+u.off+6 : int(at)+u.off+6]
		x := int64(vals[u.pos[i]])
		w[0]++
		add128(w[1:], uint64(x), uint64(x>>63))
		if x < 0 {
			x = -x
		}
		hi, lo := bits.Mul64(uint64(x), uint64(x))
		var c uint64
		w[3], c = bits.Add64(w[3], lo, 0)
		w[4], c = bits.Add64(w[4], hi, c)
		w[5] += c
	}
}

func (a intVar) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		dst[0] += src[0]
		add128(dst[1:], src[1], src[2])
		var c uint64
		dst[3], c = bits.Add64(dst[3], src[3], 0)
		dst[4], c = bits.Add64(dst[4], src[4], c)
		dst[5] += src[5] + c
	}
	return nil
}

func (a intVar) final(f *aggOutput) error {
	for i := range f.n {
		w := f.state(i, 6)
		sum := kernel.BigWords(w[1], w[2])
		if int64(w[2]) < 0 {
			sum.Sub(sum, new(big.Int).Lsh(big.NewInt(1), 128))
		}
		if err := finalVar(f, i, a.kind, w[0], sum, kernel.BigWords(w[3], w[4], w[5]), 0); err != nil {
			return err
		}
	}
	return nil
}

// numVar keeps exact sums of numeric. State: n, sum, sum of squares. Sums that
// need more than 38 digits are 22003.
type numVar struct{ kind fn.AggKind }

func (numVar) words() int { return 7 }

func (a numVar) update(u *aggInput) error {
	vals := vec.Values[types.Num](&u.args[0])
	for i, at := range u.at {
		w, x := u.rows[int(at)+u.off:], vals[u.pos[i]]
		sq, err := x.Mul(x)
		if err != nil {
			return err
		}
		w[0]++
		if err := addNum(w[1:], x); err != nil {
			return err
		}
		if err := addNum(w[4:], sq); err != nil {
			return err
		}
	}
	return nil
}

func (a numVar) merge(m *aggMerge) error {
	for i, at := range m.at {
		src, dst := m.src[i*m.stride+m.off:], m.rows[int(at)+m.off:]
		if src[0] == 0 {
			continue
		}
		dst[0] += src[0]
		if err := addNum(dst[1:], numOf(src[1:])); err != nil {
			return err
		}
		if err := addNum(dst[4:], numOf(src[4:])); err != nil {
			return err
		}
	}
	return nil
}

func (a numVar) final(f *aggOutput) error {
	for i := range f.n {
		w := f.state(i, 7)
		s, sq := numOf(w[1:]), numOf(w[4:])
		if s.Kind != types.NumFinite || sq.Kind != types.NumFinite {
			if w[0] == 0 || w[0] == 1 && isSample(a.kind) {
				f.null(i)
			} else {
				vec.Values[types.Num](f.out)[i] = types.Num{Kind: types.NumNaN}
			}
			continue
		}
		sum, squares := kernel.BigNum(s), kernel.BigNum(sq)
		// Squares have twice the scale of the sum.
		if d := 2*int(s.Scale) - int(sq.Scale); d > 0 {
			squares.Mul(squares, kernel.Pow10(d))
		}
		if err := finalVar(f, i, a.kind, w[0], sum, squares, int(s.Scale)); err != nil {
			return err
		}
	}
	return nil
}

// finalVar is PostgreSQL's numeric_stddev_internal: sum has scale digits after
// the point, squares twice as many.
func finalVar(f *aggOutput, i int, kind fn.AggKind, n uint64, sum, squares *big.Int, scale int) error {
	if n == 0 || n == 1 && isSample(kind) {
		f.null(i)
		return nil
	}
	x, ok := kernel.Variance(n, sum, squares, scale, isSample(kind), isStddev(kind))
	if !ok {
		return errs.New(errs.NumericOutOfRange, "value overflows numeric format")
	}
	vec.Values[types.Num](f.out)[i] = x
	return nil
}
