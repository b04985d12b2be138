package httpapi

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"strings"

	"quern/server/internal/export"
	"quern/storage/errs"
)

// queryBytesMax bounds the body of /v1/query.
const queryBytesMax = 16 << 20

// holdBytes is how much of an answer is kept back before the status is sent:
// an error that comes sooner has its own status, a later one ends the stream.
const holdBytes = 64 << 10

// contentTypes are the answers of /v1/query by Accept.
var contentTypes = map[string]string{
	"application/json":                    "json",
	"application/x-ndjson":                "ndjson",
	"application/jsonl":                   "ndjson",
	"text/csv":                            "csv",
	"text/plain":                          "table",
	"application/vnd.apache.arrow.stream": "arrow",
	"application/vnd.apache.parquet":      "parquet",
}

func (a *api) query(w http.ResponseWriter, r *http.Request) {
	role, err := a.login(r)
	if err != nil {
		a.refuse(w, err)
		return
	}
	text, params, err := readQuery(w, r)
	if err != nil {
		fail(w, statusOf(err), err)
		return
	}
	a.answer(w, r, role, text, params)
}

// answer runs statements as a role and sends what they give.
func (a *api) answer(w http.ResponseWriter, r *http.Request, role, text string, params []export.Param) {
	contentType, format, err := answerFormat(r.Header.Get("Accept"))
	if err != nil {
		fail(w, http.StatusNotAcceptable, err)
		return
	}
	h := &held{w: w, contentType: contentType}
	ew, err := export.NewWriter(format, h)
	if err != nil {
		fail(w, http.StatusNotAcceptable, err)
		return
	}
	s, err := a.NewSession(role, nil)
	if err != nil {
		a.refuse(w, err)
		return
	}
	defer s.Close()
	err = export.Run(r.Context(), s, text, params, ew)
	for _, n := range s.Notices() {
		if !h.sent {
			w.Header().Add("X-Notice", strings.ReplaceAll(n.Severity+": "+n.Msg, "\n", " "))
		}
	}
	if err != nil && !h.sent {
		failText(w, statusOf(err), err, text)
		return
	}
	if closeErr := ew.Close(err); closeErr != nil || h.finish() != nil {
		return // the client is gone
	}
	if err != nil && format == "csv" {
		// CSV has no place for an error: a broken stream cannot be taken for a
		// whole one.
		panic(http.ErrAbortHandler)
	}
}

// readQuery reads {"sql":…,"params":[…]} or plain text.
func readQuery(w http.ResponseWriter, r *http.Request) (string, []export.Param, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, queryBytesMax))
	if err != nil {
		return "", nil, errs.New(errs.ProgramLimit, "query is longer than %d bytes", queryBytesMax)
	}
	ct, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	trimmed := bytes.TrimLeft(body, " \t\r\n")
	// curl -d sends a form type: what begins like an object is one.
	if ct != "application/json" && !(len(trimmed) > 0 && trimmed[0] == '{') {
		return string(body), nil, nil
	}
	var q struct {
		SQL    string            `json:"sql"`
		Params []json.RawMessage `json:"params"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		return "", nil, errs.New(errs.InvalidText, "invalid JSON in the request: %v", err).
			WithHint(`Send {"sql":"…","params":[…]} or the statement as plain text.`)
	}
	params := make([]export.Param, len(q.Params))
	for i, raw := range q.Params {
		params[i] = paramText(raw)
	}
	return q.SQL, params, nil
}

// paramText is a JSON value in the text form of a parameter.
func paramText(raw json.RawMessage) export.Param {
	text := string(raw)
	if text == "null" {
		return nil
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		text = s
	}
	return &text
}

// answerFormat chooses by the Accept header; the default is JSON.
func answerFormat(accept string) (contentType, format string, err error) {
	if accept == "" {
		return "application/json", "json", nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		ct, _, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		if f, ok := contentTypes[ct]; ok {
			return ct, f, nil
		}
		if ct == "*/*" || ct == "application/*" {
			return "application/json", "json", nil
		}
	}
	return "", "", errs.New(errs.InvalidParameterValue, "no answer format for Accept: %s", accept).
		WithHint("Use application/json, application/x-ndjson or text/csv.")
}

// held keeps the beginning of an answer back until it is large or complete.
type held struct {
	w           http.ResponseWriter
	contentType string
	buf         []byte
	sent        bool
}

func (h *held) Write(p []byte) (int, error) {
	if !h.sent && len(h.buf)+len(p) <= holdBytes {
		h.buf = append(h.buf, p...)
		return len(p), nil
	}
	if err := h.finish(); err != nil {
		return 0, err
	}
	return h.w.Write(p)
}

// finish sends what was kept back.
func (h *held) finish() error {
	if h.sent {
		return nil
	}
	h.sent = true
	ct := h.contentType
	if strings.HasPrefix(ct, "text/") {
		ct += "; charset=utf-8"
	}
	h.w.Header().Set("Content-Type", ct)
	_, err := h.w.Write(h.buf)
	h.buf = nil
	return err
}
