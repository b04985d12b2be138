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
	"quern/storage/internal/wal"
)

// Load is a commit of any size in bounded memory. Rows go into segments, synced
// and in their place, that no state shows; Commit names them all in one frame
// (ATTACH section) with the batch key, the quarantined rows and the counts: the
// whole load or nothing. A crash before that frame leaves files that the next
// start removes. The manifest learns of the segments afterwards (stepAttach);
// until then the log keeps the frame.
//
// A Load belongs to one goroutine and must be closed. The table must exist; a
// change of its definition until Commit fails the load (40001).
type Load struct {
	s       *Store
	pr      *preparer
	bufs    map[uint32]*stage.Buffer
	order   []uint32
	counted int64 // in the store's account of memory
	given   map[uint32][]uint32
	done    bool
}

// StartLoad begins a load. Of c only Source, User, Ingest, Refused and (at
// Commit) Key are used.
func (s *Store) StartLoad(c *Commit) (*Load, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	s.bg.foldersMu.Lock()
	s.bg.loads++
	s.bg.foldersMu.Unlock()
	l := &Load{s: s, bufs: map[uint32]*stage.Buffer{}, given: map[uint32][]uint32{}}
	l.pr = &preparer{s: s, c: c, cat: s.state.Load().cat, now: s.nowMicros(), byTable: map[uint32]*counts{}, load: l,
		p: &pending{source: c.Source, done: make(chan struct{})}}
	return l, nil
}

// Add takes rows and rejects of the load in, as Commit would take them. After an
// error the load can only be closed.
func (l *Load) Add(ctx context.Context, tr *TableRows, rejects []Reject) error {
	if err := l.s.failure(); err != nil {
		return err
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

// add takes complete rows of one table; preparer.rows calls it.
func (l *Load) add(t *catalog.Table, rows *memtable.Rows) {
	b := l.bufs[t.ID]
	if b == nil {
		b = &stage.Buffer{Env: l.s.stageEnv(), Table: t}
		l.bufs[t.ID] = b
		l.order = append(l.order, t.ID)
	}
	b.Add(rows, l.pr.now)
}

// note tells the store's account of memory what the load holds.
func (l *Load) note() int64 {
	n := int64(0)
	for _, b := range l.bufs {
		n += b.Bytes()
	}
	l.s.bg.memBytes.Add(n - l.counted)
	l.counted = n
	return n
}

// makeRoom writes a piece when it has its size, a smaller one when memory is
// short, and waits for others when it is full.
func (l *Load) makeRoom(ctx context.Context) error {
	held, rows := l.note(), 0
	for _, b := range l.bufs {
		rows = max(rows, b.Rows())
	}
	o := &l.s.opts
	short := l.s.bg.memBytes.Load() > o.MemBytesMax/10*7
	full := l.s.bg.memBytes.Load() > o.MemBytesMax
	if held >= o.LoadBytes || rows >= o.FlushRows || short && held >= o.LoadBytes/4 || full {
		if err := l.flush(ctx); err != nil {
			return err
		}
	}
	if full {
		return l.s.waitForRoom(ctx)
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
	for _, id := range l.order {
		if err := l.bufs[id].Flush(ctx); err != nil {
			return err
		}
	}
	l.note()
	l.s.madeRoom()
	return nil
}

// Commit makes the load durable, then visible: see Store.Commit, also for key.
func (l *Load) Commit(ctx context.Context, key *BatchKey) (Outcome, error) {
	if err := checkKey(key); err != nil {
		return Outcome{}, err
	}
	l.pr.c.Key = key
	if key != nil {
		known, err := l.s.keys.Claim(ctx, dedupKey(key), key.Digest)
		if err != nil {
			return Outcome{}, err
		}
		if known != nil {
			return l.s.replayed(l.pr.c, known), nil
		}
		defer l.s.keys.Release(dedupKey(key))
	}
	if err := l.flush(ctx); err != nil {
		return Outcome{}, err
	}
	p, err := l.frame()
	if err != nil {
		return Outcome{}, err
	}
	if err := l.s.submit(ctx, p); err != nil {
		closeAttached(p)
		return Outcome{}, err
	}
	if !l.s.await(p) {
		l.done = true // the frame may be in the log
		return Outcome{}, errShutdown
	}
	if p.err == nil || l.s.failure() != nil {
		l.done = true
	} else {
		closeAttached(p)
	}
	if errors.Is(p.err, errTableMoved) {
		return Outcome{}, errs.New(errs.SerializationFailure, "the definition of the table changed while rows were being loaded").
			WithHint("Load them again.")
	}
	return p.outcome, p.err
}

// frame builds the frame of the load and opens its files.
func (l *Load) frame() (*pending, error) {
	p := l.pr.p
	p.frame = wal.NewFrame(l.s.nowMicros(), nil)
	for _, id := range l.order {
		b := l.bufs[id]
		body, err := json.Marshal(b.Segments)
		if err != nil {
			return nil, fmt.Errorf("encode ATTACH section: %w", err)
		}
		if !l.s.opts.mutations.AttachNotInFrame {
			p.frame.Add(wal.Attach, id, body, nil)
		}
		if cols := l.given[id]; len(cols) > 0 {
			l.pr.counters(id, cols)
		}
		a := attachment{table: id, version: b.Table.Version}
		for _, m := range b.Segments {
			ref := l.s.openSegment(m)
			ref.logOnly = true
			a.refs = append(a.refs, ref)
		}
		p.attached = append(p.attached, a)
	}
	for _, a := range p.attached {
		for _, r := range a.refs {
			if r.err != nil {
				closeAttached(p)
				return nil, &errs.Error{Code: errs.IO, Msg: "a segment of the load cannot be read back: " + r.err.Error(), Err: r.err}
			}
		}
	}
	l.pr.c.Rejects = nil
	l.pr.count()
	p.frame.Seal()
	return p, nil
}

func closeAttached(p *pending) {
	for _, a := range p.attached {
		for _, r := range a.refs {
			_ = r.close() // It was only opened to be checked.
		}
	}
}

// Close removes what was not committed. It may be called after Commit.
func (l *Load) Close() {
	if l.pr == nil {
		return
	}
	for _, b := range l.bufs {
		if !l.done {
			b.Env.Discard(b.Segments)
		}
	}
	l.bufs, l.pr = nil, nil
	l.note()
	l.s.bg.foldersMu.Lock()
	l.s.bg.loads--
	l.s.bg.foldersMu.Unlock()
	l.s.madeRoom()
}

// attachment is the segments of one table that a frame brings.
type attachment struct {
	table   uint32
	version uint32 // of the schema that they were made for
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
		r.logOnly = false
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
		ref.logOnly = true
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
