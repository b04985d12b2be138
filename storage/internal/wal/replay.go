package wal

import (
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"quern/storage/errs"
	"quern/storage/vfs"
)

// FrameView is one frame during replay.
type FrameView struct {
	File       uint64
	Offset     int64
	Seq        uint64
	ReceivedAt int64

	name     string
	payload  []byte
	sections uint16
}

// Bytes is the length of the frame in its file.
func (v *FrameView) Bytes() int64 { return frameHeaderBytes + int64(len(v.payload)) }

// Empty says that the frame has no section: it only covers the one before.
func (v *FrameView) Empty() bool { return v.sections == 0 }

// Sections calls fn for each section. An error that is no error of fn is
// damage.
func (v *FrameView) Sections(fn func(Section) error) error {
	return v.SectionsOf(0, fn)
}

// SectionsOf is Sections for those of one kind; the others are not unpacked.
func (v *FrameView) SectionsOf(kind Kind, fn func(Section) error) error {
	err := eachSection(v.payload, v.sections, kind, fn)
	if s, ok := err.(errSections); ok {
		return &errs.Corrupt{File: v.name, Offset: v.Offset, Reason: fmt.Sprintf("frame %d: %s", v.Seq, s.Error())}
	}
	return err
}

// Tail says where a replayed log ends.
type Tail struct {
	NextSeq  uint64 // of the next frame
	NextFile uint64 // number for the next file
	Files    []FileInfo
	// Torn says that a group that was never synced was cut off.
	Torn bool
}

// Replay reads the files from floorFile on, whose first sequence is floorSeq,
// and calls fn for each frame in order. It writes nothing. Damage to frames
// that were acknowledged is errs.Corrupt.
func Replay(fsys vfs.FS, dir string, floorFile, floorSeq uint64, fn func(*FrameView) error) (Tail, error) {
	numbers, err := listFiles(fsys, dir)
	if err != nil {
		return Tail{}, err
	}
	i, _ := slices.BinarySearch(numbers, floorFile)
	numbers = numbers[i:]
	t := Tail{NextSeq: floorSeq, NextFile: floorFile}
	if len(numbers) == 0 {
		return t, &errs.Corrupt{File: fileName(dir, floorFile), Reason: "WAL file is missing"}
	}
	r := replayer{fsys: fsys, dir: dir, tail: &t, fn: fn}
	for i, n := range numbers {
		if n != t.NextFile {
			return t, &errs.Corrupt{File: fileName(dir, t.NextFile), Reason: "WAL file is missing"}
		}
		if err := r.file(n, i == len(numbers)-1); err != nil {
			return t, err
		}
		t.NextFile = n + 1
	}
	return t, nil
}

type replayer struct {
	fsys vfs.FS
	dir  string
	tail *Tail
	fn   func(*FrameView) error

	name string
	buf  []byte
	salt uint64
	// bad is where the previous file stopped being readable, with the file's
	// rest searched already: the next file's first sequence decides.
	badFile string
	badOff  int64
	badSeq  uint64
}

// file replays one file.
func (r *replayer) file(number uint64, last bool) error {
	r.name = fileName(r.dir, number)
	h, err := r.load()
	if err != nil {
		return err
	}
	if h.number != number {
		return &errs.Corrupt{File: r.name, Offset: 16, Reason: fmt.Sprintf("header belongs to WAL file %d", h.number)}
	}
	if h.firstSeq != r.tail.NextSeq {
		return r.missing(h.firstSeq)
	}
	r.salt = h.salt
	info := FileInfo{Number: number, FirstSeq: h.firstSeq, Created: h.created}
	off, err := r.frames(number, &info)
	if err != nil {
		return err
	}
	info.Bytes = off
	r.tail.Files = append(r.tail.Files, info)
	r.badFile, r.badOff, r.badSeq = r.name, off, r.tail.NextSeq
	return r.checkTail(off, last)
}

// missing reports frames that the next file proves to have existed.
func (r *replayer) missing(firstSeq uint64) error {
	if r.badFile == "" {
		return &errs.Corrupt{File: r.name, Offset: 32,
			Reason: fmt.Sprintf("first sequence is %d, expected %d", firstSeq, r.tail.NextSeq)}
	}
	return &errs.Corrupt{File: r.badFile, Offset: r.badOff,
		Reason: fmt.Sprintf("acknowledged frame %d is damaged (the next file begins with %d)", r.badSeq, firstSeq)}
}

// frames replays frames up to the first bad one and returns its offset.
func (r *replayer) frames(number uint64, info *FileInfo) (int64, error) {
	off, prev := int64(fileHeaderBytes), uint32(0)
	for {
		h, payload, ok := r.frame(off, prev)
		if !ok {
			return off, nil
		}
		view := FrameView{File: number, Offset: off, Seq: h.seq, ReceivedAt: h.receivedAt,
			name: r.name, payload: payload, sections: h.sections}
		if err := r.fn(&view); err != nil {
			return off, err
		}
		off += frameHeaderBytes + int64(h.payload)
		prev = h.crc
		info.LastSeq = h.seq
		r.tail.NextSeq = h.seq + 1
	}
}

// frame returns the frame at off if it is whole and in its place.
func (r *replayer) frame(off int64, prev uint32) (h frameHeader, payload []byte, ok bool) {
	if off+frameHeaderBytes > int64(len(r.buf)) {
		return h, nil, false
	}
	h, ok = decodeFrameHeader(r.buf[off:], r.salt)
	if !ok || h.seq != r.tail.NextSeq || h.prevCRC != prev {
		return h, nil, false
	}
	rest := r.buf[off+frameHeaderBytes:]
	if int64(h.payload) > int64(len(rest)) || h.payload%8 != 0 {
		return h, nil, false
	}
	payload = rest[:h.payload:h.payload]
	return h, payload, crc32.Checksum(payload, castagnoli) == h.payloadCRC
}

// checkTail decides what the bytes from the first bad frame on mean.
func (r *replayer) checkTail(off int64, last bool) error {
	n := r.tail.NextSeq
	for ; off+frameHeaderBytes <= int64(len(r.buf)); off += 8 {
		if le.Uint32(r.buf[off:]) != frameMagicWord {
			continue
		}
		h, ok := decodeFrameHeader(r.buf[off:], r.salt)
		if !ok {
			continue
		}
		if h.durableSeq >= n {
			return &errs.Corrupt{File: r.name, Offset: r.badOff,
				Reason: fmt.Sprintf("acknowledged frame %d is damaged (frame %d at offset %d proves it)", n, h.seq, off)}
		}
		r.tail.Torn = r.tail.Torn || last
	}
	return nil
}

// load reads the file r.name into r.buf and checks its header.
func (r *replayer) load() (fileHeader, error) {
	f, err := r.fsys.Open(r.name)
	if err != nil {
		return fileHeader{}, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return fileHeader{}, err
	}
	if int64(cap(r.buf)) < size {
		r.buf = make([]byte, size)
	}
	r.buf = r.buf[:size]
	if n, err := f.ReadAt(r.buf, 0); err != nil && (err != io.EOF || int64(n) != size) {
		return fileHeader{}, err
	}
	return decodeFileHeader(r.name, r.buf, size)
}

// SyncTail makes the last replayed file durable: after a kill its frames may
// still be in the page cache only, and they count as committed from now on.
func SyncTail(fsys vfs.FS, dir string, t Tail) error {
	if len(t.Files) == 0 {
		return nil
	}
	f, err := fsys.OpenReadWrite(fileName(dir, t.Files[len(t.Files)-1].Number))
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

// HasFiles says whether dir holds any WAL file.
func HasFiles(fsys vfs.FS, dir string) (bool, error) {
	numbers, err := listFiles(fsys, dir)
	return len(numbers) > 0, err
}

func listFiles(fsys vfs.FS, dir string) ([]uint64, error) {
	names, err := fsys.List(dir)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, base := range names {
		if n, ok := parseFileName(base); ok {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out, nil
}
