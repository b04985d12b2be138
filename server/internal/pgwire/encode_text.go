package pgwire

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// newColumn chooses the encoder of a column of type t in format 0 (text) or 1
// (binary) under the session's settings.
func newColumn(t types.Type, format int16, f *types.Format) (*column, error) {
	if f == nil {
		f = types.DefaultFormat
	}
	c := &column{typ: t, fmt: f, binary: format == 1}
	if c.binary {
		if !types.HasBinary(t) {
			return nil, errs.New(errs.UndefinedFunction, "no binary output function available for type %s", t)
		}
		c.chooseBinary()
		return c, nil
	}
	c.chooseText()
	return c, nil
}

func rawText(oid types.OID) bool {
	switch oid {
	case types.TextOID, types.VarcharOID, types.BpcharOID, types.NameOID, types.JSONOID,
		types.UnknownOID, types.XMLOID, types.NodeTreeOID, types.AclItemOID:
		return true
	}
	return false
}

func (c *column) chooseText() {
	switch c.typ.OID {
	case types.JSONBOID:
		c.raw = true
	case types.BoolOID:
		c.app = textBool
	case types.Int2OID:
		c.app = textInt[int16]
	case types.Int4OID:
		c.app = textInt[int32]
	case types.Int8OID:
		c.app = textInt[int64]
	case types.OidOID, types.XidOID:
		c.app = textInt[uint32]
	case types.Float4OID:
		c.app = textDatum
		if c.fmt.ExtraFloatDigits >= 1 {
			c.app = textFloat4
		}
	case types.Float8OID:
		c.app = textDatum
		if c.fmt.ExtraFloatDigits >= 1 {
			c.app = textFloat8
		}
	case types.NumericOID:
		c.app = textNumeric
	case types.ByteaOID:
		c.app = textDatum
		if !c.fmt.ByteaEscape {
			c.app = textBytea
		}
	case types.TimestampOID, types.TimestamptzOID:
		c.app = textDatum
		if c.fmt.DateStyle == types.DateISO {
			c.stamp.init(c.typ.OID == types.TimestamptzOID, c.fmt.Location)
			c.app = textStamp
		}
	default:
		c.app = textDatum
		if rawText(c.typ.OID) {
			c.raw = true
		}
	}
}

// textDatum is for types that need no speed: it may allocate.
func textDatum(c *column, dst []byte, v *vec.Vector, i int) []byte {
	d := v.Datum(i)
	return types.AppendText(dst, c.typ, &d, c.fmt)
}

func textBool(_ *column, dst []byte, v *vec.Vector, i int) []byte {
	if v.Fixed[i] != 0 {
		return append(dst, 't')
	}
	return append(dst, 'f')
}

func textInt[T int16 | int32 | int64 | uint32](_ *column, dst []byte, v *vec.Vector, i int) []byte {
	return strconv.AppendInt(dst, int64(vec.Values[T](v)[i]), 10)
}

func textFloat8(_ *column, dst []byte, v *vec.Vector, i int) []byte {
	return appendFloat(dst, vec.Values[float64](v)[i], 64, 1e15)
}

func textFloat4(_ *column, dst []byte, v *vec.Vector, i int) []byte {
	return appendFloat(dst, float64(vec.Values[float32](v)[i]), 32, 1e6)
}

// appendFloat is the shortest form in PostgreSQL's notation: with an exponent
// below 1e-4 and from top upwards.
func appendFloat(dst []byte, f float64, bits int, top float64) []byte {
	abs := math.Abs(f)
	switch {
	case abs >= 1e-4 && abs < top || f == 0:
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	case f != f:
		return append(dst, "NaN"...)
	case f > math.MaxFloat64:
		return append(dst, "Infinity"...)
	case f < -math.MaxFloat64:
		return append(dst, "-Infinity"...)
	}
	// NB: a float4 just below 1e-4 is the nearest one to it, and prints so.
	if bits == 32 && float32(abs) == float32(1e-4) {
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, bits)
}

func textNumeric(_ *column, dst []byte, v *vec.Vector, i int) []byte {
	return vec.Values[types.Num](v)[i].AppendText(dst)
}

func textBytea(_ *column, dst []byte, v *vec.Vector, i int) []byte {
	return hex.AppendEncode(append(dst, `\x`...), v.Views[i].Bytes(v.Bufs))
}

func textStamp(c *column, dst []byte, v *vec.Vector, i int) []byte {
	us := vec.Values[int64](v)[i]
	if out, ok := c.stamp.append(dst, us); ok {
		return out
	}
	d := types.Datum{I: us}
	return types.AppendText(dst, c.typ, &d, c.fmt)
}

// stampCache formats timestamps of ordinary years in ISO style: the date part
// is kept for the day, the zone's offset until its next transition.
type stampCache struct {
	zoned bool
	loc   *time.Location

	// Offset in seconds east, valid for from ≤ µs < until.
	from, until int64
	offset      int64
	suffix      [10]byte
	suffixLen   int

	day  int64 // local days since 1970 that date stands for
	date [11]byte
	set  bool
}

const (
	usSecond = 1_000_000
	usDay    = 86400 * usSecond
	// stampMin and stampMax bound what the cache formats: years 1 to 9999 with
	// a margin for offsets; others are left to package types.
	stampMin = -62135596800*usSecond + 2*usDay
	stampMax = 253402300800*usSecond - 2*usDay
)

func (s *stampCache) init(zoned bool, loc *time.Location) {
	if loc == nil {
		loc = time.UTC
	}
	*s = stampCache{zoned: zoned, loc: loc, until: math.MinInt64}
	if !zoned {
		s.from, s.until = math.MinInt64, math.MaxInt64
	}
}

func (s *stampCache) append(dst []byte, us int64) ([]byte, bool) {
	if us < stampMin || us >= stampMax {
		return dst, false
	}
	if us < s.from || us >= s.until {
		s.zone(us)
	}
	us += s.offset * usSecond
	day := us / usDay
	if us%usDay < 0 {
		day--
	}
	if day != s.day || !s.set {
		s.day, s.set = day, true
		time.Unix(day*86400, 0).UTC().AppendFormat(s.date[:0], "2006-01-02 ")
	}
	rest := uint32((us - day*usDay) / usSecond)
	frac := uint32((us - day*usDay) % usSecond)
	h, m, sec := rest/3600, rest/60%60, rest%60
	dst = append(dst, s.date[:]...)
	dst = append(dst, byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10), ':',
		byte('0'+sec/10), byte('0'+sec%10))
	if frac != 0 {
		var d [7]byte
		d[0] = '.'
		n := 1
		for i := 6; i > 0; i-- {
			d[i] = byte('0' + frac%10)
			if n == 1 && d[i] != '0' {
				n = i + 1
			}
			frac /= 10
		}
		dst = append(dst, d[:n]...)
	}
	return append(dst, s.suffix[:s.suffixLen]...), true
}

// zone finds the offset at us and how long it holds.
func (s *stampCache) zone(us int64) {
	t := time.UnixMicro(us).In(s.loc)
	_, off := t.Zone()
	s.offset = int64(off)
	s.from, s.until = math.MinInt64, math.MaxInt64
	if start, end := t.ZoneBounds(); true {
		if !start.IsZero() {
			s.from = start.UnixMicro()
		}
		if !end.IsZero() {
			s.until = end.UnixMicro()
		}
	}
	b := s.suffix[:0]
	sign := byte('+')
	if off < 0 {
		sign, off = '-', -off
	}
	b = append(b, sign, byte('0'+off/36000), byte('0'+off/3600%10))
	if off%3600 != 0 {
		b = append(b, ':', byte('0'+off/60%60/10), byte('0'+off/60%60%10))
	}
	if off%60 != 0 {
		b = append(b, ':', byte('0'+off%60/10), byte('0'+off%60%10))
	}
	s.suffixLen = len(b)
}
