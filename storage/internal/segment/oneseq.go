package segment

import (
	"sync/atomic"

	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// SetSeq gives every row the sequence seq, whatever the file says: the file of a
// load is complete before its commit has a sequence. It must be called before
// another goroutine has the file. Verify is for files as they are.
func (s *File) SetSeq(seq uint64) {
	s.seq = seq
	for i := range s.groups {
		s.groups[i].SeqMin, s.groups[i].SeqMax = seq, seq
	}
}

// openSeq makes the pages of _commit_seq for a file with one sequence.
func (c *Col) openSeq() error {
	c.pages, c.hasDict, c.granules = nil, false, nil
	c.opened = make([]atomic.Pointer[encoding.Page], len(c.file.groups))
	var e encoding.Encoder
	var p *encoding.Page
	for g, group := range c.file.groups {
		if p == nil || p.Rows != group.Rows {
			v := make([]uint64, group.Rows)
			for i := range v {
				v[i] = c.file.seq
			}
			b, err := e.Page(&encoding.Column{Phys: types.PhysI64, N: len(v), Fixed: vec.BytesOf(v)}, 0, len(v))
			if err != nil {
				return err
			}
			if p, err = encoding.Open(b, types.PhysI64); err != nil {
				return err
			}
		}
		c.opened[g].Store(p)
		var z encoding.Zone
		one := []uint64{c.file.seq}
		z.Extend(&encoding.Column{Phys: types.PhysI64, N: 1, Fixed: vec.BytesOf(one)}, 0, 1)
		z.Rows = uint32(group.Rows)
		c.groups = append(c.groups, z)
	}
	return nil
}
