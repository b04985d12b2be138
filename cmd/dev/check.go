package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

var _ = register("check", "gofmt, vet, staticcheck, layering, size, banned calls, README", runCheck)

// staticcheckModule is pinned: a new version must not break main by itself.
const staticcheckModule = "honnef.co/go/tools/cmd/staticcheck@v0.8.2"

// runCheck runs every part and reports all findings, not only the first.
func runCheck([]string) error {
	root, err := repoRoot()
	if err != nil {
		return err
	}
	parts := []struct {
		name string
		run  func(root string) ([]string, error)
	}{
		{"gofmt", checkGofmt},
		{"vet", func(root string) ([]string, error) { return tool(root, "go", "vet", "./...") }},
		{"staticcheck", func(root string) ([]string, error) {
			return tool(root, "go", "run", staticcheckModule, "./...")
		}},
		{"layering", checkLayering},
		{"size", checkSize},
		{"banned", checkBanned},
		{"readme", checkReadme},
	}
	bad := 0
	for _, p := range parts {
		start := time.Now()
		found, err := p.run(root)
		if err != nil {
			found = append(found, err.Error())
		}
		for _, f := range found {
			fmt.Printf("%s: %s\n", p.name, f)
		}
		bad += len(found)
		fmt.Printf("check %-12s %d findings, %.1f s\n", p.name, len(found), time.Since(start).Seconds())
	}
	if bad > 0 {
		return fmt.Errorf("%d findings", bad)
	}
	return nil
}

func repoRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod above the working folder")
		}
	}
}

// tool runs a command and gives its output lines if it failed.
func tool(root, name string, args ...string) ([]string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err == nil {
		return nil, nil
	}
	lines := nonEmptyLines(out)
	if len(lines) == 0 {
		return nil, err
	}
	return lines, nil
}

func nonEmptyLines(out []byte) []string {
	var lines []string
	for l := range bytes.Lines(out) {
		if s := strings.TrimSpace(string(l)); s != "" {
			lines = append(lines, s)
		}
	}
	return lines
}

func checkGofmt(root string) ([]string, error) {
	cmd := exec.Command("gofmt", "-l", ".")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	return nonEmptyLines(out), err
}

// goFiles lists the project's Go files relative to root.
func goFiles(root string, tests bool) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && (tests || !strings.HasSuffix(path, "_test.go")) {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			files = append(files, filepath.ToSlash(rel))
		}
		return nil
	})
	return files, err
}
