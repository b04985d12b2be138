package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// checkReadme finds the commands of README.md that nothing runs. Commands are
// the lines of sh blocks: those of the go tool must stand in .ci/run, all
// others are run by `cmd/dev tour`, which .ci/run must call.
func checkReadme(root string) ([]string, error) {
	ci, err := os.ReadFile(filepath.Join(root, ".ci/run"))
	if err != nil {
		return nil, err
	}
	blocks, err := readmeBlocks(root)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, b := range blocks {
		for _, line := range b {
			if strings.HasPrefix(line, "go run") || strings.HasPrefix(line, "go test") {
				if !strings.Contains(fold(string(ci)), fold(line)) {
					found = append(found, fmt.Sprintf(".ci/run does not run %q", line))
				}
			}
		}
	}
	if !strings.Contains(string(ci), "go run ./cmd/dev tour") {
		found = append(found, ".ci/run does not run go run ./cmd/dev tour")
	}
	return found, nil
}

func fold(s string) string { return strings.Join(strings.Fields(s), " ") }

// readmeBlocks gives the command lines of each sh block of README.md.
func readmeBlocks(root string) ([][]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	var blocks [][]string
	open := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "```"):
			if open = line == "```sh" && !open; open {
				blocks = append(blocks, nil)
			}
		case open && line != "" && !strings.HasPrefix(line, "#"):
			blocks[len(blocks)-1] = append(blocks[len(blocks)-1], line)
		}
	}
	return blocks, nil
}
