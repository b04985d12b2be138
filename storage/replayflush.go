package storage

import (
	"context"

	"quern/storage/internal/delvec"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
	"quern/storage/internal/wal"

	"github.com/RoaringBitmap/roaring/v2"
)

// A log may hold more than memory may: replay then writes segments on the way.
// Frames behind such a flush may delete its rows by the commit that brought them,
// and the next start, after a kill, takes rows and deletes up to the flush for
// settled. So the flush leaves out what any later frame deletes: the log is read
// ahead once for that, when the first flush is due, and made durable to its end.

// relieve writes segments while rows take more memory than they may.
func (r *replay) relieve() error {
	s := r.s
	if r.grown < min(1<<20, s.opts.MemBytesMax/16) {
		return nil
	}
	r.grown = 0
	for _, m := range s.mems {
		s.note(m)
	}
	for s.bg.memBytes.Load() > s.opts.MemBytesMax/10*7 {
		var id uint32
		for k, m := range s.mems {
			if id == 0 || m.bytes > s.mems[id].bytes {
				id = k
			}
		}
		if s.mems[id].bytes == 0 {
			return nil
		}
		if err := r.flush(id); err != nil {
			return err
		}
	}
	return nil
}

// flush puts segments in the place of a table's rows. Nobody reads meanwhile.
func (r *replay) flush(id uint32) error {
	if r.gone == nil {
		if err := r.readAhead(); err != nil {
			return err
		}
	}
	s, m, t := r.s, r.s.mems[id], *r.st.table(id)
	d := &DeleteSet{Table: id, slabs: map[*memtable.Slab]*roaring.Bitmap{}}
	r.locateRows(d, r.gone[id])
	j := &flushJob{s: s, id: id, table: r.st.cat.Table(id), slabs: m.table.Freeze(), seq: r.st.seq, dels: t.delete(d).slabDels}
	if j.table != nil { // else it was dropped since
		if err := j.write(context.Background()); err != nil {
			return err
		}
		edit := &manifest.Edit{Kind: manifest.Flush, Added: j.added, Applied: map[uint32]uint64{id: j.seq}}
		refs, err := s.commitMoves(newMoves(edit, nil), j.seq)
		if err != nil {
			return err
		}
		t.segs = append(t.segs[:len(t.segs):len(t.segs)], refs...)
		for _, seg := range j.added {
			r.m.Segments[seg.ID] = seg
			r.m.NextSegment = max(r.m.NextSegment, seg.ID+1)
		}
		r.m.Applied[id] = j.seq
	}
	m.table.Drop(j.slabs)
	s.note(m)
	t.slabDels = nil
	r.st.put(id, &t)
	return nil
}

// readAhead collects the rows in memory that the log deletes and the numbers of
// segments that it brings, and makes sure that the frames that say so stay.
func (r *replay) readAhead() error {
	s := r.s
	r.gone = map[uint32]map[uint64]*roaring.Bitmap{}
	tail, err := wal.Replay(s.opts.FS, s.path("wal"), r.m.FloorFile, r.m.FloorSeq, func(v *wal.FrameView) error {
		err := v.SectionsOf(wal.Delete, r.noteGone)
		if err == nil {
			err = v.SectionsOf(wal.Attach, func(sec wal.Section) error {
				list, err := decodeAttach(sec, v.Seq)
				for _, m := range list {
					s.bg.nextSegment.Store(max(s.bg.nextSegment.Load(), m.ID+1))
				}
				return err
			})
		}
		return locate(v, err)
	})
	if err != nil {
		return err
	}
	return wal.SyncTail(s.opts.FS, s.path("wal"), tail)
}

func (r *replay) noteGone(sec wal.Section) error {
	body, err := delvec.DecodeBody(sec.Body)
	if err != nil {
		return err
	}
	for seq, rows := range body.Frames {
		if seq <= r.m.Applied[sec.Table] {
			continue
		}
		if r.gone[sec.Table] == nil {
			r.gone[sec.Table] = map[uint64]*roaring.Bitmap{}
		}
		if was := r.gone[sec.Table][seq]; was != nil {
			rows = roaring.Or(was, rows)
		}
		r.gone[sec.Table][seq] = rows
	}
	return nil
}
