package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestPackRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for w := 1; w <= 64; w++ {
		var v, got [Unit]uint64
		for i := range v {
			v[i] = rng.Uint64() >> (64 - w)
		}
		v[0], v[Unit-1] = ^uint64(0)>>(64-w), 0
		p := make([]uint64, 16*w)
		Pack64(p, &v, w)
		if Unpack64(&got, p, w, 0); got != v {
			t.Fatalf("width %d differs", w)
		}
		if w > 32 {
			continue
		}
		var v32, got32 [Unit]uint32
		for i := range v {
			v32[i] = uint32(v[i])
		}
		p32 := make([]uint32, 32*w)
		Pack32(p32, &v32, w)
		if Unpack32(&got32, p32, w, 0); got32 != v32 {
			t.Fatalf("width %d (32 bits) differs", w)
		}
	}
}

// TestUnpackTwins compares the assembly with the Go form, at every width, on
// random words at odd places in memory.
func TestUnpackTwins(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	words := make([]uint64, 16*64+9)
	for i := range words {
		words[i] = rng.Uint64()
	}
	words32 := make([]uint32, 32*32+9)
	for i := range words32 {
		words32[i] = rng.Uint32()
	}
	for w := 1; w <= 64; w++ {
		for _, off := range []int{0, 1, 3, 8} {
			var a, b [Unit]uint64
			base := rng.Uint64()
			Unpack64(&a, words[off:], w, base)
			if unpack64(&b, words[off:], w, base); a != b {
				t.Fatalf("width %d differs", w)
			}
			if w > 32 {
				continue
			}
			var c, d [Unit]uint32
			Unpack32(&c, words32[off:], w, uint32(base))
			if unpack32(&d, words32[off:], w, uint32(base)); c != d {
				t.Fatalf("width %d (32 bits) differs", w)
			}
		}
	}
}

// TestPackTwins compares the assembly with the Go form, at every width, on any
// values and bases, and checks that nothing is written behind out.
func TestPackTwins(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 2))
	var v [Unit]int64
	for w := 1; w <= 64; w++ {
		for round := range 4 {
			base := int64(rng.Uint64())
			for i := range v {
				v[i] = int64(rng.Uint64() >> rng.IntN(64))
				if round == 0 { // as pages have it: they fit but for a few
					v[i] = base + int64(rng.Uint64()>>(64-w))
				}
			}
			a, b := make([]uint64, 16*w+1), make([]uint64, 16*w+1)
			a[16*w], b[16*w] = 7, 7
			PackInts64(a, &v, w, base)
			if packInts64(b, &v, w, base); !slices.Equal(a, b) {
				t.Fatalf("width %d differs", w)
			}
			if w > 32 {
				continue
			}
			c, d := make([]uint32, 32*w+1), make([]uint32, 32*w+1)
			c[32*w], d[32*w] = 7, 7
			PackInts32(c, &v, w, base)
			if packInts32(d, &v, w, base); !slices.Equal(c, d) {
				t.Fatalf("width %d (32 bits) differs", w)
			}
		}
	}
}

func TestSelectRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		v := make([]int16, rng.IntN(300))
		for i := range v {
			v[i] = int16(rng.IntN(20) - 10)
		}
		lo, hi := int16(rng.IntN(20)-10), int16(rng.IntN(20)-10)
		not := rng.IntN(2) == 0
		var sel, want []uint16
		all := rng.IntN(2) == 0
		if !all {
			sel = []uint16{}
		}
		for i, x := range v {
			if !all && rng.IntN(2) == 0 {
				continue
			}
			if !all {
				sel = append(sel, uint16(i))
			}
			if (x >= lo && x <= hi) != not {
				want = append(want, uint16(i))
			}
		}
		dst := make([]uint16, len(v))
		if sel != nil {
			dst = sel
		}
		if got := SelectRange(dst, v, sel, lo, hi, not); !slices.Equal(got, want) {
			t.Fatalf("got %v want %v", got, want)
		}
	}
}

// TestSelectTwins compares the assembly with the Go form at every length up to
// 70, at type limits, and checks that nothing is written behind dst.
func TestSelectTwins(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 2))
	for n := range 70 {
		for range 20 {
			selectTwins[int16](t, rng, n, math.MinInt16, math.MaxInt16)
			selectTwins[int32](t, rng, n, math.MinInt32, math.MaxInt32)
			selectTwins[uint32](t, rng, n, 0, math.MaxUint32)
			selectTwins[int64](t, rng, n, math.MinInt64, math.MaxInt64)
			selectTwins[uint8](t, rng, n, 0, math.MaxUint8)
		}
	}
	selectTwins[int32](t, rng, 8192, math.MinInt32, math.MaxInt32)
}

func selectTwins[T Integer](t *testing.T, rng *rand.Rand, n int, least, most T) {
	t.Helper()
	draw := func() T {
		return []T{least, least + 1, most, most - 1, 0, 1, T(rng.Uint64()), most / 2}[rng.IntN(8)]
	}
	v := make([]T, n+1)[1:]
	for i := range v {
		v[i] = draw()
	}
	lo, hi, not := draw(), draw(), rng.IntN(2) == 0
	dst := make([]uint16, n+8)
	for i := range dst {
		dst[i] = 0xABCD
	}
	got := SelectRange(dst[:n], v, nil, lo, hi, not)
	want := selectRange(make([]uint16, n), v, nil, lo, hi, not)
	if !slices.Equal(got, want) {
		t.Fatalf("%T, %d rows, [%d, %d] not %v: %v, want %v", lo, n, lo, hi, not, got, want)
	}
	for i, x := range dst[n:] {
		if x != 0xABCD {
			t.Fatalf("written %d behind the end", i)
		}
	}
}

func TestBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		b := make([]byte, n)
		all := true
		for i := range b {
			b[i] = byte(rng.IntN(2))
			if n%3 == 0 {
				b[i] = 1
			}
			all = all && b[i] == 1
		}
		w := make([]uint64, (n+63)/64)
		if PackBits(w, b) != all {
			t.Fatalf("n=%d all", n)
		}
		from := rng.IntN(n + 1)
		out := make([]byte, n-from)
		if UnpackBits(out, w, from); !slices.Equal(out, b[from:]) {
			t.Fatalf("n=%d from=%d", n, from)
		}
		c := make([]uint64, (n-from+63)/64)
		CopyBits(c, w, from, n-from)
		if UnpackBits(out, c, 0); !slices.Equal(out, b[from:]) {
			t.Fatalf("copy n=%d from=%d", n, from)
		}
		got := SelectBits(make([]uint16, n), w, n, nil, true)
		if len(got) != count(b) || len(SelectBits(make([]uint16, n), w, n, nil, false)) != n-count(b) {
			t.Fatalf("select n=%d", n)
		}
	}
}

func count(b []byte) int {
	n := 0
	for _, x := range b {
		n += int(x)
	}
	return n
}

func BenchmarkSelectRange(b *testing.B) {
	v := make([]int64, 2048)
	for i := range v {
		v[i] = int64(i * 7919 % 100)
	}
	dst := make([]uint16, 2048)
	b.SetBytes(2048)
	for b.Loop() {
		SelectRange(dst, v, nil, 0, 50, false)
	}
}

func BenchmarkUnpack64(b *testing.B) {
	var v [Unit]uint64
	p := make([]uint64, 16*13)
	b.SetBytes(Unit)
	for b.Loop() {
		Unpack64(&v, p, 13, 7)
	}
}

func BenchmarkUnpack32(b *testing.B) {
	var v [Unit]uint32
	p := make([]uint32, 32*13)
	b.SetBytes(Unit)
	for b.Loop() {
		Unpack32(&v, p, 13, 7)
	}
}
