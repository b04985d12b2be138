// Package advisory is the table of advisory locks of one server: numbers that
// sessions agree to lock, without a meaning of their own.
//
// A lock is exclusive or shared; a session may take one several times and must
// give it back as often. A lock of a transaction ends with it. Waiters are woken
// by every release and look again.
package advisory

import (
	"context"
	"sync"
)

// Key is a lock's number: one of 64 bits, or two of 32 (Pair).
type Key struct {
	N    int64
	Pair bool
}

// Mode says how a lock is taken.
type Mode struct{ Shared, Tx bool }

// Table holds the locks. Safe for concurrent use; the zero Table is empty.
type Table struct {
	mu    sync.Mutex
	locks map[Key]map[holder]int // how often
	freed chan struct{}          // closed by the next release
}

type holder struct {
	session uint32
	mode    Mode
}

// Try takes a lock if nobody else stands in the way.
func (t *Table) Try(session uint32, k Key, m Mode) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for h := range t.locks[k] {
		if h.session != session && !(h.mode.Shared && m.Shared) {
			return false
		}
	}
	if t.locks == nil {
		t.locks = map[Key]map[holder]int{}
	}
	if t.locks[k] == nil {
		t.locks[k] = map[holder]int{}
	}
	t.locks[k][holder{session, m}]++
	return true
}

// Lock takes a lock, waiting for it as long as ctx lets it.
func (t *Table) Lock(ctx context.Context, session uint32, k Key, m Mode) error {
	for {
		t.mu.Lock()
		if t.freed == nil {
			t.freed = make(chan struct{})
		}
		freed := t.freed
		t.mu.Unlock()
		if t.Try(session, k, m) {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Unlock gives a lock of the session back once; false if it has none.
func (t *Table) Unlock(session uint32, k Key, shared bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := holder{session, Mode{Shared: shared}}
	n := t.locks[k][h]
	if n == 0 {
		return false
	}
	if n > 1 {
		t.locks[k][h] = n - 1
		return true
	}
	t.dropLocked(k, h)
	return true
}

// Release ends the locks of a session: those of its transaction, or all.
func (t *Table) Release(session uint32, tx bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, hs := range t.locks {
		for h := range hs {
			if h.session == session && h.mode.Tx == tx {
				t.dropLocked(k, h)
			}
		}
	}
}

func (t *Table) dropLocked(k Key, h holder) {
	delete(t.locks[k], h)
	if len(t.locks[k]) == 0 {
		delete(t.locks, k)
	}
	if t.freed != nil {
		close(t.freed)
		t.freed = nil
	}
}
