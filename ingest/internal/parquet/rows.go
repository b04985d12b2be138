package parquet

import (
	"errors"
	"fmt"
	"io"

	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// Rows reads the rows of one group batch by batch. It holds one page and one
// dictionary of each column, whatever the size of the group. Columns that the
// file codes with a dictionary stay coded.
type Rows struct {
	left int64
	cols []*column
}

// Rows opens the named columns of a row group as the target types.
func (f *File) Rows(g int, cols []decode.Column) (*Rows, error) {
	grp := &f.groups[g]
	r := &Rows{left: grp.rows}
	if grp.rows > f.cells/int64(len(cols)+1) {
		return nil, errs.New(errs.ProgramLimit, "the Parquet file has far more values than bytes")
	}
	f.cells -= grp.rows * int64(len(cols)+1)
	for _, c := range cols {
		l := f.leafByName(c.Name)
		if l == nil {
			return nil, errs.New(errs.UndefinedColumn, "the Parquet file has no column %q", c.Name)
		}
		if l.nested {
			return nil, errs.NotSupported(fmt.Sprintf("nested Parquet column %q", l.path[0]))
		}
		ch := &grp.chunks[l.ordinal]
		if ch.encrypted || ch.elsewhere {
			return nil, errs.NotSupported("an encrypted or external Parquet column chunk")
		}
		if ch.numValues != grp.rows {
			return nil, malformed("%s has %d values in a group of %d rows", l, ch.numValues, grp.rows)
		}
		r.cols = append(r.cols, &column{chunkReader: chunkReader{f: f, leaf: l}, pages: f.pagesOf(l, ch),
			conv: converter{leaf: l, from: l.natural(), to: c.Type}})
	}
	return r, nil
}

// Next gives the next rows, at most limit; io.EOF when there are none. Rows whose
// value does not fit are listed in bad (their values are NULL).
func (r *Rows) Next(limit int) (out []vec.Vector, bad []Bad, rows int, err error) {
	rows = int(min(int64(limit), r.left))
	if rows == 0 {
		return nil, nil, 0, io.EOF
	}
	for _, c := range r.cols {
		v, misfits, err := c.next(rows)
		if err != nil {
			return nil, nil, 0, c.wrap(err)
		}
		bad = append(bad, misfits...)
		out = append(out, v)
	}
	r.left -= int64(rows)
	return out, bad, rows, nil
}

// Close gives the memory of pages back.
func (r *Rows) Close() {
	for _, c := range r.cols {
		c.release()
		c.f.budget.Give(c.dictBytes)
		c.dictBytes = 0
	}
}

// column reads one column chunk in order.
type column struct {
	chunkReader
	pages *pages
	conv  converter

	left  int     // rows of the open page
	def   *hybrid // its levels; nil = no NULL
	codes *hybrid // its codes, or
	plain []byte  // its plain values, or
	whole values  // all its values,
	at    int     // from here on
	mode  pageMode

	dictionary *vec.Dictionary
	dictBad    map[uint32]Bad
	dictBytes  int64 // of the budget
}

type pageMode uint8

const (
	modeCodes pageMode = iota
	modePlain
	modeWhole
)

// wrap names the column in errors about a page.
func (c *column) wrap(err error) error {
	if err == io.EOF {
		err = errShort
	}
	if errs.CodeOf(err) != errs.Internal {
		return err
	}
	return malformed("%s: %v", c.leaf, err)
}

// release gives back what the last page took.
func (c *column) release() {
	c.pages.done()
	c.pages.taken = 0
	c.whole = values{}
}

// open goes to the next data page with rows.
func (c *column) open() error {
	for c.left == 0 {
		c.release()
		h, body, err := c.pages.next()
		if err != nil {
			return err
		}
		if h.typ == pageDict {
			if err := c.loadDictionary(&h, body); err != nil {
				return err
			}
			continue
		}
		if err := c.openPage(&h, body); err != nil {
			return err
		}
	}
	return nil
}

func (c *column) loadDictionary(h *pageHeader, body []byte) error {
	if err := c.chunkReader.dictionary(h, body); err != nil {
		return err
	}
	c.dictBytes = h.values * valueBytes
	v, bad := c.conv.column(&c.chunkReader.dict)
	c.size = c.chunkReader.dict.len()
	c.chunkReader.dict = values{} // it aliases the page
	for _, b := range bad {
		if c.dictBad == nil {
			c.dictBad = map[uint32]Bad{}
		}
		c.dictBad[uint32(b.Row)] = b
	}
	c.dictionary = &vec.Dictionary{Values: v}
	return nil
}

func (c *column) openPage(h *pageHeader, body []byte) error {
	n := int(h.values)
	def, body, err := c.levels(h, body)
	if err != nil {
		return err
	}
	c.left, c.def, c.at = n, def, 0
	switch h.encoding {
	case encPlainDict, encRLEDict:
		c.mode = modeCodes
		if !c.has {
			return errors.New("dictionary page is missing")
		}
		if len(body) == 0 { // all NULL
			body = []byte{0}
		}
		c.codes, err = newHybrid(body[1:], int(body[0]))
		return err
	case encPlain:
		if c.leaf.phys != physBoolean {
			c.mode, c.plain = modePlain, body
			return nil
		}
	}
	c.mode = modeWhole
	return c.decodeWhole(h, body, n)
}

// decodeWhole decodes a page whose encoding cannot be read in pieces. How many
// values are present is only known from its levels.
func (c *column) decodeWhole(h *pageHeader, body []byte, n int) error {
	present := n
	if c.def != nil {
		again := *c.def
		c.levelBuf = grown(c.levelBuf, n)
		if err := again.read(c.levelBuf); err != nil {
			return err
		}
		present = 0
		for _, l := range c.levelBuf {
			if l == uint32(c.leaf.defMax) {
				present++
			}
		}
	}
	if err := c.f.budget.Take(int64(present) * valueBytes); err != nil {
		return err
	}
	c.pages.taken += int64(present) * valueBytes
	c.out = values{}
	if err := c.decode(h.encoding, body, present); err != nil {
		return err
	}
	if c.out.len() != present {
		return errShort
	}
	c.whole, c.out = c.out, values{}
	return nil
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// next reads n rows, over as many pages as it takes.
func (c *column) next(n int) (vec.Vector, []Bad, error) {
	if err := c.open(); err != nil {
		return vec.Vector{}, nil, err
	}
	if c.left >= n {
		return c.part(n)
	}
	b := vec.NewBuilder(c.conv.to, n)
	var bad []Bad
	for n > 0 {
		if err := c.open(); err != nil {
			return vec.Vector{}, nil, err
		}
		k := min(n, c.left)
		v, misfits, err := c.part(k)
		if err != nil {
			return v, nil, err
		}
		for _, m := range misfits {
			m.Row += b.Len()
			bad = append(bad, m)
		}
		b.AppendVector(&v, nil)
		n -= k
	}
	return b.Finish(), bad, nil
}

// part reads n rows of the open page.
func (c *column) part(n int) (vec.Vector, []Bad, error) {
	c.left -= n
	present, err := c.readLevels(n)
	if err != nil {
		return vec.Vector{}, nil, err
	}
	if c.mode == modeCodes {
		return c.coded(n, present)
	}
	if err := c.values(present); err != nil {
		return vec.Vector{}, nil, err
	}
	c.out.valid = nil
	if present < n {
		c.spread(n, present)
	}
	v, bad := c.conv.column(&c.out)
	return v, bad, nil
}

// readLevels tells how many of the next n rows are present. If not all are,
// their levels are in levelBuf.
func (c *column) readLevels(n int) (present int, err error) {
	if c.def == nil {
		return n, nil
	}
	top := uint32(c.leaf.defMax)
	if c.def.skip(n, top) {
		return n, nil
	}
	c.levelBuf = grown(c.levelBuf, n)
	if err := c.def.read(c.levelBuf); err != nil {
		return 0, err
	}
	for _, l := range c.levelBuf {
		if l > top {
			return 0, errors.New("definition level is out of range")
		}
		if l == top {
			present++
		}
	}
	return present, nil
}

// values puts the next n values of the page into out.
func (c *column) values(n int) error {
	c.out.ints, c.out.floats, c.out.bytes = c.out.ints[:0], c.out.floats[:0], c.out.bytes[:0]
	if c.mode == modePlain {
		rest, err := c.chunkReader.plain(&c.out, c.plain, n)
		c.plain = rest
		return err
	}
	if c.at+n > c.whole.len() {
		return errShort
	}
	from, to := c.at, c.at+n
	c.at = to
	switch {
	case c.whole.ints != nil:
		c.out.ints = append(c.out.ints, c.whole.ints[from:to]...)
	case c.whole.floats != nil:
		c.out.floats = append(c.out.floats, c.whole.floats[from:to]...)
	default:
		c.out.bytes = append(c.out.bytes, c.whole.bytes[from:to]...)
	}
	return nil
}

// coded reads codes of n rows, of which present are not NULL.
func (c *column) coded(n, present int) (vec.Vector, []Bad, error) {
	out := vec.Vector{Type: c.conv.to, Form: vec.Dict, Len: n, Fixed: vec.AlignedBytes(4 * n), Dict: c.dictionary}
	codes := out.Codes()
	if err := c.codes.read(codes[:present]); err != nil {
		return out, nil, err
	}
	top := uint32(0)
	for _, x := range codes[:present] {
		top = max(top, x)
	}
	if present > 0 && int(top) >= c.size {
		return out, nil, errors.New("dictionary index is out of range")
	}
	if present == 0 {
		d := types.NullDatum
		return vec.ConstVector(c.conv.to, &d, n), nil, nil
	}
	if present < n {
		from := present
		for i := n - 1; i >= 0; i-- {
			if c.levelBuf[i] != uint32(c.leaf.defMax) {
				codes[i] = 0
				out.SetNull(i)
				continue
			}
			from--
			codes[i] = codes[from]
		}
	}
	if c.dictBad == nil {
		return out, nil, nil
	}
	var bad []Bad
	for i, x := range codes {
		if b, ok := c.dictBad[x]; ok && !out.Null(i) {
			b.Row = i
			bad = append(bad, b)
			out.SetNull(i)
		}
	}
	return out, bad, nil
}
