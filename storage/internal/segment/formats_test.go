package segment

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"quern/storage/internal/encoding"
	"quern/storage/internal/memtable"
	"quern/storage/types"
	"quern/storage/vec"
	"quern/storage/vfs"
)

// formatsDir holds files that TestWriteFormats wrote; none is ever written again:
// files of format 1 open for ever. A later minor version adds a file beside them.
const formatsDir = "../../../testdata/formats/v1/"

// formatsFiles are the files, in the order in which minor versions added them.
var formatsFiles = []struct {
	name string
	rows int
	cols []formatsCol
	cold bool
}{
	{"every_encoding.qseg", 2500, formatsCols, false},
	{"minor1.qseg", 3050, formatsCols1, false},
	{"minor1_cold.qseg", 3050, append(formatsCols1[:len(formatsCols1):len(formatsCols1)], formatsCols[15:]...), true},
}

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

var int4Array = types.Int4.Array()

// formatsCols1 are what minor version 1 added; they must not change either.
var formatsCols1 = []formatsCol{
	{types.Float8, encoding.ALP, func(rng *rand.Rand, k int) types.Datum {
		return types.Datum{F: [...]float64{0: math.NaN(), 1: math.Inf(-1), 2: math.Copysign(0, -1), 99: 1e300}[k%100] + float64(rng.IntN(99999))/100}
	}},
	{types.Float4, encoding.ALP, nullable(func(rng *rand.Rand, _ int) types.Datum { return types.Datum{F: float64(float32(rng.IntN(999)) / 10)} })},
	{types.Float8, encoding.ALPRD, func(rng *rand.Rand, k int) types.Datum {
		return types.Datum{F: float64(k%3-1|1) * (64 + 64*rng.Float64())}
	}},
	{types.Text, encoding.Chars, nullable(func(rng *rand.Rand, _ int) types.Datum {
		return types.Datum{S: fmt.Sprintf("order:%010x", rng.Uint64N(1<<40))}
	})},
	{types.Text, encoding.Chars, func(rng *rand.Rand, _ int) types.Datum {
		return types.Datum{S: fmt.Sprintf("%08x-%04x-4%03x", rng.Uint32(), rng.Uint32N(1<<16), rng.Uint32N(1<<12))}
	}},
	{types.JSONB, encoding.Template, nullable(func(rng *rand.Rand, k int) types.Datum {
		if k%2 == 0 {
			return types.Datum{S: fmt.Sprintf(`{"id": %d, "ok": %t, "sub": {"x": -%d.%03d, "tags": ["%x", "é"]}}`, rng.IntN(1e9), k%3 == 0, rng.IntN(9), rng.IntN(1000), rng.Uint32())}
		}
		return types.Datum{S: fmt.Sprintf(`[%d, {"id": %d, "e": 1e%d}]`, k, -k-1, k)}
	})},
	{types.JSON, encoding.Template, func(rng *rand.Rand, k int) types.Datum {
		return types.Datum{S: fmt.Sprintf(`{"level":"%s","message":"took %d ms" ,"n":null}`, []string{"info", "warn"}[rng.IntN(2)], rng.IntN(99999))}
	}},
	{types.Text, encoding.Dict, func(rng *rand.Rand, _ int) types.Datum {
		return types.Datum{S: fmt.Sprintf("a rather long text that is one of many and repeats within its row group %d", rng.IntN(2000)*7919)}
	}},
	{int4Array, encoding.FSST, func(rng *rand.Rand, k int) types.Datum {
		d, err := types.ParseText(int4Array, fmt.Sprintf("{%d,NULL,%d}", rng.IntN(99), k), types.DefaultFormat)
		if err != nil {
			panic(err)
		}
		return d
	}},
}

func formatsSpec(cols []formatsCol) *Spec {
	s := &Spec{ID: 1, UUID: [16]byte{9}, Table: 2, Version: 1, TimeCol: 9, Writer: "quern", Reason: "flush"}
	for i, c := range cols {
		s.Cols = append(s.Cols, Column{ID: uint32(i + 1), Name: fmt.Sprintf("c%d", i+1), Type: c.typ, Missing: types.NullDatum})
	}
	return s
}

// formatsVectors are the values of a file.
func formatsVectors(cols []formatsCol, rows int) []vec.Vector {
	var out []vec.Vector
	for i, c := range cols {
		rng := rand.New(rand.NewPCG(uint64(i), 5))
		b := vec.NewBuilder(c.typ, rows)
		for k := range rows {
			d := c.draw(rng, k)
			b.Append(&d)
		}
		out = append(out, b.Finish())
	}
	return out
}

// formatsList are rows of a file as a flush gets them.
func formatsList(t testing.TB, cols []formatsCol, rows int) memtable.List {
	var ids []uint32
	for i := range cols {
		ids = append(ids, uint32(i+1))
	}
	body, err := memtable.EncodeRows(nil, 1, ids, []*vec.Batch{{Len: rows, Cols: formatsVectors(cols, rows)}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := memtable.DecodeRows(body)
	if err != nil {
		t.Fatal(err)
	}
	mem := memtable.NewTable()
	mem.Append(r, 1_700_000_000_000_000, 7)
	return mem.List()
}

// TestWriteFormats writes the files that are not there yet; see formatsDir.
func TestWriteFormats(t *testing.T) {
	if os.Getenv("QUERN_WRITE_FORMATS") == "" {
		t.Skip("QUERN_WRITE_FORMATS is not set")
	}
	for _, file := range formatsFiles {
		path := formatsDir + file.name
		if _, err := os.Stat(path); err == nil {
			continue
		}
		spec := formatsSpec(file.cols)
		spec.Cold = file.cold
		if _, err := Build(t.Context(), vfs.OS{}, path+".tmp", path, spec, formatsList(t, file.cols, file.rows), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFormats: the checked-in files open, are whole and hold what they were made of,
// in every encoding.
func TestFormats(t *testing.T) {
	seen := map[encoding.Kind]bool{}
	for _, file := range formatsFiles {
		t.Run(file.name, func(t *testing.T) {
			f, err := Open(vfs.OS{}, formatsDir+file.name, Expect{ID: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := f.Verify(); err != nil {
				t.Fatal(err)
			}
			squeezed := 0
			for i, want := range formatsVectors(file.cols, file.rows) {
				c, err := f.Column(uint32(i + 1))
				if err != nil {
					t.Fatal(err)
				}
				if c.pages[0].codec != 0 {
					squeezed++
				}
				if _, err := f.section(c.id, kindDict); err != nil {
					t.Fatal(err)
				}
				checkFormats(t, c, &file.cols[i], &want)
				seen[file.cols[i].kind] = true
			}
			if (squeezed > 0) != file.cold {
				t.Fatalf("%d compressed pages", squeezed)
			}
		})
	}
	for k := encoding.Plain; k <= encoding.Template; k++ {
		if !seen[k] && k != 11 && k != 12 {
			t.Errorf("the files lack encoding %d", k)
		}
	}
}

func checkFormats(t *testing.T, c *Col, is *formatsCol, want *vec.Vector) {
	t.Helper()
	p, err := c.Page(0)
	if err != nil || p.Kind != is.kind || c.Type() != is.typ {
		t.Fatalf("column %d: encoding %d, want %d (%v)", c.id, p.Kind, is.kind, err)
	}
	col, err := c.decode(0)
	if err != nil {
		t.Fatal(err)
	}
	for k := range want.Len {
		if col.Null(k) != want.Null(k) {
			t.Fatalf("column %d row %d: null %v", c.id, k, col.Null(k))
		}
		if want.Null(k) {
			continue
		}
		if got, want := formatsValue(t, c, col, k), formatsWant(want, k); !bytes.Equal(got, want) {
			t.Fatalf("column %d row %d: % x, want % x", c.id, k, got, want)
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
