package main

import (
	"net"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// rawConn speaks the protocol and keeps every message's bytes.
type rawConn struct {
	conn net.Conn
	f    *pgproto3.Frontend
}

// rawTimeout bounds one statement.
const rawTimeout = 60 * time.Second

func dialRaw(server, user string) (*rawConn, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	c := &rawConn{conn: conn, f: pgproto3.NewFrontend(conn, conn)}
	c.f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": user, "database": "quern"}})
	if err := c.f.Flush(); err != nil {
		return nil, err
	}
	_, err = c.untilReady()
	return c, err
}

// query sends one simple query and gives the bytes of all messages up to and
// including ReadyForQuery.
func (c *rawConn) query(sql string) ([][]byte, error) {
	c.f.Send(&pgproto3.Query{String: sql})
	if err := c.f.Flush(); err != nil {
		return nil, err
	}
	return c.untilReady()
}

func (c *rawConn) untilReady() ([][]byte, error) {
	_ = c.conn.SetDeadline(time.Now().Add(rawTimeout))
	var out [][]byte
	for {
		m, err := c.f.Receive()
		if err != nil {
			return out, err
		}
		b, err := m.Encode(nil)
		if err != nil {
			return out, err
		}
		out = append(out, b)
		if _, ok := m.(*pgproto3.ReadyForQuery); ok {
			return out, nil
		}
	}
}

func (c *rawConn) close() {
	c.f.Send(&pgproto3.Terminate{})
	_ = c.f.Flush()
	_ = c.conn.Close()
}
