package storage

import (
	"sync"

	"quern/storage/vec"
)

// buffers lends byte buffers for encoding: a commit needs two of about its own
// size, and fresh memory would be cleared by the runtime each time.
type buffers struct{ pool sync.Pool }

// keptBytesMax is the largest buffer that is kept for another commit.
const keptBytesMax = 32 << 20

// get returns an empty buffer, aligned to 8, with room for n bytes if it is new.
func (b *buffers) get(n int) []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		if cap(*p) >= n || cap(*p) >= 1<<20 {
			return (*p)[:0]
		}
	}
	return vec.AlignedBytes(n)[:0]
}

// put takes a buffer back that nobody reads any more.
func (b *buffers) put(p []byte) {
	if n := cap(p); n > 0 && n <= keptBytesMax {
		b.pool.Put(&p)
	}
}
