package wal

import (
	"fmt"
	"path"

	"quern/storage/internal/failpoint"
	"quern/storage/vfs"
)

// takeSpare returns a zeroed file of the given length, from the spares or new.
func (l *Log) takeSpare(length int64) (f vfs.File, name string, err error) {
	if length == l.opts.FileBytes {
		l.mu.Lock()
		if n := len(l.spares); n > 0 {
			name, l.spares = l.spares[n-1], l.spares[:n-1]
		}
		l.mu.Unlock()
		if name != "" {
			f, err = l.opts.FS.OpenReadWrite(name)
			return f, name, err
		}
	}
	name = l.newSpareName()
	f, err = l.makeZeroed(name, length)
	return f, name, err
}

func (l *Log) newSpareName() string {
	return path.Join(l.opts.Dir, "spare", fmt.Sprintf("%016x", l.opts.Rand()))
}

func (l *Log) makeZeroed(name string, length int64) (vfs.File, error) {
	f, err := l.opts.FS.Create(name)
	if err != nil {
		return nil, err
	}
	if err := f.Preallocate(0, length); err != nil {
		_ = f.Close()
		_ = l.opts.FS.Remove(name)
		return nil, err
	}
	return f, nil
}

// PrepareSpare makes one spare file if there is none, so that a roll does not
// have to write zeros while commits wait.
func (l *Log) PrepareSpare() error {
	l.mu.Lock()
	have := len(l.spares)
	l.mu.Unlock()
	if have > 0 {
		return nil
	}
	name := l.newSpareName()
	f, err := l.makeZeroed(name, l.opts.FileBytes)
	if err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		_ = f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	l.keepSpare(name)
	return nil
}

func (l *Log) keepSpare(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.spares = append(l.spares, name)
}

// Retirable returns the first file that must stay when frames below seq are
// not needed any more: the floor to record before Retire.
func (l *Log) Retirable(seq uint64) FileInfo {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.files {
		if i == len(l.files)-1 || l.files[i+1].FirstSeq > seq {
			return l.files[i]
		}
	}
	panic("wal: no current file")
}

// Retire zeroes the files before floor and keeps or removes them. The floor
// must be durable in the manifest first: a half zeroed file is unreadable.
func (l *Log) Retire(floor uint64) error {
	for {
		l.mu.Lock()
		if l.files[0].Number >= floor || len(l.files) == 1 {
			l.mu.Unlock()
			return nil
		}
		old, spares := l.files[0], len(l.spares)
		l.mu.Unlock()
		if err := l.retireFile(old, spares < l.opts.SparesMax); err != nil {
			return err
		}
		l.mu.Lock()
		l.files = l.files[1:]
		l.mu.Unlock()
	}
}

func (l *Log) retireFile(old FileInfo, keep bool) error {
	name := fileName(l.opts.Dir, old.Number)
	failpoint.Hit(failpoint.WALBeforeZero)
	size, err := zeroFile(l.opts.FS, name)
	failpoint.Hit(failpoint.WALAfterZero)
	if vfs.IsNotExist(err) {
		return nil // An earlier attempt came this far.
	}
	if err != nil {
		return err
	}
	if !keep || size != l.opts.FileBytes {
		if err := l.opts.FS.Remove(name); err != nil {
			return err
		}
		return l.opts.FS.SyncDir(l.opts.Dir)
	}
	spare := l.newSpareName()
	if err := l.opts.FS.Rename(name, spare); err != nil {
		return err
	}
	if err := l.opts.FS.SyncDir(path.Dir(spare)); err != nil {
		return err
	}
	// NB: the old name must be gone for good before the file is written again.
	if err := l.opts.FS.SyncDir(l.opts.Dir); err != nil {
		return err
	}
	l.keepSpare(spare)
	return nil
}

// zeroFile overwrites name with zeros and syncs it: bytes that are gone from
// the log are gone from the disk.
func zeroFile(fsys vfs.FS, name string) (size int64, err error) {
	f, err := fsys.OpenReadWrite(name)
	if err != nil {
		return 0, err
	}
	size, err = f.Size()
	if err == nil {
		err = f.Preallocate(0, size)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return size, err
}

// RemoveBelow zeroes and removes the files before floor that a crash left
// behind, whatever they hold.
func RemoveBelow(fsys vfs.FS, dir string, floor uint64) error {
	numbers, err := listFiles(fsys, dir)
	if err != nil {
		return err
	}
	removed := false
	for _, n := range numbers {
		if n >= floor {
			break
		}
		if _, err := zeroFile(fsys, fileName(dir, n)); err != nil {
			return err
		}
		if err := fsys.Remove(fileName(dir, n)); err != nil {
			return err
		}
		removed = true
	}
	if removed {
		return fsys.SyncDir(dir)
	}
	return nil
}

// RemoveEmpty removes files that are known to hold no frame.
func RemoveEmpty(fsys vfs.FS, dir string) error {
	numbers, err := listFiles(fsys, dir)
	if err != nil {
		return err
	}
	for _, n := range numbers {
		if err := fsys.Remove(fileName(dir, n)); err != nil {
			return err
		}
	}
	return fsys.SyncDir(dir)
}
