// Package vfs is the only way to a file: every other package of storage takes
// an FS and never calls the operating system itself, so that tests decide what
// a disk does.
//
//	vfs.OS          the operating system's files
//	vfs/crashfs     memory; a power cut keeps a random part of what was not synced
//	vfs/faultfs     any FS, with the N-th operation of a kind failing
//
// Durability is what POSIX promises and no more: content is safe after
// File.Sync or File.SyncData, a name is safe after SyncDir of its directory.
// WriteFile is the one way to make a whole new file: a crash leaves the old
// state or the new one under the final name.
//
// What it deliberately does not do: it has no truncation and no append mode
// (nothing in Quern's formats needs them), no retries, and no caching. A failed
// Sync must not be repeated on the same handle: the kernel may have dropped the
// dirty pages and would then report success.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"syscall"
)

// FS is a file system. Names are slash-separated paths. All methods may be
// called from several goroutines at once. A missing file is an error for which
// errors.Is(err, fs.ErrNotExist) holds.
type FS interface {
	// Create makes a new file for reading and writing; it fails if it exists.
	Create(name string) (File, error)
	// Open opens a file for reading only.
	Open(name string) (File, error)
	// OpenReadWrite opens an existing file.
	OpenReadWrite(name string) (File, error)
	// Rename replaces newName if it exists.
	Rename(oldName, newName string) error
	// Link makes a second name for the same content (backup).
	Link(oldName, newName string) error
	Remove(name string) error
	// List returns the names in dir, sorted, without the directory part.
	List(dir string) ([]string, error)
	MkdirAll(dir string) error
	// SyncDir makes the names in dir durable.
	SyncDir(dir string) error
	Stat(name string) (Info, error)
	// Lock takes an exclusive lock that ends with the process or with Close.
	// A lock held elsewhere is ErrLocked.
	Lock(name string) (io.Closer, error)
	// Free returns the bytes that an ordinary process may still write.
	Free(dir string) (availableBytes int64, err error)
}

// File is an open file. ReadAt and WriteAt on different ranges may run at once.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Preallocate writes zeros, so that a later SyncData of this range has no
	// metadata to write.
	Preallocate(off, length int64) error
	// Sync makes content and metadata durable.
	Sync() error
	// SyncData makes content durable, and of the metadata what is needed to
	// read it back.
	SyncData() error
	// Map returns the first length bytes as read-only memory.
	Map(length int64) (Mapping, error)
	Size() (int64, error)
	Close() error
}

// Mapping is mapped file memory. Its bytes must not be used after Close.
type Mapping interface {
	Bytes() []byte
	Close() error
}

// Info describes a file.
type Info struct {
	Size  int64
	IsDir bool
}

// ErrLocked says that another holder has the lock.
var ErrLocked = errors.New("locked by another process")

// IsNotExist says whether err means that a file or directory is missing.
func IsNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// IsNoSpace says whether err means that the disk or the quota is full: such an
// error goes away by itself, every other write error is final.
func IsNoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// WriteFile makes the durable file name from what write produces: it is written
// and synced as tmpName, renamed, and the directory of name is synced. tmpName
// must be on the same file system. On an error nothing is left under tmpName as
// far as that can be removed; name is either untouched or complete.
func WriteFile(fsys FS, tmpName, name string, write func(File) error) error {
	s, err := Stage(fsys, tmpName, name)
	if err != nil {
		return err
	}
	if err := write(s.File); err != nil {
		s.Abort()
		return err
	}
	return s.Commit()
}

// Staged is a file on its way: WriteFile for whoever writes several at once.
type Staged struct {
	File
	fs        FS
	tmp, name string
}

// Stage creates tmpName, to become name. Commit or Abort ends it.
func Stage(fsys FS, tmpName, name string) (*Staged, error) {
	// A file of this name can only be the rest of an earlier attempt.
	if err := fsys.Remove(tmpName); err != nil && !IsNotExist(err) {
		return nil, err
	}
	f, err := fsys.Create(tmpName)
	if err != nil {
		_ = fsys.Remove(tmpName)
		return nil, err
	}
	return &Staged{f, fsys, tmpName, name}, nil
}

// Commit syncs the file and gives it its name, durably.
func (s *Staged) Commit() error {
	if err := s.Sync(); err != nil {
		s.Abort()
		return err
	}
	err := s.Close()
	if err == nil {
		err = s.fs.Rename(s.tmp, s.name)
	}
	if err != nil {
		_ = s.fs.Remove(s.tmp) // The first error is the one to report.
		return err
	}
	return s.fs.SyncDir(path.Dir(s.name))
}

// Abort removes the file.
func (s *Staged) Abort() {
	_ = s.Close()
	_ = s.fs.Remove(s.tmp)
}

// WriteFileBytes is WriteFile for content that is in memory already.
func WriteFileBytes(fsys FS, tmpName, name string, data []byte) error {
	return WriteFile(fsys, tmpName, name, func(f File) error {
		_, err := f.WriteAt(data, 0)
		return err
	})
}

// ReadFile returns the whole content of name.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	n, err := f.ReadAt(data, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return data[:n], nil
}

// MkdirAllSync makes dir and its parents below root, and makes their names
// durable. root must exist already. It syncs also what exists: an earlier
// attempt may have failed between making and syncing.
func MkdirAllSync(fsys FS, root, dir string) error {
	if err := fsys.MkdirAll(dir); err != nil {
		return err
	}
	for d := path.Clean(dir); d != path.Clean(root) && d != "." && d != "/"; d = path.Dir(d) {
		if err := fsys.SyncDir(path.Dir(d)); err != nil {
			return err
		}
	}
	return nil
}
