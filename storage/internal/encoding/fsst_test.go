package encoding

import (
	"bytes"
	"encoding/base64"
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
	"huge": func(rng *rand.Rand, k int) string { return strings.Repeat("a large value, ", 1+k%5*k%977) },
	"one byte": func(rng *rand.Rand, _ int) string {
		return string(rune('a' + rng.IntN(3)))
	},
	"uuid":   func(rng *rand.Rand, _ int) string { u := uuidOf(rng); return u },
	"prefix": func(rng *rand.Rand, _ int) string { return fmt.Sprintf("user:%07x", rng.Uint32N(1<<28)) },
	"late": func(rng *rand.Rand, k int) string { // what the first rows have in common others have not
		return fmt.Sprintf("id-%08x", rng.Uint32()*uint32(b2i(k > 1800)))
	},
	"late letter": func(rng *rand.Rand, k int) string {
		return fmt.Sprintf("id-%07x%c", rng.Uint32N(1<<28), []rune{'a', 'z', 'é'}[b2i(k > 2000)+b2i(k == 2500)])
	},
	"late length": func(rng *rand.Rand, k int) string { return fmt.Sprintf("id-%0*x", 8+b2i(k == 2500), rng.Uint32()) },
	"base64": func(rng *rand.Rand, _ int) string {
		var b [15]byte
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return base64.RawURLEncoding.EncodeToString(b[:])
	},
	"pool": func(rng *rand.Rand, _ int) string { return fmt.Sprintf("value %d of a pool", rng.IntN(500)*7919) },
	"json": func(rng *rand.Rand, k int) string { return jsonText(rng, k) },
	"json arrays": func(rng *rand.Rand, _ int) string {
		b := []byte{'['}
		for i := range rng.IntN(120) {
			if i > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `{"id":%d,"v":"%x"}`, rng.IntN(99), rng.IntN(99))
		}
		return string(append(b, ']'))
	},
	"broken json": func(rng *rand.Rand, k int) string {
		s := jsonText(rng, k)
		return s[:len(s)-rng.IntN(2)*rng.IntN(len(s))]
	},
	"numbers": func(rng *rand.Rand, k int) string {
		n := []string{"0", "-0", "-0.0", "00", "1.", ".5", "1e5", "-", "0.10", "-12.050", "999999999999999999", "9999999999999999999", "1.000000000000000001", "0.00000000000000001", "-9223372036854775808", "1.2.3", "+1", "truefalse", "\"a\\\"b\"", "nul\x00l"}
		return fmt.Sprintf("[%s, %s]", n[k%len(n)], n[rng.IntN(len(n))])
	},
	"mixed": func(rng *rand.Rand, k int) string {
		if k%7 == 0 {
			return ""
		}
		return fmt.Sprintf("%d é %s", k, strings.Repeat("ß", rng.IntN(9)))
	},
}

// textKinds are the encodings of texts that are not FSST.
var textKinds = map[string]Kind{"binary": Plain, "hex": Chars, "uuid": Chars, "prefix": Chars, "late": Dict, "base64": Plain, "short": Dict, "zeros": Dict,
	"escape": Dict, "one byte": Dict, "pool": Dict, "json": Template, "json arrays": Template, "broken json": Template, "numbers": Dict, "huge": Dict}

func uuidOf(rng *rand.Rand) string {
	return fmt.Sprintf("%08x-%04x-4%03x-9%03x-%012x", rng.Uint32(), rng.Uint32N(1<<16), rng.Uint32N(1<<12), rng.Uint32N(1<<12), rng.Uint64N(1<<48))
}

// jsonText is a document of one of three shapes.
func jsonText(rng *rand.Rand, k int) string {
	switch k % 3 {
	case 0:
		return fmt.Sprintf(`{"id": %d, "name": "n\"%d", "ok": %t, "sub": {"x": %.3f, "tags": ["%x", "b"]}}`, rng.IntN(1e9), rng.IntN(50), k%2 == 0, rng.NormFloat64(), rng.Uint32())
	case 1:
		return fmt.Sprintf(`{"id": %d, "ok": null, "sub": {"tags": []}}`, -k)
	}
	return fmt.Sprintf(`{"id":%d,"e":%d.5e3,"name":"é%s"}`, k, k, strings.Repeat("x", k%5))
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
			want, ok := textKinds[name]
			if !ok {
				want = FSST
			}
			if !nulls && Kind(page[0]) != want {
				t.Errorf("%s, nulls %v: encoding %d", name, nulls, page[0])
			}
			p, _ := Open(page, types.PhysBytes)
			views := make([]vec.View, 2048)
			views[9].Len = 99
			sel := []uint16{0, 3, 1023, 1024, 1500}
			buf, err := p.Views(views, 0, sel, &Space{})
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range sel {
				if c.Null(500 + int(i)) {
					continue
				}
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
				got, err := x.Append(nil, table.append(nil, []byte(v), 0, len(v)))
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
		if got, err := x.Append(nil, k.append(nil, text, 0, len(text))); err != nil || !bytes.Equal(got, text) {
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
	s, ok := new(Encoder).Shrink(c.Offs, c.Bytes)
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
				out = table.append(out, c.Bytes, int(c.Offs[i]), int(c.Offs[i+1]))
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
