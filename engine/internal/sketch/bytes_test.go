package sketch

import "testing"

func TestBytes(t *testing.T) {
	for _, n := range []int{0, 1, 900, 50_000} {
		d, q := &Distinct{}, &Quantiles{P: 0.25, HasP: true}
		for i := range n {
			d.Add(uint64(i) * 0x9E3779B97F4A7C15)
			q.Add(float64(i) - 100)
		}
		var d2 Distinct
		var q2 Quantiles
		if err := d2.Load(d.AppendTo(nil)); err != nil || d2.Count() != d.Count() {
			t.Errorf("%d: %v, count %d, want %d", n, err, d2.Count(), d.Count())
		}
		if err := q2.Load(q.AppendTo(nil)); err != nil || q2.HasP != q.HasP || q2.P != q.P || q2.n != q.n {
			t.Fatalf("%d: %v, %+v", n, err, q2)
		}
		if n > 0 && q2.Quantile(0.25) != q.Quantile(0.25) {
			t.Errorf("%d: quantile %g, want %g", n, q2.Quantile(0.25), q.Quantile(0.25))
		}
		for _, b := range [][]byte{nil, {7}, {0, 1, 2}, make([]byte, 35)} {
			if d2.Load(b) == nil && len(b) > 0 || len(b) < 33 && q2.Load(b) == nil {
				t.Errorf("%v is taken for a sketch", b)
			}
		}
	}
}
