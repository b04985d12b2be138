package sql

import (
	"context"
	"strings"
	"time"

	"quern/sql/internal/advisory"
	"quern/storage/errs"
)

// errLockTimeout is what lock_timeout ends a wait with.
var errLockTimeout = errs.New(errs.LockNotAvailable, "canceling statement due to lock timeout")

// waiting is ctx with lock_timeout; why tells how a wait that failed ended.
func (s *Session) waiting(ctx context.Context) (_ context.Context, done context.CancelFunc, why func(error) error) {
	ms := s.millis("lock_timeout")
	if ms <= 0 {
		return ctx, func() {}, func(err error) error { return causeOf(ctx, err) }
	}
	wait, done := context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
	return wait, done, func(err error) error {
		if err != nil && ctx.Err() == nil && wait.Err() != nil {
			return errLockTimeout
		}
		return causeOf(ctx, err)
	}
}

// Advisory runs while the session's goroutine waits for the row.
func (v *sessionView) Advisory(name string, k advisory.Key) (bool, error) {
	s, locks := (*Session)(v), &v.db.advisory
	m := advisory.Mode{Shared: strings.HasSuffix(name, "_shared"), Tx: strings.Contains(name, "_xact_")}
	switch {
	case name == "pg_advisory_unlock_all":
		locks.Release(s.pid, false)
		return true, nil
	case strings.HasPrefix(name, "pg_advisory_unlock"):
		ok := locks.Unlock(s.pid, k, m.Shared)
		if !ok {
			kind := "ExclusiveLock"
			if m.Shared {
				kind = "ShareLock"
			}
			s.notice(warning(errs.Warning, "you don't own a lock of type "+kind))
		}
		return ok, nil
	case strings.HasPrefix(name, "pg_try_"):
		return locks.Try(s.pid, k, m), nil
	}
	ctx, done, why := s.waiting(s.generationCtx())
	defer done()
	return true, why(locks.Lock(ctx, s.pid, k, m))
}

// generationCtx is the context of the work that runs now.
func (s *Session) generationCtx() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		return context.Background()
	}
	return s.current()
}
