package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

var _ = register("tour", "runs every shell command of README.md against a demo server", runTour)

// runTour starts the demo as the README says and runs the other commands of
// its sh blocks in order, in a folder that holds an events.ndjson. A command
// that fails, fails the tour; a server that a block starts is stopped behind
// its block.
func runTour([]string) error {
	root, err := repoRoot()
	if err != nil {
		return err
	}
	blocks, err := readmeBlocks(root)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "quern-tour-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err := buildQuern(dir)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "events.ndjson"), []byte(`{"id":1,"ts":"2026-01-02T03:04:05Z"}`+"\n"), 0o600); err != nil {
		return err
	}
	server, err := background(dir, bin, "demo", "--data", filepath.Join(dir, "demo"))
	if err != nil {
		return err
	}
	ran := 0
	for _, b := range blocks {
		for _, line := range b {
			switch {
			case strings.HasPrefix(line, "go run"), strings.HasPrefix(line, "go test"):
				continue // .ci/run runs these
			case strings.HasPrefix(line, "go build"):
				continue // buildQuern did
			case strings.HasPrefix(line, "./quern serve"):
				server.stop()
				server, err = background(dir, bin, strings.Fields(line)[1:]...)
			default:
				err = shell(dir, line)
			}
			if err != nil {
				server.stop()
				return fmt.Errorf("%s: %w", line, err)
			}
			ran++
		}
	}
	server.stop()
	fmt.Printf("tour: %d commands of README.md passed\n", ran)
	if ran == 0 {
		return errors.New("README.md has no commands")
	}
	return nil
}

func shell(dir, line string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// An HTTP error must fail the command: curl says so only when asked.
	line = strings.ReplaceAll(line, "curl ", "curl -sS --fail-with-body ")
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	fmt.Printf("$ %s\n%s\n", line, strings.TrimSpace(string(out)))
	return err
}

// running is a server that the README starts on the usual ports.
type running struct{ cmd *exec.Cmd }

func background(dir, bin string, args ...string) (*running, error) {
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	r := &running{cmd}
	if err := waitReady("postgres://admin@127.0.0.1:7432/quern", nil); err != nil {
		r.stop()
		return nil, err
	}
	// The demo loads behind its first answer.
	deadline := time.Now().Add(startTimeout)
	for args[0] == "demo" && shell(dir, `psql -qtA "postgres://analyst@127.0.0.1:7432/quern" -c "SELECT count(*) FROM github_events"`) != nil {
		if time.Now().After(deadline) {
			r.stop()
			return nil, errors.New("the demo did not load")
		}
		time.Sleep(200 * time.Millisecond)
	}
	return r, nil
}

func (r *running) stop() {
	_ = r.cmd.Process.Signal(os.Interrupt)
	_ = r.cmd.Wait()
}
