package storage

import (
	"context"
	"errors"
	"io"
	"path"
	"sync"
	"sync/atomic"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/dedup"
	"quern/storage/internal/manifest"
	"quern/storage/internal/rowdedup"
	"quern/storage/internal/segment"
	"quern/storage/internal/tally"
	"quern/storage/internal/wal"
	"quern/storage/vfs"

	"golang.org/x/sync/semaphore"
)

// Store is an open data folder. All its methods may be called concurrently.
type Store struct {
	opts Options
	lock io.Closer
	log  *wal.Log
	man  *manifest.Manifest

	state atomic.Pointer[state]
	pins  pins

	dicts   *segment.Dicts // nil = without bound
	keys    *dedup.Keys
	tallies *tally.Set
	shrink  sync.Map // table id → *wal.Shrink
	learnt  sync.Map // table id → *segment.Memory
	spares  sync.Map // table id → *sync.Pool of *memtable.Table that loads have emptied
	buffers buffers

	rowLocks sync.Map // table id → *rowsLock
	// dedupLocks are those of tables with a dedup_key: table id → *dedupLock.
	dedupLocks sync.Map
	rowKeys    *rowdedup.Budget

	// queue feeds the committer; its bytes are bounded by admit.
	queue   chan *pending
	admit   *semaphore.Weighted
	closing chan struct{} // closed by Close
	stopped chan struct{} // closed when the committer has ended
	closed  sync.Once
	workers sync.WaitGroup
	wake    chan struct{} // a background step may find work

	mergeDue chan struct{} // a merge may be due

	buffered buffered

	// failed is the first final error: from then on nothing is acknowledged.
	failed atomic.Pointer[error]

	// Owned by the committer.
	mems     map[uint32]*memState
	flushDue bool // a MemTable has reached its size

	bg      background
	compact compaction
}

// dirs are the folders of a data folder.
var dirs = []string{"catalog", "wal", "wal/spare", "tables", "tmp", "audit"}

func (s *Store) path(parts ...string) string {
	return path.Join(append([]string{s.opts.Dir}, parts...)...)
}

func (s *Store) nowMicros() int64 { return s.opts.Now().UnixMicro() }

// errCatalogRace says that another catalog change came first.
var errCatalogRace = errs.New(errs.SerializationFailure, "could not serialize access due to concurrent update of the catalog")

// Commit makes c durable, then visible, then returns: all of it or nothing.
// When it returns no error the rows survive a crash and every later snapshot
// shows them. An error of class 58 leaves open whether they will be there after
// a restart; with a key, a repeat settles it.
func (s *Store) Commit(ctx context.Context, c *Commit) (Outcome, error) {
	if err := s.failure(); err != nil {
		return Outcome{}, err
	}
	if c.Key == nil {
		return s.commit(ctx, c)
	}
	if err := checkKey(c.Key); err != nil {
		return Outcome{}, err
	}
	known, err := s.keys.Claim(ctx, dedupKey(c.Key), c.Key.Digest)
	if err != nil {
		return Outcome{}, err
	}
	if known != nil {
		return s.replayed(c, known), nil
	}
	defer s.keys.Release(dedupKey(c.Key))
	return s.commit(ctx, c)
}

// replayed answers a repeated key: the rows of the repeat are duplicates.
func (s *Store) replayed(c *Commit, e *dedup.Entry) Outcome {
	o := outcomeOf(e)
	o.Replayed = true
	s.tallies.Add(c.Source, []tally.Table{{Table: c.Key.Table, Counts: tally.Counts{o.Received, 0, o.Received, 0, 0}}})
	return o
}

// racesMax bounds how often a commit is prepared again because a table changed
// between preparing and committing it.
const racesMax = 100

func (s *Store) commit(ctx context.Context, c *Commit) (out Outcome, err error) {
	for _, l := range c.Loads {
		if err := l.finish(ctx); err != nil {
			return Outcome{}, err
		}
	}
	defer func() { s.settleLoads(c, err) }()
	if len(c.Deletes) == 0 { // before memory is taken for the frame
		if err := s.waitForRoom(ctx, c.Patience); err != nil {
			return Outcome{}, err
		}
	}
	defer s.lockCommit(c)()
	moved, err := s.forwarded(c)
	if err != nil {
		return Outcome{}, err
	}
	moved, dups, settle, err := s.deduplicate(ctx, moved)
	if err != nil {
		return Outcome{}, err
	}
	received := int64(0)
	defer func() { settle(received, err == nil) }()
	for range racesMax {
		p, err := s.prepare(moved, s.state.Load().cat, dups)
		if err != nil {
			return Outcome{}, err
		}
		received = p.frame.ReceivedAt
		if err := s.submit(ctx, p); err != nil {
			return Outcome{}, err
		}
		if !s.await(p) {
			return Outcome{}, errShutdown
		}
		if !s.opts.mutations.AckBeforeSync && !c.Buffered { // its rows may not be placed yet
			p.release(&s.buffers)
		}
		if errors.Is(p.err, errTableMoved) {
			continue
		}
		return p.outcome, p.err
	}
	return Outcome{}, errCatalogRace
}

// submit waits for room and hands p to the committer. From then on its outcome
// is only known when p.done is closed.
func (s *Store) submit(ctx context.Context, p *pending) error {
	if len(p.deletes) == 0 { // LockRows waited; who holds it must not wait for a flush
		if err := s.waitForRoom(ctx, p.patience); err != nil {
			return err
		}
		if err := s.waitForMerges(ctx, p); err != nil {
			return err
		}
	}
	n := min(int64(p.frame.Bytes()), s.opts.QueueBytesMax)
	if err := s.admit.Acquire(ctx, n); err != nil {
		return errs.New(errs.QueryCanceled, "canceling statement due to user request")
	}
	defer s.admit.Release(n)
	select {
	case s.queue <- p:
		return nil
	case <-s.closing:
		return errShutdown
	}
}

var errShutdown = errs.New(errs.AdminShutdown, "the database is shutting down")

// do runs fn in the committer, between two groups: the only place where
// MemTables and the state change.
func (s *Store) do(fn func()) error {
	p := &pending{task: fn, done: make(chan struct{})}
	select {
	case s.queue <- p:
	case <-s.closing:
		return errShutdown
	}
	if !s.await(p) {
		return errShutdown
	}
	return p.err
}

// await waits until p is done. It returns false if the committer ended before
// it came to p.
func (s *Store) await(p *pending) bool {
	select {
	case <-p.done:
		return true
	case <-s.stopped:
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// failure is the final error, if there is one.
func (s *Store) failure() error {
	if p := s.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// poison makes the store read-only: what the disk holds is unknown until a
// restart replays it.
func (s *Store) poison(err error) error {
	e := &errs.Error{Code: errs.IO, Msg: "the data folder cannot be written; restart the server", Detail: err.Error(), Err: err}
	var final error = e
	if s.failed.CompareAndSwap(nil, &final) {
		s.buffered.wake()
		s.opts.Log.Error("storage is read-only until restart", "err", err)
	}
	return *s.failed.Load()
}

// ioError gives a write error its SQLSTATE and makes it final unless the disk
// is only full.
func (s *Store) ioError(err error) error {
	if vfs.IsNoSpace(err) {
		return &errs.Error{Code: errs.DiskFull, Msg: "could not write to the data folder: no space left on device",
			Hint: "Free space on the disk; writing resumes by itself.", Err: err}
	}
	if e := (*errs.Error)(nil); errors.As(err, &e) {
		return e
	}
	return s.poison(err)
}

func (s *Store) shrinkOf(table uint32) *wal.Shrink {
	if v, ok := s.shrink.Load(table); ok {
		return v.(*wal.Shrink)
	}
	v, _ := s.shrink.LoadOrStore(table, new(wal.Shrink))
	return v.(*wal.Shrink)
}

// memoryOf is what is known of a table's columns from segments made before.
func (s *Store) memoryOf(table uint32) *segment.Memory {
	v, ok := s.learnt.Load(table)
	if !ok {
		v, _ = s.learnt.LoadOrStore(table, new(segment.Memory))
	}
	return v.(*segment.Memory)
}

// sparesOf keeps memory of loads into a table for the next ones, until the
// collector takes it.
func (s *Store) sparesOf(table uint32) *sync.Pool {
	v, ok := s.spares.Load(table)
	if !ok {
		v, _ = s.spares.LoadOrStore(table, new(sync.Pool))
	}
	return v.(*sync.Pool)
}

// Catalog is the newest catalog.
func (s *Store) Catalog() *catalog.Snapshot { return s.state.Load().cat }

// Failed returns the error that made the store read-only, nil if it is well.
func (s *Store) Failed() error { return s.failure() }

// Stats are the ingest counts per table and source since the folder was made.
func (s *Store) Stats() (out []SourceCounts) {
	for _, c := range s.tallies.List() {
		out = append(out, SourceCounts(c))
	}
	return out
}

// NextVal takes n values of a column's counter and returns the first.
func (s *Store) NextVal(table, col uint32, n int64) int64 {
	return s.tallies.Next(tally.Column{Table: table, Col: col}, n)
}

// CurrVal is the last value that the counter handed out, 0 if none.
func (s *Store) CurrVal(table, col uint32) int64 {
	return s.tallies.Counter(tally.Column{Table: table, Col: col})
}

// KeyInFlight tells whether a commit of a batch key is under way.
func (s *Store) KeyInFlight(k *BatchKey) bool { return s.keys.Busy(dedupKey(k)) }

// LookupKey tells what became of a batch key.
func (s *Store) LookupKey(k *BatchKey) (Outcome, bool) {
	e := s.keys.Lookup(dedupKey(k))
	if e == nil {
		return Outcome{}, false
	}
	return outcomeOf(e), true
}

// Close stops background work, waits for commits under way and closes the
// folder. Snapshots must be closed before.
func (s *Store) Close() error {
	var err error
	s.closed.Do(func() {
		close(s.closing)
		s.workers.Wait()
		err = errors.Join(s.log.Close(), s.man.Close(), s.closeSegments(), s.lock.Close())
	})
	return err
}
