package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"
)

var _ = register("slt", "SQL logic tests over the wire", runSLT)

// started owns the goroutines that wait for child processes.
var started sync.WaitGroup

// sltTotals counts records. A refusal by 0A000 is skipped, listed by construct.
type sltTotals struct {
	passed, wrong, failed, skipped int
	refused                        map[string]int
	printRefused                   bool
}

func runSLT(args []string) error {
	flags := flag.NewFlagSet("slt", flag.ContinueOnError)
	url := flags.String("url", "", "server to test; default: one of our own")
	oracle := flags.Bool("oracle", false, "run against a PostgreSQL 15 that this command starts")
	verbose := flags.Int("v", 20, "how many failures to print")
	refusals := flags.Bool("refusals", false, "print refused records like failures")
	rewrite := flags.Bool("rewrite", false, "with --oracle: write PostgreSQL's answers into the files")
	if err := flags.Parse(args); err != nil {
		return err
	}
	paths := flags.Args()
	if len(paths) == 0 {
		paths = []string{"testdata/slt"}
	}
	files, err := sltFiles(paths)
	if err == nil && *oracle {
		files, err = withoutOwn(files)
	}
	if err != nil {
		return err
	}
	if *rewrite && !*oracle {
		return errors.New("--rewrite needs --oracle: expectations are PostgreSQL's")
	}
	target, stop, err := sltServer(*url, *oracle)
	if err != nil {
		return err
	}
	defer stop()
	total := sltTotals{refused: map[string]int{}, printRefused: *refusals}
	if *rewrite {
		for _, f := range files {
			if err := rewriteSLTFile(target, f); err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
		}
	}
	for _, f := range files {
		if err := runSLTFile(target, f, &total, verbose); err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
	}
	for _, r := range slices.SortedFunc(maps.Keys(total.refused), func(a, b string) int { return total.refused[b] - total.refused[a] }) {
		fmt.Printf("refused %6d  %s\n", total.refused[r], r)
	}
	bad := total.wrong + total.failed
	fmt.Printf("%d passed, %d failed, %d skipped (wrong %d, error %d)\n", total.passed, bad, total.skipped, total.wrong, total.failed)
	fmt.Printf("%d passed, %d failed, %d skipped\n", total.passed, bad, total.skipped)
	if bad > 0 {
		return errors.New("some records failed")
	}
	return nil
}

// sltServer gives the URL of the server under test and how to end it.
func sltServer(url string, oracle bool) (string, func(), error) {
	if url != "" {
		return url, func() {}, nil
	}
	if oracle {
		p, err := startPostgres()
		if err != nil {
			return "", nil, err
		}
		return p.URL, p.Stop, nil
	}
	dir, err := os.MkdirTemp("", "quern-slt-")
	if err != nil {
		return "", nil, err
	}
	bin, err := buildQuern(dir)
	if err != nil {
		return "", nil, err
	}
	q, err := startQuern(bin, filepath.Join(dir, "data"))
	if err != nil {
		return "", nil, err
	}
	return q.URL, func() { _ = q.Stop(); _ = os.RemoveAll(dir) }, nil
}

func sltFiles(paths []string) ([]string, error) {
	var files []string
	for _, p := range paths {
		err := filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".slt") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no .slt file in %v", paths)
	}
	return files, nil
}

// ownMark is the first line of a file that only Quern can run.
const ownMark = "# only: quern\n"

// withoutOwn leaves out files that PostgreSQL cannot run.
func withoutOwn(files []string) (out []string, err error) {
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		if !bytes.HasPrefix(b, []byte(ownMark)) {
			out = append(out, f)
		}
	}
	return out, nil
}

// sltRecord is one statement or query of a file (../shared/slt/README.md).
type sltRecord struct {
	line   int
	kind   string // "ok", "error", "query"
	code   string // SQLSTATE wanted by "statement error CODE", "" = any
	types  string
	sort   string
	label  string
	sql    string
	answer []string
}

func parseSLT(text string) ([]sltRecord, error) {
	var out []sltRecord
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); {
		line := strings.TrimRight(lines[i], "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			i++
			continue
		}
		r := sltRecord{line: i + 1}
		f := strings.Fields(line)
		switch {
		case f[0] == "statement" && len(f) >= 2 && (f[1] == "ok" || f[1] == "error"):
			r.kind = f[1]
			if len(f) > 2 {
				r.code = f[2]
			}
		case f[0] == "query" && len(f) >= 2:
			r.kind, r.types, r.sort = "query", f[1], "nosort"
			if len(f) > 2 {
				r.sort = f[2]
			}
			if len(f) > 3 {
				r.label = f[3]
			}
		default:
			return nil, fmt.Errorf("line %d: unknown record %q", i+1, line)
		}
		i++
		var sql []string
		for ; i < len(lines) && lines[i] != "" && lines[i] != "----"; i++ {
			sql = append(sql, lines[i])
		}
		r.sql = strings.Join(sql, "\n")
		if i < len(lines) && lines[i] == "----" {
			for i++; i < len(lines) && lines[i] != ""; i++ {
				r.answer = append(r.answer, lines[i])
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// sltSetup makes every file start from nothing.
const sltSetup = `DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;`

const sltSettings = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET extra_float_digits = 0;`

func runSLTFile(url, path string, total *sltTotals, verbose *int) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	records, err := parseSLT(string(text))
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
			return fmt.Errorf("set-up %q: %w", setup, err)
		}
	}
	labels := map[string]string{}
	for _, r := range records {
		if conn.IsClosed() {
			return fmt.Errorf("line %d: the server closed the connection", r.line)
		}
		verdict := runRecord(ctx, conn, &r, labels, total)
		if verdict != "" && *verbose > 0 {
			*verbose--
			fmt.Printf("%s:%d: %s\n    %s\n", path, r.line, verdict, strings.ReplaceAll(r.sql, "\n", "\n    "))
		}
	}
	return nil
}

// runRecord runs one record and counts it; a failure is described.
func runRecord(ctx context.Context, conn *pgconn.PgConn, r *sltRecord, labels map[string]string, total *sltTotals) string {
	results, err := conn.Exec(ctx, r.sql).ReadAll()
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "0A000" && !(r.kind == "error" && (r.code == "" || r.code == "0A000")) {
		total.skipped++
		total.refused[pg.Message]++
		if total.printRefused {
			return "refused: " + pg.Message
		}
		return ""
	}
	switch {
	case r.kind == "error":
		if err == nil {
			total.wrong++
			return "succeeded, an error was wanted"
		}
		if r.code != "" && (pg == nil || pg.Code != r.code) {
			total.failed++
			return fmt.Sprintf("wanted SQLSTATE %s, got %v", r.code, err)
		}
	case err != nil:
		total.failed++
		return err.Error()
	case r.kind == "query":
		if verdict := compareAnswer(r, results, labels); verdict != "" {
			total.wrong++
			return verdict
		}
	}
	total.passed++
	return ""
}

func compareAnswer(r *sltRecord, results []*pgconn.Result, labels map[string]string) string {
	if len(results) == 0 {
		return "no result"
	}
	last := results[len(results)-1]
	// Empty results: the suites then give no dependable column count.
	if n := len(last.FieldDescriptions); len(last.Rows) > 0 && n != len(r.types) {
		return fmt.Sprintf("%d columns, wanted %d", n, len(r.types))
	}
	values := renderAnswer(r, last)
	if r.label != "" {
		joined := strings.Join(values, "\n")
		if old, ok := labels[r.label]; ok && old != joined {
			return "differs from an earlier query with label " + r.label
		}
		labels[r.label] = joined
	}
	if len(r.answer) == 1 && strings.Contains(r.answer[0], " values hashing to ") {
		h := md5.New()
		for _, v := range values {
			h.Write([]byte(v + "\n"))
		}
		if got := fmt.Sprintf("%d values hashing to %s", len(values), hex.EncodeToString(h.Sum(nil))); got != r.answer[0] {
			return fmt.Sprintf("got %s, wanted %s; first values %q", got, r.answer[0], values[:min(len(values), 12)])
		}
		return ""
	}
	if !slices.Equal(values, r.answer) {
		return fmt.Sprintf("got %q, wanted %q", clip(values), clip(r.answer))
	}
	return ""
}

func clip(v []string) []string { return v[:min(len(v), 40)] }

func renderAnswer(r *sltRecord, res *pgconn.Result) []string {
	rows := make([][]string, len(res.Rows))
	for i, row := range res.Rows {
		for c, v := range row {
			rows[i] = append(rows[i], renderValue(r.types[c], v, res.FieldDescriptions[c].DataTypeOID))
		}
	}
	if r.sort == "rowsort" {
		slices.SortFunc(rows, func(a, b []string) int { return strings.Compare(strings.Join(a, "\x01"), strings.Join(b, "\x01")) })
	}
	values := slices.Concat(rows...)
	if r.sort == "valuesort" {
		slices.Sort(values)
	}
	return values
}

const boolOID = 16

// renderValue prints one value as the README of the suites says.
func renderValue(kind byte, v []byte, oid uint32) string {
	if v == nil {
		return "NULL"
	}
	s := string(v)
	switch kind {
	case 'I':
		if oid == boolOID {
			return map[string]string{"t": "1", "f": "0"}[s]
		}
		if whole, _, ok := strings.Cut(s, "."); ok {
			if _, err := strconv.ParseFloat(s, 64); err == nil {
				if whole == "-0" {
					return "0"
				}
				return whole
			}
		}
		return s
	case 'R':
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return fmt.Sprintf("%.3f", f)
		}
		return s
	}
	if oid == boolOID {
		return map[string]string{"t": "true", "f": "false"}[s]
	}
	if s == "" {
		return "(empty)"
	}
	b := []byte(s)
	for i, c := range b {
		if c < 0x20 || c > 0x7e {
			b[i] = '@'
		}
	}
	return string(b)
}
