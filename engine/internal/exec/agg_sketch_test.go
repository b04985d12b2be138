package exec

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
		whole, parts := &hllSketch{}, [3]*hllSketch{{}, {}, {}}
		for range n {
			h := r.Uint64()
			for range 1 + r.IntN(3) {
				whole.add(h)
				parts[r.IntN(3)].add(h)
			}
		}
		merged := &hllSketch{}
		for _, p := range parts {
			merged.merge(p)
		}
		got := whole.count()
		if m := merged.count(); m != got {
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
		whole, parts := &quantileSketch{}, [2]*quantileSketch{{}, {}}
		var all []float64
		for range n {
			x := r.NormFloat64() * 1000
			if r.IntN(50) == 0 {
				x = 0
			}
			all = append(all, x)
			whole.add(x)
			parts[r.IntN(2)].add(x)
		}
		merged := &quantileSketch{}
		merged.merge(parts[1])
		merged.merge(parts[0])
		slices.Sort(all)
		for _, p := range []float64{0, 0.01, 0.25, 0.5, 0.9, 0.999, 1} {
			want := all[max(int(math.Ceil(p*float64(n)))-1, 0)]
			got := whole.quantile(p)
			if m := merged.quantile(p); m != got {
				t.Errorf("%d values, %g: merged %g, whole %g", n, p, m, got)
			}
			if n <= quantileExact && got != want || math.Abs(got-want) > 1.01*quantileError*math.Abs(want) {
				t.Errorf("%d values, %g: got %g, want %g", n, p, got, want)
			}
		}
	}
}
