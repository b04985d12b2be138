package export

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/apache/arrow/go/v17/parquet/file"
	"github.com/apache/arrow/go/v17/parquet/pqarrow"

	"quern/sql"
	"quern/storage/types"
	"quern/storage/vec"
)

// everyType is a batch with a value and a NULL of every type that has an Arrow
// form of its own, and a dead row whose text must not travel along.
func everyType(t *testing.T) ([]sql.Field, *vec.Batch) {
	t.Helper()
	cols := []struct {
		typ  types.Type
		text string
	}{
		{types.Bool, "t"}, {types.Int2, "-3"}, {types.Int4, "4"}, {types.Int8, "5"}, {types.Float4, "1.5"}, {types.Float8, "2.5"},
		{types.Text, "visible text of some length"}, {types.Bytea, `\x00ff`}, {types.Date, "2024-02-29"},
		{types.Timestamp, "2024-01-02 03:04:05"}, {types.Timestamptz, "2024-01-02 03:04:05+00"}, {types.Time, "01:02:03"},
		{types.Type{OID: types.NumericOID, Mod: 10<<16 | 2 + 4}, "12.34"}, {types.Numeric, "1.250"},
		{types.UUID, "00112233-4455-6677-8899-aabbccddeeff"}, {types.Interval, "1 day"}, {types.JSONB, `{"a": 1}`},
	}
	b := &vec.Batch{Len: 3, Sel: vec.Selection{0, 1}}
	var fields []sql.Field
	for i, c := range cols {
		vb := vec.NewBuilder(c.typ, 3)
		d, err := types.ParseText(c.typ, c.text, types.DefaultFormat)
		if err != nil {
			t.Fatal(c.typ, err)
		}
		vb.Append(&d)
		vb.Null()
		if d.S = "secret that nobody may see"; c.typ.Phys() != types.PhysBytes {
			d.S = ""
		}
		vb.Append(&d)
		b.Cols = append(b.Cols, vb.Finish())
		fields = append(fields, sql.Field{Name: string(rune('a' + i)), Type: c.typ})
	}
	return fields, b
}

func arrowBytes(t *testing.T, format string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(format, &out)
	if err != nil {
		t.Fatal(err)
	}
	fields, b := everyType(t)
	w.Start(1)
	if err := w.Begin(fields, types.DefaultFormat); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.Rows(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End("SELECT 4"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(nil); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "secret") {
		t.Error("a dead row's bytes are in the output")
	}
	return out.Bytes()
}

const wantArrow = "true|-3|4|5|1.5|2.5|visible text of some length|AP8=|2024-02-29|2024-01-02 03:04:05Z|2024-01-02 03:04:05Z|01:02:03.000000|12.34|1.250|" +
	`00112233-4455-6677-8899-aabbccddeeff|1 day|{"a": 1}`

func checkRecord(t *testing.T, rec arrow.Record) {
	t.Helper()
	var got []string
	for _, c := range rec.Columns() {
		got = append(got, c.ValueStr(0))
		if !c.IsNull(1) {
			t.Errorf("%s: row 1 is not NULL", c.DataType())
		}
	}
	// ValueStr prints both kinds alike; the types tell them apart.
	if a, b := rec.Schema().Field(9).Type.String(), rec.Schema().Field(10).Type.String(); a != "timestamp[us]" || b != "timestamp[us, tz=UTC]" {
		t.Errorf("timestamps are %s and %s", a, b)
	}
	if line := strings.Join(got, "|"); line != wantArrow {
		t.Errorf("got\n%s\nwant\n%s", line, wantArrow)
	}
}

func TestArrowStream(t *testing.T) {
	r, err := ipc.NewReader(bytes.NewReader(arrowBytes(t, "arrow")))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	rows := int64(0)
	for r.Next() {
		checkRecord(t, r.Record())
		rows += r.Record().NumRows()
	}
	if r.Err() != nil || rows != 4 {
		t.Errorf("%d rows, %v", rows, r.Err())
	}
}

func TestParquetFile(t *testing.T) {
	f, err := file.NewParquetReader(bytes.NewReader(arrowBytes(t, "parquet")))
	if err != nil {
		t.Fatal(err)
	}
	pr, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	table, err := pr.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	if table.NumRows() != 4 {
		t.Errorf("%d rows", table.NumRows())
	}
	records := array.NewTableReader(table, 2)
	defer records.Release()
	records.Next()
	checkRecord(t, records.Record())
}

func TestArrowTakesOneResult(t *testing.T) {
	w, err := NewWriter("arrow", &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	fields, _ := everyType(t)
	if err := w.Begin(fields, types.DefaultFormat); err != nil {
		t.Fatal(err)
	}
	if err := w.Begin(fields, types.DefaultFormat); err == nil {
		t.Error("a second result was accepted")
	}
}
