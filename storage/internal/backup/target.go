package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"

	"quern/storage/errs"
	"quern/storage/internal/segment"
	"quern/storage/vfs"
)

// copyBytes is the piece in which files are copied.
const copyBytes = 1 << 20

// Target is a backup folder that takes a new backup. It belongs to one
// goroutine. If it ends without Finish, an earlier backup in the folder is as
// it was.
type Target struct {
	fs  vfs.FS
	dir string
	old *Document // nil: there was none
	put map[string]bool
	// made are the folders whose names are durable.
	made map[string]bool
}

// OpenTarget opens dir, making it if it is missing. A folder that is not empty
// and holds no backup is refused.
func OpenTarget(fsys vfs.FS, dir string) (*Target, error) {
	t, err := openTarget(fsys, dir)
	return t, Coded(err)
}

func openTarget(fsys vfs.FS, dir string) (*Target, error) {
	t := &Target{fs: fsys, dir: dir, put: map[string]bool{}, made: map[string]bool{}}
	has, err := Exists(fsys, dir)
	if err != nil {
		return nil, err
	}
	if has {
		if t.old, err = Read(fsys, dir); err != nil {
			return nil, err
		}
	} else if err := checkFree(fsys, dir); err != nil {
		return nil, err
	}
	if err := vfs.MkdirAllSync(fsys, path.Dir(dir), path.Join(dir, "tmp")); err != nil {
		return nil, err
	}
	return t, t.empty("tmp")
}

// checkFree refuses a folder with anything in it but the rests of a first
// backup that was not finished.
func checkFree(fsys vfs.FS, dir string) error {
	names, err := fsys.List(dir)
	if vfs.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if slices.Contains(names, "tmp") && !slices.Contains(names, "catalog") {
		names = slices.DeleteFunc(names, func(n string) bool { return n == "tmp" || n == "tables" })
	}
	if len(names) > 0 {
		return errs.New(errs.ObjectNotInState, "folder %q is not empty and holds no backup", dir).
			WithHint("Give an empty or new folder, or one with an earlier backup.")
	}
	return nil
}

func (t *Target) path(rel string) string { return path.Join(t.dir, rel) }

func (t *Target) empty(sub string) error {
	names, err := t.fs.List(t.path(sub))
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := t.fs.Remove(path.Join(t.path(sub), n)); err != nil {
			return err
		}
	}
	return nil
}

// Have lists the segments that need not be sent again.
func (t *Target) Have() (list []File) {
	if t.old == nil {
		return nil
	}
	for _, f := range t.old.Files {
		if info, err := t.fs.Stat(t.path(f.Path)); f.CRC != 0 && err == nil && info.Size == f.Length {
			list = append(list, f)
		}
	}
	return list
}

// Put takes one file: durable under its name when it returns.
func (t *Target) Put(rel string, length int64, r io.Reader) error {
	if !ValidPath(rel) {
		return errs.New(errs.InvalidParameterValue, "%q cannot be a file of a backup", rel)
	}
	if folder := path.Dir(rel); !t.made[folder] {
		if err := vfs.MkdirAllSync(t.fs, t.dir, t.path(folder)); err != nil {
			return err
		}
		t.made[folder] = true
	}
	err := vfs.WriteFile(t.fs, path.Join(t.path("tmp"), path.Base(rel)), t.path(rel), func(f vfs.File) error {
		n, err := copyTo(f, io.LimitReader(r, length))
		if err == nil && n != length {
			err = fmt.Errorf("%s ended after %d of %d bytes", rel, n, length)
		}
		return err
	})
	t.put[rel] = err == nil
	return err
}

func copyTo(f vfs.File, r io.Reader) (n int64, err error) {
	return io.CopyBuffer(io.NewOffsetWriter(f, 0), struct{ io.Reader }{r}, make([]byte, copyBytes))
}

// Finish reads back what was put, makes the document durable, and then removes
// files that it does not name.
func (t *Target) Finish(d *Document) error { return Coded(t.finish(d)) }

func (t *Target) finish(d *Document) error {
	for _, f := range d.Files {
		if !t.put[f.Path] {
			if info, err := t.fs.Stat(t.path(f.Path)); err != nil || info.Size != f.Length {
				return &errs.Corrupt{File: t.path(f.Path), Reason: "the file that the backup relies on is missing or has another length"}
			}
			continue
		}
		if err := verifyFile(t.fs, t.dir, f); err != nil {
			return err
		}
	}
	b, err := d.Encode()
	if err != nil {
		return err
	}
	if err := vfs.WriteFileBytes(t.fs, path.Join(t.path("tmp"), docName), t.path(docName), b); err != nil {
		return err
	}
	return t.removeOthers(d)
}

func (t *Target) removeOthers(d *Document) error {
	keep := map[string]bool{}
	for _, f := range d.Files {
		keep[f.Path] = true
	}
	return eachFile(t.fs, t.dir, "tables", func(rel string) error {
		if keep[rel] {
			return nil
		}
		if err := t.fs.Remove(t.path(rel)); err != nil {
			return err
		}
		_ = t.fs.Remove(t.path(path.Dir(rel))) // If it was the last one.
		return nil
	})
}

// eachFile calls fn for every file below dir/rel.
func eachFile(fsys vfs.FS, dir, rel string, fn func(rel string) error) error {
	names, err := fsys.List(path.Join(dir, rel))
	if vfs.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, n := range names {
		sub := path.Join(rel, n)
		info, err := fsys.Stat(path.Join(dir, sub))
		if err == nil && info.IsDir {
			err = eachFile(fsys, dir, sub, fn)
		} else if err == nil {
			err = fn(sub)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// verifyFile reads a file back: its digest, and everything in a segment.
func verifyFile(fsys vfs.FS, dir string, f File) error {
	name := path.Join(dir, f.Path)
	sum, err := digest(fsys, name, f.Length)
	if vfs.IsNotExist(err) {
		return &errs.Corrupt{File: name, Reason: "file is missing"}
	}
	if err != nil {
		return err
	}
	damaged := sum != f.SHA256
	if path.Ext(f.Path) == ".qseg" {
		err = verifySegment(fsys, name, f)
	}
	if err == nil && damaged {
		err = &errs.Corrupt{File: name, Reason: "SHA-256 differs from the one of the backup document"}
	}
	return err
}

func verifySegment(fsys vfs.FS, name string, f File) error {
	s, err := segment.Open(fsys, name, segment.Expect{Length: f.Length, TrailerCRC: f.CRC})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Verify()
}

// digest is the SHA-256 of a file of the given length.
func digest(fsys vfs.FS, name string, length int64) (string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, io.NewSectionReader(f, 0, 1<<62), make([]byte, copyBytes))
	if err != nil {
		return "", err
	}
	if n != length {
		return "", &errs.Corrupt{File: name, Reason: fmt.Sprintf("file has %d bytes instead of %d", n, length)}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Verify reads a whole backup and calls report for everything that is wrong.
func Verify(fsys vfs.FS, dir string, report func(error) error) error {
	d, err := Read(fsys, dir)
	if err != nil {
		return report(err)
	}
	for _, f := range d.Files {
		if err := verifyFile(fsys, dir, f); err != nil {
			if err := report(err); err != nil {
				return err
			}
		}
	}
	return nil
}
