package pgwire

import (
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"quern/server/internal/auth"
	"quern/sql"
	"quern/storage/errs"
)

// Codes of the first packet.
const (
	codeCancel = 80877102
	codeSSL    = 80877103
	codeGSS    = 80877104

	protocolMajor    = 3
	protocolMinorMax = 2
	protocol32       = protocolMajor<<16 | 2
)

const (
	startupBytesMin = 8
	startupBytesMax = 10_000
	// loginMax is authentication_timeout: from accept to ReadyForQuery.
	loginMax = 10 * time.Second
	tlsHello = 0x16
	alpn     = "postgresql"
)

// errQuiet ends a connection without a word: the other side is no client of
// ours, or wants no answer.
var errQuiet = errors.New("connection ended before login")

// startupPacket is what the client asked for.
type startupPacket struct {
	version  uint32
	settings []sql.Setting // in the order sent
	unknown  []string      // _pq_ options
}

func (p *startupPacket) get(key string) (string, bool) {
	for _, s := range p.settings {
		if strings.EqualFold(s.Name, key) {
			return s.Value, true
		}
	}
	return "", false
}

// negotiate answers SSL and GSS requests, at most one of each, until the
// startup packet comes. A cancel request is acted on here.
//
// NB: the packets are read byte-exact from the bare connection. A buffered
// reader could hold clear text that an attacker put in front of the TLS
// handshake, and take it for part of the encrypted stream.
func (c *conn) negotiate() (*startupPacket, error) {
	ssl, gss := false, false
	for {
		var head [8]byte
		if _, err := io.ReadFull(c.net, head[:1]); err != nil {
			return nil, errQuiet
		}
		if head[0] == tlsHello && !ssl {
			if err := c.directTLS(head[0]); err != nil {
				return nil, err
			}
			ssl, gss = true, true
			continue
		}
		if _, err := io.ReadFull(c.net, head[1:]); err != nil {
			return nil, errQuiet
		}
		length := binary.BigEndian.Uint32(head[:4])
		code := binary.BigEndian.Uint32(head[4:])
		if length < startupBytesMin || length > startupBytesMax {
			return nil, errQuiet
		}
		switch {
		case code == codeSSL && length == 8 && !ssl:
			ssl = true
			if err := c.answerSSL(); err != nil {
				return nil, err
			}
		case code == codeGSS && length == 8 && !gss:
			gss = true
			if _, err := c.net.Write([]byte{'N'}); err != nil {
				return nil, errQuiet
			}
		case code == codeSSL || code == codeGSS:
			return nil, errQuiet
		default:
			body := make([]byte, length-8)
			if _, err := io.ReadFull(c.net, body); err != nil {
				return nil, errQuiet
			}
			if code == codeCancel {
				c.srv.cancel(body)
				return nil, errQuiet
			}
			return parseStartup(code, body)
		}
	}
}

func (c *conn) answerSSL() error {
	if c.srv.Cert == nil {
		if _, err := c.net.Write([]byte{'N'}); err != nil {
			return errQuiet
		}
		return nil
	}
	if _, err := c.net.Write([]byte{'S'}); err != nil {
		return errQuiet
	}
	return c.handshake(c.net, false)
}

// directTLS is sslnegotiation=direct: the handshake without a request, which
// must name the protocol.
func (c *conn) directTLS(first byte) error {
	if c.srv.Cert == nil {
		return errQuiet
	}
	return c.handshake(&prefixConn{Conn: c.net, first: first, have: true}, true)
}

func (c *conn) handshake(nc net.Conn, needALPN bool) error {
	cert := c.srv.Cert()
	t := tls.Server(nc, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*cert}, NextProtos: []string{alpn}})
	if err := t.Handshake(); err != nil {
		return errQuiet
	}
	if needALPN && t.ConnectionState().NegotiatedProtocol != alpn {
		return errQuiet
	}
	c.net, c.leaf = t, cert.Leaf
	return nil
}

// prefixConn gives a byte that was already read back to the reader.
type prefixConn struct {
	net.Conn
	first byte
	have  bool
}

func (p *prefixConn) Read(b []byte) (int, error) {
	if p.have && len(b) > 0 {
		b[0], p.have = p.first, false
		return 1, nil
	}
	return p.Conn.Read(b)
}

func parseStartup(code uint32, body []byte) (*startupPacket, error) {
	p := &startupPacket{version: code}
	if code>>16 != protocolMajor {
		return p, errs.New(errs.FeatureNotSupported,
			"unsupported frontend protocol %d.%d: server supports 3.0 to 3.%d", code>>16, code&0xFFFF, protocolMinorMax)
	}
	for {
		key, rest, err := cstring(body)
		if err == nil && key == "" {
			if len(rest) > 0 {
				break
			}
			return p, nil
		}
		if err != nil {
			break
		}
		value, rest, err := cstring(rest)
		if err != nil {
			break
		}
		body = rest
		if strings.HasPrefix(key, "_pq_.") {
			p.unknown = append(p.unknown, key)
			continue
		}
		p.settings = append(p.settings, sql.Setting{Name: key, Value: value})
	}
	return p, errs.New(errs.ProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
}

// login takes a connection from its startup packet to a session.
func (c *conn) login(p *startupPacket) error {
	if p.version&0xFFFF > protocolMinorMax || p.version&0xFFFF == 1 || len(p.unknown) > 0 {
		minor := min(p.version&0xFFFF, protocolMinorMax)
		if minor == 1 {
			minor = 0
		}
		c.out.send(&pgproto3.NegotiateProtocolVersion{
			NewestMinorProtocol: protocolMajor<<16 | minor, UnrecognizedOptions: p.unknown})
		p.version = protocolMajor<<16 | minor
	}
	user, settings, err := loginSettings(p)
	if err != nil {
		return err
	}
	if err := c.srv.admit(); err != nil {
		return err
	}
	if err := c.authenticate(user); err != nil {
		return err
	}
	sess, err := c.srv.Backend.NewSession(user, settings)
	if err != nil {
		return err
	}
	c.sess = sess
	secret := make([]byte, 4)
	if p.version == protocol32 {
		secret = make([]byte, 32)
	}
	if _, err := rand.Read(secret); err != nil {
		return fmt.Errorf("make cancel key: %w", err)
	}
	c.secret = secret
	if err := c.srv.register(c); err != nil {
		return err
	}
	for _, s := range sess.Parameters() {
		c.out.send(&pgproto3.ParameterStatus{Name: s.Name, Value: s.Value})
	}
	c.out.send(&pgproto3.BackendKeyData{ProcessID: sess.PID(), SecretKey: secret})
	c.in.max = maxBodySession
	c.ready()
	return c.out.flush()
}

// loginSettings checks user and database and gives the session's settings.
func loginSettings(p *startupPacket) (user string, settings []sql.Setting, err error) {
	user, _ = p.get("user")
	if user == "" {
		return "", nil, errs.New(errs.InvalidAuthorization, "no PostgreSQL user name specified in startup packet")
	}
	if db, ok := p.get("database"); ok && db != "" && db != "quern" {
		return "", nil, errs.New(errs.InvalidCatalogName, "database %q does not exist", db).
			WithHint("The only database is \"quern\".")
	}
	for _, s := range p.settings {
		switch strings.ToLower(s.Name) {
		case "user", "database":
		case "replication":
			switch strings.ToLower(s.Value) {
			case "", "0", "off", "no", "false", "f", "n":
			default:
				return "", nil, errs.NotSupported("replication")
			}
		case "options":
			more, err := splitOptions(s.Value)
			if err != nil {
				return "", nil, err
			}
			settings = append(settings, more...)
		default:
			settings = append(settings, s)
		}
	}
	return user, settings, nil
}

// splitOptions reads the startup key options: -c name=value and --name=value,
// separated by blanks, with backslash escapes.
func splitOptions(text string) ([]sql.Setting, error) {
	var words []string
	var word []byte
	in := false
	for i := 0; i < len(text); i++ {
		b := text[i]
		switch {
		case b == '\\' && i+1 < len(text):
			i++
			word, in = append(word, text[i]), true
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			if in {
				words, word, in = append(words, string(word)), nil, false
			}
		default:
			word, in = append(word, b), true
		}
	}
	if in {
		words = append(words, string(word))
	}
	var out []sql.Setting
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		default:
			return nil, errs.New(errs.Syntax, "invalid command-line argument for server process: %s", w)
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok || name == "" {
			return nil, errs.New(errs.Syntax, "-c %s requires a value", w)
		}
		out = append(out, sql.Setting{Name: strings.ReplaceAll(name, "-", "_"), Value: value})
	}
	return out, nil
}

// authenticate runs the login exchange and sends AuthenticationOk.
func (c *conn) authenticate(user string) error {
	if c.srv.Auth.Mode == auth.Trust {
		if err := c.srv.Auth.Trusted(user); err != nil {
			return err
		}
		c.out.send(&pgproto3.AuthenticationOk{})
		return nil
	}
	if err := c.srv.failures.wait(c.addr, user, c.deadline); err != nil {
		return err
	}
	err := c.scram(user)
	c.srv.failures.note(c.addr, user, err)
	if err != nil {
		return err
	}
	c.out.send(&pgproto3.AuthenticationOk{})
	return nil
}

func (c *conn) scram(user string) error {
	mechs := auth.Mechanisms(c.leaf)
	c.out.send(&pgproto3.AuthenticationSASL{AuthMechanisms: mechs})
	body, err := c.password()
	if err != nil {
		return err
	}
	var first pgproto3.SASLInitialResponse
	if err := first.Decode(body); err != nil {
		return errs.New(errs.ProtocolViolation, "malformed SASL message")
	}
	known := false
	for _, m := range mechs {
		known = known || m == first.AuthMechanism
	}
	if !known {
		return errs.New(errs.ProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	ex, err := c.srv.Auth.Begin(user, c.leaf)
	if err != nil {
		return err
	}
	reply, err := ex.Step(first.Data)
	if err != nil {
		return err
	}
	c.out.send(&pgproto3.AuthenticationSASLContinue{Data: reply})
	if body, err = c.password(); err != nil {
		return err
	}
	if reply, err = ex.Step(body); err != nil {
		return err
	}
	if err := ex.Result(); err != nil {
		return err
	}
	c.out.send(&pgproto3.AuthenticationSASLFinal{Data: reply})
	return nil
}

// password sends what is buffered and reads the answer 'p'.
func (c *conn) password() ([]byte, error) {
	if err := c.out.flush(); err != nil {
		return nil, errQuiet
	}
	typ, body, err := c.in.next()
	if fe := (*frameError)(nil); errors.As(err, &fe) {
		return nil, fe
	}
	if err != nil || typ == 'X' {
		return nil, errQuiet // psql hangs up here to ask for the password
	}
	if typ != 'p' {
		return nil, errs.New(errs.ProtocolViolation, "expected SASL response, got message type %d", typ)
	}
	return body, nil
}

// cancel acts on a CancelRequest; a wrong key does nothing.
func (s *Server) cancel(body []byte) {
	if len(body) < 8 {
		return
	}
	pid, key := binary.BigEndian.Uint32(body), body[4:]
	s.mu.Lock()
	c := s.conns[pid]
	s.mu.Unlock()
	if c == nil || subtle.ConstantTimeCompare(key, c.secret) != 1 {
		return
	}
	c.sess.Cancel()
}
