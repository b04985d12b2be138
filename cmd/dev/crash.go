package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var _ = register("crash", "kill -9 loops and power cuts: nothing acknowledged is lost", runCrash)

// crashTotals are the four ways to fail.
type crashTotals struct{ lost, duplicated, partial, resurrected int }

func (t *crashTotals) String() string {
	return fmt.Sprintf("lost %d, duplicated %d, partial %d, resurrected %d", t.lost, t.duplicated, t.partial, t.resurrected)
}

// runCrash is RELIABILITY.md's T1 (kill -9) and T2 (power cuts on the crashable
// memory file system). The last line is the sum of both.
func runCrash(args []string) error {
	flags := flag.NewFlagSet("crash", flag.ContinueOnError)
	short := flags.Bool("short", false, "the form that CI runs: 20 kills, 2,000 seeds")
	kills := flags.Int("kills", 200, "kill -9 cycles")
	seeds := flags.Int("seeds", 20000, "power cuts")
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "seed of the kill loop")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *short {
		*kills, *seeds = 20, 2000
	}
	total := &crashTotals{}
	if err := powerCuts(*seeds, total); err != nil {
		return err
	}
	if err := killLoop(*kills, *seed, total); err != nil {
		return err
	}
	fmt.Println(total)
	if *total != (crashTotals{}) {
		return errors.New("a promise was broken")
	}
	return nil
}

// killLoop runs writers against a server that is killed at random moments, and
// checks after every restart what is there.
func killLoop(cycles int, seed uint64, total *crashTotals) error {
	start := time.Now()
	rng := rand.New(rand.NewPCG(seed, 0))
	dir, err := os.MkdirTemp("", "quern-crash-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err := buildQuern(dir)
	if err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	writers := newWriters()
	before := *total
	for cycle := range cycles {
		// Small flushes, so that kills meet segments and WAL retirement too.
		q, err := startQuern(bin, data, "--flush-rows", "20000")
		if err != nil {
			return fmt.Errorf("seed %d cycle %d: %w", seed, cycle, err)
		}
		if cycle == 0 {
			if err := createCrashTable(q.URL); err != nil {
				q.Kill()
				return err
			}
		}
		if err := verifyWriters(q.URL, writers, total); err != nil {
			q.Kill()
			return fmt.Errorf("seed %d cycle %d: %w", seed, cycle, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for _, w := range writers {
			wg.Go(func() { w.run(ctx, q) })
		}
		time.Sleep(time.Duration(10+rng.IntN(1000)) * time.Millisecond)
		q.Kill()
		cancel()
		wg.Wait()
	}
	q, err := startQuern(bin, data)
	if err != nil {
		return fmt.Errorf("seed %d: %w", seed, err)
	}
	acked := 0
	for _, w := range writers {
		w.settle(q)
		acked += len(w.acked)
	}
	if err := verifyWriters(q.URL, writers, total); err != nil {
		q.Kill()
		return err
	}
	if err := q.Stop(); err != nil {
		return err
	}
	if out, err := exec.Command(bin, "check", "--data", data).CombinedOutput(); err != nil {
		return fmt.Errorf("seed %d: quern check: %v\n%s", seed, err, out)
	}
	if acked < cycles {
		return fmt.Errorf("seed %d: only %d batches were acknowledged in %d cycles: the harness did not work", seed, acked, cycles)
	}
	verdict := "passed"
	if *total != before {
		verdict = "FAILED"
	}
	fmt.Printf("T1 %d kills %s, %d batches acknowledged, seed %d, %.0f s\n", cycles, verdict, acked, seed, time.Since(start).Seconds())
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

// verifyWriters compares what is stored with what was acknowledged.
func verifyWriters(url string, writers []*crashWriter, total *crashTotals) error {
	stored := map[batchID][2]int{}
	err := withConn(url, func(ctx context.Context, c *pgconn.PgConn) error {
		res, err := c.Exec(ctx, "SELECT writer, batch, count(*), count(DISTINCT n) FROM crash GROUP BY writer, batch").ReadAll()
		if err != nil {
			return err
		}
		for _, row := range res[0].Rows {
			var id batchID
			var n, distinct int
			if _, err := fmt.Sscan(string(row[0])+" "+string(row[1])+" "+string(row[2])+" "+string(row[3]), &id.writer, &id.batch, &n, &distinct); err != nil {
				return err
			}
			stored[id] = [2]int{n, distinct}
		}
		return nil
	})
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
