package fn

import (
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
)

// TestCharLength counts characters with and without the bytes.
func TestCharLength(t *testing.T) {
	for _, c := range []struct {
		words []string
		ascii bool
	}{
		{[]string{"", "abc", "a word of more than twelve bytes"}, true},
		{[]string{"", "жук", "слово длиннее двенадцати байт"}, false},
	} {
		b := vec.NewBuilder(types.Text, 0)
		for i := range c.words {
			d := types.Datum{S: c.words[i]}
			b.Append(&d)
		}
		flat := b.Finish()
		flat.ASCII = c.ascii
		codes := []uint32{2, 1, 0, 1}
		dict := vec.Vector{Type: types.Text, Form: vec.Dict, Len: 4, Fixed: vec.BytesOf(codes), Dict: &vec.Dictionary{Values: flat, ASCII: c.ascii}}
		for _, sel := range []vec.Selection{nil, {1, 2}} {
			for form, v := range map[string]*vec.Vector{"flat": &flat, "dict": &dict} {
				out := vec.Vector{Type: types.Int4, Len: v.Len, Fixed: make([]byte, 4*v.Len)}
				if err := charLength(nil, []*vec.Vector{v}, sel, v.Len, &out); err != nil {
					t.Fatal(err)
				}
				for i := range v.Len {
					if sel != nil && i != 1 && i != 2 {
						continue
					}
					if got, want := int(vec.Values[int32](&out)[i]), len([]rune(string(v.BytesAt(i)))); got != want {
						t.Errorf("%s %d of %v: %d, want %d", form, i, c.words, got, want)
					}
				}
			}
		}
	}
}
