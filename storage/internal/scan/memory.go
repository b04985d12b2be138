package scan

import "quern/storage/vec"

// memory is what a column of the current batch lies in; it is reused by the
// next batch. Contents are unspecified until written.
type memory struct {
	words []uint64
	views []vec.View
	valid []uint64
}

// Fixed is n bytes, aligned to 8.
func (m *memory) Fixed(n int) []byte {
	if w := (n + 7) / 8; w > cap(m.words) {
		m.words = make([]uint64, max(w, vec.BatchRows/2))
	}
	return vec.BytesOf(m.words[:cap(m.words)])[:n]
}

// Views is n views.
func (m *memory) Views(n int) []vec.View {
	if n > cap(m.views) {
		m.views = make([]vec.View, max(n, vec.BatchRows))
	}
	return m.views[:n]
}

// Valid is the words for n rows.
func (m *memory) Valid(n int) []uint64 {
	if m.valid == nil {
		m.valid = make([]uint64, vec.BatchRows/64)
	}
	return m.valid[:(n+63)/64]
}

// flat makes dst a Flat vector of n rows of src's type; values are unspecified.
func (m *memory) flat(dst, src *vec.Vector, n int) {
	*dst = vec.Vector{Type: src.Type, Len: n}
	if size := src.Type.Phys().Size(); size > 0 {
		dst.Fixed = m.Fixed(n * size)
	} else {
		dst.Views = m.Views(n)
	}
}
