package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/rowdedup"
	"quern/storage/policy"
	"quern/storage/vec"
)

// Rows of tables with a dedup_key: of rows with equal keys that come within the
// window the first is kept. Commits into such a table take turns, from the look
// at its index to their outcome, so that no two copies pass each other. The
// index is built from the table when it is first needed and dropped when rows
// are deleted: what is gone may come again. It counts a key from when the commit
// received it, as an index built later does. All indexes share RowKeyBytesMax:
// rows whose keys do not fit are refused.

// dedupLock is held while a commit into a table with a dedup_key is judged and
// made; keys is guarded by it.
type dedupLock struct {
	turn chan struct{}
	keys *rowdedup.Index
	full int64 // when there was last no room to build keys, µs
}

func (l *dedupLock) drop() {
	l.keys.Close()
	l.keys = nil
}

func (s *Store) dedupLockOf(table uint32) *dedupLock {
	l, _ := s.dedupLocks.LoadOrStore(table, &dedupLock{turn: make(chan struct{}, 1)})
	return l.(*dedupLock)
}

// dedupTables are the tables of c with a dedup_key, in order.
func dedupTables(c *Commit, cat *catalog.Snapshot) []uint32 {
	var out []uint32
	add := func(id uint32) {
		if t := cat.Table(id); t != nil && len(t.Options.DedupKey) > 0 {
			out = append(out, id)
		}
	}
	for i := range c.Tables {
		add(c.Tables[i].Table)
	}
	for _, d := range c.Deletes {
		add(d.Table)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// deduplicate takes the turns of c's tables and gives c without rows whose key
// is there already, and their number by table. settle ends the turns: with ok
// the commit was made, and received is the time of its frame.
func (s *Store) deduplicate(ctx context.Context, c *Commit) (out *Commit, dups map[uint32]int64, settle func(received int64, ok bool), err error) {
	cat := s.state.Load().cat
	if len(c.Schema) > 0 {
		if next, err := cat.Apply(c.Schema); err == nil {
			cat = next
		}
	}
	tables := dedupTables(c, cat)
	if len(tables) == 0 {
		return c, nil, func(int64, bool) {}, nil
	}
	var held []*dedupLock
	fresh := map[uint32][]rowdedup.Print{}
	settle = func(received int64, ok bool) {
		if !ok {
			clear(fresh)
		}
		for i, l := range held {
			switch id := tables[i]; {
			case deletesFrom(c, id) != nil:
				l.drop()
			case l.keys != nil:
				l.keys.AddAll(fresh[id], received)
			}
			<-l.turn
		}
	}
	for _, id := range tables {
		l := s.dedupLockOf(id)
		select {
		case l.turn <- struct{}{}:
			held = append(held, l)
			if deletesFrom(c, id) != nil {
				l.drop() // what it is judged by is built without them
			}
		case <-ctx.Done():
			settle(0, false)
			return nil, nil, nil, errs.New(errs.QueryCanceled, "canceling statement due to user request")
		}
	}
	now := s.nowMicros() // not before the turns: a key may be forgotten while waiting
	n := *c
	n.Tables = slices.Clone(c.Tables)
	dups = map[uint32]int64{}
	for i := range n.Tables {
		t := cat.Table(n.Tables[i].Table)
		if t == nil || len(t.Options.DedupKey) == 0 || n.Tables[i].Update {
			continue
		}
		keys, err := s.keysFor(ctx, t, c, now)
		if err == nil {
			var k int64
			k, fresh[t.ID], err = withoutDuplicates(t, &n.Tables[i], keys, fresh[t.ID], now)
			dups[t.ID] += k
		}
		if err == nil && !keys.Admit(len(fresh[t.ID]), rowdedup.Floor(t.Options.DedupWindow, now)) {
			err = s.errKeysFull(t)
		}
		if err != nil {
			settle(0, false)
			return nil, nil, nil, err
		}
	}
	return &n, dups, settle, nil
}

// deletesFrom is what c deletes from a table.
func deletesFrom(c *Commit, table uint32) (out []*DeleteSet) {
	for _, d := range c.Deletes {
		if d.Table == table {
			out = append(out, d)
		}
	}
	return out
}

// keysFor is the index that rows of c are judged by. The turn is held.
func (s *Store) keysFor(ctx context.Context, t *catalog.Table, c *Commit, now int64) (*rowdedup.Index, error) {
	l := s.dedupLockOf(t.ID)
	if l.keys != nil && l.keys.Spec == dedupSpec(t) {
		return l.keys, nil
	}
	l.drop()
	if since := now - l.full; since >= 0 && since < stepPause.Microseconds() {
		return nil, s.errKeysFull(t) // rather than read the table for every writer
	}
	snap := s.Snapshot()
	defer snap.Close()
	view := snap
	if gone := deletesFrom(c, t.ID); gone != nil {
		var err error
		if view, err = snap.With(Pending{Deletes: gone}); err != nil {
			return nil, err
		}
		defer view.Close()
	}
	keys, err := view.keys(ctx, t, now)
	if err == nil {
		l.keys = keys
	} else if errs.CodeOf(err) == errs.OutOfMemory {
		l.full = now
	}
	return keys, err
}

func (s *Store) errKeysFull(t *catalog.Table) error {
	return errs.New(errs.OutOfMemory, "the keys of the rows of table %q do not fit in memory", t.Name).
		WithDetail("Keys received within dedup_window may take %d bytes, those of all tables together.", s.rowKeys.Max()).
		WithHint("Send the rows again later, shorten dedup_window or give the server more memory.")
}

// RowKeyBytes is the memory of the keys that repeated rows are known by.
func (s *Store) RowKeyBytes() int64 { return s.rowKeys.Used() }

// stepKeys forgets keys of rows that count no more.
func (s *Store) stepKeys(context.Context) (bool, error) {
	s.dedupLocks.Range(func(id, v any) bool {
		l := v.(*dedupLock)
		select {
		case l.turn <- struct{}{}:
			switch t := s.Catalog().Table(id.(uint32)); {
			case l.keys == nil:
			case t == nil || l.keys.Spec != dedupSpec(t):
				l.drop()
			default:
				l.keys.Sweep(t.Options.DedupWindow, s.nowMicros())
			}
			<-l.turn
		default: // a commit is under way; there will be another step
		}
		return true
	})
	return false, nil
}

func dedupSpec(t *catalog.Table) string {
	return fmt.Sprint(t.Options.DedupKey, t.Options.DedupWindow)
}

// keys reads the keys that count at now of a table's rows; the caller closes
// them. It is 53200 if they do not fit.
func (n *Snapshot) keys(ctx context.Context, t *catalog.Table, now int64) (x *rowdedup.Index, err error) {
	x = rowdedup.New(dedupSpec(t), n.s.rowKeys)
	defer func() {
		if errors.Is(err, rowdedup.ErrFull) {
			err = n.s.errKeysFull(t)
		}
		if err != nil {
			x.Close()
		}
	}()
	if n.cat.Table(t.ID) == nil {
		return x, nil // made by the same commit
	}
	view, err := policy.Resolve(n.cat, t.ID, policy.Principal{Superuser: true}, n.s.nowMicros())
	if err != nil {
		return x, err
	}
	cols := append(slices.Clone(t.Options.DedupKey), catalog.ColReceivedAt)
	sc, err := n.Scan(ctx, ScanSpec{View: view, Cols: cols})
	if err != nil {
		return x, err
	}
	defer sc.Close()
	for m := range sc.Morsels() {
		if err := readKeys(ctx, sc, m, len(cols), rowdedup.Floor(t.Options.DedupWindow, now), x); err != nil {
			return x, err
		}
	}
	return x, nil
}

func readKeys(ctx context.Context, sc Scan, m, width int, floor int64, x *rowdedup.Index) error {
	r, err := sc.Open(ctx, m)
	if err != nil {
		return err
	}
	defer r.Close()
	vecs := make([]vec.Vector, width)
	for b := range r.Batches() {
		n, sel, err := r.Start(ctx, b)
		if err != nil {
			return err
		}
		if sel != nil && len(sel) == 0 {
			continue
		}
		key := make([]*vec.Vector, width-1)
		for k := range vecs {
			if err := r.Load(k, sel, &vecs[k]); err != nil {
				return err
			}
			if k < width-1 {
				key[k] = &vecs[k]
			}
		}
		if err := x.AddRows(&vec.Batch{Len: n, Sel: sel}, key, &vecs[width-1], floor); err != nil {
			return err
		}
	}
	return nil
}

// withoutDuplicates takes rows out of tr whose key keys or fresh has, and adds
// the others' to fresh.
func withoutDuplicates(t *catalog.Table, tr *TableRows, keys *rowdedup.Index, fresh []rowdedup.Print, now int64) (dups int64, _ []rowdedup.Print, err error) {
	pick := keys.Picker(fresh, rowdedup.Floor(t.Options.DedupWindow, now))
	floor, bounded := floorOf(t, now)
	old := func(v *vec.Vector, row int) bool { return bounded && timeOf(v, row) < floor }
	batches := make([]*vec.Batch, 0, len(tr.Batches))
	for _, b := range tr.Batches {
		key := rowdedup.KeyColumns(t, tr.Cols, b)
		if len(key) < len(t.Options.DedupKey) { // a default: NULL, or new for every row
			batches = append(batches, b)
			continue
		}
		n := *b
		if n.Sel, err = pick.Rows(b, key, rowdedup.Unstored(t, tr.Cols, b, old)); err != nil {
			return 0, nil, err
		}
		batches = append(batches, &n)
	}
	tr.Batches = batches
	return pick.Dups, pick.Fresh, nil
}

// Deduplicate gives rows of a table with a dedup_key, made by Complete, without
// those whose key is there already: in this snapshot, with what the transaction
// added (With), or earlier in rows. Commit judges again.
func (n *Snapshot) Deduplicate(ctx context.Context, rows TableRows) (TableRows, error) {
	t := n.cat.Table(rows.Table)
	if t == nil || len(t.Options.DedupKey) == 0 {
		return rows, nil
	}
	if len(n.private[t.ID]) > 0 || len(n.staged[t.ID]) > 0 || n.st != n.s.state.Load() {
		now := n.s.nowMicros()
		keys, err := n.keys(ctx, t, now)
		if err != nil {
			return rows, err
		}
		defer keys.Close()
		_, _, err = withoutDuplicates(t, &rows, keys, nil, now)
		return rows, err
	}
	l := n.s.dedupLockOf(t.ID)
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return rows, errs.New(errs.QueryCanceled, "canceling statement due to user request")
	}
	defer func() { <-l.turn }()
	now := n.s.nowMicros()
	keys, err := n.s.keysFor(ctx, t, &Commit{}, now)
	if err == nil {
		_, _, err = withoutDuplicates(t, &rows, keys, nil, now)
	}
	return rows, err
}
