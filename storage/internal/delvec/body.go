package delvec

import (
	"bytes"
	"io"
	"maps"
	"slices"

	"quern/storage/errs"

	"github.com/RoaringBitmap/roaring/v2"
)

// Body is the content of a DELETE section:
//
//	u8 1 = everything of the table; nothing follows
//	u8 0, then u32 n, n × {u64 segment id, u32 length, bitmap of positions},
//	      u32 n, n × {u64 commit_seq, u32 length, bitmap of ordinals}
//
// An ordinal is a row's place among the rows of the table in that commit's
// frame. Lists are ascending.
type Body struct {
	All    bool
	Segs   map[uint64]*roaring.Bitmap
	Frames map[uint64]*roaring.Bitmap
}

// Encode gives the section.
func (d *Body) Encode() ([]byte, error) {
	if d.All {
		return []byte{1}, nil
	}
	out := []byte{0}
	for _, m := range []map[uint64]*roaring.Bitmap{d.Segs, d.Frames} {
		out = le.AppendUint32(out, uint32(len(m)))
		for _, id := range slices.Sorted(maps.Keys(m)) {
			b, err := m[id].ToBytes()
			if err != nil {
				return nil, err
			}
			out = le.AppendUint64(out, id)
			out = le.AppendUint32(out, uint32(len(b)))
			out = append(out, b...)
		}
	}
	return out, nil
}

// DecodeBody reads a section; any bytes are safe. Damage is *errs.Corrupt.
func DecodeBody(b []byte) (*Body, error) {
	bad := &errs.Corrupt{File: "DELETE section", Reason: "content does not fit"}
	if len(b) == 0 || b[0] > 1 {
		return nil, bad
	}
	d := &Body{All: b[0] == 1, Segs: map[uint64]*roaring.Bitmap{}, Frames: map[uint64]*roaring.Bitmap{}}
	b = b[1:]
	if d.All {
		if len(b) != 0 {
			return nil, bad
		}
		return d, nil
	}
	for _, m := range []map[uint64]*roaring.Bitmap{d.Segs, d.Frames} {
		if len(b) < 4 {
			return nil, bad
		}
		n := le.Uint32(b)
		b = b[4:]
		for range n {
			if len(b) < 12 || uint64(len(b)-12) < uint64(le.Uint32(b[8:])) {
				return nil, bad
			}
			id, size := le.Uint64(b), int(le.Uint32(b[8:]))
			rows, err := decodeBitmap(b[12 : 12+size])
			if err != nil {
				return nil, bad
			}
			m[id], b = rows, b[12+size:]
		}
	}
	if len(b) != 0 {
		return nil, bad
	}
	return d, nil
}

// decodeBitmap reads a bitmap that fills b and does not alias it.
func decodeBitmap(b []byte) (*roaring.Bitmap, error) {
	r := bytes.NewReader(b)
	m := roaring.New()
	if _, err := m.ReadFrom(r); err != nil {
		return nil, err
	}
	if r.Len() != 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return m, m.Validate()
}
