package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// benchTable is filled and dropped by `quern bench ingest`.
const benchTable = "bench_events"

// benchBodies are made before the clock starts, so that the sender's own work
// does not count: requests repeat them, with a new key each.
const benchBodies = 8

// ingest sends playback events of some 400 bytes as NDJSON with durable acks.
func (b *bench) ingest(ctx context.Context) error {
	bodies := make([][]byte, benchBodies)
	size := 0
	for i := range bodies {
		bodies[i] = benchEvents(uint64(i), b.batch)
		size += len(bodies[i])
	}
	if err := b.post(ctx, benchEvents(benchBodies, 1)); err != nil {
		return err
	}
	ctx2, stop := context.WithTimeout(ctx, time.Duration(b.seconds)*time.Second)
	defer stop()
	var (
		mu   sync.Mutex
		acks []float64
		fail error
		wg   sync.WaitGroup
	)
	start, cpu := time.Now(), b.cpu()
	for c := range b.clients {
		wg.Go(func() {
			for i := c; ctx2.Err() == nil; i++ {
				t := time.Now()
				err := b.post(ctx, bodies[i%len(bodies)])
				mu.Lock()
				if err != nil {
					fail = err
					stop()
				} else {
					acks = append(acks, time.Since(t).Seconds())
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	seconds := time.Since(start).Seconds()
	cpu = b.cpu() - cpu
	if fail != nil {
		return fail
	}
	if len(acks) == 0 {
		return fmt.Errorf("no request was answered within %d s", b.seconds)
	}
	events := float64(len(acks) * b.batch)
	slices.Sort(acks)
	at := func(q float64) float64 { return 1000 * acks[min(len(acks)-1, int(q*float64(len(acks))))] }
	fmt.Fprintf(b.st.out, "%.0f events, %.0f events/s, %.1f MB/s\n", events, events/seconds, events/seconds*float64(size)/float64(benchBodies*b.batch)/1e6)
	fmt.Fprintf(b.st.out, "ack p50 %.1f ms, p99 %.1f ms, max %.1f ms over %d requests\n", at(0.5), at(0.99), at(1), len(acks))
	if cpu > 0 {
		fmt.Fprintf(b.st.out, "%.2f CPU seconds per million events\n", cpu/events*1e6)
	}
	if b.out != "" {
		f := figure{Engine: "quern", Query: "ingest", Rows: int(events), First: acks[0], Median: at(0.5) / 1000, Min: acks[0], CPU: cpu, Runs: len(acks)}
		if err := writeFigures(b.out, []figure{f}); err != nil {
			return err
		}
	}
	if b.keep {
		return nil
	}
	_, _, err := b.query(ctx, "DROP TABLE "+benchTable)
	return err
}

// post sends one body and checks that all of it was accepted.
func (b *bench) post(ctx context.Context, body []byte) error {
	u, err := url.Parse(b.url)
	if err != nil || u.Host == "" {
		return usagef("--server %q is no URL such as http://127.0.0.1:7433", b.url)
	}
	u = u.JoinPath("v1/ingest", benchTable)
	u.RawQuery = "create=true"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := b.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w; is a server running there? `quern serve` starts one", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return queryError(res)
	}
	var ack struct{ Received, Accepted int }
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, &ack); err != nil {
		return err
	}
	if ack.Accepted != ack.Received {
		return fmt.Errorf("%d of %d events were accepted", ack.Accepted, ack.Received)
	}
	return nil
}

// benchEvents makes n playback events; the same seed gives the same bytes.
func benchEvents(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	start := time.Date(2025, 11, 23, 0, 0, 0, 0, time.UTC).UnixMilli() + int64(seed)*int64(n)*3
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	var out bytes.Buffer
	for i := range n {
		at := time.UnixMilli(start + int64(i)*3).UTC().Format("2006-01-02T15:04:05.000Z")
		fmt.Fprintf(&out, `{"ts":%q,"event":%q,"event_id":"%016x%016x","user_id":%d,"device":{"id":"%016x","os":%q,"model":%q},`+
			`"session":"%016x","track":{"id":%d,"ms":%d,"genre":%q},"position_ms":%d,"country":%q,"quality":%q,"buffered":%t,"volume":%.2f}`+"\n",
			at, pick("play", "pause", "seek", "stop", "heartbeat"), r.Uint64(), r.Uint64(), r.IntN(2_000_000), r.Uint64N(1<<40),
			pick("ios", "android", "web", "tv"), pick("a12", "p9", "q7", "x1", "z3"), r.Uint64N(1<<36), r.IntN(500_000),
			90_000+r.IntN(300_000), pick("pop", "rock", "jazz", "folk", "classical"), r.IntN(300_000),
			pick("de", "us", "fr", "br", "in", "jp"), pick("low", "normal", "high"), r.IntN(20) == 0, r.Float64())
	}
	return out.Bytes()
}
