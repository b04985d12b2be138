package hash

import (
	"sync"
	"sync/atomic"

	"quern/storage/vec"
)

// Arenas are the byte chunks that the string words of all tables of one
// operator refer to. Chunks are only added; several workers may add.
type Arenas struct {
	mu     sync.Mutex
	chunks atomic.Pointer[[][]byte]
	size   atomic.Int64
}

// Chunks are the chunks so far, as vec.Vector.Bufs.
func (a *Arenas) Chunks() [][]byte {
	if p := a.chunks.Load(); p != nil {
		return *p
	}
	return nil
}

// Size is the memory held, in bytes.
func (a *Arenas) Size() int64 { return a.size.Load() }

func (a *Arenas) add(size int) ([]byte, uint32) {
	c := make([]byte, size)
	a.mu.Lock()
	defer a.mu.Unlock()
	old := a.Chunks()
	a.size.Add(int64(size))
	if cap(old) == len(old) {
		bigger := make([][]byte, len(old), 2*len(old)+8)
		copy(bigger, old)
		old = bigger
	}
	// Readers see at most the length that they loaded.
	list := append(old, c)
	a.chunks.Store(&list)
	return c, uint32(len(list) - 1)
}

// Arena is one worker's place to put bytes. Not for concurrent use.
type Arena struct {
	All  *Arenas
	cur  []byte
	idx  uint32
	used int
	next int
	held int
	own  []uint32 // its chunks
}

// Reset frees the arena's chunks, to which nothing may refer any more. Their
// places in the list are not used again: who holds an older list would not see
// what is put there.
func (a *Arena) Reset() {
	a.All.mu.Lock()
	list := a.All.Chunks()
	for _, i := range a.own {
		list[i] = nil
	}
	a.All.mu.Unlock()
	a.All.size.Add(-int64(a.held))
	*a = Arena{All: a.All}
}

// Size is the memory that this arena has added, in bytes.
func (a *Arena) Size() int { return a.held }

const (
	firstChunk = 4 << 10
	lastChunk  = 1 << 20
)

// Put copies b and returns the two words of its view.
func (a *Arena) Put(b []byte) (uint64, uint64) {
	if len(b) <= InlineMax {
		v := vec.MakeView(b, 0, 0)
		return uint64(v.Len) | uint64(v.A)<<32, uint64(v.B) | uint64(v.C)<<32
	}
	if len(b) > len(a.cur)-a.used {
		a.next = min(max(2*a.next, firstChunk), lastChunk)
		if len(b) > a.next/2 { // a chunk of its own
			c, idx := a.All.add(len(b))
			a.held += len(b)
			a.own = append(a.own, idx)
			copy(c, b)
			v := vec.MakeView(c, idx, 0)
			return uint64(v.Len) | uint64(v.A)<<32, uint64(v.B) | uint64(v.C)<<32
		}
		a.cur, a.idx = a.All.add(a.next)
		a.used = 0
		a.held += a.next
		a.own = append(a.own, a.idx)
	}
	dst := a.cur[a.used : a.used+len(b)]
	copy(dst, b)
	v := vec.MakeView(dst, a.idx, uint32(a.used))
	a.used += len(b)
	return uint64(v.Len) | uint64(v.A)<<32, uint64(v.B) | uint64(v.C)<<32
}

// Bytes are the bytes of a view in two words, at w[0] and w[1].
func Bytes(w []uint64, chunks [][]byte) []byte {
	n := uint32(w[0])
	if n <= InlineMax {
		return inlineBytes(w, n)
	}
	off := uint32(w[1] >> 32)
	return chunks[uint32(w[1])][off : off+n]
}

func inlineBytes(w []uint64, n uint32) []byte {
	return vec.BytesOf(w[:2])[4 : 4+n]
}
