package segment

import (
	"bytes"
	"cmp"
	"runtime/debug"
	"slices"

	"quern/storage/catalog"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vec/kernel"
)

// Verify reads everything: that parts tile the file, every crc, every value;
// dictionaries are sorted, bounds and sums are those of the values. Damage is
// *errs.Corrupt.
func (s *File) Verify() (err error) {
	defer CatchFault(debug.SetPanicOnFault(true), &err)
	if err := s.verifyTiles(); err != nil {
		return err
	}
	for _, e := range s.entries() {
		if _, err := s.section(e.column, e.kind); err != nil {
			return err
		}
	}
	ids := []uint32{catalog.ColReceivedAt, catalog.ColCommitSeq}
	for _, c := range s.Schema() {
		ids = append(ids, c.ID)
	}
	for _, id := range ids {
		c, err := s.Column(id)
		if err != nil {
			return err
		}
		if err := c.verify(); err != nil {
			return err
		}
	}
	return nil
}

// verifyTiles checks that pages and sections cover the file between header and
// directory, so that no byte is outside a crc.
func (s *File) verifyTiles() error {
	type tile struct{ from, to uint64 }
	var tiles []tile
	for _, e := range s.entries() {
		tiles = append(tiles, tile{e.offset, e.offset + uint64(e.length)})
		if e.kind != kindPages {
			continue
		}
		b, err := s.section(e.column, e.kind)
		if err != nil {
			return err
		}
		for ; len(b) >= pageBytes; b = b[pageBytes:] {
			p := readPage(b)
			tiles = append(tiles, tile{p.offset, p.offset + uint64(p.length)})
		}
	}
	slices.SortFunc(tiles, func(a, b tile) int { return cmp.Compare(a.from, b.from) })
	at := uint64(headerBytes)
	for _, t := range tiles {
		if t.from != at {
			return damaged(s.Path, int64(at), "bytes outside of every section")
		}
		at = t.to
	}
	if at != uint64(len(s.data)-trailerBytes-len(s.dir)) {
		return damaged(s.Path, int64(at), "bytes outside of every section")
	}
	return nil
}

func (c *Col) verify() error {
	if c.hasDict {
		if err := c.verifyDict(); err != nil {
			return err
		}
	}
	sums, err := c.file.section(c.id, kindSums)
	if err != nil {
		return err
	}
	var got encodedColumn
	for g := range c.pages {
		col, err := c.decode(g)
		if err != nil {
			return c.at(err, int64(c.pages[g].offset))
		}
		var whole encoding.Zone
		for from := 0; from < col.N; from += GranuleRows {
			to := min(col.N, from+GranuleRows)
			var z encoding.Zone
			z.Extend(col, from, to)
			whole.Merge(&z)
			if c.granules != nil && z != c.Zone(g, from, to) && !(from == 0 && to == col.N) {
				return damaged(c.file.Path, int64(c.pages[g].offset), "granule bounds differ from the values")
			}
		}
		if whole != c.groups[g] {
			return damaged(c.file.Path, int64(c.pages[g].offset), "bounds differ from the values")
		}
		if sums != nil {
			got.sum(col, 0, col.N)
		}
	}
	if !bytes.Equal(sums, got.sums) {
		return damaged(c.file.Path, 0, "sums differ from the values")
	}
	return nil
}

func (c *Col) verifyDict() error {
	d, err := c.Dict()
	if err != nil {
		return err
	}
	for i := 1; i < d.Values.Len; i++ {
		if bytes.Compare(d.Values.BytesAt(i-1), d.Values.BytesAt(i)) >= 0 {
			return damaged(c.file.Path, 0, "dictionary is not sorted")
		}
	}
	return nil
}

// decode reads row group g whole: values, or codes of a dictionary.
func (c *Col) decode(g int) (*encoding.Column, error) {
	col := new(encoding.Column)
	return col, c.decodeRows(col, g, 0, c.file.groups[g].Rows, new(encoding.Space))
}

// decodeRows reads rows [from, from+n) of row group g into col, whose memory it
// uses again; from is the start of a batch. read is scratch.
func (c *Col) decodeRows(col *encoding.Column, g, from, n int, read *encoding.Space) error {
	p, err := c.Page(g)
	if err != nil {
		return err
	}
	col.Phys, col.Unsigned, col.N = c.phys, c.unsigned, n
	if c.hasDict {
		col.Phys, col.Unsigned = types.PhysI32, true
	}
	if p.Nulls > 0 {
		col.Valid = reuse(col.Valid, n)[:n]
	} else {
		col.Valid = nil
	}
	size := col.Phys.Size()
	if size > 0 {
		if cap(col.Fixed) < n*size {
			col.Fixed = vec.AlignedBytes(n * size)
		}
		col.Fixed = col.Fixed[:n*size]
	} else {
		col.Offs, col.Bytes = append(reuse(col.Offs, n+1)[:0], 0), col.Bytes[:0]
	}
	if p.AllNull() {
		clear(col.Fixed)
		clear(col.Valid)
		if size == 0 {
			col.Offs = col.Offs[:n+1]
			clear(col.Offs)
		}
		return nil
	}
	for at := from; at < from+n; at += vec.BatchRows {
		k := min(vec.BatchRows, from+n-at)
		if p.Nulls > 0 {
			var words [vec.BatchRows / 64]uint64
			valid := col.Valid[at-from : at-from+k]
			if w := p.Valid(words[:], at, k); w != nil {
				kernel.UnpackBits(valid, w, 0)
			} else {
				for i := range valid {
					valid[i] = 1
				}
			}
		}
		if err := c.decodeBatch(p, col, at, at-from, k, read); err != nil {
			return err
		}
	}
	return nil
}

// reuse is v with room for n.
func reuse[T any](v []T, n int) []T {
	if cap(v) < n {
		return make([]T, n)
	}
	return v
}

// decodeBatch reads rows [from, from+n) of p into rows [to, to+n) of col.
func (c *Col) decodeBatch(p *encoding.Page, col *encoding.Column, from, to, n int, read *encoding.Space) error {
	if c.hasDict && p.Kind == encoding.Dict {
		d, err := c.Dict()
		if err != nil {
			return err
		}
		return p.Codes(vec.CastSlice[uint32](col.Fixed)[to:to+n], from, d.Values.Len)
	}
	if size := col.Phys.Size(); size > 0 {
		return p.Fixed(col.Fixed[to*size:(to+n)*size], from, n, make([]int64, n))
	}
	views := make([]vec.View, n)
	buf, err := p.Views(views, from, nil, read)
	if err != nil {
		return err
	}
	bufs := [][]byte{buf}
	for i := range views {
		col.Bytes = append(col.Bytes, views[i].Bytes(bufs)...)
		col.Offs = append(col.Offs, uint32(len(col.Bytes)))
	}
	return nil
}
