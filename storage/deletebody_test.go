package storage

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
)

// FuzzDecodeDelete: any bytes give an error or a body that encodes again.
func FuzzDecodeDelete(f *testing.F) {
	d := deleteBody{segs: map[uint64]*roaring.Bitmap{3: roaring.BitmapOf(1, 2, 70000)},
		frames: map[uint64]*roaring.Bitmap{9: roaring.BitmapOf(0), 11: roaring.BitmapOf(5, 6, 7)}}
	b, err := d.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeDelete(b)
		if err != nil {
			return
		}
		if _, err := got.encode(); err != nil {
			t.Fatal(err)
		}
	})
}
