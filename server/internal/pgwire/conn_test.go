package pgwire

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"quern/server/internal/auth"
)

// client is a bare protocol client.
type client struct {
	t  testing.TB
	nc net.Conn
	fe *pgproto3.Frontend
	// key is BackendKeyData.
	pid uint32
	key []byte
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	return &client{t: t, nc: nc, fe: pgproto3.NewFrontend(nc, nc)}
}

// connect logs in under trust.
func connect(t testing.TB, addr string) *client {
	t.Helper()
	c := dial(t, addr)
	c.startup(196608, "user", "ann")
	if got := c.until('Z'); !strings.HasSuffix(got, "Z I") {
		t.Fatalf("login: %s", got)
	}
	return c
}

func (c *client) startup(version uint32, kv ...string) {
	body := binary.BigEndian.AppendUint32(nil, version)
	for _, s := range kv {
		body = append(append(body, s...), 0)
	}
	c.packet(append(body, 0))
}

func (c *client) packet(body []byte) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))
	if _, err := c.nc.Write(append(b, body...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) send(msgs ...pgproto3.FrontendMessage) {
	for _, m := range msgs {
		c.fe.Send(m)
	}
	if err := c.fe.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// until reads up to a message of the given type, or the end, and prints what
// came, one message a line.
func (c *client) until(end byte) string {
	var lines []string
	for {
		m, err := c.fe.Receive()
		if err != nil {
			return strings.Join(append(lines, "closed"), "\n")
		}
		lines = append(lines, c.line(m))
		if lines[len(lines)-1][0] == end {
			return strings.Join(lines, "\n")
		}
	}
}

func (c *client) line(m pgproto3.BackendMessage) string {
	switch m := m.(type) {
	case *pgproto3.ReadyForQuery:
		return "Z " + string(m.TxStatus)
	case *pgproto3.RowDescription:
		s := "T"
		for _, f := range m.Fields {
			s += fmt.Sprintf(" %s:%d/%d/%d f%d", f.Name, f.DataTypeOID, f.DataTypeSize, f.TypeModifier, f.Format)
		}
		return s
	case *pgproto3.DataRow:
		s := "D"
		for _, v := range m.Values {
			if v == nil {
				s += " NULL"
			} else {
				s += fmt.Sprintf(" %q", v)
			}
		}
		return s
	case *pgproto3.CommandComplete:
		return "C " + string(m.CommandTag)
	case *pgproto3.ErrorResponse:
		return fmt.Sprintf("E %s %s %s pos=%d", m.Severity, m.Code, m.Message, m.Position)
	case *pgproto3.NoticeResponse:
		return fmt.Sprintf("N %s %s %s", m.Severity, m.Code, m.Message)
	case *pgproto3.ParameterStatus:
		return "S " + m.Name + "=" + m.Value
	case *pgproto3.BackendKeyData:
		c.pid, c.key = m.ProcessID, append([]byte(nil), m.SecretKey...)
		return fmt.Sprintf("K %d", len(m.SecretKey))
	case *pgproto3.CopyData:
		return fmt.Sprintf("d %q", m.Data)
	case *pgproto3.ParameterDescription:
		return fmt.Sprintf("t %v", m.ParameterOIDs)
	case *pgproto3.NegotiateProtocolVersion:
		return fmt.Sprintf("v %d %v", m.NewestMinorProtocol, m.UnrecognizedOptions)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3.")
}

func query(s string) *pgproto3.Query { return &pgproto3.Query{String: s} }

func parse(name, text string) *pgproto3.Parse { return &pgproto3.Parse{Name: name, Query: text} }

func bind(portal, stmt string, params ...string) *pgproto3.Bind {
	b := &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: stmt}
	for _, p := range params {
		b.Parameters = append(b.Parameters, []byte(p))
	}
	return b
}

func exec(portal string, n uint32) *pgproto3.Execute {
	return &pgproto3.Execute{Portal: portal, MaxRows: n}
}

var syncMsg = &pgproto3.Sync{}

type sequence struct {
	name string
	send []pgproto3.FrontendMessage
	want string // replies up to as many Z as were asked for
}

var sequences = []sequence{
	{"empty", []pgproto3.FrontendMessage{query(" ; ")}, "EmptyQueryResponse\nZ I"},
	{"several statements", []pgproto3.FrontendMessage{query("select 1; select 2,3")},
		"T ?column?:23/4/-1 f0\nD \"1\"\nC SELECT 1\nT ?column?:23/4/-1 f0 ?column?:23/4/-1 f0\nD \"2\" \"3\"\nC SELECT 1\nZ I"},
	{"error stops the rest", []pgproto3.FrontendMessage{query("select 1; select 1/0; select 3")},
		"T ?column?:23/4/-1 f0\nD \"1\"\nC SELECT 1\nE ERROR 22012 division by zero pos=0\nZ I"},
	{"syntax error counts characters", []pgproto3.FrontendMessage{query("select 1; öé bad")},
		"E ERROR 42601 syntax error at or near \"bad\" pos=14\nZ I"},
	{"block", []pgproto3.FrontendMessage{query("begin"), query("select 1/0"), query("select 1"), query("commit")},
		"C BEGIN\nZ T\nE ERROR 22012 division by zero pos=0\nZ E\n" +
			"E ERROR 25P02 current transaction is aborted, commands ignored until end of transaction block pos=0\nZ E\nC COMMIT\nZ I"},
	{"warning before completion", []pgproto3.FrontendMessage{query("commit")},
		"N WARNING 25P01 there is no transaction in progress\nC COMMIT\nZ I"},
	{"changed parameter", []pgproto3.FrontendMessage{query("set TimeZone=Asia/Tokyo")}, "C SET\nS TimeZone=Asia/Tokyo\nZ I"},
	{"extended", []pgproto3.FrontendMessage{parse("", "select $1"), &pgproto3.Describe{ObjectType: 'S'}, bind("", "", "7"),
		&pgproto3.Describe{ObjectType: 'P'}, exec("", 0), syncMsg},
		"ParseComplete\nt [23]\nT ?column?:23/4/-1 f0\nBindComplete\nT ?column?:23/4/-1 f0\nD \"7\"\nC SELECT 1\nZ I"},
	{"empty statement", []pgproto3.FrontendMessage{parse("", ""), bind("", ""), &pgproto3.Describe{ObjectType: 'P'}, exec("", 0), syncMsg},
		"ParseComplete\nBindComplete\nNoData\nEmptyQueryResponse\nZ I"},
	{"row limit", []pgproto3.FrontendMessage{parse("", "series 5"), bind("", ""), exec("", 2), exec("", 2), exec("", 2), exec("", 2), syncMsg},
		"ParseComplete\nBindComplete\nD \"1\"\nD \"2\"\nPortalSuspended\nD \"3\"\nD \"4\"\nPortalSuspended\nD \"5\"\nC SELECT 1\nC SELECT 0\nZ I"},
	{"row limit exactly", []pgproto3.FrontendMessage{parse("", "series 3"), bind("", ""), exec("", 3), exec("", 3), syncMsg},
		"ParseComplete\nBindComplete\nD \"1\"\nD \"2\"\nD \"3\"\nPortalSuspended\nC SELECT 0\nZ I"},
	{"portal dies at Sync", []pgproto3.FrontendMessage{parse("", "series 5"), bind("p", ""), exec("p", 1), syncMsg, exec("p", 1), syncMsg},
		"ParseComplete\nBindComplete\nD \"1\"\nPortalSuspended\nZ I\nE ERROR 34000 portal \"p\" does not exist pos=0\nZ I"},
	{"portal lives in a block", []pgproto3.FrontendMessage{query("begin"), parse("", "series 2"), bind("p", ""), exec("p", 1), syncMsg,
		exec("p", 5), &pgproto3.Close{ObjectType: 'P', Name: "p"}, syncMsg, query("rollback")},
		"C BEGIN\nZ T\nParseComplete\nBindComplete\nD \"1\"\nPortalSuspended\nZ T\nD \"2\"\nC SELECT 1\nCloseComplete\nZ T\nC ROLLBACK\nZ I"},
	{"error skips to Sync", []pgproto3.FrontendMessage{parse("", "select 1/0"), bind("", ""), exec("", 0), parse("x", "select 1"),
		&pgproto3.Flush{}, syncMsg, bind("", "x"), syncMsg},
		"ParseComplete\nBindComplete\nE ERROR 22012 division by zero pos=0\nZ I\nE ERROR 26000 prepared statement \"x\" does not exist pos=0\nZ I"},
	{"wrong number of parameters", []pgproto3.FrontendMessage{parse("", "select $1"), bind("", ""), syncMsg},
		"ParseComplete\nE ERROR 08P01 bind message supplies 0 parameters, but prepared statement \"\" requires 1 pos=0\nZ I"},
	{"bad parameter", []pgproto3.FrontendMessage{parse("", "select $1"), bind("", "", "abc"), syncMsg},
		"ParseComplete\nE ERROR 22P02 invalid input syntax for type integer: \"abc\" pos=0\nZ I"},
	{"parameter not UTF-8", []pgproto3.FrontendMessage{parse("", "select $1"), bind("", "", "a\xc3("), syncMsg},
		"ParseComplete\nE ERROR 22021 invalid byte sequence for encoding \"UTF8\": 0xc3 0x28 pos=0\nZ I"},
	{"bad format code", []pgproto3.FrontendMessage{parse("", "select 1"),
		&pgproto3.Bind{ResultFormatCodes: []int16{2}}, syncMsg},
		"ParseComplete\nE ERROR 22023 unsupported format code: 2 pos=0\nZ I"},
	{"binary result", []pgproto3.FrontendMessage{parse("", "select 258"), &pgproto3.Bind{ResultFormatCodes: []int16{1}}, exec("", 0), syncMsg},
		"ParseComplete\nBindComplete\nD \"\\x00\\x00\\x01\\x02\"\nC SELECT 1\nZ I"},
	{"close unknown", []pgproto3.FrontendMessage{&pgproto3.Close{ObjectType: 'S', Name: "no"}, syncMsg}, "CloseComplete\nZ I"},
	{"function call", []pgproto3.FrontendMessage{&pgproto3.FunctionCall{}},
		"E ERROR 0A000 function call by protocol message is not supported pos=0\nZ I"},
	{"copy out", []pgproto3.FrontendMessage{query("copyout 2")},
		"CopyOutResponse\nd \"1\\n\"\nd \"2\\n\"\nCopyDone\nC COPY 2\nZ I"},
	{"copy out binary", []pgproto3.FrontendMessage{query("copyout 1 binary")},
		"CopyOutResponse\nd \"PGCOPY\\n\\xff\\r\\n\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\"\n" +
			"d \"\\x00\\x01\\x00\\x00\\x00\\x04\\x00\\x00\\x00\\x01\"\nd \"\\xff\\xff\"\nCopyDone\nC COPY 1\nZ I"},
	{"copy in", []pgproto3.FrontendMessage{query("select 1; copyin; select 2"), &pgproto3.CopyData{Data: []byte("1\n2")},
		&pgproto3.CopyData{}, &pgproto3.CopyData{Data: []byte("3\n")}, &pgproto3.CopyDone{}},
		"T ?column?:23/4/-1 f0\nD \"1\"\nC SELECT 1\nCopyInResponse\nC COPY 2\nT ?column?:23/4/-1 f0\nD \"2\"\nC SELECT 1\nZ I"},
	{"copy fail", []pgproto3.FrontendMessage{query("copyin"), &pgproto3.CopyFail{Message: "x"}},
		"CopyInResponse\nE ERROR 57014 COPY from stdin failed: x pos=0\nZ I"},
	{"copy bad data", []pgproto3.FrontendMessage{query("copyin"), &pgproto3.CopyData{Data: []byte("abc\n")}, &pgproto3.CopyDone{}},
		"CopyInResponse\nE ERROR 22P02 invalid input syntax for type integer: \"abc\" pos=0\nZ I"},
	{"copy in, Sync ahead", []pgproto3.FrontendMessage{parse("", "copyin"), bind("", ""), exec("", 0), syncMsg,
		&pgproto3.CopyData{Data: []byte("1\n")}, &pgproto3.CopyDone{}, syncMsg},
		"ParseComplete\nBindComplete\nCopyInResponse\nC COPY 1\nZ I"},
	{"copy, other message", []pgproto3.FrontendMessage{query("copyin"), query("select 1")},
		"CopyInResponse\nE ERROR 08P01 unexpected message type 0x51 during COPY from stdin pos=0\nZ I"},
	{"panic in a query", []pgproto3.FrontendMessage{query("panic"), query("select 1")},
		"E ERROR XX000 internal error; the server's log has the details pos=0\nZ I\nT ?column?:23/4/-1 f0\nD \"1\"\nC SELECT 1\nZ I"},
	{"panic in a pipeline", []pgproto3.FrontendMessage{parse("", "panic"), bind("", ""), exec("", 0), exec("", 0), syncMsg},
		"E ERROR XX000 internal error; the server's log has the details pos=0\nZ I"},
}

// TestSequences runs message sequences, each on a connection of its own and
// all again on one connection: no state may leak from one to the next.
func TestSequences(t *testing.T) {
	s := startFake(t, auth.Trust, nil)
	shared := connect(t, s.addr)
	for _, q := range sequences {
		t.Run(q.name, func(t *testing.T) {
			for _, c := range []*client{connect(t, s.addr), shared} {
				c.t = t
				c.send(q.send...)
				var got []string
				for range strings.Count("\n"+q.want, "\nZ ") {
					got = append(got, c.until('Z'))
				}
				if g := strings.Join(got, "\n"); g != q.want {
					t.Fatalf("got\n%s\nwant\n%s", g, q.want)
				}
			}
		})
	}
}

func TestFlushDelivers(t *testing.T) {
	s := startFake(t, auth.Trust, nil)
	c := connect(t, s.addr)
	c.send(parse("f", "select 1"), &pgproto3.Describe{ObjectType: 'S', Name: "f"}, &pgproto3.Flush{})
	if got := c.until('T'); !strings.HasSuffix(got, "T ?column?:23/4/-1 f0") {
		t.Fatal(got)
	}
	c.send(syncMsg)
	if got := c.until('Z'); got != "Z I" {
		t.Fatal(got)
	}
	// An error does not wait for Sync either.
	c.send(parse("", "bad"), &pgproto3.Flush{})
	if got := c.until('E'); !strings.HasPrefix(got, "E ERROR 42601") {
		t.Fatal(got)
	}
	c.send(syncMsg)
	if got := c.until('Z'); got != "Z I" {
		t.Fatal(got)
	}
}

func TestCancel(t *testing.T) {
	s := startFake(t, auth.Trust, nil)
	c := connect(t, s.addr)
	cancel := func(key []byte) {
		k := dial(t, s.addr)
		k.packet(append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, codeCancel), c.pid), key...))
		if _, err := k.nc.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("answer to a cancel request: %v", err)
		}
	}
	cancel(c.key) // idle: does nothing
	c.send(query("select 1"))
	if got := c.until('Z'); !strings.Contains(got, "C SELECT 1") {
		t.Fatal(got)
	}
	running := func() bool {
		for _, c := range s.sessions() {
			return c.running.Load()
		}
		return false
	}
	c.send(query("sleep"))
	waitFor(t, running) // a cancel that comes first hits nothing
	cancel([]byte("nope"))
	cancel(c.key)
	got := c.until('Z')
	if !strings.Contains(got, "E ERROR 57014 canceling statement due to user request") {
		t.Fatal(got)
	}
	// A COPY that waits for the client's bytes can be cancelled too.
	c.send(query("copyin"))
	if got := c.until('C'); got != "CopyInResponse" {
		t.Fatal(got)
	}
	cancel(c.key)
	if got := c.until('Z'); !strings.Contains(got, "57014") {
		t.Fatal(got)
	}
	c.send(query("select 1"))
	if got := c.until('Z'); !strings.Contains(got, "C SELECT 1") {
		t.Fatal(got)
	}
}

func TestShutdown(t *testing.T) {
	s := startFake(t, auth.Trust, nil)
	idle, busy := connect(t, s.addr), connect(t, s.addr)
	busy.send(query("sleep"))
	waitFor(t, func() bool {
		for _, c := range s.sessions() {
			if c.running.Load() {
				return true
			}
		}
		return false
	})
	done := make(chan struct{})
	stop := shutdownSoon(t, s.Server, done)
	defer stop()
	if got := idle.until('Z'); !strings.HasPrefix(got, "E FATAL 57P01") || !strings.HasSuffix(got, "closed") {
		t.Errorf("idle session: %s", got)
	}
	if got := busy.until('Z'); !strings.Contains(got, "57P01") {
		t.Errorf("busy session: %s", got)
	}
	<-done
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for range 2000 {
		if ok() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("gave up waiting")
}
