// Package rowdedup knows which keys the rows of one table have: 16 bytes of
// SHA-256 of the key's values per row, in memory, with the time at which the row
// was received. A key counts for the window of the table; a key with a NULL is
// like no other.
//
// An Index is built by reading the table's rows, is kept up by whoever commits,
// and is thrown away when rows go. It has no lock of its own.
package rowdedup

import (
	"crypto/sha256"
	"encoding/binary"

	"quern/storage/types"
	"quern/storage/vec"
)

// Print is the fingerprint of a key.
type Print [16]byte

// Index is the keys of one table.
type Index struct {
	// Spec says what it was built from; another one needs another index.
	Spec string
	seen map[Print]int64 // µs since 1970
}

// New makes an empty index.
func New(spec string) *Index { return &Index{Spec: spec, seen: map[Print]int64{}} }

// Add notes a row's key; the first copy's time counts.
func (x *Index) Add(p Print, received int64) {
	if old, ok := x.seen[p]; !ok || received > old {
		x.seen[p] = received
	}
}

// Has tells whether a row with the key was received at or after floor.
func (x *Index) Has(p Print, floor int64) bool {
	at, ok := x.seen[p]
	return ok && at >= floor
}

// Expire forgets what was received before floor.
func (x *Index) Expire(floor int64) {
	for p, at := range x.seen {
		if at < floor {
			delete(x.seen, p)
		}
	}
}

// Len is the number of keys.
func (x *Index) Len() int { return len(x.seen) }

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
