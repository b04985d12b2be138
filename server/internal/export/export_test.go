package export

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"quern/sql"
	"quern/storage/types"
	"quern/storage/vec"
)

var fields = []sql.Field{{Name: "id", Type: types.Int8}, {Name: `a "b"`, Type: types.Text},
	{Name: "ok", Type: types.Bool}, {Name: "j", Type: types.JSONB}, {Name: "f", Type: types.Float8}}

func batch() *vec.Batch {
	rows := [][]types.Datum{
		{{I: 1 << 60}, {S: "x,\"y\"\n\x01é"}, {I: 1}, {S: `{"k": [1, null]}`}, {F: 0.5}},
		{{Null: true}, {S: ""}, {Null: true}, {Null: true}, {Null: true}},
		{{I: 9}, {S: "dead"}, {I: 0}, {S: "1"}, {F: 1}},
	}
	b := &vec.Batch{Len: len(rows), Sel: vec.Selection{0, 1}}
	for c, f := range fields {
		vb := vec.NewBuilder(f.Type, len(rows))
		for r := range rows {
			vb.Append(&rows[r][c])
		}
		b.Cols = append(b.Cols, vb.Finish())
	}
	return b
}

// write runs n statements with the test batch through a format.
func write(t *testing.T, format string, n int, fail error) string {
	t.Helper()
	var sb strings.Builder
	w, err := NewWriter(format, &sb)
	if err != nil {
		t.Fatal(err)
	}
	w.Start(n)
	for i := range n {
		if err := w.Begin(fields, types.DefaultFormat); err != nil {
			t.Fatal(err)
		}
		if err := w.Rows(batch()); err != nil {
			t.Fatal(err)
		}
		if fail != nil && i == n-1 {
			break
		}
		if err := w.End("SELECT 2"); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(fail); err != nil {
		t.Fatal(err)
	}
	return sb.String()
}

func TestFormats(t *testing.T) {
	for format, want := range map[string]string{
		"json": `{"columns":["id","a \"b\"","ok","j","f"],"types":["bigint","text","boolean","jsonb","double precision"],"rows":[` +
			`[1152921504606846976,"x,\"y\"\n\u0001é",true,{"k": [1, null]},0.5],` + "\n" + `[null,"",null,null,null]],"tag":"SELECT 2"}` + "\n",
		"ndjson": `{"id":1152921504606846976,"a \"b\"":"x,\"y\"\n\u0001é","ok":true,"j":{"k": [1, null]},"f":0.5}` + "\n" +
			`{"id":null,"a \"b\"":"","ok":null,"j":null,"f":null}` + "\n",
		"csv": "id,\"a \"\"b\"\"\",ok,j,f\n1152921504606846976,\"x,\"\"y\"\"\n\x01é\",t,\"{\"\"k\"\": [1, null]}\",0.5\n,\"\",,,\n",
		"table": "         id          |   a \"b\"   | ok |        j         |  f\n" +
			"---------------------+-----------+----+------------------+-----\n" +
			" 1152921504606846976 | x,\"y\"\\n\x01é | t  | {\"k\": [1, null]} | 0.5\n" +
			"                     |           |    |                  |\n(2 rows)\n\n",
	} {
		if got := write(t, format, 1, nil); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", format, got, want)
		}
	}
}

func TestJSONIsJSON(t *testing.T) {
	for _, n := range []int{0, 1, 3} {
		for _, fail := range []error{nil, errors.New("broken \"x\"")} {
			got := write(t, "json", n, fail)
			var v map[string]any
			if err := json.Unmarshal([]byte(got), &v); err != nil {
				t.Errorf("%d statements, %v: %v\n%s", n, fail, err, got)
			}
			if fail != nil && !strings.Contains(got, `"error":{"code":"XX000","message":"broken \"x\""}`) {
				t.Errorf("no error in %s", got)
			}
		}
	}
}

func TestUnknownFormat(t *testing.T) {
	for _, f := range []string{"orc", "xml"} {
		if _, err := NewWriter(f, nil); err == nil {
			t.Errorf("%s was accepted", f)
		}
	}
}
