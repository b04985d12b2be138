// Package httpapi is the HTTP port: queries, ingest, health, metrics.
//
//	request ─ auth (Basic, or none under trust) ─┬─ /v1/query   sql session ─ export
//	                                             ├─ /v1/ingest  ingest.Append
//	                                             ├─ /v1/batches storage's key lookup
//	                                             ├─ /v1/quarantine  a query, ingest.Replay
//	                                             └─ /v1/backup  files of a snapshot, as tar
//
// Errors are JSON {"error":{code,message,detail,hint}} with the SQLSTATEs of
// the wire; statusOf maps them to HTTP. Content decoding belongs to ingest,
// rows to export; this package knows routes, headers, limits and statuses.
// Start reading at Handler.
package httpapi

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"quern/ingest"
	"quern/server/internal/auth"
	"quern/server/internal/export"
	"quern/sql"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/policy"
)

// Session is a session of one request.
type Session interface {
	export.Session
	Close()
}

// Options are what the routes work on.
type Options struct {
	Auth       *auth.Auth
	NewSession func(role string, settings []sql.Setting) (Session, error)
	// Principal finds the role that ingests.
	Principal func(role string) (policy.Principal, error)
	Append    func(ctx context.Context, r *ingest.Request) (*ingest.Answer, error)
	Replay    func(ctx context.Context, r *ingest.ReplayRequest) (*ingest.ReplayAnswer, error)
	// Batch tells what became of an idempotency key; table "" is the
	// multi-table route's.
	Batch func(p policy.Principal, table, key string) (out storage.Outcome, state string, err error)
	// Backup hands the files of one snapshot to put.
	Backup func(ctx context.Context, have []storage.BackupFile,
		put func(rel string, length int64, r io.Reader) error) (*storage.BackupDocument, error)
	// Ready is nil when queries can be answered.
	Ready func() error
	// MayMonitor tells whether a role may read metrics.
	MayMonitor func(role string) bool
	Metrics    *prometheus.Registry
	// DefaultRole is who a request without credentials is under trust.
	DefaultRole string
	Log         *slog.Logger
}

type api struct{ Options }

// Handler makes the handler of the port.
func Handler(o Options) http.Handler {
	a := &api{o}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("POST /v1/query", a.query)
	mux.HandleFunc("POST /v1/ingest", a.ingest)
	mux.HandleFunc("POST /v1/ingest/{table}", a.ingest)
	mux.HandleFunc("GET /v1/batches/{key}", a.batch)
	mux.HandleFunc("GET /v1/quarantine", a.quarantine)
	mux.HandleFunc("POST /v1/quarantine:replay", a.replay)
	mux.HandleFunc("POST /v1/backup", a.backup)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && r.Method == http.MethodGet {
			_, _ = w.Write([]byte("Quern answers at POST /v1/query and POST /v1/ingest/{table}.\n"))
			return
		}
		fail(w, http.StatusNotFound, errs.New(errs.UndefinedObject, "no route %s %s", r.Method, r.URL.Path))
	})
	return a.guard(mux)
}

// guard recovers panics: one request fails, the server goes on.
func (a *api) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // the documented sentinel
				panic(p)
			}
			a.Log.Error("panic in a request", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			fail(w, http.StatusInternalServerError,
				errs.New(errs.Internal, "internal error; the server's log has the details"))
		}()
		next.ServeHTTP(w, r)
	})
}

func (a *api) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := a.Ready(); err != nil {
		fail(w, http.StatusServiceUnavailable, err)
		return
	}
	_, _ = w.Write([]byte("ready\n"))
}

func (a *api) metrics(w http.ResponseWriter, r *http.Request) {
	role, err := a.login(r)
	if err == nil && a.Auth.Mode != auth.Trust && !a.MayMonitor(role) {
		err = errs.New(errs.InsufficientPrivilege, "permission denied for metrics").
			WithHint("Grant the role \"monitor\".")
	}
	if err != nil {
		a.refuse(w, err)
		return
	}
	promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{}).ServeHTTP(w, r)
}

// login finds the request's role.
func (a *api) login(r *http.Request) (string, error) {
	name, password, ok := r.BasicAuth()
	if a.Auth.Mode == auth.Trust {
		if !ok || name == "" {
			name = a.DefaultRole
		}
		return name, a.Auth.Trusted(name)
	}
	if !ok {
		return "", errs.New(errs.InvalidAuthorization, "no credentials given").
			WithHint("Send a role's name and password as Basic authentication.")
	}
	return name, a.Auth.Password(name, password)
}

// principal finds who asks; if nobody may, it answers and says false.
func (a *api) principal(w http.ResponseWriter, r *http.Request) (policy.Principal, bool) {
	role, err := a.login(r)
	if err != nil {
		a.refuse(w, err)
		return policy.Principal{}, false
	}
	p, err := a.Principal(role)
	if err != nil {
		a.refuse(w, err)
		return policy.Principal{}, false
	}
	return p, true
}

// refuse answers an error, asking for credentials if they were the reason.
func (a *api) refuse(w http.ResponseWriter, err error) {
	status := statusOf(err)
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="quern", charset="UTF-8"`)
	}
	fail(w, status, err)
}

// statusOf maps SQLSTATEs to HTTP statuses.
func statusOf(err error) int {
	code := errs.CodeOf(err)
	switch code {
	case errs.InvalidPassword, errs.InvalidAuthorization:
		return http.StatusUnauthorized
	case errs.InsufficientPrivilege:
		return http.StatusForbidden
	case errs.UndefinedTable, errs.InvalidSchemaName:
		return http.StatusNotFound
	case errs.FeatureNotSupported:
		return http.StatusNotImplemented
	case errs.ProgramLimit:
		return http.StatusRequestEntityTooLarge
	case errs.SerializationFailure, errs.LockNotAvailable, errs.DuplicateTable, errs.DuplicateObject:
		return http.StatusConflict
	case errs.TooManyConnections, errs.OutOfMemory:
		return http.StatusTooManyRequests
	case errs.DiskFull, errs.CannotConnectNow, errs.AdminShutdown, errs.IO:
		return http.StatusServiceUnavailable
	case errs.QueryCanceled:
		return http.StatusGatewayTimeout
	}
	switch {
	case strings.HasPrefix(string(code), "XX"):
		return http.StatusInternalServerError
	case strings.HasPrefix(string(code), "53"):
		return http.StatusServiceUnavailable
	}
	return http.StatusBadRequest
}

// fail answers an error as JSON.
func fail(w http.ResponseWriter, status int, err error) {
	failText(w, status, err, "")
}

func failText(w http.ResponseWriter, status int, err error, text string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.WriteHeader(status)
	body := struct {
		Error export.ErrorBody `json:"error"`
	}{export.ErrorOf(err, text)}
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}

// retryAfter is the integer number of seconds that senders are asked to wait.
const retryAfter = 2
