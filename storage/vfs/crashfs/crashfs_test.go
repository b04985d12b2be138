package crashfs

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"quern/storage/vfs"
)

func mustCreate(t *testing.T, f *FS, name string, data []byte) vfs.File {
	t.Helper()
	h, err := f.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestOutcomes writes one unsynced record over a synced file: a cut must lose
// it, tear it and keep it, each in some seed, and never touch synced bytes.
func TestOutcomes(t *testing.T) {
	outcomes := map[string]int{}
	for seed := uint64(0); seed < 200; seed++ {
		f := New()
		h := mustCreate(t, f, "a", bytes.Repeat([]byte{1}, 8192))
		if err := errors.Join(h.Sync(), f.SyncDir(".")); err != nil {
			t.Fatal(err)
		}
		if _, err := h.WriteAt(bytes.Repeat([]byte{2}, 4096), 4096); err != nil {
			t.Fatal(err)
		}
		c := f.CrashClone(rand.New(rand.NewPCG(seed, 0)), 50)
		got, err := vfs.ReadFile(c, "a")
		if err != nil || len(got) != 8192 {
			t.Fatalf("seed %d: %d bytes, %v", seed, len(got), err)
		}
		if !bytes.Equal(got[:4096], bytes.Repeat([]byte{1}, 4096)) {
			t.Fatalf("seed %d: synced piece changed", seed)
		}
		switch n := bytes.Count(got[4096:], []byte{2}); n {
		case 0:
			outcomes["lost"]++
		case 4096:
			outcomes["whole"]++
		default:
			if n%512 != 0 {
				t.Fatalf("seed %d: torn inside a sector", seed)
			}
			outcomes["torn"]++
		}
	}
	for _, kind := range []string{"lost", "whole", "torn"} {
		if outcomes[kind] == 0 {
			t.Errorf("no seed gave %q: %v", kind, outcomes)
		}
	}
}

func TestEntries(t *testing.T) {
	f := New()
	_ = f.MkdirAll("d")
	_ = f.SyncDir(".")
	h := mustCreate(t, f, "d/old", []byte("x"))
	_ = h.Sync()
	_ = f.SyncDir("d")
	_ = f.Rename("d/old", "d/new")
	lose := f.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
	if got, err := vfs.ReadFile(lose, "d/old"); err != nil || string(got) != "x" {
		t.Fatalf("keep 0: the old name must be back: %q %v", got, err)
	}
	keep := f.CrashClone(rand.New(rand.NewPCG(1, 1)), 100)
	if got, err := vfs.ReadFile(keep, "d/new"); err != nil || string(got) != "x" {
		t.Fatalf("keep 100: %q %v", got, err)
	}
	if _, err := keep.Stat("d/old"); !vfs.IsNotExist(err) {
		t.Fatalf("keep 100: old name %v", err)
	}
	// Unsynced content under a synced name.
	mustCreate(t, f, "d/hollow", []byte("gone"))
	_ = f.SyncDir("d")
	lose = f.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
	if got, err := vfs.ReadFile(lose, "d/hollow"); err != nil || len(got) != 0 {
		t.Fatalf("content %q %v", got, err)
	}
	// A directory that was never synced takes its files along.
	_ = f.MkdirAll("e")
	g := mustCreate(t, f, "e/x", []byte("x"))
	_ = g.Sync()
	_ = f.SyncDir("e")
	lose = f.CrashClone(rand.New(rand.NewPCG(1, 1)), 0)
	if _, err := lose.Stat("e/x"); !vfs.IsNotExist(err) {
		t.Fatalf("file in a lost directory: %v", err)
	}
}

func TestCutAt(t *testing.T) {
	for _, after := range []bool{false, true} {
		f := New()
		h := mustCreate(t, f, "a", []byte("x"))
		_ = f.SyncDir(".")
		f.CutAt(1, after, rand.New(rand.NewPCG(1, 1)), 0)
		if err := h.Sync(); !errors.Is(err, ErrPowerLost) {
			t.Fatalf("sync at the cut: %v", err)
		}
		if _, err := h.WriteAt([]byte("y"), 0); !errors.Is(err, ErrPowerLost) || !f.Lost() {
			t.Fatalf("write after the cut: %v", err)
		}
		got, _ := vfs.ReadFile(f.Cut(nil, 0), "a")
		if want := map[bool]string{false: "", true: "x"}[after]; string(got) != want {
			t.Fatalf("after=%v: %q", after, got)
		}
	}
}
