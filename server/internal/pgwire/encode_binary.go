package pgwire

import (
	"encoding/binary"

	"quern/storage/types"
	"quern/storage/vec"
)

// fixedKind says how a fixed-width value is stored in binary format.
type fixedKind uint8

const (
	notFixed fixedKind = iota
	fixed8             // bool
	fixed16
	fixed32
	fixedDate
	fixed64
	fixedStamp
	fixedUUID
	fixedInterval
)

func (k fixedKind) width() int {
	return [...]int{0, 1, 2, 4, 4, 8, 8, 16, 16}[k]
}

// Days and µs between 1970 and 2000, where PostgreSQL's binary dates begin.
const (
	epochDays   = 10957
	epochMicros = epochDays * usDay
)

func fixedOf(t types.Type) fixedKind {
	switch t.OID {
	case types.BoolOID:
		return fixed8
	case types.DateOID:
		return fixedDate
	case types.TimestampOID, types.TimestamptzOID:
		return fixedStamp
	}
	switch t.Phys() {
	case types.PhysI16:
		return fixed16
	case types.PhysI32, types.PhysF32:
		return fixed32
	case types.PhysI64, types.PhysF64:
		return fixed64
	case types.PhysUUID:
		return fixedUUID
	case types.PhysInterval:
		return fixedInterval
	}
	return notFixed
}

func (c *column) chooseBinary() {
	c.fixed = fixedOf(c.typ)
	switch {
	case c.fixed != notFixed:
		c.app = binaryFixed
	case c.typ.OID == types.JSONBOID:
		c.app = binaryJSONB
	case c.typ.OID == types.ByteaOID || rawText(c.typ.OID):
		c.raw = true
	default:
		c.app = binaryDatum
	}
}

func binaryDatum(c *column, dst []byte, v *vec.Vector, i int) []byte {
	d := v.Datum(i)
	out, err := types.AppendBinary(dst, c.typ, &d)
	if err != nil && c.err == nil {
		c.err = err
	}
	return out
}

func binaryJSONB(_ *column, dst []byte, v *vec.Vector, i int) []byte {
	return append(append(dst, 1), v.Views[i].Bytes(v.Bufs)...)
}

func binaryFixed(c *column, dst []byte, v *vec.Vector, i int) []byte {
	switch c.fixed {
	case fixed8:
		return append(dst, v.Fixed[i])
	case fixed16:
		return binary.BigEndian.AppendUint16(dst, uint16(vec.Values[int16](v)[i]))
	case fixed32:
		return binary.BigEndian.AppendUint32(dst, vec.Values[uint32](v)[i])
	case fixedDate:
		return binary.BigEndian.AppendUint32(dst, uint32(pgDate(vec.Values[int32](v)[i])))
	case fixed64:
		return binary.BigEndian.AppendUint64(dst, vec.Values[uint64](v)[i])
	case fixedStamp:
		return binary.BigEndian.AppendUint64(dst, uint64(pgStamp(vec.Values[int64](v)[i])))
	case fixedUUID:
		u := vec.Values[[16]byte](v)[i]
		return append(dst, u[:]...)
	case fixedInterval:
		iv := vec.Values[types.IntervalVal](v)[i]
		return appendInterval(dst, &iv)
	}
	return dst
}

func pgDate(d int32) int32 {
	if d == types.DatePosInf || d == types.DateNegInf {
		return d
	}
	return d - epochDays
}

func pgStamp(us int64) int64 {
	if us == types.TimePosInf || us == types.TimeNegInf {
		return us
	}
	return us - epochMicros
}

func appendInterval(dst []byte, iv *types.IntervalVal) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(iv.Micros))
	dst = binary.BigEndian.AppendUint32(dst, uint32(iv.Days))
	return binary.BigEndian.AppendUint32(dst, uint32(iv.Months))
}

// putFixed stores the values of rows lo… of a Flat vector without NULLs, each
// behind its length, where at says, and moves at behind them. (One loop per
// width.)
func (c *column) putFixed(dst []byte, at []int32, v *vec.Vector, sel vec.Selection, lo int) {
	width := c.fixed.width()
	be := binary.BigEndian
	next := func(r int) (field []byte, i int) {
		i = lo + r
		if sel != nil {
			i = int(sel[i])
		}
		p := int(at[r])
		field = dst[p : p+4+width]
		at[r] = int32(p + 4 + width)
		be.PutUint32(field, uint32(width))
		return field[4:], i
	}
	switch c.fixed {
	case fixed8:
		for r := range at {
			row, i := next(r)
			row[0] = v.Fixed[i]
		}
	case fixed16:
		vals := vec.Values[int16](v)
		for r := range at {
			row, i := next(r)
			be.PutUint16(row, uint16(vals[i]))
		}
	case fixed32:
		vals := vec.Values[uint32](v)
		for r := range at {
			row, i := next(r)
			be.PutUint32(row, vals[i])
		}
	case fixedDate:
		vals := vec.Values[int32](v)
		for r := range at {
			row, i := next(r)
			be.PutUint32(row, uint32(pgDate(vals[i])))
		}
	case fixed64:
		vals := vec.Values[uint64](v)
		for r := range at {
			row, i := next(r)
			be.PutUint64(row, vals[i])
		}
	case fixedStamp:
		vals := vec.Values[int64](v)
		for r := range at {
			row, i := next(r)
			be.PutUint64(row, uint64(pgStamp(vals[i])))
		}
	case fixedUUID:
		vals := vec.Values[[16]byte](v)
		for r := range at {
			row, i := next(r)
			copy(row, vals[i][:])
		}
	case fixedInterval:
		vals := vec.Values[types.IntervalVal](v)
		for r := range at {
			row, i := next(r)
			appendInterval(row[:0], &vals[i])
		}
	}
}
