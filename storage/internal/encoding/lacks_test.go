package encoding

import (
	"math/rand/v2"
	"slices"
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
)

// TestLacks: what a page says of its distinct values is what its rows hold, and a
// page of many values says something at all.
func TestLacks(t *testing.T) {
	var e Encoder
	said := map[Kind]int{}
	for name, draw := range shapes {
		for _, phys := range []types.Phys{types.PhysI16, types.PhysI32, types.PhysI64} {
			for _, unsigned := range []bool{false, true} {
				c := makeColumn(phys, 9000, "none", rand.New(rand.NewPCG(1, 3)), draw)
				c.Unsigned = unsigned && phys == types.PhysI32
				page, err := e.Page(c, 0, c.N)
				if err != nil {
					t.Fatal(err)
				}
				p, err := Open(page, phys)
				if err != nil {
					t.Fatal(err)
				}
				v := e.widen(c, 0, c.N)
				keys := []int64{0, -1, 1 << 33, 42_000_000}
				for i := range 40 {
					keys = append(keys, v[i*200], v[i*200]+1)
				}
				for _, k := range keys {
					lacks, known, err := p.Lacks(k, k, c.Unsigned)
					if err != nil || known && lacks == slices.Contains(v, k) {
						t.Fatalf("%s, phys %d (encoding %d): lacks %d: %v, %v", name, phys, p.Kind, k, lacks, err)
					}
					if known {
						said[p.Kind]++
					}
				}
			}
		}
	}
	if said[Dict] == 0 || said[RLE] == 0 || said[Sparse] == 0 {
		t.Fatal(said)
	}
}

// TestEqualText: packed characters are equal where texts are.
func TestEqualText(t *testing.T) {
	var e Encoder
	for _, name := range []string{"hex", "uuid", "prefix"} {
		for _, nulls := range []bool{false, true} {
			c := textColumn(3000, nulls, rand.New(rand.NewPCG(7, 3)), texts[name])
			page, err := e.Page(c, 0, c.N)
			if err != nil {
				t.Fatal(err)
			}
			p, err := Open(page, types.PhysBytes)
			if nulls && p.Kind != Chars {
				continue // NULLs take their place in a CHARS page
			}
			if err != nil || p.Kind != Chars {
				t.Fatal(p.Kind, err)
			}
			for _, row := range []int{1024, 1025, 2999, 2} {
				v := slices.Clone(c.Value(row))
				for range 2 {
					var buf [vec.BatchRows]uint16
					from := row / vec.BatchRows * vec.BatchRows
					n := min(vec.BatchRows, c.N-from)
					rows, ok := p.EqualText(v, from, n, buf[:])
					var want []uint16
					for i := range n {
						if string(c.Value(from+i)) == string(v) && !c.Null(from+i) {
							want = append(want, uint16(i))
						}
					}
					rows = slices.DeleteFunc(rows, func(i uint16) bool { return c.Null(from + int(i)) })
					if !ok || !slices.Equal(rows, want) {
						t.Fatalf("%s: %q is at %v, want %v", name, v, rows, want)
					}
					if len(v) > 0 {
						v[len(v)-1] = "0z"[row%2] // a letter that may be, and one that is none
					}
				}
			}
		}
	}
}
