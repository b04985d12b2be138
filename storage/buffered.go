package storage

import (
	"sync"
	"sync/atomic"
)

// buffered makes snapshots wait for commits that were acknowledged before their
// sync, so that "visible after the ack" and "published after the sync" both hold.
type buffered struct {
	seq atomic.Uint64 // highest sequence that was acknowledged early, 0 = none
	mu  sync.Mutex
	now chan struct{} // closed at the next publication; nil if nobody waits
}

// wake tells those who wait that a state was published, or that none will be.
func (b *buffered) wake() {
	if b.seq.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now != nil {
		close(b.now)
		b.now = nil
	}
}

// waitBuffered returns when the published state has every commit that was acknowledged
// before the call, or when the store has failed or closed.
func (s *Store) waitBuffered() {
	want := s.buffered.seq.Load()
	for {
		s.buffered.mu.Lock()
		if s.state.Load().seq >= want || s.failure() != nil {
			s.buffered.mu.Unlock()
			return
		}
		if s.buffered.now == nil {
			s.buffered.now = make(chan struct{})
		}
		now := s.buffered.now
		s.buffered.mu.Unlock()
		select {
		case <-now:
		case <-s.stopped:
			return
		}
	}
}
