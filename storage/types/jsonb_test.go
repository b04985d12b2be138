package types

import (
	"math/rand/v2"
	"strings"
	"testing"

	"quern/storage/types/jsonb"
)

// checkFast compares the fast way with NormalizeJSONB.
func checkFast(t *testing.T, s string) (fast bool) {
	t.Helper()
	want, err := NormalizeJSONB(nil, s)
	got, ok := jsonb.Append([]byte("x"), []byte(s))
	if !ok {
		if string(got) != "x" {
			t.Fatalf("%q: left %q", s, got)
		}
		return false
	}
	if err != nil || string(got) != "x"+string(want) {
		t.Fatalf("%q: fast %q, slow %q %v", s, got, want, err)
	}
	return true
}

func TestFastJSONB(t *testing.T) {
	for s, fast := range map[string]bool{
		`{"bb":1,"a":[1, 2.50,-3],"c":{"y":null,"x":"ü"}}`: true, ` [ ] `: true, `{}`: true, `"a"`: true, `0`: true, `-0.5`: true,
		`-0`: false, `-0.00`: false, `1e5`: false, `01`: false, `1.`: false, `{"a":1,"a":2}`: false, `{"b":1,"a":1,"b":2}`: false,
		`"\n"`: false, `"12345678\n"`: false, `"1234567\\"`: false, `"ü234567"`: true, "\"1234567\x1f\"": false, `"\\ü12345"`: false, "\"\x80234567\"": false, "\"\x01\"": false, "\"\xff\"": false, `[1,]`: false, `{"a"}`: false, `nul`: false, `nulla`: false, ``: false, `[1] 2`: false, `1.2.3`: false,
		`{"a":1,}`: false, strings.Repeat("[", 40) + strings.Repeat("]", 40): false,
	} {
		if got := checkFast(t, s); got != fast {
			t.Errorf("%q: fast is %v", s, got)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	const letters = `{}[]:,"ab ab10.-eE\tnull` + "\n"
	for range 20000 {
		b := make([]byte, rng.IntN(24))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		checkFast(t, string(b))
		checkFast(t, randomJSON(rng, 3))
	}
}

func randomJSON(rng *rand.Rand, depth int) string {
	switch n := rng.IntN(8); {
	case n < 2 && depth > 0, depth == 3:
		var parts []string
		for range rng.IntN(7) {
			parts = append(parts, `"`+strings.Repeat("k", rng.IntN(4))+string(rune('a'+rng.IntN(3)))+`" :`+randomJSON(rng, depth-1))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case n == 2 && depth > 0:
		return "[" + randomJSON(rng, depth-1) + " , " + randomJSON(rng, depth-1) + "]"
	case n == 3:
		return "-12.50"
	case n == 4:
		return `"text"`
	}
	return "true"
}

func FuzzFastJSONB(f *testing.F) {
	f.Add(`{"bb":1,"a":[1,2]}`)
	f.Fuzz(func(t *testing.T, s string) { checkFast(t, s) })
}

func BenchmarkJSONB(b *testing.B) {
	s := []byte(`{"track_uri":"spotify:track:84eba33133f0495e12546b","artist_uri":"spotify:artist:af2249da6d910eb164054b","context_uri":"spotify:playlist:531752053f9b7706c16e3a","position_ms":164123,"duration_ms":346701,"volume":0.413,"shuffle":false,"source":"recommended"}`)
	var dst []byte
	b.Run("fast", func(b *testing.B) {
		b.SetBytes(int64(len(s)))
		var w jsonb.Writer
		for b.Loop() {
			dst, _ = w.Append(dst[:0], s)
		}
	})
	b.Run("general", func(b *testing.B) {
		b.SetBytes(int64(len(s)))
		for b.Loop() {
			dst, _ = NormalizeJSONB(dst[:0], string(s))
		}
	})
}
