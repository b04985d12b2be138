package segment

import (
	"encoding/binary"
	"hash/crc32"

	"quern/storage/errs"
)

const (
	headerMagic  = "QSEG0001"
	trailerMagic = "QSEGEND1"
	major        = 1
	minor        = 1 // 1: page encodings 9, 10, 13, 14; dictionaries of bytes in pages; SORTKEY; codec 1

	headerBytes  = 64
	trailerBytes = 64
	entryBytes   = 32
	pageBytes    = 32
	groupBytes   = 72
	align        = 64
)

// wholeSegment is the column id of sections that belong to no column.
const wholeSegment = 0xFFFFFFFF

// kind is a section's number.
type kind uint16

const (
	kindPages        kind = 1
	kindZonesGroup   kind = 2
	kindZonesGranule kind = 3
	kindDict         kind = 4
	kindSums         kind = 7
	kindSchema       kind = 16
	kindGroups       kind = 17
	kindOrigin       kind = 19
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the crc32c of b in its place: part is a row group or a kind.
func checksum(b []byte, segment uint64, column, part uint32) uint32 {
	var s [16]byte
	binary.LittleEndian.PutUint64(s[:], segment)
	binary.LittleEndian.PutUint32(s[8:], column)
	binary.LittleEndian.PutUint32(s[12:], part)
	return crc32.Update(crc32.Checksum(b, castagnoli), castagnoli, s[:])
}

func pad(n int) int { return (n + align - 1) &^ (align - 1) }

// padded appends zeros to the next 64-byte boundary.
func padded(b []byte) []byte { return append(b, make([]byte, pad(len(b))-len(b))...) }

// entry is a directory entry.
type entry struct {
	column uint32
	kind   kind
	offset uint64
	length uint32
	flags  uint16
	raw    uint32
	crc    uint32
}

// sectionSqueezed is an entry's flag: raw is the length before compression.
const sectionSqueezed = 1

// headerCold is the file's flag for pages or sections that are compressed.
const headerCold = 2

func (e *entry) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, e.column)
	dst = binary.LittleEndian.AppendUint16(dst, uint16(e.kind))
	dst = binary.LittleEndian.AppendUint16(dst, e.flags)
	dst = binary.LittleEndian.AppendUint64(dst, e.offset)
	dst = binary.LittleEndian.AppendUint32(dst, e.length)
	dst = binary.LittleEndian.AppendUint32(dst, e.raw)
	dst = binary.LittleEndian.AppendUint32(dst, e.crc)
	return binary.LittleEndian.AppendUint32(dst, 0)
}

func readEntry(b []byte) entry {
	return entry{
		column: binary.LittleEndian.Uint32(b),
		kind:   kind(binary.LittleEndian.Uint16(b[4:])),
		flags:  binary.LittleEndian.Uint16(b[6:]),
		offset: binary.LittleEndian.Uint64(b[8:]),
		length: binary.LittleEndian.Uint32(b[16:]),
		raw:    binary.LittleEndian.Uint32(b[20:]),
		crc:    binary.LittleEndian.Uint32(b[24:]),
	}
}

// page is an entry of PAGES.
type page struct {
	offset   uint64
	length   uint32
	raw      uint32 // before compression
	crc      uint32
	rows     uint32
	nulls    uint32
	encoding uint8
	codec    uint8
}

func (p *page) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, p.offset)
	dst = binary.LittleEndian.AppendUint32(dst, p.length)
	dst = binary.LittleEndian.AppendUint32(dst, p.raw)
	dst = binary.LittleEndian.AppendUint32(dst, p.crc)
	dst = binary.LittleEndian.AppendUint32(dst, p.rows)
	dst = binary.LittleEndian.AppendUint32(dst, p.nulls)
	return append(dst, p.encoding, p.codec, 0, 0)
}

func readPage(b []byte) page {
	return page{
		offset:   binary.LittleEndian.Uint64(b),
		length:   binary.LittleEndian.Uint32(b[8:]),
		raw:      binary.LittleEndian.Uint32(b[12:]),
		crc:      binary.LittleEndian.Uint32(b[16:]),
		rows:     binary.LittleEndian.Uint32(b[20:]),
		nulls:    binary.LittleEndian.Uint32(b[24:]),
		encoding: b[28], codec: b[29],
	}
}

// Group is what GROUPS says of a row group. Times are µs since 1970; event time
// bounds are 0 if the table has no event time or all are NULL.
type Group struct {
	Rows                       int
	SeqMin, SeqMax             uint64
	TimeMin, TimeMax           int64
	ReceivedMin, ReceivedMax   int64
	EffectiveMin, EffectiveMax int64
}

func (g *Group) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(uint32(g.Rows)))
	for _, x := range [...]uint64{g.SeqMin, g.SeqMax, uint64(g.TimeMin), uint64(g.TimeMax), uint64(g.ReceivedMin),
		uint64(g.ReceivedMax), uint64(g.EffectiveMin), uint64(g.EffectiveMax)} {
		dst = binary.LittleEndian.AppendUint64(dst, x)
	}
	return dst
}

func readGroup(b []byte) Group {
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return Group{Rows: int(uint32(at(0))), SeqMin: at(1), SeqMax: at(2), TimeMin: int64(at(3)), TimeMax: int64(at(4)),
		ReceivedMin: int64(at(5)), ReceivedMax: int64(at(6)), EffectiveMin: int64(at(7)), EffectiveMax: int64(at(8))}
}

func damaged(file string, offset int64, reason string) error {
	return &errs.Corrupt{File: file, Offset: offset, Reason: reason}
}
