package sched

import "sync"

// BlockWords is the size of a block in 8-byte words: 64 KiB.
const BlockWords = 8192

// Blocks keeps blocks for reuse: fresh memory costs more than filling it.
// A block's content is unspecified; users write before they read.
type Blocks struct {
	mu   sync.Mutex
	free [][]uint64
	keep int // most blocks kept
}

// NewBlocks returns a pool that keeps at most keep free blocks.
func NewBlocks(keep int) *Blocks { return &Blocks{keep: keep} }

// Get returns a block of BlockWords words.
func (p *Blocks) Get() []uint64 {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		b := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return b
	}
	p.mu.Unlock()
	return make([]uint64, BlockWords)
}

// Put takes blocks back; the owner must not use them any more.
func (p *Blocks) Put(blocks [][]uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range blocks {
		if len(p.free) >= p.keep {
			return
		}
		if len(b) == BlockWords {
			p.free = append(p.free, b)
		}
	}
}
