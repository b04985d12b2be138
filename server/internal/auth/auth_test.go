package auth

import (
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"quern/storage/errs"
)

func newAuth(t *testing.T, roles ...*Role) *Auth {
	t.Helper()
	a, err := New(Scram, func(name string) Role {
		for _, r := range roles {
			if r.Name == name {
				return *r
			}
		}
		return Role{Name: name}
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func verifier(t *testing.T, pw string) string {
	t.Helper()
	v, err := NewVerifier(pw)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// login runs the client's side of the exchange.
func login(t *testing.T, a *Auth, name, pw string) error {
	t.Helper()
	client, err := scram.SHA256.NewClient("", pw, "") // as libpq: no name inside
	if err != nil {
		t.Fatal(err)
	}
	conv := client.NewConversation()
	ex, err := a.Begin(name, nil)
	if err != nil {
		t.Fatal(err)
	}
	msg := ""
	for !ex.Done() {
		out, err := conv.Step(msg)
		if err != nil {
			return err
		}
		reply, err := ex.Step([]byte(out))
		if err != nil {
			return err
		}
		msg = string(reply)
	}
	return ex.Result()
}

func TestScram(t *testing.T) {
	ann := &Role{Name: "ann", Exists: true, CanLogin: true, Verifier: verifier(t, "secret")}
	group := &Role{Name: "grp", Exists: true, Verifier: verifier(t, "secret")}
	none := &Role{Name: "none", Exists: true, CanLogin: true}
	a := newAuth(t, ann, group, none)
	for _, c := range []struct {
		name, pw string
		code     errs.Code
	}{
		{"ann", "secret", errs.Success},
		{"ann", "wrong", errs.InvalidPassword},
		{"bob", "secret", errs.InvalidPassword},
		{"none", "secret", errs.InvalidPassword},
		{"grp", "secret", errs.InvalidAuthorization},
	} {
		err := login(t, a, c.name, c.pw)
		if errs.CodeOf(err) != c.code {
			t.Errorf("%s/%s: %v, want %s", c.name, c.pw, err, c.code)
		}
		if c.code == errs.InvalidPassword && err.Error() != Failed(c.name).Msg {
			t.Errorf("%s/%s: message %q", c.name, c.pw, err)
		}
		err = a.Password(c.name, c.pw)
		if errs.CodeOf(err) != c.code {
			t.Errorf("Basic %s/%s: %v, want %s", c.name, c.pw, err, c.code)
		}
		if again := a.Password(c.name, c.pw); errs.CodeOf(again) != c.code {
			t.Errorf("Basic again %s/%s: %v", c.name, c.pw, again)
		}
	}
}

// TestCacheFollowsVerifier: after a password change the old one must not be
// remembered.
func TestCacheFollowsVerifier(t *testing.T) {
	ann := &Role{Name: "ann", Exists: true, CanLogin: true, Verifier: verifier(t, "one")}
	a := newAuth(t, ann)
	if err := a.Password("ann", "one"); err != nil {
		t.Fatal(err)
	}
	ann.Verifier = verifier(t, "two")
	if err := a.Password("ann", "one"); errs.CodeOf(err) != errs.InvalidPassword {
		t.Fatalf("old password still works: %v", err)
	}
}

func TestUnknownRoleSaltIsStable(t *testing.T) {
	a := newAuth(t)
	salt := func(name string) string { return mockCredentials(a.secret, name).Salt }
	if again := salt("x"); again != salt("x") || again == salt("y") {
		t.Fatal("mock salts must depend on the name only")
	}
}

func TestVerifierForm(t *testing.T) {
	// From a PostgreSQL 15 server: CREATE ROLE … PASSWORD 'secret'.
	pg := "SCRAM-SHA-256$4096:2ktUJsGqZ1a9Ih0zXZD9wg==$"
	if ValidVerifier(pg) || ValidVerifier("md5abc") || ValidVerifier("") {
		t.Error("accepted a broken verifier")
	}
	v := verifier(t, "pencil")
	if !strings.HasPrefix(v, "SCRAM-SHA-256$16384:") || !ValidVerifier(v) {
		t.Errorf("verifier %q", v)
	}
	c, _ := parseVerifier(v)
	if formatVerifier(c) != v {
		t.Error("parse and format disagree")
	}
}

func TestCheckListen(t *testing.T) {
	for _, c := range []struct {
		addr          string
		mode          Mode
		tls, insecure bool
		ok            bool
	}{
		{"127.0.0.1:1", Trust, false, false, true},
		{"[::1]:1", Scram, false, false, true},
		{"localhost:1", Trust, false, false, true},
		{"0.0.0.0:1", Trust, true, true, false},
		{":1", Scram, false, false, false},
		{":1", Scram, false, true, true},
		{"10.0.0.1:1", Scram, true, false, true},
		{"nonsense", Scram, true, false, false},
	} {
		if err := CheckListen(c.addr, c.mode, c.tls, c.insecure); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
