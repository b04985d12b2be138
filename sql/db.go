package sql

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quern/engine"
	"quern/sql/internal/advisory"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
)

// Store is what the door needs of storage; *storage.Store is the one outside
// tests.
type Store interface {
	Commit(ctx context.Context, c *storage.Commit) (storage.Outcome, error)
	Complete(cat *catalog.Snapshot, tr *storage.TableRows, user string) (storage.TableRows, error)
	StartLoad(c *storage.Commit, cat *catalog.Snapshot) (*storage.Load, error)
	Snapshot() *storage.Snapshot
	Catalog() *catalog.Snapshot
	NextVal(table, col uint32, n int64) int64
	CurrVal(table, col uint32) int64
	LockRows(ctx context.Context, tables ...uint32) (unlock func(), err error)
	Flush(ctx context.Context, table uint32) error
	CompactTable(ctx context.Context, table uint32) error
	Info() storage.Info
	Stats() []storage.SourceCounts
}

// Options of a DB.
type Options struct {
	// Version is the product's, for version() and server_version.
	Version string
	// Threads per query, 0 = all cores. Memory is the budget of one query in
	// bytes, 0 = the engine's default.
	Threads int
	Memory  int64
	// Resources are shared by all queries; nil = none are, and none can spill.
	Resources *engine.Resources
	// WriteMemory bounds what an open transaction has written, 0 = 1 GiB.
	WriteMemory int64
	// LoadMemory is how much of that waits in memory; the rest goes into
	// segments. 0 = 64 MiB.
	LoadMemory int64
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Rand gives salts of passwords and seeds; nil = crypto/rand.
	Rand io.Reader
	// Log takes one line per failed internal step; nil = discard.
	Log *slog.Logger
	// NoSuperuserUnmask masks superusers too (superuser_unmask = off).
	NoSuperuserUnmask bool
}

// DB is the SQL front of one store. Safe for concurrent use.
type DB struct {
	o     Options
	store Store
	run   func(ctx context.Context, q *engine.Query) (engine.Rows, error)
	pids  atomic.Uint32
	// tempOIDs numbers temporary tables; the process gives each number once.
	tempOIDs atomic.Uint32
	start    time.Time

	advisory advisory.Table

	mu       sync.Mutex
	sessions map[uint32]*Session // by PID
}

// writeMemory is the default of Options.WriteMemory.
const writeMemory = 1 << 30

// New makes the front of a store.
func New(store Store, o Options) *DB {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.WriteMemory = cmp.Or(o.WriteMemory, writeMemory)
	o.LoadMemory = cmp.Or(o.LoadMemory, loadMemory)
	o.Version = cmp.Or(o.Version, "0.0.0")
	return &DB{o: o, store: store, run: engine.Run, start: o.Now(), sessions: map[uint32]*Session{}}
}

func (db *DB) nowMicros() int64 { return db.o.Now().UnixMicro() }

// Login looks up a role for authentication.
func (db *DB) Login(role string) Login {
	r := db.store.Catalog().RoleByName(role)
	if r == nil {
		return Login{ConnLimit: -1}
	}
	return Login{Exists: true, Superuser: r.Superuser, Verifier: r.Verifier, ConnLimit: connLimit(r),
		CanLogin: r.Login && (r.ValidUntil == 0 || db.nowMicros() < r.ValidUntil)}
}

// connLimit reads 0 as no limit: roles made before limits existed have it.
func connLimit(r *policy.Role) int {
	if r.ConnLimit <= 0 {
		return -1
	}
	return r.ConnLimit
}

// SetPassword gives a role a password without a session: the first start's
// admin password.
func (db *DB) SetPassword(ctx context.Context, role, password string) error {
	s, err := db.internalSession()
	if err != nil {
		return err
	}
	defer s.Close()
	return s.setPassword(ctx, role, password)
}

// NewSession opens a session for an authenticated role. startup are the
// settings of the startup packet (options already split): an unknown one is
// 42704, a bad value 22023. A role that does not exist or may not log in is
// 28000; too many connections of a role 53300.
func (db *DB) NewSession(role string, startup []Setting) (*Session, error) {
	r := db.store.Catalog().RoleByName(role)
	if r == nil {
		return nil, errs.New(errs.InvalidAuthorization, "role %q does not exist", role)
	}
	if !r.Login {
		return nil, errs.New(errs.InvalidAuthorization, "role %q is not permitted to log in", role)
	}
	s := newSession(db, r)
	for name, value := range r.Settings {
		// A setting that has become invalid must not lock the role out.
		if err := s.applySetting(name, value, startupLevel); err != nil {
			s.notice(warning(errs.CodeOf(err), errs.As(err).Msg))
		}
	}
	for _, x := range startup {
		if err := s.applySetting(x.Name, x.Value, startupLevel); err != nil {
			return nil, err
		}
	}
	if err := db.register(s, r); err != nil {
		return nil, err
	}
	return s, nil
}

func (db *DB) register(s *Session, r *policy.Role) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if limit := connLimit(r); limit >= 0 && !r.Superuser {
		n := 0
		for _, o := range db.sessions {
			if o.authID == r.ID {
				n++
			}
		}
		if n >= limit {
			return errs.New(errs.TooManyConnections, "too many connections for role %q", r.Name)
		}
	}
	db.sessions[s.pid] = s
	return nil
}

// internalSession is a superuser session that no list shows.
func (db *DB) internalSession() (*Session, error) {
	r := db.store.Catalog().Role(catalog.RoleAdmin)
	if r == nil {
		return nil, errs.New(errs.UndefinedObject, "the role with OID %d does not exist", catalog.RoleAdmin)
	}
	return newSession(db, r), nil
}

// SessionByPID finds a session for a cancel request, nil if none.
func (db *DB) SessionByPID(pid uint32) *Session {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.sessions[pid]
}

func (db *DB) forget(s *Session) {
	db.mu.Lock()
	defer db.mu.Unlock()
	delete(db.sessions, s.pid)
}

// list gives the open sessions by PID.
func (db *DB) list() []*Session {
	db.mu.Lock()
	defer db.mu.Unlock()
	out := make([]*Session, 0, len(db.sessions))
	for _, s := range db.sessions {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *Session) int { return cmp.Compare(a.pid, b.pid) })
	return out
}
