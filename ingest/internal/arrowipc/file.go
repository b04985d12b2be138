package arrowipc

import (
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"quern/storage/errs"
)

// Headers of messages.
const (
	headSchema     = 1
	headDictionary = 2
	headBatch      = 3
)

const (
	metadataMax = 16 << 20
	rowsMax     = 1 << 31
	windowMax   = 64 << 20 // of zstd
	// A body may have cellsFree values, and cellsPerByte more for each of its bytes:
	// NULL columns and repetitions take next to none, but time when they are read.
	cellsFree    = 4 << 20
	cellsPerByte = 200
)

// File is an opened body. Not for concurrent use.
type File struct {
	rest   []byte
	fields []field
	dicts  map[int64]*column
	left   int64 // of the budget
	cells  int64 // values that may still come
	zstd   *zstd.Decoder
}

// Open reads the schema of a stream or file. budget bounds what buffers decompress
// to, and the dictionaries.
func Open(body []byte, budget int64) (*File, error) {
	f := &File{rest: body, dicts: map[int64]*column{}, left: budget, cells: cellsFree + cellsPerByte*int64(len(body))}
	if len(body) >= 8 && string(body[:6]) == "ARROW1" {
		f.rest = body[8:]
	}
	head, kind, _, err := f.message()
	if err == io.EOF {
		return nil, malformed("no schema")
	}
	if err != nil {
		return nil, err
	}
	if kind != headSchema {
		return nil, malformed("the first message is no schema")
	}
	f.fields, err = readSchema(head)
	return f, err
}

// message takes the next message off: its header table, kind and body. io.EOF is
// the end.
func (f *File) message() (head table, kind byte, body []byte, err error) {
	if len(f.rest) < 8 {
		if len(f.rest) > 0 && len(f.rest) != 4 {
			return head, 0, nil, malformed("rest of %d bytes", len(f.rest))
		}
		return head, 0, nil, io.EOF
	}
	if binary.LittleEndian.Uint32(f.rest) != 0xFFFFFFFF {
		return head, 0, nil, malformed("no message where one should be")
	}
	n := int64(binary.LittleEndian.Uint32(f.rest[4:]))
	f.rest = f.rest[8:]
	if n == 0 {
		return head, 0, nil, io.EOF
	}
	if n > metadataMax || n > int64(len(f.rest)) {
		return head, 0, nil, malformed("length of a message")
	}
	fl := &flat{b: f.rest[:n:n]}
	f.rest = f.rest[n:]
	m := fl.root()
	kind = m.byte(1, 0)
	head, ok := m.table(2)
	length := m.long(3)
	if fl.bad || !ok || length < 0 || length > int64(len(f.rest)) {
		return head, 0, nil, malformed("message")
	}
	body, f.rest = f.rest[:length:length], f.rest[length:]
	return head, kind, body, nil
}

// take counts n bytes against the budget.
func (f *File) take(n int64) error {
	if n < 0 || n > f.left {
		return errs.New(errs.ProgramLimit, "decoding the Arrow stream takes more memory than the request may use")
	}
	f.left -= n
	return nil
}

// buffers are those of one record batch, in order.
type buffers struct {
	f     *File
	head  table
	body  []byte
	at    int // of the next Buffer struct
	count int
	node  int // of the next FieldNode struct
	nodes int
	codec int // -1 none, 0 LZ4 frame, 1 zstd
	taken int64
}

func (f *File) buffers(t table, body []byte) (*buffers, error) {
	b := &buffers{f: f, head: t, body: body, codec: -1}
	b.node, b.nodes = t.vector(1, 16)
	b.at, b.count = t.vector(2, 16)
	if c, ok := t.table(3); ok {
		b.codec = int(c.byte(0, 0))
		if c.byte(1, 0) != 0 || b.codec > 1 {
			return nil, errs.NotSupported("an unknown Arrow buffer compression")
		}
	}
	if t.f.bad {
		return nil, malformed("record batch")
	}
	return b, nil
}

// next gives the next node's row count.
func (b *buffers) nextNode() (rows, nulls int64, err error) {
	if b.nodes == 0 {
		return 0, 0, malformed("a record batch has too few nodes")
	}
	rows, nulls = int64(b.head.f.u64(b.node)), int64(b.head.f.u64(b.node+8))
	b.node, b.nodes = b.node+16, b.nodes-1
	if rows < 0 || rows > rowsMax || nulls < 0 || nulls > rows {
		return 0, 0, malformed("length of a column")
	}
	return rows, nulls, nil
}

// raw gives the next buffer as it lies in the body.
func (b *buffers) raw() ([]byte, error) {
	if b.count == 0 {
		return nil, malformed("a record batch has too few buffers")
	}
	off, n := int64(b.head.f.u64(b.at)), int64(b.head.f.u64(b.at+8))
	b.at, b.count = b.at+16, b.count-1
	if off < 0 || n < 0 || off > int64(len(b.body)) || n > int64(len(b.body))-off {
		return nil, malformed("a buffer lies outside its body")
	}
	return b.body[off : off+n : off+n], nil
}

// next gives the next buffer, decompressed.
func (b *buffers) next() ([]byte, error) {
	raw, err := b.raw()
	if err != nil || b.codec < 0 || len(raw) == 0 {
		return raw, err
	}
	if len(raw) < 8 {
		return nil, malformed("a compressed buffer is too short")
	}
	n := int64(binary.LittleEndian.Uint64(raw))
	raw = raw[8:]
	if n == -1 {
		return raw, nil
	}
	if err := b.f.take(n); err != nil {
		return nil, err
	}
	b.taken += n
	out, err := b.f.decompress(b.codec, raw, n)
	if err != nil {
		return nil, malformed("a buffer does not decompress")
	}
	return out, nil
}

// decompress gives exactly n bytes, growing by what arrives.
func (f *File) decompress(codec int, raw []byte, n int64) ([]byte, error) {
	if codec == 1 {
		var head zstd.Header
		if err := head.Decode(raw); err != nil || head.WindowSize > windowMax || head.HasFCS && head.FrameContentSize != uint64(n) {
			return nil, io.ErrUnexpectedEOF
		}
		if f.zstd == nil {
			var err error
			if f.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(windowMax)); err != nil {
				return nil, err
			}
		}
		if err := f.zstd.Reset(newReader(raw)); err != nil {
			return nil, err
		}
		return readAll(f.zstd, n)
	}
	return readAll(lz4.NewReader(newReader(raw)), n)
}
