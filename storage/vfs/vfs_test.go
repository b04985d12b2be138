package vfs_test

import (
	"bytes"
	"errors"
	"path"
	"testing"

	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

// each runs test on every file system that must behave alike.
func each(t *testing.T, test func(t *testing.T, fsys vfs.FS, root string)) {
	t.Run("os", func(t *testing.T) { test(t, vfs.OS{}, t.TempDir()) })
	t.Run("crashfs", func(t *testing.T) { test(t, crashfs.New(), ".") })
}

func TestFiles(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, root string) {
		name := path.Join(root, "a", "b", "file")
		if _, err := fsys.Create(name); !vfs.IsNotExist(err) {
			t.Fatalf("create without directory: %v", err)
		}
		if err := vfs.MkdirAllSync(fsys, root, path.Dir(name)); err != nil {
			t.Fatal(err)
		}
		f, err := fsys.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Preallocate(0, 300_000); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("hello"), 299_998); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.SyncData(), f.Sync()); err != nil {
			t.Fatal(err)
		}
		if size, _ := f.Size(); size != 300_003 {
			t.Fatalf("size %d", size)
		}
		m, err := f.Map(300_003)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Bytes()[299_996:]; !bytes.Equal(got, []byte("\x00\x00hello")) {
			t.Fatalf("mapped %q", got)
		}
		if err := errors.Join(m.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := fsys.Create(name); err == nil {
			t.Fatal("create over an existing file")
		}
		if err := fsys.Link(name, name+"2"); err != nil {
			t.Fatal(err)
		}
		if err := fsys.Rename(name, name+"3"); err != nil {
			t.Fatal(err)
		}
		names, err := fsys.List(path.Dir(name))
		if err != nil || len(names) != 2 || names[0] != "file2" || names[1] != "file3" {
			t.Fatalf("list %v %v", names, err)
		}
		if _, err := fsys.Stat(name); !vfs.IsNotExist(err) {
			t.Fatalf("stat of the old name: %v", err)
		}
		if err := fsys.Remove(name + "2"); err != nil {
			t.Fatal(err)
		}
		if free, err := fsys.Free(root); err != nil || free <= 0 {
			t.Fatalf("free %d %v", free, err)
		}
	})
}

func TestLock(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, root string) {
		l, err := fsys.Lock(path.Join(root, "LOCK"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fsys.Lock(path.Join(root, "LOCK")); !errors.Is(err, vfs.ErrLocked) {
			t.Fatalf("second lock: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l, err = fsys.Lock(path.Join(root, "LOCK"))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	})
}

func TestWriteFileReplaces(t *testing.T) {
	each(t, func(t *testing.T, fsys vfs.FS, root string) {
		name, tmp := path.Join(root, "CURRENT"), path.Join(root, "CURRENT.tmp")
		for _, content := range []string{"one", "two, longer", ""} {
			if err := vfs.WriteFileBytes(fsys, tmp, name, []byte(content)); err != nil {
				t.Fatal(err)
			}
			got, err := vfs.ReadFile(fsys, name)
			if err != nil || string(got) != content {
				t.Fatalf("read %q %v", got, err)
			}
		}
		failed := errors.New("no content")
		if err := vfs.WriteFile(fsys, tmp, name, func(vfs.File) error { return failed }); !errors.Is(err, failed) {
			t.Fatalf("got %v", err)
		}
		if _, err := fsys.Stat(tmp); !vfs.IsNotExist(err) {
			t.Fatalf("temporary file stays: %v", err)
		}
	})
}
