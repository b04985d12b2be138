package stage

import (
	"context"

	"quern/storage/catalog"
	"quern/storage/internal/manifest"
	"quern/storage/internal/memtable"
)

// Buffer gathers rows of one table that no state shows, and writes them into
// segments piece by piece. Not for concurrent use.
type Buffer struct {
	Env   *Env
	Table *catalog.Table
	// Segments are the finished ones. Their rows have no sequence yet.
	Segments []manifest.Segment

	mem   *memtable.Table
	used  int64 // bytes of the rows in memory
	shown bool  // somebody may hold what List returned
}

// Add copies rows, whose body has size bytes.
func (b *Buffer) Add(rows *memtable.Rows, size int, receivedAt int64) {
	b.used += int64(size)
	if b.mem == nil {
		var ok bool
		if b.mem, ok = b.Env.Spares(b.Table.ID).Get().(*memtable.Table); !ok {
			b.mem = memtable.NewTable()
		}
	}
	b.mem.Append(rows, receivedAt, 0)
}

// Rows and Bytes are what lies in memory.
func (b *Buffer) Rows() int {
	return b.list().Rows()
}

// Used is the size of the rows in memory.
func (b *Buffer) Used() int64 { return b.used }

// Bytes is the memory that is held, for rows or for later ones.
func (b *Buffer) Bytes() int64 {
	if b.mem == nil {
		return 0
	}
	return b.mem.Bytes()
}

// List is what lies in memory. It stays readable.
func (b *Buffer) List() memtable.List {
	b.shown = true
	return b.list()
}

func (b *Buffer) list() memtable.List {
	if b.mem == nil {
		return nil
	}
	return b.mem.List()
}

// Release lets go of memory that is kept for later rows.
func (b *Buffer) Release() {
	if b.Rows() == 0 {
		b.mem = nil
	}
}

// Lend gives that memory to the next load, if nobody can see rows in it.
func (b *Buffer) Lend() {
	if b.mem != nil && b.Rows() == 0 && !b.shown {
		b.Env.Spares(b.Table.ID).Put(b.mem)
	}
	b.Release()
}

// Flush writes what lies in memory, and keeps the memory. After an error the finished segments are in
// Segments all the same, so that they can be discarded.
func (b *Buffer) Flush(ctx context.Context) error {
	if b.Rows() == 0 {
		return nil
	}
	j := Job{Env: b.Env, Table: b.Table, Slabs: b.mem.List(), Reason: "load"}
	err := j.Write(ctx)
	b.Segments, b.used = append(b.Segments, j.Added...), 0
	if b.shown || err != nil {
		b.mem, b.shown = nil, false
	} else {
		b.mem.Recycle()
	}
	return err
}
