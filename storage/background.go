package storage

import (
	"context"
)

// background is the state of the jobs that Step runs.
type background struct{}

// nudge tells the background loop that there may be work.
func (s *Store) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) backgroundLoop() {
	for {
		select {
		case <-s.wake:
		case <-s.closing:
			return
		}
	}
}

func (s *Store) waitForRoom(context.Context) error { return nil }
