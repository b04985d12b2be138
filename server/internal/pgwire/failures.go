package pgwire

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"quern/storage/errs"
)

// failures slows down guessing: after a few failed logins of one role from one
// network the next ones wait, doubling. There is no lockout, which would let
// anybody lock anybody out. The zero value is ready.
type failures struct {
	mu   sync.Mutex
	seen map[failKey]failCount // guarded by mu
}

type failKey struct {
	net  netip.Prefix
	role string
}

type failCount struct {
	n    int
	last time.Time
}

const (
	failFree    = 3 // failures without a delay
	failDelay   = 100 * time.Millisecond
	failMax     = 3 * time.Second
	failKeep    = 10 * time.Minute
	failEntries = 10_000 // the map is emptied beyond
)

// wait sleeps as long as the role's earlier failures ask for, at most until
// the login's deadline.
func (f *failures) wait(addr net.Addr, role string, deadline time.Time) error {
	f.mu.Lock()
	c := f.seen[keyOf(addr, role)]
	f.mu.Unlock()
	if c.n < failFree {
		return nil
	}
	d := min(failDelay<<min(c.n-failFree, 10), failMax)
	if time.Now().Add(d).After(deadline) {
		return errs.New(errs.InvalidPassword, "password authentication failed for user %q", role)
	}
	time.Sleep(d)
	return nil
}

// note counts a failed login and forgets them at a successful one.
func (f *failures) note(addr net.Addr, role string, err error) {
	k := keyOf(addr, role)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch errs.CodeOf(err) {
	case errs.Success:
		delete(f.seen, k)
	case errs.InvalidPassword:
		if f.seen == nil || len(f.seen) >= failEntries {
			f.seen = map[failKey]failCount{}
		}
		c := f.seen[k]
		f.seen[k] = failCount{c.n + 1, time.Now()}
	}
}

// sweep forgets old failures.
func (f *failures) sweep() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, c := range f.seen {
		if time.Since(c.last) > failKeep {
			delete(f.seen, k)
		}
	}
}

// keyOf is the role and the client's /24 or /64.
func keyOf(addr net.Addr, role string) failKey {
	k := failKey{role: role}
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return k
	}
	ip, bits := ap.Addr().Unmap(), 64
	if ip.Is4() {
		bits = 24
	}
	if p, err := ip.Prefix(bits); err == nil {
		k.net = p
	}
	return k
}
