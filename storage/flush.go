package storage

import (
	"context"
	"errors"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
	"quern/storage/internal/stage"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
)

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
		s.stageEnv().Discard(j.added)
		return errors.Join(err, s.do(j.thaw))
	}
	edit := &manifest.Edit{Kind: manifest.Flush, Added: j.added, Applied: map[uint32]uint64{id: j.seq}}
	if err := s.man.Append(edit); err != nil {
		err = s.ioError(err)
		if s.failure() == nil { // the record is surely not there
			s.stageEnv().Discard(j.added)
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

// write builds one segment per partition.
func (j *flushJob) write(ctx context.Context) error {
	job := stage.Job{Env: j.s.stageEnv(), Table: j.table, Slabs: j.slabs, Deleted: j.deleted(), Reason: "flush"}
	job.Floor, job.HasFloor = floorOf(j.table, j.s.nowMicros())
	err := job.Write(ctx)
	j.added = job.Added
	return err
}

// stageEnv is the store as package stage sees it.
func (s *Store) stageEnv() *stage.Env {
	return &stage.Env{FS: s.opts.FS, Dir: s.opts.Dir, Writer: s.opts.Writer, RowsMin: s.opts.FlushRowsMin, Now: s.nowMicros,
		NextID: s.nextSegmentID, UUID: s.newUUID, Folder: s.makePartition, Error: s.buildError}
}

// makePartition makes the folder of a partition durable, once per process.
func (s *Store) makePartition(rel string) error {
	s.bg.foldersMu.Lock()
	defer s.bg.foldersMu.Unlock()
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
