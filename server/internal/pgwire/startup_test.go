package pgwire

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"quern/server/internal/auth"
	"quern/sql"
)

func shutdownSoon(t *testing.T, s *Server, done chan struct{}) (wait func()) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		s.Shutdown(ctx)
		close(done)
	})
	return wg.Wait
}

func TestStartup(t *testing.T) {
	s := startFake(t, auth.Trust, func(o *Options) { o.MaxConnections = 3 })
	for _, c := range []struct {
		name    string
		version uint32
		kv      []string
		want    string // substring of all replies
	}{
		{"plain", 196608, []string{"user", "ann"}, "AuthenticationOk\nS server_version=15.18\nS TimeZone=UTC\nK 4\nZ I"},
		{"3.2", 196610, []string{"user", "ann", "database", "quern"}, "K 32\nZ I"},
		{"3.9", 196608 + 9, []string{"user", "ann"}, "v 196610 []\nAuthenticationOk"},
		{"option", 196608, []string{"user", "ann", "_pq_.x", "1"}, "v 196608 [_pq_.x]\nAuthenticationOk"},
		{"no user", 196608, []string{"database", "quern"}, "E FATAL 28000 no PostgreSQL user name specified in startup packet pos=0\nclosed"},
		{"no such role", 196608, []string{"user", "bob"}, "E FATAL 28000 role \"bob\" does not exist pos=0\nclosed"},
		{"database", 196608, []string{"user", "ann", "database", "x"}, "E FATAL 3D000 database \"x\" does not exist pos=0\nclosed"},
		{"replication", 196608, []string{"user", "ann", "replication", "database"}, "E FATAL 0A000"},
		{"no replication", 196608, []string{"user", "ann", "replication", "false"}, "Z I"},
		{"unknown setting", 196608, []string{"user", "ann", "options", `-c nope=1`}, "E FATAL 42704"},
		{"version 2", 2 << 16, []string{"user", "ann"}, "E FATAL 0A000 unsupported frontend protocol 2.0: server supports 3.0 to 3.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := dial(t, s.addr)
			cl.startup(c.version, c.kv...)
			if got := cl.until('Z'); !strings.Contains(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			cl.nc.Close()
			waitFor(t, func() bool { return s.Connections() == 0 })
		})
	}
}

func TestTooManyConnections(t *testing.T) {
	s := startFake(t, auth.Trust, func(o *Options) { o.MaxConnections = 2 })
	connect(t, s.addr)
	connect(t, s.addr)
	c := dial(t, s.addr)
	c.startup(196608, "user", "ann")
	if got := c.until('Z'); got != "E FATAL 53300 sorry, too many clients already pos=0\nclosed" {
		t.Fatal(got)
	}
}

func TestSSLRequests(t *testing.T) {
	s := startFake(t, auth.Trust, nil)
	ask := func(c *client, code uint32) byte {
		c.packet(binary.BigEndian.AppendUint32(nil, code))
		var b [1]byte
		_, _ = c.nc.Read(b[:])
		return b[0]
	}
	c := dial(t, s.addr)
	if a, b := ask(c, codeGSS), ask(c, codeSSL); a != 'N' || b != 'N' {
		t.Fatalf("answers %q %q", a, b)
	}
	c.startup(196608, "user", "ann")
	if got := c.until('Z'); !strings.HasSuffix(got, "Z I") {
		t.Fatal(got)
	}
	c = dial(t, s.addr)
	if a, b := ask(c, codeSSL), ask(c, codeSSL); a != 'N' || b != 0 {
		t.Fatalf("a second SSLRequest was answered: %q %q", a, b)
	}
	for _, bad := range [][]byte{{0, 0, 0, 3, 0, 0, 0, 0}, {0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0}, []byte("GET / HTTP/1.1\r\n\r\n")} {
		c = dial(t, s.addr)
		_, _ = c.nc.Write(bad)
		if got := c.until('Z'); got != "closed" {
			t.Fatalf("%q: %s", bad, got)
		}
	}
}

func TestHostileLengths(t *testing.T) {
	s := startFake(t, auth.Trust, nil)
	for _, bad := range [][]byte{{'Q', 0x7f, 0xff, 0xff, 0xff}, {'Q', 0, 0, 0, 3}, {'P', 0xff, 0xff, 0xff, 0xff}, {'@', 'R', 'S', 'Y', 'N'}} {
		c := connect(t, s.addr)
		_, _ = c.nc.Write(bad)
		if got := c.until('Z'); !strings.HasPrefix(got, "E FATAL 08P01") || !strings.HasSuffix(got, "closed") {
			t.Errorf("%q: %s", bad, got)
		}
	}
}

// TestDrivers logs in with a real driver: SCRAM, wrong passwords, TLS with
// channel binding, direct TLS.
func TestDrivers(t *testing.T) {
	cert := selfSigned(t)
	s := startFake(t, auth.Scram, func(o *Options) { o.Cert = func() *tls.Certificate { return cert } })
	for _, c := range []struct {
		name, dsn, fails string
	}{
		{"plain", "user=ann password=secret sslmode=disable", ""},
		{"tls", "user=ann password=secret sslmode=require", ""},
		{"binding", "user=ann password=secret sslmode=require channel_binding=require", ""},
		{"direct", "user=ann password=secret sslmode=require sslnegotiation=direct", ""},
		{"wrong", "user=ann password=nope sslmode=disable", "28P01"},
		{"unknown role", "user=bob password=secret sslmode=disable", "28P01"},
		{"no password", "user=ann sslmode=disable", "28P01"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			host, port, _ := strings.Cut(s.addr, ":")
			conn, err := pgx.Connect(ctx, c.dsn+" database=quern host="+host+" port="+port)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) && c.name != "no password" {
					t.Fatalf("error %v, want %s", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(ctx)
			var n int32
			if err := conn.QueryRow(ctx, "select $1", int32(41)).Scan(&n); err != nil || n != 41 {
				t.Fatalf("%d, %v", n, err)
			}
		})
	}
}

func selfSigned(t *testing.T) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestSplitOptions(t *testing.T) {
	got, err := splitOptions(`-c a=1  --b-c=x\ y -cd=\\`)
	want := []sql.Setting{{Name: "a", Value: "1"}, {Name: "b_c", Value: "x y"}, {Name: "d", Value: `\`}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("%v %v", got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
	for _, bad := range []string{"-x", "-c a", "--=1"} {
		if _, err := splitOptions(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestIdleTimeouts(t *testing.T) {
	s := startFake(t, auth.Trust, nil)
	s.backend.settings["idle_in_transaction_session_timeout"] = "20ms"
	c := connect(t, s.addr)
	c.send(query("begin"))
	c.until('Z')
	if got := c.until('Z'); !strings.HasPrefix(got, "E FATAL 25P03") {
		t.Fatal(got)
	}
	for text, want := range map[string]time.Duration{"5": 5 * time.Millisecond, "2s": 2 * time.Second,
		"3min": 3 * time.Minute, "1h": time.Hour, "1d": 24 * time.Hour, "x": 0} {
		if got := parseTimeout(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestHangUpCancels(t *testing.T) {
	s := startFake(t, auth.Trust, nil)
	c := connect(t, s.addr)
	c.send(query("sleep"))
	waitFor(t, func() bool {
		for _, c := range s.sessions() {
			return c.running.Load()
		}
		return false
	})
	_ = c.nc.Close()
	waitFor(t, func() bool { return s.Connections() == 0 }) // the watch ticks each second
}

func TestLoginSlots(t *testing.T) {
	s := New(Options{})
	defer s.stop()
	far, here := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}
	var last func()
	for i := range unauthPerAddr {
		release, ok := s.loginSlot(far)
		if !ok {
			t.Fatalf("connection %d was refused", i)
		}
		last = release
	}
	if _, ok := s.loginSlot(far); ok {
		t.Error("no limit per address")
	}
	if _, ok := s.loginSlot(here); !ok {
		t.Error("loopback is limited")
	}
	last()
	if _, ok := s.loginSlot(far); !ok {
		t.Error("a slot was not given back")
	}
}
