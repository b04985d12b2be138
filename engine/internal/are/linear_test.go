package are

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestLinear compares the one-pass matcher with Go's engine.
func TestLinear(t *testing.T) {
	patterns := map[string]bool{ // whether they are of this kind
		`^https?://(?:www\.)?([^/]+)/.*$`: true, `^(https?)://(?:m\.)?(?:www\.)?([^/?#]+)`: true,
		`^([a-z]+)=([0-9]*)$`: true, `^a(b*)(c)?d`: false, `^a(b*)c?d$`: true, `^a?a?a?b+$`: true,
		`^([^.]+)\.([^.]+)$`: true, `^é*x`: false, `^x([^é]+)é`: false, `^(.*)$`: true, `^[ab]*b`: false, `^a|b`: false,
		`a+b`: false, `^(a+?)b`: false, `^/+([a-c./]*)$`: false, `^[^/]*/?$`: true, `^(x[0-9]+)-(y[0-9]+)$`: true, `^`: false,
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"http", "s", "://", "www.", "m.", "/", "a", "b", "c", "d", "=", "1", "23", ".", "x", "y", "é", "?", "#", "-", "\n", "日本"}
	for pattern, linear := range patterns {
		re, err := Compile(pattern, "")
		if err != nil {
			t.Fatal(err)
		}
		l := NewLinear(re)
		if (l != nil) != linear {
			t.Errorf("%s: linear is %v", pattern, l != nil)
		}
		if l == nil {
			continue
		}
		var loc []int
		hits := 0
		for range 20_000 {
			var b strings.Builder
			if rng.IntN(2) == 0 {
				b.WriteString([]string{"http://", "https://www.", "a", "x1-y", "ab=", "a.b"}[rng.IntN(6)])
			}
			for range rng.IntN(7) {
				b.WriteString(pieces[rng.IntN(len(pieces))])
			}
			s := []byte(b.String())
			want := re.FindSubmatchIndex(s)
			got := l.Match(s, loc)
			if got != nil {
				loc = got
				hits++
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s on %q: %v, not %v", pattern, s, got, want)
			}
		}
		if hits == 0 {
			t.Errorf("%s: nothing matched", pattern)
		}
	}
}

func BenchmarkHost(b *testing.B) {
	re, _ := Compile(`^https?://(?:www\.)?([^/]+)/.*$`, "")
	l := NewLinear(re)
	s := []byte("http://www.example.com/path/of/some/length?with=query&more=1")
	b.Run("linear", func(b *testing.B) {
		var loc []int
		for b.Loop() {
			loc = l.Match(s, loc)
		}
	})
	b.Run("regexp", func(b *testing.B) {
		for b.Loop() {
			re.FindSubmatchIndex(s)
		}
	})
}
