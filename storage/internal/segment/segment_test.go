package segment

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"quern/storage/errs"
	"quern/storage/internal/memtable"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
	"quern/storage/vfs/crashfs"
)

var testTypes = []types.Type{types.Timestamptz, types.Bool, types.Int2, types.Int4, types.Int8, types.Float8,
	types.NumericType(12, 2), types.UUID, types.Text, types.Text, types.Interval}

// testList is n rows: column 9 repeats values, column 10 does not.
func testList(t testing.TB, rng *rand.Rand, n int) memtable.List {
	t.Helper()
	mem := memtable.NewTable()
	for seq := range uint64(3) {
		b := vec.Batch{Len: n / 3}
		var ids []uint32
		for c, typ := range testTypes {
			ids = append(ids, uint32(c+1))
			bld := vec.NewBuilder(typ, b.Len)
			for range b.Len {
				d := testDatum(rng, c, typ)
				bld.Append(&d)
			}
			b.Cols = append(b.Cols, bld.Finish())
		}
		body, err := memtable.EncodeRows(nil, 1, ids, []*vec.Batch{&b})
		if err != nil {
			t.Fatal(err)
		}
		r, err := memtable.DecodeRows(body)
		if err != nil {
			t.Fatal(err)
		}
		mem.Append(r, int64(seq)*hourMicros, seq+1)
	}
	return mem.List()
}

func testDatum(rng *rand.Rand, c int, t types.Type) types.Datum {
	x := rng.Int64N(1000)
	switch {
	case rng.IntN(10) == 0:
		return types.NullDatum
	case c == 0:
		return types.Datum{I: x * hourMicros}
	case t.Phys() == types.PhysNum:
		return types.Datum{N: types.Num{Lo: uint64(x), Scale: 2}}
	case t.Phys() == types.PhysUUID:
		return types.Datum{U: [16]byte{byte(x), byte(x >> 8)}}
	case t.Phys() == types.PhysBool:
		return types.Datum{I: x & 1}
	case c == 8:
		return types.Datum{S: fmt.Sprintf("repeated value %d", x%20)}
	case c == 9:
		return types.Datum{S: fmt.Sprintf("value %x", rng.Uint64())}
	}
	return types.Datum{I: x, F: float64(x) / 7, Iv: types.IntervalVal{Micros: x}}
}

func testSpec() *Spec {
	s := &Spec{ID: 77, UUID: [16]byte{1, 2}, Table: 5, Version: 1, TimeCol: 1, Order: []SortKey{{Col: 1}, {Col: 9, Desc: true}}, Writer: "test", Reason: "flush"}
	for c, typ := range testTypes {
		s.Cols = append(s.Cols, Column{ID: uint32(c + 1), Name: fmt.Sprintf("c%d", c), Type: typ, Missing: types.NullDatum})
	}
	return s
}

func testBytes(t testing.TB, rows int) ([]byte, Info) {
	t.Helper()
	fs := newFS(t)
	info, err := Build(context.Background(), fs, "d/tmp", "d/seg", testSpec(), testList(t, rand.New(rand.NewPCG(1, 1)), rows), nil)
	if err != nil {
		t.Fatal(err)
	}
	data, err := vfs.ReadFile(fs, "d/seg")
	if err != nil {
		t.Fatal(err)
	}
	return data, info
}

func newFS(t testing.TB) vfs.FS {
	t.Helper()
	fs := crashfs.New()
	if err := fs.MkdirAll("d"); err != nil {
		t.Fatal(err)
	}
	return fs
}

func openBytes(t testing.TB, data []byte, want Expect) error {
	t.Helper()
	fs := newFS(t)
	if err := vfs.WriteFileBytes(fs, "d/tmp", "d/seg", data); err != nil {
		t.Fatal(err)
	}
	f, err := Open(fs, "d/seg", want)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Verify()
}

func TestBuildVerifies(t *testing.T) {
	data, info := testBytes(t, 3000)
	if info.Rows != 3000 || info.Length != int64(len(data)) || info.SeqMin != 1 || info.SeqMax != 3 ||
		info.ReceivedMax != 2*hourMicros || info.TimeMin != 0 || info.TimeMax > 2*hourMicros+maxFutureMicros {
		t.Fatalf("%+v", info)
	}
	if err := openBytes(t, data, Expect{ID: 77, Length: info.Length, TrailerCRC: info.TrailerCRC}); err != nil {
		t.Fatal(err)
	}
	again, _ := testBytes(t, 3000)
	if !bytes.Equal(data, again) {
		t.Fatal("the same rows make another file")
	}
	for _, want := range []Expect{{ID: 78}, {Length: 5}, {TrailerCRC: info.TrailerCRC + 1}} {
		if err := openBytes(t, data, want); errs.CodeOf(err) != errs.DataCorrupted {
			t.Fatalf("%+v: %v", want, err)
		}
	}
}

// TestEveryByteCounts flips a bit of every byte (in steps, and every byte of the
// first and last KiB): always detected.
func TestEveryByteCounts(t *testing.T) {
	data, info := testBytes(t, 300)
	rng := rand.New(rand.NewPCG(1, 1))
	want := Expect{ID: 77, Length: info.Length, TrailerCRC: info.TrailerCRC}
	for at := 0; at < len(data); at++ {
		if at > 1024 && at < len(data)-4096 {
			at += rng.IntN(20)
		}
		bad := bytes.Clone(data)
		bad[at] ^= 1 << rng.IntN(8)
		if err := openBytes(t, bad, want); err == nil {
			t.Fatalf("byte %d of %d: a flipped bit is not detected", at, len(data))
		}
	}
	for n := 0; n < len(data); n += 1 + rng.IntN(200) {
		if err := openBytes(t, data[:n], Expect{}); err == nil {
			t.Fatalf("cut at %d of %d is not detected", n, len(data))
		}
	}
}

func TestSwappedPagesAreDetected(t *testing.T) {
	data, _ := testBytes(t, 300)
	// Two pages of one length, each intact: columns 3 and 8 of equal form.
	fs := newFS(t)
	_ = vfs.WriteFileBytes(fs, "d/tmp", "d/seg", data)
	f, err := Open(fs, "d/seg", Expect{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var at []page
	for _, id := range []uint32{3, 4, 5} {
		c, err := f.Column(id)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, c.pages[0])
	}
	for i := range at {
		for j := range i {
			if at[i].length != at[j].length {
				continue
			}
			bad := bytes.Clone(data)
			copy(bad[at[i].offset:], data[at[j].offset:at[j].offset+uint64(at[j].length)])
			if openBytes(t, bad, Expect{}) == nil {
				t.Fatal("a page in the wrong place is not detected")
			}
			return
		}
	}
	t.Fatal("no two pages of one length")
}

func TestDictionaryDropsUnusedValues(t *testing.T) {
	mem := memtable.NewTable()
	b := vec.NewBuilder(types.Text, 1000)
	for i := range 1000 {
		b.AppendBytes([]byte([]string{"kept-1", "forgotten", "kept-2"}[i%3]))
	}
	body, _ := memtable.EncodeRows(nil, 1, []uint32{1}, []*vec.Batch{{Len: 1000, Cols: []vec.Vector{b.Finish()}}})
	r, err := memtable.DecodeRows(body)
	if err != nil {
		t.Fatal(err)
	}
	mem.Append(r, 1, 1)
	var rows []uint32
	for i := range uint32(1000) {
		if i%3 != 1 {
			rows = append(rows, i)
		}
	}
	fs := newFS(t)
	spec := &Spec{ID: 1, Cols: []Column{{ID: 1, Type: types.Text}}}
	if _, err := Build(t.Context(), fs, "d/tmp", "d/seg", spec, mem.List(), rows); err != nil {
		t.Fatal(err)
	}
	data, _ := vfs.ReadFile(fs, "d/seg")
	if !bytes.Contains(data, []byte("kept-2")) || bytes.Contains(data, []byte("forgotten")) {
		t.Fatal("the dictionary holds a value that no row has")
	}
}

func TestBuildFailsCleanly(t *testing.T) {
	fs := newFS(t)
	l := testList(t, rand.New(rand.NewPCG(1, 1)), 300)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Build(ctx, fs, "d/tmp", "d/seg", testSpec(), l, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	spec := testSpec()
	spec.Cols[3].Type = types.Bool
	if _, err := Build(t.Context(), fs, "d/tmp", "d/seg", spec, l, nil); errs.CodeOf(err) != errs.FeatureNotSupported {
		t.Fatal(err)
	}
	if names, _ := fs.List("d"); len(names) > 0 {
		t.Fatalf("left behind: %v", names)
	}
}

func TestSplit(t *testing.T) {
	mem := memtable.NewTable()
	b := vec.NewBuilder(types.Timestamptz, 0)
	day := 24 * hourMicros
	at := []int64{0, 10 * int64(day), 40 * int64(day), 40*int64(day) + 5, -1}
	for i := range 100 {
		vec.AppendFixed(b, at[i%5])
	}
	b.Null()
	v := b.Finish()
	body, _ := memtable.EncodeRows(nil, 1, []uint32{1}, []*vec.Batch{{Len: v.Len, Cols: []vec.Vector{v}}})
	r, err := memtable.DecodeRows(body)
	if err != nil {
		t.Fatal(err)
	}
	mem.Append(r, 100*int64(day), 1)
	names := func(s SplitSpec) string {
		out := ""
		for _, p := range Split(mem.List(), s) {
			if !slices.IsSorted(p.Rows) && p.Name != "mixed" {
				t.Fatalf("part %s is not in row order", p.Name)
			}
			out += fmt.Sprintf("%s=%d ", p.Name, len(p.Rows))
		}
		return out
	}
	for _, c := range []struct {
		spec SplitSpec
		want string
	}{
		{SplitSpec{}, "all=101 "},
		{SplitSpec{TimeCol: 1, Grain: GrainMonth}, "m196912=20 m197001=40 m197002=40 null=1 "},
		{SplitSpec{TimeCol: 1, Grain: GrainDay}, "d19691231=20 d19700101=20 d19700111=20 d19700210=40 null=1 "},
		{SplitSpec{TimeCol: 1, Grain: GrainHour, MinRows: 30}, "h1970021000=40 mixed=61 "},
		{SplitSpec{TimeCol: 1, Grain: GrainMonth, MaxParts: 2}, "m197001=40 m197002=40 mixed=21 "},
		{SplitSpec{TimeCol: 1, Grain: GrainMonth, HasFloor: true, Floor: 20 * int64(day)}, "m197002=40 null=1 "},
		{SplitSpec{Deleted: func(pos uint32) bool { return pos >= 10 }}, "all=10 "},
		{SplitSpec{Deleted: func(uint32) bool { return true }}, ""},
	} {
		if got := names(c.spec); got != c.want {
			t.Errorf("%+v: %s, want %s", c.spec, got, c.want)
		}
	}
}

func TestRadixSortsLikeSort(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 10, 255, 256, 5000} {
		v := make([]prefixed64, n)
		for i := range v {
			v[i] = prefixed64{rng.Uint64() >> (rng.IntN(8) * 8), uint32(i)}
			if i%3 == 0 {
				v[i].key = 7
			}
		}
		want := slices.Clone(v)
		slices.SortStableFunc(want, func(a, b prefixed64) int {
			if a.key != b.key {
				if a.key < b.key {
					return -1
				}
				return 1
			}
			return 0
		})
		if radix(v); !slices.Equal(v, want) {
			t.Fatalf("n=%d", n)
		}
	}
}

// reseal makes every checksum right again, as far as the parts can be found: so
// that damage reaches what lies behind the checksums.
func reseal(data []byte) {
	n := len(data)
	if n < headerBytes+trailerBytes {
		return
	}
	binary.LittleEndian.PutUint32(data[60:], crc32.Checksum(data[:60], castagnoli))
	f := &File{data: data, id: binary.LittleEndian.Uint64(data[16:])}
	t := data[n-trailerBytes:]
	off, length := binary.LittleEndian.Uint64(t[8:]), uint64(binary.LittleEndian.Uint32(t[16:]))
	if off > uint64(n) || length > uint64(n)-off {
		return
	}
	dir := data[off : off+length]
	for at := 0; at+entryBytes <= len(dir); at += entryBytes {
		e := readEntry(dir[at:])
		b := f.part(e.offset, e.length)
		for k := 0; e.kind == kindPages && (k+1)*pageBytes <= len(b); k++ {
			p := readPage(b[k*pageBytes:])
			if body := f.part(p.offset, p.length); body != nil {
				binary.LittleEndian.PutUint32(b[k*pageBytes+16:], checksum(body, f.id, e.column, uint32(k)))
			}
		}
		if b != nil {
			binary.LittleEndian.PutUint32(dir[at+24:], checksum(b, f.id, e.column, uint32(e.kind)))
		}
	}
	binary.LittleEndian.PutUint32(t[20:], checksum(dir, f.id, wholeSegment, 0))
	binary.LittleEndian.PutUint32(t[52:], crc32.Checksum(t[:52], castagnoli))
}

// TestDamageBehindChecksums: a file that was written wrong, with right
// checksums, is refused or read as something, without a panic.
func TestDamageBehindChecksums(t *testing.T) {
	data, _ := testBytes(t, 300)
	rng := rand.New(rand.NewPCG(2, 2))
	refused := 0
	for range 3000 {
		bad := bytes.Clone(data)
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(bad))
			if rng.IntN(2) == 0 {
				at = len(bad) - 1 - rng.IntN(min(len(bad), 6000)) // directory, sections
			}
			bad[at] = byte(rng.Uint32())
		}
		reseal(bad)
		if openBytes(t, bad, Expect{}) != nil {
			refused++
		}
	}
	if refused < 1000 {
		t.Fatalf("only %d of 3000 damaged files were refused", refused)
	}
}

// FuzzSegmentOpen: any bytes are safe, with right checksums too.
func FuzzSegmentOpen(f *testing.F) {
	data, _ := testBytes(f, 30)
	f.Add(data)
	for _, file := range formatsFiles[1:] {
		spec := formatsSpec(file.cols)
		spec.Cold = file.cold
		fs := newFS(f)
		if _, err := Build(f.Context(), fs, "d/tmp", "d/seg", spec, formatsList(f, file.cols, 70), nil); err != nil {
			f.Fatal(err)
		}
		if data, err := vfs.ReadFile(fs, "d/seg"); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = bytes.Clone(data)
		reseal(data)
		_ = openBytes(t, data, Expect{})
	})
}

// TestFormatsDamage damages the files of testdata/formats, which hold every encoding
// and type: every bit, cut, zeroed sector and swapped page that is tried is detected.
func TestFormatsDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, file := range formatsFiles {
		data, err := vfs.ReadFile(vfs.OS{}, formatsDir+file.name)
		if err != nil {
			t.Fatal(err)
		}
		try := func(what string, at int, bad []byte) {
			t.Helper()
			if !bytes.Equal(bad, data) && openBytes(t, bad, Expect{}) == nil {
				t.Fatalf("%s: %s at %d is not detected", file.name, what, at)
			}
		}
		step := 1500 // QUERN_LONG tries every byte
		if os.Getenv("QUERN_LONG") != "" {
			step = 1
		}
		for at := rng.IntN(step); at < len(data); at += 1 + rng.IntN(2*step-1) {
			bad := bytes.Clone(data)
			bad[at] ^= 1 << rng.IntN(8)
			try("a flipped bit", at, bad)
			try("a cut", at, data[:at])
		}
		for at := 0; at < len(data); at += 512 * (1 + rng.IntN(1+step/250)) {
			bad := bytes.Clone(data)
			clear(bad[at:min(len(bad), at+512)])
			try("a zeroed sector", at, bad)
		}
		for _, p := range swappedPages(t, data) {
			try("a swapped page", 0, p)
		}
		other, _ := vfs.ReadFile(vfs.OS{}, formatsDir+formatsFiles[0].name)
		if openBytes(t, other, Expect{ID: 2}) == nil {
			t.Fatal("a file in the place of another is not detected")
		}
	}
}

// swappedPages gives files in which two pages of one length have changed places.
func swappedPages(t *testing.T, data []byte) (list [][]byte) {
	fs := newFS(t)
	if err := vfs.WriteFileBytes(fs, "d/tmp", "d/seg", data); err != nil {
		t.Fatal(err)
	}
	f, err := Open(fs, "d/seg", Expect{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	byLength := map[uint32]page{}
	for _, s := range f.Schema() {
		c, err := f.Column(s.ID)
		if err != nil {
			t.Fatal(err)
		}
		p := c.pages[0]
		if q, ok := byLength[p.length]; ok {
			bad := bytes.Clone(data)
			copy(bad[p.offset:], data[q.offset:q.offset+uint64(q.length)])
			copy(bad[q.offset:], data[p.offset:p.offset+uint64(p.length)])
			list = append(list, bad)
		}
		byLength[p.length] = p
	}
	return list
}

func BenchmarkBuild(b *testing.B) {
	l := testList(b, rand.New(rand.NewPCG(1, 1)), 600_000)
	fs := vfs.OS{}
	dir := b.TempDir()
	rows := l.Rows()
	for name, order := range map[string][]SortKey{"time": {{Col: 1}}, "time,text": {{Col: 1}, {Col: 9, Desc: true}}} {
		b.Run(name, func(b *testing.B) {
			spec := testSpec()
			spec.Order = order
			for b.Loop() {
				if _, err := Build(b.Context(), fs, dir+"/tmp", dir+"/seg", spec, l, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			info, _ := fs.Stat(dir + "/seg")
			b.ReportMetric(float64(info.Size)/float64(rows), "B/row")
		})
	}
}
