package storage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/delvec"
	"quern/storage/internal/memtable"
	"quern/storage/internal/wal"

	"github.com/RoaringBitmap/roaring/v2"
)

// Deleted rows. A DELETE section names rows of segments by position and rows in
// memory by (commit_seq, ordinal); the state keeps one copy-on-write bitmap per
// slab and per segment, and a scan leaves its rows out before anything else. A
// flush drops deleted rows of slabs while it builds; bitmaps of segments are
// written to .qdv files before the log lets go of their frames (vectors.go).
//
// Addresses are those of one snapshot. A commit translates those that a flush or
// a merge moved since (Store.forwarded); one whose row was deleted since fails
// with 40001. Statements take LockRows for their whole run, so that outside of
// blocks this is not met.

// DeleteSet are rows to delete of one table.
type DeleteSet struct {
	Table uint32
	All   bool // everything that is committed before this commit (TRUNCATE)
	segs  map[uint64]*roaring.Bitmap
	slabs map[*memtable.Slab]*roaring.Bitmap
	// Own are rows of Pending.Rows (Snapshot.With): the table's live rows in
	// order. The transaction drops them itself; Commit does not look at it.
	Own *roaring.Bitmap
	// same says that the table must have had changes many commits, see
	// Snapshot.Unchanged.
	same    bool
	changes uint64
}

// Unchanged is a set that deletes nothing, or with all everything: its commit
// fails with 40001 unless the table holds exactly the rows of this snapshot.
func (n *Snapshot) Unchanged(table uint32, all bool) *DeleteSet {
	return &DeleteSet{Table: table, All: all, same: true, changes: n.st.table(table).changes}
}

// Rows is the number of rows that the set names; 0 for All.
func (d *DeleteSet) Rows() int64 {
	var n uint64
	for _, b := range d.segs {
		n += b.GetCardinality()
	}
	for _, b := range d.slabs {
		n += b.GetCardinality()
	}
	return int64(n)
}

// errRowsMoved says that rows changed since the snapshot that they were found
// in.
var errRowsMoved = errs.New(errs.SerializationFailure, "could not serialize access due to concurrent update")

// Rows turns values of the column catalog.ColRowAddress, read from this
// snapshot, into a set. An address given twice counts once. Rows of a load of the
// same transaction are 0A000.
func (n *Snapshot) Rows(table uint32, addrs []int64) (*DeleteSet, error) {
	ts := n.st.table(table)
	d := &DeleteSet{Table: table, segs: map[uint64]*roaring.Bitmap{}, slabs: map[*memtable.Slab]*roaring.Bitmap{}}
	lists := map[int64][]uint32{}
	for _, a := range addrs {
		lists[a>>32] = append(lists[a>>32], uint32(a))
	}
	for unit, rows := range lists {
		b := roaring.BitmapOf(rows...)
		b.RunOptimize()
		switch {
		case unit >= 0 && int(unit) < len(ts.segs):
			d.segs[ts.segs[unit].meta.ID] = b
		case unit >= 0 && int(unit) < len(ts.segs)+len(ts.slabs):
			d.slabs[ts.slabs[int(unit)-len(ts.segs)].Slab] = b
		case !d.addOwn(n.private[table][:n.own[table]], int(unit)-len(ts.segs)-len(ts.slabs), rows):
			return nil, errs.NotSupported("changing rows that the same transaction wrote, of a write larger than memory")
		}
	}
	return d, nil
}

// addOwn adds rows of slab number unit of the transaction's own.
func (d *DeleteSet) addOwn(own memtable.List, unit int, rows []uint32) bool {
	if unit < 0 || unit >= len(own) {
		return false
	}
	base := uint32(0)
	for _, v := range own[:unit] {
		base += uint32(v.Rows)
	}
	if d.Own == nil {
		d.Own = roaring.New()
	}
	for _, r := range rows {
		d.Own.Add(base + r)
	}
	return true
}

// rowsLock keeps deletes of one table apart.
type rowsLock struct {
	statement chan struct{} // held by a statement for its whole run
	// commit is held by a commit with deletes, and by whoever puts segments in the
	// place of slabs or of other segments: addresses hold while it is.
	commit chan struct{}
}

func (s *Store) rowsLock(table uint32) *rowsLock {
	if l, ok := s.rowLocks.Load(table); ok {
		return l.(*rowsLock)
	}
	l, _ := s.rowLocks.LoadOrStore(table, &rowsLock{make(chan struct{}, 1), make(chan struct{}, 1)})
	return l.(*rowsLock)
}

// LockRows waits until no other statement changes or deletes rows of the
// tables, which must be in ascending order.
// Whoever takes it opens the snapshot that it reads afterwards.
func (s *Store) LockRows(ctx context.Context, tables ...uint32) (unlock func(), err error) {
	if err := s.waitForRoom(ctx, 0); err != nil {
		return nil, err
	}
	var held []chan struct{}
	unlock = func() {
		for _, c := range held {
			<-c
		}
	}
	for _, id := range tables {
		c := s.rowsLock(id).statement
		select {
		case c <- struct{}{}:
			held = append(held, c)
		case <-ctx.Done():
			unlock()
			return nil, errs.New(errs.QueryCanceled, "canceling statement due to user request")
		case <-s.closing:
			unlock()
			return nil, errShutdown
		}
	}
	return unlock, nil
}

// lockCommit holds the addresses of the tables of c's deletes.
func (s *Store) lockCommit(c *Commit) (unlock func()) {
	var tables []uint32
	for i := range c.Deletes {
		tables = append(tables, c.Deletes[i].Table)
	}
	slices.Sort(tables)
	tables = slices.Compact(tables)
	for _, id := range tables {
		s.rowsLock(id).commit <- struct{}{}
	}
	return func() {
		for _, id := range tables {
			<-s.rowsLock(id).commit
		}
	}
}

// deletes adds the DELETE sections of a commit.
func (pr *preparer) deletes() error {
	for i := range pr.c.Deletes {
		d := pr.c.Deletes[i]
		if pr.cat.Table(d.Table) == nil {
			return errs.New(errs.UndefinedTable, "relation with OID %d does not exist", d.Table)
		}
		pr.p.deletes = append(pr.p.deletes, d)
		if d.same && !d.All {
			continue // a condition only
		}
		body, err := d.section()
		if err != nil {
			return err
		}
		if !pr.s.opts.mutations.DeleteNotInFrame {
			pr.p.frame.Add(wal.Delete, d.Table, body, nil)
		}
	}
	return nil
}

// section encodes d.
func (d *DeleteSet) section() ([]byte, error) {
	body := delvec.Body{All: d.All, Segs: d.segs, Frames: map[uint64]*roaring.Bitmap{}}
	for slab, rows := range d.slabs {
		runs := slab.Runs()
		at := 0
		for it := rows.Iterator(); it.HasNext(); {
			row := it.Next()
			for at+1 < len(runs) && runs[at+1].Start <= row {
				at++
			}
			b := body.Frames[runs[at].Seq]
			if b == nil {
				b = roaring.New()
				body.Frames[runs[at].Seq] = b
			}
			b.Add(runs[at].Ordinal + row - runs[at].Start)
		}
	}
	return body.Encode()
}

// admitDeletes checks that the addresses of p still hold. It runs in the
// committer; st is the state that the group starts from, seen and wrote
// hold what the group deletes and writes already.
func (s *Store) admitDeletes(p *pending, st *state, cat *catalog.Snapshot, seen, wrote map[uint32]bool) error {
	for _, d := range p.deletes {
		if cat.Table(d.Table) == nil {
			return errTableMoved
		}
		if d.same && (seen[d.Table] || wrote[d.Table] || st.table(d.Table).changes != d.changes) {
			return errRowsMoved
		}
		if d.All {
			continue
		}
		if seen[d.Table] { // one at a time, and the next after it is published
			return errRowsMoved
		}
		if err := d.holds(st.table(d.Table)); err != nil {
			return err
		}
	}
	for _, d := range p.deletes {
		seen[d.Table] = true
	}
	return nil
}

// holds says whether t still has all rows of d.
func (d *DeleteSet) holds(t *tableState) error {
	for id, rows := range d.segs {
		has := slices.ContainsFunc(t.segs, func(r *segmentRef) bool { return r.meta.ID == id })
		if old := t.segDels[id]; !has || old != nil && old.Intersects(rows) {
			return errRowsMoved
		}
	}
	for slab, rows := range d.slabs {
		has := slices.ContainsFunc(t.slabs, func(v memtable.SlabView) bool { return v.Slab == slab })
		if old := t.slabDels[slab]; !has || old != nil && old.Intersects(rows) {
			return errRowsMoved
		}
	}
	return nil
}

// delete is t without the rows of d.
func (t *tableState) delete(d *DeleteSet) *tableState {
	n := *t
	n.segDels, n.slabDels = mergeDels(t.segDels, d.segs), mergeDels(t.slabDels, d.slabs)
	return &n
}

func mergeDels[K comparable](old, more map[K]*roaring.Bitmap) map[K]*roaring.Bitmap {
	if len(more) == 0 {
		return old
	}
	out := maps.Clone(old)
	if out == nil {
		out = map[K]*roaring.Bitmap{}
	}
	for k, b := range more {
		if out[k] != nil {
			b = roaring.Or(out[k], b)
		}
		out[k] = b
	}
	return out
}

// clear empties a table at a commit. It runs in the committer, or at replay.
func (s *Store) clear(next *state, id uint32) {
	old := next.table(id)
	s.bg.orphans = append(s.bg.orphans, old.segs...)
	m := s.mem(id)
	m.table.Drop(m.table.List())
	m.table.Freeze()
	next.put(id, &tableState{slabs: m.table.List()})
}

// only keeps the bitmaps of slabs and segments that t has.
func (t *tableState) only() *tableState {
	if len(t.slabDels) > 0 {
		kept := map[*memtable.Slab]*roaring.Bitmap{}
		for _, v := range t.slabs {
			if b := t.slabDels[v.Slab]; b != nil {
				kept[v.Slab] = b
			}
		}
		t.slabDels = kept
	}
	if len(t.segDels) > 0 {
		kept := map[uint64]*roaring.Bitmap{}
		for _, r := range t.segs {
			if b := t.segDels[r.meta.ID]; b != nil {
				kept[r.meta.ID] = b
			}
		}
		t.segDels = kept
	}
	return t
}

// deleted tells the row of a flush (position over all its slabs) from those
// that are deleted; nil if none is.
func (j *flushJob) deleted() func(pos uint32) bool {
	if len(j.dels) == 0 {
		return nil
	}
	starts := make([]uint32, len(j.slabs))
	base := uint32(0)
	for i, v := range j.slabs {
		starts[i] = base
		base += uint32(v.Rows)
	}
	return func(pos uint32) bool {
		i := sort.Search(len(starts), func(i int) bool { return starts[i] > pos }) - 1
		b := j.dels[j.slabs[i].Slab]
		return b != nil && b.Contains(pos-starts[i])
	}
}

// delete replays a DELETE section. Positions of segments are deleted again
// although their file may have them already; rows in memory are in a segment
// without them if a flush came later.
func (r *replay) delete(v *wal.FrameView, sec wal.Section) error {
	if r.st.cat.Table(sec.Table) == nil {
		return nil // dropped later
	}
	body, err := delvec.DecodeBody(sec.Body)
	if err != nil {
		return err
	}
	if body.All {
		r.truncate(sec.Table, v.Seq)
		return nil
	}
	d := &DeleteSet{Table: sec.Table, segs: map[uint64]*roaring.Bitmap{}, slabs: map[*memtable.Slab]*roaring.Bitmap{}}
	for id, rows := range body.Segs {
		seg, ok := r.m.Segments[id]
		switch {
		case ok && !rows.IsEmpty() && int64(rows.Maximum()) >= seg.Rows:
			return &errs.Corrupt{File: "DELETE section", Reason: fmt.Sprintf("position beyond segment %d", id)}
		case ok:
			d.segs[id] = rows
		case id >= r.m.NextSegment:
			return &errs.Corrupt{File: "DELETE section", Reason: fmt.Sprintf("unknown segment %d", id)}
		} // NB: a retired one: whoever retired it folded its deletes in.
	}
	if err := r.findRows(d, body.Frames); err != nil {
		return err
	}
	r.st.put(sec.Table, r.st.table(sec.Table).delete(d))
	return nil
}

// findRows adds rows in memory, given by commit and ordinal, to d.
func (r *replay) findRows(d *DeleteSet, frames map[uint64]*roaring.Bitmap) error {
	left := uint64(0)
	for seq, b := range frames {
		// NB: below the floor the log has let go of rows that a later TRUNCATE
		// took; a flush folded the deletes of its rows in.
		if seq >= r.m.FloorSeq && seq > r.m.Applied[d.Table] {
			left += b.GetCardinality()
		}
	}
	left -= r.locateRows(d, frames)
	if left != 0 {
		return &errs.Corrupt{File: "DELETE section", Reason: fmt.Sprintf("%d rows are not in the log", left)}
	}
	return nil
}

// locateRows adds those of the rows to d that are in memory, and counts them.
func (r *replay) locateRows(d *DeleteSet, frames map[uint64]*roaring.Bitmap) (found uint64) {
	if len(frames) == 0 {
		return 0
	}
	for _, v := range r.s.mem(d.Table).table.List() {
		runs := v.Runs()
		for i, run := range runs {
			b := frames[run.Seq]
			if b == nil {
				continue
			}
			end := uint32(v.Rows)
			if i+1 < len(runs) {
				end = runs[i+1].Start
			}
			it := b.Iterator()
			it.AdvanceIfNeeded(run.Ordinal)
			for it.HasNext() {
				ord := it.Next()
				if ord-run.Ordinal >= end-run.Start {
					break
				}
				if d.slabs[v.Slab] == nil {
					d.slabs[v.Slab] = roaring.New()
				}
				d.slabs[v.Slab].Add(run.Start + ord - run.Ordinal)
				found++
			}
		}
	}
	return found
}

// truncate replays a DELETE section of everything.
func (r *replay) truncate(id uint32, seq uint64) {
	old := *r.st.table(id)
	var kept []*segmentRef
	for _, ref := range old.segs {
		if ref.meta.SeqMax >= seq { // NB: the frame itself may bring rows
			kept = append(kept, ref)
			continue
		}
		r.s.bg.orphans = append(r.s.bg.orphans, ref)
	}
	old.segs, old.slabDels = kept, nil
	r.st.put(id, old.only())
	// NB: only rows of frames before this one are in memory yet.
	m := r.s.mem(id)
	m.table.Drop(m.table.List())
	m.table.Freeze()
}
