//go:build !linux

package vfs

import (
	"errors"
	"io"
	"math"
	"os"
)

// The portable fallback: slower (full sync, heap instead of mapped memory) and
// without a lock between processes.

func syncData(f *os.File) error { return f.Sync() }

func lockFile(*os.File) error { return nil }

// SyncDir implements FS. Systems that cannot sync a directory say so with an
// error that carries no information for us.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}

// Free implements FS. It is unknown here; writes find out.
func (OS) Free(string) (int64, error) { return math.MaxInt64, nil }

func mapFile(f *os.File, length int64) (Mapping, error) {
	data := make([]byte, length)
	if _, err := f.ReadAt(data, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return heapMapping(data), nil
}
