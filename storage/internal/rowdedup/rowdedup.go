// Package rowdedup knows which keys the rows of one table have: 16 bytes of
// SHA-256 of the key's values per row, in memory, with the time at which the row
// was received. A key counts for the window of the table; a key with a NULL is
// like no other.
//
// An Index is built by reading the table's rows, is kept up by whoever commits,
// and is thrown away when rows go. It has no lock of its own.
//
// The keys of all tables share a Budget. Room is reserved before a key is added:
// an index that gets none stays as it is, and the caller refuses the rows. No key
// is forgotten inside the window to make room.
package rowdedup

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync/atomic"

	"quern/storage/catalog"
	"quern/storage/types"
	"quern/storage/vec"
)

// KeyBytes is what a key counts for in a Budget: its entry of 24 bytes, what a
// map leaves free around it, and a part of the copy that Expire makes at times.
const KeyBytes = 64

// Budget bounds the bytes of several indexes together.
type Budget struct {
	max  int64
	used atomic.Int64
}

// NewBudget makes a budget of max bytes.
func NewBudget(max int64) *Budget { return &Budget{max: max} }

// Max is the bound.
func (b *Budget) Max() int64 { return b.max }

// Used is what the indexes hold.
func (b *Budget) Used() int64 { return b.used.Load() }

func (b *Budget) take(n int64) bool {
	if b.used.Add(n) > b.max && n > 0 {
		b.used.Add(-n)
		return false
	}
	return true
}

// Print is the fingerprint of a key.
type Print [16]byte

// Index is the keys of one table.
type Index struct {
	// Spec says what it was built from; another one needs another index.
	Spec   string
	budget *Budget
	held   int64           // of budget
	seen   map[Print]int64 // µs since 1970
	oldest int64           // no key is older
	peak   int             // the most keys that seen has had: a map does not shrink
	gone   int             // keys deleted from seen
}

// Floor is the time before which a key counts no more; a window of 0 has no end.
func Floor(window, now int64) int64 {
	if window <= 0 {
		return -never
	}
	return now - window
}

// never is later than every time and may be added to.
const never = 1 << 62

// New makes an empty index that takes its memory from budget.
func New(spec string, budget *Budget) *Index {
	return &Index{Spec: spec, budget: budget, seen: map[Print]int64{}, oldest: never}
}

// Reserve holds memory for n more keys in all; Trim gives back what they did not
// need. It returns false, and has done nothing, if the budget has no room.
func (x *Index) Reserve(n int) bool {
	more := KeyBytes*int64(max(x.peak, len(x.seen)+n)) - x.held
	if more <= 0 {
		return true
	}
	if !x.budget.take(more) {
		return false
	}
	x.held += more
	return true
}

// Admit is Reserve for keys to come with AddAll, if need be after Expire.
func (x *Index) Admit(n int, floor int64) bool {
	if x.Reserve(n) {
		return true
	}
	x.Expire(floor)
	return x.Reserve(n)
}

// AddAll notes the keys of rows that were received together, for which Admit made
// room, and gives back the room that is left over.
func (x *Index) AddAll(list []Print, received int64) {
	for _, p := range list {
		x.Add(p, received)
	}
	x.Trim()
}

// Trim gives back reserved memory.
func (x *Index) Trim() {
	need := KeyBytes * int64(x.peak)
	x.budget.take(need - x.held)
	x.held = need
}

// Close gives all memory back; the index may not be used any more. A nil Index
// has none.
func (x *Index) Close() {
	if x == nil {
		return
	}
	x.budget.take(-x.held)
	x.held, x.seen = 0, nil
}

// Add notes a row's key, for which there must be room; the latest time counts.
func (x *Index) Add(p Print, received int64) {
	if old, ok := x.seen[p]; !ok || received > old {
		x.seen[p] = received
		x.oldest = min(x.oldest, received)
		x.peak = max(x.peak, len(x.seen))
	}
}

// Has tells whether a row with the key was received at or after floor.
func (x *Index) Has(p Print, floor int64) bool {
	at, ok := x.seen[p]
	return ok && at >= floor
}

// Expire forgets what was received before floor.
func (x *Index) Expire(floor int64) {
	if floor <= x.oldest {
		return
	}
	had := len(x.seen)
	x.oldest = never
	for p, at := range x.seen {
		if at < floor {
			delete(x.seen, p)
		} else {
			x.oldest = min(x.oldest, at)
		}
	}
	if x.gone += had - len(x.seen); x.gone > len(x.seen) { // a copy is worth its price
		old := x.seen
		x.seen = make(map[Print]int64, len(old))
		for p, at := range old {
			x.seen[p] = at
		}
		x.peak, x.gone = len(x.seen), 0
	}
	x.Trim()
}

// Sweep is Expire, once it is worth a look at every key: when a sixteenth of the
// window has gone by since the oldest could go, or less if memory is short.
func (x *Index) Sweep(window, now int64) {
	floor, wait := Floor(window, now), window/16
	if x.budget.Used() > x.budget.max/10*7 {
		wait = window / 256
	}
	if floor >= x.oldest+wait {
		x.Expire(floor)
	}
}

// Len is the number of keys.
func (x *Index) Len() int { return len(x.seen) }

// ErrFull says that the budget has no room.
var ErrFull = errors.New("row keys: no room")

// AddRows adds the keys of rows that were received at or after floor; times is
// when they were.
func (x *Index) AddRows(b *vec.Batch, key []*vec.Vector, times *vec.Vector, floor int64) error {
	for i := range b.Rows() {
		row := rowOf(b, i)
		at := times.Datum(row).I
		if at < floor {
			continue
		}
		p, ok, err := Of(key, row)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if !x.Reserve(1) {
			return ErrFull
		}
		x.Add(p, at)
	}
	return nil
}

func rowOf(b *vec.Batch, i int) int {
	if b.Sel != nil {
		return int(b.Sel[i])
	}
	return i
}

// Picker tells rows whose key is new from copies.
type Picker struct {
	Fresh []Print // the keys of the rows picked
	Dups  int64   // the number of the others

	x     *Index
	own   map[Print]bool
	floor int64
}

// Picker picks rows whose key neither x, at or after floor, nor fresh has.
func (x *Index) Picker(fresh []Print, floor int64) *Picker {
	k := &Picker{Fresh: fresh, x: x, own: map[Print]bool{}, floor: floor}
	for _, p := range fresh {
		k.own[p] = true
	}
	return k
}

// KeyColumns are the columns of b that make t's key; fewer if b lacks some.
func KeyColumns(t *catalog.Table, cols []uint32, b *vec.Batch) []*vec.Vector {
	key := make([]*vec.Vector, 0, len(t.Options.DedupKey))
	for _, id := range t.Options.DedupKey {
		if k := slices.Index(cols, id); k >= 0 {
			key = append(key, &b.Cols[k])
		}
	}
	return key
}

// Unstored tells which rows of b, columns cols of t, will not be stored: those
// that break NOT NULL and those whose event time is too old.
func Unstored(t *catalog.Table, cols []uint32, b *vec.Batch, old func(time *vec.Vector, row int) bool) func(row int) bool {
	var notNull []*vec.Vector
	var times *vec.Vector
	for i := range t.Columns {
		c := &t.Columns[i]
		k := slices.Index(cols, c.ID)
		switch {
		case k >= 0 && c.NotNull && b.Cols[k].Valid != nil:
			notNull = append(notNull, &b.Cols[k])
		case k < 0 && c.NotNull && c.Default.Kind == catalog.DefaultNone:
			return func(int) bool { return true }
		}
		if k >= 0 && t.TimeColumn() == c {
			times = &b.Cols[k]
		}
	}
	return func(row int) bool {
		return slices.ContainsFunc(notNull, func(v *vec.Vector) bool { return v.Null(row) }) ||
			times != nil && !times.Null(row) && old(times, row)
	}
}

// Rows picks rows of b; of equal keys the first. Rows that will not be stored stay
// for the caller to judge, and their keys count for nothing.
func (k *Picker) Rows(b *vec.Batch, key []*vec.Vector, unstored func(row int) bool) (vec.Selection, error) {
	kept := make(vec.Selection, 0, b.Rows())
	for i := range b.Rows() {
		row := rowOf(b, i)
		if unstored(row) {
			kept = append(kept, uint16(row))
			continue
		}
		p, ok, err := Of(key, row)
		if err != nil {
			return nil, err
		}
		if ok && (k.own[p] || k.x.Has(p, k.floor)) {
			k.Dups++
			continue
		}
		if ok {
			k.own[p] = true
			k.Fresh = append(k.Fresh, p)
		}
		kept = append(kept, uint16(row))
	}
	return kept, nil
}

// Of is the fingerprint of row i of the key columns; ok is false if one is NULL.
func Of(cols []*vec.Vector, i int) (p Print, ok bool, err error) {
	var buf []byte
	for _, v := range cols {
		if v.Null(i) {
			return p, false, nil
		}
		d := v.Datum(i)
		at := len(buf)
		buf = append(buf, 0, 0, 0, 0)
		if buf, err = types.AppendBinary(buf, v.Type, &d); err != nil {
			return p, false, err
		}
		binary.LittleEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
	}
	h := sha256.Sum256(buf)
	copy(p[:], h[:])
	return p, true, nil
}
