package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	got := map[string]string{}
	err := parseConfig(strings.NewReader("# all\n\nmemory = 2GB # two\ninsecure_listen=on\ndata = '/a #b'\n"), func(k, v string) error {
		got[k] = v
		return nil
	})
	if err != nil || got["memory"] != "2GB" || got["insecure-listen"] != "on" || got["data"] != "/a #b" {
		t.Errorf("%v %v", got, err)
	}
	for _, bad := range []string{"x", "x = 'y", "x = 'y' z"} {
		if parseConfig(strings.NewReader(bad), func(string, string) error { return nil }) == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]size{"0": 0, "12": 12, "1kB": 1024, "512MB": 512 << 20, "1.5GiB": 3 << 29, "2g": 2 << 30} {
		var z size
		if err := z.Set(text); err != nil || z != want {
			t.Errorf("%q: %d, %v", text, z, err)
		}
	}
	for _, bad := range []string{"", "x", "-1", "1PBX", "9999999T"} {
		var z size
		if z.Set(bad) == nil {
			t.Errorf("%q was accepted: %d", bad, z)
		}
	}
}

// cli runs a command line.
func cli(t *testing.T, args ...string) (code int, out, errOut string) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &streams{strings.NewReader(""), &o, &e})
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	for _, c := range []struct {
		args []string
		code int
		out  string // substring of either stream
	}{
		{[]string{"version"}, 0, "quern 0."},
		{[]string{"--help"}, 0, "serve"},
		{nil, 2, "no subcommand"},
		{[]string{"nope"}, 2, "unknown subcommand"},
		{[]string{"serve", "--nope"}, 2, "nope"},
		{[]string{"serve", "extra"}, 2, "unexpected argument"},
		{[]string{"serve", "--data", dir, "--auth", "trust", "--pg", "0.0.0.0:0"}, 1, "refusing"},
		{[]string{"serve", "--data", dir, "--pg", ":0"}, 1, "without TLS"},
		{[]string{"sql"}, 2, "give statements"},
		{[]string{"sql", "-c", "select 1", "--format", "xml"}, 2, "unknown format"},
		{[]string{"sql", "-c", "select 7 as seven", "--data", dir, "--format", "csv"}, 0, "seven\n7\n"},
		{[]string{"sql", "-c", "selct", "--data", dir}, 1, "syntax error"},
		{[]string{"check", "--data", dir}, 0, "no damage found"},
	} {
		code, out, errOut := cli(t, c.args...)
		if code != c.code || !strings.Contains(out+errOut, c.out) {
			t.Errorf("%v: exit %d\n%s%s", c.args, code, out, errOut)
		}
		if code != 0 && strings.Count(errOut, "\n") > 3 {
			t.Errorf("%v: more than a line of error:\n%s", c.args, errOut)
		}
	}
}

// TestPrecedence: flag beats variable beats file.
func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.conf")
	if err := os.WriteFile(file, []byte("auth = 'xfile'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("QUERN_AUTH", "xenv")
	_, _, out := cli(t, "serve", "--data", t.TempDir())
	if !strings.Contains(out, "xenv") {
		t.Errorf("variable not used: %s", out)
	}
	_, _, out = cli(t, "serve", "--data", t.TempDir(), "--auth", "xflag")
	if !strings.Contains(out, "xflag") {
		t.Errorf("flag does not win: %s", out)
	}
	if err := os.WriteFile(file, []byte("auth = 'xfile'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, out = cli(t, "serve", "--data", t.TempDir(), "--config", file)
	if !strings.Contains(out, "xenv") {
		t.Errorf("variable does not beat the file: %s", out)
	}
	t.Setenv("QUERN_AUTH", "")
	_, _, out = cli(t, "serve", "--data", t.TempDir(), "--config", file)
	if !strings.Contains(out, "xfile") {
		t.Errorf("file not used: %s", out)
	}
}
