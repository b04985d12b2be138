package sched

import (
	"context"
	"errors"
	"iter"
	"sync"

	"quern/storage/vec"
)

// Emit hands a batch on. The batch belongs to the caller again on return. An
// error must be returned by whoever emits, as it is.
type Emit func(b *vec.Batch) error

// errStop is what Emit returns when nobody wants more rows.
var errStop = errors.New("stopped")

// StreamBody produces the batches of one morsel.
type StreamBody func(ctx context.Context, worker, morsel int, emit Emit) error

// Stream is a stream of batches in morsel order. Not for concurrent use.
type Stream struct {
	next func(ctx context.Context, dst *vec.Batch) (int, error)
	stop func()
	err  error
	done bool
}

// Bounds of what workers may produce before it is consumed.
const (
	windowPerWorker = 2  // morsels
	queueBatches    = 16 // batches of one morsel
)

// NewStream starts nothing before the first Next. hold, if not nil, accounts
// for the batches that wait.
func NewStream(ctx context.Context, workers, morsels int, hold *Account, body StreamBody) *Stream {
	if workers < 2 || morsels < 2 {
		return inlineStream(ctx, morsels, body)
	}
	return parallelStream(ctx, min(workers, morsels), morsels, hold, body)
}

// Next fills dst and returns its live rows, 0 at the end. dst is valid until
// the next call. Cancelling ctx ends the stream.
func (s *Stream) Next(ctx context.Context, dst *vec.Batch) (int, error) {
	if s.err != nil || s.done {
		return 0, s.err
	}
	n, err := s.next(ctx, dst)
	if err != nil {
		s.err = err
	}
	if n == 0 {
		s.Close()
	}
	return n, err
}

// Close stops the workers and waits for them. It may be called more than once.
func (s *Stream) Close() {
	if !s.done {
		s.done = true
		s.stop()
	}
}

// inlineStream runs the morsels on the caller's goroutine, as a coroutine:
// batches need no copy.
func inlineStream(ctx context.Context, morsels int, body StreamBody) *Stream {
	ctx, cancel := context.WithCancelCause(ctx)
	seq := func(yield func(*vec.Batch, error) bool) {
		emit := func(b *vec.Batch) error {
			if b.Rows() == 0 {
				return nil
			}
			if err := CheckCancel(ctx); err != nil {
				return err
			}
			if !yield(b, nil) {
				return errStop
			}
			return nil
		}
		for m := range morsels {
			err := CheckCancel(ctx)
			if err == nil {
				err = guard(func() error { return body(ctx, 0, m, emit) })
			}
			if err == errStop {
				return
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
	next, stop := iter.Pull2(seq)
	return &Stream{
		next: func(caller context.Context, dst *vec.Batch) (int, error) {
			defer watch(caller, cancel)()
			b, err, ok := next()
			if !ok || err != nil {
				return 0, err
			}
			*dst = *b
			return b.Rows(), nil
		},
		stop: func() {
			stop()
			cancel(errAbandoned)
		},
	}
}

// watch ends the stream when the caller of Next gives up.
func watch(ctx context.Context, cancel context.CancelCauseFunc) func() bool {
	if ctx.Done() == nil {
		return func() bool { return false }
	}
	return context.AfterFunc(ctx, func() { cancel(CheckCancel(ctx)) })
}

// ordered is the state of a parallel stream.
type ordered struct {
	mu      sync.Mutex
	cond    *sync.Cond
	slots   []slot // ring by morsel
	head    int    // morsel being consumed
	taken   int    // morsels handed out
	stopped bool
	hold    *Account
	waiting int64 // bytes of queued batches
}

type slot struct {
	queue []*vec.Batch
	done  bool
	err   error
}

func parallelStream(ctx context.Context, workers, morsels int, hold *Account, body StreamBody) *Stream {
	ctx, cancel := context.WithCancelCause(ctx)
	o := &ordered{slots: make([]slot, windowPerWorker*workers), hold: hold}
	o.cond = sync.NewCond(&o.mu)
	var wg sync.WaitGroup
	wake := func() bool { return false }
	started := false
	start := func() {
		started = true
		wake = context.AfterFunc(ctx, func() {
			o.mu.Lock()
			o.stopped = true
			o.mu.Unlock()
			o.cond.Broadcast()
		})
		for w := range workers {
			wg.Go(func() { o.work(ctx, w, morsels, body) })
		}
	}
	return &Stream{
		next: func(caller context.Context, dst *vec.Batch) (int, error) {
			if !started {
				start()
			}
			defer watch(caller, cancel)()
			return o.take(ctx, morsels, dst)
		},
		stop: func() {
			cancel(errAbandoned)
			o.mu.Lock()
			o.stopped = true
			o.mu.Unlock()
			o.cond.Broadcast()
			wg.Wait()
			wake()
			if hold != nil {
				hold.Close()
			}
		},
	}
}

func (o *ordered) work(ctx context.Context, w, morsels int, body StreamBody) {
	for {
		o.mu.Lock()
		for !o.stopped && o.taken < morsels && o.taken >= o.head+len(o.slots) {
			o.cond.Wait()
		}
		if o.stopped || o.taken >= morsels {
			o.mu.Unlock()
			return
		}
		m := o.taken
		o.taken++
		o.mu.Unlock()
		err := CheckCancel(ctx)
		if err == nil {
			err = guard(func() error {
				return body(ctx, w, m, func(b *vec.Batch) error { return o.put(ctx, m, b) })
			})
		}
		o.mu.Lock()
		s := &o.slots[m%len(o.slots)]
		s.done = true
		if err != nil && err != errStop {
			s.err = err
		}
		o.mu.Unlock()
		o.cond.Broadcast()
		if err != nil {
			return
		}
	}
}

func (o *ordered) put(ctx context.Context, m int, b *vec.Batch) error {
	if b.Rows() == 0 {
		return nil
	}
	if err := CheckCancel(ctx); err != nil {
		return err
	}
	c, size := copyBatch(b)
	o.mu.Lock()
	defer o.mu.Unlock()
	s := &o.slots[m%len(o.slots)]
	for !o.stopped && (len(s.queue) >= queueBatches || !o.room(m, len(s.queue), size)) {
		o.cond.Wait()
	}
	if o.stopped {
		return errStop
	}
	o.waiting += size
	s.queue = append(s.queue, c)
	if m == o.head {
		o.cond.Broadcast()
	}
	return nil
}

// room accounts for a batch that is about to wait. Without memory for it, only
// the morsel being consumed goes on, one batch at a time.
func (o *ordered) room(m, queued int, size int64) bool {
	if o.hold == nil || o.hold.Set(o.waiting+size) == nil {
		return true
	}
	if m == o.head && queued == 0 {
		o.hold.Force(o.waiting + size)
		return true
	}
	return false
}

// take waits for the next batch in order.
func (o *ordered) take(ctx context.Context, morsels int, dst *vec.Batch) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		if err := CheckCancel(ctx); err != nil {
			return 0, err
		}
		if o.head >= morsels {
			return 0, nil
		}
		s := &o.slots[o.head%len(o.slots)]
		switch {
		case len(s.queue) > 0:
			b := s.queue[0]
			s.queue[0] = nil
			s.queue = s.queue[1:]
			*dst = *b
			o.waiting -= batchSize(b)
			o.cond.Broadcast()
			return b.Len, nil
		case s.err != nil:
			return 0, s.err
		case s.done:
			*s = slot{}
			o.head++
			o.cond.Broadcast() // also those that wait for memory
		default:
			o.cond.Wait()
		}
	}
}

// copyBatch copies the live rows of b.
func copyBatch(b *vec.Batch) (*vec.Batch, int64) {
	c := &vec.Batch{Len: b.Rows(), Cols: make([]vec.Vector, len(b.Cols)), Base: b.Base}
	for i := range b.Cols {
		v := &b.Cols[i]
		bld := vec.NewBuilder(v.Type, c.Len)
		bld.AppendVector(v, b.Sel)
		c.Cols[i] = bld.Finish()
		c.Cols[i].Len = c.Len
	}
	return c, batchSize(c)
}

func batchSize(b *vec.Batch) int64 {
	n := 0
	for i := range b.Cols {
		v := &b.Cols[i]
		n += len(v.Fixed) + 16*len(v.Views) + 8*len(v.Valid)
		for _, x := range v.Bufs {
			n += len(x)
		}
	}
	return int64(n)
}

// IsStop tells whether err only says that nobody wants more rows.
func IsStop(err error) bool { return errors.Is(err, errStop) }
