package segment

import (
	"encoding/binary"
	"runtime/debug"
	"sync/atomic"
	"weak"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// Col is one stored column of an open segment. It may be used by several
// goroutines at once.
type Col struct {
	file     *File
	id       uint32
	phys     types.Phys
	unsigned bool
	typ      types.Type
	pages    []page
	opened   []atomic.Pointer[encoding.Page]
	expanded []atomic.Pointer[weak.Pointer[encoding.Page]] // compressed pages that readers hold
	groups   []encoding.Zone
	granules []encoding.Zone // nil: no better than groups
	dict     dictSlot
	owns     []dictSlot // of pages
	hasDict  bool
}

// Column returns a stored column, nil if the segment has none of this id.
func (s *File) Column(id uint32) (col *Col, err error) {
	defer CatchFault(debug.SetPanicOnFault(true), &err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.cols[id]; ok {
		return c, nil
	}
	t, ok := s.columnType(id)
	if !ok {
		return nil, nil
	}
	c := &Col{file: s, id: id, typ: t, phys: t.Phys(), unsigned: t.Unsigned()}
	if id == catalog.ColCommitSeq && s.seq != 0 {
		err = c.openSeq()
	} else {
		err = c.open()
	}
	if err != nil {
		return nil, err
	}
	s.cols[id] = c
	return c, nil
}

func (s *File) columnType(id uint32) (types.Type, bool) {
	switch id {
	case catalog.ColReceivedAt:
		return types.Timestamptz, true
	case catalog.ColCommitSeq:
		return types.Int8, true
	}
	var t types.Type
	found := false
	eachColumn(s.schema, func(c *Column, _ types.Phys, _ []byte) bool {
		found = c.ID == id
		t = c.Type
		return !found
	})
	return t, found
}

func (c *Col) open() error {
	s, n := c.file, len(c.file.groups)
	b, err := s.section(c.id, kindPages)
	if err != nil {
		return err
	}
	if len(b) != n*pageBytes {
		return damaged(s.Path, 0, "bad pages")
	}
	for g := range n {
		p := readPage(b[g*pageBytes:])
		if int(p.rows) != s.groups[g].Rows || p.nulls > p.rows {
			return damaged(s.Path, 0, "bad page entry")
		}
		c.pages = append(c.pages, p)
	}
	// NB: a page of DICT may have entries of its own.
	_, c.hasDict = s.entry(c.id, kindDict)
	c.opened = make([]atomic.Pointer[encoding.Page], n)
	c.expanded = make([]atomic.Pointer[weak.Pointer[encoding.Page]], n)
	c.owns = make([]dictSlot, n)
	return c.openZones()
}

func (c *Col) openZones() error {
	s, n := c.file, len(c.file.groups)
	prefix := prefixed(c.phys, c.hasDict)
	b, err := s.section(c.id, kindZonesGroup)
	if err != nil {
		return err
	}
	if len(b) != n*zoneGroupBytes {
		return damaged(s.Path, 0, "bad zones")
	}
	for g := range n {
		c.groups = append(c.groups, readZoneGroup(b[g*zoneGroupBytes:], prefix))
	}
	if b, err = s.section(c.id, kindZonesGranule); b == nil || err != nil {
		return err
	}
	if c.granules = readGranuleZones(b, int(s.rows)); c.granules == nil {
		return damaged(s.Path, 0, "bad zones")
	}
	return nil
}

// Type is the type that the column was stored with.
func (c *Col) Type() types.Type { return c.typ }

// HasDict tells whether pages hold codes of the segment's dictionary; zones
// bound codes then.
func (c *Col) HasDict() bool { return c.hasDict }

// Page returns the page of row group g, verified. A compressed one takes memory as long
// as somebody keeps it.
func (c *Col) Page(g int) (*encoding.Page, error) {
	if p := c.opened[g].Load(); p != nil {
		return p, nil
	}
	if c.pages[g].codec != 0 {
		if w := c.expanded[g].Load(); w != nil {
			if p := w.Value(); p != nil {
				return p, nil
			}
		}
	}
	return c.openPage(g)
}

// PageBytes is the stored size of row group g's page.
func (c *Col) PageBytes(g int) int64 {
	if g >= len(c.pages) { // computed, such as the sequence
		return 0
	}
	return int64(c.pages[g].length)
}

func (c *Col) openPage(g int) (opened *encoding.Page, err error) {
	defer CatchFault(debug.SetPanicOnFault(true), &err)
	e := &c.pages[g]
	b := c.file.part(e.offset, e.length)
	if b == nil || checksum(b, c.file.id, c.id, uint32(g)) != e.crc {
		return nil, damaged(c.file.Path, int64(e.offset), "bad page")
	}
	switch e.codec {
	case 0:
	case encoding.CodecS2:
		if b, err = encoding.Unsqueeze(b, int(e.raw)); err != nil {
			return nil, c.at(err, int64(e.offset))
		}
	default:
		return nil, errs.NotSupported("page with an unknown codec")
	}
	p, err := encoding.Open(b, c.phys)
	if err != nil {
		return nil, c.at(err, int64(e.offset))
	}
	if p.Rows != int(e.rows) || p.Nulls != int(e.nulls) || uint8(p.Kind) != e.encoding {
		return nil, damaged(c.file.Path, int64(e.offset), "page does not fit its entry")
	}
	if c.phys == types.PhysBytes && !p.AllNull() && (p.Kind == encoding.Dict && p.Own() == 0) != c.hasDict {
		return nil, damaged(c.file.Path, int64(e.offset), "codes without a dictionary, or the reverse")
	}
	if e.codec == 0 {
		c.opened[g].Store(p)
	} else {
		w := weak.Make(p)
		c.expanded[g].Store(&w)
	}
	return p, nil
}

// at names the file in a page's error.
func (c *Col) at(err error, offset int64) error {
	if e, ok := err.(*errs.Corrupt); ok {
		return damaged(c.file.Path, offset, e.Reason)
	}
	return err
}

// Zone bounds rows [from, to) of row group g. GranuleRows is its grain.
func (c *Col) Zone(g, from, to int) encoding.Zone {
	if c.granules == nil || from == 0 && to == c.file.groups[g].Rows {
		return c.groups[g]
	}
	base := g * (GroupRows / GranuleRows)
	z := c.granules[base+from/GranuleRows]
	for k := from/GranuleRows + 1; k*GranuleRows < to; k++ {
		z.Merge(&c.granules[base+k])
	}
	return z
}

// Dict returns the column's dictionary, verified. Hashes are made for this
// process's key at first use.
func (c *Col) Dict() (*vec.Dictionary, error) {
	if d := c.dict.load(); d != nil {
		return d, nil
	}
	d, err := c.loadDict()
	if err != nil {
		return nil, err
	}
	return c.file.dicts.put(&c.dict, d), nil
}

// PageDict returns the dictionary of row group g's page, which has one of its own.
// It is not sorted.
func (c *Col) PageDict(g int) (dict *vec.Dictionary, err error) {
	if d := c.owns[g].load(); d != nil {
		return d, nil
	}
	defer CatchFault(debug.SetPanicOnFault(true), &err)
	p, err := c.Page(g)
	if err != nil {
		return nil, err
	}
	views, buf, err := p.Entries()
	if err != nil {
		return nil, c.at(err, int64(c.pages[g].offset))
	}
	bufs := [][]byte{buf}
	d := &vec.Dictionary{ASCII: p.ASCII, ID: c.file.dictID(c.id, g+1), Hashes: make([]uint64, len(views)),
		Values: vec.Vector{Type: c.typ, Len: len(views), Views: views, Bufs: bufs, ASCII: p.ASCII}}
	for i := range views {
		d.Hashes[i] = vec.HashBytes(views[i].Bytes(bufs))
	}
	return c.file.dicts.put(&c.owns[g], d), nil
}

func (c *Col) loadDict() (dict *vec.Dictionary, err error) {
	defer CatchFault(debug.SetPanicOnFault(true), &err)
	b, err := c.file.section(c.id, kindDict)
	if err != nil {
		return nil, err
	}
	bad := damaged(c.file.Path, 0, "bad dictionary")
	if len(b) < 24 {
		return nil, bad
	}
	n, flags := int(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint32(b[4:])
	size := binary.LittleEndian.Uint64(b[8:])
	if flags&^(dictSorted|dictASCII|dictPacked|dictFSST|dictFront) != 0 {
		return nil, errs.NotSupported("dictionary with flags of a newer format")
	}
	if n > RowsMax {
		return nil, bad
	}
	var offs []uint32
	var data []byte
	if flags&dictPacked != 0 {
		if offs, data, err = unpack(b, n, flags, size); err != nil {
			return nil, c.at(err, 0)
		}
	} else {
		var ok bool
		if offs, data, ok = plainDict(b, n, size); !ok {
			return nil, bad
		}
	}
	d := &vec.Dictionary{Sorted: flags&dictSorted != 0, ASCII: flags&dictASCII != 0, ID: c.file.dictID(c.id, 0),
		Hashes: make([]uint64, n)}
	d.Values = vec.Vector{Type: c.typ, Len: n, Views: make([]vec.View, n), Bufs: [][]byte{data}, ASCII: d.ASCII}
	for i := range n {
		from, to := offs[i], offs[i+1]
		if from > to || uint64(to) > size {
			return nil, bad
		}
		d.Values.Views[i] = vec.MakeView(data[from:to], 0, from)
		d.Hashes[i] = vec.HashBytes(data[from:to])
	}
	return d, nil
}
