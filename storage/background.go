package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
	"quern/storage/internal/wal"
)

// Background work: each job is a step that does one piece and says whether
// there is more. In the server one goroutine drives Step; tests call it.

// stepPause is how often the background loop looks for work that only time
// makes due.
const stepPause = time.Second

// background is the state of the jobs.
type background struct {
	mu sync.Mutex // one step at a time; guards retired and vectors

	// foldersMu guards the next two. A folder is not removed while somebody
	// may be about to put a file there.
	foldersMu sync.Mutex
	// partitions are the folders whose names are durable.
	partitions map[string]bool
	loading    atomic.Int64 // loads under way
	writers    int          // loads, flushes, merges and backups under way

	// building is held by the load that writes segments.
	building chan struct{}
	// attached are segments that only the log names; the committer's.
	attached []*segmentRef

	// retired are segments that the state does not name any more. Their files
	// go when no snapshot can read them.
	retired []retiredSegment

	// vectors are the delete vectors in files.
	vectors map[uint64]savedVector

	// orphans are segments of tables that were dropped or truncated; the committer fills it.
	orphans []*segmentRef

	floors   sync.Map // table id → *atomic.Int64: the highest floor that a statement used
	floorsAt int64    // when floors were stored; guarded by mu

	memBytes    atomic.Int64
	walBytes    atomic.Int64
	nextSegment atomic.Uint64

	roomMu sync.Mutex
	room   chan struct{} // closed when memory or log space was freed
}

type retiredSegment struct {
	ref     *segmentRef
	version uint64 // of the first state without it
	at      int64  // when that was, µs
}

// memState is the MemTable of one table and what decides about its flush. It
// belongs to the committer.
type memState struct {
	table    *memtable.Table
	bytes    int64
	firstSeq uint64 // of the oldest row, 0 if there is none
	firstAt  int64  // when it was received, µs
}

// note accounts for rows that were placed or dropped.
func (s *Store) note(m *memState) {
	bytes := m.table.Bytes()
	s.bg.memBytes.Add(bytes - m.bytes)
	m.bytes = bytes
	m.firstSeq, m.firstAt = 0, 0
	for _, v := range m.table.List() {
		if runs := v.Runs(); len(runs) > 0 {
			m.firstSeq, m.firstAt = runs[0].Seq, runs[0].ReceivedAt
			return
		}
	}
}

// nudgeMerges tells the loops of merges that there may be work.
func (s *Store) nudgeMerges() {
	select {
	case s.mergeDue <- struct{}{}:
	default:
	}
}

// nudge tells the background loop that there may be work.
func (s *Store) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) backgroundLoop() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		for {
			more, err := s.step(ctx)
			if err != nil {
				s.opts.Log.Error("background step", "err", err)
			}
			if !more || err != nil || s.isClosing() {
				break
			}
		}
		select {
		case <-s.wake:
		case <-s.opts.After(stepPause):
		case <-s.closing:
			return
		}
	}
}

func (s *Store) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// Step does one piece of background work: forgetting of old row keys, naming of loads, flush, purge, retiring
// of log files, removal of files that nobody reads, and in a store that is driven
// by hand a merge. more says that another call may find work at once. After a full
// disk it may simply be called again.
func (s *Store) Step(ctx context.Context) (more bool, err error) {
	if more, err = s.step(ctx); more || err != nil || !s.opts.Manual || s.opts.NoCompaction {
		return more, err
	}
	return s.compactStep(ctx, mergeScope{})
}

func (s *Store) step(ctx context.Context) (more bool, err error) {
	s.bg.mu.Lock()
	defer s.bg.mu.Unlock()
	if err := s.failure(); err != nil {
		return false, err
	}
	for _, job := range []func(context.Context) (bool, error){s.stepKeys, s.stepAttach, s.stepFlush, s.stepPurge, s.stepFloors, s.stepRetire, s.stepUnlink, s.stepSpare} {
		did, err := job(ctx)
		if err != nil {
			return false, s.stepError(err)
		}
		if did {
			s.madeRoom()
			return true, nil
		}
	}
	return false, nil
}

// stepError makes errors of the manifest final and leaves those of one job
// alone.
func (s *Store) stepError(err error) error {
	if errors.Is(err, errShutdown) || errs.CodeOf(err) == errs.SerializationFailure {
		return nil
	}
	return err
}

// memInfo is what decides about the flush of a table.
type memInfo struct {
	table    uint32
	rows     int
	bytes    int64
	firstSeq uint64
	firstAt  int64
}

// memInfos lists the tables that have rows in memory.
func (s *Store) memInfos() (list []memInfo, seq uint64, err error) {
	err = s.do(func() {
		seq = s.state.Load().seq
		for id, m := range s.mems {
			if m.firstSeq != 0 {
				list = append(list, memInfo{id, m.table.List().Rows(), m.bytes, m.firstSeq, m.firstAt})
			}
		}
	})
	return list, seq, err
}

// pickFlush chooses the table to flush, 0 if none is due. It is a pure function
// of its arguments.
func pickFlush(list []memInfo, o *Options, now, memBytes, walBytes int64) uint32 {
	pressed := memBytes > o.MemBytesMax/10*7
	behind := walBytes > o.WALBytesMax/10*7
	best, bestScore := uint32(0), int64(0)
	for _, m := range list {
		age := time.Duration(now-m.firstAt) * time.Microsecond
		score := int64(0)
		switch {
		case behind: // the oldest rows hold the log back
			score = 1<<62 - int64(m.firstSeq)
		case pressed, m.rows >= o.FlushRows, m.bytes >= o.FlushBytes, age >= o.FlushAgeMax,
			age >= o.FlushAge && m.rows >= o.FlushRowsMin:
			score = 1 + m.bytes
		}
		if score > bestScore {
			best, bestScore = m.table, score
		}
	}
	return best
}

func (s *Store) stepFlush(ctx context.Context) (bool, error) {
	list, _, err := s.memInfos()
	if err != nil {
		return false, err
	}
	id := pickFlush(list, &s.opts, s.nowMicros(), s.bg.memBytes.Load(), s.bg.walBytes.Load())
	if id == 0 {
		return false, nil
	}
	return true, s.flushTable(ctx, id)
}

// Flush writes all rows in memory into segments, of one table or (0) of all.
func (s *Store) Flush(ctx context.Context, table uint32) error {
	s.bg.mu.Lock()
	defer s.bg.mu.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	list, _, err := s.memInfos()
	if err != nil {
		return err
	}
	for _, m := range list {
		if table != 0 && m.table != table {
			continue
		}
		if err := s.flushTable(ctx, m.table); err != nil {
			return err
		}
	}
	return nil
}

// stepRetire lets go of log files whose frames are in files and in the manifest.
func (s *Store) stepRetire(context.Context) (bool, error) {
	var floor wal.FileInfo
	var aux *manifest.Aux
	var auxErr error
	var keys int
	var vectors []vectorJob
	err := s.do(func() {
		if len(s.bg.orphans) > 0 || len(s.bg.attached) > 0 {
			return // the manifest does not know of a TRUNCATE or a load yet
		}
		seq := s.state.Load().seq + 1
		for _, m := range s.mems {
			if m.firstSeq != 0 {
				seq = min(seq, m.firstSeq)
			}
		}
		s.rollOld()
		floor = s.log.Retirable(seq)
		if floor.Number > s.log.Files()[0].Number {
			aux, keys, auxErr = s.captureAux()
			vectors = s.captureVectors()
		}
	})
	if err = errors.Join(err, auxErr); err != nil || aux == nil {
		return false, err
	}
	old, err := s.writeVectors(vectors)
	if err != nil {
		return false, err
	}
	now := s.nowMicros()
	err = s.man.Append(&manifest.Edit{Kind: manifest.Gone, Aux: aux, FloorFile: floor.Number, FloorSeq: floor.FirstSeq,
		KeysBefore: now - s.opts.KeyWindow.Microseconds(), KeysKeep: s.opts.KeysMin})
	if err != nil {
		return false, s.ioError(err)
	}
	s.keys.Saved(keys)
	s.removeVectors(old)
	if err := s.log.Retire(floor.Number); err != nil {
		return false, s.ioError(err)
	}
	s.bg.walBytes.Store(s.log.UsedBytes())
	return true, nil
}

// stepSpare keeps a zeroed log file ready.
func (s *Store) stepSpare(context.Context) (bool, error) {
	if err := s.log.PrepareSpare(); err != nil {
		return false, s.ioError(err)
	}
	return false, nil
}

// rollOld ends a log file whose oldest frame is old, so that it can be retired
// although it is not full. It runs in the committer.
func (s *Store) rollOld() {
	files := s.log.Files()
	cur := files[len(files)-1]
	if cur.LastSeq == 0 || s.nowMicros()-cur.Created < s.opts.WALRollAge.Microseconds() {
		return
	}
	if err := s.log.Roll(); err != nil {
		_ = s.logError(err) // A full disk: the next step tries again.
	}
}

// captureAux collects what outlives the log, at the sequence of the current
// state. It runs in the committer, so nothing moves meanwhile.
func (s *Store) captureAux() (*manifest.Aux, int, error) {
	st := s.state.Load()
	blob, err := st.cat.Marshal()
	if err != nil {
		return nil, 0, fmt.Errorf("encode catalog: %w", err)
	}
	a := &manifest.Aux{Seq: st.seq, Catalog: blob}
	if err := s.tallies.Save(a); err != nil {
		return nil, 0, err
	}
	body, count, maxAt := s.keys.Fresh()
	if count > 0 {
		a.Keys = []manifest.Keys{{Count: count, MaxAt: maxAt, Body: body}}
	}
	return a, count, nil
}

// madeRoom wakes commits that wait for memory or log space.
func (s *Store) madeRoom() {
	s.bg.roomMu.Lock()
	defer s.bg.roomMu.Unlock()
	if s.bg.room != nil {
		close(s.bg.room)
		s.bg.room = nil
	}
}

// Pressure is how full the memory of rows and the log are: 1 = commits wait.
func (s *Store) Pressure() float64 {
	return max(float64(s.bg.memBytes.Load())/float64(s.opts.MemBytesMax), float64(s.bg.walBytes.Load())/float64(s.opts.WALBytesMax))
}

// waitForRoom holds a commit back while memory or the log is full, but not longer
// than patience, if that is not 0.
func (s *Store) waitForRoom(ctx context.Context, patience time.Duration) error {
	var late <-chan time.Time
	for !s.opts.Manual && (s.bg.memBytes.Load() > s.opts.MemBytesMax || s.bg.walBytes.Load() > s.opts.WALBytesMax) {
		if err := s.failure(); err != nil {
			return err
		}
		s.bg.roomMu.Lock()
		if s.bg.room == nil {
			s.bg.room = make(chan struct{})
		}
		room := s.bg.room
		s.bg.roomMu.Unlock()
		s.nudge()
		if patience > 0 && late == nil {
			late = s.opts.After(patience)
		}
		select {
		case <-room:
		case <-late:
			return errs.New(errs.OutOfMemory, "the server takes in more than it can write").
				WithHint("Send the request again later.")
		case <-s.opts.After(stepPause): // the store may have failed
		case <-s.closing:
			return errShutdown
		case <-ctx.Done():
			return errs.New(errs.QueryCanceled, "canceling statement due to user request")
		}
	}
	return nil
}
