// Package delvec holds the two forms of deleted rows on disk: the delete vector of
// a segment (.qdv) and the DELETE section of a log frame. Both keep roaring
// bitmaps in their portable form.
//
// A .qdv file lies beside its segment and holds the rows of it that are deleted:
//
//	off 0   magic QDV00001
//	    8   u64 segment id
//	   16   u64 seq: deletes up to it are in the file
//	   24   u32 number of rows
//	   28   u32 length of the positions
//	   32   u32 crc32c of the positions
//	   36   u32 crc32c of bytes 0..35
//	   40   positions, a roaring bitmap in its portable form
package delvec

import (
	"encoding/binary"
	"hash/crc32"

	"quern/storage/errs"

	"github.com/RoaringBitmap/roaring/v2"
)

const (
	magic       = "QDV00001"
	headerBytes = 40
)

var le = binary.LittleEndian

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Encode makes the .qdv file of a segment: deletes up to seq are in it.
func Encode(id, seq uint64, rows *roaring.Bitmap) ([]byte, error) {
	body, err := rows.ToBytes()
	if err != nil {
		return nil, err
	}
	b := make([]byte, headerBytes, headerBytes+len(body))
	copy(b, magic)
	le.PutUint64(b[8:], id)
	le.PutUint64(b[16:], seq)
	le.PutUint32(b[24:], uint32(rows.GetCardinality()))
	le.PutUint32(b[28:], uint32(len(body)))
	le.PutUint32(b[32:], crc32.Checksum(body, castagnoli))
	le.PutUint32(b[36:], crc32.Checksum(b[:36], castagnoli))
	return append(b, body...), nil
}

// Header is what a .qdv file must be of.
type Header struct {
	Segment, Seq uint64
	Rows         int64 // that are deleted
}

// Decode checks the file of a segment with n rows. Damage is *errs.Corrupt.
func Decode(name string, b []byte, v Header, n int64) (*roaring.Bitmap, error) {
	bad := func(reason string) (*roaring.Bitmap, error) {
		return nil, &errs.Corrupt{File: name, Reason: reason}
	}
	if len(b) < headerBytes || le.Uint32(b[36:]) != crc32.Checksum(b[:36], castagnoli) {
		return bad("header of the delete vector is damaged")
	}
	body := b[headerBytes:]
	switch {
	case string(b[:8]) != magic:
		return bad("not a delete vector of a known version")
	case le.Uint64(b[8:]) != v.Segment || le.Uint64(b[16:]) != v.Seq || int64(le.Uint32(b[24:])) != v.Rows:
		return bad("not the delete vector that the manifest names")
	case int(le.Uint32(b[28:])) != len(body) || le.Uint32(b[32:]) != crc32.Checksum(body, castagnoli):
		return bad("positions of the delete vector are damaged")
	}
	rows, err := decodeBitmap(body)
	if err != nil || int64(rows.GetCardinality()) != v.Rows || !rows.IsEmpty() && int64(rows.Maximum()) >= n {
		return bad("positions of the delete vector do not fit the segment")
	}
	return rows, nil
}
