// Package parquet reads Parquet files from strangers, from memory, into
// vectors. Footer, page headers, levels and values are read by our own code:
// every count and length is held against the bytes that are really there
// before memory is taken, nothing loops on input that yields nothing, and no
// goroutine is started (RELIABILITY.md §7 tells what a general reader does on
// such files).
//
//	"PAR1" | pages of column chunks … | FileMetaData | u32 length | "PAR1"
//	page = PageHeader | [rep levels] [def levels] values, compressed
//
// Format facts: github.com/apache/parquet-format, parquet.thrift and
// Encodings.md. Read: flat columns of every physical type; PLAIN, dictionary,
// RLE booleans, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY,
// BYTE_STREAM_SPLIT; uncompressed, snappy, gzip, zstd, lz4_raw, brotli. Nested
// columns, encryption and LZ4 of Hadoop are refused by name (0A000).
//
// Start reading at Open and File.Rows.
package parquet

import (
	"encoding/binary"
	"fmt"
	"github.com/klauspost/compress/zstd"

	"quern/storage/errs"
)

// Limits on what a file may claim.
const (
	footerBytesMax = 64 << 20
	columnsMax     = 2000
	groupsMax      = 100_000
	schemaDepthMax = 64
	rowsMax        = 1 << 31
)

// Physical types of parquet.thrift.
const (
	physBoolean = iota
	physInt32
	physInt64
	physInt96
	physFloat
	physDouble
	physByteArray
	physFixed
)

// Repetition types.
const (
	repRequired = iota
	repOptional
	repRepeated
)

// element is a SchemaElement.
type element struct {
	phys       int // -1 for groups
	typeLength int
	repetition int
	name       string
	children   int
	converted  int // -1 none
	scale      int
	precision  int
	logical    logical
}

// logical is the part of LogicalType that we use.
type logical struct {
	kind byte // field id of the union, 0 none
	utc  bool // TIME, TIMESTAMP: adjusted to UTC
	unit byte // 1 ms, 2 µs, 3 ns
	bits int  // INTEGER
	sign bool
}

// Field ids of LogicalType.
const (
	logString    = 1
	logMap       = 2
	logList      = 3
	logEnum      = 4
	logDecimal   = 5
	logDate      = 6
	logTime      = 7
	logTimestamp = 8
	logInteger   = 10
	logJSON      = 12
	logBSON      = 13
	logUUID      = 14
	logFloat16   = 15
)

// chunk is a ColumnChunk's metadata.
type chunk struct {
	codec     int
	numValues int64
	start     int64 // of the first page, dictionary included
	bytes     int64
	phys      int
	encrypted bool
	elsewhere bool // file_path is set
}

type group struct {
	rows   int64
	chunks []chunk
}

// leaf is a column of the file.
type leaf struct {
	element
	path    []string
	defMax  int // of flat columns: 0 required, else the number of optional levels
	nested  bool
	ordinal int // among all leaves: index of its chunk
}

// File is an opened file. Its memory is the body that Open was given.
type File struct {
	body   []byte
	leaves []leaf
	groups []group
	budget *Budget
	cells  int64         // values that may still be read
	zstd   *zstd.Decoder // made at the first page that needs it
}

// A file may have cellsFree values, and cellsPerByte more for each of its bytes:
// runs of equal values take next to none, but time when they are read.
const (
	cellsFree    = 64 << 20
	cellsPerByte = 1000
)

func malformed(format string, args ...any) error {
	return errs.New(errs.BadCopyFormat, "malformed Parquet file: "+format, args...)
}

// Open reads the footer. Decoded values and decompressed pages are counted
// against budget.
func Open(body []byte, budget *Budget) (*File, error) {
	n := len(body)
	if n < 12 || string(body[:4]) != "PAR1" || string(body[n-4:]) != "PAR1" {
		if n >= 4 && string(body[n-4:]) == "PARE" {
			return nil, errs.NotSupported("an encrypted Parquet footer")
		}
		return nil, malformed("no PAR1 magic at both ends")
	}
	footer := int64(binary.LittleEndian.Uint32(body[n-8:]))
	if footer > int64(n-12) || footer > footerBytesMax {
		return nil, malformed("footer length %d does not fit a file of %d bytes", footer, n)
	}
	f := &File{body: body, budget: budget, cells: cellsFree + cellsPerByte*int64(n)}
	// What the footer makes us allocate is a small multiple of its bytes.
	if err := budget.Take(footer * 8); err != nil {
		return nil, err
	}
	t := &thrift{b: body[int64(n)-8-footer : n-8], ok: true}
	elements := f.readMetadata(t)
	if !t.ok {
		return nil, malformed("%v", errThrift)
	}
	if err := f.buildSchema(elements); err != nil {
		return nil, err
	}
	return f, f.checkGroups()
}

func (f *File) readMetadata(t *thrift) []element {
	var elements []element
	t.fields(func(id int16, typ byte) {
		switch {
		case id == 2 && typ == tList:
			t.list(func(byte) { elements = append(elements, readElement(t)) })
		case id == 4 && typ == tList: // the groups' row counts are what counts
			t.list(func(byte) { f.groups = append(f.groups, readGroup(t)) })
		default:
			t.skip(typ, 0)
		}
	})
	return elements
}

func readElement(t *thrift) element {
	e := element{phys: -1, converted: -1}
	t.fields(func(id int16, typ byte) {
		switch {
		case id == 1 && typ == tI32:
			e.phys = int(t.int())
		case id == 2 && typ == tI32:
			e.typeLength = int(t.int())
		case id == 3 && typ == tI32:
			e.repetition = int(t.int())
		case id == 4 && typ == tBinary:
			e.name = string(t.binary())
		case id == 5 && typ == tI32:
			e.children = int(t.int())
		case id == 6 && typ == tI32:
			e.converted = int(t.int())
		case id == 7 && typ == tI32:
			e.scale = int(t.int())
		case id == 8 && typ == tI32:
			e.precision = int(t.int())
		case id == 10 && typ == tStruct:
			e.logical = readLogical(t)
		default:
			t.skip(typ, 0)
		}
	})
	return e
}

func readLogical(t *thrift) (l logical) {
	t.fields(func(id int16, typ byte) {
		if typ != tStruct || id < 1 || id > 255 {
			t.skip(typ, 0)
			return
		}
		l.kind = byte(id)
		t.fields(func(id int16, typ byte) {
			switch {
			case typ == tTrue || typ == tFalse:
				l.utc, l.sign = typ == tTrue, typ == tTrue
			case id == 1 && typ == tByte:
				l.bits = int(t.byte())
			case id == 2 && typ == tStruct:
				t.fields(func(id int16, typ byte) {
					l.unit = byte(id)
					t.skip(typ, 0)
				})
			default:
				t.skip(typ, 0)
			}
		})
	})
	return l
}

func readGroup(t *thrift) (g group) {
	t.fields(func(id int16, typ byte) {
		switch {
		case id == 1 && typ == tList:
			t.list(func(byte) { g.chunks = append(g.chunks, readChunk(t)) })
		case id == 3 && typ == tI64:
			g.rows = t.int()
		default:
			t.skip(typ, 0)
		}
	})
	return g
}

func readChunk(t *thrift) (c chunk) {
	var dataOffset, dictOffset int64
	t.fields(func(id int16, typ byte) {
		switch {
		case id == 1 && typ == tBinary:
			c.elsewhere = len(t.binary()) > 0
		case id == 3 && typ == tStruct:
			t.fields(func(id int16, typ byte) {
				switch {
				case id == 1 && typ == tI32:
					c.phys = int(t.int())
				case id == 4 && typ == tI32:
					c.codec = int(t.int())
				case id == 5 && typ == tI64:
					c.numValues = t.int()
				case id == 7 && typ == tI64:
					c.bytes = t.int()
				case id == 9 && typ == tI64:
					dataOffset = t.int()
				case id == 11 && typ == tI64:
					dictOffset = t.int()
				default:
					t.skip(typ, 0)
				}
			})
		case id == 8 || id == 9:
			c.encrypted = true
			t.skip(typ, 0)
		default:
			t.skip(typ, 0)
		}
	})
	c.start = dataOffset
	if dictOffset > 0 && dictOffset < dataOffset {
		c.start = dictOffset
	}
	return c
}

// buildSchema walks the depth-first element list.
func (f *File) buildSchema(elements []element) error {
	if len(elements) == 0 || elements[0].phys >= 0 && elements[0].children > 0 {
		return malformed("no schema root")
	}
	next := 1
	var walk func(children, depth, def int, path []string, nested bool) error
	walk = func(children, depth, def int, path []string, nested bool) error {
		if depth > schemaDepthMax {
			return malformed("schema is deeper than %d", schemaDepthMax)
		}
		for range children {
			if next >= len(elements) {
				return malformed("schema lists more children than elements")
			}
			e := elements[next]
			next++
			if e.children < 0 || e.repetition < repRequired || e.repetition > repRepeated {
				return malformed("bad schema element")
			}
			d, n := def, nested || e.repetition == repRepeated
			if e.repetition != repRequired {
				d++
			}
			p := append(path[:len(path):len(path)], e.name)
			if e.children > 0 || e.phys < 0 {
				if err := walk(e.children, depth+1, d, p, true); err != nil {
					return err
				}
				continue
			}
			if len(f.leaves) >= columnsMax {
				return malformed("more than %d columns", columnsMax)
			}
			f.leaves = append(f.leaves, leaf{element: e, path: p, defMax: d, nested: n || len(p) > 1, ordinal: len(f.leaves)})
		}
		return nil
	}
	if err := walk(elements[0].children, 0, 0, nil, false); err != nil {
		return err
	}
	if next != len(elements) {
		return malformed("schema has elements outside its root")
	}
	return f.checkLeaves()
}

func (f *File) checkLeaves() error {
	for i := range f.leaves {
		l := &f.leaves[i]
		if l.phys < physBoolean || l.phys > physFixed {
			return malformed("column %q has unknown physical type %d", l.name, l.phys)
		}
		if l.phys == physFixed && (l.typeLength <= 0 || l.typeLength > 1<<20) {
			return malformed("column %q has type length %d", l.name, l.typeLength)
		}
	}
	return nil
}

func (f *File) checkGroups() error {
	if len(f.groups) > groupsMax {
		return malformed("more than %d row groups", groupsMax)
	}
	for i := range f.groups {
		g := &f.groups[i]
		if g.rows < 0 || g.rows > rowsMax {
			return malformed("row group %d claims %d rows", i, g.rows)
		}
		if len(g.chunks) != len(f.leaves) {
			return malformed("row group %d has %d column chunks, the schema %d columns", i, len(g.chunks), len(f.leaves))
		}
		for j := range g.chunks {
			c := &g.chunks[j]
			// A chunk without values may name any place; it is never read.
			if c.numValues != 0 && (c.start < 4 || c.bytes < 0 || c.start > int64(len(f.body)) || c.bytes > int64(len(f.body))-c.start) {
				return malformed("column chunk %q lies outside the file", f.leaves[j].name)
			}
			if c.phys != f.leaves[j].phys {
				return malformed("column chunk %q has another type than the schema", f.leaves[j].name)
			}
			if !f.leaves[j].nested && c.numValues != g.rows {
				return malformed("column chunk %q has %d values in a group of %d rows", f.leaves[j].name, c.numValues, g.rows)
			}
		}
	}
	return nil
}

// Budget bounds the memory that one request's decoding may take.
type Budget struct{ Left int64 }

// Take reserves n bytes, before they are allocated.
func (b *Budget) Take(n int64) error {
	if n < 0 || n > b.Left {
		return errs.New(errs.ProgramLimit, "decoding the Parquet file takes more memory than the request may use")
	}
	b.Left -= n
	return nil
}

// Give returns n bytes.
func (b *Budget) Give(n int64) { b.Left += n }

func (l *leaf) String() string { return fmt.Sprintf("column %q", l.name) }
