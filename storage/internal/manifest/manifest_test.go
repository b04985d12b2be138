package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"reflect"
	"testing"

	"quern/storage/errs"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
	"quern/storage/vfs/faultfs"
)

func newFS(t testing.TB) *crashfs.FS {
	t.Helper()
	fsys := crashfs.New()
	for _, d := range []string{"catalog", "tmp"} {
		if err := vfs.MkdirAllSync(fsys, ".", d); err != nil {
			t.Fatal(err)
		}
	}
	return fsys
}

func create(t testing.TB, fsys vfs.FS) *Manifest {
	t.Helper()
	m, err := Create(fsys, "catalog", "tmp", &State{FloorFile: 1, FloorSeq: 1, NextSegment: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// edit is the i-th edit of a workload: it adds a segment, now and then removes
// one, and moves the floor.
func edit(i int) *Edit {
	e := &Edit{Kind: Flush, Added: []Segment{{ID: uint64(i), Table: 16384, Path: fmt.Sprintf("tables/%d", i), Rows: int64(i)}},
		Applied: map[uint32]uint64{16384: uint64(i * 10)}}
	if i%3 == 0 {
		e.Kind, e.Removed, e.RetireSeq = Merge, []uint64{uint64(i - 1)}, uint64(i*10)
	}
	if i%5 == 0 {
		e.Kind, e.FloorFile, e.FloorSeq = Gone, uint64(i), uint64(i*9)
	}
	if i%4 == 0 {
		e.Aux = &Aux{Seq: uint64(i * 10), Catalog: fmt.Appendf(nil, `{"v":%d}`, i), Counters: map[string]int64{"c": int64(i)},
			Keys: []Keys{{Count: i, MaxAt: int64(i), Body: []byte("k")}}}
	}
	return e
}

func states(n int) []*State {
	s := &State{FloorFile: 1, FloorSeq: 1, NextSegment: 1}
	s.init()
	out := []*State{s}
	for i := 1; i <= n; i++ {
		s = s.clone()
		if err := s.apply(edit(i)); err != nil {
			panic(err)
		}
		out = append(out, s)
	}
	return out
}

func TestReopenAndRoll(t *testing.T) {
	fsys := newFS(t)
	m := create(t, fsys)
	want := states(40)
	for i := 1; i <= 40; i++ {
		m.rollAt = 3000 // small, so that several generations are made
		if err := m.Append(edit(i)); err != nil {
			t.Fatal(err)
		}
		if i%7 == 0 {
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			var err error
			if m, err = Open(fsys, "catalog", "tmp"); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(m.State(), want[i]) {
			t.Fatalf("edit %d: %+v\nwant %+v", i, m.State(), want[i])
		}
	}
	if gens, _ := listGenerations(fsys, "catalog"); len(gens) != generations || gens[0] < 5 {
		t.Fatalf("generations %v", gens)
	}
	if err := m.Append(&Edit{Kind: Merge, Removed: []uint64{999}}); err == nil {
		t.Fatal("an edit that contradicts the state must be refused")
	}
	// Without CURRENT the newest generation is used, with a warning.
	if err := fsys.Remove("catalog/CURRENT"); err != nil {
		t.Fatal(err)
	}
	m, err := Open(fsys, "catalog", "tmp")
	if err != nil || m.Warning() == "" || !reflect.DeepEqual(m.State(), want[40]) {
		t.Fatalf("without CURRENT: %v %q", err, m.Warning())
	}
}

// TestCrash cuts the power at each operation: what was acknowledged is there,
// and what is there is a state that existed.
func TestCrash(t *testing.T) {
	want := states(12)
	for seed := uint64(0); seed < 300; seed++ {
		rng := rand.New(rand.NewPCG(seed, 5))
		fsys := newFS(t)
		m := create(t, fsys)
		fsys.CutAt(1+rng.Int64N(60), rng.IntN(2) == 0, rng, []int{0, 50, 100}[rng.IntN(3)])
		acked := 0
		for i := 1; i <= 12; i++ {
			m.rollAt = 1500
			if err := m.Append(edit(i)); err != nil {
				if !errors.Is(err, crashfs.ErrPowerLost) {
					t.Fatal(err)
				}
				break
			}
			acked = i
		}
		l, err := Load(fsys.Cut(rng, 50), "catalog")
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if !reflect.DeepEqual(l.State, want[acked]) && (acked == 12 || !reflect.DeepEqual(l.State, want[acked+1])) {
			t.Fatalf("seed %d: state after %d edits is neither that nor the next one", seed, acked)
		}
	}
}

// TestBitFlips flips one random bit in every byte, and truncates everywhere:
// refused, or the state with or without the last record.
func TestBitFlips(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 5))
	fsys := newFS(t)
	m := create(t, fsys)
	for i := 1; i <= 4; i++ {
		if err := m.Append(edit(i)); err != nil {
			t.Fatal(err)
		}
	}
	want := states(4)
	refused, cut := 0, 0
	for _, name := range fsys.Tree("catalog/") {
		clean, _ := vfs.ReadFile(fsys, name)
		for off := range clean {
			_ = fsys.Corrupt(name, int64(off), []byte{clean[off] ^ 1<<rng.IntN(8)})
			l, err := Load(fsys, "catalog")
			switch {
			case errs.CodeOf(err) == errs.DataCorrupted:
				refused++
			case err != nil:
				t.Fatalf("%s byte %d: %v", name, off, err)
			case reflect.DeepEqual(l.State, want[3]):
				cut++
				if path.Base(name) == currentName {
					t.Fatalf("CURRENT byte %d loses a record", off)
				}
			case !reflect.DeepEqual(l.State, want[4]):
				t.Fatalf("%s byte %d: another state", name, off)
			}
			_ = fsys.Corrupt(name, int64(off), clean[off:off+1])
		}
		for n := range clean {
			c := fsys.CrashClone(rng, 100)
			_ = c.Truncate(name, int64(n))
			if _, err := Load(c, "catalog"); err != nil && errs.CodeOf(err) != errs.DataCorrupted {
				t.Fatalf("%s cut at %d: %v", name, n, err)
			}
		}
	}
	if refused == 0 || cut == 0 {
		t.Fatalf("refused %d, cut %d", refused, cut)
	}
}

func TestFullDiskIsNotFinal(t *testing.T) {
	mem := newFS(t)
	fsys := faultfs.New(mem)
	m := create(t, fsys)
	fsys.LimitBytes(30)
	if err := m.Append(edit(1)); !vfs.IsNoSpace(err) {
		t.Fatalf("full disk: %v", err)
	}
	fsys.Disarm()
	if err := m.Append(edit(1)); err != nil {
		t.Fatal(err)
	}
	fsys.Arm(faultfs.Fault{Op: faultfs.Sync, Nth: 1})
	if err := m.Append(edit(2)); err == nil {
		t.Fatal("sync must fail")
	}
	if err := m.Append(edit(2)); err == nil {
		t.Fatal("a failed sync is final")
	}
	l, err := Load(mem, "catalog")
	if err != nil || len(l.State.Segments) < 1 {
		t.Fatalf("reload: %v", err)
	}
}

// reseal makes the checksums of data's records right again.
func reseal(data []byte) {
	prev := uint32(0)
	for len(data) >= recordHeaderBytes {
		n := recordHeaderBytes + int(le.Uint32(data))
		if n < recordHeaderBytes || n > len(data) {
			return
		}
		prev = recordCRC(data[:n], prev)
		le.PutUint32(data[4:], prev)
		data = data[n:]
	}
}

// FuzzManifest: any bytes are safe, with right checksums too.
func FuzzManifest(f *testing.F) {
	fsys := newFS(f)
	m := create(f, fsys)
	for i := 1; i <= 3; i++ {
		_ = m.Append(edit(i))
	}
	data, _ := vfs.ReadFile(fsys, "catalog/"+generationName(1))
	f.Add(data, false)
	f.Add(data, true)
	again := bytes.Clone(data)
	if reseal(again); !bytes.Equal(again, data) {
		f.Fatal("resealing a sound manifest changes it")
	}
	f.Fuzz(func(t *testing.T, data []byte, mend bool) {
		if mend {
			data = bytes.Clone(data)
			reseal(data)
		}
		s, _, err := replay("MANIFEST", data)
		if err == nil && s == nil {
			t.Fatal("no state and no error")
		}
	})
}
