package pgwire

import (
	"encoding/binary"
	"slices"

	"quern/sql"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// chunkBytes bounds what one stitch adds to the out buffer, but for a single
// row that is larger.
const chunkBytes = 256 << 10

// encoder turns the batches of one portal into rows of the protocol. A chunk
// of rows is laid out column by column: first the columns without a fixed size
// are encoded into their scratch, which gives the size of every row, then each
// column puts its fields where at says.
type encoder struct {
	cols []*column
	at   []int32 // by row of the chunk: its size, then where its next field goes
}

// newEncoder chooses the columns' encoders. formats holds none, one or one
// format code per column.
func newEncoder(fields []sql.Field, formats []int16, f *types.Format) (*encoder, error) {
	if err := checkFormats(formats); err != nil {
		return nil, err
	}
	if len(formats) > 1 && len(formats) != len(fields) {
		return nil, errs.New(errs.ProtocolViolation,
			"bind message has %d result formats but query has %d columns", len(formats), len(fields))
	}
	e := &encoder{cols: make([]*column, len(fields))}
	for i, fd := range fields {
		c, err := newColumn(fd.Type, formatAt(formats, i), f)
		if err != nil {
			return nil, err
		}
		e.cols[i] = c
	}
	return e, nil
}

func checkFormats(formats []int16) error {
	for _, f := range formats {
		if f != 0 && f != 1 {
			return errs.New(errs.InvalidParameterValue, "unsupported format code: %d", f)
		}
	}
	return nil
}

// formatAt is the format of value i of a list of none, one or all codes.
func formatAt(formats []int16, i int) int16 {
	switch {
	case len(formats) == 0:
		return 0
	case len(formats) == 1:
		return formats[0]
	}
	return formats[i]
}

// Message types of rows. A row of COPY … (FORMAT binary) has the same form
// inside CopyData as DataRow has.
const (
	tagDataRow  = 'D'
	tagCopyData = 'd'
)

// rows appends rows lo…hi of b (positions among its live rows) to o, each as
// one message of type tag, and sends when enough is waiting.
func (e *encoder) rows(o *out, b *vec.Batch, lo, hi int, tag byte) error {
	o.reserve()
	for lo < hi {
		n := e.fit(b, lo, hi)
		for i, c := range e.cols {
			v := &b.Cols[i]
			c.direct = c.fixed != notFixed && v.Form == vec.Flat && v.Valid == nil
			if c.direct {
				continue
			}
			c.encode(v, b.Sel, lo, lo+n)
			if c.err != nil {
				return c.err
			}
		}
		o.buf = e.layout(o.buf, b, lo, lo+n, tag)
		if err := o.flushFull(); err != nil {
			return err
		}
		lo += n
	}
	return nil
}

// encode fills the columns' scratch with rows lo…hi.
func (e *encoder) encode(b *vec.Batch, lo, hi int) error {
	for i, c := range e.cols {
		c.encode(&b.Cols[i], b.Sel, lo, hi)
		if c.err != nil {
			return c.err
		}
	}
	return nil
}

// layout appends rows lo…hi as messages of type tag: the number of fields,
// then each field's length and bytes.
func (e *encoder) layout(dst []byte, b *vec.Batch, lo, hi int, tag byte) []byte {
	n := hi - lo
	e.at = slices.Grow(e.at[:0], n)[:n]
	at := e.at
	size := 7 + 4*len(e.cols)
	for _, c := range e.cols {
		if c.direct {
			size += c.fixed.width()
		}
	}
	for r := range at {
		at[r] = int32(size)
	}
	for _, c := range e.cols {
		if !c.direct {
			c.addSizes(at)
		}
	}
	start := len(dst)
	off := start
	for _, size := range at {
		off += int(size)
	}
	dst = slices.Grow(dst, off-start)[:off]
	be := binary.BigEndian
	off = start
	for r, size := range at {
		row := dst[off : off+7]
		row[0] = tag
		be.PutUint32(row[1:], uint32(size-1))
		be.PutUint16(row[5:], uint16(len(e.cols)))
		at[r] = int32(off + 7)
		off += int(size)
	}
	for i, c := range e.cols {
		if c.direct {
			c.putFixed(dst, at, &b.Cols[i], b.Sel, lo)
		} else {
			c.put(dst, at)
		}
	}
	return dst
}

// fit is how many rows from lo on make about chunkBytes, at least one.
func (e *encoder) fit(b *vec.Batch, lo, hi int) int {
	n := hi - lo
	for n > 1 {
		sum := 0
		for i, c := range e.cols {
			sum += c.textBytes(&b.Cols[i], b.Sel, lo, lo+n)
		}
		if sum <= chunkBytes {
			break
		}
		n /= 2
	}
	return n
}
