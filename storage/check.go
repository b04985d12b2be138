package storage

import (
	"errors"
	"fmt"
	"path"

	"quern/storage/catalog"
	"quern/storage/errs"
	"quern/storage/internal/backup"
	"quern/storage/internal/dedup"
	"quern/storage/internal/delvec"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
	"quern/storage/internal/tally"
	"quern/storage/internal/wal"
	"quern/storage/vfs"
)

// Problem is one thing that is wrong with a data folder.
type Problem struct {
	File   string
	Offset int64
	Reason string
}

func (p Problem) String() string {
	return fmt.Sprintf("%s at offset %d: %s", p.File, p.Offset, p.Reason)
}

// Check verifies every checksum of a backup, or of a data folder that no process
// has open, and
// that the manifest, the files and the log agree. It changes nothing. The error
// is about the checking itself (a locked or unreadable folder).
func Check(fsys vfs.FS, dir string) ([]Problem, error) {
	if is, err := backup.Exists(fsys, dir); is || err != nil {
		c := &checker{fs: fsys, dir: dir}
		if err == nil {
			err = backup.Verify(fsys, dir, c.add)
		}
		return c.problems, err
	}
	if _, err := fsys.Stat(path.Join(dir, "catalog")); err != nil {
		return nil, err
	}
	lock, err := fsys.Lock(path.Join(dir, "LOCK"))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, errs.New(errs.ObjectInUse, "data folder %q is in use by another process", dir)
	}
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	c := &checker{fs: fsys, dir: dir}
	l, err := manifest.Load(fsys, path.Join(dir, "catalog"))
	if err != nil {
		return c.problems, c.add(err)
	}
	if l.Warning != "" {
		c.problems = append(c.problems, Problem{File: path.Join(dir, "catalog", "CURRENT"), Reason: l.Warning})
	}
	for _, step := range []func(*manifest.State) error{c.state, c.log, c.segments, c.vectors} {
		if err := c.add(step(l.State)); err != nil {
			return c.problems, err
		}
	}
	return c.problems, nil
}

type checker struct {
	fs       vfs.FS
	dir      string
	problems []Problem
	orphans  []string // files that the manifest does not name
}

// add records damage and passes other errors on.
func (c *checker) add(err error) error {
	var d *errs.Corrupt
	if errors.As(err, &d) {
		c.problems = append(c.problems, Problem{d.File, d.Offset, d.Reason})
		return nil
	}
	return err
}

// state checks what the manifest holds inside.
func (c *checker) state(m *manifest.State) error {
	if len(m.Catalog) > 0 {
		if _, err := catalog.Unmarshal(m.Catalog); err != nil {
			return err
		}
	}
	keys := dedup.New(0, 0)
	for _, k := range m.Keys {
		if err := keys.Load(k.Body); err != nil {
			return err
		}
	}
	return tally.New().Load(m)
}

// log reads every frame as a start would.
func (c *checker) log(m *manifest.State) error {
	_, err := wal.Replay(c.fs, path.Join(c.dir, "wal"), m.FloorFile, m.FloorSeq, func(v *wal.FrameView) error {
		return v.Sections(func(sec wal.Section) error {
			if sec.Kind == wal.Attach {
				return c.attached(m, sec, v.Seq)
			}
			return checkSection(sec)
		})
	})
	return err
}

func checkSection(sec wal.Section) error {
	var err error
	switch sec.Kind {
	case wal.Schema:
		_, err = decodeSchema(sec.Body)
	case wal.Rows:
		_, err = memtable.DecodeRows(sec.Body)
	case wal.BatchKey:
		_, err = new(dedup.Entry).Decode(sec.Body)
	case wal.Delete:
		_, err = delvec.DecodeBody(sec.Body)
	case wal.Stats:
		_, _, err = tally.DecodeStats(sec.Body)
	case sectionCounters:
		err = tally.DecodeCounters(sec.Body, func(uint32, int64) {})
	default:
		err = &errs.Corrupt{File: "WAL", Reason: fmt.Sprintf("section of unknown kind %d", sec.Kind)}
	}
	return err
}
