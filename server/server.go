// Package server is the door of the running product: it opens the store, wires
// sql and ingest to it, listens on the PostgreSQL and HTTP ports, and closes
// everything in reverse order.
//
//	Start: store (lock, replay) ─ sql.DB, ingest ─ auth ─ pgwire, httpapi ─ listen
//	Close: refuse new ─ drain ≤ 8 s ─ cancel ─ store
//
// It holds no logic of its own; what a connection may do is decided below.
// Start reading at Start.
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"runtime/debug"
	"sync"
	"time"

	"quern/engine"
	"quern/ingest"
	"quern/server/internal/auth"
	"quern/server/internal/export"
	"quern/server/internal/httpapi"
	"quern/server/internal/pgwire"
	"quern/sql"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/vfs"
)

// drainMax is how long running work may go on after the stop signal: the process
// ends within 10 s, with what follows.
const drainMax = 8 * time.Second

// headerMax is how long a client may take for the header of a request.
const headerMax = 10 * time.Second

// Server is a running server. Its methods may be called concurrently.
type Server struct {
	o     Options
	store *storage.Store
	db    *sql.DB
	// shared is what queries share.
	shared *engine.Resources
	ing    *ingest.Ingester
	auth   *auth.Auth
	cert   *certificate

	pg      *pgwire.Server
	http    *http.Server
	pgLn    net.Listener
	httpLn  net.Listener
	serving sync.WaitGroup
	failed  chan error // a listener that ended by itself

	closeOnce sync.Once
	closeErr  error
}

// Run starts a server and serves until ctx ends.
func Run(ctx context.Context, o Options) error {
	s, err := Start(ctx, o)
	if err != nil {
		return err
	}
	return s.Wait(ctx)
}

// Start opens the data folder and serves it. A folder that another process
// has open is 55006.
func Start(ctx context.Context, o Options) (*Server, error) {
	o.defaults()
	s := &Server{o: o, failed: make(chan error, 2)}
	if err := s.checkListen(); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) checkListen() error {
	mode := auth.Mode(s.o.Auth)
	if mode != auth.Scram && mode != auth.Trust {
		return fmt.Errorf("unknown authentication %q: use scram or trust", s.o.Auth)
	}
	for _, addr := range []string{s.o.PGAddr, s.o.HTTPAddr} {
		if addr == "" {
			continue
		}
		if err := auth.CheckListen(addr, mode, s.o.TLSCert != "", s.o.InsecureListen); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) start(ctx context.Context) error {
	cert, err := loadCertificate(s.o.TLSCert, s.o.TLSKey)
	if err != nil {
		return err
	}
	s.cert = cert
	debug.SetMemoryLimit(s.o.Memory)
	spareProcessor(s.o.Threads)
	so := storage.Options{Dir: s.o.Dir, FS: vfs.OS{}, Now: s.o.Now, Log: s.o.Log, Writer: "quern " + Version,
		MemBytesMax: s.o.memTableBytes(), RowKeyBytesMax: s.o.rowKeyBytes(), DictBytesMax: s.o.dictBytes(), QueueBytesMax: s.o.queueBytes(), WALBytesMax: s.o.WALBytesMax, WALFileBytes: s.o.walFileBytes(),
		FlushRows: s.o.FlushRows, FlushAge: s.o.FlushAge}
	if s.o.Storage != nil {
		s.o.Storage(&so)
	}
	if s.store, err = storage.Open(so); err != nil {
		return err
	}
	s.shared, err = engine.NewResources(engine.ResourceOptions{Memory: s.o.queriesBytes(), FS: so.FS,
		Dir: path.Join(so.Dir, "tmp"), Rand: rand.Reader})
	if err != nil {
		return err
	}
	s.db = sql.New(s.store, sql.Options{Version: Version, Threads: s.o.Threads, Memory: s.o.queryBytes(), Resources: s.shared,
		WriteMemory: s.o.writeBytes(), LoadMemory: s.o.loadBytes(), Now: s.o.Now, Log: s.o.Log, NoSuperuserUnmask: s.o.NoSuperuserUnmask})
	s.ing = ingest.New(s.store, ingest.Options{Now: s.o.Now, LoadBytes: s.o.loadBytes(), Memory: s.o.bodyBytes()})
	s.auth, err = auth.New(auth.Mode(s.o.Auth), func(name string) auth.Role {
		l := s.db.Login(name)
		return auth.Role{Name: name, Exists: l.Exists, CanLogin: l.CanLogin, Verifier: l.Verifier}
	})
	if err != nil {
		return err
	}
	if err := s.firstPassword(ctx); err != nil {
		return err
	}
	return s.listen()
}

func (s *Server) listen() error {
	if s.o.PGAddr != "" {
		ln, err := net.Listen("tcp", s.o.PGAddr)
		if err != nil {
			return fmt.Errorf("listen for PostgreSQL clients: %w", err)
		}
		s.pgLn = ln
		o := pgwire.Options{Backend: backend{s.db}, Auth: s.auth, Copy: s.copyFrom,
			MaxConnections: s.o.MaxConnections, Log: s.o.Log}
		if s.cert != nil {
			o.Cert = s.cert.current
		}
		s.pg = pgwire.New(o)
		s.serving.Go(func() { s.ended("PostgreSQL port", s.pg.Serve(ln)) })
	}
	if s.o.HTTPAddr != "" {
		ln, err := net.Listen("tcp", s.o.HTTPAddr)
		if err != nil {
			return fmt.Errorf("listen for HTTP clients: %w", err)
		}
		s.httpLn = ln
		s.http = &http.Server{Handler: httpapi.Handler(s.routes()), ReadHeaderTimeout: headerMax,
			IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, TLSConfig: s.cert.config(),
			ErrorLog: quietLog(s.o.Log)}
		s.serving.Go(func() {
			if s.cert != nil {
				s.ended("HTTP port", s.http.ServeTLS(ln, "", ""))
				return
			}
			s.ended("HTTP port", s.http.Serve(ln))
		})
	}
	s.o.Log.Info("serving", "pg", s.PGAddr(), "http", s.HTTPAddr(), "data", s.o.Dir, "auth", s.o.Auth)
	return nil
}

func (s *Server) ended(what string, err error) {
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		s.failed <- fmt.Errorf("%s: %w", what, err)
	}
}

// PGAddr and HTTPAddr are where the server listens, empty if it does not.
func (s *Server) PGAddr() string { return addrOf(s.pgLn) }

// HTTPAddr is the HTTP port's address.
func (s *Server) HTTPAddr() string { return addrOf(s.httpLn) }

func addrOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

// Wait serves until ctx ends or a port fails, then closes.
func (s *Server) Wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	}
	return errors.Join(err, s.Close())
}

// ReloadTLS reads the certificate files again; new connections get it.
func (s *Server) ReloadTLS() error {
	if s.cert == nil {
		return nil
	}
	return s.cert.load()
}

// Store is the open store, for tools that share the process.
func (s *Server) Store() *storage.Store { return s.store }

// Query runs statements as a role and writes the results to w in a format of
// package export: table, csv, json or ndjson.
func (s *Server) Query(ctx context.Context, role, text, format string, w io.Writer) error {
	ew, err := export.NewWriter(format, w)
	if err != nil {
		return err
	}
	sess, err := s.db.NewSession(role, nil)
	if err != nil {
		return err
	}
	defer sess.Close()
	err = export.Run(ctx, sess, text, nil, ew)
	return errors.Join(err, ew.Close(nil))
}

// Close stops: new clients are refused, running work gets drainMax, then it is
// cancelled; the store is closed last. It may be called more than once.
func (s *Server) Close() error {
	s.closeOnce.Do(func() { s.closeErr = s.close() })
	return s.closeErr
}

func (s *Server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainMax)
	defer cancel()
	var drains sync.WaitGroup
	if s.pg != nil {
		drains.Go(func() { s.pg.Shutdown(ctx) })
	}
	if s.http != nil {
		drains.Go(func() {
			if err := s.http.Shutdown(ctx); err != nil {
				_ = s.http.Close() // drained as far as it goes
			}
		})
	}
	drains.Wait()
	s.serving.Wait()
	if s.httpLn != nil {
		_ = s.httpLn.Close() // closed already, unless serving never began
	}
	if s.store == nil {
		return nil
	}
	return s.store.Close()
}

// backend opens sessions for the wire.
type backend struct{ db *sql.DB }

func (b backend) NewSession(role string, startup []sql.Setting) (pgwire.Session, error) {
	s, err := b.db.NewSession(role, startup)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// copyFrom hands COPY FROM STDIN to ingest.
func (s *Server) copyFrom(ctx context.Context, r pgwire.CopyRequest) (int64, int64, error) {
	c, o := r.Spec, r.Spec.Options
	res, err := s.ing.CopyFrom(ctx, &ingest.CopySpec{
		Principal: r.Principal, Table: c.Table, Name: c.Name, Cols: c.Cols, Names: c.Names, Types: c.Types,
		TextFormat: r.Format, Format: o.Format, Delimiter: o.Delimiter, Null: o.Null, Header: o.Header,
		Quote: o.Quote, Escape: o.Escape, ForceNotNull: o.ForceNotNull, ForceNull: o.ForceNull,
		OnErrorIgnore: o.OnErrorIgnore, RejectLimit: o.RejectLimit, BatchKey: o.BatchKey,
	}, r.Body, r.Appender)
	return res.Rows, res.Quarantined, err
}

// firstPassword gives the admin role its password at the first start with
// password logins.
func (s *Server) firstPassword(ctx context.Context) error {
	if s.auth.Mode != auth.Scram || s.db.Login("admin").Verifier != "" {
		return nil
	}
	pw := s.o.AdminPassword
	if pw == "" {
		pw = randomPassword()
		file := path.Join(s.o.Dir, "initial_admin_password")
		if err := vfs.WriteFileBytes(vfs.OS{}, file+".tmp", file, []byte(pw+"\n")); err != nil {
			return fmt.Errorf("write the first password: %w", err)
		}
		// Printed before it holds: a crash between leaves no unknown password.
		fmt.Fprintf(s.o.Print, "First start: role admin has the password %s (also in %s)\n", pw, file)
	}
	if err := s.db.SetPassword(ctx, "admin", pw); err != nil {
		return fmt.Errorf("set the first password: %w", err)
	}
	return nil
}

// ready is nil while commits can be made.
func (s *Server) ready() error {
	if err := s.store.Failed(); err != nil {
		return errs.New(errs.IO, "the store has failed: %v", errs.As(err).Msg)
	}
	return nil
}
