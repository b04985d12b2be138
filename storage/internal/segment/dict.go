package segment

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"

	"quern/storage/internal/encoding"
	"quern/storage/vec"
)

// Bounds of a segment dictionary. Beyond them a dictionary costs more memory at
// query time than it saves on disk.
const (
	dictEntriesMax = 1 << 20
	dictBytesMax   = 64 << 20
	// mergeDictBytesMax is the most that a merge may take for a dictionary, and a
	// reader accepts.
	mergeDictBytesMax = 256 << 20
	// dictRowsPerEntry is how often a value must occur on average. NB: a quarter
	// was planned for when row groups have dictionaries and strings are packed;
	// until then the other choice is plain bytes.
	dictRowsPerEntry = 2
	// dictSample rows decide early that a column has too many values.
	dictSample      = 65536
	dictSampleLimit = dictSample * 15 / 16
)

// dictionary is a column as codes into sorted distinct values.
type dictionary struct {
	codes []uint32
	valid []byte // nil = no NULL
	offs  []uint32
	bytes []byte
	ascii bool
}

// dictionary builds the dictionary of a bytes column, or returns nil if it
// would not pay.
func (b *builder) dictionary(c *Column) *dictionary {
	cols, ok := b.slabColumns(c.ID)
	d := b.distinct()
	defer b.keepDistinct(d)
	d.limit = min(dictEntriesMax, max(1, len(b.refs)/dictRowsPerEntry))
	codes := make([][]uint32, len(cols))
	rows := 0
	for s := range cols {
		if !ok[s] {
			cols[s] = constant(c, b.list[s].Rows)
		}
	}
	if fewRepeat(cols) {
		return nil
	}
	for s := range cols {
		if codes[s] = d.column(&cols[s], &rows); codes[s] == nil {
			return nil
		}
	}
	if len(d.hashes) == 0 {
		return nil // all NULL: the page says so
	}
	out := &dictionary{codes: make([]uint32, len(b.refs)), ascii: encoding.IsASCII(d.bytes)}
	remap := d.sorted(out)
	nullable := slices.ContainsFunc(cols, func(c encoding.Column) bool { return c.Valid != nil })
	if nullable {
		out.valid = make([]byte, len(b.refs))
	}
	used := make([]bool, len(remap))
	for i, ref := range b.refs {
		s, r := ref>>16, ref&0xFFFF
		if nullable {
			if v := cols[s].Valid; v != nil && v[r] == 0 {
				continue
			}
			out.valid[i] = 1
		}
		out.codes[i] = remap[codes[s][r]]
		used[out.codes[i]] = true
	}
	out.prune(used)
	return out
}

// fewRepeat tells from neighbours and from rows all over the slabs that values hardly
// repeat, so that a dictionary need not be tried. Of values that occur twice on average
// in a million rows, 50 of 8,192 repeat another one.
func fewRepeat(cols []encoding.Column) bool {
	const sample, few = 8192, 24
	rows := 0
	for s := range cols {
		rows += cols[s].N
	}
	if rows < 4*sample {
		return false
	}
	near, far := map[uint64]struct{}{}, map[uint64]struct{}{}
	nears, fars, base := 0, 0, 0
	step := rows / sample
	for s := range cols {
		c := &cols[s]
		for i := range c.N {
			row := base + i
			isNear, isFar := row < sample, row%step == 0
			if !isNear && !isFar || c.Null(i) {
				continue
			}
			h := vec.HashBytes(c.Value(i))
			if isNear {
				near[h] = struct{}{}
				nears++
			}
			if isFar {
				far[h] = struct{}{}
				fars++
			}
		}
		base += c.N
	}
	return nears > sample/2 && fars > sample/2 && nears-len(near) < few && fars-len(far) < few
}

// prune drops entries that no row of the segment uses: the value of a row that
// is left out must not live on in the dictionary.
func (d *dictionary) prune(used []bool) {
	if !slices.Contains(used, false) {
		return
	}
	remap := make([]uint32, len(used))
	offs, data := []uint32{0}, d.bytes[:0:0]
	for i, u := range used {
		if u {
			remap[i] = uint32(len(offs) - 1)
			data = append(data, d.bytes[d.offs[i]:d.offs[i+1]]...)
			offs = append(offs, uint32(len(data)))
		}
	}
	d.offs, d.bytes = offs, data
	for i := range d.codes {
		d.codes[i] = remap[d.codes[i]]
	}
}

const (
	dictSorted = 1
	dictASCII  = 2
)

// DictBytes is the stored size of a column's dictionary; ok is false if it has none.
func (s *File) DictBytes(column uint32) (n int64, ok bool) {
	e, ok := s.entry(column, kindDict)
	return int64(e.length), ok
}

// section gives DICT.
func (d *dictionary) section(e *encoding.Encoder) []byte {
	flags := uint32(dictSorted)
	if d.ascii {
		flags |= dictASCII
	}
	if b := d.packed(e, flags); b != nil {
		return b
	}
	b := make([]byte, 0, 24+4*len(d.offs)+len(d.bytes))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(d.offs)-1))
	b = binary.LittleEndian.AppendUint32(b, flags)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(d.bytes)))
	b = binary.LittleEndian.AppendUint64(b, 0)
	b = append(b, vec.BytesOf(d.offs)...)
	return append(b, d.bytes...)
}

// distinct numbers the distinct values that it sees: an open-addressing table of
// codes, hashes beside the values.
type distinct struct {
	limit  int
	slots  []uint32 // code+1, 0 = free
	hashes []uint64 // by code
	offs   []uint32 // by code
	bytes  []byte
}

// slotsMin is the size of a new table; a table of another column is used again up
// to slotsKept, since clearing a large one costs more than growing.
const (
	slotsMin  = 4096
	slotsKept = 64 << 10
)

// init empties d; its memory is used again.
func (d *distinct) init() {
	if len(d.slots) == 0 || len(d.slots) > slotsKept {
		d.slots = make([]uint32, slotsMin)
	} else {
		clear(d.slots)
	}
	d.hashes, d.offs, d.bytes = d.hashes[:0], append(d.offs[:0], 0), d.bytes[:0]
}

// distinct lends an empty table.
func (b *builder) distinct() *distinct {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := new(distinct)
	if n := len(b.tables); n > 0 {
		d, b.tables = b.tables[n-1], b.tables[:n-1]
	}
	d.init()
	return d
}

// keepDistinct takes a table back; nothing that was made from it aliases it.
func (b *builder) keepDistinct(d *distinct) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tables = append(b.tables, d)
}

// column gives the codes of a slab's column, nil once there are too many
// values. rows counts the values seen.
func (d *distinct) column(c *encoding.Column, rows *int) []uint32 {
	codes := make([]uint32, c.N)
	var last []byte
	code, known := uint32(0), false
	for i := range codes {
		if c.Null(i) {
			continue
		}
		// Neighbours are often alike, most of all where columns are mostly empty.
		if v := c.Value(i); !known || len(v) != len(last) || !bytes.Equal(v, last) {
			code, last, known = d.add(v), v, true
		}
		codes[i] = code
		*rows++
		if len(d.hashes) > d.limit || len(d.bytes) > dictBytesMax {
			return nil
		}
		if *rows == dictSample && len(d.hashes) > dictSampleLimit {
			return nil
		}
	}
	return codes
}

func (d *distinct) add(v []byte) uint32 { return d.addHashed(v, vec.HashBytes(v)) }

// addHashed is add for a value whose hash is known.
func (d *distinct) addHashed(v []byte, h uint64) uint32 {
	if 2*len(d.hashes) >= len(d.slots) {
		d.grow()
	}
	mask := uint64(len(d.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		s := d.slots[at]
		if s == 0 {
			d.slots[at] = d.insert(v, h)
			return d.slots[at] - 1
		}
		if d.hashes[s-1] == h && bytes.Equal(d.bytes[d.offs[s-1]:d.offs[s]], v) {
			return s - 1
		}
	}
}

// insert appends a value and returns its code+1.
func (d *distinct) insert(v []byte, h uint64) uint32 {
	d.hashes = append(d.hashes, h)
	d.bytes = append(d.bytes, v...)
	d.offs = append(d.offs, uint32(min(len(d.bytes), math.MaxUint32)))
	return uint32(len(d.hashes))
}

// grow doubles the table.
func (d *distinct) grow() {
	d.slots = make([]uint32, 2*len(d.slots))
	mask := uint64(len(d.slots) - 1)
	for code, h := range d.hashes {
		at := h & mask
		for d.slots[at] != 0 {
			at = (at + 1) & mask
		}
		d.slots[at] = uint32(code) + 1
	}
}

// sorted moves the values in bytewise order to out and returns old code → new.
func (d *distinct) sorted(out *dictionary) []uint32 {
	n := len(d.hashes)
	keys := make([]prefixed64, n)
	for i := range keys {
		keys[i] = prefixed64{prefix64(d.value(i)), uint32(i)}
	}
	sortPrefixed(keys, func(a, b uint32) int { return bytes.Compare(d.value(int(a)), d.value(int(b))) })
	remap := make([]uint32, n)
	out.offs = make([]uint32, 1, n+1)
	out.bytes = make([]byte, 0, len(d.bytes))
	for k, x := range keys {
		remap[x.idx] = uint32(k)
		out.bytes = append(out.bytes, d.value(int(x.idx))...)
		out.offs = append(out.offs, uint32(len(out.bytes)))
	}
	return remap
}

func (d *distinct) value(code int) []byte { return d.bytes[d.offs[code]:d.offs[code+1]] }

// prefix64 is the first 8 bytes as an integer of the same order.
func prefix64(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var x uint64
	for i := range 8 {
		x <<= 8
		if i < len(b) {
			x |= uint64(b[i])
		}
	}
	return x
}
