package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
	"quern/storage/internal/stage"
	"quern/storage/internal/tally"
	"quern/storage/internal/wal"
)

// Load is the rows of a commit of any size, in bounded memory: they go into
// segments, synced and in their place, that no state shows. A Commit with it in
// Loads names them all in its frame (ATTACH sections): the whole load or
// nothing. A crash before that frame leaves files that the next start removes.
// The manifest learns of the segments afterwards (stepAttach); until then the
// log keeps the frame.
//
// A Load belongs to one goroutine and must be closed. Changes of the
// table until the Commit fail it (40001), new columns without default aside.
type Load struct {
	s       *Store
	pr      *preparer
	bufs    map[uint32]*stage.Buffer
	order   []uint32
	counted int64 // in the store's account of memory
	given   map[uint32][]uint32
	// attached are the finished segments, opened for the commit; shown those
	// opened for the transaction itself.
	attached []attachment
	shown    map[uint64]*segmentRef
	done     bool // the files belong to the state, or to the log
}

// StartLoad begins a load. Of c only Source, User and Ingest are used; cat has
// its tables, nil = the newest catalog.
func (s *Store) StartLoad(c *Commit, cat *catalog.Snapshot) (*Load, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	if cat == nil {
		cat = s.state.Load().cat
	}
	s.holdFolders(1)
	l := &Load{s: s, bufs: map[uint32]*stage.Buffer{}, given: map[uint32][]uint32{}, shown: map[uint64]*segmentRef{}}
	own := &Commit{Source: c.Source, User: c.User, Ingest: c.Ingest}
	l.pr = &preparer{s: s, c: own, cat: cat, now: s.nowMicros(), byTable: map[uint32]*tally.Counts{}, load: l}
	s.bg.loading.Add(1)
	return l, nil
}

// Add copies rows and rejects into the load; they are judged as Commit would. After
// an error the load can only be closed.
func (l *Load) Add(ctx context.Context, tr *TableRows, rejects []Reject) error {
	if err := l.s.failure(); err != nil {
		return err
	}
	if l.attached != nil {
		return errs.New(errs.Internal, "rows for a load that was committed")
	}
	l.pr.c.Rejects = rejects
	l.pr.rejects = append(l.pr.rejects[:0], rejects...)
	if tr != nil && len(tr.Batches) > 0 {
		if err := l.pr.table(tr); err != nil {
			return err
		}
	}
	if err := l.pr.quarantine(); err != nil {
		return err
	}
	return l.makeRoom(ctx)
}

// Renew lets the load know columns that were added to its tables.
func (l *Load) Renew() { l.pr.cat = l.s.state.Load().cat }

// add takes complete rows of one table; preparer.rows calls it.
func (l *Load) add(t *catalog.Table, rows *memtable.Rows, size int) {
	b := l.bufs[t.ID]
	if b == nil {
		b = &stage.Buffer{Env: l.s.stageEnv(), Table: t}
		l.bufs[t.ID] = b
		l.order = append(l.order, t.ID)
	}
	b.Table = t
	b.Add(rows, size, l.pr.now)
}

// note tells the store's account of memory what the load holds.
func (l *Load) note() {
	n := int64(0)
	for _, b := range l.bufs {
		n += b.Bytes()
	}
	l.s.bg.memBytes.Add(n - l.counted)
	l.counted = n
}

// piece is the size at which a piece is written: all loads together leave half of
// the memory for rows to commits that are small.
func (l *Load) piece() int64 {
	return l.s.opts.LoadBytes / max(1, l.s.bg.loading.Load())
}

// makeRoom writes a piece when it has its size, a smaller one when memory is
// short, and waits for others when it is full.
func (l *Load) makeRoom(ctx context.Context) error {
	l.note()
	used, rows := int64(0), 0
	for _, b := range l.bufs {
		used += b.Used()
		rows = max(rows, b.Rows())
	}
	o := &l.s.opts
	piece := l.piece()
	short := l.s.bg.memBytes.Load() > o.MemBytesMax/10*7
	full := l.s.bg.memBytes.Load() > o.MemBytesMax
	if used >= piece || rows >= o.FlushRows || short && used >= piece/4 || full {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	if full {
		return l.s.waitForRoom(ctx, 0)
	}
	return nil
}

// flush writes what lies in memory. One load at a time does so: a piece takes
// about its own size again while it is sorted and encoded.
func (l *Load) flush(ctx context.Context) error {
	select {
	case l.s.bg.building <- struct{}{}:
		defer func() { <-l.s.bg.building }()
	case <-ctx.Done():
		return errs.New(errs.QueryCanceled, "canceling statement due to user request")
	}
	piece := l.piece()
	for _, id := range l.order {
		if err := l.bufs[id].Flush(ctx); err != nil {
			return err
		}
		if l.s.bg.memBytes.Load() > l.s.opts.MemBytesMax/10*7 || l.bufs[id].Bytes() > 2*piece {
			l.bufs[id].Release()
		}
	}
	l.note()
	l.s.madeRoom()
	return nil
}

// finish writes the rest and opens the files, so that what cannot be read back
// is never committed.
func (l *Load) finish(ctx context.Context) error {
	if err := l.flush(ctx); err != nil || l.attached != nil {
		return err
	}
	for _, id := range l.order {
		a := attachment{table: id}
		for _, m := range l.bufs[id].Segments {
			ref := l.s.openSegment(m)
			ref.logOnly.Store(true)
			a.refs = append(a.refs, ref)
			if ref.err != nil {
				l.attached = append(l.attached, a)
				return &errs.Error{Code: errs.IO, Msg: "a segment of a load cannot be read back: " + ref.err.Error(), Err: ref.err}
			}
		}
		l.attached = append(l.attached, a)
	}
	return nil
}

// loads adds the ATTACH sections of a commit, and the counts of its loads.
func (pr *preparer) loads() error {
	for _, l := range pr.c.Loads {
		for _, a := range l.attached {
			t := pr.cat.Table(a.table)
			if t == nil || !stage.Fits(l.bufs[a.table].Table, t) {
				return errs.New(errs.SerializationFailure, "the definition of the table changed while rows were being loaded").
					WithHint("Load them again.")
			}
			body, err := json.Marshal(l.bufs[a.table].Segments)
			if err != nil {
				return fmt.Errorf("encode ATTACH section: %w", err)
			}
			if !pr.s.opts.mutations.AttachNotInFrame {
				pr.p.frame.Add(wal.Attach, a.table, body, nil)
			}
			pr.counters(a.table, l.given[a.table])
			a.version = t.Version
			pr.p.attached = append(pr.p.attached, a)
		}
		for _, id := range l.pr.order {
			pr.counts(id).Add(l.pr.byTable[id])
		}
	}
	return nil
}

// settleLoads decides whose the files are after a commit that ended with err.
func (s *Store) settleLoads(c *Commit, err error) {
	for _, l := range c.Loads {
		l.done = l.done || err == nil || s.failure() != nil || errors.Is(err, errShutdown)
	}
}

// Close removes what was not committed. It may be called again.
func (l *Load) Close() {
	if l.pr == nil {
		return
	}
	for _, r := range l.shown {
		_ = r.close() // It was only read.
	}
	if !l.done {
		for _, a := range l.attached {
			for _, r := range a.refs {
				_ = r.close()
			}
		}
		for _, b := range l.bufs {
			b.Env.Discard(b.Segments)
		}
	}
	for _, b := range l.bufs {
		b.Lend()
	}
	if l.s.bg.loading.Add(-1) == 0 {
		l.s.nudgeMerges() // which waited
	}
	l.bufs, l.pr = nil, nil
	l.note()
	l.s.holdFolders(-1)
	l.s.madeRoom()
}

// show gives the rows of the load so far to the transaction that has it.
func (l *Load) show(d *Snapshot) error {
	for id, b := range l.bufs {
		for _, m := range b.Segments {
			r := l.shown[m.ID]
			if r == nil {
				r = l.s.openSegment(m)
				l.shown[m.ID] = r
			}
			d.staged[id] = append(d.staged[id], r)
		}
		d.private[id] = append(d.private[id], b.List()...)
	}
	return nil
}

// attachment is the segments of one table that a frame brings.
type attachment struct {
	table   uint32
	version uint32 // of the schema that they fit
	refs    []*segmentRef
}

// attach shows the segments of a frame. It runs in the committer.
func (s *Store) attach(next *state, a *attachment, seq uint64) {
	for _, r := range a.refs {
		r.meta.SeqMin, r.meta.SeqMax, r.meta.AllSeq = seq, seq, seq
		r.file.SetSeq(seq)
	}
	t := *next.table(a.table)
	t.segs = append(append([]*segmentRef(nil), t.segs...), a.refs...)
	next.put(a.table, &t)
	s.bg.attached = append(s.bg.attached, a.refs...)
}

// stepAttach tells the manifest of segments that only the log names. No other
// edit may be about them before.
func (s *Store) stepAttach(context.Context) (bool, error) {
	var list []*segmentRef
	if err := s.do(func() { list = s.bg.attached }); err != nil || len(list) == 0 {
		return false, err
	}
	edit := &manifest.Edit{Kind: manifest.Attached}
	for _, r := range list {
		edit.Added = append(edit.Added, r.meta)
	}
	if err := s.man.Append(edit); err != nil {
		return false, s.ioError(err)
	}
	for _, r := range list {
		r.logOnly.Store(false)
	}
	return true, s.do(func() { s.bg.attached = s.bg.attached[len(list):] })
}

// decodeAttach reads an ATTACH section; rows are those of frame seq.
func decodeAttach(sec wal.Section, seq uint64) ([]manifest.Segment, error) {
	var list []manifest.Segment
	if err := json.Unmarshal(sec.Body, &list); err != nil {
		return nil, &errs.Corrupt{File: "ATTACH section", Reason: err.Error()}
	}
	for i := range list {
		m := &list[i]
		if m.Table != sec.Table || m.Rows <= 0 || m.Path == "" {
			return nil, &errs.Corrupt{File: "ATTACH section", Reason: fmt.Sprintf("segment %d does not fit", m.ID)}
		}
		m.SeqMin, m.SeqMax, m.AllSeq = seq, seq, seq
	}
	return list, nil
}

// attach replays an ATTACH section: of segments that the manifest knows,
// nothing.
func (r *replay) attach(v *wal.FrameView, sec wal.Section, isNew bool) error {
	list, err := decodeAttach(sec, v.Seq)
	if err != nil {
		return err
	}
	for _, m := range list {
		_, live := r.m.Segments[m.ID]
		_, retired := r.m.Retired[m.ID]
		if live || retired {
			continue
		}
		if r.st.cat.Table(m.Table) == nil {
			if isNew {
				return &errs.Corrupt{File: "ATTACH section", Reason: fmt.Sprintf("unknown table %d", m.Table)}
			}
			continue // dropped later
		}
		ref := r.s.openSegment(m)
		ref.logOnly.Store(true)
		t := *r.st.table(m.Table)
		t.segs = append(append([]*segmentRef(nil), t.segs...), ref)
		r.st.put(m.Table, &t)
		r.s.bg.attached = append(r.s.bg.attached, ref)
		// NB: r.m is a copy: later sections, and the search for files that
		// nothing names, see the segment.
		r.m.Segments[m.ID] = m
		r.m.NextSegment = max(r.m.NextSegment, m.ID+1)
		r.s.bg.nextSegment.Store(max(r.s.bg.nextSegment.Load(), m.ID+1))
	}
	return nil
}

// attached notes the segments that only the log names, for the check of files.
func (c *checker) attached(m *manifest.State, sec wal.Section, seq uint64) error {
	list, err := decodeAttach(sec, seq)
	for _, a := range list {
		_, retired := m.Retired[a.ID]
		if _, live := m.Segments[a.ID]; !live && !retired {
			m.Segments[a.ID] = a
		}
	}
	return err
}

func checkKey(k *BatchKey) error {
	if k != nil && (len(k.Key) == 0 || len(k.Key) > 256) {
		return errs.New(errs.InvalidParameterValue, "batch key must have 1 to 256 bytes")
	}
	return nil
}
