package wal

import (
	"fmt"
	"hash/crc32"
	"path"
	"sync"

	"quern/storage/errs"
	"quern/storage/internal/failpoint"
	"quern/storage/vfs"
)

// Options configure a Log.
type Options struct {
	FS  vfs.FS
	Dir string // exists, with a subdirectory spare
	// FileBytes is the size of a file; a larger group gets a file of its own.
	FileBytes int64
	// SparesMax is how many zeroed files are kept for reuse.
	SparesMax int
	Now       func() int64  // µs since 1970
	Rand      func() uint64 // salts
	// DurableSeqZero plants a bug for the proof that the crash harness works.
	DurableSeqZero bool
}

func (o *Options) defaults() {
	if o.FileBytes == 0 {
		o.FileBytes = 64 << 20
	}
	if o.SparesMax == 0 {
		o.SparesMax = 4
	}
	o.FileBytes = roundUp(max(o.FileBytes, 4*align), align)
}

// FileInfo describes one file of the log.
type FileInfo struct {
	Number   uint64
	FirstSeq uint64
	LastSeq  uint64 // 0 for no frame
	Bytes    int64  // used, header included
	Created  int64  // µs
}

// Log is the open log. Append, Sync and Cover belong to one committer
// goroutine; Files, Retire and PrepareSpare may be called by others.
type Log struct {
	opts Options

	// Owned by the committer.
	f          vfs.File
	salt       uint64
	off        int64 // where the next group goes
	length     int64 // of the current file
	nextSeq    uint64
	durableSeq uint64
	writtenSeq uint64 // last sequence handed to WriteAt
	uncovered  bool   // the last group holds rows and no later frame
	group      uint64
	prevCRC    uint32
	buf        []byte
	failed     error // sticky: after a failed sync nothing may be written

	mu     sync.Mutex // guards files, spares
	files  []FileInfo // the last one is current
	spares []string
}

// Create starts the log in the new file number with first sequence nextSeq.
// old lists earlier files that are still needed. It removes spares of an
// earlier run: after a crash one of them may be a second name of a live file.
func Create(opts Options, number, nextSeq uint64, old []FileInfo) (*Log, error) {
	opts.defaults()
	l := &Log{opts: opts, nextSeq: nextSeq, durableSeq: nextSeq - 1, writtenSeq: nextSeq - 1, files: old}
	if err := l.clearSpares(); err != nil {
		return nil, err
	}
	if err := l.startFile(number, 0); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Log) clearSpares() error {
	names, err := l.opts.FS.List(path.Join(l.opts.Dir, "spare"))
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := l.opts.FS.Remove(path.Join(l.opts.Dir, "spare", n)); err != nil {
			return err
		}
	}
	return l.opts.FS.SyncDir(path.Join(l.opts.Dir, "spare"))
}

// NextSeq is the sequence of the next frame.
func (l *Log) NextSeq() uint64 { return l.nextSeq }

// Append writes frames as one group and sets their sequences. They are neither
// durable nor acknowledged before Sync. After an error for which
// vfs.IsNoSpace holds nothing has changed and Append may be tried again; any
// other error is final.
func (l *Log) Append(frames []*Frame) error {
	if l.failed != nil {
		return l.failed
	}
	need := int64(0)
	for _, f := range frames {
		if len(f.buf) > sectionBytesMax {
			return errs.New(errs.ProgramLimit, "commit of %d bytes exceeds the limit of %d", len(f.buf), sectionBytesMax)
		}
		need += int64(len(f.buf))
	}
	need = roundUp(need, align)
	if l.off+need > l.length {
		if err := l.roll(need); err != nil {
			return l.fail(err)
		}
	}
	crc := l.encodeGroup(frames)
	failpoint.Hit(failpoint.WALBeforeWrite)
	if _, err := l.f.WriteAt(l.buf, l.off); err != nil {
		return l.fail(err)
	}
	failpoint.Hit(failpoint.WALAfterWrite)
	l.off += int64(len(l.buf))
	l.prevCRC = crc
	l.nextSeq += uint64(len(frames))
	l.writtenSeq = l.nextSeq - 1
	l.group++
	l.uncovered = false
	for _, f := range frames {
		l.uncovered = l.uncovered || f.sections > 0
	}
	l.noteUse()
	return nil
}

// fail makes every error but a full disk final.
func (l *Log) fail(err error) error {
	if l.failed == nil && !vfs.IsNoSpace(err) {
		l.failed = err
	}
	return err
}

// Failed is the final error, nil if there is none.
func (l *Log) Failed() error { return l.failed }

// encodeGroup fills l.buf and returns the header crc of its last frame.
func (l *Log) encodeGroup(frames []*Frame) uint32 {
	l.buf = l.buf[:0]
	prev := l.prevCRC
	for i, f := range frames {
		f.Seq = l.nextSeq + uint64(i)
		start := len(l.buf)
		l.buf = append(l.buf, f.buf...)
		h := frameHeader{
			seq: f.Seq, durableSeq: l.durableSeq, group: l.group, payloadCRC: f.crc, prevCRC: prev,
			sections: f.sections, receivedAt: f.ReceivedAt, rawBytes: f.rawBytes,
		}
		if l.opts.DurableSeqZero {
			h.durableSeq = 0
		}
		if i == len(frames)-1 {
			h.flags |= flagLast
			pad := int(roundUp(int64(len(l.buf)), align)) - len(l.buf)
			l.buf = append(l.buf, zeros[:pad]...)
			h.payloadCRC = crc32.Update(h.payloadCRC, castagnoli, zeros[:pad])
		}
		h.payload = uint32(len(l.buf) - start - frameHeaderBytes)
		prev = h.encode(l.buf[start:], l.salt)
	}
	return prev
}

var zeros [align]byte

// Sync makes everything appended so far durable. A failure is final: the
// kernel may have dropped the pages, and a second sync would report success.
func (l *Log) Sync() error {
	if l.failed != nil {
		return l.failed
	}
	if err := l.f.SyncData(); err != nil {
		l.failed = fmt.Errorf("sync WAL: %w", err)
		return l.failed
	}
	failpoint.Hit(failpoint.WALAfterSync)
	l.durableSeq = l.writtenSeq
	return nil
}

// NeedsCover says whether the last group is not covered by a later frame.
func (l *Log) NeedsCover() bool { return l.uncovered && l.failed == nil }

// Cover writes and syncs an empty frame: from then on damage to the last group
// with rows can be told from a torn write.
func (l *Log) Cover() error {
	f := NewFrame(l.opts.Now(), nil)
	f.Seal()
	if err := l.Append([]*Frame{f}); err != nil {
		return err
	}
	return l.Sync()
}

// Roll starts a new file if the current one has frames, so that the old one
// can be retired. Only the committer may call it, with everything synced.
func (l *Log) Roll() error {
	if l.failed != nil {
		return l.failed
	}
	if l.off == fileHeaderBytes {
		return nil
	}
	if err := l.roll(0); err != nil {
		return l.fail(err)
	}
	return nil
}

// roll starts the next file. The current one is synced: one group is durable
// before the next is written.
func (l *Log) roll(need int64) error {
	old, last := l.f, l.currentNumber()
	if err := l.startFile(last+1, need); err != nil {
		return err
	}
	return old.Close()
}

func (l *Log) currentNumber() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.files[len(l.files)-1].Number
}

// startFile makes file number current. The file appears under its name only
// complete: preallocated, with its header, synced.
func (l *Log) startFile(number uint64, need int64) error {
	length := max(l.opts.FileBytes, fileHeaderBytes+need)
	h := fileHeader{number: number, salt: l.opts.Rand(), firstSeq: l.nextSeq, created: l.opts.Now(), length: uint64(length)}
	name := fileName(l.opts.Dir, number)
	f, tmp, err := l.takeSpare(length)
	if err != nil {
		return err
	}
	if err := l.publishFile(f, tmp, name, &h); err != nil {
		_ = f.Close()
		_ = l.opts.FS.Remove(tmp) // The first error is the one to report.
		return err
	}
	l.f, l.salt, l.off, l.length, l.prevCRC = f, h.salt, fileHeaderBytes, length, 0
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = append(l.files, FileInfo{Number: number, FirstSeq: l.nextSeq, Bytes: fileHeaderBytes, Created: h.created})
	return nil
}

func (l *Log) publishFile(f vfs.File, tmp, name string, h *fileHeader) error {
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := l.opts.FS.Rename(tmp, name); err != nil {
		return l.finalIfThere(name, err)
	}
	if err := l.opts.FS.SyncDir(path.Dir(tmp)); err != nil {
		return l.finalIfThere(name, err)
	}
	if err := l.opts.FS.SyncDir(l.opts.Dir); err != nil {
		return l.finalIfThere(name, err)
	}
	return nil
}

// finalIfThere makes err final if the new file has its name: a replay would
// take its first sequence for the end of the file before, so nothing may be
// added to that one any more.
func (l *Log) finalIfThere(name string, err error) error {
	if _, statErr := l.opts.FS.Stat(name); !vfs.IsNotExist(statErr) {
		l.failed = fmt.Errorf("start WAL file: %w", err)
	}
	return err
}

func (l *Log) noteUse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	cur := &l.files[len(l.files)-1]
	cur.LastSeq, cur.Bytes = l.writtenSeq, l.off
}

// Files lists the files, oldest first; the last one is being written.
func (l *Log) Files() []FileInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]FileInfo(nil), l.files...)
}

// UsedBytes is what all files hold together, zeros behind the end left out.
func (l *Log) UsedBytes() (n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.files {
		n += l.files[i].Bytes
	}
	return n
}

// Close closes the current file. It syncs nothing.
func (l *Log) Close() error { return l.f.Close() }
