package crashtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"

	"quern/storage"
	"quern/storage/catalog"
	"quern/storage/policy"
	"quern/storage/types"
	"quern/storage/vec"
)

// fate is what the model knows of a batch or a table.
type fate int

const (
	unknown fate = iota // asked for, not answered
	there               // acknowledged, or found after a restart
	gone                // not found after a restart, or dropped: must not come back
)

// batch is one commit: rows by table, each row with an id of its own. Rows that
// break a rule stand under system.quarantine.
type batch struct {
	id     int
	key    string
	tables []uint32
	rows   map[uint32][]int64
	seq    uint64
	fate   fate
}

func (b *batch) size() int {
	n := 0
	for _, ids := range b.rows {
		n += len(ids)
	}
	return n
}

// model is what the folder should hold.
type model struct {
	batches   []*batch
	byRow     map[int64]*batch
	removals  []*removal
	removed   map[int64]bool // rows that a removal hid
	tables    map[uint32]fate
	dropAsked map[uint32]bool // a drop that was not answered
	nextTable uint32
	nextRow   int64
}

func newModel() *model {
	return &model{byRow: map[int64]*batch{}, removed: map[int64]bool{}, tables: map[uint32]fate{}, dropAsked: map[uint32]bool{}}
}

func (m *model) created(id uint32, acked bool) {
	m.tables[id] = unknown
	if acked {
		m.tables[id] = there
	}
}

func (m *model) dropped(id uint32, acked bool) {
	m.dropAsked[id] = true
	if acked {
		m.tables[id] = gone
	}
}

// live are the tables that surely exist.
func (m *model) live() []uint32 {
	var out []uint32
	for id, f := range m.tables {
		if f == there && !m.dropAsked[id] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (m *model) tablesLive(b *batch) bool {
	live := m.live()
	return !slices.ContainsFunc(b.tables, func(id uint32) bool { return !slices.Contains(live, id) })
}

func bodyOf(row int64) string {
	const pad = "the quick brown fox jumps over the lazy dog"
	return strconv.FormatInt(row, 10) + pad[:row*7%int64(len(pad))]
}

func (m *model) newBatch(rng *rand.Rand) *batch {
	b := &batch{id: len(m.batches) + 1, rows: map[uint32][]int64{}}
	live := m.live()
	rng.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
	b.tables = live[:1+rng.IntN(min(3, len(live)))]
	if rng.IntN(2) == 0 {
		b.key = fmt.Sprintf("key-%d", b.id)
	}
	for _, t := range b.tables {
		for range 1 + rng.IntN(1+rng.IntN(30)) {
			m.addRow(b, t)
		}
	}
	if rng.IntN(5) == 0 {
		m.addRow(b, catalog.TableQuarantine)
	}
	m.batches = append(m.batches, b)
	return b
}

func (m *model) addRow(b *batch, table uint32) {
	m.nextRow++
	b.rows[table] = append(b.rows[table], m.nextRow)
	m.byRow[m.nextRow] = b
}

// pickKeyed returns an acknowledged batch with a key whose tables exist.
func (m *model) pickKeyed(rng *rand.Rand) *batch {
	var list []*batch
	for _, b := range m.batches {
		if b.key != "" && b.fate == there && m.tablesLive(b) {
			list = append(list, b)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[rng.IntN(len(list))]
}

// contents is what a snapshot shows: per table, how often each row.
type contents map[uint32]map[int64]int

// readAll reads every table; what names values that are not what was written.
func readAll(s *storage.Store, now int64) (got contents, seq uint64, wrong []string, err error) {
	n := s.Snapshot()
	defer n.Close()
	got = contents{}
	for _, t := range n.Catalog().Tables() {
		cols := []uint32{1, 2, 3}
		if t.ID == catalog.TableQuarantine {
			cols = []uint32{t.Column("raw").ID}
		}
		rows := map[int64]int{}
		counters := map[int64]bool{}
		err := eachRow(n, t.ID, cols, now, func(row []types.Datum) {
			if t.ID == catalog.TableQuarantine {
				id, err := strconv.ParseInt(row[0].S, 10, 64)
				if err != nil {
					wrong = append(wrong, fmt.Sprintf("quarantined row %q", row[0].S))
				}
				rows[id]++
				return
			}
			rows[row[0].I]++
			if row[1].S != bodyOf(row[0].I) {
				wrong = append(wrong, fmt.Sprintf("table %d row %d has body %q", t.ID, row[0].I, row[1].S))
			}
			if counters[row[2].I] {
				wrong = append(wrong, fmt.Sprintf("table %d: counter value %d twice", t.ID, row[2].I))
			}
			counters[row[2].I] = true
		})
		if err != nil {
			return nil, 0, nil, fmt.Errorf("table %d: %w", t.ID, err)
		}
		got[t.ID] = rows
	}
	return got, n.Seq(), wrong, nil
}

// eachRow scans a table as admin.
func eachRow(n *storage.Snapshot, table uint32, cols []uint32, now int64, fn func([]types.Datum)) error {
	ctx := context.Background()
	view, err := policy.Resolve(n.Catalog(), table, policy.Principal{RoleID: catalog.RoleAdmin, Superuser: true}, now)
	if err != nil {
		return err
	}
	sc, err := n.Scan(ctx, storage.ScanSpec{View: view, Cols: cols})
	if err != nil {
		return err
	}
	defer sc.Close()
	row := make([]types.Datum, len(cols))
	for m := range sc.Morsels() {
		r, err := sc.Open(ctx, m)
		if err != nil {
			return err
		}
		for b := range r.Batches() {
			n, sel, err := r.Start(ctx, b)
			if err != nil {
				return err
			}
			vs := make([]vec.Vector, len(cols))
			for k := range cols {
				if err := r.Load(k, sel, &vs[k]); err != nil {
					return err
				}
			}
			emit := func(i int) {
				for k := range vs {
					row[k] = vs[k].Datum(i)
				}
				fn(row)
			}
			if sel == nil {
				for i := range n {
					emit(i)
				}
			}
			for _, i := range sel {
				emit(int(i))
			}
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	return nil
}

// look is a reader that runs while a sync is under way: what it sees must never
// be lost.
func (r *run) look() {
	if r.looks++; r.looks%3 != 0 { // each look reads everything
		return
	}
	n := r.s.Snapshot()
	defer n.Close()
	for _, id := range r.m.live() {
		err := eachRow(n, id, []uint32{1}, r.now.UnixMicro(), func(row []types.Datum) {
			if b := r.m.byRow[row[0].I]; b != nil && b.fate == unknown {
				b.fate = there
			}
		})
		if err != nil {
			r.other("a reader failed: %v", err)
		}
	}
}

// verify compares the store with the model, and settles what was unknown.
func (r *run) verify(when string) {
	got, _, wrong, err := readAll(r.s, r.now.UnixMicro())
	if err != nil {
		r.other("read %s: %v", when, err)
		return
	}
	for _, w := range wrong {
		r.other("%s: %s", when, w)
	}
	r.m.checkTables(r, got, when)
	r.checkRemovals(got, when)
	for _, b := range r.m.batches {
		r.checkBatch(b, got, when)
	}
	r.checkUpdates(when)
	for table, rows := range got {
		for id := range rows {
			if b := r.m.byRow[id]; b == nil || !slices.Contains(b.rows[table], id) {
				r.rep.fail(&r.rep.Resurrected, r.seed, "%s: table %d shows row %d that nobody wrote", when, table, id)
			}
		}
	}
}

// checkTables settles the tables.
func (m *model) checkTables(r *run, got contents, when string) {
	for id, f := range m.tables {
		_, exists := got[id]
		switch {
		case exists && f == gone:
			r.rep.fail(&r.rep.Resurrected, r.seed, "%s: dropped table %d is back", when, id)
		case !exists && f == there && !m.dropAsked[id]:
			r.rep.fail(&r.rep.Lost, r.seed, "%s: table %d is lost", when, id)
		}
		m.tables[id] = gone
		if exists {
			m.tables[id] = there
		}
		delete(m.dropAsked, id)
	}
}

// checkBatch settles one batch.
func (r *run) checkBatch(b *batch, got contents, when string) {
	total, present := 0, 0
	for table, ids := range b.rows {
		rows, exists := got[table]
		if !exists {
			continue // dropped
		}
		for _, id := range ids {
			if r.m.removed[id] {
				continue
			}
			total++
			switch n := rows[id]; {
			case n > 1:
				r.rep.fail(&r.rep.Duplicated, r.seed, "%s: batch %d row %d is there %d times", when, b.id, id, n)
				fallthrough
			case n == 1:
				present++
			}
		}
	}
	if total == 0 {
		return
	}
	switch {
	case present == total && b.fate == gone:
		r.rep.fail(&r.rep.Resurrected, r.seed, "%s: batch %d is back", when, b.id)
	case present == total:
		b.fate = there
	case b.fate == there:
		r.rep.fail(&r.rep.Lost, r.seed, "%s: batch %d (seq %d, key %q): %d of %d rows are there", when, b.id, b.seq, b.key, present, total)
	case present > 0:
		r.rep.fail(&r.rep.Partial, r.seed, "%s: batch %d: %d of %d rows are there", when, b.id, present, total)
	default:
		b.fate = gone
	}
}
