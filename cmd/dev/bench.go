package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

var _ = register("bench", "ClickBench or TPC-H on Quern and on DuckDB and ClickHouse, query by query in turn", runBench)

// runBench measures Quern over its wire beside the peers in process, with the
// tools of a bench folder (peers/*.mjs, queries, schema), and writes a table of
// ratios. Everything happens in a working folder: with --work it is kept, and
// what it already holds (packages, data, loaded peers) is used again.
func runBench(args []string) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	tools := flags.String("tools", filepath.Join("..", "shared", "bench"), "folder with peers, queries and schema")
	work := flags.String("work", "", "working folder, kept (default: a temporary one)")
	set := flags.String("set", "hits", "hits or tpch")
	rows := flags.Int("rows", 1_000_000, "hits: rows to generate")
	scale := flags.String("sf", "1", "tpch: scale factor")
	runs := flags.Int("runs", 5, "hot runs of each query")
	peers := flags.String("peers", "duckdb,clickhouse", "engines to compare with")
	data := flags.String("data", "", "a Quern folder that holds the tables already; it is opened, not copied")
	out := flags.String("out", "", "write the table here as well")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *set != "hits" && *set != "tpch" {
		return fmt.Errorf("unknown set %q: hits or tpch", *set)
	}
	b := &benchRun{set: *set, dir: *work, peers: *peers, data: *data}
	if b.dir != "" {
		dir, err := filepath.Abs(b.dir)
		if err != nil {
			return err
		}
		b.dir = dir
	} else {
		dir, err := os.MkdirTemp("", "quern-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		b.dir = dir
	}
	if err := b.prepare(*tools, *rows, *scale); err != nil {
		return err
	}
	return b.compare(*runs, *out)
}

type benchRun struct {
	set, dir, peers, data string
	store                 string // of this size of the data
	input                 string // Parquet file or folder
}

// run runs a command in the tools' folder and shows what it prints.
func (b *benchRun) run(dir string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return nil
}

func (b *benchRun) node() string { return filepath.Join(b.dir, "peers") }

// prepare copies the tools and makes the data and the peers' databases, as far
// as they are missing.
func (b *benchRun) prepare(tools string, rows int, scale string) error {
	for _, part := range []string{"peers", "queries", "schema", "gen"} {
		if exists(filepath.Join(b.dir, part)) {
			continue
		}
		if err := os.CopyFS(filepath.Join(b.dir, part), os.DirFS(filepath.Join(tools, part))); err != nil {
			return fmt.Errorf("tools: %w", err)
		}
	}
	if !exists(filepath.Join(b.node(), "node_modules")) {
		if err := b.run(b.node(), "npm", "install", "--no-audit", "--no-fund"); err != nil {
			return err
		}
	}
	key := fmt.Sprint(rows)
	if b.set == "tpch" {
		key = scale
	}
	b.store = filepath.Join(b.dir, b.set+"-"+key)
	store := b.store
	if err := os.MkdirAll(store, 0o755); err != nil {
		return err
	}
	b.input = filepath.Join(store, "hits.parquet")
	if b.set == "tpch" {
		b.input = filepath.Join(store, "parquet")
	}
	if !exists(b.input) {
		var err error
		if b.set == "hits" {
			err = b.run(filepath.Join(b.dir, "gen"), "go", "run", ".", "-rows", strconv.Itoa(rows), "-out", b.input)
		} else {
			err = b.run(b.node(), "node", "tpch_data.mjs", "--sf", scale, "--out", b.input)
		}
		if err != nil {
			return errors.Join(err, os.RemoveAll(b.input))
		}
	}
	for _, peer := range strings.Split(b.peers, ",") {
		if peer == "" || exists(filepath.Join(store, b.set+"."+peer)) {
			continue
		}
		if err := b.run(b.node(), "node", "load.mjs", "--set", b.set, "--engine", peer, "--data", store, "--input", b.input); err != nil {
			return err
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// compare serves the tables with a fresh build and runs the queries.
func (b *benchRun) compare(runs int, out string) error {
	bin, err := buildQuern(b.dir)
	if err != nil {
		return err
	}
	data := b.data
	if data == "" {
		data = filepath.Join(b.store, "quern")
	}
	fresh := !exists(data)
	p, err := startQuern(bin, data, "--threads", "2")
	if err != nil {
		return err
	}
	defer p.Kill()
	if fresh {
		if err := b.load(bin, p); err != nil {
			return errors.Join(err, os.RemoveAll(data))
		}
	}
	csv := filepath.Join(b.dir, b.set+".csv")
	engines := "pg"
	if b.peers != "" {
		engines = b.peers + ",pg"
	}
	err = b.run(b.node(), "node", "run.mjs", "--set", b.set, "--engine", engines, "--data", b.store, "--name", "quern", "--url", p.URL,
		"--pid", strconv.Itoa(p.cmd.Process.Pid), "--runs", strconv.Itoa(runs), "--out", csv)
	if err != nil {
		return err
	}
	cmd := exec.Command("node", "compare.mjs", "--ours", "quern", csv)
	cmd.Dir, cmd.Stderr = b.node(), os.Stderr
	table, err := cmd.Output()
	fmt.Print(string(table))
	if err == nil && out != "" {
		err = os.WriteFile(out, table, 0o644)
	}
	return err
}

// load creates the set's tables and fills them.
func (b *benchRun) load(bin string, p *quernProcess) error {
	schema := filepath.Join(b.dir, "schema", b.set+".sql")
	if err := b.run(b.dir, bin, "sql", "--server", p.HTTP, "-f", schema); err != nil {
		return err
	}
	if b.set == "hits" {
		return b.run(b.dir, bin, "load", "--server", p.HTTP, "--table", "hits", b.input)
	}
	files, err := filepath.Glob(filepath.Join(b.input, "*.parquet"))
	if err != nil {
		return err
	}
	for _, f := range files {
		table := strings.TrimSuffix(filepath.Base(f), ".parquet")
		if err := b.run(b.dir, bin, "load", "--server", p.HTTP, "--table", table, f); err != nil {
			return err
		}
	}
	return nil
}
