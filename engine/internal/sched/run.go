package sched

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// errAbandoned ends workers whose query has failed elsewhere; it never leaves
// this package.
var errAbandoned = errors.New("abandoned")

// Body processes one morsel. It runs concurrently for different workers, never
// for the same one.
type Body func(ctx context.Context, worker, morsel int) error

// Run calls body for the morsels 0..morsels-1, handed out in order to at most
// workers workers, and returns after all of them have ended. The first error
// stops the others; of several, the one of the lowest morsel is returned.
func Run(ctx context.Context, workers, morsels int, body Body) error {
	if morsels < 2 || workers < 2 {
		for m := range morsels {
			if err := CheckCancel(ctx); err != nil {
				return err
			}
			if err := guard(func() error { return body(ctx, 0, m) }); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errAbandoned)
	var (
		wg   sync.WaitGroup
		next atomic.Int64
		mu   sync.Mutex
		at   int
		res  error // of morsel at
	)
	fail := func(m int, err error) {
		if errors.Is(err, errAbandoned) {
			return
		}
		mu.Lock()
		if res == nil || m < at {
			at, res = m, err
		}
		mu.Unlock()
		cancel(errAbandoned)
	}
	for w := range min(workers, morsels) {
		wg.Go(func() {
			for {
				m := int(next.Add(1)) - 1
				if m >= morsels {
					return
				}
				if err := CheckCancel(ctx); err != nil {
					fail(m, err)
					return
				}
				if err := guard(func() error { return body(ctx, w, m) }); err != nil {
					fail(m, err)
					return
				}
			}
		})
	}
	wg.Wait()
	return res
}
