package encoding

import (
	"encoding/binary"
	"math"

	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// fsstUnit is what an FSST page says of a unit: where its stored bytes start, and
// how many it decodes to.
const fsstUnit = 8

// fsstPage writes values that Shrink has compressed; offs are the plain ones.
func (e *Encoder) fsstPage(s *Shrunk, offs []uint32, ascii byte, nulls int) {
	rows := len(s.Offs) - 1
	e.header(FSST, ascii, 0, rows, nulls)
	head := len(e.dst)
	e.dst = append(e.dst, make([]byte, align)...)
	v := e.intsFor(rows)
	for i := range v {
		v[i] = int64(s.Offs[i+1] - s.Offs[i])
		if i%kernel.Unit == 0 {
			e.dst = binary.LittleEndian.AppendUint32(e.dst, s.Offs[i])
			e.dst = binary.LittleEndian.AppendUint32(e.dst, offs[min(rows, i+kernel.Unit)]-offs[i])
		}
	}
	e.close()
	n := e.nested(v, types.PhysI32, true)
	binary.LittleEndian.PutUint32(e.dst[head:], uint32(n))
	binary.LittleEndian.PutUint32(e.dst[head+4:], uint32(len(s.Table)))
	binary.LittleEndian.PutUint64(e.dst[head+8:], uint64(len(s.Bytes)))
	e.dst = append(e.dst, s.Table...)
	e.close()
	e.dst = append(e.dst, s.Bytes...)
}

func (p *Page) openFSST(depth int) error {
	head := p.part(bodyAt, 16)
	if head == nil {
		return corrupt("short body")
	}
	units := (p.Rows + kernel.Unit - 1) / kernel.Unit
	sub, table := int(binary.LittleEndian.Uint32(head)), int(binary.LittleEndian.Uint32(head[4:]))
	stored := binary.LittleEndian.Uint64(head[8:])
	at := bodyAt + align
	if p.units = p.part(at, fsstUnit*units); p.units == nil || stored > uint64(len(p.data)) {
		return corrupt("short body")
	}
	at += pad(fsstUnit * units)
	var err error
	if p.sub, err = p.nested(at, sub, p.Rows, types.PhysI32, depth, true); err != nil {
		return err
	}
	at += pad(sub)
	symbols := p.part(at, table)
	if p.body = p.part(at+pad(table), int(stored)); symbols == nil || p.body == nil {
		return corrupt("short body")
	}
	p.table, err = openTable(symbols)
	return err
}

// decode makes views as Views does, of values decoded into buf.
func (p *Page) decode(dst []vec.View, from int, sel []uint16, lens []uint32, buf []byte) ([]byte, error) {
	if from%kernel.Unit != 0 {
		return nil, corrupt("batch inside a unit")
	}
	starts := vec.CastSlice[uint32](p.units)
	buf = buf[:0]
	all := sel == nil
	for i := 0; i < len(dst); i += kernel.Unit {
		end := min(len(dst), i+kernel.Unit)
		at := uint64(starts[2*((from+i)/kernel.Unit)])
		for k := i; k < end; k++ {
			n := uint64(lens[k])
			if at+n > uint64(len(p.body)) {
				return nil, corrupt("value beyond the page")
			}
			if !all && (len(sel) == 0 || int(sel[0]) != k) {
				dst[k] = vec.View{}
				at += n
				continue
			}
			if !all {
				sel = sel[1:]
			}
			off := len(buf)
			var err error
			if buf, err = p.table.append(buf, p.body[at:at+n]); err != nil {
				return nil, err
			}
			if len(buf) > math.MaxInt32 {
				return nil, corrupt("decoded values are too long")
			}
			dst[k] = vec.ViewAt(buf, uint32(off), uint32(len(buf)-off), 0)
			at += n
		}
	}
	return buf, nil
}
