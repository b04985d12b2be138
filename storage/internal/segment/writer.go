package segment

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"

	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/vfs"
)

// writer lays pages and sections into a file, front to back.
type writer struct {
	f    vfs.File
	spec *Spec
	off  int64  // of the next byte
	buf  []byte // not yet written; it starts at off - len(buf)
	dir  []entry
}

// writeBytes are written at once.
const writeBytes = 1 << 20

func newWriter(f vfs.File, spec *Spec, bufBytes int) (*writer, error) {
	w := &writer{f: f, spec: spec, buf: make([]byte, 0, bufBytes)}
	return w, w.write(w.header())
}

func (w *writer) header() []byte {
	h := append([]byte(nil), headerMagic...)
	h = binary.LittleEndian.AppendUint16(h, major)
	h = binary.LittleEndian.AppendUint16(h, minor)
	flags := uint32(0)
	if w.spec.Cold {
		flags |= headerCold
	}
	h = binary.LittleEndian.AppendUint32(h, flags)
	h = binary.LittleEndian.AppendUint64(h, w.spec.ID)
	h = append(h, w.spec.UUID[:]...)
	h = binary.LittleEndian.AppendUint32(h, w.spec.Table)
	h = binary.LittleEndian.AppendUint32(h, w.spec.Version)
	h = binary.LittleEndian.AppendUint64(h, fingerprint(w.spec.Cols))
	h = binary.LittleEndian.AppendUint32(h, 0)
	return binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
}

// fingerprint tells schemas apart: two crcs over SCHEMA.
func fingerprint(cols []Column) uint64 {
	b := schemaSection(cols)
	return uint64(crc32.Checksum(b, castagnoli))<<32 | uint64(crc32.ChecksumIEEE(b))
}

func schemaSection(cols []Column) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(cols)))
	for i := range cols {
		c := &cols[i]
		b = binary.LittleEndian.AppendUint32(b, c.ID)
		b = binary.LittleEndian.AppendUint32(b, uint32(c.Type.OID))
		b = binary.LittleEndian.AppendUint32(b, uint32(c.Type.Mod))
		b = append(b, byte(c.Type.Phys()), boolByte(c.Type.Unsigned()))
		name := c.Name[:min(len(c.Name), math.MaxUint16)]
		b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
		b = append(b, name...)
	}
	return b
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (w *writer) write(b []byte) error {
	w.off += int64(len(b))
	if len(w.buf)+len(b) > cap(w.buf) {
		if err := w.flush(int64(len(b))); err != nil {
			return err
		}
	}
	if len(b) >= cap(w.buf) {
		return writeAt(w.f, b, w.off-int64(len(b)))
	}
	w.buf = append(w.buf, b...)
	return nil
}

// flush writes what is buffered; after bytes of the file behind it are not.
func (w *writer) flush(after int64) error {
	err := writeAt(w.f, w.buf, w.off-after-int64(len(w.buf)))
	w.buf = w.buf[:0]
	return err
}

func writeAt(f vfs.File, b []byte, off int64) error {
	if len(b) == 0 {
		return nil
	}
	_, err := f.WriteAt(b, off)
	return err
}

// section writes a section of column and its directory entry.
func (w *writer) section(column uint32, k kind, b []byte) error {
	raw, flags := len(b), uint16(0)
	if w.spec.Cold && k == kindDict {
		if x, ok := encoding.Squeeze(b); ok {
			b, flags = x, sectionSqueezed
		}
	}
	b = padded(b)
	if len(b) > math.MaxUint32 {
		return errs.New(errs.ProgramLimit, "section of a segment is larger than 4 GiB")
	}
	w.dir = append(w.dir, entry{column: column, kind: k, flags: flags, offset: uint64(w.off), length: uint32(len(b)),
		raw: uint32(raw), crc: checksum(b, w.spec.ID, column, uint32(k))})
	return w.write(b)
}

// column writes an encoded column.
func (w *writer) column(c *encodedColumn) error {
	base := uint64(w.off)
	for i := range c.pages {
		c.pages[i].offset += base
	}
	if err := w.write(c.data); err != nil {
		return err
	}
	return w.sections(c)
}

// sections writes the sections of a column whose pages are written.
func (w *writer) sections(c *encodedColumn) error {
	var pages []byte
	for i := range c.pages {
		pages = c.pages[i].append(pages)
	}
	for _, s := range []struct {
		k kind
		b []byte
	}{{kindPages, pages}, {kindZonesGroup, c.zonesGroup}, {kindZonesGranule, c.zonesGranule}, {kindDict, c.dict}, {kindSums, c.sums}} {
		if len(s.b) == 0 {
			continue
		}
		if err := w.section(c.id, s.k, s.b); err != nil {
			return err
		}
	}
	return nil
}

// finish writes the segment's own sections, directory and trailer.
func (w *writer) finish(groups []Group) (Info, error) {
	var g []byte
	info := Info{ID: w.spec.ID, SeqMin: math.MaxUint64, TimeMin: math.MaxInt64, TimeMax: math.MinInt64,
		ReceivedMin: math.MaxInt64, ReceivedMax: math.MinInt64}
	for i := range groups {
		x := &groups[i]
		g = x.append(g)
		info.Rows += int64(x.Rows)
		info.SeqMin, info.SeqMax = min(info.SeqMin, x.SeqMin), max(info.SeqMax, x.SeqMax)
		info.TimeMin, info.TimeMax = min(info.TimeMin, x.EffectiveMin), max(info.TimeMax, x.EffectiveMax)
		info.ReceivedMin, info.ReceivedMax = min(info.ReceivedMin, x.ReceivedMin), max(info.ReceivedMax, x.ReceivedMax)
	}
	origin := binary.LittleEndian.AppendUint16(nil, uint16(len(w.spec.Writer)))
	origin = append(origin, w.spec.Writer...)
	origin = binary.LittleEndian.AppendUint16(origin, uint16(len(w.spec.Reason)))
	origin = append(origin, w.spec.Reason...)
	for _, s := range []struct {
		k kind
		b []byte
	}{{kindSchema, schemaSection(w.spec.Cols)}, {kindGroups, g}, {kindOrigin, origin}} {
		if err := w.section(wholeSegment, s.k, s.b); err != nil {
			return info, err
		}
	}
	slices.SortFunc(w.dir, func(a, b entry) int {
		if a.column != b.column {
			return cmp.Compare(a.column, b.column)
		}
		return cmp.Compare(a.kind, b.kind)
	})
	var dir []byte
	for i := range w.dir {
		dir = w.dir[i].append(dir)
	}
	trailer := w.trailer(&info, dir, len(groups))
	info.Length = w.off + int64(len(dir)) + trailerBytes
	info.TrailerCRC = binary.LittleEndian.Uint32(trailer[52:])
	if err := w.write(dir); err != nil {
		return info, err
	}
	if err := w.write(trailer); err != nil {
		return info, err
	}
	return info, w.flush(0)
}

func (w *writer) trailer(info *Info, dir []byte, groups int) []byte {
	t := binary.LittleEndian.AppendUint64(nil, uint64(w.off)+uint64(len(dir))+trailerBytes)
	t = binary.LittleEndian.AppendUint64(t, uint64(w.off))
	t = binary.LittleEndian.AppendUint32(t, uint32(len(dir)))
	t = binary.LittleEndian.AppendUint32(t, checksum(dir, w.spec.ID, wholeSegment, 0))
	t = binary.LittleEndian.AppendUint64(t, uint64(info.Rows))
	t = binary.LittleEndian.AppendUint64(t, info.SeqMin)
	t = binary.LittleEndian.AppendUint64(t, info.SeqMax)
	t = binary.LittleEndian.AppendUint32(t, uint32(groups))
	t = binary.LittleEndian.AppendUint32(t, crc32.Checksum(t, castagnoli))
	return append(t, trailerMagic...)
}
