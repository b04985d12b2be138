package segment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"quern/storage/catalog"
	"quern/storage/internal/encoding"
	"quern/storage/internal/memtable"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"

	"github.com/RoaringBitmap/roaring/v2"
)

// rowsOf gives the rows of a segment as text, one value per column of cols and
// the hidden ones, read without the code of merges.
func rowsOf(t testing.TB, f *File, cols []Column) [][]string {
	t.Helper()
	out := make([][]string, f.Rows())
	all := append(slices.Clone(cols), *hiddenColumn(catalog.ColReceivedAt), *hiddenColumn(catalog.ColCommitSeq))
	for k := range all {
		c := &all[k]
		col, err := f.Column(c.ID)
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for g := range f.Groups() {
			n := f.Groups()[g].Rows
			var rows *encoding.Column
			var dict *vec.Dictionary
			if col == nil {
				x := constant(c, n)
				rows = &x
			} else {
				if rows, err = col.decode(g); err != nil {
					t.Fatal(err)
				}
				if col.hasDict {
					if dict, err = col.Dict(); err != nil {
						t.Fatal(err)
					}
				}
			}
			for i := range n {
				out[at] = append(out[at], text(rows, c, dict, i))
				at++
			}
		}
	}
	return out
}

func text(rows *encoding.Column, c *Column, dict *vec.Dictionary, i int) string {
	switch {
	case rows.Null(i):
		return "NULL"
	case dict != nil:
		return "'" + string(dict.Values.BytesAt(int(vec.CastSlice[uint32](rows.Fixed)[i])))
	case rows.Phys == types.PhysBytes:
		return "'" + string(rows.Value(i))
	case rows.Phys != c.Type.Phys():
		wide, err := widen(rows, c.Type)
		if err != nil {
			return err.Error()
		}
		rows = wide
	}
	size := rows.Phys.Size()
	return fmt.Sprintf("%x", rows.Fixed[i*size:(i+1)*size])
}

// mergeCase is a random merge.
type mergeCase struct {
	fs     vfs.FS
	spec   *Spec
	inputs []Input
	rows   [][][]string
}

// input builds one more segment, perhaps by an older schema or another key.
func (c *mergeCase) input(t *testing.T, rng *rand.Rand, n int) {
	t.Helper()
	spec := *c.spec
	spec.ID = uint64(100 + len(c.inputs))
	spec.Cols = slices.Clone(c.spec.Cols)
	if rng.IntN(4) == 0 { // older than the last column
		spec.Cols = spec.Cols[:len(spec.Cols)-1]
	}
	if rng.IntN(4) == 0 { // before a column was made wider
		spec.Cols[4].Type = types.Int4
	}
	if rng.IntN(4) == 0 {
		spec.Order = []SortKey{{Col: 3}}
	}
	spec.Cold = rng.IntN(4) == 0
	mem := memtable.NewTable()
	for seq := range uint64(3) {
		b := vec.Batch{Len: n/3 + 1}
		var ids []uint32
		for k := range spec.Cols {
			col := &spec.Cols[k]
			ids = append(ids, col.ID)
			bld := vec.NewBuilder(col.Type, b.Len)
			for range b.Len {
				d := testDatum(rng, k, col.Type)
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
		mem.Append(r, int64(seq)*hourMicros, uint64(len(c.inputs))*3+seq+1)
	}
	name := fmt.Sprintf("d/in%d", len(c.inputs))
	if _, err := Build(context.Background(), c.fs, "d/tmp", name, &spec, mem.List(), nil); err != nil {
		t.Fatal(err)
	}
	f, err := Open(c.fs, name, Expect{})
	if err != nil {
		t.Fatal(err)
	}
	in := Input{File: f}
	if rng.IntN(2) == 0 {
		in.Deleted = roaring.New()
		for r := range uint32(f.Rows()) {
			if rng.IntN(3) == 0 {
				in.Deleted.Add(r)
			}
		}
	}
	c.inputs = append(c.inputs, in)
	c.rows = append(c.rows, rowsOf(t, f, c.spec.Cols))
}

func (c *mergeCase) merge(t *testing.T, change func(*MergeSpec)) (*Merged, error) {
	t.Helper()
	id := uint64(500)
	spec := &MergeSpec{Spec: c.spec, Inputs: c.inputs, Partition: "all", Next: func(string) (Output, error) {
		id++
		return Output{ID: id, UUID: [16]byte{byte(id)}, Tmp: fmt.Sprintf("d/t%d", id), Path: fmt.Sprintf("d/s%d", id)}, nil
	}}
	change(spec)
	return Merge(context.Background(), c.fs, spec)
}

// TestMergeKeepsRows merges random segments, of several schemas and sort keys,
// and compares the rows one by one.
func TestMergeKeepsRows(t *testing.T) {
	for seed := range uint64(16) {
		rng := rand.New(rand.NewPCG(seed, 5))
		c := &mergeCase{fs: newFS(t), spec: testSpec()}
		c.spec.Reason = "merge"
		c.spec.Cold = seed%2 == 0
		c.spec.Cols = append(c.spec.Cols, Column{ID: 12, Name: "added", Type: types.Text, Missing: types.Datum{S: "before"}})
		if rng.IntN(5) == 0 {
			c.spec.Order = nil
		} else if rng.IntN(2) == 0 {
			c.spec.Order = []SortKey{{Col: 9}, {Col: 6, Desc: true}, {Col: 10}}
		}
		for range 1 + rng.IntN(4) {
			size := []int{1, 50, 900, 9000}[rng.IntN(4)]
			c.input(t, rng, size)
		}
		var ms *MergeSpec
		got, err := c.merge(t, func(m *MergeSpec) {
			ms = m
			if rng.IntN(2) == 0 {
				m.HasFloor, m.Floor = true, rng.Int64N(hourMicros*30)
			}
			if rng.IntN(2) == 0 {
				m.Split, m.Grain, m.PartsMax = true, GrainDay, rng.IntN(4)
			}
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		c.check(t, fmt.Sprintf("seed %d", seed), ms, got)
	}
}

// check compares a merge with its inputs.
func (c *mergeCase) check(t *testing.T, name string, ms *MergeSpec, got *Merged) {
	t.Helper()
	var out [][][]string
	total := 0
	for _, o := range got.Outputs {
		f, err := Open(c.fs, o.Path, Expect{ID: o.ID, Length: o.Info.Length, TrailerCRC: o.Info.TrailerCRC})
		if err != nil {
			t.Fatal(name, err)
		}
		if err := f.Verify(); err != nil {
			t.Fatal(name, err)
		}
		rows := rowsOf(t, f, c.spec.Cols)
		c.checkOrder(t, name, rows)
		total += len(rows)
		out = append(out, rows)
		if ms.Split {
			checkPartition(t, name, o.Partition, rows)
		}
		for id := range uint32(len(c.spec.Cols)) {
			checkDictUsed(t, f, id+1)
		}
		_ = f.Close()
	}
	seen := 0
	for i, rows := range c.rows {
		for r, want := range rows {
			one := roaring.BitmapOf(uint32(r))
			to, deleted := got.Forward.Rows(i, one)
			isDeleted := c.inputs[i].Deleted != nil && c.inputs[i].Deleted.Contains(uint32(r))
			expired := ms.HasFloor && effective(want) < ms.Floor
			if (deleted == 1) != isDeleted {
				t.Fatalf("%s: row %d of input %d: deleted is %d", name, r, i, deleted)
			}
			found := false
			for o, b := range to {
				if b == nil {
					continue
				}
				found = true
				seen++
				if have := out[o][b.Minimum()]; !slices.Equal(have, want) {
					t.Fatalf("%s: row %d of input %d: %q became %q", name, r, i, want, have)
				}
			}
			if found == (isDeleted || expired) {
				t.Fatalf("%s: row %d of input %d: found %v, deleted %v, expired %v", name, r, i, found, isDeleted, expired)
			}
		}
	}
	if seen != total {
		t.Fatalf("%s: %d rows came out, %d are accounted for", name, total, seen)
	}
}

func int64At(hex string) int64 {
	var b [8]byte
	if _, err := fmt.Sscanf(hex, "%x", new([]byte)); err != nil && hex == "NULL" {
		return math.MaxInt64
	}
	for i := range 8 {
		_, _ = fmt.Sscanf(hex[2*i:2*i+2], "%02x", &b[i])
	}
	return vec.CastSlice[int64](append(vec.AlignedBytes(8)[:0], b[:]...))[0]
}

func effective(row []string) int64 {
	return Effective(int64At(row[0]), row[0] == "NULL", int64At(row[len(row)-2]))
}

func (c *mergeCase) checkOrder(t *testing.T, name string, rows [][]string) {
	t.Helper()
	if len(c.spec.Order) == 0 || c.spec.Order[0].Col != 1 {
		return
	}
	if !sort.SliceIsSorted(rows, func(i, j int) bool { return int64At(rows[i][0]) < int64At(rows[j][0]) }) {
		t.Fatalf("%s: rows are not sorted", name)
	}
}

func checkPartition(t *testing.T, name, part string, rows [][]string) {
	t.Helper()
	for _, r := range rows {
		var c cutter
		if want := c.name(int64At(r[0]), r[0] == "NULL", GrainDay); part != "mixed" && part != want {
			t.Fatalf("%s: a row of %s is in %s", name, want, part)
		}
	}
}

// checkDictUsed fails if a dictionary holds a value that no row has.
func checkDictUsed(t *testing.T, f *File, id uint32) {
	t.Helper()
	col, err := f.Column(id)
	if err != nil {
		t.Fatal(err)
	}
	if col == nil || !col.hasDict {
		return
	}
	d, err := col.Dict()
	if err != nil {
		t.Fatal(err)
	}
	used := make([]bool, d.Values.Len)
	for g := range f.Groups() {
		rows, err := col.decode(g)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range vec.CastSlice[uint32](rows.Fixed)[:rows.N] {
			if !rows.Null(i) {
				used[c] = true
			}
		}
	}
	if slices.Contains(used, false) {
		t.Fatalf("dictionary of column %d has values that no row has", id)
	}
}

// TestMergeForgetsDeleted looks for the bytes of a deleted value in the file.
func TestMergeForgetsDeleted(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	c := &mergeCase{fs: newFS(t), spec: testSpec()}
	c.input(t, rng, 3000)
	gone := roaring.New()
	for r, row := range c.rows[0] {
		if row[8] == "'repeated value 7" {
			gone.Add(uint32(r))
		}
	}
	c.inputs[0].Deleted = gone
	got, err := c.merge(t, func(*MergeSpec) {})
	if err != nil {
		t.Fatal(err)
	}
	if got.Deleted != int64(gone.GetCardinality()) || got.Deleted == 0 {
		t.Fatalf("%d rows deleted", got.Deleted)
	}
	f, err := Open(c.fs, got.Outputs[0].Path, Expect{})
	if err != nil {
		t.Fatal(err)
	}
	col, err := f.Column(9)
	if err != nil {
		t.Fatal(err)
	}
	d, err := col.Dict()
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Values.Len {
		if string(d.Values.BytesAt(i)) == "repeated value 7" {
			t.Fatal("the deleted value is in the dictionary")
		}
	}
}

// TestMergeStops ends a merge at every pause: nothing is left.
func TestMergeStops(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	c := &mergeCase{fs: newFS(t), spec: testSpec()}
	c.input(t, rng, 500)
	c.input(t, rng, 500)
	stop := errors.New("stop")
	for n := 0; ; n++ {
		left := n
		_, err := c.merge(t, func(m *MergeSpec) {
			m.Pause = func(context.Context, int) error {
				if left--; left < 0 {
					return stop
				}
				return nil
			}
		})
		names, listErr := c.fs.List("d")
		if listErr != nil {
			t.Fatal(listErr)
		}
		if err == nil {
			if n < 5 {
				t.Fatalf("only %d pauses", n)
			}
			return
		}
		if !errors.Is(err, stop) || slices.ContainsFunc(names, func(s string) bool { return !strings.Contains(s, "in") }) {
			t.Fatalf("stopped at pause %d: %v, left %v", n, err, names)
		}
	}
}

// TestMergeChecks plants a wrong row: the check must find it.
func TestMergeChecks(t *testing.T) {
	a, b := tally{}, tally{}
	col := encoding.Column{Phys: types.PhysI64, N: 3, Fixed: vec.AlignedBytes(24)}
	a.add(&col)
	vec.CastSlice[int64](col.Fixed)[1] = 5
	b.add(&col)
	if a == b {
		t.Fatal("a changed value was not noticed")
	}
	text := encoding.Column{Phys: types.PhysBytes, N: 1, Offs: []uint32{0, 3}, Bytes: []byte("abc")}
	a, b = tally{}, tally{}
	a.add(&text)
	text.Bytes = bytes.ToUpper(text.Bytes)
	b.add(&text)
	if a == b {
		t.Fatal("a changed text was not noticed")
	}
}
