// Package crashfs is a memory file system that can lose power.
//
// It keeps apart what was synced and what was not: per file in pieces of 4,096
// bytes, per directory in entries. CrashClone returns the file system as a disk
// could show it after a power cut: each unsynced piece, each 512-byte sector of
// a torn piece and each unsynced directory entry is kept or lost by its own
// coin. This is harsher than a journaling file system (a rename may lose both
// names), so code that survives here relies on nothing but its own syncs.
//
// CutAt plans a cut: at the chosen operation the clone is taken and every later
// operation fails with ErrPowerLost, as if the machine were gone.
package crashfs

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"sort"
	"strings"
	"sync"

	"quern/storage/vfs"
)

const (
	pieceBytes  = 4096 // what a page cache writes at once
	sectorBytes = 512  // what a disk writes at once
)

// ErrPowerLost is what every operation returns after the cut.
var ErrPowerLost = errors.New("power lost")

// FS implements vfs.FS.
type FS struct {
	mu    sync.Mutex
	dirs  map[string]*dir
	locks map[string]bool

	// ops counts operations that change the disk or make it durable.
	ops int64
	cut *cut
	// hook is called before each sync of a file.
	hook func(name string)
}

type cut struct {
	at    int64
	after bool // the operation still happens
	take  func() *FS
	clone *FS
}

// dir holds the entries as the running system sees them and as the disk has
// them. A subdirectory is an entry with a nil node.
type dir struct {
	live    map[string]*node
	durable map[string]*node
}

// node is one file. dirty holds, per unsynced piece, the synced content of that
// piece; a piece past the synced end is a nil slice.
type node struct {
	data      []byte
	syncedLen int64
	dirty     map[int64][]byte
}

var _ vfs.FS = (*FS)(nil)

// New returns an empty file system that has a durable root directory.
func New() *FS {
	return &FS{dirs: map[string]*dir{".": newDir()}, locks: map[string]bool{}}
}

func newDir() *dir {
	return &dir{live: map[string]*node{}, durable: map[string]*node{}}
}

// Ops returns how many changing operations there were.
func (f *FS) Ops() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

// CutAt plans the power cut at the n-th changing operation from now (1 is the
// next), before or after it takes effect. The cut uses rng and keepPercent.
func (f *FS) CutAt(n int64, after bool, rng *rand.Rand, keepPercent int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cut = &cut{at: f.ops + n, after: after, take: func() *FS { return f.cloneLocked(rng, keepPercent) }}
}

// Cut takes the power away now, if a planned cut has not done so already, and
// returns what the disk shows afterwards.
func (f *FS) Cut(rng *rand.Rand, keepPercent int) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cut == nil || f.cut.clone == nil {
		f.cut = &cut{clone: f.cloneLocked(rng, keepPercent)}
	}
	return f.cut.clone
}

// BeforeSync has hook called before each sync of a file: the moment at which a
// reader must not see yet what the sync is for.
func (f *FS) BeforeSync(hook func(name string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

func (f *FS) syncHook() func(string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.readLocked() != nil {
		return nil
	}
	return f.hook
}

// Lost says whether the power is gone.
func (f *FS) Lost() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cut != nil && f.cut.clone != nil
}

// change runs op as one changing operation and takes the planned cut. The
// caller holds mu.
func (f *FS) changeLocked(op func() error) error {
	if f.cut != nil && f.cut.clone != nil {
		return ErrPowerLost
	}
	f.ops++
	due := f.cut != nil && f.ops == f.cut.at
	if due && !f.cut.after {
		f.cut.clone = f.cut.take()
		return ErrPowerLost
	}
	err := op()
	if due {
		f.cut.clone = f.cut.take()
		// The caller never learns how it ended.
		return ErrPowerLost
	}
	return err
}

// read guards an operation that changes nothing. The caller holds mu.
func (f *FS) readLocked() error {
	if f.cut != nil && f.cut.clone != nil {
		return ErrPowerLost
	}
	return nil
}

// CrashClone returns the state after a power cut now; f goes on unharmed.
// keepPercent is the chance of each unsynced thing to be on the disk.
func (f *FS) CrashClone(rng *rand.Rand, keepPercent int) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cloneLocked(rng, keepPercent)
}

func (f *FS) cloneLocked(rng *rand.Rand, keepPercent int) *FS {
	out := New()
	nodes := map[*node]*node{} // Linked names stay linked.
	for _, name := range sortedKeys(f.dirs) {
		d := f.dirs[name]
		nd := newDir()
		for _, entry := range entryNames(d) {
			n, ok := crashEntry(d, entry, rng, keepPercent)
			if !ok {
				continue
			}
			var c *node
			if n != nil {
				if c = nodes[n]; c == nil {
					c = n.crash(rng, keepPercent)
					nodes[n] = c
				}
			}
			nd.live[entry], nd.durable[entry] = c, c
		}
		out.dirs[name] = nd
	}
	out.dropUnreachable()
	return out
}

// crashEntry decides what name in d is after the cut.
func crashEntry(d *dir, name string, rng *rand.Rand, keepPercent int) (*node, bool) {
	live, isLive := d.live[name]
	durable, isDurable := d.durable[name]
	if isLive == isDurable && live == durable {
		return live, isLive
	}
	if rng.IntN(100) < keepPercent {
		return live, isLive
	}
	return durable, isDurable
}

// dropUnreachable removes directories whose own entry was lost.
func (f *FS) dropUnreachable() {
	for _, name := range sortedKeys(f.dirs) { // parents sort before children
		if name == "." || name == "/" {
			continue
		}
		parent := f.dirs[path.Dir(name)]
		if parent == nil {
			delete(f.dirs, name)
			continue
		}
		if _, ok := parent.live[path.Base(name)]; !ok {
			delete(f.dirs, name)
		}
	}
	for name, d := range f.dirs {
		for entry, n := range d.live {
			if n == nil && f.dirs[path.Join(name, entry)] == nil {
				f.dirs[path.Join(name, entry)] = newDir()
			}
		}
	}
}

// crash returns the file as the disk has it after the cut.
func (n *node) crash(rng *rand.Rand, keepPercent int) *node {
	out := make([]byte, len(n.data))
	copy(out, n.data)
	length := n.syncedLen
	for _, p := range sortedKeys(n.dirty) {
		from := p * pieceBytes
		to := min(from+pieceBytes, int64(len(n.data)))
		old := make([]byte, to-from)
		copy(old, n.dirty[p])
		if rng.IntN(100) < keepPercent {
			length = max(length, to) // kept whole
			continue
		}
		torn := keepPercent > 0 && rng.IntN(2) == 0
		for s := int64(0); s < to-from; s += sectorBytes {
			end := min(s+sectorBytes, to-from)
			if torn && rng.IntN(2) == 0 {
				length = max(length, from+end)
				continue
			}
			copy(out[from+s:from+end], old[s:end])
		}
	}
	return &node{data: out[:length:length], syncedLen: length, dirty: map[int64][]byte{}}
}

// touch remembers the synced content of the pieces of [off, off+length).
func (n *node) touch(off, length int64) {
	if length <= 0 {
		return
	}
	for p := off / pieceBytes; p <= (off+length-1)/pieceBytes; p++ {
		if _, ok := n.dirty[p]; ok {
			continue
		}
		var old []byte
		if from := p * pieceBytes; from < n.syncedLen {
			old = append(old, n.data[from:min(from+pieceBytes, n.syncedLen)]...)
		}
		n.dirty[p] = old
	}
}

func (n *node) writeAt(p []byte, off int64) {
	end := off + int64(len(p))
	if end > int64(len(n.data)) {
		// NB: a gap between the old end and off reads as zeros and is unsynced.
		n.touch(int64(len(n.data)), end-int64(len(n.data)))
		grown := make([]byte, end, max(end, int64(len(n.data))*2))
		copy(grown, n.data)
		n.data = grown
	}
	n.touch(off, int64(len(p)))
	copy(n.data[off:], p)
}

func (n *node) sync() {
	n.syncedLen = int64(len(n.data))
	clear(n.dirty)
}

// --- vfs.FS ---

func (f *FS) lookup(name string) (*node, error) {
	name = path.Clean(name)
	d := f.dirs[path.Dir(name)]
	if d == nil {
		return nil, notExist("open", name)
	}
	n, ok := d.live[path.Base(name)]
	if !ok || n == nil {
		return nil, notExist("open", name)
	}
	return n, nil
}

func notExist(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Create implements vfs.FS.
func (f *FS) Create(name string) (vfs.File, error) {
	name = path.Clean(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	n := &node{dirty: map[int64][]byte{}}
	err := f.changeLocked(func() error {
		d := f.dirs[path.Dir(name)]
		if d == nil {
			return notExist("create", name)
		}
		if _, ok := d.live[path.Base(name)]; ok {
			return &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
		}
		d.live[path.Base(name)] = n
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &file{fs: f, n: n, name: name, writable: true}, nil
}

func (f *FS) open(name string, writable bool) (vfs.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.readLocked(); err != nil {
		return nil, err
	}
	n, err := f.lookup(name)
	if err != nil {
		return nil, err
	}
	return &file{fs: f, n: n, name: name, writable: writable}, nil
}

// Open implements vfs.FS.
func (f *FS) Open(name string) (vfs.File, error) { return f.open(name, false) }

// OpenReadWrite implements vfs.FS.
func (f *FS) OpenReadWrite(name string) (vfs.File, error) { return f.open(name, true) }

// link puts the node of oldName under newName.
func (f *FS) link(oldName, newName string, move bool) error {
	oldName, newName = path.Clean(oldName), path.Clean(newName)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changeLocked(func() error {
		n, err := f.lookup(oldName)
		if err != nil {
			return err
		}
		d := f.dirs[path.Dir(newName)]
		if d == nil {
			return notExist("rename", newName)
		}
		if _, ok := d.live[path.Base(newName)]; ok && !move {
			return &fs.PathError{Op: "link", Path: newName, Err: fs.ErrExist}
		}
		if move {
			delete(f.dirs[path.Dir(oldName)].live, path.Base(oldName))
		}
		d.live[path.Base(newName)] = n
		return nil
	})
}

// Rename implements vfs.FS.
func (f *FS) Rename(oldName, newName string) error { return f.link(oldName, newName, true) }

// Link implements vfs.FS.
func (f *FS) Link(oldName, newName string) error { return f.link(oldName, newName, false) }

// Remove implements vfs.FS.
func (f *FS) Remove(name string) error {
	name = path.Clean(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.lookup(name); err != nil && f.readLocked() == nil {
		if d := f.dirs[name]; d == nil || len(d.live) > 0 {
			return notExist("remove", name)
		}
	}
	return f.changeLocked(func() error {
		delete(f.dirs[path.Dir(name)].live, path.Base(name))
		delete(f.dirs, name)
		return nil
	})
}

// List implements vfs.FS.
func (f *FS) List(name string) ([]string, error) {
	name = path.Clean(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.readLocked(); err != nil {
		return nil, err
	}
	d := f.dirs[name]
	if d == nil {
		return nil, notExist("list", name)
	}
	return sortedKeys(d.live), nil
}

// MkdirAll implements vfs.FS.
func (f *FS) MkdirAll(name string) error {
	name = path.Clean(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.readLocked(); err != nil {
		return err
	}
	if f.dirs[name] != nil {
		return nil
	}
	return f.changeLocked(func() error {
		f.mkdirLocked(name)
		return nil
	})
}

func (f *FS) mkdirLocked(name string) {
	if f.dirs[name] != nil {
		return
	}
	parent := path.Dir(name)
	if parent == name { // "/" hangs below nothing
		f.dirs[name] = newDir()
		return
	}
	f.mkdirLocked(parent)
	f.dirs[parent].live[path.Base(name)] = nil
	f.dirs[name] = newDir()
}

// SyncDir implements vfs.FS.
func (f *FS) SyncDir(name string) error {
	name = path.Clean(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changeLocked(func() error {
		d := f.dirs[name]
		if d == nil {
			return notExist("sync", name)
		}
		clear(d.durable)
		for k, v := range d.live {
			d.durable[k] = v
		}
		return nil
	})
}

// Stat implements vfs.FS.
func (f *FS) Stat(name string) (vfs.Info, error) {
	name = path.Clean(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.readLocked(); err != nil {
		return vfs.Info{}, err
	}
	if f.dirs[name] != nil {
		return vfs.Info{IsDir: true}, nil
	}
	n, err := f.lookup(name)
	if err != nil {
		return vfs.Info{}, err
	}
	return vfs.Info{Size: int64(len(n.data))}, nil
}

type lock struct {
	fs   *FS
	name string
}

func (l lock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	delete(l.fs.locks, l.name)
	return nil
}

// Lock implements vfs.FS. Locks do not survive a cut.
func (f *FS) Lock(name string) (io.Closer, error) {
	name = path.Clean(name)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.readLocked(); err != nil {
		return nil, err
	}
	if f.locks[name] {
		return nil, vfs.ErrLocked
	}
	f.locks[name] = true
	return lock{f, name}, nil
}

// Free implements vfs.FS: memory is not counted.
func (f *FS) Free(string) (int64, error) { return 1 << 40, nil }

func sortedKeys[K int64 | string, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i] < keys[j] })
	return keys
}

func entryNames(d *dir) []string {
	all := map[string]bool{}
	for k := range d.live {
		all[k] = true
	}
	for k := range d.durable {
		all[k] = true
	}
	return sortedKeys(all)
}

// Tree returns all file names below prefix, for tests and for copying.
func (f *FS) Tree(prefix string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for name, d := range f.dirs {
		for entry, n := range d.live {
			if full := path.Join(name, entry); n != nil && strings.HasPrefix(full, prefix) {
				out = append(out, full)
			}
		}
	}
	sort.Strings(out)
	return out
}
