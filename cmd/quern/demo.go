package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/peterbourgon/ff/v4"

	"quern/server"
	"quern/testdata"
)

// demoCommand starts a server on an embedded data folder, loads the real
// events of testdata once, shows a few queries with their answers, and keeps
// serving.
func demoCommand(st *streams) *ff.Command {
	f := ff.NewFlagSet("demo")
	data := f.StringLong("data", "", "data folder (default: in the user's cache folder)")
	once := f.BoolLong("once", "exit after the queries; take free ports if the usual ones are busy")
	pg := f.StringLong("pg", "127.0.0.1:7432", "PostgreSQL address")
	web := f.StringLong("http", "127.0.0.1:7433", "HTTP address")
	return &ff.Command{
		Name: "demo", Usage: "quern demo [FLAGS]", Flags: f,
		ShortHelp: "load real events, show queries, keep serving",
		Exec: func(ctx context.Context, args []string) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if *data == "" {
				cache, err := os.UserCacheDir()
				if err != nil {
					return fmt.Errorf("no cache folder: %w; say --data DIR", err)
				}
				*data = filepath.Join(cache, "quern", "demo")
			}
			if *once {
				*pg, *web = freeIfBusy(*pg), freeIfBusy(*web)
			}
			return runDemo(ctx, st, server.Options{Dir: *data, PGAddr: *pg, HTTPAddr: *web, Auth: "trust",
				Log: slog.New(slog.NewTextHandler(st.err, &slog.HandlerOptions{Level: slog.LevelWarn}))}, *once)
		},
	}
}

func runDemo(ctx context.Context, st *streams, o server.Options, once bool) error {
	start := time.Now()
	s, err := server.Start(ctx, o)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return fmt.Errorf("%w; stop the other server, or say --pg and --http", err)
		}
		return err
	}
	d := &demo{s: s, out: st.out, http: "http://" + s.HTTPAddr()}
	if err := d.run(ctx, o.Dir, start); err != nil {
		return errors.Join(err, s.Close())
	}
	if once {
		return s.Close()
	}
	fmt.Fprintln(st.out, "\nServing until Ctrl-C.")
	return errors.Join(s.Wait(ctx), s.Close())
}

// freeIfBusy is addr, or a free port of its host when addr is taken.
func freeIfBusy(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		host, _, _ := net.SplitHostPort(addr)
		return net.JoinHostPort(host, "0")
	}
	_ = l.Close()
	return addr
}

type demo struct {
	s    *server.Server
	out  io.Writer
	http string
}

// demoFiles are loaded in this order; each request carries a key made from its
// name, so that a demo that was killed half-way does not load twice.
var demoFiles = []struct{ file, table, contentType string }{
	{"demo/flights.parquet", "flights", "application/vnd.apache.parquet"},
	{"demo/github_events.ndjson", "github_events", "application/x-ndjson"},
}

// demoPolicies make the role analyst and hide one column from it.
var demoPolicies = []string{
	`CREATE ROLE analyst LOGIN`,
	`GRANT SELECT ON flights, github_events TO analyst`,
	`CREATE MASKING POLICY hide_email FOR text AS NULL`,
	`ALTER TABLE github_events ALTER COLUMN author_email SET MASKING POLICY hide_email`,
}

type demoQuery struct{ title, role, sql string }

const sideBySide = `SELECT type, author_email, repo->>'name' AS repo FROM github_events WHERE author_email LIKE 'd%' OR type = 'ReleaseEvent' ORDER BY id LIMIT 5`

var demoQueries = []demoQuery{
	{"How many flights, and when?", "admin",
		`SELECT count(*) AS flights, min(date) AS first, max(date) AS last FROM flights`},
	{"The busiest airports and their average delay in minutes", "admin",
		`SELECT origin, count(*) AS flights, round(avg(delay), 1) AS avg_delay FROM flights GROUP BY origin ORDER BY flights DESC LIMIT 5`},
	{"When is it best to fly?", "admin",
		`SELECT extract(hour FROM date)::int AS hour, count(*) AS flights, round(avg(delay), 1) AS avg_delay FROM flights WHERE delay IS NOT NULL GROUP BY 1 HAVING count(*) > 1000 ORDER BY avg_delay LIMIT 5`},
	{"Nested events: what happens on GitHub in three hours?", "admin",
		`SELECT type, count(*) AS events, count(DISTINCT actor->>'login') AS people FROM github_events GROUP BY type ORDER BY events DESC, type LIMIT 5`},
	{"What the admin sees", "admin", sideBySide},
	{"The same query as analyst: the column is masked, in the answer and in WHERE", "analyst", sideBySide},
}

func (d *demo) run(ctx context.Context, data string, start time.Time) error {
	if err := d.load(ctx); err != nil {
		return err
	}
	for _, q := range demoQueries {
		fmt.Fprintf(d.out, "\n%s\n%s> %s\n", q.title, q.role, q.sql)
		begin := time.Now()
		var answer bytes.Buffer
		if err := d.s.Query(ctx, q.role, q.sql, "table", &answer); err != nil {
			return fmt.Errorf("%s: %w", q.sql, err)
		}
		took := time.Since(begin)
		fmt.Fprintf(d.out, "%sTime: %.3f ms\n", answer.String(), float64(took.Microseconds())/1000)
	}
	fmt.Fprintf(d.out, "\nReady after %.1f s. Data folder: %s\n", time.Since(start).Seconds(), data)
	fmt.Fprintf(d.out, "  psql \"postgres://analyst@%s/quern\"     (or admin@, who sees everything)\n", d.s.PGAddr())
	fmt.Fprintf(d.out, "  curl --data-binary @events.ndjson \"http://%s/v1/ingest/events?create=true\"\n", d.s.HTTPAddr())
	fmt.Fprintf(d.out, "  curl -d \"SELECT count(*) FROM flights\" http://%s/v1/query\n", d.s.HTTPAddr())
	return nil
}

// load brings the events and policies in, once.
func (d *demo) load(ctx context.Context) error {
	var have bytes.Buffer
	if err := d.s.Query(ctx, "admin", `SELECT policy_name FROM system.masking_policies WHERE policy_name = 'hide_email' AND column_name = 'author_email'`, "csv", &have); err != nil {
		return err
	}
	if strings.Contains(have.String(), "hide_email") {
		fmt.Fprintln(d.out, "The demo's events are loaded already.")
		return nil
	}
	for _, f := range demoFiles {
		begin := time.Now()
		fmt.Fprintf(d.out, "Loading %s … ", f.table)
		rows, err := d.post(ctx, f.file, f.table, f.contentType)
		if err != nil {
			return err
		}
		fmt.Fprintf(d.out, "%d rows, %.1f s\n", rows, time.Since(begin).Seconds())
	}
	for _, sql := range demoPolicies {
		// A killed demo may have made some of them already.
		if err := d.s.Query(ctx, "admin", sql, "csv", io.Discard); err != nil && !strings.Contains(err.Error(), "already exists") {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	return nil
}

// post sends a file through the HTTP route, as any service would.
func (d *demo) post(ctx context.Context, file, table, contentType string) (int64, error) {
	body, err := testdata.Demo.ReadFile(file)
	if err != nil {
		return 0, err
	}
	u, err := url.Parse(d.http)
	if err != nil {
		return 0, err
	}
	l := &loader{server: u, table: table, create: true, client: http.DefaultClient}
	p := &pieceRequest{table: table, format: formatOfType(contentType), key: "demo-" + file, body: body}
	if err := l.send(ctx, p); err != nil {
		return 0, fmt.Errorf("load %s: %w", file, err)
	}
	return l.accepted.Load() + l.duplicate.Load(), nil
}

func formatOfType(contentType string) string {
	for f, t := range contentTypes {
		if t == contentType {
			return f
		}
	}
	return ""
}
