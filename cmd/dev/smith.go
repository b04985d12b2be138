package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var _ = register("smith", "sqlsmith's queries: no panic, no XX000", runSmith)

// smithSchema is what the queries are about, made on both sides.
var smithSchema = []string{
	`CREATE TABLE events (id int8, ts timestamptz, name text, amount numeric(12,2), score float8, tags text[], props jsonb, ok bool, day date, ip inet)`,
	`CREATE TABLE users (id int4, name varchar(20), born date, balance numeric, height float4, uid uuid, seen timestamp, span interval, code char(4))`,
	`INSERT INTO events SELECT i, timestamptz '2024-01-01' + i * interval '1 hour', 'e' || (i % 7), i * 1.25, i / 3.0, array['t' || i % 3, 'x'],
		jsonb_build_object('k', i % 5), i % 2 = 0, date '2024-01-01' + i, '10.0.0.1' FROM generate_series(1, 50) g(i)`,
	`INSERT INTO users SELECT i, 'u' || i, date '1990-01-01' + i, i * 10.5, i, '00000000-0000-0000-0000-000000000001', timestamp '2024-01-01',
		interval '1 day' * i, 'c' || i FROM generate_series(1, 20) g(i)`,
}

var tableSample = regexp.MustCompile(`(?i)tablesample\s+\w+\s*\([^)]*\)`)

// smithQueryMax bounds one query: sqlsmith likes cross joins.
const smithQueryMax = 3 * time.Second

// runSmith lets Debian's sqlsmith write queries against PostgreSQL 15 with our
// schema and runs them on Quern. Most name functions that we do not have; what
// counts is that the server answers each in order.
func runSmith(args []string) error {
	flags := flag.NewFlagSet("smith", flag.ContinueOnError)
	queries := flags.Int("queries", 2000, "how many")
	seed := flags.Int("seed", 1, "of sqlsmith")
	verbose := flags.Bool("v", false, "print the queries that count as findings whole")
	if err := flags.Parse(args); err != nil {
		return err
	}
	smith, err := exec.LookPath("sqlsmith")
	if err != nil {
		return errors.New("sqlsmith is not installed (apt-get install sqlsmith)")
	}
	pg, err := startPostgres()
	if err != nil {
		return err
	}
	defer pg.Stop()
	target, stop, err := sltServer("", false)
	if err != nil {
		return err
	}
	defer stop()
	ctx := context.Background()
	for _, u := range []string{pg.URL, target} {
		if err := execAll(ctx, u, smithSchema); err != nil {
			return err
		}
	}
	texts, err := smithQueries(smith, pg.URL, *queries, *seed)
	if err != nil {
		return err
	}
	return replaySmith(ctx, target, texts, *verbose)
}

func execAll(ctx context.Context, url string, statements []string) error {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func smithQueries(bin, target string, n, seed int) ([]string, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	conninfo := fmt.Sprintf("host=%s port=%s user=%s dbname=%s", u.Hostname(), u.Port(), u.User.Username(), strings.TrimPrefix(u.Path, "/"))
	cmd := exec.Command(bin, "--target="+conninfo, "--dry-run", "--exclude-catalog", fmt.Sprintf("--max-queries=%d", n), fmt.Sprintf("--seed=%d", seed))
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	// sqlsmith ends with 1 when it has written what was asked for.
	if err := cmd.Run(); err != nil && out.Len() == 0 {
		return nil, fmt.Errorf("sqlsmith: %w: %s", err, msg.String())
	}
	var texts []string
	for s := range strings.SplitSeq(out.String(), ";\n") {
		if s = strings.TrimSpace(s); s != "" {
			// What most queries have and we refuse would hide the rest of them.
			texts = append(texts, tableSample.ReplaceAllString(s, ""))
		}
	}
	return texts, nil
}

// replaySmith runs the queries; findings are internal errors and connections that
// end.
func replaySmith(ctx context.Context, url string, texts []string, verbose bool) error {
	var conn *pgconn.PgConn
	codes, refused := map[string]int{}, map[string]int{}
	findings, slow := 0, 0
	for _, text := range texts {
		if conn == nil || conn.IsClosed() {
			var err error
			if conn, err = pgconn.Connect(ctx, url); err != nil {
				return fmt.Errorf("the server is gone: %w", err)
			}
			if _, err := conn.Exec(ctx, fmt.Sprintf("SET statement_timeout = %d", smithQueryMax.Milliseconds())).ReadAll(); err != nil {
				return err
			}
		}
		_, err := conn.Exec(ctx, text).ReadAll()
		var pgErr *pgconn.PgError
		switch {
		case err == nil:
			codes["00000"]++
			continue
		case errors.As(err, &pgErr) && pgErr.Code == "57014":
			slow++
			continue
		case errors.As(err, &pgErr) && pgErr.Code != "XX000":
			codes[pgErr.Code]++
			if pgErr.Code == "0A000" {
				refused[pgErr.Message]++
			}
			continue
		}
		findings++
		if !verbose && len(text) > 2000 {
			text = text[:2000] + " …"
		}
		fmt.Printf("%v\n    %s\n", err, text)
	}
	if conn != nil {
		_ = conn.Close(ctx)
	}
	for _, c := range slices.SortedFunc(maps.Keys(codes), func(a, b string) int { return codes[b] - codes[a] }) {
		fmt.Printf("%6d  %s\n", codes[c], c)
	}
	for _, m := range slices.SortedFunc(maps.Keys(refused), func(a, b string) int { return refused[b] - refused[a] })[:min(10, len(refused))] {
		fmt.Printf("refused %6d  %s\n", refused[m], m)
	}
	fmt.Printf("smith: %d queries, %d cancelled after %s, %d findings\n", len(texts), slow, smithQueryMax, findings)
	if findings > 0 {
		return fmt.Errorf("%d findings", findings)
	}
	return nil
}
