package segment

import (
	"quern/storage/catalog"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// columns writes all columns of all outputs.
func (m *merger) columns() error {
	if len(m.outs) == 0 {
		return nil
	}
	if err := m.hidden(); err != nil {
		return err
	}
	for i := range m.spec.Spec.Cols {
		c := &m.spec.Spec.Cols[i]
		if err := m.writeColumn(c); err != nil {
			return err
		}
		m.forget(c)
	}
	return nil
}

// hidden writes the hidden columns and makes GROUPS, side by side with the event
// time.
func (m *merger) hidden() error {
	var passes []*pass
	cols := []*Column{hiddenColumn(catalog.ColReceivedAt), hiddenColumn(catalog.ColCommitSeq)}
	if c := m.column(m.spec.Spec.TimeCol); c != nil && isTime(c.Type) {
		cols = append(cols, c)
	}
	for _, c := range cols {
		p, err := m.newPass(c)
		if err != nil {
			return err
		}
		passes = append(passes, p)
	}
	var rows [3]encoding.Column
	for _, o := range m.outs {
		encs := []*columnOut{m.newColumnOut(o, catalog.ColReceivedAt), m.newColumnOut(o, catalog.ColCommitSeq)}
		for from := o.from; from < o.to; from += GroupRows {
			order := m.order[from:min(o.to, from+GroupRows)]
			for k, p := range passes {
				if err := p.gather(&rows[k], order); err != nil {
					return err
				}
				if k < len(encs) {
					if err := encs[k].values(&rows[k]); err != nil {
						return err
					}
				}
			}
			var event *encoding.Column
			if len(passes) > 2 {
				event = &rows[2]
			}
			o.groups = append(o.groups, groupOf(event, 0, vec.CastSlice[int64](rows[0].Fixed), vec.CastSlice[int64](rows[1].Fixed)))
			if err := m.pause(16 * len(order)); err != nil {
				return err
			}
		}
		for _, e := range encs {
			if err := m.finishColumn(e, nil); err != nil {
				return err
			}
		}
	}
	for _, p := range passes {
		if err := p.ended(); err != nil {
			return err
		}
	}
	return nil
}

// writeColumn writes one column.
func (m *merger) writeColumn(c *Column) error {
	p, err := m.newPass(c)
	if err != nil {
		return err
	}
	var used [][]bool
	if p.dict != nil && (m.deleted+m.expired > 0 || len(m.outs) > 1) {
		if used, err = m.usedCodes(c, p.dict); err != nil {
			return err
		}
	}
	var out tally
	var rows encoding.Column
	for i, o := range m.outs {
		e := m.newColumnOut(o, c.ID)
		var dict *dictionary
		var remap []uint32
		if p.dict != nil {
			var u []bool
			if used != nil {
				u = used[i]
			}
			dict, remap = p.dict.only(u)
		}
		for from := o.from; from < o.to; from += GroupRows {
			if err := p.gather(&rows, m.order[from:min(o.to, from+GroupRows)]); err != nil {
				return err
			}
			out.add(&rows)
			if dict != nil {
				err = e.codes(&rows, dict, remap)
			} else {
				err = e.values(&rows)
			}
			if err != nil {
				return err
			}
			bytes := p.read + len(rows.Fixed) + len(rows.Bytes)
			p.read = 0
			if err := m.pause(bytes); err != nil {
				return err
			}
		}
		if err := m.finishColumn(e, dict); err != nil {
			return err
		}
	}
	if err := p.ended(); err != nil {
		return err
	}
	if out != p.in {
		return errMergeCheck("values")
	}
	return nil
}

// usedCodes tells for each output which entries of the merged dictionary its
// rows use.
func (m *merger) usedCodes(c *Column, d *mergedDict) ([][]bool, error) {
	p, err := m.newPass(c)
	if err != nil {
		return nil, err
	}
	used := make([][]bool, len(m.outs))
	var rows encoding.Column
	for i, o := range m.outs {
		used[i] = make([]bool, len(d.offs)-1)
		for from := o.from; from < o.to; from += GroupRows {
			if err := p.gather(&rows, m.order[from:min(o.to, from+GroupRows)]); err != nil {
				return nil, err
			}
			for k, code := range vec.CastSlice[uint32](rows.Fixed)[:rows.N] {
				if !rows.Null(k) {
					used[i][code] = true
				}
			}
		}
	}
	return used, m.pause(4 * m.kept)
}

// columnOut writes one column of one output, row group by row group.
type columnOut struct {
	encodedColumn
	out *mergeOut
	enc *encoding.Encoder
	pre bool // bounds are prefixes
}

func (m *merger) newColumnOut(o *mergeOut, id uint32) *columnOut {
	e := &columnOut{encodedColumn: encodedColumn{id: id, cold: o.spec.Cold}, out: o}
	e.enc = new(encoding.Encoder)
	if n := len(m.encs); n > 0 {
		e.enc, m.encs = m.encs[n-1], m.encs[:n-1]
	}
	o.spec.prepare(e.enc, id)
	return e
}

// values writes a row group of values.
func (e *columnOut) values(col *encoding.Column) error {
	p, err := e.enc.Page(col, 0, col.N)
	if err != nil {
		return err
	}
	e.pre = prefixed(col.Phys, false)
	e.groupZones(col, 0, col.N, e.pre)
	e.sum(col, 0, col.N)
	return e.put(p, col)
}

// codes writes a row group of codes.
func (e *columnOut) codes(col *encoding.Column, d *dictionary, remap []uint32) error {
	codes := vec.CastSlice[uint32](col.Fixed)[:col.N]
	if remap != nil {
		for i, c := range codes {
			codes[i] = 0
			if !col.Null(i) {
				codes[i] = remap[c]
			}
		}
	}
	p, err := e.enc.Codes(codes, col.Valid, d.ascii)
	if err != nil {
		return err
	}
	e.groupZones(&encoding.Column{Phys: types.PhysI32, Unsigned: true, N: col.N, Valid: col.Valid, Fixed: col.Fixed}, 0, col.N, false)
	return e.put(p, col)
}

// put writes a page.
func (e *columnOut) put(p []byte, col *encoding.Column) error {
	at := e.out.w.off
	e.page(e.out.spec.ID, p, col.N, nulls(col.Valid, 0, col.N))
	e.pages[len(e.pages)-1].offset = uint64(at)
	err := e.out.w.write(e.data)
	e.data = e.data[:0]
	return err
}

// finishColumn writes the sections; d is nil if pages hold values.
func (m *merger) finishColumn(e *columnOut, d *dictionary) error {
	if d != nil && len(d.offs) > 1 {
		e.dict = d.section(e.enc)
	}
	m.spec.Spec.Memory.keep(e.id, e.enc.Choices)
	m.encs, e.enc = append(m.encs, e.enc), nil
	e.closeZones(e.pre)
	return e.out.w.sections(&e.encodedColumn)
}
