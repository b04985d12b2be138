package storage

import (
	"context"
	"errors"
)

// CommitGroup commits several changes as one group: one write, one sync, each
// with its own outcome and error, in the given order. It is what the committer
// makes of concurrent commits, with an order that a seeded test can repeat; the
// keys must differ.
func (s *Store) CommitGroup(ctx context.Context, list []*Commit) ([]Outcome, []error) {
	outs, failed := make([]Outcome, len(list)), make([]error, len(list))
	var ready []*pending
	place := map[*pending]int{}
	for i, c := range list {
		if len(dedupTables(c, s.state.Load().cat)) > 0 {
			outs[i], failed[i] = s.Commit(ctx, c) // it waits for its turn
			continue
		}
		p, err := s.prepareInGroup(ctx, c, &outs[i])
		if err != nil || p == nil {
			failed[i] = err
			continue
		}
		if c.Key != nil {
			defer s.keys.Release(dedupKey(c.Key))
		}
		place[p] = i
		ready = append(ready, p)
	}
	if len(ready) == 0 {
		return outs, failed
	}
	last := ready[len(ready)-1]
	last.more = ready[:len(ready)-1]
	if err := s.submit(ctx, last); err != nil {
		for _, i := range place {
			failed[i] = err
		}
		return outs, failed
	}
	for p, i := range place {
		if !s.await(p) {
			failed[i] = errShutdown
			continue
		}
		outs[i], failed[i] = p.outcome, p.err
		if errors.Is(p.err, errTableMoved) {
			failed[i] = errCatalogRace
		}
	}
	return outs, failed
}

// prepareInGroup claims the key of c and encodes it; no pending and no error
// means that out already holds the outcome of a repeat.
func (s *Store) prepareInGroup(ctx context.Context, c *Commit, out *Outcome) (*pending, error) {
	if err := s.failure(); err != nil {
		return nil, err
	}
	if c.Key != nil {
		known, err := s.keys.Claim(ctx, dedupKey(c.Key), c.Key.Digest)
		if err != nil {
			return nil, err
		}
		if known != nil {
			*out = s.replayed(c, known)
			return nil, nil
		}
	}
	p, err := s.prepare(c, s.state.Load().cat, nil)
	if err != nil && c.Key != nil {
		s.keys.Release(dedupKey(c.Key))
	}
	return p, err
}
