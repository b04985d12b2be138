package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/peterbourgon/ff/v4"
	"github.com/schollz/progressbar/v3"

	"quern/server"
)

// loadCommand is the bulk loader.
func loadCommand(st *streams) *ff.Command {
	f := ff.NewFlagSet("load")
	to := f.StringLong("server", "", "HTTP address, http://[user:password@]host:port (default http://127.0.0.1:7433)")
	data := f.StringLong("data", "", "data folder to load into, without a running server")
	table := f.StringLong("table", "", "table (default: the file's name)")
	format := f.StringLong("format", "auto", "auto, ndjson, csv, tsv or parquet")
	create := f.BoolLong("create", "create the table from what the first piece holds")
	jobs := f.IntLong("jobs", 2, "requests at the same time")
	onError := f.StringLong("on-error", "quarantine", "quarantine or abort")
	dryRun := f.BoolLong("dry-run", "cut the files, send nothing")
	return &ff.Command{
		Name: "load", Usage: "quern load [FLAGS] FILE…|-", Flags: f,
		ShortHelp: "bulk loader: resumes after any kill, with no duplicate",
		Exec: func(ctx context.Context, files []string) error {
			switch {
			case len(files) == 0:
				return usagef("no file given; use - for standard input")
			case *onError != "quarantine" && *onError != "abort":
				return usagef("--on-error is quarantine or abort, not %q", *onError)
			case *to != "" && *data != "":
				return usagef("--server and --data exclude each other")
			}
			l := &loader{table: *table, format: *format, create: *create, jobs: *jobs, abort: *onError == "abort",
				dryRun: *dryRun, client: &http.Client{Timeout: 10 * time.Minute}}
			return runLoad(ctx, st, l, *to, *data, files)
		},
	}
}

func runLoad(ctx context.Context, st *streams, l *loader, to, data string, files []string) (err error) {
	if data != "" {
		s, err := server.Start(ctx, server.Options{Dir: data, HTTPAddr: "127.0.0.1:0", Auth: "trust"})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		to = "http://" + s.HTTPAddr()
	} else if to == "" {
		to = "http://127.0.0.1:7433"
	}
	if l.server, err = url.Parse(to); err != nil {
		return &usageError{err}
	}
	done := l.showProgress()
	start := time.Now()
	for _, f := range files {
		if err = l.load(ctx, f); err != nil {
			break
		}
	}
	done()
	line, identityErr := l.identity()
	seconds := time.Since(start).Seconds()
	fmt.Fprintf(st.err, "%.1f s, %.0f rows/s\n", seconds, float64(l.read.Load())/seconds)
	fmt.Fprintln(st.out, line)
	if err != nil {
		return err
	}
	return identityErr
}

// showProgress draws a bar on a terminal and plain lines elsewhere; the
// returned function ends it.
func (l *loader) showProgress() func() {
	info, err := os.Stderr.Stat()
	if err == nil && info.Mode()&os.ModeCharDevice != 0 {
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionSetItsString("rows"),
			progressbar.OptionShowIts(), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(200*time.Millisecond))
		l.progress = func(rows, _, rejects int64) {
			bar.Describe(fmt.Sprintf("%d rejected", rejects))
			_ = bar.Set64(rows)
		}
		return func() { _ = bar.Finish() }
	}
	last := time.Now()
	l.progress = func(rows, _, rejects int64) {
		if time.Since(last) > 5*time.Second {
			last = time.Now()
			fmt.Fprintf(os.Stderr, "%d rows read, %d rejected\n", rows, rejects)
		}
	}
	return func() {}
}
