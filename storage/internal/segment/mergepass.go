package segment

import (
	"math"
	"runtime/debug"

	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// pass reads one column of all runs, each from its first row to its last.
type pass struct {
	col   *Column
	dict  *mergedDict // nil: values
	wins  []window    // by run
	read  int         // bytes since the last pause
	in    tally
	nulls bool // some row may be NULL
	space encoding.Space
}

// window is a part of a run's rows, decoded: rows that are left out are not in
// it.
type window struct {
	run  *mergeRun
	file *File
	gone []uint64
	src  *Col // nil: the segment is older than the column
	rows encoding.Column
	at   int // next row of rows

	group int // next to decode: row group, row in it, and row of the input
	row   int
	first int
	ended bool

	raw  encoding.Column // decoded, rows that are left out included
	pick []uint32
}

// tally is an order-free sum over rows that both sides of a merge can make.
type tally struct {
	rows, nulls, sum uint64
}

// newPass starts a pass over all runs.
func (m *merger) newPass(c *Column) (*pass, error) {
	p := &pass{col: c, wins: make([]window, len(m.runs))}
	for s := range m.runs {
		run := &m.runs[s]
		w := &p.wins[s]
		w.run, w.file, w.gone = run, m.spec.Inputs[run.input].File, m.gone[run.input]
		if err := p.open(w); err != nil {
			return nil, err
		}
	}
	if c.Type.Phys() != types.PhysBytes {
		return p, nil
	}
	var err error
	p.dict, err = m.dictOf(c)
	return p, err
}

// newPassOver reads a column of one segment, whatever is left out.
func newPassOver(f *File, c *Column) (*pass, error) {
	p := &pass{col: c, wins: []window{{file: f}}}
	return p, p.open(&p.wins[0])
}

func (p *pass) open(w *window) (err error) {
	w.start()
	if w.src, err = w.file.Column(p.col.ID); err != nil {
		return err
	}
	switch {
	case w.src == nil:
		p.nulls = p.nulls || p.col.Missing.Null
	default:
		for i := range w.src.pages {
			p.nulls = p.nulls || w.src.pages[i].nulls > 0
		}
	}
	return nil
}

func (w *window) start() {
	if w.run != nil {
		w.group, w.first = w.run.from, w.run.base
	}
}

// whole reads all n rows of a run.
func (p *pass) whole(run *mergeRun, n int) (*encoding.Column, error) {
	w := &p.wins[0]
	w.run = run
	w.start()
	if err := p.decode(w, &w.rows, run.from, 0, n); err != nil {
		return nil, err
	}
	return &w.rows, nil
}

// next decodes the next window; it is empty at the end of the run.
func (p *pass) next(w *window) error {
	w.at, w.rows.N = 0, 0
	for w.group < w.run.to {
		n := w.file.groups[w.group].Rows
		if w.run.perm != nil {
			g := w.group
			w.group = w.run.to
			if err := p.decode(w, &w.raw, g, 0, n); err != nil {
				return err
			}
			p.take(w, w.run.perm)
			w.raw = encoding.Column{}
			break
		}
		from, count := w.row, min(GranuleRows, n-w.row)
		g, first := w.group, w.first
		w.first += count
		if w.row += count; w.row == n {
			w.group, w.row = w.group+1, 0
		}
		if !w.picks(first, count) {
			if err := p.decode(w, &w.rows, g, from, count); err != nil {
				return err
			}
			break
		}
		if len(w.pick) == 0 {
			continue
		}
		if err := p.decode(w, &w.raw, g, from, count); err != nil {
			return err
		}
		p.take(w, w.pick)
		break
	}
	if w.rows.N == 0 {
		w.ended = true
		return nil
	}
	p.in.add(&w.rows)
	return nil
}

// picks lists in pick which of n rows of the input from first on stay; false if
// all do.
func (w *window) picks(first, n int) bool {
	if w.gone == nil {
		return false
	}
	w.pick = w.pick[:0]
	for i := range n {
		if r := first + i; w.gone[r>>6]>>(r&63)&1 == 0 {
			w.pick = append(w.pick, uint32(i))
		}
	}
	return len(w.pick) < n
}

// take moves the given rows of raw to rows.
func (p *pass) take(w *window, pick []uint32) {
	src, dst := &w.raw, &w.rows
	dst.Phys, dst.Unsigned, dst.N = src.Phys, src.Unsigned, len(pick)
	dst.Valid = dst.Valid[:0:0]
	if src.Valid != nil {
		dst.Valid = make([]byte, len(pick))
		pickAs(dst.Valid, src.Valid, pick)
	} else {
		dst.Valid = nil
	}
	size := src.Phys.Size()
	if size == 0 {
		dst.Offs, dst.Bytes = append(reuse(dst.Offs, len(pick)+1)[:0], 0), dst.Bytes[:0]
		for _, i := range pick {
			dst.Bytes = append(dst.Bytes, src.Value(int(i))...)
			dst.Offs = append(dst.Offs, uint32(len(dst.Bytes)))
		}
		return
	}
	if cap(dst.Fixed) < size*len(pick) {
		dst.Fixed = vec.AlignedBytes(size * len(pick))
	}
	dst.Fixed = dst.Fixed[:size*len(pick)]
	switch size {
	case 1:
		pickAs(dst.Fixed, src.Fixed, pick)
	case 2:
		pickAs(vec.CastSlice[int16](dst.Fixed), vec.CastSlice[int16](src.Fixed), pick)
	case 4:
		pickAs(vec.CastSlice[uint32](dst.Fixed), vec.CastSlice[uint32](src.Fixed), pick)
	case 8:
		pickAs(vec.CastSlice[uint64](dst.Fixed), vec.CastSlice[uint64](src.Fixed), pick)
	case 16:
		pickAs(vec.CastSlice[[16]byte](dst.Fixed), vec.CastSlice[[16]byte](src.Fixed), pick)
	default:
		pickAs(vec.CastSlice[types.Num](dst.Fixed), vec.CastSlice[types.Num](src.Fixed), pick)
	}
}

func pickAs[T vec.Fixedwidth](dst, src []T, pick []uint32) {
	for k, i := range pick {
		dst[k] = src[i]
	}
}

// decode reads rows [from, from+n) of row group g into col: codes of the merged
// dictionary, or values of the column's present type.
func (p *pass) decode(w *window, col *encoding.Column, g, from, n int) (err error) {
	defer CatchFault(debug.SetPanicOnFault(true), &err)
	if w.src == nil {
		*col = constant(p.col, n)
		if p.dict != nil {
			return p.dict.encode(col)
		}
		return nil
	}
	if err := w.src.decodeRows(col, g, from, n, &p.space); err != nil {
		return err
	}
	p.read += len(col.Fixed) + len(col.Bytes)
	switch {
	case p.dict != nil:
		return p.dict.recode(w.src, col)
	case w.src.hasDict:
		return w.src.values(col)
	case col.Phys == p.col.Type.Phys():
		return nil
	}
	wide, err := widen(col, p.col.Type)
	if err == nil {
		*col = *wide
	}
	return err
}

// values turns codes of the segment's dictionary into values.
func (c *Col) values(col *encoding.Column) error {
	d, err := c.Dict()
	if err != nil {
		return err
	}
	codes := vec.CastSlice[uint32](col.Fixed)
	col.Phys, col.Unsigned = types.PhysBytes, false
	col.Offs, col.Bytes = append(reuse(col.Offs, len(codes)+1)[:0], 0), col.Bytes[:0]
	for i, code := range codes {
		if !col.Null(i) {
			col.Bytes = append(col.Bytes, d.Values.BytesAt(int(code))...)
		}
		col.Offs = append(col.Offs, uint32(len(col.Bytes)))
	}
	return nil
}

// gather fills dst with the next rows of the runs that order names.
func (p *pass) gather(dst *encoding.Column, order []uint16) error {
	n := len(order)
	dst.Phys, dst.Unsigned, dst.N = p.col.Type.Phys(), p.col.Type.Unsigned(), n
	if p.dict != nil {
		dst.Phys, dst.Unsigned = types.PhysI32, true
	}
	if p.nulls {
		dst.Valid = reuse(dst.Valid, n)[:n]
	}
	size := dst.Phys.Size()
	if size == 0 {
		return p.gatherBytes(dst, order)
	}
	if cap(dst.Fixed) < n*size {
		dst.Fixed = vec.AlignedBytes(n * size)
	}
	dst.Fixed = dst.Fixed[:n*size]
	switch size {
	case 1:
		return gatherRuns[uint8](p, dst, order)
	case 2:
		return gatherRuns[int16](p, dst, order)
	case 4:
		return gatherRuns[uint32](p, dst, order)
	case 8:
		return gatherRuns[uint64](p, dst, order)
	case 16:
		return gatherRuns[[16]byte](p, dst, order)
	}
	return gatherRuns[types.Num](p, dst, order)
}

// cursor is a window of values of one type.
type cursor[T any] struct {
	vals  []T
	valid []byte
	at    int
}

func gatherRuns[T vec.Fixedwidth](p *pass, dst *encoding.Column, order []uint16) error {
	cur := make([]cursor[T], len(p.wins))
	for s := range cur {
		w := &p.wins[s]
		cur[s] = cursor[T]{vec.CastSlice[T](w.rows.Fixed)[:w.rows.N], w.rows.Valid, w.at}
	}
	out, valid := vec.CastSlice[T](dst.Fixed), dst.Valid
	for i := 0; i < len(order); {
		s := order[i]
		c := &cur[s]
		if c.at == len(c.vals) {
			w := &p.wins[s]
			if err := p.refill(w); err != nil {
				return err
			}
			*c = cursor[T]{vec.CastSlice[T](w.rows.Fixed)[:w.rows.N], w.rows.Valid, 0}
		}
		n := sameRun(order[i:], len(c.vals)-c.at)
		if n < 8 { // most often 1, where rows of the runs alternate
			for k := range n {
				out[i+k] = c.vals[c.at+k]
			}
		} else {
			copy(out[i:i+n], c.vals[c.at:])
		}
		if valid != nil {
			copyValid(valid[i:i+n], c.valid, c.at)
		}
		c.at += n
		i += n
	}
	for s := range cur {
		p.wins[s].at = cur[s].at
	}
	return nil
}

// sameRun is how many rows of order, at most most, come from its first run.
func sameRun(order []uint16, most int) int {
	s, n := order[0], 1
	for most = min(most, len(order)); n < most && order[n] == s; n++ {
	}
	return n
}

// copyValid fills dst from row at on; valid is nil if no row is NULL.
func copyValid(dst, valid []byte, at int) {
	if valid != nil {
		copy(dst, valid[at:])
		return
	}
	for i := range dst {
		dst[i] = 1
	}
}

// refill decodes the next window of a run that has one.
func (p *pass) refill(w *window) error {
	if err := p.next(w); err != nil {
		return err
	}
	if w.ended {
		return errMergeCheck("rows of a run")
	}
	return nil
}

func (p *pass) gatherBytes(dst *encoding.Column, order []uint16) error {
	dst.Offs, dst.Bytes = append(reuse(dst.Offs, len(order)+1)[:0], 0), dst.Bytes[:0]
	for i := 0; i < len(order); {
		w := &p.wins[order[i]]
		if w.at == w.rows.N {
			if err := p.refill(w); err != nil {
				return err
			}
		}
		n := sameRun(order[i:], w.rows.N-w.at)
		from := w.rows.Offs[w.at]
		shift := uint64(len(dst.Bytes)) - uint64(from)
		dst.Bytes = append(dst.Bytes, w.rows.Bytes[from:w.rows.Offs[w.at+n]]...)
		if len(dst.Bytes) > math.MaxUint32 {
			return errs.New(errs.ProgramLimit, "row group holds more than 4 GiB in one column")
		}
		for _, o := range w.rows.Offs[w.at+1 : w.at+n+1] {
			dst.Offs = append(dst.Offs, uint32(uint64(o)+shift))
		}
		if dst.Valid != nil {
			copyValid(dst.Valid[i:i+n], w.rows.Valid, w.at)
		}
		w.at += n
		i += n
	}
	return nil
}

// ended checks that every run was read to its end.
func (p *pass) ended() error {
	for s := range p.wins {
		w := &p.wins[s]
		if w.at == w.rows.N && !w.ended {
			if err := p.next(w); err != nil {
				return err
			}
		}
		if !w.ended {
			return errMergeCheck("rows of a run")
		}
	}
	return nil
}

// add takes the rows of c into t.
func (t *tally) add(c *encoding.Column) {
	t.rows += uint64(c.N)
	if c.Valid != nil {
		for _, v := range c.Valid[:c.N] {
			t.nulls += uint64(1 - v)
		}
	}
	switch size := c.Phys.Size(); {
	case size == 0:
		for i := range c.N {
			if b := c.Value(i); len(b) > 0 {
				t.sum += uint64(len(b)) + uint64(b[0])<<8 + uint64(b[len(b)-1])<<16
			}
		}
	case size == 4:
		for _, x := range vec.CastSlice[uint32](c.Fixed)[:c.N] {
			t.sum += uint64(x)
		}
	case size%8 == 0:
		for _, x := range vec.CastSlice[uint64](c.Fixed)[:c.N*size/8] {
			t.sum += x
		}
	default:
		for _, x := range c.Fixed[:c.N*size] {
			t.sum += uint64(x)
		}
	}
}
