package pgcopy

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"

	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/types"
)

// fieldBytesMax bounds one field of the binary format.
const fieldBytesMax = 64 << 20

// signature opens a binary COPY stream.
const signature = "PGCOPY\n\xff\r\n\x00"

// Binary decodes COPY's binary format. Its rows have no borders to
// resynchronise at: damage ends the stream, a value that its type refuses
// rejects its row only.
type Binary struct {
	r      *bufio.Reader
	sink   *decode.Sink
	row    int64
	opened bool
	buf    []byte
}

// NewBinary returns a decoder of r.
func NewBinary(r io.Reader, sink *decode.Sink) *Binary {
	return &Binary{r: bufio.NewReaderSize(r, 256<<10), sink: sink}
}

// Next appends at most limit good rows; io.EOF when the stream is used up.
func (d *Binary) Next(limit int) (rows int, err error) {
	if !d.opened {
		if err := d.open(); err != nil {
			return 0, err
		}
	}
	for rows < limit {
		good, err := d.next()
		if err != nil {
			return rows, err
		}
		if good {
			rows++
		}
	}
	return rows, nil
}

func (d *Binary) open() error {
	head := make([]byte, len(signature)+8)
	if _, err := io.ReadFull(d.r, head); err != nil || string(head[:len(signature)]) != signature {
		return errs.New(errs.BadCopyFormat, "COPY file signature not recognized")
	}
	flags := binary.BigEndian.Uint32(head[len(signature):])
	if flags&(1<<16) != 0 {
		return errs.New(errs.BadCopyFormat, "invalid COPY file header (WITH OIDS)")
	}
	if flags&^uint32(0xffff) != 0 {
		return errs.New(errs.BadCopyFormat, "unrecognized critical flags in COPY file header")
	}
	ext := int64(int32(binary.BigEndian.Uint32(head[len(signature)+4:])))
	if ext < 0 {
		return errs.New(errs.BadCopyFormat, "invalid COPY file header (missing length)")
	}
	if _, err := io.CopyN(io.Discard, d.r, ext); err != nil {
		return errs.New(errs.BadCopyFormat, "invalid COPY file header (wrong length)")
	}
	d.opened = true
	return nil
}

func (d *Binary) next() (good bool, err error) {
	var head [2]byte
	if _, err := io.ReadFull(d.r, head[:]); err != nil {
		if err == io.EOF { // libpq accepts a stream without trailer; so do we
			return false, io.EOF
		}
		return false, unexpectedEnd(err)
	}
	n := int(int16(binary.BigEndian.Uint16(head[:])))
	if n == -1 {
		if _, err := d.r.ReadByte(); err != io.EOF {
			return false, errs.New(errs.BadCopyFormat, "received copy data after EOF marker")
		}
		return false, io.EOF
	}
	if n != len(d.sink.Columns) {
		return false, errs.New(errs.BadCopyFormat, "row field count is %d, expected %d", n, len(d.sink.Columns))
	}
	row := d.row
	d.row++
	return d.fields(row)
}

func (d *Binary) fields(row int64) (good bool, err error) {
	before := d.sink.Builders[0].Len()
	var bad *decode.Reject
	for i, b := range d.sink.Builders {
		null, err := d.field()
		if err != nil {
			return false, err
		}
		if bad != nil {
			continue
		}
		if null {
			b.Null()
			continue
		}
		v, err := types.ParseBinary(b.Type(), d.buf)
		if err != nil {
			c := d.sink.Columns[i]
			bad = &decode.Reject{Row: row, Kind: "row", Code: string(errs.CodeOf(err)), Column: c.Name, Err: err, Line: row + 1,
				Message: fmt.Sprintf("row %d, column %s: the value is not valid for type %s", row+1, c.Name, c.Type)}
			continue
		}
		b.Append(&v)
	}
	if bad != nil {
		d.sink.Truncate(before)
		return false, d.sink.Reject(*bad)
	}
	if d.sink.Row != nil {
		return true, d.sink.Row(0, nil)
	}
	return true, nil
}

// field reads one field into d.buf.
func (d *Binary) field() (null bool, err error) {
	var head [4]byte
	if _, err := io.ReadFull(d.r, head[:]); err != nil {
		return false, unexpectedEnd(err)
	}
	n := int(int32(binary.BigEndian.Uint32(head[:])))
	if n == -1 {
		return true, nil
	}
	if n < 0 {
		return false, errs.New(errs.BadCopyFormat, "invalid field size")
	}
	if n > fieldBytesMax {
		return false, errs.New(errs.ProgramLimit, "a field of the COPY data is larger than 64 MiB")
	}
	// Grow by what has really arrived, not by what the length word claims.
	d.buf = d.buf[:0]
	for len(d.buf) < n {
		step := min(n-len(d.buf), 256<<10)
		at := len(d.buf)
		d.buf = append(d.buf, make([]byte, step)...)
		if _, err := io.ReadFull(d.r, d.buf[at:]); err != nil {
			return false, unexpectedEnd(err)
		}
	}
	return false, nil
}

// unexpectedEnd keeps errors of the stream itself (a cancelled COPY) as they
// are.
func unexpectedEnd(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errs.New(errs.BadCopyFormat, "unexpected EOF in COPY data")
	}
	return err
}
