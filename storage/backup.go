package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/backup"
	"quern/storage/internal/delvec"
	"quern/storage/internal/failpoint"
	"quern/storage/internal/manifest"
	"quern/storage/internal/stage"
	"quern/storage/internal/wal"
	"quern/storage/vfs"
)

// BackupFile is a file of a backup.
type BackupFile = backup.File

// BackupDocument names the files of a backup and what they are.
type BackupDocument = backup.Document

// BackupTarget is a folder that takes a backup.
type BackupTarget = backup.Target

// BackupBytesMax bounds a document.
const BackupBytesMax = backup.DocBytesMax

// OpenBackupTarget opens a folder for a backup, making it if it is missing.
func OpenBackupTarget(fsys vfs.FS, dir string) (*BackupTarget, error) {
	return backup.OpenTarget(fsys, dir)
}

// DecodeBackup reads a document that came over the network.
func DecodeBackup(b []byte) (*BackupDocument, error) { return backup.Decode("the server's answer", b) }

// Restore makes a data folder of a backup and reads everything back. to must be
// missing or empty. Floors of retention apply at the folder's first start.
func Restore(fsys vfs.FS, from, to string) (*BackupDocument, error) {
	o := Options{FS: fsys}
	o.defaults()
	d, err := backup.Restore(fsys, from, to, wal.Options{FS: fsys, FileBytes: 256 << 10, // the first start makes its own
		Now: func() int64 { return o.Now().UnixMicro() }, Rand: o.Rand})
	if err != nil {
		return nil, err
	}
	problems, err := Check(fsys, to)
	if err == nil && len(problems) > 0 {
		err = &errs.Corrupt{File: problems[0].File, Offset: problems[0].Offset, Reason: problems[0].Reason}
	}
	return d, err
}

// backupTries bounds how often a backup starts over because files went while it
// copied them: bytes that must go are not held back by a backup.
const backupTries = 8

// Backup hands every file of one snapshot to put, and returns the document that
// names them. Rows in memory are handed over as segments. Segments in have are
// there already and are not handed over. Commits go on meanwhile.
func (s *Store) Backup(ctx context.Context, have []BackupFile, put func(rel string, length int64, r io.Reader) error) (*BackupDocument, error) {
	known := map[string]BackupFile{}
	for _, f := range have {
		known[f.Path] = f
	}
	for try := 1; ; try++ {
		d, err := s.backupOnce(ctx, known, put)
		if try < backupTries && vfs.IsNotExist(err) && ctx.Err() == nil {
			continue
		}
		return d, backup.Coded(err)
	}
}

func (s *Store) backupOnce(ctx context.Context, known map[string]BackupFile, put func(string, int64, io.Reader) error) (*BackupDocument, error) {
	t, err := s.beginBackup(ctx, known, put)
	if err != nil {
		return nil, err
	}
	defer t.snap.Close()
	for id := range t.snap.st.ords {
		table := t.snap.st.cat.Table(id)
		if table == nil {
			continue
		}
		if err := t.table(table); err != nil {
			return nil, fmt.Errorf("back up table %q: %w", table.Name, err)
		}
	}
	return t.doc, nil
}

// backupTake is one backup being taken.
type backupTake struct {
	s     *Store
	ctx   context.Context //nolint:containedctx // it lives as long as one call
	snap  *Snapshot
	doc   *BackupDocument
	known map[string]BackupFile
	put   func(string, int64, io.Reader) error
}

// beginBackup pins one state, and collects what outlives the log at its
// sequence.
func (s *Store) beginBackup(ctx context.Context, known map[string]BackupFile, put func(string, int64, io.Reader) error) (*backupTake, error) {
	// NB: background steps move batch keys into the manifest; between two of
	// them manifest and memory fit together.
	s.bg.mu.Lock()
	defer s.bg.mu.Unlock()
	t := &backupTake{s: s, ctx: ctx, known: known, put: put}
	st := s.man.State()
	var aux *manifest.Aux
	var auxErr error
	if err := s.do(func() {
		if auxErr = s.failure(); auxErr != nil {
			return // NB: after a failed sync nobody knows what is committed.
		}
		t.snap = s.Snapshot()
		aux, _, auxErr = s.captureAux()
	}); err != nil {
		return nil, err
	}
	if auxErr != nil {
		if t.snap != nil {
			t.snap.Close()
		}
		return nil, auxErr
	}
	seq := t.snap.Seq()
	st.Segments, st.Vectors, st.Retired = map[uint64]manifest.Segment{}, map[uint64]manifest.Vector{}, map[uint64]uint64{}
	st.Applied = map[uint32]uint64{}
	st.AuxSeq, st.Catalog, st.Stats, st.Counters = seq, aux.Catalog, aux.Stats, aux.Counters
	st.Keys = append(st.Keys, aux.Keys...)
	t.doc = &BackupDocument{Writer: s.opts.Writer, Created: s.nowMicros(), Seq: seq, State: st}
	return t, nil
}

func (t *backupTake) table(table *catalog.Table) error {
	ts := t.snap.st.table(table.ID)
	t.doc.State.Applied[table.ID] = t.doc.Seq
	floor, hasFloor := floorOf(table, t.doc.Created)
	for _, seg := range ts.segs {
		if seg.err != nil {
			return seg.err // A backup that lacks rows would be no backup.
		}
		if hasFloor && seg.meta.TimeMax < floor {
			continue
		}
		if err := t.segment(seg.meta, t.s.path(seg.meta.Path)); err != nil {
			return err
		}
		rows := ts.segDels[seg.meta.ID]
		if rows == nil || rows.IsEmpty() {
			continue
		}
		body, err := delvec.Encode(seg.meta.ID, t.doc.Seq, rows)
		if err != nil {
			return err
		}
		v := manifest.Vector{Seq: t.doc.Seq, Rows: int64(rows.GetCardinality()),
			Path: path.Join(path.Dir(seg.meta.Path), fmt.Sprintf("%016x.%016x.qdv", seg.meta.ID, t.doc.Seq))}
		if err := t.send(BackupFile{Path: v.Path, Length: int64(len(body))}, bytes.NewReader(body)); err != nil {
			return err
		}
		t.doc.State.Vectors[seg.meta.ID] = v
	}
	return t.memory(table, ts)
}

// memory hands over the rows of a MemTable as segments.
func (t *backupTake) memory(table *catalog.Table, ts *tableState) error {
	if ts.slabs.Rows() == 0 {
		return nil
	}
	f := &flushJob{slabs: ts.slabs, dels: ts.slabDels}
	j := stage.Job{Env: t.s.stageEnv(), Table: table, Slabs: ts.slabs, Deleted: f.deleted(), Reason: "backup"}
	j.Floor, j.HasFloor = floorOf(table, t.doc.Created)
	t.s.holdFolders(1)
	defer t.s.holdFolders(-1)
	// The folder's own log has the rows: these files are only for the backup.
	defer func() { j.Env.Discard(j.Added) }()
	if err := j.Write(t.ctx); err != nil {
		return err
	}
	// The target keeps these ids, which nothing else here names: after a crash they
	// must not be given to other rows, whose files would take the place of these.
	if err := t.keepIDs(); err != nil {
		return err
	}
	for _, m := range j.Added {
		if err := t.segment(m, t.s.path(m.Path)); err != nil {
			return err
		}
	}
	return nil
}

// keepIDs makes the counter of segment ids durable.
func (t *backupTake) keepIDs() error {
	s := t.s
	s.bg.mu.Lock()
	defer s.bg.mu.Unlock()
	if err := s.man.Append(&manifest.Edit{Kind: manifest.Note, NextSegment: s.bg.nextSegment.Load()}); err != nil {
		return s.ioError(err)
	}
	return nil
}

// segment hands over a segment's file, unless the target has it.
func (t *backupTake) segment(m manifest.Segment, file string) error {
	t.doc.State.Segments[m.ID] = m
	t.doc.State.NextSegment = max(t.doc.State.NextSegment, m.ID+1)
	f := BackupFile{Path: m.Path, Length: m.Length, CRC: m.TrailerCRC}
	if k, ok := t.known[m.Path]; ok && k.Length == f.Length && k.CRC == f.CRC && k.CRC != 0 {
		t.doc.Files = append(t.doc.Files, k)
		return nil
	}
	r, err := t.s.opts.FS.Open(file)
	if err != nil {
		return err
	}
	defer r.Close()
	return t.send(f, io.NewSectionReader(r, 0, m.Length))
}

func (t *backupTake) send(f BackupFile, r io.Reader) error {
	if err := t.ctx.Err(); err != nil {
		return errs.New(errs.QueryCanceled, "backup was canceled")
	}
	h := sha256.New()
	if err := t.put(f.Path, f.Length, io.TeeReader(r, h)); err != nil {
		return err
	}
	failpoint.Hit(failpoint.BackupAfterFile)
	f.SHA256 = hex.EncodeToString(h.Sum(nil))
	t.doc.Files = append(t.doc.Files, f)
	if f.CRC != 0 {
		t.known[f.Path] = f // If the backup has to start over.
	}
	return nil
}

// refuseBackup keeps a server from changing a backup.
func refuseBackup(fsys vfs.FS, dir string) error {
	is, err := backup.Exists(fsys, dir)
	if is {
		return errs.New(errs.ObjectNotInState, "folder %q holds a backup", dir).
			WithHint("Make a data folder of it with quern restore.")
	}
	return err
}
