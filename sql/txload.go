package sql

import (
	"context"

	"quern/engine"
	"quern/sql/internal/batches"
	"quern/storage"
	"quern/storage/errs"
	"quern/storage/vec"
)

// Large writes of a transaction. Up to LoadMemory they wait in memory; beyond it
// they go into segments that only this transaction sees (storage.Load), which
// its Commit attaches. ROLLBACK TO a savepoint cannot take such rows back.

// loadMemory is the default of Options.LoadMemory.
const loadMemory = 64 << 20

// pieceBytes is how much of a query's result is written at a time.
const pieceBytes = 4 << 20

// wrote tells whether the transaction has written or changed anything.
func (t *tx) wrote() bool {
	return len(t.rows) > 0 || len(t.loads) > 0 || len(t.changes) > 0 || len(t.deletes) > 0
}

// spill moves rows into the transaction's load: those that wait in memory, as
// far as no savepoint counts on them, and full.
func (s *Session) spill(ctx context.Context, full *storage.TableRows, source string) error {
	t, cat := &s.tx, s.permanent()
	if len(t.loads) == 0 || t.loadCat != cat {
		l, err := s.db.store.StartLoad(&storage.Commit{Source: source, User: s.Principal().Name}, cat)
		if err != nil {
			return err
		}
		t.loads, t.loadCat = append(t.loads, l), cat
	}
	l := t.loads[len(t.loads)-1]
	t.loadAdds++
	if len(t.saves) == 0 {
		for i := range t.rows {
			if err := l.Add(ctx, &t.rows[i], nil); err != nil {
				return causeOf(ctx, err)
			}
		}
		t.rows, t.bytes = nil, 0
	}
	return causeOf(ctx, l.Add(ctx, full, nil))
}

// StartLoad begins a load for COPY with a batch key or with rows to quarantine;
// Append commits it. c.Tables says what it is into.
func (s *Session) StartLoad(c *storage.Commit) (*storage.Load, error) {
	if err := s.mayAppend(c); err != nil {
		return nil, err
	}
	c.User = s.Principal().Name
	return s.db.store.StartLoad(c, nil)
}

// mayAppend checks the right to a commit of COPY.
func (s *Session) mayAppend(c *storage.Commit) error {
	if err := s.mayWrite("COPY FROM"); err != nil {
		return err
	}
	for i := range c.Tables {
		if err := s.mayInsert(c.Tables[i].Table, c.Tables[i].Cols); err != nil {
			return err
		}
	}
	if (c.Key != nil || c.Ingest || len(c.Rejects) > 0) && (s.tx.block || s.tx.wrote()) {
		return errs.NotSupported("COPY with ON_ERROR or BATCH_KEY inside a transaction with other writes")
	}
	return nil
}

// insertAll writes the rows of a query piece by piece and counts them.
func (s *Session) insertAll(ctx context.Context, rows engine.Rows, tr storage.TableRows) (n int64, err error) {
	bytes := int64(0)
	write := func() error {
		k, _, err := s.write(ctx, &tr, "insert")
		n += k
		tr.Batches, bytes = nil, 0
		return err
	}
	err = drain(ctx, rows, 0, func(b *vec.Batch) error {
		tr.Batches = append(tr.Batches, b)
		if bytes += batches.Bytes(b); bytes < pieceBytes {
			return nil
		}
		return write()
	})
	if err == nil && len(tr.Batches) > 0 {
		err = write()
	}
	return n, err
}
