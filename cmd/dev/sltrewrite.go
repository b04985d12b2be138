package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// rewriteSLTFile runs a file against PostgreSQL and writes its answers into it:
// rows, SQLSTATEs of `statement error`, and whether a statement succeeds. A
// query with types `?` gets one T per column.
// Comments and records keep their order.
func rewriteSLTFile(url, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, setup := range []string{sltSetup, sltSettings} {
		if _, err := conn.Exec(ctx, setup).ReadAll(); err != nil {
			return err
		}
	}
	var out []string
	for _, block := range strings.Split(strings.TrimRight(string(text), "\n"), "\n\n") {
		b, err := rewriteBlock(ctx, conn, block)
		if err != nil {
			return err
		}
		out = append(out, b)
	}
	return os.WriteFile(path, []byte(strings.Join(out, "\n\n")+"\n"), 0o644)
}

func rewriteBlock(ctx context.Context, conn *pgconn.PgConn, block string) (string, error) {
	var comments []string
	rest := block
	for strings.HasPrefix(rest, "#") {
		line, after, _ := strings.Cut(rest, "\n")
		comments = append(comments, line)
		rest = after
	}
	if strings.TrimSpace(rest) == "" {
		return block, nil
	}
	records, err := parseSLT(rest)
	if err != nil || len(records) != 1 {
		return "", fmt.Errorf("block %q: %d records, %v", block, len(records), err)
	}
	r := &records[0]
	results, runErr := conn.Exec(ctx, r.sql).ReadAll()
	var pg *pgconn.PgError
	if runErr != nil && !errors.As(runErr, &pg) {
		return "", runErr
	}
	var lines []string
	switch {
	case pg != nil:
		lines = append(lines, "statement error "+pg.Code, r.sql)
	case r.kind == "query":
		last := results[len(results)-1]
		if r.types == "?" {
			r.types = strings.Repeat("T", len(last.FieldDescriptions))
		}
		if n := len(last.FieldDescriptions); len(last.Rows) > 0 && n != len(r.types) {
			return "", fmt.Errorf("%s: %d columns, %d types", r.sql, n, len(r.types))
		}
		head := "query " + r.types + " " + r.sort
		if r.label != "" {
			head += " " + r.label
		}
		lines = append(append(lines, head, r.sql, "----"), renderAnswer(r, last)...)
	default:
		lines = append(lines, "statement ok", r.sql)
	}
	return strings.Join(append(comments, lines...), "\n"), nil
}
