package segment

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/vec"
)

// A packed DICT section (flag packed, which fsst and front need) has, behind its 24 bytes, u64 stored
// bytes, u32 length of the symbol table, u32 0 and then, each at a 64-byte
// boundary: per 131,072 entries a page of stored lengths, each behind its own u32
// length and 60 zeros; with front as many of prefix lengths; the symbol table; the
// stored bytes.
//
// front: an entry is stored without the bytes that it shares with the entry before
// it; as entries are sorted, URLs shrink much. fsst: what is stored is compressed.
const (
	dictFSST   = 4
	dictFront  = 16
	dictPacked = 32
	packHead   = 40
)

// frontGain is how much of the plain bytes may be left for front to be used.
const frontGain = 0.85

// packed gives DICT in packed form, nil if that saves less than a tenth.
func (d *dictionary) packed(e *encoding.Encoder, flags uint32) []byte {
	n := len(d.offs) - 1
	flags |= dictPacked
	offs, data := d.offs, d.bytes
	var shared []uint32
	if o, b, p := d.front(); float64(len(b)) <= frontGain*float64(len(data)) {
		offs, data, shared = o, b, p
		flags |= dictFront
	}
	s, ok := e.Shrink(offs, data)
	if ok {
		offs, data = s.Offs, s.Bytes
		flags |= dictFSST
	}
	lens := make([]uint32, n)
	for i := range lens {
		lens[i] = offs[i+1] - offs[i]
	}
	b := make([]byte, 0, len(data)+4*n+4096)
	b = binary.LittleEndian.AppendUint32(b, uint32(n))
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(d.bytes)))
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s.Table)))
	b = padded(binary.LittleEndian.AppendUint32(b, 0))
	b = appendLengths(e, b, lens)
	if shared != nil {
		b = appendLengths(e, b, shared)
	}
	b = append(padded(append(b, s.Table...)), data...)
	if float64(len(b)) > 0.9*float64(24+4*len(d.offs)+len(d.bytes)) {
		return nil
	}
	return b
}

// front gives the entries without what they share with the entry before.
func (d *dictionary) front() (offs []uint32, data []byte, shared []uint32) {
	offs, shared = make([]uint32, 1, len(d.offs)), make([]uint32, 0, len(d.offs))
	data = make([]byte, 0, len(d.bytes)/2)
	var prev []byte
	for i := range len(d.offs) - 1 {
		v := d.bytes[d.offs[i]:d.offs[i+1]]
		k := common(prev, v)
		shared = append(shared, uint32(k))
		data = append(data, v[k:]...)
		offs = append(offs, uint32(len(data)))
		prev = v
	}
	return offs, data, shared
}

// common is how many bytes a and b begin with that are the same.
func common(a, b []byte) (k int) {
	n := min(len(a), len(b))
	for k+8 <= n {
		if x := binary.LittleEndian.Uint64(a[k:]) ^ binary.LittleEndian.Uint64(b[k:]); x != 0 {
			return k + bits.TrailingZeros64(x)/8
		}
		k += 8
	}
	for k < n && a[k] == b[k] {
		k++
	}
	return k
}

func appendLengths(e *encoding.Encoder, dst []byte, v []uint32) []byte {
	for part := range slices.Chunk(v, encoding.PageRows) {
		p := e.Ints(part)
		dst = padded(binary.LittleEndian.AppendUint32(dst, uint32(len(p))))
		dst = append(dst, p...)
	}
	return dst
}

// packReader reads the parts of a packed section.
type packReader struct {
	b  []byte
	at int
}

// next is the next n bytes, nil if they are not there.
func (r *packReader) next(n int) []byte {
	if n < 0 || n > len(r.b)-r.at {
		return nil
	}
	b := r.b[r.at : r.at+n : r.at+n]
	r.at = min(pad(r.at+n), len(r.b))
	return b
}

func (r *packReader) lengths(n int) ([]uint32, error) {
	var v []uint32
	for len(v) < n {
		head := r.next(4)
		if head == nil {
			return nil, &errs.Corrupt{Reason: "short dictionary"}
		}
		page := r.next(int(binary.LittleEndian.Uint32(head)))
		k := min(encoding.PageRows, n-len(v))
		v = slices.Grow(v, k)[:len(v)+k]
		if err := encoding.Ints(v[len(v)-k:], page); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// unpack decodes a packed section of n entries that take size bytes.
func unpack(b []byte, n int, flags uint32, size uint64) (offs []uint32, data []byte, err error) {
	bad := &errs.Corrupt{Reason: "bad dictionary"}
	if len(b) < packHead || size > mergeDictBytesMax {
		return nil, nil, bad
	}
	stored, table := binary.LittleEndian.Uint64(b[24:]), binary.LittleEndian.Uint32(b[32:])
	r := packReader{b, align}
	lens, err := r.lengths(n)
	if err != nil {
		return nil, nil, err
	}
	var shared []uint32
	if flags&dictFront != 0 {
		if shared, err = r.lengths(n); err != nil {
			return nil, nil, err
		}
	}
	symbols := r.next(int(table))
	if stored > uint64(len(b)) {
		return nil, nil, bad
	}
	in := r.next(int(stored))
	if symbols == nil || in == nil || r.at != len(b) {
		return nil, nil, bad
	}
	var x encoding.Expander
	if flags&dictFSST != 0 {
		if x, err = encoding.OpenTable(symbols); err != nil {
			return nil, nil, err
		}
	}
	offs, data = make([]uint32, 1, n+1), make([]byte, 0, size+64)
	for i, k := range lens {
		if uint64(k) > uint64(len(in)) {
			return nil, nil, bad
		}
		if shared != nil {
			last := data[offs[max(i, 1)-1]:]
			if uint64(shared[i]) > uint64(len(last)) {
				return nil, nil, bad
			}
			data = append(data, last[:shared[i]]...)
		}
		if flags&dictFSST == 0 {
			data = append(data, in[:k]...)
		} else if data, err = x.Append(data, in[:k]); err != nil {
			return nil, nil, err
		}
		if uint64(len(data)) > size {
			return nil, nil, bad
		}
		in = in[k:]
		offs = append(offs, uint32(len(data)))
	}
	if len(in) > 0 || uint64(len(data)) != size {
		return nil, nil, bad
	}
	return offs, data, nil
}

// plainDict reads the values of a section that is not packed.
func plainDict(b []byte, n int, size uint64) (offs []uint32, data []byte, ok bool) {
	offBytes := 4 * (n + 1)
	if len(b) < 24+offBytes || uint64(len(b)-24-offBytes) != size {
		return nil, nil, false
	}
	return vec.CastSlice[uint32](b[24 : 24+offBytes]), b[24+offBytes:], true
}
