// Package auth answers "who is this connection": a role's password over SCRAM
// (the wire) or Basic (HTTP), or trust on loopback, becomes a role of the
// catalog.
//
//	wire:  Begin(role) ─► SCRAM.Step ×2 ─► Result       HTTP: Password(role, pw)
//
// A role that is unknown, may not log in or has no password runs the same
// exchange with credentials derived from a secret of the process, and fails at
// the proof: name, message and time tell nothing. It is the only importer of
// xdg-go/scram. It keeps no role: definitions are read from the catalog for
// each login.
package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"sync"

	"github.com/xdg-go/scram"

	"quern/storage/errs"
)

// Mode says how a role proves itself.
type Mode string

// Modes. Trust is for loopback only; the server refuses it elsewhere.
const (
	Scram Mode = "scram"
	Trust Mode = "trust"
)

// Role is what a login needs to know of a role.
type Role struct {
	Name     string
	Exists   bool
	CanLogin bool   // LOGIN, and VALID UNTIL not passed
	Verifier string // SCRAM-SHA-256$…, empty if the role has no password
}

// Roles finds a role by name in the current catalog.
type Roles func(name string) Role

// Auth checks logins. Safe for concurrent use.
type Auth struct {
	Mode   Mode
	roles  Roles
	secret []byte // of this process: mock salts and the cache's keys

	mu    sync.Mutex
	known map[[sha256.Size]byte]struct{} // successful Basic checks; guarded by mu
}

// cacheMax bounds the cache of successful Basic checks; when it is full it
// starts anew (32 B an entry).
const cacheMax = 4096

// New returns an Auth that reads roles through roles.
func New(mode Mode, roles Roles) (*Auth, error) {
	a := &Auth{Mode: mode, roles: roles, secret: make([]byte, 32),
		known: map[[sha256.Size]byte]struct{}{}}
	if _, err := rand.Read(a.secret); err != nil {
		return nil, fmt.Errorf("make authentication secret: %w", err)
	}
	return a, nil
}

// Failed is the one answer to every failed login.
func Failed(role string) *errs.Error {
	return errs.New(errs.InvalidPassword, "password authentication failed for user %q", role)
}

// Trusted checks a login under trust: the role must exist and may log in.
func (a *Auth) Trusted(name string) error {
	r := a.roles(name)
	if !r.Exists {
		return errs.New(errs.InvalidAuthorization, "role %q does not exist", name)
	}
	return mayLogin(&r)
}

func mayLogin(r *Role) error {
	if !r.CanLogin {
		return errs.New(errs.InvalidAuthorization, "role %q is not permitted to log in", r.Name)
	}
	return nil
}

// credentials are the role's, or mock ones that no password opens.
func (a *Auth) credentials(r *Role, name string) (c scram.StoredCredentials, real bool) {
	if r.Exists {
		if c, ok := parseVerifier(r.Verifier); ok {
			return c, true
		}
	}
	return mockCredentials(a.secret, name), false
}

// Password checks a clear password (HTTP Basic) in the same time for every
// kind of failure. A success is remembered by hash, bound to the verifier that
// it was checked against, so the second request costs one HMAC.
func (a *Auth) Password(name, password string) error {
	r := a.roles(name)
	c, real := a.credentials(&r, name)
	key := a.cacheKey(name, password, r.Verifier)
	if real && a.cached(key) {
		return mayLogin(&r)
	}
	got, err := derive(password, c.Salt, c.Iters)
	if err != nil || subtle.ConstantTimeCompare(got.StoredKey, c.StoredKey) != 1 || !real {
		return Failed(name)
	}
	a.remember(key)
	return mayLogin(&r)
}

func (a *Auth) cacheKey(parts ...string) (k [sha256.Size]byte) {
	m := hmac.New(sha256.New, a.secret)
	for _, p := range parts {
		fmt.Fprintf(m, "%d:%s", len(p), p)
	}
	m.Sum(k[:0])
	return k
}

func (a *Auth) cached(k [sha256.Size]byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.known[k]
	return ok
}

func (a *Auth) remember(k [sha256.Size]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= cacheMax {
		clear(a.known)
	}
	a.known[k] = struct{}{}
}
