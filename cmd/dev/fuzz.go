package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var _ = register("fuzz", "every fuzz target for a while", runFuzz)

// fuzzTarget is one Fuzz function.
type fuzzTarget struct{ pkg, name string }

// runFuzz runs every fuzz target of the repository one after the other. What it finds
// go test keeps in testdata/fuzz of the package, where every later go test runs it.
func runFuzz(args []string) error {
	flags := flag.NewFlagSet("fuzz", flag.ContinueOnError)
	short := flags.Bool("short", false, "the form that CI runs: 3 s each")
	each := flags.Duration("time", time.Minute, "how long each target runs")
	only := flags.String("run", "", "only targets whose package and name match")
	workers := flags.Int("workers", 0, "processes that fuzz at once; 0: one per core")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *short {
		*each = 3 * time.Second
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	targets, err := fuzzTargets(".")
	if err != nil {
		return err
	}
	targets = slices.DeleteFunc(targets, func(t fuzzTarget) bool { return !match.MatchString(t.pkg + "." + t.name) })
	if len(targets) == 0 {
		return errors.New("no fuzz target matches")
	}
	execs, crashers := int64(0), 0
	for _, t := range targets {
		n, err := t.fuzz(*each, *workers)
		execs += n
		if err != nil {
			crashers++
			fmt.Printf("%s.%s: %v\n", t.pkg, t.name, err)
			continue
		}
		fmt.Printf("%-60s %12d executions\n", t.pkg+"."+t.name, n)
	}
	fmt.Printf("fuzz %d targets, %d executions, %d crashers\n", len(targets), execs, crashers)
	if crashers > 0 {
		return errors.New("see testdata/fuzz of the packages named above")
	}
	return nil
}

var fuzzFunc = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)

// fuzzTargets finds the Fuzz functions below root.
func fuzzTargets(root string) (list []fuzzTarget, err error) {
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range fuzzFunc.FindAllSubmatch(src, -1) {
			list = append(list, fuzzTarget{"./" + filepath.ToSlash(filepath.Dir(path)), string(m[1])})
		}
		return nil
	})
	slices.SortFunc(list, func(a, b fuzzTarget) int { return strings.Compare(a.pkg+a.name, b.pkg+b.name) })
	return list, err
}

var fuzzExecs = regexp.MustCompile(`execs: (\d+)`)

// fuzz runs the target and gives how many inputs it tried.
func (t fuzzTarget) fuzz(each time.Duration, workers int) (execs int64, err error) {
	// Building, and what go test needs to stop, come on top.
	ctx, cancel := context.WithTimeout(context.Background(), each+5*time.Minute)
	defer cancel()
	// NB: minimising what is merely new takes a minute each by default, all of the time.
	args := []string{"test", "-run", "^$", "-fuzz", "^" + t.name + "$", "-fuzztime", each.String(), "-fuzzminimizetime", "100x"}
	if workers > 0 {
		args = append(args, "-parallel", strconv.Itoa(workers))
	}
	cmd := exec.CommandContext(ctx, "go", append(args, t.pkg)...)
	out, err := cmd.CombinedOutput()
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if m := fuzzExecs.FindStringSubmatch(lines.Text()); m != nil {
			execs, _ = strconv.ParseInt(m[1], 10, 64)
		}
	}
	if err != nil && !endedInTime(out) {
		return execs, fmt.Errorf("%w\n%s", err, bytes.TrimSpace(out))
	}
	return execs, nil
}

// endedInTime tells whether go test only failed to stop its workers when the time was
// over, which it reports as a failure without an input.
func endedInTime(out []byte) bool {
	return bytes.Contains(out, []byte("context deadline exceeded")) && !bytes.Contains(out, []byte("Failing input"))
}
