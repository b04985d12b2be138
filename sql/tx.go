package sql

import (
	"context"
	"slices"

	"quern/sql/internal/ast"
	"quern/sql/internal/batches"
	"quern/sql/internal/settings"
	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/errs"
)

// tx is the session's transaction: none, the implicit one of a Q or an extended
// sequence, or a block.
//
//	none ── BeginImplicit ──► implicit ── EndImplicit ──► none
//	  implicit, none ── BEGIN ──► block ── COMMIT, ROLLBACK ──► none
//	                              block ── error ──► failed ── ROLLBACK (TO) …
//
// It reads one snapshot, pinned at its first use, plus its own writes: rows and
// catalog changes that one Commit makes durable at the end.
type tx struct {
	open   bool // implicit or block
	block  bool
	failed bool

	snap    *storage.Snapshot   // pinned, nil until first use
	merged  *storage.Snapshot   // snap with rows and changes, nil if stale
	retired []*storage.Snapshot // former ones that queries may still read
	rows    []storage.TableRows
	deletes []*storage.DeleteSet
	unlock  func() // of the tables whose rows are changed, nil if none
	bytes   int64  // of rows
	// loads hold what is too large for memory; the last one is for tables of
	// loadCat. loadAdds counts what went into them.
	loads    []*storage.Load
	loadCat  *catalog.Snapshot
	loadAdds int

	changes []catalog.Change
	base    *catalog.Snapshot // what changes were computed from, nil if none
	cat     *catalog.Snapshot // base with changes
	ddl     []ast.Stmt        // the statements that made changes, while these can be planned again
	// ddlWrites is the number of rows and deletes after the last of ddl: later
	// ones are no definition's.
	ddlWrites int
	source    string
	key       *storage.BatchKey

	startedAt int64
	readOnly  bool
	isolation string
	mark      mark
	saves     []savepoint
}

// mark is what ROLLBACK restores of the session.
type mark struct {
	set            settings.Mark
	userID, roleID uint32
	temp           tempMark
}

type savepoint struct {
	name    string
	rows    []storage.TableRows
	deletes []*storage.DeleteSet
	bytes   int64
	changes int
	cat     *catalog.Snapshot
	mark    mark
	loads   int // tx.loadAdds
}

// end drops what the transaction holds.
func (t *tx) end() {
	for _, m := range append(t.retired, t.merged) {
		if m != nil {
			m.Close()
		}
	}
	if t.snap != nil {
		t.snap.Close()
	}
	if t.unlock != nil {
		t.unlock()
	}
	for _, l := range t.loads {
		l.Close()
	}
	*t = tx{}
}

func (t *tx) stale() {
	if t.merged != nil {
		t.merged.Close()
		t.merged = nil
	}
}

// TxStatus is ReadyForQuery's byte.
func (s *Session) TxStatus() TxStatus {
	switch {
	case !s.tx.block:
		return TxIdle
	case s.tx.failed:
		return TxFailed
	}
	return TxBlock
}

func (s *Session) markNow() mark { return mark{s.set.Mark(), s.userID, s.roleID, s.temp.mark()} }

func (s *Session) restore(m mark) {
	s.set.Restore(m.set)
	s.temp.restore(m.temp)
	s.userID = m.userID
	if !s.pinned {
		s.roleID = m.roleID
	}
	s.fixRole()
}

// BeginImplicit starts the implicit transaction of a Q or of an extended
// sequence, unless a transaction is open.
func (s *Session) BeginImplicit() {
	if !s.tx.open {
		s.begin(ast.TxModes{})
	}
}

func (s *Session) begin(m ast.TxModes) {
	iso, _ := s.set.Raw("default_transaction_isolation")
	ro, _ := s.set.Raw("default_transaction_read_only")
	s.tx = tx{open: true, startedAt: s.db.nowMicros(), readOnly: ro == "on", isolation: iso, mark: s.markNow()}
	s.modes(m)
}

func (s *Session) modes(m ast.TxModes) {
	if m.Isolation != "" {
		s.tx.isolation = m.Isolation
	}
	if m.ReadOnly != nil {
		s.tx.readOnly = *m.ReadOnly
	}
	s.set.Fix("transaction_isolation", s.tx.isolation)
	s.set.Fix("transaction_read_only", onOff(s.tx.readOnly))
}

// EndImplicit ends it: with nil its writes are committed, with an error they
// are dropped (inside a block: the block is failed). Portals die with it.
// Inside a healthy block it does nothing.
func (s *Session) EndImplicit(ctx context.Context, err error) error {
	switch {
	case s.tx.block && err != nil:
		s.tx.failed = true
		s.closeAllPortals(false)
		return nil
	case s.tx.block || !s.tx.open:
		return nil
	case err != nil:
		s.rollback()
		return nil
	}
	return s.commit(ctx)
}

// commit makes the transaction's writes durable and ends it.
func (s *Session) commit(ctx context.Context) error {
	if err := s.holdCursors(ctx); err != nil {
		s.rollback()
		return err
	}
	s.closeAllPortals(false)
	t := &s.tx
	if !t.wrote() {
		s.finish()
		return nil
	}
	for try := 0; ; try++ {
		c := &storage.Commit{Schema: t.changes, Deletes: t.deletes, Tables: t.rows, Loads: t.loads, Source: t.source, User: s.Principal().Name, Key: t.key}
		if len(t.changes) > 0 {
			c.BaseVersion = t.base.Version()
		} else if v, _ := s.set.Raw("synchronous_commit"); v == "off" {
			c.Buffered = true
		}
		_, err := s.db.store.Commit(ctx, c)
		if err == nil {
			s.finish()
			return nil
		}
		if errs.CodeOf(err) == errs.SerializationFailure && try < ddlTriesMax && s.planAgain(ctx) == nil {
			continue
		}
		s.rollback()
		return causeOf(ctx, err)
	}
}

// ddlTriesMax bounds how often definitions outside a block are planned again
// because another session's came first.
const ddlTriesMax = 20

// planAgain computes the catalog changes of an implicit transaction from the
// newest catalog.
func (s *Session) planAgain(ctx context.Context) error {
	t := &s.tx
	if t.block || len(t.loads) > 0 || len(t.rows)+len(t.deletes) != t.ddlWrites || len(t.ddl) == 0 {
		return errNotAgain
	}
	stmts, notices := t.ddl, s.notices
	t.changes, t.base, t.cat, t.ddl = nil, nil, nil, nil
	t.rows, t.deletes, t.ddlWrites = nil, nil, 0
	t.stale()
	if t.snap != nil {
		t.snap.Close()
		t.snap = nil
	}
	for _, st := range stmts {
		if _, err := s.planDDL(ctx, st); err != nil {
			return err
		}
	}
	s.notices = notices // the client has been told
	return nil
}

var errNotAgain = errs.New(errs.SerializationFailure, "could not serialize access due to concurrent update")

func (s *Session) finish() {
	s.endTemp()
	s.set.EndLocal()
	s.tx.end()
	s.afterTx()
}

// rollback drops the transaction's writes and what it set.
func (s *Session) rollback() {
	s.closeAllPortals(false)
	if s.tx.open {
		s.restore(s.tx.mark)
	}
	s.tx.end()
	s.afterTx()
}

func (s *Session) afterTx() {
	s.db.advisory.Release(s.pid, true)
	for _, n := range []string{"transaction_isolation", "transaction_read_only"} {
		v, _ := s.set.Raw("default_" + n)
		s.set.Fix(n, v)
	}
}

// now is transaction_timestamp in µs.
func (s *Session) now() int64 {
	if s.tx.open {
		return s.tx.startedAt
	}
	return s.db.nowMicros()
}

// catalog is what names are resolved in: the newest, with the transaction's
// own changes.
func (s *Session) catalog() *catalog.Snapshot { return s.withTemp(s.permanent()) }

// permanent is the catalog without the session's temporary tables.
func (s *Session) permanent() *catalog.Snapshot {
	if s.tx.cat == nil {
		return s.db.store.Catalog()
	}
	return s.tx.cat
}

// snapshot is what statements read: it belongs to the transaction.
func (s *Session) snapshot() (*storage.Snapshot, error) {
	t := &s.tx
	if t.snap == nil {
		t.snap = s.db.store.Snapshot()
	}
	cat := s.catalog()
	if t.cat != nil && t.base.Version() != s.db.store.Catalog().Version() {
		// The COMMIT would fail, and policies may have changed.
		return nil, errNotAgain
	}
	if len(t.rows) == 0 && len(t.loads) == 0 && len(t.deletes) == 0 && len(s.temp.tables) == 0 && cat.Version() == t.snap.Catalog().Version() && t.cat == nil {
		return t.snap, nil
	}
	if t.merged != nil && t.merged.Catalog() == cat {
		return t.merged, nil
	}
	t.stale()
	m, err := t.snap.With(storage.Pending{Rows: slices.Concat(s.temp.rows, t.rows), Loads: t.loads, Deletes: t.deletes, Catalog: cat})
	if err != nil {
		return nil, err
	}
	t.merged = m
	return m, nil
}

// write adds rows to the transaction; they have their defaults from now on.
func (s *Session) write(ctx context.Context, rows *storage.TableRows, source string) (n int64, full storage.TableRows, err error) {
	if full, err = s.complete(ctx, rows, source); err != nil {
		return 0, full, err
	}
	return s.keepRows(ctx, full, source)
}

// complete gives rows their defaults and leaves out copies.
func (s *Session) complete(ctx context.Context, rows *storage.TableRows, source string) (full storage.TableRows, err error) {
	if isTemp(rows.Table) {
		rows = s.fillCounters(rows)
	}
	if full, err = s.db.store.Complete(s.catalog(), rows, s.Principal().Name); err != nil {
		return full, err
	}
	if full.Update = source == "update"; !full.Update {
		if full, err = s.deduplicate(ctx, full); err != nil {
			return full, err
		}
	}
	s.noteCounters(rows, &full)
	return full, nil
}

// keepRows adds complete rows to the transaction.
func (s *Session) keepRows(ctx context.Context, full storage.TableRows, source string) (n int64, _ storage.TableRows, err error) {
	var bytes int64
	for _, b := range full.Batches {
		n += int64(b.Rows())
		bytes += batches.Bytes(b)
	}
	s.tx.stale()
	s.tx.source = source
	temp := isTemp(full.Table)
	if !temp && s.tx.bytes+bytes > s.db.o.LoadMemory {
		return n, full, s.spill(ctx, &full, source)
	}
	s.tx.bytes += bytes
	if s.tx.bytes > s.db.o.WriteMemory {
		return 0, full, errs.New(errs.OutOfMemory, "the transaction has written more than %d bytes", s.db.o.WriteMemory).
			WithHint("Commit more often, or load the data with COPY or over HTTP.")
	}
	if temp {
		s.temp.rows = append(s.temp.rows, full)
		return n, full, nil
	}
	s.tx.rows = append(s.tx.rows, full)
	return n, full, nil
}

// noteCounters remembers what counters gave to rows that did not name their
// columns.
func (s *Session) noteCounters(given, full *storage.TableRows) {
	t := s.catalog().Table(given.Table)
	if t == nil || len(full.Batches) == 0 {
		return
	}
	last := full.Batches[len(full.Batches)-1]
	for i := range t.Columns {
		col := &t.Columns[i]
		k := slices.Index(full.Cols, col.ID)
		if col.Default.Kind == catalog.DefaultCounter && !slices.Contains(given.Cols, col.ID) && k >= 0 && last.Len > 0 {
			s.took(t.ID, col.ID, last.Cols[k].Datum(last.Len-1).I)
		}
	}
}

// mayWrite is checked before any statement that changes something.
func (s *Session) mayWrite(verb string) error {
	switch {
	case s.tx.readOnly:
		return errs.New(errs.ReadOnlyTransaction, "cannot execute %s in a read-only transaction", verb)
	case s.tx.isolation == "serializable":
		return errs.NotSupported("writing in a SERIALIZABLE transaction").
			WithHint("Use REPEATABLE READ.")
	}
	return nil
}

// runTx runs the statements of transaction control and gives their tag.
func (s *Session) runTx(ctx context.Context, st ast.Stmt) (tag string, err error) {
	switch st := st.(type) {
	case *ast.Begin:
		tag = "BEGIN"
		if st.Start {
			tag = "START TRANSACTION"
		}
		if s.tx.block {
			s.notice(warning(errs.ActiveTransaction, "there is already a transaction in progress"))
			return tag, nil
		}
		if !s.tx.open {
			s.begin(st.Modes)
		}
		s.tx.block = true
		s.modes(st.Modes)
		return tag, nil
	case *ast.Commit:
		return s.endBlock(ctx, "COMMIT", st.Chain)
	case *ast.Rollback:
		return s.endBlock(ctx, "ROLLBACK", st.Chain)
	case *ast.Savepoint:
		if !s.tx.block {
			return "", errs.New(errs.NoActiveTransaction, "SAVEPOINT can only be used in transaction blocks")
		}
		s.tx.saves = append(s.tx.saves, savepoint{st.Name, slices.Clip(s.tx.rows), slices.Clip(s.tx.deletes), s.tx.bytes, len(s.tx.changes), s.tx.cat, s.markNow(), s.tx.loadAdds})
		return "SAVEPOINT", nil
	case *ast.ReleaseSavepoint:
		i, err := s.savepoint(st.Name, "RELEASE SAVEPOINT")
		if err != nil {
			return "", err
		}
		s.tx.saves = s.tx.saves[:i]
		return "RELEASE", nil
	case *ast.RollbackTo:
		i, err := s.savepoint(st.Name, "ROLLBACK TO SAVEPOINT")
		if err != nil {
			return "", err
		}
		if s.tx.saves[i].loads != s.tx.loadAdds {
			return "", errs.NotSupported("ROLLBACK TO SAVEPOINT after a write larger than memory").
				WithHint("Roll the whole transaction back.")
		}
		s.rollbackTo(i)
		return "ROLLBACK", nil
	}
	return "", errs.New(errs.Internal, "not a transaction statement")
}

func (s *Session) endBlock(ctx context.Context, word string, chain bool) (string, error) {
	if !s.tx.block {
		if chain {
			return "", errs.New(errs.NoActiveTransaction, "%s AND CHAIN can only be used in transaction blocks", word)
		}
		s.notice(warning(errs.NoActiveTransaction, "there is no transaction in progress"))
		if word == "ROLLBACK" {
			s.rollback()
			return word, nil
		}
		return word, s.commit(ctx)
	}
	modes := ast.TxModes{Isolation: s.tx.isolation, ReadOnly: &s.tx.readOnly}
	if word == "COMMIT" && !s.tx.failed {
		if err := s.commit(ctx); err != nil {
			return "", err
		}
	} else {
		word = "ROLLBACK"
		s.rollback()
	}
	if chain {
		s.begin(modes)
		s.tx.block = true
	}
	return word, nil
}

func (s *Session) savepoint(name, what string) (int, error) {
	if !s.tx.block {
		return 0, errs.New(errs.NoActiveTransaction, "%s can only be used in transaction blocks", what)
	}
	for i := len(s.tx.saves) - 1; i >= 0; i-- {
		if s.tx.saves[i].name == name {
			return i, nil
		}
	}
	return 0, errs.New(errs.InvalidSavepoint, "savepoint %q does not exist", name)
}

func (s *Session) rollbackTo(i int) {
	t := &s.tx
	sp := t.saves[i]
	t.saves = t.saves[:i+1]
	t.rows, t.deletes, t.bytes = sp.rows, sp.deletes, sp.bytes
	t.changes, t.cat = t.changes[:sp.changes:sp.changes], sp.cat
	if len(t.changes) == 0 {
		t.base = nil
	}
	t.failed = false
	t.stale()
	s.restore(sp.mark)
}
