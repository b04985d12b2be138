package crashfs

import (
	"io"
	"io/fs"

	"quern/storage/vfs"
)

// file is one handle; the content is guarded by the mutex of its FS.
type file struct {
	fs       *FS
	n        *node
	name     string
	writable bool
}

func (h *file) ReadAt(p []byte, off int64) (int, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.readLocked(); err != nil {
		return 0, err
	}
	if off >= int64(len(h.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, h.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (h *file) change(op func()) error {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return h.fs.changeLocked(func() error {
		if !h.writable {
			return &fs.PathError{Op: "write", Path: h.name, Err: fs.ErrPermission}
		}
		op()
		return nil
	})
}

func (h *file) WriteAt(p []byte, off int64) (int, error) {
	if err := h.change(func() { h.n.writeAt(p, off) }); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (h *file) Preallocate(off, length int64) error {
	return h.change(func() { h.n.writeAt(make([]byte, length), off) })
}

func (h *file) Sync() error {
	if hook := h.fs.syncHook(); hook != nil {
		hook(h.name)
	}
	return h.change(h.n.sync)
}

func (h *file) SyncData() error { return h.Sync() }

type mapping []byte

func (m mapping) Bytes() []byte { return m }
func (m mapping) Close() error  { return nil }

// Map returns the live bytes: later writes show as in a real mapping.
func (h *file) Map(length int64) (vfs.Mapping, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	if err := h.fs.readLocked(); err != nil {
		return nil, err
	}
	if length > int64(len(h.n.data)) {
		return nil, &fs.PathError{Op: "map", Path: h.name, Err: io.ErrUnexpectedEOF}
	}
	return mapping(h.n.data[:length:length]), nil
}

func (h *file) Size() (int64, error) {
	h.fs.mu.Lock()
	defer h.fs.mu.Unlock()
	return int64(len(h.n.data)), h.fs.readLocked()
}

func (h *file) Close() error { return nil }

// Corrupt overwrites bytes of name as a failing disk would: durable at once,
// unseen by any counter. Tests of damage use it.
func (f *FS) Corrupt(name string, off int64, p []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.lookup(name)
	if err != nil {
		return err
	}
	copy(n.data[off:], p)
	return nil
}

// Truncate cuts name to length, as Corrupt does.
func (f *FS) Truncate(name string, length int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.lookup(name)
	if err != nil {
		return err
	}
	n.data = n.data[:length:length]
	n.sync()
	return nil
}
