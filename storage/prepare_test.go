package storage

import (
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
)

// Batches that share a buffer must not ask for room for it again and again.
func TestSizeHintCountsSharedBuffersOnce(t *testing.T) {
	shared := make([]byte, 1<<20)
	batch := func(buf []byte) *vec.Batch {
		return &vec.Batch{Len: 1, Cols: []vec.Vector{{Type: types.Text, Len: 1, Views: make([]vec.View, 1), Bufs: [][]byte{buf, nil}}}}
	}
	hint := func(bufs ...[]byte) int {
		rows := TableRows{}
		for _, b := range bufs {
			rows.Batches = append(rows.Batches, batch(b))
		}
		return sizeHint(&Commit{Tables: []TableRows{rows}})
	}
	if got := hint(shared, shared, shared, shared); got < len(shared) || got > len(shared)+4096 {
		t.Errorf("hint of four batches with one buffer of %d bytes = %d", len(shared), got)
	}
	if got := hint(shared, make([]byte, 1<<20)); got < 2<<20 {
		t.Errorf("hint of two buffers = %d, want at least %d", got, 2<<20)
	}
}
