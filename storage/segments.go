package storage

import (
	"context"
	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/internal/scan"
)

// segmentRef is a live or retired segment.
type segmentRef struct {
	meta manifest.Segment
}

type groupRef struct{ seg *segmentRef }

func (s *Store) loadSegments(m *manifest.State, _ *state) error {
	if len(m.Segments) > 0 {
		return errs.NotSupported("reading segments")
	}
	return nil
}

func (s *Store) closeSegments() error { return nil }

func (t *tableScan) addSegment(*Store, *segmentRef) error { return nil }

func (t *tableScan) openGroup(*morsel) (*scan.Reader, error) { return nil, nil }

func (s *Store) removeOrphans(*manifest.State) error { return nil }

func (s *Store) flushTable(context.Context, uint32) error { return errs.NotSupported("flush") }

func (s *Store) stepPurge(context.Context) (bool, error) { return false, nil }

func (s *Store) stepUnlink(context.Context) (bool, error) { return false, nil }

func (c *checker) segments(*manifest.State) error { return nil }
