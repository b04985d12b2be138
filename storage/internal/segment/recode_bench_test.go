package segment

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"quern/storage/catalog"
	"quern/storage/internal/encoding"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
)

// BenchmarkRecode decodes and encodes again every column of the segment that
// QUERN_BENCH_SEGMENT names; -v prints the bytes per row of every column, as
// they are in the file and as they would be now.
func BenchmarkRecode(b *testing.B) {
	path := os.Getenv("QUERN_BENCH_SEGMENT")
	if path == "" {
		b.Skip("QUERN_BENCH_SEGMENT is not set")
	}
	f, err := Open(vfs.OS{}, filepath.Clean(path), Expect{})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	rows := float64(f.rows)
	ids := []uint32{catalog.ColReceivedAt, catalog.ColCommitSeq}
	for _, c := range f.Schema() {
		ids = append(ids, c.ID)
	}
	var report string
	for b.Loop() {
		report = ""
		was, is := 0, 0
		for _, id := range ids {
			w, n, line := recode(b, f, id)
			was, is = was+w, is+n
			report += line
		}
		b.ReportMetric(float64(was)/rows, "B/row-was")
		b.ReportMetric(float64(is)/rows, "B/row-is")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
	b.Log("\n" + report)
}

// recode gives a column's bytes in f and encoded again, and a line about both.
func recode(b *testing.B, f *File, id uint32) (was, is int, line string) {
	c, err := f.Column(id)
	if err != nil || c == nil {
		b.Fatal(err)
	}
	kinds, dict := map[uint8]int{}, 0
	for _, p := range c.pages {
		was += int(p.length)
		kinds[p.encoding]++
	}
	for _, e := range f.entries() {
		if e.column == id {
			was += int(e.length)
			if e.kind == kindDict {
				dict = int(e.length)
			}
		}
	}
	out := recoded(b, c)
	is = len(out.data) + len(out.zonesGroup) + len(out.zonesGranule) + len(out.dict) + len(out.sums) + pageBytes*len(out.pages)
	now := map[uint8]int{}
	for _, p := range out.pages {
		now[p.encoding]++
	}
	name := fmt.Sprint(id)
	for _, c := range f.Schema() {
		if c.ID == id {
			name = c.Name
		}
	}
	r := float64(f.rows)
	return was, is, fmt.Sprintf("%-24s phys %2d  was %7.3f (dict %7.3f, pages %v)  is %7.3f (dict %7.3f, pages %v)\n",
		name, c.phys, float64(was)/r, float64(dict)/r, kinds, float64(is)/r, float64(len(out.dict))/r, now)
}

func recoded(b *testing.B, c *Col) *encodedColumn {
	whole := &encoding.Column{Phys: c.phys, Unsigned: c.unsigned}
	if c.hasDict {
		whole.Phys, whole.Unsigned = types.PhysI32, true
	}
	if whole.Phys == types.PhysBytes {
		whole.Offs = []uint32{0}
	}
	for g := range c.pages {
		col, err := c.decode(g)
		if err != nil {
			b.Fatal(err)
		}
		if col.Valid != nil && whole.Valid == nil || whole.Valid != nil {
			b.Skip("segments with NULLs are not measured")
		}
		whole.N += col.N
		whole.Fixed = append(whole.Fixed, col.Fixed...)
		for i := range col.N {
			if whole.Phys == types.PhysBytes {
				whole.Bytes = append(whole.Bytes, col.Value(i)...)
				whole.Offs = append(whole.Offs, uint32(len(whole.Bytes)))
			}
		}
	}
	return reencode(b, c, whole)
}

func reencode(b *testing.B, c *Col, whole *encoding.Column) *encodedColumn {
	var out *encodedColumn
	var err error
	if c.hasDict {
		v, e := c.Dict()
		if e != nil {
			b.Fatal(e)
		}
		d := &dictionary{codes: vec.CastSlice[uint32](whole.Fixed), ascii: v.ASCII, offs: []uint32{0}}
		for i := range v.Values.Len {
			d.bytes = append(d.bytes, v.Values.BytesAt(i)...)
			d.offs = append(d.offs, uint32(len(d.bytes)))
		}
		out, err = encodeDict(&Spec{ID: c.file.id}, c.id, d, new(encoding.Encoder))
	} else {
		out, err = encodeColumn(&Spec{ID: c.file.id}, c.id, whole, new(encoding.Encoder))
	}
	if err != nil {
		b.Fatal(err)
	}
	return out
}
