package vec

import (
	"bytes"
	"testing"
)

// TestViewAt: the fast form equals MakeView at every length and at every
// distance from the buffer's end.
func TestViewAt(t *testing.T) {
	buf := make([]byte, 60)
	for i := range buf {
		buf[i] = byte(0xF0 + i)
	}
	for off := range buf {
		for n := 0; off+n <= len(buf); n++ {
			got, want := ViewAt(buf, uint32(off), uint32(n), 3), MakeView(buf[off:off+n], 3, uint32(off))
			if got != want {
				t.Fatalf("off %d length %d: %+v, want %+v", off, n, got, want)
			}
			if !bytes.Equal(got.Bytes([][]byte{nil, nil, nil, buf}), buf[off:off+n]) {
				t.Fatalf("off %d length %d: wrong bytes", off, n)
			}
		}
	}
}
