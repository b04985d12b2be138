package encoding

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

var allPhys = []types.Phys{types.PhysBool, types.PhysI16, types.PhysI32, types.PhysI64, types.PhysF32,
	types.PhysF64, types.PhysNum, types.PhysInterval, types.PhysUUID, types.PhysBytes}

// shapes are ways to draw the k-th of n integers.
var shapes = map[string]func(rng *rand.Rand, k int) int64{
	"constant":    func(*rand.Rand, int) int64 { return 42 },
	"counter":     func(_ *rand.Rand, k int) int64 { return int64(k) + 1_600_000_000_000_000 },
	"bits8":       func(rng *rand.Rand, k int) int64 { return int64(k%2*255) + rng.Int64N(256)*int64(k&1) },
	"bits16":      func(rng *rand.Rand, _ int) int64 { return rng.Int64N(1 << 16) },
	"bits32":      func(rng *rand.Rand, _ int) int64 { return rng.Int64N(1<<32) - 1<<31 },
	"bits13":      func(rng *rand.Rand, _ int) int64 { return rng.Int64N(1<<13) - 77 },
	"bits45":      func(rng *rand.Rand, _ int) int64 { return rng.Int64N(1 << 45) },
	"full":        func(rng *rand.Rand, _ int) int64 { return int64(rng.Uint64()) },
	"outliers":    func(rng *rand.Rand, k int) int64 { return rng.Int64N(4) + b2i(rng.IntN(40) == 0)*rng.Int64N(1<<40) },
	"manyoutlier": func(rng *rand.Rand, k int) int64 { return rng.Int64N(4) + b2i(rng.IntN(8) == 0)*rng.Int64N(1<<40) },
	"extremes":    func(_ *rand.Rand, k int) int64 { return []int64{math.MinInt64, math.MaxInt64, 0, -1}[k%4] },
	"alternating": func(_ *rand.Rand, k int) int64 { return int64(k % 2) },
	"runs":        func(_ *rand.Rand, k int) int64 { return int64(k/13*7919) % 1000 << 20 },
	"longruns":    func(_ *rand.Rand, k int) int64 { return int64(k/700) * -3 },
	"sparse":      func(rng *rand.Rand, _ int) int64 { return b2i(rng.IntN(30) == 0) * int64(rng.Uint64()) },
	"sparsefew":   func(rng *rand.Rand, k int) int64 { return b2i(k%5000 == 4999)*rng.Int64N(9) - 5 },
	"sorted":      func(rng *rand.Rand, k int) int64 { return int64(k)*1000 + rng.Int64N(1000) - 1<<40 },
	"descending":  func(rng *rand.Rand, k int) int64 { return -int64(k)*100000 + rng.Int64N(100) },
	"nearly":      func(rng *rand.Rand, k int) int64 { return int64(k)*1000 - b2i(rng.IntN(60) == 0)*rng.Int64N(1<<30) },
	"few":         func(rng *rand.Rand, _ int) int64 { return rng.Int64N(300) * 0x1234567 },
	"fewwide":     func(rng *rand.Rand, _ int) int64 { return (rng.Int64N(900) + 1) * 0x123456789ABCDEF },
	"seconds":     func(rng *rand.Rand, _ int) int64 { return (1_600_000_000 + rng.Int64N(1<<20)) * 1_000_000 },
	"millis":      func(rng *rand.Rand, _ int) int64 { return rng.Int64N(1<<40) * -1000 },
	"oneoff":      func(_ *rand.Rand, k int) int64 { return b2i(k == 5) * math.MaxInt64 },
}

func b2i(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

var floats = []float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, 1.5, math.SmallestNonzeroFloat64}

func makeColumn(p types.Phys, n int, nulls string, rng *rand.Rand, draw func(*rand.Rand, int) int64) *Column {
	c := &Column{Phys: p, N: n}
	if size := p.Size(); size > 0 {
		c.Fixed = vec.AlignedBytes(n * size)
	} else {
		c.Offs = []uint32{0}
	}
	if nulls != "none" {
		c.Valid = make([]byte, n)
	}
	for i := range n {
		x := draw(rng, i)
		if c.Valid != nil {
			ok := nulls == "some" && rng.IntN(3) > 0 || nulls == "alternating" && i%2 == 0 || nulls == "last" && i == n-1
			if c.Valid[i] = byte(b2i(ok)); !ok {
				if p == types.PhysBytes {
					c.Offs = append(c.Offs, uint32(len(c.Bytes)))
				}
				continue
			}
		}
		c.set(i, x, rng)
	}
	return c
}

func (c *Column) set(i int, x int64, rng *rand.Rand) {
	switch c.Phys {
	case types.PhysBool:
		c.Fixed[i] = byte(x & 1)
	case types.PhysI16:
		vec.CastSlice[int16](c.Fixed)[i] = int16(x)
	case types.PhysI32:
		vec.CastSlice[int32](c.Fixed)[i] = int32(x)
	case types.PhysI64:
		vec.CastSlice[int64](c.Fixed)[i] = x
	case types.PhysF32:
		vec.CastSlice[float32](c.Fixed)[i] = float32(floats[uint64(x)%8])
	case types.PhysF64:
		vec.CastSlice[float64](c.Fixed)[i] = floats[uint64(x)%8]
	case types.PhysNum:
		n := types.Num{Lo: uint64(x), Hi: x >> 63, Scale: 2}
		switch rng.IntN(2000) {
		case 0:
			n = types.Num{Kind: types.NumNaN}
		case 1:
			n.Scale = 3
		case 2:
			n.Hi = 77
		}
		vec.CastSlice[types.Num](c.Fixed)[i] = n
	case types.PhysInterval:
		vec.CastSlice[types.IntervalVal](c.Fixed)[i] = types.IntervalVal{Micros: x, Days: int32(x)}
	case types.PhysUUID:
		vec.CastSlice[[16]byte](c.Fixed)[i] = [16]byte{byte(x), byte(x >> 8), 15: 1}
	default:
		s := fmt.Sprint(x)
		switch uint64(x) % 5 {
		case 0:
			s = ""
		case 1:
			s = strings.Repeat("é", int(uint64(x)%60))
		}
		c.Bytes = append(c.Bytes, s...)
		c.Offs = append(c.Offs, uint32(len(c.Bytes)))
	}
}

// TestRoundTrip: encode∘decode is the identity for every type, shape of values
// and shape of NULLs.
func TestRoundTrip(t *testing.T) {
	var e Encoder
	for name, draw := range shapes {
		for _, nulls := range []string{"none", "some", "all", "alternating", "last"} {
			for _, p := range allPhys {
				if p == types.PhysBytes && name != "bits13" && name != "constant" && name != "sparse" {
					continue // TestTexts
				}
				for _, n := range []int{1, 7, 1024, 11000} {
					rng := rand.New(rand.NewPCG(uint64(n), 3))
					c := makeColumn(p, n, nulls, rng, draw)
					from := rng.IntN(n)
					for _, f := range []int{0, from} {
						page, err := e.Page(c, f, n)
						if err != nil {
							t.Fatal(err)
						}
						if err := checkPage(page, c, f); err != nil {
							t.Fatalf("%s, nulls %s, phys %d, %d rows from %d: %v", name, nulls, p, n, f, err)
						}
					}
				}
			}
		}
	}
}

// checkPage compares a page with rows of c from base on.
func checkPage(data []byte, c *Column, base int) error {
	p, err := Open(data, c.Phys)
	if err != nil {
		return err
	}
	if len(data)%64 != 0 || p.Rows != c.N-base {
		return fmt.Errorf("%d bytes, %d rows", len(data), p.Rows)
	}
	for from := 0; from < p.Rows; from += vec.BatchRows {
		n := min(vec.BatchRows, p.Rows-from)
		valid := make([]uint64, (n+63)/64)
		var v vec.Vector
		v.Len = n
		if p.AllNull() {
			for i := range n {
				if !c.Null(base + from + i) {
					return fmt.Errorf("row %d is not NULL", from+i)
				}
			}
			continue
		}
		v.Valid = p.Valid(valid, from, n)
		if err := decodeInto(p, &v, from, n); err != nil {
			return err
		}
		for i := range n {
			row := base + from + i
			if c.Null(row) != v.Null(i) {
				return fmt.Errorf("row %d: null %v", row, v.Null(i))
			}
			if c.Null(row) {
				continue
			}
			if size := c.Phys.Size(); size > 0 {
				if !bytes.Equal(v.Fixed[i*size:(i+1)*size], c.Fixed[row*size:(row+1)*size]) {
					return fmt.Errorf("row %d (encoding %d): % x, want % x", row, p.Kind, v.Fixed[i*size:(i+1)*size], c.Fixed[row*size:(row+1)*size])
				}
			} else if !bytes.Equal(v.Views[i].Bytes(v.Bufs), c.Value(row)) {
				return fmt.Errorf("row %d: %q, want %q", row, v.Views[i].Bytes(v.Bufs), c.Value(row))
			}
		}
	}
	return nil
}

func decodeInto(p *Page, v *vec.Vector, from, n int) error {
	if size := p.phys.Size(); size > 0 {
		v.Fixed = vec.AlignedBytes(n * size)
		return p.Fixed(v.Fixed, from, n, make([]int64, n))
	}
	v.Views = make([]vec.View, n)
	if p.Kind == Const {
		v.Bufs = [][]byte{p.ConstBytes()}
		for i := range v.Views {
			v.Views[i] = vec.MakeView(p.ConstBytes(), 0, 0)
		}
		return nil
	}
	if p.Kind == Dict && p.own == nil {
		return p.Codes(make([]uint32, n), from, 1<<20)
	}
	buf, err := p.Views(v.Views, from, nil, &Space{})
	v.Bufs = [][]byte{buf}
	return err
}

func TestViewsBySelection(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	c := makeColumn(types.PhysBytes, 3000, "none", rng, shapes["bits45"])
	var e Encoder
	data, err := e.Page(c, 0, c.N)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(data, types.PhysBytes)
	if err != nil {
		t.Fatal(err)
	}
	views := make([]vec.View, 2048)
	for i := range views {
		views[i].Len = 99
	}
	sel := []uint16{0, 3, 1500, 2047}
	buf, err := p.Views(views, 0, sel, &Space{})
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range sel {
		if got := views[i].Bytes([][]byte{buf}); !bytes.Equal(got, c.Value(int(i))) {
			t.Fatalf("row %d: %q", i, got)
		}
	}
	if views[1] != (vec.View{}) || views[2046] != (vec.View{}) {
		t.Fatal("rows outside the selection show something")
	}
}

func TestCodes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	codes := make([]uint32, 5000)
	valid := make([]byte, 5000)
	for i := range codes {
		codes[i], valid[i] = rng.Uint32N(300), byte(rng.IntN(2))
	}
	codes[10], valid[10] = 1<<31, 0 // the code of a NULL row does not count
	var e Encoder
	data, err := e.Codes(codes, valid, true)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(data, types.PhysBytes)
	if err != nil || p.Kind != Dict || !p.ASCII {
		t.Fatal(p, err)
	}
	got := make([]uint32, 2048)
	if err := p.Codes(got, 2048, 300); err != nil {
		t.Fatal(err)
	}
	for i, x := range got {
		if valid[2048+i] == 1 && x != codes[2048+i] {
			t.Fatalf("row %d: %d", i, x)
		}
	}
	if err := p.Codes(got, 2048, 100); err == nil {
		t.Fatal("codes beyond the dictionary pass")
	}
}

// TestKinds: each encoding is chosen where it is the best.
func TestKinds(t *testing.T) {
	var e Encoder
	rng := rand.New(rand.NewPCG(1, 3))
	for name, want := range map[string]Kind{"constant": Const, "bits13": For, "outliers": For, "full": Plain, "runs": RLE, "longruns": RLE,
		"sparse": Sparse, "sparsefew": Sparse, "sorted": Delta, "descending": Delta, "fewwide": Dict, "seconds": For} {
		page, err := e.Page(makeColumn(types.PhysI64, 20000, "none", rng, shapes[name]), 0, 20000)
		if err != nil || Kind(page[0]) != want {
			t.Errorf("%s: encoding %d, want %d (%v)", name, page[0], want, err)
		}
	}
}

// TestSizes pins what the encodings are for.
func TestSizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	var e Encoder
	for name, max := range map[string]int{"runs": 131072 / 13 * 6, "longruns": 4352, "sparse": 131072/30*10 + 8192, "sparsefew": 4096, "sorted": 131072*11/8 + 4096,
		"descending": 131072 + 4096, "few": 131072*9/8 + 8192, "fewwide": 131072*10/8 + 16384, "seconds": 131072*20/8 + 4096,
		"constant": 128, "bits13": 131072*13/8 + 4096, "counter": 131072*10/8 + 4096, "outliers": 131072 * 10 / 8, "full": 131072*8 + 64} {
		page, err := e.Page(makeColumn(types.PhysI64, 131072, "none", rng, shapes[name]), 0, 131072)
		if err != nil || len(page) > max {
			t.Errorf("%s: %d bytes, want ≤ %d (%v)", name, len(page), max, err)
		}
	}
}

// FuzzPage: any bytes are safe to open and to read to the end.
func FuzzPage(f *testing.F) {
	var e Encoder
	for _, p := range allPhys {
		for _, shape := range []string{"bits13", "outliers", "constant", "bits16", "runs", "sparse", "sorted", "fewwide", "seconds"} {
			rng := rand.New(rand.NewPCG(1, 3))
			page, err := e.Page(makeColumn(p, 1100, "some", rng, shapes[shape]), 0, 1100)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(bytes.Clone(page), byte(p)-1)
		}
	}
	for _, name := range []string{"uuid", "base64", "pool", "json", "json arrays", "urls", "numbers"} {
		rng := rand.New(rand.NewPCG(1, 3))
		page, err := e.Page(textColumn(1100, true, rng, texts[name]), 0, 1100)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(page), byte(types.PhysBytes)-1)
	}
	for _, name := range []string{"prices", "exceptions", "signed"} {
		for _, p := range []types.Phys{types.PhysF32, types.PhysF64} {
			page, err := e.Page(floatColumn(p, 1100, true, rand.New(rand.NewPCG(1, 3)), floatShapes[name]), 0, 1100)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(bytes.Clone(page), byte(p)-1)
		}
	}
	page, _ := e.Codes([]uint32{1, 2, 3, 2, 1}, []byte{1, 0, 1, 1, 1}, false)
	f.Add(bytes.Clone(page), byte(types.PhysBytes)-1)
	f.Fuzz(func(t *testing.T, data []byte, phys byte) {
		p, err := Open(data, types.Phys(phys%10)+1)
		if err != nil || p.AllNull() {
			return
		}
		for from := 0; from < p.Rows; from += vec.BatchRows {
			n := min(vec.BatchRows, p.Rows-from)
			v := vec.Vector{Len: n}
			p.Valid(make([]uint64, (n+63)/64), from, n)
			if decodeInto(p, &v, from, n) != nil || v.Views == nil {
				continue
			}
			if p.Kind != Dict || p.own != nil {
				for i := range v.Views {
					_ = v.Views[i].Bytes(v.Bufs)
				}
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 3))
	var e Encoder
	for _, name := range []string{"bits13", "bits16", "counter", "outliers", "runs", "sparse", "sorted", "fewwide", "seconds"} {
		page, _ := e.Page(makeColumn(types.PhysI64, 131072, "none", rng, shapes[name]), 0, 131072)
		p, err := Open(bytes.Clone(page), types.PhysI64)
		if err != nil {
			b.Fatal(err)
		}
		dst := vec.AlignedBytes(2048 * 8)
		b.Run(fmt.Sprintf("%s/%d", name, p.Kind), func(b *testing.B) {
			b.SetBytes(2048 * 8)
			for b.Loop() {
				_ = p.Fixed(dst, 4*kernel.Unit, 2048, nil)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 3))
	var e Encoder
	for _, name := range []string{"bits13", "counter", "outliers", "runs", "sparse", "sorted", "fewwide", "seconds"} {
		c := makeColumn(types.PhysI64, 131072, "none", rng, shapes[name])
		b.Run(name, func(b *testing.B) {
			b.SetBytes(131072 * 8)
			for b.Loop() {
				_, _ = e.Page(c, 0, 131072)
			}
		})
	}
}
