package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// bench is one measurement over a server's HTTP port.
type bench struct {
	*benchFlags
	st     *streams
	url    string
	client *http.Client
	cpu    func() float64 // seconds of the server so far, 0 if not known
}

// A query below shortSeconds is run five times as often, one above longSeconds
// three times at most.
const (
	shortSeconds = 0.02
	longSeconds  = 8
)

// figure is a line of the result; the columns are those of other tools that
// compare engines.
type figure struct {
	Engine string  `json:"engine"`
	Query  string  `json:"query"`
	Rows   int     `json:"rows"`
	First  float64 `json:"first_s"`
	Median float64 `json:"median_s"`
	Min    float64 `json:"min_s"`
	CPU    float64 `json:"median_cpu_s"`
	Runs   int     `json:"runs"`
	Err    string  `json:"err"`
}

// query runs text and reads its answer to the end: result rows and seconds.
func (b *bench) query(ctx context.Context, text string) (rows int, seconds float64, err error) {
	body, err := json.Marshal(map[string]string{"sql": text})
	if err != nil {
		return 0, 0, err
	}
	u, err := url.Parse(b.url)
	if err != nil || u.Host == "" {
		return 0, 0, usagef("--server %q is no URL such as http://127.0.0.1:7433", b.url)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.JoinPath("v1/query").String(), bytes.NewReader(body))
	if err != nil {
		return 0, 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", acceptOf["ndjson"])
	start := time.Now()
	res, err := b.client.Do(req)
	if err != nil {
		return 0, 0, fmt.Errorf("%w; is a server running there? `quern serve` starts one", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return 0, 0, queryError(res)
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := res.Body.Read(buf)
		rows += bytes.Count(buf[:n], []byte{'\n'})
		if err == io.EOF {
			return rows, time.Since(start).Seconds(), nil
		}
		if err != nil {
			return 0, 0, err
		}
	}
}

// measure runs all queries and prints a line for each.
func (b *bench) measure(ctx context.Context, set string, qs []benchQuery) error {
	fmt.Fprintf(b.st.out, "%-6s %9s %10s %10s %10s %10s %5s\n", "query", "rows", "first s", "median s", "min s", "cpu s", "runs")
	var all []figure
	failed := 0
	total := figure{Engine: "quern", Query: "TOTAL"}
	for _, q := range qs {
		f := b.one(ctx, q)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		all = append(all, f)
		if f.Err != "" {
			failed++
			fmt.Fprintf(b.st.out, "%-6s %s\n", f.Query, f.Err)
			continue
		}
		total.First, total.Median, total.Min, total.CPU = total.First+f.First, total.Median+f.Median, total.Min+f.Min, total.CPU+f.CPU
		fmt.Fprintf(b.st.out, "%-6s %9d %10.4f %10.4f %10.4f %10.4f %5d\n", f.Query, f.Rows, f.First, f.Median, f.Min, f.CPU, f.Runs)
	}
	fmt.Fprintf(b.st.out, "%-6s %9s %10.4f %10.4f %10.4f %10.4f\n", "total", "", total.First, total.Median, total.Min, total.CPU)
	if b.out != "" {
		if err := writeFigures(b.out, append(all, total)); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d queries failed; `quern bench %s --input …` loads the tables", failed, len(qs), set)
	}
	return nil
}

// one measures a query: a run that does not count, then the others.
func (b *bench) one(ctx context.Context, q benchQuery) figure {
	f := figure{Engine: "quern", Query: q.name}
	var err error
	if f.Rows, f.First, err = b.query(ctx, q.text); err != nil {
		f.Err = strings.Join(strings.Fields(err.Error()), " ")
		return f
	}
	var wall, cpu []float64
	for runs := b.runs; len(wall) < runs; {
		before := b.cpu()
		_, s, err := b.query(ctx, q.text)
		if err != nil {
			f.Err = strings.Join(strings.Fields(err.Error()), " ")
			return f
		}
		wall, cpu = append(wall, s), append(cpu, b.cpu()-before)
		if len(wall) == 1 && s < shortSeconds {
			runs *= 5
		}
		if s > longSeconds {
			runs = min(runs, 3)
		}
	}
	f.Median, f.CPU, f.Min, f.Runs = median(wall), median(cpu), slices.Min(wall), len(wall)
	return f
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// writeFigures writes JSON if the file's name says so, else CSV.
func writeFigures(path string, all []figure) error {
	var out bytes.Buffer
	if strings.HasSuffix(path, ".json") {
		enc := json.NewEncoder(&out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(all); err != nil {
			return err
		}
		return os.WriteFile(path, out.Bytes(), 0o644)
	}
	w := csv.NewWriter(&out)
	rows := [][]string{{"engine", "query", "rows", "first_s", "median_s", "min_s", "median_cpu_s", "runs", "err"}}
	for i := range all {
		f := &all[i]
		num := func(x float64) string { return strconv.FormatFloat(x, 'f', 4, 64) }
		rows = append(rows, []string{f.Engine, f.Query, strconv.Itoa(f.Rows), num(f.First), num(f.Median), num(f.Min), num(f.CPU), strconv.Itoa(f.Runs), f.Err})
	}
	if err := w.WriteAll(rows); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// cpuOf is the CPU time of a process so far, 0 where the system does not tell.
func cpuOf(pid int) float64 {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0
	}
	total := 0.0
	for _, t := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", pid, t.Name()))
		if err != nil {
			continue // it has ended
		}
		first, _, _ := strings.Cut(string(b), " ")
		ns, _ := strconv.ParseFloat(first, 64)
		total += ns / 1e9
	}
	return total
}
