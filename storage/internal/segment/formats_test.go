package segment

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"quern/storage/internal/encoding"
	"quern/storage/internal/memtable"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
)

// formatsFile was written by TestWriteFormats and is never written again: files
// of format 1 open for ever. A later minor version adds a file beside it.
const formatsFile = "../../../testdata/formats/v1/every_encoding.qseg"

const formatsRows = 2500

// formatsCol is a column of the file: the k-th value, and how its page is encoded.
type formatsCol struct {
	typ  types.Type
	kind encoding.Kind
	draw func(rng *rand.Rand, k int) types.Datum
}

func ints(f func(rng *rand.Rand, k int) int64) func(*rand.Rand, int) types.Datum {
	return func(rng *rand.Rand, k int) types.Datum { return types.Datum{I: f(rng, k)} }
}

func nullable(f func(*rand.Rand, int) types.Datum) func(*rand.Rand, int) types.Datum {
	return func(rng *rand.Rand, k int) types.Datum {
		if d := f(rng, k); k%9 != 4 {
			return d
		}
		return types.NullDatum
	}
}

// formatsCols must not change: TestFormats compares the file with it.
var formatsCols = []formatsCol{
	{types.Int8, encoding.Delta, ints(func(rng *rand.Rand, k int) int64 { return int64(k)*1000 + rng.Int64N(900) })},
	{types.Int4, encoding.For, ints(func(rng *rand.Rand, _ int) int64 { return rng.Int64N(8000) - 77 })},
	{types.Int2, encoding.For, nullable(ints(func(rng *rand.Rand, _ int) int64 { return rng.Int64N(250) }))},
	{types.Int8, encoding.RLE, ints(func(_ *rand.Rand, k int) int64 { return int64(k / 40 * 4) })},
	{types.Int4, encoding.Sparse, ints(func(rng *rand.Rand, k int) int64 { return int64(k%14/13) * rng.Int64N(256) })},
	{types.Int8, encoding.Dict, ints(func(rng *rand.Rand, _ int) int64 { return (rng.Int64N(60) + 1) * 0x123456789ABCDEF })},
	{types.Int8, encoding.Plain, ints(func(rng *rand.Rand, _ int) int64 { return int64(rng.Uint64()) })},
	{types.Int4, encoding.Const, ints(func(*rand.Rand, int) int64 { return -5 })},
	{types.Timestamptz, encoding.For, ints(func(rng *rand.Rand, _ int) int64 { return (1_600_000_000 + rng.Int64N(9999)) * 1e6 })},
	{types.Date, encoding.For, ints(func(rng *rand.Rand, _ int) int64 { return 20000 + rng.Int64N(30) })},
	{types.Bool, encoding.Bitmap, nullable(ints(func(rng *rand.Rand, _ int) int64 { return rng.Int64N(2) }))},
	{types.Float8, encoding.Plain, func(rng *rand.Rand, _ int) types.Datum { return types.Datum{F: rng.NormFloat64()} }},
	{types.Float4, encoding.For, func(_ *rand.Rand, k int) types.Datum { return types.Datum{F: float64(k / 2497)} }},
	{types.NumericType(12, 2), encoding.For, func(rng *rand.Rand, _ int) types.Datum {
		return types.Datum{N: types.Num{Lo: uint64(rng.IntN(9000)), Scale: 2}}
	}},
	{types.Interval, encoding.Plain, func(rng *rand.Rand, _ int) types.Datum {
		return types.Datum{Iv: types.IntervalVal{Micros: rng.Int64N(99), Days: 3}}
	}},
	{types.UUID, encoding.Plain, nullable(func(rng *rand.Rand, _ int) types.Datum {
		return types.Datum{U: [16]byte{0: byte(rng.Uint32()), 9: 1, 15: byte(rng.Uint32())}}
	})},
	{types.Text, encoding.Dict, nullable(func(rng *rand.Rand, _ int) types.Datum {
		return types.Datum{S: fmt.Sprintf("https://example.com/%d/page", rng.IntN(90))}
	})},
	{types.Text, encoding.FSST, func(rng *rand.Rand, k int) types.Datum {
		return types.Datum{S: fmt.Sprintf("row %d of é", rng.Uint32())}
	}},
	{types.Bytea, encoding.Plain, func(rng *rand.Rand, _ int) types.Datum {
		return types.Datum{S: string([]byte{byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())})}
	}},
	{types.Text, encoding.Const, func(*rand.Rand, int) types.Datum { return types.NullDatum }},
}

func formatsSpec() *Spec {
	s := &Spec{ID: 1, UUID: [16]byte{9}, Table: 2, Version: 1, TimeCol: 9, Writer: "quern", Reason: "flush"}
	for i, c := range formatsCols {
		s.Cols = append(s.Cols, Column{ID: uint32(i + 1), Name: fmt.Sprintf("c%d", i+1), Type: c.typ, Missing: types.NullDatum})
	}
	return s
}

// formatsVectors are the values of the file.
func formatsVectors() []vec.Vector {
	var cols []vec.Vector
	for i, c := range formatsCols {
		rng := rand.New(rand.NewPCG(uint64(i), 5))
		b := vec.NewBuilder(c.typ, formatsRows)
		for k := range formatsRows {
			d := c.draw(rng, k)
			b.Append(&d)
		}
		cols = append(cols, b.Finish())
	}
	return cols
}

// TestWriteFormats writes the file; see formatsFile.
func TestWriteFormats(t *testing.T) {
	if os.Getenv("QUERN_WRITE_FORMATS") == "" {
		t.Skip("QUERN_WRITE_FORMATS is not set")
	}
	var ids []uint32
	for i := range formatsCols {
		ids = append(ids, uint32(i+1))
	}
	body, err := memtable.EncodeRows(nil, 1, ids, []*vec.Batch{{Len: formatsRows, Cols: formatsVectors()}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := memtable.DecodeRows(body)
	if err != nil {
		t.Fatal(err)
	}
	mem := memtable.NewTable()
	mem.Append(r, 1_700_000_000_000_000, 7)
	if _, err := Build(t.Context(), vfs.OS{}, formatsFile+".tmp", formatsFile, formatsSpec(), mem.List(), nil); err != nil {
		t.Fatal(err)
	}
}

// TestFormats: the checked-in file opens, is whole and holds what it was made of,
// in every encoding.
func TestFormats(t *testing.T) {
	f, err := Open(vfs.OS{}, formatsFile, Expect{ID: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Verify(); err != nil {
		t.Fatal(err)
	}
	for i, want := range formatsVectors() {
		c, err := f.Column(uint32(i + 1))
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Page(0)
		if err != nil || p.Kind != formatsCols[i].kind || c.Type() != formatsCols[i].typ {
			t.Fatalf("column %d: encoding %d, want %d (%v)", i+1, p.Kind, formatsCols[i].kind, err)
		}
		col, err := c.decode(0)
		if err != nil {
			t.Fatal(err)
		}
		for k := range formatsRows {
			if col.Null(k) != want.Null(k) {
				t.Fatalf("column %d row %d: null %v", i+1, k, col.Null(k))
			}
			if want.Null(k) {
				continue
			}
			if got, want := formatsValue(t, c, col, k), formatsWant(&want, k); !bytes.Equal(got, want) {
				t.Fatalf("column %d row %d: % x, want % x", i+1, k, got, want)
			}
		}
	}
	var kinds []encoding.Kind
	for _, c := range formatsCols {
		kinds = append(kinds, c.kind)
	}
	for k := encoding.Plain; k <= encoding.FSST; k++ {
		if !slices.Contains(kinds, k) {
			t.Errorf("the file lacks encoding %d", k)
		}
	}
}

func formatsValue(t *testing.T, c *Col, col *encoding.Column, k int) []byte {
	if c.hasDict {
		d, err := c.Dict()
		if err != nil {
			t.Fatal(err)
		}
		return d.Values.BytesAt(int(vec.CastSlice[uint32](col.Fixed)[k]))
	}
	if size := col.Phys.Size(); size > 0 {
		return col.Fixed[k*size : (k+1)*size]
	}
	return col.Value(k)
}

func formatsWant(v *vec.Vector, k int) []byte {
	if size := v.Type.Phys().Size(); size > 0 {
		return v.Fixed[k*size : (k+1)*size]
	}
	return v.BytesAt(k)
}
