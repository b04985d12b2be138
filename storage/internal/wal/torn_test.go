package wal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"quern/storage/errs"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

// mendChecksums makes a mutated file's checksums right again.
func mendChecksums(b []byte) []byte {
	if len(b) < fileHeaderBytes+frameHeaderBytes {
		return b
	}
	le.PutUint64(b[48:], uint64(len(b)))
	le.PutUint32(b[align-4:], crc32.Checksum(b[:align-4], castagnoli))
	salt := le.Uint64(b[24:])
	for off := fileHeaderBytes; off+frameHeaderBytes <= len(b); {
		h := b[off:]
		n := int(le.Uint32(h[32:]))
		if n > len(h)-frameHeaderBytes {
			return b
		}
		le.PutUint32(h[36:], crc32.Checksum(h[frameHeaderBytes:frameHeaderBytes+n], castagnoli))
		le.PutUint32(h[4:], headerCRC(h, salt))
		off += frameHeaderBytes + n/8*8
	}
	return b
}

// tornStats counts what the torn-tail test met.
type tornStats struct {
	seeds, rounds, acked, torn  int
	lost, refusedWrongly        int
	damaged, detected           int
	lastGroup, lastGroupMissed  int // damage in the last acknowledged group, not covered
	coveredDamaged, coveredMiss int // the same with the covering empty frame
}

// TestTornTail is the risk test of the torn-tail rule: power cuts at a random
// operation with groups of 2 to 16 frames and 512-byte tearing, up to three
// recoveries in a row, then a single flipped bit in an acknowledged frame.
// Nothing acknowledged may be lost, no honest cut refused, and every damage
// detected but for the last group before the covering frame is written.
// QUERN_TORN_SEEDS sets the number of seeds (the long form is 20,000).
func TestTornTail(t *testing.T) {
	seeds := 400
	if s := os.Getenv("QUERN_TORN_SEEDS"); s != "" {
		seeds, _ = strconv.Atoi(s)
	}
	var st tornStats
	for seed := range seeds {
		st.seeds++
		if err := tornSeed(uint64(seed), &st, false); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	t.Logf("%+v", st)
	if st.lost+st.refusedWrongly+st.coveredMiss != 0 || st.detected != st.damaged {
		t.Fatalf("violations: %+v", st)
	}
	if st.torn == 0 || st.damaged == 0 || st.lastGroup == 0 || st.coveredDamaged == 0 {
		t.Fatalf("the test did not meet every case: %+v", st)
	}
}

// TestTornTailMutation plants durable_seq = 0: the test above must notice.
func TestTornTailMutation(t *testing.T) {
	var st tornStats
	for seed := range 60 {
		_ = tornSeed(uint64(seed), &st, true)
	}
	if st.detected == st.damaged {
		t.Fatalf("durable_seq = 0 went unnoticed: %+v", st)
	}
}

// tornModel is what the writer knows: bodies by sequence, and up to where they
// were acknowledged.
type tornModel struct {
	bodies    map[uint64][]byte
	acked     uint64
	ackedFrom uint64 // first sequence of the last acknowledged group
}

func tornSeed(seed uint64, st *tornStats, mutate bool) error {
	rng := rand.New(rand.NewPCG(seed, 77))
	fsys := crashfs.New()
	for _, d := range []string{"wal", "wal/spare"} {
		if err := vfs.MkdirAllSync(fsys, ".", d); err != nil {
			return err
		}
	}
	m := &tornModel{bodies: map[uint64][]byte{}}
	file, next, old := uint64(1), uint64(1), []FileInfo(nil)
	for range 1 + rng.IntN(3) {
		st.rounds++
		clone, err := tornRound(rng, fsys, m, file, next, old, mutate)
		if err != nil {
			return err
		}
		got, tail, err := collect(clone, 1, 1)
		if vfs.IsNotExist(err) || (err != nil && next == 1 && m.acked == 0) {
			return nil // The cut came before the first file was durable.
		}
		if err != nil {
			st.refusedWrongly++
			return fmt.Errorf("honest cut refused: %w", err)
		}
		if tail.Torn {
			st.torn++
		}
		if err := m.check(got, tail, st); err != nil {
			return err
		}
		fsys, file, next, old = clone, tail.NextFile, tail.NextSeq, tail.Files
		if m.acked < tail.NextSeq-1 { // the rest of one unsynced group counts as committed now
			m.acked, m.ackedFrom = tail.NextSeq-1, m.acked+1
		}
	}
	return tornDamage(rng, fsys, m, st)
}

// tornRound writes until the power goes and returns what the disk shows.
func tornRound(rng *rand.Rand, fsys *crashfs.FS, m *tornModel, file, next uint64, old []FileInfo, mutate bool) (*crashfs.FS, error) {
	opts := testOptions(fsys, rng)
	opts.FileBytes = int64(align * (6 + rng.IntN(40)))
	opts.DurableSeqZero = mutate
	keep := []int{0, 25, 50, 75, 100}[rng.IntN(5)]
	fsys.CutAt(int64(8+rng.IntN(60)), rng.IntN(2) == 0, rng, keep)
	l, err := Create(opts, file, next, old)
	for err == nil {
		var frames []*Frame
		from := l.NextSeq()
		for i := range 2 + rng.IntN(15) {
			body := bytes.Repeat([]byte{byte(rng.Uint32())}, rng.IntN(1+rng.IntN(3000)))
			frames = append(frames, frameOf(body))
			m.bodies[from+uint64(i)] = body
		}
		if err = errors.Join(l.Append(frames), l.Sync()); err == nil {
			m.acked, m.ackedFrom = l.NextSeq()-1, from
		}
		if err == nil && rng.IntN(6) == 0 {
			m.bodies[l.NextSeq()] = nil
			if err = l.Cover(); err == nil {
				m.acked, m.ackedFrom = l.NextSeq()-1, l.NextSeq()-1
			}
		}
	}
	if !errors.Is(err, crashfs.ErrPowerLost) {
		return nil, err
	}
	return fsys.Cut(rng, keep), nil
}

func (m *tornModel) check(got map[uint64][]byte, tail Tail, st *tornStats) error {
	st.acked += int(m.acked)
	if tail.NextSeq <= m.acked {
		st.lost += int(m.acked - tail.NextSeq + 1)
		return fmt.Errorf("frames %d to %d lost", tail.NextSeq, m.acked)
	}
	for seq := uint64(1); seq < tail.NextSeq; seq++ {
		if !bytes.Equal(got[seq], m.bodies[seq]) {
			st.lost++
			return fmt.Errorf("frame %d differs", seq)
		}
	}
	return nil
}

// tornDamage flips one bit of an acknowledged frame, without and with the
// covering frame behind it.
func tornDamage(rng *rand.Rand, fsys *crashfs.FS, m *tornModel, st *tornStats) error {
	type place struct {
		name    string
		off, to int64
		seq     uint64
	}
	var places []place
	_, err := Replay(fsys, "wal", 1, 1, func(v *FrameView) error {
		if v.Seq <= m.acked && v.sections > 0 {
			places = append(places, place{fileName("wal", v.File), v.Offset, v.Offset + frameHeaderBytes + int64(len(v.payload)), v.Seq})
		}
		return nil
	})
	if err != nil || len(places) == 0 {
		return err
	}
	p := places[rng.IntN(len(places))]
	if rng.IntN(4) == 0 {
		p = places[len(places)-1]
	}
	off := p.off + rng.Int64N(p.to-p.off)
	flip := func(c *crashfs.FS) error {
		data, err := vfs.ReadFile(c, p.name)
		if err != nil {
			return err
		}
		return c.Corrupt(p.name, off, []byte{data[off] ^ 1<<rng.IntN(8)})
	}
	bare := fsys.CrashClone(rng, 100)
	if err := flip(bare); err != nil {
		return err
	}
	_, _, err = collect(bare, 1, 1)
	detected := errs.CodeOf(err) == errs.DataCorrupted
	if p.seq >= m.ackedFrom {
		st.lastGroup++
		if !detected {
			st.lastGroupMissed++
		}
	} else {
		st.damaged++
		if detected {
			st.detected++
		}
	}
	return tornCovered(rng, fsys, flip, st)
}

// tornCovered recovers as the store does, writes the covering frame, then
// damages.
func tornCovered(rng *rand.Rand, fsys *crashfs.FS, flip func(*crashfs.FS) error, st *tornStats) error {
	c := fsys.CrashClone(rng, 100)
	_, tail, err := collect(c, 1, 1)
	if err != nil {
		return err
	}
	if _, err := Create(testOptions(c, rng), tail.NextFile, tail.NextSeq, tail.Files); err != nil {
		return err
	}
	if err := flip(c); err != nil {
		return err
	}
	st.coveredDamaged++
	if _, _, err := collect(c, 1, 1); errs.CodeOf(err) != errs.DataCorrupted {
		st.coveredMiss++
		return errors.New("damage before the new file's first sequence was not detected")
	}
	return nil
}
