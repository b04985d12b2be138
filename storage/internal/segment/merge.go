package segment

import (
	"context"
	"slices"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
)

// A merge makes the rows of some segments into new ones, column by column:
//
//	plan     rows that go (deleted, expired), and the runs: an input that is
//	         sorted is one run, of another each row group becomes one
//	order    the keys of all runs are merged; what stays is the run of every row
//	columns  each column of every run is decoded by windows and gathered in that
//	         order, row group by row group
//
// So memory is two bytes a row for the order, and a window of one column for
// each run: a granule, or a row group where the input was not sorted. Values of
// dictionaries are compared and moved as codes of one merged dictionary.

// Input is a segment to be merged. Inputs are given in the order of their rows'
// age: rows with equal keys keep it.
type Input struct {
	File    *File
	Deleted *roaring.Bitmap // nil if no row is
}

// MergeSpec says what to merge into what.
type MergeSpec struct {
	// Spec describes the outputs; their id and uuid come from Next.
	Spec     *Spec
	Inputs   []Input
	Floor    int64 // rows whose effective time is lower are dropped
	HasFloor bool
	// Partition is that of the output, unless Split: then rows are cut by event
	// time with Grain into at most PartsMax partitions, the rest goes to "mixed".
	Partition string
	Split     bool
	Grain     Grain
	PartsMax  int
	// DictBytes bounds the values of a merged dictionary, which is held in memory;
	// 0: as in a flush.
	DictBytes int
	// Next names an output.
	Next func(partition string) (Output, error)
	// Pause is called between pieces of work with the bytes decoded or written
	// since, and may wait.
	Pause func(ctx context.Context, bytes int) error
}

// Output names a segment to be made.
type Output struct {
	ID        uint64
	UUID      [16]byte
	Tmp, Path string
}

// Merged is a finished merge: durable files that nothing names yet.
type Merged struct {
	Outputs []MergedOutput
	Deleted int64 // rows left out
	Expired int64
	Forward *Forward
}

// MergedOutput is one of the segments made.
type MergedOutput struct {
	Output
	Partition string
	Info      Info
}

// errMergeCheck says that the rows that came out are not those that went in: a
// bug or broken memory. Nothing is changed then.
func errMergeCheck(what string) error {
	return errs.New(errs.Internal, "merge of segments failed its check of %s; the inputs are kept", what)
}

// Merge merges. On an error nothing is left.
func Merge(ctx context.Context, fs vfs.FS, spec *MergeSpec) (*Merged, error) {
	m := &merger{spec: spec, ctx: ctx, dicts: map[uint32]*mergedDict{}, unsorted: make([]bool, len(spec.Inputs))}
	if err := m.plan(); err != nil {
		return nil, err
	}
	if err := m.sort(); err != nil {
		return nil, err
	}
	if err := m.open(fs); err != nil {
		m.abort()
		return nil, err
	}
	if err := m.columns(); err != nil {
		m.abort()
		return nil, err
	}
	return m.finish(fs)
}

// merger is a merge under way.
type merger struct {
	spec     *MergeSpec
	ctx      context.Context
	gone     [][]uint64 // by input: a bit per row that is left out; nil = none
	kept     int
	deleted  int64
	expired  int64
	unsorted []bool // by input
	runs     []mergeRun
	dicts    map[uint32]*mergedDict
	order    []uint16 // run of every row that comes out
	cuts     []cut
	outs     []*mergeOut
	encs     []*encoding.Encoder // of columns that are written
}

// cut is where an output begins.
type cut struct {
	from      int
	partition string
}

// mergeRun is rows of an input in the order of the output.
type mergeRun struct {
	input    int
	from, to int // row groups
	base     int // row of the input that is the first of from
	// perm are the rows of the only row group that stay, in order; nil = all
	// that stay, in the order of the file.
	perm []uint32
}

// mergeOut is an output being written.
type mergeOut struct {
	part   string
	out    Output
	spec   Spec
	from   int // in order
	to     int
	file   *vfs.Staged
	w      *writer
	groups []Group
	done   bool
}

// plan finds the rows that are left out.
func (m *merger) plan() error {
	m.gone = make([][]uint64, len(m.spec.Inputs))
	rows := 0
	for i := range m.spec.Inputs {
		in := &m.spec.Inputs[i]
		n := int(in.File.Rows())
		rows += n
		if in.Deleted != nil && !in.Deleted.IsEmpty() {
			m.gone[i] = make([]uint64, (n+63)/64)
			for it := in.Deleted.Iterator(); it.HasNext(); {
				r := it.Next()
				if int(r) >= n {
					return damaged(in.File.Path, 0, "deleted row beyond the segment")
				}
				m.gone[i][r>>6] |= 1 << (r & 63)
				m.deleted++
			}
		}
		if err := m.expire(i); err != nil {
			return err
		}
	}
	m.kept = rows - int(m.deleted) - int(m.expired)
	return nil
}

// expire marks the rows of input i that lie below the floor.
func (m *merger) expire(i int) (err error) {
	f := m.spec.Inputs[i].File
	base := 0
	for g, group := range f.groups {
		first := base
		base += group.Rows
		if !m.spec.HasFloor || group.EffectiveMin >= m.spec.Floor {
			continue
		}
		if m.gone[i] == nil {
			m.gone[i] = make([]uint64, (f.rows+63)/64)
		}
		event, recv, err := m.times(f, g)
		if err != nil {
			return err
		}
		for r := range group.Rows {
			null, t := event == nil || event.Null(r), int64(0)
			if !null {
				t = TimeAt(event, r)
			}
			at := first + r
			if Effective(t, null, recv[r]) < m.spec.Floor && m.gone[i][at>>6]>>(at&63)&1 == 0 {
				m.gone[i][at>>6] |= 1 << (at & 63)
				m.expired++
			}
		}
	}
	return nil
}

// times reads event and receive times of a row group; event is nil if the rows
// have none.
func (m *merger) times(f *File, g int) (event *encoding.Column, recv []int64, err error) {
	run := mergeRun{from: g, to: g + 1}
	c := m.column(m.spec.Spec.TimeCol)
	if c != nil && isTime(c.Type) {
		p, err := newPassOver(f, c)
		if err != nil {
			return nil, nil, err
		}
		if event, err = p.whole(&run, f.groups[g].Rows); err != nil {
			return nil, nil, err
		}
	}
	p, err := newPassOver(f, hiddenColumn(catalog.ColReceivedAt))
	if err != nil {
		return nil, nil, err
	}
	r, err := p.whole(&run, f.groups[g].Rows)
	if err != nil {
		return nil, nil, err
	}
	return event, vec.CastSlice[int64](r.Fixed), nil
}

func isTime(t types.Type) bool { return t.Phys() == types.PhysI64 || t.Phys() == types.PhysI32 }

// column finds a column of the outputs.
func (m *merger) column(id uint32) *Column {
	i := slices.IndexFunc(m.spec.Spec.Cols, func(c Column) bool { return c.ID == id })
	if i < 0 || id == 0 {
		return nil
	}
	return &m.spec.Spec.Cols[i]
}

// hiddenColumn describes a column that every segment has.
func hiddenColumn(id uint32) *Column {
	t := types.Int8
	if id == catalog.ColReceivedAt {
		t = types.Timestamptz
	}
	return &Column{ID: id, Type: t, Missing: types.NullDatum}
}

// open starts the outputs.
func (m *merger) open(fs vfs.FS) error {
	for i, c := range m.cuts {
		to := m.kept
		if i+1 < len(m.cuts) {
			to = m.cuts[i+1].from
		}
		out, err := m.spec.Next(c.partition)
		if err != nil {
			return err
		}
		o := &mergeOut{part: c.partition, out: out, spec: *m.spec.Spec, from: c.from, to: to}
		o.spec.ID, o.spec.UUID = out.ID, out.UUID
		if o.file, err = vfs.Stage(fs, out.Tmp, out.Path); err != nil {
			return err
		}
		m.outs = append(m.outs, o)
		// Many outputs are small ones.
		if o.w, err = newWriter(o.file, &o.spec, max(writeBytes/len(m.cuts), 16<<10)); err != nil {
			return err
		}
	}
	return nil
}

// abort removes what was written.
func (m *merger) abort() {
	for _, o := range m.outs {
		if !o.done {
			o.done = true
			o.file.Abort()
		}
	}
}

// finish makes the outputs durable.
func (m *merger) finish(fs vfs.FS) (*Merged, error) {
	out := &Merged{Deleted: m.deleted, Expired: m.expired, Forward: m.forward()}
	total := int64(0)
	for _, o := range m.outs {
		info, err := o.w.finish(o.groups)
		if err == nil {
			o.done = true // Commit removes it on an error.
			err = o.file.Commit()
		}
		if err == nil && info.Rows != int64(o.to-o.from) {
			err = errMergeCheck("row counts")
		}
		if err != nil {
			m.abort()
			for _, x := range m.outs {
				_ = fs.Remove(x.out.Path)
			}
			return nil, err
		}
		total += info.Rows
		out.Outputs = append(out.Outputs, MergedOutput{o.out, o.part, info})
	}
	if total != int64(m.kept) {
		return nil, errMergeCheck("row counts")
	}
	return out, nil
}

// pause lets others work.
func (m *merger) pause(bytes int) error {
	if m.spec.Pause == nil {
		return m.ctx.Err()
	}
	return m.spec.Pause(m.ctx, bytes)
}
