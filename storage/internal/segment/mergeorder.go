package segment

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"time"

	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
)

// errNotSorted says that an input that was read as one run is not sorted by the
// present key, as after ALTER TABLE … SET (order_by).
var errNotSorted = errors.New("input is not sorted")

// sort finds the order of the rows that come out and where outputs begin.
func (m *merger) sort() error {
	for {
		if err := m.makeRuns(); err != nil {
			return err
		}
		k, err := m.newKeys()
		if err != nil {
			return err
		}
		err = k.merge()
		if !errors.Is(err, errNotSorted) {
			m.order, m.cuts = k.order, k.cuts
			if err == nil && len(m.order) != m.kept {
				err = errMergeCheck("row counts")
			}
			return err
		}
		m.unsorted[k.bad] = true
	}
}

// makeRuns makes one run of each sorted input, and one of each row group of the
// others.
func (m *merger) makeRuns() error {
	m.runs = m.runs[:0]
	for i := range m.spec.Inputs {
		f := m.spec.Inputs[i].File
		if !m.unsorted[i] {
			m.runs = append(m.runs, mergeRun{input: i, to: len(f.groups)})
			continue
		}
		base := 0
		for g := range f.groups {
			m.runs = append(m.runs, mergeRun{input: i, from: g, to: g + 1, base: base})
			base += f.groups[g].Rows
		}
	}
	if len(m.runs) > math.MaxUint16 {
		return errs.New(errs.ProgramLimit, "merge of %d runs", len(m.runs))
	}
	for s := range m.runs {
		run := &m.runs[s]
		if !m.unsorted[run.input] {
			continue
		}
		k, err := m.newKeys(s)
		if err != nil {
			return err
		}
		if err := k.sortRun(run, m.gone[run.input]); err != nil {
			return err
		}
	}
	return nil
}

// keys compares the rows of all runs.
type keys struct {
	m      *merger
	cols   []*keyColumn
	cutter cutter
	runs   []keyRun
	heap   []uint16
	order  []uint16
	cuts   []cut
	bad    int // the input that is not sorted
}

// keyColumn is one column of the key, by all runs. The first one may be the
// partition, made of the event time.
type keyColumn struct {
	pass      *pass
	desc      bool
	partition bool
	inexact   bool // equal words do not mean equal values
}

// keyRun is where a run stands: words are the keys of its window, one slice per
// column.
type keyRun struct {
	words [][]uint64
	n, at int
	last  []uint64 // of the row before the window
}

// newKeys reads the key columns of all runs, or of the given one.
func (m *merger) newKeys(only ...int) (*keys, error) {
	k := &keys{m: m, runs: make([]keyRun, len(m.runs))}
	add := func(c *Column, desc, partition bool) error {
		p, err := m.newPass(c)
		if err != nil {
			return err
		}
		phys := c.Type.Phys()
		if p.dict != nil {
			phys = types.PhysI32
		}
		k.cols = append(k.cols, &keyColumn{pass: p, desc: desc, partition: partition, inexact: phys >= types.PhysNum})
		return nil
	}
	if c := m.column(m.spec.Spec.TimeCol); m.spec.Split && c != nil && isTime(c.Type) {
		if err := add(c, false, true); err != nil {
			return nil, err
		}
	}
	for _, o := range m.spec.Spec.Order {
		c := m.column(o.Col)
		if c == nil {
			break
		}
		if err := add(c, o.Desc, false); err != nil {
			return nil, err
		}
	}
	if len(only) > 0 {
		return k, nil
	}
	k.order = make([]uint16, 0, m.kept)
	for s := range k.runs {
		if err := k.load(uint16(s)); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// load reads the next window of a run.
func (k *keys) load(s uint16) error {
	r := &k.runs[s]
	if r.n > 0 && len(k.cols) > 0 {
		r.last = r.last[:0]
		for c := range k.cols {
			r.last = append(r.last, r.words[c][r.n-1])
		}
	}
	if r.words == nil {
		r.words = make([][]uint64, len(k.cols))
	}
	r.at, r.n = 0, 0
	for c, col := range k.cols {
		w := &col.pass.wins[s]
		if err := col.pass.next(w); err != nil {
			return err
		}
		r.n = w.rows.N
		r.words[c] = reuse(r.words[c], r.n)[:r.n]
		k.fill(col, r.words[c], &w.rows)
	}
	if len(k.cols) > 0 {
		read := k.cols[0].pass.read
		k.cols[0].pass.read = 0
		return k.m.pause(read * len(k.cols))
	}
	return nil
}

// fill makes words of values: integers of the same order, up to ties where the
// column is inexact. NULL is greatest, as PostgreSQL sorts it.
func (k *keys) fill(col *keyColumn, dst []uint64, c *encoding.Column) {
	v := vec.Vector{Type: col.pass.col.Type, Len: c.N, Fixed: c.Fixed}
	sk := sortKey{phys: c.Phys}
	for i := range dst {
		var x uint64
		switch {
		case c.Null(i):
			x = math.MaxUint64
		case col.partition:
			x = math.MaxUint64
			if t := TimeAt(c, i); t != types.TimePosInf && t != types.TimeNegInf {
				x = uint64(k.cutter.start(t, k.m.spec.Grain)) ^ signBit
			}
		case col.pass.dict != nil:
			x = uint64(vec.CastSlice[uint32](c.Fixed)[i])
		default:
			x = sk.value(c, &v, i)
		}
		if col.desc {
			x = ^x
		}
		dst[i] = x
	}
}

// start is the start of t's partition.
func (c *cutter) start(t int64, g Grain) int64 {
	c.name(t, false, g)
	return c.from
}

// compare orders row i of run a and row j of run b.
func (k *keys) compare(a uint16, i int, b uint16, j int) int {
	ra, rb := &k.runs[a], &k.runs[b]
	for c, col := range k.cols {
		x, y := ra.words[c][i], rb.words[c][j]
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		// The extremes stand for NULL as well as for the greatest value.
		if col.partition || !col.inexact && x != 0 && x != math.MaxUint64 {
			continue
		}
		if d := col.values(a, i, b, j); d != 0 {
			return d
		}
	}
	return 0
}

// values compares the values themselves.
func (c *keyColumn) values(a uint16, i int, b uint16, j int) int {
	x, y := &c.pass.wins[a].rows, &c.pass.wins[b].rows
	nx, ny := x.Null(i), y.Null(j)
	d := 0
	switch {
	case nx && ny, c.pass.dict != nil && !nx && !ny:
		return 0
	case nx:
		d = 1
	case ny:
		d = -1
	case x.Phys == types.PhysBytes:
		d = bytes.Compare(x.Value(i), y.Value(j))
	default:
		t := c.pass.col.Type
		d = vec.Compare(&vec.Vector{Type: t, Len: x.N, Fixed: x.Fixed}, i, &vec.Vector{Type: t, Len: y.N, Fixed: y.Fixed}, j)
	}
	if c.desc {
		return -d
	}
	return d
}

// less orders the current rows of two runs; the earlier run is first among
// equals.
func (k *keys) less(a, b uint16) bool {
	if len(k.cols) > 0 {
		x, y := k.runs[a].words[0][k.runs[a].at], k.runs[b].words[0][k.runs[b].at]
		if x != y {
			return x < y
		}
	}
	d := k.compare(a, k.runs[a].at, b, k.runs[b].at)
	return d < 0 || d == 0 && a < b
}

// merge merges all runs.
func (k *keys) merge() error {
	if len(k.cols) == 0 {
		return k.concat()
	}
	for s := range k.runs {
		if k.runs[s].n > 0 {
			k.heap = append(k.heap, uint16(s))
		}
	}
	for i := len(k.heap)/2 - 1; i >= 0; i-- {
		k.down(i)
	}
	for len(k.heap) > 0 {
		if err := k.run(); err != nil {
			return err
		}
	}
	return nil
}

// concat takes the runs one after the other: there is no key.
func (k *keys) concat() error {
	for s := range k.m.runs {
		f, gone := k.m.spec.Inputs[k.m.runs[s].input].File, k.m.gone[k.m.runs[s].input]
		for r := range int(f.rows) {
			if gone == nil || gone[r>>6]>>(r&63)&1 == 0 {
				k.emit(uint16(s))
			}
		}
	}
	return nil
}

// run takes rows of the first run while they come before all others.
func (k *keys) run() error {
	top := k.heap[0]
	next := -1 // the run that is second
	if len(k.heap) > 1 {
		next = 1
		if len(k.heap) > 2 && k.less(k.heap[2], k.heap[1]) {
			next = 2
		}
	}
	r := &k.runs[top]
	for {
		k.emit(top)
		if r.at++; r.at == r.n {
			if err := k.load(top); err != nil {
				return err
			}
			if r.n == 0 {
				last := len(k.heap) - 1
				k.heap[0] = k.heap[last]
				k.heap = k.heap[:last]
				break
			}
			if r.falls() {
				return k.notSorted(top)
			}
		} else if k.compare(top, r.at-1, top, r.at) > 0 {
			return k.notSorted(top)
		}
		if next >= 0 && !k.less(top, k.heap[next]) {
			break
		}
	}
	if len(k.heap) > 0 {
		k.down(0)
	}
	return nil
}

func (k *keys) notSorted(s uint16) error {
	if k.m.runs[s].perm != nil {
		return errMergeCheck("order")
	}
	k.bad = k.m.runs[s].input
	return errNotSorted
}

// falls tells whether the window begins below the end of the one before. NB:
// words only: what ties there is not seen, and keeps its order.
func (r *keyRun) falls() bool {
	for c, x := range r.last {
		if y := r.words[c][0]; x != y {
			return y < x
		}
	}
	return false
}

// emit takes the current row of run s.
func (k *keys) emit(s uint16) {
	at := len(k.order)
	if at == 0 || at-k.cuts[len(k.cuts)-1].from == RowsMax {
		part := k.m.spec.Partition
		if k.splits() {
			part = k.partOf(s)
		}
		k.cuts = append(k.cuts, cut{at, part})
	} else if k.splits() {
		if part := k.partOf(s); part != k.cuts[len(k.cuts)-1].partition {
			k.cuts = append(k.cuts, cut{at, part})
		}
	}
	k.order = append(k.order, s)
}

func (k *keys) splits() bool { return len(k.cols) > 0 && k.cols[0].partition }

// partOf is the partition of the current row of run s. Beyond PartsMax it is
// "mixed", which comes last as rows come in the order of partitions.
func (k *keys) partOf(s uint16) string {
	x := k.runs[s].words[0][k.runs[s].at]
	name := "null"
	if x != math.MaxUint64 {
		var c cutter
		if l := len(k.cuts); l > 0 && x^signBit == uint64(k.cutter.from) {
			name = k.cutter.last
		} else {
			name = c.name(int64(x^signBit), false, k.m.spec.Grain)
		}
	}
	if l := len(k.cuts); l > 0 && k.m.spec.PartsMax > 0 && l >= k.m.spec.PartsMax && name != k.cuts[l-1].partition {
		return "mixed"
	}
	return name
}

// down moves the run at i to its place in the heap.
func (k *keys) down(i int) {
	h := k.heap
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && k.less(h[c+1], h[c]) {
			c++
		}
		if !k.less(h[c], h[i]) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

// sortRun sorts the rows of a run of one row group that stay.
func (k *keys) sortRun(run *mergeRun, gone []uint64) error {
	s := uint16(0)
	for k.m.runs[s].base != run.base || k.m.runs[s].input != run.input {
		s++
	}
	n := k.m.spec.Inputs[run.input].File.groups[run.from].Rows
	r := &k.runs[s]
	r.words = make([][]uint64, len(k.cols))
	for c, col := range k.cols {
		w := &col.pass.wins[s]
		if err := col.pass.decode(w, &w.rows, run.from, 0, n); err != nil {
			return err
		}
		r.words[c] = make([]uint64, n)
		k.fill(col, r.words[c], &w.rows)
	}
	v := make([]prefixed64, 0, n)
	for i := range n {
		if at := run.base + i; gone == nil || gone[at>>6]>>(at&63)&1 == 0 {
			v = append(v, prefixed64{r.words[0][i], uint32(i)})
		}
	}
	radix(v)
	equalRuns(v, func(x, y *prefixed64) bool { return x.key == y.key }, func(same []prefixed64) {
		slices.SortFunc(same, func(x, y prefixed64) int {
			if d := k.compare(s, int(x.idx), s, int(y.idx)); d != 0 {
				return d
			}
			return int(x.idx) - int(y.idx)
		})
	})
	run.perm = make([]uint32, len(v))
	for i := range v {
		run.perm[i] = v[i].idx
	}
	return k.m.pause(n * 8 * len(k.cols))
}

// PartitionEnd is the time at which a partition is over, µs since 1970; false if
// it never is.
func PartitionEnd(name string) (end int64, ok bool) {
	if len(name) < 7 {
		return 0, false
	}
	layout := map[byte]string{'m': "200601", 'd': "20060102", 'h': "2006010215"}[name[0]]
	t, err := time.Parse(layout, name[1:])
	if layout == "" || err != nil {
		return 0, false
	}
	switch name[0] {
	case 'm':
		t = t.AddDate(0, 1, 0)
	case 'd':
		t = t.AddDate(0, 0, 1)
	default:
		t = t.Add(time.Hour)
	}
	return t.UnixMicro(), true
}
