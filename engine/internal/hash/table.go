package hash

import (
	"bytes"

	"quern/storage/vec"
)

// Table maps keys to rows of words. Not for concurrent use.
type Table struct {
	k      *Keys
	stride int
	slots  []uint64 // tag<<32 | row number + 1; 0 = free
	mask   uint64
	Rows   []uint64 // n rows of stride words
	n      int
	arena  *Arena
	scan   []uint64 // key words of a batch
	hashes []uint64
	stored []Stored
}

// NewTable makes an empty table of rows with state words after the key's.
func NewTable(k *Keys, states int, arena *Arena) *Table {
	return &Table{k: k, stride: k.Words + states, arena: arena}
}

// Stride is the number of words of a row.
func (t *Table) Stride() int { return t.stride }

// Len is the number of rows.
func (t *Table) Len() int { return t.n }

// Size is the memory held, in bytes, arenas not counted.
func (t *Table) Size() int {
	return 8 * (cap(t.slots) + cap(t.Rows) + cap(t.scan) + cap(t.hashes))
}

// Reset empties the table and keeps its memory.
func (t *Table) Reset() {
	clear(t.slots)
	t.Rows, t.n = t.Rows[:0], 0
}

const minSlots = 256

// reserve makes room for more rows at a load of at most 50 %.
func (t *Table) reserve(more int) {
	need := 2 * (t.n + more)
	if need <= len(t.slots) {
		return
	}
	size := max(minSlots, len(t.slots))
	for size < need {
		size *= 2
	}
	if size <= cap(t.slots) {
		t.slots = t.slots[:size]
		clear(t.slots)
	} else {
		t.slots = make([]uint64, size)
	}
	t.mask = uint64(size - 1)
	for r := range t.n {
		h := t.Rows[r*t.stride]
		s := h >> nullBits & t.mask
		for t.slots[s] != 0 {
			s = (s + 1) & t.mask
		}
		t.slots[s] = h>>32<<32 | uint64(r+1)
	}
}

// addRow appends a row with these key words and zero states and returns its
// number.
func (t *Table) addRow(key []uint64) int {
	at := len(t.Rows)
	if at+t.stride > cap(t.Rows) {
		bigger := make([]uint64, at, max(64*t.stride, 2*cap(t.Rows)))
		copy(bigger, t.Rows)
		t.Rows = bigger
	}
	t.Rows = t.Rows[:at+t.stride]
	copy(t.Rows[at:], key)
	clear(t.Rows[at+len(key):])
	t.n++
	return t.n - 1
}

// scratch gives room for the encoded keys of n rows.
func (t *Table) scratch(n int) ([]uint64, []uint64) {
	if cap(t.scan) < n*t.k.Words {
		t.scan = make([]uint64, n*t.k.Words)
	}
	if cap(t.hashes) < n {
		t.hashes = make([]uint64, n)
	}
	return t.scan[:n*t.k.Words], t.hashes[:n]
}

// FindOrInsert writes to at the place in Rows of the row of each live row of
// keys, adding rows for new keys; len(at) live rows.
func (t *Table) FindOrInsert(at []uint32, keys []vec.Vector, sel vec.Selection) {
	n := len(at)
	t.reserve(n)
	enc, hashes := t.scratch(n)
	t.k.Encode(enc, t.k.Words, hashes, keys, sel)
	src := source{t: t, keys: keys, sel: sel, chunks: t.arena.All.Chunks()}
	t.findAll(at, enc, t.k.Words, &src)
}

// MergeRows is FindOrInsert for rows that lie every stride words, whose strings
// are in the same Arenas.
func (t *Table) MergeRows(at []uint32, rows []uint64, stride int) {
	t.reserve(len(at))
	src := source{t: t, chunks: t.arena.All.Chunks()}
	t.findAll(at, rows, stride, &src)
}

// findAll looks up len(at) keys. The common layouts have loops of their own.
func (t *Table) findAll(at []uint32, rows []uint64, stride int, src *source) {
	switch {
	case t.k.raw && t.k.Words == 2:
		t.findOne(at, rows, stride)
	case t.k.raw:
		t.findRaw(at, rows, stride)
	case t.k.Words == 3 && len(t.k.strs) == 1:
		t.findString(at, rows, stride, src)
	default:
		t.findAny(at, rows, stride, src)
	}
}

func (t *Table) findOne(at []uint32, rows []uint64, stride int) {
	slots, mask := t.slots, t.mask
	for i := range at {
		row := rows[i*stride : i*stride+2 : i*stride+2]
		h, key := row[0], row[1]
		tag := h >> 32
		s := h >> nullBits & mask
		for {
			e := slots[s]
			if e == 0 {
				r := t.addRow(row)
				slots[s] = tag<<32 | uint64(r+1)
				at[i] = uint32(r * t.stride)
				break
			}
			if e>>32 == tag {
				o := int(uint32(e)-1) * t.stride
				g := t.Rows[o : o+2 : o+2]
				if g[0] == h && g[1] == key {
					at[i] = uint32(o)
					break
				}
			}
			s = (s + 1) & mask
		}
	}
}

func (t *Table) findRaw(at []uint32, rows []uint64, stride int) {
	slots, mask, words := t.slots, t.mask, t.k.Words
	for i := range at {
		row := rows[i*stride : i*stride+words]
		h := row[0]
		tag := h >> 32
		s := h >> nullBits & mask
		for {
			e := slots[s]
			if e == 0 {
				r := t.addRow(row)
				slots[s] = tag<<32 | uint64(r+1)
				at[i] = uint32(r * t.stride)
				break
			}
			if e>>32 == tag {
				o := int(uint32(e)-1) * t.stride
				if sameWords(t.Rows[o:o+words], row) {
					at[i] = uint32(o)
					break
				}
			}
			s = (s + 1) & mask
		}
	}
}

func sameWords(a, b []uint64) bool {
	b = b[:len(a)]
	for i, x := range a {
		if x != b[i] {
			return false
		}
	}
	return true
}

func (t *Table) findAny(at []uint32, rows []uint64, stride int, src *source) {
	slots, mask, words := t.slots, t.mask, t.k.Words
	for i := range at {
		row := rows[i*stride : i*stride+words]
		h := row[0]
		tag := h >> 32
		s := h >> nullBits & mask
		for {
			e := slots[s]
			if e == 0 {
				r := t.addRow(row)
				src.store(r, i)
				slots[s] = tag<<32 | uint64(r+1)
				at[i] = uint32(r * t.stride)
				break
			}
			if e>>32 == tag {
				o := int(uint32(e)-1) * t.stride
				if src.same(t.Rows[o:o+words], row, i) {
					at[i] = uint32(o)
					break
				}
			}
			s = (s + 1) & mask
		}
	}
}

// findString is findAny for one key of bytes.
func (t *Table) findString(at []uint32, rows []uint64, stride int, src *source) {
	slots, mask := t.slots, t.mask
	for i := range at {
		row := rows[i*stride : i*stride+3 : i*stride+3]
		h := row[0]
		tag := h >> 32
		s := h >> nullBits & mask
		for {
			e := slots[s]
			if e == 0 {
				r := t.addRow(row)
				src.store(r, i)
				slots[s] = tag<<32 | uint64(r+1)
				at[i] = uint32(r * t.stride)
				break
			}
			if e>>32 == tag {
				o := int(uint32(e)-1) * t.stride
				g := t.Rows[o : o+3 : o+3]
				if g[0] == h && g[1] == row[1] && (g[2] == row[2] && (src.keys == nil || uint32(g[1]) <= InlineMax) ||
					uint32(g[1]) > InlineMax && src.sameBytes(g[1:], row[1:], 0, i)) {
					at[i] = uint32(o)
					break
				}
			}
			s = (s + 1) & mask
		}
	}
}

// source knows where the long strings of the rows being looked up lie: in the
// batch's vectors (keys not nil) or in the arenas.
type source struct {
	t      *Table
	keys   []vec.Vector
	sel    vec.Selection
	chunks [][]byte
}

func (s *source) long(w []uint64, key, i int) []byte {
	if s.keys == nil {
		return Bytes(w, s.chunks)
	}
	r := i
	if s.sel != nil {
		r = int(s.sel[i])
	}
	return s.keys[key].BytesAt(r)
}

// same compares a row of the table with row i of the source.
func (s *source) same(g, row []uint64, i int) bool {
	k := s.t.k
	for _, w := range k.eq {
		if g[w] != row[w] {
			return false
		}
	}
	for x, off := range k.strs {
		if g[off+1] == row[off+1] && (s.keys == nil || uint32(g[off]) <= InlineMax) {
			continue
		}
		if uint32(g[off]) <= InlineMax || !s.sameBytes(g[off:], row[off:], k.strCols[x], i) {
			return false
		}
	}
	return true
}

// sameBytes compares two long strings of equal length.
func (s *source) sameBytes(g, row []uint64, key, i int) bool {
	if int(uint32(g[1])) >= len(s.chunks) {
		s.chunks = s.t.arena.All.Chunks()
	}
	return bytes.Equal(Bytes(g, s.chunks), s.long(row, key, i))
}

// store copies the long strings of a new row into the arena.
func (s *source) store(r, i int) {
	if s.keys == nil {
		return
	}
	t := s.t
	for key := range t.k.cols {
		c := &t.k.cols[key]
		o := r*t.stride + c.off
		if c.kind == kindBytes && uint32(t.Rows[o]) > InlineMax {
			t.Rows[o+1] = t.put(s, key, i)
		}
	}
}

// put copies a string into the arena, one of a dictionary only once.
func (t *Table) put(s *source, key, i int) uint64 {
	known := t.Stored()[key].of(&s.keys[key])
	if known == nil {
		_, x := t.arena.Put(s.long(nil, key, i))
		return x
	}
	r := i
	if s.sel != nil {
		r = int(s.sel[i])
	}
	p := &known[s.keys[key].Codes()[r]]
	if *p == 0 {
		_, x := t.arena.Put(s.long(nil, key, i))
		*p = ^x
	}
	return ^*p
}

// Stored remembers the strings of dictionaries that are in the table's arena,
// by key; whoever resets the arena resets it.
func (t *Table) Stored() []Stored {
	if t.stored == nil {
		t.stored = make([]Stored, len(t.k.cols))
	}
	return t.stored
}

// Single makes sure that the table has exactly one row: the group of an
// aggregation without keys.
func (t *Table) Single() {
	if t.n == 0 {
		t.addRow(make([]uint64, t.k.Words))
	}
}

// Stored remembers where the strings of a dictionary lie in an arena, so that
// each is copied once. The zero value is empty; one per key column.
type Stored struct {
	dict  uint64
	words []uint64 // per code: the complement of a view's second word, 0 = none
}

// storedMax bounds the entries of a dictionary that is remembered (8 MiB).
const storedMax = 1 << 20

// Size is the memory held, in bytes.
func (s *Stored) Size() int { return 8 * cap(s.words) }

// Reset forgets all places: the arena was reset.
func (s *Stored) Reset() { s.dict = 0 }

// of gives the places for a vector, nil if they cannot be remembered.
func (s *Stored) of(v *vec.Vector) []uint64 {
	if v.Form != vec.Dict || v.Dict.ID == 0 || v.Dict.Values.Len > storedMax {
		return nil
	}
	if s.dict != v.Dict.ID {
		n := v.Dict.Values.Len
		if cap(s.words) < n {
			s.words = make([]uint64, n)
		}
		s.words = s.words[:n]
		clear(s.words)
		s.dict = v.Dict.ID
	}
	return s.words
}

// Store copies the long strings of n encoded rows, which lie every stride
// words, into the arena: the rows can then leave the batch they came from.
// stored, if not nil, has an element per key.
func (k *Keys) Store(rows []uint64, stride, n int, keys []vec.Vector, sel vec.Selection, arena *Arena, stored []Stored) {
	for ci := range k.cols {
		c := &k.cols[ci]
		if c.kind != kindBytes {
			continue
		}
		v := &keys[ci]
		var known []uint64
		if stored != nil {
			known = stored[ci].of(v)
		}
		for i := range n {
			w := rows[i*stride+c.off:]
			if uint32(w[0]) <= InlineMax {
				continue
			}
			r := i
			if sel != nil {
				r = int(sel[i])
			}
			if known == nil {
				_, w[1] = arena.Put(v.BytesAt(r))
				continue
			}
			p := &known[v.Codes()[r]]
			if *p == 0 {
				_, x := arena.Put(v.BytesAt(r))
				*p = ^x
			}
			w[1] = ^*p
		}
	}
}
