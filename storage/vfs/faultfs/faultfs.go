// Package faultfs wraps a vfs.FS and makes chosen operations fail.
//
// Operations are counted by kind, so that "the 3rd fdatasync" can be named; Any
// counts all of them. A test arms one Fault, runs its work for N = 1, 2, …, and
// stops when Fired says that a run met no fault.
package faultfs

import (
	"io"
	"io/fs"
	"sync"
	"syscall"

	"quern/storage/vfs"
)

// Op is a kind of operation.
type Op uint8

// Kinds. Any stands for all of them.
const (
	Any Op = iota
	Create
	Open
	Rename
	Link
	Remove
	List
	Mkdir
	SyncDir
	Stat
	Lock
	Free
	Read
	Write
	Preallocate
	Sync // both forms
	Map
	opCount
)

// Fault says which operation fails and how.
type Fault struct {
	Op  Op
	Nth int64 // 1 is the first
	// Sticky keeps failing from the N-th on, until Disarm.
	Sticky bool
	Err    error // EIO if nil
	// Short lets a write put half of its bytes before it fails.
	Short bool
}

// FS implements vfs.FS.
type FS struct {
	inner vfs.FS

	mu     sync.Mutex
	counts [opCount]int64
	fault  *Fault
	fired  bool
	// budget is how many bytes may still be written, negative if unlimited.
	budget int64
}

var _ vfs.FS = (*FS)(nil)

// New wraps inner; nothing fails yet.
func New(inner vfs.FS) *FS { return &FS{inner: inner, budget: -1} }

// Arm sets the fault and starts counting from zero.
func (f *FS) Arm(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts = [opCount]int64{}
	f.fault, f.fired = &fault, false
}

// Disarm lets everything succeed again, and lifts a byte limit.
func (f *FS) Disarm() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.budget = nil, -1
}

// LimitBytes makes writes fail with ENOSPC after n more bytes.
func (f *FS) LimitBytes(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.budget = n
}

// Fired says whether the armed fault has happened.
func (f *FS) Fired() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fired
}

// Count returns the operations of a kind since Arm or New.
func (f *FS) Count(op Op) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[op]
}

// hit counts one operation and returns the fault if it is due.
func (f *FS) hit(op Op) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[op]++
	f.counts[Any]++
	fault := f.fault
	if fault == nil || (fault.Op != op && fault.Op != Any) {
		return nil
	}
	if n := f.counts[fault.Op]; n == fault.Nth || fault.Sticky && n > fault.Nth {
		f.fired = true
		return fault
	}
	return nil
}

func (f *FS) check(op Op, name string) error {
	if fault := f.hit(op); fault != nil {
		return fault.error(name)
	}
	return nil
}

func (t *Fault) error(name string) error {
	err := t.Err
	if err == nil {
		err = syscall.EIO
	}
	return &fs.PathError{Op: "fault", Path: name, Err: err}
}

// take charges n bytes to the limit and returns how many fit.
func (f *FS) take(n int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.budget < 0 {
		return n
	}
	fit := min(n, f.budget)
	f.budget -= fit
	return fit
}

func (f *FS) wrap(name string, h vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &file{File: h, fs: f, name: name}, nil
}

// Create implements vfs.FS.
func (f *FS) Create(name string) (vfs.File, error) {
	if err := f.check(Create, name); err != nil {
		return nil, err
	}
	h, err := f.inner.Create(name)
	return f.wrap(name, h, err)
}

// Open implements vfs.FS.
func (f *FS) Open(name string) (vfs.File, error) {
	if err := f.check(Open, name); err != nil {
		return nil, err
	}
	h, err := f.inner.Open(name)
	return f.wrap(name, h, err)
}

// OpenReadWrite implements vfs.FS.
func (f *FS) OpenReadWrite(name string) (vfs.File, error) {
	if err := f.check(Open, name); err != nil {
		return nil, err
	}
	h, err := f.inner.OpenReadWrite(name)
	return f.wrap(name, h, err)
}

// Rename implements vfs.FS.
func (f *FS) Rename(oldName, newName string) error {
	if err := f.check(Rename, newName); err != nil {
		return err
	}
	return f.inner.Rename(oldName, newName)
}

// Link implements vfs.FS.
func (f *FS) Link(oldName, newName string) error {
	if err := f.check(Link, newName); err != nil {
		return err
	}
	return f.inner.Link(oldName, newName)
}

// Remove implements vfs.FS.
func (f *FS) Remove(name string) error {
	if err := f.check(Remove, name); err != nil {
		return err
	}
	return f.inner.Remove(name)
}

// List implements vfs.FS.
func (f *FS) List(dir string) ([]string, error) {
	if err := f.check(List, dir); err != nil {
		return nil, err
	}
	return f.inner.List(dir)
}

// MkdirAll implements vfs.FS.
func (f *FS) MkdirAll(dir string) error {
	if err := f.check(Mkdir, dir); err != nil {
		return err
	}
	return f.inner.MkdirAll(dir)
}

// SyncDir implements vfs.FS.
func (f *FS) SyncDir(dir string) error {
	if err := f.check(SyncDir, dir); err != nil {
		return err
	}
	return f.inner.SyncDir(dir)
}

// Stat implements vfs.FS.
func (f *FS) Stat(name string) (vfs.Info, error) {
	if err := f.check(Stat, name); err != nil {
		return vfs.Info{}, err
	}
	return f.inner.Stat(name)
}

// Lock implements vfs.FS.
func (f *FS) Lock(name string) (io.Closer, error) {
	if err := f.check(Lock, name); err != nil {
		return nil, err
	}
	return f.inner.Lock(name)
}

// Free implements vfs.FS: a byte limit is what is free.
func (f *FS) Free(dir string) (int64, error) {
	if err := f.check(Free, dir); err != nil {
		return 0, err
	}
	f.mu.Lock()
	budget := f.budget
	f.mu.Unlock()
	if budget >= 0 {
		return budget, nil
	}
	return f.inner.Free(dir)
}

type file struct {
	vfs.File
	fs   *FS
	name string
}

func (h *file) ReadAt(p []byte, off int64) (int, error) {
	if err := h.fs.check(Read, h.name); err != nil {
		return 0, err
	}
	return h.File.ReadAt(p, off)
}

func (h *file) WriteAt(p []byte, off int64) (int, error) {
	if fault := h.fs.hit(Write); fault != nil {
		n := 0
		if fault.Short {
			n, _ = h.File.WriteAt(p[:len(p)/2], off)
		}
		return n, fault.error(h.name)
	}
	if fit := h.fs.take(int64(len(p))); fit < int64(len(p)) {
		n, _ := h.File.WriteAt(p[:fit], off)
		return n, &fs.PathError{Op: "write", Path: h.name, Err: syscall.ENOSPC}
	}
	return h.File.WriteAt(p, off)
}

func (h *file) Preallocate(off, length int64) error {
	if err := h.fs.check(Preallocate, h.name); err != nil {
		return err
	}
	if h.fs.take(length) < length {
		return &fs.PathError{Op: "preallocate", Path: h.name, Err: syscall.ENOSPC}
	}
	return h.File.Preallocate(off, length)
}

func (h *file) Sync() error {
	if err := h.fs.check(Sync, h.name); err != nil {
		return err
	}
	return h.File.Sync()
}

func (h *file) SyncData() error {
	if err := h.fs.check(Sync, h.name); err != nil {
		return err
	}
	return h.File.SyncData()
}

func (h *file) Map(length int64) (vfs.Mapping, error) {
	if err := h.fs.check(Map, h.name); err != nil {
		return nil, err
	}
	return h.File.Map(length)
}
