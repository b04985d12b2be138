package storage

import (
	"time"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/failpoint"
	"quern/storage/internal/memtable"
	"quern/storage/internal/wal"
)

// Bounds of one group: a larger one makes every waiter in it wait longer than
// the sync that it saves.
const (
	groupBytesMax  = 8 << 20
	groupFramesMax = 512
	queueLen       = 4096
)

// errTableMoved says that a table changed between preparing and committing.
var errTableMoved = errs.New(errs.SerializationFailure, "table changed while rows were being prepared")

// committer is the one goroutine that writes the log, fills MemTables and
// publishes states.
func (s *Store) committer() {
	defer close(s.stopped)
	for {
		var idle <-chan time.Time
		if s.log.NeedsCover() {
			idle = s.opts.After(coverDelay)
		}
		select {
		case p := <-s.queue:
			s.runGroup(p)
		case <-idle:
			s.cover()
		case <-s.closing:
			s.drain()
			return
		}
	}
}

// drain finishes what was queued before the store closed.
func (s *Store) drain() {
	for {
		select {
		case p := <-s.queue:
			s.runGroup(p)
		default:
			if s.log.NeedsCover() {
				s.cover()
			}
			return
		}
	}
}

// runGroup commits first and what else is queued, then a task met on the way.
func (s *Store) runGroup(first *pending) {
	var group []*pending
	var task *pending
	bytes := 0
	for p := first; ; {
		if p.task != nil {
			task = p
			break
		}
		for _, one := range append(p.more, p) {
			group = append(group, one)
			bytes += one.frame.Bytes()
		}
		if bytes >= groupBytesMax || len(group) >= groupFramesMax {
			break
		}
		select {
		case p = <-s.queue:
			continue
		default:
		}
		break
	}
	if len(group) > 0 {
		s.commitGroup(group)
	}
	if task != nil {
		task.task()
		close(task.done)
	}
}

// cover writes the empty frame. It changes nothing that a snapshot shows but
// its sequence.
func (s *Store) cover() {
	if err := s.log.Cover(); err != nil {
		// A full disk is met by the next commit; anything else is final.
		_ = s.logError(err)
		return
	}
	next := s.state.Load().with()
	next.seq = s.log.NextSeq() - 1
	s.state.Store(next)
}

// commitGroup is the commit point: write, sync, publish, acknowledge.
func (s *Store) commitGroup(group []*pending) {
	prev := s.state.Load()
	group, cat := s.admitGroup(group, prev.cat)
	if len(group) == 0 {
		return
	}
	frames := make([]*wal.Frame, len(group))
	for i, p := range group {
		frames[i] = p.frame
	}
	if err := s.failure(); err != nil {
		failAll(group, err)
		return
	}
	if err := s.log.Append(frames); err != nil {
		failAll(group, s.logError(err))
		return
	}
	if s.opts.mutations.AckBeforeSync {
		s.acknowledge(group)
	}
	all := group
	group = s.acknowledgeBuffered(group)
	synced := make(chan error, 1)
	if s.opts.mutations.PublishBeforeSync {
		s.publish(s.place(all, prev, cat))
		synced <- s.log.Sync()
	} else {
		s.workers.Go(func() { synced <- s.log.Sync() })
	}
	next := s.state.Load()
	if !s.opts.mutations.PublishBeforeSync {
		next = s.place(all, prev, cat) // while the disk works
	}
	if err := <-synced; err != nil {
		if !s.opts.mutations.AckBeforeSync {
			failAll(group, s.poison(err))
		}
		return
	}
	s.publish(next)
	failpoint.Hit(failpoint.CommitAfterPublish)
	if !s.opts.mutations.AckBeforeSync {
		s.acknowledge(group)
	}
	if s.flushPressed() {
		s.nudge()
	}
}

// flushPressed says whether a flush should not wait for the next look at the
// clock. NB: due is set by place.
func (s *Store) flushPressed() bool {
	used := s.log.UsedBytes()
	s.bg.walBytes.Store(used)
	due := s.flushDue
	s.flushDue = false
	return due || s.bg.memBytes.Load() > s.opts.MemBytesMax/10*7 || used > s.opts.WALBytesMax/10*7
}

// logError is ioError for the log, which may know that a full disk is final.
func (s *Store) logError(err error) error {
	if s.log.Failed() != nil {
		return s.poison(err)
	}
	return s.ioError(err)
}

func (s *Store) publish(next *state) {
	s.state.Store(next)
	s.buffered.wake()
}

// acknowledgeBuffered acknowledges the commits that do not wait for the sync. It
// returns the others.
func (s *Store) acknowledgeBuffered(group []*pending) (rest []*pending) {
	var early []*pending
	for _, p := range group {
		if p.buffered {
			early = append(early, p)
		} else {
			rest = append(rest, p)
		}
	}
	if len(early) > 0 {
		s.buffered.seq.Store(early[len(early)-1].frame.Seq)
		s.acknowledge(early)
	}
	return rest
}

// admitGroup applies catalog changes in order and fails the commits that they
// overtake. It returns the others and the catalog after them.
func (s *Store) admitGroup(group []*pending, cat *catalog.Snapshot) ([]*pending, *catalog.Snapshot) {
	kept := group[:0]
	st, seen, wrote := s.state.Load(), map[uint32]bool{}, map[uint32]bool{}
	for _, p := range group {
		next, err := admitOne(p, cat)
		if err == nil && len(p.deletes) > 0 {
			err = s.admitDeletes(p, st, next, seen, wrote)
		}
		if err != nil {
			p.fail(err)
			continue
		}
		for i := range p.tables {
			wrote[p.tables[i].table] = true
		}
		for i := range p.attached {
			wrote[p.attached[i].table] = true
		}
		cat = next
		kept = append(kept, p)
	}
	return kept, cat
}

func admitOne(p *pending, cat *catalog.Snapshot) (*catalog.Snapshot, error) {
	if len(p.schema) > 0 {
		failpoint.Hit(failpoint.SchemaBeforeApply)
		if p.base != cat.Version() {
			return nil, errCatalogRace
		}
		next, err := cat.Apply(p.schema)
		if err != nil {
			return nil, err
		}
		cat = next
	}
	for i := range p.tables {
		if t := cat.Table(p.tables[i].table); t == nil || t.Version != p.tables[i].version {
			return nil, errTableMoved
		}
	}
	for _, a := range p.attached {
		if t := cat.Table(a.table); t == nil || t.Version != a.version {
			return nil, errTableMoved
		}
	}
	return cat, nil
}

// place puts the rows of a written group into MemTables and returns the state
// that shows them. Readers see nothing of it before the state is published.
func (s *Store) place(group []*pending, prev *state, cat *catalog.Snapshot) *state {
	next := prev.with()
	next.cat = cat
	touched := map[uint32]bool{}
	for _, p := range group {
		for _, d := range p.deletes { // an UPDATE deletes before it adds
			touched[d.Table] = true
			if d.All {
				s.clear(next, d.Table)
			} else {
				next.put(d.Table, next.table(d.Table).delete(d))
			}
		}
		for i := range p.tables {
			pl := &p.tables[i]
			s.mem(pl.table).table.Append(pl.rows, p.frame.ReceivedAt, p.frame.Seq)
			touched[pl.table] = true
			pl.rows = nil
		}
		for i := range p.attached {
			s.attach(next, &p.attached[i], p.frame.Seq)
			next.table(p.attached[i].table).changes++ // a copy that nobody sees yet
		}
		next.seq = p.frame.Seq
	}
	for id := range touched {
		m := s.mem(id)
		s.note(m)
		if m.bytes >= s.opts.FlushBytes || m.table.List().Rows() >= s.opts.FlushRows {
			s.flushDue = true
		}
		t := *next.table(id)
		t.slabs = m.table.List()
		t.changes = max(t.changes, prev.table(id).changes) + 1
		next.put(id, &t)
	}
	if cat != prev.cat {
		s.dropTables(next)
	}
	return next
}

// mem is the MemTable of a table; only the committer calls it.
func (s *Store) mem(id uint32) *memState {
	m := s.mems[id]
	if m == nil {
		m = &memState{table: memtable.NewTable()}
		s.mems[id] = m
	}
	return m
}

// dropTables lets go of tables that are not in the new catalog.
func (s *Store) dropTables(next *state) {
	// NB: snapshots may still read them: stepPurge retires them under the
	// version of a later state.
	s.bg.orphans = append(s.bg.orphans, next.prune()...)
	for id, m := range s.mems {
		if next.cat.Table(id) == nil {
			s.bg.memBytes.Add(-m.bytes)
			delete(s.mems, id)
			s.shrink.Delete(id)
		}
	}
}

// acknowledge makes outcomes known, in order of sequence.
func (s *Store) acknowledge(group []*pending) {
	for _, p := range group {
		p.outcome.Seq = p.frame.Seq
		if p.key != nil {
			p.key.Seq = p.frame.Seq
			s.keys.Commit(p.key)
		}
		s.tallies.Add(p.source, p.stats)
		failpoint.Hit(failpoint.CommitBeforeAck)
		close(p.done)
	}
}

func (p *pending) fail(err error) {
	p.outcome, p.err = Outcome{}, err
	close(p.done)
}

func failAll(group []*pending, err error) {
	for _, p := range group {
		p.fail(err)
	}
}
