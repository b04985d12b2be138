package storage

import (
	"maps"
	"path"
	"slices"

	"quern/storage/errs"
	"quern/storage/internal/delvec"
	"quern/storage/internal/manifest"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
)

// The .qdv files (delvec.Encode) hold the deletes of segments that the log lets go
// of: written before that, at most once per retired piece of log and segment. A
// new version is a new file, and the manifest names the one that counts. Nothing
// but a start reads it.

// savedVector is what the manifest says of a segment's file, and the bitmap that
// is in it.
type savedVector struct {
	manifest.Vector
	rows *roaring.Bitmap
}

// vectorJob is a file to write.
type vectorJob struct {
	id   uint64
	seg  *segmentRef
	seq  uint64
	rows *roaring.Bitmap
}

// captureVectors lists the segments whose deletes the manifest does not have. It
// runs in the committer.
func (s *Store) captureVectors() (list []vectorJob) {
	st := s.state.Load()
	for _, t := range st.tables {
		for id, rows := range t.segDels {
			if s.bg.vectors[id].rows == rows {
				continue
			}
			i := slices.IndexFunc(t.segs, func(r *segmentRef) bool { return r.meta.ID == id })
			if i >= 0 {
				list = append(list, vectorJob{id, t.segs[i], st.seq, rows})
			}
		}
	}
	slices.SortFunc(list, func(a, b vectorJob) int { return int(int64(a.id) - int64(b.id)) })
	return list
}

// writeVectors makes deletes durable without the log. It returns the files that
// they replace, which may go once a later record of the manifest is durable.
func (s *Store) writeVectors(list []vectorJob) (old []string, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	edit := &manifest.Edit{Kind: manifest.Deletes, Vectors: map[uint64]manifest.Vector{}}
	for _, j := range list {
		v, err := s.writeVector(&j.seg.meta, j.seq, j.rows)
		if err != nil {
			return nil, err
		}
		edit.Vectors[j.id] = v
	}
	if err := s.man.Append(edit); err != nil {
		return nil, s.ioError(err)
	}
	for _, j := range list {
		if was, ok := s.bg.vectors[j.id]; ok && was.Path != edit.Vectors[j.id].Path {
			old = append(old, was.Path)
		}
		s.bg.vectors[j.id] = savedVector{edit.Vectors[j.id], j.rows}
	}
	return old, nil
}

// removeVectors removes files that the manifest does not name; the next start
// removes what stays.
func (s *Store) removeVectors(paths []string) {
	for _, p := range paths {
		_ = s.opts.FS.Remove(s.path(p))
	}
}

// dropVector removes the file of a segment that is gone.
func (s *Store) dropVector(id uint64) {
	if v, ok := s.bg.vectors[id]; ok {
		s.removeVectors([]string{v.Path})
		delete(s.bg.vectors, id)
	}
}

// loadVectors reads the deletes that the manifest names. A damaged file fences
// its segment: rows that are gone must not come back.
func (s *Store) loadVectors(m *manifest.State, st *state) error {
	for id, v := range m.Vectors {
		seg := m.Segments[id]
		rows, err := readVector(s.opts.FS, s.path(v.Path), id, v, seg.Rows)
		t := *st.table(seg.Table)
		if err != nil {
			s.opts.Log.Error("segment is fenced", "file", v.Path, "err", err)
			for _, r := range t.segs {
				if r.meta.ID == id {
					r.err = err
				}
			}
			continue
		}
		s.bg.vectors[id] = savedVector{v, rows}
		t.segDels = maps.Clone(t.segDels)
		if t.segDels == nil {
			t.segDels = map[uint64]*roaring.Bitmap{}
		}
		t.segDels[id] = rows
		st.put(seg.Table, &t)
	}
	return nil
}

func readVector(fsys vfs.FS, name string, id uint64, v manifest.Vector, rows int64) (*roaring.Bitmap, error) {
	b, err := vfs.ReadFile(fsys, name)
	if vfs.IsNotExist(err) {
		return nil, &errs.Corrupt{File: name, Reason: "delete vector is missing"}
	}
	if err != nil {
		return nil, err
	}
	return delvec.Decode(name, b, delvec.Header{Segment: id, Seq: v.Seq, Rows: v.Rows}, rows)
}

// vectors checks the delete vectors that the manifest names.
func (c *checker) vectors(m *manifest.State) error {
	for id, v := range m.Vectors {
		if _, err := readVector(c.fs, path.Join(c.dir, v.Path), id, v, m.Segments[id].Rows); c.add(err) != nil {
			return err
		}
	}
	return nil
}

// liveFiles are the files below tables/ that m names.
func liveFiles(m *manifest.State) map[string]bool {
	live := map[string]bool{}
	for _, seg := range m.Segments {
		live[seg.Path] = true
	}
	for _, v := range m.Vectors {
		live[v.Path] = true
	}
	return live
}
