package sql

import (
	"context"
	"log/slog"
	"time"

	"quern/engine"
	"quern/storage"
	"quern/storage/catalog"
)

// Store is what the door needs of storage.
type Store interface {
	Commit(ctx context.Context, c *storage.Commit) (storage.Outcome, error)
	// Pin gives the newest state; it holds files until Close.
	Pin() Snapshot
}

// Snapshot is one pinned state.
type Snapshot interface {
	engine.Scanner
	Catalog() *catalog.Snapshot
	// WithPending is the same state with rows that are not committed yet; it
	// pins nothing of its own.
	WithPending(rows []storage.TableRows) Snapshot
	Close()
}

// Options of a DB.
type Options struct {
	// Version is the product's, for version() and server_version.
	Version string
	// Threads per query, 0 = all cores. Memory is the budget of one query in
	// bytes, 0 = a default.
	Threads int
	Memory  int64
	// Now is the clock; nil = time.Now.
	Now func() time.Time
	// Log takes one line per failed internal step; nil = discard.
	Log *slog.Logger
	// SuperuserUnmask off masks superusers too.
	NoSuperuserUnmask bool
}
