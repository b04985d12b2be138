package storage

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"path"
	"slices"

	"quern/storage/errs"
	"quern/storage/internal/manifest"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
)

// A .qdv file lies beside its segment and holds the rows of it that are
// deleted. It is written before the log lets go of the frames that deleted
// them, at most once per retired piece of log and segment; a new version is a
// new file, and the manifest names the one that counts. Nothing but a start
// reads it.
//
//	off 0   magic QDV00001
//	    8   u64 segment id
//	   16   u64 seq: deletes up to it are in the file
//	   24   u32 number of rows
//	   28   u32 length of the positions
//	   32   u32 crc32c of the positions
//	   36   u32 crc32c of bytes 0..35
//	   40   positions, a roaring bitmap in its portable form
const (
	vectorMagic  = "QDV00001"
	vectorHeader = 40
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

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

func encodeVector(id, seq uint64, rows *roaring.Bitmap) ([]byte, error) {
	body, err := rows.ToBytes()
	if err != nil {
		return nil, err
	}
	b := make([]byte, vectorHeader, vectorHeader+len(body))
	copy(b, vectorMagic)
	le.PutUint64(b[8:], id)
	le.PutUint64(b[16:], seq)
	le.PutUint32(b[24:], uint32(rows.GetCardinality()))
	le.PutUint32(b[28:], uint32(len(body)))
	le.PutUint32(b[32:], crc32.Checksum(body, castagnoli))
	le.PutUint32(b[36:], crc32.Checksum(b[:36], castagnoli))
	return append(b, body...), nil
}

// decodeVector checks the file of a segment with n rows.
func decodeVector(name string, b []byte, id uint64, v manifest.Vector, n int64) (*roaring.Bitmap, error) {
	bad := func(reason string) (*roaring.Bitmap, error) {
		return nil, &errs.Corrupt{File: name, Reason: reason}
	}
	if len(b) < vectorHeader || le.Uint32(b[36:]) != crc32.Checksum(b[:36], castagnoli) {
		return bad("header of the delete vector is damaged")
	}
	body := b[vectorHeader:]
	switch {
	case string(b[:8]) != vectorMagic:
		return bad("not a delete vector of a known version")
	case le.Uint64(b[8:]) != id || le.Uint64(b[16:]) != v.Seq || int64(le.Uint32(b[24:])) != v.Rows:
		return bad("not the delete vector that the manifest names")
	case int(le.Uint32(b[28:])) != len(body) || le.Uint32(b[32:]) != crc32.Checksum(body, castagnoli):
		return bad("positions of the delete vector are damaged")
	}
	rows, err := decodeBitmap(body)
	if err != nil || int64(rows.GetCardinality()) != v.Rows || !rows.IsEmpty() && int64(rows.Maximum()) >= n {
		return bad("positions of the delete vector do not fit the segment")
	}
	return rows, nil
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
		b, err := encodeVector(j.id, j.seq, j.rows)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%016x.%016x.qdv", j.id, j.seq)
		v := manifest.Vector{Path: path.Join(path.Dir(j.seg.meta.Path), name), Seq: j.seq, Rows: int64(j.rows.GetCardinality())}
		if err := vfs.WriteFileBytes(s.opts.FS, s.path("tmp", name), s.path(v.Path), b); err != nil {
			return nil, s.buildError(err)
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
	return decodeVector(name, b, id, v, rows)
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

// deleteBody is the content of a DELETE section:
//
//	u8 1 = everything of the table; nothing follows
//	u8 0, then u32 n, n × {u64 segment id, u32 length, bitmap of positions},
//	      u32 n, n × {u64 commit_seq, u32 length, bitmap of ordinals}
//
// An ordinal is a row's place among the rows of the table in that commit's
// frame. Lists are ascending.
type deleteBody struct {
	all    bool
	segs   map[uint64]*roaring.Bitmap
	frames map[uint64]*roaring.Bitmap
}

func (d *deleteBody) encode() ([]byte, error) {
	if d.all {
		return []byte{1}, nil
	}
	out := []byte{0}
	for _, m := range []map[uint64]*roaring.Bitmap{d.segs, d.frames} {
		out = le.AppendUint32(out, uint32(len(m)))
		for _, id := range slices.Sorted(maps.Keys(m)) {
			b, err := m[id].ToBytes()
			if err != nil {
				return nil, err
			}
			out = le.AppendUint64(out, id)
			out = le.AppendUint32(out, uint32(len(b)))
			out = append(out, b...)
		}
	}
	return out, nil
}

func decodeDelete(b []byte) (*deleteBody, error) {
	bad := &errs.Corrupt{File: "DELETE section", Reason: "content does not fit"}
	if len(b) == 0 || b[0] > 1 {
		return nil, bad
	}
	d := &deleteBody{all: b[0] == 1, segs: map[uint64]*roaring.Bitmap{}, frames: map[uint64]*roaring.Bitmap{}}
	b = b[1:]
	if d.all {
		if len(b) != 0 {
			return nil, bad
		}
		return d, nil
	}
	for _, m := range []map[uint64]*roaring.Bitmap{d.segs, d.frames} {
		if len(b) < 4 {
			return nil, bad
		}
		n := le.Uint32(b)
		b = b[4:]
		for range n {
			if len(b) < 12 || uint64(len(b)-12) < uint64(le.Uint32(b[8:])) {
				return nil, bad
			}
			id, size := le.Uint64(b), int(le.Uint32(b[8:]))
			rows, err := decodeBitmap(b[12 : 12+size])
			if err != nil {
				return nil, bad
			}
			m[id], b = rows, b[12+size:]
		}
	}
	if len(b) != 0 {
		return nil, bad
	}
	return d, nil
}

// decodeBitmap reads a bitmap that fills b and does not alias it.
func decodeBitmap(b []byte) (*roaring.Bitmap, error) {
	r := bytes.NewReader(b)
	m := roaring.New()
	if _, err := m.ReadFrom(r); err != nil {
		return nil, err
	}
	if r.Len() != 0 {
		return nil, io.ErrUnexpectedEOF
	}
	return m, m.Validate()
}
