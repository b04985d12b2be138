package storage

import (
	"context"
	"slices"
	"sync"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/memtable"
	"quern/storage/internal/scan"
	"quern/storage/policy"
	"quern/storage/vec"

	"github.com/RoaringBitmap/roaring/v2"
)

// Snapshot is one consistent state of the folder: catalog, segments and
// MemTables up to one sequence. It must be closed; until then its files stay.
type Snapshot struct {
	s       *Store
	st      *state
	cat     *catalog.Snapshot        // st's, or a newer one (Pending.Catalog)
	private map[uint32]memtable.List // a transaction's own rows
	own     map[uint32]int           // how many slabs of private hold Pending.Rows
	staged  map[uint32][]*segmentRef // and those of its loads
	pin     *pin                     // derived snapshots and scans share it
	once    sync.Once
}

// Snapshot opens the newest state.
func (s *Store) Snapshot() *Snapshot {
	if s.buffered.seq.Load() > s.state.Load().seq {
		s.waitBuffered()
	}
	st, pin := s.pins.add(s.state.Load, s.nowMicros())
	return &Snapshot{s: s, st: st, cat: st.cat, pin: pin}
}

// Close ends the snapshot. Scans that are still open keep what they read.
func (n *Snapshot) Close() {
	n.once.Do(func() { _ = n.s.pins.change(n.pin, -1, 0) })
}

// Catalog is the snapshot's catalog.
func (n *Snapshot) Catalog() *catalog.Snapshot { return n.cat }

// Seq is the highest sequence that the snapshot shows.
func (n *Snapshot) Seq() uint64 { return n.st.seq }

// TableSize is what a table holds, expired rows that are not purged yet included:
// for planning, and for roles that are not bound by a policy.
type TableSize struct {
	Rows     int64
	Segments int
	Bytes    int64 // of segments
	MemRows  int64 // of Rows, those that no segment has yet
}

// Size returns the size of a table.
func (n *Snapshot) Size(table uint32) TableSize {
	t := n.st.table(table)
	z := TableSize{Rows: int64(t.slabs.Rows() + n.private[table].Rows()), Segments: len(t.segs)}
	z.MemRows = z.Rows
	for _, seg := range t.segs {
		z.Rows += seg.meta.Rows
		z.Bytes += seg.meta.Length
	}
	for _, seg := range n.staged[table] {
		z.Rows += seg.meta.Rows
	}
	for _, gone := range t.segDels {
		z.Rows -= int64(gone.GetCardinality())
	}
	for _, gone := range t.slabDels {
		z.Rows -= int64(gone.GetCardinality())
	}
	return z
}

// Complete returns rows with every live column: defaults are filled in and NOT
// NULL is checked (23502). A transaction keeps the result, shows it to itself
// with Snapshot.With and commits it later: values that differ at each call, as
// of counters, stay the same.
func (s *Store) Complete(cat *catalog.Snapshot, tr *TableRows, user string) (TableRows, error) {
	t := cat.Table(tr.Table)
	if t == nil {
		return TableRows{}, errs.New(errs.UndefinedTable, "relation with OID %d does not exist", tr.Table)
	}
	full, _, err := s.complete(t, tr, s.nowMicros(), &Commit{User: user})
	if err != nil {
		return TableRows{}, err
	}
	return *full, nil
}

// With returns a snapshot that shows what a transaction adds to n; p.Rows were
// made by Complete. It is closed on its own. _commit_seq of those rows is 0.
func (n *Snapshot) With(p Pending) (*Snapshot, error) {
	own := map[uint32]*memtable.Table{}
	rows, cat := p.Rows, p.Catalog
	if cat == nil {
		cat = n.cat
	}
	for i := range rows {
		t := cat.Table(rows[i].Table)
		if t == nil {
			return nil, errs.New(errs.UndefinedTable, "relation with OID %d does not exist", rows[i].Table)
		}
		body, err := memtable.EncodeRows(nil, t.Version, rows[i].Cols, rows[i].Batches)
		if err != nil {
			return nil, err
		}
		decoded, err := memtable.DecodeRows(body)
		if err != nil {
			return nil, err
		}
		if own[t.ID] == nil {
			own[t.ID] = memtable.NewTable()
		}
		own[t.ID].Append(decoded, n.s.nowMicros(), 0)
	}
	st := n.st
	if len(p.Deletes) > 0 {
		c := *st // of the same version: it pins the same files
		c.tables, st = slices.Clone(st.tables), &c
		for _, x := range p.Deletes {
			if x.All {
				st.put(x.Table, emptyTable)
			} else {
				st.put(x.Table, st.table(x.Table).delete(x))
			}
		}
	}
	d := &Snapshot{s: n.s, st: st, cat: cat, pin: n.pin, private: map[uint32]memtable.List{}, own: map[uint32]int{},
		staged: map[uint32][]*segmentRef{}}
	for id, t := range own {
		d.private[id] = t.List()
		d.own[id] = len(d.private[id])
	}
	for _, l := range p.Loads {
		if err := l.show(d); err != nil {
			return nil, err
		}
	}
	return d, n.s.pins.change(n.pin, 1, 0)
}

// Scan opens a scan of the table of spec.View: the only way to cell values. The
// view must have been resolved on this snapshot's catalog.
func (n *Snapshot) Scan(_ context.Context, spec ScanSpec) (Scan, error) {
	if spec.View == nil {
		return nil, errs.New(errs.Internal, "scan without a policy view")
	}
	t := n.cat.Table(spec.View.Table())
	if t == nil {
		return nil, errs.New(errs.UndefinedTable, "relation with OID %d does not exist", spec.View.Table())
	}
	if spec.View.Epoch() != n.cat.PolicyEpoch() {
		return nil, errs.New(errs.SerializationFailure, "policies of relation %q changed, plan again", t.Name)
	}
	inner, err := scan.New(scanSpec(t, &spec))
	if err != nil {
		return nil, err
	}
	ts := n.st.table(t.ID)
	sc := &tableScan{snap: n, scan: inner, read: map[*segmentRef]int{}, whole: !spec.View.Bound() && !spec.View.Masked() && len(spec.Preds) == 0}
	floor, _, hasFloor := spec.View.Floor()
	sc.whole = sc.whole && !hasFloor
	for i, seg := range ts.segs {
		if err := sc.addSegment(i, seg, ts.segDels[seg.meta.ID], floor, hasFloor); err != nil {
			return nil, err
		}
	}
	unit := len(ts.segs)
	for _, v := range ts.slabs {
		sc.addSlab(unit, v, ts.slabDels[v.Slab])
		unit++
	}
	for _, v := range n.private[t.ID] {
		sc.addSlab(unit, v, nil)
		unit++
	}
	for _, seg := range n.staged[t.ID] {
		if err := sc.addSegment(unit, seg, nil, floor, hasFloor); err != nil {
			return nil, err
		}
		unit++
	}
	if hasFloor {
		n.s.noteFloor(t, floor)
	}
	return sc, n.s.pins.change(n.pin, 1, 1)
}

func scanSpec(t *catalog.Table, spec *ScanSpec) *scan.Spec {
	out := &scan.Spec{View: spec.View, Table: t, Cols: spec.Cols}
	for _, p := range spec.Preds {
		out.Preds = append(out.Preds, scan.Pred{Col: p.Col, Op: scan.Op(p.Op), Val: p.Val, Vals: p.Vals})
	}
	return out
}

// tableScan implements Scan.
type tableScan struct {
	snap    *Snapshot
	scan    *scan.Scan
	morsels []morsel
	whole   bool      // every row that is not deleted is shown, raw
	stats   ScanStats // of what was left out when the scan was opened
	once    sync.Once

	mu   sync.Mutex
	read map[*segmentRef]int // row groups of which pages were looked at
}

// morsel is a slab or a row group.
type morsel struct {
	info  MorselInfo
	slab  memtable.SlabView
	group groupRef
	place scan.Place
}

func (t *tableScan) addSlab(unit int, v memtable.SlabView, deleted *roaring.Bitmap) {
	if v.Rows > 0 {
		t.scan.Reads(nil, v.Rows)
		t.morsels = append(t.morsels, morsel{info: MorselInfo{Rows: v.Rows}, slab: v,
			place: scan.Place{Unit: unit, Deleted: deleted}})
	}
}

func (t *tableScan) Morsels() int          { return len(t.morsels) }
func (t *tableScan) Info(m int) MorselInfo { return t.morsels[m].info }

// Close implements Scan.
func (t *tableScan) Close() error {
	t.once.Do(func() { _ = t.snap.s.pins.change(t.snap.pin, -1, -1) })
	return nil
}

// Open returns the reader of a morsel; one in which nothing can match has no
// batches.
func (t *tableScan) Open(ctx context.Context, m int) (GroupReader, error) {
	if err := ctx.Err(); err != nil {
		return nil, errs.New(errs.QueryCanceled, "canceling statement due to user request")
	}
	if t.snap.pin.canceled.Load() {
		return nil, errTooOld
	}
	mo := &t.morsels[m]
	var r *scan.Reader
	var err error
	if mo.info.Segment {
		if r, err = t.openGroup(mo); err != nil {
			return nil, err
		}
	} else {
		r = t.scan.Slab(mo.slab, mo.place)
	}
	if r == nil {
		return noRows{}, nil
	}
	return r, nil
}

// Facts implements FactScan.
func (t *tableScan) Facts(m, col int) (ColumnFacts, bool) {
	mo := &t.morsels[m]
	if !t.whole || !mo.info.Segment || mo.place.Deleted != nil {
		return ColumnFacts{}, false
	}
	z, ok := t.scan.Zone(mo.group.seg.file, mo.group.n, col)
	return ColumnFacts{Rows: int(z.Rows), Nulls: int(z.Nulls), Min: z.MinI, Max: z.MaxI}, ok
}

func (t *tableScan) DictBytes(col int) (int64, bool)              { return t.scan.DictBytes(col) }
func (t *tableScan) LargestDict(col int) (*vec.Dictionary, error) { return t.scan.LargestDict(col) }

// Stats implements Scan.
func (t *tableScan) Stats() ScanStats {
	t.mu.Lock()
	defer t.mu.Unlock()
	z := t.stats
	// What nobody opened was skipped: by zone maps, by what footers know, or
	// because the query had enough.
	z.SegmentsSkipped, z.RowGroupsSkipped = z.Segments-len(t.read), z.RowGroups
	for _, groups := range t.read {
		z.RowGroupsSkipped -= groups
	}
	bytes, granules, skipped := t.scan.Counters()
	z.Bytes, z.Granules, z.GranulesSkipped = bytes, int(granules), int(skipped)
	return z
}

// noRows is the reader of a morsel that was skipped.
type noRows struct{}

func (noRows) Batches() int { return 0 }
func (noRows) Start(context.Context, int) (int, vec.Selection, error) {
	return 0, vec.Selection{}, nil
}
func (noRows) Load(int, vec.Selection, *vec.Vector) error { return nil }
func (noRows) Close() error                               { return nil }

// ColumnStats is what segments say of a column, deleted and expired rows
// included. Distinct is 0 and Bounded false where they do not know.
type ColumnStats struct {
	Rows, Nulls, Distinct int64
	Min, Max              int64 // order-preserving integers
	Bounded               bool
}

// ColumnStats estimates what a column of the view's table holds: for the order
// of joins. ok is false where the view hides rows or values of the column, and
// for a column that no segment has.
func (n *Snapshot) ColumnStats(view *policy.View, col uint32) (out ColumnStats, ok bool) {
	t := n.cat.Table(view.Table())
	if t == nil || view.Bound() || view.Mask(col) != nil {
		return out, false
	}
	if _, _, cut := view.Floor(); cut {
		return out, false
	}
	def := t.ColumnByID(col)
	if def == nil {
		return out, false
	}
	var st scan.Stats
	for _, seg := range n.st.table(t.ID).segs {
		if seg.err != nil || st.Add(seg.file, col, def.Type) != nil {
			return out, false
		}
	}
	st.Done()
	return ColumnStats{Rows: st.Rows, Nulls: st.Nulls, Distinct: st.Distinct, Min: st.Min, Max: st.Max, Bounded: st.Bounded}, st.Rows > 0
}
