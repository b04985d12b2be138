package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"quern/ingest"
)

// pieceBytes is the size of one request's body before compression: small
// enough to be repeated cheaply, large enough that its fsync does not count.
const pieceBytes = 8 << 20

// loader sends files to a server in pieces. Each piece carries an
// Idempotency-Key made from the file and the range, so the same command can be
// run again after any kill of either side: what is there answers as replayed.
type loader struct {
	server   *url.URL // http://user:password@host:port
	table    string   // empty: from the file's name
	format   string   // empty or auto: from the file's name
	create   bool
	jobs     int
	abort    bool
	dryRun   bool
	progress func(done, total int64, rejects int64)
	client   *http.Client

	read, accepted, duplicate, quarantined, refused atomic.Int64
	bytesDone, bytesAll                             atomic.Int64
	mu                                              sync.Mutex
	shown                                           int
}

// load sends one file; "-" is standard input.
func (l *loader) load(ctx context.Context, path string) error {
	f, size, err := openInput(path)
	if err != nil {
		return err
	}
	defer f.Close()
	l.bytesAll.Add(size)
	format, err := l.formatOf(path)
	if err != nil {
		return err
	}
	table := l.table
	if table == "" {
		if path == "-" {
			return errors.New("--table is needed with standard input")
		}
		table = tableName(path)
	}
	id, err := fileIdentity(f, size)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, l.jobs))
	first := true
	job := func(head []byte) func(p ingest.Piece) error {
		return func(p ingest.Piece) error {
			l.read.Add(p.Rows)
			req := pieceRequest{table: table, format: format, head: head, key: pieceKey(id, table, p), body: p.Body, first: first}
			if first && l.create {
				// The first piece creates the table; others would race for it.
				first = false
				return l.send(ctx, &req)
			}
			first = false
			g.Go(func() error { return l.send(ctx, &req) })
			return ctx.Err()
		}
	}
	err = l.cut(f, size, format, path, job)
	if waitErr := g.Wait(); waitErr != nil {
		return waitErr
	}
	return err
}

// cut hands the pieces of one file to job's function.
func (l *loader) cut(f *os.File, size int64, format, path string, job func(head []byte) func(ingest.Piece) error) error {
	if format == "parquet" {
		return ingest.CutParquet(f, size, job(nil))
	}
	var in io.Reader = &countingReader{f, &l.bytesDone}
	in, err := ingest.Decompress(in, path)
	if err != nil {
		return err
	}
	csv := format == "csv" || format == "tsv"
	if !csv {
		_, err = ingest.Cut(in, false, false, pieceBytes, job(nil))
		return err
	}
	// CSV files start with a line of names; it goes along as a parameter.
	var head []byte
	send := func(p ingest.Piece) error { return job(head)(p) }
	br := &headReader{r: in}
	if head, err = br.line(); err != nil {
		return err
	}
	_, err = ingest.Cut(br, true, false, pieceBytes, send)
	return err
}

type pieceRequest struct {
	table, format, key string
	head, body         []byte
	first              bool
}

var contentTypes = map[string]string{"ndjson": "application/x-ndjson", "json": "application/json",
	"csv": "text/csv", "tsv": "text/tab-separated-values", "parquet": "application/vnd.apache.parquet"}

// retriesMax bounds how often a piece is sent when the server is away: with
// the back-off below about two minutes.
const retriesMax = 30

// send posts one piece until it is answered.
func (l *loader) send(ctx context.Context, p *pieceRequest) error {
	if l.dryRun {
		return nil
	}
	for try := 0; ; try++ {
		wait, err := l.post(ctx, p)
		if err == nil || wait == 0 || try == retriesMax {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// post sends the piece once. A wait above 0 says that it may be sent again.
func (l *loader) post(ctx context.Context, p *pieceRequest) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.target(p), bytes.NewReader(p.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", contentTypes[p.format])
	if p.head != nil {
		req.Header.Set("Content-Type", contentTypes[p.format]+"; header=absent")
	}
	req.Header.Set("Idempotency-Key", p.key)
	if l.server.User != nil {
		password, _ := l.server.User.Password()
		req.SetBasicAuth(l.server.User.Username(), password)
	}
	res, err := l.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 4 * time.Second, fmt.Errorf("send to %s: %w", l.server.Redacted(), err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return time.Second, err
	}
	if res.StatusCode != http.StatusOK {
		return retryAfter(res), answerError(res.Status, body)
	}
	return 0, l.count(body)
}

func (l *loader) target(p *pieceRequest) string {
	u := *l.server
	u.User = nil
	u.Path = "/v1/ingest/" + url.PathEscape(p.table)
	q := url.Values{"source": {"load"}}
	q.Set("format", p.format)
	if l.create {
		q.Set("create", "true")
	}
	if l.abort {
		q.Set("on_error", "abort")
	}
	if p.head != nil {
		q.Set("columns", string(p.head))
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// retryAfter is how long to wait before the same request; 0 = never.
func retryAfter(res *http.Response) time.Duration {
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInsufficientStorage, http.StatusBadGateway:
		if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
			return time.Duration(s) * time.Second
		}
		return time.Second
	}
	return 0
}

func answerError(status string, body []byte) error {
	var a struct {
		Error struct{ Code, Message, Hint string }
	}
	if json.Unmarshal(body, &a) == nil && a.Error.Message != "" {
		msg := a.Error.Message
		if a.Error.Hint != "" {
			msg += " (" + a.Error.Hint + ")"
		}
		return fmt.Errorf("%s: %s", a.Error.Code, msg)
	}
	return fmt.Errorf("the server answered %s", status)
}

// count adds an answer to the totals. Rows of a replayed piece were stored by
// an earlier run: duplicates of this one.
func (l *loader) count(body []byte) error {
	var a ingest.Answer
	if err := json.Unmarshal(body, &a); err != nil {
		return fmt.Errorf("unreadable answer: %w", err)
	}
	if a.Replayed {
		l.duplicate.Add(a.Accepted + a.Duplicates + a.Quarantined)
		l.refused.Add(a.Refused)
	} else {
		l.accepted.Add(a.Accepted)
		l.duplicate.Add(a.Duplicates)
		l.quarantined.Add(a.Quarantined)
		l.refused.Add(a.Refused)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range a.Rejects {
		if l.shown++; l.shown <= 5 {
			fmt.Fprintf(os.Stderr, "rejected: row %d at byte %d: %s %s\n", r.Row+1, r.Offset, r.Code, r.Message)
		}
	}
	if l.progress != nil {
		l.progress(l.read.Load(), l.bytesDone.Load(), l.quarantined.Load()+l.refused.Load())
	}
	return nil
}

// identity is the last line of a load: promise 2, checked.
func (l *loader) identity() (string, error) {
	n, a, d, q, r := l.read.Load(), l.accepted.Load(), l.duplicate.Load(), l.quarantined.Load(), l.refused.Load()
	line := fmt.Sprintf("read %d = accepted %d + duplicate %d + quarantined %d + refused %d", n, a, d, q, r)
	if !l.dryRun && n != a+d+q+r {
		return line, errors.New("the counts do not add up")
	}
	return line, nil
}

func openInput(path string) (*os.File, int64, error) {
	if path == "-" {
		return os.Stdin, 0, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	return f, info.Size(), nil
}

func (l *loader) formatOf(path string) (string, error) {
	if l.format != "" && l.format != "auto" {
		if contentTypes[l.format] == "" {
			return "", fmt.Errorf("unknown format %q: use ndjson, csv, tsv or parquet", l.format)
		}
		return l.format, nil
	}
	name := strings.ToLower(path)
	for _, z := range []string{".gz", ".zst", ".lz4"} {
		name = strings.TrimSuffix(name, z)
	}
	switch filepath.Ext(name) {
	case ".ndjson", ".jsonl", ".json":
		return "ndjson", nil
	case ".csv":
		return "csv", nil
	case ".tsv":
		return "tsv", nil
	case ".parquet":
		return "parquet", nil
	}
	return "", fmt.Errorf("cannot tell the format of %s: say --format ndjson, csv, tsv or parquet", path)
}

func tableName(path string) string {
	name, _, _ := strings.Cut(filepath.Base(path), ".")
	return strings.ReplaceAll(name, "-", "_")
}

// samples are read from a file to tell it from another of the same name.
const samples, sampleBytes = 64, 16 << 10

// fileIdentity hashes the size and samples all over the file. Standard input
// has no identity across runs: its pieces get a random one.
func fileIdentity(f *os.File, size int64) (id [32]byte, err error) {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, size)
	if f == os.Stdin {
		fmt.Fprintf(h, "%d %d", os.Getpid(), time.Now().UnixNano())
		return [32]byte(h.Sum(nil)), nil
	}
	buf := make([]byte, sampleBytes)
	for i := range int64(samples) {
		n, err := f.ReadAt(buf, i*size/samples)
		if err != nil && err != io.EOF {
			return id, err
		}
		h.Write(buf[:n])
	}
	return [32]byte(h.Sum(nil)), nil
}

func pieceKey(id [32]byte, table string, p ingest.Piece) string {
	h := sha256.New()
	fmt.Fprintf(h, "%x %s %d %d", id, table, p.From, p.To)
	return "load-" + hex.EncodeToString(h.Sum(nil)[:16])
}

type countingReader struct {
	r    io.Reader
	done *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done.Add(int64(n))
	return n, err
}

// headReader takes the first line off a stream.
type headReader struct {
	r    io.Reader
	rest []byte
}

func (h *headReader) line() ([]byte, error) {
	buf := make([]byte, 64<<10)
	for {
		n, err := h.r.Read(buf)
		h.rest = append(h.rest, buf[:n]...)
		if i := bytes.IndexByte(h.rest, '\n'); i >= 0 {
			line := bytes.TrimSuffix(h.rest[:i], []byte{'\r'})
			h.rest = h.rest[i+1:]
			return line, nil
		}
		if err != nil || len(h.rest) > 1<<20 {
			return nil, fmt.Errorf("no line of column names: %w", err)
		}
	}
}

func (h *headReader) Read(p []byte) (int, error) {
	if len(h.rest) > 0 {
		n := copy(p, h.rest)
		h.rest = h.rest[n:]
		return n, nil
	}
	return h.r.Read(p)
}
