package ndjson

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"quern/ingest/internal/decode"
	"quern/storage/types"
	"quern/storage/vec"
)

var testColumns = []decode.Column{
	{Name: "id", Type: types.Int8}, {Name: "name", Type: types.Text},
	{Name: "at", Type: types.Timestamptz}, {Name: "tags", Type: types.JSONB}, {Name: "ok", Type: types.Bool},
}

// run decodes body and renders rows and rejects as lines.
func run(t testing.TB, body string, array bool) string {
	t.Helper()
	var out strings.Builder
	sink := &decode.Sink{Columns: testColumns, Format: types.DefaultFormat}
	for _, c := range testColumns {
		sink.Builders = append(sink.Builders, vec.NewBuilder(c.Type, 4))
	}
	var rejects []string
	sink.Reject = func(r decode.Reject) error {
		rejects = append(rejects, fmt.Sprintf("reject row=%d at=%d kind=%s code=%s column=%s", r.Row, r.Offset, r.Kind, r.Code, r.Column))
		return nil
	}
	d := New([]byte(body), array, sink)
	for {
		n, err := d.Next(3)
		cols := make([]vec.Vector, len(sink.Builders))
		for i, b := range sink.Builders {
			cols[i] = b.Finish()
			if cols[i].Len != n {
				t.Fatalf("column %d has %d rows, Next said %d", i, cols[i].Len, n)
			}
		}
		for r := range n {
			for i := range cols {
				if i > 0 {
					out.WriteByte('|')
				}
				v := cols[i].Datum(r)
				if v.Null {
					out.WriteString("NULL")
				} else {
					out.Write(types.AppendText(nil, cols[i].Type, &v, types.DefaultFormat))
				}
			}
			out.WriteByte('\n')
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range rejects {
		out.WriteString(r + "\n")
	}
	return out.String()
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, body string
		array      bool
		want       string
	}{
		{"plain", `{"id":1,"name":"ann","at":"2024-01-02T03:04:05Z","tags":["a"],"ok":true}` + "\n", false,
			"1|ann|2024-01-02 03:04:05+00|[\"a\"]|t\n"},
		{"missing and null", "{}\n{\"id\":null}\r\n\n", false, "NULL|NULL|NULL|NULL|NULL\nNULL|NULL|NULL|NULL|NULL\n"},
		{"any case of key", `{"ID":7,"Name":"x"}`, false, "7|x|NULL|NULL|NULL\n"},
		{"last duplicate wins", `{"id":1,"id":2}`, false, "2|NULL|NULL|NULL|NULL\n"},
		{"escapes", `{"name":"a\n\u00e9\ud83d\ude00\""}`, false, "NULL|a\né😀\"|NULL|NULL|NULL\n"},
		{"string into int", `{"id":"12"}`, false, "12|NULL|NULL|NULL|NULL\n"},
		{"number into text", `{"name":1.50}`, false, "NULL|1.50|NULL|NULL|NULL\n"},
		{"neighbours of a bad row stand", "{\"id\":1}\n{\"id\":\"x\"}\n{\"id\":3}\n", false,
			"1|NULL|NULL|NULL|NULL\n3|NULL|NULL|NULL|NULL\nreject row=1 at=9 kind=row code=22P02 column=id\n"},
		{"late bad column takes the row back", "{\"name\":\"keep\"}\n{\"id\":5,\"ok\":12}\n", false,
			"NULL|keep|NULL|NULL|NULL\nreject row=1 at=16 kind=row code=22P02 column=ok\n"},
		{"number is no time", `{"at":5}`, false, "reject row=0 at=0 kind=row code=22P02 column=at\n"},
		{"out of range", `{"id":9223372036854775808}`, false, "reject row=0 at=0 kind=row code=22003 column=id\n"},
		{"unknown column", `{"x":1}`, false, "reject row=0 at=0 kind=row code=unknown_column column=x\n"},
		{"bad syntax rejects the line only", "{\"id\":1\n{\"id\":2}\n{\"id\":01}\n{\"id\":+1}\n{\"id\":1.}\n[1]\n{} x\n", false,
			"2|NULL|NULL|NULL|NULL\n" + rejects("0:0 2:17 3:27 4:37 5:47 6:51")},
		{"bad utf-8", "{\"name\":\"\xff\"}\n{\"name\":\"\t\"}\n{\"name\":\"\\u0000\"}\n", false, rejects("0:0 1:13 2:26")},
		{"array", ` [ {"id":1} , {"id":2} ] `, true, "1|NULL|NULL|NULL|NULL\n2|NULL|NULL|NULL|NULL\n"},
		{"empty array", `[]`, true, ""},
		{"one object as array", `{"id":1}`, true, "1|NULL|NULL|NULL|NULL\n"},
		{"array breaks", `[{"id":1},{"id":2]`, true,
			"1|NULL|NULL|NULL|NULL\nreject row=1 at=9 kind=payload code=22P02 column=\n"},
		{"array element of another kind", `[{"id":1},3,{"id":2}]`, true,
			"1|NULL|NULL|NULL|NULL\n2|NULL|NULL|NULL|NULL\nreject row=1 at=10 kind=row code=22P02 column=\n"},
		{"containers", "{ \"tags\" : { \"bb\" : [ 1 , 2.50 ] , \"a\" : {} } , \"id\" : 1 }\n{\"tags\":[],\"tags\":{\"z\":1,\"y\":\"é\"},\"ok\":true}\n", false,
			"1|NULL|NULL|{\"a\": {}, \"bb\": [1, 2.50]}|NULL\nNULL|NULL|NULL|{\"y\": \"é\", \"z\": 1}|t\n"},
		{"containers that are not plain", "{\"tags\":{\"a\":1,\"a\":2,\"b\":\"\\u0041\"},\"id\":1}\n{\"tags\":[1e2,-0]}\n", false,
			"1|NULL|NULL|{\"a\": 2, \"b\": \"A\"}|NULL\nNULL|NULL|NULL|[100, 0]|NULL\n"},
		{"bad containers", "{\"tags\":{\"a\":1,},\"id\":1}\n{\"tags\":[1 2]}\n{\"tags\":[\"\xff\"]}\n{\"tags\":[\"\t\"]}\n{\"tags\":{\"a\":1}\n{\"tags\":[1]]}\n{\"tags\":[01]}\n{\"id\":7}\n", false,
			"7|NULL|NULL|NULL|NULL\n" + rejects("0:0 1:25 2:40 3:55 4:70 5:86 6:100")},
		{"too deep", `{"tags":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, false, rejects("0:0")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := run(t, c.body, c.array); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// rejects spells "row:offset …" as reject lines of kind row without column.
func rejects(s string) string {
	var out strings.Builder
	for _, f := range strings.Fields(s) {
		row, at, _ := strings.Cut(f, ":")
		out.WriteString("reject row=" + row + " at=" + at + " kind=row code=22P02 column=\n")
	}
	return out.String()
}

func TestInfer(t *testing.T) {
	body := `{"i":1,"big":9007199254740993,"f":1.5,"t":"2024-01-02T03:04:05.5+02:00","s":"2024-01-02","b":true,"o":{"a":1},"n":null}
{"i":2.5,"big":1.5,"f":2,"t":"2024-01-02T03:04:05Z","s":"x","b":null,"o":[1],"n":null,"late":99999999999999999999}
not json
{"m":1}
{"m":"a"}`
	got := ""
	for _, c := range Infer([]byte(body), false).Columns() {
		got += c.Name + " " + c.Type.String() + "\n"
	}
	want := `i double precision
big numeric
f double precision
t timestamp with time zone
s text
b boolean
o jsonb
late numeric
m text
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// FuzzScan compares the scanner's verdict with encoding/json's and checks that
// decoding never panics. Stricter on purpose: NUL, lone surrogates, bad UTF-8
// and deep nesting are refused here.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`{"id":1}`, `{"a":[1,2,{"b":null}],"c":"\u00e9\n"}`, `{"x":-0.5e+10}`, `[]`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := scanner{b: b}
		s.space()
		ok := s.value(0)
		s.space()
		ok = ok && s.pos == len(b)
		if ok && !json.Valid(b) {
			t.Fatalf("accepted invalid JSON %q", b)
		}
		if !ok && json.Valid(b) && s.pos >= 0 {
			switch s.msg {
			case "nesting is too deep", "invalid escape sequence in string", "invalid byte sequence for encoding UTF8":
			default:
				t.Fatalf("refused valid JSON %q: %s", b, s.msg)
			}
		}
		run(t, string(b), false)
		run(t, string(b), true)
		Infer(b, true)
	})
}

func BenchmarkDecode(b *testing.B) {
	line := `{"id":123456789,"name":"some user name","at":"2024-01-02T03:04:05.123Z","tags":["a","b"],"ok":true}` + "\n"
	body := []byte(strings.Repeat(line, 1000))
	sink := &decode.Sink{Columns: testColumns, Format: types.DefaultFormat, Reject: func(decode.Reject) error { return nil }}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		sink.Builders = sink.Builders[:0]
		for _, c := range testColumns {
			sink.Builders = append(sink.Builders, vec.NewBuilder(c.Type, 1024))
		}
		if n, err := New(body, false, sink).Next(2000); n != 1000 || err != io.EOF {
			b.Fatal(n, err)
		}
	}
}
