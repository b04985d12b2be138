package pgwire

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"quern/sql"
	"quern/storage/errs"
)

// conn is one client. Its goroutine owns everything but the atomic fields.
type conn struct {
	srv      *Server
	bare     net.Conn // the socket, also under TLS
	net      net.Conn
	addr     net.Addr
	leaf     *x509.Certificate // of our certificate under TLS
	deadline time.Time         // of the login
	in       *frames
	out      out

	sess   Session // set once, before register
	secret []byte  // cancel key; set once, before register

	// running: a statement runs and nobody reads the socket. ending: the
	// server stops. Both are read by Server.watch and Shutdown.
	running atomic.Bool
	ending  atomic.Bool

	base    context.Context //nolint:containedctx // of all generations of this connection
	gen     context.Context //nolint:containedctx // of the generation under way; nil between
	genDone func()
	skip    bool   // after an error in the extended protocol, until Sync
	failed  bool   // the generation has ended with an error
	simple  bool   // a Q is being run
	text    string // what error positions refer to
	portals map[string]*portal
	closed  bool // Terminate came, or the socket failed
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{srv: s, bare: nc, net: nc, addr: nc.RemoteAddr(), portals: map[string]*portal{}}
}

// serve is the life of a connection.
func (c *conn) serve(ctx context.Context) {
	c.base = ctx
	c.deadline = time.Now().Add(loginMax)
	_ = c.bare.SetDeadline(c.deadline)
	if !c.enter() {
		return
	}
	_ = c.bare.SetDeadline(time.Time{})
	for !c.closed && c.step() {
	}
}

// enter waits for one of the slots of unfinished logins and logs in.
func (c *conn) enter() bool {
	release, ok := c.srv.loginSlot(c.addr)
	if !ok {
		return false
	}
	defer release()
	select {
	case c.srv.logins <- struct{}{}:
	case <-time.After(time.Until(c.deadline)):
		return false
	case <-c.base.Done():
		return false
	}
	defer func() { <-c.srv.logins }()
	p, err := c.negotiate()
	if err == nil || p != nil {
		c.in = newFrames(c.net)
		c.out.conn = c.net
	}
	if err == nil {
		err = c.login(p)
	}
	if err == nil {
		return true
	}
	if !errors.Is(err, errQuiet) && c.in != nil {
		c.fatal(errs.As(err))
	}
	return false
}

// step reads and answers one message; false ends the connection.
func (c *conn) step() (goOn bool) {
	defer func() {
		if r := recover(); r != nil {
			c.srv.Log.Error("panic in a connection", "panic", r, "stack", string(debug.Stack()))
			goOn = c.recovered()
		}
	}()
	typ, body, err := c.read()
	if err != nil {
		c.readFailed(err)
		return false
	}
	if err := c.dispatch(typ, body); err != nil {
		return false
	}
	return c.out.err == nil
}

// recovered answers a statement that hit a bug of ours; the session goes on if
// its state can be brought to rest.
func (c *conn) recovered() bool {
	c.out.disarm()
	c.running.Store(false)
	// A half-written row may stand in the buffer: nothing sensible can follow.
	c.out.buf = c.out.buf[:0]
	extended := !c.simple
	c.fail(errs.New(errs.Internal, "internal error; the server's log has the details"))
	if extended {
		c.skip = true
		return c.out.flush() == nil
	}
	c.endGeneration()
	c.ready()
	return c.out.flush() == nil
}

// read gets the next message. While it waits, the timeouts of idle sessions
// hold and the big buffer is given back.
func (c *conn) read() (byte, []byte, error) {
	if c.gen == nil {
		c.out.release()
		if c.sess.Terminated() || c.ending.Load() {
			return 0, nil, errShutdown
		}
	}
	limit, timeoutErr := c.idleLimit()
	if limit > 0 {
		_ = c.bare.SetReadDeadline(time.Now().Add(limit))
		// Between the check above and here a wake may have been overwritten.
		if c.sess.Terminated() || c.ending.Load() {
			c.wake()
		}
	}
	typ, body, err := c.in.next()
	if limit > 0 && err == nil {
		_ = c.bare.SetReadDeadline(time.Time{})
	}
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		if c.sess.Terminated() || c.ending.Load() {
			return 0, nil, errShutdown
		}
		if limit > 0 {
			return 0, nil, timeoutErr
		}
	}
	return typ, body, err
}

var errShutdown = errs.New(errs.AdminShutdown, "terminating connection due to administrator command")

// idleLimit is how long the session may wait for the client now; 0 = for ever.
func (c *conn) idleLimit() (time.Duration, error) {
	if c.gen != nil {
		return 0, nil
	}
	if c.sess.TxStatus() == sql.TxIdle {
		return c.timeout("idle_session_timeout"),
			errs.New("57P05", "terminating connection due to idle-session timeout")
	}
	return c.timeout("idle_in_transaction_session_timeout"),
		errs.New(errs.IdleInTransactionTimeout, "terminating connection due to idle-in-transaction timeout")
}

func (c *conn) timeout(name string) time.Duration {
	v, ok := c.sess.Setting(name)
	if !ok || v == "0" || v == "" {
		return 0
	}
	return parseTimeout(v)
}

// parseTimeout reads a time setting in SHOW's form: a number of ms, or with a
// unit.
func parseTimeout(v string) time.Duration {
	n, i := time.Duration(0), 0
	for i < len(v) && v[i]-'0' <= 9 {
		n = n*10 + time.Duration(v[i]-'0')
		i++
	}
	switch v[i:] {
	case "us":
		return n * time.Microsecond
	case "", "ms":
		return n * time.Millisecond
	case "s":
		return n * time.Second
	case "min":
		return n * time.Minute
	case "h":
		return n * time.Hour
	case "d":
		return n * 24 * time.Hour
	}
	return 0
}

// wake ends a read that waits for the client. It may be called from outside.
func (c *conn) wake() { _ = c.bare.SetReadDeadline(time.Unix(1, 0)) }

func (c *conn) readFailed(err error) {
	var e *errs.Error
	if errors.As(err, &e) {
		c.fatal(e)
		return
	}
	if err != io.EOF && c.gen != nil {
		c.srv.Log.Debug("client went away", "addr", c.addr.String(), "err", err)
	}
}

// fatal sends a last error and gives up.
func (c *conn) fatal(e *errs.Error) {
	c.out.send(errorResponse(sevFatal, e, ""))
	_ = c.out.flush()
	c.closed = true
}

// dispatch handles one message. An error ends the connection.
func (c *conn) dispatch(typ byte, body []byte) error {
	switch typ {
	case 'Q':
		return c.simpleQuery(body)
	case 'S':
		return c.sync()
	case 'X':
		c.closed = true
		return nil
	case 'd', 'c', 'f':
		// What is left of a COPY that failed; the protocol says to ignore it.
		return nil
	case 'F':
		if c.skip {
			return nil
		}
		c.begin("")
		c.fail(errs.NotSupported("function call by protocol message"))
		return c.sync()
	case 'p':
		c.fatal(errs.New(errs.ProtocolViolation, "unexpected password message"))
		return nil
	}
	if c.skip {
		return nil
	}
	return c.extended(typ, body)
}

// begin starts a generation unless one is under way. text is what error
// positions refer to.
func (c *conn) begin(text string) {
	c.text = text
	if c.gen == nil {
		c.gen, c.genDone = c.sess.Start(c.base)
		c.failed = false
	}
	if !c.failed {
		c.sess.BeginImplicit()
	}
	c.running.Store(true)
}

// endGeneration ends it; a late cancel hits nothing.
func (c *conn) endGeneration() {
	c.running.Store(false)
	if c.gen != nil {
		c.genDone()
		c.gen, c.genDone = nil, nil
	}
	if c.sess.TxStatus() == sql.TxIdle {
		clear(c.portals)
	}
}

// fail ends the implicit transaction with err and sends it.
func (c *conn) fail(err error) {
	if c.gen == nil {
		c.begin(c.text)
	}
	e := clientError(c.gen, err)
	if c.out.err != nil { // the client is gone: nobody reads the reason
		c.closed = true
	} else if e.Code == errs.Internal {
		c.srv.Log.Error("statement failed", "err", err)
	}
	c.failed = true
	// The cancelled generation must not keep the session from cleaning up.
	_ = c.sess.EndImplicit(context.WithoutCancel(c.gen), err)
	c.notices()
	if c.sess.Terminated() || c.ending.Load() && e.Code == errs.AdminShutdown {
		c.fatal(errShutdown)
		return
	}
	c.out.send(errorResponse(sevError, e, c.text))
}

func (c *conn) notices() {
	for _, n := range c.sess.Notices() {
		c.out.send(noticeResponse(n))
	}
}

// ready tells changed parameters and the transaction's state.
func (c *conn) ready() {
	for _, s := range c.sess.ChangedParameters() {
		c.out.send(&pgproto3.ParameterStatus{Name: s.Name, Value: s.Value})
	}
	c.out.buf = append(c.out.buf, 'Z', 0, 0, 0, 5, byte(c.sess.TxStatus()))
}

// complete sends a command tag, or the answer to an empty statement.
func (c *conn) complete(tag string) {
	if tag == "" {
		c.out.raw('I')
		return
	}
	c.out.send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
}

func (c *conn) close() {
	if c.genDone != nil {
		c.genDone()
		c.gen, c.genDone = nil, nil
	}
	if c.sess != nil {
		c.srv.unregister(c)
		c.sess.Close()
	}
	_ = c.net.Close()
	_ = c.bare.Close()
	c.out.buf = c.out.buf[:0]
	c.out.release()
}
