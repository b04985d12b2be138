package segment

import (
	"encoding/binary"
	"hash/crc32"
	"runtime/debug"
	"sort"
	"sync"

	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vfs"
)

// File is an open segment. It may be used by several goroutines at once.
type File struct {
	Path   string
	f      vfs.File
	m      vfs.Mapping
	data   []byte
	id     uint64
	table  uint32
	rows   int64
	groups []Group
	schema []byte // SCHEMA, verified
	dir    []byte // the directory, verified
	seq    uint64 // not 0: of every row, see SetSeq
	cold   bool   // pages may be compressed
	dicts  *Dicts

	mu   sync.Mutex // guards cols
	cols map[uint32]*Col
}

// Open maps the segment at path and verifies its header, trailer, directory and
// the sections about the whole segment. Damage is *errs.Corrupt.
func Open(fs vfs.FS, path string, want Expect) (*File, error) {
	f, err := fs.Open(path)
	if err != nil {
		return nil, err
	}
	s := &File{Path: path, f: f, cols: map[uint32]*Col{}, dicts: want.Dicts}
	if err := s.open(want); err != nil {
		_ = s.Close()
		return nil, err
	}
	if want.Seq != 0 {
		s.SetSeq(want.Seq)
	}
	return s, nil
}

func (s *File) open(want Expect) (err error) {
	defer CatchFault(debug.SetPanicOnFault(true), &err)
	size, err := s.f.Size()
	if err != nil {
		return err
	}
	if size < headerBytes+trailerBytes || want.Length != 0 && size != want.Length {
		return damaged(s.Path, 0, "wrong length")
	}
	if s.m, err = s.f.Map(size); err != nil {
		return err
	}
	s.data = s.m.Bytes()
	if err := s.openHeader(want); err != nil {
		return err
	}
	groups, err := s.openTrailer(want)
	if err != nil {
		return err
	}
	if err := s.openGroups(groups); err != nil {
		return err
	}
	return s.openSchema()
}

func (s *File) openHeader(want Expect) error {
	h := s.data[:headerBytes]
	if string(h[:8]) != headerMagic || crc32.Checksum(h[:60], castagnoli) != binary.LittleEndian.Uint32(h[60:]) {
		return damaged(s.Path, 0, "bad header")
	}
	if v := binary.LittleEndian.Uint16(h[8:]); v != major {
		return errs.New(errs.FeatureNotSupported, "segment %s has format %d, this version reads format %d", s.Path, v, major)
	}
	s.id, s.table = binary.LittleEndian.Uint64(h[16:]), binary.LittleEndian.Uint32(h[40:])
	s.cold = binary.LittleEndian.Uint32(h[12:])&headerCold != 0
	if want.ID != 0 && s.id != want.ID {
		return damaged(s.Path, 16, "segment has another id")
	}
	return nil
}

func (s *File) openTrailer(want Expect) (groups int, err error) {
	at := int64(len(s.data) - trailerBytes)
	t := s.data[at:]
	crc := binary.LittleEndian.Uint32(t[52:])
	if string(t[56:]) != trailerMagic || crc32.Checksum(t[:52], castagnoli) != crc ||
		binary.LittleEndian.Uint64(t) != uint64(len(s.data)) || want.TrailerCRC != 0 && crc != want.TrailerCRC {
		return 0, damaged(s.Path, at, "bad trailer")
	}
	off, length := binary.LittleEndian.Uint64(t[8:]), uint64(binary.LittleEndian.Uint32(t[16:]))
	if off < headerBytes || off+length != uint64(at) || length%entryBytes != 0 {
		return 0, damaged(s.Path, at, "bad directory bounds")
	}
	dir := s.data[off:at]
	if checksum(dir, s.id, wholeSegment, 0) != binary.LittleEndian.Uint32(t[20:]) {
		return 0, damaged(s.Path, int64(off), "bad directory")
	}
	rows := binary.LittleEndian.Uint64(t[24:])
	if rows == 0 || rows > RowsMax {
		return 0, damaged(s.Path, at, "bad row count")
	}
	s.rows = int64(rows)
	s.dir = dir
	return int(binary.LittleEndian.Uint32(t[48:])), nil
}

// entry finds a directory entry.
func (s *File) entry(column uint32, k kind) (entry, bool) {
	at := func(i int) entry { return readEntry(s.dir[i*entryBytes:]) }
	n := len(s.dir) / entryBytes
	i := sort.Search(n, func(i int) bool {
		e := at(i)
		return e.column > column || e.column == column && e.kind >= k
	})
	if i == n {
		return entry{}, false
	}
	e := at(i)
	return e, e.column == column && e.kind == k
}

// entries lists the directory.
func (s *File) entries() []entry {
	var out []entry
	for dir := s.dir; len(dir) > 0; dir = dir[entryBytes:] {
		out = append(out, readEntry(dir))
	}
	return out
}

// section returns a verified section, nil if there is none.
func (s *File) section(column uint32, k kind) ([]byte, error) {
	e, ok := s.entry(column, k)
	if !ok {
		return nil, nil
	}
	b := s.part(e.offset, e.length)
	squeezed := e.flags&sectionSqueezed != 0
	if b == nil || e.raw > e.length && !squeezed || checksum(b, s.id, column, uint32(k)) != e.crc {
		return nil, damaged(s.Path, int64(e.offset), "bad section")
	}
	if e.flags&^sectionSqueezed != 0 {
		return nil, errs.NotSupported("section with flags of a newer format")
	}
	if squeezed {
		if b, err := encoding.Unsqueeze(b, int(e.raw)); err == nil {
			return b, nil
		}
		return nil, damaged(s.Path, int64(e.offset), "bad section")
	}
	return b[:e.raw:e.raw], nil
}

// part is length bytes at a 64-byte boundary, nil if they are not in the file.
func (s *File) part(offset uint64, length uint32) []byte {
	if offset > uint64(len(s.data)) || uint64(length) > uint64(len(s.data))-offset || offset%align != 0 {
		return nil
	}
	return s.data[offset : offset+uint64(length) : offset+uint64(length)]
}

func (s *File) openGroups(n int) error {
	b, err := s.section(wholeSegment, kindGroups)
	if err != nil {
		return err
	}
	if n != int((s.rows+GroupRows-1)/GroupRows) || len(b) != n*groupBytes {
		return damaged(s.Path, 0, "bad row groups")
	}
	left := s.rows
	for ; len(b) > 0; b = b[groupBytes:] {
		g := readGroup(b)
		if int64(g.Rows) != min(left, GroupRows) {
			return damaged(s.Path, 0, "bad row group")
		}
		left -= int64(g.Rows)
		s.groups = append(s.groups, g)
	}
	return nil
}

func (s *File) openSchema() error {
	b, err := s.section(wholeSegment, kindSchema)
	if err != nil {
		return err
	}
	if len(b) < 4 {
		return damaged(s.Path, 0, "bad schema")
	}
	s.schema = b
	ok := true
	if !eachColumn(b, func(c *Column, phys types.Phys, _ []byte) bool { ok = ok && phys == c.Type.Phys(); return ok }) || !ok {
		return damaged(s.Path, 0, "bad schema")
	}
	return nil
}

// eachColumn calls f for each column of SCHEMA until it says no; false if the section is not valid. Of many open segments few columns are
// asked for, so it is not kept decoded.
func eachColumn(b []byte, f func(c *Column, phys types.Phys, name []byte) bool) bool {
	n := int(binary.LittleEndian.Uint32(b))
	b = b[4:]
	for range n {
		if len(b) < 16 {
			return false
		}
		c := Column{ID: binary.LittleEndian.Uint32(b), Missing: types.NullDatum,
			Type: types.Type{OID: types.OID(binary.LittleEndian.Uint32(b[4:])), Mod: int32(binary.LittleEndian.Uint32(b[8:]))}}
		name := int(binary.LittleEndian.Uint16(b[14:]))
		if len(b) < 16+name {
			return false
		}
		if !f(&c, types.Phys(b[12]), b[16:16+name]) {
			return true
		}
		b = b[16+name:]
	}
	return true
}

// Close unmaps the file. No reader may be in use.
func (s *File) Close() error {
	var err error
	s.mu.Lock()
	for _, c := range s.cols {
		slots := []*dictSlot{&c.dict}
		for i := range c.owns {
			slots = append(slots, &c.owns[i])
		}
		s.dicts.drop(slots...)
	}
	s.mu.Unlock()
	if s.m != nil {
		err = s.m.Close()
	}
	if e := s.f.Close(); err == nil {
		err = e
	}
	return err
}

// ID is the segment's id.
func (s *File) ID() uint64 { return s.id }

// Cold tells whether the segment was written as a cold one, see Spec.Cold.
func (s *File) Cold() bool { return s.cold }

// Table is the id of the table that the segment belongs to.
func (s *File) Table() uint32 { return s.table }

// Rows is the number of rows.
func (s *File) Rows() int64 { return s.rows }

// Groups describes the row groups.
func (s *File) Groups() []Group { return s.groups }

// Schema lists the stored columns, without the hidden ones.
func (s *File) Schema() (cols []Column) {
	eachColumn(s.schema, func(c *Column, _ types.Phys, name []byte) bool {
		c.Name = string(name)
		cols = append(cols, *c)
		return true
	})
	return cols
}

// Bytes is the file's length.
func (s *File) Bytes() int64 { return int64(len(s.data)) }

// dictID is the process-wide id of a column's dictionary, or of that of its page
// part-1: segment ids are unique in a data folder, and one process works on one. 32
// bits are left for segments, 24 for columns, of which hidden ones are the highest.
func (s *File) dictID(column uint32, part int) uint64 {
	return s.id<<32 | uint64(part)<<24 | uint64(column)&(1<<24-1)
}
