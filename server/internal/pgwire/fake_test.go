package pgwire

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quern/server/internal/auth"
	"quern/sql"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// fakeSession understands a toy language, enough to drive every state of the
// protocol: select, series N, copyin, copyout N, begin, commit, rollback, set
// k=v, sleep, panic, $1, bad.
type fakeSession struct {
	pid        uint32
	status     sql.TxStatus
	prepared   map[string]*fakeStmt
	portals    map[string]*fakePortal
	changed    []sql.Setting
	notices    []sql.Notice
	cancel     atomic.Pointer[context.CancelCauseFunc]
	terminated atomic.Bool
	closed     *atomic.Int32
	settings   map[string]string
}

type fakeStmt struct {
	text string
	off  int
	oids []types.OID
}

func (s *fakeStmt) Text() string { return s.text }
func (s *fakeStmt) Offset() int  { return s.off }

func (s *fakeStmt) ParamTypes() []types.Type {
	if strings.Contains(s.text, "$1") {
		return []types.Type{types.Int4}
	}
	return nil
}

func (s *fakeStmt) Fields() []sql.Field {
	word, rest, _ := strings.Cut(s.text, " ")
	switch word {
	case "select":
		var out []sql.Field
		for range strings.Split(rest, ",") {
			out = append(out, sql.Field{Name: "?column?", Type: types.Int4})
		}
		return out
	case "series", "copyout", "sleep":
		return []sql.Field{{Name: "g", Type: types.Int4}}
	}
	return nil
}

type fakePortal struct {
	s       *fakeSession
	st      *fakeStmt
	params  []types.Datum
	formats []int16
	sent    int64
	rows    int64 // of COPY
	ran     bool
}

func (p *fakePortal) Fields() []sql.Field { return p.st.Fields() }
func (p *fakePortal) Formats() []int16    { return p.formats }
func (p *fakePortal) FinishCopyIn(n int64) {
	p.rows = n
}
func (p *fakePortal) Suspendable() bool { return p.Fields() != nil }
func (p *fakePortal) Close() error      { return nil }

func (p *fakePortal) CopyIn() *sql.CopyIn {
	if p.st.text != "copyin" {
		return nil
	}
	return &sql.CopyIn{Cols: []uint32{1}, Types: []types.Type{types.Int4}, Options: sql.CopyOptions{Format: "text"}}
}

func (p *fakePortal) CopyOut() *sql.CopyOut {
	if !strings.HasPrefix(p.st.text, "copyout") {
		return nil
	}
	o := sql.CopyOptions{Format: "text", Delimiter: '\t', Null: `\N`}
	if strings.HasSuffix(p.st.text, "binary") {
		o.Format = "binary"
	}
	return &sql.CopyOut{Options: o}
}

func (p *fakePortal) Next(ctx context.Context, dst *vec.Batch) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	f := strings.Fields(p.st.text)
	if len(f) == 0 {
		return 0, nil
	}
	switch f[0] {
	case "select":
		return p.selectRow(dst)
	case "series", "copyout":
		n, _ := strconv.ParseInt(f[1], 10, 64)
		return p.series(dst, n)
	case "begin":
		p.s.status = sql.TxBlock
	case "commit", "rollback":
		if p.s.status == sql.TxIdle {
			p.s.notices = append(p.s.notices, sql.Notice{Severity: "WARNING", Code: "25P01", Msg: "there is no transaction in progress"})
		}
		p.s.status = sql.TxIdle
	case "set":
		k, v, _ := strings.Cut(f[1], "=")
		p.s.changed = append(p.s.changed, sql.Setting{Name: k, Value: v})
	case "sleep":
		<-ctx.Done()
		return 0, ctx.Err()
	case "panic":
		panic("a bug")
	}
	return 0, nil
}

func (p *fakePortal) selectRow(dst *vec.Batch) (int, error) {
	if p.ran {
		return 0, nil
	}
	p.ran = true
	*dst = vec.Batch{Len: 1}
	for _, w := range strings.Split(strings.TrimPrefix(p.st.text, "select "), ",") {
		d := types.Datum{}
		switch w = strings.TrimSpace(w); w {
		case "1/0":
			return 0, errs.New(errs.DivisionByZero, "division by zero")
		case "$1":
			d = p.params[0]
		default:
			d.I, _ = strconv.ParseInt(w, 10, 64)
		}
		dst.Cols = append(dst.Cols, vec.ConstVector(types.Int4, &d, 1))
	}
	p.sent++
	return 1, nil
}

func (p *fakePortal) series(dst *vec.Batch, n int64) (int, error) {
	left := min(n-p.sent, 3) // small batches: limits cut inside them
	b := vec.NewBuilder(types.Int4, int(left))
	for range left {
		p.sent++
		vec.AppendFixed(b, int32(p.sent))
	}
	*dst = vec.Batch{Cols: []vec.Vector{b.Finish()}, Len: int(left)}
	return int(left), nil
}

func (p *fakePortal) Verb() string {
	switch word, _, _ := strings.Cut(p.st.text, " "); word {
	case "select", "series":
		return "SELECT"
	case "copyin", "copyout":
		return "COPY"
	default:
		return strings.ToUpper(word)
	}
}

func (p *fakePortal) Tag() string {
	switch v := p.Verb(); v {
	case "SELECT":
		return "SELECT " + strconv.FormatInt(p.sent, 10)
	case "COPY":
		return "COPY " + strconv.FormatInt(p.sent+p.rows, 10)
	default:
		return v
	}
}

func (s *fakeSession) PID() uint32 { return s.pid }

func (s *fakeSession) Start(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.cancel.Store(&cancel)
	return ctx, func() { s.cancel.Store(nil); cancel(nil) }
}

func (s *fakeSession) Cancel() {
	if c := s.cancel.Load(); c != nil {
		(*c)(errs.New(errs.QueryCanceled, "canceling statement due to user request"))
	}
}

func (s *fakeSession) Terminate() {
	s.terminated.Store(true)
	if c := s.cancel.Load(); c != nil {
		(*c)(errShutdown)
	}
}

func (s *fakeSession) Terminated() bool       { return s.terminated.Load() }
func (s *fakeSession) TxStatus() sql.TxStatus { return s.status }
func (s *fakeSession) BeginImplicit()         {}

func (s *fakeSession) EndImplicit(_ context.Context, err error) error {
	if err != nil && s.status == sql.TxBlock {
		s.status = sql.TxFailed
	}
	if s.status != sql.TxBlock {
		clear(s.portals)
	}
	return nil
}

func (s *fakeSession) DropUnnamed() { delete(s.prepared, ""); delete(s.portals, "") }

func (s *fakeSession) Script(text string) ([]sql.Statement, error) {
	var out []sql.Statement
	off := 0
	for _, part := range strings.Split(text, ";") {
		if t := strings.TrimSpace(part); t != "" {
			if at := strings.Index(t, "bad"); at >= 0 {
				return nil, errs.New(errs.Syntax, "syntax error at or near \"bad\"").WithPos(off + strings.Index(part, "bad") + 1)
			}
			out = append(out, &fakeStmt{text: t, off: off})
		}
		off += len(part) + 1
	}
	return out, nil
}

func (s *fakeSession) check(text string) error {
	if s.status == sql.TxFailed && text != "commit" && text != "rollback" {
		return errs.New(errs.InFailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
	}
	return nil
}

func (s *fakeSession) Prepare(_ context.Context, st sql.Statement, _ []types.OID) (sql.Prepared, error) {
	if err := s.check(st.Text()); err != nil {
		return nil, err
	}
	return st.(*fakeStmt), nil
}

func (s *fakeSession) PrepareNamed(ctx context.Context, name, text string, oids []types.OID) error {
	sts, err := s.Script(text)
	if err != nil {
		return err
	}
	if len(sts) > 1 {
		return errs.New(errs.Syntax, "cannot insert multiple commands into a prepared statement")
	}
	st := &fakeStmt{}
	if len(sts) == 1 {
		st = sts[0].(*fakeStmt)
	}
	if err := s.check(st.text); err != nil {
		return err
	}
	if name != "" && s.prepared[name] != nil {
		return errs.New(errs.DuplicatePrepared, "prepared statement %q already exists", name)
	}
	st.oids = oids
	s.prepared[name] = st
	return nil
}

func (s *fakeSession) PreparedByName(name string) (sql.Prepared, error) {
	if st := s.prepared[name]; st != nil {
		return st, nil
	}
	return nil, errs.New(errs.InvalidStatementName, "prepared statement %q does not exist", name)
}

func (s *fakeSession) ClosePrepared(name string) { delete(s.prepared, name) }

func (s *fakeSession) Bind(_ context.Context, p sql.Prepared, params []types.Datum) (sql.Portal, error) {
	return &fakePortal{s: s, st: p.(*fakeStmt), params: params}, nil
}

func (s *fakeSession) BindNamed(ctx context.Context, name string, p sql.Prepared, params []types.Datum, formats []int16) (sql.Portal, error) {
	pt := &fakePortal{s: s, st: p.(*fakeStmt), params: params, formats: formats}
	s.portals[name] = pt
	return pt, nil
}

func (s *fakeSession) PortalByName(name string) (sql.Portal, error) {
	if p := s.portals[name]; p != nil {
		return p, nil
	}
	return nil, errs.New(errs.InvalidCursorName, "portal %q does not exist", name)
}

func (s *fakeSession) ClosePortal(name string) { delete(s.portals, name) }

func (s *fakeSession) Notices() []sql.Notice {
	n := s.notices
	s.notices = nil
	return n
}

func (s *fakeSession) Parameters() []sql.Setting {
	return []sql.Setting{{Name: "server_version", Value: "15.18"}, {Name: "TimeZone", Value: "UTC"}}
}

func (s *fakeSession) ChangedParameters() []sql.Setting {
	c := s.changed
	s.changed = nil
	return c
}

func (s *fakeSession) Setting(name string) (string, bool) { v, ok := s.settings[name]; return v, ok }
func (s *fakeSession) Principal() policy.Principal        { return policy.Principal{} }
func (s *fakeSession) Format() *types.Format              { return types.DefaultFormat }
func (s *fakeSession) Close()                             { s.closed.Add(1) }

func (s *fakeSession) StartLoad(*storage.Commit) (*storage.Load, error) { return nil, nil }
func (s *fakeSession) Append(context.Context, *storage.Commit) (storage.Outcome, error) {
	return storage.Outcome{}, nil
}

// fakeBackend counts sessions, so that tests see leaks.
type fakeBackend struct {
	opened, closed atomic.Int32
	last           atomic.Pointer[fakeSession]
	settings       map[string]string
}

func (b *fakeBackend) NewSession(_ string, startup []sql.Setting) (Session, error) {
	for _, s := range startup {
		if s.Name == "nope" {
			return nil, errs.New(errs.UndefinedObject, "unrecognized configuration parameter %q", s.Name)
		}
	}
	s := &fakeSession{pid: uint32(b.opened.Add(1)), status: sql.TxIdle, prepared: map[string]*fakeStmt{},
		portals: map[string]*fakePortal{}, closed: &b.closed, settings: b.settings}
	b.last.Store(s)
	return s, nil
}

// fakeCopy counts lines; a line "abc" is an error.
func fakeCopy(ctx context.Context, r CopyRequest) (int64, int64, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, 0, err
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for _, l := range lines {
		if l == "abc" {
			return 0, 0, errs.New(errs.InvalidText, "invalid input syntax for type integer: \"abc\"")
		}
	}
	return int64(len(lines)), 0, nil
}

type fakeServer struct {
	*Server
	backend *fakeBackend
	addr    string
}

func startFake(t testing.TB, mode auth.Mode, change func(*Options)) *fakeServer {
	t.Helper()
	v, err := auth.NewVerifier("secret")
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.New(mode, func(name string) auth.Role {
		return auth.Role{Name: name, Exists: name == "ann", CanLogin: true, Verifier: v}
	})
	if err != nil {
		t.Fatal(err)
	}
	fb := &fakeBackend{settings: map[string]string{}}
	o := Options{Backend: fb, Auth: a, Copy: fakeCopy, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(o)
	served := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { served <- s.Serve(l) })
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		s.Shutdown(ctx)
		if err := <-served; err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if o, c := fb.opened.Load(), fb.closed.Load(); o != c {
			t.Errorf("%d sessions opened, %d closed", o, c)
		}
	})
	return &fakeServer{s, fb, l.Addr().String()}
}
