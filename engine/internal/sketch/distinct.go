// Package sketch holds the states of approximate aggregates. Sketches of the same
// rows are equal however the rows were spread over workers and merged.
package sketch

import (
	"math"
	"math/bits"
	"slices"
)

// Sketch is such a state.
type Sketch interface {
	// Merge adds what other has seen, a Sketch of the same kind.
	Merge(other Sketch)
	// Size is its memory in bytes.
	Size() int
	// AppendTo and Load write it to bytes and make it from them.
	AppendTo(b []byte) []byte
	Load(b []byte) error
}

// Distinct counts distinct hashes: exactly up to hllExact, then by HyperLogLog
// with 2^14 registers (standard error 0.8 %).
type Distinct struct {
	few  []uint64 // hashes, some of them more than once
	regs []uint8  // nil while few is in use
}

const (
	hllExact = 1024
	hllBits  = 14
)

func (s *Distinct) Size() int { return 8*cap(s.few) + cap(s.regs) }

func (s *Distinct) Add(h uint64) {
	// A finalizer spreads what the table hash leaves in its low bits.
	h ^= h >> 33
	h *= 0xFF51AFD7ED558CCD
	h ^= h >> 33
	h *= 0xC4CEB9FE1A85EC53
	h ^= h >> 33
	s.addSpread(h)
}

func (s *Distinct) addSpread(h uint64) {
	if s.regs != nil {
		i := h >> (64 - hllBits)
		s.regs[i] = max(s.regs[i], uint8(bits.LeadingZeros64(h<<hllBits|1<<(hllBits-1)))+1)
		return
	}
	if len(s.few) > 0 && len(s.few) == cap(s.few) {
		s.compact()
		switch {
		case len(s.few) > hllExact:
			few := s.few
			s.few, s.regs = nil, make([]uint8, 1<<hllBits)
			for _, x := range few {
				s.addSpread(x)
			}
			s.addSpread(h)
			return
		case 2*len(s.few) > cap(s.few):
			s.few = slices.Grow(s.few, len(s.few))
		}
	}
	s.few = append(s.few, h)
}

func (s *Distinct) compact() {
	slices.Sort(s.few)
	s.few = slices.Compact(s.few)
}

func (s *Distinct) Merge(other Sketch) {
	o := other.(*Distinct)
	if o.regs == nil {
		for _, h := range o.few {
			s.addSpread(h)
		}
		return
	}
	few := s.few
	if s.regs == nil {
		s.few, s.regs = nil, make([]uint8, 1<<hllBits)
	}
	for i, r := range o.regs {
		s.regs[i] = max(s.regs[i], r)
	}
	for _, h := range few {
		s.addSpread(h)
	}
}

// Count is Ertl's improved estimator (arXiv:1702.01284), which needs no tables of
// corrections. Few hashes that did not outgrow the exact form count exactly; more
// are estimated even if the slice was long enough to hold them, so that the
// result does not depend on how rows were spread.
func (s *Distinct) Count() int64 {
	if s.regs == nil {
		s.compact()
		if len(s.few) <= hllExact {
			return int64(len(s.few))
		}
		few := s.few
		s.few, s.regs = nil, make([]uint8, 1<<hllBits)
		for _, h := range few {
			s.addSpread(h)
		}
	}
	const m, q = float64(1 << hllBits), 64 - hllBits
	var hist [q + 2]float64
	for _, r := range s.regs {
		hist[r]++
	}
	z := m * hllTau(1-hist[q+1]/m)
	for k := q; k >= 1; k-- {
		z = 0.5 * (z + hist[k])
	}
	z += m * hllSigma(hist[0]/m)
	return int64(math.Round(m * m / (2 * math.Ln2 * z)))
}

func hllSigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		was := z
		z += x * y
		y += y
		if z == was {
			return z
		}
	}
}

func hllTau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		was := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == was {
			return z / 3
		}
	}
}
