package sql

import (
	"context"
	"slices"
	"strings"

	"quern/engine"
	"quern/sql/internal/ast"
	"quern/sql/internal/batches"
	"quern/sql/internal/bind"
	"quern/sql/internal/txrows"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// lockRows lets one statement at a time change rows of the tables, outside of
// blocks, and gives it the newest snapshot if the transaction wrote nothing
// yet. The lock ends with the transaction. A block takes none: a row that
// another session changed since its snapshot is 40001 at COMMIT.
func (s *Session) lockRows(ctx context.Context, tables []uint32) error {
	t := &s.tx
	if t.block || t.unlock != nil || t.wrote() {
		return nil
	}
	slices.Sort(tables)
	wait, done, why := s.waiting(ctx)
	unlock, err := s.db.store.LockRows(wait, slices.Compact(tables)...)
	done()
	if err != nil {
		return why(err)
	}
	t.unlock = unlock
	t.stale()
	if t.snap != nil {
		t.snap.Close()
		t.snap = nil
	}
	return nil
}

// runChange runs UPDATE and DELETE: a query finds the rows and makes the new
// values, the changes wait for the transaction's Commit.
func (s *Session) runChange(ctx context.Context, c *commandPortal, st ast.Stmt, verb string) error {
	if err := s.mayWrite(verb); err != nil {
		return err
	}
	b, err := s.bind(ctx, st, c.p.params, c.p.hasParams)
	if err != nil {
		return err
	}
	if b, err = s.lockChange(ctx, b, st, c.p.params, c.p.hasParams); err != nil {
		return err
	}
	ch, err := s.findChange(ctx, b, c.params, joined(st))
	if err != nil {
		return err
	}
	c.verb, c.tag, c.out = verb, countTag(verb, ch.n), ch.out
	return s.apply(ctx, ch)
}

// lockChange locks the rows that a bound UPDATE or DELETE may change, and checks
// that it may.
func (s *Session) lockChange(ctx context.Context, b *bind.Bound, st ast.Stmt, params []types.Type, hasParams bool) (*bind.Bound, error) {
	if err := s.mayWrite(strings.ToUpper(operation(st))); err != nil {
		return nil, err
	}
	if table := b.Target.Table.ID; !isTemp(table) {
		err := s.lockRows(ctx, []uint32{table})
		if err != nil {
			return nil, err
		}
		// The lock may have waited: names and policies are resolved anew.
		if b, err = s.bind(ctx, st, params, hasParams); err != nil {
			return nil, err
		}
		if b.Target.Table.ID != table {
			return nil, errNotAgain
		}
	}
	return b, s.checkCopy(b, b.Out[1:1+len(b.Target.Cols)], nil)
}

// change is what a statement does to a table: rows that go, rows that come, and
// what it returns.
type change struct {
	drop *storage.DeleteSet
	rows *storage.TableRows
	full bool // rows are complete
	out  []*vec.Batch
	n    int64
}

// findChange runs the query of an UPDATE or DELETE; several says that it may find
// a row more than once.
func (s *Session) findChange(ctx context.Context, b *bind.Bound, params []types.Datum, several bool) (*change, error) {
	rows, err := s.runBound(ctx, b, params)
	if err != nil {
		return nil, err
	}
	return s.collectChange(ctx, b, rows, several)
}

// collectChange makes the change of the rows that the query found.
func (s *Session) collectChange(ctx context.Context, b *bind.Bound, rows engine.Rows, several bool) (*change, error) {
	var addrs []int64
	var vals []*vec.Batch
	width := len(b.Target.Cols)
	seen := map[int64]bool{}
	ch := &change{}
	if err := drain(ctx, rows, s.db.o.WriteMemory, func(batch *vec.Batch) error {
		b := batch
		if several {
			b = firsts(batch, seen)
		}
		for i := range b.Len {
			addrs = append(addrs, b.Cols[0].Datum(i).I)
		}
		vals = append(vals, &vec.Batch{Len: b.Len, Cols: b.Cols[1 : 1+width]})
		if len(b.Cols) > 1+width {
			ch.out = append(ch.out, &vec.Batch{Len: b.Len, Cols: b.Cols[1+width:]})
		}
		return nil
	}); err != nil || len(addrs) == 0 {
		return ch, err
	}
	ch.n = int64(len(addrs))
	snap, err := s.snapshot()
	if err != nil {
		return nil, err
	}
	table := b.Target.Table.ID
	if ch.drop, err = snap.Rows(table, addrs); err != nil {
		return nil, err
	}
	if len(b.Target.Cols) > 0 {
		ch.rows, err = snap.Updated(ctx, table, addrs, b.Target.Cols, vals)
	}
	return ch, err
}

// apply adds a change to the transaction.
func (s *Session) apply(ctx context.Context, ch *change) (err error) {
	if ch.drop != nil {
		s.dropRows(ch.drop)
	}
	switch {
	case ch.rows == nil:
	case ch.full:
		_, _, err = s.keepRows(ctx, *ch.rows, "insert")
	default:
		_, _, err = s.write(ctx, ch.rows, "update")
	}
	return err
}

// joined tells whether a statement may find a row several times.
func joined(st ast.Stmt) bool {
	switch st := st.(type) {
	case *ast.Update:
		return len(st.From) > 0
	case *ast.Delete:
		return len(st.Using) > 0
	}
	return false
}

// firsts is b without rows whose address was seen before.
func firsts(b *vec.Batch, seen map[int64]bool) *vec.Batch {
	sel := make(vec.Selection, 0, b.Len)
	for i := range b.Len {
		if a := b.Cols[0].Datum(i).I; !seen[a] {
			seen[a] = true
			sel = append(sel, uint16(i))
		}
	}
	if len(sel) == b.Len {
		return b
	}
	n := *b
	n.Sel = sel
	return batches.Clone(&n)
}

// dropRows takes rows out of what the transaction shows: its own go at once,
// committed ones with its Commit.
func (s *Session) dropRows(d *storage.DeleteSet) {
	s.tx.stale()
	switch {
	case d.Own == nil:
	case isTemp(d.Table):
		s.temp.rows = txrows.Without(s.temp.rows, d.Table, d.Own.Contains)
	default:
		s.tx.rows = txrows.Without(s.tx.rows, d.Table, d.Own.Contains)
	}
	if d.Rows() > 0 {
		s.tx.deletes = append(s.tx.deletes, d)
	}
}

// empty takes all rows of a table out of what the transaction shows.
func (s *Session) empty(table uint32) {
	s.forget(table)
	if !isTemp(table) {
		s.tx.deletes = append(s.tx.deletes, &storage.DeleteSet{Table: table, All: true})
	}
}

// forget drops the transaction's own rows of a table.
func (s *Session) forget(table uint32) {
	s.tx.stale()
	if isTemp(table) {
		s.temp.rows = txrows.WithoutTable(s.temp.rows, table)
	} else {
		s.tx.rows = txrows.WithoutTable(s.tx.rows, table)
	}
}

// truncate empties tables at the transaction's Commit.
func (s *Session) truncate(ctx context.Context, c *commandPortal, st *ast.Truncate) error {
	if err := s.mayWrite("TRUNCATE TABLE"); err != nil {
		return err
	}
	var tables, stored []uint32
	for _, ref := range st.Tables {
		t, err := bind.FindTable(s.bindEnv(ctx, nil, false), ref.Name)
		if err != nil {
			return err
		}
		v, err := policy.Resolve(s.catalog(), t.ID, s.Principal(), s.db.nowMicros())
		if err != nil {
			return err
		}
		if !v.Has(policy.Truncate) || t.Schema == catalog.SchemaSystem {
			return errs.New(errs.InsufficientPrivilege, "permission denied for table %s", t.Name)
		}
		if t.Kind != catalog.KindTable {
			return errs.New(errs.WrongObjectType, "%q is not a table", t.Name)
		}
		if slices.Contains(tables, t.ID) {
			continue
		}
		tables = append(tables, t.ID)
		if !isTemp(t.ID) {
			stored = append(stored, t.ID)
		}
	}
	if len(s.tx.loads) > 0 {
		return errs.NotSupported("TRUNCATE after a write larger than memory in one transaction")
	}
	if err := s.lockRows(ctx, stored); err != nil {
		return err
	}
	for _, id := range tables {
		s.empty(id)
		for _, col := range s.catalog().Table(id).Columns {
			if st.RestartIdentity && col.Default.Kind == catalog.DefaultCounter {
				err := s.restart(id, col.ID, func(d catalog.Default, count int64) catalog.Default { return d.Restarted(d.First+1, count) })
				if err != nil {
					return err
				}
			}
		}
	}
	c.tag = "TRUNCATE TABLE"
	return nil
}

// deduplicate leaves out rows whose dedup_key the transaction sees already.
func (s *Session) deduplicate(ctx context.Context, rows storage.TableRows) (storage.TableRows, error) {
	t := s.catalog().Table(rows.Table)
	if t == nil || len(t.Options.DedupKey) == 0 {
		return rows, nil
	}
	snap, err := s.snapshot()
	if err != nil {
		return rows, err
	}
	return snap.Deduplicate(ctx, rows)
}
