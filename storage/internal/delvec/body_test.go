package delvec

import (
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
)

// FuzzDecodeBody: any bytes give an error or a body that encodes again.
func FuzzDecodeBody(f *testing.F) {
	d := Body{Segs: map[uint64]*roaring.Bitmap{3: roaring.BitmapOf(1, 2, 70000)},
		Frames: map[uint64]*roaring.Bitmap{9: roaring.BitmapOf(0), 11: roaring.BitmapOf(5, 6, 7)}}
	b, err := d.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := DecodeBody(b)
		if err != nil {
			return
		}
		if _, err := got.Encode(); err != nil {
			t.Fatal(err)
		}
	})
}
