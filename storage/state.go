package storage

import (
	"slices"
	"sync"
	"sync/atomic"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/memtable"

	"github.com/RoaringBitmap/roaring/v2"
)

// state is what a snapshot sees: immutable, swapped as one pointer. A batch
// over many tables becomes visible with the one store of the pointer.
type state struct {
	version uint64 // raised by every publication
	seq     uint64 // highest sequence that is visible
	cat     *catalog.Snapshot
	// ords finds a table's place in tables. Both are shared between states and
	// copied by whoever changes them: a publication copies the pointers of
	// tables, not the map.
	ords   map[uint32]int
	tables []*tableState
}

// tableState is one table's rows.
type tableState struct {
	slabs memtable.List
	segs  []*segmentRef
	// Deleted rows; maps and bitmaps are replaced, never changed.
	slabDels map[*memtable.Slab]*roaring.Bitmap
	segDels  map[uint64]*roaring.Bitmap // by segment id
	// changes counts the commits that changed rows since the start; flushes and
	// merges leave it.
	changes uint64
}

var emptyTable = &tableState{}

func (s *state) table(id uint32) *tableState {
	if i, ok := s.ords[id]; ok {
		return s.tables[i]
	}
	return emptyTable
}

// with returns a copy of s that may be changed with put.
func (s *state) with() *state {
	n := *s
	n.version++
	n.tables = slices.Clone(s.tables)
	return &n
}

// put replaces a table of a state made by with.
func (s *state) put(id uint32, t *tableState) {
	if i, ok := s.ords[id]; ok {
		s.tables[i] = t
		return
	}
	ords := make(map[uint32]int, len(s.ords)+1)
	for k, v := range s.ords {
		ords[k] = v
	}
	ords[id] = len(s.tables)
	s.ords = ords
	s.tables = append(s.tables, t)
}

// prune drops the rows of tables that the catalog does not know any more and
// returns their segments.
func (s *state) prune() (segs []*segmentRef) {
	for id, i := range s.ords {
		if s.cat.Table(id) == nil {
			segs = append(segs, s.tables[i].segs...)
			s.tables[i] = emptyTable
		}
	}
	return segs
}

// pins are the open snapshots, so that files are removed only after the last one
// that may read them.
type pins struct {
	mu   sync.Mutex
	open map[*pin]bool
}

// pin holds one version of the state: for a snapshot, those derived from it, and
// their scans.
type pin struct {
	version uint64
	opened  int64 // µs
	// Guarded by pins.mu. Without scans a pin that is canceled holds nothing.
	refs, scans int
	canceled    atomic.Bool
}

// errTooOld ends statements whose snapshot keeps bytes that must go.
var errTooOld = errs.New(errs.QueryCanceled, "canceling statement because its snapshot is too old").
	WithDetail("Deleted or expired rows that it may read must be gone within a bound.")

// add opens a pin of the state that load gives.
func (p *pins) add(load func() *state, now int64) (*state, *pin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := load()
	x := &pin{version: st.version, opened: now, refs: 1}
	p.open[x] = true
	return st, x
}

// change counts snapshots and scans of a pin.
func (p *pins) change(x *pin, refs, scans int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if scans > 0 && x.canceled.Load() {
		return errTooOld
	}
	x.refs += refs
	x.scans += scans
	if x.refs == 0 || x.canceled.Load() && x.scans == 0 {
		delete(p.open, x)
	}
	return nil
}

// cancel takes the right to read from pins of versions below below that were
// opened before.
func (p *pins) cancel(below uint64, before int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for x := range p.open {
		if x.version < below && x.opened < before {
			x.canceled.Store(true)
			if x.scans == 0 {
				delete(p.open, x)
			}
		}
	}
}

// oldest is the lowest version that is held, or def if there is none.
func (p *pins) oldest(def uint64) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	for x := range p.open {
		def = min(def, x.version)
	}
	return def
}
