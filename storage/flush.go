package storage

import (
	"context"
	"errors"
	"slices"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
	"quern/storage/internal/segment"
	"quern/storage/internal/stage"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
)

// flushJob is one MemTable on its way into segments.
type flushJob struct {
	s      *Store
	id     uint32
	table  *catalog.Table
	slabs  memtable.List
	seq    uint64 // all frames up to it are in slabs or in segments
	dels   map[*memtable.Slab]*roaring.Bitmap
	added  []manifest.Segment
	orders [][]uint32 // of the rows in added
}

// flushTable writes the rows of a table into segments: freeze, split, sort and
// write, manifest edit, publish. Until the edit is durable the log has the
// rows; a crash before it leaves files that the next start removes.
func (s *Store) flushTable(ctx context.Context, id uint32) error {
	j := &flushJob{s: s, id: id}
	if err := s.do(j.freeze); err != nil || len(j.slabs) == 0 {
		return errors.Join(err, s.failure())
	}
	s.holdFolders(1)
	defer s.holdFolders(-1)
	if err := j.write(ctx); err != nil {
		s.stageEnv().Discard(j.added)
		return errors.Join(err, s.do(j.thaw))
	}
	return j.commit()
}

// commit makes the segments count. Deletes since the freeze are forwarded, as by
// mergeJob.commit: every log frame either names rows in memory and is folded in,
// or names the segments.
func (j *flushJob) commit() error {
	s := j.s
	defer s.lockDeletes(j.id)()
	st := s.state.Load()
	ts := st.table(j.id)
	if st.cat.Table(j.id) != nil && !ts.hasSlabs(j.slabs) { // truncated meanwhile
		s.stageEnv().Discard(j.added)
		return nil
	}
	edit := &manifest.Edit{Kind: manifest.Flush, Added: j.added, Applied: map[uint32]uint64{j.id: j.seq}}
	dels := make([]*roaring.Bitmap, len(j.slabs))
	for i, v := range j.slabs {
		dels[i] = j.dels[v.Slab]
	}
	by := segment.FlushForward(j.slabs, j.orders, dels)
	moved := newMoves(edit, by)
	for i, v := range j.slabs {
		if !s.opts.mutations.FlushForgetsDeletes {
			moved.add(i, dels[i], ts.slabDels[v.Slab])
		}
	}
	refs, err := s.commitMoves(moved, st.seq)
	if err != nil {
		if s.failure() == nil { // the record is surely not there
			s.stageEnv().Discard(j.added)
		}
		return errors.Join(err, s.do(j.thaw))
	}
	outs := make([]uint64, len(j.added))
	for i := range j.added {
		outs[i] = j.added[i].ID
		s.compact.flushed.Add(j.added[i].Length)
	}
	return s.swap(refs, func() {
		s.compact.forwards.AddFlush(s.state.Load().version+1, by, j.slabs, outs)
		j.publish(refs, moved.dels)
	})
}

// hasSlabs tells whether t still has the slabs.
func (t *tableState) hasSlabs(l memtable.List) bool {
	return !slices.ContainsFunc(l, func(v memtable.SlabView) bool {
		return !slices.ContainsFunc(t.slabs, func(x memtable.SlabView) bool { return x.Slab == v.Slab })
	})
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
	j.slabs, j.seq, j.dels = m.table.Freeze(), st.seq, st.table(j.id).slabDels
}

func (j *flushJob) thaw() {
	if m := j.s.mems[j.id]; m != nil {
		m.table.Thaw(j.slabs)
	}
}

// publish puts the segments in the place of the slabs.
func (j *flushJob) publish(refs []*segmentRef, dels map[uint64]*roaring.Bitmap) {
	next := j.s.state.Load().with()
	if m := j.s.mems[j.id]; m != nil {
		m.table.Drop(j.slabs)
		j.s.note(m)
		t := *next.table(j.id)
		t.slabs = m.table.List()
		next.put(j.id, &t)
	}
	j.s.replaceSegments(next, j.id, nil, refs, dels)
	j.s.publish(next)
	j.s.nudgeMerges()
}

// write builds one segment per partition.
func (j *flushJob) write(ctx context.Context) error {
	job := stage.Job{Env: j.s.stageEnv(), Table: j.table, Slabs: j.slabs, Deleted: j.deleted(), Reason: "flush", KeepOrders: true}
	job.Floor, job.HasFloor = floorOf(j.table, j.s.nowMicros())
	err := job.Write(ctx)
	j.added, j.orders = job.Added, job.Orders
	return err
}

// stageEnv is the store as package stage sees it.
func (s *Store) stageEnv() *stage.Env {
	return &stage.Env{FS: s.opts.FS, Dir: s.opts.Dir, Writer: s.opts.Writer, RowsMin: s.opts.FlushRowsMin, Now: s.nowMicros,
		NextID: s.nextSegmentID, UUID: s.newUUID, Folder: s.makePartition, Error: s.buildError, Memory: s.memoryOf, Spares: s.sparesOf}
}

// holdFolders keeps (1) folders that are empty, or no longer (-1).
func (s *Store) holdFolders(n int) {
	s.bg.foldersMu.Lock()
	defer s.bg.foldersMu.Unlock()
	s.bg.writers += n
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
