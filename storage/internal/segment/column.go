package segment

import (
	"math/bits"

	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// encodedColumn is a column ready to be written; page offsets count from data.
type encodedColumn struct {
	id           uint32
	cold         bool
	data         []byte
	pages        []page
	zonesGroup   []byte
	zonesGranule []byte
	granules     []encoding.Zone
	finer        bool // some granule is bounded closer than its row group
	dict         []byte
	sums         []byte
}

func (c *encodedColumn) page(segment uint64, p []byte, rows, nulls int) {
	x := page{offset: uint64(len(c.data)), raw: uint32(len(p)), rows: uint32(rows), nulls: uint32(nulls), encoding: p[0]}
	if c.cold {
		if b, ok := encoding.Squeeze(p); ok {
			p, x.codec = b, encoding.CodecS2
		}
	}
	x.length, x.crc = uint32(len(p)), checksum(p, segment, c.id, uint32(len(c.pages)))
	c.pages = append(c.pages, x)
	c.data = append(c.data, p...)
}

// encodeColumn encodes a column without dictionary.
func encodeColumn(spec *Spec, id uint32, col *encoding.Column, e *encoding.Encoder) (*encodedColumn, error) {
	out := &encodedColumn{id: id, cold: spec.Cold}
	for from := 0; from < col.N; from += GroupRows {
		to := min(col.N, from+GroupRows)
		p, err := e.Page(col, from, to)
		if err != nil {
			return nil, err
		}
		out.page(spec.ID, p, to-from, nulls(col.Valid, from, to))
		out.sum(col, from, to)
	}
	out.zones(col, prefixed(col.Phys, false))
	return out, nil
}

func nulls(valid []byte, from, to int) int {
	if valid == nil {
		return 0
	}
	n := 0
	for _, v := range valid[from:to] {
		n += 1 - int(v)
	}
	return n
}

// zones computes both zone sections from col: values, or codes.
func (c *encodedColumn) zones(col *encoding.Column, prefix bool) {
	for from := 0; from < col.N; from += GroupRows {
		c.groupZones(col, from, min(col.N, from+GroupRows), prefix)
	}
	c.closeZones(prefix)
}

// groupZones adds the bounds of the next row group, rows [from, to) of col.
func (c *encodedColumn) groupZones(col *encoding.Column, from, to int, prefix bool) {
	var group encoding.Zone
	first := len(c.granules)
	for at := from; at < to; at += GranuleRows {
		var z encoding.Zone
		z.Extend(col, at, min(to, at+GranuleRows))
		c.granules = append(c.granules, z)
		group.Merge(&z)
	}
	for i := first; i < len(c.granules); i++ {
		z := &c.granules[i]
		c.finer = c.finer || z.Flags != group.Flags || z.MinI != group.MinI || z.MaxI != group.MaxI ||
			z.MinP != group.MinP || z.MaxP != group.MaxP || (z.Nulls == 0) != (group.Nulls == 0) || (z.Nulls == z.Rows) != (group.Nulls == group.Rows)
	}
	c.zonesGroup = appendZoneGroup(c.zonesGroup, &group, prefix)
}

// closeZones makes the section of granules, unless they say no more than their
// row groups.
func (c *encodedColumn) closeZones(prefix bool) {
	if c.finer {
		c.zonesGranule = granuleZones(c.granules, prefix)
	}
	c.granules = nil
}

// sum adds the row group's entry to SUMS, for integers.
func (c *encodedColumn) sum(col *encoding.Column, from, to int) {
	var s sum
	switch {
	case col.Phys == types.PhysI16:
		sumOf(&s, vec.CastSlice[int16](col.Fixed)[from:to], col.Valid, from, true)
	case col.Phys == types.PhysI32 && col.Unsigned:
		sumOf(&s, vec.CastSlice[uint32](col.Fixed)[from:to], col.Valid, from, true)
	case col.Phys == types.PhysI32:
		sumOf(&s, vec.CastSlice[int32](col.Fixed)[from:to], col.Valid, from, true)
	case col.Phys == types.PhysI64:
		sumOf(&s, vec.CastSlice[int64](col.Fixed)[from:to], col.Valid, from, false)
	default:
		return
	}
	c.sums = s.append(c.sums)
}

// sumOf adds v to s. Values of up to 32 bits cannot overflow 64 bits within a
// row group.
func sumOf[T int16 | int32 | uint32 | int64](s *sum, v []T, valid []byte, from int, narrow bool) {
	if valid == nil && narrow {
		total := int64(0)
		for _, x := range v {
			total += int64(x)
		}
		var carry uint64
		s.lo, carry = bits.Add64(s.lo, uint64(total), 0)
		s.hi += total>>63 + int64(carry)
		s.count += uint32(len(v))
		return
	}
	for i, x := range v {
		if valid != nil && valid[from+i] == 0 {
			continue
		}
		var carry uint64
		s.lo, carry = bits.Add64(s.lo, uint64(int64(x)), 0)
		s.hi += int64(x)>>63 + int64(carry)
		s.count++
	}
}

// encodeDict encodes a dictionary column.
func encodeDict(spec *Spec, id uint32, d *dictionary, e *encoding.Encoder) (*encodedColumn, error) {
	out := &encodedColumn{id: id, cold: spec.Cold, dict: d.section(e)}
	for from := 0; from < len(d.codes); from += GroupRows {
		to := min(len(d.codes), from+GroupRows)
		var valid []byte
		if d.valid != nil {
			valid = d.valid[from:to]
		}
		p, err := e.Codes(d.codes[from:to], valid, d.ascii)
		if err != nil {
			return nil, err
		}
		out.page(spec.ID, p, to-from, nulls(d.valid, from, to))
	}
	out.zones(&encoding.Column{Phys: types.PhysI32, Unsigned: true, N: len(d.codes), Valid: d.valid, Fixed: vec.BytesOf(d.codes)}, false)
	return out, nil
}
