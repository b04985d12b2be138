package arrowipc

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"quern/storage/errs"
	"quern/storage/types"
)

const testBudget = 64 << 20

// readAllRows decodes a body; shown rows are rendered, columns by |.
func readAllRows(body []byte, limit, shown int) (rows int, text string, err error) {
	f, err := Open(body, testBudget)
	if err != nil {
		return 0, "", err
	}
	if err := f.Refused(); err != nil {
		return 0, "", err
	}
	cols := f.Columns()
	var out strings.Builder
	for {
		b, err := f.Next(cols)
		if err == io.EOF {
			return rows, out.String(), nil
		}
		if err != nil {
			return rows, out.String(), err
		}
		for {
			vs, _, n, err := b.Rows(limit)
			if err == io.EOF {
				break
			}
			if err != nil {
				return rows, out.String(), err
			}
			for i := range n {
				if rows+i >= shown {
					break
				}
				for k := range vs {
					if k > 0 {
						out.WriteByte('|')
					}
					if d := vs[k].Datum(i); d.Null {
						out.WriteString("NULL")
					} else {
						out.Write(types.AppendText(nil, vs[k].Type, &d, types.DefaultFormat))
					}
				}
				out.WriteByte('\n')
			}
			rows += n
		}
	}
}

func shared(t testing.TB, pattern string) []string {
	files, _ := filepath.Glob(filepath.Join("../../../../shared/badfiles", pattern))
	if len(files) == 0 {
		t.Skipf("skipped: shared/badfiles/%s is not there", pattern)
	}
	return files
}

// TestBadFiles: rows or a clean error for every malformed stream and file, and for
// the mutants that end the arrow library.
func TestBadFiles(t *testing.T) {
	n := 0
	for _, dir := range []string{"ipc-stream/*", "ipc-file/*", "ipc-mutants/*"} {
		for _, name := range shared(t, dir) {
			body, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			n++
			_, _, err = readAllRows(body, 8192, 0)
			switch c := errs.CodeOf(err); c {
			case errs.Success, errs.BadCopyFormat, errs.FeatureNotSupported, errs.ProgramLimit:
			default:
				t.Errorf("%s: %s %v", filepath.Base(name), c, err)
			}
		}
	}
	t.Logf("%d files", n)
}

// TestValidFiles: rows or 0A000 for every valid file; stream and file forms of the
// same data are equal, however the rows are cut.
func TestValidFiles(t *testing.T) {
	withRows, refused := 0, 0
	for _, name := range shared(t, "valid/ipc/*.stream") {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, text, err := readAllRows(body, 8192, 1000)
		if errs.CodeOf(err) == errs.FeatureNotSupported {
			refused++
			t.Logf("%s: %v", filepath.Base(name), err)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(name), err)
			continue
		}
		withRows++
		file, err := os.ReadFile(strings.TrimSuffix(name, ".stream") + ".arrow_file")
		if err != nil {
			continue
		}
		if n, again, err := readAllRows(file, 3, 1000); err != nil || n != rows || again != text {
			t.Errorf("%s: the file has %d rows, the stream %d: %v", filepath.Base(name), n, rows, err)
		}
	}
	t.Logf("%d read, %d refused by name", withRows, refused)
	if withRows < 8 {
		t.Errorf("only %d were read", withRows)
	}
}

// TestAgainstWriter reads what the arrow library writes.
func TestAgainstWriter(t *testing.T) {
	mem := memory.NewGoAllocator()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "i8", Type: arrow.PrimitiveTypes.Int8, Nullable: true}, {Name: "u32", Type: arrow.PrimitiveTypes.Uint32},
		{Name: "i64", Type: arrow.PrimitiveTypes.Int64}, {Name: "u64", Type: arrow.PrimitiveTypes.Uint64},
		{Name: "f4", Type: arrow.PrimitiveTypes.Float32}, {Name: "f8", Type: arrow.PrimitiveTypes.Float64},
		{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "ls", Type: arrow.BinaryTypes.LargeString}, {Name: "bin", Type: arrow.BinaryTypes.Binary},
		{Name: "d", Type: arrow.FixedWidthTypes.Date32}, {Name: "tz", Type: arrow.FixedWidthTypes.Timestamp_ms},
		{Name: "ts", Type: &arrow.TimestampType{Unit: arrow.Nanosecond}}, {Name: "tm", Type: arrow.FixedWidthTypes.Time64us},
		{Name: "dec", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}},
		{Name: "dict", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int16, ValueType: arrow.BinaryTypes.String}, Nullable: true},
	}, nil)
	rows := `[{"i8":-7,"u32":4000000000,"i64":-9000000000000000000,"u64":18000000000000000000,"f4":1.5,"f8":-0.25,"b":true,"s":"grün","ls":"long","bin":"AAH/","d":"2024-02-29","tz":"2024-02-29T12:00:00.123Z","ts":"2024-02-29T12:00:00.000001999","tm":"23:59:59.000001","dec":"-12.30","dict":"x"},
		{"i8":null,"u32":1,"i64":2,"u64":3,"f4":4,"f8":5,"b":null,"s":null,"ls":"","bin":"","d":"1969-12-31","tz":"1969-12-31T23:59:59.999Z","ts":"1969-12-31T23:59:59.999999","tm":"00:00:00","dec":"0.00","dict":null},
		{"i8":1,"u32":1,"i64":2,"u64":3,"f4":4,"f8":5,"b":false,"s":"a text that is longer than twelve bytes","ls":"","bin":"","d":"1970-01-01","tz":"1970-01-01T00:00:00Z","ts":"1970-01-01T00:00:00","tm":"00:00:00","dec":"99.99","dict":"y"}]`
	rec, _, err := array.RecordFromJSON(mem, schema, strings.NewReader(rows))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	want := `-7|4000000000|-9000000000000000000|18000000000000000000|1.5|-0.25|t|grün|long|\x0001ff|2024-02-29|2024-02-29 12:00:00.123+00|2024-02-29 12:00:00.000001|23:59:59.000001|-12.30|x
NULL|1|2|3|4|5|NULL|NULL||\x|1969-12-31|1969-12-31 23:59:59.999+00|1969-12-31 23:59:59.999999|00:00:00|0.00|NULL
1|1|2|3|4|5|f|a text that is longer than twelve bytes||\x|1970-01-01|1970-01-01 00:00:00+00|1970-01-01 00:00:00|00:00:00|99.99|y
`
	for name, opt := range map[string][]ipc.Option{"plain": nil, "zstd": {ipc.WithZstd()}, "lz4": {ipc.WithLZ4()}} {
		var buf bytes.Buffer
		w := ipc.NewWriter(&buf, append(opt, ipc.WithSchema(schema))...)
		for range 2 {
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		n, text, err := readAllRows(buf.Bytes(), 2, 3)
		if err != nil || n != 6 || text != want {
			t.Errorf("%s: %d rows, %v\n%s\nwant\n%s", name, n, err, text, want)
		}
		if opt == nil {
			mutate(t, buf.Bytes())
		}
	}
}

// TestMoreRowsThanBytes: NULL columns take no bytes, but may not be endless.
func TestMoreRowsThanBytes(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.Null}, {Name: "b", Type: arrow.PrimitiveTypes.Int8, Nullable: true}}, nil)
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(schema), ipc.WithZstd())
	for range 3 {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
		b.Field(0).AppendNulls(2 << 20)
		b.Field(1).AppendNulls(2 << 20)
		rec := b.NewRecord()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		b.Release()
	}
	if rows, _, err := readAllRows(buf.Bytes(), 8192, 0); errs.CodeOf(err) != errs.ProgramLimit || rows == 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
}

// mutate changes every byte of the metadata, and cuts at every length: rows or a
// clean error, nothing else.
func mutate(t *testing.T, body []byte) {
	t.Helper()
	for i := 0; i < len(body); i += 3 {
		b := bytes.Clone(body)
		for _, x := range []byte{0, 0xff, b[i] ^ 0x81} {
			b[i] = x
			if _, _, err := readAllRows(b, 8192, 10); errs.CodeOf(err) == errs.Internal && err != nil {
				t.Fatalf("byte %d set to %d: %v", i, x, err)
			}
		}
	}
	for i := 0; i < len(body); i += 5 {
		if _, _, err := readAllRows(body[:i], 8192, 10); errs.CodeOf(err) == errs.Internal && err != nil {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
}

// FuzzOpen: any bytes give rows or a clean error, in bounded memory.
func FuzzOpen(f *testing.F) {
	for _, dir := range []string{"ipc-stream/*", "ipc-mutants/*", "valid/ipc/*"} {
		files, _ := filepath.Glob(filepath.Join("../../../../shared/badfiles", dir))
		for _, name := range files {
			if b, err := os.ReadFile(name); err == nil && len(b) < 16<<10 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := readAllRows(b, 8192, 0); errs.CodeOf(err) == errs.Internal && err != nil {
			t.Fatal(err)
		}
	})
}
