package crashtest

import (
	"context"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/types"
)

// removal is one DELETE, UPDATE or TRUNCATE: it hides all its rows or none. An
// UPDATE brings a batch in the same commit.
type removal struct {
	id    int
	table uint32
	rows  []int64
	by    *batch // of an UPDATE, else nil
	fate  fate   // there: the rows are gone
}

// removeRows deletes, updates or truncates rows of one table.
func (r *run) removeRows() {
	live := r.m.live()
	id := live[r.rng.IntN(len(live))]
	n := r.s.Snapshot()
	defer n.Close()
	if n.Catalog().Table(id) == nil {
		return // reported by verify
	}
	o := &removal{id: len(r.m.removals) + 1, table: id}
	all := r.rng.IntN(8) == 0
	share := 1 + r.rng.IntN(10)
	var addrs []int64
	err := eachRow(n, id, []uint32{1, catalog.ColRowAddress}, r.now.UnixMicro(), func(row []types.Datum) {
		if b := r.m.byRow[row[0].I]; b != nil && b.fate == unknown {
			b.fate = there // what a reader saw is durable
		}
		if all || r.rng.IntN(share) == 0 {
			o.rows = append(o.rows, row[0].I)
			addrs = append(addrs, row[1].I)
		}
	})
	if err != nil && r.lenient {
		r.allow(err)
		return
	}
	if err != nil {
		r.other("a reader failed: %v", err)
		return
	}
	if len(addrs) == 0 {
		return
	}
	set := &storage.DeleteSet{Table: id, All: true}
	if !all || r.rng.IntN(2) == 0 {
		if set, err = n.Rows(id, addrs); err != nil {
			r.other("addresses: %v", err)
			return
		}
	}
	c := &storage.Commit{Source: "crash", Ingest: true}
	if r.rng.IntN(2) == 0 {
		o.by = r.m.newBatch(r.rng)
		c = o.by.commit()
	}
	c.Deletes = []*storage.DeleteSet{set}
	r.m.removals = append(r.m.removals, o)
	out, err := r.s.Commit(context.Background(), c)
	if err != nil {
		r.died(err)
		return
	}
	o.fate = there
	r.m.hide(o)
	if o.by != nil {
		r.acked(o.by, &out, false)
	}
}

// hide notes that the rows of o are gone.
func (m *model) hide(o *removal) {
	for _, id := range o.rows {
		m.removed[id] = true
	}
}

// checkRemovals settles removals: all or nothing, and nothing comes back.
func (r *run) checkRemovals(got contents, when string) {
	for _, o := range r.m.removals {
		rows, exists := got[o.table]
		if !exists {
			if o.fate == unknown {
				o.fate = gone
			}
			continue
		}
		// Rows that another removal hid say nothing of one whose fate is open:
		// after a failed sync a reader still sees the rows of a removal that
		// turns out durable, and the next removal, which fails, names them too.
		present, asked := 0, 0
		for _, id := range o.rows {
			if o.fate != there && r.m.removed[id] {
				continue
			}
			asked++
			if rows[id] > 0 {
				present++
			}
		}
		switch {
		case o.fate == there && present > 0:
			r.rep.fail(&r.rep.Resurrected, r.seed, "%s: %d rows of removal %d are back", when, present, o.id)
		case o.fate != unknown || asked == 0:
		case present == asked:
			o.fate = gone
		case present == 0:
			o.fate = there
			r.m.hide(o)
		default:
			r.rep.fail(&r.rep.Partial, r.seed, "%s: removal %d: %d of %d rows are there", when, o.id, present, asked)
		}
	}
}

// checkUpdates compares removals with the batch of the same commit.
func (r *run) checkUpdates(when string) {
	for _, o := range r.m.removals {
		if o.by != nil && (o.fate == there && o.by.fate == gone && o.by.key == "" || o.fate == gone && o.by.fate == there && o.by.key == "" && r.m.tables[o.table] == there) {
			r.rep.fail(&r.rep.Partial, r.seed, "%s: removal %d and batch %d of one commit disagree", when, o.id, o.by.id)
		}
	}
}
