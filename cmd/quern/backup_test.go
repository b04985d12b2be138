package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quern/server"
)

// A backup taken from a running server, over HTTP, twice into one folder;
// checked, restored, and queried.
func TestBackupRestoreCommands(t *testing.T) {
	dir := t.TempDir()
	data, target, copied := filepath.Join(dir, "data"), filepath.Join(dir, "backup"), filepath.Join(dir, "copy")
	srv, err := server.Start(context.Background(), server.Options{Dir: data, Auth: "trust", HTTPAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + srv.HTTPAddr()
	runOK(t, "sql", "--server", url, "-c", "CREATE TABLE t (a int, b text); INSERT INTO t SELECT g, 'row ' || g FROM generate_series(1, 1000) g; CREATE ROLE low LOGIN")
	if out := runOK(t, "backup", "--server", url, target); !strings.Contains(out, "1 files at sequence") {
		t.Errorf("backup says %q", out)
	}
	runOK(t, "sql", "--server", url, "-c", "DELETE FROM t WHERE a <= 10")
	runOK(t, "backup", "--server", url, target)
	low := strings.Replace(url, "http://", "http://low:x@", 1)
	if code, msg := runCode(t, "backup", "--server", low, filepath.Join(dir, "no")); code != 1 || !strings.Contains(msg, "42501") {
		t.Errorf("backup by an ordinary role: exit %d, %q", code, msg)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}

	runOK(t, "check", "--data", target)
	runOK(t, "restore", "--data", copied, target)
	runOK(t, "check", "--data", copied)
	if out := runOK(t, "sql", "--data", copied, "--format", "csv", "-c", "SELECT count(*), min(a), max(b) FROM t"); out != "count,min,max\n990,11,row 999\n" {
		t.Errorf("the restored table shows %q", out)
	}
	if code, msg := runCode(t, "restore", "--data", copied, target); code != 1 || !strings.Contains(msg, "not empty") {
		t.Errorf("restore over a folder: exit %d, %q", code, msg)
	}
	if code, _ := runCode(t, "backup"); code != 2 {
		t.Errorf("backup without a target: exit %d", code)
	}

	// From a folder that no server has open; then with damage.
	runOK(t, "backup", "--data", copied, filepath.Join(dir, "third"))
	files, err := filepath.Glob(filepath.Join(dir, "third", "tables", "*", "*", "*.qseg"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(files[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, msg := runCode(t, "check", "--data", filepath.Join(dir, "third")); code != 1 || !strings.Contains(msg, filepath.Base(files[0])) {
		t.Errorf("check of a damaged backup: exit %d, %q", code, msg)
	}
}

// runCode runs a command line and returns its exit code and all it printed.
func runCode(t *testing.T, args ...string) (code int, text string) {
	t.Helper()
	var out bytes.Buffer
	code = run(context.Background(), args, &streams{strings.NewReader(""), &out, &out})
	return code, out.String()
}

func runOK(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	if code := run(context.Background(), args, &streams{strings.NewReader(""), &out, &errOut}); code != 0 {
		t.Fatalf("quern %s: exit %d: %s", strings.Join(args, " "), code, errOut.String())
	}
	return out.String()
}
