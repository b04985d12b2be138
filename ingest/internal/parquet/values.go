package parquet

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"quern/storage/errs"
)

// Encodings of parquet.thrift.
const (
	encPlain      = 0
	encPlainDict  = 2
	encRLE        = 3
	encBitPacked  = 4
	encDelta      = 5
	encDeltaLen   = 6
	encDeltaBytes = 7
	encRLEDict    = 8
	encSplit      = 9
)

// values are the decoded values of one column chunk, NULLs filled with zero
// values. Exactly one of the slices is used, by physical type.
type values struct {
	ints   []int64   // BOOLEAN, INT32, INT64
	floats []float64 // FLOAT, DOUBLE
	bytes  [][]byte  // BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY, INT96
	valid  []bool    // nil if the column is required
}

func (v *values) len() int { return max(len(v.ints), len(v.floats), len(v.bytes)) }

// valueBytes is what a value takes while it is decoded, for the budget.
const valueBytes = 24

// chunkReader decodes pages of one column chunk.
type chunkReader struct {
	f        *File
	leaf     *leaf
	dict     values
	size     int // of the dictionary
	out      values
	has      bool // dict was read
	levelBuf []uint32
	code     []uint32
}

func (r *chunkReader) dictionary(h *pageHeader, body []byte) error {
	if r.has {
		return errors.New("second dictionary")
	}
	if h.encoding != encPlain && h.encoding != encPlainDict {
		return errors.New("dictionary is not plain")
	}
	// A plain value takes at least a bit.
	if h.values > int64(len(body))*8 {
		return errShort
	}
	if err := r.f.budget.Take(h.values * valueBytes); err != nil {
		return err
	}
	r.has = true
	_, err := r.plain(&r.dict, body, int(h.values))
	return err
}

// levels gives a reader of the definition levels, nil if there are none, and the
// bytes behind them.
func (r *chunkReader) levels(h *pageHeader, body []byte) (def *hybrid, rest []byte, err error) {
	if h.typ == pageDataV2 {
		levels := body[h.repBytes : h.repBytes+h.defBytes]
		rest = body[h.repBytes+h.defBytes:]
		if r.leaf.defMax == 0 {
			return nil, rest, nil
		}
		def, err = newHybrid(levels, levelWidth(r.leaf.defMax))
		return def, rest, err
	}
	if r.leaf.defMax == 0 {
		return nil, body, nil
	}
	if h.defEncoding == encBitPacked {
		return nil, nil, errs.NotSupported("Parquet levels in BIT_PACKED encoding")
	}
	if len(body) < 4 {
		return nil, nil, errShort
	}
	size := binary.LittleEndian.Uint32(body)
	if uint64(size) > uint64(len(body)-4) {
		return nil, nil, errShort
	}
	def, err = newHybrid(body[4:4+size], levelWidth(r.leaf.defMax))
	return def, body[4+size:], err
}

// spread moves the last `present` values apart to their rows, NULLs between.
func (r *chunkReader) spread(n, present int) {
	start := r.out.len() - present
	r.out.valid = slices.Grow(r.out.valid, n)
	for _, l := range r.levelBuf[:n] {
		r.out.valid = append(r.out.valid, l == uint32(r.leaf.defMax))
	}
	valid := r.out.valid[len(r.out.valid)-n:]
	switch r.leaf.phys {
	case physBoolean, physInt32, physInt64:
		r.out.ints = spread(r.out.ints, start, valid)
	case physFloat, physDouble:
		r.out.floats = spread(r.out.floats, start, valid)
	default:
		r.out.bytes = spread(r.out.bytes, start, valid)
	}
}

func spread[T any](v []T, start int, valid []bool) []T {
	from := len(v)
	v = slices.Grow(v, start+len(valid)-len(v))[:start+len(valid)]
	var zero T
	for i := len(valid) - 1; i >= 0; i-- {
		if !valid[i] {
			v[start+i] = zero
			continue
		}
		from--
		v[start+i] = v[from]
	}
	return v
}

// decode appends n values of a page that has no codes.
func (r *chunkReader) decode(enc int, b []byte, n int) error {
	switch enc {
	case encPlain:
		_, err := r.plain(&r.out, b, n)
		return err
	case encRLE:
		return r.booleans(b, n)
	case encDelta:
		return r.delta(b, n)
	case encDeltaLen:
		return r.deltaLength(b, n)
	case encDeltaBytes:
		return r.deltaBytes(b, n)
	case encSplit:
		return r.split(b, n)
	}
	return errs.NotSupported("an unknown Parquet encoding")
}

// plain appends n values and gives the bytes behind them.
func (r *chunkReader) plain(out *values, b []byte, n int) ([]byte, error) {
	width := [...]int{0, 4, 8, 12, 4, 8, 0, r.leaf.typeLength}[r.leaf.phys]
	if width > 0 && len(b)/width < n || r.leaf.phys == physBoolean && len(b)*8 < n {
		return nil, errShort
	}
	switch r.leaf.phys {
	case physBoolean:
		for i := range n {
			out.ints = append(out.ints, int64(b[i>>3]>>(i&7)&1))
		}
	case physInt32:
		out.ints = slices.Grow(out.ints, n)
		for i := range n {
			out.ints = append(out.ints, int64(int32(binary.LittleEndian.Uint32(b[4*i:]))))
		}
	case physInt64:
		out.ints = slices.Grow(out.ints, n)
		for i := range n {
			out.ints = append(out.ints, int64(binary.LittleEndian.Uint64(b[8*i:])))
		}
	case physFloat:
		out.floats = slices.Grow(out.floats, n)
		for i := range n {
			out.floats = append(out.floats, float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))))
		}
	case physDouble:
		out.floats = slices.Grow(out.floats, n)
		for i := range n {
			out.floats = append(out.floats, math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
		}
	case physInt96, physFixed:
		for i := range n {
			out.bytes = append(out.bytes, b[i*width:(i+1)*width])
		}
	case physByteArray:
		for range n {
			if len(b) < 4 {
				return nil, errShort
			}
			size := binary.LittleEndian.Uint32(b)
			if uint64(size) > uint64(len(b)-4) {
				return nil, errShort
			}
			out.bytes = append(out.bytes, b[4:4+size])
			b = b[4+size:]
		}
		return b, nil
	}
	return b[n*width:], nil
}

func (r *chunkReader) booleans(b []byte, n int) error {
	if r.leaf.phys != physBoolean {
		return errors.New("RLE encoding is for booleans")
	}
	if len(b) < 4 {
		return errShort
	}
	size := binary.LittleEndian.Uint32(b)
	if uint64(size) > uint64(len(b)-4) {
		return errShort
	}
	h, err := newHybrid(b[4:4+size], 1)
	if err != nil {
		return err
	}
	r.code = slices.Grow(r.code[:0], n)[:n]
	if err := h.read(r.code); err != nil {
		return err
	}
	for _, c := range r.code {
		r.out.ints = append(r.out.ints, int64(c))
	}
	return nil
}

func (r *chunkReader) delta(b []byte, n int) error {
	if r.leaf.phys != physInt32 && r.leaf.phys != physInt64 {
		return errors.New("DELTA_BINARY_PACKED is for integers")
	}
	v, _, err := deltas(b, n, r.f.budget)
	if err != nil {
		return err
	}
	defer r.f.budget.Give(int64(n) * 8)
	if r.leaf.phys == physInt32 {
		for i := range v {
			v[i] = int64(int32(v[i])) // arithmetic wraps in 32 bits
		}
	}
	r.out.ints = append(r.out.ints, v...)
	return nil
}

func (r *chunkReader) deltaLength(b []byte, n int) error {
	if r.leaf.phys != physByteArray {
		return errors.New("DELTA_LENGTH_BYTE_ARRAY is for byte arrays")
	}
	lengths, b, err := deltas(b, n, r.f.budget)
	if err != nil {
		return err
	}
	defer r.f.budget.Give(int64(n) * 8)
	for _, l := range lengths {
		if l < 0 || l > int64(len(b)) {
			return errShort
		}
		r.out.bytes = append(r.out.bytes, b[:l])
		b = b[l:]
	}
	return nil
}

// deltaBytes: each value shares a prefix with the one before.
func (r *chunkReader) deltaBytes(b []byte, n int) error {
	if r.leaf.phys != physByteArray && r.leaf.phys != physFixed {
		return errors.New("DELTA_BYTE_ARRAY is for byte arrays")
	}
	prefixes, b, err := deltas(b, n, r.f.budget)
	if err != nil {
		return err
	}
	suffixes, b, err := deltas(b, n, r.f.budget)
	if err != nil {
		return err
	}
	defer r.f.budget.Give(int64(n) * 16)
	var last []byte
	for i := range n {
		p, s := prefixes[i], suffixes[i]
		if p < 0 || p > int64(len(last)) || s < 0 || s > int64(len(b)) {
			return errShort
		}
		if err := r.f.budget.Take(p + s); err != nil {
			return err
		}
		v := make([]byte, 0, p+s)
		v = append(append(v, last[:p]...), b[:s]...)
		b = b[s:]
		if r.leaf.phys == physFixed && len(v) != r.leaf.typeLength {
			return errors.New("value has another length than its type")
		}
		r.out.bytes = append(r.out.bytes, v)
		last = v
	}
	return nil
}

// split undoes BYTE_STREAM_SPLIT: byte k of all values lies in stream k.
func (r *chunkReader) split(b []byte, n int) error {
	width := [...]int{0, 4, 8, 0, 4, 8, 0, r.leaf.typeLength}[r.leaf.phys]
	if width == 0 {
		return errors.New("BYTE_STREAM_SPLIT is for fixed widths")
	}
	if len(b)/width < n {
		return errShort
	}
	joined := make([]byte, n*width)
	stride := len(b) / width
	for k := range width {
		for i, c := range b[k*stride : k*stride+n] {
			joined[i*width+k] = c
		}
	}
	_, err := r.plain(&r.out, joined, n)
	return err
}
