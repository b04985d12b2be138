package parquet

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

// testBudget is what one file may take here.
const testBudget = 256 << 20

// readAll reads every flat column of body with its natural type; it returns
// the number of rows and a rendering of the first rows.
func readAll(body []byte, show int) (rows int64, text string, err error) {
	f, err := Open(body, &Budget{Left: testBudget})
	if err != nil {
		return 0, "", err
	}
	if n := f.Nested(); n != "" {
		return 0, "", errs.NotSupported("nested column " + n)
	}
	cols := f.Columns()
	var out strings.Builder
	for g := range f.Groups() {
		vs, _, err := readRows(f, g, cols, 8192)
		if err != nil {
			return 0, "", err
		}
		for r := 0; r < int(f.GroupRows(g)) && int(rows)+r < show; r++ {
			out.WriteString(renderRow(vs, r))
		}
		rows += f.GroupRows(g)
	}
	return rows, out.String(), nil
}

func renderRow(vs []vec.Vector, r int) string {
	var parts []string
	for i := range vs {
		d := vs[i].Datum(r)
		if d.Null {
			parts = append(parts, "NULL")
		} else {
			parts = append(parts, string(types.AppendText(nil, vs[i].Type, &d, types.DefaultFormat)))
		}
	}
	return strings.Join(parts, "|") + "\n"
}

func TestFlights(t *testing.T) {
	body, err := os.ReadFile("../../../testdata/demo/flights.parquet")
	if err != nil {
		t.Fatal(err)
	}
	rows, text, err := readAll(body, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := "2001-01-01 00:01:00|33|2176|LAS|PHL\n2001-01-01 00:04:00|104|130|ORD|PIA\n2001-01-01 00:12:00|112|279|PIT|SYR\n"
	if rows != 200_000 || text != want {
		t.Errorf("%d rows, first\n%s\nwant\n%s", rows, text, want)
	}
}

// readRows reads a row group in batches of limit rows.
func readRows(f *File, g int, cols []decode.Column, limit int) (out []vec.Vector, bad []Bad, err error) {
	r, err := f.Rows(g, cols)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	var bs []*vec.Builder
	for _, c := range cols {
		bs = append(bs, vec.NewBuilder(c.Type, 0))
	}
	for {
		vs, b, rows, err := r.Next(limit)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		for i := range b {
			b[i].Row += bs[0].Len()
		}
		bad = append(bad, b...)
		for i := range vs {
			if vs[i].Len != rows {
				return nil, nil, fmt.Errorf("column %d has %d of %d rows", i, vs[i].Len, rows)
			}
			bs[i].AppendVector(&vs[i], nil)
		}
	}
	for _, b := range bs {
		out = append(out, b.Finish())
	}
	return out, bad, nil
}

// TestBatchesOfAnySize: where batches end changes nothing.
func TestBatchesOfAnySize(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(shared(t, "badfiles/valid/parquet"), "*"))
	read := 0
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil || len(body) > 300<<10 {
			continue
		}
		var want string
		for i, limit := range []int{8192, 1000, 7} {
			f, err := Open(body, &Budget{Left: testBudget})
			if err != nil {
				break
			}
			var got strings.Builder
			for g := range f.Groups() {
				vs, bad, err := readRows(f, g, f.Columns(), limit)
				fmt.Fprint(&got, bad, err, "\n")
				for _, v := range vs {
					for row := range min(v.Len, 3000) {
						d := v.Datum(row)
						fmt.Fprintf(&got, "%v|", d)
					}
				}
			}
			if i == 0 {
				want = got.String()
				read++
			} else if got.String() != want {
				t.Errorf("%s: batches of %d rows differ", filepath.Base(name), limit)
			}
			if f.budget.Left > testBudget {
				t.Errorf("%s: the budget grew", filepath.Base(name))
			}
		}
	}
	if read < 25 {
		t.Errorf("only %d files were read", read)
	}
}

// TestMoreRowsThanBytes: a row group that claims more rows than runs of equal
// values may stand for is refused before it is read.
func TestMoreRowsThanBytes(t *testing.T) {
	body, err := os.ReadFile("../../../testdata/demo/flights.parquet")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(body, &Budget{Left: testBudget})
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.groups[0].chunks {
		f.groups[0].chunks[i].numValues = 1 << 40
	}
	f.groups[0].rows = 1 << 40
	if _, err := f.Rows(0, f.Columns()); errs.CodeOf(err) != errs.ProgramLimit {
		t.Error(err)
	}
}

// shared finds the test data beside the project.
func shared(t *testing.T, path string) string {
	dir := filepath.Join("../../../../shared", path)
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("skipped: %s is not there", path)
	}
	return dir
}

// TestBadFiles: rows or a clean error for every malformed file.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "badfiles/parquet"), "*"))
	if err != nil || len(files) < 100 {
		t.Fatal(len(files), err)
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = readAll(body, 0)
		switch c := errs.CodeOf(err); c {
		case errs.Success, errs.BadCopyFormat, errs.FeatureNotSupported, errs.ProgramLimit:
		default:
			t.Errorf("%s: %s %v", filepath.Base(name), c, err)
		}
	}
}

// TestValidFiles: rows or 0A000 for every valid file, except those that are
// damaged on purpose or larger than the budget.
func TestValidFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared(t, "badfiles/valid/parquet"), "*"))
	if err != nil || len(files) < 50 {
		t.Fatal(len(files), err)
	}
	exempt := map[string]bool{"nation.dict-malformed.parquet": true, "large_string_map.brotli.parquet": true}
	withRows, refused := 0, 0
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, _, err := readAll(body, 0)
		switch c := errs.CodeOf(err); {
		case err == nil:
			withRows++
			_ = rows
		case c == errs.FeatureNotSupported:
			refused++
			t.Logf("%s: %v", filepath.Base(name), err)
		case !exempt[filepath.Base(name)] && !strings.Contains(name, "corrupt"):
			t.Errorf("%s: %s %v", filepath.Base(name), c, err)
		}
	}
	t.Logf("%d files give rows, %d are refused by name", withRows, refused)
	if withRows < 25 {
		t.Errorf("only %d files give rows", withRows)
	}
}

// TestDump writes what a folder of files decodes to, for comparison with
// another reader: QUERN_PARQUET_DUMP=out.txt.
func TestDump(t *testing.T) {
	out := os.Getenv("QUERN_PARQUET_DUMP")
	if out == "" {
		t.Skip("skipped: QUERN_PARQUET_DUMP is not set")
	}
	files, _ := filepath.Glob(filepath.Join(shared(t, "badfiles/valid/parquet"), "*"))
	var b strings.Builder
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if rows, text, err := readAll(body, 50); err == nil {
			fmt.Fprintf(&b, "== %s %d\n%s", filepath.Base(name), rows, text)
		}
	}
	if err := os.WriteFile(out, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestRowsThatDoNotFit: a value outside the target type spoils its row only.
func TestRowsThatDoNotFit(t *testing.T) {
	body, err := os.ReadFile("../../../testdata/demo/flights.parquet")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(body, &Budget{Left: testBudget})
	if err != nil {
		t.Fatal(err)
	}
	vs, bad, err := readRows(f, 0, []decode.Column{{Name: "distance", Type: types.Int2}, {Name: "origin", Type: types.Int4}}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(bad) != vs[1].Len || bad[0].Column != "origin" || bad[0].Code != errs.InvalidText {
		t.Errorf("%d bad of %d rows, first %+v", len(bad), vs[1].Len, bad[0])
	}
}

// FuzzOpen: any bytes give rows or a clean error, in bounded memory.
func FuzzOpen(f *testing.F) {
	for _, dir := range []string{"badfiles/parquet", "badfiles/valid/parquet"} {
		files, _ := filepath.Glob(filepath.Join("../../../../shared", dir, "*"))
		for _, name := range files {
			if b, err := os.ReadFile(name); err == nil && len(b) < 16<<10 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, err := readAll(b, 0); errs.CodeOf(err) == errs.Internal {
			t.Fatal(err)
		}
	})
}

func BenchmarkReadGroup(b *testing.B) {
	body, err := os.ReadFile("../../../testdata/demo/flights.parquet")
	if err != nil {
		b.Fatal(err)
	}
	rows := 0
	for b.Loop() {
		f, err := Open(body, &Budget{Left: testBudget})
		if err != nil {
			b.Fatal(err)
		}
		for g := range f.Groups() {
			vs, _, err := readRows(f, g, f.Columns(), 8192)
			if err != nil {
				b.Fatal(err)
			}
			rows += vs[0].Len
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
}

// TestCut: the pieces together hold the same rows as the file.
func TestCut(t *testing.T) {
	names := []string{"../../../testdata/demo/flights.parquet"}
	more, _ := filepath.Glob("../../../../shared/badfiles/valid/parquet/*")
	cut := 0
	for _, name := range append(names, more...) {
		body, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rows, text, err := readAll(body, 1<<30)
		if err != nil || rows == 0 {
			continue
		}
		c, err := NewCutter(bytes.NewReader(body), int64(len(body)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		gotRows, got := int64(0), ""
		for g := range c.Groups() {
			if c.Rows(g) == 0 {
				continue
			}
			piece, err := c.Piece(g)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			n, s, err := readAll(piece, 1<<30)
			if err != nil || n != c.Rows(g) {
				t.Fatalf("%s group %d: %d rows of %d, %v", name, g, n, c.Rows(g), err)
			}
			gotRows += n
			got += s
		}
		if gotRows != rows || got != text {
			t.Errorf("%s: %d rows in pieces, %d in the file", filepath.Base(name), gotRows, rows)
		}
		cut++
	}
	t.Logf("%d files cut", cut)
}
