package segment

import (
	"bytes"

	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// mergedDict is the dictionary of a bytes column over all inputs. Its codes are
// in bytewise order.
type mergedDict struct {
	d     *distinct
	place []uint32 // by place in d: the code
	dictionary
	remap  map[*Col][]uint32 // code of an input's dictionary → merged code
	loaded []*Col            // whose dictionary nobody had asked for
}

// dictOf gives the merged dictionary of a column, nil if it would not pay: when
// it has too many values, or most rows lie in inputs that have none.
func (m *merger) dictOf(c *Column) (*mergedDict, error) {
	if d, known := m.dicts[c.ID]; known {
		return d, nil
	}
	d, err := m.mergeDicts(c)
	m.dicts[c.ID] = d
	return d, err
}

// dictBounds are the entries and bytes that a merged dictionary may have. A merge
// brings rows of many segments together: with the bounds of one flush it would lose
// the dictionaries that its inputs have, and be larger than they are.
func (m *merger) dictBounds() (entries, size int) {
	size = min(max(m.spec.DictBytes, dictBytesMax), mergeDictBytesMax)
	return dictEntriesMax * (size / dictBytesMax), size
}

func (m *merger) mergeDicts(c *Column) (*mergedDict, error) {
	entries, size := m.dictBounds()
	limit := min(entries, max(1, m.kept/dictRowsPerEntry))
	d := &mergedDict{d: &distinct{}, remap: map[*Col][]uint32{}}
	d.d.init()
	plain := int64(0)
	var without []*Col
	for i := range m.spec.Inputs {
		f := m.spec.Inputs[i].File
		col, err := f.Column(c.ID)
		if err != nil {
			return nil, err
		}
		switch {
		case col == nil:
			if !c.Missing.Null {
				v := vec.ConstVector(c.Type, &c.Missing, 1)
				d.d.add(v.BytesAt(0))
			}
		case col.phys != types.PhysBytes:
			return nil, errs.New(errs.FeatureNotSupported, "rewriting stored values of physical type %d as %s is not supported", col.phys, c.Type)
		case col.hasDict:
			if err := d.addDict(col); err != nil {
				return nil, err
			}
		default:
			without = append(without, col)
			plain += col.plainRows()
		}
		if len(d.d.hashes) > limit || len(d.d.bytes) > size || 2*plain > int64(m.kept) {
			return nil, nil
		}
	}
	for _, col := range without {
		if ok, err := d.addPlain(m, col, limit, size); !ok || err != nil {
			return nil, err
		}
	}
	if len(d.d.hashes) == 0 {
		return nil, nil // all NULL: the pages say so
	}
	d.place = d.d.sorted(&d.dictionary)
	for _, r := range d.remap {
		for i := range r {
			r[i] = d.place[r[i]]
		}
	}
	return d, nil
}

// plainRows counts the rows whose values are not known without reading them.
func (c *Col) plainRows() (n int64) {
	for i := range c.pages {
		if p := &c.pages[i]; p.nulls < p.rows && encoding.Kind(p.encoding) != encoding.Const {
			n += int64(p.rows)
		}
	}
	return n
}

func (d *mergedDict) addDict(col *Col) error {
	if col.dict.load() == nil {
		d.loaded = append(d.loaded, col)
	}
	in, err := col.Dict()
	if err != nil {
		return err
	}
	r := make([]uint32, in.Values.Len)
	for i := range r {
		r[i] = d.d.addHashed(in.Values.BytesAt(i), in.Hashes[i])
	}
	d.remap[col] = r
	return nil
}

// addPlain adds the values of a column without dictionary; false if there are
// too many.
func (d *mergedDict) addPlain(m *merger, col *Col, limit, size int) (bool, error) {
	var rows encoding.Column
	var space encoding.Space
	for g := range col.pages {
		n := int(col.pages[g].rows)
		for from := 0; from < n; from += GranuleRows {
			if err := col.decodeRows(&rows, g, from, min(GranuleRows, n-from), &space); err != nil {
				return false, err
			}
			for i := range rows.N {
				if !rows.Null(i) {
					d.d.add(rows.Value(i))
				}
			}
			if len(d.d.hashes) > limit || len(d.d.bytes) > size {
				return false, nil
			}
			if err := m.pause(len(rows.Bytes)); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// recode turns what an input holds, codes or values, into merged codes.
func (d *mergedDict) recode(src *Col, col *encoding.Column) error {
	if !src.hasDict {
		return d.encode(col)
	}
	r := d.remap[src]
	codes := vec.CastSlice[uint32](col.Fixed)[:col.N]
	for i, c := range codes {
		if int(c) < len(r) { // NULL rows may hold anything
			codes[i] = r[c]
		}
	}
	return nil
}

// encode turns values into merged codes. All of them are in the dictionary.
func (d *mergedDict) encode(col *encoding.Column) error {
	fixed := vec.AlignedBytes(4 * col.N)
	codes := vec.CastSlice[uint32](fixed)
	for i := range codes {
		if col.Null(i) {
			continue
		}
		at, ok := d.d.find(col.Value(i))
		if !ok {
			return errMergeCheck("a dictionary")
		}
		codes[i] = d.place[at]
	}
	col.Phys, col.Unsigned, col.Fixed = types.PhysI32, true, fixed
	return nil
}

// find is the place of a value, false if it is not there.
func (d *distinct) find(v []byte) (uint32, bool) {
	h := vec.HashBytes(v)
	mask := uint64(len(d.slots) - 1)
	for at := h & mask; ; at = (at + 1) & mask {
		s := d.slots[at]
		if s == 0 {
			return 0, false
		}
		if d.hashes[s-1] == h && bytes.Equal(d.value(int(s-1)), v) {
			return s - 1, true
		}
	}
}

// only gives the entries that are used, and merged code → code among them; a
// value of a row that is left out must not live on.
func (d *mergedDict) only(used []bool) (dict *dictionary, remap []uint32) {
	if used == nil {
		return &dictionary{offs: d.offs, bytes: d.bytes, ascii: encoding.IsASCII(d.bytes)}, nil
	}
	dict = &dictionary{offs: []uint32{0}}
	remap = make([]uint32, len(used))
	for i, u := range used {
		if u {
			remap[i] = uint32(len(dict.offs) - 1)
			dict.bytes = append(dict.bytes, d.bytes[d.offs[i]:d.offs[i+1]]...)
			dict.offs = append(dict.offs, uint32(len(dict.bytes)))
		}
	}
	dict.ascii = encoding.IsASCII(dict.bytes)
	return dict, remap
}

// forget lets go of the memory of a column that is written.
func (m *merger) forget(c *Column) {
	if d := m.dicts[c.ID]; d != nil {
		for _, col := range d.loaded {
			col.file.dicts.drop(&col.dict)
		}
	}
	delete(m.dicts, c.ID)
}
