package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"quern/storage"
)

// killer is the state of the kill loop.
type killer struct {
	rng       *rand.Rand
	bin       string
	dir, data string
	writers   []*crashWriter
	total     *crashTotals
	hits      map[string]int // failpoints at which the process died
	atPoints  int
	tries     map[string]int // how often a failpoint was armed
	backups   int
}

// crashFlags make flushes and the log small, so that kills meet segments,
// staged loads, compaction and the retirement of log files too.
var crashFlags = []string{"--flush-rows", "10000", "--wal-bytes-max", "4MB", "--memory", "512MB"}

// cycle runs one server until it dies, and starts it again to look.
func (k *killer) cycle(n int) error {
	point := ""
	if n%3 != 0 { // every third at a random moment
		point = k.pick()
	}
	var env []string
	if point != "" {
		turn := 1
		if k.hits[point] > 0 {
			turn += k.rng.IntN(3)
		}
		env = []string{fmt.Sprintf("QUERN_FAILPOINT=%s:%d", point, turn)}
	}
	q, err := startQuernEnv(env, k.bin, k.data, crashFlags...)
	if err != nil && env != nil { // it died while starting
		k.hit(point)
		q, err = startQuern(k.bin, k.data, crashFlags...)
	}
	if err != nil {
		return err
	}
	if n == 0 {
		if err := createCrashTable(q.URL); err != nil {
			q.Kill()
			return err
		}
	}
	if err := verifyWriters(q.URL, k.writers, k.total); err != nil {
		early := env != nil && q.died(2*time.Second) // at the armed place, while we looked
		q.Kill()
		if early {
			k.hit(point)
			return nil
		}
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var wg sync.WaitGroup
	for _, w := range k.writers {
		wg.Go(func() { w.run(ctx, q) })
	}
	backup := n%4 == 1 || point == "backup.after_file"
	if backup {
		wg.Go(func() { _ = k.backup(ctx, q) }) // Most do not come to their end.
	}
	wg.Go(func() { k.changeTables(ctx, q) })
	if point == "load.after_stage" {
		wg.Go(func() { loadLarge(ctx, q) })
	}
	wait := time.Duration(10+k.rng.IntN(1000)) * time.Millisecond
	if env != nil {
		wait = 2 * time.Second
		if k.hits[point] == 0 {
			wait = 8 * time.Second
		}
	}
	if q.died(wait) && point != "" {
		k.hit(point)
	}
	q.Kill()
	cancel()
	wg.Wait()
	if _, err := os.Stat(filepath.Join(k.backupDir(), "BACKUP")); backup && err == nil {
		return k.check(k.backupDir()) // the one before, if this one was cut short
	}
	return nil
}

// pick takes the failpoint that was met least, of these the one tried least.
func (k *killer) pick() string {
	points := storage.Failpoints()
	best := points[0]
	for _, p := range points[1:] {
		if c := cmp.Compare(k.hits[p], k.hits[best]); c < 0 || c == 0 && k.tries[p] < k.tries[best] {
			best = p
		}
	}
	k.tries[best]++
	return best
}

// loadLarge writes more than a commit may hold in memory, so that segments are
// staged before it.
func loadLarge(ctx context.Context, q *quernProcess) {
	c, err := pgconn.Connect(ctx, q.URL)
	if err != nil {
		return
	}
	defer c.Close(context.Background())
	// It does not come to its end.
	_, _ = c.Exec(ctx, "CREATE TABLE IF NOT EXISTS large (a int8, b text); INSERT INTO large SELECT g, 'a text of some length ' || g FROM generate_series(1, 3000000) g").ReadAll()
}

func (k *killer) hit(point string) {
	k.hits[point]++
	k.atPoints++
}

func (k *killer) missed() (out []string) {
	for _, p := range storage.Failpoints() {
		if k.hits[p] == 0 {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return []string{"none"}
	}
	return out
}

// backup takes a backup into the same folder as before.
func (k *killer) backup(ctx context.Context, q *quernProcess) error {
	out, err := exec.CommandContext(ctx, k.bin, "backup", "--server", q.HTTP, k.backupDir()).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("quern backup: %v\n%s", err, out)
	}
	return err
}

func (k *killer) backupDir() string { return filepath.Join(k.dir, "backup") }

// changeTables is DDL beside the writers: tables come and go, columns are added,
// segments are merged.
func (k *killer) changeTables(ctx context.Context, q *quernProcess) {
	c, err := pgconn.Connect(ctx, q.URL)
	if err != nil {
		return
	}
	defer c.Close(context.Background())
	for i := 0; ctx.Err() == nil; i++ {
		text := fmt.Sprintf("CREATE TABLE IF NOT EXISTS side%d (a int, b text); INSERT INTO side%d SELECT g, 'b' || g FROM generate_series(1, 100) g", i%3, i%3)
		if i%3 == 2 {
			text = "DROP TABLE IF EXISTS side0; ALTER TABLE crash ADD COLUMN IF NOT EXISTS more int"
		}
		if i%4 == 3 {
			text = "VACUUM FULL crash"
		}
		if _, err := c.Exec(ctx, text).ReadAll(); err != nil && c.IsClosed() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// finish looks a last time, checks the folder, and restores the newest backup.
func (k *killer) finish() (acked int, err error) {
	q, err := startQuern(k.bin, k.data)
	if err != nil {
		return 0, err
	}
	for _, w := range k.writers {
		w.settle(q)
		acked += len(w.acked)
	}
	if err := verifyWriters(q.URL, k.writers, k.total); err != nil {
		q.Kill()
		return 0, err
	}
	if err := k.backup(context.Background(), q); err != nil {
		q.Kill()
		return 0, err
	}
	if err := q.Stop(); err != nil {
		return 0, err
	}
	if err := k.check(k.data); err != nil {
		return 0, err
	}
	return acked, k.restore()
}

func (k *killer) check(dir string) error {
	if out, err := exec.Command(k.bin, "check", "--data", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("quern check: %v\n%s", err, out)
	}
	return nil
}

// restore makes a folder of the last backup, which must hold what the server held.
func (k *killer) restore() error {
	if err := k.check(k.backupDir()); err != nil {
		return err
	}
	to := filepath.Join(k.dir, "restored")
	if out, err := exec.Command(k.bin, "restore", "--data", to, k.backupDir()).CombinedOutput(); err != nil {
		return fmt.Errorf("quern restore: %v\n%s", err, out)
	}
	q, err := startQuern(k.bin, to)
	if err != nil {
		return err
	}
	defer os.RemoveAll(to)
	defer q.Kill()
	stored, err := readBatches(q.URL)
	if err != nil {
		return err
	}
	for _, w := range k.writers { // they ended before the last backup
		w.judge(stored, k.total)
	}
	k.backups++
	return nil
}
