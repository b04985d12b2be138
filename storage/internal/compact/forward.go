package compact

import (
	"maps"
	"sync"

	"quern/storage/internal/memtable"
	"quern/storage/internal/segment"

	"github.com/RoaringBitmap/roaring/v2"
)

// Forwards knows where rows went that a flush or a merge moved, for as long as a
// snapshot may name them by where they were. Its methods may be called
// concurrently.
type Forwards struct {
	mu    sync.Mutex
	segs  map[uint64]moved
	slabs map[*memtable.Slab]moved
}

// moved is a slab or a segment that was replaced.
type moved struct {
	by      *segment.Forward
	unit    int      // in by
	outs    []uint64 // segments by output of by
	version uint64   // of the first state without it
}

// AddMerge notes a merge of the segments ins into outs; version is that of the
// first state without ins.
func (f *Forwards) AddMerge(version uint64, by *segment.Forward, ins, outs []uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.segs == nil {
		f.segs = map[uint64]moved{}
	}
	for i, id := range ins {
		f.segs[id] = moved{by, i, outs, version}
	}
}

// AddFlush notes a flush.
func (f *Forwards) AddFlush(version uint64, by *segment.Forward, ins memtable.List, outs []uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slabs == nil {
		f.slabs = map[*memtable.Slab]moved{}
	}
	for i, v := range ins {
		f.slabs[v.Slab] = moved{by, i, outs, version}
	}
}

// Expire forgets what no state from version oldest on can name.
func (f *Forwards) Expire(oldest uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.segs, func(_ uint64, m moved) bool { return m.version <= oldest })
	maps.DeleteFunc(f.slabs, func(_ *memtable.Slab, m moved) bool { return m.version <= oldest })
}

// Resolve translates addresses to where the rows are now: ids and slabs for which
// moved says no are left as they are. ok is false if some row was deleted
// meanwhile. The maps given are not changed.
func (f *Forwards) Resolve(segs map[uint64]*roaring.Bitmap, slabs map[*memtable.Slab]*roaring.Bitmap) (
	outSegs map[uint64]*roaring.Bitmap, outSlabs map[*memtable.Slab]*roaring.Bitmap, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ok = true
	outSegs, outSlabs = map[uint64]*roaring.Bitmap{}, map[*memtable.Slab]*roaring.Bitmap{}
	var add func(id uint64, rows *roaring.Bitmap)
	follow := func(m moved, rows *roaring.Bitmap) {
		to, deleted := m.by.Rows(m.unit, rows)
		ok = ok && deleted == 0
		for o, b := range to {
			if b != nil {
				add(m.outs[o], b)
			}
		}
	}
	add = func(id uint64, rows *roaring.Bitmap) {
		if m, found := f.segs[id]; found { // NB: merges form no circle, ids only rise
			follow(m, rows)
			return
		}
		if was := outSegs[id]; was != nil {
			rows = roaring.Or(was, rows)
		}
		outSegs[id] = rows
	}
	for s, rows := range slabs {
		if m, found := f.slabs[s]; found {
			follow(m, rows)
		} else {
			outSlabs[s] = rows
		}
	}
	for id, rows := range segs {
		add(id, rows)
	}
	return outSegs, outSlabs, ok
}
