// Package batches copies, cuts and joins batches for what sessions keep: cursors,
// rows that wait for COMMIT, results of RETURNING.
package batches

import "quern/storage/vec"

// Clone copies the live rows of b: engines reuse theirs.
func Clone(b *vec.Batch) *vec.Batch {
	n := &vec.Batch{Len: b.Rows(), Cols: make([]vec.Vector, len(b.Cols))}
	for i := range b.Cols {
		bl := vec.NewBuilder(b.Cols[i].Type, n.Len)
		bl.AppendVector(&b.Cols[i], b.Sel)
		n.Cols[i] = bl.Finish()
	}
	return n
}

// Bytes is roughly the memory of a batch.
func Bytes(b *vec.Batch) int64 {
	var n int64
	for i := range b.Cols {
		v := &b.Cols[i]
		n += int64(len(v.Fixed) + 16*len(v.Views) + 8*len(v.Valid))
		for _, buf := range v.Bufs {
			n += int64(cap(buf))
		}
	}
	return n
}

// Join makes one batch of several.
func Join(bs []*vec.Batch) *vec.Batch {
	if len(bs) == 1 {
		return bs[0]
	}
	n := &vec.Batch{Cols: make([]vec.Vector, len(bs[0].Cols))}
	for i := range n.Cols {
		bl := vec.NewBuilder(bs[0].Cols[i].Type, vec.BatchRows)
		for _, b := range bs {
			bl.AppendVector(&b.Cols[i], b.Sel)
		}
		n.Cols[i] = bl.Finish()
	}
	for _, b := range bs {
		n.Len += b.Rows()
	}
	return n
}

// Cut copies live rows lo..hi-1 of b.
func Cut(b *vec.Batch, lo, hi int) *vec.Batch {
	sel := b.Sel
	if sel == nil {
		sel = make(vec.Selection, b.Len)
		for i := range sel {
			sel[i] = uint16(i)
		}
	}
	part := *b
	part.Sel = sel[lo:hi]
	return Clone(&part)
}
