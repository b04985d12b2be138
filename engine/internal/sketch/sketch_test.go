package sketch

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Counts are exact while there are few values and within 3 % (four standard
// errors) beyond; spreading the values over sketches changes nothing.
func TestHLL(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 10, hllExact, hllExact + 1, 5000, 200000} {
		whole, parts := &Distinct{}, [3]*Distinct{{}, {}, {}}
		for range n {
			h := r.Uint64()
			for range 1 + r.IntN(3) {
				whole.Add(h)
				parts[r.IntN(3)].Add(h)
			}
		}
		merged := &Distinct{}
		for _, p := range parts {
			merged.Merge(p)
		}
		got := whole.Count()
		if m := merged.Count(); m != got {
			t.Errorf("%d values: merged %d, whole %d", n, m, got)
		}
		if n <= hllExact && got != int64(n) || math.Abs(float64(got)-float64(n)) > 0.033*float64(n) {
			t.Errorf("%d values: counted %d", n, got)
		}
	}
}

// Quantiles are within quantileError of the value at the rank.
func TestQuantileSketch(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, quantileExact, quantileExact + 1, 50000} {
		whole, parts := &Quantiles{}, [2]*Quantiles{{}, {}}
		var all []float64
		for range n {
			x := r.NormFloat64() * 1000
			if r.IntN(50) == 0 {
				x = 0
			}
			all = append(all, x)
			whole.Add(x)
			parts[r.IntN(2)].Add(x)
		}
		merged := &Quantiles{}
		merged.Merge(parts[1])
		merged.Merge(parts[0])
		slices.Sort(all)
		for _, p := range []float64{0, 0.01, 0.25, 0.5, 0.9, 0.999, 1} {
			want := all[max(int(math.Ceil(p*float64(n)))-1, 0)]
			got := whole.Quantile(p)
			if m := merged.Quantile(p); m != got {
				t.Errorf("%d values, %g: merged %g, whole %g", n, p, m, got)
			}
			if n <= quantileExact && got != want || math.Abs(got-want) > 1.01*quantileError*math.Abs(want) {
				t.Errorf("%d values, %g: got %g, want %g", n, p, got, want)
			}
		}
	}
}
