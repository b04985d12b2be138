package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/peterbourgon/ff/v4"

	"quern/server"
)

// benchdata holds the query sets; each file says where its text comes from.
//
//go:embed benchdata
var benchdata embed.FS

type benchFlags struct {
	server, data, queries, input, only, out string
	runs, pid                               int
	clients, batch, seconds                 int
	keep                                    bool
}

func benchCommand(st *streams) *ff.Command {
	return &ff.Command{
		Name: "bench", Usage: "quern bench clickbench|tpch|ingest [--server URL | --data DIR]",
		ShortHelp:   "measure queries or ingest; figures as a table, CSV or JSON",
		Subcommands: []*ff.Command{benchSet(st, "clickbench"), benchSet(st, "tpch"), benchSet(st, "ingest")},
		Exec: func(context.Context, []string) error {
			return usagef("name what to measure: clickbench, tpch or ingest")
		},
	}
}

// benchSet is the subcommand of one measurement.
func benchSet(st *streams, set string) *ff.Command {
	var f benchFlags
	fs := ff.NewFlagSet(set)
	fs.StringVar(&f.server, 0, "server", "", "HTTP address of a server (default http://127.0.0.1:7433)")
	fs.StringVar(&f.data, 0, "data", "", "data folder, opened by this process")
	fs.StringVar(&f.out, 0, "out", "", "write the figures here: .csv or .json")
	fs.IntVar(&f.pid, 0, "pid", 0, "process of --server, to report its CPU time")
	about := "the 43 queries of ClickBench on the table hits"
	input := "file of hits to load first"
	switch set {
	case "ingest":
		about = "playback events over HTTP with durable acks, into a table that is dropped at the end"
		fs.IntVar(&f.clients, 0, "clients", 4, "senders at the same time")
		fs.IntVar(&f.batch, 0, "batch", 10000, "events of one request")
		fs.IntVar(&f.seconds, 0, "seconds", 30, "how long to send")
		fs.BoolVar(&f.keep, 0, "keep", "do not drop the table at the end")
	case "tpch":
		about = "the 22 queries of TPC-H on its eight tables"
		input = "folder with TABLE.parquet to load first"
		fallthrough
	default:
		fs.StringVar(&f.queries, 0, "queries", "", "file or folder of .sql files instead of the set's own queries")
		fs.StringVar(&f.input, 0, "input", "", input)
		fs.StringVar(&f.only, 0, "only", "", "names of queries, such as Q1,Q7")
		fs.IntVar(&f.runs, 0, "runs", 5, "runs of each query after one that does not count")
	}
	return &ff.Command{
		Name: set, Usage: "quern bench " + set + " [FLAGS]", Flags: fs, ShortHelp: about,
		Exec: func(ctx context.Context, args []string) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if f.server != "" && f.data != "" {
				return usagef("--server and --data exclude each other")
			}
			if set != "ingest" && f.runs < 1 || set == "ingest" && (f.clients < 1 || f.batch < 1 || f.seconds < 1) {
				return usagef("counts must be at least 1")
			}
			return f.run(ctx, set, st)
		},
	}
}

func (f *benchFlags) run(ctx context.Context, set string, st *streams) (err error) {
	b := &bench{benchFlags: f, st: st, client: &http.Client{}, cpu: func() float64 { return 0 }}
	if f.pid > 0 {
		b.cpu = func() float64 { return cpuOf(f.pid) }
	}
	to := f.server
	switch {
	case f.data != "":
		s, err := server.Start(ctx, server.Options{Dir: f.data, HTTPAddr: "127.0.0.1:0", Auth: "trust"})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		to, b.cpu = "http://"+s.HTTPAddr(), func() float64 { return cpuOf(os.Getpid()) }
	case to == "":
		to = "http://127.0.0.1:7433"
	}
	b.url = to
	if set == "ingest" {
		return b.ingest(ctx)
	}
	if f.input != "" {
		if err := b.load(ctx, set); err != nil {
			return err
		}
	}
	qs, err := f.readQueries(set)
	if err != nil {
		return err
	}
	return b.measure(ctx, set, qs)
}

// benchQuery is one query of a set.
type benchQuery struct{ name, text string }

func (f *benchFlags) readQueries(set string) ([]benchQuery, error) {
	var qs []benchQuery
	switch {
	case f.queries == "":
		b, err := benchdata.ReadFile("benchdata/" + set + ".sql")
		if err != nil {
			return nil, err
		}
		qs = splitQueries(string(b))
	default:
		info, err := os.Stat(f.queries)
		if err != nil {
			return nil, err
		}
		files := []string{f.queries}
		if info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(f.queries, "*.sql")); err != nil {
				return nil, err
			}
		}
		for _, name := range files {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			list := splitQueries(string(b))
			if info.IsDir() && len(list) == 1 {
				list[0].name = strings.TrimSuffix(filepath.Base(name), ".sql")
			}
			qs = append(qs, list...)
		}
	}
	if f.only != "" {
		names := strings.Split(f.only, ",")
		qs = slices.DeleteFunc(qs, func(q benchQuery) bool { return !slices.Contains(names, q.name) })
	}
	if len(qs) == 0 {
		return nil, usagef("there is no query to run")
	}
	return qs, nil
}

var queryTitle = regexp.MustCompile(`^--\s*(Q\d+\w*)\b`)

// splitQueries cuts a text at lines that end in a semicolon. A line "-- Q7"
// names the query that follows; others are numbered from Q0.
func splitQueries(text string) (out []benchQuery) {
	name := ""
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if m := queryTitle.FindStringSubmatch(line); m != nil {
			name = m[1]
			continue
		}
		if strings.HasPrefix(line, "--") || len(lines) == 0 && strings.TrimSpace(line) == "" {
			continue
		}
		lines = append(lines, line)
		if q, ok := strings.CutSuffix(strings.TrimRight(line, " \t\r"), ";"); ok {
			lines[len(lines)-1] = q
			if name == "" {
				name = fmt.Sprintf("Q%d", len(out))
			}
			out = append(out, benchQuery{name, strings.Join(lines, "\n")})
			name, lines = "", nil
		}
	}
	return out
}

// load fills the set's tables from files.
func (b *bench) load(ctx context.Context, set string) error {
	files := []string{b.input}
	l := &loader{format: "auto", jobs: 2, client: &http.Client{Timeout: 10 * time.Minute}}
	if set == "clickbench" {
		l.table, l.create = "hits", true
	} else {
		schema, err := benchdata.ReadFile("benchdata/tpch_schema.sql")
		if err != nil {
			return err
		}
		if _, _, err := b.query(ctx, string(schema)); err != nil {
			return err
		}
		if files, err = filepath.Glob(filepath.Join(b.input, "*.parquet")); err != nil {
			return err
		}
		if len(files) == 0 {
			return usagef("--input %s holds no TABLE.parquet; tpchgen-cli makes them", b.input)
		}
	}
	return runLoad(ctx, b.st, l, b.url, "", files)
}
