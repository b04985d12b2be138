package storage

import (
	"context"
	"errors"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/failpoint"
	"quern/storage/internal/manifest"
	"quern/storage/internal/scan"
	"quern/storage/internal/segment"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
)

// segmentRef is a segment of a state, open for as long as a snapshot may read
// it. A damaged one is fenced: whoever needs it gets err, all else answers.
type segmentRef struct {
	meta    manifest.Segment
	file    *segment.File
	err     error
	retired atomic.Bool // the manifest does not name it any more
	logOnly atomic.Bool // stepAttach has not told the manifest yet
}

// openSegment opens a segment that the manifest names.
func (s *Store) openSegment(m manifest.Segment) *segmentRef {
	r := &segmentRef{meta: m}
	r.file, r.err = segment.Open(s.opts.FS, s.path(m.Path), segment.Expect{ID: m.ID, Length: m.Length, TrailerCRC: m.TrailerCRC, Seq: m.AllSeq, Dicts: s.dicts})
	if vfs.IsNotExist(r.err) {
		r.err = &errs.Corrupt{File: s.path(m.Path), Reason: "segment file is missing"}
	}
	if r.err != nil && errs.CodeOf(r.err) == errs.Internal {
		r.err = &errs.Error{Code: errs.IO, Msg: "could not read a segment: " + r.err.Error(), Err: r.err}
	}
	if r.err != nil {
		s.opts.Log.Error("segment is fenced", "file", m.Path, "err", r.err)
	}
	return r
}

func (r *segmentRef) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// loadSegments opens what the manifest names. Damaged files do not keep the
// store from starting.
func (s *Store) loadSegments(m *manifest.State, st *state) error {
	s.bg.nextSegment.Store(m.NextSegment)
	list := make([]manifest.Segment, 0, len(m.Segments))
	for _, seg := range m.Segments {
		list = append(list, seg)
	}
	slices.SortFunc(list, func(a, b manifest.Segment) int { return int(int64(a.ID) - int64(b.ID)) })
	for _, seg := range list {
		ref := s.openSegment(seg)
		old := st.table(seg.Table)
		t := *old
		t.segs = append(slices.Clip(old.segs), ref)
		st.put(seg.Table, &t)
	}
	return s.loadVectors(m, st)
}

func (s *Store) nextSegmentID() uint64 { return s.bg.nextSegment.Add(1) - 1 }

func (s *Store) closeSegments() error {
	var list []error
	for _, t := range s.state.Load().tables {
		for _, r := range t.segs {
			list = append(list, r.close())
		}
	}
	for _, r := range s.bg.retired {
		list = append(list, r.ref.close())
	}
	for _, r := range s.bg.orphans {
		if !r.retired.Load() {
			list = append(list, r.close())
		}
	}
	return errors.Join(list...)
}

// groupRef is a row group.
type groupRef struct {
	seg *segmentRef
	n   int
}

// addSegment adds the row groups of a segment, unless the floor hides all of it.
func (t *tableScan) addSegment(unit int, seg *segmentRef, deleted *roaring.Bitmap, floor int64, hasFloor bool) error {
	t.stats.Segments++
	if hasFloor && seg.meta.TimeMax < floor {
		t.stats.SegmentsSkipped++
		return nil
	}
	if seg.err != nil {
		return seg.err
	}
	t.scan.Reads(seg.file, 0)
	base := 0
	for g, group := range seg.file.Groups() {
		place := scan.Place{Unit: unit, Base: base, Deleted: deleted}
		base += group.Rows
		t.stats.RowGroups++
		if hasFloor && group.EffectiveMax < floor {
			t.stats.RowGroupsSkipped++
			continue
		}
		t.morsels = append(t.morsels, morsel{info: MorselInfo{Rows: group.Rows, Segment: true}, group: groupRef{seg, g}, place: place})
	}
	return nil
}

func (t *tableScan) openGroup(m *morsel) (*scan.Reader, error) {
	t.snap.s.compact.throttle.Read()
	r, err := t.scan.Group(m.group.seg.file, m.group.n, m.place)
	if r != nil && err == nil {
		t.mu.Lock()
		t.read[m.group.seg]++
		t.mu.Unlock()
	}
	return r, err
}

// stepPurge takes segments out of the state: those of dropped tables, and those
// in which every row lies below its table's retention floor.
func (s *Store) stepPurge(ctx context.Context) (bool, error) {
	gone := s.findExpired()
	if err := s.ratchetFloors(ctx, gone); err != nil {
		return false, err
	}
	edit := &manifest.Edit{Kind: manifest.Purge}
	if err := s.do(func() { gone = append(gone, s.takeOrphans(gone)...); edit.RetireSeq = s.state.Load().seq }); err != nil {
		return false, err
	}
	if len(gone) == 0 {
		return false, nil
	}
	for _, r := range gone {
		edit.Removed = append(edit.Removed, r.meta.ID)
	}
	if err := s.man.Append(edit); err != nil {
		return false, errors.Join(s.ioError(err), s.do(func() { s.bg.orphans = append(s.bg.orphans, gone...) }))
	}
	return true, s.do(func() { s.retireSegments(gone) })
}

// takeOrphans takes the segments of dropped tables that are neither retired nor
// in known. It runs in the committer.
func (s *Store) takeOrphans(known []*segmentRef) []*segmentRef {
	var out, wait []*segmentRef
	for _, r := range s.bg.orphans {
		if r.logOnly.Load() {
			wait = append(wait, r)
		} else if !r.retired.Load() && !slices.Contains(known, r) && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	s.bg.orphans = wait
	return out
}

// findExpired lists segments that are wholly below their table's floor.
func (s *Store) findExpired() (out []*segmentRef) {
	st, now := s.state.Load(), s.nowMicros()
	for id, i := range st.ords {
		t := st.cat.Table(id)
		if t == nil {
			continue
		}
		floor, ok := floorOf(t, now)
		for _, r := range st.tables[i].segs {
			if ok && !r.retired.Load() && !r.logOnly.Load() && r.meta.TimeMax < floor {
				out = append(out, r)
			}
		}
	}
	return out
}

// ratchetFloors stores the floors that a purge relies on: what was purged must
// not be asked for again after the clock went back.
func (s *Store) ratchetFloors(ctx context.Context, gone []*segmentRef) error {
	cat, now := s.state.Load().cat, s.nowMicros()
	floors := map[uint32]int64{}
	for _, r := range gone {
		if t := cat.Table(r.meta.Table); t != nil {
			if floor, ok := floorOf(t, now); ok {
				floors[t.ID] = floor
			}
		}
	}
	_, err := s.storeFloors(ctx, cat, floors)
	return err
}

// storeFloors makes floors durable that are higher than those of cat.
func (s *Store) storeFloors(ctx context.Context, cat *catalog.Snapshot, floors map[uint32]int64) (did bool, err error) {
	var changes []catalog.Change
	for id, floor := range floors {
		if t := cat.Table(id); t != nil && floor > t.Floor {
			n := *t
			n.Floor = floor
			changes = append(changes, catalog.Change{Table: &n})
		}
	}
	if len(changes) == 0 {
		return false, nil
	}
	_, err = s.commit(ctx, &Commit{Schema: changes, BaseVersion: cat.Version(), Source: "purge"})
	return err == nil, err
}

// noteFloor notes the floor that a statement used, if it is newer than what is
// stored.
func (s *Store) noteFloor(t *catalog.Table, floor int64) {
	if floor <= t.Floor {
		return
	}
	v, _ := s.bg.floors.LoadOrStore(t.ID, new(atomic.Int64))
	for used := v.(*atomic.Int64); ; {
		was := used.Load()
		if floor <= was || used.CompareAndSwap(was, floor) {
			return
		}
	}
}

// floorsEvery is how soon after a statement its floor is durable: what it did not
// show must not come back with a clock that went back.
const floorsEvery = 10 * time.Second

// stepFloors stores the floors that statements used.
func (s *Store) stepFloors(ctx context.Context) (bool, error) {
	now := s.nowMicros()
	if d := now - s.bg.floorsAt; d >= 0 && d < (floorsEvery/2).Microseconds() {
		return false, nil
	}
	floors := map[uint32]int64{}
	s.bg.floors.Range(func(id, used any) bool {
		floors[id.(uint32)] = used.(*atomic.Int64).Load()
		return true
	})
	if len(floors) == 0 {
		return false, nil
	}
	s.bg.floorsAt = now
	return s.storeFloors(ctx, s.state.Load().cat, floors)
}

// retireSegments publishes a state without the given segments. It runs in the
// committer.
func (s *Store) retireSegments(gone []*segmentRef) {
	next := s.state.Load().with()
	for _, r := range gone {
		if old := next.table(r.meta.Table); slices.Contains(old.segs, r) {
			kept := slices.DeleteFunc(slices.Clone(old.segs), func(x *segmentRef) bool { return x == r })
			t := *old
			t.segs = kept
			next.put(r.meta.Table, t.only())
		}
		r.retired.Store(true)
		s.bg.retired = append(s.bg.retired, retiredSegment{r, next.version, s.nowMicros()})
	}
	s.publish(next)
}

// stepUnlink removes files that no snapshot can read any more.
func (s *Store) stepUnlink(context.Context) (bool, error) {
	now := s.nowMicros()
	for _, r := range s.bg.retired {
		if now-r.at >= (purgeWithin / 4).Microseconds() {
			s.pins.cancel(r.version, now-(purgeWithin/4).Microseconds())
		}
	}
	oldest := s.pins.oldest(s.state.Load().version)
	s.compact.forwards.Expire(oldest)
	var ready, wait []retiredSegment
	for _, r := range s.bg.retired {
		if r.version <= oldest {
			ready = append(ready, r)
		} else {
			wait = append(wait, r)
		}
	}
	if len(ready) == 0 {
		return false, nil
	}
	edit := &manifest.Edit{Kind: manifest.Gone}
	for _, r := range ready {
		edit.Unlink = append(edit.Unlink, r.ref.meta.Path)
	}
	if err := s.man.Append(edit); err != nil {
		return false, s.ioError(err)
	}
	s.bg.retired = wait
	failpoint.Hit(failpoint.UnlinkBefore)
	for _, r := range ready {
		_ = r.ref.close() // Its bytes are not needed any more.
		if err := s.opts.FS.Remove(s.path(r.ref.meta.Path)); err != nil && !vfs.IsNotExist(err) {
			return false, s.buildError(err) // The next start removes it.
		}
		s.dropVector(r.ref.meta.ID)
		s.removeFolder(path.Dir(r.ref.meta.Path))
	}
	return true, nil
}

// removeFolder removes a partition's folder if its last file is gone.
func (s *Store) removeFolder(rel string) {
	s.bg.foldersMu.Lock()
	defer s.bg.foldersMu.Unlock()
	if s.bg.writers == 0 && s.opts.FS.Remove(s.path(rel)) == nil {
		delete(s.bg.partitions, rel)
	}
}

// removeOrphans removes segment files that the manifest does not name: of a
// flush that did not come to its edit, or of a removal that was cut short.
func (s *Store) removeOrphans(m *manifest.State) error {
	live := liveFiles(m)
	return eachTableFile(s.opts.FS, s.opts.Dir, func(rel string) error {
		if live[rel] {
			return nil
		}
		s.opts.Log.Info("removing a file that the manifest does not name", "file", rel)
		return s.opts.FS.Remove(s.path(rel))
	})
}

// eachTableFile calls fn for every file tables/<id>/<partition>/<name>.
func eachTableFile(fsys vfs.FS, dir string, fn func(rel string) error) error {
	tables, err := fsys.List(path.Join(dir, "tables"))
	if err != nil {
		return err
	}
	for _, t := range tables {
		parts, err := fsys.List(path.Join(dir, "tables", t))
		if err != nil {
			return err
		}
		for _, p := range parts {
			names, err := fsys.List(path.Join(dir, "tables", t, p))
			if err != nil {
				return err
			}
			for _, n := range names {
				if err := fn(path.Join("tables", t, p, n)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// segments checks the files that the manifest names, and names those that it
// does not.
func (c *checker) segments(m *manifest.State) error {
	live := liveFiles(m)
	for _, seg := range m.Segments {
		if err := c.add(c.segment(seg)); err != nil {
			return err
		}
	}
	return eachTableFile(c.fs, c.dir, func(rel string) error {
		if !live[rel] {
			c.orphans = append(c.orphans, rel) // The next start removes it.
		}
		return nil
	})
}

func (c *checker) segment(seg manifest.Segment) error {
	name := path.Join(c.dir, seg.Path)
	f, err := segment.Open(c.fs, name, segment.Expect{ID: seg.ID, Length: seg.Length, TrailerCRC: seg.TrailerCRC})
	if vfs.IsNotExist(err) {
		return &errs.Corrupt{File: name, Reason: "segment file is missing"}
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Verify()
}
