package scan

import (
	"quern/storage/internal/segment"
	"quern/storage/vec"
)

// codelessRowsMax is how many rows of slabs a column of dictionaries may have.
const codelessRowsMax = 64 << 10

// Reads tells of what will be read, while the scan is being opened: a segment, or
// rows of a slab.
func (s *Scan) Reads(f *segment.File, slabRows int) {
	if f != nil {
		s.files = append(s.files, f)
	}
	s.slabRows += slabRows
}

// DictBytes is the stored size of a requested column's dictionaries but for the
// largest; ok is false where many rows come without one or the view masks it.
func (s *Scan) DictBytes(k int) (others int64, ok bool) {
	if len(s.files) == 0 || s.slabRows > codelessRowsMax || s.cols[k].masked() {
		return 0, false
	}
	var largest int64
	for _, f := range s.files {
		n, ok := f.DictBytes(s.cols[k].id)
		if !ok {
			return 0, false
		}
		others += n
		largest = max(largest, n)
	}
	return others - largest, true
}

// LargestDict is the largest dictionary of a requested column.
func (s *Scan) LargestDict(k int) (*vec.Dictionary, error) {
	best, most := s.files[0], int64(-1)
	for _, f := range s.files {
		if n, ok := f.DictBytes(s.cols[k].id); ok && n > most {
			best, most = f, n
		}
	}
	c, err := best.Column(s.cols[k].id)
	if err != nil {
		return nil, err
	}
	return c.Dict()
}
