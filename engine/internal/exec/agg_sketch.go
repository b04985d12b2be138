package exec

import (
	"math"
	"math/bits"
	"slices"

	"quern/engine/fn"
	"quern/storage/vec"
)

// sketch is the state of an approximate aggregate. Sketches of the same rows are
// equal however the rows were spread over workers.
type sketch interface {
	merge(other sketch)
	size() int
}

// sketches by kind of aggregate.
var sketches = map[fn.AggKind]func() sketch{
	fn.AggApproxDistinct:   func() sketch { return &hllSketch{} },
	fn.AggApproxPercentile: func() sketch { return &quantileSketch{} },
}

func (m *aggMerge) sketch(ref uint64) sketch {
	return m.stores[ref>>refBits].sketches[ref&(1<<refBits-1)-1]
}

func (a *collectAgg) updateSketch(u *aggInput) error {
	var hashes []uint64
	if a.kind == fn.AggApproxDistinct {
		hashes = make([]uint64, len(u.pos))
		vec.HashFixed(hashes, &u.args[0], u.pos)
	}
	for i, at := range u.at {
		w := u.rows[int(at)+u.off:]
		if w[2] == 0 {
			u.store.sketches = append(u.store.sketches, a.sketch())
			w[0] = u.store.id<<refBits | uint64(len(u.store.sketches))
			w[1] = w[0]
		}
		w[2]++
		s := u.store.sketches[w[0]&(1<<refBits-1)-1]
		was := s.size()
		switch s := s.(type) {
		case *hllSketch:
			s.add(hashes[i])
		case *quantileSketch:
			r := int(u.pos[i])
			s.add(vec.Values[float64](&u.args[0])[r])
			if !u.args[1].Null(r) {
				s.p, s.hasP = vec.Values[float64](&u.args[1])[r], true
			}
		}
		u.store.sketchSize += s.size() - was
	}
	return nil
}

func (a *collectAgg) finalSketch(f *aggOutput) error {
	for i := range f.n {
		w := f.state(i, 3)
		if w[2] == 0 {
			if a.kind == fn.AggApproxPercentile {
				f.null(i)
			} else {
				vec.Values[int64](f.out)[i] = 0
			}
			continue
		}
		switch s := f.stores[w[0]>>refBits].sketches[w[0]&(1<<refBits-1)-1].(type) {
		case *hllSketch:
			vec.Values[int64](f.out)[i] = s.count()
		case *quantileSketch:
			if !s.hasP {
				f.null(i)
				continue
			}
			if err := checkPercentile(s.p); err != nil {
				return err
			}
			vec.Values[float64](f.out)[i] = s.quantile(s.p)
		}
	}
	return nil
}

// hllSketch counts distinct hashes: exactly up to hllExact, then by HyperLogLog
// with 2^14 registers (standard error 0.8 %).
type hllSketch struct {
	few  []uint64 // hashes, some of them more than once
	regs []uint8  // nil while few is in use
}

const (
	hllExact = 1024
	hllBits  = 14
)

func (s *hllSketch) size() int { return 8*cap(s.few) + cap(s.regs) }

func (s *hllSketch) add(h uint64) {
	// A finalizer spreads what the table hash leaves in its low bits.
	h ^= h >> 33
	h *= 0xFF51AFD7ED558CCD
	h ^= h >> 33
	h *= 0xC4CEB9FE1A85EC53
	h ^= h >> 33
	s.addSpread(h)
}

func (s *hllSketch) addSpread(h uint64) {
	if s.regs != nil {
		i := h >> (64 - hllBits)
		s.regs[i] = max(s.regs[i], uint8(bits.LeadingZeros64(h<<hllBits|1<<(hllBits-1)))+1)
		return
	}
	if len(s.few) > 0 && len(s.few) == cap(s.few) {
		s.compact()
		switch {
		case len(s.few) > hllExact:
			few := s.few
			s.few, s.regs = nil, make([]uint8, 1<<hllBits)
			for _, x := range few {
				s.addSpread(x)
			}
			s.addSpread(h)
			return
		case 2*len(s.few) > cap(s.few):
			s.few = slices.Grow(s.few, len(s.few))
		}
	}
	s.few = append(s.few, h)
}

func (s *hllSketch) compact() {
	slices.Sort(s.few)
	s.few = slices.Compact(s.few)
}

func (s *hllSketch) merge(other sketch) {
	o := other.(*hllSketch)
	if o.regs == nil {
		for _, h := range o.few {
			s.addSpread(h)
		}
		return
	}
	few := s.few
	if s.regs == nil {
		s.few, s.regs = nil, make([]uint8, 1<<hllBits)
	}
	for i, r := range o.regs {
		s.regs[i] = max(s.regs[i], r)
	}
	for _, h := range few {
		s.addSpread(h)
	}
}

// count is Ertl's improved estimator (arXiv:1702.01284), which needs no tables of
// corrections. Few hashes that did not outgrow the exact form count exactly; more
// are estimated even if the slice was long enough to hold them, so that the
// result does not depend on how rows were spread.
func (s *hllSketch) count() int64 {
	if s.regs == nil {
		s.compact()
		if len(s.few) <= hllExact {
			return int64(len(s.few))
		}
		few := s.few
		s.few, s.regs = nil, make([]uint8, 1<<hllBits)
		for _, h := range few {
			s.addSpread(h)
		}
	}
	const m, q = float64(1 << hllBits), 64 - hllBits
	var hist [q + 2]float64
	for _, r := range s.regs {
		hist[r]++
	}
	z := m * hllTau(1-hist[q+1]/m)
	for k := q; k >= 1; k-- {
		z = 0.5 * (z + hist[k])
	}
	z += m * hllSigma(hist[0]/m)
	return int64(math.Round(m * m / (2 * math.Ln2 * z)))
}

func hllSigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		was := z
		z += x * y
		y += y
		if z == was {
			return z
		}
	}
}

func hllTau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		was := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == was {
			return z / 3
		}
	}
}

// quantileSketch answers quantiles: exactly up to quantileExact values, then from
// buckets whose bounds grow geometrically, so that an answer is within
// quantileError of a value at that rank (DDSketch, arXiv:1908.10693).
type quantileSketch struct {
	few     []float64
	buckets map[int32]uint64 // by bucketOf; nil while few is in use
	n       uint64
	lo, hi  float64
	p       float64 // the fraction asked for
	hasP    bool
}

const (
	quantileExact = 1024
	quantileError = 0.005
)

var quantileGamma = math.Log1p(2 * quantileError / (1 - quantileError))

func (s *quantileSketch) size() int { return 8*cap(s.few) + 24*len(s.buckets) }

func (s *quantileSketch) add(x float64) {
	if s.n == 0 || vec.CompareFloat(x, s.lo) < 0 {
		s.lo = x
	}
	if s.n == 0 || vec.CompareFloat(x, s.hi) > 0 {
		s.hi = x
	}
	s.n++
	if s.buckets == nil && len(s.few) < quantileExact {
		s.few = append(s.few, x)
		return
	}
	s.spread()
	s.buckets[bucketOf(x)]++
}

func (s *quantileSketch) spread() {
	if s.buckets != nil {
		return
	}
	s.buckets = map[int32]uint64{}
	for _, x := range s.few {
		s.buckets[bucketOf(x)]++
	}
	s.few = nil
}

// Buckets order as their values: negative ones, zero, positive ones, and at the
// ends the infinities and NaN.
const (
	bucketPosInf = math.MaxInt32 - 1
	bucketNaN    = math.MaxInt32
	bucketNegInf = -math.MaxInt32
	bucketBias   = 1 << 20 // more than any |log_gamma|
)

func bucketOf(x float64) int32 {
	switch {
	case x != x:
		return bucketNaN
	case math.IsInf(x, 1):
		return bucketPosInf
	case math.IsInf(x, -1):
		return bucketNegInf
	case x > 0:
		return int32(math.Ceil(math.Log(x)/quantileGamma)) + bucketBias
	case x < 0:
		return -int32(math.Ceil(math.Log(-x)/quantileGamma)) - bucketBias
	}
	return 0
}

func bucketValue(b int32) float64 {
	switch {
	case b == bucketNaN:
		return math.NaN()
	case b == bucketPosInf:
		return math.Inf(1)
	case b == bucketNegInf:
		return math.Inf(-1)
	case b > 0:
		return math.Exp(float64(b-bucketBias)*quantileGamma) * (1 - quantileError)
	case b < 0:
		return -math.Exp(float64(-b-bucketBias)*quantileGamma) * (1 - quantileError)
	}
	return 0
}

func (s *quantileSketch) merge(other sketch) {
	o := other.(*quantileSketch)
	if o.hasP {
		s.p, s.hasP = o.p, true
	}
	if o.n == 0 {
		return
	}
	for _, x := range o.few {
		s.add(x)
	}
	if o.buckets == nil {
		return
	}
	s.spread()
	for b, n := range o.buckets {
		s.buckets[b] += n
	}
	if s.n == 0 || vec.CompareFloat(o.lo, s.lo) < 0 {
		s.lo = o.lo
	}
	if s.n == 0 || vec.CompareFloat(o.hi, s.hi) > 0 {
		s.hi = o.hi
	}
	s.n += o.n
}

// quantile is the value at fraction p, as percentile_disc chooses it.
func (s *quantileSketch) quantile(p float64) float64 {
	rank := max(int64(math.Ceil(p*float64(s.n)))-1, 0)
	if s.buckets == nil {
		slices.SortFunc(s.few, vec.CompareFloat)
		return s.few[rank]
	}
	switch rank {
	case 0:
		return s.lo
	case int64(s.n) - 1:
		return s.hi
	}
	keys := make([]int32, 0, len(s.buckets))
	for b := range s.buckets {
		keys = append(keys, b)
	}
	slices.Sort(keys)
	for _, b := range keys {
		if rank -= int64(s.buckets[b]); rank < 0 {
			x := bucketValue(b)
			if vec.CompareFloat(x, s.lo) < 0 {
				return s.lo
			}
			if vec.CompareFloat(x, s.hi) > 0 {
				return s.hi
			}
			return x
		}
	}
	return s.hi
}
