package storage

import (
	"context"
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
// are deleted: what is gone may come again.

// dedupLock is held while a commit into a table with a dedup_key is judged and
// made; keys is guarded by it.
type dedupLock struct {
	turn chan struct{}
	keys *rowdedup.Index
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
// the commit was made.
func (s *Store) deduplicate(ctx context.Context, c *Commit) (out *Commit, dups map[uint32]int64, settle func(ok bool), err error) {
	cat := s.state.Load().cat
	if len(c.Schema) > 0 {
		if next, err := cat.Apply(c.Schema); err == nil {
			cat = next
		}
	}
	tables := dedupTables(c, cat)
	if len(tables) == 0 {
		return c, nil, func(bool) {}, nil
	}
	var held []*dedupLock
	fresh := map[uint32][]rowdedup.Print{}
	now := s.nowMicros()
	settle = func(ok bool) {
		for i, l := range held {
			id := tables[i]
			switch {
			case slices.ContainsFunc(c.Deletes, func(d *DeleteSet) bool { return d.Table == id }):
				l.keys = nil
			case ok && l.keys != nil:
				for _, p := range fresh[id] {
					l.keys.Add(p, now)
				}
			}
			<-l.turn
		}
	}
	for _, id := range tables {
		l := s.dedupLockOf(id)
		select {
		case l.turn <- struct{}{}:
			held = append(held, l)
		case <-ctx.Done():
			settle(false)
			return nil, nil, nil, errs.New(errs.QueryCanceled, "canceling statement due to user request")
		}
	}
	n := *c
	n.Tables = slices.Clone(c.Tables)
	dups = map[uint32]int64{}
	for i := range n.Tables {
		t := cat.Table(n.Tables[i].Table)
		if t == nil || len(t.Options.DedupKey) == 0 || n.Tables[i].Update {
			continue
		}
		keys, err := s.keysFor(ctx, t, c)
		if err == nil {
			var k int64
			k, fresh[t.ID], err = withoutDuplicates(t, &n.Tables[i], keys, fresh[t.ID], now)
			dups[t.ID] += k
		}
		if err != nil {
			settle(false)
			return nil, nil, nil, err
		}
	}
	return &n, dups, settle, nil
}

// keysFor is the index that rows of c are judged by. The turn is held.
func (s *Store) keysFor(ctx context.Context, t *catalog.Table, c *Commit) (*rowdedup.Index, error) {
	snap := s.Snapshot()
	defer snap.Close()
	var gone []*DeleteSet
	for _, d := range c.Deletes {
		if d.Table == t.ID {
			gone = append(gone, d)
		}
	}
	if len(gone) > 0 {
		view, err := snap.With(Pending{Deletes: gone})
		if err != nil {
			return nil, err
		}
		defer view.Close()
		return view.keys(ctx, t)
	}
	l := s.dedupLockOf(t.ID)
	if l.keys != nil && l.keys.Spec == dedupSpec(t) {
		return l.keys, nil
	}
	keys, err := snap.keys(ctx, t)
	if err == nil {
		l.keys = keys
	}
	return keys, err
}

func dedupSpec(t *catalog.Table) string {
	return fmt.Sprint(t.Options.DedupKey, t.Options.DedupWindow)
}

// dedupFloor is the time before which a key counts no more.
func dedupFloor(t *catalog.Table, now int64) int64 {
	if t.Options.DedupWindow <= 0 {
		return -1 << 62
	}
	return now - t.Options.DedupWindow
}

// keys reads the keys of a table's rows.
func (n *Snapshot) keys(ctx context.Context, t *catalog.Table) (*rowdedup.Index, error) {
	x := rowdedup.New(dedupSpec(t))
	if n.cat.Table(t.ID) == nil {
		return x, nil // made by the same commit
	}
	view, err := policy.Resolve(n.cat, t.ID, policy.Principal{Superuser: true}, n.s.nowMicros())
	if err != nil {
		return nil, err
	}
	cols := append(slices.Clone(t.Options.DedupKey), catalog.ColReceivedAt)
	sc, err := n.Scan(ctx, ScanSpec{View: view, Cols: cols})
	if err != nil {
		return nil, err
	}
	defer sc.Close()
	floor := dedupFloor(t, n.s.nowMicros())
	for m := range sc.Morsels() {
		if err := readKeys(ctx, sc, m, len(cols), floor, x); err != nil {
			return nil, err
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
		live := vec.Batch{Len: n, Sel: sel}
		for i := range live.Rows() {
			row := i
			if sel != nil {
				row = int(sel[i])
			}
			at := vecs[width-1].Datum(row).I
			if at < floor {
				continue
			}
			p, ok, err := rowdedup.Of(key, row)
			if err != nil {
				return err
			}
			if ok {
				x.Add(p, at)
			}
		}
	}
	return nil
}

// withoutDuplicates takes rows out of tr whose key keys or fresh has, and adds
// the others' to fresh.
func withoutDuplicates(t *catalog.Table, tr *TableRows, keys *rowdedup.Index, fresh []rowdedup.Print, now int64) (dups int64, _ []rowdedup.Print, err error) {
	floor := dedupFloor(t, now)
	own := map[rowdedup.Print]bool{}
	for _, p := range fresh {
		own[p] = true
	}
	batches := make([]*vec.Batch, 0, len(tr.Batches))
	for _, b := range tr.Batches {
		key := make([]*vec.Vector, 0, len(t.Options.DedupKey))
		for _, id := range t.Options.DedupKey {
			if k := slices.Index(tr.Cols, id); k >= 0 {
				key = append(key, &b.Cols[k])
			}
		}
		if len(key) < len(t.Options.DedupKey) { // a default: NULL, or new for every row
			batches = append(batches, b)
			continue
		}
		kept := make(vec.Selection, 0, b.Rows())
		for i := range b.Rows() {
			row := i
			if b.Sel != nil {
				row = int(b.Sel[i])
			}
			p, ok, err := rowdedup.Of(key, row)
			if err != nil {
				return 0, nil, err
			}
			if ok && (own[p] || keys.Has(p, floor)) {
				dups++
				continue
			}
			if ok {
				own[p] = true
				fresh = append(fresh, p)
			}
			kept = append(kept, uint16(row))
		}
		n := *b
		n.Sel = kept
		batches = append(batches, &n)
	}
	tr.Batches = batches
	return dups, fresh, nil
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
		keys, err := n.keys(ctx, t)
		if err != nil {
			return rows, err
		}
		_, _, err = withoutDuplicates(t, &rows, keys, nil, n.s.nowMicros())
		return rows, err
	}
	l := n.s.dedupLockOf(t.ID)
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return rows, errs.New(errs.QueryCanceled, "canceling statement due to user request")
	}
	defer func() { <-l.turn }()
	keys, err := n.s.keysFor(ctx, t, &Commit{})
	if err == nil {
		_, _, err = withoutDuplicates(t, &rows, keys, nil, n.s.nowMicros())
	}
	return rows, err
}
