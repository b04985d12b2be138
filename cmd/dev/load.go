package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var _ = register("load", "queries larger than memory, with small ones beside them: right answers, bounded memory", runLoad)

// loadQuery is larger than memory; want is its answer over n rows.
type loadQuery struct {
	name string
	sql  string // %[1]d is n, %[2]d 5 n
	want func(n int64) string
	many int // run by so many sessions at a time
}

// loadQueries read la and lb, of n rows each: id is 1…n in another order in
// each, k = id mod n/10, v = id mod 1000.
var loadQueries = []loadQuery{
	{name: "sort of 5 n rows", sql: `SELECT x FROM (SELECT (g * 7919) %% %[2]d AS x, g FROM generate_series(1::int8, %[2]d) g) q ORDER BY x OFFSET %[2]d / 2 LIMIT 1`,
		want: func(n int64) string { return fmt.Sprint(5 * n / 2) }},
	{name: "join of n and n rows", sql: `SELECT count(*), sum(a.id - b.id + 1) FROM la a JOIN lb b ON a.id = b.id`,
		want: func(n int64) string { return fmt.Sprintf("%d|%d", n, n) }},
	{name: "n groups", sql: `SELECT count(*), max(c), sum(s) FROM (SELECT id + 5, count(*) AS c, sum(v) AS s FROM la GROUP BY 1) q`,
		want: func(n int64) string { return fmt.Sprintf("%d|1|%d", n, n/1000*499500) }},
	{name: "n groups of text", sql: `SELECT count(*), max(c) FROM (SELECT 'a key of some length ' || id, count(*) AS c FROM la GROUP BY 1) q`,
		want: func(n int64) string { return fmt.Sprintf("%d|1", n) }},
	{name: "n distinct values", sql: `SELECT count(DISTINCT id), count(DISTINCT k) FROM la`,
		want: func(n int64) string { return fmt.Sprintf("%d|%d", n, n/10) }},
	{name: "window over n rows", sql: `SELECT sum(r) FROM (SELECT row_number() OVER (PARTITION BY k ORDER BY id) AS r FROM la) q`,
		want: func(n int64) string { return fmt.Sprint(n / 10 * 55) }},
	{name: "array_agg of n rows", sql: `SELECT sum(array_length(a, 1)) FROM (SELECT array_agg(id ORDER BY v) AS a FROM la GROUP BY k) q`,
		want: func(n int64) string { return fmt.Sprint(n) }},
	{name: "cte of n rows, twice", sql: `WITH c AS MATERIALIZED (SELECT id, v FROM la) SELECT count(*), sum(x.v - y.v) FROM c x JOIN c y ON x.id = y.id`,
		want: func(n int64) string { return fmt.Sprintf("%d|0", n) }},
	{name: "recursion to n rows", sql: `WITH RECURSIVE r(a, d) AS (SELECT id, 0 FROM la WHERE id <= %[1]d / 10 UNION ALL SELECT a + 1, d + 1 FROM r WHERE d < 9) SELECT count(*), max(d) FROM r`,
		want: func(n int64) string { return fmt.Sprintf("%d|9", n) }},
	{name: "except of n rows", sql: `SELECT count(*) FROM (SELECT id FROM la EXCEPT SELECT id + 10 FROM lb) q`,
		want: func(int64) string { return "10" }},
	{name: "one group larger than memory", sql: `SELECT length(string_agg(repeat('x', 500) || id, ',')) FROM la`,
		want: func(n int64) string { return "53200" }},
	{name: "n/10 groups", sql: `SELECT count(*), sum(c) FROM (SELECT k, count(*) AS c FROM la GROUP BY 1) q`, many: 100,
		want: func(n int64) string { return fmt.Sprintf("%d|%d", n/10, n) }},
}

// runLoad holds that memory stays within its bound whatever is asked: the
// process's own memory ≤ --memory + 256 MiB, and that small queries of another
// session are answered meanwhile.
func runLoad(args []string) error {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	rows := flags.Int64("rows", 10_000_000, "n, a multiple of 10,000")
	short := flags.Bool("short", false, "500,000 rows, 100 MB")
	memory := flags.Int("memory", 512, "MiB of the server")
	only := flags.String("only", "", "queries whose name contains this")
	quern := flags.String("quern", "", "binary to test (default: a fresh build)")
	slower := flags.Float64("slower", 5, "p99 of the small queries beside large ones, as a multiple of the idle one")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *short {
		*rows, *memory = 500_000, 100
	}
	dir, err := os.MkdirTemp("", "quern-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin := *quern
	if bin == "" {
		if bin, err = buildQuern(dir); err != nil {
			return err
		}
	}
	p, err := startQuern(bin, filepath.Join(dir, "data"), "--threads", "2", "--memory", strconv.Itoa(*memory)+"MiB")
	if err != nil {
		return err
	}
	defer p.Kill()
	l := &loadSuite{p: p, n: *rows, limit: int64(*memory+256) << 20, slower: *slower}
	if err := l.setup(); err != nil {
		return err
	}
	for _, q := range loadQueries {
		if strings.Contains(q.name, *only) {
			l.run(&q)
		}
	}
	fmt.Printf("load: %d failed\n", l.failed)
	if l.failed > 0 {
		return errors.New("load: see above")
	}
	return nil
}

type loadSuite struct {
	p      *quernProcess
	n      int64
	limit  int64 // bytes of the process
	slower float64
	idle   time.Duration // p99 of small queries
	failed int
}

const smallQuery = `SELECT count(*), sum(v) FROM small WHERE k = 7`

func (l *loadSuite) setup() error {
	for _, q := range []string{
		`CREATE TABLE la (id int8, k int8, v int8)`, `CREATE TABLE lb (id int8, k int8, v int8)`,
		`CREATE TABLE small (k int4, v int4)`, `INSERT INTO small SELECT g % 100, g FROM generate_series(1, 100000) g`,
	} {
		if _, err := l.one(q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	for t, f := range map[string]string{"la": "(g * 7919) %% %[1]d + 1", "lb": "(g * 104729) %% %[1]d + 1"} {
		q := fmt.Sprintf(`INSERT INTO `+t+` SELECT x, x %% (%[1]d / 10), x %% 1000 FROM (SELECT `+f+` AS x FROM generate_series(1::int8, %[1]d) g) q`, l.n)
		if _, err := l.one(q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	var stop atomic.Bool
	time.AfterFunc(5*time.Second, func() { stop.Store(true) })
	_, l.idle = l.small(&stop)
	fmt.Printf("load: %d rows, small queries when idle: p99 %.1f ms\n", l.n, ms(l.idle))
	return nil
}

// one gives a statement's last row, or its error's code.
func (l *loadSuite) one(sql string) (string, error) {
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, l.p.URL)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	res, err := conn.Exec(ctx, sql).ReadAll()
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code, err
	}
	if err != nil {
		return "", err
	}
	out := ""
	for _, r := range res {
		for _, row := range r.Rows {
			out = string(joinBytes(row))
		}
	}
	return out, nil
}

func joinBytes(row [][]byte) []byte {
	var out []byte
	for i, v := range row {
		if i > 0 {
			out = append(out, '|')
		}
		out = append(out, v...)
	}
	return out
}

// small asks small queries until stop and gives percentiles of their times.
func (l *loadSuite) small(stop *atomic.Bool) (p50, p99 time.Duration) {
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, l.p.URL)
	if err != nil {
		return 0, 0
	}
	defer conn.Close(ctx)
	var took []time.Duration
	for !stop.Load() {
		begin := time.Now()
		if _, err := conn.Exec(ctx, smallQuery).ReadAll(); err != nil {
			fmt.Println("small query:", err)
			break
		}
		took = append(took, time.Since(begin))
		time.Sleep(5 * time.Millisecond)
	}
	if len(took) == 0 {
		return 0, 0
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100]
}

// rssAnon is the process's own memory: mapped files are not its.
func rssAnon(pid int) int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if v, ok := strings.CutPrefix(sc.Text(), "RssAnon:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			if err != nil {
				return 0
			}
			return kb << 10
		}
	}
	return 0
}

func (l *loadSuite) run(q *loadQuery) {
	sql := q.sql
	if strings.Contains(sql, "%") {
		sql = fmt.Sprintf(sql, l.n, 5*l.n)
	}
	var stop atomic.Bool
	var peak int64
	var p50, p99 time.Duration
	var watch, runs sync.WaitGroup
	watch.Go(func() {
		for !stop.Load() {
			peak = max(peak, rssAnon(l.p.cmd.Process.Pid))
			time.Sleep(10 * time.Millisecond)
		}
	})
	watch.Go(func() { p50, p99 = l.small(&stop) })
	begin := time.Now()
	answers := make([]string, max(1, q.many))
	for i := range answers {
		runs.Go(func() {
			got, err := l.one(sql)
			if got == "" && err != nil {
				got = err.Error()
			}
			answers[i] = got
		})
	}
	runs.Wait()
	took := time.Since(begin)
	stop.Store(true)
	watch.Wait()
	want := q.want(l.n)
	var bad []string
	for _, a := range answers {
		if a != want {
			bad = append(bad, "answer "+a+" instead of "+want)
			break
		}
	}
	if peak > l.limit {
		bad = append(bad, fmt.Sprintf("memory over %d MiB", l.limit>>20))
	}
	if float64(p99) > l.slower*float64(max(l.idle, time.Millisecond)) && took > time.Second && q.many == 0 {
		bad = append(bad, fmt.Sprintf("small queries %.1f × slower", float64(p99)/float64(l.idle)))
	}
	state := "ok  "
	if len(bad) > 0 {
		state = "FAIL"
		l.failed++
	}
	fmt.Printf("%s %-30s %7.1f s, process %4d MiB, small queries p50 %.1f p99 %.1f ms  %s\n", state, q.name, took.Seconds(), peak>>20, ms(p50), ms(p99), strings.Join(bad, "; "))
}
