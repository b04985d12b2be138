package parse

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quern/sql/internal/ast"
	"quern/storage/errs"
)

// sharedFiles are the files below a folder of ../shared with the suffix.
func sharedFiles(t *testing.T, folder, suffix string) map[string]string {
	t.Helper()
	files := map[string]string{}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("no go.mod above the package")
		}
		dir = up
	}
	root := filepath.Join(dir, "..", "shared", folder)
	err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		b, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, root+"/")] = string(b)
		return err
	})
	if err != nil {
		t.Skipf("../shared/%s is not beside the repository: %v", folder, err)
	}
	return files
}

// roundTrip parses text and checks that printing each query and DML statement
// in both ways gives text with the same tree.
func roundTrip(t *testing.T, where, text string) error {
	list, err := checkedScript(t, text)
	if err != nil {
		return err
	}
	for _, s := range list {
		for _, out := range []string{ast.Print(s), ast.PrintFull(s)} {
			if out == "" {
				continue
			}
			again, err := One(out)
			if err != nil {
				t.Errorf("%s: %s\n  printed %s\n  %v", where, text, out, err)
				continue
			}
			if a, b := dump(s), dump(again); a != b {
				t.Errorf("%s: %s\n  printed %s\n  %s\n  %s", where, text, out, a, b)
			}
		}
	}
	return nil
}

// TestLogicTests: every statement of the development suites parses, and
// survives printing.
func TestLogicTests(t *testing.T) {
	count := 0
	for name, text := range sharedFiles(t, "slt", ".slt") {
		for _, rec := range strings.Split(text, "\n\n") {
			lines := strings.Split(rec, "\n")
			for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
				lines = lines[1:]
			}
			if len(lines) < 2 || !strings.HasPrefix(lines[0], "statement ok") && !strings.HasPrefix(lines[0], "query") {
				continue
			}
			sql, _, _ := strings.Cut(strings.Join(lines[1:], "\n"), "\n----")
			count++
			if testing.Short() && count%10 != 0 {
				continue
			}
			if err := roundTrip(t, name, sql); err != nil && errs.CodeOf(err) != errs.FeatureNotSupported {
				t.Errorf("%s: %s\n  %v", name, sql, err)
			} else if err != nil {
				t.Logf("%s: %v", name, err)
			}
		}
	}
	t.Logf("%d records", count)
	if n := Holes(); n != 0 {
		t.Errorf("the grammar refused %d carriers", n)
	}
}

// TestBenchQueries: the benchmark queries parse and survive printing.
func TestBenchQueries(t *testing.T) {
	for name, text := range sharedFiles(t, "bench/queries", ".sql") {
		if err := roundTrip(t, name, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestClientStatements: what clients send parses whenever PostgreSQL did not
// answer with a syntax error.
func TestClientStatements(t *testing.T) {
	count, refused := 0, 0
	for name, text := range sharedFiles(t, "wire/corpus", ".sql") {
		for _, rec := range strings.Split(text, "\n;;") {
			var sql []string
			wantSyntax := false
			for _, line := range strings.Split(rec, "\n") {
				switch {
				case strings.HasPrefix(line, "-- expect: ERROR 42601"):
					wantSyntax = true
				case len(sql) == 0 && strings.HasPrefix(line, "-- "):
				case len(sql) == 0 && line == "":
				default:
					sql = append(sql, line)
				}
			}
			text := strings.Join(sql, "\n")
			if text == "" || text == "IDENTIFY_SYSTEM" {
				continue // the second is for the replication protocol
			}
			count++
			err := roundTrip(t, name, text)
			if wantSyntax && err == nil {
				_, err = One(text) // two statements in Parse
			}
			switch {
			case wantSyntax:
				if errs.CodeOf(err) != errs.Syntax {
					t.Errorf("%s: %s\n  want 42601, got %v", name, text, err)
				}
			case errs.CodeOf(err) == errs.FeatureNotSupported:
				refused++
				t.Logf("%s: %v", name, err)
			case err != nil:
				t.Errorf("%s: %s\n  %v", name, text, err)
			}
		}
	}
	t.Logf("%d statements, %d refused by name", count, refused)
	if n := Holes(); n != 0 {
		t.Errorf("the grammar refused %d carriers", n)
	}
}

// TestGovernanceStatements: the statements of the governance cases parse.
func TestGovernanceStatements(t *testing.T) {
	text := shared(t, "governance/cases.md")
	count := 0
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		sql, ok := strings.CutPrefix(line, "> ")
		if !ok {
			sql, ok = strings.CutPrefix(line, "q> ")
		}
		if !ok || i < 26 { // the runner's language comes first
			continue
		}
		count++
		refusal := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "!")
		if err := roundTrip(t, "governance", sql); err != nil && !refusal {
			t.Errorf("line %d: %s\n  %v", i+1, sql, err)
		}
	}
	if count == 0 {
		t.Error("no statements found")
	}
	t.Logf("%d statements", count)
}
