package backup

import (
	"fmt"
	"io"
	"path"

	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/internal/wal"
	"quern/storage/vfs"
)

// Restore makes a data folder of the backup in from. to must be missing or
// empty. w describes the log to make; its folder is set here. The manifest is
// the last thing that is written: before it the folder is no data folder. After
// an error the folder holds rests and must be emptied.
func Restore(fsys vfs.FS, from, to string, w wal.Options) (*Document, error) {
	d, err := Read(fsys, from)
	if err != nil {
		return nil, err
	}
	names, err := fsys.List(to)
	if err == nil && len(names) > 0 {
		err = errs.New(errs.ObjectNotInState, "folder %q is not empty", to).
			WithHint("A backup is restored into a new or empty folder.")
	}
	if err != nil && !vfs.IsNotExist(err) {
		return nil, err
	}
	for _, sub := range []string{"catalog", "wal/spare", "tables", "tmp"} {
		if err := vfs.MkdirAllSync(fsys, path.Dir(to), path.Join(to, sub)); err != nil {
			return nil, err
		}
	}
	for _, f := range d.Files {
		if err := restoreFile(fsys, from, to, f); err != nil {
			return nil, fmt.Errorf("restore %s: %w", f.Path, err)
		}
	}
	w.Dir = path.Join(to, "wal")
	l, err := wal.Create(w, 1, d.Seq+1, nil)
	if err != nil {
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	st := d.State
	st.FloorFile, st.FloorSeq = 1, d.Seq+1
	m, err := manifest.Create(fsys, path.Join(to, "catalog"), path.Join(to, "tmp"), st)
	if err != nil {
		return nil, err
	}
	return d, m.Close()
}

// restoreFile copies one file and reads the copy back.
func restoreFile(fsys vfs.FS, from, to string, f File) error {
	src, err := fsys.Open(path.Join(from, f.Path))
	if vfs.IsNotExist(err) {
		return &errs.Corrupt{File: path.Join(from, f.Path), Reason: "file is missing"}
	}
	if err != nil {
		return err
	}
	defer src.Close()
	if err := vfs.MkdirAllSync(fsys, to, path.Join(to, path.Dir(f.Path))); err != nil {
		return err
	}
	tmp := path.Join(to, "tmp", path.Base(f.Path))
	err = vfs.WriteFile(fsys, tmp, path.Join(to, f.Path), func(dst vfs.File) error {
		_, err := copyTo(dst, io.NewSectionReader(src, 0, 1<<62))
		return err
	})
	if err != nil {
		return err
	}
	if err := verifyFile(fsys, to, f); err != nil {
		return fmt.Errorf("the copy differs from the backup document (%s): %w", path.Join(from, f.Path), err)
	}
	return nil
}
