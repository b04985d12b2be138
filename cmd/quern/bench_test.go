package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBenchQueries(t *testing.T) {
	for set, want := range map[string]int{"clickbench": 43, "tpch": 22} {
		f := &benchFlags{}
		qs, err := f.readQueries(set)
		if err != nil || len(qs) != want {
			t.Errorf("%s: %d queries, %v", set, len(qs), err)
		}
	}
	qs := splitQueries("-- text\n\nSELECT 1;\n-- Q7b more\nSELECT\n  2 ;\n")
	if len(qs) != 2 || qs[0] != (benchQuery{"Q0", "SELECT 1"}) || qs[1] != (benchQuery{"Q7b", "SELECT\n  2 "}) {
		t.Errorf("%q", qs)
	}
}

// TestBench measures own queries on a folder, then ingest.
func TestBench(t *testing.T) {
	dir := t.TempDir()
	queries := filepath.Join(dir, "q")
	if err := os.Mkdir(queries, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(queries, "three.sql"), []byte("SELECT * FROM generate_series(1, 3);\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	data, out := filepath.Join(dir, "d"), filepath.Join(dir, "out.csv")
	code, text, errText := cli(t, "bench", "tpch", "--data", data, "--queries", queries, "--runs", "1", "--out", out)
	b, _ := os.ReadFile(out)
	if code != 0 || !strings.Contains(string(b), "\nquern,three,3,") {
		t.Errorf("%d %s %s\n%s", code, text, errText, b)
	}
	code, text, errText = cli(t, "bench", "clickbench", "--data", data, "--only", "Q0", "--out", filepath.Join(dir, "out.json"))
	if code != 1 || !strings.Contains(text, `relation "hits" does not exist`) || !strings.Contains(errText, "--input") {
		t.Errorf("%d %s %s", code, text, errText)
	}
	code, text, errText = cli(t, "bench", "ingest", "--data", data, "--seconds", "1", "--batch", "50", "--clients", "1")
	if code != 0 || !strings.Contains(text, "events/s") {
		t.Errorf("%d %s %s", code, text, errText)
	}
}
