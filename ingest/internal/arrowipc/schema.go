// Package arrowipc decodes Arrow IPC streams and files from strangers, without the
// arrow library: it takes lengths in messages at their word and allocates by them,
// in every version (RELIABILITY.md §7).
//
//	stream  message*          message  FF FF FF FF, i32 length, FlatBuffers, body
//	file    ARROW1 00 00, stream, footer (not needed, not read)
//
//	Open ─ schema ─► File.Columns
//	File.Next ─ dictionary batches, record batch ─► Batch.Rows ─► vectors of ≤ n rows
//
// Every number of a message is checked before it is used (flat.go), every buffer
// lies inside its body, offsets rise and stay inside their data, indices inside
// their dictionary, text is UTF-8. What buffers decompress to counts against a
// budget before it is allocated.
//
// Supported: null, bool, integers, floats, decimal128, date, time, timestamp,
// utf8, binary and their large forms, fixed size binary, dictionaries of these;
// buffers uncompressed, LZ4 frame, zstd. Nested columns may be there but not be
// asked for. All else is refused by name. Start reading at Open and File.Next.
package arrowipc

import (
	"fmt"

	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/types"
)

// Ids of the union Type in Schema.fbs.
const (
	tNull      = 1
	tInt       = 2
	tFloat     = 3
	tBinary    = 4
	tUtf8      = 5
	tBool      = 6
	tDecimal   = 7
	tDate      = 8
	tTime      = 9
	tTimestamp = 10
	tList      = 12
	tStruct    = 13
	tFixed     = 15
	tFixedList = 16
	tMap       = 17
	tLargeBin  = 19
	tLargeUtf8 = 20
	tLargeList = 21
)

var typeNames = map[byte]string{11: "interval", tList: "list", tStruct: "struct", 14: "union", tFixedList: "fixed size list", tMap: "map",
	18: "duration", tLargeList: "large list", 22: "run-end encoded", 23: "binary view", 24: "utf8 view", 25: "list view", 26: "large list view"}

// field is one column, or a part of a nested one.
type field struct {
	name     string
	kind     byte
	bits     int // of integers, floats, times; bytes of a fixed size binary
	unsigned bool
	scale    int
	unit     int // 0 s, 1 ms, 2 µs, 3 ns
	zoned    bool
	dict     int64 // id of its dictionary, -1 = none
	index    *field
	children []field
}

func malformed(format string, args ...any) error {
	return errs.New(errs.BadCopyFormat, "malformed Arrow stream: "+format, args...)
}

const (
	columnsMax = 2000
	depthMax   = 64
)

func readSchema(t table) ([]field, error) {
	if t.short(0, 0) != 0 {
		return nil, errs.NotSupported("a big-endian Arrow stream")
	}
	list := t.tables(1)
	if t.f.bad || len(list) > columnsMax {
		return nil, malformed("schema")
	}
	var out []field
	for _, ft := range list {
		f, err := readField(ft, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func readField(t table, depth int) (f field, err error) {
	if t.pos == 0 || depth > depthMax {
		return f, malformed("field")
	}
	f.name, f.kind, f.dict = t.string(0), t.byte(2, 0), -1
	typ, ok := t.table(3)
	if !ok && f.kind != tNull {
		return f, malformed("field %q has no type", f.name)
	}
	f.readType(typ)
	if d, ok := t.table(4); ok {
		f.dict = d.long(0)
		ix := field{kind: tInt, bits: 32, dict: -1}
		if it, ok := d.table(1); ok {
			ix.readType(it)
		}
		f.index = &ix
	}
	for _, ct := range t.tables(5) {
		c, err := readField(ct, depth+1)
		if err != nil {
			return f, err
		}
		f.children = append(f.children, c)
	}
	if t.f.bad {
		return f, malformed("field")
	}
	return f, f.check()
}

func (f *field) readType(t table) {
	switch f.kind {
	case tInt:
		f.bits, f.unsigned = int(t.int(0, 0)), t.byte(1, 0) == 0
	case tFloat:
		f.bits = 16 << min(max(t.short(0, 0), 0), 3)
	case tDecimal:
		f.scale, f.bits = int(t.int(1, 0)), int(t.int(2, 128))
	case tDate:
		f.unit, f.bits = int(t.short(0, 1)), 32
		if f.unit == 1 {
			f.bits = 64
		}
	case tTime:
		f.unit, f.bits = int(t.short(0, 1)), int(t.int(1, 32))
	case tTimestamp:
		f.unit, f.bits, f.zoned = int(t.short(0, 0)), 64, t.field(1) != 0
	case tFixed, tFixedList:
		f.bits = int(t.int(0, 0))
	}
}

// check refuses widths that no type has.
func (f *field) check() error {
	ok := true
	switch f.kind {
	case tInt:
		ok = f.bits == 8 || f.bits == 16 || f.bits == 32 || f.bits == 64
	case tFloat:
		ok = f.bits <= 64
	case tTime:
		ok = (f.bits == 32 && f.unit <= 1 || f.bits == 64 && f.unit >= 2) && f.unit >= 0 && f.unit <= 3
	case tTimestamp:
		ok = f.unit >= 0 && f.unit <= 3
	case tDate:
		ok = f.unit == 0 || f.unit == 1
	case tFixed:
		ok = f.bits >= 0 && f.bits <= 1<<20
	}
	if f.index != nil {
		ok = ok && (f.index.bits == 8 || f.index.bits == 16 || f.index.bits == 32 || f.index.bits == 64)
	}
	if !ok {
		return malformed("type of column %q", f.name)
	}
	return nil
}

// scalar says why a column cannot be read, nil if it can.
func (f *field) scalar() error {
	if name := typeNames[f.kind]; name != "" {
		return errs.NotSupported(fmt.Sprintf("Arrow type %s of column %q", name, f.name))
	}
	if f.kind == tDecimal && (f.bits != 128 || f.scale < 0 || f.scale > 38) {
		return errs.NotSupported(fmt.Sprintf("Arrow type decimal of %d bits and scale %d of column %q", f.bits, f.scale, f.name))
	}
	if f.kind == 0 || f.kind > tLargeUtf8 {
		return errs.NotSupported(fmt.Sprintf("an unknown Arrow type of column %q", f.name))
	}
	return nil
}

// natural is the type of a column's values.
func (f *field) natural() types.Type {
	switch f.kind {
	case tBool:
		return types.Bool
	case tInt:
		switch width := f.bits; {
		case f.unsigned && width == 64:
			return types.Numeric
		case width == 64, f.unsigned && width == 32:
			return types.Int8
		case width == 32, f.unsigned && width == 16:
			return types.Int4
		}
		return types.Int2
	case tFloat:
		if f.bits == 64 {
			return types.Float8
		}
		return types.Float4
	case tDecimal:
		return types.Numeric
	case tDate:
		return types.Date
	case tTime:
		return types.Time
	case tTimestamp:
		if f.zoned {
			return types.Timestamptz
		}
		return types.Timestamp
	case tBinary, tLargeBin, tFixed:
		return types.Bytea
	}
	return types.Text
}

// Columns are the columns that can be read, with their natural types.
func (f *File) Columns() []decode.Column {
	var out []decode.Column
	for i := range f.fields {
		if c := &f.fields[i]; c.scalar() == nil && c.kind != tNull {
			out = append(out, decode.Column{Name: c.name, Type: c.natural()})
		}
	}
	return out
}

// Refused is why the first column that cannot be read cannot, nil if all can.
func (f *File) Refused() error {
	for i := range f.fields {
		if err := f.fields[i].scalar(); err != nil {
			return err
		}
	}
	return nil
}
