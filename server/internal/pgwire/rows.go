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

// encoder turns the batches of one portal into rows of the protocol.
type encoder struct{ cols []*column }

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
		if e.allFixed(b) {
			o.buf = e.putFixed(o.buf, b, lo, lo+n, tag)
		} else {
			if err := e.encode(b, lo, lo+n); err != nil {
				return err
			}
			o.buf = stitchRows(o.buf, e.cols, n, tag)
		}
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

// allFixed tells whether all rows of b have one size: binary format, fixed
// width, no NULLs.
func (e *encoder) allFixed(b *vec.Batch) bool {
	for i, c := range e.cols {
		v := &b.Cols[i]
		if c.fixed == notFixed || v.Form != vec.Flat || v.Valid != nil {
			return false
		}
	}
	return true
}

// putFixed appends rows of one size column by column, without scratch.
func (e *encoder) putFixed(dst []byte, b *vec.Batch, lo, hi int, tag byte) []byte {
	size := 7
	for _, c := range e.cols {
		size += 4 + c.fixed.width()
	}
	start := len(dst)
	dst = slices.Grow(dst, (hi-lo)*size)[:start+(hi-lo)*size]
	rows := dst[start:]
	for at := 0; at < len(rows); at += size {
		rows[at] = tag
		binary.BigEndian.PutUint32(rows[at+1:], uint32(size-1))
		binary.BigEndian.PutUint16(rows[at+5:], uint16(len(e.cols)))
	}
	off := 7
	for i, c := range e.cols {
		c.putFixed(rows[off:], size, &b.Cols[i], b.Sel, lo, hi)
		off += 4 + c.fixed.width()
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

// stitchRows appends n encoded rows as messages of type tag: the number of
// fields, then each field's length and bytes.
func stitchRows(dst []byte, cols []*column, n int, tag byte) []byte {
	total := n * (7 + 4*len(cols))
	for _, c := range cols {
		total += len(c.buf)
	}
	dst = slices.Grow(dst, total)
	be := binary.BigEndian
	for r := range n {
		start := len(dst)
		dst = append(dst, tag, 0, 0, 0, 0, byte(len(cols)>>8), byte(len(cols)))
		for _, c := range cols {
			end := c.ends[r]
			if end < 0 {
				dst = append(dst, 0xFF, 0xFF, 0xFF, 0xFF)
				continue
			}
			dst = be.AppendUint32(dst, uint32(end-c.pos))
			dst = append(dst, c.buf[c.pos:end]...)
			c.pos = end
		}
		be.PutUint32(dst[start+1:], uint32(len(dst)-start-1))
	}
	return dst
}
