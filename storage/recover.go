package storage

import (
	"errors"
	"fmt"
	"path"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/dedup"
	"quern/storage/internal/failpoint"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
	"quern/storage/internal/rowdedup"
	"quern/storage/internal/segment"
	"quern/storage/internal/tally"
	"quern/storage/internal/wal"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/semaphore"
)

// Open opens the data folder opts.Dir, making it if it is empty: lock, manifest,
// segments, replay of the log, a new log file. Damage to acknowledged data is
// XX001 and names file and offset; a folder in use is 55006.
func Open(opts Options) (*Store, error) {
	opts.defaults()
	s := &Store{
		opts: opts, mems: map[uint32]*memState{}, tallies: tally.New(),
		keys: dedup.New(opts.KeyWindow.Microseconds(), opts.KeysMin), rowKeys: rowdedup.NewBudget(opts.RowKeyBytesMax),
		queue: make(chan *pending, queueLen), admit: semaphore.NewWeighted(opts.QueueBytesMax),
		closing: make(chan struct{}), stopped: make(chan struct{}), wake: make(chan struct{}, 1), mergeDue: make(chan struct{}, 1),
		compact: compaction{busy: map[uint64]bool{}, later: map[uint64]int64{}},
		pins:    pins{open: map[*pin]bool{}}, bg: background{partitions: map[string]bool{}, building: make(chan struct{}, 1), vectors: map[uint64]savedVector{}},
	}
	if opts.DictBytesMax > 0 {
		s.dicts = segment.NewDicts(opts.DictBytesMax)
	}
	if err := s.open(); err != nil {
		return nil, openError(errors.Join(err, s.abandon()))
	}
	s.workers.Go(s.committer)
	if !opts.Manual {
		s.workers.Go(s.backgroundLoop)
		for range mergeWorkers(&opts) {
			s.workers.Go(s.compactLoop)
		}
	}
	return s, nil
}

// openError gives an error of the file system its SQLSTATE.
func openError(err error) error {
	if errs.CodeOf(err) != errs.Internal {
		return err
	}
	code := errs.IO
	if vfs.IsNoSpace(err) {
		code = errs.DiskFull
	}
	return &errs.Error{Code: code, Msg: "could not open the data folder: " + err.Error(), Err: err}
}

// abandon closes what a failed open left.
func (s *Store) abandon() error {
	var list []error
	if s.log != nil {
		list = append(list, s.log.Close())
	}
	if s.man != nil {
		list = append(list, s.man.Close())
	}
	if s.lock != nil {
		list = append(list, s.lock.Close())
	}
	return errors.Join(list...)
}

func (s *Store) open() error {
	if err := refuseBackup(s.opts.FS, s.opts.Dir); err != nil {
		return err
	}
	if err := s.makeFolder(); err != nil {
		return err
	}
	if err := s.openManifest(); err != nil {
		return fmt.Errorf("open manifest: %w", err)
	}
	m := s.man.State()
	if w := s.man.Warning(); w != "" {
		s.opts.Log.Warn(w)
	}
	st, err := s.loadState(m)
	if err != nil {
		return err
	}
	if err := wal.RemoveBelow(s.opts.FS, s.path("wal"), m.FloorFile); err != nil {
		return err
	}
	r := &replay{s: s, m: m, st: st}
	tail, err := wal.Replay(s.opts.FS, s.path("wal"), m.FloorFile, m.FloorSeq, r.frame)
	if err != nil {
		return fmt.Errorf("replay WAL: %w", err)
	}
	if tail.Torn {
		s.opts.Log.Warn("the log ends with a group that was never synced; it was cut", "next_seq", tail.NextSeq)
	}
	// What was replayed counts as committed from now on; after a kill some of
	// it may not be on the disk yet.
	if err := wal.SyncTail(s.opts.FS, s.path("wal"), tail); err != nil {
		return err
	}
	s.log, err = wal.Create(s.walOptions(), tail.NextFile, tail.NextSeq, tail.Files)
	if err != nil {
		return err
	}
	s.state.Store(r.finish(tail.NextSeq - 1))
	return s.removeOrphans(m)
}

func (s *Store) walOptions() wal.Options {
	return wal.Options{FS: s.opts.FS, Dir: s.path("wal"), FileBytes: s.opts.WALFileBytes, SparesMax: s.opts.SparesMax,
		Now: s.nowMicros, Rand: s.opts.Rand, DurableSeqZero: s.opts.mutations.DurableSeqZero}
}

// makeFolder makes the folders, takes the lock and empties tmp/.
func (s *Store) makeFolder() error {
	if err := s.opts.FS.MkdirAll(s.opts.Dir); err != nil {
		return err
	}
	lock, err := s.opts.FS.Lock(s.path("LOCK"))
	if errors.Is(err, vfs.ErrLocked) {
		return errs.New(errs.ObjectInUse, "data folder %q is in use by another process", s.opts.Dir).
			WithHint("Stop the other server, or choose another folder with --data.")
	}
	if err != nil {
		return err
	}
	s.lock = lock
	for _, d := range dirs {
		if err := vfs.MkdirAllSync(s.opts.FS, s.opts.Dir, s.path(d)); err != nil {
			return err
		}
	}
	if err := s.opts.FS.SyncDir(path.Dir(s.opts.Dir)); err != nil {
		return err
	}
	names, err := s.opts.FS.List(s.path("tmp"))
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := s.opts.FS.Remove(s.path("tmp", n)); err != nil {
			return err
		}
	}
	return nil
}

// openManifest opens or makes the manifest. A new folder gets its first log
// file before its manifest: from then on a missing log file is damage.
func (s *Store) openManifest() error {
	exists, err := manifest.Exists(s.opts.FS, s.path("catalog"))
	if err != nil {
		return err
	}
	if exists {
		s.man, err = manifest.Open(s.opts.FS, s.path("catalog"), s.path("tmp"))
		return err
	}
	if err := s.checkNewFolder(); err != nil {
		return err
	}
	l, err := wal.Create(s.walOptions(), 1, 1, nil)
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	blob, err := catalog.New().Marshal()
	if err != nil {
		return err
	}
	init := &manifest.State{FloorFile: 1, FloorSeq: 1, NextSegment: 1, Catalog: blob}
	le.PutUint64(init.HashKey[:], s.opts.Rand())
	le.PutUint64(init.HashKey[8:], s.opts.Rand())
	s.man, err = manifest.Create(s.opts.FS, s.path("catalog"), s.path("tmp"), init)
	return err
}

// checkNewFolder removes the log file of a first start that did not come to its
// manifest, and refuses a folder whose manifest was lost.
func (s *Store) checkNewFolder() error {
	has, err := wal.HasFiles(s.opts.FS, s.path("wal"))
	if err != nil || !has {
		return err
	}
	frames := 0
	_, err = wal.Replay(s.opts.FS, s.path("wal"), 1, 1, func(*wal.FrameView) error { frames++; return nil })
	tables, listErr := s.opts.FS.List(s.path("tables"))
	if err != nil || listErr != nil || frames > 0 || len(tables) > 0 {
		return errors.Join(&errs.Corrupt{File: s.path("catalog", "CURRENT"), Reason: "the manifest is missing but the folder holds data"}, err)
	}
	// NB: removed as it is. A file that was zeroed first and then met a cut
	// would look like damage to the next start.
	return wal.RemoveEmpty(s.opts.FS, s.path("wal"))
}

// loadState makes the state that the manifest describes.
func (s *Store) loadState(m *manifest.State) (*state, error) {
	cat := catalog.New()
	if len(m.Catalog) > 0 {
		var err error
		if cat, err = catalog.Unmarshal(m.Catalog); err != nil {
			return nil, err
		}
	}
	if err := s.tallies.Load(m); err != nil {
		return nil, err
	}
	for _, k := range m.Keys {
		if err := s.keys.Load(k.Body); err != nil {
			return nil, err
		}
	}
	st := &state{version: 1, cat: cat, ords: map[uint32]int{}}
	return st, s.loadSegments(m, st)
}

// replay folds log frames into the state.
type replay struct {
	s  *Store
	m  *manifest.State
	st *state

	grown int64 // bytes of rows since memory was looked at
	// gone are rows that the log deletes, by table and commit; see readAhead.
	gone map[uint32]map[uint64]*roaring.Bitmap
}

// frame applies one frame: of what the manifest holds already, nothing.
func (r *replay) frame(v *wal.FrameView) error {
	failpoint.Hit(failpoint.ReplayMid)
	isNew := v.Seq > r.m.AuxSeq
	source, stats := "", []tally.Table(nil)
	err := v.Sections(func(sec wal.Section) error {
		switch sec.Kind {
		case wal.Schema:
			if isNew {
				return r.schema(sec)
			}
		case wal.Rows:
			return r.rows(v, sec, isNew)
		case wal.Delete:
			return r.delete(v, sec)
		case wal.Attach:
			return r.attach(v, sec, isNew)
		case wal.BatchKey:
			return r.key(v, sec, isNew)
		case wal.Stats:
			if isNew {
				var err error
				source, stats, err = tally.DecodeStats(sec.Body)
				return err
			}
		case sectionCounters:
			if isNew {
				return tally.DecodeCounters(sec.Body, func(col uint32, value int64) {
					r.s.tallies.Raise(tally.Column{Table: sec.Table, Col: col}, value)
				})
			}
		default:
			return errs.New(errs.FeatureNotSupported,
				"WAL frame %d has a section of unknown kind %d; it was written by a newer version", v.Seq, sec.Kind)
		}
		return nil
	})
	r.s.tallies.Add(source, stats)
	r.st.seq = v.Seq
	if err != nil {
		return locate(v, err)
	}
	return r.relieve()
}

// locate names the frame in an error about the content of a section.
func locate(v *wal.FrameView, err error) error {
	if c := (*errs.Corrupt)(nil); errors.As(err, &c) {
		return fmt.Errorf("frame %d in WAL file %d at offset %d: %w", v.Seq, v.File, v.Offset, err)
	}
	return err
}

func (r *replay) schema(sec wal.Section) error {
	changes, err := decodeSchema(sec.Body)
	if err != nil {
		return err
	}
	cat, err := r.st.cat.Apply(changes)
	if err != nil {
		return &errs.Corrupt{File: "SCHEMA section", Reason: err.Error()}
	}
	// NB: tables that were dropped are let go at the end only: a segment's
	// table may be created by a later frame than this one.
	r.st.cat = cat
	return nil
}

func (r *replay) rows(v *wal.FrameView, sec wal.Section, isNew bool) error {
	if r.st.cat.Table(sec.Table) == nil {
		if isNew {
			return &errs.Corrupt{File: "ROWS section", Reason: fmt.Sprintf("unknown table %d", sec.Table)}
		}
		return nil // dropped later
	}
	if v.Seq <= r.m.Applied[sec.Table] {
		return nil
	}
	rows, err := memtable.DecodeRows(sec.Body)
	if err != nil {
		return err
	}
	r.s.mem(sec.Table).table.Append(rows, v.ReceivedAt, v.Seq)
	r.grown += int64(len(sec.Body))
	return nil
}

func (r *replay) key(v *wal.FrameView, sec wal.Section, isNew bool) error {
	e := new(dedup.Entry)
	if rest, err := e.Decode(sec.Body); err != nil || len(rest) > 0 {
		return errors.Join(&errs.Corrupt{File: "BATCH_KEY section", Reason: "length does not fit"}, err)
	}
	if isNew {
		e.Seq = v.Seq
		r.s.keys.Commit(e)
	}
	return nil
}

// finish is the state to start with.
func (r *replay) finish(seq uint64) *state {
	r.st.seq = seq
	for id, m := range r.s.mems {
		r.s.note(m)
		t := *r.st.table(id)
		t.slabs = m.table.List()
		r.st.put(id, t.only())
	}
	r.s.dropTables(r.st)
	return r.st
}
