package spill

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"path"
	"sync"
	"sync/atomic"

	"quern/storage/errs"
	"quern/storage/vfs"
)

// Options of a Disk.
type Options struct {
	FS  vfs.FS
	Dir string
	// Max bounds the bytes of all queries together; 0 = half of what is free.
	// QueryMax bounds those of one query; 0 = Max.
	Max, QueryMax int64
	Rand          io.Reader // of the key
}

// Disk is where the queries of a process spill. Safe for concurrent use.
type Disk struct {
	o      Options
	cipher cipher.Block
	used   atomic.Int64
	files  atomic.Uint64
}

// NewDisk makes a Disk. It touches no file.
func NewDisk(o Options) (*Disk, error) {
	var key [32]byte
	if _, err := io.ReadFull(o.Rand, key[:]); err != nil {
		return nil, fmt.Errorf("key of spill files: %w", err)
	}
	c, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("key of spill files: %w", err)
	}
	return &Disk{o: o, cipher: c}, nil
}

// Used is the number of bytes in files now.
func (d *Disk) Used() int64 { return d.used.Load() }

// Space is one query's part of a Disk. Safe for concurrent use.
type Space struct {
	d     *Disk
	used  atomic.Int64
	total atomic.Int64

	mu     sync.Mutex
	files  map[*File]struct{}
	closed bool
}

// NewSpace makes an empty space.
func (d *Disk) NewSpace() *Space { return &Space{d: d, files: map[*File]struct{}{}} }

// Total is the number of bytes written so far, those of closed files included.
func (s *Space) Total() int64 { return s.total.Load() }

// Close ends all files. It may be called more than once.
func (s *Space) Close() {
	s.mu.Lock()
	files := s.files
	s.files, s.closed = nil, true
	s.mu.Unlock()
	for f := range files {
		f.end()
	}
}

// grow counts n more bytes.
func (s *Space) grow(n int64) error {
	if q := s.d.o.QueryMax; q > 0 && s.used.Load()+n > q {
		return errLimit(q, "statement")
	}
	limit := s.d.o.Max
	if limit == 0 {
		free, err := s.d.o.FS.Free(s.d.o.Dir)
		if err != nil {
			return fmt.Errorf("free space of %s: %w", s.d.o.Dir, err)
		}
		limit = (free + s.d.used.Load()) / 2
	}
	if s.d.used.Add(n) > limit {
		s.d.used.Add(-n)
		return errLimit(limit, "server")
	}
	s.used.Add(n)
	s.total.Add(n)
	return nil
}

func errLimit(limit int64, of string) error {
	return errs.New(errs.ConfigurationLimit, "temporary file size exceeds the limit of the %s (%d kB)", of, limit>>10)
}

// File is an append-only file. Append and read may be called concurrently.
type File struct {
	s    *Space
	f    vfs.File
	id   uint64
	name string // "" if it has no name any more
	tail atomic.Int64
	// counted are the bytes that the limits know of; it grows in steps, because
	// asking for free space is a system call.
	mu      sync.Mutex
	counted int64
}

// countStep is the granularity at which the limits are asked.
const countStep = 8 << 20

// Create makes a file of the space.
func (s *Space) Create() (*File, error) {
	id := s.d.files.Add(1)
	name := path.Join(s.d.o.Dir, fmt.Sprintf("spill-%d", id))
	f := &File{s: s, id: id}
	var err error
	if f.f, err = s.d.o.FS.Create(name); err != nil {
		return nil, writeError(err)
	}
	if s.d.o.FS.Remove(name) != nil {
		f.name = name
	}
	s.mu.Lock()
	ok := !s.closed
	if ok {
		s.files[f] = struct{}{}
	}
	s.mu.Unlock()
	if !ok {
		f.end()
		return nil, errs.New(errs.QueryCanceled, "canceling statement due to user request")
	}
	return f, nil
}

// Close frees the file; its Runs must not be used any more.
func (f *File) Close() {
	if f == nil {
		return
	}
	f.s.mu.Lock()
	_, open := f.s.files[f]
	delete(f.s.files, f)
	f.s.mu.Unlock()
	if open {
		f.end()
	}
}

func (f *File) end() {
	// Nobody reads it again: an error has no meaning.
	_ = f.f.Close()
	if f.name != "" {
		_ = f.s.d.o.FS.Remove(f.name)
	}
	f.mu.Lock()
	n := f.counted
	f.counted = 0
	f.mu.Unlock()
	f.s.used.Add(-n)
	f.s.d.used.Add(-n)
}

func writeError(err error) error {
	if vfs.IsNoSpace(err) {
		return errs.New(errs.DiskFull, "could not write to temporary file: No space left on device")
	}
	return fmt.Errorf("write temporary file: %w", err)
}

// append encrypts b in place, writes it and returns where. len(b) is a
// multiple of 16.
func (f *File) append(b []byte) (int64, error) {
	off := f.tail.Add(int64(len(b))) - int64(len(b))
	if err := f.count(off + int64(len(b))); err != nil {
		return 0, err
	}
	f.crypt(b, off)
	if _, err := f.f.WriteAt(b, off); err != nil {
		return 0, writeError(err)
	}
	return off, nil
}

func (f *File) count(end int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if end <= f.counted {
		return nil
	}
	n := int64(countStep)
	if f.counted == 0 {
		n = countStep / 16 // most files stay small
	}
	n = max(n, end-f.counted)
	if err := f.s.grow(n); err != nil {
		return err
	}
	f.counted += n
	return nil
}

// crypt encrypts or decrypts the bytes at off, a multiple of 16.
func (f *File) crypt(b []byte, off int64) {
	var iv [aes.BlockSize]byte
	binary.BigEndian.PutUint64(iv[:], f.id)
	binary.BigEndian.PutUint64(iv[8:], uint64(off)/aes.BlockSize)
	cipher.NewCTR(f.s.d.cipher, iv[:]).XORKeyStream(b, b)
}

// read fills b from off.
func (f *File) read(b []byte, off int64) error {
	n, err := f.f.ReadAt(b, off)
	if n < len(b) {
		if err == nil || err == io.EOF {
			return f.corrupt(off, "short read")
		}
		return fmt.Errorf("read temporary file: %w", err)
	}
	f.crypt(b, off)
	return nil
}

func (f *File) corrupt(off int64, reason string) error {
	return &errs.Corrupt{File: fmt.Sprintf("spill-%d", f.id), Offset: off, Reason: reason}
}
