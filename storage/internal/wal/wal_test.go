package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"quern/storage/errs"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
	"quern/storage/vfs/faultfs"
)

func testOptions(fsys vfs.FS, rng *rand.Rand) Options {
	now := int64(1_000_000)
	return Options{FS: fsys, Dir: "wal", FileBytes: 64 << 10, SparesMax: 2,
		Now: func() int64 { now++; return now }, Rand: rng.Uint64}
}

func newDir(t testing.TB, fsys vfs.FS) {
	t.Helper()
	for _, d := range []string{"wal", "wal/spare"} {
		if err := vfs.MkdirAllSync(fsys, ".", d); err != nil {
			t.Fatal(err)
		}
	}
}

func frameOf(body []byte) *Frame {
	f := NewFrame(7, nil)
	if body != nil {
		f.Add(Rows, 16384, body, nil)
	}
	f.Seal()
	return f
}

// collect replays and returns the first section body of each frame.
func collect(fsys vfs.FS, floorFile, floorSeq uint64) (map[uint64][]byte, Tail, error) {
	got := map[uint64][]byte{}
	tail, err := Replay(fsys, "wal", floorFile, floorSeq, func(v *FrameView) error {
		got[v.Seq] = nil
		return v.Sections(func(s Section) error {
			got[v.Seq] = bytes.Clone(s.Body)
			return nil
		})
	})
	return got, tail, err
}

func TestRoundTripAndRoll(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	fsys := crashfs.New()
	newDir(t, fsys)
	l, err := Create(testOptions(fsys, rng), 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[uint64][]byte{}
	for g := range 60 {
		var frames []*Frame
		for i := range 1 + g%5 {
			size := rng.IntN(3000)
			if g == 30 && i == 0 {
				size = 200 << 10 // larger than a file
			}
			body := bytes.Repeat([]byte(fmt.Sprintf("%d/%d ", g, i)), size/4+1)
			frames = append(frames, frameOf(body))
			want[l.NextSeq()+uint64(i)] = body
		}
		if err := errors.Join(l.Append(frames), l.Sync()); err != nil {
			t.Fatal(err)
		}
	}
	if !l.NeedsCover() {
		t.Fatal("rows are not covered yet")
	}
	next := l.NextSeq()
	if err := l.Cover(); err != nil || l.NeedsCover() {
		t.Fatalf("cover: %v", err)
	}
	want[next] = nil
	if n := len(l.Files()); n < 3 {
		t.Fatalf("only %d files", n)
	}
	got, tail, err := collect(fsys, 1, 1)
	if err != nil || tail.NextSeq != l.NextSeq() || tail.Torn {
		t.Fatalf("tail %+v, %v", tail, err)
	}
	for seq, body := range want {
		if !bytes.Equal(got[seq], body) {
			t.Fatalf("frame %d differs", seq)
		}
	}
	// Retire all but the last file: their bytes must be zero or gone.
	floor := l.Retirable(l.NextSeq())
	if err := l.Retire(floor.Number); err != nil {
		t.Fatal(err)
	}
	for _, name := range fsys.Tree("wal/spare/") {
		data, _ := vfs.ReadFile(fsys, name)
		if bytes.Count(data, []byte{0}) != len(data) {
			t.Fatalf("%s is not zeroed", name)
		}
	}
	if n := len(fsys.Tree("wal/spare/")); n != 2 {
		t.Fatalf("%d spares", n)
	}
	got, tail, err = collect(fsys, floor.Number, floor.FirstSeq)
	if err != nil || tail.NextSeq != l.NextSeq() || len(got) == 0 {
		t.Fatalf("after retire: %+v, %v", tail, err)
	}
	if _, _, err := collect(fsys, 1, 1); errs.CodeOf(err) != errs.DataCorrupted {
		t.Fatalf("missing file: %v", err)
	}
}

func TestCompression(t *testing.T) {
	var shrink Shrink
	f := NewFrame(0, nil)
	easy := bytes.Repeat([]byte("abcdefgh"), 10_000)
	hard := make([]byte, 80_000)
	rng := rand.New(rand.NewPCG(3, 3))
	for i := range hard {
		hard[i] = byte(rng.Uint32())
	}
	f.Add(Rows, 1, easy, &shrink)
	if f.Bytes() > len(easy)/4 {
		t.Fatalf("frame of %d bytes", f.Bytes())
	}
	f.Add(Rows, 1, hard, &shrink)
	if shrink.try() {
		t.Fatal("a table that does not shrink is tried again at once")
	}
	f.Seal()
	var bodies [][]byte
	if err := f.Sections(func(s Section) error { bodies = append(bodies, s.Body); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(bodies) != 2 || !bytes.Equal(bodies[0], easy) || !bytes.Equal(bodies[1], hard) {
		t.Fatal("bodies differ")
	}
	tried := 0
	for range 100 {
		if shrink.try() {
			shrink.report(false)
			tried++
		}
	}
	if tried < 3 || tried > 8 {
		t.Fatalf("tried %d of 100", tried)
	}
}

// TestFullDisk fails one write for want of space: nothing changes, and the next
// attempt succeeds. A failed sync is final.
func TestFullDisk(t *testing.T) {
	mem := crashfs.New()
	fsys := faultfs.New(mem)
	newDir(t, fsys)
	l, err := Create(testOptions(fsys, rand.New(rand.NewPCG(1, 1))), 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b string) error { return errors.Join(l.Append([]*Frame{frameOf([]byte(b))}), l.Sync()) }
	if err := write("one"); err != nil {
		t.Fatal(err)
	}
	fsys.LimitBytes(100)
	big := frameOf(bytes.Repeat([]byte("x"), 9000))
	if err := l.Append([]*Frame{big}); !vfs.IsNoSpace(err) {
		t.Fatalf("full disk: %v", err)
	}
	fsys.Disarm()
	if err := write("two"); err != nil {
		t.Fatal(err)
	}
	fsys.LimitBytes(0) // A roll needs a file and finds no room for it.
	huge := frameOf(bytes.Repeat([]byte("0123456789abcdef"), 4096)[:12000])
	huge.Add(Rows, 1, make([]byte, 8000), nil)
	for range 20 {
		fsys.LimitBytes(10 << 10)
		if err = write("three"); err != nil {
			break
		}
	}
	if !vfs.IsNoSpace(err) {
		t.Fatalf("full disk at a roll: %v", err)
	}
	fsys.Disarm()
	if err := write("four"); err != nil {
		t.Fatal(err)
	}
	got, _, err := collect(mem, 1, 1)
	if err != nil || string(got[1]) != "one" || string(got[2]) != "two" || string(got[l.NextSeq()-1]) != "four" {
		t.Fatalf("replay: %v", err)
	}
	fsys.Arm(faultfs.Fault{Op: faultfs.Sync, Nth: 1})
	if err := write("five"); err == nil {
		t.Fatal("sync must fail")
	}
	fsys.Disarm()
	if err := write("six"); err == nil {
		t.Fatal("a failed sync must be final")
	}
}

// TestBitFlips flips one random bit in every byte of a covered log: refused
// with the file's name, or the answer is the same.
func TestBitFlips(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	fsys := crashfs.New()
	newDir(t, fsys)
	opts := testOptions(fsys, rng)
	opts.FileBytes = 20 << 10
	l, err := Create(opts, 1, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for g := range 4 {
		frames := []*Frame{frameOf([]byte(fmt.Sprintf("group %d", g))), frameOf(bytes.Repeat([]byte{byte(g)}, 700))}
		if err := errors.Join(l.Append(frames), l.Sync()); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Cover(); err != nil {
		t.Fatal(err)
	}
	want, _, err := collect(fsys, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]int64{}
	for _, f := range l.Files() {
		used[fileName("wal", f.Number)] = f.Bytes
	}
	coverStart := l.Files()[len(l.Files())-1].Bytes - align // damage to the empty frame itself loses nothing
	for _, name := range fsys.Tree("wal/0") {
		clean, _ := vfs.ReadFile(fsys, name)
		for off := range clean {
			b := clean[off] ^ 1<<rng.IntN(8)
			if err := fsys.Corrupt(name, int64(off), []byte{b}); err != nil {
				t.Fatal(err)
			}
			got, _, err := collect(fsys, 1, 1)
			if err == nil && int64(off) < used[name] && (int64(off) < coverStart || name != fileName("wal", l.currentNumber())) {
				t.Fatalf("%s byte %d: not detected", name, off)
			}
			if err == nil {
				delete(got, l.NextSeq()-1)
				for seq, body := range got {
					if !bytes.Equal(body, want[seq]) {
						t.Fatalf("%s byte %d: frame %d differs", name, off, seq)
					}
				}
				if len(got) != len(want)-1 {
					t.Fatalf("%s byte %d: %d frames of %d", name, off, len(got), len(want))
				}
			}
			_ = fsys.Corrupt(name, int64(off), clean[off:off+1])
		}
		for cut := int64(0); cut < int64(len(clean)); cut += 509 {
			c := fsys.CrashClone(rng, 100)
			_ = c.Truncate(name, cut)
			if _, _, err := collect(c, 1, 1); errs.CodeOf(err) != errs.DataCorrupted {
				t.Fatalf("%s truncated to %d: %v", name, cut, err)
			}
		}
	}
}

func FuzzWALReplay(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 1))
	fsys := crashfs.New()
	newDir(f, fsys)
	opts := testOptions(fsys, rng)
	opts.FileBytes = 16 << 10
	l, err := Create(opts, 1, 1, nil)
	if err != nil {
		f.Fatal(err)
	}
	_ = l.Append([]*Frame{frameOf([]byte("seed")), frameOf(bytes.Repeat([]byte("ab"), 2000))})
	_ = l.Sync()
	data, _ := vfs.ReadFile(fsys, fileName("wal", 1))
	f.Add(data, false)
	f.Add(data, true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, data []byte, mend bool) {
		mem := crashfs.New()
		newDir(t, mem)
		if mend { // let the fuzzer past the checksums
			data = mendChecksums(bytes.Clone(data))
		}
		if err := vfs.WriteFileBytes(mem, "wal/tmp", fileName("wal", 1), data); err != nil {
			t.Fatal(err)
		}
		if _, _, err := collect(mem, 1, 1); err != nil {
			errs.As(err)
		}
	})
}
