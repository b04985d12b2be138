package segment

import (
	"sync"
	"sync/atomic"

	"quern/storage/vec"
)

// Dicts bounds the memory of the dictionaries that the open segments of a store
// keep decoded. What is over the bound goes by the clock algorithm: first what
// nobody asked for since the hand passed last. Whoever still holds a dictionary
// that went may go on using it; the next one decodes it anew, under the same ID.
// A nil *Dicts keeps everything. Safe for concurrent use.
type Dicts struct {
	max int64

	mu    sync.Mutex // guards the fields below
	all   []*keptDict
	hand  int
	bytes int64
}

// NewDicts makes Dicts with a bound in bytes.
func NewDicts(max int64) *Dicts { return &Dicts{max: max} }

// Bytes is the memory of the dictionaries kept.
func (d *Dicts) Bytes() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes
}

// dictSlot is where a column keeps a dictionary.
type dictSlot struct{ p atomic.Pointer[keptDict] }

type keptDict struct {
	dict  *vec.Dictionary
	slot  *dictSlot
	bytes int64
	used  atomic.Bool // since the hand passed
}

// load gives the slot's dictionary, nil if it has none.
func (s *dictSlot) load() *vec.Dictionary {
	k := s.p.Load()
	if k == nil {
		return nil
	}
	if !k.used.Load() {
		k.used.Store(true)
	}
	return k.dict
}

// put keeps a dictionary in a slot. If another goroutine was first, its one wins.
func (d *Dicts) put(s *dictSlot, dict *vec.Dictionary) *vec.Dictionary {
	k := &keptDict{dict: dict, slot: s, bytes: dictBytes(dict)}
	if d == nil {
		s.p.CompareAndSwap(nil, k)
		return s.p.Load().dict
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if other := s.load(); other != nil {
		return other
	}
	s.p.Store(k)
	d.all = append(d.all, k)
	d.bytes += k.bytes
	for turns := 2 * len(d.all); d.bytes > d.max && turns > 0; turns-- {
		d.turn(k)
	}
	return dict
}

// turn moves the hand by one. keep has just come and stays.
func (d *Dicts) turn(keep *keptDict) {
	if d.hand >= len(d.all) {
		d.hand = 0
	}
	k := d.all[d.hand]
	if k == keep || k.used.Swap(false) {
		d.hand++
		return
	}
	k.slot.p.Store(nil)
	d.removeLocked(d.hand)
}

func (d *Dicts) removeLocked(i int) {
	d.bytes -= d.all[i].bytes
	last := len(d.all) - 1
	d.all[i], d.all[last] = d.all[last], nil
	d.all = d.all[:last]
}

// drop forgets the dictionaries of these slots.
func (d *Dicts) drop(slots ...*dictSlot) {
	if d == nil {
		for _, s := range slots {
			s.p.Store(nil)
		}
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := map[*keptDict]bool{}
	for _, s := range slots {
		if k := s.p.Swap(nil); k != nil {
			gone[k] = true
		}
	}
	if len(gone) == 0 {
		return
	}
	for i := len(d.all) - 1; i >= 0; i-- {
		if gone[d.all[i]] {
			d.removeLocked(i)
		}
	}
}

func dictBytes(d *vec.Dictionary) int64 {
	n := 16*len(d.Values.Views) + 8*len(d.Hashes) + len(d.Values.Fixed)
	for _, b := range d.Values.Bufs {
		n += len(b)
	}
	return int64(n)
}
