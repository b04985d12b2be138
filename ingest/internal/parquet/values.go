package parquet

import (
	"encoding/binary"
	"errors"
	"io"
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

// chunkReader decodes one column chunk.
type chunkReader struct {
	f    *File
	leaf *leaf
	dict values
	out  values
	has  bool // dict was read
	def  []uint32
	code []uint32
}

// readChunk decodes a whole column chunk of a flat column.
func (f *File) readChunk(l *leaf, c *chunk) (*values, error) {
	if c.encrypted || c.elsewhere {
		return nil, errs.NotSupported("an encrypted or external Parquet column chunk")
	}
	if c.numValues == 0 {
		return &values{}, nil
	}
	p := f.pagesOf(l, c)
	defer p.done()
	if err := f.budget.Take(c.numValues * valueBytes); err != nil {
		return nil, err
	}
	defer f.budget.Give(c.numValues * valueBytes)
	r := &chunkReader{f: f, leaf: l}
	for {
		h, body, err := p.next()
		if err == io.EOF {
			return &r.out, nil
		}
		if err != nil {
			return nil, err
		}
		if h.typ == pageDict {
			err = r.dictionary(&h, body)
		} else {
			err = r.data(&h, body)
		}
		if err != nil {
			if errs.CodeOf(err) != errs.Internal {
				return nil, err
			}
			return nil, malformed("%s: %v", l, err)
		}
	}
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
	return r.plain(&r.dict, body, int(h.values))
}

// data decodes one data page.
func (r *chunkReader) data(h *pageHeader, body []byte) error {
	n := int(h.values)
	present, body, err := r.levels(h, body, n)
	if err != nil {
		return err
	}
	before := r.out.len()
	if err := r.decode(h.encoding, body, present); err != nil {
		return err
	}
	if got := r.out.len() - before; got != present {
		return errShort
	}
	if r.leaf.defMax > 0 {
		r.spread(n, present)
	}
	return nil
}

// levels reads the definition levels of n values into r.def and gives how many
// are present, and the bytes behind the levels.
func (r *chunkReader) levels(h *pageHeader, body []byte, n int) (present int, rest []byte, err error) {
	if h.typ == pageDataV2 {
		levels := body[h.repBytes : h.repBytes+h.defBytes]
		rest = body[h.repBytes+h.defBytes:]
		if r.leaf.defMax == 0 {
			return n, rest, nil
		}
		present, err = r.readDef(levels, n)
		return present, rest, err
	}
	if r.leaf.defMax == 0 {
		return n, body, nil
	}
	if h.defEncoding == encBitPacked {
		return 0, nil, errs.NotSupported("Parquet levels in BIT_PACKED encoding")
	}
	if len(body) < 4 {
		return 0, nil, errShort
	}
	size := binary.LittleEndian.Uint32(body)
	if uint64(size) > uint64(len(body)-4) {
		return 0, nil, errShort
	}
	present, err = r.readDef(body[4:4+size], n)
	return present, body[4+size:], err
}

func (r *chunkReader) readDef(b []byte, n int) (present int, err error) {
	d, err := newHybrid(b, levelWidth(r.leaf.defMax))
	if err != nil {
		return 0, err
	}
	r.def = slices.Grow(r.def[:0], n)[:n]
	if err := d.read(r.def); err != nil {
		return 0, err
	}
	for _, l := range r.def {
		if l > uint32(r.leaf.defMax) {
			return 0, errors.New("definition level is out of range")
		}
		if l == uint32(r.leaf.defMax) {
			present++
		}
	}
	return present, nil
}

// spread moves the last `present` values apart to their rows, NULLs between.
func (r *chunkReader) spread(n, present int) {
	start := r.out.len() - present
	r.out.valid = slices.Grow(r.out.valid, n)
	for _, l := range r.def[:n] {
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

// decode appends n values.
func (r *chunkReader) decode(enc int, b []byte, n int) error {
	switch enc {
	case encPlain:
		return r.plain(&r.out, b, n)
	case encPlainDict, encRLEDict:
		return r.coded(b, n)
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

func (r *chunkReader) plain(out *values, b []byte, n int) error {
	width := [...]int{0, 4, 8, 12, 4, 8, 0, r.leaf.typeLength}[r.leaf.phys]
	if width > 0 && len(b)/width < n || r.leaf.phys == physBoolean && len(b)*8 < n {
		return errShort
	}
	switch r.leaf.phys {
	case physBoolean:
		for i := range n {
			out.ints = append(out.ints, int64(b[i>>3]>>(i&7)&1))
		}
	case physInt32:
		for i := range n {
			out.ints = append(out.ints, int64(int32(binary.LittleEndian.Uint32(b[4*i:]))))
		}
	case physInt64:
		for i := range n {
			out.ints = append(out.ints, int64(binary.LittleEndian.Uint64(b[8*i:])))
		}
	case physFloat:
		for i := range n {
			out.floats = append(out.floats, float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))))
		}
	case physDouble:
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
				return errShort
			}
			size := binary.LittleEndian.Uint32(b)
			if uint64(size) > uint64(len(b)-4) {
				return errShort
			}
			out.bytes = append(out.bytes, b[4:4+size])
			b = b[4+size:]
		}
	}
	return nil
}

// coded reads dictionary indices: a width byte, then the hybrid.
func (r *chunkReader) coded(b []byte, n int) error {
	if !r.has {
		return errors.New("dictionary page is missing")
	}
	if n == 0 {
		return nil
	}
	if len(b) == 0 {
		return errShort
	}
	h, err := newHybrid(b[1:], int(b[0]))
	if err != nil {
		return err
	}
	r.code = slices.Grow(r.code[:0], n)[:n]
	if err := h.read(r.code); err != nil {
		return err
	}
	size := uint32(r.dict.len())
	for _, c := range r.code {
		if c >= size {
			return errors.New("dictionary index is out of range")
		}
	}
	switch r.leaf.phys {
	case physBoolean, physInt32, physInt64:
		for _, c := range r.code {
			r.out.ints = append(r.out.ints, r.dict.ints[c])
		}
	case physFloat, physDouble:
		for _, c := range r.code {
			r.out.floats = append(r.out.floats, r.dict.floats[c])
		}
	default:
		for _, c := range r.code {
			r.out.bytes = append(r.out.bytes, r.dict.bytes[c])
		}
	}
	return nil
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
	return r.plain(&r.out, joined, n)
}
