package parquet

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"unicode/utf8"

	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// Converted types of parquet.thrift that older writers use alone.
const (
	convUTF8            = 0
	convEnum            = 4
	convDecimal         = 5
	convDate            = 6
	convTimeMillis      = 7
	convTimeMicros      = 8
	convTimestampMillis = 9
	convTimestampMicros = 10
	convUint8           = 11
	convUint16          = 12
	convUint32          = 13
	convUint64          = 14
	convInt8            = 15
	convInt16           = 16
	convJSON            = 19
)

// Columns are the file's flat columns with their natural types. Nested ones
// are refused when asked for.
func (f *File) Columns() []decode.Column {
	var out []decode.Column
	for i := range f.leaves {
		if l := &f.leaves[i]; !l.nested {
			out = append(out, decode.Column{Name: l.name, Type: l.natural()})
		}
	}
	return out
}

// Nested names the first nested column, "" if there is none.
func (f *File) Nested() string {
	for i := range f.leaves {
		if f.leaves[i].nested {
			return f.leaves[i].path[0]
		}
	}
	return ""
}

// Groups and GroupRows tell the row groups.
func (f *File) Groups() int           { return len(f.groups) }
func (f *File) GroupRows(g int) int64 { return f.groups[g].rows }

// natural is the type that the column's annotations say.
func (l *leaf) natural() types.Type {
	switch l.phys {
	case physBoolean:
		return types.Bool
	case physInt96:
		return types.Timestamp
	case physFloat:
		return types.Float4
	case physDouble:
		return types.Float8
	case physInt32, physInt64:
		return l.naturalInt()
	}
	switch {
	case l.logical.kind == logFloat16 && l.typeLength == 2:
		return types.Float4
	case l.logical.kind == logUUID && l.typeLength == 16:
		return types.UUID
	case l.decimal():
		return types.Numeric
	case l.logical.kind == logJSON || l.logical.kind == 0 && l.converted == convJSON:
		return types.JSONB
	case l.logical.kind == logString || l.logical.kind == logEnum || l.converted == convUTF8 || l.converted == convEnum:
		return types.Text
	}
	return types.Bytea
}

func (l *leaf) decimal() bool { return l.logical.kind == logDecimal || l.converted == convDecimal }

func (l *leaf) naturalInt() types.Type {
	switch {
	case l.decimal():
		return types.Numeric
	case l.logical.kind == logDate || l.converted == convDate:
		return types.Date
	case l.logical.kind == logTime || l.converted == convTimeMillis || l.converted == convTimeMicros:
		return types.Time
	case l.logical.kind == logTimestamp && !l.logical.utc:
		return types.Timestamp
	case l.logical.kind == logTimestamp || l.converted == convTimestampMillis || l.converted == convTimestampMicros:
		return types.Timestamptz
	case l.unsigned() == 64:
		return types.Numeric
	case l.unsigned() == 32:
		return types.Int8
	case l.phys == physInt64:
		return types.Int8
	case l.logical.kind == logInteger && l.logical.bits <= 16 && l.logical.sign, l.converted == convInt8, l.converted == convInt16,
		l.unsigned() == 8:
		return types.Int2
	}
	return types.Int4
}

// unsigned is the width of an unsigned integer column, 0 for others.
func (l *leaf) unsigned() int {
	if l.logical.kind == logInteger && !l.logical.sign {
		return l.logical.bits
	}
	switch l.converted {
	case convUint8, convUint16, convUint32, convUint64:
		return 8 << (l.converted - convUint8)
	}
	return 0
}

// unitMicros scales a time to µs: ms × 1000, ns / 1000.
func (l *leaf) micros(v int64) int64 {
	switch {
	case l.logical.unit == 1 || l.logical.unit == 0 && (l.converted == convTimestampMillis || l.converted == convTimeMillis):
		if v > math.MaxInt64/1000 || v < math.MinInt64/1000 {
			return types.TimePosInf
		}
		return v * 1000
	case l.logical.unit == 3:
		q := v / 1000
		if v%1000 < 0 {
			q--
		}
		return q
	}
	return v
}

// Bad is a row that a column could not convert.
type Bad struct {
	Row    int
	Code   errs.Code
	Column string
	Type   types.Type
}

// column converts all values. Kinds that share a physical form take a loop over
// slices; the rest goes value by value.
func (c *converter) column(v *values) (vec.Vector, []Bad) {
	if v.ints != nil && c.sameInts() {
		return c.fixed(v, c.to.Phys())
	}
	if v.floats != nil && (c.to.OID == types.Float8OID || c.to.OID == types.Float4OID && c.leaf.phys == physFloat) {
		return c.fixed(v, c.to.Phys())
	}
	var bad []Bad
	c.b = vec.NewBuilder(c.to, v.len())
	for i := range v.len() {
		if v.valid != nil && !v.valid[i] {
			c.b.Null()
			continue
		}
		if err := c.row(v, i); err != nil {
			c.b.Null()
			bad = append(bad, Bad{Row: i, Code: errs.CodeOf(err), Column: c.leaf.name, Type: c.to})
		}
	}
	return c.b.Finish(), bad
}

// sameInts: the stored integers are the target's values, range aside.
func (c *converter) sameInts() bool {
	if c.leaf.unsigned() >= 32 {
		return false
	}
	scaled := c.leaf.micros(1) != 1
	switch {
	case c.integer(c.from) && c.integer(c.to), c.from.OID == types.DateOID && c.to.OID == types.DateOID,
		c.from.OID == types.BoolOID && c.to.OID == types.BoolOID:
		return true
	case c.timestamp(c.from) && c.timestamp(c.to), c.from.OID == types.TimeOID && c.to.OID == types.TimeOID:
		return !scaled
	}
	return false
}

// fixed narrows or copies all values into one buffer.
func (c *converter) fixed(v *values, phys types.Phys) (vec.Vector, []Bad) {
	n := v.len()
	out := vec.Vector{Type: c.to, Len: n, Fixed: vec.AlignedBytes(n * phys.Size())}
	var bad []Bad
	switch phys {
	case types.PhysBool:
		narrow(vec.CastSlice[uint8](out.Fixed), v.ints)
	case types.PhysI16:
		bad = c.misfits(v, narrow(vec.CastSlice[int16](out.Fixed), v.ints))
	case types.PhysI32:
		bad = c.misfits(v, narrow(vec.CastSlice[int32](out.Fixed), v.ints))
	case types.PhysI64:
		copy(vec.CastSlice[int64](out.Fixed), v.ints)
	case types.PhysF32:
		for i, x := range v.floats {
			vec.CastSlice[float32](out.Fixed)[i] = float32(x)
		}
	case types.PhysF64:
		copy(vec.CastSlice[float64](out.Fixed), v.floats)
	}
	if v.valid != nil {
		for i, ok := range v.valid {
			if !ok {
				out.SetNull(i)
			}
		}
	}
	for _, b := range bad {
		out.SetNull(b.Row)
	}
	return out, bad
}

// narrow converts and reports whether every value fitted.
func narrow[T ~uint8 | ~int16 | ~int32](dst []T, src []int64) bool {
	lost := int64(0)
	for i, x := range src {
		y := T(x)
		dst[i] = y
		lost |= x ^ int64(y)
	}
	return lost == 0
}

// misfits lists the rows whose value does not fit the target.
func (c *converter) misfits(v *values, all bool) (bad []Bad) {
	if all {
		return nil
	}
	for i, x := range v.ints {
		if !fitsInt(c.to, x) {
			bad = append(bad, Bad{Row: i, Code: errs.NumericOutOfRange, Column: c.leaf.name, Type: c.to})
		}
	}
	return bad
}

func (f *File) leafByName(name string) *leaf {
	for i := range f.leaves {
		if l := &f.leaves[i]; l.path[0] == name {
			return l
		}
	}
	return nil
}

// converter appends one column's values to a builder of the target type.
type converter struct {
	leaf     *leaf
	from, to types.Type
	b        *vec.Builder
	scratch  []byte
}

// row appends value i, which is not NULL.
func (c *converter) row(v *values, i int) error {
	if c.from.OID == types.ByteaOID || c.from.OID == types.TextOID {
		return c.text(v.bytes[i])
	}
	d, err := c.datum(v, i)
	if err != nil {
		return err
	}
	if c.to.OID == c.from.OID && c.to.Mod == -1 {
		c.b.Append(&d)
		return nil
	}
	if c.integer(c.from) && c.integer(c.to) {
		if !fitsInt(c.to, d.I) {
			return errs.New(errs.NumericOutOfRange, "out of range")
		}
		c.b.Append(&d)
		return nil
	}
	if c.timestamp(c.from) && c.timestamp(c.to) || c.from.OID == types.Float4OID && c.to.OID == types.Float8OID {
		c.b.Append(&d)
		return nil
	}
	c.scratch = types.AppendText(c.scratch[:0], c.from, &d, types.DefaultFormat)
	return c.parse(c.scratch)
}

func (c *converter) integer(t types.Type) bool {
	return t.OID == types.Int2OID || t.OID == types.Int4OID || t.OID == types.Int8OID
}

func (c *converter) timestamp(t types.Type) bool {
	return t.OID == types.TimestampOID || t.OID == types.TimestamptzOID
}

func fitsInt(t types.Type, v int64) bool {
	switch t.OID {
	case types.Int2OID:
		return v == int64(int16(v))
	case types.Int4OID:
		return v == int64(int32(v))
	}
	return true
}

// text appends a byte array: to bytea as it is, to text after a check, to
// other types by their text form.
func (c *converter) text(b []byte) error {
	switch c.to.OID {
	case types.ByteaOID:
		c.b.AppendBytes(b)
		return nil
	case types.TextOID:
		if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
			return errs.New(errs.CharacterNotInRepertoire, "not UTF-8")
		}
		c.b.AppendBytes(b)
		return nil
	}
	return c.parse(b)
}

func (c *converter) parse(b []byte) error {
	var d types.Datum
	if err := types.ParseBytes(c.to, b, types.DefaultFormat, &d); err != nil {
		return err
	}
	c.b.Append(&d)
	return nil
}

// datum is value i as the natural type.
func (c *converter) datum(v *values, i int) (types.Datum, error) {
	l := c.leaf
	switch c.from.OID {
	case types.Float4OID, types.Float8OID:
		if l.logical.kind == logFloat16 {
			return types.Datum{F: float16(binary.LittleEndian.Uint16(v.bytes[i]))}, nil
		}
		return types.Datum{F: v.floats[i]}, nil
	case types.NumericOID:
		return c.numeric(v, i)
	case types.TimeOID:
		return types.Datum{I: l.micros(v.ints[i])}, nil
	case types.TimestampOID, types.TimestamptzOID:
		if l.phys == physInt96 {
			return types.Datum{I: int96Micros(v.bytes[i])}, nil
		}
		return types.Datum{I: l.micros(v.ints[i])}, nil
	case types.UUIDOID:
		return types.Datum{U: [16]byte(v.bytes[i])}, nil
	case types.JSONBOID:
		return types.ParseText(types.JSONB, string(v.bytes[i]), types.DefaultFormat)
	case types.Int8OID:
		if l.unsigned() == 32 {
			return types.Datum{I: int64(uint32(v.ints[i]))}, nil
		}
	}
	return types.Datum{I: v.ints[i]}, nil
}

// numeric is a decimal, or an unsigned 64-bit integer.
func (c *converter) numeric(v *values, i int) (types.Datum, error) {
	l := c.leaf
	if !l.decimal() {
		return types.Datum{N: types.Num{Lo: uint64(v.ints[i])}}, nil
	}
	if l.scale < 0 || l.scale > 38 {
		return types.Datum{}, errs.New(errs.NumericOutOfRange, "scale is out of range")
	}
	n := types.Num{Scale: int16(l.scale)}
	if v.ints != nil {
		n.Lo, n.Hi = uint64(v.ints[i]), v.ints[i]>>63
		return types.Datum{N: n}, nil
	}
	err := bigEndian(&n, v.bytes[i])
	return types.Datum{N: n}, err
}

// bigEndian reads a two's complement coefficient of at most 16 bytes.
func bigEndian(n *types.Num, b []byte) error {
	for len(b) > 16 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	if len(b) > 16 {
		return errs.New(errs.NumericOutOfRange, "out of range")
	}
	if len(b) > 0 && b[0] >= 0x80 {
		n.Hi, n.Lo = -1, math.MaxUint64
	}
	for _, c := range b {
		n.Hi = int64(uint64(n.Hi)<<8 | n.Lo>>56)
		n.Lo = n.Lo<<8 | uint64(c)
	}
	return nil
}

// julianEpoch is the Julian day of 1970-01-01.
const julianEpoch = 2440588

// int96Micros: nanoseconds of the day, then the Julian day.
func int96Micros(b []byte) int64 {
	ns := binary.LittleEndian.Uint64(b)
	day := int64(binary.LittleEndian.Uint32(b[8:])) - julianEpoch
	hi, lo := bits.Mul64(uint64(day), 86_400_000_000)
	_ = hi // days are 32 bits: the product fits 64
	return int64(lo) + int64(ns/1000)
}

// float16 widens an IEEE 754 half.
func float16(h uint16) float64 {
	exp, frac := int(h>>10&31), float64(h&1023)
	v := 0.0
	switch exp {
	case 31:
		if v = math.Inf(1); frac != 0 {
			return math.NaN()
		}
	case 0:
		v = math.Ldexp(frac, -24)
	default:
		v = math.Ldexp(frac+1024, exp-25)
	}
	if h&0x8000 != 0 {
		v = -v
	}
	return v
}
