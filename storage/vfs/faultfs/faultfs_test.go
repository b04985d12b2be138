package faultfs

import (
	"errors"
	"syscall"
	"testing"

	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

// TestEveryOperationFails runs a small job with its N-th operation failing, for
// all N, and expects the job to report it each time.
func TestEveryOperationFails(t *testing.T) {
	job := func(f vfs.FS) error {
		if err := f.MkdirAll("d"); err != nil {
			return err
		}
		if err := vfs.WriteFileBytes(f, "d/tmp", "d/a", []byte("content")); err != nil {
			return err
		}
		_, err := vfs.ReadFile(f, "d/a")
		return err
	}
	n := int64(1)
	for ; ; n++ {
		f := New(crashfs.New())
		f.Arm(Fault{Op: Any, Nth: n})
		err := job(f)
		if !f.Fired() {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if !errors.Is(err, syscall.EIO) {
			t.Fatalf("operation %d: %v", n, err)
		}
	}
	if n < 8 {
		t.Fatalf("only %d operations seen", n)
	}
}

func TestKinds(t *testing.T) {
	f := New(crashfs.New())
	h, err := f.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	f.Arm(Fault{Op: Write, Nth: 2, Err: syscall.ENOSPC, Short: true})
	if _, err := h.WriteAt([]byte("12"), 0); err != nil {
		t.Fatal(err)
	}
	n, err := h.WriteAt([]byte("3456"), 2)
	if n != 2 || !vfs.IsNoSpace(err) {
		t.Fatalf("short write: %d %v", n, err)
	}
	if _, err := h.WriteAt([]byte("7"), 4); err != nil {
		t.Fatalf("a fault happens once: %v", err)
	}
	f.Arm(Fault{Op: Sync, Nth: 1, Sticky: true})
	if h.SyncData() == nil || h.Sync() == nil {
		t.Fatal("a sticky fault stays")
	}
	f.Disarm()
	f.LimitBytes(3)
	if n, err := h.WriteAt([]byte("12345"), 0); n != 3 || !vfs.IsNoSpace(err) {
		t.Fatalf("limit: %d %v", n, err)
	}
	if free, _ := f.Free("."); free != 0 {
		t.Fatalf("free %d", free)
	}
	f.Disarm()
	if _, err := h.WriteAt([]byte("12345"), 0); err != nil {
		t.Fatal(err)
	}
}
