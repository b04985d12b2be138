package encoding

import "quern/storage/vec"

// Space is what reading a page of bytes needs beside the page. Its zero value is
// ready; what a read returns stays valid until the next one with the same Space.
// Not for concurrent use.
type Space struct {
	buf    []byte
	lens   []uint32
	codes  []uint32
	fields []fieldSpace
}

func (s *Space) lensFor(n int) []uint32 {
	s.lens = sized(s.lens, n)
	return s.lens
}

func (s *Space) codesFor(n int) []uint32 {
	s.codes = sized(s.codes, n)
	return s.codes
}

// constant makes the same view for every row, or those of sel.
func constant(dst []vec.View, sel []uint16, v []byte) {
	w := vec.MakeView(v, 0, 0)
	if sel == nil {
		for i := range dst {
			dst[i] = w
		}
		return
	}
	clear(dst)
	for _, i := range sel {
		dst[i] = w
	}
}
