package memtable

import (
	"fmt"
	"hash/crc32"
	"testing"

	"quern/storage/types"
	"quern/storage/vec"
)

// BenchmarkIngest is what a commit costs beside the disk: WAL body, crc, slab;
// 10 columns, about 256 bytes a row.
func BenchmarkIngest(b *testing.B) {
	const n = 2048
	batch := &vec.Batch{Len: n}
	var ids []uint32
	for c, t := range []types.Type{types.Timestamptz, types.Int8, types.Int4, types.Float8, types.Bool, types.UUID, types.Text, types.Text, types.Text, types.Text} {
		ids = append(ids, uint32(c+1))
		bld := vec.NewBuilder(t, n)
		for i := range n {
			switch t.Phys() {
			case types.PhysBytes:
				bld.AppendBytes(fmt.Appendf(nil, "%d a text of about fifty bytes in column %d", i, c))
			default:
				bld.Append(&types.Datum{I: int64(i & 1), F: float64(i)})
			}
		}
		batch.Cols = append(batch.Cols, bld.Finish())
	}
	tab := NewTable()
	var buf []byte
	table := crc32.MakeTable(crc32.Castagnoli)
	for b.Loop() {
		body, err := EncodeRows(buf[:0], 1, ids, []*vec.Batch{batch})
		if err != nil {
			b.Fatal(err)
		}
		buf = body
		_ = crc32.Checksum(body, table)
		r, err := DecodeRows(body)
		if err != nil {
			b.Fatal(err)
		}
		tab.Append(r, 1, 1)
		if len(tab.List()) > 4 {
			tab.Drop(tab.Freeze())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
}
