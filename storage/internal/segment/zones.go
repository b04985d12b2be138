package segment

import (
	"encoding/binary"

	"quern/storage/internal/encoding"
	"quern/storage/types"
)

// prefixed tells whether bounds are 16-byte prefixes and not integers.
func prefixed(p types.Phys, codes bool) bool {
	return !codes && (p == types.PhysBytes || p == types.PhysUUID)
}

const zoneGroupBytes = 48

func appendZoneGroup(dst []byte, z *encoding.Zone, prefix bool) []byte {
	dst = append(dst, byte(z.Flags), 0, 0, 0)
	dst = binary.LittleEndian.AppendUint32(dst, z.Nulls)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(z.Rows))
	if prefix {
		dst = append(dst, z.MinP[:]...)
		return append(dst, z.MaxP[:]...)
	}
	for _, x := range [2]int64{z.MinI, z.MaxI} {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x>>63))
	}
	return dst
}

func readZoneGroup(b []byte, prefix bool) encoding.Zone {
	z := encoding.Zone{Flags: encoding.ZoneFlags(b[0]), Nulls: binary.LittleEndian.Uint32(b[4:]), Rows: binary.LittleEndian.Uint32(b[8:])}
	if prefix {
		copy(z.MinP[:], b[16:])
		copy(z.MaxP[:], b[32:])
		return z
	}
	z.MinI, z.MaxI = int64(binary.LittleEndian.Uint64(b[16:])), int64(binary.LittleEndian.Uint64(b[32:]))
	return z
}

// granuleZones encodes ZONES_GRANULE.
func granuleZones(zones []encoding.Zone, prefix bool) []byte {
	width, nullWidth := 1, 0
	for i := range zones {
		z := &zones[i]
		width = max(width, intWidth(z.MinI), intWidth(z.MaxI))
		if z.Nulls > 0 {
			nullWidth = 2
		}
	}
	if prefix {
		width = 16
	}
	dst := binary.LittleEndian.AppendUint32(nil, uint32(len(zones)))
	dst = append(dst, byte(width), byte(nullWidth), 0, 0)
	for i := range zones {
		dst = append(dst, byte(zones[i].Flags))
	}
	dst = append(dst, make([]byte, (8-len(dst)&7)&7)...)
	for i := range zones {
		dst = appendBound(dst, zones[i].MinI, &zones[i].MinP, width)
	}
	for i := range zones {
		dst = appendBound(dst, zones[i].MaxI, &zones[i].MaxP, width)
	}
	if nullWidth > 0 {
		for i := range zones {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(zones[i].Nulls))
		}
	}
	return dst
}

func intWidth(x int64) int {
	switch {
	case x == int64(int8(x)):
		return 1
	case x == int64(int16(x)):
		return 2
	case x == int64(int32(x)):
		return 4
	}
	return 8
}

func appendBound(dst []byte, x int64, p *[16]byte, width int) []byte {
	switch width {
	case 1:
		return append(dst, byte(x))
	case 2:
		return binary.LittleEndian.AppendUint16(dst, uint16(x))
	case 4:
		return binary.LittleEndian.AppendUint32(dst, uint32(x))
	case 8:
		return binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	return append(dst, p[:]...)
}

// readGranuleZones decodes ZONES_GRANULE of a segment with rows rows; nil if it
// is not valid.
func readGranuleZones(b []byte, rows int) []encoding.Zone {
	n := (rows + GranuleRows - 1) / GranuleRows
	if len(b) < 8 || int(binary.LittleEndian.Uint32(b)) != n {
		return nil
	}
	width, nullWidth := int(b[4]), int(b[5])
	flagBytes := (8 + n + 7) &^ 7
	if width > 16 || width == 0 || width&(width-1) != 0 || nullWidth != 0 && nullWidth != 2 || len(b) < flagBytes+n*(2*width+nullWidth) {
		return nil
	}
	mins, maxs := b[flagBytes:], b[flagBytes+n*width:]
	nulls := b[flagBytes+2*n*width:]
	zones := make([]encoding.Zone, n)
	for i := range zones {
		z := &zones[i]
		z.Flags = encoding.ZoneFlags(b[8+i])
		z.Rows = uint32(min(GranuleRows, rows-i*GranuleRows))
		readBound(mins[i*width:], width, &z.MinI, &z.MinP)
		readBound(maxs[i*width:], width, &z.MaxI, &z.MaxP)
		if nullWidth > 0 {
			z.Nulls = uint32(binary.LittleEndian.Uint16(nulls[2*i:]))
		}
	}
	return zones
}

func readBound(b []byte, width int, x *int64, p *[16]byte) {
	switch width {
	case 1:
		*x = int64(int8(b[0]))
	case 2:
		*x = int64(int16(binary.LittleEndian.Uint16(b)))
	case 4:
		*x = int64(int32(binary.LittleEndian.Uint32(b)))
	case 8:
		*x = int64(binary.LittleEndian.Uint64(b))
	default:
		copy(p[:], b)
	}
}

// sum is a 128-bit sum and a count.
type sum struct {
	lo    uint64
	hi    int64
	count uint32
}

func (s *sum) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, s.lo)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.hi))
	dst = binary.LittleEndian.AppendUint32(dst, s.count)
	return binary.LittleEndian.AppendUint32(dst, 0)
}
