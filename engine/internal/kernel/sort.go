package kernel

import "math/bits"

// Sizes at which SortPairs changes its way.
const (
	insertionMax = 24
	mergeMax     = 1500
	digitBits    = 11
	digits       = 6 // of digitBits: 64 bits
	cacheRows    = 1 << 15
)

// Sorter holds scratch of SortPairs. Not for concurrent use.
type Sorter struct {
	// Stop, if set, is asked once per part that fits the cache (about a
	// millisecond of work): when it says true, SortPairs ends and leaves any order.
	Stop  func() bool
	w     []uint64
	r     []uint32
	count [digits][1 << digitBits]uint32
}

// Size is the memory held, in bytes.
func (s *Sorter) Size() int { return 8*cap(s.w) + 4*cap(s.r) }

// SortPairs sorts rows by the words beside them, ascending and stable.
func (s *Sorter) SortPairs(words []uint64, rows []uint32) {
	n := len(words)
	rows = rows[:n]
	if n <= insertionMax {
		insertion(words, rows)
		return
	}
	if cap(s.w) < n {
		s.w, s.r = make([]uint64, n), make([]uint32, n)
	}
	if n <= mergeMax {
		s.merge(words, rows)
		return
	}
	if n > cacheRows {
		s.split(words, rows)
		return
	}
	s.radix(words, rows)
}

// split distributes by the highest eight bits that differ and sorts the parts,
// which then lie in cache.
func (s *Sorter) split(words []uint64, rows []uint32) {
	n := len(words)
	lo, hi := words[0], words[0]
	for _, w := range words {
		lo, hi = min(lo, w), max(hi, w)
	}
	if lo == hi {
		return
	}
	shift := max(0, bits.Len64(lo^hi)-8)
	var end [256]int
	for _, w := range words {
		end[w>>shift&255]++
	}
	at := 0
	for i, k := range end {
		end[i] = at
		at += k
	}
	bw, br := s.w[:n], s.r[:n]
	for i, w := range words {
		d := w >> shift & 255
		p := end[d]
		end[d] = p + 1
		bw[p], br[p] = w, rows[i]
	}
	copy(words, bw)
	copy(rows, br)
	if shift == 0 {
		return
	}
	at = 0
	for _, e := range end {
		if e-at > cacheRows/4 && s.Stop != nil && s.Stop() {
			return
		}
		if e-at > 1 {
			s.SortPairs(words[at:e], rows[at:e])
		}
		at = e
	}
}

func insertion(words []uint64, rows []uint32) {
	for i := 1; i < len(words); i++ {
		w, r := words[i], rows[i]
		j := i
		for j > 0 && words[j-1] > w {
			words[j], rows[j] = words[j-1], rows[j-1]
			j--
		}
		words[j], rows[j] = w, r
	}
}

// merge is bottom-up merge sort over runs that insertion sorted.
func (s *Sorter) merge(words []uint64, rows []uint32) {
	n := len(words)
	for lo := 0; lo < n; lo += insertionMax {
		hi := min(lo+insertionMax, n)
		insertion(words[lo:hi], rows[lo:hi])
	}
	aw, ar, bw, br := words, rows, s.w[:n], s.r[:n]
	swapped := false
	for run := insertionMax; run < n; run *= 2 {
		for lo := 0; lo < n; lo += 2 * run {
			mid, hi := min(lo+run, n), min(lo+2*run, n)
			i, j := lo, mid
			for k := lo; k < hi; k++ {
				if i < mid && (j >= hi || aw[i] <= aw[j]) {
					bw[k], br[k] = aw[i], ar[i]
					i++
				} else {
					bw[k], br[k] = aw[j], ar[j]
					j++
				}
			}
		}
		aw, ar, bw, br = bw, br, aw, ar
		swapped = !swapped
	}
	if swapped {
		copy(words, aw)
		copy(rows, ar)
	}
}

// radix is LSD radix sort; digits in which all words agree cost nothing.
func (s *Sorter) radix(words []uint64, rows []uint32) {
	n := len(words)
	for d := range s.count {
		clear(s.count[d][:])
	}
	for _, w := range words {
		for d := range s.count {
			s.count[d][w>>(d*digitBits)&(1<<digitBits-1)]++
		}
	}
	aw, ar, bw, br := words, rows, s.w[:n], s.r[:n]
	swapped := false
	for d := range s.count {
		shift := d * digitBits
		c := &s.count[d]
		if c[words[0]>>shift&(1<<digitBits-1)] == uint32(n) {
			continue
		}
		var at uint32
		for i, k := range c {
			c[i] = at
			at += k
		}
		for i, w := range aw {
			x := w >> shift & (1<<digitBits - 1)
			p := c[x]
			c[x] = p + 1
			bw[p], br[p] = w, ar[i]
		}
		aw, ar, bw, br = bw, br, aw, ar
		swapped = !swapped
	}
	if swapped {
		copy(words, aw)
		copy(rows, ar)
	}
}
