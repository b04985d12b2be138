package sketch

import (
	"encoding/binary"
	"errors"
	"math"
)

// errBytes says that bytes are no sketch.
var errBytes = errors.New("not a sketch")

// AppendTo appends s in a form that Load understands: hashes, or a byte and the
// registers.
func (s *Distinct) AppendTo(b []byte) []byte {
	if s.regs != nil {
		return append(append(b, 1), s.regs...)
	}
	b = append(b, 0)
	for _, h := range s.few {
		b = binary.LittleEndian.AppendUint64(b, h)
	}
	return b
}

// Load makes s what AppendTo wrote.
func (s *Distinct) Load(b []byte) error {
	*s = Distinct{}
	switch {
	case len(b) == 1+1<<hllBits && b[0] == 1:
		s.regs = append([]uint8(nil), b[1:]...)
	case len(b)%8 == 1 && b[0] == 0:
		for b = b[1:]; len(b) > 0; b = b[8:] {
			s.few = append(s.few, binary.LittleEndian.Uint64(b))
		}
	default:
		return errBytes
	}
	return nil
}

// AppendTo appends s in a form that Load understands: whether it has P and
// buckets; P, count, least and greatest; then values, or buckets with counts.
func (s *Quantiles) AppendTo(b []byte) []byte {
	flags := byte(0)
	if s.HasP {
		flags |= 1
	}
	if s.buckets != nil {
		flags |= 2
	}
	b = append(b, flags)
	for _, x := range []uint64{math.Float64bits(s.P), s.n, math.Float64bits(s.lo), math.Float64bits(s.hi)} {
		b = binary.LittleEndian.AppendUint64(b, x)
	}
	for _, x := range s.few {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	for k, n := range s.buckets {
		b = binary.LittleEndian.AppendUint32(b, uint32(k))
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	return b
}

// Load makes s what AppendTo wrote.
func (s *Quantiles) Load(b []byte) error {
	if len(b) < 33 {
		return errBytes
	}
	u64 := func(at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	*s = Quantiles{HasP: b[0]&1 != 0, P: math.Float64frombits(u64(1)), n: u64(9),
		lo: math.Float64frombits(u64(17)), hi: math.Float64frombits(u64(25))}
	has := b[0]&2 != 0
	b = b[33:]
	switch {
	case has && len(b)%12 == 0:
		s.buckets = map[int32]uint64{}
		for ; len(b) > 0; b = b[12:] {
			s.buckets[int32(binary.LittleEndian.Uint32(b))] = u64(4)
		}
	case !has && len(b)%8 == 0:
		for ; len(b) > 0; b = b[8:] {
			s.few = append(s.few, math.Float64frombits(u64(0)))
		}
	default:
		return errBytes
	}
	return nil
}
