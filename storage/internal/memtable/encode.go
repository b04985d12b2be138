package memtable

import (
	"encoding/binary"
	"math"

	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// A ROWS body, all parts padded with zeros to 8 bytes:
//
//	u32 schema version, u32 rows, u32 columns, u32 0
//	per column: u32 id, u8 physical type, u8 flags, u16 0, u32 length of its buffers, u32 0
//	            validity bytes (flagValid); values, or u32 offsets[rows+1] and bytes
//
// A column with flagNull has no buffers; with flagConst it has one value and no
// validity.
const (
	rowsHeader = 16
	colHeader  = 16
)

const (
	flagValid    = 1
	flagNull     = 2
	flagConst    = 4
	flagUnsigned = 8
	flagsKnown   = flagValid | flagNull | flagConst | flagUnsigned
)

// EncodeRows appends a ROWS body with the live rows of batches, whose columns
// have the given ids. len(dst) must be a multiple of 8. Values of NULL rows are
// stored as zeros. A body that its u32 lengths cannot describe is 54000.
func EncodeRows(dst []byte, version uint32, ids []uint32, batches []*vec.Batch) ([]byte, error) {
	n := 0
	for _, b := range batches {
		n += b.Rows()
	}
	if n > math.MaxInt32 {
		return nil, errs.New(errs.ProgramLimit, "too many rows in one commit")
	}
	e := encoder{dst: dst, n: n, batches: batches}
	e.u32(version)
	e.u32(uint32(n))
	e.u32(uint32(len(ids)))
	e.u32(0)
	for i, id := range ids {
		if n == 0 {
			e.column(id, types.Bool, flagNull)
			continue
		}
		if err := e.encode(id, i); err != nil {
			return nil, err
		}
	}
	return e.dst, nil
}

type encoder struct {
	dst     []byte
	n       int
	batches []*vec.Batch
	col     int // where the open column's header lies
}

func (e *encoder) u32(x uint32) { e.dst = binary.LittleEndian.AppendUint32(e.dst, x) }

func (e *encoder) column(id uint32, t types.Type, flags byte) {
	e.col = len(e.dst)
	e.u32(id)
	if t.Unsigned() {
		flags |= flagUnsigned
	}
	e.dst = append(e.dst, byte(t.Phys()), flags, 0, 0)
	e.u32(0)
	e.u32(0)
}

// close writes the open column's length.
func (e *encoder) close() error {
	n := len(e.dst) - e.col - colHeader
	if n > math.MaxUint32 {
		return errs.New(errs.ProgramLimit, "column of a commit is larger than 4 GiB")
	}
	binary.LittleEndian.PutUint32(e.dst[e.col+8:], uint32(n))
	return nil
}

// room appends n bytes of any content, padded with zeros to 8, and returns them.
func (e *encoder) room(n int) []byte {
	at := len(e.dst)
	padded := (n + 7) &^ 7
	if at+padded > cap(e.dst) {
		bigger := vec.AlignedBytes(max(at+padded, 2*cap(e.dst)))[:at]
		copy(bigger, e.dst)
		e.dst = bigger
	}
	e.dst = e.dst[:at+padded]
	clear(e.dst[at+n:])
	return e.dst[at : at+n]
}

func (e *encoder) encode(id uint32, i int) error {
	t := e.batches[0].Cols[i].Type
	nulls := 0
	for _, b := range e.batches {
		nulls += countNulls(&b.Cols[i], b)
	}
	if nulls == e.n {
		e.column(id, t, flagNull)
		return e.close()
	}
	if v := &e.batches[0].Cols[i]; len(e.batches) == 1 && v.Form == vec.Const && e.n > 1 {
		e.column(id, t, flagConst)
		e.constant(v)
		return e.close()
	}
	var flags byte
	if nulls > 0 {
		flags = flagValid
	}
	e.column(id, t, flags)
	if nulls > 0 {
		e.validity(i)
	}
	if size := t.Phys().Size(); size > 0 {
		e.fixed(i, size)
		return e.close()
	}
	if err := e.bytes(i); err != nil {
		return err
	}
	return e.close()
}

// countNulls counts NULLs among the live rows.
func countNulls(v *vec.Vector, b *vec.Batch) int {
	if v.Valid == nil {
		return 0
	}
	n := 0
	for k := range b.Rows() {
		if v.Null(rowAt(b.Sel, k)) {
			n++
		}
	}
	return n
}

func rowAt(sel vec.Selection, k int) int {
	if sel == nil {
		return k
	}
	return int(sel[k])
}

func (e *encoder) constant(v *vec.Vector) {
	if size := v.Type.Phys().Size(); size > 0 {
		copy(e.room(size), v.Fixed[:size])
		return
	}
	b := v.BytesAt(0)
	offs := vec.CastSlice[uint32](e.room(8))
	offs[0] = 0
	offs[1] = uint32(len(b))
	copy(e.room(len(b)), b)
}

func (e *encoder) validity(i int) {
	valid := e.room(e.n)
	clear(valid)
	for _, b := range e.batches {
		v := &b.Cols[i]
		for k := range b.Rows() {
			if !v.Null(rowAt(b.Sel, k)) {
				valid[k] = 1
			}
		}
		valid = valid[b.Rows():]
	}
}

func (e *encoder) fixed(i, size int) {
	out := e.room(e.n * size)
	for _, b := range e.batches {
		v := &b.Cols[i]
		n := b.Rows()
		if v.Form == vec.Const && v.Null(0) {
			clear(out[:n*size]) // a constant NULL need not have a value
			out = out[n*size:]
			continue
		}
		gather(out[:n*size], v, b.Sel, size)
		if v.Valid != nil {
			for k := range n {
				if v.Null(rowAt(b.Sel, k)) {
					clear(out[k*size : (k+1)*size])
				}
			}
		}
		out = out[n*size:]
	}
}

func gather(out []byte, v *vec.Vector, sel vec.Selection, size int) {
	if v.Form == vec.Flat && sel == nil {
		copy(out, v.Fixed)
		return
	}
	switch size {
	case 1:
		gatherAs[uint8](out, v, sel)
	case 2:
		gatherAs[int16](out, v, sel)
	case 4:
		gatherAs[uint32](out, v, sel)
	case 8:
		gatherAs[uint64](out, v, sel)
	case 16:
		gatherAs[[16]byte](out, v, sel)
	default:
		gatherAs[types.Num](out, v, sel)
	}
}

func gatherAs[T vec.Fixedwidth](out []byte, v *vec.Vector, sel vec.Selection) {
	dst := vec.CastSlice[T](out)
	switch v.Form {
	case vec.Const:
		x := vec.Values[T](v)[0]
		for k := range dst {
			dst[k] = x
		}
	case vec.Dict:
		vals, codes := vec.Values[T](&v.Dict.Values), v.Codes()
		for k := range dst {
			dst[k] = vals[codes[rowAt(sel, k)]]
		}
	default:
		src := vec.Values[T](v)
		for k := range dst {
			dst[k] = src[rowAt(sel, k)]
		}
	}
}

func (e *encoder) bytes(i int) error {
	total := 0
	e.values(i, func(_ int, b []byte) { total += len(b) })
	if total > math.MaxUint32-16*e.n-64 {
		return errs.New(errs.ProgramLimit, "column of a commit is larger than 4 GiB")
	}
	// One room call for both parts: a second one might move the first.
	offBytes := (4*(e.n+1) + 7) &^ 7
	all := e.room(offBytes + total)
	offs, data := vec.CastSlice[uint32](all[:offBytes]), all[offBytes:]
	offs[0], offs[len(offs)-1] = 0, 0 // the last one may be padding
	at := 0
	e.values(i, func(k int, b []byte) {
		at += copy(data[at:], b)
		offs[k+1] = uint32(at)
	})
	return nil
}

// values calls f for every live row in order; NULL is no bytes.
func (e *encoder) values(i int, f func(k int, b []byte)) {
	at := 0
	for _, b := range e.batches {
		v := &b.Cols[i]
		for k := range b.Rows() {
			if row := rowAt(b.Sel, k); v.Null(row) {
				f(at, nil)
			} else {
				f(at, v.BytesAt(row))
			}
			at++
		}
	}
}
