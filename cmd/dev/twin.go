package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

var _ = register("twin", "two worlds that differ only in hidden values must look the same", runTwin)

// runTwin builds two data folders that are equal in what the role analyst may
// see and different in masked values and expired rows, and compares all bytes
// that the analyst receives (GOVERNANCE.md §1.1). Rows of a result without
// ORDER BY are sorted before the comparison.
func runTwin(args []string) error {
	flags := flag.NewFlagSet("twin", flag.ContinueOnError)
	short := flags.Bool("short", false, "the form that CI runs: 300 generated queries")
	count := flags.Int("queries", 20000, "generated queries")
	seed := flags.Uint64("seed", 1, "seed of the generated queries")
	verbose := flags.Bool("v", false, "print the fixed queries that give errors")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *short {
		*count = 300
	}
	dir, err := os.MkdirTemp("", "quern-twin-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin, err := buildQuern(dir)
	if err != nil {
		return err
	}
	var worlds [2]*twinWorld
	for i := range worlds {
		if worlds[i], err = newTwinWorld(bin, filepath.Join(dir, fmt.Sprintf("world%d", i+1)), i); err != nil {
			return err
		}
		defer worlds[i].close()
	}
	start := time.Now()
	queries := append(slices.Clone(twinQueries), generateTwinQueries(*count, *seed)...)
	differences, refused := 0, 0
	for i, q := range queries {
		a, b := worlds[0].ask(q), worlds[1].ask(q)
		if *verbose && i < len(twinQueries) && strings.Contains(a, "ERROR") {
			fmt.Printf("%s\n    %q\n", q, clipText(a))
		}
		if strings.Contains(a, "0A000") {
			refused++
		}
		if a != b {
			if differences++; differences <= 10 {
				fmt.Printf("DIFFERENCE for %s\n  world 1: %s\n  world 2: %s\n", q, clipText(a), clipText(b))
			}
		}
	}
	if err := twinProof(worlds); err != nil {
		return err
	}
	fmt.Printf("twin %d queries, %d refused, %d differences, seed %d, %.0f s\n", len(queries), refused, differences, *seed, time.Since(start).Seconds())
	if differences > 0 {
		return errors.New("hidden values can be learned")
	}
	return nil
}

// twinProof shows that the comparison can fail: to the admin, who may see
// everything, the worlds differ.
func twinProof(worlds [2]*twinWorld) error {
	var answers [2]string
	for i, w := range worlds {
		err := withConn(w.q.URL, func(ctx context.Context, c *pgconn.PgConn) error {
			res, err := c.Exec(ctx, "SELECT id, email FROM people ORDER BY id").ReadAll()
			if err == nil {
				answers[i] = fmt.Sprint(res[0].Rows)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if answers[0] == answers[1] {
		return errors.New("the worlds do not differ even for the admin: the harness proves nothing")
	}
	return nil
}

func clipText(s string) string {
	if len(s) > 600 {
		return s[:600] + "…"
	}
	return s
}

// twinWorld is one server and the analyst's connection to it.
type twinWorld struct {
	q    *quernProcess
	conn *rawConn
}

const peopleRows = 500

func newTwinWorld(bin, data string, world int) (*twinWorld, error) {
	q, err := startQuern(bin, data, "--flush-rows", "300")
	if err != nil {
		return nil, err
	}
	w := &twinWorld{q: q}
	err = withConn(q.URL, func(ctx context.Context, c *pgconn.PgConn) error {
		for _, s := range twinSetup(world) {
			if _, err := c.Exec(ctx, s).ReadAll(); err != nil {
				return fmt.Errorf("%s: %w", clipText(s), err)
			}
		}
		return nil
	})
	if err != nil {
		q.Kill()
		return nil, err
	}
	w.conn, err = dialRaw(q.URL, "analyst")
	return w, err
}

// twinSetup gives the statements that build a world. Visible values are equal
// in both; masked values and rows that are expired already differ.
func twinSetup(world int) []string {
	rng := rand.New(rand.NewPCG(uint64(world), 7))
	out := []string{
		"CREATE ROLE analyst LOGIN",
		"CREATE TABLE people (id int4, city text, email text, income int8, score float8, born date, seen timestamptz)",
		"CREATE TABLE cities (city text, country text)",
		"INSERT INTO cities VALUES ('Oslo','NO'),('Rome','IT'),('Kyiv','UA'),('Lima','PE')",
		"CREATE TABLE ledger (id int4, owner text, amount int8, memo text, at timestamptz, doc jsonb, tags text[]) WITH (time_column = 'at')",
		"CREATE MASKING POLICY hide FOR any AS NULL",
		"CREATE MASKING POLICY fixed FOR text AS CONSTANT 'hidden'",
		"CREATE TABLE events (id int4, city text, amount int8, ts timestamptz, ref text, doc jsonb, price float8, note text) WITH (time_column = 'ts', retention = '90 days')",
	}
	cities := []string{"Oslo", "Rome", "Kyiv", "Lima", "Nuuk"}
	for start := 0; start < peopleRows; start += 100 {
		var b strings.Builder
		b.WriteString("INSERT INTO people VALUES ")
		for i := start; i < start+100; i++ {
			email := fmt.Sprintf("'user%d@world%d.example'", rng.IntN(300), world)
			if rng.IntN(10) == 0 {
				email = "NULL"
			}
			sep := ","
			if i == start {
				sep = ""
			}
			fmt.Fprintf(&b, "%s(%d,'%s',%s,%d,%g,'2000-01-%02d',TIMESTAMPTZ '2025-06-01 00:00:00+00' + INTERVAL '%d minutes')",
				sep, i, cities[i%5], email, rng.IntN(1_000_000), rng.Float64(), 1+i%28, i)
		}
		out = append(out, b.String())
	}
	out = append(out, twinLedger(rng)...)
	return append(append(out, twinEvents(rng, cities)...),
		"CREATE VIEW ledger_view AS SELECT owner, sum(amount) AS total, count(*) AS n FROM ledger GROUP BY owner",
		"CREATE VIEW people_view AS SELECT id, upper(email) AS email, income FROM people",
		"ALTER TABLE ledger SET (retention = '1000 days')",
		"GRANT SELECT ON ledger, ledger_view, people_view TO analyst",
		"GRANT SELECT (id, ts) ON secrets TO analyst",
		"GRANT CREATE, USAGE ON SCHEMA public TO analyst",
		"ANALYZE",
		"ALTER TABLE people ALTER COLUMN email SET MASKING POLICY fixed",
		"ALTER TABLE people ALTER COLUMN income SET MASKING POLICY hide",
		"ALTER TABLE people ALTER COLUMN score SET MASKING POLICY hide",
		"GRANT SELECT ON people, cities, events TO analyst",
		"VACUUM FULL people, events, ledger, secrets") // by merged segments, too
}

// twinLedger are 200 rows that retention leaves and that both worlds share, among
// others that differ in number and value; and a table of which the analyst
// may read two columns.
func twinLedger(rng *rand.Rand) []string {
	rows := func(n int, row func(i int) string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = row(i)
		}
		return strings.Join(list, ",")
	}
	return []string{
		"INSERT INTO ledger VALUES " + rows(200, func(i int) string {
			return fmt.Sprintf(`(%d,'analyst',%d,'memo %d','2025-05-01 00:00:00+00'::timestamptz + INTERVAL '%d hours','{"k": %d}','{t%d}')`, i, i*31%97, i%13, i, i%9, i%4)
		}),
		"INSERT INTO ledger VALUES " + rows(300+rng.IntN(900), func(i int) string {
			return fmt.Sprintf(`(%d,'boss%d',%d,'secret %x','2015-05-01 00:00:00+00'::timestamptz + INTERVAL '%d hours','{"s": %d}','{h%d}')`,
				1000+i, rng.IntN(50), rng.IntN(1e9), rng.IntN(1e9), rng.IntN(40_000), rng.IntN(1e6), rng.IntN(100))
		}),
		"CREATE TABLE secrets (id int4, ts timestamptz, pin text)",
		"INSERT INTO secrets VALUES " + rows(300, func(i int) string {
			return fmt.Sprintf("(%d,'2025-01-01 00:00:00+00','%d')", i, rng.IntN(1e6))
		}),
	}
}

// twinEvents are 400 visible rows that both worlds share and expired ones
// that differ in number and value. They are written while the table has no
// retention; a floor then hides them.
func twinEvents(rng *rand.Rand, cities []string) []string {
	out := []string{"ALTER TABLE events RESET (retention)"}
	day := time.Now().UTC().Truncate(24 * time.Hour)
	var b strings.Builder
	b.WriteString("INSERT INTO events VALUES ")
	for i := range 400 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%d,'%s',%d,'%s',%s)", i, cities[i%4], i*37%1000, day.Add(-time.Duration(i)*time.Hour).Format(time.RFC3339), twinEvent(i*7919))
	}
	out = append(out, b.String())
	b.Reset()
	b.WriteString("INSERT INTO events VALUES ")
	for i := range 50 + rng.IntN(200) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%d,'%s',%d,'%s',%s)", 10_000+i, cities[rng.IntN(4)], rng.IntN(1e6), day.AddDate(0, 0, -100-rng.IntN(300)).Format(time.RFC3339), twinEvent(rng.IntN(1e9)))
	}
	return append(out, b.String(), "ALTER TABLE events SET (retention = '90 days')")
}

// twinEvent gives values of columns that are stored in ways of their own: packed
// identifiers, documents by path, decimals as integers, dictionaries of row groups.
func twinEvent(x int) string {
	return fmt.Sprintf(`'order:%08x','{"a": %d, "b": "%x", "c": [%t]}',%d.%02d,'a note that stands for number %d'`, x, x%77, x%500, x%2 == 0, x%1000, x%100, x%211)
}

func (w *twinWorld) close() {
	if w.conn != nil {
		w.conn.close()
	}
	_ = w.q.Stop()
}

// ask gives all that the analyst receives for one statement, over the wire,
// or over HTTP for statements that start with "http ".
func (w *twinWorld) ask(query string) string {
	if sql, ok := strings.CutPrefix(query, "http "); ok {
		return w.askHTTP(sql)
	}
	messages, err := w.conn.query(query)
	if err != nil {
		return "connection: " + err.Error()
	}
	if !strings.Contains(strings.ToUpper(query), "ORDER BY") {
		sortRuns(messages)
		messages = withoutHead(messages)
	}
	return string(bytes.Join(messages, nil))
}

// withoutHead drops the rows before an error: which of them come first follows
// the layout, as with LIMIT (GOVERNANCE.md §13).
func withoutHead(messages [][]byte) [][]byte {
	out := messages[:0:0]
	for _, m := range messages {
		if m[0] == 'E' {
			out = slices.DeleteFunc(out, func(o []byte) bool { return o[0] == 'D' || o[0] == 'd' || o[0] == 'T' })
		}
		out = append(out, m)
	}
	return out
}

// sortRuns sorts each run of DataRow or CopyData messages.
func sortRuns(messages [][]byte) {
	for i := 0; i < len(messages); {
		j := i
		for j < len(messages) && messages[j][0] == messages[i][0] && (messages[i][0] == 'D' || messages[i][0] == 'd') {
			j++
		}
		slices.SortFunc(messages[i:j], bytes.Compare)
		i = max(j, i+1)
	}
}

func (w *twinWorld) askHTTP(sql string) string {
	u, err := url.Parse(w.q.HTTP + "/v1/query")
	if err != nil {
		return err.Error()
	}
	req, err := http.NewRequest(http.MethodPost, u.String(), strings.NewReader(sql))
	if err != nil {
		return err.Error()
	}
	req.SetBasicAuth("analyst", "")
	req.Header.Set("Accept", "text/csv")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(body), "\n")
	if !strings.Contains(strings.ToUpper(sql), "ORDER BY") {
		slices.Sort(lines)
	}
	return fmt.Sprint(res.StatusCode, lines)
}
