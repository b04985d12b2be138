package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

var _ = register("meta", "SQL logic tests under settings that must not show in answers", runMeta)

// metaSetting is one way to run the same statements. The first short ones are
// run with --short.
type metaSetting struct {
	name   string
	params string   // of the connection
	args   []string // of the server
}

const metaShort = 3

// metaSettings: with work_mem of 64 kB every operator that can, spills whatever
// it gets; flushing after every row puts all rows into segments.
var metaSettings = []metaSetting{
	{"spill, 2 threads", "work_mem=64kB", []string{"--threads", "2"}},
	{"segments, 1 thread", "", []string{"--threads", "1", "--flush-rows", "1", "--flush-age", "1ms"}},
	{"no optimizer rules", "quern.disable_rules=all", nil},
	{"spill, 8 threads", "work_mem=64kB", []string{"--threads", "8"}},
	{"spill, 1 thread, segments", "work_mem=64kB", []string{"--threads", "1", "--flush-rows", "1", "--flush-age", "1ms"}},
	{"8 threads", "", []string{"--threads", "8"}},
	{"little memory", "", []string{"--memory", "64MiB"}},
	{"without fold", "quern.disable_rules=fold", nil},
	{"without outer", "quern.disable_rules=outer", nil},
	{"without pushdown", "quern.disable_rules=pushdown", nil},
	{"without joinorder", "quern.disable_rules=joinorder", nil},
	{"without aggregates", "quern.disable_rules=aggregates", nil},
	{"without common", "quern.disable_rules=common", nil},
}

// metaPhysical are files that look at where rows lie, or at their order among
// equals: flushing after every row changes that.
var metaPhysical = []string{"write/vacuum_full.slt", "window/window.slt"}

func runMeta(args []string) error {
	flags := flag.NewFlagSet("meta", flag.ContinueOnError)
	short := flags.Bool("short", false, "the first settings only")
	only := flags.String("only", "", "settings whose names hold this text")
	verbose := flags.Int("v", 10, "how many failures to print, per setting")
	if err := flags.Parse(args); err != nil {
		return err
	}
	paths := flags.Args()
	if len(paths) == 0 {
		paths = []string{"testdata/slt"}
	}
	files, err := sltFiles(paths)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "quern-meta-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err := buildQuern(dir)
	if err != nil {
		return err
	}
	settings := metaSettings
	if *short {
		settings = settings[:metaShort]
	}
	bad := 0
	for i, s := range settings {
		if !strings.Contains(s.name, *only) {
			continue
		}
		total, err := runMetaSetting(bin, filepath.Join(dir, fmt.Sprint("data", i)), &s, files, *verbose)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("%-28s %d passed, %d wrong, %d errors\n", s.name, total.passed, total.wrong, total.failed)
		bad += total.wrong + total.failed
	}
	if bad > 0 {
		return errors.New("answers depend on settings")
	}
	return nil
}

func runMetaSetting(bin, data string, s *metaSetting, files []string, verbose int) (*sltTotals, error) {
	q, err := startQuern(bin, data, s.args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = q.Stop() }()
	url := q.URL
	if name, value, ok := strings.Cut(s.params, "="); ok {
		url += "?" + s.params
		if err := settingIs(url, name, value); err != nil {
			return nil, err
		}
	}
	total := &sltTotals{refused: map[string]int{}}
	for _, f := range files {
		if slices.Contains(s.args, "--flush-rows") && slices.ContainsFunc(metaPhysical, func(p string) bool { return strings.HasSuffix(f, p) }) {
			continue
		}
		if err := runSLTFile(url, f, total, &verbose); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
	}
	return total, nil
}

// settingIs makes sure that the parameter of the connection took effect.
func settingIs(url, name, want string) error {
	return withConn(url, func(ctx context.Context, c *pgconn.PgConn) error {
		res, err := c.Exec(ctx, "SHOW "+name).ReadAll()
		if err != nil {
			return err
		}
		if got := string(res[0].Rows[0][0]); got != want {
			return fmt.Errorf("%s is %q, not %q", name, got, want)
		}
		return nil
	})
}
