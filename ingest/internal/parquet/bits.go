package parquet

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// errShort says that a page holds fewer values than it claims.
var errShort = errors.New("page is too short")

// hybrid reads the RLE / bit-packed hybrid of Encodings.md, used by levels,
// dictionary indices and RLE booleans. Each call to read yields exactly as many
// values as asked for, or an error: it never loops without progress.
type hybrid struct {
	b     []byte
	width int
	// current run: repeat value × left, or left packed values in packed.
	left   int
	repeat bool
	value  uint32
	packed []byte
	at     int // next value in packed
}

func newHybrid(b []byte, width int) (*hybrid, error) {
	if width < 0 || width > 32 {
		return nil, errors.New("bit width is out of range")
	}
	return &hybrid{b: b, width: width}, nil
}

func (h *hybrid) read(out []uint32) error {
	for len(out) > 0 {
		if h.left == 0 {
			if err := h.run(); err != nil {
				return err
			}
			continue
		}
		n := min(len(out), h.left)
		if h.repeat {
			for i := range out[:n] {
				out[i] = h.value
			}
		} else {
			h.unpack(out[:n])
			h.at += n
		}
		h.left -= n
		out = out[n:]
	}
	return nil
}

// unpack reads packed values; they lie inside packed.
func (h *hybrid) unpack(out []uint32) {
	p, w, pos := h.packed, h.width, h.at*h.width
	mask := uint64(1)<<w - 1
	i := 0
	for last := (len(p) - 8) * 8; i < len(out) && pos <= last; i++ {
		out[i] = uint32(binary.LittleEndian.Uint64(p[pos>>3:]) >> (pos & 7) & mask)
		pos += w
	}
	for ; i < len(out); i++ {
		out[i] = bitsAt(p, pos, w)
		pos += w
	}
}

// skip passes over n values if the present run holds them and they are x.
func (h *hybrid) skip(n int, x uint32) bool {
	for h.left == 0 {
		if h.run() != nil {
			return false // read says why
		}
	}
	if !h.repeat || h.value != x || h.left < n {
		return false
	}
	h.left -= n
	return true
}

// run starts the next run; every run consumes at least its header byte.
func (h *hybrid) run() error {
	head, n := binary.Uvarint(h.b)
	if n <= 0 {
		return errShort
	}
	h.b = h.b[n:]
	if head&1 == 0 {
		size := (h.width + 7) / 8
		if len(h.b) < size || head>>1 > 1<<31 {
			return errShort
		}
		h.value = 0
		for i := size - 1; i >= 0; i-- {
			h.value = h.value<<8 | uint32(h.b[i])
		}
		h.b = h.b[size:]
		h.repeat, h.left = true, int(head>>1)
		return nil
	}
	groups := head >> 1
	if groups > 1<<28 {
		return errShort
	}
	count, size := int(groups)*8, int(groups)*h.width
	if size > len(h.b) {
		// The last run may be cut to the bytes that its values need.
		size = len(h.b)
		if h.width > 0 {
			count = size * 8 / h.width
		}
	}
	h.packed, h.b = h.b[:size], h.b[size:]
	h.repeat, h.left, h.at = false, count, 0
	return nil
}

// bitsAt reads width ≤ 32 bits at bit position pos, LSB first. The bits lie
// inside b.
func bitsAt(b []byte, pos, width int) uint32 {
	if width == 0 {
		return 0
	}
	i, shift := pos>>3, pos&7
	var w uint64
	if i+8 <= len(b) {
		w = binary.LittleEndian.Uint64(b[i:])
	} else {
		for j := i; j < len(b); j++ {
			w |= uint64(b[j]) << (8 * (j - i))
		}
	}
	return uint32(w >> shift & (1<<width - 1))
}

// deltas decodes DELTA_BINARY_PACKED: n values, and the bytes behind them.
func deltas(b []byte, n int, budget *Budget) (out []int64, rest []byte, err error) {
	d := &deltaReader{b: b}
	block, minis, total := d.uvarint(), d.uvarint(), d.uvarint()
	first := d.zigzag()
	switch {
	case d.bad:
		return nil, nil, errShort
	case block == 0 || block%128 != 0 || block > 1<<20 || minis == 0 || minis > block/32 || block/minis%32 != 0 || block%minis != 0:
		return nil, nil, errors.New("delta block sizes")
	case total != uint64(n):
		return nil, nil, errors.New("delta page claims another number of values")
	}
	if err := budget.Take(int64(n) * 8); err != nil {
		return nil, nil, err
	}
	out = make([]int64, 0, n)
	if n == 0 {
		return out, d.b, nil
	}
	out = append(out, first)
	for len(out) < n {
		if out, err = d.block(out, n, int(minis), int(block/minis)); err != nil {
			return nil, nil, err
		}
	}
	return out, d.b, nil
}

type deltaReader struct {
	b   []byte
	bad bool
}

func (d *deltaReader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *deltaReader) zigzag() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// block decodes one block of minis miniblocks of perMini values each.
func (d *deltaReader) block(out []int64, n, minis, perMini int) ([]int64, error) {
	least := d.zigzag()
	if d.bad || len(d.b) < minis {
		return nil, errShort
	}
	widths := d.b[:minis]
	d.b = d.b[minis:]
	last := out[len(out)-1]
	for _, w := range widths {
		if len(out) == n {
			break // widths of unneeded miniblocks are noise
		}
		width := int(w)
		if width > 64 {
			return nil, errors.New("delta bit width")
		}
		size := perMini * width / 8
		if size > len(d.b) {
			return nil, errShort
		}
		for i := 0; i < perMini && len(out) < n; i++ {
			last += least + int64(wideBitsAt(d.b[:size], i*width, width))
			out = append(out, last)
		}
		d.b = d.b[size:]
	}
	return out, nil
}

// wideBitsAt is bitsAt for up to 64 bits.
func wideBitsAt(b []byte, pos, width int) uint64 {
	if width <= 32 {
		return uint64(bitsAt(b, pos, width))
	}
	return uint64(bitsAt(b, pos, 32)) | uint64(bitsAt(b, pos+32, width-32))<<32
}

// levelWidth is the bits of levels up to max.
func levelWidth(max int) int { return bits.Len(uint(max)) }
