package kernel

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSortPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var s Sorter
	for range 150 {
		n := r.IntN([]int{5, 100, 1000, 5000, 5000, 5000, 5000, 5000, 3 * cacheRows}[r.IntN(9)])
		mask := []uint64{3, 0xFF << 40, 0xFFFF << 7, math.MaxUint64}[r.IntN(4)]
		words, rows := make([]uint64, n), make([]uint32, n)
		for i := range words {
			words[i], rows[i] = r.Uint64()&mask, uint32(i)
		}
		want := slices.Clone(rows)
		orig := slices.Clone(words)
		slices.SortStableFunc(want, func(a, b uint32) int { return cmp.Compare(orig[a], orig[b]) })
		s.SortPairs(words, rows)
		if !slices.Equal(rows, want) || !slices.IsSorted(words) {
			t.Fatalf("n=%d mask=%x", n, mask)
		}
	}
}

// TestSumFloat checks the double-double against exact arithmetic, in any order.
func TestSumFloat(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 100 {
		vals := make([]float64, 200)
		exact := new(big.Float).SetPrec(2000)
		for i := range vals {
			vals[i] = (r.Float64() - 0.5) * math.Pow(10, float64(r.IntN(20)))
			exact.Add(exact, big.NewFloat(vals[i]))
		}
		want, _ := exact.Float64()
		at, pos := make([]uint32, len(vals)), make([]uint16, len(vals))
		for i, p := range r.Perm(len(vals)) {
			pos[i] = uint16(p)
		}
		rows := make([]uint64, 3)
		if !SumFloat(rows, at, 0, vals, pos) {
			t.Fatal("overflow")
		}
		if got := math.Float64frombits(rows[0]) + math.Float64frombits(rows[1]); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	big := []float64{math.MaxFloat64, math.MaxFloat64}
	if SumFloat(make([]uint64, 3), make([]uint32, 2), 0, big, []uint16{0, 1}) {
		t.Error("finite overflow was not seen")
	}
	inf := []float64{math.Inf(1), math.MaxFloat64}
	if !SumFloat(make([]uint64, 3), make([]uint32, 2), 0, inf, []uint16{0, 1}) {
		t.Error("infinity is no overflow")
	}
}

func TestOneGroupForms(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		n := 1 + r.IntN(50)
		vals := make([]int64, n)
		for i := range vals {
			vals[i] = int64(r.Uint64())
		}
		var pos []uint16
		if r.IntN(2) == 0 {
			for range 1 + r.IntN(20) {
				pos = append(pos, uint16(r.IntN(n)))
			}
		}
		all := pos
		if all == nil {
			for i := range n {
				all = append(all, uint16(i))
			}
		}
		rows := make([]uint64, 10)
		at := make([]uint32, len(all))
		SumInt128(rows, at, 0, vals, all)
		MinInt(rows, at, 3, vals, all)
		MaxInt(rows, at, 5, vals, all)
		hi, lo := SumInt128One(vals, pos)
		mn, mx := MinMaxIntOne(vals, pos)
		if rows[0] != lo || rows[1] != uint64(hi) || int64(rows[3]) != mn || int64(rows[5]) != mx {
			t.Fatal(rows, lo, hi, mn, mx)
		}
	}
}

func BenchmarkSortPairs(b *testing.B) {
	const n = 1 << 20
	src := make([]uint64, n)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range src {
		src[i] = r.Uint64()
	}
	words, rows := make([]uint64, n), make([]uint32, n)
	var s Sorter
	b.SetBytes(n * 8)
	b.ReportAllocs()
	for b.Loop() {
		copy(words, src)
		s.SortPairs(words, rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}

func BenchmarkSumInt(b *testing.B) {
	const n = 2048
	vals, at, pos := make([]int32, n), make([]uint32, n), make([]uint16, n)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range at {
		at[i], pos[i] = uint32(r.IntN(1000)*4), uint16(i)
	}
	rows := make([]uint64, 4000)
	b.SetBytes(n * 4)
	b.ReportAllocs()
	for b.Loop() {
		SumInt(rows, at, 1, vals, pos)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}
