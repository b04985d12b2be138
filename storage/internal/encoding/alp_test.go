package encoding

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
)

// floatShapes are ways to draw the k-th float.
var floatShapes = map[string]func(rng *rand.Rand, k int) float64{
	"prices":    func(rng *rand.Rand, _ int) float64 { return float64(rng.IntN(1e6)) / 100 },
	"shares":    func(rng *rand.Rand, _ int) float64 { return float64(rng.IntN(1000)) / 1000 },
	"degrees":   func(rng *rand.Rand, _ int) float64 { return float64(rng.IntN(3600000)-1800000) / 10000 },
	"integers":  func(rng *rand.Rand, k int) float64 { return float64(rng.IntN(1e9) - 5) },
	"thousands": func(rng *rand.Rand, _ int) float64 { return float64(rng.IntN(5000)) * 1e6 },
	"normal":    func(rng *rand.Rand, _ int) float64 { return rng.NormFloat64() },
	"unit":      func(rng *rand.Rand, _ int) float64 { return 1 + rng.Float64() },
	"signed":    func(rng *rand.Rand, k int) float64 { return float64(k%3-1|1) * (64 + 64*rng.Float64()) },
	"bits":      func(rng *rand.Rand, _ int) float64 { return math.Float64frombits(rng.Uint64()) },
	"subnormal": func(rng *rand.Rand, _ int) float64 { return math.Float64frombits(rng.Uint64N(1 << 40)) },
	"special":   func(_ *rand.Rand, k int) float64 { return floats[k%8] },
	"exceptions": func(rng *rand.Rand, k int) float64 {
		return math.Round(rng.NormFloat64()*1000)/10 + b2f(k%30 == 7)*math.Pi
	},
	"gaps": func(rng *rand.Rand, k int) float64 {
		return [...]float64{0: math.NaN(), 1: math.Inf(-1), 2: math.Copysign(0, -1), 49: 1e300}[k%50] + b2f(k%50 > 2)*float64(rng.IntN(999))/100
	},
	"nan bits": func(rng *rand.Rand, _ int) float64 { return math.Float64frombits(0x7FF8000000000000 | rng.Uint64N(9)) },
	"zeros":    func(_ *rand.Rand, k int) float64 { return math.Copysign(0, float64(k%2)-0.5) },
	"large":    func(rng *rand.Rand, _ int) float64 { return float64(rng.Int64N(1<<53)) * 1024 },
	"constant": func(*rand.Rand, int) float64 { return 0.1 },
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func floatColumn(p types.Phys, n int, nulls bool, rng *rand.Rand, draw func(*rand.Rand, int) float64) *Column {
	c := &Column{Phys: p, N: n, Fixed: vec.AlignedBytes(n * p.Size())}
	if nulls {
		c.Valid = make([]byte, n)
	}
	for i := range n {
		if nulls {
			if rng.IntN(3) == 0 {
				continue
			}
			c.Valid[i] = 1
		}
		f := draw(rng, i)
		if p == types.PhysF32 {
			vec.CastSlice[float32](c.Fixed)[i] = float32(f)
		} else {
			vec.CastSlice[float64](c.Fixed)[i] = f
		}
	}
	return c
}

// TestFloats: floats come back bit by bit, whatever they are, and in few bytes where
// they are decimals.
func TestFloats(t *testing.T) {
	kinds := map[string]Kind{"prices": ALP, "degrees": ALP, "integers": ALP, "exceptions": ALP, "gaps": ALP, "signed": ALPRD,
		"bits": Plain, "constant": Const}
	most := map[string]float64{"prices": 2.6, "shares": 1.4, "degrees": 2.9, "integers": 4, "exceptions": 2.3, "gaps": 2.3, "unit": 6.8}
	var e Encoder
	for name, draw := range floatShapes {
		for _, p := range []types.Phys{types.PhysF64, types.PhysF32} {
			for _, nulls := range []bool{false, true} {
				for _, n := range []int{1, 20, 1024, 9000} {
					c := floatColumn(p, n, nulls, rand.New(rand.NewPCG(uint64(n), 3)), draw)
					page, err := e.Page(c, n/3, n)
					if err != nil {
						t.Fatal(err)
					}
					if err := checkPage(page, c, n/3); err != nil {
						t.Fatalf("%s, phys %d, nulls %v, %d rows: %v", name, p, nulls, n, err)
					}
					if p != types.PhysF64 || nulls || n < 9000 {
						continue
					}
					if want, ok := kinds[name]; ok && Kind(page[0]) != want {
						t.Errorf("%s: encoding %d", name, page[0])
					}
					if max, ok := most[name]; ok && float64(len(page)) > max*float64(n-n/3)+1024 {
						t.Errorf("%s: %d bytes for %d rows", name, len(page), n-n/3)
					}
				}
			}
		}
	}
}

func BenchmarkFloats(b *testing.B) {
	var e Encoder
	for _, name := range []string{"prices", "exceptions", "unit", "bits"} {
		c := floatColumn(types.PhysF64, PageRows, false, rand.New(rand.NewPCG(1, 3)), floatShapes[name])
		page, _ := e.Page(c, 0, c.N)
		p, err := Open(bytes.Clone(page), types.PhysF64)
		if err != nil {
			b.Fatal(err)
		}
		dst := vec.AlignedBytes(vec.BatchRows * 8)
		b.Run(fmt.Sprintf("read/%s/%d", name, p.Kind), func(b *testing.B) {
			start := cpu()
			for b.Loop() {
				_ = p.Fixed(dst, 2*vec.BatchRows, vec.BatchRows, nil)
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/vec.BatchRows, "cpu-ns/row")
		})
		b.Run("write/"+name, func(b *testing.B) {
			start := cpu()
			for b.Loop() {
				_, _ = e.Page(c, 0, c.N)
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N)/PageRows, "cpu-ns/row")
		})
	}
}
