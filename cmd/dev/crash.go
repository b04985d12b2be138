package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"quern/storage"
)

var _ = register("crash", "kill -9 loops and power cuts: nothing acknowledged is lost", runCrash)

// crashTotals are the four ways to fail.
type crashTotals struct{ lost, duplicated, partial, resurrected int }

func (t *crashTotals) String() string {
	return fmt.Sprintf("lost %d, duplicated %d, partial %d, resurrected %d", t.lost, t.duplicated, t.partial, t.resurrected)
}

// runCrash is RELIABILITY.md's T1 (kill -9), T2 (power cuts on the crashable
// memory file system) and T4 (the N-th file operation fails). The last line is
// the sum of all.
func runCrash(args []string) error {
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	short := flags.Bool("short", false, "the form that CI runs: 30 kills, 2,000 seeds, every 9th file operation")
	kills := flags.Int("kills", 200, "kill -9 cycles")
	seeds := flags.Int("seeds", 20000, "power cuts")
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the kill loop")
	only := flags.String("only", "", "one part: T1, T2 or T4")
	if err := flags.Parse(args); err != nil {
		return err
	}
	stride := int64(1)
	if *short {
		*kills, *seeds, stride = 30, 2000, 9
	}
	total := &crashTotals{}
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"T2", func() error { return powerCuts(*seeds, total) }},
		{"T4", func() error { return faultSweep(stride, int64(*seed%uint64(stride)), total) }},
		{"T1", func() error { return killLoop(*kills, *seed, total) }},
	} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.run(); err != nil {
			return err
		}
	}
	fmt.Println(total)
	if *total != (crashTotals{}) {
		return errors.New("a promise was broken")
	}
	return nil
}

// killLoop runs writers against a server that is killed, at every failpoint in
// turn and at random moments, and checks after every restart what is there.
func killLoop(cycles int, seed uint64, total *crashTotals) error {
	start := time.Now()
	dir, err := os.MkdirTemp("", "quern-crash-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err := buildQuern(dir, "-tags", "failpoints")
	if err != nil {
		return err
	}
	before := *total
	k := &killer{rng: rand.New(rand.NewPCG(seed, 0)), bin: bin, dir: dir, data: filepath.Join(dir, "data"),
		writers: newWriters(), total: total, hits: map[string]int{}, tries: map[string]int{}}
	for cycle := range cycles {
		if err := k.cycle(cycle); err != nil {
			return fmt.Errorf("seed %d cycle %d: %w", seed, cycle, err)
		}
	}
	acked, err := k.finish()
	if err != nil {
		return fmt.Errorf("seed %d: %w", seed, err)
	}
	if acked < cycles {
		return fmt.Errorf("seed %d: only %d batches were acknowledged in %d cycles: the harness did not work", seed, acked, cycles)
	}
	verdict := "passed"
	if *total != before {
		verdict = "FAILED"
	}
	fmt.Printf("T1 %d kills %s, %d of them at %d of %d failpoints (not met: %s), %d batches acknowledged, %d backups restored right, seed %d, %.0f s\n",
		cycles, verdict, k.atPoints, len(k.hits), len(storage.Failpoints()), strings.Join(k.missed(), " "), acked, k.backups, seed, time.Since(start).Seconds())
	return nil
}

func createCrashTable(url string) error {
	return withConn(url, func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := c.Exec(ctx, "CREATE TABLE crash (writer int4, batch int8, n int4, size int4, at timestamptz)").ReadAll()
		return err
	})
}

func withConn(url string, f func(ctx context.Context, c *pgconn.PgConn) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	return f(ctx, c)
}

// readBatches tells of every stored batch how many rows it has, and whether they
// are the right ones.
func readBatches(url string) (stored map[batchID][2]int, err error) {
	stored = map[batchID][2]int{}
	err = withConn(url, func(ctx context.Context, c *pgconn.PgConn) error {
		res, err := c.Exec(ctx, "SELECT writer, batch, count(*), coalesce(sum(n), 0), coalesce(sum(n::int8 * n), 0) FROM crash GROUP BY writer, batch").ReadAll()
		if err != nil {
			return err
		}
		for _, row := range res[0].Rows {
			var id batchID
			var n, sum, squares int
			if _, err := fmt.Sscan(string(bytes.Join(row, []byte(" "))), &id.writer, &id.batch, &n, &sum, &squares); err != nil {
				return err
			}
			distinct := n
			if sum != n*(n-1)/2 || squares != n*(n-1)*(2*n-1)/6 { // n rows, but not 0 … n-1
				distinct = n - 1
			}
			stored[id] = [2]int{n, distinct}
		}
		return nil
	})
	return stored, err
}

// verifyWriters compares what is stored with what was acknowledged.
func verifyWriters(url string, writers []*crashWriter, total *crashTotals) error {
	stored, err := readBatches(url)
	if err != nil {
		return err
	}
	for _, w := range writers {
		w.judge(stored, total)
	}
	for id := range stored {
		total.resurrected++ // nobody sent it, or it was answered with an error
		fmt.Printf("batch %v is stored and was never sent\n", id)
	}
	return nil
}
