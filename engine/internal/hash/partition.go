package hash

import "quern/engine/internal/sched"

// Partitions is the number of radix partitions, by the top bits of the hash.
const (
	Partitions    = 256
	partitionBits = 8
)

// firstBlock is the size of a partition's first block in words; later ones are
// whole blocks.
const firstBlock = 512

// Parts are the partition buffers of one worker: rows of words, no order. Not
// for concurrent writing.
type Parts struct {
	pool   *sched.Blocks
	stride int
	parts  [Partitions]partRows
	words  int // memory held
	Rows   int
}

type partRows struct {
	blocks [][]uint64
	used   int // words of the last block
	rows   int
}

// NewParts makes empty buffers for rows of stride words.
func NewParts(pool *sched.Blocks, stride int) *Parts { return &Parts{pool: pool, stride: stride} }

// Size is the memory held, in bytes.
func (p *Parts) Size() int { return 8 * p.words }

// Scatter copies n rows, whose word 0 is a hash, to their partitions.
func (p *Parts) Scatter(rows []uint64, n int) {
	stride := p.stride
	for i := range n {
		row := rows[i*stride : (i+1)*stride]
		q := &p.parts[row[0]>>(64-partitionBits)]
		b := q.last()
		if len(b)-q.used < stride {
			b = p.grow(q)
		}
		copy(b[q.used:q.used+stride], row)
		q.used += stride
		q.rows++
	}
	p.Rows += n
}

func (q *partRows) last() []uint64 {
	if n := len(q.blocks); n > 0 {
		return q.blocks[n-1]
	}
	return nil
}

func (p *Parts) grow(q *partRows) []uint64 {
	var b []uint64
	switch {
	case p.stride > sched.BlockWords:
		b = make([]uint64, p.stride)
	case len(q.blocks) == 0:
		b = make([]uint64, max(firstBlock, p.stride))
	default:
		b = p.pool.Get()
	}
	p.words += len(b)
	q.blocks = append(q.blocks, b)
	q.used = 0
	return b
}

// PartRows is the number of rows of one partition.
func (p *Parts) PartRows(part int) int { return p.parts[part].rows }

// Blocks calls f with the rows of one partition, block by block.
func (p *Parts) Blocks(part int, f func(rows []uint64, n int) error) error {
	q := &p.parts[part]
	for i, b := range q.blocks {
		n := len(b) / p.stride
		if i == len(q.blocks)-1 {
			n = q.used / p.stride
		}
		if err := f(b, n); err != nil {
			return err
		}
	}
	return nil
}

// Reset gives everything back to the pool.
func (p *Parts) Reset() {
	for i := range p.parts {
		p.Free(i)
	}
	p.words, p.Rows = 0, 0
}

// Free gives the blocks of a partition back to the pool.
func (p *Parts) Free(part int) {
	q := &p.parts[part]
	p.pool.Put(q.blocks)
	*q = partRows{}
}
