package wal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

// TestStories runs testdata/wal:
//
//	group sizes=(n,…) [nosync]   append one group of frames with bodies of n bytes
//	cover | roll | recover       recover goes on in a new file
//	retire seq=N                 let go of the files before the one that holds N
//	flip file=N off=N            flip bit 0
//	crash keep=PERCENT seed=N    power cut
//	replay                       what a start reads
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		if strings.Contains(path, "fuzz") {
			return
		}
		st := &walStory{t: t, fs: crashfs.New(), floor: FileInfo{Number: 1, FirstSeq: 1}}
		newDir(t, st.fs)
		var err error
		if st.l, err = Create(st.options(), 1, 1, nil); err != nil {
			t.Fatal(err)
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := st.run(d)
			if err != nil {
				out += "ERROR " + err.Error() + "\n"
			}
			return out
		})
	})
}

type walStory struct {
	t     *testing.T
	fs    *crashfs.FS
	l     *Log
	floor FileInfo
}

func (st *walStory) options() Options {
	o := testOptions(st.fs, rand.New(rand.NewPCG(1, 1)))
	o.FileBytes = 32 << 10
	return o
}

func (st *walStory) run(d *datadriven.TestData) (string, error) {
	arg := func(key string) int {
		for _, a := range d.CmdArgs {
			if a.Key == key && len(a.Vals) > 0 {
				n, _ := strconv.Atoi(a.Vals[0])
				return n
			}
		}
		return 0
	}
	switch d.Cmd {
	case "group":
		return st.group(d)
	case "cover":
		return "", st.l.Cover()
	case "roll":
		return "", st.l.Roll()
	case "flip":
		name := fileName("wal", uint64(arg("file")))
		data, err := vfs.ReadFile(st.fs, name)
		if err != nil {
			return "", err
		}
		return "", st.fs.Corrupt(name, int64(arg("off")), []byte{data[arg("off")] ^ 1})
	case "crash":
		st.fs = st.fs.CrashClone(rand.New(rand.NewPCG(uint64(arg("seed")), 1)), arg("keep"))
		return "", nil
	case "retire":
		st.floor = st.l.Retirable(uint64(arg("seq")))
		if err := st.l.Retire(st.floor.Number); err != nil {
			return "", err
		}
		return fmt.Sprintf("floor is file %d, spares %d\n", st.floor.Number, len(st.fs.Tree("wal/spare/"))), nil
	case "recover":
		_, tail, err := collect(st.fs, st.floor.Number, st.floor.FirstSeq)
		if err != nil {
			return "", err
		}
		st.l, err = Create(st.options(), tail.NextFile, tail.NextSeq, tail.Files)
		return "", errors.Join(err, SyncTail(st.fs, "wal", tail))
	}
	return st.replay()
}

func (st *walStory) group(d *datadriven.TestData) (string, error) {
	var frames []*Frame
	nosync := false
	for _, a := range d.CmdArgs {
		if a.Key == "nosync" {
			nosync = true
		}
		for _, v := range a.Vals {
			n, err := strconv.Atoi(v)
			if err != nil {
				return "", err
			}
			frames = append(frames, frameOf(bytes.Repeat([]byte("x"), n)))
		}
	}
	if err := st.l.Append(frames); err != nil {
		return "", err
	}
	if !nosync {
		if err := st.l.Sync(); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("next seq %d\n", st.l.NextSeq()), nil
}

func (st *walStory) replay() (string, error) {
	var b strings.Builder
	tail, err := Replay(st.fs, "wal", st.floor.Number, st.floor.FirstSeq, func(v *FrameView) error {
		fmt.Fprintf(&b, "file %d offset %d: seq %d, %d bytes, %d sections\n", v.File, v.Offset, v.Seq, v.Bytes(), v.sections)
		return nil
	})
	if err == nil {
		fmt.Fprintf(&b, "next seq %d, next file %d, torn %v\n", tail.NextSeq, tail.NextFile, tail.Torn)
	}
	return b.String(), err
}
