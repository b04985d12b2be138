// Package arena hands out pointer-free memory by bumping an offset.
//
//	Pool ── Block (64 KiB … 64 MiB, powers of two) ── Arena ── Alloc
//
// A Pool keeps freed blocks for reuse across queries; an Arena belongs to one
// owner (a worker's pipeline, a hash table) and frees everything at once. Blocks
// are ordinary Go slices of words, which the garbage collector does not scan.
// A block is zeroed before it is handed out again, so nothing of one owner is
// ever seen by another.
//
// What it does not do: no free of single allocations, no locking in Arena, no
// budget (the owner reserves before it allocates).
package arena

import (
	"math/bits"
	"sync"
	"unsafe"
)

// Sizes of blocks.
const (
	BlockMin = 64 << 10
	BlockMax = 64 << 20
)

// classes is the number of block sizes.
const classes = 11

// Pool keeps free blocks. It may be used by several goroutines at once.
type Pool struct {
	keepBytes int64

	mu   sync.Mutex // guards the fields below
	free [classes][][]uint64
	kept int64
}

// NewPool returns a pool that keeps up to keepBytes of free blocks; more are
// left to the garbage collector.
func NewPool(keepBytes int64) *Pool { return &Pool{keepBytes: keepBytes} }

// class is the size class of a block of at least n bytes, n ≤ BlockMax.
func class(n int) int { return max(0, bits.Len(uint(n-1))-bits.Len(uint(BlockMin-1))) }

func (p *Pool) get(n int) []uint64 {
	if n > BlockMax {
		return make([]uint64, (n+7)/8)
	}
	c := class(n)
	p.mu.Lock()
	var b []uint64
	if f := p.free[c]; len(f) > 0 {
		b, p.free[c] = f[len(f)-1], f[:len(f)-1]
		p.kept -= int64(len(b) * 8)
	}
	p.mu.Unlock()
	if b == nil {
		return make([]uint64, BlockMin<<c/8)
	}
	clear(b)
	return b
}

func (p *Pool) put(b []uint64) {
	size := len(b) * 8
	if size > BlockMax {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept+int64(size) > p.keepBytes {
		return
	}
	c := class(size)
	p.free[c] = append(p.free[c], b)
	p.kept += int64(size)
}

// Kept is how many bytes of free blocks the pool holds.
func (p *Pool) Kept() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept
}

// Arena allocates from blocks of a pool. Not for concurrent use.
type Arena struct {
	pool   *Pool
	blocks [][]uint64
	rest   []byte // of the last block
	bytes  int64
}

// New returns an empty arena.
func New(p *Pool) *Arena { return &Arena{pool: p} }

// Alloc returns n zero bytes, aligned to 8, valid until Reset.
func (a *Arena) Alloc(n int) []byte {
	padded := (n + 7) &^ 7
	if padded > len(a.rest) {
		a.block(padded)
	}
	b := a.rest[:n:n]
	a.rest = a.rest[padded:]
	return b
}

// block opens a block with room for n bytes: twice the last one's size, so that
// small users stay small.
func (a *Arena) block(n int) {
	size := BlockMin
	if k := len(a.blocks); k > 0 {
		size = min(BlockMax, len(a.blocks[k-1])*16)
	}
	b := a.pool.get(max(n, size))
	a.blocks = append(a.blocks, b)
	a.bytes += int64(len(b) * 8)
	a.rest = unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(b))), len(b)*8)
}

// Bytes is the memory that the arena holds.
func (a *Arena) Bytes() int64 { return a.bytes }

// Reset gives everything back; what Alloc returned must not be used any more.
func (a *Arena) Reset() {
	for _, b := range a.blocks {
		a.pool.put(b)
	}
	*a = Arena{pool: a.pool}
}
