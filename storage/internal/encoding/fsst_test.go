package encoding

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
)

// texts are ways to draw the k-th string.
var texts = map[string]func(rng *rand.Rand, k int) string{
	"urls": func(rng *rand.Rand, k int) string {
		return fmt.Sprintf("https://www.example.com/%s/page-%d.html?session=%x", []string{"news", "sport", "weather"}[k%3], rng.IntN(9000), rng.Uint32())
	},
	"hex":    func(rng *rand.Rand, _ int) string { return fmt.Sprintf("%016x", rng.Uint64()) },
	"short":  func(rng *rand.Rand, k int) string { return "abcabcabc"[:rng.IntN(10)] },
	"zeros":  func(rng *rand.Rand, k int) string { return strings.Repeat("\x00", rng.IntN(30)) + "a"[:k%2] },
	"escape": func(rng *rand.Rand, _ int) string { return strings.Repeat("\xff", rng.IntN(20)) },
	"binary": func(rng *rand.Rand, _ int) string {
		b := make([]byte, rng.IntN(40))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return string(b)
	},
	"huge": func(rng *rand.Rand, k int) string { return strings.Repeat("a large value, ", 1+k%5*3000) },
	"one byte": func(rng *rand.Rand, _ int) string {
		return string(rune('a' + rng.IntN(3)))
	},
	"mixed": func(rng *rand.Rand, k int) string {
		if k%7 == 0 {
			return ""
		}
		return fmt.Sprintf("%d é %s", k, strings.Repeat("ß", rng.IntN(9)))
	},
}

func textColumn(n int, nulls bool, rng *rand.Rand, draw func(*rand.Rand, int) string) *Column {
	c := &Column{Phys: types.PhysBytes, N: n, Offs: []uint32{0}}
	if nulls {
		c.Valid = make([]byte, n)
	}
	for i := range n {
		if !nulls || rng.IntN(3) > 0 {
			c.Bytes = append(c.Bytes, draw(rng, i)...)
			if nulls {
				c.Valid[i] = 1
			}
		}
		c.Offs = append(c.Offs, uint32(len(c.Bytes)))
	}
	return c
}

// TestTexts: strings of all kinds come back as they were, whole and by selection,
// and those that FSST is for are packed.
func TestTexts(t *testing.T) {
	var e Encoder
	for name, draw := range texts {
		for _, nulls := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(7, 3))
			c := textColumn(3000, nulls, rng, draw)
			page, err := e.Page(c, 500, c.N)
			if err != nil {
				t.Fatal(err)
			}
			if err := checkPage(page, c, 500); err != nil {
				t.Fatalf("%s, nulls %v: %v", name, nulls, err)
			}
			want := FSST
			if name == "binary" || name == "one byte" {
				want = Plain
			}
			if Kind(page[0]) != want {
				t.Errorf("%s, nulls %v: encoding %d", name, nulls, page[0])
			}
			p, _ := Open(page, types.PhysBytes)
			views := make([]vec.View, 2048)
			views[9].Len = 99
			sel := []uint16{0, 3, 1023, 1024, 1500}
			buf, err := p.Views(views, 0, sel, make([]uint32, 2048), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range sel {
				if got := views[i].Bytes([][]byte{buf}); !bytes.Equal(got, c.Value(500+int(i))) {
					t.Fatalf("%s: row %d: %q", name, i, got)
				}
			}
			if views[9] != (vec.View{}) {
				t.Fatal("a row outside the selection shows something")
			}
		}
	}
}

// TestTableOnDisk: the table that is read decodes what the one that was written
// encodes, for any text.
func TestTableOnDisk(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	for name, draw := range texts {
		c := textColumn(400, false, rng, draw)
		table := new(trainer).train(sampleValues(c.Offs, c.Bytes))
		x, err := OpenTable(table.section())
		if err != nil {
			t.Fatal(name, err)
		}
		for other, draw := range texts {
			for k := range 20 {
				v := draw(rng, k)
				got, err := x.Append(nil, table.append(nil, []byte(v)))
				if err != nil || string(got) != v {
					t.Fatalf("table of %s: %s value %q became %q (%v)", name, other, v, got, err)
				}
			}
		}
	}
}

// FuzzFSST: any text comes back; any table and text are safe to decode.
func FuzzFSST(f *testing.F) {
	f.Add([]byte("aaaabbbbaaaabbbb"), []byte{2, 1, 2, 'a', 'b', 'c'}, []byte{0, 1, 255, 9})
	f.Fuzz(func(t *testing.T, text, table, stored []byte) {
		k := new(trainer).train([][]byte{text})
		x, err := OpenTable(k.section())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x.Append(nil, k.append(nil, text)); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%q became %q (%v)", text, got, err)
		}
		if x, err = OpenTable(table); err == nil {
			if got, err := x.Append(nil, stored); err == nil && len(got) > 8*len(stored) {
				t.Fatalf("%d bytes became %d", len(stored), len(got))
			}
		}
	})
}

func BenchmarkFSST(b *testing.B) {
	c := textColumn(20000, false, rand.New(rand.NewPCG(1, 3)), texts["urls"])
	s, ok := Shrink(c.Offs, c.Bytes)
	if !ok {
		b.Fatal("urls do not shrink")
	}
	b.Run("train", func(b *testing.B) {
		for b.Loop() {
			new(trainer).train(sampleValues(c.Offs, c.Bytes))
		}
	})
	b.Run("encode", func(b *testing.B) {
		table := new(trainer).train(sampleValues(c.Offs, c.Bytes))
		var out []byte
		b.SetBytes(int64(len(c.Bytes)))
		for b.Loop() {
			out = out[:0]
			for i := range c.N {
				out = table.append(out, c.Value(i))
			}
		}
		b.ReportMetric(float64(len(c.Bytes))/float64(len(out)), "ratio")
	})
	b.Run("decode", func(b *testing.B) {
		x, _ := OpenTable(s.Table)
		var out []byte
		b.SetBytes(int64(len(c.Bytes)))
		for b.Loop() {
			out = out[:0]
			for i := range c.N {
				out, _ = x.Append(out, s.Bytes[s.Offs[i]:s.Offs[i+1]])
			}
		}
	})
}
