// Package manifest keeps the atomic set of live files: which segments exist, up
// to where each table's log frames are in them, where the log begins, and the
// state that outlives the log (catalog, batch keys, counters, statistics).
//
//	catalog/CURRENT             name of the live manifest file, its crc
//	catalog/MANIFEST-<16 hex>   CHECKPOINT, then edits; two generations are kept
//
//	record   u32 length of the body, u32 crc32c (seeded with the crc of the
//	         record before), u64 number (dense), u8 kind, body (JSON)
//
// An edit is one record, synced before it counts. A torn last record is cut: no
// file is unlinked or zeroed on the strength of anything but a GONE record, so
// what the lost record said can be redone. A bad record before a valid one is
// damage and is refused. Opening always starts a new generation, so nothing is
// ever appended behind a cut.
//
// It does no garbage collection and never reads the files that it names.
// Start reading at Open, Append and State.apply.
package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"

	"quern/storage/errs"
	"quern/storage/internal/failpoint"
	"quern/storage/vfs"
)

// Kind is the kind of a record.
type Kind uint8

// Record kinds.
const (
	Checkpoint Kind = 1
	Flush      Kind = 2
	Merge      Kind = 3
	Purge      Kind = 4
	Attached   Kind = 5
	Deletes    Kind = 6
	Catalog    Kind = 7
	Gone       Kind = 8
	Note       Kind = 9
)

// Rollover bounds. Larger files make the start slower, smaller ones write more
// checkpoints; a checkpoint larger than rollBytes doubles the bound.
const (
	rollBytes   = 4 << 20
	rollRecords = 10_000
	// generations is how many manifest files are kept, the live one included.
	generations = 2
)

// Manifest is the open manifest. Its methods may be called concurrently.
type Manifest struct {
	fs  vfs.FS
	dir string // catalog/
	tmp string // tmp/

	mu      sync.Mutex
	state   *State
	gen     uint64
	f       vfs.File
	off     int64
	rollAt  int64
	records int
	number  uint64 // of the next record
	crc     uint32 // of the last record
	failed  error  // sticky
	warning string
}

// Create starts the manifest of an empty data folder.
func Create(fsys vfs.FS, dir, tmp string, state *State) (*Manifest, error) {
	m := &Manifest{fs: fsys, dir: dir, tmp: tmp, state: state, number: 1}
	return m, m.rollLocked(1)
}

// Exists says whether dir holds a manifest.
func Exists(fsys vfs.FS, dir string) (bool, error) {
	if _, err := fsys.Stat(path.Join(dir, currentName)); err == nil {
		return true, nil
	} else if !vfs.IsNotExist(err) {
		return false, err
	}
	gens, err := listGenerations(fsys, dir)
	return len(gens) > 0, err
}

// Open reads the live manifest and goes on in a new generation.
func Open(fsys vfs.FS, dir, tmp string) (*Manifest, error) {
	l, err := Load(fsys, dir)
	if err != nil {
		return nil, err
	}
	m := &Manifest{fs: fsys, dir: dir, tmp: tmp, state: l.State, number: l.nextNumber, warning: l.Warning}
	return m, m.rollLocked(l.newest + 1)
}

// Warning is what Open had to work around, empty if nothing.
func (m *Manifest) Warning() string { return m.warning }

// State returns a copy of the current state.
func (m *Manifest) State() *State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.clone()
}

// Append makes e durable and part of the state. After an error for which
// vfs.IsNoSpace holds nothing has changed and it may be tried again; any other
// error is final.
func (m *Manifest) Append(e *Edit) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.failed != nil {
		return m.failed
	}
	next := m.state.clone()
	if err := next.apply(e); err != nil {
		return err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode manifest record: %w", err)
	}
	if m.off > m.rollAt || m.records >= rollRecords {
		if err := m.rollLocked(m.gen + 1); err != nil {
			return m.failLocked(err)
		}
	}
	if err := m.writeLocked(e.Kind, body); err != nil {
		return m.failLocked(err)
	}
	m.state = next
	return nil
}

func (m *Manifest) failLocked(err error) error {
	if !vfs.IsNoSpace(err) {
		m.failed = err
	}
	return err
}

// finalError hides a full disk as the cause: trying again would not help.
type finalError struct{ error }

// finalLocked makes err final whatever its cause.
func (m *Manifest) finalLocked(err error) error {
	if vfs.IsNoSpace(err) {
		err = finalError{err}
	}
	m.failed = err
	return err
}

func (m *Manifest) writeLocked(kind Kind, body []byte) error {
	rec, crc := encodeRecord(m.number, kind, body, m.crc)
	if _, err := m.f.WriteAt(rec, m.off); err != nil {
		return err
	}
	failpoint.Hit(failpoint.ManifestAfterAppend)
	if err := m.f.Sync(); err != nil {
		// NB: final even if it says that the disk is full: what the sync left
		// behind is unknown.
		return m.finalLocked(fmt.Errorf("sync manifest: %w", err))
	}
	failpoint.Hit(failpoint.ManifestAfterSync)
	m.off += int64(len(rec))
	m.number++
	m.records++
	m.crc = crc
	return nil
}

// rollLocked starts generation gen with a CHECKPOINT and points CURRENT to it.
func (m *Manifest) rollLocked(gen uint64) error {
	body, err := json.Marshal(&Edit{Kind: Checkpoint, State: m.state})
	if err != nil {
		return fmt.Errorf("encode checkpoint: %w", err)
	}
	name := generationName(gen)
	full := path.Join(m.dir, name)
	rec, crc := encodeRecord(m.number, Checkpoint, body, 0)
	if err := vfs.WriteFileBytes(m.fs, path.Join(m.tmp, name), full, rec); err != nil {
		if _, statErr := m.fs.Stat(full); vfs.IsNotExist(statErr) {
			return err
		}
		return m.finalLocked(err)
	}
	// NB: from here on an error is final. The new generation may be the one that
	// the next start reads, so nothing may be added to the old one.
	failpoint.Hit(failpoint.ManifestBeforeRotate)
	current := encodeCurrent(name)
	if err := vfs.WriteFileBytes(m.fs, path.Join(m.tmp, currentName), path.Join(m.dir, currentName), current); err != nil {
		return m.finalLocked(err)
	}
	f, err := m.fs.OpenReadWrite(full)
	if err != nil {
		return m.finalLocked(err)
	}
	if m.f != nil {
		_ = m.f.Close() // Its content is synced and superseded.
	}
	m.gen, m.f, m.off, m.records, m.crc = gen, f, int64(len(rec)), 1, crc
	m.rollAt = max(rollBytes, 2*m.off)
	m.number++
	return m.dropOld()
}

// dropOld removes generations that are no longer kept.
func (m *Manifest) dropOld() error {
	gens, err := listGenerations(m.fs, m.dir)
	if err != nil {
		return err
	}
	for len(gens) > generations {
		if err := m.fs.Remove(path.Join(m.dir, generationName(gens[0]))); err != nil {
			return err
		}
		gens = gens[1:]
	}
	return nil
}

// Close closes the file.
func (m *Manifest) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.f == nil {
		return nil
	}
	return m.f.Close()
}

// Loaded is a manifest as read, without writing anything.
type Loaded struct {
	State   *State
	Warning string
	File    string // the live file

	newest     uint64
	nextNumber uint64
}

// Load reads the live manifest. Damage is errs.Corrupt.
func Load(fsys vfs.FS, dir string) (*Loaded, error) {
	gens, err := listGenerations(fsys, dir)
	if err != nil {
		return nil, err
	}
	if len(gens) == 0 {
		return nil, &errs.Corrupt{File: path.Join(dir, currentName), Reason: "there is no manifest file"}
	}
	l := &Loaded{newest: gens[len(gens)-1]}
	data, err := vfs.ReadFile(fsys, path.Join(dir, currentName))
	if err != nil && !vfs.IsNotExist(err) {
		return nil, err
	}
	name, ok := decodeCurrent(data)
	if gen, isGen := parseGeneration(name); ok && isGen && slices.Contains(gens, gen) {
		return l, l.read(fsys, path.Join(dir, name))
	}
	// Without CURRENT the newest generation holds the state: a generation is
	// whole before CURRENT names it, and nothing is added to the one before.
	l.Warning = path.Join(dir, currentName) + " is unreadable; the newest manifest was used"
	var first error
	for _, gen := range slices.Backward(gens) {
		err := l.read(fsys, path.Join(dir, generationName(gen)))
		if err == nil {
			return l, nil
		}
		if first == nil {
			first = err
		}
		if !errors.Is(err, errNoCheckpoint) {
			return nil, err
		}
	}
	return nil, first
}

func (l *Loaded) read(fsys vfs.FS, name string) error {
	l.File = name
	data, err := vfs.ReadFile(fsys, name)
	if err != nil {
		return err
	}
	l.State, l.nextNumber, err = replay(name, data)
	return err
}
