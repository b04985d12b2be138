package jsonpath

import (
	"strings"
	"testing"
	"unicode/utf8"

	"quern/storage/errs"
)

// TestParse: texts as PostgreSQL 15 prints them, and its errors.
func TestParse(t *testing.T) {
	for _, c := range [][2]string{
		{`$`, `$`},
		{`strict $.a.b[*]`, `strict $."a"."b"[*]`},
		{`lax $.a`, `$."a"`},
		{`$.a ? (@.b > 1 && @.c == "x")`, `$."a"?(@."b" > 1 && @."c" == "x")`},
		{`$.a + 1`, `($."a" + 1)`},
		{`-$.a`, `(-$."a")`},
		{`($.a + 2) * 3`, `(($."a" + 2) * 3)`},
		{`$.a + 2 * 3`, `($."a" + 2 * 3)`},
		{`1 + (2 + 3)`, `(1 + (2 + 3))`},
		{`$[0, 1 to last, last - 1]`, `$[0,1 to last,last - 1]`},
		{`$.**`, `$.**`},
		{`$.**{2}`, `$.**{2}`},
		{`$.**{1 to last}`, `$.**{1 to last}`},
		{`$.**{last}`, `$.**{last}`},
		{`$.a.type().size()`, `$."a".type().size()`},
		{`!($.a > 1)`, `!($."a" > 1)`},
		{`exists ($.a)`, `exists ($."a")`},
		{`($.a > 1) is unknown`, `($."a" > 1) is unknown`},
		{`$.a starts with "b"`, `($."a" starts with "b")`},
		{`$.a like_regex "^b" flag "ix"`, `ERROR 0A000: XQuery "x" flag (expanded regular expressions) is not implemented`},
		{`$var + $"my var"`, `($"var" + $"my var")`},
		{`"a\nb\"c\u0041"`, `"a\nb\"cA"`},
		{`1.50`, `1.50`},
		{`1e3`, `1000`},
		{`.5`, `0.5`},
		{`5.`, `5`},
		{`true`, `true`},
		{`null`, `null`},
		{`$.a == null || $.b != false`, `($."a" == null || $."b" != false)`},
		{`$."a b".c`, `$."a b"."c"`},
		{`$.a.*`, `$."a".*`},
		{`$ ? (@ > 1) ? (@ < 5).x`, `$?(@ > 1)?(@ < 5)."x"`},
		{`$.abs().floor().ceiling().double().keyvalue()`, `$.abs().floor().ceiling().double().keyvalue()`},
		{`$.datetime()`, `$.datetime()`},
		{`$.datetime("YYYY")`, `$.datetime("YYYY")`},
		{`@.a`, `ERROR 42601: @ is not allowed in root expressions`},
		{`last`, `ERROR 42601: LAST is allowed only in array subscripts`},
		{`$[last`, `ERROR 42601: syntax error at end of jsonpath input`},
		{``, `ERROR 22P02: invalid input syntax for type jsonpath: ""`},
		{`$.a <> 1`, `($."a" != 1)`},
		{`$.a = 1`, `ERROR 42601: syntax error at or near "=" of jsonpath input`},
		{`$.type`, `$."type"`},
		{`$.null`, `$."null"`},
		{`$.true.exists.to.is`, `$."true"."exists"."to"."is"`},
		{`$a`, `$"a"`},
		{`$.a % 2 - -1`, `($."a" % 2 - -1)`},
		{`$ ? (exists (@.a ? (@ == 1)))`, `$?(exists (@."a"?(@ == 1)))`},
		{`$ ? (!exists(@.a))`, `$?(!(exists (@."a")))`},
		{`$ /* c */ .a`, `$."a"`},
		{`$.a[1].b[2][3]`, `$."a"[1]."b"[2][3]`},
		{`1 - 2 - 3`, `((1 - 2) - 3)`},
		{`1 - (2 - 3)`, `(1 - (2 - 3))`},
		{`-1`, `-1`},
		{`- 1.a`, `ERROR 42601: trailing junk after numeric literal at or near "1.a" of jsonpath input`},
		{`(-$).a`, `(-$)."a"`},
		{`($.a > 1).type()`, `($."a" > 1).type()`},
		{`$.a like_regex "x" flag "zz"`, `ERROR 42601: invalid input syntax for type jsonpath`},
		{`$.a && $.b`, `ERROR 42601: syntax error at or near "&&" of jsonpath input`},
		{`$.a > 1 > 2`, `ERROR 42601: syntax error at or near ">" of jsonpath input`},
		{`$.a.foo()`, `ERROR 42601: syntax error at or near "(" of jsonpath input`},
		{`$ ? (@.a)`, `ERROR 42601: syntax error at or near ")" of jsonpath input`},
		{`$.é`, `$."é"`},
		{`$."\u00e9\ud83d\ude00"`, `$."é😀"`},
		{`1.e5`, `100000`},
		{`12abc`, `ERROR 42601: syntax error at end of jsonpath input`},
		{`$.a == "x" && $.b == 1 || $.c == 2`, `($."a" == "x" && $."b" == 1 || $."c" == 2)`},
		{`$.a == "x" && ($.b == 1 || $.c == 2)`, `($."a" == "x" && ($."b" == 1 || $."c" == 2))`},
		{`$.**{1 to 3}.a`, `$.**{1 to 3}."a"`},
		{`$[*] ? (@.a >= 1).b`, `$[*]?(@."a" >= 1)."b"`},
		{`$.a.size() > 1`, `($."a".size() > 1)`},
	} {
		p, err := Parse(c[0])
		got := ""
		if err != nil {
			e := errs.As(err)
			got = "ERROR " + string(e.Code) + ": " + e.Msg
		} else {
			got = p.String()
			again, err := Parse(got)
			if err != nil || again.String() != got {
				t.Errorf("%s: printed %s does not read back: %v", c[0], got, err)
			}
		}
		if got != c[1] {
			t.Errorf("%s\n  got  %s\n  want %s", c[0], got, c[1])
		}
	}
	if _, err := Parse(strings.Repeat("(", 100000)); errs.CodeOf(err) != errs.TooComplex {
		t.Errorf("deep nesting: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"$", "strict $.a[*] ? (@.b > 1 && exists (@.c)).d", "$.**{1 to last}", `$ ? (@ like_regex "x" flag "i")`, "-1 + $x", `"\u00e9"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			return // no text of SQL
		}
		p, err := Parse(s)
		if err != nil {
			return
		}
		text := p.String()
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%q prints as %q, which does not read: %v", s, text, err)
		}
		if again.String() != text {
			t.Fatalf("%q prints as %q and then %q", s, text, again.String())
		}
	})
}
