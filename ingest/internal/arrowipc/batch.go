package arrowipc

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"slices"

	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

func newReader(b []byte) io.Reader { return bytes.NewReader(b) }

func readAll(r io.Reader, n int64) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, n+1))
	if err == nil && int64(len(out)) != n {
		err = io.ErrUnexpectedEOF
	}
	return out, err
}

// column is the buffers of one column of a batch, checked as far as their lengths
// go.
type column struct {
	field *field
	rows  int
	valid []byte // bitmap, nil = no NULL
	fixed []byte // values, bits of a bool, or indices
	offs  []byte // of bytes: 4 or 8 bytes each
	data  []byte
	dict  *column
}

// Batch is one record batch.
type Batch struct {
	f    *File
	cols []column // of the columns that were asked for
	to   []types.Type
	rows int
	at   int
	held int64
}

// Next reads up to the next record batch and opens the named columns of it as the
// target types; io.EOF is the end.
func (f *File) Next(cols []decode.Column) (*Batch, error) {
	for {
		head, kind, body, err := f.message()
		if err != nil {
			return nil, err
		}
		switch kind {
		case headDictionary:
			if err := f.dictionary(head, body); err != nil {
				return nil, err
			}
		case headBatch:
			return f.batch(head, body, cols)
		default:
			return nil, malformed("a message of kind %d", kind)
		}
	}
}

func (f *File) dictionary(t table, body []byte) error {
	id := t.long(0)
	data, ok := t.table(1)
	if !ok || t.f.bad {
		return malformed("dictionary")
	}
	if t.byte(2, 0) != 0 {
		return errs.NotSupported("delta dictionaries in an Arrow stream")
	}
	i := slices.IndexFunc(f.fields, func(c field) bool { return c.dict == id })
	if i < 0 {
		return nil // of a nested column
	}
	values := f.fields[i]
	values.index, values.dict = nil, -1
	if values.scalar() != nil {
		return nil
	}
	b, err := f.buffers(data, body)
	if err != nil {
		return err
	}
	c, err := b.column(&values)
	if err != nil {
		return err
	}
	f.dicts[id] = &c
	return nil
}

func (f *File) batch(t table, body []byte, cols []decode.Column) (*Batch, error) {
	rows := t.long(0)
	b, err := f.buffers(t, body)
	if err != nil {
		return nil, err
	}
	if rows < 0 || rows > rowsMax {
		return nil, malformed("length of a record batch")
	}
	if f.cells -= rows * int64(len(cols)+1); f.cells < 0 {
		return nil, errs.New(errs.ProgramLimit, "the Arrow stream has far more values than bytes")
	}
	out := &Batch{f: f, rows: int(rows), cols: make([]column, len(cols))}
	for i := range f.fields {
		fd := &f.fields[i]
		want := slices.IndexFunc(cols, func(c decode.Column) bool { return c.Name == fd.name })
		if want < 0 {
			if err := b.skip(fd); err != nil {
				return nil, err
			}
			continue
		}
		if err := fd.scalar(); err != nil {
			return nil, err
		}
		c, err := b.column(fd)
		if err != nil {
			return nil, err
		}
		if c.rows != out.rows {
			return nil, malformed("column %q has %d of %d rows", fd.name, c.rows, out.rows)
		}
		out.cols[want] = c
	}
	for i, c := range cols {
		if out.cols[i].field == nil {
			return nil, errs.New(errs.UndefinedColumn, "the Arrow stream has no column %q", c.Name)
		}
		out.to = append(out.to, c.Type)
	}
	out.held = b.taken
	return out, nil
}

// skip passes over the buffers of a column that is not read.
func (b *buffers) skip(f *field) error {
	if _, _, err := b.nextNode(); err != nil {
		return err
	}
	n := 0
	switch {
	case f.index != nil:
		n = 2
	case f.kind == tNull:
	case f.kind == tBinary, f.kind == tUtf8, f.kind == tLargeBin, f.kind == tLargeUtf8:
		n = 3
	case f.kind == tList, f.kind == tLargeList, f.kind == tMap:
		n = 2
	case f.kind == tStruct, f.kind == tFixedList:
		n = 1
	case f.scalar() == nil || f.kind == tDecimal || f.kind == 11 || f.kind == 18:
		n = 2
	default:
		return f.scalar()
	}
	for range n {
		if _, err := b.raw(); err != nil {
			return err
		}
	}
	if f.index != nil {
		return nil
	}
	for i := range f.children {
		if err := b.skip(&f.children[i]); err != nil {
			return err
		}
	}
	return nil
}

// column takes the buffers of a column.
func (b *buffers) column(f *field) (c column, err error) {
	rows, nulls, err := b.nextNode()
	if err != nil {
		return c, err
	}
	c = column{field: f, rows: int(rows)}
	if f.kind == tNull && f.index == nil {
		return c, nil
	}
	valid, err := b.next()
	if err != nil {
		return c, err
	}
	if nulls > 0 {
		if c.valid = valid; int64(len(valid))*8 < rows {
			return c, c.short()
		}
	}
	if f.index != nil {
		if c.dict = b.f.dicts[f.dict]; c.dict == nil {
			return c, malformed("dictionary %d of column %q is missing", f.dict, f.name)
		}
		c.fixed, err = b.sized(rows, f.index.bits)
		return c, err
	}
	switch f.kind {
	case tBool:
		c.fixed, err = b.sized(rows, 1)
	case tFixed:
		c.fixed, err = b.sized(rows, f.bits*8)
	case tUtf8, tBinary, tLargeUtf8, tLargeBin:
		err = b.text(&c)
	default:
		c.fixed, err = b.sized(rows, f.bits)
	}
	return c, err
}

func (c *column) short() error { return malformed("a buffer of column %q is too short", c.field.name) }

// sized takes a buffer of at least rows × width bits.
func (b *buffers) sized(rows int64, width int) ([]byte, error) {
	buf, err := b.next()
	if err == nil && (rows*int64(width)+7)/8 > int64(len(buf)) {
		err = malformed("a buffer is too short")
	}
	return buf, err
}

// text takes offsets and data. Whether offsets rise is checked as they are used.
func (b *buffers) text(c *column) (err error) {
	if c.offs, err = b.next(); err != nil {
		return err
	}
	if c.data, err = b.next(); err != nil {
		return err
	}
	if c.rows > 0 && (c.rows+1)*c.offBytes() > len(c.offs) {
		return c.short()
	}
	return nil
}

func (c *column) offBytes() int {
	if c.field.kind == tLargeUtf8 || c.field.kind == tLargeBin {
		return 8
	}
	return 4
}

// Bad is a row that a column could not convert.
type Bad struct {
	Row    int
	Code   errs.Code
	Column string
	Type   types.Type
}

// Rows gives the next rows, at most limit; io.EOF when there are none. Rows whose
// value does not fit are listed in bad (their values are NULL).
func (b *Batch) Rows(limit int) (out []vec.Vector, bad []Bad, rows int, err error) {
	rows = min(limit, b.rows-b.at)
	if rows == 0 {
		b.f.left += b.held
		b.held = 0
		return nil, nil, 0, io.EOF
	}
	for i := range b.cols {
		v, misfits, err := b.cols[i].read(b.at, rows, b.to[i])
		if err != nil {
			return nil, nil, 0, err
		}
		out = append(out, v)
		bad = append(bad, misfits...)
	}
	b.at += rows
	return out, bad, rows, nil
}

// read converts rows [from, from+n).
func (c *column) read(from, n int, to types.Type) (vec.Vector, []Bad, error) {
	b := vec.NewBuilder(to, n)
	var bad []Bad
	natural := c.field.natural()
	var scratch []byte
	for i := from; i < from+n; i++ {
		if c.null(i) {
			b.Null()
			continue
		}
		src, row := c, i
		if c.dict != nil {
			k, err := c.code(i)
			if err != nil {
				return vec.Vector{}, nil, err
			}
			if src, row = c.dict, k; src.null(row) {
				b.Null()
				continue
			}
		}
		var err error
		if src.offs != nil || src.field.kind == tFixed {
			var raw []byte
			if raw, err = src.bytes(row); err != nil {
				return vec.Vector{}, nil, err
			}
			err = appendBytes(b, natural, raw)
		} else {
			d := src.datum(row)
			scratch, err = appendDatum(b, natural, &d, scratch)
		}
		if err != nil {
			b.Null()
			bad = append(bad, Bad{Row: i - from, Code: errs.CodeOf(err), Column: c.field.name, Type: to})
		}
	}
	return b.Finish(), bad, nil
}

func (c *column) null(i int) bool {
	return c.field.kind == tNull && c.dict == nil || c.valid != nil && c.valid[i>>3]>>(i&7)&1 == 0
}

// code is the index of row i into the dictionary.
func (c *column) code(i int) (int, error) {
	x := integer(c.fixed, i, c.field.index.bits, c.field.index.unsigned)
	if x < 0 || x >= int64(c.dict.rows) {
		return 0, malformed("an index of column %q is outside its dictionary", c.field.name)
	}
	return int(x), nil
}

func integer(b []byte, i, bits int, unsigned bool) int64 {
	switch bits {
	case 8:
		if unsigned {
			return int64(b[i])
		}
		return int64(int8(b[i]))
	case 16:
		if x := binary.LittleEndian.Uint16(b[2*i:]); unsigned {
			return int64(x)
		} else {
			return int64(int16(x))
		}
	case 32:
		if x := binary.LittleEndian.Uint32(b[4*i:]); unsigned {
			return int64(x)
		} else {
			return int64(int32(x))
		}
	}
	return int64(binary.LittleEndian.Uint64(b[8*i:]))
}

// bytes is the value of row i of text, binary or fixed size binary.
func (c *column) bytes(i int) ([]byte, error) {
	if c.field.kind == tFixed {
		n := c.field.bits
		return c.fixed[i*n : (i+1)*n], nil
	}
	size := c.offBytes()
	from, to := integer(c.offs, i, 8*size, false), integer(c.offs, i+1, 8*size, false)
	if from < 0 || to < from || to > int64(len(c.data)) {
		return nil, malformed("offsets of column %q", c.field.name)
	}
	return c.data[from:to], nil
}

// datum is the value of row i of any other type.
func (c *column) datum(i int) types.Datum {
	f := c.field
	switch f.kind {
	case tBool:
		return types.Datum{I: int64(c.fixed[i>>3] >> (i & 7) & 1)}
	case tInt:
		x := integer(c.fixed, i, f.bits, f.unsigned)
		if f.unsigned && f.bits == 64 {
			return types.Datum{N: types.Num{Lo: uint64(x)}}
		}
		return types.Datum{I: x}
	case tFloat:
		switch f.bits {
		case 16:
			return types.Datum{F: float16(binary.LittleEndian.Uint16(c.fixed[2*i:]))}
		case 32:
			return types.Datum{F: float64(math.Float32frombits(binary.LittleEndian.Uint32(c.fixed[4*i:])))}
		}
		return types.Datum{F: math.Float64frombits(binary.LittleEndian.Uint64(c.fixed[8*i:]))}
	case tDecimal:
		b := c.fixed[16*i:]
		return types.Datum{N: types.Num{Lo: binary.LittleEndian.Uint64(b), Hi: int64(binary.LittleEndian.Uint64(b[8:])), Scale: int16(f.scale)}}
	case tDate:
		x := integer(c.fixed, i, f.bits, false)
		if f.unit == 1 {
			x = floorDiv(x, 86_400_000)
		}
		return types.Datum{I: x}
	}
	return types.Datum{I: micros(integer(c.fixed, i, f.bits, false), f.unit)}
}

func floorDiv(x, y int64) int64 {
	q := x / y
	if x%y < 0 {
		q--
	}
	return q
}

// micros scales a time; what does not fit is infinite.
func micros(x int64, unit int) int64 {
	scale := [...]int64{1_000_000, 1000, 1, 0}[unit]
	switch {
	case scale == 0:
		return floorDiv(x, 1000)
	case x > math.MaxInt64/scale:
		return types.TimePosInf
	case x < math.MinInt64/scale:
		return types.TimeNegInf
	}
	return x * scale
}

// float16 widens an IEEE 754 half.
func float16(h uint16) float64 {
	exp, frac := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(frac+1024, exp-25)
	switch {
	case exp == 31 && frac != 0:
		return math.NaN()
	case exp == 31:
		v = math.Inf(1)
	case exp == 0:
		v = math.Ldexp(frac, -24)
	}
	if h&0x8000 != 0 {
		return -v
	}
	return v
}

// appendBytes appends text or binary: as it is to its own type, by its text form
// to others.
func appendBytes(b *vec.Builder, natural types.Type, raw []byte) error {
	if to := b.Type(); to.OID == types.ByteaOID {
		b.AppendBytes(raw)
		return nil
	} else if natural.OID == types.ByteaOID && to.OID != types.TextOID {
		return errs.New(errs.DatatypeMismatch, "binary does not fit type %s", to)
	}
	return decode.AppendText(b, raw, types.DefaultFormat)
}

// appendDatum appends a value of the natural type to a builder of any.
func appendDatum(b *vec.Builder, from types.Type, d *types.Datum, scratch []byte) ([]byte, error) {
	to := b.Type()
	whole := func(t types.Type) bool {
		return t.OID == types.Int2OID || t.OID == types.Int4OID || t.OID == types.Int8OID
	}
	moment := func(t types.Type) bool { return t.OID == types.TimestampOID || t.OID == types.TimestamptzOID }
	switch {
	case whole(from) && whole(to):
		if to.OID == types.Int2OID && d.I != int64(int16(d.I)) || to.OID == types.Int4OID && d.I != int64(int32(d.I)) {
			return scratch, errs.New(errs.NumericOutOfRange, "out of range")
		}
	case from.OID == to.OID && to.Mod == -1, moment(from) && moment(to), from.OID == types.Float4OID && to.OID == types.Float8OID:
	default:
		scratch = types.AppendText(scratch[:0], from, d, types.DefaultFormat)
		return scratch, decode.AppendText(b, scratch, types.DefaultFormat)
	}
	if from.OID == types.DateOID && d.I != int64(int32(d.I)) || from.OID == types.TimeOID && (d.I < 0 || d.I > 86_400_000_000) {
		return scratch, errs.New(errs.DatetimeOverflow, "out of range")
	}
	b.Append(d)
	return scratch, nil
}
