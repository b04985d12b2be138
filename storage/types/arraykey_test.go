package types

import (
	"bytes"
	"cmp"
	"testing"
)

// TestKeys checks that keys read back and order as values do.
func TestKeys(t *testing.T) {
	for typ, vals := range map[Type][]string{
		Bool: {"f", "t"}, Int2: {"-32768", "-1", "0", "1", "32767"}, Int4: {"-2147483648", "-1", "0", "5", "2147483647"},
		Int8:     {"-9223372036854775808", "-1", "0", "9223372036854775807"},
		Float8:   {"-Infinity", "-1e300", "-1.5", "0", "1e-300", "2", "Infinity", "NaN"},
		Float4:   {"-Infinity", "-1.5", "0", "2.25", "NaN"},
		Numeric:  {"-Infinity", "-12345678901234567890", "-10.50", "-10.05", "-1", "-0.001", "0.00", "0.0001", "0.01", "1", "1.5", "9.99", "10", "100", "12345678901234567890.5", "Infinity", "NaN"},
		Interval: {"-1 year", "-1 day", "0", "1 day", "25:00:00", "1 mon", "1 mon 00:00:01", "100 years"},
		Text:     {"", "a", "ab", "b", "ba"}, Bytea: {`\x`, `\x00`, `\x0000`, `\x0001`, `\x01`, `\xff`},
		Date: {"-infinity", "1969-12-31", "2024-01-01", "infinity"}, Oid: {"0", "1", "4294967295"},
		UUID: {"00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	} {
		var prev []byte
		for i, s := range vals {
			d, err := ParseText(typ, s, nil)
			if err != nil {
				t.Fatal(err)
			}
			key := appendKey(nil, typ, &d)
			r, n := readKey(typ, append(key[:len(key):len(key)], 1, 2, 3))
			if n != len(key) {
				t.Errorf("%s %s: key of %d bytes reads %d", typ, s, len(key), n)
			}
			if x, y := AppendText(nil, typ, &d, nil), AppendText(nil, typ, &r, nil); !bytes.Equal(x, y) {
				t.Errorf("%s %s reads back as %s", typ, x, y)
			}
			if i > 0 && bytes.Compare(prev, key) >= 0 {
				t.Errorf("%s: the key of %s is not below that of %s", typ, vals[i-1], s)
			}
			prev = key
		}
	}
}

// TestArrayOrder checks that encoded arrays order as arrays do.
func TestArrayOrder(t *testing.T) {
	typ := Int4.Array()
	vals := []string{"{}", "{-5}", "{1}", "{1,2}", "{1,2,3}", "{1,3}", "{1,NULL}", "{2}", "{NULL}"}
	var enc []string
	for _, s := range vals {
		d, err := ParseText(typ, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		enc = append(enc, d.S)
	}
	for i := range enc {
		for j := range enc {
			if got := cmp.Compare(enc[i], enc[j]); got != cmp.Compare(i, j) {
				t.Errorf("%s and %s: %d", vals[i], vals[j], got)
			}
			if got := CompareArrays(Int4, []byte(enc[i]), []byte(enc[j])); got != cmp.Compare(i, j) {
				t.Errorf("CompareArrays %s and %s: %d", vals[i], vals[j], got)
			}
		}
	}
}
