package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
	"quern/storage/internal/segment"
	"quern/storage/types"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
)

// Bounds of a flush. Partitions with few rows share one segment "mixed": a
// backfill over years would otherwise make hundreds of tiny files, and keeping
// the rest in memory would hold the log back.
const (
	partsMax = 16
	// fineRowsMin is what a partition of a finer grain must hold for that grain
	// to be used although a coarser one is allowed.
	fineRowsMin = 1_000_000
	// retentionParts is how many partitions a retention period spans at least:
	// purging by unlink needs small pieces.
	retentionParts = 24
)

const dayMicros = 24 * 3600 * 1_000_000

// flushJob is one MemTable on its way into segments.
type flushJob struct {
	s     *Store
	id    uint32
	table *catalog.Table
	slabs memtable.List
	seq   uint64 // all frames up to it are in slabs or in segments
	dels  map[*memtable.Slab]*roaring.Bitmap
	added []manifest.Segment
}

// flushTable writes the rows of a table into segments. It leaves the table
// alone (false) while a statement deletes from it, unless wait is set.
func (s *Store) flushTable(ctx context.Context, id uint32, wait bool) (bool, error) {
	unlock := s.lockFlush(id, wait)
	if unlock == nil {
		return false, nil
	}
	defer unlock()
	return true, s.flushLocked(ctx, id)
}

// flushLocked writes the rows of a table into segments: freeze, split, sort and
// write, manifest edit, publish. Until the edit is durable the log has the
// rows; a crash before it leaves files that the next start removes.
func (s *Store) flushLocked(ctx context.Context, id uint32) error {
	j := &flushJob{s: s, id: id}
	if err := s.do(j.freeze); err != nil || len(j.slabs) == 0 {
		return errors.Join(err, s.failure())
	}
	if err := j.write(ctx); err != nil {
		j.discard()
		return errors.Join(err, s.do(j.thaw))
	}
	edit := &manifest.Edit{Kind: manifest.Flush, Added: j.added, Applied: map[uint32]uint64{id: j.seq}}
	if err := s.man.Append(edit); err != nil {
		err = s.ioError(err)
		if s.failure() == nil { // the record is surely not there
			j.discard()
		}
		return errors.Join(err, s.do(j.thaw))
	}
	refs := make([]*segmentRef, len(j.added))
	for i := range j.added {
		refs[i] = s.openSegment(j.added[i])
	}
	return s.do(func() { j.publish(refs) })
}

// freeze takes the slabs. It runs in the committer, so everything up to the
// state's sequence is in them.
func (j *flushJob) freeze() {
	if j.s.failure() != nil {
		return // NB: after a failed sync MemTables hold rows that no state shows.
	}
	st := j.s.state.Load()
	m := j.s.mems[j.id]
	j.table = st.cat.Table(j.id)
	if m == nil || j.table == nil {
		return
	}
	// NB: no delete comes before publish: lockFlush.
	j.slabs, j.seq, j.dels = m.table.Freeze(), st.seq, st.table(j.id).slabDels
}

func (j *flushJob) thaw() {
	if m := j.s.mems[j.id]; m != nil {
		m.table.Thaw(j.slabs)
	}
}

// publish puts the segments in the place of the slabs.
func (j *flushJob) publish(refs []*segmentRef) {
	next := j.s.state.Load().with()
	m := j.s.mems[j.id]
	if m == nil || next.cat.Table(j.id) == nil { // dropped meanwhile: stepPurge removes them
		j.s.bg.orphans = append(j.s.bg.orphans, refs...)
		return
	}
	m.table.Drop(j.slabs)
	j.s.note(m)
	t := *next.table(j.id)
	t.segs = append(append([]*segmentRef(nil), t.segs...), refs...)
	t.slabs = m.table.List()
	next.put(j.id, t.only())
	j.s.publish(next)
}

// discard removes files that no manifest names.
func (j *flushJob) discard() {
	for i := range j.added {
		_ = j.s.opts.FS.Remove(j.s.path(j.added[i].Path)) // The next start removes it otherwise.
	}
}

// write builds one segment per partition.
func (j *flushJob) write(ctx context.Context) error {
	for _, part := range j.split() {
		if err := ctx.Err(); err != nil {
			return errs.New(errs.QueryCanceled, "flush was canceled")
		}
		if len(part.Rows) == 0 {
			continue
		}
		if err := j.writePart(ctx, part); err != nil {
			return fmt.Errorf("flush table %d: %w", j.id, err)
		}
	}
	return nil
}

func (j *flushJob) writePart(ctx context.Context, part segment.Part) error {
	s := j.s
	id := s.nextSegmentID()
	spec := segmentSpec(j.table, s.opts.Writer)
	spec.ID, spec.UUID = id, s.newUUID()
	rel := path.Join("tables", fmt.Sprintf("%08x", j.id), part.Name, fmt.Sprintf("%016x.qseg", id))
	if err := s.makePartition(path.Dir(rel)); err != nil {
		return s.buildError(err)
	}
	info, err := segment.Build(ctx, s.opts.FS, s.path("tmp", fmt.Sprintf("%016x.qseg", id)), s.path(rel), &spec, j.slabs, part.Rows)
	if err != nil {
		return s.buildError(err)
	}
	j.added = append(j.added, manifest.Segment{
		ID: id, Table: j.id, Partition: part.Name, Path: rel,
		Rows: info.Rows, Length: info.Length, TrailerCRC: info.TrailerCRC, SeqMin: info.SeqMin, SeqMax: info.SeqMax,
		TimeMin: info.TimeMin, TimeMax: info.TimeMax, ReceivedMin: info.ReceivedMin, ReceivedMax: info.ReceivedMax,
		Created: s.nowMicros(),
	})
	return nil
}

// makePartition makes the folder of a partition durable, once per process.
func (s *Store) makePartition(rel string) error {
	if s.bg.partitions[rel] {
		return nil
	}
	if err := vfs.MkdirAllSync(s.opts.FS, s.opts.Dir, s.path(rel)); err != nil {
		return err
	}
	s.bg.partitions[rel] = true
	return nil
}

// buildError tells a full disk from other failures. A segment that could not be
// written or synced loses nothing: the log has its rows.
func (s *Store) buildError(err error) error {
	if vfs.IsNoSpace(err) {
		return s.ioError(err)
	}
	if errs.CodeOf(err) == errs.Internal {
		return &errs.Error{Code: errs.IO, Msg: "could not write a segment: " + err.Error(), Err: err}
	}
	return err
}

// split cuts the rows into partitions of the coarsest grain that retention
// allows, or a finer one if its partitions are large.
func (j *flushJob) split() []segment.Part {
	spec := segment.SplitSpec{MinRows: j.s.opts.FlushRowsMin, MaxParts: partsMax, Deleted: j.deleted()}
	spec.Floor, spec.HasFloor = floorOf(j.table, j.s.nowMicros())
	grain, fixed := grainOf(j.table)
	if col := j.table.TimeColumn(); col != nil {
		spec.TimeCol = col.ID
	} else {
		grain, fixed = segment.GrainNone, true
	}
	spec.Grain = grain
	parts := segment.Split(j.slabs, spec)
	for !fixed && grain < segment.GrainHour && j.slabs.Rows() >= 2*fineRowsMin {
		grain++
		spec.Grain = grain
		finer := segment.Split(j.slabs, spec)
		if largest(finer) < fineRowsMin || len(finer) == len(parts) {
			break
		}
		parts = finer
	}
	return parts
}

func largest(parts []segment.Part) int {
	n := 0
	for _, p := range parts {
		n = max(n, len(p.Rows))
	}
	return n
}

// grainOf is the grain of a table's partitions; fixed says that the table's
// option chose it.
func grainOf(t *catalog.Table) (g segment.Grain, fixed bool) {
	switch t.Options.PartitionBy {
	case "hour":
		return segment.GrainHour, true
	case "day":
		return segment.GrainDay, true
	case "month":
		return segment.GrainMonth, true
	case "none":
		return segment.GrainNone, true
	}
	r := t.Options.Retention
	switch {
	case r == 0 || r/retentionParts >= 31*dayMicros:
		return segment.GrainMonth, false
	case r/retentionParts >= dayMicros:
		return segment.GrainDay, false
	}
	return segment.GrainHour, false
}

// segmentSpec describes a segment of t as t is now.
func segmentSpec(t *catalog.Table, writer string) segment.Spec {
	spec := segment.Spec{Table: t.ID, Version: t.Version, Writer: writer, Reason: "flush"}
	for i := range t.Columns {
		c := &t.Columns[i]
		col := segment.Column{ID: c.ID, Name: c.Name, Type: c.Type, Missing: types.NullDatum}
		if c.Missing != nil {
			// A default that no longer parses shows NULL, as in the scan.
			if d, err := types.ParseText(c.Type, *c.Missing, types.DefaultFormat); err == nil {
				col.Missing = d
			}
		}
		spec.Cols = append(spec.Cols, col)
	}
	tc := t.TimeColumn()
	if tc != nil {
		spec.TimeCol = tc.ID
	}
	for _, o := range t.Options.OrderBy {
		name, desc := strings.CutSuffix(o, " desc")
		if c := t.Column(name); c != nil {
			spec.Order = append(spec.Order, segment.SortKey{Col: c.ID, Desc: desc})
		}
	}
	if len(spec.Order) == 0 && tc != nil {
		spec.Order = []segment.SortKey{{Col: tc.ID}}
	}
	return spec
}
