package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"quern/server/internal/auth"
	"quern/storage/errs"
)

func TestStatusOf(t *testing.T) {
	for code, want := range map[errs.Code]int{
		errs.InvalidPassword: 401, errs.InsufficientPrivilege: 403, errs.UndefinedTable: 404, errs.Syntax: 400,
		errs.FeatureNotSupported: 501, errs.ProgramLimit: 413, errs.SerializationFailure: 409, errs.OutOfMemory: 429,
		errs.TooManyConnections: 429, errs.DiskFull: 503, errs.IO: 503, errs.CannotConnectNow: 503,
		errs.QueryCanceled: 504, errs.Internal: 500, errs.DataCorrupted: 500, errs.ConfigurationLimit: 503,
	} {
		if got := statusOf(errs.New(code, "x")); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

func TestAnswerFormat(t *testing.T) {
	for accept, want := range map[string]string{"": "json", "*/*": "json", "text/html, text/csv;q=0.9": "csv",
		"application/x-ndjson": "ndjson", "text/plain": "table", "image/png": ""} {
		_, got, err := answerFormat(accept)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", accept, got, err)
		}
	}
}

func TestReadQuery(t *testing.T) {
	for _, c := range []struct {
		ct, body, sql string
		params        []string // "NULL" = nil
		ok            bool
	}{
		{"", "select 1", "select 1", nil, true},
		{"application/x-www-form-urlencoded", ` {"sql":"select $1","params":[1.50]}`, "select $1", []string{"1.50"}, true},
		{"application/json", `{"sql":"x","params":["a\nb",null,true,{"k":1}]}`, "x", []string{"a\nb", "NULL", "true", `{"k":1}`}, true},
		{"application/json", "select 1", "", nil, false},
		{"", `{"sql":`, "", nil, false},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.ct)
		text, params, err := readQuery(httptest.NewRecorder(), r)
		if (err == nil) != c.ok || text != c.sql || len(params) != len(c.params) {
			t.Errorf("%q: %q %v %v", c.body, text, params, err)
			continue
		}
		for i, p := range params {
			got := "NULL"
			if p != nil {
				got = *p
			}
			if got != c.params[i] {
				t.Errorf("%q parameter %d: %q", c.body, i, got)
			}
		}
	}
	big := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(make([]byte, queryBytesMax+1)))
	if _, _, err := readQuery(httptest.NewRecorder(), big); errs.CodeOf(err) != errs.ProgramLimit {
		t.Errorf("a query that is too long: %v", err)
	}
}

// TestHeld: nothing is sent before the answer is large or complete, so that an
// early error can still have its status.
func TestHeld(t *testing.T) {
	w := httptest.NewRecorder()
	h := &held{w: w, contentType: "text/csv"}
	if _, err := io.WriteString(h, "a"); err != nil || h.sent || w.Body.Len() > 0 {
		t.Fatalf("sent %v, %d bytes, %v", h.sent, w.Body.Len(), err)
	}
	if _, err := h.Write(make([]byte, holdBytes)); err != nil || !h.sent || w.Body.Len() != holdBytes+1 {
		t.Fatalf("sent %v, %d bytes, %v", h.sent, w.Body.Len(), err)
	}
	if ct := w.Header().Get("Content-Type"); ct != "text/csv; charset=utf-8" {
		t.Error(ct)
	}
}

// TestGuard: a bug in one request is a 500 with JSON, and the server goes on.
func TestGuard(t *testing.T) {
	a, err := auth.New(auth.Trust, func(n string) auth.Role { return auth.Role{Name: n, Exists: true, CanLogin: true} })
	if err != nil {
		t.Fatal(err)
	}
	h := Handler(Options{Auth: a, DefaultRole: "admin", Log: slog.New(slog.DiscardHandler),
		Ready: func() error { return errors.New("not yet") }}) // NewSession is nil: /v1/query panics
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/query", strings.NewReader("select 1")))
	if w.Code != 500 || !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "goroutine") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}
