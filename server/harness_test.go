package server

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTest serves an empty folder on free ports with trust.
func startTest(t testing.TB, change func(*Options)) *Server {
	t.Helper()
	o := Options{Dir: t.TempDir(), PGAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", Auth: "trust", Memory: 1 << 30}
	if change != nil {
		change(&o)
	}
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dsn(s *Server, more ...string) string {
	host, port, _ := strings.Cut(s.PGAddr(), ":")
	return "user=admin dbname=quern sslmode=disable host=" + host + " port=" + port + " " + strings.Join(more, " ")
}

func open(t testing.TB, s *Server, more ...string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn(s, more...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
	return c
}

// must runs statements as admin.
func must(t testing.TB, s *Server, statements ...string) {
	t.Helper()
	c := open(t, s)
	for _, q := range statements {
		if _, err := c.Exec(t.Context(), q, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// psql runs psql with a script on its standard input.
func psql(t *testing.T, s *Server, script string, args ...string) (string, error) {
	t.Helper()
	bin, err := exec.LookPath("psql")
	if err != nil {
		t.Skip("skipped: psql is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, append([]string{"-X", "-d", dsn(s)}, args...)...)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if ee := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	return string(out), err
}
