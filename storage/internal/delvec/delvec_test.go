package delvec

import (
	"bytes"
	"hash/crc32"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
)

// FuzzDeleteVector: any bytes are safe, with right checksums too; what is accepted
// lies in the segment.
func FuzzDeleteVector(f *testing.F) {
	const id, rows = 7, 100_000
	few, runs, many := roaring.BitmapOf(1, 5, 70_000), roaring.New(), roaring.New()
	runs.AddRange(10, 90_000)
	runs.RunOptimize()
	for i := uint32(0); i < rows; i += 2 {
		many.Add(i)
	}
	for _, b := range []*roaring.Bitmap{few, runs, many, roaring.New()} {
		data, err := Encode(id, 3, b)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := Decode("v", data, Header{id, 3, int64(b.GetCardinality())}, rows); err != nil {
			f.Fatal(err)
		}
		f.Add(data, int64(b.GetCardinality()), true)
		f.Add(data, int64(b.GetCardinality()), false)
	}
	f.Fuzz(func(t *testing.T, data []byte, n int64, mend bool) {
		if mend && len(data) >= headerBytes {
			data = bytes.Clone(data)
			le.PutUint32(data[28:], uint32(len(data)-headerBytes))
			le.PutUint32(data[32:], crc32.Checksum(data[headerBytes:], castagnoli))
			le.PutUint32(data[36:], crc32.Checksum(data[:36], castagnoli))
		}
		b, err := Decode("v", data, Header{id, 3, n}, rows)
		if err != nil {
			return
		}
		if int64(b.GetCardinality()) != n || !b.IsEmpty() && b.Maximum() >= rows {
			t.Fatalf("%d rows up to %d", b.GetCardinality(), b.Maximum())
		}
	})
}
