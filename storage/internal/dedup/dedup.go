// Package dedup remembers batch keys: per (principal, table, key) at most one
// commit becomes visible within the window, and its outcome is the answer to
// every repeat.
//
//	Claim ─► in flight ─► Commit(outcome)  remembered, waiters see it
//	                  └─► Release          nothing happened, a waiter may try
//
// The keys are durable in the WAL frame of their commit; when its file is
// retired they move to the manifest (Fresh, Encode, Load). Row keys are not
// here yet. It does no I/O.
package dedup

import (
	"context"
	"encoding/binary"
	"sync"

	"quern/storage/errs"
)

// Key names a batch.
type Key struct {
	Principal uint32
	Table     uint32
	Key       string
}

// Entry is what became of a batch.
type Entry struct {
	Key
	Digest [16]byte
	Seq    uint64
	At     int64 // µs since 1970
	// Received, accepted, duplicate, quarantined, refused.
	Counts [5]int64
}

// Keys is the set. Its methods may be called concurrently.
type Keys struct {
	window  int64 // µs
	keepMin int

	mu       sync.Mutex
	entries  map[Key]*Entry
	order    []*Entry // by sequence
	fresh    int      // order[fresh:] are not in the manifest yet
	inFlight map[Key]chan struct{}
}

// New returns an empty set that keeps keys for window µs, and at least the
// newest keepMin.
func New(window int64, keepMin int) *Keys {
	return &Keys{window: window, keepMin: keepMin, entries: map[Key]*Entry{}, inFlight: map[Key]chan struct{}{}}
}

// Claim takes key for a commit. It waits for a commit of the same key that is
// in flight. If the key was committed, its entry is returned instead; another
// content under it is 22023.
func (k *Keys) Claim(ctx context.Context, key Key, digest [16]byte) (*Entry, error) {
	for {
		k.mu.Lock()
		if e := k.entries[key]; e != nil {
			k.mu.Unlock()
			if e.Digest != digest {
				return nil, errs.New(errs.InvalidParameterValue,
					"batch key %q was used for other content", key.Key).
					WithHint("Use a new key for new content.")
			}
			return e, nil
		}
		wait, busy := k.inFlight[key]
		if !busy {
			k.inFlight[key] = make(chan struct{})
			k.mu.Unlock()
			return nil, nil
		}
		k.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, errs.New(errs.QueryCanceled, "canceling statement due to user request")
		}
	}
}

// Release gives a claimed key back: its commit did not happen, or Commit was
// called.
func (k *Keys) Release(key Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if wait, ok := k.inFlight[key]; ok {
		close(wait)
		delete(k.inFlight, key)
	}
}

// Commit remembers e. Calls come in order of sequence.
func (k *Keys) Commit(e *Entry) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.entries[e.Key] = e
	k.order = append(k.order, e)
	k.pruneLocked(e.At)
}

// pruneLocked forgets keys that are outside the window.
func (k *Keys) pruneLocked(now int64) {
	n := 0
	for len(k.order)-n > k.keepMin && k.order[n].At < now-k.window {
		if e := k.order[n]; k.entries[e.Key] == e {
			delete(k.entries, e.Key)
		}
		k.order[n] = nil
		n++
	}
	k.order = k.order[n:]
	k.fresh = max(0, k.fresh-n)
}

// Lookup returns the entry of a committed key, nil if there is none.
func (k *Keys) Lookup(key Key) *Entry {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.entries[key]
}

// Busy tells whether a commit of the key is in flight.
func (k *Keys) Busy(key Key) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, busy := k.inFlight[key]
	return busy
}

// Len is the number of keys.
func (k *Keys) Len() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.entries)
}

// Fresh returns the entries that are not in the manifest, encoded. Saved says
// that they are now.
func (k *Keys) Fresh() (body []byte, count int, maxAt int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.order[k.fresh:] {
		body = e.Append(body)
		maxAt = max(maxAt, e.At)
	}
	return body, len(k.order) - k.fresh, maxAt
}

// Saved says that the count entries of the last Fresh are in the manifest.
func (k *Keys) Saved(count int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.fresh = min(len(k.order), k.fresh+count)
}

// Load adds entries from the manifest.
func (k *Keys) Load(body []byte) error {
	for len(body) > 0 {
		e := new(Entry)
		var err error
		if body, err = e.Decode(body); err != nil {
			return err
		}
		k.Commit(e)
		k.Saved(1)
	}
	return nil
}

const entryBytes = 4 + 4 + 16 + 8 + 8 + 40 + 2

// Append encodes e.
func (e *Entry) Append(b []byte) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, e.Principal)
	b = le.AppendUint32(b, e.Table)
	b = append(b, e.Digest[:]...)
	b = le.AppendUint64(b, e.Seq)
	b = le.AppendUint64(b, uint64(e.At))
	for _, c := range e.Counts {
		b = le.AppendUint64(b, uint64(c))
	}
	b = le.AppendUint16(b, uint16(len(e.Key.Key)))
	return append(b, e.Key.Key...)
}

// Decode reads one entry and returns the rest.
func (e *Entry) Decode(b []byte) ([]byte, error) {
	bad := &errs.Corrupt{File: "batch keys", Reason: "entry is cut short"}
	if len(b) < entryBytes {
		return nil, bad
	}
	le := binary.LittleEndian
	e.Principal, e.Table = le.Uint32(b), le.Uint32(b[4:])
	copy(e.Digest[:], b[8:24])
	e.Seq, e.At = le.Uint64(b[24:]), int64(le.Uint64(b[32:]))
	for i := range e.Counts {
		e.Counts[i] = int64(le.Uint64(b[40+8*i:]))
	}
	n := int(le.Uint16(b[80:]))
	if len(b) < entryBytes+n {
		return nil, bad
	}
	e.Key.Key = string(b[entryBytes : entryBytes+n])
	return b[entryBytes+n:], nil
}
