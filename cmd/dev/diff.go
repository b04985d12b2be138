package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"quern/cmd/dev/internal/diff"
)

var _ = register("diff", "the same statements on Quern and PostgreSQL 15", runDiff)

func runDiff(args []string) error {
	flags := flag.NewFlagSet("diff", flag.ContinueOnError)
	section := flags.String("matrix", "", "functions, operators, aggregates or casts over the whole catalog, or pictures, instead of random queries")
	queries := flags.Int("queries", 20000, "how many random queries")
	seed := flags.Uint64("seed", 1, "of the random queries")
	short := flags.Bool("short", false, "the form that CI runs: 500 queries")
	off := flags.String("off", "", "optimizer rules that Quern leaves out: names with commas between, or all")
	subqueries := flags.Bool("subqueries", false, "random nested correlated subqueries instead of random queries")
	missing := flags.Bool("missing", false, "with --matrix: list what we do not have")
	oracleURL := flags.String("oracle", "", "PostgreSQL 15 to compare with; default: one of our own")
	quernURL := flags.String("url", "", "server to test; default: one of our own")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx := context.Background()
	pair, stop, err := diffServers(ctx, *oracleURL, *quernURL)
	if err != nil {
		return err
	}
	defer stop()
	if *off != "" {
		if _, err := pair.Quern.Exec(ctx, "SET quern.disable_rules = '"+*off+"'").ReadAll(); err != nil {
			return err
		}
	}
	if *short {
		*queries = 500
	}
	if *section == "" {
		random := pair.RunRandom
		if *subqueries {
			random = pair.RunSubqueries
		}
		return diffRandom(ctx, random, *seed, *queries)
	}
	calls, found, lacking, err := pair.RunMatrix(ctx, *section, os.Stdout)
	if err != nil {
		return err
	}
	if *missing {
		for _, name := range slices.Sorted(maps.Keys(lacking)) {
			fmt.Printf("missing %4d  %s\n", lacking[name], name)
		}
	}
	fmt.Printf("diff %s: %d calls, %d differences, %d signatures missing\n", *section, calls, len(found), len(lacking))
	if len(found) > 0 {
		return fmt.Errorf("%d differences", len(found))
	}
	return nil
}

func diffRandom(ctx context.Context, random func(context.Context, uint64, int, io.Writer) ([]diff.Found, map[string]int, error), seed uint64, n int) error {
	found, lacking, err := random(ctx, seed, n, os.Stdout)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(lacking)) {
		fmt.Printf("refused %4d  %s\n", lacking[name], name)
	}
	fmt.Printf("diff: %d queries, seed %d, %d differences\n", n, seed, len(found))
	if len(found) > 0 {
		return fmt.Errorf("%d differences", len(found))
	}
	return nil
}

// diffServers starts what is not given by URL.
func diffServers(ctx context.Context, oracleURL, quernURL string) (*diff.Pair, func(), error) {
	var stops []func()
	stop := func() {
		for _, f := range slices.Backward(stops) {
			f()
		}
	}
	if oracleURL == "" {
		pg, err := startPostgres()
		if err != nil {
			return nil, nil, err
		}
		stops = append(stops, pg.Stop)
		oracleURL = pg.URL
	}
	if quernURL == "" {
		dir, err := os.MkdirTemp("", "quern-diff-")
		if err != nil {
			stop()
			return nil, nil, err
		}
		stops = append(stops, func() { _ = os.RemoveAll(dir) })
		bin, err := buildQuern(dir)
		if err != nil {
			stop()
			return nil, nil, err
		}
		q, err := startQuern(bin, filepath.Join(dir, "data"))
		if err != nil {
			stop()
			return nil, nil, err
		}
		stops = append(stops, func() { _ = q.Stop() })
		quernURL = q.URL
	}
	p, err := diff.Connect(ctx, oracleURL, quernURL)
	if err != nil {
		stop()
		return nil, nil, err
	}
	stops = append(stops, func() { p.Close(ctx) })
	return p, stop, nil
}
