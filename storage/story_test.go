package storage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"quern/storage"
	"quern/storage/errs"
	"quern/storage/vfs/crashfs"
)

// TestStories runs testdata/stories: a store on a crashable file system.
//
//	create table=N                      append table=N ids=(1,2,…) [key=K] [digest=D] [ingest]
//	flush | step | wait minutes=N       crash [keep=PERCENT] [seed=N]: power cut and restart
//	close | open                        scan table=N
//	info | check | files
func TestStories(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		st := &story{t: t, c: newClock(), fs: crashfs.New()}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := st.run(d)
			var e *errs.Error
			if errors.As(err, &e) {
				return fmt.Sprintf("ERROR %s: %s\n", e.Code, e.Msg)
			}
			if err != nil {
				return fmt.Sprintf("ERROR %s: %v\n", errs.CodeOf(err), err)
			}
			return out
		})
	})
}

type story struct {
	t  *testing.T
	c  *clock
	fs *crashfs.FS
	s  *storage.Store
}

func intArg(d *datadriven.TestData, key string, def int64) int64 {
	for _, a := range d.CmdArgs {
		if a.Key == key && len(a.Vals) > 0 {
			n, err := strconv.ParseInt(a.Vals[0], 10, 64)
			if err == nil {
				return n
			}
		}
	}
	return def
}

func (st *story) open() (string, error) {
	opts := options(st.fs, st.c)
	opts.WALFileBytes = 64 << 10
	var err error
	st.s, err = storage.Open(opts)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("open at seq %d\n", st.s.Info().Seq), nil
}

func (st *story) run(d *datadriven.TestData) (string, error) {
	ctx := context.Background()
	table := uint32(intArg(d, "table", tab))
	switch d.Cmd {
	case "open":
		return st.open()
	case "close":
		return "", st.s.Close()
	case "create":
		createTable(st.t, st.s, events(table))
		return fmt.Sprintf("seq %d\n", st.s.Info().Seq), nil
	case "append":
		return st.append(d, table)
	case "flush":
		return "", st.s.Flush(ctx, 0)
	case "step":
		n := 0
		for more := true; more; n++ {
			var err error
			if more, err = st.s.Step(ctx); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("steps that did something: %d\n", n-1), nil
	case "wait":
		st.c.Add(time.Duration(intArg(d, "minutes", 1)) * time.Minute)
		return "", nil
	case "crash":
		rng := rand.New(rand.NewPCG(uint64(intArg(d, "seed", 1)), 1))
		clone := st.fs.Cut(rng, int(intArg(d, "keep", 0)))
		_ = st.s.Close() // it cannot write any more
		st.fs = clone
		return st.open()
	case "scan":
		return fmt.Sprintf("%v\n", ids(st.t, st.s, table, st.c.Now())), nil
	case "info":
		n := st.s.Snapshot()
		defer n.Close()
		z := n.Size(table)
		return fmt.Sprintf("rows %d segments %d wal files %d keys %d\n", z.Rows, z.Segments, st.s.Info().WALFiles, st.s.Info().Keys), nil
	case "files":
		return strings.Join(st.fs.Tree("data/tables/"), "\n") + "\n", nil
	case "check":
		problems, err := storage.Check(st.fs, "data")
		return fmt.Sprintf("problems: %d\n", len(problems)), err
	}
	return "", fmt.Errorf("unknown command %s", d.Cmd)
}

func (st *story) append(d *datadriven.TestData, table uint32) (string, error) {
	var list []int64
	c := &storage.Commit{Source: "story"}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "ids":
			for _, v := range a.Vals {
				n, err := strconv.ParseInt(v, 10, 64)
				if err != nil {
					return "", err
				}
				list = append(list, n)
			}
		case "key":
			c.Key = &storage.BatchKey{Table: table, Key: a.Vals[0], Digest: [16]byte{byte(intArg(d, "digest", 0))}}
		case "ingest":
			c.Ingest = true
		}
	}
	c.Tables = []storage.TableRows{rowsOf(table, list...)}
	o, err := st.s.Commit(context.Background(), c)
	if err != nil {
		return "", err
	}
	out := fmt.Sprintf("ack seq=%d received=%d accepted=%d quarantined=%d", o.Seq, o.Received, o.Accepted, o.Quarantined)
	if o.Replayed {
		out += " replayed"
	}
	return out + "\n", nil
}
