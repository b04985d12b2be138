package sketch

import (
	"math"
	"slices"

	"quern/storage/vec"
)

// Quantiles answers quantiles: exactly up to quantileExact values, then from
// buckets whose bounds grow geometrically, so that an answer is within
// quantileError of a value at that rank (DDSketch, arXiv:1908.10693).
type Quantiles struct {
	few     []float64
	buckets map[int32]uint64 // by bucketOf; nil while few is in use
	n       uint64
	lo, hi  float64
	P       float64 // the fraction asked for
	HasP    bool
}

const (
	quantileExact = 1024
	quantileError = 0.005
)

var quantileGamma = math.Log1p(2 * quantileError / (1 - quantileError))

func (s *Quantiles) Size() int { return 8*cap(s.few) + 24*len(s.buckets) }

func (s *Quantiles) Add(x float64) {
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

func (s *Quantiles) spread() {
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

func (s *Quantiles) Merge(other Sketch) {
	o := other.(*Quantiles)
	if o.HasP {
		s.P, s.HasP = o.P, true
	}
	if o.n == 0 {
		return
	}
	for _, x := range o.few {
		s.Add(x)
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

// Quantile is the value at fraction p, as percentile_disc chooses it.
func (s *Quantiles) Quantile(p float64) float64 {
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
