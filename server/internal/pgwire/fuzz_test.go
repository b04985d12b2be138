package pgwire

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"quern/server/internal/auth"
)

// memConn is a client that sends fixed bytes and takes everything.
type memConn struct {
	in  []byte
	out []byte
}

func (m *memConn) Read(p []byte) (int, error) {
	if len(m.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.in)
	m.in = m.in[n:]
	return n, nil
}

func (m *memConn) Write(p []byte) (int, error)      { m.out = append(m.out, p...); return len(p), nil }
func (m *memConn) Close() error                     { return nil }
func (m *memConn) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (m *memConn) RemoteAddr() net.Addr             { return m.LocalAddr() }
func (m *memConn) SetDeadline(time.Time) error      { return nil }
func (m *memConn) SetReadDeadline(time.Time) error  { return nil }
func (m *memConn) SetWriteDeadline(time.Time) error { return nil }

var fuzzAuth = sync.OnceValue(func() *auth.Auth {
	a, err := auth.New(auth.Trust, func(name string) auth.Role {
		return auth.Role{Name: name, Exists: name == "ann", CanLogin: true}
	})
	if err != nil {
		panic(err)
	}
	return a
})

// runBytes serves one client that sends these bytes. It returns the number of
// sessions that were opened, or -1 if time ran out.
func runBytes(t *testing.T, in []byte) (sessions int) {
	t.Helper()
	fb := &fakeBackend{}
	s := New(Options{Backend: fb, Auth: fuzzAuth(), Copy: fakeCopy, Log: slog.New(slog.DiscardHandler)})
	defer s.stop()
	m := &memConn{in: in}
	ctx, cancel := context.WithTimeout(s.base, 20*time.Millisecond) // ends "sleep"
	defer cancel()
	c := newConn(s, m)
	c.serve(ctx)
	c.close()
	if o, cl := fb.opened.Load(), fb.closed.Load(); o != cl {
		t.Fatalf("%d sessions opened, %d closed", o, cl)
	}
	checkFraming(t, m.out)
	if ctx.Err() != nil {
		return -1 // a slow machine, or a sleep
	}
	return int(fb.opened.Load())
}

// checkFraming: what is sent is a sequence of whole messages.
func checkFraming(t *testing.T, b []byte) {
	t.Helper()
	for len(b) > 0 && b[0] == 'N' && (len(b) < 5 || binary.BigEndian.Uint32(b[1:]) > 1<<20) {
		b = b[1:] // the one-byte answer to SSLRequest and GSSENCRequest
	}
	for len(b) > 0 {
		if len(b) < 5 {
			t.Fatalf("a broken message at the end: %q", b)
		}
		n := int(binary.BigEndian.Uint32(b[1:])) + 1
		if n < 5 || n > len(b) {
			t.Fatalf("message %q has length %d, %d bytes are left", b[0], n, len(b))
		}
		b = b[n:]
	}
}

// startupPacketBytes is a startup packet of a version with keys and values.
func startupPacketBytes(version uint32, kv ...string) []byte {
	body := binary.BigEndian.AppendUint32(nil, version)
	for _, s := range kv {
		body = append(append(body, s...), 0)
	}
	body = append(body, 0)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
}

var startupBytes = startupPacketBytes(196608, "user", "ann")

func FuzzWireStartup(f *testing.F) {
	f.Add(startupBytes)
	f.Add(append([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2f\x00\x00\x00\x08\x04\xd2\x16\x30"), startupPacketBytes(196617, "user", "ann")...))
	f.Add([]byte("\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01abcd"))
	f.Add([]byte("\x16\x03\x01"))
	f.Add([]byte("\x00\x00\x27\x10\x00\x03\x00\x00"))
	f.Add(startupPacketBytes(196608, "user", "ann", "options", `-c a=\ b`, "_pq_.x", "1"))
	f.Fuzz(func(t *testing.T, in []byte) { runBytes(t, in) })
}

// FuzzWireSession feeds random messages to a logged-in session: never a panic,
// a leak or a broken message, and one Z for each Q and Sync that was reached.
func FuzzWireSession(f *testing.F) {
	for _, q := range sequences {
		var b []byte
		for _, m := range q.send {
			b, _ = m.Encode(b)
		}
		f.Add(b)
	}
	f.Add([]byte("Q\x00\x00\x00\x0aselect"))
	f.Fuzz(func(t *testing.T, in []byte) {
		if runBytes(t, append(append([]byte(nil), startupBytes...), in...)) == 0 {
			t.Fatal("no session was opened")
		}
	})
}
