package pgcopy

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"quern/ingest/internal/decode"
	"quern/storage/errs"
	"quern/storage/types"
	"quern/storage/vec"
)

type decoder interface{ Next(limit int) (int, error) }

func run(t testing.TB, make func(*decode.Sink) decoder) string {
	t.Helper()
	cols := []decode.Column{{Name: "a", Type: types.Int4}, {Name: "b", Type: types.Text}}
	sink := &decode.Sink{Columns: cols, Format: types.DefaultFormat}
	for _, c := range cols {
		sink.Builders = append(sink.Builders, vec.NewBuilder(c.Type, 4))
	}
	var out, bad strings.Builder
	sink.Reject = func(r decode.Reject) error {
		fmt.Fprintf(&bad, "reject row=%d code=%s column=%s\n", r.Row, r.Code, r.Column)
		return nil
	}
	d := make(sink)
	for {
		n, err := d.Next(2)
		a, b := sink.Builders[0].Finish(), sink.Builders[1].Finish()
		if err == nil || err == io.EOF {
			if a.Len != n || b.Len != n {
				t.Fatalf("builders hold %d and %d rows, Next said %d", a.Len, b.Len, n)
			}
		}
		for i := range n {
			x, y := a.Datum(i), b.Datum(i)
			fmt.Fprintf(&out, "%s|%s\n", show(&x, types.Int4), show(&y, types.Text))
		}
		if err == io.EOF {
			return out.String() + bad.String()
		}
		if err != nil {
			return out.String() + bad.String() + "error " + string(errs.CodeOf(err)) + "\n"
		}
	}
}

func show(d *types.Datum, t types.Type) string {
	if d.Null {
		return "NULL"
	}
	return fmt.Sprintf("%q", types.AppendText(nil, t, d, types.DefaultFormat))
}

func TestText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "1\tx\n2\t\\N\n", "\"1\"|\"x\"\n\"2\"|NULL\n"},
		{"escapes", "1\ta\\tb\\nc\\\\d\\x41\\101\\q\n", "\"1\"|\"a\\tb\\nc\\\\dAAq\"\n"},
		{"escaped delimiter and line end", "1\ta\\\tb\n2\tx\\\ny\n", "\"1\"|\"a\\tb\"\n\"2\"|\"x\\ny\"\n"},
		{"empty is not null", "1\t\n", "\"1\"|\"\"\n"},
		{"end mark", "1\tx\n\\.\n2\ty\n", "\"1\"|\"x\"\n"},
		{"counts", "1\n1\tx\ty\n2\tok\n", "\"2\"|\"ok\"\nreject row=0 code=22P04 column=b\nreject row=1 code=22P04 column=\n"},
		{"value", "x\ty\n2\tok\n", "\"2\"|\"ok\"\nreject row=0 code=22P02 column=a\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in))} {
				got := run(t, func(s *decode.Sink) decoder { return NewText(r, TextOptions{Delimiter: '\t', Null: `\N`}, s) })
				if got != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			}
		})
	}
}

const binaryHead = signature + "\x00\x00\x00\x00\x00\x00\x00\x00"

func TestBinary(t *testing.T) {
	row := func(a, b string) string { return "\x00\x02" + a + b }
	one, x := "\x00\x00\x00\x04\x00\x00\x00\x01", "\x00\x00\x00\x01x"
	for _, c := range []struct{ name, in, want string }{
		{"plain", binaryHead + row(one, x) + row("\xff\xff\xff\xff", x) + "\xff\xff", "\"1\"|\"x\"\nNULL|\"x\"\n"},
		{"no trailer", binaryHead + row(one, x), "\"1\"|\"x\"\n"},
		{"bad value rejects its row", binaryHead + row("\x00\x00\x00\x03\x00\x00\x00", x) + row(one, x), "\"1\"|\"x\"\nreject row=0 code=08P01 column=a\n"},
		{"no signature", "hello", "error 22P04\n"},
		{"cut", binaryHead + row(one, "\x00\x00\x00\x05x"), "error 22P04\n"},
		{"huge length", binaryHead + row(one, "\x7f\xff\xff\xffx"), "error 54000\n"},
		{"negative length", binaryHead + row(one, "\xff\xff\xff\xfe"), "error 22P04\n"},
		{"wrong count", binaryHead + "\x00\x01" + one, "error 22P04\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, func(s *decode.Sink) decoder { return NewBinary(strings.NewReader(c.in), s) })
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// FuzzText and FuzzBinary: no panic, and rows do not depend on how the stream
// is cut.
func FuzzText(f *testing.F) {
	f.Add([]byte("1\ta\\\tb\\x4\n\\.\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		same(t, b, func(r io.Reader, s *decode.Sink) decoder {
			return NewText(r, TextOptions{Delimiter: '\t', Null: `\N`}, s)
		})
	})
}

func FuzzBinary(f *testing.F) {
	f.Add([]byte(binaryHead + "\x00\x02\x00\x00\x00\x04\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		same(t, b, func(r io.Reader, s *decode.Sink) decoder { return NewBinary(r, s) })
	})
}

func same(t *testing.T, b []byte, make func(io.Reader, *decode.Sink) decoder) {
	whole := run(t, func(s *decode.Sink) decoder { return make(strings.NewReader(string(b)), s) })
	cut := run(t, func(s *decode.Sink) decoder { return make(iotest.OneByteReader(strings.NewReader(string(b))), s) })
	if cut != whole {
		t.Fatalf("cut differently:\n%s\nwhole:\n%s", cut, whole)
	}
}
