package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// checkReadme finds the commands of README.md that no test runs. A command
// counts as run if its text (blanks folded) stands in .ci/run, in a Go test or
// in cmd/dev. Commands are the lines of sh blocks; `# not run:` before a block
// gives a reason and exempts it.
func checkReadme(root string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	corpus, err := runCorpus(root)
	if err != nil {
		return nil, err
	}
	var found []string
	inBlock, exempt := false, false
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```"):
			inBlock = trimmed == "```sh" && !inBlock
			exempt = false
		case inBlock && strings.HasPrefix(trimmed, "# not run:"):
			exempt = true
		case inBlock && !exempt && trimmed != "" && !strings.HasPrefix(trimmed, "#"):
			command, _, _ := strings.Cut(trimmed, "   #")
			if !strings.Contains(corpus, fold(command)) {
				found = append(found, fmt.Sprintf("README.md:%d: no test runs %q", i+1, command))
			}
		}
	}
	return found, nil
}

func fold(s string) string { return strings.Join(strings.Fields(s), " ") }

// runCorpus is the text of everything that runs commands.
func runCorpus(root string) (string, error) {
	var b strings.Builder
	files, err := goFiles(root, true)
	if err != nil {
		return "", err
	}
	for _, f := range append(files, ".ci/run") {
		if f != ".ci/run" && !strings.HasSuffix(f, "_test.go") && !strings.HasPrefix(f, "cmd/dev/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			return "", err
		}
		b.WriteString(fold(string(text)))
		b.WriteByte(' ')
	}
	return b.String(), nil
}
