package hash

import (
	"bytes"
	"context"
	"math/bits"

	"quern/engine/internal/sched"
	"quern/storage/vec"
)

// Join finds the build rows with a given key. Build rows with equal keys form a
// chain in ascending order; rows with a NULL key are in none. Immutable after
// NewJoin; each worker probes with a Prober of its own.
//
// Slots are divided into regions by the top bits of the hash, which workers
// fill independently.
type Join struct {
	k      *Keys
	words  []uint64 // key words of build row r at r·Words
	slots  []uint64 // tag<<32 | first row of the chain + 1
	mask   uint64   // within a region
	shift  uint     // of a hash, to its region
	region uint64   // slots per region
	next   []uint32 // next row of the chain + 1
	cols   []vec.Vector
}

const (
	parallelRows = 1 << 16 // from which the table is built by regions
	buildMorsel  = 16 * vec.BatchRows
)

// NewJoin builds the table over the key columns of rows materialised rows.
func NewJoin(ctx context.Context, threads int, k *Keys, cols []vec.Vector, rows int) (*Join, error) {
	regions := 1
	for rows >= parallelRows && regions < threads && regions < 64 {
		regions *= 2
	}
	size := minSlots
	for size < 2*rows/regions {
		size *= 2
	}
	j := &Join{k: k, cols: cols, words: make([]uint64, rows*k.Words), slots: make([]uint64, size*regions),
		mask: uint64(size - 1), region: uint64(size), shift: uint(64 - bits.TrailingZeros(uint(regions))), next: make([]uint32, rows)}
	err := sched.Run(ctx, threads, (rows+buildMorsel-1)/buildMorsel, func(ctx context.Context, _, m int) error {
		j.encode(m*buildMorsel, min((m+1)*buildMorsel, rows))
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = sched.Run(ctx, threads, regions, func(ctx context.Context, _, m int) error {
		return j.insert(ctx, uint64(m), rows)
	})
	return j, err
}

func (j *Join) encode(lo, hi int) {
	hashes := make([]uint64, vec.BatchRows)
	window := make([]vec.Vector, len(j.cols))
	for ; lo < hi; lo += vec.BatchRows {
		n := min(vec.BatchRows, hi-lo)
		for i := range j.cols {
			window[i] = vec.Slice(&j.cols[i], lo, lo+n)
		}
		words := j.words[lo*j.k.Words:]
		j.k.Encode(words, j.k.Words, hashes[:n], window, nil)
		j.k.rebase(words, n, lo)
	}
}

// start is the first slot to look at for a hash; base is its region's.
func (j *Join) start(h uint64) (base, s uint64) {
	return h >> j.shift * j.region, h >> nullBits & j.mask
}

// insert links the rows of one region, backwards, so that chains ascend.
func (j *Join) insert(ctx context.Context, region uint64, rows int) error {
	for r := rows - 1; r >= 0; r-- {
		if r%buildMorsel == 0 {
			if err := sched.CheckCancel(ctx); err != nil {
				return err
			}
		}
		w := j.row(r)
		if w[0]>>j.shift != region || j.k.null(w) {
			continue
		}
		tag := w[0] >> 32
		base, s := j.start(w[0])
		for ; ; s = (s + 1) & j.mask {
			e := j.slots[base+s]
			if e == 0 {
				j.slots[base+s] = tag<<32 | uint64(r+1)
				break
			}
			if first := int(uint32(e)) - 1; e>>32 == tag && j.same(first, w, j.cols, r) {
				j.next[r] = uint32(first + 1)
				j.slots[base+s] = tag<<32 | uint64(r+1)
				break
			}
		}
	}
	return nil
}

// Size is the memory held beside the build columns, in bytes.
func (j *Join) Size() int { return 8*(len(j.words)+len(j.slots)) + 4*len(j.next) }

func (j *Join) row(r int) []uint64 { return j.words[r*j.k.Words : (r+1)*j.k.Words] }

// rebase turns positions of long strings within a window into row numbers.
func (k *Keys) rebase(rows []uint64, n, add int) {
	for _, off := range k.strs {
		for i := range n {
			w := rows[i*k.Words+off:]
			if uint32(w[0]) > InlineMax {
				w[1] += uint64(add)
			}
		}
	}
}

// null tells whether any key of an encoded row is NULL.
func (k *Keys) null(row []uint64) bool {
	for i := 1; i <= k.extra; i++ {
		if row[i] != 0 {
			return true
		}
	}
	return row[0]&(1<<nullBits-1) != 0
}

// same compares build row r with encoded key w, which is row i of cols.
func (j *Join) same(r int, w []uint64, cols []vec.Vector, i int) bool {
	g := j.row(r)
	if j.k.raw {
		return sameWords(g, w)
	}
	for _, x := range j.k.eq {
		if g[x] != w[x] {
			return false
		}
	}
	for x, off := range j.k.strs {
		key := j.k.strCols[x]
		if uint32(g[off]) <= InlineMax {
			if g[off+1] != w[off+1] {
				return false
			}
		} else if !bytes.Equal(j.cols[key].BytesAt(r), cols[key].BytesAt(i)) {
			return false
		}
	}
	return true
}

// Prober looks up batches. Not for concurrent use.
type Prober struct {
	j      *Join
	enc    []uint64
	hashes []uint64
}

// NewProber makes a worker's prober.
func (j *Join) NewProber() *Prober { return &Prober{j: j} }

// Find writes to first the first build row + 1 of each live row of keys, 0 if
// there is none; len(first) live rows.
func (p *Prober) Find(first []uint32, keys []vec.Vector, sel vec.Selection) {
	j, n := p.j, len(first)
	words := j.k.Words
	if cap(p.hashes) < n {
		p.enc, p.hashes = make([]uint64, n*words), make([]uint64, n)
	}
	enc := p.enc[:n*words]
	j.k.Encode(enc, words, p.hashes[:n], keys, sel)
	if j.k.raw && words == 2 {
		p.findOne(first, enc)
		return
	}
	for i := range first {
		w := enc[i*words : (i+1)*words]
		first[i] = 0
		if j.k.null(w) {
			continue
		}
		r := i
		if sel != nil {
			r = int(sel[i])
		}
		tag := w[0] >> 32
		for base, s := j.start(w[0]); ; s = (s + 1) & j.mask {
			e := j.slots[base+s]
			if e == 0 {
				break
			}
			if e>>32 == tag && j.same(int(uint32(e))-1, w, keys, r) {
				first[i] = uint32(e)
				break
			}
		}
	}
}

// findOne is Find for one key of one word.
func (p *Prober) findOne(first []uint32, enc []uint64) {
	j := p.j
	slots, mask, words := j.slots, j.mask, j.words
	for i := range first {
		h, key := enc[2*i], enc[2*i+1]
		first[i] = 0
		if h&1 != 0 {
			continue
		}
		tag := h >> 32
		base := h >> j.shift * j.region
		for s := h >> nullBits & mask; ; s = (s + 1) & mask {
			e := slots[base+s]
			if e == 0 {
				break
			}
			if e>>32 == tag {
				r := 2 * (int(uint32(e)) - 1)
				if words[r+1] == key && words[r] == h {
					first[i] = uint32(e)
					break
				}
			}
		}
	}
}

// Next is the row after build row r (0-based) in its chain + 1, 0 at the end.
func (j *Join) Next(r uint32) uint32 { return j.next[r] }
