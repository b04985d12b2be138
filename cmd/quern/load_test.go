package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// load runs the loader against a data folder and returns its last line.
func load(t *testing.T, data string, args ...string) (string, int) {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(context.Background(), append([]string{"load", "--data", data}, args...), &streams{in: strings.NewReader(""), out: &out, err: &errOut})
	t.Log(errOut.String())
	return strings.TrimSpace(out.String()), code
}

// TestLoadTwice: the same command again adds nothing, for every format; what
// it sent before answers as duplicate. So it resumes after a kill.
func TestLoadTwice(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var nd, csv strings.Builder
	csv.WriteString("id,name\n")
	for i := range 3000 {
		fmt.Fprintf(&nd, "{\"id\":%d,\"name\":\"n%d\"}\n", i, i)
		fmt.Fprintf(&csv, "%d,\"a\nb %d\"\n", i, i)
	}
	nd.WriteString("{\"id\":\"bad\"}\n")
	for _, c := range []struct{ file, first, again string }{
		{write("events.ndjson", nd.String()), "read 3001 = accepted 3001 + duplicate 0 + quarantined 0 + refused 0", "read 3001 = accepted 0 + duplicate 3001 + quarantined 0 + refused 0"},
		{write("rows.csv", csv.String()), "read 3000 = accepted 3000 + duplicate 0 + quarantined 0 + refused 0", "read 3000 = accepted 0 + duplicate 3000 + quarantined 0 + refused 0"},
		{"../../testdata/demo/flights.parquet", "read 200000 = accepted 200000 + duplicate 0 + quarantined 0 + refused 0", "read 200000 = accepted 0 + duplicate 200000 + quarantined 0 + refused 0"},
	} {
		t.Run(filepath.Base(c.file), func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			if got, code := load(t, data, "--create", c.file); got != c.first || code != 0 {
				t.Fatalf("first: %q, exit %d", got, code)
			}
			if got, code := load(t, data, "--create", c.file); got != c.again || code != 0 {
				t.Errorf("again: %q, exit %d", got, code)
			}
		})
	}
}

func TestLoadUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"--on-error", "maybe", "x.csv"}, {"--server", "http://x", "x.csv"}} {
		if out, code := load(t, t.TempDir(), args...); code != 2 {
			t.Errorf("%v: exit %d, %q", args, code, out)
		}
	}
	if _, code := load(t, filepath.Join(t.TempDir(), "d"), "no-such-file.csv"); code != 1 {
		t.Errorf("a missing file: exit %d", code)
	}
}
