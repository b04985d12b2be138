package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var _ = register("cancel", "stops every kind of query at random moments, in every way", runCancel)

// runCancel holds that any query stops soon after it is told to, by a cancel
// request, a timeout, the client's going away or the server's end, and that
// nothing of it is left: memory, spill files, goroutines.
func runCancel(args []string) error {
	flags := flag.NewFlagSet("cancel", flag.ContinueOnError)
	short := flags.Bool("short", false, "each query twice")
	rounds := flags.Int("rounds", 6, "cancels of each query")
	limit := flags.Duration("limit", 50*time.Millisecond, "longest median time to stop; no stop may take ten times as long")
	only := flags.String("only", "", "queries whose name contains this")
	seed := flags.Uint64("seed", uint64(time.Now().UnixNano()), "of the moments")
	quern := flags.String("quern", "", "binary to test (default: a fresh build)")
	memory := flags.String("memory", "1GB", "of the server")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *short {
		*rounds = 2
	}
	dir, err := os.MkdirTemp("", "quern-cancel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Printf("cancel: seed %d\n", *seed)
	c := &cancelSuite{rounds: *rounds, limit: *limit, rnd: rand.New(rand.NewPCG(*seed, 0)), bin: *quern, dir: dir, memory: *memory}
	if c.bin == "" {
		if c.bin, err = buildQuern(dir); err != nil {
			return err
		}
	}
	if err := c.start(); err != nil {
		return err
	}
	defer func() { c.p.Kill() }()
	for _, q := range cancelQueries {
		if strings.Contains(q.name, *only) {
			c.query(q.name, q.sql)
		}
	}
	if *only == "" {
		c.clientGone()
		c.serverEnds()
	}
	fmt.Printf("cancel: %d stops, %d failed, seed %d\n", c.stops, c.failed, *seed)
	if c.failed > 0 {
		return errors.New("queries that did not stop in time")
	}
	return nil
}

type cancelSuite struct {
	rounds        int
	limit         time.Duration
	rnd           *rand.Rand
	bin, dir      string
	memory        string
	p             *quernProcess
	idle          float64 // goroutines of the idle server
	stops, failed int
}

// start makes the data once, and serves it.
func (c *cancelSuite) start() (err error) {
	data := filepath.Join(c.dir, "data")
	fresh := !exists(data)
	if c.p, err = startQuern(c.bin, data, "--threads", "2", "--memory", c.memory); err != nil || !fresh {
		return err
	}
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, c.p.URL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, q := range cancelSetup {
		if _, err := conn.Exec(ctx, q).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	c.idle, err = c.metric("go_goroutines")
	return err
}

func (c *cancelSuite) fail(format string, args ...any) {
	c.failed++
	fmt.Printf("FAIL "+format+"\n", args...)
}

// stuck is how long a query may go on before its stacks are wanted.
const stuck = 5 * time.Second

// query stops one query several times, by turns by request and by timeout.
func (c *cancelSuite) query(name, sql string) {
	var took []time.Duration
	for r := range c.rounds {
		d, err := c.stopOnce(sql, r%2 == 1)
		if err != nil {
			c.fail("%s: %v", name, err)
			if d >= stuck {
				c.restart()
			}
			return
		}
		if d < 0 { // it ended by itself
			continue
		}
		c.stops++
		took = append(took, d)
		if err := c.clean(); err != nil {
			c.fail("%s: %v", name, err)
			return
		}
	}
	if len(took) == 0 {
		fmt.Printf("     %s: always ended before its cancel\n", name)
		return
	}
	slices.Sort(took)
	median, longest := took[len(took)/2], took[len(took)-1]
	if median > c.limit || longest > 10*c.limit {
		c.fail("%s: median %s, longest %s", name, median, longest)
		return
	}
	fmt.Printf("ok   %-45s median %6.1f ms, longest %6.1f ms\n", name, ms(median), ms(longest))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// stopOnce runs a query, stops it at a random moment and gives the time from
// there to its error; -1 if it was over before.
func (c *cancelSuite) stopOnce(sql string, byTimeout bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgconn.Connect(ctx, c.p.URL)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	after := time.Duration(10+c.rnd.IntN(1000)) * time.Millisecond
	if byTimeout {
		if _, err := conn.Exec(ctx, "SET statement_timeout = "+strconv.Itoa(int(after.Milliseconds()))).ReadAll(); err != nil {
			return 0, err
		}
	}
	ended := make(chan error, 1)
	begin := time.Now()
	started.Go(func() { ended <- readAway(conn.Exec(ctx, sql)) })
	stop := begin.Add(after)
	if !byTimeout {
		select {
		case err := <-ended:
			return -1, wantNone(err)
		case <-time.After(after):
		}
		stop = time.Now()
		if err := conn.CancelRequest(ctx); err != nil {
			return 0, err
		}
	}
	select {
	case err = <-ended:
	case <-time.After(after + stuck):
		_ = c.p.cmd.Process.Signal(syscall.SIGQUIT)
		return stuck, fmt.Errorf("has not stopped after %s (stacks in %s)", stuck, c.keepLog())
	}
	d := time.Since(stop)
	var pe *pgconn.PgError
	switch {
	case err == nil:
		return -1, nil
	case !errors.As(err, &pe):
		return d, err
	case pe.Code == "57014":
		return max(d, 0), nil
	}
	return -1, wantNone(err)
}

// wantNone lets a query end for want of memory or room before it is stopped.
func wantNone(err error) error {
	var pe *pgconn.PgError
	if errors.As(err, &pe) && slices.Contains([]string{"53200", "53400", "53100", "54000"}, pe.Code) {
		return nil
	}
	return err
}

// readAway reads all results and keeps nothing.
func readAway(mr *pgconn.MultiResultReader) error {
	for mr.NextResult() {
		rr := mr.ResultReader()
		for rr.NextRow() {
			continue
		}
		if _, err := rr.Close(); err != nil {
			_ = mr.Close()
			return err
		}
	}
	return mr.Close()
}

// keepLog copies the server's log out of the folder that goes away.
func (c *cancelSuite) keepLog() string {
	time.Sleep(500 * time.Millisecond) // the stacks are being written
	b, err := os.ReadFile(c.p.log.Name())
	if err != nil {
		return err.Error()
	}
	f, err := os.CreateTemp("", "quern-cancel-*.log")
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	_, _ = f.Write(b)
	return f.Name()
}

func (c *cancelSuite) restart() {
	c.p.Kill()
	_ = os.Truncate(filepath.Join(c.dir, "data.log"), 0)
	if err := c.start(); err != nil {
		fmt.Fprintln(os.Stderr, "dev cancel: restart:", err)
		os.Exit(1)
	}
}

// clean waits until nothing of the query is left.
func (c *cancelSuite) clean() error {
	const patience = time.Second
	var mem, disk, routines float64
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if mem, err = c.metric("quern_query_memory_bytes"); err != nil {
			return err
		}
		if disk, err = c.metric("quern_query_spill_bytes"); err != nil {
			return err
		}
		if routines, err = c.metric("go_goroutines"); err != nil {
			return err
		}
		if mem == 0 && disk == 0 && routines <= c.idle+8 {
			return nil
		}
	}
	return fmt.Errorf("left behind after %s: %.0f bytes of memory, %.0f of spill files, %.0f goroutines (%.0f when idle)", patience, mem, disk, routines, c.idle)
}

// metric reads one gauge of /metrics.
func (c *cancelSuite) metric(name string) (float64, error) { return metricOf(c.p, name) }

func metricOf(p *quernProcess, name string) (float64, error) {
	resp, err := http.Get(p.HTTP + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	defer func() { _, _ = io.Copy(io.Discard, resp.Body) }()
	for sc := bufio.NewScanner(resp.Body); sc.Scan(); {
		if v, ok := strings.CutPrefix(sc.Text(), name+" "); ok {
			return strconv.ParseFloat(v, 64)
		}
	}
	return 0, fmt.Errorf("no metric %s", name)
}

// clientGone closes the socket of a running query, which must end.
func (c *cancelSuite) clientGone() {
	for _, sql := range []string{`SELECT count(*) FROM big a, big b`, `SELECT a.* FROM big a, generate_series(1, 100000)`} {
		conn, err := dialRaw(c.p.URL, "admin")
		if err != nil {
			c.fail("client gone: %v", err)
			return
		}
		msg := append([]byte{'Q', 0, 0, 0, byte(len(sql) + 5)}, sql...)
		if _, err := conn.conn.Write(append(msg, 0)); err != nil {
			c.fail("client gone: %v", err)
			return
		}
		time.Sleep(300 * time.Millisecond)
		if tc, ok := conn.conn.(*net.TCPConn); ok {
			_ = tc.SetLinger(0)
		}
		_ = conn.conn.Close()
		begin := time.Now()
		for {
			n, err := metricOf(c.p, "quern_connections")
			if err == nil && n == 0 {
				break
			}
			if time.Since(begin) > stuck {
				c.fail("client gone: its query still runs after %s", stuck)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		c.stops++
		fmt.Printf("ok   client gone: stopped in %.0f ms\n", ms(time.Since(begin)))
	}
}

// serverEnds sends SIGTERM while queries run: exit status 0 within 10 s.
func (c *cancelSuite) serverEnds() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, sql := range []string{cancelQueries[0].sql, `SELECT count(*) FROM big a, big b`, `SELECT a.* FROM big a, generate_series(1, 100000)`} {
		conn, err := pgconn.Connect(ctx, c.p.URL)
		if err != nil {
			c.fail("server ends: %v", err)
			return
		}
		started.Go(func() {
			_ = readAway(conn.Exec(ctx, sql))
			_ = conn.Close(ctx)
		})
	}
	started.Go(func() {
		resp, err := http.Post(c.p.HTTP+"/v1/query", "text/plain", strings.NewReader(`SELECT count(*) FROM big a, big b`))
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	time.Sleep(500 * time.Millisecond)
	begin := time.Now()
	_ = c.p.cmd.Process.Signal(syscall.SIGTERM)
	if !c.p.died(stuck + 10*time.Second) {
		_ = c.p.cmd.Process.Signal(syscall.SIGQUIT)
		c.fail("server ends: still there after %s (stacks in %s)", time.Since(begin), c.keepLog())
		return
	}
	took := time.Since(begin)
	err := <-c.p.finished
	c.p.finished <- err
	if err != nil || took > 10*time.Second {
		c.fail("server ends: %s, %v", took, err)
		return
	}
	c.stops++
	fmt.Printf("ok   server ends: in %.1f s\n", took.Seconds())
}
