package canon

import (
	"testing"

	"quern/storage/types"
)

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ typ, a, b string }{
		{"jsonb", `{"a": [1.0, -2.50, "1.0\"0.0", 0.00, true, null], "b.0": 100}`, `{"a": [1, -2.5, "1.0\"0.0", 0, true, null], "b.0": 100.000}`},
		{"numeric[]", "{1,2.0,NULL,-0.0}", "{1.00,2,NULL,0}"},
		{"float8[]", "{0,NaN}", "{-0,NaN}"},
		{"interval[]", "{30 days,-36:00:00}", "{1 mon,-1 days -12:00:00}"},
		{"interval[]", "{-1 mon}", "{-720:00:00}"},
		{"jsonb[]", `{1,"\"1.0\""}`, `{1.0,"\"1.0\""}`},
	} {
		typ, ok := types.ByName(c.typ)
		if !ok {
			t.Fatal(c.typ)
		}
		canon := func(s string) string {
			d, err := types.ParseText(typ, s, types.DefaultFormat)
			if err != nil {
				t.Fatal(s, err)
			}
			out := Append(nil, typ, []byte(d.S))
			if again := Append(nil, typ, out); string(again) != string(out) {
				t.Errorf("%s: canonical form of %q is not its own", c.typ, s)
			}
			return string(out)
		}
		if !Spelled(typ) || canon(c.a) != canon(c.b) {
			t.Errorf("%s: %s and %s differ", c.typ, c.a, c.b)
		}
		if canon(c.a) == canon("{}") && c.typ != "jsonb" {
			t.Errorf("%s: %s is empty", c.typ, c.a)
		}
	}
	for _, typ := range []types.Type{types.Text, types.Numeric, types.JSON} {
		if Spelled(typ) {
			t.Errorf("%s is spelled", typ)
		}
	}
}
