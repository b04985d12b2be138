package csv

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"quern/ingest/internal/decode"
	"quern/storage/types"
	"quern/storage/vec"
)

func run(t testing.TB, r io.Reader, opt Options) string {
	t.Helper()
	cols := []decode.Column{{Name: "a", Type: types.Int4}, {Name: "b", Type: types.Text}}
	sink := &decode.Sink{Columns: cols, Format: types.DefaultFormat}
	for _, c := range cols {
		sink.Builders = append(sink.Builders, vec.NewBuilder(c.Type, 4))
	}
	var out, bad strings.Builder
	sink.Reject = func(r decode.Reject) error {
		fmt.Fprintf(&bad, "reject row=%d at=%d kind=%s code=%s %s\n", r.Row, r.Offset, r.Kind, r.Code, r.Message)
		return nil
	}
	d := New(r, opt, sink)
	for {
		n, err := d.Next(2)
		a, b := sink.Builders[0].Finish(), sink.Builders[1].Finish()
		if a.Len != n || b.Len != n {
			t.Fatalf("builders hold %d and %d rows, Next said %d", a.Len, b.Len, n)
		}
		for i := range n {
			x, y := a.Datum(i), b.Datum(i)
			fmt.Fprintf(&out, "%s|%s\n", show(&x, types.Int4), show(&y, types.Text))
		}
		if err == io.EOF {
			return out.String() + bad.String()
		}
		if err != nil {
			return out.String() + bad.String() + "error " + err.Error() + "\n"
		}
	}
}

func show(d *types.Datum, t types.Type) string {
	if d.Null {
		return "NULL"
	}
	return fmt.Sprintf("%q", types.AppendText(nil, t, d, types.DefaultFormat))
}

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		opt            func(*Options)
	}{
		{"plain", "1,x\n2,y\n", "\"1\"|\"x\"\n\"2\"|\"y\"\n", nil},
		{"no last line end", "1,x", "\"1\"|\"x\"\n", nil},
		{"crlf", "1,x\r\n2,y\r\n", "\"1\"|\"x\"\n\"2\"|\"y\"\n", nil},
		{"cr", "1,x\r2,y\r", "\"1\"|\"x\"\n\"2\"|\"y\"\n", nil},
		{"null and empty", ",\n,\"\"\n", "NULL|NULL\nNULL|\"\"\n", nil},
		{"quotes", "1,\"a\"\"b\"\n2,x\"y,z\"w\n3,\"l1\nl2\"\n", "\"1\"|\"a\\\"b\"\n\"2\"|\"xy,zw\"\n\"3\"|\"l1\\nl2\"\n", nil},
		{"wrong counts", "1\n2,y,z\n3,ok\n", "\"3\"|\"ok\"\n" +
			"reject row=0 at=0 kind=row code=22P04 line 1: missing data for column \"b\"\n" +
			"reject row=1 at=2 kind=row code=22P04 line 2: extra data after last expected column\n", nil},
		{"bad value names no value", "x,y\n2,ok\n", "\"2\"|\"ok\"\nreject row=0 at=0 kind=row code=22P02 line 1, column a: the value is not valid for type integer\n", nil},
		{"unclosed quote", "1,a\n2,\"b\n3,c\n", "\"1\"|\"a\"\nreject row=1 at=4 kind=payload code=22P04 unterminated CSV quoted field\n", nil},
		{"header", "a,b\n1,x\n", "\"1\"|\"x\"\n", func(o *Options) { o.Header = "true" }},
		{"header match fails", "a,c\n1,x\n", "error column name mismatch in header line field 2: got \"c\", expected \"b\"\n", func(o *Options) { o.Header = "match" }},
		{"end mark", "1,x\n\\.\n2,y\n", "\"1\"|\"x\"\n", func(o *Options) { o.EndMark = true }},
		{"other signs", "1;'a''b'\n2;\\N\n", "\"1\"|\"a'b\"\n\"2\"|NULL\n", func(o *Options) { o.Delimiter, o.Quote, o.Escape, o.Null = ';', '\'', '\'', `\N` }},
		{"force", ",\"\"\n1,\n", "NULL|NULL\n\"1\"|NULL\n", func(o *Options) { o.ForceNull = []bool{false, true} }},
		{"force not null", "1,\n", "\"1\"|\"\"\n", func(o *Options) { o.ForceNotNull = []bool{false, true} }},
		{"bad utf-8", "1,\xff\n2,ok\n", "\"2\"|\"ok\"\nreject row=0 at=0 kind=row code=22021 line 1, column b: the value is not valid for type text\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			opt := Default
			if c.opt != nil {
				c.opt(&opt)
			}
			if got := run(t, strings.NewReader(c.in), opt); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			if got := run(t, iotest.OneByteReader(strings.NewReader(c.in)), opt); got != c.want {
				t.Errorf("byte by byte: got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// FuzzDecode: no panic, and the same rows however the stream is cut.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("1,x\n2,\"a\"\"b\nc\"\r\n\\.\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := run(t, strings.NewReader(string(b)), Default)
		if cut := run(t, iotest.OneByteReader(strings.NewReader(string(b))), Default); cut != whole {
			t.Fatalf("cut differently:\n%s\nwhole:\n%s", cut, whole)
		}
	})
}
