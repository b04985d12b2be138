package types

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"testing"

	"quern/storage/errs"
)

// TestOracle compares the text codecs with what PostgreSQL 15 answered to the
// same inputs (testdata/text.tsv: type, input, output or error).
func TestOracle(t *testing.T) {
	f, err := os.Open("testdata/text.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for sc := bufio.NewScanner(f); sc.Scan(); n++ {
		part := strings.SplitN(sc.Text(), "\t", 3)
		if len(part) != 3 {
			t.Fatalf("line %d: %q", n+1, sc.Text())
		}
		typ, ok := ByName(part[0])
		if !ok {
			t.Fatalf("no type %q", part[0])
		}
		got := ""
		d, err := ParseText(typ, part[1], nil)
		if err != nil {
			e := errs.As(err)
			got = "ERR " + string(e.Code) + " " + e.Msg
			if e.Detail != "" {
				got += " | " + e.Detail
			}
		} else {
			got = string(AppendText(nil, typ, &d, nil))
		}
		if got != part[2] {
			t.Errorf("%s %q: %s, want %s", part[0], part[1], got, part[2])
		}
		if err == nil {
			roundTrip(t, typ, d)
		}
	}
	if n < 400 {
		t.Fatalf("only %d cases", n)
	}
}

// roundTrip checks that text and binary forms read back to the same text.
func roundTrip(t *testing.T, typ Type, d Datum) {
	t.Helper()
	text := AppendText(nil, typ, &d, nil)
	r, err := ParseText(typ, string(text), nil)
	if err != nil {
		t.Errorf("%s: %q does not read back: %v", typ, text, err)
		return
	}
	if again := AppendText(nil, typ, &r, nil); !bytes.Equal(again, text) {
		t.Errorf("%s: %q reads back as %q", typ, text, again)
	}
	bin, err := AppendBinary(nil, typ, &d)
	if err != nil {
		t.Errorf("%s %q: %v", typ, text, err)
		return
	}
	b, err := ParseBinary(typ, bin)
	if err != nil {
		t.Errorf("%s %q: binary %x: %v", typ, text, bin, err)
		return
	}
	if again := AppendText(nil, typ, &b, nil); !bytes.Equal(again, text) {
		t.Errorf("%s: %q in binary (%x) reads back as %q", typ, text, bin, again)
	}
}

var fuzzTypes = []Type{Bool, Int2, Int4, Int8, Float4, Float8, Numeric, NumericType(10, 3), Text, {VarcharOID, 7}, {BpcharOID, 7},
	Bytea, UUID, Date, Time, Timestamp, Timestamptz, Interval, JSON, JSONB, {1007, -1}, {1009, -1}, {InetOID, -1}, {TimetzOID, -1}}

func FuzzTypeText(f *testing.F) {
	for _, s := range []string{"1", "-1.5e3", "2024-06-01 10:20:30+05", "1 day 2:03", `{"a":[1]}`, "{1,NULL}", `\xdead`, "::1", "P1Y2M"} {
		for i := range fuzzTypes {
			f.Add(byte(i), s)
		}
	}
	f.Fuzz(func(t *testing.T, k byte, s string) {
		typ := fuzzTypes[int(k)%len(fuzzTypes)]
		d, err := ParseText(typ, s, nil)
		if err != nil {
			if errs.As(err).Code == errs.Internal {
				t.Fatal(err)
			}
			return
		}
		roundTrip(t, typ, d)
		var b Datum
		if err := ParseBytes(typ, []byte(s), nil, &b); err != nil {
			t.Fatalf("ParseBytes: %v", err)
		}
		if x, y := AppendText(nil, typ, &d, nil), AppendText(nil, typ, &b, nil); !bytes.Equal(x, y) {
			t.Fatalf("ParseBytes gives %q, ParseText %q", y, x)
		}
	})
}

func FuzzTypeBinary(f *testing.F) {
	for i := range fuzzTypes {
		f.Add(byte(i), []byte("\x00\x00\x00\x01\x00\x00\x00\x00"))
	}
	f.Fuzz(func(t *testing.T, k byte, b []byte) {
		typ := fuzzTypes[int(k)%len(fuzzTypes)]
		d, err := ParseBinary(typ, b)
		if err != nil {
			if errs.As(err).Code == errs.Internal && typ.OID != JSONBOID {
				t.Fatal(err)
			}
			return
		}
		AppendText(nil, typ, &d, nil)
	})
}

func TestNoAlloc(t *testing.T) {
	var d Datum
	for _, c := range []struct {
		t Type
		s string
	}{{Int4, "123456"}, {Int8, "-9223372036854775808"}, {Float8, "12.5e3"}, {Timestamp, "2024-06-01 10:20:30.123456"},
		{Timestamptz, "2024-06-01T10:20:30Z"}} {
		in := []byte(c.s)
		buf := make([]byte, 0, 64)
		n := testing.AllocsPerRun(100, func() {
			if err := ParseBytes(c.t, in, DefaultFormat, &d); err != nil {
				t.Fatal(err)
			}
			buf = AppendText(buf[:0], c.t, &d, DefaultFormat)
		})
		if n != 0 {
			t.Errorf("%s %q: %v allocations", c.t, c.s, n)
		}
	}
}
