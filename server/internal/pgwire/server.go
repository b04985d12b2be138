package pgwire

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"quern/server/internal/auth"
	"quern/sql"
	"quern/storage/errs"
)

// Options of a Server.
type Options struct {
	Backend Backend
	Auth    *auth.Auth
	// Cert is the certificate that new connections get; nil = no TLS.
	Cert           func() *tls.Certificate
	Copy           CopyDecoder
	MaxConnections int // sessions; beyond it 53300
	Log            *slog.Logger
}

// unauthMax bounds connections that have not logged in yet; more of them wait
// for their turn, inside their 10 s.
const unauthMax = 64

// unauthPerAddr bounds those of one remote address; more of them are closed. A
// pool on this machine that opens many connections at once only waits.
const unauthPerAddr = 10

// watchEvery is how often the connections are looked after.
const watchEvery = time.Second

// Server accepts connections. Serve and Shutdown may be called once each.
type Server struct {
	Options
	failures failures
	logins   chan struct{} // slots of connections before login

	mu       sync.Mutex
	conns    map[uint32]*conn // logged-in sessions by PID; guarded by mu
	stopping bool             // guarded by mu
	listener net.Listener     // guarded by mu
	all      map[*conn]struct{}
	unauth   map[netip.Addr]int // connections before login by remote address; guarded by mu

	wg   sync.WaitGroup
	stop context.CancelFunc
	base context.Context //nolint:containedctx // the server owns its connections' context
}

// New makes a server.
func New(o Options) *Server {
	if o.MaxConnections <= 0 {
		o.MaxConnections = 1000
	}
	s := &Server{Options: o, conns: map[uint32]*conn{}, all: map[*conn]struct{}{}, unauth: map[netip.Addr]int{},
		logins: make(chan struct{}, unauthMax)}
	s.base, s.stop = context.WithCancel(context.Background())
	return s
}

// Serve accepts on l until Shutdown closes it.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	s.listener = l
	s.mu.Unlock()
	s.wg.Go(s.watch)
	for {
		nc, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			stopping := s.stopping
			s.mu.Unlock()
			if stopping || errors.Is(err, net.ErrClosed) {
				return nil
			}
			var ne net.Error
			if errors.As(err, &ne) && ne.Timeout() {
				continue
			}
			// Out of file descriptors, mostly: go on when some are free.
			s.Log.Warn("accept failed", "err", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-s.base.Done():
				return nil
			}
			continue
		}
		s.wg.Go(func() { s.handle(nc) })
	}
}

// handle runs one connection from accept to close.
func (s *Server) handle(nc net.Conn) {
	if tc, ok := nc.(*net.TCPConn); ok {
		_ = tc.SetKeepAlivePeriod(60 * time.Second)
	}
	c := newConn(s, nc)
	s.mu.Lock()
	s.all[c] = struct{}{}
	s.mu.Unlock()
	defer func() {
		c.close()
		s.mu.Lock()
		delete(s.all, c)
		s.mu.Unlock()
	}()
	c.serve(s.base)
}

// loginSlot counts a connection before its login; false if its address has too
// many of them.
func (s *Server) loginSlot(addr net.Addr) (release func(), ok bool) {
	ap, err := netip.ParseAddrPort(addr.String())
	ip := ap.Addr().Unmap()
	if err != nil || ip.IsLoopback() {
		return func() {}, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unauth[ip] >= unauthPerAddr {
		return nil, false
	}
	s.unauth[ip]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.unauth[ip]--; s.unauth[ip] <= 0 {
			delete(s.unauth, ip)
		}
	}, true
}

// admit refuses a login when there are too many sessions.
func (s *Server) admit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return errs.New(errs.CannotConnectNow, "the database system is shutting down")
	}
	if len(s.conns) >= s.MaxConnections {
		return errs.New(errs.TooManyConnections, "sorry, too many clients already")
	}
	return nil
}

// register makes a session known to cancel requests and to Shutdown.
func (s *Server) register(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return errs.New(errs.CannotConnectNow, "the database system is shutting down")
	}
	if len(s.conns) >= s.MaxConnections {
		return errs.New(errs.TooManyConnections, "sorry, too many clients already")
	}
	s.conns[c.sess.PID()] = c
	return nil
}

func (s *Server) unregister(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pid := c.sess.PID(); s.conns[pid] == c {
		delete(s.conns, pid)
	}
}

// Connections is the number of sessions.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// watch looks after the connections: it cancels statements whose client went
// away and wakes sessions that were ended from outside.
func (s *Server) watch() {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-s.base.Done():
			return
		case <-t.C:
		}
		s.failures.sweep()
		for _, c := range s.sessions() {
			switch {
			case c.sess.Terminated():
				c.wake()
			case c.running.Load() && hungUp(c.bare):
				c.sess.Cancel()
			}
		}
	}
}

func (s *Server) sessions() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*conn, 0, len(s.conns))
	for _, c := range s.conns {
		out = append(out, c)
	}
	return out
}

// Shutdown ends idle sessions with 57P01, gives running statements until ctx
// ends, then cancels them too, and waits for all connections.
func (s *Server) Shutdown(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	open := make([]*conn, 0, len(s.all))
	for c := range s.all {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		c.ending.Store(true)
		c.wake()
	}
	done := make(chan struct{})
	var waiter sync.WaitGroup
	waiter.Go(func() {
		s.drain()
		close(done)
	})
	select {
	case <-done:
	case <-ctx.Done():
		for _, c := range s.sessions() {
			c.sess.Terminate()
		}
		select {
		case <-done:
		case <-time.After(time.Second):
			s.mu.Lock()
			for c := range s.all {
				_ = c.bare.Close()
			}
			s.mu.Unlock()
		}
	}
	s.stop()
	waiter.Wait()
	s.wg.Wait()
}

// drain waits until no connection is left.
func (s *Server) drain() {
	for {
		s.mu.Lock()
		n := len(s.all)
		s.mu.Unlock()
		if n == 0 {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

var _ Session = (*sql.Session)(nil)
