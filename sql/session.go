package sql

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"quern/engine/fn"
	"quern/sql/internal/ast"
	"quern/sql/internal/settings"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
)

// Session is one connection's state. One goroutine uses it; only Cancel,
// Terminate, Terminated and PID may be called from others.
type Session struct {
	db     *DB
	pid    uint32
	authID uint32 // the role that logged in
	userID uint32 // session_user
	roleID uint32 // current_user
	pinned bool   // SET ROLE … NO RESET

	set      *settings.Values
	reported map[string]string // as the client knows them
	format   *types.Format
	formatOf string // the settings that format was made from

	tx       tx
	temp     temp
	prepared map[string]*prepared
	portals  map[string]portal
	notices  []Notice
	told     map[string]bool // masked columns that the client was told of
	stmtAt   int64           // statement_timestamp, µs
	// counters are the last values that the session took, for currval.
	counters    map[counter]int64
	lastCounter counter
	// calls is held by functions that change the session, which several workers may
	// run for one query, and by what the session reads meanwhile to send its rows.
	calls sync.Mutex
	// pathFirst is searched before search_path: the schema that CREATE SCHEMA fills.
	pathFirst string
	// tempCounters are those of temporary tables.
	tempCounters map[counter]int64
	born         int64

	activity atomic.Pointer[activity]

	mu         sync.Mutex
	cancel     context.CancelCauseFunc // of the running generation, guarded by mu
	current    func() context.Context  // its context, guarded by mu
	generation uint64
	timer      *time.Timer // statement_timeout, guarded by mu
	terminated bool        // guarded by mu
}

// counter names a column's counter.
type counter struct{ table, col uint32 }

// activity is what system.queries shows of a session.
type activity struct {
	role     uint32
	roleName string
	app      string
	state    string
	query    string
	since    int64
}

func newSession(db *DB, r *policy.Role) *Session {
	s := &Session{db: db, pid: db.pids.Add(1), authID: r.ID, userID: r.ID, roleID: r.ID, set: settings.NewValues(),
		prepared: map[string]*prepared{}, portals: map[string]portal{}, told: map[string]bool{}, counters: map[counter]int64{}, born: db.nowMicros()}
	s.stmtAt = s.born
	s.set.Fix("server_version", "15.18 (Quern "+db.o.Version+")")
	s.fixRole()
	s.note("idle", "")
	return s
}

// fixRole refreshes the settings that follow the roles.
func (s *Session) fixRole() {
	p := s.Principal()
	s.set.Fix("is_superuser", onOff(p.Superuser))
	user := ""
	if r := s.db.store.Catalog().Role(s.userID); r != nil {
		user = r.Name
	}
	s.set.Fix("session_authorization", user)
	role := "none"
	if s.roleID != s.userID {
		role = p.Name
	}
	s.set.Fix("role", role)
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// PID is the backend's process id on the wire.
func (s *Session) PID() uint32 { return s.pid }

// canceled is the cause of a cancelled generation.
var (
	errCanceled   = errs.New(errs.QueryCanceled, "canceling statement due to user request")
	errTimeout    = errs.New(errs.QueryCanceled, "canceling statement due to statement timeout")
	errTerminated = errs.New(errs.AdminShutdown, "terminating connection due to administrator command")
)

// Start begins one generation of work: a Q, or the messages from the first
// after a Sync up to the next Sync. The returned context is what Prepare, Bind
// and Next get; Cancel and statement_timeout end it with cause 57014. done
// must be called; after it a late Cancel hits nothing.
func (s *Session) Start(ctx context.Context) (_ context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	s.cancel, s.current = cancel, func() context.Context { return ctx }
	s.generation++
	if s.terminated {
		cancel(errTerminated)
	}
	s.mu.Unlock()
	return ctx, func() {
		s.mu.Lock()
		s.cancel, s.current = nil, nil
		s.stopTimerLocked()
		s.mu.Unlock()
		cancel(context.Canceled)
		switch s.TxStatus() {
		case TxBlock:
			s.note("idle in transaction", "")
		case TxFailed:
			s.note("idle in transaction (aborted)", "")
		default:
			s.note("idle", "")
		}
	}
}

// arm starts statement_timeout for the statement that begins now.
func (s *Session) arm(again bool) {
	ms := s.millis("statement_timeout")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil && !again {
		return
	}
	s.stopTimerLocked()
	if ms <= 0 || s.cancel == nil {
		return
	}
	gen := s.generation
	s.timer = time.AfterFunc(time.Duration(ms)*time.Millisecond, func() { s.stop(gen, errTimeout) })
}

func (s *Session) disarm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopTimerLocked()
}

func (s *Session) stopTimerLocked() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// stop cancels a generation if it still runs.
func (s *Session) stop(gen uint64, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil && s.generation == gen {
		s.cancel(cause)
	}
}

// Cancel ends the generation that runs now, if any.
func (s *Session) Cancel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(errCanceled)
	}
}

// Terminate ends the session's running work with 57P01; Terminated then is
// true and the layer closes the connection.
func (s *Session) Terminate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.terminated = true
	if s.cancel != nil {
		s.cancel(errTerminated)
	}
}

// Terminated tells that the session was ended from outside.
func (s *Session) Terminated() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.terminated
}

// causeOf turns an error of cancelled work into what ended it.
func causeOf(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	// What failed for a reason of its own keeps it.
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if !ended && errs.CodeOf(err) != errs.QueryCanceled {
		return err
	}
	if c := context.Cause(ctx); c != nil {
		if e, ok := c.(*errs.Error); ok {
			return e
		}
	}
	return errCanceled
}

// note records what the session does, for system.queries.
func (s *Session) note(state, query string) {
	p := s.Principal()
	app, _ := s.set.Raw("application_name")
	if query == "" {
		if a := s.activity.Load(); a != nil {
			query = a.query
		}
	}
	s.activity.Store(&activity{p.RoleID, p.Name, app, state, query, s.db.nowMicros()})
}

// Principal is who the session is now (after SET ROLE).
func (s *Session) Principal() policy.Principal {
	p := policy.Principal{RoleID: s.roleID, SessionID: s.userID, NoUnmask: s.db.o.NoSuperuserUnmask}
	if r := s.db.store.Catalog().Role(s.roleID); r != nil {
		p.Superuser, p.Name = r.Superuser, r.Name
	}
	return p
}

// Notices gives and forgets what piled up, already filtered by
// client_min_messages.
func (s *Session) Notices() []Notice {
	out := s.notices
	s.notices = nil
	return out
}

// levels orders client_min_messages.
var levels = map[string]int{"debug5": 1, "debug4": 2, "debug3": 3, "debug2": 4, "debug1": 5, "debug": 4,
	"log": 6, "notice": 7, "warning": 8, "error": 9}

func (s *Session) notice(n Notice) {
	minLevel, _ := s.set.Raw("client_min_messages")
	if levels[strings.ToLower(n.Severity)] >= levels[minLevel] && len(s.notices) < noticesMax {
		s.notices = append(s.notices, n)
	}
}

// noticesMax bounds what a script can pile up before it is fetched.
const noticesMax = 10_000

func warning(code errs.Code, msg string) Notice {
	return Notice{Severity: "WARNING", Code: string(code), Msg: msg}
}

// Parameters are the 13 reported settings, in the order of session start.
func (s *Session) Parameters() []Setting {
	s.reported = map[string]string{}
	var out []Setting
	for _, name := range settings.Reported {
		v, _ := s.set.Show(name)
		s.reported[name] = v
		out = append(out, Setting{name, v})
	}
	return out
}

// ChangedParameters are those that changed since Parameters or the last call.
func (s *Session) ChangedParameters() []Setting {
	if s.reported == nil {
		return nil
	}
	s.fixRole()
	var out []Setting
	for _, name := range settings.Reported {
		if v, _ := s.set.Show(name); v != s.reported[name] {
			s.reported[name] = v
			out = append(out, Setting{name, v})
		}
	}
	return out
}

// Setting reads a setting in SHOW's form.
func (s *Session) Setting(name string) (string, bool) { return s.set.Show(name) }

// Format is what text conversion of results depends on.
func (s *Session) Format() *types.Format {
	f := s.textFormat()
	f.Now, f.Names = s.now(), s.catalogContext()
	return &f
}

func (s *Session) textFormat() types.Format {
	s.calls.Lock()
	defer s.calls.Unlock()
	var key strings.Builder
	for _, n := range []string{"TimeZone", "DateStyle", "IntervalStyle", "bytea_output", "extra_float_digits"} {
		v, _ := s.set.Raw(n)
		key.WriteString(v + "\x00")
	}
	if s.format == nil || s.formatOf != key.String() {
		s.format, s.formatOf = makeFormat(s.set), key.String()
	}
	return *s.format
}

func makeFormat(v *settings.Values) *types.Format {
	get := func(n string) string { x, _ := v.Raw(n); return x }
	f := &types.Format{ExtraFloatDigits: atoi(get("extra_float_digits")), ByteaEscape: get("bytea_output") == "escape"}
	f.Location, _, _ = settings.ParseZone(get("TimeZone"))
	style, order, _ := strings.Cut(get("DateStyle"), ", ")
	f.DateStyle = map[string]types.DateStyle{"ISO": types.DateISO, "SQL": types.DateSQL,
		"Postgres": types.DatePostgres, "German": types.DateGerman}[style]
	f.DateOrder = map[string]types.DateOrder{"MDY": types.OrderMDY, "DMY": types.OrderDMY, "YMD": types.OrderYMD}[order]
	f.IntervalStyle = map[string]types.IntervalStyle{"postgres": types.IntervalPostgres, "iso_8601": types.IntervalISO8601,
		"sql_standard": types.IntervalSQLStandard, "postgres_verbose": types.IntervalVerbose}[get("IntervalStyle")]
	return f
}

// env is what kernels know of the session during one statement.
func (s *Session) env(ctx context.Context) *fn.Env {
	user := ""
	if r := s.db.store.Catalog().Role(s.userID); r != nil {
		user = r.Name
	}
	path := s.searchPath()
	e := &fn.Env{Ctx: ctx, Format: s.Format(), User: s.Principal().Name, SessionUser: user, Database: "quern",
		SearchPath: path, PID: s.pid, Catalog: s.catalogContext(), Setting: s.set.Show,
		ValueMax: s.valueMax()}
	for _, p := range path {
		if !isTempSchema(p) {
			e.Schema = p
			break
		}
	}
	return e
}

// valueMax is what one value may take of a query's memory.
func (s *Session) valueMax() int {
	n := s.memory()
	if n == 0 {
		return 0
	}
	return int(min(1<<30, max(16<<20, n/4)))
}

// searchPath lists the existing schemas of the session's search_path that the
// role may use; pg_catalog comes first unless it is listed.
func (s *Session) searchPath() []string {
	raw, _ := s.set.Raw("search_path")
	cat := s.catalog()
	var out []string
	if len(s.temp.tables) > 0 {
		out = append(out, s.tempSchema().Name)
	}
	if s.pathFirst != "" {
		raw = ast.QuoteIdent(s.pathFirst) + "," + raw
	}
	for _, name := range splitList(raw) {
		if name == "pg_temp" {
			continue // first anyway
		}
		if name == "$user" {
			name = s.Principal().Name
		}
		if name == "pg_catalog" || cat.SchemaByName(name) != nil {
			out = append(out, name)
		}
	}
	return out
}

// splitList splits a list of identifiers, as search_path has it.
func splitList(s string) []string {
	var out []string
	for s != "" {
		s = strings.TrimLeft(s, " ,")
		if s == "" {
			break
		}
		if s[0] == '"' {
			end := strings.IndexByte(s[1:], '"')
			if end < 0 {
				return append(out, s[1:])
			}
			out = append(out, s[1:end+1])
			s = s[end+2:]
			continue
		}
		end := strings.IndexByte(s, ',')
		if end < 0 {
			end = len(s)
		}
		out = append(out, strings.ToLower(strings.TrimSpace(s[:end])))
		s = s[end:]
	}
	return out
}

func (db *DB) versionText() string {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return "PostgreSQL 15.18 (Quern " + db.o.Version + ") on " + arch + ", compiled by " + runtime.Version() + ", 64-bit"
}

// Close ends the session: open transactions are dropped, portals closed.
func (s *Session) Close() {
	s.closeAllPortals(true)
	s.tx.end()
	s.db.advisory.Release(s.pid, true)
	s.db.advisory.Release(s.pid, false)
	s.db.forget(s)
}
