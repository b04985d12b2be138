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

	mem *memtable.Table
}

// Add copies rows.
func (b *Buffer) Add(rows *memtable.Rows, receivedAt int64) {
	if b.mem == nil {
		b.mem = memtable.NewTable()
	}
	b.mem.Append(rows, receivedAt, 0)
}

// Rows and Bytes are what lies in memory.
func (b *Buffer) Rows() int {
	return b.List().Rows()
}

// Bytes is the memory that the rows take.
func (b *Buffer) Bytes() int64 {
	if b.mem == nil {
		return 0
	}
	return b.mem.Bytes()
}

// List is what lies in memory, readable until the next Flush.
func (b *Buffer) List() memtable.List {
	if b.mem == nil {
		return nil
	}
	return b.mem.List()
}

// Flush writes what lies in memory. After an error the finished segments are in
// Segments all the same, so that they can be discarded.
func (b *Buffer) Flush(ctx context.Context) error {
	if b.Rows() == 0 {
		return nil
	}
	j := Job{Env: b.Env, Table: b.Table, Slabs: b.mem.List(), Reason: "load"}
	err := j.Write(ctx)
	b.Segments = append(b.Segments, j.Added...)
	b.mem = nil
	return err
}
