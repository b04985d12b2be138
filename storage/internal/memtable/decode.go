package memtable

import (
	"encoding/binary"
	"math"
	"unsafe"

	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// DecodeRows reads a ROWS body. Rows aliases it (or a copy, if body is not
// aligned to 8); body must not change while Rows is in use. Any bytes are safe:
// what is not a valid body is *errs.Corrupt.
func DecodeRows(body []byte) (*Rows, error) {
	if uintptr(unsafe.Pointer(unsafe.SliceData(body)))&7 != 0 {
		aligned := vec.AlignedBytes(len(body))
		copy(aligned, body)
		body = aligned
	}
	d := decoder{body: body}
	head := d.take(rowsHeader)
	if head == nil {
		return nil, d.corrupt("short header")
	}
	r := &Rows{Version: binary.LittleEndian.Uint32(head), N: int(binary.LittleEndian.Uint32(head[4:]))}
	cols := int(binary.LittleEndian.Uint32(head[8:]))
	if r.N > math.MaxInt32 || cols > len(body)/colHeader || binary.LittleEndian.Uint32(head[12:]) != 0 {
		return nil, d.corrupt("bad header")
	}
	r.Cols = make([]RowsCol, cols)
	for i := range r.Cols {
		if err := d.column(&r.Cols[i], r.N); err != nil {
			return nil, err
		}
	}
	if d.at != len(body) {
		return nil, d.corrupt("bytes after the last column")
	}
	return r, nil
}

type decoder struct {
	body []byte
	at   int
}

func (d *decoder) corrupt(reason string) error {
	return &errs.Corrupt{File: "ROWS section", Offset: int64(d.at), Reason: reason}
}

// take returns the next n bytes and skips their padding, nil if there are fewer.
func (d *decoder) take(n int) []byte {
	padded := (n + 7) &^ 7
	if n < 0 || padded > len(d.body)-d.at {
		return nil
	}
	b := d.body[d.at : d.at+n : d.at+n]
	d.at += padded
	return b
}

func (d *decoder) column(c *RowsCol, n int) error {
	head := d.take(colHeader)
	if head == nil {
		return d.corrupt("short column header")
	}
	c.ID = binary.LittleEndian.Uint32(head)
	phys, flags := types.Phys(head[4]), head[5]
	length := int(binary.LittleEndian.Uint32(head[8:]))
	if phys < types.PhysBool || phys > types.PhysBytes || flags&^flagsKnown != 0 ||
		head[6] != 0 || head[7] != 0 || binary.LittleEndian.Uint32(head[12:]) != 0 ||
		length&7 != 0 || length > len(d.body)-d.at {
		return d.corrupt("bad column header")
	}
	c.Data = encoding.Column{Phys: phys, Unsigned: flags&flagUnsigned != 0, N: n}
	end := d.at + length
	part := decoder{body: d.body[:end], at: d.at}
	d.at = end
	if flags&flagNull != 0 {
		c.Null = true
		if length != 0 || flags&(flagConst|flagValid) != 0 {
			return part.corrupt("bad NULL column")
		}
		return nil
	}
	rows := n
	if flags&flagConst != 0 {
		c.Const, rows = true, 1
		if flags&flagValid != 0 || n == 0 {
			return part.corrupt("bad constant column")
		}
	}
	if flags&flagValid != 0 {
		if err := part.validity(&c.Data, rows); err != nil {
			return err
		}
	}
	if err := part.values(&c.Data, rows); err != nil {
		return err
	}
	if part.at != end {
		return part.corrupt("column length does not fit")
	}
	return nil
}

func (d *decoder) validity(c *encoding.Column, n int) error {
	c.Valid = d.take(n)
	if c.Valid == nil && n > 0 {
		return d.corrupt("short validity")
	}
	for _, v := range c.Valid {
		if v > 1 {
			return d.corrupt("bad validity")
		}
	}
	return nil
}

func (d *decoder) values(c *encoding.Column, n int) error {
	if size := c.Phys.Size(); size > 0 {
		c.Fixed = d.take(n * size)
		if c.Fixed == nil && n > 0 {
			return d.corrupt("short values")
		}
		if c.Phys == types.PhysBool {
			for _, v := range c.Fixed {
				if v > 1 {
					return d.corrupt("bad bool")
				}
			}
		}
		return nil
	}
	offs := d.take(4 * (n + 1))
	if offs == nil {
		return d.corrupt("short offsets")
	}
	c.Offs = vec.CastSlice[uint32](offs)
	if c.Offs[0] != 0 {
		return d.corrupt("bad first offset")
	}
	for i := range n {
		if c.Offs[i] > c.Offs[i+1] {
			return d.corrupt("offsets fall")
		}
	}
	total := int(c.Offs[n])
	if c.Bytes = d.take(total); c.Bytes == nil && total > 0 {
		return d.corrupt("short bytes")
	}
	return nil
}
