// Package diff runs the same statements on Quern and on PostgreSQL 15 and says
// where they differ (RELIABILITY.md §9.3).
//
//	matrix.go    every function, operator, aggregate and cast that PostgreSQL's
//	             catalog has for our types, on boundary values of its arguments
//	schema.go    random tables: all types, NULLs, extremes
//	query.go     random typed queries over them
//	sources.go   what stands in FROM beside tables, subqueries as values, frames, changes
//	expr.go      their expressions
//	shrink.go    the smallest query that still differs
//	known.go     differences that are documented in testdata/differences.md
//
// Rows are compared as multisets unless the query orders them totally; floats to
// 1e-9 relative; everything else by its text; column names and type OIDs must be
// equal. Two errors agree if their SQLSTATE classes do; an error against rows is a
// difference.
package diff

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Pair are the two servers, each with the same settings.
type Pair struct {
	Oracle, Quern *pgconn.PgConn
}

// settings make texts comparable.
const settings = `SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex'`

// Connect opens both sides.
func Connect(ctx context.Context, oracleURL, quernURL string) (*Pair, error) {
	p := &Pair{}
	for url, c := range map[string]**pgconn.PgConn{oracleURL: &p.Oracle, quernURL: &p.Quern} {
		conn, err := pgconn.Connect(ctx, url)
		if err != nil {
			return nil, err
		}
		*c = conn
		if _, err := conn.Exec(ctx, settings).ReadAll(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Close ends both connections.
func (p *Pair) Close(ctx context.Context) {
	_ = p.Oracle.Close(ctx)
	_ = p.Quern.Close(ctx)
}

// Outcome is what a statement gave: rows, or an error.
type Outcome struct {
	Names   []string
	OIDs    []uint32
	Rows    [][]string
	Code    string
	Message string
}

// null is how NULL reads in Rows; no value is this text.
const null = "\x00NULL"

// run executes one statement. An error is returned only if the connection ended.
func run(ctx context.Context, c *pgconn.PgConn, sql string) (Outcome, error) {
	results, err := c.Exec(ctx, sql).ReadAll()
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return Outcome{Code: pg.Code, Message: pg.Message}, nil
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", sql, err)
	}
	var o Outcome
	if len(results) == 0 {
		return o, nil
	}
	last := results[len(results)-1]
	for _, f := range last.FieldDescriptions {
		o.Names, o.OIDs = append(o.Names, f.Name), append(o.OIDs, f.DataTypeOID)
	}
	for _, r := range last.Rows {
		row := make([]string, len(r))
		for i, v := range r {
			if row[i] = string(v); v == nil {
				row[i] = null
			}
		}
		o.Rows = append(o.Rows, row)
	}
	return o, nil
}

// Both executes a statement on both sides.
func (p *Pair) Both(ctx context.Context, sql string) (oracle, quern Outcome, err error) {
	if oracle, err = run(ctx, p.Oracle, sql); err != nil {
		return oracle, quern, fmt.Errorf("PostgreSQL: %w", err)
	}
	if quern, err = run(ctx, p.Quern, sql); err != nil {
		return oracle, quern, fmt.Errorf("quern: %w", err)
	}
	return oracle, quern, nil
}

// Compare says how the outcomes differ, "" if they do not.
func Compare(oracle, quern *Outcome, ordered bool) string {
	switch {
	case oracle.Code != "" && quern.Code != "":
		if oracle.Code[:2] != quern.Code[:2] {
			return fmt.Sprintf("PostgreSQL's error is %s (%s), ours %s (%s)", oracle.Code, oracle.Message, quern.Code, quern.Message)
		}
		return ""
	case oracle.Code != "":
		return fmt.Sprintf("PostgreSQL's error is %s (%s), we answer %s", oracle.Code, oracle.Message, clip(quern.Rows))
	case quern.Code != "":
		return fmt.Sprintf("our error is %s (%s), PostgreSQL answers %s", quern.Code, quern.Message, clip(oracle.Rows))
	case !slices.Equal(oracle.OIDs, quern.OIDs):
		return fmt.Sprintf("PostgreSQL's types are %v, ours %v", oracle.OIDs, quern.OIDs)
	case !slices.Equal(oracle.Names, quern.Names):
		return fmt.Sprintf("PostgreSQL's column names are %v, ours %v", oracle.Names, quern.Names)
	case len(oracle.Rows) != len(quern.Rows):
		return fmt.Sprintf("PostgreSQL gives %d rows, we %d", len(oracle.Rows), len(quern.Rows))
	}
	a, b := slices.Clone(oracle.Rows), slices.Clone(quern.Rows)
	if !ordered {
		slices.SortFunc(a, compareRows(oracle.OIDs))
		slices.SortFunc(b, compareRows(oracle.OIDs))
	}
	for i := range a {
		for c := range a[i] {
			if !equalValue(oracle.OIDs[c], a[i][c], b[i][c]) {
				return fmt.Sprintf("row %d column %d: PostgreSQL %q, we %q", i+1, c+1, a[i][c], b[i][c])
			}
		}
	}
	return ""
}

func isFloat(oid uint32) bool { return oid == 700 || oid == 701 }

// compareRows orders rows so that floats which differ in their last digits fall
// on the same place.
func compareRows(oids []uint32) func(a, b []string) int {
	return func(a, b []string) int {
		for pass := range 2 {
			for c := range a {
				if isFloat(oids[c]) == (pass == 0) {
					continue
				}
				if r := strings.Compare(a[c], b[c]); r != 0 {
					if x, y, ok := floats(a[c], b[c]); pass == 1 && ok {
						switch {
						case equalFloat(x, y):
							continue
						case x < y || y != y:
							return -1
						}
						return 1
					}
					return r
				}
			}
		}
		return 0
	}
}

func floats(a, b string) (x, y float64, ok bool) {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return x, y, err1 == nil && err2 == nil
}

func equalFloat(x, y float64) bool {
	if x == y || x != x && y != y || math.IsInf(x, 0) || math.IsInf(y, 0) {
		return x == y || x != x && y != y
	}
	return math.Abs(x-y) <= 1e-9*math.Max(math.Abs(x), math.Abs(y)) || math.Abs(x-y) < 1e-300
}

func equalValue(oid uint32, a, b string) bool {
	if a == b {
		return true
	}
	switch oid {
	case 700:
		x, y, ok := floats(a, b)
		return ok && (equalFloat(x, y) || math.Abs(x-y) <= 1e-5*math.Abs(x))
	case 701:
		x, y, ok := floats(a, b)
		return ok && equalFloat(x, y)
	case 1021, 1022:
		p, q := strings.Split(strings.Trim(a, "{}"), ","), strings.Split(strings.Trim(b, "{}"), ",")
		return slices.EqualFunc(p, q, func(s, t string) bool { return s == t || equalValue(oid-321, s, t) })
	}
	return false
}

func clip(rows [][]string) string {
	s := fmt.Sprintf("%d rows", len(rows))
	for i, r := range rows {
		if i == 3 {
			return s + " …"
		}
		s += fmt.Sprintf(" %q", r)
	}
	return s
}

// Found is one difference.
type Found struct {
	SQL, Why string
}
