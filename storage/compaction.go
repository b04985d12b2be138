package storage

import (
	"context"
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/compact"
	"quern/storage/internal/delvec"
	"quern/storage/internal/failpoint"
	"quern/storage/internal/manifest"
	"quern/storage/internal/segment"
	"quern/storage/internal/stage"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
)

// Merging: compact.Pick chooses, segment.Merge builds, mergeJob.commit puts the
// outputs in the place of the inputs. Nothing is held while a merge is built:
// deletes that are committed meanwhile, and those that name rows by where a
// snapshot saw them, are forwarded (compact.Forwards).

// compaction is the state of the merges.
type compaction struct {
	mu sync.Mutex
	// busy are the inputs of running jobs, later the ones of failed jobs and when
	// they may be tried again.
	busy  map[uint64]bool
	later map[uint64]int64

	forwards compact.Forwards
	throttle compact.Throttle
	slow     sync.Map // table id → time.Duration by which its commits wait

	jobs, failed, rowsIn, bytesIn, bytesOut, flushed atomic.Int64
}

// purgeWithin is the bound in which the bytes of expired rows are gone.
const purgeWithin = 24 * time.Hour

// retryAfter is how long a merge that failed is not tried again.
const retryAfter = 10 * time.Minute

// Compact merges what is due; with all also what could wait, so that every
// partition has as few segments as its rows allow.
func (s *Store) Compact(ctx context.Context, all bool) error {
	return s.compactScope(ctx, mergeScope{all: all})
}

// CompactTable flushes one table and merges all of it that can be; rows that were
// deleted or have expired are let go of.
func (s *Store) CompactTable(ctx context.Context, table uint32) error {
	if err := s.Flush(ctx, table); err != nil {
		return err
	}
	return s.compactScope(ctx, mergeScope{all: true, table: table})
}

// mergeScope says which merges are wanted.
type mergeScope struct {
	all   bool   // also what could wait
	table uint32 // 0: of all tables
}

func (s *Store) compactScope(ctx context.Context, want mergeScope) error {
	for {
		more, err := s.compactStep(ctx, want)
		if err != nil || !more {
			if ctx.Err() != nil {
				err = errs.New(errs.QueryCanceled, "canceling statement due to user request")
			}
			return err
		}
	}
}

// compactStep runs the most urgent merge, if one is due.
func (s *Store) compactStep(ctx context.Context, want mergeScope) (more bool, err error) {
	if err := s.failure(); err != nil {
		return false, err
	}
	sn := s.Snapshot()
	defer sn.Close()
	j := s.pickJob(sn, want)
	if j == nil {
		return false, nil
	}
	defer s.endJob(j)
	s.holdFolders(1)
	defer s.holdFolders(-1)
	start := s.opts.Now()
	err = j.run(ctx)
	switch {
	case errors.Is(err, errShutdown) || ctx.Err() != nil:
		return false, nil
	case errs.CodeOf(err) == errs.DiskFull:
		return false, err
	case err != nil:
		s.compact.failed.Add(1)
		s.opts.Log.Error("merge failed; its segments stay", "table", j.Table, "partition", j.Partition, "segments", j.Inputs, "err", err)
		s.compact.mu.Lock()
		defer s.compact.mu.Unlock()
		for _, id := range j.Inputs {
			s.compact.later[id] = start.Add(retryAfter).UnixMicro()
		}
		return true, s.failure()
	}
	s.compact.jobs.Add(1)
	s.opts.Log.Debug("merged", "table", j.Table, "partition", j.Partition, "reason", j.Reason, "segments", len(j.Inputs),
		"rows", j.Rows, "outputs", len(j.refs), "took", s.opts.Now().Sub(start))
	return true, nil
}

// mergeJob is one merge.
type mergeJob struct {
	compact.Job
	s      *Store
	table  *catalog.Table
	inputs []*segmentRef
	dels   []*roaring.Bitmap // at the start
	merged *segment.Merged
	refs   []*segmentRef
}

// pickJob chooses a merge and claims its inputs.
func (s *Store) pickJob(sn *Snapshot, want mergeScope) *mergeJob {
	c, now := &s.compact, s.nowMicros()
	c.mu.Lock()
	defer c.mu.Unlock()
	jobs := compact.Pick(s.compactable(sn.st, now, want), now)
	if len(jobs) == 0 {
		return nil
	}
	j := &mergeJob{Job: jobs[0], s: s, table: sn.st.cat.Table(jobs[0].Table)}
	ts := sn.st.table(j.Table)
	for _, id := range j.Inputs {
		c.busy[id] = true
		i := slices.IndexFunc(ts.segs, func(r *segmentRef) bool { return r.meta.ID == id })
		j.inputs = append(j.inputs, ts.segs[i])
		j.dels = append(j.dels, ts.segDels[id])
	}
	return j
}

// compactable lists the segments that may be merged.
func (s *Store) compactable(st *state, now int64, want mergeScope) compact.State {
	c := &s.compact
	out := compact.State{Idle: !s.compact.throttle.Busy(s.opts.Now()), All: want.all, Loading: s.bg.loading.Load() > 0}
	for id, i := range st.ords {
		t := st.cat.Table(id)
		if t == nil || want.table != 0 && want.table != id {
			continue
		}
		floor, hasFloor := floorOf(t, now)
		for _, r := range st.tables[i].segs {
			m := &r.meta
			if r.err != nil || r.retired.Load() || r.logOnly.Load() || c.busy[m.ID] || c.later[m.ID] > now {
				continue
			}
			x := compact.Segment{ID: m.ID, Table: id, Partition: m.Partition, Level: m.Level, Rows: m.Rows, Received: m.ReceivedMax,
				TimeMin: m.TimeMin, TimeMax: m.TimeMax, Floor: floor, HasFloor: hasFloor, Within: purgeWithin.Microseconds()}
			if d := st.tables[i].segDels[m.ID]; d != nil {
				x.Deleted = int64(d.GetCardinality())
			}
			x.Chill = isCold(t, m.TimeMax, now) && !r.file.Cold()
			out.Segments = append(out.Segments, x)
		}
	}
	return out
}

// isCold tells whether rows up to the time newest are older than cold_after.
func isCold(t *catalog.Table, newest, now int64) bool {
	return t.Options.ColdAfter > 0 && newest < now-t.Options.ColdAfter
}

func (s *Store) endJob(j *mergeJob) {
	s.compact.mu.Lock()
	defer s.compact.mu.Unlock()
	for _, id := range j.Inputs {
		delete(s.compact.busy, id)
	}
}

// run merges and commits.
func (j *mergeJob) run(ctx context.Context) error {
	s := j.s
	spec := stage.Spec(j.table, s.opts.Writer, "merge")
	spec.Memory = s.memoryOf(j.Table)
	spec.Cold = !slices.ContainsFunc(j.inputs, func(r *segmentRef) bool { return !isCold(j.table, r.meta.TimeMax, s.nowMicros()) })
	ms := &segment.MergeSpec{Spec: &spec, Partition: j.Partition, Next: j.next, Pause: s.pauseMerge,
		DictBytes: int(s.opts.MemBytesMax / 4)}
	for i, r := range j.inputs {
		ms.Inputs = append(ms.Inputs, segment.Input{File: r.file, Deleted: j.dels[i]})
	}
	if err := j.partition(ms); err != nil {
		return err
	}
	if err := j.floor(ctx, ms); err != nil {
		return err
	}
	var err error
	if j.merged, err = segment.Merge(ctx, s.opts.FS, ms); err != nil {
		return s.buildError(err)
	}
	return j.commit()
}

// partition decides where the rows go.
func (j *mergeJob) partition(ms *segment.MergeSpec) error {
	grain, _ := stage.GrainOf(j.table)
	if j.Fine && grain < segment.GrainHour {
		grain = max(grain+1, segment.GrainDay)
	}
	switch {
	case !j.Split:
	case j.table.TimeColumn() == nil || grain == segment.GrainNone:
		ms.Partition = "all"
	default:
		ms.Split, ms.Grain, ms.PartsMax = true, grain, mergePartsMax
	}
	return nil
}

// mergePartsMax bounds the files that one merge writes at once.
const mergePartsMax = 64

// floor drops rows below the retention floor. What was dropped must not be asked
// for again after the clock went back: the floor is durable first.
func (j *mergeJob) floor(ctx context.Context, ms *segment.MergeSpec) error {
	floor, ok := floorOf(j.table, j.s.nowMicros())
	if !ok || !slices.ContainsFunc(j.inputs, func(r *segmentRef) bool { return r.meta.TimeMin < floor }) {
		return nil
	}
	ms.Floor, ms.HasFloor = floor, true
	return j.s.ratchetFloors(ctx, j.inputs)
}

// next names an output.
func (j *mergeJob) next(partition string) (segment.Output, error) {
	s := j.s
	id := s.nextSegmentID()
	rel := stage.SegmentPath(j.Table, partition, id)
	if err := s.makePartition(path.Dir(rel)); err != nil {
		return segment.Output{}, err
	}
	return segment.Output{ID: id, UUID: s.newUUID(), Tmp: s.path("tmp", path.Base(rel)), Path: s.path(rel)}, nil
}

// commit makes the outputs count: deletes since the start are forwarded into
// their first delete vectors, one manifest edit, a new state. Commits with
// deletes of the table wait meanwhile, so every log frame either names inputs and
// is folded in, or names outputs.
func (j *mergeJob) commit() error {
	s := j.s
	s.bg.mu.Lock()
	defer s.bg.mu.Unlock()
	defer s.lockDeletes(j.Table)()
	st := s.state.Load()
	ts := st.table(j.Table)
	if !ts.hasAll(j.inputs) { // purged, truncated or dropped
		j.discard()
		return nil
	}
	edit := &manifest.Edit{Kind: manifest.Merge, Removed: j.Inputs, RetireSeq: st.seq}
	outs := make([]uint64, len(j.merged.Outputs))
	for i := range j.merged.Outputs {
		o := &j.merged.Outputs[i]
		outs[i] = o.ID
		edit.Added = append(edit.Added, s.segmentMeta(j.Table, o.Partition, j.Level, o.ID, &o.Info))
	}
	moved := newMoves(edit, j.merged.Forward)
	for i, r := range j.inputs {
		if !s.opts.mutations.MergeForgetsDeletes {
			moved.add(i, j.dels[i], ts.segDels[r.meta.ID])
		}
	}
	failpoint.Hit(failpoint.CompactBeforeSwap)
	var err error
	if j.refs, err = s.commitMoves(moved, st.seq); err != nil {
		if s.failure() == nil { // the record is surely not there
			j.discard()
		}
		return err
	}
	failpoint.Hit(failpoint.CompactAfterSwap)
	j.count()
	return s.swap(j.refs, func() {
		next := s.state.Load().with()
		s.compact.forwards.AddMerge(next.version, j.merged.Forward, j.Inputs, outs)
		s.replaceSegments(next, j.Table, j.inputs, j.refs, moved.dels)
		s.publish(next)
	})
}

// swap runs fn, which makes a state show refs, in the committer.
func (s *Store) swap(refs []*segmentRef, fn func()) error {
	err := s.do(fn)
	if err != nil { // the store closes; the next start shows them
		closeAll(refs)
	}
	return err
}

func closeAll(refs []*segmentRef) {
	for _, r := range refs {
		_ = r.close()
	}
}

// openNew opens segments that were just written. What cannot be read must not
// count.
func (s *Store) openNew(list []manifest.Segment) ([]*segmentRef, error) {
	var refs []*segmentRef
	for i := range list {
		r := s.openSegment(list[i])
		refs = append(refs, r)
		if r.err != nil {
			closeAll(refs)
			return nil, s.buildError(r.err)
		}
	}
	return refs, nil
}

// hasAll tells whether t still has the segments.
func (t *tableState) hasAll(list []*segmentRef) bool {
	return !slices.ContainsFunc(list, func(r *segmentRef) bool { return r.retired.Load() || !slices.Contains(t.segs, r) })
}

// discard removes files that no manifest names.
func (j *mergeJob) discard() {
	for i := range j.merged.Outputs {
		_ = j.s.opts.FS.Remove(j.merged.Outputs[i].Path) // The next start removes it otherwise.
	}
}

func (j *mergeJob) count() {
	c := &j.s.compact
	for _, r := range j.inputs {
		c.rowsIn.Add(r.meta.Rows)
		c.bytesIn.Add(r.meta.Length)
	}
	for i := range j.merged.Outputs {
		c.bytesOut.Add(j.merged.Outputs[i].Info.Length)
	}
}

// replaceSegments puts added in the place of removed in next, whose files go when
// no snapshot needs them. It runs in the committer.
func (s *Store) replaceSegments(next *state, table uint32, removed, added []*segmentRef, dels map[uint64]*roaring.Bitmap) {
	for _, r := range removed {
		r.retired.Store(true)
		s.bg.retired = append(s.bg.retired, retiredSegment{r, next.version, s.nowMicros()})
	}
	if next.cat.Table(table) == nil { // dropped meanwhile: stepPurge removes them
		s.bg.orphans = append(s.bg.orphans, added...)
		return
	}
	t := *next.table(table)
	t.segs = slices.DeleteFunc(slices.Clone(t.segs), func(r *segmentRef) bool { return slices.Contains(removed, r) })
	t.segs = append(t.segs, added...)
	t.segDels = mergeDels(t.segDels, dels)
	next.put(table, t.only())
	s.noteCrowd(table, &t)
}

// segmentMeta is what the manifest says of a new segment.
func (s *Store) segmentMeta(table uint32, partition string, level int, id uint64, info *segment.Info) manifest.Segment {
	return manifest.Segment{
		ID: id, Table: table, Partition: partition, Path: stage.SegmentPath(table, partition, id), Level: level,
		Rows: info.Rows, Length: info.Length, TrailerCRC: info.TrailerCRC, SeqMin: info.SeqMin, SeqMax: info.SeqMax,
		TimeMin: info.TimeMin, TimeMax: info.TimeMax, ReceivedMin: info.ReceivedMin, ReceivedMax: info.ReceivedMax,
		Created: s.nowMicros(),
	}
}

// moves are deletes that arrived while rows moved into new segments.
type moves struct {
	edit *manifest.Edit
	by   *segment.Forward
	dels map[uint64]*roaring.Bitmap // by new segment
}

func newMoves(edit *manifest.Edit, by *segment.Forward) *moves {
	return &moves{edit: edit, by: by, dels: map[uint64]*roaring.Bitmap{}}
}

// add forwards what is in now and was not in before of a unit.
func (m *moves) add(unit int, before, now *roaring.Bitmap) {
	if now == nil || now == before {
		return
	}
	if before != nil {
		now = roaring.AndNot(now, before)
	}
	to, _ := m.by.Rows(unit, now)
	for o, rows := range to {
		if rows == nil {
			continue
		}
		id := m.edit.Added[o].ID
		if was := m.dels[id]; was != nil {
			rows = roaring.Or(was, rows)
		}
		m.dels[id] = rows
	}
}

// commitMoves opens the new segments and writes their first delete vectors, and
// the edit.
func (s *Store) commitMoves(m *moves, seq uint64) ([]*segmentRef, error) {
	refs, err := s.openNew(m.edit.Added)
	if err != nil {
		return nil, err
	}
	if err := s.writeMoves(m, seq); err != nil {
		closeAll(refs)
		return nil, err
	}
	return refs, nil
}

func (s *Store) writeMoves(m *moves, seq uint64) error {
	m.edit.Vectors = map[uint64]manifest.Vector{}
	for _, seg := range m.edit.Added {
		rows := m.dels[seg.ID]
		if rows == nil {
			continue
		}
		v, err := s.writeVector(&seg, seq, rows)
		if err != nil {
			return err
		}
		m.edit.Vectors[seg.ID] = v
	}
	if err := s.man.Append(m.edit); err != nil {
		err = s.ioError(err)
		for _, v := range m.edit.Vectors {
			if s.failure() == nil { // the record is surely not there
				s.removeVectors([]string{v.Path})
			}
		}
		return err
	}
	for id, v := range m.edit.Vectors {
		s.bg.vectors[id] = savedVector{v, m.dels[id]}
	}
	return nil
}

// writeVector writes a delete vector that the manifest does not name yet.
func (s *Store) writeVector(seg *manifest.Segment, seq uint64, rows *roaring.Bitmap) (manifest.Vector, error) {
	b, err := delvec.Encode(seg.ID, seq, rows)
	if err != nil {
		return manifest.Vector{}, err
	}
	name := fmt.Sprintf("%016x.%016x.qdv", seg.ID, seq)
	v := manifest.Vector{Path: path.Join(path.Dir(seg.Path), name), Seq: seq, Rows: int64(rows.GetCardinality())}
	if err := vfs.WriteFileBytes(s.opts.FS, s.path("tmp", name), s.path(v.Path), b); err != nil {
		return v, s.buildError(err)
	}
	return v, nil
}

// forwarded is c with deletes of rows named by where they are now. The commit
// locks of its tables are held.
func (s *Store) forwarded(c *Commit) (*Commit, error) {
	if len(c.Deletes) == 0 {
		return c, nil
	}
	n := *c
	n.Deletes = slices.Clone(c.Deletes)
	for i, d := range n.Deletes {
		if d.All || d.same {
			continue
		}
		segs, slabs, ok := s.compact.forwards.Resolve(d.segs, d.slabs)
		if !ok {
			return nil, errRowsMoved
		}
		n.Deletes[i] = &DeleteSet{Table: d.Table, segs: segs, slabs: slabs}
	}
	return &n, nil
}

// lockDeletes excludes commits with deletes from a table.
func (s *Store) lockDeletes(table uint32) (unlock func()) {
	l := s.rowsLock(table)
	l.commit <- struct{}{}
	return func() { <-l.commit }
}

// noteCrowd decides by how much commits of a table wait: merges that fall behind
// slow its ingest down, they never refuse it.
func (s *Store) noteCrowd(table uint32, t *tableState) {
	count := map[string]int{}
	most := 0
	for _, r := range t.segs {
		if r.meta.Rows < compact.L2Rows/2 {
			count[r.meta.Partition]++
			most = max(most, count[r.meta.Partition])
		}
	}
	if over := most - 2*compact.VisibleMax; over > 0 && !s.opts.NoCompaction {
		s.compact.slow.Store(table, min(time.Duration(over)*slowStep, slowMax))
	} else {
		s.compact.slow.Delete(table)
	}
}

// A commit waits slowStep for each segment too many, at most slowMax.
const (
	slowStep = 20 * time.Millisecond
	slowMax  = time.Second
)

// waitForMerges slows a commit down whose tables have too many segments.
func (s *Store) waitForMerges(ctx context.Context, p *pending) error {
	var d time.Duration
	for i := range p.tables {
		if v, ok := s.compact.slow.Load(p.tables[i].table); ok {
			d = max(d, v.(time.Duration))
		}
	}
	if d == 0 || s.opts.Manual {
		return nil
	}
	select {
	case <-s.opts.After(d):
		return nil
	case <-s.closing:
		return errShutdown
	case <-ctx.Done():
		return errs.New(errs.QueryCanceled, "canceling statement due to user request")
	}
}

// pauseMerge lets queries and commits go first.
func (s *Store) pauseMerge(ctx context.Context, bytes int) error {
	if s.isClosing() {
		return errShutdown
	}
	if err := ctx.Err(); err != nil || s.opts.Manual {
		return err
	}
	if d := s.compact.throttle.Spent(s.opts.Now(), bytes, len(s.queue) > 0); d > 0 {
		select {
		case <-s.opts.After(d):
		case <-s.closing:
			return errShutdown
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// mergeWorkers is the number of merges at once: half of the cores.
func mergeWorkers(o *Options) int {
	if o.NoCompaction {
		return 0
	}
	return max(1, runtime.GOMAXPROCS(0)/2)
}

// compactLoop runs merges until the store closes.
func (s *Store) compactLoop() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for !s.isClosing() {
		more, err := s.compactStep(ctx, mergeScope{})
		if err != nil {
			s.opts.Log.Error("merge", "err", err)
		}
		if more && err == nil {
			s.nudge() // files may go
			continue
		}
		select {
		case <-s.mergeDue:
		case <-s.opts.After(stepPause):
		case <-s.closing:
		}
	}
}

// CompactionInfo are numbers about merges since the store was opened.
type CompactionInfo struct {
	Jobs, Failed      int64
	Rows              int64 // read by merges
	BytesIn, BytesOut int64
	// Amplification is bytes written to segments, by flushes and merges, per byte
	// flushed; 0 if nothing was.
	Amplification float64
	Slowed        int // tables whose ingest waits for merges
	Most          int // segments of the partition that has most
}

// Compaction returns the numbers.
func (s *Store) Compaction() CompactionInfo {
	c := &s.compact
	out := CompactionInfo{Jobs: c.jobs.Load(), Failed: c.failed.Load(), Rows: c.rowsIn.Load(), BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load()}
	if f := c.flushed.Load(); f > 0 {
		out.Amplification = float64(f+out.BytesOut) / float64(f)
	}
	c.slow.Range(func(any, any) bool { out.Slowed++; return true })
	for _, t := range s.state.Load().tables {
		count := map[string]int{}
		for _, r := range t.segs {
			count[r.meta.Partition]++
			out.Most = max(out.Most, count[r.meta.Partition])
		}
	}
	return out
}
