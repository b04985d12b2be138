package hash

import (
	"fmt"
	"math/rand"
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
)

// TestUnion numbers strings that come from the base, from other dictionaries, as
// constants and plain, with NULLs: equal strings get equal numbers, others do not,
// and the dictionary gives the strings back.
func TestUnion(t *testing.T) {
	rnd := rand.New(rand.NewSource(4))
	dict := func(id uint64, from, n int) *vec.Dictionary {
		b := vec.NewBuilder(types.Text, 0)
		d := &vec.Dictionary{ID: id}
		for i := range n {
			s := fmt.Appendf(nil, "%d", from+i)
			if i%2 == 0 {
				s = fmt.Appendf(nil, "string number %d", from+i)
			}
			b.AppendBytes(s)
			d.Hashes = append(d.Hashes, vec.HashBytes(s))
		}
		d.Values = b.Finish()
		return d
	}
	base := dict(1, 0, 100)
	dicts := []*vec.Dictionary{base, dict(2, 50, 100), dict(3, 500, 3000), dict(0, 90, 30)}
	u := NewUnion(func() (*vec.Dictionary, error) { return base, nil })
	coders := []Coder{{U: u}, {U: u}}
	number := map[string]uint32{}
	text := map[uint32]string{}
	for i := range 200 {
		d := dicts[rnd.Intn(len(dicts))]
		codes := make([]uint32, 300)
		v := vec.Vector{Type: types.Text, Form: vec.Dict, Len: len(codes), Dict: d, Fixed: vec.BytesOf(codes), Valid: make([]uint64, 5)}
		var sel vec.Selection
		for r := range codes {
			codes[r] = uint32(rnd.Intn(d.Values.Len))
			if rnd.Intn(9) > 0 {
				v.Valid[r>>6] |= 1 << (r & 63)
			}
			if i%2 == 0 || rnd.Intn(3) > 0 {
				sel = append(sel, uint16(r))
			}
		}
		switch i % 5 {
		case 3:
			var s vec.Scratch
			flat := v
			s.Flatten(&flat, &v, nil)
			v = flat
		case 4:
			v = vec.ConstVector(types.Text, &types.Datum{S: string(d.Values.BytesAt(0))}, 300)
		}
		var out vec.Vector
		if err := coders[i%2].Code(&out, &v, sel); err != nil {
			t.Fatal(err)
		}
		for _, r := range sel {
			if out.Null(int(r)) != v.Null(int(r)) {
				t.Fatal("NULL is lost")
			}
			if v.Null(int(r)) {
				continue
			}
			s, id := string(v.BytesAt(int(r))), uint32(out.Datum(int(r)).I)
			if old, ok := number[s]; ok && old != id {
				t.Fatalf("%q has numbers %d and %d", s, old, id)
			}
			if old, ok := text[id]; ok && old != s {
				t.Fatalf("%d is %q and %q", id, old, s)
			}
			number[s], text[id] = id, s
		}
	}
	whole := u.Dict()
	for s, id := range number {
		if got := string(whole.Values.BytesAt(int(id))); got != s {
			t.Errorf("number %d is %q, not %q", id, got, s)
		}
		if whole.Hashes[id] != vec.HashBytes([]byte(s)) {
			t.Errorf("hash of %q", s)
		}
	}
	if len(number) < 1000 {
		t.Error("few strings met")
	}
}
