package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

type batchID struct {
	writer int
	batch  int64
}

// crashWriter sends batches over one route and keeps, outside the server, what
// was acknowledged. A keyed batch is repeated until it is answered; a keyless
// one whose answer was lost may be there whole or not at all.
type crashWriter struct {
	id    int
	keyed bool
	send  func(ctx context.Context, q *quernProcess, w *crashWriter, batch int64, size int) error

	next    int64
	acked   map[int64]int // batch → size
	unknown map[int64]int // keyless, answer lost
	pending int64         // keyed, answer lost; -1 = none
	conn    *pgconn.PgConn

	deletes  bool           // it deletes batches of its own now and then
	deleted  map[int64]bool // acknowledged, or seen to be gone
	deleting map[int64]bool // the answer was lost
}

func newWriters() []*crashWriter {
	var out []*crashWriter
	for i, send := range []func(context.Context, *quernProcess, *crashWriter, int64, int) error{sendHTTP, sendCopy, sendInsert, sendInsert} {
		out = append(out, &crashWriter{id: i, keyed: i < 2, deletes: i == 3, send: send, acked: map[int64]int{}, unknown: map[int64]int{},
			deleted: map[int64]bool{}, deleting: map[int64]bool{}, pending: -1})
	}
	return out
}

// size is a batch's number of rows: small and large ones alternate.
func (w *crashWriter) size(batch int64) int {
	if w.keyed {
		return []int{1, 7, 100, 3000}[batch%4]
	}
	return 1 + int(batch%20)
}

// run sends until the server is gone.
func (w *crashWriter) run(ctx context.Context, q *quernProcess) {
	defer w.hangUp()
	for ctx.Err() == nil {
		if !w.step(ctx, q) || !w.deleteOne(ctx) {
			return
		}
	}
}

// deleteOne deletes a batch, small or large, new or old; false when the answer
// was lost.
func (w *crashWriter) deleteOne(ctx context.Context) bool {
	if !w.deletes || w.next%3 != 0 {
		return true
	}
	for batch := range w.acked { // any
		w.deleting[batch] = true
		if _, err := w.conn.Exec(ctx, fmt.Sprintf("DELETE FROM crash WHERE writer = %d AND batch = %d", w.id, batch)).ReadAll(); err != nil {
			return false
		}
		delete(w.deleting, batch)
		delete(w.acked, batch)
		w.deleted[batch] = true
		return true
	}
	return true
}

// settle repeats the batch whose answer was lost.
func (w *crashWriter) settle(q *quernProcess) {
	defer w.hangUp()
	if w.pending >= 0 {
		w.step(context.Background(), q)
	}
}

func (w *crashWriter) hangUp() {
	if w.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = w.conn.Close(ctx)
		cancel()
		w.conn = nil
	}
}

// step sends one batch; false when the answer was lost.
func (w *crashWriter) step(ctx context.Context, q *quernProcess) bool {
	batch := w.pending
	if batch < 0 {
		batch = w.next
		w.next++
	}
	size := w.size(batch)
	if err := w.send(ctx, q, w, batch, size); err != nil {
		if w.keyed {
			w.pending = batch
		} else {
			w.unknown[batch] = size
		}
		return false
	}
	w.pending = -1
	w.acked[batch] = size
	return true
}

// judge takes w's batches out of stored and counts what is wrong with them.
func (w *crashWriter) judge(stored map[batchID][2]int, total *crashTotals) {
	check := func(batch int64, size int, must bool) {
		id := batchID{w.id, batch}
		got, ok := stored[id]
		delete(stored, id)
		switch {
		case !ok && must:
			total.lost++
		case !ok:
			return
		case got[0] > size:
			total.duplicated++
		case got[0] < size || got[1] != size:
			total.partial++
		default:
			return
		}
		fmt.Printf("writer %d batch %d of %d rows: stored %v, acknowledged %v\n", w.id, batch, size, got, must)
	}
	for b := range w.deleting {
		if _, ok := stored[batchID{w.id, b}]; !ok { // it was done
			delete(w.acked, b)
			w.deleted[b] = true
		}
	}
	clear(w.deleting)
	for b := range w.deleted {
		if got, ok := stored[batchID{w.id, b}]; ok {
			total.resurrected++
			fmt.Printf("writer %d batch %d was deleted and %d rows are back\n", w.id, b, got[0])
			delete(stored, batchID{w.id, b})
		}
	}
	for b, size := range w.acked {
		check(b, size, true)
	}
	for b, size := range w.unknown {
		check(b, size, false)
	}
	if w.pending >= 0 {
		check(w.pending, w.size(w.pending), false)
	}
}

var crashClient = &http.Client{Timeout: 20 * time.Second}

func sendHTTP(ctx context.Context, q *quernProcess, w *crashWriter, batch int64, size int) error {
	var body bytes.Buffer
	for n := range size {
		fmt.Fprintf(&body, `{"writer":%d,"batch":%d,"n":%d,"size":%d,"at":"2026-01-02T03:04:05Z"}`+"\n", w.id, batch, n, size)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, q.HTTP+"/v1/ingest/crash", &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Idempotency-Key", fmt.Sprintf("w%d-b%d", w.id, batch))
	res, err := crashClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var answer struct{ Received, Accepted, Duplicates, Quarantined, Refused int }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP status %d", res.StatusCode)
	}
	if answer.Accepted != size || answer.Received != answer.Accepted+answer.Duplicates+answer.Quarantined+answer.Refused {
		return fmt.Errorf("answer %+v for %d rows", answer, size)
	}
	return nil
}

func (w *crashWriter) connect(ctx context.Context, q *quernProcess) error {
	if w.conn != nil {
		return nil
	}
	c, err := pgconn.Connect(ctx, q.URL)
	w.conn = c
	return err
}

func sendCopy(ctx context.Context, q *quernProcess, w *crashWriter, batch int64, size int) error {
	if err := w.connect(ctx, q); err != nil {
		return err
	}
	var body strings.Builder
	for n := range size {
		fmt.Fprintf(&body, "%d,%d,%d,%d,2026-01-02 03:04:05+00\n", w.id, batch, n, size)
	}
	_, err := w.conn.CopyFrom(ctx, strings.NewReader(body.String()),
		fmt.Sprintf("COPY crash (writer, batch, n, size, at) FROM STDIN WITH (FORMAT csv, BATCH_KEY 'w%d-b%d')", w.id, batch))
	return err
}

func sendInsert(ctx context.Context, q *quernProcess, w *crashWriter, batch int64, size int) error {
	if err := w.connect(ctx, q); err != nil {
		return err
	}
	var sql strings.Builder
	sql.WriteString("INSERT INTO crash VALUES ")
	for n := range size {
		if n > 0 {
			sql.WriteByte(',')
		}
		fmt.Fprintf(&sql, "(%d,%d,%d,%d,'2026-01-02 03:04:05+00')", w.id, batch, n, size)
	}
	_, err := w.conn.Exec(ctx, sql.String()).ReadAll()
	return err
}
