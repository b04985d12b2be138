package memtable

import (
	"slices"
	"sync"

	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// Table is the MemTable of one stored table. See the package comment for who
// may call what.
type Table struct {
	list   List // sealed slabs, then the open one if open
	open   bool
	frozen int // leading slabs of list that a flush has taken

	spare []*Slab // of Recycle

	seq   uint64 // of the last Append
	count int    // rows that came with seq so far
}

// NewTable returns an empty MemTable.
func NewTable() *Table { return &Table{} }

// Append places the rows of one commit. The slab copies them. r must hold every
// live column of the table; a column that a slab has and r has not is NULL in
// r's rows.
func (t *Table) Append(r *Rows, receivedAt int64, seq uint64) {
	if seq != t.seq {
		t.seq, t.count = seq, 0
	}
	base := t.count
	t.count += r.N
	for at := 0; at < r.N; {
		s := t.slabFor(r, at)
		n := s.fit(r, at)
		s.append(r, at, n, Run{Ordinal: uint32(base + at), Seq: seq, ReceivedAt: receivedAt})
		at += n
		last := len(t.list) - 1
		t.list = append(slices.Clone(t.list[:last]), SlabView{s, s.rows})
	}
}

// slabFor returns a slab with room for row at of r, opening one if needed.
func (t *Table) slabFor(r *Rows, at int) *Slab {
	if t.open {
		if s := t.list[len(t.list)-1].Slab; s.holds(r) && s.fit(r, at) > 0 {
			return s
		}
	}
	s := t.recycled(r)
	if s == nil {
		s = newSlab(r)
	}
	t.list = append(slices.Clone(t.list), SlabView{s, 0})
	t.open = true
	return s
}

// Recycle empties the table and keeps its memory for rows to come. Nobody may hold
// what List returned.
func (t *Table) Recycle() {
	for _, v := range t.list {
		t.spare = append(t.spare, v.Slab)
	}
	t.list, t.open, t.frozen = nil, false, 0
}

// recycled is an empty slab with the columns of r, nil if there is none.
func (t *Table) recycled(r *Rows) *Slab {
	for i, s := range t.spare {
		if len(s.cols) != len(r.Cols) || !s.holds(r) {
			continue
		}
		t.spare = slices.Delete(t.spare, i, i+1)
		s.reset()
		return s
	}
	return nil
}

// List is everything appended and not yet dropped.
func (t *Table) List() List { return t.list }

// Freeze hands all slabs to a flush: later rows go to new ones. They stay in
// List until Drop. A second Freeze before Drop returns only what is new.
func (t *Table) Freeze() List {
	l := t.list[t.frozen:]
	t.frozen, t.open = len(t.list), false
	return l
}

// Thaw gives back what the last Freeze took, after a flush that failed. The
// slabs stay sealed. Those that were dropped meanwhile do not count.
func (t *Table) Thaw(l List) {
	for t.frozen > 0 && slices.ContainsFunc(l, func(v SlabView) bool { return v.Slab == t.list[t.frozen-1].Slab }) {
		t.frozen--
	}
}

// Drop removes slabs that Freeze returned; a segment holds their rows now.
func (t *Table) Drop(l List) {
	gone := make(map[*Slab]bool, len(l))
	for _, v := range l {
		gone[v.Slab] = true
	}
	kept := make(List, 0, len(t.list))
	frozen := t.frozen
	for i, v := range t.list {
		switch {
		case !gone[v.Slab]:
			kept = append(kept, v)
		case i < frozen:
			t.frozen--
		}
	}
	t.list = kept
}

// Bytes is the memory that the slabs take.
func (t *Table) Bytes() int64 {
	var n int64
	for _, v := range t.list {
		n += v.Slab.bytes
	}
	for _, s := range t.spare {
		n += s.bytes
	}
	return n
}

// Slab is up to SlabRows rows. Its writer is the Table's.
type Slab struct {
	rows  int   // writer only
	bytes int64 // writer only
	dirty bool  // buffers may hold old bytes beyond their length

	mu   sync.Mutex // guards the slice headers and zones below
	cols []slabCol
	runs []Run
}

type slabCol struct {
	id    uint32
	data  encoding.Column
	zones []encoding.Zone // one per granule, of the first zoned rows
	zoned int
	codes *slabCodes // of bytes, once a reader asked
	dirty bool       // as of the slab
	valid []byte     // memory for data.Valid, if dirty
}

func newSlab(r *Rows) *Slab {
	s := &Slab{cols: make([]slabCol, len(r.Cols))}
	for i := range r.Cols {
		c := &r.Cols[i]
		s.cols[i] = slabCol{id: c.ID, data: encoding.Column{Phys: c.Data.Phys, Unsigned: c.Data.Unsigned}}
	}
	return s
}

// reset forgets the rows and keeps the memory.
func (s *Slab) reset() {
	s.rows, s.runs, s.dirty = 0, nil, true
	for i := range s.cols {
		c := &s.cols[i]
		d := &c.data
		if d.Valid != nil {
			c.valid = d.Valid
		}
		*d = encoding.Column{Phys: d.Phys, Unsigned: d.Unsigned, Fixed: d.Fixed[:0], Offs: d.Offs[:0], Bytes: d.Bytes[:0]}
		c.zones, c.zoned, c.codes, c.dirty = c.zones[:0], 0, nil, true
	}
}

// find is the position of a column, -1 if none; at is a guess.
func (s *Slab) find(id uint32, at int) int {
	if at >= 0 && at < len(s.cols) && s.cols[at].id == id {
		return at
	}
	return slices.IndexFunc(s.cols, func(c slabCol) bool { return c.id == id })
}

// holds tells whether s has all columns of r with the same types.
func (s *Slab) holds(r *Rows) bool {
	for i := range r.Cols {
		c := &r.Cols[i]
		k := s.find(c.ID, i)
		if k < 0 || s.cols[k].data.Phys != c.Data.Phys || s.cols[k].data.Unsigned != c.Data.Unsigned {
			return false
		}
	}
	return true
}

// fit is how many of r's rows from at on still go into s; at least one goes
// into an empty slab.
func (s *Slab) fit(r *Rows, at int) int {
	n := min(r.N-at, SlabRows-s.rows)
	for i := range r.Cols {
		c := &r.Cols[i]
		if c.Data.Phys != types.PhysBytes || c.Null {
			continue
		}
		have := 0
		if k := s.find(c.ID, i); k >= 0 {
			have = len(s.cols[k].data.Bytes)
		}
		for n > 0 && have+c.bytes(at, at+n) > slabBytesMax && s.rows+n > 1 {
			n /= 2
		}
	}
	return n
}

func (c *RowsCol) bytes(from, to int) int {
	if c.Const {
		return (to - from) * len(c.Data.Bytes)
	}
	return int(c.Data.Offs[to] - c.Data.Offs[from])
}

func (s *Slab) append(r *Rows, at, n int, run Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := s.rows
	if last := len(s.runs) - 1; last < 0 || s.runs[last].Seq != run.Seq || s.runs[last].ReceivedAt != run.ReceivedAt {
		run.Start = uint32(from)
		s.runs = append(s.runs, run)
	}
	capRows := capacity(from + n)
	s.bytes = int64(cap(s.runs)) * 24
	for i := range s.cols {
		c := &s.cols[i]
		k := -1
		if i < len(r.Cols) && r.Cols[i].ID == c.id {
			k = i
		} else {
			k = slices.IndexFunc(r.Cols, func(x RowsCol) bool { return x.ID == c.id })
		}
		if k < 0 {
			c.append(&RowsCol{Null: true}, 0, n, capRows)
		} else {
			c.append(&r.Cols[k], at, n, capRows)
		}
		s.bytes += int64(cap(c.data.Fixed) + cap(c.data.Valid) + 4*cap(c.data.Offs) + cap(c.data.Bytes))
	}
	s.rows += n
}

// capacity is the number of rows that buffers are made for: small tables stay
// small.
func capacity(rows int) int {
	switch {
	case rows <= 256:
		return 256
	case rows <= 4096:
		return 4096
	}
	return SlabRows
}

// extendZones takes new rows into the granules' bounds. Readers do it, so that
// ingest pays nothing for rows that nobody reads before their flush.
func (c *slabCol) extendZones() {
	from := c.zoned
	c.zoned = c.data.N
	for to := c.data.N; from < to; {
		g := from / GranuleRows
		if g == len(c.zones) {
			c.zones = append(c.zones, encoding.Zone{})
		}
		end := min(to, (g+1)*GranuleRows)
		c.zones[g].Extend(&c.data, from, end)
		from = end
	}
}

// append copies rows [at, at+n) of src behind the column's rows.
func (c *slabCol) append(src *RowsCol, at, n, capRows int) {
	d := &c.data
	from := d.N
	d.N += n
	c.appendValid(src, at, n, capRows)
	if size := d.Phys.Size(); size > 0 {
		d.Fixed = grow(d.Fixed, d.N*size, capRows*size)
		out := d.Fixed[from*size:]
		switch {
		case src.Null: // zeros
			if c.dirty {
				clear(out[:n*size])
			}
		case src.Const:
			for k := range n {
				copy(out[k*size:], src.Data.Fixed[:size])
			}
		default:
			copy(out, src.Data.Fixed[at*size:(at+n)*size])
		}
		return
	}
	d.Offs = growOffs(d.Offs, d.N+1, capRows+1)
	offs := d.Offs[from : d.N+1]
	if from == 0 {
		offs[0] = 0
	}
	switch {
	case src.Null:
		for k := range n {
			offs[k+1] = offs[0]
		}
	case src.Const:
		d.Bytes = growBytes(d.Bytes, n*len(src.Data.Bytes), d.N, capRows)
		for k := range n {
			d.Bytes = append(d.Bytes, src.Data.Bytes...)
			offs[k+1] = uint32(len(d.Bytes))
		}
	default:
		so := src.Data.Offs[at : at+n+1]
		d.Bytes = growBytes(d.Bytes, int(so[n]-so[0]), d.N, capRows)
		shift := uint32(len(d.Bytes)) - so[0]
		d.Bytes = append(d.Bytes, src.Data.Bytes[so[0]:so[n]]...)
		for k := range n {
			offs[k+1] = so[k+1] + shift
		}
	}
}

func (c *slabCol) appendValid(src *RowsCol, at, n, capRows int) {
	d := &c.data
	from := d.N - n
	if d.Valid == nil {
		if !src.Null && src.Data.Valid == nil {
			return
		}
		if cap(c.valid) >= from {
			d.Valid = c.valid[:from]
		} else {
			d.Valid = make([]byte, from, capRows)
		}
		fill(d.Valid, 1)
	}
	d.Valid = grow(d.Valid, d.N, capRows)
	switch {
	case src.Null: // zeros
		if c.dirty {
			clear(d.Valid[from:])
		}
	case src.Const || src.Data.Valid == nil:
		fill(d.Valid[from:], 1)
	default:
		copy(d.Valid[from:], src.Data.Valid[at:at+n])
	}
}

func fill(b []byte, x byte) {
	for i := range b {
		b[i] = x
	}
}

// grow gives b the length n; new bytes are zero. NB: bytes between length and
// capacity are never written before they are part of the length, so they are
// zero already.
func grow(b []byte, n, capacity int) []byte {
	if n <= cap(b) {
		return b[:n]
	}
	bigger := vec.AlignedBytes(max(n, capacity))[:n]
	copy(bigger, b)
	return bigger
}

// growBytes makes room for n more bytes. It guesses from the rows so far what a
// full buffer of capRows rows will need, so that a slab is copied a few times
// only while it fills.
func growBytes(b []byte, n, rows, capRows int) []byte {
	need := len(b) + n
	if need <= cap(b) {
		return b
	}
	guess := min(need/rows*capRows/8*9, slabBytesMax)
	bigger := make([]byte, len(b), max(guess, need+need/8))
	copy(bigger, b)
	return bigger
}

func growOffs(o []uint32, n, capacity int) []uint32 {
	if n <= cap(o) {
		return o[:n]
	}
	bigger := make([]uint32, n, max(n, capacity))
	copy(bigger, o)
	return bigger
}

// Runs are the commits that the slab's rows came with so far.
func (s *Slab) Runs() []Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs
}

// Runs are the commits that the view's rows came with.
func (v SlabView) Runs() []Run {
	v.Slab.mu.Lock()
	defer v.Slab.mu.Unlock()
	runs := v.Slab.runs
	for len(runs) > 0 && int(runs[len(runs)-1].Start) >= v.Rows {
		runs = runs[:len(runs)-1]
	}
	return runs
}

// Column gives a column's first Rows rows and the bounds of its granules (which
// may take later rows in, too). ok is false if the slab has no such column.
func (v SlabView) Column(id uint32) (c encoding.Column, zones []encoding.Zone, ok bool) {
	s := v.Slab
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.find(id, -1)
	if k < 0 {
		return c, nil, false
	}
	s.cols[k].extendZones()
	granules := (v.Rows + GranuleRows - 1) / GranuleRows
	return v.data(k), slices.Clone(s.cols[k].zones[:granules]), true
}

// Data is Column without bounds.
func (v SlabView) Data(id uint32) (c encoding.Column, ok bool) {
	v.Slab.mu.Lock()
	defer v.Slab.mu.Unlock()
	k := v.Slab.find(id, -1)
	if k < 0 {
		return c, false
	}
	return v.data(k), true
}

// data is the view's rows of column k; the slab's mutex is held.
func (v SlabView) data(k int) encoding.Column {
	c := v.Slab.cols[k].data
	c.N = v.Rows
	if c.Valid != nil {
		c.Valid = c.Valid[:v.Rows:v.Rows]
	}
	if size := c.Phys.Size(); size > 0 {
		c.Fixed = c.Fixed[: v.Rows*size : v.Rows*size]
	} else {
		c.Offs = c.Offs[: v.Rows+1 : v.Rows+1]
		end := c.Offs[v.Rows]
		c.Bytes = c.Bytes[:end:end]
	}
	return c
}

// ColumnIDs lists the slab's columns.
func (v SlabView) ColumnIDs() []uint32 {
	ids := make([]uint32, len(v.Slab.cols))
	for i := range ids {
		ids[i] = v.Slab.cols[i].id
	}
	return ids
}
