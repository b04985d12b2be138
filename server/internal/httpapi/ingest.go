package httpapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"quern/ingest"
	"quern/storage/errs"
)

// bodyBytesMax bounds an encoded body; ingest bounds the decoded one.
const bodyBytesMax = 256 << 20

func (a *api) ingest(w http.ResponseWriter, r *http.Request) {
	p, ok := a.principal(w, r)
	if !ok {
		return
	}
	q := r.URL.Query()
	switch q.Get("ack") {
	case "", "durable", "buffered":
	default:
		fail(w, http.StatusBadRequest, errs.New(errs.InvalidParameterValue, "invalid value for ack: %q", q.Get("ack")).WithHint("Use durable or buffered."))
		return
	}
	if r.Header.Get("X-Channel") != "" {
		fail(w, http.StatusNotImplemented, errs.NotSupported("header X-Channel").
			WithHint("Use Idempotency-Key."))
		return
	}
	if r.ContentLength > bodyBytesMax {
		fail(w, http.StatusRequestEntityTooLarge, tooLarge())
		return
	}
	body := &slowBody{r: http.MaxBytesReader(w, r.Body, bodyBytesMax), c: http.NewResponseController(w)}
	schema, table := splitTable(r.PathValue("table"))
	req := &ingest.Request{
		Principal: p, Schema: schema, Table: table, Format: q.Get("format"),
		ContentType: r.Header.Get("Content-Type"), ContentEncoding: r.Header.Get("Content-Encoding"),
		Create: q.Get("create") == "true" || q.Get("create") == "1", OnError: q.Get("on_error"),
		Key: r.Header.Get("Idempotency-Key"), Client: r.RemoteAddr, Source: "http", Body: body, Length: max(0, r.ContentLength),
	}
	req.Buffered = q.Get("ack") == "buffered"
	if c := q.Get("columns"); c != "" {
		req.Columns = strings.Split(c, ",")
	}
	ans, err := a.Append(r.Context(), req)
	if err != nil {
		a.ingestFailed(w, err, body)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Commit-Seq", strconv.FormatUint(ans.CommitSeq, 10))
	if req.Buffered {
		h.Set("X-Ack", "buffered")
	}
	h.Set("Idempotency-Replayed", strconv.FormatBool(ans.Replayed))
	_ = json.NewEncoder(w).Encode(ans) // the client may be gone
}

// splitTable cuts schema.table; an empty schema means public.
func splitTable(name string) (schema, table string) {
	if s, t, ok := strings.Cut(name, "."); ok {
		return s, t
	}
	return "", name
}

func tooLarge() error {
	return errs.New(errs.ProgramLimit, "request body is larger than %d MiB", bodyBytesMax>>20).
		WithHint("Send smaller batches; each is one atomic commit.")
}

func (a *api) ingestFailed(w http.ResponseWriter, err error, body *slowBody) {
	var big *http.MaxBytesError
	switch {
	case body.stalled:
		fail(w, http.StatusRequestTimeout, errs.New(errs.ConnectionFailure, "the request body came too slowly"))
		return
	case errors.As(err, &big), errors.As(body.err, &big):
		fail(w, http.StatusRequestEntityTooLarge, tooLarge())
		return
	}
	status := statusOf(err)
	code := string(errs.CodeOf(err))
	// A row that cannot be stored, with on_error=abort or limit:N.
	if status == http.StatusBadRequest && (strings.HasPrefix(code, "22") || strings.HasPrefix(code, "23")) {
		status = http.StatusUnprocessableEntity
	}
	if status == http.StatusUnauthorized {
		a.refuse(w, err)
		return
	}
	fail(w, status, err)
}

// slowBody ends a body that comes slower than slowBytes per slowSpan.
type slowBody struct {
	r       io.Reader
	c       *http.ResponseController
	n       int64
	until   time.Time
	err     error
	stalled bool
}

const (
	slowSpan  = 30 * time.Second
	slowBytes = 30 << 10
)

func (b *slowBody) Read(p []byte) (int, error) {
	now := time.Now()
	if b.until.IsZero() || b.n >= slowBytes {
		b.n, b.until = 0, now.Add(slowSpan)
		_ = b.c.SetReadDeadline(b.until) // not offered by test recorders
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	if err != nil && err != io.EOF {
		b.err = err
		b.stalled = errors.Is(err, os.ErrDeadlineExceeded)
	}
	if err == io.EOF {
		_ = b.c.SetReadDeadline(time.Time{})
	}
	return n, err
}

// batch answers GET /v1/batches/{key}?table=t.
func (a *api) batch(w http.ResponseWriter, r *http.Request) {
	p, ok := a.principal(w, r)
	if !ok {
		return
	}
	out, state, err := a.Batch(p, r.URL.Query().Get("table"), r.PathValue("key"))
	if err != nil {
		a.refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if state != "committed" {
		_ = json.NewEncoder(w).Encode(map[string]string{"state": state})
		return
	}
	_ = json.NewEncoder(w).Encode(struct {
		State string `json:"state"`
		ingest.Answer
	}{"committed", ingest.Answer{Received: out.Received, Accepted: out.Accepted, Duplicates: out.Duplicates,
		Quarantined: out.Quarantined, Refused: out.Refused, CommitSeq: out.Seq, Replayed: true, Rejects: []ingest.Rejected{}}})
}
